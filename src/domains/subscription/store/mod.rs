//! The tables of this domain. Nothing else in it knows SQL.
//!
//! The row of a line is locked before anything that belongs to the line is read or changed, its balances included. What is
//! read under that lock is read by a statement of its own: one that had to wait for the lock would see the others' tables
//! as they were before it waited.

pub(super) mod bucket;
pub(super) mod change;
pub(super) mod contract;
pub(super) mod listing;
pub(super) mod migration;
pub(super) mod period;
pub(super) mod purchase;
pub(super) mod quota;
pub(super) mod renewal;
mod saving;
pub(super) mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use serde_json::Value;

use super::model::Line;
use super::period::{Period, PeriodKind};
use super::port::{BlockReason, Booking, LineStatus, ListLines, StateChangeView, SubscriptionId};
use super::state::{Reasons, State};
use super::terms::{PendingPlan, PendingPrice};
use crate::domains::catalog::port::PlanPeriod;
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::platform::context::Context;
use crate::platform::db::{Db, Tx, sql};
use crate::platform::error::{Error, Result};
use crate::platform::ids::{self, Begins};
use crate::platform::money::{Discount, Money};
use crate::platform::page;

pub(super) use saving::{Step, save, save_all, save_noted};

/// Most lines of one customer, or steps of one history, that an answer holds.
const ROWS_MAX: u32 = 1_000;

/// The columns of [`LineRow`].
const LINE: &str = "s.id, s.customer_id, s.offering_id, s.commercial_order_id, s.msisdn, s.iccid, s.cfs_service_id, s.state,
    s.state_reason, s.block_reasons, s.activated_at, s.terminated_at, s.period_kind, s.anchor_day, s.anchor_time, s.period_index,
    s.current_period_start, s.current_period_end, s.renewal_attempt_id, s.renewal_attempted_for, s.price_amount_minor,
    s.price_currency, s.price_offering_price_id, s.discount_type, s.discount_value::text as discount_value,
    s.discount_periods_remaining, s.discount_last_period, s.promo_code, s.promo_offer_definition_id, s.pending_offering_id,
    s.pending_offering_price_id, s.pending_price_amount_minor, s.pending_price_currency, s.pending_effective_at, s.migration_id,
    s.migration_price_id, s.migration_amount_minor, s.migration_currency, s.migration_effective_at, s.version";

/// The balances of a line in the same snapshot as its row.
const BALANCES: &str = "(select coalesce(jsonb_agg(jsonb_build_object('kind', b.allowance_type, 'unlimited', b.unlimited,
        'unlimited_until', b.unlimited_until, 'fair_use', b.fair_use, 'total', b.total, 'remaining', b.remaining, 'start', b.period_start, 'end', b.period_end) order by b.allowance_type), '[]')
    from subscription.bundle_balance b where b.subscription_id = s.id) as balances";

#[derive(Debug, FromQueryResult)]
struct LineRow {
    id: String,
    customer_id: String,
    offering_id: String,
    commercial_order_id: String,
    msisdn: String,
    iccid: String,
    cfs_service_id: String,
    state: String,
    state_reason: Option<String>,
    block_reasons: Vec<String>,
    activated_at: Option<DateTime<Utc>>,
    terminated_at: Option<DateTime<Utc>>,
    period_kind: String,
    anchor_day: Option<i16>,
    anchor_time: Option<NaiveTime>,
    period_index: i32,
    current_period_start: Option<DateTime<Utc>>,
    current_period_end: Option<DateTime<Utc>>,
    renewal_attempt_id: Option<String>,
    renewal_attempted_for: Option<DateTime<Utc>>,
    price_amount_minor: i64,
    price_currency: String,
    price_offering_price_id: String,
    discount_type: Option<String>,
    discount_value: Option<String>,
    discount_periods_remaining: i32,
    discount_last_period: Option<i32>,
    promo_code: Option<String>,
    promo_offer_definition_id: Option<String>,
    pending_offering_id: Option<String>,
    pending_offering_price_id: Option<String>,
    pending_price_amount_minor: Option<i64>,
    pending_price_currency: Option<String>,
    pending_effective_at: Option<DateTime<Utc>>,
    migration_id: Option<String>,
    migration_price_id: Option<String>,
    migration_amount_minor: Option<i64>,
    migration_currency: Option<String>,
    migration_effective_at: Option<DateTime<Utc>>,
    version: i64,
}

/// A line with its balances, read at one instant.
#[derive(Debug, FromQueryResult)]
struct ShownRow {
    #[sea_orm(nested)]
    line: LineRow,
    balances: Value,
}

