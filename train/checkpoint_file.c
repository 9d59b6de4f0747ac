/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.bin is read: nothing in it is believed. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/checkpoint_internal.h"

enum { S = SNI_STATES, SHAPE = sizeof(sni_checkpoint_shape) / 8 };
static const int64_t limit = (int64_t)1 << 31;

static sn_status bad(const char *name, const char *what, sn_err *err) {
  return sn_fail(err, SN_EFORMAT, "%s: section '%s' is damaged", name, what);
}

static bool in(int64_t v, int64_t lo, int64_t hi) { return v >= lo && v <= hi; }

static bool good_shape(const sni_checkpoint_shape *s) {
  return in(s->pass, 1, 1 << 20) && in(s->identity, 0, UINT32_MAX) &&
         in(s->n_phones, 1, 1024) && in(s->n_hmms, 1, limit / 8) &&
         in(s->n_pdfs, 1, limit / 8) && in(s->is_tri, 0, 1) &&
         in(s->n_gauss, s->n_pdfs, limit / 8) && in(s->dim, 1, 65536) &&
         in(s->deltas, 0, 3) && in(s->window, 0, 1000) &&
         in(s->left, 0, 1000) && in(s->right, 0, 1000) &&
         (s->rows == 0 ? s->cols == 0 : in(s->cols, 1, 1 << 20)) &&
         (s->rows == 0 || s->rows == s->dim) && in(s->n_utts, 1, limit) &&
         in(s->n_segs, 0, limit) && in(s->n_speakers, 0, s->n_utts) &&
         in(s->n_json, 0, limit) && in(s->n_tree, 0, limit) &&
         in(s->n_resumed, 0, 1 << 20);
}

typedef struct reading {
  sn_box *box;
  const char *name;
  sn_err *err;
} reading;

/* A section of want elements, a and b being its factors: their product is not
 * made before it is known to fit. */
static sn_status take(const reading *r, const char *section, size_t size,
                      int64_t a, int64_t b, void *out) {
  const void *data = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(r->box, section, size, 0, &data, &n, r->err));
  const size_t ua = (size_t)a, ub = (size_t)b;
  if (ua == 0 || ub == 0 ? n != 0 : n % ua != 0 || n / ua != ub)
    return bad(r->name, section, r->err);
  memcpy(out, &data, sizeof data);
  return SN_OK;
}

static sn_status take_all(const reading *r, sni_checkpoint *c) {
  const sni_checkpoint_shape *const s = &c->shape;
  const int64_t P = s->n_phones, D = s->dim;
  SN_TRY(take(r, "base-hmms", 4, P, 1, &c->base_hmm));
  SN_TRY(take(r, "hmm-pdfs", 4, s->n_hmms, S, &c->hmm_pdfs));
  SN_TRY(take(r, "hmm-tmats", 4, s->n_hmms, 1, &c->hmm_tmat));
  SN_TRY(take(r, "triphones", 4, s->is_tri * 4 * P * P, P, &c->triphone));
  SN_TRY(take(r, "tmats", 4, P, S * (S + 1), &c->tmats));
  SN_TRY(take(r, "gauss-first", 4, s->n_pdfs + 1, 1, &c->first));
  SN_TRY(take(r, "weights", 4, s->n_gauss, 1, &c->weights));
  SN_TRY(take(r, "means", 4, s->n_gauss, D, &c->means));
  SN_TRY(take(r, "variances", 4, s->n_gauss, D, &c->vars));
  SN_TRY(take(r, "occupancies", 8, s->n_pdfs, 1, &c->occ));
  SN_TRY(take(r, "matrix", 4, s->rows, s->cols, &c->matrix));
  SN_TRY(take(r, "utt-segs", 4, s->n_utts, 1, &c->n_segs));
  SN_TRY(take(r, "utt-failed", 4, s->n_utts, 1, &c->failed));
  SN_TRY(take(r, "utt-logps", 8, s->n_utts, 1, &c->logps));
  SN_TRY(take(r, "segs", sizeof(sni_seg), s->n_segs, 1, &c->segs));
  SN_TRY(take(r, "speakers", 4, s->n_speakers, D * (D + 1), &c->speakers));
  SN_TRY(take(r, "estimated", 4, s->n_speakers, 1, &c->estimated));
  SN_TRY(take(r, "passes", 1, s->n_json, 1, &c->json));
  SN_TRY(take(r, "tree", 1, s->n_tree, 1, &c->tree));
  return take(r, "resumed", 4, s->n_resumed, 1, &c->resumed);
}

