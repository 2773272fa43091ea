//! Looks through a camera of this computer as the runtime does, and says what it sees.
//!
//!     local_camera DEVICE WIDTH HEIGHT FPS mjpeg|yuyv PICTURE_COUNT
//!
//! One JSON line a picture: its size, and the mean red, green and blue of eight upright stripes of its lower half. A
//! failure is a line too; the camera is then opened again, as the runtime does.

use serde_json::{Value, json};
use sinew_runtime::config::{DeviceConfig, DeviceFormat};
use sinew_runtime::ingest::{LocalPicture, V4lCamera, read_camera};
use sinew_sync::PictureDecoder;
use std::cell::Cell;
use std::process::ExitCode;

const STRIPE_COUNT: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match look(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn look(arguments: &[String]) -> Result<(), String> {
    let [device, width, height, fps, format, picture_count] = arguments else {
        return Err("usage: local_camera DEVICE WIDTH HEIGHT FPS mjpeg|yuyv PICTURE_COUNT".to_owned());
    };
    let number = |text: &String| text.parse::<u32>().map_err(|error| format!("`{text}`: {error}"));
    let format = match format.as_str() {
        "mjpeg" => DeviceFormat::Mjpeg,
        "yuyv" => DeviceFormat::Yuyv,
        other => return Err(format!("format `{other}`, expected mjpeg or yuyv")),
    };
    let config = DeviceConfig {
        device: device.clone(),
        width: number(width)?,
        height: number(height)?,
        fps: number(fps)?,
        format,
    };
    let mut decoder = PictureDecoder::new().map_err(|error| error.to_string())?;
    let left = Cell::new(number(picture_count)?);
    let deliver = |picture: LocalPicture| {
        left.set(left.get().saturating_sub(1));
        println!("{}", seen(&mut decoder, &picture));
    };
    let complain = |error: &sinew_runtime::Error| println!("{}", json!({ "error": error.to_string() }));
    let wait = |time| {
        std::thread::sleep(time);
        left.get() > 0
    };
    read_camera(&mut V4lCamera::new(config), deliver, complain, wait);
    Ok(())
}

fn seen(decoder: &mut PictureDecoder, picture: &LocalPicture) -> Value {
    let [width, height] = match decoder.decode(picture.picture()) {
        Ok(size) => size,
        Err(error) => return json!({ "error": error.to_string() }),
    };
    let stripes: Vec<[f64; 3]> =
        (0..STRIPE_COUNT).map(|stripe| mean_colour(decoder.rgb(), [width, height], stripe)).collect();
    json!({ "width": width, "height": height, "stripes": stripes })
}

/// Of the middle of a stripe in the lower half.
fn mean_colour(rgb: &[u8], [width, height]: [usize; 2], stripe: usize) -> [f64; 3] {
    let edge = |quarters: usize| (4 * stripe + quarters) * width / (4 * STRIPE_COUNT);
    let (columns, rows) = (edge(1)..edge(3), height / 2..height);
    let count = (columns.len() * rows.len()).max(1) as f64;
    let mut sum = [0.0; 3];
    for row in rows {
        for column in columns.clone() {
            let pixel = &rgb[3 * (row * width + column)..][..3];
            sum.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += f64::from(*part));
        }
    }
    sum.map(|sum| (sum / count * 10.0).round() / 10.0)
}
