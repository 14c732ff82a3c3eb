//! The contract of a line: what it is charged by now, and what each period was.

use std::collections::BTreeMap;

use sea_orm::FromQueryResult;

use super::{corrupt, money};
use crate::domains::catalog::port::{AllowanceView, PlanPeriod};
use crate::domains::subscription::model::Line;
use crate::domains::subscription::port::SubscriptionId;
use crate::domains::subscription::terms::{Pivot, Terms};
use crate::platform::context::Context;
use crate::platform::db::{Tx, execute, sql};
use crate::platform::error::{Error, Result};
use crate::platform::money::{Discount, Money};

/// What is charged for a period, and what it will give.
#[derive(Debug, Clone)]
pub(in crate::domains::subscription) struct Offer<'a> {
    pub(in crate::domains::subscription) line: &'a SubscriptionId,
    pub(in crate::domains::subscription) period_index: i32,
    pub(in crate::domains::subscription) terms: &'a Terms,
    /// None: counted as the line's periods were.
    pub(in crate::domains::subscription) period: Option<PlanPeriod>,
    pub(in crate::domains::subscription) allowances: &'a [AllowanceView],
}

/// Keeps the terms of periods with the charges for them. Those of a charge that was declined are replaced.
pub(in crate::domains::subscription) async fn offer(tx: &Tx, cx: &Context, offers: &[Offer<'_>]) -> Result<()> {
    if offers.is_empty() {
        return Ok(());
    }
    super::quota::offer(tx, cx, offers).await?;
    let texts = |read: fn(&Offer<'_>) -> String| offers.iter().map(read).collect::<Vec<String>>();
    // Arrays hold no nulls: what is not there is an empty text.
    let pivot = |offer: &Offer<'_>| match &offer.terms.pivot {
        Some(Pivot::PlanChange) => "plan_change".to_owned(),
        Some(Pivot::PriceMigration(_)) => "price_migration".to_owned(),
        None => String::new(),
    };
    let migration = |offer: &Offer<'_>| match &offer.terms.pivot {
        Some(Pivot::PriceMigration(id)) => id.to_string(),
        Some(Pivot::PlanChange) | None => String::new(),
    };
    let statement = sql!(
        "insert into subscription.period_contract (subscription_id, period_index, tenant_id, offering_id, price_offering_price_id,
             price_amount_minor, price_currency, amount_minor, discounted, period_kind, pivot, migration_id)
         select o.id, o.period_index, $1, o.offering, o.price_id, o.price, o.currency, o.amount, o.discounted,
             nullif(o.kind, ''), nullif(o.pivot, ''), nullif(o.migration, '')
         from unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[], $9::bool[],
                 $10::text[], $11::text[], $12::text[])
             as o (id, period_index, offering, price_id, price, currency, amount, discounted, kind, pivot, migration)
         on conflict (subscription_id, period_index) do update
         set offering_id = excluded.offering_id, price_offering_price_id = excluded.price_offering_price_id,
             price_amount_minor = excluded.price_amount_minor, price_currency = excluded.price_currency,
             amount_minor = excluded.amount_minor, discounted = excluded.discounted, period_kind = excluded.period_kind,
             pivot = excluded.pivot, migration_id = excluded.migration_id",
        cx.tenant.as_ref(),
        texts(|offer| offer.line.to_string()),
        offers.iter().map(|offer| offer.period_index).collect::<Vec<_>>(),
        texts(|offer| offer.terms.offering_id.to_string()),
        texts(|offer| offer.terms.price_id.to_string()),
        offers.iter().map(|offer| offer.terms.price.minor).collect::<Vec<_>>(),
        texts(|offer| offer.terms.price.currency.to_string()),
        offers.iter().map(|offer| offer.terms.amount().minor).collect::<Vec<_>>(),
        offers.iter().map(|offer| offer.terms.discount.is_some()).collect::<Vec<_>>(),
        texts(|offer| offer.period.map_or("", PlanPeriod::as_str).to_owned()),
        offers.iter().map(pivot).collect::<Vec<_>>(),
        offers.iter().map(migration).collect::<Vec<_>>()
    );
    execute(&**tx, statement).await.map(drop)
}

/// The terms that a period was charged by, and how its plan counts.
pub(in crate::domains::subscription) type Kept = (Terms, Option<PlanPeriod>);

/// The terms of one period. None for one that was charged before they were kept.
pub(in crate::domains::subscription) async fn of_period(
    tx: &Tx,
    cx: &Context,
    id: &SubscriptionId,
    period_index: i32,
) -> Result<Option<Kept>> {
    Ok(of_periods(tx, cx, &[(id, period_index)]).await?.remove(id))
}

