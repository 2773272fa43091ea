//! `sinew-trainer inspect`

use super::{episode_bar, print, report};
use crate::Error;
use crate::data::{Description, Hub, check, every_episode};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The dataset's folder, or its name on the Hugging Face hub.
    dataset: String,
    /// Decode every picture too.
    #[arg(long)]
    decode: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(&self) -> Result<(), Error> {
        let dataset = Hub::from_env().open(&self.dataset, every_episode)?;
        let description = Description::of(&dataset);
        let bar = episode_bar(dataset.episode_count());
        let findings = check(&dataset, self.decode, || bar.inc(1));
        bar.finish_and_clear();
        if self.json {
            print(&format!("{:#}", json!({ "dataset": description, "findings": findings })))?;
        } else {
            print(&description.to_string())?;
        }
        report(&findings);
        match findings.fault_count() {
            0 => Ok(()),
            fault_count => Err(Error::Unsound { path: dataset.root().to_owned(), fault_count }),
        }
    }
}
