//! Where in a value something is.

use std::fmt::Write as _;

/// Longest path that is spelled out, and longest key in it, in bytes.
const SPELLED_MAX: usize = 256;
const KEY_MAX: usize = 64;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// An element of a list.
    Index(u64),
    /// The value of a map's key.
    Key(String),
}

impl Step {
    /// Keys come from outside and can be of any length.
    pub(super) fn key(key: &str) -> Self {
        Self::Key(key[..key.floor_char_boundary(KEY_MAX)].to_owned())
    }
}

/// Writes the steps, outermost first, like `items[3].price`.
pub(super) fn spelled<'a>(steps: impl IntoIterator<Item = &'a Step>) -> String {
    let mut text = String::new();
    for step in steps {
        if text.len() > SPELLED_MAX {
            text.push('…');
            break;
        }
        match step {
            // Writing to a string cannot fail.
            Step::Index(index) => drop(write!(text, "[{index}]")),
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
        }
    }
    if text.is_empty() {
        text.push_str("the value");
    }
    text
}
