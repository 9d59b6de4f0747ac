/* SPDX-License-Identifier: Apache-2.0 */
/* MFCC, filterbank and PLP of the kaldi dialect: against a slow reference in
 * double, for every option; the same frames however samples are cut. */
#include "frontend/kaldi_internal.h"
#include "tests/frontend/kaldi_support.h"
#include "tests/ref/ref_kaldi.h"

/* ---- Against the reference ---- */

/* The FFT in float leaves an error of some 3e-7 of the largest line on each;
 * noise of the test signal keeps lines above 1e-3 of it, so a band is right to
 * 1e-3 at worst and 1e-4 as a rule, and its logarithm likewise. The lifter
 * multiplies by at most 12, the DCT averages over the bands. */
static const double tolerance = 2e-3;

typedef struct setting {
  sni_kaldi_kind kind;
  const char *opts[9]; /* name, value, ..., NULL */
} setting;

static const setting settings[] = {
    {SNI_KALDI_MFCC, {NULL}},
    {SNI_KALDI_MFCC, {"use-energy", "false", NULL}},
    {SNI_KALDI_MFCC, {"use-energy", "false", "htk-compat", "true", NULL}},
    {SNI_KALDI_MFCC, {"htk-compat", "true", "raw-energy", "false", NULL}},
    {SNI_KALDI_MFCC, {"energy-floor", "1e9", NULL}},
    {SNI_KALDI_MFCC, {"num-ceps", "5", "cepstral-lifter", "0", NULL}},
    {SNI_KALDI_MFCC,
     {"num-ceps", "30", "num-mel-bins", "30", "remove-dc-offset", "false",
      "preemphasis-coefficient", "0", NULL}},
    {SNI_KALDI_MFCC, {"snip-edges", "false", NULL}},
    {SNI_KALDI_MFCC,
     {"snip-edges", "false", "frame-length", "40", "frame-shift", "5", NULL}},
    {SNI_KALDI_MFCC, {"frame-length", "20", "frame-shift", "31.25", NULL}},
    {SNI_KALDI_MFCC,
     {"snip-edges", "false", "frame-length", "20", "frame-shift", "50", NULL}},
    {SNI_KALDI_MFCC, {"sample-frequency", "8000", NULL}},
    {SNI_KALDI_MFCC, {"round-to-power-of-two", "false", NULL}},
    {SNI_KALDI_MFCC, {"low-freq", "100", "high-freq", "-400", NULL}},
    {SNI_KALDI_MFCC, {"low-freq", "0", "high-freq", "3800", NULL}},
    {SNI_KALDI_FBANK, {NULL}},
    {SNI_KALDI_FBANK, {"num-mel-bins", "80", "use-energy", "true", NULL}},
    {SNI_KALDI_FBANK, {"use-energy", "true", "htk-compat", "true", NULL}},
    {SNI_KALDI_FBANK, {"use-power", "false", NULL}},
    {SNI_KALDI_FBANK, {"htk-compat", "true", NULL}},
    {SNI_KALDI_PLP, {NULL}},
    {SNI_KALDI_PLP, {"use-energy", "false", NULL}},
    {SNI_KALDI_PLP, {"lpc-order", "8", "num-ceps", "7", NULL}},
    {SNI_KALDI_PLP,
     {"compress-factor", "0.5", "cepstral-scale", "10", "cepstral-lifter", "0",
      "htk-compat", "true", NULL}},
    {SNI_KALDI_PLP, {"snip-edges", "false", "raw-energy", "false", NULL}},
};

static sni_kaldi_opts opts_of(const setting *s) {
  sni_kaldi_opts o = default_opts(s->kind);
  for (size_t i = 0; s->opts[i] != NULL; i += 2)
    set_opt(&o, s->opts[i], s->opts[i + 1]);
  return o;
}

