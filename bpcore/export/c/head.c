#include <float.h>
#include <stdint.h>
#include <string.h>

/* Sums and products are rounded where they are written, each once. */
#if defined(__FAST_MATH__)
#error "compile without -ffast-math, which changes the order of sums"
#elif defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "compile so that float stays float: -msse2 -mfpmath=sse, or -fexcess-precision=fast"
#elif defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#elif !defined(_MSC_VER)
#pragma STDC FP_CONTRACT OFF
#endif
