//! The operators that compare a value with an operand.

use std::cmp::Ordering;
use std::str::FromStr;

use chrono::DateTime;
use regex::Regex;
use rust_decimal::Decimal;
use serde_json::{Number, Value};

use crate::scenario::template;

/// A comparison of a value with an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    NotIn,
    StartsWith,
    Contains,
    NotNull,
    Matches,
}

impl Operator {
    pub(super) const ALL: [Self; 12] = [
        Self::Eq,
        Self::Ne,
        Self::Gt,
        Self::Gte,
        Self::Lt,
        Self::Lte,
        Self::In,
        Self::NotIn,
        Self::StartsWith,
        Self::Contains,
        Self::NotNull,
        Self::Matches,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::In => "in",
            Self::NotIn => "not_in",
            Self::StartsWith => "starts_with",
            Self::Contains => "contains",
            Self::NotNull => "not_null",
            Self::Matches => "matches",
        }
    }

    /// Refuses an operand that can never fit; one with a placeholder is judged when it is filled.
    pub(super) fn check_operand(self, operand: &Value) -> Result<(), String> {
        if operand.as_str().is_some_and(template::has_placeholder) {
            return Ok(());
        }
        let name = self.name();
        match (self, operand) {
            (Self::In | Self::NotIn, Value::Array(_))
            | (Self::NotNull, Value::Bool(_))
            | (Self::StartsWith, Value::String(_))
            | (Self::Gt | Self::Gte | Self::Lt | Self::Lte, Value::Number(_) | Value::String(_))
            | (Self::Eq | Self::Ne | Self::Contains, _) => Ok(()),
            (Self::Matches, Value::String(pattern)) => compile(pattern).map(drop),
            (Self::In | Self::NotIn, _) => Err(format!("`{name}` takes a list, not {operand}")),
            (Self::NotNull, _) => Err(format!("`{name}` takes true or false, not {operand}")),
            (Self::StartsWith | Self::Matches, _) => Err(format!("`{name}` takes a text, not {operand}")),
            (Self::Gt | Self::Gte | Self::Lt | Self::Lte, _) => {
                Err(format!("`{name}` takes a number or a text, not {operand}"))
            }
        }
    }

    /// Whether the comparison holds; the error says that it makes no sense for these two.
    pub(super) fn holds(self, value: &Value, operand: &Value) -> Result<bool, String> {
        self.check_operand(operand)?;
        match self {
            Self::Eq => Ok(is_equal(value, operand)),
            Self::Ne => Ok(!is_equal(value, operand)),
            Self::Gt => Ok(order(value, operand)?.is_gt()),
            Self::Gte => Ok(order(value, operand)?.is_ge()),
            Self::Lt => Ok(order(value, operand)?.is_lt()),
            Self::Lte => Ok(order(value, operand)?.is_le()),
            Self::In => Ok(is_among(value, operand)),
            Self::NotIn => Ok(!is_among(value, operand)),
            Self::StartsWith => Ok(text(value, self)?.starts_with(text(operand, self)?)),
            Self::Contains => contains(value, operand),
            Self::NotNull => Ok(value.is_null() != operand.as_bool().unwrap_or(true)),
            Self::Matches => Ok(compile(text(operand, self)?)?.is_match(text(value, self)?)),
        }
    }
}

/// Equal as JSON, except that `5` and `5.0` are the same number.
pub(in crate::scenario) fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| is_equal(value, other)))
        }
        _ => left == right,
    }
}

/// Numbers by value; texts as amounts or as instants where both are such, and otherwise letter by letter.
fn order(left: &Value, right: &Value) -> Result<Ordering, String> {
    let incomparable = || format!("it cannot be ordered against {right}");
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right).ok_or_else(incomparable),
        (Value::String(left), Value::String(right)) => Ok(order_texts(left, right)),
        _ => Err(incomparable()),
    }
}

fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn order_texts(left: &str, right: &str) -> Ordering {
    if let (Ok(left), Ok(right)) = (Decimal::from_str(left), Decimal::from_str(right)) {
        return left.cmp(&right);
    }
    if let (Ok(left), Ok(right)) = (DateTime::parse_from_rfc3339(left), DateTime::parse_from_rfc3339(right)) {
        return left.cmp(&right);
    }
    left.cmp(right)
}

fn is_among(value: &Value, operand: &Value) -> bool {
    operand.as_array().is_some_and(|items| items.iter().any(|item| is_equal(value, item)))
}

fn contains(value: &Value, operand: &Value) -> Result<bool, String> {
    match (value, operand) {
        (Value::String(text), Value::String(part)) => Ok(text.contains(part.as_str())),
        (Value::Array(items), _) => Ok(items.iter().any(|item| is_equal(item, operand))),
        _ => Err("contains needs a list, or a text and a text".to_owned()),
    }
}

fn text(value: &Value, operator: Operator) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{} needs a text", operator.name()))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("`{pattern}` is not a pattern: {error}"))
}
