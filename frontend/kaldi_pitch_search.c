/* SPDX-License-Identifier: Apache-2.0 */
/* Steps 4 and 5 of the pitch tracker: the path of least cost, and what of it is
 * certain.
 *
 * A step wants, for each candidate i, the least of before[j] + f (i - j)^2: the
 * lower envelope of parabolas, found in linear time (Felzenszwalb &
 * Huttenlocher, "Distance transforms of sampled functions", 2012, section 2).
 *
 * Back pointers never fall from one candidate to the next, hence all paths that
 * survive lie between those of the first and the last candidate; where these
 * two meet, the past is settled. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "frontend/kaldi_pitch_internal.h"

sn_status sni_pitch_search_init(const sni_pitch_plan *p, sni_pitch_search *s,
                                sn_err *err) {
  *s = (sni_pitch_search){0};
  s->p = p;
  s->cap = 256;
  s->local = sn_calloc(p->n_lags, sizeof *s->local);
  s->cost = sn_calloc(p->n_lags, sizeof *s->cost);
  s->before = sn_calloc(p->n_lags, sizeof *s->before);
  s->envelope = sn_calloc(2 * p->n_lags + 1, sizeof *s->envelope);
  s->apex = sn_calloc(p->n_lags, sizeof *s->apex);
  s->back = sn_calloc(s->cap, p->n_lags * sizeof *s->back);
  s->nccf = sn_calloc(s->cap, p->n_measured * sizeof *s->nccf);
  s->path = sn_calloc(s->cap, sizeof *s->path);
  if (!s->local || !s->cost || !s->before || !s->envelope || !s->apex ||
      !s->back || !s->nccf || !s->path)
    return sn_fail_nomem(err, "pitch");
  return SN_OK;
}

void sni_pitch_search_clear(sni_pitch_search *s) {
  sn_free(s->local);
  sn_free(s->cost);
  sn_free(s->before);
  sn_free(s->envelope);
  sn_free(s->apex);
  sn_free(s->back);
  sn_free(s->nccf);
  sn_free(s->path);
  *s = (sni_pitch_search){0};
}

void sni_pitch_search_reset(sni_pitch_search *s) {
  s->first = s->n = 0;
  memset(s->cost, 0, s->p->n_lags * sizeof *s->cost);
}

static uint16_t *back_of(const sni_pitch_search *s, size_t i) {
  return s->back + (s->first + i) * s->p->n_lags;
}

const float *sni_pitch_search_row(const sni_pitch_search *s, size_t i) {
  return s->nccf + (s->first + i) * s->p->n_measured;
}

static sn_status grow(sni_pitch_search *s, sn_err *err) {
  const size_t cap = 2 * s->cap;
  uint16_t *const back =
      sn_realloc(s->back, cap, s->p->n_lags * sizeof *s->back);
  if (back == NULL) return sn_fail_nomem(err, "pitch");
  s->back = back; /* larger than cap says, should the next one fail */
  float *const nccf =
      sn_realloc(s->nccf, cap, s->p->n_measured * sizeof *s->nccf);
  if (nccf == NULL) return sn_fail_nomem(err, "pitch");
  s->nccf = nccf;
  uint16_t *const path = sn_realloc(s->path, cap, sizeof *s->path);
  if (path == NULL) return sn_fail_nomem(err, "pitch");
  s->path = path;
  s->cap = cap;
  return SN_OK;
}

sn_status sni_pitch_search_begin(sni_pitch_search *s, float **row,
                                 sn_err *err) {
  if (s->first + s->n == s->cap) {
    if (s->n > s->cap / 2) SN_TRY(grow(s, err));
    memmove(s->back, back_of(s, 0), s->n * s->p->n_lags * sizeof *s->back);
    memmove(s->nccf, sni_pitch_search_row(s, 0),
            s->n * s->p->n_measured * sizeof *s->nccf);
    s->first = 0;
  }
  *row = s->nccf + (s->first + s->n) * s->p->n_measured;
  return SN_OK;
}

