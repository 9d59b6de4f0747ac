/* SPDX-License-Identifier: Apache-2.0 */
/* Which links and nodes stay: the plain loops against a branch for each, and
 * this processor's against the plain ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after the four it needs */
#include <cmocka.h>

#include "base/rng.h"
#include "decoder/kept_internal.h"

enum { MOST = 67, N_NODES = 9 };
#define BEAM 6.0f

static float random_float(sn_rng *rng) {
  switch (sn_rng_below(rng, 8)) {
    case 0:
      return INFINITY;
    case 1:
      return BEAM; /* at the border: stays */
    default:
      return (float)(12.0 * sn_rng_uniform(rng));
  }
}

static void check_links(const sni_kept_kernels *k, const sni_link *links,
                        size_t n, const float *limit) {
  int32_t which[MOST + SNI_KEPT_PAD];
  const size_t got = k->links(links, n, limit, BEAM, which);
  size_t want = 0;
  for (size_t i = 0; i < n; i++) {
    if (!(links[i].cost - limit[links[i].to] <= BEAM)) continue;
    assert_true(want < got);
    assert_int_equal(which[want], i);
    want++;
  }
  assert_int_equal(got, want);
}

static void check_nodes(const sni_kept_kernels *k, const float *extra,
                        size_t n) {
  int32_t which[MOST + SNI_KEPT_PAD];
  const size_t got = k->nodes(extra, n, BEAM, which);
  size_t want = 0;
  for (size_t i = 0; i < n; i++) {
    if (!(extra[i] <= BEAM)) continue;
    assert_true(want < got);
    assert_int_equal(which[want], i);
    want++;
  }
  assert_int_equal(got, want);
}

static void test_those_that_stay_are_found_in_order(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 5);
  for (int round = 0; round < 200; round++)
    for (size_t n = 0; n <= MOST; n += 1 + n / 9) {
      /* Of exact size, so that ASan sees what is read behind them. */
      sni_link *const links = malloc((n > 0 ? n : 1) * sizeof *links);
      float *const extra = malloc((n > 0 ? n : 1) * sizeof *extra),
                   limit[N_NODES];
      for (size_t i = 0; i < N_NODES; i++) {
        limit[i] = random_float(&rng);
        /* cost - extra of a node without continuation */
        if (isinf(limit[i])) limit[i] = -INFINITY;
      }
      for (size_t i = 0; i < n; i++) {
        links[i] = (sni_link){(int32_t)i, (int32_t)sn_rng_below(&rng, N_NODES),
                              sn_rng_below(&rng, 1000), 0.0f};
        links[i].cost = (float)(20.0 * sn_rng_uniform(&rng));
        if (sn_rng_below(&rng, 6) == 0)
          links[i].cost = limit[links[i].to] + BEAM;
        extra[i] = random_float(&rng);
      }
      check_links(&sni_kept_plain, links, n, limit);
      check_links(sni_kept_choose(), links, n, limit);
      check_nodes(&sni_kept_plain, extra, n);
      check_nodes(sni_kept_choose(), extra, n);
      free(links);
      free(extra);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_those_that_stay_are_found_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
