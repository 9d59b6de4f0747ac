/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of every senone and frame against PocketSphinx's own (-senlogdir),
 * over the recordings of pocketsphinx-testdata.
 *
 * PocketSphinx cuts 1 / (2 variance) to a whole number of log(1.0001), rounds
 * densities and weights to 0.1024 nat and adds logs by a table of bytes, so
 * its scores differ from exact ones. Two comparisons:
 *  - exact scores: on the 500 best senones of a frame the mean difference is
 *    at most 2.5 units of 0.1024 nat, the median over all senones at most 3;
 *  - its arithmetic redone here (tests/ref/gmm_ref.h): all but a few scores
 *    within 3 units, which ties down features, tables and top Gaussians. */
#include "tests/am/am_support.h"
#include "tests/ref/gmm_ref.h"

enum { BEST = 500, MAX_UNITS = 4096, STEPS = 10 };

/* Counts of absolute differences, in tenths of a unit. */
typedef struct histogram {
  int64_t n, count[MAX_UNITS * STEPS];
  double sum, max;
} histogram;

static void add(histogram *h, double d) {
  const double x = fabs(d) * STEPS;
  h->count[x < MAX_UNITS * STEPS - 1 ? (size_t)x : MAX_UNITS * STEPS - 1]++;
  h->n++;
  h->sum += fabs(d);
  if (fabs(d) > h->max) h->max = fabs(d);
}

static double quantile(const histogram *h, double q) {
  int64_t left = (int64_t)(q * (double)h->n);
  size_t i = 0;
  while (i < MAX_UNITS * STEPS - 1 && left >= h->count[i])
    left -= h->count[i++];
  return ((double)i + 0.5) / STEPS;
}

static histogram best, all, redone;
static double worst_frame;

typedef struct recording {
  const char *group, *path;
} recording;

static const recording recordings[] = {
    {"wav", "librivox/sense_and_sensibility_01_austen_64kb-0870"},
    {"wav", "librivox/sense_and_sensibility_01_austen_64kb-0880"},
    {"wav", "librivox/sense_and_sensibility_01_austen_64kb-0890"},
    {"wav", "librivox/sense_and_sensibility_01_austen_64kb-0920"},
    {"wav", "librivox/sense_and_sensibility_01_austen_64kb-0930"},
    {"wav", "cards/001"},
    {"wav", "cards/002"},
    {"wav", "cards/003"},
    {"wav", "cards/004"},
    {"wav", "cards/005"},
    {"raw", "goforward"},
    {"raw", "numbers"},
    {"raw", "something"}};
enum { N_REC = sizeof recordings / sizeof recordings[0] };

/* One run for the wav files, one for the raw ones. */
static void run_pocketsphinx(const char *dir, const char *group) {
  char path[512], cmd[2048];
  in_dir(path, sizeof path, dir, "ids");
  FILE *const f = fopen(path, "w");
  assert_non_null(f);
  for (size_t i = 0; i < N_REC; i++)
    if (strcmp(recordings[i].group, group) == 0)
      (void)fprintf(f, "%s\n", recordings[i].path);
  assert_int_equal(fclose(f), 0);
  (void)snprintf(cmd, sizeof cmd,
                 "pocketsphinx_batch -hmm " EN_US " -lm " TESTDATA
                 "/turtle.lm.bin -dict " TESTDATA
                 "/turtle.dic -cepdir " TESTDATA
                 " -ctl %s/ids -adcin yes -adchdr %s -cepext .%s -senlogdir %s "
                 "-compallsen yes -pl_window 0 -fwdflat no -bestpath no "
                 "-hyp /dev/null > %s/log 2>&1",
                 dir, strcmp(group, "wav") == 0 ? "44" : "0", group, dir, dir);
  if (system(cmd) != 0) fail_msg("failed: %s", cmd);
}

static int compare_units(const void *a, const void *b) {
  const int x = *(const int *)a, y = *(const int *)b;
  return x < y ? -1 : x > y;
}

/* Largest cost among the BEST best. */
static int cut_of(const int16_t *theirs, size_t n) {
  static int sorted[1 << 16];
  for (size_t i = 0; i < n; i++) sorted[i] = theirs[i];
  qsort(sorted, n, sizeof *sorted, compare_units);
  return sorted[n < BEST ? n - 1 : BEST - 1];
}

