//! The host's side of the interface through which the engine gets the workflow's modules.

use crate::guest::Guest;
use crate::guest::HasGuest;
use crate::guest::ReceiptHandle;
use wasmtime::component::Linker;
use wasmtime::component::Resource;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../../wit/tenant.wit", "../../guests/js-engine/wit/script.wit"],
        world: "permission-protocol:script/script",
        with: {
            "permission-protocol:tenant/pp": crate::guest::bindings::permission_protocol::tenant::pp,
            "permission-protocol:tenant/workflow": crate::guest::bindings::permission_protocol::tenant::workflow,
        },
        imports: { default: trappable },
        require_store_data_send: true,
    });
}

use bindings::permission_protocol::script::source;

/// Adds the interface. For the linker of bundles, and for no other.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    source::add_to_linker::<_, HasGuest>(linker, |guest| guest)
}

impl source::Host for Guest {
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

    fn granted(&mut self, id: String) -> wasmtime::Result<Option<Resource<ReceiptHandle>>> {
        self.granted_again(&id)
    }
}
