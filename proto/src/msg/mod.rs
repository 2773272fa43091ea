//! The messages, one module per ROS 2 package.

pub mod builtin_interfaces;
pub mod diagnostic_msgs;
pub mod geometry_msgs;
pub mod hdas_msg;
pub mod sensor_msgs;
pub mod sinew_msgs;
pub mod std_msgs;
pub mod trajectory_msgs;

use crate::Error;
use crate::cdr::{Cdr, Reader, Writer};

/// A message with a name, a definition and an encoding.
///
/// `'a` is the life of the bytes decoded from. Only image data borrow them; every other message implements
/// `Message<'a>` for any `'a`.
pub trait Message<'a>: Cdr<'a> {
    /// Name as ROS 2 tools write it: `sensor_msgs/msg/JointState`.
    const TYPE_NAME: &'static str;

    /// The `.msg` text followed by those of the messages it contains, as an MCAP schema of encoding
    /// `ros2msg` wants it.
    const DEFINITION: &'static str;

    /// Decodes a message, encapsulation header included.
    ///
    /// # Errors
    ///
    /// The bytes are not exactly one such message; the error says where.
    fn from_cdr(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, Self::TYPE_NAME)?;
        let message = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(message)
    }

    /// Encodes the message, little endian, encapsulation header included.
    fn to_cdr(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write_cdr(&mut bytes);
        bytes
    }

    /// As [`Message::to_cdr`], into a buffer that is emptied first and allocates only where it must grow.
    fn write_cdr(&self, buffer: &mut Vec<u8>) {
        self.write(&mut Writer::new(buffer));
    }
}

/// Declares a message: `package/Name uses [messages it contains]`, then the struct with the fields in the
/// order of the `.msg` text. The order is checked against an independent encoder in `tests/wire/oracle.rs`.
macro_rules! message {
    (
        $package:ident / $ros_name:ident uses [$($used_package:ident / $used:ident),*]
        $(#[$meta:meta])*
        pub struct $name:ident $(<$life:lifetime>)? {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        pub struct $name $(<$life>)? {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl<'a> $crate::cdr::Cdr<'a> for $name $(<$life>)? {
            const MIN_SIZE: usize = 0 $(+ <$type as $crate::cdr::Cdr>::MIN_SIZE)*;

            fn read(reader: &mut $crate::cdr::Reader<'a>) -> Result<Self, $crate::Error> {
                Ok(Self {
                    $($field: $crate::cdr::Cdr::read(reader)
                        .map_err(|error: $crate::Error| error.within(stringify!($field)))?,)*
                })
            }

            fn write(&self, writer: &mut $crate::cdr::Writer<'_>) {
                $($crate::cdr::Cdr::write(&self.$field, writer);)*
            }
        }

        impl<'a> $crate::msg::Message<'a> for $name $(<$life>)? {
            const TYPE_NAME: &'static str = concat!(stringify!($package), "/msg/", stringify!($ros_name));
            const DEFINITION: &'static str = concat!(
                $crate::msg::message!(@text $package $ros_name),
                $(
                    "================================================================================\n",
                    "MSG: ", stringify!($used_package), "/", stringify!($used), "\n",
                    $crate::msg::message!(@text $used_package $used),
                )*
            );
        }
    };
    (@text $package:ident $ros_name:ident) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/msg/", stringify!($package), "/msg/", stringify!($ros_name), ".msg"
        ))
    };
}
use message;
