/* SPDX-License-Identifier: Apache-2.0 */
/* Deltas, splicing, CMVN and transforms: against their definitions; as stages
 * the same, bit for bit, as over whole matrices. */
#include <unistd.h>

#include "frontend/postproc.h"
#include "tests/frontend/kaldi_support.h"

static frames random_frames(size_t n, size_t dim, uint64_t seed) {
  frames f = make_frames_like(n, dim);
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (size_t i = 0; i < n * dim; i++)
    f.data[i] = (float)(10.0 * sn_rng_gauss(&rng) + 30.0);
  return f;
}

static long clamp(long i, long n) { return i < 0 ? 0 : i >= n ? n - 1 : i; }

/* ---- Deltas and splicing ---- */

/* Order k of the recording continued by its end frames: the regression applied
 * k times to a sequence long enough that the cut does not show. */
static double delta_of(const frames *f, long t, size_t d, int order,
                       int window) {
  if (order == 0)
    return (double)f->data[(size_t)clamp(t, (long)f->n) * f->dim + d];
  double sum = 0.0, norm = 0.0;
  for (long j = -window; j <= window; j++) {
    norm += (double)(j * j);
    sum += (double)j * delta_of(f, t + j, d, order - 1, window);
  }
  return sum / norm;
}

static void test_deltas_are_repeated_regression(void **state) {
  (void)state;
  for (int order = 0; order <= 3; order++)
    for (int window = 1; window <= 3; window++)
      for (size_t n = 1; n < 20; n += 5) {
        frames f = random_frames(n, 3, n);
        frames out = make_frames_like(n, 3 * ((size_t)order + 1));
        assert_int_equal(sn_deltas(order, window, view(&f), mview(&out), NULL),
                         SN_OK);
        for (size_t t = 0; t < n; t++)
          for (int k = 0; k <= order; k++)
            for (size_t d = 0; d < 3; d++) {
              const double want = delta_of(&f, (long)t, d, k, window);
              const double got =
                  (double)out.data[t * out.dim + (size_t)k * 3 + d];
              /* up to 19 products with values below 80, in float: 1e-5 each */
              assert_true(fabs(got - want) < 2e-4);
            }
        frames_free(&f);
        frames_free(&out);
      }
}

static void test_deltas_of_a_ramp_are_its_slope(void **state) {
  (void)state;
  frames f = make_frames_like(30, 1);
  for (size_t t = 0; t < 30; t++) f.data[t] = 2.5f * (float)t;
  frames out = make_frames_like(30, 3);
  assert_int_equal(sn_deltas(2, 2, view(&f), mview(&out), NULL), SN_OK);
  for (size_t t = 4; t < 26; t++) { /* float: 2.5 and 0 of terms below 75 */
    assert_true(fabs((double)out.data[3 * t + 1] - 2.5) < 1e-4);
    assert_true(fabs((double)out.data[3 * t + 2]) < 1e-4);
  }
  frames_free(&f);
  frames_free(&out);
}

static void test_splicing_puts_neighbours_side_by_side(void **state) {
  (void)state;
  for (int left = 0; left < 5; left += 2)
    for (int right = 0; right < 4; right++)
      for (size_t n = 1; n < 12; n += 3) {
        frames f = random_frames(n, 4, n);
        const size_t width = (size_t)(left + 1 + right);
        frames out = make_frames_like(n, 4 * width);
        assert_int_equal(sn_splice(left, right, view(&f), mview(&out), NULL),
                         SN_OK);
        for (size_t t = 0; t < n; t++)
          for (size_t k = 0; k < width; k++) {
            const long u = clamp((long)(t + k) - left, (long)n);
            assert_memory_equal(out.data + t * out.dim + k * 4,
                                f.data + (size_t)u * 4, 4 * sizeof(float));
          }
        frames_free(&f);
        frames_free(&out);
      }
}

/* ---- CMVN ---- */

