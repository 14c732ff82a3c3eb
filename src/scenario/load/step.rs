//! From the keys of a step to what it does: exactly one kind, and no key of another.

use std::time::Duration;

use regex::RegexBuilder;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::Fault;
use super::raw::{RawAssert, RawPoll, RawRegexCapture, RawStep, RegexCaptures};
use crate::scenario::format::{Action, Assertion, Body, FileStep, HttpStep, Poll, RegexCapture, Step, StepKind};
use crate::scenario::path::Path;
use crate::scenario::template;

/// The shortest pause between two calls of an operation.
const SHORTEST_INTERVAL_MS: u64 = 10;
/// The shortest pause between two requests to a page, or looks at a file.
const SHORTEST_SLOW_INTERVAL_MS: u64 = 50;
/// The longest that a step may wait: a forgotten zero shall not hold a run for a day.
const LONGEST_WAIT_SECONDS: f64 = 600.0;
/// How long one request of an http step takes at most, unless it says otherwise.
const REQUEST_SECONDS: f64 = 30.0;

/// The step, or `None` after saying why there is none.
pub(super) fn assemble(raw: Spanned<RawStep>, faults: &mut Vec<Fault>) -> Option<Step> {
    let line = raw.defined.line();
    let mut found = Found { step: raw.value.name.clone(), line, faults: Vec::new() };
    let step = found.assemble(raw.value);
    let is_sound = found.faults.is_empty();
    faults.append(&mut found.faults);
    step.filter(|_| is_sound)
}

/// The faults of one step.
struct Found {
    step: String,
    line: u64,
    faults: Vec<Fault>,
}

impl Found {
    fn fault(&mut self, message: impl AsRef<str>) {
        let message = format!("step `{}`: {}", self.step, message.as_ref());
        self.faults.push(Fault::new((self.line > 0).then_some(self.line), message));
    }

    fn assemble(&mut self, mut raw: RawStep) -> Option<Step> {
        let name = std::mem::take(&mut raw.name);
        if name.trim().is_empty() {
            self.fault("`name` is empty");
        }
        let capture = self.captures(raw.capture.take());
        let kind = match (raw.action.take(), raw.assert.take(), raw.http.take(), raw.file.take()) {
            (Some(verb), None, None, None) => self.action(verb, &mut raw),
            (None, Some(assert), None, None) => self.assertion(assert, &capture),
            (None, None, Some(request), None) => self.http(&request, &mut raw)?,
            (None, None, None, Some(path)) => self.file(path, &mut raw),
            (None, None, None, None) => {
                self.fault("a step needs one of action, assert, http, file");
                return None;
            }
            _ => {
                self.fault("a step is only one of action, assert, http, file");
                return None;
            }
        };
        self.leftovers(&raw, &kind);
        Some(Step { name, line: self.line, kind, capture })
    }

    fn action(&mut self, verb: String, raw: &mut RawStep) -> StepKind {
        self.verb(&verb);
        let args = raw.args.take().unwrap_or_default();
        StepKind::Action(Action { verb, args, expect_refusal: raw.expect_refusal.take() })
    }

    fn assertion(&mut self, raw: RawAssert, capture: &[(String, Path)]) -> StepKind {
        self.verb(&raw.tool);
        if !capture.is_empty() {
            self.fault("`capture` does not belong to assert steps: what is asked again has no one answer");
        }
        if raw.expect.is_empty() {
            self.fault("`expect` is empty");
        }
        let poll = self.poll(raw.poll, SHORTEST_INTERVAL_MS);
        StepKind::Assert(Assertion { verb: raw.tool, args: raw.args, expect: raw.expect, poll })
    }

    fn http(&mut self, request: &str, raw: &mut RawStep) -> Option<StepKind> {
        let Some((method, url)) = method_and_url(request) else {
            self.fault("`http` is a method and an address: GET /welcome");
            return None;
        };
        let body = match (raw.form.take(), raw.json.take()) {
            (None, None) => Body::Empty,
            (Some(form), None) => Body::Form(form),
            (None, Some(json)) => Body::Json(json),
            (Some(_), Some(_)) => {
                self.fault("`form` and `json` exclude each other");
                return None;
            }
        };
        let capture_regex = self.regex_captures(raw.capture_regex.take(), true);
        Some(StepKind::Http(Box::new(HttpStep {
            method,
            url: url.to_owned(),
            base_url: raw.base_url.take(),
            headers: raw.headers.take().unwrap_or_default(),
            cookies: raw.cookies.take().unwrap_or_default(),
            body,
            expect: raw.expect.take().unwrap_or_default(),
            poll: self.poll(raw.poll.take(), SHORTEST_SLOW_INTERVAL_MS),
            follow_redirects: raw.follow_redirects.take().unwrap_or_default(),
            drain_stream: raw.drain_stream.take().unwrap_or_default(),
            timeout: self.seconds("timeout_seconds", raw.timeout_seconds.take().unwrap_or(REQUEST_SECONDS)),
            capture_regex,
        })))
    }

