//! Which of our events each TM Forum API tells, and what it calls them. `/hub` exists for the APIs that are named here.

use crate::platform::hub::Topic;

const fn topic(
    event_type: &'static str,
    api: &'static str,
    name: &'static str,
    resource: &'static str,
    collection: &'static str,
) -> Topic {
    Topic { event_type, api, name, resource, collection, id_in: None }
}

const OFFERING: &str = "/tmf-api/productCatalogManagement/v4/productOffering";
const PRICE: &str = "/tmf-api/productCatalogManagement/v4/productOfferingPrice";
const SPECIFICATION: &str = "/tmf-api/productCatalogManagement/v4/productSpecification";
const CATEGORY: &str = "/tmf-api/productCatalogManagement/v4/category";
const ORDER: &str = "/tmf-api/productOrderingManagement/v4/productOrder";
const CUSTOMER: &str = "/tmf-api/customerManagement/v4/customer";
const PRODUCT: &str = "/tmf-api/productInventory/v4/product";
const SERVICE: &str = "/tmf-api/serviceInventory/v4/service";
const SERVICE_ORDER: &str = "/tmf-api/serviceOrdering/v4/serviceOrder";
const TOP_UP: &str = "/tmf-api/prepayBalanceManagement/v4/topupBalance";
const METHOD: &str = "/tmf-api/paymentMethod/v4/paymentMethod";
const PAYMENT: &str = "/payment/v4/payment";

/// By API.
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
    topic("catalog.offering.retired", "TMF620", "ProductOfferingStateChangeEvent", "productOffering", OFFERING),
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
    topic("order.acknowledged", "TMF622", "ProductOrderCreateEvent", "productOrder", ORDER),
    topic("order.in_progress", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER),
    topic("order.held", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER),
    topic("order.completed", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER),
    topic("order.failed", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER),
    topic("order.cancelled", "TMF622", "ProductOrderStateChangeEvent", "productOrder", ORDER),
    topic("customer.created", "TMF629", "CustomerCreateEvent", "customer", CUSTOMER),
    topic("customer.updated", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    topic("customer.contact_medium_added", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    topic("customer.kyc_attested", "TMF629", "CustomerAttributeValueChangeEvent", "customer", CUSTOMER),
    topic("customer.closed", "TMF629", "CustomerStateChangeEvent", "customer", CUSTOMER),
    topic("subscription.booked", "TMF637", "ProductCreateEvent", "product", PRODUCT),
    topic("subscription.activated", "TMF637", "ProductStateChangeEvent", "product", PRODUCT),
    topic("subscription.activation_failed", "TMF637", "ProductStateChangeEvent", "product", PRODUCT),
    topic("subscription.blocked", "TMF637", "ProductStateChangeEvent", "product", PRODUCT),
    topic("subscription.unblocked", "TMF637", "ProductStateChangeEvent", "product", PRODUCT),
    topic("subscription.terminated", "TMF637", "ProductStateChangeEvent", "product", PRODUCT),
    topic("subscription.renewed", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.plan_changed", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.plan_change_scheduled", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.plan_change_cancelled", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.price_migration_scheduled", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("subscription.price_migrated", "TMF637", "ProductAttributeValueChangeEvent", "product", PRODUCT),
    topic("service.activated", "TMF638", "ServiceStateChangeEvent", "service", SERVICE),
    topic("service.terminated", "TMF638", "ServiceStateChangeEvent", "service", SERVICE),
    topic("service_order.in_progress", "TMF641", "ServiceOrderCreateEvent", "serviceOrder", SERVICE_ORDER),
    topic("service_order.completed", "TMF641", "ServiceOrderStateChangeEvent", "serviceOrder", SERVICE_ORDER),
    topic("service_order.failed", "TMF641", "ServiceOrderStateChangeEvent", "serviceOrder", SERVICE_ORDER),
    topic("service_order.cancelled", "TMF641", "ServiceOrderStateChangeEvent", "serviceOrder", SERVICE_ORDER),
    Topic {
        event_type: "subscription.vas_purchased",
        api: "TMF654",
        name: "TopupBalanceCreateEvent",
        resource: "topupBalance",
        collection: TOP_UP,
        id_in: Some("vasPurchaseId"),
    },
    topic("payment_method.added", "TMF670", "PaymentMethodCreateEvent", "paymentMethod", METHOD),
    topic(
        "payment_method.default_changed",
        "TMF670",
        "PaymentMethodAttributeValueChangeEvent",
        "paymentMethod",
        METHOD,
    ),
    topic("payment_method.removed", "TMF670", "PaymentMethodStatusChangeEvent", "paymentMethod", METHOD),
    topic("payment.requested", "TMF676", "PaymentCreateEvent", "payment", PAYMENT),
    topic("payment.approved", "TMF676", "PaymentStateChangeEvent", "payment", PAYMENT),
    topic("payment.declined", "TMF676", "PaymentStateChangeEvent", "payment", PAYMENT),
];

/// API and path of its `/hub`. TMF688 tells the events of all of them.
pub(crate) const HUBS: &[(&str, &str)] = &[
    ("TMF620", "/tmf-api/productCatalogManagement/v4/hub"),
    ("TMF622", "/tmf-api/productOrderingManagement/v4/hub"),
    ("TMF629", "/tmf-api/customerManagement/v4/hub"),
    ("TMF637", "/tmf-api/productInventory/v4/hub"),
    ("TMF638", "/tmf-api/serviceInventory/v4/hub"),
    ("TMF641", "/tmf-api/serviceOrdering/v4/hub"),
    ("TMF654", "/tmf-api/prepayBalanceManagement/v4/hub"),
    ("TMF670", "/tmf-api/paymentMethod/v4/hub"),
    ("TMF676", "/payment/v4/hub"),
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
