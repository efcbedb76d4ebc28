//! One request and its answer (RFC 8894 §3.2, §4.3).

use std::time::Duration;

use super::authorize::Credential;
use super::form::Form;
use super::poll::Poll;
use super::query::FindCertificate;
use super::registrar::Registrar;
use super::request::Request;
use super::{Answer, Caller, Scep, ScepProfile, answer, machine};
use crate::domain::{CrlScope, Csr, Fingerprint, KeyId, Timestamp};
use crate::engine::CrlAnswer;
use crate::enrol::{Enrolled, RefusalReason};
use crate::error::{Error, ErrorKind};
use crate::pki::cms::{self, CmsError, ContentCipher, EnvelopedData, Recipient, SignedData, Strength};
use crate::pki::key;
use crate::pki::scep::{
    CertificateQuery, Content, FailInfo, MessageType, Outcome, PkiMessage, Registrar as Answering, Rejected,
    Transaction, reply,
};
use crate::ports::Secret;
use crate::storage::View;

/// How far the moment at which a message says it was signed may be from now. Devices that have no clock of their own leave the
/// moment out, and those that were never set are decades away.
const CLOCK_SKEW: Duration = Duration::from_hours(24);

/// What becomes of a request before it is written down.
enum Decided {
    /// SignedData that nobody signed.
    Success(Vec<u8>),
    Failure {
        fail: FailInfo,
        text: String,
        /// Whether what should prove who asks is missing or wrong.
        wrong_proof: bool,
    },
    Pending,
}

impl Decided {
    /// A refusal in SCEP's own words.
    fn refused(fail: FailInfo) -> Self {
        Self::Failure { fail, text: answer::text(fail).to_owned(), wrong_proof: false }
    }

    /// The same of what counts as a wrong password: otherwise whoever tries what the private key makes of messages may go on.
    fn unproven(fail: FailInfo) -> Self {
        Self::Failure { fail, text: answer::text(fail).to_owned(), wrong_proof: true }
    }

    fn of(enrolled: Enrolled) -> Self {
        match enrolled {
            Enrolled::Issued { chain, .. } => Self::Success(cms::certs_only(&chain)),
            Enrolled::Pending { .. } => Self::Pending,
            Enrolled::Refused(refusal) => Self::Failure {
                fail: answer::fail_info(&refusal),
                wrong_proof: matches!(refusal.reason, RefusalReason::Credential | RefusalReason::Predecessor),
                text: refusal.message,
            },
        }
    }
}

/// A message that was opened: who asks for what, and how they are answered.
struct Opened {
    kind: MessageType,
    transaction: Transaction,
    /// The DER certificate whose key signed the message.
    signer: Vec<u8>,
    recipient: Recipient,
    cipher: ContentCipher,
    content: Content,
}

/// A message that was not opened.
struct Unopened {
    decided: Decided,
    /// Why, for the log.
    why: String,
}

impl Unopened {
    /// For something that everybody can see.
    fn because(fail: FailInfo, why: impl Into<String>) -> Self {
        Self { decided: Decided::refused(fail), why: why.into() }
    }

    /// For what is inside.
    fn inside((fail, why): (FailInfo, String)) -> Self {
        Self { decided: Decided::unproven(fail), why }
    }
}

impl Scep {
    pub(super) async fn answer(&self, caller: Caller<'_>, octets: &[u8]) -> Result<Answer, Error> {
        match Form::of(octets) {
            Form::Message(signed) => self.exchange(caller, &signed).await,
            Form::Plain(csr, challenge) => self.lightweight(caller, csr, challenge).await,
            Form::Neither(why) => {
                refused(caller, None, &why);
                Ok(Answer::Malformed(why))
            }
        }
    }

