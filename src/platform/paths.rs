//! Where an installation keeps its files: one answer for the server that writes them and the client that looks for them.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where the system-wide service of root keeps its files.
const SYSTEM_DATA_DIR: &str = "/var/lib/bss";

/// The data directory when none is configured: `/var/lib/bss` for root, else `bss` in the XDG data home.
///
/// `None` when the user has no home directory: then it must be configured.
pub fn default_data_dir() -> Option<PathBuf> {
    data_dir_of(nix::unistd::geteuid().is_root(), std::env::var_os("XDG_DATA_HOME"), std::env::home_dir())
}

fn data_dir_of(is_root: bool, xdg_data_home: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    if is_root {
        return Some(SYSTEM_DATA_DIR.into());
    }
    // The XDG specification says to ignore a relative path.
    let configured = xdg_data_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let data_home = configured.or_else(|| home.map(|home| home.join(".local/share")))?;
    Some(data_home.join("bss"))
}

/// Where the clients of one user keep what they are told: `bss` in the XDG configuration home.
///
/// `None` when the user has no home directory.
pub fn config_dir() -> Option<PathBuf> {
    config_dir_of(std::env::var_os("XDG_CONFIG_HOME"), std::env::home_dir())
}

fn config_dir_of(xdg_config_home: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let configured = xdg_config_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let config_home = configured.or_else(|| home.map(|home| home.join(".config")))?;
    Some(config_home.join("bss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_clients_follows_xdg() {
        let home = || Some(PathBuf::from("/home/ada"));
        assert_eq!(config_dir_of(Some("/x".into()), home()), Some("/x/bss".into()));
        assert_eq!(config_dir_of(Some("relative".into()), home()), Some("/home/ada/.config/bss".into()));
        assert_eq!(config_dir_of(None, home()), Some("/home/ada/.config/bss".into()));
        assert_eq!(config_dir_of(None, None), None);
    }

    #[test]
    fn root_has_the_system_directory_and_others_their_data_home() {
        let home = || Some(PathBuf::from("/home/ada"));
        assert_eq!(data_dir_of(true, Some("/x".into()), home()), Some("/var/lib/bss".into()));
        assert_eq!(data_dir_of(false, Some("/x".into()), home()), Some("/x/bss".into()));
        assert_eq!(data_dir_of(false, Some("relative".into()), home()), Some("/home/ada/.local/share/bss".into()));
        assert_eq!(data_dir_of(false, None, home()), Some("/home/ada/.local/share/bss".into()));
        assert_eq!(data_dir_of(false, None, None), None);
    }
}
