/* nn_f64.c: networks in double. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "../base/arena.h"
#include "../base/compiler.h"
#include "../base/rng.h"
#include "../base/sizes.h"
#include "../base/threads.h"
#include "../kernels/kernels.h"
#include "network.h"

#define BITS 64
#include "../base/precision.h"
#include "matmul_template.h"
#include "engine_template.h"
#include "sparse_template.h"
#include "layer_template.h"
#include "loss_template.h"
#include "first_layer_template.h"
#include "backprop_template.h"
#include "input_template.h"
#include "update_template.h"
#include "train_template.h"
#include "forward_template.h"
#include "api_template.h"
#include "layer_api_template.h"
#include "external_template.h"
#include "second_order_template.h"
