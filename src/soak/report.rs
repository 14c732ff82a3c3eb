//! Says what a run came to, and whether that is right: as JSON for programs, as Markdown for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::Size;
use super::account::{Account, Difference, digest_of_all};
use super::catalog::{decimal, hundredths};
use super::driver::{Lived, Surprise};
use super::operator::Deeds;
use super::plan::Year;

/// Most places of one customer that are named.
const PLACES_MAX: usize = 10;

/// Most customers and steps that the page for people names.
const SHOWN_MAX: usize = 25;

/// What the product says at the end.
#[derive(Debug)]
pub(super) struct Seen {
    /// In the order of the customers' numbers.
    pub(super) accounts: Vec<Account>,
    pub(super) audit: Value,
    pub(super) parked: Value,
    /// Services of which the network has not confirmed what is wanted.
    pub(super) unconfirmed: usize,
    pub(super) elapsed: Duration,
}

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub seed: u64,
    pub customers: u32,
    pub days: u32,
    pub kills: u32,
    pub lost_answers: u64,
    pub wall_seconds: f64,
    pub steps: BTreeMap<&'static str, u64>,
    /// What the operator of the network did.
    pub deeds: Deeds,
    /// What the customers were told, by the product.
    pub messages: u64,
    /// Steps that a rule refused.
    pub refused: u64,
    pub lines: usize,
    pub periods: usize,
    pub expected: Totals,
    pub actual: Totals,
    pub audit_ok: bool,
    /// Checks of the books that found something.
    pub audit_failed: Vec<String>,
    /// Deliveries that wait for a person.
    pub parked: usize,
    /// Services of which the network has not confirmed what is wanted, since the operator gave it up: by the model and by the
    /// product, which has the services of lines that never came about as well. Not more than can be counted.
    pub unconfirmed: [usize; 2],
    /// Steps that did not end as the model says.
    pub surprises: Vec<Surprise>,
    /// Customers who are not as the model says.
    pub differences: Vec<Differing>,
    /// Over all customers, by the product.
    pub digest: String,
    /// By the product, in the order of the customers' numbers.
    pub digests: Vec<String>,
}

/// Charges of all customers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    pub approved: u64,
    pub declined: u64,
    /// Of the approved ones, decimal text.
    pub amount: String,
}

/// One customer who is not as expected.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Differing {
    pub customer: usize,
    pub customer_id: String,
    pub places: Vec<Difference>,
}

impl Totals {
    fn of(accounts: &[Account]) -> Self {
        let charges = || accounts.iter().flat_map(|account| &account.charges);
        let approved = || charges().filter(|charge| charge.status == "approved");
        let amount = approved().filter_map(|charge| hundredths(&charge.amount)).sum();
        let declined = charges().filter(|charge| charge.status == "declined").count();
        Self { approved: approved().count() as u64, declined: declined as u64, amount: decimal(amount) }
    }
}

impl Report {
    pub(super) fn new(
        size: &Size,
        years: &[Year],
        lived: &Lived,
        Seen { accounts, audit, parked, unconfirmed, elapsed }: &Seen,
    ) -> Self {
        let expected: Vec<Account> = years.iter().map(|year| year.customer.account()).collect();
        let compared = expected.iter().zip(accounts).enumerate().map(|(customer, (expected, actual))| Differing {
            customer,
            customer_id: lived.customers.get(customer).map(|known| known.id.clone()).unwrap_or_default(),
            places: expected.differences(actual, PLACES_MAX),
        });
        let differences = compared.filter(|differing| !differing.places.is_empty()).collect();
        let digests: Vec<String> = accounts.iter().map(Account::digest).collect();
        let open =
            expected.iter().flat_map(|account| &account.lines).filter(|line| line.network.is_unconfirmed()).count();
        let lines = || accounts.iter().flat_map(|account| &account.lines);
        Self {
            seed: size.seed,
            customers: size.customers,
            days: size.days,
            kills: lived.kills,
            lost_answers: lived.lost_answers,
            wall_seconds: elapsed.as_secs_f64(),
            steps: lived.steps.clone(),
            deeds: lived.deeds.clone(),
            messages: accounts.iter().map(messages).sum(),
            refused: lived.refused,
            lines: lines().count(),
            periods: lines().map(|line| line.periods.len()).sum(),
            expected: Totals::of(&expected),
            actual: Totals::of(accounts),
            audit_ok: audit["ok"] == true,
            audit_failed: failed_checks(audit),
            parked: parked.as_array().map_or(0, Vec::len),
            unconfirmed: [open, *unconfirmed],
            surprises: lived.surprises.clone(),
            differences,
            digest: digest_of_all(digests.iter().map(String::as_str)),
            digests,
        }
    }

