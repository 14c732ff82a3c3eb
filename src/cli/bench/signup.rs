//! The whole sign-up, from a new customer to the line in service.

use super::connection::{Connection, Fault, Target};
use super::load::{self, Load, Report};
use super::prepare;

pub(super) async fn measure(target: &Target, load: Load) -> Result<Report, Fault> {
    let mut connection = target.connect().await?;
    // More than a fast server signs up in that time.
    let seconds = (load.warmup + load.measured).as_secs();
    prepare::stock(&mut connection, (seconds * 40 * load.connections as u64).clamp(200, 9_000)).await?;
    let workers = load.connect(target).await?.into_iter().map(|connection| SigningUp { connection });
    load.drive("signup", target.meter(), workers.collect()).await
}

struct SigningUp {
    connection: Connection,
}

impl load::Worker for SigningUp {
    async fn step(&mut self) -> Result<(), Fault> {
        prepare::line(&mut self.connection, "PLAN_M").await.map(drop)
    }
}
