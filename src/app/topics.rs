//! Which of our events each TM Forum API tells, and what it calls them. `/hub` exists for the APIs that are named here.

use crate::platform::hub::{Named, Topic};

const fn topic(
    event_type: &'static str,
    api: &'static str,
    name: &'static str,
    resource: &'static str,
    collection: &'static str,
) -> Topic {
    Topic { event_type, api, name, resource, collection, named: Named::Aggregate, state: None }
}

/// The topic, about a resource that is in this state now.
const fn at(topic: Topic, state: &'static str) -> Topic {
    Topic { state: Some(state), ..topic }
}

/// The topic, about a resource that is not the aggregate.
const fn about(topic: Topic, named: Named) -> Topic {
    Topic { named, ..topic }
}

const OFFERING: &str = "/tmf-api/productCatalogManagement/v4/productOffering";
const PRICE: &str = "/tmf-api/productCatalogManagement/v4/productOfferingPrice";
const SPECIFICATION: &str = "/tmf-api/productCatalogManagement/v4/productSpecification";
const CATEGORY: &str = "/tmf-api/productCatalogManagement/v4/category";
const PROMOTION: &str = "/tmf-api/promotionManagement/v4/promotion";
const ORDER: &str = "/tmf-api/productOrderingManagement/v4/productOrder";
const CUSTOMER: &str = "/tmf-api/customerManagement/v4/customer";
const PRODUCT: &str = "/tmf-api/productInventory/v4/product";
const SERVICE: &str = "/tmf-api/serviceInventory/v4/service";
const SERVICE_ORDER: &str = "/tmf-api/serviceOrdering/v4/serviceOrder";
const TOP_UP: &str = "/tmf-api/prepayBalanceManagement/v4/topupBalance";
const METHOD: &str = "/tmf-api/paymentMethod/v4/paymentMethod";
const PAYMENT: &str = "/payment/v4/payment";
const REFUND: &str = "/payment/v4/refund";
const INDIVIDUAL: &str = "/tmf-api/party/v4/individual";
const USAGE: &str = "/tmf-api/usageManagement/v4/usage";
const RESOURCE: &str = "/tmf-api/resourceInventoryManagement/v4/resource";
const INTERACTION: &str = "/tmf-api/partyInteraction/v4/partyInteraction";
const ACTIVATION: &str = "/tmf-api/ServiceActivationAndConfiguration/v4/service";
const MONITOR: &str = "/tmf-api/ServiceActivationAndConfiguration/v4/monitor";

const PERSON: Named = Named::In("partyId");
const NUMBER: Named = Named::After("MSISDN-");

