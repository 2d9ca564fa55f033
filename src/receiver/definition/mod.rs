//! A service is data: a receiver of kind `http` is described by a TOML file.
//!
//! - `model`: what stands in the file; `parameter`, `choice`: what it asks of the administrator; `check`: whether its pieces fit.
//! - `template`, `expand`: from a message to a request, each value escaped by the place that it stands in.
//! - `json_path`, `answer`: what the service's answer means.
//! - `given`, `hide`: the administrator's values, and that no secret is seen.
//! - `registry`: the definitions that are built in, and the administrator's own.
//! - `send`: the receiver.

mod answer;
mod check;
mod choice;
mod expand;
mod given;
mod hide;
mod json_path;
mod model;
mod parameter;
mod registry;
mod send;
mod template;

use std::time::SystemTime;

pub use choice::Choice;
pub(super) use given::Given;
pub(super) use hide::Hide;
pub use parameter::{Parameter, Type};
pub use registry::{Entry, OWN, find, find_in, is_kind, list, own_file};
pub use send::{Found, Http};

pub use crate::config::Mistake;
use crate::config::{self, AfterUnknown};
use crate::message::Style;
use crate::receiver::http::Reply;
use crate::receiver::{Kind, Outcome};

/// What a service is and how it is spoken to, checked.
#[derive(Clone, Debug)]
pub struct Definition {
    kind: String,
    file: model::File,
}

impl Definition {
    /// Parse and check `text` as the definition of `kind` in `file`.
    pub fn parse(kind: &str, file: &str, text: &str) -> Result<Self, Mistake> {
        let mistake = |span: Option<std::ops::Range<usize>>, why: String| Mistake {
            file: file.into(),
            line: span.map(|s| text.bytes().take(s.start).filter(|b| *b == b'\n').count() + 1),
            column: None,
            why,
        };
        let parsed: model::File = toml::from_str(text)
            .map_err(|e| mistake(e.span(), crate::neutral::text(config::why(text, &e, &model::TOP), 400)))?;
        check::check(&parsed).map_err(|(span, why)| mistake(span, why))?;
        Ok(Self { kind: kind.into(), file: parsed })
    }

    /// Its name in `[[receiver]]`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The service's name.
    pub fn title(&self) -> &str {
        &self.file.title
    }

    /// What it is, in one line.
    pub fn summary(&self) -> &str {
        &self.file.summary
    }

    /// What the administrator gives, in the order in which it is asked for.
    pub fn parameters(&self) -> &[Parameter] {
        &self.file.parameters
    }

    /// Which of these exclude each other.
    pub fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.file.choices.iter().map(toml::Spanned::get_ref)
    }

    /// The parameters that it logs in with.
    pub fn login(&self) -> impl Iterator<Item = &str> {
        let request = &self.file.request;
        let basic = request.basic.iter().flat_map(|both| both.get_ref());
        let all = request.bearer.iter().map(toml::Spanned::get_ref).chain(basic);
        all.flat_map(template::Template::placeholders).filter_map(|placeholder| match placeholder {
            template::Placeholder::Parameter(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// What the administrator does about each answer of which the definition says that.
    pub fn advice(&self) -> impl Iterator<Item = &str> {
        self.file.answer.rules.iter().filter_map(|rule| rule.get_ref().advice.as_deref())
    }

    /// What the person at the phone does, step by step.
    pub fn phone(&self) -> &[String] {
        &self.file.phone
    }

    /// What nobody could confirm so far.
    pub fn unconfirmed(&self) -> &[String] {
        &self.file.unconfirmed
    }

    /// How to try it without cost or harm.
    pub fn try_it(&self) -> &[String] {
        &self.file.try_it
    }

    /// Whether each message costs money.
    pub fn costs_money(&self) -> bool {
        self.file.costs_money
    }

    /// What to do about a message of which nobody knows whether it was accepted, unless the administrator says.
    pub fn after_unknown(&self) -> AfterUnknown {
        if self.costs_money() { AfterUnknown::Skip } else { AfterUnknown::Repeat }
    }

    /// Whether the service knows a repeated message and does not show it twice.
    pub fn knows_repeats(&self) -> bool {
        self.file.knows_repeats.as_ref().is_some_and(|knows| *knows.get_ref())
    }

    /// What it is sent unless the administrator says; none: as every receiver.
    pub fn default_tell(&self) -> Option<&[Kind]> {
        self.file.default_tell.as_deref()
    }

    /// How it wants its texts.
    pub fn style(&self) -> Style {
        let text = &self.file.text;
        Style {
            unit: text.unit,
            limit: text.limit as usize,
            markup: text.markup.clone(),
            lines: text.lines,
            links_addresses: text.links_addresses,
        }
    }

    /// What `reply` to a message, received at `now`, means.
    pub fn meaning(&self, reply: &Reply, now: SystemTime) -> Outcome {
        answer::classify(&self.file, reply, now)
    }

    /// The parameter that [`Http::discover`] finds, and what the person does before.
    pub fn discovers(&self) -> Option<(&str, &str)> {
        let discover = self.file.discover.as_ref()?.get_ref();
        Some((&discover.parameter, &discover.before))
    }
}

/// What receivers are tried with before there is a message.
#[cfg(test)]
pub(super) fn example() -> crate::receiver::Message<'static> {
    send::EXAMPLE
}
