//! `pp-host new`: a workflow that builds and runs without changes, with all its sources.

use crate::cli::commands::wit::WORLD;
use crate::cli::options::data_dir::Data;
use crate::cli::options::shell_quoted::ShellQuoted;
use crate::cli::output::hint::Hint;
use crate::cli::{Exit, output};
use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};
use std::io::Write as _;
use std::path::PathBuf;
use std::{fs, io};

/// Make a folder with a workflow that runs without changes.
///
/// The folder contains the types, the world and the library of this version.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The folder to make, and the workflow's name: a-z 0-9 -.
    path: PathBuf,

    /// The language.
    #[arg(long, value_enum, default_value_t = Language::Ts)]
    lang: Language,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// TypeScript: runs without a build.
    Ts,
    /// Rust: a crate for `cargo build --target wasm32-wasip2`.
    Rust,
}

/// The files of a template: path and text. `NAME` stands for the workflow's name.
type Template = &'static [(&'static str, &'static str)];

const TS: Template = &[
    ("package.json", TS_PACKAGE),
    (".gitignore", "node_modules/\n"),
    ("tsconfig.json", TS_CONFIG),
    ("src/index.ts", include_str!("../../../../guests/sdk-js/template/src/index.ts")),
    ("src/worker.ts", include_str!("../../../../guests/sdk-js/template/src/worker.ts")),
    ("types/index.d.ts", include_str!("../../../../guests/sdk-js/index.d.ts")),
    ("types/globals.d.ts", include_str!("../../../../guests/sdk-js/globals.d.ts")),
];

const TS_PACKAGE: &str = r#"{
  "name": "NAME",
  "private": true,
  "type": "module",
  "main": "src/index.ts",
  "scripts": {
    "check": "tsc --noEmit",
    "start": "pp-host run . --params '{\"app\":\"app\"}'"
  },
  "devDependencies": {
    "typescript": "^5"
  }
}
"#;

const TS_CONFIG: &str = r#"{
  "compilerOptions": {
    "target": "es2022",
    "module": "es2022",
    "moduleResolution": "bundler",
    "lib": ["es2024"],
    "types": ["./types"],
    "strict": true,
    "noEmit": true
  },
  "include": ["src"]
}
"#;

const RUST: Template = &[
    ("Cargo.toml", RUST_PACKAGE),
    (".gitignore", "target/\n"),
    ("src/lib.rs", RUST_WORKFLOW),
    ("sdk/Cargo.toml", RUST_SDK),
    ("sdk/src/lib.rs", include_str!("../../../../guests/sdk-rust/src/lib.rs")),
    ("sdk/src/deploy.rs", include_str!("../../../../guests/sdk-rust/src/deploy.rs")),
    ("sdk/src/event.rs", include_str!("../../../../guests/sdk-rust/src/event.rs")),
    ("sdk/src/failure.rs", include_str!("../../../../guests/sdk-rust/src/failure.rs")),
    ("sdk/src/pending.rs", include_str!("../../../../guests/sdk-rust/src/pending.rs")),
    ("sdk/src/pp.rs", include_str!("../../../../guests/sdk-rust/src/pp.rs")),
    ("sdk/src/rollback.rs", include_str!("../../../../guests/sdk-rust/src/rollback.rs")),
    ("sdk/src/step.rs", include_str!("../../../../guests/sdk-rust/src/step.rs")),
    ("sdk/src/tries.rs", include_str!("../../../../guests/sdk-rust/src/tries.rs")),
    ("wit/tenant.wit", WORLD),
];

const RUST_PACKAGE: &str = r#"[package]
name = "NAME"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
guest-sdk = { path = "sdk" }

[profile.release]
opt-level = "s"
lto = true
strip = true

[workspace]
members = ["sdk"]
"#;

