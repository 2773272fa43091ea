//! What a run's folder says of how it came about: configuration, command, versions, data.

use crate::Error;
use crate::checkpoint::policy_folder::write_json;
use crate::data::identity;
use crate::train::setup::Setup;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Writes `config.toml` (the whole configuration), and `run.json`; a resumption adds its command.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Path, setup: &Setup, command: &str) -> Result<(), Error> {
    let path = folder.join("config.toml");
    fs::write(&path, setup.config.to_toml()?).map_err(Error::io(&path))?;
    let path = folder.join("run.json");
    let earlier = fs::read_to_string(&path).ok();
    let earlier: Option<serde_json::Value> = earlier.and_then(|text| serde_json::from_str(&text).ok());
    let mut commands = earlier.and_then(|run| run["commands"].as_array().cloned()).unwrap_or_default();
    commands.push(json!(command));
    let datasets: Vec<serde_json::Value> = (0..setup.corpus.dataset_count())
        .map(|place| {
            let dataset = setup.corpus.dataset(place);
            Ok(json!({
                "name": setup.corpus.dataset_name(place),
                "episode_count": dataset.episode_count(),
                "frame_count": dataset.frame_count(),
                "sha256": identity(&setup.corpus, place)?,
            }))
        })
        .collect::<Result<_, Error>>()?;
    let run = json!({
        "commands": commands,
        "sinew_version": env!("CARGO_PKG_VERSION"),
        "git": git_description(),
        "checkpoint": setup.config.policy.checkpoint,
        "checkpoint_sha256": sinew_models::contract::hash_file(setup.base.weights.path())?.sha256,
        "fingerprint": setup.fingerprint()?,
        "datasets": datasets,
    });
    write_json(&path, &run, b"  ")
}

/// The commit of the repository that the command was given in, if it is one.
fn git_description() -> Option<String> {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
