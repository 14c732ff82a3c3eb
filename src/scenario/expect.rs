//! Expectations: what an answer must look like, as a map from path or operator to what is wanted.
//!
//! ```yaml
//! state: active                                  # a plain value: equal
//! balances.data.remaining: { gt: 0, lte: 5120 }  # operators: all must hold
//! balances: { any_match: { allowanceType: data }, length: 3 }
//! none_match: { eventType: customer.created }    # an operator as key asks about the answer itself
//! ```
//!
//! A path that does not resolve fails, except under `exists: false`. Asking a text whether it is greater than a number
//! is a mistake in the scenario and fails even inside `none_match`.

mod operator;

use serde::Deserialize;
use serde_json::{Map, Value};

use self::operator::Operator;
pub(super) use self::operator::is_equal;
use super::path::{Path, PathError};
use super::template::{self, TemplateError, Variables};

/// What must hold of one value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Expectation {
    checks: Vec<Check>,
}

/// The expectation is not well-formed; says where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAnExpectation(String);

/// Something that was expected and is not so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Mismatch {
    reason: String,
    /// The question itself does not fit the value, so that neither yes nor no is an answer.
    is_mistake: bool,
}

/// All tests of the value at one path; the root path asks about the value itself.
#[derive(Debug, Clone, PartialEq)]
struct Check {
    path: Path,
    tests: Vec<Test>,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Compare(Operator, Value),
    Exists(bool),
    Length(Vec<Test>),
    AnyMatch(Expectation),
    NoneMatch(Expectation),
}

/// How many elements of a list are told apart in a message.
const SHOWN_ELEMENTS: usize = 3;

impl Expectation {
    /// Checks `value`; every check that fails gets its own line.
    pub fn check(&self, value: &Value) -> Result<(), Mismatch> {
        let failures: Vec<Mismatch> = self.checks.iter().filter_map(|check| check.run(value).err()).collect();
        if failures.is_empty() {
            return Ok(());
        }
        let reasons: Vec<&str> = failures.iter().map(|failure| failure.reason.as_str()).collect();
        Err(Mismatch { reason: reasons.join("\n"), is_mistake: failures.iter().any(|failure| failure.is_mistake) })
    }

    /// The expectation with its placeholders replaced.
    pub fn fill(&self, variables: &Variables) -> Result<Self, TemplateError> {
        let checks = self.checks.iter().map(|check| check.fill(variables)).collect::<Result<_, _>>()?;
        Ok(Self { checks })
    }

    /// Every text or value in which a placeholder may stand.
    pub fn templates(&self) -> Vec<&Value> {
        self.checks.iter().flat_map(|check| &check.tests).flat_map(Test::templates).collect()
    }

    /// Whether nothing is expected at all.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    fn of(value: Value) -> Result<Self, NotAnExpectation> {
        match value {
            Value::Object(map) => Self::try_from(map),
            other => {
                Ok(Self { checks: vec![Check { path: Path::root(), tests: vec![Test::Compare(Operator::Eq, other)] }] })
            }
        }
    }
}

impl TryFrom<Map<String, Value>> for Expectation {
    type Error = NotAnExpectation;

    fn try_from(map: Map<String, Value>) -> Result<Self, NotAnExpectation> {
        let checks = map.into_iter().map(|(key, wanted)| Check::parse(&key, wanted)).collect::<Result<_, _>>()?;
        Ok(Self { checks })
    }
}

impl Check {
    fn parse(key: &str, wanted: Value) -> Result<Self, NotAnExpectation> {
        if template::has_placeholder(key) {
            return Err(NotAnExpectation(format!("`{key}`: placeholders are not replaced in paths")));
        }
        if is_operator(key) {
            return Ok(Self { path: Path::root(), tests: vec![Test::parse(key, wanted)?] });
        }
        let path = key.parse::<Path>().map_err(|error| NotAnExpectation(error.to_string()))?;
        let tests = Test::parse_all(wanted).map_err(|error| NotAnExpectation(format!("`{key}`: {error}")))?;
        Ok(Self { path, tests })
    }

    fn run(&self, root: &Value) -> Result<(), Mismatch> {
        let found = match self.path.resolve(root) {
            Ok(value) => Some(value),
            Err(PathError::Missing { .. }) if self.asks_for_existence() => None,
            Err(error @ PathError::Missing { .. }) => return Err(Mismatch::no(error.to_string())),
            Err(error @ PathError::Ambiguous { .. }) => return Err(Mismatch::mistake(error.to_string())),
        };
        let failures: Vec<Mismatch> = self.tests.iter().filter_map(|test| test.run(found).err()).collect();
        let Some(first) = failures.first() else { return Ok(()) };
        let subject = if self.path == Path::root() { "the answer".to_owned() } else { format!("`{}`", self.path) };
        let reasons: Vec<&str> = failures.iter().map(|failure| failure.reason.as_str()).collect();
        Err(Mismatch { reason: format!("{subject} {}", reasons.join("; and ")), is_mistake: first.is_mistake })
    }

    fn asks_for_existence(&self) -> bool {
        self.tests.iter().any(|test| matches!(test, Test::Exists(_)))
    }

    fn fill(&self, variables: &Variables) -> Result<Self, TemplateError> {
        Ok(Self { path: self.path.clone(), tests: fill_tests(&self.tests, variables)? })
    }
}

impl Test {
    fn parse_all(wanted: Value) -> Result<Vec<Self>, NotAnExpectation> {
        match wanted {
            Value::Object(map) if map.is_empty() => Err(NotAnExpectation("an operator is missing".to_owned())),
            Value::Object(map) => map.into_iter().map(|(name, operand)| Self::parse(&name, operand)).collect(),
            plain => Ok(vec![Self::Compare(Operator::Eq, plain)]),
        }
    }

