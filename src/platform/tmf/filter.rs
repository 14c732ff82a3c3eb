//! From a list query to SQL: which attribute is which column, and how a condition on it is written.
//!
//! The text of the SQL comes from the declarations of the resource alone; what the caller wrote travels as bound values.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Value;

use super::query::{Filter, ListQuery, Op, QueryError};
use super::time;

/// One attribute that callers may filter and, where it is a plain column, sort by.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// As in the payload: `relatedParty.id`.
    pub path: &'static str,
    pub column: Column,
}

/// Where the value of an attribute stands and what type it has.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    sql: &'static str,
    kind: Kind,
    rows: Option<&'static str>,
    /// The column that `rows` gives, instead of asking each row whether there is one.
    key: Option<&'static str>,
    names: &'static [Name],
}

/// A value as callers write it, and the stored values it stands for.
pub type Name = (&'static str, &'static [&'static str]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Timestamp,
    Bool,
    Integer,
}

impl Column {
    /// `sql` is a column, or an expression in parentheses or with its own function call.
    pub const fn text(sql: &'static str) -> Self {
        Self::of(sql, Kind::Text)
    }

    /// A `timestamptz`, compared by its canonical form: to the millisecond, as callers see it.
    pub const fn timestamp(sql: &'static str) -> Self {
        Self::of(sql, Kind::Timestamp)
    }

    pub const fn boolean(sql: &'static str) -> Self {
        Self::of(sql, Kind::Bool)
    }

    pub const fn integer(sql: &'static str) -> Self {
        Self::of(sql, Kind::Integer)
    }

    const fn of(sql: &'static str, kind: Kind) -> Self {
        Self { sql, kind, rows: None, key: None, names: &[] }
    }

    /// The column stands in other rows: the filter holds when one of them fits. `rows` is a `select` that ends in its
    /// `where` condition, such as `select 1 from order_mgmt.order_item i where i.order_id = o.id`.
    #[must_use]
    pub const fn within(self, rows: &'static str) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// The column stands in other rows that are few once it is given: they are found first, and lead to the row by `key`.
    /// `rows` selects the key's values, does not depend on the row, ends in its `where` condition and may bind the tenant
    /// (`$1`). Left to [`Self::within`], a list in an order of its own would ask every row of the table.
    #[must_use]
    pub const fn found_by(self, key: &'static str, rows: &'static str) -> Self {
        Self { rows: Some(rows), key: Some(key), ..self }
    }

    /// The column stores other words than callers use; any word not in `names` is refused.
    #[must_use]
    pub const fn named(self, names: &'static [Name]) -> Self {
        Self { names, ..self }
    }
}

/// What a resource can be filtered and sorted by. One `const` per resource, in its `store.rs`.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    pub attributes: &'static [Attribute],
    /// The order when the caller gives none, such as `o.created_at desc`; may be empty.
    pub default_order: &'static str,
    /// A unique column that ends every order, so that pages neither repeat nor skip a row, such as `o.id`.
    pub tiebreak: &'static str,
}

/// Conditions, order and bound values of a list query.
///
/// The count takes [`Self::conditions`] and [`Self::values`]; the page adds [`Self::order_by`], [`Self::page`] and takes
/// [`Self::page_values`]. The store puts its own values (the tenant) before: they are `$1` to `$first - 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlFilter {
    conditions: String,
    order_by: String,
    values: Vec<Value>,
    page: String,
    page_values: [Value; 2],
}

impl SqlFilter {
    /// Matches the query with what the resource offers; `first` is the number of the first free placeholder.
    pub fn new(query: &ListQuery, listing: &Listing, first: usize) -> Result<Self, QueryError> {
        let mut binder = Binder { next: first, values: Vec::new() };
        let mut conditions = Vec::with_capacity(query.filters.len());
        for filter in &query.filters {
            let parameter = filter.path.join(".");
            let attribute = find(listing, &filter.path, &parameter, "be filtered by")?;
            conditions.push(condition(attribute.column, filter, &parameter, &mut binder)?);
        }
        let order_by = order_by(query, listing)?;
        let page = format!("limit ${} offset ${}", binder.next, binder.next + 1);
        let bounded = |number: u64| Value::BigInt(Some(i64::try_from(number).unwrap_or(i64::MAX)));
        Ok(Self {
            conditions: if conditions.is_empty() { "true".to_owned() } else { conditions.join(" and ") },
            order_by,
            values: binder.values,
            page,
            page_values: [bounded(query.limit), bounded(query.offset)],
        })
    }

    /// For `where …`: `true` when nothing was asked.
    pub fn conditions(&self) -> &str {
        &self.conditions
    }

