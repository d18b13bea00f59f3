//! The identity of code: a bundle's digest binds its source and its engine, and prepared code is bound to both by a seal.

use crate::support;
use crate::support::script;
use host::sandbox::Provenance;
use host::sandbox::script::Bundle;
use host::sandbox::script::Code;
use receipt::Digest;
use serde_json::json;
use std::fs;

#[test]
fn a_bundle_s_digest_is_that_of_its_bytes() {
    let bundle = script::workflow("return 1;");
    let bytes = bundle.bytes();
    assert_eq!(Code::of(&bytes), Code::Bundle(Digest::of(&bytes)));
    assert_eq!(Code::of(&support::guest("durable")).digest(), Digest::of(&support::guest("durable")));
    let desk = script::desk();
    assert_eq!(desk.host.load(bytes).unwrap().program().digest(), bundle.digest());
}

#[test]
fn a_bundle_for_an_engine_that_is_not_there_is_refused_by_its_digest() {
    let mut bundle = script::workflow("return 1;");
    bundle.engine.engine = Digest::of(b"another");
    let desk = script::desk();
    let error = desk.host.load(bundle.bytes()).err().unwrap().to_string();
    assert!(error.contains(&Digest::of(b"another").to_string()), "{error}");
}

#[test]
fn the_engine_is_kept_in_the_data_folder() {
    let desk = script::desk();
    let bundle = script::workflow("return 1;");
    desk.host.load(bundle.bytes()).unwrap();
    for digest in [bundle.engine.engine, bundle.engine.prepare] {
        let kept = fs::read(desk.folder.path().join("engines").join(format!("{digest}.wasm"))).unwrap();
        assert_eq!(Digest::of(&kept), digest);
    }
}

/// Prepared code comes from the sealed cache, for this bundle and this engine, or it is prepared again.
#[test]
fn prepared_code_that_was_not_sealed_for_this_bundle_never_runs() {
    let desk = script::desk();
    let (honest, other) = (script::workflow("return 'honest';"), script::workflow("return 'other';"));
    for bundle in [&honest, &other] {
        desk.host.load(bundle.bytes()).unwrap();
    }
    let path = |bundle: &Bundle| desk.folder.path().join("cache").join(format!("{}.prepared", bundle.digest()));
    let sealed = fs::read(path(&honest)).unwrap();
    let foreign = fs::read(path(&other)).unwrap();
    let mut damaged = sealed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for forged in [foreign, damaged, sealed[..40].to_vec(), vec![], sealed[32..].to_vec()] {
        fs::write(path(&honest), &forged).unwrap();
        let desk = support::desk::open(desk.folder.path().join("copy").as_path(), &desk.clock, |builder| builder);
        drop(desk);
        let sandbox = host::sandbox::Sandbox::new(host::sandbox::SandboxLimits::default()).unwrap();
        let sandbox = sandbox.cached_in(&path(&honest).parent().unwrap().to_owned()).unwrap();
        let program = sandbox.load(&honest.bytes()).unwrap();
        assert_eq!(program.provenance(), Provenance::Compiled, "{} bytes", forged.len());
    }
    let key = script::start(&desk.host, &honest, &json!({}));
    assert_eq!(desk.result(&key), "honest");
}
