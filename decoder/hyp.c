/* SPDX-License-Identifier: Apache-2.0 */
/* Words and phones of one path.
 *
 *  1. The path's records in order: the committed ones, then the live chain.
 *  2. Records with a label are phones: each ends where the next begins.
 *  3. Phones that are not fillers form word segments: a segment begins at a
 *     phone whose label says "begin of word" or "single", or behind a filler.
 *  4. Determinisation and pushing move output labels along a path but keep
 *     their order: the k-th output belongs to the k-th segment. On a path that
 *     has not ended there may be more segments than outputs (the last ones
 *     have no word yet) or, rarely, more outputs.
 *     A graph whose labels tell no word positions has no segments; then a word
 *     lasts from the frame of its output to that of the next. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/hyp_internal.h"

/* As in am/am.h (sn_wordpos): the order of the stored bytes. */
enum { POS_INTERNAL, POS_BEGIN, POS_END, POS_SINGLE };

void sni_times_reset(sni_times *t) {
  t->runs.n = 0;
  t->n_frames = 0;
}

void sni_times_clear(sni_times *t) { SN_ARR_FREE(&t->runs); }

sn_status sni_times_add(sni_times *t, double begin_s, double end_s,
                        sn_err *err) {
  /* A microsecond: far below a sample's length, far above rounding. */
  const double tolerance_s = 1e-6;
  if (t->runs.n > 0) {
    sni_time_run *const r = &t->runs.data[t->runs.n - 1];
    const int64_t k = t->n_frames - r->first;
    if (k == 1) r->step_s = begin_s - r->begin_s;
    if (fabs(begin_s - (r->begin_s + (double)k * r->step_s)) < tolerance_s &&
        fabs(end_s - begin_s - r->length_s) < tolerance_s) {
      t->n_frames++;
      return SN_OK;
    }
  }
  const sni_time_run r = {t->n_frames, begin_s, 0.0, end_s - begin_s};
  SN_TRY(SN_ARR_PUSH(&t->runs, r, err));
  t->n_frames++;
  return SN_OK;
}

static const sni_time_run *run_of(const sni_times *t, int64_t f) {
  size_t lo = 0, hi = t->runs.n;
  while (hi - lo > 1) {
    const size_t mid = lo + (hi - lo) / 2;
    if (t->runs.data[mid].first <= f)
      lo = mid;
    else
      hi = mid;
  }
  return &t->runs.data[lo];
}

double sni_times_end_s(const sni_times *t, int64_t f) {
  if (t->n_frames == 0) return 0.0;
  if (f <= 0) return sni_times_begin_s(t, 0);
  const sni_time_run *const r = run_of(t, f - 1);
  return r->begin_s + (double)(f - 1 - r->first) * r->step_s + r->length_s;
}

double sni_times_begin_s(const sni_times *t, int64_t f) {
  if (t->n_frames == 0) return 0.0;
  if (f >= t->n_frames) return sni_times_end_s(t, t->n_frames);
  const sni_time_run *const r = run_of(t, f);
  return r->begin_s + (double)(f - r->first) * r->step_s;
}

void sn_hyp_clear(sn_hyp *h) {
  sn_free(h->words);
  sn_free(h->phones);
  memset(h, 0, sizeof *h);
}

/* Boundaries of the path, step 1; the one behind the last stands for its end.
 */
typedef struct path {
  sni_record *at; /* [n + 1] */
  size_t n;
} path;

static sn_status collect_path(const sni_trace *trace, const sni_path_end *end,
                              path *p, sn_err *err) {
  size_t n_live = 0;
  for (int32_t r = end->record; r >= 0; r = trace->live.data[r].prev) n_live++;
  p->n = trace->committed.n + n_live;
  p->at = sn_calloc(p->n + 1, sizeof *p->at);
  if (p->at == NULL) return sn_fail_nomem(err, "decoder: answer");
  if (trace->committed.n > 0)
    memcpy(p->at, trace->committed.data, trace->committed.n * sizeof *p->at);
  size_t i = p->n;
  for (int32_t r = end->record; r >= 0; r = trace->live.data[r].prev)
    p->at[--i] = trace->live.data[r];
  p->at[p->n] = (sni_record){.prev = -1,
                             .frame = (int32_t)end->n_frames,
                             .label = -1,
                             .word = -1,
                             .graph = (float)end->graph,
                             .total = end->total};
  return SN_OK;
}

/* Boundary where the phone or word that begins at boundary i ends. */
static size_t phone_end(const path *p, size_t i) {
  do i++;
  while (i < p->n && p->at[i].label < 0);
  return i;
}

static sn_hyp_word make_word(const path *p, const sni_times *times,
                             const sni_path_end *end, int32_t word, size_t from,
                             size_t to) {
  const int64_t a = p->at[from].frame, b = p->at[to].frame;
  double graph = 0.0;
  for (size_t i = from + 1; i <= to; i++) graph += (double)p->at[i].graph;
  const double total = p->at[to].total - p->at[from].total;
  const sn_hyp_word w = {
      .word = word,
      .first_frame = a,
      .n_frames = b - a,
      .begin_s = sni_times_begin_s(times, a),
      .end_s = b > a ? sni_times_end_s(times, b) : sni_times_begin_s(times, a),
      .graph_cost = (float)graph,
      .acoustic_cost = (float)((total - graph) / end->acoustic_scale)};
  return w;
}

