/* bpcore.h: fully connected networks, the public contract of the C core.
 *
 * Letters used for shapes:  N rows (samples), I inputs of a layer, O its outputs, P parameters.
 * Every matrix is row-major and contiguous unless a function says otherwise; rows are samples.
 * Pointers are aligned for what they point to; those to void may have any alignment.
 *
 * The core is a function of its arguments: it allocates nothing, prints nothing, keeps no state
 * and trusts no size. Sizes are checked at the door; values (NaN, infinity) are the caller's care,
 * and bp_first_nonfinite_* helps with it.
 *
 * The numerical contract.  A sum has one written order: its terms are added in ascending index, but
 * sums over the rows of a batch are cut into runs and parts (see BP_RUN_ROWS). In a matrix product
 * a term is one fused multiply-add; losses are added in double; the norms of penalties and of
 * clipping are added in 16 interleaved sums for each 1,024 terms, then in double; those of max_norm
 * in runs of BP_RUN_ROWS inputs, each from 0.
 * With finite parameters no field of bp_execution (how a result is computed) changes any bit of it,
 * but for two exceptions: BP_GENERIC rounds products on a CPU without fused multiply-add, and a sum
 * that is zero may have either sign, since terms with a factor of zero may be left out. exp, log,
 * tanh and the normal distribution are part of the core; their errors are stated below.
 */
#ifndef BPCORE_H
#define BPCORE_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------- */

typedef enum bp_status {
    BP_OK = 0,
    BP_NULL_POINTER,        /* a required pointer is NULL */
    BP_BAD_NETWORK,         /* no layer, a layer of size 0, or an unknown activation or loss */
    BP_BAD_PAIR,            /* the loss has no meaning for the output activation */
    BP_BAD_ARGUMENT,        /* a number outside its range */
    BP_BAD_ORDER,           /* a row index in `order` that is not below the number of rows */
    BP_TOO_LARGE,           /* a size in bytes that does not fit ptrdiff_t */
    BP_WORKSPACE_TOO_SMALL, /* fewer bytes than bp_workspace_size_* asks for */
    BP_ISA_UNAVAILABLE,     /* this CPU or this build has no such instruction set */
    BP_BAD_SPARSE,          /* CSR entries out of order or out of range */
    BP_NONFINITE_INPUT,     /* a row of X holds NaN or infinity */
    BP_NONFINITE_LOSS,      /* the loss of a batch is NaN or infinite; parameters are untouched */
    BP_NOT_POSITIVE,        /* a matrix that is not positive definite has no Cholesky factor */
    BP_STATUS_COUNT         /* keep last */
} bp_status;

/* The sentence for a status; never NULL. */
const char *bp_status_message(bp_status status);

/* ---- The build ----------------------------------------------------------------------------- */

/* Name and version of the compiler that built this core. */
const char *bp_compiler(void);

/* ---- Instruction sets --------------------------------------------------------------------- */

typedef enum bp_isa {
    BP_ISA_DEFAULT = 0, /* the best that this CPU can run */
    BP_GENERIC,         /* portable C, one element at a time */
    BP_AVX2,            /* x86-64 with AVX2 and FMA: 256 bits */
    BP_AVX512,          /* x86-64 with AVX-512 F, VL, BW and DQ: 512 bits */
    BP_NEON,            /* AArch64: 128 bits */
    BP_WASM,            /* WebAssembly with vectors: 128 bits */
    BP_ISA_COUNT        /* keep last */
} bp_isa;

/* "generic", "avx2", "avx512", "neon", "wasm"; "default" for BP_ISA_DEFAULT, "unknown" for the rest.
 */
const char *bp_isa_name(bp_isa isa);

/* 1 where this build has the instruction set and this CPU can run it. */
int bp_isa_available(bp_isa isa);

/* The instruction set that BP_ISA_DEFAULT stands for. */
bp_isa bp_isa_best(void);

/* ---- Sums over the rows of a batch ----------------------------------------------------------- */

