//! Reads at the TMF paths: by id, lists and searches, and by id beside usage.

use super::connection::{Connection, Fault, Target};
use super::load::{self, Load, Report};
use super::prepare;
use super::usage::Usage;

/// Customers that are read; the catalog has three plans.
const CUSTOMERS: usize = 50;

const OFFERING: &str = "/tmf-api/productCatalogManagement/v4/productOffering";
const CUSTOMER: &str = "/tmf-api/customerManagement/v4/customer";
const USAGE: &str = "/tmf-api/usageManagement/v4/usage";

/// Every connection reads the paths in turn.
struct Reading {
    connection: Connection,
    requests: Vec<Vec<u8>>,
    turn: usize,
}

impl load::Worker for Reading {
    async fn step(&mut self) -> Result<(), Fault> {
        self.turn += 1;
        self.connection.send(&self.requests[self.turn % self.requests.len()]).await?.ok().map(drop)
    }
}

async fn workers(target: &Target, load: Load, paths: &[String]) -> Result<Vec<Reading>, Fault> {
    let workers = load.connect(target).await?.into_iter().enumerate().map(|(n, connection)| {
        let requests = paths.iter().map(|path| target.request("GET", path, &[])).collect();
        // Neighbours begin at different ones.
        Reading { connection, requests, turn: n * 7 }
    });
    Ok(workers.collect())
}

/// A plan and a customer in turn.
async fn resources(target: &Target) -> Result<Vec<String>, Fault> {
    let mut connection = target.connect().await?;
    let mut paths = Vec::with_capacity(2 * CUSTOMERS);
    for plan in ["PLAN_S", "PLAN_M", "PLAN_L"].into_iter().cycle().take(CUSTOMERS) {
        paths.push(format!("{OFFERING}/{plan}"));
        paths.push(format!("{CUSTOMER}/{}", prepare::customer(&mut connection).await?));
    }
    Ok(paths)
}

pub(super) async fn by_id(target: &Target, load: Load) -> Result<Report, Fault> {
    let paths = resources(target).await?;
    load.drive("read", target.meter(), workers(target, load, &paths).await?).await
}

/// Pages of each collection, and customers by what is known of them, among `count`.
pub(super) async fn lists(target: &Target, load: Load, count: u64) -> Result<Report, Fault> {
    let one = prepare::customers(target, count).await?;
    let pages = [OFFERING, CUSTOMER, USAGE].map(|collection| format!("{collection}?limit=20"));
    let searches = [
        format!("{CUSTOMER}?limit=20&offset={}", count / 2),
        format!("{CUSTOMER}?status=active&limit=20&fields=name,status"),
        format!("{CUSTOMER}?status=suspended&limit=20"),
        format!("{CUSTOMER}?contactMedium.characteristic.emailAddress={one}&fields=name"),
        format!("{CUSTOMER}?name=Bench%20Customer&limit=20&fields=name"),
        format!("{CUSTOMER}?validFor.startDateTime.gt=2020-01-01T00:00:00Z&sort=-validFor.startDateTime&limit=20"),
    ];
    let paths: Vec<String> = pages.into_iter().chain(searches).collect();
    load.drive("list", target.meter(), workers(target, load, &paths).await?).await
}

/// Three reports: reads with nothing else going on, the usage maximum, and reads beside half of that usage.
pub(super) async fn beside_usage(
    target: &Target,
    readers: usize,
    load: Load,
    lines: usize,
) -> Result<Vec<Report>, Fault> {
    let paths = resources(target).await?;
    let usage = Usage::prepare(target, lines).await?;
    let reading = Load { connections: readers, ..load };
    let idle = reading.drive("read, idle", target.meter(), workers(target, reading, &paths).await?).await?;
    let most = load.drive("usage, most", target.meter(), usage.workers(target, load, None).await?).await?;
    let half = usage.workers(target, load, Some(most.rate() / 2.0)).await?;
    let readers = workers(target, reading, &paths).await?;
    let (half, beside) = futures::future::try_join(
        load.drive("usage, half of that", None, half),
        reading.drive("read, beside it", None, readers),
    )
    .await?;
    Ok(vec![idle, most, half, beside])
}
