//! The end of a run: its best policy as a bundle for the robot.

use crate::Error;
use crate::export::bundle::{self, Request};
use crate::export::engine::Engine;
use crate::export::{GraphDtype, layout};
use crate::train::setup::Setup;
use sinew_models::checkpoint::Checkpoint;
use sinew_models::embodiment::{Embodiment, Layout};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Allowed error of a stage in float32: as the reference against itself elsewhere.
const TOLERANCE: f64 = 1e-4;

/// What an export needs, found before the first step rather than after the last.
#[derive(Debug)]
pub struct Handover {
    engine: Engine,
    embodiment: Embodiment,
    layout: Layout,
}

impl Handover {
    /// Finds it, if the configuration asks for a bundle.
    ///
    /// # Errors
    /// If ONNX Runtime is not there, or the robot has no layout for what the policy sees and does, or
    /// the layout's names or rate are not the data's.
    pub fn prepare(setup: &Setup) -> Result<Option<Self>, Error> {
        let options = &setup.config.bundle;
        if !options.write {
            return Ok(None);
        }
        let embodiment = Embodiment::named(&setup.config.data.robot)?;
        let name = Some(options.layout.as_str()).filter(|name| !name.is_empty());
        let trained_on = setup.trained_on();
        let state_dim = trained_on.state.len() - trained_on.derived.len();
        let layout = layout::resolve(&embodiment, name, state_dim, trained_on.action.len())?;
        trained_on.check(&layout, false)?;
        for (number, formula) in trained_on.derived.iter().zip(trained_on.formulas(&layout, &embodiment)?) {
            formula.unit(&number.name)?;
        }
        Ok(Some(Self { engine: Engine::load(None)?, embodiment, layout }))
    }

    /// Exports a checkpoint to `bundle` in the run's folder.
    ///
    /// # Errors
    /// As [`bundle::export`].
    pub fn write(&self, checkpoint: &Path, run: &Path, command: &str) -> Result<PathBuf, Error> {
        let (output, fresh) = (run.join("bundle"), run.join(".bundle"));
        remove(&fresh)?;
        let checkpoint = Checkpoint::open(&checkpoint.join("pretrained_model"), None)?;
        let request = Request {
            checkpoint: &checkpoint,
            embodiment: &self.embodiment,
            layout: &self.layout,
            cameras: &BTreeMap::new(),
            trust_names: false,
            dtype: GraphDtype::F32,
            tolerance: TOLERANCE,
            output: &fresh,
            command,
        };
        bundle::export(&self.engine, &request)?;
        // There may be one of an earlier end of the same run, which went on since.
        remove(&output)?;
        std::fs::rename(&fresh, &output).map_err(Error::io(&output))?;
        Ok(output)
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    if folder.exists() { std::fs::remove_dir_all(folder).map_err(Error::io(folder)) } else { Ok(()) }
}
