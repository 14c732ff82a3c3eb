//! Reports for people.
//!
//! A table is never wider than the terminal. The detail gives way first, by whole words, so that no id is cut; then columns
//! that are good to know, then names. What went wrong stands in full below the table.

use serde_json::{Value, json};

use super::{Phase, ScenarioReport, Status, StepReport, StepStatus, SuiteReport};
use crate::render::styled::{self, Look, Styled};
use crate::render::table::Column;
use crate::render::text::{self, clean};
use crate::render::{self, Style};
use crate::scenario::format::{Kind, Scenario};
use crate::scenario::suite::Listed;

/// How much of a captured value is shown, in characters.
const SHOWN_VALUE: usize = 40;

/// A detail that is shorter than this says nothing, and a name nobody knows again.
const DETAIL_MIN: usize = 24;
const NAME_MIN: usize = 16;

/// One scenario: header, table of steps, and what went wrong.
pub(crate) fn scenario(report: &ScenarioReport, style: Style) -> String {
    let status = status(report.status).paint(style);
    let mut out = format!("{status} — {} ({} ms)\n", one_line(&report.name), report.duration_ms);
    if let Some(reason) = &report.reason {
        out.push_str(&panel(status_name(report.status), reason, style));
    }
    if matches!(report.status, Status::Passed | Status::Failed) {
        out.push_str(&steps(report, style));
    }
    if report.status == Status::Failed {
        out.push_str(&failures(report, style));
    }
    out
}

const SUITE: [Place; 4] = [
    Place::new("scenario", Fit::Shorten(NAME_MIN)),
    Place::new("status", Fit::Keep),
    Place::new("steps", Fit::Keep).right(),
    Place::new("ms", Fit::Drop(1)).right(),
];

