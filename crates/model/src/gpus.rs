//! What GPUs this machine has, for a person to read.

/// Each GPU that could be computed on in a line, or in one line why there is none. Opens none of them.
///
/// # Errors
/// Says what is missing.
pub fn gpus() -> Result<Vec<String>, String> {
    let devices = cuda::available().map_err(|reason| reason.to_string())?;
    Ok(devices.iter().map(|device| format!("{}: {device}", device.index)).collect())
}
