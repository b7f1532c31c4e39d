/* status.c: one sentence for each status. */
#include "../bpcore.h"

static const char *const MESSAGES[BP_STATUS_COUNT] = {
    [BP_OK] = "success",
    [BP_NULL_POINTER] = "a required pointer is NULL",
    [BP_BAD_NETWORK] = "the network has no layer, an empty layer, or an unknown activation or loss",
    [BP_BAD_PAIR] = "the loss does not go with the output activation",
    [BP_BAD_ARGUMENT] = "a number is outside its range",
    [BP_BAD_ORDER] = "the order names a row that does not exist",
    [BP_TOO_LARGE] = "the sizes ask for more bytes than can be addressed",
    [BP_WORKSPACE_TOO_SMALL] = "the workspace is smaller than its size function asks for",
    [BP_ISA_UNAVAILABLE] = "this CPU or this build does not have the instruction set",
    [BP_BAD_SPARSE] = "the sparse matrix has entries out of order or out of range",
    [BP_NONFINITE_INPUT] = "the input is not finite",
    [BP_NONFINITE_LOSS] = "the loss is not finite",
    [BP_NOT_POSITIVE] = "the matrix is not positive definite",
};

const char *bp_status_message(bp_status status)
{
    return (unsigned)status < BP_STATUS_COUNT ? MESSAGES[status] : "unknown status";
}
