//! Sending one notice to one listener.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{StatusCode, redirect};
use serde_json::{Value, json};
use sha2::Sha256;

use super::address::{Guard, checked};
use super::wish::Wish;
use super::{Notice, Topic, store};
use crate::platform::Platform;
use crate::platform::clock::wall;
use crate::platform::context::Context;
use crate::platform::delivery::Failure;
use crate::platform::tmf::time;

/// Shorter than what the runner gives a delivery.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Tells listeners.
pub struct Sender {
    platform: Platform,
    topics: &'static [Topic],
    http: Option<reqwest::Client>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    pub fn new(platform: Platform, topics: &'static [Topic]) -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let guard = Guard { allow_private: platform.config.hub_allow_private };
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(guard))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            // A connection that is kept would be used without its address being looked at again.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("bss/", env!("CARGO_PKG_VERSION")))
            .build()
            .ok();
        Self { platform, topics, http }
    }

    /// Sends a notice. Done when the listener says so, or is gone; anything else is tried again.
    pub async fn send(&self, cx: &Context, notice: Notice) -> Result<(), Failure> {
        let Some(hub) = store::find(&self.platform.db, cx, &notice.hub_id).await? else {
            // Unregistered meanwhile: nobody waits for this any more.
            return Ok(());
        };
        let Some(http) = &self.http else { return Err(Failure::retry("this process cannot make HTTP calls")) };
        let url = checked(&hub.callback, self.platform.config.hub_allow_private).map_err(Failure::park)?;
        let of_api: Vec<&Topic> =
            self.topics.iter().filter(|topic| hub.api == "TMF688" || topic.api == hub.api).collect();
        // It was read when the listener registered; an upgrade may have taken away what it names.
        let wish = Wish::read(hub.query.as_deref(), &of_api).map_err(|error| Failure::park(error.to_string()))?;
        // One fact may be told by several APIs: a listener to all of them hears it once, as the first that it asked for.
        let asked_for = |topic: &&&Topic| topic.event_type == notice.event_type && wish.names(topic);
        let Some(topic) = of_api.iter().find(asked_for) else { return Ok(()) };
        let Some(id) = topic.named.id(&notice) else { return Ok(()) };
        if !wish.lets_through(topic, &id, &notice.payload) {
            return Ok(());
        }
        let body = body(topic, &id, &notice, cx).to_string();
        let call = http
            .post(url)
            .header("content-type", "application/json")
            .header("x-bss-event-id", notice.event_id.to_string())
            .header("x-bss-signature", signature(&hub.secret, wall().timestamp(), body.as_bytes()))
            .body(body);
        // The URL may hold a key of the listener's: errors are told without it.
        let answer = call.send().await.map_err(|error| Failure::retry(told(&error.without_url())))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(Failure::park("the listener answered 410 Gone; remove it")),
            status => Err(Failure::retry(format!("the listener answered {status}"))),
        }
    }
}

/// An error with its causes: the first alone says little.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The notification as TMF688 and every API's own event definitions have it. The resource is named, not copied.
fn body(topic: &Topic, id: &str, notice: &Notice, cx: &Context) -> Value {
    let mut event = serde_json::Map::new();
    let resource = json!({ "id": id, "href": format!("{}/{id}", topic.collection) });
    event.insert(topic.resource.to_owned(), resource);
    json!({
        "eventId": notice.event_id,
        "eventTime": time::format(notice.occurred_at),
        "eventType": topic.name,
        "correlationId": cx.request_id.as_ref(),
        "domain": topic.api,
        "title": notice.event_type,
        "event": event,
    })
}

/// `t=<seconds>,v1=<hex>`: HMAC-SHA-256 with the listener's secret over the seconds, a dot and the body. Whoever checks it
/// refuses what is older than a few minutes, so that nothing can be played back.
pub fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_depends_on_secret_time_and_body() {
        let signed = signature("secret", 1_700_000_000, b"{}");
        assert!(signed.starts_with("t=1700000000,v1=") && signed.len() == 16 + 64, "{signed}");
        assert_ne!(signed, signature("other", 1_700_000_000, b"{}"));
        assert_ne!(signed, signature("secret", 1_700_000_001, b"{}"));
        assert_ne!(signed, signature("secret", 1_700_000_000, b"{ }"));
    }
}
