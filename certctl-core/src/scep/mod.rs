//! The SCEP server (RFC 8894): a request in, an answer out. Whoever transports them knows nothing of what is inside.
//!
//! [`Scep`] opens messages with the key of the profile's registration authority, finds out what proves that their sender may ask,
//! and has the enrolment of machines ([`crate::enrol`]) do the rest. There is one place where a request becomes an order, and what
//! it takes can only be had from `authorize`.

mod answer;
mod authorize;
mod challenge;
mod exchange;
mod form;
mod inspect;
mod poll;
mod profile;
mod query;
mod registrar;
mod request;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub use answer::Answer;
pub use challenge::{CreateChallenge, CreatedChallenge};
pub use inspect::{InspectProfiles, ScepStanding};
pub use profile::{GivenAuthority, ScepProfile};

use crate::domain::Principal;
use crate::engine::Engine;
use crate::error::Error;
use crate::pki::cms;
use registrar::Place;

/// The SCEP server of an engine. Clones share what they remember.
#[derive(Clone)]
pub struct Scep(Arc<Inner>);

struct Inner {
    engine: Engine,
    profiles: BTreeMap<String, ScepProfile>,
    /// By the names of profiles.
    registrars: Mutex<BTreeMap<String, Arc<Place>>>,
}

impl std::fmt::Debug for Scep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scep").field("profiles", &self.0.profiles.keys()).finish_non_exhaustive()
    }
}

/// The certificates that a client needs before it can ask (RFC 8894 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaCertificates {
    /// One: its DER.
    One(Vec<u8>),
    /// The registration authority's and those above it: SignedData that nobody signed.
    Several(Vec<u8>),
}

impl Scep {
    /// A server with these profiles. Nothing is made or looked at before somebody asks.
    pub fn new(engine: Engine, profiles: impl IntoIterator<Item = ScepProfile>) -> Self {
        let profiles = profiles.into_iter().map(|profile| (profile.name.clone(), profile)).collect();
        Self(Arc::new(Inner { engine, profiles, registrars: Mutex::default() }))
    }

    /// Whether there is a profile of this name.
    pub fn knows(&self, profile: &str) -> bool {
        self.0.profiles.contains_key(profile)
    }

    /// The profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &ScepProfile> {
        self.0.profiles.values()
    }

    /// What the server can do, one word a line (RFC 8894 §3.5.2): only what is true of this profile. `None` when there is no such
    /// profile.
    pub fn capabilities(&self, profile: &str) -> Option<String> {
        let profile = self.0.profiles.get(profile)?;
        Some(profile.capabilities().join("\n") + "\n")
    }

    /// The certificates that a client needs. `None` when there is no such profile.
    ///
    /// # Errors
    /// When the registration authority cannot be made or opened.
    pub async fn ca_certificates(&self, profile: &str) -> Result<Option<CaCertificates>, Error> {
        let Some(profile) = self.0.profiles.get(profile) else { return Ok(None) };
        let registrars = self.registrars(profile).await?;
        let chain = &registrars.current()?.chain;
        Ok(Some(match chain.certificates() {
            [only] => CaCertificates::One(only.clone()),
            _ => CaCertificates::Several(cms::certs_only(chain)),
        }))
    }

    /// Answers a request (RFC 8894 §4.3), or the lightweight form of one. `None` when there is no such profile. From which address
    /// it came, if that is known, is in the log and in the audit trail when it is refused.
    ///
    /// # Errors
    /// When the engine fails. Whatever is wrong with the request is an answer.
    pub async fn operate(&self, profile: &str, octets: &[u8], address: Option<&str>) -> Result<Option<Answer>, Error> {
        let Some(profile) = self.0.profiles.get(profile) else { return Ok(None) };
        self.answer(Caller { profile, address }, octets).await.map(Some)
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }
}

/// From where a request comes.
#[derive(Clone, Copy)]
struct Caller<'a> {
    profile: &'a ScepProfile,
    /// The address, if it is known.
    address: Option<&'a str>,
}

/// Who asks through a profile. All of them are one, so that a transaction identifier is good for one request of a profile.
fn machine(profile: &ScepProfile) -> Principal {
    Principal::machine(format!("scep:{}", profile.name))
}
