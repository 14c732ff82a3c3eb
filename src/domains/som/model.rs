//! Service orders and the services they make, as values: two state machines and the graph of a line. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domains::catalog::port::OfferingId;
use crate::domains::com::port::OrderId;
use crate::domains::crm::port::{CustomerId, Msisdn, Reservation};
use crate::domains::provisioning::port::TaskType;
use crate::domains::som::policy::rule;
use crate::domains::som::port::{
    NetworkState, ServiceId, ServiceOrderId, ServiceOrderKind, ServiceOrderState, ServiceState,
};
use crate::domains::subscription::port::SubscriptionId;
use crate::platform::context::Context;
use crate::platform::error::Violation;

/// What can happen to a service order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrderTrigger {
    /// Its network tasks are booked.
    Start,
    /// All of them are done.
    Complete,
    /// One of them failed for good.
    Fail,
    /// The commercial order was called off.
    Cancel,
}

impl OrderTrigger {
    const ALL: [Self; 4] = [Self::Start, Self::Complete, Self::Fail, Self::Cancel];

    const fn leads_to(self) -> ServiceOrderState {
        match self {
            Self::Start => ServiceOrderState::InProgress,
            Self::Complete => ServiceOrderState::Completed,
            Self::Fail => ServiceOrderState::Failed,
            Self::Cancel => ServiceOrderState::Cancelled,
        }
    }
}

impl ServiceOrderState {
    /// The state after `trigger`.
    pub(super) fn after(self, trigger: OrderTrigger) -> Result<Self, Violation> {
        if self.allows(trigger) {
            return Ok(trigger.leads_to());
        }
        let allowed = OrderTrigger::ALL.into_iter().filter(|t| self.allows(*t)).map(|t| t.leads_to().as_str());
        Err(refused(rule::SERVICE_ORDER_TRANSITION_INVALID, self.as_str(), trigger.leads_to().as_str(), allowed))
    }

    const fn allows(self, trigger: OrderTrigger) -> bool {
        match (self, trigger) {
            (Self::Acknowledged, OrderTrigger::Start | OrderTrigger::Fail | OrderTrigger::Cancel)
            | (Self::InProgress, OrderTrigger::Complete | OrderTrigger::Fail | OrderTrigger::Cancel) => true,
            (Self::Acknowledged, OrderTrigger::Complete)
            | (Self::InProgress, OrderTrigger::Start)
            | (Self::Completed | Self::Failed | Self::Cancelled, _) => false,
        }
    }
}

/// What can happen to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceTrigger {
    /// Number and eSIM are reserved for it.
    Reserve,
    /// The network gives it.
    Activate,
    /// It will never be given.
    Fail,
    /// The network gives it no more.
    Terminate,
}

impl ServiceTrigger {
    const ALL: [Self; 4] = [Self::Reserve, Self::Activate, Self::Fail, Self::Terminate];

    const fn leads_to(self) -> ServiceState {
        match self {
            Self::Reserve => ServiceState::Reserved,
            Self::Activate => ServiceState::Activated,
            Self::Fail => ServiceState::Failed,
            Self::Terminate => ServiceState::Terminated,
        }
    }
}

impl ServiceState {
    /// The state after `trigger`.
    pub(super) fn after(self, trigger: ServiceTrigger) -> Result<Self, Violation> {
        if self.allows(trigger) {
            return Ok(trigger.leads_to());
        }
        let allowed = ServiceTrigger::ALL.into_iter().filter(|t| self.allows(*t)).map(|t| t.leads_to().as_str());
        Err(refused(rule::SERVICE_TRANSITION_INVALID, self.as_str(), trigger.leads_to().as_str(), allowed))
    }

    const fn allows(self, trigger: ServiceTrigger) -> bool {
        match (self, trigger) {
            (Self::FeasibilityChecked | Self::Designed, ServiceTrigger::Reserve | ServiceTrigger::Fail)
            | (Self::Reserved, ServiceTrigger::Activate | ServiceTrigger::Fail)
            | (Self::Activated, ServiceTrigger::Terminate) => true,
            (Self::FeasibilityChecked | Self::Designed, ServiceTrigger::Activate | ServiceTrigger::Terminate)
            | (Self::Reserved, ServiceTrigger::Reserve | ServiceTrigger::Terminate)
            | (Self::Activated, ServiceTrigger::Reserve | ServiceTrigger::Activate | ServiceTrigger::Fail)
            | (Self::Failed | Self::Terminated, _) => false,
        }
    }
}

