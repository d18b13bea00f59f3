//! A brief, deterministic run of the fuzz bodies on stable: good inputs, cut up and glued together again.

mod bodies;

use crate::common::{minted, payload, request};

/// Inputs a body gets. In a debug build this is a second or two for each.
const RUNS: usize = 1_500;

/// The fragments of mutations: structure, and the values that the format gives a meaning.
const SCRAPS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\ud800",
    "\\u0000",
    "null",
    "true",
    "-0",
    "1e400",
    "3",
    "{}",
    "[{}]",
    "\"projection\":",
    "\"execute/v1\"",
    "\"deploy_gate/v2\"",
    "\"scope\":{\"visibility\":\"public\"},",
    "\"__proto__\":1,",
    "\u{e000}",
    "😀",
];

fn run(body: fn(&[u8]), seeds: &[String]) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    seeds.iter().for_each(|seed| body(seed.as_bytes()));
    for _ in 0..RUNS {
        let mut input = seeds[random.below(seeds.len())].clone().into_bytes();
        for _ in 0..=random.below(4) {
            mutate(&mut input, &mut random);
        }
        body(&input);
    }
}

fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    let (a, b) = (random.below(input.len() + 1), random.below(input.len() + 1));
    let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 40));
    match random.below(5) {
        0 if from < input.len() => input[from] ^= 1 << random.below(8),
        1 => drop(input.drain(from..to)),
        2 => {
            let copy = input[from..to].to_vec();
            let at = random.below(input.len() + 1);
            input.splice(at..at, copy);
        }
        3 => drop(input.splice(from..from, SCRAPS[random.below(SCRAPS.len())].bytes())),
        _ => drop(input.splice(from..to, SCRAPS[random.below(SCRAPS.len())].bytes())),
    }
}

/// Marsaglia's xorshift: the same inputs every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

#[test]
fn parsing_stands_anything() {
    let seeds = [
        minted().artifact.to_json(),
        crate::common::keys().to_json(),
        request().canonical(),
        "[1,\"a\"]".to_owned(),
    ];
    run(bodies::parse, &seeds);
}

#[test]
fn verifying_stands_anything() {
    run(bodies::signed, &[payload().canonical()]);
}

#[test]
fn projections_stand_anything() {
    let seeds = [
        r#"{"action":{"operation":"deploy","tool":"workers"},"projection":"execute/v1"}"#,
        r#"{"metadata":{"pullRequest":7},"policy":{"decision":{"matchedInputs":{"changedPaths":["a","b"]},"ruleId":"r"}},"policyAuthorization":{"recordedDecisions":[{"at":"x"},{}]},"projection":"deploy_gate/v2","scope":{"repo":"a/b","visibility":"public"}}"#,
        r#"{"metadata":{"revokedReceiptId":"r"},"projection":"revocation/v1","scope":{"env":"production"}}"#,
    ];
    run(bodies::projection, &seeds.map(str::to_owned));
}

#[test]
fn statements_stand_anything() {
    let statement = crate::common::statement(&request(), receipt::Decision::Approved);
    let envelope = receipt::sign_decision(&statement, &crate::common::alice()).unwrap();
    let seeds = [statement.canonical(), envelope.to_json().canonical(), crate::common::deciders().to_json()];
    run(bodies::statement, &seeds);
}

#[test]
fn openings_stand_anything() {
    run(bodies::opening, &[request().canonical(), "{}".to_owned()]);
}
