/* SPDX-License-Identifier: Apache-2.0 */
/* Files of sums (docs/train.md). */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/sums_internal.h"

/* Section "shape", i64 each; section "nodes", i64 each; "logps", f64 each. */
enum {
  N_SHARDS,
  N_UTTS,
  N_NODES,
  N_GAUSS,
  DIM,
  N_ROWS,
  MODEL_CRC,
  CORPUS_CRC,
  N_SHAPE
};
enum { LEVEL, INDEX, N_FRAMES, N_FAILED, NODE_INTS };
enum { ALI_LOGP, LOGP, WEIGHT, NODE_REALS };
enum { MAX_LEVEL = 40, MAX_DIM = 65536 };
static const int64_t max_count = (int64_t)1 << 32;

void sni_stats_clear(sni_stats_file *f) {
  sni_sums_clear(&f->sums);
  memset(f, 0, sizeof *f);
}

/* ---- Writing ---- */

typedef double *array_fn(const sni_part *p, size_t *n);

static double *occ_of(const sni_part *p, size_t *n) {
  *n = p->mix.n_gauss;
  return p->mix.occ;
}
static double *sum_of(const sni_part *p, size_t *n) {
  *n = p->mix.n_gauss * p->mix.dim;
  return p->mix.sum;
}
static double *sumsq_of(const sni_part *p, size_t *n) {
  *n = p->mix.n_gauss * p->mix.dim;
  return p->mix.sumsq;
}
static double *loops_of(const sni_part *p, size_t *n) {
  *n = p->n_rows;
  return p->loops;
}
static double *steps_of(const sni_part *p, size_t *n) {
  *n = p->n_rows;
  return p->steps;
}

static const struct {
  const char *name;
  array_fn *of;
  bool signed_; /* negative values are fine */
} arrays[] = {{"occ", occ_of, false},
              {"sum", sum_of, true},
              {"sumsq", sumsq_of, false},
              {"loops", loops_of, false},
              {"steps", steps_of, false}};
enum { N_ARRAYS = sizeof arrays / sizeof *arrays };

static sn_status write_heads(const sni_stats_file *f, sn_box_writer *w,
                             sn_err *err) {
  const sni_sums *const s = &f->sums;
  const sni_part *const p = &s->nodes.data[0].part;
  const int64_t shape[N_SHAPE] = {[N_SHARDS] = s->n_shards,
                                  [N_UTTS] = f->n_utts,
                                  [N_NODES] = (int64_t)s->nodes.n,
                                  [N_GAUSS] = (int64_t)p->mix.n_gauss,
                                  [DIM] = (int64_t)p->mix.dim,
                                  [N_ROWS] = (int64_t)p->n_rows,
                                  [MODEL_CRC] = (int64_t)f->model_crc,
                                  [CORPUS_CRC] = (int64_t)f->corpus_crc};
  SN_TRY(sn_box_add(w, "shape", 8, shape, N_SHAPE, err));
  SN_TRY(sn_box_start(w, "nodes", 8, err));
  for (size_t i = 0; i < s->nodes.n; i++) {
    const sni_node *const n = &s->nodes.data[i];
    const int64_t v[NODE_INTS] = {n->level, n->index, n->part.n_frames,
                                  n->part.n_failed};
    SN_TRY(sn_box_append(w, v, NODE_INTS, err));
  }
  SN_TRY(sn_box_start(w, "logps", 8, err));
  for (size_t i = 0; i < s->nodes.n; i++) {
    const sni_part *const q = &s->nodes.data[i].part;
    const double v[NODE_REALS] = {q->ali_logp, q->mix.logp, q->mix.n_frames};
    SN_TRY(sn_box_append(w, v, NODE_REALS, err));
  }
  return SN_OK;
}

sn_status sni_stats_write(const sni_stats_file *f, const char *path,
                          sn_err *err) {
  sn_box_writer *w = NULL;
  if (f->sums.nodes.n == 0) return sn_fail(err, SN_EARG, "no statistics");
  SN_TRY(sn_box_create(path, SNI_STATS_MAGIC, SNI_STATS_VERSION, &w, err));
  sn_status s = write_heads(f, w, err);
  for (size_t a = 0; s == SN_OK && a < N_ARRAYS; a++) {
    s = sn_box_start(w, arrays[a].name, 8, err);
    for (size_t i = 0; s == SN_OK && i < f->sums.nodes.n; i++) {
      size_t n = 0;
      const double *const v = arrays[a].of(&f->sums.nodes.data[i].part, &n);
      s = sn_box_append(w, v, n, err);
    }
  }
  if (s == SN_OK) s = sn_box_commit(w, err);
  sn_box_writer_destroy(w);
  return s;
}

