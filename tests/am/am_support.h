/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of am/ share: Sphinx files made in memory, small models on
 * disk, whole files, directories that go away. */
#ifndef SN_TESTS_AM_AM_SUPPORT_H
#define SN_TESTS_AM_AM_SUPPORT_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "am/am.h"
#include "am/am_internal.h"
#include "am/sphinx_internal.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/ref/temp_path.h"

#define EN_US "/usr/share/pocketsphinx/model/en-us/en-us"
#define TESTDATA "/usr/share/pocketsphinx/test/data"

#define OK(expr)                                 \
  do {                                           \
    const sn_status ok_s_ = (expr);              \
    if (ok_s_ != SN_OK) fail_msg("%s", err.msg); \
  } while (0)

/* ---- Files in memory ---- */
typedef struct bytes {
  unsigned char *p;
  size_t n, cap;
  bool big_endian;
  uint32_t sum;
} bytes;

static inline void put(bytes *b, const void *data, size_t n) {
  if (b->n + n > b->cap) {
    b->cap = 2 * (b->n + n) + 64;
    b->p = realloc(b->p, b->cap);
    assert_non_null(b->p);
  }
  memcpy(b->p + b->n, data, n);
  b->n += n;
}

static inline void put_text(bytes *b, const char *s) { put(b, s, strlen(s)); }

static inline void put_u32(bytes *b, uint32_t v) {
  b->sum = (b->sum << 20 | b->sum >> 12) + v;
  if (b->big_endian) v = __builtin_bswap32(v);
  put(b, &v, 4);
}

static inline void put_u16(bytes *b, uint16_t v) {
  if (b->big_endian) v = (uint16_t)(v << 8 | v >> 8);
  put(b, &v, 2);
}

static inline void put_float(bytes *b, float f) {
  uint32_t v;
  memcpy(&v, &f, 4);
  put_u32(b, v);
}

static inline void put_s3_header(bytes *b, const char *version) {
  put_text(b, "s3\nversion ");
  put_text(b, version);
  put_text(b, "\nchksum0 yes\n     endhdr\n");
  put_u32(b, 0x11223344);
  b->sum = 0;
}

static inline void put_s3_end(bytes *b) { put_u32(b, b->sum); }

/* ---- Directories ---- */
static inline void make_dir(char *path, size_t n) {
  /* Many small models, each written with fsync: memory is faster. */
  const char *const tmp =
      access("/dev/shm", W_OK) == 0 ? "/dev/shm" : temp_dir();
  (void)snprintf(path, n, "%s/senone-am-XXXXXX", tmp);
  assert_non_null(mkdtemp(path));
}

/* path = dir/file. Copied by hand: gcc takes an snprintf that was inlined into
 * its callers for one that may overlap. */
static inline void in_dir(char *path, size_t n, const char *dir,
                          const char *file) {
  const size_t n_dir = strlen(dir), n_file = strlen(file);
  assert_true(n_dir + 1 + n_file < n);
  memmove(path, dir, n_dir);
  path[n_dir] = '/';
  memmove(path + n_dir + 1, file, n_file + 1);
}

/* The files a model or a Sphinx model may have. */
static inline void remove_dir(const char *dir) {
  static const char *const files[] = {"mdef",
                                      "means",
                                      "variances",
                                      "mixture_weights",
                                      "sendump",
                                      "senmgau",
                                      "transition_matrices",
                                      "noisedict",
                                      "am.bin",
                                      "model.ini",
                                      "feat.params",
                                      "feature_transform",
                                      "mdef.txt",
                                      "ids",
                                      "log"};
  char path[512];
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    in_dir(path, sizeof path, dir, files[i]);
    (void)remove(path);
  }
  (void)rmdir(dir);
}

