// Products of many rows: y[rows, outputs] = x[rows, inputs] times the transpose of w[outputs, inputs].
//
// x         operand, of which bf16 weights take the bf16 form and the others the integers with their scales
// w         as README.md says, straight from that layout; inputs a multiple of 32
// y         float [rows, outputs], stored or added to; or of swiglu an operand [rows, outputs], outputs a multiple of 32
//
// grid      (rows / 128, outputs / 128) blocks, of swiglu (rows / 128, outputs / 64), of 128 threads (bf16) or 256; for few
//           rows or narrow matrices `tile_small_*`: (rows / 64, outputs / 64), of swiglu (rows / 64, outputs / 32), of 128
//           threads. Both give the same bits.
//           Rows come first, so that weights leave the memory once while blocks of the same outputs run side by side.
// stages    64 bytes of each row of x and w at a time: 32 bf16, or 64 bytes or half bytes; a ring of three or two stages
// shared    48 KiB (bf16), 35 KiB (int8), 27 KiB (int4); of `tile_small_*` half as much
// reads     weights once for each 2048 rows or so, x from the L2
//
// Integers are multiplied exactly, 32 inputs at a time, and scaled and added in float in the order of the inputs.
#include "device.cuh"

namespace tile {

// Bytes of a row of x in a stage.
constexpr u32 ROW = 64;
constexpr u32 PIECE = 16;
// Products of eight outputs that a warp makes.
constexpr u32 COLUMNS = 8;

struct Bf16 {
    static constexpr u32 STAGES = 3, STAGE_INPUTS = 32, INPUT_BITS = 16, WEIGHT_BITS = 16;
    static constexpr bool IS_INTEGER = false;
};

struct Int8 {
    static constexpr u32 STAGES = 2, STAGE_INPUTS = 64, INPUT_BITS = 8, WEIGHT_BITS = 8;
    static constexpr bool IS_INTEGER = true;
};

struct Int4 {
    static constexpr u32 STAGES = 2, STAGE_INPUTS = 64, INPUT_BITS = 8, WEIGHT_BITS = 4;
    static constexpr bool IS_INTEGER = true;
};

// Of a block's warps stand DOWN below and ACROSS beside each other, each with ROWS times 16 rows.
template <u32 DOWN_, u32 ACROSS_, u32 ROWS_> struct Shape {
    static constexpr u32 DOWN = DOWN_, ACROSS = ACROSS_, ROWS = ROWS_, N_THREADS = DOWN * ACROSS * WARP;
    static constexpr u32 N_ROWS = DOWN * ROWS * 16, N_COLUMNS = ACROSS * COLUMNS * 8;
};
typedef Shape<2, 2, 4> Large;
// Scaling takes registers: twice as many warps share the same block.
typedef Shape<4, 2, 2> LargeOfIntegers;
typedef Shape<4, 1, 1> Small;

// A 16-bit scale of weights.
DEVICE float scale_of(u16 bits, u32 scale_type) { return scale_type == 0 ? to_float(bf16{bits}) : to_float(f16{bits}); }

template <class FORMAT, class SHAPE, bool IS_SWIGLU> struct Block {
    static constexpr u32 N_ROWS = SHAPE::N_ROWS, N_COLUMNS = SHAPE::N_COLUMNS, N_THREADS = SHAPE::N_THREADS;
    static constexpr u32 WEIGHT_ROW = FORMAT::STAGE_INPUTS * FORMAT::WEIGHT_BITS / 8;
    static constexpr u32 STAGE = N_ROWS * ROW + N_COLUMNS * WEIGHT_ROW;
    // Outputs of a block: of swiglu half its columns are those of the gate, the other half are `up`'s.
    static constexpr u32 N_OUTPUTS = IS_SWIGLU ? N_COLUMNS / 2 : N_COLUMNS;

    // Scales of a stage's two times 32 inputs.
    struct Scales { float x[2][N_ROWS], w[2][N_COLUMNS]; };
    static constexpr u32 SCALES = FORMAT::IS_INTEGER ? 2 : 0, ROOM = FORMAT::STAGES * STAGE + SCALES * sizeof(Scales);

    // What a thread brings to `Scales`, on its way from memory.
    struct Pending { float x[2], w[2]; };

    Operand x;
    Weights weights;
    // The second matrix of swiglu, of the same shape.
    u64 up_numbers, up_scales;
    u32 n_rows, first_row, first_output;
    float sums[SHAPE::ROWS][COLUMNS][4];

    // Eight products alternate between gate and up, so that a lane holds both of an output.
    static DEVICE u32 column(u32 warp_across, u32 i) {
        if (IS_SWIGLU) return i % 2 * N_OUTPUTS + warp_across * COLUMNS * 4 + i / 2 * 8;
        return warp_across * COLUMNS * 8 + i * 8;
    }

    DEVICE u32 row_of(u32 row) const { return min(first_row + row, n_rows - 1); }
    // Where a column of the block stands in its matrix. Missing rows and outputs repeat the last.
    static DEVICE bool is_up(u32 column) { return IS_SWIGLU && N_OUTPUTS <= column; }
    DEVICE u32 output_of(u32 column) const { return min(first_output + column % N_OUTPUTS, weights.n_outputs - 1); }

    // Where a piece of a row stands in a stage. Eight rows' pieces, which are read at once, lie in other banks.
    template <u32 BYTES> static DEVICE u32 place(u32 row, u32 piece) {
        return row * BYTES + (piece ^ (BYTES == ROW ? row / 2 % 4 : row / 4 % 2)) * PIECE;
    }

    // What a thread copies in each stage: pieces of every so many rows.
    static constexpr u32 PIECES = ROW / PIECE, X_COPIES = N_ROWS * PIECES / N_THREADS;
    static constexpr u32 WEIGHT_PIECES = WEIGHT_ROW / PIECE, WEIGHT_COPIES = N_COLUMNS * WEIGHT_PIECES / N_THREADS;
    static constexpr u32 X_INPUTS = PIECE * 8 / FORMAT::INPUT_BITS, WEIGHT_INPUTS = PIECE * 8 / FORMAT::WEIGHT_BITS;
    struct Copies {
        // Pieces from the beginning of the matrix, which take fewer registers than addresses.
        u32 x[X_COPIES], w[WEIGHT_COPIES];
        // Scales of the row and of the column that the thread sees to.
        u32 x_scale, w_scale;
        // Groups are powers of two: inputs shifted by so many bits.
        u32 group_bits;
    };

    DEVICE void begin(Copies& copies) const {
        u32 n_inputs = weights.n_inputs;
#pragma unroll
        for (u32 i = 0; i < X_COPIES; ++i) {
            u32 piece = i * N_THREADS + threadIdx.x;
            copies.x[i] = row_of(piece / PIECES) * (n_inputs / X_INPUTS) + piece % PIECES;
        }
#pragma unroll
        for (u32 i = 0; i < WEIGHT_COPIES; ++i) {
            u32 piece = i * N_THREADS + threadIdx.x;
            copies.w[i] = output_of(piece / WEIGHT_PIECES) * (n_inputs / WEIGHT_INPUTS) + piece % WEIGHT_PIECES;
        }
        if constexpr (FORMAT::IS_INTEGER) {
            copies.group_bits = lowest_bit(weights.group);
            copies.x_scale = row_of(threadIdx.x % N_ROWS) * (n_inputs / 32);
            copies.w_scale = output_of(threadIdx.x % N_COLUMNS) * (n_inputs >> copies.group_bits);
        }
    }

    // A stage that begins at an input that there is; the last may be half as long.
    DEVICE void copy(const Copies& copies, char* stage, u32 step) const {
        u32 n_left = weights.n_inputs - step * FORMAT::STAGE_INPUTS;
        const char* numbers = FORMAT::IS_INTEGER ? at<char>(x.integers) : at<char>(x.bf16);
#pragma unroll
        for (u32 i = 0; i < X_COPIES; ++i) {
            u32 piece = i * N_THREADS + threadIdx.x, row = piece / PIECES, within = piece % PIECES;
            const char* from = numbers + u64(copies.x[i] + step * PIECES) * PIECE;
            if (!FORMAT::IS_INTEGER || within * X_INPUTS < n_left) copy16_async(stage + place<ROW>(row, within), from);
        }
        char* room = stage + N_ROWS * ROW;
#pragma unroll
        for (u32 i = 0; i < WEIGHT_COPIES; ++i) {
            u32 piece = i * N_THREADS + threadIdx.x, column = piece / WEIGHT_PIECES, within = piece % WEIGHT_PIECES;
            const char* matrix = at<char>(is_up(column) ? up_numbers : weights.numbers);
            const char* from = matrix + u64(copies.w[i] + step * WEIGHT_PIECES) * PIECE;
            if (!FORMAT::IS_INTEGER || within * WEIGHT_INPUTS < n_left)
                copy16_async(room + place<WEIGHT_ROW>(column, within), from);
        }
    }

    DEVICE void load_scales(Pending& pending, const Copies& copies, u32 first_input) const {
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            u32 input = first_input + half * 32;
            if (weights.n_inputs <= input) break;
            pending.x[half] = at<float>(x.scales)[copies.x_scale + input / 32];
            const u16* scales = at<u16>(is_up(threadIdx.x % N_COLUMNS) ? up_scales : weights.scales);
            float scale = scale_of(scales[copies.w_scale + (input >> copies.group_bits)], weights.scale_type);
            // Half bytes are multiplied in the upper half of a byte.
            pending.w[half] = FORMAT::WEIGHT_BITS == 4 ? scale * 0.0625f : scale;
        }
    }

