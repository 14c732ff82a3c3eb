//! What happened to a line, day by day.

use serde_json::Value;

use crate::render::card::Card;
use crate::render::grid::{Column, Fit, Grid};
use crate::render::styled::{Look, Styled};
use crate::render::words::{day, dim, minute};
use crate::render::{Style, text};

const COLUMNS: &[Column] = &[
    Column::new("", Fit::Keep),
    Column::new("", Fit::Keep),
    Column::new("", Fit::Wrap(40)),
    Column::new("", Fit::Drop(1)),
];

/// The entries in their order, a heading for each day.
pub(crate) fn timeline(answer: &Value, line: &str, style: Style) -> String {
    let entries = text::rows(answer);
    if entries.is_empty() {
        return String::new();
    }
    let days = entries.chunk_by(|one, next| day(one, "at") == day(next, "at"));
    let card = Card::new(style, &["Timeline", line], "");
    days.fold(card, |card, entries| {
        let mut grid = Grid::new(COLUMNS);
        for entry in entries {
            let at = minute(entry, "at");
            let clock = at.split_once(' ').map_or("", |(_, clock)| clock);
            grid.row(vec![
                dim(clock).into(),
                kind(entry).into(),
                words(entry).into(),
                dim(text::field(entry, "by")).into(),
            ]);
        }
        card.section(&day(&entries[0], "at"), grid)
    })
    .finish()
}

/// The kind of an entry with a sign: what stops service, what brings it back, what money did.
fn kind(entry: &Value) -> Styled {
    let kind = text::field(entry, "kind");
    let (sign, look) = match kind.as_str() {
        "charge" => ("◆", Look::Good),
        "unblock" => ("●", Look::Good),
        "decline" => ("◆", Look::Bad),
        "refund" => ("◆", Look::Waits),
        "block" => ("■", Look::Bad),
        "grant" => ("▲", Look::Plain),
        "expiry" => ("▼", Look::Plain),
        "use" => ("▽", Look::Plain),
        "top_up" => ("△", Look::Plain),
        "plan_change" | "price_migration" => ("◇", Look::Waits),
        _ => ("○", Look::Plain),
    };
    Styled::of(look, sign).and(Look::Plain, format!(" {}", kind.replace('_', " ")))
}

/// The summary, and why it happened.
fn words(entry: &Value) -> Styled {
    let why = ["reason", "note"].map(|name| text::field(entry, name));
    let why = why.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    Styled::joined([Styled::plain(text::field(entry, "summary")), dim(why)], " · ")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;
    use crate::render::tests::at_each_width;

    #[test]
    fn a_timeline_says_what_why_and_who() {
        let answer = json!([
            {"at": "2026-05-11T09:00:02Z", "kind": "charge", "summary": "SGD 10.00 paid for period 2 on PLAN_S", "periodIndex": 2,
             "reason": null, "note": null, "by": "system:renewal_worker"},
            {"at": "2026-05-11T09:00:02Z", "kind": "grant", "summary": "5120 mb of data granted for period 2", "periodIndex": 2,
             "reason": null, "note": null, "by": "system:renewal_worker"},
            {"at": "2026-05-12T09:00:00Z", "kind": "block", "summary": "blocked; the reasons are now: fraud", "periodIndex": null,
             "reason": "block_for_fraud", "note": "SIM box, said 王小明", "by": "cli-user"},
        ]);
        assert_snapshot!("timeline", at_each_width(|style| timeline(&answer, "SUB-0042", style)));
        assert_eq!(timeline(&json!([]), "SUB-0042", Style::default()), "");
    }
}
