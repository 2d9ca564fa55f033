//! Lines that hold words of an attempt, and count for nothing: how many, and why.

use std::ops::AddAssign;

/// Such lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// Somebody wrote them who cannot know of it (the systemd journal alone tells).
    pub forged: u64,
    /// Which program wrote them the systemd journal does not know.
    pub unattributed: u64,
    /// They do not begin as a log daemon writes them.
    pub not_understood: u64,
}

impl Uncounted {
    /// What a person is told of them, without a full stop.
    pub fn sentences(&self) -> Vec<String> {
        let forged = match self.forged {
            0 => None,
            1 => Some("1 line is forged, and counts for nothing: another program wrote it".into()),
            n => Some(format!("{n} lines are forged, and count for nothing: other programs wrote them")),
        };
        let unattributed = match self.unattributed {
            0 => None,
            1 => Some(
                "1 line is not counted: the systemd journal does not know which program wrote it, as that had ended"
                    .into(),
            ),
            n => Some(format!(
                "{n} lines are not counted: the systemd journal does not know which programs wrote them, as those had ended"
            )),
        };
        let not_understood = match self.not_understood {
            0 => None,
            1 => Some("1 line was not understood: it begins as no log daemon writes it".into()),
            n => Some(format!("{n} lines were not understood: they begin as no log daemon writes them")),
        };
        [forged, unattributed, not_understood].into_iter().flatten().collect()
    }
}

impl AddAssign for Uncounted {
    fn add_assign(&mut self, more: Self) {
        self.forged += more.forged;
        self.unattributed += more.unattributed;
        self.not_understood += more.not_understood;
    }
}
