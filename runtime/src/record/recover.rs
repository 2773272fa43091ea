//! A log that was cut short, mended: everything up to where it is torn, as a file that is whole.

use super::log::{PARTIAL, failure, partial_path, settle, write_options};
use crate::error::Error;
use mcap::records::Record;
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use mcap::{Attachment, Writer};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};

/// Largest record that is believed: no picture is that large, and a torn length must not be allocated.
const MAX_RECORD_BYTES: usize = 256 << 20;

/// What was got back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The mended file.
    pub path: PathBuf,
    /// Messages in it.
    pub message_count: u64,
    /// When the last of them was recorded, nanoseconds since 1970.
    pub last_at_ns: u64,
    /// Where and how the log is torn; none if it is whole.
    pub damage: Option<String>,
}

/// Writes what is whole of a log into a file of its own: beside it without `.part`, or `output`. The log itself stays.
///
/// # Errors
/// If it is no log, nothing can be written, or the mended file is already there.
pub fn recover(log: &Path, output: Option<&Path>) -> Result<Recovered, Error> {
    let path = match output {
        Some(output) => output.to_owned(),
        None if log.extension().is_some_and(|extension| extension == PARTIAL) => log.with_extension(""),
        None => log.with_extension("recovered.mcap"),
    };
    if path.exists() {
        return Err(Error::Log { path, message: "expected no such file yet, found one".to_owned() });
    }
    let partial = partial_path(&path);
    // Where the log itself has the name that an unfinished file would have.
    let partial = if partial == log { path.with_extension("mending") } else { partial };
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    let mut input = File::open(log).map_err(io(log))?;
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).open(&partial).map_err(io(&partial))?;
    let twin = file.try_clone().map_err(io(&partial))?;
    let failed = |error| failure(&partial, error);
    let writer = write_options().create(BufWriter::new(file)).map_err(failed)?;
    let mut copy =
        Copy { writer, channels: HashMap::new(), schemas: HashMap::new(), message_count: 0, last_at_ns: 0 };
    let damage = copy.all_of(&mut input, log)?;
    copy.writer.finish().map_err(failed)?;
    settle(&twin, &partial, &path)?;
    Ok(Recovered { path, message_count: copy.message_count, last_at_ns: copy.last_at_ns, damage })
}

struct Copy {
    writer: Writer<BufWriter<File>>,
    /// Numbers there to numbers here.
    schemas: HashMap<u16, u16>,
    channels: HashMap<u16, u16>,
    message_count: u64,
    last_at_ns: u64,
}

impl Copy {
    /// Copies until the end or the tear, and says what is torn.
    fn all_of(&mut self, input: &mut File, log: &Path) -> Result<Option<String>, Error> {
        let options = LinearReaderOptions::default()
            .with_prevalidate_chunk_crcs(true)
            .with_record_length_limit(MAX_RECORD_BYTES);
        let mut reader = LinearReader::new_with_options(options);
        let mut has_begun = false;
        while let Some(event) = reader.next_event() {
            match event {
                Ok(LinearReadEvent::ReadRequest(size)) => {
                    let read = input.read(reader.insert(size));
                    let read = read.map_err(|source| Error::Io { path: log.to_owned(), source })?;
                    reader.notify_read(read);
                }
                Ok(LinearReadEvent::Record { opcode, data }) => {
                    has_begun = true;
                    let record = mcap::parse_record(opcode, data);
                    let copied = record.and_then(|record| self.record(record));
                    copied.map_err(|error| failure(log, error))?;
                }
                Err(error) if has_begun => return Ok(Some(error.to_string())),
                Err(error) => {
                    let message = format!("expected an MCAP log: {error}");
                    return Err(Error::Log { path: log.to_owned(), message });
                }
            }
        }
        Ok(None)
    }

