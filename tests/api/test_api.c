/* SPDX-License-Identifier: Apache-2.0 */
/* The public API on real recordings: what senone.h promises. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/senone.h"
#include "tests/api/fixture.h"

static fixture fix;

static void ok(senone_status s, const senone_error *e) {
  if (s != SENONE_OK) fail_msg("status %d: %s", (int)s, e->message);
}

static senone_options *batch_options(void) {
  senone_options *o = NULL;
  senone_error e = {0};
  ok(senone_options_create(&o, &e), &e);
  ok(senone_options_set(o, "cmn", "batch", &e), &e);
  return o;
}

static senone_model *load(const senone_options *o) {
  senone_model *m = NULL;
  senone_error e = {0};
  ok(senone_model_load(fix.dir, o, &m, &e), &e);
  return m;
}

static senone_result *finish(senone_recognizer *r) {
  senone_error e = {0};
  senone_result *result = NULL;
  ok(senone_recognizer_finish(r, &e), &e);
  ok(senone_recognizer_take_result(r, &result, &e), &e);
  return result;
}

/* Recording i, `chunk` samples at a time. */
static senone_result *recognise(senone_recognizer *r, int i, size_t chunk) {
  senone_error e = {0};
  for (size_t at = 0; at < fix.n_cards[i]; at += chunk) {
    const size_t left = fix.n_cards[i] - at;
    ok(senone_recognizer_push_i16(r, fix.cards[i] + at,
                                  left < chunk ? left : chunk, 0, &e),
       &e);
  }
  return finish(r);
}

static senone_recognizer *recognizer(const senone_model *m,
                                     const senone_options *o) {
  senone_recognizer *r = NULL;
  senone_error e = {0};
  ok(senone_recognizer_create(m, o, &r, &e), &e);
  return r;
}

static void assert_same(const senone_result *a, const senone_result *b) {
  assert_string_equal(senone_result_text(a), senone_result_text(b));
  const double ca = senone_result_acoustic_cost(a);
  const double cb = senone_result_acoustic_cost(b);
  assert_memory_equal(&ca, &cb, sizeof ca);
  assert_int_equal(senone_result_n_phones(a), senone_result_n_phones(b));
  for (size_t i = 0; i < senone_result_n_phones(a); i++) {
    const senone_phone *p = senone_result_phone(a, i);
    const senone_phone *q = senone_result_phone(b, i);
    assert_string_equal(p->phone, q->phone);
    assert_true(p->begin_s == q->begin_s && p->end_s == q->end_s);
  }
}

