//! Where alerts go: the X account, and the timeline kept on this machine.
//!
//! - [`x`]: one post, and who the account is. [`answer`]: what each answer of X means.
//! - [`oauth`]: signatures and the PIN flow. [`limits`]: the clock and the rate limits that X reports.
//! - [`timeline`]: the alerts as they were sent.
//! - [`http`]: one bounded HTTPS call, over the connections of `transport`, to whom `roots` trusts;
//!   [`body`]: what comes back, bounded.

pub mod answer;
pub mod body;
pub mod http;
pub mod limits;
pub mod oauth;
mod roots;
pub mod timeline;
mod transport;
pub mod x;
