//! What a dataset to be written is like: rate, robot, features; and one episode of it.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::encode::VideoCodec;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::feature::{Camera, Feature};
use crate::frames::Frame;
use crate::numbers::Numbers;

/// LeRobot's features of every row, which the writer fills in itself, and their types.
pub(crate) const COUNTERS: [(&str, &str); 5] = [
    ("timestamp", "float32"),
    ("frame_index", "int64"),
    ("episode_index", "int64"),
    ("index", "int64"),
    ("task_index", "int64"),
];

/// What all episodes of a dataset have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Rows, and pictures of each camera, per second.
    pub fps: u32,
    /// The robot's name.
    pub robot_type: Option<String>,
    /// Vectors ([`Feature::numbers`]) and cameras ([`Feature::pictures`]), in the order in which they are declared. Time,
    /// counters and task are not among them.
    pub features: Vec<Feature>,
}

/// What the pictures of one camera are taken from, row after row.
pub type Pictures<'a> = Box<dyn Iterator<Item = Result<Frame, PictureError>> + 'a>;

/// Why a picture could not be had.
pub type PictureError = Box<dyn std::error::Error + Send + Sync>;

/// One episode to be added.
pub struct NewEpisode<'a> {
    /// A name of the caller's, kept beside the dataset's own metadata, to ask later whether the episode is in.
    pub id: Option<String>,
    /// The instructions: one for all rows, or one a row.
    pub tasks: Vec<String>,
    /// Every vector feature: its name, and its rows end to end, shape `[row_count, width]`.
    pub columns: Vec<(String, Numbers)>,
    /// Every camera: its name and its pictures, one a row and in their order. They are taken one at a time.
    pub pictures: Vec<(String, Pictures<'a>)>,
}

impl std::fmt::Debug for NewEpisode<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NewEpisode")
            .field("id", &self.id)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

impl Feature {
    /// A vector of float32, one name a number, such as `action`.
    pub fn numbers(name: impl Into<String>, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let shape = vec![Some(names.len())];
        Self {
            name: name.into(),
            dtype: "float32".to_owned(),
            shape,
            names: Some(names),
            is_depth_map: false,
        }
    }

    /// The pictures of an RGB camera, sizes in pixels.
    pub fn pictures(name: impl Into<String>, height: usize, width: usize) -> Self {
        Self {
            name: name.into(),
            dtype: "video".to_owned(),
            shape: vec![Some(height), Some(width), Some(3)],
            names: Some(["height", "width", "channels"].map(str::to_owned).to_vec()),
            is_depth_map: false,
        }
    }

    fn is_counter(&self) -> bool {
        COUNTERS.iter().any(|(name, _)| *name == self.name)
    }
}

/// A vector feature that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) width: usize,
}

/// A camera whose pictures can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// A description, checked.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) description: Description,
    pub(crate) vectors: Vec<Vector>,
    pub(crate) views: Vec<View>,
}

impl Description {
    /// The description of a dataset, to write another like it.
    ///
    /// # Errors
    /// If its rate is not a whole number, or it has features that the writer cannot write: pictures that are not RGB,
    /// strings, arrays of several dimensions.
    pub fn of(dataset: &Dataset) -> Result<Self> {
        let fps = dataset.fps();
        if fps.fract() != 0.0 || fps > f64::from(u32::MAX) {
            return Err(unsupported(dataset.root(), "fps", "a whole number", &fps.to_string()));
        }
        let features = dataset.features().iter().filter(|feature| !feature.is_counter()).cloned().collect();
        let robot_type = dataset.robot_type().map(str::to_owned);
        let description = Self { fps: fps as u32, robot_type, features };
        description.clone().plan(dataset.root())?;
        Ok(description)
    }

    /// Sorts the features out, and refuses what cannot be written.
    pub(crate) fn plan(self, root: &Path) -> Result<Plan> {
        if self.fps == 0 {
            return Err(unsupported(root, "fps", "a positive number", "0"));
        }
        let mut vectors: Vec<Vector> = Vec::new();
        let mut views: Vec<View> = Vec::new();
        for feature in &self.features {
            let what = format!("feature {}", feature.name);
            let is_known = vectors.iter().any(|vector| vector.name == feature.name)
                || views.iter().any(|view| view.name == feature.name);
            if is_known || feature.is_counter() {
                return Err(unsupported(root, &what, "a name of its own", "one that is taken"));
            }
            if feature.name.is_empty() || feature.name.contains(['/', '{', '}']) {
                return Err(unsupported(root, &what, "a name without '/' and braces", &feature.name));
            }
            match feature.dtype.as_str() {
                "video" => views.push(view(root, feature)?),
                "float32" | "float64" | "int64" | "bool" => vectors.push(vector(root, feature)?),
                other => {
                    let expected = "video, float32, float64, int64 or bool";
                    return Err(unsupported(root, &what, expected, other));
                }
            }
        }
        if vectors.is_empty() {
            return Err(unsupported(root, "features", "at least one vector", "none"));
        }
        Ok(Plan { description: self, vectors, views })
    }
}

