//! The next step after an error: what the reader can type now.

use serde_json::{Map, Value};

use super::error::{CliError, Refusal};
use crate::render::text;

/// Rule id and what helps. `{name}` is taken from the context of the violation, else it stays as `<name>`.
const NEXT_STEPS: &[(&str, &str)] = &[
    ("catalog.price.no_active_row", "see what is on sale: bss catalog list"),
    ("catalog.promotion.code_in_use", "see the codes in use: bss promo list"),
    ("catalog.promotion.not_targeted", "see the promotion: bss promo show {promotionId}"),
    ("customer.attest_kyc.signature_invalid", "give the token of the provider: --attestation-token"),
    (
        "customer.close.no_active_subscriptions",
        "terminate the lines first: bss subscription list --customer {customerId}",
    ),
    ("customer.create.email_unique", "see who has this address: bss customer find <e-mail>"),
    ("msisdn.reserve.no_available", "add numbers: bss inventory msisdn add-range <prefix> <count>"),
    ("esim.reserve.no_available", "add profiles: bss op inventory.esim.add_batch --arg count=100"),
    ("order.cancel.forbidden_after_som_started", "end the line once it is active: bss subscription terminate"),
    ("order.create.customer_not_found", "find the customer: bss customer list"),
    ("order.create.no_payment_method", "add a card: bss payment add-card --customer {customerId}"),
    ("order.create.offering_not_found", "see what is on sale: bss catalog list"),
    ("order.create.requires_verified_customer", "attest the identity: bss customer kyc {customerId}"),
    ("order.retry.nothing_to_retry", "see what it waits for: bss order triage {orderId}"),
    ("order.wait.other_terminal_state", "see what happened: bss order show {orderId}"),
    ("policy.offering.not_sellable_now", "see what is on sale: bss catalog list"),
    (
        "payment.charge.method_active",
        "see the cards that can be charged: bss payment list-methods --customer {customerId}",
    ),
    ("payment.charge.no_method", "add a card: bss payment add-card --customer {customerId}"),
    ("payment.charge.token_provider_matches_active", "the customer must add the card again: bss payment add-card"),
    (
        "payment_method.add.at_most_n_methods",
        "remove one first: bss payment list-methods --customer {customerId}; bss payment remove-method",
    ),
    ("payment_method.add.card_number_invalid", "the test cards are listed by: bss payment add-card --help"),
    ("payment_method.add.card_refused", "try another card; those for tests are listed by: bss payment add-card --help"),
    ("payment_method.add.customer_exists", "find the customer: bss customer list"),
    (
        "payment_method.remove.not_last_if_active_subscription",
        "add another card first: bss payment add-card --customer {customerId}",
    ),
    ("payment_method.set_default.expired", "add a new one: bss payment add-card"),
    ("payment_method.set_default.removed", "add it again: bss payment add-card"),
    ("provisioning_task.abandon.requires_failed_or_stuck_state", "see its state: bss prov show {taskId}"),
    ("provisioning_task.resolve.requires_stuck_state", "see its state: bss prov show {taskId}"),
    ("provisioning_task.retry.requires_failed_state", "see its state: bss prov show {taskId}"),
    ("rating.no_roaming_allowance", "buy roaming data: bss subscription vas {subscriptionId} VAS_ROAMING_1GB"),
    ("service_order.create.needs_product_order", "order it: bss order create, or bss order cease"),
    ("subscription.plan_change.already_pending", "cancel it first: bss subscription keep-plan {subscriptionId}"),
    ("subscription.plan_change.target_not_sellable_now", "see what is on sale: bss catalog list"),
    ("subscription.renew.no_payment_method", "add a card: bss payment add-card --customer {customerId}"),
    ("subscription.terminate.invalid_state", "see the line: bss subscription show {subscriptionId}"),
    ("subscription.unblock.fraud_requires_note", "say why: --note <what was found out>"),
    (
        "subscription.unblock.nothing_to_lift",
        "see what blocks it: bss subscription show {subscriptionId}; data needs a top-up, payment a renewal",
    ),
    (
        "subscription.usage_rated.roaming_balance_required",
        "buy roaming data: bss subscription vas {subscriptionId} VAS_ROAMING_1GB",
    ),
    ("subscription.vas_purchase.requires_active_cof", "add a card: bss payment add-card --customer {customerId}"),
    ("subscription.vas_purchase.vas_offering_sellable", "see the top-ups: bss catalog vas"),
    ("usage.record.subscription_must_be_active", "see why it is not active: bss subscription show {subscriptionId}"),
    ("usage.record.subscription_must_exist", "see who has the number: bss inventory msisdn show {msisdn}"),
];

