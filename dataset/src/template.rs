//! The path templates of `info.json`: Python format strings such as `data/chunk-{episode_chunk:03d}/….parquet`.

use std::fmt::Write as _;

/// What a template's paths lead to, which decides the fields it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// `episode_index` in v2.1, `file_index` in v3.0.
    pub(crate) number: &'static str,
    /// Whether `{video_key}` applies.
    pub(crate) is_video: bool,
}

/// A parsed template.
#[derive(Debug, Clone)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Literal(String),
    Chunk { width: usize },
    Number { width: usize },
    VideoKey,
}

impl Template {
    /// Parses `text`, refusing fields that do not apply to `leaf`.
    pub(crate) fn parse(text: &str, leaf: Leaf) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (field, after) = after.split_once('}').ok_or("a '{' is never closed")?;
            pieces.push(Piece::Literal(literal.to_owned()));
            pieces.push(Piece::parse(field, leaf)?);
            rest = after;
        }
        pieces.push(Piece::Literal(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// Fills in the fields: `number` is the episode's or the file's, `video_key` is unused in data templates.
    pub(crate) fn render(&self, chunk: u64, number: u64, video_key: &str) -> String {
        let mut path = String::new();
        for piece in &self.0 {
            // Writing to a String cannot fail.
            let _ = match piece {
                Piece::Literal(literal) => path.write_str(literal),
                Piece::Chunk { width } => write!(path, "{chunk:0width$}"),
                Piece::Number { width } => write!(path, "{number:0width$}"),
                Piece::VideoKey => path.write_str(video_key),
            };
        }
        path
    }
}

impl Piece {
    fn parse(field: &str, leaf: Leaf) -> Result<Self, String> {
        match field.split_once(':').unwrap_or((field, "")) {
            ("video_key", "") if leaf.is_video => Ok(Self::VideoKey),
            // Converters of v2.1 write either name.
            ("episode_chunk" | "chunk_index", spec) => Ok(Self::Chunk { width: zero_padding(spec)? }),
            (name, spec) if name == leaf.number => Ok(Self::Number { width: zero_padding(spec)? }),
            _ => Err(format!("field {{{field}}} does not apply, expected chunk, {}", leaf.describe())),
        }
    }
}

impl Leaf {
    fn describe(self) -> String {
        if self.is_video { format!("{} or video_key", self.number) } else { self.number.to_owned() }
    }
}

/// The width in a format spec: 6 for `06d`, 0 for `d` or nothing.
fn zero_padding(spec: &str) -> Result<usize, String> {
    let digits = spec.strip_suffix('d').unwrap_or(spec);
    if digits.is_empty() {
        return Ok(0);
    }
    digits
        .strip_prefix('0')
        .and_then(|width| width.parse().ok())
        .filter(|width| *width <= 20)
        .ok_or_else(|| format!("format {spec:?} is not zero padding such as 06d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPISODE_VIDEO: Leaf = Leaf { number: "episode_index", is_video: true };

    // Paths as they stand in the published BEHAVIOR-1K and LeRobot sets.
    #[test]
    fn published_templates_give_published_paths() {
        let render = |text| Template::parse(text, EPISODE_VIDEO).unwrap().render(6, 60010, "rgb.head");
        assert_eq!(
            render("videos/task-{episode_chunk:04d}/{video_key}/episode_{episode_index:08d}.mp4"),
            "videos/task-0006/rgb.head/episode_00060010.mp4"
        );
        assert_eq!(
            render("data/chunk-{chunk_index:03d}/e{episode_index}.parquet"),
            "data/chunk-006/e60010.parquet"
        );
    }

    #[test]
    fn a_template_that_cannot_be_filled_in_is_refused() {
        let fields =
            ["{shard:03d}", "{file_index:03d}", "{episode_index", "{episode_index:x}", "{episode_index:3d}"];
        for bad in fields {
            assert!(Template::parse(bad, EPISODE_VIDEO).is_err(), "{bad}");
        }
        assert!(Template::parse("{video_key}", Leaf { is_video: false, ..EPISODE_VIDEO }).is_err());
    }
}
