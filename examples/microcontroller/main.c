/* Says whether this processor computes what bpcore computes. */
#include "board.h"
#include "digits.h"

/* A number in decimal; a C library's printf would be larger than the network. */
static void say_number(unsigned number)
{
    char text[11], *first = &text[10];
    *first = 0;
    do *--first = (char)('0' + number % 10);
    while (number /= 10);
    say(first);
}

int main(void)
{
    const int differing = digits_certificate();
    say_number((unsigned)differing);
    say(" numbers differ from bpcore's; ");
    say_number(stack_used());
    say(" bytes of stack\n");
    return differing != 0;
}
