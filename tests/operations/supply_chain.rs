//! The sources of other people's code, read from the lock file, so that it is checked where `cargo deny` is not
//! installed as well.

use crate::support;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const LOCKS: [&str; 3] = ["Cargo.lock", "crates/engine/fuzz/Cargo.lock", "crates/receipt/fuzz/Cargo.lock"];

/// One package of a lock file.
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: bool,
    dependencies: Vec<String>,
}

fn packages(lock: &str) -> Vec<Package> {
    let text = fs::read_to_string(support::root().join(lock)).unwrap();
    let lock = toml::de::DeTable::parse(&text).unwrap().into_inner();
    let packages = lock["package"].get_ref().as_array().unwrap().iter();
    packages
        .map(|package| {
            let package = package.get_ref().as_table().unwrap();
            let text = |key: &str| Some(package.get(key)?.get_ref().as_str()?.to_owned());
            let dependencies = package.get("dependencies").and_then(|list| list.get_ref().as_array());
            let dependencies = dependencies.into_iter().flatten();
            Package {
                name: text("name").unwrap(),
                version: text("version").unwrap(),
                source: text("source"),
                checksum: package.contains_key("checksum"),
                dependencies: dependencies
                    .filter_map(|name| Some(name.get_ref().as_str()?.to_owned()))
                    .collect(),
            }
        })
        .collect()
}

#[test]
fn everything_comes_from_the_registry_with_a_checksum_or_from_here() {
    let ours = [
        "bench",
        "drill",
        "engine",
        "guest-durable",
        "guest-hostile",
        "guest-paces",
        "guest-sdk",
        "guest-tenant-workflow",
        "host",
        "host-fuzz",
        "policy",
        "receipt",
        "receipt-fuzz",
        "sandbox",
        "server",
        "signer",
        "store",
        "store-postgres",
        "store-s3",
        "store-sqlite",
        "workflow",
    ];
    for lock in LOCKS {
        for Package { name, version, source, checksum, .. } in packages(lock) {
            match source.as_deref() {
                None => assert!(ours.contains(&name.as_str()), "{lock}: {name} comes from a folder"),
                Some(source) => {
                    let registry = "registry+https://github.com/rust-lang/crates.io-index";
                    assert_eq!(source, registry, "{lock}: {name} {version}");
                    assert!(checksum, "{lock}: {name} {version} has no checksum");
                }
            }
        }
    }
}

/// Each library that signs, hashes or draws random numbers has one version here. Only Cranelift uses the hash's
/// previous release, for the entries of its incremental cache, which is not used.
#[test]
fn what_signs_and_hashes_is_here_once() {
    const ONCE: [&str; 13] = [
        "chacha20",
        "curve25519-dalek",
        "der",
        "ed25519",
        "ed25519-dalek",
        "hmac",
        "pkcs8",
        "rand",
        "rand_chacha",
        "rand_core",
        "signature",
        "subtle",
        "zeroize",
    ];
    const OTHER_STACKS: [&str; 4] = ["aws-lc-rs", "blake2", "openssl", "sha1"];
    /// TLS to a database and its older passwords, checksums for object storage: these crates bring them, and only these crates use them.
    const FOR_DATABASES: [(&str, &[&str]); 3] = [
        ("md-5", &["object_store", "postgres-protocol"]),
        ("ring", &["rustls", "rustls-webpki"]),
        ("rustls", &["tokio-rustls"]),
    ];
    for lock in LOCKS {
        let packages = packages(lock);
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in &packages {
            versions.entry(&package.name).or_default().insert(&package.version);
        }
        without_those_for_spans(lock, &packages, &mut versions);
        for name in ONCE {
            assert!(
                versions.get(name).is_none_or(|found| found.len() <= 1),
                "{lock}: {name} {:?}",
                versions[name]
            );
        }
        for name in OTHER_STACKS {
            assert!(!versions.contains_key(name), "{lock}: {name}");
        }
        assert!(versions["sha2"].iter().all(|version| version.starts_with("0.11.") || *version == "0.10.9"));
        for package in packages {
            let old = package.dependencies.iter().any(|dependency| dependency.starts_with("sha2 0.10"));
            for (name, users) in FOR_DATABASES {
                let uses = package.dependencies.iter().any(|dependency| dependency == name);
                assert!(
                    !uses || users.contains(&package.name.as_str()),
                    "{lock}: {} uses {name}",
                    package.name
                );
            }
            assert!(
                !old || ["cranelift-codegen", "wasmtime-environ"].contains(&package.name.as_str()),
                "{lock}: {}",
                package.name
            );
        }
    }
}

