//! `authalert receivers add`, as a person types it and as a script does.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::standin::Standin;

const PROGRAM: &str = env!("CARGO_BIN_EXE_authalert");

/// A directory with a configuration, and the credentials beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(config: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.config(), config).unwrap();
        place
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("config.toml")
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap_or_default()
    }

    fn arguments(&self, words: &[&str]) -> Vec<String> {
        let state = self.0.path().join("state");
        let own = ["--config", self.config().to_str().unwrap(), "--state", state.to_str().unwrap()]
            .map(str::to_owned);
        own.into_iter().chain(words.iter().map(|word| (*word).to_owned())).collect()
    }

    /// With `input` from a pipe.
    fn run(&self, words: &[&str], input: &str) -> Output {
        let mut child = Command::new(PROGRAM)
            .args(self.arguments(words))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who is refused early does not read.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// At a terminal: what the screen showed.
    fn type_in(&self, words: &[&str], script: &serde_json::Value) -> String {
        let output = Command::new("timeout")
            .args(["60", "python3"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin/terminal.py"))
            .arg(script.to_string())
            .arg(PROGRAM)
            .args(self.arguments(words))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn one_command_at_a_terminal_brings_a_message_to_an_ntfy_server() {
    let standin = Standin::plain();
    let shipped = include_str!("../../etc/config.toml");
    let place = Place::new(shipped);
    let script = json!([
        ["server [https://ntfy.sh]:", "not a server\n"],
        ["server [https://ntfy.sh]:", format!("{}\n", standin.url())],
        ["topic:", "alerts-1\n"],
        ["none, token or user [none]:", "token\n"],
        ["token (not shown)", "tk_standinsecret1\n"],
        ["press Enter for a test", "\n"],
        ["come on the phone?", "y\n"],
    ]);
    let screen = place.type_in(&["receivers", "add", "ntfy"], &script);
    assert!(screen.contains("accepted a test message") && screen.contains("echo=on"), "{screen}");
    let at = |words: &str| screen.find(words).unwrap_or_else(|| panic!("{words}: {screen}"));
    assert!(
        at("  1. Install the app") < at("accepted a test message"),
        "what is to be done comes first: {screen}"
    );
    assert!(screen.contains("server must be https://HOST"), "{screen}");
    assert!(!screen.contains("tk_standinsecret1") && !screen.contains("user:"), "{screen}");
    let sent = standin.messages();
    assert!(sent.len() == 1 && sent[0]["service"] == "ntfy", "{sent:?}");
    let config = place.text("config.toml");
    assert!(config.starts_with(shipped), "{config}");
    let added =
        format!("[[receiver]]\nkind = \"ntfy\"\nserver = \"{}\"\ntopic = \"alerts-1\"\n", standin.url());
    assert!(config.ends_with(&added), "{config}");
    assert!(place.text("credentials.toml").ends_with("[ntfy]\ntoken = \"tk_standinsecret1\"\n"));
    let mode = fs::metadata(place.0.path().join("credentials.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    // And what was set up is what is served.
    let again = place.run(&["test", "ntfy"], "");
    assert!(again.status.success(), "{again:?}");
    let listed = String::from_utf8(place.run(&["receivers"], "").stdout).unwrap();
    assert!(
        listed.contains(&format!(
            "ntfy\n    goes to server {}, topic alerts-1\n    is sent break-in",
            standin.url()
        )) && listed.contains("telegram"),
        "{listed}"
    );
    assert!(!listed.contains("standinsecret"), "{listed}");
    let removed = place.run(&["receivers", "remove", "ntfy"], "");
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(place.text("config.toml"), shipped);
    assert!(!place.0.path().join("credentials.toml").exists(), "there was none before");
    assert!(!place.run(&["receivers", "remove", "ntfy"], "").status.success());
}

#[test]
fn whoever_gives_all_of_it_is_asked_nothing_but_what_the_service_refuses() {
    let standin = Standin::plain();
    let (server, topic) = (format!("server={}", standin.url()), "topic=alerts-1");
    let words = ["receivers", "add", "ntfy", "--set", &server, "--set", topic];
    standin.next_of("ntfy", json!({ "status": 200, "body": "{\"id\":\"a1\",\"event\":\"message\"}" }));
    let place = Place::new("");
    let screen = place.type_in(&words, &json!([]));
    assert!(!screen.contains("none, token or user") && !screen.contains("[Y/n]"), "{screen}");
    assert!(place.text("config.toml").ends_with("topic = \"alerts-1\"\n"), "{screen}");
    assert!(screen.contains("Then try it: authalert test ntfy"), "{screen}");
    // Here it wants a login after all.
    let place = Place::new("");
    let script =
        json!([["none, token or user [none]:", "token\n"], ["token (not shown): ", "tk_standinsecret1\n"],]);
    let screen = place.type_in(&words, &script);
    assert!(place.text("credentials.toml").ends_with("[ntfy]\ntoken = \"tk_standinsecret1\"\n"), "{screen}");
    // One of two that must be given is not all of it.
    let place = Place::new("");
    let screen = place.type_in(
        &["receivers", "add", "46elks", "--set", &server, "--set", "user=u1"],
        &json!([["password (not", "\u{3}"]]),
    );
    assert!(screen.contains("password (not shown): ") && screen.contains("given up"), "{screen}");
}

#[test]
fn a_second_time_is_asked_in_the_order_of_the_first() {
    let standin = Standin::plain();
    let place = Place::new("");
    let script = json!([
        ["server [https://ntfy.sh]:", format!("{}\n", standin.url())],
        ["topic:", "alerts-1\n"],
        ["none, token or user [none]:", "user\n"],
        ["user: ", "me\n"],
        ["password (not shown): ", "wrong\n"],
        ["press Enter for a test", "\n"],
        ["user [me]: ", "me\n"],
        ["password (not shown) [as before]: ", "\u{3}"],
    ]);
    let screen = place.type_in(&["receivers", "add", "ntfy"], &script);
    assert!(screen.contains("Type these again, in this order: user, password;"), "{screen}");
    assert!(screen.contains("given up; nothing was written"), "{screen}");
}

#[test]
fn what_the_service_refuses_is_typed_again_and_nothing_else_is() {
    let standin = Standin::plain();
    let place = Place::new("");
    let script = json!([
        ["server [https://ntfy.sh]:", format!("{}\n", standin.url())],
        ["topic:", "alerts-1\n"],
        ["none, token or user [none]:", "token\n"],
        ["token (not shown): ", "tk_wrong\n"],
        ["press Enter for a test", "\n"],
        ["token (not shown) [as before]: ", "\n"],
        ["Try the same once more? [y/N]", "tk_standinsecret0\n"],
        ["Try the same once more? [y/N]", "y\n"],
        ["token (not shown) [as before]: ", "tk_standinsecret1\n"],
        ["come on the phone?", "n\n"],
        ["Send another test message?", "y\n"],
        ["come on the phone?", "y\n"],
    ]);
    let screen = place.type_in(&["receivers", "add", "ntfy"], &script);
    assert!(screen.contains("was not taken") && screen.contains("  1. Install the app"), "{screen}");
    assert!(
        screen.matches("topic: ").count() == 2 && screen.matches("accepted a test").count() == 2,
        "{screen}"
    );
    assert!(place.text("config.toml").ends_with("topic = \"alerts-1\"\n"), "{screen}");
    assert!(place.text("credentials.toml").ends_with("[ntfy]\ntoken = \"tk_standinsecret1\"\n"));
}

#[test]
fn who_chose_no_login_at_a_server_that_wants_one_is_asked_for_it() {
    let standin = Standin::plain();
    let place = Place::new("");
    let script = json!([
        ["server [https://ntfy.sh]:", format!("{}\n", standin.url())],
        ["topic:", "alerts-1\n"],
        ["none, token or user [none]:", "\n"],
        ["press Enter for a test", "\n"],
        ["none, token or user [none]:", "token\n"],
        ["token (not shown): ", "tk_standinsecret1\n"],
        ["come on the phone?", "y\n"],
    ]);
    let screen = place.type_in(&["receivers", "add", "ntfy"], &script);
    assert!(screen.contains("was not taken") && !screen.contains("Type it again"), "{screen}");
    assert!(place.text("credentials.toml").ends_with("[ntfy]\ntoken = \"tk_standinsecret1\"\n"));
    let tested = place.run(&["receivers", "test", "ntfy"], "");
    assert!(tested.status.success() && standin.messages().len() == 2, "{tested:?}");
    let [listed, shown] =
        [&["receivers", "list"][..], &["receivers"]].map(|words| place.run(words, "").stdout);
    assert!(listed == shown && !listed.is_empty());
}

#[test]
fn who_gives_up_at_a_question_leaves_everything_as_it_was_whichever_it_is() {
    let standin = Standin::plain();
    let questions = [
        ("server [https://ntfy.sh]:", format!("{}\n", standin.url())),
        ("topic:", "alerts-1\n".into()),
        ("none, token or user [none]:", "token\n".into()),
        ("token (not shown):", "tk_standinsecret1\n".into()),
        ("press Enter for a test", "\n".into()),
        ("come on the phone?", "n\n".into()),
        ("Send another test message?", "n\n".into()),
        ("Write it all the same?", "n\n".into()),
    ];
    for at in 0..questions.len() {
        for key in ["\u{3}", "\u{4}"] {
            let place = Place::new("# mine\n");
            let script: Vec<_> = questions[..at]
                .iter()
                .map(|(prompt, answer)| (*prompt, answer.as_str()))
                .chain([(questions[at].0, key)])
                .collect();
            let screen = place.type_in(&["receivers", "add", "ntfy"], &json!(script));
            assert!(
                screen.contains("given up; nothing was written") && screen.contains("echo=on"),
                "{screen}"
            );
            let files = (place.text("config.toml"), place.text("credentials.toml"));
            assert_eq!(files, ("# mine\n".into(), String::new()), "{screen}");
        }
    }
}

#[test]
fn two_that_add_a_receiver_at_once_lose_nothing() {
    let place = Place::new("");
    let names: Vec<String> = (0..8).map(|n| format!("sms{n}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| {
                let words =
                    ["receivers", "add", "command", "--no-test", "--set", "argv=/bin/true", "--name", name];
                assert!(place.run(&words, "").status.success());
            });
        }
    });
    let config = place.text("config.toml");
    assert!(names.iter().all(|name| config.contains(&format!("name = \"{name}\""))), "{config}");
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| assert!(place.run(&["receivers", "remove", name], "").status.success()));
        }
    });
    assert!(
        !place.config().exists() || place.text("config.toml").is_empty(),
        "{}",
        place.text("config.toml")
    );
}

