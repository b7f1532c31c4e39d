/* api_f32.c: the functions of bpcore_functions.h in float. */
#include "../kernels/kernels.h"

#define BITS 32
#include "../base/precision.h"
#include "elements_template.h"
#include "gradients_template.h"
#include "layers_template.h"
#include "matrices_template.h"
#include "prediction_template.h"
#include "shared_batch_template.h"
#include "training_template.h"
