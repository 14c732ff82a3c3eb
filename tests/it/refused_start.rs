//! The real binary refuses a bad configuration: exit code 2, all faults at once, no secret repeated, nothing begun.

use std::net::TcpListener;
use std::process::Output;
use std::sync::Arc;

use crate::support::cluster;
use crate::support::installation::Installation;
use crate::support::record;
use crate::support::server::ServerProcess;

/// Nobody listens there.
const AWAY: &str = "postgres://bss:hunter2-the-password@127.0.0.1:1/bss";

fn serve(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = record::bss(["serve"]);
    command.env_clear().env("HOME", std::env::temp_dir()).env("BSS_DATA_DIR", "/nonexistent/bss").args(arguments);
    command.envs(variables.iter().copied()).output().expect("the binary runs")
}

/// Asserts the refusal and answers what it said.
#[track_caller]
fn refused(variables: &[(&str, &str)], faults: &[&str]) {
    let output = serve(variables, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for fault in faults {
        assert!(said.contains(fault), "{fault} is not in:\n{said}");
    }
    assert_eq!(
        said.matches("\n  - ").count(),
        faults.len(),
        "each fault has its line, and there are no others:\n{said}"
    );
    // What is long enough to be a secret and is not in every text of the kind.
    let samples = ["127.0.0.1:8000", "production"];
    for (name, value) in variables.iter().filter(|(_, value)| value.len() > 5 && !samples.contains(value)) {
        assert!(!said.contains(value), "the value of {name} is repeated:\n{said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn all_faults_are_told_at_once_and_no_secret_with_them() {
    refused(
        &[
            ("BSS_DB_URL", AWAY),
            ("BSS_APY_ADDR", "127.0.0.1:8000"),
            ("BSS_API_ADDR", "s3cr3t-in-the-wrong-place"),
            ("BSS_OPERATOR_TIME_ZONE", "Mars/Olympus"),
            ("BSS_LOG_LEVEL", "loud"),
            ("BSS_RENEWAL_TICK_SECONDS", "in-a-while"),
            ("BSS_PORTAL_SELF_SERVE_API_TOKEN", "short-token"),
            ("BSS_KYC_HASH_KEY", "short-key"),
        ],
        &[
            "BSS_APY_ADDR is not a variable of bss; did you mean BSS_API_ADDR?",
            "BSS_API_ADDR must be an address and port",
            "BSS_OPERATOR_TIME_ZONE must be",
            "BSS_LOG_LEVEL must be a level such as info",
            "BSS_RENEWAL_TICK_SECONDS must be",
            "BSS_PORTAL_SELF_SERVE_API_TOKEN has 11 characters, at least 32 are needed",
            "BSS_API_TOKEN is unset",
            "BSS_KYC_HASH_KEY must have at least 32 characters",
        ],
    );
}

#[test]
fn a_database_of_ones_own_needs_secrets_of_ones_own() {
    let (good, other) = ("5e".repeat(32), "7f".repeat(32));
    refused(&[("BSS_DB_URL", AWAY)], &["BSS_API_TOKEN is unset", "BSS_KYC_HASH_KEY is unset"]);
    refused(&[("BSS_DB_URL", AWAY), ("BSS_API_TOKEN", &good)], &["BSS_KYC_HASH_KEY is unset"]);
    refused(&[("BSS_DB_URL", AWAY), ("BSS_KYC_HASH_KEY", &other)], &["BSS_API_TOKEN is unset"]);
    let sample = format!("changeme-{other}");
    refused(
        &[("BSS_DB_URL", AWAY), ("BSS_API_TOKEN", &sample), ("BSS_KYC_HASH_KEY", &sample)],
        &["BSS_API_TOKEN still has its sample value", "BSS_KYC_HASH_KEY still has its sample value"],
    );
    refused(
        &[
            ("BSS_DB_URL", AWAY),
            ("BSS_API_TOKEN", &good),
            ("BSS_PARTNER_ACME_API_TOKEN", &good),
            ("BSS_KYC_HASH_KEY", &other),
        ],
        &["the identities default and partner_acme have the same token"],
    );
    // With them, what is wrong is the database, and that is no fault of the configuration.
    let output = serve(&[("BSS_DB_URL", AWAY), ("BSS_API_TOKEN", &good), ("BSS_KYC_HASH_KEY", &other)], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn the_private_cluster_is_not_begun_with_a_bad_token_either() {
    refused(&[("BSS_API_TOKEN", "short-token")], &["BSS_API_TOKEN has 11 characters, at least 32 are needed"]);
}

#[test]
fn a_database_that_is_none_is_refused() {
    let (good, other) = ("5e".repeat(32), "7f".repeat(32));
    for url in ["mysql://bss:hunter2@127.0.0.1/bss", "hunter2", "127.0.0.1:5432/hunter2", "postgres//hunter2"] {
        refused(
            &[("BSS_DB_URL", url), ("BSS_API_TOKEN", &good), ("BSS_KYC_HASH_KEY", &other)],
            &["BSS_DB_URL must be a URL such as"],
        );
    }
}

#[test]
fn production_refuses_what_only_tests_may_have() {
    refused(
        &[("BSS_ENV", "production"), ("BSS_ALLOW_ADMIN_RESET", "true"), ("BSS_CRASH_POINT", "effect.before_done")],
        &["BSS_ALLOW_ADMIN_RESET cannot be on in production", "BSS_CRASH_POINT cannot be set in production"],
    );
}

#[test]
fn arguments_that_are_none_are_refused() {
    for arguments in [&["--api-addr", "nowhere"][..], &["--role", "king"], &["--none"]] {
        let output = serve(&[], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn a_schema_that_is_behind_is_refused_with_what_to_do() {
    let url = cluster::empty_database().await;
    let (good, other) = ("5e".repeat(32), "7f".repeat(32));
    let output = serve(
        &[
            ("BSS_DB_URL", &url),
            ("BSS_API_TOKEN", &good),
            ("BSS_KYC_HASH_KEY", &other),
            ("BSS_API_ADDR", "127.0.0.1:0"),
        ],
        &[],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("run: bss migrate"), "{said}");
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_database_server_behind() {
    let installation = Arc::new(Installation::private());
    let mut server = ServerProcess::prepare(&installation, &[]);
    let taken = TcpListener::bind(server.url().trim_start_matches("http://")).expect("a free address");
    server.spawn(&[]);
    let status = server.ready_or_dead().await.expect("it ends by itself");
    assert_eq!(status.code(), Some(1), "{}", server.log_tail());
    assert!(server.log().contains("cannot be listened on"), "{}", server.log_tail());
    let data = installation.data_dir().join("postgres/data");
    assert!(data.join("PG_VERSION").exists(), "the cluster was made");
    assert!(!data.join("postmaster.pid").exists(), "and runs for nobody");

    // Nothing has begun to work meanwhile, and the next start finds all in order.
    drop(taken);
    server.restart().await;
    let pool = installation.pool().await;
    let announced = "select count(*) from platform.replica";
    assert_eq!(sqlx::query_scalar::<_, i64>(announced).fetch_one(&pool).await.expect("an answer"), 1);
    pool.close().await;
    server.stop().await;
}
