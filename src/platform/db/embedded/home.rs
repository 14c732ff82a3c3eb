//! Where the cluster lives, and which account it belongs to.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink},
    },
    path::{Path, PathBuf},
};

use nix::unistd::{User, geteuid};
use sha2::{Digest, Sha256};

use super::{EmbeddedConfig, EmbeddedError, error::at};

/// Takes in the clusters of data directories that the server's account cannot reach, e.g. below `/root`.
const SHELTER: &str = "/var/lib/bss/clusters";
/// What a socket address holds, without the closing zero.
const SOCKET_PATH_MAX: usize = 107;
const LONGEST_SOCKET_NAME: &str = "/.s.PGSQL.65535";

/// The account that runs the server when `bss` is root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The folder of the cluster and what is in it.
#[derive(Debug)]
pub(super) struct Home {
    root: PathBuf,
    socket_dir: PathBuf,
    account: Option<Account>,
}

impl Home {
    /// Finds the folder or makes it, and makes sure that the server's account can work in it.
    pub(super) fn open(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        make_open(&config.data_dir)?;
        let data_dir = config.data_dir.canonicalize().map_err(at("find", &config.data_dir))?;
        let root = match existing(&data_dir)? {
            Some(root) => root,
            None => place(&data_dir, configured_account(config)?)?,
        };
        let account = account(config, &root.join("data"))?;
        if let Some(account) = account
            && let Some(blocked) = blocked_at(&root, account)
        {
            return Err(EmbeddedError::Unreachable { blocked, uid: account.uid });
        }
        let socket_dir = socket_dir(&root);
        Ok(Self { root, socket_dir, account })
    }

    /// Whether there is a cluster, as far as this account can see; nothing is made.
    pub(super) fn is_made(data_dir: &Path) -> bool {
        let root = data_dir.join("postgres");
        // What cannot be looked into is there.
        fs::metadata(root.join("data").join("PG_VERSION"))
            .map_or_else(|error| error.kind() != ErrorKind::NotFound, |_| true)
    }

    /// The major version of the cluster, with its folder; none when there is no cluster yet.
    pub(super) fn cluster_version(&self) -> Result<Option<(PathBuf, u32)>, EmbeddedError> {
        let data = self.data();
        if !data.exists() {
            return Ok(None);
        }
        let path = data.join("PG_VERSION");
        let version = fs::read_to_string(&path).map_err(at("read", &path))?;
        let version = version.trim().parse().map_err(|_| EmbeddedError::Damaged {
            path,
            reason: format!(
                "it should hold a major version, not `{}`; restore the folder from a backup",
                version.trim()
            ),
        })?;
        Ok(Some((data, version)))
    }

    pub(super) fn account(&self) -> Option<Account> {
        self.account
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn password(&self) -> PathBuf {
        self.root.join("password")
    }

    pub(super) fn port(&self) -> PathBuf {
        self.root.join("port")
    }

    pub(super) fn start_log(&self) -> PathBuf {
        self.root.join("start.log")
    }

    pub(super) fn start_lock(&self) -> PathBuf {
        self.root.join("start.lock")
    }

    pub(super) fn attached_lock(&self) -> PathBuf {
        self.root.join("attached.lock")
    }

    pub(super) fn server_lock(&self) -> PathBuf {
        self.root.join("server.lock")
    }

    /// Hands a file or folder to the account that runs the server.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), EmbeddedError> {
        match self.account {
            Some(account) => chown(path, Some(account.uid), Some(account.gid)).map_err(at("change the owner of", path)),
            None => Ok(()),
        }
    }

    /// Makes the folder of the socket; in `/tmp` somebody else may have been there first, to catch the password.
    pub(super) fn prepare_socket_dir(&self) -> Result<(), EmbeddedError> {
        let path = &self.socket_dir;
        if make_dir(path, 0o700)? {
            return self.hand_over(path);
        }
        let found = fs::symlink_metadata(path).map_err(at("look at", path))?;
        let expected = self.account.map_or_else(|| geteuid().as_raw(), |account| account.uid);
        if found.is_dir() && found.uid() == expected && found.mode() & 0o777 == 0o700 {
            return Ok(());
        }
        Err(EmbeddedError::Damaged {
            path: path.clone(),
            reason: format!("it should be a folder of user id {expected} with mode 700; remove it"),
        })
    }
}

