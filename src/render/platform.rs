//! The machine room: clock, replicas, ticks.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, generic, text, words};

const REPLICAS: &[Column] = &[
    Column::field("REPLICA", "bootId"),
    Column::field("VERSION", "version"),
    Column::field("ROLE", "role"),
    Column::second("STARTED", "startedAt"),
    Column::field("ALIVE", "alive"),
];

const TICKS: &[Column] = &[
    Column::field("TICK", "name"),
    Column::second("STARTED", "lastStartedAt"),
    Column::second("FINISHED", "lastFinishedAt"),
    Column::computed("REPORT", done),
    Column::field("ERROR", "lastError"),
];

const CONTEXTS: &[Column] = &[
    Column::computed("CONTEXT", starred),
    Column::field("ADDRESS", "url"),
    Column::computed("PRODUCTION", production),
    Column::field("TOKEN", "tokenFrom"),
];

/// The servers that one works with.
pub(crate) fn contexts(answer: &Value, style: Style) -> String {
    table(style, CONTEXTS, text::rows(answer))
}

/// One of them.
pub(crate) fn context(context: &Value, style: Style) -> String {
    Page::new(style, &[&starred(context)], &production(context))
        .facts(&[
            ("address", text::field(context, "url")),
            ("token", text::field(context, "tokenFrom")),
            ("data directory", text::field(context, "dataDir")),
        ])
        .finish()
}

fn starred(context: &Value) -> String {
    let star = if context["current"] == true { "* " } else { "" };
    format!("{star}{}", text::field(context, "name"))
}

fn production(context: &Value) -> String {
    if context["production"] == true { "PRODUCTION".to_owned() } else { String::new() }
}

/// What a tick counted, zeros left out: `renewed 3, charges settled 1`.
fn done(tick: &Value) -> String {
    fn counted(name: &str, value: &Value, told: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    counted(format!("{name} {}", member.replace('_', " ")).trim_start(), value, told);
                }
            }
            Value::Null => {}
            value if *value == 0 || *value == false => {}
            value => told.push(format!("{name} {}", words::value(value)).trim().to_owned()),
        }
    }
    let report = &tick["lastReport"];
    let mut told = Vec::new();
    counted("", report, &mut told);
    if told.is_empty() && report.is_object() { "nothing to do".to_owned() } else { told.join(", ") }
}

/// What `bss doctor` looked at, each with what to do about it.
pub(crate) fn findings(answer: &Value, style: Style) -> String {
    let rows = text::rows(answer);
    let width = rows.iter().map(|finding| text::width(&text::field(finding, "check"))).max().unwrap_or_default();
    let line = |finding: &Value| {
        let mark = if finding["ok"] == true { style.state_as("ok", "ok  ") } else { style.state_as("failed", "FAIL") };
        let check = text::padded(&text::field(finding, "check"), width, false);
        // What does not fit goes on below itself.
        let indent = 5 + width + 2;
        let room = style.width.map_or(usize::MAX, |columns| usize::from(columns).saturating_sub(indent).max(1));
        let detail = text::wrapped(&text::field(finding, "detail"), room).join(&format!("\n{}", " ".repeat(indent)));
        format!("{mark} {check}  {detail}\n")
    };
    rows.iter().map(line).collect()
}

/// The product clock.
pub(crate) fn clock(clock: &Value, style: Style) -> String {
    Page::new(style, &[&words::second(clock, "now")], "")
        .facts(&[
            ("mode", text::field(clock, "mode")),
            ("offset", offset(clock)),
            ("frozen at", words::second(clock, "frozenAt")),
        ])
        .finish()
}

fn offset(clock: &Value) -> String {
    match clock["offsetSeconds"].as_f64() {
        Some(seconds) if seconds != 0.0 => format!("{seconds} s"),
        _ => String::new(),
    }
}

/// Who is running, and when each periodic work last ran.
pub(crate) fn workers(answer: &Value, style: Style) -> String {
    let inner = Page::inner(style);
    Page::bare(style)
        .section("Replicas", &table(inner, REPLICAS, text::rows(&answer["replicas"])))
        .section("Ticks", &table(inner, TICKS, text::rows(&answer["ticks"])))
        .finish()
        .trim_start()
        .to_owned()
}

/// What a tick did.
pub(crate) fn report(answer: &Value, style: Style) -> String {
    generic::any(answer, style)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_frozen_clock_says_so() {
        let answer = json!({"mode": "frozen", "now": "2026-05-04T09:00:00Z", "offsetSeconds": 0, "frozenAt": "2026-05-04T09:00:00Z"});
        assert_snapshot!(clock(&answer, Style::default()), @"
        2026-05-04 09:00:00Z
          mode       frozen
          frozen at  2026-05-04 09:00:00Z
        ");
        let advanced = json!({"mode": "wall", "now": "2026-05-04T09:00:00Z", "offsetSeconds": 86400, "frozenAt": null});
        assert_snapshot!(clock(&advanced, Style::default()), @"
        2026-05-04 09:00:00Z
          mode    wall
          offset  86400 s
        ");
    }

    #[test]
    fn workers_and_ticks() {
        let answer = json!({
            "replicas": [{"bootId": "0196-a", "version": "0.1.0", "role": "all", "startedAt": "2026-05-04T08:00:00Z", "alive": true}],
            "ticks": [
                {"name": "renewal", "lastStartedAt": "2026-05-04T09:00:00Z", "lastFinishedAt": "2026-05-04T09:00:01Z",
                 "lastReport": {"renewed": 3}, "lastError": null},
            ],
        });
        assert_snapshot!(workers(&answer, Style::default()), @"
        Replicas
          REPLICA  VERSION  ROLE  STARTED               ALIVE
          0196-a   0.1.0    all   2026-05-04 08:00:00Z  yes

        Ticks
          TICK     STARTED               FINISHED              REPORT     ERROR
          renewal  2026-05-04 09:00:00Z  2026-05-04 09:00:01Z  renewed 3  -
        ");
    }
}
