//! What agents and clients send as JSON: no panic, and what is read can be written.

#![no_main]

use certctl_http::wire::{
    AgentCsr, CreateCertificate, CreateIntermediate, CreateProfile, DiscoveryReport, Heartbeat, JobReport, RegisterAgent,
    UpdateRenewalPolicy, VerifyDeployment,
};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read_and_written<T: DeserializeOwned + Serialize>(octets: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(octets) {
        let text = serde_json::to_vec(&message).unwrap();
        assert!(serde_json::from_slice::<T>(&text).is_ok());
    }
}

fuzz_target!(|octets: &[u8]| {
    read_and_written::<Heartbeat>(octets);
    read_and_written::<AgentCsr>(octets);
    read_and_written::<JobReport>(octets);
    read_and_written::<DiscoveryReport>(octets);
    read_and_written::<RegisterAgent>(octets);
    read_and_written::<VerifyDeployment>(octets);
    read_and_written::<CreateCertificate>(octets);
    read_and_written::<CreateProfile>(octets);
    read_and_written::<CreateIntermediate>(octets);
    read_and_written::<UpdateRenewalPolicy>(octets);
});
