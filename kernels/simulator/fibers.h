// The threads of one block as fibers of one OS thread, and what they do together.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace simulator {

struct Launch;

struct Index { unsigned x, y, z; };

// Where the running fiber stands in its launch.
struct Here { Index thread, block, block_size, grid_size; };

// All stacks of an OS thread lie in one region, aligned to its size, that begins with where the fiber stands:
// cheaper than a thread-local variable of a loaded library.
constexpr uintptr_t region_size = uintptr_t(128) << 20;

inline const Here& here() {
    return *reinterpret_cast<const Here*>(uintptr_t(__builtin_frame_address(0)) & ~(region_size - 1));
}

enum class Product { bf16, f16, s8, u8s8 };

// Barriers. `file` and `line` are those of the kernel that calls.
void meet_block(const char* file, int line);
void meet_warp(const char* file, int line);

// Gets what lane `from` of the warp brings.
uint64_t exchange(uint64_t bits, unsigned from, const char* file, int line);
unsigned vote(bool is_true, const char* file, int line);
void multiply(Product product, void* c, const uint32_t* a, const uint32_t* b, const char* file, int line);
void load_matrices(uint32_t* r, unsigned n, bool transposed, const void* row, const char* file, int line);

// Copies take place when they are waited for, so that a wait which is missing shows.
void copy_later(void* shared, const void* global, const char* file, int line);
void commit_copies();
void wait_for_copies(unsigned n_left);

void check_alignment(const void* pointer, size_t size, const char* file, int line);
char* dynamic_shared();

// Ends the launch from within a fiber.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

enum class Outcome { done, illegal_address, failed };

struct Region;

// The room in which an OS thread runs blocks. Never given back.
Region& make_region();

// Runs one block on this OS thread. What went wrong is printed.
Outcome run_block(Region& region, const Launch& launch, Index block, uint64_t seed);

// Makes faults in kernels end their launch, and leaves other faults to those who handled them before.
void catch_faults();

}  // namespace simulator
