// Tests of the simulator itself, through the driver interface that Rust uses.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <random>
#include <string>
#include <vector>

extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void**, int);
int cuCtxSetCurrent(void*);
int cuModuleLoadData(void**, const void*);
int cuModuleGetFunction(void**, void*, const char*);
int cuMemAlloc_v2(unsigned long long*, size_t);
int cuMemFree_v2(unsigned long long);
int cuMemcpyHtoD_v2(unsigned long long, const void*, size_t);
int cuMemcpyDtoH_v2(void*, unsigned long long, size_t);
int cuMemsetD8Async(unsigned long long, unsigned char, size_t, void*);
int cuMemGetInfo_v2(size_t*, size_t*);
int cuFuncSetAttribute(void*, int, int);
int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
int cuStreamCreate(void**, unsigned);
int cuStreamSynchronize(void*);
int cuStreamBeginCapture_v2(void*, int);
int cuStreamEndCapture(void*, void**);
int cuGraphInstantiateWithFlags(void**, void*, unsigned long long);
int cuGraphLaunch(void*, void*);
int cuGraphDestroy(void*);
int cuGraphExecDestroy(void*);
}

using Address = unsigned long long;
static int n_failed = 0;
static void* module_handle;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            ++n_failed; \
        } \
    } while (0)

template <class T> struct Device {
    Address address = 0;
    size_t n;
    explicit Device(const std::vector<T>& values) : n(values.size()) {
        CHECK(cuMemAlloc_v2(&address, n * sizeof(T)) == 0);
        CHECK(cuMemcpyHtoD_v2(address, values.data(), n * sizeof(T)) == 0);
    }
    Device(const Device&) = delete;
    ~Device() { CHECK(cuMemFree_v2(address) == 0); }
    std::vector<T> read() const {
        std::vector<T> values(n);
        CHECK(cuMemcpyDtoH_v2(values.data(), address, n * sizeof(T)) == 0);
        return values;
    }
};

struct Size { unsigned blocks, threads, shared = 0; void* stream = nullptr; };

template <class... P> int launch(const char* name, Size size, P... parameters) {
    void* function = nullptr;
    if (int problem = cuModuleGetFunction(&function, module_handle, name)) return problem;
    void* pointers[] = {nullptr, &parameters...};
    return cuLaunchKernel(function, size.blocks, 1, 1, size.threads, 1, 1, size.shared, size.stream, pointers + 1, nullptr);
}

static std::mt19937 generator(1);
static float random_float() { return std::normal_distribution<float>()(generator); }

static float float_of(unsigned bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

struct Matrices { Address a, b, c, out; };

static void products_of_halves(const char* name, bool is_f16) {
    // Small integers, of which every sum is exact: any mistake in the layout shows as another number.
    std::vector<unsigned short> a(256), b(128);
    std::vector<float> c(128), a_values(256), b_values(128);
    auto bits = [&](float x) {
        unsigned u;
        memcpy(&u, &x, 4);
        if (!is_f16) return static_cast<unsigned short>(u >> 16);
        return static_cast<unsigned short>(x == 0 ? 0 : (u >> 16 & 0x8000) | ((u >> 13 & 0x3ffff) - 0x1c000));
    };
    for (size_t i = 0; i < 256; ++i) a[i] = bits(a_values[i] = float(int(generator() % 129) - 64));
    for (size_t i = 0; i < 128; ++i) b[i] = bits(b_values[i] = float(int(generator() % 129) - 64) / 8);
    for (float& x : c) x = float(int(generator() % 1000));
    Device<unsigned short> da(a), db(b);
    Device<float> dc(c), out(std::vector<float>(128, NAN));
    CHECK(launch(name, {1, 32}, Matrices{da.address, db.address, dc.address, out.address}) == 0);
    std::vector<float> got = out.read();
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 8; ++n) {
            float sum = c[m * 8 + n];
            for (int k = 0; k < 16; ++k) sum += a_values[m * 16 + k] * b_values[k * 8 + n];
            CHECK(got[m * 8 + n] == sum);
        }
    }
}

static void products_of_bytes(const char* name, bool is_signed) {
    std::vector<unsigned char> a(512);
    std::vector<signed char> b(256);
    std::vector<int> c(128);
    for (auto& x : a) x = static_cast<unsigned char>(generator());
    for (auto& x : b) x = static_cast<signed char>(generator());
    for (auto& x : c) x = int(generator() % 2000) - 1000;
    Device<unsigned char> da(a);
    Device<signed char> db(b);
    Device<int> dc(c), out(std::vector<int>(128, -1));
    CHECK(launch(name, {1, 32}, Matrices{da.address, db.address, dc.address, out.address}) == 0);
    std::vector<int> got = out.read();
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 8; ++n) {
            int sum = c[m * 8 + n];
            for (int k = 0; k < 32; ++k) {
                sum += (is_signed ? int(static_cast<signed char>(a[m * 32 + k])) : int(a[m * 32 + k])) * b[k * 8 + n];
            }
            CHECK(got[m * 8 + n] == sum);
        }
    }
}

