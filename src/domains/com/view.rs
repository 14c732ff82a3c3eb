//! From an order to what surfaces show of it.

use sea_orm::ConnectionTrait;

use crate::domains::com::model::{Item, Order};
use crate::domains::com::port::{OrderHistoryView, OrderItemView, OrderState, OrderView};
use crate::domains::com::store;
use crate::platform::context::Context;
use crate::platform::error::Result;

/// The views of these orders, in their order, each with its history.
pub(super) async fn views(
    connection: &impl ConnectionTrait,
    cx: &Context,
    orders: Vec<Order>,
) -> Result<Vec<OrderView>> {
    let mut history = store::history(connection, cx, &orders).await?;
    let views = orders.into_iter().map(|order| {
        let own = history.extract_if(.., |(id, _)| *id == order.id).map(|(_, line)| line).collect();
        view(order, own)
    });
    Ok(views.collect())
}

pub(super) async fn one(connection: &impl ConnectionTrait, cx: &Context, order: Order) -> Result<OrderView> {
    let history = store::history(connection, cx, std::slice::from_ref(&order)).await?;
    Ok(view(order, history.into_iter().map(|(_, line)| line).collect()))
}

/// The view of an order that was made in this unit of work: its changes are its whole history.
pub(super) fn of_new(order: &Order) -> OrderView {
    let history = order.changes.iter().map(|change| OrderHistoryView {
        from_state: change.from,
        to_state: change.to,
        changed_by: change.by.clone(),
        reason: change.reason.clone(),
        event_time: change.at,
    });
    view(order.clone(), history.collect())
}

fn view(order: Order, history: Vec<OrderHistoryView>) -> OrderView {
    OrderView {
        items: vec![item_view(order.item, order.state)],
        id: order.id,
        customer_id: order.customer_id,
        state: order.state,
        state_reason: order.state_reason,
        order_date: order.order_date,
        submitted_at: order.submitted_at,
        completed_date: order.completed_date,
        requested_completion_date: order.requested_completion_date,
        msisdn_preference: order.msisdn_preference,
        notes: order.notes,
        stuck_flagged_at: order.stuck_flagged_at,
        history,
        version: order.version,
    }
}

fn item_view(item: Item, state: OrderState) -> OrderItemView {
    let effective = item.charged();
    let discount = item.discount;
    OrderItemView {
        id: item.id,
        action: item.action,
        offering_id: item.offering_id,
        state,
        target_subscription_id: item.target_subscription_id,
        payment_attempt_id: item.payment_attempt_id,
        refund_id: item.refund_id,
        price_amount: item.price.decimal(),
        price_currency: item.price.currency.to_string(),
        price_offering_price_id: item.price_id,
        effective_amount: effective.decimal(),
        discount_code: discount.as_ref().and_then(|d| d.code.clone()),
        discount_type: discount.as_ref().map(|d| d.kind.clone()),
        discount_value: discount.as_ref().map(|d| d.value.to_string()),
        discount_periods_total: discount.as_ref().and_then(|d| d.periods_total),
        promo_offer_definition_id: discount.as_ref().and_then(|d| d.offer_definition_id.clone()),
        promo_offer_id: discount.and_then(|d| d.offer_id),
    }
}
