//! Replacements of byte ranges and how offsets move through them.

use std::ops::Range;

/// Replacement of a byte range of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub range: Range<usize>,
    pub text: String,
}

/// What an applied [`Edit`] did, in bytes: `start..old_end` of the buffer before it became `start..new_end` of the buffer after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub start: usize,
    pub old_end: usize,
    pub new_end: usize,
}

/// Where an offset goes whose surroundings an edit replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// To the start of the new text.
    Before,
    /// To the end of the new text.
    After,
}

impl Applied {
    /// Where a byte offset of the buffer before the edit lies in the buffer after it.
    ///
    /// An offset strictly inside the replaced range, or exactly at a pure insertion, goes to one side of the new text by `bias`.
    /// The two ends of a replaced range that is not empty keep to their own side whatever the bias. Order is preserved.
    pub fn map_offset(&self, offset: usize, bias: Bias) -> usize {
        let insertion = self.start == self.old_end;
        if offset < self.start || (offset == self.start && !insertion) {
            return offset;
        }
        if self.old_end < offset || (offset == self.old_end && !insertion) {
            return offset - self.old_end + self.new_end;
        }
        match bias {
            Bias::Before => self.start,
            Bias::After => self.new_end,
        }
    }
}
