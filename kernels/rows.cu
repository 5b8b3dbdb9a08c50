// What happens to each row by itself between two products.
//
// states    float [rows, hidden], the residual stream
// weight    float [n], of a norm
// operands  [rows, n], always in both forms
//
// embed     grid (rows, hidden / 256, rounded up) blocks of 256 threads
// rms_norm  grid (rows, parts) blocks of up to 1024 threads; n a multiple of 32
// hand_on   the same
// gate      grid (rows, parts) blocks of 256 threads; hidden a multiple of 32
//
// Blocks of a row share its numbers, or its heads, out among them, and each reads all of the row for its mean of squares.
// So few rows are done sooner, and the bits do not depend on the number of parts.
//
// All read 4 to 8 bytes and write up to 4 bytes a number; `gate` reads 2 * heads * hidden bytes of weights for each row of
// a later loop. Next to the products that is nothing: what counts is that a block is done soon.
#include "device.cuh"

#define BF16 0
#define INT8 1

DEVICE float embedding(const void* table, u32 table_type, const Weights& w, u64 row, u32 i) {
    u64 at_number = row * w.n_inputs + i;
    if (table_type == BF16) return to_float(static_cast<const bf16*>(table)[at_number]);
    u16 bits = at<u16>(w.scales)[row * (w.n_inputs / w.group) + i / w.group];
    float scale = w.scale_type == 0 ? to_float(bf16{bits}) : to_float(f16{bits});
    if (table_type == INT8) return float(static_cast<const i8*>(table)[at_number]) * scale;
    // Byte i of a group of 2n has weight i in its lower and weight n + i in its upper half.
    u32 half = w.group / 2, in_group = i % w.group;
    u8 byte = static_cast<const u8*>(table)[row * (w.n_inputs / 2) + i / w.group * half + in_group % half];
    return float(i32(in_group < half ? byte & 15 : byte >> 4) - 8) * scale;
}

KERNEL __launch_bounds__(256)
    embed(const Row* rows, const Sequence* sequence, const void* table, u32 table_type, Weights w, float emb_scale,
          float hidden_scale, u32 hidden, float* states) {
    u32 i = blockIdx.y * blockDim.x + threadIdx.x;
    if (hidden <= i) return;
    Row row = rows[blockIdx.x];
    float value = embedding(table, table_type, w, row.token, i);
    if (row.loop != 0) {
        value *= emb_scale;
        if (row.position != 0) {
            const float* carried = at<float>(sequence->loops[row.loop - 1].carried);
            value += hidden_scale * carried[u64(row.position - 1) * hidden + i];
        }
    }
    states[u64(blockIdx.x) * hidden + i] = value;
}
REGISTER(embed);

// 1 / sqrt(mean of squares + eps), the same in all threads.
DEVICE float norm_factor(const float* x, float eps, u32 n, float* scratch) {
    float sum = 0.0f;
#pragma unroll 2
    for (u32 i = 4 * threadIdx.x; i < n; i += 4 * blockDim.x) {
        float4 four = *reinterpret_cast<const float4*>(x + i);
        sum += four.x * four.x + four.y * four.y + (four.z * four.z + four.w * four.w);
    }
    return 1.0f / sqrtf(block_sum(sum, scratch) / float(n) + eps);
}

// What a block has to do of a row, a number each thread at a time.
DEVICE u32 first_of_thread() { return blockIdx.y * blockDim.x + threadIdx.x; }
DEVICE u32 step_of_thread() { return gridDim.y * blockDim.x; }

DEVICE void norm_to_operand(const float* x, const float* weight, float eps, u32 n, const Operand& out, u32 row,
                            float* scratch) {
    u32 i = first_of_thread();
    // On their way while the mean is made.
    float number = i < n ? x[i] : 0.0f, of_number = i < n ? weight[i] : 0.0f;
    float factor = norm_factor(x, eps, n, scratch);
    // Whole warps, as n is a multiple of 32.
    while (i < n) {
        store_operand(out, u64(row) * n + i - lane_of_thread(), number * factor * of_number);
        i += step_of_thread();
        if (i < n) number = x[i], of_number = weight[i];
    }
}

KERNEL __launch_bounds__(1024)
    rms_norm(const float* states, const float* weight, float eps, u32 n, Operand out) {
    __shared__ float scratch[WARP];
    norm_to_operand(states + u64(blockIdx.x) * n, weight, eps, n, out, blockIdx.x, scratch);
}
REGISTER(rms_norm);

KERNEL __launch_bounds__(1024)
    hand_on(const Row* rows, const Sequence* sequence, const float* states, const float* weight, float eps, u32 n,
            u32 normalize, Operand out) {
    __shared__ float scratch[WARP];
    Row row = rows[blockIdx.x];
    const float* x = states + u64(blockIdx.x) * n;
    if (row.loop + 1 == sequence->n_loops) {
        norm_to_operand(x, weight, eps, n, out, blockIdx.x, scratch);
        return;
    }
    float* carried = at<float>(sequence->loops[row.loop].carried) + u64(row.position) * n;
    float factor = normalize ? norm_factor(x, eps, n, scratch) : 1.0f;
    for (u32 i = first_of_thread(); i < n; i += step_of_thread())
        carried[i] = normalize ? x[i] * factor * weight[i] : x[i];
}
REGISTER(hand_on);

// Products of eight weights with eight numbers of a row and of its norm's weight, and the squares of those numbers.
DEVICE void add_eight(uint4 weights, const float* x, const float* norm_weight, float* product, float* squares) {
    const u32 pairs[4] = {weights.x, weights.y, weights.z, weights.w};
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        float4 four = reinterpret_cast<const float4*>(x)[half], of = reinterpret_cast<const float4*>(norm_weight)[half];
        *squares += four.x * four.x + four.y * four.y + (four.z * four.z + four.w * four.w);
        *product += to_float(low_bf16(pairs[2 * half])) * (four.x * of.x) +
                    to_float(high_bf16(pairs[2 * half])) * (four.y * of.y) +
                    (to_float(low_bf16(pairs[2 * half + 1])) * (four.z * of.z) +
                     to_float(high_bf16(pairs[2 * half + 1])) * (four.w * of.w));
    }
}

// The factor of the norm is taken out of the sum, so that both sums are made at once.
KERNEL __launch_bounds__(256)
    gate(const Row* rows, const float* states, const float* norm_weight, float eps, const bf16* w, const float* bias,
         u32 hidden, u32 n_heads, float* gates) {
    __shared__ float scratch[WARP];
    bool is_later = rows[blockIdx.x].loop != 0;
    const float* x = states + u64(blockIdx.x) * hidden;
    for (u32 head = blockIdx.y; head < n_heads; head += gridDim.y) {
        float product = 0.0f, squares = 0.0f, share = 1.0f;
        if (is_later) {
#pragma unroll 4
            for (u32 i = 8 * threadIdx.x; i < hidden; i += 8 * blockDim.x)
                add_eight(load16(w + u64(head) * hidden + i), x + i, norm_weight + i, &product, &squares);
            product = block_sum(product, scratch);
            squares = block_sum(squares, scratch);
            float logit = product / sqrtf(squares / float(hidden) + eps) + bias[head];
            float small = exp2f(fabsf(logit) * -1.4426950408889634f);
            share = (logit < 0.0f ? small : 1.0f) / (1.0f + small);
        }
        if (threadIdx.x == 0) gates[u64(blockIdx.x) * n_heads + head] = share;
    }
}
REGISTER(gate);
