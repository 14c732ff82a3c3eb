//! Ticks on the scheduler: whatever one of their runs comes to, the next one is on time.

use std::sync::Arc;
use std::time::Duration;

use bss::platform::scheduler::{Scheduler, Ticks};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::app::TestApp;
use crate::support::cluster;

/// How long a run is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_tick_that_panics_says_so_and_runs_again() {
    let platform = cluster::platform(&[]).await;
    let (tell, mut runs) = mpsc::unbounded_channel();
    let ticks = Ticks::default().add("breaks", Some(Duration::from_millis(20)), "system:test", move |_| {
        tell.send(()).expect("the test listens");
        async move { if true { panic!("as a bug does") } else { Ok(json!({})) } }
    });
    let (db, clock, ids) = (platform.db.clone(), platform.clock.clone(), platform.ids.clone());
    let scheduler = Arc::new(Scheduler::new(db, clock, ids, ticks));
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    scheduler.start(&stop, &tasks);
    for run in 1..=3 {
        let heard = tokio::time::timeout(PATIENCE, runs.recv()).await;
        assert!(heard.is_ok_and(|run| run.is_some()), "run {run}");
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    let by_hand = scheduler.run("breaks").await.expect_err("it breaks whoever asks");
    assert!(by_hand.to_string().contains("panicked"), "{by_hand}");
    let listed = scheduler.list().await.expect("the ticks");
    let said = listed[0].last_error.as_deref().unwrap_or_default();
    assert!(said.contains("panicked") && listed[0].last_finished_at.is_some(), "{said}");
    platform.db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finished_deliveries_go_with_what_is_noted_of_their_tries() {
    let app = TestApp::new().await;
    app.line("PLAN_S").await;
    app.until("nothing is on its way", async || {
        (app.number("select count(*) from audit.delivery where state = 'pending'").await == 0).then_some(())
    })
    .await;
    app.sql(
        "insert into audit.delivery_history (event_id, consumer, what, actor)
         select event_id, consumer, 'failed', 'test' from audit.delivery",
    )
    .await;
    let old = app
        .sql("update audit.delivery set finished_at = finished_at - interval '8 days' where consumer like 'som.%'")
        .await;
    let run = app.op("worker.tick", json!({"name": "finished_deliveries"})).await.ok();
    assert!(old > 0 && run["purged"] == old, "{old} are old: {run}");
    let (left, noted) = (
        app.number("select count(*) from audit.delivery").await,
        app.number("select count(*) from audit.delivery_history").await,
    );
    assert!(left > 0 && left == noted, "{left} deliveries and {noted} notes are left");
    app.finish().await;
}
