/* From reset to main and back, for every Cortex-M, and semihosting: a breakpoint with a number, at
 * which a debugger, or qemu, does what the number says (ARM's "Semihosting for AArch32"). */
#include "board.h"

#include <stdint.h>

/* Where memory.ld puts things. */
extern uint32_t data_in_flash[], data_begin[], data_end[], bss_end[], stack_top[];

int main(void);
void reset(void);

enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18 };
enum { STOPPED_WELL = 0x20026, STOPPED_BY_ERROR = 0x20023 };

#define PAINT 0xa5a5a5a5 /* What no stack holds by chance. */

static void ask_debugger(uint32_t operation, uint32_t argument)
{
    __asm__ volatile("mov r0, %0\n mov r1, %1\n bkpt 0xab"
                     :
                     : "r"(operation), "r"(argument)
                     : "r0", "r1", "memory");
}

void say(const char *text)
{
    ask_debugger(SYS_WRITE0, (uint32_t)text);
}

static void stop(uint32_t reason)
{
    ask_debugger(SYS_EXIT, reason);
    for (;;) continue; /* Nobody listened. */
}

unsigned stack_used(void)
{
    const volatile uint32_t *lowest = bss_end;
    while (lowest < stack_top && *lowest == PAINT) lowest++;
    return (unsigned)((uintptr_t)stack_top - (uintptr_t)lowest);
}

static uint32_t *stack_pointer(void)
{
    uint32_t *stack;
    __asm__ volatile("mov %0, sp" : "=r"(stack));
    return stack;
}

void reset(void)
{
#if defined(__ARM_FP)
    *(volatile uint32_t *)0xe000ed88 |= 0xf << 20; /* CPACR: the floating-point unit is on. */
    __asm__ volatile("dsb\n isb");
#endif
    const uint32_t *source = data_in_flash;
    for (volatile uint32_t *word = data_begin; word < data_end;) *word++ = *source++;
    for (volatile uint32_t *word = data_end; word < bss_end;) *word++ = 0;
    for (volatile uint32_t *word = bss_end; word < stack_pointer();) *word++ = PAINT;
    stop(main() == 0 ? STOPPED_WELL : STOPPED_BY_ERROR);
}

static void fault(void)
{
    say("the processor stopped at a fault\n");
    stop(STOPPED_BY_ERROR);
}

/* What the processor reads at address 0: the stack, reset, and where exceptions lead. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault, fault},
};
