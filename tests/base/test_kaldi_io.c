/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi tables: round trips in every form, Kaldi's own archives (bytes and
 * values), scripts, damaged input. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/kaldi_io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/ref/temp_path.h"

#define MAX_VALUES 1024

typedef struct fixture {
  char dir[64];
  char path[3][96]; /* three files within dir */
} fixture;

static int set_up(void **state) {
  fixture *const f = calloc(1, sizeof *f);
  char dir[sizeof f->dir];
  temp_template(dir, sizeof dir, "kaldi");
  if (mkdtemp(dir) == NULL) return -1;
  memcpy(f->dir, dir, sizeof dir);
  for (int i = 0; i < 3; i++)
    snprintf(f->path[i], sizeof f->path[i], "%s/%c", dir, 'a' + i);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *const f = *state;
  for (int i = 0; i < 3; i++) (void)unlink(f->path[i]);
  const int s = rmdir(f->dir); /* fails where a temporary file is left */
  free(f);
  return s;
}

static void fill(float *v, size_t n, uint64_t seed) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (size_t i = 0; i < n; i++) v[i] = (float)(20 * sn_rng_gauss(&rng));
}

static sn_cmat view(const float *v, size_t rows, size_t cols) {
  const sn_cmat m = {v, rows, cols, cols};
  return m;
}

static char *spec_of(char *to, const char *head, const char *a, const char *b) {
  snprintf(to, 256, "%s:%s%s%s", head, a, b != NULL ? "," : "",
           b != NULL ? b : "");
  return to;
}

/* ---- Round trips ---- */

static void write_some(const char *spec, const float *v, sn_ark_kind kind) {
  sn_ark_writer *w = NULL;
  assert_int_equal(sn_ark_writer_open(spec, &w, NULL), SN_OK);
  const size_t rows = kind == SN_ARK_VECTOR ? 1 : 7;
  assert_int_equal(sn_ark_write_mat(w, "utt-1", view(v, rows, 5), kind, NULL),
                   SN_OK);
  assert_int_equal(sn_ark_write_mat(w, "empty", view(v, 0, 0), kind, NULL),
                   SN_OK);
  assert_int_equal(
      sn_ark_write_mat(w, "utt-2", view(v + 100, 1, 3), kind, NULL), SN_OK);
  assert_int_equal(sn_ark_writer_commit(w, NULL), SN_OK);
  sn_ark_writer_destroy(w);
}

static void expect_mat(sn_ark_reader *a, const char *key, const float *v,
                       size_t rows, size_t cols) {
  const char *got_key = NULL;
  sn_cmat m;
  sn_err err = {0};
  if (sn_ark_next_mat(a, &got_key, &m, &err) != SN_OK) fail_msg("%s", err.msg);
  assert_non_null(got_key);
  assert_string_equal(got_key, key);
  assert_int_equal(m.rows, rows);
  assert_int_equal(m.cols, cols);
  for (size_t i = 0; i < rows * cols; i++)
    if (m.data[i] != v[i])
      fail_msg("%zu: %.9g != %.9g", i, (double)m.data[i], (double)v[i]);
}

static void expect_some(const char *spec, const float *v, size_t rows) {
  sn_ark_reader *a = NULL;
  assert_int_equal(sn_ark_reader_open(spec, &a, NULL), SN_OK);
  expect_mat(a, "utt-1", v, rows, 5);
  expect_mat(a, "empty", v, 0, 0);
  expect_mat(a, "utt-2", v + 100, 1, 3);
  const char *key = "";
  sn_cmat m;
  assert_int_equal(sn_ark_next_mat(a, &key, &m, NULL), SN_OK);
  assert_null(key);
  sn_ark_reader_destroy(a);
}

