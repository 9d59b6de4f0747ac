/* SPDX-License-Identifier: Apache-2.0 */
/* Grammars: what they accept and how likely, against recursion over the tree;
 * the grammars of pocketsphinx-testdata; faults with their line. */
#include "lm/grammar.h"

#include <math.h>

#include "base/mem.h"
#include "lm_support.h"
#include "tests/ref/jsgf_ref.h"

#define DATA "/usr/share/pocketsphinx/test/data/"
#define HEAD "#JSGF V1.0;\ngrammar g;\n"

static sn_grammar parse(const char *text) {
  sn_grammar g;
  sn_err err = {0};
  must(sn_grammar_parse_jsgf(text, strlen(text), "g.gram", NULL, &g, &err),
       &err);
  return g;
}

/* Sum over all paths from `state` that say words[i .. n), each state and i
 * once. Ends because there are no cycles of epsilon arcs. */
typedef struct path_sums {
  const sn_grammar *g;
  const int32_t *words;
  int n;
  double *memo; /* [states][n + 1], -1: not known */
} path_sums;

static double path_sum(const path_sums *p, int32_t state, int i) {
  double *const memo = p->memo + state * (p->n + 1) + i;
  if (*memo >= 0.0) return *memo;
  double sum = state == p->g->final && i == p->n ? 1.0 : 0.0;
  for (size_t k = 0; k < p->g->arcs.n; k++) {
    const sn_grammar_arc *const a = &p->g->arcs.data[k];
    if (a->from != state) continue;
    if (a->word < 0)
      sum += exp((double)a->logp) * path_sum(p, a->to, i);
    else if (i < p->n && a->word == p->words[i])
      sum += exp((double)a->logp) * path_sum(p, a->to, i + 1);
  }
  return *memo = sum;
}

static double probability(const sn_grammar *g, const char *sentence) {
  int32_t words[64];
  int n = 0;
  sn_span rest = sn_span_of(sentence), field;
  while (sn_next_field(&rest, &field)) {
    words[n] = sn_symtab_find(g->words, field.p, field.n);
    if (words[n++] < 0) return 0.0;
  }
  path_sums p = {g, words, n, NULL};
  const size_t size = (size_t)g->n_states * (size_t)(n + 1);
  p.memo = malloc(size * sizeof *p.memo);
  for (size_t i = 0; i < size; i++) p.memo[i] = -1.0;
  const double sum = path_sum(&p, g->start, 0);
  free(p.memo);
  return sum;
}

/* ---- Laws of every automaton ---- */

/* No epsilon cycle: repeatedly leave out states without epsilon arcs into
 * them. Everything lies between start and final. */
static void check_shape(const sn_grammar *g) {
  const size_t n = (size_t)g->n_states;
  int *const in = calloc(n, sizeof *in);
  bool *const forward = calloc(n, sizeof *forward);
  bool *const backward = calloc(n, sizeof *backward);
  forward[g->start] = backward[g->final] = true;
  for (size_t i = 0; i < g->arcs.n; i++) {
    const sn_grammar_arc *const a = &g->arcs.data[i];
    assert_in_range(a->from, 0, n - 1);
    assert_in_range(a->to, 0, n - 1);
    assert_true(a->word < sn_symtab_n(g->words));
    assert_true(a->logp <= 1e-6f && isfinite(a->logp));
    if (a->word < 0) in[a->to]++;
  }
  bool is_changed = true;
  while (is_changed) {
    is_changed = false;
    for (size_t i = 0; i < g->arcs.n; i++) {
      const sn_grammar_arc *const a = &g->arcs.data[i];
      if (forward[a->from] && !forward[a->to])
        forward[a->to] = is_changed = true;
      if (backward[a->to] && !backward[a->from])
        backward[a->from] = is_changed = true;
    }
    for (size_t s = 0; s < n; s++)
      if (in[s] == 0) {
        in[s] = -1;
        is_changed = true;
        for (size_t i = 0; i < g->arcs.n; i++)
          if (g->arcs.data[i].from == (int32_t)s && g->arcs.data[i].word < 0)
            in[g->arcs.data[i].to]--;
      }
  }
  for (size_t s = 0; s < n; s++) {
    assert_int_equal(in[s], -1);
    assert_true(forward[s] && backward[s]);
  }
  free(in);
  free(forward);
  free(backward);
}

