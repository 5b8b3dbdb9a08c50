// What all kernels share. Kernels name no CUDA intrinsic themselves: those stand in intrinsics.cuh, and
// simulator/simulated.cuh has host code with the same meaning, so that kernels run under g++ as well.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef int i32;

struct bf16 { u16 bits; };
struct f16 { u16 bits; };

#ifdef SIMULATED
#include "simulator/simulated.cuh"
#else
#include "intrinsics.cuh"
#endif

// A kernel has C linkage, returns nothing, and is registered at the end of its file:
//     KERNEL scale(float* values, float factor) { ... }
//     REGISTER(scale);
// The simulator learns from that line which parameters a kernel takes; nvcc sees an empty declaration.
#define KERNEL extern "C" __global__ void

#define WARP 32
#define DEVICE __device__ __forceinline__

// Filled by Rust: crates/cuda/src/shapes.rs has the same structures. Addresses are those of the device.

struct Row { u32 token; u32 position; u32 loop; u32 reserved; };

// keys and values: f16 [layer][kv_head][slot][head_dim], slot = position - base.
// carried: float [position][hidden], 0 for the last loop.
struct Loop { u64 keys; u64 values; u64 carried; u32 base; u32 capacity; };

struct Sequence { Loop loops[4]; u32 capacity; u32 n_loops; u32 window; u32 reserved; };

// bf16 [rows, inputs], integers i8 [rows, inputs], scales float [rows, inputs / 32].
struct Operand { u64 bf16; u64 integers; u64 scales; };

// scale_type: 0 bf16, 1 f16.
struct Weights { u64 numbers; u64 scales; u32 n_outputs; u32 n_inputs; u32 group; u32 scale_type; };

struct Choice { u32 token; float log_probability; u32 is_finite; u32 position; };

static_assert(sizeof(Row) == 16 && sizeof(Loop) == 32 && sizeof(Sequence) == 144, "shapes.rs has the same");
static_assert(sizeof(Operand) == 24 && sizeof(Weights) == 32 && sizeof(Choice) == 16, "shapes.rs has the same");

template <class T> DEVICE T* at(u64 address) { return reinterpret_cast<T*>(address); }

DEVICE u32 lane_of_thread() { return threadIdx.x % WARP; }
DEVICE u32 warp_of_thread() { return threadIdx.x / WARP; }

DEVICE u32 pack2(f16 low, f16 high) { return low.bits | u32(high.bits) << 16; }
DEVICE u32 pack2(bf16 low, bf16 high) { return low.bits | u32(high.bits) << 16; }
DEVICE f16 low_f16(u32 pair) { return f16{u16(pair)}; }
DEVICE f16 high_f16(u32 pair) { return f16{u16(pair >> 16)}; }
DEVICE bf16 low_bf16(u32 pair) { return bf16{u16(pair)}; }
DEVICE bf16 high_bf16(u32 pair) { return bf16{u16(pair >> 16)}; }

DEVICE float exp_fast(float x) { return exp2_fast(x * 1.4426950408889634f); }

// The butterfly adds in the same order in every lane, so that all lanes hold the same bits.
DEVICE float warp_sum(float value) {
#pragma unroll
    for (u32 mask = WARP / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
    return value;
}

DEVICE float warp_max(float value) {
#pragma unroll
    for (u32 mask = WARP / 2; mask > 0; mask /= 2) value = fmaxf(value, shuffle_xor(value, mask));
    return value;
}

// The same number in every thread of the block. `scratch` is shared and has room for a float of each warp;
// it may be used again at once, since the last barrier stands after the last read.
DEVICE float block_sum(float value, float* scratch) {
    value = warp_sum(value);
    if (lane_of_thread() == 0) scratch[warp_of_thread()] = value;
    sync();
    float of_lane = lane_of_thread() < blockDim.x / WARP ? scratch[lane_of_thread()] : 0.0f;
    sync();
    return warp_sum(of_lane);
}

DEVICE float block_max(float value, float* scratch) {
    value = warp_max(value);
    if (lane_of_thread() == 0) scratch[warp_of_thread()] = value;
    sync();
    float of_lane = lane_of_thread() < blockDim.x / WARP ? scratch[lane_of_thread()] : -INFINITE_FLOAT;
    sync();
    return warp_max(of_lane);
}

// Called by a whole warp: lane i brings number first + i of an operand, `first` (row * inputs + column)
// a multiple of 32. Writes both forms. The rounding is that of crates/model/src/operand.rs.
DEVICE void store_operand(const Operand& out, u64 first, float value) {
    u32 lane = lane_of_thread();
    float largest = warp_max(fabsf(value));
    // A NaN must not vanish in the maximum.
    if (vote(value != value)) largest = NAN_FLOAT;
    // Below that the inverse would overflow.
    i32 integer = largest < 1e-30f ? 0 : nearest(value * (127.0f / largest));
    at<bf16>(out.bf16)[first + lane] = to_bf16(value);
    at<i8>(out.integers)[first + lane] = i8(integer);
    if (lane == 0) at<float>(out.scales)[first / WARP] = largest / 127.0f;
}
