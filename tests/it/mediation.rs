//! Usage on a real database: every event counted once, answered once, whatever happens around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bss::domains::mediation::port::{Draft, Mediation as _, NewUsage, Pointers, UsageFilter, UsageState, UsageView};
use bss::domains::mediation::{self, Service};
use bss::platform::Platform;
use bss::platform::audit;
use bss::platform::clock::wall;
use bss::platform::context::Context;
use bss::platform::error::{Error, Result};
use chrono::TimeDelta;
use serde_json::Value;

use crate::support::app::PATIENCE;
use crate::support::cluster;

/// Mediation alone, on a database of its own, with lines that the test puts there.
struct Usage {
    platform: Platform,
    service: Arc<Service>,
}

impl Usage {
    async fn new() -> Self {
        Self::on(cluster::platform(&[]).await)
    }

    fn on(platform: Platform) -> Self {
        let service = Arc::new(Service::new(platform.clone()).expect("the system gives a thread"));
        Self { platform, service }
    }

    /// An active line `SUB-<n>` with the number `9100<n>`; -1 is unlimited.
    async fn line(&self, n: u32, balances: &[(&str, i64)]) -> String {
        let pool = self.platform.db.pool();
        sqlx::query(
            "insert into subscription.subscription (id, customer_id, offering_id, commercial_order_id, msisdn, iccid, cfs_service_id,
                 state, activated_at, period_index, current_period_start, current_period_end, next_renewal_at, price_amount_minor,
                 price_currency, price_offering_price_id)
             select 'SUB-' || $1, 'CUST-000000000001', 'PLAN_M', 'ORD-' || $1, '9100' || $1, '89101010000000' || $1, 'SVC-' || $1,
                 'active', at, 1, at, at + interval '30 days', at + interval '30 days', 2500, 'SGD', 'PRICE_PLAN_M'
             from (select now() - interval '2 days') t (at)",
        )
        .bind(format!("{n:04}"))
        .execute(pool)
        .await
        .expect("the line fits the schema");
        for (allowance, quantity) in balances {
            let unit = match *allowance {
                "voice" => "minutes",
                "sms" => "count",
                _ => "mb",
            };
            sqlx::query(
                "insert into subscription.bundle_balance (subscription_id, allowance_type, unlimited, total, remaining, unit,
                     period_index, period_start, period_end)
                 select id, $2, $3 < 0, greatest($3, 0), greatest($3, 0), $4, 1, current_period_start, current_period_end
                 from subscription.subscription where id = $1",
            )
            .bind(format!("SUB-{n:04}"))
            .bind(*allowance)
            .bind(*quantity)
            .bind(unit)
            .execute(pool)
            .await
            .expect("the balance fits the schema");
        }
        format!("9100{n:04}")
    }

    async fn record(&self, usage: NewUsage) -> Result<UsageView> {
        self.service.record(&context(), usage).await
    }

    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.platform.db.pool()).await.expect("the query is right")
    }

    async fn sql(&self, statement: &'static str) {
        sqlx::query(statement).execute(self.platform.db.pool()).await.expect("the statement is right");
    }

    async fn state(&self, line: &str) -> String {
        sqlx::query_scalar("select state from subscription.subscription where id = $1")
            .bind(line)
            .fetch_one(self.platform.db.pool())
            .await
            .expect("the line is there")
    }

    async fn remaining(&self, line: &str, allowance: &str) -> i64 {
        sqlx::query_scalar(
            "select remaining from subscription.bundle_balance where subscription_id = $1 and allowance_type = $2",
        )
        .bind(line)
        .bind(allowance)
        .fetch_one(self.platform.db.pool())
        .await
        .expect("the balance is there")
    }

    async fn events(&self, event_type: &str) -> Vec<Value> {
        sqlx::query_scalar("select payload from audit.domain_event where event_type = $1 order by id")
            .bind(event_type)
            .fetch_all(self.platform.db.pool())
            .await
            .expect("the query is right")
    }

    /// The books of mediation hold, and every balance is what was granted less what was applied.
    async fn finish(self) {
        let report = audit::verify(&self.platform.db, mediation::CHECKS).await.expect("the checks run");
        assert!(report.ok, "{:#}", serde_json::to_value(&report).expect("JSON"));
        let wrong = self
            .number(
                "select count(*) from subscription.bundle_balance b
                 where not b.unlimited and b.total - b.remaining <> (select coalesce(sum(u.applied), 0) from mediation.usage_event u
                     where u.subscription_id = b.subscription_id and u.allowance_type = b.allowance_type)",
            )
            .await;
        assert_eq!(wrong, 0, "balances that are not the sum of their entries");
    }
}

