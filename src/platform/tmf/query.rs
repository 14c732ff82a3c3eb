//! The query string of a list request: filters, `fields`, `sort`, `offset`, `limit`.
//!
//! Everything a caller can make long or many has a bound here, so that what follows need not care.

use std::borrow::Cow;

use super::fields::FieldSelection;

/// Bytes of a query string before decoding.
const QUERY_BYTES_MAX: usize = 8 * 1024;
/// Parameters of a request, filters of a request, values of a filter, names in `fields`, keys in `sort`.
const PARAMETERS_MAX: usize = 64;
const FILTERS_MAX: usize = 20;
const VALUES_MAX: usize = 50;
const FIELDS_MAX: usize = 50;
const SORT_KEYS_MAX: usize = 5;
/// Characters of one value, characters of one name in a path, names in a path.
const VALUE_CHARS_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 64;
const PATH_DEPTH_MAX: usize = 8;
/// Rows the database may have to walk over to reach a page.
const OFFSET_MAX: u64 = 1_000_000;

/// A parameter that cannot be understood or served: answered with 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {message}")]
pub struct QueryError {
    /// The parameter as the caller wrote it, cut to a printable length.
    pub parameter: String,
    /// What is wrong with it and what would be right.
    pub message: Cow<'static, str>,
}

impl QueryError {
    pub(super) fn new(parameter: &str, message: impl Into<Cow<'static, str>>) -> Self {
        let parameter = parameter.chars().map(|c| if c.is_control() { '?' } else { c }).take(NAME_CHARS_MAX).collect();
        Self { parameter, message: message.into() }
    }
}

/// How many resources an API gives at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// When the caller does not say.
    pub default_limit: u64,
    /// More than this is refused.
    pub max_limit: u64,
}

impl Default for Paging {
    fn default() -> Self {
        Self { default_limit: 50, max_limit: 1000 }
    }
}

/// How an attribute is compared. TMF630's `regex` is not offered: its cost is the caller's to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// One condition: the attribute compared with any of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub path: Vec<String>,
    pub op: Op,
    /// Never empty; more than one only for [`Op::Eq`] (any of them) and [`Op::Ne`] (none of them).
    pub values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    pub path: Vec<String>,
    pub descending: bool,
}

/// A list request, understood but not yet matched with what the resource can be filtered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// All of them must hold.
    pub filters: Vec<Filter>,
    /// `None`: every attribute.
    pub fields: Option<FieldSelection>,
    pub sort: Vec<SortKey>,
    pub offset: u64,
    pub limit: u64,
    /// Whether the caller asked for a page; decides between 200 and 206.
    pub limit_given: bool,
}

/// Decodes a raw query string. Use it in place of a lossy decoder: text that is not UTF-8 is refused, not repaired.
pub fn pairs(raw: Option<&str>) -> Result<Vec<(String, String)>, QueryError> {
    let raw = raw.unwrap_or_default();
    if raw.len() > QUERY_BYTES_MAX {
        return Err(QueryError::new("query", format!("is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
    if pairs.len() > PARAMETERS_MAX {
        return Err(QueryError::new("query", format!("has more than {PARAMETERS_MAX} parameters")));
    }
    for (name, value) in &pairs {
        // The decoder puts this character in the place of bytes that are not UTF-8.
        if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
            return Err(QueryError::new(name, "is not valid UTF-8"));
        }
    }
    Ok(pairs)
}

/// The query of a read by id: `fields` and nothing else.
pub fn item_fields(pairs: &[(String, String)]) -> Result<Option<FieldSelection>, QueryError> {
    let mut fields = None;
    for (name, value) in pairs {
        if name != "fields" {
            return Err(QueryError::new(name, "is not known here; a read by id takes fields only"));
        }
        set_once(&mut fields, name, parse_fields(value)?)?;
    }
    Ok(fields)
}

impl ListQuery {
    /// Reads decoded pairs (see [`pairs`]). Whether a filter or sort key exists is the resource's to say
    /// ([`super::filter::SqlFilter::new`]).
    pub fn parse(pairs: &[(String, String)], paging: Paging) -> Result<Self, QueryError> {
        if pairs.len() > PARAMETERS_MAX {
            return Err(QueryError::new("query", format!("has more than {PARAMETERS_MAX} parameters")));
        }
        let (mut filters, mut fields, mut sort, mut offset, mut limit) = (Vec::new(), None, None, None, None);
        for (name, value) in pairs {
            match name.as_str() {
                "fields" => set_once(&mut fields, name, parse_fields(value)?)?,
                "sort" => set_once(&mut sort, name, parse_sort(value)?)?,
                "offset" => set_once(&mut offset, name, parse_number(name, value, 0, OFFSET_MAX)?)?,
                "limit" => set_once(&mut limit, name, parse_number(name, value, 1, paging.max_limit)?)?,
                _ => add_filter(&mut filters, name, value)?,
            }
        }
        Ok(Self {
            filters,
            fields,
            sort: sort.unwrap_or_default(),
            offset: offset.unwrap_or(0),
            limit: limit.unwrap_or(paging.default_limit),
            limit_given: limit.is_some(),
        })
    }
}

fn set_once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<(), QueryError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(QueryError::new(name, "is given twice")),
    }
}

fn parse_number(name: &str, text: &str, min: u64, max: u64) -> Result<u64, QueryError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && (min..=max).contains(&number) => Ok(number),
        _ => Err(QueryError::new(name, format!("must be a whole number from {min} to {max}"))),
    }
}

