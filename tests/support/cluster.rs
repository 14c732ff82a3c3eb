//! One private cluster for all tests of a run, and a database of its own for each of them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use bss::app::open;
use bss::platform::Platform;
use bss::platform::clock::Clock;
use bss::platform::config::Config;
use bss::platform::db::embedded::{Cluster, EmbeddedConfig};
use bss::platform::db::{Db, PoolConfig, schema};
use bss::platform::ids::Ids;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::OnceCell;

const TEMPLATE: &str = "bss_template";

struct Shared {
    url: String,
    _cluster: Cluster,
    _undertaker: Child,
}

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED.get_or_init(start).await
}

/// What this run leaves on the disk until it ends.
fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("bss-tests-{}", std::process::id()))
}

async fn start() -> Shared {
    let top = folder();
    std::fs::create_dir_all(&top).expect("a folder of this run");
    std::fs::set_permissions(&top, std::fs::Permissions::from_mode(0o755)).expect("our folder");
    let data_dir = top.join("data");
    let cluster = Cluster::start(&EmbeddedConfig { data_dir: data_dir.clone(), pg_bin: None, pg_user: None })
        .await
        .expect("the cluster starts");
    let undertaker = undertaker(&cluster, top);
    let url = cluster.url().to_owned();
    let mut connection = PgConnection::connect(&url).await.expect("the cluster answers");
    connection
        .execute(sqlx::AssertSqlSafe(format!("create database {TEMPLATE}")))
        .await
        .expect("a fresh cluster has no template");
    connection.close().await.expect("an idle connection closes");
    let template = platform_on(&named(&url, TEMPLATE), test_config(&[]));
    schema::migrate(&template.db).await.expect("the migrations apply");
    open::seed(&template).await.expect("the reference data fits the schema");
    template.db.close().await;
    Shared { url, _cluster: cluster, _undertaker: undertaker }
}

/// A child that waits for the end of this process, however it ends, and then clears away what it left.
fn undertaker(cluster: &Cluster, top: PathBuf) -> Child {
    let script = r#"cat >/dev/null; pid=$(head -n1 "$2/postmaster.pid" 2>/dev/null); [ -n "$pid" ] && kill -QUIT "$pid" 2>/dev/null
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done; rm -rf "$(realpath "$1"/data/postgres)" "$1""#;
    Command::new("sh")
        .args(["-c", script, "undertaker"])
        .arg(top)
        .arg(cluster.data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh is there")
}

/// The same server, another database.
fn named(url: &str, database: &str) -> String {
    let mut url: url::Url = url.parse().expect("the cluster gives a URL");
    url.set_path(database);
    url.into()
}

/// The configuration of a test: as in development, with clock control, and what `changes` say.
pub(crate) fn test_config(changes: &[(&str, &str)]) -> Config {
    let token = |fill: &str| fill.repeat(32);
    let mut environment: std::collections::BTreeMap<String, String> = [
        ("BSS_API_TOKEN", token("a1")),
        ("BSS_PORTAL_SELF_SERVE_API_TOKEN", token("b2")),
        ("BSS_KYC_HASH_KEY", token("c3")),
        ("BSS_ALLOW_ADMIN_RESET", "true".to_owned()),
        ("BSS_API_ADDR", "127.0.0.1:0".to_owned()),
        ("BSS_RENEWAL_TICK_SECONDS", "0".to_owned()),
        ("BSS_DB_CONNECTIONS", "12".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    // Each process under test has a mailbox of its own, in the folder of this run.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mailbox = folder().join(format!("mailbox-{}.log", NEXT.fetch_add(1, Ordering::Relaxed)));
    environment.insert("BSS_PORTAL_DEV_MAILBOX_PATH".to_owned(), mailbox.to_string_lossy().into_owned());
    environment.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::read(&environment).expect("the test's configuration is valid")
}

fn platform_on(url: &str, config: Config) -> Platform {
    let pool = PoolConfig { connections_max: config.database.connections_max, ..PoolConfig::default() };
    let db = Db::connect(url, &pool, bss::app::compose::subscribers()).expect("the cluster gives a URL");
    let clock = if config.allow_admin_reset { Clock::controlled(db.clone()) } else { Clock::wall() };
    let ids = Ids::default();
    let boot_id = ids.uuid();
    Platform { db, clock, ids, config: std::sync::Arc::new(config), boot_id }
}

/// A migrated and seeded database that nobody else uses; answers its URL.
pub(crate) async fn database() -> String {
    copy_of(TEMPLATE).await
}

/// A database without a schema that nobody else uses; answers its URL.
pub(crate) async fn empty_database() -> String {
    copy_of("template0").await
}

async fn copy_of(template: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Copies of one template wait for each other anyway.
    static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let shared = shared().await;
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let _one_at_a_time = COPYING.lock().await;
    let mut connection = PgConnection::connect(&shared.url).await.expect("the cluster answers");
    let copy = format!("create database {name} template {template}");
    connection.execute(sqlx::AssertSqlSafe(copy)).await.expect("the template is free");
    connection.close().await.expect("an idle connection closes");
    named(&shared.url, &name)
}

/// Gives the room of a database back that was taken by [`database`].
pub(crate) async fn discard(url: &str) {
    let name = url.parse::<url::Url>().expect("a URL of ours").path().trim_start_matches('/').to_owned();
    let statement = format!("drop database {name} with (force)");
    let mut connection = PgConnection::connect(&shared().await.url).await.expect("the cluster answers");
    connection.execute(sqlx::AssertSqlSafe(statement)).await.expect("nobody needs it");
    connection.close().await.expect("an idle connection closes");
}

/// A process's view on a database of its own.
pub(crate) async fn platform(changes: &[(&str, &str)]) -> Platform {
    platform_on(&database().await, test_config(changes))
}

/// A second process on the database of the first.
pub(crate) fn replica(url: &str, changes: &[(&str, &str)]) -> Platform {
    platform_on(url, test_config(changes))
}
