//! Prices: read one by one and in pages, added, ended. An amount is never written twice.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde_json::{Map, Value};

use super::money;
use crate::domains::catalog::model::{NewPrice, Window};
use crate::domains::catalog::port::{OfferingId, PriceId, PriceView};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

const SELECT: &str = "p.id, p.offering_id, p.name, p.price_type, p.recurring_period_length, p.recurring_period_type,
    p.amount_minor, p.currency, p.valid_from, p.valid_to, p.attributes, p.version, p.updated_at";
const FROM: &str = "catalog.product_offering_price p where p.tenant_id = $1";

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("p.id") },
        Attribute { path: "name", column: Column::text("coalesce(p.name, p.id)") },
        Attribute {
            path: "priceType",
            column: Column::text("p.price_type").named(&[("recurring", &["recurring"]), ("oneTime", &["one_time"])]),
        },
        Attribute { path: "lastUpdate", column: Column::timestamp("p.updated_at") },
        Attribute { path: "validFor.startDateTime", column: Column::timestamp("p.valid_from") },
        Attribute { path: "validFor.endDateTime", column: Column::timestamp("p.valid_to") },
    ],
    default_order: "",
    tiebreak: "p.id",
};

/// A price with everything that TMF620 shows of it.
#[derive(Debug, FromQueryResult)]
pub(in crate::domains::catalog) struct PriceRow {
    pub(in crate::domains::catalog) id: String,
    pub(in crate::domains::catalog) offering_id: Option<String>,
    pub(in crate::domains::catalog) name: Option<String>,
    price_type: String,
    pub(in crate::domains::catalog) recurring_period_length: i16,
    pub(in crate::domains::catalog) recurring_period_type: String,
    amount_minor: i64,
    currency: String,
    valid_from: Option<DateTime<Utc>>,
    valid_to: Option<DateTime<Utc>>,
    attributes: Value,
    pub(in crate::domains::catalog) version: i64,
    pub(in crate::domains::catalog) updated_at: DateTime<Utc>,
}

impl PriceRow {
    pub(in crate::domains::catalog) fn is_recurring(&self) -> bool {
        self.price_type == "recurring"
    }

    pub(in crate::domains::catalog) fn money(&self) -> Result<Money> {
        money(self.amount_minor, &self.currency)
    }

    pub(in crate::domains::catalog) const fn window(&self) -> Window {
        Window { valid_from: self.valid_from, valid_to: self.valid_to }
    }

    pub(in crate::domains::catalog) fn attributes(&self) -> Map<String, Value> {
        super::attributes(&self.attributes)
    }

    /// As the operations show it.
    pub(in crate::domains::catalog) fn view(self) -> Result<PriceView> {
        Ok(PriceView {
            money: self.money()?,
            id: self.id.into(),
            offering_id: self.offering_id.unwrap_or_default().into(),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
        })
    }
}

pub(in crate::domains::catalog) async fn page(
    db: &Db,
    cx: &Context,
    query: &ListQuery,
) -> Result<(u64, Vec<PriceRow>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    db::list(db, SELECT, FROM, &cx.tenant, &filter).await
}

pub(in crate::domains::catalog) async fn find(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &PriceId,
) -> Result<Option<PriceRow>> {
    let query = format!("select {SELECT} from {FROM} and p.id = $2");
    Ok(PriceRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(connection).await?)
}

pub(in crate::domains::catalog) async fn lock(tx: &Tx, cx: &Context, id: &PriceId) -> Result<Option<PriceRow>> {
    let query = format!("select {SELECT} from {FROM} and p.id = $2 for no key update");
    Ok(PriceRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?)
}

pub(in crate::domains::catalog) async fn insert(
    tx: &Tx,
    cx: &Context,
    offering: Option<&OfferingId>,
    new: &NewPrice,
) -> Result<()> {
    let statement = sql!(
        "insert into catalog.product_offering_price (id, tenant_id, offering_id, name, price_type, amount_minor, currency,
             valid_from, valid_to, attributes)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &new.id,
        cx.tenant.as_ref(),
        offering.map(OfferingId::as_str),
        new.name.as_deref(),
        if new.is_recurring { "recurring" } else { "one_time" },
        new.money.minor,
        new.money.currency.as_str(),
        new.window.valid_from,
        new.window.valid_to,
        Value::Object(new.attributes.clone())
    );
    execute(&**tx, statement).await.map(drop)
}

/// Gives a locked price that belongs to nobody to an offering.
pub(in crate::domains::catalog) async fn attach(
    tx: &Tx,
    cx: &Context,
    id: &PriceId,
    offering: &OfferingId,
) -> Result<()> {
    let statement = sql!(
        "update catalog.product_offering_price set offering_id = $3, version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2 and offering_id is null",
        cx.tenant.as_ref(),
        id,
        offering
    );
    match execute(&**tx, statement).await? {
        1 => Ok(()),
        _ => Err(Error::Internal(format!("price {id} found an offering under its lock"))),
    }
}

/// Writes what may change about a locked price, one version on.
pub(in crate::domains::catalog) async fn save(
    tx: &Tx,
    cx: &Context,
    id: &str,
    name: Option<&str>,
    valid_to: Option<DateTime<Utc>>,
    attributes: Map<String, Value>,
) -> Result<()> {
    let statement = sql!(
        "update catalog.product_offering_price
         set name = $3, valid_to = $4, attributes = $5, version = version + 1, updated_at = clock_timestamp()
         where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        id,
        name,
        valid_to,
        Value::Object(attributes)
    );
    match execute(&**tx, statement).await? {
        1 => Ok(()),
        _ => Err(Error::Internal(format!("price {id} was not there to be saved"))),
    }
}
