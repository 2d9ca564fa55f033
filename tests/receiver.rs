//! The receiver against a stand-in for X that checks what X checks and misbehaves in every way.

// Everything here is a test, also what clippy does not know as one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod standin;

use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use authalert::cli::authorize;
use authalert::config::{self, Config};
use authalert::credentials::Credentials;
use authalert::receiver::x::{Access, X};
use authalert::receiver::{Outcome, Receiver};
use serde_json::json;
use standin::{Standin, certificates, credentials};

fn x(config: &config::X) -> X {
    X::new(config, credentials(), Vec::new()).unwrap()
}

fn assert_says_no_secret(text: &str) {
    for secret in
        ["standin-key-1", "standin-secret-2", "standin-token-3", "standin-secret-4", "oauth_signature"]
    {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_post_over_tls_arrives_once_with_its_text_and_its_id_comes_back() {
    let standin = Standin::tls("server.pem");
    let text = "12:01:47 sshd[32239]: user=\"jürgen\\\" 東 rhost=203.0.113.9";
    let answer = x(&standin.config()).post(text);
    let posts = standin.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0]["text"], text);
    assert_eq!(answer, Outcome::Accepted { id: posts[0]["id"].as_str().unwrap().into() });
    let agent = concat!("authalert/", env!("CARGO_PKG_VERSION"));
    assert_eq!(standin.requests()[0]["agent"], agent);
}

#[test]
fn the_same_text_again_is_a_duplicate_and_wrong_keys_stop() {
    let standin = Standin::plain();
    let account = x(&standin.config());
    assert_eq!(account.post("once").kind(), "accepted");
    assert_eq!(account.post("once"), Outcome::Duplicate);
    let wrong = Credentials::new("standin-key-1", "wrong", "6253282-standin-token-3", "wrong").unwrap();
    let answer = X::new(&standin.config(), wrong, Vec::new()).unwrap().post("twice");
    assert!(matches!(&answer, Outcome::Stop { why } if why.contains("authalert authorize")), "{answer:?}");
    assert_eq!(standin.posts().len(), 1);
}

#[test]
fn every_answer_seen_in_the_wild_has_its_meaning_on_the_wire() {
    let standin = Standin::plain();
    let account = x(&standin.config());
    for (name, expected) in [
        ("invalid-request", "refused"),
        ("too-long", "refused"),
        ("unauthorized", "stop"),
        ("credits-old", "pause"),
        ("credits", "pause"),
        ("spend-cap-old", "pause"),
        ("spend-cap", "pause"),
        ("duplicate", "duplicate"),
        ("duplicate-old", "duplicate"),
        ("app-permission", "stop"),
        ("not-enrolled", "stop"),
        ("user-suspended", "stop"),
        ("feature", "stop"),
        ("not-permitted", "suspect"),
        ("subset", "stop"),
        ("too-many", "limited"),
        ("too-many-old", "limited"),
        ("usage-cap", "pause"),
        ("unavailable", "ambiguous"),
        ("over-capacity", "ambiguous"),
        ("cloudflare", "ambiguous"),
        ("cloudflare-block", "ambiguous"),
        ("code-185", "suspect"),
        ("code-326", "stop"),
        ("status-500", "ambiguous"),
        ("status-404", "stop"),
        ("status-413", "refused"),
    ] {
        standin.next(json!({ "name": name }));
        let answer = account.post(name);
        assert_eq!(answer.kind(), expected, "{name}: {answer:?}");
        assert_says_no_secret(answer.why());
    }
    assert!(standin.posts().is_empty());
}

#[test]
fn an_answer_that_comes_coded_unasked_is_read_and_a_bomb_is_bounded() {
    let standin = Standin::plain();
    let account = x(&standin.config());
    for (answer, expected) in [
        (json!({ "name": "duplicate", "gzip": true }), "duplicate"),
        (json!({ "name": "spend-cap", "gzip": true }), "pause"),
        (json!({ "post": true, "gzip": true }), "accepted"),
        (json!({ "name": "duplicate", "gzip": true, "huge_body": 200_000_000 }), "ambiguous"),
        (json!({ "name": "duplicate", "headers": { "content-encoding": "br" } }), "ambiguous"),
    ] {
        standin.next(answer.clone());
        let got = account.post("coded");
        assert_eq!(got.kind(), expected, "{answer}: {got:?}");
    }
}

