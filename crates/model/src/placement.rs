//! Where a model computes, and why there.

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first GPU, where there is one that has room for the model and can run it, and the model is large enough to gain
    /// by it; else the CPU.
    #[default]
    Auto,
    Cpu,
    /// The GPU of this index in the driver's order, or an error that says why not.
    Cuda(usize),
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected auto, cpu, cuda or cuda:N".to_owned()),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    Cpu {
        /// Why no GPU, where one was looked for; one line.
        reason: Option<String>,
    },
    Cuda {
        index: usize,
        /// The card and its driver; one line.
        name: String,
    },
}

impl Placement {
    pub fn is_cuda(&self) -> bool {
        matches!(self, Self::Cuda { .. })
    }

    /// `cpu` or `cuda`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cpu { .. } => "cpu",
            Self::Cuda { .. } => "cuda",
        }
    }
}

impl std::fmt::Display for Placement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu { reason: None } => f.write_str("CPU"),
            Self::Cpu { reason: Some(reason) } => write!(f, "CPU ({reason})"),
            Self::Cuda { index, name } => write!(f, "GPU {index}: {name}"),
        }
    }
}
