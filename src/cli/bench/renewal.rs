//! Renewals that are all due at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::connection::{Connection, Fault, Target};
use super::load::Report;
use super::meter;
use super::prepare::{self, Line};

/// Longest wait for the last renewal.
const PATIENCE: Duration = Duration::from_secs(600);

/// One sample: all lines fall due at once, and the time is taken until the last one has its next period. `standing` lines
/// were there before; of them it is only seen that none is due any more.
pub(super) async fn measure(target: &Target, count: usize, standing: usize) -> Result<Report, Fault> {
    let lines = prepare::lines(target, "PLAN_M", count).await?;
    let mut connection = target.connect().await?;
    connection.op("clock.advance", &json!({ "duration": "30d" })).await?;
    connection.op("clock.advance", &json!({ "duration": "1m" })).await?;
    let before = target.meter().map(meter::Meter::read);
    let started = Instant::now();
    while !tick(&mut connection).await? && started.elapsed() < PATIENCE {}
    while is_busy(&connection.op("queue.status", &json!({})).await?) && started.elapsed() < PATIENCE {
        // Looking costs the server something, and more where there is much to look at.
        tokio::time::sleep((started.elapsed() / 50).clamp(Duration::from_millis(5), Duration::from_secs(1))).await;
    }
    let elapsed = started.elapsed();
    let spent = before.zip(target.meter()).map(|(before, meter)| meter.read().since(before));
    let mut renewed = renewed(target, lines.into()).await?;
    let left = connection.op("subscription.tick_renewals_now", &json!({})).await?;
    if ["due", "pending", "failed"].iter().all(|what| left[what] == 0) {
        renewed += standing;
    }
    Ok(Report::once("renewal", renewed, count + standing - renewed, elapsed, spent))
}

/// Begins the renewals that are due, and waits for them. False when there were more than one call has the time for.
async fn tick(connection: &mut Connection) -> Result<bool, Fault> {
    match connection.op("subscription.tick_renewals_now", &json!({})).await {
        Ok(_) => Ok(true),
        Err(Fault::Refused { status: 503, .. }) => Ok(false),
        Err(fault) => Err(fault),
    }
}

fn is_busy(status: &Value) -> bool {
    let consumers = status["consumers"].as_array().map_or(&[][..], Vec::as_slice);
    consumers.iter().any(|consumer| consumer["pending"].as_i64().unwrap_or(0) > 0)
}

/// How many of the lines have their next period.
async fn renewed(target: &Target, lines: Arc<[Line]>) -> Result<usize, Fault> {
    let each = prepare::share(target, lines.len(), move |mut connection, mine| {
        let lines = Arc::clone(&lines);
        async move {
            let mut renewed = 0;
            for n in mine {
                renewed += usize::from(is_renewed(&mut connection, &lines[n]).await?);
            }
            Ok(renewed)
        }
    });
    Ok(each.await?.into_iter().sum())
}

async fn is_renewed(connection: &mut Connection, line: &Line) -> Result<bool, Fault> {
    let now = connection.op("subscription.get", &json!({ "subscriptionId": line.id })).await?;
    Ok(now["state"] == "active" && now["currentPeriodEnd"].as_str().is_some_and(|end| end > line.period_end.as_str()))
}
