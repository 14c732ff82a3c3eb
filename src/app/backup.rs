//! `bss backup` and `bss restore`: the database into one file and back, proven on both ways.
//!
//! A restore is judged before it counts: the rows of every table against the backup's own count, then the books by the
//! checks of `bss audit verify`, as of the instant of the backup. Only then does it take the place of what was there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::compose;
use crate::app::error::StartError;
use crate::app::open::{self, Prepare};
use crate::cli::{self, BackupArgs, Global, RestoreArgs};
use crate::platform::audit::{self, AuditReport};
use crate::platform::clock;
use crate::platform::config::{Config, Secret};
use crate::platform::context::Context;
use crate::platform::db::backup::{self, Backup, BackupError, Fresh, Manifest, Place, Target};
use crate::platform::db::embedded::Cluster;
use crate::platform::db::{Db, PoolConfig, schema};
use crate::platform::ids::Ids;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(
        "there is no database in {}: name the data directory (--data-dir, BSS_DATA_DIR) or the database (BSS_DB_URL)", .0.display()
    )]
    NoCluster(PathBuf),
    #[error(
        "the books of the backup do not balance ({0} checks failed), so nothing was changed; to restore it all the same: --force"
    )]
    Books(usize),
    /// It was said already.
    #[error("stopped")]
    Told(u8),
}

impl Fault {
    /// As of every command.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Start(error) => error.exit_code(),
            Self::Backup(error) => error.exit_code(),
            Self::NoCluster(_) => 2,
            Self::Books(_) => 1,
            Self::Told(code) => *code,
        }
    }
}

impl From<crate::platform::error::Error> for Fault {
    fn from(error: crate::platform::error::Error) -> Self {
        Self::Start(error.into())
    }
}

/// The database that is meant, for as long as it is needed.
struct Open {
    place: Place,
    cluster: Option<Cluster>,
    config: Config,
}

impl Open {
    async fn new(
        mut config: Config,
        environment: &BTreeMap<String, String>,
        prepare: Prepare,
    ) -> Result<Self, StartError> {
        let (url, cluster) = open::locate(&mut config, environment, prepare).await?;
        let own = cluster.as_ref().map(|cluster| cluster.bin_dir().to_owned());
        let programs = own.or_else(|| config.database.pg_bin.clone());
        Ok(Self { place: Place { url, programs }, cluster, config })
    }

    fn key_fingerprint(&self) -> Option<String> {
        self.config.kyc_hash_key.as_ref().map(fingerprint)
    }

    /// A private cluster that nobody else uses stops again.
    async fn close(self) -> Result<(), StartError> {
        match self.cluster {
            Some(cluster) => Ok(cluster.stop().await?),
            None => Ok(()),
        }
    }
}

/// Takes a backup and prints what is in it.
pub(super) async fn back_up(
    config: Config,
    environment: &BTreeMap<String, String>,
    global: &Global,
    args: BackupArgs,
) -> Result<u8, Fault> {
    if config.database.url.is_none() && !config.data_dir.join("postgres").exists() {
        return Err(Fault::NoCluster(config.data_dir));
    }
    let named = || PathBuf::from(clock::wall().format("bss-backup-%Y%m%dT%H%M%SZ.tar").to_string());
    let file = args.file.unwrap_or_else(named);
    let open = Open::new(config, environment, Prepare::Nothing).await?;
    let taken = backup::take(&open.place, &file, args.force, open.key_fingerprint()).await;
    open.close().await?;
    let answer = described(&taken?, &file);
    Ok(cli::print_backup(global, &answer))
}

/// Restores a backup and prints what was proven.
pub(super) async fn restore(
    config: Config,
    environment: &BTreeMap<String, String>,
    global: &Global,
    args: RestoreArgs,
) -> Result<u8, Fault> {
    let backup = read(args.file.clone()).await?;
    let open = Open::new(config, environment, Prepare::Migrate).await?;
    let outcome = restore_to(&open, backup, global, &args).await;
    open.close().await?;
    outcome
}

