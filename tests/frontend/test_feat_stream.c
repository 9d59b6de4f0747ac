/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every pipeline, of both dialects. */
#include "tests/frontend/feat_support.h"

typedef struct variant {
  const char *name;
  sn_feat_dialect dialect;
  sn_feat_stage stage;
  sn_cmn_mode cmn;
  const char *settings[8];
} variant;

static const variant variants[] = {
    {"sphinx base", SN_FEAT_SPHINX, SN_FEAT_BASE, SN_CMN_DEFAULT, {NULL}},
    {"sphinx base, all frames",
     SN_FEAT_SPHINX,
     SN_FEAT_BASE,
     SN_CMN_DEFAULT,
     {"remove_silence=no", "blocksize=700"}},
    {"sphinx live", SN_FEAT_SPHINX, SN_FEAT_FULL, SN_CMN_LIVE, {NULL}},
    {"sphinx batch", SN_FEAT_SPHINX, SN_FEAT_FULL, SN_CMN_BATCH, {NULL}},
    {"sphinx all frames",
     SN_FEAT_SPHINX,
     SN_FEAT_FULL,
     SN_CMN_LIVE,
     {"remove_silence=no", "remove_noise=no", "feat=s2_4x"}},
    {"sphinx dither",
     SN_FEAT_SPHINX,
     SN_FEAT_FULL,
     SN_CMN_BATCH,
     {"dither=yes", "varnorm=yes", "agc=max", "cmn=batch"}},
    {"sphinx 8 kHz",
     SN_FEAT_SPHINX,
     SN_FEAT_FULL,
     SN_CMN_DEFAULT,
     {"samprate=8000", "upperf=4000", "nfilt=20", "cmn=none", "wlen=0.025"}},
    {"kaldi mfcc", SN_FEAT_KALDI, SN_FEAT_BASE, SN_CMN_DEFAULT, {NULL}},
    {"kaldi fbank",
     SN_FEAT_KALDI,
     SN_FEAT_BASE,
     SN_CMN_DEFAULT,
     {"kind=fbank", "dither=1"}},
    {"kaldi full",
     SN_FEAT_KALDI,
     SN_FEAT_FULL,
     SN_CMN_DEFAULT,
     {"cmn=utterance", "norm-vars=yes", "delta-order=2", "left-context=3",
      "right-context=2", "snip-edges=false"}},
    {"kaldi live",
     SN_FEAT_KALDI,
     SN_FEAT_FULL,
     SN_CMN_LIVE,
     {"cmn=sliding", "cmn-window=100", "delta-order=1"}},
    {"kaldi pitch",
     SN_FEAT_KALDI,
     SN_FEAT_BASE,
     SN_CMN_DEFAULT,
     {"kind=pitch"}}};
#define N_VARIANTS (sizeof variants / sizeof *variants)

static sn_feat *feat_of(const variant *v) {
  return make_feat(v->dialect, v->stage, NULL, v->settings);
}

static sn_feat_stream *stream_of(const variant *v, const sn_feat *f) {
  sn_feat_stream *s;
  ASSERT_OK(sn_feat_stream_create(f, v->cmn, &s, E));
  return s;
}

static void test_frames_do_not_depend_on_how_samples_are_cut(void **state) {
  (void)state;
  sn_rng rng;
  sn_rng_init(&rng, 5);
  for (size_t i = 0; i < N_VARIANTS; i++) {
    const variant *v = &variants[i];
    sn_feat *f = feat_of(v);
    pcm p = make_pcm(30011, sn_feat_rate_hz(f), 7 + i);
    sn_feat_stream *s = stream_of(v, f);
    features whole = run_stream(s, sn_feat_dim(f), p, 0, NULL);
    assert_true(whole.m.rows > 50);
    static const size_t chunks[] = {7, 160, 1000, 5000};
    for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
      sn_feat_stream_reset(s, false);
      features cut = run_stream(s, sn_feat_dim(f), p, chunks[k], &rng);
      assert_same_features(&whole, &cut, v->name);
      features_clear(&cut);
    }
    pcm few = {p.x, 3000}; /* sample by sample */
    sn_feat_stream_reset(s, false);
    features one = run_stream(s, sn_feat_dim(f), few, 1, &rng);
    sn_feat_stream_reset(s, false);
    features all = run_stream(s, sn_feat_dim(f), few, 0, NULL);
    assert_same_features(&all, &one, v->name);
    features_clear(&one);
    features_clear(&all);
    features_clear(&whole);
    sn_feat_stream_destroy(s);
    sn_feat_destroy(f);
    free(p.x);
  }
}

