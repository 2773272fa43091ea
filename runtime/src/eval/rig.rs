//! A simulated robot that can be asked: the program, if it is ours to start, and its queries.

use super::verdict::Items;
use crate::error::Error;
use crate::stop::Stop;
use serde::Deserialize;
use serde_json::{Value, json};
use sinew_proto::key::Key;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zenoh::{Session, Wait};

/// Where a rig is asked.
const KEY: &str = "sim/command";
/// How long an answer may take: a rig without a graphics card draws slowly.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a rig may take until it is there.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How long to wait for an answer from a rig that may not be there yet.
const KNOCK: Duration = Duration::from_millis(300);
/// How long a rig may take to end.
const END_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(20);

/// A rig.
#[derive(Debug)]
pub(super) struct Rig {
    session: Session,
    key: String,
    program: Option<Child>,
}

/// What a rig answers when it is asked for its state.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    /// Things by name.
    pub(super) items: Items,
    /// How everything stands, in words of its own.
    pub(super) scene: Option<serde_json::Value>,
    /// Its time, seconds.
    #[serde(default)]
    pub(super) time_s: f64,
    /// Times it was put back.
    #[serde(default)]
    pub(super) reset_count: u64,
    /// Whether its time stands still unless it is told otherwise.
    #[serde(default)]
    pub(super) is_stepped: bool,
}

#[derive(Deserialize)]
struct Tasks {
    tasks: BTreeMap<String, String>,
}

impl Rig {
    /// Starts a rig's program, if a command line is given, and waits until one is there.
    pub(super) fn find(
        session: &Session,
        namespace: &str,
        command: Option<&str>,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let program = command.map(start).transpose()?;
        let key = Key::of_topic_in(namespace, KEY)?.to_string();
        let mut rig = Self { session: session.clone(), key, program };
        let start = Instant::now();
        while let Err(silence) = rig.ask_within(&json!({ "state": true }), KNOCK) {
            rig.expect_alive()?;
            if stop.is_requested() || start.elapsed() > START_PATIENCE {
                return Err(silence);
            }
            tracing::debug!("{silence}");
            std::thread::sleep(KNOCK);
        }
        Ok(rig)
    }

    /// Its tasks: what it is told, by the name of the thing that has to end well.
    pub(super) fn tasks(&self) -> Result<BTreeMap<String, String>, Error> {
        self.read::<Tasks>(&json!({ "tasks": true })).map(|found| found.tasks)
    }

    /// What became of its things.
    pub(super) fn state(&self) -> Result<State, Error> {
        self.read(&json!({ "state": true }))
    }

    /// Asks for something and reads the answer.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self, command: &Value) -> Result<T, Error> {
        let answer = self.ask(command)?;
        serde_json::from_value(answer).map_err(|error| refused(format!("answer to {command}: {error}")))
    }

    /// Asks for something.
    pub(super) fn ask(&self, command: &Value) -> Result<Value, Error> {
        let answer = self.ask_within(command, PATIENCE)?;
        match answer.get("error") {
            Some(error) => Err(refused(format!("{command}: {error}"))),
            None => Ok(answer),
        }
    }

    fn ask_within(&self, command: &Value, patience: Duration) -> Result<Value, Error> {
        let asked = self.session.get(&self.key).payload(command.to_string()).timeout(patience).wait();
        let answers = asked.map_err(Error::zenoh(format!("asking on {}", self.key)))?;
        let silence = || refused(format!("no answer to {command} on `{}`", self.key));
        let answer = answers.recv().map_err(|_| silence())?;
        let sample = answer.result().map_err(|_| silence())?;
        let text = sample.payload().to_bytes();
        serde_json::from_slice(&text).map_err(|error| refused(format!("answer to {command}: {error}")))
    }

    fn expect_alive(&mut self) -> Result<(), Error> {
        let ended = self.program.as_mut().and_then(|program| program.try_wait().ok().flatten());
        ended.map_or(Ok(()), |status| Err(refused(format!("its program ended: {status}"))))
    }
}

impl Drop for Rig {
    /// Its program ends with its standard input.
    fn drop(&mut self) {
        let Some(mut program) = self.program.take() else { return };
        drop(program.stdin.take());
        let start = Instant::now();
        while matches!(program.try_wait(), Ok(None)) && start.elapsed() < END_PATIENCE {
            std::thread::sleep(POLL);
        }
        // Already gone, or it does not want to.
        let _ = program.kill();
        let _ = program.wait();
    }
}

fn start(command: &str) -> Result<Child, Error> {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {command}")]).stdin(Stdio::piped()).stdout(Stdio::null());
    shell.spawn().map_err(|source| Error::Io { path: command.into(), source })
}

pub(super) fn refused(message: String) -> Error {
    Error::Rig { message }
}
