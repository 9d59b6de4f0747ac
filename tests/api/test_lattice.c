/* SPDX-License-Identifier: Apache-2.0 */
/* Lattices, confidences, alternatives and the second pass through the API. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/senone.h"
#include "tests/api/fixture.h"

static fixture fix;
static char small_lm[96], full_lm[96], bad_lm[96];

static void ok(senone_status s, const senone_error *e) {
  if (s != SENONE_OK) fail_msg("status %d: %s", (int)s, e->message);
}

/* name, value, ..., NULL */
static senone_options *options(const char *name, ...) {
  senone_options *o = NULL;
  senone_error e = {0};
  va_list args;
  ok(senone_options_create(&o, &e), &e);
  ok(senone_options_set(o, "cmn", "batch", &e), &e);
  va_start(args, name);
  for (const char *n = name; n != NULL; n = va_arg(args, const char *))
    ok(senone_options_set(o, n, va_arg(args, const char *), &e), &e);
  va_end(args);
  return o;
}

static senone_model *load(const senone_options *o) {
  senone_model *m = NULL;
  senone_error e = {0};
  ok(senone_model_load(fix.dir, o, &m, &e), &e);
  return m;
}

static senone_result *recognise(senone_recognizer *r, int i, size_t chunk) {
  senone_error e = {0};
  senone_result *x = NULL;
  for (size_t at = 0; at < fix.n_cards[i]; at += chunk) {
    const size_t left = fix.n_cards[i] - at;
    ok(senone_recognizer_push_i16(r, fix.cards[i] + at,
                                  left < chunk ? left : chunk, 0, &e),
       &e);
  }
  ok(senone_recognizer_finish(r, &e), &e);
  ok(senone_recognizer_take_result(r, &x, &e), &e);
  return x;
}

static senone_recognizer *recognizer(const senone_model *m,
                                     const senone_options *o) {
  senone_recognizer *r = NULL;
  senone_error e = {0};
  ok(senone_recognizer_create(m, o, &r, &e), &e);
  return r;
}

static senone_lattice *lattice_of(senone_recognizer *r) {
  senone_error e = {0};
  senone_lattice *l = NULL;
  ok(senone_recognizer_take_lattice(r, &l, &e), &e);
  return l;
}

static void test_a_lattice_changes_no_answer(void **state) {
  (void)state;
  senone_options *plain = options(NULL);
  senone_options *rich = options("keep-lattice", "yes", "confidence", "yes",
                                 "alternatives", "5", "nbest", "10", NULL);
  senone_model *m = load(plain);
  senone_recognizer *a = recognizer(m, plain), *b = recognizer(m, rich);
  for (int i = 0; i < 5; i++) {
    senone_error e = {0};
    senone_lattice *none = NULL;
    senone_result *x = recognise(a, i, 4096), *y = recognise(b, i, 777);
    assert_string_equal(senone_result_text(x), senone_result_text(y));
    assert_true(senone_result_graph_cost(x) == senone_result_graph_cost(y));
    assert_true(senone_result_word(x, 0)->confidence == -1.0);
    assert_int_equal(senone_recognizer_take_lattice(a, &none, &e), SENONE_EARG);
    assert_null(none);
    assert_non_null(strstr(e.message, "keep-lattice"));
    /* The best of the n best is the answer. */
    assert_true(senone_result_n_sentences(y) > 0);
    assert_string_equal(senone_result_sentence(y, 0)->text,
                        senone_result_text(y));
    double sum = 0.0;
    for (size_t k = 0; k < senone_result_n_sentences(y); k++)
      sum += senone_result_sentence(y, k)->posterior;
    assert_true(sum <= 1.0 + 1e-9); /* sums of ten doubles below 1 */
    for (size_t k = 0; k < senone_result_n_words(y); k++) {
      const senone_word *const w = senone_result_word(y, k);
      double all = w->confidence;
      assert_true(w->confidence > 0.0 && w->confidence <= 1.0);
      assert_true(w->n_alternatives <= 5);
      for (size_t j = 0; j < w->n_alternatives; j++)
        all +=
            senone_result_alternative(y, w->first_alternative + j)->posterior;
      assert_true(all <= 1.0 + 1e-9);
    }
    assert_null(senone_result_sentence(y, senone_result_n_sentences(y)));
    senone_result_destroy(x);
    senone_result_destroy(y);
    ok(senone_recognizer_reset(a, &e), &e);
    ok(senone_recognizer_reset(b, &e), &e);
  }
  senone_recognizer_destroy(a);
  senone_recognizer_destroy(b);
  senone_model_destroy(m);
  senone_options_destroy(plain);
  senone_options_destroy(rich);
}

