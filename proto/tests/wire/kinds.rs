//! What the tests need of every message type: random values, and a JSON form that loses nothing.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sinew_proto::cdr::Cdr;
use sinew_proto::msg::{
    builtin_interfaces, diagnostic_msgs, geometry_msgs, hdas_msg, sensor_msgs, sinew_msgs, std_msgs,
    trajectory_msgs,
};
use sinew_proto::{Error, Message};
use std::borrow::Cow;

/// A message as JSON and encoded.
type Sampled = (Value, Vec<u8>);

/// A message type, with the type itself erased.
pub(crate) struct Kind {
    /// `sensor_msgs/msg/JointState`
    pub(crate) type_name: &'static str,
    /// [`Cdr::MIN_SIZE`]
    pub(crate) min_size: usize,
    /// Decodes and drops.
    pub(crate) decode: fn(&[u8]) -> Result<(), Error>,
    /// Decodes into JSON and encodes again.
    pub(crate) transcode: fn(&[u8]) -> Result<Sampled, Error>,
    /// Random messages, the same at every call.
    pub(crate) samples: fn(usize) -> Vec<Sampled>,
}

/// The kind with this type name.
pub(crate) fn kind(type_name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.type_name == type_name).unwrap()
}

/// The JSON form of `tests/oracles/proto/rosbags_oracle.py`: floats as their bits, bytes as hexadecimal digits.
trait Json {
    fn json(&self) -> Value;
}

trait Sample: Sized + 'static {
    fn strategy() -> BoxedStrategy<Self>;
}

/// The strategy of a field's type; the name only lets a macro write one call per field.
fn field_strategy<T: Sample>(_name: &str) -> BoxedStrategy<T> {
    T::strategy()
}

/// Lists the message types with their fields. `Image<'a = 'static>` has JSON for any lifetime and samples that own.
macro_rules! kinds {
    ($($package:ident::$name:ident $(<$life:lifetime = $owned:lifetime>)? { $($field:ident),* })*) => {
        /// Every message type.
        pub(crate) const KINDS: &[Kind] = &[$(Kind {
            type_name: concat!(stringify!($package), "/msg/", stringify!($name)),
            min_size: <$package::$name as Cdr>::MIN_SIZE,
            decode: |bytes| $package::$name::from_cdr(bytes).map(drop),
            transcode: |bytes| $package::$name::from_cdr(bytes).map(|message| (message.json(), message.to_cdr())),
            samples: |count| {
                let mut runner = TestRunner::deterministic();
                let strategy = $package::$name::strategy();
                let sample = |_| strategy.new_tree(&mut runner).unwrap().current();
                (0..count).map(sample).map(|message| (message.json(), message.to_cdr())).collect()
            },
        }),*];

        $(
            impl<'a> Json for $package::$name $(<$life>)? {
                fn json(&self) -> Value {
                    json!({ $(stringify!($field): self.$field.json()),* })
                }
            }

            impl Sample for $package::$name $(<$owned>)? {
                fn strategy() -> BoxedStrategy<Self> {
                    ($(field_strategy(stringify!($field)),)*).prop_map(|($($field,)*)| Self { $($field),* }).boxed()
                }
            }
        )*
    };
}

kinds! {
    builtin_interfaces::Time { sec, nanosec }
    builtin_interfaces::Duration { sec, nanosec }
    std_msgs::Header { stamp, frame_id }
    std_msgs::String { data }
    std_msgs::Bool { data }
    std_msgs::Float32 { data }
    sensor_msgs::JointState { header, name, position, velocity, effort }
    sensor_msgs::CompressedImage<'a = 'static> { header, format, data }
    sensor_msgs::Image<'a = 'static> { header, height, width, encoding, is_bigendian, step, data }
    sensor_msgs::Imu {
        header, orientation, orientation_covariance, angular_velocity, angular_velocity_covariance,
        linear_acceleration, linear_acceleration_covariance
    }
    trajectory_msgs::JointTrajectory { header, joint_names, points }
    trajectory_msgs::JointTrajectoryPoint { positions, velocities, accelerations, effort, time_from_start }
    geometry_msgs::Vector3 { x, y, z }
    geometry_msgs::Point { x, y, z }
    geometry_msgs::Quaternion { x, y, z, w }
    geometry_msgs::Pose { position, orientation }
    geometry_msgs::PoseStamped { header, pose }
    geometry_msgs::Twist { linear, angular }
    geometry_msgs::TwistStamped { header, twist }
    diagnostic_msgs::KeyValue { key, value }
    diagnostic_msgs::DiagnosticStatus { level, name, message, hardware_id, values }
    diagnostic_msgs::DiagnosticArray { header, status }
    hdas_msg::Bms { header, voltage, current, capital }
    hdas_msg::ControllerSignal { left_x_axis, left_y_axis, right_x_axis, right_y_axis, mode }
    hdas_msg::ControllerSignalStamped { header, data }
    hdas_msg::FeedbackStatusDetail { name, error_code, error_description }
    hdas_msg::FeedbackStatus { header, name_id, errors }
    sinew_msgs::ActionChunk {
        header, sequence, bundle_id, instruction, published_at, step_count, dimension_count, names, units,
        step_times, values
    }
}

macro_rules! primitives {
    ($($type:ty: |$value:ident| $json:expr, $strategy:expr;)*) => {$(
        impl Json for $type {
            fn json(&self) -> Value {
                let $value = self;
                json!($json)
            }
        }

        impl Sample for $type {
            fn strategy() -> BoxedStrategy<Self> {
                $strategy.boxed()
            }
        }
    )*};
}

primitives! {
    bool: |value| value, any::<bool>();
    u8: |value| value, any::<u8>();
    i32: |value| value, any::<i32>();
    u32: |value| value, any::<u32>();
    u64: |value| value, any::<u64>();
    f32: |value| format!("f32:{:08x}", value.to_bits()), prop::num::f32::ANY;
    f64: |value| format!("f64:{:016x}", value.to_bits()), prop::num::f64::ANY;
    String: |value| value, ".{0,9}";
    [f64; 9]: |value| value.map(|entry| entry.json()), prop::array::uniform9(f64::strategy());
}

impl Json for Cow<'_, [u8]> {
    fn json(&self) -> Value {
        json!(hex(self))
    }
}

impl Sample for Cow<'static, [u8]> {
    fn strategy() -> BoxedStrategy<Self> {
        vec(any::<u8>(), 0..40).prop_map(Cow::Owned).boxed()
    }
}

impl<T: Json> Json for Vec<T> {
    fn json(&self) -> Value {
        self.iter().map(Json::json).collect()
    }
}

impl<T: Sample + std::fmt::Debug> Sample for Vec<T> {
    fn strategy() -> BoxedStrategy<Self> {
        vec(T::strategy(), 0..6).boxed()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    digits.as_bytes().as_chunks().0.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)).collect()
}

#[test]
fn no_message_type_is_left_out() {
    let listed: Vec<_> = KINDS.iter().map(|kind| kind.type_name).collect();
    let all: Vec<_> = sinew_proto::schema::ALL.iter().map(|schema| schema.type_name).collect();
    assert_eq!(listed, all);
}

#[test]
fn what_is_encoded_is_decoded() {
    for kind in KINDS {
        for (value, bytes) in (kind.samples)(256) {
            assert!(4 + kind.min_size <= bytes.len(), "{}", kind.type_name);
            assert_eq!((kind.transcode)(&bytes).unwrap(), (value, bytes), "{}", kind.type_name);
        }
    }
}
