/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of a finished utterance.
 *
 *   1. Words: the search's own best path; where the lattice was rescored, the
 *      lattice's best path; with mbr, the words of least expected error.
 *   2. Confidence of a word: its posterior in the confusion network around
 *      these words. Alternatives: what else stands in its place there.
 *   3. The n best sentences, with their share of all paths. */
#include <math.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "decoder/lat_mbr.h"

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

static sn_status take_path(const sn_decoder *d, const sn_lat_path *path,
                           sn_hyp *hyp, sn_err *err) {
  const bool reached = hyp->reached_final;
  sn_hyp made;
  SN_TRY(sn_decoder_path(d, path, &made, err));
  made.reached_final = reached;
  sn_hyp_clear(hyp);
  *hyp = made;
  return SN_OK;
}

static sn_status lattice_best(const sn_decoder *d, const sn_lat *lat,
                              sn_hyp *hyp, sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  sn_lat_path path;
  SN_TRY(sn_lat_best(lat, &k, &path, err));
  const sn_status s = take_path(d, &path, hyp, err);
  sn_lat_path_clear(&path);
  return s;
}

/* Words of least risk that are on no path of the lattice: times are those
 * expected, phones and costs are not known. */
static sn_status take_bins(const sn_decoder *d, const sn_mbr *m, sn_hyp *hyp,
                           sn_err *err) {
  sn_hyp made = {.n_frames = hyp->n_frames,
                 .reached_final = hyp->reached_final,
                 .graph_cost = NAN,
                 .acoustic_cost = NAN};
  made.words = sn_calloc(m->words.n, sizeof *made.words);
  if (made.words == NULL) return sn_fail_nomem(err, "answer");
  made.n_words = m->words.n;
  for (size_t i = 0; i < made.n_words; i++) {
    const sn_sausage_bin *const b = &m->bins.data[m->bin_of.data[i]];
    made.words[i] =
        (sn_hyp_word){.word = m->words.data[i] - 1,
                      .first_frame = (int64_t)b->begin,
                      .n_frames = (int64_t)b->end - (int64_t)b->begin,
                      .begin_s = sn_decoder_frame_s(d, b->begin),
                      .end_s = sn_decoder_frame_s(d, b->end),
                      .graph_cost = NAN,
                      .acoustic_cost = NAN};
  }
  sn_hyp_clear(hyp);
  *hyp = made;
  return SN_OK;
}

static bool same_words(const sn_hyp *h, const sn_mbr *m) {
  if (h->n_words != m->words.n) return false;
  for (size_t i = 0; i < h->n_words; i++)
    if (h->words[i].word + 1 != m->words.data[i]) return false;
  return true;
}

static sn_status least_risk(const sn_decoder *d, const sn_lat *lat,
                            const sn_mbr *m, sn_hyp *hyp, sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  sn_lat_path path;
  bool found = false;
  if (same_words(hyp, m)) return SN_OK;
  SN_TRY(sn_lat_follow(lat, &k, m->words.data, m->words.n, &path, &found, err));
  const sn_status s =
      found ? take_path(d, &path, hyp, err) : take_bins(d, m, hyp, err);
  sn_lat_path_clear(&path);
  return s;
}

/* ---- How sure, and what else ---- */

static sn_status network(const sn_lat *lat, const sn_lat_scales *k,
                         const sn_hyp *hyp, bool update, sn_mbr *out,
                         sn_err *err) {
  sn_arr_i32 words = {0};
  sn_status s = SN_ARR_RESIZE(&words, hyp->n_words, err);
  for (size_t i = 0; s == SN_OK && i < hyp->n_words; i++)
    words.data[i] = hyp->words[i].word + 1;
  if (s == SN_OK)
    s = sn_lat_mbr_around(lat, k, words.data, words.n, update, out, err);
  SN_ARR_FREE(&words);
  return s;
}

