//! Camera frames to the vision tower's input.

use crate::error::Error;

/// Resizes frames of one size into a square, keeping their proportions, padded on the left and on top.
///
/// Bilinear with half-pixel centres and no antialiasing, up and down alike; padding is black. All of it as the
/// reference does, whose double-precision divisions can lose a pixel to rounding.
#[derive(Clone, Debug)]
pub struct ResizePlan {
    width: usize,
    height: usize,
    size: usize,
    rows: Vec<Tap>,
    columns: Vec<Tap>,
}

/// Two source indices and the weight of the second.
#[derive(Clone, Copy, Debug)]
struct Tap {
    first: usize,
    second: usize,
    weight: f32,
}

impl ResizePlan {
    /// For frames of `width` × `height` pixels into `size` × `size`.
    ///
    /// # Errors
    /// If a frame has no pixels, or is so narrow that nothing of it would be left.
    pub fn new(width: usize, height: usize, size: usize) -> Result<Self, Error> {
        let wrong = || Error::Config {
            key: "frame size".to_owned(),
            found: format!("{width}×{height}"),
            expected: format!("a frame that can be shown in {size}×{size}"),
        };
        if width == 0 || height == 0 || size == 0 {
            return Err(wrong());
        }
        let (inner_width, inner_height) = if (width, height) == (size, size) {
            (size, size)
        } else {
            let ratio = (width as f64 / size as f64).max(height as f64 / size as f64);
            ((width as f64 / ratio) as usize, (height as f64 / ratio) as usize)
        };
        if inner_width == 0 || inner_height == 0 {
            return Err(wrong());
        }
        Ok(Self { width, height, size, rows: taps(height, inner_height), columns: taps(width, inner_width) })
    }

    /// Numbers that `apply` writes: `3 · size · size`.
    pub fn output_len(&self) -> usize {
        3 * self.size * self.size
    }

    /// Resizes one frame.
    ///
    /// # Shapes
    /// `rgb` is `[height, width, 3]`, 0 … 255; `output` becomes `[3, size, size]`, −1 … 1.
    ///
    /// # Errors
    /// If either slice has another length.
    pub fn apply(&self, rgb: &[u8], output: &mut [f32]) -> Result<(), Error> {
        check_len("frame", &[self.height, self.width, 3], rgb.len())?;
        check_len("vision input", &[3, self.size, self.size], output.len())?;
        let plane = self.size * self.size;
        let (left, top) = (self.size - self.columns.len(), self.size - self.rows.len());
        output.fill(-1.0);
        let (red, rest) = output.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let mut blended = vec![0.0_f32; 3 * self.width];
        for (y, row) in self.rows.iter().enumerate() {
            self.blend_rows(rgb, row, &mut blended);
            let start = (top + y) * self.size + left;
            let end = start + self.columns.len();
            let pixels = red[start..end].iter_mut().zip(&mut green[start..end]).zip(&mut blue[start..end]);
            for (((red, green), blue), column) in pixels.zip(&self.columns) {
                let a = &blended[3 * column.first..][..3];
                let b = &blended[3 * column.second..][..3];
                *red = a[0] + (b[0] - a[0]) * column.weight;
                *green = a[1] + (b[1] - a[1]) * column.weight;
                *blue = a[2] + (b[2] - a[2]) * column.weight;
            }
        }
        Ok(())
    }

    /// The mixture of two source rows, already mapped to −1 … 1.
    fn blend_rows(&self, rgb: &[u8], row: &Tap, blended: &mut [f32]) {
        let stride = 3 * self.width;
        let a = &rgb[row.first * stride..][..stride];
        let b = &rgb[row.second * stride..][..stride];
        for ((out, a), b) in blended.iter_mut().zip(a).zip(b) {
            let (a, b) = (f32::from(*a), f32::from(*b));
            *out = (a + (b - a) * row.weight) * (2.0 / 255.0) - 1.0;
        }
    }
}

fn taps(source: usize, target: usize) -> Vec<Tap> {
    let scale = source as f32 / target as f32;
    let tap = |index: usize| {
        let position = (scale * (index as f32 + 0.5) - 0.5).max(0.0);
        let first = (position as usize).min(source - 1);
        Tap { first, second: (first + 1).min(source - 1), weight: position - first as f32 }
    };
    (0..target).map(tap).collect()
}

fn check_len(name: &str, expected: &[usize], found: usize) -> Result<(), Error> {
    if expected.iter().product::<usize>() == found {
        return Ok(());
    }
    Err(Error::Shape { name: name.to_owned(), expected: expected.to_vec(), found: vec![found] })
}
