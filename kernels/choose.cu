// The next token from logits, and the rows of the next pass from the token.
//
// logits    float [rows, vocab], of which the first n_usable of a row are looked at, and of those the finite ones
//
// argmax    grid (rows) blocks of 1024 threads: the first of the largest, and its log probability
// sample    grid (rows) blocks of 1024 threads: the rule of crates/model/src/choose.rs for a given number in [0, 1), that of
//           slot (count + row) % ring_len of `uniforms`, so that a graph draws anew each time it is launched
// next      one thread
//
// argmax reads a logit twice, and sample up to 21 times and most often 12 times, from the L2: next to the weights of a step
// that is little.
#include "device.cuh"

#define N_THREADS 1024
#define NONE 0xffffffffu

DEVICE bool is_finite(float x) { return (bits_of(x) & 0x7f800000) != 0x7f800000; }

struct Best { float logit; u32 id; };

DEVICE Best better(Best a, Best b) {
    if (b.id == NONE) return a;
    if (a.id == NONE) return b;
    return a.logit < b.logit || (a.logit == b.logit && b.id < a.id) ? b : a;
}

// The same in all threads; its id is NONE if there is no finite logit.
DEVICE Best find_largest(const float* logits, u32 n) {
    __shared__ Best of_warps[N_THREADS / WARP];
    Best best{0.0f, NONE};
#pragma unroll 8
    for (u32 id = threadIdx.x; id < n; id += N_THREADS) {
        float logit = logits[id];
        if (is_finite(logit)) best = better(best, Best{logit, id});
    }
    for (u32 mask = WARP / 2; mask > 0; mask /= 2)
        best = better(best, Best{shuffle_xor(best.logit, mask), shuffle_xor(best.id, mask)});
    if (lane_of_thread() == 0) of_warps[warp_of_thread()] = best;
    sync();
    for (u32 warp = 0; warp < N_THREADS / WARP; ++warp) best = better(best, of_warps[warp]);
    sync();
    return best;
}

DEVICE float log_probability(const float* logits, u32 n, float largest, float logit) {
    __shared__ float scratch[N_THREADS / WARP];
    float sum = 0.0f;
#pragma unroll 8
    for (u32 id = threadIdx.x; id < n; id += N_THREADS) {
        float of_id = logits[id];
        if (is_finite(of_id)) sum += expf(of_id - largest);
    }
    return logit - largest - logf(block_sum(sum, scratch));
}

KERNEL __launch_bounds__(N_THREADS, 1)
    argmax(const float* logits, u32 vocab, u32 n_usable, Choice* out) {
    const float* of_row = logits + u64(blockIdx.x) * vocab;
    u32 n = min(vocab, n_usable);
    Best best = find_largest(of_row, n);
    bool is_any = best.id != NONE;
    float probability = is_any ? log_probability(of_row, n, best.logit, best.logit) : NAN_FLOAT;
    if (threadIdx.x == 0) out[blockIdx.x] = Choice{is_any ? best.id : 0, probability, is_any ? 1u : 0u, 0};
}
REGISTER(argmax);

// Candidates are ordered by their scaled logit, the largest first, then by their id. The place of one in that order is what
// passes over all of them find, digit by digit of its key and, where keys are the same, of its id: each pass makes a
// histogram of the candidates whose earlier digits are those found before.

// Grows as the logit falls, as its order by `total_cmp` has it.
DEVICE u32 key_of(float scaled) {
    u32 bits = bits_of(scaled);
    return bits & 0x80000000 ? bits : ~bits & 0x7fffffff;
}

#define DIGIT_BITS 11
#define N_DIGITS (1 << DIGIT_BITS)
// Weights are whole multiples of 2^-28 in two halves, so that their sums are exact, in any order, and fit into 32 bits.
#define WEIGHT_BITS 28
#define HALF_BITS 14

struct Histogram {
    u32 count[N_DIGITS];
    u32 upper[N_DIGITS];
    u32 lower[N_DIGITS];
};

