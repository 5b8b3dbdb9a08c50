// Products of few rows: weights stream through once, and the tensor cores make up to 16 rows as cheap as one.
//
// x         operand [rows, inputs]; bf16 weights take its bf16 form, int8 and int4 weights its integers and scales
// weights   [outputs, inputs], see kernels/README.md; any number of outputs, inputs a multiple of 32
// y         float [rows, outputs], written or added to; for swiglu an operand [rows, outputs] = silu(gate.x) * (up.x)
//
// skinny_*              1 to 8 rows     grid (outputs / 32, rounded up; int8: / 16) blocks of 256 threads
// skinny_*_16           1 to 16 rows    grid (outputs / 32, rounded up)
// skinny_swiglu_*       1 to 8 rows     grid (outputs / 32), outputs a multiple of 32
// skinny_swiglu_*_16    1 to 16 rows    the same
//
// reads     2, 1 or 0.5 bytes a weight with 2 / group bytes of scales, once; per block x, which the L2 holds
// writes    4 bytes an output and row; for swiglu 3.25
//
// Weights are the A operand (16 outputs), rows of x the 8 columns of B. Which input stands at which place of k is free as
// long as A and B agree, so a thread takes 16 bytes that follow each other in a row of weights, as they lie in the file.
// A warp takes every eighth slice of the inputs (for swiglu every fourth, of gate or of up), and the warps' sums are added in
// their order: the sum of an output and a row is made in the same order for any number of rows.
#include "device.cuh"

#define N_WARPS 8
// Groups of 32 inputs in a slice of integers.
#define SLICE_GROUPS 4

DEVICE void unpack(u32* words, uint4 v) {
    words[0] = v.x;
    words[1] = v.y;
    words[2] = v.z;
    words[3] = v.w;
}

// What a warp multiplies: tiles of 16 outputs from `first_output` on, and every `n_parts`th slice of the inputs.
struct Task {
    Weights weights;
    u32 first_output;
    u32 part;
    u32 n_parts;

    // The output of this lane in eight of the tiles'. Outputs beyond the last stand for the last one: it is read again, and
    // they are never stored.
    DEVICE u32 row(u32 eight) const {
        return min(first_output + eight * 8 + lane_of_thread() / 4, weights.n_outputs - 1);
    }
};

// A slice is 64 inputs, in two steps of 32; lane t of four has inputs 8t.. of a step.
template <u32 M_TILES, u32 N_TILES, u32 N_SLICES>
DEVICE void multiply_bf16(const Operand& x, const Task& task, u32 n_rows, float (&sums)[M_TILES][N_TILES][4]) {
    const u32 SLICE = 64, STEP = 32;
    u32 n_inputs = task.weights.n_inputs, lane = lane_of_thread(), g = lane / 4, t = lane % 4;
    // In units of 16 bytes, so that 32 bits are enough.
    u32 rows[M_TILES][2];
#pragma unroll
    for (u32 m = 0; m < M_TILES; ++m)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) rows[m][half] = task.row(2 * m + half) * (n_inputs / 8) + t;
    const bf16* x_row = at<bf16>(x.bf16) + (g * n_inputs + 8 * t);

    for (u32 first = task.part * SLICE; first < n_inputs; first += N_SLICES * task.n_parts * SLICE) {
        u32 a[N_SLICES][2][M_TILES][2][4];
#pragma unroll
        for (u32 s = 0; s < N_SLICES; ++s)
#pragma unroll
            for (u32 step = 0; step < 2; ++step) {
                u32 input = first + s * task.n_parts * SLICE + step * STEP;
#pragma unroll
                for (u32 m = 0; m < M_TILES; ++m)
#pragma unroll
                    for (u32 half = 0; half < 2; ++half) {
                        const uint4* from = at<uint4>(task.weights.numbers) + (rows[m][half] + input / 8);
                        unpack(a[s][step][m][half], input < n_inputs ? load16(from) : make_uint4(0, 0, 0, 0));
                    }
            }
#pragma unroll
        for (u32 s = 0; s < N_SLICES; ++s)
#pragma unroll
            for (u32 step = 0; step < 2; ++step) {
                u32 input = first + s * task.n_parts * SLICE + step * STEP, b[N_TILES][4];
#pragma unroll
                for (u32 n = 0; n < N_TILES; ++n) {
                    const bf16* from = x_row + (n * 8 * n_inputs + input);
                    bool is_there = input < n_inputs && n * 8 + g < n_rows;
                    unpack(b[n], is_there ? *reinterpret_cast<const uint4*>(from) : make_uint4(0, 0, 0, 0));
                }
#pragma unroll
                for (u32 i = 0; i < 4; i += 2)
#pragma unroll
                    for (u32 m = 0; m < M_TILES; ++m) {
                        auto& lower = a[s][step][m][0];
                        auto& upper = a[s][step][m][1];
                        u32 tile[4] = {lower[i], upper[i], lower[i + 1], upper[i + 1]};
#pragma unroll
                        for (u32 n = 0; n < N_TILES; ++n) mma_bf16(sums[m][n], tile, b[n] + i);
                    }
            }
    }
}

