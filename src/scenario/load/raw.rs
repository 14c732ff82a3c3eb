//! The keys of a scenario file, as serde reads them. Every struct refuses keys that it does not know.

use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use crate::scenario::expect::Expectation;
use crate::scenario::format::{Encoding, HttpExpectation};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) requires: Vec<String>,
    #[serde(default)]
    pub(super) setup: RawSetup,
    #[serde(default)]
    pub(super) variables: Map<String, Value>,
    pub(super) steps: Vec<Spanned<RawStep>>,
    #[serde(default)]
    pub(super) teardown: RawTeardown,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSetup {
    pub(super) reset_operational_data: bool,
    pub(super) freeze_clock_at: Option<String>,
    pub(super) variables: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTeardown {
    pub(super) steps: Vec<Spanned<RawStep>>,
    pub(super) unfreeze_clock: bool,
}

/// All keys of all kinds of steps; which of them belong together is decided afterwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub(super) name: String,
    pub(super) action: Option<String>,
    pub(super) assert: Option<RawAssert>,
    pub(super) http: Option<String>,
    pub(super) file: Option<String>,
    pub(super) args: Option<Map<String, Value>>,
    pub(super) expect_refusal: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) headers: Option<Map<String, Value>>,
    pub(super) cookies: Option<Map<String, Value>>,
    pub(super) form: Option<Map<String, Value>>,
    pub(super) json: Option<Value>,
    pub(super) expect: Option<HttpExpectation>,
    pub(super) poll: Option<RawPoll>,
    pub(super) follow_redirects: Option<bool>,
    pub(super) drain_stream: Option<bool>,
    pub(super) timeout_seconds: Option<f64>,
    pub(super) encoding: Option<Encoding>,
    pub(super) capture: Option<Map<String, Value>>,
    pub(super) capture_regex: Option<RegexCaptures>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAssert {
    pub(super) tool: String,
    #[serde(default)]
    pub(super) args: Map<String, Value>,
    pub(super) expect: Expectation,
    pub(super) poll: Option<RawPoll>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPoll {
    pub(super) interval_ms: u64,
    pub(super) timeout_seconds: f64,
}

impl Default for RawPoll {
    fn default() -> Self {
        Self { interval_ms: 200, timeout_seconds: 5.0 }
    }
}

/// By variable, sorted: patterns of one step do not depend on each other.
pub(super) type RegexCaptures = std::collections::BTreeMap<String, RawRegexCapture>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegexCapture {
    pub(super) source: Option<String>,
    pub(super) pattern: String,
    #[serde(default = "first_group")]
    pub(super) group: usize,
}

fn first_group() -> usize {
    1
}