    static DEVICE void store_scales(Scales& scales, const Pending& pending) {
        u32 i = threadIdx.x;
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            if (i < N_ROWS) scales.x[half][i] = pending.x[half];
            if (i < N_COLUMNS) scales.w[half][i] = pending.w[half];
        }
    }

    // Half a stage of sixteen rows of x, which is a product deep.
    static DEVICE void load_rows(u32 a[4], const char* stage, u32 first, u32 half) {
        u32 lane = lane_of_thread();
        load_matrix4(a, stage + place<ROW>(first + lane % 16, half * 2 + lane / 16));
    }

    // Half a stage of eight columns, and of the eight after them.
    static DEVICE void load_columns(u32 b[4], const char* stage, u32 across, u32 j, u32 half) {
        u32 lane = lane_of_thread();
        u32 first = lane < 16 ? column(across, j) : column(across, j + 1);
        load_matrix4(b, stage + N_ROWS * ROW + place<ROW>(first + lane % 8, half * 2 + lane / 8 % 2));
    }

    // The same of half bytes, each as a byte that is sixteen times as large.
    DEVICE void load_half_bytes(u32 b[4], const char* stage, u32 across, u32 j, u32 half) const {
        u32 lane = lane_of_thread();
        u32 first = lane < 16 ? column(across, j) : column(across, j + 1);
        // Within a group the first half of the weights lies in the lower half bytes: a group of 32 is 16 bytes, one of 64
        // fills the stage, and its halves are the stage's.
        bool is_short = weights.group == 32;
        u32 piece = is_short ? half : lane / 8 % 2;
        load_matrix4(b, stage + N_ROWS * ROW + place<WEIGHT_ROW>(first + lane % 8, piece));
        u32 shifts[2] = {is_short || half == 0 ? 4u : 0u, is_short || half == 1 ? 0u : 4u};
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            // Without the 8 that is added to each.
            b[i] = ((b[i] << shifts[i % 2]) & 0xf0f0f0f0) ^ 0x80808080;
        }
    }

    DEVICE void multiply_floats(const char* stage) {
        u32 down = warp_of_thread() % SHAPE::DOWN, across = warp_of_thread() / SHAPE::DOWN;
        u32 a[2][SHAPE::ROWS][4], b[2][COLUMNS / 2][4];
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
#pragma unroll
            for (u32 i = 0; i < SHAPE::ROWS; ++i) load_rows(a[half][i], stage, (down * SHAPE::ROWS + i) * 16, half);
#pragma unroll
            for (u32 j = 0; j < COLUMNS / 2; ++j) load_columns(b[half][j], stage, across, 2 * j, half);
        }
