//! The perimeter: who may call at all, as whom, with which scopes and through which channels. Named tokens, compared in
//! constant time.
//!
//! Raw tokens are not kept: the map holds keyed hashes and may be logged.

mod grants;

use std::sync::{Arc, LazyLock};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::platform::context::{DEFAULT_TENANT, Scopes};

use self::grants::Grant;
pub use self::grants::{Channels, is_grant};

/// Shortest token that is accepted.
pub const TOKEN_LENGTH_MIN: usize = 32;

/// Not a secret: it only keeps raw tokens out of memory dumps and logs.
const SALT: &[u8] = b"bss perimeter token map";

/// Outbound secrets whose names look like perimeter tokens: never an inbound identity.
const OUTBOUND: &[&str] = &["BSS_LOYALTY_API_TOKEN"];

/// A caller that showed a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub name: Arc<str>,
    pub tenant: Arc<str>,
    pub scopes: Scopes,
    pub channels: Channels,
}

/// A token as it is kept, and whose it is.
type Entry = ([u8; 32], Arc<Identity>);

/// The validated tokens, hashed.
#[derive(Debug, Clone)]
pub struct TokenMap {
    entries: Vec<Entry>,
}

/// The identity that a variable names: `BSS_API_TOKEN` is `default`, `BSS_PARTNER_ACME_API_TOKEN` is `partner_acme`.
pub fn identity_of(variable: &str) -> Option<String> {
    if OUTBOUND.contains(&variable) {
        return None;
    }
    if variable == "BSS_API_TOKEN" {
        return Some("default".into());
    }
    let name = variable.strip_prefix("BSS_")?.strip_suffix("_API_TOKEN")?;
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

impl TokenMap {
    /// Validates the tokens, and the grants that are stated beside them ([`is_grant`]). Every fault is reported at once; no
    /// message repeats a token.
    ///
    /// # Errors
    /// One line per fault: the default identity is missing, a sample or short value, two identities with one value, a grant
    /// that cannot be read or is nobody's.
    pub fn new(tokens: &[(String, String)], grants: &[(String, String)]) -> Result<Self, Vec<String>> {
        let (entries, mut faults) = Self::entries(tokens, grants);
        let names: Vec<String> = entries.iter().map(|(_, identity)| identity.name.to_string()).collect();
        faults.extend(grants::without_token(grants, &names));
        if !entries.iter().any(|(_, identity)| &*identity.name == "default") {
            faults.push("BSS_API_TOKEN is unset; make one with: openssl rand -hex 32".into());
        }
        if faults.is_empty() { Ok(Self { entries }) } else { Err(faults) }
    }

    /// What is wrong with these tokens, where others will still be generated.
    pub fn faults_of_given(tokens: &[(String, String)], grants: &[(String, String)]) -> Vec<String> {
        Self::entries(tokens, grants).1
    }

    /// The same identities, of another tenant: there are no variables that say so.
    #[must_use]
    pub fn in_tenant(self, tenant: &str) -> Self {
        let tenant: Arc<str> = tenant.into();
        let moved = |identity: &Identity| Arc::new(Identity { tenant: Arc::clone(&tenant), ..identity.clone() });
        Self { entries: self.entries.iter().map(|(hash, identity)| (*hash, moved(identity))).collect() }
    }

    fn entries(tokens: &[(String, String)], grants: &[(String, String)]) -> (Vec<Entry>, Vec<String>) {
        let mut faults = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        for (variable, token) in tokens {
            let Some(name) = identity_of(variable) else { continue };
            if token.is_empty() {
                continue;
            }
            if token.to_ascii_lowercase().starts_with("changeme") {
                faults.push(format!("{variable} still has its sample value; make one with: openssl rand -hex 32"));
            } else if token.len() < TOKEN_LENGTH_MIN {
                faults.push(format!(
                    "{variable} has {} characters, at least {TOKEN_LENGTH_MIN} are needed; make one with: openssl rand -hex 32",
                    token.len()
                ));
            }
            let hash = hashed(token);
            if let Some((_, other)) = entries.iter().find(|(known, _)| *known == hash) {
                faults.push(format!(
                    "the identities {} and {name} have the same token; every identity needs its own",
                    other.name
                ));
            }
            let (Grant { scopes, channels }, unreadable) = Grant::of(&name, grants);
            faults.extend(unreadable);
            let identity = Identity { name: name.into(), tenant: DEFAULT_TENANT.into(), scopes, channels };
            entries.push((hash, Arc::new(identity)));
        }
        (entries, faults)
    }

    /// Whose token this is. Every entry is compared, each in constant time.
    pub fn identify(&self, token: &str) -> Option<&Arc<Identity>> {
        let presented = hashed(token);
        let mut found = None;
        for (hash, identity) in &self.entries {
            if bool::from(hash.ct_eq(&presented)) {
                found = Some(identity);
            }
        }
        found
    }

    /// The names of the identities, for the start summary.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(_, identity)| &*identity.name)
    }
}

