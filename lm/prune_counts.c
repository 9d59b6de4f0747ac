/* SPDX-License-Identifier: Apache-2.0 */
/* The counts that a Kneser-Ney model was made from, found again in the model.
 *
 * An interpolated Kneser-Ney model of which nothing was left out says, with the
 * discount D(c) of count c and C the sum of the counts c behind history h,
 *   p(w | h) - backoff(h) p(w | h') = (c - D(c)) / C,
 *   backoff(h) = sum over h's words of D(c) / C
 * (Chen & Goodman 1998; D(c) = D1, D2, D3 for c = 1, 2, 3 and more).
 *
 * 1. Discounts of an order: behind a history with one word, backoff(h) is D1,
 *    D2 / 2, or D3 / c for c = 3, 4, ...; some of 20 values that all those
 *    histories share. Of the most frequent ones, those three are taken that
 *    explain the most histories.
 * 2. Counts behind a history: from the least p(w | h) - backoff(h) p(w | h') in
 *    turn with the counts 1, 2, ... 12, or from backoff(h) with counts above 2,
 *    follows C; from C the counts; from their sum C again. The first that
 *    agrees with itself and with backoff(h) is it.
 * 3. Where that is so for 99 of 100 n-grams of each order, the model is such a
 *    one. Rounded, quantised, pruned, mixed models and other methods are not:
 *    a model of few n-grams may not be found out, either.
 *
 * Cost: linear, and a sort of the histories with one word. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "lm/prune_internal.h"

/* Step 1: fewer histories with one word tell nothing. */
#define MIN_SINGLES 20
#define MAX_VALUES 12
/* Floats of 1 and less, their sums and quotients: equal values are nearer. */
#define SAME_VALUE 1e-5
#define SAME_DISCOUNT 3e-4
#define MAX_LEAST 12
#define MAX_ROUNDS 4
/* Step 2: the next C, or backoff(h) with another count, is farther off, or the
 * difference does not matter. */
#define MAX_ERROR 2e-3

typedef struct value {
  double backoff;
  int64_t n; /* histories */
} value;

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Adds v to the MAX_VALUES most frequent ones, most frequent first. */
static void add_value(value *all, int *n, value v) {
  int at = *n;
  if (*n < MAX_VALUES)
    (*n)++;
  else if (all[--at].n >= v.n)
    return;
  for (; at > 0 && all[at - 1].n < v.n; at--) all[at] = all[at - 1];
  all[at] = v;
}

/* back-off weights [n] -> values. */
static int find_values(double *backoff, size_t n, value *all) {
  int n_values = 0;
  qsort(backoff, n, sizeof *backoff, compare_doubles);
  for (size_t a = 0, b; a < n; a = b) {
    for (b = a + 1; b < n; b++)
      if (backoff[b] - backoff[b - 1] > SAME_VALUE * backoff[b]) break;
    const value v = {backoff[a + (b - a) / 2], (int64_t)(b - a)};
    if (v.backoff < 1.0) add_value(all, &n_values, v);
  }
  return n_values;
}

/* Histories that D1, D2, D3 explain. */
static int64_t explains(const value *all, int n, const double *discount) {
  int64_t sum = 0;
  for (int i = 0; i < n; i++) {
    const double b = all[i].backoff, c = round(discount[3] / b);
    if (fabs(b - discount[1]) < SAME_VALUE * b ||
        fabs(b - discount[2] / 2.0) < SAME_VALUE * b ||
        (c >= 3.0 && fabs(b - discount[3] / c) < SAME_DISCOUNT * b))
      sum += all[i].n;
  }
  return sum;
}

/* Step 1, of order k. */
static sn_status find_discounts(const sni_weights *w, int32_t k,
                                double *discount, bool *found, sn_err *err) {
  const sn_ngram *const lm = w->lm;
  double *const backoff =
      sn_calloc((size_t)lm->level[k - 1].n + 1, sizeof *backoff);
  if (backoff == NULL) return sn_fail_nomem(err, "pruning");
  size_t n = 0;
  for (int64_t i = 0; i < lm->level[k - 1].n; i++) {
    const sn_ngram_state h = {k - 1, i};
    int64_t first;
    if (sn_ngram_children(lm, h, &first) != 1) continue;
    backoff[n++] = exp((double)w->backoff[k - 1][i]);
  }
  value all[MAX_VALUES];
  const int n_values = find_values(backoff, n, all);
  int64_t most = 0;
  for (int i = 0; i < 4 * n_values * n_values * n_values; i++) {
    const double b1 = all[i / 4 % n_values].backoff;
    const double b2 = all[i / 4 / n_values % n_values].backoff;
    const double b3 = all[i / 4 / n_values / n_values].backoff;
    const double d[4] = {0.0, b1, 2.0 * b2, (3 + i % 4) * b3};
    if (!(b1 > b2 && b2 > b3)) continue;
    const int64_t sum = explains(all, n_values, d);
    if (sum <= most) continue;
    most = sum;
    for (int r = 1; r <= 3; r++) discount[r] = d[r];
  }
  sn_free(backoff);
  *found = n >= MIN_SINGLES && (double)most > 0.9 * (double)n;
  return SN_OK;
}

/* ---- Step 2 ---- */