static double worst_against_reference(const sni_kaldi_opts *o, signal s) {
  frames f = extract(o, s);
  const long shift = (long)(o->sample_frequency * 0.001 * o->frame_shift);
  const long size = (long)(o->sample_frequency * 0.001 * o->frame_length);
  const long n = (long)s.n;
  assert_int_equal(f.n, o->snip_edges ? (n < size ? 0 : 1 + (n - size) / shift)
                                      : (n + shift / 2) / shift);
  double worst = 0.0;
  for (size_t t = 0; t < f.n; t++) {
    double y[128];
    assert_true(f.dim <= 128);
    assert_int_equal(f.pos[t], t);
    long first = (long)t * shift;
    if (!o->snip_edges) first += shift / 2 - size / 2;
    ref_frame(o, s.x, n, first, y);
    for (size_t d = 0; d < f.dim; d++)
      worst = fmax(worst, fabs((double)f.data[t * f.dim + d] - y[d]));
  }
  frames_free(&f);
  return worst;
}

static void test_frames_equal_the_slow_reference_for_every_option(
    void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    const sni_kaldi_opts o = opts_of(&settings[i]);
    signal s = make_signal(6000, o.sample_frequency, i);
    const double worst = worst_against_reference(&o, s);
    if (!(worst < tolerance))
      fail_msg("setting %zu (%s): off by %g", i,
               settings[i].opts[0] ? settings[i].opts[0] : "defaults", worst);
    free(s.x);
  }
}

/* Without logarithm values are energies: relative to the largest. */
static void test_energies_without_logarithm_equal_the_reference(void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_FBANK);
  signal s = make_signal(4000, 16000, 3);
  frames logs = extract(&o, s);
  set_opt(&o, "use-log-fbank", "false");
  frames f = extract(&o, s);
  assert_int_equal(f.n, logs.n);
  for (size_t i = 0; i < f.n * f.dim; i++) /* logf and float: 1e-5 relative */
    assert_true(fabs(log((double)f.data[i]) - (double)logs.data[i]) < 1e-5);
  frames_free(&f);
  frames_free(&logs);
  free(s.x);
}

/* Mutant: a reference with another setting is not met. */
static void test_reference_notices_a_wrong_setting(void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  signal s = make_signal(2000, 16000, 4);
  frames f = extract(&o, s);
  double y[16];
  set_opt(&o, "preemphasis-coefficient", "0.96");
  ref_frame(&o, s.x, (long)s.n, 0, y);
  double worst = 0.0;
  for (size_t d = 0; d < f.dim; d++)
    worst = fmax(worst, fabs((double)f.data[d] - y[d]));
  assert_true(worst > 5 * tolerance);
  frames_free(&f);
  free(s.x);
}

static void test_short_recordings_are_mirrored_as_often_as_it_takes(
    void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_FBANK);
  set_opt(&o, "snip-edges", "false");
  for (size_t n = 0; n < 700; n += n < 400 ? 31 : 97) {
    signal s = make_signal(n, 16000, n);
    for (size_t i = 0; i < n; i++) s.x[i] += (float)(100 * (i % 5));
    assert_true(worst_against_reference(&o, s) < tolerance);
    free(s.x);
  }
}

/* ---- Windows ---- */

static void test_windows_follow_their_formulas(void **state) {
  (void)state;
  const char *const names[] = {"povey",       "hamming",  "hanning",
                               "rectangular", "blackman", "sine"};
  for (size_t k = 0; k < 6; k++) {
    sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
    set_opt(&o, "window-type", names[k]);
    sni_kaldi_window w;
    assert_int_equal(sni_kaldi_window_init(&o, &w, NULL), SN_OK);
    assert_int_equal(w.size, 400);
    assert_int_equal(w.padded, 512);
    for (size_t i = 0; i < w.size; i++) {
      const double u = (double)i / 399.0, c = cos(2.0 * REF_PI * u);
      const double want[] = {pow(0.5 - 0.5 * c, 0.85),
                             0.54 - 0.46 * c,
                             0.5 - 0.5 * c,
                             1.0,
                             0.42 - 0.5 * c + 0.08 * cos(4.0 * REF_PI * u),
                             sin(REF_PI * u)};
      /* one rounding to float of numbers up to 1 */
      assert_true(fabs((double)w.w[i] - want[k]) < 1e-7);
    }
    sni_kaldi_window_clear(&w);
  }
}

