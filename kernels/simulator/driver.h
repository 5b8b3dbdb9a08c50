// What the parts of the simulated driver share. Names and numbers are those of cuda.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "launches.h"
#include "memory.h"

#define API extern "C" __attribute__((visibility("default"))) CUresult

enum CUresult : int {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NOT_INITIALIZED = 3,
    CUDA_ERROR_INVALID_DEVICE = 101,
    CUDA_ERROR_INVALID_IMAGE = 200,
    CUDA_ERROR_INVALID_CONTEXT = 201,
    CUDA_ERROR_INVALID_HANDLE = 400,
    CUDA_ERROR_NOT_FOUND = 500,
    CUDA_ERROR_ILLEGAL_ADDRESS = 700,
    CUDA_ERROR_LAUNCH_FAILED = 719,
    CUDA_ERROR_NOT_SUPPORTED = 801,
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900,
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901,
    CUDA_ERROR_STREAM_CAPTURE_IMPLICIT = 906,
};

using CUdevice = int;
using CUdeviceptr = unsigned long long;

namespace simulator {

// A step of a stream, done at once, or of a graph.
using Step = std::function<CUresult()>;

struct Graph { std::vector<Step> steps; };

enum class Capture { global = 0, thread_local_ = 1, relaxed = 2 };

struct Stream {
    Graph* captured = nullptr;
    Capture mode = Capture::global;
    bool is_invalidated = false;
    std::thread::id capturing_thread;
};

// Null, 1 and 2 stand for the streams that every context has.
Stream* stream_of(void* handle);

// Whether a call that waits or allocates would break a capture of this thread; the capture is then invalid.
bool breaks_capture();

// Does the step now, or records it where the stream is captured.
CUresult perform(void* stream, Step step);

// Most calls need cuInit and a current context.
CUresult need_context();

}  // namespace simulator

#define NEED_CONTEXT() \
    if (CUresult problem = simulator::need_context()) return problem
