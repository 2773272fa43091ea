//! Which files are to be converted.

use crate::Error;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const LOG: &str = "mcap";
const UNFINISHED: &str = "part";

/// Logs, in the order in which they were named, those of a folder by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Whole ones.
    pub logs: Vec<PathBuf>,
    /// Such as the recorder did not finish and nobody has mended yet.
    pub unfinished: Vec<PathBuf>,
}

impl Sources {
    /// Finds the logs among files and folders.
    ///
    /// # Errors
    /// If something is neither a log nor a folder, or there is no log at all.
    pub fn find(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut seen = BTreeSet::new();
        for path in paths {
            let files = if path.is_dir() { files_of(path)? } else { vec![path.clone()] };
            for file in files {
                let identity = std::fs::canonicalize(&file).map_err(Error::io(&file))?;
                if !seen.insert(identity) {
                    continue;
                }
                match kind(&file) {
                    Some(LOG) => found.logs.push(file),
                    Some(UNFINISHED) if file.with_extension("").exists() => {}
                    Some(UNFINISHED) => found.unfinished.push(file),
                    _ if path.is_dir() => {}
                    _ => {
                        let path = path.display();
                        return Err(Error::Usage(format!(
                            "{path}: expected a log (.mcap) or a folder of logs"
                        )));
                    }
                }
            }
        }
        if found == Self::default() {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(Error::Usage(format!("no log (.mcap) in {}", paths.join(", "))));
        }
        Ok(found)
    }
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let paths: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(Error::io(folder))?;
    paths.sort();
    Ok(paths)
}

/// `mcap`, or `part` for a log that ends in `.mcap.part`.
fn kind(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    if name.ends_with(".mcap") { Some(LOG) } else { name.ends_with(".mcap.part").then_some(UNFINISHED) }
}
