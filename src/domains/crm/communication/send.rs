//! Sending: lease the row, compose it, hand the mail over outside any transaction, record the answer in a second one.
//!
//! The mail's key is the message and the number of its sending. Content is kept before the first handing over, so whoever
//! repeats a sending repeats it exactly, and the other side can tell that it is the same.

use super::Service;
use super::compose::{Letter, address_of, domain_of};
use super::events::{MessageEnded, MessageFailed, MessageRequested, MessageSent, MessageSuppressed};
use super::store::{self, Claim, Ending, Message};
use super::templates::Rendered;
use crate::domains::crm::port::{Mail, MailError, MessageState};
use crate::platform::context::Context;
use crate::platform::delivery::Failure;
use crate::platform::error::Result;
use crate::platform::{crash, outbox};

/// Why a message is not sent on purpose.
const OPTED_OUT: &str = "opted_out";
const NO_ADDRESS: &str = "no_address";

/// Longest account of a refusal that is kept.
const REASON_CHARS_MAX: usize = 200;

impl Service {
    /// Sends the message; does nothing when this sending has ended.
    pub(super) async fn send(&self, cx: &Context, request: &MessageRequested) -> Result<(), Failure> {
        let message = match store::claim(&self.platform, cx, &request.message_id, request.send_number).await? {
            Claim::Settled => return Ok(()),
            Claim::Busy => return Err(Failure::retry("another process is sending it")),
            Claim::Taken(message) => *message,
        };
        let outcome = self.send_claimed(cx, &message).await;
        if outcome.is_err() {
            // Whoever tries again need not wait for the lease to end. If this fails too, it ends by itself.
            if let Err(error) = store::let_go(&self.platform, cx, &message.id).await {
                tracing::debug!(message.id = %message.id, %error, "the lease of a message was not given back");
            }
        }
        outcome
    }

    async fn send_claimed(&self, cx: &Context, message: &Message) -> Result<(), Failure> {
        let customer = self.customers.customer(cx, &message.customer_id).await?;
        if store::opted_out(&self.platform.db, cx, &message.customer_id, message.template).await? {
            return Ok(self.record(cx, message, Ending::suppressed(OPTED_OUT)).await?);
        }
        let Some(address) = address_of(&customer) else {
            return Ok(self.record(cx, message, Ending::suppressed(NO_ADDRESS)).await?);
        };
        let letter = match &message.letter {
            Some(letter) => letter.clone(),
            None => self.compose(cx, message, &customer).await?,
        };
        let (rendered, hash) = self.keep(cx, message, &letter).await?;
        let mail = Mail {
            key: format!("{}-r{}", message.id, message.send_number - 1),
            to: address.to_owned(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            at: cx.now,
        };
        crash::point("communication.send.before_call");
        let answer = self.mailer.send(&mail).await;
        crash::point("communication.send.after_call");
        let domain = domain_of(address);
        let ending = match answer {
            Ok(provider_message_id) => Ending {
                state: MessageState::Sent,
                reason: None,
                recipient_domain: Some(domain.to_owned()),
                provider: Some(self.mailer.name()),
                provider_message_id,
            },
            Err(MailError::Refused(reason)) => Ending {
                state: MessageState::Failed,
                reason: Some(reason.chars().take(REASON_CHARS_MAX).collect()),
                recipient_domain: Some(domain.to_owned()),
                provider: Some(self.mailer.name()),
                provider_message_id: None,
            },
            Err(away @ MailError::Away(_)) => return Err(Failure::retry(away)),
        };
        tracing::info!(
            message.id = %message.id,
            message.template = message.template.as_str(),
            message.content_hash = hash,
            message.recipient_domain = domain,
            message.state = ending.state.as_str(),
            "message handed to the mailer"
        );
        Ok(self.record(cx, message, ending).await?)
    }

    /// Renders the letter and keeps it with the hash of what it says.
    async fn keep(&self, cx: &Context, message: &Message, letter: &Letter) -> Result<(Rendered, String), Failure> {
        // A template that asks for what is not there will do so again.
        let rendered = self.templates.render(letter).map_err(Failure::park)?;
        let hash = rendered.hash();
        store::keep_letter(&self.platform, cx, &message.id, letter, &hash).await?;
        Ok((rendered, hash))
    }

    /// Writes how the sending ended, with its event. When the lease was taken over meanwhile nothing is written: whoever
    /// has it now records what it gets for the same key.
    async fn record(&self, cx: &Context, message: &Message, ending: Ending) -> Result<()> {
        let mut cx = cx.clone();
        cx.now = self.platform.clock.now().await?;
        let tx = self.platform.db.begin().await?;
        let Some(ended) = store::end(&tx, &self.platform, &cx, message, &ending).await? else {
            tracing::info!(message.id = %message.id, "answer of the mailer dropped: another process has taken the message over");
            return Ok(());
        };
        let facts = MessageEnded {
            message_id: message.id.clone(),
            customer_id: message.customer_id.clone(),
            template: message.template,
            send_number: message.send_number,
            reason: ending.reason,
            content_hash: ended.content_hash,
            recipient_domain: ending.recipient_domain,
            version: ended.version,
        };
        match ending.state {
            MessageState::Sent => outbox::stage(&tx, &cx, &MessageSent(facts)).await?,
            MessageState::Failed => outbox::stage(&tx, &cx, &MessageFailed(facts)).await?,
            MessageState::Suppressed | MessageState::Pending => {
                outbox::stage(&tx, &cx, &MessageSuppressed(facts)).await?
            }
        };
        crash::point("communication.send.before_commit");
        tx.commit().await?;
        crash::point("communication.send.after_commit");
        metrics::counter!("bss_messages_total", "template" => message.template.as_str(), "state" => ending.state.as_str())
            .increment(1);
        Ok(())
    }
}
