//! Bytes worked out by hand from the CDR rules: the layouts robots send, and the variations they may send them in.

use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::geometry_msgs::{Pose, Twist, TwistStamped};
use sinew_proto::msg::sensor_msgs::{CompressedImage, JointState};
use sinew_proto::msg::std_msgs::{Bool, Header};
use sinew_proto::{Error, Message};
use std::borrow::Cow;

/// A header with stamp 7.000000009 s and frame `base`, as drawn in the documentation of `cdr`.
const HEADER: [u8; 21] = [0, 1, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0, b'b', b'a', b's', b'e', 0];

fn header() -> Header {
    Header { stamp: Time { sec: 7, nanosec: 9 }, frame_id: "base".to_owned() }
}

#[test]
fn lengths_are_those_the_r1_pro_sends() {
    let arm = JointState { position: vec![0.5; 7], velocity: vec![0.0; 7], ..JointState::default() };
    assert_eq!(arm.to_cdr().len(), 152);
    assert_eq!(JointState { velocity: vec![], ..arm }.to_cdr().len(), 92);
    assert_eq!(TwistStamped::default().to_cdr().len(), 68);
    assert_eq!(Twist::default().to_cdr().len(), 52);
    assert_eq!(Bool { data: true }.to_cdr(), [0, 1, 0, 0, 1]);
}

#[test]
fn joint_state_pads_the_frame_and_aligns_its_doubles() {
    let header = Header { stamp: Time { sec: 1, nanosec: 2 }, ..Header::default() };
    let bytes = JointState { header, position: vec![1.0], ..JointState::default() }.to_cdr();
    let body = &bytes[4..];
    assert_eq!(&body[..16], [1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&body[16..24], [0, 0, 0, 0, 1, 0, 0, 0], "no names, one position");
    assert_eq!(&body[24..32], 1.0_f64.to_le_bytes());
    assert_eq!(&body[32..], [0; 8], "no velocity, no effort");
}

#[test]
fn an_empty_sequence_is_not_aligned_for_elements_it_does_not_have() {
    // Behind the empty names come the position count at 20 and the velocity count at 24, not at 28.
    let bytes = JointState { velocity: vec![1.0], ..JointState::default() }.to_cdr();
    assert_eq!(&bytes[4 + 16..4 + 28], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(&bytes[4 + 28..4 + 32], [0; 4], "padding before the double");
    assert_eq!(bytes.len(), 4 + 32 + 8 + 4);
}

#[test]
fn reads_big_endian_and_ignores_the_options() {
    let bytes = [0, 0, 0xff, 3, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, b'b', b'a', b's', b'e', 0];
    assert_eq!(Header::from_cdr(&bytes), Ok(header()));
}

#[test]
fn tolerates_options_and_up_to_three_bytes_of_padding() {
    for padding in 0..=3 {
        let mut bytes = HEADER.to_vec();
        bytes.resize(HEADER.len() + padding, 0);
        bytes[3] = padding as u8;
        assert_eq!(Header::from_cdr(&bytes), Ok(header()), "{padding} bytes");
    }
    let mut bytes = HEADER.to_vec();
    bytes.resize(HEADER.len() + 4, 0);
    assert!(matches!(Header::from_cdr(&bytes), Err(Error::Trailing { found: 4, .. })));
}

#[test]
fn refuses_other_encapsulations_and_names_their_bytes() {
    for id in [[0, 2], [0, 3], [0, 6], [0, 7], [0, 9], [1, 0], [1, 1]] {
        let mut bytes = HEADER;
        bytes[..2].copy_from_slice(&id);
        let found = vec![id[0], id[1], 0, 0];
        assert_eq!(
            Header::from_cdr(&bytes),
            Err(Error::Encapsulation { message: "std_msgs/msg/Header", found })
        );
    }
    let error = Header::from_cdr(&[0, 1, 0]).unwrap_err().to_string();
    assert!(error.ends_with("found [00, 01, 00]"), "{error}");
}

#[test]
fn refuses_strings_without_nul_or_not_utf_8() {
    let with = |at: usize, byte: u8| {
        let mut bytes = HEADER;
        bytes[at] = byte;
        Header::from_cdr(&bytes).unwrap_err().to_string()
    };
    let at = "std_msgs/msg/Header frame_id at byte";
    assert_eq!(with(20, b'!'), format!("{at} 21: expected a string ending in NUL, found 0x21"));
    assert_eq!(with(18, 0xff), format!("{at} 21: expected UTF-8, which ends after 2 bytes of the string"));
    assert_eq!(with(12, 0), format!("{at} 16: expected a string ending in NUL, found length 0"));
}

#[test]
fn refuses_a_bool_of_two() {
    let error = Bool::from_cdr(&[0, 1, 0, 0, 2]).unwrap_err().to_string();
    assert_eq!(error, "std_msgs/msg/Bool data at byte 5: expected a bool of 0 or 1, found 2");
}

#[test]
fn a_pose_left_alone_is_no_rotation() {
    let orientation = Pose::default().orientation;
    assert_eq!([orientation.x, orientation.y, orientation.z, orientation.w], [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn an_image_borrows_its_bytes_from_the_message() {
    let jpeg = [0xff, 0xd8, 0xff];
    let image = CompressedImage { header: header(), format: "jpeg".to_owned(), data: Cow::Borrowed(&jpeg) };
    let bytes = image.to_cdr();
    let decoded = CompressedImage::from_cdr(&bytes).unwrap();
    assert!(matches!(&decoded.data, Cow::Borrowed(data) if std::ptr::eq(*data, &bytes[bytes.len() - 3..])));
    let owned = decoded.into_owned();
    drop(bytes);
    assert_eq!(owned, image);
}

#[test]
fn encoding_into_a_buffer_replaces_what_was_there_and_reuses_its_memory() {
    let mut buffer = vec![0xaa; 200];
    let memory = buffer.as_ptr();
    let arm = JointState { position: vec![0.5; 7], ..JointState::default() };
    arm.write_cdr(&mut buffer);
    assert_eq!(buffer, arm.to_cdr());
    assert_eq!(buffer.as_ptr(), memory);
}
