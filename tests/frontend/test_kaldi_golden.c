/* SPDX-License-Identifier: Apache-2.0 */
/* Against Kaldi 5.5's own output (shared reference, made as its README.txt
 * says). Tolerance: 1e-3 absolute is what the toolkit promises; the texts hold
 * 7 digits and Kaldi computes in float, so values near 100 have an error of
 * about 1e-5 each, and logarithms of small energies that of a float FFT, some
 * 1e-7 of the loudest bin. */
#include "frontend/postproc.h"
#include "tests/frontend/kaldi_support.h"

#define TOLERANCE 1e-3

static const char *const utts[] = {"an4", "fsdd", "lj"};
#define N_UTTS (sizeof utts / sizeof *utts)

static void need_reference(void) {
  if (have_reference()) return;
  print_message(
      "SKIPPED: no reference/kaldi-feats under $SENONE_SHARED or ../shared\n");
  skip();
}

static void compare(const frames *ours, const char *utt, const char *what) {
  char name[128];
  snprintf(name, sizeof name, "%s.%s.txt", utt, what);
  frames theirs = read_text_matrix(name);
  const double worst = max_difference(ours, &theirs);
  print_message("  %-28s %4zu x %2zu  max abs difference %.2e\n", name,
                theirs.n, theirs.dim, worst);
  if (!(worst <= TOLERANCE)) fail_msg("%s: %g", name, worst);
  frames_free(&theirs);
}

static frames features(const char *utt, sni_kaldi_opts o) {
  char name[128];
  snprintf(name, sizeof name, "%s.wav", utt);
  signal s = read_wav(name, &o.sample_frequency);
  frames f = extract(&o, s);
  free(s.x);
  return f;
}

static void check_kind(sni_kaldi_opts o, const char *what) {
  need_reference();
  for (size_t i = 0; i < N_UTTS; i++) {
    frames f = features(utts[i], o);
    compare(&f, utts[i], what);
    frames_free(&f);
  }
}

static void test_mfcc_equals_kaldi(void **state) {
  (void)state;
  check_kind(default_opts(SNI_KALDI_MFCC), "mfcc");
}

static void test_fbank_equals_kaldi(void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_FBANK);
  set_opt(&o, "num-mel-bins", "40");
  check_kind(o, "fbank40");
}

static void test_plp_equals_kaldi(void **state) {
  (void)state;
  check_kind(default_opts(SNI_KALDI_PLP), "plp");
}

static void test_pitch_equals_kaldi(void **state) {
  (void)state;
  check_kind(default_opts(SNI_KALDI_PITCH), "pitch");
}

static void test_processed_pitch_equals_kaldi(void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_PITCH);
  set_opt(&o, "process-pitch", "true");
  check_kind(o, "pitch-processed");
}

/* Oracle check: the comparison does fail where one setting differs. */
static void test_comparison_notices_another_window(void **state) {
  (void)state;
  need_reference();
  sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  set_opt(&o, "window-type", "hamming");
  frames ours = features("an4", o);
  frames theirs = read_text_matrix("an4.mfcc.txt");
  assert_true(max_difference(&ours, &theirs) > 100 * TOLERANCE);
  frames_free(&ours);
  frames_free(&theirs);
}

typedef void post_fn(const frames *in, frames *out);

/* Our own mfcc through fn, against `what`. */
static void check_post(post_fn *fn, size_t width, const char *what,
                       size_t n_utts) {
  need_reference();
  for (size_t i = 0; i < n_utts; i++) {
    frames in = features(utts[i], default_opts(SNI_KALDI_MFCC));
    frames out = make_frames_like(in.n, in.dim * width);
    fn(&in, &out);
    compare(&out, utts[i], what);
    frames_free(&in);
    frames_free(&out);
  }
}

static void post_deltas(const frames *in, frames *out) {
  assert_int_equal(sn_deltas(2, 2, view(in), mview(out), NULL), SN_OK);
}

static void post_splice(const frames *in, frames *out) {
  assert_int_equal(sn_splice(3, 3, view(in), mview(out), NULL), SN_OK);
}

static void apply_cmvn(const frames *in, frames *out, bool vars) {
  sn_cmvn_stats *s = NULL;
  assert_int_equal(sn_cmvn_stats_create(in->dim, &s, NULL), SN_OK);
  sn_cmvn_stats_add(s, view(in));
  memcpy(out->data, in->data, in->n * in->dim * sizeof(float));
  const sn_cmvn_opts o = {true, vars};
  assert_int_equal(sn_cmvn_apply(s, o, mview(out), NULL), SN_OK);
  sn_cmvn_stats_destroy(s);
}

