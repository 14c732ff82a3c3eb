//! The file: a tar with the dump and the manifest, written beside its place and moved there once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::error::at;
use super::{BackupError, Dump, FORMAT, Manifest};

const DUMP: &str = "database.dump";
const MANIFEST: &str = "manifest.json";

/// Tar counts in blocks.
const BLOCK: u64 = 512;

/// Two blocks of nothing end it.
const END: [u8; 1024] = [0; 1024];

/// No manifest of ours is longer.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A file that is being written: first the dump, then the manifest that describes it.
pub(super) struct Draft {
    file: File,
    draft: PathBuf,
    place: PathBuf,
    digest: Sha256,
    bytes: u64,
}

impl Draft {
    /// Begins a file that nobody but its owner may read.
    pub(super) fn begin(place: &Path) -> Result<Self, BackupError> {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let draft = place.with_file_name(name);
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at("remove", &draft)(error)),
            Ok(()) | Err(_) => {}
        }
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let mut file = opened.map_err(at("write", &draft))?;
        // The header of the dump says how long it is: it is written when that is known.
        file.seek(SeekFrom::Start(BLOCK)).map_err(at("write", &draft))?;
        Ok(Self { file, draft, place: place.to_owned(), digest: Sha256::new(), bytes: 0 })
    }

    /// What was written so far.
    pub(super) fn dump(&self) -> Dump {
        Dump { bytes: self.bytes, sha256: hex(&self.digest.clone().finalize()) }
    }

    /// Adds the manifest and moves the file to its place.
    pub(super) fn finish(mut self, manifest: &Manifest) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(manifest).map_err(|error| BackupError::BrokenOff(error.to_string()))?;
        self.close(&text, manifest.taken_at).map_err(at("write", &self.draft))?;
        fs::rename(&self.draft, &self.place).map_err(at("move into place", &self.place))?;
        let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(at("sync", folder))
    }

    fn close(&mut self, manifest: &[u8], at: DateTime<Utc>) -> io::Result<()> {
        let length = manifest.len() as u64;
        self.file.write_all(&padding(self.bytes))?;
        self.file.write_all(header(MANIFEST, length, at)?.as_bytes())?;
        self.file.write_all(manifest)?;
        self.file.write_all(&padding(length))?;
        self.file.write_all(&END)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(header(DUMP, self.bytes, at)?.as_bytes())?;
        self.file.sync_all()
    }
}

impl Write for Draft {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let written = self.file.write(chunk)?;
        self.digest.update(&chunk[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `finish` there is none; after a failure half a backup helps nobody.
        let _ = fs::remove_file(&self.draft);
    }
}

fn header(name: &str, bytes: u64, at: DateTime<Utc>) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(at.timestamp().unsigned_abs());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

fn padding(bytes: u64) -> Vec<u8> {
    vec![0; usize::try_from((BLOCK - bytes % BLOCK) % BLOCK).unwrap_or_default()]
}

/// A backup that was read through and is whole.
#[derive(Debug)]
pub struct Backup {
    path: PathBuf,
    pub manifest: Manifest,
    dump_at: u64,
}

impl Backup {
    /// Reads the whole file.
    ///
    /// # Errors
    /// It is no backup, is cut off or damaged, or was made by a newer version.
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let damaged = |reason: &str| BackupError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
        let file = File::open(path).map_err(at("open", path))?;
        let (mut dump_at, mut manifest) = (None, None);
        let mut archive = tar::Archive::new(BufReader::new(file));
        // What is no tar has no entries that can be read.
        for entry in archive.entries_with_seek().into_iter().flatten() {
            let Ok(entry) = entry else { break };
            match entry.path().ok().as_deref().and_then(Path::to_str) {
                Some(DUMP) => dump_at = Some(entry.raw_file_position()),
                Some(MANIFEST) => manifest = read_manifest(entry),
                Some(_) | None => {}
            }
        }
        let manifest = manifest.ok_or_else(|| damaged("it is no backup of bss, or its end is missing"))?;
        let known: serde_json::Value =
            serde_json::from_slice(&manifest).map_err(|_| damaged("its manifest is damaged"))?;
        if known["format"].as_u64().is_some_and(|format| format > u64::from(FORMAT)) {
            let bss_version = known["bssVersion"].as_str().unwrap_or("?").to_owned();
            return Err(BackupError::Newer { bss_version, what: format!("the format {}", known["format"]) });
        }
        let manifest: Manifest = serde_json::from_value(known).map_err(|_| damaged("its manifest is damaged"))?;
        let dump_at = dump_at.ok_or_else(|| damaged("it has no dump"))?;
        let backup = Self { path: path.to_owned(), manifest, dump_at };
        if backup.digest()? == backup.manifest.dump.sha256 {
            Ok(backup)
        } else {
            Err(damaged("its dump is not the one that was written"))
        }
    }

    /// The dump, from its beginning.
    pub(super) fn dump(&self) -> Result<impl Read + use<>, BackupError> {
        let mut file = File::open(&self.path).map_err(at("open", &self.path))?;
        file.seek(SeekFrom::Start(self.dump_at)).map_err(at("read", &self.path))?;
        Ok(file.take(self.manifest.dump.bytes))
    }

    fn digest(&self) -> Result<String, BackupError> {
        let mut digest = Sha256::new();
        let mut dump = self.dump()?;
        let mut chunk = vec![0; 128 * 1024];
        loop {
            match dump.read(&mut chunk).map_err(at("read", &self.path))? {
                0 => return Ok(hex(&digest.finalize())),
                length => digest.update(&chunk[..length]),
            }
        }
    }
}

fn read_manifest(entry: impl Read) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    entry.take(MANIFEST_BYTES_MAX).read_to_end(&mut text).ok()?;
    Some(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