static bool ids_below(const int32_t *v, size_t n, int64_t lo, int64_t end) {
  for (size_t i = 0; i < n; i++)
    if (!in(v[i], lo, end - 1)) return false;
  return true;
}

static bool finite(const float *v, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(v[i])) return false;
  return true;
}

static bool good_gaussians(const sni_checkpoint *c) {
  const size_t N = (size_t)c->shape.n_pdfs, G = (size_t)c->shape.n_gauss;
  const size_t D = (size_t)c->shape.dim;
  if (c->first[0] != 0 || c->first[N] != (int32_t)G) return false;
  for (size_t i = 0; i < N; i++) {
    if (!in(c->first[i + 1] - (int64_t)c->first[i], 1, SN_MIX_MAX_GAUSS))
      return false;
    if (!(c->occ[i] >= 0) || !isfinite(c->occ[i])) return false;
  }
  for (size_t i = 0; i < G; i++)
    if (!(c->weights[i] >= 0 && c->weights[i] <= 1.001f)) return false;
  for (size_t i = 0; i < G * D; i++)
    if (!(c->vars[i] > 0)) return false;
  return finite(c->means, G * D) && finite(c->vars, G * D) &&
         finite(c->matrix, (size_t)(c->shape.rows * c->shape.cols)) &&
         finite(c->speakers, (size_t)c->shape.n_speakers * D * (D + 1));
}

static bool good_tying(const sni_checkpoint *c) {
  const sni_checkpoint_shape *const s = &c->shape;
  const size_t P = (size_t)s->n_phones, H = (size_t)s->n_hmms;
  for (size_t i = 0; i < P * S * (S + 1); i++)
    if (!(c->tmats[i] <= 0)) return false;
  return ids_below(c->base_hmm, P, 0, s->n_hmms) &&
         ids_below(c->hmm_pdfs, H * S, 0, s->n_pdfs) &&
         ids_below(c->hmm_tmat, H, 0, s->n_phones) &&
         (s->is_tri == 0 ||
          ids_below(c->triphone, 4 * P * P * P, -1, s->n_hmms));
}

static bool good_segs(const sni_checkpoint *c) {
  const int64_t P = c->shape.n_phones;
  int64_t at = 0;
  for (int64_t i = 0; i < c->shape.n_utts; i++) {
    if (!in(c->n_segs[i], 0, c->shape.n_segs - at) || isnan(c->logps[i]))
      return false;
    int32_t t = 0; /* frames follow each other */
    for (int32_t k = 0; k < c->n_segs[i]; k++) {
      const sni_seg *const g = &c->segs[at + k];
      if (!in(g->phone, 0, P - 1) || !in(g->left, -1, P - 1) ||
          !in(g->right, -1, P - 1) || !in(g->pos, 0, SN_N_POS - 1) ||
          !in(g->word, -1, limit) || !in(g->pron, -1, limit) ||
          g->begin[0] != t)
        return false;
      for (int s = 0; s < S; s++)
        if (g->begin[s + 1] < g->begin[s]) return false;
      t = g->begin[S];
    }
    at += c->n_segs[i];
  }
  return at == c->shape.n_segs;
}

sn_status sni_checkpoint_read(sn_box *box, const char *name, sni_checkpoint *c,
                              sn_err *err) {
  const reading r = {box, name, err};
  const void *shape = NULL;
  memset(c, 0, sizeof *c);
  SN_TRY(take(&r, "shape", 8, SHAPE, 1, &shape));
  memcpy(&c->shape, shape, sizeof c->shape);
  if (!good_shape(&c->shape)) return bad(name, "shape", err);
  SN_TRY(take_all(&r, c));
  if (!good_tying(c)) return bad(name, "hmm-pdfs", err);
  if (!good_gaussians(c)) return bad(name, "means", err);
  if (!good_segs(c)) return bad(name, "segs", err);
  return SN_OK;
}
