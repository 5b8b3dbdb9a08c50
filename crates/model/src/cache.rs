//! What a sequence leaves behind: K/V per loop and layer, and the state that each loop hands to the next.
//!
//! Nothing in it depends on later tokens, so a cache is truncated by shortening it (docs/kv-cache.md).

mod buffer;

mod device;

mod host;

mod key_value;

mod memory;

mod room;

mod shape;

mod span;

use std::ops::Range;

pub use self::buffer::CacheFormat;
pub(crate) use self::buffer::widen;
pub(crate) use self::device::DeviceMemory;
pub(crate) use self::host::HostMemory;
pub(crate) use self::key_value::KeyValue;
pub(crate) use self::memory::Memory;
pub(crate) use self::room::Room;
pub(crate) use self::shape::CacheShape;
pub use self::shape::{CacheOptions, LaterLoops};
pub(crate) use self::span::Span;
use crate::Error;

/// Positions of the first allocation; growth doubles, so a long sequence copies each entry about once.
const MIN_CAPACITY: usize = 128;

/// Per-sequence state. Loop 0's part is valid at positions `0..len`; those of later loops as their spans say.
#[derive(Debug)]
pub struct Cache {
    shape: CacheShape,
    memory: Memory,
    /// `[loop]`; what loops hand on has the room of loop 0.
    rooms: Vec<Room>,
    /// `[loop - 1]`: how far the loops after the first have come.
    spans: Vec<Span>,
    tokens: Vec<u32>,
    /// Length of the text at whose last token the memory holds what the last loop made of it.
    output_at: Option<usize>,
}

impl Cache {
    pub(crate) fn new(shape: CacheShape) -> Self {
        Self::within(shape, Memory::Host(HostMemory::new(&shape)))
    }

    /// A sequence whose numbers are kept in `memory`, which has no room yet.
    pub(crate) fn within(shape: CacheShape, memory: Memory) -> Self {
        Self {
            memory,
            rooms: vec![Room::default(); shape.n_loops],
            spans: vec![Span::default(); shape.n_loops - 1],
            tokens: Vec::new(),
            output_at: None,
            shape,
        }
    }

    /// What is held, token by token.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Bytes that are allocated for it.
    pub fn n_bytes(&self) -> usize {
        self.memory.n_bytes()
    }

    /// Keeps the first `len` tokens; exact, since no kept entry has seen a later token.
    pub fn truncate(&mut self, len: usize) {
        if self.len() <= len {
            return;
        }
        self.tokens.truncate(len);
        self.output_at = None;
        for span in &mut self.spans {
            *span = span.cut(len);
        }
    }

