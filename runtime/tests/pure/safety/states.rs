//! Every state, every event, and how long each fault takes to make the robot hold.

use super::robot::{Rig, config};
use sinew_models::embodiment::Embodiment;
use sinew_proto::Stamp;
use sinew_runtime::config::Config;
use sinew_runtime::motion::Setpoint;
use sinew_runtime::safety::{Event, Safety, SafetyConfig, State};

const TABLE: &str = include_str!("../../../src/safety/states.md");
const TICK_S: f64 = 0.01;
/// Shoulder of the left arm and forward motion of the base.
const JOINT: usize = 7;
const BASE: usize = 0;

/// The table that people read is the one the program goes by.
#[test]
fn the_table_of_transitions_is_the_documented_one() {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = TABLE.lines().skip_while(|line| !line.starts_with("| state"));
    let events = cells(lines.next().unwrap());
    let rows: Vec<Vec<String>> = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
    assert_eq!(rows.len(), State::ALL.len());
    for state in State::ALL {
        let row = rows.iter().find(|row| row[0] == state.name()).unwrap();
        for event in Event::ALL {
            let column = events.iter().position(|name| name == event.name()).unwrap();
            assert_eq!(state.next(event).name(), row[column], "{state:?}, {event:?}");
        }
    }
}

/// An R1 Pro with its core, and what it was last commanded.
struct Driven {
    rig: Rig,
    safety: Safety,
    wanted: Setpoint,
    sent: Option<Setpoint>,
}

impl Driven {
    fn new(config: &SafetyConfig) -> Self {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let mut position = vec![0.0; 23];
        (position[8], position[16]) = (0.3, -0.3);
        let rig = Rig::new(&robot, position);
        let safety = rig.safety(&robot, config);
        let mut wanted = Setpoint::zeros(&rig.joints);
        wanted.values.copy_from_slice(&rig.position);
        Self { rig, safety, wanted, sent: None }
    }

    /// A tick in which everything is heard before `spoil` is done to it.
    fn tick(&mut self, spoil: impl FnOnce(&mut Rig, &mut Setpoint) -> bool) -> (State, &'static str) {
        self.rig.advance(TICK_S);
        self.rig.hear();
        self.rig.operator.stop = false;
        self.rig.operator.resume = false;
        let mut wanted = self.wanted.clone();
        let has_setpoint = spoil(&mut self.rig, &mut wanted);
        let outcome = self.safety.tick(self.rig.now, &self.rig.inputs(), has_setpoint.then_some(&wanted));
        self.sent = outcome.command.cloned();
        let found = (outcome.state, outcome.reason.map_or("", |reason| reason.kind()));
        self.rig.obey(self.sent.as_ref(), 0.5);
        found
    }

    fn fine(&mut self) -> (State, &'static str) {
        self.tick(|_, _| true)
    }

    /// Moves the shoulder back and the base forward for so many ticks.
    fn drive(&mut self, tick_count: usize) {
        for _ in 0..tick_count {
            self.wanted.values[JOINT] -= 0.01;
            self.wanted.values[BASE] = 0.2;
            assert_eq!(self.fine(), (State::Running, ""));
        }
    }

    fn bring_to(&mut self, state: State) {
        match state {
            State::Waiting => {}
            State::Ready => assert_eq!(self.fine().0, State::Ready),
            State::Running => {
                self.bring_to(State::Ready);
                self.drive(30);
            }
            State::Holding => {
                self.bring_to(State::Running);
                assert_eq!(self.tick(|_, _| false), (State::Holding, "no_setpoint"));
            }
            State::Stopped => {
                self.bring_to(State::Running);
                assert_eq!(self.stop(), (State::Stopped, "operator_stop"));
                for _ in 0..30 {
                    self.fine();
                }
            }
        }
        assert_eq!(self.safety.state(), state);
    }

    fn stop(&mut self) -> (State, &'static str) {
        self.tick(|rig, _| {
            rig.operator.stop = true;
            true
        })
    }
}

/// In every state, every event is made to happen, and the core goes where the table says.
#[test]
fn the_core_walks_the_whole_table() {
    let mut walked = 0;
    for state in State::ALL {
        for event in Event::ALL {
            // Elsewhere a resume is no event.
            if event == Event::Resume && state != State::Stopped {
                continue;
            }
            let mut driven = Driven::new(&config(false));
            driven.bring_to(state);
            let (found, _) = driven.tick(|rig, wanted| {
                rig.operator.stop = event == Event::Stop;
                rig.operator.resume = event == Event::Resume;
                match event {
                    Event::Unfit => rig.others[0] = None,
                    Event::Blocked => wanted.values[JOINT] = f64::NAN,
                    _ => {}
                }
                event != Event::Idle
            });
            assert_eq!(found, state.next(event), "{state:?}, {event:?}");
            walked += 1;
        }
    }
    assert_eq!(walked, 26);
}

