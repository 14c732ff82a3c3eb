//! An order as the TMF622 resource `ProductOrder`: ours first, then what the caller brought and we only keep.

use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Map, Value, json};

use super::COLLECTION;
use super::create::MSISDN_PREFERENCE;
use crate::domains::com::model::{Item, Order};
use crate::domains::com::port::OrderState;
use crate::platform::money::{Discount, Money};
use crate::platform::tmf::{money, shape, time};

/// A state of ours as TMF622 writes it.
pub(super) const fn state(state: OrderState) -> &'static str {
    match state {
        OrderState::InProgress => "inProgress",
        other => other.as_str(),
    }
}

/// The resource.
pub(super) fn body(order: &Order) -> Value {
    let mut kept = order.attributes.clone();
    let mut body = json!({ "id": order.id, "href": format!("{COLLECTION}/{}", order.id) });
    move_over(&mut kept, &mut body, &["externalId", "category", "description", "priority"]);
    body["state"] = json!(state(order.state));
    body["orderDate"] = json!(time::format(order.order_date));
    if let Some(at) = order.requested_completion_date {
        body["requestedCompletionDate"] = json!(time::format(at));
    }
    end(order, &mut body);
    let notes = notes(order, kept.remove("note"));
    if !notes.is_empty() {
        body["note"] = Value::Array(notes);
    }
    let mut parties = vec![json!({
        "id": order.customer_id,
        "href": format!("/tmf-api/customerManagement/v4/customer/{}", order.customer_id),
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Customer",
    })];
    parties.extend(elements(kept.remove("relatedParty"), "RelatedParty"));
    body["relatedParty"] = Value::Array(parties);
    body["orderTotalPrice"] = json!([price(&order.item, "Total", order.item.charged())]);
    body["productOrderItem"] = json!([item(order, kept.remove("productOrderItem"))]);
    add(&mut body, kept);
    body["@type"] = json!("ProductOrder");
    body
}

fn end(order: &Order, body: &mut Value) {
    let Some(at) = order.completed_date.map(time::format) else { return };
    if order.state != OrderState::Cancelled {
        body["completionDate"] = json!(at);
        return;
    }
    body["cancellationDate"] = json!(at);
    if let Some(reason) = &order.state_reason {
        body["cancellationReason"] = json!(reason);
    }
}

/// The caller's notes, then why the order failed or is held.
fn notes(order: &Order, kept: Option<Value>) -> Vec<Value> {
    let mut notes = elements(kept, "Note");
    if let Some(text) = order.notes.as_deref().filter(|text| !text.trim().is_empty()) {
        notes.push(json!({ "text": text, "@type": "Note" }));
    }
    if let (OrderState::Failed | OrderState::Held, Some(reason)) = (order.state, &order.state_reason) {
        let mut note = json!({ "author": "system", "text": reason, "@type": "Note" });
        if let Some(at) = order.completed_date {
            note["date"] = json!(time::format(at));
        }
        notes.push(note);
    }
    notes
}

fn item(order: &Order, kept: Option<Value>) -> Value {
    let ordered = &order.item;
    let mut kept = kept.and_then(|kept| kept.as_object().cloned()).unwrap_or_default();
    let mut body = json!({ "id": ordered.id, "quantity": 1, "action": ordered.action, "state": state(order.state) });
    let mut offering = json!({
        "id": ordered.offering_id,
        "href": format!("/tmf-api/productCatalogManagement/v4/productOffering/{}", ordered.offering_id),
    });
    add(&mut offering, kept.remove("productOffering").and_then(|kept| kept.as_object().cloned()).unwrap_or_default());
    offering["@type"] = json!("ProductOfferingRef");
    offering["@referredType"] = json!("ProductOffering");
    body["productOffering"] = offering;
    if let Some(product) = product(order, kept.remove("product")) {
        body["product"] = product;
    }
    body["itemPrice"] = json!([item_price(ordered)]);
    let mut payments = payments(ordered);
    payments.extend(elements(kept.remove("payment"), "PaymentRef"));
    if !payments.is_empty() {
        body["payment"] = Value::Array(payments);
    }
    add(&mut body, kept);
    body["@type"] = json!("ProductOrderItem");
    body
}

