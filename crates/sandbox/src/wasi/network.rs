//! `wasi:sockets` and `wasi:http` for guests whose standard library imports them: every call is refused.
//!
//! No resource is behind these interfaces. The answer to a call follows from the type of its result alone: the error if
//! the type has one, else nothing, zero or an empty list. A handle that a call cannot refuse refers to nothing and is
//! counted like any other.

use crate::guest::Guest;
use crate::imports::{Interface, NETWORK};
use wasmtime::StoreContextMut;
use wasmtime::component::types::{ComponentFunc, Variant};
use wasmtime::component::{Linker, Resource, ResourceAny, ResourceType, Type, Val};

/// The resource behind every handle of these interfaces: none.
struct Inert;

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

/// Drops the handles that a call passes: the runtime counts them until then.
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

/// [`least`], for a variant with cases that carry values: a case without a value.
fn case(of: &Variant) -> wasmtime::Result<Val> {
    let plain: Vec<_> = of.cases().filter(|case| case.ty.is_none()).map(|case| case.name).collect();
    Ok(Val::Variant(least(&plain)?, None))
}
