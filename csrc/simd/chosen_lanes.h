/* chosen_lanes.h: which of four lanes some bits choose, for instruction sets that can move lanes but
 * not compress them.
 */
#pragma once

#include <stdint.h>

/* Row b: the numbers of the bits of b that are set, ascending; what follows them means nothing. */
static const uint32_t CHOSEN_LANES[16][4] = {
    {0}, {0}, {1}, {0, 1}, {2}, {0, 2}, {1, 2}, {0, 1, 2},
    {3}, {0, 3}, {1, 3}, {0, 1, 3}, {2, 3}, {0, 2, 3}, {1, 2, 3}, {0, 1, 2, 3},
};
