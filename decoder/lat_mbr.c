/* SPDX-License-Identifier: Apache-2.0 */
/* Minimum Bayes risk by a recursion for the expected edit distance.
 *
 * R is the current answer, with a gap before, between and behind its words
 * (R has Q places, the odd ones gaps). For a state n of the lattice and a
 * place q, d(n, q) is the expected edit distance between the paths from the
 * start to n and the first q places of R. It satisfies a recursion over arcs,
 * as for strings, but averaged over the paths into n:
 *   d(arc, q) = min( d(from, q-1) + differ(word, R[q]),     match: 1
 *                    d(from, q)   + 1 + 1e-5 if word,       omit:  2
 *                    d(arc, q-1)  + 1 if R[q] )             skip:  3
 *   d(n, q)   = sum over arcs into n of P(arc | n) d(arc, q)
 * Going back through the choices with the posterior of each, every place
 * collects the probability of each word being aligned to it (gamma), and of
 * its times. The next R takes the likeliest word at each place. That lowers
 * the expected distance; it ends after a few rounds.
 *
 * Work is arcs x Q a round, memory states x Q. States are in topological
 * order, arcs are seen from their source here and gathered by target first. */
#include "decoder/lat_mbr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decoder/lat_paths.h"

/* Added where a word is passed over, so that of equal alignments the one that
 * uses more words is taken; Kaldi's value. */
#define OMIT_PENALTY 1e-5
#define MAX_ROUNDS 100
/* Expected distances that differ by less are equal: sums of some hundred
 * doubles near 10. Without it rounding would choose between alignments. */
#define TIE 1e-9

void sn_mbr_clear(sn_mbr *m) {
  SN_ARR_FREE(&m->bins);
  SN_ARR_FREE(&m->entries);
  SN_ARR_FREE(&m->words);
  SN_ARR_FREE(&m->bin_of);
  memset(m, 0, sizeof *m);
}

/* An arc by its target; final weights lead to one end node. */
typedef struct in_arc {
  int32_t from, word;
  double share; /* P(arc | target): its part of all paths into the target */
  double begin, end; /* frames in which its word is said */
} in_arc;

/* What place q may be: a list of words, each once. */
typedef struct place_word {
  int32_t place, word;
  double posterior, begin, end; /* times weighted by the posterior */
} place_word;

typedef struct mbr {
  int32_t n_nodes; /* states and one end node */
  int32_t *first;  /* [n_nodes + 1] in arcs, by target */
  in_arc *arcs;
  sn_arr_i32 r;               /* places 1..Q at index 0..Q-1 */
  double *d;                  /* [n_nodes x (Q + 1)] */
  double *weight;             /* [n_nodes x (Q + 1)] */
  double *arc_d, *arc_weight; /* [Q + 1] */
  unsigned char *choice;      /* [Q + 1] */
  SN_ARR(place_word) gamma;   /* grouped by place at the end */
  int32_t *heads;             /* lists: last entry of a place, [Q + 1] */
  sn_arr_i32 chain;           /* [gamma.n] the entry before it, same place */
} mbr;

static void mbr_free(mbr *m) {
  sn_free(m->first);
  sn_free(m->arcs);
  SN_ARR_FREE(&m->r);
  sn_free(m->d);
  sn_free(m->weight);
  sn_free(m->arc_d);
  sn_free(m->arc_weight);
  sn_free(m->choice);
  SN_ARR_FREE(&m->gamma);
  sn_free(m->heads);
  SN_ARR_FREE(&m->chain);
}

static double final_cost(const sn_lat_state *s, const sn_lat_scales *k) {
  return (double)s->final_graph * k->graph +
         (double)s->final_acoustic * k->acoustic;
}

/* Arc j from state i to `next`, or (j == n_arcs) the end of a path in i. */
static in_arc timed_arc(const sn_lat *l, const sn_lat_spans *spans,
                        const int32_t *frames, int32_t n_frames, int32_t i,
                        uint32_t j) {
  const bool is_end = j == (uint32_t)l->n_arcs;
  in_arc a = {.from = i,
              .word = is_end ? 0 : l->arcs[j].word,
              .begin = frames[i],
              .end = is_end ? n_frames : frames[l->arcs[j].next]};
  if (spans == NULL) return a;
  a.begin = is_end ? spans->after[i] : spans->begin[j];
  if (!is_end) a.end = spans->end[j];
  a.end = fmax(a.end, a.begin);
  return a;
}