    /// For `order by …`; never empty.
    pub fn order_by(&self) -> &str {
        &self.order_by
    }

    /// `limit $n offset $m`, the two placeholders after those of the conditions.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// The values of the conditions, in the order of their placeholders.
    pub fn values(&self) -> impl Iterator<Item = Value> {
        self.values.iter().cloned()
    }

    /// The values of the conditions and of the page.
    pub fn page_values(&self) -> impl Iterator<Item = Value> {
        self.values.iter().chain(&self.page_values).cloned()
    }
}

struct Binder {
    next: usize,
    values: Vec<Value>,
}

impl Binder {
    fn bind(&mut self, value: Value) -> String {
        let placeholder = format!("${}", self.next);
        self.next += 1;
        self.values.push(value);
        placeholder
    }
}

fn find<'a>(
    listing: &'a Listing,
    path: &[String],
    parameter: &str,
    purpose: &str,
) -> Result<&'a Attribute, QueryError> {
    let fits = |attribute: &&Attribute| attribute.path.split('.').eq(path.iter().map(String::as_str));
    listing.attributes.iter().find(fits).ok_or_else(|| {
        let known: Vec<&str> = listing.attributes.iter().map(|attribute| attribute.path).collect();
        QueryError::new(parameter, format!("cannot {purpose}; known here: {}", known.join(", ")))
    })
}

fn order_by(query: &ListQuery, listing: &Listing) -> Result<String, QueryError> {
    let mut order = String::new();
    for key in &query.sort {
        let path = key.path.join(".");
        let column = find(listing, &key.path, "sort", "sort by that")?.column;
        if column.rows.is_some() {
            return Err(QueryError::new("sort", format!("{path} can be filtered by, not sorted by")));
        }
        let _ = write!(order, "{} {}, ", column.sql, if key.descending { "desc" } else { "asc" });
    }
    if query.sort.is_empty() && !listing.default_order.is_empty() {
        let _ = write!(order, "{}, ", listing.default_order);
    }
    order.push_str(listing.tiebreak);
    Ok(order)
}

fn condition(column: Column, filter: &Filter, parameter: &str, binder: &mut Binder) -> Result<String, QueryError> {
    // "Not equal" is the opposite of "equal", also where the attribute is missing (null) or has many values.
    let op = if filter.op == Op::Ne { Op::Eq } else { filter.op };
    let plain = match column.kind {
        Kind::Timestamp => timestamps(column.sql, op, &filter.values, parameter, binder)?,
        Kind::Text | Kind::Bool | Kind::Integer => scalars(column, op, &filter.values, parameter, binder)?,
    };
    let held = match column.rows {
        Some(rows) => match column.key {
            Some(key) => format!("{key} = any(array({rows} and {plain}))"),
            None => format!("exists ({rows} and {plain})"),
        },
        None => plain,
    };
    Ok(if filter.op == Op::Ne { format!("({held}) is not true") } else { held })
}

fn scalars(
    column: Column,
    op: Op,
    values: &[String],
    parameter: &str,
    binder: &mut Binder,
) -> Result<String, QueryError> {
    if op != Op::Eq && column.kind != Kind::Integer {
        return Err(QueryError::new(parameter, "can only be compared with eq and ne"));
    }
    let mut placeholders = Vec::with_capacity(values.len());
    for value in values {
        for stored in typed(column, value, parameter)? {
            placeholders.push(binder.bind(stored));
        }
    }
    let sql = column.sql;
    let placeholders = placeholders.join(", ");
    Ok(match op {
        Op::Gt => format!("{sql} > {placeholders}"),
        Op::Gte => format!("{sql} >= {placeholders}"),
        Op::Lt => format!("{sql} < {placeholders}"),
        Op::Lte => format!("{sql} <= {placeholders}"),
        Op::Eq | Op::Ne => format!("{sql} in ({placeholders})"),
    })
}

fn typed(column: Column, text: &str, parameter: &str) -> Result<Vec<Value>, QueryError> {
    if !column.names.is_empty() {
        let known = || column.names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let (_, stored) = (column.names.iter().find(|(name, _)| *name == text))
            .ok_or_else(|| QueryError::new(parameter, format!("must be one of {}", known())))?;
        return Ok(stored.iter().map(|&stored| Value::from(stored)).collect());
    }
    let value = match column.kind {
        Kind::Bool => match text {
            "true" => Value::from(true),
            "false" => Value::from(false),
            _ => return Err(QueryError::new(parameter, "must be true or false")),
        },
        Kind::Integer => {
            let number = text.parse::<i64>().map_err(|_| QueryError::new(parameter, "must be a whole number"))?;
            Value::from(number)
        }
        Kind::Text | Kind::Timestamp => Value::from(text),
    };
    Ok(vec![value])
}

