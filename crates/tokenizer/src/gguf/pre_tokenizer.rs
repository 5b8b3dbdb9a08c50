//! How a text is cut before pairs are merged, by the name that a GGUF file gives to it.
//!
//! The expressions are those of llama.cpp (`src/llama-vocab.cpp`), each cutting what the one before left whole.

use serde_json::{Value, json};

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const STARCODER: &[&str] = &[r"\p{N}", GPT2];

const DEFAULT: &[&str] = &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"];

const DEEPSEEK_CODER: &[&str] =
    &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"];

/// One way to cut, and what goes with it.
pub(super) struct PreTokenizer {
    names: &'static [&'static str],
    expressions: &'static [&'static str],
    /// A piece that is a token is taken whole.
    pub(super) ignores_merges: bool,
    /// Where the file does not say whether texts begin with the token for it.
    pub(super) adds_bos: bool,
}

const ALL: [PreTokenizer; 6] = [
    plain(&["default"], DEFAULT),
    plain(&["gpt-2"], &[GPT2]),
    plain(&["smollm", "starcoder", "refact", "codeshell", "command-r"], STARCODER),
    plain(&["qwen2", "deepseek-r1-qwen"], &[QWEN2]),
    plain(&["deepseek-coder"], DEEPSEEK_CODER),
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3"],
        expressions: &[LLAMA3],
        ignores_merges: true,
        adds_bos: true,
    },
];

const fn plain(
    names: &'static [&'static str],
    expressions: &'static [&'static str],
) -> PreTokenizer {
    PreTokenizer { names, expressions, ignores_merges: false, adds_bos: false }
}

pub(super) fn find(name: &str) -> Option<&'static PreTokenizer> {
    ALL.iter().find(|pre_tokenizer| pre_tokenizer.names.contains(&name))
}

pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().flat_map(|pre_tokenizer| pre_tokenizer.names).copied().collect()
}

impl PreTokenizer {
    /// As `tokenizer.json` describes it.
    pub(super) fn description(&self) -> Value {
        let split = |expression: &&str| json!({"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": false});
        let mut steps: Vec<Value> = self.expressions.iter().map(split).collect();
        steps.push(byte_level());
        json!({"type": "Sequence", "pretokenizers": steps})
    }
}

/// Bytes as printable characters, which serves as a decoder as well.
pub(super) fn byte_level() -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    })
}
