/* SPDX-License-Identifier: Apache-2.0 */
/* The pitch tracker: against a brute-force reference, on tones, as a stream,
 * and what is made of its output. */
#include "tests/frontend/kaldi_support.h"
#include "tests/ref/ref_pitch.h"

/* Fewer candidates than by default, so that trying all pairs takes no time. */
static sni_kaldi_opts coarse_opts(void) {
  sni_kaldi_opts o = default_opts(SNI_KALDI_PITCH);
  set_opt(&o, "delta-pitch", "0.02");
  return o;
}

/* ---- Against brute force ---- */

/* Our path, priced by the reference, may cost more than the best one only by
 * what rounding hides: costs are floats near 1 to 20, hence 1e-6 each, a few
 * times per frame. The correlation at the chosen lag is that of the reference
 * to float accuracy of sums of 100 products: 1e-5. */
static void check_against_reference(const sni_kaldi_opts *o, signal s) {
  frames f = extract(o, s);
  ref_pitch r = ref_pitch_compute(o, s.x, s.n);
  assert_int_equal(f.n, r.n);
  size_t *path = calloc(r.n + 1, sizeof *path);
  for (size_t t = 0; t < r.n; t++) {
    const double hz = (double)f.data[2 * t + 1];
    size_t i = 0;
    while (i + 1 < r.n_lags && fabs(r.hz[i + 1] - hz) < fabs(r.hz[i] - hz)) i++;
    assert_true(fabs(r.hz[i] / hz - 1.0) < 1e-5);
    path[t] = i;
    assert_true(fabs(r.nccf[t * r.n_lags + i] - (double)f.data[2 * t]) < 1e-5);
  }
  const double best = ref_pitch_best_cost(&r);
  const double ours = ref_pitch_cost(&r, path);
  assert_true(ours >= best - 1e-9 * best);
  if (!(ours <= best + 5e-6 * (double)r.n))
    fail_msg("path costs %.9g, the best one %.9g (%zu frames)", ours, best,
             r.n);
  /* The oracle can tell: one candidate aside is worse. */
  if (r.n > 10) {
    path[5] = path[5] > 2 ? path[5] - 3 : path[5] + 3;
    assert_true(ref_pitch_cost(&r, path) > best + 5e-6 * (double)r.n);
  }
  free(path);
  ref_pitch_free(&r);
  frames_free(&f);
}

static void test_path_is_the_best_of_all_paths(void **state) {
  (void)state;
  static const char *const opts[][4] = {
      {"sample-frequency", "16000", "penalty-factor", "0.1"},
      {"sample-frequency", "8000", "penalty-factor", "5"},
      {"sample-frequency", "11025", "nccf-ballast", "0"},
      {"sample-frequency", "16000", "nccf-ballast-online", "true"},
      {"lowpass-filter-width", "3", "upsample-filter-width", "3"},
      {"min-f0", "80", "max-f0", "300"},
      {"frame-shift", "5", "frame-length", "40"},
  };
  for (size_t i = 0; i < sizeof opts / sizeof *opts; i++) {
    sni_kaldi_opts o = coarse_opts();
    set_opt(&o, opts[i][0], opts[i][1]);
    set_opt(&o, opts[i][2], opts[i][3]);
    signal s = make_signal(o.sample_frequency > 12000 ? 12000 : 7000,
                           o.sample_frequency, 40 + i);
    check_against_reference(&o, s);
    free(s.x);
  }
}

/* A click in the last 8 samples, which only the flushed filter sees. */
static void test_late_energy_corrects_early_frames(void **state) {
  (void)state;
  const sni_kaldi_opts o = coarse_opts();
  signal s = make_signal(8000, 16000, 3);
  for (size_t i = 0; i < s.n; i++) s.x[i] *= 0.05f;
  frames quiet = extract(&o, s);
  for (size_t i = s.n - 8; i < s.n; i++) s.x[i] = 30000.0f;
  check_against_reference(&o, s);
  frames f = extract(&o, s);
  double worst = 0.0; /* the correction is not idle: it changes the path */
  for (size_t t = 0; t + 10 < f.n; t++)
    worst = fmax(
        worst, fabs((double)f.data[2 * t + 1] - (double)quiet.data[2 * t + 1]));
  assert_true(worst > 1.0);
  frames_free(&quiet);
  frames_free(&f);
  free(s.x);
}

