//! The form of a bundle: source text and the digests of its engine, in one document with one digest.
//!
//! ```text
//! {"bundle":1,"class":"Deploy","engine":"…","main":"src/index.ts","modules":{"src/index.ts":{"ts":"…"}},"prepare":"…"}
//! ```
//!
//! It is canonical JSON: sorted keys, no white space, one spelling of each text. Bytes with the same content in another
//! spelling are not a bundle, so that a workflow has one digest. `engine` and `prepare` are the SHA-256 digests of the
//! two components that turn the source text into running code: other components make another workflow with another
//! digest. `class` may be missing.

use receipt::Digest;
use receipt::Json;
use std::collections::BTreeMap;
use std::fmt;

/// The first bytes of every bundle.
const BEGINNING: &[u8] = br#"{"bundle":1,"#;

/// Modules in a bundle. Bundlers make one or a few; folders of people have dozens.
const MODULES: usize = 1_000;

/// Characters in a module's name.
const NAME: usize = 256;

/// A bundle, loaded.
#[derive(Debug)]
pub struct Script {
    /// The engine's input.
    pub(crate) prepared: Vec<u8>,
    /// The class to run, if the bundle names one.
    pub class: Option<String>,
    /// The engine that it runs on.
    pub engine: EngineId,
    /// The name of the main module.
    pub main: String,
    /// The names, digests and lengths in bytes of its modules.
    pub modules: Vec<(String, Digest, u64)>,
}

/// The kind of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// JavaScript.
    Js,
    /// TypeScript.
    Ts,
    /// JSON: its value is the default export.
    Json,
    /// Text: a string is the default export.
    Text,
    /// Bytes: an `ArrayBuffer` is the default export.
    Data,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Js, Self::Ts, Self::Json, Self::Text, Self::Data];

    /// The endings of files that are modules, as messages list them.
    pub const ENDINGS: &str = ".ts, .mts, .js, .mjs, .json, .txt, .html, .sql, .md or .bin";

    /// The kind of a file, by its name. `None` if it is no module.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "js" | "mjs" => Some(Self::Js),
            "ts" | "mts" => Some(Self::Ts),
            "json" => Some(Self::Json),
            "txt" | "html" | "sql" | "md" => Some(Self::Text),
            "bin" => Some(Self::Data),
            _ => None,
        }
    }

    /// The kind's name in a bundle.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Js => "js",
            Self::Ts => "ts",
            Self::Json => "json",
            Self::Text => "text",
            Self::Data => "data",
        }
    }
}

/// A module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The kind.
    pub kind: Kind,
    /// The module's content. UTF-8 for all kinds but [`Kind::Data`].
    pub content: Vec<u8>,
}

impl Module {
    /// SHA-256 of the content.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.content)
    }
}

/// The components that a bundle runs on, by their SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EngineId {
    /// The digest of the component that runs it.
    pub engine: Digest,
    /// The digest of the component that prepares its source text.
    pub prepare: Digest,
}

/// A workflow as source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The engine that it runs on.
    pub engine: EngineId,
    /// The name of the main module.
    pub main: String,
    /// The class to run. `None` if the main module exports one workflow only.
    pub class: Option<String>,
    /// The modules by their names: relative paths with `/`.
    pub modules: BTreeMap<String, Module>,
}

/// Why bytes are not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bundle is not JSON.
    #[error("the bundle is not JSON: {0}")]
    NotJson(String),
    /// JSON, and not a bundle.
    #[error(
        "the bundle is not in its canonical form: {0} (make it with pp-host, or write it with sorted keys and no white space)"
    )]
    NotCanonical(String),
    /// A module's name.
    #[error(
        "a module of the bundle is called {0}: a name is a relative path of at most 256 characters, without .., and ends as its kind does"
    )]
    Name(String),
    /// The main module.
    #[error("the bundle's main module {0} is not JavaScript or TypeScript that is in it")]
    Main(String),
    /// The number of modules exceeds the bound.
    #[error(
        "the bundle has {0} modules, and may have {MODULES}: bundle them into one: esbuild --bundle --format=esm --external:cloudflare:*"
    )]
    TooMany(usize),
}

