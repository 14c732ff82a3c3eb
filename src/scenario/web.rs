//! Http steps: requests to the surfaces as a browser makes them, with a cookie jar per scenario.

mod cookies;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use url::Url;

use self::cookies::Jar;
use super::client;
use super::expect::is_equal;
use super::format::{Body, HttpExpectation, HttpStep, OneOrMany};
use super::poll::Failed;
use super::template::{self, TemplateError, Variables};

/// The web side of one run: one browser, so to speak.
pub(super) struct Session {
    /// By scheme, made at the first request: most scenarios never make one.
    http: BTreeMap<String, reqwest::Client>,
    server: Url,
    jar: Jar,
}

/// A request with its placeholders replaced.
pub(super) struct Request {
    method: Method,
    url: Url,
    headers: Vec<(String, String)>,
    cookies: Map<String, Value>,
    body: Body,
    expect: HttpExpectation,
    follow_redirects: bool,
    drain_stream: bool,
    timeout: Duration,
}

/// How many redirects are followed: more is a loop.
const MOST_REDIRECTS: usize = 10;
/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 8 * 1024 * 1024;
/// How much of an unexpected body is shown, in characters.
const SHOWN_BODY: usize = 300;

impl Session {
    pub(super) fn new(server: Url) -> Self {
        Self { http: BTreeMap::new(), server, jar: Jar::default() }
    }

    /// The request that a step stands for.
    pub(super) fn request(&self, step: &HttpStep, variables: &Variables) -> Result<Request, Failed> {
        let base = match &step.base_url {
            Some(base) => parse(&template::fill_text(base, variables)?)?,
            None => self.server.clone(),
        };
        let address = template::fill_text(&step.url, variables)?;
        let url =
            base.join(&address).map_err(|error| Failed::for_good(format!("`{address}` is not an address: {error}")))?;
        let headers = template::fill_map(&step.headers, variables)?;
        Ok(Request {
            method: step.method.clone(),
            url,
            headers: headers.into_iter().map(|(name, value)| (name, text(&value))).collect(),
            cookies: template::fill_map(&step.cookies, variables)?,
            body: match &step.body {
                Body::Empty => Body::Empty,
                Body::Form(fields) => Body::Form(template::fill_map(fields, variables)?),
                Body::Json(json) => Body::Json(template::fill(json, variables)?),
            },
            expect: fill_expectation(&step.expect, variables)?,
            follow_redirects: step.follow_redirects,
            drain_stream: step.drain_stream,
            timeout: step.timeout,
        })
    }

    /// Sends it and checks the answer. The result has status, headers, cookies, body and `body_text`.
    pub(super) async fn perform(&mut self, request: &Request) -> Result<Value, Failed> {
        let mut cookies = Map::new();
        let response = self.follow(request, &mut cookies).await?;
        let status = response.status().as_u16();
        let headers = headers(&response);
        let body_text = read_body(response, request).await?;
        let body = serde_json::from_str(&body_text).unwrap_or(Value::Null);
        let result =
            json!({ "status": status, "headers": headers, "cookies": cookies, "body": body, "body_text": body_text });
        check(&request.expect, &result).map_err(Failed::for_now)?;
        Ok(result)
    }

    async fn follow(&mut self, request: &Request, cookies: &mut Map<String, Value>) -> Result<Response, Failed> {
        let mut method = request.method.clone();
        let mut url = request.url.clone();
        let mut has_body = true;
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send(request, &method, &url, has_body).await?;
            cookies.extend(self.jar.take(&url, response.headers()));
            let target = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            let (true, true, Some(target)) = (request.follow_redirects, response.status().is_redirection(), target)
            else {
                return Ok(response);
            };
            url = url.join(target).map_err(|error| Failed::for_now(format!("redirect to `{target}`: {error}")))?;
            let keeps_method =
                matches!(response.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
            if !keeps_method && method != Method::HEAD {
                method = Method::GET;
                has_body = false;
            }
        }
        Err(Failed::for_now(format!("more than {MOST_REDIRECTS} redirects, the last to {url}")))
    }

    async fn send(
        &mut self,
        request: &Request,
        method: &Method,
        url: &Url,
        has_body: bool,
    ) -> Result<Response, Failed> {
        let mut outgoing = self.http(url)?.request(method.clone(), url.clone()).timeout(request.timeout);
        for (name, value) in &request.headers {
            outgoing = outgoing.header(name, value);
        }
        if let Some(cookies) = self.jar.header(url, &request.cookies) {
            outgoing = outgoing.header(header::COOKIE, cookies);
        }
        outgoing = match &request.body {
            Body::Form(fields) if has_body => {
                outgoing.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form(fields))
            }
            Body::Json(json) if has_body => outgoing.json(json),
            Body::Empty | Body::Form(_) | Body::Json(_) => outgoing,
        };
        outgoing.send().await.map_err(|error| broken(&error, url, request.timeout))
    }

    fn http(&mut self, url: &Url) -> Result<reqwest::Client, Failed> {
        if let Some(known) = self.http.get(url.scheme()) {
            return Ok(known.clone());
        }
        let built =
            client::builder(url).build().map_err(|error| Failed::for_good(format!("no HTTP client: {error}")))?;
        self.http.insert(url.scheme().to_owned(), built.clone());
        Ok(built)
    }
}

