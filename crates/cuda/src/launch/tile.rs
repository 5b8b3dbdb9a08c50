//! Kernels of `tile.cu`: products of many rows.

pub(super) const KERNELS: &[&str] = &[];
