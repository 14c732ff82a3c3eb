//! From the environment to the typed configuration: every fault is noted, none ends the reading.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use strsim::levenshtein;

use super::variables::{OR_ZERO, VARIABLES, bounds_of, default_of, range_of};
use super::{
    Config, ConfigError, DatabaseConfig, Environment, EsimProvider, LogConfig, MailConfig, NetworkAddress,
    NetworkConfig, OnRefusedPromise, Profile, Secret, SmtpConfig, SmtpTls,
};
use crate::platform::delivery::chaos::Chaos;
use crate::platform::trace::TraceConfig;
use crate::platform::{crash, paths, perimeter, telemetry};

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

    /// A number of [`NUMBERS`](super::variables::NUMBERS).
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
            on_refused_promise: r.parsed("BSS_PROMO_ON_REFUSAL", "honour or fail", |text| match text {
                "honour" => Some(OnRefusedPromise::Honour),
                "fail" => Some(OnRefusedPromise::Fail),
                _ => None,
            }),
            reservation_ttl: r.seconds("BSS_RESERVATION_TTL_SECONDS"),
            usage_retention_months: r.whole("BSS_USAGE_RETENTION_MONTHS"),
            event_retention_months: r.whole("BSS_EVENT_RETENTION_MONTHS"),
            number_quarantine_days: r.whole("BSS_NUMBER_QUARANTINE_DAYS"),
            msisdn_low_threshold: r.whole("BSS_INVENTORY_MSISDN_POOL_LOW_THRESHOLD"),
            hub_allow_private: r.flag("BSS_HUB_ALLOW_PRIVATE"),
            profile: r.profile(),
            log: r.log(),
            traces: r.traces(),
            jaeger: r.jaeger(),
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
            esim: self.parsed("BSS_ESIM_PROVIDER", "sim, onbglobal or esim_access", |text| {
                EsimProvider::ALL.into_iter().find(|provider| provider.as_str() == text)
            }),
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

    /// A number of [`NUMBERS`](super::variables::NUMBERS) whose default depends on something else.
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
            filter: self.parsed(
                "BSS_LOG_LEVEL",
                "a level such as info, or directives such as info,bss=debug",
                |text| {
                    let filter = text.to_ascii_lowercase();
                    telemetry::is_filter(&filter).then_some(filter)
                },
            ),
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

    fn jaeger(&mut self) -> Option<url::Url> {
        self.parsed(
            "BSS_JAEGER_UI_URL",
            "an http or https URL without a password, such as http://127.0.0.1:16686",
            |text| {
                if text.is_empty() {
                    return Some(None);
                }
                let url: url::Url = text.parse().ok()?;
                let is_plain = url.username().is_empty() && url.password().is_none();
                (matches!(url.scheme(), "http" | "https") && is_plain).then_some(Some(url))
            },
        )
    }

    fn crash_point(&mut self) -> Option<crash::Place> {
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
    let near = VARIABLES.iter().map(|(known, ..)| *known).min_by_key(|known| levenshtein(known, name));
    let hint = near
        .filter(|known| levenshtein(known, name) <= 4)
        .map(|known| format!("; did you mean {known}?"))
        .unwrap_or_default();
    format!("{name} is not a variable of bss{hint}")
}
