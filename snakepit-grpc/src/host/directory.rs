//! The run directory: private, named after nobody, and swept once its host is dead.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::host::error::HostError;

/// A directory of mode 0700 with a locked file in it. The lock is the proof of life: the kernel drops it with the
/// process, however that ends, so that a free lock means a dead host.
#[derive(Debug)]
pub(super) struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

const PREFIX: &str = "snakepit-";
const LOCK: &str = "lock";
const SOCKET: &str = "socket";

/// What `sockaddr_un` has room for, less the closing zero.
const SOCKET_PATH_MAX: usize = 107;

impl RunDirectory {
    /// Makes one under `$XDG_RUNTIME_DIR`, or under the folder for temporary files, and removes those of dead hosts.
    pub(super) fn create() -> Result<Self, HostError> {
        let parent = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute() && path.is_dir())
            .unwrap_or_else(std::env::temp_dir);
        Self::create_in(&parent)
    }

    pub(super) fn create_in(parent: &Path) -> Result<Self, HostError> {
        let failed = |source| HostError::RunDirectory {
            parent: parent.display().to_string(),
            source,
        };
        let mut random = [0; 8];
        getrandom(&mut random, GetRandomFlags::empty()).map_err(|error| failed(error.into()))?;
        let path = parent.join(format!("{PREFIX}{:016x}", u64::from_ne_bytes(random)));
        let length = path.join(SOCKET).as_os_str().len();
        if length > SOCKET_PATH_MAX {
            let parent = parent.display().to_string();
            return Err(HostError::PathTooLong {
                parent,
                length,
                limit: SOCKET_PATH_MAX,
            });
        }
        sweep(parent);
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        match locked(&path) {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err(error) => {
                let _ = fs::remove_dir_all(&path);
                Err(failed(error))
            }
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "the run directory could not be removed");
        }
    }
}

/// The lock appears under its name when it is held already: nobody may find it free while its host comes up.
fn locked(directory: &Path) -> io::Result<File> {
    let unfinished = directory.join("lock.new");
    let lock = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(unfinished, directory.join(LOCK))?;
    Ok(lock)
}

/// Removes the directories of dead hosts. Whatever goes wrong leaves a directory behind, which is no reason not to
/// start.
fn sweep(parent: &Path) {
    let ours = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_candidate = entry.file_name().to_string_lossy().starts_with(PREFIX)
            // Not following links: what is removed is a real directory of our own user.
            && entry.path().symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == ours);
        if is_candidate && is_dead(&entry.path()) && fs::remove_dir_all(entry.path()).is_ok() {
            tracing::debug!("removed the run directory of a dead host");
        }
    }
}

/// Dead is proven by a lock that is there and free. A directory without one may be just being made.
fn is_dead(directory: &Path) -> bool {
    File::open(directory.join(LOCK))
        .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_is_private_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RunDirectory::create_in(parent.path()).unwrap();
        let path = directory.path.clone();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn only_what_dead_hosts_left_is_swept() {
        let parent = tempfile::tempdir().unwrap();
        let alive = RunDirectory::create_in(parent.path()).unwrap();
        let dead = parent.path().join("snakepit-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let unfinished = parent.path().join("snakepit-unfinished");
        fs::create_dir(&unfinished).unwrap();
        let foreign = parent.path().join("other");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join(LOCK), "").unwrap();
        let _new = RunDirectory::create_in(parent.path()).unwrap();
        assert!(!dead.exists());
        assert!(alive.path.exists() && unfinished.exists() && foreign.exists());
    }

    #[test]
    fn hosts_that_come_up_at_once_do_not_sweep_each_other() {
        let parent = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let directory = RunDirectory::create_in(parent.path()).unwrap();
                        assert!(directory.path.join(LOCK).exists());
                    }
                });
            }
        });
    }

    #[test]
    fn a_socket_path_that_is_too_long_is_named_with_its_limit() {
        let parent = tempfile::tempdir().unwrap();
        let deep = parent.path().join("x".repeat(100));
        fs::create_dir(&deep).unwrap();
        let error = RunDirectory::create_in(&deep).unwrap_err();
        assert_eq!(error.code(), "SP0521");
        assert!(error.to_string().contains("107"));
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 0, "nothing is left behind");
    }
}
