//! The cost of a ruling. Run with `cargo bench -p policy`, and with `--features cedar` for Cedar too.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark of something broken is none")]

#[path = "../tests/common/mod.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod common;

use common::{Asked, asked};
use divan::{Bencher, black_box};
use policy::{Policy, Toml};

fn main() {
    divan::main();
}

/// A policy of `count` rules, of which the last matches.
fn rules(count: usize) -> String {
    let rule = |index| {
        let (tenant, then) =
            if index + 1 == count { ("acme".to_owned(), 2) } else { (format!("t{index}"), 1) };
        format!(
            "[[rule]]\nid = \"r{index}\"\ntenant = \"{tenant}\"\ncapability = \"cloudflare.*\"\n\
             then = \"ask\"\nrole = \"release\"\napprovals = {then}\n"
        )
    };
    (0..count).map(rule).collect()
}

fn approved() -> Asked {
    asked().approved_by(&[("alice", &["release"]), ("bob", &["release"])])
}

#[divan::bench(args = [10, 1_000])]
fn toml_parse(bencher: Bencher<'_, '_>, count: usize) {
    let text = rules(count);
    bencher.bench(|| Toml::parse(black_box(&text)));
}

#[divan::bench(args = [10, 1_000])]
fn toml_ask(bencher: Bencher<'_, '_>, count: usize) {
    let (policy, asked) = (common::toml(&rules(count)), asked());
    bencher.bench(|| policy.rule(black_box(&asked.question())));
}

#[divan::bench(args = [10, 1_000])]
fn toml_allow_with_two_approvals(bencher: Bencher<'_, '_>, count: usize) {
    let (policy, asked) = (common::toml(&rules(count)), approved());
    bencher.bench(|| policy.rule(black_box(&asked.question())));
}

#[divan::bench(args = [10, 1_000])]
fn toml_explain(bencher: Bencher<'_, '_>, count: usize) {
    let (policy, asked) = (common::toml(&rules(count)), asked());
    bencher.bench(|| policy.explain(black_box(&asked.question())));
}

#[cfg(feature = "cedar")]
mod cedar {
    use super::*;
    use policy::Cedar;

    /// A policy of `count` rules, of which the last permits with two approvals.
    fn policies(count: usize) -> String {
        let policy = |index| {
            let tenant = if index + 1 == count { "acme".to_owned() } else { format!("t{index}") };
            format!(
                "@id(\"r{index}\") permit (principal, action in Action::\"cloudflare\", resource)\n\
                 when {{ context.tenant == \"{tenant}\" && context.approvals.release >= 2 }};\n"
            )
        };
        (0..count).map(policy).collect()
    }

    fn cedar(count: usize) -> Cedar {
        Cedar::parse(&policies(count)).unwrap()
    }

    #[divan::bench(args = [3, 10, 1_000])]
    fn cedar_parse(bencher: Bencher<'_, '_>, count: usize) {
        let text = policies(count);
        bencher.bench(|| Cedar::parse(black_box(&text)));
    }

    #[divan::bench(args = [3, 10, 1_000])]
    fn cedar_ask(bencher: Bencher<'_, '_>, count: usize) {
        let (policy, asked) = (cedar(count), asked());
        bencher.bench(|| policy.rule(black_box(&asked.question())));
    }

    #[divan::bench(args = [3, 10, 1_000])]
    fn cedar_allow_with_two_approvals(bencher: Bencher<'_, '_>, count: usize) {
        let (policy, asked) = (cedar(count), approved());
        bencher.bench(|| policy.rule(black_box(&asked.question())));
    }

    #[divan::bench(args = [3, 10])]
    fn cedar_explain(bencher: Bencher<'_, '_>, count: usize) {
        let (policy, asked) = (cedar(count), asked());
        bencher.bench(|| policy.explain(black_box(&asked.question())));
    }
}
