//! Sending a message once more: for the customer who did not get it, or has another address now.

use super::Service;
use super::events::MessageRequested;
use super::{policy, store};
use crate::domains::crm::port::{MessageId, MessageView};
use crate::platform::context::Context;
use crate::platform::error::{Error, Result};
use crate::platform::{idempotency, outbox};

impl Service {
    pub(super) async fn send_again(&self, cx: &Context, id: &MessageId) -> Result<MessageView> {
        if let Some(kept) = idempotency::replayed(&self.platform.db, cx).await? {
            return Ok(kept);
        }
        let tx = self.platform.db.begin().await?;
        let message = store::lock(&tx, cx, id).await?.ok_or_else(|| Error::not_found("message", id))?;
        policy::can_resend(id, message.state)?;
        let message = store::reopen(&tx, cx, id).await?;
        let requested = MessageRequested {
            message_id: message.id.clone(),
            customer_id: message.customer_id.clone(),
            template: message.template,
            send_number: message.send_number,
        };
        outbox::stage(&tx, cx, &requested).await?;
        let view = self.view(message, false);
        idempotency::keep(&tx, cx, view.id.as_str(), &view).await?;
        tx.commit().await?;
        Ok(view)
    }
}
