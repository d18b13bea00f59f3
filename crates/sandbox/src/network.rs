//! `wasi:sockets` and `wasi:http` for guests whose standard library imports them: every call is refused.
//!
//! Nothing stands behind these interfaces. The answer to a call follows from the type of its result alone: the error where it can say
//! one, else nothing, zero or an empty list. A handle that a call cannot refuse names nothing and is counted like any other.

use crate::guest::Guest;
use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, Variant};
use wasmtime::component::{Linker, Resource, ResourceAny, ResourceType, Type, Val};

/// What stands behind every handle of these interfaces: nothing.
struct Inert;

/// An interface, with everything that its releases up to 0.2.12 define.
pub(crate) struct Interface {
    pub(crate) name: &'static str,
    pub(crate) resources: &'static [&'static str],
    pub(crate) functions: &'static [&'static str],
}

/// All of them.
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

/// The version under which they are linked. A component of another 0.2 release finds them as well.
const VERSION: &str = "0.2.12";

/// The words by which an error of these interfaces says that something is not allowed.
const REFUSALS: [&str; 3] = ["access-denied", "HTTP-request-denied", "forbidden"];

pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for Interface { name, resources, functions } in NETWORK {
        let mut interface = linker.instance(&format!("{name}@{VERSION}"))?;
        for resource in resources {
            interface.resource(resource, ResourceType::host::<Inert>(), |_, _| Ok(()))?;
        }
        for function in functions {
            interface.func_new(function, refuse)?;
        }
    }
    Ok(())
}

fn refuse(
    mut store: StoreContextMut<'_, Guest>,
    function: ComponentFunc,
    arguments: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    for argument in arguments {
        let_go(&mut store, argument)?;
    }
    for (result, of) in results.iter_mut().zip(function.results()) {
        *result = refusal(&mut store, &of)?;
    }
    Ok(())
}

/// Gives up the handles that a call hands over: the runtime counts them until then.
fn let_go(store: &mut StoreContextMut<'_, Guest>, argument: &Val) -> wasmtime::Result<()> {
    match argument {
        Val::Resource(handle) if handle.ty() == ResourceType::host::<Inert>() => {
            handle.try_into_resource::<Inert>(store).map(drop)
        }
        Val::Resource(handle) => handle.try_into_resource::<wasmtime_wasi::p2::IoError>(store).map(drop),
        Val::Option(Some(inner))
        | Val::Variant(_, Some(inner))
        | Val::Result(Ok(Some(inner)) | Err(Some(inner))) => let_go(store, inner),
        Val::Tuple(inner) => inner.iter().try_for_each(|inner| let_go(store, inner)),
        _ => Ok(()),
    }
}

/// The answer of that type that grants the least.
fn refusal(store: &mut StoreContextMut<'_, Guest>, of: &Type) -> wasmtime::Result<Val> {
    Ok(match of {
        Type::Result(of) => Val::Result(Err(match of.err() {
            Some(error) => Some(Box::new(refusal(store, &error)?)),
            None => None,
        })),
        Type::Option(_) => Val::Option(None),
        Type::List(_) => Val::List(Vec::new()),
        Type::Bool => Val::Bool(false),
        Type::U8 => Val::U8(0),
        Type::U16 => Val::U16(0),
        Type::U32 => Val::U32(0),
        Type::U64 => Val::U64(0),
        Type::Enum(of) => Val::Enum(least(&of.names().collect::<Vec<_>>())?),
        Type::Variant(of) => case(of)?,
        Type::Own(of) if *of == ResourceType::host::<Inert>() => {
            Val::Resource(ResourceAny::try_from_resource(Resource::<Inert>::new_own(0), store)?)
        }
        other => wasmtime::bail!("the call of an inert interface has no refusal of type {other:?}"),
    })
}

/// The case that says no, else the first.
fn least(names: &[&str]) -> wasmtime::Result<String> {
    let found = names.iter().find(|name| REFUSALS.contains(name)).or_else(|| names.first());
    found.map(|name| (*name).to_owned()).ok_or_else(|| wasmtime::format_err!("a type without a value"))
}

/// The same where some cases carry values: one without.
fn case(of: &Variant) -> wasmtime::Result<Val> {
    let plain: Vec<_> = of.cases().filter(|case| case.ty.is_none()).map(|case| case.name).collect();
    Ok(Val::Variant(least(&plain)?, None))
}
