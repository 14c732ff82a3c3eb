//! Writing offerings, with their allowances, categories and services.

use sea_orm::{ConnectionTrait, FromQueryResult as _};
use serde_json::Value;

use super::{FROM, OfferingRow, SELECT};
use crate::domains::catalog::model::{NewOffering, Window};
use crate::domains::catalog::port::{AllowanceType, CategoryId, OfferingId, SpecificationId};
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};

/// The services that a plan is made of: of mobile plans all are alike.
const CFS: &str = "SSPEC_CFS_MOBILE_BROADBAND";
const RFS: [&str; 2] = ["SSPEC_RFS_DATA_BEARER", "SSPEC_RFS_VOICE_BEARER"];

/// Locks an offering, and with it its prices, against every other change.
pub(in crate::domains::catalog) async fn lock(tx: &Tx, cx: &Context, id: &OfferingId) -> Result<Option<OfferingRow>> {
    // The lock by a statement of its own: what belongs to the offering is read after it was waited for.
    let lock = "select 1 from catalog.product_offering where tenant_id = $1 and id = $2 for no key update";
    if tx.query_one_raw(sql!(lock, cx.tenant.as_ref(), id)).await?.is_none() {
        return Ok(None);
    }
    read(tx, cx, id).await
}

/// The offering as this unit of work sees it.
pub(in crate::domains::catalog) async fn read(tx: &Tx, cx: &Context, id: &OfferingId) -> Result<Option<OfferingRow>> {
    let query = format!("select {SELECT} from {FROM} and o.id = $2");
    Ok(OfferingRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?)
}

/// Inserts the row of an offering, and the services it is made of.
pub(in crate::domains::catalog) async fn insert(tx: &Tx, cx: &Context, new: &NewOffering) -> Result<()> {
    let statement = sql!(
        "insert into catalog.product_offering (id, tenant_id, name, spec_id, is_sellable, lifecycle_status, valid_from, valid_to,
             attributes)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &new.id,
        cx.tenant.as_ref(),
        new.name.as_str(),
        &new.spec_id,
        new.is_sellable,
        new.lifecycle.as_str(),
        new.window.valid_from,
        new.window.valid_to,
        Value::Object(new.attributes.clone())
    );
    execute(&**tx, statement).await?;
    let services = sql!(
        "insert into catalog.product_to_service_mapping (offering_id, tenant_id, cfs_spec_id, rfs_spec_ids) values ($1, $2, $3, $4)",
        &new.id,
        cx.tenant.as_ref(),
        CFS,
        RFS.map(str::to_owned).to_vec()
    );
    execute(&**tx, services).await.map(drop)
}

/// Writes the row of a locked offering back, one version on.
pub(in crate::domains::catalog) async fn save(
    tx: &Tx,
    cx: &Context,
    offering: &OfferingRow,
    window: Window,
    attributes: Value,
) -> Result<()> {
    let statement = sql!(
        "update catalog.product_offering set name = $3, is_sellable = $4, lifecycle_status = $5, valid_from = $6, valid_to = $7,
             attributes = $8, version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and version = $9",
        cx.tenant.as_ref(),
        offering.id.as_str(),
        offering.name.as_str(),
        offering.is_sellable,
        offering.lifecycle_status.as_str(),
        window.valid_from,
        window.valid_to,
        attributes,
        offering.version
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!("offering {} changed under its lock", offering.id)));
    }
    Ok(())
}

/// One version on: what is shown with the offering has changed.
pub(in crate::domains::catalog) async fn touch(tx: &Tx, cx: &Context, id: &OfferingId) -> Result<()> {
    let statement = sql!(
        "update catalog.product_offering set version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        id
    );
    execute(&**tx, statement).await.map(drop)
}

/// Puts these allowances in the place of what the plan grants. Lines keep what they were granted; what stays unlimited
/// keeps its fair-use limit.
pub(in crate::domains::catalog) async fn put_allowances(
    tx: &Tx,
    cx: &Context,
    id: &OfferingId,
    allowances: &[(AllowanceType, i64)],
) -> Result<()> {
    let kept: Vec<String> = allowances.iter().map(|(kind, _)| kind.as_str().to_owned()).collect();
    let delete =
        "delete from catalog.bundle_allowance where tenant_id = $1 and offering_id = $2 and allowance_type <> all($3)";
    execute(&**tx, sql!(delete, cx.tenant.as_ref(), id, kept)).await?;
    for (kind, quantity) in allowances {
        let suffix = match kind {
            AllowanceType::Data => "DATA",
            AllowanceType::Voice => "VOICE",
            AllowanceType::Sms => "SMS",
            AllowanceType::DataRoaming => "ROAM",
        };
        let statement = sql!(
            "insert into catalog.bundle_allowance (id, tenant_id, offering_id, allowance_type, quantity, unit)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (offering_id, allowance_type) do update
             set quantity = excluded.quantity,
                 fair_use_quantity = case when excluded.quantity = -1 then bundle_allowance.fair_use_quantity end",
            format!("BA_{id}_{suffix}"),
            cx.tenant.as_ref(),
            id,
            kind.as_str(),
            *quantity,
            kind.unit().as_str()
        );
        execute(&**tx, statement).await?;
    }
    Ok(())
}

/// Puts the offering into these categories and no other.
pub(in crate::domains::catalog) async fn put_categories(
    tx: &Tx,
    cx: &Context,
    id: &OfferingId,
    categories: &[CategoryId],
) -> Result<()> {
    let delete = "delete from catalog.category_offering where tenant_id = $1 and offering_id = $2";
    execute(&**tx, sql!(delete, cx.tenant.as_ref(), id)).await?;
    let ids: Vec<String> = categories.iter().map(ToString::to_string).collect();
    let statement = sql!(
        "insert into catalog.category_offering (category_id, offering_id, tenant_id)
         select unnest($3::text[]), $2, $1 on conflict do nothing",
        cx.tenant.as_ref(),
        id,
        ids
    );
    execute(&**tx, statement).await.map(drop)
}

/// Whether there is such a specification; it is held as it is until the unit of work ends.
pub(in crate::domains::catalog) async fn holds_specification(
    tx: &Tx,
    cx: &Context,
    id: &SpecificationId,
) -> Result<bool> {
    let query = "select 1 from catalog.product_specification where tenant_id = $1 and id = $2 for key share";
    Ok(tx.query_one_raw(sql!(query, cx.tenant.as_ref(), id)).await?.is_some())
}

/// The ones of these offerings that there are.
pub(in crate::domains::catalog) async fn existing(tx: &Tx, cx: &Context, ids: &[OfferingId]) -> Result<Vec<String>> {
    let wanted: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query =
        "select id from catalog.product_offering where tenant_id = $1 and id = any($2) order by id for key share";
    let rows = tx.query_all_raw(sql!(query, cx.tenant.as_ref(), wanted)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}
