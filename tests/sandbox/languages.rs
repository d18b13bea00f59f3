//! Workflows in other languages, as their own toolchains make them (`examples/languages/build.sh`), under the default limits.

use crate::support::{self, cli};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const PARAMS: &str = r#"{"resource":"cloudflare://workers/acme/app"}"#;

/// Where `build.sh` has put what it could build.
fn folder() -> PathBuf {
    std::env::var_os("PP_LANGUAGES").map_or_else(|| support::root().join("target/languages"), PathBuf::from)
}

/// The guests, their parameters, and a part of the evidence that they show.
const GUESTS: [(&str, &str, &str); 4] = [
    ("python", PARAMS, r#""network":"refused: PermissionError""#),
    ("python-stubbed", r#"{"resource":"cloudflare://workers/acme/app","stubbed":true}"#, "evidence   {}"),
    ("javascript", PARAMS, r#""network":"refused: Error""#),
    ("c", PARAMS, r#""files":"refused""#),
];

#[test]
#[ignore = "compiles for minutes what examples/languages/build.sh has built"]
fn a_workflow_of_another_toolchain_is_approved_and_denied() {
    let folder = folder();
    let (built, missing): (Vec<_>, Vec<_>) =
        GUESTS.into_iter().partition(|(name, ..)| folder.join(format!("{name}.wasm")).exists());
    for (name, ..) in missing {
        println!("NOT RUN: {name}: examples/languages/build.sh has not built it in {}", folder.display());
    }
    for (name, params, evidence) in built {
        runs(&folder.join(format!("{name}.wasm")), params, evidence);
    }
}

fn runs(guest: &Path, params: &str, evidence: &str) {
    let (data, guest) = (TempDir::new().unwrap(), guest.display().to_string());
    // What a compiler may take is meant for an optimised one; this one need not be, nor be alone.
    let compiler = ["--limit", "compile-cpu-seconds=600", "--limit", "compile-wall-seconds=900"];
    let run = |more: &[&str]| {
        let arguments = [&["run", guest.as_str(), "--params", params], &compiler[..], more].concat();
        cli::run(data.path(), &arguments)
    };
    let approved = run(&[]);
    assert_eq!(approved.code, Some(0), "{guest}: {}{}", approved.stdout, approved.stderr);
    assert!(approved.stdout.contains(evidence), "{guest}: {}", approved.stdout);
    assert!(approved.stdout.contains("deployed    dep_"), "{guest}: {}", approved.stdout);
    let denied = run(&["--deny"]);
    assert_eq!(denied.code, Some(4), "{guest}: {}{}", denied.stdout, denied.stderr);
    assert!(
        denied.stdout.contains("not-approved") && !denied.stdout.contains("deployed    dep_"),
        "{guest}: {}",
        denied.stdout
    );
    inspected(data.path(), &guest);
}

/// What a guest imports of the network is named as refused.
fn inspected(data: &Path, guest: &str) {
    let seen = cli::lines(&cli::run(data, &["inspect", "--json", guest]).stdout).remove(0);
    assert_eq!(seen["workflow"], true, "{seen}");
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let of_network = |name: &String| name.starts_with("wasi:sockets/") || name.starts_with("wasi:http/");
    let imported: Vec<_> = texts(&seen["imports"]).into_iter().filter(of_network).collect();
    assert_eq!(texts(&seen["network_refused"]), imported);
}
