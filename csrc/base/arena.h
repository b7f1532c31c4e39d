/* arena.h: cuts one block of memory into arrays.
 *
 * The same function lays a workspace out and, with an arena without memory, tells its size: sizes
 * and places cannot disagree.
 */
#pragma once

#include "compiler.h"
#include "sizes.h"

/* Arrays begin at multiples of a cache line, so that no two threads write to one. */
#define ARENA_ALIGNMENT ((size_t)64)

typedef struct arena {
    uintptr_t base; /* 0: only the size is asked for */
    size_t used;    /* bytes; SIZE_MAX where they do not fit */
} arena;

/* An arena in memory that may begin anywhere, or in no memory (NULL). */
static inline arena arena_in(void *memory)
{
    const uintptr_t address = (uintptr_t)memory;
    arena a = {(address + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT, 0};
    return a;
}

/* The next array, of `count` elements. Without memory the pointer must not be used. */
static inline void *arena_take(arena *a, size_t count, size_t element_bytes)
{
    const uintptr_t place = a->base + a->used;
    const size_t bytes = size_product(count, element_bytes);
    a->used = size_sum(a->used, size_sum(size_round_up(bytes, ARENA_ALIGNMENT), GUARD_BYTES));
    if (a->base) {
        OPEN((void *)place, bytes);
        GUARD((void *)(place + bytes));
    }
    return (void *)place;
}

/* Bytes that memory must have, wherever it begins. */
static inline size_t arena_bytes(const arena *a)
{
    return size_sum(a->used, ARENA_ALIGNMENT);
}
