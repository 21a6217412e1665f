//! Which common libraries may be used from many threads at once.
//!
//! The table is advice for whoever chooses a profile: nothing is refused because of it. A library that it does not
//! know is unknown, which is neither safe nor unsafe.
//!
//! ```
//! use snakepit_pyenv::ProfileKind;
//! use snakepit_pyenv::libraries::{self, Compatibility};
//!
//! let pandas = libraries::compatible("Pandas", ProfileKind::Thread);
//! assert!(matches!(pandas, Compatibility::Incompatible { .. }));
//! assert_eq!(libraries::compatible("left-pad", ProfileKind::Thread), Compatibility::Unknown);
//! ```

mod table;

use std::fmt;
use std::path::Path;

use snakepit_config::ProfileKind;

use crate::error::ProbeError;
use crate::probe::installed_distributions;
use table::{ALIASES, TABLE};

/// How a library behaves when many threads use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThreadSafety {
    /// It may be used as it is.
    Safe,
    /// It may be used with the care that its reason names.
    Conditional,
    /// It may not.
    Unsafe,
}

/// A library of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Library {
    /// The name by which it is installed, or its module's in the standard library.
    pub name: &'static str,
    /// Its class.
    pub safety: ThreadSafety,
    /// Why it is in that class.
    pub reason: &'static str,
    /// The first version with wheels for a free-threaded CPython, where that is known.
    pub free_threaded_since: Option<&'static str>,
}

/// Whether a library suits a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compatibility {
    /// It does.
    Compatible {
        /// Why.
        why: &'static str,
    },
    /// It does, with the care that `why` names.
    WithCare {
        /// Why, and when not.
        why: &'static str,
    },
    /// It does not.
    Incompatible {
        /// Why not.
        why: &'static str,
    },
    /// The table does not know the library.
    Unknown,
}

/// The libraries of a list, by class. Every part is sorted by the name that was asked for, without repetitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What the table knows.
    pub known: Vec<Reported>,
    /// What it does not.
    pub unknown: Vec<String>,
}

/// A known library in a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reported {
    /// The name that was asked for, or under which it is installed.
    pub asked: String,
    /// The installed version, where the report is about an environment.
    pub version: Option<String>,
    /// What the table says.
    pub library: &'static Library,
}

/// Looks a library up. Case does not count, `_` and `.` are `-`, and import names and variants
/// (`sklearn`, `cv2`, `opencv-python-headless`, …) are known as well.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static Library> {
    let name = normalised(name);
    let name = ALIASES
        .binary_search_by(|(alias, _)| (*alias).cmp(&name))
        .map_or(name.as_str(), |found| ALIASES[found].1);
    TABLE
        .binary_search_by(|library| library.name.cmp(name))
        .ok()
        .map(|found| &TABLE[found])
}

/// All libraries of a class, sorted by name.
#[must_use]
pub fn of_class(class: ThreadSafety) -> Vec<&'static Library> {
    TABLE.iter().filter(|library| library.safety == class).collect()
}

/// Whether a library suits a profile. Under the process profile every known library does: its workers run one call at
/// a time.
#[must_use]
pub fn compatible(name: &str, profile: ProfileKind) -> Compatibility {
    let Some(library) = lookup(name) else {
        return Compatibility::Unknown;
    };
    let why = library.reason;
    match (profile, library.safety) {
        (ProfileKind::Process, _) => Compatibility::Compatible {
            why: "a process worker runs one call at a time",
        },
        (ProfileKind::Thread, ThreadSafety::Safe) => Compatibility::Compatible { why },
        (ProfileKind::Thread, ThreadSafety::Conditional) => Compatibility::WithCare { why },
        (ProfileKind::Thread, ThreadSafety::Unsafe) => Compatibility::Incompatible { why },
    }
}

/// What the table says about each library of a list.
pub fn report<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Report {
    let versionless = names.into_iter().map(|name| (name.as_ref().to_owned(), None));
    Report::new(versionless.collect())
}

/// What the table says about each distribution that is installed for the interpreter at `python`, and about `sqlite3`,
/// which every Python has.
///
/// Blocks for the start of one interpreter, at most [`PROBE_TIME_LIMIT`](crate::PROBE_TIME_LIMIT).
pub fn installed_report(python: &Path) -> Result<Report, ProbeError> {
    let distributions = installed_distributions(python)?;
    let versioned = distributions
        .into_iter()
        .map(|(name, version)| (name, Some(version)));
    let of_python_itself = [("sqlite3".to_owned(), None)];
    Ok(Report::new(versioned.chain(of_python_itself).collect()))
}

