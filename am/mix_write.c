/* SPDX-License-Identifier: Apache-2.0 */
/* The model directory of trained mixtures: am.bin (version 2) and model.ini. */
#include <math.h>
#include <string.h>

#include "am/am_internal.h"
#include "am/mixtures.h"
#include "base/ini.h"
#include "base/mem.h"

/* What the view points to and nobody else owns. */
typedef struct made {
  sn_str names;
  int32_t *tri_first, *dims, *codebooks;
  sni_am_tri *tris;
  int32_t n_tris;
} made;

static void clear(made *m) {
  sn_str_clear(&m->names);
  sn_free(m->tri_first);
  sn_free(m->dims);
  sn_free(m->codebooks);
  sn_free(m->tris);
}

static sn_status place_triphones(const sn_am_parts *p, made *m, sn_err *err) {
  const size_t P = (size_t)p->n_phones, rows = SN_N_POS * P * P;
  if (p->triphone == NULL) {
    m->tri_first = sn_calloc(1, sizeof *m->tri_first);
    m->tris = sn_calloc(1, sizeof *m->tris);
  } else {
    m->tri_first = sn_calloc(rows + 1, sizeof *m->tri_first);
    m->tris = sn_calloc(rows * P, sizeof *m->tris);
  }
  if (m->tri_first == NULL || m->tris == NULL)
    return sn_fail_nomem(err, "model");
  for (size_t i = 0; p->triphone != NULL && i < rows; i++) {
    for (size_t r = 0; r < P; r++)
      if (p->triphone[i * P + r] >= 0)
        m->tris[m->n_tris++] = (sni_am_tri){(int32_t)r, p->triphone[i * P + r]};
    m->tri_first[i + 1] = m->n_tris;
  }
  if (m->n_tris == 0 && p->triphone != NULL) m->tri_first[0] = 0;
  return SN_OK;
}

static sn_status make(const sn_am_parts *p, made *m, sn_err *err) {
  const size_t D = p->mix->dim, N = p->mix->n_pdfs;
  for (int32_t i = 0; i < p->n_phones; i++)
    SN_TRY(sn_str_add(&m->names, p->phones[i], strlen(p->phones[i]) + 1, err));
  SN_TRY(place_triphones(p, m, err));
  m->dims = sn_calloc(D, sizeof *m->dims);
  m->codebooks = sn_calloc(N, sizeof *m->codebooks);
  if (m->dims == NULL || m->codebooks == NULL)
    return sn_fail_nomem(err, "model");
  for (size_t d = 0; d < D; d++) m->dims[d] = (int32_t)d;
  for (size_t i = 0; i < N; i++) m->codebooks[i] = (int32_t)i;
  return SN_OK;
}

static sn_status write_bin(const sn_am_parts *p, const made *m,
                           const sn_mixtures *mix, const char *path,
                           sn_err *err) {
  const int32_t dim = (int32_t)mix->dim;
  int32_t most = 1;
  for (size_t i = 0; i < mix->n_pdfs; i++)
    if (mix->first[i + 1] - mix->first[i] > most)
      most = mix->first[i + 1] - mix->first[i];
  const sni_am_view v = {
      .shape = {.kind = SN_AM_CONTINUOUS,
                .n_phones = p->n_phones,
                .silence = p->silence,
                .n_states = p->n_states,
                .n_tmats = p->n_tmats,
                .n_hmms = p->n_hmms,
                .n_triphones = m->n_tris,
                .n_pdfs = (int32_t)mix->n_pdfs,
                .n_codebooks = (int32_t)mix->n_pdfs,
                .n_streams = 1,
                .n_gauss = most,
                .dim = dim,
                .top_n = most < SNI_AM_MAX_TOP ? most : SNI_AM_MAX_TOP},
      .clip = HUGE_VAL,
      .names = m->names.data,
      .n_names = m->names.n,
      .is_filler = p->is_filler,
      .base_hmm = p->base_hmm,
      .hmm_tmat = p->hmm_tmat,
      .hmm_pdfs = p->hmm_pdfs,
      .tmats = p->tmats,
      .tri_first = m->tri_first,
      .tris = m->tris,
      .stream_len = &dim,
      .stream_dims = m->dims,
      .means = mix->means,
      .vars = mix->vars,
      .pdf_codebook = m->codebooks,
      .weights = mix->weights,
      .gauss_first = mix->first};
  return sni_am_write(&v, path, err);
}

static sn_status set_number(sn_ini *ini, const char *section, const char *key,
                            const char *before, double value, sn_err *err) {
  sn_str text = {0};
  sn_status s = sn_str_addf(&text, err, "%s%.9g", before, value);
  if (s == SN_OK) s = sn_ini_set(ini, section, key, sn_str_get(&text), err);
  sn_str_clear(&text);
  return s;
}

