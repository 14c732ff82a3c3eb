//! The rules of service orders and services. Both state machines refuse by them; nothing else here can be refused, since
//! nobody outside writes a service order.

/// Every rule id of the domain.
pub mod rule {
    use crate::platform::error::Rule;

    pub const SERVICE_ORDER_TRANSITION_INVALID: Rule = Rule::new("service_order.transition.invalid");
    pub const SERVICE_TRANSITION_INVALID: Rule = Rule::new("service.transition.invalid");
}
