//! Every key: its default, and its spelling in each layer.

use std::time::Duration;

use snakepit_config::{
    CapacityStrategy, InheritEnv, KEYS, KeyDefault, PoolConfig, PoolSettings, ProfileKind, Scope, Settings,
    WorkerProfileChoice,
};

use crate::harness::Folder;

const EVERY_KEY: &str = r#"
adapter = "package.stats:Model"
adapter_args = ["--size", "a,b"]
adapter_env = { OMP_NUM_THREADS = "4" }
inherit_env = ["HOME", "PATH"]
python = "/usr/bin/python3"
bridge = "/opt/bridge"
worker_profile = "thread"
require_free_threading = true
pool_size = 3
max_workers = 5
threads_per_worker = 8
capacity_strategy = "hybrid"
timeout_profile = "batch"
call_timeout = "90s"
queue_timeout = "1500ms"
queue_max = 0
startup_batch_size = 2
startup_batch_delay = "0ms"
startup_timeout = "2m"
handshake_timeout = "3s"
message_max = "512MiB"
depth_max = 64
grace = "0s"
"#;

const EVERY_VARIABLE: &[(&str, &str)] = &[
    ("SNAKEPIT_ADAPTER", "package.stats:Model"),
    ("SNAKEPIT_ADAPTER_ARGS", r#"["--size", "a,b"]"#),
    ("SNAKEPIT_ADAPTER_ENV__OMP_NUM_THREADS", "4"),
    ("SNAKEPIT_INHERIT_ENV", "HOME, PATH"),
    ("SNAKEPIT_PYTHON", "/usr/bin/python3"),
    ("SNAKEPIT_BRIDGE", "/opt/bridge"),
    ("SNAKEPIT_WORKER_PROFILE", "thread"),
    ("SNAKEPIT_REQUIRE_FREE_THREADING", "true"),
    ("SNAKEPIT_POOL_SIZE", "3"),
    ("SNAKEPIT_MAX_WORKERS", "5"),
    ("SNAKEPIT_THREADS_PER_WORKER", " 8 "),
    ("SNAKEPIT_CAPACITY_STRATEGY", "hybrid"),
    ("SNAKEPIT_TIMEOUT_PROFILE", "batch"),
    ("SNAKEPIT_CALL_TIMEOUT", "90s"),
    ("SNAKEPIT_QUEUE_TIMEOUT", "1s 500ms"),
    ("SNAKEPIT_QUEUE_MAX", "0"),
    ("SNAKEPIT_STARTUP_BATCH_SIZE", "2"),
    ("SNAKEPIT_STARTUP_BATCH_DELAY", "0ms"),
    ("SNAKEPIT_STARTUP_TIMEOUT", "2m"),
    ("SNAKEPIT_HANDSHAKE_TIMEOUT", "3s"),
    ("SNAKEPIT_MESSAGE_MAX", "536870912"),
    ("SNAKEPIT_DEPTH_MAX", "64"),
    ("SNAKEPIT_GRACE", "0s"),
    ("SNAKEPIT_LOG", "debug"),
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
        .grace(Duration::ZERO)
}

/// The one pool, without who named its interpreter: that differs by layer, and is tested with the layers.
fn only_pool(settings: Settings) -> PoolSettings {
    let mut pool = settings.pools.into_iter().next().expect("one pool");
    if let Some(python) = &mut pool.python {
        python.named_by.clear();
    }
    pool
}

#[test]
fn every_key_says_the_same_in_a_file_in_a_pool_of_it_in_the_environment_and_in_the_program() {
    let folder = Folder::with("snakepit.toml", EVERY_KEY);
    let top = only_pool(folder.builder().build().expect("the file is valid"));

    let in_pool = EVERY_KEY.replace("max_workers = 5\n", "");
    folder.add(
        "snakepit.toml",
        &format!("[[pools]]\nname = \"default\"\n{in_pool}"),
    );
    assert_eq!(
        only_pool(folder.builder().build().expect("the pool is valid")),
        top
    );

    let environment = Settings::builder()
        .environment(EVERY_VARIABLE.iter().copied())
        .build();
    assert_eq!(only_pool(environment.expect("the environment is valid")), top);

    let of_pool = EVERY_VARIABLE
        .iter()
        .filter(|(name, _)| *name != "SNAKEPIT_MAX_WORKERS" && *name != "SNAKEPIT_LOG")
        .map(|(name, value)| (name.replace("SNAKEPIT_", "SNAKEPIT_POOLS__DEFAULT__"), *value));
    let environment = Settings::builder().environment(of_pool).build();
    assert_eq!(only_pool(environment.expect("the environment is valid")), top);

    let program = Settings::builder().env(false).pool(every_setter()).build();
    assert_eq!(only_pool(program.expect("the program is valid")), top);
}

/// Fails where the two have a field in common.
macro_rules! assert_fields_differ {
    ($one:ident, $other:ident: $($field:ident)*) => {
        $(assert_ne!($one.$field, $other.$field, stringify!($field));)*
    };
}

#[test]
fn no_value_of_the_test_of_every_key_is_a_default() {
    let set = Settings::builder()
        .env(false)
        .pool(every_setter())
        .build()
        .expect("valid");
    let unset = Settings::builder()
        .env(false)
        .pool(PoolConfig::new("default").adapter("a"))
        .build()
        .expect("valid");
    let (set, unset) = (only_pool(set), only_pool(unset));
    assert_fields_differ!(set, unset: worker_profile pool_size threads_per_worker adapter adapter_args adapter_env
        inherit_env python bridge require_free_threading startup_batch_size startup_batch_delay startup_timeout
        handshake_timeout capacity_strategy queue_max queue_timeout call_timeout message_max depth_max grace);
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
    assert!(variables.len() > 10);
    let written = Settings::builder().environment(variables).build();
    let unwritten = Settings::builder()
        .environment([("SNAKEPIT_ADAPTER", "a")])
        .build();
    assert_eq!(written, unwritten);
    assert!(unwritten.is_ok());
}
