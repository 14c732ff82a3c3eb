//! Cards, charge attempts, refunds and the journal's entries: values and their state machines, no I/O.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::port::{
    AttemptId, AttemptStatus, AttemptView, MethodView, PaymentMethodId, Purpose, RefundId, RefundStatus, RefundView,
};
use crate::domains::crm::port::CustomerId;
use crate::platform::money::Money;

/// A card on file. The token is read only where the gateway is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    pub(super) id: PaymentMethodId,
    pub(super) customer_id: CustomerId,
    pub(super) method_type: String,
    pub(super) token_provider: String,
    pub(super) last4: String,
    pub(super) brand: String,
    pub(super) exp_month: i16,
    pub(super) exp_year: i16,
    pub(super) is_default: bool,
    /// `active`, `removed` or `expired`.
    pub(super) status: String,
    pub(super) version: i64,
}

impl From<Method> for MethodView {
    fn from(method: Method) -> Self {
        Self {
            id: method.id,
            customer_id: method.customer_id,
            method_type: method.method_type,
            token_provider: method.token_provider,
            brand: method.brand,
            last4: method.last4,
            exp_month: method.exp_month,
            exp_year: method.exp_year,
            is_default: method.is_default,
            status: method.status,
        }
    }
}

/// One charge attempt: the work item that the gateway call is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    pub(super) customer_id: CustomerId,
    /// None: nothing to charge.
    pub(super) method_id: Option<PaymentMethodId>,
    pub(super) amount: Money,
    pub(super) purpose: Purpose,
    pub(super) subject_id: String,
    pub(super) business_key: String,
    pub(super) number: i32,
    pub(super) gateway_key: String,
    pub(super) description: Option<String>,
    pub(super) status: AttemptStatus,
    pub(super) gateway_ref: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) decline_reason: Option<String>,
    pub(super) attempted_at: DateTime<Utc>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

impl Attempt {
    pub(super) fn view(self, refund: Option<Refund>) -> AttemptView {
        AttemptView {
            id: self.id,
            customer_id: self.customer_id,
            payment_method_id: self.method_id,
            amount: self.amount.decimal(),
            currency: self.amount.currency.to_string(),
            purpose: self.purpose,
            subject_id: self.subject_id,
            business_key: self.business_key,
            attempt_number: self.number,
            gateway_key: self.gateway_key,
            status: self.status,
            gateway_ref: self.gateway_ref,
            decline_code: self.decline_code,
            decline_reason: self.decline_reason,
            attempted_at: self.attempted_at,
            finished_at: self.finished_at,
            refund: refund.map(|refund| RefundView {
                id: refund.id,
                status: refund.status,
                amount: refund.amount.decimal(),
                reason: refund.reason,
            }),
        }
    }
}

/// Money on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refund {
    pub(super) id: RefundId,
    pub(super) attempt_id: AttemptId,
    pub(super) amount: Money,
    pub(super) reason: String,
    pub(super) gateway_key: String,
    pub(super) status: RefundStatus,
}

/// The final word on a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Approved {
        gateway_ref: String,
    },
    Declined {
        code: String,
        reason: String,
    },
    /// The gateway refused the request itself.
    Errored {
        reason: String,
    },
}

impl Outcome {
    /// The decline code of [`Outcome::Errored`].
    pub(super) const REFUSED: &str = "gateway_refused";

    pub(super) const fn status(&self) -> AttemptStatus {
        match self {
            Self::Approved { .. } => AttemptStatus::Approved,
            Self::Declined { .. } => AttemptStatus::Declined,
            Self::Errored { .. } => AttemptStatus::Errored,
        }
    }
}

impl AttemptStatus {
    pub(super) const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Declined, Self::Errored];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Errored => "errored",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl RefundStatus {
    pub(super) const ALL: [Self; 3] = [Self::Pending, Self::Succeeded, Self::Failed];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How long an unanswered call waits for the next try: doubling from 2 s to a minute.
pub(super) fn backoff(calls_so_far: i32) -> Duration {
    let doublings = u32::try_from(calls_so_far.saturating_sub(1)).unwrap_or(0).min(5);
    Duration::from_secs((2 << doublings).min(60))
}

/// The gateway's idempotency key. It advances with the attempt: a gateway replays its first answer to the same key, so a
/// refused key can never be approved.
pub(super) fn gateway_key(business_key: &str, number: i32) -> String {
    format!("{business_key}#{number}")
}

/// Where money is, in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Account {
    /// What the gateway owes us.
    GatewayClearing,
    /// What we took for something not given yet.
    CustomerFunds,
    /// What we are to give back.
    Refunds,
    Revenue(Purpose),
}

