//! SignedData that nobody signed (RFC 5652 §5.2): how certificates and CRLs travel together.

use super::content::{self, CONTEXT_0, CONTEXT_1, ContentType};
use crate::domain::Chain;
use crate::pki::tlv::{self, write};

/// The certificates of a chain, leaf first: the `certs-only` of RFC 8551 §3.8, as EST (RFC 7030 §4.1.3) and SCEP (RFC 8894 §3.4)
/// send it.
pub fn certs_only(chain: &Chain) -> Vec<u8> {
    let certificates: Vec<&[u8]> = chain.certificates().iter().map(Vec::as_slice).collect();
    bag(&certificates, &[])
}

/// DER certificates and DER CRLs, each in their order.
pub fn bag(certificates: &[&[u8]], crls: &[&[u8]]) -> Vec<u8> {
    let field = |tag, values: &[&[u8]]| if values.is_empty() { Vec::new() } else { write(tag, values) };
    let content = write(tlv::SEQUENCE, &[&content::oid(ContentType::Data.oid())]);
    let empty = write(tlv::SET, &[]);
    let version = [tlv::INTEGER, 1, 1];
    let data = [&version, &*empty, &content, &field(CONTEXT_0, certificates), &field(CONTEXT_1, crls), &empty];
    content::wrap(ContentType::SignedData, &write(tlv::SEQUENCE, &data))
}
