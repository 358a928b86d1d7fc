//! Each model call counted once: the rules as sentences on traces made by hand, and what may not make a difference, on
//! random traces. Requests are written and read with the protocol's generated types.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking
#![allow(unreachable_pub)] // modules of a test binary have no public

mod dialects;
mod invariants;
mod sentences;
mod trace;