type Spoil = fn(&mut Rig, &mut Setpoint, &Rig) -> bool;

/// What goes wrong while the robot moves, how it is called, and after how many ticks at the latest the robot holds.
const FAULTS: [(&str, State, usize, Spoil); 17] = [
    ("no_setpoint", State::Holding, 1, |_, _, _| false),
    ("bad_setpoint", State::Holding, 1, |_, wanted, _| {
        wanted.values[BASE] = f64::INFINITY;
        true
    }),
    ("jump", State::Holding, 1, |_, wanted, _| {
        wanted.values[JOINT] += 0.5;
        true
    }),
    ("stale_inference", State::Holding, 501, |rig, _, before| {
        rig.inference_at = before.inference_at;
        true
    }),
    ("stale_feedback", State::Holding, 21, |rig, _, before| {
        rig.measured = before.measured.clone();
        true
    }),
    ("bad_feedback", State::Holding, 1, |rig, _, _| {
        rig.hear_group(1, f64::NAN);
        true
    }),
    ("feedback_jump", State::Stopped, 1, |rig, _, _| {
        rig.hear_group(2, 0.5);
        true
    }),
    ("stale_input", State::Holding, 151, |rig, _, before| {
        rig.others = before.others.clone();
        true
    }),
    ("dead_man", State::Holding, 151, |rig, _, before| {
        rig.operator.alive_at = before.operator.alive_at;
        true
    }),
    ("clock_step", State::Holding, 1, |rig, _, _| {
        rig.wall = Stamp::from_ns(rig.wall.ns() + 10_000_000_000);
        true
    }),
    ("clock_step", State::Holding, 1, |rig, _, _| {
        rig.wall = Stamp::from_ns(rig.wall.ns() - 10_000_000_000);
        true
    }),
    ("late_tick", State::Holding, 1, |rig, _, _| {
        rig.advance(0.1);
        rig.hear();
        true
    }),
    ("time_backwards", State::Holding, 1, |rig, _, _| {
        rig.advance(-10.0);
        rig.hear();
        true
    }),
    ("operator_stop", State::Stopped, 1, |rig, _, _| {
        rig.operator.stop = true;
        true
    }),
    ("taken_over", State::Stopped, 1, |rig, _, _| {
        rig.status.is_taken_over = true;
        true
    }),
    ("fault", State::Stopped, 1, |rig, _, _| {
        rig.status.has_fault = true;
        true
    }),
    ("low_battery", State::Stopped, 1, |rig, _, _| {
        rig.status.battery_percent = Some(24.9);
        true
    }),
];

#[test]
fn the_documented_faults_are_those_that_are_tested() {
    let page = include_str!("../../../../docs/safety.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| fault")).skip(2);
    let rows: Vec<String> =
        rows.take_while(|line| line.starts_with('|')).map(|line| line.replace('`', "")).collect();
    assert_eq!(rows.len(), FAULTS.len());
    for (row, (kind, state, ticks, _)) in rows.iter().zip(FAULTS) {
        assert!(row.ends_with(&format!("| {kind} | {} | {ticks} |", state.name())), "{row}");
    }
}

#[test]
fn each_fault_makes_the_robot_hold_in_its_time() {
    for (kind, state, most_ticks, spoil) in FAULTS {
        let mut driven = Driven::new(&config(true));
        driven.bring_to(State::Running);
        assert!(driven.sent.as_ref().unwrap().values[BASE] > 0.0);
        let before = driven.rig.clone();
        let mut tick_count = 0;
        let found = loop {
            tick_count += 1;
            driven.wanted.values[JOINT] -= if kind == "jump" { 0.0 } else { 0.0005 };
            let found = driven.tick(|rig, wanted| spoil(rig, wanted, &before));
            if found.0 != State::Running || tick_count > most_ticks {
                break found;
            }
        };
        assert_eq!((found, tick_count), ((state, kind), most_ticks), "{kind}");
        // The base stands at once, the arms after 1.6 / 8.0 = 0.2 s.
        let mut postures = Vec::new();
        for _ in 0..22 {
            let sent = driven.sent.clone().unwrap();
            assert_eq!(sent.values[..3], [0.0; 3], "{kind}");
            postures.push(sent.values[3..].to_vec());
            driven.tick(|rig, wanted| spoil(rig, wanted, &before));
        }
        assert_eq!(postures[20], postures[21], "{kind}");
    }
}

