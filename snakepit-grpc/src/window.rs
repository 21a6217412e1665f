//! Sizes of the HTTP/2 connection, the same at both ends.

/// What either side may send before the other has read: one stream per connection, so both windows are one. Larger than
/// a usual message, so that one message needs no second round trip.
pub(crate) const WINDOW: u32 = 8 * 1024 * 1024;

/// Largest HTTP/2 frame. The protocol's default of 16 KiB costs a system call each.
pub(crate) const FRAME: u32 = 1024 * 1024;

/// Largest `Hello` and `StartFailed`, in bytes, where `message_max` is smaller: a small limit for calls must not keep a
/// worker from saying what it is.
pub(crate) const HANDSHAKE_MAX: u64 = 1024 * 1024;

/// What a decoder of this crate may be given, in bytes.
pub(crate) fn decode_max(message_max: u64) -> usize {
    usize::try_from(message_max.max(HANDSHAKE_MAX)).unwrap_or(usize::MAX)
}