static void test_random_grammars_give_each_sentence_its_probability(
    void **state) {
  (void)state;
  static ref_jsgf ref;
  static char text[65536];
  int n_exact = 0, n_recursive = 0;
  for (uint64_t seed = 0; seed < 400; seed++) {
    ref_make(&ref, seed);
    ref_text(&ref, text);
    sn_grammar g;
    sn_err err = {0};
    const sn_status s =
        sn_grammar_parse_jsgf(text, strlen(text), "g", NULL, &g, &err);
    /* Recursion without an end, or not at the end after all. */
    if (s == SN_EFORMAT && (strstr(err.msg, "no sentence") != NULL ||
                            strstr(err.msg, "in the middle") != NULL))
      continue;
    if (s != SN_OK) fail_msg("seed %d: %s\n%s", (int)seed, err.msg, text);
    check_shape(&g);
    /* All sentences of up to 5 letters. */
    for (int n = 0; n <= 5; n++)
      for (unsigned bits = 0; bits < 1u << n; bits++) {
        char letters[8] = {0}, sentence[16] = {0};
        for (int i = 0; i < n; i++) {
          letters[i] = (char)('a' + (bits >> i & 1));
          sentence[2 * i] = letters[i];
          sentence[2 * i + 1] = ' ';
        }
        ref_forget(&ref);
        const double want = ref_inside(&ref, ref.rule[0], letters, 0, n);
        const double got = probability(&g, sentence);
        /* Floats of a few arcs: 1e-6 of it. */
        const bool is_same = ref.has_null_loop
                                 ? (got > 0.0) == (want > 0.0)
                                 : fabs(got - want) <= 1e-5 * want;
        if (!is_same)
          fail_msg("seed %d, '%s': %.9g instead of %.9g\n%s", (int)seed,
                   letters, got, want, text);
      }
    n_exact += !ref.has_null_loop;
    n_recursive += ref.n_rules > 1;
    sn_grammar_clear(&g);
  }
  print_message("%d grammars with exact weights, %d of several rules\n",
                n_exact, n_recursive);
  assert_true(n_exact > 150 && n_recursive > 100);
}

/* ---- Single constructs ---- */

static void check_sentences(const char *text, const char *const *yes,
                            const char *const *no) {
  sn_grammar g = parse(text);
  check_shape(&g);
  for (; *yes != NULL; yes++)
    if (!(probability(&g, *yes) > 0.0))
      fail_msg("'%s' is refused by %s", *yes, text);
  for (; *no != NULL; no++)
    if (probability(&g, *no) > 0.0)
      fail_msg("'%s' is accepted by %s", *no, text);
  sn_grammar_clear(&g);
}

#define LIST(...) \
  (const char *const[]) { __VA_ARGS__, NULL }

