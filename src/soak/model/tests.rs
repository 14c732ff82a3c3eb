use super::*;
use crate::soak::account::LineAccount;
use crate::soak::catalog::tests::catalog;
use crate::soak::outage::{How, Outage, Task};
use crate::soak::price::Move;
use crate::soak::step::Use;

/// Day 0 is 2027-01-15.
fn day(days: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, 15).unwrap() + chrono::Days::new(days)
}

fn joins(plan: &str, card: Card) -> Step {
    Step::Join { plan: plan.into(), card, code: None, chosen: false }
}

/// A customer and the day they live in.
struct Life {
    customer: Customer,
    catalog: Catalog,
    today: u64,
}

impl Life {
    fn on(plan: &str) -> Self {
        let mut someone = Self { customer: Customer::default(), catalog: catalog(), today: 0 };
        assert_eq!(someone.act(&joins(plan, Card::Good)), Outcome::Done);
        someone
    }

    fn act(&mut self, step: &Step) -> Outcome {
        self.customer.act(day(self.today), step, &self.catalog)
    }

    fn until(&mut self, today: u64) -> &mut Self {
        while self.today < today {
            self.today += 1;
            self.customer.dawn(day(self.today), &self.catalog);
            self.customer.dusk(day(self.today), &self.catalog);
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

fn moved(id: &str, price: i64, on: u64, notice_days: u32) -> Move {
    let on_day = u32::try_from(on).unwrap();
    Move { plan: "S".into(), price_id: id.into(), price, on: day(on), day: on_day, from: day(on), notice_days }
}

#[test]
fn a_line_pays_the_new_price_after_its_notice_and_who_comes_pays_it_at_once() {
    let mut someone = Life::on("S");
    someone.catalog.moves = vec![moved("S_10", 1_200, 10, 30)];
    someone.until(10);
    assert_eq!((someone.line().price, someone.line().pending_from), ("10.00".into(), Some(noon(day(40)))));
    someone.until(60);
    assert_eq!(someone.charges(), ["10.00 approved", "10.00 approved", "12.00 approved"]);
    assert_eq!(someone.line().pending_plan, None);
    someone.act(&Step::Terminate { by_order: false });
    someone.act(&joins("S", Card::Good));
    assert_eq!((someone.line().price, someone.line().pending_plan), ("12.00".into(), None));
}

#[test]
fn a_later_move_takes_the_place_of_one_that_is_open() {
    let mut someone = Life::on("S");
    someone.catalog.moves = vec![moved("S_5", 1_200, 5, 20), moved("S_8", 900, 8, 30)];
    someone.until(9);
    assert_eq!(someone.line().pending_from, Some(noon(day(38))));
    someone.until(60);
    assert_eq!(someone.charges(), ["10.00 approved", "10.00 approved", "9.00 approved"]);
}

#[test]
fn a_plan_change_leaves_a_move_behind_and_who_comes_by_one_is_told_while_it_is_open() {
    let mut someone = Life::on("M");
    // Booked at the price of the day, which is another one when the plan begins.
    someone.act(&Step::ChangePlan { to: "S".into(), by_order: false });
    someone.catalog.moves = vec![moved("S_20", 1_200, 20, 20)];
    someone.until(30);
    assert_eq!((someone.line().plan, someone.line().price), ("S".into(), "10.00".into()));
    assert_eq!(someone.line().pending_from, Some(noon(day(50))), "told on the day on which the plan began");
    someone.until(90);
    assert_eq!(someone.charges(), ["25.00 approved", "10.00 approved", "12.00 approved", "12.00 approved"]);
}

#[test]
fn an_order_that_is_called_off_leaves_nothing_but_the_card() {
    let mut someone = Life { customer: Customer::default(), catalog: catalog(), today: 0 };
    assert_eq!(someone.act(&Step::CallOff { plan: "S".into(), card: Card::Declines }), Outcome::Done);
    let known = Account { told: [("welcome".to_owned(), 1)].into(), ..Account::default() };
    assert_eq!(someone.customer.account(), known);
    let joined = someone.act(&joins("S", Card::Good));
    assert_eq!(joined, Outcome::refused("the order failed"), "the card on file is the first one");
}

#[test]
fn data_used_up_blocks_and_a_top_up_brings_back() {
    let mut someone = Life::on("S");
    assert_eq!(someone.consume(Use::Data, 6_000), Outcome::Done, "cut to what is left");
    assert_eq!(someone.reasons(), ["exhausted"]);
    assert_eq!(someone.consume(Use::Voice, 1), Outcome::refused("usage.record.subscription_must_be_active"));
    assert_eq!(someone.top_up("ROAM"), Outcome::Done);
    assert_eq!(someone.reasons(), ["exhausted"], "roaming data is no home data");
    assert_eq!(someone.top_up("GB"), Outcome::Done);
    assert_eq!(someone.line().state, "active");
    assert_eq!(someone.line().quota["data"].remaining, 1_024);
    someone.until(30);
    assert_eq!(
        (someone.line().quota["data"].total, someone.line().quota["data_roaming"].total),
        (5_120, 0),
        "gone with the period"
    );
    assert_eq!(someone.charges(), ["10.00 approved", "3.00 approved", "8.00 approved", "10.00 approved"]);
}

#[test]
fn voice_and_roaming_end_without_a_block() {
    let mut someone = Life::on("S");
    assert_eq!(someone.consume(Use::Voice, 90), Outcome::Done);
    assert_eq!(someone.consume(Use::Voice, 20), Outcome::Done, "the event that crosses zero is served");
    assert_eq!(someone.consume(Use::Voice, 1), Outcome::refused("usage.allowance_exhausted"));
    assert_eq!(someone.consume(Use::Roaming, 1), Outcome::refused("subscription.usage_rated.roaming_balance_required"));
    assert_eq!(someone.line().state, "active");
}

#[test]
fn a_pass_runs_its_days_and_what_was_used_up_blocks_again() {
    let mut someone = Life::on("S");
    someone.consume(Use::Data, 5_120);
    assert_eq!(someone.top_up("PASS"), Outcome::Done);
    assert_eq!(someone.consume(Use::Data, 99_999), Outcome::Done);
    assert_eq!((someone.line().quota["data"].total, someone.line().quota["data"].consumed), (-1, 5_120));
    assert_eq!(someone.top_up("PASS"), Outcome::Done, "the second one follows the first");
    assert_eq!(someone.until(1).line().state, "active");
    assert_eq!(someone.until(2).reasons(), ["exhausted"]);
    assert_eq!(someone.until(30).line().state, "active", "renewed although exhausted");
}

#[test]
fn a_decline_blocks_until_it_is_paid_and_the_period_begins_then() {
    let mut someone = Life::on("S");
    someone.act(&Step::ReplaceCard { card: Card::Declines });
    assert_eq!(someone.until(30).reasons(), ["payment"]);
    assert_eq!(someone.top_up("GB"), Outcome::refused("subscription.vas_purchase.requires_active_cof"));
    someone.until(40).act(&Step::Renew);
    assert_eq!(someone.reasons(), ["payment"], "declined again");
    someone.act(&Step::ReplaceCard { card: Card::Good });
    someone.act(&Step::Renew);
    let line = someone.line();
    assert_eq!((line.state.as_str(), line.period_start, line.period_end), ("active", noon(day(40)), noon(day(70))));
    assert_eq!(someone.charges().iter().filter(|charge| charge.ends_with("declined")).count(), 3);
    assert_eq!(someone.until(70).line().periods.len(), 3);
}

#[test]
fn an_early_renewal_that_is_declined_blocks_nothing_before_the_boundary() {
    let mut someone = Life::on("S");
    someone.until(10).act(&Step::ReplaceCard { card: Card::Declines });
    someone.act(&Step::Renew);
    assert_eq!((someone.line().state.as_str(), someone.charges().len()), ("active", 2));
    assert_eq!(someone.until(29).line().state, "active");
    assert_eq!(someone.until(30).reasons(), ["payment"]);
}

#[test]
fn a_lost_phone_is_not_renewed_and_missed_periods_are_not_charged() {
    let mut someone = Life::on("S");
    someone.act(&Step::Block { hold: Hold::Requested });
    assert_eq!(someone.until(65).charges().len(), 1);
    assert_eq!(
        someone.act(&Step::Unblock { hold: Hold::Fraud }),
        Outcome::refused("subscription.unblock.nothing_to_lift")
    );
    assert_eq!(someone.act(&Step::Unblock { hold: Hold::Requested }), Outcome::Done);
    let line = someone.until(66).line();
    assert_eq!(
        (line.period_start, line.period_end),
        (noon(day(60)), noon(day(90))),
        "no drift, nothing for days 30 to 60"
    );
    assert_eq!(someone.charges().len(), 2);
}

#[test]
fn an_early_renewal_begins_at_once_and_loses_no_day() {
    let mut someone = Life::on("S");
    let change = Step::ChangePlan { to: "M".into(), by_order: false };
    assert_eq!(someone.act(&change), Outcome::Done);
    assert_eq!(someone.act(&change), Outcome::refused("subscription.plan_change.already_pending"));
    someone.until(10).act(&Step::Renew);
    let line = someone.line();
    assert_eq!((line.period_start, line.period_end, line.plan.as_str()), (noon(day(10)), noon(day(60)), "S"));
    assert_eq!(line.pending_from, Some(noon(day(60))), "the change waits for the next boundary");
    let line = someone.until(60).line();
    assert_eq!((line.plan.as_str(), line.pending_plan, line.quota["voice"].remaining), ("M", None, -1));
    assert_eq!(someone.charges(), ["10.00 approved", "10.00 approved", "25.00 approved"]);
}

#[test]
fn a_change_that_was_owed_is_paid_late_and_a_cancelled_one_never() {
    let mut someone = Life::on("S");
    someone.act(&Step::ChangePlan { to: "MONTHLY".into(), by_order: true });
    someone.act(&Step::ReplaceCard { card: Card::Declines });
    assert_eq!(someone.until(33).line().pending_plan.as_deref(), Some("MONTHLY"));
    someone.act(&Step::ReplaceCard { card: Card::Good });
    someone.act(&Step::Renew);
    let line = someone.line();
    assert_eq!(
        (line.plan.as_str(), line.period_end.as_str()),
        ("MONTHLY", "2027-03-17T12:00:00Z"),
        "a month from 2027-02-17"
    );
    someone.act(&Step::ChangePlan { to: "M".into(), by_order: true });
    someone.act(&Step::CancelChange);
    assert_eq!(someone.until(70).line().plan, "MONTHLY");
}

#[test]
fn months_keep_the_day_on_which_they_began() {
    let mut someone = Life::on("S");
    someone.act(&Step::Terminate { by_order: true });
    someone.until(16).act(&joins("MONTHLY", Card::Good));
    let ends: Vec<String> = someone.until(120).line().periods.into_iter().map(|period| period.end).collect();
    let expected = ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"].map(|end| format!("{end}T12:00:00Z"));
    assert_eq!(ends, expected);
}

#[test]
fn an_end_is_an_end() {
    let mut someone = Life::on("M");
    someone.act(&Step::ChangePlan { to: "S".into(), by_order: false });
    assert_eq!(someone.act(&Step::Terminate { by_order: false }), Outcome::Done);
    let line = someone.until(60).line();
    assert_eq!((line.state.as_str(), line.pending_plan, line.terminated_at), ("terminated", None, Some(noon(day(0)))));
    assert_eq!((line.quota["data"].remaining, line.quota["voice"].remaining), (0, -1));
    assert_eq!(
        someone.act(&Step::Terminate { by_order: false }),
        Outcome::refused("subscription.terminate.invalid_state")
    );
    assert_eq!(someone.charges().len(), 1);
    assert!(someone.customer.line().is_none());
}

#[test]
fn a_declined_activation_leaves_a_charge_and_no_line() {
    let mut someone = Life { customer: Customer::default(), catalog: catalog(), today: 0 };
    let join = joins("S", Card::Declines);
    assert_eq!(someone.act(&join), Outcome::refused("the order failed"));
    assert_eq!(someone.charges(), ["10.00 declined"]);
    someone.act(&Step::ReplaceCard { card: Card::Good });
    assert_eq!(someone.act(&join), Outcome::Done, "the card of the first time counts only then");
    assert_eq!(someone.line().state, "active");
}

#[test]
fn a_code_takes_off_what_it_says_for_as_many_paid_charges() {
    let with = |code: &str| {
        let mut someone = Life { customer: Customer::default(), catalog: catalog(), today: 0 };
        let join = Step::Join { plan: "S".into(), card: Card::Good, code: Some(code.into()), chosen: false };
        assert_eq!(someone.act(&join), Outcome::Done);
        someone
    };
    let mut three = with(" soak3");
    three.until(30).act(&Step::ReplaceCard { card: Card::Declines });
    three.until(60).act(&Step::ReplaceCard { card: Card::Good });
    three.act(&Step::Renew);
    three.until(120);
    let (paid, declined) = ("8.00 approved".to_owned(), "8.00 declined".to_owned());
    let full = "10.00 approved".to_owned();
    assert_eq!(three.charges(), [paid.clone(), paid.clone(), paid, declined, full.clone(), full.clone()]);
    assert_eq!(with("SOAK-3O").charges(), [full]);
    let mut always = with("SOAKALL");
    always.until(60).act(&Step::ChangePlan { to: "M".into(), by_order: false });
    always.until(90);
    assert_eq!(always.charges(), ["8.75 approved", "8.75 approved", "8.75 approved", "25.00 approved"]);
}

#[test]
fn what_a_customer_was_chosen_for_is_used_once_by_an_order_that_is_paid() {
    let mut someone = Life { customer: Customer::default(), catalog: catalog(), today: 0 };
    let join = |card| Step::Join { plan: "S".into(), card, code: None, chosen: true };
    assert_ne!(someone.act(&join(Card::Declines)), Outcome::Done);
    someone.act(&Step::ReplaceCard { card: Card::Good });
    someone.act(&join(Card::Good));
    someone.until(30).act(&Step::Terminate { by_order: false });
    someone.act(&join(Card::Good));
    assert_eq!(someone.charges(), ["6.50 approved", "6.50 declined", "10.00 approved", "10.00 approved"]);
}

/// What the customer was told about their last line, but for its beginning.
fn told(someone: &Life) -> Vec<(String, u32)> {
    someone.line().told.into_iter().filter(|(template, _)| template != "activation").collect()
}

#[test]
fn each_thing_that_happens_is_told_once() {
    let mut someone = Life::on("S");
    assert_eq!(someone.customer.account().told, [("welcome".to_owned(), 1)].into());
    assert_eq!(someone.line().told, [("activation".to_owned(), 1)].into());
    someone.consume(Use::Voice, 79);
    assert_eq!(told(&someone), [], "21 of 100 are left");
    someone.consume(Use::Voice, 1);
    someone.consume(Use::Voice, 1);
    assert_eq!(told(&someone), [("low_balance".into(), 1)], "once in a period");
    someone.consume(Use::Data, 5_120);
    someone.top_up("GB");
    someone.consume(Use::Data, 1_000);
    assert_eq!(
        told(&someone),
        [("blocked".into(), 1), ("low_balance".into(), 1), ("top_up_receipt".into(), 1)],
        "nothing was left when the fifth was passed, and it is passed once"
    );
    someone.act(&Step::Block { hold: Hold::Requested });
    someone.act(&Step::Block { hold: Hold::Requested });
    someone.act(&Step::Unblock { hold: Hold::Requested });
    assert_eq!(told(&someone)[0], ("blocked".into(), 2));
    someone.until(29);
    assert_eq!(told(&someone)[2], ("renewal_reminder".into(), 1));
    someone.act(&Step::ReplaceCard { card: Card::Declines });
    someone.until(30).act(&Step::Renew);
    someone.act(&Step::ReplaceCard { card: Card::Good });
    someone.act(&Step::Renew);
    someone.act(&Step::Terminate { by_order: false });
    let all = [
        ("blocked", 2),
        ("low_balance", 1),
        ("renewal_failed", 2),
        ("renewal_receipt", 1),
        ("renewal_reminder", 1),
        ("termination", 1),
        ("top_up_receipt", 1),
    ];
    assert_eq!(told(&someone), all.map(|(template, times)| (template.to_owned(), times)));
}

#[test]
fn changes_of_plan_and_price_are_told_and_so_is_what_waits_for_nobody() {
    let mut someone = Life::on("S");
    someone.catalog.moves = vec![moved("S_10", 1_200, 10, 30)];
    someone.act(&Step::ChangePlan { to: "M".into(), by_order: false });
    someone.until(30);
    let all = [("plan_change", 1), ("price_change", 1), ("renewal_receipt", 1), ("renewal_reminder", 1)];
    assert_eq!(told(&someone), all.map(|(template, times)| (template.to_owned(), times)));
}

/// A day on which the operator gives up tasks of a kind.
fn given_up(task: Task, day: u32) -> Outage {
    Outage { task, how: How::HangsForGood, first: day, last: day }
}

/// What is wanted of the network, what it has confirmed, and what it has done.
fn network(someone: &Life) -> [String; 3] {
    let network = someone.line().network;
    assert_eq!(network.open_tasks, 0);
    [network.wanted, network.confirmed, network.did]
}

#[test]
fn the_network_follows_the_line_but_for_what_was_given_up() {
    let mut someone = Life::on("S");
    someone.catalog.outages = vec![
        given_up(Task::Suspend, 1),
        given_up(Task::Resume, 3),
        given_up(Task::Policy, 30),
        given_up(Task::Remove, 40),
    ];
    let hold = |hold| Step::Block { hold };
    someone.until(1).act(&hold(Hold::Requested));
    assert_eq!(network(&someone), ["suspended", "in_service", "in_service"], "nobody insists");
    someone.act(&hold(Hold::Fraud));
    assert_eq!(network(&someone), ["suspended", "in_service", "in_service"], "that neither");
    someone.act(&Step::Unblock { hold: Hold::Fraud });
    someone.until(2).act(&hold(Hold::Fraud));
    assert_eq!(network(&someone), ["suspended", "suspended", "suspended"], "a new reason is told anew");
    someone.until(3).act(&Step::Unblock { hold: Hold::Fraud });
    someone.act(&Step::Unblock { hold: Hold::Requested });
    assert_eq!(network(&someone), ["in_service", "suspended", "suspended"]);
    someone.act(&Step::ChangePlan { to: "M".into(), by_order: false });
    let of_30 = someone.until(30).line().network;
    assert_eq!((of_30.policy_wanted.as_str(), of_30.policy_confirmed.as_str()), ("M", "S"));
    someone.until(40).act(&Step::Terminate { by_order: false });
    assert_eq!(network(&someone), ["removed", "removed", "suspended"], "the operator has seen to it");
    assert_eq!(someone.line().network.state, "terminated");
}

#[test]
fn an_order_that_the_network_fails_costs_nothing_and_one_that_it_holds_up_succeeds() {
    let mut someone = Life { customer: Customer::default(), catalog: catalog(), today: 0 };
    let outage = |task, how, day| Outage { task, how, first: day, last: day };
    someone.catalog.outages = vec![
        outage(Task::Profile, How::FailsForGood, 0),
        outage(Task::Policy, How::Fails, 1),
        given_up(Task::Subscriber, 2),
        outage(Task::Charging, How::Hangs, 3),
    ];
    for day in 0..3 {
        assert_eq!(someone.until(day).act(&joins("S", Card::Good)), Outcome::refused("the order failed"), "{day}");
    }
    assert!(someone.charges().is_empty() && someone.customer.lines.is_empty());
    assert_eq!(someone.until(3).act(&joins("S", Card::Good)), Outcome::Done);
}
