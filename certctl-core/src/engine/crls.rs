//! Revocation lists at hand: what this process answers without asking the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::status::{StatusAuthority, signing_owner};
use super::{Engine, lock, system};
use crate::connector::{CrlPublication, StatusSigner};
use crate::domain::{
    AuthorityRecord, AuthorityState, Crl, CrlId, CrlScope, Fingerprint, IntermediateCa, IssuerId, IssuerRecord, KeyId,
    Timestamp,
};
use crate::entity::{Entity, Record};
use crate::error::{Error, ErrorKind};
use crate::pki;
use crate::ports::Monotonic;
use crate::revocation::crl;
use crate::storage::{Committed, Query, Reads, Snapshot, StorageError, View};

/// A revocation list as it is published.
#[derive(Debug)]
pub struct PublishedCrl {
    /// The DER CertificateList (RFC 5280 §5.1).
    pub der: Vec<u8>,
    /// Its number (RFC 5280 §5.2.3).
    pub number: i64,
    /// SHA-256 over the DER.
    pub digest: Fingerprint,
    /// Since when it tells how things stand.
    pub this_update: Timestamp,
    /// When the next one is there at the latest.
    pub next_update: Timestamp,
}

/// What is answered to whoever asks for a revocation list.
#[derive(Clone, Debug)]
pub enum CrlAnswer {
    /// This one.
    Found {
        /// The list.
        list: Arc<PublishedCrl>,
        /// The moment, by the store's clock.
        now: Timestamp,
    },
    /// There is no such issuer, and no such authority.
    NoAuthority,
    /// The authority has no list of this scope.
    NoList,
    /// The issuer does not sign status, or its CA may not sign lists.
    NotSigned,
}

/// An authority whose lists are made here.
#[derive(Debug)]
pub(crate) struct CrlAuthority {
    pub(crate) status: StatusAuthority,
    /// What its issuer publishes besides the complete list.
    pub(crate) publication: CrlPublication,
    /// Whether it may sign lists.
    pub(crate) signs: bool,
    /// Last moment of its own validity: nobody believes it afterwards.
    pub(crate) not_after: Timestamp,
}

/// All authorities, and what was made of their lists.
#[derive(Debug, Default)]
pub(crate) struct CrlDirectory {
    pub(crate) authorities: Vec<Arc<CrlAuthority>>,
    pub(crate) lists: BTreeMap<CrlId, Crl>,
    /// By the ids of issuers, of intermediate CAs and of authorities.
    names: BTreeMap<String, Named>,
}

/// Whose lists a name stands for.
#[derive(Clone, Debug)]
enum Named {
    /// This authority's; of an issuer, the one that signs now.
    By(Arc<CrlAuthority>),
    /// An issuer that has no authority yet, because it has issued nothing.
    Unmade(IssuerId),
    /// An issuer whose certificates somebody else answers for.
    NotSigned,
}

/// What this process knows of revocation lists.
#[derive(Default)]
pub(crate) struct Crls {
    known: Mutex<Known>,
    /// One at a time makes a list that somebody waits for.
    making: futures_util::lock::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// Raised by whatever may have changed the directory.
    news: u64,
    /// What it was when the directory was read, and when that was.
    read: Option<(u64, Monotonic)>,
    directory: Arc<CrlDirectory>,
    /// The octets of lists that were asked for.
    octets: BTreeMap<CrlId, Arc<PublishedCrl>>,
}

/// How old the directory may be. What this process commits is known at once, and what others do by their hint.
const AGE: Duration = Duration::from_millis(500);
/// Rows of one page.
const PAGE: usize = 1_000;
/// A list that is shorter is kept at hand as soon as it is made, a longer one when somebody has asked for it.
const SHORT: usize = 64 << 10;
/// Looks at what is stored while others write it.
const ATTEMPTS: usize = 4;

impl Crls {
    pub(super) fn committed(&self, committed: &Committed) {
        if committed.touches::<Crl>() || committed.touches::<AuthorityRecord>() || committed.touches::<IssuerRecord>() {
            self.hear();
        }
    }

