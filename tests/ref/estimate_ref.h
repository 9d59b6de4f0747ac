/* SPDX-License-Identifier: Apache-2.0 */
/* tests/ref/estimate_ref.h - n-gram estimation as the formulas say it: dense
 * tables over all word sequences, in double, no sorting and no streams. */
#ifndef SN_TESTS_REF_ESTIMATE_REF_H
#define SN_TESTS_REF_ESTIMATE_REF_H
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "lm/estimate.h"

enum { REF_V = 8, REF_N = 4, REF_CELLS = 4096 }; /* REF_V ** REF_N */
/* Words: 0 <unk>, 1 <s>, 2 </s>, 3 .. */

typedef struct estimate_ref {
  int order, method;
  int n_words; /* ids in use */
  long cut[REF_N + 1];
  long raw[REF_N + 1][REF_CELLS];
  long adjusted[REF_N + 1][REF_CELLS];
  double discount[REF_N + 1][8]; /* by count, 7: and more */
  bool is_fallback[REF_N + 1];
} estimate_ref;

static inline int ref_cells(int k) {
  int n = 1;
  while (k-- > 0) n *= REF_V;
  return n;
}

static inline int ref_cell(const int *w, int k) {
  int c = 0;
  for (int i = 0; i < k; i++) c = c * REF_V + w[i];
  return c;
}

/* words: of one sentence, without marks. */
static inline void ref_add(estimate_ref *r, const int *words, int n) {
  int s[256] = {1};
  memcpy(s + 1, words, (size_t)n * sizeof *s);
  s[n + 1] = 2;
  for (int k = 1; k <= r->order; k++)
    for (int i = 0; i + k <= n + 2; i++)
      if (k > 1 || i > 0) r->raw[k][ref_cell(s + i, k)]++;
}

static inline void ref_adjust(estimate_ref *r) {
  const bool is_kn =
      r->method == SN_ESTIMATE_MKN || r->method == SN_ESTIMATE_KN;
  for (int k = 1; k <= r->order; k++)
    for (int c = 0; c < ref_cells(k); c++) {
      const bool begins = c / ref_cells(k - 1) == 1;
      r->adjusted[k][c] = r->raw[k][c];
      if (!is_kn || k == r->order || begins) continue;
      r->adjusted[k][c] = 0;
      for (int v = 0; v < REF_V; v++)
        r->adjusted[k][c] += r->raw[k + 1][v * ref_cells(k) + c] > 0;
    }
}

/* What is taken off each count, by order and count. */
static inline void ref_discounts(estimate_ref *r, int k) {
  double n[8] = {0}, y, *const d = r->discount[k];
  for (int c = 0; c < ref_cells(k); c++)
    if (r->adjusted[k][c] > 0 && r->adjusted[k][c] < 8)
      n[r->adjusted[k][c]] += 1.0;
  y = n[1] / (n[1] + 2.0 * n[2]);
  bool is_good = n[1] > 0 && n[2] > 0;
  memset(d, 0, sizeof r->discount[k]);
  if (r->method == SN_ESTIMATE_WB) return;
  if (r->method == SN_ESTIMATE_KATZ) {
    for (int top = 5; top >= 1; top--) {
      const double a = (top + 1) * n[top + 1] / n[1];
      is_good = n[1] > 0 && a < 1.0;
      memset(d, 0, sizeof r->discount[k]);
      for (int c = 1; c <= top; c++) {
        const double ratio = ((c + 1) * n[c + 1] / n[c] / c - a) / (1.0 - a);
        is_good =
            is_good && n[c] > 0 && n[c + 1] > 0 && ratio > 0.0 && ratio <= 1.0;
        d[c] = c * (1.0 - ratio);
      }
      if (is_good) return;
    }
  } else if (r->method == SN_ESTIMATE_MKN) {
    is_good = is_good && n[3] > 0;
    for (int c = 1; c <= 3 && is_good; c++) {
      d[c] = c - (c + 1) * y * n[c + 1] / n[c];
      is_good = d[c] >= 0.0 && d[c] <= c;
    }
    for (int c = 4; c < 8; c++) d[c] = d[3];
  } else {
    for (int c = 1; c < 8; c++) d[c] = y;
  }
  if (is_good) return;
  r->is_fallback[k] = true;
  for (int c = 1; c < 8; c++)
    d[c] = r->method == SN_ESTIMATE_MKN ? fmin(0.5 * c, 1.5) : 0.5;
}

static inline double ref_keeps(const estimate_ref *r, int k, long count) {
  return (double)count - r->discount[k][count < 7 ? count : 7];
}

static inline double ref_unigram(const estimate_ref *r, int w) {
  double total = 0.0, left = 0.0, n_seen = 0.0, n_unseen = 0.0;
  for (int v = 0; v < r->n_words; v++) {
    const long c = r->adjusted[1][v];
    if (v == 1) continue;
    total += (double)c;
    left += (double)c - ref_keeps(r, 1, c);
    if (c > 0)
      n_seen += 1.0;
    else
      n_unseen += 1.0;
  }
  const long c = r->adjusted[1][w];
  if (r->method == SN_ESTIMATE_WB)
    return ((double)c + n_seen / (n_seen + n_unseen)) / (total + n_seen);
  if (r->method != SN_ESTIMATE_KATZ || n_unseen == 0.0)
    return (ref_keeps(r, 1, c) + left / (n_seen + n_unseen)) / total;
  if (left <= 0.0) {
    left = 1.0;
    total += 1.0;
  }
  return (c > 0 ? ref_keeps(r, 1, c) : left / n_unseen) / total;
}

/* p(w[k - 1] | the k - 1 words before it). */
static inline double ref_prob(const estimate_ref *r, const int *w, int k) {
  if (k == 1) return ref_unigram(r, w[0]);
  const int h = ref_cell(w, k - 1) * REF_V;
  double total = 0.0, left = 0.0, types = 0.0, lower = 0.0;
  int g[REF_N];
  memcpy(g, w, (size_t)k * sizeof *g);
  for (int v = 0; v < REF_V; v++) {
    const long c = r->adjusted[k][h + v];
    if (c == 0) continue;
    total += (double)c;
    if (r->raw[k][h + v] <= r->cut[k]) {
      left += (double)c;
      continue;
    }
    left += (double)c - ref_keeps(r, k, c);
    types += 1.0;
    g[k - 1] = v;
    if (r->method == SN_ESTIMATE_KATZ) lower += ref_prob(r, g + 1, k - 1);
  }
  const double q = ref_prob(r, w + 1, k - 1);
  if (total == 0.0) return q;
  const long c = r->adjusted[k][h + w[k - 1]];
  const bool is_kept = c > 0 && r->raw[k][h + w[k - 1]] > r->cut[k];
  if (r->method == SN_ESTIMATE_WB) {
    left += types;
    total += types;
  }
  if (r->method != SN_ESTIMATE_KATZ)
    return (is_kept ? ref_keeps(r, k, c) / total : 0.0) + left / total * q;
  if (lower > 1.0 - 1e-6)
    return is_kept ? ref_keeps(r, k, c) / (total - left) : q;
  if (left <= 1e-12 * total) {
    left = 1.0;
    total += 1.0;
  }
  return is_kept ? ref_keeps(r, k, c) / total
                 : left / total / (1.0 - lower) * q;
}
#endif
