//! Parameters that exclude each other: a token, or a user with a password.

use serde::Deserialize;

/// `[[choice]]`: one of several ways, each with parameters of its own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is chosen: one line, for the question.
    pub find: String,
    /// None of them is an answer as well.
    #[serde(default)]
    pub optional: bool,
    /// The parameters of each way. The first one gives it its name and must be given where it is chosen; a secret one
    /// goes with the one before it.
    pub ways: Vec<Vec<String>>,
}

impl Choice {
    /// The name of each way.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ways.iter().filter_map(|way| way.first()).map(String::as_str)
    }

    /// Which way a parameter belongs to, and its place there.
    pub fn place_of(&self, parameter: &str) -> Option<(usize, usize)> {
        let at = |way: &Vec<String>| way.iter().position(|name| name == parameter);
        self.ways.iter().enumerate().find_map(|(i, way)| Some((i, at(way)?)))
    }

    /// The ways of which something was given.
    pub fn taken(&self, is_given: impl Fn(&str) -> bool) -> Vec<usize> {
        let is_taken = |way: &Vec<String>| way.iter().any(|name| is_given(name));
        self.ways.iter().enumerate().filter(|(_, way)| is_taken(way)).map(|(i, _)| i).collect()
    }

    /// Whether no two ways were given, and one where there must be one. The error says what to do.
    pub fn check(&self, is_given: impl Fn(&str) -> bool) -> Result<(), String> {
        match self.taken(&is_given)[..] {
            [] if self.optional => Ok(()),
            [] => Err(format!("{} is missing", self.names().collect::<Vec<_>>().join(" or "))),
            [way] => match self.ways[way].iter().take(1).find(|name| !is_given(name)) {
                Some(name) => Err(format!("{name} is missing: {}", self.find)),
                None => Ok(()),
            },
            [one, other, ..] => {
                let first = |way: usize| self.ways[way].iter().find(|name| is_given(name));
                let both: Vec<_> = [one, other].into_iter().filter_map(first).map(String::as_str).collect();
                Err(format!("{} exclude each other; take one of them out", both.join(" and ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_is_right_and_two_are_not() {
        let choice = |optional| Choice {
            find: "how it logs in".into(),
            optional,
            ways: [vec!["token"], vec!["user", "password"]]
                .map(|way| way.into_iter().map(str::to_owned).collect())
                .into(),
        };
        let check = |optional, given: &[&str]| choice(optional).check(|name| given.contains(&name));
        for given in [&["token"][..], &["user"], &["user", "password"]] {
            assert_eq!(check(false, given), Ok(()), "{given:?}");
        }
        assert_eq!(check(true, &[]), Ok(()));
        for (given, words) in [
            (&[][..], "token or user is missing"),
            (&["password"], "user is missing: how it logs in"),
            (&["token", "password"], "token and password exclude each other"),
        ] {
            assert!(check(false, given).unwrap_err().contains(words), "{given:?}");
        }
        assert_eq!(choice(false).place_of("password"), Some((1, 1)));
    }
}
