//! The closed set of tensor operations that SmolVLA is written in.
//!
//! Training needs gradients, export needs a graph; two definitions of one model drift apart. So the
//! model exists once, generic over [`Ops`], and an interpreter gives the operations their meaning.
//! No operation reads a value back: a model cannot branch on data, so whatever runs can be exported.

/// How many heads an attention has, and how wide each is.
///
/// Query head `g` reads key/value head `g / (query / key_value)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; divides `query`.
    pub key_value: usize,
    /// Width of one head.
    pub dim: usize,
}

impl Heads {
    /// As many key/value heads as query heads.
    pub fn uniform(heads: usize, dim: usize) -> Self {
        Self { query: heads, key_value: heads, dim }
    }

    /// Width of all query heads side by side.
    pub fn query_width(&self) -> usize {
        self.query * self.dim
    }

    /// Width of all key (or value) heads side by side.
    pub fn key_value_width(&self) -> usize {
        self.key_value * self.dim
    }
}

/// Rotary position embedding, half-split form: the first half of a head is rotated against the second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Width of one head; even.
    pub head_dim: usize,
    /// Longest wavelength over 2π. SmolVLA uses 10000 whatever the VLM's own configuration says.
    pub base: f64,
    /// One more than the largest position that occurs.
    pub position_count: usize,
}

impl Rope {
    /// Cosines and sines of every angle `position / base^(2k / head_dim)`, in float32 as the reference.
    ///
    /// # Shapes
    /// Two tables, row-major `[position_count, head_dim / 2]`.
    pub fn tables(&self) -> (Vec<f32>, Vec<f32>) {
        let half = self.head_dim / 2;
        let wavelengths: Vec<f32> =
            (0..half).map(|k| (self.base as f32).powf(2.0 / self.head_dim as f32 * k as f32)).collect();
        let angles = (0..self.position_count)
            .flat_map(|position| wavelengths.iter().map(move |wavelength| position as f32 / wavelength));
        angles.map(|angle| (angle.cos(), angle.sin())).unzip()
    }
}

/// An interpreter of tensor operations.
///
/// Axes are counted from the front, shapes are known while wiring, binary operations broadcast as numpy's do.
/// A wrong width is an error where the operation is wired, with both shapes in it.
pub trait Ops {
    /// A value: a tensor of numbers, or a node's output in a graph.
    type Tensor: Clone;
    /// What can go wrong, the model's own complaints included.
    type Error: From<crate::Error>;

    /// The shape of `x`.
    fn shape(&self, x: &Self::Tensor) -> Vec<usize>;

    /// A weight of the checkpoint, by its name in `model.safetensors`.
    ///
    /// # Errors
    /// If there is no such tensor or it has another shape.
    fn param(&self, name: &str, shape: &[usize]) -> Result<Self::Tensor, Self::Error>;

    /// A constant of float32 numbers, row-major.
    ///
    /// # Errors
    /// If `values` does not fill `shape`.
    fn constant(&self, values: &[f32], shape: &[usize]) -> Result<Self::Tensor, Self::Error>;

    /// A constant of integers (token ids, positions), row-major.
    ///
    /// # Errors
    /// If `values` does not fill `shape`.
    fn constant_ids(&self, values: &[i64], shape: &[usize]) -> Result<Self::Tensor, Self::Error>;

    /// `x wᵀ + b` with `w` stored `[out, in]` and `b` `[out]`.
    ///
    /// # Errors
    /// If the last axis of `x` is not `in`.
    fn linear(
        &self,
        x: &Self::Tensor,
        w: &Self::Tensor,
        b: Option<&Self::Tensor>,
    ) -> Result<Self::Tensor, Self::Error>;