/// By API. What several of them tell stands first where TMF688, which tells everything once, has it from.
pub(crate) const TOPICS: &[Topic] = &[
    topic("catalog.offering.added", "TMF620", "ProductOfferingCreateEvent", "productOffering", OFFERING),
    topic(
        "catalog.offering.changed",
        "TMF620",
        "ProductOfferingAttributeValueChangeEvent",
        "productOffering",
        OFFERING,
    ),
    topic(
        "catalog.offering.windowed",
        "TMF620",
        "ProductOfferingAttributeValueChangeEvent",
        "productOffering",
        OFFERING,
    ),
    at(
        topic("catalog.offering.retired", "TMF620", "ProductOfferingStateChangeEvent", "productOffering", OFFERING),
        "Retired",
    ),
    topic("catalog.price.added", "TMF620", "ProductOfferingPriceCreateEvent", "productOfferingPrice", PRICE),
    topic(
        "catalog.price.changed",
        "TMF620",
        "ProductOfferingPriceAttributeValueChangeEvent",
        "productOfferingPrice",
        PRICE,
    ),
    topic(
        "catalog.price.retired",
        "TMF620",
        "ProductOfferingPriceAttributeValueChangeEvent",
        "productOfferingPrice",
        PRICE,
    ),
    topic(
        "catalog.specification.added",
        "TMF620",
        "ProductSpecificationCreateEvent",
        "productSpecification",
        SPECIFICATION,
    ),
    topic(
        "catalog.specification.changed",
        "TMF620",
        "ProductSpecificationAttributeValueChangeEvent",
        "productSpecification",
        SPECIFICATION,
    ),
    topic("catalog.category.added", "TMF620", "CategoryCreateEvent", "category", CATEGORY),
    topic("catalog.category.changed", "TMF620", "CategoryAttributeValueChangeEvent", "category", CATEGORY),
    at(topic("promotion.created", "TMF671", "PromotionCreateEvent", "promotion", PROMOTION), "release"),
    at(topic("promotion.exhausted", "TMF671", "PromotionStateChangeEvent", "promotion", PROMOTION), "retirement"),
    at(topic("order.acknowledged", "TMF622", "ProductOrderCreateEvent", "productOrder", ORDER), "acknowledged"),
    at(topic("order.in_progress", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER), "inProgress"),
    at(topic("order.held", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER), "held"),
    at(topic("order.completed", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER), "completed"),
    at(topic("order.failed", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER), "failed"),
    at(topic("order.cancelled", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER), "cancelled"),
    topic("customer.created", "TMF629", "CustomerCreateEvent", "customer", CUSTOMER),
    topic("customer.updated", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    topic("customer.contact_medium_added", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    topic("customer.contact_medium_updated", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    topic("customer.contact_medium_removed", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    topic("customer.kyc_attested", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    at(topic("customer.closed", "TMF629", "CustomerStateChangeEvent", "customer", CUSTOMER), "closed"),
    at(topic("subscription.booked", "TMF637", "ProductCreateEvent", "product", PRODUCT), "pendingActive"),
    at(topic("subscription.activated", "TMF637", "ProductStateChangeEvent", "product", PRODUCT), "active"),
    at(topic("subscription.activation_failed", "TMF637", "ProductStateChangeEvent", "product", PRODUCT), "cancelled"),
    at(topic("subscription.blocked", "TMF637", "ProductStateChangeEvent", "product", PRODUCT), "suspended"),
    at(topic("subscription.unblocked", "TMF637", "ProductStateChangeEvent", "product", PRODUCT), "active"),
    at(topic("subscription.terminated", "TMF637", "ProductStateChangeEvent", "product", PRODUCT), "terminated"),
    topic("subscription.renewed", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.plan_changed", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.plan_change_scheduled", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.plan_change_cancelled", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.price_migration_scheduled", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.price_migrated", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    at(topic("service.activated", "TMF638", "ServiceStateChangeEvent", "service", SERVICE), "active"),
    at(topic("service.terminated", "TMF638", "ServiceStateChangeEvent", "service", SERVICE), "terminated"),
    at(
        topic("service_order.in_progress", "TMF641", "ServiceOrderCreateEvent", "serviceOrder", SERVICE_ORDER),
        "inProgress",
    ),
    at(
        topic("service_order.completed", "TMF641", "ServiceOrderStateChangeEvent", "serviceOrder", SERVICE_ORDER),
        "completed",
    ),
    at(
        topic("service_order.failed", "TMF641", "ServiceOrderStateChangeEvent", "serviceOrder", SERVICE_ORDER),
        "failed",
    ),
    at(
        topic("service_order.cancelled", "TMF641", "ServiceOrderStateChangeEvent", "serviceOrder", SERVICE_ORDER),
        "cancelled",
    ),
    about(
        topic("subscription.vas_purchased", "TMF654", "TopupBalanceCreateEvent", "topupBalance", TOP_UP),
        Named::In("vasPurchaseId"),
    ),
    topic("payment_method.added", "TMF670", "PaymentMethodCreateEvent", "paymentMethod", METHOD),
    topic(
        "payment_method.default_changed",
        "TMF670",
        "PaymentMethodAttributeValueChangeEvent",
        "paymentMethod",
        METHOD,
    ),
    at(
        topic(
            "payment_method.cutover_invalidated",
            "TMF670",
            "PaymentMethodStatusChangeEvent",
            "paymentMethod",
            METHOD,
        ),
        "expired",
    ),
    at(topic("payment_method.removed", "TMF670", "PaymentMethodStatusChangeEvent", "paymentMethod", METHOD), "removed"),
    at(topic("payment.requested", "TMF676", "PaymentCreateEvent", "payment", PAYMENT), "pendingAuthorization"),
    at(topic("payment.approved", "TMF676", "PaymentStateChangeEvent", "payment", PAYMENT), "done"),
    at(topic("payment.declined", "TMF676", "PaymentStateChangeEvent", "payment", PAYMENT), "denied"),
    about(
        at(topic("payment.refund_requested", "TMF676", "RefundCreateEvent", "refund", REFUND), "pendingAuthorization"),
        Named::In("refundId"),
    ),
    about(
        at(topic("payment.refunded", "TMF676", "RefundStateChangeEvent", "refund", REFUND), "done"),
        Named::In("refundId"),
    ),
    about(
        at(topic("payment.refund_failed", "TMF676", "RefundStateChangeEvent", "refund", REFUND), "failed"),
        Named::In("refundId"),
    ),
    about(topic("customer.created", "TMF632", "IndividualCreateEvent", "individual", INDIVIDUAL), PERSON),
    about(topic("customer.updated", "TMF632", "IndividualAttributeValueChangeEvent", "individual", INDIVIDUAL), PERSON),
    about(
        topic(
            "customer.contact_medium_added",
            "TMF632",
            "IndividualAttributeValueChangeEvent",
            "individual",
            INDIVIDUAL,
        ),
        PERSON,
    ),
    about(
        topic(
            "customer.contact_medium_updated",
            "TMF632",
            "IndividualAttributeValueChangeEvent",
            "individual",
            INDIVIDUAL,
        ),
        PERSON,
    ),
    about(
        topic(
            "customer.contact_medium_removed",
            "TMF632",
            "IndividualAttributeValueChangeEvent",
            "individual",
            INDIVIDUAL,
        ),
        PERSON,
    ),
    about(topic("customer.kyc_attested", "TMF632", "IndividualStateChangeEvent", "individual", INDIVIDUAL), PERSON),
    about(
        at(topic("usage.rejected", "TMF635", "UsageCreateEvent", "usage", USAGE), "rejected"),
        Named::In("usageEventId"),
    ),
    about(topic("inventory.msisdn.reserved", "TMF639", "ResourceStateChangeEvent", "resource", RESOURCE), NUMBER),
    about(topic("inventory.msisdn.assigned", "TMF639", "ResourceStateChangeEvent", "resource", RESOURCE), NUMBER),
    about(topic("inventory.msisdn.released", "TMF639", "ResourceStateChangeEvent", "resource", RESOURCE), NUMBER),
    about(topic("inventory.msisdn.quarantined", "TMF639", "ResourceStateChangeEvent", "resource", RESOURCE), NUMBER),
    at(topic("service.activated", "TMF640", "ServiceStateChangeEvent", "service", ACTIVATION), "active"),
    at(topic("service.terminated", "TMF640", "ServiceStateChangeEvent", "service", ACTIVATION), "terminated"),
    at(topic("provisioning.task.created", "TMF640", "MonitorCreateEvent", "monitor", MONITOR), "InProgress"),
    at(topic("provisioning.task.restarted", "TMF640", "MonitorStateChangeEvent", "monitor", MONITOR), "InProgress"),
    at(topic("provisioning.task.completed", "TMF640", "MonitorStateChangeEvent", "monitor", MONITOR), "Completed"),
    at(topic("provisioning.task.failed", "TMF640", "MonitorStateChangeEvent", "monitor", MONITOR), "InError"),
    at(topic("provisioning.task.stuck", "TMF640", "MonitorStateChangeEvent", "monitor", MONITOR), "InError"),
    at(topic("provisioning.task.abandoned", "TMF640", "MonitorStateChangeEvent", "monitor", MONITOR), "InError"),
    at(topic("provisioning.task.withdrawn", "TMF640", "MonitorStateChangeEvent", "monitor", MONITOR), "InError"),
    topic("interaction.logged", "TMF683", "PartyInteractionCreateEvent", "partyInteraction", INTERACTION),
];

/// API and path of its `/hub`. TMF688 tells the events of all of them.
pub(crate) const HUBS: &[(&str, &str)] = &[
    ("TMF620", "/tmf-api/productCatalogManagement/v4/hub"),
    ("TMF622", "/tmf-api/productOrderingManagement/v4/hub"),
    ("TMF629", "/tmf-api/customerManagement/v4/hub"),
    ("TMF632", "/tmf-api/party/v4/hub"),
    ("TMF635", "/tmf-api/usageManagement/v4/hub"),
    ("TMF637", "/tmf-api/productInventory/v4/hub"),
    ("TMF638", "/tmf-api/serviceInventory/v4/hub"),
    ("TMF639", "/tmf-api/resourceInventoryManagement/v4/hub"),
    ("TMF640", "/tmf-api/ServiceActivationAndConfiguration/v4/hub"),
    ("TMF641", "/tmf-api/serviceOrdering/v4/hub"),
    ("TMF654", "/tmf-api/prepayBalanceManagement/v4/hub"),
    ("TMF670", "/tmf-api/paymentMethod/v4/hub"),
    ("TMF671", "/tmf-api/promotionManagement/v4/hub"),
    ("TMF676", "/payment/v4/hub"),
    ("TMF683", "/tmf-api/partyInteraction/v4/hub"),
    ("TMF688", "/tmf-api/event/v4/hub"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_that_tells_something_has_a_hub_and_the_other_way_round() {
        for topic in TOPICS {
            let hub = HUBS.iter().find(|(api, _)| *api == topic.api).expect("a hub");
            assert!(topic.collection.starts_with(hub.1.trim_end_matches("hub")), "{topic:?}");
        }
        for (api, _) in HUBS.iter().filter(|(api, _)| *api != "TMF688") {
            assert!(TOPICS.iter().any(|topic| topic.api == *api), "{api} has nothing to tell");
        }
    }
}