fn context() -> Context {
    Context::system("test:network", "req-1".to_owned(), wall())
}

fn usage(msisdn: &str, event_type: &str, quantity: i64) -> NewUsage {
    let draft = Draft {
        msisdn: msisdn.parse().expect("a number"),
        event_type: event_type.to_owned(),
        quantity: quantity.into(),
        unit: None,
        roaming: false,
        event_time: None,
        source: "pgw-1".to_owned(),
        external_id: None,
    };
    let pointers = Pointers { quantity: "/quantity", unit: "/unit", source: "/source", external_id: "/externalId" };
    draft.check(pointers).expect("a well-formed event")
}

/// Sends the event until it is answered, as a network element does that is told to try again.
async fn insist(service: Arc<Service>, event: NewUsage) -> UsageView {
    let started = std::time::Instant::now();
    while started.elapsed() < PATIENCE {
        match service.record(&context(), event.clone()).await {
            // As it is asked to: not at once.
            Err(Error::Unavailable { .. }) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            answer => return answer.expect("the line is active and has data"),
        }
    }
    panic!("unavailable for {PATIENCE:?}");
}

fn named(usage: NewUsage, external_id: &str) -> NewUsage {
    NewUsage { external_id: Some(external_id.to_owned()), ..usage }
}

fn roaming(usage: NewUsage) -> NewUsage {
    NewUsage { roaming: true, ..usage }
}

