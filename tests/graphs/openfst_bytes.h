/* SPDX-License-Identifier: Apache-2.0 */
/* tests/graphs/openfst_bytes.h - OpenFst files in memory, byte by byte as
 * fst/fst.h, vector-fst.h and const-fst.h of OpenFst 1.7.9 describe them. */
#ifndef SN_TESTS_GRAPHS_OPENFST_BYTES_H
#define SN_TESTS_GRAPHS_OPENFST_BYTES_H
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct fst_arc {
  int32_t from, input, output;
  float cost;
  int32_t next;
} fst_arc;

typedef struct fst_shape {
  const float *finals;
  int32_t n_states, start;
  const fst_arc *arcs; /* by `from` */
  int32_t n_arcs;
} fst_shape;

typedef struct fst_bytes {
  unsigned char *data; /* [FST_MAX_BYTES] to be freed */
  size_t n;
} fst_bytes;

enum { FST_MAX_BYTES = 1 << 16 };

static inline void fst_put(fst_bytes *b, const void *x, size_t n) {
  if (b->n + n > FST_MAX_BYTES) abort();
  memcpy(b->data + b->n, x, n);
  b->n += n;
}
static inline void fst_i32(fst_bytes *b, int32_t x) {
  fst_put(b, &x, sizeof x);
}
static inline void fst_i64(fst_bytes *b, int64_t x) {
  fst_put(b, &x, sizeof x);
}
static inline void fst_f32(fst_bytes *b, float x) { fst_put(b, &x, sizeof x); }
static inline void fst_text(fst_bytes *b, const char *s) {
  fst_i32(b, (int32_t)strlen(s));
  fst_put(b, s, strlen(s));
}

static inline void fst_symbols(fst_bytes *b) {
  fst_i32(b, 2125658996);
  fst_text(b, "names");
  fst_i64(b, 2); /* next free key */
  fst_i64(b, 2);
  fst_text(b, "<eps>");
  fst_i64(b, 0);
  fst_text(b, "one");
  fst_i64(b, 1);
}

static inline void fst_align(fst_bytes *b, int flags) {
  while ((flags & 4) != 0 && b->n % 16 != 0) fst_put(b, "", 1);
}

static inline int32_t fst_n_arcs(const fst_shape *f, int32_t s) {
  int32_t n = 0;
  for (int32_t i = 0; i < f->n_arcs; i++) n += f->arcs[i].from == s;
  return n;
}

static inline void fst_arcs(fst_bytes *b, const fst_shape *f, int32_t s) {
  for (int32_t i = 0; i < f->n_arcs; i++) {
    if (f->arcs[i].from != s) continue;
    fst_i32(b, f->arcs[i].input);
    fst_i32(b, f->arcs[i].output);
    fst_f32(b, f->arcs[i].cost);
    fst_i32(b, f->arcs[i].next);
  }
}

/* flags: 1, 2: with symbol tables; 4: aligned */
static inline fst_bytes fst_write(const fst_shape *f, bool is_const,
                                  int flags) {
  fst_bytes b = {malloc(FST_MAX_BYTES), 0};
  if (b.data == NULL) abort();
  fst_i32(&b, 2125659606);
  fst_text(&b, is_const ? "const" : "vector");
  fst_text(&b, "standard");
  fst_i32(&b, 2); /* version */
  fst_i32(&b, flags);
  fst_i64(&b, 3); /* properties */
  fst_i64(&b, f->start);
  fst_i64(&b, f->n_states);
  fst_i64(&b, f->n_arcs);
  if ((flags & 1) != 0) fst_symbols(&b);
  if ((flags & 2) != 0) fst_symbols(&b);
  int32_t first = 0;
  if (is_const) fst_align(&b, flags);
  for (int32_t s = 0; s < f->n_states; s++) {
    const int32_t n = fst_n_arcs(f, s);
    fst_f32(&b, f->finals[s]);
    if (is_const) {
      fst_i32(&b, first);
      fst_i32(&b, n);
      fst_i32(&b, 0);
      fst_i32(&b, 0);
      first += n;
    } else {
      fst_i64(&b, n);
      fst_arcs(&b, f, s);
    }
  }
  if (!is_const) return b;
  fst_align(&b, flags);
  for (int32_t s = 0; s < f->n_states; s++) fst_arcs(&b, f, s);
  return b;
}
#endif
