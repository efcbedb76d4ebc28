//! The shape of the house, checked: who may depend on whom, how large a file may be, where a connector is registered.
//!
//! ARCHITECTURE.md says why. A failure here names the file and the rule.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]
#![expect(clippy::disallowed_methods, reason = "the test reads the sources of this workspace")]

#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, manifest, sources};

/// The crates, the ones of this workspace that each may name, and crates that it must not.
const CRATES: &[(&str, &[&str], &[&str])] = &[
    (
        "certctl-core",
        &[],
        &["tokio", "tokio-util", "tokio-rustls", "axum", "hyper", "hyper-util", "reqwest", "sea-orm", "sqlx", "rustls"],
    ),
    ("certctl-connectors", &["certctl-core"], &["axum", "sea-orm", "sea-orm-migration", "sqlx"]),
    ("certctl-storage", &["certctl-core"], &["axum", "reqwest", "hyper"]),
    ("certctl-http", &["certctl-core"], &["sea-orm", "sea-orm-migration", "sqlx", "reqwest"]),
    (
        "certctl-bin",
        &["certctl-core", "certctl-connectors", "certctl-storage", "certctl-http"],
        &["sea-orm", "sea-orm-migration", "sqlx", "reqwest"],
    ),
];

/// Parts of the core, and the parts that each must not name.
const LAYERS: &[(&str, &[&str])] = &[
    ("entity", &["pki", "ports", "connector", "storage", "decide", "ops", "jobs", "engine", "agent"]),
    ("domain", &["connector", "storage", "decide", "ops", "jobs", "reconcile", "outbox", "engine", "agent"]),
    ("pki", &["connector", "storage", "decide", "ops", "jobs", "reconcile", "outbox", "engine", "agent"]),
    ("decide", &["storage", "ops", "jobs", "reconcile", "outbox", "engine", "agent"]),
    ("ports", &["pki", "connector", "storage", "decide", "ops", "jobs", "reconcile", "outbox", "engine", "agent"]),
    ("connector", &["storage", "decide", "ops", "jobs", "reconcile", "outbox", "engine", "agent"]),
    ("storage", &["connector", "pki", "decide", "ops", "jobs", "reconcile", "outbox", "engine", "agent"]),
    ("ops", &["reconcile", "agent"]),
    ("agent", &["storage", "jobs", "reconcile", "outbox"]),
];

const CORE_LINES: usize = 700;

#[test]
fn crates_depend_in_one_direction() {
    for (name, may, must_not) in CRATES {
        let manifest = manifest(name);
        let dependencies: BTreeSet<&str> = manifest
            .get("dependencies")
            .and_then(|table| table.as_table())
            .into_iter()
            .flatten()
            .map(|(k, _)| k.as_str())
            .collect();
        for dependency in &dependencies {
            let ours = dependency.starts_with("certctl-");
            assert!(!ours || may.contains(dependency), "{name} must not depend on {dependency}");
            assert!(
                !must_not.contains(dependency),
                "{name} must not depend on {dependency}: see ARCHITECTURE.md, layers"
            );
        }
    }
}

#[test]
fn the_core_is_layered() {
    for (layer, must_not) in LAYERS {
        for source in production(&format!("certctl-core/src/{layer}/")) {
            for other in *must_not {
                let named = source.code_lines().find(|line| names_module(line, other));
                assert!(
                    named.is_none(),
                    "{}: `{layer}` must not name `{other}`: {}",
                    source.path,
                    named.unwrap_or_default()
                );
            }
        }
    }
}

#[test]
fn decisions_are_synchronous_and_are_told_the_time() {
    for source in production("certctl-core/src/decide/") {
        let waits = source
            .code_lines()
            .find(|line| line.contains("async ") || line.contains(".await") || line.contains("ports::Clock"));
        assert!(
            waits.is_none(),
            "{}: a decision takes `now` as a value and never waits: {}",
            source.path,
            waits.unwrap_or_default()
        );
    }
}

#[test]
fn nothing_but_tests_uses_the_fakes() {
    for (name, ..) in CRATES {
        for source in production(&format!("{name}/src/")) {
            let named = source
                .code_lines()
                .find(|line| line.contains("crate::testing::") || line.contains("certctl_core::testing"));
            let guarded = source.text.contains("feature = \"testing\"") || source.path.contains("/testing");
            // `certctl simulate` is the simulator.
            let simulates = ["certctl-bin/src/simulate.rs", "certctl-bin/src/compose.rs"]
                .contains(&source.path.as_str())
                && named.is_none_or(|line| line.contains("certctl_core::testing::sim::forecast"));
            let guarded = guarded || simulates;
            assert!(
                named.is_none() || guarded,
                "{}: fakes belong in tests: {}",
                source.path,
                named.unwrap_or_default()
            );
        }
    }
}

