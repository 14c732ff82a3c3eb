//! Configuration: read once from the environment, typed, with all faults reported together. Nothing else reads variables.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::platform::crash;
use crate::platform::delivery::chaos::Chaos;
use crate::platform::money::Currency;
use crate::platform::paths;
use crate::platform::perimeter;
use crate::platform::trace::TraceConfig;

/// Every variable that is read, with its default and meaning: `.env.example` is generated from this list and [`NUMBERS`].
pub const VARIABLES: &[(&str, &str, &str)] = &[
    (
        "BSS_ENV",
        "development",
        "development, staging or production; production refuses clock control, prebaked KYC and crash points",
    ),
    ("BSS_DB_URL", "", "PostgreSQL URL; empty: bss runs its own private cluster in the data directory"),
    ("BSS_DB_CONNECTIONS", "24", "largest number of database connections of this process"),
    ("BSS_DATA_DIR", "", "data directory; empty: $XDG_DATA_HOME/bss, or /var/lib/bss for root"),
    ("BSS_PG_BIN", "", "directory of initdb and postgres; empty: PATH, then /usr/lib/postgresql/*/bin"),
    ("BSS_PG_USER", "", "account that runs the private cluster when bss runs as root; empty: postgres"),
    ("BSS_API_ADDR", "127.0.0.1:8000", "listen address of the API"),
    (
        "BSS_SELF_SERVE_ADDR",
        "127.0.0.1:9001",
        "listen address of the self-serve portal (accepted; the listener comes with the portal)",
    ),
    (
        "BSS_COCKPIT_ADDR",
        "127.0.0.1:9002",
        "listen address of the operator cockpit (accepted; the listener comes with the cockpit)",
    ),
    ("BSS_ROLE", "all", "all, api or worker"),
    ("BSS_URL", "", "clients: address of the API; empty: that of the context, or http://127.0.0.1:8000"),
    ("BSS_CONTEXT", "", "clients: name of the context to use, see bss context"),
    ("BSS_PAGER", "", "clients: pager for long output on a terminal; empty: PAGER, then less -FRX"),
    (
        "BSS_API_TOKEN",
        "",
        "token of the identity default, at least 32 characters; on the private cluster generated into <data dir>/tokens.env",
    ),
    ("BSS_PORTAL_SELF_SERVE_API_TOKEN", "", "token of the identity portal_self_serve"),
    ("BSS_OPERATOR_COCKPIT_API_TOKEN", "", "token of the identity operator_cockpit"),
    ("BSS_ALLOW_ADMIN_RESET", "false", "allows clock control and operational reset; refused in production"),
    ("BSS_KYC_ALLOW_PREBAKED", "", "accept prebaked KYC attestations; empty: yes outside production"),
    ("BSS_REQUIRE_KYC", "false", "orders need a customer whose identity is verified"),
    (
        "BSS_KYC_HASH_KEY",
        "",
        "key of the document number hash, at least 32 characters; on the private cluster generated into <data dir>/tokens.env",
    ),
    ("BSS_PAYMENT_PROVIDER", "mock", "payment gateway: mock"),
    ("BSS_NETWORK_PROVIDER", "sim", "network port adapter: sim, or http for a real network (docs/NETWORK.md)"),
    (
        "BSS_NETWORK_URL",
        "",
        "http: address of the network, https except on this machine; tasks are posted to <address>/tasks",
    ),
    ("BSS_NETWORK_SECRET", "", "http: bearer token that the network knows us by, at least 16 characters"),
    ("BSS_NETWORK_SIM_LATENCY", "false", "the simulator takes the realistic time for each task"),
    ("BSS_NETWORK_SIM_SEED", "", "a number makes the simulator's faults repeatable"),
    ("BSS_PORTAL_EMAIL_PROVIDER", "logging", "how mail leaves: logging (a mailbox file on this machine) or smtp"),
    ("BSS_PORTAL_DEV_MAILBOX_PATH", "", "the mailbox file; empty: mailbox.log in the data directory"),
    ("BSS_PORTAL_EMAIL_FROM", "", "sender of mail, such as BSS Mobile <hello@example.test>; needed for smtp"),
    ("BSS_PORTAL_EMAIL_SMTP_HOST", "", "mail server; needed for smtp"),
    ("BSS_PORTAL_EMAIL_SMTP_PORT", "", "its port; empty: 587 for starttls, 465 for implicit, 25 for none"),
    (
        "BSS_PORTAL_EMAIL_SMTP_TLS",
        "starttls",
        "starttls, implicit, or none, which is for a server on this machine only",
    ),
    (
        "BSS_PORTAL_EMAIL_SMTP_CA_FILE",
        "",
        "PEM file with a certificate authority of your own to trust beside the public ones; empty: none",
    ),
    ("BSS_PORTAL_EMAIL_SMTP_USER", "", "account at the mail server; empty: none"),
    ("BSS_PORTAL_EMAIL_SMTP_PASSWORD", "", "its password"),
    ("BSS_PORTAL_PUBLIC_URL", "http://localhost:9001", "where customers reach the portal: links in mail lead there"),
    (
        "BSS_RENEWAL_TICK_SECONDS",
        "60",
        "seconds between the sweeps for renewals, ended top-ups and price migrations; 0 turns them off",
    ),
    (
        "BSS_RENEWAL_REMINDER_LOOKAHEAD_SECONDS",
        "86400",
        "seconds before a renewal at which its customer is reminded; 0 or -1: not at all",
    ),
    ("BSS_RECONCILIATION_INTERVAL_SECONDS", "60", "seconds between the sweeps for stuck orders; 0 turns them off"),
    ("BSS_ORDER_STUCK_THRESHOLD_SECONDS", "900", "age in seconds after which an order in progress is flagged"),
    (
        "BSS_ORDER_SUBMIT_WITHIN_SECONDS",
        "604800",
        "age in seconds after which an order that nobody submits is cancelled; 0: never",
    ),
    ("BSS_RESERVATION_TTL_SECONDS", "3600", "seconds for which a number or eSIM stays reserved for an order"),
    (
        "BSS_USAGE_RETENTION_MONTHS",
        "18",
        "months that usage is kept after the month of its recording; 0 keeps it for ever",
    ),
    (
        "BSS_EVENT_RETENTION_MONTHS",
        "24",
        "months that the event log is kept after the month of its recording; 0 keeps it for ever",
    ),
    ("BSS_NUMBER_QUARANTINE_DAYS", "90", "days for which the number of a terminated line rests"),
    ("BSS_INVENTORY_MSISDN_POOL_LOW_THRESHOLD", "50", "pool_low is raised when this many numbers are left"),
    (
        "BSS_HUB_ALLOW_PRIVATE",
        "false",
        "callbacks of registered listeners may be private addresses; for listeners on this machine or its network",
    ),
    ("BSS_OPERATOR_NAME", "BSS Mobile", "brand"),
    ("BSS_OPERATOR_SUPPORT_EMAIL", "support@example.test", "support address"),
    ("BSS_OPERATOR_COUNTRY", "SG", "ISO 3166-1 alpha-2 country"),
    ("BSS_OPERATOR_CURRENCY", "SGD", "ISO 4217 currency"),
    ("BSS_OPERATOR_CALLING_CODE", "65", "country calling code"),
    ("BSS_OPERATOR_NUMBER_LENGTH", "8", "digits of a number without the calling code"),
    ("BSS_OPERATOR_TIME_ZONE", "Asia/Singapore", "IANA time zone"),
    ("BSS_OPERATOR_TAX_LABEL", "GST inclusive", "tax note beside prices"),
    ("BSS_OPERATOR_LOCALE", "en-SG", "BCP 47 language tag"),
    (
        "BSS_OPERATOR_ICCID_PREFIX",
        "8910101",
        "first 7 digits of the ICCIDs of profiles that are made here: 89, country, issuer (ITU-T E.118)",
    ),
    (
        "BSS_OPERATOR_IMSI_PREFIX",
        "525010",
        "first 6 digits of their IMSIs: MCC and MNC, and one more where that has two digits (ITU-T E.212)",
    ),
    ("BSS_OPERATOR_SMDP_SERVER", "smdp.example.test", "host of the SM-DP+ that phones download them from"),
    ("BSS_LOG_LEVEL", "info", "error, warn, info, debug or trace; or a tracing filter"),
    ("BSS_LOG_FORMAT", "json", "json or text"),
    ("BSS_OTEL_EXPORTER_OTLP_ENDPOINT", "", "OTLP/HTTP collector, such as http://127.0.0.1:4318; empty: no export"),
    ("BSS_OTEL_SAMPLING_RATIO", "1.0", "share of traces that are exported, 0 to 1"),
    ("BSS_TRACE_STORE_MB", "64", "megabytes of traces that are kept for bss trace; 0 records none"),
    ("BSS_TRACE_RETENTION_HOURS", "72", "hours for which a trace is kept"),
    ("BSS_CRASH_POINT", "", "tests only: die at this point, <name>[:<hit>]; refused in production"),
    (
        "BSS_CHAOS",
        "",
        "tests only: handlers fail, deliveries come twice and late, such as fail=0.2,duplicate=0.2,delay_ms=30; refused in production",
    ),
];