static void test_constructs_accept_what_they_say(void **state) {
  (void)state;
  check_sentences(HEAD "public <a> = x [y] (z | w)*;",
                  LIST("x", "x y", "x z w z", "x y w"),
                  LIST("", "y", "x y y", "x z y"));
  check_sentences(HEAD "public <a> = (x y)+ ;", LIST("x y", "x y x y"),
                  LIST("", "x", "x y x"));
  check_sentences(HEAD "public <a> = \"new york\" | \"don't\" {tag \\} {} ;",
                  LIST("new york", "don't"), LIST("new", "york"));
  check_sentences(HEAD "public <a> = x | <NULL> | y <VOID>;", LIST("x", ""),
                  LIST("y"));
  check_sentences(HEAD "public <a> = /0/ x | /3/ y | z;", LIST("y", "z"),
                  LIST("x"));
  check_sentences(HEAD "public <a> = x; <b> = y; public <c> = z <b>;",
                  LIST("x", "z y"), LIST("y", "z"));
  check_sentences(HEAD "public <a> = x <a> | y;", LIST("y", "x x x y"),
                  LIST("", "x", "y y"));
  check_sentences(HEAD "public <a> = x <b>; <b> = y <a> | z [<b>];",
                  LIST("x z", "x y x z", "x z z y x z"),
                  LIST("x y", "z", "x z x z"));
  check_sentences(HEAD "public <a> = (<b>) w; <b> = x <b> | y;",
                  LIST("y w", "x x y w"), LIST("y", "x w", "y w y w"));
  check_sentences(HEAD "public <a> = ([x]*)+ y;", LIST("y", "x x y"),
                  LIST("x", "y y"));
  check_sentences(HEAD "public <a> = [x] <a> | y;", LIST("y", "x x y"),
                  LIST("x", ""));
  check_sentences(
      "#JSGF v1.0 UTF-8 en;\r\ngrammar a.b.g;\r\n/* c\n */ public"
      " <a>\n=\n<a.b.g.z> ; // end\r\n<z> = \xc3\xa9t\xc3\xa9;",
      LIST("\xc3\xa9t\xc3\xa9"), LIST("z"));
}

static void test_case_of_words_is_kept(void **state) {
  (void)state;
  sn_grammar g = parse(HEAD "public <a> = Paris | paris;");
  assert_int_equal(sn_symtab_n(g.words), 2);
  assert_string_equal(g.name, "g");
  sn_grammar_clear(&g);
}

static void test_weights_are_shares(void **state) {
  (void)state;
  sn_grammar g = parse(HEAD "public <a> = /1/ x | /3.0/ (/8/ y | /2/ z);");
  assert_true(fabs(probability(&g, "x") - 0.25) < 1e-6);
  assert_true(fabs(probability(&g, "y") - 0.6) < 1e-6);
  sn_grammar_clear(&g);
}

static void test_a_chosen_rule_may_be_private(void **state) {
  (void)state;
  static const char text[] = HEAD "public <a> = x; <b> = y;";
  sn_grammar g;
  sn_err err = {0};
  must(sn_grammar_parse_jsgf(text, sizeof text - 1, "g", "b", &g, &err), &err);
  assert_true(probability(&g, "y") > 0.99);
  sn_grammar_clear(&g);
  assert_int_equal(
      sn_grammar_parse_jsgf(text, sizeof text - 1, "g", "c", &g, &err),
      SN_EARG);
  assert_non_null(strstr(err.msg, "<c>"));
}

/* 1000 alternatives stay 1000 arcs; a chain of 5000 rules is no recursion in
 * the machine. */
static void test_large_grammars_stay_small(void **state) {
  (void)state;
  sn_str text = {0};
  must(sn_str_adds(&text, HEAD "public <a> = w0", NULL), NULL);
  for (int i = 1; i < 1000; i++)
    must(sn_str_addf(&text, NULL, " | w%d", i), NULL);
  must(sn_str_adds(&text, ";", NULL), NULL);
  sn_grammar g = parse(sn_str_get(&text));
  assert_int_equal(g.arcs.n, 1000);
  assert_int_equal(g.n_states, 2);
  sn_grammar_clear(&g);
  sn_str_reset(&text);
  must(sn_str_adds(&text, HEAD "public <r0> = a <r1>;", NULL), NULL);
  for (int i = 1; i < 5000; i++)
    must(sn_str_addf(&text, NULL, "<r%d> = a <r%d> | b;\n", i, i + 1), NULL);
  must(sn_str_adds(&text, "<r5000> = c;", NULL), NULL);
  g = parse(sn_str_get(&text));
  assert_int_equal(g.n_states, 5002);
  assert_int_equal(g.arcs.n, 10000);
  sn_grammar_clear(&g);
  sn_str_clear(&text);
}

/* ---- Real ones ---- */