/// A line with its balances, read at one instant.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) line: Line,
    pub(super) balances: Vec<quota::Held>,
}

fn corrupt(what: &str, text: &str) -> Error {
    Error::Internal(format!("the row of a line holds the {what} {text}"))
}

/// Money as a row holds it.
fn money(minor: i64, currency: &str) -> Result<Money> {
    let currency = currency.parse().map_err(|_| corrupt("currency", currency))?;
    Ok(Money::new(minor, currency))
}

fn reasons(texts: &[String]) -> Result<Reasons> {
    texts.iter().map(|text| BlockReason::parse(text).ok_or_else(|| corrupt("block reason", text))).collect()
}

fn status(text: &str) -> Result<LineStatus> {
    let all = [LineStatus::Pending, LineStatus::Active, LineStatus::Blocked, LineStatus::Terminated];
    all.into_iter().find(|status| status.as_str() == text).ok_or_else(|| corrupt("state", text))
}

impl LineRow {
    fn line(self) -> Result<Line> {
        let price = money(self.price_amount_minor, &self.price_currency)?;
        let (discount, period_kind, state) = (self.discount(price)?, self.period_kind(), self.state()?);
        let (pending_plan, pending_price) = (self.pending_plan()?, self.pending_price()?);
        Ok(Line {
            id: self.id.into(),
            customer_id: self.customer_id.into(),
            offering_id: self.offering_id.into(),
            order_id: self.commercial_order_id.into(),
            msisdn: self.msisdn.into(),
            iccid: self.iccid.into(),
            cfs_service_id: self.cfs_service_id.into(),
            state,
            state_reason: self.state_reason,
            activated_at: self.activated_at,
            terminated_at: self.terminated_at,
            period_kind,
            period_index: self.period_index,
            period: self.current_period_start.zip(self.current_period_end).map(|(start, end)| Period { start, end }),
            renewal_attempt_id: self.renewal_attempt_id.map(Into::into),
            renewal_attempted_for: self.renewal_attempted_for,
            price,
            price_id: self.price_offering_price_id.into(),
            discount,
            discount_periods_remaining: self.discount_periods_remaining,
            discount_last_period: self.discount_last_period,
            promo_code: self.promo_code,
            promo_offer_definition_id: self.promo_offer_definition_id,
            pending_plan,
            pending_price,
            version: self.version,
        })
    }

    fn pending_plan(&self) -> Result<Option<PendingPlan>> {
        let (Some(offering), Some(price), Some(minor), Some(currency), Some(effective_at)) = (
            &self.pending_offering_id,
            &self.pending_offering_price_id,
            self.pending_price_amount_minor,
            &self.pending_price_currency,
            self.pending_effective_at,
        ) else {
            return Ok(None);
        };
        let price_id = price.clone().into();
        Ok(Some(PendingPlan {
            offering_id: offering.clone().into(),
            price_id,
            price: money(minor, currency)?,
            effective_at,
        }))
    }

    fn pending_price(&self) -> Result<Option<PendingPrice>> {
        let (Some(migration), Some(price), Some(minor), Some(currency), Some(effective_at)) = (
            &self.migration_id,
            &self.migration_price_id,
            self.migration_amount_minor,
            &self.migration_currency,
            self.migration_effective_at,
        ) else {
            return Ok(None);
        };
        let (migration_id, price_id) = (migration.clone().into(), price.clone().into());
        Ok(Some(PendingPrice { migration_id, price_id, price: money(minor, currency)?, effective_at }))
    }

    fn state(&self) -> Result<State> {
        Ok(match status(&self.state)? {
            LineStatus::Pending => State::Pending,
            LineStatus::Active => State::Active,
            LineStatus::Blocked => State::Blocked(reasons(&self.block_reasons)?),
            LineStatus::Terminated => State::Terminated,
        })
    }

    fn period_kind(&self) -> PeriodKind {
        if self.period_kind == "days_30" {
            return PeriodKind::Days30;
        }
        // A line that was never active has no anchor yet; going live gives it one.
        let day = self.anchor_day.and_then(|day| u32::try_from(day).ok()).unwrap_or(1);
        PeriodKind::CalendarMonth { day, time: self.anchor_time.unwrap_or_default() }
    }

    fn discount(&self, price: Money) -> Result<Option<Discount>> {
        let (Some(kind), Some(value)) = (&self.discount_type, &self.discount_value) else { return Ok(None) };
        let malformed = || corrupt("discount", value);
        let discount = match kind.as_str() {
            "percent" => Discount::Percent(value.parse().map_err(|_| malformed())?),
            "absolute" => Discount::Absolute(Money::parse(value, price.currency).map_err(|_| malformed())?.minor),
            _ => return Err(corrupt("discount type", kind)),
        };
        Ok(Some(discount))
    }
}

