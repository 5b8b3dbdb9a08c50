// Memory of the device, and pinned memory of the host, between pages that nobody may touch.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>

namespace simulator {

constexpr uintptr_t page = 4096;

enum class Kind { device, pinned };

// Null where the device, which has SIMULATOR_MEMORY bytes or 8 GiB, has no more room.
void* allocate(size_t size, Kind kind);

// False for what is not the start of an allocation of that kind.
bool release(void* start, Kind kind);

// Whether these bytes lie within one allocation.
bool is_allocated(const void* start, size_t size);

size_t total_memory();
size_t free_memory();

// "4 bytes behind the end of 4096 bytes of device memory at 0x..."
std::string describe_address(uintptr_t address);

}  // namespace simulator
