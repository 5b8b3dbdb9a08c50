//! Which devices there are, or in one sentence why none can be used.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::driver;

/// A driver of CUDA 12.0, the first that knows the graphs used here.
const OLDEST_DRIVER: i32 = 12_000;
/// Ampere: the first with bf16 and asynchronous copies.
const OLDEST_CAPABILITY: (u32, u32) = (8, 0);

/// What there is to know of a device before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    pub index: usize,
    pub name: String,
    /// Compute capability, as (8, 9).
    pub capability: (u32, u32),
    pub n_multiprocessors: usize,
    /// Bytes in all.
    pub memory: usize,
    /// Bytes of shared memory that a block may have.
    pub shared_memory: usize,
    /// The newest CUDA that the driver supports, as (13, 0).
    pub driver: (u32, u32),
}

impl DeviceInfo {
    /// Whether the kernels run on it.
    #[must_use]
    pub fn is_supported(&self) -> bool {
        OLDEST_CAPABILITY <= self.capability
    }
}

impl fmt::Display for DeviceInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, capability, driver, .. } = self;
        let gibibytes = self.memory as f64 / f64::from(1 << 30);
        write!(
            formatter,
            "{name}, {gibibytes:.1} GiB, compute capability {}.{}, driver for CUDA {}.{}",
            capability.0, capability.1, driver.0, driver.1
        )
    }
}

/// Why no device can be used; each is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("libcuda.so.1 not found: no NVIDIA driver is installed{}", note(other.as_deref()))]
    NoDriver {
        /// The maker of a GPU that is there and cannot be used.
        other: Option<&'static str>,
    },
    #[error("the NVIDIA driver finds no GPU{}", note(other.as_deref()))]
    NoDevice { other: Option<&'static str> },
    #[error("the NVIDIA driver supports CUDA {major}.{minor} and not 12.0: install a newer one")]
    OldDriver { major: u32, minor: u32 },
    #[error("{name} has compute capability {major}.{minor}; at least 8.0 is needed")]
    OldDevice { name: String, major: u32, minor: u32 },
    #[error("the NVIDIA driver does not start: {code}")]
    Broken { code: String },
}

fn note(other: Option<&str>) -> String {
    other
        .map(|maker| format!("; there is a GPU of {maker}, but only NVIDIA's are supported"))
        .unwrap_or_default()
}

/// The devices that kernels run on, in the driver's order, or why there is none. Opens none of them.
///
/// # Errors
/// Says what is missing.
pub fn available() -> Result<Vec<DeviceInfo>, Unavailable> {
    let other = || other_maker(Path::new("/sys/class/drm"));
    if !driver::is_present() {
        return Err(Unavailable::NoDriver { other: other() });
    }
    let version = driver::version().map_err(|code| Unavailable::Broken { code })?;
    let (major, minor) = (version / 1000, version % 1000 / 10);
    let (major, minor) = (major.unsigned_abs(), minor.unsigned_abs());
    if version < OLDEST_DRIVER {
        return Err(Unavailable::OldDriver { major, minor });
    }
    let devices = driver::devices((major, minor)).map_err(|code| match code.as_str() {
        driver::NO_DEVICE => Unavailable::NoDevice { other: other() },
        _ => Unavailable::Broken { code },
    })?;
    usable(devices, other)
}

fn usable(
    devices: Vec<DeviceInfo>,
    other: impl FnOnce() -> Option<&'static str>,
) -> Result<Vec<DeviceInfo>, Unavailable> {
    let old = devices.iter().find(|device| !device.is_supported()).cloned();
    let usable: Vec<_> = devices.into_iter().filter(DeviceInfo::is_supported).collect();
    match old {
        _ if !usable.is_empty() => Ok(usable),
        Some(DeviceInfo { name, capability: (major, minor), .. }) => {
            Err(Unavailable::OldDevice { name, major, minor })
        }
        None => Err(Unavailable::NoDevice { other: other() }),
    }
}

/// The maker of the first GPU of someone else, by the PCI vendor that the kernel shows of each card.
fn other_maker(cards: &Path) -> Option<&'static str> {
    let mut cards: Vec<_> = fs::read_dir(cards).ok()?.flatten().map(|card| card.path()).collect();
    cards.sort();
    cards.iter().find_map(|card| {
        match fs::read_to_string(card.join("device/vendor")).ok()?.trim() {
            "0x1002" => Some("AMD"),
            "0x8086" => Some("Intel"),
            "0x106b" => Some("Apple"),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests;
