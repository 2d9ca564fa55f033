//! Files that survive crashes, and who may write them.

mod replace;

pub use replace::*;