/* Lower envelope of the parabolas before[j] + f (i - j)^2: apex[0 .. k] are
 * those in it, begin[0 .. k] where each becomes the lowest. */
static void find_envelope(const sni_pitch_search *s) {
  const size_t n = s->p->n_lags;
  const double f = (double)s->p->step_cost;
  double *const begin = s->envelope;
  double *const height = s->envelope + n + 1; /* before[j] + f j^2 */
  size_t *const apex = s->apex;
  size_t k = 0;
  begin[0] = -HUGE_VAL;
  apex[0] = 0;
  height[0] = (double)s->before[0];
  for (size_t j = 1; j < n; j++) {
    height[j] = (double)s->before[j] + f * (double)j * (double)j;
    double cross = 0.0; /* with the last of the envelope */
    for (;; k--) {
      cross = (height[j] - height[apex[k]]) / (2.0 * f * (double)(j - apex[k]));
      if (cross > begin[k]) break; /* always so for k == 0 */
    }
    apex[++k] = j;
    begin[k] = cross;
  }
  begin[k + 1] = HUGE_VAL;
}

/* From the costs before and the local cost to cost and back pointers; the
 * least cost is brought to 0.
 *
 * Costs are near 1 and a step of one candidate costs 2.5e-6, some 20 units in
 * the last place of a float: where the signal has no pitch, rounding decides.
 * Hence the sums are Kaldi's, in float, the first of equals taken, and the
 * envelope (in double) only says near which candidate to look. */
void sni_pitch_search_step(sni_pitch_search *s) {
  const size_t n = s->p->n_lags, near = 2;
  const float f = s->p->step_cost;
  uint16_t *const back = back_of(s, s->n);
  float *const swap = s->before;
  s->before = s->cost;
  s->cost = swap;
  find_envelope(s);
  size_t k = 0, last = 0; /* back pointers never fall */
  float least = INFINITY;
  for (size_t i = 0; i < n; i++) {
    while (s->envelope[k + 1] < (double)i) k++;
    const size_t apex = s->apex[k];
    const size_t from = apex < last + near ? last : apex - near;
    const size_t to = apex + near < n ? apex + near : n - 1;
    float best = INFINITY;
    for (size_t j = from; j <= to; j++) {
      const float d = (float)(j > i ? j - i : i - j);
      const float c = d * d * f + s->before[j];
      if (c >= best) continue;
      best = c;
      last = j;
    }
    back[i] = (uint16_t)last;
    s->cost[i] = best + s->local[i];
    least = fminf(least, s->cost[i]);
  }
  for (size_t i = 0; i < n; i++) s->cost[i] -= least;
  s->n++;
}

/* The candidates of frames 0 .. last into path; that of `last` is known. */
static size_t trace(sni_pitch_search *s, size_t last, size_t candidate) {
  for (size_t i = last + 1; i-- > 0;) {
    s->path[i] = (uint16_t)candidate;
    candidate = back_of(s, i)[candidate];
  }
  return last + 1;
}

size_t sni_pitch_search_settle(sni_pitch_search *s) {
  size_t low = 0, high = s->p->n_lags - 1;
  for (size_t i = s->n; i-- > 0;) {
    if (low == high) return trace(s, i, low);
    low = back_of(s, i)[low];
    high = back_of(s, i)[high];
  }
  return 0;
}

size_t sni_pitch_search_decide(sni_pitch_search *s, size_t keep) {
  if (s->n <= keep) return 0;
  size_t best = 0;
  for (size_t i = 1; i < s->p->n_lags; i++)
    if (s->cost[i] < s->cost[best]) best = i;
  const size_t last = s->n - keep - 1;
  for (size_t i = s->n - 1; i > last; i--) best = back_of(s, i)[best];
  return trace(s, last, best);
}

void sni_pitch_search_drop(sni_pitch_search *s, size_t n) {
  SN_ASSERT(n <= s->n);
  s->n -= n;
  s->first = s->n == 0 ? 0 : s->first + n;
}