static void matrices_come_back_exactly_in_text_and_binary(void **state) {
  const fixture *const f = *state;
  static const char *const heads[] = {"ark", "ark,t", "ark,scp", "ark,t,scp"};
  static const sn_ark_kind kinds[] = {SN_ARK_MATRIX, SN_ARK_MATRIX_D,
                                      SN_ARK_VECTOR};
  float v[MAX_VALUES];
  fill(v, MAX_VALUES, 1);
  v[3] = INFINITY;
  v[4] = -0.0f;
  v[5] = 1e-45f; /* the smallest float */
  v[6] = 3.4028235e38f;
  for (size_t h = 0; h < 4; h++)
    for (size_t k = 0; k < 3; k++) {
      char spec[256];
      const size_t rows = kinds[k] == SN_ARK_VECTOR ? 1 : 7;
      write_some(
          spec_of(spec, heads[h], f->path[0], h >= 2 ? f->path[1] : NULL), v,
          kinds[k]);
      expect_some(spec_of(spec, "ark", f->path[0], NULL), v, rows);
      expect_some(f->path[0], v, rows);
      if (h >= 2)
        expect_some(spec_of(spec, "scp,s,cs", f->path[1], NULL), v, rows);
    }
}

static void integer_vectors_come_back_exactly(void **state) {
  const fixture *const f = *state;
  static const int32_t v[] = {0, 1, -1, INT32_MAX, INT32_MIN, 42};
  static const char *const heads[] = {"ark", "ark,t"};
  for (size_t h = 0; h < 2; h++) {
    char spec[256];
    sn_ark_writer *w = NULL;
    assert_int_equal(
        sn_ark_writer_open(spec_of(spec, heads[h], f->path[0], NULL), &w, NULL),
        SN_OK);
    assert_int_equal(sn_ark_write_ints(w, "a", v, 6, NULL), SN_OK);
    assert_int_equal(sn_ark_write_ints(w, "b", v, 0, NULL), SN_OK);
    assert_int_equal(sn_ark_write_ints(w, "c", v, 1, NULL), SN_OK);
    assert_int_equal(sn_ark_writer_commit(w, NULL), SN_OK);
    sn_ark_writer_destroy(w);
    sn_ark_reader *a = NULL;
    assert_int_equal(sn_ark_reader_open(f->path[0], &a, NULL), SN_OK);
    static const size_t lengths[] = {6, 0, 1};
    for (size_t i = 0; i < 3; i++) {
      const char *key = NULL;
      const int32_t *got = NULL;
      size_t n = 0;
      assert_int_equal(sn_ark_next_ints(a, &key, &got, &n, NULL), SN_OK);
      assert_int_equal(key[0], 'a' + (int)i);
      assert_int_equal(n, lengths[i]);
      for (size_t k = 0; k < n; k++) assert_int_equal(got[k], v[k]);
    }
    sn_ark_reader_destroy(a);
  }
}

static void text_of_a_binary_vector_is_laid_out_as_by_kaldi(void **state) {
  const fixture *const f = *state;
  static const float v[] = {1, -2.5f, 1.234567f};
  char spec[256];
  sn_ark_writer *w = NULL;
  assert_int_equal(
      sn_ark_writer_open(spec_of(spec, "ark,t", f->path[0], NULL), &w, NULL),
      SN_OK);
  assert_int_equal(sn_ark_write_mat(w, "k", view(v, 1, 3), SN_ARK_MATRIX, NULL),
                   SN_OK);
  assert_int_equal(sn_ark_write_mat(w, "k", view(v, 1, 3), SN_ARK_VECTOR, NULL),
                   SN_OK);
  assert_int_equal(sn_ark_write_mat(w, "k", view(v, 0, 3), SN_ARK_MATRIX, NULL),
                   SN_OK);
  assert_int_equal(sn_ark_writer_commit(w, NULL), SN_OK);
  sn_ark_writer_destroy(w);
  char *text = NULL;
  size_t n = 0;
  assert_int_equal(sn_file_read(f->path[0], &text, &n, NULL), SN_OK);
  assert_string_equal(text,
                      "k  [\n  1 -2.5 1.234567 ]\nk  [ 1 -2.5 1.234567 ]\n"
                      "k  [ ]\n");
  sn_free(text);
}

/* ---- Compression ---- */

