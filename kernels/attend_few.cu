// Decode attention: 1 to 16 rows, each a loop's view of a position.
//
// queries   f16 [rows, heads, DIM]
// keys      f16 [layer, kv_head, slot, DIM] of each loop, slot = position - base; values alike
// partials  float [rows, heads, max_splits + 1, 2 + DIM]: the largest score in units of log2, the sum of weights relative
//           to it, and the sums of weighted values. Slot `split` holds keys split * 512 .. of loop 0; the last slot holds
//           the window of the row's own loop. What a row sees nothing of is not written.
//
// grid      any number of blocks of 128 threads; they take the items that the rows' positions ask for in turn, so that a
//           captured graph fits every position. An item is 16 queries of one key/value head and a split of loop 0, or
//           the window of a later loop. Its warps take 16 keys each in turn, by position, and are merged in order.
// reads     keys and values up to the last row's position once for each 16 queries, 4 * DIM bytes a key and head:
//           all loops of a token share them. Where there are more queries, further tiles find them in the L2.
#include "attention_tile.cuh"

namespace few {

constexpr u32 MOST_ROWS = 16;
constexpr u32 MOST_LOOPS = 4;
constexpr u32 SPLIT = 512;
constexpr u32 STEP = 16;
constexpr u32 N_WARPS = 4;
constexpr u32 N_QUERIES = 16;

struct Rows {
    u32 positions[MOST_ROWS];
    // Rows of each loop after the first; at 0 all rows.
    u32 of_loop[MOST_LOOPS][MOST_ROWS];
    u32 n_of_loop[MOST_LOOPS];
    u32 last;
};

// Called by the first warp.
DEVICE void read_rows(Rows& all, const Row* rows, u32 n_rows) {
    u32 lane = lane_of_thread();
    bool is_row = lane < n_rows;
    u32 position = is_row ? rows[lane].position : 0, loop = is_row ? rows[lane].loop : 0;
    if (is_row) all.positions[lane] = position;
#pragma unroll
    for (u32 i = 0; i < MOST_LOOPS; ++i) {
        bool is_member = is_row && (i == 0 || loop == i);
        u32 members = vote(is_member);
        if (is_member) all.of_loop[i][count_bits(members & ((1u << lane) - 1))] = lane;
        if (lane == 0) all.n_of_loop[i] = count_bits(members);
    }
    u32 last = position;
#pragma unroll
    for (u32 mask = WARP / 2; mask > 0; mask /= 2) last = max(last, shuffle_xor(last, mask));
    if (lane == 0) all.last = last;
}

// Keys that a query sees: first <= position < end.
struct Seen {
    u32 first, end;
    DEVICE bool has(u32 position) const { return first <= position && position < end; }
};

template <u32 DIM> struct Work {
    typedef Tile<DIM> T;
    // Floats of a query in shared memory; four more than those exchanged at a time, so that queries lie in other banks.
    static constexpr u32 WIDTH = T::OWN * 8;
    static constexpr u32 STRIDE = WIDTH + 4;

    struct Shared {
        Rows rows;
        // What each query of the item sees.
        Seen seen[N_QUERIES];
        float largest[N_WARPS][N_QUERIES], weights[N_WARPS][N_QUERIES];
        __align__(16) float values[N_WARPS][N_QUERIES][STRIDE];
    };

    // Sixteen keys and values of one head in registers, as `Tile` wants them.
    struct Keys { uint4 parts[T::KEY_PARTS][2]; };
    struct Values { typename T::Value of[4]; };

    // A key that no query sees may never have been written: its place is taken by one that was.
    static DEVICE u32 or_written(u32 position, u32 from, u32 seen, u32 written) {
        return seen >> (position - from) & 1 ? position : written;
    }

    static DEVICE void load_keys(Keys& keys, const f16* head, u32 base, u32 from, u32 seen, u32 written) {
        u32 g = lane_of_thread() / 4, t = lane_of_thread() % 4;
#pragma unroll
        for (u32 i = 0; i < 2; ++i) {
            u32 slot = or_written(from + i * 8 + g, from, seen, written) - base;
            const f16* key = head + u64(slot) * DIM + t * 8;
#pragma unroll
            for (u32 part = 0; part < T::KEY_PARTS; ++part) keys.parts[part][i] = load16(key + part * 32);
        }
    }

    static DEVICE void load_values(Values& values, const f16* head, u32 base, u32 from, u32 seen, u32 written) {
        u32 g = lane_of_thread() / 4, t = lane_of_thread() % 4;
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            u32 slot = or_written(from + i / 2 * 8 + t * 2 + i % 2, from, seen, written) - base;
            const f16* value = head + u64(slot) * DIM + g * T::OWN;
#pragma unroll
            for (u32 part = 0; part < T::VALUE_PARTS; ++part) {
                u32* own = values.of[i].parts[part];
                if constexpr (T::OWN == 8) {
                    uint4 v = load16(value + part * 64);
                    own[0] = v.x, own[1] = v.y, own[2] = v.z, own[3] = v.w;
                } else {
                    uint2 v = load8(value);
                    own[0] = v.x, own[1] = v.y;
                }
            }
        }
    }

