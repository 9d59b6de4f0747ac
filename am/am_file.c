/* SPDX-License-Identifier: Apache-2.0 */
/* am.bin: an sn_box container with one section for each array of sni_am_view
 * (docs/model.md has it byte by byte). The arrays are used where they lie in
 * the map; reading is checking: every index, every number's range. */
#include <math.h>
#include <string.h>

#include "am/am_internal.h"

enum { SHAPE_INTS = sizeof(sni_am_shape) / sizeof(int32_t) };

static size_t n_dims(const sni_am_view *v) {
  size_t n = 0;
  for (int32_t k = 0; k < v->shape.n_streams; k++)
    n += (size_t)v->stream_len[k];
  return n;
}

static size_t n_tri_first(const sni_am_shape *s) {
  const size_t P = (size_t)s->n_phones;
  return s->n_triphones == 0 ? 1 : SN_N_POS * P * P + 1;
}

static size_t n_gauss_params(const sni_am_view *v) {
  if (v->gauss_first != NULL)
    return (size_t)v->gauss_first[v->shape.n_pdfs] * (size_t)v->shape.dim;
  return (size_t)v->shape.n_codebooks * (size_t)v->shape.n_gauss * n_dims(v);
}

static size_t n_weights(const sni_am_view *v) {
  const sni_am_shape *const s = &v->shape;
  if (v->gauss_first != NULL) return (size_t)v->gauss_first[s->n_pdfs];
  return (size_t)s->n_streams * (size_t)s->n_gauss * (size_t)s->n_pdfs;
}

static size_t n_tmat_cells(const sni_am_shape *s) {
  return (size_t)s->n_tmats * (size_t)s->n_states * (size_t)(s->n_states + 1);
}

/* ---- Checks ---- */

static sn_status bad(const char *name, const char *section, size_t i,
                     sn_err *err) {
  return sn_fail(err, SN_EFORMAT,
                 "%s: section '%s', element %zu: value out of range; the file "
                 "is damaged or was not made by senone",
                 name, section, i);
}

static sn_status check_ids(const int32_t *ids, size_t n, int32_t below,
                           const char *section, const char *name, sn_err *err) {
  for (size_t i = 0; i < n; i++)
    if (ids[i] < 0 || ids[i] >= below) return bad(name, section, i, err);
  return SN_OK;
}

static sn_status check_shape(const sni_am_shape *s, const char *name,
                             sn_err *err) {
  const struct {
    int32_t value, min, max;
  } limits[] = {
      {s->kind, SN_AM_CONTINUOUS, SN_AM_PTM},
      {s->n_phones, 1, SNI_AM_MAX_PHONES},
      {s->silence, 0, s->n_phones - 1},
      {s->n_states, 1, SNI_AM_MAX_STATES},
      {s->n_tmats, 1, SNI_AM_MAX_PDFS},
      {s->n_hmms, 1, 1 << 24},
      {s->n_triphones, 0, 1 << 24},
      {s->n_pdfs, 1, SNI_AM_MAX_PDFS},
      {s->n_codebooks, 1, SNI_AM_MAX_PDFS},
      {s->n_streams, 1, SNI_AM_MAX_STREAMS},
      {s->n_gauss, 1, 1 << 26},
      {s->dim, 1, 1 << 22},
      {s->top_n, 1, s->n_gauss < SNI_AM_MAX_TOP ? s->n_gauss : SNI_AM_MAX_TOP},
      {s->weights, 0, 1}};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
    if (limits[i].value < limits[i].min || limits[i].value > limits[i].max)
      return bad(name, "shape", i, err);
  /* So that no product of counts overflows: n_dims is at most 2^28. */
  if ((int64_t)s->n_codebooks * s->n_gauss > INT32_MAX)
    return bad(name, "shape", 10, err);
  return SN_OK;
}

static sn_status check_phones(const sni_am_view *v, const char *name,
                              sn_err *err) {
  size_t at = 0;
  for (int32_t p = 0; p < v->shape.n_phones; p++) {
    const size_t len = strnlen(v->names + at, v->n_names - at);
    if (len == 0 || len == v->n_names - at)
      return bad(name, "phone-names", (size_t)p, err);
    at += len + 1;
  }
  if (at != v->n_names) return bad(name, "phone-names", at, err);
  return SN_OK;
}

