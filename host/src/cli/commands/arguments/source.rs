//! From files to a bundle, which `pp-host run workflow.ts` and `pp-host run folder/` run, and `pp-host pack` prints.
//!
//! Following the imports from the main module finds the files of a bundle. A sandbox parses the modules; this process
//! itself parses only the folder's settings.

use crate::cli::commands::arguments::file_limits;
use crate::cli::commands::arguments::file_limits::FileLimits;
use crate::cli::commands::arguments::jsonc::without_comments;
use crate::cli::options::data_dir;
use crate::cli::options::data_dir::Data;
use anyhow::Context as _;
use anyhow::bail;
use sandbox::script::{Bundle, Kind, Module, candidates, current_engine, relative};
use sandbox::{Sandbox, SandboxLimits};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The paths of a folder's main module, unless its settings name one.
const MAIN: [&str; 6] =
    ["src/index.ts", "src/index.js", "index.ts", "index.js", "src/workflow.ts", "workflow.ts"];

/// The endings of source text that no engine reads.
const DIALECTS: [&str; 4] = ["tsx", "jsx", "cts", "cjs"];

/// Whether a path is source text, or a folder of source text.
pub(crate) fn is_source(path: &Path) -> bool {
    let is_code = |name: &str| matches!(Kind::of(name), Some(Kind::Js | Kind::Ts));
    path.is_dir() || path.file_name().is_some_and(|name| is_code(&name.to_string_lossy()))
}

/// Refuses source text that no engine reads, which would otherwise be taken for a component.
pub(crate) fn refuse_dialect(path: &Path) -> anyhow::Result<()> {
    let ending = path.extension().unwrap_or_default();
    if path.is_dir() || !DIALECTS.iter().any(|dialect| ending == *dialect) {
        return Ok(());
    }
    bail!(
        "{} is source text that pp-host does not run: a workflow ends in .ts, .mts, .js or .mjs. Rename it, or convert it: esbuild --bundle --format=esm --external:cloudflare:*",
        path.display()
    )
}

/// Makes a bundle of a file or a folder.
pub(crate) fn bundle(
    path: &Path,
    class: Option<&str>,
    data: &Data,
    file_limits: &FileLimits,
) -> anyhow::Result<Bundle> {
    let Main { root, main, class: found } = match path.is_dir() {
        true => Main::of_folder(path)?,
        false => Main::of_file(path)?,
    };
    let class = class.map(str::to_owned).or(found);
    let root = root.canonicalize().with_context(|| format!("cannot read {}", root.display()))?;
    let mut packing = Packing { root, data, file_limits, sandbox: OnceCell::new(), modules: BTreeMap::new() };
    packing.follow(&main)?;
    let bundle = Bundle { engine: current_engine(), main, class, modules: packing.modules };
    bundle.check()?;
    Ok(bundle)
}

/// The main module of a bundle.
struct Main {
    root: PathBuf,
    main: String,
    class: Option<String>,
}

impl Main {
    fn of_file(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().with_context(|| format!("{} is not a file", path.display()))?;
        let root = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let root = root.unwrap_or(Path::new(".")).to_owned();
        Ok(Self { root, main: name.to_string_lossy().into_owned(), class: None })
    }

    fn of_folder(folder: &Path) -> anyhow::Result<Self> {
        let wrangler = match settings(folder, &["wrangler.jsonc", "wrangler.json"])? {
            Some(wrangler) => wrangler,
            None => refuse_toml(&folder.join("wrangler.toml")).map(|()| Value::Null)?,
        };
        let package = settings(folder, &["package.json"])?.unwrap_or_default();
        let named = |settings: &Value| settings.get("main").and_then(Value::as_str).map(tidy);
        let usual = || MAIN.into_iter().find(|name| folder.join(name).is_file()).map(str::to_owned);
        let Some(main) = named(&wrangler).or_else(|| named(&package)).or_else(usual) else {
            bail!(
                "{} does not name the main module: set \"main\" in wrangler.jsonc or package.json, or call it {}",
                folder.display(),
                MAIN.join(", ")
            );
        };
        let workflows = wrangler.get("workflows").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut classes = workflows.iter().filter_map(|one| one.get("class_name")?.as_str());
        let class = classes.next().filter(|first| classes.all(|other| other == *first)).map(str::to_owned);
        Ok(Self { root: folder.to_owned(), main, class })
    }
}

fn tidy(name: &str) -> String {
    name.trim_start_matches("./").to_owned()
}

