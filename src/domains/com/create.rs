//! Accepting an order: who, what, at which price. The price of this instant is the contract.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domains::catalog::port::PriceView;
use crate::domains::com::events::{OrderAcknowledged, PriceSnapshot};
use crate::domains::com::model::{Change, Item, Order, Trigger};
use crate::domains::com::port::{CreateOrder, OrderState};
use crate::domains::com::{Service, policy, store, submit};
use crate::domains::crm::port::Direction;
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::Tx;
use crate::platform::error::Result;
use crate::platform::{idempotency, outbox};

/// An order as a caller brings it, with what only TMF622 can say.
#[derive(Debug)]
pub(super) struct NewOrder {
    pub(super) command: CreateOrder,
    pub(super) requested_completion_date: Option<DateTime<Utc>>,
    pub(super) attributes: Map<String, Value>,
}

impl From<CreateOrder> for NewOrder {
    fn from(command: CreateOrder) -> Self {
        Self { command, requested_completion_date: None, attributes: Map::new() }
    }
}

impl Service {
    /// Accepts the order and, when it says so, submits it in the same unit of work: no crash can part the two. `answer` is
    /// what the caller sees; a repetition with the same idempotency key sees the same.
    pub(super) async fn place<T>(
        &self,
        cx: &Context,
        new: NewOrder,
        answer: impl FnOnce(&Order) -> T + Send,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + Sync,
    {
        if let Some(answered) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(answered);
        }
        let price = self.quote(cx, &new.command).await?;

        let tx = self.platform.db.begin().await?;
        let submitted = new.command.submit;
        let mut order = accepted(&tx, cx, new, price).await?;
        if submitted {
            order.step(cx, Trigger::Submit, submit::REASON)?;
        }
        store::insert(&tx, cx, &order).await?;
        outbox::stage(&tx, cx, &acknowledged(&order)).await?;
        if submitted {
            outbox::stage(&tx, cx, &submit::in_progress(&order)).await?;
        }
        let summary = format!("Order {} placed: {}", order.id, order.item.offering_id);
        self.customers.note(&tx, cx, &order.customer_id, Direction::Inbound, &summary).await?;
        let answer = answer(&order);
        idempotency::keep(&tx, cx, order.id.as_str(), &answer).await?;
        crash::point("order.create.before_commit");
        if submitted {
            crash::point("order.submit.before_commit");
        }
        tx.commit().await?;
        crash::point("order.create.after_commit");
        if submitted {
            crash::point("order.submit.after_commit");
        }
        Ok(answer)
    }

    /// Runs the rules in their order; answers the price in force now.
    async fn quote(&self, cx: &Context, order: &CreateOrder) -> Result<PriceView> {
        policy::number_form(order.msisdn_preference.as_ref())?;
        policy::text_form("/notes", order.notes.as_deref())?;
        let standing = self.customers.standing(cx, &order.customer_id).await?;
        policy::customer(&order.customer_id, standing, self.platform.config.require_kyc)?;
        let offering = policy::offering(&order.offering_id, self.catalog.offering(cx, &order.offering_id).await)?;
        let price = policy::price_now(&offering, self.catalog.active_price(cx, &order.offering_id, cx.now).await)?;
        policy::payment_method(&order.customer_id, self.payments.has_method(cx, &order.customer_id).await?)?;
        Ok(price)
    }
}

async fn accepted(tx: &Tx, cx: &Context, new: NewOrder, price: PriceView) -> Result<Order> {
    let (id, item_id) = store::mint(tx).await?;
    let created = Change {
        from: None,
        to: OrderState::Acknowledged,
        by: cx.actor.to_string(),
        reason: Some("order created".to_owned()),
        at: cx.now,
    };
    Ok(Order {
        id,
        customer_id: new.command.customer_id,
        state: OrderState::Acknowledged,
        state_reason: None,
        order_date: cx.now,
        submitted_at: None,
        requested_completion_date: new.requested_completion_date,
        completed_date: None,
        msisdn_preference: new.command.msisdn_preference,
        notes: new.command.notes,
        stuck_flagged_at: None,
        attributes: new.attributes,
        item: Item {
            id: item_id,
            action: "add".to_owned(),
            offering_id: new.command.offering_id,
            target_subscription_id: None,
            payment_attempt_id: None,
            refund_id: None,
            price: price.money,
            price_id: price.id,
            discount: None,
        },
        version: 1,
        changes: vec![created],
    })
}

fn acknowledged(order: &Order) -> OrderAcknowledged<'_> {
    OrderAcknowledged {
        order_id: &order.id,
        customer_id: &order.customer_id,
        offering_id: &order.item.offering_id,
        price_snapshot: PriceSnapshot {
            price_amount: order.item.price.decimal(),
            price_currency: order.item.price.currency.to_string(),
            price_offering_price_id: &order.item.price_id,
        },
    }
}
