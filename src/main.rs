//! The `gramtrace` command.

fn main() {}
