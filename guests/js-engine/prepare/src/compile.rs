//! From JavaScript to bytecode.

use crate::bindings::exports::permission_protocol::script::preparing::Diagnostic;
use crate::bindings::exports::permission_protocol::script::preparing::Kind;
use crate::bindings::exports::permission_protocol::script::preparing::Module as Given;
use crate::links;
use crate::text;
use crate::typescript;
use crate::typescript::Printed;
use prepared::Positions;
use prepared::Prepared;
use prepared::resolve::PUBLIC;
use prepared::resolve::resolve;
use rquickjs::Context;
use rquickjs::Ctx;
use rquickjs::Error;
use rquickjs::Exception;
use rquickjs::Module;
use rquickjs::Result;
use rquickjs::Runtime;
use rquickjs::WriteOptions;
use rquickjs::loader::ImportAttributes;
use rquickjs::loader::Loader;
use rquickjs::loader::Resolver;
use rquickjs::module::Declared;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Bytes of its own stack that QuickJS may use: the engine's figure.
const STACK_BYTES: usize = 192 << 10;

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
    static SOURCES: RefCell<BTreeMap<String, Source>> = const { RefCell::new(BTreeMap::new()) };
    /// Modules that are compiled, by their names.
    static COMPILED: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
}

enum Source {
    Code(Printed),
    Content,
}

impl Source {
    fn code(&self) -> Option<&Printed> {
        match self {
            Self::Code(printed) => Some(printed),
            Self::Content => None,
        }
    }
}

/// Makes the runtime.
pub(crate) fn initialize() {
    let context = make().unwrap_or_else(|error| panic!("QuickJS does not start: {error}"));
    CONTEXT.with(|slot| *slot.borrow_mut() = Some(context));
}

fn make() -> Result<Context> {
    let runtime = Runtime::new()?;
    runtime.set_max_stack_size(STACK_BYTES);
    runtime.set_loader(Modules, Modules);
    Context::full(&runtime)
}

/// Compiles all modules of a bundle.
pub(crate) fn prepare(main: &str, modules: &[Given]) -> std::result::Result<Vec<u8>, Diagnostic> {
    let mut sources = BTreeMap::new();
    for module in modules {
        let source = match module.kind {
            Kind::Ts => Source::Code(typescript::strip(&module.name, text(module)?)?),
            Kind::Js => Source::Code(Printed { code: text(module)?.to_owned(), positions: Vec::new() }),
            Kind::Json | Kind::Text => text(module).map(|_| Source::Content)?,
            Kind::Data => Source::Content,
        };
        sources.insert(module.name.clone(), source);
    }
    if modules.len() > 1 {
        links::check(&sources.iter().map(|(name, source)| (name.clone(), source.code())).collect())?;
    }
    SOURCES.with(|slot| *slot.borrow_mut() = sources);
    CONTEXT.with_borrow(|context| match context {
        Some(context) => context.with(|ctx| {
            // SAFETY: the runtime is the context's own. The stack begins elsewhere than when the snapshot was taken.
            unsafe { rquickjs::qjs::JS_UpdateStackTop(rquickjs::qjs::JS_GetRuntime(ctx.as_raw().as_ptr())) };
            modules.iter().filter(|module| module.kind == Kind::Json).try_for_each(|module| check_json(&ctx, module))?;
            compile_all(&ctx, main).map_err(|refused| better(modules, refused))
        }),
        None => Err(diagnostic(main, "the component was never initialised")),
    })?;
    Ok(write(main, modules))
}

/// What QuickJS refuses may be syntax of TypeScript that it does not know.
fn better(modules: &[Given], refused: Diagnostic) -> Diagnostic {
    let typescript = modules.iter().find(|module| module.kind == Kind::Ts && module.name == refused.module);
    let found = typescript.and_then(|module| typescript::unsupported(&module.name, text(module).ok()?));
    found.unwrap_or(refused)
}

fn check_json(ctx: &Ctx<'_>, module: &Given) -> std::result::Result<(), Diagnostic> {
    let parsed = ctx.json_parse(without_mark(&module.content));
    parsed.map(drop).map_err(|error| Diagnostic { module: module.name.clone(), ..explain(ctx, &module.name, &error) })
}

