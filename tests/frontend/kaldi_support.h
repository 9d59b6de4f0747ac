/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the kaldi dialect share: signals, reference files, running
 * an extractor over samples cut in any way. */
#ifndef SN_TESTS_KALDI_SUPPORT_H
#define SN_TESTS_KALDI_SUPPORT_H
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

#include "base/mat.h"
#include "base/mem.h"
#include "base/rng.h"
#include "frontend/kaldi_opts_internal.h"

/* Marks helpers that not every test program calls. */
#define MAYBE_UNUSED __attribute__((unused))

typedef struct signal {
  float *x;
  size_t n;
} signal;

/* Bursts of a rich tone, glides, noise and silence: every branch sees some. */
MAYBE_UNUSED static signal make_signal(size_t n, double rate_hz,
                                       uint64_t seed) {
  signal s = {calloc(n > 0 ? n : 1, sizeof(float)), n};
  assert_non_null(s.x);
  sn_rng rng;
  sn_rng_init(&rng, seed);
  double phase = 0.0;
  for (size_t i = 0; i < n; i++) {
    const double t = (double)i / rate_hz;
    const double hz = 120.0 + 60.0 * sin(3.0 * t);
    phase += 2.0 * 3.14159265358979 * hz / rate_hz;
    const double loud = fmax(0.0, sin(7.0 * t)) * 4000.0;
    double v = 0.0;
    for (int h = 1; h <= 8; h++) v += sin(h * phase) / h;
    s.x[i] = (float)floor(loud * v + 20.0 * sn_rng_gauss(&rng));
  }
  return s;
}

MAYBE_UNUSED static sni_kaldi_opts default_opts(sni_kaldi_kind kind) {
  sni_kaldi_opts o;
  memset(&o, 0, sizeof o);
  sn_opt_defaults(sni_kaldi_opt_table, &o);
  o.kind = (int32_t)kind;
  return o;
}

MAYBE_UNUSED static void set_opt(sni_kaldi_opts *o, const char *name,
                                 const char *text) {
  sn_err err = {0};
  const sn_status s = sn_opt_set(sni_kaldi_opt_table, o, name, text, &err);
  if (s != SN_OK) fail_msg("%s=%s: %s", name, text, err.msg);
}

MAYBE_UNUSED static sni_kaldi_plan *make_plan(const sni_kaldi_opts *o) {
  sn_err err = {0};
  sni_kaldi_plan *p = NULL;
  if (sni_kaldi_plan_create_opts(o, &p, &err) != SN_OK) fail_msg("%s", err.msg);
  return p;
}

MAYBE_UNUSED static sni_extractor *make_extractor(const sni_kaldi_plan *p) {
  sn_err err = {0};
  sni_extractor *x = NULL;
  if (sni_kaldi_extractor_create(p, &x, &err) != SN_OK) fail_msg("%s", err.msg);
  assert_int_equal(x->dim, sni_kaldi_plan_dim(p));
  return x;
}

/* Frames pulled so far, growing. */
typedef struct frames {
  float *data; /* [n x dim] */
  int64_t *pos;
  size_t n, dim;
} frames;

MAYBE_UNUSED static void frames_free(frames *f) {
  free(f->data);
  free(f->pos);
  f->data = NULL;
  f->pos = NULL;
}

MAYBE_UNUSED static void pull_all(sni_extractor *x, frames *f) {
  size_t k = x->ops->n_ready(x);
  f->dim = x->dim;
  f->data = realloc(f->data, (f->n + k + 1) * f->dim * sizeof(float));
  f->pos = realloc(f->pos, (f->n + k + 1) * sizeof *f->pos);
  assert_non_null(f->data);
  assert_non_null(f->pos);
  for (; k > 0; k--, f->n++)
    x->ops->pull(x, f->data + f->n * f->dim, &f->pos[f->n]);
}

/* All frames of s, pushed in pieces of 0 to max_chunk samples (0: at once) and
 * pulled now and then. */
MAYBE_UNUSED static frames run_extractor(sni_extractor *x, signal s,
                                         size_t max_chunk, uint64_t seed) {
  frames f = {0};
  sn_err err = {0};
  sn_rng rng;
  sn_rng_init(&rng, seed);
  for (size_t at = 0; at < s.n;) {
    size_t n = s.n - at;
    if (max_chunk > 0) {
      const size_t k = sn_rng_below(&rng, (uint32_t)max_chunk + 1);
      if (k < n) n = k;
    }
    assert_int_equal(x->ops->push(x, s.x + at, n, &err), SN_OK);
    at += n;
    if (sn_rng_below(&rng, 3) > 0) pull_all(x, &f);
  }
  assert_int_equal(x->ops->finish(x, &err), SN_OK);
  pull_all(x, &f);
  return f;
}

MAYBE_UNUSED static frames extract(const sni_kaldi_opts *o, signal s) {
  sni_kaldi_plan *p = make_plan(o);
  sni_extractor *x = make_extractor(p);
  frames f = run_extractor(x, s, 0, 1);
  x->ops->destroy(x);
  sni_kaldi_plan_destroy(p);
  return f;
}

MAYBE_UNUSED static void assert_same_frames(const frames *a, const frames *b) {
  assert_int_equal(a->n, b->n);
  assert_int_equal(a->dim, b->dim);
  for (size_t i = 0; i < a->n && a->pos != NULL; i++)
    assert_int_equal(a->pos[i], b->pos[i]);
  if (a->n > 0) /* bit for bit */
    assert_memory_equal(a->data, b->data, a->n * a->dim * sizeof(float));
}