/// The whole numbers among the variables, and what each may be. Whoever adds one to a date or waits for it relies on the bound.
/// Where 0 has a meaning of its own outside the range, it is in [`OR_ZERO`].
const NUMBERS: &[(&str, RangeInclusive<i64>)] = &[
    ("BSS_DB_CONNECTIONS", 6..=200),
    ("BSS_PORTAL_EMAIL_SMTP_PORT", 1..=65_535),
    ("BSS_RENEWAL_TICK_SECONDS", 1..=86_400),
    // Longer than a period, every line would be reminded at once of its next renewal.
    ("BSS_RENEWAL_REMINDER_LOOKAHEAD_SECONDS", -1..=2_592_000),
    ("BSS_RECONCILIATION_INTERVAL_SECONDS", 1..=86_400),
    ("BSS_ORDER_STUCK_THRESHOLD_SECONDS", 1..=2_592_000),
    ("BSS_ORDER_SUBMIT_WITHIN_SECONDS", 60..=31_536_000),
    // Shorter than the sweep takes to come by, an order would lose what it holds before anybody could work on it.
    ("BSS_RESERVATION_TTL_SECONDS", 60..=2_592_000),
    // The keys of usage are kept for 45 days: what they stand for must outlive them.
    ("BSS_USAGE_RETENTION_MONTHS", 3..=240),
    ("BSS_EVENT_RETENTION_MONTHS", 3..=240),
    ("BSS_NUMBER_QUARANTINE_DAYS", 0..=3_650),
    ("BSS_INVENTORY_MSISDN_POOL_LOW_THRESHOLD", 0..=1_000_000),
    ("BSS_OPERATOR_NUMBER_LENGTH", 4..=12),
    ("BSS_TRACE_STORE_MB", 0..=10_000),
    ("BSS_TRACE_RETENTION_HOURS", 1..=8_760),
];