/// Rule and context of a refusal.
#[track_caller]
fn refused(answer: Result<UsageView>) -> (&'static str, Value) {
    match answer {
        Err(Error::Policy(violation)) => (violation.rule.id(), Value::Object(violation.context)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_uses_of_one_line_are_counted_exactly_and_block_it_once() {
    const CLIENTS: u32 = 64;
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 7_000)]).await;
    let clients = (0..CLIENTS).map(|_| {
        let (service, number) = (Arc::clone(&world.service), number.clone());
        tokio::spawn(async move {
            let (mut served, mut refused) = (0, 0);
            for _ in 0..10_000 / CLIENTS {
                match service.record(&context(), usage(&number, "data", 1)).await {
                    Ok(view) => served += view.rated_quantity,
                    Err(Error::Policy(_)) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            (served, refused)
        })
    });
    let (mut served, mut refused) = (0, 0);
    for client in clients.collect::<Vec<_>>() {
        let (s, r) = client.await.expect("the client ends");
        served += s;
        refused += r;
    }
    assert_eq!((served, refused), (7_000, 10_000 / i64::from(CLIENTS) * i64::from(CLIENTS) - 7_000));
    assert_eq!((world.remaining("SUB-0001", "data").await, world.state("SUB-0001").await.as_str()), (0, "blocked"));
    assert_eq!(world.events("subscription.exhausted").await.len(), 1);
    assert_eq!(world.events("subscription.blocked").await.len(), 1);
    assert_eq!(world.number("select count(*) from subscription.subscription_state_history").await, 1);
    assert_eq!(i64::try_from(world.events("usage.rejected").await.len()), Ok(refused));
    assert_eq!(world.number("select count(*) from mediation.usage_event").await, served + refused);
    world.finish().await;
}

#[tokio::test]
async fn data_that_crosses_zero_is_rated_in_part_and_blocks_the_line() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100), ("voice", 10)]).await;
    assert_eq!(world.record(usage(&number, "data", 60)).await.unwrap().remaining, Some(40));
    let last = world.record(usage(&number, "data", 70)).await.unwrap();
    assert_eq!(
        (last.rated_quantity, last.refused_quantity, last.remaining, last.state),
        (40, 30, Some(0), UsageState::Rated)
    );
    let (rule, context) = refused(world.record(usage(&number, "voice", 1)).await);
    assert_eq!(rule, "usage.record.subscription_must_be_active");
    assert_eq!((&context["state"], &context["subscriptionId"]), (&Value::from("blocked"), &Value::from("SUB-0001")));
    let stored =
        world.service.usage(&self::context(), &context["usageId"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!((stored.state, stored.refused_quantity, stored.allowance_type), (UsageState::Refused, 1, None));
    let exhausted = &world.events("subscription.exhausted").await[0];
    assert_eq!((&exhausted["allowanceType"], &exhausted["consumed"]), (&Value::from("data"), &Value::from(100)));
    assert_eq!(exhausted["triggeringUsageEventId"], last.id.as_str());
    let blocked = &world.events("subscription.blocked").await[0];
    assert_eq!((&blocked["reason"], &blocked["version"]), (&Value::from("exhausted"), &Value::from(2)));
    assert_eq!(
        world.number("select count(*) from subscription.subscription where block_reasons = '{exhausted}'").await,
        1
    );
    world.finish().await;
}

#[tokio::test]
async fn voice_and_sms_end_without_blocking_and_roaming_is_its_own_balance() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100), ("voice", 100), ("sms", 1), ("data_roaming", 500)]).await;
    assert_eq!(world.record(usage(&number, "voice", 90)).await.unwrap().remaining, Some(10));
    let over = world.record(usage(&number, "voice_minutes", 20)).await.unwrap();
    assert_eq!((over.rated_quantity, over.refused_quantity, over.remaining), (20, 0, Some(0)));
    let (rule, context) = refused(world.record(usage(&number, "voice", 1)).await);
    assert_eq!((rule, &context["allowanceType"]), ("usage.allowance_exhausted", &Value::from("voice")));
    world.record(roaming(usage(&number, "sms", 1))).await.unwrap();
    assert_eq!(refused(world.record(usage(&number, "sms", 1)).await).0, "usage.allowance_exhausted");

    assert_eq!(world.record(roaming(usage(&number, "data", 400))).await.unwrap().remaining, Some(100));
    let part = world.record(roaming(usage(&number, "data", 150))).await.unwrap();
    assert_eq!((part.rated_quantity, part.refused_quantity), (100, 50));
    assert_eq!(
        refused(world.record(roaming(usage(&number, "data", 1))).await).0,
        "subscription.usage_rated.roaming_balance_required"
    );
    assert_eq!((world.remaining("SUB-0001", "data").await, world.state("SUB-0001").await.as_str()), (100, "active"));
    assert_eq!(world.events("usage.rejected").await.len(), 3);
    world.finish().await;
}

#[tokio::test]
async fn a_missing_allowance_refuses_and_an_unlimited_one_never_changes() {
    let world = Usage::new().await;
    let number = world.line(1, &[("voice", -1)]).await;
    let served = world.record(usage(&number, "voice", 5_000)).await.unwrap();
    assert_eq!((served.rated_quantity, served.remaining), (5_000, None));
    assert_eq!(refused(world.record(usage(&number, "data", 1)).await).0, "rating.no_allowance");
    assert_eq!(refused(world.record(usage(&number, "sms", 1)).await).0, "usage.allowance_exhausted");
    assert_eq!(
        refused(world.record(roaming(usage(&number, "data", 1))).await).0,
        "rating.no_roaming_allowance",
        "neither plan nor top-up gave any, not even an empty one"
    );
    assert_eq!(world.state("SUB-0001").await, "active", "a line without data is not exhausted");
    let day_pass = world.line(2, &[("data", 10)]).await;
    world.sql("update subscription.bundle_balance set unlimited_until = now() + interval '1 day' where subscription_id = 'SUB-0002'").await;
    assert_eq!(world.record(usage(&day_pass, "data", 1_000)).await.unwrap().remaining, None);
    world.sql("update subscription.bundle_balance set unlimited_until = now() - interval '1 s' where subscription_id = 'SUB-0002'").await;
    assert_eq!(world.record(usage(&day_pass, "data", 4)).await.unwrap().remaining, Some(6));
    world.finish().await;
}