/// The line and what was wished for it; None while there is nothing to say.
fn product(order: &Order, kept: Option<Value>) -> Option<Value> {
    let mut kept = kept.and_then(|kept| kept.as_object().cloned()).unwrap_or_default();
    let mut body = json!({});
    if let Some(line) = &order.item.target_subscription_id {
        body["id"] = json!(line);
    }
    let mut characteristics: Vec<Value> = Vec::new();
    if let Some(wanted) = &order.msisdn_preference {
        characteristics.push(json!({
            "name": MSISDN_PREFERENCE, "valueType": "string", "value": wanted, "@type": "Characteristic",
        }));
    }
    characteristics.extend(elements(kept.remove("productCharacteristic"), "Characteristic").into_iter().map(
        |mut one| {
            if one.get("valueType").is_none() {
                one["valueType"] = shape::value_type(&one["value"]);
            }
            one
        },
    ));
    if !characteristics.is_empty() {
        body["productCharacteristic"] = Value::Array(characteristics);
    }
    add(&mut body, kept);
    let says_something = body.as_object().is_some_and(|body| !body.is_empty());
    says_something.then(|| {
        body["@type"] = json!("Product");
        body
    })
}

fn payments(ordered: &Item) -> Vec<Value> {
    let attempt = ordered.payment_attempt_id.iter().map(|id| {
        json!({ "id": id, "href": format!("/payment/v4/payment/{id}"), "@type": "PaymentRef", "@referredType": "Payment" })
    });
    let refund =
        ordered.refund_id.iter().map(|id| json!({ "id": id, "@type": "PaymentRef", "@referredType": "Refund" }));
    attempt.chain(refund).collect()
}

fn item_price(ordered: &Item) -> Value {
    let name = if ordered.is_top_up() { "Top-up price" } else { "Plan price" };
    let mut body = price(ordered, name, ordered.price);
    if let Some(promised) = &ordered.discount {
        let mut alteration = json!({
            "name": promised.code.as_deref().unwrap_or("discount"),
            "priceType": "recurring",
        });
        if let Some(periods) = promised.periods_total.filter(|periods| *periods > 0) {
            alteration["applicationDuration"] = json!(periods);
        }
        alteration["price"] = match promised.discount(ordered.price) {
            Some(Discount::Absolute(off)) => {
                let off = Money::new(off, ordered.price.currency);
                json!({ "taxIncludedAmount": money::write(off), "@type": "Price" })
            }
            _ => json!({ "percentage": promised.value.to_f64().unwrap_or_default(), "@type": "Price" }),
        };
        alteration["@type"] = json!("PriceAlteration");
        body["priceAlteration"] = json!([alteration]);
    }
    body["productOfferingPrice"] = json!({
        "id": ordered.price_id, "@type": "ProductOfferingPriceRef", "@referredType": "ProductOfferingPrice",
    });
    body["@type"] = json!("OrderPrice");
    body
}

/// A top-up is paid once, a plan each period.
fn price(ordered: &Item, name: &str, amount: Money) -> Value {
    let mut body = json!({ "name": name });
    if ordered.is_top_up() {
        body["priceType"] = json!("oneTime");
    } else {
        body["priceType"] = json!("recurring");
        body["recurringChargePeriod"] = json!("month");
    }
    body["price"] = json!({ "taxIncludedAmount": money::write(amount), "@type": "Price" });
    body["@type"] = json!("OrderPrice");
    body
}

/// The elements of a kept list, each with its `@type`.
fn elements(kept: Option<Value>, at_type: &str) -> Vec<Value> {
    let Some(Value::Array(elements)) = kept else { return Vec::new() };
    let typed = elements.into_iter().map(|mut element| {
        if element.get("@type").is_none() {
            element["@type"] = json!(at_type);
        }
        element
    });
    typed.collect()
}

fn move_over(kept: &mut Map<String, Value>, body: &mut Value, names: &[&str]) {
    for name in names {
        if let Some(value) = kept.shift_remove(*name) {
            body[*name] = value;
        }
    }
}

/// Adds what was kept; what is ours stays ours.
fn add(body: &mut Value, kept: Map<String, Value>) {
    let Value::Object(body) = body else { return };
    for (name, value) in kept {
        body.entry(name).or_insert(value);
    }
}
