//! The operations that the commands call, each named once.
//!
//! [`Session::call`](super::session::Session::call) takes nothing but these, so [`ALL`] is complete by construction
//! and can be compared with the server's registry.

/// What an operation does to the world, as its declaration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Read,
    /// Something that can be undone, or done again.
    Write,
    /// Something that cannot.
    Destructive,
}

impl Effect {
    /// The name in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// An operation that some command calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operation {
    name: &'static str,
    effect: Effect,
}

impl Operation {
    /// The name in the registry, e.g. `order.create`.
    pub(crate) fn name(self) -> &'static str {
        self.name
    }

    /// Does it change anything?
    pub(crate) fn writes(self) -> bool {
        self.effect != Effect::Read
    }
}

macro_rules! operations {
    ($($constant:ident: $effect:ident = $name:literal;)*) => {
        $(pub(crate) const $constant: Operation = Operation { name: $name, effect: Effect::$effect };)*
        /// Every operation that the command line uses, and what it does.
        pub const ALL: &[(&str, Effect)] = &[$(($name, Effect::$effect)),*];
    };
}

operations! {
    ADMIN_RESET_OPERATIONAL_DATA: Destructive = "admin.reset_operational_data";
    AUDIT_COUNT_BY_IDENTITY: Read = "audit.count_by_identity";
    AUDIT_EVENTS_BY_IDENTITY: Read = "audit.events_by_identity";
    AUDIT_FIND_ORPHANS: Read = "audit.find_orphans";
    AUDIT_FINDINGS: Read = "audit.findings";
    AUDIT_VERIFY: Read = "audit.verify";
    CATALOG_ADD_OFFERING: Write = "catalog.add_offering";
    CATALOG_ADD_PRICE: Write = "catalog.add_price";
    CATALOG_ADD_VAS: Write = "catalog.add_vas";
    CATALOG_GET_OFFERING: Read = "catalog.get_offering";
    CATALOG_GET_VAS: Read = "catalog.get_vas";
    CATALOG_LIST_ACTIVE_OFFERINGS: Read = "catalog.list_active_offerings";
    CATALOG_LIST_OFFERINGS: Read = "catalog.list_offerings";
    CATALOG_LIST_VAS: Read = "catalog.list_vas";
    CATALOG_RETIRE_OFFERING: Destructive = "catalog.retire_offering";
    CATALOG_RETIRE_PRICE: Destructive = "catalog.retire_price";
    CATALOG_WINDOW_OFFERING: Write = "catalog.window_offering";
    CATALOG_WINDOW_VAS: Write = "catalog.window_vas";
    CLOCK_ADVANCE: Write = "clock.advance";
    CLOCK_FREEZE: Write = "clock.freeze";
    CLOCK_NOW: Read = "clock.now";
    CLOCK_UNFREEZE: Write = "clock.unfreeze";
    COMMUNICATION_GET: Read = "communication.get";
    COMMUNICATION_LIST: Read = "communication.list";
    COMMUNICATION_LIST_PREFERENCES: Read = "communication.list_preferences";
    COMMUNICATION_RESEND: Write = "communication.resend";
    COMMUNICATION_SET_PREFERENCE: Write = "communication.set_preference";
    CUSTOMER_ADD_CONTACT_MEDIUM: Write = "customer.add_contact_medium";
    CUSTOMER_ATTEST_KYC: Write = "customer.attest_kyc";
    CUSTOMER_CLOSE: Destructive = "customer.close";
    CUSTOMER_CREATE: Write = "customer.create";
    CUSTOMER_FIND_BY_EMAIL: Read = "customer.find_by_email";
    CUSTOMER_FIND_BY_MSISDN: Read = "customer.find_by_msisdn";
    CUSTOMER_GET: Read = "customer.get";
    CUSTOMER_LIST: Read = "customer.list";
    CUSTOMER_REMOVE_CONTACT_MEDIUM: Destructive = "customer.remove_contact_medium";
    CUSTOMER_UPDATE_CONTACT_MEDIUM: Write = "customer.update_contact_medium";
    EVENTS_LIST: Read = "events.list";
    HUB_LIST: Read = "hub.list";
    INTERACTION_LIST: Read = "interaction.list";
    INTERACTION_LOG: Write = "interaction.log";
    INVENTORY_ESIM_ADD_BATCH: Write = "inventory.esim.add_batch";
    INVENTORY_ESIM_GET: Read = "inventory.esim.get";
    INVENTORY_ESIM_LIST: Read = "inventory.esim.list";
    INVENTORY_MSISDN_ADD_RANGE: Write = "inventory.msisdn.add_range";
    INVENTORY_MSISDN_COUNT: Read = "inventory.msisdn.count";
    INVENTORY_MSISDN_GET: Read = "inventory.msisdn.get";
    INVENTORY_MSISDN_LIST: Read = "inventory.msisdn.list";
    INVENTORY_MSISDN_RELEASE: Destructive = "inventory.msisdn.release";
    OPERATOR_PROFILE: Read = "operator.profile";
    ORDER_CANCEL: Destructive = "order.cancel";
    ORDER_CEASE: Destructive = "order.cease";
    ORDER_CREATE: Write = "order.create";
    ORDER_GET: Read = "order.get";
    ORDER_HOLD: Write = "order.hold";
    ORDER_LIST: Read = "order.list";
    ORDER_RETRY: Write = "order.retry";
    ORDER_SUBMIT: Write = "order.submit";
    ORDER_TRIAGE: Read = "order.triage";
    ORDER_WAIT_UNTIL: Read = "order.wait_until";
    PAYMENT_ADD_CARD: Write = "payment.add_card";
    PAYMENT_CUTOVER: Destructive = "payment.cutover";
    PAYMENT_GET_ATTEMPT: Read = "payment.get_attempt";
    PAYMENT_LIST_ATTEMPTS: Read = "payment.list_attempts";
    PAYMENT_LIST_METHODS: Read = "payment.list_methods";
    PAYMENT_PREVIEW_CUTOVER: Read = "payment.preview_cutover";
    PAYMENT_REFUND: Destructive = "payment.refund";
    PAYMENT_REMOVE_METHOD: Destructive = "payment.remove_method";
    PAYMENT_SET_DEFAULT_METHOD: Write = "payment.set_default_method";
    PROMO_ASSIGN: Write = "promo.assign";
    PROMO_CREATE: Write = "promo.create";
    PROMO_EXHAUST: Destructive = "promo.exhaust";
    PROMO_LIST: Read = "promo.list";
    PROMO_PREVIEW: Read = "promo.preview";
    PROMO_SHOW: Read = "promo.show";
    PROMO_UNASSIGN: Write = "promo.unassign";
    PROVISIONING_ABANDON: Destructive = "provisioning.abandon";
    PROVISIONING_GET_TASK: Read = "provisioning.get_task";
    PROVISIONING_LIST_FAULT_INJECTIONS: Read = "provisioning.list_fault_injections";
    PROVISIONING_LIST_TASKS: Read = "provisioning.list_tasks";
    PROVISIONING_RESOLVE_STUCK: Write = "provisioning.resolve_stuck";
    PROVISIONING_RETRY_FAILED: Write = "provisioning.retry_failed";
    PROVISIONING_SET_FAULT_INJECTION: Destructive = "provisioning.set_fault_injection";
    QUEUE_DISCARD: Destructive = "queue.discard";
    QUEUE_PARKED: Read = "queue.parked";
    QUEUE_REPLAY: Write = "queue.replay";
    QUEUE_REPLAY_ALL: Write = "queue.replay_all";
    QUEUE_SHOW: Read = "queue.show";
    QUEUE_STATUS: Read = "queue.status";
    RATING_EXPLAIN: Read = "rating.explain";
    RATING_TARIFF: Read = "rating.tariff";
    RATING_TEST: Read = "rating.test";
    SERVICE_GET: Read = "service.get";
    SERVICE_LIST_FOR_SUBSCRIPTION: Read = "service.list_for_subscription";
    SERVICE_LIST_UNCONFIRMED: Read = "service.list_unconfirmed";
    SERVICE_ORDER_GET: Read = "service_order.get";
    SERVICE_ORDER_LIST_FOR_ORDER: Read = "service_order.list_for_order";
    SUBSCRIPTION_BLOCK: Write = "subscription.block";
    SUBSCRIPTION_CANCEL_PENDING_PLAN_CHANGE: Write = "subscription.cancel_pending_plan_change";
    SUBSCRIPTION_FIND_BY_MSISDN: Read = "subscription.find_by_msisdn";
    SUBSCRIPTION_GET: Read = "subscription.get";
    SUBSCRIPTION_GET_BALANCE: Read = "subscription.get_balance";
    SUBSCRIPTION_GET_ESIM_ACTIVATION: Write = "subscription.get_esim_activation";
    SUBSCRIPTION_HISTORY: Read = "subscription.history";
    SUBSCRIPTION_LIST: Read = "subscription.list";
    SUBSCRIPTION_LIST_FOR_CUSTOMER: Read = "subscription.list_for_customer";
    SUBSCRIPTION_MIGRATE_TO_NEW_PRICE: Destructive = "subscription.migrate_to_new_price";
    SUBSCRIPTION_PAY_NOW: Write = "subscription.pay_now";
    SUBSCRIPTION_PURCHASE_VAS: Write = "subscription.purchase_vas";
    SUBSCRIPTION_RENEW_NOW: Write = "subscription.renew_now";
    SUBSCRIPTION_RENEWAL_PROGRESS: Read = "subscription.renewal_progress";
    SUBSCRIPTION_SCHEDULE_PLAN_CHANGE: Write = "subscription.schedule_plan_change";
    SUBSCRIPTION_TERMINATE: Destructive = "subscription.terminate";
    SUBSCRIPTION_TIMELINE: Read = "subscription.timeline";
    SUBSCRIPTION_UNBLOCK: Write = "subscription.unblock";
    TRACE_FOR_ORDER: Read = "trace.for_order";
    TRACE_FOR_SUBSCRIPTION: Read = "trace.for_subscription";
    TRACE_GET: Read = "trace.get";
    TRACE_LIST: Read = "trace.list";
    TRACE_SERVICES: Read = "trace.services";
    USAGE_GET: Read = "usage.get";
    USAGE_HISTORY: Read = "usage.history";
    USAGE_IMPORT_BATCH: Write = "usage.import_batch";
    USAGE_SIMULATE: Write = "usage.simulate";
    WORKER_LIST: Read = "worker.list";
    WORKER_TICK: Write = "worker.tick";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn the_names_are_sorted_unique_and_dotted() {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        let sorted: BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(sorted.into_iter().collect::<Vec<_>>(), names);
        assert!(names.iter().all(|name| name.split('.').count() >= 2), "an operation is <noun>.<verb>");
    }
}
