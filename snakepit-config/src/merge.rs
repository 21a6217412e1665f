//! The layers of one pool, merged: figment decides which value wins.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;
use figment::providers::Serialized;
use serde::{Deserialize, Serialize};

use crate::layer::{Given, Level};
use crate::value::Value;

/// The values that win for one pool.
#[derive(Debug)]
pub(crate) struct Merged<'a> {
    values: BTreeMap<String, &'a Given>,
    /// `adapter_env`, by variable.
    pub(crate) variables: BTreeMap<String, &'a Given>,
}

/// What figment merges: the number of a value, so that the value keeps its type and its place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Leaf {
    One(usize),
    Named(BTreeMap<String, usize>),
}

/// Merges the levels of one pool; a later one wins, and `adapter_env` merges by variable.
pub(crate) fn merge<'a>(levels: impl IntoIterator<Item = &'a Level>) -> Merged<'a> {
    let mut table: Vec<&Given> = Vec::new();
    let mut figment = Figment::new();
    for level in levels {
        let mut leaves: BTreeMap<&str, Leaf> = BTreeMap::new();
        for entry in &level.entries {
            let number = table.len();
            table.push(&entry.given);
            match &entry.variable {
                None => {
                    leaves.insert(entry.key.name, Leaf::One(number));
                }
                Some(variable) => {
                    let named = leaves
                        .entry(entry.key.name)
                        .or_insert_with(|| Leaf::Named(BTreeMap::new()));
                    if let Leaf::Named(named) = named {
                        named.insert(variable.clone(), number);
                    }
                }
            }
        }
        figment = figment.merge(Serialized::defaults(leaves));
    }
    // Maps of numbers went in, and figment only chooses among them: nothing of the user's can fail here.
    let leaves: BTreeMap<String, Leaf> = figment
        .extract()
        .expect("maps of numbers merge to maps of numbers");
    let mut merged = Merged {
        values: BTreeMap::new(),
        variables: BTreeMap::new(),
    };
    let given = |number: usize| table.get(number).copied();
    for (key, leaf) in leaves {
        match leaf {
            Leaf::One(number) => {
                merged.values.extend(given(number).map(|given| (key, given)));
            }
            Leaf::Named(named) => {
                let named = named
                    .into_iter()
                    .filter_map(|(name, number)| given(number).map(|given| (name, given)));
                merged.variables.extend(named);
            }
        }
    }
    merged
}

// === impl Merged ===

impl<'a> Merged<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a Given> {
        self.values.get(key).copied()
    }

    /// The value of a key; None where it is not set, or flawed.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.get(key)?.value.as_ref()
    }

    pub(crate) fn count(&self, key: &str) -> Option<u32> {
        match self.value(key)? {
            Value::Count(count) => Some(*count),
            _ => None,
        }
    }

    pub(crate) fn positive(&self, key: &str) -> Option<NonZeroU32> {
        self.count(key).and_then(NonZeroU32::new)
    }

    pub(crate) fn span(&self, key: &str) -> Option<Duration> {
        match self.value(key)? {
            Value::Span(span) => Some(*span),
            _ => None,
        }
    }

    pub(crate) fn size(&self, key: &str) -> Option<u64> {
        match self.value(key)? {
            Value::Size(bytes) => Some(*bytes),
            _ => None,
        }
    }

    pub(crate) fn path(&self, key: &str) -> Option<PathBuf> {
        match self.value(key)? {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::Switch(true)))
    }
}
