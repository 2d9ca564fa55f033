//! Grouping, pacing and the text of an alert.
//!
//! All failures that are pending go into one [`Summary`]. [`Pacing`] says when it becomes an alert, by
//! the administrator's [`Policy`]; [`Composer`] writes the text. [`Accounts`] tells names of
//! this machine from names that may be passwords. [`simulate`] runs all of it over a log in virtual time.

pub mod accounts;
mod digest;
mod getent;
mod harmless;
#[cfg(test)]
mod hostile;
mod pacing;
mod policy;
mod seen;
pub mod simulate;
mod single;
mod standing;
mod summary;
mod tally;
mod template;
mod text;
mod time;
mod weight;
mod zone;

pub use accounts::Accounts;
pub use getent::Getent;
pub use harmless::harmless;
pub use pacing::{Due, Moment, Pacing};
pub use policy::{Policy, human};
pub use standing::Standing;
pub use summary::{Summary, Told};
pub use tally::{Counted, Distinct, Tally};
pub use template::Template;
pub use text::{Composer, count_in};
pub use weight::{LIMIT, weight};
pub use zone::local as local_zone;
