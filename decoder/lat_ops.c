/* SPDX-License-Identifier: Apache-2.0 */
/* Union, equality and drawing of lattices.
 *
 * Comparison of what deterministic lattices say (sn_lat_compare):
 *   1. begin with the pair of start states and a cost difference of 0;
 *   2. a pair (s, t) stands for all word sequences that lead to s in a and to t
 *      in b. What follows is the same for all of them, so if the lattices are
 *      equal, then so is the difference of the costs so far: it is kept with
 *      the pair, and a second way to the pair must bring the same one;
 *   3. both or none of s and t are final; there the differences end at 0;
 *   4. s and t have arcs with the same words; those lead to the next pairs.
 * Each pair knows the one it came from, to tell the words of a difference. One
 * in costs is told when all pairs have been seen: then both lattices have the
 * same words, and any way to the end makes an example. */
#include "decoder/lat_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_det.h"
#include "decoder/lat_paths.h"

#define MAX_DET_ARCS 10000000

/* ---- Union ---- */

/* Frames of the complete paths; -1: not known. */
static sn_status n_frames_of(const sn_lat *l, int32_t *n, sn_err *err) {
  int32_t *const frames = sn_calloc((size_t)l->n_states, sizeof *frames);
  if (frames == NULL) return sn_fail_nomem(err, "lattice");
  if (l->n_states == 0 || sn_lat_times(l, frames, n, NULL) != SN_OK || *n == 0)
    *n = -1;
  sn_free(frames);
  return SN_OK;
}

static sn_status add_lattice(sn_lat_builder *b, const sn_lat *l, sn_err *err) {
  int32_t base = 0, id = 0;
  for (int32_t s = 0; s < l->n_states; s++) {
    SN_TRY(sn_lat_builder_state(b, &id, err));
    if (s == 0) base = id;
  }
  SN_TRY(sn_lat_builder_arc(b, 0, base, 0, 0.0f, 0.0f, NULL, 0, err));
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const x = &l->states[s];
    for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      SN_TRY(sn_lat_builder_arc(b, base + s, base + a->next, a->word, a->graph,
                                a->acoustic, l->ali + a->first_ali, a->n_ali,
                                err));
    }
    if (isfinite(x->final_graph))
      SN_TRY(sn_lat_builder_final(b, base + s, x->final_graph,
                                  x->final_acoustic, l->ali + x->first_ali,
                                  x->n_ali, err));
  }
  return SN_OK;
}

static sn_status unite(const sn_lat *const *in, size_t n, sn_lat_builder *b,
                       sn_lat *out, sn_err *err) {
  int32_t start = 0, n_frames = -1;
  SN_TRY(sn_lat_builder_state(b, &start, err));
  for (size_t i = 0; i < n; i++) {
    int32_t frames = -1;
    if (in[i]->n_states == 0) continue;
    SN_TRY(n_frames_of(in[i], &frames, err));
    if (frames >= 0 && n_frames >= 0 && frames != n_frames)
      return sn_fail(err, SN_EMISMATCH,
                     "lattices of %d and %d frames are not of one utterance",
                     n_frames, frames);
    if (frames >= 0) n_frames = frames;
    SN_TRY(add_lattice(b, in[i], err));
  }
  return sn_lat_builder_take(b, start, out, err);
}

sn_status sn_lat_union(const sn_lat *const *in, size_t n, sn_lat *out,
                       sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_lat_builder *b = NULL;
  SN_TRY(sn_lat_builder_create(&b, err));
  const sn_status s = unite(in, n, b, out, err);
  sn_lat_builder_destroy(b);
  return s;
}

/* ---- Equality of structure ---- */

/* An arc with what sorting needs. */
typedef struct full_arc {
  sn_lat_arc arc;
  const int32_t *ali;
} full_arc;

