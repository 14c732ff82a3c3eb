//! Tables, columns, keys and indexes, as the catalog of the database tells them.

use sqlx::PgPool;

/// One table, without its partitions.
#[derive(Debug)]
pub(super) struct Table {
    /// Such as `payment.refund`.
    pub(super) name: String,
    /// `RANGE (recorded_at)`.
    pub(super) partitioned_by: Option<String>,
    pub(super) append_only: bool,
    pub(super) columns: Vec<Column>,
    /// Primary key, uniqueness, references of several columns.
    pub(super) keys: Vec<String>,
    /// Rules over several columns.
    pub(super) checks: Vec<String>,
    /// Those that are no keys.
    pub(super) indexes: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) nullable: bool,
    pub(super) default: Option<String>,
    /// What it may be, where a rule on it alone says so.
    pub(super) values: Option<String>,
    pub(super) refers_to: Option<String>,
}

impl Table {
    pub(super) fn schema(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }
}

const TABLES: &str = "
    select c.oid::bigint, n.nspname || '.' || c.relname, pg_get_partkeydef(c.oid),
           exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                   where t.tgrelid = c.oid and p.proname = 'refuse_change')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and n.nspname <> 'public'
    order by 2";

const COLUMNS: &str = "
    select a.attname::text, format_type(a.atttypid, a.atttypmod), not a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
           a.attidentity <> ''
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped order by a.attnum";

const CONSTRAINTS: &str = "
    select contype::text, pg_get_constraintdef(oid),
           case when cardinality(conkey) = 1
                then (select attname::text from pg_attribute where attrelid = conrelid and attnum = conkey[1]) end,
           case when confrelid <> 0 then confrelid::regclass::text end
    from pg_constraint where conrelid = $1::oid and contype in ('p', 'u', 'f', 'c')
    order by array_position(array['p', 'u', 'f', 'c'], contype::text), pg_get_constraintdef(oid)";

const INDEXES: &str = "
    select pg_get_indexdef(i.indexrelid)
    from pg_index i join pg_class x on x.oid = i.indexrelid
    where i.indrelid = $1::oid and not exists (select from pg_constraint where conindid = i.indexrelid)
    order by x.relname";

/// Everything that the migrations made, by name.
pub(super) async fn read(pool: &PgPool) -> Vec<Table> {
    let tables: Vec<(i64, String, Option<String>, bool)> =
        sqlx::query_as(TABLES).fetch_all(pool).await.expect("the catalog answers");
    let mut read = Vec::new();
    for (oid, name, partitioned_by, append_only) in tables {
        let columns: Vec<(String, String, bool, Option<String>, bool)> =
            sqlx::query_as(COLUMNS).bind(oid).fetch_all(pool).await.expect("the catalog answers");
        let constraints: Vec<(String, String, Option<String>, Option<String>)> =
            sqlx::query_as(CONSTRAINTS).bind(oid).fetch_all(pool).await.expect("the catalog answers");
        let indexes: Vec<String> =
            sqlx::query_scalar(INDEXES).bind(oid).fetch_all(pool).await.expect("the catalog answers");
        let of_column = |kind: &str, column: &str| {
            constraints.iter().find(|(k, _, on, _)| k == kind && on.as_deref() == Some(column))
        };
        let columns: Vec<Column> = columns
            .into_iter()
            .map(|(name, kind, nullable, default, counts)| Column {
                default: if counts { Some("a counter".to_owned()) } else { default.map(|text| without_casts(&text)) },
                values: of_column("c", &name).and_then(|(_, rule, ..)| alternatives(rule)),
                refers_to: of_column("f", &name).and_then(|(.., to)| to.clone()),
                name,
                kind: short(&kind).to_owned(),
                nullable,
            })
            .collect();
        let is_key = |kind: &str| matches!(kind, "p" | "u");
        let keys = constraints.iter().filter(|(kind, _, on, _)| is_key(kind) || kind == "f" && on.is_none());
        let keys = keys.map(|(_, text, ..)| text.clone()).collect();
        let checks = constraints
            .iter()
            .filter(|(kind, text, on, _)| kind == "c" && (on.is_none() || alternatives(text).is_none()));
        let checks = checks.map(|(_, text, ..)| without_casts(text)).collect();
        let indexes = indexes.iter().map(|text| index(text)).collect();
        read.push(Table { name, partitioned_by, append_only, columns, keys, checks, indexes });
    }
    read
}

fn short(kind: &str) -> &str {
    match kind {
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        other => other,
    }
}

fn without_casts(text: &str) -> String {
    ["::text[]", "::text", "::jsonb", "::bigint", "::numeric", "::double precision", "::interval"]
        .iter()
        .fold(text.to_owned(), |text, cast| text.replace(cast, ""))
}

/// `one of a, b` of a rule that says no more than that.
fn alternatives(rule: &str) -> Option<String> {
    let list = rule.strip_prefix("CHECK (")?.split_once("= ANY (ARRAY[")?.1;
    let list = list.split_once("])")?.0;
    let values: Vec<String> =
        list.split(", ").map(|value| format!("`{}`", without_casts(value).trim_matches('\''))).collect();
    Some(format!("one of {}", values.join(", ")))
}

/// An index as `unique name (columns) where …`.
fn index(definition: &str) -> String {
    let unique = if definition.starts_with("CREATE UNIQUE") { "unique " } else { "" };
    let name = definition.split(" INDEX ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let rest = definition.split_once(" USING ").map_or("", |(_, rest)| rest);
    let (method, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let method = if method == "btree" { String::new() } else { format!("{method} ") };
    without_casts(&format!("{unique}{name} {method}{rest}"))
}