async fn shown(connection: &impl ConnectionTrait, statement: Statement) -> Result<Vec<Shown>> {
    let rows = ShownRow::find_by_statement(statement).all(connection).await?;
    let shown = |row: ShownRow| Ok(Shown { line: row.line.line()?, balances: quota::held(row.balances)? });
    rows.into_iter().map(shown).collect()
}

/// Lines of one tenant with their balances.
pub(super) async fn shown_by_id(
    db: Db,
    tenant: Arc<str>,
    ids: Vec<SubscriptionId>,
) -> Result<Vec<(SubscriptionId, Shown)>> {
    let query =
        format!("select {LINE}, {BALANCES} from subscription.subscription s where s.tenant_id = $1 and s.id = any($2)");
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let found = shown(db.keyed(), sql!(query, tenant.as_ref(), ids)).await?;
    Ok(found.into_iter().map(|shown| (shown.line.id.clone(), shown)).collect())
}

/// The lines of a customer, newest first.
pub(super) async fn show_lines_of(db: &Db, cx: &Context, customer: &CustomerId) -> Result<Vec<Shown>> {
    let query = format!(
        "select {LINE}, {BALANCES} from subscription.subscription s where s.tenant_id = $1 and s.customer_id = $2
         order by s.created_at desc, s.id desc limit {ROWS_MAX}"
    );
    shown(db.connection(), sql!(query, cx.tenant.as_ref(), customer)).await
}

/// Lines that fit.
pub(super) async fn show_lines(db: &Db, cx: &Context, query: &ListLines) -> Result<Vec<Shown>> {
    page::within(query.limit, 200, query.offset)?;
    let Begins { condition, order_by } =
        Begins::with("s.id", "$3", query.id_prefix.as_deref(), "s.created_at desc, s.id desc");
    let text = format!(
        "select {LINE}, {BALANCES} from subscription.subscription s
         where s.tenant_id = $1 and ($2::text is null or s.state = $2) {condition}
         order by {order_by} limit $4 offset $5"
    );
    let statement = sql!(
        text,
        cx.tenant.as_ref(),
        query.state.map(LineStatus::as_str),
        query.id_prefix.as_deref(),
        i64::from(query.limit),
        i64::from(query.offset)
    );
    shown(db.connection(), statement).await
}

/// The line that holds the number, else the last one that held it.
pub(super) async fn show_by_number(db: &Db, cx: &Context, msisdn: &Msisdn) -> Result<Shown> {
    // In two parts, since each has an index of its own and the two together have none.
    let query = format!(
        "select {LINE}, {BALANCES} from (
             (select l.*, 0 as ended from subscription.subscription l
              where l.tenant_id = $1 and l.msisdn = $2 and l.state <> 'terminated')
             union all
             (select l.*, 1 as ended from subscription.subscription l
              where l.tenant_id = $1 and l.msisdn = $2 and l.state = 'terminated'
              order by l.terminated_at desc limit 1)
             order by ended limit 1) s"
    );
    let found = shown(db.keyed(), sql!(query, cx.tenant.as_ref(), msisdn)).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("subscription with the number", msisdn))
}

/// The lines of a customer that have not ended.
pub(super) async fn open_lines(
    connection: &impl ConnectionTrait,
    cx: &Context,
    customer: &CustomerId,
) -> Result<Vec<SubscriptionId>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
    }
    let statement = sql!(
        "select id from subscription.subscription
         where tenant_id = $1 and customer_id = $2 and state <> 'terminated' order by created_at desc, id desc",
        cx.tenant.as_ref(),
        customer
    );
    let rows = Row::find_by_statement(statement).all(connection).await?;
    Ok(rows.into_iter().map(|row| row.id.into()).collect())
}

/// Every step of a line, oldest first.
pub(super) async fn history(db: &Db, cx: &Context, id: &SubscriptionId) -> Result<Vec<StateChangeView>> {
    #[derive(FromQueryResult)]
    struct Row {
        from_state: Option<String>,
        to_state: String,
        block_reasons: Vec<String>,
        changed_by: String,
        reason: Option<String>,
        note: Option<String>,
        event_time: DateTime<Utc>,
    }
    let query = format!(
        "select from_state, to_state, block_reasons, changed_by, reason, note, event_time
         from subscription.subscription_state_history where tenant_id = $1 and subscription_id = $2 order by id limit {ROWS_MAX}"
    );
    let rows = Row::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).all(db.connection()).await?;
    let view = |row: Row| {
        Ok(StateChangeView {
            from_state: row.from_state.as_deref().map(status).transpose()?,
            to_state: status(&row.to_state)?,
            block_reasons: reasons(&row.block_reasons)?.iter().collect(),
            changed_by: row.changed_by,
            reason: row.reason,
            note: row.note,
            event_time: row.event_time,
        })
    };
    rows.into_iter().map(view).collect()
}

