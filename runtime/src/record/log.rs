//! One episode as an MCAP file: profile `ros2`, zstd, checksums. It has its name only once it is whole; until then it
//! ends in `.part`.

use super::topics::RecordedTopic;
use crate::error::Error;
use mcap::records::{MessageHeader, Metadata};
use mcap::{Attachment, Compression, McapError, WriteOptions, Writer};
use sinew_proto::{Stamp, schema};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// What an unfinished log's name ends in, behind that of the log.
pub(crate) const PARTIAL: &str = "part";
/// Name of the metadata record that says what an episode was recorded with.
const ABOUT: &str = "sinew";
/// Name of the metadata record that says how an episode ended.
const ENDING: &str = "sinew.episode";
/// The version of what these two say.
const FORMAT_VERSION: &str = "1";
/// Uncompressed bytes of a chunk; memory that the writer needs.
const CHUNK_BYTES: u64 = 1 << 20;
/// Most of the bytes are JPEG already: a higher level takes longer and saves nothing.
const COMPRESSION_LEVEL: u32 = 1;

/// What an episode was recorded with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Short facts: robot, bundle, and so on.
    pub facts: BTreeMap<String, String>,
    /// Whole files, by name: the configuration, the robot description, the bundle's manifest.
    pub files: BTreeMap<String, String>,
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) message_count: u64,
    pub(super) payload_bytes: u64,
}

/// A log that is being written.
pub(crate) struct EpisodeLog {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    /// The same file, to sync it.
    file: File,
    /// By topic and type.
    channels: HashMap<(usize, &'static str), Channel>,
    pub(super) size: Size,
}

struct Channel {
    id: u16,
    message_count: u32,
}

/// How every log is written.
pub(super) fn write_options() -> WriteOptions {
    WriteOptions::new()
        .profile("ros2")
        .library(concat!("sinew-runtime ", env!("CARGO_PKG_VERSION")))
        .compression(Some(Compression::Zstd))
        .compression_level(COMPRESSION_LEVEL)
        // In the writer's own thread: the cores are the policy's.
        .compression_threads(0)
        .chunk_size(Some(CHUNK_BYTES))
        // A chunk is written when it is whole, so that what a power cut leaves is whole chunks and perhaps a torn one.
        .disable_seeking(true)
}

impl EpisodeLog {
    /// Begins the next episode of a folder.
    ///
    /// # Errors
    /// If the file cannot be made or written.
    pub(super) fn create(folder: &Path, about: &About, started_at: Stamp) -> Result<Self, Error> {
        Self::begin(&next_path(folder)?, about, started_at)
    }

    /// Begins a log of that name.
    ///
    /// # Errors
    /// If the file cannot be made or written.
    pub(crate) fn begin(path: &Path, about: &About, started_at: Stamp) -> Result<Self, Error> {
        let path = path.to_owned();
        let partial = partial_path(&path);
        let io = |source| Error::Io { path: partial.clone(), source };
        let file = OpenOptions::new().write(true).create_new(true).open(&partial).map_err(io)?;
        let twin = file.try_clone().map_err(io)?;
        sync_folder_of(&partial)?;
        let failed = |error| failure(&partial, error);
        let mut writer = write_options().create(BufWriter::new(file)).map_err(failed)?;
        let mut metadata = about.facts.clone();
        metadata.insert("format_version".to_owned(), FORMAT_VERSION.to_owned());
        metadata.insert("started_at_ns".to_owned(), started_at.ns().to_string());
        writer.write_metadata(&Metadata { name: ABOUT.to_owned(), metadata }).map_err(failed)?;
        for (name, text) in &about.files {
            let time = log_time(started_at);
            let attachment = Attachment {
                log_time: time,
                create_time: time,
                name: name.clone(),
                media_type: "text/plain".to_owned(),
                data: Cow::Borrowed(text.as_bytes()),
            };
            writer.attach(&attachment).map_err(failed)?;
        }
        Ok(Self { path, writer, file: twin, channels: HashMap::new(), size: Size::default() })
    }

