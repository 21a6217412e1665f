//! Random configurations: none makes the crate panic, and a valid one means what was written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use snakepit_config::{KEYS, PoolSettings, Settings};

use crate::harness::Folder;

/// A limit that may be off, in milliseconds.
type Limit = Option<u64>;

/// One pool as a test writes it: each key is there or not.
#[derive(Debug, Clone)]
struct Written {
    pool_size: Option<u32>,
    profile: Option<&'static str>,
    threads: Option<u32>,
    queue_max: Option<u32>,
    queue_timeout_ms: Option<u64>,
    message_max: Option<u64>,
    ttl_ms: Option<Limit>,
    arguments: Option<Vec<String>>,
    variables: BTreeMap<String, String>,
}

fn written() -> impl Strategy<Value = Written> {
    (
        option::of(1_u32..=150),
        option::of(select(vec!["process", "thread", "auto"])),
        option::of(1_u32..=1024),
        option::of(0_u32..=1_000_000),
        option::of(1_u64..=86_400_000),
        option::of(1024_u64..(1 << 31)),
        option::of(option::of(100_u64..=86_400_000)),
        option::of(vec("[^\0]{0,12}", 0..4)),
        btree_map("[A-Z][A-Z0-9_]{0,8}", "[^\0]{0,12}", 0..3),
    )
        .prop_map(
            |(
                pool_size,
                profile,
                threads,
                queue_max,
                queue_timeout_ms,
                message_max,
                ttl_ms,
                arguments,
                variables,
            )| {
                let threads = threads.filter(|_| matches!(profile, Some("thread" | "auto")));
                Written {
                    pool_size,
                    profile,
                    threads,
                    queue_max,
                    queue_timeout_ms,
                    message_max,
                    ttl_ms,
                    arguments,
                    variables,
                }
            },
        )
}

/// Text as TOML spells it.
fn quoted(text: &str) -> String {
    let mut toml = String::from("\"");
    for c in text.chars() {
        let code = u32::from(c);
        match c {
            '"' | '\\' => toml.extend(['\\', c]),
            c if c.is_control() => write!(toml, "\\U{code:08X}").expect("memory is enough"),
            c => toml.push(c),
        }
    }
    toml + "\""
}

impl Written {
    /// The keys and their values in TOML.
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![("adapter", quoted("package.module"))];
        keys.extend(self.pool_size.map(|size| ("pool_size", size.to_string())));
        keys.extend(self.profile.map(|profile| ("worker_profile", quoted(profile))));
        keys.extend(
            self.threads
                .map(|threads| ("threads_per_worker", threads.to_string())),
        );
        keys.extend(self.queue_max.map(|calls| ("queue_max", calls.to_string())));
        keys.extend(
            self.queue_timeout_ms
                .map(|ms| ("queue_timeout", quoted(&format!("{ms}ms")))),
        );
        keys.extend(self.message_max.map(|bytes| ("message_max", bytes.to_string())));
        let limit = |limit: Limit| limit.map_or_else(|| quoted("off"), |ms| quoted(&format!("{ms}ms")));
        keys.extend(self.ttl_ms.map(|ttl| ("worker_ttl", limit(ttl))));
        let list = |texts: &Vec<String>| {
            format!(
                "[{}]",
                texts
                    .iter()
                    .map(|text| quoted(text))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        };
        keys.extend(self.arguments.as_ref().map(|texts| ("adapter_args", list(texts))));
        keys
    }

    fn toml(&self, name: &str) -> String {
        let mut toml = format!("[[pools]]\nname = {}\n", quoted(name));
        for (key, value) in self.keys() {
            writeln!(toml, "{key} = {value}").expect("memory is enough");
        }
        for (name, value) in &self.variables {
            writeln!(toml, "adapter_env.{name} = {}", quoted(value)).expect("memory is enough");
        }
        toml
    }

