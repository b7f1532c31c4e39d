/* compiler.h: every #ifdef about compilers, systems and machines, once.
 *
 *   COMPILER                    the compiler's name and version, a string
 *   ARCH_X86_64, ARCH_AARCH64, ARCH_WASM
 *                               0 or 1; WebAssembly has to have vectors
 *   WASM_RELAXED                1 where WebAssembly's vectors have a multiply-add
 *   TARGET("avx2,fma")          lets one function use instructions that the file's flags do not
 *   ALWAYS_INLINE               for bodies that become fast once their arguments are constants
 *   UNROLL                      before a for loop: write every round out
 *   PREFETCH(address)           asks for memory that will be read soon; any address will do
 *   HARDWARE_FMA                1 where plain C's fma() is one instruction everywhere
 *   THREADS_WINDOWS, THREADS_NONE
 *                               1 for Windows threads, for none; 0 and 0 for POSIX threads
 *   ATOMIC_LOAD(p), ATOMIC_STORE(p, x), ATOMIC_ADD(p, x)
 *                               on an unsigned, sequentially consistent; the sum is returned
 *   SPIN_PAUSE()                tells the CPU that this is a loop that waits
 *   LOWEST_BIT(bits)            the number of the lowest bit that is set; bits is not 0
 *   BIT_COUNT(bits)             how many bits of an unsigned below 2^16 are set
 *   GUARD_BYTES                 bytes between two arrays of a workspace: 0, unless BP_GUARDS asks for
 *                               them in a build with AddressSanitizer, which then watches them
 *   GUARD(p), OPEN(p, bytes)    nobody may touch the GUARD_BYTES at p; anybody may use these
 */
#pragma once

#if defined(__x86_64__) || (defined(_M_X64) && !defined(_M_ARM64EC))
#define ARCH_X86_64 1
#else
#define ARCH_X86_64 0
#endif

#if (defined(__aarch64__) && defined(__ARM_NEON)) || defined(_M_ARM64)
#define ARCH_AARCH64 1
#else
#define ARCH_AARCH64 0
#endif

#if defined(__wasm_simd128__)
#define ARCH_WASM 1
#else
#define ARCH_WASM 0
#endif

#if defined(__wasm_relaxed_simd__)
#define WASM_RELAXED 1
#else
#define WASM_RELAXED 0
#endif

/* The contract rounds every operation to its type. x87 registers and s390x's traditional C keep more
 * digits, as many as the registers happen to last. */
#include <float.h>
#if FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2
#error "float keeps excess digits: -msse2 -mfpmath=sse on x86, -fexcess-precision=fast on s390x"
#endif

/* Nor is a sum put into another order, a division made a product, or a NaN left out. GCC and MSVC
 * tell where they may do so, Clang of -ffast-math alone; contraction is left to setup.py. Constants
 * are doubles, unless one flag of GCC's makes them floats. */
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||      \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) ||                          \
    defined(__NO_SIGNED_ZEROS__) || defined(_M_FP_FAST) || defined(_M_FP_CONTRACT)
#error "arithmetic must be that of IEEE 754: -fno-fast-math or /fp:precise"
#endif
typedef char constants_are_doubles[sizeof(0.1) == sizeof(double) ? 1 : -1];

#define QUOTED(macro) QUOTE(macro)
#define QUOTE(word) #word
#if defined(__clang__)
#define COMPILER __VERSION__
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define COMPILER "GCC " __VERSION__
#define UNROLL _Pragma("GCC unroll 32")
#elif defined(_MSC_FULL_VER)
#define COMPILER "MSVC " QUOTED(_MSC_FULL_VER)
#define UNROLL
#else
#define COMPILER "unknown"
#define UNROLL
#endif

#if defined(_WIN32)
#define THREADS_WINDOWS 1
#else
#define THREADS_WINDOWS 0
#endif

#if defined(__wasm__)
#define THREADS_NONE 1
#else
#define THREADS_NONE 0
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address, 0, 2)
#define ATOMIC_LOAD(p) __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define ATOMIC_STORE(p, x) __atomic_store_n(p, x, __ATOMIC_SEQ_CST)
#define ATOMIC_ADD(p, x) __atomic_add_fetch(p, (unsigned)(x), __ATOMIC_SEQ_CST)
#define LOWEST_BIT(bits) __builtin_ctz(bits)
#define BIT_COUNT(bits) ((size_t)__builtin_popcount(bits))
#else
#include <intrin.h>
#define ALWAYS_INLINE __forceinline
#define PREFETCH(address) ((void)(address))
#define ATOMIC_LOAD(p) ((unsigned)_InterlockedOr((volatile long *)(p), 0))
#define ATOMIC_STORE(p, x) ((void)_InterlockedExchange((volatile long *)(p), (long)(x)))
#define ATOMIC_ADD(p, x) ((unsigned)(_InterlockedExchangeAdd((volatile long *)(p), (x)) + (x)))
#define LOWEST_BIT(bits) msvc_lowest_bit(bits)
#define BIT_COUNT(bits) ((size_t)__popcnt16((unsigned short)(bits)))
static inline int msvc_lowest_bit(unsigned bits)
{
    unsigned long number;
    _BitScanForward(&number, bits);
    return (int)number;
}
#endif

#if defined(BP_GUARDS)
#include <sanitizer/asan_interface.h>
#define GUARD_BYTES ((size_t)64)
#define GUARD(p) __asan_poison_memory_region(p, GUARD_BYTES)
#define OPEN(p, bytes) __asan_unpoison_memory_region(p, bytes)
#else
#define GUARD_BYTES ((size_t)0)
#define GUARD(p) ((void)(p))
#define OPEN(p, bytes) ((void)(p))
#endif

#if (defined(__GNUC__) || defined(__clang__)) && ARCH_X86_64
#define SPIN_PAUSE() __builtin_ia32_pause()
#elif (defined(__GNUC__) || defined(__clang__)) && ARCH_AARCH64
#define SPIN_PAUSE() __asm__ __volatile__("yield")
#elif ARCH_X86_64
#define SPIN_PAUSE() _mm_pause()
#else
#define SPIN_PAUSE() ((void)0)
#endif

/* MSVC lets any function use any intrinsic and needs no attribute. */
#if ARCH_X86_64 && (defined(__GNUC__) || defined(__clang__))
#define TARGET(features) __attribute__((target(features)))
#else
#define TARGET(features)
#endif

#if ARCH_AARCH64 || (defined(__FP_FAST_FMA) && defined(__FP_FAST_FMAF))
#define HARDWARE_FMA 1
#else
#define HARDWARE_FMA 0
#endif
