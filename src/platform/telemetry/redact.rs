//! What never reaches a log, nor the payload of an event: secrets by the name of their field, card numbers and ICCIDs by
//! their look.

use serde_json::Value;

const HIDDEN: &str = "***REDACTED***";

/// Parts of field names whose values are never written, compared without case, dots, dashes and underscores.
const SECRET_NAMES: &[&str] = &[
    "documentnumber",
    "cvv",
    "cvc",
    "cardnumber",
    "cardpan",
    "password",
    "secret",
    "token",
    "authorization",
    "activationcode",
    "apikey",
];

/// Names that are secret only as a whole.
const SECRET_WORDS: &[&str] = &["ki", "pan", "iccid", "otp"];

/// The value of a field as it may be written.
pub(in crate::platform) fn field(name: &str, value: Value) -> Value {
    if is_secret(name) {
        return Value::from(HIDDEN);
    }
    match value {
        Value::String(text) if name == EVENT_ID && is_uuid(&text) => Value::String(text),
        Value::String(text) => Value::String(digits(&text)),
        other => other,
    }
}

/// The field with the id of an event, which is no card's number, whatever digits it has.
const EVENT_ID: &str = "bss.event_id";

/// In the form with hyphens: digits alone may be anything.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// Members of a payload that hold what people wrote.
const FREE_TEXT: &[&str] = &[
    "reason",
    "reasons",
    "stateReason",
    "declineReason",
    "note",
    "notes",
    "summary",
    "message",
    "detail",
    "lastError",
    "description",
    "text",
];

/// Members of a payload that hold what we only store and echo, under whatever names.
const STORED: &[&str] = &["attributes", "before", "after"];

/// Takes out of the payload of an event what people typed where it does not belong. Everything else is ids, words and
/// numbers of our own, which consumers read: an id that happens to be a long number stays what it is.
pub(in crate::platform) fn payload(payload: &mut Value) {
    match payload {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                if FREE_TEXT.contains(&name.as_str()) {
                    texts("", value);
                } else if STORED.contains(&name.as_str()) {
                    texts(name, value);
                } else {
                    self::payload(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(self::payload),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// [`payload`] of a serialised one. Most have nothing that could be meant, and are not even read.
pub(in crate::platform) fn serialised(text: String) -> String {
    if !holds_run(&text) {
        return text;
    }
    let Ok(mut value) = serde_json::from_str(&text) else { return text };
    payload(&mut value);
    value.to_string()
}

/// [`field`] of everything inside.
fn texts(name: &str, value: &mut Value) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| texts(name, value)),
        Value::Array(items) => items.iter_mut().for_each(|item| texts(name, item)),
        Value::String(text) if is_secret(name) || holds_run(text) => *value = field(name, value.take()),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Whether there are so many digits, with no more than a space or dash between them, that [`digits`] may change the text.
fn holds_run(text: &str) -> bool {
    let mut run = 0;
    text.bytes().any(|byte| {
        match byte {
            b'0'..=b'9' => run += 1,
            b' ' | b'-' => {}
            _ => run = 0,
        }
        run >= RUN_MIN
    })
}

fn is_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let safe = last.ends_with("_id") || last.ends_with("_ref") || last.ends_with("last4");
    !safe
        && (SECRET_NAMES.iter().any(|secret| plain.contains(secret))
            || SECRET_WORDS.contains(&last.to_ascii_lowercase().as_str()))
}

/// Shortest run of digits that may be a card number (ISO/IEC 7812); an ICCID (ITU-T E.118) is longer.
const RUN_MIN: usize = 13;

/// Keeps the last four digits of every long run of digits, also of a card number written in groups.
pub(in crate::platform) fn digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        // A space or dash may stand between two groups of digits; whether one follows shows with the next character.
        let separates = matches!(c, ' ' | '-') && run.ends_with(|last: char| last.is_ascii_digit());
        if c.is_ascii_digit() || separates {
            run.push(c);
            continue;
        }
        let digits_end = run.trim_end_matches([' ', '-']).len();
        let separator = run.split_off(digits_end);
        out.push_str(&masked(&run));
        out.push_str(&separator);
        run.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

fn masked(run: &str) -> String {
    let count = run.chars().filter(char::is_ascii_digit).count();
    // Identifiers of ours hold digits between letters; dates have fewer digits in a row.
    if !(RUN_MIN..=22).contains(&count) || run.split([' ', '-']).any(|group| group.len() == 2) {
        return run.to_owned();
    }
    let last4: String = run.chars().filter(char::is_ascii_digit).skip(count - 4).collect();
    format!("…{last4}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_by_name() {
        for name in
            ["token", "api_token", "card_pan", "cardNumber", "document_number", "ki", "payment.cvv", "X-BSS-API-Token"]
        {
            assert_eq!(field(name, json!("s3cr3t")), json!(HIDDEN), "{name}");
        }
        for name in ["ki_ref", "token_id", "iccid.last4", "shipping", "reason", "kind"] {
            assert_eq!(field(name, json!("shown")), json!("shown"), "{name}");
        }
    }

    #[test]
    fn a_payload_keeps_its_ids_and_loses_what_people_typed_into_texts() {
        let mut event = json!({
            "msisdn": "4915112345678", "key": "12345678-1234-4123-8123-123456789012", "amount": "12.00",
            "reason": "paid with 4242 4242 4242 4242", "items": [{ "note": "iccid 8910101000000000123" }],
            "after": { "cardNumber": "none", "characteristic": [{ "name": "x", "value": "4242424242424242" }] }
        });
        let serialised = super::serialised(event.to_string());
        payload(&mut event);
        let expected = json!({
            "msisdn": "4915112345678", "key": "12345678-1234-4123-8123-123456789012", "amount": "12.00",
            "reason": "paid with …4242", "items": [{ "note": "iccid …0123" }],
            "after": { "cardNumber": HIDDEN, "characteristic": [{ "name": "x", "value": "…4242" }] }
        });
        assert_eq!(event, expected);
        assert_eq!(serialised, expected.to_string());
        assert_eq!(super::serialised("{\"note\": \"short\"}".to_owned()), "{\"note\": \"short\"}");
    }

    #[test]
    fn long_digit_runs_are_cut_to_four() {
        let text = |t: &str| field("message", json!(t)).as_str().unwrap().to_owned();
        assert_eq!(text("charged 4242424242424242 now"), "charged …4242 now");
        assert_eq!(text("card 4000 0000 0000 0002"), "card …0002");
        assert_eq!(text("iccid 8910101000000000123."), "iccid …0123.");
        assert_eq!(
            text("at 2026-05-10T09:00:00.000Z order ORD-0042 of 90000123"),
            "at 2026-05-10T09:00:00.000Z order ORD-0042 of 90000123"
        );
    }
}
