//! Kernels of `choose.cu`: the next token and the next rows.

pub(super) const KERNELS: &[&str] = &[];
