//! The events that wait for a lane, and which lane takes them when.
//!
//! Unlike a channel the queue wakes a lane once for as many events as it waits for, instead of once for each: on a busy machine
//! every waking takes a core from somebody who works. While a batch is in work, those of the one before are answered and come
//! again, so the next one has company when its turn is there; a second batch beside it begins only with all that a batch can
//! hold, as there is when a file is imported. And the queue knows the lines that are in work: their next events wait here until
//! the batch ends, so that two batches never meet on a line, while every other event goes with the next batch that begins.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Arrival;

/// Up to so many callers share one batch: one of thirty costs less than two of fifteen.
const FEW: usize = 48;

/// Of more callers the share that a batch waits for, as a fraction. Half of them would be one group in work and one that
/// comes, and its last one would nearly always be late.
const SHARE: (usize, usize) = (2, 5);

/// Events of one batch.
const BATCH_MAX: usize = 256;

/// How long a batch waits for company, counted from its first event.
const LINGER: Duration = Duration::from_millis(3);

#[derive(Debug)]
pub(super) struct Queue {
    /// Events that may wait.
    room: usize,
    waiting: Mutex<Waiting>,
    /// Held by the lane that takes the next batch.
    turn: tokio::sync::Mutex<()>,
    enough: Notify,
}

/// A line, as well as it has to be told from others: two that share the number wait for each other.
type LineHash = u64;

#[derive(Debug, Default)]
struct Waiting {
    arrivals: VecDeque<Arrival>,
    /// Those whose lines are in work.
    later: Vec<Arrival>,
    in_work: HashSet<LineHash>,
    events_in_work: usize,
    /// How many callers are to be expected again: those who were here when batches ended, answered, waiting or in work.
    company: usize,
    /// A lane sleeps until so many events can be taken.
    wanted: Option<usize>,
    /// Nobody will come any more.
    is_closed: bool,
}

impl Waiting {
    fn len(&self) -> usize {
        self.arrivals.len() + self.later.len()
    }

    /// Of those who are expected, as many as one batch should have: with fewer, callers would stay in small groups that take
    /// turns.
    fn expected(&self) -> usize {
        let (of, parts) = SHARE;
        let share = if self.company <= FEW { self.company } else { self.company * of / parts };
        share.clamp(1, BATCH_MAX)
    }

    fn is_enough(&self, count: usize) -> bool {
        let count = if self.in_work.is_empty() { count } else { BATCH_MAX };
        self.is_closed || self.arrivals.len() >= count
    }
}

/// Events that a lane has taken; their lines are in work until it is dropped.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    queue: &'a Queue,
    lines: Vec<LineHash>,
    pub(super) arrivals: Vec<Arrival>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.queue.done(&self.lines);
    }
}

impl Queue {
    pub(super) fn new(room: usize) -> Self {
        Self { room, waiting: Mutex::default(), turn: tokio::sync::Mutex::default(), enough: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False: it is full.
    pub(super) fn push(&self, arrival: Arrival) -> bool {
        let mut waiting = self.waiting();
        if waiting.len() >= self.room {
            return false;
        }
        if waiting.in_work.contains(&line_of(&arrival)) {
            waiting.later.push(arrival);
        } else {
            waiting.arrivals.push_back(arrival);
            self.wake(&mut waiting);
        }
        true
    }

    fn wake(&self, waiting: &mut Waiting) {
        if waiting.wanted.is_some_and(|count| waiting.is_enough(count)) {
            waiting.wanted = None;
            self.enough.notify_one();
        }
    }

    /// After the events that wait, lanes are given none.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        self.wake(&mut waiting);
    }

    /// Takes what waits, after what comes within [`LINGER`] while fewer came than are expected. None: the queue is closed.
    pub(super) async fn take(&self) -> Option<Taken<'_>> {
        let _turn = self.turn.lock().await;
        loop {
            self.wait_for(1).await;
            let expected = self.waiting().expected();
            // Late is good enough: who is not here yet comes with the next batch.
            let _ = tokio::time::timeout(LINGER, self.wait_for(expected)).await;
            let mut waiting = self.waiting();
            waiting.wanted = None;
            let (arrivals, lines) = waiting.take();
            if !arrivals.is_empty() {
                return Some(Taken { queue: self, lines, arrivals });
            }
            if waiting.is_closed {
                return None;
            }
        }
    }

    async fn wait_for(&self, count: usize) {
        loop {
            {
                let mut waiting = self.waiting();
                if waiting.is_enough(count) {
                    return;
                }
                waiting.wanted = Some(count);
            }
            self.enough.notified().await;
        }
    }

