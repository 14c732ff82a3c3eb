//! The tables of promotions: terms, and who may use them. What was used is in [`entitlement`].

pub(super) mod entitlement;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use sea_orm::{ConnectionTrait, FromQueryResult, QueryResult};
use serde_json::Value;

use super::model::{Audience, CodeKind, Duration, PromoCode, Promotion, Terms};
use crate::domains::catalog::model::Window;
use crate::domains::catalog::port::{ListPromotions, PromotionId, PromotionState};
use crate::domains::crm::port::CustomerId;
use crate::platform::context::Context;
use crate::platform::db::{self, Db, Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::money::{Currency, Discount};
use crate::platform::tmf::filter::{Attribute, Column, Listing, SqlFilter};
use crate::platform::tmf::query::ListQuery;

const SELECT: &str = "p.id, p.name, p.code, p.code_kind, p.audience, p.discount_type, p.discount_value::text as discount_value,
    p.currency, p.applicable_offering_ids, p.duration_kind, p.periods_total, p.valid_from, p.valid_to, p.state, p.created_by,
    p.attributes, p.version, p.updated_at";
const FROM: &str = "catalog.promotion p where p.tenant_id = $1";

/// What is known of a promotion for the customer `$3`, beside itself.
const FACTS: &str = "
    exists (select from catalog.promotion_eligibility e
            where e.tenant_id = $1 and e.promotion_id = p.id and e.customer_id = $3 and e.removed_at is null) as is_eligible,
    exists (select from catalog.entitlement u
            where u.tenant_id = $1 and u.customer_id = $3 and u.promotion_id = p.id and u.state <> 'revoked')
        as is_used_by_customer,
    p.code_kind = 'single_use_shared' and exists (
        select from catalog.entitlement u
        where u.tenant_id = $1 and u.promotion_id = p.id and u.code_kind = 'single_use_shared' and u.state <> 'revoked')
        as is_used";

/// A state of ours as TMF671 suggests to write it.
pub(super) const LIFECYCLE: &[(&str, &[&str])] = &[("release", &["active"]), ("retirement", &["exhausted"])];

/// What is taken off, as TMF671 calls it.
pub(super) const PROMOTION_TYPES: &[(&str, &[&str])] = &[("Discount", &["percent"]), ("Reduction", &["absolute"])];

const LISTING: Listing = Listing {
    attributes: &[
        Attribute { path: "id", column: Column::text("p.id") },
        Attribute { path: "name", column: Column::text("coalesce(p.name, p.id)") },
        Attribute { path: "lifecycleStatus", column: Column::text("p.state").named(LIFECYCLE) },
        Attribute { path: "promotionType", column: Column::text("p.discount_type").named(PROMOTION_TYPES) },
        Attribute { path: "lastUpdate", column: Column::timestamp("p.updated_at") },
        Attribute { path: "validFor.startDateTime", column: Column::timestamp("p.valid_from") },
        Attribute { path: "validFor.endDateTime", column: Column::timestamp("p.valid_to") },
    ],
    default_order: "p.id",
    tiebreak: "p.id",
};

#[derive(Debug, FromQueryResult)]
struct Row {
    id: String,
    name: Option<String>,
    code: String,
    code_kind: String,
    audience: String,
    discount_type: String,
    discount_value: String,
    currency: String,
    applicable_offering_ids: Vec<String>,
    duration_kind: String,
    periods_total: Option<i16>,
    valid_from: Option<DateTime<Utc>>,
    valid_to: Option<DateTime<Utc>>,
    state: String,
    created_by: String,
    attributes: Value,
    version: i64,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn terms(&self) -> Option<Terms> {
        let currency: Currency = self.currency.parse().ok()?;
        let value: Decimal = self.discount_value.parse().ok()?;
        let discount = match self.discount_type.as_str() {
            "percent" => Discount::Percent(value.normalize()),
            "absolute" => {
                let minor = value.checked_mul(Decimal::from(10_i64.pow(currency.exponent())))?;
                Discount::Absolute(minor.to_i64()?)
            }
            _ => return None,
        };
        let duration = match (self.duration_kind.as_str(), self.periods_total) {
            ("single", None) => Duration::Single,
            ("multi", Some(periods)) => Duration::Multi(periods),
            ("perpetual", None) => Duration::Perpetual,
            _ => return None,
        };
        Some(Terms { discount, currency, duration })
    }
}

impl TryFrom<Row> for Promotion {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let damaged = |what: &str| Error::Internal(format!("promotion {} has an unreadable {what}", row.id));
        Ok(Self {
            terms: row.terms().ok_or_else(|| damaged("discount"))?,
            code_kind: CodeKind::parse(&row.code_kind).ok_or_else(|| damaged("kind of code"))?,
            audience: Audience::parse(&row.audience).ok_or_else(|| damaged("audience"))?,
            state: PromotionState::parse(&row.state).ok_or_else(|| damaged("state"))?,
            id: row.id.into(),
            name: row.name,
            code: PromoCode::stored(row.code),
            applicable: row.applicable_offering_ids.into_iter().map(Into::into).collect(),
            window: Window { valid_from: row.valid_from, valid_to: row.valid_to },
            created_by: row.created_by,
            attributes: row.attributes.as_object().cloned().unwrap_or_default(),
            version: row.version,
            updated_at: row.updated_at,
        })
    }
}

