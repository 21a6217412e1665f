//! The first thing a worker reads.

use std::io::{ErrorKind, Read};

use prost::Message as _;

use crate::PROTOCOL;
use crate::proto::Boot;
use crate::worker::BootError;

/// Largest boot message, in bytes: what an ordinary pipe holds, since the host writes it before there is a reader.
pub const BOOT_MAX: usize = 64 * 1024 - LENGTH;

/// Bytes of the length in front of the message.
pub(crate) const LENGTH: usize = 4;

/// Reads the one message on a worker's standard input, and not a byte more: what follows is the lifeline.
///
/// # Errors
/// [`BootError`] where this is not the input of a worker that a host has started, or where host and worker speak
/// different versions of the protocol.
pub fn read_boot(mut input: impl Read) -> Result<Boot, BootError> {
    let mut length = [0; LENGTH];
    fill(&mut input, &mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > BOOT_MAX {
        return Err(BootError::TooLarge {
            size: length,
            limit: BOOT_MAX,
        });
    }
    let mut message = vec![0; length];
    fill(&mut input, &mut message)?;
    let boot = Boot::decode(message.as_slice()).map_err(BootError::Malformed)?;
    if boot.protocol != PROTOCOL {
        return Err(BootError::Version {
            host: boot.protocol,
            worker: PROTOCOL,
        });
    }
    Ok(boot)
}

fn fill(input: &mut impl Read, into: &mut [u8]) -> Result<(), BootError> {
    input.read_exact(into).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => BootError::Ended,
        _ => BootError::Read(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(boot: &Boot) -> Vec<u8> {
        let message = boot.encode_to_vec();
        let mut bytes = u32::try_from(message.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(message);
        bytes
    }

    #[test]
    fn exactly_one_message_is_read() {
        let boot = Boot {
            protocol: PROTOCOL,
            worker: "p/0#1".to_owned(),
            ..Boot::default()
        };
        let mut bytes = framed(&boot);
        bytes.extend(b"tail");
        let mut input = bytes.as_slice();
        assert_eq!(read_boot(&mut input).unwrap(), boot);
        assert_eq!(input, b"tail");
    }

    #[test]
    fn what_is_not_a_boot_message_is_told_apart() {
        assert!(matches!(read_boot(&b""[..]), Err(BootError::Ended)));
        assert!(matches!(read_boot(&b"\0\0\0\x05ab"[..]), Err(BootError::Ended)));
        assert!(matches!(
            read_boot(&b"GET / HTTP/1.1"[..]),
            Err(BootError::TooLarge { .. })
        ));
        assert!(matches!(
            read_boot(&b"\0\0\0\x02\xff\xff"[..]),
            Err(BootError::Malformed(_))
        ));
        let old = framed(&Boot {
            protocol: PROTOCOL + 1,
            ..Boot::default()
        });
        let error = read_boot(old.as_slice()).unwrap_err();
        assert_eq!(error.code(), "SP0502");
        assert!(error.to_string().contains(&(PROTOCOL + 1).to_string()));
    }

    #[test]
    fn a_token_is_never_printed() {
        let boot = Boot {
            token: "sesame".into(),
            ..Boot::default()
        };
        assert!(!format!("{boot:?}").contains("sesame"));
    }
}