static void test_the_grammars_of_testdata_load(void **state) {
  (void)state;
  if (access(DATA "cards/cards.gram", R_OK) != 0) {
    print_message("SKIPPED: no " DATA "\n");
    skip();
  }
  sn_grammar g;
  sn_err err = {0};
  must(sn_grammar_load_jsgf(DATA "goforward.gram", NULL, &g, &err), &err);
  assert_true(probability(&g, "go forward ten meters") > 0.0);
  assert_true(probability(&g, "go backward two") > 0.0);
  assert_true(probability(&g, "go up two") == 0.0);
  sn_grammar_clear(&g);
  must(sn_grammar_load_jsgf(DATA "goforward.gram", "move2", &g, &err), &err);
  sn_grammar_clear(&g);
  must(sn_grammar_load_jsgf(DATA "cards/cards.gram", NULL, &g, &err), &err);
  check_shape(&g);
  static const char *const said[] = {
      "ten of clubs", "four queen of clubs", "four of hearts five of hearts",
      "six of hearts queen of hearts king clubs", "ten ten"};
  for (size_t i = 0; i < sizeof said / sizeof *said; i++)
    assert_true(probability(&g, said[i]) > 0.0);
  assert_true(probability(&g, "ten of") == 0.0);
  sn_grammar_clear(&g);
  must(sn_grammar_load_jsgf(DATA "defective.gram", NULL, &g, &err), &err);
  assert_true(probability(&g, "really_bad_word") > 0.99);
  sn_grammar_clear(&g);
}

/* ---- Faults ---- */

