//! Identity: the person or actor that a name stands for. Every comparison of names that decides who may decide is in
//! this module.

/// The prefixes of a person's name in receipts and in demo decisions.
const PREFIXES: [&str; 2] = ["user:", "demo:"];

/// Whether two names denote one identity, in any spelling: letter case, or with the prefix that receipts have. An agent
/// is not the person in its name: `agent:alice` is not `alice`.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    bare(one).eq_ignore_ascii_case(bare(other))
}

// All names of people and actors are ASCII, so there is no other case to fold.
fn bare(name: &str) -> &str {
    let mut bare = name;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| without(bare, prefix)) {
        bare = rest;
    }
    bare
}

fn without<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = name.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_spelled() {
        for (one, other, same) in [
            ("alice", "alice", true),
            ("alice", "ALICE", true),
            ("user:alice", "alice", true),
            ("USER:Alice", "demo:alice", true),
            ("user:demo:user:alice", "alice", true),
            ("agent:local", "AGENT:local", true),
            ("demo:agent:local", "agent:local", true),
            ("agent:alice", "alice", false),
            ("alice", "alice2", false),
            ("users:alice", "alice", false),
            ("user:", "", true),
            ("", "alice", false),
        ] {
            assert_eq!(is_same(one, other), same, "{one} {other}");
            assert_eq!(is_same(other, one), same, "{other} {one}");
        }
    }
}
