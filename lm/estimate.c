/* SPDX-License-Identifier: Apache-2.0 */
/* From counts to a model, order by order, with sequential access only.
 *
 * 1. Counts of all orders, each sorted by context (estimate_adjust.c), and
 *    their discounts.
 * 2. Words: what the discounts leave is shared by all of them, <unk> included.
 * 3. Order k: all n-grams of one history h are neighbours. Histories ascend by
 *    their last word, then the one before it, ...: those that share h' (h
 *    without its first word) are neighbours too, and the n-grams of order k - 1
 *    come in the same order. So p(. | h') is laid out in a table by word once
 *    for each h', and p(w | h) is final as soon as it is computed:
 *      p(w | h) = discounted(c) / total + left / total * p(w | h').
 *    (Heafield et al. 2013, section 3.3, sort for normalisation, again for
 *    interpolation, and join the back-offs in a third order.)
 * 4. left / total is the back-off weight of h, an n-gram of order k - 1: it is
 *    sorted once more into that order's sequence, and order k - 1 is written.
 *
 * N-grams below a cut-off count in total; their share is left to the shorter
 * history. Memory: each sequence lies in its sorter's array, probabilities over
 * counts, or in a file when that was too small. */
#include "lm/estimate.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/estimate_internal.h"

/* Katz: explicit words whose shorter-history probabilities come this near to
 * one are all words there are (float rounding). */
#define ALL_WORDS 1e-6
#define BACKOFFS_SHARE 0.1 /* of --memory, for sorting them */

const sn_opt sn_estimate_opt_table[] = {
    {"method", SN_OPT_ENUM, offsetof(sn_estimate_opts, method), 0, 0, 4,
     "mkn|kn|abs|wb|katz", "",
     "modified Kneser-Ney, Kneser-Ney with one discount, absolute discounting, "
     "Witten-Bell (these are interpolated), Katz"},
    {"prune", SN_OPT_STRING, offsetof(sn_estimate_opts, prune), 0, 0, 0, "", "",
     "0,0,1: leave out n-grams of order 3 and up that occur at most once; a "
     "number for each order, the last one also for those above"},
    SN_OPT_END};

static float get_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static uint32_t float_bits(double x) {
  const float f = (float)x;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return bits;
}

/* Whether a comes before (-1), with (0) or behind (1) b, both of n words that
 * are compared from the last one. */