#[tokio::test]
async fn a_replay_gets_the_stored_answer_and_another_event_under_its_name_is_refused() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100), ("voice", 0)]).await;
    let first = world.record(named(usage(&number, "data", 30), "cdr-1")).await.unwrap();
    assert_eq!(world.record(named(usage(&number, "data", 30), "cdr-1")).await.unwrap(), first);
    let (rule, context) = refused(world.record(named(usage(&number, "data", 31), "cdr-1")).await);
    assert_eq!((rule, &context["usageId"]), ("usage.record.replay_differs", &Value::from(first.id.as_str())));
    let dated = NewUsage { event_time: Some(first.event_time), ..usage(&number, "data", 30) };
    assert_eq!(world.record(named(dated, "cdr-1")).await.unwrap(), first, "the time may be left out or be the same");
    let other_source = NewUsage { source: "pgw-2".to_owned(), ..usage(&number, "data", 30) };
    assert_ne!(world.record(named(other_source, "cdr-1")).await.unwrap().id, first.id);

    let refusal = refused(world.record(named(usage(&number, "voice", 1), "cdr-2")).await);
    assert_eq!(refused(world.record(named(usage(&number, "voice", 1), "cdr-2")).await), refusal);
    assert_eq!(world.events("usage.rejected").await.len(), 1, "a replay is no second refusal");
    assert_eq!(world.remaining("SUB-0001", "data").await, 40);
    world.finish().await;
}

#[tokio::test]
async fn what_comes_beside_a_replay_is_rated_as_if_it_came_alone() {
    let world = Usage::new().await;
    let mut numbers = Vec::new();
    for n in 1..=20 {
        numbers.push(world.line(n, &[("data", 100)]).await);
    }
    let first = |number: &String| world.record(named(usage(number, "data", 60), "cdr-1"));
    let before: Vec<UsageView> =
        futures::future::try_join_all(numbers.iter().map(first)).await.expect("100 is enough for 60");
    // Twice 60 would use the line up, and leave nothing for the second event.
    let second = |number: &String| world.record(named(usage(number, "data", 40), "cdr-2"));
    let both = numbers.iter().map(|number| futures::future::join(first(number), second(number)));
    for (before, (replay, second)) in before.iter().zip(futures::future::join_all(both).await) {
        assert_eq!(replay.expect("the stored answer"), *before);
        let second = second.expect("40 are left");
        assert_eq!((second.rated_quantity, second.remaining), (40, Some(0)));
        assert_eq!(world.remaining(second.subscription_id.as_str(), "data").await, 0);
        assert_eq!(world.state(second.subscription_id.as_str()).await, "blocked");
    }
    let exhausted = world.events("subscription.exhausted").await;
    assert_eq!(exhausted.len(), 20, "{exhausted:?}");
    world.finish().await;
}

#[tokio::test]
async fn the_same_event_many_times_at_once_counts_once() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100)]).await;
    let same = || world.record(named(usage(&number, "data", 10), "cdr-1"));
    let answers = futures::future::join_all((0..20).map(|_| same())).await;
    let ids: std::collections::BTreeSet<String> =
        answers.into_iter().map(|answer| answer.unwrap().id.to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.remaining("SUB-0001", "data").await, 90);
    let differing =
        futures::future::join_all((0..2).map(|n| world.record(named(usage(&number, "data", 1 + n), "cdr-2")))).await;
    assert_eq!(differing.iter().filter(|answer| answer.is_ok()).count(), 1, "{differing:?}");
    world.finish().await;
}

#[tokio::test]
async fn unknown_numbers_leave_an_event_and_no_row() {
    let world = Usage::new().await;
    let (rule, context) = refused(world.record(usage("99999999", "data", 1)).await);
    assert_eq!((rule, &context["msisdn"]), ("usage.record.subscription_must_exist", &Value::from("99999999")));
    let rejected = world.events("usage.rejected").await;
    assert_eq!((rejected.len(), &rejected[0]["usageEventId"]), (1, &Value::Null));
    assert_eq!(world.number("select count(*) from mediation.usage_event").await, 0);
    let aggregate: String =
        sqlx::query_scalar("select aggregate_id from audit.domain_event where event_type = 'usage.rejected'")
            .fetch_one(world.platform.db.pool())
            .await
            .unwrap();
    assert_eq!(aggregate, "99999999");
    world.finish().await;
}

