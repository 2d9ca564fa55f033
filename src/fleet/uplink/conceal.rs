//! What leaves the member of names: a name of no account may be a password that was typed in the wrong field.
//!
//! In its place stands a digest with a key that never leaves this machine, of 40 bits: the same name has the same
//! digest, so that the hub counts distinct ones, and nobody who has it can try words against it.

use authalert::accounts::Accounts;
use authalert::event::Event;
use authalert::message::shape;
use ring::hmac;

use crate::identity::Names;
use crate::protocol::Item;

/// Makes items of events.
pub struct Concealer {
    key: hmac::Key,
    names: Names,
    accounts: Accounts,
}

impl std::fmt::Debug for Concealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Concealer").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Concealer {
    /// With the member's key.
    pub fn new(secret: &[u8], names: Names, accounts: Accounts) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), names, accounts }
    }

    /// A new pass begins.
    pub fn refresh(&mut self) {
        self.accounts.refresh();
    }

    /// What is sent of `event`. The machine is not said, which the hub knows, nor the place in a log.
    pub fn item(&mut self, event: Event, told: bool) -> Item {
        let claimed = event.is_claimed();
        let mut event = Event { origin: None, host: String::new(), ..event };
        let (user, ruser) = (self.accounts.standing(&event.user), self.accounts.standing(&event.ruser));
        if self.names == Names::Hidden {
            self.hide(&mut event.user, user.is_account());
            self.hide(&mut event.ruser, ruser.is_account());
            let has_shape = shape::of(&event);
            self.hide(&mut event.service, has_shape.service);
            self.hide(&mut event.tty, has_shape.tty);
            self.hide(&mut event.rhost, has_shape.rhost);
        }
        Item { event, user, ruser, told, claimed }
    }

    fn hide(&self, text: &mut String, may_be_shown: bool) {
        if may_be_shown || text.is_empty() {
            return;
        }
        let digest = hmac::sign(&self.key, text.as_bytes());
        let hex: String = digest.as_ref().iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        *text = format!("hidden-{hex}");
    }
}

#[cfg(test)]
mod tests {
    use authalert::accounts::AccountKind;
    use authalert::event::Class;

    use super::*;

    fn event(user: &str, ruser: &str, service: &str, tty: &str, rhost: &str) -> Event {
        let text = format!(
            r#"{{"time":"2026-01-05T12:00:00Z","host":"db1","route":"log","class":"failure","service":{service:?},
            "user":{user:?},"ruser":{ruser:?},"tty":{tty:?},"rhost":{rhost:?},"origin":"/var/log/auth.log:7"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn concealer(secret: u8, names: Names) -> Concealer {
        let passwd = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(passwd.path(), "alice:x:1000:1000::/home/alice:/bin/bash\n").unwrap();
        Concealer::new(&[secret; 32], names, Accounts::new(passwd.path().into(), None))
    }

    #[test]
    fn what_may_be_a_password_leaves_in_no_field() {
        let typed = "S3cret Pa$$word!";
        let item = concealer(1, Names::Hidden).item(event(typed, typed, typed, typed, typed), false);
        let sent = serde_json::to_string(&item).unwrap();
        assert!(!sent.contains("S3cret"), "{sent}");
        assert!(!sent.contains("auth.log") && !sent.contains("db1"), "{sent}");
        assert_eq!(item.user, AccountKind::Unknown);
    }

    #[test]
    fn accounts_and_what_has_its_shape_are_sent_as_they_are() {
        let item = concealer(1, Names::Hidden).item(event("alice", "root", "sshd", "ssh", "192.0.2.7"), true);
        let Item { event, user, ruser, told, .. } = item;
        assert_eq!(
            (event.user.as_str(), event.ruser.as_str(), event.rhost.as_str()),
            ("alice", "root", "192.0.2.7")
        );
        assert_eq!((event.service.as_str(), event.tty.as_str()), ("sshd", "ssh"));
        assert_eq!((user, ruser, told), (AccountKind::Existing, AccountKind::Root, true));
    }

    #[test]
    fn what_somebody_claims_of_himself_is_sent_as_that() {
        for (mark, claimed) in [("s", true), ("", false)] {
            let mut login = event("root", "alice", "su", "", "");
            (login.class, login.origin) = (Class::Login, Some(format!("journal:7:0:1{mark}")));
            assert_eq!(login.is_claimed(), claimed);
            assert_eq!(concealer(1, Names::Hidden).item(login, false).claimed, claimed);
        }
    }

    #[test]
    fn distinct_names_have_distinct_digests_under_a_key_of_the_member() {
        let (mut one, mut other) = (concealer(1, Names::Hidden), concealer(2, Names::Hidden));
        let mut of = |name: &str| one.item(event(name, "", "sshd", "", ""), false).event.user;
        assert_eq!(of("bob"), of("bob"));
        assert_ne!(of("bob"), of("Bob"));
        assert_ne!(of("bob"), other.item(event("bob", "", "sshd", "", ""), false).event.user);
        let shown = concealer(1, Names::Shown).item(event("bob", "", "sshd", "", ""), false);
        assert_eq!(shown.event.user, "bob");
    }
}
