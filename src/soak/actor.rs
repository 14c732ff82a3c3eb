//! A customer who acts: each step as the operations that it takes, and how it ended.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Answer, Client, Fault};
use super::driver::{Known, PAUSE};
use super::operator::{self, Deeds};
use super::outage::Outage;
use super::plan::Planned;
use super::promotion::CHOSEN;
use super::step::{Card, Hold, Outcome, Step, Use};

/// An order ends within this.
const ORDER_ENDS_WITHIN: Duration = Duration::from_secs(180);

/// A charge whose process was killed is taken over in a few seconds.
const CHARGE_ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What the removal of a card is refused with meanwhile.
const CHARGE_PENDING: &str = "payment_method.remove.not_while_charge_pending";

/// One customer on one day.
pub(super) struct Actor<'a> {
    pub(super) client: &'a Client,
    pub(super) seed: u64,
    pub(super) index: usize,
    pub(super) day: u32,
    /// What the network does not do today.
    pub(super) outage: Option<Outage>,
    pub(super) known: Known,
    pub(super) endings: Vec<Outcome>,
    /// What the operator of the network did for their orders.
    pub(super) deeds: Deeds,
}

impl Actor<'_> {
    pub(super) async fn act(&mut self, steps: &[Planned]) -> Result<(), Fault> {
        for (number, planned) in steps.iter().enumerate() {
            // The same for every try, and for nothing else.
            let key = format!("soak-{}-{}-{}-{number}", self.seed, self.index, self.day);
            let outcome = self.step(&planned.step, &key).await?;
            self.endings.push(outcome);
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step, key: &str) -> Result<Outcome, Fault> {
        let line = &self.known.line;
        match step {
            Step::Join { plan, card, code, chosen } => {
                self.come(*card, key).await?;
                if *chosen {
                    let assigned = json!({"promotionId": CHOSEN.id, "customerIds": [self.known.id]});
                    self.client.must("promo.assign", &assigned, None).await?;
                }
                return self.join(plan, code.as_deref(), key).await;
            }
            Step::CallOff { plan, card } => return self.call_off(plan, *card, key).await,
            Step::ReplaceCard { card } => return self.replace_card(*card, key).await,
            Step::Use { what, quantity } => return self.consume(*what, *quantity, key).await,
            Step::ChangePlan { to, by_order: true } => {
                let order = json!({"action": "modify", "offeringId": to, "subscriptionId": line});
                return self.order("order.create", order, key).await.map(|(outcome, _)| outcome);
            }
            Step::Terminate { by_order: true } => {
                return self
                    .order("order.cease", json!({"subscriptionId": line}), key)
                    .await
                    .map(|(outcome, _)| outcome);
            }
            _ => {}
        }
        let (operation, arguments) = match step {
            Step::TopUp { top_up } => {
                ("subscription.purchase_vas", json!({"subscriptionId": line, "vasOfferingId": top_up}))
            }
            Step::Renew => ("subscription.renew_now", json!({"subscriptionId": line})),
            Step::Block { hold } => ("subscription.block", json!({"subscriptionId": line, "reason": hold})),
            Step::Unblock { hold: Hold::Requested } => {
                ("subscription.unblock", json!({"subscriptionId": line, "reason": Hold::Requested}))
            }
            Step::Unblock { hold: Hold::Fraud } => (
                "subscription.unblock",
                json!({"subscriptionId": line, "reason": Hold::Fraud, "note": "the customer has explained it"}),
            ),
            Step::ChangePlan { to, .. } => {
                ("subscription.schedule_plan_change", json!({"subscriptionId": line, "newOfferingId": to}))
            }
            Step::CancelChange => ("subscription.cancel_pending_plan_change", json!({"subscriptionId": line})),
            Step::Terminate { .. }
            | Step::Join { .. }
            | Step::CallOff { .. }
            | Step::ReplaceCard { .. }
            | Step::Use { .. } => ("subscription.terminate", json!({"subscriptionId": line})),
        };
        let answer = self.client.insist(operation, &arguments, Some(key)).await?;
        // With a key the repetition gets the answer of the first try.
        let kept = matches!(step, Step::TopUp { .. } | Step::Renew);
        Ok(ended(&answer, kept))
    }

    /// Signs up who is not known yet.
    async fn come(&mut self, card: Card, key: &str) -> Result<(), Fault> {
        if self.known.id.is_empty() {
            let email = format!("soak-{}-{}@example.test", self.seed, self.index);
            let customer = json!({"name": format!("Soak Customer{}", self.index), "email": email});
            self.known.id = text(&self.client.must("customer.create", &customer, Some(key)).await?, "id")?;
            let attested = json!({"customerId": self.known.id, "attestationToken": key});
            self.client.must("customer.attest_kyc", &attested, None).await?;
            self.known.card = self.add_card(card, key).await?;
        }
        Ok(())
    }

    /// Cancels an order while it is under way. It may be too late, or the order may have failed; then too nothing is kept.
    async fn call_off(&mut self, plan: &str, card: Card, key: &str) -> Result<Outcome, Fault> {
        self.come(card, key).await?;
        // Nobody knows whether it will be too late: nothing may hang on it.
        let order = json!({"customerId": self.known.id, "offeringId": plan, "skipAssignedOffer": true});
        let id = text(&self.client.must("order.create", &order, Some(key)).await?, "id")?;
        self.client.insist("order.cancel", &json!({"orderId": id, "reason": "changed my mind"}), None).await?;
        let order = self.ended(&id).await?;
        if order["state"] == "completed" {
            let item = &order["items"][0];
            let line = json!({"subscriptionId": text(item, "targetSubscriptionId")?});
            self.client.insist("subscription.terminate", &line, None).await?;
            let attempt = text(item, "paymentAttemptId")?;
            let refund = json!({"paymentAttemptId": attempt, "reason": "called off too late"});
            self.client.insist("payment.refund", &refund, None).await?;
        }
        self.known.called_off.push(id);
        Ok(Outcome::Done)
    }

    async fn join(&mut self, plan: &str, code: Option<&str>, key: &str) -> Result<Outcome, Fault> {
        let mut basket = json!({"offeringId": plan});
        if let Some(code) = code {
            basket["discountCode"] = json!(code);
        }
        let (outcome, order) = self.order("order.create", basket, key).await?;
        if outcome == Outcome::Done {
            let id = text(&order["items"][0], "targetSubscriptionId")?;
            let line = self.client.must("subscription.get", &json!({"subscriptionId": id}), None).await?;
            self.known.msisdn = text(&line, "msisdn")?;
            self.known.line = id;
        }
        Ok(outcome)
    }

    /// A customer may have few cards: the former one goes.
    async fn replace_card(&mut self, card: Card, key: &str) -> Result<Outcome, Fault> {
        let method = self.add_card(card, key).await?;
        self.client.must("payment.set_default_method", &json!({"paymentMethodId": method}), None).await?;
        let removed = self.remove_card(&self.known.card).await?;
        self.known.card = method;
        Ok(ended(&removed, false))
    }

    /// A charge that a kill has interrupted may not have its outcome yet: the card stays until it has.
    async fn remove_card(&self, card: &str) -> Result<Answer, Fault> {
        let card = json!({"paymentMethodId": card});
        let begun = Instant::now();
        loop {
            let answer = self.client.insist("payment.remove_method", &card, None).await?;
            if answer.refusal() != Some(CHARGE_PENDING) || begun.elapsed() > CHARGE_ENDS_WITHIN {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// On file; the first one is the default.
    async fn add_card(&self, card: Card, key: &str) -> Result<String, Fault> {
        // No card of a run expires within it.
        let arguments = json!({"customerId": self.known.id, "cardNumber": card.number(), "expYear": 2060});
        text(&self.client.must("payment.add_card", &arguments, Some(key)).await?, "id")
    }

    /// Orders, and waits for the order's end.
    async fn order(&mut self, operation: &str, mut arguments: Value, key: &str) -> Result<(Outcome, Value), Fault> {
        arguments["customerId"] = json!(self.known.id);
        let answer = self.client.insist(operation, &arguments, Some(key)).await?;
        if let Some(rule) = answer.refusal() {
            return Ok((Outcome::refused(rule), answer.body));
        }
        let order = self.ended(&text(&answer.body, "id")?).await?;
        let outcome = match order["state"].as_str() {
            Some("completed") => Outcome::Done,
            _ => Outcome::refused("the order failed"),
        };
        Ok((outcome, order))
    }

    /// The order, as soon as it has ended, whichever way.
    async fn ended(&mut self, id: &str) -> Result<Value, Fault> {
        let begun = Instant::now();
        while begun.elapsed() < ORDER_ENDS_WITHIN {
            let order = self.client.must("order.get", &json!({"orderId": id}), None).await?;
            if matches!(order["state"].as_str(), Some("completed" | "failed" | "cancelled")) {
                return Ok(order);
            }
            if let Some(outage) = self.outage {
                operator::attend(self.client, outage, id, &mut self.deeds).await?;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Fault::Answer(format!("an order does not end: {id}")))
    }

    async fn consume(&self, what: Use, quantity: i64, key: &str) -> Result<Outcome, Fault> {
        let event_type = match what {
            Use::Data | Use::Roaming => "data",
            Use::Voice => "voice",
            Use::Sms => "sms",
        };
        let arguments = json!({
            "msisdn": self.known.msisdn, "eventType": event_type, "quantity": quantity,
            "roamingIndicator": what == Use::Roaming, "source": "soak", "externalId": key,
        });
        let answer = self.client.insist("usage.simulate", &arguments, None).await?;
        Ok(ended(&answer, true))
    }
}

/// `kept`: a repetition is answered as the first try was.
fn ended(answer: &Answer, kept: bool) -> Outcome {
    match answer.refusal() {
        None => Outcome::Done,
        Some(_) if answer.repeated && !kept => Outcome::Unsure,
        Some(rule) => Outcome::refused(rule),
    }
}

fn text(value: &Value, name: &str) -> Result<String, Fault> {
    let text = value[name].as_str().map(str::to_owned);
    text.ok_or_else(|| Fault::Answer(format!("no {name} in {value}")))
}