#[test]
fn the_core_is_repeatable() {
    for source in sources("certctl-core/src/") {
        for line in source.code_lines() {
            let hashed = line.contains("HashMap") || line.contains("HashSet") || line.contains("RandomState");
            assert!(!hashed, "{}: the order of a std hash differs per process, use BTreeMap: {line}", source.path);
            let tossed = line.contains("select!") || line.contains("select_biased!");
            assert!(
                !tossed,
                "{}: use futures_util::future::select, whose first argument is polled first: {line}",
                source.path
            );
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for source in sources("") {
        let lines = source.code_lines().count();
        assert!(lines <= CORE_LINES, "{} has {lines} lines of code; one file, one idea: split it", source.path);
    }
}

#[test]
fn every_connector_has_its_folder_its_feature_and_its_registration() {
    let manifest = manifest("certctl-connectors");
    let features: BTreeMap<&str, Vec<&str>> = manifest["features"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, members)| {
            (name.as_str(), members.as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect())
        })
        .collect();
    for (kind, bundle) in [("issuer", "issuers-all"), ("target", "targets-all"), ("notifier", "notifiers-all")] {
        let folders = source::folders(&format!("certctl-connectors/src/{kind}"));
        let declared: BTreeSet<String> =
            features.keys().filter_map(|f| f.strip_prefix(&format!("{kind}-")).map(str::to_owned)).collect();
        assert_eq!(
            folders, declared,
            "certctl-connectors/src/{kind}: folder `x` and feature `{kind}-x` belong together"
        );
        let registration =
            std::fs::read_to_string(source::root().join(format!("certctl-connectors/src/{kind}/mod.rs"))).unwrap();
        for folder in &folders {
            let feature = format!("{kind}-{folder}");
            assert!(features[bundle].contains(&feature.as_str()), "{bundle} does not include {feature}");
            let gates = registration.matches(&format!("feature = \"{feature}\"")).count();
            assert!(
                gates >= 2,
                "{kind}/mod.rs declares and registers `{folder}` behind `{feature}`: {gates} lines of 2"
            );
            assert!(registration.contains(&format!("{folder}::")), "{kind}/mod.rs does not register {folder}");
            for file in ["mod.rs", "config.rs", "docs.md", "tests.rs"] {
                let path = format!("certctl-connectors/src/{kind}/{folder}/{file}");
                let present = source::root().join(&path).is_file()
                    || (file == "tests.rs"
                        && source::root().join(format!("certctl-connectors/src/{kind}/{folder}/tests")).is_dir());
                assert!(present, "{path} is missing: a reader who knows one connector knows all");
            }
        }
    }
}

#[test]
fn one_file_asks_which_database_it_is() {
    let asks = [
        "DbBackend::Sqlite =>",
        "DbBackend::Postgres =>",
        "Dialect::Sqlite =>",
        "Dialect::Postgres =>",
        "== Dialect::",
        "!= Dialect::",
    ];
    for source in production("certctl-storage/src/") {
        if source.path.ends_with("dialect.rs") {
            continue;
        }
        let asked = source.code_lines().find(|line| asks.iter().any(|ask| line.contains(ask)));
        assert!(
            asked.is_none(),
            "{}: differences between databases live in dialect.rs: {}",
            source.path,
            asked.unwrap_or_default()
        );
    }
}

#[test]
fn one_file_of_the_binary_chooses_implementations() {
    for source in production("certctl-bin/src/") {
        let names: Vec<&str> = ["certctl_storage::", "certctl_connectors::registry", "host::ports"]
            .into_iter()
            .filter(|name| source.code_lines().any(|line| line.contains(name)))
            .collect();
        let chooses = names.len() > 1;
        assert!(
            !chooses || source.path.ends_with("src/compose.rs"),
            "{} names {names:?} together: compose.rs does that",
            source.path
        );
    }
    let compose = production("certctl-bin/src/compose.rs");
    for source in &compose {
        assert!(source.code_lines().count() <= 150, "compose.rs only composes: {} lines", source.code_lines().count());
    }
}

/// Files under a prefix that are not tests.
fn production(prefix: &str) -> Vec<Source> {
    sources(prefix).into_iter().filter(|source| !source.is_test()).collect()
}

/// Whether a line names a part of the core, as `crate::ops` or in `use crate::{decide, ops}`.
fn names_module(line: &str, module: &str) -> bool {
    let path = format!("crate::{module}");
    let follows =
        |at: usize| line[at + path.len()..].chars().next().is_none_or(|next| !next.is_alphanumeric() && next != '_');
    line.match_indices(&path).any(|(at, _)| follows(at))
        || line.strip_prefix("use crate::{").is_some_and(|list| {
            list.split([',', '{', '}', ';']).any(|item| item.trim().split("::").next() == Some(module))
        })
}