    async fn exchange(&self, caller: Caller<'_>, signed: &SignedData) -> Result<Answer, Error> {
        let profile = caller.profile;
        let message = match PkiMessage::open(signed, profile.strength) {
            Ok(message) => message,
            Err(Rejected::Unanswerable { why }) => {
                refused(caller, None, &why);
                return Ok(Answer::Malformed(why));
            }
            Err(Rejected::Refused { transaction, fail, why }) => {
                refused(caller, Some(&transaction), &why);
                return self.write(profile, &transaction, (Decided::refused(fail), None)).await;
            }
        };
        let transaction = message.transaction.clone();
        match self.open(profile, message).await? {
            Err(Unopened { decided, why }) => {
                refused(caller, Some(&transaction), &why);
                self.write(profile, &transaction, (decided, None)).await
            }
            Ok(opened) => {
                let how = Some((opened.recipient.clone(), opened.cipher));
                let decided = self.decide(caller, opened).await?;
                self.write(profile, &transaction, (decided, how)).await
            }
        }
    }

    /// Decrypts a message and reads its content, where that counts.
    async fn open(&self, profile: &ScepProfile, message: PkiMessage) -> Result<Result<Opened, Unopened>, Error> {
        let now = self.engine().storage().read(View::Latest).await?.now();
        if message.signed_at.is_some_and(|at| apart(at, now) > CLOCK_SKEW) {
            return Ok(Err(Unopened::because(FailInfo::BadTime, "it was signed more than a day from now")));
        }
        let recipient = match Recipient::of(&message.signer) {
            Ok(recipient) => recipient,
            Err(error) => return Ok(Err(Unopened::because(FailInfo::BadAlg, error.to_string()))),
        };
        let registrars = self.registrars(profile).await?;
        let Some(registrar) = registrars.addressed(&message.envelope) else {
            let why = "it is encrypted to none of the profile's registration authorities";
            return Ok(Err(Unopened::because(FailInfo::BadMessageCheck, why)));
        };
        let content = match message.kind {
            MessageType::Poll => Content::Poll,
            kind => match self.decrypted(registrar, &message.envelope, (kind, profile.strength)).await? {
                Ok(content) => content,
                Err(unopened) => return Ok(Err(unopened)),
            },
        };
        Ok(Ok(Opened {
            kind: message.kind,
            transaction: message.transaction,
            signer: message.signer,
            recipient,
            cipher: message.envelope.cipher(),
            content,
        }))
    }

    async fn decrypted(
        &self,
        registrar: &Registrar,
        envelope: &EnvelopedData,
        (kind, strength): (MessageType, Strength),
    ) -> Result<Result<Content, Unopened>, Error> {
        let decrypter = registrar.signer.decrypter().ok_or_else(|| Error::internal(NoDecrypter))?;
        let rng = &*self.engine().ports().rng;
        Ok(match envelope.decrypt(registrar.chain.leaf(), decrypter, rng).await {
            Ok(opened) => {
                let octets = opened.as_ref().map(|octets| octets.as_slice()).map_err(|error| *error);
                Content::read(kind, octets, strength).map_err(Unopened::inside)
            }
            Err(error @ CmsError::Algorithm { .. }) => Err(Unopened::because(FailInfo::BadAlg, error.to_string())),
            Err(error) => Err(Unopened::because(FailInfo::BadMessageCheck, error.to_string())),
        })
    }

