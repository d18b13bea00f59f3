//! Components of this world around any core module.

use super::framed;
use super::watched::{SANDBOX, watch};
use std::sync::LazyLock;

/// The imports and exports that the frame has for a module, and the shape that a module in it must have.
pub const SHAPE: &str = include_str!("shape.wat");

static SHAPED: LazyLock<Shaped> = LazyLock::new(Shaped::new);

/// A workflow around [`SHAPE`], cut where a module of the same shape can take its place.
struct Shaped {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Shaped {
    fn new() -> Self {
        let named = |words: &str| SHAPE.replacen("(module", &format!("({words} $attack"), 1);
        let (module, component) = (wat::parse_str(named("module")).unwrap(), framed(&named("core module")));
        let section = section(&module);
        let at = component.windows(section.len()).position(|window| window == section).unwrap();
        Self { before: component[..at].to_vec(), after: component[at + section.len()..].to_vec() }
    }
}

/// A core module as a section of a component.
fn section(module: &[u8]) -> Vec<u8> {
    const CORE_MODULE: u8 = 1;
    let (mut section, mut length) = (vec![CORE_MODULE], module.len());
    while length >= 0x80 {
        section.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    section.push(length as u8);
    section.extend_from_slice(module);
    section
}

/// Whatever the module does at the boundary, it ends within bounds, and does the same when it runs again. Returns
/// whether it was loaded.
pub fn stand(module: &[u8]) -> bool {
    let component = [&*SHAPED.before, &section(module), &SHAPED.after].concat();
    match SANDBOX.load(&component) {
        Ok(program) => {
            watch(&program);
            true
        }
        Err(refused) => {
            assert!(!refused.to_string().is_empty());
            false
        }
    }
}
