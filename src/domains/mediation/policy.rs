//! The rules of recording usage. What an event may use of its line is `rating`'s to say.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::model::TYPE_NAMES;
use crate::domains::rating::port::{
    ALLOWANCE_EXHAUSTED, FAIR_USE_EXCEEDED, NO_ALLOWANCE, NO_ROAMING_ALLOWANCE, ROAMING_BALANCE_REQUIRED,
};
use crate::domains::subscription::port::UsageLine;
use crate::platform::error::{Rule, Violation};

pub(super) const POSITIVE_QUANTITY: Rule = Rule::new("usage.record.positive_quantity");
pub(super) const VALID_EVENT_TYPE: Rule = Rule::new("usage.record.valid_event_type");
pub(super) const LINE_MUST_EXIST: Rule = Rule::new("usage.record.subscription_must_exist");
pub(super) const LINE_MUST_BE_ACTIVE: Rule = Rule::new("usage.record.subscription_must_be_active");
pub(super) const EVENT_TIME_OUT_OF_RANGE: Rule = Rule::new("usage.record.event_time_out_of_range");
/// The same source and external id came with another event.
pub(super) const REPLAY_DIFFERS: Rule = Rule::new("usage.record.replay_differs");

/// Every rule that recording an event can break.
pub const RULES: &[Rule] = &[
    POSITIVE_QUANTITY,
    VALID_EVENT_TYPE,
    LINE_MUST_EXIST,
    LINE_MUST_BE_ACTIVE,
    EVENT_TIME_OUT_OF_RANGE,
    REPLAY_DIFFERS,
    ALLOWANCE_EXHAUSTED,
    FAIR_USE_EXCEEDED,
    NO_ALLOWANCE,
    NO_ROAMING_ALLOWANCE,
    ROAMING_BALANCE_REQUIRED,
];

/// Clocks of network elements differ; an event may be this much ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// How long a key is kept, by the wall clock: the window in which a replay is recognised.
pub(super) const KEY_WINDOW_DAYS: i32 = 45;

/// How late an event may come: one that is older than the keys could be a repetition that nobody recognises.
const LATE_MAX: TimeDelta = TimeDelta::days(KEY_WINDOW_DAYS as i64);

/// Whether the line takes usage of this time at all. An event from before the current period is fine, and is charged to
/// the current one: the former one is closed, its balances are gone (decision 0016).
pub(super) fn admit(line: &UsageLine, event_time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Rule> {
    if !line.is_active() {
        return Err(LINE_MUST_BE_ACTIVE);
    }
    // Many sources know whole seconds only: the second of the activation counts.
    let activated = line.activated_at.is_some_and(|at| at.trunc_subsecs(0) <= event_time);
    if !activated || event_time > now + CLOCK_SKEW || event_time < now - LATE_MAX {
        return Err(EVENT_TIME_OUT_OF_RANGE);
    }
    Ok(())
}

/// The rule that a stored event was refused by.
pub(super) fn named(id: &str) -> Option<Rule> {
    RULES.iter().copied().find(|rule| rule.id() == id)
}

/// A refused event, in words for the person who reads the answer.
pub(super) fn refusal(rule: Rule) -> Violation {
    rule.violated(match rule {
        LINE_MUST_EXIST => "No line has this number",
        LINE_MUST_BE_ACTIVE => "The line is not active",
        EVENT_TIME_OUT_OF_RANGE => {
            "The event lies in the future, before the line was activated, or further back than 45 days"
        }
        REPLAY_DIFFERS => {
            "This source and external id were used for another event; a new event needs a new external id"
        }
        NO_ALLOWANCE => "The line has no such allowance; a top-up gives one",
        NO_ROAMING_ALLOWANCE => "The plan has no roaming data; a roaming top-up gives some",
        FAIR_USE_EXCEEDED => "The fair-use limit of the period is reached; the next period, or a top-up, gives more",
        ROAMING_BALANCE_REQUIRED => "The line has no roaming data left; a roaming top-up gives some",
        _ => "The allowance is used up; a top-up or the next period gives more",
    })
}

/// A type that nobody knows.
pub(super) fn unknown_type(event_type: &str) -> Violation {
    let event_type: String = event_type.chars().take(40).collect();
    VALID_EVENT_TYPE
        .violated("The event type is not known")
        .with("eventType", event_type)
        .with("validTypes", TYPE_NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(state: &str) -> UsageLine {
        UsageLine {
            id: "SUB-0042".to_owned(),
            tenant_id: "DEFAULT".to_owned(),
            msisdn: "90000042".to_owned(),
            customer_id: "CUST-1".to_owned(),
            offering_id: "PLAN_M".to_owned(),
            state: state.to_owned(),
            activated_at: (state != "pending").then(|| at("2026-05-01T00:00:00.7Z")),
            period_index: 2,
            version: 1,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn only_an_active_line_takes_usage() {
        let now = at("2026-06-10T00:00:00Z");
        assert_eq!(admit(&line("active"), now, now), Ok(()));
        for state in ["pending", "blocked", "terminated"] {
            assert_eq!(admit(&line(state), now, now), Err(LINE_MUST_BE_ACTIVE), "{state}");
        }
    }

    #[test]
    fn event_times_reach_from_activation_to_five_minutes_ahead() {
        let now = at("2026-06-10T00:00:00Z");
        let admitted = |time: &str| admit(&line("active"), at(time), now);
        assert_eq!(admitted("2026-05-01T00:00:00Z"), Ok(()), "the second of the activation, in a former period");
        assert_eq!(admitted("2026-04-30T23:59:59Z"), Err(EVENT_TIME_OUT_OF_RANGE));
        assert_eq!(admitted("2026-06-10T00:05:00Z"), Ok(()));
        assert_eq!(admitted("2026-06-10T00:05:01Z"), Err(EVENT_TIME_OUT_OF_RANGE));
    }

    #[test]
    fn an_event_that_comes_later_than_its_repetition_would_be_known_is_refused() {
        let now = at("2026-06-20T00:00:00Z");
        let admitted = |time: &str| admit(&line("active"), at(time), now);
        assert_eq!(admitted("2026-05-06T00:00:00Z"), Ok(()), "45 days late");
        assert_eq!(admitted("2026-05-05T23:59:59Z"), Err(EVENT_TIME_OUT_OF_RANGE));
    }

    #[test]
    fn every_stored_reason_is_a_rule_again() {
        assert!(RULES.iter().all(|rule| named(rule.id()) == Some(*rule)));
        assert_eq!(named("no.such.rule"), None);
    }
}