#[test]
fn an_exhausted_window_is_waited_for_by_xs_clock() {
    let standin = Standin::plain();
    for clock in [0, -4000, 4000] {
        standin.next(json!({
            "name": "too-many", "reset_in": 900 + clock, "window": "x-user-limit-24hour", "date_offset": clock,
        }));
        let before = SystemTime::now();
        match x(&standin.config()).post("later") {
            Outcome::Limited { until: Some(until), .. } => {
                let wait = until.duration_since(before).unwrap().as_secs();
                assert!((898..=904).contains(&wait), "{clock}: {wait}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_daily_limit_refuses_and_is_renewed() {
    let standin = Standin::plain();
    standin.control(json!({ "daily_limit": 2, "day_seconds": 3 }));
    let account = x(&standin.config());
    let begun = Instant::now();
    while account.post(&format!("{:?}", begun.elapsed())).kind() == "accepted" {
        assert!(begun.elapsed() < Duration::from_secs(9), "no limit");
    }
    let Outcome::Limited { until: Some(until), .. } = account.post("over") else { panic!("not limited") };
    assert!(until.duration_since(SystemTime::now()).unwrap() <= Duration::from_secs(5));
    std::thread::sleep(until.duration_since(SystemTime::now()).unwrap());
    assert_eq!(account.post("renewed").kind(), "accepted");
}

#[test]
fn whatever_the_server_does_the_call_ends_in_time_and_is_not_taken_for_success() {
    let standin = Standin::plain();
    let config = config::X { timeout: Duration::from_secs(1), ..standin.config() };
    for (answer, expected) in [
        (json!({ "hang": true }), "ambiguous"),
        (json!({ "late": 8 }), "ambiguous"),
        (json!({ "slow": 0.05 }), "ambiguous"),
        (json!({ "name": "duplicate", "slow": 0.05 }), "ambiguous"),
        (json!({ "close": "request" }), "ambiguous"),
        (json!({ "name": "duplicate", "close": "answer" }), "ambiguous"),
        (json!({ "garbage": 100 }), "ambiguous"),
        (json!({ "garbage": 1_000_000 }), "ambiguous"),
        (json!({ "huge_header": 9_000_000 }), "ambiguous"),
        (json!({ "name": "duplicate", "huge_body": 9_000_000 }), "ambiguous"),
        (json!({ "status": 200, "endless": true }), "ambiguous"),
        (
            json!({ "status": 200, "type": "text/html", "body": "<html>Log in to the hotel</html>" }),
            "ambiguous",
        ),
        (json!({ "redirect": "https://192.0.2.1/2/tweets?a=b" }), "ambiguous"),
        (json!({ "redirect": "https://192.0.2.1/2/tweets", "status": 301 }), "ambiguous"),
        (json!({ "redirect": "https://192.0.2.1/2/tweets", "status": 307 }), "ambiguous"),
        (json!({ "redirect": "https://192.0.2.1/2/tweets", "status": 308 }), "ambiguous"),
        (json!({ "redirect": "\u{ff}\u{fe}not a place" }), "ambiguous"),
    ] {
        standin.next(answer.clone());
        let begun = Instant::now();
        let got = x(&config).post("bounded");
        let took = begun.elapsed();
        assert_eq!(got.kind(), expected, "{answer}: {got:?}");
        assert!(took < config.timeout + Duration::from_secs(4), "{answer}: {took:?}");
        assert!(got.why().len() < 500 && got.why().chars().all(|c| !c.is_control()), "{got:?}");
        assert_says_no_secret(got.why());
    }
    assert!(standin.posts().is_empty());
}

#[test]
fn an_accepted_post_whose_answer_is_lost_is_ambiguous_and_then_a_duplicate() {
    let standin = Standin::tls("server.pem");
    let account = x(&standin.config());
    for (text, answer) in [
        ("lost", json!({ "post": true, "close": "request" })),
        ("failed", json!({ "post": true, "name": "unavailable" })),
        ("hung", json!({ "post": true, "hang": true })),
    ] {
        standin.next(answer);
        let first = account.post(text);
        assert_eq!(first.kind(), "ambiguous", "{text}: {first:?}");
        assert_eq!(account.post(text), Outcome::Duplicate, "{text}");
    }
    assert_eq!(standin.posts().len(), 3);
}

#[test]
fn through_a_bad_day_each_text_exists_exactly_once() {
    let standin = Standin::plain();
    standin.control(json!({ "random": { "seed": 1, "mix": [
        { "p": 0.2, "name": "unavailable" },
        { "p": 0.1, "name": "unavailable", "post": true },
        { "p": 0.1, "close": "request", "post": true },
        { "p": 0.1, "close": "answer" , "name": "cloudflare" },
        { "p": 0.1, "garbage": 300 },
    ] } }));
    let account = x(&standin.config());
    let mut attempts = 0;
    for number in 0..60 {
        let text = format!("alert {number}");
        let mut tried = false;
        loop {
            attempts += 1;
            match account.post(&text) {
                Outcome::Accepted { .. } => break,
                Outcome::Duplicate if tried => break,
                Outcome::Ambiguous { .. } => tried = true,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(attempts > 90, "a bad day needs more than {attempts} attempts");
    let mut texts: Vec<_> = standin.posts().iter().map(|post| post["text"].to_string()).collect();
    assert_eq!(texts.len(), 60);
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 60);
}

#[test]
fn a_201_is_a_post_even_if_its_body_is_lost() {
    let standin = Standin::plain();
    standin.next(json!({ "post": true, "close": "answer" }));
    assert_eq!(x(&standin.config()).post("cut"), Outcome::Accepted { id: String::new() });
}

#[test]
fn what_never_left_this_machine_is_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = config::X {
        api_url: format!("http://127.0.0.1:{closed}"),
        timeout: Duration::from_secs(2),
        ..config::X::default()
    };
    let answer = x(&nobody).post("nobody there");
    assert!(matches!(&answer, Outcome::NotSent { why } if why.contains("127.0.0.1")), "{answer:?}");

    let nameless = config::X { api_url: "https://nobody.invalid".into(), ..nobody };
    let answer = x(&nameless).post("no such name");
    assert!(matches!(&answer, Outcome::NotSent { why } if why.contains("resolv.conf")), "{answer:?}");

    let standin = Standin::tls("server.pem");
    for close in ["tcp", "tls"] {
        standin.next(json!({ "close": close }));
        let answer = x(&standin.config()).post("closed");
        // After the handshake the request is on its way before the end can be seen.
        let expected = if close == "tcp" { "not sent" } else { "ambiguous" };
        assert_eq!(answer.kind(), expected, "{answer:?}");
    }
    assert!(standin.posts().is_empty());
}

#[test]
fn a_handshake_that_drips_ends_in_time_and_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config::X {
        api_url: format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port()),
        timeout: Duration::from_secs(1),
        ..config::X::default()
    };
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The header of a handshake record of 16 KiB, then a byte at a time.
        let mut bytes =
            [0x16, 0x03, 0x03, 0x40, 0x00, 0x02, 0x00, 0x3f, 0xf0].iter().chain(std::iter::repeat(&3));
        while stream.write_all(&[*bytes.next().unwrap()]).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let begun = Instant::now();
    let answer = x(&config).post("drip");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(answer.kind(), "not sent", "{answer:?}");
}

#[test]
fn only_a_trusted_certificate_for_the_right_name_will_do() {
    for (certificate, words) in [
        ("stranger.pem", "UnknownIssuer"),
        ("self.pem", "UnknownIssuer"),
        ("other.pem", "not valid for name"),
        ("expired.pem", "expired"),
    ] {
        let standin = Standin::tls(certificate);
        let answer = x(&standin.config()).post("secret");
        assert!(
            matches!(&answer, Outcome::NotSent { why } if why.contains(words) && why.contains("x.ca_file")),
            "{certificate}: {answer:?}"
        );
        assert!(standin.requests().is_empty());
    }
    let standin = Standin::tls("server.pem");
    let mozilla = config::X { ca_file: None, ..standin.config() };
    assert_eq!(x(&mozilla).post("secret").kind(), "not sent");
    let none = config::X { ca_file: Some("/nonexistent/ca.pem".into()), ..standin.config() };
    let error = X::new(&none, credentials(), Vec::new()).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/ca.pem"), "{error}");
}

#[test]
fn preset_addresses_spare_the_look_up_and_the_name_is_still_checked() {
    let standin = Standin::tls("server.pem");
    let address = SocketAddr::from(([127, 0, 0, 1], standin.port));
    let at =
        |host: &str| config::X { api_url: format!("https://{host}:{}", standin.port), ..standin.config() };
    let account = X::new(&at("api.x.com"), credentials(), vec![address]).unwrap();
    assert_eq!(account.post("preset").kind(), "accepted");
    assert_eq!(account.addresses(), [address]);
    let account = X::new(&at("nobody.invalid"), credentials(), vec![address]).unwrap();
    assert_eq!(account.post("preset").kind(), "not sent");
    let account = x(&at("localhost"));
    assert_eq!(account.post("looked up").kind(), "accepted");
    assert!(account.addresses().contains(&address));
}

/// A proxy that tunnels CONNECT, or answers `refusal`; the first line of each request is sent on.
fn proxy(refusal: Option<&'static str>) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut client = stream.unwrap();
            let mut reader = std::io::BufReader::new(client.try_clone().unwrap());
            let (mut first, mut line) = (String::new(), String::new());
            reader.read_line(&mut first).unwrap();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            seen.send(first.trim().to_owned()).unwrap();
            if let Some(refusal) = refusal {
                client.write_all(refusal.as_bytes()).unwrap();
                continue;
            }
            let target = first.split(' ').nth(1).unwrap();
            let mut server = std::net::TcpStream::connect(target).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            let (mut up, mut down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut client, &mut up));
            std::thread::spawn(move || std::io::copy(&mut server, &mut down));
        }
    });
    (port, lines)
}