fn refused(
    rule: crate::platform::error::Rule,
    current: &str,
    target: &str,
    allowed: impl Iterator<Item = &'static str>,
) -> Violation {
    let mut allowed: Vec<&str> = allowed.collect();
    allowed.sort_unstable();
    rule.violated(format!("What is {current} cannot become {target}"))
        .with("currentState", current)
        .with("targetState", target)
        .with("allowed", allowed)
}

/// A service order.
#[derive(Debug, Clone)]
pub(super) struct ServiceOrder {
    pub(super) id: ServiceOrderId,
    pub(super) commercial_order_id: OrderId,
    pub(super) customer_id: CustomerId,
    pub(super) subscription_id: Option<SubscriptionId>,
    pub(super) kind: ServiceOrderKind,
    pub(super) state: ServiceOrderState,
    pub(super) state_reason: Option<String>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) completed_at: Option<DateTime<Utc>>,
    pub(super) version: i64,
}

impl ServiceOrder {
    /// Takes one step of the state machine; `reason` is kept where it explains a loss.
    pub(super) fn step(&mut self, cx: &Context, trigger: OrderTrigger, reason: Option<&str>) -> Result<(), Violation> {
        self.state = self.state.after(trigger)?;
        match trigger {
            OrderTrigger::Start => self.started_at = Some(cx.now),
            OrderTrigger::Complete => self.completed_at = Some(cx.now),
            OrderTrigger::Fail | OrderTrigger::Cancel => {
                self.completed_at = Some(cx.now);
                self.state_reason = reason.map(str::to_owned);
            }
        }
        self.version += 1;
        Ok(())
    }
}

/// What is known of a line's customer-facing service. The IMSI is for the network and never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Characteristics {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) msisdn: Option<Msisdn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iccid_last4: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) imsi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) offering_id: Option<OfferingId>,
}

impl Characteristics {
    pub(super) fn of(held: &Reservation, offering_id: &OfferingId) -> Self {
        let iccid = held.iccid.as_str();
        Self {
            msisdn: Some(held.msisdn.clone()),
            iccid_last4: Some(iccid[iccid.len().saturating_sub(4)..].to_owned()),
            imsi: Some(held.imsi.clone()),
            offering_id: Some(offering_id.clone()),
        }
    }

    /// What a network element is told of the service.
    pub(super) fn for_network(&self) -> Value {
        json!({ "msisdn": self.msisdn, "imsi": self.imsi, "offeringId": self.offering_id })
    }
}

/// What of a task of the network is known to hold for the service once it is done; None where it says nothing of that.
pub(super) const fn confirmed_by(task: TaskType) -> Option<NetworkState> {
    match task {
        TaskType::ServiceSuspend => Some(NetworkState::Suspended),
        TaskType::ServiceResume => Some(NetworkState::InService),
        TaskType::HlrDeprovision => Some(NetworkState::Removed),
        // Four tasks together bring a service up: the end of the activation says so.
        TaskType::HlrProvision | TaskType::PcrfPolicyPush | TaskType::OcsBalanceInit | TaskType::EsimProfilePrepare => {
            None
        }
    }
}

/// What a customer-facing service and the network have to do with each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// What was asked for last; None before an activation has come to its end.
    pub(super) wanted: Option<NetworkState>,
    /// What the network has confirmed last.
    pub(super) confirmed: Option<NetworkState>,
    /// The plan whose policy was asked for last; None as above.
    pub(super) policy_wanted: Option<OfferingId>,
    /// The plan whose policy the network has confirmed last.
    pub(super) policy_confirmed: Option<OfferingId>,
    /// Position in the log of the last event of the line that was turned into tasks.
    pub(super) line_event_seq: i64,
}

/// One line for a service's history that is not stored yet.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) from: Option<ServiceState>,
    pub(super) to: ServiceState,
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) at: DateTime<Utc>,
}

