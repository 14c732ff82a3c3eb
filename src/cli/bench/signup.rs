//! The whole sign-up, from a new customer to the line in service, and the part of it that is the operator's: the order.

use super::connection::{Connection, Fault, Target};
use super::load::{self, Load, Report};
use super::prepare;

const PLAN: &str = "PLAN_M";

pub(super) async fn measure(target: &Target, load: Load) -> Result<Report, Fault> {
    stock(target, load).await?;
    let workers = load.connect(target).await?.into_iter().map(|connection| SigningUp { connection });
    load.drive("signup", target.meter(), workers.collect()).await
}

/// From the submission of an order to its end. Each is a new customer's, who is made between the orders.
pub(super) async fn orders(target: &Target, load: Load) -> Result<Report, Fault> {
    stock(target, load).await?;
    let workers = load.connect(target).await?.into_iter().map(|connection| Ordering { connection, customer: None });
    load.drive("order", target.meter(), workers.collect()).await
}

async fn stock(target: &Target, load: Load) -> Result<(), Fault> {
    // More than a fast server signs up in that time.
    let seconds = (load.warmup + load.measured).as_secs();
    prepare::stock(&mut target.connect().await?, (seconds * 40 * load.connections as u64).clamp(200, 9_000)).await
}

struct SigningUp {
    connection: Connection,
}

impl load::Worker for SigningUp {
    async fn step(&mut self) -> Result<(), Fault> {
        prepare::line(&mut self.connection, PLAN).await.map(drop)
    }
}

struct Ordering {
    connection: Connection,
    /// Who orders next.
    customer: Option<Result<String, Fault>>,
}

impl load::Worker for Ordering {
    async fn ready(&mut self) {
        self.customer = Some(prepare::customer(&mut self.connection).await);
    }

    async fn step(&mut self) -> Result<(), Fault> {
        let Some(customer) = self.customer.take() else { return Ok(()) };
        prepare::order(&mut self.connection, &customer?, PLAN).await.map(drop)
    }
}
