/* SPDX-License-Identifier: Apache-2.0 */
/* Feature types, mean subtraction and gain control against their formulas. */
#include "frontend/sphinx_post_internal.h"
#include "tests/frontend/feat_support.h"

enum { dim = 13 };

static sni_sphinx_opts defaults(void) {
  sni_sphinx_opts o;
  memset(&o, 0, sizeof o);
  sn_opt_defaults(sni_sphinx_opt_table, &o);
  o.cmn = SNI_SPHINX_CMN_NONE;
  return o;
}

/* Random cepstra; c0 around `c0`. */
static sn_mat cepstra(size_t n, double c0, uint64_t seed) {
  sn_mat m;
  sn_rng rng;
  sn_rng_init(&rng, seed);
  ASSERT_OK(sn_mat_alloc(n, dim, &m, E));
  for (size_t t = 0; t < n; t++)
    for (size_t d = 0; d < dim; d++)
      sn_mat_row(m, t)[d] = (float)(sn_rng_gauss(&rng) * 4 + (d == 0 ? c0 : 0));
  return m;
}

static sni_sphinx_post *new_post(const sni_sphinx_type *t, sn_cmn_mode mode) {
  sni_sphinx_post *p;
  ASSERT_OK(sni_sphinx_post_create(t, mode, &p, E));
  return p;
}

static sni_sphinx_type *new_type(const sni_sphinx_opts *o) {
  sni_sphinx_type *t;
  ASSERT_OK(sni_sphinx_type_create(o, dim, &t, E));
  return t;
}

/* Pushes in, pulling as frames come. */
static sn_mat run_post(sni_sphinx_post *p, size_t out_dim, sn_mat in) {
  sn_mat out;
  size_t n = 0;
  int64_t position;
  ASSERT_OK(sn_mat_alloc(in.rows, out_dim, &out, E));
  for (size_t t = 0; t < in.rows; t++) {
    ASSERT_OK(sni_sphinx_post_push(p, sn_mat_row(in, t), (int64_t)(3 * t), E));
    while (t % 5 == 0 && sni_sphinx_post_n_ready(p) > 0) {
      sni_sphinx_post_pull(p, sn_mat_row(out, n), &position);
      assert_int_equal(position, 3 * n++);
    }
  }
  sni_sphinx_post_finish(p);
  while (sni_sphinx_post_n_ready(p) > 0) {
    sni_sphinx_post_pull(p, sn_mat_row(out, n), &position);
    assert_int_equal(position, 3 * n++);
  }
  assert_int_equal(n, in.rows);
  return out;
}

static double c(sn_mat in, size_t t, long offset, size_t d) {
  long i = (long)t + offset;
  if (i < 0) i = 0;
  if (i >= (long)in.rows) i = (long)in.rows - 1;
  return (double)sn_mat_row(in, (size_t)i)[d];
}
static double d1(sn_mat in, size_t t, size_t d) {
  return c(in, t, 2, d) - c(in, t, -2, d);
}
static double d2(sn_mat in, size_t t, size_t d) {
  return c(in, t, 3, d) - c(in, t, -1, d) - c(in, t, 1, d) + c(in, t, -3, d);
}

/* Component i of the feature of frame t, by the tables in feat.c. */
static double expected(const char *feat, sn_mat in, size_t t, size_t i) {
  if (strcmp(feat, "s3_1x39") == 0) {
    if (i < 12) return c(in, t, 0, i + 1);
    if (i < 24) return d1(in, t, i - 11);
    if (i == 24) return c(in, t, 0, 0);
    if (i == 25) return d1(in, t, 0);
    return d2(in, t, i - 26);
  }
  if (strcmp(feat, "s2_4x") == 0) {
    if (i < 12) return c(in, t, 0, i + 1);
    if (i < 24) return d1(in, t, i - 11);
    if (i < 36) return c(in, t, 4, i - 23) - c(in, t, -4, i - 23);
    if (i == 36) return c(in, t, 0, 0);
    if (i == 37) return d1(in, t, 0);
    return d2(in, t, i - 38);
  }
  if (strcmp(feat, "5,8:1") == 0)
    return i < 15 ? c(in, t, (long)(i / 5) - 1, i % 5)
                  : c(in, t, (long)((i - 15) / 8) - 1, 5 + (i - 15) % 8);
  if (i < dim) return c(in, t, 0, i);
  return i < 2 * dim ? d1(in, t, i - dim) : d2(in, t, i - 2 * dim);
}

