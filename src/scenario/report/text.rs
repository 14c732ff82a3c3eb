//! Reports for people.

use serde_json::{Value, json};

use super::{Phase, ScenarioReport, Status, StepReport, StepStatus, SuiteReport};
use crate::render::table::Column;
use crate::render::text::clean;
use crate::render::{self, Style};
use crate::scenario::format::{Kind, Scenario};
use crate::scenario::suite::Listed;

/// Whether a text may have colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// No control characters at all.
    Plain,
    /// Colours of a terminal.
    Colour,
}

/// How much of a captured value is shown, in characters.
const SHOWN_VALUE: usize = 40;

/// One scenario: header, table of steps, and what went wrong.
pub fn scenario(report: &ScenarioReport, paint: Paint) -> String {
    let mut out = format!("{} — {} ({} ms)\n", paint.status(report.status), report.name, report.duration_ms);
    if let Some(reason) = &report.reason {
        out.push_str(&panel(status_name(report.status), reason, paint));
    }
    if matches!(report.status, Status::Passed | Status::Failed) {
        out.push_str(&steps(report, paint));
    }
    if report.status == Status::Failed {
        out.push_str(&failures(report, paint));
    }
    out
}

/// Many scenarios: a line each, and the sum.
pub fn suite(report: &SuiteReport, paint: Paint) -> String {
    let header = ["scenario", "status", "steps", "ms"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(report.scenarios.iter().map(|scenario| {
        let (passed, all) = scenario.progress();
        let progress = if all == 0 { String::new() } else { format!("{passed}/{all}") };
        [scenario.name.clone(), paint.status(scenario.status), progress, scenario.duration_ms.to_string()]
    }));
    let mut out = table(&rows, [Align::Left, Align::Left, Align::Right, Align::Right]);
    for invalid in report.scenarios.iter().filter(|scenario| scenario.status == Status::Invalid) {
        out.push_str(&panel("invalid", invalid.reason.as_deref().unwrap_or_default(), paint));
    }
    let counts = [
        (report.passed, "passed"),
        (report.failed, "failed"),
        (report.skipped, "skipped"),
        (report.invalid, "invalid"),
        (report.not_run, "not run"),
    ];
    let counts = counts.iter().filter(|(count, name)| *count > 0 || *name == "passed");
    let counts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
    out + &format!("{} in {} ms\n", counts.join(", "), report.duration_ms)
}

const LISTING: &[Column] = &[
    Column::field("FILE", "file"),
    Column::field("NAME", "name").gives_way(),
    Column::number("STEPS", "steps"),
    Column::field("TAGS", "tags").may_be_cut(16),
];

/// The files of a directory.
pub(crate) fn listing(listed: &[Listed], style: Style) -> String {
    let row = |listed: &Listed| {
        let file = listed.file.file_name().unwrap_or_default().to_string_lossy();
        match &listed.scenario {
            Ok(Scenario { name, tags, steps, .. }) => {
                json!({"file": file, "name": name, "tags": tags, "steps": steps.len()})
            }
            Err(_) => json!({"file": file, "name": "invalid"}),
        }
    };
    let rows: Vec<Value> = listed.iter().map(row).collect();
    let paint = if style.colour { Paint::Colour } else { Paint::Plain };
    let mut out = render::table::table(style, LISTING, &rows);
    for invalid in listed.iter().filter_map(|listed| listed.scenario.as_ref().err()) {
        out.push_str(&panel("invalid", &invalid.to_string(), paint));
    }
    out
}

impl Paint {
    fn status(self, status: Status) -> String {
        match status {
            Status::Passed => self.wrap("32", "PASS"),
            Status::Failed => self.red("FAIL"),
            Status::Skipped => self.wrap("33", "SKIP"),
            Status::Invalid => self.red("INVALID"),
        }
    }

    /// A text that warns.
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// A text that confirms.
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::Failed => "failed",
        Status::Skipped => "skipped",
        Status::Invalid => "invalid",
    }
}

fn steps(report: &ScenarioReport, paint: Paint) -> String {
    let mut rows = vec![["#", "kind", "step", "ms", "", "detail"].map(str::to_owned)];
    rows.extend(report.steps.iter().map(|step| row(step, paint)));
    table(&rows, [Align::Right, Align::Left, Align::Left, Align::Right, Align::Left, Align::Left])
}

fn row(step: &StepReport, paint: Paint) -> [String; 6] {
    let name = match step.phase {
        Phase::Steps => one_line(&step.name),
        Phase::Teardown => format!("teardown: {}", one_line(&step.name)),
    };
    let took = if step.status == StepStatus::NotRun { String::new() } else { step.duration_ms.to_string() };
    let kind = format!("{} {}", icon(step.kind), step.kind.as_str());
    [step.number.to_string(), kind, name, took, mark(step.status, paint), detail(step)]
}

fn icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Action => "▶",
        Kind::Assert => "=",
        Kind::Http => "⇄",
        Kind::File => "▤",
    }
}

fn mark(status: StepStatus, paint: Paint) -> String {
    match status {
        StepStatus::Passed => paint.green("✓"),
        StepStatus::Failed => paint.red("✗"),
        StepStatus::Skipped | StepStatus::NotRun => "–".to_owned(),
    }
}

fn detail(step: &StepReport) -> String {
    if let Some(error) = &step.error {
        return one_line(error.lines().next().unwrap_or_default());
    }
    let captured = step.captured.iter().map(|(name, value)| format!("{name}={}", shortened(value)));
    one_line(&captured.collect::<Vec<_>>().join(" "))
}

/// What others wrote, harmless for a terminal and on one line.
fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

fn shortened(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn failures(report: &ScenarioReport, paint: Paint) -> String {
    let mut out = String::new();
    if let Some(error) = &report.setup_error {
        out.push_str(&panel("set-up failed", error, paint));
    }
    if let Some(step) = report.failed_step() {
        let title = format!("step {} failed: {} ({}:{})", step.number, step.name, report.file.display(), step.line);
        out.push_str(&panel(&title, step.error.as_deref().unwrap_or_default(), paint));
    }
    if !report.teardown_errors.is_empty() {
        out.push_str(&panel("teardown failed", &report.teardown_errors.join("\n"), paint));
    }
    out
}

fn panel(title: &str, body: &str, paint: Paint) -> String {
    let (title, body) = (clean(title), clean(body));
    let lines = body.lines().flat_map(|line| ["  │ ", line, "\n"]).collect::<String>();
    format!("  ┌ {}\n{lines}  └\n", paint.red(&title))
}

#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

/// Columns as wide as their widest cell; the first row is the header.
fn table<const N: usize>(rows: &[[String; N]], align: [Align; N]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0));
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).zip(align).map(|((cell, wide), align)| {
            let gap = " ".repeat(wide - width(cell));
            match align {
                Align::Left => format!("{cell}{gap}"),
                Align::Right => format!("{gap}{cell}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Characters that take room: colours take none.
fn width(cell: &str) -> usize {
    let mut wide = 0;
    let mut in_colour = false;
    for character in cell.chars() {
        match character {
            '\u{1b}' => in_colour = true,
            'm' if in_colour => in_colour = false,
            _ if in_colour => {}
            _ => wide += 1,
        }
    }
    wide
}

#[cfg(test)]
mod tests;