static void test_lattices_are_whole_and_repeatable(void **state) {
  (void)state;
  senone_options *o = options("keep-lattice", "yes", NULL);
  senone_model *m = load(o);
  senone_recognizer *r = recognizer(m, NULL);
  senone_error e = {0};
  senone_lattice *l = NULL;
  assert_int_equal(senone_recognizer_take_lattice(r, &l, &e), SENONE_EARG);
  senone_result_destroy(recognise(r, 4, 16000));
  l = lattice_of(r);
  memset(&e, 0, sizeof e);
  ok(senone_recognizer_reset(r, &e), &e);
  senone_result_destroy(recognise(r, 4, 333));
  senone_lattice *const again = lattice_of(r);
  assert_true(senone_lattice_n_arcs(l) > 0);
  assert_int_equal(senone_lattice_n_arcs(l), senone_lattice_n_arcs(again));
  double leaving = 0.0;
  for (int32_t i = 0; i < senone_lattice_n_arcs(l); i++) {
    const senone_arc *const x = senone_lattice_arc(l, i);
    const senone_arc *const y = senone_lattice_arc(again, i);
    assert_true(x->to > x->from && x->end_s >= x->begin_s);
    assert_true(x->graph_cost == y->graph_cost &&
                x->acoustic_cost == y->acoustic_cost && x->to == y->to &&
                x->posterior == y->posterior);
    assert_string_equal(x->word, y->word);
    if (x->from == 0) leaving += x->posterior;
  }
  assert_true(fabs(leaving - 1.0) < 1e-6); /* all paths leave the start */
  assert_null(senone_lattice_arc(l, senone_lattice_n_arcs(l)));
  assert_true(isinf(senone_lattice_final_cost(l, 0)));
  senone_lattice_destroy(again);
  senone_recognizer_destroy(r);
  senone_lattice_destroy(l); /* needs the model alone */
  senone_model_destroy(m);
  senone_options_destroy(o);
}

/* Of audio without speech the result says so, with a lattice and without one;
 * of no audio, and of speech, it does not. */
static void test_silence_is_marked(void **state) {
  (void)state;
  static int16_t silence[16000];
  senone_options *plain = options(NULL);
  senone_options *rich = options("confidence", "yes", "mbr", "yes", NULL);
  senone_model *m = load(plain);
  senone_recognizer *r[] = {recognizer(m, plain), recognizer(m, rich)};
  for (int i = 0; i < 2; i++) {
    for (int what = 0; what < 3; what++) { /* nothing, silence, speech */
      senone_error e = {0};
      senone_result *x = NULL;
      if (what == 1)
        ok(senone_recognizer_push_i16(r[i], silence, 16000, 0, &e), &e);
      if (what == 2)
        ok(senone_recognizer_push_i16(r[i], fix.cards[1], fix.n_cards[1], 0,
                                      &e),
           &e);
      ok(senone_recognizer_finish(r[i], &e), &e);
      ok(senone_recognizer_take_result(r[i], &x, &e), &e);
      assert_int_equal((senone_result_flags(x) & SENONE_RESULT_NO_SPEECH) != 0,
                       what == 1);
      assert_int_equal(senone_result_n_words(x) > 0, what == 2);
      senone_result_destroy(x);
      ok(senone_recognizer_reset(r[i], &e), &e);
    }
    senone_recognizer_destroy(r[i]);
  }
  senone_model_destroy(m);
  senone_options_destroy(plain);
  senone_options_destroy(rich);
}

/* ---- Second pass ---- */

static void write_lm(const char *path, const char *bigrams, int n) {
  FILE *const f = fopen(path, "w");
  if (f == NULL) exit(1);
  fprintf(f, "\\data\\\nngram 1=9\n%s", n > 0 ? "" : "\n");
  if (n > 0) fprintf(f, "ngram 2=%d\n\n", n);
  fprintf(f,
          "\\1-grams:\n-99 <s> -0.3\n-0.9 </s>\n-0.9 ten -0.2\n-0.9 of -0.3\n"
          "-0.9 clubs -0.1\n-0.9 four -0.2\n-0.9 queen -0.4\n-0.9 five -0.2\n"
          "-0.9 hearts -0.1\n\n");
  if (n > 0) fprintf(f, "\\2-grams:\n%s\n", bigrams);
  fprintf(f, "\\end\\\n");
  fclose(f);
}

