//! Source text as a guest: JavaScript and TypeScript run on an engine that is a component like any other.
//!
//! ```text
//!   bundle ─sha256─► its own digest, which is the workflow's          (bundle)
//!          ─engine─► a component, loaded as all are, compiled once    (engines)
//!          ─modules─► prepared in a sandbox of their own, sealed      (prepare)
//!   a drive: the engine's instance asks for what was prepared         (source)
//! ```
//!
//! The engine has the tenant's world and one more interface. That interface is linked for bundles alone: a component
//! that imports it is refused like one with any other unknown import, because only the loader of bundles has a linker
//! with it.

mod bundle_loader;
mod engines;
mod prepare;
mod source;

/// The engine's rule for resolving modules, included from the engine's sources.
#[path = "../../../../guests/js-engine/prepared/src/paths.rs"]
mod paths;

pub use crate::bundle::{Bundle, BundleError, EngineId, Kind, Module, Script};
pub use engines::current_engine;
pub use paths::candidates;
pub use paths::relative;
pub use prepare::Summary;

pub(crate) use bundle_loader::Scripts;
pub(crate) use engines::Engines;
pub(crate) use prepare::LoadContext;
pub(crate) use source::add_to_linker;

use receipt::Digest;

/// A workflow's code, by its bytes. All comparisons of code compare [`Code::digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A component.
    Component(Digest),
    /// Source text, with the engine that it names.
    Bundle(Digest),
}

impl Code {
    /// Classifies the bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Digest::of(bytes);
        if Bundle::is_meant(bytes) { Self::Bundle(digest) } else { Self::Component(digest) }
    }

    /// The identity of the code.
    #[must_use]
    pub fn digest(self) -> Digest {
        match self {
            Self::Component(digest) | Self::Bundle(digest) => digest,
        }
    }
}