/// Numbers that may also be 0.
const OR_ZERO: &[&str] = &[
    "BSS_RENEWAL_TICK_SECONDS",
    "BSS_RECONCILIATION_INTERVAL_SECONDS",
    "BSS_ORDER_SUBMIT_WITHIN_SECONDS",
    "BSS_USAGE_RETENTION_MONTHS",
    "BSS_EVENT_RETENTION_MONTHS",
];

/// What a number may be. Panics for a variable that is none.
fn range_of(name: &str) -> &'static RangeInclusive<i64> {
    let found = NUMBERS.iter().find(|(known, _)| *known == name);
    found.map(|(_, range)| range).expect("every number is in the list of numbers")
}

/// `60 to 2592000`, `3 to 240, or 0`.
fn bounds_of(name: &str) -> String {
    let range = range_of(name);
    let zero = if OR_ZERO.contains(&name) { ", or 0" } else { "" };
    format!("{} to {}{zero}", range.start(), range.end())
}

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

#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// None: the simulator.
    pub http: Option<NetworkAddress>,
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
    pub crash_point: Option<(String, u32)>,
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

/// The data directory: given, else [`paths::default_data_dir`], else the current one.
fn data_dir(given: Option<String>) -> PathBuf {
    given.map(PathBuf::from).or_else(paths::default_data_dir).unwrap_or_else(|| PathBuf::from("bss-data"))
}

struct Reader<'a> {
    environment: &'a BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> String {
        let given = self.environment.get(name).filter(|text| !text.is_empty());
        given.cloned().unwrap_or_else(|| default_of(name).to_owned())
    }

    fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let text = self.text(name);
        parse(text.trim()).unwrap_or_else(|| {
            // The value may be a secret put into the wrong variable: it is not repeated.
            self.faults.push(format!("{name} must be {expected}"));
            parse(default_of(name)).expect("every default of the variable list is valid")
        })
    }

    fn flag(&mut self, name: &str) -> bool {
        self.parsed(name, "true or false (also 1, yes, on, 0, no, off)", flag)
    }

    /// A number of [`NUMBERS`].
    fn whole<T: TryFrom<i64>>(&mut self, name: &str) -> T {
        let number =
            self.parsed(name, &format!("a whole number from {}", bounds_of(name)), |text| in_bounds(name, text));
        T::try_from(number).unwrap_or_else(|_| unreachable!("the bounds of {name} fit its type"))
    }

    fn seconds(&mut self, name: &str) -> Duration {
        Duration::from_secs(self.whole(name))
    }
}

fn in_bounds(name: &str, text: &str) -> Option<i64> {
    let is_open = |number: &i64| range_of(name).contains(number) || (*number == 0 && OR_ZERO.contains(&name));
    text.parse().ok().filter(is_open)
}

