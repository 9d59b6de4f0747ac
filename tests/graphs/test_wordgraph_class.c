/* SPDX-License-Identifier: Apache-2.0 */
/* Classes in G: a sentence costs what the n-gram model says of the sentence
 * with classes' names, and what the members cost in their classes, for every
 * way of reading it. */
#include <math.h>

#include "base/io.h"
#include "base/mem.h"
#include "graphs/build_internal.h"
#include "tests/lm/lm_support.h"

/* A sentence of 7 words: 7 * 7 floats of at most 32 nats, rounded thrice:
 * 50 * 32 * 3 * 2^-24. */
static const double tolerance = 3e-4;

static const char *const vocabulary[] = {"w2", "w3", "v", "x", "y"};
enum { N_VOCABULARY = 5, MAX_WORDS = 6, N_CLASSES = 2, MAX_TOKENS = 16 };

/* Members by hand: what the files below say. w3 is a word of the model too. */
typedef struct phrase {
  const char *words[3];
  double p;
} phrase;
static const char city_list[] = "# cities\nx\t2\nx y\t1\n\nx y x\t1\nw3\t4\n";
static const phrase city[] = {{{"x"}, 0.25},
                              {{"x", "y"}, 0.125},
                              {{"x", "y", "x"}, 0.125},
                              {{"w3"}, 0.5}};
static const char name_gram[] =
    "#JSGF V1.0; grammar n; public <n> = /3/ v [y] | /1/ w2 w2;";
static const phrase name[] = {
    {{"v"}, 0.375}, {{"v", "y"}, 0.375}, {{"w2", "w2"}, 0.25}};
/* The same with $NAME in $CITY: all that it then stands for. */
static const char nested_list[] = "x $NAME\t2\n$NAME\t1\nw3\t1\n";
static const phrase nested[] = {{{"x", "v"}, 0.1875},
                                {{"x", "v", "y"}, 0.1875},
                                {{"x", "w2", "w2"}, 0.125},
                                {{"v"}, 0.25 * 0.375},
                                {{"v", "y"}, 0.25 * 0.375},
                                {{"w2", "w2"}, 0.0625},
                                {{"w3"}, 0.25}};

typedef struct city_class {
  const char *text;
  const phrase *list;
  size_t n;
} city_class;
static const city_class flat_city = {city_list, city, 4},
                        nested_city = {nested_list, nested, 7};

typedef struct fixture {
  const city_class *city;
  sn_lexicon lex;
  sn_ngram *lm;
  bool has_pron[N_VOCABULARY + 4];
  sn_graph_opts opts;
  sn_word_classes classes;
  sni_missing missing;
  sni_wordgraph members[N_CLASSES];
  sni_wordgraph g;
} fixture;