/* Frames for any chunking are those of one push, also after a reset. */
MAYBE_UNUSED static void check_chunking(const sni_kaldi_opts *o, signal s) {
  sni_kaldi_plan *p = make_plan(o);
  sni_extractor *x = make_extractor(p);
  frames whole = run_extractor(x, s, 0, 1);
  const size_t chunks[] = {1, 7, 160, 1000, 40000};
  for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
    if (chunks[i] == 1 && s.n > 20000) continue; /* time */
    x->ops->reset(x, i % 2 == 0);
    frames cut = run_extractor(x, s, chunks[i], 77 + i);
    assert_same_frames(&whole, &cut);
    frames_free(&cut);
  }
  frames_free(&whole);
  x->ops->destroy(x);
  sni_kaldi_plan_destroy(p);
}

/* Fails the 1st, 2nd, ... allocation of plan, stream and a run until one run
 * goes through; nothing may leak. */
MAYBE_UNUSED static void check_out_of_memory(const sni_kaldi_opts *o,
                                             signal s) {
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    assert_true(k < 1000);
    sn_err err = {0};
    sni_kaldi_plan *p = NULL;
    sni_extractor *x = NULL;
    sn_mem_fail_after(k);
    sn_status st = sni_kaldi_plan_create_opts(o, &p, &err);
    if (st == SN_OK) st = sni_kaldi_extractor_create(p, &x, &err);
    if (st == SN_OK) st = x->ops->push(x, s.x, s.n, &err);
    if (st == SN_OK) st = x->ops->finish(x, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    if (x != NULL) x->ops->destroy(x);
    sni_kaldi_plan_destroy(p);
    assert_int_equal(sn_mem_live(), live);
    assert_int_equal(st, fired ? SN_ENOMEM : SN_OK);
    if (fired) assert_non_null(strstr(err.msg, "memory"));
    if (!fired) break;
  }
}

/* ---- Reference files ---- */

/* $SENONE_SHARED/reference/kaldi-feats/NAME, or beside the repository. */
MAYBE_UNUSED static FILE *open_reference(const char *name) {
  char path[1024];
  const char *dir = getenv("SENONE_SHARED");
  snprintf(path, sizeof path, "%s/reference/kaldi-feats/%s",
           dir != NULL ? dir : "../shared", name);
  return fopen(path, "rb");
}

MAYBE_UNUSED static bool have_reference(void) {
  FILE *f = open_reference("README.txt");
  if (f != NULL) fclose(f);
  return f != NULL;
}

/* "key  [ rows ]", one line a row. */
MAYBE_UNUSED static frames read_text_matrix(const char *name) {
  FILE *f = open_reference(name);
  if (f == NULL) fail_msg("%s is missing", name);
  frames m = {0};
  size_t n = 0, cap = 0, in_row = 0;
  int c = 0;
  while ((c = fgetc(f)) != EOF && c != '[') continue;
  for (double v = 0.0; (c = fgetc(f)) != EOF && c != ']';) {
    if (c == '\n' && in_row > 0) {
      if (m.dim == 0) m.dim = in_row;
      assert_int_equal(m.dim, in_row);
      m.n++;
      in_row = 0;
    }
    if (c == '\n' || c == ' ') continue;
    ungetc(c, f);
    assert_int_equal(fscanf(f, "%lf", &v), 1);
    if (n == cap) {
      cap = 2 * cap + 1024;
      m.data = realloc(m.data, cap * sizeof(float));
      assert_non_null(m.data);
    }
    m.data[n++] = (float)v;
    in_row++;
  }
  if (in_row > 0) m.n++; /* the last row ends at "]" */
  if (m.dim == 0) m.dim = in_row;
  fclose(f);
  assert_int_equal(n, m.n * m.dim);
  return m;
}

/* 16-bit mono PCM; *rate_hz from the header. */
MAYBE_UNUSED static signal read_wav(const char *name, double *rate_hz) {
  FILE *f = open_reference(name);
  if (f == NULL) fail_msg("%s is missing", name);
  unsigned char h[44];
  assert_int_equal(fread(h, 1, 44, f), 44);
  assert_memory_equal(h + 36, "data", 4);
  *rate_hz = h[24] + 256.0 * h[25] + 65536.0 * h[26];
  const size_t n =
      (h[40] + 256u * h[41] + 65536u * h[42] + 16777216u * h[43]) / 2;
  signal s = {calloc(n, sizeof(float)), n};
  for (size_t i = 0; i < n; i++) {
    unsigned char b[2];
    assert_int_equal(fread(b, 1, 2, f), 2);
    s.x[i] = (float)(int16_t)(b[0] | b[1] << 8);
  }
  fclose(f);
  return s;
}

MAYBE_UNUSED static sn_cmat view(const frames *f) {
  const sn_cmat m = {f->data, f->n, f->dim, f->dim};
  return m;
}

MAYBE_UNUSED static frames make_frames_like(size_t n, size_t dim) {
  frames f = {calloc(n * dim + 1, sizeof(float)), NULL, n, dim};
  assert_non_null(f.data);
  return f;
}

MAYBE_UNUSED static sn_mat mview(const frames *f) {
  const sn_mat m = {f->data, f->n, f->dim, f->dim};
  return m;
}

/* Largest absolute difference; same shape asserted. */
MAYBE_UNUSED static double max_difference(const frames *a, const frames *b) {
  assert_int_equal(a->n, b->n);
  assert_int_equal(a->dim, b->dim);
  double worst = 0.0;
  for (size_t i = 0; i < a->n * a->dim; i++) {
    assert_true(isfinite(a->data[i]));
    worst = fmax(worst, fabs((double)a->data[i] - (double)b->data[i]));
  }
  return worst;
}
#endif