fn default_of(name: &str) -> &'static str {
    VARIABLES.iter().find(|(known, ..)| *known == name).map_or("", |(_, default, _)| default)
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// All faults at once: unknown variables, malformed values, combinations that are refused.
    pub fn read(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { environment, faults: Vec::new() };
        for name in environment.keys().filter(|name| name.starts_with("BSS_")) {
            let is_perimeter = || perimeter::identity_of(name).is_some() || perimeter::is_grant(name);
            if !VARIABLES.iter().any(|(known, ..)| known == name) && !is_perimeter() {
                reader.faults.push(unknown(name));
            }
        }
        let r = &mut reader;
        let environment_kind = r.parsed("BSS_ENV", "development, staging or production", |text| match text {
            "development" => Some(Environment::Development),
            "staging" => Some(Environment::Staging),
            "production" => Some(Environment::Production),
            _ => None,
        });
        let production = environment_kind == Environment::Production;
        let address = "an address and port such as 127.0.0.1:8000";
        let tick = |duration: Duration| Some(duration).filter(|d| !d.is_zero());
        let config = Self {
            environment: environment_kind,
            database: r.database(),
            data_dir: data_dir(r.optional("BSS_DATA_DIR")),
            api_addr: r.parsed("BSS_API_ADDR", address, |text| text.parse().ok()),
            self_serve_addr: r.parsed("BSS_SELF_SERVE_ADDR", address, |text| text.parse().ok()),
            cockpit_addr: r.parsed("BSS_COCKPIT_ADDR", address, |text| text.parse().ok()),
            role: r.parsed("BSS_ROLE", "all, api or worker", |text| text.parse().ok()),
            tokens: tokens(environment),
            grants: grants(environment),
            kyc_hash_key: r.optional("BSS_KYC_HASH_KEY").map(Secret::new),
            allow_admin_reset: r.flag("BSS_ALLOW_ADMIN_RESET"),
            kyc_allow_prebaked: match r.optional("BSS_KYC_ALLOW_PREBAKED") {
                None => !production,
                Some(_) => r.parsed("BSS_KYC_ALLOW_PREBAKED", "true or false", |text| {
                    if text.is_empty() { Some(false) } else { flag(text) }
                }),
            },
            require_kyc: r.flag("BSS_REQUIRE_KYC"),
            network: r.network(),
            mail: r.mail(),
            renewal_tick: tick(r.seconds("BSS_RENEWAL_TICK_SECONDS")),
            renewal_reminder_lookahead: TimeDelta::seconds(r.whole("BSS_RENEWAL_REMINDER_LOOKAHEAD_SECONDS")),
            reconciliation_tick: tick(r.seconds("BSS_RECONCILIATION_INTERVAL_SECONDS")),
            order_stuck_after: r.seconds("BSS_ORDER_STUCK_THRESHOLD_SECONDS"),
            order_submit_within: Some(r.seconds("BSS_ORDER_SUBMIT_WITHIN_SECONDS")).filter(|age| !age.is_zero()),
            reservation_ttl: r.seconds("BSS_RESERVATION_TTL_SECONDS"),
            usage_retention_months: r.whole("BSS_USAGE_RETENTION_MONTHS"),
            event_retention_months: r.whole("BSS_EVENT_RETENTION_MONTHS"),
            number_quarantine_days: r.whole("BSS_NUMBER_QUARANTINE_DAYS"),
            msisdn_low_threshold: r.whole("BSS_INVENTORY_MSISDN_POOL_LOW_THRESHOLD"),
            hub_allow_private: r.flag("BSS_HUB_ALLOW_PRIVATE"),
            profile: r.profile(),
            log: r.log(),
            traces: r.traces(),
            crash_point: r.crash_point(),
            chaos: r.parsed("BSS_CHAOS", "pairs such as fail=0.2,duplicate=0.2,delay_ms=30", |text| {
                if text.is_empty() { Some(None) } else { Chaos::parse(text).map(Some) }
            }),
        };
        reader.refuse_combinations(&config, production);
        if reader.faults.is_empty() { Ok(config) } else { Err(ConfigError(reader.faults)) }
    }

    /// As [`Config::read`], for a process that serves: with a database of the operator's own, its secrets must be given.
    /// On the private cluster they are generated, and validated once they are there.
    pub fn read_to_serve(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let given = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
        let tokens: Vec<(String, String)> =
            tokens(environment).into_iter().map(|(name, secret)| (name, secret.reveal().to_owned())).collect();
        let mut faults = if given("BSS_DB_URL") {
            perimeter::TokenMap::new(&tokens, &grants(environment)).err().unwrap_or_default()
        } else {
            perimeter::TokenMap::faults_of_given(&tokens, &grants(environment))
        };
        if given("BSS_DB_URL") && !given("BSS_KYC_HASH_KEY") {
            faults.push("BSS_KYC_HASH_KEY is unset; make one with: openssl rand -hex 32".into());
        }
        match Self::read(environment) {
            Ok(config) if faults.is_empty() => Ok(config),
            Ok(_) => Err(ConfigError(faults)),
            Err(ConfigError(others)) => Err(ConfigError([others, faults].concat())),
        }
    }

    pub fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }
}

