// Modules, launches, streams, events, graphs.
#include <chrono>
#include <set>

#include "driver.h"
#include "region.h"

using namespace simulator;

static std::mutex& streams_mutex = *new std::mutex;
static std::set<Stream*>& capturing_streams = *new std::set<Stream*>;

Stream* simulator::stream_of(void* handle) {
    static Stream* const default_stream = new Stream;
    return uintptr_t(handle) <= 2 ? default_stream : static_cast<Stream*>(handle);
}

bool simulator::breaks_capture() {
    std::lock_guard<std::mutex> lock(streams_mutex);
    bool breaks = false;
    for (Stream* stream : capturing_streams) {
        if (stream->mode == Capture::relaxed) continue;
        if (stream->mode == Capture::thread_local_ && stream->capturing_thread != std::this_thread::get_id()) continue;
        stream->is_invalidated = breaks = true;
    }
    return breaks;
}

CUresult simulator::perform(void* handle, Step step) {
    NEED_CONTEXT();
    Stream* stream = stream_of(handle);
    if (!stream->captured) return step();
    if (stream->is_invalidated) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    stream->captured->steps.push_back(std::move(step));
    return CUDA_SUCCESS;
}

// Kernels are compiled into this library: of an image only its first bytes are looked at.
static bool is_image(const unsigned char* image) {
    bool is_fatbin = image[0] == 0x50 && image[1] == 0xed && image[2] == 0x55 && image[3] == 0xba;
    bool is_elf = memcmp(image, "\x7f" "ELF", 4) == 0;
    while (*image == '\n' || *image == ' ' || *image == '\r' || *image == '\t') ++image;
    return is_fatbin || is_elf || memcmp(image, "//", 2) == 0 || memcmp(image, ".version", 8) == 0;
}

API cuModuleLoadData(void** module, const void* image) {
    NEED_CONTEXT();
    if (!image || !is_image(static_cast<const unsigned char*>(image))) return CUDA_ERROR_INVALID_IMAGE;
    *module = new char;
    return CUDA_SUCCESS;
}

API cuModuleUnload(void* module) {
    delete static_cast<char*>(module);
    return CUDA_SUCCESS;
}

API cuModuleGetFunction(void** function, void*, const char* name) {
    NEED_CONTEXT();
    *function = find_kernel(name);
    return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

API cuModuleGetGlobal_v2(CUdeviceptr*, size_t*, void*, const char*) { return CUDA_ERROR_NOT_FOUND; }

enum { max_threads = 0, shared_bytes = 1, registers = 4, max_dynamic_shared = 8 };

API cuFuncGetAttribute(int* value, int attribute, void* function) {
    if (attribute == max_threads) *value = 1024;
    else if (attribute == max_dynamic_shared) *value = int(static_cast<Kernel*>(function)->shared_limit);
    else if (attribute == registers) *value = 32;
    else *value = 0;
    return CUDA_SUCCESS;
}

API cuFuncSetAttribute(void* function, int attribute, int value) {
    if (attribute != max_dynamic_shared) return CUDA_SUCCESS;
    if (value < 0 || size_t(value) > largest_shared) return CUDA_ERROR_INVALID_VALUE;
    static_cast<Kernel*>(function)->shared_limit = size_t(value);
    return CUDA_SUCCESS;
}

API cuFuncSetCacheConfig(void*, int) { return CUDA_SUCCESS; }

API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* n_blocks, void*, int, size_t) { return *n_blocks = 2, CUDA_SUCCESS; }
API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* n_blocks, void*, int, size_t, unsigned) { return *n_blocks = 2, CUDA_SUCCESS; }

static bool is_possible(const Launch& launch) {
    const Index &grid = launch.grid, &block = launch.block;
    return grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.x < 0x80000000 && grid.y < 65536 && grid.z < 65536 && block.x > 0 &&
           block.y > 0 && block.z > 0 && block.z <= 64 && uint64_t(block.x) * block.y * block.z <= most_threads &&
           launch.shared_bytes <= launch.kernel->shared_limit;
}

static CUresult launch_now(const Launch& launch) {
    switch (run(launch)) {
        case Outcome::done: return CUDA_SUCCESS;
        case Outcome::illegal_address: return CUDA_ERROR_ILLEGAL_ADDRESS;
        default: return CUDA_ERROR_LAUNCH_FAILED;
    }
}

API cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                   unsigned block_z, unsigned shared, void* stream, void** parameters, void** extra) {
    NEED_CONTEXT();
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    if (extra) return CUDA_ERROR_NOT_SUPPORTED;
    Launch launch{static_cast<Kernel*>(function), {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared, {}};
    if (!is_possible(launch)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < launch.kernel->parameter_sizes.size(); ++i) {
        launch.packed.append(static_cast<const char*>(parameters[i]), launch.kernel->parameter_sizes[i]);
    }
    return perform(stream, [launch] { return launch_now(launch); });
}

API cuStreamCreate(void** stream, unsigned) {
    NEED_CONTEXT();
    *stream = new Stream;
    return CUDA_SUCCESS;
}

API cuStreamCreateWithPriority(void** stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }

API cuStreamDestroy_v2(void* handle) {
    std::lock_guard<std::mutex> lock(streams_mutex);
    Stream* stream = static_cast<Stream*>(handle);
    capturing_streams.erase(stream);
    delete stream->captured;
    delete stream;
    return CUDA_SUCCESS;
}

API cuStreamSynchronize(void* handle) {
    NEED_CONTEXT();
    Stream* stream = stream_of(handle);
    if (!stream->captured) return CUDA_SUCCESS;
    stream->is_invalidated = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

API cuStreamQuery(void* handle) { return cuStreamSynchronize(handle); }
API cuStreamWaitEvent(void*, void*, unsigned) { return need_context(); }

API cuLaunchHostFunc(void* stream, void (*function)(void*), void* data) {
    return perform(stream, [=] { return function(data), CUDA_SUCCESS; });
}

API cuStreamBeginCapture_v2(void* handle, int mode) {
    NEED_CONTEXT();
    Stream* stream = stream_of(handle);
    if (stream == stream_of(nullptr)) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    std::lock_guard<std::mutex> lock(streams_mutex);
    if (stream->captured || mode < 0 || mode > 2) return CUDA_ERROR_INVALID_VALUE;
    stream->captured = new Graph;
    stream->mode = Capture(mode);
    stream->is_invalidated = false;
    stream->capturing_thread = std::this_thread::get_id();
    capturing_streams.insert(stream);
    return CUDA_SUCCESS;
}

API cuStreamEndCapture(void* handle, void** graph) {
    NEED_CONTEXT();
    Stream* stream = stream_of(handle);
    std::lock_guard<std::mutex> lock(streams_mutex);
    *graph = nullptr;
    if (!stream->captured) return CUDA_ERROR_INVALID_VALUE;
    capturing_streams.erase(stream);
    Graph* captured = stream->captured;
    stream->captured = nullptr;
    if (stream->is_invalidated) {
        delete captured;
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    *graph = captured;
    return CUDA_SUCCESS;
}

API cuStreamIsCapturing(void* handle, int* status) {
    NEED_CONTEXT();
    Stream* stream = stream_of(handle);
    *status = !stream->captured ? 0 : stream->is_invalidated ? 2 : 1;
    return CUDA_SUCCESS;
}

API cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
    NEED_CONTEXT();
    *executable = new Graph(*static_cast<Graph*>(graph));
    return CUDA_SUCCESS;
}

API cuGraphLaunch(void* executable, void* stream) {
    const Graph* graph = static_cast<Graph*>(executable);
    return perform(stream, [graph] {
        for (const Step& step : graph->steps) {
            if (CUresult problem = step()) return problem;
        }
        return CUDA_SUCCESS;
    });
}

API cuGraphUpload(void*, void*) { return need_context(); }

API cuGraphDestroy(void* graph) {
    delete static_cast<Graph*>(graph);
    return CUDA_SUCCESS;
}

API cuGraphExecDestroy(void* executable) { return cuGraphDestroy(executable); }

using Clock = std::chrono::steady_clock;
struct Event { Clock::time_point time; };

API cuEventCreate(void** event, unsigned) {
    NEED_CONTEXT();
    *event = new Event{Clock::now()};
    return CUDA_SUCCESS;
}

API cuEventDestroy_v2(void* event) {
    delete static_cast<Event*>(event);
    return CUDA_SUCCESS;
}

API cuEventRecord(void* event, void* stream) {
    return perform(stream, [event] { return static_cast<Event*>(event)->time = Clock::now(), CUDA_SUCCESS; });
}

API cuEventSynchronize(void*) {
    NEED_CONTEXT();
    return breaks_capture() ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

API cuEventQuery(void*) { return need_context(); }

API cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    auto passed = static_cast<Event*>(end)->time - static_cast<Event*>(start)->time;
    *milliseconds = std::chrono::duration<float, std::milli>(passed).count();
    return CUDA_SUCCESS;
}

API cuEventElapsedTime_v2(float* milliseconds, void* start, void* end) { return cuEventElapsedTime(milliseconds, start, end); }
