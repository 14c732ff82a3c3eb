//! Configuration: read once from the environment, typed, with all faults reported together. Nothing else reads variables.

mod read;
mod variables;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

pub use self::variables::VARIABLES;
use crate::platform::crash::Place;
use crate::platform::delivery::chaos::Chaos;
use crate::platform::money::Currency;
use crate::platform::trace::TraceConfig;

/// Text that never shows in logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Development,
    Staging,
    Production,
}

impl Environment {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    All,
    Api,
    Worker,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }

    pub const fn serves(self) -> bool {
        matches!(self, Self::All | Self::Api)
    }

    pub const fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "api" => Ok(Self::Api),
            "worker" => Ok(Self::Worker),
            _ => Err("must be all, api or worker".into()),
        }
    }
}

/// What depends on the operator and its country. Nothing in code assumes one.
#[derive(Debug, Clone)]
pub struct Profile {
    pub name: String,
    pub support_email: String,
    pub country: String,
    pub currency: Currency,
    pub calling_code: String,
    pub number_length: usize,
    pub time_zone: Tz,
    pub tax_label: String,
    pub locale: String,
    /// Seven digits; a running number of twelve follows.
    pub iccid_prefix: String,
    /// Six digits; a running number of nine follows.
    pub imsi_prefix: String,
    /// The SM-DP+ of profiles that are made here. A real provider names its own with each profile.
    pub smdp_server: String,
}

impl Profile {
    /// The day on which `at` falls for the operator and its customers.
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.time_zone).date_naive()
    }
}

#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// None: the private cluster.
    pub url: Option<Secret>,
    pub connections_max: u32,
    pub pg_bin: Option<PathBuf>,
    pub pg_user: Option<String>,
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    pub filter: String,
    pub json: bool,
    pub otlp_endpoint: Option<url::Url>,
    pub sampling_ratio: f64,
}

/// A network that is told over HTTP.
#[derive(Debug, Clone)]
pub struct NetworkAddress {
    pub url: url::Url,
    pub secret: Secret,
}

/// Who prepares eSIM profiles for download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EsimProvider {
    /// Whoever is the network: by default the simulator.
    Sim,
    Onbglobal,
    EsimAccess,
}

impl EsimProvider {
    pub const ALL: [Self; 3] = [Self::Sim, Self::Onbglobal, Self::EsimAccess];

    /// As `BSS_ESIM_PROVIDER` names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Onbglobal => "onbglobal",
            Self::EsimAccess => "esim_access",
        }
    }
}

#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// None: the simulator.
    pub http: Option<NetworkAddress>,
    pub esim: EsimProvider,
    pub realistic_latency: bool,
    pub seed: Option<u64>,
}

/// How a connection to the mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Begins in the clear and goes no further without TLS.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// For a server on this machine only.
    None,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// PEM file of a certificate authority that is trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// Account and password.
    pub login: Option<(String, Secret)>,
    /// Sender: `Name <address>` or an address.
    pub from: String,
}

#[derive(Debug, Clone)]
pub struct MailConfig {
    /// None: mail goes into the mailbox file.
    pub smtp: Option<SmtpConfig>,
    /// None: `mailbox.log` in the data directory.
    pub mailbox: Option<PathBuf>,
    /// The portal, as customers reach it.
    pub public_url: url::Url,
}

/// What an order does whose promised discount is not to be had any more when it is about to be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefusedPromise {
    /// It pays the promised price once, and the full price later.
    Honour,
    /// It fails before any charge.
    Fail,
}

/// The whole configuration of a server process.
#[derive(Debug, Clone)]
pub struct Config {
    pub environment: Environment,
    pub database: DatabaseConfig,
    pub data_dir: PathBuf,
    pub api_addr: SocketAddr,
    pub self_serve_addr: SocketAddr,
    pub cockpit_addr: SocketAddr,
    pub role: Role,
    /// Variable name and token of every identity, as given; validated when the perimeter is built.
    pub tokens: Vec<(String, Secret)>,
    /// Variable name and text of what identities are granted beside what their names imply; validated there, too.
    pub grants: Vec<(String, String)>,
    pub kyc_hash_key: Option<Secret>,
    pub allow_admin_reset: bool,
    pub kyc_allow_prebaked: bool,
    pub require_kyc: bool,
    pub network: NetworkConfig,
    pub mail: MailConfig,
    pub renewal_tick: Option<Duration>,
    /// Zero or less: nobody is reminded.
    pub renewal_reminder_lookahead: TimeDelta,
    pub reconciliation_tick: Option<Duration>,
    pub order_stuck_after: Duration,
    /// None: orders that nobody submits stay.
    pub order_submit_within: Option<Duration>,
    pub on_refused_promise: OnRefusedPromise,
    pub reservation_ttl: Duration,
    /// 0 keeps usage for ever.
    pub usage_retention_months: u32,
    /// 0 keeps events for ever.
    pub event_retention_months: u32,
    pub number_quarantine_days: u32,
    pub msisdn_low_threshold: u32,
    pub hub_allow_private: bool,
    pub profile: Profile,
    pub log: LogConfig,
    pub traces: TraceConfig,
    /// None: traces are read from the database.
    pub jaeger: Option<url::Url>,
    pub crash_point: Option<Place>,
    pub chaos: Option<Chaos>,
}

/// Every fault of the configuration, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} fault(s):\n{}", .0.len(), .0.iter().map(|f| format!("  - {f}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// The variables of this process that are ours.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars().filter(|(name, _)| name.starts_with("BSS_")).collect()
}

#[cfg(test)]
mod tests;
