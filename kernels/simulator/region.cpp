// Rooms for fibers, and faults in them.
#include "region.h"

#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <atomic>
#include <new>

#include "memory.h"

namespace simulator {

// A region: its structure, stacks, shared memory, a guard page. Stacks are no power of two apart, so that
// their tops do not fall into the same sets of a cache.
constexpr size_t stack_size = 17 * page, stacks_at = size_t(1) << 20, most_regions = 64;
static_assert(sizeof(Region) <= stacks_at && stacks_at + most_threads * stack_size + largest_shared + 2 * page <= region_size);

static std::atomic<Region*> regions[most_regions];

char* stack_bottom(Region& region, unsigned fiber) {
    return reinterpret_cast<char*>(&region) + stacks_at + fiber * stack_size;
}

char* stack_top(Region& region, unsigned fiber) {
    return stack_bottom(region, fiber) + stack_size - fiber % 32 * 128;
}

bool is_below_a_stack(const Region& region, uintptr_t address) {
    uintptr_t offset = address - uintptr_t(&region);
    return offset >= stacks_at && offset < stacks_at + most_threads * stack_size && (offset - stacks_at) % stack_size < page;
}

Region* region_of(uintptr_t stack_pointer) {
    for (const auto& region : regions) {
        Region* one = region.load();
        if (one && stack_pointer - uintptr_t(one) < region_size) return one;
    }
    return nullptr;
}

static void fill_with_fiber_stacks(Region& region) {
    for (unsigned i = 0; i < most_threads; ++i) mprotect(stack_bottom(region, i), page, PROT_NONE);
    char* end = reinterpret_cast<char*>(&region) + region_size - page;
    mprotect(end, page, PROT_NONE);
    region.shared_end = end;
}

// Variables declared __shared__ are those of the thread in the module that this function is part of.
static void find_statics(Region& region) {
    static thread_local volatile char anchor = 0;
    anchor = anchor + 1;  // the module has none in this thread before one is used
    auto look = [](dl_phdr_info* module, size_t, void* into) {
        bool is_this = false;
        const ElfW(Phdr)* statics = nullptr;
        for (unsigned i = 0; i < module->dlpi_phnum; ++i) {
            const ElfW(Phdr)& part = module->dlpi_phdr[i];
            is_this |= part.p_type == PT_LOAD && uintptr_t(find_statics) - (module->dlpi_addr + part.p_vaddr) < part.p_memsz;
            if (part.p_type == PT_TLS) statics = &part;
        }
        if (!is_this) return 0;
        Region& found = *static_cast<Region*>(into);
        found.statics = static_cast<char*>(module->dlpi_tls_data);
        found.statics_size = statics ? statics->p_memsz : 0;
        return 1;
    };
    dl_iterate_phdr(look, &region);
}

// Signals come on a stack of their own: the fiber's may have ended.
static void give_signals_a_stack() {
    constexpr size_t size = 64 * 1024;
    stack_t stack = {};
    stack.ss_sp = malloc(size);
    stack.ss_size = size;
    sigaltstack(&stack, nullptr);
}

Region& make_region() {
    char* room = static_cast<char*>(mmap(nullptr, 2 * region_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (room == MAP_FAILED) {
        print("no room for stacks");
        abort();
    }
    room += region_size - uintptr_t(room) % region_size;
    Region& region = *new (room) Region();
    fill_with_fiber_stacks(region);
    find_statics(region);
    give_signals_a_stack();
    for (auto& place : regions) {
        Region* none = nullptr;
        if (place.compare_exchange_strong(none, &region)) return region;
    }
    print("too many threads");
    abort();
}

static struct sigaction earlier[NSIG];

static void hand_to_earlier(int signal, siginfo_t* info, void* context) {
    const struct sigaction& action = earlier[signal];
    if (action.sa_flags & SA_SIGINFO) {
        action.sa_sigaction(signal, info, context);
    } else if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
        sigaction(signal, &action, nullptr);  // the instruction faults again
    } else {
        action.sa_handler(signal);
    }
}

static uintptr_t stack_pointer(const void* context) {
    const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    return uintptr_t(machine.gregs[REG_RSP]);
#elif defined(__aarch64__)
    return uintptr_t(machine.sp);
#endif
}

static void on_fault(int signal, siginfo_t* info, void* context) {
    Region* region = region_of(stack_pointer(context));
    if (!region) return hand_to_earlier(signal, info, context);
    uintptr_t address = uintptr_t(info->si_addr);
    Outcome outcome = Outcome::illegal_address;
    std::string what;
    if (signal == SIGFPE) {
        what = "divides an integer by zero";
        outcome = Outcome::failed;
    } else if (is_below_a_stack(*region, address)) {
        what = "uses more stack than a thread has here";
        outcome = Outcome::failed;
    } else if (address - uintptr_t(region) < region_size) {
        what = "touches memory behind its dynamic shared memory";
    } else if (address == 0 && info->si_code == SI_KERNEL) {
        what = "touches an address that is none, or not aligned";
    } else {
        what = "touches " + describe_address(address);
    }
    print(region->where() + ": " + what);
    // The handler is left for another stack and not returned from, so the signal must be let through again.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, signal);
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    region->leave(outcome);
}

void catch_faults() {
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (int signal : {SIGSEGV, SIGBUS, SIGFPE}) sigaction(signal, &action, &earlier[signal]);
}

}  // namespace simulator
