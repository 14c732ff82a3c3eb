//! The operations that the commands call, each named once.
//!
//! [`Session::call`](super::session::Session::call) takes nothing but these, so [`ALL`] is complete by construction
//! and can be compared with the server's registry.

/// The name of an operation that some command calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation(&'static str);

impl Operation {
    /// The name in the registry, e.g. `order.create`.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }
}

macro_rules! operations {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(crate) const $constant: Operation = Operation($name);)*
        /// Every operation name that the command line uses.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

operations! {
    AUDIT_COUNT_BY_IDENTITY = "audit.count_by_identity";
    AUDIT_EVENTS_BY_IDENTITY = "audit.events_by_identity";
    AUDIT_FIND_ORPHANS = "audit.find_orphans";
    AUDIT_FINDINGS = "audit.findings";
    AUDIT_VERIFY = "audit.verify";
    CATALOG_GET_OFFERING = "catalog.get_offering";
    CATALOG_GET_VAS = "catalog.get_vas";
    CATALOG_LIST_ACTIVE_OFFERINGS = "catalog.list_active_offerings";
    CATALOG_LIST_OFFERINGS = "catalog.list_offerings";
    CATALOG_LIST_VAS = "catalog.list_vas";
    CLOCK_ADVANCE = "clock.advance";
    CLOCK_FREEZE = "clock.freeze";
    CLOCK_NOW = "clock.now";
    CLOCK_UNFREEZE = "clock.unfreeze";
    COMMUNICATION_GET = "communication.get";
    COMMUNICATION_LIST = "communication.list";
    COMMUNICATION_LIST_PREFERENCES = "communication.list_preferences";
    COMMUNICATION_RESEND = "communication.resend";
    COMMUNICATION_SET_PREFERENCE = "communication.set_preference";
    CUSTOMER_ADD_CONTACT_MEDIUM = "customer.add_contact_medium";
    CUSTOMER_ATTEST_KYC = "customer.attest_kyc";
    CUSTOMER_CLOSE = "customer.close";
    CUSTOMER_CREATE = "customer.create";
    CUSTOMER_FIND_BY_EMAIL = "customer.find_by_email";
    CUSTOMER_FIND_BY_MSISDN = "customer.find_by_msisdn";
    CUSTOMER_GET = "customer.get";
    CUSTOMER_LIST = "customer.list";
    EVENTS_LIST = "events.list";
    INTERACTION_LIST = "interaction.list";
    INVENTORY_ESIM_GET = "inventory.esim.get";
    INVENTORY_ESIM_LIST_AVAILABLE = "inventory.esim.list_available";
    INVENTORY_MSISDN_ADD_RANGE = "inventory.msisdn.add_range";
    INVENTORY_MSISDN_COUNT = "inventory.msisdn.count";
    INVENTORY_MSISDN_GET = "inventory.msisdn.get";
    INVENTORY_MSISDN_LIST = "inventory.msisdn.list";
    ORDER_CANCEL = "order.cancel";
    ORDER_CEASE = "order.cease";
    ORDER_CREATE = "order.create";
    ORDER_GET = "order.get";
    ORDER_HOLD = "order.hold";
    ORDER_LIST = "order.list";
    ORDER_RETRY = "order.retry";
    ORDER_SUBMIT = "order.submit";
    ORDER_TRIAGE = "order.triage";
    ORDER_WAIT_UNTIL = "order.wait_until";
    PAYMENT_ADD_CARD = "payment.add_card";
    PAYMENT_GET_ATTEMPT = "payment.get_attempt";
    PAYMENT_LIST_ATTEMPTS = "payment.list_attempts";
    PAYMENT_LIST_METHODS = "payment.list_methods";
    PAYMENT_REFUND = "payment.refund";
    PAYMENT_REMOVE_METHOD = "payment.remove_method";
    PAYMENT_SET_DEFAULT_METHOD = "payment.set_default_method";
    PROVISIONING_ABANDON = "provisioning.abandon";
    PROVISIONING_GET_TASK = "provisioning.get_task";
    PROVISIONING_LIST_FAULT_INJECTIONS = "provisioning.list_fault_injections";
    PROVISIONING_LIST_TASKS = "provisioning.list_tasks";
    PROVISIONING_RESOLVE_STUCK = "provisioning.resolve_stuck";
    PROVISIONING_RETRY_FAILED = "provisioning.retry_failed";
    PROVISIONING_SET_FAULT_INJECTION = "provisioning.set_fault_injection";
    QUEUE_DISCARD = "queue.discard";
    QUEUE_PARKED = "queue.parked";
    QUEUE_REPLAY = "queue.replay";
    QUEUE_REPLAY_ALL = "queue.replay_all";
    QUEUE_SHOW = "queue.show";
    QUEUE_STATUS = "queue.status";
    RATING_EXPLAIN = "rating.explain";
    SERVICE_GET = "service.get";
    SERVICE_LIST_FOR_SUBSCRIPTION = "service.list_for_subscription";
    SERVICE_LIST_UNCONFIRMED = "service.list_unconfirmed";
    SERVICE_ORDER_GET = "service_order.get";
    SERVICE_ORDER_LIST_FOR_ORDER = "service_order.list_for_order";
    SUBSCRIPTION_BLOCK = "subscription.block";
    SUBSCRIPTION_CANCEL_PENDING_PLAN_CHANGE = "subscription.cancel_pending_plan_change";
    SUBSCRIPTION_FIND_BY_MSISDN = "subscription.find_by_msisdn";
    SUBSCRIPTION_GET = "subscription.get";
    SUBSCRIPTION_GET_BALANCE = "subscription.get_balance";
    SUBSCRIPTION_GET_ESIM_ACTIVATION = "subscription.get_esim_activation";
    SUBSCRIPTION_HISTORY = "subscription.history";
    SUBSCRIPTION_LIST_FOR_CUSTOMER = "subscription.list_for_customer";
    SUBSCRIPTION_MIGRATE_TO_NEW_PRICE = "subscription.migrate_to_new_price";
    SUBSCRIPTION_PURCHASE_VAS = "subscription.purchase_vas";
    SUBSCRIPTION_RENEW_NOW = "subscription.renew_now";
    SUBSCRIPTION_RENEWAL_PROGRESS = "subscription.renewal_progress";
    SUBSCRIPTION_SCHEDULE_PLAN_CHANGE = "subscription.schedule_plan_change";
    SUBSCRIPTION_TERMINATE = "subscription.terminate";
    SUBSCRIPTION_TIMELINE = "subscription.timeline";
    SUBSCRIPTION_UNBLOCK = "subscription.unblock";
    TRACE_FOR_ORDER = "trace.for_order";
    TRACE_FOR_SUBSCRIPTION = "trace.for_subscription";
    TRACE_GET = "trace.get";
    TRACE_LIST = "trace.list";
    USAGE_GET = "usage.get";
    USAGE_HISTORY = "usage.history";
    USAGE_IMPORT_BATCH = "usage.import_batch";
    USAGE_SIMULATE = "usage.simulate";
    WORKER_LIST = "worker.list";
    WORKER_TICK = "worker.tick";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn the_names_are_sorted_unique_and_dotted() {
        let sorted: BTreeSet<_> = ALL.iter().copied().collect();
        assert_eq!(sorted.into_iter().collect::<Vec<_>>(), ALL);
        assert!(ALL.iter().all(|name| name.split('.').count() >= 2), "an operation is <noun>.<verb>");
    }
}
