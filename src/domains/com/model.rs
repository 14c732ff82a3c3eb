//! Orders as values: the state machine and what each step leaves behind. Pure.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domains::catalog::port::{OfferingId, PriceId, Promise};
use crate::domains::com::policy::rule;
use crate::domains::com::port::{OrderAction, OrderId, OrderState};
use crate::domains::crm::port::{CustomerId, Msisdn};
use crate::domains::subscription::port::BookedDiscount;
use crate::platform::context::Context;
use crate::platform::error::{Error, Result, Violation};
use crate::platform::money::{Discount, Money};

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    Submit,
    /// An operator is to look at it before it goes on.
    Hold,
    Cancel,
    /// Its line is in service.
    Complete,
    /// It cannot be fulfilled.
    Fail,
}

impl Trigger {
    const ALL: [Self; 5] = [Self::Submit, Self::Hold, Self::Cancel, Self::Complete, Self::Fail];

    const fn leads_to(self) -> OrderState {
        match self {
            Self::Submit => OrderState::InProgress,
            Self::Hold => OrderState::Held,
            Self::Cancel => OrderState::Cancelled,
            Self::Complete => OrderState::Completed,
            Self::Fail => OrderState::Failed,
        }
    }
}

impl OrderState {
    /// The state after `trigger`.
    pub(super) fn after(self, trigger: Trigger) -> Result<Self, Violation> {
        if self.allows(trigger) {
            return Ok(trigger.leads_to());
        }
        let mut allowed: Vec<&str> =
            Trigger::ALL.into_iter().filter(|t| self.allows(*t)).map(|t| t.leads_to().as_str()).collect();
        allowed.sort_unstable();
        Err(rule::TRANSITION_INVALID
            .violated(format!("An order that is {} cannot become {}", self.as_str(), trigger.leads_to().as_str()))
            .with("currentState", self)
            .with("targetState", trigger.leads_to())
            .with("allowed", allowed))
    }

    const fn allows(self, trigger: Trigger) -> bool {
        match (self, trigger) {
            (Self::Acknowledged | Self::Held, Trigger::Submit | Trigger::Cancel)
            | (Self::Acknowledged, Trigger::Hold)
            | (Self::InProgress, Trigger::Cancel | Trigger::Complete | Trigger::Fail) => true,
            (Self::Acknowledged | Self::Held, Trigger::Complete | Trigger::Fail)
            | (Self::Held, Trigger::Hold)
            | (Self::InProgress, Trigger::Submit | Trigger::Hold)
            | (Self::Completed | Self::Failed | Self::Cancelled, _) => false,
        }
    }
}

/// The one item of an order.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) action: OrderAction,
    pub(super) offering_id: OfferingId,
    pub(super) target_subscription_id: Option<String>,
    pub(super) payment_attempt_id: Option<String>,
    pub(super) refund_id: Option<String>,
    /// The contract: later catalog edits do not touch it.
    pub(super) price: Money,
    pub(super) price_id: PriceId,
    pub(super) discount: Option<Promised>,
}

impl Item {
    /// A top-up of a line, and not another plan for it: only a top-up's price goes by the id of what is bought.
    pub(super) fn is_top_up(&self) -> bool {
        self.action == OrderAction::Modify && self.price_id.as_str() == self.offering_id.as_str()
    }

    /// What the first period costs: the price after the discount.
    pub(super) fn charged(&self) -> Money {
        match self.discount.as_ref().and_then(|promised| promised.discount(self.price)) {
            Some(discount) => discount.applied_to(self.price),
            None => self.price,
        }
    }
}

/// A discount that was promised at order time.
#[derive(Debug, Clone)]
pub(super) struct Promised {
    pub(super) code: Option<String>,
    pub(super) kind: String,
    pub(super) value: rust_decimal::Decimal,
    /// 1 one, n several, -1 all.
    pub(super) periods_total: Option<i32>,
    /// What entitles to it, in the engine of promotions.
    pub(super) offer_definition_id: Option<String>,
    pub(super) offer_id: Option<String>,
}

impl From<Promise> for Promised {
    fn from(promise: Promise) -> Self {
        Self {
            code: Some(promise.code),
            kind: promise.discount_type.to_owned(),
            value: promise.discount_value,
            periods_total: Some(promise.periods_total),
            offer_definition_id: Some(promise.offer_definition_id),
            offer_id: None,
        }
    }
}

impl Promised {
    /// What a line is booked with that pays the promised price without a promotion: once.
    pub(super) fn honoured(&self, price: Money) -> Option<BookedDiscount> {
        Some(BookedDiscount {
            discount: self.discount(price)?,
            periods: Some(1),
            promo_code: self.code.clone(),
            promo_offer_definition_id: None,
        })
    }

    /// What the line is booked with. None where the stored terms mean nothing.
    pub(super) fn booked(&self, price: Money) -> Option<BookedDiscount> {
        let periods = match self.periods_total? {
            -1 => None,
            several => Some(u16::try_from(several).ok()?),
        };
        Some(BookedDiscount {
            discount: self.discount(price)?,
            periods,
            promo_code: self.code.clone(),
            promo_offer_definition_id: self.offer_definition_id.clone(),
        })
    }

    /// None where the stored terms mean nothing: then the full price counts.
    pub(super) fn discount(&self, price: Money) -> Option<Discount> {
        match self.kind.as_str() {
            "percent" => Some(Discount::Percent(self.value)),
            "absolute" => {
                Money::parse(&self.value.to_string(), price.currency).ok().map(|off| Discount::Absolute(off.minor))
            }
            _ => None,
        }
    }
}

