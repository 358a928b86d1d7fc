//! gzip in one go: into a buffer whose length the body announces, and from a body that is whole.
//! Takes one member alone (RFC 1952); whatever is more, or broken, is somebody else's to read and to put into words.

use std::io;

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor, Decompressor, crc32};
use memchr::memmem;

/// Bytes before the compressed ones, at least.
const HEADER_LEN: usize = 10;
/// The checksum and the length behind them.
const TRAILER_LEN: usize = 8;
/// No compressed byte becomes more.
const MOST_A_BYTE: usize = 1032;

/// The length in the trailer, where so few bytes can hold so much. RFC 1952 has its lowest 32 bits alone.
pub(super) fn announced(body: &[u8]) -> Option<usize> {
    let compressed = body.len().checked_sub(HEADER_LEN + TRAILER_LEN)?;
    let length = usize::try_from(u32::from_le_bytes(*body.last_chunk()?)).ok()?;
    (length <= compressed.saturating_mul(MOST_A_BYTE)).then_some(length)
}

/// What a body of one member holds, where that is `len` bytes.
pub(super) fn inflate(body: &[u8], len: usize) -> Option<Bytes> {
    let (_, trailer) = body.split_last_chunk::<TRAILER_LEN>()?;
    if !stands_at_the_end_alone(body, trailer) {
        return None;
    }
    let mut out = vec![0; len];
    let inflated = Decompressor::new().gzip_decompress(body, &mut out).ok()?;
    (inflated == len && is_trailer_of(trailer, &out)).then(|| out.into())
}

/// The decompressor stops behind the first member, and does not say where that was. It has found the trailer of what came
/// out there; where the last eight bytes are that trailer, too, and stand nowhere else, that was the end.
fn stands_at_the_end_alone(body: &[u8], trailer: &[u8; TRAILER_LEN]) -> bool {
    let rest = body.get(HEADER_LEN..).unwrap_or_default();
    memmem::find(rest, trailer).is_some_and(|at| at + TRAILER_LEN == rest.len())
}

fn is_trailer_of(trailer: &[u8; TRAILER_LEN], out: &[u8]) -> bool {
    trailer.first_chunk().is_some_and(|checksum| u32::from_le_bytes(*checksum) == crc32(out))
}

/// One member, at a level from 1 to 9.
pub(super) fn deflate(body: &[u8], level: u32) -> io::Result<Bytes> {
    let level = i32::try_from(level.clamp(1, 9)).ok().and_then(|level| CompressionLvl::new(level).ok());
    let mut compressor = Compressor::new(level.unwrap_or_default());
    let mut out = vec![0; compressor.gzip_compress_bound(body.len())];
    let len = compressor.gzip_compress(body, &mut out).map_err(io::Error::other)?;
    // A copy of what it came to, since the buffer is as long as the body was.
    Ok(Bytes::copy_from_slice(out.get(..len).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_cannot_be_is_none() {
        let mut member = deflate(&[7; 5000], 1).unwrap().to_vec();
        assert_eq!(announced(&member), Some(5000));
        let at = member.len() - 4;
        member[at..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(announced(&member), None);
        assert_eq!(announced(b"too short"), None);
    }

    #[test]
    fn bytes_between_the_member_and_its_trailer_are_found() {
        let member = deflate(b"grams per trace", 1).unwrap();
        let trailer = &member[member.len() - TRAILER_LEN..];
        assert_eq!(inflate(&member, 15).as_deref(), Some(&b"grams per trace"[..]));
        assert_eq!(inflate(&[&member[..], trailer].concat(), 15), None);
        assert_eq!(inflate(&[&member[..], b"x", trailer].concat(), 15), None);
    }

    #[test]
    fn whatever_else_follows_the_first_member_is_found() {
        let [one, other] = [b"grams per trace", b"grams per spans"].map(|text| deflate(text, 1).unwrap());
        assert_eq!(inflate(&[&one[..], &other].concat(), 15), None, "another member of the same length");
        assert_eq!(inflate(&[&one[..], b"junk", &15u32.to_le_bytes()].concat(), 15), None, "the length alone");
    }
}
