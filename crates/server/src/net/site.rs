//! The URL that people's browsers use, and the host names for which the server answers.

use std::fmt;
use std::str::FromStr;

/// The origin of the page: a scheme, a host and, if it is not the scheme's default, a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrl {
    origin: String,
    authority: String,
    host: String,
}

/// Why a text is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Another scheme, or none.
    #[error("a URL that begins with https:// is expected, such as https://approve.example.com")]
    Scheme,
    /// `http://` over a network.
    #[error(
        "http:// is for localhost only: browsers offer no passkeys elsewhere without TLS; name the https:// URL of the proxy"
    )]
    PlainHttp,
    /// More than an origin.
    #[error("a scheme, a host name in lower case and perhaps a port are expected, and nothing behind them")]
    Shape,
}

impl SiteUrl {
    /// The page on this machine itself.
    #[must_use]
    pub fn localhost(port: u16) -> Self {
        Self::of_this_machine("http", port)
    }

    /// This site over TLS.
    #[must_use]
    pub fn localhost_with_tls(port: u16) -> Self {
        Self::of_this_machine("https", port)
    }

    fn of_this_machine(scheme: &str, port: u16) -> Self {
        let authority = format!("localhost:{port}");
        Self { origin: format!("{scheme}://{authority}"), authority, host: "localhost".to_owned() }
    }

    /// The origin as browsers write it: `https://approve.example.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host name alone, to which passkeys are bound.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether browsers offer passkeys: over TLS, or on this machine.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for SiteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl FromStr for SiteUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidUrl::Scheme)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let plain = !host.is_empty() && host.len() <= 253 && host.bytes().all(name);
        let number = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
        if !plain || !port.is_none_or(number) {
            return Err(InvalidUrl::Shape);
        }
        let is_default = match scheme {
            "https" => port == Some("443"),
            "http" if host == "localhost" => port == Some("80"),
            "http" => return Err(InvalidUrl::PlainHttp),
            _ => return Err(InvalidUrl::Scheme),
        };
        let authority = if is_default { host } else { authority };
        Ok(Self {
            origin: format!("{scheme}://{authority}"),
            authority: authority.to_owned(),
            host: host.to_owned(),
        })
    }
}

/// The names under which the server answers.
#[derive(Debug)]
pub(crate) struct Site {
    url: SiteUrl,
    own: [String; 3],
    behind_proxy: bool,
}

impl Site {
    /// A site at `url`, or on this machine's own `port`, which answers as `local`.
    pub(crate) fn new(url: Option<SiteUrl>, local: SiteUrl, port: u16) -> Self {
        Self {
            own: ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")),
            behind_proxy: url.is_some(),
            url: url.unwrap_or(local),
        }
    }

    pub(crate) fn url(&self) -> &SiteUrl {
        &self.url
    }

    /// Whether a request with that `Host` is meant for this server. With another name that resolves to this machine, a foreign page could
    /// have the same origin.
    pub(crate) fn answers_to(&self, host: &str) -> bool {
        host == self.url.authority() || self.is_own(host)
    }

    /// Whether `Host` says that a request comes from this machine. Always false behind a proxy, which may write
    /// anything there.
    pub(crate) fn is_local(&self, host: &str) -> bool {
        !self.behind_proxy && self.is_own(host)
    }

    fn is_own(&self, host: &str) -> bool {
        self.own.iter().any(|own| own == host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, origin) in [
            ("https://approve.example.com", "https://approve.example.com"),
            ("https://approve.example.com/", "https://approve.example.com"),
            ("https://approve.example.com:443", "https://approve.example.com"),
            ("https://approve.example.com:8443", "https://approve.example.com:8443"),
            ("http://localhost:8787", "http://localhost:8787"),
            ("http://localhost:80", "http://localhost"),
        ] {
            assert_eq!(text.parse::<SiteUrl>().unwrap().origin(), origin);
        }
        for (text, error) in [
            ("approve.example.com", InvalidUrl::Scheme),
            ("ftp://approve.example.com", InvalidUrl::Scheme),
            ("http://approve.example.com", InvalidUrl::PlainHttp),
            ("http://127.0.0.1:8787", InvalidUrl::PlainHttp),
            ("https://Approve.example.com", InvalidUrl::Shape),
            ("https://approve.example.com/page", InvalidUrl::Shape),
            ("https://user@approve.example.com", InvalidUrl::Shape),
            ("https://approve.example.com:0443", InvalidUrl::Shape),
            ("https://", InvalidUrl::Shape),
            ("https://[::1]", InvalidUrl::Shape),
        ] {
            assert_eq!(text.parse::<SiteUrl>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_foreign_name_for_this_machine_is_not_answered() {
        let site = Site::new(None, SiteUrl::localhost(8787), 8787);
        for host in ["localhost:8787", "127.0.0.1:8787", "[::1]:8787"] {
            assert!(site.answers_to(host) && site.is_local(host), "{host}");
        }
        for host in ["localhost", "localhost:80", "attacker.example:8787", "", "localhost:8787."] {
            assert!(!site.answers_to(host), "{host}");
        }
        let url = "https://approve.example.com".parse().unwrap();
        let site = Site::new(Some(url), SiteUrl::localhost(8787), 8787);
        assert!(site.answers_to("approve.example.com") && site.answers_to("127.0.0.1:8787"));
        assert!(!site.is_local("127.0.0.1:8787"), "a proxy may write this name");
    }
}
