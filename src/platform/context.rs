//! Who acts, through which surface, for which tenant, when: the first argument of everything that acts.
//!
//! Built at the edge (perimeter, worker, scheduler), never defaulted in the middle. Identity, tenant and scopes come from
//! the validated token only.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::platform::error::{Error, Result};
use crate::platform::idempotency::IdempotencyRequest;

/// The surface through which somebody acts. A closed list: an interaction or event never carries another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    PortalSelfServe,
    PortalCsr,
    PortalChat,
    Cli,
    Llm,
    Mcp,
    Scenario,
    System,
    Seed,
}

impl Channel {
    pub const ALL: [Self; 9] = [
        Self::PortalSelfServe,
        Self::PortalCsr,
        Self::PortalChat,
        Self::Cli,
        Self::Llm,
        Self::Mcp,
        Self::Scenario,
        Self::System,
        Self::Seed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PortalSelfServe => "portal-self-serve",
            Self::PortalCsr => "portal-csr",
            Self::PortalChat => "portal-chat",
            Self::Cli => "cli",
            Self::Llm => "llm",
            Self::Mcp => "mcp",
            Self::Scenario => "scenario",
            Self::System => "system",
            Self::Seed => "seed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }
}

/// What an identity may do. Every identity has an allow-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Read,
    Write,
    /// Clock control, reset, queue repair, fault rules, catalog edits, taking numbers away.
    Admin,
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    pub const ALL: Self = Self(0b111);
    pub const READ_WRITE: Self = Self(0b011);

    pub const fn of(scope: Scope) -> Self {
        Self(1 << scope as u8)
    }

    /// And this one.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | Self::of(scope).0)
    }

    pub const fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Context {
    /// `cli-user`, `scenario:<name>`, `system:renewal_worker`, `CUST-…`: who, as the caller says.
    pub actor: Arc<str>,
    pub channel: Channel,
    /// The identity of the validated token: `default`, `portal_self_serve`, …
    pub service_identity: Arc<str>,
    pub tenant: Arc<str>,
    pub request_id: Arc<str>,
    /// 32 hexadecimal digits of the W3C trace, when one is active.
    pub trace_id: Option<Arc<str>>,
    pub scopes: Scopes,
    /// Product time, read once for the whole use case.
    pub now: DateTime<Utc>,
    /// The caller gives up at this instant; whoever waits for something outside waits no longer.
    pub deadline: tokio::time::Instant,
    pub idempotency: Option<Arc<IdempotencyRequest>>,
}

/// How long a caller waits when it did not say.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_millis(4_000);

/// The tenant of an installation that serves one operator.
pub const DEFAULT_TENANT: &str = "DEFAULT";

impl Context {
    /// For work that nobody outside asked for: ticks, seeds, recovery. `actor` names it, such as `system:renewal_worker`.
    pub fn system(actor: &str, request_id: String, now: DateTime<Utc>) -> Self {
        Self {
            actor: actor.into(),
            channel: Channel::System,
            service_identity: "default".into(),
            tenant: DEFAULT_TENANT.into(),
            request_id: request_id.into(),
            trace_id: None,
            scopes: Scopes::ALL,
            now,
            deadline: tokio::time::Instant::now() + std::time::Duration::from_secs(30),
            idempotency: None,
        }
    }

    /// Passes only when the validated identity has `scope`.
    pub fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        Err(Error::Forbidden {
            code: "FORBIDDEN",
            message: format!("The identity {} may not do this: it lacks the scope {scope:?}.", self.service_identity),
        })
    }

    /// Passes only for identities of the operator whose installation this is: what concerns all tenants is none of one's.
    pub fn require_operator(&self) -> Result<()> {
        if &*self.tenant == DEFAULT_TENANT {
            return Ok(());
        }
        let message = format!(
            "The identity {} may not do this: it concerns the whole installation, and this identity belongs to the tenant {}.",
            self.service_identity, self.tenant
        );
        Err(Error::Forbidden { code: "FORBIDDEN", message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_round_trip_and_unknown_ones_are_refused() {
        for channel in Channel::ALL {
            assert_eq!(Channel::parse(channel.as_str()), Some(channel));
            assert_eq!(serde_json::to_value(channel).unwrap(), channel.as_str());
        }
        assert_eq!(Channel::parse("carrier-pigeon"), None);
    }

    #[test]
    fn scopes_are_an_allow_list() {
        assert!(Scopes::ALL.has(Scope::Admin));
        assert!(Scopes::READ_WRITE.has(Scope::Write) && !Scopes::READ_WRITE.has(Scope::Admin));
        assert!(!Scopes::of(Scope::Read).has(Scope::Write));
    }
}