static int compare_histories(const uint32_t *a, const uint32_t *b, int32_t n) {
  for (int32_t i = n - 1; i >= 0; i--)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

/* ---- Step 2 ---- */

static void share_words(sni_estimate *e) {
  const bool is_katz = e->opts.method == SN_ESTIMATE_KATZ;
  double total = 0.0, left = 0.0;
  int64_t n_seen = 0, n_unseen = 0;
  for (uint32_t w = 0; w < e->n_words; w++) {
    const int64_t c = e->word_count[w];
    if (w == SNI_BOS) continue;
    total += (double)c;
    left += (double)c - sni_discounted(e, 1, c);
    n_seen += c > 0;
    n_unseen += c == 0;
  }
  if (e->opts.method == SN_ESTIMATE_WB) {
    left = (double)n_seen;
    total += left;
  } else if (is_katz && left <= 0.0 && n_unseen > 0) {
    left = 1.0; /* nothing was discounted; SRILM does the same */
    total += 1.0;
  }
  const double each =
      left / total /
      (double)(is_katz && n_unseen > 0 ? n_unseen : n_seen + n_unseen);
  for (uint32_t w = 0; w < e->n_words; w++) {
    const int64_t c = e->word_count[w];
    const bool has_share = !is_katz || c == 0 || n_unseen == 0;
    e->word_prob[w] =
        (float)(sni_discounted(e, 1, c) / total + (has_share ? each : 0.0));
    e->word_backoff[w] = 1.0f;
  }
  e->word_prob[SNI_BOS] = 1.0f; /* never predicted; what lmplz writes */
}

/* ---- Step 3 ---- */

/* Fills lower_prob for the history h' (k - 2 words); *low is the first record
 * of level k - 1 that is not yet used. */
static sn_status load_lower(sni_estimate *e, int32_t k, const uint32_t *shorter,
                            const uint32_t **low, sn_err *err) {
  while (*low != NULL) {
    const int c = compare_histories(*low, shorter, k - 2);
    if (c > 0) break;
    if (c == 0) e->lower_prob[(*low)[k - 2]] = get_float((*low)[k - 1]);
    SN_TRY(sni_spool_next(&e->lower, low, err));
  }
  return SN_OK;
}

typedef struct shares {
  double total, left;
} shares;

static shares sum_group(const sni_estimate *e, int32_t k) {
  const size_t width = (size_t)k + 2;
  shares s = {0.0, 0.0};
  double n_kept = 0.0;
  for (size_t i = 0; i < e->group.n; i += width) {
    const uint32_t *const r = e->group.data + i;
    const int64_t c = sni_count_get(r + k);
    s.total += (double)c;
    if (r[k + 1] & SNI_CUT_OFF) {
      s.left += (double)c;
    } else {
      s.left += (double)c - sni_discounted(e, k, c);
      n_kept += 1.0;
    }
  }
  if (e->opts.method == SN_ESTIMATE_WB) {
    s.left += n_kept;
    s.total += n_kept;
  }
  return s;
}

/* Probabilities of the group over its counts; *backoff of its history. */
static void interpolate(sni_estimate *e, int32_t k, shares s, double *backoff) {
  const size_t width = (size_t)k + 2;
  *backoff = s.left / s.total;
  for (size_t i = 0; i < e->group.n; i += width) {
    uint32_t *const r = e->group.data + i;
    if (r[k + 1] & SNI_CUT_OFF) continue;
    const double own = sni_discounted(e, k, sni_count_get(r + k)) / s.total;
    r[k] = float_bits(own + *backoff * (double)e->lower_prob[r[k - 1]]);
  }
}

static void back_off(sni_estimate *e, int32_t k, shares s, double *backoff) {
  const size_t width = (size_t)k + 2;
  double lower = 0.0;
  for (size_t i = 0; i < e->group.n; i += width) {
    const uint32_t *const r = e->group.data + i;
    if ((r[k + 1] & SNI_CUT_OFF) == 0) lower += (double)e->lower_prob[r[k - 1]];
  }
  const bool is_all = lower > 1.0 - ALL_WORDS;
  if (!is_all && s.left <= 1e-12 * s.total) { /* nothing was discounted */
    s.left = 1.0;
    s.total += 1.0;
  }
  const double divisor = is_all ? s.total - s.left : s.total;
  *backoff = is_all ? 1.0 : s.left / s.total / (1.0 - lower);
  for (size_t i = 0; i < e->group.n; i += width) {
    uint32_t *const r = e->group.data + i;
    if (r[k + 1] & SNI_CUT_OFF) continue;
    r[k] = float_bits(sni_discounted(e, k, sni_count_get(r + k)) / divisor);
  }
}

static sn_status keep_backoff(sni_estimate *e, int32_t k, double backoff,
                              sn_err *err) {
  const uint32_t *const history = e->group.data;
  if (k == 2) {
    e->word_backoff[history[0]] = (float)backoff;
    return SN_OK;
  }
  uint32_t *r;
  SN_TRY(sni_sorter_push(&e->backoffs, &r, err));
  memcpy(r, history, (size_t)(k - 1) * sizeof *r);
  r[k - 1] = float_bits(backoff);
  r[k] = 0;
  return SN_OK;
}

/* The group of one history is in e->group. */
static sn_status finish_group(sni_estimate *e, int32_t k, sn_err *err) {
  const size_t width = (size_t)k + 2;
  double backoff;
  const shares s = sum_group(e, k);
  if (e->opts.method == SN_ESTIMATE_KATZ)
    back_off(e, k, s, &backoff);
  else
    interpolate(e, k, s, &backoff);
  SN_TRY(keep_backoff(e, k, backoff, err));
  for (size_t i = 0; i < e->group.n; i += width) {
    const uint32_t *const r = e->group.data + i;
    if ((r[k + 1] & SNI_CUT_OFF) == 0)
      SN_TRY(sni_spool_push(&e->upper, r, err));
  }
  return SN_OK;
}

static sn_status estimate_groups(sni_estimate *e, int32_t k, sn_err *err) {
  const size_t width = (size_t)k + 2;
  const uint32_t *r, *low = NULL;
  int64_t n_done = 0;
  SN_TRY(sni_sorter_next(&e->level[k], &r, err));
  if (k > 2) SN_TRY(sni_spool_next(&e->lower, &low, err));
  while (r != NULL) {
    const uint32_t *const g = e->group.data; /* the group before this one */
    const bool is_other =
        k > 2 && (n_done == 0 || compare_histories(g + 1, r + 1, k - 2));
    e->group.n = 0;
    do {
      SN_TRY(SN_ARR_RESERVE(&e->group, e->group.n + width, err));
      memcpy(e->group.data + e->group.n, r, width * sizeof *r);
      e->group.n += width;
      SN_TRY(sni_sorter_next(&e->level[k], &r, err));
      if ((++n_done & 0xffff) == 0)
        sn_log_progress(e->log, "estimating", "n-grams", n_done,
                        e->report.orders[k].n_ngrams, false);
    } while (r != NULL && compare_histories(r, e->group.data, k - 1) == 0);
    if (is_other) SN_TRY(load_lower(e, k, e->group.data + 1, &low, err));
    SN_TRY(finish_group(e, k, err));
    if (sn_log_cancelled(e->log))
      return sn_fail(err, SN_ECANCEL, "estimating: interrupted");
  }
  return SN_OK;
}

static sn_status estimate_level(sni_estimate *e, int32_t k, sn_err *err) {
  sni_sorter *const s = &e->level[k];
  sni_sorter_clear(&e->backoffs);
  sni_sorter_init(
      &e->backoffs, k - 1, SNI_BY_CONTEXT,
      (size_t)(e->counts->opts.memory_mb * 1048576.0 * BACKOFFS_SHARE),
      e->counts->opts.temp);
  e->backoffs.max_id = e->n_words;
  SN_TRY(sni_sorter_finish(s, e->log, err));
  memset(&e->upper, 0, sizeof e->upper);
  e->upper.width = s->width;
  e->upper.in_file = s->runs.n > 0;
  e->upper.temp.fd = -1;
  e->upper.temp.dir = e->counts->opts.temp;
  e->upper.data = s->data;
  const sn_status st = estimate_groups(e, k, err);
  s->data = NULL; /* the spool's now */
  sni_sorter_clear(s);
  SN_TRY(st);
  SN_TRY(sni_sorter_finish(&e->backoffs, e->log, err));
  return sni_spool_rewind(&e->upper, err);
}

/* ---- Step 4 ---- */

static sn_status write_words(sni_estimate *e, sn_err *err) {
  SN_TRY(sni_sink_level(&e->sink, 1, err));
  for (uint32_t w = 0; w < e->n_words; w++)
    SN_TRY(sni_sink_add(&e->sink, &w, (double)e->word_prob[w],
                        (double)e->word_backoff[w], e->order == 1, err));
  return sni_sink_end_level(&e->sink, err);
}

/* Level k from e->lower, with the back-offs that level k + 1 gave it. */
static sn_status write_level(sni_estimate *e, int32_t k, sn_err *err) {
  const bool is_top = k == e->order;
  const uint32_t *r, *b = NULL;
  SN_TRY(sni_sink_level(&e->sink, k, err));
  SN_TRY(sni_spool_rewind(&e->lower, err));
  SN_TRY(sni_spool_next(&e->lower, &r, err));
  if (!is_top) SN_TRY(sni_sorter_next(&e->backoffs, &b, err));
  for (int64_t n = 0; r != NULL; n++) {
    double backoff = 1.0;
    while (b != NULL) {
      int c = compare_histories(b, r, k - 1);
      if (c == 0) c = (b[k - 1] > r[k - 1]) - (b[k - 1] < r[k - 1]);
      if (c > 0) break;
      if (c == 0) backoff = (double)get_float(b[k]);
      SN_TRY(sni_sorter_next(&e->backoffs, &b, err));
      if (c == 0) break;
    }
    SN_TRY(sni_sink_add(&e->sink, r, (double)get_float(r[k]), backoff, is_top,
                        err));
    SN_TRY(sni_spool_next(&e->lower, &r, err));
    if ((n & 0xffff) != 0) continue;
    sn_log_progress(e->log, "writing", "n-grams", n, e->report.orders[k].n_kept,
                    false);
    if (sn_log_cancelled(e->log))
      return sn_fail(err, SN_ECANCEL, "writing: interrupted");
  }
  return sni_sink_end_level(&e->sink, err);
}

static sn_status estimate_all(sni_estimate *e, sn_err *err) {
  share_words(e);
  if (e->order == 1) return write_words(e, err);
  memcpy(e->lower_prob, e->word_prob, e->n_words * sizeof *e->lower_prob);
  for (int32_t k = 2; k <= e->order; k++) {
    if (k > 2) SN_TRY(sni_spool_rewind(&e->lower, err));
    SN_TRY(estimate_level(e, k, err));
    SN_TRY(k == 2 ? write_words(e, err) : write_level(e, k - 1, err));
    sni_spool_clear(&e->lower);
    e->lower = e->upper;
    memset(&e->upper, 0, sizeof e->upper);
    e->upper.temp.fd = -1;
  }
  return write_level(e, e->order, err);
}

/* ---- All of it ---- */

static sn_status prepare(sni_estimate *e, sn_counts *c, sn_err *err) {
  e->counts = c;
  e->log = c->log;
  e->order = c->opts.order;
  e->continues =
      e->opts.method == SN_ESTIMATE_MKN || e->opts.method == SN_ESTIMATE_KN;
  e->lower.temp.fd = e->upper.temp.fd = e->backoffs.temp.fd = -1;
  for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++) e->level[k].temp.fd = -1;
  SN_TRY(sni_parse_cut_offs(e->opts.prune != NULL ? e->opts.prune : "",
                            e->order, e->cut_off, err));
  if (c->totals.n_sentences == 0 && c->sorter.n == 0 && c->sorter.runs.n == 0)
    return sn_fail(err, SN_EFORMAT,
                   "there are no words to estimate a model from: is the text "
                   "empty?");
  SN_TRY(sni_counts_finish(c, err));
  e->n_words = (uint32_t)sn_symtab_n(c->words);
  e->report.order = e->order;
  SN_TRY(sni_estimate_adjust(e, err));
  e->report.orders[1].n_kept = e->n_words;
  while (e->order > 1 && e->report.orders[e->order].n_kept == 0) e->order--;
  if (e->order < e->report.order)
    sn_warn(e->log, "no n-grams of order %d are left; the model has order %d",
            e->report.order, e->order);
  e->report.order = e->order;
  for (int32_t k = 1; k <= e->order; k++) sni_estimate_discounts(e, k);
  e->word_prob = sn_calloc(e->n_words, sizeof(float));
  e->word_backoff = sn_calloc(e->n_words, sizeof(float));
  e->lower_prob = sn_calloc(e->n_words, sizeof(float));
  if (!e->word_prob || !e->word_backoff || !e->lower_prob)
    return sn_fail_nomem(err, "words");
  return SN_OK;
}

