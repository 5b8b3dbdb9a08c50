// Prefill attention (FlashAttention-2, arXiv 2307.08691): rows of one loop at consecutive positions from `first` on.
//
// queries   f16 [rows, heads, DIM]
// keys      f16 [layer, kv_head, slot, DIM] of loop 0, or where `local` is set of the rows' own loop, whose rows see a
//           window; slot = position - base; values alike
// partials  float [rows, heads, 2, 2 + DIM], as attend_few's with max_splits = 1: slot 0 whole, slot 1 local
//
// grid      (rows / 128, heads) blocks of 256 threads; the last rows, which see the most, come first.
//           A warp has 16 queries. Keys come 32 at a time, by position, through a ring of three stages.
// shared    3 * 32 keys and values: 384 * DIM bytes
// reads     keys and values of a head once for each 128 rows and query head, mostly from the L2: 4 * DIM bytes a key;
//           a key read costs 128 rows 512 * DIM operations
#include "attention_tile.cuh"

namespace many {

constexpr u32 N_WARPS = 8;
constexpr u32 N_ROWS = N_WARPS * 16;
constexpr u32 N_KEYS = 32;
constexpr u32 N_STAGES = 3;

template <u32 DIM> struct Work {
    typedef Tile<DIM> T;
    // Pieces of 16 bytes.
    static constexpr u32 PIECES = DIM / 8;
    static constexpr u32 TILE = N_KEYS * DIM;

    // Where piece `piece` of a key or value stands in shared memory. What eight lanes read at once, four pieces of two keys
    // or one of eight values, lies in other banks.
    static DEVICE u32 key_place(u32 key, u32 piece) {
        return (key * PIECES + (piece ^ (DIM == 32 ? 0 : key % 2 * 4))) * 8;
    }
    static DEVICE u32 value_place(u32 key, u32 piece) {
        return (key * PIECES + (piece ^ (DIM == 32 ? key / 2 % 4 : key % 8))) * 8;
    }

    // What this lane reads of the first keys, of even and odd parts, and of sixteen values, of each two pieces below the
    // eighth; from there to others it is as far for every lane.
    static constexpr u32 PAIRS = (PIECES < 8 ? PIECES : 8) / 2;
    struct Places {
        u32 keys[2], values[PAIRS];
        DEVICE Places() {
            u32 lane = lane_of_thread();
#pragma unroll
            for (u32 i = 0; i < 2; ++i) keys[i] = key_place(lane / 4, i * 4 % PIECES + lane % 4);
#pragma unroll
            for (u32 i = 0; i < PAIRS; ++i) values[i] = value_place(lane % 16, i * 2 + lane / 16);
        }
    };

    // A key outside of first..end may never have been written: its place is taken by one that was.
    static DEVICE void copy(f16* stage, const f16* keys, const f16* values, u32 base, u32 from, u32 first, u32 end) {
#pragma unroll
        for (u32 i = threadIdx.x; i < N_KEYS * PIECES; i += N_WARPS * WARP) {
            u32 key = i / PIECES, piece = i % PIECES;
            u64 place = u64(min(max(from + key, first), end - 1) - base) * DIM + piece * 8;
            copy16_async(stage + key_place(key, piece), keys + place);
            copy16_async(stage + TILE + value_place(key, piece), values + place);
        }
    }

    // Adds weights times 16 values. Lane g * 4 + t holds of every eight numbers of its queries those at 2t and 2t + 1.
    static DEVICE void add(typename T::Sums& sums, const float low[4], const float high[4], const f16* values,
                           const Places& places) {
        u32 weights[4];
        T::pack_weights(weights, low, high);
#pragma unroll
        for (u32 piece = 0; piece < PIECES; piece += 2) {
            u32 b[4];
            load_matrix4_transposed(b, values + places.values[piece % 8 / 2] + piece / 8 * 64);
            mma_f16(sums.values[piece / T::OWN][piece % T::OWN], weights, b);
            mma_f16(sums.values[piece / T::OWN][piece % T::OWN + 1], weights, b + 2);
        }
    }

    // Adds 32 keys from `from` on; queries g and g + 8 see firsts <= key < ends.
    static DEVICE void take(typename T::Sums& sums, const typename T::Queries& queries, const f16* stage,
                            const Places& places, u32 from, const u32 firsts[2], const u32 ends[2], bool is_masked) {
        u32 t = lane_of_thread() % 4;
        constexpr u32 N = N_KEYS / 8;
        float scores[N][4];
        T::template clear_scores<N>(scores);
#pragma unroll
        for (u32 part = 0; part < T::KEY_PARTS; ++part) {
            uint4 keys[N];
            const f16* own = stage + part / 2 * 64 + places.keys[part % 2];
#pragma unroll
            for (u32 i = 0; i < N; ++i) keys[i] = *reinterpret_cast<const uint4*>(own + i * 8 * DIM);
            T::template score<N>(scores, queries, part, keys);
        }
        if (is_masked) {
#pragma unroll
            for (u32 i = 0; i < N; ++i)
#pragma unroll
                for (u32 j = 0; j < 4; ++j) {
                    u32 position = from + i * 8 + t * 2 + j % 2;
                    bool is_seen = firsts[j / 2] <= position && position < ends[j / 2];
                    scores[i][j] = is_seen ? scores[i][j] : -INFINITE_FLOAT;
                }
        }
        T::template weigh<N>(sums, scores);
#pragma unroll
        for (u32 i = 0; i < N_KEYS / 16; ++i)
            add(sums, scores[2 * i], scores[2 * i + 1], stage + TILE + i * 16 * DIM, places);
    }

    static DEVICE void write(const typename T::Sums& sums, u32 half, float* out) {
        if (lane_of_thread() % 4 == 0)
            *reinterpret_cast<float2*>(out) = make_float2(sums.largest[half], sums.weights[half]);
#pragma unroll
        for (u32 piece = 0; piece < PIECES; ++piece) {
            const float* own = &sums.values[piece / T::OWN][piece % T::OWN][2 * half];
            float2* to = reinterpret_cast<float2*>(out + 2 + piece * 8 + lane_of_thread() % 4 * 2);
            *to = make_float2(own[0], own[1]);
        }
    }
};

template <u32 DIM>
DEVICE void attend(const Row* rows, const Sequence* sequence, const f16* queries, u32 n_rows, u32 first, u32 layer,
                   u32 n_heads, u32 n_kv_heads, u32 local, float* partials) {
    typedef Work<DIM> W;
    typedef typename W::T T;
    DYNAMIC_SHARED(room);
    f16* stages = reinterpret_cast<f16*>(room);
    u32 head = blockIdx.y, kv_head = head / (n_heads / n_kv_heads);
    u32 block_row = (gridDim.x - 1 - blockIdx.x) * N_ROWS, block_end = min(block_row + N_ROWS, n_rows);
    const Loop& own = sequence->loops[local ? rows[0].loop : 0];
    u32 base = own.base, window = local ? sequence->window : ~0u;
    u64 start = (u64(layer) * n_kv_heads + kv_head) * own.capacity * DIM;
    const f16 *keys = at<f16>(own.keys) + start, *values = at<f16>(own.values) + start;

    u32 warp_row = block_row + warp_of_thread() * 16, g = lane_of_thread() / 4;
    u32 firsts[2], ends[2];
    const f16* addresses[2];
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        u32 row = warp_row + g + 8 * half, position = first + row;
        bool is_row = row < n_rows;
        firsts[half] = max(position - min(position, window), base);
        ends[half] = is_row ? position + 1 : 0;
        addresses[half] = is_row ? queries + (u64(row) * n_heads + head) * DIM : nullptr;
    }
    typename T::Queries mine;
    T::load_queries(mine, addresses[0], addresses[1]);
    typename T::Sums sums;
    T::clear(sums);
    typename W::Places places;

