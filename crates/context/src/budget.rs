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

impl Budget {
    /// Shares out `n_prompt` tokens: three quarters at most before the caret, a quarter at most after it.
    /// A prompt of 640 tokens thus has the 480 and 160 that the default model was trained with.
    pub fn share(n_prompt: usize) -> Self {
        let n_suffix = n_prompt / 4;
        Self { n_prompt, n_prefix: n_prompt - n_suffix, n_suffix }
    }
}
