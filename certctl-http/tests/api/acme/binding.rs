//! Credentials of external accounts, and bindings by them (RFC 8555 §7.3.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certctl_core::enrol::acme::{AcmeAuthMode, AcmeConfig};
use serde_json::{Value, json};

use super::client::{Client, encode, hmac, jwk, serving};
use crate::world::World;

pub(super) const CREDENTIALS: &str = "/api/v1/acme/eab-credentials";

pub(super) fn needing() -> AcmeConfig {
    let mut config = serving(AcmeAuthMode::TrustAuthenticated);
    for profile in config.profiles.values_mut() {
        profile.external_account_required = true;
    }
    config
}

/// A credential as it was made.
pub(super) async fn credential(world: &World, more: Value) -> Value {
    let mut ask = json!({ "name": "a client" });
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post(CREDENTIALS, ask).await.expect(201)
}

/// A binding by this credential, with other members in its header.
pub(super) fn binding(client: &Client<'_>, credential: &Value, more: &Value) -> Value {
    let mut header = json!({ "alg": "HS256", "kid": credential["id"], "url": client.url("new-account") });
    header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let protected = encode(header.to_string());
    let payload = encode(jwk(&*client.key).to_string());
    let key = URL_SAFE_NO_PAD.decode(credential["hmac_key"].as_str().unwrap()).unwrap();
    let mac = hmac(&key, format!("{protected}.{payload}").as_bytes());
    json!({ "protected": protected, "payload": payload, "signature": encode(mac) })
}

pub(super) fn bound(binding: Value) -> Value {
    json!({ "externalAccountBinding": binding })
}
