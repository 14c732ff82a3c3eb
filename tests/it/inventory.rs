//! Numbers and eSIM profiles on a real database: who gets what when many ask at once, and where it goes afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use bss::domains::crm::port::{
    AddNumberRange, AddProfiles, Iccid, Inventory as _, ListNumbers, ListProfiles, Msisdn, NumberStatus, ProfileState,
    ReleaseNumber, Reservation, ReservationKeeper, rule,
};
use bss::domains::crm::{self, CHECKS, Service};
use bss::platform::Platform;
use bss::platform::audit;
use bss::platform::context::Context;
use bss::platform::error::{Error, Result, Rule};
use bss::platform::scheduler::Scheduler;
use chrono::TimeDelta;

use crate::support::cluster;

struct Pool {
    platform: Platform,
    service: Arc<Service>,
    cx: Context,
}

impl Pool {
    /// A pool of the first so many numbers and profiles.
    async fn of(numbers: u32, profiles: u32) -> Self {
        let platform = cluster::platform(&[("BSS_INVENTORY_MSISDN_POOL_LOW_THRESHOLD", "3")]).await;
        let now = platform.clock.now().await.expect("the set-up of the test holds");
        let cx = Context::system("test", "test".into(), now);
        let service = Arc::new(Service::new(platform.clone()));
        let tx = platform.db.begin().await.expect("the set-up of the test holds");
        crm::seed(&tx, &cx, &platform.config.profile).await.expect("the set-up of the test holds");
        tx.commit().await.expect("the set-up of the test holds");
        let pool = Self { platform, service, cx };
        pool.sql(&format!("delete from inventory.msisdn_pool where msisdn >= '{}'", 90_000_000 + numbers)).await;
        pool.sql(&format!("delete from inventory.esim_profile where iccid >= '8910101{profiles:012}'")).await;
        pool
    }

    async fn sql(&self, statement: &str) {
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
            .execute(self.platform.db.pool())
            .await
            .expect("the set-up of the test holds");
    }

    async fn reserve(&self, order: &str, preference: Option<&str>) -> Result<Reservation> {
        let preference: Option<Msisdn> = preference.map(|text| text.parse().expect("the set-up of the test holds"));
        let tx = self.platform.db.begin().await?;
        let until = self.cx.now + TimeDelta::hours(1);
        let reservation = self.service.reserve(&tx, &self.cx, order, preference.as_ref(), until).await?;
        tx.commit().await?;
        Ok(reservation)
    }

    async fn assign(&self, order: &str, line: &str) -> Result<()> {
        let tx = self.platform.db.begin().await?;
        self.service.assign(&tx, &self.cx, order, line).await?;
        tx.commit().await
    }

    async fn release(&self, order: &str) {
        let tx = self.platform.db.begin().await.expect("the set-up of the test holds");
        self.service.release(&tx, &self.cx, order).await.expect("the set-up of the test holds");
        tx.commit().await.expect("the set-up of the test holds");
    }

    async fn retire(&self, line: &str) {
        let tx = self.platform.db.begin().await.expect("the set-up of the test holds");
        self.service.retire(&tx, &self.cx, line).await.expect("the set-up of the test holds");
        tx.commit().await.expect("the set-up of the test holds");
    }

    async fn status(&self, msisdn: &Msisdn) -> NumberStatus {
        self.service.number(&self.cx, msisdn).await.expect("the set-up of the test holds").status
    }

    async fn state(&self, iccid: &Iccid) -> ProfileState {
        self.service.profile(&self.cx, iccid).await.expect("the set-up of the test holds").profile_state
    }

    async fn tick(&self, name: &str, later: TimeDelta) -> u64 {
        let Platform { db, clock, ids, .. } = self.platform.clone();
        clock.freeze(&self.cx, Some(self.cx.now + later)).await.expect("the set-up of the test holds");
        let report =
            Scheduler::new(db, clock, ids, self.service.ticks()).run(name).await.expect("the set-up of the test holds");
        report["released"].as_u64().expect("the set-up of the test holds")
    }

