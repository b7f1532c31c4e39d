/* build.c: what the core was built with. */
#include "../bpcore.h"
#include "../base/compiler.h"

const char *bp_compiler(void)
{
    return COMPILER;
}