static int by_content(const void *a, const void *b) {
  const full_arc *const x = a, *const y = b;
  const sn_lat_arc *const p = &x->arc, *const q = &y->arc;
  if (p->word != q->word) return p->word < q->word ? -1 : 1;
  if (p->n_ali != q->n_ali) return p->n_ali < q->n_ali ? -1 : 1;
  for (uint32_t i = 0; i < p->n_ali; i++)
    if (x->ali[i] != y->ali[i]) return x->ali[i] < y->ali[i] ? -1 : 1;
  if (p->graph != q->graph) return p->graph < q->graph ? -1 : 1;
  if (p->acoustic != q->acoustic) return p->acoustic < q->acoustic ? -1 : 1;
  return 0;
}

typedef SN_ARR(full_arc) full_arcs;

static sn_status sorted_arcs(const sn_lat *l, int32_t s, full_arcs *out,
                             sn_err *err) {
  out->n = 0;
  for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
       i++) {
    const full_arc x = {l->arcs[i], l->ali + l->arcs[i].first_ali};
    SN_TRY(SN_ARR_PUSH(out, x, err));
  }
  if (out->n > 1) qsort(out->data, out->n, sizeof *out->data, by_content);
  return SN_OK;
}

static bool near(float a, float b, double tolerance) {
  return a == b || fabs((double)a - (double)b) <= tolerance;
}

static bool same_final(const sn_lat *a, const sn_lat_state *x, const sn_lat *b,
                       const sn_lat_state *y, double tolerance) {
  if (isinf(x->final_graph) || isinf(y->final_graph))
    return isinf(x->final_graph) && isinf(y->final_graph);
  return near(x->final_graph, y->final_graph, tolerance) &&
         near(x->final_acoustic, y->final_acoustic, tolerance) &&
         x->n_ali == y->n_ali &&
         (x->n_ali == 0 || memcmp(a->ali + x->first_ali, b->ali + y->first_ali,
                                  x->n_ali * sizeof *a->ali) == 0);
}

static bool same_arc(const full_arc *x, const full_arc *y, double tolerance) {
  return x->arc.word == y->arc.word && x->arc.n_ali == y->arc.n_ali &&
         near(x->arc.graph, y->arc.graph, tolerance) &&
         near(x->arc.acoustic, y->arc.acoustic, tolerance) &&
         (x->arc.n_ali == 0 ||
          memcmp(x->ali, y->ali, x->arc.n_ali * sizeof *x->ali) == 0);
}

/* to[s], from[t]: the partner of each state, -1 where not known yet. States
 * come in topological order, so each has its partner before its turn. */
static sn_status match(const sn_lat *a, const sn_lat *b, double tolerance,
                       int32_t *to, int32_t *from, bool *equal, sn_err *err) {
  full_arcs x = {0}, y = {0};
  sn_status st = SN_OK;
  bool same = true;
  to[0] = from[0] = 0;
  for (int32_t s = 0; st == SN_OK && same && s < a->n_states; s++) {
    const int32_t t = to[s];
    if (t < 0) continue; /* not reached; trimmed lattices have none */
    same = same_final(a, &a->states[s], b, &b->states[t], tolerance);
    st = sorted_arcs(a, s, &x, err);
    if (st == SN_OK) st = sorted_arcs(b, t, &y, err);
    same = same && st == SN_OK && x.n == y.n;
    for (size_t i = 0; same && i < x.n; i++) {
      const int32_t p = x.data[i].arc.next, q = y.data[i].arc.next;
      same = same_arc(&x.data[i], &y.data[i], tolerance) &&
             (to[p] == q || to[p] < 0) && (from[q] == p || from[q] < 0);
      to[p] = q;
      from[q] = p;
    }
  }
  SN_ARR_FREE(&x);
  SN_ARR_FREE(&y);
  *equal = same;
  return st;
}