fn parse(address: &str) -> Result<Url, Failed> {
    Url::parse(address).map_err(|error| Failed::for_good(format!("`{address}` is not an address: {error}")))
}

fn broken(error: &reqwest::Error, url: &Url, timeout: Duration) -> Failed {
    if error.is_timeout() {
        return Failed::for_now(format!("{url} did not answer within {} s", timeout.as_secs_f64()));
    }
    Failed::for_now(format!("{url}: {}", client::root_cause(error)))
}

fn form(fields: &Map<String, Value>) -> String {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        encoded.extend_pairs(values.iter().map(|value| (name, text(value))));
    }
    encoded.finish()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Names in small letters. Several of one name are joined, except `set-cookie`, which is a list: it must not be.
fn headers(response: &Response) -> Map<String, Value> {
    let mut found = Map::new();
    for name in response.headers().keys() {
        let values: Vec<String> = response
            .headers()
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let value = if name == header::SET_COOKIE { Value::from(values) } else { Value::from(values.join(", ")) };
        found.insert(name.as_str().to_owned(), value);
    }
    found
}

async fn read_body(mut response: Response, request: &Request) -> Result<String, Failed> {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/event-stream") && !request.drain_stream {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error, &request.url, request.timeout))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LONGEST_BODY {
            return Err(Failed::for_good(format!("{} answers more than {LONGEST_BODY} bytes", request.url)));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fill_expectation(expect: &HttpExpectation, variables: &Variables) -> Result<HttpExpectation, TemplateError> {
    let texts = |templates: &OneOrMany<String>| {
        let filled = templates.as_slice().iter().map(|text| template::fill_text(text, variables));
        filled.collect::<Result<_, _>>().map(OneOrMany::Many)
    };
    Ok(HttpExpectation {
        status: expect.status.clone(),
        body_contains: texts(&expect.body_contains)?,
        body_not_contains: texts(&expect.body_not_contains)?,
        headers_match: template::fill_map(&expect.headers_match, variables)?,
        body_json_equals: template::fill_map(&expect.body_json_equals, variables)?,
        body_json: expect.body_json.as_ref().map(|expectation| expectation.fill(variables)).transpose()?,
    })
}

fn check(expect: &HttpExpectation, result: &Value) -> Result<(), String> {
    let mut wrong = Vec::new();
    let status = result["status"].as_u64().unwrap_or_default();
    let is_expected = match &expect.status {
        Some(wanted) => wanted.as_slice().iter().any(|wanted| u64::from(*wanted) == status),
        None => status < 400,
    };
    if !is_expected {
        wrong.push(format!("status is {status}, expected {}", wanted_status(expect)));
    }
    let body = result["body_text"].as_str().unwrap_or_default();
    let missing = expect.body_contains.as_slice().iter().filter(|part| !body.contains(*part));
    wrong.extend(missing.map(|part| format!("the body does not contain {part:?}")));
    let unwanted = expect.body_not_contains.as_slice().iter().filter(|part| body.contains(*part));
    wrong.extend(unwanted.map(|part| format!("the body contains {part:?}")));
    for (name, wanted) in &expect.headers_match {
        let found = &result["headers"][name.to_ascii_lowercase()];
        if text(found) != text(wanted) {
            wrong.push(format!("header {name} is {found}, expected {wanted}"));
        }
    }
    for (field, wanted) in &expect.body_json_equals {
        let found = &result["body"][field];
        if !is_equal(found, wanted) {
            wrong.push(format!("field {field} of the body is {found}, expected {wanted}"));
        }
    }
    if let Some(Err(mismatch)) = expect.body_json.as_ref().map(|expectation| expectation.check(&result["body"])) {
        wrong.push(format!("body: {mismatch}"));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let shown: String = body.chars().take(SHOWN_BODY).collect();
    if !shown.is_empty() {
        wrong.push(format!("the body begins: {shown}"));
    }
    Err(wrong.join("\n"))
}

fn wanted_status(expect: &HttpExpectation) -> String {
    match &expect.status {
        None => "less than 400".to_owned(),
        Some(wanted) => wanted.as_slice().iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
    }
}
