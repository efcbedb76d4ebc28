//! An engine in memory, and one certificate for a key that the engine never sees.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use certctl_connectors::Ephemeral;
use certctl_core::domain::{KeyAlgorithm, Principal, SubjectNames};
use certctl_core::ops::certificate::{Create, Get, SubmitCsr};
use certctl_core::{Engine, pki};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::ephemeral().await?;
    let me = Principal::embedder("quickstart");
    let created = engine.execute(&me, Create::new("shop", "shop.example.com")).await?;
    let id = created.certificate.id;
    println!("{id} is {}", created.status);

    // Any PKCS#10 request for exactly these names will do, such as one of `openssl req`.
    let key = engine.ports().keys.generate(KeyAlgorithm::EcdsaP256, &*engine.ports().rng).await?;
    let csr = pki::csr::build(&SubjectNames::new("shop.example.com", &[])?, &*key.signer).await?;
    engine.execute(&me, SubmitCsr { id: id.clone(), csr_pem: csr.to_pem() }).await?;

    let issued = engine.execute(&me, Get { id }).await?;
    let version = issued.newest.ok_or("the request was not certified")?;
    println!("{} is {} until {}", issued.certificate.id, issued.status, version.not_after);
    print!("{}", version.chain.to_pem());
    Ok(())
}

#[test]
fn it_runs() -> Result<(), Box<dyn Error>> {
    main()
}
