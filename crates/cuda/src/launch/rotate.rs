//! Kernels of `rotate.cu`: keys and values into the cache.

pub(super) const KERNELS: &[&str] = &[];
