//! Ticks on the scheduler: whatever one of their runs comes to, the next one is on time.

use std::sync::Arc;
use std::time::Duration;

use bss::platform::scheduler::{Scheduler, Ticks};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