static void test_recordings_give_their_words_with_times(void **state) {
  (void)state;
  senone_options *o = batch_options();
  senone_model *m = load(o);
  senone_recognizer *r = recognizer(m, NULL);
  senone_error e = {0};
  assert_int_equal(senone_model_n_words(m), 19);
  assert_true(senone_model_rate_hz(m) == 16000);
  for (int i = 0; i < 5; i++) {
    if (i > 0) ok(senone_recognizer_reset(r, &e), &e);
    senone_result *x = recognise(r, i, 3200);
    assert_string_equal(senone_result_text(x), cards_text[i]);
    assert_int_equal(senone_result_flags(x), SENONE_RESULT_FINAL);
    const double length_s = (double)fix.n_cards[i] / 16000;
    assert_true(fabs(senone_result_end_s(x) - length_s) < 1e-9);
    double at = 0;
    for (size_t k = 0; k < senone_result_n_words(x); k++) {
      const senone_word *w = senone_result_word(x, k);
      assert_true(w->begin_s >= at && w->end_s > w->begin_s + 0.03);
      assert_true(w->n_phones > 0);
      const senone_phone *p = senone_result_phone(x, w->first_phone);
      assert_true(p->begin_s == w->begin_s && p->word == (int32_t)k);
      p = senone_result_phone(x, w->first_phone + w->n_phones - 1);
      assert_true(p->end_s == w->end_s && p->word == (int32_t)k);
      at = w->end_s;
    }
    /* The last frame may reach beyond the last sample by its length. */
    assert_true(at <= length_s + 0.03);
    assert_null(senone_result_word(x, senone_result_n_words(x)));
    senone_result_destroy(x);
  }
  senone_recognizer_destroy(r);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void test_results_do_not_depend_on_chunks_or_reset(void **state) {
  (void)state;
  static const char *const modes[] = {"batch", "live"};
  for (int mode = 0; mode < 2; mode++) {
    senone_options *o = batch_options();
    senone_error e = {0};
    ok(senone_options_set(o, "cmn", modes[mode], &e), &e);
    senone_model *m = load(o);
    senone_recognizer *r = recognizer(m, NULL);
    senone_result *whole = recognise(r, 1, SIZE_MAX / 4);
    static const size_t chunks[] = {1, 37, 160, 1000, 4097};
    for (int i = 0; i < 5; i++) {
      ok(senone_recognizer_reset(r, &e), &e);
      senone_result *x = recognise(r, 1, chunks[i]);
      assert_same(whole, x);
      senone_result_destroy(x);
    }
    senone_recognizer_destroy(r);
    senone_model_destroy(m);
    senone_options_destroy(o);
    assert_true(senone_result_n_words(whole) > 0); /* outlives its model */
    senone_result_destroy(whole);
  }
}

static void test_floats_and_integers_are_the_same(void **state) {
  (void)state;
  senone_options *o = batch_options();
  senone_model *m = load(o);
  senone_recognizer *r = recognizer(m, NULL);
  senone_error e = {0};
  senone_result *a = recognise(r, 0, 5000);
  ok(senone_recognizer_reset(r, &e), &e);
  float *f = malloc(fix.n_cards[0] * sizeof *f);
  assert_non_null(f);
  for (size_t i = 0; i < fix.n_cards[0]; i++)
    f[i] = (float)fix.cards[0][i] / 32768.0f;
  ok(senone_recognizer_push_f32(r, f, fix.n_cards[0], 16000, &e), &e);
  senone_result *b = finish(r);
  assert_same(a, b);
  /* Not a number: which one; then nothing but reset works. */
  ok(senone_recognizer_reset(r, &e), &e);
  f[2345] = NAN;
  assert_int_equal(senone_recognizer_push_f32(r, f, fix.n_cards[0], 0, &e),
                   SENONE_EFORMAT);
  assert_non_null(strstr(e.message, "2345"));
  assert_int_equal(senone_recognizer_finish(r, NULL), SENONE_EARG);
  e = (senone_error){0};
  ok(senone_recognizer_reset(r, &e), &e);
  senone_result_destroy(b);
  b = recognise(r, 0, 100);
  assert_same(a, b);
  free(f);
  senone_result_destroy(a);
  senone_result_destroy(b);
  senone_recognizer_destroy(r);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void count_rate_warnings(void *user, senone_log_level level,
                                const char *text) {
  if (level == SENONE_LOG_WARN && strstr(text, "8000 Hz") != NULL)
    ++*(int *)user;
}

/* Every sample twice is 32 kHz; every second one is (aliased) 8 kHz. */
static void test_other_rates_are_resampled(void **state) {
  (void)state;
  int n_warnings = 0;
  senone_options *o = batch_options();
  senone_options_set_callbacks(o, count_rate_warnings, SENONE_LOG_WARN, NULL,
                               NULL, &n_warnings);
  senone_model *m = load(o);
  senone_recognizer *r = recognizer(m, NULL);
  senone_error e = {0};
  const size_t n = fix.n_cards[2];
  int16_t *x = malloc(2 * n * sizeof *x);
  assert_non_null(x);
  for (size_t i = 0; i < 2 * n; i++) x[i] = fix.cards[2][i / 2];
  for (size_t at = 0; at < 2 * n; at += 1111)
    ok(senone_recognizer_push_i16(
           r, x + at, 2 * n - at < 1111 ? 2 * n - at : 1111, 32000, &e),
       &e);
  senone_result *a = finish(r);
  assert_string_equal(senone_result_text(a), cards_text[2]);
  assert_true(fabs(senone_result_end_s(a) - (double)n / 16000) < 1e-9);
  assert_int_equal(n_warnings, 0);
  ok(senone_recognizer_reset(r, &e), &e);
  for (size_t i = 0; i < n / 2; i++) x[i] = fix.cards[2][2 * i];
  ok(senone_recognizer_push_i16(r, x, n / 2, 8000, &e), &e);
  assert_int_equal(n_warnings, 1);
  assert_int_equal(senone_recognizer_push_i16(r, x, 10, 16000, &e),
                   SENONE_EARG);
  assert_non_null(strstr(e.message, "8000"));
  free(x);
  senone_result_destroy(a);
  senone_recognizer_destroy(r);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void test_no_samples_give_an_empty_final_result(void **state) {
  (void)state;
  senone_model *m = load(NULL);
  senone_recognizer *r = recognizer(m, NULL);
  senone_error e = {0};
  senone_result *x = finish(r);
  assert_string_equal(senone_result_text(x), "");
  assert_true((senone_result_flags(x) & SENONE_RESULT_NO_PATH) == 0);
  assert_int_equal(senone_recognizer_push_i16(r, fix.cards[0], 9, 0, &e),
                   SENONE_EARG);
  senone_result_destroy(x);
  senone_recognizer_destroy(r);
  senone_model_destroy(m);
}

/* Two recordings with two seconds of quiet behind each, as one stream. */
static void test_pauses_end_utterances_and_times_go_on(void **state) {
  (void)state;
  senone_model *m = load(NULL);
  senone_recognizer *r = recognizer(m, NULL);
  senone_error e = {0};
  int16_t quiet[1600];
  for (int i = 0; i < 1600; i++) quiet[i] = (int16_t)(i * 7919 % 5 - 2);
  int n_ended = 0;
  double begin_s[2] = {0};
  bool partial = false;
  size_t pushed = 0;
  for (int i = 0; i < 2; i++) {
    for (size_t at = 0; at < fix.n_cards[i] + 32000; at += 1600) {
      const bool speech = at + 1600 <= fix.n_cards[i];
      ok(senone_recognizer_push_i16(r, speech ? fix.cards[i] + at : quiet, 1600,
                                    0, &e),
         &e);
      pushed += 1600;
      senone_result *x = NULL;
      ok(senone_recognizer_take_result(r, &x, &e), &e);
      partial = partial ||
                (senone_result_n_words(x) > 0 && senone_result_flags(x) == 0);
      senone_result_destroy(x);
      if (!senone_recognizer_at_endpoint(r)) continue;
      x = finish(r);
      if (senone_result_n_words(x) > 0 && n_ended < 2)
        begin_s[n_ended++] = senone_result_word(x, 0)->begin_s;
      assert_true(fabs(senone_result_end_s(x) - (double)pushed / 16000) < 1e-9);
      senone_result_destroy(x);
      ok(senone_recognizer_next(r, &e), &e);
    }
  }
  assert_int_equal(n_ended, 2);
  assert_true(partial);
  assert_true(begin_s[0] < 1 &&
              begin_s[1] > (double)fix.n_cards[0] / 16000 + 1);
  senone_recognizer_destroy(r);
  senone_model_destroy(m);
}

typedef struct worker {
  const senone_model *model;
  senone_result *results[5];
} worker;

static void *run_worker(void *user) {
  worker *w = user;
  senone_recognizer *r = NULL;
  if (senone_recognizer_create(w->model, NULL, &r, NULL) != SENONE_OK)
    return NULL;
  for (int i = 0; i < 5; i++) {
    if (i > 0 && senone_recognizer_reset(r, NULL) != SENONE_OK) break;
    if (senone_recognizer_push_i16(r, fix.cards[i], fix.n_cards[i], 0, NULL) !=
            SENONE_OK ||
        senone_recognizer_finish(r, NULL) != SENONE_OK ||
        senone_recognizer_take_result(r, &w->results[i], NULL) != SENONE_OK)
      break;
  }
  senone_recognizer_destroy(r);
  return NULL;
}

static void test_threads_share_a_model(void **state) {
  (void)state;
  senone_options *o = batch_options();
  senone_model *m = load(o);
  worker w[2] = {{m, {NULL}}, {m, {NULL}}};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, run_worker, &w[i]), 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  for (int i = 0; i < 5; i++) {
    assert_non_null(w[0].results[i]);
    assert_non_null(w[1].results[i]);
    assert_string_equal(senone_result_text(w[0].results[i]), cards_text[i]);
    assert_same(w[0].results[i], w[1].results[i]);
    senone_result_destroy(w[0].results[i]);
    senone_result_destroy(w[1].results[i]);
  }
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void write_text(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

static void test_words_and_grammars_are_compiled_and_kept(void **state) {
  (void)state;
  char words[96], cache[96];
  (void)snprintf(words, sizeof words, "%s/words", fix.dir);
  (void)snprintf(cache, sizeof cache, "%s/cache", fix.dir);
  write_text(words, "# numbers and a phrase\nfive\nten\nof clubs\n");
  senone_error e = {0};
  senone_options *o = batch_options();
  ok(senone_options_set(o, "words", words, &e), &e);
  ok(senone_options_set(o, "cache", cache, &e), &e);
  for (int pass = 0; pass < 2; pass++) { /* compiled, then found */
    senone_model *m = load(o);
    assert_int_equal(senone_model_n_words(m), 4);
    senone_recognizer *r = recognizer(m, NULL);
    senone_result *x = recognise(r, 3, 1000);
    assert_string_equal(senone_result_text(x), "five five");
    senone_result_destroy(x);
    senone_recognizer_destroy(r);
    senone_model_destroy(m);
  }
  /* A word that the lexicon does not have. */
  write_text(words, "five\nxylophone\n");
  senone_model *m = NULL;
  assert_int_equal(senone_model_load(fix.dir, o, &m, &e), SENONE_EMISMATCH);
  assert_null(m);
  assert_non_null(strstr(e.message, "xylophone"));
  e = (senone_error){0};
  ok(senone_options_set(o, "keep-going", "yes", &e), &e);
  m = load(o);
  assert_int_equal(senone_model_n_words(m), 1);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void expect_failure(const char *name, const senone_options *o,
                           senone_status status, const char *says) {
  senone_model *m = NULL;
  senone_error e = {0};
  const senone_status s = senone_model_load(name, o, &m, &e);
  if (s != status || strstr(e.message, says) == NULL)
    fail_msg("status %d, wanted %d; '%s' does not say '%s'", (int)s,
             (int)status, e.message, says);
  assert_int_equal(e.status, status);
  assert_null(m);
  assert_int_equal(senone_model_load(name, o, &m, NULL), status);
}

static void test_failures_say_what_and_where(void **state) {
  (void)state;
  senone_error e = {0};
  senone_options *o = batch_options();
  expect_failure("no-such-model", NULL, SENONE_EARG, "no-such-model");
  expect_failure("/tmp", NULL, SENONE_EARG, "model.ini");
  ok(senone_options_set(o, "models", "/nowhere:/tmp", &e), &e);
  expect_failure("en-nowhere", o, SENONE_EARG, "/nowhere:/tmp");
  ok(senone_options_set(o, "graph", "/nowhere/x.sng", &e), &e);
  expect_failure(fix.dir, o, SENONE_EIO, "/nowhere/x.sng");
  ok(senone_options_set(o, "words", "/nowhere/words", &e), &e);
  expect_failure(fix.dir, o, SENONE_EARG, "either graph");
  ok(senone_options_set(o, "graph", "", &e), &e);
  expect_failure(fix.dir, o, SENONE_EIO, "/nowhere/words");
  assert_int_equal(senone_options_set(o, "beem", "12", &e), SENONE_EARG);
  assert_non_null(strstr(e.message, "beam"));
  e = (senone_error){0};
  assert_int_equal(senone_options_set(o, "beam", "-1", &e), SENONE_EARG);
  senone_options_destroy(o);
}

/* The graph of one acoustic model with another one. */
static void test_a_graph_of_another_model_is_refused(void **state) {
  (void)state;
  char dir[96];
  (void)snprintf(dir, sizeof dir, "%s/other", fix.dir);
  sn_err err = {0};
  fixture_need(
      sn_am_import_sphinx("/usr/share/pocketsphinx/test/data/an4_ci_cont", dir,
                          NULL, NULL, &err),
      &err);
  senone_options *o = batch_options();
  senone_error e = {0};
  ok(senone_options_set(o, "graph", fix.graph, &e), &e);
  expect_failure(dir, o, SENONE_EMISMATCH, "pdfs");
  senone_options_destroy(o);
}

/* Any byte of the graph file: a refusal or a result, never a crash. */
static void test_an_altered_graph_never_crashes(void **state) {
  (void)state;
  char *data = NULL, path[96];
  size_t n = 0;
  sn_err err = {0};
  (void)snprintf(path, sizeof path, "%s/altered.sng", fix.dir);
  fixture_need(sn_file_read(fix.graph, &data, &n, &err), &err);
  senone_options *o = batch_options();
  senone_error e = {0};
  ok(senone_options_set(o, "graph", path, &e), &e);
  int n_refused = 0, n_trials = 0;
  for (size_t at = 3; at < n; at += n / 40, n_trials++) {
    data[at] ^= 0x55;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    data[at] ^= 0x55;
    senone_model *m = NULL;
    senone_recognizer *r = NULL;
    e = (senone_error){0};
    senone_status s = senone_model_load(fix.dir, o, &m, &e);
    if (s == SENONE_OK) s = senone_recognizer_create(m, NULL, &r, &e);
    if (s == SENONE_OK)
      s = senone_recognizer_push_i16(r, fix.cards[0], fix.n_cards[0], 0, &e);
    if (s == SENONE_OK) s = senone_recognizer_finish(r, &e);
    if (s != SENONE_OK) {
      assert_int_equal(s, SENONE_EFORMAT);
      assert_non_null(strstr(e.message, "altered.sng"));
      n_refused++;
    }
    senone_recognizer_destroy(r);
    senone_model_destroy(m);
  }
  assert_true(n_refused > n_trials * 3 / 4);
  senone_options_destroy(o);
  sn_free(data);
}

static int stop_at_once(void *user) {
  ++*(int *)user;
  return 1;
}

static void test_poll_stops_long_work(void **state) {
  (void)state;
  int n_polls = 0;
  senone_options *o = batch_options();
  senone_options_set_callbacks(o, NULL, SENONE_LOG_WARN, NULL, stop_at_once,
                               &n_polls);
  senone_model *m = load(o);
  senone_recognizer *r = recognizer(m, NULL);
  senone_error e = {0};
  ok(senone_recognizer_push_i16(r, fix.cards[4], fix.n_cards[4], 0, &e), &e);
  assert_int_equal(senone_recognizer_finish(r, &e), SENONE_ECANCEL);
  assert_true(n_polls > 0);
  senone_recognizer_destroy(r);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void test_survives_every_allocation_failure(void **state) {
  (void)state;
  senone_options *o = batch_options();
  senone_model *m = load(o);
  const long before = sn_mem_live();
  long k = 0, n_failed = 0;
  for (bool fired = true; fired; k++) {
    senone_recognizer *r = NULL;
    senone_result *x = NULL;
    senone_error e = {0};
    sn_mem_fail_after(k);
    senone_status s = senone_recognizer_create(m, NULL, &r, &e);
    if (s == SENONE_OK)
      s = senone_recognizer_push_i16(r, fix.cards[0], 8000, 8000, &e);
    if (s == SENONE_OK) s = senone_recognizer_finish(r, &e);
    if (s == SENONE_OK) s = senone_recognizer_take_result(r, &x, &e);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SENONE_ENOMEM : SENONE_OK);
    assert_int_equal(e.status, s);
    n_failed += fired;
    senone_result_destroy(x);
    senone_recognizer_destroy(r);
    assert_int_equal(sn_mem_live(), before);
  }
  assert_true(n_failed > 20);
  senone_model_destroy(m);
  for (k = 0;; k++) { /* and loading */
    senone_error e = {0};
    const long start = sn_mem_live();
    sn_mem_fail_after(k);
    const senone_status s = senone_model_load(fix.dir, o, &m, &e);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SENONE_ENOMEM : SENONE_OK);
    senone_model_destroy(m);
    assert_int_equal(sn_mem_live(), start);
    if (!fired) break;
  }
  senone_options_destroy(o);
}

int main(void) {
  fixture_init(&fix);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_recordings_give_their_words_with_times),
      cmocka_unit_test(test_results_do_not_depend_on_chunks_or_reset),
      cmocka_unit_test(test_floats_and_integers_are_the_same),
      cmocka_unit_test(test_other_rates_are_resampled),
      cmocka_unit_test(test_no_samples_give_an_empty_final_result),
      cmocka_unit_test(test_pauses_end_utterances_and_times_go_on),
      cmocka_unit_test(test_threads_share_a_model),
      cmocka_unit_test(test_words_and_grammars_are_compiled_and_kept),
      cmocka_unit_test(test_failures_say_what_and_where),
      cmocka_unit_test(test_a_graph_of_another_model_is_refused),
      cmocka_unit_test(test_an_altered_graph_never_crashes),
      cmocka_unit_test(test_poll_stops_long_work),
      cmocka_unit_test(test_survives_every_allocation_failure),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  fixture_clear(&fix);
  return failed;
}