static void test_frame_counts_are_those_of_the_resampled_signal(void **state) {
  (void)state;
  sni_kaldi_opts o = coarse_opts();
  for (size_t n = 0; n < 2500; n += 83) {
    signal s = make_signal(n, 16000, n);
    o.snip_edges = true;
    frames f = extract(&o, s);
    const size_t sig = (n + 3) / 4; /* samples at 4 kHz that begin before n */
    assert_int_equal(f.n, sig < 100 ? 0 : (sig - 100) / 40 + 1);
    frames_free(&f);
    o.snip_edges = false;
    f = extract(&o, s);
    assert_int_equal(f.n, sig < 100 ? 0 : (sig + 20) / 40);
    for (size_t i = 0; i < f.n * f.dim; i++) assert_true(isfinite(f.data[i]));
    frames_free(&f);
    free(s.x);
  }
}

/* ---- Tones ---- */

static void test_pitch_of_a_tone_is_its_frequency(void **state) {
  (void)state;
  for (double hz = 70.0; hz < 390.0; hz *= 1.23) {
    signal s = {calloc(16000, sizeof(float)), 16000};
    for (size_t i = 0; i < s.n; i++)
      for (int h = 1; h <= 4; h++)
        s.x[i] +=
            (float)(2000.0 / h *
                    sin(2.0 * REF_PITCH_PI * h * hz * (double)i / 16000.0));
    const sni_kaldi_opts o = default_opts(SNI_KALDI_PITCH);
    frames f = extract(&o, s);
    for (size_t t = 5; t + 5 < f.n; t++) {
      /* candidates are half a percent apart; soft-min-f0 pulls upwards */
      assert_true(fabs((double)f.data[2 * t + 1] / hz - 1.0) < 0.01);
      assert_true((double)f.data[2 * t] > 0.97);
    }
    frames_free(&f);
    free(s.x);
  }
}

static void test_silence_has_no_correlation(void **state) {
  (void)state;
  signal s = {calloc(16000, sizeof(float)), 16000};
  for (int process = 0; process < 2; process++) {
    sni_kaldi_opts o = default_opts(SNI_KALDI_PITCH);
    o.process_pitch = process;
    frames f = extract(&o, s);
    assert_int_equal(f.n, 98);
    for (size_t i = 0; i < f.n * f.dim; i++) assert_true(isfinite(f.data[i]));
    for (size_t t = 0; t < f.n && !process; t++)
      assert_true(f.data[2 * t] == 0.0f);
    frames_free(&f);
  }
  free(s.x);
}

/* ---- Streams ---- */

static void test_frames_do_not_depend_on_how_samples_are_cut(void **state) {
  (void)state;
  static const char *const opts[][4] = {
      {"snip-edges", "true", "process-pitch", "false"},
      {"snip-edges", "false", "process-pitch", "false"},
      {"snip-edges", "true", "process-pitch", "true"},
      {"nccf-ballast-online", "true", "process-pitch", "false"},
      {"nccf-ballast-online", "true", "snip-edges", "false"},
      {"nccf-ballast-online", "true", "max-frames-latency", "7"},
      {"nccf-ballast-online", "true", "process-pitch", "true"},
      {"sample-frequency", "11025", "lowpass-filter-width", "4"},
      {"preemphasis-coefficient", "0.9", "nccf-ballast-online", "true"},
      {"frame-shift", "60", "nccf-ballast-online", "true"},
  };
  signal s = make_signal(15000, 16000, 12);
  for (size_t i = 0; i < sizeof opts / sizeof *opts; i++) {
    sni_kaldi_opts o = coarse_opts();
    set_opt(&o, opts[i][0], opts[i][1]);
    set_opt(&o, opts[i][2], opts[i][3]);
    if (o.process_pitch) set_opt(&o, "delta-pitch-noise-stddev", "0.005");
    check_chunking(&o, s);
  }
  free(s.x);
}

