//! Properties that hold for every input: one body for each target. Shared by the fuzz targets in `crates/engine/fuzz`
//! and by a brief run on stable.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "every target uses one body, and the brief run all of them"
)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "what must hold and does not is a finding")]

pub mod calls;
pub mod components;
mod fixture;
pub mod loader;
pub mod params;
pub mod recount;
mod script;
pub mod settings;
mod watched;

/// A workflow with room for one core module.
const FRAME: &str = include_str!("../../guests/hostile/frame.wat");

/// The line of the frame that the module takes the place of.
const PLACE: &str = "  ;; ATTACK";

/// A core module, as text, inside a workflow of this world.
fn framed(module: &str) -> Vec<u8> {
    wat::parse_str(FRAME.replacen(PLACE, module, 1)).unwrap()
}
