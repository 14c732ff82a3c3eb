//! One batch: events in, answers out, one transaction, one statement per table.
//!
//! The steps are those of any use case, for many at once: find and lock the lines, read the balances, rate in the order of
//! arrival, claim the events' keys and store them, write what is left, stage, commit. Where all events are plain, as nearly
//! always, nothing is locked before it is written, and the steps shrink to two: look, and write at once if nothing has changed
//! since ([0018](../../../docs/decisions/0018-plain-usage-at-once.md)). A usage id is minted before the first attempt and stays
//! with its event, so a batch whose commit ended in doubt is run again as it was, and finds its own keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::oneshot;

use super::model::NewUsage;
use super::policy;
use super::port::{UsageId, UsageRejected, UsageState, UsageThresholdReached, UsageView};
use super::store::{self, Key, NewRow};
use super::strangers::Strangers;
use super::thresholds::{self, Thresholds};
use crate::domains::catalog::port::AllowanceType;
use crate::domains::rating::port::{Bucket, Verdict, rate};
use crate::domains::subscription::port::{
    self as lines, Contention, ExhaustedLine, Remaining, SubscriptionId, UsageBalance, UsageLine,
};
use crate::platform::Platform;
use crate::platform::clock::wall;
use crate::platform::context::Context;
use crate::platform::crash;
use crate::platform::error::{Error, Result, Rule};
use crate::platform::outbox::{self, StagedRow};

/// A line that somebody else holds is waited for this long, where the batch waits at all.
const BEGIN: &str = "begin; set local lock_timeout = '500ms'";

/// A number that reports usage, with the tenant it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Number<'a> {
    tenant: &'a str,
    msisdn: &'a str,
}

fn number_of(line: &UsageLine) -> Number<'_> {
    Number { tenant: &line.tenant_id, msisdn: &line.msisdn }
}

/// An event on its way to its answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) cx: Arc<Context>,
    pub(super) usage: NewUsage,
    pub(super) id: UsageId,
    pub(super) reply: oneshot::Sender<Result<UsageView>>,
}

impl Job {
    pub(super) fn number(&self) -> Number<'_> {
        Number { tenant: &self.cx.tenant, msisdn: self.usage.msisdn.as_str() }
    }

    fn allowance(&self) -> AllowanceType {
        self.usage.usage_type.allowance(self.usage.roaming)
    }

    fn external_id(&self) -> &str {
        self.usage.external_id.as_deref().unwrap_or(self.id.as_str())
    }

    /// Whether a stored event is the one that this job asks for.
    fn asks_for(&self, stored: &UsageView) -> bool {
        let usage = &self.usage;
        usage.msisdn.as_str() == stored.msisdn
            && usage.usage_type == stored.event_type
            && usage.quantity == stored.quantity
            && usage.roaming == stored.roaming_indicator
            && usage.event_time.is_none_or(|at| at.trunc_subsecs(6) == stored.event_time)
    }
}

/// The numbers of a batch by tenant, in order.
fn numbers(jobs: &[Job]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut numbers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for job in jobs {
        let Number { tenant, msisdn } = job.number();
        numbers.entry(tenant).or_default().insert(msisdn);
    }
    numbers
}

/// What became of one event of a batch.
#[derive(Debug)]
pub(super) enum Outcome {
    Answered(Result<UsageView>),
    /// Somebody else holds the line; nothing was done for this event.
    Busy,
}

/// Runs one batch to its commit: at once if it is plain, step by step otherwise.
pub(super) async fn run_first(
    platform: &Platform,
    strangers: &Strangers,
    connection: &mut PgConnection,
    jobs: &[Job],
) -> Result<Vec<Outcome>> {
    let at_once = run_at_once(platform, connection, jobs).await?;
    let way = if at_once.is_some() { "at_once" } else { "by_step" };
    metrics::counter!("bss_usage_batches_total", "way" => way).increment(1);
    match at_once {
        Some(outcomes) => Ok(outcomes),
        None => run(platform, strangers, connection, jobs, Contention::Skip).await,
    }
}

