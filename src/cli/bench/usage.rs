//! Usage, one event per request.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::connection::{Connection, Fault, Target};
use super::load::{self, Load, Report};
use super::prepare;

/// One sample over `lines` that are signed up for it and up to `standing` others.
pub(super) async fn measure(
    target: &Target,
    load: Load,
    lines: usize,
    standing: usize,
    per_second: Option<f64>,
) -> Result<Report, Fault> {
    let others = prepare::standing(target, standing).await?;
    let usage = Usage::prepare(target, lines).await?.with(others);
    load.drive("usage", target.meter(), usage.workers(target, load, per_second).await?).await
}

/// Lines that are used, by one run of the bench.
pub(super) struct Usage {
    numbers: Arc<[String]>,
    now: String,
}

impl Usage {
    pub(super) async fn prepare(target: &Target, lines: usize) -> Result<Self, Fault> {
        let lines = prepare::lines(target, "PLAN_L", lines).await?;
        let mut connection = target.connect().await?;
        let now = connection.op("clock.now", &json!({})).await?["now"].as_str().unwrap_or_default().to_owned();
        Ok(Self { numbers: lines.into_iter().map(|line| line.msisdn).collect(), now })
    }

    /// The same with more numbers.
    fn with(mut self, others: Vec<String>) -> Self {
        if !others.is_empty() {
            self.numbers = self.numbers.iter().cloned().chain(others).collect();
        }
        self
    }

    /// One worker per connection; together they send `per_second` events, or without it as many as are answered.
    pub(super) async fn workers(
        &self,
        target: &Target,
        load: Load,
        per_second: Option<f64>,
    ) -> Result<Vec<Using>, Fault> {
        let run = prepare::unique();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred connections")]
        let pause = per_second.map(|rate| Duration::from_secs_f64(load.connections as f64 / rate.max(1.0)));
        let workers = load.connect(target).await?.into_iter().enumerate().map(|(n, connection)| Using {
            connection,
            target: target.clone(),
            numbers: Arc::clone(&self.numbers),
            now: self.now.clone(),
            external_id: format!("{run}-{n}"),
            // Neighbours begin at different lines, and at different moments.
            turn: n * self.numbers.len() / load.connections,
            pace: pause.map(|pause| paced(pause, pause.mul_f64(f64::from(u16::try_from(n).unwrap_or(0)) / 100.0))),
        });
        Ok(workers.collect())
    }
}

fn paced(pause: Duration, first: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + first, pause);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

pub(super) struct Using {
    connection: Connection,
    target: Target,
    numbers: Arc<[String]>,
    now: String,
    external_id: String,
    turn: usize,
    pace: Option<Interval>,
}

impl load::Worker for Using {
    async fn ready(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
    }

    async fn step(&mut self) -> Result<(), Fault> {
        self.turn += 1;
        let number = &self.numbers[self.turn % self.numbers.len()];
        let body = format!(
            r#"{{"usageDate":"{}","usageType":"data","usageCharacteristic":[{{"name":"msisdn","value":"{number}"}},{{"name":"quantity","value":1}},{{"name":"source","value":"bench"}},{{"name":"externalId","value":"{}-{}"}}]}}"#,
            self.now, self.external_id, self.turn
        );
        let request = self.target.request("POST", "/tmf-api/usageManagement/v4/usage", body.as_bytes());
        self.connection.send(&request).await?.ok().map(drop)
    }
}
