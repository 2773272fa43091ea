//! A dot with its interval a name and role.

use super::names::{NAME_SIZE, name_width};
use super::{Canvas, Drawn, GREY, HEADER_PX, INK, WIDTH_PX, anchored, color};
use crate::analyze::number;
use crate::analyze::plot::Dots;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

const DOT_PX: usize = 14;
const GAP_PX: usize = 12;
const FOOT_PX: usize = 64;
/// Right of the axis' end, for half of its last number.
const MARGIN_PX: i32 = 30;

fn row_height(dots: &Dots) -> usize {
    dots.values.len() * DOT_PX + GAP_PX
}

pub(super) fn size(dots: &Dots) -> (usize, usize) {
    let width = WIDTH_PX.max(name_width(&dots.names) + 330);
    (width, HEADER_PX + dots.names.len() * row_height(dots) + FOOT_PX)
}

pub(super) fn dots<'a>(area: &Canvas<'a>, dots: &Dots) -> Drawn<'a> {
    let left = name_width(&dots.names) as i32 + 6;
    let (width, height) = area.dim_in_pixel();
    let (right, bottom) = (width as i32 - MARGIN_PX, height as i32 - FOOT_PX as i32);
    let row_height = row_height(dots) as i32;
    let (start, end) = (dots.range.start, dots.range.end);
    let x = |value: f64| {
        left + ((right - left) as f64 * ((value - start) / (end - start)).clamp(0.0, 1.0)) as i32
    };
    let upright = |value: f64, shade: RGBAColor| PathElement::new([(x(value), 0), (x(value), bottom)], shade);
    for quarter in 0..=4 {
        let value = start + (end - start) * f64::from(quarter) / 4.0;
        area.draw(&upright(value, INK.mix(0.12)))?;
        let label = anchored(16, GREY, HPos::Center, VPos::Top);
        area.draw_text(&number::short(value), &label, (x(value), bottom + 6))?;
    }
    if let Some(reference) = dots.reference {
        area.draw(&upright(reference, INK.to_rgba()))?;
    }
    for (row, name) in dots.names.iter().enumerate() {
        let top = row as i32 * row_height;
        let middle = top + (row_height - GAP_PX as i32) / 2;
        area.draw_text(name, &anchored(NAME_SIZE, INK, HPos::Right, VPos::Center), (left - 10, middle))?;
        for (place, (role, values)) in dots.values.iter().enumerate() {
            let y = top + (place * DOT_PX + DOT_PX / 2) as i32;
            let dot = &values[row];
            let line = [(x(dot.interval.0), y), (x(dot.interval.1), y)];
            area.draw(&PathElement::new(line, color(*role).stroke_width(3)))?;
            // Told apart without colours, too.
            if place == 0 {
                area.draw(&Circle::new((x(dot.value), y), 5, color(*role).filled()))?;
            } else {
                let square = [(x(dot.value) - 5, y - 5), (x(dot.value) + 5, y + 5)];
                area.draw(&Rectangle::new(square, color(*role).filled()))?;
            }
        }
    }
    let label = anchored(18, INK, HPos::Center, VPos::Top);
    area.draw_text(&dots.x_label, &label, ((left + right) / 2, bottom + 32))
}