static inline void write_file(const char *dir, const char *file,
                              const void *data, size_t n) {
  char path[512];
  in_dir(path, sizeof path, dir, file);
  FILE *const f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

/* Writes and forgets the bytes. */
static inline void write_bytes(const char *dir, const char *file, bytes *b) {
  write_file(dir, file, b->p, b->n);
  free(b->p);
  memset(b, 0, sizeof *b);
}

static inline void read_all(const char *dir, const char *file, char **data,
                            size_t *n) {
  char path[512];
  sn_err err = {0};
  in_dir(path, sizeof path, dir, file);
  OK(sn_file_read(path, data, n, &err));
}

static inline bool have(const char *path) { return access(path, R_OK) == 0; }

static inline void copy_file(const char *from, const char *to,
                             const char *file) {
  char path[512], *data = NULL;
  size_t n = 0;
  in_dir(path, sizeof path, from, file);
  if (!have(path)) return;
  read_all(from, file, &data, &n);
  write_file(to, file, data, n);
  sn_free(data);
}

/* ---- A small model: 4 phones (2 fillers), 3 states, 4 triphones, 15 senones,
 * 39 features ---- */
typedef struct toy {
  sn_am_kind kind;
  int n_streams; /* 1 or 3 */
  int n_gauss;
  bool big_endian, sendump, binary_mdef;
} toy;

enum { TOY_PHONES = 4, TOY_STATES = 3, TOY_PDFS = 15, TOY_TRIS = 4 };

typedef struct toy_phone {
  const char *base, *left, *right, *pos;
  int pdf[TOY_STATES];
} toy_phone;

static const toy_phone toy_phones[TOY_PHONES + TOY_TRIS] = {
    {"+NSN+", "-", "-", "-", {0, 1, 2}}, {"A", "-", "-", "-", {3, 4, 5}},
    {"B", "-", "-", "-", {6, 7, 8}},     {"SIL", "-", "-", "-", {9, 10, 11}},
    {"A", "B", "B", "i", {12, 4, 5}},    {"A", "SIL", "B", "b", {12, 13, 5}},
    {"B", "A", "SIL", "e", {6, 14, 8}},  {"B", "A", "A", "s", {6, 14, 8}}};

static inline int toy_codebooks(const toy *t) {
  return t->kind == SN_AM_SEMI  ? 1
         : t->kind == SN_AM_PTM ? TOY_PHONES
                                : TOY_PDFS;
}

static inline int toy_index(const char *name) {
  for (int i = 0; i < TOY_PHONES; i++)
    if (strcmp(toy_phones[i].base, name) == 0) return i;
  return -1;
}

static inline bytes toy_mdef_text(void) {
  bytes b = {0};
  char line[128];
  put_text(&b,
           "# a comment\n0.3\n4 n_base\n4 n_tri\n32 n_state_map\n15 "
           "n_tied_state\n12 n_tied_ci_state\n4 n_tied_tmat\n#\n");
  for (int i = 0; i < TOY_PHONES + TOY_TRIS; i++) {
    const toy_phone *const p = &toy_phones[i];
    const int base = toy_index(p->base);
    (void)snprintf(line, sizeof line, "%5s %3s %3s %s %6s %d %d %d %d N\n",
                   p->base, p->left, p->right, p->pos,
                   base == 0 || base == 3 ? "filler" : "n/a", base, p->pdf[0],
                   p->pdf[1], p->pdf[2]);
    put_text(&b, line);
  }
  return b;
}

/* The context tree is left empty but for its size: readers that take the
 * triphones from the phones do not look at it. */
static inline bytes toy_mdef_binary(bool big_endian) {
  bytes b = {.big_endian = big_endian};
  put_text(&b, big_endian ? "FDMB" : "BMDF");
  put_u32(&b, 1);
  put_u32(&b, 8);
  put(&b, "format\n", 8);
  const uint32_t head[] = {4, 8, 3, 12, 15, 4, 8, 3, 2, 3};
  for (int i = 0; i < 10; i++) put_u32(&b, head[i]);
  put(&b, "+NSN+\0A\0B\0SIL\0\0", 16); /* 14 and padding */
  for (int i = 0; i < 4; i++) put_u32(&b, 0);
  for (int i = 0; i < TOY_PHONES + TOY_TRIS; i++) {
    const toy_phone *const p = &toy_phones[i];
    const int base = toy_index(p->base);
    unsigned char a[4] = {base == 0 || base == 3, 0, 0, 0};
    if (i >= TOY_PHONES) {
      a[0] = (unsigned char)(strchr("ibes", p->pos[0]) - "ibes");
      a[0] = p->pos[0] == 'i'   ? 0
             : p->pos[0] == 'b' ? 1
             : p->pos[0] == 'e' ? 2
                                : 3;
      a[1] = (unsigned char)base;
      a[2] = (unsigned char)toy_index(p->left);
      a[3] = (unsigned char)toy_index(p->right);
    }
    put_u32(&b, (uint32_t)i);
    put_u32(&b, (uint32_t)base);
    put(&b, a, 4);
  }
  put_u32(&b, (TOY_PHONES + TOY_TRIS) * TOY_STATES);
  for (int i = 0; i < TOY_PHONES + TOY_TRIS; i++)
    for (int s = 0; s < TOY_STATES; s++)
      put_u16(&b, (uint16_t)toy_phones[i].pdf[s]);
  return b;
}

static inline bytes toy_gauss(const toy *t, bool vars) {
  bytes b = {.big_endian = t->big_endian};
  sn_rng r;
  sn_rng_init(&r, vars ? 2 : 1);
  const int n = toy_codebooks(t) * t->n_gauss * 39;
  put_s3_header(&b, "1.0");
  put_u32(&b, (uint32_t)toy_codebooks(t));
  put_u32(&b, (uint32_t)t->n_streams);
  put_u32(&b, (uint32_t)t->n_gauss);
  for (int k = 0; k < t->n_streams; k++)
    put_u32(&b, (uint32_t)(39 / t->n_streams));
  put_u32(&b, (uint32_t)n);
  for (int i = 0; i < n; i++)
    put_float(&b, vars ? (float)(0.2 + 4 * sn_rng_uniform(&r))
                       : (float)sn_rng_gauss(&r));
  put_s3_end(&b);
  return b;
}

static inline bytes toy_mixw(const toy *t) {
  bytes b = {.big_endian = t->big_endian};
  sn_rng r;
  sn_rng_init(&r, 3);
  const int n = TOY_PDFS * t->n_streams * t->n_gauss;
  put_s3_header(&b, "1.0");
  put_u32(&b, TOY_PDFS);
  put_u32(&b, (uint32_t)t->n_streams);
  put_u32(&b, (uint32_t)t->n_gauss);
  put_u32(&b, (uint32_t)n);
  for (int i = 0; i < n; i++) put_float(&b, (float)(100 * sn_rng_uniform(&r)));
  put_s3_end(&b);
  return b;
}

static inline bytes toy_tmat(bool big_endian) {
  bytes b = {.big_endian = big_endian};
  put_s3_header(&b, "1.0");
  put_u32(&b, 4);
  put_u32(&b, 3);
  put_u32(&b, 4);
  put_u32(&b, 48);
  for (int m = 0; m < 4; m++)
    for (int i = 0; i < 3; i++)
      for (int j = 0; j < 4; j++)
        put_float(&b, j == i ? 30.0f : j == i + 1 ? 10.0f : 0.0f);
  put_s3_end(&b);
  return b;
}

static inline void put_string(bytes *b, const char *s) {
  put_u32(b, (uint32_t)strlen(s) + 1);
  put(b, s, strlen(s) + 1);
}

/* clusters: 0, or 15 codes of 4 bits. */
static inline bytes toy_sendump(const toy *t, int clusters) {
  bytes b = {.big_endian = t->big_endian};
  char text[64];
  sn_rng r;
  sn_rng_init(&r, 4);
  put_string(&b, "a title");
  put_string(&b, "a header");
  (void)snprintf(text, sizeof text, "feature_count %d", t->n_streams);
  put_string(&b, text);
  (void)snprintf(text, sizeof text, "cluster_count %d", clusters);
  put_string(&b, text);
  if (clusters > 0) put_string(&b, "cluster_bits 4");
  put_u32(&b, 0);
  const int cols = clusters > 0 ? (TOY_PDFS + 1) / 2 : 16; /* padded */
  if (clusters == 0) {
    put_u32(&b, (uint32_t)t->n_gauss);
    put_u32(&b, 16);
  } else {
    for (int i = 0; i < 16; i++) {
      const unsigned char code = (unsigned char)(10 * i);
      put(&b, &code, 1);
    }
  }
  for (int i = 0; i < t->n_streams * t->n_gauss * cols; i++) {
    const unsigned char w =
        (unsigned char)sn_rng_below(&r, clusters > 0 ? 256 : 160);
    put(&b, &w, 1);
  }
  return b;
}

static inline void toy_write(const toy *t, const char *dir) {
  bytes b = t->binary_mdef ? toy_mdef_binary(t->big_endian) : toy_mdef_text();
  write_bytes(dir, "mdef", &b);
  b = toy_gauss(t, false);
  write_bytes(dir, "means", &b);
  b = toy_gauss(t, true);
  write_bytes(dir, "variances", &b);
  b = toy_tmat(t->big_endian);
  write_bytes(dir, "transition_matrices", &b);
  b = t->sendump ? toy_sendump(t, 0) : toy_mixw(t);
  write_bytes(dir, t->sendump ? "sendump" : "mixture_weights", &b);
  const char *const params =
      t->n_streams == 3
          ? "-feat 1s_c_d_dd\n-cmn none\n-svspec 0-12/13-25/26-38\n"
          : "-feat 1s_c_d_dd\n-cmn none\n";
  write_file(dir, "feat.params", params, strlen(params));
  static const char noise[] = "<s> SIL\n</s> SIL\n<sil> SIL\n++N++ +NSN+\n";
  write_file(dir, "noisedict", noise, sizeof noise - 1);
}

/* The model of a toy, loaded; the directories are gone again. */
static inline sn_am *toy_load(const toy *t) {
  char from[256], to[256];
  sn_err err = {0};
  sn_am *am = NULL;
  make_dir(from, sizeof from);
  make_dir(to, sizeof to);
  toy_write(t, from);
  OK(sn_am_import_sphinx(from, to, NULL, NULL, &err));
  OK(sn_am_load(to, NULL, &am, &err));
  remove_dir(from);
  remove_dir(to);
  return am;
}

static inline sn_am *import_and_load(const char *sphinx_dir) {
  char to[256];
  sn_err err = {0};
  sn_am *am = NULL;
  make_dir(to, sizeof to);
  OK(sn_am_import_sphinx(sphinx_dir, to, NULL, NULL, &err));
  OK(sn_am_load(to, NULL, &am, &err));
  remove_dir(to);
  return am;
}

/* Final features of a recording (wav with a 44-byte header, or raw). */
static inline sn_mat features_of(const sn_am *am, const char *path) {
  sn_err err = {0};
  char *data = NULL;
  size_t n = 0;
  OK(sn_file_read(path, &data, &n, &err));
  const size_t skip = strstr(path, ".wav") != NULL ? 44 : 0;
  const size_t n_samples = (n - skip) / 2;
  float *const x = calloc(n_samples + 1, sizeof *x);
  for (size_t i = 0; i < n_samples; i++) {
    int16_t v;
    memcpy(&v, data + skip + 2 * i, 2);
    x[i] = (float)v;
  }
  sn_feat *plan = NULL;
  sn_feat_stream *s = NULL;
  OK(sn_feat_create(sn_am_feat(am), SN_FEAT_FULL, &plan, &err));
  OK(sn_feat_stream_create(plan, SN_CMN_BATCH, &s, &err));
  OK(sn_feat_stream_push(s, x, n_samples, &err));
  OK(sn_feat_stream_finish(s, &err));
  sn_mat out;
  OK(sn_mat_alloc(sn_feat_stream_ready(s), sn_feat_dim(plan), &out, &err));
  size_t got = 0;
  OK(sn_feat_stream_pull(s, out, NULL, &got, &err));
  assert_int_equal(got, out.rows);
  sn_feat_stream_destroy(s);
  sn_feat_destroy(plan);
  free(x);
  sn_free(data);
  return out;
}
#endif
