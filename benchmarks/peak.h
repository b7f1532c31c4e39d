/* peak.h: the arithmetic limit of one core, as a loop of independent multiply-adds. */
#ifndef PEAK_H
#define PEAK_H

#include "../csrc/bpcore.h"

/* Runs about `rounds` x 12 vector multiply-adds in registers; returns the operations done, 2 for
 * each element of each vector. *sink receives a value, so that no compiler leaves the work out. */
double peak_f32(bp_isa isa, size_t rounds, double *sink);
double peak_f64(bp_isa isa, size_t rounds, double *sink);

#endif
