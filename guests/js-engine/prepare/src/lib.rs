//! Turns the modules of a bundle into what the engine runs.
//!
//! ```text
//!   TypeScript ─ types removed ─► JavaScript ─ parsed ─► bytecode, and where its lines come from
//! ```
//!
//! A tenant's source is parsed here, in a sandbox, and nowhere else: a parser that runs out of stack or memory ends this instance and
//! nothing more. The bytecode is for the engine that was built with it, from the same QuickJS.

mod compile;
mod diagnose;
mod links;
mod typescript;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../../wit/tenant.wit", "../wit/script.wit"],
        world: "permission-protocol:script/prepare",
        generate_all,
    });
}

use bindings::exports::permission_protocol::script::preparing::Diagnostic;
use bindings::exports::permission_protocol::script::preparing::Guest;
use bindings::exports::permission_protocol::script::preparing::Kind;
use bindings::exports::permission_protocol::script::preparing::Module;
use bindings::exports::permission_protocol::script::preparing::Summary;

/// Makes the runtime. Called once, before the snapshot.
#[unsafe(export_name = "wizer-initialize")]
pub extern "C" fn initialize() {
    compile::initialize();
}

/// QuickJS's clock. What is prepared does not depend on the time.
#[unsafe(no_mangle)]
pub extern "C" fn __rquickjs_host_now_us() -> f64 {
    0.0
}

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn examine(module: Module) -> Result<Summary, Diagnostic> {
        match module.kind {
            Kind::Js | Kind::Ts => typescript::examine(&module.name, text(&module)?, module.kind == Kind::Ts),
            Kind::Json | Kind::Text | Kind::Data => {
                Ok(Summary { imports: Vec::new(), workflows: Vec::new() })
            }
        }
    }

    fn prepare(main: String, modules: Vec<Module>) -> Result<Vec<u8>, Diagnostic> {
        compile::prepare(&main, &modules)
    }
}

/// The text of a module.
fn text(module: &Module) -> Result<&str, Diagnostic> {
    std::str::from_utf8(&module.content).map_err(|error| Diagnostic {
        module: module.name.clone(),
        line: 0,
        column: 0,
        message: format!("the text is not UTF-8: byte {} does not belong there", error.valid_up_to()),
    })
}