/* Rows of forward transitions: logs of probabilities, or -inf. */
static sn_status check_tmats(const sni_am_view *v, const char *name,
                             sn_err *err) {
  const size_t S = (size_t)v->shape.n_states, n = n_tmat_cells(&v->shape);
  for (size_t i = 0; i < n; i++) {
    const bool back = i % (S + 1) < i / (S + 1) % S;
    /* 1e-4: a probability of one, rounded up. */
    if (!(v->tmats[i] <= 1e-4f) || (back && v->tmats[i] != -INFINITY))
      return bad(name, "tmats", i, err);
  }
  return SN_OK;
}

static sn_status check_triphones(const sni_am_view *v, const char *name,
                                 sn_err *err) {
  const sni_am_shape *const s = &v->shape;
  const size_t n = n_tri_first(s);
  if (v->tri_first[0] != 0) return bad(name, "tri-first", 0, err);
  for (size_t i = 1; i < n; i++)
    if (v->tri_first[i] < v->tri_first[i - 1])
      return bad(name, "tri-first", i, err);
  if (v->tri_first[n - 1] != s->n_triphones)
    return bad(name, "tri-first", n - 1, err);
  for (size_t i = 0; i + 1 < n; i++) {
    int32_t last = -1;
    for (int32_t t = v->tri_first[i]; t < v->tri_first[i + 1]; t++) {
      const sni_am_tri *const tri = &v->tris[t];
      if (tri->right <= last || tri->right >= s->n_phones || tri->hmm < 0 ||
          tri->hmm >= s->n_hmms)
        return bad(name, "triphones", (size_t)t, err);
      last = tri->right;
    }
  }
  return SN_OK;
}

/* Own Gaussians for each pdf, at least one: one stream of all dimensions, and
 * weights as floats, so that the counts of the sections follow. */
static sn_status check_ragged(const sni_am_view *v, const char *name,
                              sn_err *err) {
  const sni_am_shape *const s = &v->shape;
  if (v->gauss_first == NULL) return SN_OK;
  if (s->kind != SN_AM_CONTINUOUS || s->n_streams != 1 || s->weights != 0 ||
      s->n_codebooks != s->n_pdfs || v->stream_len[0] != s->dim)
    return bad(name, "shape", 0, err);
  if (v->gauss_first[0] != 0) return bad(name, "gauss-first", 0, err);
  for (int32_t i = 0; i < s->n_pdfs; i++)
    if (v->gauss_first[i + 1] <= v->gauss_first[i] ||
        v->gauss_first[i + 1] - v->gauss_first[i] > s->n_gauss)
      return bad(name, "gauss-first", (size_t)i + 1, err);
  return SN_OK;
}

static sn_status check_gaussians(const sni_am_view *v, const char *name,
                                 sn_err *err) {
  const size_t n = n_gauss_params(v);
  for (size_t i = 0; i < n; i++)
    if (!isfinite(v->means[i])) return bad(name, "means", i, err);
  for (size_t i = 0; i < n; i++)
    if (!(v->vars[i] > 0.0f) || !isfinite(v->vars[i]))
      return bad(name, "variances", i, err);
  if (v->weights != NULL)
    for (size_t i = 0; i < n_weights(v); i++)
      if (!(v->weights[i] >= 0.0f && v->weights[i] <= 1.0001f))
        return bad(name, "weights", i, err);
  return SN_OK;
}

