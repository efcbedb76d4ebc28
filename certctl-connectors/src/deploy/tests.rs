//! Deployments on a host in memory.

mod crash;
mod world;

use std::path::Path;

use certctl_core::connector::{DeployCause, DeployOutcome};
use certctl_core::ports::{FileErrorKind, Files};
use certctl_core::testing::{TestCertificate, block_on};

use super::{OnMismatch, Part};
use world::{Before, CERTIFICATE, Certificates, KEY, World};

#[test]
fn the_first_deployment_makes_links_and_modes() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.prepare(Before::Nothing, &certificates.old);
    let fingerprint = certificates.new.chain.fingerprint();
    assert_eq!(world.deploy(&certificates.new), Ok(DeployOutcome::Deployed { fingerprint }));
    assert_eq!(world.pair(), world.pair_of(&certificates.new));
    assert_eq!((world.mode_of(CERTIFICATE), world.mode_of(KEY)), (Some(0o644), Some(0o600)));
    assert_eq!(world.commands(), ["test", "reload"]);
    assert_eq!(world.loaded().as_deref(), Some(certificates.new.chain.leaf()));
    let release = world.deploy.layout().release(&world.release_names()[0]);
    for part in [Part::FullChain, Part::Certificate, Part::Issuers, Part::Key] {
        assert!(world.files().contents(release.join(part.file_name())).is_some(), "{part:?}");
    }
    assert_eq!(world.files().contents(world.deploy.layout().journal()), None);
}

#[test]
fn unchanged_is_activated_and_seen_in_service() {
    let (world, certificates) = (World::new(), Certificates::make());
    let fingerprint = certificates.new.chain.fingerprint();
    world.deploy(&certificates.new).unwrap();
    assert_eq!(world.deploy(&certificates.new), Ok(DeployOutcome::Unchanged { fingerprint }));
    assert_eq!(world.commands().len(), 2, "nothing was run again");

    // The server has lost it: the files are the same, and yet it is deployed again.
    world.prepare(Before::Plain, &certificates.old);
    assert_eq!(world.deploy(&certificates.new), Ok(DeployOutcome::Deployed { fingerprint }));
    assert_eq!(world.pair(), world.pair_of(&certificates.new));
    assert_eq!(world.loaded().as_deref(), Some(certificates.new.chain.leaf()));
}

#[test]
fn files_alone_prove_nothing_about_the_server() {
    let (world, certificates) = (World::with(false, OnMismatch::Keep), Certificates::make());
    world.ignore_reloads(true);
    for _ in 0..2 {
        assert!(matches!(world.deploy(&certificates.new), Ok(DeployOutcome::Deployed { .. })));
    }
    assert_eq!(world.commands(), ["test", "reload", "test", "reload"]);
}

#[test]
fn a_failed_configuration_test_brings_the_old_files_back() {
    for before in [Before::Nothing, Before::Plain, Before::Deployed] {
        let (world, certificates) = (World::new(), Certificates::make());
        world.prepare(before, &certificates.old);
        world.refuse(&certificates.new);
        let (pair, loaded) = (world.pair(), world.loaded());
        let error = world.deploy(&certificates.new).unwrap_err();
        assert_eq!((error.cause, error.rolled_back), (DeployCause::ConfigTest, true), "{before:?}");
        assert!(error.message.contains("key values mismatch"), "{error}");
        assert_eq!((world.pair(), world.loaded()), (pair, loaded), "{before:?}");
        assert!(world.deploy(&certificates.newer[0]).is_ok(), "the next one is not hindered");
    }
}

#[test]
fn a_failed_reload_brings_the_old_files_back_and_reloads_them() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.prepare(Before::Plain, &certificates.old);
    world.fail_next_reload();
    let error = world.deploy(&certificates.new).unwrap_err();
    assert_eq!((error.cause, error.rolled_back), (DeployCause::Reload, true));
    assert!(error.message.contains("no such process"), "{error}");
    assert_eq!(world.pair(), world.pair_of(&certificates.old));
    assert_eq!(world.commands(), ["test", "reload", "test", "reload"]);
    assert_eq!(world.loaded().as_deref(), Some(certificates.old.chain.leaf()));
}

