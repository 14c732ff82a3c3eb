//! Secrets of a local installation: generated once into `<data dir>/tokens.env` (0600), where clients on the same machine
//! find their token. With a given database nothing is generated: the operator states the secrets.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::platform::config::Secret;

/// The variables that are generated when they are missing.
const GENERATED: &[&str] =
    &["BSS_API_TOKEN", "BSS_PORTAL_SELF_SERVE_API_TOKEN", "BSS_OPERATOR_COCKPIT_API_TOKEN", "BSS_KYC_HASH_KEY"];

#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}; check the owner of the data directory")]
pub struct TokensError {
    path: PathBuf,
    source: std::io::Error,
}

/// The file's secrets, after generating those that are in neither the environment nor the file.
///
/// Call it while the cluster's lock is held, so that two first starts do not write two files.
pub(super) fn load_or_generate(
    data_dir: &Path,
    given: &BTreeMap<String, String>,
) -> Result<Vec<(String, Secret)>, TokensError> {
    let path = data_dir.join("tokens.env");
    let failed = |source| TokensError { path: path.clone(), source };
    let mut lines = read(&path).map_err(failed)?;
    let known = lines.len();
    for name in GENERATED {
        let there =
            lines.iter().any(|(line, _)| line == name) || given.get(*name).is_some_and(|value| !value.is_empty());
        if !there {
            lines.push(((*name).to_owned(), random()));
        }
    }
    if lines.len() > known {
        write(&path, &lines).map_err(failed)?;
    }
    Ok(secret(lines))
}

/// The file's secrets as they are; none when there is no file.
pub(super) fn load(data_dir: &Path) -> Result<Vec<(String, Secret)>, TokensError> {
    let path = data_dir.join("tokens.env");
    read(&path).map(secret).map_err(|source| TokensError { path, source })
}

fn secret(lines: Vec<(String, String)>) -> Vec<(String, Secret)> {
    lines.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()
}

fn read(path: &Path) -> std::io::Result<Vec<(String, String)>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Vec<(String, String)> {
    let pairs =
        text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// 64 hexadecimal digits, 256 random bits.
fn random() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Written beside and renamed: a reader never sees half a file.
fn write(path: &Path, lines: &[(String, String)]) -> std::io::Result<()> {
    let draft = path.with_extension("env.draft");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    writeln!(file, "# Secrets of this installation. Clients on this machine read their token here.")?;
    for (name, value) in lines {
        writeln!(file, "{name}={value}")?;
    }
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_only_their_owner_reads_them() {
        let dir = std::env::temp_dir().join(format!("bss-tokens-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let first = load_or_generate(&dir, &BTreeMap::new()).unwrap();
        let again = load_or_generate(&dir, &BTreeMap::new()).unwrap();
        assert_eq!(first, again);
        assert_eq!(first.len(), GENERATED.len());
        assert!(first.iter().all(|(_, secret)| secret.reveal().len() == 64));
        let mode = std::fs::metadata(dir.join("tokens.env")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_the_environment_gives_is_not_generated() {
        let dir = std::env::temp_dir().join(format!("bss-tokens-given-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let given = BTreeMap::from([("BSS_API_TOKEN".to_owned(), "x".repeat(64))]);
        let secrets = load_or_generate(&dir, &given).unwrap();
        assert!(secrets.iter().all(|(name, _)| name != "BSS_API_TOKEN"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
