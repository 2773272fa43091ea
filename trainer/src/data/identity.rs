//! What tells the data of one training from those of another.

use crate::Error;
use crate::data::corpus::Corpus;
use sha2::{Digest, Sha256};
use sinew_models::contract::hash_file;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A hash of what a dataset gives to a training, wherever it lies: the content of its metadata, where the instructions are,
/// and names and sizes of the files that hold the chosen episodes, as reading all videos would take long.
///
/// # Errors
/// If the metadata cannot be read.
pub fn identity(corpus: &Corpus, place: usize) -> Result<String, Error> {
    let dataset = corpus.dataset(place);
    let mut hash = Sha256::new();
    let mut add = |path: &Path, content: &str| {
        let name = path.strip_prefix(dataset.root()).unwrap_or(path).to_string_lossy();
        hash.update(format!("{name}\n{content}\n"));
    };
    for path in files_below(&dataset.root().join("meta"))? {
        add(&path, &hash_file(&path)?.sha256);
    }
    let episodes = corpus.train_episodes().iter().chain(corpus.validation_episodes());
    let mut held_in = BTreeSet::new();
    for episode in episodes.filter(|episode| episode.dataset == place) {
        held_in.extend(dataset.files_of(episode.episode_index)?);
    }
    for path in held_in {
        // The video of a camera that is not shown need not be there.
        let size = fs::metadata(&path).map_or("missing".to_owned(), |file| file.len().to_string());
        add(&path, &size);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Every file under a folder, in order.
fn files_below(folder: &Path) -> Result<BTreeSet<PathBuf>, Error> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.is_dir() {
            found.extend(files_below(&path)?);
        } else {
            found.insert(path);
        }
    }
    Ok(found)
}
