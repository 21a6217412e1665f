//! A folder with the bridge in it: checking one, and adding to one.
//!
//! `snakepit_bridge/BUILT_FROM` says which version it has and from which sources its modules were built, one line each.
//! A folder without it (a copy of an installed package, say) is taken as it is: the worker's handshake compares versions
//! anyway.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Abi, BRIDGE_VERSION, BridgeError};
use crate::facts::Interpreter;

/// The package's name.
pub(super) const PACKAGE: &str = "snakepit_bridge";
const BUILT_FROM: &str = "BUILT_FROM";

/// Checks that the bridge in `path` can be loaded by `interpreter`.
///
/// This has to be asked beforehand: a free-threaded 3.13 does load a module of the stable ABI if it finds no other, and
/// crashes in it.
pub(super) fn check(path: &Path, interpreter: &Interpreter) -> Result<(), BridgeError> {
    let package = path.join(PACKAGE);
    if !package.join("__init__.py").is_file() {
        return Err(BridgeError::NoPackage {
            path: path.to_owned(),
        });
    }
    if let Some((version, _)) = built_from(&package)
        && version != BRIDGE_VERSION
    {
        return Err(BridgeError::WrongVersion {
            path: path.to_owned(),
            version,
        });
    }
    let abi = Abi::of(&interpreter.facts);
    let mut wanted = vec![abi.module_file()];
    if abi == Abi::Stable {
        // A build for this version alone is as good.
        wanted.push(format!("_native{}", interpreter.facts.extension_suffix));
    }
    let found = modules(&package);
    if wanted.iter().any(|name| found.contains(name)) {
        return Ok(());
    }
    Err(BridgeError::NoModule {
        path: path.to_owned(),
        python: interpreter.path.clone(),
        wanted,
        found,
    })
}

/// Whether a bridge may be put into `out`: it is not there, empty, or has a bridge of this version.
pub(super) fn may_hold_bridge(out: &Path) -> Result<(), BridgeError> {
    let refuse = |found: String| BridgeError::NotABridge {
        path: out.to_owned(),
        found,
    };
    let mut entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(refuse("it is a file".to_owned()));
        }
        Err(source) => return Err(BridgeError::io("read the folder", out)(source)),
    };
    let Some(first) = entries.next() else {
        return Ok(());
    };
    match built_from(&out.join(PACKAGE)) {
        Some((version, _)) if version == BRIDGE_VERSION => Ok(()),
        Some((version, _)) => Err(refuse(format!("it is one of version {version}"))),
        None => {
            let first = first.map_err(BridgeError::io("read the folder", out))?;
            Err(refuse(format!(
                "there is `{}` in it",
                first.file_name().to_string_lossy()
            )))
        }
    }
}

/// Adds the bridge in `from` to `out`, which [`may_hold_bridge`].
///
/// Modules that were built from other sources go: they would not fit the Python files.
pub(super) fn add(from: &Path, out: &Path) -> Result<(), BridgeError> {
    let (from, to) = (from.join(PACKAGE), out.join(PACKAGE));
    if built_from(&to).is_some() && built_from(&to) != built_from(&from) {
        for module in modules(&to) {
            let module = to.join(module);
            fs::remove_file(&module).map_err(BridgeError::io("remove", &module))?;
        }
    }
    copy_package(&from, &to)
}

/// Writes what [`check`] and [`add`] read.
pub(super) fn write_built_from(package: &Path, sources: &str) -> Result<(), BridgeError> {
    let path = package.join(BUILT_FROM);
    fs::write(&path, format!("{BRIDGE_VERSION}\n{sources}\n")).map_err(BridgeError::io("write", &path))
}

/// Copies a package file by file. Each file appears whole: a module that a running worker has mapped is replaced, never
/// written over.
pub(super) fn copy_package(from: &Path, to: &Path) -> Result<(), BridgeError> {
    fs::create_dir_all(to).map_err(BridgeError::io("make the folder", to))?;
    let entries = fs::read_dir(from).map_err(BridgeError::io("read the folder", from))?;
    for entry in entries {
        let entry = entry.map_err(BridgeError::io("read the folder", from))?;
        let name = entry.file_name();
        if is_litter(&name) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if source.is_dir() {
            copy_package(&source, &target)?;
        } else {
            copy_file(&source, &target)?;
        }
    }
    Ok(())
}

/// Copies a file under a temporary name and renames it.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<(), BridgeError> {
    let mut name = std::ffi::OsString::from(".new-");
    name.push(to.file_name().unwrap_or_default());
    let new: PathBuf = to.with_file_name(name);
    fs::copy(from, &new).map_err(BridgeError::io("copy to", &new))?;
    fs::rename(&new, to).map_err(BridgeError::io("write", to))
}

/// What lies about in a source folder and is no part of it: hidden files, byte code, what other builds left.
pub(super) fn is_litter(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || name == "__pycache__" || name == "target" || name.ends_with(".egg-info")
}

/// Version and sources of the bridge in a package folder, if snakepit made it.
fn built_from(package: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(package.join(BUILT_FROM)).ok()?;
    let mut lines = text.lines().map(str::to_owned);
    Some((lines.next()?, lines.next()?))
}

/// Names of the extension modules in a package folder, sorted.
fn modules(package: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(package)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("_native.") && Path::new(name).extension() == Some(OsStr::new("so")))
        .collect();
    names.sort();
    names
}
