//! What many routes share: parameters, headers, the answers to errors.

use serde_json::{Map, Value, json};

/// What may go wrong before a route that asks for no token is reached, or in it.
pub(super) const OPEN: &[u16] = &[414, 431, 500, 503];
/// The same for a route that reads.
pub(super) const READ: &[u16] = &[400, 401, 403, 414, 431, 500, 503];

/// Status, name of the component, what it means.
const ERRORS: &[(u16, &str, &str)] = &[
    (400, "Invalid", "The input is malformed; `reason` is the JSON pointer, parameter or header"),
    (401, "Unauthenticated", "No token, or one that is not valid"),
    (403, "Forbidden", "The identity lacks the scope, or this installation does not allow it"),
    (404, "NotFound", "Something that the request names does not exist"),
    (
        409,
        "Conflict",
        "Somebody else is changing the same thing, or a twin of this request is under way; repeating is safe",
    ),
    (412, "PreconditionFailed", "`If-Match` is not the current version"),
    (413, "TooLarge", "The body is larger than 256 KiB"),
    (414, "TargetTooLong", "Path and query are longer than 16 KiB"),
    (415, "NotJson", "The body is not announced as JSON"),
    (422, "PolicyViolation", "A business rule is broken; `reason` is its id, `context` what one can act on"),
    (431, "HeadersTooLarge", "The headers are longer than 32 KiB"),
    (500, "Internal", "A fault of the server, logged under the request id"),
    (
        503,
        "Unavailable",
        "A dependency is away, too much is in work, or it took too long; try again after `Retry-After`",
    ),
];

/// `components.responses`.
pub(super) fn error_responses() -> Value {
    let responses = ERRORS.iter().map(|(status, name, description)| {
        let mut headers = json!({ "x-request-id": reference("headers", "RequestId") });
        if matches!(status, 409 | 503) {
            headers["Retry-After"] = reference("headers", "RetryAfter");
        }
        let mut response = json_body("#/components/schemas/ErrorBody");
        response["description"] = json!(description);
        response["headers"] = headers;
        ((*name).to_owned(), response)
    });
    responses.collect::<Map<_, _>>().into()
}

/// `components.headers`.
pub(super) fn headers() -> Value {
    let header = |description: &str, kind: &str| json!({ "description": description, "schema": { "type": kind } });
    json!({
        "RequestId": header("The request's id: the caller's if it gave one, else a new one", "string"),
        "RetryAfter": header("Seconds", "integer"),
        "ETag": header("The version, for If-Match", "string"),
        "HubSecret": header("Signs what the listener is sent (HMAC-SHA-256); shown this once", "string"),
        "Location": header("Path of the new resource", "string"),
        "TotalCount": header("Resources that the filters let through; exact up to 200,000, an estimate beyond", "integer"),
        "ResultCount": header("Resources in this answer", "integer"),
        "Link": header("first, prev, next, last (RFC 8288), when the answer is not everything", "string"),
    })
}

/// `components.parameters`.
pub(super) fn parameters() -> Value {
    let header = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "header", "description": description, "schema": schema });
    let query = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "query", "description": description, "schema": schema });
    let visible = |length: u32| json!({ "type": "string", "minLength": 1, "maxLength": length, "pattern": "^[!-~]+$" });
    let channels = crate::platform::context::Channel::ALL.map(crate::platform::context::Channel::as_str);
    json!({
        "Actor": header("X-BSS-Actor", "Who acts, as the caller says", visible(100)),
        "Channel": header("X-BSS-Channel", "The surface through which somebody acts", json!({ "enum": channels })),
        "RequestIdGiven": header("X-Request-Id", "Taken up when it is 1 to 128 visible ASCII characters", json!({ "type": "string" })),
        "Traceparent": header("traceparent", "W3C Trace Context, taken up when it is well-formed", json!({ "type": "string" })),
        "IdempotencyKey": header("Idempotency-Key", "The same request sent twice has one effect and one answer", visible(255)),
        "IfMatch": header("If-Match", "The ETag that the change is based on", json!({ "type": "string" })),
        "Fields": query("fields", "Attributes to answer, comma-separated; always with id, href and @type", json!({ "type": "string" })),
        "Sort": query("sort", "Attributes to sort by, comma-separated, `-` for descending", json!({ "type": "string" })),
        "Offset": query("offset", "Resources to skip", json!({ "type": "integer", "minimum": 0, "maximum": 1_000_000 })),
        "Limit": query("limit", "Resources in one answer", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 50 })),
        "Filter": {
            "name": "filter", "in": "query", "style": "form", "explode": true,
            "description": "Filters: `attribute=value`, `attribute=a,b`, `attribute.gt=value` (gt, gte, lt, lte, eq, ne)",
            "schema": { "type": "object", "additionalProperties": { "type": "string" } },
        },
        "Id": { "name": "id", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1, "maxLength": 80 } },
    })
}

/// The parameters that every route behind the perimeter takes.
pub(super) fn caller_parameters() -> Vec<Value> {
    ["Actor", "Channel", "RequestIdGiven", "Traceparent"].map(|name| reference("parameters", name)).into()
}

/// The same and more.
pub(super) fn with_parameters(more: &[&str]) -> Vec<Value> {
    let mut parameters = caller_parameters();
    parameters.extend(more.iter().map(|name| reference("parameters", name)));
    parameters
}

/// The `responses` of a route, in the order of their statuses: its own answers (status, description, content and headers)
/// and the errors of these statuses.
pub(super) fn responses(own: &[(u16, &str, Value)], errors: &[u16]) -> Value {
    let mut all: Vec<(u16, Value)> = Vec::with_capacity(own.len() + errors.len());
    for (status, description, answer) in own {
        let mut answer = answer.clone();
        answer["description"] = json!(description);
        answer["headers"]["x-request-id"] = reference("headers", "RequestId");
        all.push((*status, answer));
    }
    for (status, name, _) in ERRORS.iter().filter(|(status, ..)| errors.contains(status)) {
        if own.iter().all(|(given, ..)| given != status) {
            all.push((*status, reference("responses", name)));
        }
    }
    all.sort_by_key(|(status, _)| *status);
    all.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect::<Map<_, _>>().into()
}

pub(super) fn json_body(schema: &str) -> Value {
    json!({ "content": { "application/json": { "schema": { "$ref": schema } } } })
}

pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}