    async fn decide(&self, caller: Caller<'_>, opened: Opened) -> Result<Decided, Error> {
        let profile = caller.profile;
        let Opened { kind, transaction, signer, recipient, content, .. } = opened;
        let fingerprint = Fingerprint::of(&signer);
        let machine = machine(profile);
        match content {
            Content::Request { csr, challenge } => {
                let credential = match kind {
                    MessageType::Renewal => Credential::Certificate(fingerprint),
                    // RFC 8894 §2.3. Otherwise whoever sees a message could send its content in a message of their own. The
                    // certificate itself need not be one that RFC 5280 allows: serial numbers of devices are what they are.
                    _ if !key::are_same(recipient.public_key(), csr.spki()) => {
                        let why = "it is signed with another key than the one it asks a certificate for";
                        refused(caller, Some(&transaction), why);
                        let text = format!("the message may not be taken: {why}");
                        return Ok(Decided::Failure { fail: FailInfo::BadRequest, text, wrong_proof: true });
                    }
                    _ => Credential::Challenge(challenge),
                };
                let request = Request::new(caller, csr, credential, transaction.id);
                Ok(Decided::of(self.engine().execute(&machine, request).await?))
            }
            Content::Poll => {
                let key_id = KeyId::of(recipient.public_key());
                let poll = Poll { transaction: transaction.id.clone(), fingerprint, key_id };
                if let Some(enrolled) = self.engine().execute(&machine, poll).await? {
                    return Ok(Decided::of(enrolled));
                }
                refused(caller, Some(&transaction), "its sender has no request under this transactionID");
                Ok(Decided::refused(FailInfo::BadCertId))
            }
            Content::Query(query) => {
                let identifier = query.map(|CertificateQuery(identifier)| identifier);
                let issuer_id = profile.terms.issuer_id.clone();
                let find = FindCertificate { issuer_id, fingerprint, identifier };
                let Some(certificate) = self.engine().execute(&machine, find).await? else {
                    refused(
                        caller,
                        Some(&transaction),
                        "it cannot be read, there is no such certificate, or its sender holds none themselves",
                    );
                    return Ok(Decided::unproven(FailInfo::BadCertId));
                };
                if kind == MessageType::Certificate {
                    return Ok(Decided::Success(cms::bag(&[&certificate], &[])));
                }
                match self.engine().crl(profile.terms.issuer_id.as_str(), CrlScope::Complete).await? {
                    CrlAnswer::Found { list, .. } => Ok(Decided::Success(cms::bag(&[], &[&list.der]))),
                    _ => Ok(Decided::refused(FailInfo::BadRequest)),
                }
            }
        }
    }

    async fn write(
        &self,
        profile: &ScepProfile,
        transaction: &Transaction,
        (decided, how): (Decided, Option<(Recipient, ContentCipher)>),
    ) -> Result<Answer, Error> {
        let registrars = self.registrars(profile).await?;
        let Registrar { chain, signer } = registrars.current()?;
        let rng = &*self.engine().ports().rng;
        let answering = Answering { certificate: chain.leaf(), signer: &**signer, rng };
        let outcome = match (&decided, &how) {
            (Decided::Success(content), Some((recipient, cipher))) => {
                Outcome::Success { content, recipient, cipher: *cipher }
            }
            // What cannot be encrypted to anybody is not sent.
            (Decided::Success(_), None) => {
                Outcome::Failure { fail: FailInfo::BadAlg, text: answer::text(FailInfo::BadAlg) }
            }
            (Decided::Failure { fail, text, .. }, _) => Outcome::Failure { fail: *fail, text },
            (Decided::Pending, _) => Outcome::Pending,
        };
        let octets = reply(transaction, outcome, answering).await.map_err(Error::internal)?;
        Ok(Answer::Message { octets, wrong_proof: matches!(decided, Decided::Failure { wrong_proof: true, .. }) })
    }

    /// A request without a message around it: the challenge password is all that proves who asks.
    async fn lightweight(&self, caller: Caller<'_>, csr: Csr, challenge: Option<Secret>) -> Result<Answer, Error> {
        let transaction = format!("csr:{}", csr.key_id());
        let request = Request::new(caller, csr, Credential::Challenge(challenge), transaction);
        Ok(match self.engine().execute(&machine(caller.profile), request).await? {
            Enrolled::Issued { chain, .. } => Answer::Certificates(cms::certs_only(&chain)),
            Enrolled::Pending { .. } => Answer::Pending,
            Enrolled::Refused(refusal) if refusal.reason == RefusalReason::Credential => Answer::Forbidden,
            Enrolled::Refused(refusal) if refusal.reason == RefusalReason::Closed => {
                return Err(Error::new(ErrorKind::Unavailable, "scep_closed", refusal.message));
            }
            Enrolled::Refused(refusal) => Answer::Refused(refusal.message),
        })
    }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

/// What a machine is told in a word or two is in the log with its cause.
fn refused(caller: Caller<'_>, transaction: Option<&Transaction>, why: &str) {
    let transaction = transaction.map_or("", |transaction| transaction.id.as_str());
    let (profile, address) = (&caller.profile.name, caller.address.unwrap_or_default());
    tracing::info!(%profile, address, transaction, why, "a SCEP message was refused");
}

#[derive(Debug, thiserror::Error)]
#[error("the key of a registration authority does not decrypt")]
struct NoDecrypter;
