//! Random source text, bundles and prepared code: each is run or refused, and the host continues.

use crate::support::script;
use ::sandbox::script::Bundle;
use ::sandbox::{LoadLimits, Provenance, Sandbox, SandboxLimits};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;
use std::fs;

/// Pieces of programs: keywords, punctuation, numbers, unterminated strings, and rare syntax.
const PIECES: &[&str] = &[
    "await ",
    "async ",
    "function ",
    "class A extends ",
    "return ",
    "step.do('a', ",
    "() => ",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ";",
    ",",
    "...",
    "`${",
    "`",
    "'",
    "\"",
    "/",
    "/*",
    "*/",
    "//",
    "\\u{110000}",
    "\\",
    "\n",
    "0x",
    "1e999",
    "9n",
    "a",
    "#a",
    "this",
    "super",
    "new.target",
    "import('./x.js')",
    "import.meta",
    "export ",
    "yield ",
    "let ",
    "var a = ",
    "=",
    "=>",
    "**=",
    "??=",
    "?.",
    "label: ",
    "break ",
    "with (a) ",
    "null",
    "undefined",
    "Promise.race([",
    "new Proxy({}, { get() { throw 1 } })",
    "Symbol.iterator",
    "event.payload",
    "env.PP.requireApproval(",
    "JSON.stringify(",
    "structuredClone(",
    "for (;;) ",
    "while (a) ",
    "try { ",
    "} catch { ",
    "} finally { ",
    "throw ",
    "\u{2028}",
    "\u{feff}",
    "💥",
    "\0",
    "<T>",
    "as any",
    ": number",
    "enum E { A }",
    "namespace N { ",
    "@dec ",
    "declare ",
    "satisfies ",
];

fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::collection::vec(prop::sample::select(PIECES), 0..60).prop_map(|pieces| pieces.concat()),
        1 => prop::collection::vec(any::<char>(), 0..200).prop_map(String::from_iter),
    ]
}

/// A runner with a fixed seed.
fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

fn limits() -> SandboxLimits {
    SandboxLimits { fuel: 300_000_000, memory_bytes: 32 << 20, ..SandboxLimits::default() }
}

/// Every text is refused with a bounded error, or runs and ends.
fn any_text(cases: u32) {
    let harness = script::harness_with(|builder| builder.sandbox(limits()));
    let run = |text: String, name: &str, inside: bool| {
        let text = if inside { script::text(&text) } else { text };
        let bundle = script::bundle(&[(name, &text)]);
        match harness.host.load(bundle.bytes()) {
            Err(refused) => assert!(refused.to_string().len() < 10_000 + 8 * text.len(), "{refused}"),
            Ok(workflow) => {
                assert_eq!(workflow.program().digest(), bundle.digest());
                let key = script::start(&harness.host, &bundle, &json!({}));
                let _ = harness.drive(&key);
            }
        }
    };
    let inputs = (source(), prop::sample::select(vec!["workflow.js", "workflow.ts"]), any::<bool>());
    runner(cases)
        .run(&inputs, |(text, name, inside)| {
            run(text, name, inside);
            Ok(())
        })
        .unwrap();
    let key = script::start(&harness.host, &script::workflow("return 'alive';"), &json!({}));
    assert_eq!(harness.result(&key), "alive");
}

#[test]
fn any_text_is_refused_or_ends() {
    any_text(60);
}

#[test]
#[ignore = "the same for longer"]
fn any_text_is_refused_or_ends_for_long() {
    any_text(5_000);
}

/// Bytes that resemble a bundle are accepted only in the canonical form.
#[test]
fn a_bundle_has_one_form() {
    let honest = script::bundle(&[("workflow.js", &script::text("return 1;")), ("b.json", "{}")]).bytes();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..4);
    runner(2_000)
        .run(&edits, |edits| {
            let mut bytes = honest.clone();
            for (at, byte, how) in edits {
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            if let Ok(bundle) = Bundle::read(&bytes) {
                assert_eq!(bundle.bytes(), bytes, "another form of the same bundle");
            }
            Ok(())
        })
        .unwrap();
}

/// A file in the cache that was not sealed as this bundle's prepared code never runs.
#[test]
fn prepared_code_of_any_bytes_never_runs() {
    let harness = script::harness();
    let bundle = script::workflow("return 'honest';");
    harness.host.load(bundle.bytes()).unwrap();
    let cache = harness.folder.path().join("cache");
    let path = cache.join(format!("{}.prepared", bundle.digest()));
    let sealed = fs::read(&path).unwrap();
    let edit = (any::<prop::sample::Index>(), 1_u8.., prop::collection::vec(any::<u8>(), 0..200), 0_u8..4);
    runner(30)
        .run(&edit, |(at, flip, tail, how)| {
            let at = at.index(sealed.len());
            let forged = match how {
                0 => [&sealed[..at], &[sealed[at] ^ flip], &sealed[at + 1..]].concat(),
                1 => [&sealed[..at], &tail].concat(),
                2 => [&sealed, &[flip][..], &tail].concat(),
                _ => tail,
            };
            if forged == sealed {
                return Ok(());
            }
            fs::write(&path, &forged).unwrap();
            let fresh =
                SandboxLimits { load: LoadLimits::default(), live_instances: 2, ..SandboxLimits::default() };
            let sandbox = Sandbox::new(fresh).unwrap().cached_in(&cache).unwrap();
            assert_eq!(sandbox.load(&bundle.bytes()).unwrap().provenance(), Provenance::Compiled);
            Ok(())
        })
        .unwrap();
}
