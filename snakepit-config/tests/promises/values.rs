//! Every key: its default, and its spelling in each layer.

use std::time::Duration;

use snakepit_config::{
    Affinity, CapacityStrategy, InheritEnv, KEYS, KeyDefault, PoolConfig, PoolSettings, ProfileKind, Scope,
    Settings, WorkerProfileChoice,
};

use crate::harness::Folder;

/// The keys that may stand at top level only.
const TOP_KEYS: &str = r#"
max_workers = 5
session_ttl = "2h"
session_max = 7
"#;

const EVERY_OTHER_KEY: &str = r#"
adapter = "package.stats:Model"
adapter_args = ["--size", "a,b"]
adapter_env = { OMP_NUM_THREADS = "4" }
inherit_env = ["HOME", "PATH"]
python = "/usr/bin/python3"
bridge = "/opt/bridge"
worker_profile = "thread"
require_free_threading = true
pool_size = 3
threads_per_worker = 8
capacity_strategy = "hybrid"
timeout_profile = "batch"
call_timeout = "90s"
queue_timeout = "1500ms"
queue_max = 0
affinity = "strict_queue"
retry_attempts = 3
circuit_breaker = true
circuit_breaker_failures = 7
circuit_breaker_pause = "5s"
startup_batch_size = 2
startup_batch_delay = "0ms"
startup_timeout = "2m"
handshake_timeout = "3s"
message_max = "512MiB"
depth_max = 64
worker_ttl = "1h"
worker_max_requests = 5000
worker_memory_max = "512MiB"
recycle_jitter = 25
ready_floor = 2
surge_max = 4
restart_max = 6
restart_pool_max = 20
restart_window = "10s"
restart_backoff = "1s"
restart_backoff_max = "1m"
grace = "0s"
"#;

const TOP_VARIABLES: &[(&str, &str)] = &[
    ("SNAKEPIT_MAX_WORKERS", "5"),
    ("SNAKEPIT_SESSION_TTL", "120m"),
    ("SNAKEPIT_SESSION_MAX", "7"),
    ("SNAKEPIT_LOG", "debug"),
];

