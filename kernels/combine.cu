// The splits of both attention kernels merged in order, both branches mixed by the gate.
//
// partials  float [rows, heads, max_splits + 1, 2 + head_dim], see attend_few.cu; where `splits_are_whole` is set, slot 0
//           holds all that a row sees of loop 0. The last slot is read for rows of later loops only.
// gates     float [rows, heads]
// out       operand [rows, heads * head_dim]
//
// grid      (rows, heads * head_dim / 256) blocks of 256 threads; a warp makes 32 numbers of a head
// reads     4 * (2 + head_dim) bytes for each split of 512 keys that a row sees
#include "device.cuh"

namespace merging {

constexpr u32 SPLIT = 512;
constexpr u32 N_WARPS = 8;
constexpr u32 BATCH = 16;

}  // namespace merging

KERNEL __launch_bounds__(merging::N_WARPS * WARP)
    combine(const Row* rows, const float* partials, const float* gates, u32 n_rows, u32 n_heads, u32 head_dim,
            u32 max_splits, u32 splits_are_whole, Operand out) {
    u32 row = blockIdx.x, lane = lane_of_thread(), first = (blockIdx.y * merging::N_WARPS + warp_of_thread()) * WARP;
    if (n_rows <= row || n_heads * head_dim <= first) return;
    u32 head = first / head_dim, column = first % head_dim + lane, stride = head_dim + 2;
    u32 n_splits = splits_are_whole ? 1 : min(rows[row].position / merging::SPLIT + 1, max_splits);
    const float* splits = partials + (u64(row) * n_heads + head) * (max_splits + 1) * stride;

    float largest = -INFINITE_FLOAT;
    for (u32 split = lane; split < n_splits; split += WARP) largest = fmaxf(largest, splits[u64(split) * stride]);
    largest = warp_max(largest);
    float sum = 0.0f, value = 0.0f;
    for (u32 from = 0; from < n_splits; from += WARP) {
        u32 n = min(n_splits - from, u32(WARP));
        float2 of_lane = make_float2(0.0f, 0.0f);
        if (lane < n) of_lane = *reinterpret_cast<const float2*>(splits + u64(from + lane) * stride);
        float factor = lane < n ? exp2_fast(of_lane.x - largest) : 0.0f, weights = of_lane.y;
        const float* values = splits + u64(from) * stride + 2 + column;
        // Loads of several splits are under way at once; their sum is made in order.
        for (u32 batch = 0; batch < n; batch += merging::BATCH) {
            float loaded[merging::BATCH];
#pragma unroll
            for (u32 i = 0; i < merging::BATCH; ++i)
                loaded[i] = batch + i < n ? values[u64(batch + i) * stride] : 0.0f;
#pragma unroll
            for (u32 i = 0; i < merging::BATCH; ++i) {
                float scale = shuffle(factor, batch + i);
                sum += shuffle(weights, batch + i) * scale;
                value += loaded[i] * scale;
            }
        }
    }
    value = value / sum;
    if (rows[row].loop != 0) {
        const float* window = splits + u64(max_splits) * stride;
        float local = window[2 + column] / window[1];
        value = local + (value - local) * gates[u64(row) * n_heads + head];
    }
    store_operand(out, u64(row) * n_heads * head_dim + first, value);
}
REGISTER(combine);
