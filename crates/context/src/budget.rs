//! How many tokens each part of a prompt may take.

/// Token limits of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// All of the prompt, control tokens included.
    pub n_prompt: usize,
    /// Most that the text before the caret may take.
    pub n_prefix: usize,
    /// Most that the text after the caret may take.
    pub n_suffix: usize,
}

/// What the default model saw in training; more than that slows an answer down and has not been shown to help.
const MAX_PREFIX: usize = 480;
const MAX_SUFFIX: usize = 160;

impl Budget {
    /// Shares out at most `n_prompt` tokens: three quarters before the caret and a quarter after it, up to the 480 and 160
    /// that the default model was trained with. The line of the path comes out of the first share where it must.
    pub fn share(n_prompt: usize) -> Self {
        let n_suffix = n_prompt / 4;
        Self {
            n_prompt,
            n_prefix: (n_prompt - n_suffix).min(MAX_PREFIX),
            n_suffix: n_suffix.min(MAX_SUFFIX),
        }
    }
}