/// One line for the order's history that is not stored yet.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) from: Option<OrderState>,
    pub(super) to: OrderState,
    pub(super) by: String,
    pub(super) reason: Option<String>,
    pub(super) at: DateTime<Utc>,
}

/// A commercial order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) id: OrderId,
    pub(super) customer_id: CustomerId,
    pub(super) state: OrderState,
    pub(super) state_reason: Option<String>,
    pub(super) order_date: DateTime<Utc>,
    pub(super) submitted_at: Option<DateTime<Utc>>,
    pub(super) requested_completion_date: Option<DateTime<Utc>>,
    pub(super) completed_date: Option<DateTime<Utc>>,
    pub(super) msisdn_preference: Option<Msisdn>,
    pub(super) notes: Option<String>,
    pub(super) stuck_flagged_at: Option<DateTime<Utc>>,
    /// Official attributes of TMF622 that are only stored and echoed.
    pub(super) attributes: Map<String, Value>,
    pub(super) item: Item,
    pub(super) version: i64,
    /// What happened since it was loaded.
    pub(super) changes: Vec<Change>,
}

impl Order {
    /// Takes one step of the state machine; `reason` is for people.
    pub(super) fn step(&mut self, cx: &Context, trigger: Trigger, reason: &str) -> Result<(), Violation> {
        let to = self.state.after(trigger)?;
        let change = Change {
            from: Some(self.state),
            to,
            by: cx.actor.to_string(),
            reason: Some(reason.to_owned()),
            at: cx.now,
        };
        match trigger {
            Trigger::Submit => {
                self.submitted_at = Some(cx.now);
                self.state_reason = None;
            }
            Trigger::Hold => self.state_reason = Some(reason.to_owned()),
            Trigger::Complete => self.completed_date = Some(cx.now),
            Trigger::Cancel | Trigger::Fail => {
                self.completed_date = Some(cx.now);
                self.state_reason = Some(reason.to_owned());
            }
        }
        self.state = to;
        self.version += 1;
        self.changes.push(change);
        Ok(())
    }

    /// The caller's `If-Match`, when it gave one, is the version of this order.
    pub(super) fn expect_version(&self, expected: Option<i64>) -> Result<()> {
        match expected {
            Some(version) if version != self.version => {
                Err(Error::PreconditionFailed(format!("The order is at version {}; read it again", self.version)))
            }
            _ => Ok(()),
        }
    }

    /// A line for the history that changes no state.
    pub(super) fn remark(&mut self, cx: &Context, text: impl Into<String>) {
        let (from, to) = (Some(self.state), self.state);
        self.changes.push(Change { from, to, by: cx.actor.to_string(), reason: Some(text.into()), at: cx.now });
        self.version += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair, written down: a change of the machine must change this table.
    const MACHINE: [(OrderState, [bool; 5]); 6] = [
        //                         submit hold cancel complete fail
        (OrderState::Acknowledged, [true, true, true, false, false]),
        (OrderState::InProgress, [false, false, true, true, true]),
        (OrderState::Held, [true, false, true, false, false]),
        (OrderState::Completed, [false, false, false, false, false]),
        (OrderState::Failed, [false, false, false, false, false]),
        (OrderState::Cancelled, [false, false, false, false, false]),
    ];

    #[test]
    fn every_pair_of_state_and_trigger_is_defined() {
        assert_eq!(MACHINE.map(|(state, _)| state), OrderState::ALL);
        for (state, row) in MACHINE {
            for (trigger, open) in Trigger::ALL.into_iter().zip(row) {
                assert_eq!(state.after(trigger).ok(), open.then(|| trigger.leads_to()), "{state:?} {trigger:?}");
            }
        }
    }

    #[test]
    fn a_refused_step_names_the_open_ones() {
        let refused = OrderState::InProgress.after(Trigger::Submit).unwrap_err();
        assert_eq!(refused.rule, rule::TRANSITION_INVALID);
        assert_eq!(refused.context["currentState"], "in_progress");
        assert_eq!(refused.context["targetState"], "in_progress");
        assert_eq!(refused.context["allowed"], serde_json::json!(["cancelled", "completed", "failed"]));
    }

    #[test]
    fn a_promise_is_booked_for_its_periods_and_kept_once_without_its_promotion() {
        let promised = |periods_total| Promised {
            code: Some("SUMMER25".into()),
            kind: "percent".into(),
            value: "12.5".parse().unwrap(),
            periods_total: Some(periods_total),
            offer_definition_id: Some("OD_SUMMER25".into()),
            offer_id: None,
        };
        let price = Money::new(2_500, "SGD".parse().unwrap());
        for (stored, booked) in [(1, Some(1)), (3, Some(3)), (-1, None)] {
            assert_eq!(promised(stored).booked(price).unwrap().periods, booked);
            let once = promised(stored).honoured(price).unwrap();
            assert_eq!((once.periods, once.promo_offer_definition_id), (Some(1), None));
            assert_eq!(once.discount.applied_to(price).minor, 2_188, "what was promised, to the cent");
        }
        assert!(promised(-2).booked(price).is_none());
    }

    #[test]
    fn terminal_states_are_those_without_a_way_out() {
        for state in OrderState::ALL {
            assert_eq!(
                state.is_terminal(),
                !Trigger::ALL.into_iter().any(|trigger| state.allows(trigger)),
                "{state:?}"
            );
            assert_eq!(OrderState::parse(state.as_str()), Some(state));
        }
    }
}