sn_status sni_am_check(const sni_am_view *v, const char *name, sn_err *err) {
  const sni_am_shape *const s = &v->shape;
  SN_TRY(check_shape(s, name, err));
  if (!(v->clip > 0.0) || !(v->weight_unit >= 0.0 && v->weight_unit <= 1.0))
    return bad(name, "scales", 0, err);
  SN_TRY(check_phones(v, name, err));
  SN_TRY(check_ids(v->base_hmm, (size_t)s->n_phones, s->n_hmms, "base-hmms",
                   name, err));
  SN_TRY(check_ids(v->hmm_tmat, (size_t)s->n_hmms, s->n_tmats, "hmm-tmats",
                   name, err));
  SN_TRY(check_ids(v->hmm_pdfs, (size_t)s->n_hmms * (size_t)s->n_states,
                   s->n_pdfs, "hmm-pdfs", name, err));
  SN_TRY(check_tmats(v, name, err));
  SN_TRY(check_triphones(v, name, err));
  SN_TRY(check_ids(v->pdf_codebook, (size_t)s->n_pdfs, s->n_codebooks,
                   "pdf-codebooks", name, err));
  for (int32_t k = 0; k < s->n_streams; k++)
    if (v->stream_len[k] < 1 || v->stream_len[k] > s->dim)
      return bad(name, "stream-lens", (size_t)k, err);
  SN_TRY(
      check_ids(v->stream_dims, n_dims(v), s->dim, "stream-dims", name, err));
  for (int32_t i = 0; i < s->n_pdfs && v->gauss_first != NULL; i++)
    if (v->pdf_codebook[i] != i)
      return bad(name, "pdf-codebooks", (size_t)i, err);
  SN_TRY(check_ragged(v, name, err));
  return check_gaussians(v, name, err);
}

/* ---- Writing ---- */

static sn_status add_all(sn_box_writer *w, const sni_am_view *v, sn_err *err) {
  const sni_am_shape *const s = &v->shape;
  const double scales[2] = {v->weight_unit, v->clip};
  const size_t H = (size_t)s->n_hmms, S = (size_t)s->n_states;
  const size_t P = (size_t)s->n_phones;
  SN_TRY(sn_box_add(w, "shape", 4, s, SHAPE_INTS, err));
  SN_TRY(sn_box_add(w, "scales", 8, scales, 2, err));
  SN_TRY(sn_box_add(w, "phone-names", 1, v->names, v->n_names, err));
  SN_TRY(sn_box_add(w, "phone-filler", 1, v->is_filler, P, err));
  SN_TRY(sn_box_add(w, "base-hmms", 4, v->base_hmm, P, err));
  SN_TRY(sn_box_add(w, "hmm-tmats", 4, v->hmm_tmat, H, err));
  SN_TRY(sn_box_add(w, "hmm-pdfs", 4, v->hmm_pdfs, H * S, err));
  SN_TRY(sn_box_add(w, "tmats", 4, v->tmats, n_tmat_cells(s), err));
  SN_TRY(sn_box_add(w, "tri-first", 4, v->tri_first, n_tri_first(s), err));
  SN_TRY(sn_box_add(w, "triphones", sizeof(sni_am_tri), v->tris,
                    (size_t)s->n_triphones, err));
  SN_TRY(sn_box_add(w, "stream-lens", 4, v->stream_len, (size_t)s->n_streams,
                    err));
  SN_TRY(sn_box_add(w, "stream-dims", 4, v->stream_dims, n_dims(v), err));
  if (v->gauss_first != NULL)
    SN_TRY(sn_box_add(w, "gauss-first", 4, v->gauss_first,
                      (size_t)s->n_pdfs + 1, err));
  SN_TRY(sn_box_add(w, "means", 4, v->means, n_gauss_params(v), err));
  SN_TRY(sn_box_add(w, "variances", 4, v->vars, n_gauss_params(v), err));
  SN_TRY(sn_box_add(w, "pdf-codebooks", 4, v->pdf_codebook, (size_t)s->n_pdfs,
                    err));
  return v->weights8 != NULL
             ? sn_box_add(w, "weights8", 1, v->weights8, n_weights(v), err)
             : sn_box_add(w, "weights", 4, v->weights, n_weights(v), err);
}

sn_status sni_am_write(const sni_am_view *v, const char *path, sn_err *err) {
  sn_box_writer *w = NULL;
  SN_TRY(sni_am_check(v, path, err));
  SN_TRY(sn_box_create(
      path, SNI_AM_MAGIC,
      v->gauss_first != NULL ? SNI_AM_VERSION_RAGGED : SNI_AM_VERSION, &w,
      err));
  sn_status s = add_all(w, v, err);
  if (s == SN_OK) s = sn_box_commit(w, err);
  sn_box_writer_destroy(w);
  return s;
}

/* ---- Reading ---- */