    u32 block_first = max(first + block_row - min(first + block_row, window), base), end = first + block_end;
    // What this warp sees at all, and what all of its queries see.
    u32 warp_position = first + warp_row, last = warp_position + 15;
    u32 warp_first = max(warp_position - min(warp_position, window), base);
    u32 common_first = max(last - min(last, window), base);
    u32 warp_end = warp_row < n_rows ? last + 1 : 0;

    u32 from = block_first / N_KEYS * N_KEYS, ahead = from;
#pragma unroll
    for (u32 stage = 0; stage < N_STAGES - 1; ++stage, ahead += N_KEYS) {
        if (ahead < end) W::copy(stages + stage * 2 * W::TILE, keys, values, base, ahead, block_first, end);
        copy_commit();
    }
    u32 stage = 0, next_stage = N_STAGES - 1;
    for (; from < end; from += N_KEYS, ahead += N_KEYS) {
        copy_wait<N_STAGES - 2>();
        // Also the sign that all warps are through with the stage that is filled next.
        sync();
        if (ahead < end) W::copy(stages + next_stage * 2 * W::TILE, keys, values, base, ahead, block_first, end);
        copy_commit();
        if (from < warp_end && warp_first < from + N_KEYS) {
            bool is_masked = from < common_first || warp_position + 1 < from + N_KEYS || n_rows < warp_row + 16;
            W::take(sums, mine, stages + stage * 2 * W::TILE, places, from, firsts, ends, is_masked);
        }
        stage = stage + 1 == N_STAGES ? 0 : stage + 1;
        next_stage = next_stage + 1 == N_STAGES ? 0 : next_stage + 1;
    }
    T::finish(sums);
#pragma unroll
    for (u32 half = 0; half < 2; ++half) {
        u32 row = warp_row + g + 8 * half;
        if (row < n_rows)
            W::write(sums, half, partials + ((u64(row) * n_heads + head) * 2 + (local ? 1 : 0)) * (DIM + 2));
    }
}

}  // namespace many

#define ATTEND_MANY(DIM)                                                                                              \
    KERNEL __launch_bounds__(many::N_WARPS * WARP, DIM == 32 ? 2 : 1)                                                 \
        attend_many_##DIM(const Row* rows, const Sequence* sequence, const f16* queries, u32 n_rows, u32 first,       \
                          u32 layer, u32 n_heads, u32 n_kv_heads, u32 local, float* partials) {                       \
        many::attend<DIM>(rows, sequence, queries, n_rows, first, layer, n_heads, n_kv_heads, local, partials);       \
    }                                                                                                                 \
    REGISTER(attend_many_##DIM)

ATTEND_MANY(32);
ATTEND_MANY(64);
ATTEND_MANY(128);
