//! HTTP clients, one for each way to send, kept because their connections are worth keeping.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use certctl_core::ports::{Egress, HttpError, HttpOptions};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::egress::Guard;
use super::trust;

/// How many clients are kept; the one made first goes first.
const KEPT: usize = 64;

/// The clients made so far.
#[derive(Clone)]
pub(super) struct Clients {
    guard: Guard,
    made: Arc<Mutex<VecDeque<(Key, reqwest::Client)>>>,
}

/// What makes two calls need different clients. Secrets are in it as digests only.
#[derive(Clone, PartialEq, Eq)]
struct Key {
    egress: Egress,
    proxy: Option<String>,
    trust: [u8; 32],
}

impl Clients {
    pub(super) fn new(guard: Guard) -> Self {
        Self { guard, made: Arc::default() }
    }

    /// The client for these options; follows no redirects, has no timeout, reads no proxy from the environment.
    pub(super) fn client(&self, options: &HttpOptions) -> Result<reqwest::Client, HttpError> {
        let key = key(options);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = made.iter().find(|(made, _)| *made == key) {
            return Ok(client.clone());
        }
        let client = self.build(options)?;
        if made.len() >= KEPT {
            made.pop_front();
        }
        made.push_back((key, client.clone()));
        Ok(client)
    }

    fn build(&self, options: &HttpOptions) -> Result<reqwest::Client, HttpError> {
        let tls = trust::client_config(options.roots_pem.as_deref(), options.identity.as_ref())
            .map_err(HttpError::Invalid)?;
        // With a proxy the only name resolved here is the proxy's own, and that an operator wrote.
        let egress = if options.proxy.is_some() { Egress::Configured } else { options.egress };
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            // A lost answer may hide a deed done: whether to ask again is the caller's decision.
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("certctl/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(GuardedResolver { guard: self.guard.clone(), egress }));
        let builder = match &options.proxy {
            Some(proxy) => builder.proxy(
                reqwest::Proxy::all(proxy.clone())
                    .map_err(|error| HttpError::Invalid(format!("the proxy is unusable: {error}")))?,
            ),
            None => builder.no_proxy(),
        };
        builder.build().map_err(|error| HttpError::Invalid(error.to_string()))
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clients").field("guard", &self.guard).finish_non_exhaustive()
    }
}

fn key(options: &HttpOptions) -> Key {
    let mut trust = digest::Context::new(&digest::SHA256);
    let mut part = |text: Option<&str>| {
        // Lengths first, so that no two lists of parts read alike.
        let bytes = text.unwrap_or_default().as_bytes();
        trust.update(&[u8::from(text.is_some())]);
        trust.update(&bytes.len().to_be_bytes());
        trust.update(bytes);
    };
    part(options.roots_pem.as_deref());
    part(options.identity.as_ref().map(|identity| identity.chain_pem.as_str()));
    part(options.identity.as_ref().map(|identity| identity.key_pem.expose()));
    let mut digest = [0; 32];
    digest.copy_from_slice(trust.finish().as_ref());
    Key { egress: options.egress, proxy: options.proxy.as_ref().map(ToString::to_string), trust: digest }
}

/// Gives the connector checked addresses only, so that what was checked is what is dialled.
struct GuardedResolver {
    guard: Guard,
    egress: Egress,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, egress) = (self.guard.clone(), self.egress);
        Box::pin(async move {
            // Port 0 stands for the port of the URL.
            let addresses = guard.resolve(name.as_str(), 0, egress).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