// How a slice of 128 inputs lies in a row of integers. Its four groups of 32 come in two pairs: of a pair, lanes 0 and 1
// of four hold the numbers of the group on side 0, 16 each, and lanes 2 and 3 those of the group on side 1.

struct Int8 {
    static constexpr u32 N_WORDS = 8;
    static constexpr float UNIT = 1.0f;

    static DEVICE u32 group(u32 pair, u32 side) { return 2 * pair + side; }

    static DEVICE void load(u32* words, const uint4* row, u32 slice, u32 t, u32 n_inputs) {
#pragma unroll
        for (u32 pair = 0; pair < 2; ++pair) {
            u32 input = slice * 128 + pair * 64 + t * 16;
            unpack(words + 4 * pair, input < n_inputs ? load16(row + input / 16) : make_uint4(0, 0, 0, 0));
        }
    }

    static DEVICE void load_x(u32* words, const i8* x, u32 slice, u32 pair, u32 t, u32 n_inputs) {
        u32 input = slice * 128 + pair * 64 + t * 16;
        if (input < n_inputs) unpack(words, *reinterpret_cast<const uint4*>(x + input));
    }

    static DEVICE u32 integers(const u32* words, u32 pair, u32 i) { return words[4 * pair + i]; }
};

// Half a byte in the upper half of a byte, with the 8 taken away: 16 times the weight.
DEVICE u32 low_halves(u32 word) { return (word << 4 & 0xf0f0f0f0) ^ 0x80808080; }
DEVICE u32 high_halves(u32 word) { return (word & 0xf0f0f0f0) ^ 0x80808080; }

// 32 bytes are two groups of 32 inputs that share a scale.
struct Int4Of64 {
    static constexpr u32 N_WORDS = 4;
    static constexpr float UNIT = 1.0f / 16;

    static DEVICE u32 group(u32 pair, u32 side) { return 2 * side + pair; }

    static DEVICE void load(u32* words, const uint4* row, u32 slice, u32 t, u32 n_inputs) {
        bool is_there = slice * 128 + t / 2 * 64 < n_inputs;
        unpack(words, is_there ? load16(row + slice * 4 + t) : make_uint4(0, 0, 0, 0));
    }

    static DEVICE void load_x(u32* words, const i8* x, u32 slice, u32 pair, u32 t, u32 n_inputs) {
        u32 input = slice * 128 + t / 2 * 64 + pair * 32 + t % 2 * 16;
        if (input < n_inputs) unpack(words, *reinterpret_cast<const uint4*>(x + input));
    }

    static DEVICE u32 integers(const u32* words, u32 pair, u32 i) {
        return pair == 0 ? low_halves(words[i]) : high_halves(words[i]);
    }
};

// 16 bytes are a group: a lane has 8 inputs of its first and 8 of its second half.
struct Int4Of32 {
    static constexpr u32 N_WORDS = 4;
    static constexpr float UNIT = 1.0f / 16;

    static DEVICE u32 group(u32 pair, u32 side) { return 2 * pair + side; }

    static DEVICE void load(u32* words, const uint4* row, u32 slice, u32 t, u32 n_inputs) {
#pragma unroll
        for (u32 pair = 0; pair < 2; ++pair) {
            bool is_there = slice * 128 + pair * 64 + t / 2 * 32 < n_inputs;
            uint2 v = is_there ? load8(reinterpret_cast<const uint2*>(row) + slice * 8 + pair * 4 + t) : make_uint2(0, 0);
            words[2 * pair] = v.x;
            words[2 * pair + 1] = v.y;
        }
    }

    static DEVICE void load_x(u32* words, const i8* x, u32 slice, u32 pair, u32 t, u32 n_inputs) {
        u32 input = slice * 128 + pair * 64 + t / 2 * 32 + t % 2 * 8;
        if (n_inputs <= input) return;
        uint2 low = *reinterpret_cast<const uint2*>(x + input);
        uint2 high = *reinterpret_cast<const uint2*>(x + input + 16);
        words[0] = low.x;
        words[1] = low.y;
        words[2] = high.x;
        words[3] = high.y;
    }

