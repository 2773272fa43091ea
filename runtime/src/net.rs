//! Opening zenoh as the configuration says.

use crate::config::{Mode, ZenohConfig};
use crate::error::Error;
use zenoh::{Config, Session, Wait};

/// The most that zenoh allows.
const QUEUED_BATCHES: u64 = 16;

/// Opens a session.
///
/// # Errors
/// If an endpoint is none, a port is taken, or a client finds nobody to connect to.
pub fn open(config: &ZenohConfig) -> Result<Session, Error> {
    let describe = || format!("opening as {:?}, {}", config.mode, endpoints(config)).to_lowercase();
    zenoh::open(settings(config)?).wait().map_err(Error::zenoh(describe()))
}

/// Where others can reach a session.
#[must_use]
pub fn locators(session: &Session) -> Vec<String> {
    session.info().locators().wait().iter().map(ToString::to_string).collect()
}

fn settings(config: &ZenohConfig) -> Result<Config, Error> {
    let mode = match config.mode {
        Mode::Peer => "peer",
        Mode::Client => "client",
        Mode::Router => "router",
    };
    let settings = [
        ("mode", serde_json::Value::from(mode)),
        ("listen/endpoints", config.listen.clone().into()),
        ("connect/endpoints", config.connect.clone().into()),
        ("scouting/multicast/enabled", config.scouting.into()),
        ("transport/shared_memory/enabled", config.shared_memory.into()),
        // Opening need not wait for peers of peers: whoever must be there is waited for by name.
        ("open/return_conditions/connect_scouted", false.into()),
        // Zenoh queues two batches of 64 kB a priority. A chunk's seven messages, or a camera's frame, sent while the
        // sending thread has no processor, would not find room and be dropped.
        ("transport/link/tx/queue/size/interactive_high", QUEUED_BATCHES.into()),
        ("transport/link/tx/queue/size/data", QUEUED_BATCHES.into()),
    ];
    let mut zenoh = Config::default();
    for (key, value) in settings {
        let text = value.to_string();
        zenoh.insert_json5(key, &text).map_err(Error::zenoh(format!("setting {key} to {text}")))?;
    }
    Ok(zenoh)
}

fn endpoints(config: &ZenohConfig) -> String {
    let list = |endpoints: &[String]| {
        if endpoints.is_empty() { "nothing".to_owned() } else { endpoints.join(" ") }
    };
    format!("listening on {}, connecting to {}", list(&config.listen), list(&config.connect))
}
