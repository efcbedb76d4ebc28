//! Looking up names in the DNS, through hickory.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use certctl_core::ports::{ResolveError, Resolver};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
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
        let failed = |error: NetError| ResolveError { name: name.to_owned(), reason: error.to_string() };
        let resolver = resolver(servers).map_err(failed)?;
        // With the dot no search domain of the host is tried.
        let question = format!("{}.", name.trim_end_matches('.'));
        let found = match resolver.lookup(question, RecordType::TXT).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let texts = found.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(texts.collect())
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
    options.timeout = TIMEOUT;
    builder.build()
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;

    /// A server that answers one question: with these TXT records, or with a response code.
    async fn server(answers: Vec<Vec<&'static str>>, code: u8) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let question = &buffer[..length];
                let end = 12 + question[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
                let mut answer = question[..end].to_vec();
                answer[2] |= 0x84;
                answer[3] = 0x80 | code;
                answer[6..12].copy_from_slice(&[0, u8::try_from(answers.len()).unwrap(), 0, 0, 0, 0]);
                for strings in &answers {
                    let data: Vec<u8> = strings
                        .iter()
                        .flat_map(|text| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat())
                        .collect();
                    answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
                    answer.extend(data);
                }
                socket.send_to(&answer, peer).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn strings_of_one_record_are_put_together_and_records_are_not() {
        let server = server(vec![vec!["one ", "text"], vec!["another"]], 0).await;
        let mut found = DnsResolver::new().txt("_acme-challenge.shop.example", &[server]).await.unwrap();
        found.sort();
        assert_eq!(found, ["another", "one text"]);
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_has_no_records_and_a_server_that_fails_is_an_error() {
        let absent = server(Vec::new(), 3).await;
        assert_eq!(DnsResolver::new().txt("nothing.example.", &[absent]).await.unwrap(), Vec::<String>::new());
        let broken = server(Vec::new(), 2).await;
        let error = DnsResolver::new().txt("shop.example", &[broken]).await.unwrap_err();
        assert_eq!(error.name, "shop.example");
    }
}
