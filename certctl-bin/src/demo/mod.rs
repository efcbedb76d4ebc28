//! `certctl demo`: a certificate's life, shown with real parts: a server over HTTPS, an agent, and an endpoint that serves.
//!
//! Nothing here is special: the server is the one of `certctl serve`, the agent that of `certctl agent`, and what is shown
//! is what their API and TLS handshakes say.

mod endpoint;
mod handshakes;
mod narrator;
mod placeholder;
mod scene;

use std::process::ExitCode;

use crate::arguments::DemoArguments;
use crate::config::LogFormat;
use crate::failure::Failure;
use crate::log;
use crate::shutdown::Shutdown;

use narrator::Narrator;
use scene::{Scene, Story};

/// Shows it; with `--once` the exit code says whether all went well.
pub(crate) async fn run(arguments: &DemoArguments) -> Result<ExitCode, Failure> {
    // The narration is the output; the log only says what goes wrong.
    log::start(if arguments.verbose { "info" } else { "error" }, LogFormat::Text)?;
    let shutdown = Shutdown::on_signals()?;
    let narrator = Narrator::begin();
    let scene = Scene::set(&narrator).await?;
    let outcome = tokio::select! {
        biased;
        () = shutdown.begun() => Err(Failure::new("stopped before the end")),
        outcome = scene.play(&narrator) => outcome,
    };
    let story = match outcome {
        Ok(story) => story,
        Err(failure) => {
            scene.strike().await;
            return Err(failure);
        }
    };
    tell(&story, &narrator)?;
    if !arguments.once && story.succeeded() {
        scene.invite()?;
        shutdown.begun().await;
    }
    scene.strike().await;
    Ok(if story.succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(story: &Story, narrator: &Narrator) -> Result<(), Failure> {
    narrator::plain("")?;
    narrator::plain(&format!("served before renewal  {}", story.before))?;
    narrator::plain(&format!("served after renewal   {}", story.after))?;
    let (made, failed) = (story.handshakes.made, story.handshakes.failed);
    narrator::plain(&format!("handshakes during it   {made}, {failed} failed"))?;
    if let Some(failure) = &story.handshakes.first_failure {
        narrator::plain(&format!("first failure          {failure}"))?;
    }
    let verdict = if story.succeeded() { "all went well" } else { "NOT all went well" };
    narrator::plain(&format!("{verdict} after {}", narrator.elapsed()))
}
