//! Long output on a terminal goes through a pager, as people know it from other tools.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use tokio::signal::unix::{SignalKind, signal};

/// Leaves at once when one screen is enough, keeps colour, leaves the text on the screen.
const DEFAULT: &str = "less -FRX";
/// What a shell answers when there is no such program.
const NOT_FOUND: i32 = 127;

/// The command to page with: `BSS_PAGER`, else `PAGER`, else `less`; `cat` or nothing means none.
pub(super) fn chosen(bss_pager: Option<String>, pager: Option<String>) -> Option<String> {
    let command =
        bss_pager.or(pager.filter(|command| !command.trim().is_empty())).unwrap_or_else(|| DEFAULT.to_owned());
    Some(command.trim().to_owned()).filter(|command| !command.is_empty() && command != "cat")
}

/// Does the text need more lines than the terminal has? Lines that are wider than it take several.
pub(super) fn is_long(text: &str, columns: u16, lines: u16) -> bool {
    let columns = usize::from(columns).max(1);
    let height = |line: &str| crate::render::text::width(line).div_ceil(columns).max(1);
    text.lines().map(height).sum::<usize>() >= usize::from(lines)
}

/// Shows the text and waits until the reader has seen enough; `false` when there is no such pager.
pub(super) fn page(command: &str, text: &str) -> io::Result<bool> {
    // Ctrl-C in the pager is for the pager: while it runs, we are not ended by it.
    let _held = signal(SignalKind::interrupt());
    let mut pager = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = pager.stdin.take()
        && let Err(error) = input.write_all(text.as_bytes())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        return Err(error);
    }
    Ok(pager.wait()?.code() != Some(NOT_FOUND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_variable_counts_most_and_nothing_means_no_pager() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(chosen(None, None).as_deref(), Some("less -FRX"));
        assert_eq!(chosen(None, some("more")).as_deref(), Some("more"));
        assert_eq!(chosen(some("less -S"), some("more")).as_deref(), Some("less -S"));
        assert_eq!(chosen(some(""), some("more")), None);
        assert_eq!(chosen(None, some("")).as_deref(), Some("less -FRX"));
        assert_eq!(chosen(some(" cat "), None), None);
    }

    #[test]
    fn a_text_is_long_when_the_terminal_would_scroll() {
        assert!(!is_long("a\nb\n", 80, 3));
        assert!(is_long("a\nb\nc\n", 80, 3));
        assert!(is_long(&"x".repeat(200), 80, 3), "three lines of eighty columns");
    }

    #[tokio::test]
    async fn a_pager_gets_all_of_it_and_a_missing_one_is_noticed() {
        let file = std::env::temp_dir().join(format!("bss-pager-{}", std::process::id()));
        let text = "line\n".repeat(100_000);
        assert!(page(&format!("cat > '{}'", file.display()), &text).expect("a shell"));
        assert_eq!(std::fs::read_to_string(&file).expect("the pager wrote it"), text);
        std::fs::remove_file(&file).expect("our own file");
        assert!(page("head -n 1 > /dev/null", &text).expect("one that has seen enough is no failure"));
        assert!(!page("no-such-pager-of-this-test 2> /dev/null", &text).expect("a shell"));
    }
}
