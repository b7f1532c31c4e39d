/* plants.c: faults on purpose, to show that a sanitizer sees them. No build of the library has it:
 * tools/sanitizers.py puts it into the copy that it tests.
 */
#include <stdlib.h>

void bp_plant_overflow(void);
void bp_plant_undefined(void);
void bp_plant_leak(void);

/* One byte behind the end, which the compiler does not know. */
void bp_plant_overflow(void)
{
    volatile size_t size = 80;
    volatile char *block = malloc(size);
    if (!block) return;
    block[size] = 1;
    free((char *)block);
}

void bp_plant_undefined(void)
{
    volatile int largest = 0x7fffffff;
    largest = largest + 1;
}

void bp_plant_leak(void)
{
    volatile char *block = malloc(80);
    if (block) block[0] = 1;
}