    /// The directory may have changed.
    pub(super) fn hear(&self) {
        lock(&self.known).news += 1;
    }

    fn directory(&self, now: Monotonic) -> Option<Arc<CrlDirectory>> {
        let known = lock(&self.known);
        let (news, at) = known.read?;
        (news == known.news && at.until(now) < AGE).then(|| Arc::clone(&known.directory))
    }

    fn learn(&self, read: (u64, Monotonic), directory: &Arc<CrlDirectory>) {
        let mut known = lock(&self.known);
        if known.read.is_none_or(|before| before <= read) {
            known.read = Some(read);
            known.directory = Arc::clone(directory);
            // What is not published any more is not kept either.
            known.octets.retain(|id, _| directory.lists.contains_key(id));
        }
    }

    fn at_hand(&self, list: &Crl) -> Option<Arc<PublishedCrl>> {
        let known = lock(&self.known);
        known.octets.get(&list.id).filter(|found| Some(found.digest) == list.digest).cloned()
    }

    fn keep(&self, id: &CrlId, list: &Arc<PublishedCrl>) {
        let mut known = lock(&self.known);
        // Of two that come at once, the later list stays.
        if known.octets.get(id).is_none_or(|kept| kept.number <= list.number) {
            known.octets.insert(id.clone(), Arc::clone(list));
        }
    }
}

impl std::fmt::Debug for Crls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crls").field("at_hand", &lock(&self.known).octets.len()).finish_non_exhaustive()
    }
}

impl CrlAuthority {
    /// The scopes that are published: those of its issuer's configuration, and shards that were published before, because
    /// certificates name them.
    pub(crate) fn scopes(&self, directory: &CrlDirectory) -> BTreeSet<CrlScope> {
        let deltas = self.publication.deltas.then_some(CrlScope::Delta);
        let shards = (0..self.publication.shards).map(CrlScope::Shard);
        let before = directory.lists.values().filter(|list| list.issuer_key_id == self.status.key_id);
        let before = before.map(Crl::scope).filter(|scope| matches!(scope, CrlScope::Shard(_)));
        [CrlScope::Complete].into_iter().chain(deltas).chain(shards).chain(before).collect()
    }
}

impl CrlDirectory {
    /// The list of an authority, as far as it was made.
    pub(crate) fn list(&self, authority: &KeyId, scope: CrlScope) -> Option<&Crl> {
        self.lists.get(&Crl::id_of(authority, scope).ok()?)
    }
}

impl Engine {
    /// The revocation list of an issuer's authority that signs now, of an intermediate CA, or of an authority by its own id. Answered from what is at
    /// hand, and asks the store at most twice a second whether there is a newer one. What is not there yet is made, once for all
    /// that wait for it.
    ///
    /// # Errors
    /// `crl_unavailable` when none could be made; the store's.
    pub async fn crl(&self, of: &str, scope: CrlScope) -> Result<CrlAnswer, Error> {
        for _ in 0..ATTEMPTS {
            let directory = self.crl_directory().await?;
            let authority = match directory.names.get(of) {
                None => return Ok(CrlAnswer::NoAuthority),
                Some(Named::NotSigned) => return Ok(CrlAnswer::NotSigned),
                Some(Named::Unmade(issuer)) if scope == CrlScope::Complete => {
                    self.first_authority(issuer).await?;
                    continue;
                }
                Some(Named::Unmade(_)) => return Ok(CrlAnswer::NoList),
                Some(Named::By(authority)) if !authority.signs => return Ok(CrlAnswer::NotSigned),
                Some(Named::By(authority)) => authority,
            };
            let now = self.storage().read(View::Latest).await?.now();
            let list = directory.list(&authority.status.key_id, scope);
            if let Some(list) = list.filter(|list| list.is_made() && now < list.next_update) {
                if let Some(list) = self.0.crls.at_hand(list) {
                    return Ok(CrlAnswer::Found { list, now });
                }
                if let Some(octets) = crl::load(self, list).await? {
                    return Ok(CrlAnswer::Found { list: self.keep_crl(list, octets), now });
                }
                // A newer one took its place while it was read.
                self.0.crls.hear();
                continue;
            }
            // Nobody would believe a list of an authority that has ended.
            if !authority.scopes(&directory).contains(&scope) || now > authority.not_after {
                return Ok(CrlAnswer::NoList);
            }
            self.make_awaited(authority, scope).await?;
        }
        Err(unavailable("it was not made in time"))
    }

