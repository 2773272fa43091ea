//! A bridge between DDS and zenoh, as robots run one: `sinew-dds-bridge ENDPOINT DOMAIN`.
//!
//! It is Eclipse's zenoh-plugin-ros2dds in a router of its own, which listens on the endpoint until its standard input ends.

use std::error::Error;
use std::io::{Read, stdin};
use zenoh::Config;
use zenoh::internal::plugins::PluginsManager;
use zenoh::internal::runtime::RuntimeBuilder;
use zenoh_plugin_ros2dds::ROS2Plugin;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(endpoint), Some(domain)) = (arguments.next(), arguments.next()) else {
        return Err("usage: sinew-dds-bridge ENDPOINT DOMAIN".into());
    };
    let mut config = Config::default();
    for (key, value) in [
        ("mode", "\"router\""),
        ("listen/endpoints", &format!("[\"{endpoint}\"]")),
        ("scouting/multicast/enabled", "false"),
        ("plugins/ros2dds/domain", &domain),
    ] {
        config.insert_json5(key, value)?;
    }
    let mut plugins = PluginsManager::static_plugins_only();
    plugins.declare_static_plugin::<ROS2Plugin, &str>("ros2dds", true);
    let mut runtime = RuntimeBuilder::new(config).plugins_manager(plugins).build().await?;
    runtime.start().await?;
    println!("connected");
    tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
