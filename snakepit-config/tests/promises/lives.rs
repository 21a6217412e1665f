//! The keys of workers' lives, of sessions and of retries: what they may be, and the rules between them.

use std::time::Duration;

use insta::assert_snapshot;
use snakepit_config::{ConfigError, ConfigErrorKind, ConfigErrors, PoolConfig, PoolSettings, Settings};

use crate::harness::{Folder, report};

/// The settings of a file in the single-pool form.
fn read(keys: &str) -> Result<Settings, ConfigErrors> {
    Folder::with("snakepit.toml", &format!("adapter = \"stats\"\n{keys}\n"))
        .builder()
        .build()
}

fn only_pool(keys: &str) -> PoolSettings {
    let settings = read(keys).unwrap_or_else(|errors| panic!("{keys}: {errors}"));
    settings.pools.into_iter().next().expect("one pool")
}

/// The only error of a file.
fn only_error(keys: &str) -> String {
    let errors = read(keys).expect_err(keys);
    assert_eq!(errors.iter().count(), 1, "{errors}");
    errors.iter().next().map(ToString::to_string).expect("one error")
}

#[test]
fn limits_of_lives_and_retries_default_to_what_the_reference_says() {
    let settings = read("pool_size = 4").expect("valid");
    assert_eq!(
        (settings.sessions.ttl, settings.sessions.max.get()),
        (Duration::from_hours(1), 10_000)
    );
    let pool = &settings.pools[0];
    assert_eq!(
        (pool.worker_ttl, pool.worker_max_requests, pool.worker_memory_max),
        (None, None, None)
    );
    assert_eq!(
        (pool.recycle_jitter, pool.ready_floor, pool.surge_max),
        (10, 4, 1)
    );
    assert_eq!((pool.restart_max.get(), pool.restart_pool_max.get()), (3, 12));
    assert_eq!(
        (
            pool.restart_window,
            pool.restart_backoff,
            pool.restart_backoff_max
        ),
        (
            Duration::from_secs(5),
            Duration::from_millis(100),
            Duration::from_secs(30)
        )
    );
    assert_eq!(
        (pool.affinity.to_string().as_str(), pool.retry_attempts.get()),
        ("hint", 2)
    );
    assert_eq!(pool.circuit_breaker, None);
}

#[test]
fn the_circuit_breaker_has_figures_of_its_own_and_they_wait_until_it_is_on() {
    assert_eq!(only_pool("circuit_breaker_failures = 9").circuit_breaker, None);
    let breaker = only_pool("circuit_breaker = true")
        .circuit_breaker
        .expect("it is on");
    assert_eq!(
        (breaker.failures.get(), breaker.pause),
        (5, Duration::from_secs(30))
    );
    let breaker =
        only_pool("circuit_breaker = true\ncircuit_breaker_failures = 9\ncircuit_breaker_pause = \"1s\"")
            .circuit_breaker
            .expect("it is on");
    assert_eq!(
        (breaker.failures.get(), breaker.pause),
        (9, Duration::from_secs(1))
    );
}

#[test]
fn a_later_layer_takes_a_limit_away_with_off() {
    let limits =
        "adapter = \"stats\"\nworker_ttl = \"1h\"\nworker_max_requests = 10\nworker_memory_max = \"1GiB\"\n";
    let folder = Folder::with("snakepit.toml", limits);
    let settings = folder
        .builder()
        .environment([
            ("SNAKEPIT_WORKER_TTL", " off "),
            ("SNAKEPIT_POOLS__DEFAULT__WORKER_MAX_REQUESTS", "off"),
        ])
        .pool(PoolConfig::new("default").worker_memory_max(None))
        .build()
        .expect("valid");
    let pool = &settings.pools[0];
    assert_eq!(
        (pool.worker_ttl, pool.worker_max_requests, pool.worker_memory_max),
        (None, None, None)
    );
    folder.add(
        "snakepit.toml",
        &format!("{limits}[[pools]]\nname = \"a\"\nworker_ttl = \"off\"\n"),
    );
    let settings = folder.builder().build().expect("valid");
    assert_eq!(settings.pools[0].worker_ttl, None);
    assert_eq!(settings.pools[0].worker_memory_max, Some(1 << 30));
}

#[test]
fn a_percentage_is_written_with_or_without_its_sign() {
    for text in ["25", "\"25\"", "\"25%\"", "\"25 %\""] {
        assert_eq!(
            only_pool(&format!("recycle_jitter = {text}")).recycle_jitter,
            25,
            "{text}"
        );
    }
    for text in ["101", "-1", "0.5", "\"101%\"", "\"%\"", "\"25%%\"", "true"] {
        let error = only_error(&format!("recycle_jitter = {text}"));
        assert!(
            error.ends_with("allowed: a percentage from 0 to 100, such as `10` or `10%`"),
            "{error}"
        );
    }
}

