/* SPDX-License-Identifier: Apache-2.0 */
/* Lattices of the search against all paths of small graphs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "decoder/decoder.h"
#include "decoder/lat_paths.h"
#include "tests/decoder/toy.h"

enum { MAX_FRAMES = 8, MAX_WORDS = 12, MAX_SEQS = 1200 };

static void ok(sn_status s, const sn_err *err) {
  if (s != SN_OK) fail_msg("%s: %s", sn_status_name(s), err->msg);
}

/* ---- The reference: best cost of every word sequence ---- */

typedef struct seq {
  int n;
  int32_t words[MAX_WORDS];
  double total, graph, acoustic;
} seq;

/* All (state, words) after t frames, each with its best cost. */
typedef struct cell {
  int state;
  seq s;
} cell;

typedef struct cells {
  cell *list;
  int n;
  bool overflow; /* too many, or too long: the trial does not count */
} cells;

static int same_words(const seq *a, const seq *b) {
  return a->n == b->n &&
         memcmp(a->words, b->words, sizeof(int) * (size_t)a->n) == 0;
}

/* True where it was new or better. */
static bool offer(cells *c, int state, const seq *s) {
  for (int i = 0; i < c->n; i++)
    if (c->list[i].state == state && same_words(&c->list[i].s, s)) {
      if (!(s->total < c->list[i].s.total - 1e-12)) return false;
      c->list[i].s = *s;
      return true;
    }
  if (c->n == MAX_SEQS) {
    c->overflow = true;
    return false;
  }
  c->list[c->n].state = state;
  c->list[c->n++].s = *s;
  return true;
}

static bool extend(cells *c, const seq *s, int output, double graph,
                   double acoustic, double scale, seq *out) {
  *out = *s;
  out->graph += graph;
  out->acoustic += acoustic;
  out->total = out->graph + scale * out->acoustic;
  if (output > 0) {
    if (s->n == MAX_WORDS) {
      c->overflow = true;
      return false;
    }
    out->words[out->n++] = output;
  }
  return isfinite(out->total);
}

/* Epsilon arcs lead to higher states, so one pass in order of states ... but
 * cells come in any order: repeat until nothing changes. */
static void ref_close(const sn_graph *g, cells *c, double scale) {
  for (bool changed = true; changed && !c->overflow;) {
    changed = false;
    for (int i = 0; i < c->n; i++) {
      const int s = c->list[i].state;
      for (uint32_t a = g->states[s].first_eps; a < g->states[s + 1].first_eps;
           a++) {
        seq x;
        if (extend(c, &c->list[i].s, g->eps[a].output, (double)g->eps[a].cost,
                   0.0, scale, &x))
          changed |= offer(c, g->eps[a].next, &x);
      }
    }
  }
}

static void ref_frame(const sn_graph *g, const float *row, double scale,
                      const cells *from, cells *to) {
  to->n = 0;
  for (int i = 0; i < from->n && !to->overflow; i++) {
    const int s = from->list[i].state, l = g->states[s].label;
    seq x;
    if (l >= 0 &&
        extend(to, &from->list[i].s, 0, (double)g->labels[l].loop_cost,
               -(double)row[g->labels[l].pdf], scale, &x))
      (void)offer(to, s, &x);
    for (uint32_t a = g->states[s].first_emit; a < g->states[s + 1].first_emit;
         a++) {
      const sn_graph_arc *const arc = &g->emit[a];
      if (extend(to, &from->list[i].s, arc->output, (double)arc->cost,
                 -(double)row[g->labels[arc->label].pdf], scale, &x))
        (void)offer(to, arc->next, &x);
    }
  }
  ref_close(g, to, scale);
}