/// Runs one batch to its commit, if all of it is plain: every number has a living line, every event is new and is served, and
/// nobody is to be told of one. That takes two statements: one looks, and one writes everything if what was seen still holds,
/// and commits itself. None: the batch is not plain, or somebody else was faster; nothing was written. An error means that
/// nothing, or in doubt everything, was stored.
async fn run_at_once(platform: &Platform, connection: &mut PgConnection, jobs: &[Job]) -> Result<Option<Vec<Outcome>>> {
    let recorded_at = wall();
    let now = platform.clock.now_over(connection).await?;
    let Some(mut batch) = Batch::look(connection, jobs, now).await? else { return Ok(None) };
    batch.tell_twins();
    batch.rate();
    if !batch.is_plain() {
        return Ok(None);
    }
    crash::point("usage.at_once.before_commit");
    if !batch.record_at_once(connection, recorded_at).await? {
        return Ok(None);
    }
    crash::point("usage.at_once.after_commit");
    Ok(Some(batch.outcomes()))
}

/// Runs one batch to its commit, step by step. An error means that nothing, or in doubt everything, was stored.
pub(super) async fn run(
    platform: &Platform,
    strangers: &Strangers,
    connection: &mut PgConnection,
    jobs: &[Job],
    contention: Contention,
) -> Result<Vec<Outcome>> {
    let recorded_at = wall();
    let mut tx = connection.begin_with(BEGIN).await?;
    let now = platform.clock.now_over(&mut tx).await?;
    let mut batch = Batch::open(&mut tx, jobs, contention, now).await?;
    batch.tell_twins();
    batch.read_balances(&mut tx).await?;
    batch.record(&mut tx, recorded_at).await?;
    let staged = batch.settle(&mut tx, platform, strangers).await?;
    crash::point("usage.batch.before_commit");
    tx.commit().await?;
    crash::point("usage.batch.after_commit");
    if staged {
        platform.db.wake().staged();
    }
    Ok(batch.outcomes())
}

/// Where an event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Line(usize),
    Busy,
    /// No line has or had the number.
    Nowhere,
}

/// How an event gets its answer.
#[derive(Debug)]
enum Way {
    /// Not known yet, given out already, or for another reason without one: see its [`Place`].
    None,
    /// It is new: this batch rates and stores it.
    Fresh(Fresh),
    /// Its key was taken before: by a former attempt of this very batch, or by the event that it repeats.
    Stored(Box<UsageView>),
    /// An earlier event of this batch has the same key.
    Twin { of: usize },
}

#[derive(Debug)]
struct Fresh {
    view: UsageView,
    applied: i64,
    exhausted: bool,
    /// Shares of the allowance that it used up.
    crossed: Thresholds,
}

/// What is left of one allowance while the batch goes on.
#[derive(Debug, Clone, Copy)]
struct Working {
    total: i64,
    before: i64,
    bucket: Bucket,
    /// The highest share that was told of in the period.
    told_percent: u8,
}

/// Of one line, by allowance.
type Balances = [Option<Working>; AllowanceType::ALL.len()];

struct Batch<'a> {
    jobs: &'a [Job],
    now: DateTime<Utc>,
    lines: Vec<UsageLine>,
    /// By line.
    balances: Vec<Balances>,
    /// By job.
    places: Vec<Place>,
    ways: Vec<Way>,
    /// Jobs that are new as far as is known, in the order of arrival.
    fresh: Vec<usize>,
}

impl<'a> Batch<'a> {
    /// None: some number has no living line.
    async fn look(connection: &mut PgConnection, jobs: &'a [Job], now: DateTime<Utc>) -> Result<Option<Self>> {
        let allowances: BTreeSet<&str> = jobs.iter().map(|job| job.allowance().as_str()).collect();
        let allowances: Vec<&str> = allowances.into_iter().collect();
        let mut found: Vec<UsageLine> = Vec::with_capacity(jobs.len());
        let mut balances = Vec::with_capacity(jobs.len());
        for (tenant, msisdns) in numbers(jobs) {
            let msisdns: Vec<&str> = msisdns.into_iter().collect();
            for (line, balance) in lines::look(connection, tenant, &msisdns, &allowances, now).await? {
                balances.extend(balance);
                found.push(line);
            }
        }
        // A line comes once for each of its balances.
        found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        let mut batch = Self::of(jobs, now, found, &[]);
        batch.keep(balances);
        Ok(batch.places.iter().all(|place| matches!(place, Place::Line(_))).then_some(batch))
    }

