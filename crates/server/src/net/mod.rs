//! The site's URL, TLS certificates, and requests to the operator's receivers.

pub(crate) mod outbound;
pub(crate) mod site;
pub(crate) mod tls;
