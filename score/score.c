/* SPDX-License-Identifier: Apache-2.0 */
/* Scoring of whole texts: utterance by utterance, summed in the reference's
 * order. */
#include "score/score.h"

#include <string.h>

#include "base/mem.h"
#include "score/casefold.h"

void sn_score_counts_add(sn_score_counts *a, const sn_score_counts *b) {
  a->n_ref += b->n_ref;
  a->cor += b->cor;
  a->sub += b->sub;
  a->del += b->del;
  a->ins += b->ins;
}

/* The code points of some words, one after the other. */
static sn_status spell(const sn_score_words *words, const int32_t *ids,
                       size_t n, sn_arr_i32 *out, sn_err *err) {
  out->n = 0;
  for (size_t i = 0; i < n; i++) {
    sn_span s = sn_span_of(sn_score_word(words, ids[i]));
    while (s.n > 0) SN_TRY(SN_ARR_PUSH(out, sn_utf8_next(&s), err));
  }
  return SN_OK;
}

typedef struct scoring {
  const sn_transcripts *ref, *hyp;
  const sn_score_words *words;
  sn_align_costs costs;
  sn_score *out;
  sn_arr_i32 ref_chars, hyp_chars;
} scoring;

static sn_status score_utt(scoring *s, int32_t u, sn_err *err) {
  static const int32_t none[1];
  size_t n_ref, n_hyp = 0;
  const int32_t *const ref = sn_transcripts_words(s->ref, u, &n_ref);
  const int32_t *hyp = none;
  const int32_t v = sn_symtab_finds(s->hyp->ids, sn_symtab_get(s->ref->ids, u));
  if (v >= 0)
    hyp = sn_transcripts_words(s->hyp, v, &n_hyp);
  else
    SN_TRY(SN_ARR_PUSH(&s->out->missing, u, err));
  sn_score_counts *const c = &s->out->words[u];
  SN_TRY(sn_align(ref, n_ref, hyp, n_hyp, s->costs, c, NULL, NULL, err));
  sn_score_counts_add(&s->out->total, c);
  s->out->n_wrong += sn_score_errors(c) > 0;
  if (s->out->chars == NULL) return SN_OK;
  SN_TRY(spell(s->words, ref, n_ref, &s->ref_chars, err));
  SN_TRY(spell(s->words, hyp, n_hyp, &s->hyp_chars, err));
  SN_TRY(sn_align(s->ref_chars.data, s->ref_chars.n, s->hyp_chars.data,
                  s->hyp_chars.n, s->costs, &s->out->chars[u], NULL, NULL,
                  err));
  sn_score_counts_add(&s->out->total_chars, &s->out->chars[u]);
  return SN_OK;
}

static sn_status find_extra(scoring *s, sn_err *err) {
  for (size_t v = 0; v < s->hyp->utts.n; v++) {
    const char *const id = sn_symtab_get(s->hyp->ids, (int32_t)v);
    if (sn_symtab_finds(s->ref->ids, id) < 0)
      SN_TRY(SN_ARR_PUSH(&s->out->extra, (int32_t)v, err));
  }
  return SN_OK;
}

static sn_status score_all(scoring *s, bool cer, sn_err *err) {
  sn_score *const o = s->out;
  o->n_utts = s->ref->utts.n;
  o->words = sn_calloc(o->n_utts, sizeof *o->words);
  if (o->words == NULL) return sn_fail_nomem(err, "scores");
  if (cer) {
    o->chars = sn_calloc(o->n_utts, sizeof *o->chars);
    if (o->chars == NULL) return sn_fail_nomem(err, "scores");
  }
  SN_TRY(find_extra(s, err));
  if (o->extra.n == s->hyp->utts.n)
    return sn_fail(err, SN_EMISMATCH,
                   "no utterance is in both: %s begins with '%s', %s with '%s'",
                   s->ref->name, sn_symtab_get(s->ref->ids, 0), s->hyp->name,
                   sn_symtab_get(s->hyp->ids, 0));
  for (size_t u = 0; u < o->n_utts; u++) SN_TRY(score_utt(s, (int32_t)u, err));
  if (o->total.n_ref == 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: the reference has no words in %zu utterances: there is "
                   "no rate",
                   s->ref->name, o->n_utts);
  return SN_OK;
}

sn_status sn_score_compare(const sn_transcripts *ref, const sn_transcripts *hyp,
                           const sn_score_words *words,
                           const sn_score_opts *opts, sn_score *out,
                           sn_err *err) {
  SN_ASSERT(ref != NULL && hyp != NULL && words != NULL && opts != NULL);
  SN_ASSERT(ref->utts.n > 0 && hyp->utts.n > 0); /* reading refuses none */
  *out = (sn_score){0};
  scoring s = {.ref = ref,
               .hyp = hyp,
               .words = words,
               .costs = opts->sclite ? SN_ALIGN_SCLITE : SN_ALIGN_EDITS,
               .out = out};
  const sn_status status = score_all(&s, opts->cer, err);
  SN_ARR_FREE(&s.ref_chars);
  SN_ARR_FREE(&s.hyp_chars);
  if (status != SN_OK) sn_score_clear(out);
  return status;
}

void sn_score_clear(sn_score *s) {
  if (s == NULL) return;
  sn_free(s->words);
  sn_free(s->chars);
  SN_ARR_FREE(&s->missing);
  SN_ARR_FREE(&s->extra);
  *s = (sn_score){0};
}

void sn_score_group(const sn_score_counts *counts, size_t n_utts,
                    const int32_t *group, sn_score_counts *sums,
                    size_t n_groups) {
  memset(sums, 0, n_groups * sizeof *sums);
  for (size_t u = 0; u < n_utts; u++) {
    const size_t g = group == NULL ? u : (size_t)group[u];
    SN_ASSERT(g < n_groups);
    sn_score_counts_add(&sums[g], &counts[u]);
  }
}

/* Errors of a (and b) and words of each unit as plain arrays. */
typedef struct columns {
  int64_t *a, *b, *words;
} columns;

static void columns_clear(columns *c) {
  sn_free(c->a);
  sn_free(c->b);
  sn_free(c->words);
}

static sn_status columns_make(const sn_score_counts *a,
                              const sn_score_counts *b, size_t n, columns *c,
                              sn_err *err) {
  *c = (columns){sn_calloc(n, sizeof *c->a), sn_calloc(n, sizeof *c->b),
                 sn_calloc(n, sizeof *c->words)};
  if (c->a == NULL || c->b == NULL || c->words == NULL) {
    columns_clear(c);
    return sn_fail_nomem(err, "bootstrap");
  }
  for (size_t i = 0; i < n; i++) {
    c->a[i] = sn_score_errors(&a[i]);
    c->b[i] = sn_score_errors(&b[i]);
    c->words[i] = a[i].n_ref;
  }
  return SN_OK;
}

sn_status sn_score_interval(const sn_score_counts *units, size_t n,
                            const sn_bootstrap_opts *opts, double *low,
                            double *high, sn_err *err) {
  columns c;
  SN_TRY(columns_make(units, units, n, &c, err));
  const sn_status s = sn_bootstrap_rate(c.a, c.words, n, opts, low, high, err);
  columns_clear(&c);
  return s;
}

sn_status sn_score_paired(const sn_score_counts *a, const sn_score_counts *b,
                          size_t n, const sn_bootstrap_opts *opts,
                          sn_paired *out, sn_err *err) {
  columns c;
  SN_TRY(columns_make(a, b, n, &c, err));
  const sn_status s = sn_bootstrap_paired(c.a, c.b, c.words, n, opts, out, err);
  columns_clear(&c);
  return s;
}
