//! `bss seed --demo`: the story `site_demo_seed` on a running server, as it is and by its own clock, once.
//!
//! Everything is done through operations: what the demo shows, the product has done.

use std::path::Path;

use serde_json::{Value, json};

use super::console::Console;
use super::error::CliError;
use super::operations as op;
use super::session::{Outcome, Session};
use super::target::Target;
use super::{Global, scenario};
use crate::render;
use crate::scenario::format::{Capability, Scenario, Setup, Step, StepKind};
use crate::scenario::load;
use crate::scenario::report::{ScenarioReport, Status, StepStatus};

/// The story, part of the binary.
const STORY: &str = include_str!("../../scenarios/site_demo_seed.yaml");

/// Where it is in the sources, for messages.
const FILE: &str = "scenarios/site_demo_seed.yaml";

pub(super) async fn run(global: &Global, production: bool, console: &mut Console) -> Outcome {
    let target = &Target::resolve(global)?;
    let session = &mut Session::new(global, target, console)?;
    let workers = session.call(op::WORKER_LIST, json!({})).await?;
    // The server says what it is; what this side knows counts as well.
    if production || target.production().is_some() || workers["environment"] == "production" {
        return Err(CliError::Usage("a demo is no business of a server in production: nothing was done".into()));
    }
    let story = story()?;
    let people = people(&story);
    match presence(&people, session).await? {
        Presence::Whole => session.note("the demo is there already, nothing was changed"),
        Presence::Nothing => {
            // The first of the story types the code of one of them.
            create_promotions(session).await?;
            play(&story, session).await?;
            assign_vip(&people, session).await?;
        }
        Presence::Partly => {
            return Err(CliError::Failed(
                "a demo that was broken off is there: empty the server (bss admin reset, where BSS_ALLOW_ADMIN_RESET=true), or \
                 use another data directory"
                    .into(),
            ));
        }
    }
    let cast = cast(&people, session).await?;
    session.show(&cast, render::demo::cast).await?;
    if session.draws() {
        let next = render::demo::next(&cast);
        session.console.say(&next);
    }
    Ok(())
}

/// The story without what it needs to stand for itself in a run of many: an empty server and a clock that stands still.
fn story() -> Result<Scenario, CliError> {
    let mut story = load::parse(Path::new(FILE), STORY).map_err(|invalid| CliError::Unexpected(invalid.to_string()))?;
    story.setup = Setup::default();
    story.teardown.unfreeze_clock = false;
    story.requires.retain(|capability| !matches!(capability, Capability::Clock | Capability::Reset));
    Ok(story)
}

/// The e-mail addresses of those who come, in order.
fn people(story: &Scenario) -> Vec<String> {
    let address = |step: &Step| match &step.kind {
        StepKind::Action(action) if action.verb == op::CUSTOMER_CREATE.name() => {
            action.args.get("email").and_then(Value::as_str).map(str::to_owned)
        }
        _ => None,
    };
    story.steps.iter().filter_map(address).collect()
}

const WELCOME: &str = "PROMO_DEMO_WELCOME";
const VIP: &str = "PROMO_DEMO_VIP";

enum Presence {
    Nothing,
    Partly,
    Whole,
}

/// Who comes first is there, and who comes last?
async fn presence(people: &[String], session: &Session<'_>) -> Result<Presence, CliError> {
    let (Some(first), Some(last)) = (people.first(), people.last()) else { return Ok(Presence::Whole) };
    Ok(match (find(first, session).await?, find(last, session).await?) {
        (None, None) => Presence::Nothing,
        (Some(_), Some(_)) => Presence::Whole,
        (Some(_), None) | (None, Some(_)) => Presence::Partly,
    })
}