#[test]
fn a_robot_that_holds_goes_on_once_all_was_fine_for_a_while_and_a_stopped_one_when_told_to() {
    let mut driven = Driven::new(&config(false));
    driven.bring_to(State::Running);
    let found = driven.tick(|rig, _| {
        rig.others[0] = None;
        true
    });
    assert_eq!(found, (State::Holding, "no_input"));
    let held = (0..100).take_while(|_| driven.fine().0 == State::Holding).count();
    // 300 ms of 10 ms ticks.
    assert_eq!(held, 29);

    driven.stop();
    for _ in 0..200 {
        assert_eq!(driven.fine(), (State::Stopped, "operator_stop"));
    }
    assert!(driven.sent.is_none(), "a stopped robot is left alone after a while");
    let resume = |rig: &mut Rig, _: &mut Setpoint| {
        rig.operator.resume = true;
        true
    };
    assert_eq!(driven.tick(resume), (State::Waiting, ""));
    // Somebody has moved the arm meanwhile: the set-point from before the stop is a jump now.
    driven.rig.position[JOINT] -= 0.4;
    assert_eq!(driven.fine().0, State::Ready);
    assert_eq!(driven.fine(), (State::Ready, "jump"));
    assert!(driven.sent.is_none());
    driven.wanted.values.copy_from_slice(&driven.rig.position);
    assert_eq!(driven.fine().0, State::Running);
    assert_eq!(driven.sent.unwrap().values[JOINT], driven.rig.position[JOINT]);
}

/// An arm falls, as it does without power: ever farther from its command, but never faster than joints may go.
#[test]
fn a_joint_that_does_not_follow_any_more_stops_the_robot_for_good() {
    let mut driven = Driven::new(&config(false));
    driven.bring_to(State::Running);
    let mut found = Vec::new();
    for tick in 1..=120 {
        let fallen_rad = (0.05 * f64::from(tick)).min(1.0);
        found.push(driven.tick(|rig, _| {
            rig.hear_group(2, -fallen_rad);
            true
        }));
    }
    found.dedup();
    assert_eq!(found, [(State::Running, ""), (State::Holding, "lead"), (State::Stopped, "left_behind")]);
    assert!(driven.sent.is_none(), "it is told to go back to where it was");
    for _ in 0..50 {
        assert_eq!(driven.fine().0, State::Stopped);
        assert!(driven.sent.is_none());
    }
}

#[test]
fn hands_stay_in_their_room_and_arms_off_the_body() {
    let mut driven = Driven::new(&config(false));
    driven.bring_to(State::Running);
    // The left arm swings in until the forearm would touch the torso.
    let mut kinds = Vec::new();
    for _ in 0..400 {
        driven.wanted.values[8] = (driven.wanted.values[8] - 0.005).max(-0.12);
        driven.wanted.values[10] = (driven.wanted.values[10] - 0.005).max(-1.5);
        driven.wanted.values[9] = (driven.wanted.values[9] - 0.005).max(-1.5);
        kinds.push(driven.fine().1);
    }
    assert!(kinds.contains(&"too_close"), "{kinds:?}");
}

#[test]
fn limits_can_be_tightened_but_not_widened() {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let rig = Rig::new(&robot, vec![0.0; 23]);
    let core = |text: &str| {
        let config = Config::parse(text, "robot.toml").map_err(|error| error.to_string())?;
        let core = Safety::new(&robot, &rig.joints, &config.safety, Vec::new());
        core.map_err(|error| error.to_string())
    };
    let text = "[safety]\nspeed_scale = 0.5\n[safety.limits]\nleft_arm = { velocity = 1.0, margin = 0.1 }\n";
    let tight = core(text).unwrap();
    let limits = tight.limits()[JOINT];
    assert_eq!((limits.velocity, limits.lower, limits.upper), (0.5, -4.4506 + 0.1, 1.309 - 0.1));
    assert_eq!(tight.limits()[3].velocity, 0.25);
    let cases = [
        ("[safety]\nspeed_scale = 1.1\n", "`safety.speed_scale` is 1.1, expected 0.01 to 1"),
        ("[safety]\nmax_feedback_age_ms = 501\n", "1 to 500"),
        ("[safety]\nmin_battery_percent = nan\n", "NaN"),
        ("[safety]\nspeed_scle = 0.5\n", "the nearest is `safety.speed_scale`"),
        (
            "[safety.limits]\ntorso = { velocity = 0.6 }\n",
            "is 0.6, expected no less strict than the robot description's 0.5",
        ),
        ("[safety.limits]\ntorso = { velocity = 0.0 }\n", "`safety.limits.torso.velocity` is 0"),
        ("[safety.limits]\ntorso = { margin = 0.04 }\n", "robot description's 0.05"),
        ("[safety.limits]\ntorso = { velocity = [0.1, 0.1] }\n", "2 numbers, expected one number, or 4"),
        ("[safety.limits]\ntorso = { speed = 0.1 }\n", "speed"),
        ("[safety.limits]\ntorsoo = { velocity = 0.1 }\n", "`torsoo`"),
    ];
    for (text, expected) in cases {
        let error = core(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