    static DEVICE u32 integers(const u32* words, u32 pair, u32 i) {
        u32 word = words[2 * pair + i % 2];
        return i < 2 ? low_halves(word) : high_halves(word);
    }
};

// The scales of a slice of one row of weights, of groups of 128 or 64 inputs, or of 32 of which `1 << shift` have the same.
template <u32 GROUP> struct Scales {
    u32 pairs[2];

    DEVICE void load(const u16* row, u32 slice, u32 shift, u32 n_groups) {
        pairs[0] = pairs[1] = 0;
        if (GROUP == 128) {
            if (slice < n_groups) pairs[0] = row[slice];
        } else if (GROUP == 64) {
            u32 first = 2 * slice;
            if (n_groups % 2 == 0) {
                if (first < n_groups) pairs[0] = *reinterpret_cast<const u32*>(row + first);
            } else {
                if (first < n_groups) pairs[0] = row[first];
                if (first + 1 < n_groups) pairs[0] |= u32(row[first + 1]) << 16;
            }
        } else {
#pragma unroll
            for (u32 i = 0; i < SLICE_GROUPS; ++i) {
                u32 group = (slice * SLICE_GROUPS + i) >> shift;
                if (group < n_groups) pairs[i / 2] |= u32(row[group]) << i % 2 * 16;
            }
        }
    }

    // Of the slice's group of 32 inputs.
    DEVICE float of(u32 group, u32 scale_type) const {
        u32 i = GROUP == 128 ? 0 : GROUP == 64 ? group / 2 : group;
        u16 bits = u16(pairs[i / 2] >> i % 2 * 16);
        return scale_type == 0 ? to_float(bf16{bits}) : to_float(f16{bits});
    }
};

// Adds the products of a pair of groups and a tile of 8 rows.
template <class Layout, u32 GROUP, u32 M_TILES, u32 N_TILES>
DEVICE void add_pair(u32 pair, const u32 (&b)[4], float scale_of_lane, const u32 (&a)[M_TILES][2][Layout::N_WORDS],
                     const Scales<GROUP> (&scales)[M_TILES][2], u32 scale_type, float (&sums)[M_TILES][N_TILES][4], u32 n) {
    u32 t = lane_of_thread() % 4, columns[2][4];
    float x_scale[2][2];
#pragma unroll
    for (u32 side = 0; side < 2; ++side) {
        // Lanes of the other group bring zeros: their products are not of this sum.
#pragma unroll
        for (u32 i = 0; i < 4; ++i) columns[side][i] = t / 2 == side ? b[i] : 0;
#pragma unroll
        for (u32 i = 0; i < 2; ++i)
            x_scale[side][i] = shuffle(scale_of_lane, (2 * t + i) * 4 + Layout::group(pair, side));
    }
#pragma unroll
    for (u32 m = 0; m < M_TILES; ++m) {
        u32 tiles[2][4];
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            tiles[i / 2][i % 2 * 2] = Layout::integers(a[m][0], pair, i);
            tiles[i / 2][i % 2 * 2 + 1] = Layout::integers(a[m][1], pair, i);
        }
#pragma unroll
        for (u32 side = 0; side < 2; ++side) {
            i32 products[4] = {};
            mma_s8(products, tiles[0], columns[side]);
            mma_s8(products, tiles[1], columns[side] + 2);
            u32 group = Layout::group(pair, side);
            float low = scales[m][0].of(group, scale_type), high = scales[m][1].of(group, scale_type);
#pragma unroll
            for (u32 i = 0; i < 4; ++i) sums[m][n][i] += float(products[i]) * ((i < 2 ? low : high) * x_scale[side][i % 2]);
        }
    }
}

