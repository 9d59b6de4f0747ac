/* SPDX-License-Identifier: Apache-2.0 */
/* The model directory of an imported Sphinx model: am.bin, model.ini, and the
 * feature transform if there is one. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "am/sphinx_import_internal.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/mem.h"

/* Densities that are clipped are so far below the best of the stream
 * (tied_mgau_common.h:MAX_NEG_ASCR). */
#define CLIP_UNITS 96

/* ---- Fillers ---- */

static sn_status add_filler(sn_ini *ini, int n, sn_span word, sn_span phone,
                            double prob, sn_err *err) {
  sn_str key = {0}, value = {0};
  sn_status s = sn_str_addf(&key, err, "filler%d", n);
  if (s == SN_OK)
    s = sn_str_addf(&value, err, "%.*s %.*s %.9g", (int)word.n, word.p,
                    (int)phone.n, phone.p, prob);
  if (s == SN_OK)
    s = sn_ini_set(ini, "fillers", sn_str_get(&key), sn_str_get(&value), err);
  sn_str_clear(&key);
  sn_str_clear(&value);
  return s;
}

/* noisedict: "word phone"; sentence marks are no fillers. */
static sn_status parse_noisedict(sni_import *m, const char *data, size_t n,
                                 const char *path, sn_ini *ini, int *n_fillers,
                                 bool *has_sil, sn_err *err) {
  sn_span rest = {data, n}, line = {0};
  for (int no = 1; sn_next_field_sep(&rest, '\n', &line); no++) {
    sn_span word = {0}, phone = {0}, more = {0};
    if (line.n >= 2 && memcmp(line.p, "##", 2) == 0) continue;
    if (line.n >= 2 && memcmp(line.p, ";;", 2) == 0) continue;
    if (!sn_next_field(&line, &word)) continue;
    if (!sn_next_field(&line, &phone) || sn_next_field(&line, &more))
      return sn_fail(err, SN_EFORMAT, "%s:%d: expected a word and one phone",
                     path, no);
    if (sn_symtab_find(m->mdef.phones, phone.p, phone.n) < 0)
      return sn_fail(err, SN_EMISMATCH, "%s:%d: '%.*s' is not a phone of mdef",
                     path, no, (int)phone.n, phone.p);
    if (sn_span_eq(word, "<s>") || sn_span_eq(word, "</s>")) continue;
    const bool sil = sn_span_eq(word, "<sil>");
    if (sil) *has_sil = true;
    SN_TRY(add_filler(ini, ++*n_fillers, word, phone,
                      sil ? m->o.sil_prob : m->o.fill_prob, err));
  }
  return SN_OK;
}

/* Without an entry for <sil> it is SIL (dict.c:dict_init). */
static sn_status read_fillers(sni_import *m, sn_ini *ini, sn_err *err) {
  int n_fillers = 0;
  bool has_sil = false, has_dict = false;
  SN_TRY(sni_import_has(m, "noisedict", &has_dict, err));
  if (has_dict) {
    char *path = NULL, *data = NULL;
    size_t n = 0;
    sn_status s = sni_import_file(m, "noisedict", &path, &data, &n, err);
    if (s == SN_OK)
      s = parse_noisedict(m, data, n, path, ini, &n_fillers, &has_sil, err);
    sn_free(data);
    sn_free(path);
    SN_TRY(s);
  }
  if (has_sil) return SN_OK;
  return add_filler(ini, n_fillers + 1, sn_span_of("<sil>"), sn_span_of("SIL"),
                    m->o.sil_prob, err);
}

/* ---- Writing ---- */

static sn_status place_phones(sni_import *m, sn_err *err) {
  const sni_mdef *const d = &m->mdef;
  const size_t P = (size_t)d->n_phones;
  for (int32_t p = 0; p < d->n_phones; p++) {
    const char *const name = sn_symtab_get(d->phones, p);
    SN_TRY(sn_str_add(&m->names, name, strlen(name) + 1, err));
  }
  const size_t n_first = d->tris.n == 0 ? 1 : SN_N_POS * P * P + 1;
  m->tri_first = sn_calloc(n_first, sizeof *m->tri_first);
  m->tris = sn_calloc(d->tris.n, sizeof *m->tris);
  if (m->tri_first == NULL || m->tris == NULL)
    return sn_fail_nomem(err, "import");
  for (size_t i = 0; i < d->tris.n; i++) {
    const sni_mdef_tri *const t = &d->tris.data[i];
    const size_t at =
        ((size_t)t->pos * P + (size_t)t->base) * P + (size_t)t->left;
    m->tri_first[at + 1]++;
    m->tris[i] = (sni_am_tri){t->right, t->hmm};
  }
  for (size_t i = 1; i < n_first; i++) m->tri_first[i] += m->tri_first[i - 1];
  return SN_OK;
}

