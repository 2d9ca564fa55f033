//! Who a machine is in the fleet: one file with its name, its certificate and key, and where the engine is.

use std::io::{self, Write as _};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;
use rustix::fs::{MemfdFlags, memfd_create};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use zeroize::Zeroizing;

/// As it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    servers: Vec<String>,
    #[serde(default)]
    names: Names,
    authority: String,
    certificate: String,
    key: String,
}

/// Whether names of no account leave the member; they may be passwords that were typed in the wrong field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// A digest takes their place, with a key that stays here: the same name has the same digest.
    #[default]
    Hidden,
    /// As they were typed.
    Shown,
}

/// Who this machine is.
#[derive(Debug)]
pub struct Identity {
    /// Its name in the fleet, which its certificate bears.
    pub name: String,
    /// `host:port` of each engine.
    pub servers: Vec<String>,
    /// What becomes of names of no account.
    pub names: Names,
    authority: InMemory,
    certificate: InMemory,
    key: InMemory,
}

/// A text that can be read like a file, and is on no disk: the client takes certificates by their path alone, and looks
/// for others where it is given none.
#[derive(Debug)]
struct InMemory(std::fs::File);

impl InMemory {
    fn new(text: &str) -> io::Result<Self> {
        let mut file = std::fs::File::from(memfd_create("authalert-fleet", MemfdFlags::CLOEXEC)?);
        file.write_all(text.as_bytes())?;
        Ok(Self(file))
    }

    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

impl Identity {
    /// Read it from a file that is root's alone.
    pub fn load(path: &Path) -> io::Result<Self> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let meta = std::fs::metadata(path).map_err(named)?;
        let (mode, uid) = {
            use std::os::unix::fs::MetadataExt;
            (meta.mode(), meta.uid())
        };
        if mode & 0o077 != 0 || !authalert::storage::is_ours(uid) {
            return Err(named(io::Error::other("it holds a key; run: chown root FILE && chmod 600 FILE")));
        }
        let text = Zeroizing::new(authalert::storage::read(path).map_err(named)?);
        Self::parse(&text).map_err(|why| named(io::Error::new(io::ErrorKind::InvalidData, why)))
    }

    /// From the text of such a file. The error says what is wrong, and shows nothing of it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not text")?;
        // The message alone: the error shows the lines around it, which may be the key's.
        let file: File = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        let File { name, servers, names, authority, certificate, key } = file;
        let key = Zeroizing::new(key);
        if servers.is_empty() || servers.iter().any(|server| !is_server(server)) {
            return Err("`servers` are addresses of the form host:port".into());
        }
        check(&authority, &certificate, &key)?;
        let in_memory = |text: &str| InMemory::new(text).map_err(|e| e.to_string());
        let (authority, certificate, key) =
            (in_memory(&authority)?, in_memory(&certificate)?, in_memory(&key)?);
        Ok(Self { name, servers, names, authority, certificate, key })
    }

    /// Options of a connection that is secured with it, both ways.
    pub fn options(&self) -> ConnectOptions {
        ConnectOptions::new()
            .require_tls(true)
            .add_root_certificates(self.authority.path())
            .add_client_certificate(self.certificate.path(), self.key.path())
    }
}

/// The text of such a file.
pub fn write(
    name: &str,
    servers: &[String],
    authority: &str,
    certificate: &str,
    key: &str,
) -> Zeroizing<String> {
    let servers: Vec<String> = servers.iter().map(|server| format!("\"{server}\"")).collect();
    Zeroizing::new(format!(
        "# Who this machine is in the fleet. It holds a private key: keep it root's alone.\n\
         name = \"{name}\"\n\
         servers = [{}]\n\
         # Names that are no account here may be passwords: \"hidden\", or \"shown\" at the hub.\n\
         names = \"hidden\"\n\
         authority = \"\"\"\n{authority}\"\"\"\n\
         certificate = \"\"\"\n{certificate}\"\"\"\n\
         key = \"\"\"\n{key}\"\"\"\n",
        servers.join(", ")
    ))
}

/// `host:port`, with an address of IPv6 in brackets.
pub fn is_server(server: &str) -> bool {
    let Some((host, port)) = server.rsplit_once(':') else { return false };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let is_host = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 253
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
        }
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Whether a connection can be secured with these.
fn check(authority: &str, certificate: &str, key: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let root = root.map_err(|_| "`authority` holds no certificate")?;
        roots.add(root).map_err(|e| format!("`authority`: {e}"))?;
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.map_err(|_| "`certificate` holds no certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "`key` holds no private key")?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_root_certificates(roots).with_client_auth_cert(chain, key))
        .map(drop)
        .map_err(|e| format!("certificate and key: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for server in ["hub:4222", "hub.example.org:4222", "192.0.2.1:4222", "[2001:db8::1]:4222"] {
            assert!(is_server(server), "{server}");
        }
        for server in ["hub", ":4222", "hub:0", "hub:x", "a b:1", "nats://hub:4222", "2001:db8::1", "a\"b:1"]
        {
            assert!(!is_server(server), "{server}");
        }
    }

    #[test]
    fn an_error_shows_nothing_of_the_key() {
        let text = write("web1", &["hub:4222".into()], "", "", "SECRET\"\"\"x");
        for text in [&text[..], "name = 1\nkey = \"SECRET\"", "key = SECRET"] {
            let error = Identity::parse(text.as_bytes()).unwrap_err();
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
}