static void put(const char *path, const char *text) {
  FILE *const f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static void load_classes(fixture *f, const city_class *cities) {
  sn_err err = {0};
  char spec[1200], path[2][512];
  snprintf(path[0], sizeof path[0], "%s", temp_path("city.txt"));
  snprintf(path[1], sizeof path[1], "%s", temp_path("name.gram"));
  put(path[0], cities->text);
  put(path[1], name_gram);
  snprintf(spec, sizeof spec, " CITY = %s,$NAME=%s", path[0], path[1]);
  must(sn_word_classes_load(spec, &f->classes, &err), &err);
  assert_int_equal(f->classes.n, N_CLASSES);
  assert_string_equal(f->classes.list[1].token, "$NAME");
  unlink(path[0]);
  unlink(path[1]);
  f->city = cities;
}

/* A random model over w2, w3 and the classes: w4 is $CITY, w5 $NAME. */
static void open_model_of(fixture *f, int order, uint64_t seed,
                          const city_class *cities) {
  const random_lm shape = {.order = order,
                           .n_words = 6,
                           .keep = 0.5,
                           .missing_prefixes = seed % 2 ? 0.3 : 0.0};
  const char *phones[] = {"a"};
  sn_err err = {0};
  sn_str text = {0};
  char *const arpa = random_arpa(&shape, seed);
  memset(f, 0, sizeof *f);
  for (const char *p = arpa; *p != '\0'; p++) {
    const char *const token = strncmp(p, "w4", 2) == 0   ? "$CITY"
                              : strncmp(p, "w5", 2) == 0 ? "$NAME"
                                                         : NULL;
    if (token != NULL) {
      must(sn_str_adds(&text, token, NULL), NULL);
      p++;
    } else {
      must(sn_str_add(&text, p, 1, NULL), NULL);
    }
  }
  free(arpa);
  f->lm = load_text(sn_str_get(&text));
  sn_str_clear(&text);
  must(sn_lexicon_init(&f->lex, &err), &err);
  for (int i = 0; i < N_VOCABULARY; i++)
    must(sn_lexicon_add(&f->lex, vocabulary[i], 0, phones, 1, &err), &err);
  must(sn_lexicon_group(&f->lex, &err), &err);
  for (int i = 0; i < N_VOCABULARY; i++) f->has_pron[i] = true;
  sn_opt_defaults(sn_graph_opt_table, &f->opts);
  load_classes(f, cities);
}

static void open_model(fixture *f, int order, uint64_t seed) {
  open_model_of(f, order, seed, &flat_city);
}

static sn_status build(fixture *f, sn_err *err) {
  sn_status s = sni_wordgraph_ngram(f->lm, &f->lex, f->has_pron, &f->opts,
                                    &f->classes, NULL, &f->missing, &f->g, err);
  for (size_t k = 0; k < N_CLASSES && s == SN_OK; k++)
    s = sni_wordgraph_grammar(&f->classes.list[k].members, &f->lex, f->has_pron,
                              &f->opts, NULL, &f->missing, &f->members[k], err);
  if (s == SN_OK)
    s = sni_wordgraph_insert_classes(&f->g, f->members, N_CLASSES, err);
  return s;
}

static void close_model(fixture *f) {
  for (size_t k = 0; k < N_CLASSES; k++) sni_wordgraph_clear(&f->members[k]);
  sni_wordgraph_clear(&f->g);
  sn_word_classes_clear(&f->classes);
  sn_ngram_destroy(f->lm);
  sn_lexicon_clear(&f->lex);
  sn_str_clear(&f->missing.names);
}

/* ---- The formula ---- */

/* The cheapest way of scoring tokens behind a history: before each one the
 * history may be cut, at what backing off costs (best) or only where the
 * n-gram is not listed (not best: the model's own probability). */
static double model_cost(const sn_ngram *lm, sn_ngram_state h,
                         const int32_t *tokens, int n, bool best) {
  const int32_t w = n > 0 ? tokens[0] : sn_ngram_eos(lm);
  double least = HUGE_VAL, backed = 0;
  for (;;) {
    sn_ngram_state next;
    const double own = -sn_ngram_score(lm, h, w, &next, NULL);
    const double rest =
        n > 0 ? model_cost(lm, next, tokens + 1, n - 1, best) : 0;
    least = fmin(least, backed + own + rest);
    if (!best || h.level == 0) return least;
    backed -= sn_ngram_node_backoff(lm, h.level, h.node);
    h = sn_ngram_backoff_state(lm, h);
  }
}

typedef struct reading {
  const fixture *f;
  int32_t tokens[MAX_TOKENS];
  int n;
  bool best;
  double cost;  /* of the members */
  double least; /* of all readings */
  int64_t n_readings;
} reading;

static void read_all(reading *r, const char *const *words, int n);

static void read_class(reading *r, const char *token, const phrase *list,
                       size_t n_list, const char *const *words, int n) {
  for (size_t i = 0; i < n_list; i++) {
    int k = 0;
    while (k < 3 && list[i].words[k] != NULL && k < n &&
           strcmp(list[i].words[k], words[k]) == 0)
      k++;
    if (k < 3 && list[i].words[k] != NULL) continue;
    r->tokens[r->n++] = sn_ngram_find(r->f->lm, token);
    r->cost -= log(list[i].p);
    read_all(r, words + k, n - k);
    r->cost += log(list[i].p);
    r->n--;
  }
}

static void read_all(reading *r, const char *const *words, int n) {
  if (n == 0) {
    const double own = model_cost(r->f->lm, sn_ngram_begin(r->f->lm), r->tokens,
                                  r->n, r->best);
    r->least = fmin(r->least, own + r->cost);
    r->n_readings++;
    return;
  }
  const int32_t w = sn_ngram_find(r->f->lm, words[0]);
  if (w >= 0) {
    r->tokens[r->n++] = w;
    read_all(r, words + 1, n - 1);
    r->n--;
  }
  read_class(r, "$CITY", r->f->city->list, r->f->city->n, words, n);
  read_class(r, "$NAME", name, 3, words, n);
}

/* ---- The graph ---- */

static double best_path(const sni_wordgraph *g, int32_t s, const int32_t *words,
                        int n) {
  double cost = n == 0 ? (double)g->final.data[s] : HUGE_VAL;
  for (uint32_t i = g->first.data[s]; i < g->first.data[s + 1]; i++) {
    const sni_g_arc *const a = &g->arcs.data[i];
    if (a->word >= 0 && (n == 0 || a->word != words[0])) continue;
    const double rest = a->word < 0 ? best_path(g, a->dest, words, n)
                                    : best_path(g, a->dest, words + 1, n - 1);
    cost = fmin(cost, (double)a->cost + rest);
  }
  return cost;
}

static void check_sentences(const city_class *cities) {
  int64_t n_ambiguous = 0;
  for (int order = 1; order <= 4; order++)
    for (uint64_t seed = 1; seed <= 6; seed++) {
      fixture f;
      sn_rng rng;
      sn_err err = {0};
      sn_rng_init(&rng, seed + 77);
      open_model_of(&f, order, seed, cities);
      must(build(&f, &err), &err);
      must(sni_wordgraph_check(&f.g, &err), &err);
      assert_int_equal(f.missing.n_words, 0);
      for (int k = 0; k < 60; k++) {
        const char *words[MAX_WORDS + 1];
        int32_t ids[MAX_WORDS + 1];
        const int n = (int)sn_rng_below(&rng, MAX_WORDS);
        for (int i = 0; i < n; i++) {
          words[i] = vocabulary[sn_rng_below(&rng, N_VOCABULARY)];
          ids[i] = sn_symtab_finds(f.g.words, words[i]);
          assert_true(ids[i] >= 0);
        }
        reading r = {.f = &f, .best = true, .least = HUGE_VAL};
        read_all(&r, words, n);
        const double got = best_path(&f.g, f.g.start, ids, n);
        if (!(got == r.least || fabs(got - r.least) < tolerance))
          fail_msg("order %d, seed %d, %d words: %.6f, not %.6f", order,
                   (int)seed, n, got, r.least);
        n_ambiguous += r.n_readings > 1;
      }
      close_model(&f);
    }
  assert_true(n_ambiguous > 100);
}

static void test_sentences_cost_what_model_and_classes_say(void **state) {
  (void)state;
  check_sentences(&flat_city);
}

static void test_a_class_within_a_class_stands_for_its_members(void **state) {
  (void)state;
  check_sentences(&nested_city);
  /* The model need not have it. */
  fixture f;
  sn_err err = {0};
  open_model_of(&f, 2, 1, &nested_city);
  assert_true(f.classes.list[1].is_part && !f.classes.list[0].is_part);
  f.classes.list[1].token[1] = 'X';
  must(sni_wordgraph_ngram(f.lm, &f.lex, f.has_pron, &f.opts, &f.classes, NULL,
                           &f.missing, &f.g, &err),
       &err);
  close_model(&f);
}

/* Loads classes A, B, C, D of these texts; the message is in *err. */
static sn_status load_four(const char *const *texts, sn_word_classes *c,
                           sn_err *err) {
  sn_str spec = {0};
  char path[4][512];
  for (int i = 0; i < 4; i++) {
    char file[24];
    snprintf(file, sizeof file, "part%d", i);
    snprintf(path[i], sizeof *path, "%s", temp_path(file));
    put(path[i], texts[i]);
    must(
        sn_str_addf(&spec, NULL, "%s%c=%s", i > 0 ? "," : "", 'A' + i, path[i]),
        NULL);
  }
  sn_err_clear(err);
  const sn_status s = sn_word_classes_load(sn_str_get(&spec), c, err);
  for (int i = 0; i < 4; i++) unlink(path[i]);
  sn_str_clear(&spec);
  return s;
}

static void test_classes_that_contain_themselves_are_refused(void **state) {
  (void)state;
  sn_word_classes c;
  sn_err err = {0};
  /* A is no part of the circle that it leads to; D is sound. */
  static const char *const round[] = {
      "x\nto $B\n", "v $C\n", "#JSGF V1.0; grammar c; public <c> = $B [$D];",
      "y\n"};
  assert_int_equal(load_four(round, &c, &err), SN_EARG);
  if (strstr(err.msg, "'$B' contains itself: $B -> $C -> $B;") == NULL)
    fail_msg("%s", err.msg);
  static const char *const own[] = {"x\n", "v\n$B v\n", "x\n", "x\n"};
  assert_int_equal(load_four(own, &c, &err), SN_EARG);
  if (strstr(err.msg, "'$B' contains itself: $B -> $B;") == NULL)
    fail_msg("%s", err.msg);
  /* 21 times 400 names with 400 names each. */
  sn_str wide[2] = {{0}};
  for (int i = 0; i < 400; i++) {
    must(sn_str_addf(&wide[0], NULL, "n%d $D\n", i), NULL);
    must(sn_str_addf(&wide[1], NULL, "m%d\n", i), NULL);
  }
  const char *const many[] = {
      "x\n",
      "$C\n$C $C\n$C $C $C\n$C $C $C $C\n$C $C $C $C $C\n$C $C $C $C $C $C\n",
      sn_str_get(&wide[0]), sn_str_get(&wide[1])};
  assert_int_equal(load_four(many, &c, &err), SN_EARG);
  if (strstr(err.msg, "class '$B': with the classes within it") == NULL)
    fail_msg("%s", err.msg);
  sn_str_clear(&wide[0]);
  sn_str_clear(&wide[1]);
}

/* Order 1: -ln p(w2) - ln p($CITY) - ln P(x y x in $CITY) - ln p(</s>). */
static void test_a_path_is_the_sum_of_model_and_member(void **state) {
  (void)state;
  fixture f;
  sn_err err = {0};
  open_model(&f, 1, 4);
  must(build(&f, &err), &err);
  const char *const words[] = {"w2", "x", "y", "x"};
  int32_t ids[4];
  for (int i = 0; i < 4; i++) ids[i] = sn_symtab_finds(f.g.words, words[i]);
  const sn_ngram_state empty = {0, 0};
  const double city_cost =
      -sn_ngram_score(f.lm, empty, sn_ngram_find(f.lm, "$CITY"), NULL, NULL);
  const double w2 =
      -sn_ngram_score(f.lm, empty, sn_ngram_find(f.lm, "w2"), NULL, NULL);
  const double end =
      -sn_ngram_score(f.lm, empty, sn_ngram_eos(f.lm), NULL, NULL);
  /* One city of three words, or two cities "x y" and "x". */
  const double one = city_cost - log(0.125);
  const double two = 2 * city_cost - log(0.125) - log(0.25);
  const double want = w2 + fmin(one, two) + end;
  const double got = best_path(&f.g, f.g.start, ids, 4);
  if (!(fabs(got - want) < tolerance)) fail_msg("%.6f, not %.6f", got, want);
  close_model(&f);
}

/* A class has one copy for each history that ends in it, however many n-grams
 * lead there. */
static void test_arcs_to_one_history_share_a_copy(void **state) {
  (void)state;
  fixture f;
  sn_err err = {0};
  sni_wordgraph before = {0};
  open_model(&f, 2, 2);
  must(sni_wordgraph_ngram(f.lm, &f.lex, f.has_pron, &f.opts, &f.classes, NULL,
                           &f.missing, &before, &err),
       &err);
  int64_t n_arcs = 0, n_states = before.n_states;
  for (size_t i = 0; i < before.arcs.n; i++)
    n_arcs += before.arcs.data[i].word < -1;
  must(build(&f, &err), &err);
  assert_true(n_arcs > 2 * N_CLASSES);
  /* At most two histories (the class's own, none) for each class of at most 3
   * states that go on. */
  assert_true(f.g.n_states <= n_states + N_CLASSES * 2 * 3);
  sni_wordgraph_clear(&before);
  close_model(&f);
}

static void test_faulty_classes_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *says;
  } files[] = {{"x\t1\ny\n", "weights stand in all lines or in none"},
               {"x\t0\n", "'0' is no weight"},
               {"x\tnan\n", "is no weight"},
               {"x\t\n", "is no weight"},
               {"x  y\t1\nx y\t2\n", "'x y' has a weight already"},
               {"\t1\n", "a weight without words"},
               {"a\x01\n", "control"},
               {"\xff\n", "UTF-8"},
               {"# only\n\n", "no words in it"},
               {"#JSGF V1.0; grammar n; public <n> = <m>;", "m"}};
  const char *const path = temp_path("faulty");
  char spec[600];
  sn_word_classes c;
  sn_err err = {0};
  snprintf(spec, sizeof spec, "C=%s", path);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    put(path, files[i].text);
    sn_err_clear(&err);
    assert_int_equal(sn_word_classes_load(spec, &c, &err), SN_EFORMAT);
    if (strstr(err.msg, files[i].says) == NULL || strstr(err.msg, "$C") == NULL)
      fail_msg("%s", err.msg);
  }
  unlink(path);
  static const char *const specs[] = {"C", "=x", "C=", "$=x", ",", "a b=x"};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    sn_err_clear(&err);
    assert_int_equal(sn_word_classes_load(specs[i], &c, &err), SN_EARG);
    assert_non_null(strstr(err.msg, "NAME=FILE"));
  }
  must(sn_word_classes_load("", &c, &err), &err);
  assert_int_equal(c.n, 0);
  sn_word_classes_clear(&c);
  /* A class that the model has no word for. */
  fixture f;
  open_model(&f, 2, 1);
  f.classes.list[1].token[1] = 'X';
  sn_err_clear(&err);
  assert_int_equal(build(&f, &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "'$XAME'"));
  close_model(&f);
}

static void test_running_out_of_memory_leaks_nothing(void **state) {
  (void)state;
  fixture f;
  open_model(&f, 2, 3);
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_mem_fail_after(k);
    const sn_status s = build(&f, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    for (size_t i = 0; i < N_CLASSES; i++) sni_wordgraph_clear(&f.members[i]);
    sni_wordgraph_clear(&f.g);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
    assert_true(k < 3000);
  }
  close_model(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sentences_cost_what_model_and_classes_say),
      cmocka_unit_test(test_a_class_within_a_class_stands_for_its_members),
      cmocka_unit_test(test_classes_that_contain_themselves_are_refused),
      cmocka_unit_test(test_a_path_is_the_sum_of_model_and_member),
      cmocka_unit_test(test_arcs_to_one_history_share_a_copy),
      cmocka_unit_test(test_faulty_classes_are_refused),
      cmocka_unit_test(test_running_out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
