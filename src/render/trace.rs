//! Traces as swimlanes: a lane for each module, and below them every step with its bar.

use serde_json::Value;

use super::styled::{Look, Styled, width};
use super::table::{Column, table};
use super::words::dim;
use super::{Style, text};

/// Cells without a terminal that says how many it has.
const PIPED: usize = 140;
/// A bar gets at least this many, whatever becomes of the rest.
const BAR_MIN: usize = 20;
/// Cells of an identity, and of the name of a step.
const IDENTITY: usize = 18;
const NAME_MAX: usize = 40;
/// `123456.7 ms`
const TIME: usize = 11;
const GAP: &str = "  ";

const LIST: &[Column] = &[
    Column::field("TRACE", "traceId"),
    Column::second("STARTED", "startedAt"),
    Column::computed("TOOK", |trace| milliseconds(trace["tookMs"].as_f64().unwrap_or_default())).gives_way(),
    Column::number("SEGMENTS", "segmentCount").gives_way(),
    Column::computed("RESULT", |trace| if trace["failed"] == true { "failed".into() } else { "ok".into() }),
    Column::field("NAME", "name").may_be_cut(16),
];

/// Traces as a table.
pub(crate) fn list(answer: &Value, style: Style) -> String {
    table(style, LIST, text::rows(answer))
}

/// Modules as a table.
pub(crate) fn services(answer: &Value, style: Style) -> String {
    table(style, &[Column::field("MODULE", "name")], text::rows(answer))
}

/// One trace; `only` shows the steps of one module.
pub(crate) fn swimlanes(trace: &Value, only: Option<&str>, style: Style) -> String {
    let spans: Vec<Span<'_>> = text::rows(&trace["spans"]).iter().map(Span::of).collect();
    if spans.is_empty() {
        return "(empty trace)\n".to_owned();
    }
    let room = style.width.map_or(PIPED, usize::from);
    let total = spans.iter().map(|span| span.start + span.took).max().unwrap_or_default().max(1);
    let order: Vec<(usize, usize)> = depth_first(&spans)
        .into_iter()
        .filter(|(place, _)| only.is_none_or(|only| spans[*place].module == only))
        .collect();
    let lines = header(trace, room)
        .into_iter()
        .chain([Styled::default()])
        .chain(lanes(&spans, total, room))
        .chain([Styled::default()])
        .chain(steps(&spans, &order, total, room));
    lines.map(|line| line.paint(style).trim_end().to_owned() + "\n").collect()
}

/// A step, with what is drawn of it.
struct Span<'a> {
    view: &'a Value,
    id: usize,
    parent: Option<usize>,
    module: String,
    start: i64,
    took: i64,
    failed: bool,
}

impl<'a> Span<'a> {
    fn of(view: &'a Value) -> Self {
        let place = |name: &str| view[name].as_u64().and_then(|number| usize::try_from(number).ok());
        let time = |name: &str| view[name].as_i64().unwrap_or_default().max(0);
        Self {
            view,
            id: place("id").unwrap_or_default(),
            parent: place("parentId"),
            module: text::field(view, "module"),
            start: time("startUs"),
            took: time("tookUs"),
            failed: view["failed"] == true,
        }
    }

    fn is_event(&self) -> bool {
        self.view["kind"] == "event"
    }

    fn look(&self) -> Look {
        match () {
            () if self.failed => Look::Bad,
            () if self.is_event() => Look::Waits,
            () => Look::Good,
        }
    }
}

fn header(trace: &Value, room: usize) -> Vec<Styled> {
    let count = |name: &str, one: &str| match trace[name].as_u64().unwrap_or_default() {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    };
    let errors = trace["errorSpanCount"].as_u64().unwrap_or_default();
    let source = match trace["source"].as_str() {
        Some("jaeger") => Some("from Jaeger"),
        Some("events") => Some("from the event log alone"),
        _ => None,
    };
    let facts = [
        Styled::plain(milliseconds(trace["totalMs"].as_f64().unwrap_or_default())),
        Styled::plain(count("spanCount", "step")),
        Styled::plain(count("serviceCount", "module")),
        Styled::of(if errors > 0 { Look::Bad } else { Look::Plain }, count("errorSpanCount", "error")),
    ];
    let facts = facts.into_iter().chain(source.map(Styled::plain));
    let title = Styled::of(Look::Strong, format!("Trace {}", text::field(trace, "traceId")));
    Styled::joined([title, Styled::joined(facts, " · ")], GAP).wrapped(room, 2)
}

