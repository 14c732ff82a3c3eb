//! Trying again until something holds, and the failure of one try.

use std::time::Instant;

use super::client::CallError;
use super::format::Poll;
use super::template::TemplateError;

/// Why a step, or one try of it, failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failed {
    /// For people, may have several lines.
    pub(super) message: String,
    /// Trying again cannot help.
    pub(super) is_final: bool,
    /// The call that failed, when it was one.
    pub(super) call: Option<Box<CallError>>,
}

/// Tries until it works, or until the time is up or trying again cannot help; then the last failure is told.
///
/// Without `poll` there is one try.
pub(super) async fn until<T>(
    poll: Option<Poll>,
    mut attempt: impl AsyncFnMut() -> Result<T, Failed>,
) -> Result<T, Failed> {
    let Some(poll) = poll else { return attempt().await };
    let began = Instant::now();
    for tries in 1_u32.. {
        match attempt().await {
            Err(failed) if !failed.is_final => {
                if began.elapsed() + poll.interval > poll.timeout {
                    let seconds = poll.timeout.as_secs_f64();
                    let message = format!("{}\n(after {tries} tries in {seconds} s)", failed.message);
                    return Err(Failed { message, ..failed });
                }
            }
            done => return done,
        }
        tokio::time::sleep(poll.interval).await;
    }
    unreachable!("the time is up long before four thousand million tries")
}

impl Failed {
    /// It may hold at the next try.
    pub(super) fn for_now(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: false, call: None }
    }

    /// It will not hold at the next try either.
    pub(super) fn for_good(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_final: true, call: None }
    }

    /// A call failed. What the server did not understand or does not allow stays so; what it does not know yet may come.
    pub(super) fn by_call(error: CallError) -> Self {
        let is_final = matches!(error.status, 400 | 401 | 403);
        Self { message: error.to_string(), is_final, call: Some(Box::new(error)) }
    }
}

impl From<TemplateError> for Failed {
    fn from(error: TemplateError) -> Self {
        Self::for_good(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const QUICK: Poll = Poll { interval: Duration::from_millis(10), timeout: Duration::from_millis(60) };

    #[tokio::test]
    async fn the_first_success_ends_it() {
        let mut tries = 0;
        let answer = until(Some(QUICK), async || {
            tries += 1;
            if tries < 3 { Err(Failed::for_now("not yet")) } else { Ok(tries) }
        });
        assert_eq!(answer.await, Ok(3));
    }

    #[tokio::test]
    async fn the_last_failure_is_told_when_the_time_is_up() {
        let mut tries = 0;
        let answer = until(Some(QUICK), async || {
            tries += 1;
            Err::<(), _>(Failed::for_now(format!("try {tries}")))
        });
        let message = answer.await.expect_err("never holds").message;
        assert_eq!(message, format!("try {tries}\n(after {tries} tries in 0.06 s)"));
        assert!(tries > 1, "{tries}");
    }

    #[tokio::test]
    async fn one_try_without_poll_and_after_a_final_failure() {
        let mut tries = 0;
        let answer = until(None, async || {
            tries += 1;
            Err::<(), _>(Failed::for_now("no"))
        });
        assert_eq!(answer.await, Err(Failed::for_now("no")));
        let answer = until(Some(QUICK), async || {
            tries += 1;
            Err::<(), _>(Failed::for_good("never"))
        });
        assert_eq!(answer.await, Err(Failed::for_good("never")));
        assert_eq!(tries, 2);
    }
}
