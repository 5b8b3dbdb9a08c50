//! Kernels of `attend_few.cu` and `attend_many.cu`: queries over keys and values.

use half::f16;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::{Launch, size};
use crate::shapes::{MAX_LOOPS, Row, Sequence};

pub(super) const KERNELS: &[&str] = &[
    "attend_few_32",
    "attend_few_64",
    "attend_few_128",
    "attend_many_32",
    "attend_many_64",
    "attend_many_128",
];

/// Queries that a warp takes together.
const TILE_QUERIES: usize = 16;

/// Rows of a block of `attend_many`, and keys that are on their way to it together.
const MANY_ROWS: usize = 128;
const MANY_KEYS: usize = 3 * 32;

/// The heads of a layer's attention.
#[derive(Debug, Clone, Copy)]
struct Heads {
    n_heads: usize,
    n_kv_heads: usize,
    head_dim: usize,
}

impl Heads {
    fn check(&self, launch: &Launch<'_>) -> Result<()> {
        launch.is_one_of("the head dimension", self.head_dim, &[32, 64, 128])?;
        let is_shared = self.n_kv_heads != 0 && self.n_heads.is_multiple_of(self.n_kv_heads);
        let expected = || format!("a divisor of {} heads", self.n_heads);
        launch.require(is_shared, "the key/value heads", self.n_kv_heads, expected)
    }

    /// Blocks of `attend_few` that a multiprocessor has registers for.
    fn few_blocks(&self) -> usize {
        match self.head_dim {
            32 => 4,
            64 => 3,
            _ => 2,
        }
    }

    /// One of the names for the head dimensions 32, 64 and 128; the last for those that [`Self::check`] refuses.
    fn name(&self, names: [&'static str; 3]) -> &'static str {
        match self.head_dim {
            32 => names[0],
            64 => names[1],
            _ => names[2],
        }
    }
}

impl Device {
    /// Keys of loop 0 whose sums [`Self::attend_few`] makes apart, counted from position 0.
    pub const ATTENTION_SPLIT: usize = 512;

    /// Rows that [`Self::attend_few`] takes at most.
    pub const MOST_FEW_ROWS: usize = 16;

    /// Floats of partials for `n_rows` rows, [rows, heads, splits + 1, 2 + head dimension].
    #[must_use]
    pub fn partials_len(
        n_rows: usize,
        n_heads: usize,
        head_dim: usize,
        max_splits: usize,
    ) -> usize {
        let of_query = size([max_splits.saturating_add(1), head_dim.saturating_add(2)]);
        size([n_rows, n_heads, of_query])
    }

    /// What 1 to 16 rows take from loop 0, split by split, and rows of later loops from their window; the keys and values
    /// are those that `sequence` names, of `layer`.
    ///
    /// The head dimension is 32, 64 or 128. `max_splits` is more than any row's position divided by [`Self::ATTENTION_SPLIT`]: keys behind it are not seen.
    ///
    /// # Errors
    /// A buffer is too short, the heads are none that the kernel knows, or it could not be launched.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn attend_few(
        &self,
        rows: &Buffer<Row>,
        sequence: &Buffer<Sequence>,
        queries: &Buffer<f16>,
        n_rows: usize,
        layer: usize,
        n_heads: usize,
        n_kv_heads: usize,
        head_dim: usize,
        max_splits: usize,
        partials: &mut Buffer<f32>,
    ) -> Result<()> {
        let heads = Heads { n_heads, n_kv_heads, head_dim };
        let launch = self.kernel(heads.name(["attend_few_32", "attend_few_64", "attend_few_128"]));
        heads.check(&launch)?;
        launch.is_at_most("rows", n_rows, Self::MOST_FEW_ROWS)?;
        launch.is_at_least("splits", max_splits, 1)?;
        holds_rows(&launch, rows, sequence, queries, n_rows, heads)?;
        let n_partials = Self::partials_len(n_rows, n_heads, head_dim, max_splits);
        launch.holds("the partials", partials, n_partials)?;
        let n_tiles = (n_rows * (n_heads / n_kv_heads)).div_ceil(TILE_QUERIES);
        // Blocks beyond those that run at once would only wait, and those without work end soon.
        let n_items = size([max_splits.saturating_add(MAX_LOOPS - 1), n_kv_heads, n_tiles]);
        let n_at_once = heads.few_blocks() * self.info().n_multiprocessors;
        let n_blocks = n_items.min(n_at_once);
        let launch = launch.read(rows).read(sequence).read(queries);
        let launch = launch.number(n_rows).number(layer).number(n_heads).number(n_kv_heads);
        launch.number(max_splits).write(partials).run([n_blocks, 1, 1], 128)
    }

    /// What rows of one loop at the positions from `first` on take from loop 0, or where `local` is set from their window.
    ///
    /// Partials are as those of [`Self::attend_few`] with one split, which holds everything.
    ///
    /// # Errors
    /// A buffer is too short, the heads are none that the kernel knows, or it could not be launched.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn attend_many(
        &self,
        rows: &Buffer<Row>,
        sequence: &Buffer<Sequence>,
        queries: &Buffer<f16>,
        n_rows: usize,
        first: usize,
        layer: usize,
        n_heads: usize,
        n_kv_heads: usize,
        head_dim: usize,
        local: bool,
        partials: &mut Buffer<f32>,
    ) -> Result<()> {
        let heads = Heads { n_heads, n_kv_heads, head_dim };
        let launch =
            self.kernel(heads.name(["attend_many_32", "attend_many_64", "attend_many_128"]));
        heads.check(&launch)?;
        holds_rows(&launch, rows, sequence, queries, n_rows, heads)?;
        let n_partials = Self::partials_len(n_rows, n_heads, head_dim, 1);
        launch.holds("the partials", partials, n_partials)?;
        let n_shared = 2 * size_of::<f16>() * MANY_KEYS * head_dim;
        let launch = launch.read(rows).read(sequence).read(queries).number(n_rows).number(first);
        let launch = launch.number(layer).number(n_heads).number(n_kv_heads);
        let launch = launch.number(usize::from(local)).write(partials).shared(n_shared);
        launch.run([n_rows.div_ceil(MANY_ROWS), n_heads, 1], 256)
    }
}

fn holds_rows(
    launch: &Launch<'_>,
    rows: &Buffer<Row>,
    sequence: &Buffer<Sequence>,
    queries: &Buffer<f16>,
    n_rows: usize,
    heads: Heads,
) -> Result<()> {
    launch.holds("the rows", rows, n_rows)?;
    launch.holds("the sequence", sequence, 1)?;
    launch.holds("the queries", queries, size([n_rows, heads.n_heads, heads.head_dim]))
}

#[cfg(test)]
pub(super) mod reference;

#[cfg(test)]
#[path = "attention/tests.rs"]
mod tests;
