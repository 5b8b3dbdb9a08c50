//! Kernels of `skinny.cu`: products of 1 to 16 rows.

pub(super) const KERNELS: &[&str] = &[];
