/* SPDX-License-Identifier: Apache-2.0 */
/* G: what n-gram models and grammars say is what their word graphs say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "graphs/build_internal.h"

/* Costs are floats of up to some tens of nats, a dozen of them in a sum:
 * 12 * 32 * 2^-24. */
static const double tolerance = 5e-5;

static const char arpa[] =
    "\\data\\\nngram 1=6\nngram 2=6\nngram 3=3\n\n\\1-grams:\n"
    "-1.2 </s>\n-99 <s> -0.3\n-0.7 a -0.2\n-0.9 b -0.4\n-1.1 c -0.1\n"
    "-1.4 d\n\n\\2-grams:\n-0.3 <s> a -0.15\n-0.6 a b -0.25\n-0.5 a c\n"
    "-0.8 b </s>\n-0.4 b a -0.2\n-0.7 c a 0.1\n\n\\3-grams:\n"
    "-0.2 <s> a b\n-0.35 a b a\n-0.45 b a c\n\n\\end\\\n";

typedef struct fixture {
  sn_lexicon lex;
  sn_ngram *lm;
  sn_graph_opts opts;
  bool has_pron[8];
  sni_missing missing;
  sni_wordgraph g;
} fixture;

static int setup(void **state) {
  static const char *const words[] = {"a", "b", "c", "d"};
  const char *phones[] = {"x"};
  sn_err err = {0};
  fixture *f = calloc(1, sizeof *f);
  if (f == NULL) return -1;
  *state = f;
  assert_int_equal(sn_lexicon_init(&f->lex, &err), SN_OK);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(sn_lexicon_add(&f->lex, words[i], 0, phones, 1, &err),
                     SN_OK);
    f->has_pron[i] = true;
  }
  assert_int_equal(sn_lexicon_group(&f->lex, &err), SN_OK);
  if (sn_ngram_load_memory(arpa, sizeof arpa - 1, "arpa", &f->lm, &err) !=
      SN_OK)
    fail_msg("%s", err.msg);
  sn_opt_defaults(sn_graph_opt_table, &f->opts);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  sni_wordgraph_clear(&f->g);
  sn_ngram_destroy(f->lm);
  sn_lexicon_clear(&f->lex);
  sn_str_clear(&f->missing.names);
  free(f);
  return 0;
}

static void read_lm(fixture *f) {
  sn_err err = {0};
  if (sni_wordgraph_ngram(f->lm, &f->lex, f->has_pron, &f->opts, NULL, NULL,
                          &f->missing, &f->g, &err) != SN_OK)
    fail_msg("%s", err.msg);
  if (sni_wordgraph_check(&f->g, &err) != SN_OK) fail_msg("%s", err.msg);
}

static const sni_g_arc *find_arc(const sni_wordgraph *g, int32_t s,
                                 int32_t word) {
  for (uint32_t i = g->first.data[s]; i < g->first.data[s + 1]; i++)
    if (g->arcs.data[i].word == word) return &g->arcs.data[i];
  return NULL;
}

/* Backs off only where there is no arc for the word. */
static double longest_match(const sni_wordgraph *g, int32_t *s, int32_t word) {
  double cost = 0;
  const sni_g_arc *a;
  while ((a = find_arc(g, *s, word)) == NULL) {
    a = find_arc(g, *s, -1);
    assert_non_null(a);
    cost += (double)a->cost;
    *s = a->dest;
  }
  *s = a->dest;
  return cost + (double)a->cost;
}

/* The best of all paths, by brute force. */
static double best(const sni_wordgraph *g, int32_t s, const int32_t *words,
                   int32_t n) {
  double cost = n == 0 ? (double)g->final.data[s] : HUGE_VAL;
  for (uint32_t i = g->first.data[s]; i < g->first.data[s + 1]; i++) {
    const sni_g_arc *a = &g->arcs.data[i];
    if (a->word >= 0 && (n == 0 || a->word != words[0])) continue;
    const double c =
        (double)a->cost + (a->word < 0 ? best(g, a->dest, words, n)
                                       : best(g, a->dest, words + 1, n - 1));
    if (c < cost) cost = c;
  }
  return cost;
}

static void test_n_gram_paths_cost_what_the_model_says(void **state) {
  fixture *f = *state;
  read_lm(f);
  sn_rng rng;
  sn_rng_init(&rng, 3);
  for (int i = 0; i < 500; i++) {
    int32_t words[8];
    const int32_t n = (int32_t)sn_rng_below(&rng, 8);
    sn_ngram_state h = sn_ngram_begin(f->lm);
    int32_t s = f->g.start;
    double want = 0, got = 0;
    for (int32_t k = 0; k < n; k++) {
      words[k] = (int32_t)sn_rng_below(&rng, 4);
      const int32_t id =
          sn_ngram_find(f->lm, sn_symtab_get(f->g.words, words[k]));
      want -= sn_ngram_score(f->lm, h, id, &h, NULL);
      got += longest_match(&f->g, &s, words[k]);
    }
    want -= sn_ngram_score(f->lm, h, sn_ngram_eos(f->lm), NULL, NULL);
    got += (double)f->g.final.data[s];
    assert_true(fabs(want - got) < tolerance);
    /* Backing off past an explicit n-gram may cost less, never more. */
    assert_true(best(&f->g, f->g.start, words, n) <= want + tolerance);
  }
}