static void test_online_ballast_gives_frames_before_the_end(void **state) {
  (void)state;
  signal s = make_signal(48000, 16000, 13);
  sni_kaldi_opts o = coarse_opts();
  for (int online = 0; online < 2; online++) {
    o.nccf_ballast_online = online;
    sni_kaldi_plan *p = make_plan(&o);
    sni_extractor *x = make_extractor(p);
    assert_int_equal(x->ops->push(x, s.x, s.n, NULL), SN_OK);
    if (online)
      assert_true(x->ops->n_ready(x) > 100);
    else
      assert_int_equal(x->ops->n_ready(x), 0);
    x->ops->destroy(x);
    sni_kaldi_plan_destroy(p);
  }
  free(s.x);
}

static void test_latency_is_at_most_what_was_asked_for(void **state) {
  (void)state;
  signal s = make_signal(48000, 16000, 14);
  sni_kaldi_opts o = coarse_opts();
  set_opt(&o, "nccf-ballast-online", "true");
  set_opt(&o, "max-frames-latency", "5");
  sni_kaldi_plan *p = make_plan(&o);
  sni_extractor *x = make_extractor(p);
  size_t n = 0, out = 0;
  for (; n + 160 <= s.n; n += 160) {
    assert_int_equal(x->ops->push(x, s.x + n, 160, NULL), SN_OK);
    float y[2];
    int64_t pos = 0;
    for (; x->ops->n_ready(x) > 0; out++) {
      x->ops->pull(x, y, &pos);
      assert_int_equal(pos, out);
    }
    /* 8 samples of filter, then the window and the longest lag at 4 kHz */
    const size_t sig = n + 160 > 8 ? (n + 160 - 8 + 3) / 4 : 0;
    const size_t made = sig < 182 ? 0 : (sig - 182) / 40 + 1;
    assert_true(out + 5 >= made);
  }
  assert_true(out > 200);
  x->ops->destroy(x);
  sni_kaldi_plan_destroy(p);
  free(s.x);
}

/* Paths never join in silence; the oldest frames are decided all the same, so
 * that memory stays bounded. */
static void test_endless_silence_is_given_out(void **state) {
  (void)state;
  sni_kaldi_opts o = coarse_opts();
  set_opt(&o, "nccf-ballast-online", "true");
  set_opt(&o, "sample-frequency", "4000");
  sni_kaldi_plan *p = make_plan(&o);
  sni_extractor *x = make_extractor(p);
  signal s = {calloc(4000 * 70, sizeof(float)), 4000 * 70};
  assert_int_equal(x->ops->push(x, s.x, s.n, NULL), SN_OK);
  assert_int_equal(x->ops->n_ready(x), 3000);
  assert_int_equal(x->ops->finish(x, NULL), SN_OK);
  assert_int_equal(x->ops->n_ready(x), 6998);
  x->ops->destroy(x);
  sni_kaldi_plan_destroy(p);
  free(s.x);
}

