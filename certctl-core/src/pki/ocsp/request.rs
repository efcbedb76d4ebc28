//! OCSPRequest (RFC 6960 §4.1.1): read with limits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc6960;

use super::CertId;
use crate::pki::parts::{self, Extension};
use crate::pki::tlv::{self, Damage, Reader, Tlv};
use crate::pki::{PkiError, key};

/// The largest request that is read, in octets of DER. Signed ones carry certificates.
pub const MAX_REQUEST_OCTETS: usize = 16 << 10;
/// Certificates of one request at most.
pub const MAX_REQUESTED: usize = 64;
/// The longest nonce (RFC 9654 §2.1), in octets; the shortest has one.
pub const MAX_NONCE_OCTETS: usize = 128;

/// Extensions that may be critical. Acceptable responses (§4.4.3) all include basic ones, as there are no others. Preferred
/// algorithms (§4.4.7) are a wish: all answers are signed with ECDSA on P-256, which everybody verifies.
const KNOWN: [ObjectIdentifier; 3] =
    [rfc6960::ID_PKIX_OCSP_NONCE, rfc6960::ID_PKIX_OCSP_RESPONSE, rfc6960::ID_PKIX_OCSP_PREF_SIG_ALGS];

const WHAT: &str = "OCSP request";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest<'a> {
    /// The certificates, at least one and at most [`MAX_REQUESTED`].
    pub ids: Vec<CertId<'a>>,
    /// What the answer has to repeat, 1 to [`MAX_NONCE_OCTETS`] octets.
    pub nonce: Option<&'a [u8]>,
}

impl<'a> OcspRequest<'a> {
    /// Reads a DER OCSPRequest. A signature is not verified: everybody may ask (§4.1.2).
    ///
    /// # Errors
    /// [`PkiError`] for what is answered with `malformedRequest`: what is no request or too large a one, a nonce without octets or
    /// with too many (RFC 9654 §2.1), a critical extension that is not known here (RFC 6960 §4.4).
    pub fn parse(der: &'a [u8]) -> Result<Self, PkiError> {
        if der.len() > MAX_REQUEST_OCTETS {
            return Err(PkiError::TooLarge { what: WHAT, octets: der.len(), limit: MAX_REQUEST_OCTETS });
        }
        let malformed = |why: String| PkiError::Malformed { what: WHAT, why };
        let parts = Parts::read(der).map_err(PkiError::malformed(WHAT))?;
        if parts.ids.len() > MAX_REQUESTED {
            return Err(malformed(format!("it asks for more than {MAX_REQUESTED} certificates")));
        }
        let nonce = check(&parts.extensions).map_err(malformed)?;
        for extensions in &parts.single_extensions {
            check(extensions).map_err(malformed)?;
        }
        let nonce = nonce.map(read_nonce).transpose().map_err(malformed)?;
        Ok(Self { ids: parts.ids, nonce })
    }
}

/// The octets of a request that came in a URL (appendix A.1): base64, once its escapes are undone; `None` when it is none.
///
/// What URLs do to base64 on their way is undone as well: padding that is cut off, `+` that became a space, the alphabet for URLs
/// (RFC 4648 §5), line ends.
pub fn octets_of_url(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_REQUEST_OCTETS.div_ceil(3) * 4 {
        return None;
    }
    let written = text.bytes().filter(|octet| !matches!(octet, b'\r' | b'\n' | b'=')).map(|octet| match octet {
        b' ' | b'-' => b'+',
        b'_' => b'/',
        octet => octet,
    });
    STANDARD_NO_PAD.decode(written.collect::<Vec<u8>>()).ok()
}

/// An OCSPRequest taken apart.
struct Parts<'a> {
    ids: Vec<CertId<'a>>,
    single_extensions: Vec<Vec<Extension<'a>>>,
    extensions: Vec<Extension<'a>>,
}

impl<'a> Parts<'a> {
    fn read(der: &'a [u8]) -> Result<Self, Damage> {
        tlv::check_depth(der)?;
        let mut whole = Tlv::only(der)?.open(tlv::SEQUENCE, "an OCSPRequest")?;
        let mut tbs = whole.open(tlv::SEQUENCE, "a TBSRequest")?;
        if let Some(signature) = whole.optional(0xa0)? {
            Tlv::only(signature.contents)?.open(tlv::SEQUENCE, "a Signature")?;
        }
        whole.finish()?;
        // v1 is the default, which DER leaves out and some clients write.
        if let Some(version) = tbs.optional(0xa0)?
            && version.contents != [tlv::INTEGER, 1, 0]
        {
            return Err(Damage::Expected("version 1"));
        }
        if let Some(requestor) = tbs.optional(0xa1)? {
            Tlv::only(requestor.contents)?;
        }
        let (mut ids, mut single_extensions) = (Vec::with_capacity(1), Vec::new());
        for request in tbs.open(tlv::SEQUENCE, "a requestList")?.values() {
            let mut request = request?.open(tlv::SEQUENCE, "a Request")?;
            ids.push(CertId::read(request.value()?)?);
            if let Some(extensions) = request.optional(0xa0)? {
                single_extensions.push(parts::extensions(extensions.contents)?);
            }
            request.finish()?;
            // One too many is told from as many as there may be; the rest need not be read.
            if ids.len() > MAX_REQUESTED {
                break;
            }
        }
        if ids.is_empty() {
            return Err(Damage::Expected("a certificate that is asked about"));
        }
        let extensions = tbs.optional(0xa2)?.map_or(Ok(Vec::new()), |field| parts::extensions(field.contents))?;
        tbs.finish()?;
        Ok(Self { ids, single_extensions, extensions })
    }
}