/* Sequences of complete paths (into *seqs, any order). False: too many. */
static bool ref_sequences(const sn_graph *g, const float *rows, int n,
                          double scale, bool final, cells *a, cells *b,
                          cells *seqs) {
  a->n = b->n = seqs->n = 0;
  a->overflow = b->overflow = seqs->overflow = false;
  const seq empty = {0};
  (void)offer(a, g->start, &empty);
  ref_close(g, a, scale);
  for (int t = 0; t < n; t++) {
    ref_frame(g, rows + t * g->n_pdfs, scale, a, b);
    if (a->overflow || b->overflow) return false;
    cell *const x = a->list;
    a->list = b->list;
    b->list = x;
    a->n = b->n;
  }
  bool by_final = false;
  for (int i = 0; i < a->n; i++)
    by_final |= final && g->states[a->list[i].state].final_cost < INFINITY;
  for (int i = 0; i < a->n; i++) {
    seq x;
    const double f =
        by_final ? (double)g->states[a->list[i].state].final_cost : 0.0;
    if (extend(seqs, &a->list[i].s, 0, f, 0.0, scale, &x))
      (void)offer(seqs, 0, &x);
  }
  return !seqs->overflow && !a->overflow;
}

/* ---- Comparison ---- */

typedef struct bench {
  cells a, b, seqs;
} bench;

static int set_up(void **state) {
  bench *const x = calloc(1, sizeof *x);
  assert_non_null(x);
  x->a.list = malloc(sizeof(cell) * MAX_SEQS);
  x->b.list = malloc(sizeof(cell) * MAX_SEQS);
  x->seqs.list = malloc(sizeof(cell) * MAX_SEQS);
  assert_true(x->a.list && x->b.list && x->seqs.list);
  *state = x;
  return 0;
}

static int tear_down(void **state) {
  bench *const x = *state;
  free(x->a.list);
  free(x->b.list);
  free(x->seqs.list);
  free(x);
  return 0;
}

static sn_decoder_opts wide_opts(void) {
  sn_decoder_opts o;
  sn_opt_defaults(sn_decoder_opt_table, &o);
  o.beam = INFINITY;
  o.max_active = 1000000;
  o.min_active = 0;
  o.acoustic_scale = 0.5f;
  o.lattice_beam = 5.0f;
  o.lattice_stretch = 0;
  return o;
}

static sn_decoder *decode(const sn_graph *g, const float *rows, int n,
                          const sn_decoder_opts *o) {
  sn_decoder *d = NULL;
  sn_err err = {0};
  ok(sn_decoder_create(g, o, &d, &err), &err);
  ok(sn_decoder_start(d, &err), &err);
  toy_scorer sc = toy_scorer_make(rows, n > 0 ? n : 1, g->n_pdfs);
  sc.n_ready = n;
  ok(sn_decoder_advance(d, &sc.base, &err), &err);
  return d;
}

/* The alignment says which labels were heard: its acoustic cost must be that
 * of the scores, frame by frame. */
static void check_alignment(const sn_graph *g, const float *rows, int n,
                            const sn_lat_path *p, unsigned seed) {
  assert_int_equal(p->ali.n, n);
  double acoustic = 0.0;
  for (int t = 0; t < n; t++) {
    const int32_t l = p->ali.data[t] / 2;
    assert_true(l >= 0 && l < g->n_labels);
    acoustic -= (double)rows[t * g->n_pdfs + g->labels[l].pdf];
  }
  /* Floats near 60: 2^-24 * 64 * a few additions < 1e-4. */
  if (fabs(acoustic - p->acoustic) > 1e-4)
    fail_msg("seed %u: alignment costs %.9g, path %.9g", seed, acoustic,
             p->acoustic);
}

