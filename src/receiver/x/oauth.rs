//! OAuth 1.0a (RFC 5849): signatures, and the PIN flow that gives this machine its access token.
//!
//! A JSON body is not signed (section 3.4.1.3.1), the URL is: exactly the one that is called. No URL here has a
//! query, which the signing crate leaves out. X answers these three endpoints in JSON, XML or plain text.

use std::fmt;
use std::time::SystemTime;

use oauth1_request::{Builder, HMAC_SHA1};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use zeroize::{Zeroize, Zeroizing};

use super::limits;
use crate::credentials::{self, Credentials};
use crate::neutral;
use crate::receiver::http::{Client, Failure, Method, Reply, Request, WORDS_LIMIT};

/// What RFC 5849 wants escaped (section 3.6); a form's own coding differs in the blank, `*` and `~`.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The key and the token at their longest, three bytes for each of theirs, and what stands around them.
const HEADER_ROOM: usize = 4 << 10;
const REQUEST_TOKEN: &str = "/oauth/request_token";
const ACCESS_TOKEN: &str = "/oauth/access_token";

/// The `Authorization` header for a call of `url` with `credentials`; a new nonce and time each time.
pub fn sign(method: Method, url: &str, credentials: &Credentials) -> Zeroizing<String> {
    let client = pair(credentials.api_key.expose(), credentials.api_secret.expose());
    let token = pair(credentials.access_token.expose(), credentials.access_token_secret.expose());
    let mut builder = Builder::new(client, HMAC_SHA1);
    builder.token(token).version(true);
    header(method, url, &builder)
}

/// The header, with nothing left of what went into it: the crate keeps the key, and pieces of what is hashed, on the
/// stack alone, and moves them about there.
fn header(method: Method, url: &str, builder: &Signer<'_>) -> Zeroizing<String> {
    #[inline(never)]
    fn authorize(method: Method, url: &str, builder: &Signer<'_>) -> Zeroizing<String> {
        // Room for the longest keys: what grows leaves copies behind.
        let room = String::with_capacity(HEADER_ROOM);
        Zeroizing::new(builder.authorize_with_buf(room, method.as_str(), url, &()))
    }
    let header = authorize(method, url, builder);
    wipe_stack();
    header
}

/// What functions that were called from the same place left on the stack is overwritten.
#[inline(never)]
fn wipe_stack() {
    let mut stack = [0_u8; 32 << 10];
    stack.zeroize();
}

/// The key of the app, as the developer console shows it.
#[derive(Clone, Copy)]
pub struct AppKey<'a> {
    /// "API Key"
    pub key: &'a str,
    /// "API Key Secret"
    pub secret: &'a str,
}

/// What the first step gives: good for one PIN.
pub struct RequestToken {
    token: Zeroizing<String>,
    secret: Zeroizing<String>,
}

/// What the last step gives.
pub struct AccessToken {
    /// For [`Credentials`].
    pub token: Zeroizing<String>,
    /// For [`Credentials`].
    pub secret: Zeroizing<String>,
    /// The account's name after the `@`, if X says.
    pub screen_name: Option<String>,
}

impl RequestToken {
    /// Step 1: ask for a request token.
    pub fn ask(client: &Client, app: AppKey<'_>) -> Result<Self, Error> {
        let mut builder = Builder::<_, &str>::new(pair(app.key, app.secret), HMAC_SHA1);
        builder.callback("oob").version(true);
        let body = call(client, REQUEST_TOKEN, &builder)?;
        // Without the confirmation X would send the browser to the app's registered page and show no PIN.
        if field(&body, "oauth_callback_confirmed").as_deref() != Some("true") {
            return Err(Error::Unexpected("X did not confirm the PIN flow".into()));
        }
        let (token, secret) = token_of(&body)?;
        Ok(Self { token, secret })
    }

    /// Step 2: where a person, logged in as the alert account, gets the PIN.
    pub fn authorize_url(&self, client: &Client) -> String {
        // The token passed validation, so it needs no escaping beyond what a URL takes as it is.
        client.url(&format!("/oauth/authorize?oauth_token={}&force_login=true", escape(&self.token)))
    }

