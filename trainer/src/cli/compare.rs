//! `sinew-trainer compare`

use super::print;
use crate::Error;
use crate::analyze::compare::{Analysed, compare, write};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The folder of the analysis before.
    before: PathBuf,
    /// The folder of the analysis after.
    after: PathBuf,
    /// Where `compare.html` and `comparison.json` go.
    #[arg(long)]
    output: PathBuf,
    /// Decides the draws of the intervals.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print comparison.json.
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(super) fn run(&self) -> Result<(), Error> {
        let comparison = compare(&Analysed::read(&self.before)?, &Analysed::read(&self.after)?, self.seed);
        write(&self.output, &comparison)?;
        if self.json {
            print(&format!("{:#}", json!(comparison)))
        } else {
            print(comparison.to_string().trim_end())
        }
    }
}