fn hashed(token: &str) -> [u8; 32] {
    // Taking up the key costs as much as hashing a token, and the key is always the same.
    static KEYED: LazyLock<Hmac<Sha256>> =
        LazyLock::new(|| Hmac::new_from_slice(SALT).expect("HMAC takes a key of any length"));
    let mut mac = KEYED.clone();
    mac.update(token.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Whether a path is open to everybody: health for load balancers, webhooks that carry a provider's signature.
pub fn is_open(path: &str) -> bool {
    matches!(path, "/health" | "/health/ready" | "/health/live")
        || path.strip_prefix("/webhooks/").is_some_and(|provider| !provider.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::context::Scope;

    fn token(fill: &str) -> String {
        fill.repeat(64 / fill.len())
    }

    fn map(tokens: &[(&str, &str)]) -> Result<TokenMap, Vec<String>> {
        let owned: Vec<_> = tokens.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        TokenMap::new(&owned, &[])
    }

    #[test]
    fn identities_come_from_variable_names() {
        assert_eq!(identity_of("BSS_API_TOKEN").as_deref(), Some("default"));
        assert_eq!(identity_of("BSS_PARTNER_ACME_API_TOKEN").as_deref(), Some("partner_acme"));
        for ignored in ["BSS_PARTNER_API_TOKEN_ACME", "BSS_LOYALTY_API_TOKEN", "API_TOKEN", "BSS__API_TOKEN_X"] {
            assert_eq!(identity_of(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn the_start_is_refused_with_all_faults_and_no_token_in_them() {
        let shared = token("0123456789abcdef");
        let faults = map(&[("BSS_A_API_TOKEN", &shared), ("BSS_B_API_TOKEN", &shared), ("BSS_C_API_TOKEN", "short")])
            .unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.contains(&shared) && !fault.contains("short")), "{faults:?}");
        assert!(map(&[("BSS_API_TOKEN", &format!("changeme-{shared}"))]).is_err());
        assert!(map(&[("BSS_API_TOKEN", &"x".repeat(31))]).is_err());
        assert!(map(&[("BSS_API_TOKEN", &"x".repeat(32))]).is_ok());
    }

    #[test]
    fn a_token_gives_identity_and_scopes() {
        let (default, portal) = (token("a1"), token("b2"));
        let map = map(&[("BSS_API_TOKEN", &default), ("BSS_PORTAL_SELF_SERVE_API_TOKEN", &portal)]).unwrap();
        assert!(map.identify(&default).unwrap().scopes.has(Scope::Admin));
        let portal = map.identify(&portal).unwrap();
        assert_eq!(&*portal.name, "portal_self_serve");
        assert!(!portal.scopes.has(Scope::Admin));
        assert_eq!(map.identify(""), None);
        assert_eq!(map.identify(&token("c3")), None);
    }

    #[test]
    fn only_health_and_named_webhooks_are_open() {
        for open in ["/health", "/health/ready", "/health/live", "/webhooks/stripe"] {
            assert!(is_open(open), "{open}");
        }
        for closed in ["/", "/healthz", "/ready", "/webhooks", "/webhooks/", "/metrics", "/ops/v1"] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
