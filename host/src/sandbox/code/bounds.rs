//! What is counted before anything is compiled, in one pass over the bytes that builds nothing.
//!
//! Compiling costs at least as much as there are functions, and more than linearly in the length of one function.

use crate::sandbox::LoadError;
use crate::sandbox::limits::LoadLimits;
use wasmparser::Parser;
use wasmparser::Payload;

/// Refuses components that would cost too much to compile.
pub(crate) fn check(bytes: &[u8], limits: &LoadLimits) -> Result<(), LoadError> {
    let (mut functions, mut largest) = (0_u64, 0_u64);
    for payload in Parser::new(0).parse_all(bytes) {
        // Code is compiled for more than bodies: lifting, lowering and adapting a function makes functions too.
        functions += match payload.map_err(|error| LoadError::Invalid(error.to_string()))? {
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