/* A section that must have exactly `want` elements. */
static sn_status take(sn_box *box, const char *name, const char *section,
                      size_t elem_size, size_t want, void *out, sn_err *err) {
  const void *data = NULL;
  size_t n = 0;
  SN_TRY(sn_box_section(box, section, elem_size, 0, &data, &n, err));
  if (n != want)
    return sn_fail(err, SN_EFORMAT,
                   "%s: section '%s' has %zu elements, the shape asks for %zu",
                   name, section, n, want);
  memcpy(out, &data, sizeof data); /* out is the address of a pointer */
  return SN_OK;
}

static sn_status take_all(sn_box *box, const char *name, sni_am_view *v,
                          sn_err *err) {
  const sni_am_shape *const s = &v->shape;
  const size_t H = (size_t)s->n_hmms, S = (size_t)s->n_states;
  const size_t P = (size_t)s->n_phones, K = (size_t)s->n_streams;
  const void *names = NULL, *first = NULL;
  size_t n_first = 0;
  SN_TRY(sn_box_section(box, "phone-names", 1, 0, &names, &v->n_names, err));
  v->names = names;
  SN_TRY(take(box, name, "phone-filler", 1, P, &v->is_filler, err));
  SN_TRY(take(box, name, "base-hmms", 4, P, &v->base_hmm, err));
  SN_TRY(take(box, name, "hmm-tmats", 4, H, &v->hmm_tmat, err));
  SN_TRY(take(box, name, "hmm-pdfs", 4, H * S, &v->hmm_pdfs, err));
  SN_TRY(take(box, name, "tmats", 4, n_tmat_cells(s), &v->tmats, err));
  SN_TRY(take(box, name, "tri-first", 4, n_tri_first(s), &v->tri_first, err));
  SN_TRY(take(box, name, "triphones", sizeof(sni_am_tri),
              (size_t)s->n_triphones, &v->tris, err));
  SN_TRY(take(box, name, "stream-lens", 4, K, &v->stream_len, err));
  for (size_t k = 0; k < K; k++)
    if (v->stream_len[k] < 1 || v->stream_len[k] > s->dim)
      return bad(name, "stream-lens", k, err);
  SN_TRY(take(box, name, "stream-dims", 4, n_dims(v), &v->stream_dims, err));
  SN_TRY(sn_box_section(box, "gauss-first", 4, SN_BOX_OPTIONAL, &first,
                        &n_first, err));
  v->gauss_first = first;
  if (first != NULL && n_first != (size_t)s->n_pdfs + 1)
    return bad(name, "gauss-first", n_first, err);
  SN_TRY(check_ragged(v, name, err));
  SN_TRY(take(box, name, "means", 4, n_gauss_params(v), &v->means, err));
  SN_TRY(take(box, name, "variances", 4, n_gauss_params(v), &v->vars, err));
  SN_TRY(take(box, name, "pdf-codebooks", 4, (size_t)s->n_pdfs,
              &v->pdf_codebook, err));
  return s->weights == 1
             ? take(box, name, "weights8", 1, n_weights(v), &v->weights8, err)
             : take(box, name, "weights", 4, n_weights(v), &v->weights, err);
}

sn_status sni_am_read(sn_box *box, const char *name, sni_am_view *v,
                      sn_err *err) {
  const void *shape = NULL;
  const double *scales = NULL;
  memset(v, 0, sizeof *v);
  SN_TRY(take(box, name, "shape", 4, SHAPE_INTS, &shape, err));
  memcpy(&v->shape, shape, sizeof v->shape);
  SN_TRY(check_shape(&v->shape, name, err));
  SN_TRY(take(box, name, "scales", 8, 2, &scales, err));
  v->weight_unit = scales[0];
  v->clip = scales[1];
  SN_TRY(take_all(box, name, v, err));
  return sni_am_check(v, name, err);
}

int32_t sni_am_find_tri(const sni_am_view *v, int32_t base, int32_t left,
                        int32_t right, int32_t pos) {
  if (v->shape.n_triphones == 0) return -1;
  const size_t P = (size_t)v->shape.n_phones;
  const size_t at = ((size_t)pos * P + (size_t)base) * P + (size_t)left;
  int32_t lo = v->tri_first[at], hi = v->tri_first[at + 1];
  while (lo < hi) {
    const int32_t mid = lo + (hi - lo) / 2;
    if (v->tris[mid].right == right) return v->tris[mid].hmm;
    if (v->tris[mid].right < right)
      lo = mid + 1;
    else
      hi = mid;
  }
  return -1;
}
