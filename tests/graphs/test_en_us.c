/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs of Debian's en-us and tidigits models: their sentences, and what each
 * costs, against the definition. */
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

#include "am/am.h"
#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"
#include "graphs/build.h"
#include "graphs/graph.h"

#define MODELS "/usr/share/pocketsphinx/model/en-us"
#define DATA "/usr/share/pocketsphinx/test/data"

typedef struct fixture {
  char dir[64], graph[80];
  sn_am *am;
  sn_lexicon lex;
  sn_grammar grammar;
  sn_graph_opts opts;
} fixture;

static void load(fixture *f, const char *sphinx_dir, const char *dictionary) {
  sn_err err = {0};
  strcpy(f->dir, "/tmp/senone-en-us-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  snprintf(f->graph, sizeof f->graph, "%s/graph", f->dir);
  if (sn_am_import_sphinx(sphinx_dir, f->dir, NULL, NULL, &err) != SN_OK ||
      sn_am_load(f->dir, NULL, &f->am, &err) != SN_OK ||
      sn_lexicon_load(dictionary, NULL, &f->lex, &err) != SN_OK)
    fail_msg("%s", err.msg);
  sn_opt_defaults(sn_graph_opt_table, &f->opts);
  f->opts.lm_scale = 6.5;
  f->opts.word_penalty = log(0.65);
}

static void unload(fixture *f) {
  static const char *const names[] = {"am.bin", "model.ini", "graph"};
  for (size_t i = 0; i < 3; i++) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
    unlink(path);
  }
  rmdir(f->dir);
  sn_am_destroy(f->am);
  sn_lexicon_clear(&f->lex);
  sn_grammar_clear(&f->grammar);
}

static bool is_installed(void) {
  if (sn_file_exists(MODELS "/cmudict-en-us.dict") &&
      sn_file_exists(DATA "/goforward.gram"))
    return true;
  print_message(
      "skipped: Debian's pocketsphinx-en-us or "
      "pocketsphinx-testdata is not installed\n");
  return false;
}

