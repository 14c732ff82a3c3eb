//! Where a client on the server's own machine finds its token: `tokens.env` in the data directory.

use std::fmt;
use std::path::Path;

use url::{Host, Url};

use super::target::Target;
use crate::platform::paths;

/// The file that the server writes once, readable by its own user only.
const FILE: &str = "tokens.env";
/// The line of the operator's identity.
const OPERATOR: &str = "BSS_API_TOKEN";
/// The line of the self-serve portal's.
const PORTAL: &str = "BSS_PORTAL_SELF_SERVE_API_TOKEN";

/// A bearer secret; `Debug` hides it.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Token {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The token to call with: the one given, else the one this machine's server wrote down.
///
/// A file is read only for a server on this machine, or when a data directory is named: the secret of the local
/// server must not travel to whatever host `--url` names.
pub(crate) fn discover(given: Option<&str>, url: &Url, data_dir: Option<&Path>) -> Option<Token> {
    match given.filter(|token| !token.is_empty()) {
        Some(given) => Some(given.into()),
        None => written_down(url, data_dir, OPERATOR),
    }
}

/// The token of the self-serve portal that this machine's server wrote down, for scenarios that act as both.
pub(crate) fn discover_portal(target: &Target) -> Option<Token> {
    written_down(&target.url, target.data_dir.as_deref(), PORTAL)
}

fn written_down(url: &Url, data_dir: Option<&Path>, variable: &str) -> Option<Token> {
    // As with the token, a variable that is set to nothing is not set.
    match data_dir.filter(|named| !named.as_os_str().is_empty()) {
        Some(named) => read(named, variable),
        None if is_local(url) => read(&paths::default_data_dir()?, variable),
        None => None,
    }
}

/// Is the server on this machine?
pub(crate) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A file that is missing or not ours to read is no error here: the server will ask for a token, and then we say where
/// it could come from.
fn read(data_dir: &Path, variable: &str) -> Option<Token> {
    parse(&std::fs::read_to_string(data_dir.join(FILE)).ok()?, variable)
}

fn parse(file: &str, variable: &str) -> Option<Token> {
    let assignments = file.lines().filter_map(|line| line.trim().split_once('='));
    let token = assignments.into_iter().find(|(name, _)| name.trim() == variable)?.1;
    let token = token.trim().trim_matches('"');
    (!token.is_empty()).then(|| token.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_identity_has_its_line() {
        let file = "# generated\nBSS_PORTAL_SELF_SERVE_API_TOKEN=portal\nBSS_API_TOKEN=operator\n";
        let found = |file, variable| parse(file, variable).map(|token| token.reveal().to_owned());
        assert_eq!(found(file, OPERATOR).as_deref(), Some("operator"));
        assert_eq!(found(file, PORTAL).as_deref(), Some("portal"));
        assert!(parse("BSS_API_TOKEN=\n", OPERATOR).is_none());
        assert!(parse("", OPERATOR).is_none());
    }

    #[test]
    fn the_token_given_counts_more_than_the_one_found() {
        let data_dir = std::env::temp_dir().join(format!("bss-tokens-{}", std::process::id()));
        std::fs::create_dir_all(&data_dir).expect("a directory of this test");
        std::fs::write(data_dir.join(FILE), "BSS_API_TOKEN=found\n").expect("a file of this test");
        let found = |token: Option<&str>| {
            let url = Url::parse("http://127.0.0.1:8000").expect("a URL");
            discover(token, &url, Some(&data_dir)).map(|token| token.reveal().to_owned())
        };
        assert_eq!(found(Some("given")).as_deref(), Some("given"));
        assert_eq!(found(None).as_deref(), Some("found"));
        assert_eq!(found(Some("")).as_deref(), Some("found"), "an empty variable is no token");
        std::fs::remove_dir_all(&data_dir).expect("a directory of this test");
        assert_eq!(found(None), None);
    }

    #[test]
    fn only_a_loopback_address_is_this_machine() {
        let local = |url: &str| is_local(&Url::parse(url).expect("a URL of this test"));
        assert!(local("http://127.0.0.1:8000"));
        assert!(local("http://localhost:8000"));
        assert!(local("http://[::1]:8000"));
        assert!(!local("https://bss.example.test"));
        assert!(!local("http://127.0.0.1.example.test"));
        assert!(!local("http://10.0.0.7:8000"));
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", Token::from("operator")), "Token(…)");
    }
}
