//! `certctl mcp`: the API as tools for assistants, by the Model Context Protocol over standard input and output.

mod message;
mod server;
mod tool;

use std::sync::Arc;

use clap::Args;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::arguments::Place;
use crate::cli;
use crate::config::Environment;
use crate::failure::Failure;
use crate::output;
use message::{BUSY, INVALID_REQUEST, LONGEST, Line, Message, Said, failure, next_line, read};
use server::Server;

/// So many calls may be under way at once.
const AT_ONCE: usize = 16;

/// `certctl mcp`.
#[derive(Debug, Args)]
pub(crate) struct McpArguments {
    #[command(flatten)]
    place: Place,
}

/// Answers messages until the input ends.
pub(crate) async fn run(arguments: McpArguments, environment: &Environment) -> Result<(), Failure> {
    let server = Arc::new(Server::new(cli::client(arguments.place, environment).await?)?);
    let mut lines = lines();
    let mut under_way = JoinSet::new();
    while let Some(line) = lines.recv().await {
        while under_way.try_join_next().is_some() {}
        let said = match line {
            Line::TooLong => {
                let text = format!("the message is longer than {LONGEST} bytes");
                Said::One(Message::Bad(failure(&Value::Null, INVALID_REQUEST, &text)))
            }
            Line::Whole(line) if line.trim_ascii().is_empty() => continue,
            Line::Whole(line) => read(&line),
        };
        if under_way.len() >= AT_ONCE {
            refuse(&said)?;
            continue;
        }
        let server = Arc::clone(&server);
        under_way.spawn(async move { say(answers(&server, said).await) });
    }
    while under_way.join_next().await.is_some() {}
    Ok(())
}

/// The lines of standard input, read by a thread of their own, because a read cannot be waited for otherwise.
fn lines() -> mpsc::Receiver<Line> {
    let (send, lines) = mpsc::channel(AT_ONCE);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Ok(Some(line)) = next_line(&mut input, LONGEST) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn answers(server: &Server, said: Said) -> Option<Value> {
    match said {
        Said::One(message) => server.answer(message).await,
        Said::Batch(messages) => {
            let mut all = Vec::new();
            for message in messages {
                all.extend(server.answer(message).await);
            }
            (!all.is_empty()).then_some(Value::Array(all))
        }
    }
}

fn say(answer: Option<Value>) -> Result<(), Failure> {
    answer.map_or(Ok(()), |answer| output::line(answer.to_string()))
}

/// Says that there is too much to do.
fn refuse(said: &Said) -> Result<(), Failure> {
    let messages = match said {
        Said::One(message) => std::slice::from_ref(message),
        Said::Batch(messages) => messages,
    };
    for message in messages {
        if let Message::Request { id, .. } = message {
            let text = format!("{AT_ONCE} calls are under way; try again when one has ended");
            say(Some(failure(id, BUSY, &text)))?;
        }
    }
    Ok(())
}
