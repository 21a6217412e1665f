//! What a worker writes: read at once, kept a little, passed on in moderation, never parsed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use snakepit_profile::WorkerName;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use crate::host::link::Link;

/// Longest line that is kept, in bytes. The rest of a longer one is counted.
const LINE_MAX: usize = 4096;

/// Lines that go into the error of a crash.
const RING: usize = 64;

/// Lines of one stream that are passed on per [`WINDOW`].
const LINES_MAX: u32 = 200;
const WINDOW: Duration = Duration::from_secs(1);

/// The last lines of both streams of one worker.
pub(super) struct Ring {
    worker: WorkerName,
    lines: Mutex<VecDeque<String>>,
}

impl Ring {
    pub(super) fn new(worker: WorkerName) -> Self {
        Self {
            worker,
            lines: Mutex::default(),
        }
    }

    /// Oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == RING {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Reads one stream to its end. Reading never waits for anything but the worker, so that writing cannot hold it up.
pub(super) async fn pump(link: Arc<Link>, stream: &'static str, descriptor: OwnedFd) {
    if let Err(error) = read(&link.output, stream, descriptor).await {
        tracing::warn!(worker = %link.output.worker, stream, %error, "a worker's output cannot be read");
    }
}

async fn read(ring: &Ring, stream: &'static str, descriptor: OwnedFd) -> io::Result<()> {
    let mut pipe = pipe::Receiver::from_owned_fd(descriptor)?;
    let mut passed = Passed::new(Instant::now());
    let mut lines = Lines::default();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = pipe.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        lines.take(&buffer[..read], |line| pass_on(ring, stream, &mut passed, line));
    }
    lines.end(|line| pass_on(ring, stream, &mut passed, line));
    passed.report(ring, stream);
    Ok(())
}

fn pass_on(ring: &Ring, stream: &'static str, passed: &mut Passed, line: String) {
    if passed.may_pass(Instant::now(), |passed| passed.report(ring, stream)) {
        tracing::info!(target: "snakepit::worker", worker = %ring.worker, stream, "{line}");
    }
    ring.push(line);
}

/// Cuts a stream of bytes into lines of bounded length.
#[derive(Default)]
struct Lines {
    line: Vec<u8>,
    cut: usize,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        // `split` yields at least one piece; all but the last one ended with a newline.
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.extend(piece);
            each(self.finish());
        }
        self.extend(last);
    }

    /// The stream has ended, maybe within a line.
    fn end(&mut self, mut each: impl FnMut(String)) {
        if !self.line.is_empty() {
            each(self.finish());
        }
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = LINE_MAX - self.line.len();
        let (kept, cut) = piece.split_at(room.min(piece.len()));
        self.line.extend_from_slice(kept);
        self.cut += cut.len();
    }

    fn finish(&mut self) -> String {
        let mut line =
            String::from_utf8_lossy(self.line.strip_suffix(b"\r").unwrap_or(&self.line)).into_owned();
        if self.cut > 0 {
            // Writing to a string cannot fail.
            let _ = write!(line, " … and {} more bytes", self.cut);
        }
        self.line.clear();
        self.cut = 0;
        line
    }
}

/// How much of a stream has been passed on lately.
struct Passed {
    since: Instant,
    lines: u32,
    suppressed: u64,
}

impl Passed {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            lines: 0,
            suppressed: 0,
        }
    }

    /// Counts one line. `renewed` is called when a new window begins.
    fn may_pass(&mut self, now: Instant, renewed: impl FnOnce(&mut Self)) -> bool {
        if now.duration_since(self.since) >= WINDOW {
            renewed(self);
            *self = Self::new(now);
        }
        let may_pass = self.lines < LINES_MAX;
        self.lines += u32::from(may_pass);
        self.suppressed += u64::from(!may_pass);
        may_pass
    }

    fn report(&mut self, ring: &Ring, stream: &'static str) {
        if self.suppressed > 0 {
            tracing::warn!(
                target: "snakepit::worker",
                worker = %ring.worker,
                stream,
                suppressed = self.suppressed,
                "a worker writes faster than is passed on"
            );
            self.suppressed = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.take(chunk, |line| found.push(line));
        }
        lines.end(|line| found.push(line));
        found
    }

    #[test]
    fn lines_are_found_however_they_arrive() {
        assert_eq!(
            lines_of(&[b"one\ntw", b"o\r\n", b"", b"\nthree"]),
            ["one", "two", "", "three"]
        );
    }

    #[test]
    fn a_long_line_is_cut_and_the_cut_is_counted() {
        let long = vec![b'x'; LINE_MAX + 10];
        let found = lines_of(&[&long, b"yy\nnext\n"]);
        assert_eq!(found[0], format!("{} … and 12 more bytes", "x".repeat(LINE_MAX)));
        assert_eq!(found[1], "next");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_counted_and_passes_again_later() {
        let mut passed = Passed::new(Instant::now());
        for _ in 0..LINES_MAX {
            assert!(passed.may_pass(Instant::now(), |_| panic!("the window is new")));
        }
        assert!(!passed.may_pass(Instant::now(), |_| panic!("the window is new")));
        assert_eq!(passed.suppressed, 1);
        tokio::time::advance(WINDOW).await;
        assert!(passed.may_pass(Instant::now(), |passed| assert_eq!(passed.suppressed, 1)));
    }
}