static void test_feature_types_follow_their_formulas(void **state) {
  (void)state;
  static const struct {
    const char *feat;
    size_t dim;
  } types[] = {{"1s_c", 13},    {"1s_c_d", 26}, {"1s_c_d_dd", 39},
               {"s3_1x39", 39}, {"s2_4x", 51},  {"5,8:1", 39},
               {"13", 13}};
  for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
    sni_sphinx_opts o = defaults();
    o.feat = types[k].feat;
    sni_sphinx_type *t = new_type(&o);
    assert_int_equal(sni_sphinx_type_dim(t), types[k].dim);
    static const size_t lengths[] = {1, 2, 3, 5, 40};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
      sn_mat in = cepstra(lengths[l], 40, k);
      sni_sphinx_post *p = new_post(t, SN_CMN_DEFAULT);
      sn_mat out = run_post(p, types[k].dim, in);
      for (size_t f = 0; f < in.rows; f++)
        for (size_t i = 0; i < out.cols; i++) {
          const double want = expected(types[k].feat, in, f, i);
          /* three float subtractions of values below 64 */
          if (!(fabs((double)sn_mat_row(out, f)[i] - want) < 3 * 64 * 6e-8))
            fail_msg("%s of %zu: frame %zu, component %zu", types[k].feat,
                     in.rows, f, i);
        }
      sni_sphinx_post_destroy(p);
      sn_mat_free(&in);
      sn_mat_free(&out);
    }
    sni_sphinx_type_destroy(t);
  }
}

static void test_batch_mean_leaves_out_negative_c0(void **state) {
  (void)state;
  sni_sphinx_opts o = defaults();
  o.cmn = SNI_SPHINX_CMN_CURRENT; /* the old name */
  o.feat = "1s_c";
  sni_sphinx_type *t = new_type(&o);
  sni_sphinx_post *p = new_post(t, SN_CMN_DEFAULT);
  sn_mat in = cepstra(300, 3, 1);
  sn_mat out = run_post(p, dim, in);
  for (size_t d = 0; d < dim; d++) {
    double sum = 0, n = 0;
    for (size_t f = 0; f < in.rows; f++)
      if (sn_mat_row(in, f)[0] >= 0) {
        sum += (double)sn_mat_row(in, f)[d];
        n += 1;
      }
    assert_true(n > 100 && n < 290);
    for (size_t f = 0; f < in.rows; f++)
      assert_true(fabs((double)sn_mat_row(out, f)[d] + sum / n -
                       (double)sn_mat_row(in, f)[d]) < 1e-5);
  }
  sni_sphinx_post_destroy(p);
  sni_sphinx_type_destroy(t);
  sn_mat_free(&in);
  sn_mat_free(&out);
}

static void test_variance_becomes_one(void **state) {
  (void)state;
  sni_sphinx_opts o = defaults();
  o.cmn = SNI_SPHINX_CMN_BATCH;
  o.varnorm = true;
  o.feat = "1s_c";
  sni_sphinx_type *t = new_type(&o);
  sni_sphinx_post *p = new_post(t, SN_CMN_DEFAULT);
  sn_mat in = cepstra(200, 50, 1);
  sn_mat out = run_post(p, dim, in);
  for (size_t d = 0; d < dim; d++) {
    double sum = 0, squares = 0;
    for (size_t f = 0; f < out.rows; f++) {
      sum += (double)sn_mat_row(out, f)[d];
      squares += pow((double)sn_mat_row(out, f)[d], 2);
    }
    assert_true(fabs(sum) < 1e-3 && fabs(squares / 200 - 1) < 1e-4);
  }
  sni_sphinx_post_destroy(p);
  sni_sphinx_post *live;
  assert_int_equal(sni_sphinx_post_create(t, SN_CMN_LIVE, &live, NULL),
                   SN_EARG);
  sni_sphinx_type_destroy(t);
  sn_mat_free(&in);
  sn_mat_free(&out);
}

/* cmn_live.c, the obvious way, one frame at a time. */
typedef struct slow_live {
  double mean[dim], sum[dim], n;
} slow_live;

static void slow_update(slow_live *s) {
  for (size_t d = 0; s->n > 0 && d < dim; d++) s->mean[d] = s->sum[d] / s->n;
  if (s->n <= 800) return;
  for (size_t d = 0; d < dim; d++) s->sum[d] *= 500 / s->n;
  s->n = 500;
}

static void check_live(slow_live *s, sn_mat in, sn_mat out) {
  for (size_t t = 0; t < in.rows; t++) {
    const float *x = sn_mat_row(in, t), *y = sn_mat_row(out, t);
    for (size_t d = 0; d < dim; d++) {
      if (!(fabs((double)x[d] - s->mean[d] - (double)y[d]) < 2e-5))
        fail_msg("frame %zu, component %zu", t, d);
      if (x[0] >= 0) s->sum[d] += (double)x[d];
    }
    if (x[0] >= 0) s->n += 1;
    if (s->n > 800) slow_update(s);
  }
  slow_update(s);
}

