/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi's compact lattices.
 *
 * Binary layout (little-endian): OpenFst header: magic i32 2125659606, type
 * "vector" and arc type as i32 length + bytes, version i32 (2), flags i32,
 * properties u64, start i64, states i64, arcs i64; then each state: final
 * weight, arcs i64, each arc: input i32, output i32, weight, next i32. A
 * weight is graph f32, acoustic f32 and, in "compactlattice44", a string: n
 * i32, n times i32. "No final state" is +infinity in both costs. */
#include "decoder/lat_kaldi.h"

#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"

#define FST_MAGIC 2125659606
/* More than any recording has frames; keeps an altered length from asking for
 * the whole memory. */
#define MAX_ALI (1 << 24)
#define MAX_STATES (1 << 28)
/* OpenFst's property bits of what is written: expanded, mutable. */
#define FST_PROPERTIES 3u

/* ---- Binary ---- */

static sn_status read_i32(sn_reader *r, int32_t *x, sn_err *err) {
  return sn_read_bytes(r, x, sizeof *x, err);
}

static sn_status read_i64(sn_reader *r, int64_t *x, sn_err *err) {
  return sn_read_bytes(r, x, sizeof *x, err);
}

static sn_status bad(const sn_reader *r, sn_err *err, const char *field,
                     int64_t value) {
  return sn_fail(err, SN_EFORMAT, "%s: byte %lld: lattice: %s is %lld",
                 sn_reader_name(r), (long long)sn_reader_offset(r), field,
                 (long long)value);
}

/* A string of at most 31 bytes. */
static sn_status read_name(sn_reader *r, const char *field, char name[32],
                           sn_err *err) {
  int32_t n = 0;
  SN_TRY(read_i32(r, &n, err));
  if (n < 0 || n > 31) return bad(r, err, field, n);
  SN_TRY(sn_read_bytes(r, name, (size_t)n, err));
  name[n] = '\0';
  return SN_OK;
}

typedef struct header {
  bool compact;
  int64_t start, n_states;
} header;

static sn_status read_header(sn_reader *r, header *h, sn_err *err) {
  int32_t magic = 0, version = 0, flags = 0;
  int64_t properties = 0, n_arcs = 0;
  char type[32], arc[32];
  SN_TRY(read_i32(r, &magic, err));
  if (magic != FST_MAGIC)
    return sn_fail(err, SN_EFORMAT,
                   "%s: byte %lld: not a binary lattice (no OpenFst magic)",
                   sn_reader_name(r), (long long)sn_reader_offset(r) - 4);
  SN_TRY(read_name(r, "length of the type", type, err));
  SN_TRY(read_name(r, "length of the arc type", arc, err));
  h->compact = strcmp(arc, "compactlattice44") == 0;
  if (strcmp(type, "vector") != 0 ||
      (!h->compact && strcmp(arc, "lattice4") != 0))
    return sn_fail(err, SN_EFORMAT,
                   "%s: byte %lld: a '%s' machine of '%s' arcs; expected "
                   "'vector' of 'compactlattice44' or 'lattice4'",
                   sn_reader_name(r), (long long)sn_reader_offset(r), type,
                   arc);
  SN_TRY(read_i32(r, &version, err));
  SN_TRY(read_i32(r, &flags, err));
  if (version != 2) return bad(r, err, "version", version);
  if (flags != 0) return bad(r, err, "flags (symbol tables?)", flags);
  SN_TRY(read_i64(r, &properties, err));
  SN_TRY(read_i64(r, &h->start, err));
  SN_TRY(read_i64(r, &h->n_states, err));
  SN_TRY(read_i64(r, &n_arcs, err));
  if (h->n_states < 0 || h->n_states > MAX_STATES)
    return bad(r, err, "number of states", h->n_states);
  if (h->start < -1 || h->start >= h->n_states)
    return bad(r, err, "start state", h->start);
  return SN_OK;
}

