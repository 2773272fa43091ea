//! Files that appear whole: written aside, synchronised, renamed into place, the decisive one last.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where unfinished files are, inside the dataset's folder. Its presence marks a set that a writer has begun.
const FOLDER: &str = ".sinew-writing";
const LOCK: &str = "lock";

/// The folder of unfinished files, held by one writer at a time.
#[derive(Debug)]
pub(crate) struct Staging {
    root: PathBuf,
    folder: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Staging {
    /// Whether a writer once began in `root` and did not come to its end.
    pub(crate) fn is_in(root: &Path) -> bool {
        root.join(FOLDER).is_dir()
    }

    /// Takes hold of the set in `root`, and clears away what an earlier writer left unfinished.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let path = folder.join(LOCK);
        let lock = File::create(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: root.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(Error::Io { path, source }),
        }
        let staging = Self { root: root.to_owned(), folder, _lock: lock };
        staging.clear()?;
        Ok(staging)
    }

    /// Where to write a file of this name for now.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Removes unfinished files.
    pub(crate) fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let path = entry.map_err(at(&self.folder))?.path();
            if path.file_name().is_some_and(|name| name != LOCK) {
                fs::remove_file(&path).map_err(at(&path))?;
            }
        }
        Ok(())
    }

    /// Removes the folder: nothing is unfinished.
    pub(crate) fn close(self) -> Result<()> {
        fs::remove_dir_all(&self.folder).map_err(at(&self.folder))
    }

    pub(crate) fn begin(&self) -> Change<'_> {
        Change { staging: self, moves: Vec::new() }
    }
}

/// Files that are going to be put in place together.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    staging: &'a Staging,
    /// From where to where, in the order in which they become visible.
    moves: Vec<(PathBuf, PathBuf)>,
}

impl Change<'_> {
    /// Where to write the file that shall be at `target`, a path inside the dataset's folder.
    pub(crate) fn file(&mut self, target: &str) -> PathBuf {
        let aside = self.staging.path(&format!("{}.new", self.moves.len()));
        self.moves.push((aside.clone(), self.staging.root.join(target)));
        aside
    }

    /// Where to write a file that is of use until then, or that [`Change::take`] moves.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.staging.path(name)
    }

    /// Moves a file that is in the staging folder.
    pub(crate) fn take(&mut self, aside: PathBuf, target: &str) {
        self.moves.push((aside, self.staging.root.join(target)));
    }

    /// Writes the text that shall be at `target`.
    pub(crate) fn text(&mut self, target: &str, text: &str) -> Result<()> {
        let aside = self.file(target);
        fs::write(&aside, text).map_err(at(&aside))
    }

    /// Puts all files in place. The last one appears only when the others are safe: it decides what counts.
    pub(crate) fn publish(self) -> Result<()> {
        for (aside, _) in &self.moves {
            File::open(aside).and_then(|file| file.sync_all()).map_err(at(aside))?;
        }
        let Some(((decisive, target), others)) = self.moves.split_last() else { return Ok(()) };
        let mut folders = BTreeSet::new();
        for (aside, target) in others {
            put(aside, target)?;
            folders.extend(
                target.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.staging.root)),
            );
        }
        for folder in folders {
            sync_folder(folder)?;
        }
        put(decisive, target)?;
        target.parent().map_or(Ok(()), sync_folder)
    }
}

fn put(aside: &Path, target: &Path) -> Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    fs::rename(aside, target).map_err(at(target))
}

/// Makes renames in a folder survive a loss of power.
fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error + '_ {
    |source| Error::Io { path: path.to_owned(), source }
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