/* A gradient is a sum over the rows of a batch, and it is cut at multiples of these row numbers,
 * counted in the batch. The terms of a run of rows are added to 0 in ascending row, one fused
 * multiply-add (for biases one addition) a term. The runs of a part are added in ascending order,
 * beginning with the first, and so are the parts; the rounding errors of adding parts are exact
 * numbers (Knuth's 2Sum), which are added alike, and at the end to the sum. So whoever has the rows
 * of a part or of a run can make it.
 *
 * Of float terms that are all equal, a run loses 7.7e-6 at most and a part 8.3e-6 (measured over 8
 * million constants), and so does the sum of any number of parts. */
#define BP_RUN_ROWS 512
#define BP_PART_ROWS 32768

/* ---- How a result is computed; never which result ------------------------------------------- */

typedef struct bp_execution {
    bp_isa isa;
    size_t block_rows; /* rows that pass through the network together; 0: about 2 MiB of them, or
                          what is learnt within some hundredths of a second. In training at most a
                          part; of more than a run, a power of two of runs or the whole batch */
    size_t threads;    /* the most threads to use; 0 and 1: the caller's. They live within one call,
                          and only in calls that are long enough to gain by them */
    size_t thread_work; /* multiply-adds in float, or half as many in double, that call for one more
                           thread; 0: as many as were measured to pay for it. 1 lets every call use
                           all threads, for tests */
    size_t step_work; /* multiply-adds, in either precision, of a training step from which threads
                         share it; 0: BP_STEP_WORK */
} bp_execution;

/* A step passes some 15 times from one thread to all and hands on activations, nonzeros and
 * gradients: what is shorter, threads share only where a caller finds that it pays there. With two,
 * measured on virtual CPUs that exchange a cache line in 64 or in 320 nanoseconds: 4.5 M gain a
 * tenth at best and take twice as long at worst, 11 M a fifth and 1.8 times, 65 M two fifths and
 * 1.4 times. */
#define BP_STEP_WORK 24000000

/* ---- Networks -------------------------------------------------------------------------------- */

/* Each activation, loss and optimizer is a line of a list, X(number, name, ...): numbers, names and
 * tables follow from it, here and in the kernels. */
#define BP_NUMBER(number, ...) number,

/* What tells the derivative: NOTHING (it is 1), the OUTPUT a = g(z), the INPUT z, or the outputs of
 * a whole ROW. */
#define BP_ACTIVATIONS(X)                                                                          \
    X(BP_IDENTITY, identity, NOTHING)                                                              \
    X(BP_SIGMOID, sigmoid, OUTPUT)       /* 1 / (1 + exp(-z)) */                                   \
    X(BP_TANH, tanh, OUTPUT)                                                                       \
    X(BP_RELU, relu, OUTPUT)             /* max(0, z); its derivative at 0 is 0 */                 \
    X(BP_LEAKY_RELU, leaky_relu, OUTPUT) /* z > 0 ? z : 0.01 z (Maas et al. 2013) */               \
    X(BP_ELU, elu, OUTPUT)               /* z > 0 ? z : exp(z) - 1 (Clevert et al. 2015) */        \
    X(BP_SELU, selu, OUTPUT)             /* z > 0 ? s z : s a (exp(z) - 1), s and a of Klambauer   \
                                            et al. 2017 */                                         \
    X(BP_SOFTPLUS, softplus, OUTPUT)     /* log(1 + exp(z)) */                                     \
    X(BP_SILU, silu, INPUT)              /* z / (1 + exp(-z)) (Elfwing et al. 2017) */             \
    X(BP_GELU, gelu, INPUT)              /* z Phi(z), Phi the normal distribution (Hendrycks,      \
                                            Gimpel 2016), not a fit */                             \
    X(BP_EXP, exp, OUTPUT)               /* exp(z), for outputs that are rates */                  \
    X(BP_SOFTMAX, softmax, ROW)          /* exp(z_j) / sum_k exp(z_k), for the last layer only */

typedef enum bp_activation { BP_ACTIVATIONS(BP_NUMBER) BP_ACTIVATION_COUNT } bp_activation;

/* Its name in small letters, as "leaky_relu"; NULL where there is none. */
const char *bp_activation_name(int activation);

/* The output activation that it goes with; what its parameter, which is above 0, is below, or 0
 * where it has none. Losses are sums over the outputs of a row. */