const EVERY_OTHER_VARIABLE: &[(&str, &str)] = &[
    ("SNAKEPIT_ADAPTER", "package.stats:Model"),
    ("SNAKEPIT_ADAPTER_ARGS", r#"["--size", "a,b"]"#),
    ("SNAKEPIT_ADAPTER_ENV__OMP_NUM_THREADS", "4"),
    ("SNAKEPIT_INHERIT_ENV", "HOME, PATH"),
    ("SNAKEPIT_PYTHON", "/usr/bin/python3"),
    ("SNAKEPIT_BRIDGE", "/opt/bridge"),
    ("SNAKEPIT_WORKER_PROFILE", "thread"),
    ("SNAKEPIT_REQUIRE_FREE_THREADING", "true"),
    ("SNAKEPIT_POOL_SIZE", "3"),
    ("SNAKEPIT_THREADS_PER_WORKER", " 8 "),
    ("SNAKEPIT_CAPACITY_STRATEGY", "hybrid"),
    ("SNAKEPIT_TIMEOUT_PROFILE", "batch"),
    ("SNAKEPIT_CALL_TIMEOUT", "90s"),
    ("SNAKEPIT_QUEUE_TIMEOUT", "1s 500ms"),
    ("SNAKEPIT_QUEUE_MAX", "0"),
    ("SNAKEPIT_AFFINITY", "strict_queue"),
    ("SNAKEPIT_RETRY_ATTEMPTS", "3"),
    ("SNAKEPIT_CIRCUIT_BREAKER", "true"),
    ("SNAKEPIT_CIRCUIT_BREAKER_FAILURES", "7"),
    ("SNAKEPIT_CIRCUIT_BREAKER_PAUSE", "5s"),
    ("SNAKEPIT_STARTUP_BATCH_SIZE", "2"),
    ("SNAKEPIT_STARTUP_BATCH_DELAY", "0ms"),
    ("SNAKEPIT_STARTUP_TIMEOUT", "2m"),
    ("SNAKEPIT_HANDSHAKE_TIMEOUT", "3s"),
    ("SNAKEPIT_MESSAGE_MAX", "536870912"),
    ("SNAKEPIT_DEPTH_MAX", "64"),
    ("SNAKEPIT_WORKER_TTL", "60m"),
    ("SNAKEPIT_WORKER_MAX_REQUESTS", "5000"),
    ("SNAKEPIT_WORKER_MEMORY_MAX", "536870912"),
    ("SNAKEPIT_RECYCLE_JITTER", "25%"),
    ("SNAKEPIT_READY_FLOOR", "2"),
    ("SNAKEPIT_SURGE_MAX", "4"),
    ("SNAKEPIT_RESTART_MAX", "6"),
    ("SNAKEPIT_RESTART_POOL_MAX", "20"),
    ("SNAKEPIT_RESTART_WINDOW", "10s"),
    ("SNAKEPIT_RESTART_BACKOFF", "1000ms"),
    ("SNAKEPIT_RESTART_BACKOFF_MAX", "60s"),
    ("SNAKEPIT_GRACE", "0s"),
];

fn every_setter() -> PoolConfig {
    PoolConfig::new("default")
        .adapter("package.stats:Model")
        .adapter_args(["--size", "a,b"])
        .adapter_env("OMP_NUM_THREADS", "4")
        .inherit_env(InheritEnv::Only(vec!["HOME".into(), "PATH".into()]))
        .python("/usr/bin/python3")
        .bridge("/opt/bridge")
        .worker_profile(ProfileKind::Thread)
        .require_free_threading(true)
        .pool_size(3)
        .threads_per_worker(8)
        .capacity_strategy(CapacityStrategy::Hybrid)
        .call_timeout(Duration::from_secs(90))
        .queue_timeout(Duration::from_millis(1500))
        .queue_max(0)
        .startup_batch_size(2)
        .startup_batch_delay(Duration::ZERO)
        .startup_timeout(Duration::from_mins(2))
        .handshake_timeout(Duration::from_secs(3))
        .message_max(512 << 20)
        .depth_max(64)
        .affinity(Affinity::StrictQueue)
        .retry_attempts(3)
        .circuit_breaker(true)
        .circuit_breaker_failures(7)
        .circuit_breaker_pause(Duration::from_secs(5))
        .worker_ttl(Duration::from_hours(1))
        .worker_max_requests(5000)
        .worker_memory_max(512 << 20)
        .recycle_jitter(25)
        .ready_floor(2)
        .surge_max(4)
        .restart_max(6)
        .restart_pool_max(20)
        .restart_window(Duration::from_secs(10))
        .restart_backoff(Duration::from_secs(1))
        .restart_backoff_max(Duration::from_mins(1))
        .grace(Duration::ZERO)
}

/// The settings, without who named the interpreter: that differs by layer, and is tested with the layers.
fn unnamed(mut settings: Settings) -> Settings {
    for python in settings.pools.iter_mut().filter_map(|pool| pool.python.as_mut()) {
        python.named_by.clear();
    }
    settings
}

fn only_pool(settings: Settings) -> PoolSettings {
    unnamed(settings).pools.into_iter().next().expect("one pool")
}

fn every_setting_of_the_program() -> Settings {
    let program = Settings::builder()
        .env(false)
        .set_max_workers(5)
        .set_session_ttl(Duration::from_hours(2))
        .set_session_max(7)
        .pool(every_setter());
    unnamed(program.build().expect("the program is valid"))
}

#[test]
fn every_key_says_the_same_in_a_file_in_a_pool_of_it_in_the_environment_and_in_the_program() {
    let program = every_setting_of_the_program();

    let folder = Folder::with("snakepit.toml", &format!("{TOP_KEYS}{EVERY_OTHER_KEY}"));
    let top = folder.builder().build().expect("the file is valid");
    assert_eq!(unnamed(top), program);

    folder.add(
        "snakepit.toml",
        &format!("{TOP_KEYS}[[pools]]\nname = \"default\"\n{EVERY_OTHER_KEY}"),
    );
    let in_pool = folder.builder().build().expect("the pool is valid");
    assert_eq!(unnamed(in_pool), program);

    let variables = TOP_VARIABLES.iter().chain(EVERY_OTHER_VARIABLE).copied();
    let environment = Settings::builder().environment(variables).build();
    assert_eq!(unnamed(environment.expect("the environment is valid")), program);

    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let of_pool = EVERY_OTHER_VARIABLE
        .iter()
        .map(owned)
        .map(|(name, value)| (name.replace("SNAKEPIT_", "SNAKEPIT_POOLS__DEFAULT__"), value));
    let variables = TOP_VARIABLES.iter().map(owned).chain(of_pool);
    let environment = Settings::builder().environment(variables).build();
    assert_eq!(unnamed(environment.expect("the environment is valid")), program);
}

/// Fails where the two have a field in common.
macro_rules! assert_fields_differ {
    ($one:ident, $other:ident: $($field:ident)*) => {
        $(assert_ne!($one.$field, $other.$field, stringify!($field));)*
    };
}

#[test]
fn no_value_of_the_test_of_every_key_is_a_default() {
    let set = every_setting_of_the_program();
    let unset = Settings::builder()
        .env(false)
        .pool(PoolConfig::new("default").adapter("a"))
        .build()
        .expect("valid");
    let (ours, theirs) = (set.sessions, unset.sessions);
    assert_fields_differ!(ours, theirs: ttl max);
    let (set, unset) = (only_pool(set), only_pool(unset));
    assert_fields_differ!(set, unset: worker_profile pool_size max_workers threads_per_worker adapter adapter_args adapter_env
        inherit_env python bridge require_free_threading startup_batch_size startup_batch_delay startup_timeout
        handshake_timeout capacity_strategy queue_max queue_timeout call_timeout message_max depth_max grace affinity
        retry_attempts circuit_breaker worker_ttl worker_max_requests worker_memory_max recycle_jitter ready_floor
        surge_max restart_max restart_pool_max restart_window restart_backoff restart_backoff_max);
}

#[test]
fn defaults_are_what_the_reference_says() {
    let settings = Settings::builder()
        .env(false)
        .pool(PoolConfig::new("default").adapter("a"))
        .build();
    let pool = only_pool(settings.expect("valid"));
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    assert_eq!(pool.pool_size.get() as usize, (2 * cpus).min(150));
    assert_eq!(
        pool.worker_profile,
        WorkerProfileChoice::Fixed(ProfileKind::Process)
    );
    assert_eq!(pool.threads_per_worker.get(), 1);
    assert_eq!(pool.inherit_env, InheritEnv::All);
    assert_eq!(pool.capacity_strategy, CapacityStrategy::Pool);
    assert_eq!((pool.python, pool.bridge), (None, None));
    assert!(pool.adapter_args.is_empty() && pool.adapter_env.is_empty() && !pool.require_free_threading);
    assert_eq!(
        (pool.startup_batch_size.get(), pool.startup_batch_delay),
        (10, Duration::from_millis(500))
    );
    assert_eq!(
        (pool.startup_timeout, pool.handshake_timeout),
        (Duration::from_secs(30), Duration::from_secs(10))
    );
    assert_eq!(
        (pool.queue_max, pool.queue_timeout),
        (1000, Duration::from_secs(10))
    );
    assert_eq!(
        (pool.call_timeout, pool.grace),
        (Duration::from_mins(5), Duration::from_secs(6))
    );
    assert_eq!((pool.message_max, pool.depth_max), (64 << 20, 128));
}

#[test]
fn the_default_size_stays_below_max_workers() {
    let settings = Settings::builder()
        .env(false)
        .set_max_workers(1)
        .pool(PoolConfig::new("a").adapter("a"))
        .build();
    assert_eq!(settings.expect("valid").pools[0].pool_size.get(), 1);
}

#[test]
fn threads_default_to_ten_unless_the_profile_is_process() {
    for (profile, threads) in [
        (WorkerProfileChoice::Fixed(ProfileKind::Process), 1),
        (WorkerProfileChoice::Fixed(ProfileKind::Thread), 10),
        (WorkerProfileChoice::Auto, 10),
    ] {
        let pool = PoolConfig::new("a").adapter("a").worker_profile(profile);
        let settings = Settings::builder().env(false).pool(pool).build().expect("valid");
        assert_eq!(settings.pools[0].threads_per_worker.get(), threads, "{profile}");
    }
}

#[test]
fn timeout_profiles_stand_for_their_limits() {
    for (profile, call, queue) in [
        ("balanced", 300, 10),
        ("production", 300, 10),
        ("production_strict", 60, 5),
        ("development", 900, 60),
        ("ml_inference", 900, 60),
        ("batch", 3600, 300),
    ] {
        let variables = [("SNAKEPIT_ADAPTER", "a"), ("SNAKEPIT_TIMEOUT_PROFILE", profile)];
        let settings = Settings::builder().environment(variables).build().expect(profile);
        let pool = &settings.pools[0];
        assert_eq!(
            (pool.call_timeout.as_secs(), pool.queue_timeout.as_secs()),
            (call, queue),
            "{profile}"
        );
    }
}

#[test]
fn inherit_env_is_all_nothing_or_a_list() {
    for (text, expected) in [
        ("true", InheritEnv::All),
        ("false", InheritEnv::Nothing),
        ("[\"HOME\"]", InheritEnv::Only(vec!["HOME".into()])),
    ] {
        let folder = Folder::with(
            "snakepit.toml",
            &format!("adapter = \"a\"\ninherit_env = {text}\n"),
        );
        assert_eq!(
            folder.builder().build().expect(text).pools[0].inherit_env,
            expected
        );
    }
}

#[test]
fn the_reference_has_every_key_once_with_a_rule_and_a_default() {
    let mut names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
    for key in KEYS {
        assert!(
            !key.rule().is_empty() && !key.default.to_string().is_empty() && key.doc.ends_with('.'),
            "{key:?}"
        );
    }
}

#[test]
fn a_default_of_the_reference_means_the_same_when_it_is_written_out() {
    let defaults = KEYS
        .iter()
        .filter(|key| key.scope == Scope::Both)
        .filter_map(|key| match key.default {
            KeyDefault::Value(text) => Some((format!("SNAKEPIT_{}", key.name.to_uppercase()), text)),
            KeyDefault::Words(_) => None,
        });
    let variables: Vec<_> = defaults.chain([("SNAKEPIT_ADAPTER".to_owned(), "a")]).collect();
    assert!(variables.len() > 20);
    let written = Settings::builder().environment(variables).build();
    let unwritten = Settings::builder()
        .environment([("SNAKEPIT_ADAPTER", "a")])
        .build();
    assert_eq!(written, unwritten);
    assert!(unwritten.is_ok());
}
