//! Datasets by name, from the caches and from a hub that this test plays.

use crate::support::{V21, V30, fixture};
use sinew_dataset::Dataset;
use sinew_trainer::Error;
use sinew_trainer::data::{EpisodeSpan, Hub, files_in};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with one dataset, `user/sample`.
struct FakeHub {
    address: String,
    request_count: Arc<AtomicUsize>,
}

impl FakeHub {
    fn start() -> Self {
        Self::start_with(V30, "nothing")
    }

    /// A hub with this dataset, which fails to give the files of which `withheld` is part of the name.
    fn start_with(dataset: &'static str, withheld: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let request_count = Arc::new(AtomicUsize::new(0));
        let counted = request_count.clone();
        let serve = move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                answer(stream.unwrap(), dataset, withheld);
            }
        };
        thread::Builder::new().name("fake hub".to_owned()).spawn(serve).unwrap();
        Self { address, request_count }
    }
}

/// The two requests that a download makes: what is there, and a (part of a) file.
fn answer(mut stream: TcpStream, dataset: &str, withheld: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range =
        headers.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let root = fixture(dataset);
    let files = files_in_folder(&root, &root);
    let (status, extra, body) = if path.starts_with("/api/datasets/user/sample") {
        let siblings: Vec<_> = files.iter().map(|file| serde_json::json!({ "rfilename": file })).collect();
        let listing = serde_json::json!({ "sha": COMMIT, "siblings": siblings });
        ("200 OK", String::new(), listing.to_string().into_bytes())
    } else if let Some(file) = path.strip_prefix(&format!("/datasets/user/sample/resolve/{COMMIT}/"))
        && !file.contains(withheld)
    {
        let mut bytes = fs::read(root.join(file)).unwrap();
        if file == "meta/info.json" && withheld == "data out of the folder" {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains("\"data/chunk"), "{text}");
            bytes = text.replace("\"data/chunk", "\"../../data/chunk").into_bytes();
        }
        let total = bytes.len();
        let (first, last) = match range.as_deref().and_then(|range| range.split_once('-')) {
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap_or(total - 1).min(total - 1)),
            None => (0, total - 1),
        };
        let extra = format!(
            "content-range: bytes {first}-{last}/{total}\r\netag: \"{}\"\r\nx-repo-commit: {COMMIT}\r\n",
            file.replace('/', "-")
        );
        ("206 Partial Content", extra, bytes[first..=last].to_vec())
    } else {
        ("404 Not Found", String::new(), Vec::new())
    };
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{extra}\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
}

fn files_in_folder(folder: &Path, root: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_in_folder(&path, root)
            } else {
                vec![path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()]
            }
        })
        .collect()
}

fn every_episode(dataset: &Dataset) -> Result<BTreeSet<PathBuf>, Error> {
    files_in(dataset, &[])
}

fn hub(home: &TempDir, endpoint: &str) -> Hub {
    Hub {
        lerobot_home: home.path().join("lerobot"),
        cache: home.path().join("hub"),
        endpoint: Some(endpoint.to_owned()),
        is_offline: false,
    }
}

#[test]
fn a_dataset_is_fetched_once_and_then_found_offline() {
    let (home, served) = (tempfile::tempdir().unwrap(), FakeHub::start());
    let mut hub = hub(&home, &served.address);
    let dataset = hub.open("user/sample", every_episode).unwrap();
    assert_eq!(dataset.frame_count(), 170);
    let last = dataset.episode(2).unwrap().frames("observation.images.right_wrist").unwrap().frame_at(56);
    assert!(last.is_ok());
    let request_count = served.request_count.load(Ordering::SeqCst);
    hub.is_offline = true;
    assert_eq!(hub.open("user/sample", every_episode).unwrap().root(), dataset.root());
    assert_eq!(served.request_count.load(Ordering::SeqCst), request_count);
}

#[test]
fn a_download_that_broke_off_is_not_taken_for_a_dataset() {
    let home = tempfile::tempdir().unwrap();
    let broken = FakeHub::start_with(V30, "file-000.mp4");
    assert!(hub(&home, &broken.address).open("user/sample", every_episode).is_err());
    let offline = Hub { is_offline: true, ..hub(&home, &broken.address) };
    assert!(offline.open("user/sample", every_episode).is_err());
    let whole = FakeHub::start();
    assert!(hub(&home, &whole.address).open("user/sample", every_episode).is_ok());
}

#[test]
fn metadata_that_lead_out_of_the_dataset_fetch_nothing() {
    let home = tempfile::tempdir().unwrap();
    let served = FakeHub::start_with(V30, "data out of the folder");
    let error = hub(&home, &served.address).open("user/sample", every_episode).unwrap_err().to_string();
    assert!(error.contains("../../data/chunk") || error.contains("data_path"), "{error}");
    let fetched = files_in_folder(&home.path().join("hub"), home.path());
    assert!(fetched.iter().all(|file| !file.contains("data/chunk")), "{fetched:?}");
}

