#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <map>
#include <mutex>

#include "region.h"

namespace simulator {

namespace {

struct Allocation {
    size_t size;
    Kind kind;
    bool is_freed;
};

// Between allocations, and before the first: an index that is wrong by much should not reach what is in use.
constexpr size_t gap = size_t(2) << 20, first_gap = size_t(4) << 30;

// Addresses are never used twice, so that what was freed stays out of bounds. No page is backed until it is used.
struct Arena {
    std::mutex mutex;
    char* start = nullptr;
    size_t size = size_t(1) << 44, n_used = first_gap, n_allocated = 0;
    std::map<uintptr_t, Allocation> allocations;

    Arena() {
        for (; size >= size_t(1) << 34; size /= 2) {
            void* got = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (got == MAP_FAILED) continue;
            start = static_cast<char*>(got);
            return;
        }
        print("no room for addresses");
        abort();
    }
};

Arena& arena() {
    static Arena& one = *new Arena;
    return one;
}

constexpr size_t alignment = 16;
// Bytes behind an allocation whose size is no multiple of the alignment.
constexpr unsigned char margin = 0xa5;

size_t whole(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

char* first_page(uintptr_t start) { return reinterpret_cast<char*>(start / page * page); }

void check_margin(uintptr_t start, size_t size) {
    const unsigned char* bytes = reinterpret_cast<unsigned char*>(start);
    for (size_t i = size; i < whole(size, alignment); ++i) {
        if (bytes[i] == margin) continue;
        print("something wrote behind the end of " + describe_address(start));
        abort();
    }
}

}  // namespace

void* allocate(size_t size, Kind kind) {
    Arena& a = arena();
    std::lock_guard<std::mutex> lock(a.mutex);
    if (kind == Kind::device && size > total_memory() - a.n_allocated) return nullptr;
    size_t n_pages = whole(size, page), n_taken = n_pages + gap;
    if (n_taken > a.size - a.n_used) return nullptr;
    char* pages = a.start + a.n_used;
    if (mprotect(pages, n_pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
    a.n_used += n_taken;
    char* start = pages + n_pages - whole(size, alignment);
    // Floats nobody wrote are not numbers. Of large memory only the ends: zeroed pages cost nothing.
    constexpr size_t most = size_t(64) << 20;
    memset(start, 0xff, size < most ? size : most);
    if (size > most) memset(start + size - page, 0xff, page);
    memset(start + size, margin, whole(size, alignment) - size);
    if (kind == Kind::device) a.n_allocated += size;
    a.allocations[uintptr_t(start)] = {size, kind, false};
    return start;
}

bool release(void* pointer, Kind kind) {
    Arena& a = arena();
    uintptr_t start = uintptr_t(pointer);
    {
        std::lock_guard<std::mutex> lock(a.mutex);
        auto found = a.allocations.find(start);
        if (found == a.allocations.end() || found->second.is_freed || found->second.kind != kind) return false;
    }
    size_t size = a.allocations.at(start).size;
    check_margin(start, size);
    std::lock_guard<std::mutex> lock(a.mutex);
    a.allocations.at(start).is_freed = true;
    if (kind == Kind::device) a.n_allocated -= size;
    char* pages = first_page(start);
    // Gives the memory back and joins the addresses to those around them.
    mmap(pages, whole(size, page), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return true;
}

bool is_allocated(const void* pointer, size_t size) {
    Arena& a = arena();
    std::lock_guard<std::mutex> lock(a.mutex);
    auto after = a.allocations.upper_bound(uintptr_t(pointer));
    if (after == a.allocations.begin()) return false;
    const auto& [start, allocation] = *--after;
    uintptr_t offset = uintptr_t(pointer) - start;
    return !allocation.is_freed && offset <= allocation.size && size <= allocation.size - offset;
}

size_t total_memory() {
    static const size_t total = getenv("SIMULATOR_MEMORY") ? strtoull(getenv("SIMULATOR_MEMORY"), nullptr, 10) : size_t(8) << 30;
    return total;
}

size_t free_memory() {
    Arena& a = arena();
    std::lock_guard<std::mutex> lock(a.mutex);
    return total_memory() - a.n_allocated;
}

// Takes no lock: a kernel that faults does so while nobody allocates.
std::string describe_address(uintptr_t address) {
    const auto& all = arena().allocations;
    auto nearest = all.upper_bound(address);
    if (nearest != all.begin()) {
        auto before = std::prev(nearest);
        uintptr_t end = before->first + before->second.size;
        if (nearest == all.end() || address < end || address - end <= nearest->first - address) nearest = before;
    }
    char text[256];
    if (nearest == all.end()) {
        snprintf(text, sizeof text, "%p, while nothing is allocated", reinterpret_cast<void*>(address));
        return text;
    }
    const auto& [start, allocation] = *nearest;
    uintptr_t end = start + allocation.size;
    size_t offset = address < start ? start - address : address < end ? address - start : address - end;
    snprintf(text, sizeof text, "%p, %zu bytes %s %zu bytes of %s%s memory at %p", reinterpret_cast<void*>(address), offset,
             address < start ? "before" : address < end ? "into" : "behind the end of", allocation.size,
             allocation.is_freed ? "freed " : "", allocation.kind == Kind::device ? "device" : "pinned",
             reinterpret_cast<void*>(start));
    return text;
}

}  // namespace simulator