impl Reader<'_> {
    fn database(&mut self) -> DatabaseConfig {
        DatabaseConfig {
            url: self.parsed("BSS_DB_URL", "a URL such as postgres://user:password@host:5432/database", |text| {
                let ours = |url: url::Url| matches!(url.scheme(), "postgres" | "postgresql");
                if text.is_empty() {
                    Some(None)
                } else {
                    text.parse().is_ok_and(ours).then(|| Some(Secret::new(text.to_owned())))
                }
            }),
            connections_max: self.whole("BSS_DB_CONNECTIONS"),
            pg_bin: self.optional("BSS_PG_BIN").map(PathBuf::from),
            pg_user: self.optional("BSS_PG_USER"),
        }
    }

    fn network(&mut self) -> NetworkConfig {
        let is_http = self.parsed("BSS_NETWORK_PROVIDER", "sim or http", |text| match text {
            "sim" => Some(false),
            "http" => Some(true),
            _ => None,
        });
        self.parsed("BSS_PAYMENT_PROVIDER", "mock", |text| (text == "mock").then_some(()));
        NetworkConfig {
            http: if is_http { self.network_address() } else { None },
            realistic_latency: self.flag("BSS_NETWORK_SIM_LATENCY"),
            seed: self.parsed("BSS_NETWORK_SIM_SEED", "a whole number", |text| {
                if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
            }),
        }
    }

    fn network_address(&mut self) -> Option<NetworkAddress> {
        let url = self.optional("BSS_NETWORK_URL").and_then(|text| text.parse::<url::Url>().ok());
        let url =
            url.filter(|url| url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_local(url))));
        if url.is_none() {
            self.faults.push(
                "BSS_NETWORK_URL must be an https address (http only on this machine), as BSS_NETWORK_PROVIDER is http"
                    .into(),
            );
        }
        let secret = self.optional("BSS_NETWORK_SECRET").filter(|text| text.len() >= 16);
        if secret.is_none() {
            self.faults
                .push("BSS_NETWORK_SECRET must have at least 16 characters, as BSS_NETWORK_PROVIDER is http".into());
        }
        Some(NetworkAddress { url: url?, secret: Secret::new(secret?) })
    }

    fn mail(&mut self) -> MailConfig {
        let smtp = self.parsed("BSS_PORTAL_EMAIL_PROVIDER", "logging or smtp", |text| match text {
            "logging" => Some(false),
            "smtp" => Some(true),
            _ => None,
        });
        MailConfig {
            smtp: smtp.then(|| self.smtp()),
            mailbox: self.optional("BSS_PORTAL_DEV_MAILBOX_PATH").map(PathBuf::from),
            public_url: self.parsed("BSS_PORTAL_PUBLIC_URL", "a URL such as https://my.example.test", |text| {
                text.parse().ok().filter(|url: &url::Url| matches!(url.scheme(), "http" | "https"))
            }),
        }
    }

    fn smtp(&mut self) -> SmtpConfig {
        for needed in ["BSS_PORTAL_EMAIL_SMTP_HOST", "BSS_PORTAL_EMAIL_FROM", "BSS_PORTAL_PUBLIC_URL"] {
            if self.environment.get(needed).is_none_or(String::is_empty) {
                self.faults.push(format!("{needed} is needed for BSS_PORTAL_EMAIL_PROVIDER=smtp"));
            }
        }
        let host = self.text("BSS_PORTAL_EMAIL_SMTP_HOST");
        let tls = self.parsed("BSS_PORTAL_EMAIL_SMTP_TLS", "starttls, implicit or none", |text| match text {
            "starttls" => Some(SmtpTls::StartTls),
            "implicit" => Some(SmtpTls::Implicit),
            "none" => Some(SmtpTls::None),
            _ => None,
        });
        if tls == SmtpTls::None && !matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1") {
            self.faults.push("BSS_PORTAL_EMAIL_SMTP_TLS=none is for a mail server on this machine only".into());
        }
        let usual = match tls {
            SmtpTls::StartTls => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        };
        let password = self.optional("BSS_PORTAL_EMAIL_SMTP_PASSWORD").map(Secret::new);
        let login = match (self.optional("BSS_PORTAL_EMAIL_SMTP_USER"), password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => {
                self.faults
                    .push("BSS_PORTAL_EMAIL_SMTP_USER and BSS_PORTAL_EMAIL_SMTP_PASSWORD belong together".into());
                None
            }
        };
        SmtpConfig {
            ca_file: self.optional("BSS_PORTAL_EMAIL_SMTP_CA_FILE").map(PathBuf::from),
            port: self.port("BSS_PORTAL_EMAIL_SMTP_PORT", usual),
            from: self.text("BSS_PORTAL_EMAIL_FROM"),
            host,
            tls,
            login,
        }
    }

    /// A number of [`NUMBERS`] whose default depends on something else.
    fn port(&mut self, name: &str, usual: u16) -> u16 {
        let expected = format!("a whole number from {}, or empty", bounds_of(name));
        self.parsed(name, &expected, |text| {
            if text.is_empty() { Some(usual) } else { in_bounds(name, text).and_then(|port| port.try_into().ok()) }
        })
    }

    fn profile(&mut self) -> Profile {
        let digits = |text: &str, longest: usize| {
            (1..=longest).contains(&text.len()).then_some(()).filter(|()| text.bytes().all(|b| b.is_ascii_digit()))
        };
        Profile {
            name: self.parsed("BSS_OPERATOR_NAME", "1 to 60 characters", |t| {
                (1..=60).contains(&t.chars().count()).then(|| t.to_owned())
            }),
            support_email: self
                .parsed("BSS_OPERATOR_SUPPORT_EMAIL", "an e-mail address", |t| t.contains('@').then(|| t.to_owned())),
            country: self.parsed("BSS_OPERATOR_COUNTRY", "two capital letters (ISO 3166-1)", |t| {
                (t.len() == 2 && t.bytes().all(|b| b.is_ascii_uppercase())).then(|| t.to_owned())
            }),
            currency: self.parsed("BSS_OPERATOR_CURRENCY", "three capital letters (ISO 4217)", |t| t.parse().ok()),
            calling_code: self
                .parsed("BSS_OPERATOR_CALLING_CODE", "1 to 3 digits", |t| digits(t, 3).map(|()| t.to_owned())),
            number_length: self.whole("BSS_OPERATOR_NUMBER_LENGTH"),
            time_zone: self
                .parsed("BSS_OPERATOR_TIME_ZONE", "an IANA time zone such as Europe/Berlin", |t| t.parse().ok()),
            tax_label: self.text("BSS_OPERATOR_TAX_LABEL"),
            locale: self.parsed("BSS_OPERATOR_LOCALE", "a BCP 47 language tag such as en-SG", |t| {
                (!t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).then(|| t.to_owned())
            }),
            iccid_prefix: self.parsed("BSS_OPERATOR_ICCID_PREFIX", "7 digits that begin with 89", |t| {
                (t.len() == 7 && t.starts_with("89")).then(|| digits(t, 7)).flatten().map(|()| t.to_owned())
            }),
            imsi_prefix: self.parsed("BSS_OPERATOR_IMSI_PREFIX", "6 digits", |t| {
                (t.len() == 6).then(|| digits(t, 6)).flatten().map(|()| t.to_owned())
            }),
            smdp_server: self.parsed("BSS_OPERATOR_SMDP_SERVER", "a host name such as smdp.example.test", |t| {
                // It stands between two `$` in an activation code (SGP.22, section 4.1).
                let host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':');
                ((1..=253).contains(&t.len()) && t.bytes().all(host)).then(|| t.to_owned())
            }),
        }
    }

    fn log(&mut self) -> LogConfig {
        LogConfig {
            filter: self.text("BSS_LOG_LEVEL").to_ascii_lowercase(),
            json: self.parsed("BSS_LOG_FORMAT", "json or text", |text| match text {
                "json" => Some(true),
                "text" => Some(false),
                _ => None,
            }),
            otlp_endpoint: self.parsed(
                "BSS_OTEL_EXPORTER_OTLP_ENDPOINT",
                "a URL such as http://127.0.0.1:4318",
                |text| {
                    if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
                },
            ),
            sampling_ratio: self.parsed("BSS_OTEL_SAMPLING_RATIO", "a number from 0 to 1", |text| {
                text.parse().ok().filter(|ratio: &f64| (0.0..=1.0).contains(ratio))
            }),
        }
    }

    fn traces(&mut self) -> TraceConfig {
        let hours: u64 = self.whole("BSS_TRACE_RETENTION_HOURS");
        let megabytes_max = self.whole("BSS_TRACE_STORE_MB");
        TraceConfig { megabytes_max, age_max: Duration::from_secs(hours * 3600) }
    }

    fn crash_point(&mut self) -> Option<(String, u32)> {
        let text = self.optional("BSS_CRASH_POINT")?;
        crash::parse(&text).map_err(|error| self.faults.push(format!("BSS_CRASH_POINT: {error}"))).ok()
    }

    fn refuse_combinations(&mut self, config: &Config, production: bool) {
        if production && config.allow_admin_reset {
            self.faults.push(
                "BSS_ALLOW_ADMIN_RESET cannot be on in production: it moves the clock and empties the books".into(),
            );
        }
        if production && config.crash_point.is_some() {
            self.faults.push("BSS_CRASH_POINT cannot be set in production".into());
        }
        if production && config.chaos.is_some() {
            self.faults.push("BSS_CHAOS cannot be set in production".into());
        }
        if config.kyc_hash_key.as_ref().is_some_and(|key| key.reveal().to_ascii_lowercase().starts_with("changeme")) {
            self.faults.push("BSS_KYC_HASH_KEY still has its sample value; make one with: openssl rand -hex 32".into());
        } else if config.kyc_hash_key.as_ref().is_some_and(|key| key.reveal().len() < 32) {
            self.faults
                .push("BSS_KYC_HASH_KEY must have at least 32 characters; make one with: openssl rand -hex 32".into());
        }
    }
}