/* Arcs by target, with their shares and times. */
static sn_status mbr_init(mbr *m, const sn_lat *l, const sn_lat_scales *k,
                          const sn_lat_spans *spans, sn_err *err) {
  const int32_t n = l->n_states, end = n;
  size_t n_arcs = (size_t)l->n_arcs;
  for (int32_t s = 0; s < n; s++)
    n_arcs += isfinite(l->states[s].final_graph) ? 1u : 0u;
  m->n_nodes = n + 1;
  m->first = sn_calloc((size_t)n + 2, sizeof *m->first);
  m->arcs = sn_calloc(n_arcs, sizeof *m->arcs);
  int32_t *const frames = sn_calloc((size_t)n + 1, sizeof *frames);
  double *const alpha = sn_calloc((size_t)n + 1, sizeof *alpha);
  int32_t *const at = sn_calloc((size_t)n + 2, sizeof *at);
  sn_status s = SN_OK;
  if (!m->first || !m->arcs || !frames || !alpha || !at)
    s = sn_fail_nomem(err, "minimum Bayes risk");
  int32_t n_frames = 0;
  if (s == SN_OK) s = sn_lat_times(l, frames, &n_frames, err);
  if (s == SN_OK) {
    sn_lat_forward(l, k, false, alpha);
    alpha[end] = HUGE_VAL;
    for (int32_t i = 0; i < n; i++) {
      const sn_lat_state *const x = &l->states[i];
      if (isinf(x->final_graph)) continue;
      m->first[end + 1]++;
      const double c = alpha[i] + final_cost(x, k);
      const double lo = fmin(alpha[end], c), hi = fmax(alpha[end], c);
      alpha[end] = isinf(hi) ? lo : lo - log1p(exp(lo - hi));
    }
    for (int32_t i = 0; i < l->n_arcs; i++) m->first[l->arcs[i].next + 1]++;
    for (int32_t i = 0; i <= end; i++) m->first[i + 1] += m->first[i];
    memcpy(at, m->first, ((size_t)n + 1) * sizeof *at);
    for (int32_t i = 0; i < n; i++) {
      const sn_lat_state *const x = &l->states[i];
      for (uint32_t j = x->first_arc; j < x[1].first_arc; j++) {
        const sn_lat_arc *const a = &l->arcs[j];
        const double c = (double)a->graph * k->graph +
                         (double)a->acoustic * k->acoustic +
                         (a->word != 0 ? k->word_penalty : 0.0);
        in_arc *const to = &m->arcs[at[a->next]++];
        *to = timed_arc(l, spans, frames, n_frames, i, j);
        to->share = exp(alpha[a->next] - alpha[i] - c);
      }
      if (isinf(x->final_graph)) continue;
      in_arc *const to = &m->arcs[at[end]++];
      *to = timed_arc(l, spans, frames, n_frames, i, (uint32_t)l->n_arcs);
      to->share = exp(alpha[end] - alpha[i] - final_cost(x, k));
    }
  }
  sn_free(frames);
  sn_free(alpha);
  sn_free(at);
  return s;
}

/* R with its gaps: words, the zeros taken out, a zero before each and at the
 * end. */
static sn_status set_places(mbr *m, const int32_t *words, size_t n,
                            sn_err *err) {
  m->r.n = 0;
  SN_TRY(SN_ARR_PUSH(&m->r, 0, err));
  for (size_t i = 0; i < n; i++) {
    if (words[i] == 0) continue;
    SN_TRY(SN_ARR_PUSH(&m->r, words[i], err));
    SN_TRY(SN_ARR_PUSH(&m->r, 0, err));
  }
  const size_t width = m->r.n + 1, cells = (size_t)m->n_nodes * width;
  sn_free(m->d);
  sn_free(m->weight);
  sn_free(m->arc_d);
  sn_free(m->arc_weight);
  sn_free(m->choice);
  sn_free(m->heads);
  m->d = sn_calloc(cells, sizeof *m->d);
  m->weight = sn_calloc(cells, sizeof *m->weight);
  m->arc_d = sn_calloc(width, sizeof *m->arc_d);
  m->arc_weight = sn_calloc(width, sizeof *m->arc_weight);
  m->choice = sn_calloc(width, sizeof *m->choice);
  m->heads = sn_calloc(width, sizeof *m->heads);
  if (!m->d || !m->weight || !m->arc_d || !m->arc_weight || !m->choice ||
      !m->heads)
    return sn_fail_nomem(err, "minimum Bayes risk");
  return SN_OK;
}

enum { MATCH = 1, OMIT = 2, SKIP = 3 };