/// The terms of a period of each of several lines; see [`of_period`].
pub(in crate::domains::subscription) async fn of_periods(
    tx: &Tx,
    cx: &Context,
    periods: &[(&SubscriptionId, i32)],
) -> Result<BTreeMap<SubscriptionId, Kept>> {
    #[derive(FromQueryResult)]
    struct Row {
        subscription_id: String,
        offering_id: String,
        price_offering_price_id: String,
        price_amount_minor: i64,
        price_currency: String,
        amount_minor: i64,
        discounted: bool,
        period_kind: Option<String>,
        pivot: Option<String>,
        migration_id: Option<String>,
    }
    let statement = sql!(
        "select c.subscription_id, c.offering_id, c.price_offering_price_id, c.price_amount_minor, c.price_currency,
                c.amount_minor, c.discounted, c.period_kind, c.pivot, c.migration_id
         from unnest($2::text[], $3::int[]) as p (id, period_index)
         join subscription.period_contract c
           on c.subscription_id = p.id and c.period_index = p.period_index and c.tenant_id = $1",
        cx.tenant.as_ref(),
        periods.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(),
        periods.iter().map(|(_, index)| *index).collect::<Vec<_>>()
    );
    let kept = |row: Row| {
        let pivot = match (row.pivot.as_deref(), row.migration_id) {
            (Some("plan_change"), _) => Some(Pivot::PlanChange),
            (Some(_), Some(migration)) => Some(Pivot::PriceMigration(migration.into())),
            (Some(pivot), None) => return Err(corrupt("pivot", pivot)),
            (None, _) => None,
        };
        let period =
            row.period_kind.as_deref().map(|kind| PlanPeriod::parse(kind).ok_or_else(|| corrupt("period kind", kind)));
        let terms = Terms {
            offering_id: row.offering_id.into(),
            price_id: row.price_offering_price_id.into(),
            price: money(row.price_amount_minor, &row.price_currency)?,
            // As an amount off: that is what it came to.
            discount: row.discounted.then_some(Discount::Absolute(row.price_amount_minor - row.amount_minor)),
            pivot,
        };
        Ok((row.subscription_id.into(), (terms, period.transpose()?)))
    };
    Row::find_by_statement(statement).all(&**tx).await?.into_iter().map(kept).collect()
}

/// Writes the contract of a line that this unit of work has locked: its plan, its price, its discount, and what is booked.
pub(in crate::domains::subscription) async fn save(tx: &Tx, cx: &Context, line: &Line) -> Result<()> {
    let minor = |price: Option<Money>| price.map(|price| price.minor);
    let currency = |price: Option<Money>| price.map(|price| price.currency.to_string());
    let (plan, price) = (line.pending_plan.as_ref(), line.pending_price.as_ref());
    let statement = sql!(
        "update subscription.subscription
         set offering_id = $3, price_offering_price_id = $4, price_amount_minor = $5, price_currency = $6,
             discount_type = case when $7 then discount_type end, discount_value = case when $7 then discount_value end,
             discount_last_period = $8, promo_code = $9, promo_offer_definition_id = $10, pending_offering_id = $11,
             pending_offering_price_id = $12, pending_price_amount_minor = $13, pending_price_currency = $14,
             pending_effective_at = $15, migration_id = $16, migration_price_id = $17, migration_amount_minor = $18,
             migration_currency = $19, migration_effective_at = $20,
             pending_origin = case when $11::text is not null then 'customer' end
         where id = $1 and tenant_id = $2",
        &line.id,
        cx.tenant.as_ref(),
        &line.offering_id,
        &line.price_id,
        line.price.minor,
        line.price.currency.as_str(),
        line.discount.is_some(),
        line.discount_last_period,
        line.promo_code.as_deref(),
        line.promo_offer_definition_id.as_deref(),
        plan.map(|plan| plan.offering_id.as_str()),
        plan.map(|plan| plan.price_id.as_str()),
        minor(plan.map(|plan| plan.price)),
        currency(plan.map(|plan| plan.price)),
        plan.map(|plan| plan.effective_at),
        price.map(|price| price.migration_id.as_str()),
        price.map(|price| price.price_id.as_str()),
        minor(price.map(|price| price.price)),
        currency(price.map(|price| price.price)),
        price.map(|price| price.effective_at)
    );
    if execute(&**tx, statement).await? != 1 {
        return Err(Error::Internal(format!("the line {} was not there to be saved", line.id)));
    }
    Ok(())
}
