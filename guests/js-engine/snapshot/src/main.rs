//! Makes a component of a core module. With `--init`, the module is initialised first, and what is kept is its state after that.
//!
//! ```text
//! snapshot [--init FUNCTION] module.wasm component.wasm
//! ```

use anyhow::Context as _;
use anyhow::bail;
use std::fs;
use wasmtime::Engine;
use wasmtime::Instance;
use wasmtime::Linker;
use wasmtime::Module;
use wasmtime::Store;
use wasmtime::Val;
use wasmtime_wizer::InstanceState;
use wasmtime_wizer::SnapshotVal;
use wasmtime_wizer::Wizer;
use wit_component::ComponentEncoder;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (init, module, component) = match *arguments {
        ["--init", init, module, component] => (Some(init), module, component),
        [module, component] => (None, module, component),
        _ => bail!("usage: snapshot [--init FUNCTION] module.wasm component.wasm"),
    };
    let mut core = fs::read(module).with_context(|| format!("cannot read {module}"))?;
    if let Some(init) = init {
        core = pollster::block_on(initialised(&core, init))?;
    }
    let encoded = ComponentEncoder::default().module(&core)?.validate(true).encode()?;
    fs::write(component, encoded).with_context(|| format!("cannot write {component}"))
}

/// Calls the function and keeps the module's state. Nothing that it imports may be called meanwhile.
async fn initialised(core: &[u8], function: &str) -> anyhow::Result<Vec<u8>> {
    let mut wizer = Wizer::new();
    wizer.init_func(function);
    let (context, instrumented) = wizer.instrument(core)?;
    let engine = Engine::default();
    let module = Module::new(&engine, &instrumented)?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module)?;
    let instance = linker.instantiate(&mut store, &module)?;
    instance.get_typed_func::<(), ()>(&mut store, function)?.call(&mut store, ())?;
    Ok(wizer.snapshot(&context, &mut State { store, instance }).await?)
}

struct State {
    store: Store<()>,
    instance: Instance,
}

impl InstanceState for State {
    async fn global_get(&mut self, name: &str, _: wasmtime_wizer::ValType) -> SnapshotVal {
        match self.instance.get_global(&mut self.store, name).map(|global| global.get(&mut self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            Some(Val::V128(value)) => SnapshotVal::V128(value.as_u128()),
            other => panic!("global {name} is {other:?}, which a snapshot cannot keep"),
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut self.store, name) {
            Some(memory) => contents(memory.data(&self.store)),
            None => panic!("there is no memory {name}"),
        }
    }
}
