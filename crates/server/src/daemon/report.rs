//! What `dacapo daemon status` shows.

use std::path::PathBuf;

use assist::Status;
use serde::{Deserialize, Serialize};

use crate::daemon::greeting::Build;
use crate::figures::{LatencyReport, SessionReport};
use crate::{Host, IndexReport};

/// A daemon at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub process_id: u32,
    pub build: Build,
    pub uptime_seconds: u64,
    pub socket: PathBuf,
    pub log_file: PathBuf,
    /// Resident memory; unknown on systems without `/proc`.
    pub memory_bytes: Option<u64>,
    pub models: Vec<ModelReport>,
    pub indexes: Vec<IndexReport>,
    pub sessions: Vec<SessionReport>,
    /// Completions that were answered since the daemon started.
    pub requests: u64,
    pub latency: Option<LatencyReport>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelReport {
    pub name: String,
    /// `unloaded`, `loading`, `ready` or `failed`.
    pub state: String,
    /// Why it failed.
    pub message: Option<String>,
}

impl Report {
    pub(super) fn of_models(host: &Host) -> Vec<ModelReport> {
        host.pool
            .states()
            .into_iter()
            .map(|(name, status)| {
                let (state, message) = match status {
                    Status::Unloaded => ("unloaded", None),
                    Status::Loading => ("loading", None),
                    Status::Ready => ("ready", None),
                    Status::Failed(why) => ("failed", Some(why)),
                };
                ModelReport { name, state: state.into(), message }
            })
            .collect()
    }
}

/// Resident memory of this process, in bytes (proc(5), `VmRSS`).
pub(super) fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
