//! A network behind HTTP: the service platform of a real MVNE, or whatever translates for it. docs/NETWORK.md is its contract.
//!
//! One POST per task, with the id of the task as idempotency key. A task that the network took (202) or did not answer is
//! asked about by GET until it is done; what the network does not know, or failed at and may try again, is posted again.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::domains::provisioning::port::{Network, NetworkError, NetworkTask};
use crate::platform::config::Secret;
use crate::platform::outgoing::{self, BodyError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Shorter than provisioning's own patience, so that the answer says what happened.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// Most of an answer that is read; it is a short object.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Most of the network's own words that is kept with a task.
const REASON_CHARS_MAX: usize = 200;

/// When a network that took a task is asked again, where it does not say, and the bounds of what it may say.
const ASK_AGAIN: Duration = Duration::from_secs(2);
const ASK_AGAIN_MIN: Duration = Duration::from_millis(50);
const ASK_AGAIN_MAX: Duration = Duration::from_secs(60);

/// See the module.
pub struct NetworkHttp {
    http: reqwest::Client,
    tasks: Url,
    secret: Secret,
}

impl std::fmt::Debug for NetworkHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkHttp").field("tasks", &self.tasks.as_str()).finish_non_exhaustive()
    }
}

/// What the network says of a task.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: Status,
    reason: Option<String>,
    /// Of a failed task: whether the same order may work later.
    #[serde(default)]
    retryable: bool,
    poll_after_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Done,
    Accepted,
    Failed,
    Stuck,
}

impl NetworkHttp {
    /// # Errors
    /// When no HTTP client can be made, or `base` cannot have paths.
    pub fn new(base: &Url, secret: Secret) -> Result<Self, String> {
        let mut tasks = base.clone();
        tasks.path_segments_mut().map_err(|()| "the address cannot have paths")?.pop_if_empty().push("tasks");
        let http = outgoing::client(base).connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).build();
        let http = http.map_err(|error| error.to_string())?;
        Ok(Self { http, tasks, secret })
    }

    fn ask(&self, task: &NetworkTask) -> Result<RequestBuilder, NetworkError> {
        let mut url = self.tasks.clone();
        let mut segments = url.path_segments_mut().map_err(|()| refused("the address cannot have paths"))?;
        segments.push(task.task_id.as_str());
        drop(segments);
        Ok(self.http.get(url))
    }

    fn tell(&self, task: &NetworkTask) -> RequestBuilder {
        let body = json!({
            "taskId": task.task_id,
            "taskType": task.task_type,
            "tenant": task.tenant,
            "serviceId": task.service_id,
            "serviceOrderId": task.service_order_id,
            "commercialOrderId": task.commercial_order_id,
            "attempt": task.attempt,
            "payload": task.payload,
        });
        self.http.post(self.tasks.clone()).header("Idempotency-Key", task.task_id.as_str()).json(&body)
    }

    async fn send(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), NetworkError> {
        let away = |error: reqwest::Error| NetworkError::NotYet {
            // Without the address, which may hold what is nobody's business.
            reason: format!("the network does not answer: {}", kind_of(&error)),
            after: ASK_AGAIN,
        };
        let response = request.bearer_auth(self.secret.reveal()).send().await.map_err(away)?;
        let status = response.status();
        match outgoing::body(response, ANSWER_BYTES_MAX).await {
            Ok(body) => Ok((status, body)),
            Err(BodyError::TooLong) => Err(failed("the network's answer is too long")),
            Err(BodyError::Broken(error)) => Err(away(error)),
        }
    }
}

#[async_trait]
impl Network for NetworkHttp {
    async fn execute(&self, task: &NetworkTask) -> Result<(), NetworkError> {
        if task.polls > 0 || task.only_ask {
            let (status, body) = self.send(self.ask(task)?).await?;
            if status != StatusCode::NOT_FOUND {
                return outcome(status, &body);
            }
            if task.only_ask {
                return Err(refused("not wanted any more, and the network does not know it"));
            }
        }
        let (status, body) = self.send(self.tell(task)).await?;
        outcome(status, &body)
    }
}

