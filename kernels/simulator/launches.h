// Kernels by name, and launches of them.
#pragma once

#include <stddef.h>
#include <string.h>

#include <string>
#include <tuple>
#include <vector>

#include "fibers.h"

namespace simulator {

// Bytes of shared memory a block may ask for at launch: without saying so before, and at most.
constexpr size_t default_shared = 48 * 1024, largest_shared = 227 * 1024;

struct Kernel {
    const char* name;
    void (*function)();
    // Calls `function` with the parameters that stand one behind the other in `packed`.
    void (*call)(void (*function)(), const char* packed);
    std::vector<size_t> parameter_sizes;
    size_t shared_limit = default_shared;
};

Kernel* find_kernel(const char* name);

template <class P> P take(const char*& packed) {
    P value;
    memcpy(&value, packed, sizeof(P));
    packed += sizeof(P);
    return value;
}

template <class... P> void call_packed(void (*function)(), [[maybe_unused]] const char* packed) {
    // Braces, unlike parentheses, evaluate from left to right.
    std::tuple<P...> parameters{take<P>(packed)...};
    std::apply(reinterpret_cast<void (*)(P...)>(function), parameters);
}

// One for each kernel, made when the library is loaded.
struct Registration {
    template <class... P>
    Registration(const char* name, void (*kernel)(P...))
        : Registration(Kernel{name, reinterpret_cast<void (*)()>(kernel), call_packed<P...>, {sizeof(P)...}}) {}
    explicit Registration(Kernel kernel);
};

enum class Order { forward, reverse, shuffled };

// In which order blocks, and threads that could go on, do so: SIMULATOR_ORDER=forward, reverse or shuffled(seed).
struct Schedule { Order order; uint64_t seed; };
const Schedule& schedule();

struct Launch {
    const Kernel* kernel;
    Index grid, block;
    unsigned shared_bytes;
    std::string packed;
};

// Runs all blocks, one launch at a time.
Outcome run(const Launch& launch);

}  // namespace simulator
