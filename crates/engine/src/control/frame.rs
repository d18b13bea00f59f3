//! Frames of the control socket: bounded before any byte is stored.

use crate::control::VERSION;
use std::io;
use std::io::{Read, Write};

/// An operation or an answer, without the component: the largest parameters, several times.
pub(super) const TEXT_BYTES_MAX: u32 = 8 << 20;

/// A greeting: this side's protocol version.
pub(super) fn greet(stream: &mut impl Write) -> io::Result<()> {
    stream.write_all(&VERSION.to_be_bytes())
}

/// The other side's protocol version.
pub(super) fn greeting(stream: &mut impl Read) -> io::Result<u16> {
    let mut version = [0; 2];
    stream.read_exact(&mut version)?;
    Ok(u16::from_be_bytes(version))
}

pub(super) fn write(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| too_long())?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(bytes)
}

/// Bytes of at most that length. A length is only believed as far as the bytes follow it.
pub(super) fn read(stream: &mut impl Read, max: u32) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > max {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let read = stream.take(length.into()).read_to_end(&mut bytes)?;
    if read < length as usize { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "longer than it may be")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut wire = Vec::new();
        greet(&mut wire).unwrap();
        write(&mut wire, b"operation").unwrap();
        write(&mut wire, b"").unwrap();
        let mut wire = wire.as_slice();
        assert_eq!(greeting(&mut wire).unwrap(), VERSION);
        assert_eq!(read(&mut wire, 9).unwrap(), b"operation");
        assert_eq!(read(&mut wire, 9).unwrap(), b"");
    }

    #[test]
    fn a_length_is_not_believed() {
        let long = read(&mut &[0, 0, 0, 10, 1][..], 9).unwrap_err();
        assert_eq!(long.kind(), io::ErrorKind::InvalidData);
        for short in [&[0, 0, 0, 9, 1][..], &[0, 0, 0], &[]] {
            assert_eq!(read(&mut &*short, 9).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        let endless = read(&mut &[0xff; 64][..], u32::MAX).unwrap_err();
        assert_eq!(endless.kind(), io::ErrorKind::UnexpectedEof);
    }
}
