//! The simulated year in small: killed on the way, with a network that has its outages, equal to the model, and the same
//! again; `bss soak` runs the large one.

use std::path::Path;

use bss::soak::client::Client;
use bss::soak::report::Report;
use bss::soak::server::Server;
use bss::soak::{Size, Soak};

use crate::support::installation::Installation;

const SMALL: Size = Size { seed: 1, customers: 24, days: 70, kills: 2, hands: 8 };

/// A run that is over, on an installation of its own whose server still answers.
async fn lived(size: Size) -> (Installation, Server, Soak) {
    let installation = Installation::private();
    let server = Server::start(Path::new(env!("CARGO_BIN_EXE_bss")), &installation.data_dir()).await;
    let server = server.expect("the server starts");
    let client = Client::new(&server.url(), &server.token().expect("it has written its token")).expect("a client");
    let mut soak = Soak::prepare(size, client, Some(server.clone())).await.expect("an empty installation");
    soak.live(|_| {}).await.expect("every day is lived");
    (installation, server, soak)
}

async fn report_of(size: Size) -> Report {
    let (_installation, server, soak) = lived(size).await;
    let report = soak.report().await.expect("the server answers");
    server.stop().await.expect("the server stops in good order");
    report
}

#[tokio::test]
async fn a_year_in_small_is_as_the_model_says_and_the_same_again() {
    let undisturbed = Size { kills: 0, hands: 3, ..SMALL };
    let (report, again) = tokio::join!(report_of(SMALL), report_of(undisturbed));
    println!("{}", report.markdown());
    assert!(report.is_clean(), "{}", report.markdown());
    assert_eq!(report.kills, SMALL.kills);
    assert!(report.actual.approved > 24 && report.actual.declined > 0 && report.refused > 0, "it did not flow");
    assert!(again.is_clean(), "{}", again.markdown());
    let deeds: Vec<&str> = again.deeds.keys().copied().collect();
    assert_eq!(
        deeds,
        ["failed tasks tried again", "stuck tasks resolved", "tasks given up"],
        "the network did not fail"
    );
    assert_eq!(again.digests, report.digests, "whoever comes first, and whether or not it is killed");
}

#[tokio::test]
async fn a_row_that_is_not_right_is_found_with_its_customer() {
    let (installation, server, soak) = lived(Size { seed: 2, customers: 4, days: 3, kills: 0, hands: 4 }).await;
    let before = soak.report().await.expect("the server answers");
    assert!(before.is_clean(), "{}", before.markdown());

    let pool = installation.pool().await;
    let damaged: String = sqlx::query_scalar(
        "with line as (select id, customer_id from subscription.subscription where state <> 'terminated' order by id limit 1)
         update subscription.bundle_balance b set remaining = b.remaining - 1 from line
         where b.subscription_id = line.id and b.allowance_type = 'data' and b.remaining > 0 returning line.customer_id",
    )
    .fetch_one(&pool)
    .await
    .expect("somebody has data left");
    for damage in [
        "update service_inventory.service set network_confirmed = 'suspended' where customer_id = $1 and type = 'CFS'",
        "update crm.communication_message set template = 'termination' where customer_id = $1 and template = 'activation'",
    ] {
        let damaged = sqlx::query(damage).bind(&damaged).execute(&pool).await.expect(damage);
        assert!(damaged.rows_affected() > 0, "{damage}");
    }
    pool.close().await;

    let after = soak.report().await.expect("the server answers");
    assert!(!after.is_clean() && !after.audit_ok);
    let [differing] = &after.differences[..] else { panic!("{}", after.markdown()) };
    assert_eq!(differing.customer_id, damaged);
    for path in ["quota/data/remaining", "network/confirmed", "told/activation", "told/termination"] {
        let path = format!("/lines/0/{path}");
        assert!(differing.places.iter().any(|place| place.path == path), "{path}: {differing:?}");
    }
    assert!(after.markdown().contains(&damaged));
    assert_ne!(after.digest, before.digest);
    assert_eq!(
        after.digests.iter().zip(&before.digests).filter(|(one, other)| one != other).count(),
        1,
        "of one customer alone"
    );
    server.stop().await.expect("the server stops in good order");
}

#[tokio::test]
async fn another_seed_is_another_year() {
    let size = |seed| Size { seed, customers: 3, days: 2, kills: 0, hands: 3 };
    let (one, other) = tokio::join!(report_of(size(5)), report_of(size(6)));
    assert!(one.is_clean() && other.is_clean(), "{}{}", one.markdown(), other.markdown());
    assert_ne!(one.digest, other.digest);
}