#define BP_ANY_OUTPUT (-1)
#define BP_LOSSES(X)                                                                               \
    X(BP_MSE, mse, BP_ANY_OUTPUT, 0)           /* 1/2 (a - y)^2 */                                 \
    X(BP_MAE, mae, BP_ANY_OUTPUT, 0)           /* |a - y|; its derivative at 0 is 0 */             \
    X(BP_HUBER, huber, BP_ANY_OUTPUT, DBL_MAX) /* 1/2 e^2 for e = |a - y| <= c, c e - 1/2 c^2      \
                                                  beyond; c: its parameter */                      \
    X(BP_BCE, bce, BP_SIGMOID, 0)              /* -y log a - (1-y) log(1-a) */                     \
    X(BP_CROSS_ENTROPY, cross_entropy, BP_SOFTMAX, 0) /* -y log a */                               \
    X(BP_POISSON, poisson, BP_EXP, 0)          /* a - y + y log(y / a), half the deviance */       \
    X(BP_QUANTILE, quantile, BP_ANY_OUTPUT, 1) /* q (y - a) for a < y, (1 - q) (a - y) otherwise;  \
                                                  q: its parameter */

typedef enum bp_loss { BP_LOSSES(BP_NUMBER) BP_LOSS_COUNT } bp_loss;

/* Its name, its output activation and what its parameter is below. */
const char *bp_loss_name(int loss);
int bp_loss_output(int loss);
double bp_loss_limit(int loss);

/* A network of `layers` weight layers; layer l maps sizes[l] inputs to sizes[l + 1] outputs.
 *
 * Parameters are one flat array: for each layer its weights W [I, O], then its biases b [O],
 * and the layer computes Z = X W + b, A = g(Z). (The tutorials write the transpose of W.)
 */
typedef struct bp_network {
    size_t layers;          /* at least 1 */
    const size_t *sizes;    /* [layers + 1], each at least 1 */
    const int *activations; /* [layers], bp_activation */
    int loss;               /* bp_loss */
    double loss_parameter;  /* of losses that have one: between 0 and bp_loss_limit */
    const double *dropout;  /* [layers - 1], the share of each hidden layer's outputs that bp_train
                               makes 0, at least 0 and below 1; the others grow by 1 / (1 - share).
                               NULL: none */
} bp_network;

/* P, the length of the flat parameter array; errors: BP_NULL_POINTER, BP_BAD_NETWORK,
 * BP_BAD_PAIR, BP_TOO_LARGE. */
bp_status bp_parameter_count(const bp_network *net, size_t *count);

/* The order in which epoch number `epoch` visits `rows` rows: a permutation of 0 ... rows - 1
 * that depends on (seed, epoch, rows) alone. Fisher-Yates, driven by Philox4x32-10 (Salmon et
 * al. 2011). */
bp_status bp_shuffle(size_t *order, size_t rows, uint64_t seed, uint64_t epoch);

/* Is this a matrix in compressed sparse rows? The entries of row i are those from row_offsets[i] to
 * row_offsets[i + 1] - 1; their columns ascend and are below `columns`. row_offsets [rows + 1]
 * begins with 0. *row_nonzeros := the most entries of a row. Errors: BP_BAD_SPARSE. */
bp_status bp_check_csr(size_t rows, size_t columns, const size_t *row_offsets,
                       const uint32_t *indices, size_t *row_nonzeros);

/* 1 where the first layer is computed faster with the entries of X [rows, sizes[0]] alone than with
 * all its elements: where at most half of them are not zero (measured: docs/performance.md). */
int bp_sparse_pays(const bp_network *net, size_t nonzeros, size_t rows);

/* Multiply-adds of a training step of `batch_rows` of the `rows` rows of X, forward and backward.
 * nonzeros: entries of sparse X; 0: X is dense. At most SIZE_MAX. */
size_t bp_step_work(const bp_network *net, size_t rows, size_t nonzeros, size_t batch_rows);

/* How a gradient becomes an update, and how many arrays of moments [P] that takes. Symbols: w a
 * parameter, g the gradient of the mean loss and of its penalties, r the learning rate, t the
 * update's number from 1; v, m, s moments, from 0. One that decays below the smallest normal number
 * is 0. */
