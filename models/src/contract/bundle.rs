//! A bundle on disk, and how it is known to be the one that was exported.

use super::{FileEntry, MANIFEST_FILE, Manifest};
use crate::error::Error;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Stands in the manifest for its identity while that is computed.
pub const BLANK_ID: &str = "0000000000000000";

/// A bundle on disk whose files are the ones its manifest names.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
}

impl Bundle {
    /// Reads the manifest, and every file once to check its hash.
    ///
    /// # Errors
    /// If the manifest is invalid, or it or a file is not the one that was exported, or a file is missing.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(MANIFEST_FILE);
        let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| Error::file(&path, e))?;
        manifest.validate().map_err(|e| Error::file(&path, e))?;
        expect_untouched(&text, &manifest.bundle_id).map_err(|e| Error::file(&path, e))?;
        for (name, expected) in &manifest.files {
            let file = folder.join(name);
            let found = hash_file(&file)?;
            if found != *expected {
                return Err(Error::Mismatch {
                    what: format!("content of {}", file.display()),
                    left_name: MANIFEST_FILE.to_owned(),
                    left: format!("sha256 {} ({} bytes)", expected.sha256, expected.byte_count),
                    right_name: "the file".to_owned(),
                    right: format!("sha256 {} ({} bytes)", found.sha256, found.byte_count),
                });
            }
        }
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// Path of one of its files.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }
}

/// The identity of a manifest: the first 16 hexadecimal digits of the SHA-256 of its text, byte for byte, in which
/// [`BLANK_ID`] stands for the `written` one.
///
/// Over bytes and not over values, so that any program computes it without knowing how another one writes numbers.
/// The manifest holds the hash of every other file, so it covers the whole bundle.
pub fn identity(text: &str, written: &str) -> String {
    let blank = text.replacen(&format!("\"{written}\""), &format!("\"{BLANK_ID}\""), 1);
    hex(&Sha256::digest(blank))[..BLANK_ID.len()].to_owned()
}

fn expect_untouched(text: &str, written: &str) -> Result<(), Error> {
    let found = identity(text, written);
    if found == written {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: "bundle id (a number or a name was changed after the export)".to_owned(),
        left_name: "`bundle_id`".to_owned(),
        left: written.to_owned(),
        right_name: "the rest of the file".to_owned(),
        right: found,
    })
}

/// Hashes a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash_file(path: &Path) -> Result<FileEntry, Error> {
    let mut file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut byte_count = 0;
    loop {
        let length = file.read(&mut buffer).map_err(Error::io(path))?;
        if length == 0 {
            return Ok(FileEntry { sha256: hex(&hasher.finalize()), byte_count });
        }
        hasher.update(&buffer[..length]);
        byte_count += length as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
