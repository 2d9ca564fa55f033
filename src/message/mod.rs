//! The text of an alert: what a receiver is sent, within its limit, with nothing in it that the
//! service would link, mention or render.
//!
//! All failures that are pending go into one [`Summary`]; [`Composer`] writes the text.

pub mod content;
mod count;
mod detail;
mod digest;
mod facts;
mod frame;
mod gsm;
mod harmless;
#[cfg(test)]
mod hostile;
mod listing;
mod login;
mod machine;
mod markup;
mod names;
mod reveal;
mod sample;
mod seen;
pub mod shape;
mod single;
mod style;
pub mod summary;
mod tally;
mod templated;
pub(crate) mod text;
mod time;
mod title;
mod watch;
pub(crate) mod weight;
#[cfg(test)]
mod wording;

pub use content::{After, BreakIn, Content, Dispatch, Health, Heartbeat, NewSource, UnderAttack, Weekly};
pub use count::count_in;
pub(crate) use facts::in_numbers as facts_in_numbers;
pub use harmless::harmless;
pub(crate) use reveal::{Reveal, shown_as};
pub use sample::Sample;
pub use style::{Style, Unit};
pub use summary::Summary;
pub(crate) use summary::UNKNOWN_ADDRESS;
pub use tally::{Counted, Distinct, Tally};
pub use text::Composer;
pub(crate) use time::counted;
pub use weight::{LIMIT, weight};
