/* SPDX-License-Identifier: Apache-2.0 */
/* Speakers through the API: a second pass that knows them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/senone.h"
#include "tests/api/fixture.h"

static fixture fix;
static char *ini; /* model.ini as the import wrote it */

static void ok(senone_status s, const senone_error *e) {
  if (s != SENONE_OK) fail_msg("status %d: %s", (int)s, e->message);
}

static void write_ini(const char *frontend, const char *more) {
  char path[96];
  (void)snprintf(path, sizeof path, "%s/model.ini", fix.dir);
  FILE *const f = fopen(path, "w");
  if (f == NULL) exit(1);
  if (frontend == NULL) {
    fputs(ini, f);
  } else { /* another front end before the same Gaussians */
    const char *const begin = strstr(ini, "[frontend]");
    const char *const end = strstr(begin, "[decode]");
    fprintf(f, "%.*s%s%s", (int)(begin - ini), ini, frontend, end);
  }
  fprintf(f, "\n%s", more);
  fclose(f);
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

static senone_recognizer *recognizer(const senone_model *m,
                                     const senone_options *o) {
  senone_recognizer *r = NULL;
  senone_error e = {0};
  ok(senone_recognizer_create(m, o, &r, &e), &e);
  return r;
}

static senone_speaker *speaker(const senone_model *m) {
  senone_speaker *p = NULL;
  senone_error e = {0};
  ok(senone_speaker_create(m, &p, &e), &e);
  return p;
}

static void finish(senone_recognizer *r, int i, size_t chunk) {
  senone_error e = {0};
  for (size_t at = 0; at < fix.n_cards[i]; at += chunk) {
    const size_t left = fix.n_cards[i] - at;
    ok(senone_recognizer_push_i16(r, fix.cards[i] + at,
                                  left < chunk ? left : chunk, 0, &e),
       &e);
  }
  ok(senone_recognizer_finish(r, &e), &e);
}

/* Card i by r, for a speaker; the caller destroys the result. */
static senone_result *recognise(senone_recognizer *r, const senone_speaker *p,
                                int i, size_t chunk) {
  senone_error e = {0};
  senone_result *x = NULL;
  ok(senone_recognizer_use_speaker(r, p, &e), &e);
  finish(r, i, chunk);
  ok(senone_recognizer_take_result(r, &x, &e), &e);
  return x;
}

static void observe(senone_recognizer *r, senone_speaker *p,
                    const senone_speaker *by, int i, size_t chunk) {
  senone_error e = {0};
  senone_result_destroy(recognise(r, by, i, chunk));
  ok(senone_recognizer_observe(r, p, &e), &e);
}

static senone_adaptation adapt(senone_speaker *p) {
  senone_error e = {0};
  senone_adaptation a = {0};
  ok(senone_speaker_adapt(p, &a, &e), &e);
  return a;
}

static void expect_same(senone_recognizer *a, const senone_speaker *pa,
                        senone_recognizer *b, const senone_speaker *pb, int i) {
  senone_result *const x = recognise(a, pa, i, 4096);
  senone_result *const y = recognise(b, pb, i, 777);
  assert_string_equal(senone_result_text(x), senone_result_text(y));
  assert_true(senone_result_acoustic_cost(x) == senone_result_acoustic_cost(y));
  senone_result_destroy(x);
  senone_result_destroy(y);
}

static double cost(senone_recognizer *r, const senone_speaker *p, int i) {
  senone_result *const x = recognise(r, p, i, 1000);
  const double c = senone_result_acoustic_cost(x);
  senone_result_destroy(x);
  return c;
}

static void adapts_in_any_chunks(const char *settings, senone_adapt_way way) {
  write_ini(NULL, settings);
  senone_options *o = options("observe", "yes", NULL);
  senone_model *m = load(o);
  assert_int_equal(senone_model_adapts(m), way);
  assert_false(senone_model_needs_speakers(m));
  senone_recognizer *a = recognizer(m, o), *b = recognizer(m, o);
  senone_recognizer *plain = recognizer(m, NULL);
  senone_speaker *p = speaker(m), *q = speaker(m), *parts = speaker(m);
  for (int i = 0; i < 5; i++) {
    senone_error e = {0};
    senone_speaker *one = speaker(m);
    observe(a, p, NULL, i, 16000);
    observe(b, q, NULL, i, 333);
    observe(a, one, NULL, i, 5000);
    ok(senone_speaker_merge(parts, one, &e), &e);
    senone_speaker_destroy(one);
  }
  const senone_adaptation x = adapt(p), y = adapt(q), z = adapt(parts);
  assert_true(x.adapted && x.gain > 0.0 && x.why_not == NULL);
  assert_true(x.frames > 300.0 && x.frames_needed == 100.0);
  assert_true(x.frames == y.frames && x.gain == y.gain);
  /* Sums of a thousand doubles in another order. */
  assert_true(fabs(x.frames - z.frames) < 1e-9 * x.frames);
  assert_true(fabs(x.gain - z.gain) < 1e-6 * x.gain);
  for (int i = 0; i < 5; i++) {
    expect_same(a, p, b, q, i);
    senone_result *const r = recognise(plain, p, i, 4096);
    assert_string_equal(senone_result_text(r), cards_text[i]);
    senone_result_destroy(r);
    assert_true(cost(plain, p, i) != cost(plain, NULL, i));
  }
  /* A second round starts from the first one's words, and counts the same
   * frames; what was observed before is forgotten. */
  for (int i = 0; i < 5; i++) observe(a, q, p, i, 4096);
  const senone_adaptation again = adapt(q);
  assert_true(again.adapted && fabs(again.frames - x.frames) < 0.1 * x.frames);
  assert_false(adapt(q).adapted);
  senone_speaker_destroy(p);
  senone_speaker_destroy(q);
  senone_speaker_destroy(parts);
  senone_recognizer_destroy(a);
  senone_recognizer_destroy(b);
  senone_recognizer_destroy(plain);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void test_a_speaker_is_adapted_to_in_any_chunks(void **state) {
  (void)state;
  adapts_in_any_chunks("[adapt]\nmin-count = 100\nkind = diagonal\n",
                       SENONE_ADAPT_NONE);
  adapts_in_any_chunks(
      "[adapt]\nmin-count = 100\ndefault = mllr\nmllr-min-count = 50\n",
      SENONE_ADAPT_MLLR);
}

static void test_too_little_speech_changes_nothing(void **state) {
  (void)state;
  write_ini(NULL, "");
  senone_options *o = options("observe", "yes", NULL);
  senone_model *m = load(o);
  senone_recognizer *r = recognizer(m, o), *s = recognizer(m, NULL);
  senone_speaker *p = speaker(m);
  assert_string_equal(adapt(p).why_not, "nothing was observed");
  observe(r, p, NULL, 3, 4096);
  const senone_adaptation a = adapt(p);
  assert_false(a.adapted);
  assert_true(a.frames > 10.0 && a.frames < a.frames_needed);
  assert_non_null(a.why_not);
  expect_same(s, p, s, NULL, 0);
  senone_speaker_destroy(p);
  senone_recognizer_destroy(r);
  senone_recognizer_destroy(s);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void write_lm(const char *path, const char *words) {
  FILE *const f = fopen(path, "w");
  if (f == NULL) exit(1);
  fprintf(f, "\\data\\\nngram 1=8\n\n\\1-grams:\n-99 <s> 0\n%s\\end\\\n",
          words);
  fclose(f);
}

/* With a second language model the lattice that it rescored is observed: here
 * it makes every other word than "clubs" as good as impossible, and the
 * transform follows. */
static void test_rescored_lattices_are_observed(void **state) {
  (void)state;
  char small[96], full[96];
  (void)snprintf(small, sizeof small, "%s/small.arpa", fix.dir);
  (void)snprintf(full, sizeof full, "%s/full.arpa", fix.dir);
  write_lm(small,
           "-0.9 </s>\n-0.9 ten\n-0.9 of\n-0.9 clubs\n-0.9 four\n-0.9 five\n"
           "-0.9 queen\n\n");
  write_lm(full,
           "-0.9 </s>\n-0.9 ten\n-0.9 of\n-0.9 clubs\n-9 four\n-9 five\n"
           "-9 queen\n\n");
  write_ini(NULL, "[adapt]\nmin-count = 50\nkind = diagonal\n");
  senone_options *one = options("lm", small, "observe", "yes", NULL);
  senone_options *two = options("lm", small, "rescore-lm", full, "lattice-beam",
                                "20", "observe", "yes", NULL);
  senone_model *a = load(one), *b = load(two);
  senone_recognizer *ra = recognizer(a, one), *rb = recognizer(b, two);
  senone_speaker *p = speaker(a), *q = speaker(b);
  observe(ra, p, NULL, 0, 4096);
  observe(rb, q, NULL, 0, 4096);
  /* "ten of clubs": the same words, and the same frames. */
  const senone_adaptation x = adapt(p), y = adapt(q);
  assert_true(x.adapted && y.adapted);
  assert_true(fabs(x.frames - y.frames) < 0.1 * x.frames);
  senone_result *r = recognise(rb, q, 0, 999);
  assert_true((senone_result_flags(r) & SENONE_RESULT_RESCORED) != 0);
  assert_string_equal(senone_result_text(r), cards_text[0]);
  senone_result_destroy(r);
  senone_speaker_destroy(p);
  senone_speaker_destroy(q);
  senone_recognizer_destroy(ra);
  senone_recognizer_destroy(rb);
  senone_model_destroy(a);
  senone_model_destroy(b);
  senone_options_destroy(one);
  senone_options_destroy(two);
}

/* ---- The model of the first pass ---- */

static void copy_am(const char *to) {
  char from[96], path[96], *data = NULL;
  size_t n = 0;
  sn_err err = {0};
  (void)snprintf(from, sizeof from, "%s/am.bin", fix.dir);
  (void)snprintf(path, sizeof path, "%s/%s", fix.dir, to);
  fixture_need(sn_file_read(from, &data, &n, &err), &err);
  FILE *const f = fopen(path, "wb");
  if (f == NULL || fwrite(data, 1, n, f) != n || fclose(f) != 0) exit(1);
  sn_free(data);
}

static char *with_first(const char *file) {
  static char text[256];
  (void)snprintf(text, sizeof text,
                 "am-first = %s\n[adapt]\ndefault = fmllr\nmin-count = "
                 "100\nkind = diagonal\n",
                 file);
  return text;
}

/* The same Gaussians under another name change nothing. */
static void test_a_first_model_of_its_own(void **state) {
  (void)state;
  senone_options *o = options("observe", "yes", NULL);
  write_ini(NULL, "[adapt]\nmin-count = 100\nkind = diagonal\n");
  senone_model *a = load(o);
  copy_am("first.bin");
  write_ini(NULL, with_first("first.bin"));
  senone_model *b = load(o);
  assert_true(senone_model_adapts(b));
  senone_recognizer *ra = recognizer(a, o), *rb = recognizer(b, o);
  senone_speaker *p = speaker(a), *q = speaker(b);
  for (int i = 0; i < 5; i++) {
    expect_same(ra, NULL, rb, NULL, i);
    observe(ra, p, NULL, i, 4096);
    observe(rb, q, NULL, i, 4096);
  }
  const senone_adaptation x = adapt(p), y = adapt(q);
  assert_true(x.adapted && y.adapted && x.gain == y.gain);
  for (int i = 0; i < 5; i++) expect_same(ra, p, rb, q, i);
  senone_speaker_destroy(p);
  senone_speaker_destroy(q);
  senone_recognizer_destroy(ra);
  senone_recognizer_destroy(rb);
  senone_model_destroy(a);
  senone_model_destroy(b);
  senone_options_destroy(o);
}

static void refused(const char *more, senone_status want, const char *says) {
  senone_error e = {0};
  senone_model *m = NULL;
  write_ini(NULL, more);
  assert_int_equal(senone_model_load(fix.dir, NULL, &m, &e), want);
  assert_null(m);
  if (strstr(e.message, says) == NULL) fail_msg("%s", e.message);
}

static void test_wrong_settings_are_named(void **state) {
  (void)state;
  refused(with_first("nowhere.bin"), SENONE_EIO, "nowhere.bin");
  refused("[adapt]\ndefault = mlr\n", SENONE_EFORMAT, "none, fmllr or mllr");
  refused("[adapt]\nmllr-classes = 0\n", SENONE_EFORMAT, "classes");
  refused("[adapt]\nsilence-weight = 2\n", SENONE_EFORMAT, "0 to 1");
  refused("[adapt]\nmin-cuont = 2\n", SENONE_EFORMAT, "min-count");
  refused("[adapt]\niters = 0\n", SENONE_EFORMAT, "[adapt]");
  write_ini(NULL, "");
}

static void test_wrong_calls_are_refused(void **state) {
  (void)state;
  write_ini(NULL, "");
  senone_options *o = options("observe", "yes", NULL);
  senone_options *off = options(NULL);
  senone_model *m = load(o), *n = load(o);
  senone_recognizer *with = recognizer(m, o), *without = recognizer(m, off);
  senone_speaker *p = speaker(m), *other = speaker(n);
  senone_error e = {0};
  assert_int_equal(senone_recognizer_observe(with, p, &e), SENONE_EARG);
  finish(with, 3, 4096);
  finish(without, 3, 4096);
  assert_int_equal(senone_recognizer_observe(without, p, &e), SENONE_EARG);
  assert_non_null(strstr(e.message, "observe"));
  memset(&e, 0, sizeof e);
  assert_int_equal(senone_recognizer_observe(with, other, &e), SENONE_EARG);
  assert_non_null(strstr(e.message, "another model"));
  assert_int_equal(senone_speaker_merge(p, other, &e), SENONE_EARG);
  assert_int_equal(senone_recognizer_use_speaker(without, other, &e),
                   SENONE_EARG);
  /* Two ways do not mix, and the way is settled before observing. */
  senone_speaker *means = speaker(m);
  ok(senone_speaker_set_way(means, SENONE_ADAPT_MLLR, &e), &e);
  memset(&e, 0, sizeof e);
  assert_int_equal(senone_speaker_merge(p, means, &e), SENONE_EARG);
  assert_non_null(strstr(e.message, "two ways"));
  assert_int_equal(senone_speaker_set_way(p, SENONE_ADAPT_NONE, &e),
                   SENONE_EARG);
  memset(&e, 0, sizeof e);
  observe(with, means, NULL, 3, 4096);
  assert_int_equal(senone_speaker_set_way(means, SENONE_ADAPT_FMLLR, &e),
                   SENONE_EARG);
  assert_non_null(strstr(e.message, "before anything is observed"));
  memset(&e, 0, sizeof e);
  senone_result_destroy(recognise(with, p, 3, 4096));
  assert_int_equal(senone_recognizer_observe(with, means, &e), SENONE_EARG);
  senone_speaker_destroy(means);
  memset(&e, 0, sizeof e);
  ok(senone_recognizer_use_speaker(without, NULL, &e), &e);
  finish(without, 3, 4096);
  senone_speaker_destroy(NULL);
  senone_speaker_destroy(p);
  senone_speaker_destroy(other);
  senone_recognizer_destroy(with);
  senone_recognizer_destroy(without);
  senone_model_destroy(m);
  senone_model_destroy(n);
  senone_options_destroy(o);
  senone_options_destroy(off);
}

/* ---- The mean of a speaker ---- */

static void hear(senone_speaker *p, int i, size_t chunk) {
  senone_error e = {0};
  static float x[200000];
  const size_t n = fix.n_cards[i];
  assert_true(n <= sizeof x / sizeof *x);
  for (size_t k = 0; k < n; k++) x[k] = (float)fix.cards[i][k] / 32768.0f;
  for (size_t at = 0; at < n; at += chunk)
    ok(senone_speaker_hear_f32(p, x + at, n - at < chunk ? n - at : chunk,
                               at + chunk >= n, &e),
       &e);
}

/* 13 coefficients and their differences, as many as the Gaussians have. The
 * words mean nothing then, but costs tell one mean from another. */
static void test_the_mean_is_the_speakers(void **state) {
  (void)state;
  write_ini(
      "[frontend]\ndialect = kaldi\ncmn = speaker\ndelta-order = 2\n"
      "dither = 0\n\n",
      "");
  senone_options *o = options("beam", "1000", NULL);
  senone_model *m = load(o);
  assert_true(senone_model_needs_speakers(m));
  senone_recognizer *r = recognizer(m, o);
  senone_speaker *nobody = speaker(m), *alone = speaker(m);
  senone_speaker *both = speaker(m), *cut = speaker(m), *sum = speaker(m);
  senone_error e = {0};
  hear(alone, 0, 200000);
  hear(both, 0, 200000);
  hear(both, 1, 200000);
  hear(cut, 0, 333);
  hear(cut, 1, 1601);
  hear(sum, 1, 4096);
  ok(senone_speaker_merge(sum, alone, &e), &e);
  /* Who was heard in this recording alone has the mean of the utterance, but
   * summed in doubles and applied as a float: 60 numbers of 39 dimensions a
   * frame, each off by 2^-20 of 100 at most. */
  const double c = cost(r, alone, 0);
  assert_true(cost(r, NULL, 0) == cost(r, nobody, 0));
  assert_true(fabs(c - cost(r, NULL, 0)) < 1e-4 * fabs(c));
  assert_true(fabs(c - cost(r, both, 0)) > 1e-3 * fabs(c));
  expect_same(r, both, r, cut, 0);
  assert_true(fabs(cost(r, sum, 0) - cost(r, both, 0)) < 1e-4 * fabs(c));
  senone_speaker_destroy(nobody);
  senone_speaker_destroy(alone);
  senone_speaker_destroy(both);
  senone_speaker_destroy(cut);
  senone_speaker_destroy(sum);
  senone_recognizer_destroy(r);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

/* ---- No memory ---- */

/* Everything that a speaker does with m; the first failure ends it. */
static senone_status whole_life(const senone_model *m,
                                const senone_options *o) {
  senone_recognizer *r = NULL;
  senone_speaker *p = NULL, *q = NULL;
  senone_error e = {0};
  static float x[8000];
  for (size_t k = 0; k < 8000; k++) x[k] = (float)fix.cards[3][k] / 32768.0f;
  senone_status s = senone_recognizer_create(m, o, &r, &e);
  if (s == SENONE_OK) s = senone_speaker_create(m, &p, &e);
  if (s == SENONE_OK) s = senone_speaker_create(m, &q, &e);
  if (s == SENONE_OK) s = senone_speaker_hear_f32(p, x, 8000, 1, &e);
  for (int round = 0; round < 2; round++) {
    if (s == SENONE_OK) s = senone_recognizer_use_speaker(r, q, &e);
    if (s == SENONE_OK)
      s = senone_recognizer_push_i16(r, fix.cards[3], 8000, 0, &e);
    if (s == SENONE_OK) s = senone_recognizer_finish(r, &e);
    if (s == SENONE_OK) s = senone_recognizer_observe(r, p, &e);
    if (s == SENONE_OK) s = senone_speaker_merge(q, p, &e);
    if (s == SENONE_OK) s = senone_recognizer_use_speaker(r, NULL, &e);
    if (s == SENONE_OK) s = senone_speaker_adapt(q, NULL, &e);
  }
  senone_recognizer_destroy(r);
  senone_speaker_destroy(p);
  senone_speaker_destroy(q);
  return s;
}

static void survives(const char *frontend, const char *way) {
  char text[128];
  (void)snprintf(text, sizeof text,
                 "[adapt]\nmin-count = 5\nkind = diagonal\ndefault = %s\n",
                 way);
  write_ini(frontend, text);
  senone_options *o = options("observe", "yes", "beam", "6", NULL);
  senone_model *m = load(o);
  const long before = sn_mem_live();
  long n_failed = 0;
  bool fired = true;
  for (long k = 0; fired; k += 1 + k / 10) {
    sn_mem_fail_after(k);
    const senone_status s = whole_life(m, o);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SENONE_ENOMEM : SENONE_OK);
    assert_int_equal(sn_mem_live(), before);
    n_failed += fired;
  }
  assert_true(n_failed > 20);
  senone_model_destroy(m);
  senone_options_destroy(o);
}

static void test_allocation_failures_leave_nothing(void **state) {
  (void)state;
  survives(NULL, "none");
  survives(NULL, "mllr");
  survives(
      "[frontend]\ndialect = kaldi\ncmn = speaker\ndelta-order = 2\n"
      "dither = 0\n\n",
      "none");
}

static void test_opening_survives_allocation_failures(void **state) {
  (void)state;
  copy_am("first.bin");
  write_ini(NULL, with_first("first.bin"));
  const long before = sn_mem_live();
  bool fired = true;
  for (long k = 0; fired; k += 1 + k / 8) {
    senone_model *m = NULL;
    senone_error e = {0};
    sn_mem_fail_after(k);
    const senone_status s = senone_model_load(fix.dir, NULL, &m, &e);
    fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(s, fired ? SENONE_ENOMEM : SENONE_OK);
    senone_model_destroy(m);
    assert_int_equal(sn_mem_live(), before);
  }
}

int main(void) {
  char path[96];
  size_t n = 0;
  sn_err err = {0};
  fixture_init(&fix);
  (void)snprintf(path, sizeof path, "%s/model.ini", fix.dir);
  fixture_need(sn_file_read(path, &ini, &n, &err), &err);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_speaker_is_adapted_to_in_any_chunks),
      cmocka_unit_test(test_too_little_speech_changes_nothing),
      cmocka_unit_test(test_rescored_lattices_are_observed),
      cmocka_unit_test(test_a_first_model_of_its_own),
      cmocka_unit_test(test_wrong_settings_are_named),
      cmocka_unit_test(test_wrong_calls_are_refused),
      cmocka_unit_test(test_the_mean_is_the_speakers),
      cmocka_unit_test(test_allocation_failures_leave_nothing),
      cmocka_unit_test(test_opening_survives_allocation_failures),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  sn_free(ini);
  fixture_clear(&fix);
  return failed;
}