    /// Step 3: exchange the PIN. Right or wrong, the request token is spent.
    pub fn exchange(self, client: &Client, app: AppKey<'_>, pin: &str) -> Result<AccessToken, Error> {
        let mut builder = Builder::new(pair(app.key, app.secret), HMAC_SHA1);
        builder.token(pair(&self.token, &self.secret)).verifier(pin).version(true);
        let body = call(client, ACCESS_TOKEN, &builder)?;
        let (token, secret) = token_of(&body)?;
        let screen_name = field(&body, "screen_name").filter(|name| is_screen_name(name));
        Ok(AccessToken { token, secret, screen_name })
    }
}

/// Whether it can be the name of an account.
pub(super) fn is_screen_name(name: &str) -> bool {
    (1..=50).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Why a step of the PIN flow failed. `Display` says what to do next; it never shows a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    /// No answer.
    Unreachable(String),
    /// X does not know the API key, or the secret does not fit it.
    Keys,
    /// The clock is too far off for a signature; how far, in words.
    Clock(String),
    /// The PIN is wrong, used or too old.
    Pin,
    /// The request token is used or too old.
    Expired,
    /// The app's settings do not allow the PIN flow.
    Callback,
    /// The app is suspended or may not use the API.
    App(String),
    /// Too many tries.
    Limited,
    /// X has an outage.
    Outage(u16),
    /// Anything else.
    Unexpected(String),
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Keys => f.write_str(
                "X does not accept the API key and secret; copy both again from the app's page in the developer \
                 console (\"Keys and tokens\", API Key and Secret, not the Bearer Token or the Client ID)",
            ),
            Self::Clock(skew) => write!(f, "{skew}; set the clock (timedatectl set-ntp true) and run this again"),
            Self::Pin => f.write_str(
                "X does not accept this PIN: it is good for one try and a few minutes; run `authalert authorize` \
                 again for a new one",
            ),
            Self::Expired => {
                f.write_str("the address was used already or is too old; run `authalert authorize` again for a new one")
            }
            Self::Callback => f.write_str(
                "the app's settings do not allow the PIN flow: in the developer console open \"User authentication \
                 settings\", choose \"Read and write\" and \"Native App\", enter any callback URL (it is not used), save, and run this again",
            ),
            Self::App(said) => write!(f, "the app may not use the API ({said}); see the developer console"),
            Self::Limited => f.write_str("too many tries; wait 15 minutes and run this again"),
            Self::Outage(status) => write!(f, "X has an outage (it answered {status}); run this again later"),
            Self::Unexpected(what) => write!(f, "{what}; check x.api_url and x.proxy in the configuration"),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Unreachable(failure.why.replace("; it may have arrived", "; run this again later"))
    }
}

type Signer<'a> = Builder<'a, oauth1_request::signature_method::HmacSha1, &'a str, &'a str>;

/// POST with an empty body; the text of a 200.
fn call(client: &Client, path: &str, builder: &Signer<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let authorization = header(Method::Post, &client.url(path), builder);
    let headers = [("authorization", authorization.as_str())];
    let request = Request { method: Method::Post, path, headers: &headers, body: b"" };
    let reply = client.call(&request, None)?;
    if reply.status == 200 && reply.complete {
        return Ok(Zeroizing::new(reply.body));
    }
    Err(refusal(&reply, SystemTime::now()))
}

/// What a refusal of an OAuth endpoint means, in any of the forms that X gives it.
fn refusal(reply: &Reply, now: SystemTime) -> Error {
    let text = String::from_utf8_lossy(&reply.body).to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    let code = |n: u32| has(&[&format!("\"code\":{n}"), &format!("\"code\": {n}"), &format!("code=\"{n}\"")]);
    match reply.status {
        429 => return Error::Limited,
        500.. => return Error::Outage(reply.status),
        _ => {}
    }
    if has(&["invalid oauth_verifier", "oauth_verifier parameter"]) {
        return Error::Pin;
    }
    if has(&["invalid request token", "request token has expired", "token not found"]) {
        return Error::Expired;
    }
    if code(415)
        || code(417)
        || has(&["callback url not approved", "callback value 'oob'", "desktop applications only"])
    {
        return Error::Callback;
    }
    if code(416) || code(87) || code(453) || has(&["suspended", "client-forbidden", "client-not-enrolled"]) {
        return Error::App(said(reply));
    }
    if reply.status == 401 || code(32) || code(89) || code(215) {
        return limits::skew(&reply.headers, now).map_or(Error::Keys, Error::Clock);
    }
    Error::Unexpected(format!("X answered {} \"{}\"", reply.status, said(reply)))
}

