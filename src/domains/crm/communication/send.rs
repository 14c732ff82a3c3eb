//! Sending: lease the rows, compose them, hand the mails over outside any transaction, record the answers in a second one.
//!
//! The mail's key is the message and the number of its sending. Content is kept before the first handing over, so whoever
//! repeats a sending repeats it exactly, and the other side can tell that it is the same.

use std::collections::{BTreeSet, HashMap};

use futures::future::join_all;
use futures::stream::FuturesUnordered;

use super::Service;
use super::compose::{Letter, address_of, domain_of};
use super::events::{MessageEnded, MessageFailed, MessageRequested, MessageSent, MessageSuppressed};
use super::in_hand::Sending;
use super::store::{self, Ended, Ending, Message, NotTaken};
use crate::domains::crm::port::{CustomerId, Mail, MailError, MessageId, MessageState};
use crate::platform::context::Context;
use crate::platform::delivery::Failure;
use crate::platform::error::{Error, Result};
use crate::platform::{crash, outbox, waves};

/// Why a message is not sent on purpose.
const OPTED_OUT: &str = "opted_out";
const NO_ADDRESS: &str = "no_address";

/// Longest account of a refusal that is kept.
const REASON_CHARS_MAX: usize = 200;

/// Sendings that did not come to an end, and why.
type Failed = HashMap<Sending, Failure>;

/// A message that can go, and what of it is kept.
struct Ready<'a> {
    message: &'a Message,
    letter: Letter,
    hash: String,
    mail: Mail,
}

/// What a message comes to before anybody outside hears of it.
enum Prepared<'a> {
    Ready(Box<Ready<'a>>),
    Suppressed(&'a Message, &'static str),
}

impl Message {
    fn sending(&self) -> Sending {
        (self.id.clone(), self.send_number)
    }
}

impl Service {
    /// Sends messages; does nothing for a sending that has ended. One outcome for each, in their order.
    pub(super) async fn send_all(&self, cx: &Context, requests: &[MessageRequested]) -> Vec<Result<(), Failure>> {
        let mut failed = Failed::new();
        let in_hand =
            self.in_hand.take(requests.iter().map(|request| (request.message_id.clone(), request.send_number)));
        match store::claim(&self.platform, cx, &in_hand.mine).await {
            Err(error) => return vec![Err(Failure::from(error)); requests.len()],
            Ok(messages) => {
                self.tell_not_taken(cx, requests, &messages, &mut failed).await;
                self.send_taken(cx, &messages, &mut failed).await;
                self.let_go(cx, &messages, &failed).await;
            }
        }
        let outcome = |request: &MessageRequested| {
            let failure = failed.remove(&(request.message_id.clone(), request.send_number));
            failure.map_or(Ok(()), Err)
        };
        requests.iter().map(outcome).collect()
    }

    /// Those that could not be taken have ended, or somebody else is at them.
    async fn tell_not_taken(
        &self,
        cx: &Context,
        requests: &[MessageRequested],
        taken: &[Message],
        failed: &mut Failed,
    ) {
        let taken: BTreeSet<(&MessageId, i32)> =
            taken.iter().map(|message| (&message.id, message.send_number)).collect();
        for request in requests.iter().filter(|request| !taken.contains(&(&request.message_id, request.send_number))) {
            let failure = match store::not_taken(&self.platform.db, cx, request).await {
                Ok(NotTaken::Settled) => continue,
                Ok(NotTaken::Busy) => Failure::wait("somebody else is sending it"),
                Err(error) => error.into(),
            };
            failed.insert((request.message_id.clone(), request.send_number), failure);
        }
    }

    /// Whoever tries again need not wait for the leases to end. If this fails too, they end by themselves.
    async fn let_go(&self, cx: &Context, messages: &[Message], failed: &Failed) {
        let ids = messages.iter().filter(|message| failed.contains_key(&message.sending())).map(|message| &message.id);
        let ids: Vec<&MessageId> = ids.collect();
        if ids.is_empty() {
            return;
        }
        if let Err(error) = store::let_go(&self.platform, cx, &ids).await {
            tracing::debug!(messages = ids.len(), %error, "the leases of messages were not given back");
        }
    }

