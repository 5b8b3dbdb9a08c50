// Keys or values move into a larger or shorter room.
//
// from, to  f16 [layers * kv_heads, capacity, head_dim], two buffers; head_dim a multiple of 8
//
// grid      (slots * head_dim / 2048, rounded up, layers * kv_heads) blocks of 256 threads; a thread copies 16 bytes
// reads     2 bytes a number, and writes as many
#include "device.cuh"

KERNEL __launch_bounds__(256)
    copy_slots(const f16* from, f16* to, u32 n_heads_times_layers, u32 head_dim, u32 from_capacity, u32 to_capacity,
               u32 from_slot, u32 to_slot, u32 n_slots) {
    u64 n = u64(n_slots) * (head_dim / 8), i = u64(blockIdx.x) * blockDim.x + threadIdx.x;
    if (n <= i || n_heads_times_layers <= blockIdx.y) return;
    const f16* source = from + (u64(blockIdx.y) * from_capacity + from_slot) * head_dim;
    f16* target = to + (u64(blockIdx.y) * to_capacity + to_slot) * head_dim;
    reinterpret_cast<uint4*>(target)[i] = reinterpret_cast<const uint4*>(source)[i];
}
REGISTER(copy_slots);
