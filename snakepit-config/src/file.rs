//! The file layer: a walk over the TOML document that finds every error with its line.

use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, Table, TableLike};

use crate::error::{ConfigError, ConfigErrorKind};
use crate::keys::{self, Scope};
use crate::layer::{Layer, Level, PoolLevel, invalid, not_allowed};
use crate::place::{Origin, Place};
use crate::settings::PoolName;
use crate::value::Kind;

/// Largest file that is read, in bytes. A configuration is far smaller; `/dev/zero` is not.
const FILE_MAX: u64 = 1 << 20;

/// Most pools of a file. Each has processes of its own.
const POOLS_MAX: usize = 1000;

/// Reads a file. None where it does not exist and need not.
pub(crate) fn read(
    path: &Path,
    optional: bool,
    current: &Path,
    errors: &mut Vec<ConfigError>,
) -> Option<Layer> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if optional && error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            let reason = error.to_string();
            errors.push(ConfigError::new(
                whole_file(path),
                ConfigErrorKind::Unreadable { reason },
            ));
            return None;
        }
    };
    let file = current.join(path);
    let folder = file.parent().unwrap_or(current);
    Some(walk(path, folder, &text, errors))
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(FILE_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        let message = format!("it is larger than {}", crate::size::format(FILE_MAX));
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, message));
    }
    String::from_utf8(bytes).map_err(|_| std::io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

fn whole_file(path: &Path) -> Origin {
    let path = path.to_owned();
    Origin::new(Place::File { path, line: None }, "")
}

/// Walks the text of a file; relative paths in it start at `folder`.
pub(crate) fn walk(path: &Path, folder: &Path, text: &str, errors: &mut Vec<ConfigError>) -> Layer {
    let mut walk = Walk {
        path: path.to_owned(),
        folder,
        text,
        line_ends: text.match_indices('\n').map(|(offset, _)| offset).collect(),
        errors,
    };
    match Document::parse(text) {
        Ok(document) => walk.document(document.as_table()),
        Err(error) => {
            // The parser's message may run over several lines; one reads better in a list.
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            let origin = walk.origin(error.span(), "");
            walk.errors
                .push(ConfigError::new(origin, ConfigErrorKind::Syntax { message }));
            Layer::default()
        }
    }
}

struct Walk<'a> {
    path: PathBuf,
    folder: &'a Path,
    text: &'a str,
    line_ends: Vec<usize>,
    errors: &'a mut Vec<ConfigError>,
}