fn parse_fields(text: &str) -> Result<FieldSelection, QueryError> {
    let mut selection = FieldSelection::default();
    for path in list("fields", text, FIELDS_MAX)? {
        selection.add(&parse_path("fields", path)?);
    }
    Ok(selection)
}

fn parse_sort(text: &str) -> Result<Vec<SortKey>, QueryError> {
    list("sort", text, SORT_KEYS_MAX)?
        .into_iter()
        .map(|key| {
            // A bare `+` in a query string decodes to a space.
            let (path, descending) = match key.strip_prefix(['+', ' ']) {
                Some(path) => (path, false),
                None => key.strip_prefix('-').map_or((key, false), |path| (path, true)),
            };
            Ok(SortKey { path: parse_path("sort", path)?, descending })
        })
        .collect()
}

/// The same attribute given twice means either value, like a comma (TMF630 knows both).
fn add_filter(filters: &mut Vec<Filter>, name: &str, text: &str) -> Result<(), QueryError> {
    let mut path = parse_path(name, name)?;
    let op = match path.last().map(String::as_str).filter(|_| path.len() > 1).map(op_named) {
        Some(Some(op)) => {
            path.pop();
            op
        }
        Some(None) if path.last().is_some_and(|last| last == "regex") => {
            return Err(QueryError::new(name, "regex is not offered; use eq, ne, gt, gte, lt or lte"));
        }
        Some(None) | None => Op::Eq,
    };
    let mut values: Vec<String> = list(name, text, VALUES_MAX)?.into_iter().map(str::to_owned).collect();
    if values.len() > 1 && !matches!(op, Op::Eq | Op::Ne) {
        return Err(QueryError::new(name, "takes one value"));
    }
    let mergeable = matches!(op, Op::Eq | Op::Ne);
    match filters.iter().position(|filter| mergeable && filter.path == path && filter.op == op) {
        Some(twin) if filters[twin].values.len() + values.len() > VALUES_MAX => {
            return Err(QueryError::new(name, format!("has more than {VALUES_MAX} values")));
        }
        Some(twin) => filters[twin].values.append(&mut values),
        None if filters.len() == FILTERS_MAX => {
            return Err(QueryError::new(name, format!("is one filter too many; {FILTERS_MAX} are allowed")));
        }
        None => filters.push(Filter { path, op, values }),
    }
    Ok(())
}

fn op_named(name: &str) -> Option<Op> {
    match name {
        "eq" => Some(Op::Eq),
        "ne" => Some(Op::Ne),
        "gt" => Some(Op::Gt),
        "gte" => Some(Op::Gte),
        "lt" => Some(Op::Lt),
        "lte" => Some(Op::Lte),
        _ => None,
    }
}

/// Comma-separated elements, none of them empty, none of them with control characters (PostgreSQL refuses NUL).
fn list<'a>(parameter: &str, text: &'a str, max: usize) -> Result<Vec<&'a str>, QueryError> {
    let elements: Vec<&str> = text.split(',').take(max + 1).collect();
    if elements.len() > max {
        return Err(QueryError::new(parameter, format!("has more than {max} values")));
    }
    for element in &elements {
        if element.trim().is_empty() {
            return Err(QueryError::new(parameter, "has an empty value"));
        }
        if element.chars().count() > VALUE_CHARS_MAX {
            return Err(QueryError::new(parameter, format!("has a value longer than {VALUE_CHARS_MAX} characters")));
        }
        if element.chars().any(char::is_control) {
            return Err(QueryError::new(parameter, "has a control character"));
        }
    }
    Ok(elements)
}