sn_status sn_lat_equal(const sn_lat *a, const sn_lat *b, double tolerance,
                       bool *equal, sn_err *err) {
  *equal = a->n_states == b->n_states && a->n_arcs == b->n_arcs;
  if (!*equal || a->n_states == 0) return SN_OK;
  const size_t n = (size_t)a->n_states;
  int32_t *const to = sn_calloc(n, sizeof *to);
  int32_t *const from = sn_calloc(n, sizeof *from);
  sn_status s = to && from ? SN_OK : sn_fail_nomem(err, "comparison");
  if (s == SN_OK) {
    for (size_t i = 0; i < n; i++) to[i] = from[i] = -1;
    s = match(a, b, tolerance, to, from, equal, err);
  }
  sn_free(to);
  sn_free(from);
  return s;
}

/* ---- Equality of what is said ---- */

void sn_lat_diff_clear(sn_lat_diff *d) {
  SN_ARR_FREE(&d->words);
  memset(d, 0, sizeof *d);
}

typedef struct pair {
  int32_t a, b;
  int32_t parent, word; /* -1, 0: the first */
  double graph, acoustic;
} pair;

/* Two ways to a pair that differ in their difference: the pair's own, and the
 * one by `word` from `parent`. */
typedef struct conflict {
  bool found;
  int32_t pair, parent, word;
} conflict;

typedef struct comparison {
  const sn_lat *a, *b;
  double tolerance;
  conflict conflict; /* the first */
  SN_ARR(pair) pairs;
  int32_t *slots; /* [size], a power of two; 0: free, else pair + 1 */
  size_t size;
  sn_lat_diff *out;
} comparison;

static size_t hash_pair(int32_t a, int32_t b, size_t size) {
  const uint64_t x = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
  return (size_t)((x * 0x9E3779B97F4A7C15u) >> 20) & (size - 1);
}

static sn_status grow(comparison *c, sn_err *err) {
  const size_t size = c->size > 0 ? 2 * c->size : 256;
  int32_t *const slots = sn_calloc(size, sizeof *slots);
  if (slots == NULL) return sn_fail_nomem(err, "comparison");
  for (size_t i = 0; i < c->pairs.n; i++) {
    size_t h = hash_pair(c->pairs.data[i].a, c->pairs.data[i].b, size);
    while (slots[h] != 0) h = (h + 1) & (size - 1);
    slots[h] = (int32_t)i + 1;
  }
  sn_free(c->slots);
  c->slots = slots;
  c->size = size;
  return SN_OK;
}

/* Words that lead to a pair, then `word`. */
static sn_status words_to(comparison *c, int32_t at, int32_t word,
                          sn_err *err) {
  sn_arr_i32 *const w = &c->out->words;
  w->n = 0;
  if (word != 0) SN_TRY(SN_ARR_PUSH(w, word, err));
  for (int32_t p = at; p > 0; p = c->pairs.data[p].parent)
    SN_TRY(SN_ARR_PUSH(w, c->pairs.data[p].word, err));
  for (size_t i = 0; i < w->n / 2; i++) {
    const int32_t t = w->data[i];
    w->data[i] = w->data[w->n - 1 - i];
    w->data[w->n - 1 - i] = t;
  }
  return SN_OK;
}

/* Adds the words of some way from state s of l to the end. */
static sn_status words_from(comparison *c, const sn_lat *l, int32_t s,
                            sn_err *err) {
  while (isinf(l->states[s].final_graph)) {
    const sn_lat_arc *const a = &l->arcs[l->states[s].first_arc];
    SN_TRY(SN_ARR_PUSH(&c->out->words, a->word, err));
    s = a->next;
  }
  return SN_OK;
}

static bool within(const comparison *c, double graph, double acoustic) {
  return fabs(graph) <= c->tolerance && fabs(acoustic) <= c->tolerance;
}