static void test_normalised_frames_have_mean_0_and_variance_1(void **state) {
  (void)state;
  frames f = random_frames(200, 5, 3);
  sn_cmvn_stats *s = NULL;
  assert_int_equal(sn_cmvn_stats_create(5, &s, NULL), SN_OK);
  sn_cmvn_stats_add(s, view(&f));
  const sn_cmvn_opts o = {true, true};
  assert_int_equal(sn_cmvn_apply(s, o, mview(&f), NULL), SN_OK);
  for (size_t d = 0; d < 5; d++) {
    double sum = 0.0, sumsq = 0.0;
    for (size_t t = 0; t < f.n; t++) {
      sum += (double)f.data[t * 5 + d];
      sumsq += (double)f.data[t * 5 + d] * (double)f.data[t * 5 + d];
    }
    /* one rounding to float per value */
    assert_true(fabs(sum / 200.0) < 1e-6);
    assert_true(fabs(sumsq / 200.0 - 1.0) < 1e-6);
  }
  sn_cmvn_stats_destroy(s);
  frames_free(&f);
}

static void test_constant_columns_become_zero(void **state) {
  (void)state;
  frames f = make_frames_like(50, 2);
  for (size_t i = 0; i < 100; i++) f.data[i] = 7.0f;
  sn_cmvn_stats *s = NULL;
  assert_int_equal(sn_cmvn_stats_create(2, &s, NULL), SN_OK);
  sn_cmvn_stats_add(s, view(&f));
  const sn_cmvn_opts o = {true, true};
  assert_int_equal(sn_cmvn_apply(s, o, mview(&f), NULL), SN_OK);
  for (size_t i = 0; i < 100; i++) assert_true(f.data[i] == 0.0f);
  sn_cmvn_stats_destroy(s);
  frames_free(&f);
}

static void test_statistics_do_not_depend_on_the_cut(void **state) {
  (void)state;
  frames f = random_frames(60, 3, 5);
  sn_cmvn_stats *whole = NULL, *a = NULL, *b = NULL;
  assert_int_equal(sn_cmvn_stats_create(3, &whole, NULL), SN_OK);
  assert_int_equal(sn_cmvn_stats_create(3, &a, NULL), SN_OK);
  assert_int_equal(sn_cmvn_stats_create(3, &b, NULL), SN_OK);
  sn_cmvn_stats_add(whole, view(&f));
  const sn_cmat first = {f.data, 20, 3, 3}, rest = {f.data + 60, 40, 3, 3};
  sn_cmvn_stats_add(a, first);
  for (size_t t = 0; t < 40; t++)
    sn_cmvn_stats_add_frame(a, sn_cmat_row(rest, t));
  assert_memory_equal(whole->sum, a->sum, 3 * sizeof(double));
  assert_memory_equal(whole->sumsq, a->sumsq, 3 * sizeof(double));
  sn_cmvn_stats_reset(a);
  sn_cmvn_stats_add(a, first);
  sn_cmvn_stats_add(b, rest);
  sn_cmvn_stats_merge(a, b);
  assert_true(a->count == 60.0);
  for (size_t d = 0; d < 3; d++) /* double, another order of 60 terms */
    assert_true(fabs(a->sum[d] / whole->sum[d] - 1.0) < 1e-13);
  sn_cmvn_stats_destroy(whole);
  sn_cmvn_stats_destroy(a);
  sn_cmvn_stats_destroy(b);
  frames_free(&f);
}

static void test_statistics_go_through_kaldi_matrices(void **state) {
  (void)state;
  frames f = random_frames(16, 3, 6), m = make_frames_like(2, 4);
  sn_cmvn_stats *s = NULL, *back = NULL;
  assert_int_equal(sn_cmvn_stats_create(3, &s, NULL), SN_OK);
  sn_cmvn_stats_add(s, view(&f));
  sn_cmvn_stats_to_mat(s, mview(&m));
  assert_true(m.data[3] == 16.0f && m.data[7] == 0.0f);
  assert_int_equal(sn_cmvn_stats_from_mat(view(&m), &back, NULL), SN_OK);
  assert_true(back->count == 16.0);
  for (size_t d = 0; d < 3; d++) { /* rounded to float once */
    assert_true(fabs(back->sum[d] / s->sum[d] - 1.0) < 1e-7);
    assert_true(fabs(back->sumsq[d] / s->sumsq[d] - 1.0) < 1e-7);
  }
  sn_cmvn_stats_destroy(back);
  const float good = m.data[1];
  sn_err err = {0};
  m.data[1] = NAN;
  assert_int_equal(sn_cmvn_stats_from_mat(view(&m), &back, &err), SN_EFORMAT);
  assert_non_null(strstr(err.msg, "row 1, column 2"));
  assert_null(back);
  m.data[1] = good;
  m.data[3] = -1.0f;
  assert_int_equal(sn_cmvn_stats_from_mat(view(&m), &back, NULL), SN_EFORMAT);
  assert_int_equal(sn_cmvn_stats_from_mat(view(&f), &back, NULL), SN_EFORMAT);
  sn_cmvn_stats_destroy(s);
  frames_free(&f);
  frames_free(&m);
}

