//! What a scenario is, once it is read and found well-formed. How it is written down is the business of
//! [`load`](super::load).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::expect::Expectation;
use super::path::Path;

/// A business story: how to prepare, what to do and to expect, and what to put back.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file it came from.
    pub file: PathBuf,
    /// Its name; also the actor `scenario:<name>` of all that it does.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Words by which a run of many chooses.
    pub tags: Vec<String>,
    /// What the server must be able to do; where it is not, the scenario is skipped.
    pub requires: Vec<Capability>,
    /// What happens before the first step.
    pub setup: Setup,
    /// Variables with placeholders, in the order in which they are evaluated.
    pub variables: Map<String, Value>,
    /// The story; stops at the first failure.
    pub steps: Vec<Step>,
    /// What happens at the end, whatever came before.
    pub teardown: Teardown,
}

/// What happens before the first step.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Empty the operational tables first.
    pub reset_operational_data: bool,
    /// The instant at which the product clock stands still, as a text with placeholders.
    pub freeze_clock_at: Option<String>,
}

/// What happens at the end of every run that began, also when the set-up or a step failed.
#[derive(Debug, Clone, Default)]
pub struct Teardown {
    /// Every one of them runs, whether or not the one before it worked.
    pub steps: Vec<Step>,
    /// Give the product clock back to the wall.
    pub unfreeze_clock: bool,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What a reader calls it.
    pub name: String,
    /// The line of the file at which it begins, from 1.
    pub line: u64,
    /// What it does.
    pub kind: StepKind,
    /// Variables to take out of the result.
    pub capture: Vec<(String, Path)>,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// Call an operation and succeed when it does (or is refused as expected).
    Action(Action),
    /// Call an operation and check its answer.
    Assert(Assertion),
    /// Speak HTTP to one of the surfaces.
    Http(Box<HttpStep>),
    /// Wait for a file and what stands in it.
    File(FileStep),
}

/// Calls an operation.
#[derive(Debug, Clone)]
pub struct Action {
    /// The operation, or a verb of scenarios alone.
    pub verb: String,
    /// Its arguments, with placeholders.
    pub args: Map<String, Value>,
    /// The rule with which the server must refuse; `None`: it must accept.
    pub expect_refusal: Option<String>,
}

/// Calls an operation and checks its answer.
#[derive(Debug, Clone)]
pub struct Assertion {
    /// The operation, or a verb of scenarios alone.
    pub verb: String,
    /// Its arguments, with placeholders.
    pub args: Map<String, Value>,
    /// What the answer must look like.
    pub expect: Expectation,
    /// Ask again until it holds.
    pub poll: Option<Poll>,
}

/// A request to one of the surfaces.
#[derive(Debug, Clone)]
pub struct HttpStep {
    /// The method, in capitals.
    pub method: reqwest::Method,
    /// An address, or a path below `base_url`.
    pub url: String,
    /// Where a path begins; `None`: at the server of this run.
    pub base_url: Option<String>,
    /// Headers to send.
    pub headers: Map<String, Value>,
    /// Cookies to send beside those of the jar.
    pub cookies: Map<String, Value>,
    /// What to send.
    pub body: Body,
    /// What the answer must look like.
    pub expect: HttpExpectation,
    /// Ask again until it holds.
    pub poll: Option<Poll>,
    /// Follow redirects instead of answering with them.
    pub follow_redirects: bool,
    /// Read an event stream to its end; otherwise a stream is left unread.
    pub drain_stream: bool,
    /// How long one request may take.
    pub timeout: Duration,
    /// Variables to take out of the result by pattern.
    pub capture_regex: Vec<RegexCapture>,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// Form fields; a list sends its field several times.
    Form(Map<String, Value>),
    /// JSON.
    Json(Value),
}

/// What an HTTP answer must look like. Without `status`, anything below 400 will do.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpExpectation {
    /// The status, or one of several.
    pub status: Option<OneOrMany<u16>>,
    /// Texts that stand in the body.
    pub body_contains: OneOrMany<String>,
    /// Texts that do not.
    pub body_not_contains: OneOrMany<String>,
    /// Headers and their exact values.
    pub headers_match: Map<String, Value>,
    /// Fields of a JSON body and their exact values.
    pub body_json_equals: Map<String, Value>,
    /// What must hold of a JSON body.
    pub body_json: Option<Expectation>,
}

/// Waits for a file.
#[derive(Debug, Clone)]
pub struct FileStep {
    /// Where it is, with placeholders.
    pub path: String,
    /// How its bytes are to be read.
    pub encoding: Encoding,
    /// Variables to take out of it; of several matches the last counts.
    pub capture_regex: Vec<RegexCapture>,
    /// Look again until it is there and holds every pattern.
    pub poll: Option<Poll>,
}

/// How the bytes of a file are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    #[serde(rename = "utf-8", alias = "utf8")]
    Utf8,
    /// One byte, one character.
    #[serde(rename = "latin-1", alias = "iso-8859-1")]
    Latin1,
}

/// A variable taken out of a text by a pattern.
#[derive(Debug, Clone)]
pub struct RegexCapture {
    /// The variable.
    pub variable: String,
    /// Where the text stands in the result; `None`: the whole file.
    pub source: Option<Path>,
    /// What to look for; `^` and `$` stand for lines.
    pub pattern: Regex,
    /// Which group is the value.
    pub group: usize,
}

/// How often and how long to ask again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Poll {
    /// Between two tries.
    pub interval: Duration,
    /// From the first try to giving up.
    pub timeout: Duration,
}

/// What a server must be able to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    /// Freeze and advance the product clock.
    Clock,
    /// Reset the operational data.
    Reset,
    /// This client holds the token of the self-serve portal.
    PortalToken,
    /// The server knows this operation.
    Operation(String),
}

/// A value, or a list of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

/// The kind of a step, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Calls an operation.
    Action,
    /// Checks an answer.
    Assert,
    /// Speaks HTTP.
    Http,
    /// Waits for a file.
    File,
}

impl Step {
    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match &self.kind {
            StepKind::Action(_) => Kind::Action,
            StepKind::Assert(_) => Kind::Assert,
            StepKind::Http(_) => Kind::Http,
            StepKind::File(_) => Kind::File,
        }
    }

    /// The operation or verb it calls, when it calls one.
    pub fn verb(&self) -> Option<&str> {
        match &self.kind {
            StepKind::Action(action) => Some(&action.verb),
            StepKind::Assert(assertion) => Some(&assertion.verb),
            StepKind::Http(_) | StepKind::File(_) => None,
        }
    }

    /// The variables that it defines when it works.
    pub fn captured_names(&self) -> impl Iterator<Item = &str> {
        let by_pattern = match &self.kind {
            StepKind::Http(step) => step.capture_regex.as_slice(),
            StepKind::File(step) => step.capture_regex.as_slice(),
            StepKind::Action(_) | StepKind::Assert(_) => &[],
        };
        let by_path = self.capture.iter().map(|(name, _)| name.as_str());
        by_path.chain(by_pattern.iter().map(|capture| capture.variable.as_str()))
    }
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Kind {
    /// How reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Assert => "assert",
            Self::Http => "http",
            Self::File => "file",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clock => "clock",
            Self::Reset => "reset",
            Self::PortalToken => "portal_token",
            Self::Operation(name) => name,
        })
    }
}
