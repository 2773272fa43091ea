//! Drawn pictures: put side by side, and encoded.

use std::cmp::Reverse;
use std::collections::HashMap;

/// Between panels.
const GAP_PX: usize = 24;

/// Pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`, red first.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// All white.
    #[must_use]
    pub fn white(width: usize, height: usize) -> Self {
        Self { width, height, rgb: vec![u8::MAX; width * height * 3] }
    }

    /// The content of a PNG file. Line art has few colours, so it is stored by palette, at a third of the size: the
    /// rare colours of smoothed edges beyond 256 become the nearest that is kept.
    ///
    /// # Errors
    /// If a side is zero or does not fit 32 bits.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        let side = |length: usize| u32::try_from(length).map_err(|error| error.to_string());
        let (palette, indices) = self.indexed();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side(self.width)?, side(self.height)?);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette.concat());
        encoder.set_compression(png::Compression::Default);
        encoder.set_filter(png::FilterType::NoFilter);
        let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
        writer.write_image_data(&indices).map_err(|error| error.to_string())?;
        writer.finish().map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// The most frequent colours, and each pixel's place among them.
    fn indexed(&self) -> (Vec<[u8; 3]>, Vec<u8>) {
        let runs = || self.rgb.as_chunks::<3>().0.chunk_by(|a, b| a == b);
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        for run in runs() {
            *counts.entry(run[0]).or_default() += run.len();
        }
        let mut palette: Vec<[u8; 3]> = counts.keys().copied().collect();
        palette.sort_by_key(|color| (Reverse(counts[color]), *color));
        let rare = palette.split_off(palette.len().min(256));
        let mut places: HashMap<[u8; 3], u8> = palette.iter().copied().zip(0..=u8::MAX).collect();
        places.extend(rare.into_iter().map(|color| (color, nearest(&palette, color))));
        let mut indices = Vec::with_capacity(self.rgb.len() / 3);
        for run in runs() {
            indices.resize(indices.len() + run.len(), places[&run[0]]);
        }
        (palette, indices)
    }

    /// Copies another picture into this one, which must have room for it.
    fn paste(&mut self, other: &Self, left: usize, top: usize) {
        let (row_bytes, own_row_bytes) = (other.width * 3, self.width * 3);
        for (row, pixels) in other.rgb.chunks_exact(row_bytes).enumerate() {
            let at = (top + row) * own_row_bytes + left * 3;
            self.rgb[at..at + row_bytes].copy_from_slice(pixels);
        }
    }
}

fn nearest(palette: &[[u8; 3]], color: [u8; 3]) -> u8 {
    let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    let distance = |other: &[u8; 3]| {
        square(color[0], other[0]) + square(color[1], other[1]) + square(color[2], other[2])
    };
    (0..palette.len()).min_by_key(|place| distance(&palette[*place])).unwrap_or(0) as u8
}

/// The width of a grid of panels.
pub(super) fn grid_width(panels: &[Picture], columns: usize) -> usize {
    let widest = panels.iter().map(|panel| panel.width).max().unwrap_or(0);
    columns * widest + (columns + 1) * GAP_PX
}

/// Panels in rows of `columns` under a title as wide as all of them.
pub(super) fn grid(title: &Picture, panels: &[Picture], columns: usize) -> Picture {
    let widest = panels.iter().map(|panel| panel.width).max().unwrap_or(0);
    let row_heights =
        panels.chunks(columns).map(|row| row.iter().map(|panel| panel.height).max().unwrap_or(0));
    let height = title.height + row_heights.clone().map(|height| height + GAP_PX).sum::<usize>();
    let mut grid = Picture::white(grid_width(panels, columns), height);
    grid.paste(title, 0, 0);
    let mut top = title.height;
    for (row, row_height) in panels.chunks(columns).zip(row_heights) {
        for (column, panel) in row.iter().enumerate() {
            grid.paste(panel, GAP_PX + column * (widest + GAP_PX), top);
        }
        top += row_height + GAP_PX;
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(width: usize, height: usize, value: u8) -> Picture {
        Picture { width, height, rgb: vec![value; width * height * 3] }
    }

    #[test]
    fn panels_lie_beside_and_below_each_other() {
        let panels = [filled(4, 2, 1), filled(4, 3, 2), filled(4, 2, 3)];
        let title = filled(grid_width(&panels, 2), 5, 9);
        let grid = grid(&title, &panels, 2);
        assert_eq!((grid.width, grid.height), (2 * 4 + 3 * GAP_PX, 5 + 3 + 2 + 2 * GAP_PX));
        let at = |x: usize, y: usize| grid.rgb[(y * grid.width + x) * 3];
        assert_eq!(at(0, 4), 9);
        assert_eq!(at(GAP_PX, 5), 1);
        assert_eq!(at(2 * GAP_PX + 4, 7), 2);
        assert_eq!(at(GAP_PX + 3, 5 + 3 + GAP_PX + 1), 3);
        assert_eq!(at(GAP_PX, 7), u8::MAX, "below the shorter panel");
    }

    fn decoded(picture: &Picture) -> Vec<u8> {
        let bytes = picture.png().unwrap();
        let mut decoder = png::Decoder::new(bytes.as_slice());
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size()];
        reader.next_frame(&mut rgb).unwrap();
        rgb
    }

    #[test]
    fn a_png_decodes_to_its_pixels() {
        let picture = Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 250, 0, 7] };
        assert_eq!(decoded(&picture), picture.rgb);
    }

    #[test]
    fn rare_colours_become_the_nearest_of_the_frequent() {
        // 256 greys twice each, and one almost white once.
        let mut rgb: Vec<u8> = (0..=255).flat_map(|grey| [grey; 6]).collect();
        rgb.extend([253, 254, 254]);
        let decoded = decoded(&Picture { width: 513, height: 1, rgb: rgb.clone() });
        assert_eq!(decoded[..512 * 3], rgb[..512 * 3]);
        assert_eq!(decoded[512 * 3..], [254; 3]);
    }
}
