//! The templates, embedded in the binary: for each one a text, whose first line is the subject, and an HTML page.
//!
//! HTML is escaped by itself. What a template asks for and a letter does not have is an error, never an empty place.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use sha2::{Digest as _, Sha256};

use super::compose::Letter;
use crate::domains::catalog::port::UNLIMITED;
use crate::domains::crm::port::Template;
use crate::platform::error::{Error, Result};

macro_rules! sources {
    ($($template:ident = $name:literal,)*) => {
        /// Template, name and source of the text, name and source of the HTML.
        const SOURCES: &[(Template, &str, &str, &str, &str)] = &[$((
            Template::$template,
            concat!($name, ".txt"),
            include_str!(concat!("../../../../templates/email/", $name, ".txt")),
            concat!($name, ".html"),
            include_str!(concat!("../../../../templates/email/", $name, ".html")),
        ),)*];
    };
}

sources! {
    Welcome = "welcome",
    Activation = "activation",
    LowBalance = "low_balance",
    Blocked = "blocked",
    TopUpReceipt = "top_up_receipt",
    RenewalReceipt = "renewal_receipt",
    RenewalFailed = "renewal_failed",
    RenewalReminder = "renewal_reminder",
    PriceChange = "price_change",
    PlanChange = "plan_change",
    CardInvalidated = "card_invalidated",
    Termination = "termination",
}

/// What the templates share.
const LAYOUTS: &[(&str, &str)] = &[
    ("layout.txt", include_str!("../../../../templates/email/layout.txt")),
    ("layout.html", include_str!("../../../../templates/email/layout.html")),
];

const MEGABYTES_PER_GIGABYTE: i64 = 1024;

/// A mail's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

impl Rendered {
    /// SHA-256 of everything, in hexadecimal.
    pub(super) fn hash(&self) -> String {
        let mut hasher = Sha256::new();
        for part in [&self.subject, &self.text, &self.html] {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// All templates, compiled.
pub(super) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// Dates are written in `time_zone`.
    pub(super) fn new(time_zone: Tz) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("the usual delimiters differ"));
        environment.add_filter("date", move |instant: String| date(&instant, time_zone));
        environment.add_filter("quantity", |amount: i64, unit: String| quantity(amount, &unit));
        let sources =
            SOURCES.iter().flat_map(|(_, text_name, text, html_name, html)| [(text_name, text), (html_name, html)]);
        for (name, source) in LAYOUTS.iter().map(|(name, source)| (name, source)).chain(sources) {
            environment.add_template(name, source).expect("the embedded templates are tested");
        }
        Self { environment }
    }

    /// Renders a letter with the template of its notice.
    pub(super) fn render(&self, letter: &Letter) -> Result<Rendered> {
        let template = letter.notice.template();
        let source = SOURCES.iter().find(|(of, ..)| *of == template);
        let (_, text_name, _, html_name, _) =
            source.ok_or_else(|| Error::Internal(format!("{} has no template", template.as_str())))?;
        let context = minijinja::Value::from(Serde(letter));
        let render = |name: &str| {
            let rendered = self.environment.get_template(name).and_then(|template| template.render(context.clone()));
            rendered.map_err(|error| Error::Internal(format!("{name} cannot be rendered: {error}")))
        };
        let plain = render(text_name)?;
        let (subject, text) = plain.split_once('\n').unwrap_or((plain.as_str(), ""));
        Ok(Rendered {
            subject: subject.trim().to_owned(),
            text: format!("{}\n", text.trim()),
            html: render(html_name)?,
        })
    }
}

/// `5 Jun 2026`, as people in the operator's time zone say it.
fn date(instant: &str, time_zone: Tz) -> std::result::Result<String, minijinja::Error> {
    let instant: DateTime<Utc> = instant
        .parse()
        .map_err(|_| minijinja::Error::new(ErrorKind::InvalidOperation, format!("{instant:?} is no instant")))?;
    Ok(instant.with_timezone(&time_zone).format("%-d %b %Y").to_string())
}