static void post_cmn(const frames *in, frames *out) {
  apply_cmvn(in, out, false);
}

static void post_cmvn(const frames *in, frames *out) {
  apply_cmvn(in, out, true);
}

static void post_sliding_cmn(const frames *in, frames *out) {
  sn_sliding_opts o = sn_sliding_defaults;
  o.window = 100;
  assert_int_equal(sn_sliding_cmvn(&o, view(in), mview(out), NULL), SN_OK);
}

static void post_sliding_cmvn(const frames *in, frames *out) {
  sn_sliding_opts o = sn_sliding_defaults;
  o.window = 100;
  o.center = true;
  o.norm_vars = true;
  assert_int_equal(sn_sliding_cmvn(&o, view(in), mview(out), NULL), SN_OK);
}

static void test_deltas_equal_kaldi(void **state) {
  (void)state;
  check_post(post_deltas, 3, "mfcc-deltas", N_UTTS);
}

static void test_splicing_equals_kaldi(void **state) {
  (void)state;
  check_post(post_splice, 7, "mfcc-splice3", 1);
}

static void test_cmvn_equals_kaldi(void **state) {
  (void)state;
  check_post(post_cmn, 1, "mfcc-cmn", N_UTTS);
  check_post(post_cmvn, 1, "mfcc-cmvn", N_UTTS);
}

static void test_sliding_cmvn_equals_kaldi(void **state) {
  (void)state;
  check_post(post_sliding_cmn, 1, "mfcc-sliding-cmn", N_UTTS);
  check_post(post_sliding_cmvn, 1, "mfcc-sliding-cmvn", N_UTTS);
}

/* Statistics are sums over all frames: 1e-3 a frame for the sums; for squares,
 * d(x^2) = 2 |x| dx, and the text holds 7 digits of numbers near 1e5. */
static void test_cmvn_statistics_equal_kaldi(void **state) {
  (void)state;
  need_reference();
  for (size_t i = 0; i < N_UTTS; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s.cmvn-stats.txt", utts[i]);
    frames theirs = read_text_matrix(name);
    frames in = features(utts[i], default_opts(SNI_KALDI_MFCC));
    sn_cmvn_stats *s = NULL;
    assert_int_equal(sn_cmvn_stats_create(in.dim, &s, NULL), SN_OK);
    sn_cmvn_stats_add(s, view(&in));
    assert_int_equal(theirs.n, 2);
    assert_int_equal(theirs.dim, in.dim + 1);
    assert_true((double)theirs.data[in.dim] == s->count);
    double worst = 0.0, worst_sq = 0.0;
    for (size_t d = 0; d < in.dim; d++) {
      const double sum = (double)theirs.data[d];
      const double sq = (double)theirs.data[theirs.dim + d];
      const double tol = TOLERANCE * s->count;
      assert_true(fabs(s->sum[d] - sum) <= tol);
      assert_true(fabs(s->sumsq[d] - sq) <=
                  2.0 * tol * sqrt(sq / s->count) + 1e-6 * sq);
      worst = fmax(worst, fabs(s->sum[d] - sum) / s->count);
      worst_sq = fmax(worst_sq, fabs(s->sumsq[d] / sq - 1.0));
    }
    print_message("  %-28s sums %.1e a frame, squares %.1e relative\n", name,
                  worst, worst_sq);
    sn_cmvn_stats_destroy(s);
    frames_free(&in);
    frames_free(&theirs);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mfcc_equals_kaldi),
      cmocka_unit_test(test_fbank_equals_kaldi),
      cmocka_unit_test(test_plp_equals_kaldi),
      cmocka_unit_test(test_pitch_equals_kaldi),
      cmocka_unit_test(test_processed_pitch_equals_kaldi),
      cmocka_unit_test(test_comparison_notices_another_window),
      cmocka_unit_test(test_deltas_equal_kaldi),
      cmocka_unit_test(test_splicing_equals_kaldi),
      cmocka_unit_test(test_cmvn_equals_kaldi),
      cmocka_unit_test(test_sliding_cmvn_equals_kaldi),
      cmocka_unit_test(test_cmvn_statistics_equal_kaldi),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return failed == 0 && !have_reference() ? 77 : failed;
}
