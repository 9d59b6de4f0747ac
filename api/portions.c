/* SPDX-License-Identifier: Apache-2.0 */
/* An utterance's lattice as it becomes words, portion by portion.
 *
 * The decoder settles stretches of some 30 s of a long lattice between nodes
 * that all of its paths run through (decoder_lattice.c). Each is taken, goes
 * through the second pass (lat_rescore_row.c, which keeps it until the next one
 * tells how it ends), and what it says is kept: words, confidences,
 * alternatives, n best. Then it goes, unless the lattice itself is wanted. So
 * memory does not grow with lattices, and a confusion network is never longer
 * than a stretch.
 *
 * Of each lattice:
 *   1. words: the best path's; where this is the utterance's only lattice, and
 *      was not rescored, the search's own; with mbr, those of least expected
 *      error;
 *   2. confidence of a word: its posterior in the confusion network around
 *      these words; alternatives: what else stands in its place there;
 *   3. the n best sentences. */
#include <math.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "decoder/lat_mbr.h"
#include "decoder/lat_ops.h"

/* A network takes 32 bytes for each state and word. Above this, 128 MB, paths
 * far from the best are left out of it; where even the least beam is not
 * enough (an hour of a grammar, in one stretch) there is none. */
#define NETWORK_MAX_CELLS 4e6
#define NETWORK_LEAST_BEAM 0.01

static void portion_clear(sni_portion *p) {
  SN_ARR_FREE(&p->words);
  sn_lat_path_clear(&p->path);
  sn_free(p->bins);
  sn_free(p->confidence);
  sn_free(p->first_alternative);
  SN_ARR_FREE(&p->alternatives);
  for (size_t i = 0; i < p->nbest.n; i++) SN_ARR_FREE(&p->nbest.data[i].words);
  SN_ARR_FREE(&p->nbest);
  memset(p, 0, sizeof *p);
}

/* ---- 1: words ---- */

static sn_status set_words(sni_portion *p, const int32_t *words, size_t n,
                           sn_err *err) {
  SN_TRY(SN_ARR_RESIZE(&p->words, n, err));
  if (n > 0) memcpy(p->words.data, words, n * sizeof *words);
  return SN_OK;
}

static sn_status best_words(sn_decoder *d, const sn_lat *lat, bool by_search,
                            sni_portion *p, sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  if (!by_search) {
    SN_TRY(sn_lat_best(lat, &k, &p->path, err));
    return set_words(p, p->path.words.data, p->path.words.n, err);
  }
  sn_hyp hyp;
  p->by_search = true;
  SN_TRY(sn_decoder_best(d, true, &hyp, err));
  const sn_status s = SN_ARR_RESIZE(&p->words, hyp.n_words, err);
  for (size_t i = 0; s == SN_OK && i < hyp.n_words; i++)
    p->words.data[i] = hyp.words[i].word + 1;
  sn_hyp_clear(&hyp);
  return s;
}

/* Words of least risk that are on no path: times are those expected, phones and
 * costs are not known. */
static sn_status take_bins(const sn_decoder *d, const sn_mbr *m, sni_portion *p,
                           sn_err *err) {
  p->bins = sn_calloc(m->words.n, sizeof *p->bins);
  if (p->bins == NULL) return sn_fail_nomem(err, "answer");
  for (size_t i = 0; i < m->words.n; i++) {
    const sn_sausage_bin *const b = &m->bins.data[m->bin_of.data[i]];
    const double begin = (double)p->first_frame + b->begin;
    const double end = (double)p->first_frame + b->end;
    p->bins[i] = (sn_hyp_word){.word = m->words.data[i] - 1,
                               .first_frame = (int64_t)begin,
                               .n_frames = (int64_t)end - (int64_t)begin,
                               .begin_s = sn_decoder_frame_s(d, begin),
                               .end_s = sn_decoder_frame_s(d, end),
                               .graph_cost = NAN,
                               .acoustic_cost = NAN};
  }
  return SN_OK;
}

static bool same_words(const sni_portion *p, const sn_mbr *m) {
  return p->words.n == m->words.n &&
         (m->words.n == 0 || memcmp(p->words.data, m->words.data,
                                    m->words.n * sizeof *m->words.data) == 0);
}

static sn_status least_risk(const sn_decoder *d, const sn_lat *lat,
                            const sn_mbr *m, sni_portion *p, sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  sn_lat_path path;
  bool found = false;
  if (same_words(p, m)) return SN_OK;
  SN_TRY(set_words(p, m->words.data, m->words.n, err));
  SN_TRY(sn_lat_follow(lat, &k, m->words.data, m->words.n, &path, &found, err));
  if (!found) {
    sn_lat_path_clear(&path);
    return take_bins(d, m, p, err);
  }
  sn_lat_path_clear(&p->path);
  p->path = path;
  p->by_search = false;
  return SN_OK;
}

/* ---- 2: how sure, and what else ---- */