static void test_live_mean_follows_the_slow_one(void **state) {
  (void)state;
  sni_sphinx_opts o = defaults();
  o.cmn = SNI_SPHINX_CMN_BATCH; /* the mode decides */
  o.feat = "1s_c";
  o.cmninit = "41.00,-5.29, -0.12";
  sni_sphinx_type *t = new_type(&o);
  sni_sphinx_post *p = new_post(t, SN_CMN_LIVE);
  slow_live slow = {.mean = {41.0, -5.29, -0.12}};
  for (uint64_t k = 0; k < 3; k++) { /* utterances */
    sn_mat in = cepstra(k == 1 ? 2500 : 300, 6, k);
    sn_mat out = run_post(p, dim, in);
    check_live(&slow, in, out);
    sni_sphinx_post_reset(p, true);
    sn_mat_free(&in);
    sn_mat_free(&out);
  }
  sni_sphinx_post_reset(p, false);
  sn_mat in = cepstra(1, 6, 9);
  sn_mat out = run_post(p, dim, in);
  assert_true(fabs((double)(sn_mat_row(in, 0)[1] - sn_mat_row(out, 0)[1]) +
                   5.29) < 1e-5);
  sn_mat_free(&in);
  sn_mat_free(&out);
  sni_sphinx_post_destroy(p);
  sni_sphinx_type_destroy(t);
}

static void test_gain_control_moves_c0_only(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    sni_sphinx_opts o = defaults();
    o.agc = k == 0 ? SNI_SPHINX_AGC_MAX : SNI_SPHINX_AGC_NOISE;
    o.feat = "1s_c";
    sni_sphinx_type *t = new_type(&o);
    sni_sphinx_post *p = new_post(t, SN_CMN_DEFAULT);
    sn_mat in = cepstra(100, 40, 3);
    sn_mat out = run_post(p, dim, in);
    double most = -1e9, least = 1e9, sum = 0, n = 0;
    for (size_t f = 0; f < in.rows; f++) {
      most = fmax(most, (double)sn_mat_row(in, f)[0]);
      least = fmin(least, (double)sn_mat_row(in, f)[0]);
    }
    for (size_t f = 0; f < in.rows; f++)
      if ((double)sn_mat_row(in, f)[0] < least + 2) {
        sum += (double)sn_mat_row(in, f)[0];
        n += 1;
      }
    const double by = k == 0 ? most : sum / n;
    for (size_t f = 0; f < in.rows; f++) {
      assert_true(fabs((double)(sn_mat_row(in, f)[0] - sn_mat_row(out, f)[0]) -
                       by) < 1e-5);
      assert_memory_equal(sn_mat_row(in, f) + 1, sn_mat_row(out, f) + 1,
                          (dim - 1) * sizeof(float));
    }
    sni_sphinx_post_destroy(p);
    sni_sphinx_type_destroy(t);
    sn_mat_free(&in);
    sn_mat_free(&out);
  }
}

static void refuse(sni_sphinx_opts o, size_t in_dim, const char *in_message) {
  sni_sphinx_type *t;
  sn_err err = {0};
  assert_int_not_equal(sni_sphinx_type_create(&o, in_dim, &t, &err), SN_OK);
  assert_null(t);
  if (strstr(err.msg, in_message) == NULL)
    fail_msg("'%s' is not in '%s'", in_message, err.msg);
}

static void test_what_is_not_supported_is_refused_by_name(void **state) {
  (void)state;
  static const char *const bad[] = {"2s_c",  "1s_c_d_dd,10", "12:",  "13,0",
                                    "13:99", ",13",          "13:x", ""};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sni_sphinx_opts o = defaults();
    o.feat = bad[i];
    refuse(o, dim, "feat");
  }
  sni_sphinx_opts o = defaults();
  o.agc = SNI_SPHINX_AGC_EMAX;
  refuse(o, dim, "emax");
  o = defaults();
  o.cmninit = "41,x";
  refuse(o, dim, "cmninit");
  o = defaults();
  refuse(o, 12, "ceplen");
  o.ceplen = 12;
  o.feat = "s2_4x";
  refuse(o, 12, "s2_4x");
  o = defaults();
  o.lda = "/nonexistent/feature_transform";
  refuse(o, dim, "/nonexistent/feature_transform");
}

/* ---- LDA files ---- */