    async fn open(
        connection: &mut PgConnection,
        jobs: &'a [Job],
        contention: Contention,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let mut found = Vec::with_capacity(jobs.len());
        let mut busy = Vec::new();
        for (tenant, mut msisdns) in numbers(jobs) {
            let wanted: Vec<&str> = msisdns.iter().copied().collect();
            let locked = lines::lock_lines(connection, tenant, &wanted, contention).await?;
            if locked.len() < wanted.len() {
                msisdns.retain(|msisdn| !locked.iter().any(|line| line.msisdn == *msisdn));
                let missing: Vec<&str> = msisdns.into_iter().collect();
                let unlocked = lines::find_unlocked(connection, tenant, &missing).await?;
                let (ended, held): (Vec<_>, Vec<_>) = unlocked.into_iter().partition(|line| line.state == "terminated");
                busy.extend(held);
                found.extend(ended);
            }
            found.extend(locked);
        }
        Ok(Self::of(jobs, now, found, &busy))
    }

    /// `found` are the lines whose events are answered, `busy` those that somebody else holds.
    fn of(jobs: &'a [Job], now: DateTime<Utc>, found: Vec<UsageLine>, busy: &[UsageLine]) -> Self {
        let by_number: HashMap<Number<'_>, usize> =
            found.iter().enumerate().map(|(n, line)| (number_of(line), n)).collect();
        let is_busy = |number: Number<'_>| busy.iter().any(|line| number_of(line) == number);
        let places = jobs.iter().map(|job| match by_number.get(&job.number()) {
            Some(line) => Place::Line(*line),
            None if is_busy(job.number()) => Place::Busy,
            None => Place::Nowhere,
        });
        let places = places.collect();
        let balances = vec![[None; AllowanceType::ALL.len()]; found.len()];
        let ways = jobs.iter().map(|_| Way::None).collect();
        Self { jobs, now, lines: found, balances, places, ways, fresh: Vec::new() }
    }

    /// Takes the first event with each key for new; the others of this batch get its answer.
    fn tell_twins(&mut self) {
        let mut first_with = HashMap::with_capacity(self.jobs.len());
        for (n, job) in self.jobs.iter().enumerate() {
            let Place::Line(line) = self.places[n] else { continue };
            let of = *first_with.entry((line, job.usage.source.as_str(), job.external_id())).or_insert(n);
            if of == n {
                self.fresh.push(n);
            } else {
                self.ways[n] = Way::Twin { of };
            }
        }
    }

    async fn read_balances(&mut self, connection: &mut PgConnection) -> Result<()> {
        let wanted: HashSet<(&str, AllowanceType)> = self
            .fresh
            .iter()
            .map(|&n| (&self.lines[self.line_of(n)], &self.jobs[n]))
            .filter(|(line, _)| line.is_active())
            .map(|(line, job)| (line.id.as_str(), job.allowance()))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<(&str, AllowanceType)> = wanted.into_iter().collect();
        let found = lines::balances(connection, &wanted, self.now).await?;
        self.keep(found);
        Ok(())
    }

    fn keep(&mut self, balances: Vec<UsageBalance>) {
        let by_id: HashMap<&str, usize> =
            self.lines.iter().enumerate().map(|(n, line)| (line.id.as_str(), n)).collect();
        for balance in balances {
            let UsageBalance { line, allowance, total, remaining, unlimited, fair_use, told_percent } = balance;
            if let Some(&n) = by_id.get(line.as_str()) {
                self.balances[n][allowance as usize] = Some(Working {
                    total,
                    before: remaining,
                    bucket: Bucket { remaining, unlimited, fair_use },
                    told_percent,
                });
            }
        }
    }

    /// Whether every event is new and served, with nothing to be told or kept of it beside.
    fn is_plain(&self) -> bool {
        self.jobs.iter().zip(&self.ways).all(|(job, way)| match way {
            Way::Fresh(fresh) => {
                fresh.view.state == UsageState::Rated
                    && !fresh.exhausted
                    && fresh.crossed.is_empty()
                    && job.usage.attributes.is_none()
            }
            Way::Twin { .. } => true,
            Way::None | Way::Stored(_) => false,
        })
    }

