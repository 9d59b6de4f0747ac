/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler against OpenFst: H o C o L o G composed by it, of the same
 * random models, accepts the same label strings as the same words at the same
 * costs. And the shim itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "graphs/build_internal.h"
#include "graphs/fst.h"
#include "graphs/graph.h"
#include "tests/graphs/world.h"

enum { N_WORLDS = 6, N_PATHS = 25 };
enum { N_SYMBOLS = WORLD_PHONES * SN_N_POS };

/* Rounding of some tens of costs to 2^-14, and OpenFst's float sums. */
static const float delta = 0.01f;

static sn_err err;

static void ok(sn_status s) {
  if (s != SN_OK) fail_msg("%s", err.msg);
}

static sn_fst *new_fst(int32_t n_states) {
  sn_fst *f = NULL;
  ok(sn_fst_create(&f, &err));
  for (int32_t i = 0; i < n_states; i++) {
    int32_t id = 0;
    ok(sn_fst_add_state(f, &id, &err));
  }
  return f;
}

static int32_t add_state(sn_fst *f) {
  int32_t id = 0;
  ok(sn_fst_add_state(f, &id, &err));
  return id;
}

static void add_arc(sn_fst *f, int32_t from, int32_t in, int32_t out,
                    double cost, int32_t to) {
  ok(sn_fst_add_arc(f, from, in, out, (float)cost, to, &err));
}

/* Symbol of a phone at a position. */
static int32_t symbol(int32_t phone, sn_wordpos pos) {
  return 1 + phone * SN_N_POS + (int32_t)pos;
}

/* Symbol of an HMM as a phone at a position. */
static int32_t unit(int32_t hmm, sn_wordpos pos) {
  return 1 + hmm * SN_N_POS + (int32_t)pos;
}

/* Input label of HMM state j of an HMM at a position, by what a graph's label
 * says of it. */
static int32_t label(int32_t pdf, int32_t phone, int32_t j, int32_t pos) {
  return 1 + ((pdf * WORLD_PHONES + phone) * WORLD_STATES + j) * SN_N_POS + pos;
}

static sn_fst *make_g(const world *w) {
  const sni_wordgraph *g = &w->g;
  sn_fst *f = new_fst(g->n_states);
  ok(sn_fst_set_start(f, g->start, &err));
  for (int32_t s = 0; s < g->n_states; s++) {
    ok(sn_fst_set_final(f, s, g->final.data[s], &err));
    for (uint32_t i = g->first.data[s]; i < g->first.data[s + 1]; i++) {
      const sni_g_arc *a = &g->arcs.data[i];
      add_arc(f, s, a->word + 1, a->word + 1, (double)a->cost, a->dest);
    }
  }
  return f;
}

static sn_fst *make_l(const world *w) {
  sn_fst *f = new_fst(1);
  ok(sn_fst_set_final(f, 0, 0, &err));
  for (int32_t i = 0; i < WORLD_FILLERS && w->opts.fillers; i++)
    add_arc(f, 0, symbol(i, SN_POS_SINGLE), 0,
            -(double)w->filler_logp[i] / w->opts.lm_scale, 0);
  for (size_t k = 0; k < w->lex.prons.n; k++) {
    const sn_pron *p = &w->lex.prons.data[k];
    int32_t from = 0;
    for (int32_t i = 0; i < p->n_phones; i++) {
      const char *name =
          sn_symtab_get(w->lex.phones, w->lex.phone_ids.data[p->first + i]);
      int32_t phone = 0;
      while (strcmp(w->hmms.phone(w, phone), name) != 0) phone++;
      const bool is_last = i + 1 == p->n_phones;
      const int32_t to = is_last ? 0 : add_state(f);
      const sn_wordpos pos = p->n_phones == 1 ? SN_POS_SINGLE
                             : i == 0         ? SN_POS_BEGIN
                             : is_last        ? SN_POS_END
                                              : SN_POS_INTERNAL;
      add_arc(f, from, symbol(phone, pos), i == 0 ? p->word + 1 : 0,
              i == 0
                  ? -((double)p->logp + w->opts.word_penalty) / w->opts.lm_scale
                  : 0,
              to);
      from = to;
    }
  }
  return f;
}

static int32_t hmm_of(const world *w, int32_t sym, int32_t left,
                      int32_t right) {
  const int32_t phone = (sym - 1) / SN_N_POS;
  return phone < WORLD_FILLERS
             ? w->hmms.monophone(w, phone)
             : w->hmms.triphone(w, phone, left, right,
                                (sn_wordpos)((sym - 1) % SN_N_POS));
}

