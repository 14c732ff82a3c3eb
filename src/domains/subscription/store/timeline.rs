//! What happened to a line, from the tables that say so.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sea_orm::FromQueryResult;

use super::corrupt;
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::db::{Db, sql};
use crate::platform::error::Result;

/// Where a happening is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domains::subscription) enum Source {
    State,
    Charge,
    Decline,
    TopUp,
    Quota,
    ChangeBooked,
    ChangeEnded,
}

impl Source {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "state" => Self::State,
            "charge" => Self::Charge,
            "decline" => Self::Decline,
            "top_up" => Self::TopUp,
            "quota" => Self::Quota,
            "booked" => Self::ChangeBooked,
            "ended" => Self::ChangeEnded,
            _ => return Err(corrupt("timeline source", text)),
        })
    }
}

/// One happening, as its table has it. What each source leaves open is None.
#[derive(Debug, Clone)]
pub(in crate::domains::subscription) struct Happening {
    pub(in crate::domains::subscription) source: Source,
    pub(in crate::domains::subscription) row: Row,
}

#[derive(Debug, Clone, FromQueryResult)]
pub(in crate::domains::subscription) struct Row {
    source: String,
    pub(in crate::domains::subscription) at: DateTime<Utc>,
    /// The state entered; the kind of a change; `grant`, `expiry` or `use`; the state of a purchase.
    pub(in crate::domains::subscription) what: String,
    /// The reasons that block the line after a step.
    pub(in crate::domains::subscription) blocks: Option<String>,
    /// How many reasons the step added, or took away.
    pub(in crate::domains::subscription) blocks_added: Option<i32>,
    pub(in crate::domains::subscription) reason: Option<String>,
    pub(in crate::domains::subscription) note: Option<String>,
    pub(in crate::domains::subscription) amount_minor: Option<i64>,
    pub(in crate::domains::subscription) currency: Option<String>,
    pub(in crate::domains::subscription) allowance_type: Option<String>,
    pub(in crate::domains::subscription) quantity: Option<i64>,
    pub(in crate::domains::subscription) offering_id: Option<String>,
    pub(in crate::domains::subscription) period_index: Option<i32>,
    pub(in crate::domains::subscription) reference: Option<String>,
    pub(in crate::domains::subscription) actor: Option<String>,
}

/// The last `limit` happenings of a line, oldest first, with their days as they are in `zone`. What happened at the same instant is told in the order of cause:
/// what was asked for, what was paid, what state that led to, what was given.
pub(in crate::domains::subscription) async fn of_line(
    db: &Db,
    cx: &Context,
    id: &SubscriptionId,
    zone: Tz,
    limit: u32,
) -> Result<Vec<Happening>> {
    let statement = sql!(
        "select * from (
             select * from (
                 select 'state' as source, h.event_time as at, case when h.from_state is null then 0 else 3 end as rank, h.id as seq, h.to_state as what,
                        array_to_string(h.block_reasons, ', ') as blocks,
                        cardinality(h.block_reasons)
                            - coalesce(lag(cardinality(h.block_reasons)) over (order by h.id), 0) as blocks_added,
                        h.reason, h.note, null::bigint as amount_minor, null::text as currency, null::text as allowance_type,
                        null::bigint as quantity, null::text as offering_id, null::int as period_index, null::text as reference,
                        h.changed_by as actor
                 from subscription.subscription_state_history h where h.tenant_id = $1 and h.subscription_id = $2
                 union all
                 select 'charge', coalesce(p.entered_at, p.period_start), 2, p.period_index, coalesce(p.gap, 'in_time'), null, null,
                        case when c.discounted then 'discounted' end, null, p.amount_minor, p.currency, null, null, c.offering_id,
                        p.period_index, p.payment_attempt_id, p.entered_by
                 from subscription.period p
                 left join subscription.period_contract c
                   on c.subscription_id = p.subscription_id and c.period_index = p.period_index
                 where p.tenant_id = $1 and p.subscription_id = $2
                 union all
                 select 'decline', d.declined_at, 2, d.id, d.reason, null, null, d.reason, null, d.amount_minor, d.currency, null,
                        null, null, d.period_index, d.payment_attempt_id, d.changed_by
                 from subscription.renewal_decline d where d.tenant_id = $1 and d.subscription_id = $2
                 union all
                 select 'top_up', v.requested_at, 1, 0, v.state, null, null, v.state_reason, null, v.price_amount_minor,
                        v.price_currency, v.allowance_type, v.allowance_added, v.vas_offering_id, null, v.id, v.requested_by
                 from subscription.vas_purchase v where v.tenant_id = $1 and v.subscription_id = $2
                 union all
                 select 'quota', e.occurred_at, case e.kind when 'expiry' then 4 else 5 end, e.id, e.kind, null, null, e.source,
                        null, null, null, e.allowance_type, e.amount, null, e.period_index, e.source, e.actor
                 from subscription.quota_entry e where e.tenant_id = $1 and e.subscription_id = $2
                 union all
                 select 'booked', c.scheduled_at, 1, c.id, c.kind, null, null, to_char(c.effective_at at time zone $4::text,
                            'YYYY-MM-DD'), null, c.price_amount_minor, c.price_currency, null, null, c.offering_id, null,
                        c.migration_id, c.scheduled_by
                 from subscription.contract_change c where c.tenant_id = $1 and c.subscription_id = $2
                 union all
                 select 'ended', c.ended_at, 6, c.id, c.kind, null, null, c.state, null, c.price_amount_minor, c.price_currency, null,
                        null, c.offering_id, c.period_index, c.migration_id, c.ended_by
                 from subscription.contract_change c
                 where c.tenant_id = $1 and c.subscription_id = $2 and c.ended_at is not null
             ) everything order by at desc, rank desc, seq desc limit $3
         ) latest order by at, rank, seq",
        cx.tenant.as_ref(),
        id,
        i64::from(limit),
        zone.name()
    );
    let rows = Row::find_by_statement(statement).all(db.connection()).await?;
    rows.into_iter().map(|row| Ok(Happening { source: Source::parse(&row.source)?, row })).collect()
}
