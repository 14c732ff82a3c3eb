//! The machine room: clock, replicas, ticks.

use serde_json::Value;

use super::page::Page;
use super::table::{Column, table};
use super::{Style, generic, text};

const REPLICAS: &[Column] = &[
    Column::field("REPLICA", "bootId"),
    Column::field("VERSION", "version"),
    Column::field("ROLE", "role"),
    Column::time("STARTED", "startedAt"),
    Column::field("ALIVE", "alive"),
];

const TICKS: &[Column] = &[
    Column::field("TICK", "name"),
    Column::time("STARTED", "lastStartedAt"),
    Column::time("FINISHED", "lastFinishedAt"),
    Column::field("REPORT", "lastReport"),
    Column::field("ERROR", "lastError"),
];

/// The product clock.
pub(crate) fn clock(clock: &Value, style: Style) -> String {
    Page::new(style, &[&text::field(clock, "now")], "")
        .facts(&[
            ("mode", text::field(clock, "mode")),
            ("offset", offset(clock)),
            ("frozen at", text::time(clock, "frozenAt")),
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
        2026-05-04T09:00:00Z
          mode       frozen
          frozen at  2026-05-04T09:00:00Z
        ");
        let advanced = json!({"mode": "wall", "now": "2026-05-04T09:00:00Z", "offsetSeconds": 86400, "frozenAt": null});
        assert_snapshot!(clock(&advanced, Style::default()), @"
        2026-05-04T09:00:00Z
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
        assert_snapshot!(workers(&answer, Style::default()), @r#"
        Replicas
          REPLICA  VERSION  ROLE  STARTED               ALIVE
          0196-a   0.1.0    all   2026-05-04T08:00:00Z  yes

        Ticks
          TICK     STARTED               FINISHED              REPORT         ERROR
          renewal  2026-05-04T09:00:00Z  2026-05-04T09:00:01Z  {"renewed":3}  -
        "#);
    }
}