/// What an answer means. Pure.
fn outcome(status: StatusCode, body: &[u8]) -> Result<(), NetworkError> {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let said = |answer: &Answer| clean(answer.reason.as_deref().unwrap_or("no reason given"));
    match (status, answer) {
        (StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED, Some(answer)) => match answer.status {
            Status::Done => Ok(()),
            Status::Accepted => {
                let after = answer.poll_after_ms.map_or(ASK_AGAIN, Duration::from_millis);
                let after = after.clamp(ASK_AGAIN_MIN, ASK_AGAIN_MAX);
                Err(NetworkError::NotYet { reason: "the network has accepted the task".to_owned(), after })
            }
            Status::Failed if answer.retryable => Err(failed(&said(&answer))),
            Status::Failed => Err(refused(&said(&answer))),
            Status::Stuck => Err(NetworkError::Stuck(said(&answer))),
        },
        (
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT,
            _,
        ) => {
            let reason = format!("the network cannot answer now: {status}");
            Err(NetworkError::NotYet { reason, after: ASK_AGAIN })
        }
        // Whoever holds the secret has to look: no attempt would end otherwise.
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            Err(NetworkError::Stuck(format!("the network does not know us: {status}; check BSS_NETWORK_SECRET")))
        }
        (StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_EARLY, _) => {
            Err(failed(&format!("the network answered {status}")))
        }
        (status, answer) if status.is_client_error() => {
            let reason = answer.map(|answer| said(&answer)).unwrap_or_default();
            Err(refused(&format!("the network refused it with {status} {reason}")))
        }
        (status, _) => Err(failed(&format!("the network answered {status} and nothing that can be understood"))),
    }
}

fn failed(reason: &str) -> NetworkError {
    NetworkError::Failed(reason.to_owned())
}

fn refused(reason: &str) -> NetworkError {
    NetworkError::Refused(reason.trim_end().to_owned())
}

/// The network's own words, bounded, without what could be the number of a profile or a subscriber.
fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    let mut digits = String::new();
    for letter in text.chars().take(REASON_CHARS_MAX).chain([' ']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        // As long as an IMSI or an ICCID: its last four digits are enough.
        let hidden = digits.len().saturating_sub(4);
        if digits.len() >= 12 {
            cleaned.push('…');
        } else {
            cleaned.push_str(&digits[..hidden]);
        }
        cleaned.push_str(&digits[hidden..]);
        digits.clear();
        cleaned.push(if letter.is_control() { ' ' } else { letter });
    }
    cleaned.trim_end().to_owned()
}

fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Result<(), NetworkError> {
        outcome(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn every_answer_means_one_thing() {
        let not_yet = |answer| matches!(answer, Err(NetworkError::NotYet { .. }));
        assert_eq!(of(200, r#"{"status":"done","more":1}"#), Ok(()));
        assert_eq!(of(202, r#"{"status":"done"}"#), Ok(()));
        assert!(not_yet(of(202, r#"{"status":"accepted"}"#)));
        assert!(not_yet(of(503, "")) && not_yet(of(429, "slow down")) && not_yet(of(502, "<html>")));
        assert_eq!(of(200, r#"{"status":"failed","reason":"HLR busy","retryable":true}"#), Err(failed("HLR busy")));
        assert_eq!(of(200, r#"{"status":"failed","reason":"no such IMSI"}"#), Err(refused("no such IMSI")));
        assert_eq!(of(200, r#"{"status":"stuck"}"#), Err(NetworkError::Stuck("no reason given".into())));
        assert!(matches!(of(401, ""), Err(NetworkError::Stuck(_))));
        assert!(matches!(of(409, ""), Err(NetworkError::Failed(_))));
        assert!(matches!(of(422, ""), Err(NetworkError::Refused(_))));
        for (status, body) in [(500, ""), (200, ""), (200, "[]"), (200, r#"{"status":"perhaps"}"#), (302, "")] {
            assert!(matches!(of(status, body), Err(NetworkError::Failed(_))), "{status} {body}");
        }
    }

    #[test]
    fn the_network_says_when_to_ask_again_within_bounds() {
        let after = |body: &str| match of(202, body) {
            Err(NetworkError::NotYet { after, .. }) => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after(r#"{"status":"accepted","pollAfterMs":700}"#), Duration::from_millis(700));
        assert_eq!(after(r#"{"status":"accepted","pollAfterMs":0}"#), ASK_AGAIN_MIN);
        assert_eq!(after(r#"{"status":"accepted","pollAfterMs":99999999}"#), ASK_AGAIN_MAX);
        assert_eq!(after(r#"{"status":"accepted"}"#), ASK_AGAIN);
    }

    #[test]
    fn numbers_of_profiles_do_not_stay() {
        assert_eq!(clean("IMSI 525010000000417 unknown"), "IMSI …0417 unknown");
        assert_eq!(clean("error 503, 90000123\nagain"), "error 503, 90000123 again");
        assert_eq!(clean("8965010000000000417"), "…0417");
        assert!(clean(&"x".repeat(5_000)).len() <= REASON_CHARS_MAX);
    }
}
