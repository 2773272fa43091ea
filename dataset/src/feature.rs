//! The features that `info.json` declares, and which of the videos are RGB cameras.

use serde::Deserialize;

use crate::ordered::Ordered;

/// One declared feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// Its name, which is also its column's or its video folder's.
    pub name: String,
    /// The type as written: `video`, `image`, `string`, `bool`, or a numpy name such as `float32`.
    pub dtype: String,
    /// The shape as written; `None` where the set leaves a size open.
    pub shape: Vec<Option<usize>>,
    /// The names as written, nested lists and groups laid out in order. One per number for a vector, one per
    /// axis for a video.
    pub names: Option<Vec<String>>,
    /// Whether the feature says it is a depth map.
    pub is_depth_map: bool,
}

/// A video feature that holds RGB pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// The feature's name, e.g. `observation.images.head`.
    pub name: String,
    /// Declared height in pixels. The video stream has the last word.
    pub height: Option<usize>,
    /// Declared width in pixels. The video stream has the last word.
    pub width: Option<usize>,
}

/// Name parts that mark depth and segmentation videos where `is_depth_map` is not given.
const NOT_RGB: [&str; 3] = ["depth", "seg", "segmentation"];

impl Feature {
    /// How many numbers a row of a vector feature has, if the set says.
    pub(crate) fn declared_width(&self) -> Option<usize> {
        self.shape.iter().copied().product()
    }

    /// The camera this feature is, unless it is no video, or a depth or segmentation one.
    pub(crate) fn camera(&self) -> Option<Camera> {
        if self.dtype != "video" {
            return None;
        }
        let not_rgb = self.name.split(['.', '_', '/']).any(|part| NOT_RGB.contains(&part));
        if self.is_depth_map || not_rgb {
            tracing::debug!(feature = self.name, "skipped: not an RGB video");
            return None;
        }
        let (height, width) = self.picture_size();
        Some(Camera { name: self.name.clone(), height, width })
    }

    /// Height and width from `[H, W, C]` or `[C, H, W]`, told apart by the name of the channel axis, else by
    /// which end has three channels.
    fn picture_size(&self) -> (Option<usize>, Option<usize>) {
        let [first, second, third] = self.shape[..] else { return (None, None) };
        let names = self.names.as_deref().unwrap_or_default();
        let channel_axis = names
            .iter()
            .position(|name| matches!(name.as_str(), "channel" | "channels" | "rgb" | "depth"))
            .unwrap_or(if first == Some(3) { 0 } else { 2 });
        if channel_axis == 0 { (second, third) } else { (first, second) }
    }
}

/// A feature as `info.json` spells it.
#[derive(Deserialize)]
pub(crate) struct RawFeature {
    dtype: String,
    #[serde(default)]
    shape: Vec<Option<usize>>,
    names: Option<Names>,
    #[serde(alias = "video_info")]
    info: Option<serde_json::Map<String, serde_json::Value>>,
}

impl RawFeature {
    pub(crate) fn named(self, name: String) -> Feature {
        let is_depth_map = self.info.is_some_and(|info| {
            ["is_depth_map", "video.is_depth_map"].iter().any(|key| info.get(*key) == Some(&true.into()))
        });
        let names = self.names.map(Names::flatten);
        Feature { name, dtype: self.dtype, shape: self.shape, names, is_depth_map }
    }
}

/// The spellings of `names` met in published sets.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Name(String),
    Index(u64),
    List(Vec<Names>),
    Groups(Ordered<Names>),
}

impl Names {
    fn flatten(self) -> Vec<String> {
        match self {
            Self::Name(name) => vec![name],
            Self::Index(index) => vec![index.to_string()],
            Self::List(list) => list.into_iter().flat_map(Self::flatten).collect(),
            Self::Groups(Ordered(groups)) => flatten_groups(groups),
        }
    }
}

/// `{"motors": ["a", "b"]}` names by group; `{"a": 0, "b": 1}` gives each name its place.
fn flatten_groups(groups: Vec<(String, Names)>) -> Vec<String> {
    let places: Option<Vec<u64>> = groups
        .iter()
        .map(|(_, value)| if let Names::Index(place) = value { Some(*place) } else { None })
        .collect();
    match places {
        Some(places) => {
            let mut names: Vec<_> =
                places.into_iter().zip(groups.into_iter().map(|(name, _)| name)).collect();
            names.sort();
            names.into_iter().map(|(_, name)| name).collect()
        }
        None => groups.into_iter().flat_map(|(_, names)| names.flatten()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(json: &str) -> Feature {
        serde_json::from_str::<RawFeature>(json).unwrap().named("observation.images.head".to_owned())
    }

    #[test]
    fn every_published_spelling_of_names_is_laid_out_in_order() {
        let spellings = [
            r#"["z", "a"]"#,
            r#"[["z", "a"]]"#,
            r#"{"motors": ["z", "a"]}"#,
            r#"{"right": ["z"], "left": ["a"]}"#,
            r#"{"a": 1, "z": 0}"#,
        ];
        for names in spellings {
            let json = format!(r#"{{"dtype": "float32", "shape": [2], "names": {names}}}"#);
            assert_eq!(feature(&json).names.unwrap(), ["z", "a"], "{names}");
        }
        assert_eq!(feature(r#"{"dtype": "float32", "shape": [null], "names": null}"#).names, None);
    }

    #[test]
    fn picture_size_is_found_with_channels_first_or_last() {
        let cases = [
            r#"{"dtype": "video", "shape": [480, 640, 3], "names": ["height", "width", "rgb"]}"#,
            r#"{"dtype": "video", "shape": [3, 480, 640], "names": ["channels", "height", "width"]}"#,
            r#"{"dtype": "video", "shape": [3, 480, 640], "names": null}"#,
            r#"{"dtype": "video", "shape": [480, 640, 3]}"#,
        ];
        for json in cases {
            let camera = feature(json).camera().unwrap();
            assert_eq!((camera.height, camera.width), (Some(480), Some(640)), "{json}");
        }
    }

    #[test]
    fn depth_and_segmentation_are_no_cameras() {
        for info in [r#""info": {"video.is_depth_map": true}"#, r#""video_info": {"is_depth_map": true}"#] {
            assert_eq!(
                feature(&format!(r#"{{"dtype": "video", "shape": [4, 4, 1], {info}}}"#)).camera(),
                None
            );
        }
        for (name, is_camera) in [
            ("observation.images.depth.head", false),
            ("observation.images.seg_instance_id.head", false),
            ("observation.images.head_depth", false),
            ("observation.images.segway_view", true),
        ] {
            let mut video = feature(r#"{"dtype": "video", "shape": [4, 4, 3]}"#);
            name.clone_into(&mut video.name);
            assert_eq!(video.camera().is_some(), is_camera, "{name}");
        }
    }
}
