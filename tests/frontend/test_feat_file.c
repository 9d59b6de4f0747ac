/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings to frames to files. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/kaldi_io.h"
#include "frontend/feat_file.h"
#include "tests/frontend/feat_support.h"

static char dir[] = "/tmp/senone-feats-XXXXXX";

static int setup(void **state) {
  (void)state;
  return mkdtemp(dir) == NULL;
}

static int teardown(void **state) {
  (void)state;
  char command[256];
  snprintf(command, sizeof command, "rm -r %s", dir);
  return system(command);
}

static const char *in_dir(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

/* A 16-bit mono wav file. */
static void write_wav(const char *name, pcm p, uint32_t rate) {
  FILE *f = fopen(in_dir(name), "wb");
  assert_non_null(f);
  const uint32_t bytes = (uint32_t)p.n * 2;
  const uint32_t words[] = {bytes + 36, 16,         0x00010001, rate,
                            rate * 2,   0x00100002, bytes};
  const char *const tags[] = {"RIFF", "WAVEfmt ", "", "", "", "", "data"};
  for (size_t i = 0; i < 7; i++) {
    if (i != 1) fputs(tags[i], f);
    if (i == 1) fputs(tags[1], f);
    for (int k = 0; k < 4; k++) putc(words[i] >> 8 * k & 255, f);
  }
  for (size_t i = 0; i < p.n; i++) {
    const uint16_t v = (uint16_t)(int16_t)p.x[i];
    putc(v & 255, f);
    putc(v >> 8, f);
  }
  fclose(f);
}

static unsigned char *read_bytes(const char *name, size_t *n) {
  char *data;
  ASSERT_OK(sn_file_read(in_dir(name), &data, n, E));
  return (unsigned char *)data;
}

static uint32_t big(const unsigned char *p, size_t n) {
  uint32_t v = 0;
  for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
  return v;
}

static float as_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static sn_mat three_frames(void) {
  sn_mat m;
  ASSERT_OK(sn_mat_alloc(3, 4, &m, E));
  for (size_t i = 0; i < 12; i++)
    sn_mat_row(m, i / 4)[i % 4] = (float)i * 1.5f - 3;
  return m;
}

static sn_feat_sink *open_sink(const char *kind, const char *name) {
  char spec[300];
  snprintf(spec, sizeof spec, "%s:%s", kind, in_dir(name));
  const sn_feat_sink_opts opts = {SN_HTK_MFCC_0, 0.01};
  sn_feat_sink *s;
  ASSERT_OK(sn_feat_sink_open(spec, &opts, &s, E));
  return s;
}

static void write_and_commit(sn_feat_sink *s, sn_mat m) {
  ASSERT_OK(sn_feat_sink_write(s, "utt-1", sn_mat_const(m), E));
  ASSERT_OK(sn_feat_sink_commit(s, E));
  sn_feat_sink_destroy(s);
}

static void test_htk_files_are_as_the_htk_book_says(void **state) {
  (void)state;
  sn_mat m = three_frames();
  write_and_commit(open_sink("htk", "a/b"), m);
  size_t n;
  unsigned char *data = read_bytes("a/b/utt-1.htk", &n);
  assert_int_equal(n, 12 + 3 * 4 * 4);
  assert_int_equal(big(data, 4), 3);          /* frames */
  assert_int_equal(big(data + 4, 4), 100000); /* 10 ms in 100 ns */
  assert_int_equal(big(data + 8, 2), 16);     /* bytes a frame */
  assert_int_equal(big(data + 10, 2), 020006);
  for (size_t t = 0; t < 3; t++)
    for (size_t d = 0; d < 4; d++) /* c0 last */
      assert_true(as_float(big(data + 12 + 16 * t + 4 * d, 4)) ==
                  sn_mat_row(m, t)[(d + 1) % 4]);
  sn_free(data);
  sn_mat_free(&m);
}

static void test_sphinx_files_are_a_count_and_floats(void **state) {
  (void)state;
  sn_mat m = three_frames();
  write_and_commit(open_sink("sphinx", "c"), m);
  size_t n;
  unsigned char *data = read_bytes("c/utt-1.mfc", &n);
  assert_int_equal(n, 4 + 12 * 4);
  for (size_t i = 0; i < n; i += 4) { /* little-endian */
    const unsigned char swapped[] = {data[i + 3], data[i + 2], data[i + 1],
                                     data[i]};
    const uint32_t v = big(swapped, 4);
    if (i == 0)
      assert_int_equal(v, 12);
    else
      assert_true(as_float(v) ==
                  sn_mat_row(m, (i / 4 - 1) / 4)[(i / 4 - 1) % 4]);
  }
  sn_free(data);
  sn_mat_free(&m);
}

static void test_archives_read_back(void **state) {
  (void)state;
  static const char *const kinds[] = {"ark", "ark,t"};
  sn_mat m = three_frames();
  for (size_t k = 0; k < 2; k++) {
    write_and_commit(open_sink(kinds[k], "x.ark"), m);
    sn_ark_reader *r;
    const char *key;
    sn_cmat got;
    ASSERT_OK(sn_ark_reader_open(in_dir("x.ark"), &r, E));
    ASSERT_OK(sn_ark_next_mat(r, &key, &got, E));
    assert_string_equal(key, "utt-1");
    assert_true(got.rows == 3 && got.cols == 4);
    for (size_t t = 0; t < 3; t++)
      assert_memory_equal(sn_cmat_row(got, t), sn_mat_row(m, t), 16);
    sn_ark_reader_destroy(r);
  }
  sn_mat_free(&m);
}

static void test_bad_outputs_are_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"x.ark", "htk:", "sphinx:-", "mfc:d", ""};
  const sn_feat_sink_opts opts = {SN_HTK_USER, 0.01};
  sn_feat_sink *s;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(sn_feat_sink_open(bad[i], &opts, &s, NULL), SN_EARG);
    assert_null(s);
  }
  assert_int_equal(sn_feat_sink_open("htk:/proc/none/x", &opts, &s, NULL),
                   SN_EIO);
  s = open_sink("sphinx", "d");
  sn_mat m = three_frames();
  static const char *const ids[] = {"", "a/b", "../x", ".hidden"};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
    assert_int_equal(sn_feat_sink_write(s, ids[i], sn_mat_const(m), NULL),
                     SN_EARG);
  sn_feat_sink_destroy(s);
  sn_mat_free(&m);
}

