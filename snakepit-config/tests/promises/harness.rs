//! A folder with a configuration in it, and errors as a person would read them.

use std::fmt::Write as _;
use std::path::PathBuf;

use snakepit_config::{ConfigBuilder, ConfigError, ConfigErrors, Settings};
use tempfile::TempDir;

/// A temporary folder that holds files.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A folder with one file.
    pub(crate) fn with(name: &str, text: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        folder.add(name, text);
        folder
    }

    /// Adds a file, and the folders above it.
    pub(crate) fn add(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A builder that reads `snakepit.toml` here, and nothing of the process's environment.
    pub(crate) fn builder(&self) -> ConfigBuilder {
        Settings::builder().env(false).file(self.path("snakepit.toml"))
    }

    /// `text` without this folder's own path.
    pub(crate) fn masked(&self, text: &str) -> String {
        let own = self.0.path().display().to_string();
        text.replace(&format!("{own}/"), "").replace(&own, ".")
    }
}

/// Errors with code and hint, one after the other, without the temporary folder's path.
pub(crate) fn report(folder: &Folder, result: Result<Settings, ConfigErrors>) -> String {
    let errors = result.expect_err("the configuration has errors");
    let mut text = errors.to_string();
    for error in &errors {
        assert!(error.code().starts_with("SP01"));
    }
    let codes: Vec<&str> = errors.iter().map(ConfigError::code).collect();
    write!(text, "\ncodes: {}", codes.join(" ")).expect("memory is enough");
    let hints: std::collections::BTreeSet<String> = errors.iter().filter_map(ConfigError::hint).collect();
    for hint in hints {
        write!(text, "\nhint: {hint}").expect("memory is enough");
    }
    folder.masked(&text)
}