#[tokio::test]
async fn a_reused_number_finds_its_living_line_and_a_dead_one_refuses() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100)]).await;
    let old = world.record(usage(&number, "data", 1)).await.unwrap();
    world.sql("update subscription.subscription set state = 'terminated', terminated_at = now()").await;
    let (rule, context) = refused(world.record(usage(&number, "data", 1)).await);
    assert_eq!((rule, &context["state"]), ("usage.record.subscription_must_be_active", &Value::from("terminated")));
    world.line(2, &[("data", 50)]).await;
    world.sql("update subscription.subscription set msisdn = '91000001' where id = 'SUB-0002'").await;
    assert_eq!(world.record(usage(&number, "data", 1)).await.unwrap().subscription_id.as_str(), "SUB-0002");
    let filter = UsageFilter { msisdn: Some(number.parse().unwrap()), limit: 10, ..UsageFilter::default() };
    let history = world.service.history(&self::context(), filter.clone()).await.unwrap();
    assert_eq!(
        (history.len(), history.last().map(|usage| &usage.id)),
        (3, Some(&old.id)),
        "of all lines that had the number"
    );
    let rest = world.service.history(&self::context(), UsageFilter { offset: 2, ..filter }).await.unwrap();
    assert_eq!(rest.iter().map(|usage| &usage.id).collect::<Vec<_>>(), [&old.id], "page by page");
    world.finish().await;
}

#[tokio::test]
async fn event_times_are_checked_against_activation_and_now() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100)]).await;
    let at = |days: i64| NewUsage { event_time: Some(wall() + TimeDelta::days(days)), ..usage(&number, "data", 1) };
    world.record(at(-1)).await.unwrap();
    for days in [-3, 1] {
        assert_eq!(refused(world.record(at(days)).await).0, "usage.record.event_time_out_of_range");
    }
    world.sql("update subscription.subscription set activated_at = activated_at - interval '1 year'").await;
    world.record(at(-44)).await.expect("of a former period, and charged to this one");
    assert_eq!(refused(world.record(at(-46)).await).0, "usage.record.event_time_out_of_range");
    world.sql("insert into platform.product_clock (mode, offset_ms) values ('wall', 86400000 * 10)").await;
    world.record(at(1)).await.expect("product time, not the wall clock, decides");
    world.finish().await;
}

#[tokio::test]
async fn a_line_that_somebody_holds_does_not_keep_its_neighbours_waiting() {
    let world = Usage::new().await;
    let held = world.line(1, &[("data", 100)]).await;
    let mut neighbours = Vec::new();
    for n in 2..10 {
        neighbours.push(world.line(n, &[("data", 100)]).await);
    }
    let mut other = world.platform.db.pool().begin().await.unwrap();
    sqlx::query("select 1 from subscription.subscription where id = 'SUB-0001' for update")
        .execute(&mut *other)
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let (service, usage) = (Arc::clone(&world.service), usage(&held, "data", 1));
        async move { service.record(&context(), usage).await }
    });
    for answer in
        futures::future::join_all(neighbours.iter().map(|number| world.record(usage(number, "data", 1)))).await
    {
        answer.unwrap();
    }
    assert!(!waiting.is_finished(), "nobody waited for the held line");
    let unavailable = waiting.await.unwrap().unwrap_err();
    assert!(matches!(unavailable, Error::Unavailable { .. }), "{unavailable}");
    let patient = tokio::spawn({
        let (service, usage) = (Arc::clone(&world.service), usage(&held, "data", 1));
        async move { service.record(&context(), usage).await }
    });
    let waiters =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let started = std::time::Instant::now();
    while sqlx::query_scalar::<_, i64>(waiters).fetch_one(world.platform.db.pool()).await.unwrap() == 0 {
        assert!(started.elapsed() < PATIENCE && !patient.is_finished(), "nobody waits for the line");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    other.rollback().await.unwrap();
    assert_eq!(patient.await.unwrap().unwrap().remaining, Some(99), "the refused try took nothing");
    world.finish().await;
}

