//! Kernels of `attend_few.cu` and `attend_many.cu`: queries over keys and values.

pub(super) const KERNELS: &[&str] = &[];
