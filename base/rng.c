/* SPDX-License-Identifier: Apache-2.0 */
/* PCG32 (XSH-RR 64/32). Source: O'Neill, "PCG: A Family of Simple Fast
 * Space-Efficient Statistically Good Algorithms for Random Number Generation",
 * 2014, section 6.3; the stream is that of the paper's demonstration program,
 * so that seed 42 gives the published numbers. */
#include "base/rng.h"

#include <math.h>

#include "base/status.h"

#define MULTIPLIER UINT64_C(6364136223846793005)
#define STREAM UINT64_C(54)

void sn_rng_init(sn_rng *r, uint64_t seed) {
  r->state = 0;
  r->stream = STREAM << 1 | 1;
  (void)sn_rng_u32(r);
  r->state += seed;
  (void)sn_rng_u32(r);
}

uint32_t sn_rng_u32(sn_rng *r) {
  const uint64_t old = r->state;
  r->state = old * MULTIPLIER + r->stream;
  const uint32_t x = (uint32_t)(((old >> 18) ^ old) >> 27);
  const uint32_t turn = (uint32_t)(old >> 59);
  return x >> turn | x << (-turn & 31);
}

uint32_t sn_rng_below(sn_rng *r, uint32_t n) {
  SN_ASSERT(n > 0);
  /* The lowest 2^32 mod n values would make some results more likely. */
  const uint32_t reject = -n % n;
  uint32_t x = 0;
  do {
    x = sn_rng_u32(r);
  } while (x < reject);
  return x % n;
}

double sn_rng_uniform(sn_rng *r) {
  const uint64_t high = sn_rng_u32(r) >> 5, low = sn_rng_u32(r) >> 6;
  return (double)(high << 26 | low) * 0x1p-53;
}

/* Marsaglia's polar method; the second number is dropped, so that the state is
 * all there is to remember. */
double sn_rng_gauss(sn_rng *r) {
  double u = 0, q = 0;
  do {
    u = 2 * sn_rng_uniform(r) - 1;
    const double v = 2 * sn_rng_uniform(r) - 1;
    q = u * u + v * v;
  } while (q >= 1 || q == 0);
  return u * sqrt(-2 * log(q) / q);
}