/// A promotion, and what decides whether a customer can use it.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) promotion: Promotion,
    /// It is assigned to the customer.
    pub(super) is_eligible: bool,
    pub(super) is_used_by_customer: bool,
    /// Of a code that is good for one use: somebody has used it.
    pub(super) is_used: bool,
}

impl Facts {
    fn read(result: &QueryResult) -> Result<Self> {
        Ok(Self {
            promotion: Row::from_query_result(result, "")?.try_into()?,
            is_eligible: result.try_get("", "is_eligible")?,
            is_used_by_customer: result.try_get("", "is_used_by_customer")?,
            is_used: result.try_get("", "is_used")?,
        })
    }
}

/// The promotion of a code, with what is known of the customer.
pub(super) async fn by_code(
    connection: &impl ConnectionTrait,
    cx: &Context,
    code: &PromoCode,
    customer: Option<&CustomerId>,
) -> Result<Option<Facts>> {
    let query = format!("select {SELECT}, {FACTS} from {FROM} and p.code = $2");
    let customer = customer.map(CustomerId::as_str);
    let found = connection.query_one_raw(sql!(query, cx.tenant.as_ref(), code.as_str(), customer)).await?;
    found.as_ref().map(Facts::read).transpose()
}

/// Most promotions that are compared for an order. An operator of our size assigns a handful to one customer.
const CANDIDATES_MAX: i64 = 100;

/// The active promotions that the customer was assigned, latest first.
pub(super) async fn assigned(db: &Db, cx: &Context, customer: &CustomerId) -> Result<Vec<Facts>> {
    let query = format!(
        "select {SELECT}, {FACTS}
         from catalog.promotion_eligibility m join catalog.promotion p on p.id = m.promotion_id
         where p.tenant_id = $1 and m.tenant_id = $1 and m.customer_id = $3 and m.removed_at is null and p.state = $2
           and p.audience = 'targeted'
         order by m.id desc limit {CANDIDATES_MAX}"
    );
    let statement = sql!(query, cx.tenant.as_ref(), PromotionState::Active.as_str(), customer);
    db.keyed().query_all_raw(statement).await?.iter().map(Facts::read).collect()
}

pub(super) async fn find(
    connection: &impl ConnectionTrait,
    cx: &Context,
    id: &PromotionId,
) -> Result<Option<Promotion>> {
    let query = format!("select {SELECT} from {FROM} and p.id = $2");
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(connection).await?;
    row.map(Promotion::try_from).transpose()
}

/// Reads it and keeps it from every other change until `tx` ends.
pub(super) async fn lock(tx: &Tx, cx: &Context, id: &PromotionId) -> Result<Option<Promotion>> {
    let query = format!("select {SELECT} from {FROM} and p.id = $2 for no key update");
    let row = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?;
    row.map(Promotion::try_from).transpose()
}

/// Those that fit, by id.
pub(super) async fn list(db: &Db, cx: &Context, query: &ListPromotions) -> Result<Vec<Promotion>> {
    let statement = sql!(
        format!("select {SELECT} from {FROM} and ($2::text is null or p.state = $2) order by p.id limit $3 offset $4"),
        cx.tenant.as_ref(),
        query.state.map(PromotionState::as_str),
        i64::from(query.limit),
        i64::from(query.offset)
    );
    Row::find_by_statement(statement).all(db.connection()).await?.into_iter().map(Promotion::try_from).collect()
}

/// One page of those that fit, with how many there are.
pub(super) async fn page(db: &Db, cx: &Context, query: &ListQuery) -> Result<(u64, Vec<Promotion>)> {
    let filter = SqlFilter::new(query, &LISTING, 2)?;
    let (total, rows) = db::list::<Row>(db, SELECT, FROM, &cx.tenant, &filter).await?;
    Ok((total, rows.into_iter().map(Promotion::try_from).collect::<Result<_>>()?))
}

