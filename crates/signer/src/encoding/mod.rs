//! Forms of keys and texts: PEM, length-prefixed fields, printable names.

pub(crate) mod pem;
pub(crate) mod printable;
pub(crate) mod wire;
