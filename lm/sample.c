/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling without adding up all words at each step:
 * 1. A number below the sum of the history's listed words takes one of them.
 * 2. Else back off: draw from the shorter history, and again when the word is
 *    one that the longer history lists (rejection), which is the conditional
 *    distribution given that none of them comes.
 * Words are drawn by binary search in the running sum of the unigrams. A
 * history that lists nearly all of the unigram mass makes rejections likely;
 * after MAX_REJECTED the probabilities of all words are added up. */
#include "lm/sample.h"

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"
#include "lm/ngram_internal.h"

#define MAX_REJECTED 30
#define MAX_UNKNOWN 10000 /* in a row */

struct sn_sampler {
  const sn_ngram *lm;
  sn_rng rng;
  sn_ngram_state at;
  bool without_unk;
  double *sum; /* [words] running sum of p(w), <s> adding 0 */
};

sn_status sn_sampler_create(const sn_ngram *lm, uint64_t seed, sn_sampler **out,
                            sn_err *err) {
  *out = NULL;
  if (sn_ngram_eos(lm) < 0)
    return sn_fail(err, SN_EARG,
                   "the model has no </s>, so its sentences do not end");
  sn_sampler *const s = sn_calloc(1, sizeof *s);
  const int32_t n = sn_ngram_n_words(lm);
  if (s != NULL) s->sum = sn_calloc((size_t)n, sizeof *s->sum);
  if (s == NULL || s->sum == NULL) {
    sn_sampler_destroy(s);
    return sn_fail_nomem(err, "random text");
  }
  s->lm = lm;
  sn_rng_init(&s->rng, seed);
  double sum = 0.0;
  for (int32_t w = 0; w < n; w++) {
    if (w != sn_ngram_bos(lm)) sum += exp(sn_ngram_node_logp(lm, 1, w));
    s->sum[w] = sum;
  }
  sn_sampler_begin(s);
  *out = s;
  return SN_OK;
}

void sn_sampler_destroy(sn_sampler *s) {
  if (s == NULL) return;
  sn_free(s->sum);
  sn_free(s);
}

void sn_sampler_set_unk(sn_sampler *s, bool is_wanted) {
  s->without_unk = !is_wanted;
}

void sn_sampler_begin(sn_sampler *s) { s->at = sn_ngram_begin(s->lm); }

static int32_t draw_unigram(sn_sampler *s) {
  const int32_t n = sn_ngram_n_words(s->lm);
  const double x = sn_rng_uniform(&s->rng) * s->sum[n - 1];
  int32_t lo = 0, hi = n - 1; /* the first whose sum is above x */
  while (lo < hi) {
    const int32_t mid = lo + (hi - lo) / 2;
    if (s->sum[mid] > x)
      hi = mid;
    else
      lo = mid + 1;
  }
  return lo;
}

/* A listed word of h, or -1: one that is not listed. */
static int32_t draw_listed(sn_sampler *s, sn_ngram_state h) {
  int64_t first;
  const int64_t n = sn_ngram_children(s->lm, h, &first);
  double x = sn_rng_uniform(&s->rng);
  for (int64_t c = first; c < first + n; c++) {
    const int32_t w = sn_ngram_child_word(s->lm, h.level + 1, c);
    if (w == sn_ngram_bos(s->lm)) continue;
    x -= exp(sn_ngram_node_logp(s->lm, h.level + 1, c));
    if (x < 0.0) return w;
  }
  return -1;
}

/* The definition: adds up all words. */
static int32_t draw_from_all(sn_sampler *s, sn_ngram_state h) {
  double x = sn_rng_uniform(&s->rng) * sn_ngram_sum(s->lm, h);
  int32_t last = sn_ngram_eos(s->lm);
  for (int32_t w = 0; w < sn_ngram_n_words(s->lm); w++) {
    if (w == sn_ngram_bos(s->lm)) continue;
    x -= exp(sn_ngram_score(s->lm, h, w, NULL, NULL));
    last = w;
    if (x < 0.0) break;
  }
  return last;
}

/* Depth: the model's order at most. */
static int32_t draw(sn_sampler *s, sn_ngram_state h) {
  if (h.level == 0) return draw_unigram(s);
  const int32_t listed = draw_listed(s, h);
  if (listed >= 0) return listed;
  const sn_ngram_state shorter = sn_ngram_backoff_state(s->lm, h);
  for (int tries = 0; tries < MAX_REJECTED; tries++) {
    const int32_t w = draw(s, shorter);
    if (sni_child(s->lm, h, w) < 0) return w;
  }
  for (int tries = 0; tries < MAX_REJECTED; tries++) {
    const int32_t w = draw_from_all(s, h);
    if (sni_child(s->lm, h, w) < 0) return w;
  }
  return draw_from_all(s, h);
}

int32_t sn_sampler_next(sn_sampler *s) {
  int32_t w = draw(s, s->at);
  /* Rejected: what is left are the others' shares of each other. A history
   * after which there is hardly anything else ends the sentence. */
  for (int tries = 0; s->without_unk && w == sn_ngram_unk(s->lm); tries++)
    w = tries < MAX_UNKNOWN ? draw(s, s->at) : sn_ngram_eos(s->lm);
  (void)sn_ngram_score(s->lm, s->at, w, &s->at, NULL);
  return w == sn_ngram_eos(s->lm) ? -1 : w;
}
