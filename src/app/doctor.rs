//! `bss doctor`: what could keep the server from working, each line with what to do about it. Changes nothing: it makes no
//! cluster, no secret and no table. A private cluster that stands still is started to be looked at, and stopped again.

use std::collections::BTreeMap;
use std::future::pending;

use serde::Serialize;
use url::Url;

use crate::app::error::StartError;
use crate::app::open::{self, Opened, Prepare};
use crate::platform::config::Config;
use crate::platform::db::schema::{self, SchemaState};
use crate::platform::delivery::parked;
use crate::platform::perimeter::TokenMap;
use crate::platform::trace::jaeger::Jaeger;
use crate::platform::{Platform, clock, replica, trace};

/// Deliveries that wait longer than this are not about to be taken up.
const LAG_SECONDS_MAX: f64 = 60.0;
/// A transaction that is open for longer keeps dead rows alive.
const TRANSACTION_SECONDS_MAX: f64 = 300.0;
/// Leases and the order of events stand a difference of clocks below this.
const SKEW_SECONDS_MAX: f64 = 5.0;
/// What a day of a small installation may need.
const FREE_MEGABYTES_MIN: u64 = 500;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) ok: bool,
    pub(super) detail: String,
}

impl Finding {
    fn of(check: &'static str, outcome: Result<String, String>) -> Self {
        let (ok, detail) = match outcome {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Self { check, ok, detail }
    }
}

/// Looks at configuration, disk, secrets, tokens, database, schema, clocks, queue, replicas and the oldest transaction.
pub(super) async fn examine(environment: &BTreeMap<String, String>, adjust: impl FnOnce(&mut Config)) -> Vec<Finding> {
    let mut config = match Config::read(environment) {
        Ok(config) => config,
        Err(error) => return vec![Finding::of("configuration", Err(error.to_string()))],
    };
    adjust(&mut config);
    let mut findings = vec![Finding::of(
        "configuration",
        Ok(format!("{}, role {}", config.environment.as_str(), config.role.as_str())),
    )];
    findings.push(Finding::of("data directory", data_directory(&config)));
    if let Some(url) = &config.jaeger {
        findings.push(Finding::of("jaeger", jaeger(url).await));
    }
    findings.extend(secrets(&config));
    match open::open(config, environment, Prepare::Nothing, pending()).await {
        // A machine on which nothing was served yet is not broken.
        Err(error @ StartError::NoCluster(_)) => findings.push(Finding::of("database", Ok(error.to_string()))),
        Err(error) => findings.push(Finding::of("database", Err(error.to_string()))),
        Ok(Opened { platform, cluster }) => {
            findings.extend(examine_database(&platform).await);
            platform.db.close().await;
            if let Some(cluster) = cluster
                && let Err(error) = cluster.stop().await
            {
                findings.push(Finding::of("private cluster", Err(error.to_string())));
            }
        }
    }
    findings
}

/// Whether what a server hashes identity documents with is there. On the private cluster `bss serve` makes it.
fn secrets(config: &Config) -> Option<Finding> {
    config.database.url.as_ref()?;
    let outcome = open::require_hash_key(config).map(|()| "BSS_KYC_HASH_KEY is set".to_owned());
    Some(Finding::of("secrets", outcome.map_err(|error| format!("{error}; bss serve does not start without it"))))
}

fn data_directory(config: &Config) -> Result<String, String> {
    let path = config.data_dir.display();
    let stat = nix::sys::statvfs::statvfs(&config.data_dir)
        .map_err(|_| format!("{path} does not exist yet; bss serve makes it"));
    let free = match stat {
        Ok(stat) => stat.blocks_available() * stat.fragment_size(),
        Err(text) => return Ok(text),
    };
    let megabytes = free / 1_048_576;
    if megabytes < FREE_MEGABYTES_MIN {
        Err(format!("{path}: only {megabytes} MB are free; make room"))
    } else {
        Ok(format!("{path}, {megabytes} MB free"))
    }
}

/// Whether `bss trace` is answered from there, and whether anything of ours has arrived.
async fn jaeger(url: &Url) -> Result<String, String> {
    let services = async { Jaeger::new(url)?.services().await }.await.map_err(|error| error.to_string())?;
    if services.iter().any(|service| service == trace::SERVICE) {
        Ok(format!("{url}, with traces of bss"))
    } else {
        Ok(format!("{url}, nothing of bss yet; BSS_OTEL_EXPORTER_OTLP_ENDPOINT says where it is sent"))
    }
}

async fn examine_database(platform: &Platform) -> Vec<Finding> {
    let tokens: Vec<(String, String)> =
        platform.config.tokens.iter().map(|(name, secret)| (name.clone(), secret.reveal().to_owned())).collect();
    let perimeter = TokenMap::new(&tokens, &platform.config.grants)
        .map(|map| map.names().collect::<Vec<_>>().join(", "))
        .map_err(|faults| faults.join("; "));
    let schema = match schema::state(&platform.db).await {
        Ok(SchemaState::Current) => Ok(format!("current ({})", schema::version())),
        Ok(SchemaState::Behind { missing }) => Err(format!("lacks {}; run: bss migrate", missing.join(", "))),
        Ok(SchemaState::Ahead { unknown }) => Err(format!("has {}; start a newer bss", unknown.join(", "))),
        Err(error) => Err(format!("{error}; is the database running?")),
    };
    let readable = schema.is_ok();
    let mut findings = vec![Finding::of("tokens", perimeter), Finding::of("database", database(platform).await)];
    findings.push(Finding::of("schema", schema));
    if readable {
        findings.push(Finding::of("database clock", database_clock(platform).await));
        findings.push(Finding::of("clock", clock_state(platform).await));
        findings.push(Finding::of("queue", queue(platform).await));
        findings.push(Finding::of("replicas", replicas(platform).await));
        findings.push(Finding::of("oldest transaction", oldest_transaction(platform).await));
    }
    findings
}

/// What it is, whether a commit is kept when the power fails, and how many connections are left.
async fn database(platform: &Platform) -> Result<String, String> {
    let (version, fsync, commit, used, most): (String, String, String, i64, i64) = sqlx::query_as(
        "select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
                (select count(*) from pg_stat_activity where backend_type = 'client backend'),
                current_setting('max_connections')::bigint",
    )
    .fetch_one(platform.db.pool())
    .await
    .map_err(|error| format!("{error}; is the database running?"))?;
    let text = format!("PostgreSQL {version}, {used} of {most} connections");
    if fsync != "on" || commit == "off" {
        return Err(format!("{text}; fsync is {fsync}, synchronous_commit {commit}: a crash loses what was committed"));
    }
    if used * 10 >= most * 9 {
        return Err(format!("{text}; raise max_connections, or lower BSS_DB_CONNECTIONS"));
    }
    Ok(text)
}

/// The clocks of this machine and of the database.
async fn database_clock(platform: &Platform) -> Result<String, String> {
    let before = clock::wall();
    let there: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(platform.db.pool())
        .await
        .map_err(|error| error.to_string())?;
    let after = clock::wall();
    // Half of the way there and back is the best guess of when it answered.
    let skew = (there - (before + (after - before) / 2)).as_seconds_f64();
    let text = format!("{skew:.3} s from this machine's");
    if skew.abs() > SKEW_SECONDS_MAX { Err(format!("{text}; run a time service on both")) } else { Ok(text) }
}

async fn clock_state(platform: &Platform) -> Result<String, String> {
    let state = platform.clock.state().await.map_err(|error| error.to_string())?;
    let drift = (state.now - clock::wall()).num_seconds();
    let mode = match state.mode {
        clock::Mode::Wall => "goes on",
        clock::Mode::Frozen => "frozen",
    };
    let now = state.now.with_timezone(&platform.config.profile.time_zone).format("%Y-%m-%d %H:%M:%S%:z");
    Ok(format!("product time {now} ({mode}, {drift} s from the wall clock)"))
}

async fn queue(platform: &Platform) -> Result<String, String> {
    let depths = parked::depth(&platform.db).await.map_err(|error| error.to_string())?;
    let parked: i64 = depths.iter().map(|depth| depth.parked).sum();
    let pending: i64 = depths.iter().map(|depth| depth.pending).sum();
    let oldest = depths.iter().filter_map(|depth| depth.oldest_pending_seconds).fold(0.0, f64::max);
    let text = format!("{pending} pending, oldest {oldest:.0} s, {parked} parked");
    if parked > 0 {
        return Err(format!("{text}; look at them: bss queue parked"));
    }
    if oldest > LAG_SECONDS_MAX {
        return Err(format!("{text}; is a worker running? bss worker list"));
    }
    Ok(text)
}

async fn replicas(platform: &Platform) -> Result<String, String> {
    let replicas = replica::list(&platform.db).await.map_err(|error| error.to_string())?;
    let alive: Vec<String> = replicas.iter().filter(|r| r.alive).map(|r| format!("{} {}", r.role, r.version)).collect();
    Ok(if alive.is_empty() { "none is running".into() } else { alive.join(", ") })
}

async fn oldest_transaction(platform: &Platform) -> Result<String, String> {
    let seconds: Option<f64> = sqlx::query_scalar(
        "select max(extract(epoch from clock_timestamp() - xact_start))::float8 from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .fetch_one(platform.db.pool())
    .await
    .map_err(|error| error.to_string())?;
    let seconds = seconds.unwrap_or(0.0);
    let text = format!("{seconds:.0} s");
    if seconds > TRANSACTION_SECONDS_MAX {
        Err(format!("{text}; it keeps dead rows alive: look at pg_stat_activity"))
    } else {
        Ok(text)
    }
}
