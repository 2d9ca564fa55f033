//! What a mail server's reply means (RFC 5321, 3463), and what the administrator does about it.

use crate::receiver::Outcome;

/// A reply: its number, and its first line's words without any secret.
pub(super) struct Reply {
    pub code: u16,
    pub words: String,
}

impl Reply {
    pub fn line(&self) -> String {
        format!("{} {}", self.code, self.words)
    }

    /// For now; the same may be taken later.
    pub fn is_for_now(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Subject and detail of an enhanced status code such as 5.7.1.
    fn enhanced(&self) -> Option<(u16, u16)> {
        let mut parts = self.words.split(' ').next()?.split('.').map(str::parse::<u16>);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(_)), Some(Ok(subject)), Some(Ok(detail)), None) => Some((subject, detail)),
            _ => None,
        }
    }

    /// What is to be done about a refusal before the text was sent; `usual` where the reply itself does not say. Servers
    /// like to judge client and sender only when they hear of a recipient, so the step alone says little. "receivers add"
    /// asks once more for what this names: each is in the list `advice` of the kind's description.
    pub fn advice(&self, usual: &'static str, logs_in: bool) -> &'static str {
        let words = self.words.to_ascii_lowercase();
        let says = |all: &[&str]| all.iter().any(|one| words.contains(one));
        let is_closed = says(&["relay", "client host"]);
        let wants_login = self.code == 530 || is_closed || says(&["authentic", "log in"]);
        if says(&["starttls", "encrypt"]) {
            "check port and tls"
        } else if says(&["helo"]) {
            "the server wants another name of this machine (hostname)"
        } else if wants_login && !logs_in {
            "the server takes this from accounts only: set user and password"
        } else if says(&["sender"]) || matches!(self.enhanced(), Some((1, 7 | 8))) {
            "check from"
        } else if is_closed {
            "the account may not send this: check from and to"
        } else if self.is_for_now() {
            "it is tried again without anybody's doing"
        } else {
            usual
        }
    }

    /// What the reply to the dot means for the message. Servers judge all of it there: the text, its size, and who may send
    /// what to whom. Only what is surely the text's fault is the text's end.
    pub fn to_the_dot(&self, why: String) -> Outcome {
        match (self.code, self.enhanced()) {
            (250, _) => Outcome::Accepted { id: String::new() },
            (400..=499, _) => Outcome::NotSent { why },
            (500..=599, Some((6, _) | (3, 4) | (2, 3))) => Outcome::Refused { why },
            // Addresses, the mailbox, the server itself.
            (500..=599, Some((1..=5, _))) => Outcome::Stop { why },
            (552, _) => Outcome::Refused { why },
            // Policy, which may mean either, and what only words say.
            (500..=599, _) => Outcome::Suspect { why },
            _ => Outcome::ambiguous(format!("{why}; it may have the message")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> Reply {
        let (code, words) = line.split_once(' ').unwrap();
        Reply { code: code.parse().unwrap(), words: words.into() }
    }

    #[test]
    fn the_advice_names_what_the_server_speaks_of_and_not_when_it_does() {
        for (line, logs_in, expected) in [
            // As Postfix, OpenSMTPD and Exim say it, each of them in the place of a reply to RCPT.
            (
                "550 5.1.1 <x@a.test>: Recipient address rejected: User unknown in local recipient table",
                true,
                "to",
            ),
            ("504 5.5.2 <root@web1>: Sender address rejected: need fully-qualified address", false, "from"),
            ("553 5.7.1 <a@b.test>: Sender address rejected: not owned by user me", true, "from"),
            (
                "554 5.7.1 <a.test[192.0.2.1]>: Client host rejected: Access denied",
                false,
                "user and password",
            ),
            ("530 5.5.1 Invalid command: Must issue an AUTH command first", false, "user and password"),
            ("550 relay not permitted", false, "user and password"),
            ("454 4.7.1 <x@a.test>: Relay access denied", false, "user and password"),
            ("454 4.7.1 <x@a.test>: Relay access denied", true, "from and to"),
            ("530 5.7.0 Must issue a STARTTLS command first", false, "port and tls"),
            (
                "504 5.5.2 <web1>: Helo command rejected: need fully-qualified hostname",
                true,
                "name of this machine",
            ),
            ("450 4.2.0 <x@a.test>: Recipient address rejected: Greylisted", true, "tried again"),
        ] {
            let advice = reply(line).advice("check to", logs_in);
            assert!(advice.contains(expected), "{line}: {advice}");
        }
        // What is said to AUTH is about the login, in whatever words.
        for line in [
            "535 5.7.8 Error: authentication failed: (reason unavailable)",
            "535 Incorrect authentication data",
        ] {
            assert_eq!(reply(line).advice("check user and password", true), "check user and password");
        }
        assert!(
            reply("454 4.7.0 Temporary authentication failure")
                .advice("check user", true)
                .contains("tried again")
        );
    }

    #[test]
    fn only_what_is_surely_the_texts_fault_is_its_end() {
        for (line, expected) in [
            ("250 2.0.0 Ok: queued", "accepted"),
            ("451 4.7.1 later", "not sent"),
            ("452 4.3.1 Insufficient system storage", "not sent"),
            ("552 5.3.4 Message size exceeds fixed limit", "refused"),
            ("552 Message size exceeds maximum permitted", "refused"),
            ("554 5.6.0 Message contains NUL characters", "refused"),
            ("552 5.2.2 Mailbox full", "stop"),
            ("554 5.2.252 SendAsDenied; a@b.test not allowed to send as c@b.test", "stop"),
            ("550 5.4.5 Daily user sending limit exceeded", "stop"),
            ("550 5.7.26 This mail has been blocked because the sender is unauthenticated", "suspect"),
            ("550 5.7.1 looks like spam", "suspect"),
            ("550 Administrative prohibition", "suspect"),
            ("354 what", "ambiguous"),
        ] {
            assert_eq!(reply(line).to_the_dot(String::new()).kind(), expected, "{line}");
        }
    }
}
