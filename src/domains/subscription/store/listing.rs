//! Lines, balances and top-ups as the TM Forum APIs list them: read-only, in their own words.

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;

use super::money;
use crate::platform::context::Context;
use crate::platform::db::{self, Db, sql};
use crate::platform::error::Result;
use crate::platform::money::Money;
use crate::platform::tmf::filter::{Attribute, Column, Listing, Name, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// State of a line, and the official word for it (`ProductStatusType` of TMF637). One that ended before it was ever in
/// service was cancelled.
pub(in crate::domains::subscription) const PRODUCT_STATUS: &[Name] = &[
    ("pendingActive", &["pending"]),
    ("active", &["active"]),
    ("suspended", &["blocked"]),
    ("cancelled", &["cancelled"]),
    ("terminated", &["terminated"]),
];

/// State of a line, and what TMF654 says of its buckets (`BucketStatusType`).
pub(in crate::domains::subscription) const BUCKET_STATUS: &[Name] =
    &[("active", &["pending", "active"]), ("suspended", &["blocked"]), ("expired", &["terminated"])];

/// State of a purchase, and the official word for it (`ActionStatusType` of TMF654).
pub(in crate::domains::subscription) const TOP_UP_STATUS: &[Name] =
    &[("created", &["pending"]), ("completed", &["applied"]), ("failed", &["declined"]), ("cancelled", &["refunded"])];

/// `UsageType` of TMF654; what is counted abroad is data too.
pub(in crate::domains::subscription) const USAGE_TYPE: &[Name] =
    &[("data", &["data", "data_roaming"]), ("voice", &["voice"]), ("sms", &["sms"])];

const LIFE: &str = "(case when s.state = 'terminated' and s.activated_at is null then 'cancelled' else s.state end)";

const PRODUCT_FROM: &str = "subscription.subscription s where s.tenant_id = $1";

fn product_select() -> String {
    format!(
        "s.id, s.customer_id, s.offering_id, s.commercial_order_id, s.msisdn, right(s.iccid, 4) as iccid_last4, s.cfs_service_id,
         {LIFE} as life, s.block_reasons, s.created_at, s.activated_at, s.terminated_at, s.current_period_start,
         s.current_period_end, s.price_amount_minor, s.price_currency, s.price_offering_price_id, s.version"
    )
}

const PRODUCTS: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("s.id") },
        Attribute { path: "name", column: Column::text("s.msisdn") },
        Attribute { path: "productSerialNumber", column: Column::text("s.msisdn") },
        Attribute { path: "status", column: Column::text(LIFE).named(PRODUCT_STATUS) },
        Attribute { path: "orderDate", column: Column::timestamp("s.created_at") },
        Attribute { path: "startDate", column: Column::timestamp("s.activated_at") },
        Attribute { path: "terminationDate", column: Column::timestamp("s.terminated_at") },
        Attribute { path: "productOffering.id", column: Column::text("s.offering_id") },
        Attribute { path: "relatedParty.id", column: Column::text("s.customer_id") },
        Attribute { path: "realizingService.id", column: Column::text("s.cfs_service_id") },
    ],
    default_order: "s.created_at desc",
    tiebreak: "s.id desc",
};

#[derive(Debug, FromQueryResult)]
pub(in crate::domains::subscription) struct ProductRow {
    pub(in crate::domains::subscription) id: String,
    pub(in crate::domains::subscription) customer_id: String,
    pub(in crate::domains::subscription) offering_id: String,
    pub(in crate::domains::subscription) commercial_order_id: String,
    pub(in crate::domains::subscription) msisdn: String,
    pub(in crate::domains::subscription) iccid_last4: String,
    pub(in crate::domains::subscription) cfs_service_id: String,
    pub(in crate::domains::subscription) life: String,
    pub(in crate::domains::subscription) block_reasons: Vec<String>,
    pub(in crate::domains::subscription) created_at: DateTime<Utc>,
    pub(in crate::domains::subscription) activated_at: Option<DateTime<Utc>>,
    pub(in crate::domains::subscription) terminated_at: Option<DateTime<Utc>>,
    pub(in crate::domains::subscription) current_period_start: Option<DateTime<Utc>>,
    pub(in crate::domains::subscription) current_period_end: Option<DateTime<Utc>>,
    price_amount_minor: i64,
    price_currency: String,
    pub(in crate::domains::subscription) price_offering_price_id: String,
    pub(in crate::domains::subscription) version: i64,
}

impl ProductRow {
    pub(in crate::domains::subscription) fn price(&self) -> Result<Money> {
        money(self.price_amount_minor, &self.price_currency)
    }
}

pub(in crate::domains::subscription) async fn products(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<ProductRow>)> {
    let filter = SqlFilter::new(query, &PRODUCTS, 2)?;
    db::list(db, &product_select(), PRODUCT_FROM, &cx.tenant, &filter).await
}

pub(in crate::domains::subscription) async fn product(db: &Db, cx: &Context, id: &str) -> Result<Option<ProductRow>> {
    let query = format!("select {} from {PRODUCT_FROM} and s.id = $2", product_select());
    Ok(ProductRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?)
}

const BUCKET_SELECT: &str =
    "b.subscription_id, s.customer_id, s.msisdn, s.state, b.allowance_type, b.unit, b.unlimited,
    b.unlimited_until, b.remaining, b.period_start, b.period_end, s.version";
const BUCKET_FROM: &str = "subscription.bundle_balance b join subscription.subscription s on s.id = b.subscription_id
    where b.tenant_id = $1";