/// Removes the versions that only the exporter of spans may use (feature otlp), and checks that it alone does. They draw the ids of spans, and
/// neither keys nor nonces.
fn without_those_for_spans(lock: &str, packages: &[Package], versions: &mut BTreeMap<&str, BTreeSet<&str>>) {
    const FOR_SPANS: [(&str, &str, &[&str]); 3] = [
        ("rand", "0.9.", &["opentelemetry_sdk"]),
        ("rand_chacha", "0.9.", &["rand 0.9"]),
        ("rand_core", "0.9.", &["rand 0.9", "rand_chacha 0.9"]),
    ];
    for (name, version, users) in FOR_SPANS {
        if let Some(found) = versions.get_mut(name) {
            found.retain(|found| !found.starts_with(version));
        }
        let used = format!("{name} {version}");
        for package in packages {
            let uses = package.dependencies.iter().any(|dependency| dependency.starts_with(&used));
            let user = format!("{} {}", package.name, package.version);
            assert!(!uses || users.iter().any(|known| user.starts_with(known)), "{lock}: {user} uses {used}");
        }
    }
}

/// The features of the runtime that a package of the workspace may ask for.
const FEATURES: [(&str, &[&str]); 2] = [
    ("wasmtime", &["anyhow", "async", "component-model", "cranelift", "pooling-allocator", "runtime", "std"]),
    ("wasmtime-wasi", &["p2"]),
];

/// Code that had a run of advisories: code that is not compiled in cannot be reached.
#[test]
fn the_workspace_asks_for_no_more_of_the_runtime_than_it_needs() {
    let root = manifest("Cargo.toml");
    let members = root["workspace"].get_ref()["members"].get_ref().as_array().unwrap().clone();
    let mut asked = BTreeSet::new();
    for member in members {
        let path = format!("{}/Cargo.toml", member.get_ref().as_str().unwrap());
        let manifest = manifest(&path);
        let Some(dependencies) = manifest.get("dependencies") else { continue };
        for (name, allowed) in FEATURES {
            let Some(runtime) = dependencies.get_ref().get(name) else { continue };
            asked.insert(name);
            let runtime = runtime.get_ref();
            assert_eq!(runtime["default-features"].get_ref().as_bool(), Some(false), "{path}: {name}");
            for feature in runtime["features"].get_ref().as_array().unwrap() {
                let feature = feature.get_ref().as_str().unwrap();
                assert!(allowed.contains(&feature), "{path}: {name} with the feature {feature}");
            }
        }
    }
    assert_eq!(asked.len(), FEATURES.len(), "{asked:?}");
}

fn manifest(path: &str) -> toml::de::DeTable<'static> {
    let text = fs::read_to_string(support::root().join(path)).unwrap();
    // The leaked text lasts until the test program ends, which is soon.
    toml::de::DeTable::parse(Box::leak(text.into_boxed_str())).unwrap().into_inner()
}