/// LeRobot looks at a dataset's description before it fetches more, or nothing more.
#[test]
fn a_cache_that_has_the_description_alone_is_completed() {
    let (home, served) = (tempfile::tempdir().unwrap(), FakeHub::start());
    let hub = hub(&home, &served.address);
    let fetched = hub.open("user/sample", every_episode).unwrap();
    for folder in ["data", "videos"] {
        fs::remove_dir_all(fetched.root().join(folder)).unwrap();
    }
    let offline = Hub { is_offline: true, ..hub.clone() };
    assert!(offline.open("user/sample", every_episode).unwrap_err().to_string().contains("HF_HUB_OFFLINE"));
    let dataset = hub.open("user/sample", every_episode).unwrap();
    assert_eq!(dataset.frame_count(), 170);
}

#[test]
fn what_is_nowhere_is_said_with_where_it_was_looked_for() {
    let (home, served) = (tempfile::tempdir().unwrap(), FakeHub::start());
    let mut hub = hub(&home, &served.address);
    let places =
        [home.path().join("lerobot"), home.path().join("hub")].map(|place| place.display().to_string());
    let error = hub.open("user/other", every_episode).unwrap_err().to_string();
    assert!(error.contains("404") && places.iter().all(|place| error.contains(place)), "{error}");
    hub.is_offline = true;
    let error = hub.open("user/sample", every_episode).unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE") && places.iter().all(|place| error.contains(place)), "{error}");
    // A port that nobody listens at.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = Hub { endpoint: Some(format!("http://{free}")), is_offline: false, ..hub };
    let error = unreachable.open("user/sample", every_episode).unwrap_err().to_string();
    assert!(error.contains("the hub did not give it"), "{error}");
}

/// Nobody wants all of BEHAVIOR-1K for a few episodes.
#[test]
fn only_the_chosen_episodes_are_fetched_and_others_when_they_are_chosen() {
    let (home, served) = (tempfile::tempdir().unwrap(), FakeHub::start_with(V21, "nothing"));
    let hub = hub(&home, &served.address);
    let held = |dataset: &Dataset| -> BTreeSet<String> {
        let files = files_in_folder(dataset.root(), dataset.root()).into_iter();
        files.filter(|file| !file.starts_with("meta/")).collect()
    };
    let of = |places: &[usize]| -> BTreeSet<String> {
        let places = places.iter().map(|place| format!("episode_{place:06}."));
        let places: Vec<String> = places.collect();
        let all = held(&Dataset::open(fixture(V21)).unwrap()).into_iter();
        all.filter(|file| places.iter().any(|place| file.contains(place))).collect()
    };
    let number = |number: u64| move |dataset: &Dataset| files_in(dataset, &[EpisodeSpan(number..=number)]);
    let dataset = hub.open("user/sample", number(0)).unwrap();
    assert_eq!(held(&dataset), of(&[0]));
    assert_eq!(held(&dataset).len(), 3, "a table and two videos");
    let episode = dataset.episode(dataset.episodes()[0].episode_index).unwrap();
    for camera in dataset.cameras() {
        assert!(episode.frames(&camera.name).unwrap().frame_at(0).is_ok());
    }
    let offline = Hub { is_offline: true, ..hub.clone() };
    assert!(offline.open("user/sample", number(0)).is_ok());
    let error = offline.open("user/sample", number(1)).unwrap_err().to_string();
    assert!(error.contains("episode_000001.parquet") && error.contains("HF_HUB_OFFLINE"), "{error}");
    assert_eq!(held(&hub.open("user/sample", number(1)).unwrap()), of(&[0, 1]));
    // Nobody has this one, as the hub's own metadata say.
    let error = hub.open("user/sample", number(7)).unwrap_err().to_string();
    assert!(error.contains("episode 7"), "{error}");
}

#[test]
fn recordings_of_lerobot_and_folders_are_taken_as_they_are() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub { is_offline: true, ..hub(&home, "http://127.0.0.1:9") };
    let (recorded, folder) = (home.path().join("lerobot/me/eggs"), fixture(V30));
    for file in files_in_folder(&folder, &folder) {
        let copy = recorded.join(&file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(folder.join(&file), &copy).unwrap();
    }
    let root = |path: &str| hub.open(path, every_episode).map(|dataset| dataset.root().to_owned());
    assert_eq!(root("me/eggs").unwrap(), recorded);
    assert_eq!(root(folder.to_str().unwrap()).unwrap(), folder);
    assert!(root("./not/there").unwrap_err().to_string().contains("./not/there/meta/info.json"));
}
