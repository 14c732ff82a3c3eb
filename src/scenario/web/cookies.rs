//! A small cookie jar: host, path and end of life, as far as a server on one machine needs them.

use chrono::{DateTime, Datelike};
use reqwest::header::{self, HeaderMap};
use serde_json::{Map, Value};
use url::Url;

/// The cookies of one scenario. Ports do not tell cookies apart, as in a browser.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Debug, PartialEq)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

impl Jar {
    /// Keeps what the answer of `url` sets, drops what it ends; returns what it set, by name.
    pub(super) fn take(&mut self, url: &Url, headers: &HeaderMap) -> Map<String, Value> {
        let mut set = Map::new();
        for line in headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let Some((cookie, is_over)) = parse(url, line) else { continue };
            self.cookies
                .retain(|kept| (&kept.host, &kept.path, &kept.name) != (&cookie.host, &cookie.path, &cookie.name));
            if is_over {
                set.remove(&cookie.name);
            } else {
                set.insert(cookie.name.clone(), Value::from(cookie.value.as_str()));
                self.cookies.push(cookie);
            }
        }
        set
    }

    /// The `Cookie` header for a request to `url`; `extra` comes beside the jar and wins over it.
    pub(super) fn header(&self, url: &Url, extra: &Map<String, Value>) -> Option<String> {
        let host = url.host_str().unwrap_or_default();
        let kept = self.cookies.iter().filter(|cookie| {
            cookie.host == host && path_matches(url.path(), &cookie.path) && !extra.contains_key(&cookie.name)
        });
        let kept = kept.map(|cookie| format!("{}={}", cookie.name, cookie.value));
        let extra = extra.iter().map(|(name, value)| format!("{name}={}", super::text(value)));
        let all: Vec<String> = kept.chain(extra).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// The cookie of a `Set-Cookie` line, and whether the line ends its life.
fn parse(url: &Url, line: &str) -> Option<(Cookie, bool)> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let mut cookie = Cookie {
        host: url.host_str()?.to_owned(),
        path: default_path(url.path()).to_owned(),
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
    };
    let mut max_age = None;
    let mut expires = None;
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        match key.to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "max-age" => max_age = value.parse::<i64>().ok(),
            "expires" => expires = DateTime::parse_from_rfc2822(value).ok(),
            _ => {} // Domain, Secure, HttpOnly, SameSite: nothing that matters between us and one host
        }
    }
    let is_over = match (max_age, expires) {
        (Some(seconds), _) => seconds <= 0,
        // The server may live on a frozen clock, so "past" is no measure; an end is written as a date of long ago.
        (None, Some(instant)) => instant.year() < 2000,
        (None, None) => false,
    };
    (!cookie.name.is_empty()).then_some((cookie, is_over))
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(end) => &path[..end],
    }
}

fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("an address")
    }

    fn taken(jar: &mut Jar, from: &str, lines: &[&str]) -> Map<String, Value> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SET_COOKIE, line.parse().expect("a header"));
        }
        jar.take(&url(from), &headers)
    }

    #[test]
    fn cookies_come_back_to_their_host_and_path_on_every_port() {
        let mut jar = Jar::default();
        let set =
            taken(&mut jar, "http://localhost:9001/auth/login", &["a=1; Path=/; HttpOnly", "b=2", "c=x=y; Path=/plan"]);
        assert_eq!(Value::Object(set), json!({ "a": "1", "b": "2", "c": "x=y" }));
        let none = Map::new();
        for (to, expected) in [
            ("http://localhost:9001/", Some("a=1")),
            ("http://localhost:9002/auth/check", Some("a=1; b=2")),
            ("http://localhost/plan", Some("a=1; c=x=y")),
            ("http://localhost/plan/x", Some("a=1; c=x=y")),
            ("http://localhost/plans", Some("a=1")),
            ("http://127.0.0.1/", None),
        ] {
            assert_eq!(jar.header(&url(to), &none).as_deref(), expected, "{to}");
        }
    }

    #[test]
    fn a_cookie_is_replaced_ended_and_overridden() {
        let mut jar = Jar::default();
        taken(&mut jar, "http://localhost/", &["a=1", "b=1", "c=1"]);
        let ends = ["a=2", "b=; Max-Age=0", "c=; expires=Thu, 01 Jan 1970 00:00:00 GMT"];
        assert_eq!(Value::Object(taken(&mut jar, "http://localhost/", &ends)), json!({ "a": "2" }));
        let none = Map::new();
        assert_eq!(jar.header(&url("http://localhost/x"), &none).as_deref(), Some("a=2"));
        let extra = json!({ "a": 9, "z": "y" }).as_object().expect("a map").clone();
        assert_eq!(jar.header(&url("http://localhost/x"), &extra).as_deref(), Some("a=9; z=y"));
    }
}