    /// Whether everything is as it must be.
    pub fn is_clean(&self) -> bool {
        self.audit_ok
            && self.parked == 0
            && self.unconfirmed[0] == self.unconfirmed[1]
            && self.surprises.is_empty()
            && self.differences.is_empty()
            && self.expected == self.actual
    }

    /// The page for people.
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "# Soak: {} customers, {} days, seed {}\n\n{}\n\n",
            self.customers,
            self.days,
            self.seed,
            if self.is_clean() { "Everything is as the model says." } else { "**Something is wrong; see below.**" }
        );
        let verdict = if self.audit_ok { "clean".to_owned() } else { self.audit_failed.join(", ") };
        let rows = [
            ("wall time", format!("{:.0} s", self.wall_seconds)),
            ("kills survived", self.kills.to_string()),
            ("answers lost and asked for again", self.lost_answers.to_string()),
            ("lines", self.lines.to_string()),
            ("periods paid", self.periods.to_string()),
            ("messages to customers", self.messages.to_string()),
            ("steps refused by a rule", self.refused.to_string()),
            ("audit verify", verdict),
            ("deliveries parked", self.parked.to_string()),
            ("services not confirmed, by the model", self.unconfirmed[0].to_string()),
            ("services not confirmed, by the product", self.unconfirmed[1].to_string()),
            ("steps that ended otherwise", self.surprises.len().to_string()),
            ("customers that differ", self.differences.len().to_string()),
            ("digest", format!("`{}`", self.digest)),
        ];
        page += "| | |\n|---|---|\n";
        for (what, value) in rows {
            let _ = writeln!(page, "| {what} | {value} |");
        }
        page += "\n| charges | by the model | by the product |\n|---|---|---|\n";
        let (model, product) = (&self.expected, &self.actual);
        let _ = writeln!(page, "| approved | {} | {} |", model.approved, product.approved);
        let _ = writeln!(page, "| declined | {} | {} |", model.declined, product.declined);
        let _ = writeln!(page, "| amount | {} | {} |", model.amount, product.amount);
        page += "\n| steps | |\n|---|---|\n";
        for (step, count) in &self.steps {
            let _ = writeln!(page, "| {step} | {count} |");
        }
        page += "\n| the operator of the network | |\n|---|---|\n";
        for (deed, count) in &self.deeds {
            let _ = writeln!(page, "| {deed} | {count} |");
        }
        self.what_is_wrong(&mut page);
        page
    }

    fn what_is_wrong(&self, page: &mut String) {
        if !self.surprises.is_empty() {
            *page += "\n## Steps that ended otherwise\n\n| customer | day | step | expected | actual |\n|---|---|---|---|---|\n";
            for Surprise { customer, day, step, expected, actual } in self.surprises.iter().take(SHOWN_MAX) {
                let step = serde_json::to_string(step).unwrap_or_default();
                let _ = writeln!(page, "| {customer} | {day} | `{step}` | {expected:?} | {actual:?} |");
            }
        }
        if !self.differences.is_empty() {
            *page +=
                "\n## Customers that differ\n\n| customer | id | place | expected | actual |\n|---|---|---|---|---|\n";
            for Differing { customer, customer_id, places } in self.differences.iter().take(SHOWN_MAX) {
                for Difference { path, expected, actual } in places {
                    let _ = writeln!(page, "| {customer} | {customer_id} | {path} | `{expected}` | `{actual}` |");
                }
            }
        }
    }
}

fn messages(account: &Account) -> u64 {
    let of_lines = account.lines.iter().flat_map(|line| line.told.values());
    account.told.values().chain(of_lines).map(|times| u64::from(*times)).sum()
}

fn failed_checks(audit: &Value) -> Vec<String> {
    let checks = audit["checks"].as_array().into_iter().flatten();
    let failed = checks.filter(|check| check["offenders"].as_array().is_some_and(|offenders| !offenders.is_empty()));
    failed.map(|check| check["name"].as_str().unwrap_or("?").to_owned()).collect()
}
