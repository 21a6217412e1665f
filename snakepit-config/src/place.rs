//! Where a value was written.

use std::fmt;
use std::path::PathBuf;

/// Where a value of the configuration was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In a file, as it was named, and on which line (from 1) where one is known.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: Option<usize>,
    },
    /// In an environment variable.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// In the program, through the builder.
    Builder,
    /// Nowhere: snakepit's own default, or something that nobody wrote.
    Nowhere,
}

/// A place, and the path of the key there: `pools[1].queue_max`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) place: Place,
    /// Empty where the place says it all, as an environment variable's name does.
    pub(crate) key: String,
}

// === impl Place ===

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Environment { variable } => f.write_str(variable),
            Self::Builder => f.write_str("builder"),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

// === impl Origin ===

impl Origin {
    pub(crate) fn new(place: Place, key: impl Into<String>) -> Self {
        Self {
            place,
            key: key.into(),
        }
    }

    /// Who wrote it, for a message about the value's consequences: `` `pools[1].python` in snakepit.toml:7 ``.
    pub(crate) fn named_by(&self) -> String {
        match &self.place {
            Place::Environment { variable } => variable.clone(),
            Place::File { .. } => format!("`{}` in {}", self.key, self.place),
            Place::Builder | Place::Nowhere => format!("`{}` in the program", self.key),
        }
    }
}
