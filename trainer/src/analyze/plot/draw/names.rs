//! Charts with a name a row.

use super::{Canvas, Drawn, GREY, HEADER_PX, INK, WIDTH_PX, anchored, color, style};
use crate::analyze::number;
use crate::analyze::plot::{Bars, HeatMap};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

pub(super) const NAME_SIZE: u32 = 17;
/// Of a letter of that size, on average.
const LETTER_PX: f64 = 9.6;
const BAR_PX: usize = 15;
const BAR_GAP_PX: usize = 10;
/// Right of the longest bar, for its number.
const NUMBER_PX: usize = 84;
const BARS_FOOT_PX: usize = 64;
/// Beneath a heat map's columns' names: the scale and its ends.
const MAP_FOOT_PX: usize = 84;
/// Cells as large as this have their number written in.
const NUMBERED_CELL_PX: usize = 44;

pub(super) fn name_width(names: &[String]) -> usize {
    let letters = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    (letters as f64 * LETTER_PX) as usize + 16
}

fn row_height(bars: &Bars) -> usize {
    bars.values.len() * BAR_PX + BAR_GAP_PX
}

pub(super) fn bars_size(bars: &Bars) -> (usize, usize) {
    let width = WIDTH_PX.max(name_width(&bars.names) + NUMBER_PX + 260);
    (width, HEADER_PX + bars.names.len() * row_height(bars) + BARS_FOOT_PX)
}

pub(super) fn bars<'a>(area: &Canvas<'a>, bars: &Bars) -> Drawn<'a> {
    let left = name_width(&bars.names) as i32;
    let (width, height) = area.dim_in_pixel();
    let (right, bottom) = (width as i32 - NUMBER_PX as i32, height as i32 - BARS_FOOT_PX as i32);
    let row_height = row_height(bars) as i32;
    let x = |value: f64| left + ((right - left) as f64 * (value / bars.limit).clamp(0.0, 1.0)) as i32;
    let tick = |value: f64, shade: RGBAColor| PathElement::new([(x(value), 0), (x(value), bottom)], shade);
    for quarter in 0..=4 {
        let value = bars.limit * f64::from(quarter) / 4.0;
        area.draw(&tick(value, INK.mix(0.12)))?;
        let label = anchored(16, GREY, HPos::Center, VPos::Top);
        area.draw_text(&number::short(value), &label, (x(value), bottom + 6))?;
    }
    for (row, name) in bars.names.iter().enumerate() {
        let top = row as i32 * row_height;
        let middle = top + (row_height - BAR_GAP_PX as i32) / 2;
        area.draw_text(name, &anchored(NAME_SIZE, INK, HPos::Right, VPos::Center), (left - 8, middle))?;
        for (place, (role, values)) in bars.values.iter().enumerate() {
            let top = top + (place * BAR_PX) as i32;
            let bar = [(left, top + 1), (x(values[row]), top + BAR_PX as i32 - 1)];
            area.draw(&Rectangle::new(bar, color(*role).mix(0.8).filled()))?;
            let label = anchored(14, GREY, HPos::Left, VPos::Center);
            let at = (x(values[row]) + 5, top + BAR_PX as i32 / 2);
            area.draw_text(&number::ratio(values[row]), &label, at)?;
        }
    }
    if let Some(reference) = bars.reference {
        area.draw(&tick(reference, INK.to_rgba()))?;
    }
    let label = anchored(18, INK, HPos::Center, VPos::Top);
    area.draw_text(&bars.x_label, &label, ((left + right) / 2, bottom + 32))
}

fn cell_size(map: &HeatMap) -> usize {
    (480 / map.names.len().max(1)).clamp(16, 72)
}

pub(super) fn heat_map_size(map: &HeatMap) -> (usize, usize) {
    let (names, cells) = (name_width(&map.names), cell_size(map) * map.names.len());
    (WIDTH_PX.max(names + 34 + cells + 20), HEADER_PX + cells + names + MAP_FOOT_PX)
}

pub(super) fn heat_map<'a>(area: &Canvas<'a>, map: &HeatMap) -> Drawn<'a> {
    let (count, cell) = (map.names.len(), cell_size(map) as i32);
    let (names, size) = (name_width(&map.names) as i32, cell * count as i32);
    let left = names + 34;
    let vertical = |style: TextStyle<'static>| style.transform(FontTransform::Rotate270);
    area.draw_text(&map.y_label, &vertical(anchored(18, INK, HPos::Center, VPos::Top)), (8, size / 2))?;
    for (row, name) in map.names.iter().enumerate() {
        let middle = row as i32 * cell + cell / 2;
        area.draw_text(
            name,
            &anchored(NAME_SIZE.min(cell as u32), INK, HPos::Right, VPos::Center),
            (left - 6, middle),
        )?;
        let below = vertical(anchored(NAME_SIZE.min(cell as u32), INK, HPos::Right, VPos::Center));
        area.draw_text(name, &below, (left + middle, size + 6))?;
        for column in 0..count {
            let value = map.values[row * count + column];
            let (x, y) = (left + column as i32 * cell, row as i32 * cell);
            area.draw(&Rectangle::new([(x, y), (x + cell - 1, y + cell - 1)], shade(value).filled()))?;
            if cell as usize >= NUMBERED_CELL_PX {
                let ink = if value.abs() > 0.6 { WHITE } else { INK };
                let label = anchored(15, ink, HPos::Center, VPos::Center);
                area.draw_text(
                    &format!("{value:.2}").replace('-', "\u{2212}"),
                    &label,
                    (x + cell / 2, y + cell / 2),
                )?;
            }
        }
    }
    area.draw_text(
        &map.x_label,
        &anchored(18, INK, HPos::Center, VPos::Top),
        (left + size / 2, size + names + 4),
    )?;
    draw_scale(area, left, size + names + 36)
}

fn draw_scale<'a>(area: &Canvas<'a>, left: i32, top: i32) -> Drawn<'a> {
    for step in 0..=100 {
        let value = f64::from(step) / 50.0 - 1.0;
        area.draw(&Rectangle::new(
            [(left + 2 * step, top), (left + 2 * step + 2, top + 14)],
            shade(value).filled(),
        ))?;
    }
    for (label, at) in [("\u{2212}1", 0), ("0", 100), ("1", 200)] {
        area.draw_text(label, &anchored(15, GREY, HPos::Center, VPos::Top), (left + at, top + 18))?;
    }
    area.draw_text("correlation", &style(15, GREY), (left + 220, top))
}

/// Blue at -1, white at 0, orange at 1.
fn shade(value: f64) -> RGBColor {
    let (full, strength) = if value < 0.0 { ((0, 90, 160), -value) } else { ((200, 80, 0), value) };
    let mix = |channel: u8| (255.0 - (255.0 - f64::from(channel)) * strength.min(1.0)) as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}