/* 1 matrix of 2 x 3, 1 .. 6, in either byte order; returns the length. */
static size_t make_lda(unsigned char *to, bool big) {
  static const char header[] = "s3\nversion 0.1\nendhdr\n";
  static const uint32_t words[] = {0x11223344, 1, 2, 3, 6};
  const size_t n = strlen(header);
  memcpy(to, header, n);
  for (size_t i = 0; i < 11; i++) {
    const float x = (float)i - 4;
    uint32_t v;
    memcpy(&v, &x, sizeof v);
    if (i < 5) v = words[i];
    for (size_t k = 0; k < 4; k++)
      to[n + 4 * i + k] = (unsigned char)(v >> 8 * (big ? 3 - k : k));
  }
  return n + 44;
}

static sn_status read_lda(const void *data, size_t n, sn_mat *out,
                          sn_err *err) {
  sn_reader *r;
  ASSERT_OK(sn_reader_memory(data, n, "lda", &r, E));
  const sn_status s = sni_sphinx_lda_read(r, out, err);
  sn_reader_destroy(r);
  return s;
}

static void test_lda_files_are_read_in_both_byte_orders(void **state) {
  (void)state;
  unsigned char data[128];
  for (int big = 0; big < 2; big++) {
    const size_t n = make_lda(data, big == 1);
    sn_mat m;
    ASSERT_OK(read_lda(data, n, &m, E));
    assert_int_equal(m.rows, 2);
    assert_int_equal(m.cols, 3);
    for (size_t i = 0; i < 6; i++)
      assert_true(sn_mat_row(m, i / 3)[i % 3] == (float)(i + 1));
    sn_mat_free(&m);
  }
}

static void test_altered_lda_files_never_crash(void **state) {
  (void)state;
  unsigned char data[128], changed[128];
  const size_t n = make_lda(data, false);
  sn_mat m;
  for (size_t i = 0; i < n; i++) {
    sn_err err = {0};
    assert_int_equal(read_lda(data, i, &m, &err), SN_EFORMAT);
    assert_null(m.data);
    for (unsigned flip = 1; flip < 256; flip <<= 1) {
      memcpy(changed, data, n);
      changed[i] = (unsigned char)(changed[i] ^ flip);
      if (read_lda(changed, n, &m, NULL) == SN_OK) sn_mat_free(&m);
    }
  }
}

static void test_lda_transforms_features(void **state) {
  (void)state;
  char path[] = "/tmp/senone-lda-XXXXXX";
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  FILE *f = fdopen(fd, "wb");
  /* rows: the sum of all components; component 1 */
  const uint32_t head[] = {0x11223344, 1, 2, dim, 2 * dim};
  fputs("s3\nendhdr\n", f);
  fwrite(head, sizeof *head, 5, f);
  for (size_t i = 0; i < 2 * dim; i++) {
    const float x = i < dim || i == dim + 1 ? 1 : 0;
    fwrite(&x, sizeof x, 1, f);
  }
  fclose(f);
  sni_sphinx_opts o = defaults();
  o.feat = "1s_c";
  o.lda = path;
  sni_sphinx_type *t = new_type(&o);
  assert_int_equal(sni_sphinx_type_dim(t), 2);
  sni_sphinx_post *p = new_post(t, SN_CMN_DEFAULT);
  sn_mat in = cepstra(20, 4, 3);
  sn_mat out = run_post(p, 2, in);
  for (size_t k = 0; k < in.rows; k++) {
    double sum = 0;
    for (size_t d = 0; d < dim; d++) sum += (double)sn_mat_row(in, k)[d];
    assert_true(fabs((double)sn_mat_row(out, k)[0] - sum) < 1e-4);
    assert_true(sn_mat_row(out, k)[1] == sn_mat_row(in, k)[1]);
  }
  sni_sphinx_post_destroy(p);
  sni_sphinx_type_destroy(t);
  o.ldadim = 1;
  t = new_type(&o);
  assert_int_equal(sni_sphinx_type_dim(t), 1);
  sni_sphinx_type_destroy(t);
  o.feat = "1s_c_d";
  refuse(o, dim, path);
  o.feat = "s2_4x";
  refuse(o, dim, "streams");
  sn_mat_free(&in);
  sn_mat_free(&out);
  remove(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_feature_types_follow_their_formulas),
      cmocka_unit_test(test_batch_mean_leaves_out_negative_c0),
      cmocka_unit_test(test_variance_becomes_one),
      cmocka_unit_test(test_live_mean_follows_the_slow_one),
      cmocka_unit_test(test_gain_control_moves_c0_only),
      cmocka_unit_test(test_what_is_not_supported_is_refused_by_name),
      cmocka_unit_test(test_lda_files_are_read_in_both_byte_orders),
      cmocka_unit_test(test_altered_lda_files_never_crash),
      cmocka_unit_test(test_lda_transforms_features)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