    /// Writes a plain batch; false: nothing was written, since somebody else was faster.
    async fn record_at_once(&self, connection: &mut PgConnection, recorded_at: DateTime<Utc>) -> Result<bool> {
        let mut rows = self.rows();
        rows.sort_unstable_by_key(NewRow::key);
        store::record_at_once(connection, &rows, recorded_at, &self.lines, &self.remainders()).await
    }

    fn line_of(&self, job: usize) -> usize {
        match self.places[job] {
            Place::Line(line) => line,
            Place::Busy | Place::Nowhere => unreachable!("only events of a line are claimed"),
        }
    }

    /// Rates the events that seem new, claims their keys and stores them, in one statement. Hardly ever somebody sends an event
    /// again; when a key turns out to be taken, all are rated once more without its event.
    async fn record(&mut self, connection: &mut PgConnection, recorded_at: DateTime<Utc>) -> Result<()> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let found = self.balances.clone();
        self.rate();
        let mut rows = self.rows();
        rows.sort_unstable_by_key(NewRow::key);
        let won = store::record(connection, &rows, recorded_at).await?;
        if won.len() == rows.len() {
            return store::keep_attributes(connection, &rows, recorded_at).await;
        }
        let won: HashSet<String> = won.into_iter().collect();
        let taken: Vec<Key<'_>> =
            rows.iter().filter(|row| !won.contains(row.view.id.as_str())).map(NewRow::key).collect();
        let mut stored = store::stored(connection, &taken).await?;
        self.take_back(found);
        for n in std::mem::take(&mut self.fresh) {
            let job = &self.jobs[n];
            if won.contains(job.id.as_str()) {
                self.fresh.push(n);
                continue;
            }
            let line = &self.lines[self.line_of(n)];
            let key = (line.id.clone(), job.usage.source.clone(), job.external_id().to_owned());
            self.ways[n] = stored.remove(&key).map_or(Way::None, |view| Way::Stored(Box::new(view)));
        }
        self.rate();
        let rows = self.rows();
        store::insert(connection, &rows, recorded_at).await?;
        store::keep_attributes(connection, &rows, recorded_at).await
    }

    /// As if nothing had been rated: `found` are the balances that were read.
    fn take_back(&mut self, found: Vec<Balances>) {
        self.balances = found;
        for n in 0..self.jobs.len() {
            if let (Place::Line(line), Way::Fresh(Fresh { exhausted: true, .. })) = (self.places[n], &self.ways[n]) {
                "active".clone_into(&mut self.lines[line].state);
            }
        }
    }

    /// Answers the new events one after the other, as they came: what the first took, the second does not find.
    fn rate(&mut self) {
        for n in std::mem::take(&mut self.fresh) {
            let way = self.rate_one(n);
            self.ways[n] = Way::Fresh(way);
            self.fresh.push(n);
        }
    }

    fn rate_one(&mut self, n: usize) -> Fresh {
        let job = &self.jobs[n];
        let at = self.line_of(n);
        let line = &mut self.lines[at];
        let event_time = job.usage.event_time.unwrap_or(self.now).trunc_subsecs(6);
        let allowance = job.allowance();
        let mut fresh =
            Fresh { view: blank(job, line, event_time), applied: 0, exhausted: false, crossed: Thresholds::NONE };
        let view = &mut fresh.view;
        if let Err(rule) = policy::admit(line, event_time, self.now) {
            view.reason = Some(rule.id().to_owned());
            return fresh;
        }
        view.allowance_type = Some(allowance);
        let working = &mut self.balances[at][allowance as usize];
        match rate(allowance, working.map(|working| working.bucket), job.usage.quantity) {
            Verdict::Refused { rule, remaining } => {
                view.remaining = remaining;
                view.reason = Some(rule.id().to_owned());
            }
            Verdict::Served(served) => {
                view.state = UsageState::Rated;
                view.rated_quantity = served.served;
                view.refused_quantity = served.refused;
                view.remaining = served.remaining;
                fresh.applied = served.applied;
                fresh.exhausted = served.exhausts;
                if let (Some(working), Some(remaining)) = (working, served.remaining) {
                    (fresh.crossed, working.told_percent) =
                        thresholds::crossed(working.total, remaining, working.told_percent);
                    working.bucket.remaining = remaining;
                }
                if served.exhausts {
                    "blocked".clone_into(&mut line.state);
                }
            }
        }
        fresh
    }

    /// Writes what the events left of the balances and stages what is to be told of them; says whether somebody waits for it.
    async fn settle(&self, connection: &mut PgConnection, platform: &Platform, strangers: &Strangers) -> Result<bool> {
        let fresh: Vec<(usize, &Fresh)> = self.rated().collect();
        let mut events = Vec::new();
        if !fresh.is_empty() {
            lines::apply(connection, &self.remainders()).await?;
            events = lines::block_exhausted(connection, &self.exhausted(&fresh), self.now).await?;
        }
        for (n, fresh) in &fresh {
            if fresh.view.state == UsageState::Refused {
                events.push(StagedRow::new(&self.jobs[*n].cx, self.now, &self.rejected(*n, Some(&fresh.view)))?);
            }
        }
        for (n, fresh) in &fresh {
            for percent in fresh.crossed.clone() {
                events.push(StagedRow::new(&self.jobs[*n].cx, self.now, &self.reached(*n, fresh, percent))?);
            }
        }
        for (n, job) in self.jobs.iter().enumerate() {
            if self.places[n] == Place::Nowhere && strangers.admit() {
                events.push(StagedRow::new(&job.cx, self.now, &self.rejected(n, None))?);
            }
        }
        outbox::stage_rows(connection, platform.db.subscribers(), &events).await
    }

    /// The new events with their answers.
    fn rated(&self) -> impl Iterator<Item = (usize, &Fresh)> {
        self.fresh.iter().filter_map(|&n| match &self.ways[n] {
            Way::Fresh(fresh) => Some((n, fresh)),
            Way::None | Way::Stored(_) | Way::Twin { .. } => None,
        })
    }

    fn rows<'b>(&'b self) -> Vec<NewRow<'b>> {
        let row = |(n, fresh): (usize, &'b Fresh)| {
            let line = &self.lines[self.line_of(n)];
            NewRow {
                cx: &self.jobs[n].cx,
                view: &fresh.view,
                tenant: &line.tenant_id,
                offering_id: &line.offering_id,
                period_index: line.period_index,
                applied: fresh.applied,
            }
        };
        self.rated().map(row).collect()
    }

    fn remainders(&self) -> Vec<Remaining<'_>> {
        let mut remainders = Vec::new();
        for (line, balances) in self.lines.iter().zip(&self.balances) {
            for allowance in AllowanceType::ALL {
                let Some(Working { before, bucket: Bucket { remaining: after, .. }, told_percent, .. }) =
                    balances[allowance as usize]
                else {
                    continue;
                };
                if after != before {
                    remainders.push(Remaining { line: &line.id, allowance, before, after, told_percent });
                }
            }
        }
        remainders
    }

    fn exhausted<'b>(&'b self, fresh: &[(usize, &'b Fresh)]) -> Vec<ExhaustedLine<'b>> {
        let exhausted = |&(n, fresh): &(usize, &'b Fresh)| {
            let at = self.line_of(n);
            let data = self.balances[at][AllowanceType::Data as usize]?;
            fresh.exhausted.then(|| ExhaustedLine {
                line: &self.lines[at].id,
                total: data.total,
                usage_id: fresh.view.id.as_str(),
                cx: Arc::clone(&self.jobs[n].cx),
            })
        };
        fresh.iter().filter_map(exhausted).collect()
    }

    fn reached(&self, n: usize, fresh: &Fresh, percent: u8) -> UsageThresholdReached {
        let view = &fresh.view;
        let line = self.line_of(n);
        let allowance = view.usage_allowance();
        UsageThresholdReached {
            subscription_id: view.subscription_id.clone(),
            customer_id: view.customer_id.clone().into(),
            allowance_type: allowance,
            percent,
            remaining: view.remaining.unwrap_or_default(),
            total: self.balances[line][allowance as usize].map_or(0, |working| working.total),
            period_index: self.lines[line].period_index,
            usage_event_id: view.id.clone(),
        }
    }

    fn rejected(&self, n: usize, stored: Option<&UsageView>) -> UsageRejected {
        let Job { usage, .. } = &self.jobs[n];
        let reason = stored.and_then(|view| view.reason.clone());
        UsageRejected {
            usage_event_id: stored.map(|view| view.id.clone()),
            subscription_id: stored.map(|view| view.subscription_id.clone()),
            msisdn: usage.msisdn.clone(),
            state: stored.map(|_| self.lines[self.line_of(n)].state.clone()),
            event_type: usage.usage_type,
            event_time: stored.map_or_else(|| usage.event_time.unwrap_or(self.now), |view| view.event_time),
            quantity: usage.quantity,
            unit: usage.unit(),
            roaming_indicator: usage.roaming,
            source: usage.source.clone(),
            external_id: self.jobs[n].external_id().to_owned(),
            allowance_type: stored.and_then(|view| view.allowance_type),
            reason: reason.unwrap_or_else(|| policy::LINE_MUST_EXIST.id().to_owned()),
        }
    }

    /// After the commit: every event's answer.
    fn outcomes(mut self) -> Vec<Outcome> {
        // Backwards: a twin reads the answer of an earlier event, which must still be there.
        let mut outcomes: Vec<_> = (0..self.jobs.len()).rev().map(|n| self.take_outcome(n)).collect();
        outcomes.reverse();
        outcomes
    }

    fn take_outcome(&mut self, n: usize) -> Outcome {
        let job = &self.jobs[n];
        let way = std::mem::replace(&mut self.ways[n], Way::None);
        Outcome::Answered(match (self.places[n], way) {
            (Place::Busy, _) => return Outcome::Busy,
            (Place::Nowhere, _) => {
                Err(policy::refusal(policy::LINE_MUST_EXIST).with("msisdn", &job.usage.msisdn).into())
            }
            (Place::Line(line), Way::Fresh(fresh)) => answer(fresh.view, Some(&self.lines[line].state)),
            (Place::Line(_), Way::Stored(view)) if view.id == job.id => answer(*view, None),
            (Place::Line(_), Way::Stored(view)) => replay(job, &view),
            (Place::Line(_), Way::Twin { of }) => match &self.ways[of] {
                Way::Fresh(fresh) => replay(job, &fresh.view),
                Way::Stored(view) => replay(job, view),
                Way::None | Way::Twin { .. } => Err(lost(job)),
            },
            (Place::Line(_), Way::None) => Err(lost(job)),
        })
    }
}

/// The key exists, its row does not: something deleted history.
fn lost(job: &Job) -> Error {
    Error::Internal(format!("the key of {} {} has no usage row", job.usage.source, job.external_id()))
}

/// The event as refused, before anything was looked at.
fn blank(job: &Job, line: &UsageLine, event_time: DateTime<Utc>) -> UsageView {
    let usage = &job.usage;
    UsageView {
        id: job.id.clone(),
        subscription_id: SubscriptionId::from(line.id.clone()),
        customer_id: line.customer_id.clone(),
        msisdn: line.msisdn.clone(),
        source: usage.source.clone(),
        external_id: job.external_id().to_owned(),
        event_type: usage.usage_type,
        event_time,
        quantity: usage.quantity,
        unit: usage.unit(),
        roaming_indicator: usage.roaming,
        state: UsageState::Refused,
        allowance_type: None,
        rated_quantity: 0,
        refused_quantity: usage.quantity,
        remaining: None,
        reason: None,
        attributes: usage.attributes.clone(),
    }
}

/// The stored answer again, if the event is the same.
fn replay(job: &Job, stored: &UsageView) -> Result<UsageView> {
    if job.asks_for(stored) {
        return answer(stored.clone(), None);
    }
    Err(policy::refusal(policy::REPLAY_DIFFERS)
        .with("usageId", &stored.id)
        .with("externalId", &stored.external_id)
        .into())
}

/// A refused event is a broken rule for its caller. `state` is the line's, where this batch has just seen it.
fn answer(view: UsageView, state: Option<&str>) -> Result<UsageView> {
    let Some(reason) = &view.reason else { return Ok(view) };
    let rule: Rule =
        policy::named(reason).ok_or_else(|| Error::Internal(format!("{} was refused by {reason}", view.id)))?;
    let mut violation = policy::refusal(rule).with("usageId", &view.id).with("subscriptionId", &view.subscription_id);
    if let Some(state) = state.filter(|_| rule == policy::LINE_MUST_BE_ACTIVE) {
        violation = violation.with("state", state);
    }
    if let Some(allowance) = view.allowance_type {
        violation = violation.with("allowanceType", allowance).with("remaining", view.remaining.unwrap_or(0));
    }
    Err(violation.into())
}
