//! A scanner of source files: which module of a crate names which, by its paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path in its crate; empty for the crate's root.
type Module = Vec<String>;

/// The modules of one crate, and each one's source.
pub struct Crate {
    code: BTreeMap<Module, String>,
    /// The names that a module re-exports, and the modules that they come from.
    given: BTreeMap<(Module, String), Module>,
}

impl Crate {
    /// Reads the sources below a crate's `src`.
    pub fn read(src: &Path) -> Self {
        let mut code = BTreeMap::new();
        for file in files(src) {
            let inside = file.strip_prefix(src).unwrap().with_extension("");
            let mut module: Module = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if matches!(module.last().unwrap().as_str(), "mod" | "lib" | "main") {
                module.pop();
            }
            code.insert(module, product(&file));
        }
        let mut sources = Self { code, given: BTreeMap::new() };
        for (module, text) in &sources.code {
            for path in uses(text).into_iter().filter(|used| used.public).flat_map(|used| used.paths) {
                if let Some(absolute) = sources.absolute(module, &path) {
                    sources.given.insert((module.clone(), path.last().unwrap().clone()), absolute);
                }
            }
        }
        sources
    }

    /// For each module, the modules that it names.
    fn named(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let named = |module: &Module, text: &str| -> BTreeSet<Module> {
            let private = uses(text).into_iter().filter(|used| !used.public).flat_map(|used| used.paths);
            let all = private.chain(paths(text));
            all.filter_map(|path| self.absolute(module, &path)).map(|path| self.module_of(path, 0)).collect()
        };
        self.code.iter().map(|(module, text)| (module, named(module, text))).collect()
    }

    /// The modules of one parent that know each other in a circle, with the parent's path. Parents and children are one room and know
    /// each other.
    pub fn cycles(&self) -> Vec<(String, BTreeSet<String>)> {
        let named = self.named();
        let parents: BTreeSet<&[String]> = self
            .code
            .keys()
            .filter(|module| !module.is_empty())
            .map(|module| &module[..module.len() - 1])
            .collect();
        let mut found = Vec::new();
        for parent in parents {
            let depth = parent.len();
            let child = |module: &Module| {
                (module.len() > depth && module.starts_with(parent)).then(|| module[depth].clone())
            };
            let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (from, to) in &named {
                let Some(from) = child(from) else { continue };
                let to = to.iter().filter_map(child).filter(|to| *to != from);
                arrows.entry(from.clone()).or_default().extend(to);
            }
            found.extend(circles(&arrows).into_iter().map(|circle| (parent.join("::"), circle)));
        }
        found
    }

    /// A path from the crate's root; none for one into another crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([module, &path[1..]].concat()),
            "super" => {
                let ups = path.iter().take_while(|segment| *segment == "super").count();
                Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat())
            }
            child => {
                let own = [module.as_slice(), &[child.to_owned()]].concat();
                self.code.contains_key(&own).then(|| [module.as_slice(), path].concat())
            }
        }
    }

    /// The module that defines the item at a path, following re-exports.
    fn module_of(&self, path: Module, followed: usize) -> Module {
        let length =
            (0..=path.len()).rev().find(|length| self.code.contains_key(&path[..*length])).unwrap_or(0);
        let (module, rest) = (path[..length].to_vec(), &path[length..]);
        let given = rest.first().and_then(|name| self.given.get(&(module.clone(), name.clone())));
        match given {
            Some(given) if followed < 8 => {
                self.module_of([given.as_slice(), &rest[1..]].concat(), followed + 1)
            }
            _ => module,
        }
    }
}

/// The groups of modules that reach each other.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(next) = open.pop() {
            open.extend(arrows.get(next).into_iter().flatten().filter(|to| seen.insert((*to).clone())));
        }
        seen
    };
    let reach: BTreeMap<_, _> = arrows.keys().map(|from| (from, reached(from))).collect();
    let circle = |from: &String| -> BTreeSet<String> {
        reach[from]
            .iter()
            .filter(|to| reach.get(to).is_some_and(|back| back.contains(from)))
            .cloned()
            .collect()
    };
    let all: BTreeSet<_> = arrows.keys().map(circle).filter(|circle| circle.len() > 1).collect();
    all.into_iter().collect()
}

/// A `use` declaration.
struct Use {
    public: bool,
    paths: Vec<Vec<String>>,
}

fn uses(code: &str) -> Vec<Use> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let line = rest[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = rest[line..at].trim();
        let is_one = before.is_empty() || before.starts_with("pub");
        let after = &rest[at + "use ".len()..];
        if is_one {
            let tree = after.split(';').next().unwrap();
            let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
            found.push(Use { public: before.starts_with("pub"), paths: expanded(&tree) });
        }
        rest = after;
    }
    found
}

/// The paths of a tree of `use`, without new names.
fn expanded(tree: &str) -> Vec<Vec<String>> {
    let segments = |path: &str| -> Vec<String> {
        let path = path.split(" as ").next().unwrap();
        path.split("::")
            .map(|segment| segment.trim().to_owned())
            .filter(|segment| !segment.is_empty())
            .collect()
    };
    let Some(open) = tree.find('{') else { return vec![segments(tree)] };
    let (before, inner) = (&tree[..open], &tree[open + 1..tree.rfind('}').unwrap()]);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, character) in inner.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let named = parts.into_iter().filter(|part| !part.trim().is_empty());
    named.flat_map(|part| expanded(&format!("{before}{}", part.trim()))).collect()
}

/// The paths in code that begin at the crate's root or above the module.
fn paths(code: &str) -> Vec<Vec<String>> {
    let lines =
        code.lines().filter(|line| !line.trim_start().trim_start_matches("pub").trim().starts_with("use "));
    let mut found = Vec::new();
    for line in lines {
        for start in ["crate::", "super::"] {
            for (at, _) in line.match_indices(start) {
                if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let end = line[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                let path = &line[at..end.map_or(line.len(), |end| at + end)];
                found.push(path.split("::").map(str::to_owned).filter(|part| !part.is_empty()).collect());
            }
        }
    }
    found
}

/// A file without its comments and its unit tests.
pub fn product(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let product = text.split("\n#[cfg(test)]\n").next().unwrap();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The source files below a folder, without fuzz targets.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("target") || path.ends_with("fuzz") => {}
            true => found.extend(files(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}
