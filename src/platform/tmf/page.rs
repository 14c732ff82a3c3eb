//! Status and headers of a page of resources.

use super::query::ListQuery;

/// What a list answer carries beside its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageHead {
    /// 206 where the caller asked for a page and more follows, else 200.
    pub status: u16,
    /// Names in lower case, as HTTP/2 wants them; values are ASCII.
    pub headers: Vec<(&'static str, String)>,
}

/// The head of the answer to `query`, asked at `path` with `pairs`: `returned` resources of `total`.
///
/// `Link` is given when the answer is not everything there is. Its targets are paths with the original query, only the
/// page replaced, so that they work behind any proxy.
pub fn head(path: &str, pairs: &[(String, String)], query: &ListQuery, total: u64, returned: u64) -> PageHead {
    let more = query.offset.saturating_add(returned) < total;
    let mut headers = vec![("x-total-count", total.to_string()), ("x-result-count", returned.to_string())];
    if more || query.offset > 0 {
        headers.push(("link", links(path, pairs, query, total)));
    }
    PageHead { status: if query.limit_given && more { 206 } else { 200 }, headers }
}

fn links(path: &str, pairs: &[(String, String)], query: &ListQuery, total: u64) -> String {
    let (offset, limit) = (query.offset, query.limit.max(1));
    let last = total.saturating_sub(1) / limit * limit;
    let next = offset.saturating_add(limit);
    let mut targets = vec![("first", 0)];
    if offset > 0 {
        targets.push(("prev", offset.saturating_sub(limit).min(last)));
    }
    if next < total {
        targets.push(("next", next));
    }
    targets.push(("last", last));
    let links = targets.into_iter().map(|(rel, offset)| {
        let kept = pairs.iter().filter(|(name, _)| name != "offset" && name != "limit");
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(kept).append_pair("offset", &offset.to_string()).append_pair("limit", &limit.to_string());
        format!("<{path}?{}>; rel=\"{rel}\"", query.finish())
    });
    links.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::query::{Paging, pairs};
    use super::*;

    fn page(raw: &str, total: u64) -> PageHead {
        let pairs = pairs(Some(raw)).expect("valid");
        let query = ListQuery::parse(&pairs, Paging::default()).expect("valid");
        let returned = total.saturating_sub(query.offset).min(query.limit);
        head("/tmf-api/x/v4/thing", &pairs, &query, total, returned)
    }

    fn header<'a>(head: &'a PageHead, name: &str) -> Option<&'a str> {
        head.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// The query of a link, by its relation.
    fn target(head: &PageHead, rel: &str) -> Option<String> {
        let links = header(head, "link")?;
        let link = links.split(", ").find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
        let target = link.split(['<', '>']).nth(1).expect("a target");
        Some(target.split_once('?').expect("a query").1.to_owned())
    }

    #[test]
    fn a_complete_answer_is_200_with_counts_and_no_links() {
        let head = page("state=held&limit=10", 10);
        assert_eq!(head.status, 200);
        assert_eq!(header(&head, "x-total-count"), Some("10"));
        assert_eq!(header(&head, "x-result-count"), Some("10"));
        assert_eq!(header(&head, "link"), None);
    }

    #[test]
    fn a_page_with_more_behind_it_is_206_only_when_it_was_asked_for() {
        assert_eq!(page("limit=10", 11).status, 206);
        assert_eq!(page("limit=10&offset=10", 11).status, 200);
        let unasked = page("", 51);
        assert_eq!(unasked.status, 200);
        assert_eq!(target(&unasked, "next").as_deref(), Some("offset=50&limit=50"));
    }

    #[test]
    fn links_keep_the_query_and_move_the_page() {
        let head = page("name=Nadia%20Ong%26Co&limit=10&fields=id,name&offset=20", 45);
        let kept = "name=Nadia+Ong%26Co&fields=id%2Cname";
        assert_eq!(target(&head, "first"), Some(format!("{kept}&offset=0&limit=10")));
        assert_eq!(target(&head, "prev"), Some(format!("{kept}&offset=10&limit=10")));
        assert_eq!(target(&head, "next"), Some(format!("{kept}&offset=30&limit=10")));
        assert_eq!(target(&head, "last"), Some(format!("{kept}&offset=40&limit=10")));
    }

    #[test]
    fn beyond_the_end_the_way_back_leads_to_the_last_page() {
        let head = page("limit=10&offset=500", 45);
        assert_eq!((head.status, header(&head, "x-result-count")), (200, Some("0")));
        assert_eq!(target(&head, "prev").as_deref(), Some("offset=40&limit=10"));
        assert_eq!(target(&head, "next"), None);
    }

    proptest! {
        #[test]
        fn following_next_sees_every_resource_once(total in 0_u64..300, limit in 1_u64..60) {
            let (mut seen, mut raw, mut status) = (0, format!("limit={limit}&state=held"), 206);
            loop {
                let head = page(&raw, total);
                seen += header(&head, "x-result-count").expect("counted").parse::<u64>().expect("a number");
                prop_assert_eq!(status, 206);
                status = head.status;
                match target(&head, "next") {
                    Some(next) => raw = next,
                    None => break,
                }
            }
            prop_assert_eq!((seen, status), (total, 200));
        }
    }
}
