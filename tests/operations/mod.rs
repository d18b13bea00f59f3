//! Operating a host: limits, the control socket, and where the code of others comes from.

mod control_socket;
mod limits;
mod supply_chain;