#[test]
fn the_first_failure_after_a_receiver_was_added_is_sent_to_it_and_what_was_before_is_not() {
    let place = Place::new("");
    let log = place.0.path().join("auth.log");
    let fail = |user: &str, ago: &str| {
        let asked = Command::new("date").args(["-Is", "-d", ago]).output().unwrap();
        let now = String::from_utf8(asked.stdout).unwrap();
        let line = format!("{} web1 su[7]: FAILED SU (to {user}) bob on pts/0\n", now.trim());
        let mut file = fs::File::options().append(true).create(true).open(&log).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    };
    assert!(place.run(&["deliver"], "").status.success());
    fail("mail", "10 minutes ago");
    assert!(place.run(&["scan", "--from-start", log.to_str().unwrap()], "").status.success());
    let got = place.0.path().join("got");
    let tee = format!("argv=/usr/bin/tee -a {}", got.display());
    assert!(place.run(&["receivers", "add", "command", "--no-test", "--set", &tee], "").status.success());
    let pending =
        |_: ()| String::from_utf8(place.run(&["failures", "--pending", "command"], "").stdout).unwrap();
    assert!(pending(()).contains("nothing is pending for command"), "{}", pending(()));
    fail("root", "9 minutes ago");
    assert!(
        place.run(&["scan", "--from-start", "--no-commands", log.to_str().unwrap()], "").status.success()
    );
    assert!(pending(()).lines().count() == 1 && pending(()).contains("for root"), "{}", pending(()));
    let status = String::from_utf8(place.run(&["status"], "").stdout).unwrap();
    assert!(status.contains("1 recorded = 0 posted + 1 pending"), "{status}");
    assert!(place.run(&["deliver"], "").status.success());
    let told = fs::read_to_string(&got).unwrap();
    assert!(told.contains("root") && !told.contains("mail"), "{told}");
    let removed = place.run(&["receivers", "remove", "command"], "");
    assert!(removed.status.success() && !place.0.path().join("state/receivers/command.json").exists());
}

