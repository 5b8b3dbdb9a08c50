// Kernels that do right and wrong on purpose.
#include "device.cuh"

struct Matrices { const u16* a; const u16* b; const float* c; float* out; };
struct ByteMatrices { const u8* a; const i8* b; const i32* c; i32* out; };

// A [16, 16], B [16, 8], C [16, 8], all row-major; fragments by the formulas of the PTX manual, one element a time.
template <bool is_f16> static DEVICE void multiply_16(const Matrices& m) {
    u32 lane = threadIdx.x, group = lane >> 2, member = lane & 3;
    u16 a[8], b[4];
    float c[4];
    for (u32 i = 0; i < 8; ++i) {
        u32 row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
        u32 column = member * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        a[i] = m.a[row * 16 + column];
    }
    for (u32 i = 0; i < 4; ++i) b[i] = m.b[(member * 2 + (i & 1) + (i >= 2 ? 8 : 0)) * 8 + group];
    for (u32 i = 0; i < 4; ++i) c[i] = m.c[(i < 2 ? group : group + 8) * 8 + member * 2 + (i & 1)];
    u32 a_words[4], b_words[2];
    for (u32 i = 0; i < 4; ++i) a_words[i] = a[2 * i] | u32(a[2 * i + 1]) << 16;
    for (u32 i = 0; i < 2; ++i) b_words[i] = b[2 * i] | u32(b[2 * i + 1]) << 16;
    if (is_f16) mma_f16(c, a_words, b_words); else mma_bf16(c, a_words, b_words);
    for (u32 i = 0; i < 4; ++i) m.out[(i < 2 ? group : group + 8) * 8 + member * 2 + (i & 1)] = c[i];
}

KERNEL multiply_bf16(Matrices m) { multiply_16<false>(m); }
REGISTER(multiply_bf16);
KERNEL multiply_f16(Matrices m) { multiply_16<true>(m); }
REGISTER(multiply_f16);

// A [16, 32], B [32, 8].
template <bool is_signed> static DEVICE void multiply_32(const ByteMatrices& m) {
    u32 lane = threadIdx.x, group = lane >> 2, member = lane & 3;
    u32 a[4] = {}, b[2] = {};
    i32 c[4];
    for (u32 i = 0; i < 16; ++i) {
        u32 row = i < 4 || (8 <= i && i < 12) ? group : group + 8;
        u32 column = member * 4 + (i & 3) + (i >= 8 ? 16 : 0);
        a[i / 4] |= u32(m.a[row * 32 + column]) << 8 * (i % 4);
    }
    for (u32 i = 0; i < 8; ++i) {
        b[i / 4] |= u32(u8(m.b[(member * 4 + (i & 3) + (i >= 4 ? 16 : 0)) * 8 + group])) << 8 * (i % 4);
    }
    for (u32 i = 0; i < 4; ++i) c[i] = m.c[(i < 2 ? group : group + 8) * 8 + member * 2 + (i & 1)];
    if (is_signed) mma_s8(c, a, b); else mma_u8s8(c, a, b);
    for (u32 i = 0; i < 4; ++i) m.out[(i < 2 ? group : group + 8) * 8 + member * 2 + (i & 1)] = c[i];
}

KERNEL multiply_s8(ByteMatrices m) { multiply_32<true>(m); }
REGISTER(multiply_s8);
KERNEL multiply_u8s8(ByteMatrices m) { multiply_32<false>(m); }
REGISTER(multiply_u8s8);

// out: for each of 32 lanes 4 words of load_matrix4, 4 transposed, 2 of load_matrix2.
KERNEL load_matrices(const u16* from, u32* out) {
    __shared__ __align__(16) u16 rows[32 * 8];
    for (u32 i = 0; i < 8; ++i) rows[threadIdx.x * 8 + i] = from[threadIdx.x * 8 + i];
    sync();
    u32* mine = out + 10 * threadIdx.x;
    load_matrix4(mine, rows + threadIdx.x * 8);
    load_matrix4_transposed(mine + 4, rows + threadIdx.x * 8);
    load_matrix2(mine + 8, rows + threadIdx.x * 8);
}
REGISTER(load_matrices);

KERNEL exchange_lanes(u32* out, float* sums, u64* wide) {
    u32 i = threadIdx.x;
    out[4 * i] = shuffle(i * 3, 5u);
    out[4 * i + 1] = shuffle_xor(i, 1u);
    out[4 * i + 2] = vote(i % 3 == 0);
    out[4 * i + 3] = shuffle(i, (i + 7) % 32);
    sums[i] = warp_sum(float(i));
    wide[i] = shuffle(u64(i) << 40, 9u);
}
REGISTER(exchange_lanes);

