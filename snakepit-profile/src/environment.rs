//! Thread caps of numeric libraries, by profile.

use std::num::NonZeroU32;

use snakepit_config::ProfileKind;

/// The variables by which BLAS and OpenMP libraries are told how many threads of their own to start.
pub const THREAD_CAPS: [&str; 6] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// The caps for a worker: one thread per call under the process profile, since the pool itself is the parallelism; the
/// processors shared out among the slots under the thread profile, at least one each.
#[must_use]
pub fn thread_caps(
    kind: ProfileKind,
    slots: NonZeroU32,
    processors: NonZeroU32,
) -> Vec<(&'static str, String)> {
    let threads = match kind {
        ProfileKind::Process => 1,
        ProfileKind::Thread => (processors.get() / slots.get()).max(1),
    };
    THREAD_CAPS
        .iter()
        .map(|name| (*name, threads.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(kind: ProfileKind, slots: u32, processors: u32) -> String {
        let n = |n| NonZeroU32::new(n).unwrap();
        let caps = thread_caps(kind, n(slots), n(processors));
        assert!(
            caps.iter().all(|(_, value)| *value == caps[0].1),
            "every library gets the same cap"
        );
        caps[0].1.clone()
    }

    #[test]
    fn a_process_worker_gets_one_thread_and_a_thread_worker_its_share() {
        assert_eq!(cap(ProfileKind::Process, 1, 16), "1");
        assert_eq!(cap(ProfileKind::Thread, 4, 16), "4");
        assert_eq!(cap(ProfileKind::Thread, 16, 2), "1");
    }
}
