/* SPDX-License-Identifier: Apache-2.0 */
/* The domain workflow:
 * 1. The text's sentences are dealt out to the folds.
 * 2. For each fold: a model of the other folds, and the probability of each of
 *    the fold's tokens under it and under the base model.
 * 3. For each fold: the weight that EM finds on the other folds' tokens; with
 *    it the fold's own tokens are scored ("after"). Nothing is scored by what
 *    was estimated or tuned on it.
 * 4. The weight of all tokens together mixes the model of the whole text in.
 *
 * Cost: as many base queries as tokens, and folds + 1 models of the text. */
#include "lm/adapt.h"

#include <math.h>
#include <stddef.h>

#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"
#include "lm/class_token.h"
#include "lm/count.h"
#include "lm/estimate.h"
#include "lm/perplexity.h"

#define MAX_FOLDS 64
#define EM_ITERATIONS 200

const sn_opt sn_adapt_opt_table[] = {
    {"order", SN_OPT_INT, offsetof(sn_adapt_opts, order), 3, 1, 16, NULL, "",
     "of the text's own model"},
    {"folds", SN_OPT_INT, offsetof(sn_adapt_opts, folds), 10, 2, MAX_FOLDS,
     NULL, "", "of the cross-validation on the text"},
    {"repair", SN_OPT_BOOL, offsetof(sn_adapt_opts, repair), 0, 0, 1, NULL, "",
     "text: take control characters for blanks, bytes that are not UTF-8 for "
     "U+FFFD, leave out <s> and </s> within sentences, and count them"},
    SN_OPT_END};

typedef struct token {
  float base, text; /* probabilities; 0: not a word of the model */
  int32_t fold;
} token;

typedef struct adapter {
  const sn_ngram *base;
  sn_adapt_opts opts;
  sn_str fold[MAX_FOLDS]; /* sentences, a line each */
  int64_t n_sentences;
  SN_ARR(token) tokens;
} adapter;

static sn_status deal_out(adapter *a, sn_text_source *t, sn_reader *r,
                          sn_err *err) {
  for (;;) {
    const sn_span *words;
    size_t n;
    SN_TRY(sn_text_next(t, r, &words, &n, err));
    if (n == 0) break;
    sn_str *const to = &a->fold[a->n_sentences++ % a->opts.folds];
    for (size_t i = 0; i < n; i++) {
      SN_TRY(sn_str_add(to, words[i].p, words[i].n, err));
      SN_TRY(sn_str_add(to, i + 1 < n ? " " : "\n", 1, err));
    }
  }
  if (a->n_sentences < a->opts.folds)
    return sn_fail(err, SN_EARG,
                   "%s: %lld sentences are too few for %d folds; write one "
                   "sentence a line, or lower --folds",
                   sn_reader_name(r), (long long)a->n_sentences, a->opts.folds);
  return SN_OK;
}

static sn_status read_text(adapter *a, sn_reader *r, sn_log *log, sn_err *err) {
  const sn_text_opts how = {a->opts.repair};
  sn_text_source *t = NULL;
  SN_TRY(sn_text_source_create(&how, &t, err));
  const sn_status s = deal_out(a, t, r, err);
  if (s == SN_OK) sn_text_report(t, log);
  sn_text_source_destroy(t);
  return s;
}

/* A model of all folds but `without` (-1: all). */
static sn_status estimate(const adapter *a, int32_t without, sn_ngram **out,
                          sn_err *err) {
  sn_count_opts count = {0};
  sn_estimate_opts how;
  sn_counts *c = NULL;
  sn_text_source *t = NULL;
  sn_opt_defaults(sn_count_opt_table, &count);
  sn_opt_defaults(sn_estimate_opt_table, &how);
  count.order = a->opts.order;
  how.method = SN_ESTIMATE_WB;
  sn_status s = sn_counts_create(&count, NULL, &c, err);
  if (s == SN_OK) s = sn_text_source_create(NULL, &t, err);
  for (int32_t f = 0; f < a->opts.folds && s == SN_OK; f++) {
    sn_reader *r = NULL;
    if (f == without || a->fold[f].n == 0) continue;
    s = sn_reader_memory(a->fold[f].data, a->fold[f].n, "the text", &r, err);
    if (s == SN_OK) s = sn_counts_add_text(c, t, r, err);
    sn_reader_destroy(r);
  }
  if (s == SN_OK) s = sn_estimate_ngram(c, &how, out, NULL, err);
  sn_text_source_destroy(t);
  sn_counts_destroy(c);
  return s;
}

typedef struct taker {
  adapter *a;
  size_t at; /* next token */
  int32_t fold;
  bool is_base;
  sn_status s;
} taker;

/* The base model makes the tokens, the text's fills them in. */
static void take(void *user, const sn_ppl_word *w) {
  taker *const t = user;
  const float p = w->id >= 0 ? (float)exp(w->logp) : 0.0f;
  if (t->s != SN_OK) return;
  if (t->is_base) {
    const token new = {p, 0.0f, t->fold};
    t->s = SN_ARR_PUSH(&t->a->tokens, new, NULL);
  } else {
    SN_ASSERT(t->at < t->a->tokens.n);
    t->a->tokens.data[t->at++].text = p;
  }
}

