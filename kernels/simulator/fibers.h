// The threads of one block as fibers of one OS thread, and what they do together.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace simulator {

struct Index { unsigned x, y, z; };

// Where the running fiber stands in its launch. Read often, hence the cheap access.
struct Here { Index thread, block, block_size, grid_size; };
extern thread_local Here here __attribute__((tls_model("initial-exec")));

enum class Product { bf16, f16, s8, u8s8 };

// Barriers. `file` and `line` are those of the kernel that calls.
void meet_block(const char* file, int line);
void meet_warp(const char* file, int line);

// Gets what lane `from` of the warp brings.
uint64_t exchange(const char* operation, uint64_t bits, unsigned from, const char* file, int line);
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

using Body = void (*)(const void* launch);

struct Shape {
    Index grid, block;
    unsigned shared_bytes;
    const char* kernel;
};

// Runs one block on this OS thread, which must have been prepared; false where it failed, the reason in `message`.
bool run_block(const Shape& shape, Index block, Body body, const void* argument, uint64_t seed, char* message, size_t size);

// Stacks, an alternate stack for signals: once in each OS thread that runs blocks.
void prepare_thread();

}  // namespace simulator
