/* kernels.h: one table of functions and sizes for each instruction set and precision.
 *
 * Everything that depends on the CPU is in the table; floors above never name an instruction set.
 */
#pragma once

#include "../bpcore.h"

#ifdef BITS
#error "kernels.h is for both precisions: include it before BITS is defined"
#endif

/* The widest vector holds 16 elements. */
#define MAX_LANES 16

#define BITS 32
#include "kernels_table.h"
#undef BITS
#define BITS 64
#include "kernels_table.h"
#undef BITS

/* The tables of `isa`, NULL where it is not available. BP_ISA_DEFAULT is the best one. */
const bp_kernels_f32 *bp_find_kernels_f32(bp_isa isa);
const bp_kernels_f64 *bp_find_kernels_f64(bp_isa isa);