static void test_cmvn_that_cannot_be_is_refused(void **state) {
  (void)state;
  frames f = random_frames(4, 3, 6);
  frames before = random_frames(4, 3, 6);
  sn_cmvn_stats *s = NULL, *other = NULL;
  assert_int_equal(sn_cmvn_stats_create(3, &s, NULL), SN_OK);
  assert_int_equal(sn_cmvn_stats_create(4, &other, NULL), SN_OK);
  const sn_cmvn_opts means = {true, false}, vars_only = {false, true};
  sn_err err = {0};
  assert_int_equal(sn_cmvn_apply(s, means, mview(&f), &err), SN_EARG);
  assert_non_null(strstr(err.msg, "0 frames"));
  sn_cmvn_stats_add(s, view(&f));
  assert_int_equal(sn_cmvn_apply(s, vars_only, mview(&f), NULL), SN_EARG);
  sn_err_clear(&err);
  assert_int_equal(sn_cmvn_apply(other, means, mview(&f), &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "4"));
  sn_mem_fail_after(0);
  assert_int_equal(sn_cmvn_apply(s, means, mview(&f), NULL), SN_ENOMEM);
  sn_mem_fail_after(-1);
  assert_same_frames(&f, &before);
  const sn_cmvn_opts nothing = {false, false};
  assert_int_equal(sn_cmvn_apply(s, nothing, mview(&f), NULL), SN_OK);
  assert_same_frames(&f, &before);
  sn_cmvn_stats_destroy(s);
  sn_cmvn_stats_destroy(other);
  frames_free(&f);
  frames_free(&before);
}

static void test_speakers_have_statistics_of_their_own(void **state) {
  (void)state;
  frames a = random_frames(10, 3, 1), b = random_frames(20, 3, 2);
  sn_spk_cmvn *s = NULL;
  assert_int_equal(sn_spk_cmvn_create(3, &s, NULL), SN_OK);
  assert_int_equal(sn_spk_cmvn_add(s, "anna", view(&a), NULL), SN_OK);
  assert_int_equal(sn_spk_cmvn_add(s, "bert", view(&b), NULL), SN_OK);
  assert_int_equal(sn_spk_cmvn_add(s, "anna", view(&b), NULL), SN_OK);
  const sn_cmat none = {NULL, 0, 0, 0};
  assert_int_equal(sn_spk_cmvn_add(s, "carl", none, NULL), SN_OK);
  sn_cmvn_stats *want = NULL;
  assert_int_equal(sn_cmvn_stats_create(3, &want, NULL), SN_OK);
  sn_cmvn_stats_add(want, view(&a));
  sn_cmvn_stats_add(want, view(&b));
  const sn_cmvn_stats *const anna = sn_spk_cmvn_find(s, "anna");
  assert_non_null(anna);
  assert_true(anna->count == 30.0);
  assert_memory_equal(anna->sum, want->sum, 3 * sizeof(double));
  assert_true(sn_spk_cmvn_find(s, "bert")->count == 20.0);
  assert_null(sn_spk_cmvn_find(s, "carl"));
  assert_null(sn_spk_cmvn_find(s, "dora"));
  frames wide = random_frames(2, 4, 1);
  sn_err err = {0};
  assert_int_equal(sn_spk_cmvn_add(s, "bert", view(&wide), &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "bert"));
  sn_cmvn_stats_destroy(want);
  sn_spk_cmvn_destroy(s);
  frames_free(&a);
  frames_free(&b);
  frames_free(&wide);
}

/* ---- Sliding CMVN ---- */

/* The window that Kaldi's documentation and code describe, summed anew. */
static double sliding_of(const frames *f, sn_sliding_opts o, long t, size_t d) {
  const long n = (long)f->n;
  long begin = o.center ? t - o.window / 2 : t - o.window;
  long end = o.center ? begin + o.window : t + 1;
  if (begin < 0) {
    if (o.center) end -= begin;
    begin = 0;
  }
  if (!o.center && end < o.min_window) end = o.min_window;
  if (end > n) {
    begin -= end - n;
    end = n;
  }
  if (begin < 0) begin = 0;
  double sum = 0.0, sumsq = 0.0;
  for (long u = begin; u < end; u++) {
    const double v = (double)f->data[(size_t)u * f->dim + d];
    sum += v;
    sumsq += v * v;
  }
  const double k = (double)(end - begin), mean = sum / k;
  const double y = (double)f->data[(size_t)t * f->dim + d] - mean;
  if (!o.norm_vars) return y;
  if (end - begin == 1) return 0.0;
  return y / sqrt(fmax(1e-10, sumsq / k - mean * mean));
}

