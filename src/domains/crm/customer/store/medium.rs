//! Contact media, as they are written. The caller holds the lock of the customer.

use crate::domains::crm::customer::model::Medium;
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};

/// Adds a live medium. Where it is primary, the former primary one of its type no longer is.
pub(in crate::domains::crm::customer) async fn add_medium(
    tx: &Tx,
    cx: &Context,
    party_id: &str,
    medium: &Medium,
) -> Result<()> {
    demote_others(tx, cx, party_id, medium).await?;
    let statement = sql!(
        "insert into crm.contact_medium (id, tenant_id, party_id, medium_type, value, is_primary, valid_from)
         values ($1, $2, $3, $4, $5, $6, $7)",
        medium.id.as_str(),
        cx.tenant.as_ref(),
        party_id,
        medium.kind.as_str(),
        medium.value.as_str(),
        medium.is_primary,
        medium.valid_from
    );
    execute(&**tx, statement).await.map(drop)
}

/// Writes value and rank of a live medium back.
pub(in crate::domains::crm::customer) async fn save_medium(
    tx: &Tx,
    cx: &Context,
    party_id: &str,
    medium: &Medium,
) -> Result<()> {
    demote_others(tx, cx, party_id, medium).await?;
    let statement = sql!(
        "update crm.contact_medium set value = $3, is_primary = $4, updated_at = now()
         where tenant_id = $1 and id = $2 and valid_to is null",
        cx.tenant.as_ref(),
        medium.id.as_str(),
        medium.value.as_str(),
        medium.is_primary
    );
    was_there(execute(&**tx, statement).await?, &medium.id)
}

/// Ends a live medium now; the row stays.
pub(in crate::domains::crm::customer) async fn end_medium(tx: &Tx, cx: &Context, id: &str) -> Result<()> {
    let statement = sql!(
        "update crm.contact_medium set valid_to = $3, is_primary = false, updated_at = now()
         where tenant_id = $1 and id = $2 and valid_to is null",
        cx.tenant.as_ref(),
        id,
        cx.now
    );
    was_there(execute(&**tx, statement).await?, id)
}

/// Of each type one medium is primary: if this one is, no other is.
async fn demote_others(tx: &Tx, cx: &Context, party_id: &str, medium: &Medium) -> Result<()> {
    if !medium.is_primary {
        return Ok(());
    }
    let statement = sql!(
        "update crm.contact_medium set is_primary = false, updated_at = now()
         where tenant_id = $1 and party_id = $2 and medium_type = $3 and id <> $4 and is_primary and valid_to is null",
        cx.tenant.as_ref(),
        party_id,
        medium.kind.as_str(),
        medium.id.as_str()
    );
    execute(&**tx, statement).await.map(drop)
}

fn was_there(rows: u64, id: &str) -> Result<()> {
    match rows {
        1 => Ok(()),
        _ => Err(Error::Internal(format!("contact medium {id} vanished under the lock of its customer"))),
    }
}
