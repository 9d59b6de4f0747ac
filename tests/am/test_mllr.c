/* SPDX-License-Identifier: Apache-2.0 */
/* MLLR: transforms that are known come back, likelihood never falls, classes
 * follow the data. */
#include "am/mllr.h"
#include "tests/am/am_support.h"

static const toy toys[] = {{SN_AM_PTM, 3, 8, false, false, false},
                           {SN_AM_CONTINUOUS, 1, 4, false, false, false},
                           {SN_AM_SEMI, 1, 100, false, true, true},
                           {SN_AM_SEMI, 3, 50, false, false, false}};
enum { N_TOYS = sizeof toys / sizeof toys[0] };

static sn_box *written(const sn_am *am, const sn_map_stats *s,
                       const sn_mllr_opts *o, sni_am_view *v,
                       sn_mllr_report *report) {
  char dir[64], path[128];
  sn_err err = {0};
  sn_box *box = NULL;
  make_dir(dir, sizeof dir);
  in_dir(path, sizeof path, dir, "am.bin");
  OK(sn_mllr_write(am, s, o, path, report, &err));
  OK(sn_box_open(path, SNI_AM_MAGIC, SNI_AM_VERSION, &box, &err));
  OK(sni_am_read(box, path, v, &err));
  remove_dir(dir);
  return box;
}

/* A transform near the identity of each stream, [D x (D + 1)]. */
static void random_transforms(const sni_am_view *v, uint64_t seed,
                              double (*w)[40 * 40]) {
  sn_rng r;
  sn_rng_init(&r, seed);
  for (int32_t k = 0; k < v->shape.n_streams; k++) {
    const size_t D = (size_t)v->stream_len[k];
    for (size_t d = 0; d < D; d++)
      for (size_t e = 0; e <= D; e++)
        w[k][d * (D + 1) + e] = (d == e ? 1 : 0) + 0.05 * sn_rng_gauss(&r);
  }
}

static double moved(const sni_am_view *v, double (*w)[40 * 40], size_t i,
                    size_t d) {
  size_t stream = 0, at = 0;
  sni_am_gauss_place(v, i, &stream, &at);
  const size_t D = (size_t)v->stream_len[stream];
  double sum = w[stream][d * (D + 1) + D];
  for (size_t e = 0; e < D; e++)
    sum += w[stream][d * (D + 1) + e] * (double)v->means[at + e];
  return sum;
}

/* Every Gaussian's data lie at W mean: that is the transform of greatest
 * likelihood, also for Gaussians without data. */
static void test_a_known_transform_comes_back(void **state) {
  (void)state;
  for (size_t t = 0; t < N_TOYS; t++) {
    static double w[3][40 * 40];
    const sn_mllr_opts o = {1, 0};
    sn_am *const am = toy_load(&toys[t]);
    const sni_am_view *const v = sni_am_view_of(am);
    sn_map_stats s;
    sn_mllr_report report;
    sni_am_view new;
    sn_rng r;
    sn_err err = {0};
    sn_rng_init(&r, 5);
    random_transforms(v, 7 + t, w);
    OK(sn_map_stats_init(&s, am, &err));
    for (size_t i = 0; i < s.n_gauss; i++) {
      size_t stream = 0, at = 0;
      if (i % 9 == 4) continue; /* no data */
      sni_am_gauss_place(v, i, &stream, &at);
      s.count[i] = 1 + 50 * sn_rng_uniform(&r);
      s.n_frames += s.count[i] / v->shape.n_streams;
      for (size_t d = 0; d < (size_t)v->stream_len[stream]; d++)
        s.x[at + d] = s.count[i] * moved(v, w, i, d);
    }
    sn_box *const box = written(am, &s, &o, &new, &report);
    assert_int_equal(report.n_estimated, v->shape.n_streams);
    assert_true(report.gain > 0 && report.shift > 0);
    for (size_t i = 0; i < s.n_gauss; i++) {
      size_t stream = 0, at = 0;
      sni_am_gauss_place(v, i, &stream, &at);
      for (size_t d = 0; d < (size_t)v->stream_len[stream]; d++) {
        const double want = moved(v, w, i, d);
        /* systems of condition 1e6 at most, in doubles: 1e-9; one float */
        assert_true(fabs((double)new.means[at + d] - want) <
                    1e-5 * (1 + fabs(want)));
      }
    }
    assert_memory_equal(new.vars, v->vars, s.n_values * sizeof *v->vars);
    sn_box_destroy(box);
    sn_map_stats_clear(&s);
    sn_am_destroy(am);
  }
}

