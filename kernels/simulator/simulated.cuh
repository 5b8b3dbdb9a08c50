// The host side of device.cuh: the words of CUDA C++ that kernels use, and what intrinsics.cuh has, on fibers.
#pragma once

#include <math.h>
#include <string.h>

#include "fibers.h"
#include "launches.h"

#define __global__
#define __device__
#define __host__
// Bodies that other sources have under the same name must not take their place when all are linked into one library.
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __constant__ static const
// Each OS thread runs one block at a time, and has its own copy of what is shared within the block.
#define __shared__ static thread_local

#define threadIdx (simulator::here().thread)
#define blockIdx (simulator::here().block)
#define blockDim (simulator::here().block_size)
#define gridDim (simulator::here().grid_size)

#define REGISTER(kernel) static const simulator::Registration register_##kernel(#kernel, kernel)
#define DYNAMIC_SHARED(name) char* const name = simulator::dynamic_shared()
#define INTRINSIC static inline __attribute__((always_inline))
#define NAN_FLOAT float_of_bits(0x7fffffff)
#define INFINITE_FLOAT float_of_bits(0x7f800000)
// Where a kernel stands, for messages; and two barriers of one block must be the same one.
#define CALLER const char *file = __builtin_FILE(), int line = __builtin_LINE()

struct __align__(8) uint2 { u32 x, y; };
struct uint3 { u32 x, y, z; };
struct __align__(16) uint4 { u32 x, y, z, w; };
struct __align__(8) int2 { i32 x, y; };
struct __align__(16) int4 { i32 x, y, z, w; };
struct __align__(8) float2 { float x, y; };
struct __align__(16) float4 { float x, y, z, w; };

INTRINSIC uint2 make_uint2(u32 x, u32 y) { return {x, y}; }
INTRINSIC uint4 make_uint4(u32 x, u32 y, u32 z, u32 w) { return {x, y, z, w}; }
INTRINSIC int2 make_int2(i32 x, i32 y) { return {x, y}; }
INTRINSIC int4 make_int4(i32 x, i32 y, i32 z, i32 w) { return {x, y, z, w}; }
INTRINSIC float2 make_float2(float x, float y) { return {x, y}; }
INTRINSIC float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

INTRINSIC u32 min(u32 a, u32 b) { return a < b ? a : b; }
INTRINSIC i32 min(i32 a, i32 b) { return a < b ? a : b; }
INTRINSIC u64 min(u64 a, u64 b) { return a < b ? a : b; }
INTRINSIC float min(float a, float b) { return fminf(a, b); }
INTRINSIC u32 min(u32 a, i32 b) { return min(a, u32(b)); }
INTRINSIC u32 min(i32 a, u32 b) { return min(u32(a), b); }
INTRINSIC u32 max(u32 a, u32 b) { return a > b ? a : b; }
INTRINSIC i32 max(i32 a, i32 b) { return a > b ? a : b; }
INTRINSIC u64 max(u64 a, u64 b) { return a > b ? a : b; }
INTRINSIC float max(float a, float b) { return fmaxf(a, b); }
INTRINSIC u32 max(u32 a, i32 b) { return max(a, u32(b)); }
INTRINSIC u32 max(i32 a, u32 b) { return max(u32(a), b); }
INTRINSIC float rsqrtf(float x) { return 1.0f / sqrtf(x); }

INTRINSIC u32 bits_of(float x) {
    u32 bits;
    memcpy(&bits, &x, 4);
    return bits;
}

