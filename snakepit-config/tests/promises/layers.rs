//! Which value wins, and which pools there are.

use std::path::Path;

use snakepit_config::{AdapterSource, PoolConfig, PoolSettings, Settings, TimeoutProfile};

use crate::harness::Folder;

const TWO_POOLS: &str = r#"
adapter = "shared"
queue_max = 10

[[pools]]
name = "web-front"
queue_max = 20

[[pools]]
name = "compute"
adapter = "own"
"#;

fn names(settings: &Settings) -> Vec<&str> {
    settings.pools.iter().map(|pool| pool.name.as_str()).collect()
}

fn pool<'a>(settings: &'a Settings, name: &str) -> &'a PoolSettings {
    settings
        .pools
        .iter()
        .find(|pool| pool.name.as_str() == name)
        .expect("the pool is there")
}

#[test]
fn a_later_layer_wins_over_an_earlier_one() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"file\"\nqueue_max = 1\ndepth_max = 1\n",
    );
    let settings = folder
        .builder()
        .environment([("SNAKEPIT_QUEUE_MAX", "2"), ("SNAKEPIT_ADAPTER", "environment")])
        .pool(PoolConfig::new("default").adapter("builder"))
        .build()
        .expect("valid");
    let only = &settings.pools[0];
    assert_eq!(only.adapter.source, AdapterSource::Module("builder".into()));
    assert_eq!(only.queue_max, 2);
    assert_eq!(only.depth_max, 1);
    assert_eq!(only.startup_batch_size.get(), 10);
}

#[test]
fn a_pool_s_own_key_wins_over_top_level_in_whichever_layer_either_stands() {
    let folder = Folder::with("snakepit.toml", TWO_POOLS);
    let settings = folder
        .builder()
        .environment([("SNAKEPIT_QUEUE_MAX", "30"), ("SNAKEPIT_ADAPTER", "environment")])
        .build()
        .expect("valid");
    assert_eq!(pool(&settings, "web-front").queue_max, 20);
    assert_eq!(pool(&settings, "compute").queue_max, 30);
    assert_eq!(pool(&settings, "web-front").adapter.to_string(), "`environment`");
    assert_eq!(pool(&settings, "compute").adapter.to_string(), "`own`");
}

#[test]
fn pools_merge_by_name_and_the_first_of_the_file_stays_the_first() {
    let folder = Folder::with("snakepit.toml", TWO_POOLS);
    let settings = folder
        .builder()
        .environment([
            ("SNAKEPIT_POOLS__WEB_FRONT__POOL_SIZE", "3"),
            ("SNAKEPIT_POOLS__ADDED__ADAPTER", "added"),
            ("SNAKEPIT_POOLS__BUILT__QUEUE_MAX", "7"),
        ])
        .pool(PoolConfig::new("built"))
        .pool(PoolConfig::new("compute").pool_size(4))
        .build()
        .expect("valid");
    assert_eq!(names(&settings), ["web-front", "compute", "built", "added"]);
    assert_eq!(pool(&settings, "web-front").pool_size.get(), 3);
    assert_eq!(pool(&settings, "compute").pool_size.get(), 4);
    assert_eq!(pool(&settings, "built").queue_max, 7);
}

#[test]
fn a_pool_name_with_two_underscores_is_found_in_a_variable() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\n[[pools]]\nname = \"a\"\n[[pools]]\nname = \"a__b\"\n",
    );
    let settings = folder
        .builder()
        .environment([("SNAKEPIT_POOLS__A__B__QUEUE_MAX", "5")])
        .build()
        .expect("valid");
    assert_eq!(pool(&settings, "a__b").queue_max, 5);
    assert_eq!(pool(&settings, "a").queue_max, 1000);
}

#[test]
fn without_a_list_top_level_describes_the_one_pool_default() {
    let folder = Folder::with("snakepit.toml", "adapter = \"stats\"\npool_size = 3\n");
    let settings = folder
        .builder()
        .environment([("SNAKEPIT_POOLS__DEFAULT__QUEUE_MAX", "5")])
        .pool(PoolConfig::new("default").depth_max(6))
        .build()
        .expect("valid");
    assert_eq!(names(&settings), ["default"]);
    let only = &settings.pools[0];
    assert_eq!((only.pool_size.get(), only.queue_max, only.depth_max), (3, 5, 6));
}

#[test]
fn a_program_and_an_environment_need_no_file() {
    let variables = [
        ("SNAKEPIT_ADAPTER", "stats"),
        ("SNAKEPIT_POOL_SIZE", "2"),
        ("UNRELATED", "x"),
    ];
    let settings = Settings::builder().environment(variables).build().expect("valid");
    assert_eq!(names(&settings), ["default"]);
    assert_eq!(settings.pools[0].pool_size.get(), 2);

    let variables = [("SNAKEPIT_POOLS__WEB__ADAPTER", "stats")];
    let settings = Settings::builder().environment(variables).build().expect("valid");
    assert_eq!(names(&settings), ["web"]);
}

