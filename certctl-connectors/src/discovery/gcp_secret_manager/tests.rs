//! A recorded exchange, by the public documentation of the service.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use certctl_core::connector::ConnectorErrorKind;
use certctl_core::domain::KeyAlgorithm;
use certctl_core::pki::private_key;
use certctl_core::ports::{Keys, Method};
use certctl_core::testing::{FakePorts, ScriptedHttp, connector_context};
use serde_json::{Value, json};

use super::*;
use crate::host::{OsRng, SoftwareKeys, TokioSpawner};

const TOKEN: &str = "https://oauth2.googleapis.com/token";
const SECRETS: &str = "https://secretmanager.googleapis.com/v1/projects/shop-1/secrets";

/// A world, a source in it, and the public key of its service account.
async fn world() -> (FakePorts, Arc<dyn DiscoverySource>, Vec<u8>) {
    let keys: Arc<dyn Keys> = Arc::new(SoftwareKeys::new(Arc::new(TokioSpawner)));
    let key = keys.generate(KeyAlgorithm::Rsa { bits: 2048 }, &OsRng).await.unwrap();
    let account = json!({
        "type": "service_account", "client_email": "certctl@shop-1.iam.gserviceaccount.com",
        "private_key": private_key::to_pem(&key.pkcs8).as_str(), "token_uri": TOKEN,
    });
    let world = FakePorts::new(1, keys);
    let ports = world.ports();
    let cx = connector_context("suite", ports);
    let config = json!({ "project": "shop-1", "credentials": account.to_string() });
    let valid = serde_json::from_value::<GcpSecretManagerConfig>(config).unwrap().validate().unwrap();
    (world, GcpSecretManager::build(valid, &cx).unwrap(), key.signer.public_key().to_vec())
}

fn serve(world: &FakePorts) {
    let on = |method, url: &str, body: Value| world.http.on(method, url, ScriptedHttp::json(200, &body));
    on(Method::Post, TOKEN, json!({ "access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer" }));
    let entry =
        |name: &str| json!({ "name": format!("projects/42/secrets/{name}"), "labels": { "type": "certificate" } });
    let first = format!("{SECRETS}?filter=labels.type%3Dcertificate&pageSize=50");
    on(
        Method::Get,
        &first,
        json!({ "secrets": [entry("shop"), { "name": "projects/42/secrets/../../x" }, { "name": "//evil.example/x" }],
                "nextPageToken": "p2", "totalSize": 5 }),
    );
    on(Method::Get, &format!("{first}&pageToken=p2"), json!({ "secrets": [entry("gone"), entry("odd")] }));
    let latest = |name: &str| {
        format!("https://secretmanager.googleapis.com/v1/projects/42/secrets/{name}/versions/latest:access")
    };
    on(Method::Get, &latest("shop"), json!({ "name": "n", "payload": { "data": "MAMCAQU=", "dataCrc32c": "1" } }));
    on(Method::Get, &latest("odd"), json!({ "name": "n", "payload": { "data": "?" } }));
    world.http.on(Method::Get, &latest("gone"), ScriptedHttp::response(404, ""));
}

#[tokio::test]
async fn secrets_with_the_label_are_fetched_page_by_page_with_one_signed_token() {
    let (world, source, public) = world().await;
    serve(&world);
    let first = source.page(None).await.unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (1, Some("p2")), "{first:?}");
    assert_eq!(first.items[0].path, "gcp-sm://shop-1/shop");
    assert_eq!(first.items[0].contents.as_ref().unwrap().as_slice(), [0x30, 3, 2, 1, 5]);
    let second = source.page(Some("p2")).await.unwrap();
    assert!(second.next.is_none() && second.items.len() == 2, "{second:?}");
    assert!(second.items.iter().all(|item| item.contents.is_err()), "{second:?}");
    let calls = world.http.calls();
    assert!(calls.iter().all(|call| !call.url.as_str().contains("evil") && !call.url.as_str().contains("..")));
    let forms: Vec<_> = calls.iter().filter(|call| call.method == Method::Post).collect();
    let [form] = forms.as_slice() else { panic!("{} tokens", forms.len()) };
    let assertion = url::form_urlencoded::parse(&form.body).find(|(name, _)| name == "assertion").unwrap().1;
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public).verify(signed.as_bytes(), &signature).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["aud"], &claims["iss"]), (&json!(TOKEN), &json!("certctl@shop-1.iam.gserviceaccount.com")));
}

#[tokio::test]
async fn failures_say_of_what_kind_they_are() {
    for (status, kind) in
        [(401, ConnectorErrorKind::Auth), (429, ConnectorErrorKind::Quota), (503, ConnectorErrorKind::Transient)]
    {
        let (world, source, _) = world().await;
        world.http.on(Method::Post, TOKEN, ScriptedHttp::response(status, ""));
        assert_eq!(source.page(None).await.unwrap_err().kind, kind);
    }
}

#[test]
fn what_is_wrong_with_the_credentials_is_said_without_them() {
    for credentials in ["s3cret", r#"{"client_email":"a@b","private_key":"s3cret"}"#] {
        let config = json!({ "project": "shop-1", "credentials": credentials });
        let refused = serde_json::from_value::<GcpSecretManagerConfig>(config).unwrap().validate().unwrap_err();
        assert!(refused.pointer == "/credentials" && !refused.to_string().contains("s3cret"), "{refused}");
    }
}