// So many candidates, and what their weights come to.
struct Amount { u64 count; u64 weight; };

DEVICE Amount amount_of(const Histogram& histogram, u32 digit) {
    return Amount{histogram.count[digit], (u64(histogram.upper[digit]) << HALF_BITS) + histogram.lower[digit]};
}

DEVICE Amount operator+(Amount a, Amount b) { return Amount{a.count + b.count, a.weight + b.weight}; }

// At least so many, or at least so much: the other is 0.
DEVICE bool reaches(Amount have, Amount goal) { return goal.count <= have.count && goal.weight <= have.weight; }

DEVICE Amount warp_sum(Amount value) {
    for (u32 mask = WARP / 2; mask > 0; mask /= 2)
        value = value + Amount{shuffle_xor(value.count, mask), shuffle_xor(value.weight, mask)};
    return value;
}

struct Candidates {
    const float* logits;
    u32 n;
    float temperature;
    // The scaled logit of the first.
    float largest;

    DEVICE bool get(u32 id, u32* key, u32* weight) const {
        float logit = logits[id];
        if (!is_finite(logit)) return false;
        float scaled = logit / temperature;
        *key = key_of(scaled);
        *weight = u32(nearest(expf(scaled - largest) * float(1 << WEIGHT_BITS)));
        return true;
    }
};

DEVICE Amount count_all(const Candidates& candidates) {
    __shared__ Amount of_warps[N_THREADS / WARP];
    Amount sum{0, 0};
#pragma unroll 4
    for (u32 id = threadIdx.x; id < candidates.n; id += N_THREADS) {
        u32 key, weight;
        if (candidates.get(id, &key, &weight)) sum = sum + Amount{1, weight};
    }
    sum = warp_sum(sum);
    if (lane_of_thread() == 0) of_warps[warp_of_thread()] = sum;
    sync();
    sum = Amount{0, 0};
    for (u32 warp = 0; warp < N_THREADS / WARP; ++warp) sum = sum + of_warps[warp];
    sync();
    return sum;
}

// A candidate, and what has come together up to and with it.
struct Place { u32 id; Amount reached; };

// The first candidate in the order with which the goal is reached; all of them together reach it. The same in all threads.
DEVICE Place find(const Candidates& candidates, Amount goal) {
    __shared__ Histogram histogram;
    __shared__ Amount of_warps[N_THREADS / WARP], before, reached;
    __shared__ u32 digit_found, n_in_digit, id_found;
    if (threadIdx.x == 0) {
        before = Amount{0, 0};
        n_in_digit = NONE;
    }
    sync();
    u32 prefix = 0, key = 0, shift = 32;
    bool is_id = false;
    // Three digits of the key, then two of the id, until one candidate is left.
    for (u32 level = 0; level < 5 && n_in_digit != 1; ++level) {
        if (level == 3) {
            key = prefix;
            prefix = 0;
            is_id = true;
            shift = 2 * DIGIT_BITS;
        }
        u32 top = shift, n_bits = level == 2 ? 32 - 2 * DIGIT_BITS : DIGIT_BITS;
        shift = top - n_bits;
        for (u32 i = threadIdx.x; i < N_DIGITS; i += N_THREADS)
            histogram.count[i] = histogram.upper[i] = histogram.lower[i] = 0;
        sync();
#pragma unroll 4
        for (u32 id = threadIdx.x; id < candidates.n; id += N_THREADS) {
            u32 of_id, weight;
            if (!candidates.get(id, &of_id, &weight) || (is_id && of_id != key)) continue;
            u64 number = is_id ? id : of_id;
            if (number >> top != prefix) continue;
            u32 digit = u32(number >> shift) & ((1u << n_bits) - 1);
            fetch_add(&histogram.count[digit], 1);
            if (weight == 0) continue;
            fetch_add(&histogram.upper[digit], weight >> HALF_BITS);
            fetch_add(&histogram.lower[digit], weight & ((1u << HALF_BITS) - 1));
        }
        sync();
        // A warp has 64 digits that follow each other, a lane two of them.
        u32 first = 2 * threadIdx.x;
        Amount sum = warp_sum(amount_of(histogram, first) + amount_of(histogram, first + 1));
        if (lane_of_thread() == 0) of_warps[warp_of_thread()] = sum;
        sync();
        if (threadIdx.x == 0) {
            Amount have = before;
            u32 digit = 0;
            while (digit < N_DIGITS - 64 && !reaches(have + of_warps[digit / 64], goal)) {
                have = have + of_warps[digit / 64];
                digit += 64;
            }
            while (digit < N_DIGITS - 1 &&
                   (histogram.count[digit] == 0 || !reaches(have + amount_of(histogram, digit), goal))) {
                have = have + amount_of(histogram, digit);
                ++digit;
            }
            before = have;
            reached = have + amount_of(histogram, digit);
            n_in_digit = histogram.count[digit];
            digit_found = digit;
        }
        sync();
        prefix = prefix << n_bits | digit_found;
    }
    for (u32 id = threadIdx.x; id < candidates.n; id += N_THREADS) {
        u32 of_id, weight;
        if (!candidates.get(id, &of_id, &weight) || (is_id && of_id != key)) continue;
        if ((is_id ? id : of_id) >> shift == prefix) id_found = id;
    }
    sync();
    Place place{id_found, reached};
    sync();
    return place;
}

