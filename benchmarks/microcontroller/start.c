/* What runs before main on a Cortex-M, and the heap that malloc takes: from .bss upwards. */
#include <stddef.h>
#include <stdint.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

int main(void);
char *heap_end = (char *)bss_end;

void *_sbrk(ptrdiff_t size)
{
    char *before = heap_end;
    heap_end += size;
    return before;
}

static void fault(void)
{
    for (;;) {
    }
}

void start(void)
{
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20; /* CPACR: both coprocessors of the FPU. */
    __asm volatile("dsb\n isb");
#endif
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
    main();
    fault();
}

typedef void handler(void);

/* The stack, reset, and what goes wrong. */
__attribute__((section(".vectors"), used)) static handler *const vectors[] = {
    (handler *)stack_top, start, fault, fault, fault, fault, fault,
};