static void make_lms(void) {
  (void)snprintf(small_lm, sizeof small_lm, "%s/small.arpa", fix.dir);
  (void)snprintf(full_lm, sizeof full_lm, "%s/full.arpa", fix.dir);
  (void)snprintf(bad_lm, sizeof bad_lm, "%s/bad.arpa", fix.dir);
  write_lm(small_lm, "", 0);
  write_lm(full_lm,
           "-0.2 <s> four\n-0.3 four queen\n-0.2 of clubs\n-0.2 queen of\n"
           "-0.3 ten of\n",
           5);
  write_lm(bad_lm, "-0.2 ten of\n", 1);
}

static void test_two_passes_cost_what_one_with_the_full_model_does(
    void **state) {
  (void)state;
  senone_options *one = options("lm", full_lm, "beam", "100", NULL);
  senone_options *two = options("lm", small_lm, "rescore-lm", full_lm, "beam",
                                "100", "lattice-beam", "30", NULL);
  senone_options *same = options("lm", small_lm, "rescore-lm", small_lm, NULL);
  senone_options *off = options("rescore-lm", "none", NULL);
  senone_model *a = load(one), *b = load(two), *c = load(same);
  senone_recognizer *ra = recognizer(a, NULL), *rb = recognizer(b, NULL);
  senone_recognizer *rc = recognizer(c, NULL), *rd = recognizer(c, off);
  for (int i = 0; i < 2; i++) {
    senone_error e = {0};
    senone_result *x = recognise(ra, i, 5000), *y = recognise(rb, i, 5000);
    assert_true((senone_result_flags(y) & SENONE_RESULT_RESCORED) != 0);
    assert_string_equal(senone_result_text(x), senone_result_text(y));
    /* Costs in graphs are multiples of 1/16384, a rounding for each of some 60
     * transitions and words; floats of lattices near 50 keep 4e-6. */
    assert_true(fabs(senone_result_graph_cost(x) -
                     senone_result_graph_cost(y)) < 60.0 / 16384);
    assert_int_equal(senone_result_n_words(x), senone_result_n_words(y));
    for (size_t k = 0; k < senone_result_n_words(x); k++) {
      const senone_word *const p = senone_result_word(x, k);
      const senone_word *const q = senone_result_word(y, k);
      assert_true(p->begin_s == q->begin_s && p->end_s == q->end_s);
      assert_true(q->n_phones == p->n_phones);
    }
    senone_result_destroy(x);
    senone_result_destroy(y);
    /* The same model out and in: nothing changes. */
    x = recognise(rc, i, 5000);
    y = recognise(rd, i, 5000);
    assert_true((senone_result_flags(y) & SENONE_RESULT_RESCORED) == 0);
    assert_string_equal(senone_result_text(x), senone_result_text(y));
    assert_true(fabs(senone_result_graph_cost(x) -
                     senone_result_graph_cost(y)) < 60.0 / 16384);
    senone_result_destroy(x);
    senone_result_destroy(y);
    ok(senone_recognizer_reset(ra, &e), &e);
    ok(senone_recognizer_reset(rb, &e), &e);
    ok(senone_recognizer_reset(rc, &e), &e);
    ok(senone_recognizer_reset(rd, &e), &e);
  }
  senone_recognizer_destroy(ra);
  senone_recognizer_destroy(rb);
  senone_recognizer_destroy(rc);
  senone_recognizer_destroy(rd);
  senone_model_destroy(a);
  senone_model_destroy(b);
  senone_model_destroy(c);
  senone_options_destroy(one);
  senone_options_destroy(two);
  senone_options_destroy(same);
  senone_options_destroy(off);
}

static void refused(senone_options *o, senone_status want, const char *says) {
  senone_error e = {0};
  senone_model *m = NULL;
  assert_int_equal(senone_model_load(fix.dir, o, &m, &e), want);
  assert_null(m);
  if (strstr(e.message, says) == NULL) fail_msg("%s", e.message);
  senone_options_destroy(o);
}

