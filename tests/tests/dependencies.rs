//! The direction of dependencies between the rooms.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{HashMap, HashSet};

/// Everything that a crate of ours links, its features included, tests and build scripts left out.
fn linked_by(metadata: &Metadata, name: &str) -> HashSet<String> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let root = metadata.workspace_packages().into_iter().find(|package| package.name == name).unwrap();
    let mut open = vec![&root.id];
    let mut seen = HashSet::new();
    while let Some(id) = open.pop() {
        for dependency in &nodes[id].deps {
            let normal = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            if normal && seen.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    seen.into_iter().map(|id| metadata[id].name.to_string()).collect()
}

#[test]
fn rooms_depend_only_on_those_below_them() {
    let metadata = MetadataCommand::new().no_deps().other_options(["--locked".to_owned()]).exec().unwrap();
    let allowed = HashMap::from([
        ("sinew-proto", vec![]),
        ("sinew-models", vec![]),
        ("sinew-dataset", vec![]),
        ("sinew-sync", vec!["sinew-models", "sinew-proto"]),
        ("sinew-trainer", vec!["sinew-models", "sinew-proto", "sinew-dataset", "sinew-sync"]),
        ("sinew-runtime", vec!["sinew-models", "sinew-proto", "sinew-dataset", "sinew-sync"]),
    ]);
    for package in metadata.workspace_packages() {
        let Some(allowed) = allowed.get(package.name.as_str()) else { continue };
        for dependency in package.dependencies.iter().filter(|d| d.name.starts_with("sinew-")) {
            assert!(
                allowed.contains(&dependency.name.as_str()),
                "{} may not depend on {}; it may on {allowed:?}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn the_robot_links_no_training_framework_and_the_models_no_engine() {
    let metadata = MetadataCommand::new().other_options(["--locked".to_owned()]).exec().unwrap();
    let forbidden = [
        ("sinew-runtime", vec!["candle-core", "candle-nn"]),
        ("sinew-models", vec!["candle-core", "candle-nn", "ort", "ort-sys", "zenoh"]),
        ("sinew-dataset", vec!["candle-core", "ort", "zenoh"]),
        ("sinew-proto", vec!["candle-core", "ort", "zenoh"]),
        ("sinew-sync", vec!["candle-core", "ort", "zenoh"]),
    ];
    for (room, forbidden) in forbidden {
        let linked = linked_by(&metadata, room);
        for name in forbidden {
            assert!(!linked.contains(name), "{room} reaches {name}");
        }
    }
    assert!(linked_by(&metadata, "sinew-trainer").contains("candle-core"), "the check sees nothing");
}

#[test]
fn the_architecture_page_names_every_module() {
    let page = std::fs::read_to_string(sinew_tests::repository().join("ARCHITECTURE.md")).unwrap();
    for room in ["proto", "models", "dataset", "sync", "trainer", "runtime"] {
        let mut folders = vec![sinew_tests::repository().join(room).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let module = path.file_stem().unwrap().to_string_lossy().into_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if !["lib", "main", "mod"].contains(&module.as_str()) {
                    let named =
                        page.contains(&format!("`{module}`")) || page.contains(&format!("/{module}`"));
                    assert!(named, "ARCHITECTURE.md does not name {}", path.display());
                }
            }
        }
    }
}