#[test]
fn a_configured_proxy_is_used_and_a_refusal_by_it_is_not_sent() {
    let standin = Standin::tls("server.pem");
    let (port, lines) = proxy(None);
    let proxied = config::X { proxy: Some(format!("http://127.0.0.1:{port}")), ..standin.config() };
    let answer = x(&proxied).post("through");
    assert_eq!(answer.kind(), "accepted", "{answer:?}");
    assert_eq!(lines.recv().unwrap(), format!("CONNECT 127.0.0.1:{} HTTP/1.1", standin.port));

    let (port, _lines) =
        proxy(Some("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"));
    let refused = config::X { proxy: Some(format!("http://user:hush@127.0.0.1:{port}")), ..standin.config() };
    let answer = x(&refused).post("refused");
    assert!(matches!(&answer, Outcome::NotSent { why } if why.contains("x.proxy")), "{answer:?}");
    assert!(!answer.why().contains("hush"), "{answer:?}");
}

#[test]
fn a_proxy_that_drips_ends_in_time_and_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = b"HTTP/1.1 200 OK\r\nx: ".iter().chain(std::iter::repeat(&b'x'));
        while stream.write_all(&[*bytes.next().unwrap()]).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let config = config::X {
        proxy: Some(format!("http://127.0.0.1:{port}")),
        timeout: Duration::from_secs(1),
        ..config::X::default()
    };
    let begun = Instant::now();
    let answer = x(&config).post("drip");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(answer.kind(), "not sent", "{answer:?}");
}

