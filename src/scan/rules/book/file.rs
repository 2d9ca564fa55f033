//! A file of rules: the lines of one program, or of one PAM module.

use std::ops::Range;

use super::field::Field;
use super::forms::forms;
use super::registry::LARGEST;
use super::template::{Template, Values};
use super::written::{Means, Sample, TOP, Written, WrittenRule};
use crate::config;
pub use crate::config::Mistake;

/// One rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// What its lines mean.
    pub means: Means,
    /// The stable word for them.
    pub class: String,
    /// Why they are no attempt.
    pub why: String,
    user: Option<String>,
    templates: Vec<Template>,
}

impl Rule {
    /// The templates that `line` fits, and what it has in the places of their fields.
    fn read<'a>(&'a self, line: &'a [u8]) -> impl Iterator<Item = (&'a Template, Values<'a>)> {
        self.templates.iter().filter_map(move |template| {
            let mut values = template.read(line)?;
            if let Some(user) = &self.user {
                values.user = user.as_bytes();
            }
            Some((template, values))
        })
    }

    /// What a line has that was cut short.
    pub(super) fn read_cut<'a>(&'a self, line: &'a [u8]) -> Option<Values<'a>> {
        self.may_be_cut().then(|| self.templates.iter().find_map(|template| template.read_cut(line)))?
    }

    fn may_be_cut(&self) -> bool {
        matches!(self.means, Means::Failure | Means::UnknownUser)
    }

    /// Of each of its lines, the fixed words by which it is found.
    pub(super) fn words(&self) -> impl Iterator<Item = impl Iterator<Item = &[u8]>> {
        self.templates.iter().map(|template| template.words(self.may_be_cut()))
    }
}

/// The rules of a program or module, checked.
#[derive(Clone, Debug)]
pub struct File {
    /// What it is about, in one line.
    pub about: String,
    /// The tags of the programs, or names of modules, that its lines are of; with `*` at the end: all that begin so.
    pub names: Vec<String>,
    /// Whether those are of PAM modules.
    pub is_of_modules: bool,
    /// The PAM service, where it is not the program's tag.
    pub service: Option<String>,
    /// What nobody could confirm.
    pub unconfirmed: Vec<String>,
    /// The lines, as they are written, with what they mean.
    pub shown: Vec<(String, Vec<String>)>,
    pub(super) rules: Vec<Rule>,
    samples: Vec<Sample>,
}

type Wrong = (Option<Range<usize>>, String);