/// Gives the value of the nonce, after a look at all of them.
fn check<'a>(extensions: &[Extension<'a>]) -> Result<Option<&'a [u8]>, String> {
    for (place, extension) in extensions.iter().enumerate() {
        if extensions.iter().take(place).any(|other| other.oid == extension.oid) {
            return Err(format!("the extension {} is there twice", key::dotted(extension.oid)));
        }
        if extension.critical && !KNOWN.iter().any(|known| known.as_bytes() == extension.oid) {
            return Err(format!("the extension {} is critical and not known", key::dotted(extension.oid)));
        }
    }
    let nonce = extensions.iter().find(|extension| extension.oid == rfc6960::ID_PKIX_OCSP_NONCE.as_bytes());
    Ok(nonce.map(|extension| extension.value))
}

/// Nonce ::= OCTET STRING(SIZE(1..128)) (RFC 9654 §2.1).
fn read_nonce(value: &[u8]) -> Result<&[u8], String> {
    let mut reader = Reader::new(value);
    let octets =
        reader.expect(tlv::OCTET_STRING, "the OCTET STRING of a nonce").map_err(|damage| damage.to_string())?;
    reader.finish().map_err(|damage| damage.to_string())?;
    let length = octets.contents.len();
    if (1..=MAX_NONCE_OCTETS).contains(&length) {
        return Ok(octets.contents);
    }
    Err(format!("its nonce has {length} octets; send 1 to {MAX_NONCE_OCTETS}"))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use const_oid::db::{rfc5280, rfc5912};

    use super::*;
    use crate::pki::ocsp::{IdHash, Written};
    use crate::pki::tlv::write;

    fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        write(tlv::SEQUENCE, parts)
    }

    fn hash_algorithm(oid: ObjectIdentifier) -> Vec<u8> {
        sequence(&[&write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]), &[tlv::NULL, 0]])
    }

    fn cert_id(serial: &[u8]) -> Vec<u8> {
        let hash = write(tlv::OCTET_STRING, &[&[7; 20]]);
        sequence(&[&hash_algorithm(rfc5912::ID_SHA_1), &hash, &hash, &write(tlv::INTEGER, &[serial])])
    }

    fn list(ids: &[Vec<u8>]) -> Vec<u8> {
        sequence(
            &ids.iter().map(|id| sequence(&[id])).collect::<Vec<_>>().iter().map(Vec::as_slice).collect::<Vec<_>>(),
        )
    }

    fn extensions(each: &[(ObjectIdentifier, bool, Vec<u8>)]) -> Vec<u8> {
        let each: Vec<u8> = each
            .iter()
            .flat_map(|(oid, critical, value)| {
                let oid = write(tlv::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
                let critical: &[u8] = if *critical { &[tlv::BOOLEAN, 1, 0xff] } else { &[] };
                sequence(&[&oid, critical, &write(tlv::OCTET_STRING, &[value])])
            })
            .collect();
        write(0xa2, &[&sequence(&[&each])])
    }

    fn nonce(octets: usize) -> Vec<u8> {
        let value = write(tlv::OCTET_STRING, &[&vec![9; octets]]);
        extensions(&[(rfc6960::ID_PKIX_OCSP_NONCE, false, value)])
    }

    fn request(parts: &[&[u8]]) -> Vec<u8> {
        sequence(&[&sequence(parts)])
    }

    #[test]
    fn what_clients_send_is_read() {
        let (one, two) = (cert_id(&[1]), cert_id(&[0, 0x80]));
        let plain = request(&[&list(&[one.clone(), two.clone()])]);
        let read = OcspRequest::parse(&plain).unwrap();
        assert_eq!(read.ids.iter().map(CertId::der).collect::<Vec<_>>(), [one.as_slice(), &two]);
        assert_eq!(read.ids[0].written(), Some(Written { hash: IdHash::Sha1, null: true }));
        assert_eq!(read.ids[1].serial().map(|serial| serial.to_string()), Ok("80".into()));
        assert_eq!(read.nonce, None);
        // With all that may be there: version, requestor, nonce, signature.
        let version = [0xa0, 3, tlv::INTEGER, 1, 0];
        let requestor = write(0xa1, &[&write(0x82, &[b"a.example"])]);
        let signature = write(0xa0, &[&sequence(&[])]);
        let whole = sequence(&[&sequence(&[&version, &requestor, &list(&[one]), &nonce(32)]), &signature]);
        assert_eq!(OcspRequest::parse(&whole).unwrap().nonce, Some(&[9; 32][..]));
    }

    #[test]
    fn nonces_have_1_to_128_octets() {
        let with = |octets| request(&[&list(&[cert_id(&[1])]), &nonce(octets)]);
        for good in [1, 16, 32, 33, 128] {
            assert_eq!(OcspRequest::parse(&with(good)).unwrap().nonce.map(<[u8]>::len), Some(good));
        }
        for bad in [0, 129, 1_000] {
            assert!(OcspRequest::parse(&with(bad)).unwrap_err().to_string().contains("nonce"), "{bad}");
        }
    }

    #[test]
    fn what_is_critical_must_be_known() {
        let with = |oid, critical| {
            let value = write(tlv::OCTET_STRING, &[&[9; 8]]);
            request(&[&list(&[cert_id(&[1])]), &extensions(&[(oid, critical, value)])])
        };
        for known in KNOWN {
            assert!(OcspRequest::parse(&with(known, true)).is_ok());
        }
        assert!(OcspRequest::parse(&with(rfc6960::ID_PKIX_OCSP_SERVICE_LOCATOR, false)).is_ok());
        let refused = OcspRequest::parse(&with(rfc5280::ID_CE_KEY_USAGE, true)).unwrap_err().to_string();
        assert!(refused.contains("2.5.29.15") && refused.contains("critical"), "{refused}");
        // Also where it is about one certificate.
        let one = extensions(&[(rfc5280::ID_CE_KEY_USAGE, true, vec![5, 0])]);
        let one = write(0xa0, &[&one[2..]]);
        let single = request(&[&sequence(&[&sequence(&[&cert_id(&[1]), &one])])]);
        assert!(OcspRequest::parse(&single).unwrap_err().to_string().contains("critical"));
        let twice = [(rfc6960::ID_PKIX_OCSP_CRL, false, vec![5, 0]), (rfc6960::ID_PKIX_OCSP_CRL, false, vec![5, 0])];
        let twice = request(&[&list(&[cert_id(&[1])]), &extensions(&twice)]);
        assert!(OcspRequest::parse(&twice).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let id = cert_id(&[1]);
        let good = request(&[&list(std::slice::from_ref(&id))]);
        assert!(OcspRequest::parse(&good).is_ok());
        for cut in 0..good.len() {
            assert!(OcspRequest::parse(&good[..cut]).is_err(), "{cut}");
        }
        let trailing = [good.as_slice(), &[0]].concat();
        let empty = request(&[&list(&[])]);
        let version_2 = request(&[&[0xa0, 3, tlv::INTEGER, 1, 1], &list(&[id])]);
        let long_serial = request(&[&list(&[cert_id(&[0, 1])])]);
        let indefinite = [&[0x30, 0x80], &good[2..], &[0, 0]].concat();
        let nested = (0..200).fold(Vec::new(), |inner: Vec<u8>, _| sequence(&[&inner]));
        for bad in [trailing, empty, version_2, long_serial, indefinite, nested] {
            assert!(OcspRequest::parse(&bad).is_err(), "{bad:02x?}");
        }
        let many = |count: u8| request(&[&list(&(1..=count).map(|serial| cert_id(&[serial])).collect::<Vec<_>>())]);
        assert_eq!(OcspRequest::parse(&many(64)).unwrap().ids.len(), MAX_REQUESTED);
        assert!(OcspRequest::parse(&many(65)).unwrap_err().to_string().contains("more than 64"));
        let large = OcspRequest::parse(&vec![0; MAX_REQUEST_OCTETS + 1]).unwrap_err();
        assert!(matches!(large, PkiError::TooLarge { .. }));
    }

    #[test]
    fn urls_may_have_changed_base64() {
        let octets: Vec<u8> = (0..=255).collect();
        let text = STANDARD.encode(&octets);
        assert!(text.contains('+') && text.contains('/') && text.ends_with('='));
        for changed in [
            text.clone(),
            text.trim_end_matches('=').to_owned(),
            text.replace('+', " "),
            text.replace('+', "-").replace('/', "_"),
            text.replace('A', "A\r\n"),
        ] {
            assert_eq!(octets_of_url(&changed).as_deref(), Some(octets.as_slice()), "{changed}");
        }
        for bad in ["*", "A", "\u{e4}", &"A".repeat(MAX_REQUEST_OCTETS * 2)] {
            assert_eq!(octets_of_url(bad), None);
        }
        assert_eq!(octets_of_url("").as_deref(), Some(&[][..]));
    }
}