#[test]
fn a_service_that_asked_for_a_minute_is_left_alone_and_that_is_no_fault() {
    let standin = Standin::plain();
    let text =
        format!("[[receiver]]\nkind = \"ntfy\"\nserver = \"{}\"\ntopic = \"alerts-1\"\n", standin.url());
    let place = Place::new(&text);
    let credentials = place.0.path().join("credentials.toml");
    fs::write(&credentials, "[ntfy]\ntoken = \"tk_standinsecret1\"\n").unwrap();
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(place.run(&["deliver"], "").status.success());
    let asked = Command::new("date").args(["-Is", "-d", "9 minutes ago"]).output().unwrap();
    let now = String::from_utf8(asked.stdout).unwrap();
    let log = place.0.path().join("auth.log");
    fs::write(&log, format!("{} web1 su[7]: FAILED SU (to root) bob on pts/0\n", now.trim())).unwrap();
    let scan = ["scan", "--from-start", log.to_str().unwrap()];
    for (words, headers, level) in [
        (&scan[..], json!({ "retry-after": "60" }), "ok      "),
        (&["deliver", "--now"], json!({}), "error   "),
    ] {
        standin.next_of("ntfy", json!({ "status": 429, "headers": headers }));
        place.run(words, "");
        let shown = String::from_utf8(place.run(&["check", "--offline"], "").stdout).unwrap();
        let line = shown.lines().find(|line| line.contains("ntfy: 1 failure pending"));
        assert!(
            line.is_some_and(|line| line.starts_with(level) && line.contains("next attempt in")),
            "{shown}"
        );
    }
}

