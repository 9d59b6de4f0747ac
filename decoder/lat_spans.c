/* SPDX-License-Identifier: Apache-2.0 */
/* Where the words of a lattice's arcs are said.
 *
 * On a complete path the k-th word is said in its k-th segment: the k-th
 * sequence of phones from the beginning to the end of a word (lat_align.c). A
 * word's label and its segment may stand on different arcs. Let ahead(s) be the
 * number of segments that have begun before state s, less the number of words:
 * all paths to s that can go on in the same way have the same one, for at the
 * end words and segments are equally many.
 *
 *   1. The best way to each state and from it (Viterbi). Along the best way to
 *      a state: ahead, whether it stands within a word, the label before it.
 *   2. The word of an arc from s is the next one behind s. Where ahead(s) > 0,
 *      its segment may have begun: back along the best way to a state s' with
 *      ahead(s') <= 0, so that it is the m-th word behind s' and its segment
 * the (m - ahead(s'))-th that begins behind s'.
 *   3. From there on along that way, the arc, and the best way from it to the
 *      end: the segment is found, and its end.
 *
 * Step 2 goes back an arc or two; BACK_MAX bounds it in lattices whose words
 * and segments do not agree. */
#include "decoder/lat_spans.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_align_internal.h"
#include "decoder/lat_paths.h"

#define BACK_MAX 64

/* Along the best way to a state. */
typedef struct node {
  int32_t in, out; /* best arc into it and out of it; -1: none, or it is best
                      to end here */
  int32_t source;  /* of `in` */
  int32_t ahead;   /* step 1 */
  int32_t label;   /* of the frame before; -1: there is none */
  bool in_word;
} node;

typedef struct spans {
  const char *labels;
  size_t n_labels;
  bool tells_loops;
  const sn_lat *l;
  int32_t *frames; /* [n_states] */
  node *nodes;     /* [n_states] */
} spans;

void sn_lat_spans_clear(sn_lat_spans *x) {
  sn_free(x->begin);
  sn_free(x->end);
  sn_free(x->after);
  memset(x, 0, sizeof *x);
}

/* ---- Phones, frame by frame ---- */

/* What a frame does to the segments, after `label` and in or out of a word. */
static sni_boundary step(const spans *x, int32_t ali, int32_t *label,
                         bool *in_word) {
  const int32_t now = x->tells_loops ? ali / 2 : ali;
  const bool loops = x->tells_loops ? ali % 2 != 0 : now == *label;
  *label = now;
  return loops ? SNI_NO_BOUNDARY : sni_boundary_of(x->labels[now], in_word);
}

static bool labels_fit(const spans *x) {
  for (uint32_t i = 0; i < x->l->n_ali; i++) {
    const int32_t a = x->l->ali[i];
    if (a < 0 || (size_t)(x->tells_loops ? a / 2 : a) >= x->n_labels)
      return false;
  }
  return true;
}

/* ---- 1 ---- */

static double arc_cost(const sn_lat_arc *a, const sn_lat_scales *k) {
  return (double)a->graph * k->graph + (double)a->acoustic * k->acoustic +
         (a->word != 0 ? k->word_penalty : 0.0);
}

/* The best ways; of equals the arc that comes first. */
static void find_ways(spans *x, const sn_lat_scales *k, double *cost) {
  const sn_lat *const l = x->l;
  for (int32_t s = 0; s < l->n_states; s++)
    x->nodes[s] = (node){.in = -1, .out = -1, .source = -1, .label = -1};
  /* A stretch of a longer lattice may begin within a word, whose label is on
   * the stretch before: its phones begin no segment. Those of a word's
   * beginning do in any case. */
  x->nodes[0].in_word = sni_have_positions(x->labels);
  sn_lat_backward(l, k, true, cost);
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const at = &l->states[s];
    double least = isinf(at->final_graph)
                       ? HUGE_VAL
                       : (double)at->final_graph * k->graph +
                             (double)at->final_acoustic * k->acoustic;
    for (uint32_t i = at->first_arc; i < at[1].first_arc; i++) {
      const double c = cost[l->arcs[i].next] + arc_cost(&l->arcs[i], k);
      if (!(c < least)) continue;
      least = c;
      x->nodes[s].out = (int32_t)i;
    }
  }
  sn_lat_forward(l, k, true, cost);
  for (int32_t s = 0; s < l->n_states; s++)
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      node *const to = &x->nodes[a->next];
      if (to->in < 0 && cost[s] + arc_cost(a, k) <= cost[a->next]) {
        to->in = (int32_t)i;
        to->source = s;
      }
    }
}

static void walk_ways(spans *x) {
  const sn_lat *const l = x->l;
  for (int32_t s = 1; s < l->n_states; s++) {
    node *const to = &x->nodes[s];
    if (to->in < 0) continue;
    const sn_lat_arc *const a = &l->arcs[to->in];
    const node *const from = &x->nodes[to->source];
    to->ahead = from->ahead - (a->word != 0);
    to->label = from->label;
    to->in_word = from->in_word;
    for (uint32_t i = 0; i < a->n_ali; i++)
      to->ahead += step(x, l->ali[a->first_ali + i], &to->label,
                        &to->in_word) == SNI_BEGINS;
  }
}

/* ---- 2, 3 ---- */

/* A walk that looks for the beginning and the end of a segment. */
typedef struct walk {
  int32_t frame, label;
  bool in_word;
  int32_t to_go;      /* segments that begin until it is the one */
  int32_t begin, end; /* -1: not seen yet */
} walk;