/* ---- Reading ---- */

static sn_status bad(const char *name, const char *what, sn_err *err) {
  return sn_fail(err, SN_EFORMAT,
                 "%s: section '%s' has values that statistics can not have",
                 name, what);
}

static sn_status take(sn_box *box, const char *name, const char *section,
                      size_t want, const void **out, sn_err *err) {
  size_t n = 0;
  SN_TRY(sn_box_section(box, section, 8, 0, out, &n, err));
  if (n == want) return SN_OK;
  return sn_fail(err, SN_EFORMAT,
                 "%s: section '%s' has %zu elements, the shape asks for %zu",
                 name, section, n, want);
}

static bool in(int64_t v, int64_t lo, int64_t hi) { return v >= lo && v <= hi; }

static bool good_shape(const int64_t *s) {
  return in(s[N_SHARDS], 1, max_count) && in(s[N_UTTS], 1, 32 * max_count) &&
         (s[N_UTTS] + 31) / 32 == s[N_SHARDS] &&
         in(s[N_NODES], 1, s[N_SHARDS]) && in(s[N_GAUSS], 1, max_count) &&
         in(s[DIM], 1, MAX_DIM) && in(s[N_ROWS], 1, max_count) &&
         in(s[MODEL_CRC], 0, UINT32_MAX) && in(s[CORPUS_CRC], 0, UINT32_MAX);
}

/* Products that fit: the sections are in memory, so their sizes bound them. */
static sn_status check_sizes(sn_box *box, const char *name, const int64_t *s,
                             sn_err *err) {
  const void *data = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(box, "occ", 8, 0, &data, &n, err));
  if (n / (size_t)s[N_NODES] < (size_t)s[N_GAUSS])
    return bad(name, "shape", err);
  SN_TRY(sn_box_section(box, "loops", 8, 0, &data, &n, err));
  if (n / (size_t)s[N_NODES] < (size_t)s[N_ROWS])
    return bad(name, "shape", err);
  SN_TRY(sn_box_section(box, "sum", 8, 0, &data, &n, err));
  return n / (size_t)s[N_NODES] / (size_t)s[N_GAUSS] < (size_t)s[DIM]
             ? bad(name, "shape", err)
             : SN_OK;
}

static sn_status read_node(const char *name, const int64_t *s,
                           const int64_t *ints, const double *reals,
                           sni_node *n, sn_err *err) {
  if (!in(ints[LEVEL], 0, MAX_LEVEL) ||
      !in(ints[INDEX], 0, (s[N_SHARDS] - 1) >> ints[LEVEL]) ||
      !in(ints[N_FRAMES], 0, INT64_MAX / 2) ||
      !in(ints[N_FAILED], 0, s[N_UTTS]))
    return bad(name, "nodes", err);
  if (!isfinite(reals[ALI_LOGP]) || !isfinite(reals[LOGP]) ||
      !(reals[WEIGHT] >= 0) || !isfinite(reals[WEIGHT]))
    return bad(name, "logps", err);
  n->level = (int32_t)ints[LEVEL];
  n->index = ints[INDEX];
  SN_TRY(sni_part_init(&n->part, (size_t)s[N_GAUSS], (size_t)s[DIM],
                       (size_t)s[N_ROWS], err));
  n->part.n_frames = ints[N_FRAMES];
  n->part.n_failed = ints[N_FAILED];
  n->part.ali_logp = reals[ALI_LOGP];
  n->part.mix.logp = reals[LOGP];
  n->part.mix.n_frames = reals[WEIGHT];
  return SN_OK;
}

static sn_status read_array(sn_box *box, const char *name, size_t a,
                            size_t n_nodes, size_t node, const sni_part *p,
                            sn_err *err) {
  size_t n = 0;
  const void *data = NULL;
  double *const to = arrays[a].of(p, &n);
  SN_TRY(take(box, name, arrays[a].name, n_nodes * n, &data, err));
  memcpy(to, (const double *)data + node * n, n * sizeof *to);
  for (size_t i = 0; i < n; i++)
    if (!isfinite(to[i]) || (!arrays[a].signed_ && to[i] < 0))
      return bad(name, arrays[a].name, err);
  return SN_OK;
}

