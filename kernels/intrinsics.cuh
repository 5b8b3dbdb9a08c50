// Instructions of sm_80 and newer behind plain functions. simulator/simulated.cuh has the same set.
#pragma once

#define REGISTER(kernel) static_assert(true, "")
#define DYNAMIC_SHARED(name) extern __shared__ __align__(16) char name[]
#define INTRINSIC __device__ __forceinline__
#define WHOLE_WARP 0xffffffffu
#define NAN_FLOAT __int_as_float(0x7fffffff)
#define INFINITE_FLOAT __int_as_float(0x7f800000)

INTRINSIC u32 bits_of(float x) { return __float_as_uint(x); }
INTRINSIC float float_of_bits(u32 bits) { return __uint_as_float(bits); }

INTRINSIC float to_float(bf16 x) { return __uint_as_float(u32(x.bits) << 16); }

INTRINSIC float to_float(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}

INTRINSIC bf16 to_bf16(float x) {
    bf16 y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

INTRINSIC f16 to_f16(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}

INTRINSIC u32 pack_bf16(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

INTRINSIC u32 pack_f16(float low, float high) {
    u32 pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

// Nearest integer, halves to even; NaN becomes 0.
INTRINSIC i32 nearest(float x) { return __float2int_rn(x); }

INTRINSIC float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

INTRINSIC float rsqrt_fast(float x) {
    float y;
    asm("rsqrt.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// Byte i of the result is byte (selector nibble i) of the eight bytes low, high.
INTRINSIC u32 permute_bytes(u32 low, u32 high, u32 selector) { return __byte_perm(low, high, selector); }

// Lane g * 4 + t of the warp: a[0] = A[g][2t..], a[1] = A[g + 8][2t..], a[2] = A[g][2t + 8..], a[3] = A[g + 8][2t + 8..];
// b[0] = B[2t..][g], b[1] = B[2t + 8..][g]; c = C[g][2t], C[g][2t + 1], C[g + 8][2t], C[g + 8][2t + 1].
INTRINSIC void mma_bf16(float c[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

INTRINSIC void mma_f16(float c[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// As above with four bytes where two halves were: a[0] = A[g][4t..], a[1] = A[g + 8][4t..], a[2] = A[g][4t + 16..],
// a[3] = A[g + 8][4t + 16..]; b[0] = B[4t..][g], b[1] = B[4t + 16..][g].
INTRINSIC void mma_s8(i32 c[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

INTRINSIC void mma_u8s8(i32 c[4], const u32 a[4], const u32 b[2]) {
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// sum + the four products of signed bytes.
INTRINSIC i32 dot4(u32 a, u32 b, i32 sum) { return __dp4a(i32(a), i32(b), sum); }

INTRINSIC u32 shared_address(const void* pointer) {
    u32 address;
    asm("{ .reg .u64 wide; cvta.to.shared.u64 wide, %1; cvt.u32.u64 %0, wide; }" : "=r"(address) : "l"(pointer));
    return address;
}

// Four 8x8 matrices of halves; lane i brings the address of row i % 8 of matrix i / 8 (16 bytes, aligned), in shared
// memory. Lane g * 4 + t gets of each matrix M[g][2t], M[g][2t + 1]; transposed: M[2t][g], M[2t + 1][g].
INTRINSIC void load_matrix4(u32 r[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

INTRINSIC void load_matrix4_transposed(u32 r[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

// As load_matrix4 with two matrices; the addresses of lanes 16 to 31 are not used, but must be good.
INTRINSIC void load_matrix2(u32 r[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1]) : "r"(shared_address(row)) : "memory");
}

// Loads of what is read once and never written while the kernel runs. Aligned to their size.
INTRINSIC uint4 load16(const void* pointer) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(pointer));
    return v;
}

INTRINSIC uint2 load8(const void* pointer) {
    uint2 v;
    asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(pointer));
    return v;
}

INTRINSIC u32 load4(const void* pointer) {
    u32 v;
    asm volatile("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(v) : "l"(pointer));
    return v;
}

// Copies from global to shared memory, both aligned to 16 bytes, that a thread may see after copy_wait and others
// after a barrier behind it. copy_wait<N> leaves the latest N committed groups under way.
INTRINSIC void copy16_async(void* shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(shared_address(shared)), "l"(global) : "memory");
}

INTRINSIC void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int N> INTRINSIC void copy_wait() { asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory"); }

template <class T> INTRINSIC T shuffle_xor(T value, u32 mask) { return __shfl_xor_sync(WHOLE_WARP, value, mask); }
template <class T> INTRINSIC T shuffle(T value, u32 lane) { return __shfl_sync(WHOLE_WARP, value, lane); }
// Bit i is what lane i says. (nvcc has a deprecated `ballot` of its own.)
INTRINSIC u32 vote(bool is_true) { return __ballot_sync(WHOLE_WARP, is_true); }
INTRINSIC u32 count_bits(u32 x) { return __popc(x); }
INTRINSIC u32 lowest_bit(u32 x) { return __ffs(x) - 1; }

INTRINSIC void sync() { __syncthreads(); }
INTRINSIC void sync_warp() { __syncwarp(); }
INTRINSIC u32 fetch_add(u32* counter, u32 n) { return atomicAdd(counter, n); }

// What this thread wrote before is seen by all of the device (of the system) before what it writes after.
INTRINSIC void fence_device() { __threadfence(); }
INTRINSIC void fence_system() { __threadfence_system(); }