#[test]
fn the_environment_s_python_wins_over_the_file_and_a_pool_s_own_over_both() {
    let folder = Folder::with(
        "snakepit.toml",
        "python = \"venv/bin/python3\"\nadapter = \"stats\"\n[[pools]]\nname = \"a\"\n\
         [[pools]]\nname = \"b\"\npython = \"pypy3\"\n",
    );
    let named = |settings: &Settings, name: &str| {
        let python = pool(settings, name).python.clone().expect("it is named");
        (
            folder.masked(&python.path.display().to_string()),
            folder.masked(&python.named_by),
        )
    };
    let of_file = folder.builder().build().expect("valid");
    assert_eq!(
        named(&of_file, "a"),
        ("venv/bin/python3".into(), "`python` in snakepit.toml:1".into())
    );
    assert_eq!(
        named(&of_file, "b"),
        ("pypy3".into(), "`pools[1].python` in snakepit.toml:7".into())
    );

    let both = folder
        .builder()
        .environment([("SNAKEPIT_PYTHON", "/usr/bin/python3")])
        .build()
        .expect("valid");
    assert_eq!(
        named(&both, "a"),
        ("/usr/bin/python3".into(), "SNAKEPIT_PYTHON".into())
    );
    assert_eq!(named(&both, "b").0, "pypy3");

    let program = folder
        .builder()
        .environment([("SNAKEPIT_PYTHON", "/usr/bin/python3")])
        .set_python("python3.13")
        .build()
        .expect("valid");
    assert_eq!(
        named(&program, "a"),
        ("python3.13".into(), "`python` in the program".into())
    );
}

#[test]
fn the_workers_variables_merge_one_by_one_across_levels_and_layers() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\nadapter_env = { A = \"top\", B = \"top\" }\n\
         [[pools]]\nname = \"a\"\n[pools.adapter_env]\nB = \"pool\"\nC = \"pool\"\n",
    );
    let settings = folder
        .builder()
        .environment([
            ("SNAKEPIT_ADAPTER_ENV__A", "environment"),
            ("SNAKEPIT_POOLS__A__ADAPTER_ENV__C__D", ""),
        ])
        .pool(PoolConfig::new("a").adapter_env("C", "builder"))
        .build()
        .expect("valid");
    let variables: Vec<String> = settings.pools[0]
        .adapter_env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(variables, ["A=environment", "B=pool", "C=builder", "C__D="]);
}

#[test]
fn a_relative_path_of_a_file_starts_at_its_folder_and_any_other_at_the_current_one() {
    let folder = Folder::with(
        "etc/snakepit.toml",
        "adapter = \"../lib/stats.py:Model\"\nbridge = \"bridge\"\npython = \"./venv/python\"\n",
    );
    folder.add("lib/stats.py", "");
    let current = std::env::current_dir().expect("a current folder");
    let settings = Settings::builder()
        .env(false)
        .file(folder.path("etc/snakepit.toml"))
        .build()
        .expect("valid");
    let only = &settings.pools[0];
    assert_eq!(only.adapter.class.as_deref(), Some("Model"));
    assert_eq!(
        only.adapter.source,
        AdapterSource::File(folder.path("etc/../lib/stats.py"))
    );
    assert_eq!(only.bridge, Some(folder.path("etc/bridge")));
    assert_eq!(
        only.python.as_ref().map(|python| python.path.clone()),
        Some(folder.path("etc/venv/python"))
    );

    // The folder of this package is the current one in its tests.
    let settings = Settings::builder()
        .environment([("SNAKEPIT_BRIDGE", "bridge"), ("SNAKEPIT_PYTHON", "venv/python")])
        .pool(PoolConfig::new("a").adapter("src/lib.rs"))
        .build()
        .expect("valid");
    let only = &settings.pools[0];
    assert_eq!(
        only.adapter.source,
        AdapterSource::File(current.join("src/lib.rs"))
    );
    assert_eq!(only.bridge, Some(current.join("bridge")));
    assert_eq!(
        only.python.as_ref().map(|python| python.path.as_path()),
        Some(current.join("venv/python").as_path())
    );
}

#[test]
fn links_are_never_followed() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\npython = \"venv/bin/python\"\n",
    );
    folder.add("venv/real", "");
    std::fs::create_dir(folder.path("venv/bin")).expect("a folder");
    std::os::unix::fs::symlink(folder.path("venv/real"), folder.path("venv/bin/python")).expect("a link");
    let settings = folder.builder().build().expect("valid");
    let python = settings.pools[0].python.as_ref().expect("it is named");
    assert_eq!(python.path, folder.path("venv/bin/python"));
    assert!(python.path.is_symlink() && Path::new(&python.path).is_absolute());
}

#[test]
fn an_explicit_limit_wins_over_the_timeout_profile_at_any_level() {
    let folder = Folder::with(
        "snakepit.toml",
        "adapter = \"stats\"\ntimeout_profile = \"batch\"\ncall_timeout = \"7s\"\n\
         [[pools]]\nname = \"a\"\n[[pools]]\nname = \"b\"\ntimeout_profile = \"production_strict\"\n",
    );
    let settings = folder
        .builder()
        .set_timeout_profile(TimeoutProfile::Development)
        .build()
        .expect("valid");
    let limits = |name| {
        let pool = pool(&settings, name);
        (pool.call_timeout.as_secs(), pool.queue_timeout.as_secs())
    };
    assert_eq!(limits("a"), (7, 60));
    assert_eq!(limits("b"), (7, 5));
}
