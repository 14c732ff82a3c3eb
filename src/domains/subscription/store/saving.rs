//! Writing lines back, one or many, with the steps that they took.

use sea_orm::FromQueryResult;
use serde_json::{Value, json};

use crate::domains::payment::port::AttemptId;
use crate::domains::subscription::model::Line;
use crate::domains::subscription::period::PeriodKind;
use crate::domains::subscription::state::Change;
use crate::platform::context::Context;
use crate::platform::db::{Tx, sql};
use crate::platform::error::{Error, Result};

/// A line that is to be written, and the step that it took.
#[derive(Debug)]
pub(in crate::domains::subscription) struct Step<'a> {
    pub(in crate::domains::subscription) line: &'a mut Line,
    pub(in crate::domains::subscription) change: Option<Change>,
    /// What a person wants to be remembered of the step.
    pub(in crate::domains::subscription) note: Option<&'a str>,
}

impl Step<'_> {
    fn row(&self) -> Value {
        let Self { line, change, note } = self;
        let (anchor_day, anchor_time) = match line.period_kind {
            PeriodKind::Days30 => (None, None),
            PeriodKind::CalendarMonth { day, time } => (Some(day), Some(time)),
        };
        json!({
            "id": line.id,
            "state": line.state.status().as_str(),
            "block_reasons": line.state.reasons().texts(),
            "state_reason": line.state_reason,
            "activated_at": line.activated_at,
            "terminated_at": line.terminated_at,
            "anchor_day": anchor_day,
            "anchor_time": anchor_time,
            "period_kind": line.period_kind.plan().as_str(),
            "period_index": line.period_index,
            "period_start": line.period.map(|period| period.start),
            "period_end": line.period.map(|period| period.end),
            "next_renewal_at": line.next_renewal_at(),
            "renewal_attempt_id": line.renewal_attempt_id.as_ref().map(AttemptId::as_str),
            "renewal_attempted_for": line.renewal_attempted_for,
            "discount_periods_remaining": line.discount_periods_remaining,
            "from_state": change.filter(|change| change.is_visible()).map(|change| change.from.status().as_str()),
            "note": note,
        })
    }
}

/// Writes a line that this unit of work has locked, and the step it took; counts its version up.
pub(in crate::domains::subscription) async fn save(
    tx: &Tx,
    cx: &Context,
    line: &mut Line,
    change: Option<Change>,
) -> Result<()> {
    save_noted(tx, cx, line, change, None).await
}

/// As [`save`], with what a person wants to be remembered of the step.
pub(in crate::domains::subscription) async fn save_noted(
    tx: &Tx,
    cx: &Context,
    line: &mut Line,
    change: Option<Change>,
    note: Option<&str>,
) -> Result<()> {
    save_all(tx, cx, vec![Step { line, change, note }]).await
}

/// [`save`] for many lines, in one statement.
pub(in crate::domains::subscription) async fn save_all(tx: &Tx, cx: &Context, steps: Vec<Step<'_>>) -> Result<()> {
    #[derive(FromQueryResult)]
    struct Saved {
        lines: i64,
    }
    let statement = sql!(
        "with step as materialized (
             select * from jsonb_to_recordset($2) as l (id text, state text, block_reasons text[], state_reason text,
                 activated_at timestamptz, terminated_at timestamptz, anchor_day smallint, anchor_time time, period_kind text,
                 period_index int, period_start timestamptz, period_end timestamptz, next_renewal_at timestamptz,
                 renewal_attempt_id text, renewal_attempted_for timestamptz, discount_periods_remaining int, from_state text,
                 note text)),
         history as (
             insert into subscription.subscription_state_history (tenant_id, subscription_id, from_state, to_state, block_reasons,
                 changed_by, reason, event_time, note)
             select $1, l.id, l.from_state, l.state, l.block_reasons, $3, l.state_reason, $4, l.note
             from step l where l.from_state is not null),
         saved as (
             update subscription.subscription s
             set state = l.state, block_reasons = l.block_reasons, state_reason = l.state_reason, activated_at = l.activated_at,
                 terminated_at = l.terminated_at, anchor_day = l.anchor_day, anchor_time = l.anchor_time,
                 period_index = l.period_index, current_period_start = l.period_start, current_period_end = l.period_end,
                 next_renewal_at = l.next_renewal_at, renewal_attempt_id = l.renewal_attempt_id,
                 renewal_attempted_for = l.renewal_attempted_for, discount_periods_remaining = l.discount_periods_remaining,
                 period_kind = l.period_kind, renewal_next_attempt_at = null, version = s.version + 1,
                 updated_at = clock_timestamp()
             from step l where s.id = l.id and s.tenant_id = $1 returning s.id)
         select count(*) as lines from saved",
        cx.tenant.as_ref(),
        Value::Array(steps.iter().map(Step::row).collect()),
        cx.actor.as_ref(),
        cx.now
    );
    let saved = Saved::find_by_statement(statement).one(&**tx).await?.map_or(0, |saved| saved.lines);
    if usize::try_from(saved) != Ok(steps.len()) {
        let ids: Vec<&str> = steps.iter().take(3).map(|step| step.line.id.as_str()).collect();
        return Err(Error::Internal(format!(
            "of {} lines, {} …, {saved} were there to be saved",
            steps.len(),
            ids.join(", ")
        )));
    }
    for step in steps {
        step.line.version += 1;
    }
    Ok(())
}