    fn record(&mut self, record: Record<'_>) -> mcap::McapResult<()> {
        match record {
            Record::Schema { header, data } => {
                let id = self.writer.add_schema(&header.name, &header.encoding, &data)?;
                self.schemas.insert(header.id, id);
            }
            Record::Channel(channel) => {
                let schema = self.schemas.get(&channel.schema_id).copied().unwrap_or(0);
                let (encoding, metadata): (_, &BTreeMap<_, _>) =
                    (&channel.message_encoding, &channel.metadata);
                let id = self.writer.add_channel(schema, &channel.topic, encoding, metadata)?;
                self.channels.insert(channel.id, id);
            }
            Record::Message { mut header, data } => {
                // A message of a channel that was never announced cannot be read by anybody.
                let Some(id) = self.channels.get(&header.channel_id) else { return Ok(()) };
                header.channel_id = *id;
                self.message_count += 1;
                self.last_at_ns = self.last_at_ns.max(header.log_time);
                self.writer.write_to_known_channel(&header, &data)?;
            }
            Record::Attachment { header, data, .. } => self.writer.attach(&Attachment {
                log_time: header.log_time,
                create_time: header.create_time,
                name: header.name,
                media_type: header.media_type,
                data,
            })?,
            Record::Metadata(metadata) => self.writer.write_metadata(&metadata)?,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::log::{About, EpisodeLog};
    use crate::record::topics::{RecordedTopic, Role};
    use sinew_proto::key::Key;
    use sinew_proto::msg::std_msgs;
    use sinew_proto::{Message, Stamp};
    use std::fs;
    use tempfile::TempDir;

    const MESSAGE_COUNT: u64 = 60;

    /// A log of a minute with a chunk every ten messages.
    fn log(folder: &TempDir) -> PathBuf {
        let about =
            About { facts: BTreeMap::new(), files: [("robot.toml".to_owned(), "x".repeat(99))].into() };
        let mut log = EpisodeLog::create(folder.path(), &about, Stamp::from_ns(1)).unwrap();
        let topic = RecordedTopic {
            name: "/sinew/events".to_owned(),
            key: Key::of_topic("sinew/events").unwrap(),
            message: std_msgs::String::TYPE_NAME,
            role: Role::Event,
        };
        for number in 0..MESSAGE_COUNT {
            let text = std_msgs::String { data: format!("message {number}") }.to_cdr();
            let at = Stamp::from_ns(1_000_000_000 * number as i64);
            log.write((0, &topic), topic.message, at, &text).unwrap();
            if number % 10 == 9 {
                log.flush().unwrap();
            }
        }
        log.finish(BTreeMap::new()).unwrap()
    }

    #[test]
    fn whatever_is_cut_off_the_rest_comes_back() {
        let folder = TempDir::new().unwrap();
        let whole = fs::read(log(&folder)).unwrap();
        let torn = folder.path().join("torn.mcap.part");
        let mut counts = Vec::new();
        for length in (0..whole.len()).step_by(61).chain([whole.len()]) {
            fs::write(&torn, &whole[..length]).unwrap();
            let mended = match recover(&torn, None) {
                Ok(mended) => mended,
                Err(error) => {
                    assert!(
                        length < 100 && error.to_string().contains("expected an MCAP log"),
                        "{length}: {error}"
                    );
                    continue;
                }
            };
            let back = fs::read(&mended.path).unwrap();
            let messages = mcap::MessageStream::new(&back).unwrap().map(Result::unwrap);
            assert_eq!(messages.count() as u64, mended.message_count);
            assert_eq!(mended.damage.is_none(), length == whole.len(), "{length} of {}", whole.len());
            counts.push(mended.message_count);
            fs::remove_file(mended.path).unwrap();
        }
        assert!(counts.is_sorted() && counts.last() == Some(&MESSAGE_COUNT));
        assert!(counts.iter().all(|count| count % 10 == 0), "chunks come back whole: {counts:?}");
        assert!(counts.iter().filter(|count| **count == 20).count() > 1, "{counts:?}");
    }

    #[test]
    fn whatever_is_damaged_nothing_panics_and_nothing_wrong_comes_back() {
        let folder = TempDir::new().unwrap();
        let whole = fs::read(log(&folder)).unwrap();
        let torn = folder.path().join("torn.mcap.part");
        for position in (0..whole.len()).step_by(29) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x40;
            fs::write(&torn, &damaged).unwrap();
            let Ok(mended) = recover(&torn, None) else { continue };
            let back = fs::read(&mended.path).unwrap();
            for message in mcap::MessageStream::new(&back).unwrap() {
                let data = message.unwrap().data.into_owned();
                let text = std_msgs::String::from_cdr(&data).unwrap().data;
                assert!(text.starts_with("message "), "byte {position}: {text}");
            }
            fs::remove_file(mended.path).unwrap();
        }
    }
}
