//! The rules of messages.

use crate::domains::crm::port::{MessageId, MessageState, Template};
use crate::platform::error::{Rule, Violation};

/// The message has not come to its end yet.
pub const RESEND_STILL_PENDING: Rule = Rule::new("communication.resend.still_pending");
/// The customer cannot do without this message.
pub const PREFERENCE_MANDATORY: Rule = Rule::new("communication.preference.mandatory");

/// A message is sent again once it has ended, however that was.
pub(super) fn can_resend(id: &MessageId, state: MessageState) -> Result<(), Violation> {
    match state {
        MessageState::Sent | MessageState::Suppressed | MessageState::Failed => Ok(()),
        MessageState::Pending => Err(RESEND_STILL_PENDING
            .violated("The message is still on its way; it is tried again by itself")
            .with("messageId", id)),
    }
}

/// Only what the law does not ask for can be opted out of.
pub(super) fn can_choose(template: Template, wanted: bool) -> Result<(), Violation> {
    if wanted || template.is_optional() {
        return Ok(());
    }
    let optional: Vec<Template> = Template::ALL.into_iter().filter(|template| template.is_optional()).collect();
    Err(PREFERENCE_MANDATORY
        .violated("This message is owed to the customer and cannot be opted out of")
        .with("template", template)
        .with("optional", optional))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_low_balance_and_reminders_can_be_opted_out_of() {
        let optional: Vec<&str> =
            Template::ALL.into_iter().filter(|t| can_choose(*t, false).is_ok()).map(Template::as_str).collect();
        assert_eq!(optional, ["low_balance", "renewal_reminder"]);
        assert!(Template::ALL.into_iter().all(|template| can_choose(template, true).is_ok()));
    }

    #[test]
    fn what_is_under_way_is_not_sent_again() {
        let id = MessageId::from("MSG-1".to_owned());
        let refused: Vec<MessageState> =
            MessageState::ALL.into_iter().filter(|state| can_resend(&id, *state).is_err()).collect();
        assert_eq!(refused, [MessageState::Pending]);
    }
}
