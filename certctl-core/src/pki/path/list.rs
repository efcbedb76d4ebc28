//! Certificate revocation lists, read (RFC 5280 §5).

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280;

use super::distinguished::ComparableName;
use super::scope::Scope;
use crate::domain::{RevocationReason, Timestamp};
use crate::pki::general_name::{self, DIRECTORY_NAME, GeneralName};
use crate::pki::parts::{self, Extension};
use crate::pki::tlv::{self, Damage, Reader, Tlv};
use crate::pki::{PkiError, certificate, key, time};

const WHAT: &str = "CRL";
const ENUMERATED: u8 = 0x0a;
/// removeFromCRL (§5.3.1).
const REMOVED: u8 = 8;

/// A list as it came. What it says of a serial number is looked for when it is asked, entry by entry, so that a list of a million
/// entries takes no room beside its own.
#[derive(Clone, Debug)]
pub struct RevocationList<'a> {
    pub(super) tbs: &'a [u8],
    pub(super) signature_algorithm: &'a [u8],
    pub(super) inner_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) issuer: ComparableName,
    pub(super) this_update: Timestamp,
    pub(super) next_update: Option<Timestamp>,
    /// revokedCertificates.
    entries: &'a [u8],
    pub(super) scope: Scope<'a>,
    /// The value of issuingDistributionPoint.
    pub(super) scope_value: Option<&'a [u8]>,
    /// cRLNumber, without leading zeros.
    pub(super) number: Option<&'a [u8]>,
    /// BaseCRLNumber of a delta list, without leading zeros.
    pub(super) base: Option<&'a [u8]>,
    pub(super) authority_key_id: Option<Vec<u8>>,
    /// Why it must not be used at all.
    pub(super) unfit: Option<&'static str>,
}

/// What a list says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Revoked {
        at: Timestamp,
        reason: Option<RevocationReason>,
    },
    /// A delta list says that it is revoked no more.
    Removed,
}

impl<'a> RevocationList<'a> {
    /// Reads a DER CertificateList. No signature is verified, and entries are not looked at yet.
    ///
    /// # Errors
    /// [`PkiError::Malformed`].
    pub fn read(der: &'a [u8]) -> Result<Self, PkiError> {
        Self::decode(der).map_err(PkiError::malformed(WHAT))
    }

    fn decode(der: &'a [u8]) -> Result<Self, Damage> {
        let mut outer = Tlv::only(der)?.open(tlv::SEQUENCE, "a CertificateList")?;
        let tbs = outer.expect(tlv::SEQUENCE, "a TBSCertList")?;
        let signature_algorithm = outer.expect(tlv::SEQUENCE, "a signature algorithm")?.whole;
        let signature = key::bit_string(outer.expect(tlv::BIT_STRING, "a signature")?.contents)?;
        outer.finish()?;
        let mut inner = Reader::new(tbs.contents);
        // v2 is 1; a list of v1 has no version and no extensions (§5.1.2.1).
        if inner.optional(tlv::INTEGER)?.is_some_and(|version| version.contents != [1]) {
            return Err(Damage::Expected("version 2"));
        }
        let inner_algorithm = inner.expect(tlv::SEQUENCE, "a signature algorithm")?.whole;
        let issuer = inner.expect(tlv::SEQUENCE, "an issuer")?.whole;
        let this_update = time::read(inner.value()?)?;
        let has_next = [tlv::UTC_TIME, tlv::GENERALIZED_TIME].map(|tag| inner.optional(tag));
        let [utc, generalized] = has_next;
        let next_update = utc?.or(generalized?).map(time::read).transpose()?;
        let entries = inner.optional(tlv::SEQUENCE)?.map_or(&[][..], |entries| entries.contents);
        let field = inner.optional(0xa0)?;
        inner.finish()?;
        let extensions = field.map_or(Ok(Vec::new()), |field| extensions(field.contents))?;
        let value_of = |oid: ObjectIdentifier| {
            extensions.iter().find(|extension| extension.oid == oid.as_bytes()).map(|extension| extension.value)
        };
        let issuer = ComparableName::read(issuer)?;
        let scope_value = value_of(rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT);
        Ok(Self {
            tbs: tbs.whole,
            signature_algorithm,
            inner_algorithm,
            signature,
            this_update,
            next_update,
            entries,
            scope: scope_value.map_or(Ok(Scope::everything()), |value| Scope::read(value, &issuer))?,
            scope_value,
            number: value_of(rfc5280::ID_CE_CRL_NUMBER).map(number).transpose()?,
            base: value_of(rfc5280::ID_CE_DELTA_CRL_INDICATOR).map(number).transpose()?,
            authority_key_id: value_of(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER)
                .map_or(Ok(None), certificate::authority_key_id)?,
            unfit: unfit(&extensions),
            issuer,
        })
    }

    /// When it was made.
    pub fn this_update(&self) -> Timestamp {
        self.this_update
    }

    /// When the next one is there at the latest.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }

    /// How many entries it has.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when they are no entries.
    pub fn entries(&self) -> Result<usize, PkiError> {
        let count = || Reader::new(self.entries).values().try_fold(0, |count, entry| entry.map(|_| count + 1));
        count().map_err(PkiError::malformed(WHAT))
    }

