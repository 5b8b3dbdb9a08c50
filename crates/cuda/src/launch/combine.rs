//! Kernels of `combine.cu`: splits merged in order.

pub(super) const KERNELS: &[&str] = &[];
