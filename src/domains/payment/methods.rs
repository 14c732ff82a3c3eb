//! Cards on file: adding, choosing the default, removing.

use std::sync::Arc;

use super::Service;
use super::events::{MethodAdded, MethodDefaultChanged, MethodRemoved};
use super::model::Method;
use super::policy;
use super::port::card::Card;
use super::port::gateway::{GatewayError, Tokenized};
use super::port::{AddCard, ListMethods, MethodView, PaymentMethodId};
use super::store::attempts;
use super::store::methods::{self, NewMethod};
use crate::domains::crm::port::{CustomerId, Direction};
use crate::platform::context::Context;
use crate::platform::db::Tx;
use crate::platform::error::{Error, Result};
use crate::platform::{crash, idempotency, outbox};

impl Service {
    /// See [`Payments::add_card`](super::port::Payments::add_card).
    pub(super) async fn put_on_file(&self, cx: &Context, command: AddCard) -> Result<MethodView> {
        let (exp_month, exp_year) = expiry(&command)?;
        let card = Card { number: command.card_number, exp_month: command.exp_month, exp_year: command.exp_year };
        let customer_id = command.customer_id;
        // A hash over a card number can be guessed back: the request is remembered by what we may keep of it.
        let remembered = format!("{customer_id} {} {exp_month} {exp_year}", card.number.last4());
        let idempotency = cx.idempotency.as_deref().map(|request| Arc::new(request.over(remembered.as_bytes())));
        let cx = &Context { idempotency, ..cx.clone() };
        if let Some(view) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(view);
        }
        let standing = self.customers.standing(cx, &customer_id).await?;
        policy::add_card(&customer_id, standing.as_ref(), &card, cx.now, self.platform.config.profile.time_zone)?;
        let tokenized = self.tokenize(&card).await?;

        let tx = self.platform.db.begin().await?;
        // First of all: a twin of this request waits here and gets this answer, not "there are too many cards".
        idempotency::claim(&tx, cx).await?;
        self.hold_customer(&tx, cx, &customer_id).await?;
        methods::lock_customer(&tx, cx, &customer_id).await?;
        let active = methods::active(&*tx, cx, &ListMethods::of(&customer_id)).await?;
        policy::room_for_card(&customer_id, active.len())?;
        let new = NewMethod {
            customer_id: &customer_id,
            provider: self.gateway.provider(),
            tokenized: &tokenized,
            exp_month,
            exp_year,
            is_default: !active.iter().any(|method| method.is_default),
        };
        let method = methods::insert(&tx, cx, new).await?;
        outbox::stage(&tx, cx, &MethodAdded::from(&method)).await?;
        let summary = format!("Card added: {}", name(&method));
        self.customers.note(&tx, cx, &customer_id, Direction::Internal, &summary).await?;
        let view = MethodView::from(method);
        idempotency::answer(&tx, cx, view.id.as_str(), &view).await?;
        crash::point("payment.card.before_commit");
        tx.commit().await?;
        crash::point("payment.card.after_commit");
        Ok(view)
    }

    /// The customer stays open until `tx` ends: it may have been closed since it was looked at.
    async fn hold_customer(&self, tx: &Tx, cx: &Context, customer_id: &CustomerId) -> Result<()> {
        match self.customers.hold_open(tx, cx, customer_id).await {
            Ok(standing) => Ok(policy::may_add(customer_id, Some(&standing))?),
            Err(error) if error.violation().is_some() => Err(policy::not_open(customer_id, "closed").into()),
            Err(Error::NotFound { .. }) => Ok(policy::may_add(customer_id, None)?),
            Err(error) => Err(error),
        }
    }

    async fn tokenize(&self, card: &Card) -> Result<Tokenized> {
        self.bounded(self.gateway.tokenize(card)).await.map_err(|error| match error {
            GatewayError::Timeout | GatewayError::Unavailable(_) => Error::unavailable(error.to_string()),
            GatewayError::Refused(_) => {
                policy::ADD_CARD_REFUSED.violated("The payment gateway does not take this card").into()
            }
        })
    }

    /// See [`Payments::set_default_method`](super::port::Payments::set_default_method).
    pub(super) async fn choose_default(
        &self,
        cx: &Context,
        id: &PaymentMethodId,
        expected: Option<i64>,
    ) -> Result<Method> {
        let tx = self.platform.db.begin().await?;
        let method = lock_owner_and_read(&tx, cx, id).await?;
        Error::unless_version(method.version, expected)?;
        policy::set_default(&method, cx.now, self.platform.config.profile.time_zone)?;
        if method.is_default {
            return Ok(method);
        }
        let method = methods::make_default(&tx, cx, &method.customer_id, id).await?;
        outbox::stage(&tx, cx, &MethodDefaultChanged::from(&method)).await?;
        crash::point("payment.card.before_commit");
        tx.commit().await?;
        crash::point("payment.card.after_commit");
        Ok(method)
    }

    /// See [`Payments::remove_method`](super::port::Payments::remove_method).
    pub(super) async fn take_off_file(&self, cx: &Context, id: &PaymentMethodId) -> Result<MethodView> {
        let tx = self.platform.db.begin().await?;
        let method = lock_owner_and_read(&tx, cx, id).await?;
        // Under the lock that a charge takes too: a line or a charge that is being booked is seen here, or does not find the
        // card.
        let open_lines = self.subscriptions()?.open_lines_within(&tx, cx, &method.customer_id).await?;
        let active = methods::active(&*tx, cx, &ListMethods::of(&method.customer_id)).await?;
        let others: Vec<&Method> = active.iter().filter(|other| other.id != *id).collect();
        let pending = attempts::pending_of(&tx, cx, &method).await?;
        policy::remove(&method, others.len(), &open_lines, pending.as_ref())?;
        let removed = methods::remove(&tx, cx, id).await?;
        outbox::stage(&tx, cx, &MethodRemoved::from(&removed)).await?;
        if let Some(successor) = others.first().filter(|_| method.is_default) {
            let successor = methods::make_default(&tx, cx, &method.customer_id, &successor.id).await?;
            outbox::stage(&tx, cx, &MethodDefaultChanged::from(&successor)).await?;
        }
        let summary = format!("Card removed: {}", name(&removed));
        self.customers.note(&tx, cx, &removed.customer_id, Direction::Internal, &summary).await?;
        crash::point("payment.card.before_commit");
        tx.commit().await?;
        crash::point("payment.card.after_commit");
        Ok(removed.into())
    }
}

/// Locks the cards of whoever owns `id`, then reads it as it is under the lock.
async fn lock_owner_and_read(tx: &Tx, cx: &Context, id: &PaymentMethodId) -> Result<Method> {
    let missing = || Error::not_found("payment method", id);
    let found = methods::find(&**tx, cx, id).await?.ok_or_else(missing)?;
    methods::lock_customer(tx, cx, &found.customer_id).await?;
    methods::find(&**tx, cx, id).await?.ok_or_else(missing)
}

/// Month and year as the table keeps them.
fn expiry(command: &AddCard) -> Result<(i16, i16)> {
    if !(1..=12).contains(&command.exp_month) {
        return Err(Error::invalid("/expMonth", "must be 1 to 12"));
    }
    let year = i16::try_from(command.exp_year).ok().filter(|year| (2000..=2199).contains(year));
    let year = year.ok_or_else(|| Error::invalid("/expYear", "must be a year of four digits, such as 2030"))?;
    Ok((i16::from(command.exp_month), year))
}

/// As a person knows the card: brand and last four digits.
pub(super) fn name(method: &Method) -> String {
    format!("{} {}", method.brand, method.last4)
}
