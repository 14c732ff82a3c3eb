//! The contexts of a person: `contexts.yaml` in the configuration directory, readable by nobody else.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use super::error::CliError;
use super::suggest::did_you_mean;
use crate::platform::paths;

const FILE: &str = "contexts.yaml";

/// Where one server is, and how to be let in.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Context {
    /// Address of the API.
    pub(crate) url: String,
    /// The token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// A file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    /// Data directory of a server on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Is this where the customers are?
    #[serde(default)]
    pub(crate) production: bool,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("url", &self.url).field("production", &self.production).finish_non_exhaustive()
    }
}

impl Context {
    pub(crate) fn url(&self) -> Result<Url, CliError> {
        super::server_url(&self.url).map_err(|fault| CliError::Usage(format!("the address {}: {fault}", self.url)))
    }

    /// Its token, read where it is kept.
    pub(crate) fn token(&self) -> Result<Option<String>, CliError> {
        let Some(file) = &self.token_file else { return Ok(self.token.clone()) };
        let text = fs::read_to_string(file)
            .map_err(|error| CliError::Usage(format!("the token file {}: {error}", file.display())))?;
        Ok(Some(text.trim().to_owned()))
    }

    /// Where its token comes from, in words.
    pub(crate) fn token_source(&self) -> String {
        match (&self.token_file, &self.token, &self.data_dir) {
            (Some(file), ..) => file.display().to_string(),
            (None, Some(_), _) => "kept with the context".to_owned(),
            (None, None, Some(dir)) => dir.join("tokens.env").display().to_string(),
            (None, None, None) => "tokens.env of this machine, or BSS_API_TOKEN".to_owned(),
        }
    }
}

/// All of them, and the one in use.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contexts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

impl Contexts {
    pub(crate) fn get(&self, name: &str) -> Result<&Context, CliError> {
        self.contexts.get(name).ok_or_else(|| {
            let hint = did_you_mean(name, self.contexts.keys().map(String::as_str));
            CliError::Usage(format!("there is no context '{name}'{hint}"))
        })
    }
}

/// The file.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
}

impl Store {
    /// The file of this user; `None` without a home directory.
    pub(crate) fn standard() -> Option<Self> {
        Some(Self::in_directory(&paths::config_dir()?))
    }

    pub(crate) fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join(FILE) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is written there; nothing when there is no file.
    pub(crate) fn load(&self) -> Result<Contexts, CliError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Contexts::default()),
            Err(error) => return Err(self.fault(error)),
        };
        let mode = fs::metadata(&self.path).map_err(|error| self.fault(error))?.permissions().mode();
        if mode & 0o077 != 0 {
            let path = self.path.display();
            return Err(CliError::Usage(format!("{path} may hold tokens and others can read it: chmod 600 {path}")));
        }
        serde_saphyr::from_str(&text).map_err(|error| self.fault(error))
    }

    /// Writes all of it at once: who reads meanwhile sees what was there before, or what is there now.
    pub(crate) fn save(&self, contexts: &Contexts) -> Result<(), CliError> {
        let text = serde_saphyr::to_string(contexts).map_err(|error| self.fault(error))?;
        self.write(&text).map_err(|error| self.fault(error))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let fresh = self.path.with_extension(format!("yaml.{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }

    fn fault(&self, error: impl fmt::Display) -> CliError {
        CliError::Usage(format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(name: &str) -> Store {
        let directory = std::env::temp_dir().join(format!("bss-contexts-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        Store::in_directory(&directory)
    }

    fn prod() -> Context {
        Context {
            url: "https://bss.example.test".into(),
            token: Some("s3cr3t".into()),
            production: true,
            ..Context::default()
        }
    }

    #[test]
    fn what_is_kept_reads_back_and_is_for_nobody_else() {
        let store = store("kept");
        assert!(store.load().expect("no file is no contexts").contexts.is_empty());
        let mut contexts = Contexts { current: Some("prod".into()), ..Contexts::default() };
        contexts.contexts.insert("prod".into(), prod());
        store.save(&contexts).expect("a directory of this test");
        let mode = fs::metadata(store.path()).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read = store.load().expect("our own file");
        let context = read.get("prod").expect("it was kept");
        assert!(context.production && context.token().expect("no file needed").as_deref() == Some("s3cr3t"));
        assert_eq!(
            read.get("prdo").expect_err("no such").to_string(),
            "there is no context 'prdo'; did you mean 'prod'?"
        );

        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).expect("our own file");
        assert!(store.load().expect_err("others can read it").to_string().contains("chmod 600"));
    }

    #[test]
    fn a_token_can_stay_where_it_is_and_none_is_printed() {
        let store = store("token-file");
        let directory = store.path().parent().expect("it has one");
        fs::create_dir_all(directory).expect("a directory of this test");
        let token_file = directory.join("token");
        fs::write(&token_file, "from-a-file\n").expect("a file of this test");
        let context = Context { token: None, token_file: Some(token_file.clone()), ..prod() };
        assert_eq!(context.token().expect("it is there").as_deref(), Some("from-a-file"));
        assert_eq!(context.token_source(), token_file.display().to_string());
        assert!(!format!("{:?} {}", prod(), prod().token_source()).contains("s3cr3t"));
        fs::remove_file(&token_file).expect("our own file");
        assert_eq!(context.token().expect_err("it is gone").exit_code(), 2);
    }

    #[test]
    fn a_file_that_is_none_of_ours_is_refused_with_its_path() {
        let store = store("broken");
        store.write("contexts: [1]").expect("a directory of this test");
        let error = store.load().expect_err("a list is no contexts");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(FILE), "{error}");
    }
}