static void compressed_values_are_within_half_a_step(void **state) {
  const fixture *const f = *state;
  float v[MAX_VALUES];
  fill(v, MAX_VALUES, 2);
  for (size_t rows = 1; rows <= 20; rows++) {
    float low = v[0], high = v[0];
    for (size_t i = 0; i < rows * 6; i++) {
      low = v[i] < low ? v[i] : low;
      high = v[i] > high ? v[i] : high;
    }
    for (int method = 2; method <= 5; method++) {
      if (method == 4) continue;
      char spec[256];
      sn_ark_writer *w = NULL;
      assert_int_equal(
          sn_ark_writer_open(spec_of(spec, "ark", f->path[0], NULL), &w, NULL),
          SN_OK);
      assert_int_equal(
          sn_ark_write_compressed(w, "k", view(v, rows, 6), method, NULL),
          SN_OK);
      assert_int_equal(sn_ark_writer_commit(w, NULL), SN_OK);
      sn_ark_writer_destroy(w);
      sn_ark_reader *a = NULL;
      assert_int_equal(sn_ark_reader_open(f->path[0], &a, NULL), SN_OK);
      const char *key = NULL;
      sn_cmat m;
      assert_int_equal(sn_ark_next_mat(a, &key, &m, NULL), SN_OK);
      assert_int_equal(m.rows, rows);
      /* Half a step of the range (the widest part of a column of CM is at
       * most the range, in 63 steps), 0.002 of a step that the rounding by
       * 0.499 moves, and the rounding of floats near 100 (2^-17). */
      const double steps = method == 2 ? 63 : method == 3 ? 65535 : 255;
      const double bound = 0.502 * (double)(high - low) / steps + 0x1p-15 +
                           (method == 2 ? 2 * (double)(high - low) / 65535 : 0);
      for (size_t i = 0; i < rows * 6; i++)
        if (fabs((double)m.data[i] - (double)v[i]) > bound)
          fail_msg("method %d, %zu rows, %zu: %g, not %g", method, rows, i,
                   (double)m.data[i], (double)v[i]);
      sn_ark_reader_destroy(a);
    }
  }
}

static void constant_matrices_survive_compression(void **state) {
  const fixture *const f = *state;
  static const float values[] = {0, 1, -7.25f, 1e6f, 1e30f, -1e-30f};
  float v[12];
  for (size_t k = 0; k < sizeof values / sizeof values[0]; k++)
    for (int method = 2; method <= 5; method++) {
      if (method == 4) continue;
      for (size_t i = 0; i < 12; i++) v[i] = values[k];
      v[11] = nextafterf(values[k], 1e38f); /* a range of one unit */
      for (size_t n = 5; n <= 6; n++) {     /* without and with it */
        char spec[256];
        sn_ark_writer *w = NULL;
        spec_of(spec, "ark", f->path[0], NULL);
        assert_int_equal(sn_ark_writer_open(spec, &w, NULL), SN_OK);
        assert_int_equal(
            sn_ark_write_compressed(w, "k", view(v, n, 2), method, NULL),
            SN_OK);
        assert_int_equal(sn_ark_writer_commit(w, NULL), SN_OK);
        sn_ark_writer_destroy(w);
        sn_ark_reader *a = NULL;
        assert_int_equal(sn_ark_reader_open(f->path[0], &a, NULL), SN_OK);
        const char *key = NULL;
        sn_cmat m;
        assert_int_equal(sn_ark_next_mat(a, &key, &m, NULL), SN_OK);
        /* A constant is stored as the low end of a range of 1 + |v|, of which
         * CM's quantiles may take up to three 16-bit steps. */
        for (size_t i = 0; i < 10; i++)
          assert_true(fabs((double)(m.data[i] - v[i])) <=
                      3.01 / 65535 * (1 + fabs((double)v[i])));
        sn_ark_reader_destroy(a);
      }
    }
}

static void what_is_not_finite_is_not_compressed(void **state) {
  const fixture *const f = *state;
  float v[4] = {1, 2, NAN, 4};
  char spec[256];
  sn_ark_writer *w = NULL;
  sn_err err = {0};
  assert_int_equal(
      sn_ark_writer_open(spec_of(spec, "ark", f->path[0], NULL), &w, NULL),
      SN_OK);
  assert_int_equal(sn_ark_write_compressed(w, "utt", view(v, 2, 2), 3, &err),
                   SN_EARG);
  assert_non_null(strstr(err.msg, "'utt': row 1, column 0"));
  assert_int_equal(sn_ark_write_compressed(w, "utt", view(v, 1, 2), 7, NULL),
                   SN_EARG);
  sn_ark_writer_destroy(w);
}

/* ---- Kaldi's own files ---- */