/// `1.5 GB`, `300 MB`, `20 minutes`, `5 messages`, `unlimited`.
fn quantity(amount: i64, unit: &str) -> std::result::Result<String, minijinja::Error> {
    if amount == UNLIMITED {
        return Ok("unlimited".to_owned());
    }
    match unit {
        "mb" if amount >= MEGABYTES_PER_GIGABYTE => {
            // Tenths, rounded down: nobody is promised more than there is.
            let tenths = amount * 10 / MEGABYTES_PER_GIGABYTE;
            let (whole, tenth) = (tenths / 10, tenths % 10);
            Ok(if tenth == 0 { format!("{whole} GB") } else { format!("{whole}.{tenth} GB") })
        }
        "mb" => Ok(format!("{amount} MB")),
        "minutes" => Ok(format!("{amount} {}", if amount == 1 { "minute" } else { "minutes" })),
        "count" => Ok(format!("{amount} {}", if amount == 1 { "message" } else { "messages" })),
        other => Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("{other:?} is no unit"))),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::compose::LineFacts;
    use super::super::notice::{
        Blocked, Card, Charge, LowBalance, Notice, Paid, PlanChange, PriceChange, Reminder, RenewalFailed, Termination,
        TopUp,
    };
    use super::*;
    use crate::domains::catalog::port::{AllowanceType, Unit};
    use crate::domains::subscription::port::BlockReason;

    const ZONE: Tz = chrono_tz::Asia::Singapore;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn paid() -> Paid {
        Paid {
            amount: "25.00".into(),
            currency: "SGD".into(),
            period_start: at("2026-05-05T17:00:00Z"),
            period_end: at("2026-06-04T17:00:00Z"),
            plan: Some("PLAN_M".into()),
        }
    }

    /// A plan change is booked.
    fn charge(previous_amount: Option<&str>) -> Charge {
        Charge {
            offering: "PLAN_L".into(),
            changes_plan: true,
            amount: "40.50".into(),
            currency: "SGD".into(),
            full_amount: "45.00".into(),
            previous_amount: previous_amount.map(str::to_owned),
            costs_more: previous_amount.is_some(),
            ends_discount: previous_amount.is_some(),
        }
    }

    /// One of each template, with what it really gets.
    fn samples() -> Vec<Notice> {
        let (data, mb) = (AllowanceType::Data, Unit::Mb);
        vec![
            Notice::Welcome,
            Notice::Activation(paid()),
            Notice::LowBalance(LowBalance {
                allowance_type: data,
                unit: mb,
                percent: 80,
                remaining: 1_000,
                total: 5_120,
            }),
            Notice::Blocked(Blocked { reason: BlockReason::Exhausted }),
            Notice::TopUpReceipt(TopUp {
                offering: "VAS_DATA_1GB".into(),
                allowance_type: data,
                unit: mb,
                added: 1_024,
                amount: "3.00".into(),
                currency: "SGD".into(),
            }),
            Notice::RenewalReceipt(paid()),
            Notice::RenewalFailed(RenewalFailed {
                reason: "payment_declined".into(),
                owed: Some(charge(None)),
                paid_until: None,
                plan: Some("PLAN_M".into()),
            }),
            Notice::RenewalReminder(Reminder {
                renews_at: at("2026-06-04T17:00:00Z"),
                coming: Some(charge(Some("22.50"))),
                plan: Some("PLAN_M".into()),
            }),
            Notice::PriceChange(PriceChange {
                old_amount: "25.00".into(),
                new_amount: "27.00".into(),
                currency: "SGD".into(),
                effective_at: at("2026-07-04T17:00:00Z"),
                plan: Some("PLAN_M".into()),
            }),
            Notice::PlanChange(PlanChange {
                offering: "PLAN_S".into(),
                plan: Some("PLAN_M".into()),
                amount: Some("25.00".into()),
                currency: Some("SGD".into()),
                begins_at: Some(at("2026-06-04T17:00:00Z")),
                discount_ended: true,
            }),
            Notice::CardInvalidated(Card { card_brand: "visa".into(), card_last4: "4242".into() }),
            Notice::Termination(Termination { ended_at: Some(at("2026-06-04T17:00:00Z")) }),
        ]
    }

    fn letter(notice: Notice) -> Letter {
        Letter {
            brand: "BSS Mobile".into(),
            support_email: "support@example.test".into(),
            portal_url: "https://my.example.test".into(),
            tax_label: "GST inclusive".into(),
            name: "Ada".into(),
            line: (!matches!(notice, Notice::Welcome | Notice::CardInvalidated(_))).then(|| LineFacts {
                number: "90000042".into(),
                plan: "Standard".into(),
                amount: "25.00".into(),
                currency: "SGD".into(),
                renews_at: Some(at("2026-06-04T17:00:00Z")),
            }),
            product: match &notice {
                Notice::TopUpReceipt(_) => Some("Data 1 GB".into()),
                Notice::PlanChange(_) => Some("Starter".into()),
                Notice::RenewalReminder(_) | Notice::RenewalFailed(_) => Some("Pro".into()),
                _ => None,
            },
            notice,
        }
    }

    #[test]
    fn every_template_is_rendered_from_a_sample() {
        let templates = Templates::new(ZONE);
        let mut seen = Vec::new();
        let mut pages = String::new();
        for notice in samples() {
            seen.push(notice.template());
            let mail = templates.render(&letter(notice)).unwrap();
            assert!(!mail.subject.is_empty() && !mail.text.trim().is_empty(), "{mail:?}");
            assert_eq!(mail.hash().len(), 64);
            pages.push_str(&format!("Subject: {}\n\n{}\n----\n", mail.subject, mail.text));
        }
        assert_eq!(seen, Template::ALL, "a sample of each");
        assert_snapshot!("texts", pages);
    }

    #[test]
    fn the_html_is_one_narrow_column_without_anything_remote() {
        let templates = Templates::new(ZONE);
        for notice in samples() {
            let html = templates.render(&letter(notice)).unwrap().html;
            assert!(html.contains("max-width:480px") && html.contains("<!doctype html>"), "{html}");
            for remote in ["<img", "<link", "<script", "@import", "url(", "src="] {
                assert!(!html.contains(remote), "{remote} in {html}");
            }
        }
        let receipt = samples().remove(5);
        assert_snapshot!("renewal_receipt_html", templates.render(&letter(receipt)).unwrap().html);
    }

    #[test]
    fn what_customers_call_themselves_is_escaped_in_html_and_plain_in_text() {
        let templates = Templates::new(ZONE);
        let mut letter = letter(Notice::Welcome);
        letter.name = "<b>Ada & Co</b>".into();
        let mail = templates.render(&letter).unwrap();
        assert!(
            mail.html.contains("&lt;b&gt;Ada &amp; Co&lt;&#x2f;b&gt;") && !mail.html.contains("<b>Ada"),
            "{}",
            mail.html
        );
        assert!(mail.text.contains("<b>Ada & Co</b>"));
    }

    #[test]
    fn a_letter_that_lacks_something_is_an_error() {
        let templates = Templates::new(ZONE);
        let mut lacking = letter(Notice::Termination(Termination { ended_at: None }));
        lacking.line = None;
        assert!(templates.render(&lacking).is_err());
    }

    #[test]
    fn every_block_reason_and_unlimited_top_ups_have_their_words() {
        let templates = Templates::new(ZONE);
        let mut subjects = std::collections::BTreeSet::new();
        for reason in BlockReason::ALL {
            let mail = templates.render(&letter(Notice::Blocked(Blocked { reason }))).unwrap();
            subjects.insert(mail.text);
        }
        assert_eq!(subjects.len(), BlockReason::ALL.len());
        let mut day_pass = letter(samples().remove(4));
        if let Notice::TopUpReceipt(bought) = &mut day_pass.notice {
            bought.added = UNLIMITED;
        }
        assert!(templates.render(&day_pass).unwrap().text.contains("unlimited"));
        let failed = RenewalFailed { reason: "no_payment_method".into(), owed: None, paid_until: None, plan: None };
        let mut no_card = letter(Notice::RenewalFailed(failed));
        no_card.line.as_mut().unwrap().renews_at = None;
        assert!(templates.render(&no_card).unwrap().text.contains("no card"));
    }

    #[test]
    fn an_early_renewal_that_is_declined_asks_for_nothing() {
        let templates = Templates::new(ZONE);
        let failed = RenewalFailed {
            reason: "payment_declined".into(),
            owed: Some(charge(None)),
            paid_until: Some(at("2026-06-04T17:00:00Z")),
            plan: None,
        };
        let mail = templates.render(&letter(Notice::RenewalFailed(failed))).unwrap();
        assert_snapshot!(mail.subject, @"Your card was declined: line 90000042 goes on");
        for words in [mail.text, mail.html] {
            assert!(words.contains("5 Jun 2026") && words.contains("Standard"), "{words}");
            assert!(!words.contains("paused") && !words.contains("Pay now"), "{words}");
        }
    }

    #[test]
    fn a_message_from_before_its_charge_was_kept_tells_the_contract() {
        let templates = Templates::new(ZONE);
        let reminder = json!({"template": "renewal_reminder", "renews_at": "2026-06-04T17:00:00Z"});
        let failed = json!({"template": "renewal_failed", "reason": "payment_declined"});
        let (moved, ended) =
            (json!({"template": "plan_change", "offering": "PLAN_S"}), json!({"template": "termination"}));
        for notice in [moved, ended] {
            let letter = letter(serde_json::from_value(notice).unwrap());
            assert!(templates.render(&letter).unwrap().text.contains("Standard"));
        }
        for notice in [reminder, failed] {
            let mut letter = letter(serde_json::from_value(notice).unwrap());
            letter.product = None;
            let mail = templates.render(&letter).unwrap();
            for words in [mail.text, mail.html] {
                assert!(words.contains("SGD 25.00") && words.contains("Standard"), "{words}");
            }
        }
    }

    #[test]
    fn dates_and_quantities_are_written_for_people() {
        assert_eq!(date("2026-06-04T17:00:00Z", ZONE).unwrap(), "5 Jun 2026");
        assert!(date("tomorrow", ZONE).is_err());
        let all = [(1024, "mb"), (1536, "mb"), (2047, "mb"), (1023, "mb"), (1, "minutes"), (5, "count"), (-1, "mb")];
        let words: Vec<String> = all.iter().map(|(amount, unit)| quantity(*amount, unit).unwrap()).collect();
        assert_eq!(words, ["1 GB", "1.5 GB", "1.9 GB", "1023 MB", "1 minute", "5 messages", "unlimited"]);
        assert!(quantity(1, "fathoms").is_err());
    }

    #[test]
    fn the_same_letter_has_the_same_hash_and_another_one_has_another() {
        let templates = Templates::new(ZONE);
        let hash = |name: &str| {
            let mut letter = letter(Notice::Welcome);
            letter.name = name.into();
            templates.render(&letter).unwrap().hash()
        };
        assert_eq!(hash("Ada"), hash("Ada"));
        assert_ne!(hash("Ada"), hash("Bob"));
    }
}
