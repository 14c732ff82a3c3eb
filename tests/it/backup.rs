//! Backup and restore by the real binary: under load, into another data directory, over what is there, and refused.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bss_migrations::Migrator;
use sea_orm_migration::MigratorTrait as _;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};

use crate::support::app::PATIENCE;
use crate::support::books;
use crate::support::client::Client;
use crate::support::cluster;
use crate::support::driver::{Driver, Mix, Plan, VISA};
use crate::support::installation::Installation;
use crate::support::record;
use crate::support::server::ServerProcess;

/// Runs `bss` on the database of an installation.
fn bss(installation: &Installation, arguments: &[&str]) -> Output {
    let mut command = record::bss(arguments);
    command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    command.env("BSS_DATA_DIR", installation.data_dir()).env("BSS_KYC_HASH_KEY", "c3".repeat(32));
    if let Some(url) = installation.given_database() {
        command.env("BSS_DB_URL", url);
    } else {
        command.env_remove("BSS_KYC_HASH_KEY");
    }
    command.output().expect("bss is built")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs it and answers its JSON.
#[track_caller]
fn answer(installation: &Installation, arguments: &[&str]) -> Value {
    let output = bss(installation, &[arguments, &["-o", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Runs it, which must end with the code; answers what it said.
#[track_caller]
fn refused(installation: &Installation, arguments: &[&str], code: i32) -> String {
    let output = bss(installation, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn path(file: &Path) -> &str {
    file.to_str().expect("our own name")
}

/// A customer with an active line; answers the id and the number.
async fn sign_up(client: &Client, email: &str) -> (String, String) {
    let customer = client.op("customer.create", json!({"name": "Ada Lovelace", "email": email})).await.ok();
    let id = customer["id"].as_str().expect("an id").to_owned();
    client.op("customer.attest_kyc", json!({"customerId": id, "attestationToken": "prebaked-1"})).await.ok();
    client.op("payment.add_card", json!({"customerId": id, "cardNumber": VISA})).await.ok();
    let order = client.op("order.create", json!({"customerId": id, "offeringId": "PLAN_S"})).await.ok();
    client.op("order.wait_until", json!({"orderId": order["id"], "state": "completed"})).await.ok();
    let lines = client.op("subscription.list_for_customer", json!({"customerId": id})).await.ok();
    (id, lines[0]["msisdn"].as_str().expect("a number").to_owned())
}

/// An installation on a given database with one customer and no server; answers the id.
async fn with_a_customer() -> (Arc<Installation>, String) {
    let installation = Arc::new(Installation::on(cluster::database().await));
    let server = ServerProcess::start(&installation, &[]).await;
    let (customer, _) = sign_up(&server.client(), "ada@example.test").await;
    server.stop().await;
    (installation, customer)
}

/// Waits for what comes by itself.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn customers(installation: &Installation) -> i64 {
    let pool = installation.pool().await;
    let count = sqlx::query_scalar("select count(*) from crm.customer").fetch_one(&pool).await.expect("a count");
    pool.close().await;
    count
}

async fn databases_like(installation: &Installation, pattern: &str) -> Vec<String> {
    let pool = installation.pool().await;
    let query = "select datname::text from pg_database where datname like current_database() || $1 order by 1";
    let names = sqlx::query_scalar(query).bind(pattern).fetch_all(&pool).await.expect("names");
    pool.close().await;
    names
}

#[tokio::test]
async fn a_backup_taken_under_load_goes_on_in_another_data_directory() {
    let first = Arc::new(Installation::private());
    let server = ServerProcess::start(&first, &[]).await;
    let client = server.client();
    crate::kill::enlarge_pools(&client).await;
    let (ada, number) = sign_up(&client, "ada@example.test").await;
    let note = json!({"customerId": ada, "summary": "before the backup"});
    let noted = client.try_op("interaction.log", &note, Some("note-1")).await.expect("it answers").ok();
    let plan = Plan { seed: 7, actors: 8, mix: Mix::default(), cards: &[VISA], clock: None, sabotage: None };
    let driver = Driver::start(client.clone(), plan, &first.file("acknowledged.jsonl"));
    let pool = first.pool().await;
    // This cluster has counted further than another one will for a long time.
    let busy = "do $$ begin for i in 1..20000 loop perform pg_current_xact_id(); commit; end loop; end $$";
    sqlx::raw_sql(busy).execute(&pool).await.expect("transactions come and go");
    let orders = |pool: PgPool| async move {
        sqlx::query_scalar::<_, i64>("select count(*) from order_mgmt.product_order")
            .fetch_one(&pool)
            .await
            .expect("a count")
    };
    until("the load flows", async || orders(pool.clone()).await > 12).await;

    let file = first.file("backup.tar");
    let taken = answer(&first, &["backup", path(&file)]);
    let at_backup = taken["rows"]["order_mgmt.product_order"].as_i64().expect("a count");
    assert!(at_backup > 12, "{at_backup}");
    assert_eq!(fs::metadata(&file).expect("it was written").permissions().mode() & 0o777, 0o600);
    until("work goes on", async || orders(pool.clone()).await > at_backup).await;
    driver.stop().await;
    pool.close().await;
    server.stop().await;

    let second = Arc::new(Installation::private());
    let restored = answer(&second, &["restore", path(&file)]);
    assert_eq!(restored["restored"], true);
    assert_eq!(restored["audit"]["ok"], true, "{:#}", restored["audit"]);
    assert_eq!(restored["documentKey"], "other", "this data directory has a key of its own");
    assert_eq!(restored["replaced"], Value::Null, "there was nothing");

    let server = ServerProcess::start(&second, &[]).await;
    let client = server.client();
    assert_ne!(first.secret("BSS_API_TOKEN"), second.secret("BSS_API_TOKEN"));
    let found = client.op("customer.find_by_msisdn", json!({"msisdn": number})).await.ok();
    assert_eq!(found["id"], ada.as_str());
    let again = client.try_op("interaction.log", &note, Some("note-1")).await.expect("it answers").ok();
    assert_eq!(again["id"], noted["id"], "the key of then holds");
    let pool = second.pool().await;
    // What was under way at the backup comes to its end.
    books::settled_within(&pool, Duration::from_secs(60)).await;
    let (_, next) = sign_up(&client, "ben@example.test").await;
    assert_ne!(next, number);
    let newest: String =
        sqlx::query_scalar("select id from order_mgmt.product_order order by length(id) desc, id desc limit 1")
            .fetch_one(&pool)
            .await
            .expect("an id");
    assert!(newest.len() > "ORD-9999".len(), "ids that may have been given away since are left out: {newest}");
    // Whoever follows the log gets to its end at once, though another cluster counts its transactions anew.
    let hidden = "select count(*) from audit.domain_event where transaction_id > pg_current_xact_id()";
    assert_eq!(sqlx::query_scalar::<_, i64>(hidden).fetch_one(&pool).await.expect("a count"), 0);
    let last: i64 = sqlx::query_scalar("select max(id) from audit.domain_event").fetch_one(&pool).await.expect("an id");
    let mut after = 0;
    until("the log is read to its end", async || {
        let page = client.op("events.list", json!({"after": after, "order": "asc", "limit": 1000})).await.ok();
        after = page["events"]
            .as_array()
            .and_then(|events| events.last())
            .map_or(after, |event| event["seq"].as_i64().expect("a number"));
        after >= last
    })
    .await;
    pool.close().await;
    let report = client.op("audit.verify", json!({})).await.ok();
    assert_eq!(report["ok"], true, "{report:#}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_there_is_replaced_only_by_consent_and_kept() {
    let (installation, ada) = with_a_customer().await;
    let file = installation.file("backup.tar");
    answer(&installation, &["backup", path(&file)]);
    assert!(refused(&installation, &["backup", path(&file)], 2).contains("--force"));
    answer(&installation, &["backup", path(&file), "--force"]);

    let mut server = ServerProcess::start(&installation, &[]).await;
    let (ben, _) = sign_up(&server.client(), "ben@example.test").await;
    assert!(refused(&installation, &["restore", path(&file), "--yes"], 6).contains("bss serve runs on the database"));
    server.terminate().await;

    assert!(refused(&installation, &["restore", path(&file)], 2).contains("add --yes"));
    let tried = answer(&installation, &["restore", path(&file), "--dry-run"]);
    assert_eq!((&tried["restored"], &tried["filled"]), (&json!(false), &json!(true)));
    assert_eq!(customers(&installation).await, 2);

    let restored = answer(&installation, &["restore", path(&file), "--yes", "--skip-ids", "0"]);
    assert_eq!(restored["documentKey"], "same");
    let kept = restored["replaced"].as_str().expect("it was kept").to_owned();
    assert_eq!(databases_like(&installation, "_replaced_%").await, [kept]);
    assert_eq!(customers(&installation).await, 1);
    server.restart().await;
    let client = server.client();
    client.op("customer.get", json!({"customerId": ada})).await.ok();
    assert_eq!(client.op("customer.get", json!({"customerId": ben})).await.status, 404);
    let order = client.op("order.create", json!({"customerId": ada, "offeringId": "PLAN_S"})).await.ok();
    assert_eq!(order["id"], "ORD-0002", "a move goes on with the next id");
    let marks = client.op("events.list", json!({"eventType": "admin.database_restored"})).await.ok();
    assert_eq!(marks["count"], 1);
    client.op("order.wait_until", json!({"orderId": order["id"], "state": "completed"})).await.ok();
    server.terminate().await;

    let restored = answer(&installation, &["restore", path(&file), "--yes", "--drop-replaced"]);
    assert_eq!(restored["replaced"], Value::Null);
    assert_eq!(databases_like(&installation, "_replaced_%").await.len(), 1);
    assert_eq!(databases_like(&installation, "_restoring").await, [""; 0]);
}

#[tokio::test]
async fn a_file_that_is_not_whole_or_not_for_this_version_changes_nothing() {
    let (installation, _) = with_a_customer().await;
    let file = installation.file("backup.tar");
    answer(&installation, &["backup", path(&file)]);
    let whole = fs::read(&file).expect("it was written");
    let bad = |name: &str, bytes: &[u8]| -> PathBuf {
        let file = installation.file(name);
        fs::write(&file, bytes).expect("our folder");
        file
    };
    let restore = |file: &Path, code: i32| refused(&installation, &["restore", path(file), "--yes"], code);

    assert!(restore(&bad("cut.tar", &whole[..whole.len() / 2]), 1).contains("its end is missing"));
    let mut flipped = whole.clone();
    flipped[whole.len() / 3] ^= 1;
    assert!(restore(&bad("flipped.tar", &flipped), 1).contains("not the one that was written"));
    assert!(restore(&bad("other.tar", b"no backup at all"), 1).contains("no backup of bss"));
    assert!(restore(&installation.file("missing.tar"), 2).contains("could not open"));

    // The manifest is text of the same length.
    let rewritten = |from: &str, to: &str| {
        let at = whole.windows(from.len()).rposition(|window| window == from.as_bytes()).expect("it is in there");
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let newest = bss::platform::db::schema::version();
    let newer = newest.replacen("00", "99", 1);
    assert!(restore(&bad("newer.tar", &rewritten(newest, &newer)), 2).contains(&newer));
    let counted = rewritten("\"crm.customer\": 1", "\"crm.customer\": 7");
    let said = restore(&bad("counted.tar", &counted), 1);
    assert!(said.contains("crm.customer has 1 rows, the backup 7 rows"), "{said}");

    assert_eq!(customers(&installation).await, 1);
    assert_eq!(databases_like(&installation, "_restoring").await, [""; 0]);
    assert_eq!(databases_like(&installation, "_replaced_%").await, [""; 0]);
}

#[tokio::test]
async fn books_that_do_not_balance_come_back_only_by_force() {
    let (installation, _) = with_a_customer().await;
    let pool = installation.pool().await;
    sqlx::raw_sql("delete from crm.customer_identity").execute(&pool).await.expect("it is damaged");
    pool.close().await;
    let file = installation.file("backup.tar");
    answer(&installation, &["backup", path(&file)]);
    let refusal = refused(&installation, &["restore", path(&file), "--yes"], 1);
    assert!(refusal.contains("crm.verified_customer_has_identity"), "{refusal}");
    assert!(refusal.contains("nothing was changed"), "{refusal}");
    assert_eq!(databases_like(&installation, "_re%").await, [""; 0]);
    let forced = bss(&installation, &["restore", path(&file), "--yes", "--force", "-o", "json"]);
    assert_eq!(forced.status.code(), Some(1), "it is said all the same: {}", said(&forced));
    let restored: Value = serde_json::from_slice(&forced.stdout).expect("JSON");
    assert_eq!((&restored["restored"], &restored["audit"]["ok"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn a_backup_of_an_older_version_is_migrated() {
    let installation = Installation::on(cluster::empty_database().await);
    let pool = installation.pool().await;
    let connection = sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    Migrator::up(&connection, Some(20)).await.expect("the first twenty steps");
    pool.close().await;
    let file = installation.file("old.tar");
    let taken = answer(&installation, &["backup", path(&file)]);
    assert_ne!(taken["schemaVersion"], bss::platform::db::schema::version());
    let fresh = Installation::on(cluster::empty_database().await);
    let restored = answer(&fresh, &["restore", path(&file)]);
    assert_eq!(restored["schemaVersion"], bss::platform::db::schema::version());
    assert_eq!(restored["audit"]["ok"], true);
}

#[tokio::test]
async fn a_role_that_may_make_no_database_fills_an_empty_one_and_grants_survive() {
    let (installation, _) = with_a_customer().await;
    let given = installation.given_database().expect("it is one").to_owned();
    let mut admin = superuser(&given).await;
    let name = format!("plain_{}", std::process::id());
    for statement in [
        format!("create role {name} login password 'plain'"),
        format!("create role {name}_reader"),
        format!("grant select on crm.customer to {name}_reader"),
        format!("grant usage on schema crm to {name}_reader"),
    ] {
        admin.execute(AssertSqlSafe(statement)).await.expect("the superuser may");
    }
    let file = installation.file("backup.tar");
    answer(&installation, &["backup", path(&file)]);

    let empty = cluster::empty_database().await;
    let plain = given_to(&name, &empty, &mut admin).await;
    let restored = answer(&plain, &["restore", path(&file)]);
    assert_eq!(restored["missingRoles"], json!([]));
    assert_eq!(customers(&plain).await, 1);
    let pool = plain.pool().await;
    let reads: bool = sqlx::query_scalar("select has_table_privilege($1, 'crm.customer', 'select')")
        .bind(format!("{name}_reader"))
        .fetch_one(&pool)
        .await
        .expect("an answer");
    assert!(reads);
    let refused_by_log = sqlx::query("delete from audit.domain_event").execute(&pool).await;
    assert!(refused_by_log.is_err_and(|error| error.to_string().contains("append-only")));
    pool.close().await;
    assert!(refused(&plain, &["restore", path(&file), "--yes"], 2).contains("createdb"));

    // Where the role is missing, the rows come back all the same.
    let mut elsewhere = superuser(&empty).await;
    for session in [&mut admin, &mut elsewhere] {
        let statement = format!("drop owned by {name}_reader");
        session.execute(AssertSqlSafe(statement)).await.expect("the superuser may");
    }
    admin.execute(AssertSqlSafe(format!("drop role {name}_reader"))).await.expect("it owns nothing");
    for session in [admin, elsewhere] {
        session.close().await.expect("it closes");
    }
    let bare = Installation::on(cluster::empty_database().await);
    let restored = answer(&bare, &["restore", path(&file)]);
    assert_eq!(restored["missingRoles"], json!([format!("{name}_reader")]));
    assert_eq!(customers(&bare).await, 1);
}

/// The database as its new owner has it, a role that may make no other one.
async fn given_to(role: &str, database: &str, admin: &mut PgConnection) -> Installation {
    let mut url: url::Url = database.parse().expect("a URL");
    let name = url.path().trim_start_matches('/').to_owned();
    admin.execute(AssertSqlSafe(format!("alter database {name} owner to {role}"))).await.expect("it may");
    url.set_username(role).expect("it has a host");
    url.set_password(Some("plain")).expect("it has a host");
    Installation::on(url.to_string())
}

#[tokio::test]
async fn where_no_database_can_be_made_beside_it_one_that_was_not_accepted_is_empty_again() {
    let (installation, _) = with_a_customer().await;
    let good = installation.file("good.tar");
    answer(&installation, &["backup", path(&good)]);
    let pool = installation.pool().await;
    sqlx::raw_sql("delete from crm.customer_identity").execute(&pool).await.expect("it is damaged");
    pool.close().await;
    let bad = installation.file("bad.tar");
    answer(&installation, &["backup", path(&bad)]);

    let mut admin = superuser(installation.given_database().expect("it is one")).await;
    let role = format!("narrow_{}", std::process::id());
    admin.execute(AssertSqlSafe(format!("create role {role} login password 'plain'"))).await.expect("it may");
    let narrow = given_to(&role, &cluster::empty_database().await, &mut admin).await;
    admin.close().await.expect("it closes");
    let refusal = refused(&narrow, &["restore", path(&bad)], 1);
    assert!(refusal.contains("nothing was changed"), "{refusal}");
    let pool = narrow.pool().await;
    let left: Vec<String> = sqlx::query_scalar(
        "select nspname::text from pg_namespace where nspname !~ '^pg_' and nspname not in ('public', 'information_schema')
         union all select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace
         union all select oid::regprocedure::text from pg_proc where pronamespace = 'public'::regnamespace",
    )
    .fetch_all(&pool)
    .await
    .expect("an answer");
    assert_eq!(left, [""; 0]);
    pool.close().await;
    assert_eq!(answer(&narrow, &["restore", path(&good)])["audit"]["ok"], true, "it can be filled again");
    assert_eq!(customers(&narrow).await, 1);
}

/// The superuser of the private cluster, in one of its databases; its password is that of the product's role.
async fn superuser(url: &str) -> PgConnection {
    let mut url: url::Url = url.parse().expect("a URL");
    url.set_username("postgres").expect("it has a host");
    PgConnection::connect(url.as_str()).await.expect("the superuser gets in")
}

#[test]
fn without_a_database_there_is_nothing_to_back_up() {
    let installation = Installation::private();
    let file = installation.file("backup.tar");
    assert!(refused(&installation, &["backup", path(&file)], 2).contains("BSS_DB_URL"));
    assert!(!file.exists());
}
