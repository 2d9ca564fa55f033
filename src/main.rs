//! The command: argument parsing, then one call.

fn main() {}