#define BP_OPTIMIZERS(X)                                                                           \
    X(BP_SGD, sgd, 0)           /* w -= r g */                                                     \
    X(BP_MOMENTUM, momentum, 1) /* v := momentum v - r g; w += v (Polyak 1964) */                  \
    X(BP_NESTEROV, nesterov, 1) /* v := momentum v - r g; w += momentum v - r g (Sutskever et al.  \
                                   2013) */                                                        \
    X(BP_RMSPROP, rmsprop, 1)   /* s := decay s + (1 - decay) g^2;                                 \
                                   w -= r g / (sqrt(s) + epsilon) (Hinton 2012) */                 \
    X(BP_ADAM, adam, 2)         /* m, s alike, with momentum and decay;                            \
                                   w -= r m' / (sqrt(s') + epsilon) for m' = m / (1 - momentum^t), \
                                   s' = s / (1 - decay^t) (Kingma, Ba 2014) */                     \
    X(BP_RPROP, rprop, 2)       /* each w has a step, which grows while its g keeps its sign and   \
                                   shrinks where it does not; the steps, the second moments, start \
                                   at what the caller puts there; the first moments keep signs     \
                                   (Riedmiller, Braun 1993; as iRprop- of Igel, Huesken 2000) */

typedef enum bp_optimizer { BP_OPTIMIZERS(BP_NUMBER) BP_OPTIMIZER_COUNT } bp_optimizer;

/* Its name, and its arrays of moments; NULL and 0 where there is none. */
const char *bp_optimizer_name(int optimizer);
size_t bp_moment_count(int optimizer);

typedef struct bp_rule {
    int optimizer;
    double momentum; /* BP_MOMENTUM, BP_NESTEROV, BP_ADAM: at least 0, below 1 as real */
    double decay;    /* BP_RMSPROP, BP_ADAM: likewise */
    double epsilon;  /* BP_RMSPROP, BP_ADAM: above 0, and no subnormal number */
    int epsilon_inside; /* BP_ADAM: 1: w -= r sqrt(1 - decay^t) / (1 - momentum^t) m / (sqrt(s) +
                           epsilon), the paper's second form, which scikit-learn and Keras use */
    double weight_decay; /* w := w - r weight_decay w before the update, weights only (Loshchilov,
                            Hutter 2017) */
    double shrink, grow, least_step, most_step; /* BP_RPROP */
    double l2, l1;        /* penalties: l2 / 2 sum W^2 + l1 sum |W|, without biases */
    int penalty_of_sum;   /* 1: they belong to the sum of a batch's losses, not to their mean */
    double clip_norm;     /* a g that is longer is shortened to this length; 0: never */
    double max_norm;      /* longest column of W, the weights into one unit; 0: any length */
} bp_rule;

/* Training by gradient descent on mini-batches, and how far it has come. */
typedef struct bp_training {
    size_t batch_rows;    /* rows a step; rows of the whole data: full batch. At least 1 */
    double learning_rate; /* r */
    const bp_rule *rule;  /* NULL: BP_SGD, and nothing else */
    uint64_t step;        /* updates that were done; the caller starts at 0 */
    uint64_t warmup_steps; /* r grows evenly over so many updates; 0: it does not */
    int rows_count;       /* 1: in an epoch's loss a batch counts as often as it has rows */
    uint64_t seed, first_epoch; /* of dropout: the epoch after the first is first_epoch + 1 */
    size_t epochs;        /* how many to do; each visits the rows in the same order */
    double *losses;       /* [epochs], for the mean of each epoch's batch losses; or NULL */
    double *penalties;    /* [epochs], likewise of the penalties; or NULL */
    size_t epoch;         /* epochs that are finished; the caller starts at 0 */
    size_t row;           /* rows of this epoch that were used so far; the caller starts at 0 */
    double batch_loss;    /* sum of the losses of the open batch's rows so far */
    double batch_weight;  /* sum of their weights */
    double epoch_loss;    /* sum over the finished batches of their mean losses */
    double epoch_penalty; /* sum over the finished batches of the penalties before their updates */
    size_t batches;       /* finished batches of this epoch */
    double counted;       /* how often they count, together */
} bp_training;

/* The functions below exist twice: _f32 for float, _f64 for double. */
#define real float
#define BP_NAME(name) name##_f32
#include "bpcore_functions.h"
#undef real
#undef BP_NAME
#define real double
#define BP_NAME(name) name##_f64
#include "bpcore_functions.h"
#undef real
#undef BP_NAME

#ifdef __cplusplus
}
#endif
#endif