#[test]
fn a_server_that_serves_something_else_is_rolled_back_if_asked() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.prepare(Before::Deployed, &certificates.old);
    world.ignore_reloads(true);
    let error = world.deploy(&certificates.new).unwrap_err();
    assert_eq!((error.cause, error.rolled_back, error.retryable), (DeployCause::Observe, true, true));
    assert!(error.message.contains(&certificates.old.chain.fingerprint().to_string()), "{error}");
    assert_eq!(world.pair(), world.pair_of(&certificates.old));
}

#[test]
fn what_does_not_fit_together_is_never_switched_to() {
    let certificates = Certificates::make();
    let Certificates { old, new, expired, .. } = &certificates;
    let swapped = TestCertificate { key_pem: old.key_pem.clone(), ..new.clone() };
    let not_a_key = TestCertificate { key_pem: certctl_core::ports::Secret::new("no key"), ..new.clone() };
    let mut upside_down = new.chain.certificates().to_vec();
    upside_down.reverse();
    let upside_down = TestCertificate {
        chain: certctl_core::domain::Chain::from_der(upside_down).unwrap(),
        key_pem: new.key_pem.clone(),
    };
    for (certificate, cause) in [
        (&swapped, DeployCause::KeyMismatch),
        (&not_a_key, DeployCause::KeyMismatch),
        (&upside_down, DeployCause::BadChain),
        (expired, DeployCause::BadChain),
    ] {
        let world = World::new();
        world.prepare(Before::Plain, old);
        let error = world.deploy(certificate).unwrap_err();
        assert_eq!((error.cause, error.rolled_back, error.retryable), (cause, true, false), "{error}");
        assert_eq!(world.pair(), world.pair_of(old));
        assert!(world.commands().is_empty(), "the server was not touched");
        assert!(world.release_names().is_empty(), "no key is left lying about");
    }
}

#[test]
fn adopted_files_keep_their_modes_through_a_roll_back() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.prepare(Before::Plain, &certificates.old);
    world.refuse(&certificates.new);
    world.deploy(&certificates.new).unwrap_err();
    assert_eq!((world.mode_of(CERTIFICATE), world.mode_of(KEY)), (Some(0o444), Some(0o640)));
}

#[test]
fn links_of_somebody_else_are_adopted_with_what_they_point_at() {
    let (world, certificates) = (World::new(), Certificates::make());
    let files = world.files();
    files.insert("/live/a.pem", certificates.old.chain.to_pem(), 0o644);
    files.insert("/live/a.key", certificates.old.key_pem.expose(), 0o600);
    files.insert("/etc/tls/readme", "", 0o644);
    files.insert("/srv/keys/readme", "", 0o644);
    block_on(files.symlink(Path::new("../../live/a.pem"), Path::new(CERTIFICATE))).unwrap();
    block_on(files.symlink(Path::new("/live/a.key"), Path::new(KEY))).unwrap();
    world.refuse(&certificates.new);
    world.deploy(&certificates.new).unwrap_err();
    assert_eq!(world.pair(), world.pair_of(&certificates.old));
    world.deploy(&certificates.newer[0]).unwrap();
    assert_eq!(world.pair(), world.pair_of(&certificates.newer[0]));
    assert_eq!(files.contents("/live/a.key"), world.pair_of(&certificates.old).1, "theirs is not ours to change");
}

#[test]
fn three_releases_are_kept() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.prepare(Before::Plain, &certificates.old);
    for certificate in [&certificates.new].into_iter().chain(&certificates.newer) {
        world.deploy(certificate).unwrap();
    }
    assert_eq!(world.release_names().len(), 3);
    assert_eq!(world.pair(), world.pair_of(&certificates.newer[3]));
}

#[test]
fn two_at_once_do_not_meet() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.deploy(&certificates.old).unwrap();
    let held = block_on(world.files().lock(&world.deploy.layout().lock())).unwrap();
    let error = world.deploy(&certificates.new).unwrap_err();
    assert_eq!((error.cause, error.rolled_back, error.retryable), (DeployCause::Files, true, true));
    drop(held);
    assert!(world.deploy(&certificates.new).is_ok());
}

