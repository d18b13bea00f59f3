//! Operating a host: limits, the control socket, the unit for systemd, and where the code of others comes from.

mod access;
mod architecture;
mod control_socket;
mod core_dumps;
mod limits;
mod packaging;
mod pages;
mod quotas;
mod supply_chain;