/* ---- Frames ---- */

enum { T = 1500 };

typedef struct data {
  sn_am *am;
  sn_mat x;
  int32_t pdfs[T];
  sn_map_stats stats;
} data;

/* Frames at the means of Gaussians of the pdf, moved and blurred. */
static void make(data *d, const toy *t) {
  sn_rng r;
  sn_err err = {0};
  sn_fmllr_work *work = NULL;
  sn_rng_init(&r, 3);
  d->am = toy_load(t);
  const sni_am_view *const v = sni_am_view_of(d->am);
  OK(sn_mat_alloc(T, 39, &d->x, &err));
  OK(sn_map_stats_init(&d->stats, d->am, &err));
  OK(sn_fmllr_work_create(d->am, &work, &err));
  for (size_t i = 0; i < T; i++) {
    d->pdfs[i] = (int32_t)sn_rng_below(&r, TOY_PDFS);
    const int32_t g = (int32_t)sn_rng_below(&r, (uint32_t)v->shape.n_gauss);
    for (int32_t k = 0; k < v->shape.n_streams; k++) {
      const float *mean = NULL, *var = NULL;
      const size_t D = sn_am_gauss_at(d->am, d->pdfs[i], k, g, &mean, &var);
      int32_t n = 0;
      const int32_t *const dims = sn_am_stream_dims(d->am, k, &n);
      for (size_t e = 0; e < D; e++)
        sn_mat_row(d->x, i)[dims[e]] =
            mean[e] + (float)(0.3 + 0.5 * sn_rng_gauss(&r)) * sqrtf(var[e]);
    }
    sn_map_stats_frame(&d->stats, d->am, work, d->pdfs[i], sn_mat_row(d->x, i));
  }
  sn_fmllr_work_destroy(work);
}

static void clear(data *d) {
  sn_map_stats_clear(&d->stats);
  sn_mat_free(&d->x);
  sn_am_destroy(d->am);
}

/* Of all frames, with the means of `v`; a continuous model of one stream, all
 * of whose Gaussians count. */
static double likelihood(const data *d, const sni_am_view *v) {
  const size_t G = (size_t)v->shape.n_gauss, D = 39;
  double sum = 0;
  for (size_t t = 0; t < T; t++) {
    double frame = 0;
    for (size_t g = 0; g < G; g++) {
      const size_t i = (size_t)d->pdfs[t] * G + g;
      double logp = log((double)v->weights[i]);
      for (size_t e = 0; e < D; e++) {
        const double var = (double)v->vars[i * D + e];
        const double z =
            (double)sn_mat_row(d->x, t)[e] - (double)v->means[i * D + e];
        logp -= 0.5 * (z * z / var + log(2 * 3.14159265358979 * var));
      }
      frame += exp(logp);
    }
    sum += log(fmax(frame, 1e-300));
  }
  return sum;
}