static void test_frame_counts_never_fall_and_end_at_the_final_count(
    void **state) {
  (void)state;
  const char *const shifts[] = {"10", "3", "40"};
  for (int snip = 0; snip < 2; snip++)
    for (int k = 0; k < 3; k++) {
      sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
      set_opt(&o, "snip-edges", snip ? "true" : "false");
      set_opt(&o, "frame-shift", shifts[k]);
      sni_kaldi_window w;
      assert_int_equal(sni_kaldi_window_init(&o, &w, NULL), SN_OK);
      int64_t before = 0;
      for (int64_t n = 0; n < 5000; n++) {
        const int64_t open = sni_kaldi_n_frames(&o, &w, n, false);
        assert_true(open >= before);
        assert_true(open <= sni_kaldi_n_frames(&o, &w, n, true));
        if (open > 0) /* the last of them lies inside */
          assert_true(
              sni_kaldi_first_sample(&o, &w, open - 1) + (int64_t)w.size <= n);
        before = open;
      }
      sni_kaldi_window_clear(&w);
    }
}

/* ---- Mel filters ---- */

static void test_filters_sum_to_one_between_first_and_last_centre(
    void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  sni_kaldi_window w;
  sni_kaldi_mel m;
  assert_int_equal(sni_kaldi_window_init(&o, &w, NULL), SN_OK);
  assert_int_equal(sni_kaldi_mel_init(&o, &w, &m, NULL), SN_OK);
  for (size_t k = 0; k < w.padded / 2; k++) {
    const double hz = (double)k * 16000.0 / (double)w.padded;
    if (hz < m.center_hz[0] || hz > m.center_hz[m.n_bands - 1]) continue;
    double sum = 0.0;
    for (size_t b = 0; b < m.n_bands; b++)
      if (k >= m.first[b] && k < m.first[b] + m.len[b])
        sum += (double)m.w[m.at[b] + k - m.first[b]];
    assert_true(fabs(sum - 1.0) < 1e-6); /* two roundings to float */
  }
  sni_kaldi_mel_clear(&m);
  sni_kaldi_window_clear(&w);
}

static void test_warp_divides_frequencies_between_its_turning_points(
    void **state) {
  (void)state;
  const char *const warps[] = {"0.8", "0.95", "1", "1.1", "1.25"};
  for (size_t i = 0; i < 5; i++) {
    sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
    sni_kaldi_window w;
    sni_kaldi_mel plain, warped;
    assert_int_equal(sni_kaldi_window_init(&o, &w, NULL), SN_OK);
    assert_int_equal(sni_kaldi_mel_init(&o, &w, &plain, NULL), SN_OK);
    set_opt(&o, "vtln-warp", warps[i]);
    assert_int_equal(sni_kaldi_mel_init(&o, &w, &warped, NULL), SN_OK);
    const double low = 100.0 * fmax(1.0, o.vtln_warp);
    const double high = 7500.0 * fmin(1.0, o.vtln_warp);
    double before = 0.0;
    for (size_t b = 0; b < plain.n_bands; b++) {
      const double from = plain.center_hz[b], to = warped.center_hz[b];
      if (from >= low && from < high)
        assert_true(fabs(to - from / o.vtln_warp) < 1e-6 * from);
      assert_true(to > before && to < 8000.0);
      before = to;
    }
    sni_kaldi_mel_clear(&plain);
    sni_kaldi_mel_clear(&warped);
    sni_kaldi_window_clear(&w);
  }
}

/* ---- Streams ---- */

static void test_frames_do_not_depend_on_how_samples_are_cut(void **state) {
  (void)state;
  signal s = make_signal(9000, 16000, 9);
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    const sni_kaldi_opts o = opts_of(&settings[i]);
    check_chunking(&o, s);
  }
  sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  set_opt(&o, "dither", "1");
  check_chunking(&o, s);
  set_opt(&o, "subtract-mean", "true");
  check_chunking(&o, s);
  free(s.x);
  o = default_opts(SNI_KALDI_FBANK);
  s = make_signal(200000, 16000, 10); /* several times the sample buffer */
  check_chunking(&o, s);
  set_opt(&o, "snip-edges", "false");
  check_chunking(&o, s);
  free(s.x);
}

