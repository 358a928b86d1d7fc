//! What others computed and what was decided beforehand, row by row: the data says what is right, never this crate.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test that cannot go on says so by panicking

mod csv;
mod ecologits;
mod on_spans;
mod readme;
mod scenarios;
mod tracker;