static void test_likelihood_never_falls(void **state) {
  (void)state;
  data d;
  make(&d, &toys[1]);
  const double before = likelihood(&d, sni_am_view_of(d.am));
  double last = 0;
  for (int32_t classes = 1; classes <= 3; classes++) {
    const sn_mllr_opts o = {classes, 100};
    sn_mllr_report report;
    sni_am_view v;
    sn_box *const box = written(d.am, &d.stats, &o, &v, &report);
    /* 60 Gaussians for 40 unknowns; halves have too few, and take the whole's
     * transform */
    assert_int_equal(report.n_estimated, classes == 1);
    /* what the auxiliary function gains, the likelihood does too (EM); floats
     * cost less than 1e-6 a frame */
    assert_true(report.gain > 0);
    const double after = likelihood(&d, &v);
    assert_true(after - before > T * (report.gain - 1e-5));
    /* more transforms fit no worse */
    assert_true(report.gain >= last - 1e-9);
    last = report.gain;
    sn_box_destroy(box);
  }
  clear(&d);
}

/* Frames of each kind of model: a transform for each stream, that gains. */
static void test_all_kinds_of_models_gain(void **state) {
  (void)state;
  for (size_t i = 0; i < N_TOYS; i++) {
    const sn_mllr_opts o = {1, 0};
    data d;
    sn_mllr_report report;
    sni_am_view v;
    make(&d, &toys[i]);
    sn_box *const box = written(d.am, &d.stats, &o, &v, &report);
    assert_int_equal(report.n_estimated, toys[i].n_streams);
    assert_true(report.gain > 0);
    assert_memory_not_equal(v.means, sni_am_view_of(d.am)->means,
                            d.stats.n_values * sizeof *v.means);
    sn_box_destroy(box);
    clear(&d);
  }
}

static void test_classes_follow_the_data(void **state) {
  (void)state;
  data d;
  make(&d, &toys[0]);
  static const struct {
    sn_mllr_opts o;
    int32_t n;
  } cases[] = {{{1, 0}, 3}, {{2, 1}, 6}, {{4, 1e6}, 3}};
  for (size_t i = 0; i < 3; i++) {
    sn_mllr_report report;
    sni_am_view v;
    sn_box *const box = written(d.am, &d.stats, &cases[i].o, &v, &report);
    assert_int_equal(report.n_classes, cases[i].n);
    sn_box_destroy(box);
  }
  clear(&d);
}

/* The model in memory is the one that would be written; sums without squares do
 * as well, and parts of frames add up to frames. */
static void test_applied_is_written(void **state) {
  (void)state;
  for (size_t t = 0; t < N_TOYS; t++) {
    const sn_mllr_opts o = {2, 100};
    data d;
    sn_map_stats s, half;
    sn_mllr_report report, again;
    sni_am_view v;
    sn_err err = {0};
    sn_mllr *m = NULL;
    sn_am *moved = NULL;
    sn_fmllr_work *work = NULL;
    sn_mat a, b;
    make(&d, &toys[t]);
    sn_box *const box = written(d.am, &d.stats, &o, &v, &report);
    OK(sn_map_stats_init_means(&s, d.am, &err));
    OK(sn_map_stats_init_means(&half, d.am, &err));
    OK(sn_fmllr_work_create(d.am, &work, &err));
    for (size_t i = 0; i < T; i++)
      sn_map_stats_part(&half, d.am, d.am, work, d.pdfs[i], 0.5,
                        sn_mat_row(d.x, i));
    sn_map_stats_add(&s, &half);
    sn_map_stats_add(&s, &half);
    OK(sn_mllr_estimate(d.am, &s, &o, &m, &again, &err));
    assert_true(again.gain == report.gain); /* halves are exact */
    OK(sn_mllr_apply(m, d.am, &moved, &err));
    assert_memory_equal(sni_am_view_of(moved)->means, v.means,
                        d.stats.n_values * sizeof *v.means);
    /* Scored by its own means; the old model's stay. */
    OK(sn_mat_alloc(16, (size_t)sn_am_n_pdfs(d.am), &a, &err));
    OK(sn_mat_alloc(16, (size_t)sn_am_n_pdfs(d.am), &b, &err));
    const sn_cmat x = sn_mat_const(sn_mat_rows(d.x, 0, 16));
    double gain = 0;
    OK(sn_am_score_block(moved, x, b, &err));
    sn_am_destroy(moved);
    OK(sn_am_score_block(d.am, x, a, &err));
    for (size_t i = 0; i < 16; i++)
      gain += (double)sn_mat_row(b, i)[d.pdfs[i]] -
              (double)sn_mat_row(a, i)[d.pdfs[i]];
    assert_true(gain > 0);
    sn_mat_free(&a);
    sn_mat_free(&b);
    sn_mllr_destroy(m);
    sn_fmllr_work_destroy(work);
    sn_map_stats_clear(&s);
    sn_map_stats_clear(&half);
    sn_box_destroy(box);
    clear(&d);
  }
}