impl File {
    /// Parse and check `text`; `name` is the stem of the file's name, `file` how a mistake calls it.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, Mistake> {
        Self::checked(name, file, text, true)
    }

    /// The same of a file that is built in: that its rules fit their samples is known, and need not be seen at each start.
    pub(super) fn built_in(name: &str, file: &str, text: &str) -> Result<Self, Mistake> {
        Self::checked(name, file, text, false)
    }

    fn checked(name: &str, file: &str, text: &str, by_samples: bool) -> Result<Self, Mistake> {
        let mistake = |(span, why): Wrong| Mistake {
            file: file.into(),
            line: span.map(|span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1),
            column: None,
            why,
        };
        let written: Written = toml::from_str(text)
            .map_err(|e| mistake((e.span(), crate::neutral::text(config::why(text, &e, &TOP), 400))))?;
        let checked = Self::of(name, &written).map_err(mistake)?;
        if by_samples {
            checked.try_samples(&written).map_err(mistake)?;
        }
        Ok(checked)
    }

    fn of(name: &str, written: &Written) -> Result<Self, Wrong> {
        let (names, is_of_modules) = match (written.programs.is_empty(), written.modules.is_empty()) {
            (false, true) => (&written.programs, false),
            (true, false) => (&written.modules, true),
            _ => {
                return Err((
                    None,
                    "it names either `programs`, the tags of their lines, or PAM `modules`".into(),
                ));
            }
        };
        for name in names {
            let stem = name.get_ref().strip_suffix('*').unwrap_or(name.get_ref());
            let is_all = stem.is_empty() && is_of_modules;
            if !is_all && (stem.is_empty() || stem.contains(['*', ' ', '/', '[', '('])) {
                let why = "a name is the tag of a line without path and number, such as \"proftpd\"; one `*` may be at its end";
                return Err((Some(name.span()), why.into()));
            }
        }
        let mut rules = Vec::new();
        let mut shown = Vec::new();
        let mut samples = Vec::new();
        let mut room = LARGEST as usize;
        for written in written.rule.get_ref() {
            samples.extend(written.samples.iter().map(|sample| sample.get_ref().clone()));
            let lines: Vec<String> =
                written.lines.get_ref().iter().map(|line| line.get_ref().clone()).collect();
            shown.push((written.means.get_ref().word().to_owned(), lines));
            rules.push(rule(name, written, is_of_modules, &mut room)?);
        }
        if rules.is_empty() {
            return Err((Some(written.rule.span()), "it has no rule".into()));
        }
        Ok(Self {
            about: written.about.clone(),
            names: names.iter().map(|name| name.get_ref().clone()).collect(),
            is_of_modules,
            service: written.service.clone(),
            unconfirmed: written.unconfirmed.clone(),
            shown,
            rules,
            samples,
        })
    }

    /// Hold the rules against their own samples.
    fn try_samples(&self, written: &Written) -> Result<(), Wrong> {
        for (number, rule) in written.rule.get_ref().iter().enumerate() {
            for sample in &rule.samples {
                let wanted = sample.get_ref();
                let found = self.read(wanted.line.as_bytes());
                let why = match found {
                    Some((at, values)) if at == number => differs(wanted, &values),
                    Some((at, _)) => Some(format!(
                        "the sample is a line of rule {} in this file, which comes first",
                        at + 1
                    )),
                    None => Some("the sample is not a line of any rule in this file".into()),
                };
                if let Some(why) = why {
                    return Err((Some(sample.span()), why));
                }
            }
            for other in &rule.not {
                let found = self.read(other.get_ref().as_bytes());
                if found.is_some_and(|(at, _)| at == number) {
                    return Err((Some(other.span()), "this is a line of the rule, and must not be".into()));
                }
            }
        }
        Ok(())
    }

    /// The first rule that a line is of, and what it has in its places.
    pub(super) fn read<'a>(&'a self, line: &'a [u8]) -> Option<(usize, Values<'a>)> {
        let cut = || self.rules.iter().enumerate().find_map(|(at, rule)| Some((at, rule.read_cut(line)?)));
        self.read_whole(line).or_else(cut)
    }

    /// What a client calls itself may hold the words of another line of the program. So every template is tried: a
    /// failure is one whatever else fits, and where they differ about the place nothing is said of who and where.
    fn read_whole<'a>(&'a self, line: &'a [u8]) -> Option<(usize, Values<'a>)> {
        let rules = self.rules.iter().enumerate();
        let mut found = rules
            .flat_map(|(at, rule)| rule.read(line).map(move |(template, values)| (at, template, values)));
        let means = |at: usize| self.rules.get(at).map(|rule| rule.means);
        let is_failure = |at: usize| means(at).is_some_and(Means::is_failure);
        let (mut at, first, mut values) = found.next()?;
        let mut count = values.count;
        let mut is_certain = true;
        for (other, template, others) in found {
            is_certain &= !template.tells_of_a_client() || values.is_of_the_place_of(&others);
            if !is_failure(at) && first.is_open() && is_failure(other) {
                (at, values, count) = (other, others, others.count);
            }
            if is_failure(other) {
                count = count.min(others.count);
            }
        }
        if is_certain {
            return Some((at, values));
        }
        // That somebody got in, or is a client, is nothing without a place that is certain.
        let is_lost = matches!(means(at), Some(Means::Success | Means::Excuse | Means::Client));
        (!is_lost).then(|| (at, Values { count, ..Values::default() }))
    }

    /// Each of its lines as a program writes it of a client at 192.0.2.7 port 50310 that calls itself `name`.
    #[cfg(any(test, fuzzing))]
    pub fn written(&self, name: &[u8]) -> Vec<Vec<u8>> {
        self.rules.iter().flat_map(|rule| &rule.templates).map(|template| template.written(name)).collect()
    }

    /// Lines that it bears as samples.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter()
    }
}