static void matrices_from_shared() {
    std::vector<unsigned short> from(256);
    for (size_t i = 0; i < 256; ++i) from[i] = static_cast<unsigned short>(i);
    Device<unsigned short> in(from);
    Device<unsigned> out(std::vector<unsigned>(320));
    CHECK(launch("load_matrices", {1, 32}, in.address, out.address) == 0);
    std::vector<unsigned> got = out.read();
    for (unsigned lane = 0; lane < 32; ++lane) {
        unsigned g = lane / 4, t = lane % 4;
        for (unsigned i = 0; i < 4; ++i) {
            auto element = [&](unsigned m, unsigned k) { return unsigned(from[(8 * i + m) * 8 + k]); };
            CHECK(got[10 * lane + i] == (element(g, 2 * t) | element(g, 2 * t + 1) << 16));
            CHECK(got[10 * lane + 4 + i] == (element(2 * t, g) | element(2 * t + 1, g) << 16));
            if (i < 2) CHECK(got[10 * lane + 8 + i] == got[10 * lane + i]);
        }
    }
}

static void lanes_exchange() {
    Device<unsigned> out(std::vector<unsigned>(128));
    Device<float> sums(std::vector<float>(32));
    Device<unsigned long long> wide(std::vector<unsigned long long>(32));
    CHECK(launch("exchange_lanes", {1, 32}, out.address, sums.address, wide.address) == 0);
    std::vector<unsigned> got = out.read();
    for (unsigned i = 0; i < 32; ++i) {
        CHECK(got[4 * i] == 15);
        CHECK(got[4 * i + 1] == (i ^ 1));
        CHECK(got[4 * i + 2] == 0x49249249);
        CHECK(got[4 * i + 3] == (i + 7) % 32);
        CHECK(sums.read()[i] == 496);
        CHECK(wide.read()[i] == 9ull << 40);
    }
}

static void blocks_share() {
    std::vector<float> values(64 * 256);
    for (float& x : values) x = random_float();
    Device<float> device(values), sums(std::vector<float>(128));
    CHECK(launch("sum_blocks", {64, 256}, device.address, sums.address) == 0);
    CHECK(launch("turn_round", {64, 256, 1024}, device.address) == 0);
    std::vector<float> got = device.read();
    for (unsigned block = 0; block < 64; ++block) {
        double sum = 0;
        float largest = values[block * 256];
        for (unsigned i = 0; i < 256; ++i) {
            CHECK(got[block * 256 + i] == values[block * 256 + 255 - i]);
            sum += values[block * 256 + i];
            largest = fmaxf(largest, values[block * 256 + i]);
        }
        CHECK(fabs(sums.read()[2 * block] - sum) < 1e-3);
        CHECK(sums.read()[2 * block + 1] == largest);
    }
}

static void shared_memory_begins_as_nan() {
    Device<float> out(std::vector<float>(64, 0.0f));
    for (int again = 0; again < 4; ++again) {
        CHECK(launch("read_unwritten", {8, 32, 128}, out.address) == 0);
        for (float x : out.read()) CHECK(isnan(x));
    }
}

static void copies_need_waits() {
    std::vector<float> from(256);
    for (size_t i = 0; i < 256; ++i) from[i] = float(i);
    Device<float> in(from), out(std::vector<float>(256));
    for (unsigned waits = 0; waits < 4; ++waits) {
        CHECK(launch("copy_two", {1, 32}, in.address, out.address, waits) == 0);
        std::vector<float> got = out.read();
        for (size_t i = 0; i < 256; ++i) {
            bool is_there = waits == 2 || (waits == 1 && i < 128);
            CHECK(is_there ? got[i] == from[i] : isnan(got[i]));
        }
    }
}

struct Operand { Address bf16, integers, scales; };

static void operands() {
    std::vector<float> values(96, 0.0f);
    for (size_t i = 0; i < 32; ++i) values[i] = float(i) - 12.5f;
    values[64 + 5] = NAN;
    Device<float> in(values), scales(std::vector<float>(3));
    Device<unsigned short> halves(std::vector<unsigned short>(96));
    Device<signed char> integers(std::vector<signed char>(96));
    CHECK(launch("store_32", {3, 32}, in.address, Operand{halves.address, integers.address, scales.address}) == 0);
    for (size_t i = 0; i < 32; ++i) {
        int integer = int(lrintf(values[i] * (127.0f / 18.5f)));
        CHECK(integers.read()[i] == integer);
    }
    CHECK(scales.read()[0] == 18.5f / 127.0f && scales.read()[1] == 0.0f && isnan(scales.read()[2]));
}