static sn_status take_network(const sn_mbr *m, size_t most, sni_portion *p,
                              sn_err *err) {
  const size_t n = m->words.n;
  SN_ASSERT(n == p->words.n);
  p->confidence = sn_calloc(n + 1, sizeof *p->confidence);
  p->first_alternative = sn_calloc(n + 1, sizeof *p->first_alternative);
  if (p->confidence == NULL || p->first_alternative == NULL)
    return sn_fail_nomem(err, "answer");
  for (size_t i = 0; i < n; i++) {
    const sn_sausage_bin *const b = &m->bins.data[m->bin_of.data[i]];
    size_t got = 0;
    for (uint32_t k = b->first; k < b->first + b->n; k++) {
      const sni_alternative e = {m->entries.data[k].word,
                                 fmin(m->entries.data[k].posterior, 1.0)};
      if (e.word == m->words.data[i])
        p->confidence[i] = e.posterior;
      else if (got < most) {
        SN_TRY(SN_ARR_PUSH(&p->alternatives, e, err));
        got++;
      }
    }
    p->first_alternative[i + 1] = p->alternatives.n;
  }
  return SN_OK;
}

/* *narrow becomes what is left of lat within a beam in which the network is
 * small enough (*use: it, or lat itself); *use NULL: in none. */
static sn_status narrow(const sn_lat *lat, const sn_lat_scales *k, size_t n,
                        double from, sn_lat *narrowed, const sn_lat **use,
                        double *beam, sn_err *err) {
  const double most = NETWORK_MAX_CELLS / ((double)n + 1.0);
  *use = lat;
  for (double b = from / 2; (double)(*use)->n_states > most; b /= 2) {
    sn_lat_clear(narrowed);
    *use = NULL;
    if (b < NETWORK_LEAST_BEAM) return SN_OK;
    SN_TRY(sn_lat_prune(lat, k, b, narrowed, err));
    *use = narrowed;
    *beam = fmin(*beam, b);
  }
  return SN_OK;
}

/* Around the portion's words; with mbr, words of less risk: those may be on no
 * path, and then their times are the network's. */
static sn_status network_of(const sni_portions *p, const sn_lat *lat,
                            const sn_lat_scales *k, const sni_portion *x,
                            sn_mbr *out, sn_err *err) {
  sn_lat_spans spans = {0};
  bool found = false;
  if (p->settings->mbr)
    SN_TRY(sn_lat_spans_make(sn_str_get(&p->model->labels), true, lat, k,
                             &spans, &found, err));
  static const int32_t none = 0;
  const sn_mbr_opts o = {.update = p->settings->mbr,
                         .words = x->words.n > 0 ? x->words.data : &none,
                         .n_words = x->words.n,
                         .spans = found ? &spans : NULL};
  const sn_status s = sn_lat_mbr(lat, k, &o, out, err);
  sn_lat_spans_clear(&spans);
  return s;
}

static sn_status make_network(sni_portions *p, const sn_decoder *d,
                              const sn_lat *lat, sni_portion *x, sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  const sn_settings *const set = p->settings;
  const sn_lat *use = NULL;
  sn_lat narrowed = {0};
  sn_mbr m = {0};
  sn_status s = narrow(lat, &k, x->words.n, (double)sn_decoder_lattice_beam(d),
                       &narrowed, &use, &p->beam, err);
  if (s == SN_OK && use != NULL) {
    s = network_of(p, use, &k, x, &m, err);
    if (s == SN_OK && set->mbr) s = least_risk(d, lat, &m, x, err);
    if (s == SN_OK) s = take_network(&m, (size_t)set->alternatives, x, err);
  }
  sn_mbr_clear(&m);
  sn_lat_clear(&narrowed);
  return s;
}

/* ---- 3: the n best ---- */

static sn_status take_nbest(const sn_lat *lat, const sn_lat_scales *k, size_t n,
                            sni_portion *p, sn_err *err) {
  sn_lat_path *paths = NULL;
  size_t n_paths = 0;
  SN_TRY(sn_lat_posteriors(lat, k, NULL, NULL, &p->total, err));
  SN_TRY(sn_lat_nbest(lat, k, n, &paths, &n_paths, err));
  sn_status s = SN_OK;
  for (size_t i = 0; i < n_paths; i++) {
    sn_lat_path *const x = &paths[i];
    const sni_sentence sentence = {x->words, x->graph, x->acoustic, x->total};
    if (s == SN_OK) s = SN_ARR_PUSH(&p->nbest, sentence, err);
    if (s == SN_OK) memset(&x->words, 0, sizeof x->words); /* moved */
    sn_lat_path_clear(x);
  }
  sn_free(paths);
  return s;
}

/* ---- One lattice ---- */

/* by_search: words of the search may be taken, for this lattice is the whole
 * utterance's and as the search made it. */
static sn_status portion_make(sni_portions *p, sn_decoder *d, const sn_lat *lat,
                              bool by_search, sni_portion *out, sn_err *err) {
  const sn_settings *const set = p->settings;
  const sn_lat_scales k = sn_decoder_scales(d);
  SN_TRY(best_words(d, lat, by_search, out, err));
  if (set->mbr || set->confidence != SN_SETTINGS_CONFIDENCE_NO ||
      set->alternatives > 0)
    SN_TRY(make_network(p, d, lat, out, err));
  return set->nbest > 0 ? take_nbest(lat, &k, (size_t)set->nbest, out, err)
                        : SN_OK;
}

