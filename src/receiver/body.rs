//! The body of an answer: bounded, whatever it is and however it is coded.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use ureq::http::HeaderValue;

/// As much of an answer's body as is read; X's own are a few hundred bytes.
pub const LIMIT: usize = 16 << 10;

/// As much of `body` as there is, and whether that is all.
///
/// We ask for no coding. What comes coded all the same is decoded, as far as it is bounded: a "duplicate"
/// that cannot be read would send an alert twice. Of a coding that is not known nothing is read.
pub fn read(body: &mut dyn Read, coding: Option<&HeaderValue>) -> (Vec<u8>, bool) {
    let coding = coding.map_or("identity", |c| c.to_str().unwrap_or("?").trim());
    match coding.to_ascii_lowercase().as_str() {
        "" | "identity" => bounded(body),
        "gzip" | "x-gzip" => bounded(&mut MultiGzDecoder::new(body.take(LIMIT as u64))),
        "deflate" => bounded(&mut ZlibDecoder::new(body.take(LIMIT as u64))),
        _ => (Vec::new(), false),
    }
}

fn bounded(body: &mut dyn Read) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    let complete = body.take(LIMIT as u64 + 1).read_to_end(&mut all).is_ok() && all.len() <= LIMIT;
    all.truncate(LIMIT);
    (all, complete)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    fn read_as(body: &[u8], coding: &str) -> (Vec<u8>, bool) {
        read(&mut &*body, Some(&coding.parse().unwrap()))
    }

    #[test]
    fn a_body_is_read_to_its_end_to_the_limit_or_to_where_it_breaks() {
        assert_eq!(read(&mut &b"{}"[..], None), (b"{}".to_vec(), true));
        let (body, complete) = read(&mut io::repeat(b'x'), None);
        assert!(body.len() == LIMIT && !complete);
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                buf[0] = b'{';
                Ok(1)
            }
        }
        assert_eq!(read(&mut Broken(false), None), (b"{".to_vec(), false));
    }

    #[test]
    fn a_coded_body_is_decoded_and_a_bomb_is_bounded() {
        let gzip = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let coded = gzip(b"{}");
        for coding in ["gzip", "GZIP", "x-gzip", " gzip "] {
            assert_eq!(read_as(&coded, coding), (b"{}".to_vec(), true), "{coding}");
        }
        let mut deflate = ZlibEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(b"{}").unwrap();
        assert_eq!(read_as(&deflate.finish().unwrap(), "deflate"), (b"{}".to_vec(), true));
        let (body, complete) = read_as(&gzip(&vec![b' '; 50 << 20]), "gzip");
        assert!(body.len() == LIMIT && !complete);
        assert_eq!(read_as(&coded[..coded.len() - 3], "gzip"), (b"{}".to_vec(), false));
        assert_eq!(read_as(b"not gzip", "gzip"), (Vec::new(), false));
        for coding in [&b"br"[..], b"gzip, gzip", b"\xff"] {
            let coding = HeaderValue::from_bytes(coding).unwrap();
            assert_eq!(read(&mut &b"{}"[..], Some(&coding)), (Vec::new(), false));
        }
    }
}
