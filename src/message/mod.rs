//! The text of an alert: what a receiver is sent, within its limit, with nothing in it that the
//! service would link, mention or render.
//!
//! All failures that are pending go into one [`Summary`]; [`Composer`] writes the text.

pub mod content;
mod digest;
mod gsm;
mod harmless;
#[cfg(test)]
mod hostile;
mod markup;
mod seen;
mod single;
mod style;
pub mod summary;
mod tally;
pub(crate) mod text;
mod time;
pub(crate) mod weight;

pub use content::{After, BreakIn, Content, Dispatch, Health, Heartbeat, NewSource, UnderAttack, Weekly};
pub use harmless::harmless;
pub use style::{Style, Unit};
pub use summary::{Sample, Summary};
pub use tally::{Counted, Distinct, Tally};
pub use text::{Composer, count_in};
pub use weight::{LIMIT, weight};