/// The package of the library, whose manifest in its own repository inherits from the workspace there.
const RUST_SDK: &str = concat!(
    r#"[package]
name = "guest-sdk"
description = "What a workflow in Rust is written with: the world's types, and steps as closures"
version = ""#,
    env!("CARGO_PKG_VERSION"),
    r#""
edition = "2024"
license = "Apache-2.0"
publish = false

[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = "1"
wit-bindgen = "0.61"
"#
);

const RUST_WORKFLOW: &str = r#"//! A workflow that builds a worker, asks for permission to deploy it, and deploys it.

use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Event, Failure, Step, Workflow, deploy, pp};

struct Deploy;

guest_sdk::workflow!(Deploy);

impl Workflow for Deploy {
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure> {
        let params: Value = event.params()?;
        let app = params["app"].as_str().unwrap_or("app").to_owned();
        let code: String = step.run("build", || {
            Ok::<_, Failure>(format!("export default {{ fetch() {{ return new Response('hello from {app}'); }} }};\n"))
        })?;
        let artifact = pp::Artifact { name: "worker.js".to_owned(), bytes: code.into_bytes() };
        let resource = format!("cloudflare://workers/local/{app}");
        let receipt = pp::require_approval(&pp::Action {
            capability: "cloudflare.dynamic-worker.deploy".to_owned(),
            resource: resource.clone(),
            reason: "the first version of the app".to_owned(),
            evidence: json!({ "bytes": artifact.bytes.len() }).to_string(),
            artifact: Some(artifact.clone()),
        });
        let receipt = match receipt {
            Ok(receipt) => receipt,
            Err(refusal) => return Ok(json!({ "status": "blocked", "why": format!("{refusal:?}") })),
        };
        let id = step.run("deploy", || deploy::deploy(&resource, &artifact, receipt).map(|done| done.id))?;
        Ok(json!({ "status": "deployed", "id": id }))
    }
}
"#;

impl New {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_letter) {
            bail!(
                "{} is not a name for a workflow: use a-z 0-9 -, and a letter first, as npm and cargo require",
                workflow::Quoted(name)
            );
        }
        let folder = self.path.display().to_string();
        // Never into an existing folder: it may have the user's work.
        fs::create_dir(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                anyhow!("{folder} already exists: name a folder that does not exist")
            }
            _ => anyhow::Error::new(error).context(format!("cannot make the folder {folder}")),
        })?;
        if let Err(error) = self.fill(name) {
            // Half a workflow does not build, and the next attempt would find it in its place.
            let _ = fs::remove_dir_all(&self.path);
            return Err(error);
        }
        self.tell(data, name)
    }

    fn fill(&self, name: &str) -> anyhow::Result<()> {
        let template = match self.lang {
            Language::Ts => TS,
            Language::Rust => RUST,
        };
        for (place, text) in template {
            let file = self.path.join(place);
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            }
            let text = match *place {
                "package.json" | "Cargo.toml" => text.replace("NAME", name),
                // Next to the library, and not two folders above it as in its own repository.
                "sdk/src/lib.rs" => text.replace("\"../../wit\"", "\"../wit\""),
                _ => (*text).to_owned(),
            };
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    fn tell(&self, data: &Data, name: &str) -> anyhow::Result<Exit> {
        let mut out = output::stdout();
        let folder = self.path.display().to_string();
        writeln!(out, "made {}", workflow::Escaped(&folder))?;
        let guest = match self.lang {
            Language::Ts => self.path.clone(),
            Language::Rust => {
                let module = format!("{}.wasm", name.replace('-', "_"));
                let manifest = self.path.join("Cargo.toml");
                writeln!(
                    out,
                    "  build     cargo build --release --target wasm32-wasip2 --manifest-path {}",
                    ShellQuoted(manifest.as_os_str())
                )?;
                self.path.join("target/wasm32-wasip2/release").join(module)
            }
        };
        let run = Hint::new(data, &["run"]).with([guest]).with(["--params", r#"{"app":"app"}"#]);
        writeln!(out, "  run       {run}")?;
        Ok(Exit::Done)
    }
}
