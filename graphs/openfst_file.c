/* SPDX-License-Identifier: Apache-2.0 */
/* OpenFst's binary files.
 *
 * Header: magic i32, type and arc type as i32 length + bytes, version i32,
 * flags i32 (1, 2: input and output symbols follow; 4: aligned), properties
 * u64, start i64, states i64, arcs i64.
 * "vector": for each state its final cost f32, its number of arcs i64, the
 * arcs (input i32, output i32, cost f32, next i32).
 * "const": all states (final cost f32, first arc u32, arcs u32, input epsilons
 * u32, output epsilons u32), then all arcs; each array at a multiple of 16
 * bytes of the file where aligned. */
#include "graphs/openfst_file.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define FST_MAGIC 2125659606
#define SYMBOLS_MAGIC 2125658996
#define HAS_INPUT_SYMBOLS 1
#define HAS_OUTPUT_SYMBOLS 2
#define IS_ALIGNED 4
#define ALIGN_BYTES 16

typedef struct header {
  char type[32];
  int32_t version, flags;
  int64_t start, n_states, n_arcs;
} header;

static sn_status bad(const sn_reader *r, sn_err *err, const char *field,
                     int64_t value) {
  return sn_fail(err, SN_EFORMAT, "%s: byte %lld: OpenFst file: %s is %lld",
                 sn_reader_name(r), (long long)sn_reader_offset(r), field,
                 (long long)value);
}

static sn_status get(sn_reader *r, void *to, size_t n, sn_err *err) {
  return sn_read_bytes(r, to, n, err);
}

static sn_status skip(sn_reader *r, int64_t n, sn_err *err) {
  char buffer[512];
  while (n > 0) {
    const size_t step = n < (int64_t)sizeof buffer ? (size_t)n : sizeof buffer;
    SN_TRY(get(r, buffer, step, err));
    n -= (int64_t)step;
  }
  return SN_OK;
}

static sn_status read_name(sn_reader *r, char name[32], sn_err *err) {
  int32_t n = 0;
  SN_TRY(get(r, &n, sizeof n, err));
  if (n < 0 || n > 31) return bad(r, err, "length of a type name", n);
  SN_TRY(get(r, name, (size_t)n, err));
  name[n] = '\0';
  return SN_OK;
}

static sn_status skip_symbols(sn_reader *r, sn_err *err) {
  int32_t magic = 0, n = 0;
  int64_t available = 0, size = 0, key = 0;
  SN_TRY(get(r, &magic, sizeof magic, err));
  if (magic != SYMBOLS_MAGIC) return bad(r, err, "magic of symbols", magic);
  SN_TRY(get(r, &n, sizeof n, err));
  if (n < 0) return bad(r, err, "length of a name", n);
  SN_TRY(skip(r, n, err));
  SN_TRY(get(r, &available, sizeof available, err));
  SN_TRY(get(r, &size, sizeof size, err));
  if (size < 0) return bad(r, err, "number of symbols", size);
  for (int64_t i = 0; i < size; i++) {
    SN_TRY(get(r, &n, sizeof n, err));
    if (n < 0) return bad(r, err, "length of a symbol", n);
    SN_TRY(skip(r, n, err));
    SN_TRY(get(r, &key, sizeof key, err));
  }
  return SN_OK;
}

