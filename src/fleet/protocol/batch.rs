//! One message of a member: items that bear the numbers `first` to `last` of its epoch.

use std::fmt;

use authalert::accounts::AccountKind;
use authalert::event::Event;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::VERSION;

/// Longest message, in bytes; the stream refuses a longer one.
pub const LARGEST: usize = 256 << 10;
/// The largest number; what JSON's numbers hold exactly.
const LAST: u64 = 1 << 53;

/// When a member's numbers began: random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// One record, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What happened; without a machine, which the hub knows from the subject.
    pub event: Event,
    /// What the tried name is on the member.
    pub user: AccountKind,
    /// What the asker's name is on the member.
    pub ruser: AccountKind,
    /// The member alerted of it by its own receivers, as the hub was away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// See [`Event::is_claimed`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// See [`VERSION`].
    pub v: u32,
    /// Numbers are of this epoch.
    pub epoch: Epoch,
    /// The process that composed it, for a person who looks for the second of two.
    pub inst: Epoch,
    /// Number of the first item.
    pub first: u64,
    /// Number of the last one; the one before `first` where there is none, which says that the member lives.
    pub last: u64,
    /// A hub has confirmed everything up to this number, and the member has it no more: a hub that does not
    /// know of it, because its disk and the engine's are gone, goes on from here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub floor: u64,
    /// Failures of this epoch that found no room at the member, all together.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
    /// What happened.
    pub items: Vec<Item>,
}

/// A batch, as the hub reads it.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// Its envelope, without the items.
    pub batch: Batch,
    /// The items; none for one that this version cannot read.
    pub items: Vec<Option<Item>>,
}

/// Why a message is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is too long, is not JSON, or has not the fields.
    Shape,
    /// A later version wrote it.
    Newer,
    /// Numbers that are not those of the items.
    Numbers,
}

impl Batch {
    /// A batch without an item: the member lives, and has sent everything up to `last`.
    pub fn heartbeat(epoch: Epoch, inst: Epoch, last: u64, (floor, lost): (u64, u64)) -> Self {
        Self { v: VERSION, epoch, inst, first: last + 1, last, floor, lost, items: Vec::new() }
    }

    /// Whether there is nothing in it.
    pub fn is_heartbeat(&self) -> bool {
        self.first > self.last
    }

    /// Read a message. Whatever is wrong with one item costs that item alone.
    pub fn decode(bytes: &[u8]) -> Result<Received, Malformed> {
        /// The same, with items of any shape.
        #[derive(Deserialize)]
        struct Outline {
            v: u32,
            epoch: Epoch,
            inst: Epoch,
            first: u64,
            last: u64,
            #[serde(default)]
            floor: u64,
            #[serde(default)]
            lost: u64,
            items: Vec<serde_json::Value>,
        }

        if bytes.len() > LARGEST {
            return Err(Malformed::Shape);
        }
        let (batch, items) = match serde_json::from_slice::<Self>(bytes) {
            Ok(mut batch) => {
                let items = std::mem::take(&mut batch.items).into_iter().map(Some).collect();
                (batch, items)
            }
            Err(_) => {
                let read: Outline = serde_json::from_slice(bytes).map_err(|_| Malformed::Shape)?;
                let Outline { v, epoch, inst, first, last, floor, lost, items } = read;
                let items: Vec<_> =
                    items.into_iter().map(|item| serde_json::from_value::<Item>(item).ok()).collect();
                (Self { v, epoch, inst, first, last, floor, lost, items: Vec::new() }, items)
            }
        };
        if batch.v != VERSION {
            return Err(if batch.v > VERSION { Malformed::Newer } else { Malformed::Shape });
        }
        let held = batch
            .last
            .saturating_add(1)
            .checked_sub(batch.first)
            .filter(|_| batch.last <= LAST && batch.first > 0 && batch.floor <= LAST);
        if held != Some(items.len() as u64) {
            return Err(Malformed::Numbers);
        }
        Ok(Received { batch, items })
    }

    /// As it is sent.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

impl Epoch {
    /// A new one.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 8];
        let (filled, _) = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())
            .map(|n| (n, ()))?;
        if filled != bytes.len() {
            return Err(std::io::Error::other("the kernel gave too few random bytes"));
        }
        Ok(Self(u64::from_be_bytes(bytes)))
    }

    /// From 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        shaped.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an epoch is 16 hexadecimal digits"))
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(first: u64, last: u64, items: &str) -> Vec<u8> {
        format!(
            r#"{{"v":1,"epoch":"00000000000000aa","inst":"00000000000000bb","first":{first},"last":{last},"items":[{items}]}}"#
        )
        .into_bytes()
    }

    const ITEM: &str = r#"{"event":{"time":"2026-01-05T12:00:00Z","route":"pam","class":"failure","service":"sshd"},"user":"unknown","ruser":"unknown"}"#;

    #[test]
    fn what_is_sent_is_what_is_read() {
        let read = Batch::decode(&text(1, 2, &format!("{ITEM},{ITEM}"))).unwrap();
        assert_eq!((read.items.len(), read.batch.first, read.batch.last), (2, 1, 2));
        let batch = Batch { items: read.items.into_iter().flatten().collect(), ..read.batch };
        assert_eq!(Batch::decode(&batch.encode().unwrap()).unwrap().items.len(), 2);
    }

    #[test]
    fn numbers_are_those_of_the_items() {
        for (first, last, items) in
            [(1, 3, ITEM), (2, 1, ITEM), (0, 0, ITEM), (5, 2, ""), (1, u64::MAX, ITEM)]
        {
            assert!(Batch::decode(&text(first, last, items)).is_err(), "{first} {last}");
        }
        assert!(Batch::decode(&text(8, 7, "")).unwrap().batch.is_heartbeat());
        assert_eq!(Batch::decode(&text(1, u64::MAX - 1, ITEM)), Err(Malformed::Numbers));
    }

    #[test]
    fn an_item_of_a_later_version_keeps_its_number() {
        let read = Batch::decode(&text(1, 2, &format!(r#"{{"event":{{"class":"new"}}}},{ITEM}"#))).unwrap();
        assert_eq!(read.items.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
        let newer = String::from_utf8(text(1, 1, ITEM)).unwrap().replace("\"v\":1", "\"v\":2");
        assert_eq!(Batch::decode(newer.as_bytes()), Err(Malformed::Newer));
    }

    #[test]
    fn what_is_no_batch_is_refused_whole() {
        assert_eq!(Batch::decode(b""), Err(Malformed::Shape));
        assert_eq!(Batch::decode(&vec![b' '; LARGEST + 1]), Err(Malformed::Shape));
        assert_eq!(Batch::decode(br#"{"v":1,"epoch":"x"}"#), Err(Malformed::Shape));
        assert!(Epoch::parse("+00000000000000a").is_none());
    }
}