/// `room`: so long may the forms of its lines be, and of those in rules behind it.
fn rule(name: &str, written: &WrittenRule, is_of_modules: bool, room: &mut usize) -> Result<Rule, Wrong> {
    let means = *written.means.get_ref();
    let wrong = |why: &str| Err((Some(written.means.span()), why.to_owned()));
    match means {
        Means::Failure | Means::Success | Means::Excuse | Means::Nothing => {}
        Means::Aborted if is_of_modules => {}
        Means::Aborted => return wrong("only a PAM module tells of a prompt that was left"),
        _ if is_of_modules => {
            return wrong("a line of a PAM module means failure, success, excuse, aborted or nothing");
        }
        _ => {}
    }
    if (means == Means::Nothing) != written.why.is_some() {
        return wrong("what means nothing says `why`, in a few words, and nothing else does");
    }
    let mut templates = Vec::new();
    for line in written.lines.get_ref() {
        let wrong = |why: String| (Some(line.span()), why);
        for form in forms(line.get_ref()).map_err(wrong)? {
            *room = room.checked_sub(form.len()).ok_or_else(|| wrong(too_long()))?;
            let template = Template::parse(&form).map_err(wrong)?;
            if (means == Means::FailuresSoFar) && !template.has(Field::Count) {
                return Err(wrong("such a line has a <count>".into()));
            }
            templates.push(template);
        }
    }
    if templates.is_empty() {
        return Err((Some(written.lines.span()), "it has no line".into()));
    }
    if written.samples.is_empty() && means != Means::Nothing {
        let why =
            "each rule has `samples`: lines as the program writes them, and what is to be found in them";
        return Err((Some(written.means.span()), why.into()));
    }
    let class = written.class.clone().unwrap_or_else(|| format!("{}-failed", name.replace('_', "-")));
    let is_class = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=40).contains(&class.len()) || !class.bytes().all(is_class) {
        return wrong("a class is a word of small letters, digits and -, at most 40 of them");
    }
    let why = written.why.clone().unwrap_or_default();
    Ok(Rule { means, class, why, user: written.user.clone(), templates })
}

/// Each form is searched for in every line of a log.
fn too_long() -> String {
    format!("all that the lines of a file stand for may be {LARGEST} characters at most")
}

