//! pp-host
fn main() {}
