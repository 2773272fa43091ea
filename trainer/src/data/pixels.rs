//! Pictures cropped, moved and recoloured (pure).

use crate::data::sample::Picture;

/// Takes `1 − share` of width and height from where `place`, 0 to 1 from left to right and top to bottom, says.
pub(super) fn cropped(picture: Picture, share: f64, place: [f64; 2]) -> Picture {
    let kept = |size: usize| (((1.0 - share) * size as f64).round() as usize).clamp(1, size);
    let (width, height) = (kept(picture.width), kept(picture.height));
    if (width, height) == (picture.width, picture.height) {
        return picture;
    }
    let first = |place: f64, spare: usize| ((place * (spare + 1) as f64) as usize).min(spare);
    let left = first(place[0], picture.width - width);
    let top = first(place[1], picture.height - height);
    let rows = picture.rgb.chunks_exact(3 * picture.width).skip(top).take(height);
    let rgb = rows.flat_map(|row| &row[3 * left..3 * (left + width)]).copied().collect();
    Picture { width, height, rgb }
}

/// Moves a picture right and down; what is left free repeats the edge.
pub(super) fn shifted(picture: Picture, [right, down]: [i64; 2]) -> Picture {
    if (right, down) == (0, 0) {
        return picture;
    }
    let (width, height) = (picture.width as i64, picture.height as i64);
    let mut rgb = Vec::with_capacity(picture.rgb.len());
    for y in 0..height {
        let row = (y - down).clamp(0, height - 1) * width;
        for x in 0..width {
            let source = 3 * (row + (x - right).clamp(0, width - 1)) as usize;
            rgb.extend_from_slice(&picture.rgb[source..source + 3]);
        }
    }
    Picture { rgb, ..picture }
}

/// Brightness, then contrast, saturation and hue, each result cut to 0 … 255 as torchvision does.
pub(super) fn recolour(picture: &mut Picture, brightness: f32, contrast: f32, saturation: f32, turn: f32) {
    let bright = |value: u8| (f32::from(value) * brightness).clamp(0.0, 255.0);
    let pixels = picture.rgb.as_chunks::<3>().0;
    let total: f64 = pixels.iter().map(|pixel| f64::from(grey(pixel.map(bright)))).sum();
    let mean = (total / pixels.len() as f64) as f32;
    for pixel in picture.rgb.as_chunks_mut::<3>().0 {
        let blend = |value: f32, to: f32, factor: f32| (to + factor * (value - to)).clamp(0.0, 255.0);
        let contrasted = pixel.map(|value| blend(bright(value), mean, contrast));
        let own = grey(contrasted);
        let saturated = contrasted.map(|value| blend(value, own, saturation));
        *pixel = turned(saturated, turn).map(|value| value.round() as u8);
    }
}

/// ITU-R BT.601 luma.
fn grey([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// Turns the hue, keeping the largest and the smallest of the three.
fn turned(rgb: [f32; 3], turn: f32) -> [f32; 3] {
    let [red, green, blue] = rgb;
    let (largest, smallest) = (red.max(green).max(blue), red.min(green).min(blue));
    let chroma = largest - smallest;
    if turn == 0.0 || chroma == 0.0 {
        return rgb;
    }
    let sector = if largest == red {
        (green - blue) / chroma
    } else if largest == green {
        2.0 + (blue - red) / chroma
    } else {
        4.0 + (red - green) / chroma
    };
    // HSV's piecewise-linear wheel: each colour is at its largest for two sectors of six around its own.
    let colour = |own: f32| {
        let away = (sector + 6.0 * turn - own).rem_euclid(6.0);
        let away = away.min(6.0 - away);
        smallest + chroma * (2.0 - away).clamp(0.0, 1.0)
    };
    [colour(0.0), colour(2.0), colour(4.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, height: usize) -> Picture {
        let rgb = (0..3 * width * height).map(|i| (i * 37 % 251) as u8).collect();
        Picture { width, height, rgb }
    }

    fn recoloured(rgb: &[u8], brightness: f32, contrast: f32, saturation: f32, turn: f32) -> Vec<u8> {
        let mut picture = Picture { width: rgb.len() / 3, height: 1, rgb: rgb.to_vec() };
        recolour(&mut picture, brightness, contrast, saturation, turn);
        picture.rgb
    }

    /// Of torchvision 0.25's `adjust_*` on float pictures, rounded.
    #[test]
    fn colours_change_as_torchvision_changes_them() {
        let rgb = [10, 20, 30, 200, 100, 50, 255, 0, 128];
        let cases = [
            ((1.5, 1.0, 1.0, 0.0), [15, 30, 45, 255, 150, 75, 255, 0, 192]),
            ((1.0, 0.4, 1.0, 0.0), [51, 55, 59, 127, 87, 67, 149, 47, 98]),
            ((1.0, 1.6, 1.0, 0.0), [0, 0, 1, 255, 113, 33, 255, 0, 158]),
            ((1.0, 1.0, 0.3, 0.0), [16, 19, 22, 147, 117, 102, 140, 64, 102]),
            ((1.0, 1.0, 1.7, 0.0), [4, 21, 38, 253, 83, 0, 255, 0, 154]),
            ((1.0, 1.0, 1.0, 0.1), [12, 10, 30, 200, 190, 50, 255, 25, 0]),
            ((1.0, 1.0, 1.0, -0.3), [16, 30, 10, 130, 50, 200, 0, 77, 255]),
            ((1.2, 0.7, 1.4, 0.05), [32, 37, 56, 220, 155, 44, 250, 0, 76]),
        ];
        for ((brightness, contrast, saturation, turn), expected) in cases {
            let found = recoloured(&rgb, brightness, contrast, saturation, turn);
            assert_eq!(found, expected, "{:?}", (brightness, contrast, saturation, turn));
        }
    }

    #[test]
    fn crops_and_shifts_are_the_pixels_they_should_be() {
        let picture = picture(4, 3);
        let pixel = |picture: &Picture, x: usize, y: usize| -> [u8; 3] {
            picture.rgb[3 * (y * picture.width + x)..][..3].try_into().unwrap()
        };
        let corner = cropped(picture.clone(), 0.5, [0.999, 0.0]);
        assert_eq!((corner.width, corner.height, corner.rgb.len()), (2, 2, 12));
        assert_eq!(pixel(&corner, 0, 0), pixel(&picture, 2, 0));
        assert_eq!(pixel(&corner, 1, 1), pixel(&picture, 3, 1));
        let moved = shifted(picture.clone(), [1, -2]);
        assert_eq!(pixel(&moved, 0, 0), pixel(&picture, 0, 2));
        assert_eq!(pixel(&moved, 3, 0), pixel(&picture, 2, 2));
        assert_eq!(pixel(&moved, 3, 2), pixel(&picture, 2, 2));
    }
}