#pragma unroll
        for (u32 half = 0; half < 2; ++half)
#pragma unroll
            for (u32 j = 0; j < COLUMNS; ++j)
#pragma unroll
                for (u32 i = 0; i < SHAPE::ROWS; ++i)
                    mma_bf16(sums[i][j], a[half][i], &b[half][j / 2][j % 2 * 2]);
    }

    DEVICE void multiply_integers(const char* stage, const Scales& scales, u32 n_halves) {
        u32 lane = lane_of_thread(), g = lane / 4, t = lane % 4;
        u32 down = warp_of_thread() % SHAPE::DOWN, across = warp_of_thread() / SHAPE::DOWN;
        // Both halves at once would take more registers than there are.
#pragma unroll 1
        for (u32 half = 0; half < n_halves; ++half) {
            u32 a[SHAPE::ROWS][4];
            float x_scales[SHAPE::ROWS][2];
#pragma unroll
            for (u32 i = 0; i < SHAPE::ROWS; ++i) {
                u32 first = (down * SHAPE::ROWS + i) * 16;
                load_rows(a[i], stage, first, half);
#pragma unroll
                for (u32 k = 0; k < 2; ++k) x_scales[i][k] = scales.x[half][first + k * 8 + g];
            }
#pragma unroll
            for (u32 pair = 0; pair < COLUMNS; pair += 2) {
                u32 b[4];
                if constexpr (FORMAT::WEIGHT_BITS == 4)
                    load_half_bytes(b, stage, across, pair, half);
                else
                    load_columns(b, stage, across, pair, half);
#pragma unroll
                for (u32 j = pair; j < pair + 2; ++j) {
                    const float* w_scales = &scales.w[half][column(across, j) + t * 2];
                    float2 w_pair = *reinterpret_cast<const float2*>(w_scales);
#pragma unroll
                    for (u32 i = 0; i < SHAPE::ROWS; ++i) {
                        // The bits of 1.5 * 2^23 and of floats around it grow with the number: no conversion is needed.
                        constexpr i32 SHIFT = 0x4b400000;
                        i32 products[4] = {SHIFT, SHIFT, SHIFT, SHIFT};
                        mma_s8(products, a[i], &b[j % 2 * 2]);
#pragma unroll
                        for (u32 k = 0; k < 4; ++k) {
                            float product = float_of_bits(u32(products[k])) - 12582912.0f;
                            sums[i][j][k] += product * (x_scales[i][k / 2] * (k % 2 == 0 ? w_pair.x : w_pair.y));
                        }
                    }
                }
            }
        }
    }

    DEVICE void multiply(char* stages) {
        Scales* scales = reinterpret_cast<Scales*>(stages + FORMAT::STAGES * STAGE);
        u32 n_inputs = weights.n_inputs, n_steps = (n_inputs + FORMAT::STAGE_INPUTS - 1) / FORMAT::STAGE_INPUTS;
#pragma unroll
        for (u32 i = 0; i < SHAPE::ROWS; ++i)
#pragma unroll
            for (u32 j = 0; j < COLUMNS; ++j)
#pragma unroll
                for (u32 k = 0; k < 4; ++k) sums[i][j][k] = 0.0f;
        constexpr u32 AHEAD = FORMAT::STAGES - 1;
        Copies copies;
        begin(copies);
        Pending pending = {{0.0f, 0.0f}, {0.0f, 0.0f}};
        if constexpr (FORMAT::IS_INTEGER) {
            load_scales(pending, copies, 0);
            store_scales(scales[0], pending);
        }
#pragma unroll
        for (u32 step = 0; step < AHEAD; ++step) {
            if (step < n_steps) copy(copies, stages + step * STAGE, step);
            copy_commit();
        }
        u32 stage = 0, next_stage = AHEAD;
        for (u32 step = 0; step < n_steps; ++step) {
            copy_wait<AHEAD - 1>();
            // Also the sign that all warps are through with the stage that is filled next.
            sync();
            if (step + AHEAD < n_steps) copy(copies, stages + next_stage * STAGE, step + AHEAD);
            copy_commit();
            const char* numbers = stages + stage * STAGE;
            if constexpr (FORMAT::IS_INTEGER) {
                u32 next_input = (step + 1) * FORMAT::STAGE_INPUTS;
                if (next_input < n_inputs) load_scales(pending, copies, next_input);
                u32 n_halves = min(2u, (n_inputs - step * FORMAT::STAGE_INPUTS) / 32);
                multiply_integers(numbers, scales[step % 2], n_halves);
                store_scales(scales[(step + 1) % 2], pending);
            } else {
                multiply_floats(numbers);
            }
            stage = stage + 1 == FORMAT::STAGES ? 0 : stage + 1;
            next_stage = next_stage + 1 == FORMAT::STAGES ? 0 : next_stage + 1;
        }
    }

    DEVICE void store(float* y, bool is_added) const {
        u32 lane = lane_of_thread(), g = lane / 4, t = lane % 4, n_outputs = weights.n_outputs;
        u32 down = warp_of_thread() % SHAPE::DOWN, across = warp_of_thread() / SHAPE::DOWN;
#pragma unroll
        for (u32 i = 0; i < SHAPE::ROWS; ++i)
#pragma unroll
            for (u32 half = 0; half < 2; ++half) {
                u32 row = first_row + (down * SHAPE::ROWS + i) * 16 + half * 8 + g;
                if (n_rows <= row) continue;
#pragma unroll
                for (u32 j = 0; j < COLUMNS; ++j) {
                    u32 output = first_output + column(across, j) + t * 2;
                    float* to = y + u64(row) * n_outputs + output;
                    float2 sum = make_float2(sums[i][j][2 * half], sums[i][j][2 * half + 1]);
                    if (n_outputs % 2 == 0) {
                        if (n_outputs <= output) continue;
                        if (is_added) {
                            float2 before = *reinterpret_cast<const float2*>(to);
                            sum.x += before.x, sum.y += before.y;
                        }
                        *reinterpret_cast<float2*>(to) = sum;
                    } else {
                        // Every other row begins off the bounds of pairs.
                        if (output < n_outputs) to[0] = is_added ? to[0] + sum.x : sum.x;
                        if (output + 1 < n_outputs) to[1] = is_added ? to[1] + sum.y : sum.y;
                    }
                }
            }
    }

    // A warp has 32 outputs of a row in four lanes, which is what shares a scale. The rule is that of store_operand.
    DEVICE void store_swiglu(const Operand& y) const {
        u32 lane = lane_of_thread(), g = lane / 4, t = lane % 4, n_outputs = weights.n_outputs;
        u32 down = warp_of_thread() % SHAPE::DOWN, across = warp_of_thread() / SHAPE::DOWN;
        u32 output = first_output + across * COLUMNS * 4;
        if (n_outputs <= output) return;
#pragma unroll
        for (u32 i = 0; i < SHAPE::ROWS; ++i)
#pragma unroll
            for (u32 half = 0; half < 2; ++half) {
                u32 row = first_row + (down * SHAPE::ROWS + i) * 16 + half * 8 + g;
                float values[COLUMNS];
                float largest = 0.0f;
                bool is_nan = false;
#pragma unroll
                for (u32 j = 0; j < COLUMNS; ++j) {
                    float gate = sums[i][j / 2 * 2][2 * half + j % 2], up = sums[i][j / 2 * 2 + 1][2 * half + j % 2];
                    values[j] = gate / (1.0f + exp_fast(-gate)) * up;
                    largest = fmaxf(largest, fabsf(values[j]));
                    is_nan |= values[j] != values[j];
                }
                // A NaN must not vanish in the maximum.
                u32 bits = is_nan ? 0x7fffffff : bits_of(largest);
                bits = max(bits, shuffle_xor(bits, 1));
                bits = max(bits, shuffle_xor(bits, 2));
                largest = float_of_bits(bits);
                float inverse = 127.0f / largest;
                i32 integers[COLUMNS];
#pragma unroll
                for (u32 j = 0; j < COLUMNS; ++j)
                    integers[j] = largest == 0.0f ? 0 : nearest(values[j] * inverse);
                if (n_rows <= row) continue;
                u64 first = u64(row) * n_outputs + output;
#pragma unroll
                for (u32 j = 0; j < COLUMNS; j += 2) {
                    u64 place = first + j * 4 + t * 2;
                    at<u32>(y.bf16)[place / 2] = pack_bf16(values[j], values[j + 1]);
                    at<u16>(y.integers)[place / 2] = u16((integers[j] & 0xff) | (integers[j + 1] & 0xff) << 8);
                }
                if (t == 0) at<float>(y.scales)[first / 32] = largest / 127.0f;
            }
    }
};

