//! The agent's keys: made once for each job, never shown to others, and refused when others could have read them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::path::Path;

use certctl_core::agent::{KeyStore, KeyStoreError};
use certctl_core::domain::{CertificateId, JobId, KeyAlgorithm, KeyId};
use certctl_core::testing::{FakePorts, block_on};

const DIR: &str = "/var/lib/certctl";

fn ids(job: &str) -> (CertificateId, JobId) {
    (CertificateId::parse("mc-shop").unwrap(), JobId::parse(job).unwrap())
}

async fn made(store: &KeyStore, job: &str) -> KeyId {
    let (certificate, job) = ids(job);
    let signer = store.for_request(&certificate, &job, KeyAlgorithm::EcdsaP256).await.unwrap();
    KeyId::of(signer.public_key())
}

#[test]
fn a_job_gets_the_same_key_again_and_another_job_another_one() {
    block_on(async {
        let world = FakePorts::seeded(1);
        let store = KeyStore::new(Path::new(DIR), &world.ports());
        store.prepare().await.unwrap();
        let first = made(&store, "job-1").await;
        // As after a crash between making the key and sending the request.
        let again = KeyStore::new(Path::new(DIR), &world.ports());
        assert_eq!(made(&again, "job-1").await, first);
        let second = made(&again, "job-2").await;
        assert_ne!(second, first);
        for id in [&first, &second] {
            let (signer, _) = again.open(id).await.unwrap();
            assert_eq!(KeyId::of(signer.public_key()), *id, "an old key stays");
        }
    });
}

#[test]
fn a_key_that_others_can_read_is_refused_with_what_to_do() {
    block_on(async {
        let world = FakePorts::seeded(1);
        let store = KeyStore::new(Path::new(DIR), &world.ports());
        store.prepare().await.unwrap();
        let id = made(&store, "job-1").await;
        let path = format!("{DIR}/keys/{id}.pem");
        let text = world.files.contents(&path).unwrap();
        for mode in [0o640, 0o604, 0o644] {
            world.files.insert(&path, text.clone(), mode);
            let Err(error) = store.open(&id).await else { panic!("mode {mode:o} is accepted") };
            assert!(matches!(error, KeyStoreError::Exposed { .. }), "{error}");
            assert!(error.to_string().contains(&format!("chmod 600 {path}")), "{error}");
        }
        world.files.insert(&path, text, 0o600);
        assert!(store.open(&id).await.is_ok());
    });
}

#[test]
fn a_key_that_is_not_there_or_no_key_is_an_error_and_no_panic() {
    block_on(async {
        let world = FakePorts::seeded(1);
        let store = KeyStore::new(Path::new(DIR), &world.ports());
        store.prepare().await.unwrap();
        let id = made(&store, "job-1").await;
        let missing = KeyId::of(b"another public key");
        let Err(error) = store.open(&missing).await else { panic!("a key from nowhere") };
        assert!(matches!(&error, KeyStoreError::Missing(named) if *named == missing), "{error}");
        let path = format!("{DIR}/keys/{id}.pem");
        for text in ["", "no PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            world.files.insert(&path, text, 0o600);
            assert!(matches!(store.open(&id).await, Err(KeyStoreError::Key(_))), "{text}");
        }
        // A request needs a key all the same: a new one is made.
        assert_ne!(made(&store, "job-1").await, id);
    });
}

/// A damaged note is not read as an empty one and written over what there was: keys are never touched because of it.
#[test]
fn sf06_a_damaged_note_costs_no_key() {
    block_on(async {
        let world = FakePorts::seeded(1);
        let store = KeyStore::new(Path::new(DIR), &world.ports());
        store.prepare().await.unwrap();
        let served = made(&store, "job-1").await;
        let (path, note) = (format!("{DIR}/keys/{served}.pem"), format!("{DIR}/pending/mc-shop"));
        let (key, good) = (world.files.contents(&path).unwrap(), world.files.contents(&note).unwrap());
        let good = String::from_utf8(good).unwrap();
        let mut made_since = Vec::new();
        for damage in
            ["", "{}", "}", "job-1", "job-1 ", "job-1 ../../etc/passwd\n", &good[..good.len() / 2], "\u{0}\u{0}"]
        {
            world.files.insert(&note, damage, 0o600);
            let id = made(&store, "job-1").await;
            assert_eq!(world.files.contents(&path).as_ref(), Some(&key), "{damage:?}: the key is what it was");
            assert!(id != served && !made_since.contains(&id), "{damage:?}: a new key for what is not known");
            made_since.push(id);
        }
        // Trailing junk, as of two writers, is not mended by guessing either.
        world.files.insert(&note, format!("{good}}}"), 0o600);
        made(&store, "job-1").await;
        for id in made_since.iter().chain([&served]) {
            assert!(store.open(id).await.is_ok(), "every key that was ever made is there");
        }
    });
}
