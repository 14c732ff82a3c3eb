//! Which events a customer is told of, and what. Each writes the message and stages its sending; the effect sends it.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Service;
use super::events::{CardInvalidated, MessageRequested, Owed, RenewFailed, SubscriptionRenewed, VasPurchased};
use super::notice::{
    Blocked, Card, Charge, LowBalance, Notice, Paid, PlanChange, PriceChange, Reminder, RenewalFailed, Termination,
    Told, TopUp,
};
use super::store;
use crate::domains::crm::customer::events::CustomerCreated;
use crate::domains::crm::port::MessageId;
use crate::domains::mediation::port::UsageThresholdReached;
use crate::domains::subscription::port::{
    BlockReason, PlanChanged, PriceMigrationScheduled, RenewalReminderDue, SubscriptionActivated, SubscriptionBlocked,
    SubscriptionTerminated,
};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::delivery::{
    ConsumeTogether, Consumer, Effect, Failure, Handlers, Kind, PerformTogether, Subscribers,
};
use crate::platform::money::{Currency, Money};
use crate::platform::outbox::{self, Event};

/// The share of an allowance, in per cent, of whose use a customer is told.
const LOW_BALANCE_PERCENT: u8 = 80;

/// An event that a customer may be told of.
trait Telling: Event + DeserializeOwned + 'static {
    /// Name of its consumer.
    const CONSUMER: &'static str;

    /// None: this one is not worth a message.
    fn told(self) -> Option<Told>;
}

/// Writes the message that an event calls for.
struct Tell<E>(Arc<Service>, PhantomData<fn(E)>);

impl<E: Telling> Consumer for Tell<E> {
    const NAME: &'static str = E::CONSUMER;
    const KIND: Kind = Kind::Message;
    type Payload = E;

    async fn handle(&self, tx: &Tx, cx: &Context, event: E) -> Result<(), Failure> {
        self.handle_all(tx, cx, vec![event]).await
    }
}

impl<E: Telling> ConsumeTogether for Tell<E> {
    fn joins(_: &E) -> bool {
        true
    }

    async fn handle_all(&self, tx: &Tx, cx: &Context, events: Vec<E>) -> Result<(), Failure> {
        let told = events.into_iter().filter_map(Telling::told);
        let messages: Vec<(MessageId, Told)> =
            told.map(|told| (self.0.platform.ids.short("MSG").into(), told)).collect();
        let written = store::insert(tx, cx, &messages).await?;
        let written = messages.into_iter().filter(|(id, _)| written.contains(id));
        let requested: Vec<MessageRequested> = written
            .map(|(message_id, told)| MessageRequested {
                message_id,
                customer_id: told.customer_id,
                template: told.notice.template(),
                send_number: 1,
            })
            .collect();
        Ok(outbox::stage_all(tx, cx, &requested).await?)
    }
}

/// Sends the message that its row describes.
struct SendMessage(Arc<Service>);

impl Effect for SendMessage {
    const NAME: &'static str = "crm.send_message";
    const KIND: Kind = Kind::Message;
    type Payload = MessageRequested;

    async fn perform(&self, cx: &Context, event: MessageRequested) -> Result<(), Failure> {
        let outcome = self.0.send_all(cx, std::slice::from_ref(&event)).await.pop();
        outcome.unwrap_or_else(|| Err(Failure::retry("the sending has no outcome")))
    }
}

impl PerformTogether for SendMessage {
    async fn perform_all(&self, cx: &Context, events: Vec<MessageRequested>) -> Vec<Result<(), Failure>> {
        self.0.send_all(cx, &events).await
    }
}

macro_rules! told_of {
    ($($event:ty),* $(,)?) => {
        pub(super) fn subscribe(subscribers: Subscribers) -> Subscribers {
            subscribers.effect::<SendMessage>()$(.consumer::<Tell<$event>>())*
        }

        pub(super) fn handlers(service: &Arc<Service>) -> Handlers {
            Handlers::default()
                .effect_of_sets(SendMessage(Arc::clone(service)))
                $(.consumer_of_sets(Tell::<$event>(Arc::clone(service), PhantomData)))*
        }
    };
}

told_of!(
    CustomerCreated,
    SubscriptionActivated,
    UsageThresholdReached,
    SubscriptionBlocked,
    VasPurchased,
    SubscriptionRenewed,
    RenewFailed,
    RenewalReminderDue,
    PriceMigrationScheduled,
    PlanChanged,
    CardInvalidated,
    SubscriptionTerminated,
);

impl Telling for CustomerCreated {
    const CONSUMER: &'static str = "crm.tell_welcome";

    fn told(self) -> Option<Told> {
        Some(Told {
            business_key: self.customer_id.to_string(),
            customer_id: self.customer_id,
            subscription_id: None,
            notice: Notice::Welcome,
        })
    }
}

impl Telling for SubscriptionActivated {
    const CONSUMER: &'static str = "crm.tell_activation";

    fn told(self) -> Option<Told> {
        let paid = Paid {
            amount: self.amount_charged,
            currency: self.currency,
            period_start: self.period_start,
            period_end: self.period_end,
            plan: Some(self.offering_id.into()),
        };
        Some(Told {
            business_key: self.subscription_id.to_string(),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::Activation(paid),
        })
    }
}

impl Telling for UsageThresholdReached {
    const CONSUMER: &'static str = "crm.tell_low_balance";

    fn told(self) -> Option<Told> {
        // With nothing left there is nothing to save: home data is then told of as blocked.
        if self.percent != LOW_BALANCE_PERCENT || self.remaining == 0 {
            return None;
        }
        let low = LowBalance {
            allowance_type: self.allowance_type,
            unit: self.allowance_type.unit(),
            percent: self.percent,
            remaining: self.remaining,
            total: self.total,
        };
        Some(Told {
            business_key: format!("{}:{}:{}", self.subscription_id, self.period_index, self.allowance_type.as_str()),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::LowBalance(low),
        })
    }
}

