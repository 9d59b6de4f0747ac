/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of all orders from those of the highest one.
 *
 * The n-grams come sorted by suffix, so all that end in the same k words are
 * neighbours: one pass closes each group as soon as it is over. A k-gram's
 * count is the sum over its group; its continuation count (Kneser & Ney) the
 * number of different words before it, which is the number of groups of order
 * k + 1 within. What begins with <s> has nothing before it and keeps its count
 * (Chen & Goodman 1998; Heafield et al. 2013, section 3.2). N-grams padded
 * with several <s> stand for shorter ones.
 *
 * Each order goes to a sorter of its own, by context. The highest order stays
 * in the array where it was counted, if it is in memory. */
#include <string.h>

#include "base/mem.h"
#include "lm/estimate_internal.h"

/* Share of --memory for the sorters of all orders. */
#define SORTERS_SHARE 0.7

typedef struct group {
  int64_t sum, before;
} group;

static bool is_real(const uint32_t *w, int32_t k) {
  if (k == 1) return w[0] != SNI_BOS;
  return w[0] != SNI_BOS || w[1] != SNI_BOS;
}

static void note(sni_estimate *e, int32_t k, int64_t count, bool is_kept) {
  sn_estimate_order *const o = &e->report.orders[k];
  o->n_ngrams++;
  o->n_kept += is_kept;
  if (count <= SN_ESTIMATE_MAX_R + 1) o->counts_of_counts[count]++;
}

/* A k-gram below the highest order is complete. */
static sn_status close_group(sni_estimate *e, int32_t k, const uint32_t *words,
                             const group *g, sn_err *err) {
  if (!is_real(words, k)) return SN_OK;
  const int64_t count =
      e->continues && words[0] != SNI_BOS ? g->before : g->sum;
  const bool is_kept = g->sum > e->cut_off[k];
  note(e, k, count, is_kept);
  if (k == 1) {
    e->word_count[words[0]] = count;
    return SN_OK;
  }
  uint32_t *r;
  SN_TRY(sni_sorter_push(&e->level[k], &r, err));
  memcpy(r, words, (size_t)k * sizeof *r);
  sni_count_set(r + k, count);
  if (!is_kept) r[k + 1] |= SNI_CUT_OFF;
  return SN_OK;
}

/* An n-gram of the highest order; in_place: its array is read from further
 * behind. */
static sn_status put_top(sni_estimate *e, const uint32_t *record, bool in_place,
                         sn_err *err) {
  const int32_t n = e->order;
  sni_sorter *const s = &e->level[n];
  if (!is_real(record, n)) return SN_OK;
  const int64_t count = sni_count_get(record + n);
  const bool is_kept = count > e->cut_off[n];
  note(e, n, count, is_kept);
  if (n == 1) {
    e->word_count[record[0]] = count;
    return SN_OK;
  }
  uint32_t *r;
  if (in_place)
    r = s->data + s->n++ * s->width;
  else
    SN_TRY(sni_sorter_push(s, &r, err));
  memmove(r, record, s->width * sizeof *r);
  if (!is_kept) r[n + 1] |= SNI_CUT_OFF;
  return SN_OK;
}

static sn_status begin(sni_estimate *e, bool *in_place, sn_err *err) {
  const int32_t n = e->order;
  const double bytes = e->counts->opts.memory_mb * 1048576.0 * SORTERS_SHARE -
                       (double)e->counts->vocab_bytes;
  double all_widths = 0.0;
  for (int32_t k = 2; k <= n; k++) all_widths += k + 2;
  for (int32_t k = 2; k <= n; k++) {
    const double share = bytes > 0.0 ? bytes * (k + 2) / all_widths : 0.0;
    sni_sorter_init(&e->level[k], k, SNI_BY_CONTEXT, (size_t)share,
                    e->counts->opts.temp);
    e->level[k].max_id = e->n_words;
  }
  e->word_count = sn_calloc(e->n_words, sizeof *e->word_count);
  if (e->word_count == NULL) return sn_fail_nomem(err, "words");
  sni_sorter *const from = &e->counts->sorter;
  *in_place = from->runs.n == 0 && n > 1;
  if (*in_place) {
    e->level[n].data = from->data;
    e->level[n].cap = e->level[n].limit = from->cap;
  }
  return SN_OK;
}

static sn_status pass(sni_estimate *e, bool in_place, sn_err *err) {
  const int32_t n = e->order;
  sni_sorter *const from = &e->counts->sorter;
  group g[SN_NGRAM_MAX_ORDER + 2];
  uint32_t last[SN_NGRAM_MAX_ORDER];
  memset(g, 0, sizeof g);
  for (int64_t i = 0;; i++) {
    const uint32_t *r;
    SN_TRY(sni_sorter_next(from, &r, err));
    int32_t same = 0; /* words that the two end in alike */
    if (r != NULL && i > 0)
      while (same < n && r[n - 1 - same] == last[n - 1 - same]) same++;
    for (int32_t k = n - 1; i > 0 && k > same; k--) {
      SN_TRY(close_group(e, k, last + n - k, &g[k], err));
      g[k - 1].sum += g[k].sum;
      g[k - 1].before++;
      g[k].sum = g[k].before = 0;
    }
    if (r == NULL) break;
    memcpy(last, r, (size_t)n * sizeof *last);
    g[n - 1].sum += sni_count_get(r + n);
    g[n - 1].before++;
    SN_TRY(put_top(e, r, in_place, err));
    if ((i & 0xffff) != 0) continue;
    sn_log_progress(e->log, "adding up", "n-grams", i,
                    in_place ? (int64_t)from->n : 0, false);
    if (sn_log_cancelled(e->log))
      return sn_fail(err, SN_ECANCEL, "adding up counts: interrupted");
  }
  return SN_OK;
}

sn_status sni_estimate_adjust(sni_estimate *e, sn_err *err) {
  bool in_place = false;
  SN_TRY(begin(e, &in_place, err));
  const sn_status s = pass(e, in_place, err);
  if (in_place) { /* one owner */
    e->counts->sorter.data = NULL;
    e->counts->sorter.n = e->counts->sorter.cap = 0;
  }
  sni_sorter_clear(&e->counts->sorter);
  return s;
}
