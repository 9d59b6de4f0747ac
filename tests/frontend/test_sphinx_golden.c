/* SPDX-License-Identifier: Apache-2.0 */
/* Base frames against sphinx_fe itself (Debian sphinxbase-utils), run here on
 * the same 16-bit samples: the recordings of pocketsphinx-testdata with the
 * models' feat.params, and pieces of them with options drawn at random.
 *
 * Tolerance: 1e-3 absolute is what the toolkit promises. sphinx_fe sums the
 * cosine transform in float: some 40 roundings of values below 500, that is
 * 40 * 500 * 6e-8 / 2 = 6e-4 at the very worst, 5e-5 seen. */
#include <unistd.h>

#include "tests/frontend/feat_support.h"

#define TOLERANCE 1e-3

typedef struct reference {
  float *x;
  size_t n; /* floats */
} reference;

static char dir[] = "/tmp/senone-sphinx-XXXXXX";
static bool have_all;

static void need_sphinx_fe(void) {
  if (have_all) return;
  print_message(
      "SKIPPED: needs Debian's sphinxbase-utils and pocketsphinx-testdata\n");
  skip();
}

static int setup(void **state) {
  (void)state;
  have_all = system("command -v sphinx_fe >/dev/null") == 0 &&
             access(TESTDATA "/goforward.raw", R_OK) == 0 &&
             access(EN_US_PARAMS, R_OK) == 0;
  return mkdtemp(dir) == NULL;
}

static int teardown(void **state) {
  (void)state;
  char command[256];
  snprintf(command, sizeof command, "rm -r %s", dir);
  return system(command);
}

static void write_raw(pcm p) {
  char path[128];
  snprintf(path, sizeof path, "%s/in.raw", dir);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  for (size_t i = 0; i < p.n; i++) {
    const uint16_t v = (uint16_t)(int16_t)p.x[i];
    putc(v & 255, f);
    putc(v >> 8, f);
  }
  fclose(f);
}

/* What sphinx_fe writes with a parameter file (or NULL) and settings. */
static reference run_sphinx_fe(pcm p, const char *params,
                               const char *const *settings) {
  char command[4096];
  int n = snprintf(command, sizeof command,
                   "sphinx_fe -raw yes -i %s/in.raw -o %s/out.mfc", dir, dir);
  if (params != NULL)
    n += snprintf(command + n, sizeof command - (size_t)n, " -argfile %s",
                  params);
  for (; settings != NULL && *settings != NULL; settings++) {
    const char *eq = strchr(*settings, '=');
    n += snprintf(command + n, sizeof command - (size_t)n, " -%.*s '%s'",
                  (int)(eq - *settings), *settings, eq + 1);
  }
  snprintf(command + n, sizeof command - (size_t)n, " >/dev/null 2>&1");
  write_raw(p);
  if (system(command) != 0) fail_msg("%s", command);
  char path[128];
  snprintf(path, sizeof path, "%s/out.mfc", dir);
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  int32_t count;
  assert_int_equal(fread(&count, sizeof count, 1, f), 1);
  reference r = {calloc((size_t)count + 1, sizeof(float)), (size_t)count};
  assert_non_null(r.x);
  assert_int_equal(fread(r.x, sizeof(float), r.n, f), r.n);
  fclose(f);
  return r;
}

/* The largest difference; infinite when the numbers of frames differ. */
static double difference(const reference *r, const features *f) {
  if (f->m.rows * f->m.cols != r->n) return HUGE_VAL;
  double worst = 0;
  for (size_t i = 0; i < r->n; i++) {
    const float ours = sn_mat_row(f->m, i / f->m.cols)[i % f->m.cols];
    const double d = fabs((double)(ours - r->x[i]));
    if (!(d <= worst)) worst = d;
  }
  return worst;
}

