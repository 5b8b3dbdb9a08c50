// Queries, keys and values of the rows: bias, rotary position embedding (half-split pairs), keys and values into the cache.
//
// qkv       float [rows, (heads + 2 * kv_heads) * head_dim]: queries, keys, values
// bias      float, one row of that, or null
// inverse_frequencies   float [2, head_dim / 2]: each as a float and what that float misses of it, since at position
//           131071 the rounding of a single float would turn a pair by 0.004
// queries   f16 [rows, heads, head_dim]
// keys, values          of the row's loop, at slot position - base
//
// grid      (rows, (heads + 2 * kv_heads) * head_dim / 512, rounded up) blocks of 256 threads; a thread has one pair
// reads     4 bytes and writes 2 bytes a number
#include "device.cuh"

// Of 4 * x / tau, the nearest whole number in `quarter`, and the cosine and sine of what is left of x: within 1e-7.
DEVICE void turn(double x, float* cosine, float* sine) {
    const double TWO_OVER_PI = 0.63661977236758134308, HALF_PI = 1.57079632679489661923;
    double quarters = rint(x * TWO_OVER_PI);
    i32 quarter = i32(quarters) & 3;
    float r = float(x - quarters * HALF_PI), square = r * r;
    // Minimax polynomials on [-pi/4, pi/4].
    float s = r + r * square * (-1.6666654611e-1f + square * (8.3321608736e-3f + square * -1.9515295891e-4f));
    float c = 1.0f - 0.5f * square +
              square * square * (4.166664568298827e-2f + square * (-1.388731625493765e-3f + square * 2.443315711809948e-5f));
    *cosine = quarter == 0 ? c : quarter == 1 ? -s : quarter == 2 ? -c : s;
    *sine = quarter == 0 ? s : quarter == 1 ? c : quarter == 2 ? -s : -c;
}

KERNEL __launch_bounds__(256)
    rotate(const Row* rows, const Sequence* sequence, const float* qkv, const float* bias, const float* inverse_frequencies,
           u32 layer, u32 n_heads, u32 n_kv_heads, u32 head_dim, f16* queries) {
    u32 half = head_dim / 2, of_row = blockIdx.y * blockDim.x + threadIdx.x;
    u32 head = of_row / half, pair = of_row % half, n_all = n_heads + 2 * n_kv_heads;
    if (n_all <= head) return;
    Row row = rows[blockIdx.x];
    u32 first = head * head_dim + pair;
    const float* numbers = qkv + u64(blockIdx.x) * n_all * head_dim;
    float a = numbers[first], b = numbers[first + half];
    if (bias) {
        a += bias[first];
        b += bias[first + half];
    }
    if (head < n_heads + n_kv_heads) {
        double frequency = double(inverse_frequencies[pair]) + double(inverse_frequencies[half + pair]);
        float cosine, sine, x = a, y = b;
        turn(double(row.position) * frequency, &cosine, &sine);
        a = x * cosine - y * sine;
        b = x * sine + y * cosine;
    }
    f16* to;
    if (head < n_heads) {
        to = queries + (u64(blockIdx.x) * n_heads + head) * head_dim;
    } else {
        const Loop& own = sequence->loops[row.loop];
        bool is_key = head < n_heads + n_kv_heads;
        u32 kv_head = head - n_heads - (is_key ? 0 : n_kv_heads);
        u64 slot = (u64(layer) * n_kv_heads + kv_head) * own.capacity + (row.position - own.base);
        to = at<f16>(is_key ? own.keys : own.values) + slot * head_dim;
    }
    to[pair] = to_f16(a);
    to[pair + half] = to_f16(b);
}
REGISTER(rotate);