/* d(arc, q) for all q, and the choices. */
static void arc_distances(mbr *m, const in_arc *a) {
  const size_t q_max = m->r.n;
  const double *const from = m->d + (size_t)a->from * (q_max + 1);
  const double omit = a->word != 0 ? 1.0 + OMIT_PENALTY : 0.0;
  m->arc_d[0] = from[0] + omit;
  for (size_t q = 1; q <= q_max; q++) {
    const int32_t r = m->r.data[q - 1];
    const double x1 = from[q - 1] + (a->word != r ? 1.0 : 0.0);
    const double x2 = from[q] + omit;
    const double x3 = m->arc_d[q - 1] + (r != 0 ? 1.0 : 0.0);
    if (x1 <= x2 + TIE && x1 <= x3 + TIE) {
      m->choice[q] = MATCH;
      m->arc_d[q] = x1;
    } else if (x2 <= x3 + TIE) {
      m->choice[q] = OMIT;
      m->arc_d[q] = x2;
    } else {
      m->choice[q] = SKIP;
      m->arc_d[q] = x3;
    }
  }
}

/* Fills d; returns the expected distance of R. */
static double distances(mbr *m) {
  const size_t width = m->r.n + 1;
  memset(m->d, 0, (size_t)m->n_nodes * width * sizeof *m->d);
  for (size_t q = 1; q < width; q++)
    m->d[q] = m->d[q - 1] + (m->r.data[q - 1] != 0 ? 1.0 : 0.0);
  for (int32_t n = 1; n < m->n_nodes; n++) {
    double *const to = m->d + (size_t)n * width;
    for (int32_t i = m->first[n]; i < m->first[n + 1]; i++) {
      arc_distances(m, &m->arcs[i]);
      for (size_t q = 0; q < width; q++)
        to[q] += m->arcs[i].share * m->arc_d[q];
    }
  }
  return m->d[(size_t)m->n_nodes * width - 1];
}

/* Adds to the word's entry at place q. */
static sn_status collect(mbr *m, size_t q, int32_t word, double p, double begin,
                         double end, sn_err *err) {
  int32_t i = m->heads[q] - 1;
  while (i >= 0 && m->gamma.data[i].word != word) i = m->chain.data[i];
  if (i < 0) {
    const place_word x = {(int32_t)q, word, 0.0, 0.0, 0.0};
    SN_TRY(SN_ARR_PUSH(&m->chain, m->heads[q] - 1, err));
    SN_TRY(SN_ARR_PUSH(&m->gamma, x, err));
    i = (int32_t)m->gamma.n - 1;
    m->heads[q] = i + 1;
  }
  place_word *const e = &m->gamma.data[i];
  e->posterior += p;
  e->begin += p * begin;
  e->end += p * end;
  return SN_OK;
}

/* Posteriors of all choices, from the end back to the start; fills gamma. */
static sn_status statistics(mbr *m, sn_err *err) {
  const size_t q_max = m->r.n, width = q_max + 1;
  m->gamma.n = m->chain.n = 0;
  memset(m->heads, 0, width * sizeof *m->heads);
  memset(m->weight, 0, (size_t)m->n_nodes * width * sizeof *m->weight);
  m->weight[(size_t)m->n_nodes * width - 1] = 1.0;
  for (int32_t n = m->n_nodes - 1; n >= 1; n--) {
    const double *const at = m->weight + (size_t)n * width;
    for (int32_t i = m->first[n]; i < m->first[n + 1]; i++) {
      const in_arc *const a = &m->arcs[i];
      double *const from = m->weight + (size_t)a->from * width;
      arc_distances(m, a);
      memset(m->arc_weight, 0, width * sizeof *m->arc_weight);
      for (size_t q = q_max; q >= 1; q--) {
        m->arc_weight[q] += a->share * at[q];
        const double p = m->arc_weight[q];
        if (p == 0.0) continue;
        if (m->choice[q] == MATCH) {
          from[q - 1] += p;
          SN_TRY(collect(m, q, a->word, p, a->begin, a->end, err));
        } else if (m->choice[q] == OMIT) {
          from[q] += p;
        } else {
          m->arc_weight[q - 1] += p;
          SN_TRY(collect(m, q, 0, p, a->end, a->end, err));
        }
      }
      from[0] += m->arc_weight[0] + a->share * at[0];
    }
  }
  double p = 0.0; /* what is left at the start skips the first places */
  for (size_t q = q_max; q >= 1; q--) {
    p += m->weight[q];
    if (p > 0.0) SN_TRY(collect(m, q, 0, p, 0.0, 0.0, err));
  }
  return SN_OK;
}

