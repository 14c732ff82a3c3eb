//! The variables: what each is called, is by default and means, and what the numbers among them may be. Nothing is read here.

use std::ops::RangeInclusive;

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
    (
        "BSS_ESIM_PROVIDER",
        "sim",
        "who prepares eSIM profiles: sim (the network itself), onbglobal or esim_access (both need NDA + credentials: every attempt fails)",
    ),
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
    (
        "BSS_PROMO_ON_REFUSAL",
        "honour",
        "what an order does whose promised discount is gone when it is charged: honour (the promised price once, then the full one) or fail, before any charge",
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
    (
        "BSS_JAEGER_UI_URL",
        "",
        "Jaeger that bss trace reads, such as http://127.0.0.1:16686; empty: it reads what is kept here",
    ),
    ("BSS_TRACE_STORE_MB", "64", "megabytes of traces that are kept for bss trace; 0 records none"),
    ("BSS_TRACE_RETENTION_HOURS", "72", "hours for which a trace is kept"),
    ("BSS_CRASH_POINT", "", "tests only: die at this point, <name>[@<subscriber>][:<hit>]; refused in production"),
    (
        "BSS_CHAOS",
        "",
        "tests only: handlers fail, deliveries come twice and late, such as fail=0.2,duplicate=0.2,delay_ms=30; refused in production",
    ),
];

/// The whole numbers among the variables, and what each may be. Whoever adds one to a date or waits for it relies on the bound.
/// Where 0 has a meaning of its own outside the range, it is in [`OR_ZERO`].
pub(super) const NUMBERS: &[(&str, RangeInclusive<i64>)] = &[
    ("BSS_DB_CONNECTIONS", 8..=200),
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
pub(super) const OR_ZERO: &[&str] = &[
    "BSS_RENEWAL_TICK_SECONDS",
    "BSS_RECONCILIATION_INTERVAL_SECONDS",
    "BSS_ORDER_SUBMIT_WITHIN_SECONDS",
    "BSS_USAGE_RETENTION_MONTHS",
    "BSS_EVENT_RETENTION_MONTHS",
];

/// What a number may be. Panics for a variable that is none.
pub(super) fn range_of(name: &str) -> &'static RangeInclusive<i64> {
    let found = NUMBERS.iter().find(|(known, _)| *known == name);
    found.map(|(_, range)| range).expect("every number is in the list of numbers")
}

/// `60 to 2592000`, `3 to 240, or 0`.
pub(super) fn bounds_of(name: &str) -> String {
    let range = range_of(name);
    let zero = if OR_ZERO.contains(&name) { ", or 0" } else { "" };
    format!("{} to {}{zero}", range.start(), range.end())
}

/// What a variable is when it is not set.
pub(super) fn default_of(name: &str) -> &'static str {
    VARIABLES.iter().find(|(known, ..)| *known == name).map_or("", |(_, default, _)| default)
}