    // Which of the sixteen keys from `from` on some query sees: a bit each. Of loop 0 all up to `end` are seen; windows
    // of rows that stand apart leave gaps.
    static DEVICE u32 seen_by_any(const Seen* seen, u32 from, u32 end, bool has_gaps) {
        if (!has_gaps) return end - from < STEP ? (1u << (end - from)) - 1 : 0xffff;
        u32 lane = lane_of_thread();
        bool is_seen = false;
        for (u32 i = 0; i < N_QUERIES; ++i) is_seen |= lane < STEP && seen[i].has(from + lane);
        return vote(is_seen);
    }

    // This warp's next step from `from` on that some query sees something of; `end` if there is none left.
    static DEVICE u32 next_step(const Seen* seen, u32 from, u32 end, bool has_gaps, u32& bits) {
        for (; from < end; from += N_WARPS * STEP) {
            bits = seen_by_any(seen, from, end, has_gaps);
            if (bits != 0) return from;
        }
        return end;
    }

    // Everything that the queries see from `start`, a multiple of 16 that of all warps is the first's, up to `end`.
    static DEVICE void take(typename T::Sums& sums, const typename T::Queries& queries, const Seen* seen,
                            const f16* keys, const f16* values, u32 base, u32 start, u32 end, bool has_gaps) {
        u32 g = lane_of_thread() / 4, t = lane_of_thread() % 4, written = end - 1;
        Seen mine[2] = {seen[g], seen[g + 8]};
        // By position alone, so that the first key that others see moves nothing to another warp.
        u32 turn = (warp_of_thread() + N_WARPS - start / STEP % N_WARPS) % N_WARPS;
        u32 bits = 0, from = next_step(seen, start + turn * STEP, end, has_gaps, bits);
        if (from >= end) return;
        Keys step_keys;
        Values step_values;
        load_keys(step_keys, keys, base, from, bits, written);
        load_values(step_values, values, base, from, bits, written);
        while (from < end) {
            u32 next_bits = 0, next = next_step(seen, from + N_WARPS * STEP, end, has_gaps, next_bits);
            float scores[2][4];
            T::template clear_scores<2>(scores);
#pragma unroll
            for (u32 part = 0; part < T::KEY_PARTS; ++part)
                T::template score<2>(scores, queries, part, step_keys.parts[part]);
            // The next keys are on their way while the weights are computed.
            if (next < end) load_keys(step_keys, keys, base, next, next_bits, written);
#pragma unroll
            for (u32 i = 0; i < 2; ++i)
#pragma unroll
                for (u32 j = 0; j < 4; ++j) {
                    u32 position = from + i * 8 + t * 2 + j % 2;
                    scores[i][j] = mine[j / 2].has(position) ? scores[i][j] : -INFINITE_FLOAT;
                }
            T::template weigh<2>(sums, scores);
            T::add(sums, scores[0], scores[1], step_values.of);
            if (next < end) load_values(step_values, values, base, next, next_bits, written);
            from = next;
            bits = next_bits;
        }
    }