#[test]
fn who_interrupts_a_test_that_hangs_is_told_what_was_written() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = format!("[[receiver]]\nkind = \"ntfy\"\nserver = \"{url}\"\ntopic = \"alerts-1\"\n");
    let place = Place::new(&config);
    let server = format!("server={url}");
    let add = ["receivers", "add", "ntfy", "--name", "pager", "--set", "topic=a", "--set", &server];
    for (words, said) in [
        (
            &["test"][..],
            "interrupted: whether the test message to ntfy arrives is not known; nothing was changed\n",
        ),
        (&["receivers", "test", "ntfy"][..], "nothing was changed\n"),
        (&add[..], "interrupted: nothing was written; whether the test message arrives is not known\n"),
    ] {
        let mut command = Command::new(PROGRAM);
        command
            .args(place.arguments(words))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let pid = child.id().to_string();
        let mut asked = silent.accept().unwrap().0;
        asked.read_exact(&mut [0; 4]).unwrap();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        let shown = String::from_utf8(ended.stderr).unwrap();
        assert!(
            ended.status.code() == Some(130) && shown.ends_with(said),
            "{words:?} {:?} {shown}",
            ended.status
        );
        assert_eq!(
            (place.text("config.toml"), place.text("credentials.toml")),
            (config.clone(), String::new())
        );
    }
}

#[test]
fn a_script_gives_values_as_arguments_and_secrets_as_lines() {
    let standin = Standin::plain();
    let place = Place::new("receiver = \"x\" # as before\n\n[alerts]\nburst = 3\n");
    let server = format!("server={}", standin.url());
    let words = [
        "receivers",
        "add",
        "ntfy",
        "--name",
        "pager",
        "--set",
        &server,
        "--set",
        "topic=alerts-1",
        "--set",
        "tell=[\"break-in\"]",
    ];
    let output = place.run(&words, "tk_standinsecret1\n");
    assert!(output.status.success(), "{output:?}");
    let config = place.text("config.toml");
    assert!(config.contains("# as before") && config.contains("[[receiver]]\nkind = \"x\"\n"), "{config}");
    assert!(config.contains("name = \"pager\"") && config.contains("tell = [\"break-in\"]"), "{config}");
    assert!(place.text("credentials.toml").contains("[pager]\ntoken = "));
    let twice = place.run(&words, "tk_standinsecret1\n");
    assert!(String::from_utf8_lossy(&twice.stderr).contains("a receiver called pager already"), "{twice:?}");
}

