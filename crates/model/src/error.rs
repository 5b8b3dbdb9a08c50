//! Everything that can go wrong between a directory of weights and a row of logits.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{origin}: {reason}")]
    Config { origin: String, reason: String },
    #[error(
        "{origin}: architecture {found:?} is not supported; this build runs IQuestPLTCoderForCausalLM, LlamaForCausalLM and Qwen2ForCausalLM"
    )]
    Architecture { origin: String, found: String },
    #[error(
        "{}: architecture {found:?} is not supported; of GGUF files this build runs llama and qwen2", path.display()
    )]
    GgufArchitecture { path: PathBuf, found: String },
    #[error(transparent)]
    Gguf(#[from] gguf::Error),
    #[error("{}: tensor {name}: {reason}", path.display())]
    GgufTensor { path: PathBuf, name: String, reason: String },
    #[error("{origin} is not a whole safetensors file: {reason}")]
    Safetensors { origin: String, reason: String },
    #[error(
        "{} holds neither model.safetensors nor model.safetensors.index.json", directory.display()
    )]
    NoWeights { directory: PathBuf },
    #[error(
        "{} is missing: {n_tensors} of the index's {n_all} tensors are in it, {first} among them; download or copy it again",
        path.display()
    )]
    MissingShard { path: PathBuf, n_tensors: usize, n_all: usize, first: String },
    #[error("tensor {name} is missing; expected shape {expected:?}")]
    MissingTensor { name: String, expected: Vec<usize> },
    #[error("tensor {name} has shape {found:?}; expected {expected:?}")]
    Shape { name: String, found: Vec<usize>, expected: Vec<usize> },
    #[error("tensor {name} is stored as {found}; supported are F64, F32, F16 and BF16")]
    StoredType { name: String, found: String },
    #[error("tensor {name} is quantised already; start from the original weights")]
    Quantised { name: String },
    #[error("tensor {name} has groups of {group_size}; supported are 32, 64 and, in 8 bits, 128")]
    GroupSize { name: String, group_size: usize },
    #[error("queries or keys do not divide into heads: {reason}")]
    Heads { reason: String },
    #[error("token {token} is outside of the vocabulary of {vocab_size}")]
    Token { token: u32, vocab_size: usize },
    #[error("position {position} is past the model's context of {n_context}")]
    ContextFull { position: usize, n_context: usize },
    #[error("the logits are not finite; the weights are damaged or were not converted right")]
    NotFinite,
    /// Only from within calls that ask whether to go on, which answer in their own way.
    #[error("the computation was stopped")]
    Stopped,
    #[error("GPU: {0}")]
    Device(#[from] cuda::Error),
    #[error("the model cannot run on the GPU: {reason}")]
    NotOnDevice { reason: String },
    #[error("the sequence belongs to a model that computes elsewhere")]
    OtherModel,
    #[error("no tokens were given")]
    NoTokens,
    #[error("tensor computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    /// The memory of a GPU does not suffice; there may be more once sequences are dropped.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Device(error) if error.is_out_of_memory())
    }
}
