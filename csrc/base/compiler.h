/* compiler.h: every #ifdef about compilers, systems and machines, once.
 *
 *   ARCH_X86_64, ARCH_AARCH64   0 or 1
 *   TARGET("avx2,fma")          lets one function use instructions that the file's flags do not
 *   ALWAYS_INLINE               for bodies that become fast once their arguments are constants
 *   UNROLL                      before a for loop: write every round out
 *   PREFETCH(address)           asks for memory that will be read soon; any address will do
 *   HARDWARE_FMA                1 where plain C's fma() is one instruction everywhere
 */
#ifndef BP_BASE_COMPILER_H
#define BP_BASE_COMPILER_H

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

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define ALWAYS_INLINE __forceinline
#define PREFETCH(address) ((void)(address))
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

#endif
