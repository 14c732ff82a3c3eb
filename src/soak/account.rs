//! What is compared: the whole of a customer at the end, without anything that depends on who came first. The model and
//! the product each fill one; their digests are those of the same text.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// One customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// In the order of their instants; those of the same one by what they are for.
    pub charges: Vec<Charge>,
    /// Lines that were ever in service, oldest first.
    pub lines: Vec<LineAccount>,
    /// What the customer was told that is about none of these lines: how often each.
    pub told: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Charge {
    pub at: String,
    pub purpose: String,
    pub amount: String,
    pub status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineAccount {
    pub state: String,
    pub block_reasons: Vec<String>,
    pub plan: String,
    pub price: String,
    pub period_start: String,
    pub period_end: String,
    pub terminated_at: Option<String>,
    pub pending_plan: Option<String>,
    pub pending_from: Option<String>,
    pub quota: BTreeMap<String, QuotaAccount>,
    pub periods: Vec<PeriodAccount>,
    pub network: NetworkAccount,
    /// What the customer was told about it: how often each.
    pub told: BTreeMap<String, u32>,
}

/// What the network knows of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NetworkAccount {
    /// Of the line's service.
    pub state: String,
    /// What it is to do: `in_service`, `suspended` or `removed`.
    pub wanted: String,
    /// What it has confirmed, or an operator for it.
    pub confirmed: String,
    /// What it has done last, by its tasks.
    pub did: String,
    /// The plan whose policy it is to apply.
    pub policy_wanted: String,
    pub policy_confirmed: String,
    /// Tasks that are not over.
    pub open_tasks: usize,
}

impl NetworkAccount {
    /// Whether the network has not confirmed what it is to do; of a service that is out of it no policy is wanted.
    pub fn is_unconfirmed(&self) -> bool {
        self.wanted != self.confirmed || self.wanted != "removed" && self.policy_wanted != self.policy_confirmed
    }
}

/// As it is shown: -1 is unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuotaAccount {
    pub total: i64,
    pub consumed: i64,
    pub remaining: i64,
    pub unlimited_until: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeriodAccount {
    pub index: i64,
    pub start: String,
    pub end: String,
    pub plan: String,
    pub amount: String,
}

/// One place where two accounts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Such as `/lines/0/quota/data/remaining`.
    pub path: String,
    pub expected: Value,
    pub actual: Value,
}

impl Account {
    /// SHA-256 of its canonical text, in hexadecimal.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.value().to_string()))
    }

    /// Where `actual` is not what is expected here; at most `limit` places.
    pub fn differences(&self, actual: &Self, limit: usize) -> Vec<Difference> {
        let mut found = Vec::new();
        compare("", &self.value(), &actual.value(), limit, &mut found);
        found
    }

    fn value(&self) -> Value {
        // Plain data under text keys always becomes JSON.
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// One digest over all of them, in their order.
pub fn digest_of_all<'a>(digests: impl IntoIterator<Item = &'a str>) -> String {
    let mut all = Sha256::new();
    for digest in digests {
        all.update(digest);
        all.update("\n");
    }
    hex(&all.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn compare(path: &str, expected: &Value, actual: &Value, limit: usize, found: &mut Vec<Difference>) {
    if expected == actual || found.len() >= limit {
        return;
    }
    match (expected, actual) {
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(added) {
                compare(&format!("{path}/{key}"), &expected[key.as_str()], &actual[key.as_str()], limit, found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for at in 0..one.len().max(other.len()) {
                let side = |list: &[Value]| list.get(at).cloned().unwrap_or_default();
                compare(&format!("{path}/{at}"), &side(one), &side(other), limit, found);
            }
        }
        _ => found.push(Difference { path: path.to_owned(), expected: expected.clone(), actual: actual.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(amounts: &[&str]) -> Account {
        let charge = |amount: &&str| Charge {
            at: "2027-01-15".into(),
            purpose: "vas".into(),
            amount: (*amount).into(),
            status: "approved".into(),
        };
        Account { charges: amounts.iter().map(charge).collect(), ..Account::default() }
    }

    #[test]
    fn a_difference_is_named_by_its_place_and_changes_the_digest() {
        let (expected, actual) = (account(&["3.00", "5.00"]), account(&["3.00", "8.00", "1.00"]));
        let paths: Vec<String> =
            expected.differences(&actual, 10).into_iter().map(|difference| difference.path).collect();
        assert_eq!(paths, ["/charges/1/amount", "/charges/2"]);
        assert_eq!(expected.differences(&actual, 1).len(), 1);
        assert_eq!(expected.differences(&expected, 10), []);
        assert_ne!(expected.digest(), actual.digest());
        assert_eq!(expected.digest(), account(&["3.00", "5.00"]).digest());
        assert_ne!(digest_of_all(["a", "b"]), digest_of_all(["ab"]));
    }
}