static sn_sliding_opts random_sliding(sn_rng *rng) {
  sn_sliding_opts o;
  o.window = 1 + (int32_t)sn_rng_below(rng, 30);
  o.min_window = 1 + (int32_t)sn_rng_below(rng, 40);
  o.center = sn_rng_below(rng, 2) == 1;
  o.norm_vars = sn_rng_below(rng, 2) == 1;
  return o;
}

static void test_sliding_windows_follow_their_definition(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 99);
  for (int round = 0; round < 300; round++) {
    const sn_sliding_opts o = random_sliding(&rng);
    const size_t n = 1 + sn_rng_below(&rng, 60);
    frames f = random_frames(n, 2, (uint64_t)round);
    frames out = make_frames_like(n, 2);
    assert_int_equal(sn_sliding_cmvn(&o, view(&f), mview(&out), NULL), SN_OK);
    for (size_t t = 0; t < n; t++)
      for (size_t d = 0; d < 2; d++) {
        const double want = sliding_of(&f, o, (long)t, d);
        /* Two frames that happen to be alike make the variance of a window
         * small and rounding of sums near 1e3 (1e-13) large beside it. */
        if (!(fabs((double)out.data[2 * t + d] - want) <
              1e-5 * fmax(1.0, fabs(want))))
          fail_msg(
              "round %d: window %d, min %d, center %d, vars %d, frame "
              "%zu of %zu: %g, not %g",
              round, o.window, o.min_window, o.center, o.norm_vars, t, n,
              (double)out.data[2 * t + d], want);
      }
    frames_free(&f);
    frames_free(&out);
  }
}

/* ---- Transforms ---- */

static const float affine[2][4] = {{1, 2, 3, 10}, {-1, 0, 0.5f, 20}};

static void test_transforms_are_linear_or_affine_by_their_width(void **state) {
  (void)state;
  const sn_cmat m = {&affine[0][0], 2, 4, 4};
  sn_transform *t = NULL;
  assert_int_equal(sn_transform_create(m, &t, NULL), SN_OK);
  assert_int_equal(sn_transform_out_dim(t), 2);
  const float x[] = {1, 10, 100, 1000};
  float y[2];
  sn_transform_frame(t, x, 3, y);
  assert_true(y[0] == 1 + 20 + 300 + 10 && y[1] == -1 + 50 + 20);
  sn_transform_frame(t, x, 4, y);
  assert_true(y[0] == 1 + 20 + 300 + 10000 && y[1] == -1 + 50 + 20000);
  sn_err err = {0};
  assert_int_equal(sn_transform_check(t, 3, NULL), SN_OK);
  assert_int_equal(sn_transform_check(t, 5, &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "these have 5"));
  const sn_cmat wide = {x, 1, 2, 2};
  const sn_mat out = {y, 1, 2, 2};
  assert_int_equal(sn_transform_apply(t, wide, out, NULL), SN_EMISMATCH);
  sn_pp *p = NULL;
  assert_int_equal(sn_pp_transform_create(t, 2, &p, NULL), SN_EMISMATCH);
  assert_null(p);
  sn_transform_destroy(t);
}

static void test_bad_transforms_are_refused(void **state) {
  (void)state;
  float bad[2][2] = {{1, 2}, {INFINITY, 4}};
  const sn_cmat m = {&bad[0][0], 2, 2, 2}, empty = {NULL, 0, 0, 0};
  sn_transform *t = NULL;
  sn_err err = {0};
  assert_int_equal(sn_transform_create(m, &t, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "row 2, column 1"));
  assert_null(t);
  assert_int_equal(sn_transform_create(empty, &t, NULL), SN_EARG);
}

/* A file of this process's own; the name is in path. */
static void write_file(char path[64], const char *text) {
  snprintf(path, 64, "/tmp/senone-transform-XXXXXX");
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
}

