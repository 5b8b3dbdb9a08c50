//! Kernels as methods of [`Device`], one file for each family: every length is checked before a kernel sees it.
//!
//! A launcher is a method with the kernel's name and parameters. It begins with `Device::kernel`, checks by the methods
//! `holds`, `equals`, `is_multiple` and `is_at_most`, hands over the parameters in the kernel's order, and ends with `run`.
#![expect(unsafe_code, reason = "hands addresses to kernels")]

use std::ffi::c_void;

use cudarc::driver::{LaunchConfig, result, sys};

use crate::buffer::Buffer;
use crate::device::{Device, Kept};
use crate::driver::calling;
use crate::error::{Error, Result};
use crate::matrix::{Matrix, OPERAND_GROUP, OperandBuffer};
use crate::pinned::Pinned;
use crate::plain::Plain;
use crate::shapes::{Operand, Weights};

mod attention;
mod cache;
mod choose;
mod combine;
mod rotate;
mod rows;
mod skinny;
mod tile;

pub use self::cache::Slots;

/// The names of all kernels, which are looked up once when a device is opened.
pub(crate) const KERNELS: &[&[&str]] = &[
    attention::KERNELS,
    cache::KERNELS,
    choose::KERNELS,
    combine::KERNELS,
    rotate::KERNELS,
    rows::KERNELS,
    skinny::KERNELS,
    tile::KERNELS,
];

/// Shared memory that a block may have without asking.
const PLAIN_SHARED_MEMORY: usize = 48 << 10;

/// A kernel with the parameters that it has been given so far.
#[must_use = "a kernel runs by `run`"]
pub(crate) struct Launch<'a> {
    device: &'a Device,
    kernel: &'static str,
    arguments: Vec<Argument>,
    kept: Vec<Kept>,
    n_shared: usize,
    /// The first thing that was wrong with a parameter.
    error: Option<Error>,
}

#[derive(Debug, Clone, Copy)]
enum Argument {
    Address(u64),
    Number(u32),
    Float(f32),
    Operand(Operand),
    Weights(Weights),
}

/// The product, or the largest number if that is too large: no buffer is as long.
pub(crate) fn size<const N: usize>(factors: [usize; N]) -> usize {
    factors.into_iter().fold(1, usize::saturating_mul)
}

impl Device {
    pub(crate) fn kernel(&self, kernel: &'static str) -> Launch<'_> {
        let (arguments, kept) = (Vec::new(), Vec::new());
        Launch { device: self, kernel, arguments, kept, n_shared: 0, error: None }
    }
}

/// Checks, each of which says the kernel's name in its error.
impl Launch<'_> {
    /// The buffer has `needed` values at least.
    pub(crate) fn holds<T: Plain>(
        &self,
        what: &'static str,
        buffer: &Buffer<T>,
        needed: usize,
    ) -> Result<()> {
        self.is_at_least(what, buffer.len(), needed)
    }

    /// The operand has room for these rows, of as many inputs.
    pub(crate) fn holds_operand(
        &self,
        what: &'static str,
        operand: &OperandBuffer,
        n_rows: usize,
        n_inputs: usize,
    ) -> Result<()> {
        self.equals(what, operand.n_inputs(), n_inputs)?;
        self.is_at_least(what, operand.n_rows(), n_rows)
    }

    pub(crate) fn equals(&self, what: &'static str, found: usize, expected: usize) -> Result<()> {
        self.require(found == expected, what, found, || expected.to_string())
    }

    pub(crate) fn is_at_least(&self, what: &'static str, found: usize, least: usize) -> Result<()> {
        self.require(least <= found, what, found, || format!("at least {least}"))
    }

    pub(crate) fn is_at_most(&self, what: &'static str, found: usize, most: usize) -> Result<()> {
        self.require(found <= most, what, found, || format!("at most {most}"))
    }

    /// Not 0, and a multiple of `unit`.
    pub(crate) fn is_multiple(&self, what: &'static str, found: usize, unit: usize) -> Result<()> {
        let is_good = found != 0 && found.is_multiple_of(unit);
        self.require(is_good, what, found, || format!("a multiple of {unit}"))
    }

    pub(crate) fn is_one_of(
        &self,
        what: &'static str,
        found: usize,
        allowed: &[usize],
    ) -> Result<()> {
        self.require(allowed.contains(&found), what, found, || format!("one of {allowed:?}"))
    }

    pub(crate) fn require(
        &self,
        is_good: bool,
        what: &'static str,
        found: usize,
        expected: impl FnOnce() -> String,
    ) -> Result<()> {
        if is_good {
            return Ok(());
        }
        Err(Error::Shape { place: self.kernel, what, found, expected: expected() })
    }
}