static sn_status fill_ini(const sn_am_parts *p, sn_ini *ini, sn_err *err) {
  const char *value = NULL, *key = NULL;
  SN_TRY(sn_ini_set(ini, "model", "kind", "continuous", err));
  SN_TRY(sn_ini_set(ini, "model", "name", p->name, err));
  SN_TRY(sn_ini_set(ini, "model", "version", "2", err));
  SN_TRY(sn_ini_set(ini, "model", "source", "senone train", err));
  SN_TRY(sn_ini_set(
      ini, "frontend", "dialect",
      sn_feat_config_dialect(p->feat) == SN_FEAT_KALDI ? "kaldi" : "sphinx",
      err));
  for (size_t i = 0; (key = sn_feat_config_at(p->feat, i, &value)) != NULL; i++)
    SN_TRY(sn_ini_set(ini, "frontend", key, value, err));
  if (p->transform.rows > 0)
    SN_TRY(sn_ini_set(ini, "frontend", "transform", "final.mat", err));
  SN_TRY(set_number(ini, "decode", "lm-scale", "", p->lm_scale, err));
  SN_TRY(set_number(ini, "decode", "word-penalty", "", p->word_penalty, err));
  sn_str sil = {0};
  sn_status s = sn_str_addf(&sil, err, "<sil> %s ", p->phones[p->silence]);
  if (s == SN_OK)
    s = set_number(ini, "fillers", "filler1", sn_str_get(&sil), p->silence_prob,
                   err);
  sn_str_clear(&sil);
  SN_TRY(s);
  SN_TRY(sn_ini_set(ini, "files", "am", "am.bin", err));
  if (p->first == NULL) return SN_OK;
  SN_TRY(sn_ini_set(ini, "files", "am-first", "am-first.bin", err));
  return sn_ini_set(ini, "adapt", "default", "fmllr", err);
}

static sn_status write_ini(const sn_am_parts *p, const char *path,
                           sn_err *err) {
  sn_ini *ini = NULL;
  SN_TRY(sn_ini_create(&ini, err));
  sn_status s = fill_ini(p, ini, err);
  if (s == SN_OK) s = sn_ini_save(ini, path, err);
  sn_ini_destroy(ini);
  return s;
}

/* As text: model directories are for reading. 9 digits give every float back.
 */
static sn_status write_transform(sn_cmat m, const char *path, sn_err *err) {
  sn_writer *w = NULL;
  SN_TRY(sn_writer_open(path, &w, err));
  sn_status s = sn_writef(w, err, " [");
  for (size_t r = 0; s == SN_OK && r < m.rows; r++) {
    s = sn_writef(w, err, "\n ");
    for (size_t c = 0; s == SN_OK && c < m.cols; c++)
      s = sn_writef(w, err, " %.9g", (double)sn_cmat_row(m, r)[c]);
  }
  if (s == SN_OK) s = sn_writef(w, err, " ]\n");
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  return s;
}

sn_status sn_am_write_parts(const sn_am_parts *p, const char *dir,
                            sn_err *err) {
  made m = {0};
  SN_TRY(sn_dir_make(dir, err));
  char *const bin = sn_path_join(dir, "am.bin");
  char *const ini = sn_path_join(dir, "model.ini");
  char *const mat = sn_path_join(dir, "final.mat");
  char *const first = sn_path_join(dir, "am-first.bin");
  sn_status s = bin == NULL || ini == NULL || mat == NULL || first == NULL
                    ? sn_fail_nomem(err, "model")
                    : make(p, &m, err);
  if (s == SN_OK) s = write_bin(p, &m, p->mix, bin, err);
  if (s == SN_OK && p->first != NULL)
    s = write_bin(p, &m, p->first, first, err);
  if (s == SN_OK && p->transform.rows > 0)
    s = write_transform(p->transform, mat, err);
  if (s == SN_OK) s = write_ini(p, ini, err);
  clear(&m);
  sn_free(bin);
  sn_free(ini);
  sn_free(mat);
  sn_free(first);
  return s;
}

sn_status sn_am_mixtures(const sn_am *am, sn_mixtures *out, sn_err *err) {
  const sni_am_view *const v = sni_am_view_of(am);
  const size_t N = (size_t)v->shape.n_pdfs, D = (size_t)v->shape.dim;
  memset(out, 0, sizeof *out);
  if (v->gauss_first == NULL)
    return sn_fail(err, SN_EARG,
                   "the model '%s' was not trained here: its Gaussians are "
                   "shared or of a fixed number",
                   sn_am_name(am));
  int32_t *const counts = sn_calloc(N, sizeof *counts);
  if (counts == NULL) return sn_fail_nomem(err, "mixtures");
  for (size_t i = 0; i < N; i++)
    counts[i] = v->gauss_first[i + 1] - v->gauss_first[i];
  const sn_status s = sn_mixtures_init(out, N, D, counts, err);
  sn_free(counts);
  SN_TRY(s);
  const size_t G = sn_mixtures_n_gauss(out);
  memcpy(out->weights, v->weights, G * sizeof(float));
  memcpy(out->means, v->means, G * D * sizeof(float));
  memcpy(out->vars, v->vars, G * D * sizeof(float));
  return SN_OK;
}