static void test_transforms_load_from_kaldi_files(void **state) {
  (void)state;
  char path[64];
  sn_transform *t = NULL;
  write_file(path, " [\n  1 2 3 10\n  -1 0 0.5 20 ]\n");
  assert_int_equal(sn_transform_load(path, &t, NULL), SN_OK);
  const float x[] = {1, 10, 100};
  float y[2];
  assert_int_equal(sn_transform_out_dim(t), 2);
  sn_transform_frame(t, x, 3, y);
  assert_true(y[0] == 331.0f && y[1] == 69.0f);
  sn_transform_destroy(t);
  unlink(path);
  static const char *const bad[] = {
      " [ 1 2\n 3 nan ]\n", " [ 1 2\n 3 ]\n", " [ 1 2", "",
      "no matrix\n",        " [ ]\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sn_err err = {0};
    write_file(path, bad[i]);
    assert_int_equal(sn_transform_load(path, &t, &err), SN_EFORMAT);
    assert_null(t);
    assert_int_equal(err.code, SN_EFORMAT);
    if (strstr(err.msg, path) == NULL) fail_msg("'%s'", err.msg);
    unlink(path);
  }
  assert_int_equal(sn_transform_load(path, &t, NULL), SN_EIO);
}

/* ---- Stages ---- */

/* Runs f through p, pulling at random; positions must be those pushed. */
static frames run_stage(sn_pp *p, const frames *f, uint64_t seed) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  assert_int_equal(sn_pp_in_dim(p), f->dim);
  frames out = make_frames_like(f->n, sn_pp_out_dim(p));
  size_t n = 0;
  for (size_t t = 0; t < f->n; t++) {
    assert_int_equal(
        sn_pp_push(p, f->data + t * f->dim, 3 * (int64_t)t + 7, NULL), SN_OK);
    if (t + 1 == f->n) sn_pp_finish(p);
    if (sn_rng_below(&rng, 3) > 0 || t + 1 == f->n)
      for (; sn_pp_n_ready(p) > 0; n++) {
        int64_t pos = 0;
        sn_pp_pull(p, out.data + n * out.dim, &pos);
        assert_int_equal(pos, 3 * (int64_t)n + 7);
      }
  }
  assert_int_equal(n, f->n);
  return out;
}

typedef enum what { DELTAS, SPLICE, SLIDING, UTTERANCE, FIXED, TRANSFORM } what;
#define N_WHAT 6

static sn_transform *make_transform(size_t dim) {
  frames m = random_frames(5, dim + 1, 1);
  sn_transform *t = NULL;
  assert_int_equal(sn_transform_create(view(&m), &t, NULL), SN_OK);
  frames_free(&m);
  return t;
}

static sn_status make_stage(what w, size_t dim, const sn_transform *t,
                            const sn_cmvn_stats *stats, sn_pp **p,
                            sn_err *err) {
  const sn_cmvn_opts cmvn = {true, true};
  sn_sliding_opts o = sn_sliding_defaults;
  o.window = 11;
  o.min_window = 5;
  switch (w) {
    case DELTAS:
      return sn_pp_deltas_create(dim, 2, 2, p, err);
    case SPLICE:
      return sn_pp_splice_create(dim, 3, 1, p, err);
    case SLIDING:
      return sn_pp_sliding_create(dim, &o, p, err);
    case UTTERANCE:
      return sn_pp_utterance_create(dim, cmvn, p, err);
    case FIXED:
      return sn_pp_fixed_create(stats, cmvn, p, err);
    case TRANSFORM:
      break;
  }
  return sn_pp_transform_create(t, dim, p, err);
}

static frames whole_matrix(what w, const frames *f, const sn_transform *t,
                           const sn_cmvn_stats *stats) {
  const size_t width[N_WHAT] = {3, 5, 1, 1, 1, 0};
  frames out = make_frames_like(f->n, w == TRANSFORM ? 5 : width[w] * f->dim);
  const sn_cmvn_opts cmvn = {true, true};
  sn_sliding_opts o = sn_sliding_defaults;
  o.window = 11;
  o.min_window = 5;
  sn_status s = SN_OK;
  if (w == DELTAS) s = sn_deltas(2, 2, view(f), mview(&out), NULL);
  if (w == SPLICE) s = sn_splice(3, 1, view(f), mview(&out), NULL);
  if (w == SLIDING) s = sn_sliding_cmvn(&o, view(f), mview(&out), NULL);
  if (w == TRANSFORM) s = sn_transform_apply(t, view(f), mview(&out), NULL);
  if (w == UTTERANCE || w == FIXED) {
    memcpy(out.data, f->data, f->n * f->dim * sizeof(float));
    s = sn_cmvn_apply(stats, cmvn, mview(&out), NULL);
  }
  assert_int_equal(s, SN_OK);
  return out;
}