/// A distribution's name in the form that names are compared in.
fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.trim().chars() {
        match character {
            '_' | '-' | '.' if normal.ends_with('-') => {}
            '_' | '-' | '.' => normal.push('-'),
            _ => normal.extend(character.to_lowercase()),
        }
    }
    normal
}

// === impl Report ===

impl Report {
    fn new(mut asked: Vec<(String, Option<String>)>) -> Self {
        asked.sort();
        asked.dedup_by(|a, b| a.0 == b.0);
        let mut report = Self::default();
        for (name, version) in asked {
            match lookup(&name) {
                Some(library) => report.known.push(Reported {
                    asked: name,
                    version,
                    library,
                }),
                None => report.unknown.push(name),
            }
        }
        report
    }

    /// The known libraries of one class.
    pub fn of_class(&self, class: ThreadSafety) -> impl Iterator<Item = &Reported> {
        self.known
            .iter()
            .filter(move |reported| reported.library.safety == class)
    }
}

impl fmt::Display for ThreadSafety {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Safe => "safe",
            Self::Conditional => "conditional",
            Self::Unsafe => "unsafe",
        })
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.asked)?;
        if let Some(version) = &self.version {
            write!(f, " {version}")?;
        }
        write!(f, ": {}: {}", self.library.safety, self.library.reason)?;
        if let Some(since) = self.library.free_threaded_since {
            write!(f, " (free-threaded wheels since {since})")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for class in [
            ThreadSafety::Unsafe,
            ThreadSafety::Conditional,
            ThreadSafety::Safe,
        ] {
            for reported in self.of_class(class) {
                writeln!(f, "{reported}")?;
            }
        }
        for name in &self.unknown {
            writeln!(f, "{name}: unknown")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched_because_it_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        assert!(ALIASES.is_sorted_by(|a, b| a.0 < b.0));
        for (alias, name) in ALIASES {
            assert_eq!(lookup(alias).map(|library| library.name), Some(*name), "{alias}");
        }
    }

    #[test]
    fn a_library_is_found_under_every_name_people_use() {
        for (asked, name) in [
            ("NumPy", "numpy"),
            ("scikit_learn", "scikit-learn"),
            ("Scikit.Learn", "scikit-learn"),
            ("sklearn", "scikit-learn"),
            ("cv2", "opencv"),
            ("opencv_python__headless", "opencv"),
            ("PyTorch", "torch"),
            ("PIL", "pillow"),
        ] {
            assert_eq!(lookup(asked).map(|library| library.name), Some(name), "{asked}");
        }
        assert_eq!(lookup(""), None);
        assert_eq!(lookup("numpy-financial"), None);
    }

    #[test]
    fn each_class_has_its_libraries() {
        let names = |class| {
            of_class(class)
                .iter()
                .map(|library| library.name)
                .collect::<Vec<_>>()
                .join(" ")
        };
        insta::assert_snapshot!(names(ThreadSafety::Safe), @"httpx msgspec numpy onnxruntime pillow plotly polars psycopg pyarrow pydantic requests scipy tokenizers transformers");
        insta::assert_snapshot!(names(ThreadSafety::Conditional), @"cupy faiss jax lightgbm opencv scikit-learn spacy sqlalchemy tensorflow torch xgboost");
        insta::assert_snapshot!(names(ThreadSafety::Unsafe), @"celery fasttext grpcio matplotlib pandas sqlite3");
    }

    #[test]
    fn the_profile_decides_whether_the_class_matters() {
        let thread = |name| compatible(name, ProfileKind::Thread);
        assert!(matches!(thread("numpy"), Compatibility::Compatible { .. }));
        assert!(matches!(thread("torch"), Compatibility::WithCare { .. }));
        assert!(matches!(thread("pandas"), Compatibility::Incompatible { .. }));
        assert!(matches!(
            compatible("pandas", ProfileKind::Process),
            Compatibility::Compatible { .. }
        ));
        assert_eq!(
            compatible("nobody-knows", ProfileKind::Process),
            Compatibility::Unknown
        );
    }

    #[test]
    fn a_report_sorts_what_it_was_asked_and_names_what_it_does_not_know() {
        let report = report(["torch", "numpy", "zope", "pandas", "acme", "numpy"]);
        insta::assert_snapshot!(report, @r"
        pandas: unsafe: data frames change internal caches even when they are only read (free-threaded wheels since 2.2.3)
        torch: conditional: inference is safe, training one model or changing global settings from many threads is not (free-threaded wheels since 2.6.0)
        numpy: safe: operations release the GIL, and arrays may be read by many threads; writing to one needs a lock (free-threaded wheels since 2.1.0)
        acme: unknown
        zope: unknown
        ");
        assert_eq!(report.unknown, ["acme", "zope"]);
    }
}