/// The text without a byte order mark, which is no JSON.
fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

fn compile_all(ctx: &Ctx<'_>, main: &str) -> std::result::Result<(), Diagnostic> {
    let names: Vec<String> = SOURCES.with_borrow(|sources| sources.keys().cloned().collect());
    for name in std::iter::once(main).chain(names.iter().map(String::as_str)) {
        if !COMPILED.with_borrow(|compiled| compiled.contains_key(name)) {
            compile(ctx, name).map_err(|error| explain(ctx, name, &error))?;
        }
    }
    Ok(())
}

/// Compiles a module. What it imports is compiled on the way.
fn compile<'js>(ctx: &Ctx<'js>, name: &str) -> Result<Module<'js, Declared>> {
    let code = SOURCES.with_borrow(|sources| match sources.get(name) {
        Some(Source::Code(printed)) => Some(printed.code.clone()),
        Some(Source::Content) => Some(String::new()),
        None => PUBLIC.contains(&name).then(String::new),
    });
    let code = code.ok_or_else(|| Error::new_loading(name))?;
    let module = Module::declare(ctx.clone(), name, code)?;
    let options = WriteOptions { strip_source: true, ..WriteOptions::default() };
    let bytes = module.write(options)?;
    COMPILED.with_borrow_mut(|compiled| compiled.insert(name.to_owned(), bytes));
    Ok(module)
}

struct Modules;

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        let is_there = |candidate: &str| SOURCES.with_borrow(|sources| sources.contains_key(candidate));
        resolve(base, name, is_there).map_err(|why| Exception::throw_syntax(ctx, &why))
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        compile(ctx, name)
    }
}

fn diagnostic(module: &str, message: impl Into<String>) -> Diagnostic {
    Diagnostic { module: module.to_owned(), line: 0, column: 0, message: message.into() }
}

/// What QuickJS complains of, with the place in the source.
fn explain(ctx: &Ctx<'_>, name: &str, error: &Error) -> Diagnostic {
    if !error.is_exception() {
        return diagnostic(name, error.to_string());
    }
    let thrown = ctx.catch();
    let Some(thrown) = thrown.as_exception() else { return diagnostic(name, "it cannot be parsed") };
    let message = thrown.message().unwrap_or_default();
    let stack = thrown.stack().unwrap_or_default();
    match stack.lines().find_map(place) {
        Some((module, line, column)) => {
            let (line, column) = SOURCES.with_borrow(|sources| match sources.get(module) {
                Some(Source::Code(printed)) if !printed.positions.is_empty() => {
                    Positions(&printed.positions).source(line, column).unwrap_or((line, column))
                }
                _ => (line, column),
            });
            Diagnostic { module: module.to_owned(), line, column, message }
        }
        None => diagnostic(name, message),
    }
}

/// A line of a stack: `    at file:line:column`.
fn place(line: &str) -> Option<(&str, u32, u32)> {
    let line = line.trim().strip_prefix("at ")?.trim_end_matches(')');
    let (rest, column) = line.rsplit_once(':')?;
    let (rest, row) = rest.rsplit_once(':')?;
    let file = rest.rsplit_once('(').map_or(rest, |(_, file)| file);
    Some((file, row.parse().ok()?, column.parse().ok()?))
}

fn write(main: &str, modules: &[Given]) -> Vec<u8> {
    COMPILED.with_borrow(|compiled| {
        SOURCES.with_borrow(|sources| {
            let modules = modules.iter().map(|module| {
                let (kind, content, positions): (_, &[u8], &[u8]) =
                    match (module.kind, sources.get(&module.name)) {
                        (Kind::Js | Kind::Ts, Some(Source::Code(printed))) => (
                            prepared::Kind::Code,
                            compiled.get(&module.name).map(Vec::as_slice).unwrap_or_default(),
                            &printed.positions,
                        ),
                        (Kind::Json, _) => (prepared::Kind::Json, without_mark(&module.content), &[]),
                        (Kind::Data, _) => (prepared::Kind::Data, &module.content, &[]),
                        _ => (prepared::Kind::Text, &module.content, &[]),
                    };
                prepared::Module { name: &module.name, kind, content, positions }
            });
            Prepared { main, modules: modules.collect() }.write()
        })
    })
}
