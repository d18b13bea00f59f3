//! Which module of a bundle an import means.

use crate::paths::candidates;
use crate::paths::relative;

/// The modules that a workflow may import and that are not of its bundle.
pub const PUBLIC: [&str; 2] = ["cloudflare:workers", "cloudflare:workflows"];

/// Finds the module that `base` imports as `name`, or says why there is none. `base` is empty for the main module itself.
pub fn resolve(base: &str, name: &str, is_there: impl Fn(&str) -> bool) -> Result<String, String> {
    if PUBLIC.contains(&name) || (base.is_empty() && is_there(name)) {
        return Ok(name.to_owned());
    }
    let Some(path) = relative(base, name) else { return Err(not_relative(base, name)) };
    let found = candidates(&path).into_iter().find(|candidate| is_there(candidate));
    found.ok_or_else(|| format!("{base} imports {name:?}, and there is no module {path:?} in the bundle"))
}

fn not_relative(base: &str, name: &str) -> String {
    match name.split_once(':') {
        Some(("cloudflare", _)) => format!(
            "{base} imports {name:?}: a workflow has cloudflare:workers and cloudflare:workflows, and no other of these modules"
        ),
        Some(("node", _)) => format!(
            "{base} imports {name:?}: a workflow has no modules of Node.js; docs/javascript.md lists what there is instead"
        ),
        _ if name.starts_with('.') => format!("{base} imports {name:?}, which leads out of the bundle"),
        _ => format!(
            "{base} imports {name:?}: packages are not looked for; bundle them first: esbuild --bundle --format=esm --external:cloudflare:*"
        ),
    }
}
