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
    /// Most that text from elsewhere may take.
    pub n_snippets: usize,
    /// What text from elsewhere leaves to the text before the caret, where there is so much of it.
    pub n_near: usize,
}

/// Text around the caret that the default model saw in training, in tokens.
const TRAINED_PREFIX: usize = 480;
const TRAINED_SUFFIX: usize = 160;

/// Prompts up to this size are shared out as the default model needs it.
const SMALL_PROMPT: usize = 1024;

impl Budget {
    /// Shares out at most `n_prompt` tokens: a quarter at most after the caret, two fifths at most from elsewhere, the rest
    /// before the caret. A small prompt keeps to the 480 and 160 tokens beside the caret that the default model was trained
    /// with. The line of the path comes out of the first share where it must.
    pub fn share(n_prompt: usize) -> Self {
        let n_suffix = n_prompt / 4;
        let n_prefix = n_prompt - n_suffix;
        let n_snippets = n_prompt * 2 / 5;
        if n_prompt <= SMALL_PROMPT {
            return Self {
                n_prompt,
                n_prefix: n_prefix.min(TRAINED_PREFIX),
                n_suffix: n_suffix.min(TRAINED_SUFFIX),
                n_snippets,
                n_near: n_prompt / 2,
            };
        }
        Self { n_prompt, n_prefix, n_suffix, n_snippets, n_near: n_prompt * 3 / 10 }
    }
}
