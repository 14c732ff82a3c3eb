//! Backups: what is in one, and what came of restoring it.

use serde_json::Value;

use super::page::Page;
use super::{Style, audit, text, words};

/// What was written.
pub(crate) fn taken(answer: &Value, style: Style) -> String {
    Page::new(style, &[&text::field(answer, "file")], "").facts(&contents(answer)).finish()
}

/// What was brought back, or would be.
pub(crate) fn restored(answer: &Value, style: Style) -> String {
    let state = if answer["restored"] == true { "restored" } else { "not restored" };
    let mut facts = contents(answer);
    facts.push(replaces(answer));
    facts.push(("ids left out", text::field(answer, "skippedIds")));
    facts.push(("grants left out", missing_roles(answer)));
    facts.push(("document key", document_key(answer)));
    let books = &answer["audit"];
    let all_hold = books["ok"] == true;
    if all_hold {
        facts.push(("books", format!("all {} checks hold", text::rows(&books["checks"]).len())));
    }
    let page = Page::new(style, &[&text::field(answer, "file")], state).facts(&facts);
    // Only what is wrong is worth a page of its own.
    let wrong =
        if books.is_null() || all_hold { String::new() } else { audit::verification(books, Page::inner(style)) };
    page.section("Books", &wrong).finish()
}

fn contents(answer: &Value) -> Vec<(&'static str, String)> {
    vec![
        ("taken at", words::second(answer, "takenAt")),
        ("database", text::field(answer, "database")),
        ("rows", text::field(answer, "rowsTotal")),
        ("tables", answer["rows"].as_object().map(serde_json::Map::len).unwrap_or_default().to_string()),
        ("dump", format!("{} bytes, SHA-256 {}", text::field(answer, "bytes"), text::field(answer, "sha256"))),
        (
            "made by",
            format!("bss {}, PostgreSQL {}", text::field(answer, "bssVersion"), text::field(answer, "postgres")),
        ),
        ("schema", text::field(answer, "schemaVersion")),
    ]
}

fn replaces(answer: &Value) -> (&'static str, String) {
    let database = text::field(answer, "database");
    match text::field(answer, "replaced") {
        old if !old.is_empty() => ("what was there", format!("is the database {old}; drop it when nobody misses it")),
        _ if answer["restored"] == true || answer["filled"] != true => ("what was there", String::new()),
        _ => ("would replace", format!("everything in the database {database}")),
    }
}

fn missing_roles(answer: &Value) -> String {
    let roles: Vec<String> = text::rows(&answer["missingRoles"]).iter().map(text::scalar).collect();
    if roles.is_empty() { String::new() } else { format!("all, since this server has no role {}", roles.join(", ")) }
}

fn document_key(answer: &Value) -> String {
    match answer["documentKey"].as_str() {
        Some("other") => {
            "another BSS_KYC_HASH_KEY than then: identities that were attested before are not recognised; take \
                          the key of the old installation over"
                .to_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_restore_says_what_it_did_and_what_to_look_after() {
        let mut answer = json!({
            "file": "b.tar", "takenAt": "2026-11-26T08:00:00Z", "database": "bss", "rowsTotal": 12, "rows": {"a.b": 12},
            "bytes": 4096, "sha256": "c0ffee", "bssVersion": "0.1.0", "postgres": 15, "schemaVersion": "0040_trace_store",
            "filled": true, "restored": false, "documentKey": "same", "missingRoles": [],
        });
        let style = Style { colour: false, width: None };
        assert_snapshot!(restored(&answer, style), @"
        b.tar  not restored
          taken at       2026-11-26 08:00:00Z
          database       bss
          rows           12
          tables         1
          dump           4096 bytes, SHA-256 c0ffee
          made by        bss 0.1.0, PostgreSQL 15
          schema         0040_trace_store
          would replace  everything in the database bss
        ");
        answer["restored"] = json!(true);
        answer["skippedIds"] = json!(100_000);
        answer["replaced"] = json!("bss_replaced_20261126080000123");
        answer["documentKey"] = json!("other");
        answer["missingRoles"] = json!(["reporting"]);
        answer["audit"] =
            json!({"ok": true, "checks": [{"name": "x.y", "description": "It holds", "ok": true, "offenders": []}]});
        assert_snapshot!(restored(&answer, style), @"
        b.tar  restored
          taken at         2026-11-26 08:00:00Z
          database         bss
          rows             12
          tables           1
          dump             4096 bytes, SHA-256 c0ffee
          made by          bss 0.1.0, PostgreSQL 15
          schema           0040_trace_store
          what was there   is the database bss_replaced_20261126080000123; drop it when nobody misses it
          ids left out     100000
          grants left out  all, since this server has no role reporting
          document key     another BSS_KYC_HASH_KEY than then: identities that were attested before are not recognised; take the key of the old installation over
          books            all 1 checks hold
        ");
    }
}