const BUCKETS: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("(b.subscription_id || ':' || b.allowance_type)") },
        Attribute { path: "name", column: Column::text("b.allowance_type") },
        Attribute { path: "status", column: Column::text("s.state").named(BUCKET_STATUS) },
        Attribute { path: "usageType", column: Column::text("b.allowance_type").named(USAGE_TYPE) },
        Attribute { path: "remainingValue.amount", column: Column::integer("b.remaining") },
        Attribute { path: "product.id", column: Column::text("b.subscription_id") },
        Attribute { path: "relatedParty.id", column: Column::text("s.customer_id") },
        Attribute { path: "logicalResource.name", column: Column::text("s.msisdn") },
    ],
    default_order: "",
    tiebreak: "b.subscription_id, b.allowance_type",
};

#[derive(Debug, FromQueryResult)]
pub(in crate::domains::subscription) struct BucketRow {
    pub(in crate::domains::subscription) subscription_id: String,
    pub(in crate::domains::subscription) customer_id: String,
    pub(in crate::domains::subscription) msisdn: String,
    pub(in crate::domains::subscription) state: String,
    pub(in crate::domains::subscription) allowance_type: String,
    pub(in crate::domains::subscription) unit: String,
    pub(in crate::domains::subscription) unlimited: bool,
    pub(in crate::domains::subscription) unlimited_until: Option<DateTime<Utc>>,
    pub(in crate::domains::subscription) remaining: i64,
    pub(in crate::domains::subscription) period_start: DateTime<Utc>,
    pub(in crate::domains::subscription) period_end: DateTime<Utc>,
    /// Of the line: its balances change under the line's lock.
    pub(in crate::domains::subscription) version: i64,
}

pub(in crate::domains::subscription) async fn buckets(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<BucketRow>)> {
    let filter = SqlFilter::new(query, &BUCKETS, 2)?;
    db::list(db, BUCKET_SELECT, BUCKET_FROM, &cx.tenant, &filter).await
}

pub(in crate::domains::subscription) async fn bucket(
    db: &Db,
    cx: &Context,
    line: &str,
    allowance: &str,
) -> Result<Option<BucketRow>> {
    let query =
        format!("select {BUCKET_SELECT} from {BUCKET_FROM} and b.subscription_id = $2 and b.allowance_type = $3");
    Ok(BucketRow::find_by_statement(sql!(query, cx.tenant.as_ref(), line, allowance)).one(db.connection()).await?)
}

const TOP_UP_SELECT: &str =
    "v.id, v.subscription_id, v.customer_id, v.vas_offering_id, v.state, v.state_reason, v.allowance_type,
    v.allowance_added, v.unit, v.requested_at, v.applied_at, v.attributes";
const TOP_UP_FROM: &str = "subscription.vas_purchase v where v.tenant_id = $1";

const TOP_UPS: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("v.id") },
        Attribute { path: "voucher", column: Column::text("v.vas_offering_id") },
        Attribute { path: "status", column: Column::text("v.state").named(TOP_UP_STATUS) },
        Attribute { path: "usageType", column: Column::text("v.allowance_type").named(USAGE_TYPE) },
        Attribute { path: "requestedDate", column: Column::timestamp("v.requested_at") },
        Attribute { path: "confirmationDate", column: Column::timestamp("v.applied_at") },
        Attribute { path: "bucket.id", column: Column::text("(v.subscription_id || ':' || v.allowance_type)") },
        Attribute { path: "product.id", column: Column::text("v.subscription_id") },
        Attribute { path: "relatedParty.id", column: Column::text("v.customer_id") },
    ],
    default_order: "v.requested_at desc",
    tiebreak: "v.id desc",
};

#[derive(Debug, FromQueryResult)]
pub(in crate::domains::subscription) struct TopUpRow {
    pub(in crate::domains::subscription) id: String,
    pub(in crate::domains::subscription) subscription_id: String,
    pub(in crate::domains::subscription) customer_id: String,
    pub(in crate::domains::subscription) vas_offering_id: String,
    pub(in crate::domains::subscription) state: String,
    pub(in crate::domains::subscription) state_reason: Option<String>,
    pub(in crate::domains::subscription) allowance_type: String,
    pub(in crate::domains::subscription) allowance_added: i64,
    pub(in crate::domains::subscription) unit: String,
    pub(in crate::domains::subscription) requested_at: DateTime<Utc>,
    pub(in crate::domains::subscription) applied_at: Option<DateTime<Utc>>,
    pub(in crate::domains::subscription) attributes: Option<serde_json::Value>,
}

pub(in crate::domains::subscription) async fn top_ups(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<TopUpRow>)> {
    let filter = SqlFilter::new(query, &TOP_UPS, 2)?;
    db::list(db, TOP_UP_SELECT, TOP_UP_FROM, &cx.tenant, &filter).await
}

pub(in crate::domains::subscription) async fn top_up(db: &Db, cx: &Context, id: &str) -> Result<Option<TopUpRow>> {
    let query = format!("select {TOP_UP_SELECT} from {TOP_UP_FROM} and v.id = $2");
    Ok(TopUpRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(db.connection()).await?)
}

/// Keeps what the caller of a top-up said beyond what we use. Nothing but the answers reads it, so it may come late.
pub(in crate::domains::subscription) async fn keep_attributes(
    db: &Db,
    cx: &Context,
    id: &str,
    attributes: serde_json::Map<String, serde_json::Value>,
) -> Result<()> {
    let statement = sql!(
        "update subscription.vas_purchase set attributes = $3 where tenant_id = $1 and id = $2 and attributes is null",
        cx.tenant.as_ref(),
        id,
        serde_json::Value::Object(attributes)
    );
    db::execute(db.connection(), statement).await.map(drop)
}
