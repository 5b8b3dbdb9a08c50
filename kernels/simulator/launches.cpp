// Launches, one at a time, their blocks spread over OS threads.
#include "launches.h"

#include <stdlib.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include "region.h"

namespace simulator {

static std::map<std::string, Kernel>& kernels() {
    static auto& all = *new std::map<std::string, Kernel>;
    return all;
}

Registration::Registration(Kernel kernel) { kernels()[kernel.name] = kernel; }

Kernel* find_kernel(const char* name) {
    auto found = kernels().find(name);
    return found == kernels().end() ? nullptr : &found->second;
}

static Schedule read_schedule() {
    const char* text = getenv("SIMULATOR_ORDER");
    if (!text || !*text || !strcmp(text, "forward")) return {Order::forward, 0};
    if (!strcmp(text, "reverse")) return {Order::reverse, 0};
    if (!strncmp(text, "shuffled", 8)) {
        const char* digits = text + strcspn(text, "0123456789");
        return {Order::shuffled, strtoull(digits, nullptr, 10)};
    }
    print(std::string("SIMULATOR_ORDER must be forward, reverse or shuffled(seed), not ") + text);
    abort();
}

const Schedule& schedule() {
    static const Schedule one = read_schedule();
    return one;
}

static std::vector<unsigned> order_of_blocks(unsigned n) {
    std::vector<unsigned> blocks(n);
    std::iota(blocks.begin(), blocks.end(), 0u);
    if (schedule().order == Order::reverse) std::reverse(blocks.begin(), blocks.end());
    if (schedule().order == Order::shuffled) std::shuffle(blocks.begin(), blocks.end(), std::mt19937_64(schedule().seed));
    return blocks;
}

namespace {

// The threads sleep between launches and are never joined: the process ends with them.
class Crew {
public:
    Crew() {
        const char* text = getenv("SIMULATOR_THREADS");
        unsigned n = text ? unsigned(atoi(text)) : std::thread::hardware_concurrency();
        for (unsigned i = 0; i < std::clamp(n, 1u, 16u); ++i) std::thread([this] { work(); }).detach();
    }

    Outcome run(const Launch& next) {
        std::unique_lock<std::mutex> lock(mutex);
        launch = &next;
        blocks = order_of_blocks(next.grid.x * next.grid.y * next.grid.z);
        n_taken = 0;
        outcome = Outcome::done;
        n_at_work = 0;
        if (blocks.size() == 1) begin.notify_one(); else begin.notify_all();
        end.wait(lock, [this] { return n_at_work == 0 && !has_more(); });
        return outcome;
    }

private:
    std::mutex mutex;
    std::condition_variable begin, end;
    unsigned n_at_work = 0;
    const Launch* launch = nullptr;
    std::vector<unsigned> blocks;
    size_t n_taken = 0;
    Outcome outcome = Outcome::done;

    bool has_more() const { return n_taken < blocks.size() && outcome == Outcome::done; }

    void work() {
        Region& region = make_region();
        std::unique_lock<std::mutex> lock(mutex);
        for (;;) {
            begin.wait(lock, [this] { return has_more(); });
            ++n_at_work;
            while (has_more()) {
                unsigned block = blocks[n_taken++];
                lock.unlock();
                Outcome its = run_block(region, *launch, index_of(block, launch->grid), schedule().seed + block);
                lock.lock();
                if (outcome == Outcome::done) outcome = its;
            }
            if (--n_at_work == 0) end.notify_all();
        }
    }

    static Index index_of(unsigned block, const Index& grid) {
        return {block % grid.x, block / grid.x % grid.y, block / grid.x / grid.y};
    }
};

}  // namespace

Outcome run(const Launch& launch) {
    static Crew& crew = *new Crew;
    static std::mutex& one_at_a_time = *new std::mutex;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    return crew.run(launch);
}

}  // namespace simulator
