//! The durable queue of failures, which is also the history.