/* 2: a way to the pair (a, b) with this difference of costs. */
static sn_status reach(comparison *c, const pair *x, sn_err *err) {
  if (2 * (c->pairs.n + 1) > c->size) SN_TRY(grow(c, err));
  size_t h = hash_pair(x->a, x->b, c->size);
  for (; c->slots[h] != 0; h = (h + 1) & (c->size - 1)) {
    const pair *const y = &c->pairs.data[c->slots[h] - 1];
    if (y->a != x->a || y->b != x->b) continue;
    if (!c->conflict.found &&
        !within(c, x->graph - y->graph, x->acoustic - y->acoustic))
      c->conflict = (conflict){true, c->slots[h] - 1, x->parent, x->word};
    return SN_OK;
  }
  if (c->pairs.n >= INT32_MAX / 2)
    return sn_fail(err, SN_ELIMIT, "comparison: too many pairs of states");
  SN_TRY(SN_ARR_PUSH(&c->pairs, *x, err));
  c->slots[h] = (int32_t)c->pairs.n;
  return SN_OK;
}

/* 3: the ends. */
static sn_status compare_finals(comparison *c, int32_t at, sn_err *err) {
  const pair x = c->pairs.data[at];
  const sn_lat_state *const s = &c->a->states[x.a], *const t =
                                                        &c->b->states[x.b];
  const bool in_a = isfinite(s->final_graph), in_b = isfinite(t->final_graph);
  if (!in_a && !in_b) return SN_OK;
  if (in_a != in_b) {
    c->out->kind = in_a ? SN_LAT_ONLY_FIRST : SN_LAT_ONLY_SECOND;
    return words_to(c, at, 0, err);
  }
  const double graph =
      x.graph + (double)s->final_graph - (double)t->final_graph;
  const double acoustic =
      x.acoustic + (double)s->final_acoustic - (double)t->final_acoustic;
  if (!c->conflict.found && !within(c, graph, acoustic))
    c->conflict = (conflict){true, at, -1, 0};
  return SN_OK;
}

static sn_status only_in(comparison *c, bool first, int32_t at,
                         const sn_lat_arc *arc, sn_err *err) {
  c->out->kind = first ? SN_LAT_ONLY_FIRST : SN_LAT_ONLY_SECOND;
  SN_TRY(words_to(c, at, arc->word, err));
  return words_from(c, first ? c->a : c->b, arc->next, err);
}

/* 4: the arcs. */
static sn_status compare_arcs(comparison *c, int32_t at, full_arcs *p,
                              full_arcs *q, sn_err *err) {
  const pair x = c->pairs.data[at];
  SN_TRY(sorted_arcs(c->a, x.a, p, err));
  SN_TRY(sorted_arcs(c->b, x.b, q, err));
  for (size_t i = 0; i < p->n || i < q->n; i++) {
    const sn_lat_arc *const s = i < p->n ? &p->data[i].arc : NULL;
    const sn_lat_arc *const t = i < q->n ? &q->data[i].arc : NULL;
    if (s == NULL || t == NULL || s->word != t->word) {
      const bool first = t == NULL || (s != NULL && s->word < t->word);
      return only_in(c, first, at, first ? s : t, err);
    }
    const pair next = {s->next,
                       t->next,
                       at,
                       s->word,
                       x.graph + (double)s->graph - (double)t->graph,
                       x.acoustic + (double)s->acoustic - (double)t->acoustic};
    SN_TRY(reach(c, &next, err));
    if (c->out->kind != SN_LAT_SAME) return SN_OK;
  }
  return SN_OK;
}

/* Adds the costs of c->out->words in a deterministic lattice that has them. */
static void add_costs(const comparison *c, const sn_lat *l, double sign) {
  int32_t at = 0;
  for (size_t i = 0; i < c->out->words.n; i++) {
    uint32_t k = l->states[at].first_arc;
    while (l->arcs[k].word != c->out->words.data[i]) k++;
    c->out->graph += sign * (double)l->arcs[k].graph;
    c->out->acoustic += sign * (double)l->arcs[k].acoustic;
    at = l->arcs[k].next;
  }
  c->out->graph += sign * (double)l->states[at].final_graph;
  c->out->acoustic += sign * (double)l->states[at].final_acoustic;
}

