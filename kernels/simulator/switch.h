// Leaving one stack for another.
#pragma once

#include <stdint.h>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace simulator {

#if defined(__x86_64__)

struct Context { void* stack_pointer; };

extern "C" void simulator_switch(void** from, void* to);

inline void switch_context(Context& from, const Context& to) { simulator_switch(&from.stack_pointer, to.stack_pointer); }

// `top` is the end of the stack, aligned to 16 bytes. `start` must not return.
inline void prepare_context(Context& context, char*, char* top, void (*start)()) {
    void** frame = reinterpret_cast<void**>(top);
    *--frame = nullptr;  // where `start` would return to; it also gives the stack the alignment of a call
    *--frame = reinterpret_cast<void*>(start);
    for (int saved = 0; saved < 6; ++saved) *--frame = nullptr;
    context.stack_pointer = frame;
}

#else

struct Context { ucontext_t context; };

inline void switch_context(Context& from, const Context& to) { swapcontext(&from.context, &to.context); }

inline void prepare_context(Context& context, char* bottom, char* top, void (*start)()) {
    getcontext(&context.context);
    context.context.uc_stack.ss_sp = bottom;
    context.context.uc_stack.ss_size = size_t(top - bottom);
    context.context.uc_link = nullptr;
    makecontext(&context.context, start, 0);
}

#endif

}  // namespace simulator
