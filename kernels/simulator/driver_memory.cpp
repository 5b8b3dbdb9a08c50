// Memory, copies, fills. What goes through a stream takes place at once, or when its graph is launched.
#include "driver.h"
#include "region.h"

using namespace simulator;

static CUresult allocate_into(CUdeviceptr* address, size_t size) {
    NEED_CONTEXT();
    if (size == 0) return CUDA_ERROR_INVALID_VALUE;
    if (breaks_capture()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    void* start = allocate(size, Kind::device);
    if (!start) return CUDA_ERROR_OUT_OF_MEMORY;
    *address = CUdeviceptr(uintptr_t(start));
    return CUDA_SUCCESS;
}

static CUresult release_from(CUdeviceptr address) {
    NEED_CONTEXT();
    if (address == 0) return CUDA_SUCCESS;
    if (breaks_capture()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    return release(reinterpret_cast<void*>(address), Kind::device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API cuMemAlloc_v2(CUdeviceptr* address, size_t size) { return allocate_into(address, size); }
API cuMemAllocAsync(CUdeviceptr* address, size_t size, void*) { return allocate_into(address, size); }
API cuMemFree_v2(CUdeviceptr address) { return release_from(address); }
API cuMemFreeAsync(CUdeviceptr address, void*) { return release_from(address); }

API cuMemGetInfo_v2(size_t* free, size_t* total) {
    NEED_CONTEXT();
    *free = free_memory();
    *total = total_memory();
    return CUDA_SUCCESS;
}

API cuMemHostAlloc(void** start, size_t size, unsigned) {
    NEED_CONTEXT();
    if (size == 0) return CUDA_ERROR_INVALID_VALUE;
    if (breaks_capture()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    *start = allocate(size, Kind::pinned);
    return *start ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

API cuMemAllocHost_v2(void** start, size_t size) { return cuMemHostAlloc(start, size, 0); }

API cuMemFreeHost(void* start) {
    NEED_CONTEXT();
    return release(start, Kind::pinned) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API cuMemHostGetDevicePointer_v2(CUdeviceptr* address, void* start, unsigned) {
    NEED_CONTEXT();
    if (!is_allocated(start, 1)) return CUDA_ERROR_INVALID_VALUE;
    *address = CUdeviceptr(uintptr_t(start));
    return CUDA_SUCCESS;
}

API cuMemHostGetFlags(unsigned* flags, void* start) {
    NEED_CONTEXT();
    *flags = 0;
    return is_allocated(start, 1) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static bool is_on_device(CUdeviceptr address, size_t size, const char* what) {
    if (size == 0 || is_allocated(reinterpret_cast<void*>(address), size)) return true;
    print(std::string(what) + " of " + std::to_string(size) + " bytes at " + describe_address(address));
    return false;
}

static Step copy_step(CUdeviceptr to, bool to_device, CUdeviceptr from, bool from_device, size_t size) {
    return [=]() {
        if (to_device && !is_on_device(to, size, "copy to")) return CUDA_ERROR_INVALID_VALUE;
        if (from_device && !is_on_device(from, size, "copy from")) return CUDA_ERROR_INVALID_VALUE;
        memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), size);
        return CUDA_SUCCESS;
    };
}

template <class T> static Step fill_step(CUdeviceptr start, T value, size_t n) {
    return [=]() {
        if (!is_on_device(start, n * sizeof(T), "fill")) return CUDA_ERROR_INVALID_VALUE;
        for (size_t i = 0; i < n; ++i) reinterpret_cast<T*>(start)[i] = value;
        return CUDA_SUCCESS;
    };
}

// Calls without a stream go through the default one, which waits for those that are being captured.
static CUresult at_once(Step step) {
    NEED_CONTEXT();
    return breaks_capture() ? CUDA_ERROR_STREAM_CAPTURE_IMPLICIT : step();
}

static CUdeviceptr address(const void* host) { return CUdeviceptr(uintptr_t(host)); }

API cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t n) { return at_once(copy_step(to, true, address(from), false, n)); }
API cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t n) { return at_once(copy_step(address(to), false, from, true, n)); }
API cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) { return at_once(copy_step(to, true, from, true, n)); }

API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t n, void* stream) {
    return perform(stream, copy_step(to, true, address(from), false, n));
}

API cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t n, void* stream) {
    return perform(stream, copy_step(address(to), false, from, true, n));
}

API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, void* stream) {
    return perform(stream, copy_step(to, true, from, true, n));
}

API cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t n) { return at_once(fill_step(to, value, n)); }
API cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t n) { return at_once(fill_step(to, value, n)); }
API cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t n) { return at_once(fill_step(to, value, n)); }
API cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t n, void* stream) { return perform(stream, fill_step(to, value, n)); }
API cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t n, void* stream) { return perform(stream, fill_step(to, value, n)); }
API cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t n, void* stream) { return perform(stream, fill_step(to, value, n)); }

// Pools: one, whose settings change nothing here.
static char pool;

API cuDeviceGetDefaultMemPool(void** out, CUdevice) { return *out = &pool, CUDA_SUCCESS; }
API cuDeviceGetMemPool(void** out, CUdevice) { return *out = &pool, CUDA_SUCCESS; }
API cuMemPoolSetAttribute(void*, int, void*) { return CUDA_SUCCESS; }
API cuMemPoolTrimTo(void*, size_t) { return CUDA_SUCCESS; }