#[test]
fn without_links_one_combined_file_works_and_two_files_say_why_not() {
    let certificates = Certificates::make();
    let world = World::without_links();
    world.prepare(Before::Plain, &certificates.old);
    world.deploy(&certificates.new).unwrap();
    assert_eq!(world.pair(), world.pair_of(&certificates.new));
    world.refuse(&certificates.newer[0]);
    world.deploy(&certificates.newer[0]).unwrap_err();
    assert_eq!(world.pair(), world.pair_of(&certificates.new));
    assert!(matches!(world.deploy(&certificates.new), Ok(DeployOutcome::Unchanged { .. })));

    let world = World::new();
    world.files().forbid_symlinks();
    world.prepare(Before::Plain, &certificates.old);
    let error = world.deploy(&certificates.new).unwrap_err();
    assert_eq!((error.cause, error.rolled_back), (DeployCause::Files, true));
    assert!(error.message.contains("one combined PEM file"), "{error}");
    assert_eq!(world.pair(), world.pair_of(&certificates.old));
}

#[test]
fn a_full_disk_changes_nothing_and_says_so() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.prepare(Before::Plain, &certificates.old);
    world.files().set_capacity(Some(3_000));
    let error = world.deploy(&certificates.new).unwrap_err();
    assert_eq!((error.cause, error.rolled_back, error.retryable), (DeployCause::DiskFull, true, true), "{error}");
    assert_eq!(world.pair(), world.pair_of(&certificates.old));
    world.files().set_capacity(None);
    assert!(world.deploy(&certificates.new).is_ok());
}

#[test]
fn recovery_without_anything_to_recover_makes_nothing() {
    let world = World::new();
    world.recover().unwrap();
    assert!(world.files().entries().is_empty());
    world.files().fail_next("read", FileErrorKind::PermissionDenied);
    assert!(world.recover().is_err(), "not knowing is no success");
}

/// A disk that is full when the lock is made, and what is left of the lock: one error for each attempt, and none once there is room.
#[test]
fn sf07_an_empty_lock_file_on_a_full_disk_ends_each_attempt_and_holds_up_none() {
    let (world, certificates) = (World::new(), Certificates::make());
    world.prepare(Before::Deployed, &certificates.old);
    // As somebody who died on the full disk left it.
    let lock = world.deploy.layout().lock();
    world.files().insert(&lock, "", 0o600);
    let before = world.commands().len();
    world.files().set_capacity(Some(1));
    for _ in 0..5 {
        let error = world.deploy(&certificates.new).unwrap_err();
        assert_eq!((error.cause, error.retryable), (DeployCause::DiskFull, true), "{error}");
        assert_eq!(world.pair(), world.pair_of(&certificates.old));
    }
    assert_eq!(world.commands().len(), before, "nothing was run");
    world.files().set_capacity(None);
    world.files().insert(&lock, "", 0o600);
    assert!(world.deploy(&certificates.new).is_ok(), "the file of the lock is not the lock");
    assert_eq!(world.pair(), world.pair_of(&certificates.new));
}

/// What a target notes for itself only saves work: damaged, it costs nothing that is in service, and neither a deployment.
#[test]
fn sf06_damaged_notes_of_a_target_cost_nothing_that_is_in_service() {
    for damage in ["", "{}", "{", "null", "[]", "{\"phase\":\"switching\"}}", "\u{0}"] {
        for journal in [true, false] {
            let (world, certificates) = (World::new(), Certificates::make());
            world.prepare(Before::Deployed, &certificates.old);
            let layout = world.deploy.layout();
            let path = if journal { layout.journal() } else { layout.state() };
            world.files().insert(&path, damage, 0o600);
            // Recovery may say that it cannot know; what is served stays.
            let _ = world.recover();
            assert_eq!(world.pair(), world.pair_of(&certificates.old), "{damage:?}");
            assert!(world.deploy(&certificates.new).is_ok(), "{damage:?}");
            assert_eq!(world.pair(), world.pair_of(&certificates.new), "{damage:?}");
        }
    }
}