INTRINSIC float float_of_bits(u32 bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

INTRINSIC float to_float(bf16 x) { return float_of_bits(u32(x.bits) << 16); }

INTRINSIC float to_float(f16 x) {
    u32 magnitude = u32(x.bits & 0x7fff) << 13;
    // The product with 2^112 moves the exponent and makes subnormals exact.
    float y = magnitude >= 0x0f800000 ? float_of_bits(magnitude | 0x7f800000)
                                      : float_of_bits(magnitude) * 0x1p112f;
    return x.bits & 0x8000 ? -y : y;
}

INTRINSIC bf16 to_bf16(float x) {
    u32 bits = bits_of(x);
    if (x != x) return bf16{0x7fff};
    return bf16{u16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

INTRINSIC f16 to_f16(float x) {
    u32 bits = bits_of(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (x != x) return f16{0x7fff};
    if (magnitude >= 0x47800000) return f16{u16(sign | 0x7c00)};
    if (magnitude < 0x38800000) {
        // In the sum with 0.5 the last bit of a float stands for the smallest subnormal half.
        return f16{u16(sign | (bits_of(float_of_bits(magnitude) + 0.5f) - 0x3f000000))};
    }
    return f16{u16(sign | (magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13)};
}

INTRINSIC u32 pack_bf16(float low, float high) { return to_bf16(low).bits | u32(to_bf16(high).bits) << 16; }
INTRINSIC u32 pack_f16(float low, float high) { return to_f16(low).bits | u32(to_f16(high).bits) << 16; }

INTRINSIC i32 nearest(float x) {
    if (x != x) return 0;
    if (x >= 0x1p31f) return 0x7fffffff;
    if (x < -0x1p31f) return -0x7fffffff - 1;
    return i32(rintf(x));
}

INTRINSIC float exp2_fast(float x) { return exp2f(x); }
INTRINSIC float rsqrt_fast(float x) { return rsqrtf(x); }

INTRINSIC u32 permute_bytes(u32 low, u32 high, u32 selector) {
    u64 bytes = u64(high) << 32 | low;
    u32 result = 0;
    for (u32 i = 0; i < 4; ++i) {
        u32 nibble = selector >> 4 * i & 15, byte = u32(bytes >> 8 * (nibble & 7)) & 0xff;
        // The highest bit of a nibble asks for the byte's sign, eight times.
        result |= (nibble & 8 ? (byte & 0x80 ? 0xff : 0) : byte) << 8 * i;
    }
    return result;
}

INTRINSIC void mma_bf16(float c[4], const u32 a[4], const u32 b[2], CALLER) {
    simulator::multiply(simulator::Product::bf16, c, a, b, file, line);
}
INTRINSIC void mma_f16(float c[4], const u32 a[4], const u32 b[2], CALLER) {
    simulator::multiply(simulator::Product::f16, c, a, b, file, line);
}
INTRINSIC void mma_s8(i32 c[4], const u32 a[4], const u32 b[2], CALLER) {
    simulator::multiply(simulator::Product::s8, c, a, b, file, line);
}
INTRINSIC void mma_u8s8(i32 c[4], const u32 a[4], const u32 b[2], CALLER) {
    simulator::multiply(simulator::Product::u8s8, c, a, b, file, line);
}

INTRINSIC i32 dot4(u32 a, u32 b, i32 sum) {
    for (u32 i = 0; i < 32; i += 8) sum += i32(i8(a >> i)) * i32(i8(b >> i));
    return sum;
}

INTRINSIC void load_matrix4(u32 r[4], const void* row, CALLER) {
    simulator::load_matrices(r, 4, false, row, file, line);
}
INTRINSIC void load_matrix4_transposed(u32 r[4], const void* row, CALLER) {
    simulator::load_matrices(r, 4, true, row, file, line);
}
INTRINSIC void load_matrix2(u32 r[2], const void* row, CALLER) {
    simulator::load_matrices(r, 2, false, row, file, line);
}

template <class T> INTRINSIC T load_aligned(const void* pointer, const char* file, int line) {
    simulator::check_alignment(pointer, sizeof(T), file, line);
    T v;
    memcpy(&v, pointer, sizeof(T));
    return v;
}

INTRINSIC uint4 load16(const void* pointer, CALLER) { return load_aligned<uint4>(pointer, file, line); }
INTRINSIC uint2 load8(const void* pointer, CALLER) { return load_aligned<uint2>(pointer, file, line); }
INTRINSIC u32 load4(const void* pointer, CALLER) { return load_aligned<u32>(pointer, file, line); }

INTRINSIC void copy16_async(void* shared, const void* global, CALLER) {
    simulator::copy_later(shared, global, file, line);
}
INTRINSIC void copy_commit() { simulator::commit_copies(); }
template <int N> INTRINSIC void copy_wait() { simulator::wait_for_copies(N); }

template <class T> INTRINSIC T shuffle(T value, u32 lane, CALLER) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "as __shfl_sync");
    u64 bits = 0;
    memcpy(&bits, &value, sizeof(T));
    bits = simulator::exchange(bits, lane % 32, file, line);
    memcpy(&value, &bits, sizeof(T));
    return value;
}

template <class T> INTRINSIC T shuffle_xor(T value, u32 mask, CALLER) {
    return shuffle(value, (threadIdx.x % 32) ^ mask, file, line);
}

INTRINSIC u32 vote(bool is_true, CALLER) { return simulator::vote(is_true, file, line); }
INTRINSIC u32 count_bits(u32 x) { return u32(__builtin_popcount(x)); }
INTRINSIC u32 lowest_bit(u32 x) { return u32(__builtin_ffs(i32(x)) - 1); }

INTRINSIC void sync(CALLER) { simulator::meet_block(file, line); }
INTRINSIC void sync_warp(CALLER) { simulator::meet_warp(file, line); }
INTRINSIC u32 fetch_add(u32* counter, u32 n) { return __atomic_fetch_add(counter, n, __ATOMIC_SEQ_CST); }
INTRINSIC void fence_device() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
INTRINSIC void fence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
