//! Starting the fulfilment of an order that was only acknowledged.

use crate::domains::com::events::ChangeInProgress;
use crate::domains::com::model::{Order, Trigger};
use crate::domains::com::port::{OrderAction, OrderId, OrderInProgress};
use crate::domains::com::{Service, store};
use crate::platform::context::Context;
use crate::platform::db::Tx;
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
        stage_in_progress(&tx, cx, &order).await?;
        crash::point("order.submit.before_commit");
        tx.commit().await?;
        crash::point("order.submit.after_commit");
        Ok(order)
    }
}

/// Tells whoever fulfils the order to begin: a new line is made of services, a change is the line's own business.
pub(super) async fn stage_in_progress(tx: &Tx, cx: &Context, order: &Order) -> Result<()> {
    match &order.item.target_subscription_id {
        Some(line) if order.item.action != OrderAction::Add => {
            let change = ChangeInProgress {
                order_id: order.id.clone(),
                customer_id: order.customer_id.clone(),
                action: order.item.action,
                subscription_id: line.clone(),
                version: order.version,
            };
            outbox::stage(tx, cx, &change).await.map(drop)
        }
        _ => outbox::stage(tx, cx, &in_progress(order)).await.map(drop),
    }
}

fn in_progress(order: &Order) -> OrderInProgress {
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
