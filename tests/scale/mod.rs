//! Several hosts over one PostgreSQL, whichever of them end or stand still, and when the server does.

mod cluster;
mod failures;
mod migration;
mod together;
