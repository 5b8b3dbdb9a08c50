// Threads of a block take turns: one runs until it waits for others or ends.
#include "fibers.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "region.h"

#if defined(__x86_64__)
asm(R"(
.text
.hidden simulator_switch
.globl simulator_switch
.type simulator_switch, @function
simulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size simulator_switch, . - simulator_switch
)");
#endif

namespace simulator {

static std::string text(const char* format, va_list arguments) {
    char buffer[1024];
    vsnprintf(buffer, sizeof buffer, format, arguments);
    return buffer;
}

static std::string text(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::string result = text(format, arguments);
    va_end(arguments);
    return result;
}

void print(const std::string& message) {
    std::string line = "simulated GPU: " + message + "\n";
    // One write, so that lines of several threads do not mix.
    if (write(2, line.data(), line.size()) < 0) return;
}

std::string Region::where() const {
    const Index &b = here.block, &t = here.thread;
    return text("kernel %s, block (%u, %u, %u), thread (%u, %u, %u)", launch->kernel->name, b.x, b.y, b.z, t.x, t.y, t.z);
}

static std::string describe(const Site& site) {
    return text("%s at %s:%d", site.operation, site.file, site.line);
}

void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print(region().where() + ": " + text(format, arguments));
    va_end(arguments);
    region().leave(Outcome::failed);
}

void Region::leave(Outcome how) {
    outcome = how;
    Context abandoned;
    switch_context(abandoned, main);
    __builtin_unreachable();
}

static uint64_t next_random(uint64_t& state) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

// The last of `ready` is next, hence backwards: one warp goes on until it waits for others.
void Region::make_ready(Fiber* first, unsigned n) {
    bool reverse = schedule().order == Order::reverse;
    for (unsigned i = 0; i < n; ++i) {
        Fiber* fiber = first + (reverse ? i : n - 1 - i);
        if (fiber->state == State::exited || fiber == current) continue;
        fiber->state = State::ready;
        ready.push_back(fiber);
    }
}

Fiber* Region::take_ready() {
    if (schedule().order == Order::shuffled) {
        std::swap(ready[next_random(random) % ready.size()], ready.back());
    }
    Fiber* fiber = ready.back();
    ready.pop_back();
    return fiber;
}

void Region::resume_next(Context& from) {
    if (ready.empty()) {
        switch_context(from, main);
        return;
    }
    current = take_ready();
    here.thread = current->thread;
    if (&current->context != &from) switch_context(from, current->context);
}

void Region::wait(State state, Site site) {
    Fiber* self = current;
    self->state = state;
    self->site = site;
    resume_next(self->context);
}

void Region::release_barrier() {
    n_at_barrier = 0;
    make_ready(fibers, n_threads);
}

void Region::exit_fiber() {
    Warp& warp = warps[current->number / lanes];
    if (warp.n_arrived > 0) {
        fail("returns while its warp waits for it in %s", describe(warp.site).c_str());
    }
    current->state = State::exited;
    --warp.n_live;
    --n_live;
    if (n_live > 0 && n_at_barrier == n_live) release_barrier();
    resume_next(current->context);
    __builtin_unreachable();
}

std::string Region::who_waits() const {
    std::string result;
    for (unsigned i = 0, n_named = 0; i < n_threads && n_named < 8; ++i) {
        const Fiber& fiber = fibers[i];
        if (fiber.state == State::exited) continue;
        // Neighbours that wait at one place are named together.
        unsigned last = i;
        while (last + 1 < n_threads && fibers[last + 1].state == fiber.state && fibers[last + 1].site.line == fiber.site.line) ++last;
        result += text("\n    threads %u to %u wait in ", i, last) + describe(fiber.site);
        i = last;
        ++n_named;
    }
    return result;
}

static void run_fiber() {
    const Launch& launch = *region().launch;
    launch.kernel->call(launch.kernel->function, launch.packed.data());
    region().exit_fiber();
}

void meet_block(const char* file, int line) {
    Region& r = region();
    Site site{"sync", file, line};
    if (r.n_at_barrier == 0) r.barrier = site;
    if (r.barrier.line != line || strcmp(r.barrier.file, file) != 0) {
        fail("is in %s, but others of its block are in %s", describe(site).c_str(), describe(r.barrier).c_str());
    }
    if (++r.n_at_barrier == r.n_live) {
        // All of the block go on in the order of the schedule, this thread too.
        r.current->state = State::at_barrier;
        Fiber* self = r.current;
        r.current = nullptr;
        r.release_barrier();
        r.current = self;
        r.resume_next(self->context);
    } else {
        r.wait(State::at_barrier, site);
    }
}

void Region::run() {
    resume_next(main);
    if (outcome == Outcome::done && n_live > 0) {
        print(std::string("kernel ") + launch->kernel->name + ": no thread of a block can go on:" + who_waits());
        outcome = Outcome::failed;
    }
}

void Region::start(const Launch& next, Index block, uint64_t seed) {
    launch = &next;
    const Index& size = next.block;
    n_threads = n_live = size.x * size.y * size.z;
    n_at_barrier = 0;
    outcome = Outcome::done;
    random = seed;
    current = nullptr;
    here = Here{{0, 0, 0}, block, size, next.grid};
    for (unsigned i = 0; i < n_threads; ++i) {
        Fiber& fiber = fibers[i];
        fiber.thread = {i % size.x, i / size.x % size.y, i / size.x / size.y};
        fiber.number = i;
        fiber.state = State::ready;
        fiber.n_operations = 0;
        fiber.copies.clear();
        fiber.groups.clear();
        prepare_context(fiber.context, stack_bottom(*this, i), stack_top(*this, i), run_fiber);
    }
    for (unsigned first = 0; first < n_threads; first += lanes) {
        Warp& warp = warps[first / lanes];
        warp.n_live = n_threads - first < lanes ? n_threads - first : lanes;
        warp.n_arrived = 0;
    }
    ready.clear();
    make_ready(fibers, n_threads);
    poison_shared();
}

// A number that nobody wrote is then not a number.
void Region::poison_shared() {
    memset(statics, 0xff, statics_size);
    size_t dynamic = (launch->shared_bytes + 15) / 16 * 16;
    memset(shared_end - dynamic, 0xff, dynamic);
}

char* dynamic_shared() {
    Region& r = region();
    return r.shared_end - (r.launch->shared_bytes + 15) / 16 * 16;
}

Outcome run_block(Region& region, const Launch& launch, Index block, uint64_t seed) {
    region.start(launch, block, seed);
    region.run();
    return region.outcome;
}

}  // namespace simulator
