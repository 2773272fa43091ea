//! Judges commands by what is written in the robot's file and by finite differences. Shares no code with the safety core:
//! it reads the numbers from the TOML itself.

use sinew_models::embodiment::Embodiment;
use sinew_models::kinematics::Frame;
use sinew_models::separation::{Placed, Separation};
use sinew_runtime::safety::{Outcome, State};

/// Rounding of sums and differences of the numbers at hand.
const ROUNDING: f64 = 1e-7;
/// One joint as the file describes it.
#[derive(Clone, Debug)]
struct Line {
    is_position: bool,
    lower: f64,
    upper: f64,
    margin: f64,
    velocity: f64,
    acceleration: f64,
    jerk: f64,
    radians: f64,
}

/// What was sent last.
#[derive(Clone, Debug)]
struct Sent {
    at_ns: i64,
    tick_s: f64,
    values: Vec<f64>,
    velocities: Vec<f64>,
    /// Accelerations, the length of time they are of and their rounding, once three commands have been one motion.
    accelerations: Option<(Vec<f64>, f64, f64)>,
    /// Commands that were one motion.
    count: usize,
}

pub(crate) struct Checker {
    lines: Vec<Line>,
    robot: Embodiment,
    separation: Separation,
    frames: Vec<Frame>,
    placed: Vec<Placed>,
    group_starts: Vec<usize>,
    last: Option<Sent>,
}

fn number(value: &toml::Value, joint: usize) -> f64 {
    match value {
        toml::Value::Array(values) => values[joint].as_float().unwrap(),
        value => value.as_float().unwrap(),
    }
}

impl Checker {
    pub(crate) fn new(file: &str, robot: Embodiment) -> Self {
        let file: toml::Table = file.parse().unwrap();
        let (mut lines, mut group_starts) = (Vec::new(), Vec::new());
        for group in file["groups"].as_array().unwrap() {
            group_starts.push(lines.len());
            let operating = &group["operating"];
            let is_position = group["kind"].as_str() == Some("position");
            for (joint, described) in group["joints"].as_array().unwrap().iter().enumerate() {
                let velocity = number(&operating["velocity"], joint);
                let margin = operating.get("margin").map_or(0.0, |margin| number(margin, joint));
                let (lower, upper) =
                    (described["lower"].as_float().unwrap(), described["upper"].as_float().unwrap());
                lines.push(Line {
                    is_position,
                    lower: if is_position { lower } else { -velocity },
                    upper: if is_position { upper } else { velocity },
                    margin,
                    velocity,
                    acceleration: number(&operating["acceleration"], joint),
                    jerk: operating.get("jerk").map_or(f64::INFINITY, |jerk| number(jerk, joint)),
                    radians: if group["unit"].as_str() == Some("deg") { 1.0_f64.to_radians() } else { 1.0 },
                });
            }
        }
        let separation = Separation::new(&robot);
        Self {
            frames: vec![Frame::BASE; robot.kinematics.link_count()],
            placed: separation.room(),
            lines,
            robot,
            separation,
            group_starts,
            last: None,
        }
    }