    /// The certificate of an issuer's authority that signs now, of an intermediate CA, or of an authority by its own id, in DER; `None` where there is
    /// none. At most half a second old.
    ///
    /// # Errors
    /// The store's.
    pub async fn ca_certificate(&self, of: &str) -> Result<Option<Vec<u8>>, Error> {
        let directory = self.crl_directory().await?;
        Ok(match directory.names.get(of) {
            Some(Named::By(authority)) => Some(authority.status.record.chain.leaf().to_vec()),
            Some(Named::Unmade(_) | Named::NotSigned) | None => None,
        })
    }

    /// Makes a list that somebody waits for, unless somebody else has made it meanwhile or it failed a moment ago.
    async fn make_awaited(&self, authority: &Arc<CrlAuthority>, scope: CrlScope) -> Result<(), Error> {
        let _one_at_a_time = self.0.crls.making.lock().await;
        self.0.crls.hear();
        let directory = self.crl_directory().await?;
        let now = self.storage().read(View::Latest).await?.now();
        let list = |scope| directory.list(&authority.status.key_id, scope);
        if list(scope).is_some_and(|list| list.is_made() && now < list.next_update) {
            return Ok(());
        }
        // A list of changes is made with the complete one.
        let scope = if scope == CrlScope::Delta { CrlScope::Complete } else { scope };
        if let Some(failed) = list(scope).filter(|list| list.failures > 0 && now < list.due_at) {
            return Err(unavailable(failed.last_error.as_deref().unwrap_or("it failed")));
        }
        crl::make(self, authority, &BTreeSet::from([scope])).await?;
        self.0.crls.hear();
        Ok(())
    }

    /// Has an issuer that has issued nothing yet make its CA, so that there is somebody to sign.
    async fn first_authority(&self, issuer: &IssuerId) -> Result<(), Error> {
        let record = self.storage().read(View::Latest).await?.get::<IssuerRecord>(issuer.as_str()).await?;
        let Some(record) = record else { return Ok(()) };
        let live = self.issuer(&record).map_err(|error| unavailable(&error.explained()))?;
        if let Some(signer) = live.status_signer() {
            signer.authority().await.map_err(|error| unavailable(&error.explained()))?;
        }
        self.0.crls.hear();
        Ok(())
    }

    /// A list was published by this process.
    pub(crate) fn crl_made(&self, list: &Crl, octets: Vec<u8>) {
        let is_asked_for = lock(&self.0.crls.known).octets.contains_key(&list.id);
        if is_asked_for || octets.len() <= SHORT {
            self.keep_crl(list, octets);
        }
    }

    fn keep_crl(&self, list: &Crl, der: Vec<u8>) -> Arc<PublishedCrl> {
        let digest = list.digest.unwrap_or_else(|| Fingerprint::of(&der));
        let Crl { number, this_update, next_update, .. } = *list;
        let kept = Arc::new(PublishedCrl { der, number, digest, this_update, next_update });
        self.0.crls.keep(&list.id, &kept);
        kept
    }

    /// All authorities with their lists, at most half a second old.
    pub(crate) async fn crl_directory(&self) -> Result<Arc<CrlDirectory>, Error> {
        let (crls, now) = (&self.0.crls, self.ports().clock.monotonic());
        if let Some(directory) = crls.directory(now) {
            return Ok(directory);
        }
        let news = lock(&crls.known).news;
        let directory = Arc::new(self.read_crl_directory().await?);
        crls.learn((news, now), &directory);
        Ok(directory)
    }