static sn_status read_all(sn_box *box, const char *name, const int64_t *s,
                          sni_stats_file *f, sn_err *err) {
  const void *ints = NULL, *reals = NULL;
  const size_t N = (size_t)s[N_NODES];
  SN_TRY(take(box, name, "nodes", N * NODE_INTS, &ints, err));
  SN_TRY(take(box, name, "logps", N * NODE_REALS, &reals, err));
  for (size_t i = 0; i < N; i++) {
    sni_node n = {0};
    sn_status st = read_node(name, s, (const int64_t *)ints + i * NODE_INTS,
                             (const double *)reals + i * NODE_REALS, &n, err);
    for (size_t a = 0; st == SN_OK && a < N_ARRAYS; a++)
      st = read_array(box, name, a, N, i, &n.part, err);
    if (st == SN_OK)
      st = sni_sums_put(&f->sums, n.level, n.index, &n.part, err);
    sni_part_clear(&n.part);
    if (st == SN_EARG) return bad(name, "nodes", err);
    SN_TRY(st);
  }
  return SN_OK;
}

sn_status sni_stats_read(sn_box *box, const char *name, sni_stats_file *f,
                         sn_err *err) {
  const void *data = NULL;
  memset(f, 0, sizeof *f);
  SN_TRY(take(box, name, "shape", N_SHAPE, &data, err));
  const int64_t *const shape = data;
  if (!good_shape(shape)) return bad(name, "shape", err);
  SN_TRY(check_sizes(box, name, shape, err));
  f->n_utts = shape[N_UTTS];
  f->model_crc = (uint32_t)shape[MODEL_CRC];
  f->corpus_crc = (uint32_t)shape[CORPUS_CRC];
  f->sums.n_shards = shape[N_SHARDS];
  const sn_status s = read_all(box, name, shape, f, err);
  if (s != SN_OK) sni_stats_clear(f);
  return s;
}

sn_status sni_stats_load(const char *path, sni_stats_file *f, sn_err *err) {
  sn_box *box = NULL;
  memset(f, 0, sizeof *f);
  SN_TRY(sn_box_open(path, SNI_STATS_MAGIC, SNI_STATS_VERSION, &box, err));
  const sn_status s = sni_stats_read(box, path, f, err);
  sn_box_destroy(box);
  return s;
}

/* ---- Sums ---- */

static sn_status same_kind(const sni_stats_file *a, const char *a_name,
                           const sni_stats_file *b, const char *b_name,
                           sn_err *err) {
  const sni_part *const p = &a->sums.nodes.data[0].part;
  const sni_part *const q = &b->sums.nodes.data[0].part;
  if (a->model_crc != b->model_crc || p->mix.n_gauss != q->mix.n_gauss ||
      p->mix.dim != q->mix.dim || p->n_rows != q->n_rows)
    return sn_fail(err, SN_EMISMATCH,
                   "'%s' and '%s' are statistics of different models (%08x and "
                   "%08x)",
                   a_name, b_name, a->model_crc, b->model_crc);
  if (a->corpus_crc != b->corpus_crc || a->n_utts != b->n_utts)
    return sn_fail(err, SN_EMISMATCH,
                   "'%s' and '%s' are statistics of different corpora (%lld "
                   "and %lld utterances)",
                   a_name, b_name, (long long)a->n_utts, (long long)b->n_utts);
  return SN_OK;
}

sn_status sni_stats_merge(sni_stats_file *to, const char *to_name,
                          sni_stats_file *from, const char *from_name,
                          sn_err *err) {
  SN_TRY(same_kind(to, to_name, from, from_name, err));
  for (size_t i = 0; i < from->sums.nodes.n; i++) {
    sni_node *const n = &from->sums.nodes.data[i];
    const sn_status s =
        sni_sums_put(&to->sums, n->level, n->index, &n->part, err);
    if (s != SN_OK) sn_err_context(err, "'%s'", from_name);
    SN_TRY(s);
  }
  return SN_OK;
}