static sn_status read_header(sn_reader *r, header *h, sn_err *err) {
  int32_t magic = 0;
  uint64_t properties = 0;
  char arc[32];
  SN_TRY(get(r, &magic, sizeof magic, err));
  if (magic != FST_MAGIC)
    return sn_fail(err, SN_EFORMAT,
                   "%s: not an OpenFst file (its magic number is missing)",
                   sn_reader_name(r));
  SN_TRY(read_name(r, h->type, err));
  SN_TRY(read_name(r, arc, err));
  SN_TRY(get(r, &h->version, sizeof h->version, err));
  SN_TRY(get(r, &h->flags, sizeof h->flags, err));
  SN_TRY(get(r, &properties, sizeof properties, err));
  SN_TRY(get(r, &h->start, sizeof h->start, err));
  SN_TRY(get(r, &h->n_states, sizeof h->n_states, err));
  SN_TRY(get(r, &h->n_arcs, sizeof h->n_arcs, err));
  if (strcmp(arc, "standard") != 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: arcs of type '%s'; expected 'standard' (convert with "
                   "fstmap --map_type=to_standard)",
                   sn_reader_name(r), arc);
  if (strcmp(h->type, "vector") != 0 && strcmp(h->type, "const") != 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: type '%s'; expected 'vector' or 'const' (convert with "
                   "fstconvert)",
                   sn_reader_name(r), h->type);
  if (h->version < 1 || h->version > 2)
    return bad(r, err, "version", h->version);
  if (h->n_states < 0 || h->n_states > INT32_MAX - 1)
    return bad(r, err, "number of states", h->n_states);
  if (h->start < -1 || h->start >= h->n_states)
    return bad(r, err, "start state", h->start);
  if ((h->flags & HAS_INPUT_SYMBOLS) != 0) SN_TRY(skip_symbols(r, err));
  if ((h->flags & HAS_OUTPUT_SYMBOLS) != 0) SN_TRY(skip_symbols(r, err));
  return SN_OK;
}

static sn_status read_arc(sn_reader *r, const header *h, sn_fst_file *out,
                          sn_err *err) {
  sn_fst_file_arc a;
  SN_TRY(get(r, &a, sizeof a, err));
  if (a.next < 0 || a.next >= h->n_states)
    return bad(r, err, "next state", a.next);
  if (a.input < 0 || a.output < 0)
    return bad(r, err, "label", a.input < 0 ? a.input : a.output);
  if (!(a.cost > -INFINITY))
    return sn_fail(err, SN_EFORMAT, "%s: byte %lld: OpenFst file: cost is %g",
                   sn_reader_name(r), (long long)sn_reader_offset(r),
                   (double)a.cost);
  return SN_ARR_PUSH(&out->arcs, a, err);
}

static sn_status add_state(sn_reader *r, float final_cost, int64_t first,
                           sn_fst_file *out, sn_err *err) {
  if (!(final_cost > -INFINITY))
    return sn_fail(
        err, SN_EFORMAT, "%s: byte %lld: OpenFst file: final cost is %g",
        sn_reader_name(r), (long long)sn_reader_offset(r), (double)final_cost);
  SN_TRY(SN_ARR_PUSH(&out->finals, final_cost, err));
  return SN_ARR_PUSH(&out->first, first, err);
}

static sn_status read_vector(sn_reader *r, const header *h, sn_fst_file *out,
                             sn_err *err) {
  for (int64_t s = 0; s < h->n_states; s++) {
    float final_cost = 0.0f;
    int64_t n = 0;
    SN_TRY(get(r, &final_cost, sizeof final_cost, err));
    SN_TRY(get(r, &n, sizeof n, err));
    if (n < 0) return bad(r, err, "number of arcs", n);
    SN_TRY(add_state(r, final_cost, (int64_t)out->arcs.n, out, err));
    for (int64_t i = 0; i < n; i++) SN_TRY(read_arc(r, h, out, err));
  }
  return SN_OK;
}

static sn_status align(sn_reader *r, const header *h, sn_err *err) {
  if ((h->flags & IS_ALIGNED) == 0 && h->version != 1) return SN_OK;
  const int64_t over = sn_reader_offset(r) % ALIGN_BYTES;
  return over == 0 ? SN_OK : skip(r, ALIGN_BYTES - over, err);
}

typedef struct const_state {
  float final_cost;
  uint32_t first, n_arcs, n_input_eps, n_output_eps;
} const_state;

static sn_status read_const(sn_reader *r, const header *h, sn_fst_file *out,
                            sn_err *err) {
  int64_t total = 0;
  SN_TRY(align(r, h, err));
  for (int64_t s = 0; s < h->n_states; s++) {
    const_state x;
    SN_TRY(get(r, &x, sizeof x, err));
    if ((int64_t)x.first != total) return bad(r, err, "first arc", x.first);
    SN_TRY(add_state(r, x.final_cost, total, out, err));
    total += x.n_arcs;
  }
  if (total != h->n_arcs) return bad(r, err, "number of arcs", total);
  SN_TRY(align(r, h, err));
  for (int64_t i = 0; i < total; i++) SN_TRY(read_arc(r, h, out, err));
  return SN_OK;
}

sn_status sn_fst_file_read(sn_reader *r, sn_fst_file *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  header h = {0};
  SN_TRY(read_header(r, &h, err));
  sn_status s = strcmp(h.type, "vector") == 0 ? read_vector(r, &h, out, err)
                                              : read_const(r, &h, out, err);
  if (s == SN_OK) s = SN_ARR_PUSH(&out->first, (int64_t)out->arcs.n, err);
  if (s != SN_OK) {
    sn_fst_file_clear(out);
    return s;
  }
  out->n_states = (int32_t)h.n_states;
  out->start = (int32_t)h.start;
  return SN_OK;
}

sn_status sn_fst_file_load(const char *path, sn_fst_file *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_fst_file_read(r, out, err);
  sn_reader_destroy(r);
  return s;
}

void sn_fst_file_clear(sn_fst_file *f) {
  SN_ARR_FREE(&f->arcs);
  SN_ARR_FREE(&f->first);
  SN_ARR_FREE(&f->finals);
  memset(f, 0, sizeof *f);
}
