/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the pipeline share: recordings, running a stream over
 * samples cut in any way. */
#ifndef SN_TESTS_FEAT_SUPPORT_H
#define SN_TESTS_FEAT_SUPPORT_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "base/rng.h"
#include "frontend/feat.h"

#define MAYBE_UNUSED __attribute__((unused))
#define TESTDATA "/usr/share/pocketsphinx/test/data"
#define EN_US_PARAMS "/usr/share/pocketsphinx/model/en-us/en-us/feat.params"

#define ASSERT_OK(expr)                                       \
  do {                                                        \
    sn_err err_ = {0};                                        \
    if ((expr) != SN_OK) fail_msg("%s: %s", #expr, err_.msg); \
  } while (0)
#define E (&err_)

typedef struct pcm {
  float *x;
  size_t n;
} pcm;

/* 16-bit little-endian samples behind `skip` bytes; n == 0 and x == NULL when
 * there is no such file. */
MAYBE_UNUSED static pcm read_pcm(const char *path, long skip) {
  pcm p = {NULL, 0};
  FILE *f = fopen(path, "rb");
  if (f == NULL) return p;
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  const long size = ftell(f) - skip;
  assert_int_equal(fseek(f, skip, SEEK_SET), 0);
  p.n = (size_t)size / 2;
  p.x = calloc(p.n + 1, sizeof *p.x);
  assert_non_null(p.x);
  for (size_t i = 0; i < p.n; i++) {
    const int low = getc(f), high = getc(f);
    p.x[i] = (float)(int16_t)(uint16_t)(low | high << 8);
  }
  fclose(f);
  return p;
}

/* Bursts of a rich tone over faint noise. */
MAYBE_UNUSED static pcm make_pcm(size_t n, double rate_hz, uint64_t seed) {
  pcm p = {calloc(n + 1, sizeof(float)), n};
  assert_non_null(p.x);
  sn_rng rng;
  sn_rng_init(&rng, seed);
  double phase = 0;
  for (size_t i = 0; i < n; i++) {
    const double t = (double)i / rate_hz;
    phase += 2 * 3.14159265358979 * (130 + 50 * sin(3 * t)) / rate_hz;
    const double loud = fmax(0, sin(2.2 * t)) * 5000;
    double v = 0;
    for (int h = 1; h <= 9; h++) v += sin(h * phase) / h;
    p.x[i] = (float)floor(loud * v + 12 * sn_rng_gauss(&rng));
  }
  return p;
}

typedef struct features {
  sn_mat m; /* rows: frames */
  int64_t *positions;
} features;

MAYBE_UNUSED static void features_clear(features *f) {
  sn_mat_free(&f->m);
  free(f->positions);
}

/* Takes all that is ready behind what f has. */
MAYBE_UNUSED static void take_ready(sn_feat_stream *s, size_t dim,
                                    features *f) {
  const size_t ready = sn_feat_stream_ready(s), had = f->m.rows;
  sn_mat all;
  ASSERT_OK(sn_mat_alloc(had + ready + 1, dim, &all, E));
  all.rows = had + ready;
  if (had > 0) sn_mat_copy(sn_mat_const(f->m), sn_mat_rows(all, 0, had));
  f->positions =
      realloc(f->positions, (had + ready + 1) * sizeof *f->positions);
  assert_non_null(f->positions);
  size_t n;
  ASSERT_OK(sn_feat_stream_pull(s, sn_mat_rows(all, had, ready),
                                f->positions + had, &n, E));
  assert_int_equal(n, ready);
  sn_mat_free(&f->m);
  f->m = all;
}

/* Pushes p in chunks of at most max_chunk (0: all at once; drawn from rng
 * where there is one) and pulls now and then. */
MAYBE_UNUSED static features run_stream(sn_feat_stream *s, size_t dim, pcm p,
                                        size_t max_chunk, sn_rng *rng) {
  features f = {0};
  for (size_t i = 0; i < p.n;) {
    size_t n = max_chunk == 0 ? p.n : max_chunk;
    if (rng != NULL) n = 1 + sn_rng_below(rng, (uint32_t)n);
    if (n > p.n - i) n = p.n - i;
    ASSERT_OK(sn_feat_stream_push(s, p.x + i, n, E));
    if (rng == NULL || sn_rng_below(rng, 3) == 0) take_ready(s, dim, &f);
    i += n;
  }
  ASSERT_OK(sn_feat_stream_finish(s, E));
  take_ready(s, dim, &f);
  assert_true(sn_feat_stream_finished(s));
  return f;
}

/* "name=value" settings, ended by NULL, over a parameter file (or NULL). */
MAYBE_UNUSED static sn_feat *make_feat(sn_feat_dialect dialect,
                                       sn_feat_stage stage, const char *params,
                                       const char *const *settings) {
  sn_feat_config *c;
  sn_feat *f;
  ASSERT_OK(sn_feat_config_create(dialect, &c, E));
  if (params != NULL) ASSERT_OK(sn_feat_config_read_params(c, params, E));
  for (; settings != NULL && *settings != NULL; settings++) {
    char name[64];
    const char *eq = strchr(*settings, '=');
    snprintf(name, sizeof name, "%.*s", (int)(eq - *settings), *settings);
    ASSERT_OK(sn_feat_config_set(c, name, eq + 1, E));
  }
  ASSERT_OK(sn_feat_create(c, stage, &f, E));
  sn_feat_config_destroy(c);
  return f;
}

MAYBE_UNUSED static features run_feat(const sn_feat *f, pcm p) {
  sn_feat_stream *s;
  ASSERT_OK(sn_feat_stream_create(f, SN_CMN_DEFAULT, &s, E));
  features out = run_stream(s, sn_feat_dim(f), p, 0, NULL);
  sn_feat_stream_destroy(s);
  return out;
}

MAYBE_UNUSED static void assert_same_features(const features *a,
                                              const features *b,
                                              const char *what) {
  if (a->m.rows != b->m.rows)
    fail_msg("%s: %zu and %zu frames", what, a->m.rows, b->m.rows);
  for (size_t t = 0; t < a->m.rows; t++) {
    if (a->positions[t] != b->positions[t])
      fail_msg("%s: frame %zu at %lld and %lld", what, t,
               (long long)a->positions[t], (long long)b->positions[t]);
    if (memcmp(sn_mat_row(a->m, t), sn_mat_row(b->m, t),
               a->m.cols * sizeof(float)) != 0)
      fail_msg("%s: frame %zu differs", what, t);
  }
}
#endif
