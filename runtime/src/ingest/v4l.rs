//! Video4Linux cameras, by nokhwa.

use super::local::{LocalCamera, LocalLayout, LocalPicture};
use crate::config::{DeviceConfig, DeviceFormat};
use crate::error::Error;
use nokhwa::Camera;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use std::path::Path;

/// What devices are called, before their numbers.
const PREFIX: &str = "/dev/video";

/// A camera of this computer.
#[derive(Debug)]
pub struct V4lCamera {
    config: DeviceConfig,
}

impl V4lCamera {
    /// As the configuration says. Nothing is opened yet.
    #[must_use]
    pub fn new(config: DeviceConfig) -> Self {
        Self { config }
    }

    fn failed(&self, error: impl ToString) -> Error {
        Error::Device { device: self.config.device.clone(), message: error.to_string() }
    }

    /// The device's number. Names of udev's, such as `/dev/v4l/by-id/…`, lead there, and stay when numbers change.
    fn number(&self) -> Result<u32, Error> {
        let path = Path::new(&self.config.device).canonicalize().map_err(|error| self.failed(error))?;
        let number = path.to_str().and_then(|path| path.strip_prefix(PREFIX)?.parse().ok());
        number.ok_or_else(|| self.failed(format!("expected {PREFIX}<number>, found {}", path.display())))
    }
}

impl LocalCamera for V4lCamera {
    type Open = Camera;

    fn open(&mut self) -> Result<Camera, Error> {
        let DeviceConfig { width, height, fps, format, .. } = self.config;
        let format = match format {
            DeviceFormat::Mjpeg => FrameFormat::MJPEG,
            DeviceFormat::Yuyv => FrameFormat::YUYV,
        };
        let wanted = CameraFormat::new(Resolution::new(width, height), format, fps);
        let formats = [format];
        let request = RequestedFormat::with_formats(RequestedFormatType::Exact(wanted), &formats);
        let index = CameraIndex::Index(self.number()?);
        let open = Camera::with_backend(index, request, ApiBackend::Video4Linux);
        let mut camera = open.map_err(|error| self.failed(format!("{wanted}: {error}")))?;
        camera.open_stream().map_err(|error| self.failed(error))?;
        Ok(camera)
    }

    fn next(&mut self, camera: &mut Camera) -> Result<LocalPicture, Error> {
        let frame = camera.frame().map_err(|error| self.failed(error))?;
        let size = frame.resolution();
        let layout = match self.config.format {
            DeviceFormat::Mjpeg => LocalLayout::Jpeg,
            DeviceFormat::Yuyv => LocalLayout::Yuyv([size.width() as usize, size.height() as usize]),
        };
        Ok(LocalPicture { layout, data: frame.buffer().to_vec() })
    }
}
