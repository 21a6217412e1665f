//! Every error: its whole message, its code, and where it points.

use std::time::Duration;

use insta::assert_snapshot;
use snakepit_config::{ConfigErrorKind, InheritEnv, Place, PoolConfig, Settings, WorkerProfileChoice};

use crate::harness::{Folder, report};

#[test]
fn all_errors_of_a_file_come_at_once_each_with_its_line() {
    let folder = Folder::with(
        "snakepit.toml",
        r#"timout_profile = "balanced"
max_workers = 4
message_max = "0B"

[[pools]]
name = "web"
adapter = "web"
pool_size = 5
queue_max = "lots"
call_timeout = 90

[[pools]]
name = "compute"
max_workers = 3
worker_profile = "threads"
adapter_env = { OMP_NUM_THREADS = 4 }
"#,
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r#"
    9 errors in the configuration:
      snakepit.toml:1: timout_profile: unknown key; did you mean `timeout_profile`?
      snakepit.toml:3: message_max: given "0B", allowed: a size such as `512MiB`, or a number of bytes, from 1KiB to 2GiB
      snakepit.toml:8: pools[0].pool_size: pool `web` has 5 workers, allowed: at most 4 (`max_workers`)
      snakepit.toml:9: pools[0].queue_max: given "lots", allowed: a whole number from 0 to 1000000
      snakepit.toml:10: pools[0].call_timeout: given 90, allowed: a duration such as `90s`, `2h` or `500ms`, more than 0s, at most 1year
      snakepit.toml:13: pools[1].name: pool `compute` has no adapter
      snakepit.toml:14: pools[1].max_workers: not allowed here: it belongs at top level
      snakepit.toml:15: pools[1].worker_profile: given "threads", allowed: `process`, `thread`, `auto`
      snakepit.toml:16: pools[1].adapter_env.OMP_NUM_THREADS: given a value of type integer, allowed: a text, in quotes
    codes: SP0103 SP0105 SP0113 SP0105 SP0105 SP0111 SP0104 SP0105 SP0105
    hint: allowed here: `pools`, `adapter`, `adapter_args`, `adapter_env`, `inherit_env`, `python`, `bridge`, `worker_profile`, `require_free_threading`, `pool_size`, `max_workers`, `threads_per_worker`, `capacity_strategy`, `timeout_profile`, `call_timeout`, `queue_timeout`, `queue_max`, `affinity`, `session_ttl`, `session_max`, `retry_attempts`, `circuit_breaker`, `circuit_breaker_failures`, `circuit_breaker_pause`, `message_max`, `depth_max`, `startup_batch_size`, `startup_batch_delay`, `startup_timeout`, `handshake_timeout`, `worker_ttl`, `worker_max_requests`, `worker_memory_max`, `recycle_jitter`, `ready_floor`, `surge_max`, `restart_max`, `restart_pool_max`, `restart_window`, `restart_backoff`, `restart_backoff_max`, `grace`
    hint: lower `pool_size`, or raise `max_workers` at top level
    hint: set `adapter` to a Python file (`adapter.py`), a module (`package.module`) or a class in one of them (`module:Class`)
    "#);
}

#[test]
fn a_file_that_is_not_toml_is_reported_alone_with_its_line() {
    let folder = Folder::with(
        "snakepit.toml",
        "pool_size = 4\nadapter = \"stats\nqueue_max = 5\n",
    );
    let result = folder.builder().environment([("SNAKEPIT_NONSENSE", "1")]).build();
    assert_snapshot!(report(&folder, result), @r#"
    snakepit.toml:2: not valid TOML: invalid basic string, expected `"`
    codes: SP0102
    "#);
}

#[test]
fn a_key_given_twice_is_an_error() {
    let folder = Folder::with("snakepit.toml", "adapter = \"stats\"\nadapter = \"other\"\n");
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    snakepit.toml:2: not valid TOML: duplicate key
    codes: SP0102
    ");
}

#[test]
fn a_file_that_was_named_must_be_readable() {
    let folder = Folder::with("other.toml", "");
    let missing = folder.builder().build();
    assert_snapshot!(report(&folder, missing), @r"
    snakepit.toml: cannot be read: No such file or directory (os error 2)
    codes: SP0101
    ");
    let a_folder = Settings::builder().env(false).file(folder.path("")).build();
    assert_snapshot!(report(&folder, a_folder), @r"
    : cannot be read: Is a directory (os error 21)
    codes: SP0101
    ");
}

#[test]
fn an_optional_file_may_be_missing_but_not_flawed() {
    let folder = Folder::with("snakepit.toml", "queue_max = -1\n");
    let pool = || PoolConfig::new("default").adapter("stats");
    let missing = Settings::builder()
        .env(false)
        .optional_file(folder.path("no.toml"))
        .pool(pool())
        .build();
    assert_eq!(missing.map(|settings| settings.pools.len()), Ok(1));
    let flawed = Settings::builder()
        .env(false)
        .optional_file(folder.path("snakepit.toml"))
        .pool(pool())
        .build();
    assert_snapshot!(report(&folder, flawed), @r"
    snakepit.toml:1: queue_max: given -1, allowed: a whole number from 0 to 1000000
    codes: SP0105
    ");
}

#[test]
fn a_file_without_an_end_is_not_read_to_its_end() {
    let error = Settings::builder()
        .env(false)
        .file("/dev/zero")
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "/dev/zero: cannot be read: it is larger than 1MiB"
    );
}

#[test]
fn unknown_keys_suggest_the_nearest_and_list_what_is_allowed() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nque_max = 5\nxyz = 1\n[logging]\nlevel = \"debug\"\n",
    );
    let result = folder
        .builder()
        .environment([
            ("SNAKEPIT_QUEUE_MAXX", "1"),
            ("SNAKEPIT_Queue_Max", "1"),
            ("SNAKEPIT_POOLS__DEFAULT__GRAC", "1s"),
        ])
        .build();
    assert_snapshot!(report(&folder, result), @r"
    6 errors in the configuration:
      snakepit.toml:2: que_max: unknown key; did you mean `queue_max`?
      snakepit.toml:3: xyz: unknown key
      snakepit.toml:4: logging: unknown key
      SNAKEPIT_POOLS__DEFAULT__GRAC: unknown key; did you mean `SNAKEPIT_POOLS__DEFAULT__GRACE`?
      SNAKEPIT_QUEUE_MAXX: unknown key; did you mean `SNAKEPIT_QUEUE_MAX`?
      SNAKEPIT_Queue_Max: unknown key; did you mean `SNAKEPIT_QUEUE_MAX`?
    codes: SP0103 SP0103 SP0103 SP0103 SP0103 SP0103
    hint: allowed here: `name`, `adapter`, `adapter_args`, `adapter_env`, `inherit_env`, `python`, `bridge`, `worker_profile`, `require_free_threading`, `pool_size`, `threads_per_worker`, `capacity_strategy`, `timeout_profile`, `call_timeout`, `queue_timeout`, `queue_max`, `affinity`, `retry_attempts`, `circuit_breaker`, `circuit_breaker_failures`, `circuit_breaker_pause`, `message_max`, `depth_max`, `startup_batch_size`, `startup_batch_delay`, `startup_timeout`, `handshake_timeout`, `worker_ttl`, `worker_max_requests`, `worker_memory_max`, `recycle_jitter`, `ready_floor`, `surge_max`, `restart_max`, `restart_pool_max`, `restart_window`, `restart_backoff`, `restart_backoff_max`, `grace`
    hint: allowed here: `pools`, `adapter`, `adapter_args`, `adapter_env`, `inherit_env`, `python`, `bridge`, `worker_profile`, `require_free_threading`, `pool_size`, `max_workers`, `threads_per_worker`, `capacity_strategy`, `timeout_profile`, `call_timeout`, `queue_timeout`, `queue_max`, `affinity`, `session_ttl`, `session_max`, `retry_attempts`, `circuit_breaker`, `circuit_breaker_failures`, `circuit_breaker_pause`, `message_max`, `depth_max`, `startup_batch_size`, `startup_batch_delay`, `startup_timeout`, `handshake_timeout`, `worker_ttl`, `worker_max_requests`, `worker_memory_max`, `recycle_jitter`, `ready_floor`, `surge_max`, `restart_max`, `restart_pool_max`, `restart_window`, `restart_backoff`, `restart_backoff_max`, `grace`
    ");
}

#[test]
fn a_key_at_the_wrong_level_is_told_where_it_belongs() {
    let folder = Folder::with("snakepit.toml", "name = \"a\"\nadapter = \"stats\"\n");
    let result = folder
        .builder()
        .environment([
            ("SNAKEPIT_NAME", "a"),
            ("SNAKEPIT_POOLS", "a,b"),
            ("SNAKEPIT_POOLS__DEFAULT__MAX_WORKERS", "3"),
            ("SNAKEPIT_POOLS__DEFAULT__NAME", "b"),
        ])
        .build();
    assert_snapshot!(report(&folder, result), @r"
    5 errors in the configuration:
      snakepit.toml:1: name: not allowed here: it belongs in a pool
      SNAKEPIT_NAME: not allowed here: a pool's name is part of the variable's name: SNAKEPIT_POOLS__<NAME>__<KEY>
      SNAKEPIT_POOLS: not allowed here: a variable sets one key of one pool: SNAKEPIT_POOLS__<NAME>__<KEY>
      SNAKEPIT_POOLS__DEFAULT__MAX_WORKERS: not allowed here: it belongs at top level
      SNAKEPIT_POOLS__DEFAULT__NAME: not allowed here: a pool's name is part of the variable's name: SNAKEPIT_POOLS__<NAME>__<KEY>
    codes: SP0104 SP0104 SP0104 SP0104 SP0104
    ");
}

#[test]
fn flawed_variables_name_themselves() {
    let folder = Folder::with("snakepit.toml", "adapter = \"stats\"\n");
    let result = folder
        .builder()
        .environment([
            ("SNAKEPIT_PYTHON", ""),
            ("SNAKEPIT_POOL_SIZE", "0"),
            ("SNAKEPIT_QUEUE_TIMEOUT", "5 parsecs"),
            ("SNAKEPIT_MESSAGE_MAX", "3GiB"),
            ("SNAKEPIT_REQUIRE_FREE_THREADING", "yes"),
            ("SNAKEPIT_ADAPTER_ENV", "A=1"),
            ("SNAKEPIT_ADAPTER_ENV__A B", "1"),
            ("SNAKEPIT_INHERIT_ENV", "LC_*"),
            ("SNAKEPIT_ADAPTER_ARGS", "['a"),
        ])
        .build();
    assert_snapshot!(report(&folder, result), @r#"
    9 errors in the configuration:
      SNAKEPIT_ADAPTER_ARGS: given "['a", allowed: a list of texts
      SNAKEPIT_ADAPTER_ENV: given "A=1", allowed: one variable at a time: SNAKEPIT_ADAPTER_ENV__<NAME>
      SNAKEPIT_ADAPTER_ENV__A B: given "A B" as a name, allowed: a variable's name: not empty, without `=` and without spaces
      SNAKEPIT_INHERIT_ENV: given "LC_*", allowed: `true`, `false`, or a list of names of environment variables
      SNAKEPIT_MESSAGE_MAX: given "3GiB", allowed: a size such as `512MiB`, or a number of bytes, from 1KiB to 2GiB
      SNAKEPIT_POOL_SIZE: given "0", allowed: a whole number from 1 to 100000
      SNAKEPIT_PYTHON: given "", allowed: a path, or a name to look up in PATH
      SNAKEPIT_QUEUE_TIMEOUT: given "5 parsecs", allowed: a duration such as `90s`, `2h` or `500ms`, more than 0s, at most 1year
      SNAKEPIT_REQUIRE_FREE_THREADING: given "yes", allowed: `true` or `false`
    codes: SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105
    "#);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_an_error() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(b"stats\xff".to_vec());
    let error = Settings::builder()
        .environment([("SNAKEPIT_ADAPTER", value)])
        .build()
        .unwrap_err();
    let first = error.iter().next().expect("there is an error");
    assert_eq!(first.code(), "SP0105");
    assert_eq!(
        first.place(),
        &Place::Environment {
            variable: "SNAKEPIT_ADAPTER".into()
        }
    );
}

#[test]
fn flawed_values_of_the_program_are_errors_too() {
    let folder = Folder::with("snakepit.toml", "");
    let pool = PoolConfig::new("default")
        .adapter("")
        .adapter_args(["a\0b"])
        .adapter_env("A=B", "1")
        .adapter_env("C", "\0")
        .inherit_env(InheritEnv::Only(Vec::new()))
        .python("")
        .pool_size(0)
        .worker_profile(WorkerProfileChoice::Auto)
        .threads_per_worker(0)
        .queue_timeout(Duration::ZERO)
        .call_timeout(Duration::MAX)
        .message_max(0)
        .depth_max(0);
    assert_snapshot!(report(&folder, folder.builder().set_max_workers(0).pool(pool).build()), @r#"
    13 errors in the configuration:
      builder: max_workers: given 0, allowed: a whole number from 1 to 100000
      builder: pools.default.adapter: given "", allowed: a Python file (`adapter.py`), a module (`package.module`), or a class in one of them (`module:Class`)
      builder: pools.default.adapter_args: given ["a\0b"], allowed: a list of texts
      builder: pools.default.inherit_env: given [], allowed: `true`, `false`, or a list of names of environment variables
      builder: pools.default.python: given "", allowed: a path, or a name to look up in PATH
      builder: pools.default.pool_size: given 0, allowed: a whole number from 1 to 100000
      builder: pools.default.threads_per_worker: given 0, allowed: a whole number from 1 to 1024
      builder: pools.default.queue_timeout: given 0s, allowed: a duration such as `90s`, `2h` or `500ms`, more than 0s, at most 1year
      builder: pools.default.call_timeout: given 584542046090years 7months 15days 17h 5m 3s 999ms 999us 999ns, allowed: a duration such as `90s`, `2h` or `500ms`, more than 0s, at most 1year
      builder: pools.default.message_max: given 0B, allowed: a size such as `512MiB`, or a number of bytes, from 1KiB to 2GiB
      builder: pools.default.depth_max: given 0, allowed: a whole number from 1 to 1024
      builder: pools.default.adapter_env.A=B: given "A=B" as a name, allowed: a variable's name: not empty, without `=` and without spaces
      builder: pools.default.adapter_env.C: given a text with a NUL character, allowed: a text without one
    codes: SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105
    "#);
}

#[test]
fn a_value_that_another_layer_overrides_is_checked_all_the_same() {
    let folder = Folder::with("snakepit.toml", "adapter = \"stats\"\nqueue_max = \"lots\"\n");
    let result = folder
        .builder()
        .environment([("SNAKEPIT_QUEUE_MAX", "5")])
        .build();
    assert_snapshot!(report(&folder, result), @r#"
    snakepit.toml:2: queue_max: given "lots", allowed: a whole number from 0 to 1000000
    codes: SP0105
    "#);
}

#[test]
fn long_values_are_shortened_in_messages() {
    let folder = Folder::with(
        "snakepit.toml",
        &format!("adapter = \"stats\"\nqueue_max = \"{}\"\n", "9".repeat(10_000)),
    );
    assert!(report(&folder, folder.builder().build()).len() < 250);
}

#[test]
fn errors_can_be_taken_one_by_one_with_place_key_and_kind() {
    let folder = Folder::with("snakepit.toml", "adapter = \"stats\"\n\nqueue_max = true\n");
    let errors = folder.builder().build().unwrap_err();
    assert_eq!((errors.code(), errors.hint()), ("SP0105", None));
    let [error] = errors
        .into_iter()
        .collect::<Vec<_>>()
        .try_into()
        .expect("one error");
    assert_eq!(error.key(), "queue_max");
    assert_eq!(
        error.place(),
        &Place::File {
            path: folder.path("snakepit.toml"),
            line: Some(3)
        }
    );
    assert!(matches!(error.kind(), ConfigErrorKind::InvalidValue { given, .. } if given == "true"));
}

#[test]
fn a_file_of_nothing_but_errors_is_answered_with_a_short_text_and_all_of_them() {
    let lines: Vec<String> = (0..10_000).map(|index| format!("key_{index} = 1")).collect();
    let folder = Folder::with("snakepit.toml", &lines.join("\n"));
    let errors = folder.builder().build().unwrap_err();
    assert_eq!(errors.iter().count(), 10_001);
    let shown = errors.to_string();
    assert_eq!(shown.lines().count(), 52);
    assert!(shown.ends_with("\n  ... and 9951 more"), "{shown}");
}

#[test]
fn a_secret_among_the_workers_variables_is_never_shown() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nadapter_env = { API_KEY = 12345 }\n",
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    snakepit.toml:2: adapter_env.API_KEY: given a value of type integer, allowed: a text, in quotes
    codes: SP0105
    ");
}
