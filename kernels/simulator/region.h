// What an OS thread needs to run blocks: fibers, their stacks, exchange buffers of warps, shared memory.
#pragma once

#include <string>
#include <vector>

#include "launches.h"
#include "switch.h"

namespace simulator {

constexpr unsigned lanes = 32, most_threads = 1024;

// What a lane brings to an operation of its warp, and takes away.
struct Slot { uint32_t words[12]; };

// A call in a kernel at which threads meet.
struct Site {
    const char* operation;
    const char* file;
    int line;
};

struct Copy {
    char* to;
    const char* from;
};

enum class State { ready, at_barrier, in_warp_operation, exited };

struct Fiber {
    Context context;
    Index thread;
    unsigned number;
    State state;
    Site site;
    unsigned n_operations;
    std::vector<Copy> copies;
    // Sizes of committed groups, the oldest first; the copies behind them are not committed.
    std::vector<size_t> groups;
};

struct Warp {
    unsigned n_live, n_arrived;
    Site site;
    // Two, since a lane may bring the next before others have taken the last.
    Slot slots[2][lanes];
};

struct Region {
    Here here;
    Context main;
    Fiber* current;
    const Launch* launch;
    unsigned n_threads, n_live, n_at_barrier;
    Site barrier;
    Outcome outcome;
    uint64_t random;
    char* shared_end;
    char* statics;
    size_t statics_size;
    std::vector<Fiber*> ready;
    Fiber fibers[most_threads];
    Warp warps[most_threads / lanes];

    void start(const Launch& launch, Index block, uint64_t seed);
    void run();
    void make_ready(Fiber* first, unsigned n);
    void resume_next(Context& from);
    void wait(State state, Site site);
    void release_barrier();
    void exit_fiber();
    [[noreturn]] void leave(Outcome outcome);
    std::string where() const;
    std::string who_waits() const;

private:
    Fiber* take_ready();
    void poison_shared();
};

// That of the running fiber.
inline Region& region() {
    return *reinterpret_cast<Region*>(uintptr_t(__builtin_frame_address(0)) & ~(region_size - 1));
}

char* stack_top(Region& region, unsigned fiber);
char* stack_bottom(Region& region, unsigned fiber);

// The region a fiber with this stack pointer runs in, or null.
Region* region_of(uintptr_t stack_pointer);

bool is_below_a_stack(const Region& region, uintptr_t address);

void print(const std::string& message);

}  // namespace simulator