static void conversions() {
    std::vector<float> values = {0.0f, -0.0f, 1.0f, 1.00390625f, 1.01171875f, 65504.0f, 65519.0f, 65520.0f, 1e-7f, 5.9604645e-8f, 2.9e-8f,
                                 6.1035156e-5f, 6.0975552e-5f, -2049.0f, 2051.0f, INFINITY, -INFINITY, NAN, 3.4e38f, 3.3961776e38f};
    std::vector<unsigned> halves = {0, 0x8000, 0x3c00, 0x3c04, 0x3c0c, 0x7bff, 0x7bff, 0x7c00, 2, 1, 0,
                                    0x400, 0x3ff, 0xe800, 0x6802, 0x7c00, 0xfc00, 0x7fff, 0x7c00, 0x7c00};
    std::vector<unsigned> brains = {0, 0x8000, 0x3f80, 0x3f80, 0x3f82, 0x4780, 0x4780, 0x4780, 0x33d7, 0x3380, 0x32f9,
                                    0x3880, 0x3880, 0xc500, 0x4500, 0x7f80, 0xff80, 0x7fff, 0x7f80, 0x7f80};
    Device<float> in(values);
    Device<unsigned> out(std::vector<unsigned>(3 * values.size()));
    CHECK(launch("convert", {1, unsigned(values.size())}, in.address, out.address) == 0);
    std::vector<unsigned> got = out.read();
    for (size_t i = 0; i < values.size(); ++i) {
        if (got[3 * i + 1] != halves[i] || (got[3 * i] != brains[i])) {
            printf("%g: bf16 %x (%x), f16 %x (%x)\n", double(values[i]), got[3 * i], brains[i], got[3 * i + 1], halves[i]);
            ++n_failed;
        }
    }
    CHECK(float_of(got[3 * 9 + 2]) == 5.9604645e-8f && float_of(got[3 * 12 + 2]) == 6.0975552e-5f);
    CHECK(isnan(float_of(got[3 * 17 + 2])) && isinf(float_of(got[3 * 15 + 2])));
}

static void order() {
    Device<unsigned> counter({0}), places(std::vector<unsigned>(100));
    CHECK(launch("count", {100, 1}, counter.address, places.address) == 0);
    CHECK(counter.read()[0] == 100);
    std::vector<bool> is_seen(100);
    for (unsigned place : places.read()) is_seen[place] = true;
    for (bool seen : is_seen) CHECK(seen);
    CHECK(launch("write_one_place", {1, 256}, counter.address) == 0);
    const char* text = getenv("SIMULATOR_ORDER");
    std::string name = text ? text : "forward";
    if (name == "forward") CHECK(counter.read()[0] == 255);
    if (name == "reverse") CHECK(counter.read()[0] == 0);
}

constexpr int illegal_address = 700, launch_failed = 719, invalid_value = 1;

static void faults() {
    Device<float> values(std::vector<float>(101, 0.0f));
    CHECK(launch("write_at", {2, 32}, values.address, 100ull) == 0);
    CHECK(launch("write_at", {2, 32}, values.address, 104ull) == illegal_address);
    CHECK(launch("write_at", {2, 32}, values.address, ~0ull - 1024 * 1024) == illegal_address);
    CHECK(launch("write_at", {2, 32}, Address(0), 0ull) == illegal_address);
    Address freed = Device<float>(std::vector<float>(10)).address;
    CHECK(launch("write_at", {2, 32}, freed, 0ull) == illegal_address);
    CHECK(launch("write_behind_shared", {1, 32, 128}) == illegal_address);
    Device<unsigned> out({0, 0, 0, 0});
    CHECK(launch("misaligned_load", {1, 1}, values.address, out.address) == launch_failed);
    CHECK(launch("too_deep", {1, 1}, out.address) == launch_failed);
    CHECK(launch("divide", {1, 1}, out.address, 0u) == launch_failed);
    for (const char* name : {"barrier_in_a_branch", "barrier_for_some", "missing_lane", "lane_elsewhere", "lanes_differ"}) {
        CHECK(launch(name, {4, 64}) == launch_failed);
    }
    CHECK(launch("exchange_lanes", {1, 31}, out.address, out.address, out.address) == launch_failed);
    // Nothing of that stays.
    CHECK(launch("divide", {1, 1}, out.address, 2u) == 0);
    CHECK(out.read()[0] == 3);
    Device<unsigned> few(std::vector<unsigned>(32));
    CHECK(launch("some_end_early", {1, 64}, few.address) == 0);
    CHECK(few.read()[31] == 31);
}