template <class Layout, u32 GROUP, u32 M_TILES, u32 N_TILES, u32 N_SLICES>
DEVICE void multiply_integers(const Operand& x, const Task& task, u32 n_rows, float (&sums)[M_TILES][N_TILES][4]) {
    u32 n_inputs = task.weights.n_inputs, n_groups = n_inputs / WARP;
    u32 n_slices = (n_groups + SLICE_GROUPS - 1) / SLICE_GROUPS;
    u32 lane = lane_of_thread(), g = lane / 4, t = lane % 4;
    u32 shift = GROUP == 32 && task.weights.group == 64 ? 1 : 0, scale_type = task.weights.scale_type;
    // In units of 16 bytes, so that 32 bits are enough.
    u32 row_len = n_inputs / 32 * Layout::N_WORDS / 4, n_scales = n_inputs / GROUP >> shift;
    u32 rows[M_TILES][2];
#pragma unroll
    for (u32 m = 0; m < M_TILES; ++m)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) rows[m][half] = task.row(2 * m + half);
    const i8* x_row = at<i8>(x.integers) + g * n_inputs;
    const float* x_scales = at<float>(x.scales) + (g * n_groups + t);

    for (u32 first = task.part; first < n_slices; first += N_SLICES * task.n_parts) {
        u32 a[N_SLICES][M_TILES][2][Layout::N_WORDS];
        Scales<GROUP> scales[N_SLICES][M_TILES][2];
#pragma unroll
        for (u32 s = 0; s < N_SLICES; ++s)
#pragma unroll
            for (u32 m = 0; m < M_TILES; ++m)
#pragma unroll
                for (u32 half = 0; half < 2; ++half) {
                    u32 slice = first + s * task.n_parts;
                    const uint4* numbers = at<uint4>(task.weights.numbers) + rows[m][half] * row_len;
                    const u16* of_row = at<u16>(task.weights.scales) + rows[m][half] * n_scales;
                    Layout::load(a[s][m][half], numbers, slice, t, n_inputs);
                    scales[s][m][half].load(of_row, slice, shift, n_scales);
                }
        // One tile of rows after the other, so that no more of x than that takes up registers.
#pragma unroll
        for (u32 s = 0; s < N_SLICES; ++s)
#pragma unroll
            for (u32 n = 0; n < N_TILES; ++n) {
                u32 slice = first + s * task.n_parts, b[2][4];
                // A row that is not there has no inputs: loads with one condition move ahead of the products before them.
                // With two tiles of rows that would take too many registers.
                bool is_row = n * 8 + g < n_rows, is_there = is_row && slice * SLICE_GROUPS + t < n_groups;
                u32 n_there = N_TILES == 2 || is_row ? n_inputs : 0;
#pragma unroll
                for (u32 pair = 0; pair < 2; ++pair) {
                    unpack(b[pair], make_uint4(0, 0, 0, 0));
                    if (N_TILES == 1 || is_row)
                        Layout::load_x(b[pair], x_row + n * 8 * n_inputs, slice, pair, t, n_there);
                }
                // Lane t of row g holds the scale of group t.
                float scale_of_lane =
                    is_there ? x_scales[n * 8 * n_groups + slice * SLICE_GROUPS] * Layout::UNIT : 0.0f;
#pragma unroll
                for (u32 pair = 0; pair < 2; ++pair)
                    add_pair<Layout, GROUP>(pair, b[pair], scale_of_lane, a[s], scales[s], scale_type, sums, n);
            }
    }
}

// The sums of all warps for their outputs, those of a row beside each other.
template <u32 M_TILES, u32 N_TILES> struct Sums {
    // Four more than there are: then the lanes of a warp write to 32 banks.
    float parts[N_WARPS][N_TILES * 8][M_TILES * 16 + 4];

    DEVICE void store(const float (&sums)[M_TILES][N_TILES][4]) {
        u32 g = lane_of_thread() / 4, t = lane_of_thread() % 4;
#pragma unroll
        for (u32 m = 0; m < M_TILES; ++m)
#pragma unroll
            for (u32 n = 0; n < N_TILES; ++n)
#pragma unroll
                for (u32 i = 0; i < 4; ++i)
                    parts[warp_of_thread()][n * 8 + 2 * t + i % 2][m * 16 + i / 2 * 8 + g] = sums[m][n][i];
        sync();
    }

    template <u32 N> DEVICE float of(u32 first_warp, u32 row, u32 output) const {
        float sum = parts[first_warp][row][output];
#pragma unroll
        for (u32 i = 1; i < N; ++i) sum += parts[first_warp + i][row][output];
        return sum;
    }
};

#define BF16 0
#define INT8 1
#define INT4 2

