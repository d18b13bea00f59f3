//! Canonicalization compared with JavaScript itself, over random values. Reports a skip when there is no `node`.

use crate::strategies;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use receipt::Json;

const COUNT: usize = 4_000;

/// The output of `node` for each line; `None` without `node`.
fn javascript(lines: &[String]) -> Option<Vec<String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/canonicalize.mjs");
    let node = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut node) = node else {
        crate::common::not_run("there is no node to compare with");
        return None;
    };
    let mut stdin = node.stdin.take().unwrap();
    let input = lines.join("\n");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

fn assert_agreement(lines: &[String]) {
    let Some(theirs) = javascript(lines) else { return };
    assert_eq!(theirs.len(), lines.len());
    for (line, theirs) in lines.iter().zip(&theirs) {
        assert_eq!(&Json::parse(line).unwrap().canonical(), theirs, "{line}");
    }
}

#[test]
fn random_values_are_written_as_javascript_writes_them() {
    let mut runner = TestRunner::deterministic();
    let strategy = strategies::json();
    let values = std::iter::repeat_with(|| strategy.new_tree(&mut runner).unwrap().current());
    let lines: Vec<_> = values.take(COUNT).map(|json| scrambled(&json)).collect();
    assert_agreement(&lines);
}

#[test]
fn ugly_texts_are_written_as_javascript_writes_them() {
    let controls: String = (0..0x20).map(|unit| format!("\\u{unit:04x}")).collect();
    let mut lines: Vec<String> = [
        "-0",
        "1e400",
        "-1e-400",
        "123456789012345678901234567890",
        "0.1e-6",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\uD83D\\uDE00\"",
        "{\"\\ue000\":1,\"\\ud83d\\ude00\":2}",
        "{\"__proto__\":{\"b\":1,\"a\":2}}",
        "\"\\u2028\\u2029\\ufeff\\u0000\\u007f\\/\"",
    ]
    .map(str::to_owned)
    .into();
    lines.push(format!("\"{controls}\""));
    lines.push(format!("{}1{}", "[".repeat(128), "]".repeat(128)));
    // Every power of ten and its neighbours: the notation changes at both ends.
    for exponent in -330..310 {
        lines.push(format!(
            "[1e{exponent},1.5e{exponent},9.999999999999999e{exponent},-123456789e{exponent}]"
        ));
    }
    assert_agreement(&lines);
}

/// The same value with its keys in another order, every character of every string escaped, and white space between.
fn scrambled(json: &Json) -> String {
    match json {
        Json::Array(elements) => {
            format!("[ {} ]", elements.iter().map(scrambled).collect::<Vec<_>>().join(" , "))
        }
        Json::Object(object) => {
            let members = object.iter().map(|(key, value)| {
                let key = escaped(&Json::String(key.clone()));
                format!("{key} :\t{}", scrambled(value))
            });
            let mut members: Vec<_> = members.collect();
            members.reverse();
            format!("{{{}}}", members.join(","))
        }
        Json::String(_) => escaped(json),
        _ => json.canonical(),
    }
}

/// A string literal with uppercase escapes for everything but plain ASCII.
fn escaped(string: &Json) -> String {
    let plain = string.canonical();
    let mut out = String::new();
    for c in plain.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")));
        }
    }
    out
}
