//! Accepting an order: who, what, at which price. The price of this instant is the contract.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domains::catalog::port::{Offered, OfferingId, PriceId, VasId, VasView};
use crate::domains::com::events::{DiscountSnapshot, OrderAcknowledged, PriceSnapshot};
use crate::domains::com::model::{Change, Item, Order, Trigger};
use crate::domains::com::policy::Asked;
use crate::domains::com::port::{CreateOrder, OrderState};
use crate::domains::com::{Service, discount, policy, store, submit};
use crate::domains::crm::port::Direction;
use crate::domains::subscription::port::{SubscriptionId, SubscriptionView};
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::money::Money;
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
        let quote = self.quote(cx, &new.command).await?;

        let tx = self.platform.db.begin().await?;
        let submitted = new.command.submit;
        let mut order = accepted(&tx, cx, new, quote).await?;
        if submitted {
            order.step(cx, Trigger::Submit, submit::REASON)?;
        }
        store::insert(&tx, cx, &order).await?;
        outbox::stage(&tx, cx, &acknowledged(&order)).await?;
        if submitted {
            submit::stage_in_progress(&tx, cx, &order).await?;
        }
        let summary = format!("Order {} placed: {} {}", order.id, order.item.action.as_str(), order.item.offering_id);
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

    /// Runs the rules in their order; answers what is ordered, at the price in force now.
    async fn quote(&self, cx: &Context, order: &CreateOrder) -> Result<Quote> {
        policy::number_form(order.msisdn_preference.as_ref())?;
        policy::text_form("/notes", order.notes.as_deref())?;
        policy::code_form(order.discount_code.as_deref())?;
        let asked = policy::asked(order)?;
        let standing = self.customers.standing(cx, &order.customer_id).await?;
        policy::customer(&order.customer_id, standing, self.platform.config.require_kyc)?;
        let quote = match asked {
            Asked::Plan(plan) => {
                let offering = policy::offering(plan, self.catalog.offering(cx, plan).await)?;
                let price = policy::price_now(&offering, self.catalog.active_price(cx, plan, cx.now).await)?;
                let offered = self.offered(cx, order, plan, price.money).await?;
                Quote { offering_id: plan.clone(), price: price.money, price_id: price.id, line: None, offered }
            }
            Asked::Change(to, line) => {
                let line = policy::line(&order.customer_id, line, self.subscriptions.line(cx, line).await)?;
                match self.catalog.vas_offering(cx, &VasId::from(to.to_string())).await {
                    Ok(vas) => Quote::of_top_up(to, vas, line.id),
                    Err(Error::NotFound { .. }) => self.quote_of_plan_change(cx, to, line.id).await?,
                    Err(error) => return Err(error),
                }
            }
            Asked::End(line) => {
                let line = policy::line(&order.customer_id, line, self.subscriptions.line(cx, line).await)?;
                return Quote::of_end(line);
            }
        };
        policy::payment_method(
            &order.customer_id,
            quote.price.is_zero() || self.payments.has_method(cx, &order.customer_id).await?,
        )?;
        Ok(quote)
    }

    /// Nothing is charged before the renewal, and then it is the price of this order.
    async fn quote_of_plan_change(&self, cx: &Context, to: &OfferingId, line: SubscriptionId) -> Result<Quote> {
        let offering = policy::other_plan(to, self.catalog.offering(cx, to).await)?;
        let price = policy::price_now(&offering, self.catalog.active_price(cx, to, cx.now).await)?;
        self.subscriptions.may_change_plan(cx, &line, to).await?;
        let offered = Offered::default();
        Ok(Quote { offering_id: to.clone(), price: price.money, price_id: price.id, line: Some(line), offered })
    }
}

/// What is ordered, and what it costs.
struct Quote {
    offering_id: OfferingId,
    price: Money,
    price_id: PriceId,
    /// The line that is there.
    line: Option<SubscriptionId>,
    /// What is taken off, and why a typed code is not.
    offered: Offered,
}

impl Quote {
    /// A top-up has one price, which goes by the id of the top-up; see [`Item::is_top_up`].
    fn of_top_up(id: &OfferingId, vas: VasView, line: SubscriptionId) -> Self {
        let price_id = PriceId::from(vas.id.to_string());
        Self { offering_id: id.clone(), price: vas.money, price_id, line: Some(line), offered: Offered::default() }
    }

    /// Ending a line costs nothing; the order keeps on which plan it was.
    fn of_end(line: SubscriptionView) -> Result<Self> {
        let malformed = |_| Error::Internal(format!("line {} has a malformed currency", line.id));
        let currency = line.price_currency.parse().map_err(malformed)?;
        let (offering_id, price_id) = (line.offering_id, line.price_offering_price_id);
        let offered = Offered::default();
        Ok(Self { offering_id, price: Money::new(0, currency), price_id, line: Some(line.id), offered })
    }
}

async fn accepted(tx: &Tx, cx: &Context, new: NewOrder, quote: Quote) -> Result<Order> {
    let (id, item_id) = store::mint(tx).await?;
    let created = Change {
        from: None,
        to: OrderState::Acknowledged,
        by: cx.actor.to_string(),
        reason: Some("order created".to_owned()),
        at: cx.now,
    };
    let typed = new.command.discount_code.as_deref();
    let note = discount::note(cx, &quote.offered, typed);
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
            action: new.command.action,
            offering_id: quote.offering_id,
            target_subscription_id: quote.line.map(Into::into),
            payment_attempt_id: None,
            refund_id: None,
            price: quote.price,
            price_id: quote.price_id,
            discount: quote.offered.promise.map(Into::into),
        },
        version: 1,
        changes: std::iter::once(created).chain(note).collect(),
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
        discount: order.item.discount.as_ref().map(|promised| DiscountSnapshot {
            discount_code: promised.code.as_deref(),
            discount_type: &promised.kind,
            discount_value: promised.value.to_string(),
            discount_periods_total: promised.periods_total,
            effective_amount: order.item.charged().decimal(),
        }),
    }
}
