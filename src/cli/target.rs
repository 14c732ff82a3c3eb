//! Where commands go: an address and a token, from the command line, the environment, a context or the default.

use std::path::PathBuf;

use url::Url;

use super::Global;
use super::contexts::{Context, Contexts, Store};
use super::error::CliError;
use super::tokens::{self, Token};

/// The server of this machine.
const DEFAULT_URL: &str = "http://127.0.0.1:8000";

/// One server, and how to be let in.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) token: Option<Token>,
    /// Where the tokens of a server on this machine are, when it is said.
    pub(crate) data_dir: Option<PathBuf>,
    /// The context that named it, if one did.
    pub(crate) context: Option<Named>,
}

/// A context by its name.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) production: bool,
    /// Was it named on this very command line?
    pub(crate) said: bool,
}

impl Target {
    /// What was said decides first, then the environment, then the context, then the default.
    ///
    /// A context is its address and its token together: where the address comes from elsewhere, no context counts, so that
    /// no token travels to a server it was not meant for.
    pub(crate) fn resolve(global: &Global) -> Result<Self, CliError> {
        match (&global.url, &global.context) {
            (Some(url), None) => Ok(Self::at(url.clone(), global)),
            (Some(_), Some(name)) => Err(CliError::Usage(format!(
                "both an address (--url, BSS_URL) and the context '{name}' (--context, BSS_CONTEXT) say where to go: one of \
                 them"
            ))),
            (None, wanted) => {
                let contexts = Store::standard().map_or_else(|| Ok(Contexts::default()), |store| store.load())?;
                match wanted.as_ref().or(contexts.current.as_ref()) {
                    Some(name) => Self::of(name, contexts.get(name)?, global),
                    None => Ok(Self::at(default_url()?, global)),
                }
            }
        }
    }

    fn at(url: Url, global: &Global) -> Self {
        let token = tokens::discover(global.token.as_deref(), &url, global.data_dir.as_deref());
        Self { url, token, data_dir: global.data_dir.clone(), context: None }
    }

    fn of(name: &str, context: &Context, global: &Global) -> Result<Self, CliError> {
        let url = context.url()?;
        let data_dir = global.data_dir.clone().or_else(|| context.data_dir.clone());
        let own = if global.token.is_some() { None } else { context.token()? };
        let given = global.token.clone().or(own);
        let token = tokens::discover(given.as_deref(), &url, data_dir.as_deref());
        let named = Named { name: name.to_owned(), production: context.production, said: global.said.context };
        Ok(Self { url, token, data_dir, context: Some(named) })
    }

    /// The name of the context, if it is marked as production.
    pub(crate) fn production(&self) -> Option<&Named> {
        self.context.as_ref().filter(|context| context.production)
    }
}

fn default_url() -> Result<Url, CliError> {
    Url::parse(DEFAULT_URL).map_err(|error| CliError::Failed(format!("{DEFAULT_URL}: {error}")))
}
