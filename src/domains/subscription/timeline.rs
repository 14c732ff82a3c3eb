//! A line's life told in order: every block and its way back, every charge, its refusal and its refund, every grant and its end,
//! every change of contract, with who did it and why.

use super::Service;
use super::port::{SubscriptionId, Subscriptions as _, TimelineEntry, TimelineKind};
use super::store;
use super::store::timeline::{Happening, Row, Source};
use crate::domains::catalog::port::AllowanceType;
use crate::domains::payment::port::{MoneyBack, RefundStatus};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
use crate::platform::page;

/// Most entries of an answer.
const ENTRIES_MAX: u32 = 1_000;

/// Most entries that are left out: each is read all the same.
const OFFSET_MAX: u32 = 10_000;

/// The latest so many top-ups are looked at for refunds.
const PURCHASES_MAX: u32 = 1_000;

impl Service {
    /// See [`Subscriptions::timeline`](super::port::Subscriptions::timeline).
    pub(super) async fn tell_timeline(
        &self,
        cx: &Context,
        id: &SubscriptionId,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<TimelineEntry>> {
        page::bounded(limit, ENTRIES_MAX)?;
        if offset > OFFSET_MAX {
            return Err(Error::invalid("/offset", format!("must be at most {OFFSET_MAX}")));
        }
        let read = limit + offset;
        let happened =
            store::timeline::of_line(&self.platform.db, cx, id, self.platform.config.profile.time_zone, read).await?;
        if happened.is_empty() {
            // Every line has its first step: without one there is no such line.
            self.line(cx, id).await?;
        }
        let mut told: Vec<TimelineEntry> = happened.into_iter().map(entry).collect();
        let mut subjects = store::purchase::latest(&self.platform.db, cx, id, PURCHASES_MAX).await?;
        subjects.push(id.to_string());
        let mut refunds = self.payments.refunds_of(cx, &subjects, read).await?;
        refunds.reverse();
        told.extend(refunds.into_iter().map(money_back));
        // Stable: at the same instant, what led to a refund comes first.
        told.sort_by_key(|entry| entry.at);
        told.truncate(told.len().saturating_sub(offset as usize));
        told.drain(..told.len().saturating_sub(limit as usize));
        Ok(told)
    }
}

fn money_back(refund: MoneyBack) -> TimelineEntry {
    let how = match refund.status {
        RefundStatus::Pending => "goes back",
        RefundStatus::Succeeded => "was paid back",
        RefundStatus::Failed => "was not paid back",
    };
    TimelineEntry {
        at: refund.requested_at,
        kind: TimelineKind::Refund,
        summary: format!("{} of {} ({}) {how}", refund.amount, refund.attempt_id, refund.purpose.as_str()),
        reason: Some(refund.reason),
        note: None,
        amount: Some(refund.amount.decimal()),
        currency: Some(refund.amount.currency.to_string()),
        allowance_type: None,
        quantity: None,
        unit: None,
        offering_id: None,
        period_index: None,
        reference: Some(refund.id.to_string()),
        by: None,
    }
}

fn entry(Happening { source, row }: Happening) -> TimelineEntry {
    let amount = row.amount_minor.zip(row.currency.as_deref().and_then(|code| code.parse().ok()));
    let amount = amount.map(|(minor, currency)| Money::new(minor, currency));
    let allowance = row.allowance_type.as_deref().and_then(AllowanceType::parse);
    let kind = kind(source, &row);
    TimelineEntry {
        summary: summary(kind, source, &row, amount, allowance),
        at: row.at,
        kind,
        reason: row.reason,
        note: row.note,
        amount: amount.map(Money::decimal),
        currency: row.currency,
        allowance_type: allowance,
        quantity: row.quantity,
        unit: allowance.map(AllowanceType::unit),
        offering_id: row.offering_id.map(Into::into),
        period_index: row.period_index,
        reference: row.reference,
        by: row.actor,
    }
}

fn kind(source: Source, row: &Row) -> TimelineKind {
    match source {
        Source::State => match row.blocks_added.unwrap_or(0) {
            added if added > 0 => TimelineKind::Block,
            added if added < 0 && row.what != "terminated" => TimelineKind::Unblock,
            _ => TimelineKind::State,
        },
        Source::Charge => TimelineKind::Charge,
        Source::Decline => TimelineKind::Decline,
        Source::TopUp => TimelineKind::TopUp,
        Source::Quota if row.what == "grant" => TimelineKind::Grant,
        Source::Quota if row.what == "use" => TimelineKind::Use,
        Source::Quota => TimelineKind::Expiry,
        Source::ChangeBooked | Source::ChangeEnded if row.what == "plan_change" => TimelineKind::PlanChange,
        Source::ChangeBooked | Source::ChangeEnded => TimelineKind::PriceMigration,
    }
}

fn summary(
    kind: TimelineKind,
    source: Source,
    row: &Row,
    amount: Option<Money>,
    allowance: Option<AllowanceType>,
) -> String {
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let amount = amount.map(|amount| amount.to_string()).unwrap_or_default();
    let offering = text(row.offering_id.as_ref());
    let period = row.period_index.unwrap_or_default();
    let quantity = || quantity(row.quantity.unwrap_or_default(), allowance);
    match kind {
        TimelineKind::State => format!("the line is {}", row.what),
        TimelineKind::Block => format!("blocked; the reasons are now: {}", text(row.blocks.as_ref())),
        TimelineKind::Unblock if row.what == "active" => "in service again".to_owned(),
        TimelineKind::Unblock => format!("a block was lifted; left: {}", text(row.blocks.as_ref())),
        TimelineKind::Charge => {
            let late = match row.what.as_str() {
                "missed" => ", after periods that were missed",
                "paid_late" => ", paid late",
                _ => "",
            };
            let plan = if offering.is_empty() { String::new() } else { format!(" on {offering}") };
            format!("{amount} paid for period {period}{plan}{late}")
        }
        TimelineKind::Decline => format!("{amount} for period {period} could not be charged"),
        TimelineKind::Refund => format!("{amount} goes back"),
        TimelineKind::TopUp => format!("{offering} asked for, {amount}: {}", row.what),
        TimelineKind::Grant => format!("{} granted", quantity()),
        TimelineKind::Expiry => format!("{} expired", quantity()),
        TimelineKind::Use => {
            format!("{} used in period {period}; the single records are past their retention", quantity())
        }
        TimelineKind::PlanChange | TimelineKind::PriceMigration => {
            let what = if kind == TimelineKind::PlanChange {
                format!("the change to {offering} for {amount}")
            } else {
                format!("the new price {amount}")
            };
            match source {
                Source::ChangeBooked => format!("{what} is booked from {} on", text(row.reason.as_ref())),
                _ => format!("{what} is {}", text(row.reason.as_ref())),
            }
        }
    }
}

/// `1024 mb of data`, `100 sms`.
fn quantity(quantity: i64, allowance: Option<AllowanceType>) -> String {
    let quantity = quantity.abs();
    match allowance {
        None => quantity.to_string(),
        // What is counted by the piece is its own unit.
        Some(allowance @ AllowanceType::Sms) => format!("{quantity} {}", allowance.as_str()),
        Some(allowance) => format!("{quantity} {} of {}", allowance.unit().as_str(), allowance.as_str()),
    }
}
