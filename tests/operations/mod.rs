//! Operating a host: limits, the control socket, and where the code of others comes from.

mod access;
mod architecture;
mod control_socket;
mod core_dumps;
mod limits;
mod quotas;
mod supply_chain;