static int by_place(const void *a, const void *b) {
  const place_word *const x = a, *const y = b;
  if (x->place != y->place) return x->place < y->place ? -1 : 1;
  if (x->posterior != y->posterior) return x->posterior > y->posterior ? -1 : 1;
  return x->word < y->word ? -1 : x->word > y->word;
}

static sn_status fill_bins(mbr *m, sn_mbr *out, sn_err *err) {
  out->bins.n = out->entries.n = 0;
  for (size_t i = 0, q = 1; q <= m->r.n; q++) {
    sn_sausage_bin bin = {(uint32_t)out->entries.n, 0, 0.0, 0.0};
    for (; i < m->gamma.n && m->gamma.data[i].place == (int32_t)q; i++) {
      const place_word *const g = &m->gamma.data[i];
      const sn_sausage_entry e = {g->word, g->posterior};
      SN_TRY(SN_ARR_PUSH(&out->entries, e, err));
      bin.n++;
      bin.begin += g->begin;
      bin.end += g->end;
    }
    /* Expected times of neighbours may cross; they meet in the middle. */
    if (out->bins.n > 0) {
      sn_sausage_bin *const before = &out->bins.data[out->bins.n - 1];
      if (before->end > bin.begin)
        before->end = bin.begin = (before->end + bin.begin) / 2.0;
    }
    SN_TRY(SN_ARR_PUSH(&out->bins, bin, err));
  }
  /* Where three have crossed, what comes later gives way. */
  double last = 0.0;
  for (size_t i = 0; i < out->bins.n; i++) {
    sn_sausage_bin *const b = &out->bins.data[i];
    b->begin = fmax(b->begin, last);
    b->end = last = fmax(b->end, b->begin);
  }
  out->words.n = out->bin_of.n = 0;
  for (size_t q = 1; q <= m->r.n; q++) {
    if (m->r.data[q - 1] == 0) continue;
    SN_TRY(SN_ARR_PUSH(&out->words, m->r.data[q - 1], err));
    SN_TRY(SN_ARR_PUSH(&out->bin_of, (int32_t)q - 1, err));
  }
  return SN_OK;
}

/* The likeliest word of each place becomes R; *change is the posterior won. */
static void improve(mbr *m, double *change) {
  *change = 0.0;
  for (size_t i = 0; i < m->gamma.n; i++) {
    const place_word *const best = &m->gamma.data[i];
    double old = 0.0;
    size_t end = i;
    for (; end < m->gamma.n && m->gamma.data[end].place == best->place; end++)
      if (m->gamma.data[end].word == m->r.data[best->place - 1])
        old = m->gamma.data[end].posterior;
    if (best->posterior > old) {
      *change += best->posterior - old;
      m->r.data[best->place - 1] = best->word;
    }
    i = end - 1;
  }
}

static sn_status empty_network(sn_mbr *out, sn_err *err) {
  const sn_sausage_entry nothing = {0, 1.0};
  const sn_sausage_bin gap = {0, 1, 0.0, 0.0};
  SN_TRY(SN_ARR_PUSH(&out->entries, nothing, err));
  return SN_ARR_PUSH(&out->bins, gap, err);
}

/* Rounds from the places that are set until nothing changes. */
static sn_status iterate(mbr *m, bool update, sn_mbr *out, sn_err *err) {
  sn_arr_i32 words = {0};
  sn_status s = SN_OK;
  for (int round = 0;; round++) {
    double change = 0.0;
    out->risk = distances(m);
    s = statistics(m, err);
    if (s != SN_OK) break;
    if (m->gamma.n > 0)
      qsort(m->gamma.data, m->gamma.n, sizeof *m->gamma.data, by_place);
    if (update && round < MAX_ROUNDS) improve(m, &change);
    if (change == 0.0) {
      s = fill_bins(m, out, err);
      break;
    }
    s = SN_ARR_RESIZE(&words, m->r.n, err);
    if (s != SN_OK) break;
    memcpy(words.data, m->r.data, m->r.n * sizeof *words.data);
    s = set_places(m, words.data, words.n, err);
    if (s != SN_OK) break;
  }
  SN_ARR_FREE(&words);
  return s;
}

