//! Whom a server certificate is believed from.

use std::path::Path;

use ureq::tls::{PemItem, RootCerts};

use super::error::Error;
use crate::storage;

const SIZE_LIMIT: u64 = 4 << 20;

/// Mozilla's roots, or those of `ca_file`, which was set under `key`; never the environment's `SSL_CERT_FILE`.
pub(super) fn roots(ca_file: Option<&Path>, key: &str) -> Result<RootCerts, Error> {
    let Some(path) = ca_file else { return Ok(RootCerts::WebPki) };
    let wrong = |why: String| Error::setting(key, format!("{}: {why}", path.display()));
    // Whoever can write it can read what is sent, and the secrets.
    let pem = storage::read_trusted(path, SIZE_LIMIT).map_err(|e| wrong(e.to_string()))?;
    let mut certificates = Vec::new();
    let mut store = rustls::RootCertStore::empty();
    for item in ureq::tls::parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => {
                // An unusable certificate would be skipped in silence later, and every handshake fail.
                let der = rustls::pki_types::CertificateDer::from(certificate.der());
                store.add(der).map_err(|e| wrong(format!("a certificate in it cannot be used: {e}")))?;
                certificates.push(certificate);
            }
            Ok(_) => {}
            Err(_) => return Err(wrong("it is not PEM text".into())),
        }
    }
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate (-----BEGIN CERTIFICATE-----)".into()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_ca_file_that_others_can_write_or_that_is_none_is_an_error_and_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let (file, pipe) = (dir.path().join("ca.pem"), dir.path().join("pipe"));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        for (path, words) in
            [(&*file, "chmod go-w"), (&*pipe, "is not a file"), (dir.path(), "is not a file")]
        {
            let error = roots(Some(path), "x.ca_file").map(drop).unwrap_err().to_string();
            assert!(error.contains("x.ca_file") && error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        for (text, words) in [
            ("", "holds no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
        ] {
            fs::write(&path, text).unwrap();
            let error = roots(Some(&path), "x.ca_file").map(drop).unwrap_err().to_string();
            assert!(
                error.contains("x.ca_file") && error.contains("ca.pem") && error.contains(words),
                "{error}"
            );
        }
    }
}
