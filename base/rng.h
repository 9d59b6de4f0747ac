/* SPDX-License-Identifier: Apache-2.0 */
/* base/rng.h - random numbers from an explicit seed (PCG32, O'Neill 2014). */
#ifndef SN_BASE_RNG_H
#define SN_BASE_RNG_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_rng {
  uint64_t state, stream;
} sn_rng;

void sn_rng_init(sn_rng *r, uint64_t seed);
uint32_t sn_rng_u32(sn_rng *r);
uint32_t sn_rng_below(sn_rng *r, uint32_t n); /* uniform in [0, n), n > 0 */
double sn_rng_uniform(sn_rng *r);             /* uniform in [0, 1) */
double sn_rng_gauss(sn_rng *r);               /* standard normal */
#ifdef __cplusplus
}
#endif
#endif