static sn_cmvn_stats *stats_of(const frames *f) {
  sn_cmvn_stats *s = NULL;
  assert_int_equal(sn_cmvn_stats_create(f->dim, &s, NULL), SN_OK);
  sn_cmvn_stats_add(s, view(f));
  return s;
}

static void test_stages_equal_whole_matrices_bit_for_bit(void **state) {
  (void)state;
  sn_transform *t = make_transform(3);
  for (int w = 0; w < N_WHAT; w++) {
    sn_pp *p = NULL;
    frames first = random_frames(20, 3, 1);
    sn_cmvn_stats *stats = stats_of(&first);
    assert_int_equal(make_stage((what)w, 3, t, stats, &p, NULL), SN_OK);
    for (size_t n = 0; n < 200; n += n < 20 ? 1 : 60) {
      frames f = random_frames(n, 3, n + 5);
      sn_cmvn_stats *own = stats_of(&f);
      frames a = run_stage(p, &f, n);
      if (n == 0) sn_pp_finish(p);
      assert_int_equal(sn_pp_n_ready(p), 0);
      frames b = whole_matrix((what)w, &f, t, w == UTTERANCE ? own : stats);
      a.pos = b.pos = NULL;
      assert_int_equal(a.n, b.n);
      assert_int_equal(a.dim, b.dim);
      if (n > 0)
        assert_memory_equal(a.data, b.data, a.n * a.dim * sizeof(float));
      sn_pp_reset(p);
      sn_cmvn_stats_destroy(own);
      frames_free(&a);
      frames_free(&b);
      frames_free(&f);
    }
    sn_cmvn_stats_destroy(stats);
    frames_free(&first);
    sn_pp_destroy(p);
  }
  sn_transform_destroy(t);
}

static void test_random_sliding_stages_equal_whole_matrices(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 17);
  for (int round = 0; round < 200; round++) {
    const sn_sliding_opts o = random_sliding(&rng);
    frames f = random_frames(1 + sn_rng_below(&rng, 90), 2, (uint64_t)round);
    frames want = make_frames_like(f.n, 2);
    assert_int_equal(sn_sliding_cmvn(&o, view(&f), mview(&want), NULL), SN_OK);
    sn_pp *p = NULL;
    assert_int_equal(sn_pp_sliding_create(2, &o, &p, NULL), SN_OK);
    frames got = run_stage(p, &f, (uint64_t)round);
    assert_memory_equal(got.data, want.data, f.n * 2 * sizeof(float));
    sn_pp_destroy(p);
    frames_free(&f);
    frames_free(&got);
    frames_free(&want);
  }
}

static void test_stages_give_frames_as_early_as_they_can(void **state) {
  (void)state;
  sn_transform *t = make_transform(3);
  frames f = random_frames(40, 3, 2);
  sn_cmvn_stats *stats = stats_of(&f);
  for (int w = 0; w < N_WHAT; w++) {
    sn_pp *p = NULL;
    assert_int_equal(make_stage((what)w, 3, t, stats, &p, NULL), SN_OK);
    const size_t wait[N_WHAT] = {4, 1, 0, 40, 0, 0};
    for (size_t i = 0; i < f.n; i++) {
      assert_int_equal(sn_pp_push(p, f.data + 3 * i, 0, NULL), SN_OK);
      size_t want = i + 1 > wait[w] ? i + 1 - wait[w] : 0;
      if (w == SLIDING && i + 1 < 5) want = 0;
      assert_int_equal(sn_pp_n_ready(p), want);
    }
    sn_pp_finish(p);
    assert_int_equal(sn_pp_n_ready(p), f.n);
    sn_pp_destroy(p);
  }
  sn_cmvn_stats_destroy(stats);
  sn_transform_destroy(t);
  frames_free(&f);
}