static void test_reset_equals_a_fresh_stream(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VARIANTS; i++) {
    const variant *v = &variants[i];
    sn_feat *f = feat_of(v);
    pcm p = make_pcm(20000, sn_feat_rate_hz(f), 3), q = p;
    sn_feat_stream *fresh = stream_of(v, f), *used = stream_of(v, f);
    q.n = 11111; /* an utterance, then one that is not finished */
    features gone = run_stream(used, sn_feat_dim(f), q, 0, NULL);
    sn_feat_stream_reset(used, false);
    ASSERT_OK(sn_feat_stream_push(used, p.x + 5000, 9000, E));
    sn_feat_stream_reset(used, false);
    features a = run_stream(fresh, sn_feat_dim(f), p, 0, NULL);
    features b = run_stream(used, sn_feat_dim(f), p, 0, NULL);
    assert_same_features(&a, &b, v->name);
    assert_true(sn_feat_stream_in_speech(fresh) ==
                sn_feat_stream_in_speech(used));
    features_clear(&gone);
    features_clear(&a);
    features_clear(&b);
    sn_feat_stream_destroy(fresh);
    sn_feat_stream_destroy(used);
    sn_feat_destroy(f);
    free(p.x);
  }
}

static void test_no_samples_make_no_frames(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VARIANTS; i++) {
    sn_feat *f = feat_of(&variants[i]);
    sn_feat_stream *s = stream_of(&variants[i], f);
    ASSERT_OK(sn_feat_stream_push(s, NULL, 0, E));
    ASSERT_OK(sn_feat_stream_finish(s, E));
    assert_int_equal(sn_feat_stream_ready(s), 0);
    assert_true(sn_feat_stream_finished(s));
    sn_feat_stream_destroy(s);
    sn_feat_destroy(f);
  }
}

/* 100 samples of 16 kHz are less than any frame. */
static void test_a_piece_of_a_frame_makes_one_or_none(void **state) {
  (void)state;
  static const struct {
    sn_feat_dialect dialect;
    sn_feat_stage stage;
    const char *setting;
    size_t frames;
  } cases[] = {{SN_FEAT_SPHINX, SN_FEAT_FULL, "remove_silence=no", 1},
               {SN_FEAT_SPHINX, SN_FEAT_FULL, "remove_silence=yes", 0},
               {SN_FEAT_SPHINX, SN_FEAT_BASE, "remove_silence=no", 0},
               {SN_FEAT_KALDI, SN_FEAT_BASE, "snip-edges=true", 0},
               {SN_FEAT_KALDI, SN_FEAT_BASE, "snip-edges=false", 1}};
  pcm p = make_pcm(100, 16000, 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    sn_feat *f = make_feat(cases[i].dialect, cases[i].stage, NULL,
                           (const char *const[]){cases[i].setting, NULL});
    features out = run_feat(f, p);
    if (out.m.rows != cases[i].frames)
      fail_msg("%s: %zu frames", cases[i].setting, out.m.rows);
    features_clear(&out);
    sn_feat_destroy(f);
  }
  free(p.x);
}

