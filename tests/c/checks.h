/* checks.h: what the driver measures with: counted checks, hashes of bits, guarded memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "pages.h"

/* Memcheck and MemorySanitizer see who uses memory that no one wrote, where they are told of it. */
#if defined(DRIVER_UNDER_MEMCHECK)
#include <valgrind/memcheck.h>
#define UNWRITTEN(data, bytes) ((void)VALGRIND_MAKE_MEM_UNDEFINED(data, bytes))
#else
#define UNWRITTEN(data, bytes) ((void)0)
#endif

/* ---- Checks ---------------------------------------------------------------------------------- */

static int passed, failed;

static void check(int holds, const char *what, int line)
{
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("line %d: %s\n", line, what);
    }
}

#define CHECK(condition) check((condition) != 0, #condition, __LINE__)

static int reached[BP_STATUS_COUNT];

static void check_status(bp_status status, bp_status expected, const char *what, int line)
{
    if (status < BP_STATUS_COUNT) reached[status] = 1;
    check(status == expected, what, line);
}

#define EXPECT(status, call) check_status(call, status, #call, __LINE__)

/* Of a call's pointers, numbered from 0, each is NULL in turn: EACH_NULL(2) EXPECT(BP_NULL_POINTER,
 * f(UNLESS(0, x), UNLESS(1, y))). */
#define EACH_NULL(count) for (int absent = 0; absent < (count); absent++)
#define UNLESS(number, pointer) (absent == (number) ? NULL : (pointer))

/* ---- Hashes ---------------------------------------------------------------------------------- */

#define FNV_START UINT64_C(14695981039346656037)

/* FNV-1a over numbers of `size` bytes, going on from `hash`. The lowest byte of a number is its
 * first on every machine, so that equal numbers are equal hashes. */
static uint64_t hash_numbers(uint64_t hash, const void *data, size_t count, size_t size)
{
    const uint16_t one = 1;
    const int lowest_first = *(const unsigned char *)&one;
    const unsigned char *number = data;
    for (; count; count--, number += size)
        for (size_t i = 0; i < size; i++)
            hash = (hash ^ number[lowest_first ? i : size - 1 - i]) * UINT64_C(1099511628211);
    return hash;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

/* Which side of a block touches the page that no one may touch. */
typedef enum { GUARD_BEFORE, GUARD_BEHIND } guard_side;

typedef struct {
    unsigned char *pages, *data;
    size_t length; /* of all pages, the two guards included */
} mapping;

static mapping mappings[64];
static int mapping_count;
static guard_side side;

/* `bytes` bytes of 0xff (NaN in either precision) with an inaccessible page directly on one side
 * and another one within a page on the other. 0 bytes are an address that may not be touched. */
static void *guarded(size_t bytes)
{
    const size_t page = page_size(), body = (bytes + page - 1) / page * page;
    mapping m = {.length = body + 2 * page};
    if (mapping_count == 64) abort();
    m.pages = pages_take(m.length);
    pages_allow(m.pages, page, PAGES_CLOSED);
    pages_allow(m.pages + page + body, page, PAGES_CLOSED);
    OPEN(m.pages + page, body); /* An earlier workspace may have left guards here. */
    memset(m.pages + page, 0xff, body);
    m.data = m.pages + page + (side == GUARD_BEFORE ? 0 : body - bytes);
    UNWRITTEN(m.data, bytes);
    mappings[mapping_count++] = m;
    return m.data;
}

/* A workspace of exactly `bytes` bytes. Where it does not end at the guard, it begins at an odd
 * address: it needs no alignment. */
static void *workspace(size_t bytes)
{
    if (side == GUARD_BEHIND) return guarded(bytes);
    return (unsigned char *)guarded(bytes + 1) + 1;
}

/* From here on, who writes to an existing block is stopped. */
static void freeze(void)
{
    const size_t page = page_size();
    for (int i = 0; i < mapping_count; i++)
        if (mappings[i].length > 2 * page)
            pages_allow(mappings[i].pages + page, mappings[i].length - 2 * page, PAGES_READ_ONLY);
}

static void release(void)
{
    while (mapping_count) {
        mapping_count--;
        pages_give_back(mappings[mapping_count].pages, mappings[mapping_count].length);
    }
}
