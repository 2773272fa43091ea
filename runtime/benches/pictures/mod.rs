//! 640×480 pixels of recorded frames.

use std::path::Path;
use turbojpeg::{Image, PixelFormat, Subsamp};

/// Three pictures as JPEG files.
pub(crate) fn jpegs() -> [Vec<u8>; 3] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/behavior_sim");
    let dataset = sinew_dataset::Dataset::open(folder).unwrap();
    let episode = dataset.episode(60010).unwrap();
    let mut head = episode.frames("observation.images.rgb.head").unwrap();
    [0, 90, 170].map(|row| {
        let frame = head.frame_at(row).unwrap();
        let pitch = 3 * frame.width as usize;
        let image = Image {
            pixels: &frame.rgb[100 * pitch + 3 * 40..],
            width: 640,
            pitch,
            height: 480,
            format: PixelFormat::RGB,
        };
        turbojpeg::compress(image, 90, Subsamp::Sub2x2).unwrap().to_vec()
    })
}