    async fn events(&self, event_type: &str) -> Vec<serde_json::Value> {
        sqlx::query_scalar("select payload from audit.domain_event where event_type = $1 order by id")
            .bind(event_type)
            .fetch_all(self.platform.db.pool())
            .await
            .expect("the set-up of the test holds")
    }

    async fn add_range(&self, prefix: &str, count: u32) -> Result<(u32, u32)> {
        let added = self.service.add_range(&self.cx, AddNumberRange { prefix: prefix.into(), count }).await?;
        Ok((added.inserted, added.skipped))
    }
}

#[track_caller]
fn violates<T: std::fmt::Debug>(result: Result<T>, rule: Rule) {
    let error = result.expect_err("refused");
    assert_eq!(error.violation().map(|violation| violation.rule), Some(rule), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_orders_at_once_share_fifty_numbers_and_profiles() {
    let pool = Arc::new(Pool::of(50, 50).await);
    let racing = (0..50).map(|n| {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { pool.reserve(&format!("ORD-{n:04}"), None).await })
    });
    let outcomes = futures::future::join_all(racing).await;
    let reserved: Vec<Reservation> =
        outcomes.into_iter().map(|joined| joined.unwrap().expect("there is one for each")).collect();
    let numbers: BTreeSet<_> = reserved.iter().map(|reservation| &reservation.msisdn).collect();
    let profiles: BTreeSet<_> = reserved.iter().map(|reservation| &reservation.iccid).collect();
    assert_eq!((numbers.len(), profiles.len()), (50, 50));
    violates(pool.reserve("ORD-9999", None).await, rule::NO_NUMBER);
    // Those who crossed the threshold together did not see each other; the sweep sees them all.
    pool.tick("reservations", TimeDelta::zero()).await;
    pool.tick("reservations", TimeDelta::zero()).await;
    assert_eq!(
        pool.events("inventory.msisdn.pool_low").await.len(),
        1,
        "raised once, however many cross the threshold"
    );
    assert_eq!(pool.events("inventory.esim.pool_low").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_orders_for_the_last_number_one_gets_it() {
    let pool = Pool::of(1, 2).await;
    let (one, two) = tokio::join!(pool.reserve("ORD-0001", None), pool.reserve("ORD-0002", None));
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(won.unwrap().msisdn.as_str(), "90000000");
    violates(lost, rule::NO_NUMBER);
}

#[tokio::test]
async fn an_order_gets_both_or_nothing_and_the_same_again() {
    let pool = Pool::of(3, 1).await;
    let first = pool.reserve("ORD-0001", Some("90000002")).await.unwrap();
    assert_eq!((first.msisdn.as_str(), first.substituted), ("90000002", false));
    assert_eq!(pool.reserve("ORD-0001", Some("90000002")).await.unwrap(), first);
    let again = pool.reserve("ORD-0001", Some("90000000")).await.unwrap();
    assert_eq!((&again.msisdn, again.substituted), (&first.msisdn, true));

    // The caller's unit of work goes on after the refusal: still nothing is reserved.
    let tx = pool.platform.db.begin().await.unwrap();
    violates(pool.service.reserve(&tx, &pool.cx, "ORD-0002", None, pool.cx.now).await, rule::NO_PROFILE);
    tx.commit().await.unwrap();
    assert_eq!(pool.status(&"90000000".parse().unwrap()).await, NumberStatus::Available);
}

#[tokio::test]
async fn a_preference_that_is_taken_is_substituted_by_the_lowest() {
    let pool = Pool::of(3, 3).await;
    pool.reserve("ORD-0001", Some("90000001")).await.unwrap();
    let other = pool.reserve("ORD-0002", Some("90000001")).await.unwrap();
    assert_eq!((other.msisdn.as_str(), other.substituted), ("90000000", true));
    let unknown = pool.reserve("ORD-0003", Some("12345678")).await.unwrap();
    assert_eq!((unknown.msisdn.as_str(), unknown.substituted), ("90000002", true));
}

#[tokio::test]
async fn a_number_lives_from_reservation_to_quarantine_and_back() {
    let pool = Pool::of(5, 5).await;
    let held = pool.reserve("ORD-0001", None).await.unwrap();
    violates(pool.assign("ORD-0002", "SUB-0001").await, rule::RESERVATION_LOST);
    pool.assign("ORD-0001", "SUB-0001").await.unwrap();
    pool.assign("ORD-0001", "SUB-0001").await.expect("twice is fine");
    assert_eq!(
        (pool.status(&held.msisdn).await, pool.state(&held.iccid).await),
        (NumberStatus::Assigned, ProfileState::Activated)
    );
    pool.release("ORD-0001").await;
    assert_eq!(pool.status(&held.msisdn).await, NumberStatus::Assigned, "the order holds nothing any more");

    let activation = pool.service.esim_activation(&pool.cx, "SUB-0001").await.unwrap();
    assert_eq!((activation.msisdn.as_str(), activation.iccid.as_str()), (held.msisdn.as_str(), held.iccid.as_str()));
    assert!(activation.activation_code.starts_with("LPA:1$smdp.example.test$"), "{}", activation.activation_code);
    assert_eq!(pool.events("inventory.esim.activation_viewed").await.len(), 1);

    pool.retire("SUB-0001").await;
    pool.retire("SUB-0001").await;
    let number = pool.service.number(&pool.cx, &held.msisdn).await.unwrap();
    assert_eq!((number.status, number.assigned_to_subscription_id), (NumberStatus::Quarantine, None));
    assert_eq!(number.quarantine_until, Some(pool.cx.now + TimeDelta::days(90)));
    assert_eq!(pool.state(&held.iccid).await, ProfileState::Recycled);
    assert!(matches!(pool.service.esim_activation(&pool.cx, "SUB-0001").await, Err(Error::NotFound { .. })));

    assert_eq!(pool.tick("quarantine", TimeDelta::days(89)).await, 0);
    assert_eq!(pool.tick("quarantine", TimeDelta::days(91)).await, 1);
    assert_eq!(pool.status(&held.msisdn).await, NumberStatus::Available);
    let quarantined = pool.events("inventory.msisdn.quarantined").await;
    assert_eq!(quarantined.len(), 1);
    let full: i64 =
        sqlx::query_scalar("select count(*) from audit.domain_event where (payload::text || aggregate_id) ~ '8910101'")
            .fetch_one(pool.platform.db.pool())
            .await
            .unwrap();
    assert_eq!(full, 0, "of an ICCID four digits are in events");
}

#[tokio::test]
async fn what_an_order_lets_go_of_is_free_for_the_next() {
    let pool = Pool::of(1, 1).await;
    let held = pool.reserve("ORD-0001", None).await.unwrap();
    pool.release("ORD-0001").await;
    pool.release("ORD-0001").await;
    assert_eq!(
        (pool.status(&held.msisdn).await, pool.state(&held.iccid).await),
        (NumberStatus::Available, ProfileState::Available)
    );
    assert_eq!(pool.events("inventory.msisdn.released").await.len(), 1);
    let next = pool.reserve("ORD-0002", None).await.unwrap();
    assert_eq!((next.msisdn, next.iccid), (held.msisdn, held.iccid));
}

/// An order that somebody works on, or a number that the network knows.
struct Needs(&'static str);

#[async_trait::async_trait]
impl ReservationKeeper for Needs {
    async fn still_need(&self, _: &Context, orders: &[String]) -> Result<Vec<String>> {
        Ok(orders.iter().filter(|order| *order == self.0).cloned().collect())
    }

    async fn still_known(&self, _: &Context, numbers: &[Msisdn]) -> Result<Vec<Msisdn>> {
        Ok(numbers.iter().filter(|number| number.as_str() == self.0).cloned().collect())
    }
}

#[tokio::test]
async fn what_the_network_knows_rests_on_and_holds_nobody_else_up() {
    let pool = Pool::of(300, 300).await;
    // Two pages and a half; the one that stays is the first to come up.
    pool.service.attach_keepers(vec![Arc::new(Needs("90000000"))]);
    pool.sql(
        "update inventory.msisdn_pool set status = 'quarantine', quarantine_until = clock_timestamp() + interval '1 day'
         where msisdn < '90000250'",
    )
    .await;
    assert_eq!(pool.tick("quarantine", TimeDelta::hours(1)).await, 0);
    let racing = tokio::join!(pool.tick("quarantine", TimeDelta::days(2)), pool.tick("quarantine", TimeDelta::days(2)));
    assert_eq!(racing.0 + racing.1, 249);
    assert_eq!(pool.status(&"90000000".parse().unwrap()).await, NumberStatus::Quarantine);
    assert_eq!(pool.status(&"90000249".parse().unwrap()).await, NumberStatus::Available);
    let released = pool.events("inventory.msisdn.released").await;
    assert_eq!(released.len(), 249, "each is told once");
    assert!(released.iter().all(|event| event["cause"] == "quarantine_ended"));
    assert_eq!(pool.tick("quarantine", TimeDelta::days(3)).await, 0, "and is looked at again");
}

#[tokio::test]
async fn a_reservation_runs_out_unless_somebody_needs_it() {
    let pool = Pool::of(9, 9).await;
    pool.service.attach_keepers(vec![Arc::new(Needs("ORD-0002"))]);
    let lost = pool.reserve("ORD-0001", None).await.unwrap();
    let kept = pool.reserve("ORD-0002", None).await.unwrap();
    let used = pool.reserve("ORD-0003", None).await.unwrap();
    pool.assign("ORD-0003", "SUB-0001").await.unwrap();
    assert_eq!(pool.tick("reservations", TimeDelta::minutes(59)).await, 0);
    let racing = tokio::join!(
        pool.tick("reservations", TimeDelta::minutes(61)),
        pool.tick("reservations", TimeDelta::minutes(61))
    );
    assert_eq!(racing.0 + racing.1, 1);
    assert_eq!(
        (pool.status(&lost.msisdn).await, pool.state(&lost.iccid).await),
        (NumberStatus::Available, ProfileState::Available)
    );
    assert_eq!(pool.status(&kept.msisdn).await, NumberStatus::Reserved);
    assert_eq!(pool.status(&used.msisdn).await, NumberStatus::Assigned);
    assert_eq!(pool.events("inventory.msisdn.released").await[0]["cause"], "expired");
    violates(pool.assign("ORD-0001", "SUB-0002").await, rule::RESERVATION_LOST);
}

#[tokio::test]
async fn an_operator_takes_a_reservation_back_but_never_a_line() {
    let pool = Pool::of(3, 3).await;
    let held = pool.reserve("ORD-0001", None).await.unwrap();
    let used = pool.reserve("ORD-0002", None).await.unwrap();
    pool.assign("ORD-0002", "SUB-0001").await.unwrap();
    let release = async |msisdn: &str| {
        let command = ReleaseNumber { msisdn: msisdn.parse().unwrap(), reason: "abandoned".into() };
        pool.service.release_number(&pool.cx, command).await
    };
    assert_eq!(release(held.msisdn.as_str()).await.unwrap().status, NumberStatus::Available);
    assert_eq!(pool.state(&held.iccid).await, ProfileState::Available, "an order holds both or neither");
    violates(release(held.msisdn.as_str()).await, rule::RELEASE_ONLY_RESERVED);
    violates(release(used.msisdn.as_str()).await, rule::RELEASE_IN_USE);
    pool.sql("update inventory.msisdn_pool set status = 'ported_out' where msisdn = '90000002'").await;
    violates(release("90000002").await, rule::RELEASE_TERMINAL);
    assert!(matches!(release("99999999").await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn ranges_are_added_once_and_leave_what_is_there() {
    let pool = Pool::of(5, 5).await;
    assert_eq!(pool.add_range("9100", 10).await.unwrap(), (10, 0));
    pool.sql("update inventory.msisdn_pool set status = 'ported_out' where msisdn = '91000003'").await;
    assert_eq!(pool.add_range("9100", 12).await.unwrap(), (2, 10));
    assert_eq!(pool.status(&"91000003".parse().unwrap()).await, NumberStatus::PortedOut);
    let racing = futures::future::join_all((0..4).map(|_| pool.add_range("9200", 100))).await;
    assert_eq!(racing.into_iter().map(|added| added.unwrap().0).sum::<u32>(), 100);
    for (prefix, count) in [("123", 1), ("12345678", 1), ("9X00", 1), ("9100", 0), ("9100", 10_001)] {
        violates(pool.add_range(prefix, count).await, rule::ADD_RANGE_SANE_PREFIX);
    }
    let count = pool.service.count_numbers(&pool.cx, Some("9100".into())).await.unwrap();
    assert_eq!((count.available, count.ported_out, count.reserved, count.total), (11, 1, 0, 12));
    assert_eq!(pool.service.count_numbers(&pool.cx, Some("7".into())).await.unwrap().total, 0);
    assert!(matches!(pool.service.count_numbers(&pool.cx, Some("9%".into())).await, Err(Error::Invalid { .. })));
    let filter = ListNumbers { status: Some(NumberStatus::Available), prefix: Some("91".into()), limit: 3, offset: 2 };
    let listed = pool.service.numbers(&pool.cx, filter).await.unwrap();
    let listed: Vec<&str> = listed.iter().map(|number| number.msisdn.as_str()).collect();
    assert_eq!(listed, ["91000002", "91000004", "91000005"]);
    let event = &pool.events("inventory.msisdn.range_added").await[1];
    assert_eq!(
        (event["inserted"].as_i64(), event["skipped"].as_i64(), event["last"].as_str()),
        (Some(2), Some(10), Some("91000011"))
    );
}

#[tokio::test]
async fn another_operators_numbers_have_another_length() {
    let platform = cluster::platform(&[("BSS_OPERATOR_NUMBER_LENGTH", "11")]).await;
    let cx = Context::system("test", "test".into(), platform.clock.now().await.unwrap());
    let service = Service::new(platform.clone());
    let tx = platform.db.begin().await.unwrap();
    crm::seed(&tx, &cx, &platform.config.profile).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(service.number(&cx, &"90000000042".parse().unwrap()).await.unwrap().status, NumberStatus::Available);
    let added = service.add_range(&cx, AddNumberRange { prefix: "1511234".into(), count: 3 }).await.unwrap();
    assert_eq!((added.first.as_str(), added.last.as_str()), ("15112340000", "15112340002"));
    violates(
        service.add_range(&cx, AddNumberRange { prefix: "9100".into(), count: 3 }).await,
        rule::ADD_RANGE_SANE_PREFIX,
    );
}

#[tokio::test]
async fn profiles_are_added_behind_the_highest_and_never_twice() {
    let pool = Pool::of(1, 2).await;
    let racing = (0..4).map(|_| pool.service.add_profiles(&pool.cx, AddProfiles { count: 25 }));
    let inserted: u32 = futures::future::join_all(racing).await.into_iter().map(|added| added.unwrap().inserted).sum();
    assert_eq!(inserted, 100);
    let available = ListProfiles { state: Some(ProfileState::Available), limit: 1_000, offset: 0 };
    let listed = pool.service.profiles(&pool.cx, available).await.unwrap();
    assert_eq!(listed.len(), 102);
    assert_eq!((listed[101].iccid.as_str(), listed[101].assigned_msisdn.as_ref()), ("…0101", None));
    let whole: i64 = sqlx::query_scalar(
        "select count(*) from inventory.esim_profile
         where iccid ~ '^8910101[0-9]{12}$' and imsi = '525010' || right(iccid, 9) and matching_id ~ '^[0-9A-F]{16}$'
           and activation_code = 'LPA:1$' || smdp_server || '$' || matching_id and ki_ref ~ '^hsm://ref/[0-9a-f-]{36}$'",
    )
    .fetch_one(pool.platform.db.pool())
    .await
    .unwrap();
    assert_eq!(whole, 102);
    assert!(matches!(pool.service.add_profiles(&pool.cx, AddProfiles { count: 0 }).await, Err(Error::Invalid { .. })));
}

#[tokio::test]
async fn no_profile_is_added_whose_number_has_no_place_in_an_imsi() {
    let pool = Pool::of(1, 1).await;
    pool.sql(
        "update inventory.esim_profile
         set iccid = left(iccid, 7) || '000999999998', imsi = left(imsi, 6) || '999999998'",
    )
    .await;
    match pool.service.add_profiles(&pool.cx, AddProfiles { count: 2 }).await {
        Err(Error::Invalid { pointer, message }) => {
            assert!(pointer == "/count" && message.contains("only 1 more"), "{pointer} {message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(pool.service.add_profiles(&pool.cx, AddProfiles { count: 1 }).await.unwrap().inserted, 1);
}

#[tokio::test]
async fn the_alarm_of_a_low_pool_is_raised_once_until_a_refill() {
    let pool = Pool::of(6, 500).await;
    let low = async || pool.events("inventory.msisdn.pool_low").await;
    for n in 1..=2 {
        pool.reserve(&format!("ORD-000{n}"), None).await.unwrap();
    }
    assert_eq!(low().await.len(), 0, "four are left");
    for n in 3..=6 {
        pool.reserve(&format!("ORD-000{n}"), None).await.unwrap();
    }
    assert_eq!(low().await.len(), 1);
    assert_eq!((low().await[0]["available"].as_i64(), low().await[0]["threshold"].as_i64()), (Some(3), Some(3)));
    pool.release("ORD-0001").await;
    pool.reserve("ORD-0007", None).await.unwrap();
    assert_eq!(low().await.len(), 1, "one more is no refill");
    pool.add_range("9100", 4).await.unwrap();
    pool.reserve("ORD-0008", None).await.unwrap();
    assert_eq!(low().await.len(), 2);
    assert!(pool.events("inventory.esim.pool_low").await.is_empty());
}

#[tokio::test]
async fn the_audit_finds_every_dead_or_doubtful_holder() {
    let pool = Pool::of(9, 9).await;
    let offenders = async || {
        let report = audit::verify(&pool.platform.db, CHECKS).await.unwrap();
        let wrong = report.checks.into_iter().filter(|check| !check.ok);
        wrong.flat_map(|check| check.offenders.into_iter().map(move |o| (check.name.clone(), o.id))).collect::<Vec<_>>()
    };
    assert_eq!(offenders().await, []);
    let held = pool.reserve("ORD-0001", None).await.unwrap();
    assert_eq!(offenders().await, [("inventory.reservation_has_an_order".to_owned(), held.msisdn.to_string())]);
    pool.sql("insert into order_mgmt.product_order (id, customer_id, state, order_date) values ('ORD-0001', 'CUST-1', 'in_progress', now())")
        .await;
    assert_eq!(offenders().await, []);
    pool.sql("update order_mgmt.product_order set state = 'failed', updated_at = now()").await;
    assert_eq!(offenders().await, [], "the moment after");
    pool.sql("update order_mgmt.product_order set updated_at = now() - interval '1 minute'").await;
    assert_eq!(offenders().await.len(), 1);
    pool.sql("update order_mgmt.product_order set state = 'in_progress'").await;

    pool.assign("ORD-0001", "SUB-0001").await.unwrap();
    let names: Vec<String> = offenders().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["inventory.number_holder_lives", "inventory.profile_holder_lives"], "no such line");
    pool.sql(&format!(
        "insert into subscription.subscription (id, customer_id, offering_id, commercial_order_id, msisdn, iccid, cfs_service_id, state,
             price_amount_minor, price_currency, price_offering_price_id)
         values ('SUB-0001', 'CUST-1', 'PLAN_M', 'ORD-0001', '{}', '{}', 'SVC-0001', 'active', 2500, 'SGD', 'PRICE_PLAN_M')",
        held.msisdn, held.iccid
    ))
    .await;
    assert_eq!(offenders().await, []);
    pool.retire("SUB-0001").await;
    let names: Vec<String> = offenders().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["inventory.line_has_its_number", "inventory.line_has_its_profile"]);
    pool.sql("update subscription.subscription set state = 'terminated'").await;
    assert_eq!(offenders().await, []);

    pool.reserve("ORD-0001", None).await.unwrap();
    pool.sql("update inventory.esim_profile set profile_state = 'available', reserved_for = null where profile_state = 'reserved'").await;
    assert_eq!(offenders().await, [("inventory.reservation_is_a_pair".to_owned(), "ORD-0001".to_owned())]);
}