template <u32 FORMAT, u32 M_TILES, u32 N_TILES>
DEVICE void multiply(const Operand& x, const Task& task, u32 n_rows, Sums<M_TILES, N_TILES>& all) {
    // As many loads under way as registers allow.
    const u32 N_SLICES = FORMAT != BF16 && M_TILES * N_TILES * (FORMAT == INT8 ? 2 : 1) > 3 ? 1 : 2;
    float sums[M_TILES][N_TILES][4] = {};
    if (FORMAT == BF16) {
        multiply_bf16<M_TILES, N_TILES, N_SLICES>(x, task, n_rows, sums);
    } else if (FORMAT == INT8 && task.weights.group == 128) {
        multiply_integers<Int8, 128, M_TILES, N_TILES, N_SLICES>(x, task, n_rows, sums);
    } else if (FORMAT == INT8) {
        multiply_integers<Int8, 32, M_TILES, N_TILES, N_SLICES>(x, task, n_rows, sums);
    } else if (task.weights.group == 64) {
        multiply_integers<Int4Of64, 64, M_TILES, N_TILES, N_SLICES>(x, task, n_rows, sums);
    } else {
        multiply_integers<Int4Of32, 32, M_TILES, N_TILES, N_SLICES>(x, task, n_rows, sums);
    }
    all.store(sums);
}

template <u32 FORMAT, u32 M_TILES, u32 N_TILES>
DEVICE void skinny(const Operand& x, const Weights& weights, u32 n_rows, float* y, u32 add) {
    const u32 N_OUTPUTS = M_TILES * 16;
    __shared__ Sums<M_TILES, N_TILES> sums;
    u32 first_output = blockIdx.x * N_OUTPUTS;
    multiply<FORMAT, M_TILES, N_TILES>(x, Task{weights, first_output, warp_of_thread(), N_WARPS}, n_rows, sums);
    for (u32 i = threadIdx.x; i < n_rows * N_OUTPUTS; i += N_WARPS * WARP) {
        u32 row = i / N_OUTPUTS, output = first_output + i % N_OUTPUTS;
        if (weights.n_outputs <= output) continue;
        float* to = y + u64(row) * weights.n_outputs + output;
        float sum = sums.template of<N_WARPS>(0, row, i % N_OUTPUTS);
        *to = add ? *to + sum : sum;
    }
}

DEVICE float silu(float x) {
    float small = exp2f(fabsf(x) * -1.4426950408889634f);
    return x * ((x < 0.0f ? small : 1.0f) / (1.0f + small));
}

// Half of the warps have gate, the others up.
template <u32 FORMAT, u32 N_TILES>
DEVICE void skinny_swiglu(const Operand& x, const Weights& gate, const Weights& up, u32 n_rows, const Operand& y) {
    const u32 N_PARTS = N_WARPS / 2, N_OUTPUTS = 32;
    __shared__ Sums<2, N_TILES> sums;
    u32 first_output = blockIdx.x * N_OUTPUTS, warp = warp_of_thread(), lane = lane_of_thread();
    Task task{warp < N_PARTS ? gate : up, first_output, warp % N_PARTS, N_PARTS};
    multiply<FORMAT, 2, N_TILES>(x, task, n_rows, sums);
    for (u32 row = warp; row < n_rows; row += N_WARPS) {
        float value = silu(sums.template of<N_PARTS>(0, row, lane)) * sums.template of<N_PARTS>(N_PARTS, row, lane);
        store_operand(y, u64(row) * gate.n_outputs + first_output, value);
    }
}

#define SKINNY(name, format, m_tiles, n_tiles)                                      \
    KERNEL __launch_bounds__(N_WARPS * WARP, 2)                                     \
        name(Operand x, Weights weights, u32 n_rows, float* y, u32 add) {           \
        skinny<format, m_tiles, n_tiles>(x, weights, n_rows, y, add);               \
    }                                                                               \
    REGISTER(name)

SKINNY(skinny_bf16, BF16, 2, 1);
SKINNY(skinny_int8, INT8, 1, 1);
SKINNY(skinny_int4, INT4, 2, 1);
SKINNY(skinny_bf16_16, BF16, 2, 2);
SKINNY(skinny_int8_16, INT8, 2, 2);
SKINNY(skinny_int4_16, INT4, 2, 2);

#define SKINNY_SWIGLU(name, format, n_tiles)                                        \
    KERNEL __launch_bounds__(N_WARPS * WARP, 2)                                     \
        name(Operand x, Weights gate, Weights up, u32 n_rows, Operand y) {          \
        skinny_swiglu<format, n_tiles>(x, gate, up, n_rows, y);                     \
    }                                                                               \
    REGISTER(name)

SKINNY_SWIGLU(skinny_swiglu_bf16, BF16, 1);
SKINNY_SWIGLU(skinny_swiglu_int8, INT8, 1);
SKINNY_SWIGLU(skinny_swiglu_int4, INT4, 1);
SKINNY_SWIGLU(skinny_swiglu_bf16_16, BF16, 2);
SKINNY_SWIGLU(skinny_swiglu_int8_16, INT8, 2);
SKINNY_SWIGLU(skinny_swiglu_int4_16, INT4, 2);
