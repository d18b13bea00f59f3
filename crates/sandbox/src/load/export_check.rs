//! Checks that a component's `run` has the world's type, before any of its code runs.

use crate::guest::{Guest, StepHandle};
use wasmtime::component::types::{ComponentFunc, ComponentItem, Record, Type};
use wasmtime::component::{Component, ComponentExportIndex, Linker, ResourceType};

/// Checks that the entry point's `run` takes an event and a step of this host, and returns a workflow's result. The
/// error is the reason.
pub(crate) fn check(
    component: &Component,
    linker: &Linker<Guest>,
    entrypoint: &str,
) -> Result<ComponentExportIndex, String> {
    let engine = linker.engine();
    let shape = linker.substituted_component_type(component).map_err(|error| format!("{error:#}"))?;
    let Some(ComponentItem::ComponentInstance(entry)) =
        shape.get_export(engine, entrypoint).map(|item| item.ty)
    else {
        return Err(format!("{entrypoint} is not an interface"));
    };
    match entry.get_export(engine, "run").map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(run)) if is_the_world_s(&run) => component
            .get_export_index(None, entrypoint)
            .and_then(|entry| component.get_export_index(Some(&entry), "run"))
            .ok_or_else(|| format!("{entrypoint} has no function run")),
        Some(ComponentItem::ComponentFunc(_)) => {
            Err("its run is not run(event: event, step: borrow<step>) -> result<json, failure>".to_owned())
        }
        _ => Err(format!("{entrypoint} has no function run")),
    }
}

/// The type in `wit/tenant.wit`.
fn is_the_world_s(run: &ComponentFunc) -> bool {
    let event = [
        ("payload", Type::String),
        ("timestamp-ms", Type::U64),
        ("instance-id", Type::String),
        ("workflow-name", Type::String),
    ];
    let failure = [("name", Type::String), ("message", Type::String)];
    let parameters: Vec<Type> = run.params().map(|(_, parameter)| parameter).collect();
    let results: Vec<Type> = run.results().collect();
    let ([Type::Record(told), Type::Borrow(step)], [Type::Result(result)]) = (&*parameters, &*results) else {
        return false;
    };
    let fails_well = matches!(result.err(), Some(Type::Record(told)) if is_record(&told, &failure));
    !run.async_()
        && is_record(told, &event)
        && *step == ResourceType::host::<StepHandle>()
        && result.ok() == Some(Type::String)
        && fails_well
}

fn is_record(record: &Record, fields: &[(&str, Type)]) -> bool {
    record.fields().map(|field| (field.name, field.ty)).eq(fields.iter().cloned())
}