    fn file(&mut self, path: String, raw: &mut RawStep) -> StepKind {
        let capture_regex = self.regex_captures(raw.capture_regex.take(), false);
        let poll = self.poll(raw.poll.take(), SHORTEST_SLOW_INTERVAL_MS);
        StepKind::File(FileStep { path, encoding: raw.encoding.take().unwrap_or_default(), capture_regex, poll })
    }

    /// What is still there when its kind has taken its keys belongs to another kind.
    fn leftovers(&mut self, raw: &RawStep, kind: &StepKind) {
        let left = [
            ("args", raw.args.is_some()),
            ("expect_refusal", raw.expect_refusal.is_some()),
            ("base_url", raw.base_url.is_some()),
            ("headers", raw.headers.is_some()),
            ("cookies", raw.cookies.is_some()),
            ("form", raw.form.is_some()),
            ("json", raw.json.is_some()),
            ("expect", raw.expect.is_some()),
            ("poll", raw.poll.is_some()),
            ("follow_redirects", raw.follow_redirects.is_some()),
            ("drain_stream", raw.drain_stream.is_some()),
            ("timeout_seconds", raw.timeout_seconds.is_some()),
            ("encoding", raw.encoding.is_some()),
            ("capture_regex", raw.capture_regex.is_some()),
        ];
        let kind = match kind {
            StepKind::Action(_) => "an action step",
            StepKind::Assert(_) => "an assert step (its keys stand below `assert`)",
            StepKind::Http(_) => "an http step",
            StepKind::File(_) => "a file step",
        };
        for (key, _) in left.iter().filter(|(_, is_left)| *is_left) {
            self.fault(format!("`{key}` does not belong to {kind}"));
        }
    }

    fn verb(&mut self, verb: &str) {
        let is_verb = !verb.is_empty() && verb.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
        if !is_verb {
            self.fault(format!("`{verb}` is not the name of an operation"));
        }
    }

    fn captures(&mut self, raw: Option<Map<String, Value>>) -> Vec<(String, Path)> {
        let mut captures = Vec::new();
        for (variable, path) in raw.unwrap_or_default() {
            self.variable(&variable);
            match path.as_str().filter(|path| path.starts_with('$')).map(str::parse::<Path>) {
                Some(Ok(path)) => captures.push((variable, path)),
                Some(Err(error)) => self.fault(format!("capture of `{variable}`: {error}")),
                None => self.fault(format!("capture of `{variable}`: {path} is not a path like $.id")),
            }
        }
        captures
    }

    fn regex_captures(&mut self, raw: Option<RegexCaptures>, has_source: bool) -> Vec<RegexCapture> {
        let mut captures = Vec::new();
        for (variable, raw) in raw.unwrap_or_default() {
            self.variable(&variable);
            match regex_capture(&variable, &raw, has_source) {
                Ok(capture) => captures.push(capture),
                Err(why) => self.fault(format!("capture_regex of `{variable}`: {why}")),
            }
        }
        captures
    }

    fn variable(&mut self, name: &str) {
        if !template::is_name(name) {
            self.fault(format!("`{name}` cannot be a variable: letters, digits and underscores only"));
        }
    }

    fn poll(&mut self, raw: Option<RawPoll>, shortest_ms: u64) -> Option<Poll> {
        let raw = raw?;
        if raw.interval_ms < shortest_ms {
            self.fault(format!("`interval_ms` is at least {shortest_ms} here"));
        }
        let timeout = self.seconds("timeout_seconds", raw.timeout_seconds);
        Some(Poll { interval: Duration::from_millis(raw.interval_ms), timeout })
    }

    fn seconds(&mut self, key: &str, seconds: f64) -> Duration {
        if seconds > 0.0 && seconds <= LONGEST_WAIT_SECONDS {
            return Duration::from_secs_f64(seconds);
        }
        self.fault(format!("`{key}` is more than 0 and at most {LONGEST_WAIT_SECONDS}"));
        Duration::ZERO
    }
}

fn method_and_url(request: &str) -> Option<(reqwest::Method, &str)> {
    let (method, url) = request.trim().split_once(char::is_whitespace)?;
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.contains(&method).then_some(())?;
    Some((method.parse().ok()?, url.trim()))
}

fn regex_capture(variable: &str, raw: &RawRegexCapture, has_source: bool) -> Result<RegexCapture, String> {
    let source = match (&raw.source, has_source) {
        (Some(source), true) => Some(source.parse().map_err(|error| format!("{error}"))?),
        (None, false) => None,
        (None, true) => return Err("`source` is missing, e.g. headers.location".to_owned()),
        (Some(_), false) => return Err("a file has no `source`".to_owned()),
    };
    let pattern = RegexBuilder::new(&raw.pattern).multi_line(true).build().map_err(|error| error.to_string())?;
    if raw.group >= pattern.captures_len() {
        return Err(format!("the pattern has no group {}", raw.group));
    }
    Ok(RegexCapture { variable: variable.to_owned(), source, pattern, group: raw.group })
}
