/* kernels_generic.c: portable C, one element at a time; 4 rows x 2 elements. */
#include "../base/compiler.h"
#include <stdint.h>
#include <string.h>
#include <math.h>

#include "kernels.h"

#define ISA generic
#define ATTR
#define MR 4
#define SPARSE_VECTORS 8
#define FUSED HARDWARE_FMA

#define BITS 32
#include "../base/precision.h"
#include "../simd/vec_generic.h"
#include "kernels_template.h"

#define BITS 64
#include "../base/precision.h"
#include "../simd/vec_generic.h"
#include "kernels_template.h"
