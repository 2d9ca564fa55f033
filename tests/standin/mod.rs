//! A stand-in for X and for the services that have a definition, started for one test and ended with it. See `standin.py` for what it can do.

#![allow(dead_code)] // each test binary uses a part

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use authalert::config;
use authalert::credentials::Credentials;
use serde_json::Value;

pub struct Standin {
    child: Child,
    dir: tempfile::TempDir,
    tls: bool,
    pub port: u16,
    control: u16,
}

impl Standin {
    /// Over plain HTTP.
    pub fn plain() -> Self {
        Self::start(None)
    }

    /// Over TLS with the certificate `name` of `certificates.sh`.
    pub fn tls(name: &str) -> Self {
        Self::start(Some(certificates().join(name)))
    }

    fn start(certificate: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("python3");
        command.arg(here().join("standin.py")).args(["--max-seconds", "120", "--dir"]).arg(dir.path());
        if let Some(certificate) = &certificate {
            command.arg("--tls").arg(certificate);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("python3 is needed for this test");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let number = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            found.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("the stand-in said {line:?}"))
        };
        Self { port: number("port"), control: number("control"), child, dir, tls: certificate.is_some() }
    }

    /// The configuration that reaches it.
    pub fn config(&self) -> config::X {
        let scheme = if self.tls { "https" } else { "http" };
        config::X {
            api_url: format!("{scheme}://127.0.0.1:{}", self.port),
            ca_file: self.tls.then(|| certificates().join("ca.pem")),
            timeout: Duration::from_secs(2),
            ..config::X::default()
        }
    }

    /// Change the scenario: the keys given replace the ones in force.
    pub fn control(&self, scenario: Value) -> Value {
        let body = scenario.to_string();
        http(
            self.control,
            &format!("POST /_control HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
        )
    }

    /// Outcome the next call of `/2/tweets` in this way.
    pub fn next(&self, answer: Value) {
        self.control(serde_json::json!({ "queue": [answer] }));
    }

    /// What exists on "X".
    pub fn posts(&self) -> Vec<Value> {
        self.lines("posts.jsonl")
    }

    /// What was asked.
    pub fn requests(&self) -> Vec<Value> {
        self.lines("requests.jsonl")
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.tls { "https" } else { "http" }, self.port)
    }

    /// Answer the next call of `service` in this way.
    pub fn next_of(&self, service: &str, answer: Value) {
        self.control(serde_json::json!({ "services": { service: { "queue": [answer] } } }));
    }

    /// What the services other than X have.
    pub fn messages(&self) -> Vec<Value> {
        self.lines("messages.jsonl")
    }

    /// The PIN that a person would see at `url`.
    pub fn pin(&self, url: &str) -> String {
        let target = &url[url.find("/oauth/authorize").expect("an authorize URL")..];
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut page = String::new();
        while !page.contains("</html>") {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "{page}");
            page.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        page.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).expect("a PIN").to_owned()
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.path().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The keys that the stand-in knows.
pub fn credentials() -> Credentials {
    Credentials::new("standin-key-1", "standin-secret-2", "6253282-standin-token-3", "standin-secret-4")
        .unwrap()
}

/// The directory of `certificates.sh`'s output, made once a test binary.
pub fn certificates() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let made = Command::new("sh").arg(here().join("certificates.sh")).arg(dir.path()).status();
        assert!(made.is_ok_and(|status| status.success()), "openssl is needed for this test");
        dir
    })
    .path()
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin")
}

fn http(port: u16, request: &str) -> Value {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}
