//! What tells the data of one training from those of another, wherever they lie.

use crate::Error;
use crate::data::choice::files_of;
use crate::data::corpus::{Corpus, EpisodeId};
use crate::data::hub::is_metadata;
use sha2::{Digest, Sha256};
use sinew_dataset::Dataset;
use sinew_models::contract::hash_file;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A hash of what a dataset gives to a training: its metadata, and the files of the training's episodes.
///
/// # Errors
/// If the metadata cannot be read.
pub fn identity(corpus: &Corpus, place: usize) -> Result<String, Error> {
    let mut hash = Sha256::new();
    hash.update(metadata_hash(corpus.dataset(place))?);
    let episodes = corpus.train_episodes().iter().chain(corpus.validation_episodes());
    for episode in episodes.filter(|episode| episode.dataset == place).collect::<BTreeSet<_>>() {
        hash.update(files_and_sizes(corpus, *episode)?);
    }
    Ok(hex(hash))
}

/// A hash of a dataset's metadata: the instructions and where everything is.
///
/// # Errors
/// If they cannot be read.
pub fn metadata_hash(dataset: &Dataset) -> Result<String, Error> {
    let mut hash = Sha256::new();
    for path in files_below(&dataset.root().join("meta"))? {
        let name = path.strip_prefix(dataset.root()).unwrap_or(&path).to_string_lossy();
        if is_metadata(&name) {
            hash.update(format!("{name} {}\n", hash_file(&path)?.sha256));
        }
    }
    Ok(hex(hash))
}

/// Names and sizes of the files that hold an episode's rows and the pictures that are shown, a line each: to read all videos
/// would take longer than it is worth.
///
/// # Errors
/// If the metadata do not say where they are.
pub fn files_and_sizes(corpus: &Corpus, episode: EpisodeId) -> Result<String, Error> {
    let root = corpus.dataset(episode.dataset).root();
    let cameras = corpus.cameras().iter().map(|camera| camera.names[episode.dataset].as_str());
    let mut lines = String::new();
    for path in files_of(corpus.dataset(episode.dataset), episode.episode_index, cameras)? {
        let size = fs::metadata(&path).map_or("missing".to_owned(), |file| file.len().to_string());
        lines += &format!("{} {size}\n", path.strip_prefix(root).unwrap_or(&path).display());
    }
    Ok(lines)
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

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
