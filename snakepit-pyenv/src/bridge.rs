//! The bridge for an interpreter: given, installed, or built.

mod bytecode;
mod cargo;
mod checkout;
mod error;
mod folder;

pub use error::BridgeError;

use std::fs;
use std::path::{Path, PathBuf};

use crate::facts::{Bridge, BridgeOrigin, Interpreter, InterpreterFacts};
use crate::progress::Progress;
use checkout::Checkout;

/// The version that a bridge must have: both sides of the wire are released together.
pub const BRIDGE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// For whom an extension module is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Abi {
    /// The stable ABI: one module for every ordinary `CPython` from 3.9 on.
    Stable,
    /// This one ABI, named by the suffix of its extension modules.
    Own {
        /// `EXT_SUFFIX`.
        suffix: String,
    },
}

/// Finds the bridge for an interpreter, or builds it.
///
/// The order is: the folder that was `given`; one installed in the interpreter's environment, of this version; one
/// built by cargo, where this program was compiled in a source checkout that is still there. The build is made once and
/// kept in the checkout's target folder; the first may fetch the bridge's locked dependencies, and takes a minute.
///
/// Blocks while it builds, or while another process does.
pub fn bridge_for(
    interpreter: &Interpreter,
    given: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Bridge, BridgeError> {
    find_or_build(interpreter, given, Checkout::here().as_ref(), progress)
}

/// Builds the bridge for an interpreter and copies it to `out`, which is made if need be: for machines without cargo.
///
/// If `out` holds a bridge of this version already, the new one is added to it, so that one folder can serve several
/// interpreters. A folder with anything else in it is left alone. Returns `out`.
///
/// Blocks while it builds, or while another process does.
pub fn build_bridge(
    interpreter: &Interpreter,
    out: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, BridgeError> {
    build_into(interpreter, out, Checkout::here().as_ref(), progress)
}

/// Says in a few words where the bridge for an interpreter comes from, or would come from, when none is named. Builds
/// nothing.
pub fn bridge_status(interpreter: &Interpreter) -> Result<String, BridgeError> {
    status(interpreter, Checkout::here().as_ref())
}

fn find_or_build(
    interpreter: &Interpreter,
    given: Option<&Path>,
    checkout: Option<&Checkout>,
    progress: &dyn Progress,
) -> Result<Bridge, BridgeError> {
    if let Some(given) = given {
        folder::check(given, interpreter)?;
        return Ok(Bridge {
            path: Some(given.to_owned()),
            origin: BridgeOrigin::Given,
        });
    }
    let installed = interpreter.facts.installed_bridge.as_ref();
    if installed.is_some_and(|(version, _)| version == BRIDGE_VERSION) {
        return Ok(Bridge {
            path: None,
            origin: BridgeOrigin::Installed,
        });
    }
    let checkout = checkout.ok_or_else(|| no_bridge(interpreter))?;
    if let Some((version, folder)) = installed {
        tracing::warn!(
            version,
            wanted = BRIDGE_VERSION,
            folder = %folder.display(),
            "the installed snakepit_bridge has another version and is not used"
        );
    }
    let folder = checkout.bridge(&interpreter.facts, progress)?;
    bytecode::ensure(interpreter, &folder);
    Ok(Bridge {
        path: Some(folder),
        origin: BridgeOrigin::Built,
    })
}

fn status(interpreter: &Interpreter, checkout: Option<&Checkout>) -> Result<String, BridgeError> {
    let installed = interpreter.facts.installed_bridge.as_ref();
    if let Some((_, folder)) = installed.filter(|(version, _)| version == BRIDGE_VERSION) {
        return Ok(format!("installed in {}", folder.display()));
    }
    let checkout = checkout.ok_or_else(|| no_bridge(interpreter))?;
    if let Some(folder) = checkout.built(&interpreter.facts)? {
        return Ok(format!("built, in {}", folder.display()));
    }
    cargo::check(&checkout.cargo)?;
    Ok("not built yet; cargo builds it at the first start".to_owned())
}

/// Nobody has named one, and there is no way to get one.
fn no_bridge(interpreter: &Interpreter) -> BridgeError {
    let installed = interpreter.facts.installed_bridge.as_ref();
    BridgeError::NoBridge {
        python: interpreter.path.clone(),
        installed: installed.map(|(version, _)| version.clone()),
    }
}

fn build_into(
    interpreter: &Interpreter,
    out: &Path,
    checkout: Option<&Checkout>,
    progress: &dyn Progress,
) -> Result<PathBuf, BridgeError> {
    let checkout = checkout.ok_or_else(|| BridgeError::NoCheckout {
        python: interpreter.path.clone(),
    })?;
    // Asked first: nobody wants to wait a minute for a refusal.
    folder::may_hold_bridge(out)?;
    let built = checkout.bridge(&interpreter.facts, progress)?;
    fs::create_dir_all(out).map_err(BridgeError::io("make the folder", out))?;
    folder::add(&built, out)?;
    Ok(out.to_owned())
}

// === impl Abi ===

impl Abi {
    fn of(facts: &InterpreterFacts) -> Self {
        if facts.free_threaded {
            Self::Own {
                suffix: facts.extension_suffix.clone(),
            }
        } else {
            Self::Stable
        }
    }

    /// The name that Python looks for.
    fn module_file(&self) -> String {
        match self {
            Self::Stable => "_native.abi3.so".to_owned(),
            Self::Own { suffix } => format!("_native{suffix}"),
        }
    }

    /// A word for messages, and for telling builds apart.
    fn tag(&self) -> &str {
        match self {
            Self::Stable => "abi3",
            Self::Own { suffix } => suffix.trim_start_matches('.').trim_end_matches(".so"),
        }
    }
}

#[cfg(test)]
mod tests;
