/* SPDX-License-Identifier: Apache-2.0 */
/* Public lattices: what the recogniser thought of, and files of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"
#include "base/mem.h"
#include "decoder/lat_align.h"
#include "decoder/lat_io.h"
#include "decoder/lat_paths.h"
#include "decoder/lat_spans.h"

struct senone_lattice {
  sn_lat lat;
  sn_lat_scales k;
  senone_arc *arcs; /* [n_arcs] */
  sn_str times;     /* of its frames, for archives; a line with an empty key, or
                       nothing where they are plain */
};

struct senone_lattice_writer {
  sn_lat_words *words;
  sn_lat_writer *to;
  double scale; /* acoustic, of the lattices so far; 0: none */
  double frame_s;
  sn_str times; /* lines of all lattices so far */
};

void senone_lattice_destroy(senone_lattice *l) {
  if (l == NULL) return;
  sn_lat_clear(&l->lat);
  sn_str_clear(&l->times);
  sn_free(l->arcs);
  sn_free(l);
}

static sn_status fill_arcs(senone_lattice *l, const senone_model *m,
                           const sn_decoder *d, double begin_s, sn_err *err) {
  const sn_lat *const x = &l->lat;
  int32_t n_frames = 0;
  double total = 0.0;
  int32_t *const frames = sn_calloc((size_t)x->n_states, sizeof *frames);
  double *const posteriors = sn_calloc((size_t)x->n_arcs, sizeof *posteriors);
  l->arcs = sn_calloc((size_t)x->n_arcs, sizeof *l->arcs);
  sn_lat_spans spans = {0};
  bool found = false;
  sn_status s = frames != NULL && posteriors != NULL && l->arcs != NULL
                    ? SN_OK
                    : sn_fail_nomem(err, "lattice");
  if (s == SN_OK) s = sn_lat_times(x, frames, &n_frames, err);
  if (s == SN_OK)
    s = sn_lat_spans_make(sn_str_get(&m->labels), false, x, &l->k, &spans,
                          &found, err);
  if (s == SN_OK)
    s = sn_lat_posteriors(x, &l->k, posteriors, NULL, &total, err);
  for (int32_t from = 0; s == SN_OK && from < x->n_states; from++)
    for (uint32_t i = x->states[from].first_arc;
         i < x->states[from + 1].first_arc; i++) {
      const sn_lat_arc *const a = &x->arcs[i];
      const int32_t begin = found ? spans.begin[i] : frames[from];
      const int32_t end = found ? spans.end[i] : frames[a->next];
      l->arcs[i] = (senone_arc){
          .from = from,
          .to = a->next,
          .word = a->word > 0 ? sn_graph_word(m->graph, a->word - 1) : "",
          .begin_s = begin_s + sn_decoder_frame_s(d, begin),
          .end_s = begin_s + sn_decoder_frame_s(d, end),
          .graph_cost = (double)a->graph,
          .acoustic_cost = (double)a->acoustic,
          .posterior = fmin(posteriors[i], 1.0)};
    }
  sn_lat_spans_clear(&spans);
  sn_free(frames);
  sn_free(posteriors);
  return s;
}

sn_status sni_lattice_create(const senone_model *m, const sn_decoder *d,
                             const sn_lat *lat, double begin_s,
                             senone_lattice **out, sn_err *err) {
  *out = NULL;
  senone_lattice *const l = sn_calloc(1, sizeof *l);
  if (l == NULL) return sn_fail_nomem(err, "lattice");
  l->k = sn_decoder_scales(d);
  sn_status s = sn_lat_copy(lat, &l->lat, err);
  for (uint32_t i = 0; s == SN_OK && i < l->lat.n_ali; i++)
    l->lat.ali[i] /= 2; /* 2 l and 2 l + 1: label l */
  if (s == SN_OK && l->lat.n_states > 0) s = fill_arcs(l, m, d, begin_s, err);
  if (s == SN_OK)
    s = sn_lat_times_add(d, begin_s, sn_feat_frame_shift_s(m->feat), "",
                         &l->times, err);
  if (s != SN_OK) {
    senone_lattice_destroy(l);
    return s;
  }
  *out = l;
  return SN_OK;
}

