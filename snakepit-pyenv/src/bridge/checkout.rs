//! The source checkout, and the bridges built from it.
//!
//! A built bridge lives in `target/bridge/cache/<key>`, where the key is made of everything that goes into it. It is put
//! together beside that folder and renamed, under a lock that dies with its holder: processes that start together build
//! once, and a build that was killed leaves nothing that looks finished.

use std::env;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cargo::{self, Build};
use super::folder::{self, PACKAGE};
use super::{Abi, BridgeError};
use crate::facts::InterpreterFacts;
use crate::progress::Progress;

/// What goes into a bridge besides `snakepit-bridge` itself.
const SOURCES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "snakepit-bridge",
    "snakepit-grpc/Cargo.toml",
    "snakepit-grpc/build.rs",
    "snakepit-grpc/proto",
    "snakepit-grpc/src",
];

/// How often a build begins again because the sources have changed under it.
const ATTEMPTS: usize = 3;

/// A source checkout, and the cargo to build with.
#[derive(Debug, Clone)]
pub(super) struct Checkout {
    pub(super) root: PathBuf,
    pub(super) cargo: OsString,
}

// === impl Checkout ===

impl Checkout {
    /// The checkout that this crate was compiled in, if it is still there.
    pub(super) fn here() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.to_owned();
        root.join("snakepit-bridge/Cargo.toml").is_file().then(|| Self {
            root,
            cargo: env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        })
    }

    /// The folder with the bridge for an interpreter, built if it is not there yet.
    pub(super) fn bridge(
        &self,
        facts: &InterpreterFacts,
        progress: &dyn Progress,
    ) -> Result<PathBuf, BridgeError> {
        if let Some(folder) = self.built(facts)? {
            return Ok(folder);
        }
        let abi = Abi::of(facts);
        progress.started(&format!(
            "Building the bridge for Python {}.{} ({}), which happens once; cargo may fetch its locked dependencies",
            facts.version.major,
            facts.version.minor,
            abi.tag()
        ));
        let result = self.build(facts, &abi, progress);
        progress.finished(result.is_ok());
        result
    }

    /// The folder with the bridge for an interpreter, if it is built already.
    pub(super) fn built(&self, facts: &InterpreterFacts) -> Result<Option<PathBuf>, BridgeError> {
        let abi = Abi::of(facts);
        let folder = self.folder(&self.sources()?, &abi);
        Ok(Some(folder).filter(|folder| is_finished(folder, &abi)))
    }

    /// Everything that belongs to this checkout's bridges.
    fn target(&self) -> PathBuf {
        self.root.join("target/bridge")
    }

    fn cache(&self) -> PathBuf {
        self.target().join("cache")
    }

    /// Where the bridge made of these sources is, or will be.
    fn folder(&self, sources: &str, abi: &Abi) -> PathBuf {
        self.cache().join(key(sources, abi))
    }

    fn build(
        &self,
        facts: &InterpreterFacts,
        abi: &Abi,
        progress: &dyn Progress,
    ) -> Result<PathBuf, BridgeError> {
        let cache = self.cache();
        fs::create_dir_all(&cache).map_err(BridgeError::io("make the folder", &cache))?;
        let _lock = lock(&self.target().join("snakepit.lock"), progress)?;
        for _ in 0..ATTEMPTS {
            let sources = self.sources()?;
            let folder = self.folder(&sources, abi);
            // Whoever held the lock may have built this very bridge.
            if is_finished(&folder, abi) {
                return Ok(folder);
            }
            let assembled = self.assemble(facts, abi, &sources, progress)?;
            // A bridge of sources that somebody was editing belongs to neither version, and would be found for ever.
            if self.sources()? == sources {
                remove_if_there(&folder)?;
                fs::rename(&assembled, &folder).map_err(BridgeError::io("write", &folder))?;
                return Ok(folder);
            }
            progress.line("The sources have changed meanwhile; building again");
        }
        Err(BridgeError::SourcesChanged {
            root: self.root.clone(),
        })
    }

    /// Builds the module and puts a bridge together, for the holder of the lock.
    fn assemble(
        &self,
        facts: &InterpreterFacts,
        abi: &Abi,
        sources: &str,
        progress: &dyn Progress,
    ) -> Result<PathBuf, BridgeError> {
        let module = cargo::build(
            &Build {
                cargo: &self.cargo,
                root: &self.root,
                target: &self.target(),
                abi,
                // Not the path by which it was found: that may be a shim whose answer depends on the current folder.
                python: &facts.executable,
            },
            progress,
        )?;
        // Only the holder of the lock is here, so one name is enough; what has it was left by a process that was killed.
        let assembling = self.cache().join(".assembling");
        remove_if_there(&assembling)?;
        let package = assembling.join(PACKAGE);
        copy_python(&self.root.join("snakepit-bridge/python").join(PACKAGE), &package)?;
        folder::copy_file(&module, &package.join(abi.module_file()))?;
        folder::write_built_from(&package, sources)?;
        Ok(assembling)
    }

    /// A hash over every file that goes into a bridge: names, lengths and contents.
    fn sources(&self) -> Result<String, BridgeError> {
        let mut files = Vec::new();
        for source in SOURCES {
            list_files(&self.root.join(source), &mut files)?;
        }
        files.sort();
        let mut hash = Sha256::new();
        for file in &files {
            let contents = fs::read(file).map_err(BridgeError::io("read", file))?;
            let name = file.strip_prefix(&self.root).unwrap_or(file);
            hash.update(name.as_os_str().as_encoded_bytes());
            hash.update([0]);
            hash.update(contents.len().to_le_bytes());
            hash.update(contents);
        }
        Ok(hex(&hash.finalize()))
    }
}

