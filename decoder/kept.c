/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder/kept_internal.h"

#include <string.h>

/* Links are asked for ahead of time, since a processor does not do so beyond a
 * page. */
#define AHEAD_BYTES 1024

static size_t links_plain(const sni_link *links, size_t n, const float *limit,
                          float beam, int32_t *which) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    const sni_link *const l = &links[i];
    if (i % 4 == 0) __builtin_prefetch((const char *)l + AHEAD_BYTES);
    which[kept] = (int32_t)i;
    kept += l->cost - limit[l->to] <= beam;
  }
  return kept;
}

static size_t nodes_plain(const float *extra, size_t n, float beam,
                          int32_t *which) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++) {
    which[kept] = (int32_t)i;
    kept += extra[i] <= beam;
  }
  return kept;
}

const sni_kept_kernels sni_kept_plain = {links_plain, nodes_plain};

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define SSE4 __attribute__((target("sse4.1,popcnt")))

/* For each set of four: the places of those that are in it. */
static const uint8_t places[16][4] = {
    {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 0, 0},
    {2, 0, 0, 0}, {0, 2, 0, 0}, {1, 2, 0, 0}, {0, 1, 2, 0},
    {3, 0, 0, 0}, {0, 3, 0, 0}, {1, 3, 0, 0}, {0, 1, 3, 0},
    {2, 3, 0, 0}, {0, 2, 3, 0}, {1, 2, 3, 0}, {0, 1, 2, 3}};

/* Writes first + the places of `set`; returns how many these are. */
SSE4 static inline size_t put(int32_t *which, size_t first, unsigned set) {
  int32_t four;
  memcpy(&four, places[set], sizeof four);
  const __m128i at = _mm_add_epi32(_mm_set1_epi32((int32_t)first),
                                   _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
  _mm_storeu_si128((__m128i *)(void *)which, at);
  return (size_t)__builtin_popcount(set);
}

SSE4 static size_t links_sse4(const sni_link *links, size_t n,
                              const float *limit, float beam, int32_t *which) {
  const __m128 beams = _mm_set1_ps(beam);
  size_t kept = 0, i = 0;
  for (; i + 4 <= n; i += 4) {
    const sni_link *const l = &links[i];
    __builtin_prefetch((const char *)l + AHEAD_BYTES);
    const __m128 limits = _mm_setr_ps(limit[l[0].to], limit[l[1].to],
                                      limit[l[2].to], limit[l[3].to]);
    const __m128 costs =
        _mm_setr_ps(l[0].cost, l[1].cost, l[2].cost, l[3].cost);
    const __m128 stay = _mm_cmple_ps(_mm_sub_ps(costs, limits), beams);
    kept += put(which + kept, i, (unsigned)_mm_movemask_ps(stay));
  }
  for (; i < n; i++) {
    which[kept] = (int32_t)i;
    kept += links[i].cost - limit[links[i].to] <= beam;
  }
  return kept;
}

SSE4 static size_t nodes_sse4(const float *extra, size_t n, float beam,
                              int32_t *which) {
  const __m128 beams = _mm_set1_ps(beam);
  size_t kept = 0, i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m128 stay = _mm_cmple_ps(_mm_loadu_ps(extra + i), beams);
    kept += put(which + kept, i, (unsigned)_mm_movemask_ps(stay));
  }
  for (; i < n; i++) {
    which[kept] = (int32_t)i;
    kept += extra[i] <= beam;
  }
  return kept;
}

static const sni_kept_kernels sse4 = {links_sse4, nodes_sse4};

const sni_kept_kernels *sni_kept_choose(void) {
  const bool has =
      __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("popcnt");
  return has ? &sse4 : &sni_kept_plain;
}
#else
const sni_kept_kernels *sni_kept_choose(void) { return &sni_kept_plain; }
#endif
