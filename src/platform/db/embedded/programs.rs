//! Finds the programs of the PostgreSQL server.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::EmbeddedError;

/// The oldest major version that the product is tested with.
const OLDEST: u32 = 15;
/// Where Debian keeps a folder for each major version.
pub(in crate::platform::db) const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of the server programs, all of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) bin: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    pub(super) fn initdb(&self) -> PathBuf {
        self.bin.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.bin.join("postgres")
    }
}

/// The programs for a cluster of the given version, or for a new one.
pub(super) fn find(configured: Option<&Path>, cluster: Option<(PathBuf, u32)>) -> Result<Programs, EmbeddedError> {
    let found: Vec<Programs> = match configured {
        Some(bin) => inspect(bin.to_owned()).into_iter().collect(),
        None => on_path().chain(from_debian(Path::new(DEBIAN))).collect(),
    };
    let searched = match configured {
        Some(bin) => format!("{} (BSS_PG_BIN)", bin.display()),
        None => format!("PATH and {DEBIAN}/*/bin"),
    };
    choose(found, cluster, searched)
}

fn choose(found: Vec<Programs>, cluster: Option<(PathBuf, u32)>, searched: String) -> Result<Programs, EmbeddedError> {
    let usable: Vec<Programs> = found.into_iter().filter(|programs| programs.major >= OLDEST).collect();
    if usable.is_empty() {
        return Err(EmbeddedError::NoPrograms { oldest: OLDEST, searched });
    }
    let Some((data, version)) = cluster else {
        return Ok(usable[0].clone());
    };
    let versions = usable.iter().map(|programs| programs.major.to_string()).collect::<Vec<_>>().join(", ");
    usable.into_iter().find(|programs| programs.major == version).ok_or(EmbeddedError::VersionMismatch {
        data,
        cluster: version,
        found: versions,
    })
}

fn on_path() -> impl Iterator<Item = Programs> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter().filter_map(inspect)
}

/// Debian's layout has the version in the path, which saves starting each program to ask.
fn from_debian(root: &Path) -> impl Iterator<Item = Programs> + use<> {
    let mut all: Vec<Programs> = fs::read_dir(root)
        .into_iter()
        .flat_map(|folders| folders.filter_map(Result::ok))
        .filter_map(|folder| {
            let major = folder.file_name().to_str()?.parse().ok()?;
            let bin = folder.path().join("bin");
            has_programs(&bin).then_some(Programs { bin, major })
        })
        .collect();
    all.sort_by_key(|programs| Reverse(programs.major));
    all.into_iter()
}

fn inspect(bin: PathBuf) -> Option<Programs> {
    if !has_programs(&bin) {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
    Some(Programs { bin, major })
}

fn has_programs(bin: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| bin.join(name).is_file())
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15, as is `16beta1` 16.
pub(in crate::platform::db) fn major_of(version_line: &str) -> Option<u32> {
    let version = version_line.split(") ").nth(1)?;
    let digits = version.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(major: u32) -> Programs {
        Programs { bin: PathBuf::from(format!("/pg/{major}/bin")), major }
    }

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_of("something else"), None);
    }

    #[test]
    fn a_new_cluster_takes_the_first_that_is_new_enough() {
        let chosen = choose(vec![programs(14), programs(17), programs(15)], None, "PATH".into());
        assert_eq!(chosen.expect("17 will do"), programs(17));
    }

    #[test]
    fn an_existing_cluster_takes_its_own_version() {
        let chosen = choose(vec![programs(17), programs(15)], Some(("/d".into(), 15)), "PATH".into());
        assert_eq!(chosen.expect("15 is there"), programs(15));
    }

    #[test]
    fn a_cluster_of_a_version_that_is_not_installed_is_refused_by_name() {
        let refused = choose(vec![programs(17), programs(16)], Some(("/d".into(), 15)), "PATH".into());
        let message = refused.expect_err("15 is missing").to_string();
        assert!(message.contains("made by PostgreSQL 15, but only 17, 16 is installed"), "{message}");
        assert!(message.contains("apt-get install postgresql-15"), "{message}");
    }

    #[test]
    fn without_programs_the_error_says_how_to_get_them() {
        let message = choose(vec![programs(13)], None, "PATH".into()).expect_err("too old").to_string();
        assert!(message.contains("apt-get install postgresql"), "{message}");
        assert!(message.contains("BSS_PG_BIN") && message.contains("BSS_DB_URL"), "{message}");
    }
}
