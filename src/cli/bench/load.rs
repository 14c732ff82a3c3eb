//! A closed loop: every connection sends, waits, notes how long it took, and sends again.

use std::future::Future;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::connection::{Connection, Fault, Target};
use super::meter::{Meter, Resident, Spent};

/// How much load, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: usize,
    pub(super) warmup: Duration,
    pub(super) measured: Duration,
    pub(super) excess: Excess,
}

/// What it means when the server says that it has too much to do (429, 503).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// An error like any other.
    Error,
    /// What was asked for: it is counted.
    Refused,
}

/// What one connection does over and over.
pub(super) trait Worker: Send + 'static {
    /// Waits for the moment of the next step, where that is not "at once".
    fn ready(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    fn step(&mut self) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Ten minutes; what takes longer counts as that.
const LATENCY_MAX_US: u64 = 600_000_000;

/// How often the server's memory is read.
const MEMORY_EVERY: Duration = Duration::from_secs(1);

/// Latencies in microseconds.
type Latencies = Histogram<u64>;

struct Tally {
    latencies: Latencies,
    errors: u64,
    first_error: Option<Fault>,
    /// Requests refused because there were too many, and how long that took.
    refused: Latencies,
    excess: Excess,
}

impl Tally {
    fn new(excess: Excess) -> Self {
        let latencies =
            Latencies::new_with_bounds(1, LATENCY_MAX_US, 3).expect("the bounds are in order, three digits are few");
        Self { refused: latencies.clone(), latencies, errors: 0, first_error: None, excess }
    }

    fn note(&mut self, elapsed: Duration, outcome: Result<(), Fault>) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        match outcome {
            Ok(()) => self.latencies.saturating_record(micros),
            Err(Fault::Refused { status: 429 | 503, .. }) if self.excess == Excess::Refused => {
                self.refused.saturating_record(micros);
            }
            Err(fault) => {
                self.errors += 1;
                self.first_error.get_or_insert(fault);
            }
        }
    }

    fn add(&mut self, other: Self) {
        // Both have the same bounds and digits.
        let _ = self.latencies.add(other.latencies);
        let _ = self.refused.add(other.refused);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

impl Load {
    pub(super) async fn connect(&self, target: &Target) -> Result<Vec<Connection>, Fault> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(target.connect().await?);
        }
        Ok(connections)
    }

    /// Runs all workers for the time and adds up what they saw. A lost connection ends its worker.
    pub(super) async fn drive<W: Worker>(
        &self,
        what: &'static str,
        meter: Option<Meter>,
        workers: Vec<W>,
    ) -> Result<Report, Fault> {
        let begin = Instant::now() + self.warmup;
        let end = begin + self.measured;
        let mut running = JoinSet::new();
        for worker in workers {
            running.spawn(work(worker, begin, end, self.excess));
        }
        tokio::time::sleep_until(begin.into()).await;
        let before = meter.map(Meter::read);
        let mut resident = None;
        let mut total = Tally::new(self.excess);
        let mut look = tokio::time::interval(MEMORY_EVERY);
        loop {
            tokio::select! {
                tally = running.join_next() => match tally {
                    Some(tally) => total.add(tally.map_err(|error| Fault::Answer(format!("a worker ended: {error}")))?),
                    None => break,
                },
                _ = look.tick() => resident = Resident::and(resident, meter.and_then(Meter::resident)),
            }
        }
        let cost = before.zip(meter).map(|(before, meter)| Cost { spent: meter.read().since(before), resident });
        Ok(Report::of(what, self.connections, self.measured, total, cost))
    }
}

async fn work<W: Worker>(mut worker: W, begin: Instant, end: Instant, excess: Excess) -> Tally {
    let mut tally = Tally::new(excess);
    loop {
        worker.ready().await;
        let started = Instant::now();
        if started >= end {
            return tally;
        }
        let outcome = worker.step().await;
        let lost = matches!(outcome, Err(Fault::Unavailable(_)));
        let now = Instant::now();
        if (started >= begin && now <= end) || outcome.is_err() {
            tally.note(now - started, outcome);
        }
        if lost {
            return tally;
        }
    }
}

/// What a load cost the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) spent: Spent,
    /// None where only the end was seen.
    pub(super) resident: Option<Resident>,
}

/// What a load saw.
#[derive(Debug)]
pub(super) struct Report {
    what: &'static str,
    connections: usize,
    seconds: f64,
    succeeded: u64,
    errors: u64,
    first_error: Option<String>,
    /// 50th, 95th and 99th percentile and the longest, in milliseconds; None for a single sample.
    latencies_ms: Option<[f64; 4]>,
    /// Where that was asked for: requests refused because there were too many, and the 99th percentile of those answers in
    /// milliseconds.
    refused: Option<(u64, f64)>,
    cost: Option<Cost>,
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a benchmark")]
    fn of(what: &'static str, connections: usize, measured: Duration, tally: Tally, cost: Option<Cost>) -> Self {
        let ms = |micros: u64| micros as f64 / 1000.0;
        let l = &tally.latencies;
        Self {
            what,
            connections,
            seconds: measured.as_secs_f64(),
            succeeded: l.len(),
            errors: tally.errors,
            first_error: tally.first_error.map(|fault| fault.to_string()),
            latencies_ms: Some([0.50, 0.95, 0.99].map(|q| ms(l.value_at_quantile(q))))
                .map(|[a, b, c]| [a, b, c, ms(l.max())]),
            refused: (tally.excess == Excess::Refused)
                .then(|| (tally.refused.len(), ms(tally.refused.value_at_quantile(0.99)))),
            cost,
        }
    }