    // Merges the warps' sums in order and writes those of queries that see something.
    static DEVICE void merge(Shared& shared, typename T::Sums& sums, const u64* places, float* partials) {
        u32 lane = lane_of_thread(), warp = warp_of_thread(), g = lane / 4;
        T::finish(sums);
        if (lane % 4 == 0) {
#pragma unroll
            for (u32 half = 0; half < 2; ++half) {
                shared.largest[warp][g + 8 * half] = sums.largest[half];
                shared.weights[warp][g + 8 * half] = sums.weights[half];
            }
        }
        sync();
        float factors[2];
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            float largest = -INFINITE_FLOAT;
#pragma unroll
            for (u32 i = 0; i < N_WARPS; ++i) largest = fmaxf(largest, shared.largest[i][g + 8 * half]);
            factors[half] = sums.largest[half] == -INFINITE_FLOAT ? 0.0f : exp2_fast(sums.largest[half] - largest);
        }
        u32 query = threadIdx.x / 8;
        bool is_seen = shared.seen[query].first < shared.seen[query].end;
        float* out = partials + places[query];
#pragma unroll
        for (u32 part = 0; part < T::VALUE_PARTS; ++part) {
#pragma unroll
            for (u32 j = 0; j < 4; ++j)
#pragma unroll
                for (u32 i = 0; i < T::OWN; i += 4) {
                    float(*values)[4] = &sums.values[part][i];
                    float factor = factors[j / 2];
                    float* room = &shared.values[warp][g + j / 2 * 8][T::column(0, i, j % 2)];
                    *reinterpret_cast<float4*>(room) = make_float4(values[0][j] * factor, values[1][j] * factor,
                                                                   values[2][j] * factor, values[3][j] * factor);
                }
            sync();
            if (is_seen) {
#pragma unroll
                for (u32 i = 0; i < WIDTH; i += 16) {
                    u32 column = i + threadIdx.x % 8 * 2;
                    float2 sum = make_float2(0.0f, 0.0f);
#pragma unroll
                    for (u32 w = 0; w < N_WARPS; ++w) {
                        float2 value = *reinterpret_cast<const float2*>(&shared.values[w][query][column]);
                        sum.x += value.x;
                        sum.y += value.y;
                    }
                    *reinterpret_cast<float2*>(out + 2 + part * WIDTH + column) = sum;
                }
            }
            sync();
        }
        if (is_seen && threadIdx.x % 8 == 0) {
            float largest = -INFINITE_FLOAT, sum = 0.0f;
            for (u32 w = 0; w < N_WARPS; ++w) largest = fmaxf(largest, shared.largest[w][query]);
            for (u32 w = 0; w < N_WARPS; ++w) {
                float mine = shared.largest[w][query];
                if (mine != -INFINITE_FLOAT) sum += shared.weights[w][query] * exp2_fast(mine - largest);
            }
            *reinterpret_cast<float2*>(out) = make_float2(largest, sum);
        }
    }
};