// Each block turns its part of `values` round, through static and dynamic shared memory.
KERNEL turn_round(float* values) {
    __shared__ float statics[256];
    DYNAMIC_SHARED(room);
    float* dynamics = reinterpret_cast<float*>(room);
    u32 i = threadIdx.x, n = blockDim.x;
    float* mine = values + blockIdx.x * n;
    statics[i] = mine[i];
    dynamics[i] = mine[i];
    sync();
    float a = statics[n - 1 - i], b = dynamics[n - 1 - i];
    mine[i] = a == b ? a : NAN_FLOAT;
}
REGISTER(turn_round);

KERNEL sum_blocks(const float* values, float* sums) {
    __shared__ float scratch[32];
    float mine = values[blockIdx.x * blockDim.x + threadIdx.x];
    sums[2 * blockIdx.x] = block_sum(mine, scratch);
    sums[2 * blockIdx.x + 1] = block_max(mine, scratch);
}
REGISTER(sum_blocks);

KERNEL read_unwritten(float* out) {
    __shared__ float statics[32];
    DYNAMIC_SHARED(room);
    out[2 * threadIdx.x] = statics[threadIdx.x];
    out[2 * threadIdx.x + 1] = reinterpret_cast<float*>(room)[threadIdx.x];
    statics[threadIdx.x] = 1.0f;
}
REGISTER(read_unwritten);

// waits: 0 no, 1 for all but the last of two groups, 2 for all, 3 for all without committing.
KERNEL copy_two(const float* from, float* out, u32 waits) {
    __shared__ __align__(16) float to[2 * 4 * 32];
    u32 i = 4 * threadIdx.x;
    copy16_async(to + i, from + i);
    if (waits != 3) copy_commit();
    copy16_async(to + 128 + i, from + 128 + i);
    if (waits != 3) copy_commit();
    if (waits == 1) copy_wait<1>();
    if (waits >= 2) copy_wait<0>();
    for (u32 k = 0; k < 4; ++k) {
        out[i + k] = to[i + k];
        out[128 + i + k] = to[128 + i + k];
    }
}
REGISTER(copy_two);

KERNEL store_32(const float* values, Operand out) {
    store_operand(out, 32 * blockIdx.x, values[32 * blockIdx.x + threadIdx.x]);
}
REGISTER(store_32);

KERNEL convert(const float* values, u32* out) {
    float x = values[threadIdx.x];
    out[3 * threadIdx.x] = to_bf16(x).bits;
    out[3 * threadIdx.x + 1] = to_f16(x).bits;
    out[3 * threadIdx.x + 2] = bits_of(to_float(to_f16(x)));
}
REGISTER(convert);

KERNEL count(u32* counter, u32* places) {
    places[fetch_add(counter, 1u)] = blockIdx.x;
}
REGISTER(count);

// A race on purpose: the last to write wins.
KERNEL write_one_place(u32* out) { *out = threadIdx.x; }
REGISTER(write_one_place);

KERNEL write_at(float* values, u64 index) {
    if (blockIdx.x == 1 && threadIdx.x == 3) values[index] = 1.0f;
}
REGISTER(write_at);

KERNEL write_behind_shared() {
    DYNAMIC_SHARED(room);
    reinterpret_cast<volatile float*>(room)[blockDim.x] = 1.0f;
}
REGISTER(write_behind_shared);

KERNEL misaligned_load(const char* from, u32* out) { out[0] = load16(from + 4).x; }
REGISTER(misaligned_load);

KERNEL barrier_in_a_branch() {
    if (threadIdx.x < 32) sync();
    else sync();
}
KERNEL barrier_for_some() {
    if (threadIdx.x < 40) sync();
    sync_warp();
    if (threadIdx.x >= 40) shuffle(1u, 0u);
    sync();
}
KERNEL missing_lane() {
    if (threadIdx.x != 7) shuffle(1u, 0u);
}
KERNEL lane_elsewhere() {
    if (threadIdx.x == 7) sync();
    else shuffle(1u, 0u);
}
KERNEL lanes_differ() {
    if (threadIdx.x == 7) shuffle(1u, 0u);
    else vote(true);
}
// Legal: threads that have ended are not waited for.
KERNEL some_end_early(u32* out) {
    if (threadIdx.x >= 32) return;
    sync();
    out[threadIdx.x] = threadIdx.x;
}
REGISTER(barrier_in_a_branch);
REGISTER(barrier_for_some);
REGISTER(missing_lane);
REGISTER(lane_elsewhere);
REGISTER(lanes_differ);
REGISTER(some_end_early);

static __device__ u32 deep(volatile u32* out, u32 n) {
    volatile char room[4096];
    room[0] = char(n);
    return n == 0 ? room[0] : deep(out, n - 1) + room[0];
}
KERNEL too_deep(u32* out) { *out = deep(out, 1000); }
REGISTER(too_deep);

KERNEL divide(u32* out, u32 by) { *out = 7 / by; }
REGISTER(divide);

KERNEL many_parameters(u8 a, u64 b, float c, Weights w, u16 d, u32* out) {
    out[0] = a + u32(b) + u32(c) + u32(w.numbers) + w.scale_type + d + gridDim.y + gridDim.z;
}
REGISTER(many_parameters);
