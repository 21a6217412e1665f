//! The rules of pools, and the errors where they are broken.

use insta::assert_snapshot;
use snakepit_config::{PoolConfig, Settings};

use crate::harness::{Folder, report};

#[test]
fn both_forms_at_once_are_an_error_in_every_layer() {
    let folder = Folder::with(
        "snakepit.toml",
        "pool_size = 2\n[[pools]]\nname = \"default\"\nadapter = \"stats\"\n",
    );
    let result = folder
        .builder()
        .environment([("SNAKEPIT_POOL_SIZE", "3")])
        .build();
    assert_snapshot!(report(&folder, result), @r"
    2 errors in the configuration:
      snakepit.toml:1: pool_size: the single-pool form (keys at top level, no `pools`) and a list of pools at once
      SNAKEPIT_POOL_SIZE: the single-pool form (keys at top level, no `pools`) and a list of pools at once
    codes: SP0106 SP0106
    hint: list every pool under `[[pools]]`, each with its own `pool_size` (in the environment: SNAKEPIT_POOLS__<NAME>__POOL_SIZE)
    ");

    let folder = Folder::with("snakepit.toml", "pool_size = 2\nadapter = \"stats\"\n");
    let result = folder.builder().pool(PoolConfig::new("other")).build();
    assert_snapshot!(report(&folder, result), @r"
    snakepit.toml:1: pool_size: the single-pool form (keys at top level, no `pools`) and a list of pools at once
    codes: SP0106
    hint: list every pool under `[[pools]]`, each with its own `pool_size` (in the environment: SNAKEPIT_POOLS__<NAME>__POOL_SIZE)
    ");

    let folder = Folder::with("snakepit.toml", "adapter = \"stats\"\n");
    let result = folder
        .builder()
        .environment([("SNAKEPIT_POOLS__WEB__ADAPTER", "web")])
        .build();
    assert_snapshot!(report(&folder, result), @r"
    SNAKEPIT_POOLS__WEB__ADAPTER: the single-pool form (keys at top level, no `pools`) and a list of pools at once
    codes: SP0106
    hint: list every pool under `[[pools]]`, each with its own `pool_size` (in the environment: SNAKEPIT_POOLS__<NAME>__POOL_SIZE)
    ");
}

#[test]
fn pools_must_have_names_that_are_valid_and_unique() {
    let long = "x".repeat(65);
    let folder = Folder::with(
        "snakepit.toml",
        &format!(
            "adapter = \"stats\"\npools = [\n  {{ pool_size = 1 }},\n  {{ name = \"\" }},\n  {{ name = \"-a\" }},\n  \
             {{ name = \"a b\" }},\n  {{ name = \"{long}\" }},\n  {{ name = 7 }},\n  {{ name = \"a\" }},\n  \
             {{ name = \"a\" }},\n]\n"
        ),
    );
    let result = folder
        .builder()
        .pool(PoolConfig::new("b"))
        .pool(PoolConfig::new("b"))
        .pool(PoolConfig::new("é"))
        .build();
    assert_snapshot!(report(&folder, result), @r#"
    9 errors in the configuration:
      snakepit.toml:3: pools[0]: this pool has no `name`
      snakepit.toml:4: pools[1].name: given "", allowed: a name of letters, digits, `_` and `-`, the first a letter or digit, at most 64 long
      snakepit.toml:5: pools[2].name: given "-a", allowed: a name of letters, digits, `_` and `-`, the first a letter or digit, at most 64 long
      snakepit.toml:6: pools[3].name: given "a b", allowed: a name of letters, digits, `_` and `-`, the first a letter or digit, at most 64 long
      snakepit.toml:7: pools[4].name: given "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ..., allowed: a name of letters, digits, `_` and `-`, the first a letter or digit, at most 64 long
      snakepit.toml:8: pools[5].name: given 7, allowed: a name of letters, digits, `_` and `-`, the first a letter or digit, at most 64 long
      snakepit.toml:10: pools[7].name: two pools are named `a`
      builder: pools.b: two pools are named `b`
      builder: pools.é: given "é", allowed: a name of letters, digits, `_` and `-`, the first a letter or digit, at most 64 long
    codes: SP0107 SP0105 SP0105 SP0105 SP0105 SP0105 SP0108 SP0108 SP0105
    hint: add `name = "..."` to this [[pools]]
    hint: rename one of them, or merge the two into one
    "#);
}

#[test]
fn pools_must_be_a_list_with_something_in_it() {
    for (text, given) in [
        ("pools = []", "[]"),
        ("pools = 3", "3"),
        ("pools = [1]", "[1]"),
        ("[pools.default]\nadapter = \"stats\"", "a table"),
    ] {
        let folder = Folder::with("snakepit.toml", text);
        let message = report(&folder, folder.builder().build());
        let expected = format!("given {given}, allowed: a list of pools: `[[pools]]`");
        assert!(
            message.starts_with("snakepit.toml:1: pools: ") && message.contains(&expected),
            "{message}"
        );
    }
}

#[test]
fn every_pool_needs_an_adapter() {
    let nothing = Settings::builder().env(false).build();
    let folder = Folder::with("snakepit.toml", "queue_max = 3\n");
    assert_snapshot!(report(&folder, nothing), @r"
    configuration: pool `default` has no adapter
    codes: SP0111
    hint: set `adapter` to a Python file (`adapter.py`), a module (`package.module`) or a class in one of them (`module:Class`)
    ");
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    snakepit.toml: pool `default` has no adapter
    codes: SP0111
    hint: set `adapter` to a Python file (`adapter.py`), a module (`package.module`) or a class in one of them (`module:Class`)
    ");

    let folder = Folder::with(
        "snakepit.toml",
        "[[pools]]\nname = \"a\"\nadapter = \"stats\"\n[[pools]]\nname = \"b\"\n",
    );
    let result = folder.builder().pool(PoolConfig::new("c")).build();
    assert_snapshot!(report(&folder, result), @r"
    2 errors in the configuration:
      snakepit.toml:5: pools[1].name: pool `b` has no adapter
      builder: pools.c: pool `c` has no adapter
    codes: SP0111 SP0111
    hint: set `adapter` to a Python file (`adapter.py`), a module (`package.module`) or a class in one of them (`module:Class`)
    ");
}

#[test]
fn an_adapter_file_must_exist_and_be_a_file() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"no/stats.py:Model\"\n[[pools]]\nname = \"a\"\n[[pools]]\nname = \"b\"\n\
         [[pools]]\nname = \"c\"\nadapter = \"./\"\n",
    );
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    2 errors in the configuration:
      snakepit.toml:1: adapter: the adapter's file no/stats.py does not exist
      snakepit.toml:8: pools[2].adapter: the adapter's file  is not a file
    codes: SP0112 SP0112
    hint: a relative path in a file starts at that file's folder, anywhere else at the current folder
    ");
}

#[test]
fn a_flawed_adapter_is_one_error_and_not_a_missing_one_as_well() {
    let folder = Folder::with("snakepit.toml", "adapter = \"my-package\"\n");
    assert_snapshot!(report(&folder, folder.builder().build()), @r#"
    snakepit.toml:1: adapter: given "my-package", allowed: a Python file (`adapter.py`), a module (`package.module`), or a class in one of them (`module:Class`)
    codes: SP0105
    "#);
}

#[test]
fn pool_size_above_max_workers_is_an_error_and_no_clamp() {
    let folder = Folder::with("snakepit.toml", "adapter = \"stats\"\npool_size = 151\n");
    assert_snapshot!(report(&folder, folder.builder().build()), @r"
    snakepit.toml:2: pool_size: pool `default` has 151 workers, allowed: at most 150 (`max_workers`)
    codes: SP0113
    hint: lower `pool_size`, or raise `max_workers` at top level
    ");
    let raised = folder
        .builder()
        .environment([("SNAKEPIT_MAX_WORKERS", "151")])
        .build()
        .expect("raised");
    assert_eq!(raised.pools[0].pool_size.get(), 151);
    assert_eq!(raised.pools[0].max_workers.get(), 151);
}

#[test]
fn threads_on_a_process_pool_are_an_error_wherever_they_were_set() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nthreads_per_worker = 4\n[[pools]]\nname = \"a\"\nthreads_per_worker = 8\n",
    );
    let result = folder
        .builder()
        .environment([("SNAKEPIT_POOLS__B__THREADS_PER_WORKER", "2")])
        .pool(PoolConfig::new("b").threads_per_worker(1))
        .build();
    assert_snapshot!(report(&folder, result), @r#"
    4 errors in the configuration:
      snakepit.toml:2: threads_per_worker: set without effect: every pool has the process profile, which runs one call at a time
      snakepit.toml:5: pools[0].threads_per_worker: set without effect: pool `a` has the process profile, which runs one call at a time
      SNAKEPIT_POOLS__B__THREADS_PER_WORKER: set without effect: pool `b` has the process profile, which runs one call at a time
      builder: pools.b.threads_per_worker: set without effect: pool `b` has the process profile, which runs one call at a time
    codes: SP0114 SP0114 SP0114 SP0114
    hint: set `worker_profile = "thread"`, or leave `threads_per_worker` out and raise `pool_size`
    "#);
}

#[test]
fn top_level_threads_are_the_default_of_the_pools_that_have_threads() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nthreads_per_worker = 4\n[[pools]]\nname = \"a\"\n[[pools]]\nname = \"b\"\nworker_profile = \"auto\"\n",
    );
    let settings = folder.builder().build().expect("one pool has threads");
    let threads: Vec<u32> = settings
        .pools
        .iter()
        .map(|pool| pool.threads_per_worker.get())
        .collect();
    assert_eq!(threads, [1, 4]);
}

#[test]
fn a_variable_of_no_pool_is_an_error_and_no_new_pool() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\n[[pools]]\nname = \"compute\"\n[[pools]]\nname = \"a-b\"\n[[pools]]\nname = \"a_b\"\n",
    );
    let result = folder
        .builder()
        .environment([
            ("SNAKEPIT_POOLS__COMPTE__QUEUE_MAX", "1"),
            ("SNAKEPIT_POOLS__compute__QUEUE_MAX", "1"),
            ("SNAKEPIT_POOLS__A_B__QUEUE_MAX", "1"),
            ("SNAKEPIT_POOLS__COMPUTE", "1"),
            ("SNAKEPIT_POOLS____QUEUE_MAX", "1"),
        ])
        .build();
    assert_snapshot!(report(&folder, result), @r#"
    5 errors in the configuration:
      SNAKEPIT_POOLS__A_B__QUEUE_MAX: could mean any of the pools `a-b`, `a_b`
      SNAKEPIT_POOLS__COMPUTE: not allowed here: a variable sets one key of one pool: SNAKEPIT_POOLS__<NAME>__<KEY>
      SNAKEPIT_POOLS____QUEUE_MAX: given "", allowed: a name of letters, digits, `_` and `-`, the first a letter or digit, at most 64 long
      SNAKEPIT_POOLS__compute__QUEUE_MAX: there is no pool `compute`; did you mean `COMPUTE`?
      SNAKEPIT_POOLS__COMPTE__QUEUE_MAX: there is no pool `COMPTE`; did you mean `COMPUTE`?
    codes: SP0110 SP0104 SP0105 SP0109 SP0109
    hint: a pool that only the environment defines needs its adapter there too: SNAKEPIT_POOLS__<NAME>__ADAPTER
    hint: name the pools so that they differ in more than case, `-` and `_`
    "#);
}

#[test]
fn an_empty_file_is_named_by_the_error_that_its_pool_has_no_adapter() {
    let folder = Folder::with("snakepit.toml", "# nothing yet\n");
    let message = report(&folder, folder.builder().build());
    assert!(
        message.starts_with("snakepit.toml: pool `default` has no adapter"),
        "{message}"
    );
}

#[test]
fn a_file_has_at_most_a_thousand_pools() {
    let pools = |count: usize| {
        let pools: Vec<String> = (0..count)
            .map(|i| format!("[[pools]]\nname = \"p{i}\""))
            .collect();
        pools.join("\n")
    };
    let folder = Folder::with("snakepit.toml", &format!("adapter = \"stats\"\n{}", pools(1000)));
    assert_eq!(
        folder.builder().build().map(|settings| settings.pools.len()),
        Ok(1000)
    );
    folder.add("snakepit.toml", &pools(1001));
    let message = report(&folder, folder.builder().build());
    assert!(
        message.starts_with("snakepit.toml:1: pools: given 1001 pools, allowed: at most 1000"),
        "{message}"
    );
}
