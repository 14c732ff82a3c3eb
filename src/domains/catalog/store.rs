//! The catalog's tables. Here the reads of plans and prices; the aggregates that are written have files of their own.

pub(super) mod category;
pub(super) mod offering;
pub(super) mod price;
pub(super) mod specification;
pub(super) mod vas;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::FromQueryResult;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::model::{Lifecycle, Window};
use super::policy;
use super::port::{
    AllowanceType, AllowanceView, OfferingId, OfferingView, PlanPeriod, PriceId, PriceView, ServiceMapping,
    ServiceSpecification,
};
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Json, sql};
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

/// An offering with its prices and allowances in one row: one round trip per read.
const SELECT: &str =
    "o.id, o.name, o.spec_id, s.name as spec_name, o.is_bundle, o.is_sellable, o.lifecycle_status, o.valid_from,
    o.valid_to, o.period_kind, o.version, o.updated_at, o.attributes,
    (select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'type', p.price_type, 'length', p.recurring_period_length,
            'period', p.recurring_period_type, 'amount', p.amount_minor, 'currency', p.currency, 'from', p.valid_from,
            'to', p.valid_to, 'name', p.name, 'attributes', p.attributes) order by p.id), '[]')
     from catalog.product_offering_price p where p.offering_id = o.id) as prices,
    (select coalesce(jsonb_agg(jsonb_build_object('type', a.allowance_type, 'quantity', a.quantity,
            'fair_use', a.fair_use_quantity) order by a.id), '[]')
     from catalog.bundle_allowance a where a.offering_id = o.id) as allowances,
    (select coalesce(jsonb_agg(jsonb_build_object('id', c.id, 'name', c.name) order by c.id), '[]')
     from catalog.category_offering m join catalog.category c on c.id = m.category_id where m.offering_id = o.id) as categories";
const FROM: &str =
    "catalog.product_offering o join catalog.product_specification s on s.id = o.spec_id where o.tenant_id = $1";

/// Most plans that one answer holds; an operator of our size has a dozen.
const OFFERINGS_MAX: usize = 1_000;

/// `lifecycle_status` as TMF620 writes it.
const LIFECYCLE: &[(&str, &[&str])] = &[
    ("In study", &["in_study"]),
    ("In design", &["in_design"]),
    ("In test", &["in_test"]),
    ("Active", &["active"]),
    ("Launched", &["launched"]),
    ("Retired", &["retired"]),
    ("Obsolete", &["obsolete"]),
    ("Rejected", &["rejected"]),
];

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("o.id") },
        Attribute { path: "name", column: Column::text("o.name") },
        Attribute { path: "isBundle", column: Column::boolean("o.is_bundle") },
        Attribute { path: "isSellable", column: Column::boolean("o.is_sellable") },
        Attribute { path: "lifecycleStatus", column: Column::text("o.lifecycle_status").named(LIFECYCLE) },
        Attribute { path: "lastUpdate", column: Column::timestamp("o.updated_at") },
        Attribute { path: "validFor.startDateTime", column: Column::timestamp("o.valid_from") },
        Attribute { path: "validFor.endDateTime", column: Column::timestamp("o.valid_to") },
        Attribute { path: "productSpecification.id", column: Column::text("o.spec_id") },
        Attribute {
            path: "productOfferingPrice.id",
            column: Column::text("p.id")
                .within("select 1 from catalog.product_offering_price p where p.offering_id = o.id"),
        },
        Attribute {
            path: "category.id",
            column: Column::text("m.category_id")
                .within("select 1 from catalog.category_offering m where m.offering_id = o.id"),
        },
    ],
    default_order: "o.id",
    tiebreak: "o.id",
};

#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct OfferingRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) spec_id: String,
    pub(super) spec_name: String,
    pub(super) is_bundle: bool,
    pub(super) is_sellable: bool,
    pub(super) lifecycle_status: String,
    pub(super) valid_from: Option<DateTime<Utc>>,
    pub(super) valid_to: Option<DateTime<Utc>>,
    period_kind: String,
    pub(super) version: i64,
    pub(super) updated_at: DateTime<Utc>,
    attributes: Json<Map<String, Value>>,
    prices: Json<Vec<PriceColumn>>,
    allowances: Json<Vec<AllowanceColumn>>,
    categories: Json<Vec<Named>>,
}

/// A price as the row aggregates it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PriceColumn {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) price_type: String,
    pub(super) length: i16,
    pub(super) period: String,
    amount: i64,
    currency: String,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    pub(super) name: Option<String>,
    pub(super) attributes: Map<String, Value>,
}

/// Something that is referred to.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

impl PriceColumn {
    pub(super) fn money(&self) -> Result<Money> {
        money(self.amount, &self.currency)
    }