impl Telling for SubscriptionBlocked {
    const CONSUMER: &'static str = "crm.tell_blocked";

    fn told(self) -> Option<Told> {
        // That a renewal failed has a message of its own, with the way to pay.
        if self.reason == BlockReason::Payment {
            return None;
        }
        Some(Told {
            business_key: format!("{}:{}", self.subscription_id, self.version),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::Blocked(Blocked { reason: self.reason }),
        })
    }
}

impl Telling for VasPurchased {
    const CONSUMER: &'static str = "crm.tell_top_up";

    fn told(self) -> Option<Told> {
        let top_up = TopUp {
            offering: self.vas_offering_id.into(),
            allowance_type: self.allowance_type,
            unit: self.allowance_type.unit(),
            added: self.allowance_added,
            amount: self.amount_charged,
            currency: self.currency,
        };
        Some(Told {
            business_key: self.vas_purchase_id.to_string(),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::TopUpReceipt(top_up),
        })
    }
}

impl Telling for SubscriptionRenewed {
    const CONSUMER: &'static str = "crm.tell_renewal";

    fn told(self) -> Option<Told> {
        let paid = Paid {
            amount: self.amount_charged,
            currency: self.price_snapshot.price_currency,
            period_start: self.period_start,
            period_end: self.period_end,
            plan: self.offering_id.map(Into::into),
        };
        Some(Told {
            business_key: format!("{}:{}", self.subscription_id, self.period_index),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::RenewalReceipt(paid),
        })
    }
}

impl Telling for RenewFailed {
    const CONSUMER: &'static str = "crm.tell_renewal_failed";

    fn told(self) -> Option<Told> {
        Some(Told {
            business_key: format!("{}:{}", self.subscription_id, self.version),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::RenewalFailed(RenewalFailed {
                reason: self.reason,
                owed: self.owed.map(Into::into),
                paid_until: self.paid_until,
                plan: self.offering_id.map(Into::into),
            }),
        })
    }
}

impl From<Owed> for Charge {
    fn from(owed: Owed) -> Self {
        Self {
            offering: owed.offering_id.into(),
            changes_plan: owed.changes_plan,
            amount: owed.amount,
            currency: owed.currency,
            full_amount: owed.full_amount,
            previous_amount: None,
            costs_more: false,
            ends_discount: false,
        }
    }
}

impl Telling for RenewalReminderDue {
    const CONSUMER: &'static str = "crm.tell_renewal_reminder";

    fn told(self) -> Option<Told> {
        let coming = Charge {
            costs_more: is_more(&self.amount, &self.previous_amount, &self.currency),
            ends_discount: self.ends_discount.unwrap_or(false),
            offering: self.offering_id.into(),
            changes_plan: self.changes_plan,
            amount: self.amount,
            currency: self.currency,
            full_amount: self.full_amount,
            previous_amount: Some(self.previous_amount),
        };
        Some(Told {
            business_key: format!("{}:{}", self.subscription_id, self.renews_at.timestamp()),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::RenewalReminder(Reminder {
                renews_at: self.renews_at,
                coming: Some(coming),
                plan: self.current_offering_id.map(Into::into),
            }),
        })
    }
}

/// Whether the one amount is more than the other; one that cannot be read is told rather than not.
fn is_more(amount: &str, than: &str, currency: &str) -> bool {
    let Ok(currency) = currency.parse::<Currency>() else { return true };
    match (Money::parse(amount, currency), Money::parse(than, currency)) {
        (Ok(amount), Ok(than)) => amount.minor > than.minor,
        _ => true,
    }
}

impl Telling for PriceMigrationScheduled {
    const CONSUMER: &'static str = "crm.tell_price_change";

    fn told(self) -> Option<Told> {
        let change = PriceChange {
            old_amount: self.old_amount,
            new_amount: self.new_amount,
            currency: self.new_currency,
            effective_at: self.effective_at,
            plan: Some(self.offering_id.into()),
        };
        Some(Told {
            // `audit` finds a migration's notice by this.
            business_key: format!("{}:{}", self.subscription_id, self.migration_id),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::PriceChange(change),
        })
    }
}

impl Telling for PlanChanged {
    const CONSUMER: &'static str = "crm.tell_plan_change";

    fn told(self) -> Option<Told> {
        Some(Told {
            business_key: format!("{}:{}", self.subscription_id, self.version),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::PlanChange(PlanChange {
                offering: self.previous_offering_id.into(),
                plan: Some(self.new_offering_id.into()),
                amount: Some(self.new_price_amount),
                currency: Some(self.new_price_currency),
                begins_at: Some(self.period_start),
                discount_ended: self.discount_ended,
            }),
        })
    }
}

impl Telling for CardInvalidated {
    const CONSUMER: &'static str = "crm.tell_card_invalidated";

    fn told(self) -> Option<Told> {
        Some(Told {
            business_key: self.payment_method_id.to_string(),
            customer_id: self.customer_id,
            subscription_id: None,
            notice: Notice::CardInvalidated(Card { card_brand: self.brand, card_last4: self.last4 }),
        })
    }
}

impl Telling for SubscriptionTerminated {
    const CONSUMER: &'static str = "crm.tell_termination";

    fn told(self) -> Option<Told> {
        Some(Told {
            business_key: self.subscription_id.to_string(),
            customer_id: self.customer_id,
            subscription_id: Some(self.subscription_id),
            notice: Notice::Termination(Termination { ended_at: self.terminated_at }),
        })
    }
}