    fn done(&self, lines: &[LineHash]) {
        let mut waiting = self.waiting();
        for line in lines {
            waiting.in_work.remove(line);
        }
        waiting.events_in_work -= lines.len();
        let (still, freed): (Vec<_>, Vec<_>) = std::mem::take(&mut waiting.later)
            .into_iter()
            .partition(|arrival| waiting.in_work.contains(&line_of(arrival)));
        waiting.later = still;
        // They came before those who wait.
        for arrival in freed.into_iter().rev() {
            waiting.arrivals.push_front(arrival);
        }
        let here = lines.len() + waiting.events_in_work + waiting.len();
        // Those whose requests are being read just now were not counted: they are forgotten by and by.
        waiting.company = here.max(waiting.company - waiting.company.div_ceil(16));
        self.wake(&mut waiting);
    }
}

impl Waiting {
    /// The events of the next batch, and their lines; those whose lines are in work already are put off.
    fn take(&mut self) -> (Vec<Arrival>, Vec<LineHash>) {
        let mut taken = (Vec::new(), Vec::new());
        while taken.0.len() < BATCH_MAX
            && let Some(arrival) = self.arrivals.pop_front()
        {
            let line = line_of(&arrival);
            if self.in_work.contains(&line) {
                self.later.push(arrival);
            } else {
                taken.0.push(arrival);
                taken.1.push(line);
            }
        }
        self.in_work.extend(&taken.1);
        self.events_in_work += taken.1.len();
        taken
    }
}

fn line_of(arrival: &Arrival) -> LineHash {
    let mut hasher = DefaultHasher::new();
    (arrival.cx.tenant.as_ref(), arrival.usage.msisdn.as_str()).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;

    use super::super::tests::arrival;
    use super::*;

    fn queue(company: usize) -> Queue {
        let queue = Queue::new(2 * BATCH_MAX);
        queue.waiting().company = company;
        queue
    }

    fn push(queue: &Queue, numbers: &[&str]) {
        for number in numbers {
            assert!(queue.push(arrival(number).0));
        }
    }

    fn numbers(taken: &Taken<'_>) -> Vec<String> {
        taken.arrivals.iter().map(|arrival| arrival.usage.msisdn.as_str().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_lane_waits_a_moment_for_those_who_are_expected_and_takes_who_came() {
        let queue = Arc::new(queue(3));
        let taking = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.take().await.map(|taken| taken.arrivals.len()) }
        });
        push(&queue, &["90000001", "90000002", "90000003"]);
        assert_eq!(taking.await.unwrap(), Some(3), "nobody is left behind of those who are expected");
        push(&queue, &["90000001", "90000002"]);
        assert_eq!(queue.take().await.map(|taken| taken.arrivals.len()), Some(2), "one did not come");
        queue.close();
        assert!(queue.take().await.is_none());
    }

    #[tokio::test]
    async fn one_batch_follows_the_other_unless_there_is_a_full_one() {
        let queue = queue(1);
        push(&queue, &["90000001"]);
        let first = queue.take().await.unwrap();
        push(&queue, &["90000002"; BATCH_MAX - 1]);
        assert!(queue.take().now_or_never().is_none());
        push(&queue, &["90000003", "90000004"]);
        let second = queue.take().await.unwrap();
        assert_eq!(second.arrivals.len(), BATCH_MAX);
        drop(first);
        assert!(queue.take().now_or_never().is_none(), "the second is in work");
        drop(second);
        assert_eq!(numbers(&queue.take().await.unwrap()), ["90000004"]);
    }

    #[tokio::test]
    async fn events_of_a_line_in_work_wait_for_it_in_their_order_and_nobody_else_does() {
        let queue = queue(1);
        push(&queue, &["90000001", "90000002"]);
        let first = queue.take().await.unwrap();
        push(&queue, &["90000001", "90000002", "90000001"]);
        push(&queue, &["90000003"; BATCH_MAX]);
        let second = queue.take().await.unwrap();
        assert_eq!(numbers(&second), ["90000003"; BATCH_MAX]);
        push(&queue, &["90000003"]);
        drop(second);
        push(&queue, &["90000004"]);
        assert!(queue.take().now_or_never().is_none(), "the first is in work");
        drop(first);
        let third = numbers(&queue.take().await.unwrap());
        assert_eq!(third, ["90000001", "90000002", "90000001", "90000003", "90000004"]);
    }

    #[test]
    fn many_callers_are_shared_out_and_those_who_left_are_forgotten() {
        let expected = |company: usize| queue(company).waiting().expected();
        assert_eq!(
            [expected(0), expected(1), expected(FEW), expected(100), expected(10_000)],
            [1, 1, FEW, 40, BATCH_MAX]
        );
        let queue = queue(128);
        let batches = std::iter::repeat_with(|| {
            push(&queue, &["90000001"]);
            let taken = queue.waiting().take();
            queue.done(&taken.1);
            queue.waiting().company
        });
        assert!(batches.take(100).any(|company| company == 1));
    }
}