fn vector(root: &Path, feature: &Feature) -> Result<Vector> {
    let what = format!("shape of feature {}", feature.name);
    let [Some(width @ 1..)] = feature.shape[..] else {
        return Err(unsupported(root, &what, "one dimension", &format!("{:?}", feature.shape)));
    };
    match &feature.names {
        Some(names) if names.len() != width => {
            let expected = format!("{width} names, as many as numbers");
            Err(unsupported(
                root,
                &format!("names of feature {}", feature.name),
                &expected,
                &names.len().to_string(),
            ))
        }
        _ => Ok(Vector { name: feature.name.clone(), dtype: feature.dtype.clone(), width }),
    }
}

fn view(root: &Path, feature: &Feature) -> Result<View> {
    match feature.camera() {
        Some(Camera { name, height: Some(height), width: Some(width) }) => Ok(View { name, width, height }),
        _ => {
            let what = format!("feature {}", feature.name);
            Err(unsupported(root, &what, "an RGB camera of known size", "another video"))
        }
    }
}

impl Plan {
    /// Fails if pictures have a size that the encoder refuses.
    pub(crate) fn check_sizes(&self, root: &Path, codec: VideoCodec) -> Result<()> {
        for View { name, width, height } in &self.views {
            let least = codec.least_side();
            let is_fine = [width, height].into_iter().all(|side| side % 2 == 0 && *side >= least);
            if !is_fine {
                let what = format!("picture size of {name}");
                let expected = format!("even sides of at least {least} pixels, for {}", codec.name());
                return Err(unsupported(root, &what, &expected, &format!("{width} x {height}")));
            }
        }
        Ok(())
    }

    /// Fails if the set in `root` is not like this.
    pub(crate) fn check_like(&self, existing: &Dataset) -> Result<()> {
        let differs = |what: &str, old: String, new: String| {
            if old == new {
                return Ok(());
            }
            let root = existing.root().to_owned();
            Err(Error::Differs { path: root, what: what.to_owned(), existing: old, new })
        };
        let new = &self.description;
        differs("fps", existing.fps().to_string(), new.fps.to_string())?;
        differs(
            "robot_type",
            format!("{:?}", existing.robot_type()),
            format!("{:?}", new.robot_type.as_deref()),
        )?;
        let names = |features: &[Feature]| {
            let mut names: Vec<_> =
                features.iter().filter(|feature| !feature.is_counter()).map(|f| f.name.clone()).collect();
            names.sort();
            names.join(", ")
        };
        differs("features", names(existing.features()), names(&new.features))?;
        for feature in &new.features {
            let Some(old) = existing.feature(&feature.name) else { continue };
            let what = |of: &str| format!("{of} of {}", feature.name);
            differs(&what("dtype"), old.dtype.clone(), feature.dtype.clone())?;
            match (old.camera(), feature.camera()) {
                (Some(old), Some(new)) => {
                    let size = |camera: Camera| format!("{:?} x {:?}", camera.width, camera.height);
                    differs(&what("picture size"), size(old), size(new))?;
                }
                _ => {
                    differs(&what("shape"), format!("{:?}", old.shape), format!("{:?}", feature.shape))?;
                    differs(&what("names"), format!("{:?}", old.names), format!("{:?}", feature.names))?;
                }
            }
        }
        Ok(())
    }

    /// The features as `info.json` has them.
    pub(crate) fn features_json(&self, codec: VideoCodec) -> Map<String, Value> {
        let mut features = Map::new();
        for feature in &self.description.features {
            let mut json = json!({ "dtype": feature.dtype, "shape": feature.shape, "names": feature.names });
            if let Some(view) = self.views.iter().find(|view| view.name == feature.name) {
                json["info"] = json!({
                    "video.height": view.height,
                    "video.width": view.width,
                    "video.codec": codec.name(),
                    "video.pix_fmt": "yuv420p",
                    "video.is_depth_map": false,
                    "video.fps": self.description.fps,
                    "video.channels": 3,
                    "has_audio": false,
                });
            }
            features.insert(feature.name.clone(), json);
        }
        for (name, dtype) in COUNTERS {
            features.insert(name.to_owned(), json!({ "dtype": dtype, "shape": [1], "names": null }));
        }
        features
    }
}

pub(crate) fn unsupported(path: &Path, what: &str, expected: &str, found: &str) -> Error {
    Error::Unsupported {
        path: path.to_owned(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}