/// One service of a line.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: ServiceId,
    pub(super) spec_id: String,
    pub(super) name: String,
    pub(super) state: ServiceState,
    pub(super) characteristics: Characteristics,
    /// Of a customer-facing service.
    pub(super) network: Network,
    pub(super) changes: Vec<Change>,
}

impl Node {
    /// A service that is only thought of yet.
    pub(super) fn designed(cx: &Context, id: ServiceId, spec_id: String, name: String) -> Self {
        let state = ServiceState::Designed;
        let created =
            Change { from: None, to: state, by: cx.actor.to_string(), reason: "decomposed".to_owned(), at: cx.now };
        Self {
            id,
            spec_id,
            name,
            state,
            characteristics: Characteristics::default(),
            network: Network::default(),
            changes: vec![created],
        }
    }

    fn step(&mut self, cx: &Context, trigger: ServiceTrigger, reason: &str) -> Result<(), Violation> {
        let to = self.state.after(trigger)?;
        let by = cx.actor.to_string();
        self.changes.push(Change { from: Some(self.state), to, by, reason: reason.to_owned(), at: cx.now });
        self.state = to;
        Ok(())
    }
}

/// The services of one line: the customer-facing one and those it stands on. They always move together.
#[derive(Debug, Clone)]
pub(super) struct Graph {
    pub(super) cfs: Node,
    pub(super) rfs: Vec<Node>,
}

impl Graph {
    /// Moves every service, the customer-facing one first.
    pub(super) fn step(&mut self, cx: &Context, trigger: ServiceTrigger, reason: &str) -> Result<(), Violation> {
        self.cfs.step(cx, trigger, reason)?;
        self.rfs.iter_mut().try_for_each(|node| node.step(cx, trigger, reason))
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.cfs).chain(&self.rfs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_service_order_state_and_trigger_is_defined() {
        use ServiceOrderState as S;
        let machine = [
            //               start complete fail cancel
            (S::Acknowledged, [true, false, true, true]),
            (S::InProgress, [false, true, true, true]),
            (S::Completed, [false; 4]),
            (S::Failed, [false; 4]),
            (S::Cancelled, [false; 4]),
        ];
        assert_eq!(machine.map(|(state, _)| state), S::ALL);
        for (state, row) in machine {
            for (trigger, open) in OrderTrigger::ALL.into_iter().zip(row) {
                assert_eq!(state.after(trigger).ok(), open.then(|| trigger.leads_to()), "{state:?} {trigger:?}");
            }
            assert_eq!(S::parse(state.as_str()), Some(state));
        }
    }

    #[test]
    fn every_pair_of_service_state_and_trigger_is_defined() {
        use ServiceState as S;
        let machine = [
            //                     reserve activate fail terminate
            (S::FeasibilityChecked, [true, false, true, false]),
            (S::Designed, [true, false, true, false]),
            (S::Reserved, [false, true, true, false]),
            (S::Activated, [false, false, false, true]),
            (S::Failed, [false; 4]),
            (S::Terminated, [false; 4]),
        ];
        assert_eq!(machine.map(|(state, _)| state), S::ALL);
        for (state, row) in machine {
            for (trigger, open) in ServiceTrigger::ALL.into_iter().zip(row) {
                assert_eq!(state.after(trigger).ok(), open.then(|| trigger.leads_to()), "{state:?} {trigger:?}");
            }
            assert_eq!(S::parse(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_refusal_names_what_is_open() {
        let refusal = ServiceState::Reserved.after(ServiceTrigger::Terminate).unwrap_err();
        assert_eq!(refusal.rule.id(), "service.transition.invalid");
        assert_eq!(refusal.context["allowed"], serde_json::json!(["activated", "failed"]));
    }

    #[test]
    fn only_the_last_four_digits_of_a_profile_are_kept() {
        let held = Reservation {
            msisdn: "90000123".to_owned().into(),
            iccid: "8965010000000000417".to_owned().into(),
            imsi: "525010000000417".into(),
            substituted: false,
        };
        let stored = serde_json::to_string(&Characteristics::of(&held, &"PLAN_M".to_owned().into())).unwrap();
        assert!(
            stored.contains(r#""iccidLast4":"0417""#) && !stored.contains("8965010") && !stored.contains("LPA"),
            "{stored}"
        );
    }
}
