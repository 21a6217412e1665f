//! Where in a value something is: `result.items[3].price`.

use std::fmt::Write as _;

/// Longest path in a message, in bytes. A deeper one loses its middle.
const PATH_MAX: usize = 1024;

/// Longest map key that is written out, in characters.
const KEY_MAX: usize = 64;

/// A path, grown from its root outwards.
#[derive(Debug)]
pub(crate) struct Path(String);

/// What is wrong with a value, and where.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) path: String,
    pub(crate) reason: String,
}

impl Path {
    pub(crate) fn new(root: &str) -> Self {
        Self(root.to_owned())
    }

    pub(crate) fn index(&mut self, index: usize) {
        // Writing into a `String` cannot fail.
        let _ = write!(self.0, "[{index}]");
    }

    pub(crate) fn key(&mut self, key: &str) {
        let mut chars = key.chars();
        let identifier = chars
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_')
            && chars.all(|next| next.is_alphanumeric() || next == '_');
        let shown: String = key.chars().take(KEY_MAX).collect();
        let cut = if shown.len() < key.len() { "…" } else { "" };
        let _ = if identifier {
            write!(self.0, ".{shown}{cut}")
        } else {
            write!(self.0, "[{shown:?}{cut}]")
        };
    }

    pub(crate) fn finish(self) -> String {
        let text = self.0;
        if text.len() <= PATH_MAX {
            return text;
        }
        let head = text.floor_char_boundary(PATH_MAX / 2);
        let tail = text.ceil_char_boundary(text.len() - PATH_MAX / 2);
        format!("{} … {}", &text[..head], &text[tail..])
    }
}
