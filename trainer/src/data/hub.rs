//! Datasets by name: from the Hugging Face cache, or else from the hub into it.

use crate::Error;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use sinew_dataset::Dataset;
use std::collections::BTreeSet;
use std::env;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// In every dataset.
const INFO: &str = "meta/info.json";

/// Where datasets are looked for.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Where LeRobot keeps datasets, as `user/name`.
    pub lerobot_home: PathBuf,
    /// The hub's cache.
    pub cache: PathBuf,
    /// The hub's address, if it is another than usual.
    pub endpoint: Option<String>,
    /// Whether the hub may not be asked.
    pub is_offline: bool,
}

impl Hub {
    /// As `HF_HOME`, `HF_HUB_CACHE`, `HF_LEROBOT_HOME`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` say.
    #[must_use]
    pub fn from_env() -> Self {
        let default_home = || env::home_dir().unwrap_or_default().join(".cache/huggingface");
        let home = env::var_os("HF_HOME").map_or_else(default_home, PathBuf::from);
        let is_set = |value: String| matches!(value.to_lowercase().as_str(), "1" | "true" | "yes" | "on");
        Self {
            lerobot_home: env::var_os("HF_LEROBOT_HOME").map_or_else(|| home.join("lerobot"), PathBuf::from),
            cache: env::var_os("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
            endpoint: env::var("HF_ENDPOINT").ok(),
            is_offline: env::var("HF_HUB_OFFLINE").is_ok_and(is_set),
        }
    }

    /// Opens a dataset. One that is named, not a folder, has to have the files that are `needed` of it in one of the caches;
    /// otherwise they, and the metadata, are fetched from the hub. A path that exists, or that cannot be a name on the
    /// hub, is taken as it is.
    ///
    /// # Errors
    /// If it cannot be opened, or is in neither cache, and the hub may not be asked, cannot be reached, or does not have
    /// it; or what `needed` says of the hub's.
    pub fn open(
        &self,
        path: &str,
        needed: impl Fn(&Dataset) -> Result<BTreeSet<PathBuf>, Error>,
    ) -> Result<Dataset, Error> {
        if Path::new(path).exists() || !is_name(path) {
            return Ok(Dataset::open(path)?);
        }
        let cache = Cache::new(self.cache.clone());
        let cached = cache.dataset(path.to_owned()).get(INFO).map(|info| root_of(&info));
        let mut found = Vec::new();
        for root in [Some(self.lerobot_home.join(path)), cached].into_iter().flatten() {
            match open_whole(&root, &needed) {
                Ok(dataset) => return Ok(dataset),
                Err(lack) => found.push(lack),
            }
        }
        let missing = |why: String| Error::Hub {
            id: path.to_owned(),
            message: format!(
                "neither a folder, nor whole in {} or {} ({}), and {why}",
                self.lerobot_home.display(),
                self.cache.display(),
                found.join("; ")
            ),
        };
        if self.is_offline {
            return Err(missing("HF_HUB_OFFLINE forbids asking the hub".to_owned()));
        }
        let refused = |error: ApiError| missing(format!("the hub did not give it: {error}"));
        let remote = Remote::open(self, path, &cache).map_err(refused)?;
        let dataset = Dataset::open(remote.fetch_metadata().map_err(refused)?)?;
        let root = dataset.root();
        for file in needed(&dataset)? {
            let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
            // Where the metadata point is written to: nowhere but to the names that the hub itself has.
            if !remote.files.contains(&name) {
                return Err(missing(format!("the hub has no file {name}, which the metadata name")));
            }
            remote.repo.get(&name).map_err(refused)?;
        }
        // Only now is the cache said to have it.
        cache.dataset(path.to_owned()).create_ref(&remote.commit).map_err(Error::io(&self.cache))?;
        Ok(dataset)
    }
}

/// The dataset in `root`, or what it lacks: LeRobot fetches the description first, and sometimes that alone, or a few
/// episodes. One that is older may not have what the hub has.
fn open_whole(
    root: &Path,
    needed: impl Fn(&Dataset) -> Result<BTreeSet<PathBuf>, Error>,
) -> Result<Dataset, String> {
    if !root.join(INFO).exists() {
        return Err(format!("no {}", root.join(INFO).display()));
    }
    let dataset = Dataset::open(root).map_err(|error| error.to_string())?;
    let needed = needed(&dataset).map_err(|error| error.to_string())?;
    match needed.iter().find(|file| !file.exists()) {
        Some(file) => Err(format!("no {}", file.display())),
        None => Ok(dataset),
    }
}

/// A dataset on the hub, at one commit.
struct Remote {
    repo: ApiRepo,
    files: BTreeSet<String>,
    commit: String,
}

impl Remote {
    fn open(hub: &Hub, id: &str, cache: &Cache) -> Result<Self, ApiError> {
        let mut builder =
            ApiBuilder::from_cache(cache.clone()).with_progress(std::io::stderr().is_terminal());
        if let Some(endpoint) = &hub.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        let api = builder.build()?;
        let info = api.dataset(id.to_owned()).info()?;
        let repo = api.repo(Repo::with_revision(id.to_owned(), RepoType::Dataset, info.sha.clone()));
        let files = info.siblings.into_iter().map(|file| file.rfilename).collect();
        Ok(Self { repo, files, commit: info.sha })
    }

    /// Fetches what says where everything else is, and returns the dataset's folder.
    fn fetch_metadata(&self) -> Result<PathBuf, ApiError> {
        for file in self.files.iter().filter(|file| is_metadata(file)) {
            self.repo.get(file)?;
        }
        Ok(root_of(&self.repo.get(INFO)?))
    }
}

/// `user/name`, in the letters that the hub allows.
fn is_name(path: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    path.split_once('/').is_some_and(|(user, name)| is_part(user) && is_part(name))
}

/// Tables in `meta/`; BEHAVIOR-1K has a JSON file an episode below it, which nobody reads.
pub(crate) fn is_metadata(file: &str) -> bool {
    file.strip_prefix("meta/").is_some_and(|file| !file.contains('/') || file.ends_with(".parquet"))
}

fn root_of(info: &Path) -> PathBuf {
    info.ancestors().nth(2).unwrap_or(info).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths() {
        for name in ["user/name", "behavior-1k/2025-challenge-demos", "a/B_1.2"] {
            assert!(is_name(name), "{name}");
        }
        for path in ["/data/eggs", "./eggs", "../eggs", "eggs", "a/b/c", "a/", "demos/my eggs", "~/eggs"] {
            assert!(!is_name(path), "{path}");
        }
    }

    #[test]
    fn metadata_are_the_tables_that_say_where_everything_is() {
        for file in ["meta/info.json", "meta/episodes.jsonl", "meta/episodes/chunk-000/file-000.parquet"] {
            assert!(is_metadata(file), "{file}");
        }
        for file in ["meta/episodes/task-0006/episode_00060010.json", "data/chunk-000/file-000.parquet"] {
            assert!(!is_metadata(file), "{file}");
        }
    }
}