async fn find(email: &str, session: &Session<'_>) -> Result<Option<Value>, CliError> {
    match session.call(op::CUSTOMER_FIND_BY_EMAIL, json!({"email": email})).await {
        Ok(customer) => Ok(Some(customer)),
        Err(CliError::Refused(refusal)) if refusal.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// A code for everybody who signs up, and an offer for chosen customers. What a former demo left is taken as it is.
async fn create_promotions(session: &mut Session<'_>) -> Outcome {
    let listed = session.call(op::PROMO_LIST, json!({"limit": 200})).await?;
    let welcome = json!({
        "promotionId": WELCOME, "displayName": "Demo Welcome 10%", "code": "DEMO_WELCOME10", "promoCodeKind": "multi_use",
        "discountType": "percent", "discountValue": "10", "durationKind": "multi", "periodsTotal": 3,
    });
    let vip = json!({
        "promotionId": VIP, "displayName": "Demo VIP 20%", "audience": "targeted", "discountType": "percent",
        "discountValue": "20", "durationKind": "single",
    });
    for promotion in [welcome, vip] {
        if !render::text::rows(&listed).iter().any(|known| known["id"] == promotion["promotionId"]) {
            session.call(op::PROMO_CREATE, promotion).await?;
        }
    }
    Ok(())
}

/// The first two who came may have the offer with their next line.
async fn assign_vip(people: &[String], session: &mut Session<'_>) -> Outcome {
    let mut chosen = Vec::new();
    for email in people.iter().take(2) {
        chosen.extend(find(email, session).await?.map(|customer| customer["id"].clone()));
    }
    session.call(op::PROMO_ASSIGN, json!({"promotionId": VIP, "customerIds": chosen})).await.map(drop)
}

async fn play(story: &Scenario, session: &mut Session<'_>) -> Outcome {
    session.note("customers come, order, use, lose and pay; this takes a few seconds");
    let report = scenario::play(story, session.target).await?;
    match report.status {
        Status::Passed => Ok(()),
        Status::Failed | Status::Skipped | Status::Invalid => {
            Err(CliError::Failed(format!("the demo failed: {}", why(&report))))
        }
    }
}

fn why(report: &ScenarioReport) -> String {
    let failed = report.steps.iter().find(|step| step.status == StepStatus::Failed);
    let step = failed.map(|step| format!("{}: {}", step.name, step.error.as_deref().unwrap_or_default()));
    step.or_else(|| report.reason.clone()).unwrap_or_else(|| report.teardown_errors.join("; "))
}

/// Who is there, with their lines and orders as they are now.
async fn cast(people: &[String], session: &Session<'_>) -> Result<Value, CliError> {
    let mut cast = Vec::new();
    for email in people {
        let Some(customer) = find(email, session).await? else { continue };
        let id = &customer["id"];
        let lines = session.call(op::SUBSCRIPTION_LIST_FOR_CUSTOMER, json!({"customerId": id})).await?;
        let orders = session.call(op::ORDER_LIST, json!({"customerId": id})).await?;
        // Who ended a line by an order has two: the one that made it is the last of the list.
        let (line, order) = (&lines[0], render::text::rows(&orders).last().cloned().unwrap_or_default());
        cast.push(json!({
            "id": id, "name": render::customer::name(&customer), "email": email,
            "orderId": order["id"], "orderState": order["state"], "orderReason": order["stateReason"],
            "subscriptionId": line["id"], "msisdn": line["msisdn"], "offeringId": line["offeringId"],
            "lineState": line["state"], "blockReasons": line["blockReasons"],
        }));
    }
    Ok(Value::Array(cast))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_sound_and_asks_nothing_of_the_server() {
        let story = story().unwrap();
        assert!(
            story.requires.is_empty() && story.setup.freeze_clock_at.is_none() && !story.setup.reset_operational_data
        );
        let people = people(&story);
        assert_eq!(people.first().map(String::as_str), Some("mei.lin.tan@example.test"));
        assert_eq!(people.last().map(String::as_str), Some("zoe.ng@example.test"));
        assert!(people.len() > 12, "{people:?}");
    }
}
