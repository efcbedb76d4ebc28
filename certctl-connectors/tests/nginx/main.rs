//! The NGINX target against a real nginx: deployments, sabotage, and a stop at every change.

mod faulty;
mod site;

use std::collections::BTreeSet;
use std::future::Future;

use certctl_connectors::host::SystemCommands;
use certctl_core::connector::{DeployCause, DeployOutcome};
use certctl_core::ports::{CommandError, CommandSpec, Commands};
use certctl_core::testing::TestCertificate;
use libtest_mimic::{Arguments, Failed, Trial};

use faulty::Fault;
use site::{Site, ensure};

fn main() -> std::process::ExitCode {
    let arguments = Arguments::from_args();
    let is_absent = run(async {
        let version = SystemCommands.run(&CommandSpec::new(["nginx", "-v"])).await;
        Ok(matches!(version, Err(CommandError::NotFound { .. })))
    });
    let is_absent = is_absent.unwrap_or(true);
    let trials = vec![
        Trial::test("a_certificate_goes_into_service_without_a_failed_handshake", || {
            on_site(async |site| rollover(site).await)
        }),
        Trial::test("a_broken_configuration_leaves_the_old_files", || {
            on_site(async |site| broken_configuration(site).await)
        }),
        Trial::test("a_failed_reload_leaves_the_old_files", || on_site(async |site| failed_reload(site).await)),
        Trial::test("a_key_of_another_certificate_is_refused", || on_site(async |site| key_mismatch(site).await)),
        Trial::test("a_disk_that_is_full_at_any_change_leaves_the_old_files", || {
            on_site(async |site| full_disk(site).await)
        }),
        Trial::test("a_stop_at_any_change_leaves_what_nginx_accepts", || on_site(async |site| stops(site).await)),
    ];
    let trials = trials.into_iter().map(|trial| trial.with_ignored_flag(is_absent)).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run<T>(test: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(test)
}

/// Runs a test on an nginx of its own, which is stopped in any case.
fn on_site(test: impl AsyncFnOnce(&Site) -> Result<(), Failed>) -> Result<(), Failed> {
    run(async {
        let site = Site::start().await?;
        let result = test(&site).await;
        site.end(result).await
    })
}

/// While certificates change five times, every handshake succeeds and shows the one before or the one after.
async fn rollover(site: &Site) -> Result<(), Failed> {
    let mut certificates = vec![site.old.clone()];
    for _ in 0..5 {
        certificates.push(site.issue().await);
    }
    let target = site.target(site.config(), None)?;
    let known: BTreeSet<String> = certificates.iter().map(fingerprint).collect();
    let deploying = async {
        for certificate in certificates.iter().skip(1) {
            let outcome = target.deploy(site.deployment(certificate)).await?;
            ensure(outcome == deployed(certificate), || format!("{outcome:?}"))?;
            site.settle_on(certificate).await?;
            // A worker of before the reload may still answer now and then; what it shows is deployed once more.
            let unchanged = DeployOutcome::Unchanged { fingerprint: certificate.chain.fingerprint() };
            let mut again = target.deploy(site.deployment(certificate)).await?;
            for _ in 0..10 {
                if again == unchanged {
                    break;
                }
                ensure(again == deployed(certificate), || format!("{again:?}"))?;
                site.settle_on(certificate).await?;
                again = target.deploy(site.deployment(certificate)).await?;
            }
            ensure(again == unchanged, || format!("{again:?}"))?;
        }
        Ok::<(), Failed>(())
    };
    let looking = async {
        loop {
            match site.served().await {
                Ok(served) if known.contains(&served) => {}
                Ok(served) => return Failed::from(format!("nobody knows {served}")),
                Err(failed) => return failed,
            }
        }
    };
    tokio::select! {
        biased;
        failed = looking => Err(failed),
        done = deploying => done,
    }
}

async fn broken_configuration(site: &Site) -> Result<(), Failed> {
    site.break_configuration().await?;
    let certificate = site.issue().await;
    let error = failure(site.target(site.config(), None)?.deploy(site.deployment(&certificate)).await)?;
    ensure(error.cause == DeployCause::ConfigTest && error.rolled_back, || format!("{error:?}"))?;
    ensure(error.message.contains("no_such_directive"), || error.message.clone())?;
    site.is_old().await
}

async fn failed_reload(site: &Site) -> Result<(), Failed> {
    let mut config = site.config();
    config["reload_command"] = site.command(&["-s", "no-such-signal"]);
    let certificate = site.issue().await;
    let error = failure(site.target(config, None)?.deploy(site.deployment(&certificate)).await)?;
    ensure(error.cause == DeployCause::Reload && error.rolled_back, || format!("{error:?}"))?;
    ensure(error.message.contains("no-such-signal"), || error.message.clone())?;
    site.is_old().await
}

async fn key_mismatch(site: &Site) -> Result<(), Failed> {
    let certificate = TestCertificate { key_pem: site.old.key_pem.clone(), ..site.issue().await };
    let error = failure(site.target(site.config(), None)?.deploy(site.deployment(&certificate)).await)?;
    ensure(error.cause == DeployCause::KeyMismatch && error.rolled_back, || format!("{error:?}"))?;
    site.is_old().await
}

async fn full_disk(site: &Site) -> Result<(), Failed> {
    let certificate = site.issue().await;
    for change in 0.. {
        let target = site.target(site.config(), Some(Fault::DiskFull { change }))?;
        let Err(error) = target.deploy(site.deployment(&certificate)).await else {
            // Only what is written after everything is in service may fail unnoticed.
            ensure(change > 10, || format!("only {change} changes"))?;
            return site.is_new(&certificate).await;
        };
        ensure(error.cause == DeployCause::DiskFull && error.rolled_back, || format!("{change}: {error:?}"))?;
        site.is_old().await.map_err(|failed| named(change, failed))?;
    }
    Ok(())
}

async fn stops(site: &Site) -> Result<(), Failed> {
    let certificates = [site.issue().await, site.issue().await];
    for change in 0.. {
        let certificate = &certificates[usize::from(change % 2 == 0)];
        let (target, stopped) = site.stopping_target(change)?;
        let outcome = target.deploy(site.deployment(certificate)).await;
        let named = |failed: Failed| named(change, failed);
        // Whatever was done so far: nginx would start and reload with it.
        site.is_accepted().await.map_err(named)?;
        if !stopped() {
            outcome?;
            ensure(change > 10, || format!("only {change} changes"))?;
            return site.is_new(certificate).await;
        }
        site.target(site.config(), None)?.recover().await?;
        site.is_accepted().await.map_err(named)?;
        site.has_no_journal().await.map_err(named)?;
    }
    Ok(())
}

fn named(change: u64, failed: Failed) -> Failed {
    Failed::from(format!("change {change}: {}", failed.message().unwrap_or_default()))
}

fn fingerprint(certificate: &TestCertificate) -> String {
    certificate.chain.fingerprint().to_string()
}

fn deployed(certificate: &TestCertificate) -> DeployOutcome {
    DeployOutcome::Deployed { fingerprint: certificate.chain.fingerprint() }
}

fn failure<T: std::fmt::Debug, E>(outcome: Result<T, E>) -> Result<E, Failed> {
    match outcome {
        Ok(outcome) => Err(Failed::from(format!("it should have failed: {outcome:?}"))),
        Err(error) => Ok(error),
    }
}