/// The refusal's own words; never those of a 200, which holds the token's secret.
fn said(reply: &Reply) -> String {
    if reply.status < 300 {
        return "an answer that is not understood".into();
    }
    let text = String::from_utf8_lossy(&reply.body);
    neutral::text(text.split_whitespace().collect::<Vec<_>>().join(" "), WORDS_LIMIT)
}

fn token_of(body: &[u8]) -> Result<(Zeroizing<String>, Zeroizing<String>), Error> {
    let get = |name| {
        field(body, name)
            .map(Zeroizing::new)
            .filter(|value| credentials::is_plausible(value))
            .ok_or_else(|| Error::Unexpected("X's answer holds no token".into()))
    };
    Ok((get("oauth_token")?, get("oauth_token_secret")?))
}

/// The value of `name` in a form-encoded body; none where an escape in it is cut or malformed, which parsers of
/// forms take as it stands.
fn field(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let (_, value) = text.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Everything but the unreserved characters of RFC 3986 as `%NN`.
fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, &RESERVED).to_string()
}

fn pair<'a>(key: &'a str, secret: &'a str) -> oauth1_request::Credentials<&'a str> {
    oauth1_request::Credentials::new(key, secret)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use oauth1_request::ParameterList;
    use ureq::http::HeaderMap;

    use super::*;

    /// The signature in a header, decoded.
    fn signature(header: &str) -> String {
        let (_, rest) = header.split_once("oauth_signature=\"").unwrap();
        field(format!("s={}", rest.trim_end_matches('"')).as_bytes(), "s").unwrap()
    }

    /// The keys of X's page "Creating a signature".
    fn x_example() -> Signer<'static> {
        let mut builder = Builder::new(
            pair("xvz1evFS4wEEPTGEFPHBog", "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
            HMAC_SHA1,
        );
        builder
            .token(pair(
                "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
                "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
            ))
            .nonce("kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg")
            .timestamp(NonZeroU64::new(1_318_622_958))
            .version(true);
        builder
    }

    #[test]
    fn signatures_are_those_of_xs_documentation() {
        let form = ParameterList::new([
            ("include_entities", "true"),
            ("status", "Hello Ladies + Gentlemen, a signed OAuth request!"),
        ]);
        for (url, expected) in [
            ("https://api.x.com/1.1/statuses/update.json", "Ls93hJiZbQ3akF3HF3x1Bz8/zU4="),
            ("https://api.twitter.com/1.1/statuses/update.json", "hCtSmYh+iHYCEqBWrE7C7hYmtUk="),
            ("https://api.twitter.com/1/statuses/update.json", "tnnArxj06cWHq44gCs1OSKk/jLY="),
        ] {
            assert_eq!(signature(&x_example().authorize("POST", url, &form)), expected, "{url}");
        }
        for (url, expected) in [
            ("https://api.x.com/2/tweets", "lr+tV/DKclEvXKVjG6tgaSSLV0k="),
            ("https://api.twitter.com/2/tweets", "KW/bTR/89oblzvjn7CwP2L8j5qQ="),
        ] {
            assert_eq!(signature(&x_example().authorize("POST", url, &())), expected, "{url}");
        }
    }

    #[test]
    fn signatures_are_those_of_rfc_5849_section_1_2() {
        let app = pair("dpf43f3p2l4k3l03", "kd94hf93k423kf44");
        let mut initiate = Builder::<_, &str>::new(app, HMAC_SHA1);
        initiate
            .callback("http://printer.example.com/ready")
            .nonce("wIjqoS")
            .timestamp(NonZeroU64::new(137_131_200));
        let header = initiate.authorize("POST", "https://photos.example.net/initiate", &());
        assert_eq!(signature(&header), "74KNZJeDHnMBp0EMJ9ZHt/XKycU=");

        let mut token = Builder::new(app, HMAC_SHA1);
        token
            .token(pair("hh5s93j4hdidpola", "hdhd0244k9j7ao03"))
            .nonce("walatlh")
            .verifier("hfdp7dh39dks9884")
            .timestamp(NonZeroU64::new(137_131_201));
        let header = token.authorize("POST", "https://photos.example.net/token", &());
        assert_eq!(signature(&header), "gKgrFCywp7rO0OXSjdot/IHF7IU=");

        let mut photos = Builder::new(app, HMAC_SHA1);
        photos
            .token(pair("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00"))
            .nonce("chapoH")
            .timestamp(NonZeroU64::new(137_131_202));
        let query = ParameterList::new([("file", "vacation.jpg"), ("size", "original")]);
        let header = photos.authorize("GET", "http://photos.example.net/photos", &query);
        assert_eq!(signature(&header), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
    }

    #[test]
    fn each_signature_has_its_own_nonce_and_the_version() {
        let credentials = Credentials::new("key1", "secret1", "token1", "secret2").unwrap();
        let [first, second] =
            [(); 2].map(|()| sign(Method::Post, "https://api.x.com/2/tweets", &credentials));
        assert_ne!(first, second);
        assert!(first.contains("oauth_version=\"1.0\""), "{first:?}");
        assert!(!first.contains("secret1") && !first.contains("secret2"), "{first:?}");
    }

    #[test]
    fn every_form_of_refusal_says_what_to_do() {
        for (status, body, words) in [
            (401, "Error processing your OAuth request: Invalid oauth_verifier parameter", "PIN"),
            (401, "Invalid request token.", "again for a new one"),
            (401, r#"{"errors":[{"code":32,"message":"Could not authenticate you."}]}"#, "API key"),
            (401, "", "API key"),
            (400, r#"{"errors":[{"code":215,"message":"Bad Authentication data."}]}"#, "API key"),
            (
                403,
                r#"<?xml version="1.0"?><errors><error code="415">Callback URL not approved for this client application. Approved callback URLs can be adjusted in your application settings</error></errors>"#,
                "callback URL",
            ),
            (
                401,
                "<hash><error>Desktop applications only support the oauth_callback value 'oob'</error><request>/oauth/request_token</request></hash>",
                "Native App",
            ),
            (401, r#"{"errors":[{"code":417,"message":"..."}]}"#, "Native App"),
            (
                401,
                r#"{"errors":[{"code":416,"message":"Invalid / suspended application"}]}"#,
                "developer console",
            ),
            (403, r#"{"reason":"client-not-enrolled","title":"Client Forbidden"}"#, "developer console"),
            (429, "Too many requests", "15 minutes"),
            (520, "<!DOCTYPE html>", "later"),
            (404, "<html>\u{1b}[2J", "x.api_url"),
            (302, "", "x.api_url"),
        ] {
            let reply = Reply { status, headers: HeaderMap::new(), body: body.into(), complete: true };
            let error = refusal(&reply, SystemTime::now()).to_string();
            assert!(error.contains(words), "{status} {body}: {error}");
            assert!(error.chars().all(neutral::is_visible), "{error:?}");
        }
    }

    #[test]
    fn a_wrong_clock_is_named_before_the_keys() {
        let mut headers = HeaderMap::new();
        headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        let reply = Reply { status: 401, headers, body: Vec::new(), complete: true };
        let error = refusal(&reply, SystemTime::now()).to_string();
        assert!(error.contains("clock") && error.contains("timedatectl"), "{error}");
    }

    #[test]
    fn an_answer_without_a_token_is_refused_and_its_body_not_shown() {
        for body in [
            "",
            "oauth_token=a",
            "oauth_token=a%20b&oauth_token_secret=c",
            "oauth_token=%zz&oauth_token_secret=hidden",
        ] {
            let error = token_of(body.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
        let body = b"oauth_token=6253282-ab%2Bc&oauth_token_secret=x&user_id=6253282&screen_name=xapi\n";
        assert_eq!(token_of(body).unwrap(), ("6253282-ab+c".to_owned().into(), "x".to_owned().into()));
        assert_eq!(field(body, "screen_name").as_deref(), Some("xapi"));
    }
}