#[tokio::test]
async fn good_and_bad_events_of_one_moment_get_each_their_own_answer() {
    let world = Usage::new().await;
    let good = world.line(1, &[("data", 1_000)]).await;
    let blocked = world.line(2, &[("data", 1_000)]).await;
    world.sql("update subscription.subscription set state = 'blocked', block_reasons = '{requested}' where id = 'SUB-0002'").await;
    // A row that the database refuses: the batch fails, and only this event stays failed.
    let cursed = world.line(3, &[("data", 1_000)]).await;
    world.sql("alter table mediation.usage_event add constraint cursed check (subscription_id <> 'SUB-0003')").await;
    let numbers = [&good, &blocked, &cursed, &"99999999".to_owned()];
    let events = (0..40).map(|n| world.record(usage(numbers[n % 4], "data", 1)));
    let answers = futures::future::join_all(events).await;
    for (n, answer) in answers.into_iter().enumerate() {
        match (n % 4, answer) {
            (0, Ok(view)) => assert_eq!(view.rated_quantity, 1),
            (1, Err(Error::Policy(violation))) => {
                assert_eq!(violation.rule.id(), "usage.record.subscription_must_be_active");
            }
            (2, Err(Error::Internal(_))) => {}
            (3, Err(Error::Policy(violation))) => {
                assert_eq!(violation.rule.id(), "usage.record.subscription_must_exist");
            }
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(world.remaining("SUB-0001", "data").await, 990);
    assert_eq!(world.remaining("SUB-0003", "data").await, 1_000);
    world.finish().await;
}

#[tokio::test]
async fn events_one_after_the_other_have_ids_that_follow_each_other() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100)]).await;
    for n in 1..=5 {
        assert_eq!(world.record(usage(&number, "data", 1)).await.unwrap().id.as_str(), format!("UE-{n:06}"));
    }
    world.finish().await;
}

#[tokio::test]
async fn two_processes_share_a_line_without_losing_a_use() {
    let url = cluster::database().await;
    let (one, two) = (Usage::on(cluster::replica(&url, &[])), Usage::on(cluster::replica(&url, &[])));
    let number = one.line(1, &[("data", 5_000)]).await;
    let uses = (0..400).map(|n| {
        let service = Arc::clone(if n % 2 == 0 { &one.service } else { &two.service });
        let event = named(usage(&number, "data", 1), &format!("cdr-{}", n / 2));
        tokio::spawn(insist(service, event))
    });
    for answer in uses.collect::<Vec<_>>() {
        answer.await.unwrap();
    }
    assert_eq!(one.remaining("SUB-0001", "data").await, 4_800, "each event was sent to both");
    two.finish().await;
}

#[tokio::test]
async fn nothing_is_used_of_a_line_that_is_not_as_it_was_looked_at() {
    let world = Usage::new().await;
    world.line(1, &[("data", 100)]).await;
    let version = world.number("select version from subscription.subscription where id = 'SUB-0001'").await;
    let use_up = async |version: i64, before: i64| -> sqlx::Result<bool> {
        sqlx::query_scalar(
            "select subscription.use_up('{SUB-0001}', array[$1], '{SUB-0001}', '{data}', array[$2], array[$2 - 10])",
        )
        .bind(version)
        .bind(before)
        .fetch_one(world.platform.db.pool())
        .await
    };
    let mut other = world.platform.db.pool().begin().await.unwrap();
    sqlx::query("select 1 from subscription.subscription where id = 'SUB-0001' for update")
        .execute(&mut *other)
        .await
        .unwrap();
    assert!(!use_up(version, 100).await.unwrap(), "somebody holds it");
    other.rollback().await.unwrap();
    assert!(!use_up(version - 1, 100).await.unwrap(), "it has changed");
    let used = use_up(version, 99).await.unwrap_err();
    assert_eq!(used.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(), Some("40001"), "{used}");
    assert_eq!(world.remaining("SUB-0001", "data").await, 100);
    assert!(use_up(version, 100).await.unwrap());
    assert_eq!(world.remaining("SUB-0001", "data").await, 90);
}