static void test_a_second_pass_needs_the_right_models(void **state) {
  (void)state;
  refused(options("grammar", SPHINX_CARDS "/cards.gram", "rescore-lm", full_lm,
                  NULL),
          SENONE_EARG, "grammar");
  refused(options("graph", fix.graph, "rescore-lm", full_lm, NULL), SENONE_EARG,
          "graph-lm");
  refused(options("rescore-lm", full_lm, NULL), SENONE_EARG, "graph-lm");
  refused(
      options("lm", small_lm, "graph-lm", bad_lm, "rescore-lm", full_lm, NULL),
      SENONE_EMISMATCH, "n-grams");
  refused(options("lm", small_lm, "rescore-lm", "/nowhere/x.arpa", NULL),
          SENONE_EIO, "/nowhere/x.arpa");
}

/* ---- Long utterances ---- */

enum { N_LONG = 10 };

/* The five recordings, twice, in one utterance. */
static senone_result *recognise_long(senone_recognizer *r, size_t chunk) {
  senone_error e = {0};
  senone_result *x = NULL;
  for (int i = 0; i < N_LONG; i++) {
    const int c = i % 5;
    for (size_t at = 0; at < fix.n_cards[c]; at += chunk) {
      const size_t left = fix.n_cards[c] - at;
      ok(senone_recognizer_push_i16(r, fix.cards[c] + at,
                                    left < chunk ? left : chunk, 0, &e),
         &e);
    }
  }
  ok(senone_recognizer_finish(r, &e), &e);
  ok(senone_recognizer_take_result(r, &x, &e), &e);
  return x;
}

static void same_result(const senone_result *x, const senone_result *y,
                        double tolerance) {
  assert_string_equal(senone_result_text(x), senone_result_text(y));
  assert_true(fabs(senone_result_graph_cost(x) - senone_result_graph_cost(y)) <=
              1e-3 + tolerance);
  assert_int_equal(senone_result_n_phones(x), senone_result_n_phones(y));
  for (size_t k = 0; k < senone_result_n_words(x); k++) {
    const senone_word *const p = senone_result_word(x, k);
    const senone_word *const q = senone_result_word(y, k);
    assert_true(p->begin_s == q->begin_s && p->end_s == q->end_s);
    assert_true(fabs(p->confidence - q->confidence) <= tolerance);
  }
}

/* Stretches of a second and a half: words, times and phones are those of the
 * whole lattice, confidences nearly (what other paths cost across a cut is
 * known for the best continuation only). */
