//! Why a usage event was answered as it was: from its row, the entries of the bucket it used, and, for a line that was out of
//! service, the event that took it out.

use super::Service;
use super::policy;
use super::port::{
    BlockerView, BucketView, GrantView, Mediation as _, RefusalView, TariffView, UsageExplanation, UsageId, UsageState,
    UsageView,
};
use super::store::{self, Blocker, RatedAs};
use crate::domains::catalog::port::AllowanceType;
use crate::domains::subscription::port::{QuotaMove, quota_moves};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;

impl Service {
    pub(super) async fn explained(&self, cx: &Context, id: &UsageId) -> Result<UsageExplanation> {
        let usage = self.usage(cx, id).await?;
        let rated = store::rated_as(&self.platform.db, cx, id).await?.ok_or_else(|| Error::not_found("usage", id))?;
        let mut connection = self.platform.db.pool().acquire().await?;
        let moves = match usage.allowance_type {
            Some(allowance) => {
                quota_moves(&mut connection, usage.subscription_id.as_str(), allowance, rated.period_index).await?
            }
            None => Vec::new(),
        };
        drop(connection);
        let inactive = usage.reason.as_deref() == Some(policy::LINE_MUST_BE_ACTIVE.id());
        let blocker = if inactive { store::blocker(&self.platform.db, cx, &usage).await? } else { None };
        let currency = self.platform.config.profile.currency;
        Ok(explanation(usage, rated, moves, blocker, &Money::new(0, currency)))
    }
}

fn explanation(
    usage: UsageView,
    rated: RatedAs,
    moves: Vec<QuotaMove>,
    blocker: Option<Blocker>,
    charge: &Money,
) -> UsageExplanation {
    let bucket = usage.allowance_type.map(|allowance| bucket(&usage, allowance, &rated, moves));
    let refused_by = usage.reason.as_deref().map(|reason| RefusalView {
        rule: reason.to_owned(),
        message: policy::named(reason).map_or_else(String::new, |rule| policy::refusal(rule).message.into_owned()),
    });
    let blocked_by = blocker.map(|blocker| BlockerView {
        state: blocker.state,
        reasons: blocker.reasons,
        actor: blocker.actor,
        at: blocker.at,
    });
    let used_the_last = usage.state == UsageState::Rated
        && usage.allowance_type == Some(AllowanceType::Data)
        && usage.remaining == Some(0);
    let tariff = TariffView {
        offering_id: rated.offering_id,
        event_type: usage.event_type,
        roaming: usage.roaming_indicator,
        allowance_type: usage.usage_allowance(),
        unit: usage.unit,
        charge_amount: charge.decimal(),
        currency: charge.currency.to_string(),
    };
    let summary = summary(&usage, bucket.as_ref(), refused_by.as_ref(), blocked_by.as_ref());
    UsageExplanation { summary, tariff, bucket, refused_by, blocked_by, blocks_the_line: used_the_last, usage }
}

fn bucket(usage: &UsageView, allowance: AllowanceType, rated: &RatedAs, moves: Vec<QuotaMove>) -> BucketView {
    let grants: Vec<GrantView> = moves
        .into_iter()
        .filter(|entry| entry.kind == "grant")
        .map(|entry| GrantView { source: entry.source, amount: entry.amount, at: entry.occurred_at })
        .collect();
    // A refused event that found nothing says so; a served one without a rest was unlimited.
    let unlimited = usage.state == UsageState::Rated && usage.remaining.is_none();
    BucketView {
        allowance_type: allowance,
        unit: allowance.unit(),
        period_index: rated.period_index,
        unlimited,
        before: usage.remaining.map(|remaining| remaining + rated.applied),
        taken: rated.applied,
        after: usage.remaining,
        grants,
    }
}

