//! How the run is doing, for people and monitors: a `diagnostic_msgs/DiagnosticArray` on `/diagnostics` once a second
//! and at every change, and, where it is asked for, a page for Prometheus.
//!
//! [`describe`] and [`page`] are pure; [`Diagnostics`] is the thread around them. It looks at counters and at what
//! the control tick leaves behind; nobody waits for it.

mod describe;
mod endpoint;
mod part;
mod prometheus;
mod reading;
mod seen;
mod streams;
mod window;

pub use describe::describe;
pub use part::{Level, Part};
pub use prometheus::page;
pub use reading::{Reading, StatusOptions, status};
pub use seen::{Facts, Network, Seen};
pub use window::{Counters, Window};

use crate::clock::{self, Moment};
use crate::config::DiagnosticsConfig;
use crate::control::{Allowed, TickBoard};
use crate::error::Error;
use crate::net;
use crate::ros::{Ros, TopicPublisher};
use crate::slot::lock;
use crate::status::StatusBoard;
use crate::stop::Stop;
use crate::telemetry::{EventKind, Telemetry};
use crate::thread::Thread;
use endpoint::Endpoint;
use sinew_proto::key::{DIAGNOSTICS, Key};
use sinew_proto::msg::diagnostic_msgs::DiagnosticArray;
use sinew_proto::msg::std_msgs::Header;
use sinew_proto::{Message, Stamp};
use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zenoh::qos::Priority;
use zenoh::{Session, Wait};

/// How often it looks whether something has changed.
const LOOK: Duration = Duration::from_millis(100);
/// Between two looks for a change of what the robot may do.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// How often everything is said.
const PERIOD_NS: i64 = 1_000_000_000;

/// Where the thread looks.
#[derive(Debug)]
pub struct Sources {
    /// What stays the same.
    pub facts: Facts,
    /// Counters.
    pub telemetry: Arc<Telemetry>,
    /// What moves the robot; none if nothing does.
    pub motion: Option<MotionSources>,
}

/// Where the thread looks for what moves the robot.
#[derive(Debug)]
pub struct MotionSources {
    /// The control tick's reports.
    pub board: Arc<TickBoard>,
    /// Changes of what the robot may do.
    pub changes: Receiver<Allowed>,
    /// What the robot says of itself.
    pub status: Arc<StatusBoard>,
}

/// The running threads.
#[derive(Debug)]
pub struct Diagnostics {
    threads: Vec<Thread<()>>,
    /// Where Prometheus finds its page.
    prometheus: Option<SocketAddr>,
    stop: Stop,
}

impl Diagnostics {
    /// Begins to look and to say.
    ///
    /// # Errors
    /// If zenoh refuses the publication, the address cannot be listened on, or the system refuses a thread.
    pub fn start(
        ros: &Ros,
        namespace: &str,
        config: &DiagnosticsConfig,
        sources: Sources,
    ) -> Result<Self, Error> {
        let stop = Stop::default();
        let page = Arc::<Mutex<String>>::default();
        let endpoint = config.address()?.map(Endpoint::open).transpose()?;
        let mut diagnostics =
            Self { threads: Vec::new(), prometheus: endpoint.as_ref().map(Endpoint::address), stop };
        let reporter = Reporter {
            publisher: config.publish.then(|| declare(ros, namespace)).transpose()?,
            page: endpoint.is_some().then(|| Arc::clone(&page)),
            session: ros.session().clone(),
            sources,
            window: Window::default(),
            said: Vec::new(),
            stop: diagnostics.stop.clone(),
        };
        if let Some(endpoint) = endpoint {
            let stop = diagnostics.stop.clone();
            diagnostics.spawn("prometheus", move || endpoint.serve(&page, &stop))?;
        }
        diagnostics.spawn("diagnostics", move || reporter.run())?;
        Ok(diagnostics)
    }

    /// Where Prometheus finds its page, if it does.
    #[must_use]
    pub fn prometheus(&self) -> Option<SocketAddr> {
        self.prometheus
    }

    /// Says the last and ends.
    ///
    /// # Errors
    /// If a thread died of a bug.
    pub fn finish(mut self) -> Result<(), Error> {
        self.stop.request();
        std::mem::take(&mut self.threads).into_iter().try_for_each(Thread::join)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        self.threads.push(Thread::spawn(name, move || {
            work();
            Ok(())
        })?);
        Ok(())
    }
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        self.stop.request();
    }
}