static const char *shared_file(char *to, const char *folder, const char *name) {
  const char *const shared = getenv("SENONE_SHARED");
  snprintf(to, 512, "%s/reference/%s/%s", shared != NULL ? shared : "../shared",
           folder, name);
  if (sn_file_exists(to)) return to;
  print_message("SKIPPED: no '%s' (set SENONE_SHARED)\n", to);
  return NULL;
}

static const char *reference(char *to, const char *name) {
  return shared_file(to, "kaldi-feats", name);
}

/* Kaldi prints 7 significant digits: half a unit of the last one. */
static void expect_printed(const char *binary, const char *text) {
  sn_ark_reader *a = NULL, *b = NULL;
  assert_int_equal(sn_ark_reader_open(binary, &a, NULL), SN_OK);
  assert_int_equal(sn_ark_reader_open(text, &b, NULL), SN_OK);
  const char *ka = NULL, *kb = NULL;
  sn_cmat ma, mb;
  size_t n = 0;
  for (;;) {
    assert_int_equal(sn_ark_next_mat(a, &ka, &ma, NULL), SN_OK);
    assert_int_equal(sn_ark_next_mat(b, &kb, &mb, NULL), SN_OK);
    if (ka == NULL || kb == NULL) break;
    assert_string_equal(ka, kb);
    assert_int_equal(ma.rows, mb.rows);
    assert_int_equal(ma.cols, mb.cols);
    for (size_t i = 0; i < ma.rows * ma.cols; i++) {
      char mine[32], theirs[32];
      snprintf(mine, sizeof mine, "%.7g", (double)ma.data[i]);
      snprintf(theirs, sizeof theirs, "%.7g", (double)mb.data[i]);
      if (strcmp(mine, theirs) != 0)
        fail_msg("%s: %zu: %s, not %s", binary, i, mine, theirs);
    }
    n++;
  }
  assert_true(ka == NULL && kb == NULL && n > 0);
  sn_ark_reader_destroy(a);
  sn_ark_reader_destroy(b);
}

static void archives_of_kaldi_read_as_it_prints_them(void **state) {
  (void)state;
  static const char *const names[] = {"an4.mfcc",
                                      "an4.mfcc-compressed",
                                      "an4.mfcc-compressed-m3",
                                      "an4.mfcc-compressed-m5",
                                      "lj.mfcc-compressed",
                                      "fsdd.mfcc-compressed"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char name[128], binary[512], text[512];
    snprintf(name, sizeof name, "%s.ark", names[i]);
    if (reference(binary, name) == NULL) skip();
    snprintf(name, sizeof name, "%s.txt", names[i]);
    if (reference(text, name) == NULL) skip();
    expect_printed(binary, text);
  }
}

static void expect_same_bytes(const char *a, const char *b) {
  char *x = NULL, *y = NULL;
  size_t nx = 0, ny = 0;
  assert_int_equal(sn_file_read(a, &x, &nx, NULL), SN_OK);
  assert_int_equal(sn_file_read(b, &y, &ny, NULL), SN_OK);
  assert_int_equal(nx, ny);
  for (size_t i = 0; i < nx; i++)
    if (x[i] != y[i]) fail_msg("%s: byte %zu differs", b, i);
  sn_free(x);
  sn_free(y);
}

static void compression_gives_the_bytes_that_kaldi_wrote(void **state) {
  const fixture *const f = *state;
  static const char *const names[] = {"an4.mfcc.ark",
                                      "",
                                      "an4.mfcc-compressed.ark",
                                      "an4.mfcc-compressed-m3.ark",
                                      "",
                                      "an4.mfcc-compressed-m5.ark"};
  char from[512], to[512], spec[256];
  if (reference(from, names[0]) == NULL) skip();
  for (int method = 0; method <= 5; method++) {
    if (names[method][0] == '\0') continue;
    sn_ark_reader *a = NULL;
    sn_ark_writer *w = NULL;
    const char *key = NULL;
    sn_cmat m;
    assert_int_equal(sn_ark_reader_open(from, &a, NULL), SN_OK);
    assert_int_equal(sn_ark_next_mat(a, &key, &m, NULL), SN_OK);
    assert_int_equal(
        sn_ark_writer_open(spec_of(spec, "ark", f->path[0], NULL), &w, NULL),
        SN_OK);
    assert_int_equal(method == 0
                         ? sn_ark_write_mat(w, key, m, SN_ARK_MATRIX, NULL)
                         : sn_ark_write_compressed(w, key, m, method, NULL),
                     SN_OK);
    assert_int_equal(sn_ark_writer_commit(w, NULL), SN_OK);
    sn_ark_writer_destroy(w);
    sn_ark_reader_destroy(a);
    expect_same_bytes(f->path[0], reference(to, names[method]));
  }
}