typedef struct weight {
  float graph, acoustic;
  sn_arr_i32 ali;
} weight;

static sn_status read_weight(sn_reader *r, bool compact, weight *w,
                             sn_err *err) {
  int32_t n = 0;
  w->ali.n = 0;
  SN_TRY(sn_read_bytes(r, &w->graph, sizeof w->graph, err));
  SN_TRY(sn_read_bytes(r, &w->acoustic, sizeof w->acoustic, err));
  if (!(w->graph > -INFINITY) || !(w->acoustic > -INFINITY))
    return sn_fail(err, SN_EFORMAT, "%s: byte %lld: lattice: costs %g, %g",
                   sn_reader_name(r), (long long)sn_reader_offset(r) - 8,
                   (double)w->graph, (double)w->acoustic);
  if (!compact) return SN_OK;
  SN_TRY(read_i32(r, &n, err));
  if (n < 0 || n > MAX_ALI) return bad(r, err, "length of an alignment", n);
  /* In steps: an altered length fails at the end of the file, not here. */
  for (int32_t got = 0; got < n;) {
    const int32_t step = n - got < 4096 ? n - got : 4096;
    SN_TRY(SN_ARR_RESIZE(&w->ali, (size_t)(got + step), err));
    SN_TRY(sn_read_bytes(r, w->ali.data + got,
                         (size_t)step * sizeof *w->ali.data, err));
    got += step;
  }
  return SN_OK;
}

/* What was read, before there is a builder: a state or arc that the header
 * only claims must not cost memory. */
typedef struct raw_arc {
  int32_t from, to, word;
  float graph, acoustic;
  size_t first_ali, n_ali; /* to == -1: a final weight */
} raw_arc;

typedef struct raw_lat {
  SN_ARR(raw_arc) arcs;
  sn_arr_i32 ali;
  int64_t n_states;
} raw_lat;

static void raw_clear(raw_lat *x) {
  SN_ARR_FREE(&x->arcs);
  SN_ARR_FREE(&x->ali);
}

static sn_status raw_add(raw_lat *x, int32_t from, int32_t to, int32_t word,
                         const weight *w, sn_err *err) {
  const raw_arc arc = {from,        to,       word,    w->graph,
                       w->acoustic, x->ali.n, w->ali.n};
  SN_TRY(SN_ARR_RESERVE(&x->ali, x->ali.n + w->ali.n, err));
  if (w->ali.n > 0)
    memcpy(x->ali.data + x->ali.n, w->ali.data, w->ali.n * sizeof(int32_t));
  x->ali.n += w->ali.n;
  return SN_ARR_PUSH(&x->arcs, arc, err);
}

static sn_status raw_take(const raw_lat *x, int32_t start, sn_lat *out,
                          sn_err *err) {
  sn_lat_builder *b = NULL;
  sn_status s = sn_lat_builder_create(&b, err);
  int32_t id;
  for (int64_t i = 0; s == SN_OK && i < x->n_states; i++)
    s = sn_lat_builder_state(b, &id, err);
  for (size_t i = 0; s == SN_OK && i < x->arcs.n; i++) {
    const raw_arc *const a = &x->arcs.data[i];
    const int32_t *const ali = a->n_ali > 0 ? x->ali.data + a->first_ali : NULL;
    s = a->to < 0 ? sn_lat_builder_final(b, a->from, a->graph, a->acoustic, ali,
                                         a->n_ali, err)
                  : sn_lat_builder_arc(b, a->from, a->to, a->word, a->graph,
                                       a->acoustic, ali, a->n_ali, err);
  }
  if (s == SN_OK) s = sn_lat_builder_take(b, start, out, err);
  sn_lat_builder_destroy(b);
  return s;
}