#[test]
fn values_out_of_range_are_told_the_range() {
    let folder = Folder::with(
        "snakepit.toml",
        r#"adapter = "stats"
affinity = "strict"
session_ttl = "999ms"
session_max = 0
retry_attempts = 11
circuit_breaker = "off"
circuit_breaker_failures = 1001
circuit_breaker_pause = "0s"
worker_ttl = "99ms"
worker_max_requests = 0
worker_memory_max = "1023KiB"
ready_floor = "off"
surge_max = 101
restart_max = 1001
restart_pool_max = 100001
restart_window = "61m"
restart_backoff = "0ms"
restart_backoff_max = "2h"
"#,
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r#"
    17 errors in the configuration:
      snakepit.toml:2: affinity: given "strict", allowed: `hint`, `strict_queue`, `strict_fail_fast`
      snakepit.toml:3: session_ttl: given "999ms", allowed: a duration such as `90s`, `2h` or `500ms`, from 1s, at most 1year
      snakepit.toml:4: session_max: given 0, allowed: a whole number from 1 to 1000000
      snakepit.toml:5: retry_attempts: given 11, allowed: a whole number from 1 to 10
      snakepit.toml:6: circuit_breaker: given "off", allowed: `true` or `false`
      snakepit.toml:7: circuit_breaker_failures: given 1001, allowed: a whole number from 1 to 1000
      snakepit.toml:8: circuit_breaker_pause: given "0s", allowed: a duration such as `90s`, `2h` or `500ms`, more than 0s, at most 1year
      snakepit.toml:9: worker_ttl: given "99ms", allowed: a duration such as `90s`, `2h` or `500ms`, from 100ms, at most 1year; or `off`
      snakepit.toml:10: worker_max_requests: given 0, allowed: a whole number from 1 to 1000000000; or `off`
      snakepit.toml:11: worker_memory_max: given "1023KiB", allowed: a size such as `512MiB`, or a number of bytes, from 1MiB to 16384GiB; or `off`
      snakepit.toml:12: ready_floor: given "off", allowed: a whole number from 0 to 100000
      snakepit.toml:13: surge_max: given 101, allowed: a whole number from 0 to 100
      snakepit.toml:14: restart_max: given 1001, allowed: a whole number from 1 to 1000
      snakepit.toml:15: restart_pool_max: given 100001, allowed: a whole number from 1 to 100000
      snakepit.toml:16: restart_window: given "61m", allowed: a duration such as `90s`, `2h` or `500ms`, more than 0s, at most 1h
      snakepit.toml:17: restart_backoff: given "0ms", allowed: a duration such as `90s`, `2h` or `500ms`, from 1ms, at most 1h
      snakepit.toml:18: restart_backoff_max: given "2h", allowed: a duration such as `90s`, `2h` or `500ms`, from 1ms, at most 1h
    codes: SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105 SP0105
    "#);
}

#[test]
fn values_of_the_program_keep_to_the_same_ranges() {
    let pool = PoolConfig::new("default")
        .adapter("stats")
        .worker_ttl(Duration::ZERO)
        .worker_max_requests(0)
        .worker_memory_max(1)
        .recycle_jitter(200);
    let folder = Folder::with("snakepit.toml", "");
    let result = folder
        .builder()
        .set_session_ttl(Duration::ZERO)
        .pool(pool)
        .build();
    assert_snapshot!(report(&folder, result), @r"
    5 errors in the configuration:
      builder: session_ttl: given 0s, allowed: a duration such as `90s`, `2h` or `500ms`, from 1s, at most 1year
      builder: pools.default.worker_ttl: given 0s, allowed: a duration such as `90s`, `2h` or `500ms`, from 100ms, at most 1year; or `off`
      builder: pools.default.worker_max_requests: given 0, allowed: a whole number from 1 to 1000000000; or `off`
      builder: pools.default.worker_memory_max: given 1B, allowed: a size such as `512MiB`, or a number of bytes, from 1MiB to 16384GiB; or `off`
      builder: pools.default.recycle_jitter: given 200, allowed: a percentage from 0 to 100, such as `10` or `10%`
    codes: SP0105 SP0105 SP0105 SP0105 SP0105
    ");
}

#[test]
fn sessions_belong_to_no_pool() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\n[[pools]]\nname = \"a\"\nsession_ttl = \"1h\"\nsession_max = 5\n",
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    2 errors in the configuration:
      snakepit.toml:4: pools[0].session_ttl: not allowed here: it belongs at top level
      snakepit.toml:5: pools[0].session_max: not allowed here: it belongs at top level
    codes: SP0104 SP0104
    ");
}

#[test]
fn a_pool_cannot_keep_more_workers_ready_than_it_has() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nready_floor = 3\n[[pools]]\nname = \"a\"\npool_size = 2\n\
         [[pools]]\nname = \"b\"\npool_size = 3\n[[pools]]\nname = \"c\"\npool_size = 8\n",
    );
    let result = folder
        .builder()
        .environment([("SNAKEPIT_POOLS__C__READY_FLOOR", "9")])
        .build();
    assert_snapshot!(report(&folder, result), @r"
    2 errors in the configuration:
      snakepit.toml:2: ready_floor: pool `a` has `ready_floor` 3, allowed: at most 2 (`pool_size`)
      SNAKEPIT_POOLS__C__READY_FLOOR: pool `c` has `ready_floor` 9, allowed: at most 8 (`pool_size`)
    codes: SP0115 SP0115
    hint: lower `ready_floor`, or raise `pool_size`
    ");
}

