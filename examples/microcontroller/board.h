/* board.h: what main needs of a Cortex-M. */
#ifndef BOARD_H
#define BOARD_H

/* Writes a text where the debugger, or qemu, shows it; without either, a UART has to. */
void say(const char *text);

/* Bytes of stack that were in use at once, at most. */
unsigned stack_used(void);

#endif /* BOARD_H */
