//! The account of this machine that operates a host, as the system knows it and not as it calls itself.

use std::{fmt, fs};

/// An account, by its name if the machine's own list has one, or by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account(String);

impl Account {
    /// The account that this process runs under.
    #[must_use]
    pub fn own() -> Self {
        Self::of(rustix::process::getuid().as_raw())
    }

    /// The account with that number.
    #[must_use]
    pub fn of(uid: u32) -> Self {
        let listed = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self(named(&listed, uid).map_or_else(|| format!("uid-{uid}"), str::to_owned))
    }

    /// The account's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first account of that number whose name is valid in a record.
fn named(listed: &str, uid: u32) -> Option<&str> {
    let plain = |name: &str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    listed.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, _, number) = (parts.next()?, parts.next()?, parts.next()?);
        (number.parse() == Ok(uid) && plain(name)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_one_that_the_machine_lists() {
        let listed = "root:x:0:0:root:/root:/bin/sh\nodd name:x:7:7::/:/bin/sh\nseven:x:7:7::/:/bin/sh\nbroken\nann:x:1000:";
        assert_eq!(named(listed, 0), Some("root"));
        assert_eq!(named(listed, 7), Some("seven"), "a name that cannot stand in a record is passed over");
        assert_eq!(named(listed, 1000), Some("ann"));
        assert_eq!(named(listed, 1), None);
        assert_eq!(named("", 0), None);
        assert_eq!(Account::of(u32::MAX - 7).as_str(), "uid-4294967288");
    }
}
