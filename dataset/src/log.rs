//! MCAP logs of robots, read from start to end: bounded in memory, however long they are.

use crate::Error;
use mcap::McapError;
use mcap::records::Record;
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest record, compressed or not, that is believed: no picture is that large, and a length that is damaged must
/// not be allocated.
const MAX_RECORD_BYTES: usize = 256 << 20;

/// Where messages of one kind come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChannel {
    /// ROS name, with its leading slash.
    pub topic: String,
    /// ROS type; empty where the log does not say.
    pub message: String,
    /// How messages are encoded, e.g. `cdr`.
    pub encoding: String,
}

/// Something in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogItem {
    /// A message.
    Message {
        /// Where it comes from.
        channel: Arc<LogChannel>,
        /// When it was recorded, nanoseconds since 1970.
        at_ns: i64,
        /// Its encoded bytes.
        data: Vec<u8>,
    },
    /// A file that was put in.
    Attachment {
        /// Its name.
        name: String,
        /// Its bytes.
        data: Vec<u8>,
    },
    /// Short facts.
    Metadata {
        /// What they are about.
        name: String,
        /// The facts.
        facts: BTreeMap<String, String>,
    },
}

/// A log that is being read.
pub struct Log {
    path: PathBuf,
    file: File,
    reader: LinearReader,
    schemas: HashMap<u16, String>,
    channels: HashMap<u16, Arc<LogChannel>>,
    is_over: bool,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("path", &self.path)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Begins to read. Checksums are checked on the way.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let file = File::open(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        let options = LinearReaderOptions::default()
            .with_prevalidate_chunk_crcs(true)
            .with_record_length_limit(MAX_RECORD_BYTES);
        Ok(Self {
            path,
            file,
            reader: LinearReader::new_with_options(options),
            schemas: HashMap::new(),
            channels: HashMap::new(),
            is_over: false,
        })
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn step(&mut self) -> Result<Option<LogItem>, Error> {
        while let Some(event) = self.reader.next_event() {
            let damaged =
                |error: McapError| Error::Log { path: self.path.clone(), problem: error.to_string() };
            match event.map_err(damaged)? {
                LinearReadEvent::ReadRequest(size) => {
                    let read = self.file.read(self.reader.insert(size));
                    let read = read.map_err(|source| Error::Io { path: self.path.clone(), source })?;
                    self.reader.notify_read(read);
                }
                LinearReadEvent::Record { opcode, data } => {
                    let record = mcap::parse_record(opcode, data).map_err(damaged)?;
                    let item = match record {
                        Record::Schema { header, .. } => {
                            self.schemas.insert(header.id, header.name);
                            None
                        }
                        Record::Channel(channel) => {
                            let message = self.schemas.get(&channel.schema_id).cloned().unwrap_or_default();
                            let (topic, encoding) = (channel.topic, channel.message_encoding);
                            self.channels
                                .insert(channel.id, Arc::new(LogChannel { topic, message, encoding }));
                            None
                        }
                        Record::Message { header, data } => {
                            let channel =
                                self.channels.get(&header.channel_id).ok_or_else(|| Error::Log {
                                    path: self.path.clone(),
                                    problem: format!(
                                        "a message of channel {}, which is nowhere described",
                                        header.channel_id
                                    ),
                                })?;
                            let at_ns = i64::try_from(header.log_time).unwrap_or(i64::MAX);
                            let data = data.into_owned();
                            Some(LogItem::Message { channel: Arc::clone(channel), at_ns, data })
                        }
                        Record::Attachment { header, data, .. } => {
                            Some(LogItem::Attachment { name: header.name, data: data.into_owned() })
                        }
                        Record::Metadata(metadata) => {
                            Some(LogItem::Metadata { name: metadata.name, facts: metadata.metadata })
                        }
                        _ => None,
                    };
                    if item.is_some() {
                        return Ok(item);
                    }
                }
            }
        }
        Ok(None)
    }
}

/// What is in the log, in the order in which it was written. Ends with the first error.
impl Iterator for Log {
    type Item = Result<LogItem, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = self.step();
        self.is_over = !matches!(item, Ok(Some(_)));
        item.transpose()
    }
}
