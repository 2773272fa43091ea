//! What programs that may not use each other have to agree on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use sinew_runtime::config::Config;
use sinew_trainer::convert::Settings;

#[test]
fn a_log_without_a_configuration_is_converted_with_the_runtimes_defaults() {
    let (runtime, trainer) = (Config::built_in().unwrap(), Settings::default());
    assert_eq!(trainer.sync.limits(), runtime.sync.limits());
    assert_eq!(trainer.feedback, runtime.feedback);
}

#[test]
fn the_conversion_reads_the_configuration_that_the_runtime_records() {
    let mut config = Config::built_in().unwrap();
    config.sync.max_skew_ms = 12.5;
    config.sync.max_equal_pictures = 0;
    let camera = sinew_runtime::config::CameraConfig::compressed("/elsewhere");
    config.cameras.insert("head".to_owned(), camera);
    let settings: Settings = toml::from_str(&config.to_toml().unwrap()).unwrap();
    assert_eq!(settings.sync.limits(), config.sync.limits());
    assert_eq!(settings.cameras["head"].topic.as_deref(), Some("/elsewhere"));
}
