/* build.c: what the core was built with. */
#include "../bpcore.h"
#include "compiler.h"

const char *bp_compiler(void)
{
    return COMPILER;
}
