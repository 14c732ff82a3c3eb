//! A simulated year: customers join, with codes and without, call orders off, use, top up, change plans, lose phones, do not
//! pay, are blocked, come back and leave, while plans move to new prices and the network has its outages, under a clock that
//! runs a day in a moment, against a server that is killed on the way. At the end every customer's charges, periods, quota
//! and state, what the network knows of their lines and what they were told must be what an independent model says, and the
//! same seed must end the same.
//!
//! In reading order: [`catalog`] what is sold, as plain data, and [`promotion`] for how much less; [`step`] what a customer
//! can do; [`model`] what must come of it, written from the rules and not from the code; [`plan`] a customer's whole year, and
//! [`price`] what plans cost when, drawn from the seed alone; [`outage`] what the network does not do when; [`account`] what
//! is compared; [`server`] and [`client`] the product, as a process and over HTTP; [`driver`] lives the year, `actor` each of
//! its customers, `operator` sees to the network; [`observe`] reads what came of it; [`report`] says whether that is right.
//!
//! It knows no domain of the product, and speaks to it through operations only.

pub mod account;
mod actor;
pub mod catalog;
pub mod client;
pub mod driver;
pub mod model;
pub mod observe;
mod operator;
pub mod outage;
pub mod plan;
pub mod price;
pub mod promotion;
pub mod report;
pub mod server;
pub mod step;

use std::time::Instant;

use serde_json::json;

use catalog::Catalog;
use client::{Client, Fault};
use driver::{Drawn, Lived};
use outage::Outage;
use plan::Year;
use price::Move;
use report::{Report, Seen};
use server::Server;

/// How large a run is, and what it draws.
#[derive(Debug, Clone)]
pub struct Size {
    pub seed: u64,
    pub customers: u32,
    pub days: u32,
    /// How often the server is killed; it must be one of ours.
    pub kills: u32,
    /// Customers who act at the same time.
    pub hands: usize,
}

/// A run: the years that were drawn, and the server on which they are lived.
#[derive(Debug)]
pub struct Soak {
    size: Size,
    client: Client,
    server: Option<Server>,
    moves: Vec<Move>,
    outages: Vec<Outage>,
    years: Vec<Year>,
    lived: Lived,
    started: Instant,
}

impl Soak {
    /// Reads the catalog, draws every year, and prepares an installation without customers. A server that is given is killed
    /// now and then; ending it stays with whoever started it.
    pub async fn prepare(size: Size, client: Client, server: Option<Server>) -> Result<Self, Fault> {
        let mut catalog = Catalog::read(&client).await?;
        catalog.moves = price::draw(size.seed, size.days, &catalog.plans);
        catalog.outages = outage::draw(size.seed, size.days);
        let years = (0..size.customers).map(|index| plan::draw(size.seed, index, size.days, &catalog)).collect();
        let Catalog { moves, outages, .. } = catalog;
        let soak =
            Self { size, client, server, moves, outages, years, lived: Lived::default(), started: Instant::now() };
        driver::prepare(&soak.client, &soak.size).await?;
        Ok(soak)
    }

    /// Lives all days, one after the other. `progress` is told of each.
    pub async fn live(&mut self, progress: impl FnMut(u32)) -> Result<(), Fault> {
        let drawn = Drawn { years: &self.years, moves: &self.moves, outages: &self.outages };
        self.lived = driver::live(&self.client, self.server.as_ref(), &self.size, drawn, progress).await?;
        Ok(())
    }

    /// Reads what came of every customer, has the books verified, and compares.
    pub async fn report(&self) -> Result<Report, Fault> {
        let accounts = observe::accounts(&self.client, self.size.hands, &self.lived.customers).await?;
        let audit = self.client.must("audit.verify", &json!({}), None).await?;
        let parked = self.client.must("queue.parked", &json!({}), None).await?;
        let unconfirmed = observe::unconfirmed(&self.client).await?;
        let seen = Seen { accounts, audit, parked, unconfirmed, elapsed: self.started.elapsed() };
        Ok(Report::new(&self.size, &self.years, &self.lived, &seen))
    }
}
