use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn manifest(dump: Dump) -> Manifest {
    Manifest {
        format: FORMAT,
        bss_version: "0.1.0".into(),
        schema_version: "0001_platform".into(),
        migrations: vec!["0001_platform".into()],
        taken_at: "2026-11-26T08:00:00Z".parse().unwrap(),
        database: "bss".into(),
        postgres_major: 15,
        pg_dump_major: 15,
        kyc_key_fingerprint: None,
        grantees: Vec::new(),
        rows: BTreeMap::from([("crm.customer".into(), 2)]),
        dump,
    }
}

/// A backup of `dump`, in a folder of this test.
fn written(test: &str, dump: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("bss-archive-{}-{test}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("backup.tar");
    let mut draft = Draft::begin(&path).unwrap();
    draft.write_all(dump).unwrap();
    let manifest = manifest(draft.dump());
    draft.finish(&manifest).unwrap();
    path
}

fn refusal(path: &Path) -> String {
    Backup::open(path).expect_err("it is damaged").to_string()
}

#[test]
fn what_was_written_is_read_and_only_its_owner_may() {
    for length in [0, 1, 511, 512, 513, 400_000] {
        let dump = vec![7; length];
        let path = written(&format!("whole-{length}"), &dump);
        let backup = Backup::open(&path).unwrap();
        let mut read = Vec::new();
        backup.dump().unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, dump);
        assert_eq!(backup.manifest, manifest(backup.manifest.dump.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let path = written("cut", &[7; 3_000]);
    let whole = fs::read(&path).unwrap();
    // The zeros at the very end say nothing.
    for length in (0..whole.len() - 2 * 512 - 512).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(refusal(&path).contains("cannot be restored"), "cut at {length}");
    }
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_changed_byte_of_the_dump_is_noticed() {
    let path = written("changed", &[7; 3_000]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[1_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert!(refusal(&path).contains("not the one that was written"));
    fs::write(&path, "something else entirely").unwrap();
    assert!(refusal(&path).contains("no backup of bss"));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_newer_layout_names_the_version_to_use() {
    let path = written("newer", b"dump");
    let bytes = fs::read(&path).unwrap();
    let text = String::from_utf8(bytes).unwrap().replace("\"format\": 1", "\"format\": 9");
    fs::write(&path, text).unwrap();
    assert!(refusal(&path).contains("made by bss 0.1.0 and has the format 9"), "{}", refusal(&path));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn half_a_backup_leaves_nothing_behind() {
    let folder = std::env::temp_dir().join(format!("bss-archive-{}-half", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut draft = Draft::begin(&folder.join("backup.tar")).unwrap();
    draft.write_all(b"half").unwrap();
    drop(draft);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    fs::remove_dir_all(folder).unwrap();
}
