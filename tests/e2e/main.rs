//! The parts of gramtrace against real sockets, each behaviour a sentence.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod receivers;
