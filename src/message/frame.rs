//! What stands around a text: `HOST: ` and ` ·aID`, and how a text comes to fit between them.

use super::content::Dispatch;
use super::machine::HOST;
use super::style::Style;
use super::text::tag;

/// From here on a text has room for a word about an earlier one.
const REMARK: usize = 140;

/// What stands around a text: `HOST: ` and ` ·aID`.
pub(super) struct Frame<'a> {
    style: &'a Style,
    before: String,
    after: String,
}

impl<'a> Frame<'a> {
    /// `lead` (`BREAK-IN? `), `machine` and the number. Where the text has to hold `least`, the name of
    /// the machine gives way.
    pub(super) fn new(
        style: &'a Style,
        lead: &str,
        machine: &str,
        least: String,
        dispatch: Dispatch,
    ) -> Self {
        let remark = match dispatch.unclear {
            Some(earlier) if style.limit >= REMARK => format!(" ({} may not have come)", tag(earlier)),
            _ => String::new(),
        };
        let after = style.safe(&format!("{remark} ·{}", tag(dispatch.number)));
        let others = style.measure_safe(&format!("{lead}: {least}")) + style.unit.measure(&after);
        let room = style.limit.saturating_sub(others).min(HOST.min(style.limit / 4));
        let before = style.safe(&format!("{lead}{}: ", style.fitted(machine, room)));
        Self { style, before, after }
    }

    /// What is left for the text.
    pub(super) fn room(&self) -> usize {
        let around = self.style.unit.measure(&self.before) + self.style.unit.measure(&self.after);
        self.style.limit.saturating_sub(around)
    }

    /// The first of `forms` that fits, else the last one, cut.
    pub(super) fn first_that_fits(&self, forms: &[String]) -> String {
        let room = self.room();
        let fits = |text: &&String| self.style.measure_safe(text) <= room;
        let text = forms.iter().find(fits).or(forms.last()).map_or("", String::as_str);
        let text = format!("{}{}{}", self.before, self.style.fitted(text, room), self.after);
        // Below the smallest limit that a text is made for, the number is lost first.
        self.style.fitted(&text, self.style.limit)
    }
}