/// Parameters, in the kernel's order.
impl Launch<'_> {
    /// A buffer that the kernel reads.
    pub(crate) fn read<T: Plain>(mut self, buffer: &Buffer<T>) -> Self {
        self.use_buffer(buffer);
        self.push(Argument::Address(buffer.address()))
    }

    /// A buffer that the kernel writes.
    pub(crate) fn write<T: Plain>(self, buffer: &mut Buffer<T>) -> Self {
        self.read(buffer)
    }

    /// A buffer that the kernel reads if there is one.
    pub(crate) fn read_if<T: Plain>(self, buffer: Option<&Buffer<T>>) -> Self {
        match buffer {
            Some(buffer) => self.read(buffer),
            None => self.push(Argument::Address(0)),
        }
    }

    /// Memory of the host that the kernel writes.
    pub(crate) fn pinned<T: Plain>(mut self, pinned: &Pinned<T>) -> Self {
        self.note(pinned.belongs(self.kernel, "pinned memory", self.device));
        self.kept.push(pinned.page().clone());
        self.push(Argument::Address(pinned.address()))
    }

    /// A `u32`.
    pub(crate) fn number(mut self, number: usize) -> Self {
        let narrow = u32::try_from(number);
        if narrow.is_err() {
            let good = self.require(false, "a number", number, || "below 2^32".to_owned());
            self.note(good);
        }
        self.push(Argument::Number(narrow.unwrap_or_default()))
    }

    pub(crate) fn float(self, number: f32) -> Self {
        self.push(Argument::Float(number))
    }

    pub(crate) fn operand(mut self, operand: &OperandBuffer) -> Self {
        self.use_buffer(&operand.bf16);
        self.use_buffer(&operand.integers);
        self.use_buffer(&operand.scales);
        self.push(Argument::Operand(operand.operand()))
    }

    /// A [`Weights`].
    pub(crate) fn weights(mut self, matrix: &Matrix) -> Self {
        let good = self
            .is_multiple("the number of inputs", matrix.n_inputs(), OPERAND_GROUP)
            .and_then(|()| self.is_at_most("the outputs", matrix.n_outputs(), u32::MAX as usize))
            .and_then(|()| self.is_at_most("the inputs", matrix.n_inputs(), u32::MAX as usize));
        self.note(good);
        self.use_buffer(&matrix.numbers);
        self.use_buffer(&matrix.scales);
        self.push(Argument::Weights(matrix.weights()))
    }

    /// The numbers of a matrix by themselves, as an address.
    pub(crate) fn numbers(self, matrix: &Matrix) -> Self {
        self.read(&matrix.numbers)
    }

    /// Bytes of shared memory that a block gets beside what the kernel declares.
    pub(crate) fn shared(mut self, n_bytes: usize) -> Self {
        let most = self.device.info().shared_memory;
        self.note(self.is_at_most("shared memory", n_bytes, most));
        self.n_shared = n_bytes;
        self
    }

    /// Hands the kernel to the stream. Nothing runs where a side of the grid is 0.
    pub(crate) fn run(mut self, grid: [usize; 3], n_threads: usize) -> Result<()> {
        self.note(self.is_at_most("blocks in x", grid[0], i32::MAX as usize));
        self.note(self.is_at_most("blocks in y", grid[1], u16::MAX as usize));
        self.note(self.is_at_most("blocks in z", grid[2], u16::MAX as usize));
        self.note(self.is_at_most("threads of a block", n_threads, 1024));
        if let Some(error) = self.error {
            return Err(error);
        }
        if grid.contains(&0) {
            return Ok(());
        }
        let side = |n: usize| u32::try_from(n).unwrap_or_default();
        let configuration = LaunchConfig {
            grid_dim: (side(grid[0]), side(grid[1]), side(grid[2])),
            block_dim: (side(n_threads), 1, 1),
            shared_mem_bytes: side(self.n_shared),
        };
        let function = self.device.kernels().get(self.kernel)?;
        let mut work = self.device.enter()?;
        if PLAIN_SHARED_MEMORY < self.n_shared {
            let attribute =
                sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            let n_bytes = i32::try_from(self.n_shared).unwrap_or(i32::MAX);
            function.set_attribute(attribute, n_bytes).map_err(calling("cuFuncSetAttribute"))?;
        }
        let mut places: Vec<*mut c_void> = self.arguments.iter().map(Argument::place).collect();
        // SAFETY: each launcher hands over what its kernel declares, in its order, and has checked that every buffer is as
        // long as the kernel goes; buffers outlive the stream's work, and a graph's too, as it keeps them.
        unsafe {
            result::launch_kernel(
                function.cu_function(),
                configuration.grid_dim,
                configuration.block_dim,
                configuration.shared_mem_bytes,
                self.device.raw_stream(),
                &mut places,
            )
        }
        .map_err(calling(self.kernel))?;
        work.keep(self.kept);
        work.count_kernel();
        self.device.count_launch();
        Ok(())
    }

    fn use_buffer<T: Plain>(&mut self, buffer: &Buffer<T>) {
        self.note(buffer.belongs(self.kernel, "a buffer", self.device));
        self.kept.push(buffer.memory().clone());
    }

    fn push(mut self, argument: Argument) -> Self {
        self.arguments.push(argument);
        self
    }

    fn note(&mut self, result: Result<()>) {
        if let (None, Err(error)) = (&self.error, result) {
            self.error = Some(error);
        }
    }
}

impl Argument {
    /// Where the driver reads the parameter, which it copies during the launch.
    fn place(&self) -> *mut c_void {
        match self {
            Self::Address(address) => std::ptr::from_ref(address).cast_mut().cast(),
            Self::Number(number) => std::ptr::from_ref(number).cast_mut().cast(),
            Self::Float(number) => std::ptr::from_ref(number).cast_mut().cast(),
            Self::Operand(operand) => std::ptr::from_ref(operand).cast_mut().cast(),
            Self::Weights(weights) => std::ptr::from_ref(weights).cast_mut().cast(),
        }
    }
}

#[cfg(test)]
mod tests;