fn is_local(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn tokens(environment: &BTreeMap<String, String>) -> Vec<(String, Secret)> {
    let given = environment.iter().filter(|(name, value)| perimeter::identity_of(name).is_some() && !value.is_empty());
    given.map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect()
}

fn grants(environment: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let given = environment.iter().filter(|(name, _)| perimeter::is_grant(name));
    given.map(|(name, text)| (name.clone(), text.clone())).collect()
}

fn unknown(name: &str) -> String {
    let near = VARIABLES.iter().map(|(known, ..)| *known).min_by_key(|known| distance(known, name));
    let hint = near
        .filter(|known| distance(known, name) <= 4)
        .map(|known| format!("; did you mean {known}?"))
        .unwrap_or_default();
    format!("{name} is not a variable of bss{hint}")
}

/// Levenshtein distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(&pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    /// The head of `.env.example`; the rest is [`VARIABLES`].
    const SAMPLE_HEAD: &str = "\
# Configuration of bss: environment variables, each with its meaning and its default. Take the # away to set one.
# bss does not read this file itself: systemd (EnvironmentFile=) and compose (env_file:) do, and so does a shell:
#   set -a; . ./.env; set +a
# Every further caller gets a token of its own: BSS_<NAME>_API_TOKEN is the token of the identity <name>.
# Beside it stand what it may do, BSS_<NAME>_API_SCOPES (read, write, admin; read,write unless set), and as which surface it
# may speak, BSS_<NAME>_API_CHANNELS (cli, llm, mcp, scenario, system, portal-self-serve, portal-csr, portal-chat; the usual
# one first). For the identity default they are BSS_API_SCOPES and BSS_API_CHANNELS.
";

    #[test]
    fn the_sample_file_is_the_list_of_variables() {
        let mut sample = SAMPLE_HEAD.to_owned();
        for (name, default, meaning) in VARIABLES {
            let quote = if default.contains(' ') { "\"" } else { "" };
            let is_number = NUMBERS.iter().any(|(number, _)| number == name);
            let bounds = if is_number { format!(" ({})", bounds_of(name)) } else { String::new() };
            writeln!(sample, "\n# {meaning}{bounds}\n#{name}={quote}{default}{quote}").unwrap();
        }
        let committed = include_str!("../../.env.example");
        assert!(committed == sample, ".env.example is not what VARIABLES says; it should be:\n{sample}");
    }

    #[test]
    fn an_empty_environment_is_a_complete_configuration() {
        let config = read(&[]).unwrap();
        assert_eq!(config.api_addr.to_string(), "127.0.0.1:8000");
        assert_eq!(config.profile.currency.as_str(), "SGD");
        assert!(!config.allow_admin_reset && config.kyc_allow_prebaked);
    }

    #[test]
    fn all_faults_are_reported_together_without_values() {
        let faults = read(&[
            ("BSS_APY_ADDR", "x"),
            ("BSS_API_ADDR", "hunter2"),
            ("BSS_OPERATOR_TIME_ZONE", "Mars/Olympus"),
            ("BSS_RENEWAL_TICK_SECONDS", "soon"),
            ("BSS_CRASH_POINT", "nowhere"),
            ("BSS_CHAOS", "everything"),
        ])
        .unwrap_err();
        assert_eq!(faults.0.len(), 6, "{faults}");
        assert!(faults.to_string().contains("did you mean BSS_API_ADDR?"));
        assert!(!faults.to_string().contains("hunter2"));
    }

    #[test]
    fn every_number_is_taken_up_to_its_bounds_and_refused_beyond_them_all_at_once() {
        let smtp = [
            ("BSS_PORTAL_EMAIL_PROVIDER", "smtp"),
            ("BSS_PORTAL_EMAIL_FROM", "hello@example.test"),
            ("BSS_PORTAL_EMAIL_SMTP_HOST", "mail.example.test"),
            ("BSS_PORTAL_PUBLIC_URL", "https://my.example.test"),
        ];
        let with = |number: fn(&str, &RangeInclusive<i64>) -> String| {
            let numbers: Vec<(&str, String)> =
                NUMBERS.iter().map(|(name, range)| (*name, number(name, range))).collect();
            let given = numbers.iter().map(|(name, number)| (*name, number.as_str()));
            read(&smtp.into_iter().chain(given).collect::<Vec<_>>())
        };
        with(|_, range| range.start().to_string()).unwrap();
        with(|_, range| range.end().to_string()).unwrap();
        with(|name, range| if OR_ZERO.contains(&name) { 0 } else { *range.start() }.to_string()).unwrap();
        let below = |name: &str, range: &RangeInclusive<i64>| {
            if range.start() - 1 == 0 && OR_ZERO.contains(&name) { -1 } else { range.start() - 1 }.to_string()
        };
        for faults in [
            with(below).unwrap_err(),
            with(|_, range| (range.end() + 1).to_string()).unwrap_err(),
            with(|_, _| u64::MAX.to_string()).unwrap_err(),
            with(|_, _| "1.5".to_owned()).unwrap_err(),
        ] {
            assert_eq!(faults.0.len(), NUMBERS.len(), "{faults}");
        }
        let none = read(&[("BSS_RESERVATION_TTL_SECONDS", "0"), ("BSS_NUMBER_QUARANTINE_DAYS", "4294967295")]);
        assert_eq!(
            none.unwrap_err().0,
            [
                "BSS_RESERVATION_TTL_SECONDS must be a whole number from 60 to 2592000",
                "BSS_NUMBER_QUARANTINE_DAYS must be a whole number from 0 to 3650",
            ]
        );
    }

    #[test]
    fn every_number_is_a_variable() {
        for name in NUMBERS.iter().map(|(name, _)| name).chain(OR_ZERO) {
            assert!(VARIABLES.iter().any(|(known, ..)| known == name) && !bounds_of(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn production_refuses_what_only_tests_may_have() {
        let faults = read(&[
            ("BSS_ENV", "production"),
            ("BSS_ALLOW_ADMIN_RESET", "yes"),
            ("BSS_CRASH_POINT", "effect.before_done"),
            ("BSS_CHAOS", "fail=0.1"),
        ]);
        assert_eq!(faults.unwrap_err().0.len(), 3);
        assert!(!read(&[("BSS_ENV", "production")]).unwrap().kyc_allow_prebaked);
        assert!(read(&[("BSS_ENV", "production"), ("BSS_KYC_ALLOW_PREBAKED", "on")]).unwrap().kyc_allow_prebaked);
    }

    #[test]
    fn a_network_over_http_needs_an_address_and_a_secret() {
        let with = |url: &str, secret: &str| {
            let given = [("BSS_NETWORK_PROVIDER", "http"), ("BSS_NETWORK_URL", url), ("BSS_NETWORK_SECRET", secret)];
            read(&given)
        };
        assert!(read(&[]).unwrap().network.http.is_none());
        let secret = "0123456789abcdef";
        for good in ["https://mvne.example.test/v1", "http://127.0.0.1:9000", "http://localhost:9000/x"] {
            assert_eq!(with(good, secret).unwrap().network.http.unwrap().url.as_str().trim_end_matches('/'), good);
        }
        for bad in ["", "http://mvne.example.test", "ftp://127.0.0.1", "mvne"] {
            assert_eq!(with(bad, secret).unwrap_err().0.len(), 1, "{bad}");
        }
        assert_eq!(with("https://mvne.example.test", "short").unwrap_err().0.len(), 1);
        let unknown = read(&[("BSS_NETWORK_PROVIDER", "pigeon")]).unwrap_err();
        assert_eq!(unknown.0, ["BSS_NETWORK_PROVIDER must be sim or http"]);
    }

    #[test]
    fn another_operator_profile_is_taken_whole() {
        let config = read(&[
            ("BSS_OPERATOR_CURRENCY", "EUR"),
            ("BSS_OPERATOR_CALLING_CODE", "49"),
            ("BSS_OPERATOR_NUMBER_LENGTH", "11"),
            ("BSS_OPERATOR_TIME_ZONE", "Europe/Berlin"),
        ])
        .unwrap();
        assert_eq!((config.profile.currency.as_str(), config.profile.number_length), ("EUR", 11));
    }

    #[test]
    fn a_mail_server_needs_its_variables_and_tls() {
        let smtp = |more: &[(&str, &str)]| {
            let given = [
                ("BSS_PORTAL_EMAIL_PROVIDER", "smtp"),
                ("BSS_PORTAL_EMAIL_FROM", "BSS Mobile <hello@example.test>"),
                ("BSS_PORTAL_PUBLIC_URL", "https://my.example.test"),
            ];
            read(&[&given[..], more].concat())
        };
        let config = smtp(&[("BSS_PORTAL_EMAIL_SMTP_HOST", "mail.example.test")]).unwrap().mail.smtp.unwrap();
        assert_eq!((config.port, config.tls), (587, SmtpTls::StartTls));
        assert_eq!(read(&[("BSS_PORTAL_EMAIL_PROVIDER", "smtp")]).unwrap_err().0.len(), 3, "each is named");
        let open = [("BSS_PORTAL_EMAIL_SMTP_HOST", "mail.example.test"), ("BSS_PORTAL_EMAIL_SMTP_TLS", "none")];
        assert!(smtp(&open).unwrap_err().to_string().contains("this machine only"));
        let half = [("BSS_PORTAL_EMAIL_SMTP_HOST", "mail.example.test"), ("BSS_PORTAL_EMAIL_SMTP_USER", "bss")];
        assert!(smtp(&half).unwrap_err().to_string().contains("belong together"));
        assert!(read(&[("BSS_PORTAL_EMAIL_PROVIDER", "pigeon")]).unwrap_err().to_string().contains("logging or smtp"));
    }

    #[test]
    fn secrets_do_not_show() {
        let config = read(&[("BSS_API_TOKEN", "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t")]).unwrap();
        assert!(!format!("{config:?}").contains("s3cr3t"));
    }
}
