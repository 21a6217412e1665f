//! The printed reference is the table of keys.

use std::fmt::Write as _;

use snakepit_config::{KEYS, Scope};

const HEAD: &str = "\
# Configuration

Layers, later wins: the defaults below, `snakepit.toml`, the environment, the builder. Pools merge by name.

In the environment, a key at top level is `SNAKEPIT_KEY`, a pool's key `SNAKEPIT_POOLS__NAME__KEY`, in upper case and with `-` as
`_`; a variable of `adapter_env` is `…__ADAPTER_ENV__VARIABLE`. `SNAKEPIT_PYTHON` and `SNAKEPIT_BRIDGE` win over the file's top
level; a pool's own value wins over both. Durations are written like `500ms`, `90s` or `2h`, sizes like `512MiB`. Relative
paths in a file start at its folder, elsewhere at the current one.

Without `pools`, the keys at top level describe one pool named `default`.

| key | level | default | allowed | what it does |
|---|---|---|---|---|
";

/// `docs/configuration.md`; `PIT_TEST_BLESS=1` writes it.
#[test]
fn the_reference_lists_every_key_with_its_default_and_rule() {
    let mut text = HEAD.to_owned();
    for key in KEYS {
        let level = match key.scope {
            Scope::Top => "top",
            Scope::Pool => "pool",
            Scope::Both => "both",
        };
        let cells = [
            format!("`{}`", key.name),
            level.to_owned(),
            key.default.to_string(),
            key.rule(),
            key.doc.to_owned(),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    if std::env::var_os("PIT_TEST_BLESS").is_some() {
        std::fs::write(path, &text).expect("a writable checkout");
    }
    let written = std::fs::read_to_string(path).expect("docs/configuration.md");
    assert!(
        written == text,
        "docs/configuration.md is not the table of keys: run this test with PIT_TEST_BLESS=1"
    );
}