static void test_long_streams_allocate_nothing_more(void **state) {
  (void)state;
  sn_transform *t = make_transform(3);
  frames f = random_frames(20, 3, 2);
  sn_cmvn_stats *stats = stats_of(&f);
  for (int w = 0; w < N_WHAT; w++) {
    if (w == UTTERANCE) continue;
    sn_pp *p = NULL;
    float y[64];
    assert_int_equal(make_stage((what)w, 3, t, stats, &p, NULL), SN_OK);
    for (size_t i = 0; i < 5000; i++) {
      if (i == 100) sn_mem_fail_after(0);
      assert_int_equal(sn_pp_push(p, f.data + 3 * (i % 20), 0, NULL), SN_OK);
      while (sn_pp_n_ready(p) > 0) sn_pp_pull(p, y, NULL);
    }
    assert_false(sn_mem_fault_fired());
    sn_mem_fail_after(-1);
    sn_pp_destroy(p);
  }
  sn_cmvn_stats_destroy(stats);
  sn_transform_destroy(t);
  frames_free(&f);
}

static void test_chained_stages_equal_chained_matrices(void **state) {
  (void)state;
  frames f = random_frames(50, 3, 8);
  sn_pp *a = NULL, *b = NULL;
  const sn_sliding_opts o = {20, 4, false, true};
  assert_int_equal(sn_pp_sliding_create(3, &o, &a, NULL), SN_OK);
  assert_int_equal(sn_pp_deltas_create(3, 2, 2, &b, NULL), SN_OK);
  frames mid = make_frames_like(50, 3), want = make_frames_like(50, 9);
  frames got = make_frames_like(50, 9);
  assert_int_equal(sn_sliding_cmvn(&o, view(&f), mview(&mid), NULL), SN_OK);
  assert_int_equal(sn_deltas(2, 2, view(&mid), mview(&want), NULL), SN_OK);
  float scratch[3];
  size_t n = 0;
  for (size_t i = 0; i < f.n; i++) {
    assert_int_equal(sn_pp_push(a, f.data + 3 * i, (int64_t)i, NULL), SN_OK);
    if (i + 1 == f.n) sn_pp_finish(a);
    assert_int_equal(sn_pp_pump(a, b, scratch, NULL), SN_OK);
    if (i + 1 == f.n) sn_pp_finish(b);
    for (; sn_pp_n_ready(b) > 0; n++) {
      int64_t pos = -1;
      sn_pp_pull(b, got.data + 9 * n, &pos);
      assert_int_equal(pos, n);
    }
  }
  assert_int_equal(n, 50);
  assert_memory_equal(got.data, want.data, 50 * 9 * sizeof(float));
  sn_pp_destroy(a);
  sn_pp_destroy(b);
  frames_free(&f);
  frames_free(&mid);
  frames_free(&want);
  frames_free(&got);
}

/* ---- Failure ---- */

static void test_stages_survive_every_failed_allocation(void **state) {
  (void)state;
  sn_transform *t = make_transform(3);
  frames f = random_frames(60, 3, 4);
  sn_cmvn_stats *stats = stats_of(&f);
  const long live = sn_mem_live();
  for (int w = 0; w < N_WHAT; w++) {
    frames want = whole_matrix((what)w, &f, t, stats);
    frames got = make_frames_like(f.n, want.dim);
    for (long k = 0;; k++) {
      assert_true(k < 100);
      sn_pp *p = NULL;
      sn_err err = {0};
      sn_mem_fail_after(k);
      bool ok = make_stage((what)w, 3, t, stats, &p, &err) == SN_OK;
      assert_int_equal(ok, p != NULL);
      for (size_t i = 0; ok && i < f.n; i++) {
        const sn_status s = sn_pp_push(p, f.data + 3 * i, 0, &err);
        if (s == SN_OK) continue;
        assert_int_equal(s, SN_ENOMEM); /* as before: push it again */
        assert_int_equal(sn_pp_push(p, f.data + 3 * i, 0, NULL), SN_OK);
      }
      const bool fired = sn_mem_fault_fired();
      sn_mem_fail_after(-1);
      if (fired) assert_int_equal(err.code, SN_ENOMEM);
      if (ok) {
        sn_pp_finish(p);
        for (size_t i = 0; i < f.n; i++)
          sn_pp_pull(p, got.data + i * got.dim, NULL);
        assert_memory_equal(got.data, want.data,
                            f.n * want.dim * sizeof(float));
      }
      sn_pp_destroy(p);
      assert_int_equal(sn_mem_live(), live);
      if (!fired) break;
    }
    frames_free(&want);
    frames_free(&got);
  }
  sn_cmvn_stats_destroy(stats);
  sn_transform_destroy(t);
  frames_free(&f);
}

