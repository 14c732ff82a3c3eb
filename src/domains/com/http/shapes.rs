//! The official definitions of a TMF622 v4.0.0 `ProductOrder_Create`, closed: which attributes a product order may bring.

use crate::platform::tmf::shape::{Is, Shape};

pub(super) static PRODUCT_ORDER: Shape = Shape {
    name: "ProductOrder",
    attributes: &[
        ("cancellationDate", Is::Time),
        ("cancellationReason", Is::Text),
        ("category", Is::Text),
        ("description", Is::Text),
        ("externalId", Is::Text),
        ("notificationContact", Is::Text),
        ("priority", Is::Text),
        ("requestedCompletionDate", Is::Time),
        ("requestedStartDate", Is::Time),
        ("agreement", Is::Many(&AGREEMENT_REF)),
        ("billingAccount", Is::One(&BILLING_ACCOUNT_REF)),
        ("channel", Is::Many(&RELATED_CHANNEL)),
        ("note", Is::Many(&NOTE)),
        ("orderTotalPrice", Is::Many(&ORDER_PRICE)),
        ("payment", Is::Many(&PAYMENT_REF)),
        ("productOfferingQualification", Is::Many(&PRODUCT_OFFERING_QUALIFICATION_REF)),
        ("productOrderItem", Is::Many(&PRODUCT_ORDER_ITEM)),
        ("quote", Is::Many(&QUOTE_REF)),
        ("relatedParty", Is::Many(&RELATED_PARTY)),
    ],
    required: &["productOrderItem"],
};
static QUOTE_REF: Shape = reference("QuoteRef");
static PRODUCT_ORDER_ITEM: Shape = Shape {
    name: "ProductOrderItem",
    attributes: &[
        ("id", Is::Text),
        ("quantity", Is::Whole),
        ("action", Is::Text),
        ("appointment", Is::One(&APPOINTMENT_REF)),
        ("billingAccount", Is::One(&BILLING_ACCOUNT_REF)),
        ("itemPrice", Is::Many(&ORDER_PRICE)),
        ("itemTerm", Is::Many(&ORDER_TERM)),
        ("itemTotalPrice", Is::Many(&ORDER_PRICE)),
        ("payment", Is::Many(&PAYMENT_REF)),
        ("product", Is::One(&PRODUCT_REF_OR_VALUE)),
        ("productOffering", Is::One(&PRODUCT_OFFERING_REF)),
        ("productOfferingQualificationItem", Is::One(&PRODUCT_OFFERING_QUALIFICATION_ITEM_REF)),
        ("productOrderItem", Is::Many(&PRODUCT_ORDER_ITEM)),
        ("productOrderItemRelationship", Is::Many(&ORDER_ITEM_RELATIONSHIP)),
        ("qualification", Is::Many(&PRODUCT_OFFERING_QUALIFICATION_REF)),
        ("quoteItem", Is::One(&QUOTE_ITEM_REF)),
        ("state", Is::Text),
    ],
    required: &["id", "action"],
};
static QUOTE_ITEM_REF: Shape = Shape {
    name: "QuoteItemRef",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("quoteHref", Is::Text),
        ("quoteId", Is::Text),
        ("quoteName", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["id", "quoteId"],
};
static ORDER_ITEM_RELATIONSHIP: Shape = Shape {
    name: "OrderItemRelationship",
    attributes: &[("id", Is::Text), ("relationshipType", Is::Text)],
    required: &[],
};
static PRODUCT_OFFERING_QUALIFICATION_ITEM_REF: Shape = Shape {
    name: "ProductOfferingQualificationItemRef",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("productOfferingQualificationHref", Is::Text),
        ("productOfferingQualificationId", Is::Text),
        ("productOfferingQualificationName", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["id", "productOfferingQualificationId"],
};
static PRODUCT_REF_OR_VALUE: Shape = Shape {
    name: "ProductRefOrValue",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("description", Is::Text),
        ("isBundle", Is::Flag),
        ("isCustomerVisible", Is::Flag),
        ("name", Is::Text),
        ("orderDate", Is::Time),
        ("productSerialNumber", Is::Text),
        ("startDate", Is::Time),
        ("terminationDate", Is::Time),
        ("agreement", Is::Many(&AGREEMENT_ITEM_REF)),
        ("billingAccount", Is::One(&BILLING_ACCOUNT_REF)),
        ("place", Is::Many(&RELATED_PLACE_REF_OR_VALUE)),
        ("product", Is::Many(&PRODUCT_REF_OR_VALUE)),
        ("productCharacteristic", Is::Many(&CHARACTERISTIC)),
        ("productOffering", Is::One(&PRODUCT_OFFERING_REF)),
        ("productOrderItem", Is::Many(&RELATED_PRODUCT_ORDER_ITEM)),
        ("productPrice", Is::Many(&PRODUCT_PRICE)),
        ("productRelationship", Is::Many(&PRODUCT_RELATIONSHIP)),
        ("productSpecification", Is::One(&PRODUCT_SPECIFICATION_REF)),
        ("productTerm", Is::Many(&PRODUCT_TERM)),
        ("realizingResource", Is::Many(&RESOURCE_REF)),
        ("realizingService", Is::Many(&SERVICE_REF)),
        ("relatedParty", Is::Many(&RELATED_PARTY)),
        ("status", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &[],
};
static RELATED_PARTY: Shape = Shape {
    name: "RelatedParty",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("role", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["@referredType", "id"],
};
static SERVICE_REF: Shape = reference("ServiceRef");
static RESOURCE_REF: Shape = Shape {
    name: "ResourceRef",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("value", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["id"],
};
static PRODUCT_TERM: Shape = Shape {
    name: "ProductTerm",
    attributes: &[
        ("description", Is::Text),
        ("name", Is::Text),
        ("duration", Is::One(&QUANTITY)),
        ("validFor", Is::One(&TIME_PERIOD)),
    ],
    required: &[],
};
static TIME_PERIOD: Shape =
    Shape { name: "TimePeriod", attributes: &[("endDateTime", Is::Time), ("startDateTime", Is::Time)], required: &[] };
static PRODUCT_SPECIFICATION_REF: Shape = Shape {
    name: "ProductSpecificationRef",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("version", Is::Text),
        ("targetProductSchema", Is::One(&TARGET_PRODUCT_SCHEMA)),
        ("@referredType", Is::Text),
    ],
    required: &["id"],
};
static TARGET_PRODUCT_SCHEMA: Shape =
    Shape { name: "TargetProductSchema", attributes: &[], required: &["@schemaLocation", "@type"] };
static PRODUCT_RELATIONSHIP: Shape = Shape {
    name: "ProductRelationship",
    attributes: &[("relationshipType", Is::Text), ("product", Is::One(&PRODUCT_REF_OR_VALUE))],
    required: &["product", "relationshipType"],
};
static PRODUCT_PRICE: Shape = Shape {
    name: "ProductPrice",
    attributes: &[
        ("description", Is::Text),
        ("name", Is::Text),
        ("priceType", Is::Text),
        ("recurringChargePeriod", Is::Text),
        ("unitOfMeasure", Is::Text),
        ("billingAccount", Is::One(&BILLING_ACCOUNT_REF)),
        ("price", Is::One(&PRICE)),
        ("productOfferingPrice", Is::One(&PRODUCT_OFFERING_PRICE_REF)),
        ("productPriceAlteration", Is::Many(&PRICE_ALTERATION)),
    ],
    required: &["price", "priceType"],
};
static RELATED_PRODUCT_ORDER_ITEM: Shape = Shape {
    name: "RelatedProductOrderItem",
    attributes: &[
        ("orderItemAction", Is::Text),
        ("orderItemId", Is::Text),
        ("productOrderHref", Is::Text),
        ("productOrderId", Is::Text),
        ("role", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["orderItemId", "productOrderId"],
};
static PRODUCT_OFFERING_REF: Shape = reference("ProductOfferingRef");
static CHARACTERISTIC: Shape = Shape {
    name: "Characteristic",
    attributes: &[("name", Is::Text), ("valueType", Is::Text), ("value", Is::Anything)],
    required: &["name", "value"],
};
static RELATED_PLACE_REF_OR_VALUE: Shape = Shape {
    name: "RelatedPlaceRefOrValue",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("role", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["role"],
};
static AGREEMENT_ITEM_REF: Shape = Shape {
    name: "AgreementItemRef",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("agreementItemId", Is::Text),
        ("name", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["id"],
};
static ORDER_TERM: Shape = Shape {
    name: "OrderTerm",
    attributes: &[("description", Is::Text), ("name", Is::Text), ("duration", Is::One(&QUANTITY))],
    required: &[],
};
static QUANTITY: Shape =
    Shape { name: "Quantity", attributes: &[("amount", Is::Anything), ("units", Is::Text)], required: &[] };
static APPOINTMENT_REF: Shape = Shape {
    name: "AppointmentRef",
    attributes: &[("id", Is::Text), ("href", Is::Text), ("description", Is::Text), ("@referredType", Is::Text)],
    required: &["id"],
};
static PRODUCT_OFFERING_QUALIFICATION_REF: Shape = reference("ProductOfferingQualificationRef");
static PAYMENT_REF: Shape = reference("PaymentRef");
static ORDER_PRICE: Shape = Shape {
    name: "OrderPrice",
    attributes: &[
        ("description", Is::Text),
        ("name", Is::Text),
        ("priceType", Is::Text),
        ("recurringChargePeriod", Is::Text),
        ("unitOfMeasure", Is::Text),
        ("billingAccount", Is::One(&BILLING_ACCOUNT_REF)),
        ("price", Is::One(&PRICE)),
        ("priceAlteration", Is::Many(&PRICE_ALTERATION)),
        ("productOfferingPrice", Is::One(&PRODUCT_OFFERING_PRICE_REF)),
    ],
    required: &[],
};
static PRICE_ALTERATION: Shape = Shape {
    name: "PriceAlteration",
    attributes: &[
        ("applicationDuration", Is::Whole),
        ("description", Is::Text),
        ("name", Is::Text),
        ("priceType", Is::Text),
        ("priority", Is::Whole),
        ("recurringChargePeriod", Is::Text),
        ("unitOfMeasure", Is::Text),
        ("price", Is::One(&PRICE)),
        ("productOfferingPrice", Is::One(&PRODUCT_OFFERING_PRICE_REF)),
    ],
    required: &["price", "priceType"],
};
static PRODUCT_OFFERING_PRICE_REF: Shape = reference("ProductOfferingPriceRef");
static PRICE: Shape = Shape {
    name: "Price",
    attributes: &[
        ("percentage", Is::Anything),
        ("taxRate", Is::Anything),
        ("dutyFreeAmount", Is::One(&MONEY)),
        ("taxIncludedAmount", Is::One(&MONEY)),
    ],
    required: &[],
};
static MONEY: Shape =
    Shape { name: "Money", attributes: &[("unit", Is::Text), ("value", Is::Anything)], required: &[] };
static NOTE: Shape = Shape {
    name: "Note",
    attributes: &[("id", Is::Text), ("author", Is::Text), ("date", Is::Time), ("text", Is::Text)],
    required: &["text"],
};
static RELATED_CHANNEL: Shape = Shape {
    name: "RelatedChannel",
    attributes: &[
        ("id", Is::Text),
        ("href", Is::Text),
        ("name", Is::Text),
        ("role", Is::Text),
        ("@referredType", Is::Text),
    ],
    required: &["id"],
};
static BILLING_ACCOUNT_REF: Shape = reference("BillingAccountRef");
static AGREEMENT_REF: Shape = reference("AgreementRef");

/// A reference that has nothing but what all references have.
const fn reference(name: &'static str) -> Shape {
    Shape {
        name,
        attributes: &[("id", Is::Text), ("href", Is::Text), ("name", Is::Text), ("@referredType", Is::Text)],
        required: &["id"],
    }
}