/* The count whose part c - D(c) is nearest. */
static double count_of(const double *discount, double part) {
  const double many = fmax(3.0, round(part + discount[3]));
  double best = many, off = fabs(many - discount[3] - part);
  for (int c = 1; c <= 2; c++) {
    const double o = fabs(c - discount[c] - part);
    if (o >= off) continue;
    off = o;
    best = c;
  }
  return best;
}

/* A history's words. */
typedef struct behind {
  int64_t n;
  const double *own; /* [n] p(w | h) - backoff(h) p(w | h') */
  double all_own, backoff;
} behind;

/* Follows *total until it stays; how far it is from agreeing. */
static double settle(const behind *b, const double *discount, double *total) {
  double error = INFINITY;
  for (int i = 0; i < MAX_ROUNDS; i++) {
    double sum = 0.0, taken = 0.0;
    for (int64_t k = 0; k < b->n; k++) {
      const double c = count_of(discount, b->own[k] * *total);
      sum += c;
      taken += sni_discount_of(discount, c);
    }
    const double next = (sum - taken) / b->all_own;
    const bool stays = fabs(next - *total) < 1e-6 * *total;
    error = fabs(next - sum) / sum + fabs(taken / sum - b->backoff);
    *total = next;
    if (stays) break;
  }
  return error;
}

/* The sum of counts behind the history; 0: none fits. */
static double find_total(const behind *b, const double *discount) {
  double least = INFINITY;
  for (int64_t i = 0; i < b->n; i++)
    if (b->own[i] > 0.0) least = fmin(least, b->own[i]);
  if (isinf(least) || !(b->backoff > 0.0)) return 0.0;
  double best = 0.0, least_error = MAX_ERROR;
  for (int c = 0; c <= MAX_LEAST && least_error > MAX_ERROR / 20.0; c++) {
    double total = c == 0 ? (double)b->n * discount[3] / b->backoff
                          : (c - sni_discount_of(discount, c)) / least;
    const double error = settle(b, discount, &total);
    if (!(error < least_error)) continue;
    least_error = error;
    best = total;
  }
  return best;
}

/* Of history h, children first ..; whether they were found. */
static bool find_behind(sni_model_counts *m, const sni_weights *w,
                        sn_ngram_state h, int64_t first, int64_t n,
                        double *own) {
  const int32_t k = h.level + 1;
  behind b = {
      .n = n, .own = own, .backoff = exp((double)w->backoff[h.level][h.node])};
  for (int64_t i = 0; i < n; i++) {
    if (sn_ngram_child_word(w->lm, k, first + i) == w->lm->bos) return false;
    own[i] = exp((double)w->logp[k][first + i]) -
             b.backoff * exp(sni_backed_off_logp(w, h, k, first + i));
    b.all_own += own[i];
  }
  const double total = find_total(&b, m->discount[k]);
  if (total <= 0.0) return false;
  for (int64_t i = 0; i < n; i++) {
    const double c = count_of(m->discount[k], own[i] * total);
    m->count[k][first + i] = (int32_t)fmin(c, INT32_MAX);
    m->total[h.level][h.node] += m->count[k][first + i];
  }
  return true;
}

static sn_status find_level(sni_model_counts *m, const sni_weights *w,
                            int32_t k, bool *found, sn_log *log, sn_err *err) {
  const sn_ngram *const lm = w->lm;
  const size_t n_nodes = (size_t)lm->level[k].n;
  const size_t n_histories = (size_t)lm->level[k - 1].n;
  int64_t n_lost = 0;
  SN_TRY(find_discounts(w, k, m->discount[k], found, err));
  if (!*found) return SN_OK;
  m->count[k] = sn_calloc(n_nodes, sizeof(int32_t));
  m->total[k - 1] = sn_calloc(n_histories, sizeof(int64_t));
  double *const own = sn_calloc((size_t)lm->level[1].n, sizeof *own);
  sn_status s = SN_OK;
  if (!m->count[k] || !m->total[k - 1] || !own)
    s = sn_fail_nomem(err, "pruning");
  for (size_t i = 0; i < n_histories && s == SN_OK; i++) {
    const sn_ngram_state h = {k - 1, (int64_t)i};
    int64_t first;
    const int64_t n = sn_ngram_children(lm, h, &first);
    if (n > 0 && !find_behind(m, w, h, first, n, own)) n_lost += n;
    if ((i & 0xffff) == 0 && sn_log_cancelled(log))
      s = sn_fail(err, SN_ECANCEL, "pruning: interrupted");
  }
  sn_free(own);
  *found = n_lost * 100 <= (int64_t)n_nodes;
  return s;
}

sn_status sni_model_counts_find(sni_model_counts *m, const sni_weights *w,
                                bool *found, sn_log *log, sn_err *err) {
  *found = w->lm->order >= 2;
  for (int32_t k = 2; k <= w->lm->order && *found; k++)
    SN_TRY(find_level(m, w, k, found, log, err));
  return SN_OK;
}

void sni_model_counts_clear(sni_model_counts *m) {
  for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) {
    sn_free(m->count[k]);
    sn_free(m->total[k]);
    m->count[k] = NULL;
    m->total[k] = NULL;
  }
}
