//! Which addresses a callback may have: public ones. What a name resolves to is looked at when the connection is made, since
//! it may be another address then than when it was registered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Reads a callback, or says what is wrong with it. An address that is written out is looked at here, because nothing
/// resolves it later.
pub(super) fn checked(callback: &str, allow_private: bool) -> Result<Url, &'static str> {
    let url: Url = callback.parse().map_err(|_| "must be an absolute URL")?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
        return Err("must be an http or https URL without credentials");
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment");
    }
    let literal = match url.host() {
        None => return Err("must have a host"),
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
    };
    if !allow_private && literal.is_some_and(|address| !is_public(address)) {
        return Err("must not be a private address; BSS_HUB_ALLOW_PRIVATE allows it");
    }
    Ok(url)
}

/// Whether an address belongs to the world and not to this machine or its network.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (18..20).contains(&b);
    let protocol = a == 192 && b == 0 && address.octets()[2] == 0;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || shared
        || benchmark
        || protocol)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Ranges that wrap an IPv4 address could wrap a private one.
    let wraps = first == 0x2002 || (first == 0x0064 && second == 0xff9b);
    let reserved = first == 0x2001 && (second < 0x0200 || second == 0x0db8);
    let global_unicast = (0x2000..0x4000).contains(&first);
    global_unicast && !wraps && !reserved
}

/// Resolves names, and gives only addresses that may be called.
pub(super) struct Guard {
    pub(super) allow_private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| allow_private || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the callback resolves to no address that may be called".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_and_its_network_are_not_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.0.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_callback_is_a_plain_url_of_the_world() {
        assert!(checked("https://listener.example.test/events?x=1", false).is_ok());
        for wrong in [
            "listener",
            "ftp://example.test",
            "https://u:p@example.test",
            "https://example.test/#a",
            "http://127.0.0.1/x",
            "http://[::1]/x",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(checked(wrong, false).is_err(), "{wrong}");
        }
        assert!(checked("http://127.0.0.1:9/x", true).is_ok());
    }
}
