//! `docs/DATA_MODEL.md` is made from a migrated database: what is there, from its catalog; what it means, from the comments
//! of the migrations. A schema or a table that nobody explains fails the test.

mod meanings;
mod tables;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::cluster;
use crate::support::page::is_committed;
use meanings::{Meanings, RELATIONS, SCHEMAS};
use tables::{Column, Table};

const HEAD: &str = "\
# Data model

Made from a migrated database, and from the comments in `migrations/sql`:
`UPDATE_DOCS=1 cargo test --test it data_model` writes this page anew.

One schema belongs to one domain, and only its store reads or writes it. What crosses the border is an id, without a foreign
key: the domain that owns the row answers for it, and `bss audit verify` looks whether both sides agree. Money is an integer
of minor units with its currency beside it (`…_minor`), quotas are integers with their unit. Times are `timestamptz`; those
that a customer or operator would call a date are of the product clock, `created_at`, `updated_at`, `recorded_at`, leases and
next attempts of the wall clock. Ids are text that people can read out (`ORD-0042`).

The columns that many tables share are not repeated below:

| column | meaning |
|---|---|
| `tenant_id` | the operator whose row it is; part of every look-up |
| `version` | counts the changes of an aggregate: its ETag |
| `created_at`, `updated_at` | wall clock |
| `attributes` | official TMF attributes that are only stored and echoed |

A partitioned table is shown once; its partitions are made ahead by the tick of the same process, by month of recording.
";

async fn pool() -> PgPool {
    let url = cluster::database().await;
    PgPoolOptions::new().max_connections(2).connect(&url).await.expect("the database answers")
}

/// The relations that matter most, as a picture: an arrow reads "names".
fn picture(tables: &[Table]) -> String {
    let mut picture =
        "\n## The main relations\n\nAn arrow leads from the table that holds an id to the one that owns it; dotted \
        where it crosses a schema.\n\n```mermaid\nflowchart LR\n"
            .to_owned();
    let node = |name: &str| name.replace('.', "_");
    let mut drawn = BTreeSet::new();
    let mut edges = String::new();
    for (from, column, to) in RELATIONS {
        let has = |name: &str, column: &str| {
            tables.iter().any(|table| {
                table.name == name && (column.is_empty() || table.columns.iter().any(|c| c.name == column))
            })
        };
        assert!(has(from, column) && has(to, ""), "there is no {from}.{column}, or no {to}");
        let crosses = from.split('.').next() != to.split('.').next();
        let arrow = if crosses { format!("-. {column} .->") } else { format!("-- {column} -->") };
        let _ = writeln!(edges, "    {} {arrow} {}", node(from), node(to));
        drawn.extend([*from, *to]);
    }
    for (schema, ..) in SCHEMAS {
        let inside: Vec<&&str> = drawn.iter().filter(|name| name.split('.').next() == Some(schema)).collect();
        if inside.is_empty() {
            continue;
        }
        let _ = writeln!(picture, "    subgraph {schema}");
        for name in inside {
            let short = name.split('.').nth(1).unwrap_or(name);
            let _ = writeln!(picture, "        {}[{short}]", node(name));
        }
        picture.push_str("    end\n");
    }
    picture.push_str(&edges);
    picture.push_str("```\n");
    picture
}

/// The columns that the head of the page explains once.
const SHARED: [&str; 5] = ["tenant_id", "version", "created_at", "updated_at", "attributes"];

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn column_row(column: &Column, meaning: Option<&str>) -> String {
    let mut notes = Vec::new();
    if column.nullable {
        notes.push("may be null".to_owned());
    }
    if let Some(default) = &column.default {
        notes.push(format!("default `{default}`"));
    }
    if let Some(values) = &column.values {
        notes.push(values.clone());
    }
    notes.extend(column.refers_to.as_ref().map(|to| format!("a row of `{to}`")));
    notes.extend(meaning.map(str::to_owned));
    format!("| `{}` | {} | {} |\n", column.name, cell(&column.kind), cell(&notes.join("; ")))
}

fn section(table: &Table, meanings: &Meanings, page: &mut String) {
    let _ = write!(page, "\n### {}\n\n{}\n", table.name, meanings.table(&table.name));
    let mut traits = Vec::new();
    if let Some(key) = &table.partitioned_by {
        traits.push(format!("Partitioned by {key}."));
    }
    if table.append_only {
        traits.push("Append-only: a trigger refuses updates and deletes.".to_owned());
    }
    if !traits.is_empty() {
        let _ = write!(page, "\n{}\n", traits.join(" "));
    }
    page.push_str("\n| column | type | |\n|---|---|---|\n");
    let shown = table.columns.iter().filter(|column| !SHARED.contains(&column.name.as_str()));
    for column in shown {
        page.push_str(&column_row(column, meanings.column(&table.name, &column.name)));
    }
    let shared: Vec<String> = SHARED
        .iter()
        .filter(|name| table.columns.iter().any(|column| column.name == **name))
        .map(|name| format!("`{name}`"))
        .collect();
    if !shared.is_empty() {
        let _ = write!(page, "\nAnd {}.\n", shared.join(", "));
    }
    for (what, lines) in [("Keys", &table.keys), ("Rules", &table.checks), ("Indexes", &table.indexes)] {
        if !lines.is_empty() {
            // The database sets what is long over several lines.
            let one_line = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
            let lines: Vec<String> = lines.iter().map(|line| format!("- `{}`\n", one_line(line))).collect();
            let _ = write!(page, "\n{what}:\n\n{}", lines.concat());
        }
    }
}

#[tokio::test]
async fn data_model_page_is_made_from_the_migrated_database() {
    let tables = tables::read(&pool().await).await;
    let meanings = Meanings::read();
    meanings::are_true(&tables);
    let there: BTreeSet<&str> = tables.iter().map(Table::schema).collect();
    let explained: BTreeSet<&str> = SCHEMAS.iter().map(|(schema, ..)| *schema).collect();
    assert_eq!(there, explained, "every schema has its owner in SCHEMAS");

    let mut page = HEAD.to_owned();
    page.push_str("\n| schema | owner | what it holds |\n|---|---|---|\n");
    for (schema, owner, holds) in SCHEMAS {
        let _ = writeln!(page, "| [`{schema}`](#{schema}) | {owner} | {holds} |");
    }
    page.push_str(&picture(&tables));
    for (schema, owner, holds) in SCHEMAS {
        let _ = write!(page, "\n## {schema}\n\n{holds} Owner: {owner}.\n");
        for table in tables.iter().filter(|table| table.schema() == *schema) {
            section(table, &meanings, &mut page);
        }
    }
    is_committed("docs/DATA_MODEL.md", &page, "data_model");
}
