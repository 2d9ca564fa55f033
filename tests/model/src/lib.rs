//! The protocols of delivery and of the fleet as models: every order of their steps within bounds, with crashes between
//! any two of them. README.md has the steps by name; a trace of a model reads in these words.
//!
//! - `explore`: goes through all states of a model, says how many, and holds them against the properties.
//! - `fleet`: from a member's journal through the engine into the hub's, each failure once.
//! - `succession`: another hub takes over, with one budget and each failure in one alert.
//! - `delivery`: from the journal to receivers, on one machine.
//!
//! A hole in a model is a rule left out on purpose; that it is found shows that the model can see it.

#[cfg(test)]
mod delivery;
#[cfg(test)]
mod explore;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod succession;
