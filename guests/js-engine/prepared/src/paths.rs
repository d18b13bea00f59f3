//! What an import of a relative path means. The host reads this file too, to find the files of a bundle.

/// The path of a relative import. `None` where it is not relative, or leads out of the bundle.
#[must_use]
pub fn relative(base: &str, name: &str) -> Option<String> {
    if !(name.starts_with("./") || name.starts_with("../")) {
        return None;
    }
    let mut path: Vec<&str> = base.split('/').collect();
    path.pop();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(path.pop()?),
            part => path.push(part),
        }
    }
    Some(path.join("/"))
}

/// What an import of a path may mean, in this order. Imports in TypeScript name the file that the compiler would make.
#[must_use]
pub fn candidates(path: &str) -> Vec<String> {
    let mut names = vec![path.to_owned()];
    for (made, source) in [(".js", ".ts"), (".mjs", ".mts")] {
        names.extend(path.strip_suffix(made).map(|stem| format!("{stem}{source}")));
    }
    for ending in [".ts", ".mts", ".js", ".mjs", ".json", "/index.ts", "/index.js"] {
        names.push(format!("{path}{ending}"));
    }
    names
}
