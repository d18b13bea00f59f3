//! Components that the loader has to refuse: `guests/hostile/load/*.wat`, and others that have no text form.

use crate::fixture::HONEST;
use crate::guests::raw::first_line;
use crate::{Attack, Attacker, Method, Refusal, SetupError};

const FORBIDDEN: &str = "imports what a workflow may not have";
const NO_WORKFLOW: &str = "is not a workflow";
const OTHER_WORLD: &str = "built against another version of wit/tenant.wit";
const INVALID: &str = "not a valid component";

/// An attack in a file of its name; the file's first line describes it.
macro_rules! load {
    ($name:literal, $words:expr) => {{
        const TEXT: &str = include_str!(concat!("../../../../guests/hostile/load/", $name, ".wat"));
        attack($name, first_line(TEXT), $words, || Ok(wat::parse_str(TEXT)?))
    }};
}

pub(crate) fn attacks() -> Vec<Attack> {
    [imports(), worlds(), features(), bytes()].concat()
}

fn imports() -> Vec<Attack> {
    vec![
        load!("import-sockets", FORBIDDEN),
        load!("import-names", FORBIDDEN),
        load!("import-http", FORBIDDEN),
        load!("import-raw-socket", OTHER_WORLD),
        load!("import-keyvalue", FORBIDDEN),
        load!("import-next-wasi", FORBIDDEN),
        load!("import-vendor", FORBIDDEN),
        load!("import-function", FORBIDDEN),
        load!("import-authority", FORBIDDEN),
        load!("import-next-world", FORBIDDEN),
        load!("import-near-miss", FORBIDDEN),
        load!("import-entrypoint", FORBIDDEN),
        load!("import-module", FORBIDDEN),
        load!("import-component", FORBIDDEN),
        load!("import-source", FORBIDDEN),
    ]
}

fn worlds() -> Vec<Attack> {
    vec![
        load!("no-export", NO_WORKFLOW),
        load!("other-export", NO_WORKFLOW),
        load!("hidden-function", OTHER_WORLD),
        load!("own-receipt", OTHER_WORLD),
        load!("own-step", OTHER_WORLD),
        load!("other-type", OTHER_WORLD),
    ]
}

fn features() -> Vec<Attack> {
    vec![
        load!("two-memories", "a feature that no workflow may use: several memories"),
        load!("memory64", INVALID),
        load!("shared-memory", INVALID),
        load!("heap-objects", INVALID),
        load!("tail-calls", INVALID),
        load!("exceptions", INVALID),
        load!("relaxed-simd", INVALID),
        load!("side-by-side", INVALID),
        load!("type-confusion", INVALID),
    ]
}

fn bytes() -> Vec<Attack> {
    vec![
        load!("core-module", "a core WebAssembly module, not a component"),
        load!("name-not-utf8", INVALID),
        load!("section-of-gigabytes", INVALID),
        load!("imports-without-end", INVALID),
        attack("deep-nesting", "A million components inside each other.", "deep inside each other", || {
            Ok(nested(1_000_000))
        }),
        attack("cut-short", "A workflow whose second half is missing.", INVALID, || {
            Ok(HONEST[..HONEST.len() / 2].to_vec())
        }),
        attack("too-large", "Thirty-three megabytes.", "limit component-bytes is", || Ok(padded(33 << 20))),
        attack("machine-code", "A native executable of this machine.", "not a WebAssembly file", || {
            Ok(b"\x7fELF\x02\x01\x01".to_vec())
        }),
    ]
}

fn attack(
    name: &'static str,
    tries: &'static str,
    words: &'static str,
    bytes: fn() -> Result<Vec<u8>, SetupError>,
) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Guest,
        refusal: Refusal::Words(words),
        method: Method::Load(bytes),
    }
}

/// The first bytes of a component.
const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// A workflow with a custom section behind it: other bytes, the same behaviour.
pub(crate) fn padded(bytes: usize) -> Vec<u8> {
    let mut component = HONEST.to_vec();
    let mut content = b"\x04more".to_vec();
    content.resize(content.len() + bytes, 0);
    component.push(0);
    component.extend_from_slice(&length(content.len()));
    component.extend_from_slice(&content);
    component
}

/// Components that each contain the next, from the outermost to the innermost.
fn nested(depth: usize) -> Vec<u8> {
    const COMPONENT: u8 = 4;
    let mut sizes = vec![HEADER.len()];
    for level in 0..depth {
        sizes.push(HEADER.len() + 1 + length(sizes[level]).len() + sizes[level]);
    }
    let mut component = Vec::new();
    for inner in sizes.iter().rev().skip(1) {
        component.extend_from_slice(HEADER);
        component.push(COMPONENT);
        component.extend_from_slice(&length(*inner));
    }
    component.extend_from_slice(HEADER);
    component
}

/// A length as LEB128.
fn length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes
}