static void test_histories_without_successors_are_no_states(void **state) {
  fixture *f = *state;
  read_lm(f);
  /* "", <s>, a, b, c, "<s> a", "a b", "b a"; not d, "a c", "c a". */
  assert_int_equal(f->g.n_states, 8);
}

static void test_missing_words_are_counted_and_named(void **state) {
  fixture *f = *state;
  f->has_pron[1] = false;
  read_lm(f);
  assert_int_equal(f->missing.n_words, 1);
  assert_string_equal(sn_str_get(&f->missing.names), "'b'");
  assert_int_equal(sn_symtab_n(f->g.words), 3);
  for (size_t i = 0; i < f->g.arcs.n; i++)
    assert_true(f->g.arcs.data[i].word < 3);
}

static void make_grammar(fixture *f, const char *text, sni_wordgraph *g) {
  sn_grammar grammar = {0};
  sn_err err = {0};
  if (sn_grammar_parse_jsgf(text, strlen(text), "test", NULL, &grammar, &err) !=
      SN_OK)
    fail_msg("%s", err.msg);
  if (sni_wordgraph_grammar(&grammar, &f->lex, f->has_pron, &f->opts, NULL,
                            &f->missing, g, &err) != SN_OK)
    fail_msg("%s", err.msg);
  if (sni_wordgraph_check(g, &err) != SN_OK) fail_msg("%s", err.msg);
  sn_grammar_clear(&grammar);
}

static int32_t word_id(const sni_wordgraph *g, const char *word) {
  return sn_symtab_finds(g->words, word);
}

static void test_grammars_are_deterministic_and_keep_their_weights(
    void **state) {
  fixture *f = *state;
  make_grammar(f,
               "#JSGF V1.0; grammar t; public <t> = /3/ a (b | c) | /1/ a b "
               "[d] | a* ;",
               &f->g);
  for (int32_t s = 0; s < f->g.n_states; s++)
    for (uint32_t i = f->g.first.data[s]; i < f->g.first.data[s + 1]; i++)
      assert_true(f->g.arcs.data[i].word >= 0);
  const int32_t ab[] = {word_id(&f->g, "a"), word_id(&f->g, "b")};
  /* The best of 3/5 * 1/2 and 1/5 * 1/2; see lm/grammar.h for weights. */
  const double cost = best(&f->g, f->g.start, ab, 2);
  assert_true(isfinite(cost) && cost > 0);
  const int32_t bad[] = {word_id(&f->g, "b"), word_id(&f->g, "a")};
  assert_true(best(&f->g, f->g.start, bad, 2) == HUGE_VAL);
  assert_true(isfinite(best(&f->g, f->g.start, NULL, 0)));
}

static void test_phrases_stand_beside_the_n_gram_model(void **state) {
  fixture *f = *state;
  sni_wordgraph phrases = {0};
  sn_err err = {0};
  read_lm(f);
  make_grammar(f, "#JSGF V1.0; grammar t; public <t> = (d c d)*;", &phrases);
  const int32_t plain[] = {0, 1};
  const double before = best(&f->g, f->g.start, plain, 2);
  assert_int_equal(sni_wordgraph_add(&f->g, &phrases, 0, 2.5, &err), SN_OK);
  if (sni_wordgraph_check(&f->g, &err) != SN_OK) fail_msg("%s", err.msg);
  assert_true(fabs(best(&f->g, f->g.start, plain, 2) - before) < tolerance);
  /* "a d c d b": a by the model, back off to nothing, in at 2.5, the phrase at
   * its own cost, out, b and the end by the model. */
  const int32_t mixed[] = {0, 3, 2, 3, 1};
  const int32_t phrase[] = {word_id(&phrases, "d"), word_id(&phrases, "c"),
                            word_id(&phrases, "d")};
  int32_t s = f->g.start;
  double want = longest_match(&f->g, &s, 0);
  while (s != 0) {
    const sni_g_arc *a = find_arc(&f->g, s, -1);
    want += (double)a->cost;
    s = a->dest;
  }
  want += 2.5 + best(&phrases, phrases.start, phrase, 3);
  want += longest_match(&f->g, &s, 1);
  want += (double)f->g.final.data[s];
  const double got = best(&f->g, f->g.start, mixed, 5);
  assert_true(got <= want + tolerance);
  assert_true(got > 2.5);
  /* And nothing said but the phrase. */
  assert_true(isfinite(best(&f->g, f->g.start, &mixed[1], 3)));
  sni_wordgraph_clear(&phrases);
}