/// Below everything else that is sent: whoever looks can wait, the robot cannot.
fn declare(ros: &Ros, namespace: &str) -> Result<TopicPublisher, Error> {
    let topic = Key::of_topic_in(namespace, DIAGNOSTICS)?;
    ros.publisher(topic.as_str(), DiagnosticArray::TYPE_NAME, Priority::DataLow)
}

/// What is worth saying at once when it changes.
type Gist = Vec<(String, Level, Option<String>, Option<String>)>;

struct Reporter {
    publisher: Option<TopicPublisher>,
    page: Option<Arc<Mutex<String>>>,
    session: Session,
    sources: Sources,
    window: Window,
    said: Gist,
    stop: Stop,
}

impl Reporter {
    fn run(mut self) {
        let mut due = clock::moment();
        while !self.stop.is_requested() {
            let change = self.wait();
            let is_due = clock::moment() >= due;
            if is_due {
                due = clock::moment().plus_ns(PERIOD_NS);
            }
            self.report(change, is_due);
        }
        while let Some(change) = self.next_change() {
            self.report(Some(change), false);
        }
        self.report(None, true);
    }

    /// Waits for a change of what the robot may do, or for the next look.
    fn wait(&self) -> Option<Allowed> {
        match &self.sources.motion {
            Some(motion) => {
                let until = Instant::now() + LOOK;
                loop {
                    // Nobody waits at a queue that the control tick sends to: who waits is woken under a lock.
                    let change = motion.changes.try_recv().ok();
                    if change.is_some() || self.stop.is_requested() || Instant::now() >= until {
                        return change;
                    }
                    std::thread::sleep(BETWEEN_LOOKS);
                }
            }
            None => {
                let _ = self.stop.sleep_until(Instant::now() + LOOK);
                None
            }
        }
    }

    fn next_change(&self) -> Option<Allowed> {
        self.sources.motion.as_ref()?.changes.try_recv().ok()
    }

    /// Says how everything is, if that is due or has changed.
    fn report(&mut self, change: Option<Allowed>, is_due: bool) {
        let mut seen = self.look(clock::moment());
        if let (Some(change), Some(tick)) = (change, &mut seen.tick) {
            tick.allowed = change;
        }
        self.window.push(seen.now, seen.counters());
        let parts = describe(&self.sources.facts, &seen, &self.window);
        let gist = gist(&parts);
        if !is_due && gist == self.said {
            return;
        }
        self.said = gist;
        if let Some(page) = &self.page {
            *lock(page) = prometheus::page(&self.sources.facts, &seen, &parts);
        }
        let Some(publisher) = &self.publisher else { return };
        let sent = array(&self.sources.facts.robot, &parts, clock::now())
            .and_then(|array| publisher.put(array.to_cdr()));
        if let Err(error) = sent {
            self.sources.telemetry.emit(EventKind::Error { message: error.to_string() });
        }
    }

    fn look(&self, now: Moment) -> Seen {
        let Sources { telemetry, motion, .. } = &self.sources;
        let info = self.session.info();
        Seen {
            now,
            summary: telemetry.summary(),
            progress: telemetry.progress(),
            tick: motion.as_ref().map(|motion| motion.board.look()),
            status: motion.iter().flat_map(|motion| motion.status.said()).collect(),
            network: Network {
                peer_count: info.peers_zid().wait().count(),
                router_count: info.routers_zid().wait().count(),
                locators: net::locators(&self.session),
            },
        }
    }
}

fn gist(parts: &[Part]) -> Gist {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let gist = parts.iter().map(Part::gist);
    gist.map(|(name, level, state, reason)| (name.to_owned(), level, owned(state), owned(reason))).collect()
}

/// All parts as one message.
///
/// # Errors
/// If the time is none that ROS 2 can write.
pub fn array(robot: &str, parts: &[Part], now: Stamp) -> Result<DiagnosticArray, Error> {
    Ok(DiagnosticArray {
        header: Header { stamp: now.try_into()?, frame_id: String::new() },
        status: parts.iter().map(|part| part.to_status(robot)).collect(),
    })
}