/// The line of an order, if it is booked.
pub(super) async fn line_of_order(tx: &Tx, cx: &Context, order: &OrderId) -> Result<Option<SubscriptionId>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: String,
    }
    let statement = sql!(
        "select id from subscription.subscription where tenant_id = $1 and commercial_order_id = $2",
        cx.tenant.as_ref(),
        order
    );
    Ok(Row::find_by_statement(statement).one(&**tx).await?.map(|row| row.id.into()))
}

/// Locks a line for this unit of work.
pub(super) async fn lock(tx: &Tx, cx: &Context, id: &SubscriptionId) -> Result<Line> {
    let query = format!(
        "select {LINE} from subscription.subscription s where s.tenant_id = $1 and s.id = $2 for no key update"
    );
    let row = LineRow::find_by_statement(sql!(query, cx.tenant.as_ref(), id)).one(&**tx).await?;
    row.ok_or_else(|| Error::not_found("subscription", id))?.line()
}

/// Locks lines for this unit of work, in the order of their ids, as everybody does who locks several.
pub(super) async fn lock_all(
    tx: &Tx,
    cx: &Context,
    ids: impl Iterator<Item = &SubscriptionId>,
) -> Result<BTreeMap<SubscriptionId, Line>> {
    let query = format!(
        "select {LINE} from subscription.subscription s where s.tenant_id = $1 and s.id = any($2)
         order by s.id for no key update"
    );
    let ids: Vec<String> = ids.map(ToString::to_string).collect();
    let rows = LineRow::find_by_statement(sql!(query, cx.tenant.as_ref(), ids)).all(&**tx).await?;
    rows.into_iter().map(|row| row.line().map(|line| (line.id.clone(), line))).collect()
}

/// Inserts a booked line, with the first step of its history. None when the order has a line already.
pub(super) async fn insert(tx: &Tx, cx: &Context, booking: &Booking, plan: PlanPeriod) -> Result<Option<Line>> {
    let id = ids::next(&**tx, "subscription.subscription_id_seq", "SUB", 4).await?;
    let query = format!(
        "with s as (
             insert into subscription.subscription (id, tenant_id, customer_id, offering_id, commercial_order_id, msisdn, iccid,
                 cfs_service_id, state, price_amount_minor, price_currency, price_offering_price_id, period_kind, discount_type,
                 discount_value, discount_periods_remaining, discount_last_period, promo_code, promo_offer_definition_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $14, $15, $16::text::numeric, $17, $18, $19, $20)
             on conflict (tenant_id, commercial_order_id) do nothing
             returning *),
         history as (
             insert into subscription.subscription_state_history (tenant_id, subscription_id, to_state, changed_by, reason, event_time)
             select $2, s.id, s.state, $12, 'booked', $13 from s)
         select {LINE} from s"
    );
    let discount = booking.discount.as_ref();
    let (discount_type, discount_value) = discount.map(|booked| written(booked.discount, booking.price)).unzip();
    let periods = discount.map(|booked| booked.periods.map_or(-1, i32::from));
    let statement = sql!(
        query,
        id,
        cx.tenant.as_ref(),
        &booking.customer_id,
        &booking.offering_id,
        &booking.order_id,
        &booking.msisdn,
        &booking.iccid,
        &booking.cfs_service_id,
        booking.price.minor,
        booking.price.currency.as_str(),
        &booking.price_id,
        cx.actor.as_ref(),
        cx.now,
        plan.as_str(),
        discount_type,
        discount_value,
        periods.unwrap_or(0),
        periods.filter(|periods| *periods > 0),
        discount.and_then(|booked| booked.promo_code.as_deref()),
        discount.and_then(|booked| booked.promo_offer_definition_id.as_deref())
    );
    LineRow::find_by_statement(statement).one(&**tx).await?.map(LineRow::line).transpose()
}

/// A discount as the row holds it.
fn written(discount: Discount, price: Money) -> (&'static str, String) {
    match discount {
        Discount::Percent(percent) => ("percent", percent.to_string()),
        Discount::Absolute(off) => ("absolute", Money::new(off, price.currency).decimal()),
    }
}
