/* lists.c: what the lists of bpcore.h say of a number. */
#include "../bpcore.h"
#include "../nn/network.h"

#define LABEL(number, name, ...) [number] = #name,
#define OUTPUT(number, name, output, limit) [number] = output,
#define LIMIT(number, name, output, limit) [number] = limit,

static const char *const ACTIVATION_NAMES[] = {BP_ACTIVATIONS(LABEL)};
static const char *const LOSS_NAMES[] = {BP_LOSSES(LABEL)};
static const int LOSS_OUTPUTS[] = {BP_LOSSES(OUTPUT)};
static const double LOSS_LIMITS[] = {BP_LOSSES(LIMIT)};
static const char *const OPTIMIZER_NAMES[] = {BP_OPTIMIZERS(LABEL)};

const char *bp_activation_name(int activation)
{
    return activation >= 0 && activation < BP_ACTIVATION_COUNT ? ACTIVATION_NAMES[activation]
                                                                : NULL;
}

const char *bp_loss_name(int loss)
{
    return loss >= 0 && loss < BP_LOSS_COUNT ? LOSS_NAMES[loss] : NULL;
}

int bp_loss_output(int loss)
{
    return loss >= 0 && loss < BP_LOSS_COUNT ? LOSS_OUTPUTS[loss] : BP_ANY_OUTPUT;
}

double bp_loss_limit(int loss)
{
    return loss >= 0 && loss < BP_LOSS_COUNT ? LOSS_LIMITS[loss] : 0;
}

const char *bp_optimizer_name(int optimizer)
{
    return optimizer >= 0 && optimizer < BP_OPTIMIZER_COUNT ? OPTIMIZER_NAMES[optimizer] : NULL;
}

size_t bp_moment_count(int optimizer)
{
    return moment_count(optimizer);
}
