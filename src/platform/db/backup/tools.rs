//! `pg_dump` and `pg_restore`: where they are, and how they are run.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use super::BackupError;
use super::address::Address;
use crate::platform::db::embedded::{DEBIAN, last_lines, major_of};

/// What the programs see of our environment beside libpq's own variables: no secrets of ours.
const ENVIRONMENT: [&str; 3] = ["HOME", "LD_LIBRARY_PATH", "PATH"];

/// A chunk on its way between a program and a file.
const CHUNK_BYTES: usize = 128 * 1024;

/// The folder of the two programs, and their major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tools {
    bin: PathBuf,
    pub(super) major: u32,
}

impl Tools {
    /// Programs that are not older than `major`: of that version if there are such, else of the oldest that is newer.
    pub(super) fn find(configured: Option<&Path>, major: u32) -> Result<Self, BackupError> {
        let path = env::var_os("PATH").unwrap_or_default();
        let debian = fs::read_dir(DEBIAN).into_iter().flatten().filter_map(Result::ok).map(|at| at.path().join("bin"));
        let folders = configured.map(Path::to_owned).into_iter().chain(debian).chain(env::split_paths(&path));
        let found: Vec<Self> = folders.filter_map(inspect).collect();
        let named = configured.map(|bin| format!("{}, ", bin.display())).unwrap_or_default();
        choose(found, major)
            .ok_or_else(|| BackupError::NoTools { major, searched: format!("{named}PATH and {DEBIAN}/*/bin") })
    }

    /// Runs `pg_dump` on the snapshot and hands what it writes to `output`.
    pub(super) fn dump(&self, address: &Address, snapshot: &str, output: &mut impl Write) -> Result<(), BackupError> {
        let mut command = self.command("pg_dump", address);
        command.args(["--format=custom", "--lock-wait-timeout=30s"]).arg(format!("--snapshot={snapshot}"));
        let mut child = start("pg_dump", command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let complaints = listen(&mut child);
        let mut written = child.stdout.take().expect("it was piped");
        let copied = copy(&mut written, output);
        drop(written);
        finish("pg_dump", child, copied, complaints)
    }

    /// Runs `pg_restore` into the database, which gets all of `input` or nothing.
    pub(super) fn restore(&self, address: &Address, grants: bool, input: &mut impl Read) -> Result<(), BackupError> {
        let mut command = self.command("pg_restore", address);
        command.args(["--format=custom", "--exit-on-error", "--single-transaction", "--no-owner"]);
        if !grants {
            command.arg("--no-privileges");
        }
        let mut child = start("pg_restore", command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
        let complaints = listen(&mut child);
        let mut read = child.stdin.take().expect("it was piped");
        let copied = copy(input, &mut read);
        drop(read);
        finish("pg_restore", child, copied, complaints)
    }

    fn command(&self, program: &str, address: &Address) -> Command {
        let (url, password) = address.for_programs();
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().env("LC_ALL", "C.UTF-8");
        let ours =
            |name: &OsStr| ENVIRONMENT.iter().any(|known| name == *known) || name.as_encoded_bytes().starts_with(b"PG");
        command.envs(env::vars_os().filter(|(name, _)| ours(name)));
        if let Some(password) = password {
            command.env("PGPASSWORD", password);
        }
        command.arg("--no-password").arg(format!("--dbname={url}")).stderr(Stdio::piped());
        command
    }
}

fn choose(mut found: Vec<Tools>, major: u32) -> Option<Tools> {
    found.retain(|tools| tools.major >= major);
    found.into_iter().min_by_key(|tools| tools.major)
}

fn inspect(bin: PathBuf) -> Option<Tools> {
    if !["pg_dump", "pg_restore"].iter().all(|name| bin.join(name).is_file()) {
        return None;
    }
    let output = Command::new(bin.join("pg_dump")).arg("--version").output().ok()?;
    let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
    Some(Tools { bin, major })
}

fn start(program: &'static str, command: &mut Command) -> Result<Child, BackupError> {
    command.spawn().map_err(|source| BackupError::File { action: "run", path: program.into(), source })
}

/// Reads what the program complains of beside its work, so that it never waits for us.
fn listen(child: &mut Child) -> thread::JoinHandle<String> {
    let mut stderr = child.stderr.take().expect("it was piped");
    thread::spawn(move || {
        let mut text = Vec::new();
        // What cannot be read is not missed: the exit status counts.
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut chunk)? {
            0 => return to.flush(),
            length => to.write_all(&chunk[..length])?,
        }
    }
}

fn finish(
    program: &'static str,
    mut child: Child,
    copied: io::Result<()>,
    complaints: thread::JoinHandle<String>,
) -> Result<(), BackupError> {
    let broken = |source| BackupError::File { action: "pass on the data of", path: program.into(), source };
    let pipe_closed = copied.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if copied.is_err() && !pipe_closed {
        // It has ended already, or is not needed any more.
        let _ = child.kill();
    }
    let status = child.wait().map_err(broken)?;
    let output = last_lines(&complaints.join().unwrap_or_default());
    match copied {
        // Its own words say more than our pipe.
        Ok(()) if status.success() => Ok(()),
        Err(error) if !pipe_closed || status.success() => Err(broken(error)),
        Ok(()) | Err(_) => Err(BackupError::ToolFailed { program, status: status.to_string(), output }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_the_servers_version_come_first_and_older_ones_never() {
        let tools = |major| Tools { bin: format!("/pg/{major}").into(), major };
        let all = || vec![tools(17), tools(15), tools(16), tools(14)];
        assert_eq!(choose(all(), 16), Some(tools(16)));
        assert_eq!(choose(vec![tools(14), tools(17)], 15), Some(tools(17)));
        assert_eq!(choose(all(), 18), None);
    }
}
