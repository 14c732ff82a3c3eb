//! Answers of calls that run at once, taken in waves: those that come at about the same time are recorded together, and one
//! that takes long holds nobody up.

use std::time::Duration;

use futures::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};

/// How long the others are waited for once the first answer of a wave is there.
const LINGER: Duration = Duration::from_millis(50);

/// The next wave; None when every call has answered.
pub async fn next<S: Stream + Unpin>(answers: &mut S) -> Option<Vec<S::Item>> {
    let mut wave = vec![answers.next().await?];
    let until = Instant::now() + LINGER;
    while let Ok(Some(answer)) = timeout_at(until, answers.next()).await {
        wave.push(answer);
    }
    Some(wave)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::stream::FuturesUnordered;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn who_answers_late_comes_with_a_later_wave() {
        let (late, lateness) = oneshot::channel();
        let calls = [async { 1 }.boxed(), async { 2 }.boxed(), lateness.map(|answer| answer.unwrap_or(0)).boxed()];
        let mut answers: FuturesUnordered<_> = calls.into_iter().collect();
        let mut first = next(&mut answers).await.expect("two have answered");
        first.sort_unstable();
        assert_eq!(first, [1, 2]);
        late.send(3).expect("it is waited for");
        assert_eq!(next(&mut answers).await, Some(vec![3]));
        assert_eq!(next(&mut answers).await, None);
    }
}