    pub(super) const fn window(&self) -> Window {
        Window { valid_from: self.from, valid_to: self.to }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct AllowanceColumn {
    #[serde(rename = "type")]
    kind: String,
    quantity: i64,
    fair_use: Option<i64>,
}

fn money(minor: i64, currency: &str) -> Result<Money> {
    let currency =
        currency.parse().map_err(|_| Error::Internal(format!("the catalog holds the currency {currency}")))?;
    Ok(Money::new(minor, currency))
}

fn allowance_type(text: &str) -> Result<AllowanceType> {
    AllowanceType::parse(text).ok_or_else(|| Error::Internal(format!("the catalog holds the allowance type {text}")))
}

fn decoded<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    T::deserialize(value).map_err(|e| Error::Internal(format!("an aggregated catalog row cannot be read: {e}")))
}

/// Attributes that are stored and echoed, as a row has them.
fn attributes(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn lifecycle(text: &str) -> Result<Lifecycle> {
    Lifecycle::parse(text).ok_or_else(|| Error::Internal(format!("the catalog holds the lifecycle status {text}")))
}

impl OfferingRow {
    pub(super) fn lifecycle(&self) -> Result<Lifecycle> {
        lifecycle(&self.lifecycle_status)
    }

    pub(super) const fn window(&self) -> Window {
        Window { valid_from: self.valid_from, valid_to: self.valid_to }
    }

    pub(super) const fn attributes(&self) -> &Map<String, Value> {
        &self.attributes.0
    }

    pub(super) fn categories(&self) -> &[Named] {
        &self.categories.0
    }

    pub(super) fn prices(&self) -> &[PriceColumn] {
        &self.prices.0
    }

    pub(super) fn allowances(&self) -> Result<Vec<AllowanceView>> {
        let view = |column: &AllowanceColumn| {
            let allowance_type = allowance_type(&column.kind)?;
            let plain = AllowanceView::plain(allowance_type, column.quantity);
            Ok(AllowanceView { fair_use_quantity: column.fair_use, ..plain })
        };
        self.allowances.0.iter().map(view).collect()
    }

    /// The view at an instant, which decides the active price.
    pub(super) fn view(&self, at: DateTime<Utc>) -> Result<OfferingView> {
        let recurring = self.prices().iter().filter(|price| price.price_type == "recurring");
        let price = |column: &PriceColumn| {
            Ok(PriceView {
                money: column.money()?,
                id: column.id.clone().into(),
                offering_id: self.id.clone().into(),
                valid_from: column.from,
                valid_to: column.to,
            })
        };
        let prices: Vec<PriceView> = recurring.map(price).collect::<Result<_>>()?;
        Ok(OfferingView {
            active_price: policy::cheapest_in_force(&prices, at).cloned(),
            bundle_allowance: self.allowances()?,
            period_kind: PlanPeriod::parse(&self.period_kind)
                .ok_or_else(|| Error::Internal(format!("the catalog holds the period kind {}", self.period_kind)))?,
            id: self.id.clone().into(),
            name: self.name.clone(),
            spec_id: self.spec_id.clone(),
            is_bundle: self.is_bundle,
            is_sellable: self.is_sellable,
            lifecycle_status: self.lifecycle_status.clone(),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            prices,
        })
    }
}

pub(super) async fn offerings(db: &Db, cx: &Context) -> Result<Vec<OfferingRow>> {
    let query = format!("select {SELECT} from {FROM} order by o.id limit {OFFERINGS_MAX}");
    Ok(OfferingRow::find_by_statement(sql!(query, cx.tenant.as_ref())).all(db.connection()).await?)
}

/// Offerings that were asked for at the same time.
pub(super) async fn offerings_by_id(
    db: Db,
    tenant: Arc<str>,
    ids: Vec<OfferingId>,
) -> Result<Vec<(OfferingId, Arc<OfferingRow>)>> {
    let query = format!("select {SELECT} from {FROM} and o.id = any($2)");
    let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
    let rows = OfferingRow::find_by_statement(sql!(query, tenant.as_ref(), ids)).all(db.keyed()).await?;
    Ok(rows.into_iter().map(|row| (row.id.clone().into(), Arc::new(row))).collect())
}

pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<OfferingRow>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    db::list(db, SELECT, FROM, &cx.tenant, &filter).await
}

pub(super) async fn price(db: &Db, cx: &Context, id: &PriceId) -> Result<Option<PriceView>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
        offering_id: String,
        amount_minor: i64,
        currency: String,
        valid_from: Option<DateTime<Utc>>,
        valid_to: Option<DateTime<Utc>>,
    }
    let statement = sql!(
        "select id, offering_id, amount_minor, currency, valid_from, valid_to from catalog.product_offering_price
         where tenant_id = $1 and id = $2 and offering_id is not null",
        cx.tenant.as_ref(),
        id
    );
    let row = Row::find_by_statement(statement).one(db.connection()).await?;
    row.map(|row| {
        Ok(PriceView {
            id: row.id.into(),
            offering_id: row.offering_id.into(),
            money: money(row.amount_minor, &row.currency)?,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
        })
    })
    .transpose()
}

pub(super) async fn service_mapping(db: &Db, cx: &Context, id: &OfferingId) -> Result<Option<ServiceMapping>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
        name: String,
        activation_tasks: Vec<String>,
        is_cfs: bool,
    }
    let statement = sql!(
        "select s.id, s.name, s.activation_tasks, s.id = m.cfs_spec_id as is_cfs
         from catalog.product_to_service_mapping m
         join catalog.service_specification s on s.id = m.cfs_spec_id or s.id = any(m.rfs_spec_ids)
         where m.tenant_id = $1 and m.offering_id = $2
         order by array_position(m.rfs_spec_ids, s.id) nulls first",
        cx.tenant.as_ref(),
        id
    );
    let rows = Row::find_by_statement(statement).all(db.connection()).await?;
    let (mut cfs, mut rfs) = (None, Vec::new());
    for row in rows {
        let specification = ServiceSpecification { id: row.id, name: row.name, activation_tasks: row.activation_tasks };
        if row.is_cfs { cfs = Some(specification) } else { rfs.push(specification) }
    }
    Ok(cfs.map(|cfs| ServiceMapping { cfs, rfs }))
}
