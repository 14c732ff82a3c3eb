//! The rules of service orders and services. Both state machines refuse by them, and so do technical orders.

use crate::domains::som::model::{Graph, ServiceOrder};
use crate::domains::som::port::{NetworkState, ServiceId, ServiceState, ServiceView};
use crate::domains::som::resync::Action;
use crate::platform::error::{Error, Result, Violation};

/// Every rule id of the domain.
pub mod rule {
    use crate::platform::error::Rule;

    pub const SERVICE_ORDER_TRANSITION_INVALID: Rule = Rule::new("service_order.transition.invalid");
    pub const SERVICE_TRANSITION_INVALID: Rule = Rule::new("service.transition.invalid");
    pub const NEEDS_PRODUCT_ORDER: Rule = Rule::new("service_order.create.needs_product_order");
    pub const SERVICE_NOT_FOUND: Rule = Rule::new("service_order.create.service_not_found");
    pub const SERVICE_NOT_ACTIVE: Rule = Rule::new("service_order.create.service_not_active");
    pub const NOT_CUSTOMER_FACING: Rule = Rule::new("service_order.create.service_not_customer_facing");
}

/// May this be asked for in a technical order? Answers the service that it is about.
pub(super) fn technical(action: Action, service: Option<&ServiceId>) -> Result<&ServiceId> {
    match (action, service) {
        (Action::Add | Action::Delete, _) => Err(rule::NEEDS_PRODUCT_ORDER
            .violated("A service comes and goes with a product order: POST productOrder with action add or delete")
            .with("action", action.as_str())
            .into()),
        (Action::Modify | Action::NoChange, Some(id)) => Ok(id),
        (Action::Modify | Action::NoChange, None) => {
            Err(Error::invalid("/serviceOrderItem/0/service/id", "is required with this action"))
        }
    }
}

/// Is there such a service, and can it be ordered for? `found` is what the inventory says.
pub(super) fn known(id: &ServiceId, found: Result<ServiceView>) -> Result<ServiceView> {
    match found {
        Err(Error::NotFound { .. }) => Err(not_found(id).into()),
        Ok(service) if service.kind != "CFS" => Err(rule::NOT_CUSTOMER_FACING
            .violated("Order for the customer-facing service; those below it follow")
            .with("serviceId", id)
            .with("parentServiceId", service.parent_service_id)
            .into()),
        answer => answer,
    }
}

/// Every service was made by an order.
pub(super) fn has_origin(id: &ServiceId, origin: Option<ServiceOrder>) -> Result<ServiceOrder, Violation> {
    origin.ok_or_else(|| not_found(id))
}

fn not_found(id: &ServiceId) -> Violation {
    rule::SERVICE_NOT_FOUND.violated("There is no such service").with("serviceId", id)
}

/// Does the network know the service, and is it to go on knowing it?
pub(super) fn in_network(id: &ServiceId, graph: &Graph) -> Result<(), Violation> {
    let state = graph.cfs.state;
    if state == ServiceState::Activated && graph.cfs.network.wanted != Some(NetworkState::Removed) {
        return Ok(());
    }
    Err(rule::SERVICE_NOT_ACTIVE
        .violated("The service is not active, or is being taken out of the network")
        .with("serviceId", id)
        .with("state", state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_come_and_go_with_product_orders_only() {
        let id = ServiceId::from("SVC-0001".to_owned());
        for action in [Action::Add, Action::Delete] {
            let refused = technical(action, Some(&id)).unwrap_err();
            assert_eq!(refused.violation().unwrap().rule, rule::NEEDS_PRODUCT_ORDER);
        }
        for action in [Action::Modify, Action::NoChange] {
            assert_eq!(technical(action, Some(&id)).unwrap(), &id);
            assert!(matches!(technical(action, None), Err(Error::Invalid { .. })));
        }
    }
}
