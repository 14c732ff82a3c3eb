use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::variables::{NUMBERS, OR_ZERO, bounds_of};
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
    let committed = include_str!("../../../.env.example");
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
        let numbers: Vec<(&str, String)> = NUMBERS.iter().map(|(name, range)| (*name, number(name, range))).collect();
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
fn an_esim_provider_is_one_of_three() {
    assert_eq!(read(&[]).unwrap().network.esim, EsimProvider::Sim);
    for provider in EsimProvider::ALL {
        assert_eq!(read(&[("BSS_ESIM_PROVIDER", provider.as_str())]).unwrap().network.esim, provider);
    }
    let unknown = read(&[("BSS_ESIM_PROVIDER", "airalo")]).unwrap_err();
    assert_eq!(unknown.0, ["BSS_ESIM_PROVIDER must be sim, onbglobal or esim_access"]);
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
