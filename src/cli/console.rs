//! The terminal as a value: where data, messages and questions go. Tests hand in buffers.

use std::io::{self, BufRead, BufReader, IsTerminal as _, Read as _, Write};

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

use super::{Global, pager};
use crate::render::Style;

/// Nobody pipes more than this into one argument.
const INPUT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Standard input, output and error of a command.
pub(crate) struct Console {
    pub(crate) out: Box<dyn Write + Send>,
    pub(crate) err: Box<dyn Write + Send>,
    pub(crate) input: Box<dyn BufRead + Send>,
    /// Is somebody there to answer a question?
    pub(crate) interactive: bool,
    /// Is `input` the terminal of this process, whose echo can be turned off?
    pub(crate) echoes: bool,
    /// How text on `out` may look.
    pub(crate) style: Style,
    /// May text on `err` have colour?
    pub(crate) err_colour: bool,
    /// What long data on `out` goes through.
    pub(crate) pager: Option<Pager>,
}

/// The terminal's pager.
pub(crate) struct Pager {
    /// The command, for a shell.
    pub(crate) command: String,
    /// Lines of the terminal: what has fewer is shown without it.
    pub(crate) lines: u16,
}

impl Console {
    /// The console of this process; colour only where a terminal shows it and nobody asked for none, a pager only where
    /// somebody is there to leave it.
    pub(crate) fn standard(global: &Global) -> Self {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let interactive = stdin.is_terminal() && stderr.is_terminal();
        let size = terminal_size::terminal_size_of(&stdout).filter(|_| stdout.is_terminal());
        let width = size.map(|(width, _)| width.0);
        let no_color = global.no_color;
        let command = || pager::chosen(global.bss_pager.clone(), global.pager.clone());
        let pager = size
            .filter(|_| interactive && !global.no_pager)
            .and_then(|(_, height)| Some(Pager { command: command()?, lines: height.0 }));
        Self {
            pager,
            interactive,
            echoes: interactive,
            style: Style { colour: !no_color && stdout.is_terminal(), width },
            err_colour: !no_color && stderr.is_terminal(),
            out: Box::new(stdout),
            err: Box::new(stderr),
            input: Box::new(BufReader::new(stdin)),
        }
    }

    /// Writes data.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// Shows an answer: through the pager when it is longer than the terminal, else as [`Self::print`] does.
    pub(crate) fn show(&mut self, text: &str) -> io::Result<()> {
        if let (Some(pager), Some(width)) = (&self.pager, self.style.width)
            && pager::is_long(text, width, pager.lines)
            && pager::page(&pager.command, text)?
        {
            return Ok(());
        }
        self.print(text)
    }

    /// Writes a message; that nobody can read it is no reason to stop.
    pub(crate) fn say(&mut self, message: &str) {
        let _ = self.err.write_all(message.as_bytes()).and_then(|()| self.err.flush());
    }

    /// As [`Self::say`], so that nobody overlooks it.
    pub(crate) fn say_strongly(&mut self, message: &str) {
        let message = crate::render::text::clean(message).into_owned();
        let line = if self.err_colour { format!("\x1b[1;31m{message}\x1b[0m\n") } else { format!("{message}\n") };
        self.say(&line);
    }

    /// Asks on standard error and reads one line.
    pub(crate) fn ask(&mut self, question: &str) -> io::Result<String> {
        self.say(question);
        let mut line = String::new();
        self.input.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// As [`Self::ask`], without showing what is typed.
    pub(crate) fn ask_hidden(&mut self, question: &str) -> io::Result<String> {
        if !self.echoes {
            return self.ask(question);
        }
        let _off = EchoOff::new()?;
        let answer = self.ask(question);
        self.say("\n");
        answer
    }

    /// All of standard input.
    pub(crate) fn read_all(&mut self) -> io::Result<String> {
        let mut text = String::new();
        (&mut self.input).take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// While this lives, the terminal does not show what is typed.
struct EchoOff(Termios);

impl EchoOff {
    fn new() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that went away.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}