/* Every sentence of up to 4 words: the better of the model's and the grammar's
 * cost, each with its weight. */
static void test_a_sentence_is_the_models_or_the_grammars(void **state) {
  fixture *f = *state;
  static const char text[] =
      "#JSGF V1.0; grammar t; public <t> = /3/ d c d | /1/ a b | b [a];";
  for (int is_all = 0; is_all < 2; is_all++) {
    const double weight = is_all ? 1.0 : 0.3;
    sni_wordgraph lm = {0}, grammar = {0};
    sn_err err = {0};
    read_lm(f);
    lm = f->g;
    memset(&f->g, 0, sizeof f->g);
    read_lm(f);
    make_grammar(f, text, &grammar);
    assert_int_equal(sni_wordgraph_choose(&f->g, &grammar, weight, &err),
                     SN_OK);
    if (sni_wordgraph_check(&f->g, &err) != SN_OK) fail_msg("%s", err.msg);
    int n_grammar = 0;
    for (int n = 0; n <= 4; n++)
      for (int code = 0; code < 1 << (2 * n); code++) {
        int32_t words[4], own[4];
        for (int k = 0; k < n; k++) {
          words[k] = code >> (2 * k) & 3;
          own[k] = word_id(&grammar, sn_symtab_get(lm.words, words[k]));
        }
        const double by_lm =
            is_all ? HUGE_VAL : best(&lm, lm.start, words, n) - log(0.7);
        const double by_grammar =
            best(&grammar, grammar.start, own, n) - log(weight);
        const double want = fmin(by_lm, by_grammar);
        const double got = best(&f->g, f->g.start, words, n);
        assert_true(got == want || fabs(got - want) < tolerance);
        n_grammar += by_grammar < by_lm;
      }
    assert_true(n_grammar >= 3);
    sni_wordgraph_clear(&grammar);
    sni_wordgraph_clear(&lm);
    sni_wordgraph_clear(&f->g);
  }
}

static void test_empty_circles_are_refused(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  read_lm(f);
  const sni_g_arc *a = find_arc(&f->g, 1, -1);
  f->g.arcs.data[a - f->g.arcs.data].dest = 1;
  assert_int_equal(sni_wordgraph_check(&f->g, &err), SN_EARG);
}

static void test_case_is_folded_when_asked(void **state) {
  fixture *f = *state;
  sn_err err = {0};
  int32_t id = 0;
  assert_int_equal(sn_symtab_create(&f->g.words, &err), SN_OK);
  assert_int_equal(sni_wordgraph_word(&f->g, &f->lex, f->has_pron, &f->opts,
                                      NULL, &f->missing, "A", &id, &err),
                   SN_OK);
  assert_int_equal(id, -1);
  f->opts.fold_case = true;
  assert_int_equal(sni_wordgraph_word(&f->g, &f->lex, f->has_pron, &f->opts,
                                      NULL, &f->missing, "A", &id, &err),
                   SN_OK);
  assert_int_equal(id, 0);
  assert_string_equal(sn_symtab_get(f->g.words, 0), "A");
  assert_int_equal(f->g.lexicon.data[0], 0);
}

static void test_running_out_of_memory_leaks_nothing(void **state) {
  fixture *f = *state;
  static const char text[] = "#JSGF V1.0; grammar t; public <t> = a (b | c);";
  sn_grammar grammar = {0};
  sn_err err = {0};
  assert_int_equal(
      sn_grammar_parse_jsgf(text, strlen(text), "test", NULL, &grammar, &err),
      SN_OK);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sni_wordgraph g = {0}, phrases = {0};
    sn_err_clear(&err);
    sn_mem_fail_after(k);
    sn_status s = sni_wordgraph_ngram(f->lm, &f->lex, f->has_pron, &f->opts,
                                      NULL, NULL, &f->missing, &g, &err);
    if (s == SN_OK)
      s = sni_wordgraph_grammar(&grammar, &f->lex, f->has_pron, &f->opts, NULL,
                                &f->missing, &phrases, &err);
    if (s == SN_OK) s = sni_wordgraph_add(&g, &phrases, 0, 1, &err);
    if (s == SN_OK) s = sni_wordgraph_choose(&g, &phrases, 0.5, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sni_wordgraph_clear(&g);
    sni_wordgraph_clear(&phrases);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
    assert_int_equal(s, SN_ENOMEM);
    assert_true(k < 1000);
  }
  sn_grammar_clear(&grammar);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      T(test_n_gram_paths_cost_what_the_model_says),
      T(test_histories_without_successors_are_no_states),
      T(test_missing_words_are_counted_and_named),
      T(test_grammars_are_deterministic_and_keep_their_weights),
      T(test_phrases_stand_beside_the_n_gram_model),
      T(test_a_sentence_is_the_models_or_the_grammars),
      T(test_empty_circles_are_refused),
      T(test_case_is_folded_when_asked),
      T(test_running_out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
