/* nn_f32.c: networks in float. */
#include <string.h>

#include "../base/compiler.h"
#include "../base/sizes.h"
#include "../kernels/kernels.h"
#include "network.h"

#define BITS 32
#include "../base/precision.h"
#include "matmul_template.h"
#include "layer_template.h"
#include "loss_template.h"
#include "backprop_template.h"
#include "train_template.h"
#include "api_template.h"
#include "layer_api_template.h"