static void test_a_model_is_made_or_nothing(void **state) {
  (void)state;
  const sn_mllr_opts o = {2, 1};
  data d;
  sn_mllr *m = NULL;
  sn_err err = {0};
  make(&d, &toys[0]);
  OK(sn_mllr_estimate(d.am, &d.stats, &o, &m, NULL, &err));
  const long before = sn_mem_live();
  sn_status s = SN_ENOMEM;
  for (long k = 0; s != SN_OK; k++) {
    sn_am *moved = NULL;
    sn_mem_fail_after(k);
    s = sn_mllr_apply(m, d.am, &moved, NULL);
    sn_mem_fail_after(-1);
    assert_true(s == SN_OK || s == SN_ENOMEM);
    assert_true((moved != NULL) == (s == SN_OK) && k < 100);
    sn_am_destroy(moved);
    assert_int_equal(sn_mem_live(), before);
  }
  sn_mllr_destroy(m);
  clear(&d);
}

static void test_no_data_change_nothing(void **state) {
  (void)state;
  const sn_mllr_opts o = {4, 0};
  sn_am *const am = toy_load(&toys[0]);
  const sni_am_view *const old = sni_am_view_of(am);
  sn_map_stats s;
  sn_mllr_report report;
  sni_am_view v;
  sn_err err = {0};
  OK(sn_map_stats_init(&s, am, &err));
  sn_box *const box = written(am, &s, &o, &v, &report);
  assert_int_equal(report.n_estimated, 0);
  assert_memory_equal(v.means, old->means, s.n_values * sizeof *v.means);
  sn_box_destroy(box);
  s.n_gauss--;
  assert_int_equal(sn_mllr_write(am, &s, &o, "none", &report, NULL), SN_EARG);
  s.n_gauss++;
  sn_map_stats_clear(&s);
  sn_am_destroy(am);
}

static void test_each_failing_allocation_is_a_status(void **state) {
  (void)state;
  const sn_mllr_opts o = {2, 1};
  data d;
  char dir[64], path[128];
  sn_status s = SN_ENOMEM;
  make(&d, &toys[0]);
  make_dir(dir, sizeof dir);
  in_dir(path, sizeof path, dir, "am.bin");
  for (long k = 0; s != SN_OK; k++) {
    sn_mllr_report report;
    sn_mem_fail_after(k);
    s = sn_mllr_write(d.am, &d.stats, &o, path, &report, NULL);
    sn_mem_fail_after(-1);
    assert_true(s == SN_OK || s == SN_ENOMEM);
    assert_true(k < 1000);
  }
  remove_dir(dir);
  clear(&d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_known_transform_comes_back),
      cmocka_unit_test(test_likelihood_never_falls),
      cmocka_unit_test(test_all_kinds_of_models_gain),
      cmocka_unit_test(test_classes_follow_the_data),
      cmocka_unit_test(test_applied_is_written),
      cmocka_unit_test(test_a_model_is_made_or_nothing),
      cmocka_unit_test(test_no_data_change_nothing),
      cmocka_unit_test(test_each_failing_allocation_is_a_status)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