static void test_a_long_utterance_is_answered_in_stretches(void **state) {
  (void)state;
  senone_options *o =
      options("lm", small_lm, "rescore-lm", full_lm, "confidence", "posterior",
              "alternatives", "2", "nbest", "3", NULL);
  senone_options *cut = options("confidence", "posterior", "alternatives", "2",
                                "nbest", "3", "lattice-stretch", "50", NULL);
  senone_options *kept = options("confidence", "posterior", "lattice-stretch",
                                 "50", "keep-lattice", "yes", NULL);
  senone_options *plain = options("rescore-lm", "none", NULL);
  senone_options *one = options("rescore-lm", "none", "confidence", "posterior",
                                "lattice-stretch", "50", NULL);
  senone_error e = {0};
  senone_model *m = load(o);
  senone_recognizer *a = recognizer(m, NULL), *b = recognizer(m, cut);
  senone_recognizer *c = recognizer(m, kept), *d = recognizer(m, plain);
  senone_recognizer *f = recognizer(m, one);
  senone_result *x = recognise_long(a, 4096), *y = recognise_long(b, 4096);
  assert_true((senone_result_flags(y) & SENONE_RESULT_RESCORED) != 0);
  same_result(x, y, 0.05);
  /* However the samples come. */
  ok(senone_recognizer_reset(b, &e), &e);
  senone_result *z = recognise_long(b, 333);
  same_result(y, z, 0.0);
  assert_true(senone_result_graph_cost(y) == senone_result_graph_cost(z));
  /* The best of the n best is the answer; they differ and get worse. */
  assert_int_equal(senone_result_n_sentences(y), 3);
  assert_string_equal(senone_result_sentence(y, 0)->text,
                      senone_result_text(y));
  for (size_t i = 1; i < 3; i++) {
    const senone_sentence *const s = senone_result_sentence(y, i);
    assert_string_not_equal(s->text, senone_result_sentence(y, i - 1)->text);
    assert_true(s->posterior <= senone_result_sentence(y, i - 1)->posterior);
    /* As the whole lattice has them: posteriors of sentences are products over
     * stretches, each within some percent. */
    assert_true(fabs(s->posterior - senone_result_sentence(x, i)->posterior) <
                0.1);
  }
  /* The lattice in one piece is made where it is asked for alone. */
  senone_lattice *l = NULL;
  assert_int_equal(senone_recognizer_take_lattice(b, &l, &e), SENONE_EARG);
  assert_non_null(strstr(e.message, "keep-lattice"));
  memset(&e, 0, sizeof e);
  senone_result *w = recognise_long(c, 1000);
  same_result(w, y, 0.0);
  l = lattice_of(c);
  double leaving = 0.0, last_s = 0.0;
  for (int32_t i = 0; i < senone_lattice_n_arcs(l); i++) {
    const senone_arc *const arc = senone_lattice_arc(l, i);
    if (arc->from == 0) leaving += arc->posterior;
    last_s = fmax(last_s, arc->end_s);
  }
  assert_true(fabs(leaving - 1.0) < 1e-6);
  assert_true(last_s >
              senone_result_word(y, senone_result_n_words(y) - 1)->begin_s);
  senone_lattice_destroy(l);
  senone_result_destroy(w);
  /* Without a second pass: the search's own words. */
  senone_result_destroy(x);
  x = recognise_long(d, 4096);
  w = recognise_long(f, 4096);
  assert_true((senone_result_flags(w) & SENONE_RESULT_RESCORED) == 0);
  assert_string_equal(senone_result_text(x), senone_result_text(w));
  assert_true(senone_result_graph_cost(x) == senone_result_graph_cost(w));
  for (size_t k = 0; k < senone_result_n_words(w); k++)
    assert_true(senone_result_word(w, k)->confidence > 0.0);
  senone_result_destroy(w);
  senone_result_destroy(x);
  senone_result_destroy(y);
  senone_result_destroy(z);
  senone_recognizer_destroy(a);
  senone_recognizer_destroy(b);
  senone_recognizer_destroy(c);
  senone_recognizer_destroy(d);
  senone_recognizer_destroy(f);
  senone_model_destroy(m);
  senone_options_destroy(o);
  senone_options_destroy(cut);
  senone_options_destroy(kept);
  senone_options_destroy(plain);
  senone_options_destroy(one);
}

static void test_least_risk_survives_allocation_failures(void **state) {
  (void)state;
  senone_options *o = options(
      "lm", small_lm, "rescore-lm", full_lm, "mbr", "yes", "alternatives", "3",
      "nbest", "5", "keep-lattice", "yes", "lattice-stretch", "20", NULL);
  senone_model *m = load(o);
  const long before = sn_mem_live();
  long n_failed = 0;
  bool fired = true;
  for (long k = 0; fired; k += 1 + k / 16) {
    senone_recognizer *r = NULL;
    senone_result *x = NULL;
    senone_lattice *l = NULL;
    senone_error e = {0};
    sn_mem_fail_after(k);
    senone_status s = senone_recognizer_create(m, NULL, &r, &e);
    if (s == SENONE_OK)
      s = senone_recognizer_push_i16(r, fix.cards[0], 12000, 0, &e);
    if (s == SENONE_OK) s = senone_recognizer_finish(r, &e);
    if (s == SENONE_OK) s = senone_recognizer_take_result(r, &x, &e);
    if (s == SENONE_OK) s = senone_recognizer_take_lattice(r, &l, &e);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SENONE_ENOMEM : SENONE_OK);
    n_failed += fired;
    senone_lattice_destroy(l);
    senone_result_destroy(x);
    senone_recognizer_destroy(r);
    assert_int_equal(sn_mem_live(), before);
  }
  assert_true(n_failed > 20);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

int main(void) {
  fixture_init(&fix);
  make_lms();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_lattice_changes_no_answer),
      cmocka_unit_test(test_lattices_are_whole_and_repeatable),
      cmocka_unit_test(test_silence_is_marked),
      cmocka_unit_test(test_two_passes_cost_what_one_with_the_full_model_does),
      cmocka_unit_test(test_a_second_pass_needs_the_right_models),
      cmocka_unit_test(test_a_long_utterance_is_answered_in_stretches),
      cmocka_unit_test(test_least_risk_survives_allocation_failures),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  fixture_clear(&fix);
  return failed;
}