    async fn send_taken(&self, cx: &Context, messages: &[Message], failed: &mut Failed) {
        if messages.is_empty() {
            return;
        }
        let ready = match self.prepare_all(cx, messages, failed).await {
            Ok(ready) if ready.is_empty() => return,
            Ok(ready) => ready,
            Err(error) => {
                let failure = Failure::from(error);
                failed.extend(messages.iter().map(|message| (message.sending(), failure.clone())));
                return;
            }
        };
        crash::point("communication.send.before_call");
        let mut answers: FuturesUnordered<_> =
            ready.iter().map(|ready| async move { (ready, self.mailer.send(&ready.mail).await) }).collect();
        while let Some(wave) = waves::next(&mut answers).await {
            crash::point("communication.send.after_call");
            let mut endings = Vec::with_capacity(wave.len());
            for (ready, answer) in wave {
                match self.ending(ready, answer) {
                    Ok(ending) => endings.push((ready.message, ending)),
                    Err(failure) => drop(failed.insert(ready.message.sending(), failure)),
                }
            }
            self.record(cx, endings, failed).await;
        }
    }

    /// Composes messages, records those that are not sent on purpose, and keeps what the others say.
    async fn prepare_all<'a>(
        &self,
        cx: &Context,
        messages: &'a [Message],
        failed: &mut Failed,
    ) -> Result<Vec<Ready<'a>>> {
        let customers = messages.iter().map(|message| &message.customer_id);
        let opted_out = store::opted_out(&self.platform.db, cx, customers).await?;
        let prepared = join_all(messages.iter().map(|message| self.prepare(cx, message, &opted_out))).await;
        let (mut ready, mut suppressed) = (Vec::with_capacity(messages.len()), Vec::new());
        for (message, prepared) in messages.iter().zip(prepared) {
            match prepared {
                Ok(Prepared::Ready(one)) => ready.push(*one),
                Ok(Prepared::Suppressed(message, why)) => suppressed.push((message, Ending::suppressed(why))),
                Err(failure) => drop(failed.insert(message.sending(), failure)),
            }
        }
        let letters: Vec<(&MessageId, &Letter, &str)> =
            ready.iter().map(|ready| (&ready.message.id, &ready.letter, ready.hash.as_str())).collect();
        let kept = store::keep_letters(&self.platform, cx, &letters).await?;
        self.record(cx, suppressed, failed).await;
        let (ready, lost): (Vec<_>, Vec<_>) = ready.into_iter().partition(|ready| kept.contains(&ready.message.id));
        for Ready { message, .. } in lost {
            let taken_over = Error::Conflict(format!("{} was taken over by another process", message.id));
            failed.insert(message.sending(), taken_over.into());
        }
        Ok(ready)
    }

    async fn prepare<'a>(
        &self,
        cx: &Context,
        message: &'a Message,
        opted_out: &BTreeSet<(CustomerId, &'static str)>,
    ) -> Result<Prepared<'a>, Failure> {
        let customer = self.customers.customer(cx, &message.customer_id).await?;
        if !message.notice.is_owed() && opted_out.contains(&(message.customer_id.clone(), message.template.as_str())) {
            return Ok(Prepared::Suppressed(message, OPTED_OUT));
        }
        let Some(address) = address_of(&customer) else { return Ok(Prepared::Suppressed(message, NO_ADDRESS)) };
        let letter = match &message.letter {
            Some(letter) => letter.clone(),
            None => self.compose(cx, message, &customer).await?,
        };
        // A template that asks for what is not there will do so again.
        let rendered = self.templates.render(&letter).map_err(Failure::park)?;
        let hash = rendered.hash();
        let mail = Mail {
            key: format!("{}-r{}", message.id, message.send_number - 1),
            to: address.to_owned(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            at: cx.now,
        };
        Ok(Prepared::Ready(Box::new(Ready { message, letter, hash, mail })))
    }

    /// What the mailer's answer means.
    fn ending(&self, ready: &Ready<'_>, answer: Result<Option<String>, MailError>) -> Result<Ending, Failure> {
        let Ready { message, hash, mail, .. } = ready;
        let (state, reason, provider_message_id) = match answer {
            Ok(provider_message_id) => (MessageState::Sent, None, provider_message_id),
            Err(MailError::Refused(reason)) => {
                (MessageState::Failed, Some(reason.chars().take(REASON_CHARS_MAX).collect()), None)
            }
            Err(away @ MailError::Away(_)) => return Err(Failure::retry(away)),
        };
        let domain = domain_of(&mail.to);
        tracing::info!(
            message.id = %message.id,
            message.template = message.template.as_str(),
            message.content_hash = hash,
            message.recipient_domain = domain,
            message.state = state.as_str(),
            "message handed to the mailer"
        );
        let provider = Some(self.mailer.name());
        Ok(Ending { state, reason, recipient_domain: Some(domain.to_owned()), provider, provider_message_id })
    }

    /// Records endings together, or, where that fails, each alone.
    async fn record(&self, cx: &Context, endings: Vec<(&Message, Ending)>, failed: &mut Failed) {
        let Err(error) = self.record_together(cx, &endings).await else { return };
        if let [(message, _)] = endings.as_slice() {
            failed.insert(message.sending(), error.into());
            return;
        }
        tracing::warn!(messages = endings.len(), %error, "the ends of messages were not recorded together, each is alone");
        for ending in endings {
            let message = ending.0;
            if let Err(error) = self.record_together(cx, &[ending]).await {
                failed.insert(message.sending(), error.into());
            }
        }
    }

    /// Writes how sendings ended, with their events. Where a lease was taken over meanwhile nothing is written: whoever has
    /// it now records what it gets for the same key.
    async fn record_together(&self, cx: &Context, endings: &[(&Message, Ending)]) -> Result<()> {
        if endings.is_empty() {
            return Ok(());
        }
        let mut cx = cx.clone();
        cx.now = self.platform.clock.now().await?;
        let tx = self.platform.db.begin().await?;
        let mut ended = store::end(&tx, &self.platform, &cx, endings).await?;
        let (mut sent, mut failed, mut suppressed) = (Vec::new(), Vec::new(), Vec::new());
        for (message, ending) in endings {
            let Some(ended) = ended.remove(&message.id) else {
                tracing::info!(message.id = %message.id, "answer of the mailer dropped: another process has taken the message over");
                continue;
            };
            let facts = facts(message, ending, ended);
            match ending.state {
                MessageState::Sent => sent.push(MessageSent(facts)),
                MessageState::Failed => failed.push(MessageFailed(facts)),
                MessageState::Suppressed | MessageState::Pending => suppressed.push(MessageSuppressed(facts)),
            }
            metrics::counter!("bss_messages_total", "template" => message.template.as_str(), "state" => ending.state.as_str())
                .increment(1);
        }
        outbox::stage_all(&tx, &cx, &sent).await?;
        outbox::stage_all(&tx, &cx, &failed).await?;
        outbox::stage_all(&tx, &cx, &suppressed).await?;
        crash::point("communication.send.before_commit");
        tx.commit().await?;
        crash::point("communication.send.after_commit");
        Ok(())
    }
}

fn facts(message: &Message, ending: &Ending, ended: Ended) -> MessageEnded {
    MessageEnded {
        message_id: message.id.clone(),
        customer_id: message.customer_id.clone(),
        template: message.template,
        send_number: message.send_number,
        reason: ending.reason.clone(),
        content_hash: ended.content_hash,
        recipient_domain: ending.recipient_domain.clone(),
        version: ended.version,
    }
}