/// Takes a line out of service or back, as a unit of work would; answers how many events were served by then.
async fn switch(pool: &sqlx::PgPool, state: &str, reasons: &str) -> i64 {
    let mut tx = pool.begin().await.expect("a connection");
    sqlx::query("update subscription.subscription set state = $1, block_reasons = $2::text[], version = version + 1")
        .bind(state)
        .bind(reasons)
        .execute(&mut *tx)
        .await
        .expect("the statement is right");
    let served = sqlx::query_scalar("select count(*) from mediation.usage_event where state = 'rated'")
        .fetch_one(&mut *tx)
        .await
        .expect("the query is right");
    tx.commit().await.expect("the database is there");
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_served_while_a_line_is_out_of_service() {
    const ROUNDS: i64 = 50;
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 10_000_000)]).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let callers = (0..4).map(|_| {
        let (service, number, is_over) = (Arc::clone(&world.service), number.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                match service.record(&context(), usage(&number, "data", 1)).await {
                    Ok(_) | Err(Error::Policy(_) | Error::Unavailable { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let started = std::time::Instant::now();
    let (mut rounds, mut served) = (0, 0);
    // Rounds in which nothing was served prove nothing.
    while rounds < ROUNDS {
        assert!(started.elapsed() < PATIENCE, "{rounds} rounds of {ROUNDS}");
        let blocked = switch(world.platform.db.pool(), "blocked", "{requested}").await;
        let freed = switch(world.platform.db.pool(), "active", "{}").await;
        assert_eq!(blocked, freed, "served while the line was blocked");
        rounds += i64::from(blocked > served);
        served = freed;
        tokio::task::yield_now().await;
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("a caller does not panic");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_batch_whose_commit_was_in_doubt_finds_itself() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100)]).await;
    let first = world.record(named(usage(&number, "data", 10), "cdr-1")).await.unwrap();
    // The next event is given the id of the first: for the batch it is itself, from a former attempt.
    world.sql("select setval('mediation.usage_event_id_seq', 1, false)").await;
    let again = Usage::on(world.platform.clone());
    assert_eq!(again.record(named(usage(&number, "data", 10), "cdr-1")).await.unwrap(), first);
    assert_eq!(world.remaining("SUB-0001", "data").await, 90);
    world.finish().await;
}

#[tokio::test]
async fn keys_past_the_window_are_forgotten_and_the_others_kept() {
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100)]).await;
    world.record(named(usage(&number, "data", 10), "old")).await.unwrap();
    world.record(named(usage(&number, "data", 10), "new")).await.unwrap();
    world
        .sql("update mediation.usage_key set recorded_at = recorded_at - interval '46 days' where external_id = 'old'")
        .await;
    world
        .sql(
            "update mediation.usage_event set recorded_at = recorded_at - interval '46 days' where external_id = 'old'",
        )
        .await;
    let scheduler = bss::platform::scheduler::Scheduler::new(
        world.platform.db.clone(),
        world.platform.clock.clone(),
        world.platform.ids.clone(),
        world.service.ticks(),
    );
    assert_eq!(scheduler.run("usage_keys").await.unwrap()["purged"], 1);
    assert_eq!(world.number("select count(*) from mediation.usage_key").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn partitions_are_made_ahead_and_a_month_in_the_default_one_is_left_alone() {
    use bss::platform::partitions;
    let world = Usage::new().await;
    let number = world.line(1, &[("data", 100)]).await;
    world.record(usage(&number, "data", 10)).await.unwrap();
    let report = partitions::ensure(&world.platform.db, wall()).await.unwrap();
    assert!(report.skipped.iter().any(|text| text.starts_with("mediation.usage_event_")), "{report:?}");
    assert!(report.created.len() >= 4, "{report:?}");
    let again = partitions::ensure(&world.platform.db, wall()).await.unwrap();
    assert_eq!((again.created.len(), again.existing.len()), (0, report.created.len()));
    world.record(usage(&number, "data", 10)).await.unwrap();
    // Those that were made before migration 0094, and those that came after it.
    let without_share = "select count(*) from pg_inherits join pg_class c on c.oid = inhrelid
        where inhparent in ('audit.domain_event'::regclass, 'mediation.usage_event'::regclass)
          and not coalesce('autovacuum_analyze_scale_factor=0.5' = any(c.reloptions), false)";
    assert_eq!(world.number(without_share).await, 0, "analysed as often as any other table");
    world.finish().await;
}
