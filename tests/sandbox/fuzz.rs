//! A brief, deterministic run of every fuzz target on stable: the committed seeds, then these cut up and glued together again.
//!
//! `FUZZ_RUNS=100000 cargo test -p host --test it sandbox::fuzz` makes it a long one.

use crate::fuzzing;
use std::fs;
use std::path::PathBuf;

/// Inputs of each target in addition to its seeds, unless `FUZZ_RUNS` says otherwise. Together a few seconds.
const RUNS: usize = 300;

/// The fragments of mutations.
const SCRAPS: [&[u8]; 20] = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x08",
    b"\0asm",
    b"\x0d\0\x01\0",
    b"\x41\x7f",
    b"\x0b",
    b"{",
    b"[",
    b"\"",
    b"\\ud800",
    b"1e400",
    b"\n[limits]\n",
    b"\n[tenants.a.limits]\n",
    b"fuel = 1\n",
    b"memory-bytes = \"1 GiB\"\n",
    b"=",
    b"99999999999999999999",
    b"\xc3\xa9",
    b"\xe2\x80\xae",
];

#[test]
fn the_loader_stands_any_bytes() {
    run("loader", mutate, fuzzing::loader::stands);
}

#[test]
fn components_around_any_module_stay_within_bounds() {
    let loaded = std::cell::Cell::new(0);
    run(
        "components",
        |input, random| flip(input, random),
        |module| loaded.set(loaded.get() + usize::from(fuzzing::components::stand(module))),
    );
    assert!(loaded.get() > RUNS / 10, "{} of the modules were loaded at all", loaded.get());
}

#[test]
fn any_program_of_host_calls_leaves_the_journal_whole() {
    run("calls", mutate, fuzzing::calls::stand);
}

#[test]
fn settings_stand_any_text() {
    run("settings", mutate, fuzzing::settings::stand);
}

#[test]
fn parameters_stand_any_text() {
    run("params", mutate, fuzzing::params::stands);
}

#[test]
fn the_seeds_are_small() {
    let targets = ["loader", "components", "calls", "settings", "params"];
    let sizes: Vec<usize> = targets.map(|target| seeds(target).iter().map(Vec::len).sum()).into();
    assert!(sizes.iter().all(|size| *size > 0) && sizes.iter().sum::<usize>() < 100 << 10, "{sizes:?}");
}

fn run(target: &str, mutate: fn(&mut Vec<u8>, &mut Random), mut body: impl FnMut(&[u8])) {
    let (seeds, mut random) = (seeds(target), Random(0x9E37_79B9_7F4A_7C15));
    seeds.iter().for_each(|seed| body(seed));
    let runs = std::env::var("FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    for _ in 0..runs {
        let mut input = seeds[random.below(seeds.len())].clone();
        mutate(&mut input, &mut random);
        body(&input);
    }
}

/// The committed seeds of a target, always in the same order.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = crate::support::root().join("crates/engine/fuzz/seeds").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        change(input, random);
    }
}

fn change(input: &mut Vec<u8>, random: &mut Random) {
    let (a, b) = (random.below(input.len() + 1), random.below(input.len() + 1));
    let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 40));
    match random.below(6) {
        0 if from < input.len() => input[from] ^= 1 << random.below(8),
        1 if from < input.len() => input[from] = random.below(256) as u8,
        2 => drop(input.drain(from..to)),
        3 => {
            let copy = input[from..to].to_vec();
            let at = random.below(input.len() + 1);
            input.splice(at..at, copy);
        }
        4 => drop(input.splice(from..from, SCRAPS[random.below(SCRAPS.len())].iter().copied())),
        _ => drop(input.splice(from..to, SCRAPS[random.below(SCRAPS.len())].iter().copied())),
    }
}

/// Changes one byte and moves none: a module of sections with lengths may stay one.
fn flip(input: &mut [u8], random: &mut Random) {
    let at = random.below(input.len());
    input[at] = if random.below(2) == 0 { input[at] ^ 1 << random.below(8) } else { random.below(256) as u8 };
}

/// Marsaglia's xorshift: the same inputs every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