/// What is not as the sample says.
fn differs(wanted: &Sample, found: &Values<'_>) -> Option<String> {
    let texts = [
        ("user", &wanted.user, found.user),
        ("rhost", &wanted.rhost, found.rhost),
        ("ruser", &wanted.ruser, found.ruser),
        ("tty", &wanted.tty, found.tty),
        ("service", &wanted.service, found.service),
        ("method", &wanted.method, found.method),
    ];
    for (name, wanted, found) in texts {
        if wanted.as_bytes() != found {
            return Some(format!(
                "{name} is \"{}\" here, not \"{wanted}\"",
                crate::neutral::text(found, 100)
            ));
        }
    }
    if wanted.port != found.port {
        return Some(format!("port is {} here, not {}", found.port, wanted.port));
    }
    if wanted.count != found.count {
        let shown = |count: Option<u32>| count.map_or("not there".into(), |count| count.to_string());
        return Some(format!("count is {} here, not {}", shown(found.count), shown(wanted.count)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::rules::book::list;

    const GOOD: &str = "about = \"x\"\nprograms = [\"x\"]\n\n[[rule]]\nmeans = \"failure\"\nlines = [\"no <user> from <rhost>\"]\nsamples = [{ line = \"no a from 192.0.2.7\", user = \"a\", rhost = \"192.0.2.7\" }]\n";

    #[test]
    fn a_mistake_has_its_line_and_says_what_is_accepted() {
        assert!(File::parse("x", "x.toml", GOOD).is_ok());
        for (from, to, line, why) in [
            ("<user>", "<usr>", Some(6), "<usr> is not known; there are <user>"),
            ("<user> from", "<user><port> from", Some(6), "fixed words"),
            ("no <user> from <rhost>", "<user>", Some(6), "4 characters"),
            ("<user> from", "<user> as <account> from", Some(6), "may stand once"),
            ("<user> from", "<user> to <anything> or <anything> from", Some(6), "at most two"),
            ("<user> from", "<user> to <text> or <anything> from", Some(6), "no <text>"),
            ("no <user> from", "<a|b><a|b><a|b><a|b><a|b><a|b><a|b> <user> from", Some(6), "64 forms"),
            ("no <user>", "no <|<usr> ><user>", Some(6), "<usr> is not known"),
            (
                "no <user>",
                &format!("<a|b><a|b><a|b>{} <user>", "x".repeat(10_000)),
                Some(6),
                "65536 characters",
            ),
            ("failure", "fail", Some(5), "means: \"fail\" is not one of \"failure\", \"failure-too\""),
            ("failure", "failures-so-far", Some(6), "<count>"),
            ("failure", "nothing", Some(5), "`why`"),
            ("user = \"a\"", "user = \"b\"", Some(7), "user is \"a\" here, not \"b\""),
            ("line = \"no a", "line = \"yes a", Some(7), "not a line of any rule"),
            ("samples", "# samples", Some(5), "each rule has `samples`"),
            (
                "programs",
                "program",
                Some(2),
                "\"program\" is not a key that is known here; there are about, programs",
            ),
            (
                "\n[[rule]]",
                "\n[[rule]]\nservice = \"y\"",
                Some(5),
                "service is inside [[rule]] (line 4) and belongs above",
            ),
            ("lines = ", "line = ", Some(6), "\"line\" is not a key of [[rule]]; its keys are means, lines"),
            ("means = \"failure\"\n", "", Some(4), "means is missing in [[rule]]"),
            ("about = \"x\"", "about = x", Some(1), "in \"quotes\""),
            ("[\"x\"]", "[\"x y\"]", Some(2), "the tag of a line"),
            ("[\"x\"]", "[\"*\"]", Some(2), "the tag of a line"),
            ("programs", "modules = [\"m\"]\nprograms", None, "either `programs`"),
        ] {
            let mistake = File::parse("x", "x.toml", &GOOD.replacen(from, to, 1)).unwrap_err();
            assert_eq!(mistake.line, line, "{to}: {mistake}");
            assert!(mistake.why.contains(why), "{to}: {mistake}");
        }
        let not = GOOD.to_owned() + "not = [\"no b from 192.0.2.8\"]\n";
        let mistake = File::parse("x", "x.toml", &not).unwrap_err();
        assert_eq!((mistake.line, mistake.why.contains("must not be")), (Some(8), true), "{mistake}");
    }

    #[test]
    fn the_example_in_the_manual_is_right() {
        let page = include_str!("../../../../packaging/man/authalert-rules.5");
        let (_, example) = page.split_once("\n.nf\n").unwrap();
        let (example, _) = example.split_once("\n.fi").unwrap();
        let file = File::parse("intranet", "intranet.toml", &example.replace("\\-", "-")).unwrap();
        assert_eq!((file.names.len(), file.rules.len()), (1, 2));
        for name in crate::scan::rules::book::NAMES.map(|(name, _)| format!("<{name}>")) {
            assert!(page.contains(&name), "{name} is not explained");
        }
    }

    #[test]
    fn a_line_that_a_log_daemon_cut_short_is_an_attempt_without_an_address() {
        let text = GOOD.replace("no <user>", "no such account <user>").replace("no a", "no such account a");
        let file = File::parse("x", "x.toml", &text).unwrap();
        let line = format!("no such account {}", "x from 192.0.2.9 ".repeat(80));
        let (_, values) = file.read(line.trim_end_matches("9 ").as_bytes()).unwrap();
        assert!(values.user.starts_with(b"x from") && values.rhost.len() < 12);
        assert!(file.read(format!("no such account {}", "x".repeat(99)).as_bytes()).is_none());
    }

    /// What clients call themselves to pose as somebody else, or from elsewhere.
    fn forged(line: &[u8]) -> Vec<Vec<u8>> {
        let line = String::from_utf8_lossy(line).replace("192.0.2.7", "198.51.100.9").replace("50310", "22");
        let mut names: Vec<Vec<u8>> =
            vec![b"".to_vec(), b" ".to_vec(), b"a b".to_vec(), b"'".to_vec(), b"x>".to_vec()];
        for (at, _) in line.char_indices().filter(|(_, c)| !c.is_alphanumeric()) {
            names.push(line.as_bytes()[at..].to_vec());
            names.push([b"x".as_slice(), &line.as_bytes()[..at]].concat());
        }
        names.push([line.as_bytes(), line.as_bytes()].concat());
        names.push(line.into_bytes());
        names
    }

    #[test]
    fn no_name_moves_an_address() {
        for entry in list(std::path::Path::new("/nonexistent")) {
            let file = entry.file.unwrap();
            for honest in file.written(b"bob") {
                for name in forged(&honest) {
                    for line in file.written(&name) {
                        let Some((at, values)) = file.read(&line) else { continue };
                        if file.rules[at].means == Means::Nothing {
                            continue;
                        }
                        let shown = String::from_utf8_lossy(&line);
                        assert!(
                            [b"".as_slice(), b"192.0.2.7"].contains(&values.rhost),
                            "{}: {shown}",
                            entry.name
                        );
                        assert!(values.port == 0 || values.port == 50310, "{}: {shown}", entry.name);
                    }
                }
            }
        }
    }

    /// One of a client's words at a time holds a part of any line of the program, as a client at 198.51.100.9 has it.
    #[test]
    fn no_name_makes_a_line_another() {
        for entry in list(std::path::Path::new("/nonexistent")) {
            let file = entry.file.unwrap();
            let names: Vec<Vec<u8>> = file.written(b"bob").iter().flat_map(|honest| parts(honest)).collect();
            for (rule, template) in
                file.rules.iter().flat_map(|rule| rule.templates.iter().map(move |template| (rule, template)))
            {
                for (which, name) in (0..template.clients()).flat_map(|w| names.iter().map(move |n| (w, n))) {
                    let line = template.written_with(|at| if at == which { name } else { b"q" });
                    let shown = || format!("{}: {}", entry.name, String::from_utf8_lossy(&line));
                    let Some((at, values)) = file.read(&line) else { continue };
                    let means = file.rules[at].means;
                    assert!([b"".as_slice(), b"192.0.2.7"].contains(&values.rhost), "{}", shown());
                    assert!([0, 50310].contains(&values.port), "{}", shown());
                    assert!(values.count.is_none_or(|count| count <= 3), "{}", shown());
                    if rule.means.is_failure() {
                        assert!(means.is_failure(), "{means:?}: {}", shown());
                    }
                    if means == Means::Success {
                        assert_eq!(rule.means, Means::Success, "{}", shown());
                    }
                }
            }
        }
    }

    /// Parts of a line, from each of its words on and up to each, that make another line of one that has them in it.
    fn parts(line: &[u8]) -> Vec<Vec<u8>> {
        let line = String::from_utf8_lossy(line).replace("192.0.2.7", "198.51.100.9").replace("50310", "22");
        let line = line.replace('3', "99").into_bytes();
        let mut parts = vec![line.clone()];
        for at in (0..line.len()).filter(|at| *at == 0 || !line[*at].is_ascii_alphanumeric()) {
            let (before, behind) = line.split_at(at);
            parts.extend([[b"q", before].concat(), [b"q", behind].concat(), behind.to_vec()]);
            let inner = behind.split_last().filter(|(last, _)| b"\"'])>".contains(last));
            parts.extend(inner.map(|(_, inner)| [b"q", inner].concat()));
        }
        parts
    }

    #[test]
    fn reading_takes_time_in_proportion_to_the_line() {
        for entry in list(std::path::Path::new("/nonexistent")) {
            let file = entry.file.unwrap();
            for line in file.written(b"bob") {
                let mut hostile = line.repeat(1 + (64 << 10) / line.len());
                hostile.truncate(64 << 10);
                let started = std::time::Instant::now();
                let _ = file.read(&hostile);
                assert!(
                    started.elapsed().as_millis() < 200,
                    "{}: {}",
                    entry.name,
                    String::from_utf8_lossy(&line)
                );
            }
        }
    }
}
