/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of a finished utterance: what its portions say (portions.c), put
 * together; without a lattice, the search's own best path.
 *
 * Words and phones of all portions come from one path, that of each behind that
 * of the one before: a node that all paths run through may stand within a word,
 * whose label is on one side and whose phones are on both. The path of the
 * search itself is taken where it says the same. */
#include <math.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"

void sni_answer_clear(sni_answer *a) {
  sn_hyp_clear(&a->hyp);
  sn_free(a->confidence);
  sn_free(a->first_alternative);
  SN_ARR_FREE(&a->alternatives);
  for (size_t i = 0; i < a->nbest.n; i++) SN_ARR_FREE(&a->nbest.data[i].words);
  SN_ARR_FREE(&a->nbest);
  memset(a, 0, sizeof *a);
}

/* ---- Words ---- */

static bool said_by_search(const sni_portions *p, const sn_hyp *hyp) {
  size_t n = 0;
  for (size_t i = 0; i < p->list.n; i++) {
    const sni_portion *const x = &p->list.data[i];
    if (x->by_search) return true;
    for (size_t k = 0; k < x->path.words.n; k++, n++)
      if (n >= hyp->n_words || hyp->words[n].word + 1 != x->path.words.data[k])
        return false;
  }
  return n == hyp->n_words;
}

/* Words and phones of the paths of all portions. */
static sn_status take_paths(const sni_portions *p, const sn_decoder *d,
                            sn_hyp *hyp, sn_err *err) {
  sn_lat_path all = {0};
  sn_hyp made;
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < p->list.n; i++)
    s = sn_lat_path_append(&all, &p->list.data[i].path, err);
  if (s == SN_OK) s = sn_decoder_path(d, &all, &made, err);
  sn_lat_path_clear(&all);
  SN_TRY(s);
  made.reached_final = hyp->reached_final;
  sn_hyp_clear(hyp);
  *hyp = made;
  return SN_OK;
}

static bool has_bins(const sni_portions *p) {
  for (size_t i = 0; i < p->list.n; i++)
    if (p->list.data[i].bins != NULL) return true;
  return false;
}

/* Phones of a portion that come out with it: not of words that were replaced,
 * nor said where they were. */
static void keep_phones(const sni_portion *x, const sn_decoder *d, bool is_only,
                        size_t first_word, size_t n_old, sn_hyp *hyp) {
  const double begin_s = sn_decoder_frame_s(d, (double)x->first_frame);
  const double end_s =
      sn_decoder_frame_s(d, (double)(x->first_frame + x->n_frames));
  size_t n = 0;
  for (size_t i = 0; i < hyp->n_phones; i++) {
    sn_hyp_phone e = hyp->phones[i];
    const bool is_here = is_only || (e.begin_s >= begin_s && e.begin_s < end_s);
    const bool is_old =
        e.word >= (int32_t)first_word && e.word < (int32_t)(first_word + n_old);
    if (is_here || is_old) continue;
    if (e.word >= (int32_t)(first_word + n_old))
      e.word += (int32_t)x->words.n - (int32_t)n_old;
    hyp->phones[n++] = e;
  }
  hyp->n_phones = n;
}

/* Expected times keep between those of the words of paths around them. */
static void put_in_order(sn_hyp_word *words, size_t n) {
  double last = 0.0, next = HUGE_VAL;
  for (size_t i = 0; i < n; i++) {
    sn_hyp_word *const w = &words[i];
    if (isnan(w->graph_cost)) {
      w->begin_s = fmax(w->begin_s, last);
      w->end_s = fmax(w->end_s, w->begin_s);
    }
    last = w->end_s;
  }
  for (size_t i = n; i-- > 0;) {
    sn_hyp_word *const w = &words[i];
    if (isnan(w->graph_cost)) {
      w->end_s = fmin(w->end_s, next);
      w->begin_s = fmin(w->begin_s, w->end_s);
    }
    next = w->begin_s;
  }
}

/* Words of least risk that are on no path, in place of those of their portion's
 * best path. */
