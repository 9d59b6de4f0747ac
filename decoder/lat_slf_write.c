/* SPDX-License-Identifier: Apache-2.0 */
/* Writing HTK's Standard Lattice Format. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_slf.h"

#define NO_WORD "!NULL"

/* W=..., quoted where blanks or quotes ask for it. */
static sn_status write_word(sn_writer *w, const sn_lat_words *words,
                            int32_t label, sn_err *err) {
  if (label == 0) return sn_writef(w, err, "W=" NO_WORD);
  if (words == NULL) return sn_writef(w, err, "W=%d", label);
  const char *const text = sn_lat_words_get(words, label);
  if (text == NULL)
    return sn_fail(err, SN_EMISMATCH, "no word has label %d", label);
  if (strpbrk(text, " \t\"'\\") == NULL && strcmp(text, NO_WORD) != 0)
    return sn_writef(w, err, "W=%s", text);
  SN_TRY(sn_writef(w, err, "W=\""));
  for (const char *p = text; *p != '\0'; p++)
    SN_TRY(sn_writef(w, err, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p));
  return sn_writef(w, err, "\"");
}

/* A score and never "-0". */
static double score(float cost) { return cost != 0.0f ? -(double)cost : 0.0; }

/* The state that can be the end node as it is, or -1: the only final one,
 * where nothing follows and nothing is added. */
static int32_t plain_end(const sn_lat *l) {
  int32_t end = -1;
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const x = &l->states[s];
    if (isinf(x->final_graph)) continue;
    if (end >= 0 || x->n_ali > 0 || x[1].first_arc > x->first_arc ||
        x->final_graph != 0.0f || x->final_acoustic != 0.0f)
      return -1;
    end = s;
  }
  return end;
}

static sn_status write_nodes(sn_writer *w, const int32_t *frames, int32_t n,
                             bool timed, double frame_s, sn_err *err) {
  for (int32_t s = 0; s < n; s++)
    if (timed)
      SN_TRY(sn_writef(w, err, "I=%d t=%.10g\n", s, frames[s] * frame_s));
    else
      SN_TRY(sn_writef(w, err, "I=%d\n", s));
  return SN_OK;
}

/* 9 digits bring a float back as it was. */
static sn_status write_link(sn_writer *w, int32_t id, int32_t from, int32_t to,
                            const sn_lat_words *words, int32_t word,
                            float graph, float acoustic, sn_err *err) {
  SN_TRY(sn_writef(w, err, "J=%d S=%d E=%d ", id, from, to));
  SN_TRY(write_word(w, words, word, err));
  return sn_writef(w, err, " a=%.9g l=%.9g\n", score(acoustic), score(graph));
}

static sn_status write_links(sn_writer *w, const sn_lat *l, int32_t end,
                             const sn_lat_words *words, sn_err *err) {
  int32_t id = 0;
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const x = &l->states[s];
    for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      SN_TRY(write_link(w, id++, s, a->next, words, a->word, a->graph,
                        a->acoustic, err));
    }
    if (end == l->n_states && isfinite(x->final_graph))
      SN_TRY(write_link(w, id++, s, end, words, 0, x->final_graph,
                        x->final_acoustic, err));
  }
  return SN_OK;
}

sn_status sn_lat_write_slf(sn_writer *w, const char *utterance, const sn_lat *l,
                           const sn_lat_words *words, const sn_slf_opts *opts,
                           sn_err *err) {
  const int32_t plain = plain_end(l);
  const int32_t end = plain >= 0 ? plain : l->n_states;
  const int32_t n_nodes =
      l->n_states == 0 ? 0 : l->n_states + (end == l->n_states);
  int32_t n_links = l->n_arcs, n_frames = 0;
  if (end == l->n_states)
    for (int32_t s = 0; s < l->n_states; s++)
      n_links += isfinite(l->states[s].final_graph);
  int32_t *const frames = sn_calloc((size_t)n_nodes + 1, sizeof *frames);
  if (frames == NULL) return sn_fail_nomem(err, "lattice");
  const bool timed =
      sn_lat_times(l, frames, &n_frames, NULL) == SN_OK && n_frames > 0;
  if (timed && end == l->n_states) frames[end] = n_frames;
  sn_status s = sn_writef(w, err, "VERSION=1.0\n");
  if (s == SN_OK && utterance != NULL && *utterance != '\0')
    s = sn_writef(w, err, "UTTERANCE=%s\n", utterance);
  if (s == SN_OK)
    s = sn_writef(w, err, "acscale=%.9g lmscale=%.9g wdpenalty=%.9g\n",
                  opts->acscale, opts->lmscale, opts->wdpenalty);
  if (s == SN_OK && n_nodes > 0) s = sn_writef(w, err, "start=0 end=%d\n", end);
  if (s == SN_OK) s = sn_writef(w, err, "N=%d L=%d\n", n_nodes, n_links);
  if (s == SN_OK)
    s = write_nodes(w, frames, n_nodes, timed, opts->frame_s, err);
  if (s == SN_OK) s = write_links(w, l, end, words, err);
  sn_free(frames);
  return s;
}
