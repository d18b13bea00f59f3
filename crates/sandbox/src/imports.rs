//! The imports that a component may have. Any other is refused by name when it is loaded.

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

/// An interface of WASI, with everything that its releases up to 0.2.12 define.
pub(crate) struct Interface {
    pub(crate) name: &'static str,
    pub(crate) resources: &'static [&'static str],
    pub(crate) functions: &'static [&'static str],
}

/// The interfaces of the network. Every call of them is refused ([`crate::wasi::network`]).
pub(crate) const NETWORK: [Interface; 9] = [
    Interface { name: "wasi:http/outgoing-handler", resources: &[], functions: &["handle"] },
    Interface {
        name: "wasi:http/types",
        resources: &[
            "fields",
            "incoming-request",
            "outgoing-request",
            "request-options",
            "response-outparam",
            "incoming-response",
            "incoming-body",
            "future-trailers",
            "outgoing-response",
            "outgoing-body",
            "future-incoming-response",
        ],
        functions: &[
            "http-error-code",
            "[constructor]fields",
            "[static]fields.from-list",
            "[method]fields.get",
            "[method]fields.has",
            "[method]fields.set",
            "[method]fields.delete",
            "[method]fields.append",
            "[method]fields.entries",
            "[method]fields.clone",
            "[method]incoming-request.method",
            "[method]incoming-request.path-with-query",
            "[method]incoming-request.scheme",
            "[method]incoming-request.authority",
            "[method]incoming-request.headers",
            "[method]incoming-request.consume",
            "[constructor]outgoing-request",
            "[method]outgoing-request.body",
            "[method]outgoing-request.method",
            "[method]outgoing-request.set-method",
            "[method]outgoing-request.path-with-query",
            "[method]outgoing-request.set-path-with-query",
            "[method]outgoing-request.scheme",
            "[method]outgoing-request.set-scheme",
            "[method]outgoing-request.authority",
            "[method]outgoing-request.set-authority",
            "[method]outgoing-request.headers",
            "[constructor]request-options",
            "[method]request-options.connect-timeout",
            "[method]request-options.set-connect-timeout",
            "[method]request-options.first-byte-timeout",
            "[method]request-options.set-first-byte-timeout",
            "[method]request-options.between-bytes-timeout",
            "[method]request-options.set-between-bytes-timeout",
            "[static]response-outparam.set",
            "[method]incoming-response.status",
            "[method]incoming-response.headers",
            "[method]incoming-response.consume",
            "[method]incoming-body.stream",
            "[static]incoming-body.finish",
            "[method]future-trailers.subscribe",
            "[method]future-trailers.get",
            "[constructor]outgoing-response",
            "[method]outgoing-response.status-code",
            "[method]outgoing-response.set-status-code",
            "[method]outgoing-response.headers",
            "[method]outgoing-response.body",
            "[method]outgoing-body.write",
            "[static]outgoing-body.finish",
            "[method]future-incoming-response.subscribe",
            "[method]future-incoming-response.get",
        ],
    },
    Interface { name: "wasi:sockets/instance-network", resources: &[], functions: &["instance-network"] },
    Interface {
        name: "wasi:sockets/ip-name-lookup",
        resources: &["resolve-address-stream"],
        functions: &[
            "resolve-addresses",
            "[method]resolve-address-stream.resolve-next-address",
            "[method]resolve-address-stream.subscribe",
        ],
    },
    Interface { name: "wasi:sockets/network", resources: &["network"], functions: &[] },
    Interface {
        name: "wasi:sockets/tcp",
        resources: &["tcp-socket"],
        functions: &[
            "[method]tcp-socket.start-bind",
            "[method]tcp-socket.finish-bind",
            "[method]tcp-socket.start-connect",
            "[method]tcp-socket.finish-connect",
            "[method]tcp-socket.start-listen",
            "[method]tcp-socket.finish-listen",
            "[method]tcp-socket.accept",
            "[method]tcp-socket.local-address",
            "[method]tcp-socket.remote-address",
            "[method]tcp-socket.is-listening",
            "[method]tcp-socket.address-family",
            "[method]tcp-socket.set-listen-backlog-size",
            "[method]tcp-socket.keep-alive-enabled",
            "[method]tcp-socket.set-keep-alive-enabled",
            "[method]tcp-socket.keep-alive-idle-time",
            "[method]tcp-socket.set-keep-alive-idle-time",
            "[method]tcp-socket.keep-alive-interval",
            "[method]tcp-socket.set-keep-alive-interval",
            "[method]tcp-socket.keep-alive-count",
            "[method]tcp-socket.set-keep-alive-count",
            "[method]tcp-socket.hop-limit",
            "[method]tcp-socket.set-hop-limit",
            "[method]tcp-socket.receive-buffer-size",
            "[method]tcp-socket.set-receive-buffer-size",
            "[method]tcp-socket.send-buffer-size",
            "[method]tcp-socket.set-send-buffer-size",
            "[method]tcp-socket.subscribe",
            "[method]tcp-socket.shutdown",
        ],
    },
    Interface { name: "wasi:sockets/tcp-create-socket", resources: &[], functions: &["create-tcp-socket"] },
    Interface {
        name: "wasi:sockets/udp",
        resources: &["udp-socket", "incoming-datagram-stream", "outgoing-datagram-stream"],
        functions: &[
            "[method]udp-socket.start-bind",
            "[method]udp-socket.finish-bind",
            "[method]udp-socket.stream",
            "[method]udp-socket.local-address",
            "[method]udp-socket.remote-address",
            "[method]udp-socket.address-family",
            "[method]udp-socket.unicast-hop-limit",
            "[method]udp-socket.set-unicast-hop-limit",
            "[method]udp-socket.receive-buffer-size",
            "[method]udp-socket.set-receive-buffer-size",
            "[method]udp-socket.send-buffer-size",
            "[method]udp-socket.set-send-buffer-size",
            "[method]udp-socket.subscribe",
            "[method]incoming-datagram-stream.receive",
            "[method]incoming-datagram-stream.subscribe",
            "[method]outgoing-datagram-stream.check-send",
            "[method]outgoing-datagram-stream.send",
            "[method]outgoing-datagram-stream.subscribe",
        ],
    },
    Interface { name: "wasi:sockets/udp-create-socket", resources: &[], functions: &["create-udp-socket"] },
];

/// The entry point of the previous world. Its function has the same type.
const ENTRYPOINT_BEFORE: &str = "permission-protocol:tenant/entrypoint@0.1.0";

/// The entry point among a component's exports.
fn entrypoint(exports: &[String]) -> Option<&'static str> {
    [ENTRYPOINT, ENTRYPOINT_BEFORE].into_iter().find(|name| exports.iter().any(|export| export == name))
}

/// Refuses a component whose imports or exports are not those of a workflow.
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