/// Features that other packages ask for count too.
#[test]
#[ignore = "cargo may have to download what it looks at"]
fn the_runtime_is_built_without_what_nothing_here_needs() {
    let metadata = support::cargo(&["metadata", "--locked", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let of = |name: &str| {
        let node = nodes.iter().find(|node| node["id"].as_str().unwrap().contains(name)).unwrap();
        node["features"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<BTreeSet<_>>()
    };
    let (runtime, wasi) = (of("#wasmtime@"), of("#wasmtime-wasi@"));
    assert!(runtime.contains("component-model"), "{runtime:?}");
    for feature in [
        "cache",
        "component-model-async",
        "default",
        "gc",
        "profiling",
        "stack-switching",
        "threads",
        "winch",
    ] {
        assert!(!runtime.contains(feature), "wasmtime has the feature {feature}");
    }
    assert_eq!(wasi, BTreeSet::from(["p2"]));
}

/// Otherwise the tests would run another program than the released one, and a new machine would build the compiler
/// twice.
#[test]
#[ignore = "cargo may have to download what it looks at"]
fn the_program_and_its_tests_have_the_same_features() {
    let features = |package: &[&str], edges: &str| {
        let format = ["--prefix", "none", "--format", "{p} [{f}]"];
        let tree = support::cargo(&[&["tree", "--locked", "--edges", edges], package, &format].concat());
        let crates = tree.lines().filter(|line| line.ends_with(']')).map(str::to_owned);
        crates.collect::<BTreeSet<_>>()
    };
    let run = features(&["--package", "host"], "normal,build");
    let tested = features(&[], "normal,build,dev");
    let differ: Vec<_> = run.difference(&tested).collect();
    assert!(run.len() > 200 && differ.is_empty(), "{differ:#?}");
}

#[test]
#[ignore = "cargo may have to download what it looks at"]
fn the_bill_of_materials_in_the_readme_names_every_crate_with_its_licence() {
    let readme = fs::read_to_string(support::root().join("README.md")).unwrap();
    let command = readme.lines().find(|line| line.starts_with("cargo tree ")).unwrap();
    let (tree, _sorted) = command.strip_prefix("cargo ").unwrap().split_once(" | sort -u").unwrap();
    let (tree, format) = tree.split_once(" --format ").unwrap();
    let mut arguments: Vec<&str> = tree.split_whitespace().collect();
    arguments.extend(["--format", format.trim_matches('\'')]);
    let bill = support::cargo(&arguments);
    let lines: BTreeSet<&str> = bill.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 100, "{} crates", lines.len());
    for line in &lines {
        let licensed = ["MIT", "Apache-2.0", "BSD-3-Clause", "ISC", "Zlib", "Unicode-3.0"]
            .iter()
            .any(|name| line.contains(name));
        assert!(licensed, "{line}");
    }
    assert!(lines.iter().any(|line| line.starts_with("wasmtime v48.0.8 Apache-2.0 WITH LLVM-exception")));
}

#[test]
fn one_file_has_unsafe_code() {
    let mut found = Vec::new();
    for folder in ["crates", "host", "tests"] {
        collect(&support::root().join(folder), &mut found);
    }
    assert_eq!(found, [support::root().join("crates/sandbox/src/code/trusted.rs")]);
}

/// The compiler refuses such code in these crates, whatever a lint table says.
#[test]
fn whole_crates_forbid_unsafe_code() {
    for root in ["crates/receipt/src/lib.rs", "crates/workflow/src/lib.rs", "host/src/main.rs"] {
        let text = fs::read_to_string(support::root().join(root)).unwrap();
        assert!(text.contains(&format!("#![forbid({}safe_code)]", "un")), "{root}");
    }
}

/// Files with the keyword outside of comments. The guests' sources are not this program's.
fn collect(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    let keyword = ["un", "safe"].concat();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("tests/guests") && !path.ends_with("target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().map(str::trim_start);
            let code = code.filter(|line| !line.starts_with("//") && !line.starts_with("#![forbid("));
            let is_keyword = |word: &str| word == keyword || word == format!("{keyword}_code");
            let mut words = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
            if words.any(is_keyword) {
                found.push(path);
            }
        }
    }
}