/* Steps 2 to 4. hyp->words and ->phones have room for one per boundary. */
static void fill(const sn_graph *g, const path *p, const sni_times *times,
                 const sni_path_end *end, sn_hyp *hyp) {
  size_t n_outputs = 0, n_segments = 0, next_output = 0;
  for (size_t i = 0; i < p->n; i++) n_outputs += p->at[i].word >= 0;
  bool in_word = false;
  size_t begin = 0; /* boundary where the current segment begins */
  for (size_t i = 0; i < p->n; i++) {
    if (p->at[i].label < 0) continue;
    const sn_graph_label *const l = &g->labels[p->at[i].label];
    const size_t to = phone_end(p, i);
    if (l->is_filler) {
      in_word = false;
    } else if (!in_word || l->wordpos == POS_BEGIN ||
               l->wordpos == POS_SINGLE) {
      n_segments++;
      in_word = true;
      begin = i;
    }
    hyp->phones[hyp->n_phones++] = (sn_hyp_phone){
        .phone = l->phone,
        .word =
            in_word && n_segments <= n_outputs ? (int32_t)n_segments - 1 : -1,
        .is_filler = l->is_filler,
        .begin_s = sni_times_begin_s(times, p->at[i].frame),
        .end_s = sni_times_end_s(times, p->at[to].frame)};
    if (!in_word || n_segments > n_outputs) continue;
    /* The segment grows phone by phone: its word is written again. */
    if (hyp->n_words < n_segments) {
      while (p->at[next_output].word < 0) next_output++;
      hyp->n_words++;
      hyp->words[hyp->n_words - 1].word = p->at[next_output++].word;
    }
    sn_hyp_word *const w = &hyp->words[hyp->n_words - 1];
    *w = make_word(p, times, end, w->word, begin, to);
  }
  const bool by_output = n_segments == 0;
  for (size_t i = next_output; i < p->n; i++) {
    if (p->at[i].word < 0) continue;
    size_t from = p->n, to = p->n;
    if (by_output) {
      from = i;
      for (to = i + 1; to < p->n && p->at[to].word < 0;) to++;
    }
    hyp->words[hyp->n_words++] =
        make_word(p, times, end, p->at[i].word, from, to);
  }
}

sn_status sni_hyp_make(const sn_graph *g, const sni_trace *trace,
                       const sni_times *times, const sni_path_end *end,
                       sn_hyp *out, sn_err *err) {
  path p = {0};
  SN_TRY(collect_path(trace, end, &p, err));
  out->words = sn_calloc(p.n, sizeof *out->words);
  out->phones = sn_calloc(p.n, sizeof *out->phones);
  if (out->words == NULL || out->phones == NULL) {
    sn_hyp_clear(out);
    sn_free(p.at);
    return sn_fail_nomem(err, "decoder: answer");
  }
  fill(g, &p, times, end, out);
  for (size_t i = 0; i <= p.n; i++) out->graph_cost += (double)p.at[i].graph;
  out->acoustic_cost = (end->total - out->graph_cost) / end->acoustic_scale;
  out->n_frames = end->n_frames;
  sn_free(p.at);
  return SN_OK;
}

/* ---- Of a path through a lattice ---- */

/* Boundaries in order of time: phones that are entered, words where their arcs
 * begin. */
static sn_status collect_boundaries(const sn_graph *g, const sn_lat_path *in,
                                    path *p, sn_err *err) {
  const size_t n_frames = in->ali.n, n_words = in->words.n;
  p->at = sn_calloc(n_frames + n_words + 1, sizeof *p->at);
  if (p->at == NULL) return sn_fail_nomem(err, "decoder: answer");
  for (size_t f = 0, w = 0; f <= n_frames; f++) {
    for (; w < n_words && (size_t)in->begin.data[w] == f; w++)
      p->at[p->n++] = (sni_record){.prev = -1,
                                   .frame = (int32_t)f,
                                   .label = -1,
                                   .word = in->words.data[w] - 1};
    if (f == n_frames) break;
    const int32_t label = in->ali.data[f] / 2;
    if (in->ali.data[f] < 0 || label >= g->n_labels)
      return sn_fail(err, SN_EFORMAT,
                     "the lattice's alignment has label %d in frame %zu, the "
                     "graph has labels below %d",
                     (int)in->ali.data[f], f, (int)g->n_labels);
    const bool loops = in->ali.data[f] % 2 != 0;
    if (g->labels[label].is_entry && !loops)
      p->at[p->n++] = (sni_record){
          .prev = -1, .frame = (int32_t)f, .label = label, .word = -1};
  }
  p->at[p->n] = (sni_record){
      .prev = -1, .frame = (int32_t)n_frames, .label = -1, .word = -1};
  return SN_OK;
}

sn_status sni_hyp_of_path(const sn_graph *g, const sni_times *times,
                          const sn_lat_path *in, sn_hyp *out, sn_err *err) {
  const sni_path_end end = {.acoustic_scale = 1.0};
  path p = {0};
  memset(out, 0, sizeof *out);
  sn_status s = collect_boundaries(g, in, &p, err);
  if (s == SN_OK) {
    out->words = sn_calloc(p.n, sizeof *out->words);
    out->phones = sn_calloc(p.n, sizeof *out->phones);
    if (out->words == NULL || out->phones == NULL)
      s = sn_fail_nomem(err, "decoder: answer");
  }
  if (s == SN_OK) {
    fill(g, &p, times, &end, out);
    SN_ASSERT(out->n_words == in->words.n);
    for (size_t i = 0; i < out->n_words; i++) {
      out->words[i].graph_cost = in->word_graph.data[i];
      out->words[i].acoustic_cost = in->word_acoustic.data[i];
    }
    out->graph_cost = in->graph;
    out->acoustic_cost = in->acoustic;
    out->n_frames = (int64_t)in->ali.n;
  } else {
    sn_hyp_clear(out);
  }
  sn_free(p.at);
  return s;
}
