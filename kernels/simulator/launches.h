// Kernels by name, and launches of them.
#pragma once

#include <stddef.h>
#include <string.h>

#include <string>
#include <tuple>
#include <vector>

#include "fibers.h"

namespace simulator {

struct Kernel {
    const char* name;
    void (*function)();
    // Calls `function` with the parameters that stand one behind the other in `packed`.
    void (*call)(void (*function)(), const char* packed);
    std::vector<size_t> parameter_sizes;
    size_t shared_limit = 48 * 1024;
};

Kernel* find_kernel(const char* name);

template <class P> P take(const char*& packed) {
    P value;
    memcpy(&value, packed, sizeof(P));
    packed += sizeof(P);
    return value;
}

template <class... P> void call_packed(void (*function)(), const char* packed) {
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

struct Launch {
    Kernel* kernel;
    Index grid, block;
    unsigned shared_bytes;
    std::string packed;
};

enum class Outcome { done, illegal_address, failed };

// Runs all blocks. What went wrong is printed to stderr.
Outcome run(const Launch& launch);

}  // namespace simulator
