//! What is carried from one pass to the next.

use std::collections::VecDeque;
use std::fmt;

use compact_str::CompactString;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::excuse::{EXCUSES, Excuse};
use super::process::{Key, Process, name};
use super::relayed::{SAID, is_of_mail};
use super::success::LetIn;
use super::{ABORTED, Attempts, LOOK_BACK, PROCESSES};
use crate::scan::rules::Family;

/// Processes of which more may be told, and what is remembered beside them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Open {
    #[serde(deserialize_with = "each_in_its_size")]
    pub(super) processes: Vec<Process>,
    pam_only: Vec<Key>,
    checks: Vec<Key>,
    #[serde(default)]
    connections: Vec<((u64, u32), Key)>,
    #[serde(default)]
    aborted: VecDeque<(u64, Family, CompactString, i64)>,
    #[serde(default)]
    let_in: LetIn,
    #[serde(default)]
    su_speaks: bool,
    #[serde(default)]
    excuses: VecDeque<Excuse>,
    #[serde(default)]
    said: VecDeque<(Key, u64, i64)>,
}

impl Attempts {
    /// What is still open.
    pub fn open_processes(&self) -> Open {
        let live = |(key, number): &(Key, u64)| {
            self.processes
                .get(key)
                .filter(|process| process.number == *number)
                .map(|process| Process::clone(process))
        };
        let processes = self.order.iter().filter_map(live).collect();
        Open { processes, ..self.beside_the_processes() }
    }

    /// The same at the end: the processes, which may be megabytes, are handed over.
    pub fn into_open(mut self) -> Open {
        let beside = self.beside_the_processes();
        let mut processes = Vec::with_capacity(self.processes.len());
        for (key, number) in &self.order {
            if self.processes.get(key).is_some_and(|process| process.number == *number) {
                processes.extend(self.processes.remove(key).map(|process| *process));
            }
        }
        Open { processes, ..beside }
    }

    fn beside_the_processes(&self) -> Open {
        Open {
            processes: Vec::new(),
            pam_only: self.pam_only.iter().map(|(key, _)| *key).collect(),
            checks: self.checks.iter().map(|(key, _)| *key).collect(),
            connections: self
                .connections
                .iter()
                .filter(|(_, key)| self.processes.contains_key(key))
                .map(|(connection, key)| (*connection, *key))
                .collect(),
            aborted: self.aborted.clone(),
            let_in: self.let_in.clone(),
            su_speaks: self.su_speaks,
            excuses: self.excuses.clone(),
            said: self.said.clone(),
        }
    }

    /// Go on from what was open.
    pub fn resume(open: Open) -> Self {
        let mut attempts = Self::default();
        for mut process in open.processes.into_iter().take(PROCESSES) {
            attempts.opened += 1;
            process.number = attempts.opened;
            attempts.order.push_back((process.key, process.number));
            if process.helps || process.rows.iter().any(is_of_mail) {
                attempts.remember_helper(process.key);
            }
            attempts.insert(process);
        }
        let processes = &attempts.processes;
        // One that asks for several clients may be meant by each of their names.
        let whom = |key: Key| {
            let rows = processes.get(&key).map_or(&[][..], |process| process.rows.as_slice());
            let user = rows.last().map_or("", |row| row.user.as_str());
            (key, if rows.iter().all(|row| row.user == user) { name(user) } else { 0 })
        };
        attempts.pam_only = open.pam_only.into_iter().take(LOOK_BACK).map(whom).collect();
        attempts.checks = open.checks.into_iter().take(LOOK_BACK).map(whom).collect();
        attempts.connections = open.connections.into_iter().take(PROCESSES).collect();
        attempts.let_in = open.let_in;
        attempts.su_speaks = open.su_speaks;
        attempts.said = open.said.into_iter().take(SAID).collect();
        attempts.excuses = open.excuses.into_iter().take(EXCUSES).collect();
        attempts.aborted = open.aborted.into_iter().take(ABORTED).collect();
        attempts
    }
}

/// Thousands of processes with a row or two, as they are read: a list that grows has room for four rows.
fn each_in_its_size<'de, D: Deserializer<'de>>(processes: D) -> Result<Vec<Process>, D::Error> {
    struct Each;

    impl<'de> Visitor<'de> for Each {
        type Value = Vec<Process>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("processes")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut processes: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(mut process) = processes.next_element::<Process>()? {
                process.rows.shrink_to_fit();
                process.modules.shrink_to_fit();
                all.push(process);
            }
            Ok(all)
        }
    }

    processes.deserialize_seq(Each)
}