static void test_each_fault_is_refused_with_its_line(void **state) {
  (void)state;
  static const struct {
    const char *text, *message;
  } faults[] = {
      {"", "g.gram:1: expected '#JSGF V1.0;'"},
      {"grammar g;", "g.gram:1: expected '#JSGF V1.0;'"},
      {"#JSGF V1.0\ngrammar g;", "g.gram:1: expected ';' behind"},
      {"#JSGF V2.0;\ngrammar g;", "g.gram:1: only JSGF V1.0"},
      {"#JSGF V1.0 ISO8859-1;\ngrammar g;", "g.gram:1: the encoding"},
      {"#JSGF V1.0;\npublic <a> = x;", "g.gram:2: expected 'grammar NAME;'"},
      {"#JSGF V1.0;\ngrammar g\npublic <a> = x;", "g.gram:3: expected ';'"},
      {HEAD, "no rule is public"},
      {HEAD "<a> = x;", "no rule is public"},
      {HEAD "import <com.acme.x>;\npublic <a> = x;",
       "g.gram:3: import <com.acme.x>: imports are not supported"},
      {HEAD "public <a> = x\n\n<b> = y;",
       "g.gram:5: expected ';' after a "
       "rule, found '='"},
      {HEAD "public <a> = x", "g.gram:3: the file ends where ';'"},
      {HEAD "public <a> = ;", "g.gram:3: expected a word"},
      {HEAD "public <a> = x | ;", "g.gram:3: expected a word"},
      {HEAD "public <a> = x\n(y ;", "g.gram:4: this '(' is not closed"},
      {HEAD "public <a> = x\n[y );", "g.gram:4: this '[' is not closed"},
      {HEAD "public <a> = x {tag;\n", "g.gram:3: this tag '{' is not closed"},
      {HEAD "public <a> = \"x;\n", "g.gram:3: a quoted text is not closed"},
      {HEAD "public <a> = \" \";\n", "g.gram:3: a quoted text without a word"},
      {HEAD "public <a> = x; /* \n", "g.gram:3: this comment is not closed"},
      {HEAD "public <a> = /x/ x;", "g.gram:3: a weight is written /NUMBER/"},
      {HEAD "public <a> = /-1/ x;", "g.gram:3: a weight is written /NUMBER/"},
      {HEAD "public <a> = /nan/ x;", "g.gram:3: a weight is written /NUMBER/"},
      {HEAD "public <a = x;", "g.gram:3: '<' without '>'"},
      {HEAD "public <> = x;", "g.gram:3: a rule needs a name"},
      {HEAD "public <NULL> = x;", "g.gram:3: <NULL> can not be defined"},
      {HEAD "public <a> = x;\n<a> = y;",
       "g.gram:4: <a> is defined already on line 3"},
      {HEAD "public <a> = x\n| <colour>;\n<color> = y;",
       "g.gram:4: the rule <colour> is not defined; did you mean <color>?"},
      {HEAD "public <a> = x\n| <zzzzzzzz>;",
       "g.gram:4: the rule <zzzzzzzz> is not defined"},
      {HEAD "public <a> = <a> x | y;",
       "g.gram:3: <a> refers to itself through <a> on the left"},
      {HEAD "public <a> = <a> | y;", "on the left"},
      {HEAD "public <a> = <b> x | y;\n<b> = <c>;\n<c> = (z | <a>);",
       "on the left"},
      {HEAD "public <a> = x\n<a> y | z;",
       "g.gram:4: <a> refers to itself through <a> in the middle"},
      {HEAD "public <a> = x <b> y | z;\n<b> = w <a>;",
       "g.gram:3: <a> refers to itself through <b> in the middle"},
      {HEAD "public <a> = x (y <a>)* | z;", "in the middle"},
      {HEAD "public <a> = x <a>;", "accepts no sentence"},
      {HEAD "public <a> = <VOID>;", "accepts no sentence"},
      {HEAD "public <a> = /0/ x;", "accepts no sentence"},
      {HEAD "private <a> = x;", "g.gram:3: expected '<RULE> = ...;'"},
      {HEAD "public <a> = x;\nhello", "g.gram:4: expected '<RULE> = ...;'"},
      {HEAD "public <a> = x \xff;", "g.gram:3: not UTF-8"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    sn_grammar g;
    sn_err err = {0};
    if (sn_grammar_parse_jsgf(faults[i].text, strlen(faults[i].text), "g.gram",
                              NULL, &g, &err) == SN_OK)
      fail_msg("accepted: %s", faults[i].text);
    assert_null(g.words);
    if (strstr(err.msg, faults[i].message) == NULL)
      fail_msg("'%s' not in '%s'", faults[i].message, err.msg);
  }
}

static void test_grammars_that_explode_or_nest_are_limits(void **state) {
  (void)state;
  sn_str text = {0};
  must(sn_str_adds(&text, HEAD "public <r0> = <r1> <r1>;", NULL), NULL);
  for (int i = 1; i < 60; i++)
    must(sn_str_addf(&text, NULL, "<r%d> = <r%d> <r%d>;\n", i, i + 1, i + 1),
         NULL);
  must(sn_str_adds(&text, "<r60> = c;", NULL), NULL);
  sn_grammar g;
  sn_err err = {0};
  assert_int_equal(
      sn_grammar_parse_jsgf(text.data, text.n, "g", NULL, &g, &err), SN_ELIMIT);
  sn_str_reset(&text);
  must(sn_str_adds(&text, HEAD "public <a> = ", NULL), NULL);
  for (int i = 0; i < 100000; i++) must(sn_str_adds(&text, "(", NULL), NULL);
  sn_err_clear(&err);
  assert_int_equal(
      sn_grammar_parse_jsgf(text.data, text.n, "g", NULL, &g, &err), SN_ELIMIT);
  sn_str_reset(&text);
  must(sn_str_adds(&text, HEAD "public <a> = x", NULL), NULL);
  for (int i = 0; i < 100000; i++) must(sn_str_adds(&text, "+", NULL), NULL);
  sn_err_clear(&err);
  assert_int_equal(
      sn_grammar_parse_jsgf(text.data, text.n, "g", NULL, &g, &err), SN_ELIMIT);
  /* 3000 rules within each other's middle. */
  sn_str_reset(&text);
  must(sn_str_adds(&text, HEAD "public <r0> = a <r1> b;", NULL), NULL);
  for (int i = 1; i < 3000; i++)
    must(sn_str_addf(&text, NULL, "<r%d> = a <r%d> b;\n", i, i + 1), NULL);
  must(sn_str_adds(&text, "<r3000> = c;", NULL), NULL);
  sn_err_clear(&err);
  assert_int_equal(
      sn_grammar_parse_jsgf(text.data, text.n, "g", NULL, &g, &err), SN_ELIMIT);
  sn_str_clear(&text);
}

static void test_cut_and_altered_texts_never_crash(void **state) {
  (void)state;
  static const char text[] = HEAD
      "public <a> = /2/ x {t} [y] | \"q r\" <b>; // c\n<b> = (z | w)* <a>"
      " | /0.5/ v+;";
  char copy[sizeof text];
  for (size_t i = 0; i < sizeof text; i++)
    for (int how = 0; how < 10; how++) {
      memcpy(copy, text, sizeof text);
      size_t n = sizeof text - 1;
      if (how == 0)
        n = i;
      else if (how == 1)
        copy[i] = '\0';
      else
        copy[i] ^= (char)(1u << (how - 2));
      sn_grammar g;
      sn_err err = {0};
      const sn_status s = sn_grammar_parse_jsgf(copy, n, "g", NULL, &g, &err);
      if (s == SN_OK) check_shape(&g);
      if (s == SN_OK) sn_grammar_clear(&g);
      if (s != SN_OK) assert_true(err.msg[0] != '\0');
    }
}

static void test_every_failed_allocation_is_reported(void **state) {
  (void)state;
  static const char text[] =
      HEAD "public <a> = x [y] <b>+; <b> = (z | w)* | v <b>;";
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_grammar g;
    sn_err err = {0};
    sn_mem_fail_after(k);
    const sn_status s =
        sn_grammar_parse_jsgf(text, sizeof text - 1, "g", NULL, &g, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (fired) assert_int_equal(s, SN_ENOMEM);
    if (s == SN_OK) sn_grammar_clear(&g);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
  }
}

/* ---- Word lists ---- */

static sn_status load_list(const char *text, sn_grammar *g, sn_err *err) {
  const char *const path = temp_path("words.txt");
  FILE *const f = fopen(path, "wb");
  fputs(text, f);
  fclose(f);
  const sn_status s = sn_grammar_load_words(path, g, err);
  unlink(path);
  return s;
}

static void test_word_lists_accept_any_sequence_of_phrases(void **state) {
  (void)state;
  sn_grammar g;
  sn_err err = {0};
  must(load_list("# commands\r\nopen  door\nStop\n\n stop \nopen door\n", &g,
                 &err),
       &err);
  check_shape(&g);
  assert_int_equal(sn_symtab_n(g.words), 4);
  /* Three phrases and the end: 1/4 each. */
  assert_true(fabs(probability(&g, "Stop") - 0.25 * 0.25) < 1e-6);
  assert_true(fabs(probability(&g, "open door stop") - 0.25 * 0.25 * 0.25) <
              1e-6);
  assert_true(fabs(probability(&g, "") - 0.25) < 1e-6);
  assert_true(probability(&g, "open") == 0.0);
  sn_grammar_clear(&g);
  assert_int_equal(load_list("# nothing\n\n", &g, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "no words"));
  sn_err_clear(&err);
  assert_int_equal(load_list("a\nb \xff\n", &g, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, ":2: not UTF-8"));
  sn_err_clear(&err);
  assert_int_equal(sn_grammar_load_words("/nowhere", &g, &err), SN_EIO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_random_grammars_give_each_sentence_its_probability),
      cmocka_unit_test(test_constructs_accept_what_they_say),
      cmocka_unit_test(test_case_of_words_is_kept),
      cmocka_unit_test(test_weights_are_shares),
      cmocka_unit_test(test_a_chosen_rule_may_be_private),
      cmocka_unit_test(test_large_grammars_stay_small),
      cmocka_unit_test(test_the_grammars_of_testdata_load),
      cmocka_unit_test(test_each_fault_is_refused_with_its_line),
      cmocka_unit_test(test_grammars_that_explode_or_nest_are_limits),
      cmocka_unit_test(test_cut_and_altered_texts_never_crash),
      cmocka_unit_test(test_every_failed_allocation_is_reported),
      cmocka_unit_test(test_word_lists_accept_any_sequence_of_phrases),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
