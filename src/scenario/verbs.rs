//! What a step can call: the operations of the server, and the few verbs that exist for scenarios alone.

use serde_json::{Map, Value, json};

use super::client::{CallError, Caller, Identity, Speaker};

/// Adds a contact medium with the token of the self-serve portal, so that a scenario can tell two identities apart.
const WRITE_DEMO_CONTACT: &str = "portal.write_demo_contact";
/// The operation behind it.
const ADD_CONTACT_MEDIUM: &str = "customer.add_contact_medium";
/// The surface as which the calls of scenarios are recorded.
const CHANNEL: &str = "scenario";
/// That of the portal, which its token speaks for.
const PORTAL_CHANNEL: &str = "portal-self-serve";

/// Whether the runner itself answers to this verb.
pub(super) fn is_own(verb: &str) -> bool {
    verb == WRITE_DEMO_CONTACT
}

/// Calls a verb: our own, else the operation of that name.
pub(super) async fn call(
    caller: &impl Caller,
    actor: &str,
    verb: &str,
    args: Map<String, Value>,
) -> Result<Value, CallError> {
    if verb == WRITE_DEMO_CONTACT {
        return write_demo_contact(caller, actor, &args).await;
    }
    let speaker = Speaker { identity: Identity::Default, actor, channel: CHANNEL };
    caller.call(speaker, verb, &Value::Object(args)).await
}

async fn write_demo_contact(caller: &impl Caller, actor: &str, args: &Map<String, Value>) -> Result<Value, CallError> {
    let identity = Identity::PortalSelfServe;
    let mut forwarded = args.clone();
    if !forwarded.contains_key("medium_type") && !forwarded.contains_key("mediumType") {
        forwarded.insert("mediumType".to_owned(), json!("email"));
    }
    let speaker = Speaker { identity, actor, channel: PORTAL_CHANNEL };
    let result = caller.call(speaker, ADD_CONTACT_MEDIUM, &Value::Object(forwarded)).await?;
    let customer_id = args.get("customerId").or_else(|| args.get("customer_id"));
    Ok(json!({ "identity": identity.as_str(), "customerId": customer_id, "result": result }))
}