static void fill_view(sni_import *m) {
  sni_am_view *const v = &m->v;
  sni_am_shape *const s = &v->shape;
  const sni_mdef *const d = &m->mdef;
  const sni_s3_gauss *const g = &m->means;
  s->n_phones = d->n_phones;
  s->silence = d->silence;
  s->n_states = d->n_states;
  s->n_tmats = d->n_tmats;
  s->n_hmms = (int32_t)d->hmm_tmat.n;
  s->n_triphones = (int32_t)d->tris.n;
  s->n_pdfs = d->n_pdfs;
  s->n_codebooks = g->n_codebooks;
  s->n_streams = g->n_streams;
  s->n_gauss = g->n_gauss;
  s->top_n = m->o.top_n < g->n_gauss ? m->o.top_n : g->n_gauss;
  s->weights = m->weights8 != NULL ? 1 : 0;
  v->weight_unit = m->weights8 != NULL ? m->dump.unit : SNI_SPHINX_UNIT;
  v->clip =
      s->kind == SN_AM_CONTINUOUS ? HUGE_VAL : CLIP_UNITS * SNI_SPHINX_UNIT;
  v->names = m->names.data;
  v->n_names = m->names.n;
  v->is_filler = d->is_filler;
  v->base_hmm = d->base_hmm;
  v->hmm_tmat = d->hmm_tmat.data;
  v->hmm_pdfs = d->hmm_pdfs.data;
  v->tmats = m->tmat.data;
  v->tri_first = m->tri_first;
  v->tris = m->tris;
  v->stream_len = g->len;
  v->stream_dims = m->stream_dims;
  v->means = g->data;
  v->vars = m->vars.data;
  v->pdf_codebook = m->codebook;
  v->weights8 = m->weights8;
  v->weights = m->weights;
}

static sn_status set_double(sn_ini *ini, const char *section, const char *key,
                            double value, sn_err *err) {
  sn_str text = {0};
  sn_status s = sn_str_addf(&text, err, "%.9g", value);
  if (s == SN_OK) s = sn_ini_set(ini, section, key, sn_str_get(&text), err);
  sn_str_clear(&text);
  return s;
}

/* The day the Gaussians were last changed: the same for every import. */
static sn_status set_date(const sni_import *m, sn_ini *ini, sn_err *err) {
  char *path = NULL, text[32] = "";
  struct stat st;
  struct tm tm;
  SN_TRY(sni_import_path(m, "means", &path, err));
  if (stat(path, &st) == 0 && gmtime_r(&st.st_mtime, &tm) != NULL)
    (void)strftime(text, sizeof text, "%Y-%m-%d", &tm);
  sn_free(path);
  return sn_ini_set(ini, "model", "date", text, err);
}

static sn_status set_name(const sni_import *m, sn_ini *ini, sn_err *err) {
  if (m->o.name[0] != '\0')
    return sn_ini_set(ini, "model", "name", m->o.name, err);
  size_t n = strlen(m->dir);
  while (n > 1 && m->dir[n - 1] == '/') n--;
  char *const dir = sn_strndup(m->dir, n);
  if (dir == NULL) return sn_fail_nomem(err, "import");
  const sn_status s = sn_ini_set(ini, "model", "name", sn_path_base(dir), err);
  sn_free(dir);
  return s;
}

static sn_status fill_ini(sni_import *m, sn_ini *ini, sn_err *err) {
  const char *value = NULL, *key = NULL;
  SN_TRY(sn_ini_set(ini, "model", "kind",
                    sn_am_kind_name((sn_am_kind)m->v.shape.kind), err));
  SN_TRY(set_name(m, ini, err));
  SN_TRY(sn_ini_set(ini, "model", "version", "1", err));
  SN_TRY(set_date(m, ini, err));
  SN_TRY(sn_ini_set(ini, "model", "source", m->dir, err));
  SN_TRY(sn_ini_set(ini, "frontend", "dialect", "sphinx", err));
  for (size_t i = 0; (key = sn_feat_config_at(m->feat, i, &value)) != NULL;
       i++) {
    const bool is_lda = m->has_lda && strcmp(key, "lda") == 0;
    SN_TRY(sn_ini_set(ini, "frontend", key,
                      is_lda ? "feature_transform" : value, err));
  }
  SN_TRY(set_double(ini, "decode", "lm-scale", m->o.lm_scale, err));
  SN_TRY(
      set_double(ini, "decode", "word-penalty", log(m->o.word_ins_prob), err));
  SN_TRY(read_fillers(m, ini, err));
  return sn_ini_set(ini, "files", "am", "am.bin", err);
}

static sn_status write_ini(sni_import *m, const char *path, sn_err *err) {
  sn_ini *ini = NULL;
  SN_TRY(sn_ini_create(&ini, err));
  sn_status s = fill_ini(m, ini, err);
  if (s == SN_OK) s = sn_ini_save(ini, path, err);
  sn_ini_destroy(ini);
  return s;
}

static sn_status copy_lda(const sni_import *m, sn_err *err) {
  char *path = NULL, *data = NULL;
  size_t n = 0;
  sn_writer *w = NULL;
  char *const to = sn_path_join(m->out_dir, "feature_transform");
  sn_status s = to == NULL ? sn_fail_nomem(err, "import")
                           : sni_import_file(m, "feature_transform", &path,
                                             &data, &n, err);
  if (s == SN_OK) s = sn_writer_open(to, &w, err);
  if (s == SN_OK) s = sn_write_bytes(w, data, n, err);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  sn_free(data);
  sn_free(path);
  sn_free(to);
  return s;
}

sn_status sni_import_write(sni_import *m, sn_err *err) {
  SN_TRY(place_phones(m, err));
  fill_view(m);
  SN_TRY(sn_dir_make(m->out_dir, err));
  if (m->has_lda) SN_TRY(copy_lda(m, err));
  char *const bin = sn_path_join(m->out_dir, "am.bin");
  char *const ini = sn_path_join(m->out_dir, "model.ini");
  sn_status s = bin == NULL || ini == NULL ? sn_fail_nomem(err, "import")
                                           : sni_am_write(&m->v, bin, err);
  if (s == SN_OK) s = write_ini(m, ini, err);
  sn_free(bin);
  sn_free(ini);
  return s;
}