/// Run by the next test in a process of its own, because an environment belongs to a process.
#[test]
fn post_in_a_hostile_environment() {
    let Ok(url) = std::env::var("AUTHALERT_TEST_URL") else { return };
    let config = config::X {
        api_url: url,
        ca_file: Some(std::env::var("AUTHALERT_TEST_CA").unwrap().into()),
        timeout: Duration::from_secs(2),
        ..config::X::default()
    };
    println!("answer: {}", x(&config).post("unmoved").kind());
}

#[test]
fn the_environment_neither_redirects_nor_lends_trust() {
    let (port, lines) = proxy(Some("HTTP/1.1 200 OK\r\n\r\n"));
    let post = |standin: &Standin, ca: &Path| {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "post_in_a_hostile_environment", "--nocapture"]).env_clear();
        for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            child.env(name, format!("http://127.0.0.1:{port}"));
        }
        child.env("SSL_CERT_FILE", certificates().join("ca.pem")).env("SSL_CERT_DIR", certificates());
        child.env("AUTHALERT_TEST_URL", &standin.config().api_url).env("AUTHALERT_TEST_CA", ca);
        child.env("RUST_MIN_STACK", "999999999999999").env("RUST_LOG", "trace");
        String::from_utf8(child.output().unwrap().stdout).unwrap()
    };
    let standin = Standin::tls("server.pem");
    let trusted = post(&standin, &certificates().join("ca.pem"));
    assert!(trusted.contains("answer: accepted"), "{trusted}");
    // Another authority in the configuration, the right one in the environment.
    let other = Standin::tls("other.pem");
    let distrusted = post(&other, &certificates().join("ca.pem"));
    assert!(distrusted.contains("answer: not sent"), "{distrusted}");
    assert!(lines.try_recv().is_err(), "the proxy of the environment was asked");
}

