//! Web origins in the one form that the URL standard serializes.

use alloc::format;
use core::net::{Ipv4Addr, Ipv6Addr};

/// The specification's bound.
const MAX_LEN: usize = 2048;

/// Whether `text` is an `http` or `https` origin that equals its own serialization: lowercase scheme and host, no
/// default port, nothing after the port.
///
/// Internationalised labels are accepted in their ASCII form (`xn--…`) without decoding them: the tables for that are
/// larger than this crate, and a label that decodes to nothing is no usable host.
pub(crate) fn is_canonical(text: &str) -> bool {
    let (rest, default_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443),
        (_, Some(rest)) => (rest, 80),
        (None, None) => return false,
    };
    if text.len() > MAX_LEN {
        return false;
    }
    // A port follows the last colon, unless that colon is inside the brackets of an IPv6 address.
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => is_host(host) && is_port(port, default_port),
        _ => is_host(rest),
    }
}

/// The host of an origin.
pub(crate) fn host(origin: &str) -> Option<&str> {
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))?;
    match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => Some(host),
        _ => Some(rest),
    }
}

fn is_port(text: &str, default: u16) -> bool {
    text.parse::<u16>().is_ok_and(|port| port != default && format!("{port}") == text)
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse().is_ok_and(|parsed| write_ipv6(parsed) == address),
        None if ends_in_number(host) => {
            host.parse::<Ipv4Addr>().is_ok_and(|parsed| format!("{parsed}") == host)
        }
        None => !host.is_empty() && host.bytes().all(is_domain_byte),
    }
}

/// The standard reads a host whose last label is a number, decimal or hexadecimal, as an IPv4 address.
fn ends_in_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// ASCII that is neither uppercase nor among the standard's forbidden domain code points.
fn is_domain_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !b"#%/:<>?@[\\]^|".contains(&byte)
}

/// Rust writes an IPv4-mapped address with dots, the URL standard never does.
fn write_ipv6(address: Ipv6Addr) -> alloc::string::String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xFFFF, high, low] => format!("::ffff:{high:x}:{low:x}"),
        _ => format!("{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_accepted_in_one_spelling_only() {
        let good = [
            "https://app.permissionprotocol.com",
            "http://localhost:3000",
            "http://a:443",
            "https://a:80",
            "https://127.0.0.1:8443",
            "https://[::1]",
            "https://[2001:db8::1]:8443",
            "https://[::ffff:102:304]",
            "https://xn--bcher-kva.example",
            "https://a_b.example",
            "https://a.",
            "https://1a",
            "https://a:0",
        ];
        for text in good {
            assert!(is_canonical(text), "{text}");
        }
        let bad = [
            "",
            "app.example",
            "ftp://a",
            "HTTPS://a",
            "https://A",
            "https://",
            "https://a/",
            "https://a?",
            "https://a#",
            "https://u@a",
            "https://a:443",
            "http://a:80",
            "https://a:",
            "https://a:08",
            "https://a:+8",
            "https://a:65536",
            "https://1.2.3",
            "https://1.2.3.04",
            "https://1.2.3.4.",
            "https://0x7f",
            "https://a.0x7f",
            "https://a.1",
            "https://[::1",
            "https://::1",
            "https://[0:0:0:0:0:0:0:1]",
            "https://[::FFFF:1:2]",
            "https://[::ffff:1.2.3.4]",
            "https://a b",
            "https://a%41",
            "https://bücher.example",
        ];
        for text in bad {
            assert!(!is_canonical(text), "{text}");
        }
        assert!(is_canonical(&format!("https://{}", "a".repeat(2040))));
        assert!(!is_canonical(&format!("https://{}", "a".repeat(2041))));
    }
}