/* m->words are the answer's words. */
static sn_status take_network(const sn_mbr *m, size_t most, sni_answer *a,
                              sn_err *err) {
  const size_t n = m->words.n;
  SN_ASSERT(n == a->hyp.n_words);
  a->confidence = sn_calloc(n + 1, sizeof *a->confidence);
  a->first_alternative = sn_calloc(n + 1, sizeof *a->first_alternative);
  if (a->confidence == NULL || a->first_alternative == NULL)
    return sn_fail_nomem(err, "answer");
  for (size_t i = 0; i < n; i++) {
    const sn_sausage_bin *const b = &m->bins.data[m->bin_of.data[i]];
    size_t got = 0;
    for (uint32_t k = b->first; k < b->first + b->n; k++) {
      const sni_alternative e = {m->entries.data[k].word,
                                 fmin(m->entries.data[k].posterior, 1.0)};
      if (e.word == m->words.data[i])
        a->confidence[i] = e.posterior;
      else if (got < most) {
        SN_TRY(SN_ARR_PUSH(&a->alternatives, e, err));
        got++;
      }
    }
    a->first_alternative[i + 1] = a->alternatives.n;
  }
  return SN_OK;
}

static sn_status take_nbest(const sn_lat *lat, const sn_lat_scales *k, size_t n,
                            sni_answer *a, sn_err *err) {
  sn_lat_path *paths = NULL;
  size_t n_paths = 0;
  double total = 0.0;
  SN_TRY(sn_lat_posteriors(lat, k, NULL, NULL, &total, err));
  SN_TRY(sn_lat_nbest(lat, k, n, &paths, &n_paths, err));
  sn_status s = SN_OK;
  for (size_t i = 0; i < n_paths; i++) {
    sn_lat_path *const p = &paths[i];
    const sni_sentence x = {p->words, p->graph, p->acoustic,
                            fmin(exp(total - p->total), 1.0)};
    if (s == SN_OK) s = SN_ARR_PUSH(&a->nbest, x, err);
    if (s == SN_OK) memset(&p->words, 0, sizeof p->words); /* moved */
    sn_lat_path_clear(p);
  }
  sn_free(paths);
  return s;
}

/* Work and memory of a confusion network grow with states times words. Behind
 * this (dense lattices; those of usual beams end earlier, see recognizer.c) an
 * utterance goes without, and is named. */
#define NETWORK_MAX_CELLS 16e6

static sn_status from_lattice(const sn_settings *set, const sn_decoder *d,
                              const sn_lat *lat, bool rescored, sni_answer *out,
                              sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  if (rescored) SN_TRY(lattice_best(d, lat, &out->hyp, err));
  const bool wanted = set->mbr ||
                      set->confidence != SN_SETTINGS_CONFIDENCE_NO ||
                      set->alternatives > 0;
  out->network_left_out =
      wanted && (double)lat->n_states * ((double)out->hyp.n_words + 1.0) >
                    NETWORK_MAX_CELLS;
  if (wanted && !out->network_left_out) {
    sn_mbr m;
    SN_TRY(network(lat, &k, &out->hyp, set->mbr, &m, err));
    sn_status s = SN_OK;
    if (set->mbr) s = least_risk(d, lat, &m, &out->hyp, err);
    if (s == SN_OK) s = take_network(&m, (size_t)set->alternatives, out, err);
    sn_mbr_clear(&m);
    SN_TRY(s);
  }
  return set->nbest > 0 ? take_nbest(lat, &k, (size_t)set->nbest, out, err)
                        : SN_OK;
}

static bool is_empty_of_speech(const sn_hyp *h) {
  for (size_t i = 0; i < h->n_phones; i++)
    if (!h->phones[i].is_filler) return false;
  return h->n_words == 0;
}

sn_status sni_answer_make(const sn_settings *set, sn_decoder *d,
                          const sn_lat *lat, bool rescored, bool has_audio,
                          sni_answer *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  SN_TRY(sn_decoder_best(d, true, &out->hyp, err));
  sn_status s = SN_OK;
  if (lat != NULL && lat->n_states > 0)
    s = from_lattice(set, d, lat, rescored, out, err);
  if (s != SN_OK) {
    sni_answer_clear(out);
    return s;
  }
  out->flags = SENONE_RESULT_FINAL;
  if (rescored) out->flags |= SENONE_RESULT_RESCORED;
  if (out->hyp.no_path) out->flags |= SENONE_RESULT_NO_PATH;
  if (!out->hyp.reached_final && (out->hyp.n_frames > 0 || has_audio))
    out->flags |= SENONE_RESULT_INCOMPLETE;
  if (has_audio && !out->hyp.no_path && is_empty_of_speech(&out->hyp))
    out->flags |= SENONE_RESULT_NO_SPEECH;
  return SN_OK;
}