pub(super) async fn insert(tx: &Tx, cx: &Context, new: &Promotion) -> Result<()> {
    let offerings: Vec<String> = new.applicable.iter().map(ToString::to_string).collect();
    let statement = sql!(
        "insert into catalog.promotion (id, tenant_id, name, code, code_kind, audience, offer_definition_id, discount_type,
             discount_value, currency, applicable_offering_ids, duration_kind, periods_total, valid_from, valid_to, state,
             created_by, attributes, version, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::numeric, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        &new.id,
        cx.tenant.as_ref(),
        new.name.as_deref(),
        new.code.as_str(),
        new.code_kind.as_str(),
        new.audience.as_str(),
        new.offer_definition_id(),
        new.terms.kind(),
        new.terms.value().to_string(),
        new.terms.currency.as_str(),
        offerings,
        new.terms.duration.kind(),
        new.terms.duration.periods(),
        new.window.valid_from,
        new.window.valid_to,
        new.state.as_str(),
        new.created_by.as_str(),
        Value::Object(new.attributes.clone()),
        new.version,
        new.updated_at
    );
    execute(&**tx, statement).await.map(drop)
}

/// Writes the state of a locked promotion, one version on.
pub(super) async fn save_state(tx: &Tx, cx: &Context, promotion: &Promotion) -> Result<()> {
    let statement = sql!(
        "update catalog.promotion set state = $3, version = $4, updated_at = $5 where tenant_id = $1 and id = $2",
        cx.tenant.as_ref(),
        &promotion.id,
        promotion.state.as_str(),
        promotion.version,
        promotion.updated_at
    );
    match execute(&**tx, statement).await? {
        1 => Ok(()),
        _ => Err(Error::Internal(format!("promotion {} was not there to be saved", promotion.id))),
    }
}

fn customers(result: &[QueryResult]) -> Result<Vec<CustomerId>> {
    result.iter().map(|row| Ok(CustomerId::from(row.try_get::<String>("", "customer_id")?))).collect()
}

/// Lets these customers use a locked promotion; answers those that could not before.
pub(super) async fn assign(tx: &Tx, cx: &Context, id: &PromotionId, wanted: &[CustomerId]) -> Result<Vec<CustomerId>> {
    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let statement = sql!(
        "insert into catalog.promotion_eligibility (tenant_id, promotion_id, customer_id, assigned_at, created_by)
         select $1, $2, c.id, $4, $5 from unnest($3::text[]) as c (id)
         on conflict do nothing returning customer_id",
        cx.tenant.as_ref(),
        id,
        wanted,
        cx.now,
        cx.actor.as_ref()
    );
    customers(&tx.query_all_raw(statement).await?)
}

/// Takes a locked promotion back from these customers; answers those that could use it.
pub(super) async fn unassign(
    tx: &Tx,
    cx: &Context,
    id: &PromotionId,
    wanted: &[CustomerId],
) -> Result<Vec<CustomerId>> {
    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let statement = sql!(
        "update catalog.promotion_eligibility set removed_at = $4, removed_by = $5
         where tenant_id = $1 and promotion_id = $2 and customer_id = any($3) and removed_at is null
         returning customer_id",
        cx.tenant.as_ref(),
        id,
        wanted,
        cx.now,
        cx.actor.as_ref()
    );
    customers(&tx.query_all_raw(statement).await?)
}

/// How many customers may use it now, how many orders have claimed it, and how many ended with it.
pub(super) async fn usage(db: &Db, cx: &Context, id: &PromotionId) -> Result<(i64, i64, i64)> {
    #[derive(FromQueryResult)]
    struct Counts {
        eligible: i64,
        claimed: i64,
        redeemed: i64,
    }
    let statement = sql!(
        "select (select count(*) from catalog.promotion_eligibility
                 where tenant_id = $1 and promotion_id = $2 and removed_at is null) as eligible,
                count(*) filter (where state = 'claimed') as claimed, count(*) filter (where state = 'redeemed') as redeemed
         from catalog.entitlement where tenant_id = $1 and promotion_id = $2",
        cx.tenant.as_ref(),
        id
    );
    let counts = Counts::find_by_statement(statement).one(db.connection()).await?;
    let counts = counts.ok_or_else(|| Error::Internal("a count gave no row".into()))?;
    Ok((counts.eligible, counts.claimed, counts.redeemed))
}
