/* sizes.h: sizes that cannot wrap around. A result that does not fit sticks at SIZE_MAX, so that
 * one check at the end covers a whole expression. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline size_t size_sum(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static inline size_t size_product(size_t a, size_t b)
{
    return b != 0 && a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

static inline size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* How many of `count` things to handle from number `first` on: as many as are left, at most
 * `budget`, but one at least where any is left. first <= count. */
static inline size_t size_slice(size_t count, size_t first, size_t budget)
{
    return size_min(count - first, size_max(budget, 1));
}

/* How many pieces of `size`, the last of which may be smaller, make a. */
static inline size_t size_pieces(size_t a, size_t size)
{
    return (a + size - 1) / size;
}

/* The smallest multiple of `step` that is at least a; a is far below SIZE_MAX or sticks there. */
static inline size_t size_round_up(size_t a, size_t step)
{
    return a > SIZE_MAX - step ? SIZE_MAX : size_pieces(a, step) * step;
}

/* Can an object have this many bytes? Pointer differences must fit ptrdiff_t. */
static inline int size_is_addressable(size_t bytes)
{
    return bytes <= (size_t)PTRDIFF_MAX;
}
