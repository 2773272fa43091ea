//! One ONNX graph, loaded, with the memory its results go to.

use super::signature::Signature;
use crate::config::{ExecutionProvider, PolicyConfig};
use crate::error::Error;
use ort::environment::Environment;
use ort::ep::ExecutionProviderDispatch;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::{Tensor, Value, ValueTypeMarker};
use std::path::Path;

/// A graph and its session.
#[derive(Debug)]
pub(crate) struct Graph {
    name: String,
    session: Session,
    /// Gives memory where the graph runs.
    allocator: Allocator,
}

impl Graph {
    /// Loads a graph and checks what it takes and gives.
    ///
    /// # Errors
    /// If it cannot be loaded, the execution provider cannot run it, or its signature is another.
    pub(crate) fn open(
        environment: &Environment,
        path: &Path,
        signature: &Signature,
        provider: ExecutionProvider,
        config: &PolicyConfig,
    ) -> Result<Self, Error> {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let failed = |error: ort::Error| Error::Graph { graph: name.clone(), message: error.to_string() };
        let mut builder = Session::builder(environment)
            .map_err(failed)?
            .with_execution_providers(providers(provider, config.device_id)?)
            .map_err(Error::graph(&name))?;
        // Waiting threads would take the cores that decoding, the network and other graphs need: with it a chunk of a
        // small policy took three times as long on two cores.
        builder = builder.with_intra_op_spinning(false).map_err(Error::graph(&name))?;
        if config.threads > 0 {
            builder = builder.with_intra_threads(config.threads).map_err(Error::graph(&name))?;
        }
        let session = builder.commit_from_file(path).map_err(failed)?;
        signature.check(&name, &session)?;
        let allocator =
            Allocator::new(&session, memory(provider, config.device_id).map_err(failed)?).map_err(failed)?;
        Ok(Self { name, session, allocator })
    }

    /// A tensor where the graph runs.
    pub(crate) fn tensor(&self, shape: [usize; 3]) -> Result<Tensor<f32>, Error> {
        Tensor::new(&self.allocator, shape).map_err(Error::graph(&self.name))
    }

    /// Inputs and outputs yet to be bound.
    pub(crate) fn binding(&self) -> Result<Binding, Error> {
        let binding = self.session.create_binding().map_err(Error::graph(&self.name))?;
        Ok(Binding { graph: self.name.clone(), binding })
    }

    /// Runs the graph on what is bound.
    pub(crate) fn run(&mut self, binding: &Binding, options: &RunOptions) -> Result<(), Error> {
        let outputs = self.session.run_binding_with_options(&binding.binding, options);
        outputs.map(drop).map_err(Error::graph(&self.name))
    }
}

/// What a graph reads from and writes to.
#[derive(Debug)]
pub(crate) struct Binding {
    graph: String,
    binding: IoBinding,
}

impl Binding {
    /// Binds an input, copying it to where the graph runs if it is elsewhere. To be called again whenever the value
    /// has changed.
    pub(crate) fn input<T: ValueTypeMarker + ?Sized>(
        &mut self,
        name: &str,
        value: &Value<T>,
    ) -> Result<(), Error> {
        self.binding.bind_input(name, value).map_err(Error::graph(&self.graph))
    }

    /// Has an output written into a tensor, run after run.
    pub(crate) fn output(&mut self, name: &str, tensor: &mut Tensor<f32>) -> Result<(), Error> {
        self.binding.bind_output(name, tensor).map_err(Error::graph(&self.graph))
    }
}

/// Where a provider's results are.
fn memory(provider: ExecutionProvider, device_id: i32) -> ort::Result<MemoryInfo<'static>> {
    let (device, id) = match provider {
        ExecutionProvider::Cpu => (AllocationDevice::CPU, 0),
        ExecutionProvider::Cuda => (AllocationDevice::CUDA, device_id),
    };
    MemoryInfo::new(device, id, AllocatorType::Device, MemoryType::Default)
}

/// The provider, made to fail rather than to fall back to the CPU without a word.
fn providers(provider: ExecutionProvider, device_id: i32) -> Result<Vec<ExecutionProviderDispatch>, Error> {
    match provider {
        ExecutionProvider::Cpu => Ok(Vec::new()),
        ExecutionProvider::Cuda => cuda(device_id),
    }
}

#[cfg(feature = "cuda")]
fn cuda(device_id: i32) -> Result<Vec<ExecutionProviderDispatch>, Error> {
    // TensorFloat-32 has 10 bits of fraction: float32 graphs would miss the parity that the bundle promises.
    let cuda = ort::ep::CUDA::default().with_device_id(device_id).with_tf32(false);
    Ok(vec![cuda.build().error_on_failure()])
}

#[cfg(not(feature = "cuda"))]
fn cuda(_device_id: i32) -> Result<Vec<ExecutionProviderDispatch>, Error> {
    Err(Error::Provider {
        provider: "cuda",
        message: "this program was built without it".to_owned(),
        remedy: "build with `--features cuda`, or choose `cpu`, or set policy.allow_cpu_fallback",
    })
}
