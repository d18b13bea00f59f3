//! What is counted before anything is compiled, in one pass over the bytes that builds nothing.
//!
//! Compiling costs at least as much as there are functions, and more than linearly in the length of one function.

use crate::LoadError;
use crate::limits::LoadLimits;
use wasmparser::{Parser, Payload};

/// Components inside components. Toolchains make two or three; what a compiler takes grows faster than their number.
const NESTED: usize = 100;

/// Refuses components that would cost too much to compile.
pub(crate) fn check(bytes: &[u8], limits: &LoadLimits) -> Result<(), LoadError> {
    let (mut functions, mut largest, mut nested) = (0_u64, 0_u64, 0_usize);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| LoadError::Invalid(error.to_string()))?;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => nested += 1,
            Payload::End(_) => nested = nested.saturating_sub(1),
            _ => {}
        }
        if nested > NESTED {
            return Err(LoadError::TooDemanding(format!(
                "components more than {NESTED} deep inside each other"
            )));
        }
        // Code is compiled for more than bodies: lifting, lowering and adapting a function makes functions too.
        functions += match payload {
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                largest = largest.max(range.end.saturating_sub(range.start) as u64);
                1
            }
            Payload::ComponentCanonicalSection(section) => u64::from(section.count()),
            Payload::InstanceSection(section) => u64::from(section.count()),
            Payload::ComponentInstanceSection(section) => u64::from(section.count()),
            _ => 0,
        };
        at_most("functions", "functions, adapters and instances", functions, u64::from(limits.functions))?;
        at_most("function-bytes", "bytes in one function", largest, limits.function_bytes)?;
    }
    Ok(())
}

fn at_most(limit: &'static str, what: &'static str, found: u64, bound: u64) -> Result<(), LoadError> {
    match found > bound {
        true => Err(LoadError::TooComplex { limit, what, bound }),
        false => Ok(()),
    }
}