/// What the reader can do about `error`, if we know.
pub(super) fn next_step(error: &CliError) -> Option<String> {
    match error {
        CliError::Refused(refusal) => after_refusal(refusal),
        CliError::Unreachable { .. } => Some("start the server: bss serve (or name another address with --url)".into()),
        CliError::UnknownOperation(_) => Some("see the operations: bss op --list".into()),
        CliError::NotAnswered { key: Some(key), .. } => Some(repetition(key)),
        CliError::NotAnswered { key: None, .. } => Some("look whether it was done before you try again".into()),
        CliError::Unexpected(_) => Some("check that --url is the API address of a bss server".into()),
        CliError::Usage(_)
        | CliError::NotSent { .. }
        | CliError::Declined
        | CliError::Failed(_)
        | CliError::Terminal(_) => None,
    }
}

fn after_refusal(refusal: &Refusal) -> Option<String> {
    if let Some((_, template)) = NEXT_STEPS.iter().find(|(rule, _)| *rule == refusal.reason) {
        return Some(filled(template, &refusal.context));
    }
    match (refusal.status, refusal.retry_after_seconds) {
        (401, _) => Some(
            "set BSS_API_TOKEN, or run as the user of the server: its tokens are in <data dir>/tokens.env (--data-dir)"
                .into(),
        ),
        (403, _) if refusal.code == "ADMIN_CLOCK_DISABLED" || refusal.code == "ADMIN_RESET_DISABLED" => {
            Some("this server does not allow it: BSS_ALLOW_ADMIN_RESET=true, and never in production".into())
        }
        (403, _) => Some("use a token that is allowed to do this: BSS_API_TOKEN or --token-from".into()),
        (429 | 503, Some(seconds)) => {
            let again = format!("try again in {seconds} s");
            Some(refusal.key.as_deref().map_or(again.clone(), |key| format!("{again}; {}", repetition(key))))
        }
        (500, _) => Some("search the server's log for the request id".into()),
        _ => None,
    }
}

/// How to ask again for what may have been done.
fn repetition(key: &str) -> String {
    format!("repeat the command with --idempotency-key {key}: what was done is not done again")
}

fn filled(template: &str, context: &Map<String, Value>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, name, after)) = placeholder(rest) {
        text.push_str(before);
        match context.get(name).or_else(|| context.get(&snake_case(name))) {
            Some(value) => text.push_str(&text::scalar(value)),
            None => text.extend(["<", name, ">"]),
        }
        rest = after;
    }
    text + rest
}

fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from_name) = text.split_once('{')?;
    let (name, after) = from_name.split_once('}')?;
    Some((before, name, after))
}

fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
        snake
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn placeholders_come_from_the_context_in_either_spelling() {
        let template = "bss order show {orderId}";
        assert_eq!(filled(template, &context(&json!({"orderId": "ORD-0001"}))), "bss order show ORD-0001");
        assert_eq!(filled(template, &context(&json!({"order_id": "ORD-0001"}))), "bss order show ORD-0001");
        assert_eq!(filled(template, &context(&json!({}))), "bss order show <orderId>");
    }

    #[test]
    fn who_is_not_known_is_told_where_the_token_is() {
        let refusal = Refusal { status: 401, code: "AUTH_MISSING_TOKEN".into(), ..Refusal::default() };
        assert!(after_refusal(&refusal).is_some_and(|hint| hint.contains("tokens.env")));
    }

    #[test]
    fn a_busy_server_says_when() {
        let refusal = Refusal { status: 503, retry_after_seconds: Some(2), ..Refusal::default() };
        assert_eq!(after_refusal(&refusal).as_deref(), Some("try again in 2 s"));
    }
}