    /// What it says of the certificate with this serial number (the contents of its INTEGER) of this issuer.
    ///
    /// # Errors
    /// Why nobody may rely on it: it is damaged, or an entry, whichever it is, has a critical extension that is not
    /// understood (§5.3).
    pub(super) fn find(&self, serial: &[u8], issuer: &ComparableName) -> Result<Option<Entry>, &'static str> {
        const DAMAGED: &str = "the CRL at hand is damaged";
        let mut found = None;
        // In an indirect list an entry is of the issuer of the one before it unless it names one (§5.3.3).
        let mut of_issuer = self.issuer == *issuer;
        for entry in Reader::new(self.entries).values() {
            let entry = entry.and_then(RevokedCertificate::read).map_err(|_| DAMAGED)?;
            for extension in &entry.extensions {
                if extension.oid == rfc5280::ID_CE_CERTIFICATE_ISSUER.as_bytes() {
                    of_issuer = names(extension.value, issuer).map_err(|_| DAMAGED)?;
                } else if extension.critical && extension.oid != rfc5280::ID_CE_CRL_REASONS.as_bytes() {
                    return Err("the CRL at hand has an entry with a critical extension that is not understood");
                }
            }
            // Of several the first counts; the rest are looked through for extensions alone.
            if found.is_none() && of_issuer && entry.serial == serial {
                found = Some(entry.status().map_err(|_| DAMAGED)?);
            }
        }
        Ok(found)
    }
}

/// One entry (§5.1.2.6).
struct RevokedCertificate<'a> {
    serial: &'a [u8],
    revoked_at: Tlv<'a>,
    extensions: Vec<Extension<'a>>,
}

impl<'a> RevokedCertificate<'a> {
    fn read(entry: Tlv<'a>) -> Result<Self, Damage> {
        let mut inner = entry.open(tlv::SEQUENCE, "an entry of a CRL")?;
        let serial = inner.expect(tlv::INTEGER, "a serialNumber")?.contents;
        let revoked_at = inner.value()?;
        let extensions = inner.optional(tlv::SEQUENCE)?.map_or(Ok(Vec::new()), |list| extensions(list.whole))?;
        inner.finish()?;
        Ok(Self { serial, revoked_at, extensions })
    }

    fn status(&self) -> Result<Entry, Damage> {
        let at = time::read(self.revoked_at)?;
        let reason = self.extensions.iter().find(|extension| extension.oid == rfc5280::ID_CE_CRL_REASONS.as_bytes());
        let code = reason.map_or(Ok(0), |extension| reason_code(extension.value))?;
        if code == REMOVED {
            return Ok(Entry::Removed);
        }
        let reason = RevocationReason::ALL.iter().find(|reason| reason.code() == code).copied();
        Ok(Entry::Revoked { at, reason })
    }
}

/// Those of a list or of an entry: as many as any needs.
fn extensions(sequence: &[u8]) -> Result<Vec<Extension<'_>>, Damage> {
    const MAX_EXTENSIONS: usize = 64 * 1024;
    if sequence.len() > MAX_EXTENSIONS {
        return Err(Damage::Expected("extensions of at most 65536 octets"));
    }
    parts::extensions(sequence)
}

/// CRLReason ::= ENUMERATED (§5.3.1).
fn reason_code(value: &[u8]) -> Result<u8, Damage> {
    match Tlv::only(value)? {
        Tlv { tag: ENUMERATED, contents: [code], .. } => Ok(*code),
        _ => Err(Damage::Expected("a CRLReason")),
    }
}

/// CRLNumber ::= INTEGER (0..MAX), without leading zeros.
fn number(value: &[u8]) -> Result<&[u8], Damage> {
    let mut inner = Reader::new(value);
    let contents = inner.expect(tlv::INTEGER, "a CRLNumber")?.contents;
    inner.finish()?;
    let zeros = contents.iter().take_while(|octet| **octet == 0).count();
    Ok(contents.get(zeros..).unwrap_or_default())
}

/// Whether one of the GeneralNames is this directory name.
pub(super) fn names(value: &[u8], issuer: &ComparableName) -> Result<bool, Damage> {
    Ok(general_name::read(value)?.iter().any(|name| is_directory(*name, issuer)))
}

pub(super) fn is_directory(name: GeneralName<'_>, issuer: &ComparableName) -> bool {
    name.0.tag == DIRECTORY_NAME && ComparableName::read(name.0.contents).is_ok_and(|name| name == *issuer)
}

fn unfit(extensions: &[Extension<'_>]) -> Option<&'static str> {
    let understood = [
        rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER,
        rfc5280::ID_CE_CRL_NUMBER,
        rfc5280::ID_CE_DELTA_CRL_INDICATOR,
        rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT,
        rfc5280::ID_CE_FRESHEST_CRL,
    ];
    let mut seen = BTreeSet::new();
    for extension in extensions {
        if !seen.insert(extension.oid) {
            return Some("the CRL at hand has an extension twice");
        }
        if extension.critical && !understood.iter().any(|oid| oid.as_bytes() == extension.oid) {
            return Some("the CRL at hand has a critical extension that is not understood");
        }
    }
    None
}
