//! The imports that a component may have. Any other is refused by name when it is loaded.

use crate::network::NETWORK;
use crate::{ENTRYPOINT, LoadError};

/// The interfaces of the world in `wit/`, and of the version before it: an instance keeps the code that it started
/// with.
const WORLD: [&str; 7] = [
    "permission-protocol:tenant/deploy@0.1.0",
    "permission-protocol:tenant/deploy@0.2.0",
    "permission-protocol:tenant/pp@0.1.0",
    "permission-protocol:tenant/pp@0.2.0",
    "permission-protocol:tenant/side-by-side@0.2.0",
    "permission-protocol:tenant/workflow@0.1.0",
    "permission-protocol:tenant/workflow@0.2.0",
];

/// A call of the world that spends a receipt. Each takes a resource, an artifact and the receipt, and answers as `deploy` does.
pub(crate) struct GatedCall {
    /// The interface, without its version.
    pub(crate) interface: &'static str,
    /// The function.
    pub(crate) function: &'static str,
    /// The name under which a guest calls the capability.
    pub(crate) call: &'static str,
}

/// Every gated call. To add one, add a line here and its interface to [`WORLD`].
pub(crate) const GATED: [GatedCall; 1] =
    [GatedCall { interface: "permission-protocol:tenant/deploy", function: "deploy", call: crate::DEPLOY }];

/// The interface for requesting approvals.
const ASK_INTERFACE: &str = "permission-protocol:tenant/pp@";

/// The interfaces that standard libraries import by themselves. The answers are inert: no environment, no arguments, no
/// directories, an empty input; clocks and random numbers that are fixed for the instance. The network is in [`NETWORK`].
const INERT: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// The same in the world before. Its function has the same type.
const ENTRYPOINT_BEFORE: &str = "permission-protocol:tenant/entrypoint@0.1.0";

/// The entry point among a component's exports.
fn entrypoint(exports: &[String]) -> Option<&'static str> {
    [ENTRYPOINT, ENTRYPOINT_BEFORE].into_iter().find(|name| exports.iter().any(|export| export == name))
}

/// Refuses what no workflow is by its imports and exports.
pub(crate) fn check(
    imports: &[String],
    exports: &[String],
    is_allowed: fn(&str) -> bool,
) -> Result<&'static str, LoadError> {
    let forbidden: Vec<String> = imports.iter().filter(|name| !is_allowed(name)).cloned().collect();
    if !forbidden.is_empty() {
        return Err(LoadError::ForbiddenImports(forbidden));
    }
    entrypoint(exports).ok_or_else(|| LoadError::NoEntrypoint { exports: exports.to_vec() })
}

/// The calls that a component of these imports could make and that spend a receipt.
pub(crate) fn gated(imports: &[String]) -> Vec<&'static str> {
    let imports_it =
        |gated: &&GatedCall| imports.iter().any(|name| name.split('@').next() == Some(gated.interface));
    GATED.iter().filter(imports_it).map(|gated| gated.call).collect()
}

/// Whether an import of the world is the interface for requesting approvals.
pub(crate) fn asks(name: &str) -> bool {
    name.starts_with(ASK_INTERFACE)
}

/// The interface through which an engine gets the modules of a bundle.
const SOURCE: &str = "permission-protocol:script/source@0.1.0";

/// Whether the engine of a bundle may import `name`.
pub(crate) fn is_allowed_to_engine(name: &str) -> bool {
    name == SOURCE || is_allowed(name)
}

/// Whether a component may import `name`.
pub(crate) fn is_allowed(name: &str) -> bool {
    WORLD.contains(&name) || is_wasi(name)
}

/// Whether `name` belongs to the inert part of WASI.
pub(crate) fn is_wasi(name: &str) -> bool {
    is_network(name) || wasi_interface(name).is_some_and(|interface| INERT.contains(&interface))
}

/// Whether `name` belongs to the part of WASI of which every call is refused.
pub(crate) fn is_network(name: &str) -> bool {
    wasi_interface(name).is_some_and(|interface| NETWORK.iter().any(|network| network.name == interface))
}

/// A name without its version. Every 0.2 release is accepted: they are compatible with each other.
fn wasi_interface(name: &str) -> Option<&str> {
    let (interface, version) = name.split_once('@')?;
    (version == "0.2" || version.starts_with("0.2.")).then_some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_pass() {
        for good in [
            "permission-protocol:tenant/pp@0.1.0",
            "permission-protocol:tenant/pp@0.2.0",
            "wasi:cli/exit@0.2.0",
            "wasi:io/streams@0.2.6",
            "wasi:sockets/tcp@0.2.0",
            "wasi:http/outgoing-handler@0.2.10",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "permission-protocol:tenant/pp@0.3.0",
            "permission-protocol:tenant/side-by-side@0.1.0",
            "permission-protocol:tenant/entrypoint@0.2.0",
            "permission-protocol:tenant/pp",
            "permission-protocol:tenant/ppx@0.2.0",
            "wasi:sockets/tcp@0.3.0",
            "wasi:sockets/tls@0.2.0",
            "wasi:http/incoming-handler@0.2.0",
            "wasi:http/types",
            "wasi:cli/exit",
            "wasi:cli/exit@0.3.0",
            "wasi:cli/exit@0.20.0",
            "env",
            "",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