static bool words_equal(const int32_t *a, size_t n_a, const int32_t *b,
                        size_t n_b) {
  return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

static const seq *find_seq(const cells *seqs, const sn_lat_path *p) {
  for (int i = 0; i < seqs->n; i++) {
    const seq *const s = &seqs->list[i].s;
    if (words_equal(s->words, (size_t)s->n, p->words.data, p->words.n))
      return s;
  }
  return NULL;
}

static toy *random_acyclic(toy *t, sn_rng *r) {
  for (;;) {
    const sn_graph *const g = toy_random(t, r);
    bool acyclic = true;
    for (int s = 0; s < g->n_states; s++)
      for (uint32_t a = g->states[s].first_eps; a < g->states[s + 1].first_eps;
           a++)
        acyclic &= g->eps[a].next > s;
    if (acyclic) return t;
  }
}

/* Costs of both sides are sums of at most 40 floats below 100, and float
 * tokens: 2^-24 * 100 * 40 < 3e-4; residual costs of determinisation count as
 * equal within 1/1024 a word. */
static double tolerance(int n_words) { return 1e-3 + n_words / 1024.0; }

typedef struct counts {
  int n_seqs;
  int n_stretches; /* settled */
  int n_narrowed;  /* lattices with a beam below 5 */
  int n_cuts, n_cut_nodes;
} counts;

/* stretch: opts.lattice_stretch. */
static void compare(unsigned seed, int stretch, bench *x, counts *c) {
  sn_rng r;
  sn_rng_init(&r, seed);
  toy t;
  const sn_graph *const g = &random_acyclic(&t, &r)->g;
  float rows[MAX_FRAMES * 16];
  const int n = (int)sn_rng_below(&r, MAX_FRAMES);
  for (int i = 0; i < n * g->n_pdfs; i++)
    rows[i] = sn_rng_below(&r, 50) == 0 ? -INFINITY : toy_uniform(&r, -8, 0);
  const bool final = sn_rng_below(&r, 4) != 0;
  sn_decoder_opts o = wide_opts();
  o.lattice_stretch = stretch;
  const double scale = (double)o.acoustic_scale;
  if (!ref_sequences(g, rows, n, scale, final, &x->a, &x->b, &x->seqs)) return;
  double best = INFINITY;
  for (int i = 0; i < x->seqs.n; i++)
    if (x->seqs.list[i].s.total < best) best = x->seqs.list[i].s.total;

  int32_t ali_of[2 * TOY_MAX_LABELS];
  for (int i = 0; i < 2 * TOY_MAX_LABELS; i++) ali_of[i] = i;
  sn_decoder *const d = decode(g, rows, n, &o);
  sn_lat lat = {0};
  sn_err err = {0};
  sn_lat_det_stats stats;
  ok(sn_decoder_lattice(d, final, ali_of, NULL, &lat, &stats, &err), &err);
  const sn_decoder_stats search = sn_decoder_get_stats(d);
  c->n_stretches += (int)search.n_stretches;
  c->n_cuts += (int)search.n_cuts;
  c->n_cut_nodes += (int)search.n_cut_nodes;
  /* Where a cut was forced, a narrower beam is promised. */
  const double beam = fmin(5.0, stats.beam);
  if (stats.beam < 5.0) assert_true(stretch > 0);
  c->n_narrowed += stats.beam < 5.0;
  if (x->seqs.n == 0) {
    assert_int_equal(lat.n_states, 0);
  } else {
    assert_true(sn_lat_is_deterministic(&lat));
    const sn_lat_scales k = sn_decoder_scales(d);
    sn_lat_path *paths = NULL;
    size_t n_paths = 0;
    ok(sn_lat_nbest(&lat, &k, MAX_SEQS, &paths, &n_paths, &err), &err);
    int n_within = 0, n_sure = 0;
    for (size_t i = 0; i < n_paths; i++) {
      const seq *const s = find_seq(&x->seqs, &paths[i]);
      if (s == NULL) fail_msg("seed %u: a path that is none", seed);
      const double tol = tolerance(s->n);
      if (s->total < best + beam - tol) {
        /* Exactly its best cost. */
        if (fabs(s->total - paths[i].total) > tol)
          fail_msg("seed %u: cost %.9g, want %.9g", seed, paths[i].total,
                   s->total);
        if (fabs(s->graph - paths[i].graph) < tol)
          check_alignment(g, rows, n, &paths[i], seed);
        n_within++;
      } else if (paths[i].total < s->total - tol) {
        fail_msg("seed %u: cheaper than its sequence", seed);
      }
      for (size_t j = 0; j < i; j++)
        assert_false(words_equal(paths[j].words.data, paths[j].words.n,
                                 paths[i].words.data, paths[i].words.n));
    }
    for (int i = 0; i < x->seqs.n; i++)
      n_sure += x->seqs.list[i].s.total <
                best + beam - tolerance(x->seqs.list[i].s.n);
    if (n_within != n_sure)
      fail_msg("seed %u: %d of %d sequences", seed, n_within, n_sure);
    c->n_seqs += n_within;
    for (size_t i = 0; i < n_paths; i++) sn_lat_path_clear(&paths[i]);
    sn_free(paths);
  }
  sn_lat_clear(&lat);
  sn_decoder_destroy(d);
}

static void test_every_sequence_is_there_once_at_its_best_cost(void **state) {
  counts c = {0};
  for (unsigned seed = 1; seed <= 1000; seed++) compare(seed, 0, *state, &c);
  assert_true(c.n_seqs > 3500);
  assert_int_equal(c.n_stretches, 0);
}

static void test_stretches_in_a_row_have_every_sequence_once_too(void **state) {
  counts c = {0};
  for (unsigned seed = 1; seed <= 1000; seed++)
    compare(seed, 1 + (int)(seed % 2), *state, &c);
  print_message("%d sequences, %d stretches, %d lattices narrowed\n", c.n_seqs,
                c.n_stretches, c.n_narrowed);
  assert_true(c.n_narrowed > 30);
  assert_true(c.n_seqs > 2500);
  assert_true(c.n_stretches > 150);
}

/* Stretches so long that none has to end where paths do not meet, but cut
 * nevertheless, mostly at several nodes: nothing at all may be lost. */
static void test_cuts_of_several_nodes_lose_nothing(void **state) {
  counts c = {0};
  for (unsigned seed = 1; seed <= 3000; seed++)
    compare(seed, 3 + (int)(seed % 2), *state, &c);
  print_message("%d sequences, %d cuts, %d nodes at them\n", c.n_seqs, c.n_cuts,
                c.n_cut_nodes);
  assert_int_equal(c.n_narrowed, 0);
  assert_true(c.n_seqs > 10000);
  assert_true(c.n_cuts > 700);
  assert_true(c.n_cut_nodes > 2 * c.n_cuts);
}

static void test_lattices_do_not_change_the_best_path(void **state) {
  (void)state;
  for (unsigned seed = 1; seed <= 500; seed++) {
    sn_rng r;
    sn_rng_init(&r, seed);
    toy t;
    const sn_graph *const g = toy_random(&t, &r);
    float rows[60 * 16];
    for (int i = 0; i < 60 * g->n_pdfs; i++) rows[i] = toy_uniform(&r, -8, 0);
    sn_decoder_opts o = wide_opts();
    o.beam = toy_uniform(&r, 0.5, 12);
    sn_decoder *const with = decode(g, rows, 60, &o);
    o.lattice_beam = 0;
    sn_decoder *const without = decode(g, rows, 60, &o);
    sn_hyp a, b;
    sn_err err = {0};
    ok(sn_decoder_best(with, true, &a, &err), &err);
    ok(sn_decoder_best(without, true, &b, &err), &err);
    assert_memory_equal(&a.graph_cost, &b.graph_cost, sizeof(double));
    assert_memory_equal(&a.acoustic_cost, &b.acoustic_cost, sizeof(double));
    assert_int_equal(a.n_words, b.n_words);
    for (size_t i = 0; i < a.n_words; i++)
      assert_memory_equal(&a.words[i], &b.words[i], sizeof a.words[i]);
    sn_hyp_clear(&a);
    sn_hyp_clear(&b);
    sn_decoder_destroy(with);
    sn_decoder_destroy(without);
  }
}

static void random_rows(sn_rng *r, float *rows, int n) {
  for (int i = 0; i < n; i++) rows[i] = toy_uniform(r, -8, 0);
}

/* Words 1 .. n, each a single state, at any time. */
static const sn_graph *loop_graph(toy *t, int n_words) {
  toy_init(t, n_words + 1, n_words, n_words);
  for (int w = 0; w < n_words; w++) {
    const int l = toy_label(t, w, 0.2f, w, 0, 3, false, true);
    toy_arc(t, 0, w + 1, l, w + 1, 1.0f);
    toy_arc(t, w + 1, 0, -1, 0, 0.0f);
  }
  t->states[0].final_cost = 0;
  return toy_finish(t);
}

static sn_lat raw_lattice(const sn_graph *g, const float *rows, int n,
                          float lattice_beam) {
  sn_decoder_opts o = wide_opts();
  o.lattice_beam = lattice_beam;
  o.beam = 20;
  sn_decoder *const d = decode(g, rows, n, &o);
  sn_lat lat;
  sn_err err = {0};
  ok(sn_decoder_raw_lattice(d, true, NULL, &lat, &err), &err);
  sn_decoder_destroy(d);
  return lat;
}

static sn_lat word_lattice(const sn_graph *g, const float *rows, int n,
                           const sn_decoder_opts *o, sn_lat_det_stats *stats,
                           sn_decoder_stats *search) {
  /* Some random graphs have more sequences than there is time for. */
  const sn_lat_det_opts few = {0.0, 20000, 2e4};
  sn_decoder *const d = decode(g, rows, n, o);
  sn_lat lat;
  sn_err err = {0};
  ok(sn_decoder_lattice(d, true, NULL, &few, &lat, stats, &err), &err);
  *search = sn_decoder_get_stats(d);
  sn_decoder_destroy(d);
  return lat;
}

/* Costs: sums of 300 floats below 10 on both sides, 300 * 2^-24 * 3000 < 0.06
 * at worst, in fact below 1e-2; residual costs count as equal within 1/1024. A
 * sequence may fall on either side of the beam by that: so each lattice, pruned
 * a little more, must be in the other. */
static void assert_same_within(const sn_lat *a, const sn_lat *b, double beam,
                               unsigned seed) {
  const sn_lat_scales k = {1.0, 1.0, 0.0};
  const double tol = 0.02;
  for (int round = 0; round < 2; round++) {
    sn_lat less;
    sn_lat_path *paths = NULL;
    size_t n = 0;
    sn_err err = {0};
    ok(sn_lat_prune(a, &k, beam - 2 * tol, &less, &err), &err);
    ok(sn_lat_nbest(&less, &k, 300, &paths, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
      sn_lat_path p;
      bool found = false;
      if (paths[i].total < paths[0].total + beam - 2 * tol) {
        ok(sn_lat_follow(b, &k, paths[i].words.data, paths[i].words.n, &p,
                         &found, &err),
           &err);
        if (!found || fabs(p.total - paths[i].total) > tol)
          fail_msg("seed %u: sequence %zu of %zu: %.9g, %.9g", seed, i, n,
                   paths[i].total, found ? p.total : (double)INFINITY);
        if (p.ali.n != paths[i].ali.n) fail_msg("seed %u: alignments", seed);
        sn_lat_path_clear(&p);
      }
      sn_lat_path_clear(&paths[i]);
    }
    sn_free(paths);
    sn_lat_clear(&less);
    const sn_lat *const t = a;
    a = b;
    b = t;
  }
}

static void test_stretches_say_what_the_whole_lattice_says(void **state) {
  (void)state;
  enum { N = 300 };
  size_t n_stretches = 0, n_with = 0;
  for (unsigned seed = 1; seed <= 60; seed++) {
    sn_rng r;
    sn_rng_init(&r, seed);
    toy t;
    const sn_graph *const g = &random_acyclic(&t, &r)->g;
    float rows[N * 16];
    for (int i = 0; i < N * g->n_pdfs; i++)
      rows[i] = 4.0f * toy_uniform(&r, -8, 0);
    sn_decoder_opts o = wide_opts();
    o.acoustic_scale = 1.0f;
    o.lattice_beam = 3.0f;
    o.beam = 30.0f;
    sn_lat_det_stats a, b;
    sn_decoder_stats search;
    o.lattice_stretch = 0;
    sn_lat whole = word_lattice(g, rows, N, &o, &a, &search);
    assert_int_equal(search.n_stretches, 0);
    if (a.beam < 3.0) {
      sn_lat_clear(&whole);
      continue;
    }
    o.lattice_stretch = 5 + (int)(seed % 60);
    sn_lat row = word_lattice(g, rows, N, &o, &b, &search);
    if (b.beam >= 3.0) {
      assert_true(sn_lat_is_deterministic(&row));
      assert_same_within(&whole, &row, 3.0, seed);
      n_stretches += search.n_stretches;
      n_with += search.n_stretches > 0;
    }
    sn_lat_clear(&whole);
    sn_lat_clear(&row);
  }
  print_message("%zu stretches in %zu lattices\n", n_stretches, n_with);
  assert_true(n_stretches > 150);
  assert_true(n_with > 10);
}

/* Any word may follow any other, and all sound much alike: no node is on all
 * paths. The best path stays, and what is kept does not grow with the audio. */
static void test_where_paths_never_meet_the_beam_is_narrowed(void **state) {
  (void)state;
  enum { N = 300, PDFS = 4 };
  toy t;
  toy_init(&t, PDFS + 1, PDFS, PDFS);
  for (int w = 0; w < PDFS; w++) {
    const int l = toy_label(&t, w, 0.5f, w, 0, 3, false, true);
    for (int from = 0; from <= PDFS; from++)
      toy_arc(&t, from, w + 1, l, w + 1, 1.0f);
    t.states[w + 1].final_cost = 0;
  }
  const sn_graph *const g = toy_finish(&t);
  sn_rng r;
  sn_rng_init(&r, 21);
  static float rows[N * PDFS];
  for (int i = 0; i < N * PDFS; i++) rows[i] = 2.0f * toy_uniform(&r, -1, 0);
  sn_decoder_opts o = wide_opts();
  o.acoustic_scale = 1.0f;
  o.beam = 20;
  o.lattice_beam = 1;
  o.lattice_stretch = 6;
  sn_lat_det_stats stats;
  sn_decoder_stats search;
  sn_lat lat = word_lattice(g, rows, N, &o, &stats, &search);
  sn_decoder *const d = decode(g, rows, N, &o);
  sn_hyp h;
  sn_lat_path p;
  const sn_lat_scales k = {1.0, 1.0, 0.0};
  assert_int_equal(sn_decoder_best(d, true, &h, NULL), SN_OK);
  assert_int_equal(sn_lat_best(&lat, &k, &p, NULL), SN_OK);
  assert_true(fabs(p.total - h.graph_cost - h.acoustic_cost) < 1e-2);
  assert_int_equal(p.words.n, h.n_words);
  for (size_t i = 0; i < h.n_words; i++)
    assert_int_equal(p.words.data[i], h.words[i].word + 1);
  assert_int_equal(p.ali.n, N);
  assert_true(stats.beam > 0.0 && stats.beam < 1.0);
  assert_true(search.n_stretches > 5);
  assert_true(search.links_peak < 1000); /* 20 a frame; 6,000 in all */
  assert_true(sn_lat_is_deterministic(&lat));
  sn_hyp_clear(&h);
  sn_lat_path_clear(&p);
  sn_lat_clear(&lat);
  sn_decoder_destroy(d);
}

/* A beam of 1000 prunes nothing; so what pruning every 25 frames leaves must be
 * what pruning the whole lattice once leaves. Costs near 100 in floats, over
 * 90 frames: 1e-3, so a path may fall on either side of the beam by that. */
static void test_pruning_as_it_goes_loses_nothing_else(void **state) {
  (void)state;
  int64_t n_arcs = 0, n_all = 0;
  for (unsigned seed = 1; seed <= 200; seed++) {
    sn_rng r;
    sn_rng_init(&r, seed);
    toy t;
    const sn_graph *const g = &random_acyclic(&t, &r)->g;
    float rows[90 * 16];
    random_rows(&r, rows, 90 * g->n_pdfs);
    const double beam = 1.5, slack = 1e-3;
    sn_lat got = raw_lattice(g, rows, 90, (float)beam);
    sn_lat all = raw_lattice(g, rows, 90, 1000.0f), less, more;
    const sn_lat_scales k = {1.0, 0.5, 0.0};
    sn_err err = {0};
    ok(sn_lat_prune(&all, &k, beam - slack, &less, &err), &err);
    ok(sn_lat_prune(&all, &k, beam + slack, &more, &err), &err);
    if (less.n_arcs > got.n_arcs || got.n_arcs > more.n_arcs ||
        less.n_states > got.n_states || got.n_states > more.n_states)
      fail_msg("seed %u: %d arcs, want %d to %d", seed, got.n_arcs, less.n_arcs,
               more.n_arcs);
    n_arcs += got.n_arcs;
    n_all += all.n_arcs;
    sn_lat_clear(&got);
    sn_lat_clear(&all);
    sn_lat_clear(&less);
    sn_lat_clear(&more);
  }
  assert_true(n_arcs > 10000);
  assert_true(n_all > 2 * n_arcs); /* the pruning was real */
}

static void test_best_path_of_long_lattices_is_the_search_s(void **state) {
  (void)state;
  toy t;
  const sn_graph *const g = loop_graph(&t, 12);
  enum { N = 700 };
  sn_rng r;
  sn_rng_init(&r, 4);
  float *const rows = malloc(sizeof *rows * N * 12);
  assert_non_null(rows);
  random_rows(&r, rows, N * 12);
  sn_decoder_opts o = wide_opts();
  o.beam = 12;
  o.lattice_beam = 2;
  o.acoustic_scale = 1.0f;
  sn_decoder *const d = decode(g, rows, N, &o);
  sn_lat lat;
  sn_hyp h;
  sn_err err = {0};
  ok(sn_decoder_raw_lattice(d, true, NULL, &lat, &err), &err);
  ok(sn_decoder_best(d, true, &h, &err), &err);
  const sn_lat_scales k = sn_decoder_scales(d);
  sn_lat_path p;
  ok(sn_lat_best(&lat, &k, &p, &err), &err);
  /* Sums of 1,500 floats below 10: 1e-6 each. */
  assert_true(fabs(p.total - h.graph_cost - h.acoustic_cost) < 2e-3);
  assert_int_equal(p.words.n, h.n_words);
  for (size_t i = 0; i < h.n_words; i++)
    assert_int_equal(p.words.data[i], h.words[i].word + 1);
  assert_int_equal(p.ali.n, N);
  /* Every state of the lattice is on a path within the beam. */
  double *const alpha = malloc(sizeof(double) * (size_t)lat.n_states);
  double *const beta = malloc(sizeof(double) * (size_t)lat.n_states);
  assert_true(alpha && beta);
  sn_lat_forward(&lat, &k, true, alpha);
  sn_lat_backward(&lat, &k, true, beta);
  assert_true(lat.n_states > 2 * N);
  for (int i = 0; i < lat.n_states; i++)
    assert_true(alpha[i] + beta[i] < p.total + 2 + 2e-3);
  free(alpha);
  free(beta);
  sn_lat_path_clear(&p);
  sn_hyp_clear(&h);
  sn_lat_clear(&lat);
  sn_decoder_destroy(d);
  free(rows);
}

static void test_what_is_kept_grows_with_the_lattice_only(void **state) {
  (void)state;
  toy t;
  const sn_graph *const g = loop_graph(&t, 30);
  enum { N_ROWS = 997 };
  sn_rng r;
  sn_rng_init(&r, 9);
  float *const rows = malloc(sizeof *rows * N_ROWS * 30);
  assert_non_null(rows);
  random_rows(&r, rows, N_ROWS * 30);
  sn_decoder_opts o = wide_opts();
  o.beam = 12;
  o.acoustic_scale = 1.0f;
  o.lattice_beam = 0.25f;
  sn_decoder *d = NULL;
  sn_err err = {0};
  ok(sn_decoder_create(g, &o, &d, &err), &err);
  ok(sn_decoder_start(d, &err), &err);
  toy_scorer sc = toy_scorer_make(rows, N_ROWS, 30);
  sc.n_ready = 20000;
  ok(sn_decoder_advance(d, &sc.base, &err), &err);
  const sn_decoder_stats st = sn_decoder_get_stats(d);
  sn_lat lat;
  ok(sn_decoder_raw_lattice(d, true, NULL, &lat, &err), &err);
  /* 31 tokens a frame: unpruned there are near 1,000 links a frame. */
  assert_true(st.links_live < 20000 * 6);
  assert_true(st.links_peak < st.links_live + 60000);
  assert_true((size_t)lat.n_arcs <= st.links_live);
  assert_true((size_t)lat.n_arcs + 60000 > st.links_live);
  sn_lat_clear(&lat);
  sn_decoder_destroy(d);
  free(rows);
}

static void test_no_path_gives_an_empty_lattice(void **state) {
  (void)state;
  toy t;
  const sn_graph *const g = loop_graph(&t, 3);
  float rows[4 * 3];
  for (int i = 0; i < 12; i++) rows[i] = i < 6 ? -1.0f : -INFINITY;
  const sn_decoder_opts o = wide_opts();
  sn_decoder *const d = decode(g, rows, 4, &o);
  sn_lat lat;
  sn_err err = {0};
  ok(sn_decoder_lattice(d, true, NULL, NULL, &lat, NULL, &err), &err);
  assert_int_equal(lat.n_states, 0);
  sn_lat_clear(&lat);
  sn_decoder_destroy(d);
}

static void test_a_circle_of_epsilon_arcs_is_refused(void **state) {
  (void)state;
  toy t;
  toy_init(&t, 3, 1, 1);
  const int l = toy_label(&t, 0, 0.0f, 0, 0, 3, false, true);
  toy_arc(&t, 0, 1, l, 0, 0.0f);
  toy_arc(&t, 1, 2, -1, 0, 1.0f);
  toy_arc(&t, 2, 1, -1, 1, 1.5f);
  const sn_graph *const g = toy_finish(&t);
  const float rows[1] = {0};
  sn_decoder_opts o = wide_opts();
  sn_decoder *const d = decode(g, rows, 1, &o);
  sn_lat lat;
  assert_int_equal(sn_decoder_lattice(d, true, NULL, NULL, &lat, NULL, NULL),
                   SN_EFORMAT);
  assert_int_equal(lat.n_states, 0);
  sn_decoder_destroy(d);
}

static void test_without_a_lattice_beam_there_is_none(void **state) {
  (void)state;
  toy t;
  const sn_graph *const g = loop_graph(&t, 3);
  const float rows[3] = {0};
  sn_decoder_opts o = wide_opts();
  o.lattice_beam = 0;
  sn_decoder *const d = decode(g, rows, 1, &o);
  sn_lat lat;
  sn_err err = {0};
  assert_int_equal(sn_decoder_lattice(d, true, NULL, NULL, &lat, NULL, &err),
                   SN_EARG);
  assert_non_null(strstr(err.msg, "lattice-beam"));
  sn_decoder_destroy(d);
  sn_decoder *none = NULL;
  o.lattice_beam = -1;
  assert_int_equal(sn_decoder_create(g, &o, &none, NULL), SN_EARG);
}

static void test_survives_every_allocation_failure(void **state) {
  (void)state;
  toy t;
  const sn_graph *const g = loop_graph(&t, 6);
  sn_rng r;
  sn_rng_init(&r, 3);
  float rows[30 * 6];
  random_rows(&r, rows, 30 * 6);
  sn_decoder_opts o = wide_opts();
  o.beam = 10;
  o.lattice_beam = 1;
  o.lattice_stretch = 8;
  o.acoustic_scale = 1.0f;
  const long before = sn_mem_live();
  long k = 0;
  for (bool fired = true; fired; k++) {
    assert_true(k < 5000);
    sn_decoder *d = NULL;
    sn_err err = {0};
    sn_lat lat = {0};
    toy_scorer sc = toy_scorer_make(rows, 30, 6);
    sn_mem_fail_after(k);
    sn_status s = sn_decoder_create(g, &o, &d, &err);
    if (s == SN_OK) s = sn_decoder_start(d, &err);
    if (s == SN_OK) s = sn_decoder_advance(d, &sc.base, &err);
    if (s == SN_OK)
      s = sn_decoder_lattice(d, true, NULL, NULL, &lat, NULL, &err);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SN_ENOMEM : SN_OK);
    sn_lat_clear(&lat);
    sn_decoder_destroy(d);
    assert_int_equal(sn_mem_live(), before);
  }
  assert_true(k > 30);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(
          test_every_sequence_is_there_once_at_its_best_cost, set_up,
          tear_down),
      cmocka_unit_test_setup_teardown(
          test_stretches_in_a_row_have_every_sequence_once_too, set_up,
          tear_down),
      cmocka_unit_test_setup_teardown(test_cuts_of_several_nodes_lose_nothing,
                                      set_up, tear_down),
      cmocka_unit_test(test_lattices_do_not_change_the_best_path),
      cmocka_unit_test(test_stretches_say_what_the_whole_lattice_says),
      cmocka_unit_test(test_where_paths_never_meet_the_beam_is_narrowed),
      cmocka_unit_test(test_pruning_as_it_goes_loses_nothing_else),
      cmocka_unit_test(test_best_path_of_long_lattices_is_the_search_s),
      cmocka_unit_test(test_what_is_kept_grows_with_the_lattice_only),
      cmocka_unit_test(test_no_path_gives_an_empty_lattice),
      cmocka_unit_test(test_a_circle_of_epsilon_arcs_is_refused),
      cmocka_unit_test(test_without_a_lattice_beam_there_is_none),
      cmocka_unit_test(test_survives_every_allocation_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