/* ---- All of them ---- */

static void drop_row(sni_portions *p) {
  for (size_t i = 0; i < p->row.n; i++) sn_lat_clear(&p->row.data[i]);
  p->row.n = 0;
}

void sni_portions_clear(sni_portions *p) {
  for (size_t i = 0; i < p->list.n; i++) portion_clear(&p->list.data[i]);
  SN_ARR_FREE(&p->list);
  drop_row(p);
  SN_ARR_FREE(&p->row);
  sn_lat_row_destroy(p->second);
  memset(p, 0, sizeof *p);
}

sn_status sni_portions_begin(sni_portions *p, const senone_model *m,
                             const sn_settings *set, const sn_decoder *d,
                             sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  sni_portions_clear(p);
  p->model = m;
  p->settings = set;
  p->beam = HUGE_VAL;
  return sni_wants_second(m, set) ? sni_second_row(m, &k, &p->second, err)
                                  : SN_OK;
}

/* Frames of any path. */
static int64_t count_frames(const sn_lat *l) {
  int64_t n = 0;
  int32_t s = 0;
  while (isinf(l->states[s].final_graph)) {
    const sn_lat_arc *const a = &l->arcs[l->states[s].first_arc];
    n += a->n_ali;
    s = a->next;
  }
  return n + l->states[s].n_ali;
}

/* Puts *lat, which becomes empty, into the row of those that make the whole.
 * A path of the whole is as much worse than the best as its parts are worse
 * than the best ones there, all in all; so what no path within the beam needs
 * can be told part by part. The second pass has done so. */
static sn_status keep(sni_portions *p, const sn_decoder *d, sn_lat *lat,
                      bool whole, sn_err *err) {
  const sn_lat_scales k = sn_decoder_scales(d);
  if (!whole && p->second == NULL) {
    sn_lat pruned;
    SN_TRY(sn_lat_prune(lat, &k, (double)sn_decoder_lattice_beam(d), &pruned,
                        err));
    sn_lat_clear(lat);
    *lat = pruned;
  }
  SN_TRY(SN_ARR_PUSH(&p->row, *lat, err));
  memset(lat, 0, sizeof *lat);
  return SN_OK;
}

/* What a lattice says that nothing will change any more. */
static sn_status conclude(sni_portions *p, sn_decoder *d, sn_lat *lat,
                          bool last, sn_err *err) {
  const bool whole = last && p->n_added == 1 && !sni_portions_rescored(p);
  const sni_portion empty = {.first_frame = p->n_frames};
  if (lat->n_states == 0) return SN_OK;
  SN_TRY(SN_ARR_PUSH(&p->list, empty, err));
  sni_portion *const x = &p->list.data[p->list.n - 1];
  x->n_frames = count_frames(lat);
  p->n_frames += x->n_frames;
  SN_TRY(portion_make(p, d, lat, whole, x, err));
  if (!p->settings->keep_lattice && !p->settings->observe && p->n_added > 1) {
    drop_row(p);
    p->row_is_dropped = true;
    return SN_OK;
  }
  return keep(p, d, lat, last && p->n_added == 1, err);
}

static void log_second(const sni_portions *p) {
  int64_t n_kept;
  const sn_lat_rescore_stats stats = sn_lat_row_stats(p->second, &n_kept);
  sn_debug(p->model->log,
           "second pass: %zu lattices, %lld states and %lld arcs made, %lld "
           "histories cut off, %lld lattices left as they were",
           p->n_added, (long long)stats.n_states, (long long)stats.n_arcs,
           (long long)stats.n_cut, (long long)n_kept);
}

sn_status sni_portions_add(sni_portions *p, sn_decoder *d, sn_lat *lat,
                           bool last, sn_err *err) {
  sn_lat done = {0};
  if (lat->n_states == 0) {
    p->is_lost = true;
    return SN_OK;
  }
  p->n_added++;
  if (p->second == NULL) return conclude(p, d, lat, last, err);
  sn_status s = sn_lat_row_add(p->second, lat, last, &done, err);
  sn_lat_clear(lat);
  if (s == SN_OK) s = conclude(p, d, &done, false, err);
  sn_lat_clear(&done);
  if (s == SN_OK && last) {
    s = sn_lat_row_end(p->second, &done, err);
    if (s == SN_OK) s = conclude(p, d, &done, true, err);
    sn_lat_clear(&done);
    log_second(p);
  }
  return s;
}

bool sni_portions_rescored(const sni_portions *p) {
  int64_t n_kept = 0;
  if (p->second == NULL || p->is_lost) return false;
  (void)sn_lat_row_stats(p->second, &n_kept);
  return p->n_added > (size_t)n_kept;
}

sn_status sni_portions_lattice(sni_portions *p, sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  if (p->is_lost || p->row.n == 0) return SN_OK;
  if (p->row.n == 1) {
    *out = p->row.data[0];
    p->row.n = 0;
    return SN_OK;
  }
  SN_TRY(sn_lat_join(p->row.data, p->row.n, out, err));
  drop_row(p);
  return SN_OK;
}
