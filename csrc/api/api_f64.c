/* api_f64.c: networks in double. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/compiler.h"
#include "../base/rng.h"
#include "../base/sizes.h"
#include "../base/threads.h"
#include "../kernels/kernels.h"
#include "../nn/network.h"

#define BITS 64
#include "../base/precision.h"
#include "../linalg/matmul_template.h"
#include "../linalg/context_template.h"
#include "../linalg/sparse_template.h"
#include "../nn/layer_template.h"
#include "../nn/loss_template.h"
#include "../nn/first_layer_template.h"
#include "../nn/backprop_template.h"
#include "../nn/gather_template.h"
#include "../nn/update_template.h"
#include "../nn/train_template.h"
#include "../nn/predict_template.h"
#include "training_template.h"
#include "layers_template.h"
#include "gradients_template.h"
#include "../nn/jacobian_template.h"