#[test]
fn me_says_who_posts_and_whether_it_may() {
    let standin = Standin::plain();
    let account = x(&standin.config()).me().unwrap();
    assert_eq!(account.screen_name.as_deref(), Some("web1_alerts"));
    assert_eq!(account.access, Access::Write);
    assert!(account.date.unwrap().elapsed().is_ok_and(|age| age < Duration::from_secs(3)));
    standin.control(json!({ "access_level": "read" }));
    assert_eq!(x(&standin.config()).me().unwrap().access, Access::ReadOnly);
    standin.control(json!({ "oauth": { "name": "unauthorized", "date_offset": -600 } }));
    let answer = x(&standin.config()).me().unwrap_err();
    assert!(matches!(&answer, Outcome::Stop { why } if why.contains("10 minutes ahead")), "{answer:?}");
}

/// A person at the terminal: types the key and the secret, opens the address, types the PIN.
struct Person<'a> {
    standin: &'a Standin,
    screen: std::rc::Rc<std::cell::RefCell<Vec<u8>>>,
    typed: std::io::Cursor<Vec<u8>>,
    lines: std::collections::VecDeque<String>,
    right: bool,
}

impl Read for Person<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.typed.position() == self.typed.get_ref().len() as u64 {
            let screen = String::from_utf8(self.screen.borrow().clone()).unwrap();
            let line = match self.lines.pop_front() {
                Some(line) => line,
                None if screen.ends_with("PIN: ") => {
                    let url = screen.split_whitespace().rfind(|w| w.contains("/oauth/authorize")).unwrap();
                    let pin = self.standin.pin(url);
                    let other = |c: char| char::from(b'0' + (c as u8 - b'0' + 1) % 10);
                    if self.right { pin } else { pin.chars().map(other).collect() }
                }
                None => return Ok(0),
            };
            self.typed = std::io::Cursor::new(format!("{line}\n").into_bytes());
        }
        self.typed.read(buf)
    }
}

