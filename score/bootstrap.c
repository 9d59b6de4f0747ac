/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap intervals. 10,000 draws of 10,000 utterances are 10^8 additions:
 * half a second. A draw without any reference word counts as one word, so that
 * its rate is a number. */
#include "score/bootstrap.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double rate(int64_t errors, int64_t words) {
  return (double)errors / (double)(words > 0 ? words : 1);
}

/* Sorts the draws and takes what cuts 2.5 % off each end. */
static void bounds(double *draws, size_t n, double *low, double *high) {
  qsort(draws, n, sizeof *draws, ascending);
  const size_t k = n / 40;
  *low = draws[k];
  *high = draws[n - 1 - k];
}

/* The value of one draw: errors of a (minus those of b, if any) per word. */
static double draw(sn_rng *rng, const int64_t *a, const int64_t *b,
                   const int64_t *words, size_t n) {
  int64_t errors = 0, n_words = 0;
  for (size_t i = 0; i < n; i++) {
    const uint32_t u = sn_rng_below(rng, (uint32_t)n);
    errors += b == NULL ? a[u] : a[u] - b[u];
    n_words += words[u];
  }
  return rate(errors, n_words);
}

static sn_status draw_all(const int64_t *a, const int64_t *b,
                          const int64_t *words, size_t n,
                          const sn_bootstrap_opts *opts, double **draws,
                          sn_err *err) {
  SN_ASSERT(n > 0 && opts->n_draws > 0);
  if (n > UINT32_MAX)
    return sn_fail(err, SN_ELIMIT, "bootstrap of more than 2^32 - 1 units");
  *draws = sn_calloc((size_t)opts->n_draws, sizeof **draws);
  if (*draws == NULL) return sn_fail_nomem(err, "bootstrap");
  sn_rng rng;
  sn_rng_init(&rng, (uint64_t)(int64_t)opts->seed);
  for (int32_t i = 0; i < opts->n_draws; i++)
    (*draws)[i] = draw(&rng, a, b, words, n);
  return SN_OK;
}

sn_status sn_bootstrap_rate(const int64_t *errors, const int64_t *words,
                            size_t n, const sn_bootstrap_opts *opts,
                            double *low, double *high, sn_err *err) {
  double *draws;
  SN_TRY(draw_all(errors, NULL, words, n, opts, &draws, err));
  bounds(draws, (size_t)opts->n_draws, low, high);
  sn_free(draws);
  return SN_OK;
}

sn_status sn_bootstrap_paired(const int64_t *errors_a, const int64_t *errors_b,
                              const int64_t *words, size_t n,
                              const sn_bootstrap_opts *opts, sn_paired *out,
                              sn_err *err) {
  double *draws;
  SN_TRY(draw_all(errors_a, errors_b, words, n, opts, &draws, err));
  int64_t a = 0, b = 0, w = 0, less = 0, more = 0;
  for (size_t i = 0; i < n; i++) {
    a += errors_a[i];
    b += errors_b[i];
    w += words[i];
  }
  for (int32_t i = 0; i < opts->n_draws; i++) {
    less += draws[i] < 0.0;
    more += draws[i] > 0.0;
  }
  out->difference = rate(a - b, w);
  out->p_a_is_better = (double)less / (double)opts->n_draws;
  out->p_b_is_better = (double)more / (double)opts->n_draws;
  bounds(draws, (size_t)opts->n_draws, &out->low, &out->high);
  sn_free(draws);
  return SN_OK;
}