/* Both lattices have the same words: of the two ways to the pair, at least one
 * has different costs at the end. */
static sn_status tell_conflict(comparison *c, sn_err *err) {
  const conflict *const x = &c->conflict;
  c->out->kind = SN_LAT_COSTS;
  for (int way = x->parent < 0 ? 1 : 0; way < 2; way++) {
    SN_TRY(way == 0 ? words_to(c, x->parent, x->word, err)
                    : words_to(c, x->pair, 0, err));
    SN_TRY(words_from(c, c->a, c->pairs.data[x->pair].a, err));
    c->out->graph = c->out->acoustic = 0.0;
    add_costs(c, c->a, 1.0);
    add_costs(c, c->b, -1.0);
    if (!within(c, c->out->graph, c->out->acoustic)) break;
  }
  return SN_OK;
}

static sn_status compare_all(comparison *c, sn_err *err) {
  full_arcs p = {0}, q = {0};
  const pair first = {0, 0, -1, 0, 0.0, 0.0};
  sn_status s = reach(c, &first, err);
  for (size_t i = 0;
       s == SN_OK && c->out->kind == SN_LAT_SAME && i < c->pairs.n; i++) {
    s = compare_finals(c, (int32_t)i, err);
    if (s == SN_OK && c->out->kind == SN_LAT_SAME)
      s = compare_arcs(c, (int32_t)i, &p, &q, err);
  }
  SN_ARR_FREE(&p);
  SN_ARR_FREE(&q);
  if (s == SN_OK && c->out->kind == SN_LAT_SAME && c->conflict.found)
    s = tell_conflict(c, err);
  return s;
}

/* l itself, or its determinised form in *own. */
static sn_status deterministic(const sn_lat *l, const sn_lat_scales *k,
                               sn_lat *own, const sn_lat **out, sn_err *err) {
  *out = l;
  if (sn_lat_is_deterministic(l)) return SN_OK;
  const sn_lat_det_opts opts = {1e9, MAX_DET_ARCS, 1e9};
  sn_lat_det_stats stats;
  SN_TRY(sn_lat_determinize(l, k, &opts, own, &stats, err));
  *out = own;
  if (stats.beam >= opts.beam) return SN_OK;
  return sn_fail(err, SN_ELIMIT,
                 "comparison: the determinised lattice has more than %d arcs; "
                 "prune it first",
                 MAX_DET_ARCS);
}

sn_status sn_lat_compare(const sn_lat *a, const sn_lat *b,
                         const sn_lat_scales *scales, double tolerance,
                         sn_lat_diff *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_lat own_a = {0}, own_b = {0};
  comparison c = {.tolerance = tolerance, .out = out};
  sn_status s = deterministic(a, scales, &own_a, &c.a, err);
  if (s == SN_OK) s = deterministic(b, scales, &own_b, &c.b, err);
  if (s == SN_OK && (c.a->n_states == 0 || c.b->n_states == 0)) {
    if (c.a->n_states > 0 || c.b->n_states > 0) {
      const bool first = c.a->n_states > 0;
      out->kind = first ? SN_LAT_ONLY_FIRST : SN_LAT_ONLY_SECOND;
      s = words_from(&c, first ? c.a : c.b, 0, err);
    }
  } else if (s == SN_OK) {
    s = compare_all(&c, err);
  }
  SN_ARR_FREE(&c.pairs);
  sn_free(c.slots);
  sn_lat_clear(&own_a);
  sn_lat_clear(&own_b);
  if (s != SN_OK) sn_lat_diff_clear(out);
  return s;
}

/* ---- Drawing ---- */

/* Text inside double quotes. */
static sn_status add_quoted(sn_str *out, const char *text, sn_err *err) {
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\') SN_TRY(sn_str_add(out, "\\", 1, err));
    SN_TRY(sn_str_add(out, p, 1, err));
  }
  return SN_OK;
}