/* Features, scores and alignments of the same utterances: as many frames. */
static void tables_of_a_real_recogniser_agree_in_length(void **state) {
  (void)state;
  static const char *const names[] = {"feats.ark", "loglikes.ark", "best.ali"};
  sn_ark_reader *a[3] = {NULL, NULL, NULL};
  for (int i = 0; i < 3; i++) {
    char path[512];
    if (shared_file(path, "an4-kaldi", names[i]) == NULL) {
      while (i > 0) sn_ark_reader_destroy(a[--i]);
      skip();
    }
    assert_int_equal(sn_ark_reader_open(path, &a[i], NULL), SN_OK);
  }
  size_t n_utts = 0;
  for (;; n_utts++) {
    const char *key[3];
    sn_cmat m[2];
    const int32_t *v = NULL;
    size_t n = 0;
    for (int i = 0; i < 2; i++)
      assert_int_equal(sn_ark_next_mat(a[i], &key[i], &m[i], NULL), SN_OK);
    assert_int_equal(sn_ark_next_ints(a[2], &key[2], &v, &n, NULL), SN_OK);
    if (key[0] == NULL) {
      assert_true(key[1] == NULL && key[2] == NULL);
      break;
    }
    assert_string_equal(key[0], key[1]);
    assert_string_equal(key[0], key[2]);
    assert_int_equal(m[0].rows, n);
    assert_int_equal(m[1].rows, n);
  }
  assert_true(n_utts > 0);
  for (int i = 0; i < 3; i++) sn_ark_reader_destroy(a[i]);
}

/* ---- Bad input ---- */

static void expect_bad(const char *text, size_t n, bool ints,
                       const char *part) {
  sn_reader *r = NULL;
  sn_ark_reader *a = NULL;
  sn_err err = {0};
  assert_int_equal(sn_reader_memory(text, n, "x.ark", &r, NULL), SN_OK);
  assert_int_equal(sn_ark_reader_on(r, &a, NULL), SN_OK);
  const char *key = NULL;
  const int32_t *v = NULL;
  sn_cmat m;
  const sn_status s = ints ? sn_ark_next_ints(a, &key, &v, &n, &err)
                           : sn_ark_next_mat(a, &key, &m, &err);
  if (s != SN_EFORMAT) fail_msg("status %s for %s", sn_status_name(s), part);
  assert_null(key);
  if (strstr(err.msg, part) == NULL) fail_msg("'%s': %s", part, err.msg);
  sn_ark_reader_destroy(a);
}