impl Bundle {
    /// Whether bytes are meant as a bundle. No other runnable file begins like this.
    #[must_use]
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.starts_with(BEGINNING)
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// When the bytes are not a bundle in its canonical form.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        let text = std::str::from_utf8(bytes).map_err(|error| BundleError::NotJson(error.to_string()))?;
        let json = Json::parse(text).map_err(|error| BundleError::NotJson(error.to_string()))?;
        let bundle = Self::from_json(&json)?;
        bundle.check()?;
        match bundle.bytes() == bytes {
            true => Ok(bundle),
            false => Err(BundleError::NotCanonical("it has the same content in another form".to_owned())),
        }
    }

    fn from_json(json: &Json) -> Result<Self, BundleError> {
        let missing = |what: &str| BundleError::NotCanonical(format!("{what} is missing or of another type"));
        let text = |key| json.get(key).and_then(Json::as_str).ok_or_else(|| missing(key));
        let digest = |key| text(key)?.parse::<Digest>().map_err(|_| missing(key));
        let members = json.get("modules").and_then(Json::as_object).ok_or_else(|| missing("modules"))?;
        let mut modules = BTreeMap::new();
        for (name, module) in members.iter() {
            let name = name.as_str().ok_or_else(|| missing("a module's name"))?;
            let module = read_module(module).ok_or_else(|| missing("a module's content"))?;
            modules.insert(name.to_owned(), module);
        }
        Ok(Self {
            engine: EngineId { engine: digest("engine")?, prepare: digest("prepare")? },
            main: text("main")?.to_owned(),
            class: json.get("class").map(|_| text("class").map(str::to_owned)).transpose()?,
            modules,
        })
    }

    /// Checks the rules beyond the form.
    ///
    /// # Errors
    /// A name is invalid, the main module is missing, or there are too many modules.
    pub fn check(&self) -> Result<(), BundleError> {
        if self.modules.len() > MODULES {
            return Err(BundleError::TooMany(self.modules.len()));
        }
        let is_bad =
            |(name, module): &(&String, &Module)| !is_name(name) || Kind::of(name) != Some(module.kind);
        if let Some((bad, _)) = self.modules.iter().find(is_bad) {
            return Err(BundleError::Name(workflow::Quoted(bad).to_string()));
        }
        match self.modules.get(&self.main) {
            Some(Module { kind: Kind::Js | Kind::Ts, .. }) => Ok(()),
            _ => Err(BundleError::Main(workflow::Quoted(&self.main).to_string())),
        }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let modules = self.modules.iter().map(|(name, module)| (name.as_str(), write_module(module)));
        let digest = |digest: &Digest| Json::from(digest.to_string().as_str());
        let mut members = vec![
            ("bundle", Json::from(1_u32)),
            ("engine", digest(&self.engine.engine)),
            ("main", Json::from(self.main.as_str())),
            ("modules", Json::object(modules)),
            ("prepare", digest(&self.engine.prepare)),
        ];
        members.extend(self.class.as_deref().map(|class| ("class", Json::from(class))));
        Json::object(members).canonical().into_bytes()
    }

    /// The bundle's digest: the identity of the workflow.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

fn read_module(module: &Json) -> Option<Module> {
    let [(key, content)] = module.as_object()?.iter().collect::<Vec<_>>().try_into().ok()?;
    let kind = Kind::ALL.into_iter().find(|kind| key.as_str() == Some(kind.as_str()))?;
    let content = content.as_str()?;
    let content = match kind {
        Kind::Data => unhex(content)?,
        _ => content.as_bytes().to_vec(),
    };
    Some(Module { kind, content })
}

fn write_module(module: &Module) -> Json {
    let content = match module.kind {
        Kind::Data => hex(&module.content),
        _ => String::from_utf8_lossy(&module.content).into_owned(),
    };
    Json::object([(module.kind.as_str(), Json::from(content.as_str()))])
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// A relative path that means the same everywhere.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    name.chars().count() <= NAME
        && !name.chars().any(|one| one.is_control() || matches!(one, '\\' | ':' | '(' | ')'))
        && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let module = |kind, content: &[u8]| Module { kind, content: content.to_vec() };
        Bundle {
            engine: EngineId { engine: Digest::of(b"engine"), prepare: Digest::of(b"prepare") },
            main: "src/a.ts".to_owned(),
            class: Some("A".to_owned()),
            modules: BTreeMap::from([
                ("src/a.ts".to_owned(), module(Kind::Ts, "export class A {} // \u{e9}\u{2028}\n".as_bytes())),
                ("data.bin".to_owned(), module(Kind::Data, &[0, 255, 16])),
            ]),
        }
    }

    #[test]
    fn what_was_written_is_read_and_every_byte_counts() {
        let bytes = bundle().bytes();
        assert!(Bundle::is_meant(&bytes));
        assert_eq!(Bundle::read(&bytes).unwrap(), bundle());
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            if let Ok(other) = Bundle::read(&changed) {
                assert_ne!(other.digest(), bundle().digest(), "byte {position}");
            }
            assert!(Bundle::read(&bytes[..position]).is_err(), "cut to {position}");
        }
    }

    #[test]
    fn there_is_one_way_to_write_it() {
        let text = String::from_utf8(bundle().bytes()).unwrap();
        for other in [
            text.replace("\"main\"", " \"main\""),
            text.replace("\u{e9}", "\\u00e9"),
            text.replacen("{\"bundle\":1,", "{\"bundle\":1,\"zzz\":1,", 1),
            text.replace("00ff10", "00FF10"),
            format!("{text}\n"),
        ] {
            assert_ne!(other, text);
            assert!(Bundle::read(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_module_is_of_the_kind_that_its_name_says() {
        let mut bundle = bundle();
        let module = Module { kind: Kind::Js, content: Vec::new() };
        for (name, kind) in [("README.md", Kind::Js), ("b.ts", Kind::Js), ("b", Kind::Text)] {
            let bad = Module { kind, ..module.clone() };
            bundle.modules.insert(name.to_owned(), bad);
            assert_eq!(bundle.check(), Err(BundleError::Name(format!("{name:?}"))), "{name}");
            bundle.modules.remove(name);
        }
        bundle.modules.insert("b.mjs".to_owned(), module);
        assert_eq!(bundle.check(), Ok(()));
    }

    #[test]
    fn names_lead_nowhere_else() {
        for bad in [
            "",
            "/a.ts",
            "../a.ts",
            "a/../b.ts",
            "a//b.ts",
            "./a.ts",
            "a\\b.ts",
            "pp:main",
            "a\n.ts",
            "a(b).ts",
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
        assert!(is_name("src/a b-c_d.test.ts"));
        assert!(!is_name(&"a".repeat(257)));
    }
}