    fn parse(name: &str, operand: Value) -> Result<Self, NotAnExpectation> {
        let flag = |operand: &Value| {
            operand.as_bool().ok_or_else(|| NotAnExpectation(format!("`{name}` takes true or false, not {operand}")))
        };
        match name {
            "exists" => Ok(Self::Exists(flag(&operand)?)),
            "length" => Self::parse_all(operand).map(Self::Length),
            "any_match" => Expectation::of(operand).map(Self::AnyMatch),
            "none_match" => Expectation::of(operand).map(Self::NoneMatch),
            _ => {
                let operator = Operator::named(name).ok_or_else(|| {
                    NotAnExpectation(format!("unknown operator `{name}`; known: {}", operator_names()))
                })?;
                operator.check_operand(&operand).map_err(NotAnExpectation)?;
                Ok(Self::Compare(operator, operand))
            }
        }
    }

    fn run(&self, found: Option<&Value>) -> Result<(), Mismatch> {
        let Some(value) = found else {
            return match self {
                Self::Exists(false) => Ok(()),
                _ => Err(Mismatch::no("is not there".to_owned())),
            };
        };
        match self {
            Self::Exists(true) => Ok(()),
            Self::Exists(false) => Err(Mismatch::no(format!("is there: {}", shown(value)))),
            Self::Compare(operator, operand) => compare(*operator, value, operand),
            Self::Length(tests) => length(value, tests),
            Self::AnyMatch(wanted) => any_match(value, wanted),
            Self::NoneMatch(unwanted) => none_match(value, unwanted),
        }
    }

    fn fill(&self, variables: &Variables) -> Result<Self, TemplateError> {
        Ok(match self {
            Self::Compare(operator, operand) => Self::Compare(*operator, template::fill(operand, variables)?),
            Self::Exists(wanted) => Self::Exists(*wanted),
            Self::Length(tests) => Self::Length(fill_tests(tests, variables)?),
            Self::AnyMatch(wanted) => Self::AnyMatch(wanted.fill(variables)?),
            Self::NoneMatch(unwanted) => Self::NoneMatch(unwanted.fill(variables)?),
        })
    }

    fn templates(&self) -> Vec<&Value> {
        match self {
            Self::Compare(_, operand) => vec![operand],
            Self::Exists(_) => Vec::new(),
            Self::Length(tests) => tests.iter().flat_map(Self::templates).collect(),
            Self::AnyMatch(inner) | Self::NoneMatch(inner) => inner.templates(),
        }
    }
}

impl Mismatch {
    fn no(reason: String) -> Self {
        Self { reason, is_mistake: false }
    }

    fn mistake(reason: String) -> Self {
        Self { reason, is_mistake: true }
    }
}

fn fill_tests(tests: &[Test], variables: &Variables) -> Result<Vec<Test>, TemplateError> {
    tests.iter().map(|test| test.fill(variables)).collect()
}

fn compare(operator: Operator, value: &Value, operand: &Value) -> Result<(), Mismatch> {
    match operator.holds(value, operand) {
        Ok(true) => Ok(()),
        Ok(false) if operator == Operator::Eq => {
            Err(Mismatch::no(format!("is {}, expected {}", shown(value), shown(operand))))
        }
        Ok(false) => Err(Mismatch::no(format!("is {}, expected {} {}", shown(value), operator.name(), shown(operand)))),
        Err(why) => Err(Mismatch::mistake(format!("is {}: {why}", shown(value)))),
    }
}

fn length(value: &Value, tests: &[Test]) -> Result<(), Mismatch> {
    let length = match value {
        Value::Array(items) => items.len(),
        Value::String(text) => text.chars().count(),
        Value::Object(fields) => fields.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            return Err(Mismatch::mistake(format!("is {}, which has no length", shown(value))));
        }
    };
    let length = Value::from(length);
    tests.iter().try_for_each(|test| test.run(Some(&length))).map_err(|mut mismatch| {
        mismatch.reason.insert_str(0, "has a length that ");
        mismatch
    })
}

fn any_match(value: &Value, wanted: &Expectation) -> Result<(), Mismatch> {
    let items = list(value, "any_match")?;
    let mut reasons = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match wanted.check(item) {
            Ok(()) => return Ok(()),
            Err(mismatch) if index < SHOWN_ELEMENTS => reasons.push(format!("\n  [{index}] {}", mismatch.indented())),
            Err(_) => {}
        }
    }
    Err(Mismatch::no(format!("has no element of {} that matches{}", items.len(), reasons.concat())))
}

fn none_match(value: &Value, unwanted: &Expectation) -> Result<(), Mismatch> {
    for (index, item) in list(value, "none_match")?.iter().enumerate() {
        match unwanted.check(item) {
            Ok(()) => return Err(Mismatch::no(format!("has an unwanted element [{index}]: {}", shown(item)))),
            Err(mismatch) if mismatch.is_mistake => return Err(mismatch),
            Err(_) => {}
        }
    }
    Ok(())
}

fn list<'v>(value: &'v Value, operator: &str) -> Result<&'v [Value], Mismatch> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(Mismatch::mistake(format!("is {}, and {operator} needs a list", shown(other)))),
    }
}

impl Mismatch {
    fn indented(&self) -> String {
        self.reason.replace('\n', "\n      ")
    }
}

fn is_operator(name: &str) -> bool {
    matches!(name, "exists" | "length" | "any_match" | "none_match") || Operator::named(name).is_some()
}

fn operator_names() -> String {
    let plain = Operator::ALL.map(Operator::name);
    format!("{}, length, exists, any_match, none_match", plain.join(", "))
}

/// A value for a message: JSON, cut to a readable length.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 160;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