static sn_status put_bins(const sni_portions *p, const sn_decoder *d,
                          sn_hyp *hyp, sn_err *err) {
  const bool is_only = p->list.n == 1;
  size_t n = 0, from = 0;
  for (size_t i = 0; i < p->list.n; i++) n += p->list.data[i].words.n;
  sn_hyp_word *const words = sn_calloc(n, sizeof *words);
  if (words == NULL) return sn_fail_nomem(err, "answer");
  n = 0;
  for (size_t i = 0; i < p->list.n; i++) {
    const sni_portion *const x = &p->list.data[i];
    const size_t n_old = is_only ? hyp->n_words : x->path.words.n;
    const sn_hyp_word *const said =
        x->bins != NULL ? x->bins : hyp->words + from;
    if (x->words.n > 0) memcpy(words + n, said, x->words.n * sizeof *words);
    if (x->bins != NULL) keep_phones(x, d, is_only, n, n_old, hyp);
    n += x->words.n;
    from += n_old;
  }
  put_in_order(words, n);
  sn_free(hyp->words);
  hyp->words = words;
  hyp->n_words = n;
  hyp->graph_cost = hyp->acoustic_cost = NAN;
  return SN_OK;
}

/* ---- How sure, and what else ---- */

static sn_status add_network(const sni_portion *x, size_t n, sni_answer *a,
                             sn_err *err) {
  const size_t before = a->alternatives.n;
  for (size_t i = 0; i < x->words.n; i++) {
    a->confidence[n + i] = x->confidence != NULL ? x->confidence[i] : -1.0;
    a->first_alternative[n + i + 1] =
        before + (x->confidence != NULL ? x->first_alternative[i + 1] : 0);
  }
  for (size_t i = 0; i < x->alternatives.n; i++)
    SN_TRY(SN_ARR_PUSH(&a->alternatives, x->alternatives.data[i], err));
  return SN_OK;
}

static sn_status take_networks(const sni_portions *p, sni_answer *a,
                               sn_err *err) {
  const size_t n = a->hyp.n_words;
  bool has_any = false;
  for (size_t i = 0; i < p->list.n; i++)
    has_any = has_any || p->list.data[i].confidence != NULL;
  if (!has_any) return SN_OK;
  a->confidence = sn_calloc(n + 1, sizeof *a->confidence);
  a->first_alternative = sn_calloc(n + 1, sizeof *a->first_alternative);
  if (a->confidence == NULL || a->first_alternative == NULL)
    return sn_fail_nomem(err, "answer");
  size_t at = 0;
  for (size_t i = 0; i < p->list.n; i++) {
    SN_TRY(add_network(&p->list.data[i], at, a, err));
    at += p->list.data[i].words.n;
  }
  SN_ASSERT(at == n);
  return SN_OK;
}

static sn_status from_portions(const sn_settings *set, const sni_portions *p,
                               const sn_decoder *d, sni_answer *a,
                               sn_err *err) {
  if (sni_portions_rescored(p) || !said_by_search(p, &a->hyp))
    SN_TRY(take_paths(p, d, &a->hyp, err));
  if (has_bins(p)) SN_TRY(put_bins(p, d, &a->hyp, err));
  SN_TRY(take_networks(p, a, err));
  return set->nbest > 0 ? sni_sentences_make(p, (size_t)set->nbest, a, err)
                        : SN_OK;
}

static bool is_empty_of_speech(const sn_hyp *h) {
  for (size_t i = 0; i < h->n_phones; i++)
    if (!h->phones[i].is_filler) return false;
  return h->n_words == 0;
}

sn_status sni_answer_make(const sn_settings *set, sn_decoder *d,
                          const sni_portions *portions, bool has_audio,
                          sni_answer *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  SN_TRY(sn_decoder_best(d, true, &out->hyp, err));
  const bool has_lattice =
      portions != NULL && !portions->is_lost && portions->list.n > 0;
  const sn_status s =
      has_lattice ? from_portions(set, portions, d, out, err) : SN_OK;
  if (s != SN_OK) {
    sni_answer_clear(out);
    return s;
  }
  out->flags = SENONE_RESULT_FINAL;
  if (has_lattice && sni_portions_rescored(portions))
    out->flags |= SENONE_RESULT_RESCORED;
  if (out->hyp.no_path) out->flags |= SENONE_RESULT_NO_PATH;
  if (!out->hyp.reached_final && (out->hyp.n_frames > 0 || has_audio))
    out->flags |= SENONE_RESULT_INCOMPLETE;
  if (has_audio && !out->hyp.no_path && is_empty_of_speech(&out->hyp))
    out->flags |= SENONE_RESULT_NO_SPEECH;
  return SN_OK;
}