fn parse_path(parameter: &str, text: &str) -> Result<Vec<String>, QueryError> {
    let names: Vec<&str> = text.split('.').take(PATH_DEPTH_MAX + 1).collect();
    let well_formed = |name: &&str| {
        (1..=NAME_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'_'))
    };
    if names.len() > PATH_DEPTH_MAX || !names.iter().all(well_formed) {
        return Err(QueryError::new(parameter, "is not an attribute path such as relatedParty.id"));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(raw: &str) -> Result<ListQuery, QueryError> {
        ListQuery::parse(&pairs(Some(raw))?, Paging::default())
    }

    fn filter(path: &str, op: Op, values: &[&str]) -> Filter {
        let path = path.split('.').map(str::to_owned).collect();
        Filter { path, op, values: values.iter().map(|&v| v.to_owned()).collect() }
    }

    #[track_caller]
    fn refused(raw: &str, parameter: &str) {
        let error = parse(raw).expect_err("refused");
        assert_eq!(error.parameter, parameter, "{error}");
    }

    #[test]
    fn nothing_asked_means_the_first_default_page_of_everything() {
        let query = parse("").expect("valid");
        assert_eq!((query.offset, query.limit, query.limit_given), (0, 50, false));
        assert!(query.filters.is_empty() && query.fields.is_none() && query.sort.is_empty());
    }

    #[test]
    fn every_filter_form_is_understood() {
        let query = parse("state=inProgress,held&relatedParty.id.eq=CUST-1&orderDate.gt=2026-01-01T00:00:00Z&a.ne=b");
        assert_eq!(
            query.expect("valid").filters,
            [
                filter("state", Op::Eq, &["inProgress", "held"]),
                filter("relatedParty.id", Op::Eq, &["CUST-1"]),
                filter("orderDate", Op::Gt, &["2026-01-01T00:00:00Z"]),
                filter("a", Op::Ne, &["b"]),
            ]
        );
    }

    #[test]
    fn a_repeated_attribute_is_either_value_and_a_range_is_both() {
        let query = parse("state=held&d.gte=1&state=failed&d.lt=2&d.gte=3").expect("valid");
        assert_eq!(query.filters[0], filter("state", Op::Eq, &["held", "failed"]));
        assert_eq!(query.filters[1..].len(), 3);
    }

    #[test]
    fn sort_reads_signs_even_when_the_plus_was_decoded_away() {
        let keys = parse("sort=-orderDate,+state,id").expect("valid").sort;
        let signs: Vec<(&str, bool)> = keys.iter().map(|k| (k.path[0].as_str(), k.descending)).collect();
        assert_eq!(signs, [("orderDate", true), ("state", false), ("id", false)]);
    }

    #[test]
    fn bad_values_name_their_parameter() {
        refused("limit=0", "limit");
        refused("limit=1001", "limit");
        refused("limit=%2B5", "limit");
        refused("offset=-1", "offset");
        refused("offset=99999999999999999999", "offset");
        refused("limit=1&limit=2", "limit");
        refused("fields=a,,b", "fields");
        refused("fields=a..b", "fields");
        refused("sort=--a", "sort");
        refused("state=", "state");
        refused("state=a%00b", "state");
        refused("name.regex=.*", "name.regex");
        refused("orderDate.gt=1,2", "orderDate.gt");
        refused("a%20b=1", "a b");
        refused("name=%ff", "name");
    }

    #[test]
    fn everything_that_can_be_many_or_long_is_bounded() {
        let many = |n: usize, part: &str| vec![part; n].join(",");
        refused(&format!("state={}", many(51, "x")), "state");
        refused(&format!("state={}&state={}", many(50, "x"), "y"), "state");
        refused(&format!("fields={}", many(51, "x")), "fields");
        refused(&format!("sort={}", many(6, "x")), "sort");
        refused(&format!("name={}", "x".repeat(257)), "name");
        refused(&format!("{}=1", ["a"; 9].join(".")), &["a"; 9].join("."));
        refused(&format!("{}=1", "a".repeat(65)), &"a".repeat(64));
        let filters: Vec<String> = (0..21).map(|i| format!("a{i}=1")).collect();
        refused(&filters.join("&"), "a20");
        refused(&vec!["a=1"; 65].join("&"), "query");
        refused(&"a".repeat(8193), "query");
    }

    #[test]
    fn a_read_by_id_takes_fields_only() {
        assert!(item_fields(&pairs(Some("fields=a")).expect("valid")).expect("valid").is_some());
        assert_eq!(item_fields(&pairs(Some("limit=1")).expect("valid")).expect_err("refused").parameter, "limit");
    }

    proptest! {
        #[test]
        fn no_query_string_makes_it_panic(raw in "\\PC{0,200}") {
            let _ = parse(&raw);
        }

        #[test]
        fn any_pairs_are_understood_or_refused_within_bounds(
            given in prop::collection::vec(("[a-zA-Z.@]{0,12}|limit|offset|sort|fields", ".{0,40}"), 0..10),
        ) {
            if let Ok(query) = ListQuery::parse(&given, Paging::default()) {
                prop_assert!((1..=1000).contains(&query.limit) && query.offset <= OFFSET_MAX);
                prop_assert!(query.filters.iter().all(|f| !f.values.is_empty() && !f.path.is_empty()));
            }
        }
    }
}
