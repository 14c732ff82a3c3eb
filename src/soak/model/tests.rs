use super::*;
use crate::soak::catalog::tests::catalog;

/// Day 0 is 2027-01-15.
fn day(days: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, 15).unwrap() + chrono::Days::new(days)
}

/// A customer and the day they live in.
struct Life {
    customer: Customer,
    catalog: Catalog,
    today: u64,
}

impl Life {
    fn on(plan: &str) -> Self {
        let mut life = Self { customer: Customer::new(), catalog: catalog(), today: 0 };
        assert_eq!(life.act(&Step::Join { plan: plan.into(), card: Card::Good }), Outcome::Done);
        life
    }

    fn act(&mut self, step: &Step) -> Outcome {
        self.customer.act(day(self.today), step, &self.catalog)
    }

    fn until(&mut self, today: u64) -> &mut Self {
        while self.today < today {
            self.today += 1;
            self.customer.dawn(day(self.today), &self.catalog);
        }
        self
    }

    fn consume(&mut self, what: Use, quantity: i64) -> Outcome {
        self.act(&Step::Use { what, quantity })
    }

    fn top_up(&mut self, id: &str) -> Outcome {
        self.act(&Step::TopUp { top_up: id.into() })
    }

    fn line(&self) -> LineAccount {
        self.customer.account().lines.last().unwrap().clone()
    }

    fn reasons(&self) -> Vec<String> {
        self.line().block_reasons
    }

    /// Amount, and whether it was declined.
    fn charges(&self) -> Vec<String> {
        let charges = self.customer.account().charges;
        charges.into_iter().map(|charge| format!("{} {}", charge.amount, charge.status)).collect()
    }
}

#[test]
fn data_used_up_blocks_and_a_top_up_brings_back() {
    let mut life = Life::on("S");
    assert_eq!(life.consume(Use::Data, 6_000), Outcome::Done, "cut to what is left");
    assert_eq!(life.reasons(), ["exhausted"]);
    assert_eq!(life.consume(Use::Voice, 1), Outcome::refused("usage.record.subscription_must_be_active"));
    assert_eq!(life.top_up("ROAM"), Outcome::Done);
    assert_eq!(life.reasons(), ["exhausted"], "roaming data is no home data");
    assert_eq!(life.top_up("GB"), Outcome::Done);
    assert_eq!(life.line().state, "active");
    assert_eq!(life.line().quota["data"].remaining, 1_024);
    life.until(30);
    assert_eq!(
        (life.line().quota["data"].total, life.line().quota["data_roaming"].total),
        (5_120, 0),
        "gone with the period"
    );
    assert_eq!(life.charges(), ["10.00 approved", "3.00 approved", "8.00 approved", "10.00 approved"]);
}

#[test]
fn voice_and_roaming_end_without_a_block() {
    let mut life = Life::on("S");
    assert_eq!(life.consume(Use::Voice, 90), Outcome::Done);
    assert_eq!(life.consume(Use::Voice, 20), Outcome::Done, "the event that crosses zero is served");
    assert_eq!(life.consume(Use::Voice, 1), Outcome::refused("usage.allowance_exhausted"));
    assert_eq!(life.consume(Use::Roaming, 1), Outcome::refused("subscription.usage_rated.roaming_balance_required"));
    assert_eq!(life.line().state, "active");
}

#[test]
fn a_pass_runs_its_days_and_what_was_used_up_blocks_again() {
    let mut life = Life::on("S");
    life.consume(Use::Data, 5_120);
    assert_eq!(life.top_up("PASS"), Outcome::Done);
    assert_eq!(life.consume(Use::Data, 99_999), Outcome::Done);
    assert_eq!((life.line().quota["data"].total, life.line().quota["data"].consumed), (-1, 5_120));
    assert_eq!(life.top_up("PASS"), Outcome::Done, "the second one follows the first");
    assert_eq!(life.until(1).line().state, "active");
    assert_eq!(life.until(2).reasons(), ["exhausted"]);
    assert_eq!(life.until(30).line().state, "active", "renewed although exhausted");
}

#[test]
fn a_decline_blocks_until_it_is_paid_and_the_period_begins_then() {
    let mut life = Life::on("S");
    life.act(&Step::ReplaceCard { card: Card::Declines });
    assert_eq!(life.until(30).reasons(), ["payment"]);
    assert_eq!(life.top_up("GB"), Outcome::refused("subscription.vas_purchase.requires_active_cof"));
    life.until(40).act(&Step::Renew);
    assert_eq!(life.reasons(), ["payment"], "declined again");
    life.act(&Step::ReplaceCard { card: Card::Good });
    life.act(&Step::Renew);
    let line = life.line();
    assert_eq!((line.state.as_str(), line.period_start, line.period_end), ("active", noon(day(40)), noon(day(70))));
    assert_eq!(life.charges().iter().filter(|charge| charge.ends_with("declined")).count(), 3);
    assert_eq!(life.until(70).line().periods.len(), 3);
}