#[test]
fn a_mistake_is_one_line_and_nothing_is_written() {
    let standin = Standin::plain();
    let server = format!("server={}", standin.url());
    let gone = "server=https://ntfy.invalid";
    for (words, input, expected) in [
        (vec!["pigeon"], "", "pigeon is not a kind of receiver; authalert receivers lists them"),
        (vec!["NTFY"], "", "did you mean \"ntfy\"?"),
        (vec!["ntfy"], "", "topic is missing (--set topic="),
        (vec!["ntfy", "--set", "topic=a b"], "", "topic must be letters, digits, - and _, at most 64"),
        (vec!["ntfy", "--set", "topik=a"], "", "not one of its parameters"),
        (vec!["ntfy", "--set", "token=tk_1"], "", "token is a secret"),
        (vec!["ntfy", "--set", "topic=a", "--set", gone], "\n", "cannot resolve"),
        (vec!["ntfy", "--set", "topic=a", "--set", "server=http://192.0.2.1"], "\n", "plain_http"),
        (vec!["ntfy", "--set", "topic=a", "--set", &server, "--set", "burst=0"], "\n", "burst must be"),
        (vec!["ntfy", "--set", "topic=alerts-1", "--set", &server], "tk_wrong\n", "secrets are not accepted"),
        (vec!["ntfy", "--name", "../x", "--set", "topic=a"], "\n", "cannot be a receiver's name"),
        (vec!["pushover"], "\n", "token is empty"),
        (vec!["mail", "--set", "to=a@b.c"], "", "server is missing"),
        (
            vec!["mail", "--set", "to=a@b.c", "--set", "server=mail.invalid"],
            "",
            "cannot resolve mail.invalid",
        ),
        (vec!["command", "--set", "argv=mail root"], "", "whole path"),
        (vec!["command", "--set", "argv=/nonexistent/program"], "", "cannot be started"),
    ] {
        let before = "[[receiver]]\nkind = \"telegram\"\nchat_id = 1\n";
        let place = Place::new(before);
        let output = place.run(&[&["receivers", "add"], &words[..]].concat(), input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{words:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains("nothing was written"), "{words:?}: {said}");
        assert!(!said.contains("tk_wrong"), "{said}");
        assert_eq!(
            (place.text("config.toml").as_str(), place.text("credentials.toml").as_str()),
            (before, "")
        );
    }
}

#[test]
fn the_number_of_a_chat_is_found_and_a_person_says_which() {
    let standin = Standin::plain();
    let place = Place::new("");
    let script = json!([
        ["server [https://api.telegram.org]:", format!("{}\n", standin.url())],
        ["token (not shown):", "123456789:standin-secret-telegram\n"],
        ["press Enter:", "\n"],
        ["[Y/n]", "y\n"],
        ["press Enter for a test", "\n"],
        ["come on the phone?", "y\n"],
    ]);
    let screen = place.type_in(&["receivers", "add", "telegram"], &script);
    assert!(screen.contains("Is it ") && screen.contains("@BotFather"), "{screen}");
    assert!(!screen.contains("standin-secret"), "{screen}");
    assert!(
        place.text("config.toml").contains("chat_id = -100123"),
        "{}\n{screen}",
        place.text("config.toml")
    );
}

#[test]
fn a_command_is_set_up_by_words_and_its_pass_is_one_of_its_own() {
    let place = Place::new("");
    let got = place.0.path().join("got");
    let tee = format!("argv=/usr/bin/tee -a {}", got.display());
    let output = place.run(&["receivers", "add", "command", "--name", "sms", "--set", &tee], "");
    assert!(output.status.success(), "{output:?}");
    assert!(place.text("config.toml").contains("argv = [\"/usr/bin/tee\", \"-a\", "));
    assert!(fs::read_to_string(&got).unwrap().contains("test"));
    // The first pass makes the states; then a failure waits for whoever serves the program.
    assert!(place.run(&["deliver"], "").status.success());
    fs::remove_file(&got).unwrap();
    let log = place.0.path().join("auth.log");
    let now = String::from_utf8(
        Command::new("date").args(["-Is", "-d", "10 minutes ago"]).output().unwrap().stdout,
    )
    .unwrap();
    let line = format!("{} web1 su[7]: FAILED SU (to root) bob on pts/0\n", now.trim());
    fs::write(&log, line).unwrap();
    let output = place.run(&["scan", "--from-start", "--no-commands", log.to_str().unwrap()], "");
    assert!(output.status.success() && !got.exists(), "{output:?}");
    let output = place.run(&["deliver", "--no-commands"], "");
    assert!(output.status.success() && !got.exists(), "{output:?}");
    let output = place.run(&["deliver", "--commands"], "");
    assert!(output.status.success(), "{output:?}");
    let told = fs::read_to_string(&got).unwrap();
    assert!(told.contains("root") && told.contains("su"), "{told}");
    // The sum holds, and nothing is sent twice.
    assert!(place.run(&["deliver"], "").status.success());
    assert_eq!(fs::read_to_string(&got).unwrap(), told);
}
