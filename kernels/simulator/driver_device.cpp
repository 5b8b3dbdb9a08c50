// The simulated device: one, with the numbers of a small GPU of the Hopper family.
#include <stdio.h>

#include <atomic>

#include "driver.h"

using namespace simulator;

static std::atomic<bool> is_initialised{false};
static std::atomic<int> n_retained{0};
static char primary_context;
static thread_local void* current_context = nullptr;

CUresult simulator::need_context() {
    if (!is_initialised) return CUDA_ERROR_NOT_INITIALIZED;
    return current_context ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

static CUresult need_device(CUdevice device) {
    if (!is_initialised) return CUDA_ERROR_NOT_INITIALIZED;
    return device == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

API cuInit(unsigned flags) {
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (!is_initialised.exchange(true)) catch_faults();
    return CUDA_SUCCESS;
}

API cuDriverGetVersion(int* version) {
    *version = 13000;
    return CUDA_SUCCESS;
}

API cuDeviceGetCount(int* count) {
    if (!is_initialised) return CUDA_ERROR_NOT_INITIALIZED;
    *count = 1;
    return CUDA_SUCCESS;
}

API cuDeviceGet(CUdevice* device, int ordinal) {
    if (CUresult problem = need_device(ordinal)) return problem;
    *device = 0;
    return CUDA_SUCCESS;
}

API cuDeviceGetName(char* name, int size, CUdevice device) {
    if (CUresult problem = need_device(device)) return problem;
    snprintf(name, size_t(size), "simulated GPU");
    return CUDA_SUCCESS;
}

API cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
    if (CUresult problem = need_device(device)) return problem;
    *bytes = total_memory();
    return CUDA_SUCCESS;
}

static CUresult get_uuid(char* uuid, CUdevice device) {
    if (CUresult problem = need_device(device)) return problem;
    memcpy(uuid, "simulated GPU 0", 16);
    return CUDA_SUCCESS;
}

API cuDeviceGetUuid(char* uuid, CUdevice device) { return get_uuid(uuid, device); }
API cuDeviceGetUuid_v2(char* uuid, CUdevice device) { return get_uuid(uuid, device); }

API cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
    if (CUresult problem = need_device(device)) return problem;
    switch (attribute) {
        case 1: *value = 1024; break;                  // threads of a block
        case 2: case 3: *value = 1024; break;          // block x, y
        case 4: *value = 64; break;                    // block z
        case 5: *value = 0x7fffffff; break;            // grid x
        case 6: case 7: *value = 65535; break;         // grid y, z
        case 8: *value = int(default_shared); break;   // shared memory of a block
        case 9: *value = 65536; break;                 // constant memory
        case 10: *value = 32; break;                   // warp
        case 12: *value = 65536; break;                // registers of a block
        case 13: *value = 1000000; break;              // clock, kHz
        case 16: *value = 4; break;                    // multiprocessors
        case 19: *value = 1; break;                    // maps host memory
        case 31: *value = 1; break;                    // concurrent kernels
        case 36: *value = 1000000; break;              // memory clock, kHz
        case 37: *value = 128; break;                  // memory bus, bits
        case 38: *value = 4 << 20; break;              // L2 cache
        case 39: *value = 2048; break;                 // threads of a multiprocessor
        case 41: *value = 1; break;                    // unified addresses
        case 75: *value = 9; break;                    // compute capability
        case 76: *value = 0; break;
        case 81: *value = 228 * 1024; break;           // shared memory of a multiprocessor
        case 82: *value = 65536; break;                // registers of a multiprocessor
        case 95: *value = 0; break;                    // cooperative launch
        case 97: *value = int(largest_shared); break;  // shared memory of a block that asks
        case 106: *value = 32; break;                  // blocks of a multiprocessor
        case 111: *value = 1024; break;                // shared memory reserved in each block
        case 115: *value = 1; break;                   // memory pools
        default: *value = 0;
    }
    return CUDA_SUCCESS;
}

API cuDevicePrimaryCtxRetain(void** context, CUdevice device) {
    if (CUresult problem = need_device(device)) return problem;
    ++n_retained;
    *context = &primary_context;
    return CUDA_SUCCESS;
}

API cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    if (CUresult problem = need_device(device)) return problem;
    if (n_retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
    --n_retained;
    return CUDA_SUCCESS;
}

API cuCtxSetCurrent(void* context) {
    if (context && context != &primary_context) return CUDA_ERROR_INVALID_CONTEXT;
    current_context = context;
    return CUDA_SUCCESS;
}

API cuCtxGetCurrent(void** context) {
    *context = current_context;
    return CUDA_SUCCESS;
}

API cuCtxGetDevice(CUdevice* device) {
    NEED_CONTEXT();
    *device = 0;
    return CUDA_SUCCESS;
}

API cuCtxSynchronize() {
    NEED_CONTEXT();
    return breaks_capture() ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

API cuCtxSetFlags(unsigned) { return need_context(); }
API cuCtxSetLimit(int, size_t) { return need_context(); }
API cuCtxSetCacheConfig(int) { return need_context(); }

API cuCtxGetLimit(size_t* value, int) {
    *value = 0;
    return need_context();
}

API cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    *least = 0;
    *greatest = -5;
    return need_context();
}

static const struct { CUresult code; const char *name, *text; } errors[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
    {CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", "operation would make the legacy stream depend on a capturing blocking stream"},
};

API cuGetErrorName(int code, const char** name) {
    for (const auto& error : errors) {
        if (error.code == code) return *name = error.name, CUDA_SUCCESS;
    }
    *name = nullptr;
    return CUDA_ERROR_INVALID_VALUE;
}

API cuGetErrorString(int code, const char** text) {
    for (const auto& error : errors) {
        if (error.code == code) return *text = error.text, CUDA_SUCCESS;
    }
    *text = nullptr;
    return CUDA_ERROR_INVALID_VALUE;
}