fn summary(
    usage: &UsageView,
    bucket: Option<&BucketView>,
    refused: Option<&RefusalView>,
    blocked: Option<&BlockerView>,
) -> String {
    let unit = usage.unit.as_str();
    let asked = format!("{} {unit} of {}", usage.quantity, usage.event_type.as_str());
    if let Some(refusal) = refused {
        let by = blocked.map_or_else(String::new, |blocked| {
            let reasons =
                if blocked.reasons.is_empty() { String::new() } else { format!(" for {}", blocked.reasons.join(", ")) };
            format!(" It was {}{reasons}, by {}.", blocked.state, blocked.actor)
        });
        return format!("{asked}: refused. {}.{by}", refusal.message);
    }
    match bucket {
        Some(BucketView { unlimited: true, allowance_type, .. }) => {
            format!("{asked}: served, {} is unlimited.", allowance_type.as_str())
        }
        Some(BucketView { before: Some(before), after: Some(after), allowance_type, .. }) => {
            let cut = if usage.refused_quantity > 0 {
                format!("{} served and {} refused", usage.rated_quantity, usage.refused_quantity)
            } else {
                "served".to_owned()
            };
            format!("{asked}: {cut}, {} went from {before} to {after} {unit}.", allowance_type.as_str())
        }
        _ => format!("{asked}: served."),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domains::catalog::port::Unit;
    use crate::domains::rating::port::UsageType;

    fn usage() -> UsageView {
        UsageView {
            id: UsageId::from("UE-000007".to_owned()),
            subscription_id: "SUB-0042".to_owned().into(),
            customer_id: "CUST-1".into(),
            msisdn: "90000042".into(),
            source: "pgw".into(),
            external_id: "cdr-7".into(),
            event_type: UsageType::Data,
            event_time: DateTime::UNIX_EPOCH,
            quantity: 130,
            unit: Unit::Mb,
            roaming_indicator: false,
            state: UsageState::Rated,
            allowance_type: Some(AllowanceType::Data),
            rated_quantity: 100,
            refused_quantity: 30,
            remaining: Some(0),
            reason: None,
            attributes: None,
        }
    }

    fn rated(applied: i64) -> RatedAs {
        RatedAs { offering_id: "PLAN_S".into(), period_index: 2, applied }
    }

    fn explain(usage: UsageView, applied: i64, blocker: Option<Blocker>) -> UsageExplanation {
        let entry = |kind: &str, amount, source: &str| QuotaMove {
            kind: kind.into(),
            amount,
            source: source.into(),
            occurred_at: DateTime::UNIX_EPOCH,
        };
        let moves = vec![
            entry("grant", 5_120, "renewal"),
            entry("expiry", -5, "period_end"),
            entry("grant", 1_024, "vas:VP-1"),
        ];
        explanation(usage, rated(applied), moves, blocker, &Money::new(0, "SGD".parse().unwrap()))
    }

    #[test]
    fn the_event_that_used_the_last_says_so() {
        let explained = explain(usage(), 100, None);
        let bucket = explained.bucket.unwrap();
        assert_eq!((bucket.before, bucket.taken, bucket.after, bucket.period_index), (Some(100), 100, Some(0), 2));
        assert_eq!(bucket.grants.iter().map(|grant| grant.amount).collect::<Vec<_>>(), [5_120, 1_024]);
        assert!(explained.blocks_the_line);
        assert_eq!(explained.summary, "130 mb of data: 100 served and 30 refused, data went from 100 to 0 mb.");
    }

    #[test]
    fn an_unlimited_allowance_has_no_before_and_after() {
        let unlimited = UsageView { remaining: None, rated_quantity: 130, refused_quantity: 0, ..usage() };
        let explained = explain(unlimited, 0, None);
        assert!(explained.bucket.as_ref().is_some_and(|bucket| bucket.unlimited && bucket.before.is_none()));
        assert!(!explained.blocks_the_line);
        assert_eq!(explained.summary, "130 mb of data: served, data is unlimited.");
    }

    #[test]
    fn a_refusal_names_its_rule_and_who_blocked_the_line() {
        let refused = UsageView {
            state: UsageState::Refused,
            allowance_type: None,
            rated_quantity: 0,
            refused_quantity: 130,
            remaining: None,
            reason: Some(policy::LINE_MUST_BE_ACTIVE.id().into()),
            ..usage()
        };
        let blocker = Blocker {
            state: "blocked".into(),
            reasons: vec!["requested".into()],
            actor: "cli-user".into(),
            at: DateTime::UNIX_EPOCH,
        };
        let explained = explain(refused, 0, Some(blocker));
        assert!(explained.bucket.is_none());
        assert_eq!(explained.refused_by.unwrap().rule, "usage.record.subscription_must_be_active");
        assert_eq!(
            explained.summary,
            "130 mb of data: refused. The line is not active. It was blocked for requested, by cli-user."
        );
    }
}