static sn_status score(adapter *a, const sn_ngram *lm, taker *t, sn_err *err) {
  sn_ppl *p = NULL;
  sn_reader *r = NULL;
  const sn_str *const text = &a->fold[t->fold];
  sn_status s = sn_ppl_create(lm, NULL, &p, err);
  if (s == SN_OK) s = sn_reader_memory(text->data, text->n, "fold", &r, err);
  if (s == SN_OK) s = sn_ppl_add_text(p, r, take, t, err);
  if (s == SN_OK && t->s != SN_OK) s = sn_fail_nomem(err, "adapting");
  sn_reader_destroy(r);
  sn_ppl_destroy(p);
  return s;
}

static sn_status score_fold(adapter *a, int32_t fold, sn_err *err) {
  sn_ngram *lm = NULL;
  taker t = {a, a->tokens.n, fold, true, SN_OK};
  SN_TRY(score(a, a->base, &t, err));
  SN_TRY(estimate(a, fold, &lm, err));
  t.is_base = false;
  const sn_status s = score(a, lm, &t, err);
  sn_ngram_destroy(lm);
  return s;
}

/* EM for the weight of the text's model on all folds but one (-1: all), with an
 * imaginary token on either side, so that neither model ever vanishes. */
static double best_weight(const adapter *a, int32_t without) {
  double w = 0.5;
  for (int i = 0; i < EM_ITERATIONS; i++) {
    double sum = 0.0, n = 0.0;
    for (size_t k = 0; k < a->tokens.n; k++) {
      const token *const t = &a->tokens.data[k];
      const double x = w * (double)t->text;
      const double p = x + (1.0 - w) * (double)t->base;
      if (t->fold == without || !(p > 0.0)) continue;
      sum += x / p;
      n += 1.0;
    }
    w = (sum + 1.0) / (n + 2.0);
  }
  return w;
}

static void fill_report(const adapter *a, sn_adapt_report *r) {
  double weight[MAX_FOLDS], base = 0.0, known = 0.0, all = 0.0;
  for (int32_t f = 0; f < a->opts.folds; f++) weight[f] = best_weight(a, f);
  r->n_sentences = a->n_sentences;
  for (size_t k = 0; k < a->tokens.n; k++) {
    const token *const t = &a->tokens.data[k];
    const double w = weight[t->fold];
    const double p = w * (double)t->text + (1.0 - w) * (double)t->base;
    if (!(p > 0.0)) {
      r->n_oov++;
      continue;
    }
    r->n_tokens++;
    all += log(p);
    if (!(t->base > 0.0f)) continue;
    r->n_known++;
    known += log(p);
    base += log((double)t->base);
  }
  r->base = exp(-base / (double)r->n_known);
  r->mixed_known = exp(-known / (double)r->n_known);
  r->mixed = exp(-all / (double)r->n_tokens);
  r->weight = best_weight(a, -1);
}

/* Named classes are words of both models, or the mixture is lopsided. */
static sn_status warn_classes(const sn_ngram *base, const sn_ngram *text,
                              sn_log *log, sn_err *err) {
  const struct {
    const sn_ngram *has, *lacks;
    const char *says;
  } rows[] = {{base, text,
               "classes of the base model are not in the text: write the class "
               "where the text has a member"},
              {text, base,
               "classes of the text are not in the base model, which has their "
               "members as words, if at all"}};
  for (size_t i = 0; i < 2; i++) {
    sn_str names = {0};
    int32_t n;
    const sn_status s = sn_class_tokens(rows[i].has, SN_CLASS_NAMED,
                                        rows[i].lacks, &names, &n, err);
    if (s == SN_OK && n > 0)
      sn_warn(log, "%d %s (%s)", n, rows[i].says, sn_str_get(&names));
    sn_str_clear(&names);
    SN_TRY(s);
  }
  return SN_OK;
}

static sn_status adapt(adapter *a, sn_reader *text, sn_log *log, sn_ngram **out,
                       sn_adapt_report *report, sn_err *err) {
  if (sn_ngram_eos(a->base) < 0)
    return sn_fail(err, SN_EMISMATCH, "the base model has no </s>");
  SN_TRY(read_text(a, text, log, err));
  for (int32_t f = 0; f < a->opts.folds; f++) {
    SN_TRY(score_fold(a, f, err));
    sn_log_progress(log, "cross-validation", "folds", f + 1, a->opts.folds,
                    f + 1 == a->opts.folds);
    if (sn_log_cancelled(log)) return sn_fail(err, SN_ECANCEL, "interrupted");
  }
  fill_report(a, report);
  sn_ngram *lm = NULL;
  SN_TRY(estimate(a, -1, &lm, err));
  const sn_ngram *const both[] = {a->base, lm};
  const double weights[] = {1.0 - report->weight, report->weight};
  sn_status s = warn_classes(a->base, lm, log, err);
  if (s == SN_OK) s = sn_ngram_mix(both, weights, 2, log, out, err);
  sn_ngram_destroy(lm);
  return s;
}

sn_status sn_ngram_adapt(const sn_ngram *base, sn_reader *text,
                         const sn_adapt_opts *opts, sn_log *log, sn_ngram **out,
                         sn_adapt_report *report, sn_err *err) {
  *out = NULL;
  sn_adapt_report own = {0};
  adapter *const a = sn_calloc(1, sizeof *a);
  if (a == NULL) return sn_fail_nomem(err, "adapting");
  a->base = base;
  sn_opt_defaults(sn_adapt_opt_table, &a->opts);
  if (opts != NULL) a->opts = *opts;
  const sn_status s = adapt(a, text, log, out, &own, err);
  if (report != NULL) *report = own;
  for (int32_t f = 0; f < MAX_FOLDS; f++) sn_str_clear(&a->fold[f]);
  SN_ARR_FREE(&a->tokens);
  sn_free(a);
  return s;
}