impl Account {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::GatewayClearing => "gateway_clearing",
            Self::CustomerFunds => "customer_funds",
            Self::Refunds => "refunds",
            Self::Revenue(Purpose::Activation) => "revenue:activation",
            Self::Revenue(Purpose::Renewal) => "revenue:renewal",
            Self::Revenue(Purpose::Vas) => "revenue:vas",
            Self::Revenue(Purpose::Manual) => "revenue:manual",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum EntryKind {
    Charge,
    Revenue,
    RefundDue,
    RefundPaid,
}

impl EntryKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Revenue => "revenue",
            Self::RefundDue => "refund_due",
            Self::RefundPaid => "refund_paid",
        }
    }
}

/// One move of money between two accounts. An attempt has at most one of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) debit: Account,
    pub(super) credit: Account,
}

impl Entry {
    /// The gateway took the money from the card.
    pub(super) const CHARGE: Self =
        Self { kind: EntryKind::Charge, debit: Account::GatewayClearing, credit: Account::CustomerFunds };

    /// The gateway gave the money back to the card.
    pub(super) const REFUND_PAID: Self =
        Self { kind: EntryKind::RefundPaid, debit: Account::Refunds, credit: Account::GatewayClearing };

    /// What was paid for was given.
    pub(super) const fn revenue(purpose: Purpose) -> Self {
        Self { kind: EntryKind::Revenue, debit: Account::CustomerFunds, credit: Account::Revenue(purpose) }
    }

    /// The money is to go back: out of the customer's funds, or out of revenue where it had become that.
    pub(super) const fn refund_due(purpose: Purpose, recognised: bool) -> Self {
        let from = if recognised { Account::Revenue(purpose) } else { Account::CustomerFunds };
        Self { kind: EntryKind::RefundDue, debit: from, credit: Account::Refunds }
    }

    /// Account and signed minor units: debit is positive.
    pub(super) const fn lines(self, amount: Money) -> [(Account, i64); 2] {
        [(self.debit, amount.minor), (self.credit, -amount.minor)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn outcomes() -> [Outcome; 3] {
        [
            Outcome::Approved { gateway_ref: "ch".into() },
            Outcome::Declined { code: "card_declined".into(), reason: "no".into() },
            Outcome::Errored { reason: "bad".into() },
        ]
    }

    #[test]
    fn every_outcome_is_final_and_every_word_is_read_back() {
        assert!(outcomes().iter().all(|outcome| outcome.status() != AttemptStatus::Pending));
        for status in AttemptStatus::ALL {
            assert_eq!(AttemptStatus::parse(status.as_str()), Some(status));
        }
        for status in RefundStatus::ALL {
            assert_eq!(RefundStatus::parse(status.as_str()), Some(status));
        }
    }

    #[test]
    fn retries_come_soon_and_then_ever_slower() {
        let seconds: Vec<u64> = (0..8).map(|calls| backoff(calls).as_secs()).collect();
        assert_eq!(seconds, [2, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(i32::MAX).as_secs(), 60);
    }

    proptest! {
        #[test]
        fn gateway_keys_never_meet(a in "[a-z#:0-9]{1,12}", b in "[a-z#:0-9]{1,12}", m in 1_i32..200, n in 1_i32..200) {
            prop_assert_eq!(gateway_key(&a, m) == gateway_key(&b, n), a == b && m == n);
        }

        /// Whatever happens to a charge, every entry adds up to zero, and once the refund is paid nothing is left anywhere.
        #[test]
        fn the_journal_balances(minor in 1_i64..10_000_000, recognised: bool, refunded: bool, paid: bool, kind in 0_usize..4) {
            let purpose = Purpose::ALL[kind];
            let amount = Money::new(minor, "SGD".parse().unwrap());
            let mut entries = vec![Entry::CHARGE];
            entries.extend(recognised.then(|| Entry::revenue(purpose)));
            entries.extend(refunded.then(|| Entry::refund_due(purpose, recognised)));
            entries.extend((refunded && paid).then_some(Entry::REFUND_PAID));
            let mut balances: HashMap<Account, i64> = HashMap::new();
            for entry in entries {
                let lines = entry.lines(amount);
                prop_assert_eq!(lines.iter().map(|(_, minor)| minor).sum::<i64>(), 0);
                prop_assert!(lines[0].0 != lines[1].0);
                for (account, minor) in lines {
                    *balances.entry(account).or_default() += minor;
                }
            }
            prop_assert_eq!(balances.values().sum::<i64>(), 0);
            if refunded && paid {
                prop_assert!(balances.values().all(|balance| *balance == 0));
            } else if !refunded {
                let owed = if recognised { Account::Revenue(purpose) } else { Account::CustomerFunds };
                prop_assert_eq!(balances[&owed], -minor);
            }
        }
    }
}