    /// The file's name once it is whole.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a message of the topic with this index.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(
        &mut self,
        (index, topic): (usize, &RecordedTopic),
        message: &'static str,
        at: Stamp,
        payload: &[u8],
    ) -> Result<(), Error> {
        let result = self.try_write((index, topic), message, at, payload);
        result.map_err(|error| self.failed(error))
    }

    fn try_write(
        &mut self,
        (index, topic): (usize, &RecordedTopic),
        message: &'static str,
        at: Stamp,
        payload: &[u8],
    ) -> mcap::McapResult<()> {
        let channel = match self.channels.entry((index, message)) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let definition = schema::definition(message).unwrap_or_default();
                let schema = self.writer.add_schema(message, "ros2msg", definition.as_bytes())?;
                // rosbag2 writes the publisher's quality of service there, and readers look for it.
                let metadata = BTreeMap::from([("offered_qos_profiles".to_owned(), String::new())]);
                let id = self.writer.add_channel(schema, &topic.name, "cdr", &metadata)?;
                entry.insert(Channel { id, message_count: 0 })
            }
        };
        let time = log_time(at);
        let header = MessageHeader {
            channel_id: channel.id,
            sequence: channel.message_count,
            log_time: time,
            publish_time: time,
        };
        self.writer.write_to_known_channel(&header, payload)?;
        channel.message_count = channel.message_count.wrapping_add(1);
        self.size.message_count += 1;
        self.size.payload_bytes += payload.len() as u64;
        Ok(())
    }

    /// Brings everything so far to the disk.
    ///
    /// # Errors
    /// If it does not get there.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().map_err(|error| self.failed(error))?;
        self.file.sync_data().map_err(|source| Error::Io { path: partial_path(&self.path), source })
    }

    /// Ends the log and gives it its name.
    ///
    /// # Errors
    /// If that fails; then the unfinished one is still there.
    pub(crate) fn finish(mut self, ending: BTreeMap<String, String>) -> Result<PathBuf, Error> {
        let metadata = Metadata { name: ENDING.to_owned(), metadata: ending };
        let written = self.writer.write_metadata(&metadata).and_then(|()| self.writer.finish());
        written.map_err(|error| self.failed(error))?;
        settle(&self.file, &partial_path(&self.path), &self.path)?;
        Ok(self.path)
    }

    fn failed(&self, error: McapError) -> Error {
        failure(&partial_path(&self.path), error)
    }
}

/// What went wrong with a log.
pub(super) fn failure(path: &Path, error: McapError) -> Error {
    let path = path.to_owned();
    match error {
        McapError::Io(source) => Error::Io { path, source },
        other => Error::Log { path, message: other.to_string() },
    }
}

/// Gives a file that is whole its name, for good.
pub(super) fn settle(file: &File, partial: &Path, path: &Path) -> Result<(), Error> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    file.sync_all().map_err(io(partial))?;
    fs::rename(partial, path).map_err(io(path))?;
    sync_folder_of(path)
}

/// Brings a file's name to the disk: without it, what is in the file is lost with the power.
fn sync_folder_of(path: &Path) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let io = |source| Error::Io { path: folder.to_owned(), source };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

/// Where a log is while it is written.
pub(crate) fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(PARTIAL);
    name.into()
}

/// The first number behind all those taken, by whole and by unfinished logs.
fn next_path(folder: &Path) -> Result<PathBuf, Error> {
    let io = |source| Error::Io { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(io)?;
    let mut next = 0;
    for entry in fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("episode_")?.get(..6)?.parse().ok());
        next = next.max(number.map_or(0, |number: u64| number + 1));
    }
    Ok(folder.join(format!("episode_{next:06}.mcap")))
}

fn log_time(at: Stamp) -> u64 {
    u64::try_from(at.ns()).unwrap_or(0)
}
