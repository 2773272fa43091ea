//! The font of the pictures.

use plotters::prelude::FontStyle;
use plotters::style::register_font;
use std::sync::OnceLock;

/// What it is called when drawing.
pub(super) const FONT: &str = "sans-serif";

/// Where Linux distributions put DejaVu Sans.
const FILES: [&str; 4] = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
];

/// Reads it once; plotters keeps it for the life of the process.
pub(super) fn load() -> Result<(), String> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    LOADED.get_or_init(read).clone()
}

fn read() -> Result<(), String> {
    let file = FILES.iter().find_map(|file| std::fs::read(file).ok()).ok_or_else(|| {
        format!(
            "the font DejaVu Sans is not installed (package fonts-dejavu-core): none of {}",
            FILES.join(", ")
        )
    })?;
    register_font(FONT, FontStyle::Normal, file.leak()).map_err(|_| "DejaVu Sans cannot be read".to_owned())
}
