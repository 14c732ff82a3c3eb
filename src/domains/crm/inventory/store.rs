//! Numbers and eSIM profiles in one list, as TMF639 has them. Of an ICCID the last four digits leave the database.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use crate::platform::context::Context;
use crate::platform::db::{self, Db, sql};
use crate::platform::error::Result;
use crate::platform::tmf::filter::{Attribute, Column, Listing, Name, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// `resourceStatus` as TMF639 writes it, and the states of numbers and profiles behind each word.
pub(super) const STATUS: &[Name] = &[
    ("available", &["available"]),
    ("reserved", &["reserved", "assigned", "downloaded", "activated"]),
    ("standby", &["quarantine"]),
    ("suspended", &["suspended", "ported_out", "recycled"]),
];

const SELECT: &str =
    "r.id, r.category, r.status, r.msisdn, r.iccid_last4, r.subscription_id, r.activated_at, r.version";

const FROM: &str = "(
        select 'MSISDN-' || n.msisdn as id, n.tenant_id, 'msisdn' as category, n.status, n.msisdn, null::text as iccid_last4,
               n.assigned_to_subscription_id as subscription_id, null::timestamptz as activated_at, n.version
        from inventory.msisdn_pool n
        union all
        select p.resource_id, p.tenant_id, 'esimProfile', p.profile_state, p.assigned_msisdn, right(p.iccid, 4),
               p.assigned_to_subscription_id, p.activated_at, p.version
        from inventory.esim_profile p
    ) r where r.tenant_id = $1";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("r.id") },
        Attribute { path: "category", column: Column::text("r.category") },
        Attribute { path: "resourceStatus", column: Column::text("r.status").named(STATUS) },
        Attribute { path: "startOperatingDate", column: Column::timestamp("r.activated_at") },
    ],
    default_order: "",
    tiebreak: "r.id",
};

/// A number or a profile.
#[derive(Debug, FromQueryResult)]
pub(super) struct ResourceRow {
    pub(super) id: String,
    pub(super) category: String,
    pub(super) status: String,
    /// The number, or the number that the profile was given.
    pub(super) msisdn: Option<String>,
    pub(super) iccid_last4: Option<String>,
    pub(super) subscription_id: Option<String>,
    pub(super) activated_at: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<ResourceRow>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    db::list(db, SELECT, FROM, &cx.tenant, &filter).await
}

pub(super) async fn find(db: &Db, cx: &Context, id: &str) -> Result<Option<ResourceRow>> {
    let query = format!("select {SELECT} from {FROM} and r.id = $2");
    Ok(ResourceRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?)
}