static sn_status draw_state(const sn_lat *l, int32_t s, const int32_t *frames,
                            double frame_s, sn_str *out, sn_err *err) {
  const sn_lat_state *const x = &l->states[s];
  SN_TRY(sn_str_addf(out, err, "  %d [label=\"%d", s, s));
  if (frames != NULL)
    SN_TRY(sn_str_addf(out, err, "\\n%.2f s", frames[s] * frame_s));
  if (isfinite(x->final_graph) &&
      (x->final_graph != 0.0f || x->final_acoustic != 0.0f))
    SN_TRY(sn_str_addf(out, err, "\\n%.3g + %.4g", (double)x->final_graph,
                       (double)x->final_acoustic));
  return sn_str_addf(out, err, "\"%s%s];\n",
                     isfinite(x->final_graph) ? ", shape=doublecircle" : "",
                     s == 0 ? ", style=bold" : "");
}

static sn_status draw_arc(int32_t from, const sn_lat_arc *a, double posterior,
                          const sn_lat_words *words, sn_str *out, sn_err *err) {
  SN_TRY(sn_str_addf(out, err, "  %d -> %d [label=\"", from, a->next));
  const char *const text =
      words != NULL ? sn_lat_words_get(words, a->word) : NULL;
  if (a->word == 0)
    SN_TRY(sn_str_adds(out, "-", err));
  else if (text != NULL)
    SN_TRY(add_quoted(out, text, err));
  else
    SN_TRY(sn_str_addf(out, err, "%d", a->word));
  return sn_str_addf(out, err, "\\n%.3g + %.4g\\n%.3f\", penwidth=%.2f%s];\n",
                     (double)a->graph, (double)a->acoustic, posterior,
                     0.5 + 3.0 * fmin(posterior, 1.0),
                     a->word == 0 ? ", style=dashed" : "");
}

static sn_status draw(const sn_lat *l, const char *title,
                      const sn_lat_words *words, double frame_s,
                      const int32_t *frames, const double *posteriors,
                      sn_str *out, sn_err *err) {
  SN_TRY(sn_str_adds(out, "digraph \"", err));
  SN_TRY(add_quoted(out, title, err));
  SN_TRY(sn_str_adds(out,
                     "\" {\n  rankdir=LR;\n"
                     "  node [shape=circle, fontsize=10];\n"
                     "  edge [fontsize=10];\n",
                     err));
  for (int32_t s = 0; s < l->n_states; s++)
    SN_TRY(draw_state(l, s, frames, frame_s, out, err));
  for (int32_t s = 0; s < l->n_states; s++)
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++)
      SN_TRY(draw_arc(s, &l->arcs[i], posteriors[i], words, out, err));
  return sn_str_adds(out, "}\n", err);
}

sn_status sn_lat_draw(const sn_lat *l, const char *title,
                      const sn_lat_words *words, const sn_lat_draw_opts *opts,
                      sn_str *out, sn_err *err) {
  if (l->n_states > opts->max_states)
    return sn_fail(err, SN_ELIMIT,
                   "a lattice of %d states, above %d: prune it first, or raise "
                   "--max-states",
                   l->n_states, opts->max_states);
  int32_t n_frames = 0;
  double total = 0.0;
  int32_t *const frames = sn_calloc((size_t)l->n_states, sizeof *frames);
  double *const posteriors = sn_calloc((size_t)l->n_arcs, sizeof *posteriors);
  sn_status s =
      frames && posteriors ? SN_OK : sn_fail_nomem(err, "drawing of a lattice");
  if (s == SN_OK)
    s = sn_lat_posteriors(l, &opts->scales, posteriors, NULL, &total, err);
  if (s == SN_OK) {
    const bool timed =
        sn_lat_times(l, frames, &n_frames, NULL) == SN_OK && n_frames > 0;
    s = draw(l, title, words, opts->frame_s, timed ? frames : NULL, posteriors,
             out, err);
  }
  sn_free(frames);
  sn_free(posteriors);
  return s;
}
