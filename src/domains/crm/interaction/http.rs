//! TMF683 Party Interaction Management: `partyInteraction`, the timeline of customers, read and added to. A line of it is
//! history: it is neither changed nor deleted.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::store::{self, Line};
use super::{BODY_CHARS_MAX, NewLine};
use crate::domains::crm::Service;
use crate::domains::crm::input::line;
use crate::domains::crm::port::{CustomerId, Direction, InteractionId};
use crate::platform::context::Channel;
use crate::platform::error::{Error, Result};
use crate::platform::http::extract::Submission;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::ids::MalformedId;
use crate::platform::tmf::{merge, official, time};

const COLLECTION: &str = "/tmf-api/partyInteraction/v4/partyInteraction";

/// A line never changes: its version is always the first.
const VERSION: i64 = 1;

/// The routes of TMF683 that we serve.
pub(in crate::domains::crm) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list).post(create))
        .route("/tmf-api/partyInteraction/v4/partyInteraction/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, lines) = store::listed(&service.platform.db, &cx, &query).await?;
    resource::listed(COLLECTION, &pairs, &query, total, lines.iter().map(body).collect())
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<InteractionId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let found = store::find(&service.platform.db, &cx, id.as_str()).await?;
    let found = found.ok_or_else(|| Error::not_found("interaction", &id))?;
    resource::item(&pairs, body(&found), Some(VERSION))
}

async fn create(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let Submission { cx, body: sent } = Submission::of("POST partyInteraction", request).await?;
    let line = service.add_line(&cx, read(sent)?).await?;
    resource::created(body(&line), Some(VERSION))
}

/// What a POST says: customer, direction, reason, on which surface; the official rest is kept and echoed.
fn read(sent: Value) -> Result<NewLine> {
    let mut sent = official::created(sent, "TMF683.PartyInteraction_Create")?;
    merge::refuse(&sent, &["creationDate", "statusChangeDate"])?;
    sent.shift_remove("@type");
    if sent.shift_remove("status").is_some_and(|status| status != "completed") {
        return Err(Error::invalid("/status", "must be completed: what is recorded has happened"));
    }
    let direction = sent.shift_remove("direction");
    let direction = direction.as_ref().and_then(Value::as_str).and_then(Direction::parse);
    let direction = direction.ok_or_else(|| Error::invalid("/direction", "must be inbound, outbound or internal"))?;
    let reason = sent.shift_remove("reason");
    let summary = line(reason.as_ref().and_then(Value::as_str).unwrap_or_default(), "/reason")?;
    let text = sent.shift_remove("description").and_then(|text| text.as_str().map(str::to_owned));
    if text.as_ref().is_some_and(|text| text.chars().count() > BODY_CHARS_MAX) {
        return Err(Error::invalid("/description", format!("must be at most {BODY_CHARS_MAX} characters")));
    }
    Ok(NewLine {
        channel: channel(&mut sent)?,
        customer_id: customer(&mut sent)?,
        direction,
        summary,
        body: text,
        attributes: sent,
    })
}

/// The one surface on which it happened.
fn channel(sent: &mut Map<String, Value>) -> Result<Channel> {
    let given = sent.shift_remove("channel").unwrap_or_default();
    let id = match given.as_array().map(Vec::as_slice) {
        Some([one]) => one["id"].as_str().and_then(Channel::parse),
        _ => return Err(Error::invalid("/channel", "must have exactly one element")),
    };
    id.ok_or_else(|| {
        let known = Channel::ALL.map(Channel::as_str).join(", ");
        Error::invalid("/channel/0/id", format!("must be one of {known}"))
    })
}

/// Takes the one customer out of the related parties; the others stay.
fn customer(sent: &mut Map<String, Value>) -> Result<CustomerId> {
    let parties = sent.shift_remove("relatedParty").unwrap_or_default();
    let parties = parties.as_array().cloned().unwrap_or_default();
    let is_customer = |party: &Value| party["@referredType"] == "Customer";
    let (customers, others): (Vec<Value>, Vec<Value>) = parties.into_iter().partition(is_customer);
    let [customer] = customers.as_slice() else {
        return Err(Error::invalid("/relatedParty", "must have exactly one party with @referredType Customer"));
    };
    if !others.is_empty() {
        sent.insert("relatedParty".to_owned(), Value::Array(others));
    }
    let id = customer["id"].as_str().unwrap_or_default();
    id.parse().map_err(|e: MalformedId| Error::invalid("/relatedParty", e.to_string()))
}

fn body(line: &Line) -> Value {
    let view = &line.view;
    let at = time::format(view.occurred_at);
    let mut kept = line.attributes.clone();
    let mut body = json!({
        "id": view.id,
        "href": format!("{COLLECTION}/{}", view.id),
        "creationDate": at,
        "interactionDate": kept.shift_remove("interactionDate").unwrap_or_else(|| json!({ "startDateTime": at })),
        "direction": view.direction.as_str(),
        "reason": view.summary,
        "status": "completed",
        "statusChangeDate": at,
    });
    if let Some(text) = &view.body {
        body["description"] = json!(text);
    }
    body["channel"] = json!([{
        "id": view.channel,
        // Officially required. A surface is no resource: its name is all there is.
        "href": format!("urn:bss:channel:{}", view.channel),
        "role": "interaction channel",
        "@type": "RelatedChannel",
        "@referredType": "Channel",
    }]);
    let mut notes = vec![json!({ "author": view.actor, "date": at, "text": view.summary, "@type": "Note" })];
    if let Some(Value::Array(theirs)) = kept.shift_remove("note") {
        notes.extend(theirs);
    }
    body["note"] = Value::Array(notes);
    let mut parties = vec![json!({
        "id": view.customer_id,
        "href": format!("/tmf-api/customerManagement/v4/customer/{}", view.customer_id),
        "role": "customer",
        "@type": "RelatedParty",
        "@referredType": "Customer",
    })];
    if let Some(Value::Array(theirs)) = kept.shift_remove("relatedParty") {
        parties.extend(theirs);
    }
    body["relatedParty"] = Value::Array(parties);
    merge::echo(&mut body, &kept);
    body["@type"] = json!("PartyInteraction");
    body
}