static void test_frames_come_as_soon_as_their_samples_do(void **state) {
  (void)state;
  const sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  sni_kaldi_plan *p = make_plan(&o);
  sni_extractor *x = make_extractor(p);
  signal s = make_signal(3000, 16000, 2);
  for (size_t n = 1; n <= s.n; n++) {
    assert_int_equal(x->ops->push(x, s.x + n - 1, 1, NULL), SN_OK);
    assert_int_equal(x->ops->n_ready(x), n < 400 ? 0 : 1 + (n - 400) / 160);
  }
  x->ops->destroy(x);
  sni_kaldi_plan_destroy(p);
  free(s.x);
}

static void test_second_utterance_allocates_nothing(void **state) {
  (void)state;
  for (int kind = 0; kind < 3; kind++) {
    const sni_kaldi_opts o = default_opts((sni_kaldi_kind)kind);
    sni_kaldi_plan *p = make_plan(&o);
    sni_extractor *x = make_extractor(p);
    signal s = make_signal(48000, 16000, 2);
    float y[64];
    int64_t pos = 0;
    for (int round = 0; round < 2; round++) {
      if (round == 1) sn_mem_fail_after(0);
      for (size_t at = 0; at < s.n; at += 480) {
        assert_int_equal(x->ops->push(x, s.x + at, 480, NULL), SN_OK);
        while (x->ops->n_ready(x) > 0) x->ops->pull(x, y, &pos);
      }
      assert_int_equal(x->ops->finish(x, NULL), SN_OK);
      x->ops->reset(x, false);
    }
    assert_false(sn_mem_fault_fired());
    sn_mem_fail_after(-1);
    x->ops->destroy(x);
    sni_kaldi_plan_destroy(p);
    free(s.x);
  }
}

static void test_dither_is_off_by_default_and_comes_from_the_seed(
    void **state) {
  (void)state;
  signal s = make_signal(3000, 16000, 5);
  sni_kaldi_opts o = default_opts(SNI_KALDI_FBANK);
  frames plain = extract(&o, s);
  set_opt(&o, "dither-seed", "7");
  frames unseeded = extract(&o, s);
  assert_same_frames(&plain, &unseeded);
  set_opt(&o, "dither", "1");
  frames a = extract(&o, s), b = extract(&o, s);
  assert_same_frames(&a, &b);
  assert_true(max_difference(&a, &plain) > 0.0);
  set_opt(&o, "dither-seed", "8");
  frames c = extract(&o, s);
  assert_true(max_difference(&a, &c) > 0.0);
  frames_free(&plain);
  frames_free(&unseeded);
  frames_free(&a);
  frames_free(&b);
  frames_free(&c);
  free(s.x);
}

/* On silence the energy of dither is its variance times the window. */
static void test_dither_has_the_deviation_asked_for(void **state) {
  (void)state;
  signal s = {calloc(160000, sizeof(float)), 160000};
  sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  set_opt(&o, "dither", "3");
  frames f = extract(&o, s);
  double mean = 0.0;
  for (size_t t = 0; t < f.n; t++)
    mean += exp((double)f.data[t * f.dim]) / 399.0 / (double)f.n;
  /* chi-square of 399 x 998 values: deviation sqrt(2 / 4e5) = 0.2 % */
  assert_true(fabs(mean / 9.0 - 1.0) < 0.015);
  frames_free(&f);
  free(s.x);
}

static void test_subtract_mean_waits_for_the_end_and_removes_the_mean(
    void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  signal s = make_signal(8000, 16000, 6);
  frames plain = extract(&o, s);
  set_opt(&o, "subtract-mean", "true");
  sni_kaldi_plan *p = make_plan(&o);
  sni_extractor *x = make_extractor(p);
  assert_int_equal(x->ops->push(x, s.x, s.n, NULL), SN_OK);
  assert_int_equal(x->ops->n_ready(x), 0);
  assert_int_equal(x->ops->finish(x, NULL), SN_OK);
  frames f = {0};
  pull_all(x, &f);
  assert_int_equal(f.n, plain.n);
  for (size_t d = 0; d < f.dim; d++) {
    double mean = 0.0, sum = 0.0;
    for (size_t t = 0; t < f.n; t++) {
      mean += (double)plain.data[t * f.dim + d] / (double)f.n;
      sum += (double)f.data[t * f.dim + d];
    }
    /* float rounding of values up to 100 */
    assert_true(fabs(sum / (double)f.n) < 1e-5);
    assert_true(fabs((double)(plain.data[d] - f.data[d]) - mean) < 1e-4);
  }
  frames_free(&f);
  frames_free(&plain);
  x->ops->destroy(x);
  sni_kaldi_plan_destroy(p);
  free(s.x);
}