static double compare(pcm p, const char *params, const char *const *settings) {
  reference r = run_sphinx_fe(p, params, settings);
  sn_feat *feat = make_feat(SN_FEAT_SPHINX, SN_FEAT_BASE, params, settings);
  features f = run_feat(feat, p);
  const double worst = difference(&r, &f);
  if (!(worst <= TOLERANCE)) {
    print_message("%zu samples: %zu frames, sphinx_fe %zu; settings", p.n,
                  f.m.rows, r.n / f.m.cols);
    for (; settings != NULL && *settings != NULL; settings++)
      print_message(" %s", *settings);
    print_message("\n");
  }
  features_clear(&f);
  sn_feat_destroy(feat);
  free(r.x);
  return worst;
}

static const char *const recordings[] = {
    TESTDATA "/goforward.raw",
    TESTDATA "/numbers.raw",
    TESTDATA "/something.raw",
    TESTDATA "/cards/001.wav",
    TESTDATA "/cards/002.wav",
    TESTDATA "/cards/003.wav",
    TESTDATA "/cards/004.wav",
    TESTDATA "/cards/005.wav",
    TESTDATA "/librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
    TESTDATA "/librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
    TESTDATA "/librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
    TESTDATA "/librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
    TESTDATA "/librivox/sense_and_sensibility_01_austen_64kb-0930.wav"};
#define N_RECORDINGS (sizeof recordings / sizeof *recordings)

static pcm recording(size_t i) {
  const char *path = recordings[i];
  pcm p = read_pcm(path, strstr(path, ".wav") != NULL ? 44 : 0);
  assert_non_null(p.x);
  return p;
}

static void check_four(pcm p, const char *params, const char *rate) {
  static const char *const words[] = {"no", "yes"};
  for (int k = 0; k < 4; k++) {
    char noise[32], silence[32];
    snprintf(noise, sizeof noise, "remove_noise=%s", words[k & 1]);
    snprintf(silence, sizeof silence, "remove_silence=%s", words[k >> 1]);
    const char *const settings[] = {noise, silence, rate, NULL};
    const double worst = compare(p, params, settings);
    if (!(worst <= TOLERANCE)) fail_msg("%s %s: %g", noise, silence, worst);
  }
}

static void test_en_us_frames_equal_sphinx_fe(void **state) {
  (void)state;
  need_sphinx_fe();
  for (size_t i = 0; i < N_RECORDINGS; i++) {
    pcm p = recording(i);
    check_four(p, EN_US_PARAMS, "samprate=16000");
    free(p.x);
  }
}

static void test_an4_frames_equal_sphinx_fe(void **state) {
  (void)state;
  need_sphinx_fe();
  pcm p = recording(0);
  check_four(p, TESTDATA "/an4_ci_cont/feat.params", "samprate=16000");
  free(p.x);
}

/* tidigits' own feat.params turns dither on: here without. */
static void test_tidigits_frames_equal_sphinx_fe(void **state) {
  (void)state;
  need_sphinx_fe();
  char command[512], params[128];
  snprintf(params, sizeof params, "%s/tidigits.params", dir);
  snprintf(command, sizeof command,
           "sed '/^-dither/d' %s/tidigits/hmm/feat.params >%s", TESTDATA,
           params);
  assert_int_equal(system(command), 0);
  pcm p = read_pcm(TESTDATA "/tidigits/dhd.2934z.raw", 0);
  assert_non_null(p.x);
  check_four(p, params, "samprate=8000");
  free(p.x);
}

static const char *pick(sn_rng *rng, const char *const *from) {
  uint32_t n = 0;
  while (from[n] != NULL) n++;
  return from[sn_rng_below(rng, n)];
}

/* Short pieces, silence inside, all kinds of options: above all the numbers of
 * frames at the end are at stake. */