static void test_statistics_and_transforms_survive_failed_allocations(
    void **state) {
  (void)state;
  frames f = random_frames(6, 3, 4);
  char path[64];
  write_file(path, " [ 1 2\n 3 4 ]\n");
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    assert_true(k < 200);
    sn_spk_cmvn *s = NULL;
    sn_transform *t = NULL;
    sn_cmvn_stats *stats = NULL;
    sn_err err = {0};
    sn_mem_fail_after(k);
    sn_status st = sn_cmvn_stats_create(3, &stats, &err);
    if (st == SN_OK) st = sn_spk_cmvn_create(3, &s, &err);
    if (st == SN_OK) st = sn_spk_cmvn_add(s, "anna", view(&f), &err);
    if (st == SN_OK) st = sn_spk_cmvn_add(s, "bert", view(&f), &err);
    if (st == SN_OK) st = sn_transform_load(path, &t, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(st, fired ? SN_ENOMEM : SN_OK);
    if (s != NULL && fired) /* still usable */
      assert_int_equal(sn_spk_cmvn_add(s, "bert", view(&f), NULL), SN_OK);
    sn_cmvn_stats_destroy(stats);
    sn_spk_cmvn_destroy(s);
    sn_transform_destroy(t);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
  }
  unlink(path);
  frames_free(&f);
}

static void test_settings_out_of_range_are_refused(void **state) {
  (void)state;
  sn_pp *p = NULL;
  sn_err err = {0};
  assert_int_equal(sn_pp_deltas_create(3, -1, 2, &p, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "delta-order"));
  assert_int_equal(sn_pp_deltas_create(3, 17, 2, &p, NULL), SN_EARG);
  assert_int_equal(sn_pp_deltas_create(3, 2, 0, &p, NULL), SN_EARG);
  assert_int_equal(sn_pp_deltas_create(3, 2, 1001, &p, NULL), SN_EARG);
  assert_int_equal(sn_pp_splice_create(3, -1, 0, &p, NULL), SN_EARG);
  assert_int_equal(sn_pp_splice_create(3, 0, 1001, &p, NULL), SN_EARG);
  sn_sliding_opts o = sn_sliding_defaults;
  o.window = 0;
  assert_int_equal(sn_pp_sliding_create(3, &o, &p, NULL), SN_EARG);
  o = sn_sliding_defaults;
  o.min_window = 0;
  assert_int_equal(sn_pp_sliding_create(3, &o, &p, NULL), SN_EARG);
  const sn_cmvn_opts vars_only = {false, true};
  assert_int_equal(sn_pp_utterance_create(3, vars_only, &p, NULL), SN_EARG);
  assert_null(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deltas_are_repeated_regression),
      cmocka_unit_test(test_deltas_of_a_ramp_are_its_slope),
      cmocka_unit_test(test_splicing_puts_neighbours_side_by_side),
      cmocka_unit_test(test_normalised_frames_have_mean_0_and_variance_1),
      cmocka_unit_test(test_constant_columns_become_zero),
      cmocka_unit_test(test_statistics_do_not_depend_on_the_cut),
      cmocka_unit_test(test_statistics_go_through_kaldi_matrices),
      cmocka_unit_test(test_cmvn_that_cannot_be_is_refused),
      cmocka_unit_test(test_speakers_have_statistics_of_their_own),
      cmocka_unit_test(test_sliding_windows_follow_their_definition),
      cmocka_unit_test(test_transforms_are_linear_or_affine_by_their_width),
      cmocka_unit_test(test_bad_transforms_are_refused),
      cmocka_unit_test(test_transforms_load_from_kaldi_files),
      cmocka_unit_test(test_stages_equal_whole_matrices_bit_for_bit),
      cmocka_unit_test(test_random_sliding_stages_equal_whole_matrices),
      cmocka_unit_test(test_stages_give_frames_as_early_as_they_can),
      cmocka_unit_test(test_long_streams_allocate_nothing_more),
      cmocka_unit_test(test_chained_stages_equal_chained_matrices),
      cmocka_unit_test(test_stages_survive_every_failed_allocation),
      cmocka_unit_test(
          test_statistics_and_transforms_survive_failed_allocations),
      cmocka_unit_test(test_settings_out_of_range_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
