//! The fleet's own certification authority: it lives on the hub, and signs for the engine, the hub and the members.
//!
//! The engine tells clients apart by the name in their certificate, `NAME.SERIAL`: a renewed certificate has another
//! serial, and the one before it is refused at once.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use authalert::storage;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use zeroize::Zeroizing;

use crate::protocol::Epoch;

const CERTIFICATE: &str = "authority.pem";
const KEY: &str = "authority.key";
const YEARS: i32 = 20;
/// Of a member's certificate.
const MEMBER_YEARS: i32 = 5;

/// A certificate and its key, as text.
#[derive(Debug)]
pub struct Signed {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: Zeroizing<String>,
    /// The last day on which it is good.
    pub until: String,
}

/// The authority.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(hidden)")
    }
}

impl Authority {
    /// That of `directory`; a new one where there is none.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let (certificate, key) = (directory.join(CERTIFICATE), directory.join(KEY));
        if !key.exists() {
            let pair = KeyPair::generate().map_err(broken)?;
            let made = params()?.self_signed(&pair).map_err(broken)?;
            storage::replace(&certificate, made.pem().as_bytes())?;
            // Last: with it the authority is there.
            storage::replace(&key, Zeroizing::new(pair.serialize_pem()).as_bytes())?;
        }
        let text = Zeroizing::new(storage::read(&key)?);
        let text = std::str::from_utf8(&text).map_err(|_| io::Error::other("authority.key is not text"))?;
        let pair = KeyPair::from_pem(text).map_err(broken)?;
        let certificate = String::from_utf8(storage::read(&certificate)?).map_err(io::Error::other)?;
        Ok(Self { certificate, issuer: Issuer::new(params()?, pair) })
    }

    /// Its certificate.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a client that the engine knows as `user`.
    pub fn sign_client(&self, user: &str) -> io::Result<Signed> {
        let mut params = CertificateParams::new(vec![user.to_owned()]).map_err(broken)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, user, MEMBER_YEARS)
    }

    /// A certificate for the engine at these hosts, names or addresses.
    pub fn sign_engine(&self, hosts: &[String]) -> io::Result<Signed> {
        let mut params = CertificateParams::new(Vec::new()).map_err(broken)?;
        for host in hosts {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into().map_err(broken)?),
            });
        }
        // Engines of a cluster are each other's clients.
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, "engine", YEARS)
    }

    fn sign(&self, mut params: CertificateParams, name: &str, years: i32) -> io::Result<Signed> {
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let (before, until) = lasts(years)?;
        params.not_before = date_time_ymd(before.0, before.1, before.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let pair = KeyPair::generate().map_err(broken)?;
        let signed = params.signed_by(&pair, &self.issuer).map_err(broken)?;
        let (year, month, day) = until;
        Ok(Signed {
            certificate: signed.pem(),
            key: Zeroizing::new(pair.serialize_pem()),
            until: format!("{year}-{month:02}-{day:02}"),
        })
    }
}

/// A serial for a client's name.
pub fn serial() -> io::Result<String> {
    Ok(format!("{:08x}", Epoch::random()?.0 as u32))
}

fn params() -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(broken)?;
    params.distinguished_name.push(DnType::CommonName, "authalert fleet");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let (before, until) = lasts(YEARS)?;
    params.not_before = date_time_ymd(before.0, before.1, before.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    Ok(params)
}

type Day = (i32, u8, u8);

/// From two days ago, as clocks may be off.
fn lasts(years: i32) -> io::Result<(Day, Day)> {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let parts = |date: jiff::civil::Date| {
        (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    let before = today.checked_sub(2.days()).map_err(io::Error::other)?;
    let until = today.checked_add(years.years()).map_err(io::Error::other)?;
    Ok((parts(before), parts(until)))
}

fn broken(error: rcgen::Error) -> io::Error {
    io::Error::other(format!("certificate: {error}"))
}