// So much of an amount, rounded up: what is reached by it is reached by that many whole parts.
DEVICE u64 share_of(float share, u64 amount) { return min(u64(ceil(fmax(double(share), 0.0) * double(amount))), amount); }

KERNEL __launch_bounds__(N_THREADS, 1)
    sample(const float* logits, u32 vocab, u32 n_usable, float temperature, u32 top_k, float top_p, const float* uniforms,
           const u32* count, u32 ring_len, Choice* out) {
    __shared__ float uniform;
    if (threadIdx.x == 0) uniform = uniforms[(*static_cast<const volatile u32*>(count) + blockIdx.x) % ring_len];
    const float* of_row = logits + u64(blockIdx.x) * vocab;
    u32 n = min(vocab, n_usable);
    Best best = find_largest(of_row, n);
    if (best.id == NONE) {
        if (threadIdx.x == 0) out[blockIdx.x] = Choice{0, NAN_FLOAT, 0, 0};
        return;
    }
    Candidates candidates{of_row, n, temperature, best.logit / temperature};
    Amount all = count_all(candidates);
    u64 kept = all.weight;
    if (top_k != 0 && top_k < all.count) kept = find(candidates, Amount{top_k, 0}).reached.weight;
    if (top_p < 1.0f) kept = find(candidates, Amount{0, share_of(top_p, kept)}).reached.weight;
    u32 token = find(candidates, Amount{0, share_of(uniform, kept)}).id;
    float probability = log_probability(of_row, n, best.logit, of_row[token]);
    if (threadIdx.x == 0) out[blockIdx.x] = Choice{token, probability, 1, 0};
}
REGISTER(sample);

// `count` is written last, so that a host that sees it sees the choice too; it may wrap around if ring_len is a power of two.
KERNEL next(Row* rows, u32 n_loops, const Choice* choice, Choice* ring, u32* count, u32 ring_len) {
    if (threadIdx.x != 0 || blockIdx.x != 0) return;
    Choice chosen = *choice;
    // The logits were those of the row at this position.
    chosen.position = rows[0].position;
    u32 n_before = *count;
    ring[n_before % ring_len] = chosen;
    fence_system();
    *static_cast<volatile u32*>(count) = n_before + 1;
    for (u32 r = 0; r < n_loops; ++r) rows[r] = Row{chosen.token, chosen.position + 1, r, 0};
}
REGISTER(next);