    /// The same in the environment, for the pool of this name.
    fn environment(&self, name: &str) -> Vec<(String, String)> {
        let prefix = format!("SNAKEPIT_POOLS__{}", name.to_uppercase().replace('-', "_"));
        let bare = |value: String| match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            Some(text) => text.to_owned(),
            None => value,
        };
        let keys = self
            .keys()
            .into_iter()
            .map(|(key, value)| (format!("{prefix}__{}", key.to_uppercase()), bare(value)));
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (format!("{prefix}__ADAPTER_ENV__{name}"), value.clone()));
        keys.chain(variables).collect()
    }

    fn holds_in(&self, pool: &PoolSettings) -> Result<(), TestCaseError> {
        let is = |wanted: Option<u64>, got: u64| wanted.is_none_or(|wanted| wanted == got);
        prop_assert!(is(self.pool_size.map(u64::from), pool.pool_size.get().into()));
        prop_assert!(is(
            self.threads.map(u64::from),
            pool.threads_per_worker.get().into()
        ));
        prop_assert!(is(self.queue_max.map(u64::from), pool.queue_max.into()));
        prop_assert!(is(
            self.queue_timeout_ms,
            u64::try_from(pool.queue_timeout.as_millis()).unwrap_or(0)
        ));
        prop_assert!(is(self.message_max, pool.message_max));
        let ttl = self.ttl_ms.flatten().map(Duration::from_millis);
        prop_assert_eq!(pool.worker_ttl, ttl);
        prop_assert_eq!(pool.worker_profile.to_string(), self.profile.unwrap_or("process"));
        prop_assert_eq!(&pool.adapter_args, &self.arguments.clone().unwrap_or_default());
        prop_assert_eq!(&pool.adapter_env, &self.variables);
        Ok(())
    }
}

/// Keys that exist and keys that nearly do.
fn key() -> impl Strategy<Value = String> {
    let known = KEYS.iter().map(|key| key.name.to_owned()).collect::<Vec<_>>();
    prop_oneof![8 => select(known), 1 => "[a-z_]{1,12}", 1 => "\\PC{0,6}"]
}

/// Values of every type, plausible and not.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (0..200_i64).prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        select(vec![
            "\"process\"",
            "\"thread\"",
            "\"90s\"",
            "\"512MiB\"",
            "\"batch\"",
            "\"off\"",
            "\"10%\"",
            "\"a.py:B\"",
            "\"\"",
            "[]",
            "{}",
            "[1]",
            "[\"a\"]",
            "{ A = \"b\" }",
            "{ A = 1 }",
            "[{ name = \"a\" }, { name = \"a\" }]",
            "1979-05-27",
            "nan",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,12}".prop_map(|text| quoted(&text)),
    ]
}

fn toml() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        12 => (key(), value()).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => Just("[[pools]]".to_owned()),
        1 => Just("[adapter_env]".to_owned()),
        1 => "\\PC{0,20}",
    ];
    vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

fn environment() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![
        key().prop_map(|key| format!("SNAKEPIT_{}", key.to_uppercase())),
        ("[A-Z_]{0,4}", key())
            .prop_map(|(pool, key)| format!("SNAKEPIT_POOLS__{pool}__{}", key.to_uppercase())),
        "SNAKEPIT_[A-Z_]{0,12}",
        "SNAKEPIT_\\PC{0,8}",
    ];
    let text = prop_oneof!["\\PC{0,12}", "[0-9]{1,4}(s|ms|MiB|kB)?", "\\[.{0,8}\\]?"];
    vec((name, text), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_and_no_environment_makes_it_panic_and_errors_are_never_empty(text in toml(), variables in environment()) {
        let folder = Folder::with("snakepit.toml", &text);
        match folder.builder().environment(variables).build() {
            Ok(settings) => prop_assert!(!settings.pools.is_empty()),
            Err(errors) => prop_assert!(errors.iter().count() > 0 && !errors.to_string().is_empty()),
        }
    }

    #[test]
    fn a_valid_configuration_means_what_was_written_in_a_file(pools in vec(written(), 1..4)) {
        let named = pools.iter().enumerate().map(|(index, pool)| pool.toml(&format!("pool-{index}")));
        let folder = Folder::with("snakepit.toml", &named.collect::<String>());
        let settings = folder.builder().build();
        prop_assert!(settings.is_ok(), "{:?}", settings);
        let settings = settings.expect("just seen");
        prop_assert_eq!(settings.pools.len(), pools.len());
        for (written, pool) in pools.iter().zip(&settings.pools) {
            written.holds_in(pool)?;
        }
    }

    #[test]
    fn a_valid_configuration_means_the_same_in_the_environment(written in written()) {
        let of_file = Folder::with("snakepit.toml", &written.toml("pool-1")).builder().build();
        let variables = written.environment("pool_1");
        let of_environment = Settings::builder().environment(variables).build();
        prop_assert!(of_environment.is_ok(), "{:?}", of_environment);
        let mut of_environment = of_environment.expect("just seen");
        let mut of_file = of_file.expect("the other test holds it to that");
        // The environment cannot spell the `-`.
        of_environment.pools[0].name = of_file.pools[0].name.clone();
        prop_assert_eq!(&mut of_environment, &mut of_file);
    }
}
