//! The writer stopped at any moment: by kill -9, and by a disk that takes no more.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sinew_dataset::{Dataset, Format, Options, VideoCodec, Writer};

use crate::synthetic::{description, episode, id};
use crate::written::{assert_same_files, check, files, options, write};

const ROOT: &str = "SINEW_TEST_ROOT";
const FORMAT: &str = "SINEW_TEST_FORMAT";
/// What the program says when it has opened the set.
const OPEN: &str = "the set is open";
const EPISODE_COUNT: usize = 30;
/// In each format.
const KILL_COUNT: usize = 25;

fn chosen(format: &str) -> Options {
    let format = if format == "v2.1" { Format::V21 } else { Format::V30 };
    options(format, VideoCodec::H264)
}

/// Adds what is missing. Run by the other tests as a program of its own.
#[test]
#[ignore = "run by the other tests"]
fn writing() {
    let root = PathBuf::from(std::env::var(ROOT).unwrap());
    let options = chosen(&std::env::var(FORMAT).unwrap());
    let mut writer = Writer::open(root, description(), options).unwrap();
    println!("{OPEN}");
    for number in 0..EPISODE_COUNT {
        if writer.episode_of(&id(number)).is_none() {
            writer.add(episode(number)).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    writer.finish().unwrap();
}

fn command(shell: Option<&str>) -> Command {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", "killed::writing", "--ignored", "--nocapture"];
    match shell {
        None => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        Some(before) => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{before} exec \"$0\" \"$@\"")]).arg(program).args(arguments);
            command
        }
    }
}

fn start(root: &Path, format: &str) -> Child {
    let mut command = command(None);
    command.env(ROOT, root).env(FORMAT, format).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// How many episodes are in; they are all there.
fn whole_episode_count(root: &Path) -> usize {
    if !root.join("meta/info.json").exists() {
        return 0;
    }
    let count = Dataset::open(root).unwrap().episode_count();
    check(root, count);
    count
}

#[test]
fn kill_9_leaves_whole_episodes_and_writing_goes_on() {
    for format in ["v3.0", "v2.1"] {
        let folder = tempfile::tempdir().unwrap();
        let [root, once] = ["killed", "once"].map(|name| folder.path().join(name));
        let mut random = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("{format}, seed {random}");
        let (mut count, mut kills) = (0, 0);
        while kills < KILL_COUNT && count < EPISODE_COUNT {
            let mut child = start(&root, format);
            // Knuth's MMIX constants.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Every third time while it starts and clears up, else while it writes.
            if kills % 3 != 0 {
                let said = BufReader::new(child.stdout.take().unwrap());
                said.lines().find(|line| line.as_ref().unwrap().contains(OPEN));
            }
            std::thread::sleep(Duration::from_micros((random >> 33) % 100_000));
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            let now = whole_episode_count(&root);
            assert!(now >= count, "{now} episodes after {count}");
            count = now;
        }
        println!("{count} episodes after {kills} kills");
        assert!(start(&root, format).wait_with_output().unwrap().status.success());
        write(&once, &chosen(format), 0..EPISODE_COUNT);
        check(&root, EPISODE_COUNT);
        assert_same_files(&root, &once);
    }
}

/// Every state between two episodes that a kill can leave, file by file, with large and with small files.
#[test]
fn what_is_not_counted_is_left_out_and_cleared_away() {
    let small = Options { data_files_size_mb: 0, video_files_size_mb: 0, ..chosen("v3.0") };
    for options in [chosen("v3.0"), small, chosen("v2.1")] {
        let folder = tempfile::tempdir().unwrap();
        let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
        write(&before, &options, 0..3);
        write(&after, &options, 0..4);
        let old = files(&before);
        // In the order in which they are put in place.
        let rank = |path: &Path| match path.to_str().unwrap() {
            path if path.starts_with("videos") => 0,
            path if path.starts_with("data") => 1,
            path if path.ends_with("info.json") => 3,
            _ => 2,
        };
        let mut new: Vec<_> =
            files(&after).into_iter().filter(|(path, bytes)| old.get(path) != Some(bytes)).collect();
        new.sort_by_key(|(path, _)| rank(path));
        assert!(new.pop().unwrap().0.ends_with("info.json"));
        for count in 0..=new.len() {
            let root = folder.path().join(format!("torn-{count}"));
            let torn = old.iter();
            for (path, bytes) in torn.chain(new[..count].iter().map(|(path, bytes)| (path, bytes))) {
                fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
                fs::write(root.join(path), bytes).unwrap();
            }
            fs::create_dir(root.join(".sinew-writing")).unwrap();
            fs::write(root.join(".sinew-writing/0.new"), "half a file").unwrap();
            check(&root, 3);
            Writer::open(&root, description(), options.clone()).unwrap().finish().unwrap();
            check(&root, 3);
            assert_same_files(&root, &before);
            write(&root, &options, 3..4);
            check(&root, 4);
            assert_same_files(&root, &after);
        }
    }
}

/// A limit on the size of files makes writes fail as a full disk does.
#[test]
fn a_disk_that_takes_no_more_is_an_error_and_the_set_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let limited = |blocks: &str| {
        let mut command = command(Some(&format!("trap '' XFSZ; ulimit -f {blocks};")));
        command.env(ROOT, &root).env(FORMAT, "v3.0").output().unwrap()
    };
    let mut counts = Vec::new();
    for blocks in ["10", "60", "90", "120"] {
        let output = limited(blocks);
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains("File too large"), "{said}");
        counts.push(whole_episode_count(&root));
    }
    assert!(counts.is_sorted() && counts[3] > counts[1], "{counts:?}");
    assert!(start(&root, "v3.0").wait_with_output().unwrap().status.success());
    check(&root, EPISODE_COUNT);
}
