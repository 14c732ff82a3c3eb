//! Three times as much usage as the server can answer: what is too much is refused at once, and the rest is served as ever.

use std::time::Duration;

use super::connection::{Fault, Target};
use super::load::{Excess, Load, Report};
use super::usage::Usage;

/// How much is sent, in measures of what can be answered.
const TIMES: f64 = 3.0;
/// When all is to be as before.
const RECOVERY: Duration = Duration::from_secs(5);

/// Three reports: the usage maximum over `normal`, three times that for as long as `load` says, and the maximum again five
/// seconds later.
pub(super) async fn measure(target: &Target, normal: Load, load: Load, lines: usize) -> Result<Vec<Report>, Fault> {
    let usage = Usage::prepare(target, lines).await?;
    let most = normal.drive("usage, most", target.meter(), usage.workers(target, normal, None).await?).await?;
    let load = Load { excess: Excess::Refused, ..load };
    let workers = usage.workers(target, load, Some(most.rate() * TIMES)).await?;
    let flooded = load.drive("usage, three times that", None, workers).await?;
    tokio::time::sleep(RECOVERY).await;
    let after = normal.drive("usage, 5 s later", target.meter(), usage.workers(target, normal, None).await?).await?;
    Ok(vec![most, flooded, after])
}