static void limits() {
    Device<float> values(std::vector<float>(1024, 1.0f));
    CHECK(launch("turn_round", {1, 256, 64 * 1024}, values.address) == invalid_value);
    void* function = nullptr;
    CHECK(cuModuleGetFunction(&function, module_handle, "turn_round") == 0);
    CHECK(cuFuncSetAttribute(function, 8, 64 * 1024) == 0);
    CHECK(launch("turn_round", {1, 256, 64 * 1024}, values.address) == 0);
    CHECK(launch("turn_round", {1, 1025, 0}, values.address) == invalid_value);
    CHECK(launch("turn_round", {0, 32, 0}, values.address) == invalid_value);
    CHECK(launch("no_such_kernel", {1, 1}) == 500);
    Address address;
    CHECK(cuMemAlloc_v2(&address, size_t(9) << 30) == 2);
    std::vector<float> too_many(1025);
    CHECK(cuMemcpyDtoH_v2(too_many.data(), values.address, 4 * 1025) == invalid_value);
    size_t before, after, total;
    CHECK(cuMemGetInfo_v2(&before, &total) == 0);
    {
        Device<char> more(std::vector<char>(1000));
        CHECK(cuMemGetInfo_v2(&after, &total) == 0 && before - after == 1000);
    }
    CHECK(cuMemGetInfo_v2(&after, &total) == 0 && before == after && total == size_t(8) << 30);
}

struct Weights { Address numbers, scales; unsigned n_outputs, n_inputs, group, scale_type; };

static void parameters() {
    Device<unsigned> out({0});
    CHECK(launch("many_parameters", {1, 1}, static_cast<unsigned char>(200), 1000ull, 30.0f, Weights{7, 0, 0, 0, 0, 5},
                 static_cast<unsigned short>(60000), out.address) == 0);
    CHECK(out.read()[0] == 200 + 1000 + 30 + 7 + 5 + 60000 + 2);
}

static void graphs() {
    void *stream, *graph, *executable;
    CHECK(cuStreamCreate(&stream, 1) == 0);
    Device<unsigned> counter({5}), places(std::vector<unsigned>(8));
    CHECK(cuStreamBeginCapture_v2(stream, 0) == 0);
    CHECK(cuMemsetD8Async(counter.address, 0, 4, stream) == 0);
    CHECK(launch("count", {4, 1, 0, stream}, counter.address, places.address) == 0);
    CHECK(launch("count", {4, 1, 0, stream}, counter.address, places.address) == 0);
    CHECK(cuStreamEndCapture(stream, &graph) == 0);
    CHECK(counter.read()[0] == 5);
    CHECK(cuGraphInstantiateWithFlags(&executable, graph, 0) == 0);
    CHECK(cuGraphDestroy(graph) == 0);
    for (int again = 0; again < 2; ++again) {
        CHECK(cuGraphLaunch(executable, stream) == 0);
        CHECK(counter.read()[0] == 8);
    }
    CHECK(cuGraphExecDestroy(executable) == 0);

    Address address;
    CHECK(cuStreamBeginCapture_v2(stream, 0) == 0);
    CHECK(cuMemAlloc_v2(&address, 16) == 900);
    CHECK(cuStreamEndCapture(stream, &graph) == 901);
    CHECK(cuStreamBeginCapture_v2(stream, 0) == 0);
    CHECK(cuStreamSynchronize(stream) == 900);
    CHECK(cuStreamEndCapture(stream, &graph) == 901);
}

int main() {
    void* context;
    Address address;
    CHECK(cuMemAlloc_v2(&address, 16) == 3);
    CHECK(cuInit(0) == 0);
    CHECK(cuMemAlloc_v2(&address, 16) == 201);
    CHECK(cuDevicePrimaryCtxRetain(&context, 0) == 0);
    CHECK(cuCtxSetCurrent(context) == 0);
    CHECK(cuModuleLoadData(&module_handle, "neither ELF nor PTX") == 200);
    CHECK(cuModuleLoadData(&module_handle, "\n.version 8.0") == 0);
    products_of_halves("multiply_bf16", false);
    products_of_halves("multiply_f16", true);
    products_of_bytes("multiply_s8", true);
    products_of_bytes("multiply_u8s8", false);
    matrices_from_shared();
    lanes_exchange();
    blocks_share();
    shared_memory_begins_as_nan();
    copies_need_waits();
    operands();
    conversions();
    order();
    faults();
    limits();
    parameters();
    graphs();
    printf(n_failed ? "%d checks failed\n" : "all checks passed\n", n_failed);
    return n_failed != 0;
}
