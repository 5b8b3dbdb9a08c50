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

/// Most tokens of the text beside the caret, such as a model saw in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beside {
    pub n_prefix: usize,
    pub n_suffix: usize,
}

impl Beside {
    pub const UNLIMITED: Self = Self { n_prefix: usize::MAX, n_suffix: usize::MAX };
}

/// Up to this size the lines before the caret are worth more than text from elsewhere.
const SMALL_PROMPT: usize = 1024;

impl Budget {
    /// Shares out at most `n_prompt` tokens: a quarter at most after the caret, two fifths at most from elsewhere, the rest
    /// before the caret. The line of the path comes out of the first share where it must.
    pub fn share(n_prompt: usize) -> Self {
        let n_suffix = n_prompt / 4;
        Self {
            n_prompt,
            n_prefix: n_prompt - n_suffix,
            n_suffix,
            n_snippets: n_prompt * 2 / 5,
            n_near: if n_prompt <= SMALL_PROMPT { n_prompt / 2 } else { n_prompt * 3 / 10 },
        }
    }

    /// No more beside the caret than `most`.
    pub fn within(self, most: Beside) -> Self {
        Self {
            n_prefix: self.n_prefix.min(most.n_prefix),
            n_suffix: self.n_suffix.min(most.n_suffix),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_knows_short_texts_gets_no_longer_ones() {
        let budget = Budget::share(704);
        assert_eq!((budget.n_prefix, budget.n_suffix), (528, 176));
        assert_eq!(budget.within(Beside::UNLIMITED), budget);
        let most = Beside { n_prefix: 480, n_suffix: 400 };
        assert_eq!(budget.within(most), Budget { n_prefix: 480, ..budget });
    }
}
