/* SPDX-License-Identifier: Apache-2.0 */
/* lm/estimate_internal.h - the steps of an estimation. */
#ifndef SN_LM_ESTIMATE_INTERNAL_H
#define SN_LM_ESTIMATE_INTERNAL_H
#include "base/io.h"
#include "lm/count_internal.h"
#include "lm/estimate.h"
#include "lm/ngram_internal.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Where n-grams go: an ARPA file or a builder. */
typedef struct sni_sink {
  const sn_symtab *words;
  sn_writer *writer; /* ARPA; NULL: builder */
  sni_builder builder;
  int32_t level;
  char *line; /* of the writer's */
  size_t line_cap;
} sni_sink;
SN_NODISCARD sn_status sni_sink_begin(sni_sink *s, const sn_symtab *words,
                                      const char *path, /* NULL: builder */
                                      const sn_estimate_report *counts,
                                      sn_err *err);
SN_NODISCARD sn_status sni_sink_level(sni_sink *s, int32_t level, sn_err *err);
/* prob, backoff: not logarithms; is_top: there is no back-off. */
SN_NODISCARD sn_status sni_sink_add(sni_sink *s, const uint32_t *words,
                                    double prob, double backoff, bool is_top,
                                    sn_err *err);
SN_NODISCARD sn_status sni_sink_end_level(sni_sink *s, sn_err *err);
SN_NODISCARD sn_status sni_sink_end(sni_sink *s, sn_ngram **out, sn_err *err);
void sni_sink_clear(sni_sink *s);

typedef struct sni_estimate {
  sn_counts *counts;
  sn_estimate_opts opts;
  sn_log *log;
  int32_t order;    /* of the result: highest one with n-grams */
  uint32_t n_words; /* ids 0 .. */
  bool continues;   /* lower orders have continuation counts (MKN, KN) */
  int64_t cut_off[SN_NGRAM_MAX_ORDER + 1];
  sn_estimate_report report;
  int64_t *word_count;                      /* [n_words] adjusted, unigrams */
  sni_sorter level[SN_NGRAM_MAX_ORDER + 1]; /* [2 ..] adjusted, by context */
  /* While estimating level k: */
  sni_spool lower, upper; /* of levels k - 1 and k: words, probability */
  sni_sorter backoffs;    /* of level k - 1 */
  float *word_prob;       /* [n_words] level 1 */
  float *word_backoff;    /* [n_words] level 1 */
  float *lower_prob;      /* [n_words] after the shorter history */
  SN_ARR(uint32_t) group; /* records of one history */
  sni_sink sink;
} sni_estimate;

/* Adds up the lower orders' counts; estimate_adjust.c. */
SN_NODISCARD sn_status sni_estimate_adjust(sni_estimate *e, sn_err *err);
/* Discounts of one order from its counts of counts; estimate_discount.c. */
void sni_estimate_discounts(sni_estimate *e, int32_t order);
/* Parses "0,0,1". */
SN_NODISCARD sn_status sni_parse_cut_offs(const char *text, int32_t order,
                                          int64_t *cut_off, sn_err *err);

/* What is left of a count. */
static inline double sni_discounted(const sni_estimate *e, int32_t order,
                                    int64_t count) {
  const sn_estimate_order *const o = &e->report.orders[order];
  const double c = (double)count;
  if (count == 0 || e->opts.method == SN_ESTIMATE_WB) return c;
  if (e->opts.method == SN_ESTIMATE_KATZ && !o->is_fallback)
    return count <= SN_ESTIMATE_MAX_R ? c * o->ratio[count] : c;
  return c - o->discount[count < 3 ? count : 3];
}
#ifdef __cplusplus
}
#endif
#endif