static sn_graph *build(fixture *f) {
  sn_err err = {0};
  sn_graph *g = NULL;
  sn_graph_stats st;
  if (sn_graph_build(f->am, &f->lex, NULL, &f->grammar, &f->opts, NULL,
                     f->graph, &st, &err) != SN_OK ||
      sn_graph_open(f->graph, &g, &err) != SN_OK ||
      sn_graph_verify(g, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(st.n_states, g->n_states);
  return g;
}

/* ---- Sentences of a graph, fillers and self-loops aside ---- */

typedef struct sentence {
  char text[96];
  double cost;
} sentence;

typedef SN_ARR(sentence) sentences;

static void add_sentence(sentences *s, const char *text, double cost) {
  for (size_t i = 0; i < s->n; i++)
    if (strcmp(s->data[i].text, text) == 0) {
      s->data[i].cost = fmin(s->data[i].cost, cost);
      return;
    }
  sentence x = {.cost = cost};
  sn_err err = {0};
  snprintf(x.text, sizeof x.text, "%s", text);
  assert_int_equal(SN_ARR_PUSH(s, x, &err), SN_OK);
}

static void walk(const sn_graph *g, int32_t s, double cost, char *text,
                 sentences *out) {
  const sn_graph_state *x = &g->states[s];
  const size_t end = strlen(text);
  if (isfinite(x->final_cost) && end > 0)
    add_sentence(out, text, cost + (double)x->final_cost);
  for (int emitting = 0; emitting < 2; emitting++) {
    const sn_graph_arc *arcs = emitting ? g->emit : g->eps;
    const uint32_t from = emitting ? x[0].first_emit : x[0].first_eps;
    const uint32_t to = emitting ? x[1].first_emit : x[1].first_eps;
    for (uint32_t i = from; i < to; i++) {
      if (emitting && g->labels[arcs[i].label].is_filler != 0) continue;
      if (arcs[i].output > 0)
        snprintf(text + end, 96 - end, "%s ",
                 sn_graph_word(g, arcs[i].output - 1));
      walk(g, arcs[i].next, cost + (double)arcs[i].cost, text, out);
      text[end] = '\0';
    }
  }
}

/* The best path that writes these words. */
static void walk_words(const sn_graph *g, int32_t s, double cost,
                       const char *const *words, int32_t n, double *best) {
  const sn_graph_state *x = &g->states[s];
  if (n == 0) *best = fmin(*best, cost + (double)x->final_cost);
  for (int emitting = 0; emitting < 2; emitting++) {
    const sn_graph_arc *arcs = emitting ? g->emit : g->eps;
    const uint32_t from = emitting ? x[0].first_emit : x[0].first_eps;
    const uint32_t to = emitting ? x[1].first_emit : x[1].first_eps;
    for (uint32_t i = from; i < to; i++) {
      const bool writes = arcs[i].output > 0;
      if (writes && (n == 0 || strcmp(sn_graph_word(g, arcs[i].output - 1),
                                      words[0]) != 0))
        continue;
      walk_words(g, arcs[i].next, cost + (double)arcs[i].cost, words + writes,
                 n - writes, best);
    }
  }
}

/* ---- The same by definition, for HMMs without skips ---- */

/* Transition costs of the phones, each from its first state to its exit. */
static double phones_cost(const fixture *f, const int32_t *phones,
                          const sn_wordpos *pos, int32_t n) {
  const int32_t sil = sn_am_silence(f->am);
  double logp = 0;
  for (int32_t i = 0; i < n; i++) {
    const sn_hmm h = sn_am_hmm(
        f->am, sn_am_triphone(f->am, phones[i], i > 0 ? phones[i - 1] : sil,
                              i + 1 < n ? phones[i + 1] : sil, pos[i], NULL));
    for (int32_t k = 0; k < h.n_states; k++)
      logp += (double)h.logp[k * (h.n_states + 1) + k + 1];
  }
  return -logp / f->opts.lm_scale;
}

/* The best over all pronunciations of words[at ..]. */
static double best_cost(const fixture *f, const char *const *words,
                        int32_t n_words, int32_t at, int32_t *phones,
                        sn_wordpos *pos, int32_t n) {
  if (at == n_words) return phones_cost(f, phones, pos, n);
  const int32_t w = sn_symtab_finds(f->lex.words, words[at]);
  assert_true(w >= 0);
  int32_t first = 0;
  const int32_t n_prons = sn_lexicon_prons(&f->lex, w, &first);
  double best = HUGE_VAL;
  for (int32_t k = first; k < first + n_prons; k++) {
    const sn_pron *p = &f->lex.prons.data[k];
    for (int32_t i = 0; i < p->n_phones; i++) {
      phones[n + i] = sn_am_find_phone(
          f->am,
          sn_symtab_get(f->lex.phones, f->lex.phone_ids.data[p->first + i]));
      pos[n + i] = p->n_phones == 1       ? SN_POS_SINGLE
                   : i == 0               ? SN_POS_BEGIN
                   : i + 1 == p->n_phones ? SN_POS_END
                                          : SN_POS_INTERNAL;
    }
    best = fmin(best, best_cost(f, words, n_words, at + 1, phones, pos,
                                n + p->n_phones));
  }
  return best - f->opts.word_penalty / f->opts.lm_scale;
}

static double cost_of(const fixture *f, const char *const *words, int32_t n) {
  int32_t phones[64];
  sn_wordpos pos[64];
  return best_cost(f, words, n, 0, phones, pos, 0);
}

/* -ln P of a sentence in a grammar that is a chain of choices, each as likely:
 * see the grammar. "go forward ten meters" is said by either rule. */
static double grammar_cost(const char *direction, const char *distance,
                           const char *unit) {
  const double second =
      log(2) + log(2) + log(10) + log(2) + (unit[0] != '\0' ? log(2) : 0);
  return strcmp(direction, "forward") == 0 && strcmp(distance, "ten") == 0 &&
                 strcmp(unit, "meters") == 0
             ? fmin(log(2), second)
             : second;
}

static void test_sentences_of_goforward_cost_what_they_should(void **state) {
  static const char *const directions[] = {"forward", "backward"};
  static const char *const distances[] = {"one",  "two", "three", "four",
                                          "five", "six", "seven", "eight",
                                          "nine", "ten"};
  static const char *const units[] = {"", "meter", "meters"};
  (void)state;
  if (!is_installed()) skip();
  fixture f = {0};
  sn_err err = {0};
  load(&f, MODELS "/en-us", MODELS "/cmudict-en-us.dict");
  if (sn_grammar_load_jsgf(DATA "/goforward.gram", NULL, &f.grammar, &err) !=
      SN_OK)
    fail_msg("%s", err.msg);
  sn_graph *g = build(&f);
  sentences got = {0};
  char text[96] = "";
  walk(g, g->start, 0, text, &got);
  assert_int_equal(got.n, 60);
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 10; j++)
      for (int k = 0; k < 3; k++) {
        const char *const words[] = {"go", directions[i], distances[j],
                                     units[k]};
        const double want =
            grammar_cost(directions[i], distances[j], units[k]) +
            cost_of(&f, words, k == 0 ? 3 : 4);
        snprintf(text, sizeof text, k == 0 ? "go %s %s %s" : "go %s %s %s ",
                 directions[i], distances[j], units[k]);
        size_t at = 0;
        while (at < got.n && strcmp(got.data[at].text, text) != 0) at++;
        if (at == got.n) fail_msg("'%s' is not in the graph", text);
        /* Some 60 costs, each rounded to 2^-14 twice, and float sums. */
        if (fabs(got.data[at].cost - want) > 120.0 / 16384 / 2)
          fail_msg("'%s': %.5f by definition, %.5f in the graph", text, want,
                   got.data[at].cost);
      }
  SN_ARR_FREE(&got);
  sn_graph_destroy(g);
  unload(&f);
}

static void test_models_with_skips_make_graphs(void **state) {
  (void)state;
  if (!is_installed()) skip();
  fixture f = {0};
  sn_err err = {0};
  static const char text[] =
      "#JSGF V1.0; grammar d; public <d> = (one | two | "
      "three | oh)+;";
  load(&f, DATA "/tidigits/hmm", DATA "/tidigits/lm/tidigits.dic");
  assert_int_equal(sn_grammar_parse_jsgf(text, strlen(text), "digits", NULL,
                                         &f.grammar, &err),
                   SN_OK);
  sn_graph *g = build(&f);
  int32_t max_state = 0;
  for (int32_t i = 0; i < g->n_labels; i++)
    if (g->labels[i].hmm_state > max_state) max_state = g->labels[i].hmm_state;
  assert_int_equal(max_state, 4);
  /* A skip is an arc that passes over a state of the same phone. */
  int64_t n_skips = 0;
  for (int32_t s = 0; s < g->n_states; s++)
    for (uint32_t i = g->states[s].first_emit; i < g->states[s + 1].first_emit;
         i++) {
      const int32_t from = g->states[s].label;
      if (from < 0 || g->labels[g->emit[i].label].is_entry != 0) continue;
      n_skips += g->labels[g->emit[i].label].hmm_state ==
                 g->labels[from].hmm_state + 2;
    }
  assert_true(n_skips > 0);
  sn_graph_destroy(g);
  unload(&f);
}

static void test_words_that_can_not_be_said_are_refused_or_dropped(
    void **state) {
  (void)state;
  if (!is_installed()) skip();
  fixture f = {0};
  sn_err err = {0};
  sn_graph_stats st = {0};
  static const char text[] =
      "#JSGF V1.0; grammar d; public <d> = yes | zzyzzx | no | qqrx;";
  static const char bad_phone[] = "yes Y EH S\nno N OW\nqqrx K XX R\n";
  load(&f, MODELS "/en-us", MODELS "/cmudict-en-us.dict");
  sn_lexicon_clear(&f.lex);
  char path[96];
  snprintf(path, sizeof path, "%s/graph", f.dir);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(bad_phone, file);
  fclose(file);
  assert_int_equal(sn_lexicon_load(path, NULL, &f.lex, &err), SN_OK);
  assert_int_equal(
      sn_grammar_parse_jsgf(text, strlen(text), "test", NULL, &f.grammar, &err),
      SN_OK);
  unlink(path);
  assert_int_equal(sn_graph_build(f.am, &f.lex, NULL, &f.grammar, &f.opts, NULL,
                                  f.graph, &st, &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "'zzyzzx', 'qqrx'"));
  assert_false(sn_file_exists(f.graph));
  f.opts.on_missing = SN_MISSING_DROP;
  sn_err_clear(&err);
  assert_int_equal(sn_graph_build(f.am, &f.lex, NULL, &f.grammar, &f.opts, NULL,
                                  f.graph, &st, &err),
                   SN_OK);
  assert_int_equal(st.n_missing_words, 2);
  unload(&f);
}

/* A model of two words, and a phrase of two others beside it. */
static void test_phrases_can_be_said_beside_an_n_gram_model(void **state) {
  static const char arpa[] =
      "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-0.5 </s>\n-99 <s> -0.4\n"
      "-0.4 yes -0.3\n-0.6 no\n\n\\2-grams:\n-0.2 <s> yes\n-0.3 yes no\n\n"
      "\\end\\\n";
  static const char text[] = "#JSGF V1.0; grammar p; public <p> = seven eight;";
  (void)state;
  if (!is_installed()) skip();
  fixture f = {0};
  sn_err err = {0};
  sn_ngram *lm = NULL;
  sn_graph *g = NULL;
  sn_graph_stats st = {0};
  load(&f, MODELS "/en-us", MODELS "/cmudict-en-us.dict");
  f.opts.fillers = false;
  assert_int_equal(
      sn_ngram_load_memory(arpa, sizeof arpa - 1, "arpa", &lm, &err), SN_OK);
  assert_int_equal(
      sn_grammar_parse_jsgf(text, strlen(text), "p", NULL, &f.grammar, &err),
      SN_OK);
  if (sn_graph_build(f.am, &f.lex, lm, &f.grammar, &f.opts, NULL, f.graph, &st,
                     &err) != SN_OK ||
      sn_graph_open(f.graph, &g, &err) != SN_OK ||
      sn_graph_verify(g, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(g->n_words, 4);
  assert_string_equal(sn_graph_meta(g, "grammar"), "p");
  assert_string_equal(sn_graph_meta(g, "ngrams"), "6");
  /* "yes seven eight no": yes after <s>, its back-off, in, the phrase, out,
   * no without history, which leaves none, and the end. */
  static const char *const words[] = {"yes", "seven", "eight", "no"};
  const double lm_cost = (0.2 + 0.3 + 0.6 + 0.5) * log(10) +
                         -log(f.opts.grammar_weight) + cost_of(&f, words, 4);
  double best = HUGE_VAL;
  walk_words(g, g->start, 0, words, 4, &best);
  /* Rounding as above. */
  assert_true(fabs(best - lm_cost) < 120.0 / 16384 / 2);
  sn_graph_destroy(g);
  sn_ngram_destroy(lm);
  unload(&f);
}

/* Whole sentences of a grammar beside those of an n-gram model, through the
 * compiled graph: each costs what ARPA file or grammar say, and its weight. */
static void test_a_graph_has_the_sentences_of_model_and_grammar(void **state) {
  static const char arpa[] =
      "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-0.5 </s>\n-99 <s> -0.4\n"
      "-0.4 yes -0.3\n-0.6 no\n\n\\2-grams:\n-0.2 <s> yes\n-0.3 yes no\n\n"
      "\\end\\\n";
  static const char text[] =
      "#JSGF V1.0; grammar p; public <p> = /3/ seven eight | /1/ no;";
  static const struct {
    const char *words[3];
    int n;
    double nats; /* without pronunciations; below 0: can not be said */
  } cases[] = {
      {{"yes", "no"}, 2, (0.2 + 0.3 + 0.5) * 2.302585093 + 0.3566749439},
      {{"no", "yes"},
       2,
       (0.4 + 0.6 + 0.4 + 0.3 + 0.5) * 2.302585093 + 0.3566749439},
      {{"seven", "eight"}, 2, 0.2876820724 + 1.2039728043},
      {{"no"}, 1, 1.3862943611 + 1.2039728043}, /* by the grammar: cheaper */
      {{"yes", "seven", "eight"}, 3, -1},
      {{"seven"}, 1, -1},
  };
  (void)state;
  if (!is_installed()) skip();
  fixture f = {0};
  sn_err err = {0};
  sn_ngram *lm = NULL;
  sn_graph *g = NULL;
  sn_graph_stats st = {0};
  load(&f, MODELS "/en-us", MODELS "/cmudict-en-us.dict");
  f.opts.fillers = false;
  f.opts.grammar_weight = 0.3;
  f.opts.grammar_place = SN_PLACE_SENTENCE;
  assert_int_equal(
      sn_ngram_load_memory(arpa, sizeof arpa - 1, "arpa", &lm, &err), SN_OK);
  assert_int_equal(
      sn_grammar_parse_jsgf(text, strlen(text), "p", NULL, &f.grammar, &err),
      SN_OK);
  if (sn_graph_build(f.am, &f.lex, lm, &f.grammar, &f.opts, NULL, f.graph, &st,
                     &err) != SN_OK ||
      sn_graph_open(f.graph, &g, &err) != SN_OK ||
      sn_graph_verify(g, &err) != SN_OK)
    fail_msg("%s", err.msg);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double best = HUGE_VAL;
    walk_words(g, g->start, 0, cases[i].words, cases[i].n, &best);
    if (cases[i].nats < 0) {
      assert_true(best == HUGE_VAL);
      continue;
    }
    const double want = cases[i].nats + cost_of(&f, cases[i].words, cases[i].n);
    assert_true(fabs(best - want) < 120.0 / 16384 / 2);
  }
  sn_graph_destroy(g);
  sn_ngram_destroy(lm);
  unload(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sentences_of_goforward_cost_what_they_should),
      cmocka_unit_test(test_models_with_skips_make_graphs),
      cmocka_unit_test(test_phrases_can_be_said_beside_an_n_gram_model),
      cmocka_unit_test(test_a_graph_has_the_sentences_of_model_and_grammar),
      cmocka_unit_test(test_words_that_can_not_be_said_are_refused_or_dropped),
  };
  if (!is_installed()) return 77;
  return cmocka_run_group_tests(tests, NULL, NULL);
}
