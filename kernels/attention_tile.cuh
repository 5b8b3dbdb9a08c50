// What a warp of both attention kernels does: 16 queries of one key/value head against 8 keys at a time, and their
// weights times 16 values at a time. The order of a sum depends on positions alone, and what a query does not see
// changes nothing of it: its largest score stays, its weights are zero, and its sums are multiplied with one.
//
// Lane g * 4 + t of a warp holds numbers of queries g and g + 8.
// The order of the inner dimension of a matrix product is free, as is the order of its columns. Both are chosen so that
// a lane reads 16 bytes at a time from rows as they lie in memory:
//     of a query or key, of every 32 numbers, those from 8t on, which are two products of 16;
//     of a value in registers, of every 64 numbers (of all 32) those from 8g (4g) on, each of which is a column of its own
//     product, so that of the sums it holds 16 (8) that lie side by side, from 16t (8t) on.
#pragma once

#include "device.cuh"

template <u32 DIM> struct Tile {
    static_assert(DIM == 32 || DIM == 64 || DIM == 128, "the scale, and what a lane takes of a value");
    // Parts of a key, and parts of a value.
    static constexpr u32 KEY_PARTS = DIM / 32;
    static constexpr u32 OWN = DIM == 32 ? 4 : 8;
    static constexpr u32 VALUE_PARTS = DIM / (8 * OWN);

    struct Queries { u32 a[2 * KEY_PARTS][4]; };
    struct Value { u32 parts[VALUE_PARTS][OWN / 2]; };

    // exp(x / sqrt(DIM)) is a power of two with this times x.
    static constexpr float SCALE =
        1.4426950408889634f * (DIM == 32 ? 0.17677669529663687f : DIM == 64 ? 0.125f : 0.08838834764831845f);

    // Softmax so far of queries g and g + 8; `largest` is in units of log2. `weights` is only this lane's share until it is added up over t.
    struct Sums {
        float largest[2], weights[2];
        float values[VALUE_PARTS][OWN][4];
    };

    static DEVICE void clear(Sums& sums) {
        sums.largest[0] = sums.largest[1] = -INFINITE_FLOAT;
        sums.weights[0] = sums.weights[1] = 0.0f;
#pragma unroll
        for (u32 part = 0; part < VALUE_PARTS; ++part)
#pragma unroll
            for (u32 i = 0; i < OWN; ++i)
#pragma unroll
                for (u32 j = 0; j < 4; ++j) sums.values[part][i][j] = 0.0f;
    }

    // Null stands for a query that is missing.
    static DEVICE void load_queries(Queries& queries, const f16* upper, const f16* lower) {
        u32 t = lane_of_thread() % 4;
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            const f16* query = half == 0 ? upper : lower;
#pragma unroll
            for (u32 part = 0; part < KEY_PARTS; ++part) {
                uint4 v = make_uint4(0, 0, 0, 0);
                if (query != nullptr) v = *reinterpret_cast<const uint4*>(query + part * 32 + t * 8);
                queries.a[2 * part][half] = v.x;
                queries.a[2 * part][2 + half] = v.y;
                queries.a[2 * part + 1][half] = v.z;
                queries.a[2 * part + 1][2 + half] = v.w;
            }
        }
    }

    template <u32 N> static DEVICE void clear_scores(float scores[N][4]) {
#pragma unroll
        for (u32 i = 0; i < N; ++i) scores[i][0] = scores[i][1] = scores[i][2] = scores[i][3] = 0.0f;
    }

    // Adds a part of the dot products of the queries with N times eight keys, of which this lane brings the g-th; it gets
    // those with 2t and 2t + 1. Products that follow each other belong to different sums, since one waits for another.
    template <u32 N>
    static DEVICE void score(float scores[N][4], const Queries& queries, u32 part, const uint4 keys[N]) {
#pragma unroll
        for (u32 i = 0; i < N; ++i) {
            u32 b[2] = {keys[i].x, keys[i].y};
            mma_f16(scores[i], queries.a[2 * part], b);
        }
#pragma unroll
        for (u32 i = 0; i < N; ++i) {
            u32 b[2] = {keys[i].z, keys[i].w};
            mma_f16(scores[i], queries.a[2 * part + 1], b);
        }
    }

    // Turns dot products with 8 * N keys into weights and corrects the sums so far; what a query does not see has the dot
    // product -infinity.
    template <u32 N> static DEVICE void weigh(Sums& sums, float scores[N][4]) {
        float corrections[2];
        bool is_larger = false;
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            float before = sums.largest[half], largest = scores[0][2 * half];
#pragma unroll
            for (u32 i = 0; i < N; ++i) largest = fmaxf(largest, fmaxf(scores[i][2 * half], scores[i][2 * half + 1]));
            largest = fmaxf(largest, shuffle_xor(largest, 1));
            largest = fmaxf(largest, shuffle_xor(largest, 2));
            largest = fmaxf(before, largest * SCALE);
            is_larger |= before < largest;
            // A query that has seen nothing yet has no largest score; its weights become zero.
            float reference = largest == -INFINITE_FLOAT ? 0.0f : largest;
            corrections[half] = exp2_fast(before - reference);
            float sum = 0.0f;
#pragma unroll
            for (u32 i = 0; i < N; ++i)
#pragma unroll
                for (u32 j = 2 * half; j < 2 * half + 2; ++j) {
                    scores[i][j] = exp2_fast(scores[i][j] * SCALE - reference);
                    sum += scores[i][j];
                }
            sums.largest[half] = largest;
            sums.weights[half] = sums.weights[half] * corrections[half] + sum;
        }
        // Otherwise all corrections are one, or what they correct is zero.
        if (vote(is_larger)) {
#pragma unroll
            for (u32 part = 0; part < VALUE_PARTS; ++part)
#pragma unroll
                for (u32 i = 0; i < OWN; ++i)
#pragma unroll
                    for (u32 j = 0; j < 4; ++j) sums.values[part][i][j] *= corrections[j / 2];
        }
    }

    static DEVICE void pack_weights(u32 weights[4], const float low[4], const float high[4]) {
        weights[0] = pack_f16(low[0], low[1]);
        weights[1] = pack_f16(low[2], low[3]);
        weights[2] = pack_f16(high[0], high[1]);
        weights[3] = pack_f16(high[2], high[3]);
    }

    // Adds weights times 16 values, of which this lane brings 2t, 2t + 1, 2t + 8 and 2t + 9; all must be finite.
    static DEVICE void add(Sums& sums, const float low[4], const float high[4], const Value values[4]) {
        u32 weights[4];
        pack_weights(weights, low, high);
#pragma unroll
        for (u32 part = 0; part < VALUE_PARTS; ++part)
#pragma unroll
            for (u32 i = 0; i < OWN; ++i) {
                u32 selector = i % 2 == 0 ? 0x5410 : 0x7632;
                u32 b[2] = {
                    permute_bytes(values[0].parts[part][i / 2], values[1].parts[part][i / 2], selector),
                    permute_bytes(values[2].parts[part][i / 2], values[3].parts[part][i / 2], selector),
                };
                mma_f16(sums.values[part][i], weights, b);
            }
    }

    // Adds up what lanes of the same queries hold each.
    static DEVICE void finish(Sums& sums) {
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            sums.weights[half] += shuffle_xor(sums.weights[half], 1);
            sums.weights[half] += shuffle_xor(sums.weights[half], 2);
        }
    }

    // Number of a query's values that this lane's sum [part][i] stands for, first of two: j = 0 or 1 adds j * OWN.
    static DEVICE u32 column(u32 part, u32 i, u32 j) {
        return part * 8 * OWN + (lane_of_thread() % 4 * 2 + j) * OWN + i;
    }
};