/// Many scenarios: a line each, and the sum.
pub(crate) fn suite(report: &SuiteReport, style: Style) -> String {
    let row = |scenario: &ScenarioReport| {
        let (passed, all) = scenario.progress();
        let progress = if all == 0 { String::new() } else { format!("{passed}/{all}") };
        let took = scenario.duration_ms.to_string();
        [one_line(&scenario.name).into(), status(scenario.status), progress.into(), took.into()]
    };
    let rows: Vec<_> = report.scenarios.iter().map(row).collect();
    let mut out = table(&SUITE, &rows, style);
    for invalid in report.scenarios.iter().filter(|scenario| scenario.status == Status::Invalid) {
        out.push_str(&panel("invalid", invalid.reason.as_deref().unwrap_or_default(), style));
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
    let mut out = render::table::table(style, LISTING, &rows);
    for invalid in listed.iter().filter_map(|listed| listed.scenario.as_ref().err()) {
        out.push_str(&panel("invalid", &invalid.to_string(), style));
    }
    out
}

fn status(status: Status) -> Styled {
    match status {
        Status::Passed => Styled::of(Look::Good, "PASS"),
        Status::Failed => Styled::of(Look::Bad, "FAIL"),
        Status::Skipped => Styled::of(Look::Waits, "SKIP"),
        Status::Invalid => Styled::of(Look::Bad, "INVALID"),
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

const STEPS: [Place; 6] = [
    Place::new("#", Fit::Keep).right(),
    Place::new("kind", Fit::Drop(1)),
    Place::new("step", Fit::Shorten(NAME_MIN)),
    Place::new("ms", Fit::Drop(2)).right(),
    Place::new("", Fit::Keep),
    Place::new("detail", Fit::ShortenByWords(DETAIL_MIN)),
];

fn steps(report: &ScenarioReport, style: Style) -> String {
    let rows: Vec<_> = report.steps.iter().map(row).collect();
    table(&STEPS, &rows, style)
}

fn row(step: &StepReport) -> [Styled; 6] {
    let name = match step.phase {
        Phase::Steps => one_line(&step.name),
        Phase::Teardown => format!("teardown: {}", one_line(&step.name)),
    };
    let took = if step.status == StepStatus::NotRun { String::new() } else { step.duration_ms.to_string() };
    let kind = format!("{} {}", icon(step.kind), step.kind.as_str());
    [step.number.to_string().into(), kind.into(), name.into(), took.into(), mark(step.status), detail(step).into()]
}

fn icon(kind: Kind) -> &'static str {
    match kind {
        Kind::Action => "▶",
        Kind::Assert => "=",
        Kind::Http => "⇄",
        Kind::File => "▤",
    }
}

fn mark(status: StepStatus) -> Styled {
    match status {
        StepStatus::Passed => Styled::of(Look::Good, "✓"),
        StepStatus::Failed => Styled::of(Look::Bad, "✗"),
        StepStatus::Skipped | StepStatus::NotRun => Styled::plain("–"),
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

fn failures(report: &ScenarioReport, style: Style) -> String {
    let mut out = String::new();
    if let Some(error) = &report.setup_error {
        out.push_str(&panel("set-up failed", error, style));
    }
    if let Some(step) = report.failed_step() {
        let title = format!("step {} failed: {} ({}:{})", step.number, step.name, report.file.display(), step.line);
        out.push_str(&panel(&title, step.error.as_deref().unwrap_or_default(), style));
    }
    if !report.teardown_errors.is_empty() {
        out.push_str(&panel("teardown failed", &report.teardown_errors.join("\n"), style));
    }
    out
}

/// A title and what is to say, both in full.
fn panel(title: &str, body: &str, style: Style) -> String {
    const LEAD: usize = 4;
    let (title, body) = (one_line(title), clean(body));
    let room = style.width.map_or(usize::MAX, |width| usize::from(width).saturating_sub(LEAD).max(1));
    let title = Styled::of(Look::Bad, title).wrapped(room, 0).into_iter().enumerate();
    let title = title.map(|(at, line)| format!("  {} {}\n", if at == 0 { "┌" } else { "│" }, line.paint(style)));
    let lines = body.lines().flat_map(|line| Styled::plain(line).wrapped(room, 2));
    let lines = lines.map(|line| format!("  │ {}\n", line.paint(style)));
    title.chain(lines).collect::<String>() + "  └\n"
}

/// What a column does where there is too little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Keep,
    /// Gives its end up, to no less than so many cells.
    Shorten(usize),
    /// The same, and before the others; what is in one word stays whole or goes.
    ShortenByWords(usize),
    /// Is left out, the highest first.
    Drop(u8),
}

/// A column.
#[derive(Debug, Clone, Copy)]
struct Place {
    heading: &'static str,
    fit: Fit,
    right: bool,
}

impl Place {
    const fn new(heading: &'static str, fit: Fit) -> Self {
        Self { heading, fit, right: false }
    }

    const fn right(self) -> Self {
        Self { right: true, ..self }
    }

    /// How wide it would be, and how narrow it may become: of whole words, the first stays as long as there is another way.
    fn room<'a>(self, cells: impl Iterator<Item = &'a Styled> + Clone) -> Room {
        let natural = cells.clone().map(Styled::width).fold(styled::width(self.heading), usize::max);
        let least = match self.fit {
            Fit::Keep | Fit::Drop(_) => natural,
            Fit::Shorten(least) => least,
            Fit::ShortenByWords(least) => cells.map(first_word).fold(least, usize::max),
        };
        Room { natural, least: least.min(natural) }
    }

    fn cell(self, cell: &Styled, cells: usize, style: Style) -> String {
        let cell = match self.fit {
            _ if cell.width() <= cells => cell.clone(),
            Fit::ShortenByWords(_) => shortened_by_words(&cell.paint(Style::default()), cells).into(),
            _ => text::shortened(&cell.paint(Style::default()), cells).into(),
        };
        cell.padded(cells, self.right).paint(style)
    }
}

/// What a column takes.
#[derive(Debug, Clone, Copy)]
struct Room {
    natural: usize,
    least: usize,
}

/// The width of the first word with the ellipsis behind it.
fn first_word(cell: &Styled) -> usize {
    let text = cell.paint(Style::default());
    text.split_once(' ').map_or_else(|| styled::width(&text), |(word, _)| styled::width(word) + ELLIPSIS)
}

/// A space and the sign.
const ELLIPSIS: usize = 2;

/// Space before a table, and between two columns.
const LEAD: usize = 2;
const GAP: usize = 2;

/// Columns as wide as their widest cell, as far as the terminal allows.
fn table<const N: usize>(places: &[Place; N], rows: &[[Styled; N]], style: Style) -> String {
    let rooms: [Room; N] = std::array::from_fn(|at| places[at].room(rows.iter().map(|row| &row[at])));
    let room = style.width.map_or(usize::MAX, |width| usize::from(width).saturating_sub(LEAD));
    let shown = shown(places, &rooms, room);
    let widths = fitted(places, &shown, &rooms, room);
    let line = |cell: &dyn Fn(usize, usize) -> String| {
        let cells = shown.iter().zip(&widths).map(|(&at, &width)| cell(at, width));
        let line = cells.collect::<Vec<_>>().join(&" ".repeat(GAP));
        format!("{}{}\n", " ".repeat(LEAD), line.trim_end())
    };
    let heading =
        line(&|at, width| Place { fit: Fit::Keep, ..places[at] }.cell(&places[at].heading.into(), width, style));
    let rows = rows.iter().map(|row| line(&|at, width| places[at].cell(&row[at], width, style)));
    std::iter::once(heading).chain(rows).collect()
}

/// The columns for which there is room.
fn shown(places: &[Place], rooms: &[Room], room: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..places.len()).collect();
    let needed = |shown: &[usize]| sum(shown.iter().map(|&at| rooms[at].least));
    while needed(&shown) > room {
        let rank = |at: &usize| if let Fit::Drop(rank) = places[*at].fit { rank } else { 0 };
        let Some(last) = shown.iter().copied().max_by_key(rank).filter(|at| rank(at) > 0) else { break };
        shown.retain(|at| *at != last);
    }
    shown
}

/// The widths of the columns: what is too much is taken from those that can be shortened, to what they bear, and on a terminal
/// that is narrower still, beyond.
fn fitted(places: &[Place], shown: &[usize], rooms: &[Room], room: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = shown.iter().map(|&at| rooms[at].natural).collect();
    let of = |at: usize| places[shown[at]];
    let by_words = |at: &usize| matches!(of(*at).fit, Fit::ShortenByWords(_));
    let others = |at: &usize| matches!(of(*at).fit, Fit::Shorten(_));
    let giving = || (0..shown.len()).filter(by_words).chain((0..shown.len()).filter(others));
    let bearable = giving().map(|at| (at, rooms[shown[at]].least));
    let beyond = giving().map(|at| (at, 1));
    for (at, least) in bearable.chain(beyond) {
        let excess = sum(widths.iter().copied()).saturating_sub(room);
        widths[at] = widths[at].saturating_sub(excess).max(least.min(widths[at]));
    }
    widths
}

fn sum(widths: impl Iterator<Item = usize>) -> usize {
    let (columns, cells) = widths.fold((0, 0), |(columns, cells), width| (columns + 1, cells + width));
    cells + GAP * usize::saturating_sub(columns, 1)
}

/// As many whole words of a text as there is room for, and an ellipsis.
fn shortened_by_words(whole: &str, cells: usize) -> String {
    let mut kept = String::new();
    for word in whole.split(' ') {
        let gap = usize::from(!kept.is_empty());
        if styled::width(&kept) + gap + styled::width(word) + ELLIPSIS > cells {
            break;
        }
        kept.extend([if gap == 0 { "" } else { " " }, word]);
    }
    if kept.is_empty() { "…".to_owned() } else { kept + " …" }
}

#[cfg(test)]
mod tests;
