//! Kernels of `rows.cu`: row by row.

pub(super) const KERNELS: &[&str] = &[];
