//! Does the database keep what it acknowledges?

use sqlx::PgExecutor;

use super::EmbeddedError;

/// The settings without which a power cut loses acknowledged writes or tears pages.
const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Fails when the connection's database would lose or tear acknowledged writes in a power cut.
///
/// `synchronous_commit` may also be set for one role or session: ask on a connection like those that will write.
pub async fn verify_durable(connection: impl PgExecutor<'_>) -> Result<(), EmbeddedError> {
    let off: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pg_settings WHERE name = ANY($1) AND setting = 'off' ORDER BY name")
            .bind(DURABLE.as_slice())
            .fetch_all(connection)
            .await?;
    if off.is_empty() {
        return Ok(());
    }
    let verb = if off.len() == 1 { "is" } else { "are" };
    Err(EmbeddedError::NotDurable { settings: format!("{} {verb}", off.join(", ")) })
}