    async fn read_crl_directory(&self) -> Result<CrlDirectory, Error> {
        let view = self.storage().read(View::Latest).await?;
        let mut reads = Reads::default();
        let issuers = reads.list(Query::<IssuerRecord>::all().limit(PAGE))?;
        let intermediates = reads.list(Query::<IntermediateCa>::all().limit(PAGE))?;
        let authorities = reads.list(Query::<AuthorityRecord>::all().limit(PAGE))?;
        let lists = reads.list(Query::<Crl>::all().limit(PAGE))?;
        let mut found = view.read(reads).await?;
        let issuers = rest(&*view, found.all(&issuers)?).await?;
        let intermediates = rest(&*view, found.all(&intermediates)?).await?;
        let authorities = rest(&*view, found.all(&authorities)?).await?;
        let lists = rest(&*view, found.all(&lists)?).await?;
        drop(view);
        let mut directory = CrlDirectory::default();
        let (mut publications, mut signing) = (BTreeMap::new(), BTreeMap::new());
        for intermediate in intermediates {
            // Without a key it signs none.
            directory.names.insert(intermediate.id.to_string(), Named::NotSigned);
        }
        for issuer in issuers {
            let signer = self.issuer(&issuer).ok().map(|live| live.status_signer().map(StatusSigner::crl_publication));
            let named = match signer {
                Some(None) => Named::NotSigned,
                // One that cannot be built now may be tomorrow, and what it signed is answered for meanwhile.
                Some(Some(_)) | None => Named::Unmade(issuer.id.clone()),
            };
            let (owner, publication) = (signing_owner(&issuer), signer.flatten().unwrap_or_default());
            publications.insert(issuer.id.to_string(), publication);
            if owner != issuer.id.as_str() {
                publications.insert(owner.to_owned(), publication);
                signing.insert(issuer.id.to_string(), owner.to_owned());
            }
            directory.names.insert(issuer.id.to_string(), named);
        }
        // Ids are in the order in which they were made, so that the newest stands last where none is active.
        for record in authorities.into_iter().map(Record::into_entity).filter(|record| record.owner != system::OWNER) {
            let Ok(lends) = pki::certificate::Authority::from_certificate(record.chain.leaf()) else { continue };
            let publication = publications.get(&record.owner).copied().unwrap_or_default();
            let (id, owner, is_active) =
                (record.id.to_string(), record.owner.clone(), record.state == AuthorityState::Active);
            let authority = Arc::new(CrlAuthority {
                status: StatusAuthority { record, key_id: KeyId::of(lends.spki()) },
                publication,
                signs: lends.signs_crls(),
                not_after: lends.not_after(),
            });
            directory.names.insert(id, Named::By(Arc::clone(&authority)));
            let signs_now = |named: &Named| matches!(named, Named::By(known) if known.status.record.state == AuthorityState::Active);
            if let Some(named) = directory.names.get_mut(&owner)
                && (is_active || !signs_now(named))
            {
                *named = Named::By(Arc::clone(&authority));
            }
            // A CA certificate may be renewed with its key: the one that signs now makes the lists of both.
            let same = |known: &Arc<CrlAuthority>| known.status.key_id == authority.status.key_id;
            match directory.authorities.iter_mut().find(|known| same(known)) {
                None => directory.authorities.push(authority),
                Some(known) if is_active => *known = authority,
                Some(_) => {}
            }
        }
        for (issuer, owner) in signing {
            if let Some(named @ Named::By(_)) = directory.names.get(&owner).cloned() {
                directory.names.insert(issuer, named);
            }
        }
        directory.lists = lists.into_iter().map(Record::into_entity).map(|list| (list.id.clone(), list)).collect();
        Ok(directory)
    }
}

/// All records, of which the first page was read.
async fn rest<E: Entity>(view: &dyn Snapshot, first: Vec<Record<E>>) -> Result<Vec<Record<E>>, StorageError> {
    if first.len() < PAGE {
        return Ok(first);
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = view.list(Query::<E>::all().limit(PAGE).after(after)).await?;
        all.extend(page.records);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

fn unavailable(why: &str) -> Error {
    let message = format!("there is no revocation list yet: {why}");
    Error::new(ErrorKind::Unavailable, "crl_unavailable", message)
}