static void clear(sni_estimate *e) {
  sn_free(e->word_count);
  sn_free(e->word_prob);
  sn_free(e->word_backoff);
  sn_free(e->lower_prob);
  for (int32_t k = 0; k <= SN_NGRAM_MAX_ORDER; k++)
    sni_sorter_clear(&e->level[k]);
  sni_sorter_clear(&e->backoffs);
  sni_spool_clear(&e->lower);
  sni_spool_clear(&e->upper);
  SN_ARR_FREE(&e->group);
  sni_sink_clear(&e->sink);
  sn_free(e);
}

static sn_status run(sn_counts *c, const sn_estimate_opts *opts,
                     const char *path, sn_ngram **out,
                     sn_estimate_report *report, sn_err *err) {
  sni_estimate *const e = sn_calloc(1, sizeof *e);
  if (e == NULL) return sn_fail_nomem(err, "estimation");
  e->opts = *opts;
  sn_status s = prepare(e, c, err);
  if (s == SN_OK) s = sni_sink_begin(&e->sink, c->words, path, &e->report, err);
  if (s == SN_OK) s = estimate_all(e, err);
  if (s == SN_OK) s = sni_sink_end(&e->sink, out, err);
  if (report != NULL) *report = e->report;
  clear(e);
  return s;
}

sn_status sn_estimate_arpa(sn_counts *c, const sn_estimate_opts *opts,
                           const char *path, sn_estimate_report *report,
                           sn_err *err) {
  return run(c, opts, path, NULL, report, err);
}

sn_status sn_estimate_ngram(sn_counts *c, const sn_estimate_opts *opts,
                            sn_ngram **out, sn_estimate_report *report,
                            sn_err *err) {
  *out = NULL;
  return run(c, opts, NULL, out, report, err);
}