static void test_samples_that_are_none_are_named(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VARIANTS; i++) {
    const variant *v = &variants[i];
    sn_feat *f = feat_of(v);
    pcm p = make_pcm(20000, sn_feat_rate_hz(f), 3);
    sn_feat_stream *a = stream_of(v, f), *b = stream_of(v, f);
    features expected = run_stream(a, sn_feat_dim(f), p, 0, NULL);
    ASSERT_OK(sn_feat_stream_push(b, p.x, 12000, E));
    float bad[] = {1, 2, NAN};
    sn_err err = {0};
    assert_int_equal(sn_feat_stream_push(b, bad, 3, &err), SN_EFORMAT);
    assert_non_null(strstr(err.msg, "12002"));
    sn_err_clear(&err);
    bad[0] = -INFINITY;
    assert_int_equal(sn_feat_stream_push(b, bad, 3, &err), SN_EFORMAT);
    assert_non_null(strstr(err.msg, "12000"));
    /* refused samples leave no trace */
    pcm rest = {p.x + 12000, p.n - 12000};
    features got = run_stream(b, sn_feat_dim(f), rest, 0, NULL);
    assert_same_features(&expected, &got, v->name);
    features_clear(&expected);
    features_clear(&got);
    sn_feat_stream_destroy(a);
    sn_feat_stream_destroy(b);
    sn_feat_destroy(f);
    free(p.x);
  }
}

static void test_a_finished_stream_takes_no_more(void **state) {
  (void)state;
  sn_feat *f = feat_of(&variants[0]);
  sn_feat_stream *s = stream_of(&variants[0], f);
  const float x = 0;
  ASSERT_OK(sn_feat_stream_finish(s, E));
  assert_int_equal(sn_feat_stream_push(s, &x, 1, NULL), SN_EARG);
  assert_int_equal(sn_feat_stream_finish(s, NULL), SN_EARG);
  sn_feat_stream_reset(s, false);
  ASSERT_OK(sn_feat_stream_push(s, &x, 1, E));
  sn_feat_stream_destroy(s);
  sn_feat_destroy(f);
}

static sn_status use_all(const variant *v, pcm p) {
  sn_feat_config *c = NULL;
  sn_feat *f = NULL;
  sn_feat_stream *s = NULL;
  sn_mat out = {0};
  size_t n = 0;
  sn_status st = sn_feat_config_create(v->dialect, &c, NULL);
  for (size_t i = 0; st == SN_OK && v->settings[i] != NULL; i++) {
    char name[64];
    const char *eq = strchr(v->settings[i], '=');
    snprintf(name, sizeof name, "%.*s", (int)(eq - v->settings[i]),
             v->settings[i]);
    st = sn_feat_config_set(c, name, eq + 1, NULL);
  }
  if (st == SN_OK) st = sn_feat_create(c, v->stage, &f, NULL);
  if (st == SN_OK) st = sn_feat_stream_create(f, v->cmn, &s, NULL);
  if (st == SN_OK) st = sn_feat_stream_push(s, p.x, p.n / 2, NULL);
  if (st == SN_OK)
    st = sn_feat_stream_push(s, p.x + p.n / 2, p.n - p.n / 2, NULL);
  if (st == SN_OK) st = sn_feat_stream_finish(s, NULL);
  if (st == SN_OK)
    st = sn_mat_alloc(sn_feat_stream_ready(s), sn_feat_dim(f), &out, NULL);
  if (st == SN_OK) st = sn_feat_stream_pull(s, out, NULL, &n, NULL);
  if (s != NULL && st == SN_ENOMEM && sn_feat_stream_ready(s) == 0) {
    /* what is left after a failure can still be reset and used */
    sn_mem_fail_after(-1);
    sn_feat_stream_reset(s, false);
    ASSERT_OK(sn_feat_stream_push(s, p.x, p.n, E));
    ASSERT_OK(sn_feat_stream_finish(s, E));
    assert_true(sn_feat_stream_ready(s) > 0);
  }
  sn_mat_free(&out);
  sn_feat_stream_destroy(s);
  sn_feat_destroy(f);
  sn_feat_config_destroy(c);
  return st;
}

static void test_out_of_memory_leaves_nothing(void **state) {
  (void)state;
  pcm p = make_pcm(16000, 16000, 2);
  for (size_t i = 0; i < N_VARIANTS; i++) {
    const long before = sn_mem_live();
    bool fired = true;
    for (long k = 0; fired; k++) {
      sn_mem_fail_after(k);
      const sn_status s = use_all(&variants[i], p);
      fired = sn_mem_fault_fired();
      sn_mem_fail_after(-1);
      if (s != SN_ENOMEM && s != SN_OK) fail_msg("%s: %d", variants[i].name, s);
      if (sn_mem_live() != before)
        fail_msg("%s: leak after failure %ld", variants[i].name, k);
      if (k > 100 && k % 7 != 0) k += 3; /* the setting up is long */
    }
  }
  free(p.x);
}

