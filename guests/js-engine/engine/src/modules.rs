//! Which modules there are: the prelude's own before the snapshot, and the bundle's after it.

use prepared::Kind;
use prepared::Module as Prepared;
use prepared::resolve::resolve;
use rquickjs::Ctx;
use rquickjs::Error;
use rquickjs::Exception;
use rquickjs::Module;
use rquickjs::Result;
use rquickjs::TypedArray;
use rquickjs::Value;
use rquickjs::loader::ImportAttributes;
use rquickjs::loader::Loader;
use rquickjs::loader::Resolver;
use rquickjs::module::Declarations;
use rquickjs::module::Declared;
use rquickjs::module::Exports;
use rquickjs::module::ModuleDef;
use std::cell::Cell;
use std::cell::RefCell;

const PRELUDE: [(&str, &str); 18] = [
    ("pp:abort", include_str!("../prelude/abort.js")),
    ("pp:authority", include_str!("../prelude/authority.js")),
    ("pp:chance", include_str!("../prelude/chance.js")),
    ("pp:clone", include_str!("../prelude/clone.js")),
    ("pp:console", include_str!("../prelude/console.js")),
    ("pp:crypto", include_str!("../prelude/crypto.js")),
    ("pp:encoding", include_str!("../prelude/encoding.js")),
    ("pp:errors", include_str!("../prelude/errors.js")),
    ("pp:globals", include_str!("../prelude/globals.js")),
    ("pp:json", include_str!("../prelude/json.js")),
    ("pp:loop", include_str!("../prelude/loop.js")),
    ("pp:main", include_str!("../prelude/main.js")),
    ("pp:primordials", include_str!("../prelude/primordials.js")),
    ("pp:rollback", include_str!("../prelude/rollback.js")),
    ("pp:step", include_str!("../prelude/step.js")),
    ("pp:time", include_str!("../prelude/time.js")),
    ("pp:url", include_str!("../prelude/url.js")),
    ("pp:web", include_str!("../prelude/web.js")),
];

/// The modules of the prelude that a workflow may import.
const PUBLIC: [(&str, &str); 2] = [
    ("cloudflare:workers", include_str!("../prelude/cloudflare-workers.js")),
    ("cloudflare:workflows", include_str!("../prelude/cloudflare-workflows.js")),
];

thread_local! {
    /// The bundle's modules. Empty before the snapshot.
    static BUNDLE: RefCell<Vec<Prepared<'static>>> = const { RefCell::new(Vec::new()) };
    /// The module whose content is being exported.
    static CONTENT: Cell<Option<Prepared<'static>>> = const { Cell::new(None) };
}

/// Finds modules, and loads them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Modules;

impl Modules {
    /// From here on there are these, and of the prelude what is public.
    pub(crate) fn keep(modules: Vec<Prepared<'static>>) {
        BUNDLE.with(|kept| *kept.borrow_mut() = modules);
    }

    fn find(name: &str) -> Option<Prepared<'static>> {
        BUNDLE.with_borrow(|modules| modules.iter().find(|module| module.name == name).copied())
    }
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        // The prelude's modules name each other as they are.
        if base.starts_with("pp:") || BUNDLE.with_borrow(Vec::is_empty) {
            return Ok(name.to_owned());
        }
        let found = resolve(base, name, |candidate| Self::find(candidate).is_some());
        found.map_err(|why| Exception::throw_syntax(ctx, &why))
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        if let Some((_, text)) = PRELUDE.iter().chain(&PUBLIC).find(|(own, _)| *own == name) {
            return Module::declare(ctx.clone(), name, *text);
        }
        let module = Self::find(name).ok_or_else(|| Error::new_loading(name))?;
        match module.kind {
            // SAFETY: it was prepared by the component that was built with this QuickJS, and kept under the host's seal since.
            Kind::Code => unsafe { Module::load(ctx.clone(), module.content) },
            Kind::Json | Kind::Text | Kind::Data => {
                CONTENT.set(Some(module));
                Module::declare_def::<Content, _>(ctx.clone(), name)
            }
        }
    }
}

/// A module whose default export is its content.
struct Content;

impl ModuleDef for Content {
    fn declare(declarations: &Declarations<'_>) -> Result<()> {
        declarations.declare("default").map(drop)
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        let name: String = exports.module().name()?;
        let module = Modules::find(&name).ok_or_else(|| Error::new_loading(&name))?;
        exports.export("default", content(ctx, &module)?).map(drop)
    }
}

fn content<'js>(ctx: &Ctx<'js>, module: &Prepared<'static>) -> Result<Value<'js>> {
    match module.kind {
        Kind::Json => ctx.json_parse(module.content),
        Kind::Data => {
            Ok(TypedArray::<u8>::new_copy(ctx.clone(), module.content)?.arraybuffer()?.into_value())
        }
        Kind::Text | Kind::Code => {
            let text = String::from_utf8_lossy(module.content);
            rquickjs::String::from_str(ctx.clone(), &text).map(rquickjs::String::into_value)
        }
    }
}