static void test_second_utterance_allocates_nothing(void **state) {
  (void)state;
  for (int online = 0; online < 2; online++) {
    sni_kaldi_opts o = coarse_opts();
    o.nccf_ballast_online = online;
    o.process_pitch = true;
    sni_kaldi_plan *p = make_plan(&o);
    sni_extractor *x = make_extractor(p);
    signal s = make_signal(32000, 16000, 2);
    for (int round = 0; round < 2; round++) {
      if (round == 1) sn_mem_fail_after(0);
      float y[8];
      int64_t pos = 0;
      for (size_t at = 0; at < s.n; at += 500) {
        assert_int_equal(x->ops->push(x, s.x + at, 500, NULL), SN_OK);
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

/* ---- Processed pitch ---- */

static double pov(double nccf) {
  const double n = fmin(1.0, fabs(nccf));
  const double r = 5.4 * exp(7.5 * (n - 1)) + 4.8 * n - 2 * exp(-10 * n) +
                   4.2 * exp(20 * (n - 1)) - 5.2;
  return 1.0 / (1.0 + exp(-r));
}

/* From the raw frames by the formulas, each window summed anew. Tolerance: log
 * pitch is a float near 5 (5e-7), times at most 10; the power of 0.15 near
 * nccf = 1 multiplies errors of 1e-7 by up to 400. */
static void check_processed(sni_kaldi_opts o, signal s) {
  o.process_pitch = false;
  frames raw = extract(&o, s);
  o.process_pitch = true;
  frames f = extract(&o, s);
  const long n = (long)raw.n;
  assert_int_equal(f.n, n == 0 ? 0 : n + o.delay);
  for (long i = 0; i < (long)f.n; i++) {
    assert_int_equal(f.pos[i], i);
    const long t = i < o.delay ? 0 : i - o.delay;
    const float *y = f.data + (size_t)i * f.dim;
    const double lp = log((double)raw.data[2 * t + 1]);
    if (o.add_pov_feature) {
      const double want =
          o.pov_scale *
              (pow(1.0001 - fmin(1.0, (double)raw.data[2 * t]), 0.15) - 1.0) +
          o.pov_offset;
      assert_true(fabs((double)*y++ - want) < 1e-4);
    }
    if (o.add_normalized_log_pitch) {
      double w = 0.0, wl = 0.0;
      for (long u = 0; u < n; u++) {
        if (u < t - o.normalization_left_context) continue;
        if (u > t + o.normalization_right_context) continue;
        const double p = pov((double)raw.data[2 * u]);
        w += p;
        wl += p * log((double)raw.data[2 * u + 1]);
      }
      assert_true(fabs((double)*y++ - o.pitch_scale * (lp - wl / w)) < 1e-5);
    }
    if (o.add_delta_pitch) {
      double sum = 0.0, norm = 0.0;
      for (long j = -o.pitch_delta_window; j <= o.pitch_delta_window; j++) {
        long u = t + j < 0 ? 0 : t + j;
        if (u >= n) u = n - 1;
        sum += (double)j * log((double)raw.data[2 * u + 1]);
        norm += (double)(j * j);
      }
      assert_true(fabs((double)*y++ - o.delta_pitch_scale * sum / norm) < 1e-5);
    }
    if (o.add_raw_log_pitch) assert_true(fabs((double)*y - lp) < 1e-6);
  }
  frames_free(&raw);
  frames_free(&f);
}

static void test_processed_pitch_follows_its_formulas(void **state) {
  (void)state;
  static const char *const opts[][4] = {
      {"delay", "0", "add-raw-log-pitch", "true"},
      {"delay", "4", "pov-offset", "1.5"},
      {"normalization-left-context", "10", "normalization-right-context", "3"},
      {"normalization-right-context", "0", "pitch-delta-window", "5"},
      {"add-delta-pitch", "false", "add-pov-feature", "false"},
      {"normalization-left-context", "0", "add-normalized-log-pitch", "true"},
  };
  for (size_t i = 0; i < sizeof opts / sizeof *opts; i++) {
    sni_kaldi_opts o = coarse_opts();
    set_opt(&o, opts[i][0], opts[i][1]);
    set_opt(&o, opts[i][2], opts[i][3]);
    for (size_t n = 100; n < 50000; n *= 7) {
      signal s = make_signal(n, 16000, 20 + i);
      check_processed(o, s);
      free(s.x);
    }
  }
}

static void test_noise_on_the_delta_comes_from_the_seed(void **state) {
  (void)state;
  signal s = make_signal(16000, 16000, 3);
  sni_kaldi_opts o = coarse_opts();
  set_opt(&o, "process-pitch", "true");
  frames plain = extract(&o, s);
  set_opt(&o, "delta-pitch-noise-stddev", "0.005");
  frames a = extract(&o, s), b = extract(&o, s);
  assert_same_frames(&a, &b);
  set_opt(&o, "dither-seed", "5");
  frames c = extract(&o, s);
  assert_true(max_difference(&a, &c) > 0.0);
  double sumsq = 0.0;
  for (size_t t = 0; t < a.n; t++) {
    assert_true(a.data[3 * t] == plain.data[3 * t]);
    const double d = (double)a.data[3 * t + 2] - (double)plain.data[3 * t + 2];
    sumsq += d * d;
  }
  /* deviation 0.005 x 10, from 98 values: within 4 sqrt(1 / 196) = 29 % */
  assert_true(fabs(sqrt(sumsq / (double)a.n) / 0.05 - 1.0) < 0.29);
  frames_free(&plain);
  frames_free(&a);
  frames_free(&b);
  frames_free(&c);
  free(s.x);
}

/* ---- Failure ---- */

static void test_out_of_memory_is_reported_and_leaks_nothing(void **state) {
  (void)state;
  signal s = make_signal(20000, 16000, 8);
  sni_kaldi_opts o = coarse_opts();
  check_out_of_memory(&o, s);
  set_opt(&o, "process-pitch", "true");
  set_opt(&o, "nccf-ballast-online", "true");
  check_out_of_memory(&o, s);
  free(s.x);
}

static void test_bad_settings_are_refused_by_name(void **state) {
  (void)state;
  static const char *const bad[][5] = {
      {"sample-frequency", "8000.5", "kind", "pitch", "sample-frequency"},
      {"lowpass-cutoff", "2500", "kind", "pitch", "lowpass-cutoff"},
      {"sample-frequency", "1500", "kind", "pitch", "lowpass-cutoff"},
      {"min-f0", "500", "kind", "pitch", "min-f0"},
      {"soft-min-f0", "60", "kind", "pitch", "soft-min-f0"},
      {"max-f0", "9000", "kind", "pitch", "max-f0"},
      {"resample-frequency", "1500", "kind", "pitch", "lowpass-cutoff"},
      {"frame-length", "1", "lowpass-cutoff", "100", "frame-length"},
      {"delta-pitch", "0.0001", "max-f0", "10000", "delta-pitch"},
      {"lowpass-filter-width", "100", "lowpass-cutoff", "10", "filter"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    sni_kaldi_opts o = default_opts(SNI_KALDI_PITCH);
    set_opt(&o, bad[i][0], bad[i][1]);
    set_opt(&o, bad[i][2], bad[i][3]);
    if (i == 7) set_opt(&o, "resample-frequency", "1000");
    if (i == 9) set_opt(&o, "sample-frequency", "16001");
    if (i == 8) set_opt(&o, "min-f0", "1");
    if (i == 8) set_opt(&o, "soft-min-f0", "0.5");
    if (i == 8) set_opt(&o, "resample-frequency", "192000");
    sni_kaldi_plan *p = NULL;
    sn_err err = {0};
    assert_int_equal(sni_kaldi_plan_create_opts(&o, &p, &err), SN_EARG);
    assert_null(p);
    if (strstr(err.msg, bad[i][4]) == NULL)
      fail_msg("%s=%s: message is '%s'", bad[i][0], bad[i][1], err.msg);
  }
}

static void test_processing_into_nothing_is_refused(void **state) {
  (void)state;
  sni_kaldi_opts o = coarse_opts();
  set_opt(&o, "process-pitch", "true");
  set_opt(&o, "add-pov-feature", "false");
  set_opt(&o, "add-normalized-log-pitch", "false");
  set_opt(&o, "add-delta-pitch", "false");
  sni_kaldi_plan *p = NULL;
  sn_err err = {0};
  assert_int_equal(sni_kaldi_plan_create_opts(&o, &p, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "add-pov-feature"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_path_is_the_best_of_all_paths),
      cmocka_unit_test(test_late_energy_corrects_early_frames),
      cmocka_unit_test(test_frame_counts_are_those_of_the_resampled_signal),
      cmocka_unit_test(test_pitch_of_a_tone_is_its_frequency),
      cmocka_unit_test(test_silence_has_no_correlation),
      cmocka_unit_test(test_frames_do_not_depend_on_how_samples_are_cut),
      cmocka_unit_test(test_online_ballast_gives_frames_before_the_end),
      cmocka_unit_test(test_latency_is_at_most_what_was_asked_for),
      cmocka_unit_test(test_endless_silence_is_given_out),
      cmocka_unit_test(test_second_utterance_allocates_nothing),
      cmocka_unit_test(test_processed_pitch_follows_its_formulas),
      cmocka_unit_test(test_noise_on_the_delta_comes_from_the_seed),
      cmocka_unit_test(test_out_of_memory_is_reported_and_leaks_nothing),
      cmocka_unit_test(test_bad_settings_are_refused_by_name),
      cmocka_unit_test(test_processing_into_nothing_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
