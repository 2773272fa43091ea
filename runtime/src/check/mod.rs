//! `sinew-runtime check`: whether the robot would move, and what to do where not. It listens as a run does and lets the
//! safety core decide, but sends nothing.

mod computer;
mod finding;
mod heard;
mod judge;

pub use finding::{Finding, Report, Verdict};
pub use heard::{DryRun, Heard, HeardStream};
pub use judge::{Base, Expected, judge};

use crate::config::Config;
use crate::control::MotionPlan;
use crate::error::Error;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::ros::Ros;
use crate::stop::Stop;
use sinew_models::contract::Bundle;
use sinew_models::embodiment::GroupKind;
use sinew_proto::key::Key;
use std::path::Path;
use std::time::{Duration, Instant};
use zenoh::Wait;

/// Checks everything that a run of this bundle would need, listening to the robot for so long.
///
/// # Errors
/// If looking itself fails.
pub fn check(bundle: &Path, config: &Config, duration: Duration, stop: &Stop) -> Result<Report, Error> {
    let mut findings = Vec::new();
    let plan = plan(bundle, config, &mut findings);
    if let Some((plan, _)) = &plan {
        findings.extend(policy(plan, config));
    }
    findings.extend(computer::findings(config));
    match &plan {
        Some((plan, motion)) => findings.extend(network(plan, motion.as_ref(), config, duration, stop)?),
        None => findings.push(Finding::warning(
            "network",
            "not looked at: nobody knows which topics the bundle needs",
            "mend the bundle or the configuration first",
        )),
    }
    Ok(Report::new(findings))
}

/// What a run would be made of, if it can be.
fn plan(bundle: &Path, config: &Config, findings: &mut Vec<Finding>) -> Option<(Plan, Option<MotionPlan>)> {
    let advice = "export it again (sinew-trainer export), or copy it whole";
    let bundle = match Bundle::open(bundle) {
        Ok(bundle) => bundle,
        Err(error) => {
            findings.push(Finding::refused("bundle", error, advice));
            return None;
        }
    };
    let manifest = &bundle.manifest;
    let found = format!("{} for {}; all hashes agree", manifest.bundle_id, manifest.embodiment);
    findings.push(Finding::ok("bundle", found));
    let planned = Plan::new(bundle, config).and_then(|plan| {
        let motion = MotionPlan::new(&plan, config)?;
        Ok((plan, motion))
    });
    match planned {
        Ok((plan, motion)) => {
            let (cameras, groups) = (plan.cameras.len(), plan.feedback.len());
            let found = format!(
                "{}: {cameras} cameras and feedback of {groups} groups are needed",
                plan.embodiment.name
            );
            findings.push(Finding::ok("robot", found));
            findings.push(match &motion {
                Some(_) => Finding::ok("set-points", format!("{} a second", config.setpoints.rate_hz)),
                None => Finding::warning(
                    "set-points",
                    "off: chunks are computed and published, nothing moves the robot",
                    "set `setpoints.publish = true` for motion",
                ),
            });
            Some((plan, motion))
        }
        Err(error) => {
            findings.push(Finding::refused(
                "robot",
                error,
                "let bundle, robot description and configuration agree",
            ));
            None
        }
    }
}

/// Whether the policy can be computed here and understands what it is told.
fn policy(plan: &Plan, config: &Config) -> Vec<Finding> {
    let start = Instant::now();
    let mut policy = match Policy::load(&plan.bundle, &config.policy) {
        Ok(policy) => policy,
        Err(error) => {
            let advice =
                "give another library or execution provider ([policy] onnxruntime, execution_provider)";
            return vec![Finding::refused("policy", error, advice)];
        }
    };
    let (asked, got) = (config.policy.execution_provider, policy.provider());
    let found = format!("on {}, loaded in {:.1} s", got.name(), start.elapsed().as_secs_f64());
    let loaded = if asked == got {
        Finding::ok("policy", found)
    } else {
        let advice = format!("{} cannot be had here; a slower policy is not the same robot", asked.name());
        Finding::warning("policy", found, advice)
    };
    let told = match config.policy.instruction.as_str() {
        "" => Finding::warning(
            "instruction",
            "none: the robot waits for one",
            "give --instruction, or say it on sinew/instruction",
        ),
        text => match policy.set_instruction(text) {
            Ok(()) => Finding::ok("instruction", format!("`{text}`")),
            Err(error) => Finding::refused("instruction", error, "give another"),
        },
    };
    vec![loaded, told]
}

fn network(
    plan: &Plan,
    motion: Option<&MotionPlan>,
    config: &Config,
    duration: Duration,
    stop: &Stop,
) -> Result<Vec<Finding>, Error> {
    let ros = match Ros::open(&config.zenoh) {
        Ok(ros) => ros,
        Err(error) => {
            let advice = "start zenoh-bridge-ros2dds on the robot, and give its address under [zenoh]";
            return Ok(vec![Finding::refused("network", error, advice)]);
        }
    };
    let heard = match heard::listen(&ros, plan, motion, config, duration, stop) {
        Ok(heard) => heard,
        Err(error) => return Ok(vec![Finding::refused("inputs", error, "a run would end with this")]),
    };
    ros.session().close().wait().map_err(Error::zenoh("closing"))?;
    let outputs = motion.iter().flat_map(|motion| &motion.outputs).map(|output| {
        Ok((output.clone(), Key::of_topic_in(&config.zenoh.namespace, &output.topic)?.to_string()))
    });
    let outputs = outputs.collect::<Result<Vec<_>, Error>>()?;
    let base = motion.iter().flat_map(|motion| motion.joints.groups());
    let base = base.filter(|group| group.is_commanded).find(|group| group.kind == GroupKind::Velocity);
    let remote = plan.embodiment.status.remote.as_ref().map(|remote| remote.topic.as_str());
    let expected = Expected {
        limits: config.sync.limits(),
        outputs: &outputs,
        min_battery_percent: config.safety.min_battery_percent,
        base: base.map(|group| Base { group: &group.name, remote }),
    };
    Ok(judge(&heard, &expected))
}