static sn_status read_state(sn_reader *r, const header *h, int32_t s, weight *w,
                            raw_lat *x, sn_err *err) {
  int64_t n_arcs = 0;
  SN_TRY(read_weight(r, h->compact, w, err));
  if (isfinite(w->graph) && isfinite(w->acoustic))
    SN_TRY(raw_add(x, s, -1, 0, w, err));
  SN_TRY(read_i64(r, &n_arcs, err));
  if (n_arcs < 0) return bad(r, err, "number of arcs", n_arcs);
  for (int64_t i = 0; i < n_arcs; i++) {
    int32_t input = 0, output = 0, next = 0;
    SN_TRY(read_i32(r, &input, err));
    SN_TRY(read_i32(r, &output, err));
    SN_TRY(read_weight(r, h->compact, w, err));
    SN_TRY(read_i32(r, &next, err));
    if (next < 0 || next >= h->n_states) return bad(r, err, "next state", next);
    if (output < 0 || input < 0)
      return bad(r, err, "label", input < 0 ? input : output);
    if (h->compact && input != output)
      return bad(r, err, "output label unlike the input", output);
    if (!h->compact && input != 0) {
      SN_TRY(SN_ARR_RESIZE(&w->ali, 1, err));
      w->ali.data[0] = input;
    }
    SN_TRY(raw_add(x, s, next, output, w, err));
    w->ali.n = 0;
  }
  return SN_OK;
}

sn_status sn_lat_read_kaldi_binary(sn_reader *r, sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  header h = {0};
  SN_TRY(read_header(r, &h, err));
  weight w = {0};
  raw_lat x = {.n_states = h.n_states};
  sn_status s = SN_OK;
  for (int64_t i = 0; s == SN_OK && i < h.n_states; i++)
    s = read_state(r, &h, (int32_t)i, &w, &x, err);
  if (s == SN_OK && h.start >= 0) {
    s = raw_take(&x, (int32_t)h.start, out, err);
    if (s != SN_OK) sn_err_context(err, "%s", sn_reader_name(r));
  }
  SN_ARR_FREE(&w.ali);
  raw_clear(&x);
  return s;
}

/* ---- Text ---- */

/* "graph,acoustic" or "graph,acoustic,a_b_c". */
static bool parse_weight(sn_span text, weight *w, sn_err *err, sn_status *s) {
  sn_span graph, acoustic, ali;
  double g, a;
  w->ali.n = 0;
  if (!sn_next_field_sep(&text, ',', &graph) ||
      !sn_next_field_sep(&text, ',', &acoustic) ||
      !sn_parse_double(graph, &g) || !sn_parse_double(acoustic, &a) ||
      !(g > -HUGE_VAL) || !(a > -HUGE_VAL))
    return false;
  w->graph = (float)g;
  w->acoustic = (float)a;
  if (!sn_next_field_sep(&text, ',', &ali) || ali.n == 0) return text.n == 0;
  sn_span label;
  while (sn_next_field_sep(&ali, '_', &label)) {
    int32_t x;
    if (!sn_parse_int32(label, &x)) return false;
    *s = SN_ARR_PUSH(&w->ali, x, err);
    if (*s != SN_OK) return false;
  }
  return text.n == 0;
}

/* A line has 1 to 5 fields: "state [weight]", "from to word [weight]" or, at
 * state level, "from to label word [weight]". A weight that is left out is no
 * cost. As in Kaldi's reader lines may stand in any order, but the state of the
 * first one is the start. */
