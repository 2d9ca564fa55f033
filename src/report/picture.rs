//! The pictures of a page, as SVG, drawn by plotters: axes, ticks and labels that fit are what a library does better.
//!
//! Colours are those of the page, light or dark: plotters writes a colour into every element, so three that nothing else
//! has stand for them, and are replaced by what the style sheet knows.

use std::error::Error;
use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::days::Step;
use super::words::WEEKDAYS;

const INK: RGBColor = RGBColor(1, 2, 3);
const BAR: RGBColor = RGBColor(1, 2, 4);
const LINE: RGBColor = RGBColor(1, 2, 5);
const FONT: (&str, i32) = ("sans-serif", 14);

type Drawn = Result<(), Box<dyn Error>>;

/// A picture: its size, and what stands within the `svg` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) inner: String,
}

impl Picture {
    /// None where the library cannot draw it: the table behind it says the same.
    fn draw(
        width: u32,
        height: u32,
        draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn,
    ) -> Option<Self> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            draw(&area).ok()?;
            area.present().ok()?;
        }
        let inner = svg.split_once('>')?.1.rsplit_once("</svg>")?.0;
        let inner = inner
            .replace("fill=\"#010203\"", "fill=\"currentColor\"")
            .replace("stroke=\"#010203\"", "stroke=\"currentColor\"")
            .replace("fill=\"#010204\"", "class=\"bar\"")
            .replace("stroke=\"#010205\"", "class=\"line\"");
        Some(Self { width, height, inner })
    }
}

/// A bar for each step of time.
pub(super) fn over_time(steps: &[Step]) -> Option<Picture> {
    let most = steps.iter().map(|step| step.failures).max()?.max(1);
    Picture::draw(680, 240, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .margin_right(24)
            .x_label_area_size(26)
            .y_label_area_size(64)
            .build_cartesian_2d(0..steps.len(), 0..most)?;
        let label = |at: &usize| steps.get(*at).map_or(String::new(), |step| step.begin.to_string());
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .x_labels(5.min(steps.len()))
            .y_labels(5)
            .x_label_formatter(&label)
            .y_label_formatter(&|n| super::words::number(*n))
            .label_style(FONT.into_font().color(&INK))
            .draw()?;
        chart.draw_series(steps.iter().enumerate().map(|(i, step)| {
            let mut bar = Rectangle::new([(i, 0), (i + 1, step.failures)], BAR.filled());
            let gap = if steps.len() > 120 { 0 } else { 1 };
            bar.set_margin(0, 0, gap, gap);
            bar
        }))?;
        Ok(())
    })
}

/// A field for each hour of the week, the darker the more.
pub(super) fn week(by_weekday: &[[u64; 24]]) -> Option<Picture> {
    const CELL: (i32, i32) = (26, 24);
    const LEFT: i32 = 46;
    let most = by_weekday.iter().flatten().copied().max().filter(|most| *most > 0)?;
    let style = |pos| TextStyle::from(FONT.into_font()).color(&INK).pos(pos);
    Picture::draw(680, 206, |area| {
        for (row, (weekday, hours)) in (0..).zip(WEEKDAYS.iter().zip(by_weekday)) {
            let top = row * CELL.1;
            let right = style(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(*weekday, (LEFT - 8, top + CELL.1 / 2), right))?;
            for (column, count) in (0..).zip(hours) {
                let left = LEFT + column * CELL.0;
                let corners = [(left, top), (left + CELL.0 - 2, top + CELL.1 - 2)];
                if *count > 0 {
                    let share = 0.15 + 0.85 * (*count as f64 / most as f64);
                    area.draw(&Rectangle::new(corners, BAR.mix(share).filled()))?;
                } else {
                    area.draw(&Rectangle::new(corners, LINE.stroke_width(1)))?;
                }
            }
        }
        for hour in (0..24).step_by(3) {
            let center = style(Pos::new(HPos::Center, VPos::Top));
            let at = (LEFT + hour * CELL.0 + CELL.0 / 2 - 1, 7 * CELL.1 + 6);
            area.draw(&Text::new(format!("{hour:02}"), at, center))?;
        }
        Ok(())
    })
}

/// A bar for each name, the longest as long as the picture. The names are our own words.
pub(super) fn kinds(rows: &[(&str, u64)]) -> Option<Picture> {
    const HEIGHT: i32 = 26;
    const ROOM: Range<i32> = 130..570;
    let most = rows.iter().map(|(_, count)| *count).max().filter(|most| *most > 0)?;
    let style = |pos| TextStyle::from(FONT.into_font()).color(&INK).pos(pos);
    Picture::draw(680, u32::try_from(rows.len()).ok()? * HEIGHT as u32, |area| {
        for (row, (name, count)) in (0..).zip(rows) {
            let (top, middle) = (row * HEIGHT + 3, row * HEIGHT + HEIGHT / 2);
            let length = (f64::from(ROOM.end - ROOM.start) * (*count as f64 / most as f64)).ceil() as i32;
            let end = ROOM.start + length;
            let right = style(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(*name, (ROOM.start - 8, middle), right))?;
            area.draw(&Rectangle::new([(ROOM.start, top), (end, top + HEIGHT - 6)], BAR.filled()))?;
            let left = style(Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(super::words::number(*count), (end + 6, middle), left))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::days;
    use super::super::tests::hostile;
    use super::*;

    #[test]
    fn each_picture_has_something_in_it_and_the_colours_of_the_page() {
        let report = hostile(true);
        let (_, steps) = days::steps(&report.by_day, 366);
        for picture in [over_time(&steps), week(&report.by_weekday), kinds(&[("root", 3), ("others", 70)])] {
            let inner = picture.unwrap().inner;
            assert!(inner.matches("<rect").count() >= 2 && inner.contains("class=\"bar\""), "{inner}");
            assert!(inner.contains("currentColor") && !inner.contains("#0102"), "{inner}");
        }
    }

    #[test]
    fn nothing_gives_no_picture_and_one_day_gives_one() {
        assert_eq!((over_time(&[]), week(&[[0; 24]; 7])), (None, None));
        let (_, steps) = days::steps(&hostile(true).by_day[..1], 366);
        assert!(over_time(&steps).is_some());
    }
}