    /// Says what is wrong with a tick.
    pub(crate) fn check(
        &mut self,
        at_ns: i64,
        outcome: &Outcome<'_>,
        measured: &[f64],
    ) -> Result<(), String> {
        let Some(command) = outcome.command else {
            if outcome.state == State::Running || outcome.state == State::Holding {
                return Err(format!("nothing is sent while {:?}", outcome.state));
            }
            self.last = None;
            return Ok(());
        };
        let values = &command.values;
        let Some(last) = self.last.clone() else { return self.first(at_ns, outcome, measured) };
        let tick_s = (at_ns - last.at_ns) as f64 * 1e-9;
        let stands = (0..values.len()).all(|j| !self.lines[j].is_position || values[j] == last.values[j]);
        let (mut velocities, mut accelerations) = (vec![0.0; values.len()], vec![0.0; values.len()]);
        let mut roundings: f64 = 0.0;
        let is_frozen = stands && outcome.state != State::Running;
        for (joint, line) in self.lines.iter().enumerate() {
            let (value, before) = (values[joint], last.values[joint]);
            let wrong = |what: &str, found: f64, limit: f64| {
                Err(format!(
                    "joint {joint}: {what} {found} past {limit} while {:?} at {at_ns} ns",
                    outcome.state
                ))
            };
            if !value.is_finite() {
                return wrong("command", value, f64::INFINITY);
            }
            if !line.is_position {
                if value.abs() > line.velocity + ROUNDING {
                    return wrong("base velocity", value, line.velocity);
                }
                if outcome.state != State::Running && value != 0.0 {
                    return wrong("base velocity", value, 0.0);
                }
                let change = (value - before).abs();
                if outcome.state == State::Running && change > line.acceleration * tick_s.max(0.0) + ROUNDING
                {
                    return wrong("base acceleration", change / tick_s, line.acceleration);
                }
                continue;
            }
            line.position(joint, value, Some(before))?;
            if is_frozen {
                continue;
            }
            if tick_s <= 0.0 {
                return Err(format!("joint {joint} moved while time stood still"));
            }
            let velocity = (value - before) / tick_s;
            if velocity.abs() > line.velocity + ROUNDING / tick_s {
                return wrong("velocity", velocity, line.velocity);
            }
            let between_s = (tick_s + if last.tick_s > 0.0 { last.tick_s } else { tick_s }) / 2.0;
            let acceleration = (velocity - last.velocities[joint]) / between_s;
            // Both velocities carry the rounding of their positions.
            let ulp = 4.0 * f64::EPSILON * value.abs().max(1.0);
            let rounding = ROUNDING + ulp / tick_s.min(last.tick_s.max(1e-9)) / between_s;
            if acceleration.abs() > line.acceleration * (1.0 + ROUNDING) + rounding {
                return wrong("acceleration", acceleration, line.acceleration);
            }
            velocities[joint] = velocity;
            accelerations[joint] = acceleration;
            roundings = rounding.max(roundings);
            let Some((before, span_s, rounding_before)) = &last.accelerations else { continue };
            // Third divided differences of the commands.
            let jerk = 3.0 * (acceleration - before[joint]) / (span_s + tick_s);
            // A difference of differences of differences: what is left of the digits.
            let rounding = 4.0 * (rounding + rounding_before) / (span_s + tick_s) + 1e-5 * line.jerk;
            if jerk.abs() > line.jerk + rounding {
                return wrong("jerk", jerk, line.jerk);
            }
        }
        let count = if is_frozen { 1 } else { last.count + 1 };
        let accelerations = (count >= 3).then_some((accelerations, last.tick_s + tick_s, roundings));
        self.room(values).map_err(|wrong| format!("{wrong} while {:?}", outcome.state))?;
        let values = values.to_vec();
        self.last = Some(Sent { at_ns, tick_s: tick_s.max(0.0), values, velocities, accelerations, count });
        Ok(())
    }

    /// The first command after silence is where the joints are.
    fn first(&mut self, at_ns: i64, outcome: &Outcome<'_>, measured: &[f64]) -> Result<(), String> {
        let values = outcome.command.unwrap().values.to_vec();
        for (joint, line) in self.lines.iter().enumerate() {
            if line.is_position {
                line.position(joint, values[joint], None)?;
                if (values[joint] - measured[joint]).abs() > 0.01 * (line.upper - line.lower) {
                    return Err(format!(
                        "joint {joint} starts at {}, not at {}",
                        values[joint], measured[joint]
                    ));
                }
            } else if values[joint] != 0.0 {
                return Err(format!("the base starts with {}", values[joint]));
            }
        }
        self.room(&values)?;
        let velocities = vec![0.0; values.len()];
        let accelerations = None;
        self.last = Some(Sent { at_ns, tick_s: 0.0, values, velocities, accelerations, count: 1 });
        Ok(())
    }

    fn room(&mut self, values: &[f64]) -> Result<(), String> {
        let (lines, starts) = (&self.lines, &self.group_starts);
        let position_rad = |group: usize, joint: usize| {
            let index = starts[group] + joint;
            values[index] * lines[index].radians
        };
        self.robot.kinematics.frames(&position_rad, &mut self.frames);
        self.separation.place(&self.frames, &mut self.placed);
        for (hand, described) in self.robot.hands.iter().enumerate() {
            let at = self.frames[self.robot.kinematics.hand_link(hand)].origin_m;
            let workspace = described.workspace.unwrap();
            for (at, (lower, upper)) in at.iter().zip(workspace.lower.iter().zip(workspace.upper)) {
                let outside = (lower - at).max(at - upper);
                if outside > 0.0 {
                    return Err(format!("{} is {outside} m outside its workspace", described.name));
                }
            }
        }
        for (index, pair) in self.separation.pairs().iter().enumerate() {
            let distance_m = self.separation.distance_m(index, &self.placed);
            if distance_m < pair.distance_m {
                return Err(format!("{:?} are {distance_m} m apart", pair.parts));
            }
        }
        Ok(())
    }
}

impl Line {
    fn position(&self, joint: usize, value: f64, before: Option<f64>) -> Result<(), String> {
        if value < self.lower - 1e-12 || value > self.upper + 1e-12 {
            return Err(format!("joint {joint}: {value} is not in {}..{}", self.lower, self.upper));
        }
        let outside = |x: f64| (self.lower + self.margin - x).max(x - self.upper + self.margin).max(0.0);
        match before {
            Some(before) if outside(value) > outside(before) + 1e-9 => {
                Err(format!("joint {joint}: {value} is {} into the margin", outside(value)))
            }
            _ => Ok(()),
        }
    }
}