static void compare_frame(const float *ours, const int16_t *theirs, size_t n) {
  const double unit = 1024 * log(1.0001);
  float top = -INFINITY;
  for (size_t i = 0; i < n; i++) top = fmaxf(top, ours[i]);
  const int cut = cut_of(theirs, n);
  double sum = 0;
  size_t n_best = 0;
  for (size_t i = 0; i < n; i++) {
    const double d = (double)(top - ours[i]) / unit - theirs[i];
    add(&all, d);
    if (theirs[i] > cut) continue;
    add(&best, d);
    sum += fabs(d);
    n_best++;
  }
  worst_frame = fmax(worst_frame, sum / (double)n_best);
}

static void compare_recording(const sn_am *am, gmm_ref *ref,
                              const char *recording_path, const char *log) {
  sn_err err = {0};
  const size_t N = (size_t)sn_am_n_pdfs(am);
  sn_mat x = features_of(am, recording_path), y;
  char *data = NULL;
  size_t n = 0;
  int *const again = calloc(N, sizeof *again);
  OK(sn_mat_alloc(x.rows, N, &y, &err));
  OK(sn_am_score_block(am, sn_mat_const(x), y, &err));
  OK(sn_file_read(log, &data, &n, &err));
  const char *p = strstr(data, "endhdr\n");
  assert_non_null(p);
  p += 7 + 4;
  /* The same number of frames: what the front end removes, it removes too. */
  assert_int_equal((size_t)(data + n - p), x.rows * (2 + 2 * N));
  for (size_t t = 0; t < x.rows; t++, p += 2 + 2 * N) {
    int16_t count;
    static int16_t theirs[1 << 16];
    memcpy(&count, p, 2);
    assert_int_equal(count, N);
    memcpy(theirs, p + 2, 2 * N);
    compare_frame(sn_mat_row(y, t), theirs, N);
    if (t % 20 != 7) continue;
    gmm_ref_score_ps(ref, sn_mat_row(x, t), again);
    for (size_t i = 0; i < N; i++) add(&redone, again[i] - theirs[i]);
  }
  free(again);
  sn_free(data);
  sn_mat_free(&x);
  sn_mat_free(&y);
}

static void compare_group(const sn_am *am, gmm_ref *ref, const char *group) {
  char dir[256], path[512], log[512];
  int number = 0;
  make_dir(dir, sizeof dir);
  run_pocketsphinx(dir, group);
  for (size_t i = 0; i < N_REC; i++) {
    if (strcmp(recordings[i].group, group) != 0) continue;
    (void)snprintf(path, sizeof path, TESTDATA "/%s.%s", recordings[i].path,
                   group);
    (void)snprintf(log, sizeof log, "%s/%09d.sen", dir, number++);
    compare_recording(am, ref, path, log);
    assert_int_equal(remove(log), 0);
  }
  /* pocketsphinx_batch makes the folders of the recordings' names too */
  static const char *const folders[] = {"cards", "librivox"};
  for (size_t i = 0; i < 2; i++) {
    (void)snprintf(log, sizeof log, "%s/%s", dir, folders[i]);
    (void)remove(log);
  }
  remove_dir(dir);
}

static void print(const char *what, const histogram *h) {
  print_message(
      "%s: %lld scores, mean %.3f, median %.2f, 99th percentile "
      "%.1f, largest %.1f units\n",
      what, (long long)h->n, h->sum / (double)h->n, quantile(h, 0.5),
      quantile(h, 0.99), h->max);
}

static void test_scores_are_as_close_as_its_rounding_allows(void **state) {
  (void)state;
  sn_am *const am = import_and_load(EN_US);
  gmm_ref ref;
  gmm_ref_init(&ref, sni_am_view_of(am));
  gmm_ref_init_ps(&ref);
  compare_group(am, &ref, "wav");
  compare_group(am, &ref, "raw");
  print("500 best senones", &best);
  print("all senones", &all);
  print("its arithmetic redone", &redone);
  print_message("worst frame: mean of its 500 best %.2f units\n", worst_frame);
  assert_true(best.sum / (double)best.n <= 2.5);
  assert_true(quantile(&all, 0.5) <= 3.0);
  assert_true(quantile(&redone, 0.99) <= 3.0);
  assert_true(redone.sum / (double)redone.n <= 0.5);
  gmm_ref_clear(&ref);
  sn_am_destroy(am);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_scores_are_as_close_as_its_rounding_allows)};
  const char *const needs[] = {"/usr/bin/pocketsphinx_batch", EN_US "/mdef",
                               TESTDATA "/goforward.raw",
                               TESTDATA "/turtle.lm.bin"};
  for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
    if (have(needs[i])) continue;
    print_message(
        "[  SKIPPED ] no %s: packages pocketsphinx, "
        "pocketsphinx-en-us and pocketsphinx-testdata are needed\n",
        needs[i]);
    return 77;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
