//! OpenSSL writes requests that we read, and reads and believes what our responders sign.

use std::time::{Duration, SystemTime};

use certctl_core::domain::{KeyAlgorithm, RevocationReason, Timestamp};
use certctl_core::pki::certificate::Authority;
use certctl_core::pki::ocsp::{
    CertStatus, IssuerHashes, OcspError, OcspRequest, ResponseData, SingleResponse, archive_cutoff,
};
use libtest_mimic::{Failed, Trial};

use crate::authorities::{Authorities, EVERY_KEY, NOW};
use crate::openssl::Openssl;

/// One trial for each kind of authority key.
pub(crate) fn trials(openssl: Option<&Openssl>) -> Vec<Trial> {
    let trial = |key: KeyAlgorithm| {
        let name = format!("ocsp_responses_below_{}_are_believed", key.to_string().replace([' ', '-'], "_"));
        let found = openssl.cloned();
        let believed = move || found.map_or_else(|| Err("openssl is not installed".into()), |one| believed(&one, key));
        Trial::test(name, believed).with_ignored_flag(openssl.is_none())
    };
    EVERY_KEY.into_iter().map(trial).collect()
}

fn believed(openssl: &Openssl, key: KeyAlgorithm) -> Result<(), Failed> {
    let authorities = Authorities::new(key);
    let root = openssl.file("root.pem", &authorities.root_pem());
    let issuing = openssl.file("issuing.pem", &authorities.issuing_pem());
    let (responder, _) = authorities.responder();
    let hashes = IssuerHashes::of(&Authority::from_certificate(&authorities.issuing).unwrap()).unwrap();
    let (asked, answer) = (openssl.path("request.der"), openssl.path("response.der"));
    // OpenSSL compares the times in a response with the clock of the machine, whatever -attime says.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let now = Timestamp::from_unix_seconds(i64::try_from(now).unwrap());
    let at = (NOW + Duration::from_secs(1)).unix_seconds().to_string();
    for hash in ["-sha1", "-sha256", "-sha384", "-sha512"] {
        for nonce in ["-nonce", "-no_nonce"] {
            let serials = ["1", "2", "3", "4"].map(|serial| ["-serial", serial]).concat();
            let mut arguments = vec!["-issuer", issuing.as_str()];
            arguments.extend(serials);
            openssl.run(&[&["ocsp", hash, nonce][..], &arguments, &["-reqout", &asked]].concat())?;
            let der = std::fs::read(&asked)?;
            let request = OcspRequest::parse(&der)?;
            if !request.ids.iter().all(|id| hashes.are_of(id)) || request.nonce.is_some() != (nonce == "-nonce") {
                return Err(format!("{hash} {nonce} was read as something else").into());
            }
            let statuses = [
                CertStatus::Good,
                CertStatus::Revoked { at: now - Duration::from_hours(1), reason: RevocationReason::KeyCompromise },
                CertStatus::Unknown,
                CertStatus::Revoked { at: now, reason: RevocationReason::Unspecified },
            ];
            let responses: Vec<SingleResponse<'_>> = request
                .ids
                .iter()
                .zip(statuses)
                .map(|(id, status)| SingleResponse {
                    cert_id: id.der(),
                    status,
                    this_update: now,
                    next_update: now + Duration::from_hours(1),
                    extensions: vec![archive_cutoff(now - Duration::from_hours(24))],
                })
                .collect();
            let data = ResponseData { produced_at: now, responses: &responses, nonce: request.nonce };
            let signed = authorities.runtime.block_on(responder.sign(&data))?;
            std::fs::write(&answer, responder.respond(&signed))?;
            let told = openssl.run_both(
                &[
                    // It would put another nonce into the request.
                    &["ocsp", hash, "-no_nonce"][..],
                    &arguments,
                    &["-reqin", &asked, "-respin", &answer, "-CAfile", &root, "-verify_other", &issuing],
                    &["-attime", &at, "-resp_text"],
                ]
                .concat(),
            )?;
            let without = nonce == "-nonce" && !told.contains("OCSP Nonce");
            let said = [
                "Response verify OK",
                "Archive Cutoff",
                "Responder Id: ",
                "1: good",
                "2: revoked",
                "3: unknown",
                "4: revoked",
                "Reason: keyCompromise",
            ];
            if without || !said.iter().all(|text| told.contains(text)) || told.contains("WARNING") {
                return Err(format!("{hash} {nonce}: {told}").into());
            }
        }
    }
    for (error, text) in [
        (OcspError::MalformedRequest, "malformedrequest"),
        (OcspError::InternalError, "internalerror"),
        (OcspError::TryLater, "trylater"),
        (OcspError::Unauthorized, "unauthorized"),
    ] {
        std::fs::write(&answer, error.der())?;
        let told = match openssl.run_both(&["ocsp", "-respin", &answer, "-noverify"]) {
            Ok(told) | Err(told) => told,
        };
        if !told.contains(text) {
            return Err(told.into());
        }
    }
    Ok(())
}