/* State 0 begins, 1 ends, 2 + left * N_SYMBOLS + symbol - 1 waits. */
static sn_fst *make_c(const world *w) {
  sn_fst *f = new_fst(2 + WORLD_PHONES * N_SYMBOLS);
  ok(sn_fst_set_final(f, 0, 0, &err));
  ok(sn_fst_set_final(f, 1, 0, &err));
  for (int32_t next = 1; next <= N_SYMBOLS; next++)
    add_arc(f, 0, 0, next, 0, 2 + next - 1); /* left is silence, 0 */
  for (int32_t left = 0; left < WORLD_PHONES; left++)
    for (int32_t sym = 1; sym <= N_SYMBOLS; sym++) {
      const int32_t from = 2 + left * N_SYMBOLS + sym - 1;
      const int32_t phone = (sym - 1) / SN_N_POS;
      const sn_wordpos pos = (sn_wordpos)((sym - 1) % SN_N_POS);
      add_arc(f, from, unit(hmm_of(w, sym, left, 0), pos), 0, 0, 1);
      for (int32_t next = 1; next <= N_SYMBOLS; next++)
        add_arc(f, from, unit(hmm_of(w, sym, left, (next - 1) / SN_N_POS), pos),
                next, 0, 2 + phone * N_SYMBOLS + next - 1);
    }
  return f;
}

static sn_fst *make_h(const world *w) {
  sn_fst *f = new_fst(1);
  ok(sn_fst_set_final(f, 0, 0, &err));
  for (int32_t hmm = 0; hmm < WORLD_HMMS; hmm++)
    for (int32_t pos = 0; pos < SN_N_POS; pos++) {
      const sn_hmm h = w->hmms.hmm(w, hmm);
      const int32_t n = h.n_states;
      int32_t states[WORLD_STATES] = {0};
      for (int32_t j = 0; j < n; j++) states[j] = add_state(f);
      add_arc(f, 0, label(h.pdfs[0], hmm / 4, 0, pos),
              unit(hmm, (sn_wordpos)pos), 0, states[0]);
      for (int32_t i = 0; i < n; i++)
        for (int32_t j = i + 1; j <= n; j++) {
          const double logp = (double)h.logp[i * (n + 1) + j];
          if (!isfinite(logp)) continue;
          add_arc(f, states[i], j == n ? 0 : label(h.pdfs[j], hmm / 4, j, pos),
                  0, -logp / w->opts.lm_scale, j == n ? 0 : states[j]);
        }
    }
  return f;
}

/* a o b; both are given up. */
static sn_fst *compose(sn_fst *a, sn_fst *b) {
  sn_fst *c = NULL;
  ok(sn_fst_compose(a, b, &c, &err));
  sn_fst_destroy(a);
  sn_fst_destroy(b);
  return c;
}

static sn_fst *by_openfst(const world *w) {
  return compose(make_h(w), compose(make_c(w), compose(make_l(w), make_g(w))));
}

static sn_fst *by_compiler(const world *w, const char *path) {
  sni_build b = {0};
  sni_wordgraph g;
  sn_graph_stats st = {0};
  sn_graph *graph = NULL;
  world_copy_g(&w->g, &g);
  ok(sni_build_begin(&b, &w->lex, &w->hmms, &w->opts, NULL, &err));
  ok(sni_build_finish(&b, &g, NULL, 0, path, &st, &err));
  sni_build_clear(&b);
  sni_wordgraph_clear(&g);
  ok(sn_graph_open(path, &graph, &err));
  ok(sn_graph_verify(graph, &err));
  sn_fst *f = new_fst(graph->n_states);
  ok(sn_fst_set_start(f, graph->start, &err));
  for (int32_t s = 0; s < graph->n_states; s++) {
    const sn_graph_state *x = &graph->states[s];
    ok(sn_fst_set_final(f, s, x->final_cost, &err));
    for (uint32_t i = x[0].first_emit; i < x[1].first_emit; i++) {
      const sn_graph_arc *a = &graph->emit[i];
      const sn_graph_label *l = &graph->labels[a->label];
      add_arc(f, s, label(l->pdf, l->phone, l->hmm_state, l->wordpos),
              a->output, (double)a->cost, a->next);
    }
    for (uint32_t i = x[0].first_eps; i < x[1].first_eps; i++)
      add_arc(f, s, 0, graph->eps[i].output, (double)graph->eps[i].cost,
              graph->eps[i].next);
  }
  sn_graph_destroy(graph);
  return f;
}

/* spoil: makes one arc of ours dearer, to see that it is noticed. */
static int n_different(const world_shape *shape, bool spoil) {
  char path[] = "/tmp/senone-openfst-XXXXXX";
  int n = 0;
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  for (uint64_t i = 0; i < N_WORLDS; i++) {
    world w;
    sn_rng rng;
    bool same = false;
    sn_rng_init(&rng, 9000 + i);
    world_make(&w, &rng, shape);
    sn_fst *ours = by_compiler(&w, path), *theirs = by_openfst(&w);
    if (spoil) {
      const int32_t s = sn_fst_start(ours), to = add_state(ours);
      ok(sn_fst_set_start(ours, to, &err));
      add_arc(ours, to, 0, 0, 0.05, s);
    }
    ok(sn_fst_rand_equivalent(ours, theirs, N_PATHS, delta, i + 1, &same,
                              &err));
    n += !same;
    sn_fst_destroy(ours);
    sn_fst_destroy(theirs);
    world_clear(&w);
  }
  unlink(path);
  return n;
}

