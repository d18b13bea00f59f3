//! The host's side of the interface through which the engine gets the workflow's modules.

use crate::guest::Guest;
use crate::guest::HasGuest;
use wasmtime::component::Linker;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../guests/js-engine/wit/script.wit",
        world: "script",
        imports: { default: trappable },
    });
}

use bindings::permission_protocol::script::source::Host;

/// Adds the interface. For the linker of bundles, and for no other.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    bindings::Script::add_to_linker::<_, HasGuest>(linker, |guest| guest)
}

impl Host for Guest {
    fn prepared(&mut self) -> wasmtime::Result<Vec<u8>> {
        let script = self.script.as_ref().ok_or_else(|| wasmtime::Error::msg("there is no bundle"))?;
        Ok(script.prepared.clone())
    }

    fn class_name(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.script.as_ref().and_then(|script| script.class.clone()))
    }

    fn tenant(&mut self) -> wasmtime::Result<String> {
        Ok(self.tenant.clone())
    }

    fn now_ms(&mut self) -> wasmtime::Result<u64> {
        let at = self.handler.time().map_or(self.started_at, |at| at.max(self.started_at));
        Ok(u64::try_from(at.as_millis()).unwrap_or_default())
    }
}