async fn read(file: PathBuf) -> Result<Backup, Fault> {
    let read = tokio::task::spawn_blocking(move || Backup::open(&file)).await;
    let backup = read.map_err(|error| BackupError::BrokenOff(error.to_string()))??;
    let manifest = &backup.manifest;
    let unknown = manifest.migrations.iter().find(|step| !schema::knows(step));
    match unknown {
        None => Ok(backup),
        Some(step) => {
            let what = format!("the migration {step}");
            Err(BackupError::Newer { bss_version: manifest.bss_version.clone(), what }.into())
        }
    }
}

async fn restore_to(open: &Open, backup: Backup, global: &Global, args: &RestoreArgs) -> Result<u8, Fault> {
    let target = backup::look(&open.place, &backup).await?;
    let mut answer = described(&backup.manifest, &args.file);
    answer["database"] = json!(target.name());
    answer["filled"] = json!(target.filled);
    answer["missingRoles"] = json!(target.missing_roles);
    answer["documentKey"] = json!(match (&backup.manifest.kyc_key_fingerprint, open.key_fingerprint()) {
        (Some(then), Some(now)) if *then == now => "same",
        (Some(_), Some(_)) => "other",
        (None, _) | (_, None) => "unknown",
    });
    answer["restored"] = json!(false);
    if global.dry_run {
        return Ok(cli::print_restored(global, &answer));
    }
    if target.filled {
        let consequence = format!(
            "Everything in the database {} is replaced by the backup of {}.",
            target.name(),
            backup.manifest.taken_at.format("%Y-%m-%d %H:%M:%SZ")
        );
        cli::consent(global, args.gate, &consequence, "restore").map_err(Fault::Told)?;
    }
    cli::print_progress(global, "bringing the rows back");
    let (fresh, manifest) = backup::load(backup, &target).await?;
    let (fresh, books) = proven(open, &target, fresh, &manifest, global, args).await?;
    let placed = backup::swap(&target, fresh, args.drop_replaced).await?;
    answer["restored"] = json!(true);
    answer["schemaVersion"] = json!(schema::version());
    answer["skippedIds"] = json!(args.skip_ids);
    answer["replaced"] = json!(placed.replaced);
    answer["audit"] = json!(books);
    let printed = cli::print_restored(global, &answer);
    Ok(printed.max(u8::from(!books.ok)))
}

/// Brings the schema up to date and checks the books. What does not stand this test is removed again.
async fn proven(
    open: &Open,
    target: &Target,
    fresh: Fresh,
    manifest: &Manifest,
    global: &Global,
    args: &RestoreArgs,
) -> Result<(Fresh, AuditReport), Fault> {
    cli::print_progress(global, "checking the books");
    let pool = PoolConfig { connections_max: open.config.database.connections_max, ..PoolConfig::default() };
    let db = Db::connect(&fresh.url(), &pool, compose::subscribers())?;
    let checked = check(&db, manifest, args.skip_ids).await;
    // A database with sessions can be neither renamed nor dropped.
    db.close().await;
    let fault = match checked {
        Ok(books) if books.ok || args.force => return Ok((fresh, books)),
        Ok(books) => {
            cli::print_offenders(global, &json!(books));
            Fault::Books(books.checks.iter().filter(|check| !check.ok).count())
        }
        Err(error) => error.into(),
    };
    backup::discard(target, fresh).await?;
    Err(fault)
}

async fn check(db: &Db, manifest: &Manifest, skip_ids: u32) -> crate::platform::error::Result<AuditReport> {
    schema::migrate(db).await?;
    let cx = Context::system("system:restore", Ids::default().uuid().to_string(), clock::wall());
    backup::settle(db, &cx, manifest, skip_ids).await?;
    audit::verify_as_of(db, &compose::checks(), manifest.taken_at).await
}

fn described(manifest: &Manifest, file: &Path) -> Value {
    json!({
        "file": file, "takenAt": manifest.taken_at, "database": manifest.database, "bssVersion": manifest.bss_version,
        "schemaVersion": manifest.schema_version, "postgres": manifest.postgres_major,
        "bytes": manifest.dump.bytes, "sha256": manifest.dump.sha256,
        "rowsTotal": manifest.rows_total(), "rows": manifest.rows,
    })
}

/// Says whether two keys are the same one and nothing about the key.
fn fingerprint(key: &Secret) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(b"bss backup: which key hashes document numbers");
    mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