static void test_a_recording_gives_the_frames_of_its_samples(void **state) {
  (void)state;
  pcm p = make_pcm(20000, 16000, 3);
  write_wav("r.wav", p, 16000);
  sn_feat *f = make_feat(SN_FEAT_SPHINX, SN_FEAT_BASE, NULL, NULL);
  features expected = run_feat(f, p);
  sn_mat got;
  ASSERT_OK(sn_feat_recording(f, NULL, in_dir("r.wav"), NULL, NULL, &got, E));
  assert_int_equal(got.rows, expected.m.rows);
  for (size_t t = 0; t < got.rows; t++)
    assert_memory_equal(sn_mat_row(got, t), sn_mat_row(expected.m, t),
                        got.cols * sizeof(float));
  sn_mat_free(&got);
  features_clear(&expected);
  sn_feat_destroy(f);
  free(p.x);
}

static void count_warnings(void *user, sn_log_level level, const char *text) {
  (void)text;
  *(int *)user += level == SN_LOG_WARN;
}

static void test_odd_recordings_warn_or_fail_with_their_path(void **state) {
  (void)state;
  int n = 0;
  sn_log *log;
  ASSERT_OK(sn_log_create(count_warnings, NULL, &n, SN_LOG_WARN, &log, E));
  sn_feat *f = make_feat(SN_FEAT_KALDI, SN_FEAT_BASE, NULL, NULL);
  sn_mat m;
  pcm p = make_pcm(8000, 8000, 3);
  write_wav("eight.wav", p, 8000); /* works, but a warning */
  ASSERT_OK(sn_feat_recording(f, NULL, in_dir("eight.wav"), NULL, log, &m, E));
  assert_true(m.rows > 90 && n == 1);
  sn_mat_free(&m);
  p.n = 100;
  write_wav("short.wav", p, 16000);
  ASSERT_OK(sn_feat_recording(f, NULL, in_dir("short.wav"), NULL, log, &m, E));
  assert_true(m.rows == 0 && n == 2);
  sn_mat_free(&m);
  p.n = 0;
  write_wav("none.wav", p, 16000);
  ASSERT_OK(sn_feat_recording(f, NULL, in_dir("none.wav"), NULL, log, &m, E));
  assert_true(m.rows == 0 && n >= 3);
  sn_mat_free(&m);
  sn_err err = {0};
  assert_int_not_equal(
      sn_feat_recording(f, NULL, in_dir("missing.wav"), NULL, log, &m, &err),
      SN_OK);
  assert_non_null(strstr(err.msg, "missing.wav"));
  assert_null(m.data);
  sn_feat_destroy(f);
  sn_log_destroy(log);
  free(p.x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_htk_files_are_as_the_htk_book_says),
      cmocka_unit_test(test_sphinx_files_are_a_count_and_floats),
      cmocka_unit_test(test_archives_read_back),
      cmocka_unit_test(test_bad_outputs_are_refused),
      cmocka_unit_test(test_a_recording_gives_the_frames_of_its_samples),
      cmocka_unit_test(test_odd_recordings_warn_or_fail_with_their_path)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
