//! Starting the fulfilment of an order that was only acknowledged.

use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::{OrderId, OrderInProgress};
use crate::domains::com::{Service, store};
use crate::platform::context::Context;
use crate::platform::error::Result;
use crate::platform::{crash, outbox};

pub(super) const REASON: &str = "order submitted";

impl Service {
    /// Moves the order on; `expected` is the version that the caller last saw, when it says so.
    pub(super) async fn submit_order(&self, cx: &Context, id: &OrderId, expected: Option<i64>) -> Result<Order> {
        let tx = self.platform.db.begin().await?;
        let mut order = store::lock(&tx, cx, id).await?;
        order.expect_version(expected)?;
        order.step(cx, Trigger::Submit, REASON)?;
        store::save(&tx, cx, &order).await?;
        outbox::stage(&tx, cx, &in_progress(&order)).await?;
        crash::point("order.submit.before_commit");
        tx.commit().await?;
        crash::point("order.submit.after_commit");
        Ok(order)
    }
}

/// What tells the service order management to begin.
pub(super) fn in_progress(order: &Order) -> OrderInProgress {
    OrderInProgress {
        order_id: order.id.clone(),
        customer_id: order.customer_id.clone(),
        offering_id: order.item.offering_id.clone(),
        msisdn_preference: order.msisdn_preference.clone(),
        price_amount: order.item.price.decimal(),
        price_currency: order.item.price.currency.to_string(),
        price_offering_price_id: order.item.price_id.clone(),
        version: order.version,
    }
}
