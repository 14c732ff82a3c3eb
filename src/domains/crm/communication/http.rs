//! TMF681 Communication Management: `communicationMessage`, read side. Messages come from what happens, not from callers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::Service;
use super::store::{self, Message};
use crate::domains::crm::port::{MessageId, MessageState, Template};
use crate::platform::error::Error;
use crate::platform::http::{ApiError, ApiPath, ApiQuery, ListRequest, Reader, resource};
use crate::platform::tmf::time;

const COLLECTION: &str = "/tmf-api/communicationManagement/v4/communicationMessage";

/// The routes of TMF681 that we serve.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route(COLLECTION, get(list))
        .route("/tmf-api/communicationManagement/v4/communicationMessage/{id}", get(retrieve))
        .with_state(service)
}

async fn list(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ListRequest { pairs, query }: ListRequest,
) -> Result<Response, ApiError> {
    let (total, messages) = store::page(&service.platform.db, &cx, &query).await?;
    let items = messages.into_iter().map(|message| service.resource_of(message)).collect();
    resource::listed(COLLECTION, &pairs, &query, total, items)
}

async fn retrieve(
    State(service): State<Arc<Service>>,
    Reader(cx): Reader,
    ApiPath(id): ApiPath<MessageId>,
    ApiQuery(pairs): ApiQuery,
) -> Result<Response, ApiError> {
    let message = store::find(&service.platform.db, &cx, &id).await?;
    let message = message.ok_or_else(|| Error::not_found("message", &id))?;
    let version = message.version;
    resource::item(&pairs, service.resource_of(message), Some(version))
}

impl Service {
    fn resource_of(&self, message: Message) -> Value {
        let rendered = message.letter.as_ref().and_then(|letter| self.templates.render(letter).ok());
        let mut resource = json!({
            "id": message.id,
            "href": format!("{COLLECTION}/{}", message.id),
            "messageType": "Email",
            "description": description(message.template),
        });
        if let Some(mail) = rendered {
            resource["subject"] = json!(mail.subject);
            resource["content"] = json!(mail.text);
        }
        resource["state"] = json!(official(message.state));
        resource["logFlag"] = json!(false);
        resource["tryTimes"] = json!(message.attempts);
        resource["sendTime"] = json!(time::format(message.requested_at));
        if let Some(completed_at) = message.completed_at {
            resource["sendTimeComplete"] = json!(time::format(completed_at));
        }
        resource["sender"] = json!({ "name": self.platform.config.profile.name, "@type": "Sender" });
        resource["receiver"] = json!([{
            "id": message.customer_id,
            "party": {
                "id": message.customer_id,
                "href": format!("/tmf-api/customerManagement/v4/customer/{}", message.customer_id),
                "role": "customer",
                "@type": "RelatedParty",
                "@referredType": "Customer",
            },
            "@type": "Receiver",
        }]);
        resource["characteristic"] = characteristics(&message);
        resource["@type"] = json!("CommunicationMessage");
        resource
    }
}

fn official(state: MessageState) -> &'static str {
    let named = store::STATES.iter().find(|(_, ours)| ours.contains(&state.as_str()));
    named.map_or("initial", |(official, _)| *official)
}

fn characteristics(message: &Message) -> Value {
    let all = [
        ("template", Some(json!(message.template))),
        ("sendNumber", Some(json!(message.send_number))),
        ("subscriptionId", message.subscription_id.as_ref().map(|id| json!(id))),
        ("stateReason", message.state_reason.as_ref().map(|reason| json!(reason))),
        ("recipientDomain", message.recipient_domain.as_ref().map(|domain| json!(domain))),
        ("contentHash", message.content_hash.as_ref().map(|hash| json!(hash))),
    ];
    let given = all.into_iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    given
        .map(|(name, value)| {
            let value_type = if value.is_number() { "integer" } else { "string" };
            json!({ "name": name, "valueType": value_type, "value": value, "@type": "Characteristic" })
        })
        .collect()
}

const fn description(template: Template) -> &'static str {
    match template {
        Template::Welcome => "Welcome of a new customer",
        Template::Activation => "A line is in service",
        Template::LowBalance => "Most of an allowance is used",
        Template::Blocked => "A line is out of service",
        Template::TopUpReceipt => "Receipt of a top-up",
        Template::RenewalReceipt => "Receipt of a renewal",
        Template::RenewalFailed => "A renewal could not be charged",
        Template::RenewalReminder => "A renewal is due soon",
        Template::CardInvalidated => "A card can no longer be charged",
        Template::PriceChange => "Notice of another price",
        Template::PlanChange => "Another plan has begun",
        Template::Termination => "A line has ended",
    }
}
