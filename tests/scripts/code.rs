//! The identity of code: a bundle's digest binds its source and its engine, and prepared code is bound to both by a seal.

use crate::support;
use crate::support::harness::Harness;
use crate::support::script;
use ::sandbox::script::Bundle;
use ::sandbox::script::Code;
use ::sandbox::{LoadLimits, Provenance, SandboxLimits};
use receipt::Digest;
use serde_json::json;
use std::fs;

#[test]
fn a_bundle_s_digest_is_that_of_its_bytes() {
    let bundle = script::workflow("return 1;");
    let bytes = bundle.bytes();
    assert_eq!(Code::of(&bytes), Code::Bundle(Digest::of(&bytes)));
    assert_eq!(Code::of(&support::guest("durable")).digest(), Digest::of(&support::guest("durable")));
    let harness = script::harness();
    assert_eq!(harness.host.load(bytes).unwrap().program().digest(), bundle.digest());
}

#[test]
fn a_bundle_for_an_engine_that_is_not_there_is_refused_by_its_digest() {
    let mut bundle = script::workflow("return 1;");
    bundle.engine.engine = Digest::of(b"another");
    let harness = script::harness();
    let error = harness.host.load(bundle.bytes()).err().unwrap().to_string();
    assert!(error.contains(&Digest::of(b"another").to_string()), "{error}");
}

#[test]
fn the_engine_is_kept_in_the_data_folder() {
    let harness = script::harness();
    let bundle = script::workflow("return 1;");
    let digests = [bundle.engine.engine, bundle.engine.prepare];
    let path = |harness: &Harness, digest| harness.folder.path().join(format!("engines/{digest}.wasm"));
    harness.host.load(bundle.bytes()).unwrap();
    for digest in digests {
        assert_eq!(Digest::of(&fs::read(path(&harness, digest)).unwrap()), digest);
        fs::write(path(&harness, digest), b"damaged").unwrap();
    }
    let harness = harness.reopened();
    harness.host.load(bundle.bytes()).unwrap();
    for digest in digests {
        assert_eq!(
            Digest::of(&fs::read(path(&harness, digest)).unwrap()),
            digest,
            "a damaged one is replaced"
        );
    }
}

/// Prepared code comes from the sealed cache, for this bundle and this engine, or it is prepared again.
#[test]
fn prepared_code_that_was_not_sealed_for_this_bundle_never_runs() {
    let harness = script::harness();
    let (honest, other) = (script::workflow("return 'honest';"), script::workflow("return 'other';"));
    for bundle in [&honest, &other] {
        harness.host.load(bundle.bytes()).unwrap();
    }
    let path =
        |bundle: &Bundle| harness.folder.path().join("cache").join(format!("{}.prepared", bundle.digest()));
    let sealed = fs::read(path(&honest)).unwrap();
    let foreign = fs::read(path(&other)).unwrap();
    let mut damaged = sealed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for forged in [foreign, damaged, sealed[..40].to_vec(), vec![], sealed[32..].to_vec()] {
        fs::write(path(&honest), &forged).unwrap();
        let sandbox = ::sandbox::Sandbox::new(::sandbox::SandboxLimits::default()).unwrap();
        let sandbox = sandbox.cached_in(path(&honest).parent().unwrap()).unwrap();
        let program = sandbox.load(&honest.bytes()).unwrap();
        assert_eq!(program.provenance(), Provenance::Compiled, "{} bytes", forged.len());
    }
    let key = script::start(&harness.host, &honest, &json!({}));
    assert_eq!(harness.result(&key), "honest");
}

/// The engines match their sources, according to their lock.
#[test]
fn the_engines_were_built_from_these_sources() {
    let room = support::root().join("guests/js-engine");
    let lock = fs::read_to_string(room.join("prebuilt/engines.lock")).unwrap();
    let mut seen = 0;
    for line in lock.lines().filter(|line| !line.starts_with('#')) {
        let (digest, name) = line.split_once("  ").unwrap();
        let path = if name.ends_with(".wasm") { room.join("prebuilt").join(name) } else { room.join(name) };
        let bytes = fs::read(&path).unwrap();
        assert_eq!(Digest::of(&bytes).to_string(), digest, "{name}: run guests/js-engine/build.sh");
        seen += 1;
    }
    assert!(seen > 30, "{seen} files");
    let current = ::sandbox::script::current_engine();
    assert!(lock.contains(&format!("{}  engine.wasm", current.engine)));
    assert!(lock.contains(&format!("{}  prepare.wasm", current.prepare)));
}

/// A host may load ten thousand workflows: its records of them in memory and on disk are bounded.
#[test]
fn many_bundles_leave_a_bounded_trace() {
    let load = LoadLimits { cache_bytes: 40 << 20, cached_programs: 16, ..LoadLimits::default() };
    let limits = SandboxLimits { load, ..SandboxLimits::default() };
    let harness = script::harness_with(|builder| builder.sandbox(limits));
    let (count, length) = (asked("PP_MANY").unwrap_or(200), asked("PP_MANY_BYTES").unwrap_or(400_000));
    let mut resident = Vec::new();
    for number in 1..=count {
        let text = format!(
            "{}\n// {number}\nexport const t = '{}';\nexport const b = [1, 2, 3];",
            script::text("return 1;"),
            "y".repeat(length)
        );
        harness.host.load(script::bundle(&[("workflow.js", &text)]).bytes()).unwrap();
        if number % (count / 10).max(1) == 0 {
            resident.push(resident_bytes());
        }
    }
    let cached = fs::read_dir(harness.folder.path().join("cache")).unwrap();
    let kept: u64 = cached.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    println!("{count} bundles: {kept} bytes in the cache; bytes resident after each tenth: {resident:?}");
    assert!(kept <= 41 << 20, "{kept} bytes in the cache");
    // Other tests share this process's memory, so it is compared only with PP_MANY, which is for a run of this test alone.
    if asked("PP_MANY").is_some() {
        let (first, last) = (resident[0], resident[resident.len() - 1]);
        assert!(last <= first + (16 << 20), "{resident:?}");
    }
}

/// The number and the length of bundles: enough to fill the cache twice, or as these variables set.
fn asked(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().map(|number| number.parse().unwrap())
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}