/// A lane for each module, in the order in which they joined: when it was at work, how often, how long in all.
fn lanes(spans: &[Span<'_>], total: i64, room: usize) -> Vec<Styled> {
    let mut modules: Vec<&str> = Vec::new();
    for span in spans {
        if !modules.contains(&span.module.as_str()) {
            modules.push(&span.module);
        }
    }
    let names = modules.iter().map(|module| width(module)).max().unwrap_or_default();
    let own = |module: &str| spans.iter().filter(move |span| span.module == module).collect::<Vec<_>>();
    let sums: Vec<String> = modules
        .iter()
        .map(|module| {
            let own = own(module);
            // A step inside another one of its lane is counted once, with that.
            let outer = own
                .iter()
                .filter(|span| !span.parent.is_some_and(|parent| own.iter().any(|o| o.id == parent && !o.is_event())));
            let busy: i64 = outer.map(|span| span.took).sum();
            format!("{:>3} × {:>TIME$}", own.len(), micros(busy))
        })
        .collect();
    let sum_cells = sums.iter().map(|sum| width(sum)).max().unwrap_or_default();
    let bar = room.checked_sub(names + sum_cells + 2 * GAP.len()).filter(|bar| *bar >= BAR_MIN);
    let lines = modules.iter().zip(sums).map(|(module, sum)| {
        let name = Styled::of(Look::Strong, *module).padded(names, false);
        match bar {
            Some(cells) => {
                let drawn = lane(&own(module), total, cells);
                name.and(Look::Plain, GAP).then(drawn).and(Look::Plain, GAP).and(Look::Dim, sum)
            }
            None => name.and(Look::Plain, GAP).and(Look::Dim, sum),
        }
    });
    lines.flat_map(|line| line.wrapped(room, 2)).collect()
}

/// All of a module in one line: a bar where it is at work, a diamond for an event, red where something failed.
fn lane(own: &[&Span<'_>], total: i64, cells: usize) -> Styled {
    let mut drawn = vec![('·', Look::Dim); cells];
    // What matters more is drawn later: over what lies below it.
    let rank = |span: &Span<'_>| (span.failed, span.is_event());
    let mut own = own.to_vec();
    own.sort_by_key(|span| rank(span));
    for span in own {
        let (from, length) = extent(span, total, cells);
        let sign = if span.is_event() { '◆' } else { '━' };
        for cell in &mut drawn[from..from + length] {
            *cell = (sign, span.look());
        }
    }
    drawn.into_iter().fold(Styled::default(), |line, (sign, look)| line.more(sign, look))
}

/// First cell and number of cells of a step.
fn extent(span: &Span<'_>, total: i64, cells: usize) -> (usize, usize) {
    let cell = |at: i64| {
        let place = i128::from(at) * cells as i128 / i128::from(total);
        usize::try_from(place).unwrap_or_default()
    };
    let from = cell(span.start).min(cells.saturating_sub(1));
    let to = cell(span.start + span.took).clamp(from + 1, cells);
    (from, to - from)
}

/// The places of the steps, each below what caused it, with its depth; what nobody caused comes last.
fn depth_first(spans: &[Span<'_>]) -> Vec<(usize, usize)> {
    let mut order = Vec::with_capacity(spans.len());
    let mut drawn = vec![false; spans.len()];
    let roots = (0..spans.len()).filter(|&place| spans[place].parent.is_none());
    // A circle has no root: its members are drawn as roots, so that nothing is lost.
    for root in roots.chain(0..spans.len()) {
        let mut open = vec![(root, 0)];
        while let Some((place, depth)) = open.pop() {
            if std::mem::replace(&mut drawn[place], true) {
                continue;
            }
            order.push((place, depth));
            let below = (0..spans.len()).rev().filter(|&other| spans[other].parent == Some(spans[place].id));
            open.extend(below.map(|other| (other, depth + 1)));
        }
    }
    order
}

/// One line for each step: module, identity where one is not the usual, bar, time, name.
fn steps(spans: &[Span<'_>], order: &[(usize, usize)], total: i64, room: usize) -> Vec<Styled> {
    let label = |place: usize, depth: usize| format!("{}{}", " ".repeat(2 * depth.min(8)), spans[place].module);
    let names = order.iter().map(|&(place, depth)| width(&label(place, depth))).max().unwrap_or_default();
    let identity = |place: usize| text::field(spans[place].view, "serviceIdentity");
    let has_identity = order.iter().any(|&(place, _)| !matches!(identity(place).as_str(), "" | "default"));
    let widest =
        order.iter().map(|&(place, _)| width(&text::field(spans[place].view, "name"))).max().unwrap_or_default();
    let name_cells = widest.min(NAME_MAX) + " ✗".chars().count();
    let fixed = |identity: bool| {
        names + GAP.len() + if identity { IDENTITY + GAP.len() } else { 0 } + GAP.len() + TIME + GAP.len()
    };
    let has_identity = has_identity && room >= fixed(true) + name_cells + BAR_MIN;
    let bar = room.checked_sub(fixed(has_identity) + name_cells).filter(|bar| *bar >= BAR_MIN);
    let lines = order.iter().map(|&(place, depth)| {
        let span = &spans[place];
        let took = if span.is_event() { String::new() } else { micros(span.took) };
        let name = text::shortened(&text::field(span.view, "name"), NAME_MAX);
        let look = if span.failed { Look::Bad } else { Look::Plain };
        let failed = if span.failed { " ✗" } else { "" };
        let Some(cells) = bar else {
            // Too narrow for columns: the tree alone.
            let lead = " ".repeat(depth.min(8));
            let line = dim(format!("{lead}{} ", span.module)).and(look, name).and(Look::Bad, failed);
            return if took.is_empty() { line } else { line.and(Look::Dim, format!("  {took}")) };
        };
        let mut line = Styled::plain(label(place, depth)).padded(names, false).and(Look::Plain, GAP);
        if has_identity {
            let identity = Some(identity(place)).filter(|name| !name.is_empty()).unwrap_or_else(|| "—".into());
            line = line.then(dim(text::shortened(&identity, IDENTITY)).padded(IDENTITY, false)).and(Look::Plain, GAP);
        }
        let (from, length) = extent(span, total, cells);
        let drawn = if span.is_event() { "◆".to_owned() } else { bar_text(length) };
        let rest = cells - from - width(&drawn);
        line = line.and(Look::Plain, " ".repeat(from)).and(span.look(), drawn).and(Look::Plain, " ".repeat(rest));
        line = line.and(Look::Plain, GAP).then(dim(took).padded(TIME, true)).and(Look::Plain, GAP);
        line.and(look, name).and(Look::Bad, failed)
    });
    lines.flat_map(|line| line.wrapped(room, 2)).collect()
}

fn bar_text(cells: usize) -> String {
    match cells {
        0 | 1 => "┃".to_owned(),
        more => format!("┃{}┃", "━".repeat(more - 2)),
    }
}

/// As [`milliseconds`], of microseconds.
fn micros(micros: i64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

/// `12.3 ms`
fn milliseconds(milliseconds: f64) -> String {
    format!("{milliseconds:.1} ms")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn trace() -> Value {
        let span = |id: usize,
                    parent: Option<usize>,
                    kind: &str,
                    module: &str,
                    name: &str,
                    start: i64,
                    took: i64,
                    failed: bool| {
            json!({"id": id, "parentId": parent, "kind": kind, "module": module, "name": name, "serviceIdentity": "default",
                   "startUs": start, "tookUs": took, "failed": failed, "attributes": {}})
        };
        json!({
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "name": "order.create", "totalMs": 61.2, "spanCount": 7,
            "serviceCount": 4, "errorSpanCount": 1, "services": ["api", "com", "payment", "som"],
            "spans": [
                span(0, None, "request", "api", "order.create", 0, 9_400, false),
                span(1, Some(0), "event", "com", "order.acknowledged", 8_000, 0, false),
                span(2, Some(1), "delivery", "som", "som.decompose", 12_000, 6_000, false),
                span(3, Some(2), "event", "som", "service_order.in_progress", 16_000, 0, false),
                span(4, Some(3), "delivery", "payment", "payment.charge", 22_000, 39_200, false),
                span(5, Some(4), "step", "payment", "gateway.charge", 23_000, 30_000, true),
                span(6, Some(99), "delivery", "com", "com.of_an_unknown_cause_with_a_name_that_is_long", 30_000, 100, false),
            ],
        })
    }

    fn at_each_width(view: &Value) -> String {
        let drawn = [60, 80, 200].map(|columns| {
            let text = swimlanes(view, None, Style { colour: false, width: Some(columns) });
            assert!(text.lines().all(|line| width(line) <= usize::from(columns)), "{columns}:\n{text}");
            format!("{columns} columns\n{text}")
        });
        format!("{}\npiped\n{}", drawn.join("\n"), swimlanes(view, None, Style::default()))
    }

    #[test]
    fn every_module_has_a_lane_and_every_step_a_bar() {
        assert_snapshot!("swimlanes", at_each_width(&trace()));
    }

    #[test]
    fn an_identity_shows_where_it_is_not_the_usual_one() {
        let mut view = trace();
        view["spans"][0]["serviceIdentity"] = json!("portal_self_serve_of_a_long_name");
        view["spans"][6]["serviceIdentity"] = Value::Null;
        let text = swimlanes(&view, None, Style::default());
        assert!(text.contains("portal_self_serve…") && text.contains("—"), "{text}");
    }

    #[test]
    fn where_it_was_told_is_said_unless_it_is_our_own_store() {
        let head = |source: &str| {
            let mut view = trace();
            view["source"] = json!(source);
            swimlanes(&view, None, Style::default()).lines().next().map(str::to_owned).expect("a header")
        };
        assert!(head("jaeger").ends_with(" · from Jaeger"), "{}", head("jaeger"));
        assert!(head("events").ends_with(" · from the event log alone"), "{}", head("events"));
        assert!(head("store").ends_with(" · 1 error"), "{}", head("store"));
    }

    #[test]
    fn one_module_alone_and_nothing_at_all() {
        let text = swimlanes(&trace(), Some("payment"), Style::default());
        assert!(text.contains("gateway.charge") && !text.contains("som.decompose"), "{text}");
        assert_eq!(swimlanes(&json!({"spans": []}), None, Style::default()), "(empty trace)\n");
    }

    #[test]
    fn no_width_and_no_shape_of_a_trace_breaks_it() {
        let mut view = trace();
        view["spans"][0]["parentId"] = json!(5);
        for columns in 12..200 {
            let text = swimlanes(&view, None, Style { colour: false, width: Some(columns) });
            assert!(text.lines().all(|line| width(line) <= usize::from(columns)), "{columns}:\n{text}");
            let all: String = text.split_whitespace().collect();
            assert!(all.contains("order.create") && all.contains("gateway.charge"), "{columns}:\n{text}");
            assert!(all.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "{columns}:\n{text}");
        }
    }

    #[test]
    fn traces_list() {
        let answer = json!([{
            "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "name": "order.create", "startedAt": "2026-04-11T09:00:00.1Z",
            "tookMs": 9.41, "segmentCount": 21, "failed": false, "position": 7,
        }]);
        assert_snapshot!(list(&answer, Style::default()), @"
        TRACE                             STARTED               TOOK    SEGMENTS  RESULT  NAME
        4bf92f3577b34da6a3ce929d0e0e4736  2026-04-11 09:00:00Z  9.4 ms        21  ok      order.create
        ");
    }
}
