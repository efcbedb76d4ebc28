//! A target writes where its kind or its host allows it, and nowhere else: configuration comes from a server.

use std::path::{Path, PathBuf};

use super::{Bench, Site, deploy};
use crate::connector::{DeployCause, DeployError, Target};
use crate::ports::Files;
use crate::testing::block_on;

/// Nothing that a kind of target uses by itself.
const ELSEWHERE: &str = "/elsewhere/of-the-suite";
const SECRET: &str = "/elsewhere/of-somebody";

/// Refused by the local policy, lastingly, with nothing touched.
fn is_refused(site: &Site<'_>, target: &dyn Target, add: &str) {
    let entries = site.world.files.entries();
    for outcome in [deploy(target, &site.bench.certificates.new).map(drop), block_on(target.recover())] {
        let DeployError { cause, message, rolled_back, retryable } = outcome.expect_err("it is not allowed there");
        assert_eq!((cause, rolled_back, retryable), (DeployCause::LocalPolicy, true, false), "{message}");
        assert!(message.contains(&format!("--allow-path {add:?}")), "the message says what to add: {message}");
    }
    assert_eq!(site.world.files.entries(), entries);
    assert!(site.world.commands.calls().is_empty());
}

pub(super) fn a_place_that_is_not_allowed_is_refused(bench: &Bench<'_>) {
    let Some(config) = bench.subject.config_below(Path::new(ELSEWHERE)) else { return };
    let site = bench.site(None);
    is_refused(&site, &*site.target_with(&config, Vec::new()), ELSEWHERE);
    // Names that begin alike are other directories.
    is_refused(&site, &*site.target_with(&config, vec![PathBuf::from("/elsewhere/of")]), ELSEWHERE);
}

pub(super) fn a_place_that_the_host_allows_is_used(bench: &Bench<'_>) {
    let Some(config) = bench.subject.config_below(Path::new(ELSEWHERE)) else { return };
    let site = bench.site(None);
    let target = site.target_with(&config, vec![PathBuf::from(ELSEWHERE)]);
    block_on(target.recover()).unwrap();
    deploy(&*target, &bench.certificates.new).unwrap();
    let entries = site.world.files.entries();
    let mut written = entries.keys().filter(|path| Path::new(ELSEWHERE) != *path && *path != Path::new("/elsewhere"));
    assert!(written.clone().count() > 0, "nothing was written");
    assert!(written.all(|path| path.starts_with(ELSEWHERE)), "something was written outside: {entries:?}");
}

pub(super) fn no_link_leads_out_of_a_place(bench: &Bench<'_>) {
    let below = Path::new(ELSEWHERE).join("tls");
    let Some(config) = bench.subject.config_below(&below) else { return };
    for link_target in [SECRET, "../of-somebody", "../of-the-suite/../of-somebody"] {
        let site = bench.site(None);
        site.world.files.insert(Path::new(SECRET).join("here"), "", 0o600);
        site.world.files.insert(Path::new(ELSEWHERE).join("here"), "", 0o600);
        block_on(site.world.files.symlink(Path::new(link_target), &below)).unwrap();
        let allowed = vec![PathBuf::from(ELSEWHERE)];
        is_refused(&site, &*site.target_with(&config, allowed.clone()), SECRET);
        // Where the link leads is allowed: then it is followed.
        let target = site.target_with(&config, [allowed, vec![PathBuf::from(SECRET)]].concat());
        deploy(&*target, &bench.certificates.new).unwrap();
    }
}

pub(super) fn no_dots_lead_out_of_a_place(bench: &Bench<'_>) {
    let around = Path::new(ELSEWHERE).join("../of-somebody");
    let Some(config) = bench.subject.config_below(&around) else { return };
    // Refused when it is written, or by the host at the latest.
    if bench.entry.validate(&config).is_ok() {
        let site = bench.site(None);
        is_refused(&site, &*site.target_with(&config, vec![PathBuf::from(ELSEWHERE)]), SECRET);
    }
}
