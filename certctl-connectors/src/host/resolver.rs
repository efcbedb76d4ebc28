//! Looking up names in the DNS, through hickory.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::ports::{CaaRecord, ResolveError, Resolver};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

/// Asks the servers that are named, or those of `/etc/resolv.conf`. A resolver lives for one question: there are few of them, and an
/// answer that was kept would be the wrong one.
#[derive(Clone, Copy, Debug, Default)]
pub struct DnsResolver;

/// For one server and try; there are two.
const TIMEOUT: Duration = Duration::from_secs(5);

impl DnsResolver {
    /// A resolver.
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Resolver for DnsResolver {
    async fn txt(&self, name: &str, servers: &[SocketAddr]) -> Result<Vec<String>, ResolveError> {
        let found = lookup(name, RecordType::TXT, servers).await?;
        let texts = found.iter().flat_map(Lookup::answers).filter_map(|record| match &record.data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(texts.collect())
    }

    async fn caa(&self, name: &str, servers: &[SocketAddr]) -> Result<Vec<CaaRecord>, ResolveError> {
        let found = lookup(name, RecordType::CAA, servers).await?;
        let records = found.iter().flat_map(Lookup::answers).filter_map(|record| match &record.data {
            RData::CAA(caa) => {
                Some(CaaRecord { critical: caa.issuer_critical, tag: caa.tag.clone(), value: caa.value.clone() })
            }
            _ => None,
        });
        Ok(records.collect())
    }
}

/// The addresses of a name, none where it does not exist. `servers` are asked, and nothing else: no hosts file, no search domain.
pub(super) async fn addresses(name: &str, servers: &[SocketAddr]) -> Result<Vec<IpAddr>, ResolveError> {
    let (v4, v6) = (lookup(name, RecordType::A, servers).await?, lookup(name, RecordType::AAAA, servers).await?);
    let addresses = v6.iter().chain(&v4).flat_map(Lookup::answers).filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    Ok(addresses.collect())
}

/// What there is of this type; `None` where there is nothing.
async fn lookup(name: &str, kind: RecordType, servers: &[SocketAddr]) -> Result<Option<Lookup>, ResolveError> {
    let failed = |error: NetError| ResolveError { name: name.to_owned(), reason: error.to_string() };
    let resolver = resolver(servers).map_err(failed)?;
    // With the dot no search domain of the host is tried.
    let question = format!("{}.", name.trim_end_matches('.'));
    match resolver.lookup(question, kind).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_no_records_found() => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.to_vec())
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = TIMEOUT;
    builder.build()
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    /// The type of a record, and its data.
    pub(crate) type Answer = (u16, Vec<u8>);

    /// A server that answers every question for the type of these records with them, or with a response code.
    pub(crate) async fn server(answers: Vec<Answer>, code: u8) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                socket.send_to(&answer(&buffer[..length], &answers, code), peer).await.unwrap();
            }
        });
        address
    }

    fn answer(question: &[u8], answers: &[Answer], code: u8) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
        let asked = u16::from_be_bytes([question[end - 4], question[end - 3]]);
        let answers: Vec<&Answer> = answers.iter().filter(|(kind, _)| *kind == asked).collect();
        let mut answer = question[..end].to_vec();
        answer[2] |= 0x84;
        answer[3] = 0x80 | code;
        answer[6..12].copy_from_slice(&[0, u8::try_from(answers.len()).unwrap(), 0, 0, 0, 0]);
        for (_, data) in answers {
            answer.extend([0xc0, 12]);
            answer.extend(asked.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
            answer.extend(data);
        }
        answer
    }

    /// An A record.
    pub(crate) fn address(octets: [u8; 4]) -> Vec<Answer> {
        vec![(1, octets.to_vec())]
    }

    /// TXT records, each with these strings (RFC 1035 §3.3.14).
    fn texts(records: &[&[&str]]) -> Vec<Answer> {
        let string = |text: &&str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        records.iter().map(|strings| (16, strings.iter().flat_map(string).collect())).collect()
    }

    #[tokio::test]
    async fn strings_of_one_record_are_put_together_and_records_are_not() {
        let server = server(texts(&[&["one ", "text"], &["another"]]), 0).await;
        let mut found = DnsResolver::new().txt("_acme-challenge.shop.example", &[server]).await.unwrap();
        found.sort();
        assert_eq!(found, ["another", "one text"]);
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_has_no_records_and_a_server_that_fails_is_an_error() {
        let absent = server(Vec::new(), 3).await;
        assert_eq!(DnsResolver::new().txt("nothing.example.", &[absent]).await.unwrap(), Vec::<String>::new());
        assert_eq!(DnsResolver::new().caa("nothing.example.", &[absent]).await.unwrap(), []);
        // SERVFAIL, REFUSED.
        for code in [2, 5] {
            let broken = server(Vec::new(), code).await;
            let error = DnsResolver::new().txt("shop.example", &[broken]).await.unwrap_err();
            assert_eq!(error.name, "shop.example");
            assert!(DnsResolver::new().caa("shop.example", &[broken]).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_caa_record_has_a_flag_a_tag_and_a_value() {
        // RFC 8659 §4.1: the flags, the length of the tag, the tag, the value. The type has the number 257 (§7).
        let records = [&b"\x00\x05issueca.example"[..], b"\x80\x03tbsUnknown"].map(|data| (257, data.to_vec()));
        let server = server(records.to_vec(), 0).await;
        let mut found = DnsResolver::new().caa("shop.example", &[server]).await.unwrap();
        found.sort_by_key(|record| record.critical);
        let record =
            |critical, tag: &str, value: &str| CaaRecord { critical, tag: tag.to_owned(), value: value.into() };
        assert_eq!(found, [record(false, "issue", "ca.example"), record(true, "tbs", "Unknown")]);
    }

    #[tokio::test]
    async fn a_name_has_addresses() {
        let server = server(address([192, 0, 2, 7]), 0).await;
        let found = addresses("shop.example", &[server]).await.unwrap();
        assert_eq!(found, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
    }
}