static void faults_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t n;
    bool ints;
    const char *part;
  } cases[] = {
      {"k  [\n 1 2\n 3 ]\n", 16, false, "x.ark:3: a row of 1 numbers"},
      {"k  [\n 1 2\n", 10, false, "cut short"},
      {"k  [\n 1 x ]\n", 12, false, "x.ark:2: 'x' is not a number"},
      {"k  [ 1 ] 2\n", 11, false, "behind ']'"},
      {"k 1 2 3\n", 8, false, "no matrix or vector"},
      {"k 1 2 x\n", 8, true, "x.ark:1: 'x' is not an integer"},
      {"k\n", 2, false, "'k' has nothing behind it"},
      {"k \0C", 4, false, "'B' was expected"},
      {"k \0BXM ", 7, false, "type 'XM'"},
      {"k \0BFM \4\1\0\0\0\4\2\0\0", 16, false, "1 more bytes"},
      {"k \0BFM \4\1\0\0\0\4\2\0\0\0", 17, false, "8 more bytes"},
      {"k \0BFM \4\xff\xff\xff\xff\4\2\0\0\0", 17, false, "-1 x 2"},
      {"k \0BFM \4\xff\xff\xff\x7f\4\2\0\0\0", 17, false, "cut short"},
      {"k \0BDM \4\xff\xff\xff\x7f\4\xff\xff\xff\x7f", 17, false, "2^63"},
      {"k \0BFM \5\1\0\0\0\4\2\0\0\0", 17, false, "4-byte integer"},
      {"k \0BCM \0\0\xc0\x7f\0\0\0\0\1\0\0\0\1\0\0\0", 23, false,
       "range is not finite"},
      {"k \0B\4\2\0\0\0\4\1\0\0\0", 14, false, "no matrix or vector"},
      {"k \0BFM \4", 8, true, "no integer vector"},
      {"\0\0\0\0", 4, false, "a key was expected"},
      {"k \0B\4\xff\xff\xff\xff", 9, true, "negative count"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    expect_bad(cases[i].text, cases[i].n, cases[i].ints, cases[i].part);
}

/* Reads all of it whichever way; the outcome does not matter. */
static void devour(const unsigned char *bytes, size_t n, bool ints) {
  sn_reader *r = NULL;
  sn_ark_reader *a = NULL;
  assert_int_equal(sn_reader_memory(bytes, n, "x", &r, NULL), SN_OK);
  assert_int_equal(sn_ark_reader_on(r, &a, NULL), SN_OK);
  const char *key = "";
  const int32_t *v = NULL;
  size_t n_ints = 0;
  sn_cmat m;
  sn_status s = SN_OK;
  while (s == SN_OK && key != NULL)
    s = ints ? sn_ark_next_ints(a, &key, &v, &n_ints, NULL)
             : sn_ark_next_mat(a, &key, &m, NULL);
  assert_true(s == SN_OK || s == SN_EFORMAT || s == SN_ELIMIT);
  sn_ark_reader_destroy(a);
}

static void altered_archives_never_crash_the_reader(void **state) {
  const fixture *const f = *state;
  float v[MAX_VALUES];
  fill(v, MAX_VALUES, 3);
  static const char *const heads[] = {"ark", "ark,t"};
  for (size_t h = 0; h < 2; h++) {
    char spec[256];
    sn_ark_writer *w = NULL;
    assert_int_equal(
        sn_ark_writer_open(spec_of(spec, heads[h], f->path[0], NULL), &w, NULL),
        SN_OK);
    for (int k = SN_ARK_MATRIX; k <= SN_ARK_VECTOR; k++)
      assert_int_equal(sn_ark_write_mat(w, "u", view(v, k < 3 ? 3 : 1, 2),
                                        (sn_ark_kind)k, NULL),
                       SN_OK);
    assert_int_equal(sn_ark_write_compressed(w, "u", view(v, 6, 2), 3, NULL),
                     SN_OK);
    assert_int_equal(sn_ark_write_compressed(w, "u", view(v, 6, 2), 5, NULL),
                     SN_OK);
    assert_int_equal(sn_ark_writer_commit(w, NULL), SN_OK);
    sn_ark_writer_destroy(w);
    char *bytes = NULL;
    size_t n = 0;
    assert_int_equal(sn_file_read(f->path[0], &bytes, &n, NULL), SN_OK);
    for (size_t i = 0; i < n; i++) {
      devour((unsigned char *)bytes, i, false);
      static const unsigned char flips[] = {0x01, 0x80, 0xff};
      for (size_t k = 0; k < sizeof flips; k++) {
        bytes[i] = (char)(bytes[i] ^ flips[k]);
        devour((unsigned char *)bytes, n, false);
        devour((unsigned char *)bytes, n, true);
        bytes[i] = (char)(bytes[i] ^ flips[k]);
      }
    }
    sn_free(bytes);
  }
}

static void scripts_refuse_what_they_cannot_do(void **state) {
  const fixture *const f = *state;
  static const struct {
    const char *line, *part;
  } cases[] = {{"k x.ark:5[0:10]", ":1: 'x.ark:5[0:10]': ranges of rows"},
               {"k gunzip -c x |", ":1: 'gunzip -c x |': commands are not run"},
               {"k", ":1: 'k' has no path"},
               {"k /does/not/exist:12", ":1: cannot open '/does/not/exist'"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    sn_writer *w = NULL;
    assert_int_equal(sn_writer_open(f->path[0], &w, NULL), SN_OK);
    assert_int_equal(sn_writef(w, NULL, "%s\n", cases[i].line), SN_OK);
    assert_int_equal(sn_writer_commit(w, NULL), SN_OK);
    sn_writer_destroy(w);
    char spec[256];
    sn_ark_reader *a = NULL;
    sn_err err = {0};
    const char *key = NULL;
    sn_cmat m;
    assert_int_equal(
        sn_ark_reader_open(spec_of(spec, "scp", f->path[0], NULL), &a, NULL),
        SN_OK);
    assert_int_not_equal(sn_ark_next_mat(a, &key, &m, &err), SN_OK);
    if (strstr(err.msg, cases[i].part) == NULL) fail_msg("%s", err.msg);
    sn_ark_reader_destroy(a);
  }
}

static void bad_specifiers_are_refused(void **state) {
  (void)state;
  static const char *const reads[] = {"ark,x:a", "ark:", "scp:", "ark:x |"};
  static const char *const writes[] = {"a",           "scp:a",     "ark,q:a",
                                       "ark:",        "ark,scp:a", "ark,scp:a,",
                                       "ark,scp:-,b", "ark:| gzip"};
  for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
    sn_ark_reader *a = NULL;
    assert_int_equal(sn_ark_reader_open(reads[i], &a, NULL), SN_EARG);
  }
  for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
    sn_ark_writer *w = NULL;
    assert_int_equal(sn_ark_writer_open(writes[i], &w, NULL), SN_EARG);
    assert_null(w);
  }
}