    /// Rows of `table` `[rows, width]` picked by `ids` `[..]`, giving `[.., width]`.
    ///
    /// # Errors
    /// If the interpreter can see that an id is out of range.
    fn embedding(&self, table: &Self::Tensor, ids: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;

    /// Elementwise sum.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    fn add(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;

    /// Elementwise product.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    fn mul(&self, a: &Self::Tensor, b: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;

    /// `x` times a number.
    ///
    /// # Errors
    /// If the interpreter fails.
    fn scale(&self, x: &Self::Tensor, factor: f64) -> Result<Self::Tensor, Self::Error>;

    /// `x · sigmoid(x)`.
    ///
    /// # Errors
    /// If the interpreter fails.
    fn silu(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;

    /// `½x (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    ///
    /// # Errors
    /// If the interpreter fails.
    fn gelu_tanh(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;

    /// Normalises the last axis to mean 0 and (biased) variance 1, then `· w + b`.
    ///
    /// # Errors
    /// If the last axis is not as wide as `w`.
    fn layer_norm(
        &self,
        x: &Self::Tensor,
        w: &Self::Tensor,
        b: &Self::Tensor,
        eps: f64,
    ) -> Result<Self::Tensor, Self::Error>;

    /// Divides the last axis by its root mean square, then `· w`.
    ///
    /// # Errors
    /// If the last axis is not as wide as `w`.
    fn rms_norm(&self, x: &Self::Tensor, w: &Self::Tensor, eps: f64) -> Result<Self::Tensor, Self::Error>;

    /// The same numbers in another shape.
    ///
    /// # Errors
    /// If the element counts differ.
    fn reshape(&self, x: &Self::Tensor, shape: &[usize]) -> Result<Self::Tensor, Self::Error>;

    /// Axis `i` of the result is axis `axes[i]` of `x`.
    ///
    /// # Errors
    /// If `axes` is not a permutation of the axes of `x`.
    fn permute(&self, x: &Self::Tensor, axes: &[usize]) -> Result<Self::Tensor, Self::Error>;

    /// Repeats axes of size one until `x` has `shape`.
    ///
    /// # Errors
    /// If `x` does not broadcast to `shape`.
    fn expand(&self, x: &Self::Tensor, shape: &[usize]) -> Result<Self::Tensor, Self::Error>;

    /// Joins tensors along an axis.
    ///
    /// # Errors
    /// If the other axes differ.
    fn concat(&self, parts: &[&Self::Tensor], axis: usize) -> Result<Self::Tensor, Self::Error>;

    /// `length` entries of an axis, from `start` on.
    ///
    /// # Errors
    /// If the axis is shorter than `start + length`.
    fn slice(
        &self,
        x: &Self::Tensor,
        axis: usize,
        start: usize,
        length: usize,
    ) -> Result<Self::Tensor, Self::Error>;

    /// Rotates every head of `x` by its token's position.
    ///
    /// # Shapes
    /// `x` `[batch, tokens, heads · head_dim]`, `positions` (integers) `[batch or 1, tokens]`.
    ///
    /// # Errors
    /// If the shapes do not fit each other or `rope`.
    fn rope(
        &self,
        x: &Self::Tensor,
        positions: &Self::Tensor,
        rope: &Rope,
    ) -> Result<Self::Tensor, Self::Error>;

    /// Softmax attention with scale `dim^-½`. `mask` is added to the scores: 0 where a query may look,
    /// the most negative finite number where it may not, so that a fully masked row is uniform and never NaN.
    ///
    /// # Shapes
    /// `q` `[batch, queries, query heads · dim]`, `k` and `v` `[batch, keys, key_value heads · dim]`,
    /// `mask` `[batch or 1, queries, keys]`; the result is shaped as `q`.
    ///
    /// # Errors
    /// If the shapes do not fit each other or `heads`.
    fn attention(
        &self,
        q: &Self::Tensor,
        k: &Self::Tensor,
        v: &Self::Tensor,
        mask: Option<&Self::Tensor>,
        heads: Heads,
    ) -> Result<Self::Tensor, Self::Error>;

    /// `[sin(f₀ t) …, cos(f₀ t) …]`, evaluated in float64: at t = 1 the fastest angle is 2π·250, where
    /// float32 would cost 1e-4.
    ///
    /// # Shapes
    /// `time` `[batch, steps]` gives `[batch, steps, 2 · frequencies]`.
    ///
    /// # Errors
    /// If the interpreter fails.
    fn sinusoid(&self, time: &Self::Tensor, frequencies: &[f64]) -> Result<Self::Tensor, Self::Error>;

    /// Names a value: the identity in training, the node's name in a graph, a probe in parity tests.
    ///
    /// # Errors
    /// If the interpreter fails.
    fn tag(&self, name: &str, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
}