static void test_silence_gives_finite_frames(void **state) {
  (void)state;
  signal s = {calloc(4000, sizeof(float)), 4000};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    const sni_kaldi_opts o = opts_of(&settings[i]);
    frames f = extract(&o, s);
    assert_true(f.n > 0);
    for (size_t k = 0; k < f.n * f.dim; k++) assert_true(isfinite(f.data[k]));
    frames_free(&f);
  }
  free(s.x);
}

static void test_no_samples_give_no_frames(void **state) {
  (void)state;
  signal s = {NULL, 0};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    const sni_kaldi_opts o = opts_of(&settings[i]);
    frames f = extract(&o, s);
    assert_int_equal(f.n, 0);
    frames_free(&f);
  }
}

static void test_plan_tells_rate_shift_and_length(void **state) {
  (void)state;
  sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  set_opt(&o, "sample-frequency", "22050"); /* 10 ms are 220.5: cut */
  sni_kaldi_plan *p = make_plan(&o);
  assert_true(sni_kaldi_plan_rate_hz(p) == 22050.0);
  assert_true(sni_kaldi_plan_shift_s(p) == 220.0 / 22050.0);
  assert_true(sni_kaldi_plan_length_s(p) == 551.0 / 22050.0);
  sni_kaldi_plan_destroy(p);
}

/* ---- Failure ---- */

static void test_out_of_memory_is_reported_and_leaks_nothing(void **state) {
  (void)state;
  signal s = make_signal(2000, 16000, 8);
  for (int kind = 0; kind < 3; kind++) {
    sni_kaldi_opts o = default_opts((sni_kaldi_kind)kind);
    set_opt(&o, "subtract-mean", "true");
    check_out_of_memory(&o, s);
  }
  free(s.x);
}

/* A failed push may be repeated: the stream is as before. */
static void test_failed_push_leaves_the_stream_as_it_was(void **state) {
  (void)state;
  const sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
  sni_kaldi_plan *p = make_plan(&o);
  sni_extractor *x = make_extractor(p);
  signal s = make_signal(30000, 16000, 8);
  sn_mem_fail_after(0);
  assert_int_equal(x->ops->push(x, s.x, s.n, NULL), SN_ENOMEM);
  sn_mem_fail_after(-1);
  frames f = run_extractor(x, s, 0, 1);
  frames want = extract(&o, s);
  assert_same_frames(&f, &want);
  frames_free(&f);
  frames_free(&want);
  x->ops->destroy(x);
  sni_kaldi_plan_destroy(p);
  free(s.x);
}