/// A cluster stays where it once was placed, whatever the permissions above it are now.
fn existing(data_dir: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let entry = data_dir.join("postgres");
    match fs::symlink_metadata(&entry) {
        Ok(_) => match entry.canonicalize() {
            Ok(root) => Ok(Some(root)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(EmbeddedError::Damaged {
                path: entry,
                reason:
                    "it links to a folder that is gone; bring that back, or remove the link to begin with an empty \
                         database"
                        .into(),
            }),
            Err(error) => Err(at("follow", &entry)(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("look at", &entry)(error)),
    }
}

fn place(data_dir: &Path, account: Option<Account>) -> Result<PathBuf, EmbeddedError> {
    let entry = data_dir.join("postgres");
    let Some(account) = account else {
        make_dir(&entry, 0o700)?;
        return Ok(entry);
    };
    if blocked_at(data_dir, account).is_none() {
        make_dir(&entry, 0o711)?;
        return Ok(entry);
    }
    let root = Path::new(SHELTER).join(short_hash(data_dir));
    make_open(Path::new(SHELTER))?;
    make_dir(&root, 0o711)?;
    match symlink(&root, &entry) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(at("make the link", &entry)(error)),
        Ok(()) | Err(_) => Ok(root),
    }
}

fn account(config: &EmbeddedConfig, data: &Path) -> Result<Option<Account>, EmbeddedError> {
    let configured = configured_account(config);
    let Ok(found) = fs::metadata(data) else {
        return configured;
    };
    let owner = Account { uid: found.uid(), gid: found.gid() };
    let user = geteuid();
    let expected = match &config.pg_user {
        // Root serves every owner but itself: PostgreSQL refuses to run as root.
        None if user.is_root() && owner.uid != 0 => return Ok(Some(owner)),
        _ => configured?,
    };
    let expected_uid = expected.map_or(user.as_raw(), |account| account.uid);
    if owner.uid == expected_uid {
        return Ok(expected);
    }
    Err(EmbeddedError::OtherOwner { data: data.to_owned(), owner: owner.uid, expected: expected_uid })
}

/// The account of the configuration; none for an ordinary user, who runs the server as themselves.
fn configured_account(config: &EmbeddedConfig) -> Result<Option<Account>, EmbeddedError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let name = config.pg_user.as_deref().unwrap_or("postgres");
    match User::from_name(name) {
        Ok(Some(user)) if !user.uid.is_root() => Ok(Some(Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() })),
        Ok(_) | Err(_) => Err(EmbeddedError::NoAccount { user: name.to_owned() }),
    }
}

/// The outermost folder on the way to `path` that the account may not enter, by its permission bits.
fn blocked_at(path: &Path, account: Account) -> Option<PathBuf> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    way.into_iter()
        .find(|folder| !fs::metadata(folder).is_ok_and(|found| may_enter(&found, account)))
        .map(Path::to_owned)
}

fn may_enter(folder: &fs::Metadata, account: Account) -> bool {
    let bit = if folder.uid() == account.uid {
        0o100
    } else if folder.gid() == account.gid {
        0o010
    } else {
        0o001
    };
    folder.mode() & bit != 0
}

/// Must come out the same for everybody who attaches, hence no `XDG_RUNTIME_DIR`, which differs between sessions.
fn socket_dir(root: &Path) -> PathBuf {
    let inside = root.join("run");
    let fits = inside.as_os_str().len() + LONGEST_SOCKET_NAME.len() <= SOCKET_PATH_MAX;
    // The connection address is text, so a folder whose name is not must be avoided as well.
    if fits && inside.to_str().is_some() { inside } else { Path::new("/tmp").join(format!("bss-{}", short_hash(root))) }
}

fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_bytes());
    digest.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Makes the folder and those above it; as root open to pass through, whatever the umask.
fn make_open(path: &Path) -> Result<(), EmbeddedError> {
    if !geteuid().is_root() {
        return fs::create_dir_all(path).map_err(at("make the folder", path));
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty() && !above.exists()) {
        make_open(above)?;
    }
    make_dir(path, 0o755).map(drop)
}

/// Makes one folder with exactly this mode; false when it was there.
fn make_dir(path: &Path, mode: u32) -> Result<bool, EmbeddedError> {
    let created = fs::DirBuilder::new().mode(mode).create(path);
    match created.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode))) {
        Ok(()) => Ok(true),
        Err(error) if is_there(&error, path) => Ok(false),
        Err(error) => Err(at("make the folder", path)(error)),
    }
}

fn is_there(error: &io::Error, path: &Path) -> bool {
    error.kind() == ErrorKind::AlreadyExists && path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_stays_within_what_the_system_takes() {
        let short = Path::new("/var/lib/bss/postgres");
        assert_eq!(socket_dir(short), short.join("run"));

        let long = PathBuf::from(format!("/{}", "x".repeat(100)));
        let elsewhere = socket_dir(&long);
        assert!(elsewhere.starts_with("/tmp"), "{}", elsewhere.display());
        assert_eq!(elsewhere, socket_dir(&long), "everybody who attaches must find the same place");
        assert_ne!(elsewhere, socket_dir(&long.join("other")));
    }

    #[test]
    fn the_first_folder_that_shuts_an_account_out_is_named() {
        let nobody = Account { uid: 65_534, gid: 65_534 };
        assert_eq!(blocked_at(Path::new("/usr/lib"), nobody), None);
        assert_eq!(blocked_at(Path::new("/usr/no-such-folder/below"), nobody), Some("/usr/no-such-folder".into()));
    }
}