struct Screen(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the screen showed, and how it ended.
fn authorize(standin: &Standin, file: &Path, lines: &[&str], right: bool) -> (String, Result<(), String>) {
    let config =
        Config { x: config::X { credentials: Some(file.into()), ..standin.config() }, ..Config::default() };
    let screen = std::rc::Rc::default();
    let person = Person {
        standin,
        screen: std::rc::Rc::clone(&screen),
        typed: std::io::Cursor::default(),
        lines: lines.iter().map(ToString::to_string).collect(),
        right,
    };
    let mut input = std::io::BufReader::with_capacity(1, person);
    let result = authorize::run(
        (Path::new("/nonexistent"), &config),
        None,
        &mut input,
        &mut Screen(std::rc::Rc::clone(&screen)),
    );
    let shown = String::from_utf8(screen.borrow().clone()).unwrap();
    assert!(!shown.contains("standin-secret"), "{shown}");
    (shown, result.map_err(|e| e.to_string()))
}

#[test]
fn the_right_pin_gives_credentials_that_post() {
    let standin = Standin::plain();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials.toml");
    let (shown, result) = authorize(&standin, &file, &["standin-key-1", "standin-secret-2"], true);
    result.unwrap();
    assert!(shown.contains("@web1_alerts"), "{shown}");
    let credentials = Credentials::load(&file).unwrap().unwrap();
    assert!(!shown.contains(credentials.access_token_secret.expose()), "{shown}");
    let answer = X::new(&standin.config(), credentials, Vec::new()).unwrap().post("authorized");
    assert_eq!(answer.kind(), "accepted", "{answer:?}");
}

#[test]
fn a_pin_that_cannot_be_right_is_asked_for_again_and_the_keys_are_not() {
    let standin = Standin::plain();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials.toml");
    for wrong in ["none", "1234567"] {
        let (shown, result) = authorize(&standin, &file, &["standin-key-1", "standin-secret-2", wrong], true);
        result.unwrap();
        assert!(shown.matches("API Key: ").count() == 1 && shown.matches("PIN: ").count() == 2, "{shown}");
        assert!(shown.contains("cannot be used") && shown.contains("@web1_alerts"), "{shown}");
    }
}

#[test]
fn each_failure_of_the_pin_flow_says_what_to_do_and_writes_nothing() {
    let standin = Standin::plain();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials.toml");
    let good = ["standin-key-1", "standin-secret-2"];
    let (_, result) = authorize(&standin, &file, &good, false);
    assert!(result.unwrap_err().contains("does not accept this PIN"));
    let (_, result) = authorize(&standin, &file, &["standin-key-1", "standin-secret-wrong"], true);
    assert!(result.unwrap_err().contains("API key"));
    let (_, result) = authorize(&standin, &file, &["standin-key-1", ""], true);
    assert!(result.unwrap_err().contains("API Key Secret"));
    let (_, result) = authorize(&standin, &file, &["standin-key-1"], true);
    assert!(result.is_err());
    for (answer, words) in [
        (json!({ "name": "code-415" }), "callback URL"),
        (json!({ "name": "code-416" }), "developer console"),
        (json!({ "name": "too-many" }), "15 minutes"),
        (json!({ "name": "cloudflare" }), "later"),
        (json!({ "name": "unauthorized", "date_offset": 7500 }), "2 hours behind"),
        (json!({ "status": 200, "body": "oauth_token=a&oauth_token_secret=hush" }), "did not confirm"),
        (
            json!({ "status": 200, "body": "oauth_callback_confirmed=true&oauth_token_secret=hush" }),
            "no token",
        ),
        (json!({ "redirect": "https://192.0.2.1/" }), "x.api_url"),
        (json!({ "hang": true }), "did not answer"),
    ] {
        standin.control(json!({ "oauth": answer }));
        let (shown, result) = authorize(&standin, &file, &good, true);
        let error = result.unwrap_err();
        assert!(error.contains(words), "{answer}: {error}");
        assert!(!error.contains("hush") && !shown.contains("hush"), "{error}");
    }
    assert!(!file.exists());
}

/// Run by the next test at a terminal of its own.
#[test]
fn authorize_where_a_person_types() {
    let Ok(url) = std::env::var("AUTHALERT_TEST_TERMINAL") else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        x: config::X {
            api_url: url,
            credentials: Some(dir.path().join("credentials.toml")),
            timeout: Duration::from_secs(2),
            ..config::X::default()
        },
        ..Config::default()
    };
    let result = authorize::run(
        (Path::new("/nonexistent"), &config),
        None,
        &mut std::io::stdin().lock(),
        &mut std::io::stdout().lock(),
    );
    println!("ended: {}", result.unwrap_err());
    // Time to look at what is left behind.
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn a_secret_is_not_shown_at_a_terminal_and_the_terminal_is_left_as_it_was() {
    let standin = Standin::plain();
    for (typed, ended) in [
        ("standin-secret-2\r", "a PIN is a number"),
        ("oops\u{15}standin-secret-23\u{7f}\r", "a PIN is a number"),
        ("standin-se\u{3}", "given up"),
    ] {
        let none = ["PIN: ", "none\r"];
        let script = json!([["API Key: ", "standin-key-1\r"], ["not shown): ", typed], none, none, none]);
        let mut python = std::process::Command::new("python3");
        python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin/terminal.py"));
        python.arg(script.to_string()).arg(std::env::current_exe().unwrap());
        python.args(["--exact", "authorize_where_a_person_types", "--nocapture"]);
        let output = python.env("AUTHALERT_TEST_TERMINAL", standin.config().api_url).output().unwrap();
        let screen = String::from_utf8(output.stdout).unwrap();
        assert!(screen.contains("API Key: standin-key-1"), "{screen}");
        assert!(screen.contains(&format!("ended: {ended}")), "{screen}");
        assert!(!screen.contains("standin-se"), "{screen}");
        assert!(screen.ends_with("echo=on\n"), "{screen}");
    }
}

#[test]
fn an_app_that_may_only_read_is_named_with_the_remedy() {
    let standin = Standin::plain();
    standin.control(json!({ "access_level": "read" }));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("credentials.toml");
    let (_, result) = authorize(&standin, &file, &["standin-key-1", "standin-secret-2"], true);
    assert!(result.unwrap_err().contains("Read and write"));
}

#[test]
fn the_file_of_t_is_taken_over_and_tried() {
    let standin = Standin::plain();
    let dir = tempfile::tempdir().unwrap();
    let (trc, file) = (dir.path().join(".trc"), dir.path().join("credentials.toml"));
    std::fs::write(
        &trc,
        "---\nconfiguration:\n  default_profile:\n  - web1_alerts\n  - standin-key-1\nprofiles:\n  web1_alerts:\n    \
         standin-key-1:\n      username: web1_alerts\n      consumer_key: standin-key-1\n      consumer_secret: \
         standin-secret-2\n      token: 6253282-standin-token-3\n      secret: standin-secret-4\n",
    )
    .unwrap();
    let config =
        Config { x: config::X { credentials: Some(file.clone()), ..standin.config() }, ..Config::default() };
    let mut out = Vec::new();
    authorize::run((Path::new("/nonexistent"), &config), Some(&trc), &mut std::io::empty(), &mut out)
        .unwrap();
    assert_eq!(Credentials::load(&file).unwrap(), Some(credentials()));
    let shown = String::from_utf8(out).unwrap();
    assert!(shown.contains("@web1_alerts"), "{shown}");
    assert_says_no_secret(&shown);
}

#[test]
fn a_place_that_cannot_be_written_is_named_before_anything_is_asked() {
    let standin = Standin::plain();
    let dir = tempfile::tempdir().unwrap();
    let (shown, result) = authorize(&standin, &dir.path().join("none/credentials.toml"), &["a", "b"], true);
    assert!(result.unwrap_err().contains("make its directory first"));
    assert_eq!(shown, "");
}

/// Run by the next test in a process of its own, whose threads are then its alone.
#[test]
fn post_and_count_threads() {
    let Ok(url) = std::env::var("AUTHALERT_TEST_THREADS") else { return };
    let config = config::X {
        api_url: url,
        ca_file: std::env::var_os("AUTHALERT_TEST_CA").map(Into::into),
        ..config::X::default()
    };
    let account = x(&config);
    // Seen by another thread while the call waits for its answer.
    let (done, ended) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let (before, mut most) = (threads(), 0);
        while ended.recv_timeout(Duration::from_millis(5)) == Err(mpsc::RecvTimeoutError::Timeout) {
            most = most.max(threads());
        }
        most.saturating_sub(before)
    });
    std::thread::sleep(Duration::from_millis(50));
    let answer = account.post("alone");
    drop(done);
    println!("{} with {} threads more", answer.kind(), watch.join().unwrap());
}

#[test]
fn a_call_starts_no_thread() {
    let standin = Standin::tls("server.pem");
    standin.next(json!({ "late": 0.5, "post": true }));
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "post_and_count_threads", "--nocapture"]);
    let url = standin.config().api_url.replace("127.0.0.1", "localhost");
    let output = child
        .env("AUTHALERT_TEST_THREADS", url)
        .env("AUTHALERT_TEST_CA", certificates().join("ca.pem"))
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("accepted with 0 threads more"), "{shown}");
}

#[test]
fn the_stand_in_agrees_with_the_published_vectors() {
    let standin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin/standin.py");
    let output = std::process::Command::new("python3").arg(standin).arg("--self-test").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