static void test_bad_settings_are_refused_by_name(void **state) {
  (void)state;
  static const struct {
    sni_kaldi_kind kind;
    const char *name, *value, *name2, *value2, *says;
  } bad[] = {
      {SNI_KALDI_MFCC, "num-ceps", "24", NULL, NULL, "num-mel-bins"},
      {SNI_KALDI_PLP, "num-ceps", "14", NULL, NULL, "lpc-order"},
      {SNI_KALDI_PLP, "num-ceps", "1", NULL, NULL, "num-ceps"},
      {SNI_KALDI_MFCC, "high-freq", "8001", NULL, NULL, "high-freq"},
      {SNI_KALDI_MFCC, "high-freq", "-8000", NULL, NULL, "high-freq"},
      {SNI_KALDI_MFCC, "low-freq", "9000", NULL, NULL, "low-freq"},
      {SNI_KALDI_MFCC, "low-freq", "4000", "high-freq", "3000", "low-freq"},
      {SNI_KALDI_FBANK, "num-mel-bins", "900", NULL, NULL, "num-mel-bins"},
      {SNI_KALDI_MFCC, "vtln-warp", "1.1", "vtln-low", "10", "vtln-low"},
      {SNI_KALDI_MFCC, "vtln-warp", "1.1", "vtln-high", "8000", "vtln-high"},
      {SNI_KALDI_MFCC, "vtln-warp", "0.5", "vtln-high", "150", "vtln-warp"},
      {SNI_KALDI_MFCC, "sample-frequency", "11025", "round-to-power-of-two",
       "false", "round-to-power-of-two"},
      {SNI_KALDI_MFCC, "sample-frequency", "1000", "frame-length", "1",
       "frame-length"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sni_kaldi_opts o = default_opts(bad[i].kind);
    set_opt(&o, bad[i].name, bad[i].value);
    if (bad[i].name2 != NULL) set_opt(&o, bad[i].name2, bad[i].value2);
    sni_kaldi_plan *p = NULL;
    sn_err err = {0};
    assert_int_equal(sni_kaldi_plan_create_opts(&o, &p, &err), SN_EARG);
    assert_null(p);
    if (strstr(err.msg, bad[i].says) == NULL)
      fail_msg("%s=%s: message is '%s'", bad[i].name, bad[i].value, err.msg);
  }
}

static void test_out_of_range_values_are_refused_when_set(void **state) {
  (void)state;
  static const char *const bad[][2] = {
      {"dither", "-1"},          {"frame-shift", "0"},
      {"frame-length", "nan"},   {"num-mel-bins", "2"},
      {"sample-frequency", "0"}, {"window-type", "triangle"},
      {"kind", "lpc"},           {"snip-edges", "maybe"},
      {"num-ceps", "13.5"},      {"vtln-warp", "0"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sni_kaldi_opts o = default_opts(SNI_KALDI_MFCC);
    sn_err err = {0};
    assert_int_equal(
        sn_opt_set(sni_kaldi_opt_table, &o, bad[i][0], bad[i][1], &err),
        SN_EARG);
    assert_non_null(strstr(err.msg, bad[i][0]));
  }
}

static void test_use_energy_goes_by_kind_unless_said(void **state) {
  (void)state;
  static const char *const yes[] = {"true", "yes", "1"};
  static const char *const no[] = {"false", "no", "0"};
  for (int kind = 0; kind < 3; kind++) {
    sni_kaldi_opts o = default_opts((sni_kaldi_kind)kind);
    assert_int_equal(sni_kaldi_use_energy(&o), kind != SNI_KALDI_FBANK);
    for (int i = 0; i < 3; i++) {
      set_opt(&o, "use-energy", yes[i]);
      assert_true(sni_kaldi_use_energy(&o));
      set_opt(&o, "use-energy", no[i]);
      assert_false(sni_kaldi_use_energy(&o));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frames_equal_the_slow_reference_for_every_option),
      cmocka_unit_test(test_energies_without_logarithm_equal_the_reference),
      cmocka_unit_test(test_reference_notices_a_wrong_setting),
      cmocka_unit_test(test_short_recordings_are_mirrored_as_often_as_it_takes),
      cmocka_unit_test(test_windows_follow_their_formulas),
      cmocka_unit_test(test_frame_counts_never_fall_and_end_at_the_final_count),
      cmocka_unit_test(test_filters_sum_to_one_between_first_and_last_centre),
      cmocka_unit_test(
          test_warp_divides_frequencies_between_its_turning_points),
      cmocka_unit_test(test_frames_do_not_depend_on_how_samples_are_cut),
      cmocka_unit_test(test_frames_come_as_soon_as_their_samples_do),
      cmocka_unit_test(test_second_utterance_allocates_nothing),
      cmocka_unit_test(test_dither_is_off_by_default_and_comes_from_the_seed),
      cmocka_unit_test(test_dither_has_the_deviation_asked_for),
      cmocka_unit_test(
          test_subtract_mean_waits_for_the_end_and_removes_the_mean),
      cmocka_unit_test(test_silence_gives_finite_frames),
      cmocka_unit_test(test_no_samples_give_no_frames),
      cmocka_unit_test(test_plan_tells_rate_shift_and_length),
      cmocka_unit_test(test_out_of_memory_is_reported_and_leaks_nothing),
      cmocka_unit_test(test_failed_push_leaves_the_stream_as_it_was),
      cmocka_unit_test(test_bad_settings_are_refused_by_name),
      cmocka_unit_test(test_out_of_range_values_are_refused_when_set),
      cmocka_unit_test(test_use_energy_goes_by_kind_unless_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