static sn_status parse_line(sn_reader *r, sn_span line, weight *w, raw_lat *x,
                            int32_t *start, sn_err *err) {
  sn_span f[6];
  size_t n = 0;
  sn_status s = SN_OK;
  while (n < 6 && sn_next_field(&line, &f[n])) n++;
  int32_t from = 0, to = -1, word = 0, label = 0;
  const bool final = n <= 2;
  const bool has_label = n == 5 || (n == 4 && sn_parse_int32(f[3], &word));
  const bool has_weight = n == 2 || n == 5 || (n == 4 && !has_label);
  if (n == 0 || n > 5 || !sn_parse_int32(f[0], &from) ||
      (!final && (!sn_parse_int32(f[1], &to) ||
                  !sn_parse_int32(f[has_label ? 3 : 2], &word))) ||
      (has_label && !sn_parse_int32(f[2], &label)))
    return sn_reader_fail(r, err,
                          "not a line of a lattice; expected 'from to word "
                          "graph,acoustic,alignment' or 'state weight'");
  if (from < 0 || from > MAX_STATES || to > MAX_STATES || (!final && to < 0) ||
      word < 0)
    return sn_reader_fail(r, err, "state or word out of range");
  w->graph = w->acoustic = 0.0f;
  w->ali.n = 0;
  if (has_weight && !parse_weight(f[n - 1], w, err, &s))
    return s != SN_OK ? s
                      : sn_reader_fail(r, err, "bad weight '%.*s'",
                                       (int)(f[n - 1].n < 80 ? f[n - 1].n : 80),
                                       f[n - 1].p);
  if (has_label && label != 0) SN_TRY(SN_ARR_PUSH(&w->ali, label, err));
  if (*start < 0) *start = from;
  if (from >= x->n_states) x->n_states = (int64_t)from + 1;
  if (to >= x->n_states) x->n_states = (int64_t)to + 1;
  if (isinf(w->graph) || isinf(w->acoustic)) return SN_OK;
  return raw_add(x, from, final ? -1 : to, word, w, err);
}

/* Whether an arc leads to each state that lines begin with. Where none does,
 * what that state has could not be reached from the start: Kaldi writes no such
 * lattice, but lines that have changed places look like it. */
static sn_status check_start(const sn_reader *r, const raw_lat *x,
                             int32_t start, sn_err *err) {
  bool *const entered = sn_calloc((size_t)x->n_states + 1, sizeof *entered);
  if (entered == NULL) return sn_fail_nomem(err, "lattice");
  entered[start] = true;
  for (size_t i = 0; i < x->arcs.n; i++)
    if (x->arcs.data[i].to >= 0) entered[x->arcs.data[i].to] = true;
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < x->arcs.n; i++)
    if (!entered[x->arcs.data[i].from])
      s = sn_reader_fail(r, err,
                         "no arc leads to state %d of the lattice that ends "
                         "here; its first line makes state %d the start: are "
                         "lines out of order?",
                         (int)x->arcs.data[i].from, (int)start);
  sn_free(entered);
  return s;
}

sn_status sn_lat_read_kaldi_text(sn_reader *r, sn_lat *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  weight w = {0};
  raw_lat x = {0};
  int32_t start = -1;
  sn_span line;
  bool more = true;
  sn_status s = SN_OK;
  int64_t n_lines = 0;
  while (s == SN_OK) {
    s = sn_read_line(r, &line, &more, err);
    if (s != SN_OK || !more || sn_span_trim(line).n == 0) break;
    s = parse_line(r, line, &w, &x, &start, err);
    n_lines++;
  }
  if (s == SN_OK && !more)
    s = sn_reader_fail(r, err,
                       "the file ends within a lattice: no empty line stands "
                       "behind its last one; is it cut short?");
  /* States are numbered densely: a number far above the count of lines is
   * damage, and would be memory. */
  if (s == SN_OK && x.n_states > 2 * n_lines + 1)
    s = sn_reader_fail(r, err, "state %lld in a lattice of %lld lines",
                       (long long)x.n_states - 1, (long long)n_lines);
  if (s == SN_OK && start >= 0) s = check_start(r, &x, start, err);
  if (s == SN_OK && start >= 0) {
    s = raw_take(&x, start, out, err);
    if (s != SN_OK)
      sn_err_context(err, "%s:%lld", sn_reader_name(r),
                     (long long)sn_reader_line_no(r));
  }
  SN_ARR_FREE(&w.ali);
  raw_clear(&x);
  return s;
}

