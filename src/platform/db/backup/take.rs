//! Taking a backup while work goes on.

use std::path::Path;

use sqlx::Connection as _;

use super::address::Address;
use super::archive::Draft;
use super::tools::Tools;
use super::{BackupError, FORMAT, Manifest, Place, snapshot};

/// Writes a backup of the database to `file`. Servers may run: the dump and its counts are of one instant.
///
/// # Errors
/// The file is there already and is not to be overwritten, the database is none of ours, `pg_dump` is missing or fails.
pub async fn take(
    place: &Place,
    file: &Path,
    overwrite: bool,
    kyc_key_fingerprint: Option<String>,
) -> Result<Manifest, BackupError> {
    if file.exists() && !overwrite {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let address = Address::parse(&place.url)?;
    let mut session = address.connect().await?;
    let exported = snapshot::export(&mut session).await?;
    let migrations = snapshot::migrations(&mut session).await?;
    let Some(schema_version) = migrations.last().cloned() else {
        return Err(BackupError::NotOurs(address.name().to_owned()));
    };
    let postgres_major = snapshot::server_major(&mut session).await?;
    let tools = Tools::find(place.programs.as_deref(), postgres_major)?;
    let pg_dump_major = tools.major;
    let draft = Draft::begin(file)?;
    let draft = {
        let (address, id) = (address.clone(), exported.id);
        blocking(move || {
            let mut draft = draft;
            tools.dump(&address, &id, &mut draft)?;
            Ok(draft)
        })
        .await?
    };
    let manifest = Manifest {
        format: FORMAT,
        bss_version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_version,
        migrations,
        taken_at: exported.taken_at,
        database: address.name().to_owned(),
        postgres_major,
        pg_dump_major,
        kyc_key_fingerprint,
        grantees: snapshot::grantees(&mut session).await?,
        rows: snapshot::rows(&mut session).await?,
        dump: draft.dump(),
    };
    session.close().await?;
    draft.finish(&manifest)?;
    Ok(manifest)
}

/// Runs what waits for other programs beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| BackupError::BrokenOff(error.to_string()))?
}