/* Steady state: after the first seconds a live stream allocates nothing. */
static void test_live_streams_stop_allocating(void **state) {
  (void)state;
  for (size_t i = 0; i < N_VARIANTS; i++) {
    const variant *v = &variants[i];
    if (v->cmn != SN_CMN_LIVE) continue;
    sn_feat *f = feat_of(v);
    sn_feat_stream *s = stream_of(v, f);
    pcm p = make_pcm(160000, 16000, 2);
    sn_mat out;
    size_t n;
    ASSERT_OK(sn_mat_alloc(50, sn_feat_dim(f), &out, E));
    for (size_t at = 0; at + 800 <= p.n; at += 800) {
      if (at == 80000) sn_mem_fail_after(0);
      if (sn_feat_stream_push(s, p.x + at, 800, NULL) != SN_OK)
        fail_msg("%s allocates at sample %zu", v->name, at);
      do ASSERT_OK(sn_feat_stream_pull(s, out, NULL, &n, E));
      while (n > 0);
    }
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (fired) fail_msg("%s allocates", v->name);
    sn_mat_free(&out);
    sn_feat_stream_destroy(s);
    sn_feat_destroy(f);
    free(p.x);
  }
}

/* Positions are indices in the audio: frames of the same position are the same
 * with and without silence removal, and removed frames leave gaps. */
static void test_positions_are_those_of_the_audio(void **state) {
  (void)state;
  pcm p = make_pcm(16000 * 12, 16000, 9);
  memset(p.x + 16000 * 3, 0, 16000 * 4 * sizeof *p.x); /* a long pause */
  sn_rng rng;
  sn_rng_init(&rng, 1);
  for (size_t i = 0; i < 16000 * 4; i++)
    p.x[16000 * 3 + i] = (float)floor(12 * sn_rng_gauss(&rng));
  const char *const all[] = {"remove_silence=no", "cmn=none", NULL};
  const char *const some[] = {"remove_silence=yes", "cmn=none", NULL};
  sn_feat *fa = make_feat(SN_FEAT_SPHINX, SN_FEAT_FULL, NULL, all);
  sn_feat *fb = make_feat(SN_FEAT_SPHINX, SN_FEAT_FULL, NULL, some);
  features a = run_feat(fa, p), b = run_feat(fb, p);
  assert_true(b.m.rows + 200 < a.m.rows);
  size_t gaps = 0;
  for (size_t t = 0; t < b.m.rows; t++) {
    const int64_t at = b.positions[t];
    assert_true(at >= 0 && at < (int64_t)a.m.rows);
    if (t > 0) assert_true(at > b.positions[t - 1]);
    gaps += t > 0 && at > b.positions[t - 1] + 1;
    assert_int_equal(a.positions[at], at);
    /* the cepstra, not the deltas, which see other neighbours */
    assert_memory_equal(sn_mat_row(a.m, (size_t)at), sn_mat_row(b.m, t),
                        13 * sizeof(float));
  }
  assert_true(gaps >= 1);
  features_clear(&a);
  features_clear(&b);
  sn_feat_destroy(fa);
  sn_feat_destroy(fb);
  free(p.x);
}

