//! The files of the model that is built into the binary.

pub const CONFIG: &[u8] = include_bytes!("../../../models/default/config.json");
pub const GENERATION_CONFIG: &[u8] =
    include_bytes!("../../../models/default/generation_config.json");
pub const TOKENIZER: &[u8] = include_bytes!("../../../models/default/tokenizer.json");
pub const WEIGHTS: &[u8] = include_bytes!("../../../models/default/model.safetensors");
