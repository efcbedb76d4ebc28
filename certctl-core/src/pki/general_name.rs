//! Subject alternative names between DER and the domain (RFC 5280 §4.2.1.6).

use std::net::IpAddr;

use super::tlv::{self, Damage, Tlv};
use crate::domain::{DnsName, EmailAddress, NameError, SanUri, SubjectAltName};

pub(crate) const RFC822_NAME: u8 = 0x81;
pub(crate) const DNS_NAME: u8 = 0x82;
pub(crate) const DIRECTORY_NAME: u8 = 0xa4;
pub(crate) const URI: u8 = 0x86;
pub(crate) const IP_ADDRESS: u8 = 0x87;

/// A GeneralName as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GeneralName<'a>(pub(crate) Tlv<'a>);

/// Why a GeneralName is no [`SubjectAltName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("a subject alternative name of kind {0} is not issued; use dNSName, rfc822Name, iPAddress or a URI")]
    Kind(&'static str),
    #[error("a subject alternative name of kind {0} is malformed")]
    Malformed(&'static str),
    #[error(transparent)]
    Name(#[from] NameError),
}

/// The names of a GeneralNames value, in order.
pub(crate) fn read(value: &[u8]) -> Result<Vec<GeneralName<'_>>, Damage> {
    let names: Vec<_> = Tlv::only(value)?
        .open(tlv::SEQUENCE, "GeneralNames")?
        .values()
        .map(|name| name.map(GeneralName))
        .collect::<Result<_, _>>()?;
    if names.is_empty() { Err(Damage::Expected("a name in GeneralNames")) } else { Ok(names) }
}

impl<'a> GeneralName<'a> {
    /// The name of its kind.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.0.tag {
            0xa0 => "otherName",
            RFC822_NAME => "rfc822Name",
            DNS_NAME => "dNSName",
            0xa3 => "x400Address",
            DIRECTORY_NAME => "directoryName",
            0xa5 => "ediPartyName",
            URI => "uniformResourceIdentifier",
            IP_ADDRESS => "iPAddress",
            0x88 => "registeredID",
            _ => "unknown",
        }
    }

    /// The text of an IA5String.
    pub(crate) fn ia5(&self) -> Option<&'a str> {
        std::str::from_utf8(self.0.contents).ok().filter(|text| text.is_ascii())
    }

    /// The domain's form.
    pub(crate) fn parse(&self) -> Result<SubjectAltName, Unfit> {
        let text = || self.ia5().ok_or(Unfit::Malformed(self.kind()));
        Ok(match self.0.tag {
            RFC822_NAME => SubjectAltName::Email(EmailAddress::parse(text()?)?),
            DNS_NAME => SubjectAltName::Dns(DnsName::parse(text()?)?),
            URI => SubjectAltName::Uri(SanUri::parse(text()?)?),
            IP_ADDRESS => SubjectAltName::Ip(ip_address(self.0.contents).ok_or(Unfit::Malformed("iPAddress"))?),
            _ => return Err(Unfit::Kind(self.kind())),
        })
    }

    /// `kind:text`, or `kind:` and hexadecimal.
    pub(crate) fn to_text(self) -> String {
        match (self.0.tag, self.ia5()) {
            (RFC822_NAME | DNS_NAME | URI, Some(text)) => format!("{}:{text}", self.kind()),
            _ => format!("{}:{}", self.kind(), hex::encode(self.0.contents)),
        }
    }
}

fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// One GeneralName.
pub(crate) fn encode(name: &SubjectAltName) -> Vec<u8> {
    match name {
        SubjectAltName::Dns(name) => tlv::write(DNS_NAME, &[name.as_str().as_bytes()]),
        SubjectAltName::Email(address) => tlv::write(RFC822_NAME, &[address.as_str().as_bytes()]),
        SubjectAltName::Ip(IpAddr::V4(address)) => tlv::write(IP_ADDRESS, &[&address.octets()]),
        SubjectAltName::Ip(IpAddr::V6(address)) => tlv::write(IP_ADDRESS, &[&address.octets()]),
        SubjectAltName::Uri(uri) => tlv::write(URI, &[uri.as_str().as_bytes()]),
    }
}

/// A GeneralNames value.
pub(crate) fn encode_all<'a>(names: impl IntoIterator<Item = &'a SubjectAltName>) -> Vec<u8> {
    let names: Vec<Vec<u8>> = names.into_iter().map(encode).collect();
    tlv::write(tlv::SEQUENCE, &names.iter().map(Vec::as_slice).collect::<Vec<_>>())
}
