//! `adapter`: a file or a module, and perhaps a class in it.

use std::path::{Path, PathBuf};

use crate::settings::{Adapter, AdapterSource};

pub(crate) const ALLOWED: &str =
    "a Python file (`adapter.py`), a module (`package.module`), or a class in one of them (`module:Class`)";

/// The adapter that `text` names; a relative file starts at `folder`. None where it is neither file nor module.
pub(crate) fn parse(text: &str, folder: &Path) -> Option<Adapter> {
    let (code, class) = split_class(text);
    if class.is_some_and(|class| !is_identifier(class)) {
        return None;
    }
    let source = if is_file(code) {
        AdapterSource::File(absolute(Path::new(code), folder)?)
    } else if code.split('.').all(is_identifier) {
        AdapterSource::Module(code.to_owned())
    } else {
        return None;
    };
    Some(Adapter {
        source,
        class: class.map(str::to_owned),
    })
}

/// `path` under `folder`, without the dots of `./` but otherwise as written: links are never followed.
pub(crate) fn absolute(path: &Path, folder: &Path) -> Option<PathBuf> {
    std::path::absolute(folder.join(path)).ok()
}

fn is_file(code: &str) -> bool {
    code.contains('/') || has_python_suffix(code)
}

fn has_python_suffix(code: &str) -> bool {
    Path::new(code).extension().is_some_and(|suffix| suffix == "py")
}

/// A colon begins a class, unless it is part of a folder's name: `jobs:1/adapter.py`.
fn split_class(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((code, class)) if !class.contains('/') => (code, Some(class)),
        _ => (text, None),
    }
}

/// Near enough to Python's rule that a slip is caught here; Python itself decides at the import.
fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        parse(text, Path::new("/etc/app")).map(|adapter| adapter.to_string())
    }

    #[test]
    fn an_adapter_is_a_file_if_it_has_a_separator_or_ends_in_py() {
        assert_eq!(shown("stats.py").as_deref(), Some("`/etc/app/stats.py`"));
        assert_eq!(shown("./lib/stats").as_deref(), Some("`/etc/app/lib/stats`"));
        assert_eq!(shown("/opt/a.py:Model").as_deref(), Some("`/opt/a.py:Model`"));
        assert_eq!(shown("jobs:1/a.py").as_deref(), Some("`/etc/app/jobs:1/a.py`"));
        assert_eq!(
            shown("jobs:1/a.py:Model").as_deref(),
            Some("`/etc/app/jobs:1/a.py:Model`")
        );
    }

    #[test]
    fn anything_else_is_a_module_of_dotted_names() {
        assert_eq!(shown("my_pkg.stats").as_deref(), Some("`my_pkg.stats`"));
        assert_eq!(
            shown("my_pkg.stats:Model").as_deref(),
            Some("`my_pkg.stats:Model`")
        );
        for text in [
            "", ":", "a:", ":B", "a..b", "1a", "my-pkg", "a:B.C", "a:B:C", "a.py:", "a b", "a.py:1",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }
}
