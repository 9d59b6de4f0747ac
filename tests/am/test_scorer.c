/* SPDX-License-Identifier: Apache-2.0 */
/* The scorer over a feature stream: the rows of sn_am_score_block, whatever
 * the chunks; old rows; times; the next utterance; memory. */
#include "tests/am/am_support.h"

static const toy small = {SN_AM_PTM, 3, 8, false, true, false};

typedef struct audio {
  float *x;
  size_t n;
} audio;

/* Bursts of noise with silence between them, so that the front end leaves
 * frames out. */
static audio make_audio(void) {
  audio a = {NULL, 16000 * 6};
  sn_rng r;
  sn_rng_init(&r, 77);
  a.x = calloc(a.n, sizeof *a.x);
  for (size_t i = 0; i < a.n; i++) {
    const bool loud = i / 16000 % 2 == 1;
    a.x[i] = (float)floor((loud ? 3000 : 3) * sn_rng_gauss(&r));
  }
  return a;
}

typedef struct fixture {
  sn_am *am;
  sn_feat *plan;
  sn_feat_stream *feats;
  sn_scorer *s;
} fixture;

static fixture open_scorer(void) {
  fixture f = {.am = toy_load(&small)};
  sn_err err = {0};
  OK(sn_feat_create(sn_am_feat(f.am), SN_FEAT_FULL, &f.plan, &err));
  OK(sn_feat_stream_create(f.plan, SN_CMN_DEFAULT, &f.feats, &err));
  OK(sn_am_scorer_create(f.am, f.feats, &f.s, &err));
  assert_int_equal(f.s->n_pdfs, TOY_PDFS);
  return f;
}

static void close_scorer(fixture *f) {
  sn_scorer_destroy(f->s);
  sn_feat_stream_destroy(f->feats);
  sn_feat_destroy(f->plan);
  sn_am_destroy(f->am);
}

/* Rows and times of the whole utterance, chunks of at most `chunk` samples. */
static size_t run(fixture *f, audio a, size_t chunk, float *rows,
                  double *begins) {
  sn_err err = {0};
  sn_rng r;
  sn_rng_init(&r, chunk);
  size_t t = 0;
  for (size_t at = 0; at <= a.n;) {
    if (at == a.n) {
      OK(sn_feat_stream_finish(f->feats, &err));
      at++;
    } else {
      size_t n = 1 + sn_rng_below(&r, (uint32_t)chunk);
      if (n > a.n - at) n = a.n - at;
      OK(sn_feat_stream_push(f->feats, a.x + at, n, &err));
      at += n;
    }
    assert_true(f->s->ops->finished(f->s) == (at > a.n));
    const int64_t ready = f->s->ops->n_frames_ready(f->s);
    for (; (int64_t)t < ready; t++) {
      const float *row = NULL;
      double begin = 0, end = 0;
      OK(f->s->ops->scores(f->s, (int64_t)t, &row, &err));
      memcpy(rows + t * TOY_PDFS, row, TOY_PDFS * sizeof *row);
      f->s->ops->frame_time(f->s, (int64_t)t, &begin, &end);
      assert_true(fabs(end - begin - 0.01) < 1e-9);
      begins[t] = begin;
    }
    assert_int_equal(f->s->ops->n_frames_ready(f->s), ready);
  }
  return t;
}

static void test_rows_do_not_depend_on_the_chunks(void **state) {
  (void)state;
  const audio a = make_audio();
  static float rows[2][1000 * TOY_PDFS];
  static double begins[2][1000];
  fixture f = open_scorer();
  const size_t n = run(&f, a, a.n, rows[0], begins[0]);
  assert_true(n > 200 && n < 600); /* some frames were left out */
  bool gap = false;
  for (size_t t = 1; t < n; t++) {
    assert_true(begins[0][t] > begins[0][t - 1]);
    gap = gap || begins[0][t] > begins[0][t - 1] + 0.015;
  }
  assert_true(gap);
  static const size_t chunks[] = {160, 1600, 5000};
  for (size_t i = 0; i < 3; i++) {
    sn_feat_stream_reset(f.feats, false);
    sn_am_scorer_reset(f.s);
    assert_int_equal(run(&f, a, chunks[i], rows[1], begins[1]), n);
    assert_memory_equal(rows[0], rows[1], n * TOY_PDFS * sizeof(float));
    assert_memory_equal(begins[0], begins[1], n * sizeof(double));
  }
  close_scorer(&f);
  free(a.x);
}