#[test]
fn the_first_pause_is_at_most_the_longest_and_the_error_points_at_what_was_written() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nrestart_backoff = \"31s\"\n",
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    snakepit.toml:2: restart_backoff: pool `default` has `restart_backoff` 31s, allowed: at most 30s (`restart_backoff_max`)
    codes: SP0115
    hint: lower `restart_backoff`, or raise `restart_backoff_max`
    ");
    folder.add(
        "snakepit.toml",
        "adapter = \"stats\"\nrestart_backoff_max = \"99ms\"\n",
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    snakepit.toml:2: restart_backoff_max: pool `default` has `restart_backoff` 100ms, allowed: at most 99ms (`restart_backoff_max`)
    codes: SP0115
    hint: lower `restart_backoff`, or raise `restart_backoff_max`
    ");
    let equal = only_pool("restart_backoff = \"1s\"\nrestart_backoff_max = \"1s\"");
    assert_eq!(equal.restart_backoff, equal.restart_backoff_max);
}

#[test]
fn a_limit_that_could_never_replace_a_worker_is_an_error_that_says_what_to_do() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nsurge_max = 0\n[[pools]]\nname = \"a\"\nworker_ttl = \"1h\"\n\
         [[pools]]\nname = \"b\"\npool_size = 2\nready_floor = 2\nworker_max_requests = 5\nworker_memory_max = \"1GiB\"\n",
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r#"
    2 errors in the configuration:
      snakepit.toml:2: surge_max: pool `a` could never replace a worker at its `worker_ttl`: `surge_max` is 0, and `ready_floor` is all of `pool_size`
      snakepit.toml:2: surge_max: pool `b` could never replace a worker at its `worker_max_requests`: `surge_max` is 0, and `ready_floor` is all of `pool_size`
    codes: SP0116 SP0116
    hint: set `surge_max` to 1 or more, or `ready_floor` below `pool_size`, or the limit to "off"
    "#);
}

#[test]
fn each_way_out_of_that_error_is_one() {
    const STUCK: &str = "pool_size = 2\nsurge_max = 0\nworker_memory_max = \"1GiB\"\n";
    let errors = read(STUCK).expect_err("no worker could be replaced");
    let kinds: Vec<&ConfigErrorKind> = errors.iter().map(ConfigError::kind).collect();
    assert!(
        matches!(
            kinds[..],
            [ConfigErrorKind::NeverReplaced {
                limit: "worker_memory_max",
                ..
            }]
        ),
        "{kinds:?}"
    );
    assert_eq!(
        only_pool(&STUCK.replace("surge_max = 0", "surge_max = 1")).surge_max,
        1
    );
    assert_eq!(only_pool(&format!("{STUCK}ready_floor = 1")).ready_floor, 1);
    assert_eq!(only_pool(&STUCK.replace("1GiB", "off")).worker_memory_max, None);
}

#[test]
fn a_flawed_value_breaks_no_rule_between_keys_as_well() {
    for keys in [
        "pool_size = 0\nready_floor = 5\nsurge_max = 0\nworker_ttl = \"1h\"",
        "pool_size = 2\nready_floor = \"all\"\nsurge_max = 0\nworker_ttl = \"1h\"",
        "pool_size = 2\nsurge_max = -1\nworker_ttl = \"1h\"",
        "surge_max = 0\nworker_ttl = \"1ms\"",
        "restart_backoff = \"1h\"\nrestart_backoff_max = \"ever\"",
    ] {
        let error = only_error(keys);
        assert!(error.contains(", allowed: "), "{error}");
    }
}
