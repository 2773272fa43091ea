//! `sinew-trainer inspect`

use super::{episode_bar, print, report};
use crate::Error;
use crate::data::{Description, EpisodeSpan, Hub, check, episodes_in, files_in};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The dataset's folder, or its name on the Hugging Face hub.
    dataset: String,
    /// The episodes to check, e.g. `3,10-40`, which are all that is fetched of a dataset on the hub. Without it: all.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    episodes: Vec<EpisodeSpan>,
    /// Decode every picture too.
    #[arg(long)]
    decode: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(&self) -> Result<(), Error> {
        let dataset = Hub::from_env().open(&self.dataset, |dataset| files_in(dataset, &self.episodes))?;
        let episodes = episodes_in(&dataset, &self.episodes)?;
        let description = Description::of(&dataset);
        let bar = episode_bar(episodes.len());
        let findings = check(&dataset, &episodes, self.decode, || bar.inc(1));
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