/* ---- Writing ---- */

static sn_status put_i32(sn_writer *w, int32_t x, sn_err *err) {
  return sn_write_bytes(w, &x, sizeof x, err);
}

static sn_status put_i64(sn_writer *w, int64_t x, sn_err *err) {
  return sn_write_bytes(w, &x, sizeof x, err);
}

static sn_status put_name(sn_writer *w, const char *name, sn_err *err) {
  SN_TRY(put_i32(w, (int32_t)strlen(name), err));
  return sn_write_bytes(w, name, strlen(name), err);
}

static sn_status put_weight(sn_writer *w, float graph, float acoustic,
                            const int32_t *ali, uint32_t n, sn_err *err) {
  SN_TRY(sn_write_bytes(w, &graph, sizeof graph, err));
  SN_TRY(sn_write_bytes(w, &acoustic, sizeof acoustic, err));
  SN_TRY(put_i32(w, (int32_t)n, err));
  return n > 0 ? sn_write_bytes(w, ali, n * sizeof *ali, err) : SN_OK;
}

sn_status sn_lat_write_kaldi_binary(sn_writer *w, const sn_lat *l,
                                    sn_err *err) {
  SN_TRY(put_i32(w, FST_MAGIC, err));
  SN_TRY(put_name(w, "vector", err));
  SN_TRY(put_name(w, "compactlattice44", err));
  SN_TRY(put_i32(w, 2, err));
  SN_TRY(put_i32(w, 0, err));
  SN_TRY(put_i64(w, FST_PROPERTIES, err));
  SN_TRY(put_i64(w, l->n_states > 0 ? 0 : -1, err));
  SN_TRY(put_i64(w, l->n_states, err));
  SN_TRY(put_i64(w, l->n_arcs, err));
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const x = &l->states[s];
    SN_TRY(put_weight(w, x->final_graph, x->final_acoustic,
                      l->ali + x->first_ali, x->n_ali, err));
    SN_TRY(put_i64(w, (int64_t)x[1].first_arc - x->first_arc, err));
    for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      SN_TRY(put_i32(w, a->word, err));
      SN_TRY(put_i32(w, a->word, err));
      SN_TRY(put_weight(w, a->graph, a->acoustic, l->ali + a->first_ali,
                        a->n_ali, err));
      SN_TRY(put_i32(w, a->next, err));
    }
  }
  return SN_OK;
}

/* 9 digits bring a float back as it was. */
static sn_status print_weight(sn_writer *w, float graph, float acoustic,
                              const int32_t *ali, uint32_t n, sn_err *err) {
  SN_TRY(sn_writef(w, err, "%.9g,%.9g,", (double)graph, (double)acoustic));
  for (uint32_t i = 0; i < n; i++)
    SN_TRY(sn_writef(w, err, "%s%d", i > 0 ? "_" : "", ali[i]));
  return sn_write_bytes(w, "\n", 1, err);
}

sn_status sn_lat_write_kaldi_text(sn_writer *w, const sn_lat *l, sn_err *err) {
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const x = &l->states[s];
    for (uint32_t i = x->first_arc; i < x[1].first_arc; i++) {
      const sn_lat_arc *const a = &l->arcs[i];
      SN_TRY(sn_writef(w, err, "%d\t%d\t%d\t", s, a->next, a->word));
      SN_TRY(print_weight(w, a->graph, a->acoustic, l->ali + a->first_ali,
                          a->n_ali, err));
    }
    if (isfinite(x->final_graph)) {
      SN_TRY(sn_writef(w, err, "%d\t", s));
      SN_TRY(print_weight(w, x->final_graph, x->final_acoustic,
                          l->ali + x->first_ali, x->n_ali, err));
    }
  }
  return sn_write_bytes(w, "\n", 1, err);
}