template <u32 DIM>
DEVICE void attend(const Row* rows, const Sequence* sequence, const f16* queries, u32 n_rows, u32 layer, u32 n_heads,
                   u32 n_kv_heads, u32 max_splits, float* partials) {
    typedef Work<DIM> W;
    typedef typename W::T T;
    __shared__ typename W::Shared shared;
    // Where each query's partial stands.
    __shared__ u64 places[N_QUERIES];
    if (warp_of_thread() == 0) read_rows(shared.rows, rows, n_rows);
    sync();
    u32 group = n_heads / n_kv_heads, n_loops = sequence->n_loops, window = sequence->window;
    u32 n_tiles = (n_rows * group + N_QUERIES - 1) / N_QUERIES;
    u32 n_splits = min(shared.rows.last / SPLIT + 1, max_splits);
    u32 n_global = n_splits * n_kv_heads * n_tiles;
    // A later loop has no more tiles than all rows together; those that it has not are passed over.
    u32 n_items = n_global + (n_loops - 1) * n_kv_heads * n_tiles;
    for (u32 item = blockIdx.x; item < n_items; item += gridDim.x) {
        u32 tile = item % n_tiles, kv_head = item / n_tiles % n_kv_heads, rest = item / n_tiles / n_kv_heads;
        u32 split = rest, loop = 0;
        if (n_splits <= rest) split = max_splits, loop = rest - n_splits + 1;
        u32 n_queries = shared.rows.n_of_loop[loop] * group;
        if (n_queries <= tile * N_QUERIES) continue;
        const Loop& own = sequence->loops[loop];
        u32 base = own.base;

        // The query that this thread speaks for: two threads of each warp for each.
        u32 query = tile * N_QUERIES + threadIdx.x % N_QUERIES;
        bool is_query = query < n_queries;
        u32 row = is_query ? shared.rows.of_loop[loop][query / group] : 0;
        u32 head = kv_head * group + query % group;
        u32 position = shared.rows.positions[row];
        Seen seen = {0, 0};
        if (is_query) {
            if (loop == 0) {
                seen.first = split * SPLIT;
                seen.end = max(seen.first, min(seen.first + SPLIT, position + 1));
            } else {
                seen.first = max(position - min(position, window), base);
                seen.end = position + 1;
            }
        }
        u32 first = seen.first < seen.end ? seen.first : ~0u, end = seen.first < seen.end ? seen.end : 0;
#pragma unroll
        for (u32 mask = N_QUERIES / 2; mask > 0; mask /= 2) {
            first = min(first, shuffle_xor(first, mask));
            end = max(end, shuffle_xor(end, mask));
        }
        // The same in all threads, so that all pass over it.
        if (end <= first) continue;
        if (threadIdx.x < N_QUERIES) {
            shared.seen[query % N_QUERIES] = seen;
            places[query % N_QUERIES] = ((u64(row) * n_heads + head) * (max_splits + 1) + split) * (DIM + 2);
        }
        const f16* addresses[2];
        u32 g = lane_of_thread() / 4;
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            u32 from = shuffle(row * n_heads + head, g + 8 * half);
            bool is_there = tile * N_QUERIES + g + 8 * half < n_queries;
            addresses[half] = is_there ? queries + u64(from) * DIM : nullptr;
        }
        typename T::Queries mine;
        T::load_queries(mine, addresses[0], addresses[1]);
        sync();

        u64 start = (u64(layer) * n_kv_heads + kv_head) * own.capacity * DIM;
        typename T::Sums sums;
        T::clear(sums);
        W::take(sums, mine, shared.seen, at<f16>(own.keys) + start, at<f16>(own.values) + start, base,
                first / STEP * STEP, end, loop != 0);
        W::merge(shared, sums, places, partials);
        sync();
    }
}

}  // namespace few

#define ATTEND_FEW(DIM)                                                                                               \
    KERNEL __launch_bounds__(few::N_WARPS * WARP, 2)                                                                  \
        attend_few_##DIM(const Row* rows, const Sequence* sequence, const f16* queries, u32 n_rows, u32 layer,        \
                         u32 n_heads, u32 n_kv_heads, u32 max_splits, float* partials) {                              \
        few::attend<DIM>(rows, sequence, queries, n_rows, layer, n_heads, n_kv_heads, max_splits, partials);          \
    }                                                                                                                 \
    REGISTER(attend_few_##DIM)

ATTEND_FEW(32);
ATTEND_FEW(64);
ATTEND_FEW(128);
