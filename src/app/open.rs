//! From configuration to a database that can be used: the private cluster or the given one, secrets, schema, reference data.

use std::collections::BTreeMap;
use std::future::Future;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use crate::app::compose;
use crate::app::error::StartError;
use crate::app::tokens;
use crate::platform::Platform;
use crate::platform::clock::Clock;
use crate::platform::config::{Config, Secret};
use crate::platform::context::Context;
use crate::platform::db::embedded::{Cluster, EmbeddedConfig, verify_durable};
use crate::platform::db::schema::{self, SchemaState};
use crate::platform::db::{Db, PoolConfig};
use crate::platform::error::Result;
use crate::platform::ids::Ids;

/// A database and what a process needs to work on it.
pub struct Opened {
    pub platform: Platform,
    /// The private cluster, which stops when its last user does.
    pub cluster: Option<Cluster>,
}

/// How far the schema is brought along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepare {
    /// Refuse a schema that is not current, but on the private cluster migrate and seed it.
    Serve,
    /// Apply migrations (and on the private cluster the seed).
    Migrate,
    /// Apply the reference data.
    Seed,
    /// Change nothing: no cluster is made, no secret, no table.
    Nothing,
}

/// Opens the database that the configuration names, unless `asked` to end meanwhile.
pub async fn open(
    mut config: Config,
    environment: &BTreeMap<String, String>,
    prepare: Prepare,
    asked: impl Future<Output = ()>,
) -> Result<Opened, StartError> {
    let (url, cluster) = locate(&mut config, environment, prepare).await?;
    let ready = tokio::select! {
        ready = bring_up(config, &url, prepare, cluster.is_some()) => ready,
        () = asked => Err(StartError::Interrupted),
    };
    match ready {
        Ok(platform) => Ok(Opened { platform, cluster }),
        Err(error) => {
            leave(cluster).await;
            Err(error)
        }
    }
}

/// Leaves the private cluster where the start has failed, which is what is to be told: it does not go on running for nobody.
async fn leave(cluster: Option<Cluster>) {
    let Some(cluster) = cluster else { return };
    if let Err(error) = cluster.stop().await {
        tracing::warn!(%error, "the private cluster was not stopped");
    }
}

async fn bring_up(config: Config, url: &str, prepare: Prepare, local: bool) -> Result<Platform, StartError> {
    let pool = PoolConfig { connections_max: config.database.connections_max, ..PoolConfig::default() };
    let db = Db::connect(url, &pool, compose::subscribers())?;
    if local {
        verify_durable(db.pool()).await?;
    }
    bring_schema(&db, prepare, local).await?;
    let clock = if config.allow_admin_reset { Clock::controlled(db.clone()) } else { Clock::wall() };
    let ids = Ids::default();
    let boot_id = ids.uuid();
    let platform = Platform { db, clock, ids, config: Arc::new(config), boot_id };
    if prepare == Prepare::Seed || (local && matches!(prepare, Prepare::Serve | Prepare::Migrate)) {
        seed(&platform).await?;
    }
    Ok(platform)
}

/// The URL of the database that the configuration names, and the private cluster if it is that one. Then the secrets that
/// the environment does not give are those of the installation.
pub(super) async fn locate(
    config: &mut Config,
    environment: &BTreeMap<String, String>,
    prepare: Prepare,
) -> Result<(String, Option<Cluster>), StartError> {
    if let Some(url) = &config.database.url {
        return Ok((url.reveal().to_owned(), None));
    }
    if prepare == Prepare::Nothing && !Cluster::is_made(&config.data_dir) {
        return Err(StartError::NoCluster(config.data_dir.clone()));
    }
    let cluster = start_cluster(config).await?;
    match take_secrets(config, environment, prepare) {
        Ok(()) => Ok((cluster.url().to_owned(), Some(cluster))),
        Err(error) => {
            leave(Some(cluster)).await;
            Err(error)
        }
    }
}

async fn start_cluster(config: &Config) -> Result<Cluster, StartError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&config.data_dir)
        .map_err(|source| StartError::Io { what: "the data directory", source })?;
    let embedded = EmbeddedConfig {
        data_dir: config.data_dir.clone(),
        pg_bin: config.database.pg_bin.clone(),
        pg_user: config.database.pg_user.clone(),
    };
    Ok(Cluster::start(&embedded).await?)
}

/// What the environment does not give comes from the installation's own file.
fn take_secrets(
    config: &mut Config,
    environment: &BTreeMap<String, String>,
    prepare: Prepare,
) -> Result<(), StartError> {
    let secrets = match prepare {
        Prepare::Nothing => tokens::load(&config.data_dir)?,
        Prepare::Serve | Prepare::Migrate | Prepare::Seed => tokens::load_or_generate(&config.data_dir, environment)?,
    };
    for (name, secret) in secrets {
        if name == "BSS_KYC_HASH_KEY" {
            config.kyc_hash_key.get_or_insert(secret);
        } else if !config.tokens.iter().any(|(given, _): &(String, Secret)| *given == name) {
            config.tokens.push((name, secret));
        }
    }
    Ok(())
}

async fn bring_schema(db: &Db, prepare: Prepare, local: bool) -> Result<(), StartError> {
    if prepare == Prepare::Nothing {
        return Ok(());
    }
    match state_with_patience(db).await? {
        SchemaState::Current => Ok(()),
        SchemaState::Ahead { unknown } => Err(StartError::SchemaAhead(unknown)),
        SchemaState::Behind { .. } if prepare == Prepare::Migrate || local => Ok(schema::migrate(db).await?),
        SchemaState::Behind { missing } => Err(StartError::SchemaBehind(missing)),
    }
}

/// A database that is starting gets a moment: both may have been started together.
async fn state_with_patience(db: &Db) -> Result<SchemaState> {
    const TRIES: u32 = 20;
    for _ in 0..TRIES {
        match schema::state(db).await {
            Err(error) if error.is_transient() => tokio::time::sleep(Duration::from_millis(250)).await,
            outcome => return outcome,
        }
    }
    schema::state(db).await
}

/// Inserts the reference data that is missing, in one transaction.
pub async fn seed(platform: &Platform) -> Result<()> {
    let mut cx = Context::system("system:seed", platform.ids.uuid().to_string(), platform.clock.now().await?);
    cx.channel = crate::platform::context::Channel::Seed;
    let tx = platform.db.begin().await?;
    compose::seed(&tx, &cx, &platform.config.profile).await?;
    tx.commit().await
}

/// The key that document numbers are hashed with; without one, identities cannot be attested.
pub fn require_hash_key(config: &Config) -> Result<(), StartError> {
    if config.kyc_hash_key.is_none() { Err(StartError::HashKey) } else { Ok(()) }
}
