/* SPDX-License-Identifier: Apache-2.0 */
/* PCG32 (XSH-RR 64/32). Source: O'Neill 2014, "PCG: A Family of Simple Fast
 * Space-Efficient Statistically Good Algorithms for Random Number Generation",
 * section 6.3. */
#include "base/rng.h"

#include <math.h>

#include "base/status.h"

#define MULTIPLIER 6364136223846793005u

void sn_rng_init(sn_rng *r, uint64_t seed) {
  r->state = 0;
  r->stream = 0xda3e39cb94b95bdbu; /* any odd number */
  (void)sn_rng_u32(r);
  r->state += seed;
  (void)sn_rng_u32(r);
}

uint32_t sn_rng_u32(sn_rng *r) {
  const uint64_t old = r->state;
  r->state = old * MULTIPLIER + r->stream;
  const uint32_t x = (uint32_t)(((old >> 18) ^ old) >> 27);
  const uint32_t turn = (uint32_t)(old >> 59);
  return (x >> turn) | (x << ((32u - turn) & 31u));
}

uint32_t sn_rng_below(sn_rng *r, uint32_t n) {
  SN_ASSERT(n > 0);
  const uint32_t skip = (0u - n) % n; /* 2^32 mod n: these would be biased */
  uint32_t x = sn_rng_u32(r);
  while (x < skip) x = sn_rng_u32(r);
  return x % n;
}

double sn_rng_uniform(sn_rng *r) {
  const uint64_t high = sn_rng_u32(r) >> 5, low = sn_rng_u32(r) >> 6;
  return (double)(high * 67108864u + low) / 9007199254740992.0; /* 2^53 */
}

double sn_rng_gauss(sn_rng *r) {            /* Box and Muller 1958 */
  const double u = 1.0 - sn_rng_uniform(r); /* in (0, 1] */
  const double v = sn_rng_uniform(r);
  return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}
