// What the lanes of a warp do together. Each brings its part; the last to come does the work for all.
#include <stdio.h>

#include "region.h"

namespace simulator {

using Work = void (*)(Slot* slots);

static const Slot* meet(Site site, const void* part, size_t size, Work work) {
    Region& r = region();
    Fiber& self = *r.current;
    Warp& warp = r.warps[self.number / lanes];
    if (warp.n_live != lanes) {
        fail("calls %s at %s:%d in a warp of %u threads", site.operation, site.file, site.line, warp.n_live);
    }
    Slot* slots = warp.slots[self.n_operations++ % 2];
    memcpy(slots[self.number % lanes].words, part, size);
    if (warp.n_arrived == 0) warp.site = site;
    if (warp.site.line != site.line || strcmp(warp.site.file, site.file) != 0) {
        fail("calls %s at %s:%d, but others of its warp call %s at %s:%d", site.operation, site.file, site.line,
             warp.site.operation, warp.site.file, warp.site.line);
    }
    if (++warp.n_arrived < lanes) {
        r.wait(State::in_warp_operation, site);
        return slots;
    }
    warp.n_arrived = 0;
    if (work) work(slots);
    r.make_ready(r.fibers + self.number / lanes * lanes, lanes);
    return slots;
}

void meet_warp(const char* file, int line) {
    meet({"sync_warp", file, line}, nullptr, 0, nullptr);
}

uint64_t exchange(uint64_t bits, unsigned from, const char* file, int line) {
    const Slot* slots = meet({"shuffle", file, line}, &bits, sizeof bits, nullptr);
    memcpy(&bits, slots[from].words, sizeof bits);
    return bits;
}

unsigned vote(bool is_true, const char* file, int line) {
    uint32_t mine = is_true;
    const Slot* slots = meet({"vote", file, line}, &mine, sizeof mine, nullptr);
    unsigned result = 0;
    for (unsigned lane = 0; lane < lanes; ++lane) result |= slots[lane].words[0] << lane;
    return result;
}

// Words of a slot: four of A, two of B, four of C, as the PTX manual lays out fragments of m16n8k16 and m16n8k32.
constexpr unsigned b_words = 4, c_words = 6;

static double from_bf16(uint32_t bits) {
    bits <<= 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static double from_f16(uint32_t bits) {
    uint32_t magnitude = (bits & 0x7fff) << 13;
    if (magnitude >= 0x0f800000) magnitude |= 0x7f800000;
    float x;
    memcpy(&x, &magnitude, 4);
    if (magnitude < 0x7f800000) x *= 0x1p112f;
    return bits & 0x8000 ? -x : x;
}

static double first_half(uint32_t pair, bool is_f16) { return is_f16 ? from_f16(pair & 0xffff) : from_bf16(pair & 0xffff); }
static double second_half(uint32_t pair, bool is_f16) { return is_f16 ? from_f16(pair >> 16) : from_bf16(pair >> 16); }

// Products of halves are exact in doubles and so, nearly always, is their sum, which is rounded once. A tensor
// core keeps fewer bits.
template <bool is_f16> __attribute__((optimize("O3"))) static void multiply_halves(Slot* slots) {
    double a[16][16], b[16][8], c[16][8];
    for (unsigned lane = 0; lane < lanes; ++lane) {
        const uint32_t* words = slots[lane].words;
        unsigned group = lane / 4, member = lane % 4;
        for (unsigned i = 0; i < 4; ++i) {
            double* pair = &a[group + 8 * (i % 2)][2 * member + 8 * (i / 2)];
            pair[0] = first_half(words[i], is_f16);
            pair[1] = second_half(words[i], is_f16);
        }
        for (unsigned i = 0; i < 2; ++i) {
            b[2 * member + 8 * i][group] = first_half(words[b_words + i], is_f16);
            b[2 * member + 8 * i + 1][group] = second_half(words[b_words + i], is_f16);
        }
        float sums[4];
        memcpy(sums, words + c_words, sizeof sums);
        for (unsigned i = 0; i < 4; ++i) c[group + 8 * (i / 2)][2 * member + i % 2] = sums[i];
    }
    for (unsigned m = 0; m < 16; ++m) {
        for (unsigned k = 0; k < 16; ++k) {
            for (unsigned n = 0; n < 8; ++n) c[m][n] += a[m][k] * b[k][n];
        }
    }
    for (unsigned lane = 0; lane < lanes; ++lane) {
        float sums[4];
        for (unsigned i = 0; i < 4; ++i) sums[i] = float(c[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2]);
        memcpy(slots[lane].words + c_words, sums, sizeof sums);
    }
}

template <class A> __attribute__((optimize("O3"))) static void multiply_bytes(Slot* slots) {
    int32_t a[16][32], b[32][8], c[16][8];
    for (unsigned lane = 0; lane < lanes; ++lane) {
        const uint32_t* words = slots[lane].words;
        unsigned group = lane / 4, member = lane % 4;
        for (unsigned byte = 0; byte < 4; ++byte) {
            for (unsigned i = 0; i < 4; ++i) {
                a[group + 8 * (i % 2)][4 * member + 16 * (i / 2) + byte] = A(words[i] >> 8 * byte);
            }
            for (unsigned i = 0; i < 2; ++i) {
                b[4 * member + 16 * i + byte][group] = int8_t(words[b_words + i] >> 8 * byte);
            }
        }
        for (unsigned i = 0; i < 4; ++i) c[group + 8 * (i / 2)][2 * member + i % 2] = int32_t(words[c_words + i]);
    }
    for (unsigned m = 0; m < 16; ++m) {
        for (unsigned k = 0; k < 32; ++k) {
            for (unsigned n = 0; n < 8; ++n) c[m][n] += a[m][k] * b[k][n];
        }
    }
    for (unsigned lane = 0; lane < lanes; ++lane) {
        for (unsigned i = 0; i < 4; ++i) {
            slots[lane].words[c_words + i] = uint32_t(c[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2]);
        }
    }
}

void multiply(Product product, void* c, const uint32_t* a, const uint32_t* b, const char* file, int line) {
    static const Work works[] = {multiply_halves<false>, multiply_halves<true>, multiply_bytes<int8_t>, multiply_bytes<uint8_t>};
    static const char* const names[] = {"mma_bf16", "mma_f16", "mma_s8", "mma_u8s8"};
    Slot part;
    memcpy(part.words, a, 16);
    memcpy(part.words + b_words, b, 8);
    memcpy(part.words + c_words, c, 16);
    const Slot* slots = meet({names[int(product)], file, line}, &part, sizeof part, works[int(product)]);
    memcpy(c, slots[region().current->number % lanes].words + c_words, 16);
}

void load_matrices(uint32_t* r, unsigned n, bool transposed, const void* row, const char* file, int line) {
    check_alignment(row, 16, file, line);
    const Slot* slots = meet({"load_matrix", file, line}, &row, sizeof row, nullptr);
    unsigned lane = region().current->number % lanes, group = lane / 4, member = lane % 4;
    for (unsigned i = 0; i < n; ++i) {
        auto half = [&](unsigned m, unsigned k) {
            const char* address;
            memcpy(&address, slots[8 * i + m].words, sizeof address);
            uint16_t bits;
            memcpy(&bits, address + 2 * k, 2);
            return uint32_t(bits);
        };
        r[i] = transposed ? half(2 * member, group) | half(2 * member + 1, group) << 16
                          : half(group, 2 * member) | half(group, 2 * member + 1) << 16;
    }
    // On a GPU all lanes have read before any goes on; here one that goes on might write to a row.
    meet({"load_matrix", file, line}, nullptr, 0, nullptr);
}

constexpr unsigned copy_size = 16;

void copy_later(void* shared, const void* global, const char* file, int line) {
    check_alignment(shared, copy_size, file, line);
    check_alignment(global, copy_size, file, line);
    // A fault should show where the copy is asked for.
    static_cast<void>(*static_cast<const volatile char*>(global));
    static_cast<void>(*(static_cast<const volatile char*>(global) + copy_size - 1));
    memset(shared, 0xff, copy_size);
    region().current->copies.push_back({static_cast<char*>(shared), static_cast<const char*>(global)});
}

void commit_copies() {
    Fiber& self = *region().current;
    size_t committed = 0;
    for (size_t n : self.groups) committed += n;
    self.groups.push_back(self.copies.size() - committed);
}

void wait_for_copies(unsigned n_left) {
    Fiber& self = *region().current;
    while (self.groups.size() > n_left) {
        size_t n = self.groups.front();
        for (size_t i = 0; i < n; ++i) memcpy(self.copies[i].to, self.copies[i].from, copy_size);
        self.copies.erase(self.copies.begin(), self.copies.begin() + ptrdiff_t(n));
        self.groups.erase(self.groups.begin());
    }
}

void check_alignment(const void* pointer, size_t size, const char* file, int line) {
    if (uintptr_t(pointer) % size != 0) fail("%p at %s:%d is not aligned to %zu bytes", pointer, file, line, size);
}

}  // namespace simulator