    /// Makes room for `n` more tokens in loop 0.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<(), Error> {
        let needed = self.len() + n;
        let max_positions = self.shape.max_positions;
        if max_positions < needed {
            return Err(Error::ContextFull { position: needed - 1, n_context: max_positions });
        }
        let Room { base, capacity } = self.rooms[0];
        if needed <= capacity {
            return Ok(());
        }
        self.rearrange(
            0,
            Room { base, capacity: grown(capacity, needed, max_positions) },
            0..capacity,
        )
    }

    /// Makes room for the K/V of a loop after the first at `positions`, no more than a chunk.
    ///
    /// What lies further back than the window may have to go, and the loop can no longer go on from there.
    pub(crate) fn make_room(
        &mut self,
        loop_idx: usize,
        positions: &Range<usize>,
    ) -> Result<(), Error> {
        let limit = self.shape.later_limit();
        if positions.start < self.rooms[loop_idx].base {
            self.restart(loop_idx, positions.start)?;
        }
        let Room { base, capacity } = self.rooms[loop_idx];
        let needed = positions.end - base;
        if needed <= capacity {
            return Ok(());
        }
        if needed <= limit {
            let room = Room { base, capacity: grown(capacity, needed, limit) };
            return self.rearrange(loop_idx, room, 0..capacity);
        }
        let new_base =
            positions.start.saturating_sub(self.shape.window + self.shape.slack).max(base);
        let kept = (new_base - base).min(capacity)..(positions.start - base).min(capacity);
        self.rearrange(loop_idx, Room { base: new_base, capacity: limit }, kept)?;
        let span = self.spans[loop_idx - 1];
        self.set_span(loop_idx, span);
        Ok(())
    }

    /// Forgets what a loop after the first has done; it begins anew at `start`.
    pub(crate) fn restart(&mut self, loop_idx: usize, start: usize) -> Result<(), Error> {
        self.spans[loop_idx - 1] = Span::default();
        self.rearrange(loop_idx, Room { base: start, ..self.rooms[loop_idx] }, 0..0)
    }

    fn rearrange(&mut self, loop_idx: usize, room: Room, kept: Range<usize>) -> Result<(), Error> {
        self.memory.rearrange(loop_idx, self.rooms[loop_idx], room, &kept)?;
        self.rooms[loop_idx] = room;
        Ok(())
    }

    /// The numbers, for a model that computes on the CPU.
    pub(crate) fn host(&self) -> Result<&HostMemory, Error> {
        match &self.memory {
            Memory::Host(memory) => Ok(memory),
            Memory::Device(_) => Err(Error::OtherModel),
        }
    }

    pub(crate) fn host_mut(&mut self) -> Result<&mut HostMemory, Error> {
        match &mut self.memory {
            Memory::Host(memory) => Ok(memory),
            Memory::Device(_) => Err(Error::OtherModel),
        }
    }

    /// The numbers, for a model that computes on a GPU.
    pub(crate) fn device(&self) -> Result<&DeviceMemory, Error> {
        match &self.memory {
            Memory::Device(memory) => Ok(memory),
            Memory::Host(_) => Err(Error::OtherModel),
        }
    }

    pub(crate) fn device_mut(&mut self) -> Result<&mut DeviceMemory, Error> {
        match &mut self.memory {
            Memory::Device(memory) => Ok(memory),
            Memory::Host(_) => Err(Error::OtherModel),
        }
    }

    /// Where kernels find the numbers; addresses change with the rooms. Of a sequence of another model, whose numbers
    /// kernels would seek where they are not, this is an error.
    pub(crate) fn sequence(&self, shape: &CacheShape) -> Result<cuda::shapes::Sequence, Error> {
        if self.shape != *shape {
            return Err(Error::OtherModel);
        }
        Ok(self.device()?.sequence(&self.rooms, self.shape.window))
    }

    /// Counts `tokens` as held, once loop 0's part of them was written.
    pub(crate) fn advance(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Loop `loop_idx` has gone on from where it was up to position `to`.
    pub(crate) fn extend_span(&mut self, loop_idx: usize, to: usize) {
        self.spans[loop_idx - 1].to = to;
    }

    /// Loop `loop_idx` can go on from `span`, or from as much of it as its K/V reach back for.
    pub(crate) fn set_span(&mut self, loop_idx: usize, span: Span) {
        let base = self.rooms[loop_idx].base;
        let from = if base == 0 { 0 } else { base + self.shape.window };
        self.spans[loop_idx - 1] = match span.from.max(from) {
            from if from <= span.to => Span { from, ..span },
            _ => Span::default(),
        };
    }

    /// Every loop has come to the end.
    pub(crate) fn is_settled(&self) -> bool {
        self.spans.iter().all(|span| span.to == self.len())
    }

    /// What the last loop made of the last token is there.
    pub(crate) fn has_output(&self) -> bool {
        self.output_at == Some(self.len())
    }

    /// The memory holds what the last loop makes of the last token of a text of `len` tokens.
    pub(crate) fn set_output_at(&mut self, len: usize) {
        self.output_at = Some(len);
    }
}

/// At least `needed`, twice what was there if that is within `limit`.
fn grown(capacity: usize, needed: usize, limit: usize) -> usize {
    needed.max(capacity * 2).max(MIN_CAPACITY).min(limit)
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
