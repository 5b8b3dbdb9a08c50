//! Sixteen numbers in whatever registers the machine has.
#![expect(
    unsafe_code,
    reason = "instructions that not every machine has; the caller vouches for the machine"
)]

/// Numbers of one step.
pub(super) const N: usize = 16;

/// Sixteen f32. A value of a type exists only where [`super::dispatch`] found that the machine has its instructions.
pub(super) trait Lanes: Copy {
    fn zero() -> Self;
    fn load(values: &[f32; N]) -> Self;
    /// Signed bytes times `scale`.
    fn from_bytes(bytes: &[u8; N], scale: f32) -> Self;
    /// (low half - 8, high half - 8) of each byte, times `scale`.
    fn from_halves(bytes: &[u8; N], scale: f32) -> (Self, Self);
    /// self * a + b
    fn multiply_add(self, a: Self, b: Self) -> Self;
    fn store(self) -> [f32; N];
}

/// What every machine has.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; N]);

impl Lanes for Portable {
    #[inline(always)]
    fn zero() -> Self {
        Self([0.0; N])
    }

    #[inline(always)]
    fn load(values: &[f32; N]) -> Self {
        Self(*values)
    }

    #[inline(always)]
    fn from_bytes(bytes: &[u8; N], scale: f32) -> Self {
        Self(bytes.map(|byte| f32::from(byte.cast_signed()) * scale))
    }

    #[inline(always)]
    fn from_halves(bytes: &[u8; N], scale: f32) -> (Self, Self) {
        (
            Self(bytes.map(|byte| (f32::from(byte & 15) - 8.0) * scale)),
            Self(bytes.map(|byte| (f32::from(byte >> 4) - 8.0) * scale)),
        )
    }

    #[inline(always)]
    fn multiply_add(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] * a.0[i] + b.0[i]))
    }

    #[inline(always)]
    fn store(self) -> [f32; N] {
        self.0
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    //! AVX-512, and AVX2 with FMA.

    use std::arch::x86_64::*;

    use super::{Lanes, N};

    /// One register.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512(__m512);

    impl Lanes for Avx512 {
        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: the machine has AVX-512F, or nobody calls this.
            Self(unsafe { _mm512_setzero_ps() })
        }

        #[inline(always)]
        fn load(values: &[f32; N]) -> Self {
            // SAFETY: as above; sixteen floats are what is read, at any alignment.
            Self(unsafe { _mm512_loadu_ps(values.as_ptr()) })
        }

        #[inline(always)]
        fn from_bytes(bytes: &[u8; N], scale: f32) -> Self {
            // SAFETY: as above; sixteen bytes are what is read, at any alignment.
            Self(unsafe {
                let integers = _mm512_cvtepi8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()));
                _mm512_mul_ps(_mm512_cvtepi32_ps(integers), _mm512_set1_ps(scale))
            })
        }

        #[inline(always)]
        fn from_halves(bytes: &[u8; N], scale: f32) -> (Self, Self) {
            // SAFETY: as above; sixteen bytes are what is read, at any alignment.
            unsafe {
                let packed = _mm_loadu_si128(bytes.as_ptr().cast());
                let mask = _mm_set1_epi8(15);
                let widen = |halves| {
                    let integers = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(halves));
                    Self(_mm512_fmadd_ps(
                        integers,
                        _mm512_set1_ps(scale),
                        _mm512_set1_ps(-8.0 * scale),
                    ))
                };
                (
                    widen(_mm_and_si128(packed, mask)),
                    widen(_mm_and_si128(_mm_srli_epi16::<4>(packed), mask)),
                )
            }
        }

        #[inline(always)]
        fn multiply_add(self, a: Self, b: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm512_fmadd_ps(self.0, a.0, b.0) })
        }

        #[inline(always)]
        fn store(self) -> [f32; N] {
            let mut values = [0.0; N];
            // SAFETY: as above; sixteen floats are what is written.
            unsafe { _mm512_storeu_ps(values.as_mut_ptr(), self.0) };
            values
        }
    }

    /// Two registers.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256, __m256);

    impl Avx2 {
        /// Low and high eight of sixteen unsigned or sign-extended bytes, as floats.
        #[inline(always)]
        fn widened(bytes: __m128i, signed: bool) -> (__m256, __m256) {
            // SAFETY: the machine has AVX2, or nobody calls this.
            unsafe {
                let high = _mm_srli_si128::<8>(bytes);
                let widen = |bytes| match signed {
                    true => _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
                    false => _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
                };
                (widen(bytes), widen(high))
            }
        }
    }

    impl Lanes for Avx2 {
        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: the machine has AVX2 and FMA, or nobody calls this.
            unsafe { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
        }

        #[inline(always)]
        fn load(values: &[f32; N]) -> Self {
            // SAFETY: as above; sixteen floats are what is read, at any alignment.
            unsafe {
                Self(_mm256_loadu_ps(values.as_ptr()), _mm256_loadu_ps(values.as_ptr().add(8)))
            }
        }

        #[inline(always)]
        fn from_bytes(bytes: &[u8; N], scale: f32) -> Self {
            // SAFETY: as above; sixteen bytes are what is read, at any alignment.
            unsafe {
                let (low, high) = Self::widened(_mm_loadu_si128(bytes.as_ptr().cast()), true);
                let scale = _mm256_set1_ps(scale);
                Self(_mm256_mul_ps(low, scale), _mm256_mul_ps(high, scale))
            }
        }

        #[inline(always)]
        fn from_halves(bytes: &[u8; N], scale: f32) -> (Self, Self) {
            // SAFETY: as above; sixteen bytes are what is read, at any alignment.
            unsafe {
                let packed = _mm_loadu_si128(bytes.as_ptr().cast());
                let mask = _mm_set1_epi8(15);
                let (scale, offset) = (_mm256_set1_ps(scale), _mm256_set1_ps(-8.0 * scale));
                let scaled = |halves| {
                    let (low, high) = Self::widened(halves, false);
                    Self(_mm256_fmadd_ps(low, scale, offset), _mm256_fmadd_ps(high, scale, offset))
                };
                (
                    scaled(_mm_and_si128(packed, mask)),
                    scaled(_mm_and_si128(_mm_srli_epi16::<4>(packed), mask)),
                )
            }
        }

        #[inline(always)]
        fn multiply_add(self, a: Self, b: Self) -> Self {
            // SAFETY: as above.
            unsafe { Self(_mm256_fmadd_ps(self.0, a.0, b.0), _mm256_fmadd_ps(self.1, a.1, b.1)) }
        }

        #[inline(always)]
        fn store(self) -> [f32; N] {
            let mut values = [0.0; N];
            // SAFETY: as above; sixteen floats are what is written.
            unsafe {
                _mm256_storeu_ps(values.as_mut_ptr(), self.0);
                _mm256_storeu_ps(values.as_mut_ptr().add(8), self.1);
            }
            values
        }
    }
}