template <class FORMAT, class SHAPE, bool IS_SWIGLU>
DEVICE Block<FORMAT, SHAPE, IS_SWIGLU> multiply(const Operand& x, const Weights& w, const Weights& up, u32 n_rows) {
    typedef Block<FORMAT, SHAPE, IS_SWIGLU> B;
    __shared__ __align__(16) char room[B::ROOM];
    B block;
    block.x = x;
    block.weights = w;
    block.up_numbers = up.numbers;
    block.up_scales = up.scales;
    block.n_rows = n_rows;
    block.first_row = blockIdx.x * B::N_ROWS;
    block.first_output = blockIdx.y * B::N_OUTPUTS;
    block.multiply(room);
    return block;
}

}  // namespace tile

#define TILE(SUFFIX, FORMAT, SHAPE)                                                                                   \
    KERNEL __launch_bounds__(tile::SHAPE::N_THREADS, 2)                                                               \
        tile_##SUFFIX(Operand x, Weights w, u32 n_rows, float* y, u32 add) {                                          \
        tile::multiply<tile::FORMAT, tile::SHAPE, false>(x, w, w, n_rows).store(y, add != 0);                         \
    }                                                                                                                 \
    REGISTER(tile_##SUFFIX)

#define TILE_SWIGLU(SUFFIX, FORMAT, SHAPE)                                                                            \
    KERNEL __launch_bounds__(tile::SHAPE::N_THREADS, 2)                                                               \
        tile_swiglu_##SUFFIX(Operand x, Weights gate, Weights up, u32 n_rows, Operand y) {                            \
        tile::multiply<tile::FORMAT, tile::SHAPE, true>(x, gate, up, n_rows).store_swiglu(y);                         \
    }                                                                                                                 \
    REGISTER(tile_swiglu_##SUFFIX)

TILE(bf16, Bf16, Large);
TILE(int8, Int8, LargeOfIntegers);
TILE(int4, Int4, LargeOfIntegers);
TILE(small_bf16, Bf16, Small);
TILE(small_int8, Int8, Small);
TILE(small_int4, Int4, Small);
TILE_SWIGLU(bf16, Bf16, Large);
TILE_SWIGLU(int8, Int8, LargeOfIntegers);
TILE_SWIGLU(int4, Int4, LargeOfIntegers);
TILE_SWIGLU(small_bf16, Bf16, Small);
TILE_SWIGLU(small_int8, Int8, Small);
TILE_SWIGLU(small_int4, Int4, Small);
