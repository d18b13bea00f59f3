//! What the server knows of the network: its own URL, its certificates, and the operator's receivers.

pub(crate) mod outbound;
pub(crate) mod site;
pub(crate) mod tls;
