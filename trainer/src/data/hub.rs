//! Datasets by name: from the Hugging Face cache, or else from the hub into it.

use crate::Error;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
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

    /// The folder of a dataset. A path that exists, or that cannot be a name on the hub, is taken as it is.
    ///
    /// # Errors
    /// If it is in neither cache, and the hub may not be asked, cannot be reached, or does not have it.
    pub fn locate(&self, path: &str) -> Result<PathBuf, Error> {
        if Path::new(path).exists() || !is_name(path) {
            return Ok(path.into());
        }
        let recorded = self.lerobot_home.join(path);
        if has_rows(&recorded) {
            return Ok(recorded);
        }
        let cache = Cache::new(self.cache.clone());
        let cached = cache.dataset(path.to_owned()).get(INFO).map(|info| root_of(&info));
        if let Some(root) = cached.filter(|root| has_rows(root)) {
            return Ok(root);
        }
        let missing = |why: String| Error::Hub {
            id: path.to_owned(),
            message: format!(
                "neither a folder, nor in {} or {}, and {why}",
                self.lerobot_home.display(),
                self.cache.display()
            ),
        };
        if self.is_offline {
            return Err(missing("HF_HUB_OFFLINE forbids asking the hub".to_owned()));
        }
        self.download(path, cache).map_err(|error| missing(format!("the hub did not give it: {error}")))
    }

    /// Fetches all that the reader can use, at one commit. The cache knows the dataset only when all is there.
    fn download(&self, id: &str, cache: Cache) -> Result<PathBuf, ApiError> {
        let mut builder =
            ApiBuilder::from_cache(cache.clone()).with_progress(std::io::stderr().is_terminal());
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        let api = builder.build()?;
        let info = api.dataset(id.to_owned()).info()?;
        let repo = api.repo(Repo::with_revision(id.to_owned(), RepoType::Dataset, info.sha.clone()));
        let files = info.siblings.iter().map(|file| file.rfilename.as_str());
        for file in files.filter(|file| is_wanted(file)) {
            repo.get(file)?;
        }
        let root = root_of(&repo.get(INFO)?);
        cache.dataset(id.to_owned()).create_ref(&info.sha)?;
        Ok(root)
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

/// Tables, and videos but those of depth and segmentation.
fn is_wanted(file: &str) -> bool {
    let is_unread = |part: &str| ["depth", "seg", "segmentation"].contains(&part);
    ["meta/", "data/"].iter().any(|folder| file.starts_with(folder))
        || file.starts_with("videos/") && !file.split(['/', '.', '_']).any(is_unread)
}

/// Whether there is more than the description, which LeRobot fetches first and sometimes alone.
fn has_rows(root: &Path) -> bool {
    root.join(INFO).exists() && root.join("data").is_dir()
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
    fn what_the_reader_skips_is_not_fetched() {
        assert!(is_wanted("data/task-0006/episode_00060010.parquet"));
        assert!(is_wanted("videos/task-0006/observation.images.rgb.head/episode_00060010.mp4"));
        assert!(!is_wanted("videos/task-0006/observation.images.seg_instance_id.head/episode_00060010.mp4"));
        assert!(!is_wanted("videos/task-0006/observation.images.depth.head/episode_00060010.mp4"));
        assert!(!is_wanted("annotations/task-0006/episode_00060010.json"));
    }
}