static void test_rows_are_those_of_score_block(void **state) {
  (void)state;
  const audio a = make_audio();
  static float rows[1000 * TOY_PDFS];
  static double begins[1000];
  sn_err err = {0};
  fixture f = open_scorer();
  const size_t n = run(&f, a, 3000, rows, begins);
  sn_feat_stream_reset(f.feats, false);
  OK(sn_feat_stream_push(f.feats, a.x, a.n, &err));
  OK(sn_feat_stream_finish(f.feats, &err));
  sn_mat x, y;
  int64_t *const positions = calloc(n, sizeof *positions);
  size_t got = 0;
  OK(sn_mat_alloc(n, 39, &x, &err));
  OK(sn_mat_alloc(n, TOY_PDFS, &y, &err));
  OK(sn_feat_stream_pull(f.feats, x, positions, &got, &err));
  assert_int_equal(got, n);
  OK(sn_am_score_block(f.am, sn_mat_const(x), y, &err));
  for (size_t t = 0; t < n; t++) {
    assert_memory_equal(rows + t * TOY_PDFS, sn_mat_row(y, t),
                        TOY_PDFS * sizeof(float));
    assert_true(fabs(begins[t] - 0.01 * (double)positions[t]) < 1e-9);
  }
  free(positions);
  sn_mat_free(&x);
  sn_mat_free(&y);
  close_scorer(&f);
  free(a.x);
}

static void test_the_last_64_rows_stay_and_older_are_refused(void **state) {
  (void)state;
  const audio a = make_audio();
  sn_err err = {0};
  fixture f = open_scorer();
  const float *row = NULL;
  float first[TOY_PDFS];
  assert_int_equal(f.s->ops->scores(f.s, 0, &row, &err), SN_EARG);
  sn_err_clear(&err);
  OK(sn_feat_stream_push(f.feats, a.x, a.n, &err));
  OK(sn_feat_stream_finish(f.feats, &err));
  const int64_t n = f.s->ops->n_frames_ready(f.s);
  float *const copy = calloc((size_t)n * TOY_PDFS, sizeof *copy);
  for (int64_t t = 0; t < n; t++) {
    OK(f.s->ops->scores(f.s, t, &row, &err));
    memcpy(copy + t * TOY_PDFS, row, sizeof first);
    const int64_t old = t >= 64 ? t - 64 : 0;
    for (int64_t k = old; k <= t; k += 13) {
      OK(f.s->ops->scores(f.s, k, &row, &err));
      assert_memory_equal(row, copy + k * TOY_PDFS, sizeof first);
    }
  }
  assert_int_equal(f.s->ops->scores(f.s, 0, &row, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "frame 0"));
  sn_err_clear(&err);
  assert_int_equal(f.s->ops->scores(f.s, n, &row, &err), SN_EARG);
  sn_err_clear(&err);
  assert_int_equal(f.s->ops->scores(f.s, -1, &row, &err), SN_EARG);
  free(copy);
  close_scorer(&f);
  free(a.x);
}

static void test_create_survives_every_failed_allocation(void **state) {
  (void)state;
  fixture f = open_scorer();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_scorer *s = NULL;
    const long live = sn_mem_live();
    sn_mem_fail_after(k);
    const sn_status st = sn_am_scorer_create(f.am, f.feats, &s, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (fired) {
      assert_int_equal(st, SN_ENOMEM);
      assert_null(s);
      assert_int_equal(sn_mem_live(), live);
      continue;
    }
    OK(st);
    sn_scorer_destroy(s);
    assert_int_equal(sn_mem_live(), live);
    break;
  }
  close_scorer(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows_do_not_depend_on_the_chunks),
      cmocka_unit_test(test_rows_are_those_of_score_block),
      cmocka_unit_test(test_the_last_64_rows_stay_and_older_are_refused),
      cmocka_unit_test(test_create_survives_every_failed_allocation)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