/// The name of a bridge in the cache: what it is made of, by which compiler, for whom.
fn key(sources: &str, abi: &Abi) -> String {
    let mut hash = Sha256::new();
    for part in [
        sources,
        env!("SNAKEPIT_RUSTC"),
        env::consts::OS,
        env::consts::ARCH,
        abi.tag(),
    ] {
        hash.update(part);
        hash.update([0]);
    }
    // 128 bits tell bridges apart; the tag is for people.
    format!("{}-{}", abi.tag(), &hex(&hash.finalize())[..32])
}

/// Whether a folder of the cache holds a whole bridge. It appears whole; but somebody may have tidied up in it.
fn is_finished(folder: &Path, abi: &Abi) -> bool {
    let package = folder.join(PACKAGE);
    package.join("__init__.py").is_file() && package.join(abi.module_file()).is_file()
}

/// Takes the lock, and says so when that means waiting. It is let go when the file is closed.
fn lock(path: &Path, progress: &dyn Progress) -> Result<File, BridgeError> {
    let failed = BridgeError::io("lock", path);
    let file = match File::options().create(true).append(true).open(path) {
        Ok(file) => file,
        Err(source) => return Err(failed(source)),
    };
    let locked = match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            progress.line("Another process is building a bridge; waiting for it");
            file.lock()
        }
        Err(TryLockError::Error(source)) => Err(source),
        Ok(()) => Ok(()),
    };
    locked.map(|()| file).map_err(failed)
}

/// Copies the Python files of the package, and no extension module that another tool has built among them.
fn copy_python(from: &Path, to: &Path) -> Result<(), BridgeError> {
    folder::copy_package(from, to)?;
    let entries = fs::read_dir(to).map_err(BridgeError::io("read the folder", to))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if is_compiled(&path) {
            fs::remove_file(&path).map_err(BridgeError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Lists the files of a source, a file or a folder. One that is not there adds nothing.
fn list_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), BridgeError> {
    if !path.is_dir() {
        files.extend(path.is_file().then(|| path.to_owned()));
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(BridgeError::io("read the folder", path))?;
    for entry in entries {
        let entry = entry.map_err(BridgeError::io("read the folder", path))?;
        let file_type = entry
            .file_type()
            .map_err(BridgeError::io("read the folder", path))?;
        let path = entry.path();
        // Links to folders are not followed: they may lead round in a circle.
        if folder::is_litter(&entry.file_name())
            || is_compiled(&path)
            || (file_type.is_symlink() && path.is_dir())
        {
            continue;
        }
        list_files(&path, files)?;
    }
    Ok(())
}

fn is_compiled(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["so", "dylib", "pyc"]
            .iter()
            .any(|compiled| extension == *compiled)
    })
}

fn remove_if_there(folder: &Path) -> Result<(), BridgeError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BridgeError::io("remove the folder", folder)(error))
        }
        _ => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