/// The database keeps microseconds, callers see milliseconds: a shown instant stands for the whole millisecond, and
/// every comparison is a range on the bare column, so that an index still serves it.
fn timestamps(
    sql: &str,
    op: Op,
    values: &[String],
    parameter: &str,
    binder: &mut Binder,
) -> Result<String, QueryError> {
    let mut ranges = Vec::with_capacity(values.len());
    for value in values {
        let (shown, next, exact) = millisecond(value, parameter)?;
        let from = if exact { shown } else { next };
        let mut bound = |at: DateTime<Utc>| binder.bind(Value::from(at));
        ranges.push(match op {
            Op::Gt => format!("{sql} >= {}", bound(next)),
            Op::Gte => format!("{sql} >= {}", bound(from)),
            Op::Lt => format!("{sql} < {}", bound(from)),
            Op::Lte => format!("{sql} < {}", bound(next)),
            // Nothing shown can equal an instant finer than a millisecond: then `from` is `next` and the range empty.
            Op::Eq | Op::Ne => format!("({sql} >= {} and {sql} < {})", bound(from), bound(next)),
        });
    }
    Ok(if ranges.len() == 1 { ranges.remove(0) } else { format!("({})", ranges.join(" or ")) })
}

/// The millisecond an instant lies in, the one after it, and whether the instant is its very beginning.
fn millisecond(text: &str, parameter: &str) -> Result<(DateTime<Utc>, DateTime<Utc>, bool), QueryError> {
    // `+08:00` arrives as ` 08:00` when the caller did not escape the plus.
    let at = time::parse(&text.replace(' ', "+")).map_err(|e| QueryError::new(parameter, e.to_string()))?;
    let out_of_range = || QueryError::new(parameter, "is out of range");
    let shown = DateTime::from_timestamp_millis(at.timestamp_millis()).ok_or_else(out_of_range)?;
    let next = shown.checked_add_signed(TimeDelta::milliseconds(1)).ok_or_else(out_of_range)?;
    Ok((shown, next, at == shown))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::query::{Paging, pairs};
    use super::*;

    const STATES: &[Name] = &[("inProgress", &["in_progress"]), ("inactive", &["failed", "gone"])];
    const ORDERS: Listing = Listing {
        attributes: &[
            Attribute { path: "id", column: Column::text("o.id") },
            Attribute { path: "state", column: Column::text("o.state").named(STATES) },
            Attribute { path: "orderDate", column: Column::timestamp("o.order_date") },
            Attribute { path: "isBundle", column: Column::boolean("o.is_bundle") },
            Attribute { path: "priority", column: Column::integer("o.priority") },
            Attribute {
                path: "productOrderItem.productOffering.id",
                column: Column::text("i.offering_id").within("select 1 from item i where i.order_id = o.id"),
            },
        ],
        default_order: "o.created_at desc",
        tiebreak: "o.id",
    };

    #[test]
    fn few_rows_elsewhere_lead_to_the_row() {
        const LISTING: Listing = Listing {
            attributes: &[Attribute {
                path: "email",
                column: Column::text("m.value").found_by("c.id", "select m.owner from medium m where m.tenant = $1"),
            }],
            default_order: "",
            tiebreak: "c.id",
        };
        let ask = |raw| {
            let query = ListQuery::parse(&pairs(Some(raw)).expect("valid"), Paging::default()).expect("valid");
            SqlFilter::new(&query, &LISTING, 2).expect("valid").conditions().to_owned()
        };
        let found = "c.id = any(array(select m.owner from medium m where m.tenant = $1 and m.value in ($2)))";
        assert_eq!(ask("email=a"), found);
        assert_eq!(ask("email.ne=a"), format!("({found}) is not true"));
    }

    fn filter(raw: &str) -> Result<SqlFilter, QueryError> {
        SqlFilter::new(&ListQuery::parse(&pairs(Some(raw))?, Paging::default())?, &ORDERS, 2)
    }

    #[track_caller]
    fn check(raw: &str, conditions: &str, values: &[Value]) {
        let filter = filter(raw).expect("valid");
        assert_eq!(filter.conditions(), conditions);
        assert_eq!(filter.values().collect::<Vec<_>>(), values);
    }

    #[track_caller]
    fn refused(raw: &str, parameter: &str, part: &str) {
        let error = filter(raw).expect_err("refused");
        assert_eq!(error.parameter, parameter);
        assert!(error.message.contains(part), "{error}");
    }

    fn at(text: &str) -> Value {
        Value::from(time::parse(text).expect("a date-time"))
    }

    #[test]
    fn nothing_asked_is_true_in_the_default_order() {
        let filter = filter("").expect("valid");
        assert_eq!(filter.conditions(), "true");
        assert_eq!(filter.order_by(), "o.created_at desc, o.id");
        assert_eq!(filter.page(), "limit $2 offset $3");
        assert_eq!(filter.page_values().collect::<Vec<_>>(), [Value::from(50_i64), Value::from(0_i64)]);
    }

    #[test]
    fn values_are_bound_after_the_stores_own() {
        check("id=ORD-1,ORD-2", "o.id in ($2, $3)", &["ORD-1".into(), "ORD-2".into()]);
        check("id.ne=ORD-1", "(o.id in ($2)) is not true", &["ORD-1".into()]);
        check("isBundle=true&priority.gte=3", "o.is_bundle in ($2) and o.priority >= $3", &[true.into(), 3_i64.into()]);
        assert_eq!(filter("id=x").expect("valid").page(), "limit $3 offset $4");
    }

    #[test]
    fn a_word_of_the_payload_becomes_every_stored_word_it_stands_for() {
        check("state=inactive", "o.state in ($2, $3)", &["failed".into(), "gone".into()]);
        refused("state=in_progress", "state", "must be one of inProgress, inactive");
    }

    #[test]
    fn an_attribute_of_other_rows_asks_whether_one_fits() {
        let rows = "exists (select 1 from item i where i.order_id = o.id and i.offering_id in ($2))";
        check("productOrderItem.productOffering.id=PLAN_M", rows, &["PLAN_M".into()]);
        let none = format!("({rows}) is not true");
        check("productOrderItem.productOffering.id.ne=PLAN_M", &none, &["PLAN_M".into()]);
        refused("sort=productOrderItem.productOffering.id", "sort", "not sorted by");
    }

    #[test]
    fn a_shown_instant_stands_for_its_whole_millisecond() {
        let (shown, next) = (at("2026-05-10T09:00:00.123Z"), at("2026-05-10T09:00:00.124Z"));
        let ask = |op: &str| format!("orderDate{op}=2026-05-10T09:00:00.123Z");
        check(&ask(""), "(o.order_date >= $2 and o.order_date < $3)", &[shown.clone(), next.clone()]);
        check(&ask(".gt"), "o.order_date >= $2", std::slice::from_ref(&next));
        check(&ask(".gte"), "o.order_date >= $2", std::slice::from_ref(&shown));
        check(&ask(".lt"), "o.order_date < $2", std::slice::from_ref(&shown));
        check(&ask(".lte"), "o.order_date < $2", std::slice::from_ref(&next));
    }

    #[test]
    fn a_plus_that_the_query_string_ate_is_put_back() {
        check("orderDate.gte=2026-05-10T17:00:00+08:00", "o.order_date >= $2", &[at("2026-05-10T09:00:00Z")]);
    }

    #[test]
    fn sorting_always_ends_in_the_tiebreak() {
        assert_eq!(filter("sort=-orderDate,+state").expect("valid").order_by(), "o.order_date desc, o.state asc, o.id");
        refused("sort=secret", "sort", "known here: id, state");
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        refused("customer=1", "customer", "known here: id, state, orderDate");
        refused("state.gt=inProgress", "state", "only be compared with eq and ne");
        refused("isBundle=yes", "isBundle", "true or false");
        refused("priority=1.5", "priority", "whole number");
        refused("orderDate.gt=yesterday", "orderDate", "RFC 3339");
        refused("orderDate.gt=9999-12-31T23:59:60Z", "orderDate", "RFC 3339");
    }

    proptest! {
        /// Whatever is asked, the SQL is made of our own words, and every placeholder has its value.
        #[test]
        fn no_text_of_the_caller_reaches_the_sql(
            value in "ZQ[ -~&&[^&=%+#]]{0,30}",
            name in "(id|state|orderDate|priority|isBundle|productOrderItem\\.productOffering\\.id)",
            op in "(\\.(eq|ne|gt|gte|lt|lte))?",
        ) {
            if let Ok(filter) = filter(&format!("{name}{op}={value}&sort=-id")) {
                let sql = format!("{} {} {}", filter.conditions(), filter.order_by(), filter.page());
                prop_assert!(!sql.contains("ZQ"), "{}", sql);
                prop_assert_eq!(sql.matches('$').count(), filter.page_values().count());
            }
        }
    }
}