int32_t senone_lattice_n_states(const senone_lattice *l) {
  return l->lat.n_states;
}

int32_t senone_lattice_n_arcs(const senone_lattice *l) { return l->lat.n_arcs; }

const senone_arc *senone_lattice_arc(const senone_lattice *l, int32_t i) {
  return i >= 0 && i < l->lat.n_arcs ? &l->arcs[i] : NULL;
}

double senone_lattice_final_cost(const senone_lattice *l, int32_t state) {
  return state >= 0 && state < l->lat.n_states
             ? (double)l->lat.states[state].final_graph
             : HUGE_VAL;
}

/* ---- Files ---- */

static sn_status open_writer(senone_lattice_writer *w, const senone_model *m,
                             const char *specifier, sn_err *err) {
  SN_TRY(sn_lat_words_create(&w->words, err));
  for (int32_t i = 0; i < m->graph->n_words; i++) {
    const char *const word = sn_graph_word(m->graph, i);
    SN_TRY(sn_lat_words_set(w->words, i + 1, word, strlen(word), err));
  }
  SN_TRY(sn_lat_writer_open(specifier, &w->to, err));
  sn_lat_writer_words(w->to, w->words);
  w->frame_s = sn_feat_frame_shift_s(m->feat);
  SN_TRY(sn_lat_writer_meta(w->to, "model", m->name, err));
  return sn_lat_writer_meta(w->to, SN_LAT_META_LABELS, sn_str_get(&m->labels),
                            err);
}

senone_status senone_lattice_writer_create(const senone_model *m,
                                           const char *specifier,
                                           senone_lattice_writer **out,
                                           senone_error *error) {
  *out = NULL;
  sn_err err = {0};
  senone_lattice_writer *const w = sn_calloc(1, sizeof *w);
  const sn_status s = w != NULL ? open_writer(w, m, specifier, &err)
                                : sn_fail_nomem(&err, "lattices");
  if (s != SN_OK) {
    senone_lattice_writer_destroy(w);
    return sni_report(&err, s, error);
  }
  *out = w;
  return SENONE_OK;
}

/* The first lattice tells the scale of all. */
static sn_status begin(senone_lattice_writer *w, const senone_lattice *l,
                       sn_err *err) {
  char text[32];
  if (w->scale > 0.0) return SN_OK;
  w->scale = l->k.acoustic;
  const sn_slf_opts slf = {w->frame_s, w->scale, 1.0, 0.0};
  sn_lat_writer_slf(w->to, &slf);
  (void)snprintf(text, sizeof text, "%.9g", w->scale);
  SN_TRY(sn_lat_writer_meta(w->to, "acoustic-scale", text, err));
  (void)snprintf(text, sizeof text, "%.9g", w->frame_s);
  return sn_lat_writer_meta(w->to, "frame-shift", text, err);
}

senone_status senone_lattice_writer_add(senone_lattice_writer *w,
                                        const char *id, const senone_lattice *l,
                                        senone_error *error) {
  sn_err err = {0};
  sn_status s = begin(w, l, &err);
  if (s == SN_OK && l->times.n > 0 && strpbrk(id, "\t\n") == NULL)
    s = sn_str_addf(&w->times, &err, "%s%s", id, sn_str_get(&l->times));
  if (s == SN_OK) s = sn_lat_write(w->to, id, &l->lat, &err);
  return sni_report(&err, s, error);
}

senone_status senone_lattice_writer_close(senone_lattice_writer *w,
                                          senone_error *error) {
  sn_err err = {0};
  sn_status s = SN_OK;
  if (w->times.n > 0)
    s = sn_lat_writer_meta(w->to, SN_LAT_META_TIMES, sn_str_get(&w->times),
                           &err);
  if (s == SN_OK) s = sn_lat_writer_commit(w->to, &err);
  return sni_report(&err, s, error);
}

void senone_lattice_writer_destroy(senone_lattice_writer *w) {
  if (w == NULL) return;
  sn_lat_writer_destroy(w->to);
  sn_lat_words_destroy(w->words);
  sn_str_clear(&w->times);
  sn_free(w);
}
