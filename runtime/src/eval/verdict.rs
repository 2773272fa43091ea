//! From what a rig can tell of its things to how an episode ended. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A thing that rose so far was lifted, metres.
const LIFTED_M: f64 = 0.03;
/// A thing that moved so far was pushed, metres.
const PUSHED_M: f64 = 0.02;

/// What a rig knows of a thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemFacts {
    /// Whether the thing is where it belongs, as it should be: everything below, by the rig's own measure.
    pub success: bool,
    /// Whether it lies in the tray.
    pub in_tray: bool,
    /// Whether it lies as it should.
    pub upright: bool,
    /// Whether it is at rest and no hand touches it.
    pub released: bool,
    /// The hands that touched it at any time.
    #[serde(default)]
    pub touched_by: Vec<String>,
    /// The hands that touch it now.
    #[serde(default)]
    pub held_by: Vec<String>,
    /// How far it was lifted at most.
    #[serde(default)]
    pub rise_m: f64,
    /// How far it is from where it began, over the table.
    #[serde(default)]
    pub moved_m: f64,
    /// How near its centre each hand's fingertips came.
    #[serde(default)]
    pub least_distance_m: BTreeMap<String, f64>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_m: Option<[f64; 3]>,
}

/// Things by name.
pub type Items = BTreeMap<String, ItemFacts>;

/// Why an episode failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The policy never took over: the robot did not move, or did not reach the start posture.
    NeverStarted,
    /// The robot was stopped.
    Stopped,
    /// The named thing is in the tray, and so is another.
    OtherToo,
    /// Another thing was put into the tray or lifted, and the named one was not.
    WrongObject,
    /// It lies in the tray, but was not left alone.
    NotReleased,
    /// It lies in the tray, on the wrong side.
    Toppled,
    /// It lay in the tray as it should, but not for long enough.
    NotHeldLongEnough,
    /// A hand still has it.
    StillHeld,
    /// It was lifted, and lies elsewhere.
    DroppedOutside,
    /// A hand touched it and pushed it away.
    Pushed,
    /// A hand touched it, and no more.
    TouchedNotLifted,
    /// No hand touched it.
    NeverTouched,
}

impl Cause {
    /// As reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NeverStarted => "never_started",
            Self::Stopped => "stopped",
            Self::OtherToo => "other_too",
            Self::WrongObject => "wrong_object",
            Self::NotReleased => "not_released",
            Self::Toppled => "toppled",
            Self::NotHeldLongEnough => "not_held_long_enough",
            Self::StillHeld => "still_held",
            Self::DroppedOutside => "dropped_outside",
            Self::Pushed => "pushed",
            Self::TouchedNotLifted => "touched_not_lifted",
            Self::NeverTouched => "never_touched",
        }
    }
}

/// Whether the named thing is where it belongs now, and no other was taken there.
#[must_use]
pub fn is_success(named: &str, items: &Items) -> bool {
    items.get(named).is_some_and(|item| item.success) && !others(named, items).any(|item| item.in_tray)
}

/// Why an episode of which the things' end is known is a failure.
#[must_use]
pub fn cause(named: &str, items: &Items) -> Cause {
    let nothing = ItemFacts::default();
    let item = items.get(named).unwrap_or(&nothing);
    let is_lifted = |item: &ItemFacts| item.rise_m > LIFTED_M;
    let is_other_in = others(named, items).any(|other| other.in_tray);
    if item.in_tray && is_other_in {
        Cause::OtherToo
    } else if item.in_tray && !item.released {
        Cause::NotReleased
    } else if item.in_tray && !item.upright {
        Cause::Toppled
    } else if item.in_tray {
        Cause::NotHeldLongEnough
    } else if is_other_in || (!is_lifted(item) && others(named, items).any(is_lifted)) {
        Cause::WrongObject
    } else if is_lifted(item) && !item.held_by.is_empty() {
        Cause::StillHeld
    } else if is_lifted(item) {
        Cause::DroppedOutside
    } else if item.touched_by.is_empty() {
        Cause::NeverTouched
    } else if item.moved_m > PUSHED_M {
        Cause::Pushed
    } else {
        Cause::TouchedNotLifted
    }
}

fn others<'a>(named: &'a str, items: &'a Items) -> impl Iterator<Item = &'a ItemFacts> {
    items.iter().filter(move |(name, _)| *name != named).map(|(_, item)| item)
}

/// Watches whether success lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Held {
    since_s: Option<f64>,
}

impl Held {
    /// Takes in whether there is success at a time. Returns when it began, once it has lasted `for_s`.
    pub fn look(&mut self, at_s: f64, is_success: bool, for_s: f64) -> Option<f64> {
        self.since_s = is_success.then(|| self.since_s.unwrap_or(at_s));
        self.since_s.filter(|since_s| at_s - since_s >= for_s)
    }
}
