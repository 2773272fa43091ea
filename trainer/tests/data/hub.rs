//! Datasets by name, from the caches and from a hub that this test plays.

use crate::support::{V30, fixture};
use sinew_dataset::Dataset;
use sinew_trainer::data::Hub;
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
        Self::start_without("nothing")
    }

    /// A hub that fails to give the files of which this is part of the name.
    fn start_without(withheld: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let request_count = Arc::new(AtomicUsize::new(0));
        let counted = request_count.clone();
        let serve = move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                answer(stream.unwrap(), withheld);
            }
        };
        thread::Builder::new().name("fake hub".to_owned()).spawn(serve).unwrap();
        Self { address, request_count }
    }
}

/// The two requests that a download makes: what is there, and a (part of a) file.
fn answer(mut stream: TcpStream, withheld: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let range =
        headers.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let root = fixture(V30);
    let files = files_in(&root, &root);
    let (status, extra, body) = if path.starts_with("/api/datasets/user/sample") {
        let siblings: Vec<_> = files.iter().map(|file| serde_json::json!({ "rfilename": file })).collect();
        let listing = serde_json::json!({ "sha": COMMIT, "siblings": siblings });
        ("200 OK", String::new(), listing.to_string().into_bytes())
    } else if let Some(file) = path.strip_prefix(&format!("/datasets/user/sample/resolve/{COMMIT}/"))
        && !file.contains(withheld)
    {
        let bytes = fs::read(root.join(file)).unwrap();
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

fn files_in(folder: &Path, root: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_in(&path, root)
            } else {
                vec![path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()]
            }
        })
        .collect()
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
    let root = hub.locate("user/sample").unwrap();
    let dataset = Dataset::open(&root).unwrap();
    assert_eq!(dataset.frame_count(), 170);
    let last = dataset.episode(2).unwrap().frames("observation.images.right_wrist").unwrap().frame_at(56);
    assert!(last.is_ok());
    let request_count = served.request_count.load(Ordering::SeqCst);
    hub.is_offline = true;
    assert_eq!(hub.locate("user/sample").unwrap(), root);
    assert_eq!(served.request_count.load(Ordering::SeqCst), request_count);
}

#[test]
fn a_download_that_broke_off_is_not_taken_for_a_dataset() {
    let home = tempfile::tempdir().unwrap();
    let broken = FakeHub::start_without("file-000.mp4");
    assert!(hub(&home, &broken.address).locate("user/sample").is_err());
    let offline = Hub { is_offline: true, ..hub(&home, &broken.address) };
    assert!(offline.locate("user/sample").is_err());
    let whole = FakeHub::start();
    assert!(hub(&home, &whole.address).locate("user/sample").is_ok());
}

/// LeRobot looks at a dataset's description before it fetches more, or nothing more.
#[test]
fn a_cache_that_has_the_description_alone_is_completed() {
    let (home, served) = (tempfile::tempdir().unwrap(), FakeHub::start());
    let hub = hub(&home, &served.address);
    let root = hub.locate("user/sample").unwrap();
    for folder in ["data", "videos"] {
        fs::remove_dir_all(root.join(folder)).unwrap();
    }
    let offline = Hub { is_offline: true, ..hub.clone() };
    assert!(offline.locate("user/sample").unwrap_err().to_string().contains("HF_HUB_OFFLINE"));
    let dataset = Dataset::open(hub.locate("user/sample").unwrap()).unwrap();
    assert_eq!(dataset.frame_count(), 170);
}

#[test]
fn what_is_nowhere_is_said_with_where_it_was_looked_for() {
    let (home, served) = (tempfile::tempdir().unwrap(), FakeHub::start());
    let mut hub = hub(&home, &served.address);
    let places =
        [home.path().join("lerobot"), home.path().join("hub")].map(|place| place.display().to_string());
    let error = hub.locate("user/other").unwrap_err().to_string();
    assert!(error.contains("404") && places.iter().all(|place| error.contains(place)), "{error}");
    hub.is_offline = true;
    let error = hub.locate("user/sample").unwrap_err().to_string();
    assert!(error.contains("HF_HUB_OFFLINE") && places.iter().all(|place| error.contains(place)), "{error}");
    // A port that nobody listens at.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = Hub { endpoint: Some(format!("http://{free}")), is_offline: false, ..hub };
    let error = unreachable.locate("user/sample").unwrap_err().to_string();
    assert!(error.contains("the hub did not give it"), "{error}");
}

#[test]
fn recordings_of_lerobot_and_folders_are_taken_as_they_are() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub { is_offline: true, ..hub(&home, "http://127.0.0.1:9") };
    let recorded = home.path().join("lerobot/me/eggs");
    for folder in ["meta", "data"] {
        fs::create_dir_all(recorded.join(folder)).unwrap();
    }
    fs::write(recorded.join("meta/info.json"), "{}").unwrap();
    assert_eq!(hub.locate("me/eggs").unwrap(), recorded);
    let folder = fixture(V30);
    assert_eq!(hub.locate(folder.to_str().unwrap()).unwrap(), folder);
    assert_eq!(hub.locate("./not/there").unwrap(), PathBuf::from("./not/there"));
}
