//! The `checkpoints/` folder of a run: whole checkpoints by step, the links `last` and `best`, and nothing else.

use crate::Error;
use crate::checkpoint::tensors::sync;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where a run keeps its checkpoints.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    keep_last: usize,
}

impl Store {
    /// The folder `checkpoints` of a run. Of the checkpoints, the newest `keep_last` and the best stay; 0 keeps all.
    ///
    /// # Errors
    /// If the folder cannot be made, or what a killed run left in it cannot be removed.
    pub fn open(run: &Path, keep_last: usize) -> Result<Self, Error> {
        let folder = run.join("checkpoints");
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        let store = Self { folder, keep_last };
        for name in store.names()? {
            if name.starts_with('.') {
                store.remove(&name)?;
            }
        }
        Ok(store)
    }

    /// The newest checkpoint, if there is one.
    pub fn last(&self) -> Option<PathBuf> {
        fs::canonicalize(self.folder.join("last")).ok()
    }

    /// The newest checkpoint of a run that is to go on; none if it was killed before its first.
    ///
    /// # Errors
    /// If there was one, and is no more.
    pub fn resumable(&self) -> Result<Option<PathBuf>, Error> {
        let link = self.folder.join("last");
        if link.symlink_metadata().is_err() {
            return Ok(None);
        }
        fs::canonicalize(&link).map(Some).map_err(Error::io(&link))
    }

    /// The one marked as the best, if there is one.
    pub fn best(&self) -> Option<PathBuf> {
        fs::canonicalize(self.folder.join("best")).ok()
    }

    /// Writes the checkpoint of a step: all of it, or nothing and an error, with the earlier ones as they were.
    ///
    /// # Errors
    /// If `write` fails, or the system does.
    pub fn save(&self, step: u64, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<PathBuf, Error> {
        let partial = self.folder.join(format!(".{step:06}.partial"));
        let place = self.folder.join(format!("{step:06}"));
        let written = fs::create_dir(&partial)
            .map_err(Error::io(&partial))
            .and_then(|()| write(&partial))
            .and_then(|()| sync(&partial))
            .and_then(|()| self.replace(&partial, &place));
        if let Err(error) = written {
            // The first error is the one to report; what cannot be removed now is when the run goes on.
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
        self.link("last", step)?;
        Ok(place)
    }

    /// Marks the checkpoint of a step as the best.
    ///
    /// # Errors
    /// If the link cannot be made.
    pub fn mark_best(&self, step: u64) -> Result<(), Error> {
        self.link("best", step)
    }

    /// Removes what need not be kept.
    ///
    /// # Errors
    /// If the folder cannot be read or a checkpoint cannot be removed.
    pub fn prune(&self) -> Result<(), Error> {
        if self.keep_last == 0 {
            return Ok(());
        }
        let kept: Vec<String> = ["last", "best"].iter().filter_map(|link| self.target(link)).collect();
        let is_step = |name: &String| name.parse::<u64>().is_ok();
        let mut steps: Vec<String> = self.names()?.into_iter().filter(is_step).collect();
        steps.sort_by_key(|name| name.parse::<u64>().unwrap_or_default());
        let surplus = steps.len().saturating_sub(self.keep_last);
        for name in &steps[..surplus] {
            if kept.contains(name) {
                continue;
            }
            // Renamed first, so that a kill in between leaves no half of a checkpoint under its name.
            let doomed = format!(".{name}.removed");
            let (from, to) = (self.folder.join(name), self.folder.join(&doomed));
            fs::rename(&from, &to).map_err(Error::io(&from))?;
            self.remove(&doomed)?;
        }
        Ok(())
    }

    /// A run that was killed before it linked this checkpoint comes by again.
    fn replace(&self, partial: &Path, place: &Path) -> Result<(), Error> {
        let doomed = partial.with_extension("removed");
        let is_there = place.exists();
        if is_there {
            fs::rename(place, &doomed).map_err(Error::io(place))?;
        }
        fs::rename(partial, place).map_err(Error::io(place))?;
        if is_there { fs::remove_dir_all(&doomed).map_err(Error::io(&doomed)) } else { Ok(()) }
    }

    fn target(&self, link: &str) -> Option<String> {
        let target = fs::read_link(self.folder.join(link)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// Replaces a link in one step.
    fn link(&self, name: &str, step: u64) -> Result<(), Error> {
        let (new, place) = (self.folder.join(format!(".{name}.new")), self.folder.join(name));
        let _ = fs::remove_file(&new);
        symlink(format!("{step:06}"), &new).map_err(Error::io(&new))?;
        fs::rename(&new, &place).map_err(Error::io(&place))?;
        sync(&self.folder)
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(Error::io(&self.folder))? {
            let entry = entry.map_err(Error::io(&self.folder))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.folder.join(name);
        let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(Error::io(&path))
    }
}
