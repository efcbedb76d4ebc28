//! Keys that are made here (RFC 7030 §4.4): handed out once, encrypted to the key of the request, and kept nowhere.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use certctl_core::Error;
use certctl_core::domain::{KeyAlgorithm, Principal};
use certctl_core::enrol::{Door, Enrolled};
use certctl_core::pki::cms::{self, CertificateIdentifier, ContentCipher, ContentType, Recipient};
use certctl_core::pki::{csr, est, key};

use super::answer::{BASE64, CERTS_ONLY, Failure};
use super::enroll::Asked;
use super::{Operation, Served, Way};
use crate::router::Api;
use crate::wire::Octets;

/// A CMS EnvelopedData with a PKCS #8 key inside (RFC 7030 §4.4.2).
const GENERATED_KEY: &str = "application/pkcs7-mime; smime-type=server-generated-key";

/// Makes a key for a machine (EST)
///
/// Only where the server is configured for it. The request is signed by an RSA key, and names what is to be certified; the new
/// key comes encrypted to that one, in CMS, and is kept nowhere. Else as simpleenroll.
#[utoipa::path(
    post, path = "/.well-known/est/serverkeygen", operation_id = "estServerKeygen", tag = "EST",
    request_body(content = Octets, content_type = "application/pkcs10"),
    responses((
        status = 200, description = "The key in CMS EnvelopedData, and the certificate with those above it", body = Octets,
        content_type = "multipart/mixed",
    )),
)]
pub(crate) async fn server_keygen(state: State<Api>, request: Request) -> Response {
    super::answer(state, request).await
}

pub(super) async fn answer(api: &Api, served: &Served, (way, request): (Way, Request)) -> Result<Response, Failure> {
    let asked = Asked::read(api, &served.profile, (way, Operation::ServerKeygen, request)).await?;
    let recipient = recipient(&asked)?;
    let (machine, terms) = (Principal::machine(format!("est:{}", served.profile.label())), &served.profile.terms);
    let door = Door { issuer_id: terms.issuer_id.clone(), profile_id: terms.profile_id.clone() };
    let door = api.engine.execute(&machine, door).await?;
    if !door.at_once {
        // The key would have to be kept until then.
        let text = "keys are made here only where a request is answered at once; make one and use simpleenroll";
        return Err(Failure::new(StatusCode::NOT_IMPLEMENTED, text));
    }
    let ports = api.engine.ports();
    let made = ports.keys.generate(door.profile.cheapest_key(), &*ports.rng).await.map_err(Error::internal)?;
    let new = csr::build(asked.csr.names(), &*made.signer).await.map_err(Error::internal)?;
    let chain = match asked.enrol(api, served, &new).await? {
        Enrolled::Issued { chain, .. } => chain,
        Enrolled::Refused(refusal) => return Err(refusal.into()),
        // Its rules changed at this moment; the job certifies a key that nobody has.
        Enrolled::Pending { .. } => {
            let text = "the request has to wait, and keys are not kept meanwhile; ask again";
            return Err(Failure::new(StatusCode::CONFLICT, text));
        }
    };
    let content = (ContentType::Data, made.pkcs8.as_slice());
    let sealed = cms::envelop(content, &recipient, ContentCipher::Aes256Cbc, &*ports.rng).map_err(Error::internal)?;
    let mut boundary = [0; 16];
    ports.rng.fill(&mut boundary);
    let boundary = hex::encode(boundary);
    let part = |media_type: &str, der: &[u8]| {
        let body = est::encode(der);
        format!("--{boundary}\r\nContent-Type: {media_type}\r\nContent-Transfer-Encoding: {BASE64}\r\n\r\n{body}\r\n")
    };
    let both = [part(GENERATED_KEY, &sealed), part(CERTS_ONLY, &cms::certs_only(&chain))].concat();
    let media_type = format!("multipart/mixed; boundary={boundary}");
    Ok(([(CONTENT_TYPE, media_type)], format!("{both}--{boundary}--\r\n")).into_response())
}

/// The key of the request, which the new one is encrypted to.
fn recipient(asked: &Asked) -> Result<Recipient, Failure> {
    let spki = asked.csr.spki();
    let refused = |text: String| Failure::new(StatusCode::BAD_REQUEST, text);
    if !matches!(asked.csr.key_algorithm(), KeyAlgorithm::Rsa { .. }) {
        let text =
            "the new key is encrypted to the key of the request, which takes an RSA key; make the request with one";
        return Err(refused(text.to_owned()));
    }
    let identifier = key::identifier(spki).map_err(|error| refused(error.to_string()))?;
    Recipient::new(CertificateIdentifier::KeyIdentifier(identifier), spki).map_err(|error| refused(error.to_string()))
}