static void walk_labels(const spans *x, walk *w, uint32_t first, uint32_t n) {
  for (uint32_t i = 0; i < n && w->end < 0; i++, w->frame++) {
    const sni_boundary b =
        step(x, x->l->ali[first + i], &w->label, &w->in_word);
    if (b != SNI_NO_BOUNDARY && w->begin >= 0) w->end = w->frame;
    if (b == SNI_BEGINS && --w->to_go == 0) w->begin = w->frame;
  }
}

/* The word of arc i from state s. False: no segment belongs to it. */
static bool find_word(const spans *x, int32_t s, uint32_t i, int32_t *begin,
                      int32_t *end) {
  int32_t back[BACK_MAX];
  int32_t n = 0, at = s, m = 1;
  while (x->nodes[at].ahead > 0) {
    if (n == BACK_MAX || x->nodes[at].in < 0) return false;
    back[n++] = x->nodes[at].in;
    m += x->l->arcs[x->nodes[at].in].word != 0;
    at = x->nodes[at].source;
  }
  walk w = {.frame = x->frames[at],
            .label = x->nodes[at].label,
            .in_word = x->nodes[at].in_word,
            .to_go = m - x->nodes[at].ahead,
            .begin = -1,
            .end = -1};
  const sn_lat_arc *a;
  while (n > 0) {
    a = &x->l->arcs[back[--n]];
    walk_labels(x, &w, a->first_ali, a->n_ali);
  }
  a = &x->l->arcs[i];
  for (;;) {
    walk_labels(x, &w, a->first_ali, a->n_ali);
    if (w.end >= 0 || x->nodes[a->next].out < 0) break;
    at = a->next;
    a = &x->l->arcs[x->nodes[at].out];
  }
  if (w.end < 0) {
    const sn_lat_state *const last = &x->l->states[a->next];
    walk_labels(x, &w, last->first_ali, last->n_ali);
  }
  *begin = w.begin;
  *end = w.end >= 0 ? w.end : w.frame;
  return w.begin >= 0;
}

static int32_t later(int32_t a, int32_t b) { return a > b ? a : b; }

static void fill(const spans *x, sn_lat_spans *out) {
  const sn_lat *const l = x->l;
  for (int32_t s = 0; s < l->n_states; s++) {
    const node *const here = &x->nodes[s];
    const int32_t before = here->in < 0 ? 0
                           : l->arcs[here->in].word != 0
                               ? out->end[here->in]
                               : out->after[here->source];
    out->after[s] = later(before, x->frames[s]);
    for (uint32_t i = l->states[s].first_arc; i < l->states[s + 1].first_arc;
         i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      if (a->word != 0 && find_word(x, s, i, &out->begin[i], &out->end[i]))
        continue;
      out->begin[i] = a->word != 0 ? x->frames[s] : out->after[s];
      out->end[i] = a->word != 0 ? x->frames[a->next]
                                 : later(out->after[s], x->frames[a->next]);
    }
  }
}

static sn_status allocate(const sn_lat *l, sn_lat_spans *out, int32_t **frames,
                          sn_err *err) {
  const size_t n = (size_t)l->n_states, n_arcs = (size_t)l->n_arcs;
  int32_t n_frames = 0;
  *frames = sn_calloc(n, sizeof **frames);
  out->begin = sn_calloc(n_arcs, sizeof *out->begin);
  out->end = sn_calloc(n_arcs, sizeof *out->end);
  out->after = sn_calloc(n, sizeof *out->after);
  if (!*frames || !out->begin || !out->end || !out->after)
    return sn_fail_nomem(err, "times of words");
  return sn_lat_times(l, *frames, &n_frames, err);
}

sn_status sn_lat_spans_of_arcs(const sn_lat *l, sn_lat_spans *out,
                               sn_err *err) {
  int32_t *frames = NULL;
  memset(out, 0, sizeof *out);
  const sn_status s = allocate(l, out, &frames, err);
  if (s != SN_OK) sn_lat_spans_clear(out);
  for (int32_t i = 0; s == SN_OK && i < l->n_states; i++) {
    out->after[i] = frames[i];
    for (uint32_t k = l->states[i].first_arc; k < l->states[i + 1].first_arc;
         k++) {
      out->begin[k] = frames[i];
      out->end[k] = frames[l->arcs[k].next];
    }
  }
  sn_free(frames);
  return s;
}

sn_status sn_lat_spans_make(const char *labels, bool tells_loops,
                            const sn_lat *l, const sn_lat_scales *k,
                            sn_lat_spans *out, bool *found, sn_err *err) {
  spans x = {.labels = labels,
             .n_labels = strlen(labels),
             .tells_loops = tells_loops,
             .l = l};
  const size_t n = (size_t)l->n_states;
  memset(out, 0, sizeof *out);
  *found = false;
  if (n == 0 || !labels_fit(&x)) return SN_OK;
  double *const cost = sn_calloc(n, sizeof *cost);
  x.nodes = sn_calloc(n, sizeof *x.nodes);
  sn_status s = cost != NULL && x.nodes != NULL
                    ? allocate(l, out, &x.frames, err)
                    : sn_fail_nomem(err, "times of words");
  if (s == SN_OK) {
    find_ways(&x, k, cost);
    walk_ways(&x);
    fill(&x, out);
    *found = true;
  } else {
    sn_lat_spans_clear(out);
  }
  sn_free(cost);
  sn_free(x.frames);
  sn_free(x.nodes);
  return s;
}
