//! What customers are told: one message row per fact and template, sent by mail.
//!
//! Invariants:
//! - A fact is told once. The row is written in the transaction of the reaction to the fact's event, and says all that is to
//!   be said; it is composed once, so that every repetition of a sending has the same content under the same key.
//! - A message is pending while a delivery waits for it, and ends once per sending: sent, suppressed or failed.
//! - Receipts, and what changes the contract or the service, are owed: nobody can opt out of them.
//! - Neither content nor address leaves the rows of this domain but through the mailer and the reads that ask for it.
//!
//! Not here: how a mail is carried (adapters of [`Mailer`]).

mod audit;
mod compose;
mod consumers;
mod events;
pub(super) mod http;
mod in_hand;
mod notice;
pub(super) mod policy;
mod preferences;
mod resend;
mod send;
mod store;
mod templates;

use std::sync::Arc;

use async_trait::async_trait;

use crate::domains::catalog::port::Catalog;
use crate::domains::crm::input::page;
use crate::domains::crm::port::{
    Communications, CustomerId, Customers, ListMessages, Mailer, MessageId, MessageView, PreferenceView, SetPreference,
};
use crate::domains::subscription::port::Subscriptions;
use crate::platform::Platform;
use crate::platform::context::Context;
use crate::platform::delivery::{Handlers, Subscribers};
use crate::platform::error::{Error, Result};

pub use audit::CHECKS;
pub use http::router;
use in_hand::InHand;
use templates::Templates;

/// What customers are told of, and the sending.
pub fn subscribe(subscribers: Subscribers) -> Subscribers {
    consumers::subscribe(subscribers)
}

/// Messages over their tables, templates and mailer.
pub struct Service {
    platform: Platform,
    customers: Arc<dyn Customers>,
    subscriptions: Arc<dyn Subscriptions>,
    catalog: Arc<dyn Catalog>,
    mailer: Arc<dyn Mailer>,
    templates: Templates,
    in_hand: InHand,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("communication::Service")
    }
}

impl Service {
    pub fn new(
        platform: Platform,
        customers: Arc<dyn Customers>,
        subscriptions: Arc<dyn Subscriptions>,
        catalog: Arc<dyn Catalog>,
        mailer: Arc<dyn Mailer>,
    ) -> Self {
        let templates = Templates::new(platform.config.profile.time_zone);
        Self { platform, customers, subscriptions, catalog, mailer, templates, in_hand: InHand::default() }
    }

    /// The code of what [`subscribe`] names.
    pub fn handlers(self: &Arc<Self>) -> Handlers {
        consumers::handlers(self)
    }

    /// A stored message as everybody may see it; its text only where one message is looked at.
    fn view(&self, message: store::Message, with_text: bool) -> MessageView {
        // What a former version composed may lack what a template of today wants: then there is a hash, and no text.
        let rendered = message.letter.as_ref().and_then(|letter| self.templates.render(letter).ok());
        let (subject, text) = rendered.map_or((None, None), |mail| (Some(mail.subject), Some(mail.text)));
        message.view(subject, text.filter(|_| with_text))
    }
}

#[async_trait]
impl Communications for Service {
    async fn messages(&self, cx: &Context, filter: ListMessages) -> Result<Vec<MessageView>> {
        page(filter.limit, filter.offset)?;
        let messages = store::list(&self.platform.db, cx, &filter).await?;
        Ok(messages.into_iter().map(|message| self.view(message, false)).collect())
    }

    async fn message(&self, cx: &Context, id: &MessageId) -> Result<MessageView> {
        let message = store::find(&self.platform.db, cx, id).await?;
        Ok(self.view(message.ok_or_else(|| Error::not_found("message", id))?, true))
    }

    async fn resend(&self, cx: &Context, id: &MessageId) -> Result<MessageView> {
        self.send_again(cx, id).await
    }

    async fn set_preference(&self, cx: &Context, command: SetPreference) -> Result<Vec<PreferenceView>> {
        self.prefer(cx, command).await
    }

    async fn preferences(&self, cx: &Context, id: &CustomerId) -> Result<Vec<PreferenceView>> {
        self.preferred(cx, id).await
    }
}