static void test_random_pieces_and_options_equal_sphinx_fe(void **state) {
  (void)state;
  need_sphinx_fe();
  static const char *const draws[][8] = {
      {"remove_noise=yes", "remove_noise=no", NULL},
      {"remove_silence=yes", "remove_silence=no", "remove_silence=yes", NULL},
      {"transform=legacy", "transform=dct", "transform=htk", NULL},
      {"lifter=0", "lifter=22", "lifter=23", NULL},
      {"nfilt=25", "nfilt=40", "nfilt=20", NULL},
      {"lowerf=130", "lowerf=1", "lowerf=133.33334", NULL},
      {"upperf=6800", "upperf=8000", "upperf=6855.4976", NULL},
      {"round_filters=yes", "round_filters=no", NULL},
      {"unit_area=yes", "unit_area=no", NULL},
      {"remove_dc=no", "remove_dc=yes", NULL},
      {"wlen=0.025625", "wlen=0.02", "wlen=0.016", NULL},
      {"frate=100", "frate=100", "frate=105", "frate=80", NULL},
      {"nfft=512", "nfft=1024", NULL},
      {"alpha=0.97", "alpha=0", NULL},
      {"ncep=13", "ncep=12", "ncep=15", "logspec=yes", NULL},
      {"vad_prespeech=20", "vad_prespeech=0", "vad_prespeech=40", NULL},
      {"vad_postspeech=50", "vad_postspeech=0", "vad_postspeech=8", NULL},
      {"vad_startspeech=10", "vad_startspeech=0", "vad_startspeech=3", NULL},
      {"vad_threshold=2.0", "vad_threshold=1.0", "vad_threshold=3.5", NULL},
      {"blocksize=2048", "blocksize=1", "blocksize=5000", NULL},
      {"warp_params=", "warp_params=1.1", "warp_params=0.95", NULL}};
  enum { n_draws = sizeof draws / sizeof *draws };
  sn_rng rng;
  sn_rng_init(&rng, 20260101);
  for (int round = 0; round < 120; round++) {
    pcm all = recording(sn_rng_below(&rng, N_RECORDINGS));
    const uint32_t most = sn_rng_below(&rng, 2) ? 6000 : 30000;
    pcm p = {NULL, sn_rng_below(&rng, most)};
    const uint32_t at = sn_rng_below(&rng, (uint32_t)all.n - 1);
    if (p.n > all.n - at) p.n = all.n - at;
    p.x = all.x + at;
    if (sn_rng_below(&rng, 4) == 0)
      memset(p.x + p.n / 2, 0, p.n / 4 * sizeof *p.x);
    const char *settings[n_draws + 2];
    for (size_t d = 0; d < n_draws; d++) settings[d] = pick(&rng, draws[d]);
    settings[n_draws] =
        pick(&rng, (const char *const[]){"warp_type=inverse_linear",
                                         "warp_type=affine",
                                         "warp_type=piecewise_linear", NULL});
    settings[n_draws + 1] = NULL;
    /* sphinx_fe ends itself where warping bends the filters too far */
    if (strstr(settings[n_draws - 1], "=0.95") != NULL)
      settings[6] = "upperf=6800";
    const double worst = compare(p, NULL, settings);
    if (!(worst <= TOLERANCE)) fail_msg("round %d: %g", round, worst);
    free(all.x);
  }
}

static void test_the_comparison_notices_a_setting(void **state) {
  (void)state;
  need_sphinx_fe();
  pcm p = recording(0);
  reference r = run_sphinx_fe(p, EN_US_PARAMS, NULL);
  sn_feat *feat = make_feat(SN_FEAT_SPHINX, SN_FEAT_BASE, EN_US_PARAMS,
                            (const char *const[]){"alpha=0.969", NULL});
  features f = run_feat(feat, p);
  assert_true(difference(&r, &f) > TOLERANCE);
  features_clear(&f);
  sn_feat_destroy(feat);
  free(r.x);
  free(p.x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_en_us_frames_equal_sphinx_fe),
      cmocka_unit_test(test_an4_frames_equal_sphinx_fe),
      cmocka_unit_test(test_tidigits_frames_equal_sphinx_fe),
      cmocka_unit_test(test_random_pieces_and_options_equal_sphinx_fe),
      cmocka_unit_test(test_the_comparison_notices_a_setting)};
  const int failed = cmocka_run_group_tests(tests, setup, teardown);
  return failed == 0 && !have_all ? 77 : failed;
}
