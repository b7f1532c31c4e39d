/* precision.h: what BITS (32 | 64) means. Include it again for the other precision.
 *
 *   real           float or double
 *   NAME(x)        x_f32 or x_f64
 *   KERNEL_NAME(x) x_avx2_f32 and so on; for files that also define ISA
 */
#ifndef BITS
#error "precision.h needs BITS, 32 or 64"
#endif

#undef real
#undef NAME
#undef KERNEL_NAME

#define BP_PASTE_2(a, b) a##_##b
#define BP_PASTE_3(a, b, c) a##_##b##_##c
#define BP_EXPAND_3(a, b, c) BP_PASTE_3(a, b, c)

#if BITS == 32
#define real float
#define NAME(x) BP_PASTE_2(x, f32)
#define KERNEL_NAME(x) BP_EXPAND_3(x, ISA, f32)
#elif BITS == 64
#define real double
#define NAME(x) BP_PASTE_2(x, f64)
#define KERNEL_NAME(x) BP_EXPAND_3(x, ISA, f64)
#else
#error "BITS is 32 or 64"
#endif
