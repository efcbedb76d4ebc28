//! A recorded exchange, by the public documentation of the service.

use certctl_core::connector::ConnectorErrorKind;
use certctl_core::ports::Method;
use certctl_core::testing::{FakePorts, ScriptedHttp, block_on, connector_context};
use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "https://login.microsoftonline.com/t-1/oauth2/v2.0/token";
const VAULT: &str = "https://shop.vault.azure.net";

fn source(world: &FakePorts) -> Arc<dyn DiscoverySource> {
    let config = json!({ "vault_url": VAULT, "tenant_id": "t-1", "client_id": "c-1", "client_secret": "s3cret" });
    let ports = world.ports();
    let cx = connector_context("suite", ports);
    let valid = serde_json::from_value::<AzureKeyVaultConfig>(config).unwrap().validate().unwrap();
    AzureKeyVault::build(valid, &cx).unwrap()
}

fn serve(world: &FakePorts, next: &str) {
    let on = |method, url: String, body: Value| world.http.on(method, &url, ScriptedHttp::json(200, &body));
    on(Method::Post, TOKEN.into(), json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": "t0ken" }));
    let entry = |name: &str| json!({ "id": format!("{VAULT}/certificates/{name}"), "attributes": { "enabled": true } });
    on(
        Method::Get,
        format!("{VAULT}/certificates?api-version=7.4&maxresults=25"),
        json!({ "value": [entry("shop"), { "id": "https://evil.example/certificates/x" }], "nextLink": next }),
    );
    on(Method::Get, next.into(), json!({ "value": [entry("blog"), entry("new")], "nextLink": null }));
    let one = |name: &str, cer: Value| {
        let id = format!("{VAULT}/certificates/{name}/0123456789abcdef");
        on(Method::Get, format!("{VAULT}/certificates/{name}?api-version=7.4"), json!({ "id": id, "cer": cer }));
    };
    one("shop", json!("MAMCAQU="));
    one("blog", json!("no base64!"));
    one("new", Value::Null);
}

#[test]
fn certificates_are_fetched_page_by_page_with_one_token() {
    let world = FakePorts::seeded(1);
    let next = format!("{VAULT}/certificates?api-version=7.4&$skiptoken=abc");
    serve(&world, &next);
    let source = source(&world);
    let first = block_on(source.page(None)).unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (1, Some(next.as_str())));
    assert_eq!(first.items[0].path, "azure-kv://shop.vault.azure.net/shop");
    assert_eq!(first.items[0].contents.as_ref().unwrap().as_slice(), [0x30, 3, 2, 1, 5]);
    let second = block_on(source.page(Some(&next))).unwrap();
    assert!(second.next.is_none() && second.items.iter().all(|item| item.contents.is_err()), "{second:?}");
    let calls = world.http.calls();
    assert_eq!(calls.iter().filter(|call| call.method == Method::Post).count(), 1);
    let form = String::from_utf8(calls[0].body.to_vec()).unwrap();
    assert!(form.contains("scope=https%3A%2F%2Fvault.azure.net%2F.default") && form.contains("client_secret=s3cret"));
    assert!(calls.iter().all(|call| !call.url.as_str().contains("evil")), "the token stays with the vault");
}

#[test]
fn a_next_page_elsewhere_is_not_asked_and_failures_say_of_what_kind_they_are() {
    let world = FakePorts::seeded(1);
    serve(&world, &format!("{VAULT}/certificates?next"));
    let elsewhere = block_on(source(&world).page(Some("https://evil.example/certificates"))).unwrap_err();
    assert_eq!((elsewhere.kind, world.http.calls().len()), (ConnectorErrorKind::Permanent, 0));
    for (status, kind) in
        [(401, ConnectorErrorKind::Auth), (429, ConnectorErrorKind::Quota), (500, ConnectorErrorKind::Transient)]
    {
        let world = FakePorts::seeded(1);
        world.http.on(Method::Post, TOKEN, ScriptedHttp::response(status, "s3cret"));
        let error = block_on(source(&world).page(None)).unwrap_err();
        assert!(error.kind == kind && !error.explained().contains("s3cret"), "{error}");
    }
}