impl Walk<'_> {
    fn document(&mut self, table: &Table) -> Layer {
        let top = self.level(table, Scope::Top, "");
        let pools = table.get_key_value("pools");
        Layer {
            top,
            listed: pools.is_some(),
            pools: pools.map_or_else(Vec::new, |(key, item)| self.pools(key.span(), item)),
            file: Some(whole_file(&self.path).place),
        }
    }

    fn pools(&mut self, span: Option<Range<usize>>, item: &Item) -> Vec<PoolLevel> {
        let origin = self.origin(span, "pools");
        let Some(tables) = tables_of(item).filter(|tables| !tables.is_empty()) else {
            let given = self.given(item);
            self.errors.push(not_allowed(origin, Kind::Pools, &given));
            return Vec::new();
        };
        if tables.len() > POOLS_MAX {
            let given = format!("{} pools", tables.len());
            self.errors
                .push(invalid(origin, &given, &format!("at most {POOLS_MAX}")));
            return Vec::new();
        }
        let mut pools: Vec<PoolLevel> = Vec::new();
        for (index, (table, span)) in tables.into_iter().enumerate() {
            let prefix = format!("pools[{index}].");
            let level = self.level(table, Scope::Pool, &prefix);
            let Some((name, origin)) = self.pool_name(table, span, index) else {
                continue;
            };
            if pools.iter().any(|pool| pool.name == name) {
                self.errors
                    .push(ConfigError::new(origin, ConfigErrorKind::DuplicatePool { name }));
                continue;
            }
            pools.push(PoolLevel { name, origin, level });
        }
        pools
    }

    /// A pool's name and where the pool stands.
    fn pool_name(
        &mut self,
        table: &dyn TableLike,
        span: Option<Range<usize>>,
        index: usize,
    ) -> Option<(String, Origin)> {
        let Some((key, item)) = table.get_key_value("name") else {
            let origin = self.origin(span, format!("pools[{index}]"));
            self.errors
                .push(ConfigError::new(origin, ConfigErrorKind::UnnamedPool));
            return None;
        };
        let origin = self.origin(key.span(), format!("pools[{index}].name"));
        let Some(name) = item.as_str().and_then(PoolName::new) else {
            let given = self.given(item);
            self.errors.push(not_allowed(origin, Kind::Name, &given));
            return None;
        };
        Some((name.as_str().to_owned(), origin))
    }

    /// Every key of one table but the two that only give it its shape, `pools` and `name`.
    fn level(&mut self, table: &dyn TableLike, scope: Scope, prefix: &str) -> Level {
        let mut level = Level::default();
        for (name, item) in table.iter() {
            let span = table
                .get_key_value(name)
                .and_then(|(key, _)| key.span())
                .or_else(|| item.span());
            let origin = self.origin(span, format!("{prefix}{name}"));
            let Some(key) = keys::find(name) else {
                let nearest = keys::nearest(name, scope.keys()).map(str::to_owned);
                self.errors.push(ConfigError::new(
                    origin,
                    ConfigErrorKind::UnknownKey { nearest, scope },
                ));
                continue;
            };
            if !key.allowed_in(scope) {
                let place = match key.scope {
                    Scope::Top => "it belongs at top level",
                    Scope::Pool | Scope::Both => "it belongs in a pool",
                };
                self.errors
                    .push(ConfigError::new(origin, ConfigErrorKind::MisplacedKey { place }));
                continue;
            }
            match key.kind {
                Kind::Pools | Kind::Name => {}
                Kind::Variables => self.variables(key, item, &origin, &mut level),
                kind => {
                    let value = kind.read_toml(item, self.folder);
                    let given = self.given(item);
                    level.put(key, origin, value, || given, self.errors);
                }
            }
        }
        level
    }

    fn variables(&mut self, key: &'static keys::Key, item: &Item, origin: &Origin, level: &mut Level) {
        let Some(table) = item.as_table_like() else {
            let given = self.given(item);
            self.errors.push(invalid(origin.clone(), &given, &key.rule()));
            return;
        };
        for (variable, item) in table.iter() {
            let span = table.get_key_value(variable).and_then(|(key, _)| key.span());
            let origin = self.origin(span, format!("{}.{variable}", origin.key));
            let text = item.as_str().ok_or(item.type_name());
            level.put_variable(key, variable, origin, text, self.errors);
        }
    }

    fn origin(&self, span: Option<Range<usize>>, key: impl Into<String>) -> Origin {
        let line = span.map(|span| 1 + self.line_ends.partition_point(|end| *end < span.start));
        let path = self.path.clone();
        Origin::new(Place::File { path, line }, key)
    }

    /// An item as the file spells it.
    fn given(&self, item: &Item) -> String {
        match item {
            Item::Table(_) | Item::ArrayOfTables(_) => "a table".to_owned(),
            _ => item
                .span()
                .and_then(|span| self.text.get(span))
                .unwrap_or("nothing")
                .to_owned(),
        }
    }
}

type Tables<'a> = Vec<(&'a dyn TableLike, Option<Range<usize>>)>;

/// The tables of a list, in either of TOML's spellings, each with its span. None where it is no list of tables.
fn tables_of(item: &Item) -> Option<Tables<'_>> {
    match item {
        Item::ArrayOfTables(tables) => Some(
            tables
                .iter()
                .map(|table| (table as &dyn TableLike, table.span()))
                .collect(),
        ),
        Item::Value(toml_edit::Value::Array(array)) => array
            .iter()
            .map(|value| Some((value.as_inline_table()? as &dyn TableLike, value.span())))
            .collect(),
        _ => None,
    }
}
