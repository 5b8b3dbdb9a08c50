//! Types whose values are their bytes.
#![expect(unsafe_code, reason = "a promise about layouts that the compiler cannot check")]

use half::{bf16, f16};

use crate::shapes::{Choice, Loop, Operand, Row, Sequence, Weights};

/// A type without padding that any bytes are a value of, so that it may cross to the device and back.
///
/// # Safety
/// Exactly that: every pattern of bytes is valid, and none of them is padding.
// SAFETY: declaring the trait promises nothing.
pub unsafe trait Plain: Copy + Send + Sync + std::fmt::Debug + 'static {}

macro_rules! plain {
    ($($type:ty),*) => {$(
        // SAFETY: integers, floats and `repr(C)` structures of them whose size is the sum of their fields'.
        unsafe impl Plain for $type {}
    )*};
}

plain!(u8, u16, u32, u64, i8, i32, f32, bf16, f16, Row, Loop, Sequence, Operand, Weights, Choice);
