//! What each identity may do, and through which surfaces it may say that somebody acts: stated beside its token, in
//! `BSS_<NAME>_API_SCOPES` and `BSS_<NAME>_API_CHANNELS`, or else what its name implies.

use crate::platform::context::{Channel, Scope, Scopes};

/// The channels that an identity may name. Never empty; the first one is meant by a request that names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels(Vec<Channel>);

impl Channels {
    /// Of a request that does not say.
    pub fn usual(&self) -> Channel {
        self.0.first().copied().unwrap_or(Channel::System)
    }

    pub fn has(&self, channel: Channel) -> bool {
        self.0.contains(&channel)
    }
}

/// What an identity may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) scopes: Scopes,
    pub(super) channels: Channels,
}

impl Grant {
    /// What a name implies. The surfaces of the operator may everything; a portal speaks for customers on it; everybody else
    /// reads and writes, and is no portal.
    fn implied(identity: &str) -> Self {
        use Channel::{Cli, Llm, Mcp, PortalChat, PortalCsr, PortalSelfServe, Scenario, System};
        let (scopes, channels) = match identity {
            "default" => (Scopes::ALL, vec![System, PortalSelfServe, PortalCsr, PortalChat, Cli, Llm, Mcp, Scenario]),
            "operator_cockpit" => (Scopes::ALL, vec![PortalCsr, Cli, Llm, System]),
            "portal_self_serve" => (Scopes::READ_WRITE, vec![PortalSelfServe, PortalChat]),
            _ => (Scopes::READ_WRITE, vec![System, Cli, Llm, Mcp, Scenario]),
        };
        Self { scopes, channels: Channels(channels) }
    }

    /// What the variables grant an identity.
    ///
    /// # Errors
    /// One line per variable of its that is no list of what it should be.
    pub(super) fn of(identity: &str, stated: &[(String, String)]) -> (Self, Vec<String>) {
        let (mut grant, mut faults) = (Self::implied(identity), Vec::new());
        for (variable, text) in stated.iter().filter(|(_, text)| !text.trim().is_empty()) {
            match subject_of(variable) {
                Some((of, What::Scopes)) if of == identity => match scopes(text) {
                    Some(scopes) => grant.scopes = scopes,
                    None => {
                        faults.push(format!("{variable} must be some of read, write and admin, such as read,write"));
                    }
                },
                Some((of, What::Channels)) if of == identity => match channels(text) {
                    Some(channels) => grant.channels = channels,
                    None => {
                        let known = Channel::ALL.map(Channel::as_str).join(", ");
                        faults.push(format!("{variable} must be some of {known}, the usual one first"));
                    }
                },
                _ => {}
            }
        }
        (grant, faults)
    }
}

enum What {
    Scopes,
    Channels,
}

/// Whose grant a variable states.
fn subject_of(variable: &str) -> Option<(String, What)> {
    let scopes = variable.strip_suffix("_SCOPES").map(|stem| (stem, What::Scopes));
    let (stem, what) = scopes.or_else(|| variable.strip_suffix("_CHANNELS").map(|stem| (stem, What::Channels)))?;
    super::identity_of(&format!("{stem}_TOKEN")).map(|identity| (identity, what))
}

/// Whether a variable states a grant of some identity.
pub fn is_grant(variable: &str) -> bool {
    subject_of(variable).is_some()
}

/// The grants whose identity has no token: they would be taken for granted and do nothing.
pub(super) fn without_token(stated: &[(String, String)], identities: &[String]) -> Vec<String> {
    let idle = stated.iter().filter(|(variable, text)| {
        !text.trim().is_empty() && subject_of(variable).is_some_and(|(of, _)| !identities.contains(&of))
    });
    idle.map(|(variable, _)| format!("{variable} is for an identity that has no token; set its token, or take it away"))
        .collect()
}

fn scopes(text: &str) -> Option<Scopes> {
    let scope = |word: &str| match word.trim() {
        "read" => Some(Scope::Read),
        "write" => Some(Scope::Write),
        "admin" => Some(Scope::Admin),
        _ => None,
    };
    text.split(',').try_fold(Scopes::default(), |scopes, word| Some(scopes.with(scope(word)?)))
}

fn channels(text: &str) -> Option<Channels> {
    text.split(',').map(|word| Channel::parse(word.trim())).collect::<Option<_>>().map(Channels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(identity: &str, stated: &[(&str, &str)]) -> (Grant, Vec<String>) {
        let stated: Vec<_> = stated.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Grant::of(identity, &stated)
    }

    #[test]
    fn a_grant_is_what_is_stated_and_else_what_the_name_implies() {
        let (auditor, faults) = of("auditor", &[("BSS_AUDITOR_API_SCOPES", "read"), ("BSS_API_SCOPES", "read,write")]);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(auditor.scopes, Scopes::of(Scope::Read));
        assert!(auditor.channels.has(Channel::Cli) && !auditor.channels.has(Channel::PortalSelfServe));
        let (portal, _) = of("portal_self_serve", &[("BSS_PORTAL_SELF_SERVE_API_SCOPES", "")]);
        assert_eq!((portal.scopes, portal.channels.usual()), (Scopes::READ_WRITE, Channel::PortalSelfServe));
        assert!(!portal.channels.has(Channel::Cli));
        let (chat, _) = of("chat", &[("BSS_CHAT_API_CHANNELS", "portal-chat, llm")]);
        assert_eq!(chat.channels, Channels(vec![Channel::PortalChat, Channel::Llm]));
        assert_eq!(of("default", &[]).0.scopes, Scopes::ALL);
    }

    #[test]
    fn what_is_no_list_is_a_fault_that_names_its_variable() {
        for (variable, text) in
            [("BSS_A_API_SCOPES", "root"), ("BSS_A_API_SCOPES", "read,"), ("BSS_A_API_CHANNELS", "pigeon")]
        {
            let (_, faults) = of("a", &[(variable, text)]);
            assert!(faults.len() == 1 && faults[0].starts_with(variable), "{faults:?}");
        }
        let stated = [("BSS_B_API_SCOPES".to_owned(), "read".to_owned())];
        assert_eq!(without_token(&stated, &["a".to_owned()]).len(), 1);
        assert!(without_token(&stated, &["b".to_owned()]).is_empty());
    }

    #[test]
    fn only_what_belongs_to_a_token_is_a_grant() {
        for grant in ["BSS_API_SCOPES", "BSS_X_API_SCOPES", "BSS_API_CHANNELS", "BSS_X_API_CHANNELS"] {
            assert!(is_grant(grant), "{grant}");
        }
        for other in ["BSS_SCOPES", "BSS_LOYALTY_API_SCOPES", "BSS_API_TOKEN", "BSS_X_SCOPES"] {
            assert!(!is_grant(other), "{other}");
        }
    }
}
