//! The layers: which crate may know which.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Every arrow there may be. Anything else is a layer that reaches up.
const ARROWS: [(&str, &[&str]); 10] = [
    ("snakepit-config", &[]),
    ("snakepit-pyenv", &["snakepit-config"]),
    ("snakepit-profile", &["snakepit-config", "snakepit-pyenv"]),
    ("snakepit-pool", &["snakepit-config", "snakepit-profile"]),
    ("snakepit-grpc", &["snakepit-profile"]),
    ("snakepit-bridge", &["snakepit-grpc"]),
    (
        "snakepit",
        &[
            "snakepit-config",
            "snakepit-pyenv",
            "snakepit-profile",
            "snakepit-pool",
            "snakepit-grpc",
        ],
    ),
    ("snakepit-cli", &["snakepit"]),
    // It tests the layers one by one as well.
    (
        "snakepit-tests",
        &[
            "snakepit",
            "snakepit-config",
            "snakepit-pyenv",
            "snakepit-profile",
            "snakepit-pool",
            "snakepit-grpc",
        ],
    ),
    ("xtask", &[]),
];

/// What must never be below these crates, however indirectly: the engine knows no wire, the settings no runtime.
const NEVER: [(&str, &[&str]); 4] = [
    ("snakepit-config", &["tokio", "tonic", "prost"]),
    ("snakepit-pyenv", &["tokio", "tonic", "prost"]),
    ("snakepit-profile", &["tonic", "prost", "hyper"]),
    ("snakepit-pool", &["tonic", "prost", "hyper"]),
];

#[test]
fn dependencies_run_downwards_only() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata answers");
    let ours: BTreeSet<_> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let allowed: BTreeMap<_, BTreeSet<_>> = ARROWS
        .iter()
        .map(|(from, to)| ((*from).to_owned(), to.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(
        ours,
        allowed.keys().cloned().collect(),
        "a crate without a place in the layers"
    );

    for package in &metadata.packages {
        let found: BTreeSet<String> = package
            .dependencies
            .iter()
            .filter(|dependency| {
                dependency.kind != DependencyKind::Development && ours.contains(&dependency.name)
            })
            .map(|dependency| dependency.name.clone())
            .collect();
        let allowed = &allowed[&package.name.to_string()];
        let up: Vec<_> = found.difference(allowed).collect();
        assert!(up.is_empty(), "{} must not know {up:?}", package.name);
    }
}

#[test]
fn the_wire_knows_the_layers_above_processes_only_as_a_host() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata answers");
    let wire = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "snakepit-grpc")
        .expect("it is there");
    let profile = wire
        .dependencies
        .iter()
        .find(|d| d.name == "snakepit-profile")
        .expect("the host end implements it");
    assert!(profile.optional, "a worker end needs no profile");
}

#[test]
fn lower_layers_are_free_of_the_upper_ones_libraries() {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .exec()
        .expect("cargo metadata answers");
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|p| (&p.id, p.name.to_string()))
        .collect();
    let below: BTreeMap<_, Vec<_>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node
                .deps
                .iter()
                .filter(|dep| dep.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal));
            (&node.id, normal.map(|dep| &dep.pkg).collect())
        })
        .collect();

    for (package, never) in NEVER {
        let root = names
            .iter()
            .find(|(_, name)| *name == package)
            .map(|(id, _)| *id)
            .expect("a member");
        let mut seen = BTreeSet::new();
        let mut todo = vec![root];
        while let Some(id) = todo.pop() {
            if seen.insert(names[id].as_str()) {
                todo.extend(below[id].iter().copied());
            }
        }
        for name in never {
            assert!(!seen.contains(name), "{package} has {name} below it");
        }
    }
}
