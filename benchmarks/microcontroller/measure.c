/* Predicts all rows and prints, in hexadecimal: bytes of stack, bytes of heap, ticks of the clock in
   which a million instructions pass, and for each row its ticks and the words of its answers. */
#include <stdint.h>
#include <string.h>

#include "rows.h"

#define PAINT 0xA5A5A5A5u

/* The clock: SysTick, which counts down 24 bits at the processor's frequency. */
#define CONTROL (*(volatile uint32_t *)0xE000E010)
#define RELOAD (*(volatile uint32_t *)0xE000E014)
#define CURRENT (*(volatile uint32_t *)0xE000E018)
#define LAST_TICK 0xFFFFFFu

extern uint32_t bss_end[];
extern char *heap_end;

/* Semihosting: the debugger, or QEMU, does what r0 says with what r1 says. */
static void ask_host(uint32_t what, const void *with)
{
    register uint32_t r0 __asm("r0") = what;
    register const void *r1 __asm("r1") = with;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(uint32_t number)
{
    char text[] = "00000000\n";
    for (int i = 7; i >= 0; i--, number >>= 4) text[i] = "0123456789abcdef"[number & 15];
    ask_host(0x04, text); /* SYS_WRITE0 */
}

static uint32_t million_instructions(void)
{
    const uint32_t before = CURRENT;
    uint32_t turns = 500000;
    __asm volatile(".syntax unified\n1: subs %0, #1\n bne 1b" : "+l"(turns) : : "cc");
    return (before - CURRENT) & LAST_TICK;
}

static uint32_t ticks_of(const given *x, answer *y)
{
    const uint32_t before = CURRENT;
    predict(x, y);
    return (before - CURRENT) & LAST_TICK;
}

/* How deep predict goes below the stack of its caller. */
static uint32_t stack_of(const given *x, answer *y)
{
    uint32_t *top, *deepest = (uint32_t *)(((uintptr_t)heap_end + 3) & ~(uintptr_t)3);
    __asm volatile("mov %0, sp" : "=r"(top)); /* Nothing is below it before the call. */
    for (volatile uint32_t *word = deepest; word < top; word++) *word = PAINT;
    predict(x, y);
    while (deepest < top && *deepest == PAINT) deepest++;
    return (uint32_t)((char *)top - (char *)deepest);
}

int main(void)
{
    answer y[OUTPUTS];
    RELOAD = LAST_TICK;
    CURRENT = 0;
    CONTROL = 5;         /* On, at the processor's frequency. */
    predict(rows[0], y); /* Who allocates, has. */
    print(stack_of(rows[0], y));
    print((uint32_t)(heap_end - (char *)bss_end));
    print(million_instructions());
    for (int row = 0; row < ROWS; row++) {
        print(ticks_of(rows[row], y));
        for (int j = 0; j < OUTPUTS; j++) {
            uint32_t word;
            memcpy(&word, &y[j], sizeof word);
            print(word);
        }
    }
    ask_host(0x18, (void *)0x20026); /* SYS_EXIT, as the application wants. */
    return 0;
}