    /// Many things that were done at once, of which only the end was seen.
    pub(super) fn once(
        what: &'static str,
        succeeded: usize,
        failed: usize,
        elapsed: Duration,
        spent: Option<Spent>,
    ) -> Self {
        Self {
            what,
            connections: 1,
            seconds: elapsed.as_secs_f64(),
            succeeded: succeeded as u64,
            errors: failed as u64,
            first_error: None,
            latencies_ms: None,
            refused: None,
            cost: spent.map(|spent| Cost { spent, resident: None }),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn rate(&self) -> f64 {
        self.succeeded as f64 / self.seconds.max(0.001)
    }

    /// Microseconds of processor time per success: the server's and the database's.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn cpu_us(&self) -> Option<[f64; 2]> {
        let Spent { server, database } = self.cost?.spent;
        Some([server, database].map(|spent| spent.as_secs_f64() * 1e6 / self.succeeded.max(1) as f64))
    }

    /// The server's resident memory in MiB: at the first reading, the most, and at the last one.
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    fn resident_mib(&self) -> Option<[f64; 3]> {
        let Resident { first, most, last } = self.cost?.resident?;
        Some([first, most, last].map(|kib| kib as f64 / 1024.0))
    }

    pub(super) const fn exit_code(&self) -> u8 {
        if self.errors == 0 && self.succeeded > 0 { 0 } else { 1 }
    }

    pub(super) fn json(&self) -> Value {
        let mut report = json!({
            "bench": self.what,
            "connections": self.connections,
            "seconds": self.seconds,
            "count": self.succeeded,
            "errors": self.errors,
            "ratePerSecond": self.rate(),
        });
        if let Some([p50, p95, p99, max]) = self.latencies_ms {
            report["latencyMs"] = json!({ "p50": p50, "p95": p95, "p99": p99, "max": max });
        }
        if let Some((count, p99)) = self.refused {
            report["refused"] = json!({ "count": count, "p99Ms": p99 });
        }
        if let Some([server, database]) = self.cpu_us() {
            report["cpuMicrosecondsEach"] = json!({ "server": server, "database": database });
        }
        if let Some([first, most, last]) = self.resident_mib() {
            report["residentMib"] = json!({ "first": first, "most": most, "last": last });
        }
        if let Some(error) = &self.first_error {
            report["firstError"] = json!(error);
        }
        report
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}: {} in {:.2} s over {} connection(s): {:.0}/s, {} error(s)\n",
            self.what,
            self.succeeded,
            self.seconds,
            self.connections,
            self.rate(),
            self.errors
        );
        if let Some([p50, p95, p99, max]) = self.latencies_ms {
            text.push_str(&format!("latency: p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms, max {max:.2} ms\n"));
        }
        if let Some((count, p99)) = self.refused {
            text.push_str(&format!("refused as too much: {count}, p99 {p99:.2} ms\n"));
        }
        if let Some([server, database]) = self.cpu_us() {
            text.push_str(&format!("cpu each: server {server:.0} us, database {database:.0} us\n"));
        }
        if let Some([first, most, last]) = self.resident_mib() {
            text.push_str(&format!("resident: first {first:.0} MiB, most {most:.0} MiB, last {last:.0} MiB\n"));
        }
        if let Some(error) = &self.first_error {
            text.push_str(&format!("first error: {error}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper(u32);

    impl Worker for Sleeper {
        async fn step(&mut self) -> Result<(), Fault> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.0 += 1;
            if self.0 == 3 { Err(Fault::Refused { status: 422, body: "no".to_owned() }) } else { Ok(()) }
        }
    }

    #[tokio::test]
    async fn every_step_is_counted_and_an_error_is_told() {
        let load =
            Load { connections: 2, warmup: Duration::ZERO, measured: Duration::from_millis(60), excess: Excess::Error };
        let report = load.drive("sleep", None, vec![Sleeper(0), Sleeper(0)]).await.unwrap();
        assert!(report.succeeded > 4 && report.errors == 2, "{report:?}");
        assert_eq!((report.exit_code(), report.json()["firstError"].as_str()), (1, Some("422: no")));
        assert!(report.text().contains("p99"), "{}", report.text());
    }

    #[test]
    fn an_excess_is_an_error_unless_it_is_asked_for() {
        let too_much = || Err(Fault::Refused { status: 503, body: "busy".to_owned() });
        let mut tally = Tally::new(Excess::Refused);
        tally.note(Duration::from_millis(2), too_much());
        tally.note(Duration::from_millis(1), Ok(()));
        let report = Report::of("flood", 1, Duration::from_secs(1), tally, None);
        assert_eq!((report.exit_code(), &report.json()["refused"]["count"]), (0, &json!(1)));
        let mut tally = Tally::new(Excess::Error);
        tally.note(Duration::from_millis(2), too_much());
        assert_eq!(tally.errors, 1);
    }
}
