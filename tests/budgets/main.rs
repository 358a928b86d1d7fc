//! Budgets through the real binary, with real neighbours: what is kept when the process is killed, and who is told of what.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a long run says how it goes")]
#![allow(unreachable_pub, reason = "modules of a test binary have no public")]

mod alerts;
#[path = "../fault/chance.rs"]
#[allow(dead_code, reason = "shared with tests that need all of it")]
mod chance;
mod kill;
mod oracle;
mod page;
#[path = "../service/process.rs"]
#[allow(dead_code, reason = "shared with tests that need all of it")]
mod process;
mod scopes;
mod senders;
mod sink;
mod spans;
mod store;
