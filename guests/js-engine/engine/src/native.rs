//! What the engine offers to the prelude. A workflow never gets at these functions.

mod calls;
mod ready;
mod web;

use rquickjs::Ctx;
use rquickjs::Function;
use rquickjs::Object;
use rquickjs::Result;
use rquickjs::TypedArray;
use rquickjs::function::IntoJsFunc;

/// All of them, as an object.
pub(crate) fn natives<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let natives = Natives { ctx, object: Object::new(ctx.clone())? };
    calls::offer(&natives)?;
    web::offer(&natives)?;
    Ok(natives.object)
}

/// A copy of the bytes. A buffer that was detached has none.
fn content(bytes: &TypedArray<'_, u8>) -> Vec<u8> {
    // SAFETY: they are copied before any JavaScript runs again.
    unsafe { bytes.as_bytes() }.unwrap_or_default().to_vec()
}

/// An object with no prototype, whose setters a workflow could define.
fn bare<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set_prototype(None)?;
    Ok(object)
}

struct Natives<'a, 'js> {
    ctx: &'a Ctx<'js>,
    object: Object<'js>,
}

impl<'js> Natives<'_, 'js> {
    fn offer<P>(&self, name: &str, function: impl IntoJsFunc<'js, P> + 'js) -> Result<()> {
        self.object.set(name, Function::new(self.ctx.clone(), function)?)
    }
}