static void keys_with_blanks_are_refused(void **state) {
  const fixture *const f = *state;
  sn_ark_writer *w = NULL;
  char spec[256];
  const float v = 1;
  assert_int_equal(
      sn_ark_writer_open(spec_of(spec, "ark", f->path[0], NULL), &w, NULL),
      SN_OK);
  assert_int_equal(
      sn_ark_write_mat(w, "a b", view(&v, 1, 1), SN_ARK_MATRIX, NULL), SN_EARG);
  assert_int_equal(sn_ark_write_mat(w, "", view(&v, 1, 1), SN_ARK_MATRIX, NULL),
                   SN_EARG);
  sn_ark_writer_destroy(w);
}

static sn_status round_trip(const fixture *f, const float *v) {
  char spec[256];
  sn_ark_writer *w = NULL;
  sn_ark_reader *a = NULL;
  const char *key = NULL;
  sn_cmat m;
  sn_status s = sn_ark_writer_open(
      spec_of(spec, "ark,scp", f->path[0], f->path[1]), &w, NULL);
  if (s == SN_OK) s = sn_ark_write_compressed(w, "k", view(v, 9, 3), 2, NULL);
  if (s == SN_OK) s = sn_ark_writer_commit(w, NULL);
  sn_ark_writer_destroy(w);
  if (s == SN_OK)
    s = sn_ark_reader_open(spec_of(spec, "scp", f->path[1], NULL), &a, NULL);
  if (s == SN_OK) s = sn_ark_next_mat(a, &key, &m, NULL);
  sn_ark_reader_destroy(a);
  return s;
}

static void out_of_memory_anywhere_is_a_status(void **state) {
  const fixture *const f = *state;
  float v[MAX_VALUES];
  fill(v, MAX_VALUES, 4);
  const long before = sn_mem_live();
  long k = 0;
  for (;; k++) {
    sn_mem_fail_after(k);
    const sn_status s = round_trip(f, v);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    assert_int_equal(sn_mem_live(), before);
    if (!fired) {
      assert_int_equal(s, SN_OK);
      break;
    }
    assert_int_equal(s, SN_ENOMEM);
  }
  assert_true(k > 10);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(matrices_come_back_exactly_in_text_and_binary),
      TEST(integer_vectors_come_back_exactly),
      TEST(text_of_a_binary_vector_is_laid_out_as_by_kaldi),
      TEST(compressed_values_are_within_half_a_step),
      TEST(constant_matrices_survive_compression),
      TEST(what_is_not_finite_is_not_compressed),
      TEST(archives_of_kaldi_read_as_it_prints_them),
      TEST(compression_gives_the_bytes_that_kaldi_wrote),
      TEST(tables_of_a_real_recogniser_agree_in_length),
      TEST(faults_are_named),
      TEST(altered_archives_never_crash_the_reader),
      TEST(scripts_refuse_what_they_cannot_do),
      TEST(bad_specifiers_are_refused),
      TEST(keys_with_blanks_are_refused),
      TEST(out_of_memory_anywhere_is_a_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