/// Refuses settings whose main module would not be the module that runs.
fn refuse_toml(path: &Path) -> anyhow::Result<()> {
    let text = match path.is_file() {
        true => file_limits::settings(path)?,
        false => return Ok(()),
    };
    let mut settings = text.lines().map(str::trim).take_while(|line| !line.starts_with('['));
    let is_main =
        |line: &str| line.strip_prefix("main").is_some_and(|rest| rest.trim_start().starts_with('='));
    if settings.any(is_main) {
        bail!(
            "{} names the main module, but pp-host does not read this file: convert it to wrangler.jsonc, or name the module in place of the folder",
            path.display()
        );
    }
    Ok(())
}

/// The settings in the first of these files that exists.
fn settings(folder: &Path, names: &[&str]) -> anyhow::Result<Option<Value>> {
    let Some(path) = names.iter().map(|name| folder.join(name)).find(|path| path.is_file()) else {
        return Ok(None);
    };
    let text = file_limits::settings(&path)?;
    let json = serde_json::from_str(&without_comments(&text));
    json.map(Some).with_context(|| format!("{} is not JSON", path.display()))
}

/// Modules that are being collected.
struct Packing<'a> {
    root: PathBuf,
    data: &'a Data,
    file_limits: &'a FileLimits,
    /// Made when the first module has imports to follow.
    sandbox: OnceCell<Sandbox>,
    modules: BTreeMap<String, Module>,
}

impl Packing<'_> {
    /// Adds the main module, and everything that is imported from there.
    fn follow(&mut self, main: &str) -> anyhow::Result<()> {
        let mut found = vec![main.to_owned()];
        while let Some(name) = found.pop() {
            if self.modules.contains_key(&name) {
                continue;
            }
            let module = self.read(&name)?;
            for import in self.imports(&name, &module)? {
                let Some(path) = relative(&name, &import) else { continue };
                match (self.find(&path), self.no_module(&path)) {
                    (Some(file), _) => found.push(file),
                    (None, Some(file)) => bail!(
                        "{name} imports {}, and {file} is not a module: the name of a module ends in {}",
                        workflow::Quoted(&import),
                        Kind::ENDINGS
                    ),
                    (None, None) => {}
                }
            }
            self.modules.insert(name, module);
        }
        Ok(())
    }

    fn read(&self, name: &str) -> anyhow::Result<Module> {
        let path = self.root.join(name);
        let kind =
            Kind::of(name).with_context(|| format!("{}: not a module's file name ending", path.display()))?;
        let real = path.canonicalize().with_context(|| format!("cannot read {}", path.display()))?;
        if !real.starts_with(&self.root) {
            bail!("{} leads out of {}", path.display(), self.root.display());
        }
        let before = self.modules.values().map(|module| module.content.len()).sum();
        let content = self.file_limits.code(&real, before)?;
        if kind != Kind::Data {
            std::str::from_utf8(&content).with_context(|| format!("{} is not UTF-8", path.display()))?;
        }
        Ok(Module { kind, content })
    }

    /// The imports of a module. A text without a relative path needs no parsing.
    fn imports(&self, name: &str, module: &Module) -> anyhow::Result<Vec<String>> {
        let may_import = matches!(module.kind, Kind::Js | Kind::Ts)
            && module.content.windows(2).any(|window| window == b"./");
        if !may_import {
            return Ok(Vec::new());
        }
        let sandbox = match self.sandbox.get() {
            Some(sandbox) => sandbox,
            None => {
                let made = sandbox(self.data)?;
                self.sandbox.get_or_init(|| made)
            }
        };
        Ok(sandbox.examine_module(name, module)?.imports)
    }

    /// The file that a path resolves to. `None` if there is none: the JavaScript engine's error then names the import.
    fn find(&self, path: &str) -> Option<String> {
        candidates(path).into_iter().find(|name| Kind::of(name).is_some() && self.root.join(name).is_file())
    }

    /// The file that an import names, if it exists and no module has such an ending.
    fn no_module(&self, path: &str) -> Option<String> {
        let stem = path.strip_suffix(".js").unwrap_or(path);
        let mut names = DIALECTS.map(|dialect| format!("{stem}.{dialect}")).to_vec();
        names.push(path.to_owned());
        names.into_iter().find(|name| self.root.join(name).is_file())
    }
}

/// A sandbox with the data folder's cache, so that code that is compiled here need not be compiled again.
fn sandbox(data: &Data) -> anyhow::Result<Sandbox> {
    let limits = SandboxLimits { live_instances: 2, ..SandboxLimits::default() };
    let sandbox = Sandbox::new(limits)?.compiled_by(data_dir::compiler()?);
    Ok(sandbox.cached_in(&data.path.join("cache"))?)
}