static void test_graphs_are_those_that_openfst_composes(void **state) {
  (void)state;
  const world_shape a = {.contexts = true,
                         .fillers = true,
                         .back_offs = true,
                         .n_words = 8,
                         .n_g_states = 6};
  assert_int_equal(n_different(&a, false), 0);
  const world_shape b = {.contexts = true,
                         .skips = true,
                         .back_offs = true,
                         .n_words = 12,
                         .n_g_states = 4};
  assert_int_equal(n_different(&b, false), 0);
}

static void test_a_difference_would_be_noticed(void **state) {
  (void)state;
  const world_shape a = {.contexts = true, .n_words = 4, .n_g_states = 3};
  /* Not all: a world may have no sentence at all. */
  assert_true(n_different(&a, true) > N_WORLDS / 2);
}

static void test_the_shim_checks_what_openfst_does_not(void **state) {
  (void)state;
  sn_fst *f = new_fst(2);
  sn_err_clear(&err);
  assert_int_equal(sn_fst_add_arc(f, 0, 1, 1, 0, 2, &err), SN_EARG);
  assert_int_equal(sn_fst_add_arc(f, -1, 1, 1, 0, 0, NULL), SN_EARG);
  assert_int_equal(sn_fst_add_arc(f, 0, -1, 1, 0, 1, NULL), SN_EARG);
  assert_int_equal(sn_fst_add_arc(f, 0, 1, 1, NAN, 1, NULL), SN_EARG);
  assert_int_equal(sn_fst_set_final(f, 2, 0, NULL), SN_EARG);
  assert_int_equal(sn_fst_set_final(f, 0, NAN, NULL), SN_EARG);
  assert_int_equal(sn_fst_set_start(f, 2, NULL), SN_EARG);
  assert_int_equal(sn_fst_n_arcs(f, 5), 0);
  assert_true(sn_fst_final(f, 5) == INFINITY);
  sn_fst_destroy(f);
  sn_err_clear(&err);
}

/* (a|b)*a(a|b){n}: its deterministic form has 2^(n + 1) states. */
static void test_optimise_gives_up_at_the_limit(void **state) {
  (void)state;
  enum { N = 9 };
  sn_fst *f = new_fst(N + 2), *out = NULL;
  for (int32_t word = 1; word <= 2; word++) {
    add_arc(f, 0, word, word, 0, 0);
    for (int32_t i = 1; i <= N; i++) add_arc(f, i, word, word, 0, i + 1);
  }
  add_arc(f, 0, 1, 1, 0, 1);
  ok(sn_fst_set_final(f, N + 1, 0, &err));
  ok(sn_fst_optimise(f, 500, &out, &err));
  assert_null(out);
  ok(sn_fst_optimise(f, 100000, &out, &err));
  assert_int_equal(sn_fst_n_states(out), 1 << (N + 1));
  sn_fst_destroy(out);
  sn_fst_destroy(f);
}

static void test_epsilons_go_and_weights_stay(void **state) {
  (void)state;
  sn_fst *f = new_fst(4), *bare = NULL, *minimal = NULL, *det = NULL;
  bool same = false;
  add_arc(f, 0, 0, 0, 0.5, 1);
  add_arc(f, 0, 1, 1, 1, 2);
  add_arc(f, 1, 1, 1, 0.25, 2);
  add_arc(f, 2, 0, 0, 0.125, 3);
  add_arc(f, 3, 2, 2, 1, 3);
  ok(sn_fst_set_final(f, 3, 0.5f, &err));
  ok(sn_fst_rm_epsilon(f, &bare, &err));
  for (int32_t s = 0; s < sn_fst_n_states(bare); s++)
    for (int64_t i = 0; i < sn_fst_n_arcs(bare, s); i++)
      assert_true(sn_fst_arc_at(bare, s, i).in > 0);
  ok(sn_fst_rand_equivalent(f, bare, N_PATHS, 1e-4f, 1, &same, &err));
  assert_true(same);
  ok(sn_fst_determinize(bare, &det, &err));
  ok(sn_fst_minimize(det, &minimal, &err));
  ok(sn_fst_rand_equivalent(f, minimal, N_PATHS, 1e-4f, 1, &same, &err));
  assert_true(same);
  assert_true(sn_fst_n_states(minimal) <= sn_fst_n_states(bare));
  sn_fst_destroy(f);
  sn_fst_destroy(bare);
  sn_fst_destroy(det);
  sn_fst_destroy(minimal);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_graphs_are_those_that_openfst_composes),
      cmocka_unit_test(test_a_difference_would_be_noticed),
      cmocka_unit_test(test_the_shim_checks_what_openfst_does_not),
      cmocka_unit_test(test_optimise_gives_up_at_the_limit),
      cmocka_unit_test(test_epsilons_go_and_weights_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