sn_status sn_lat_mbr(const sn_lat *l, const sn_lat_scales *k,
                     const sn_mbr_opts *opts, sn_mbr *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  mbr m = {0};
  sn_lat_path best = {0};
  const int32_t *words = opts->words;
  size_t n = opts->n_words;
  if (l->n_states == 0) {
    const sn_status empty = empty_network(out, err);
    if (empty != SN_OK) sn_mbr_clear(out);
    return empty;
  }
  sn_status s = mbr_init(&m, l, k, opts->spans, err);
  if (s == SN_OK && words == NULL) {
    s = sn_lat_best(l, k, &best, err);
    words = best.words.data;
    n = best.words.n;
  }
  if (s == SN_OK) s = set_places(&m, words, n, err);
  if (s == SN_OK) s = iterate(&m, opts->update, out, err);
  if (s != SN_OK) sn_mbr_clear(out);
  sn_lat_path_clear(&best);
  mbr_free(&m);
  return s;
}

/* ---- Oracle ---- */

void sn_lat_oracle_clear(sn_lat_oracle *o) {
  SN_ARR_FREE(&o->words);
  memset(o, 0, sizeof *o);
}

/* Best way to (state, place): errors first, then cost. */
typedef struct cell {
  int32_t errors;
  int32_t from; /* state it came from; -1: the start, -2: no way */
  uint32_t arc; /* that was taken; UINT32_MAX: none (a deletion) */
  int32_t q;    /* place it came from */
  double cost;
} cell;

static void offer(cell *to, int32_t errors, double cost, int32_t from,
                  uint32_t arc, int32_t q) {
  if (to->from == -2 || errors < to->errors ||
      (errors == to->errors && cost < to->cost))
    *to = (cell){errors, from, arc, q, cost};
}

sn_status sn_lat_find_oracle(const sn_lat *l, const sn_lat_scales *k,
                             const int32_t *reference, size_t n,
                             sn_lat_oracle *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  if (l->n_states == 0 || n >= INT32_MAX) {
    out->del = (int32_t)n;
    return n < INT32_MAX ? SN_OK : sn_fail(err, SN_ELIMIT, "oracle: reference");
  }
  const size_t width = n + 1;
  cell *const table = sn_calloc((size_t)l->n_states * width, sizeof *table);
  if (table == NULL) return sn_fail_nomem(err, "oracle");
  for (size_t i = 0; i < (size_t)l->n_states * width; i++) table[i].from = -2;
  table[0].from = -1;
  cell end = {.from = -2};
  int32_t end_state = -1;
  for (int32_t s = 0; s < l->n_states; s++) {
    cell *const row = table + (size_t)s * width;
    const sn_lat_state *const x = &l->states[s];
    for (size_t q = 0; q < width; q++) {
      if (row[q].from == -2) continue;
      if (q < n) /* a word of the reference that nobody said */
        offer(&row[q + 1], row[q].errors + 1, row[q].cost, s, UINT32_MAX,
              (int32_t)q);
      for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
        const sn_lat_arc *const a = &l->arcs[i];
        cell *const to = table + (size_t)a->next * width;
        const double c = row[q].cost + (double)a->graph * k->graph +
                         (double)a->acoustic * k->acoustic;
        const int32_t e = row[q].errors;
        offer(&to[q], e + (a->word != 0), c, s, i, (int32_t)q);
        if (q < n && a->word != 0)
          offer(&to[q + 1], e + (a->word != reference[q]), c, s, i, (int32_t)q);
      }
    }
    if (isfinite(x->final_graph) && row[n].from != -2 &&
        (end_state < 0 || row[n].errors < end.errors ||
         (row[n].errors == end.errors &&
          row[n].cost + final_cost(x, k) < end.cost))) {
      end = row[n];
      end.cost += final_cost(x, k);
      end_state = s;
    }
  }
  sn_status status = SN_OK;
  int32_t q = (int32_t)n;
  for (int32_t s = end_state; status == SN_OK && s >= 0;) {
    const cell *const c = &table[(size_t)s * width + (size_t)q];
    if (c->from < 0) break;
    if (c->arc == UINT32_MAX) {
      out->del++;
    } else {
      const int32_t word = l->arcs[c->arc].word;
      if (word != 0) status = SN_ARR_PUSH(&out->words, word, err);
      if (word != 0 && c->q == q) out->ins++;
      if (c->q < q && word != reference[c->q]) out->sub++;
    }
    s = c->from;
    q = c->q;
  }
  for (size_t i = 0, j = out->words.n; status == SN_OK && i + 1 < j--; i++) {
    const int32_t t = out->words.data[i];
    out->words.data[i] = out->words.data[j];
    out->words.data[j] = t;
  }
  sn_free(table);
  if (status != SN_OK) sn_lat_oracle_clear(out);
  return status;
}