/* 1 s of near silence, 2 s of tone, 1.5 s of near silence. */
static void test_pauses_are_seen_in_every_dialect(void **state) {
  (void)state;
  static const variant seen[] = {
      {"sphinx vad", SN_FEAT_SPHINX, SN_FEAT_FULL, SN_CMN_LIVE, {NULL}},
      {"sphinx energy",
       SN_FEAT_SPHINX,
       SN_FEAT_FULL,
       SN_CMN_LIVE,
       {"remove_silence=no"}},
      {"kaldi energy", SN_FEAT_KALDI, SN_FEAT_BASE, SN_CMN_DEFAULT, {NULL}}};
  const size_t second = 16000;
  pcm p = make_pcm(second * 9 / 2, 16000, 4);
  sn_rng rng;
  sn_rng_init(&rng, 11);
  for (size_t i = 0; i < p.n; i++) {
    const bool speech = i >= second && i < 3 * second;
    const double t = (double)i / 16000;
    double v = 10 * sn_rng_gauss(&rng);
    for (int h = 1; speech && h <= 20; h++)
      v += 700 * sin(2 * 3.14159265 * 150 * h * t + h) *
           (0.6 + 0.4 * sin(2 * 3.14159265 * 4 * t));
    p.x[i] = (float)v;
  }
  for (size_t k = 0; k < sizeof seen / sizeof *seen; k++) {
    sn_feat *f = feat_of(&seen[k]);
    sn_feat_stream *s = stream_of(&seen[k], f);
    ASSERT_OK(sn_feat_stream_push(s, p.x, second, E));
    /* Sphinx's detection takes the first frame for 13 dB above the noise. */
    if (k > 0) {
      assert_false(sn_feat_stream_in_speech(s));
      assert_true(sn_feat_stream_trailing_pause_s(s) > 0.8);
    }
    ASSERT_OK(sn_feat_stream_push(s, p.x + second, second * 3 / 2, E));
    if (!sn_feat_stream_in_speech(s)) fail_msg("%s", seen[k].name);
    assert_true(sn_feat_stream_trailing_pause_s(s) == 0);
    ASSERT_OK(sn_feat_stream_push(s, p.x + second * 5 / 2, second * 2, E));
    assert_false(sn_feat_stream_in_speech(s));
    const double pause = sn_feat_stream_trailing_pause_s(s);
    if (!(fabs(pause - 1.5) < 0.15)) fail_msg("%s: %g s", seen[k].name, pause);
    sn_feat_stream_destroy(s);
    sn_feat_destroy(f);
  }
  free(p.x);
}

static void test_speaker_statistics_are_applied(void **state) {
  (void)state;
  pcm p = make_pcm(32000, 16000, 6);
  sn_feat *base = make_feat(SN_FEAT_KALDI, SN_FEAT_BASE, NULL, NULL);
  sn_feat *full = make_feat(SN_FEAT_KALDI, SN_FEAT_FULL, NULL,
                            (const char *const[]){"cmn=speaker", NULL});
  features a = run_feat(base, p);
  sn_cmvn_stats *stats;
  ASSERT_OK(sn_cmvn_stats_create(sn_feat_dim(base), &stats, E));
  sn_cmvn_stats_add(stats, sn_mat_const(a.m));
  sn_feat_stream *s;
  assert_int_equal(sn_feat_stream_create(full, SN_CMN_DEFAULT, &s, NULL),
                   SN_EARG);
  ASSERT_OK(sn_feat_stream_create_for(full, SN_CMN_DEFAULT, stats, &s, E));
  features b = run_stream(s, sn_feat_dim(full), p, 0, NULL);
  assert_int_equal(a.m.rows, b.m.rows);
  for (size_t d = 0; d < b.m.cols; d++) {
    double sum = 0;
    for (size_t t = 0; t < b.m.rows; t++) sum += (double)sn_mat_row(b.m, t)[d];
    /* float rounding of values below 200: 200 * 6e-8 a frame */
    assert_true(fabs(sum / (double)b.m.rows) < 2e-5);
  }
  sn_feat_stream_destroy(s);
  sn_cmvn_stats_destroy(stats);
  features_clear(&a);
  features_clear(&b);
  sn_feat_destroy(base);
  sn_feat_destroy(full);
  free(p.x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frames_do_not_depend_on_how_samples_are_cut),
      cmocka_unit_test(test_reset_equals_a_fresh_stream),
      cmocka_unit_test(test_no_samples_make_no_frames),
      cmocka_unit_test(test_a_piece_of_a_frame_makes_one_or_none),
      cmocka_unit_test(test_samples_that_are_none_are_named),
      cmocka_unit_test(test_a_finished_stream_takes_no_more),
      cmocka_unit_test(test_out_of_memory_leaves_nothing),
      cmocka_unit_test(test_live_streams_stop_allocating),
      cmocka_unit_test(test_positions_are_those_of_the_audio),
      cmocka_unit_test(test_pauses_are_seen_in_every_dialect),
      cmocka_unit_test(test_speaker_statistics_are_applied)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
