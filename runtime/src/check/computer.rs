//! What this computer allows: real-time priority, shared memory, files.

use super::finding::Finding;
use crate::config::{CameraConfig, Config};
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use zenoh::Wait;
use zenoh::shm::ShmProviderBuilder;

/// Bit of CAP_SYS_NICE among a process's capabilities (linux/capability.h).
const SYS_NICE: u32 = 23;
/// Highest real-time priority that Linux has.
const MOST_PRIORITY: u64 = 99;
/// What is asked for to see whether there is shared memory: some pictures.
const SHARED_BYTES: usize = 4 << 20;

/// All of it.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![real_time(config.setpoints.realtime_priority)];
    if config.zenoh.shared_memory {
        findings.push(shared_memory());
    }
    for (name, camera) in &config.cameras {
        if let CameraConfig::Device(device) = camera {
            findings.push(openable(&format!("device of camera.{name}"), Path::new(&device.device)));
        }
    }
    if config.record.is_on() {
        findings.push(writable("recording", Path::new(&config.record.folder)));
    }
    findings
}

fn real_time(wanted: u8) -> Finding {
    let read = |name: &str| fs::read_to_string(Path::new("/proc/self").join(name)).unwrap_or_default();
    let subject = "real-time priority";
    if wanted == 0 {
        let advice = "set `setpoints.realtime_priority`, such as 50";
        return Finding::warning(
            subject,
            "none is configured: other programs can keep the control tick waiting",
            advice,
        );
    }
    match real_time_priority(&read("limits"), &read("status")) {
        Some(most) if most >= u64::from(wanted) => {
            Finding::ok(subject, format!("the control tick gets {wanted}, up to {most} is allowed"))
        }
        Some(most) => Finding::warning(
            subject,
            format!(
                "up to {most} is allowed, {wanted} is configured: other programs can keep the control tick waiting"
            ),
            format!(
                "allow it: `rtprio {wanted}` for the user in /etc/security/limits.conf, then log in again"
            ),
        ),
        None => Finding::warning(subject, "the system does not say", "on Linux /proc says"),
    }
}

/// The highest real-time priority that a process may ask for, as its `limits` and `status` in /proc say.
fn real_time_priority(limits: &str, status: &str) -> Option<u64> {
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?.trim();
    if u64::from_str_radix(capabilities, 16).ok()? >> SYS_NICE & 1 == 1 {
        return Some(MOST_PRIORITY);
    }
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max realtime priority"))?;
    match limit.split_whitespace().next()? {
        "unlimited" => Some(MOST_PRIORITY),
        soft => soft.parse().ok(),
    }
}

fn shared_memory() -> Finding {
    let subject = "shared memory";
    match ShmProviderBuilder::default_backend(SHARED_BYTES).wait() {
        Ok(_) => Finding::ok(subject, format!("{} MiB can be had", SHARED_BYTES >> 20)),
        Err(error) => Finding::warning(
            subject,
            format!("none: {error}"),
            "make /dev/shm writable and large enough (in a container: --shm-size); pictures of this computer's cameras go \
             over the network otherwise",
        ),
    }
}

/// Whether a camera of this computer is there and may be used.
fn openable(subject: &str, device: &Path) -> Finding {
    match OpenOptions::new().read(true).write(true).open(device) {
        Ok(_) => Finding::ok(subject, format!("{} can be opened", device.display())),
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::NotFound => "plug the camera in; `v4l2-ctl --list-devices` says what there is",
                ErrorKind::PermissionDenied => "add the user to the group `video`, and log in again",
                _ => "end the program that uses the camera",
            };
            Finding::refused(subject, format!("{} cannot be opened: {error}", device.display()), advice)
        }
    }
}

/// Whether a file can be written in a folder, which need not exist yet.
fn writable(subject: &str, folder: &Path) -> Finding {
    let here = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let existing = here.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&here);
    let probe = existing.join(format!(".sinew-check-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&probe);
    match written.and_then(|_| fs::remove_file(&probe)) {
        Ok(()) => Finding::ok(subject, format!("{} can be written", folder.display())),
        Err(error) => Finding::refused(
            subject,
            format!("{} cannot be written: {error}", existing.display()),
            "give `record.folder` one that can, or none",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    /// As Linux 6 writes them.
    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
                          Max nice priority         0                    0                    \n\
                          Max realtime priority     50                   99                   \n\
                          Max realtime timeout      unlimited            unlimited            us        \n";

    #[test]
    fn the_highest_priority_is_read_as_linux_writes_it() {
        let status = |capabilities: &str| {
            format!("Name:\tsinew\nCapPrm:\t0000000000000000\nCapEff:\t{capabilities}\n")
        };
        assert_eq!(real_time_priority(LIMITS, &status("0000000000000000")), Some(50));
        assert_eq!(real_time_priority(&LIMITS.replace("50 ", "0 "), &status("000001ffff7fffff")), Some(0));
        assert_eq!(real_time_priority(LIMITS, &status("000001ffffffffff")), Some(99));
        assert_eq!(real_time_priority(LIMITS, &status("0000000000800000")), Some(99));
        assert_eq!(real_time_priority(&LIMITS.replace("50       ", "unlimited"), &status("0")), Some(99));
        assert_eq!(real_time_priority("", ""), None);
    }

    #[test]
    fn a_camera_has_to_be_there() {
        let device = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(openable("device of camera.head", device.path()).verdict, Verdict::Ok);
        let missing = openable("device of camera.head", &device.path().with_extension("gone"));
        assert_eq!(missing.verdict, Verdict::Refused);
        assert!(missing.advice.is_some_and(|advice| advice.contains("plug the camera in")));
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_is_writable_where_its_parent_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let verdict = |path: &Path| writable("recording", path).verdict;
        assert_eq!(verdict(&folder.path().join("a/b")), Verdict::Ok);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(verdict(&file.join("a")), Verdict::Refused);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the probe was left behind");
    }
}