#[test]
fn a_lost_phone_is_not_renewed_and_missed_periods_are_not_charged() {
    let mut life = Life::on("S");
    life.act(&Step::Block { hold: Hold::Requested });
    assert_eq!(life.until(65).charges().len(), 1);
    assert_eq!(
        life.act(&Step::Unblock { hold: Hold::Fraud }),
        Outcome::refused("subscription.unblock.nothing_to_lift")
    );
    assert_eq!(life.act(&Step::Unblock { hold: Hold::Requested }), Outcome::Done);
    let line = life.until(66).line();
    assert_eq!(
        (line.period_start, line.period_end),
        (noon(day(60)), noon(day(90))),
        "no drift, nothing for days 30 to 60"
    );
    assert_eq!(life.charges().len(), 2);
}

#[test]
fn an_early_renewal_begins_at_once_and_loses_no_day() {
    let mut life = Life::on("S");
    let change = Step::ChangePlan { to: "M".into(), by_order: false };
    assert_eq!(life.act(&change), Outcome::Done);
    assert_eq!(life.act(&change), Outcome::refused("subscription.plan_change.already_pending"));
    life.until(10).act(&Step::Renew);
    let line = life.line();
    assert_eq!((line.period_start, line.period_end, line.plan.as_str()), (noon(day(10)), noon(day(60)), "S"));
    assert_eq!(line.pending_from, Some(noon(day(60))), "the change waits for the next boundary");
    let line = life.until(60).line();
    assert_eq!((line.plan.as_str(), line.pending_plan, line.quota["voice"].remaining), ("M", None, -1));
    assert_eq!(life.charges(), ["10.00 approved", "10.00 approved", "25.00 approved"]);
}

#[test]
fn a_change_that_was_owed_is_paid_late_and_a_cancelled_one_never() {
    let mut life = Life::on("S");
    life.act(&Step::ChangePlan { to: "MONTHLY".into(), by_order: true });
    life.act(&Step::ReplaceCard { card: Card::Declines });
    assert_eq!(life.until(33).line().pending_plan.as_deref(), Some("MONTHLY"));
    life.act(&Step::ReplaceCard { card: Card::Good });
    life.act(&Step::Renew);
    let line = life.line();
    assert_eq!(
        (line.plan.as_str(), line.period_end.as_str()),
        ("MONTHLY", "2027-03-17T12:00:00Z"),
        "a month from 2027-02-17"
    );
    life.act(&Step::ChangePlan { to: "M".into(), by_order: true });
    life.act(&Step::CancelChange);
    assert_eq!(life.until(70).line().plan, "MONTHLY");
}

#[test]
fn months_keep_the_day_on_which_they_began() {
    let mut life = Life::on("S");
    life.act(&Step::Terminate { by_order: true });
    life.until(16).act(&Step::Join { plan: "MONTHLY".into(), card: Card::Good });
    let ends: Vec<String> = life.until(120).line().periods.into_iter().map(|period| period.end).collect();
    let expected = ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"].map(|end| format!("{end}T12:00:00Z"));
    assert_eq!(ends, expected);
}

#[test]
fn an_end_is_an_end() {
    let mut life = Life::on("M");
    life.act(&Step::ChangePlan { to: "S".into(), by_order: false });
    assert_eq!(life.act(&Step::Terminate { by_order: false }), Outcome::Done);
    let line = life.until(60).line();
    assert_eq!((line.state.as_str(), line.pending_plan, line.terminated_at), ("terminated", None, Some(noon(day(0)))));
    assert_eq!((line.quota["data"].remaining, line.quota["voice"].remaining), (0, -1));
    assert_eq!(
        life.act(&Step::Terminate { by_order: false }),
        Outcome::refused("subscription.terminate.invalid_state")
    );
    assert_eq!(life.charges().len(), 1);
    assert!(life.customer.line().is_none());
}

#[test]
fn a_declined_activation_leaves_a_charge_and_no_line() {
    let mut life = Life { customer: Customer::new(), catalog: catalog(), today: 0 };
    let join = Step::Join { plan: "S".into(), card: Card::Declines };
    assert_eq!(life.act(&join), Outcome::refused("the order failed"));
    assert_eq!(life.charges(), ["10.00 declined"]);
    life.act(&Step::ReplaceCard { card: Card::Good });
    assert_eq!(life.act(&join), Outcome::Done, "the card of the first time counts only then");
    assert_eq!(life.line().state, "active");
}
