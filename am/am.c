/* SPDX-License-Identifier: Apache-2.0 */
/* Acoustic models in memory: a mapped am.bin, what model.ini says, and the
 * tables of the scorer. */
#include "am/am.h"

#include <math.h>
#include <string.h>

#include "am/am_internal.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

struct sn_am {
  sn_box *box;
  sni_am_view v;
  sni_gmm *gmm;
  sn_symtab *phones;
  char *name;
  sn_feat_config *feat;
  sn_am_filler *fillers; /* words are owned */
  int32_t n_fillers;
  sn_am_scales scales;
  double frame_shift_s;
  uint32_t topology_crc;
  float *means; /* NULL, or its own: then all but gmm is another model's */
};

/* ---- Loading ---- */

/* A setting; files are within the directory unless absolute: the sphinx
 * dialect's lda, the kaldi dialect's transform (in the former, a kind of DCT).
 */
static sn_status set_feat(sn_am *am, const char *dir, const char *key,
                          const char *value, sn_err *err) {
  char *path = NULL;
  const bool kaldi = sn_feat_config_dialect(am->feat) == SN_FEAT_KALDI;
  const bool is_file = strcmp(key, kaldi ? "transform" : "lda") == 0;
  if (is_file && value[0] != '\0' && value[0] != '/') {
    path = sn_path_join(dir, value);
    if (path == NULL) return sn_fail_nomem(err, "model");
  }
  const sn_status s =
      sn_feat_config_set(am->feat, key, path != NULL ? path : value, err);
  sn_free(path);
  if (s != SN_OK) sn_err_context(err, "model.ini: [frontend]");
  return s;
}

static sn_status load_feat(sn_am *am, const sn_ini *ini, const char *dir,
                           sn_err *err) {
  const char *dialect = NULL, *value = NULL, *key = NULL;
  SN_TRY(sn_ini_need(ini, "frontend", "dialect", &dialect, err));
  const bool kaldi = strcmp(dialect, "kaldi") == 0;
  if (!kaldi && strcmp(dialect, "sphinx") != 0)
    return sn_fail(err, SN_EFORMAT,
                   "model.ini: [frontend] dialect '%s' is neither kaldi nor "
                   "sphinx",
                   dialect);
  SN_TRY(sn_feat_config_create(kaldi ? SN_FEAT_KALDI : SN_FEAT_SPHINX,
                               &am->feat, err));
  for (size_t i = 0; (key = sn_ini_key_at(ini, "frontend", i, &value)) != NULL;
       i++)
    if (strcmp(key, "dialect") != 0) SN_TRY(set_feat(am, dir, key, value, err));
  return SN_OK;
}

/* "WORD PHONE PROBABILITY" */
static sn_status load_filler(sn_am *am, const char *key, const char *value,
                             sn_err *err) {
  sn_span rest = sn_span_of(value), word = {0}, phone = {0}, prob = {0};
  double p = 0;
  if (!sn_next_field(&rest, &word) || !sn_next_field(&rest, &phone) ||
      !sn_next_field(&rest, &prob) || !sn_parse_double(prob, &p) ||
      !(p > 0.0 && p <= 1.0))
    return sn_fail(err, SN_EFORMAT,
                   "model.ini: [fillers] %s = %s: expected WORD PHONE "
                   "PROBABILITY",
                   key, value);
  sn_am_filler *const f = &am->fillers[am->n_fillers];
  f->phone = sn_symtab_find(am->phones, phone.p, phone.n);
  if (f->phone < 0)
    return sn_fail(err, SN_EMISMATCH,
                   "model.ini: [fillers] %s: the model has no phone '%.*s'",
                   key, (int)phone.n, phone.p);
  f->logp = (float)log(p);
  f->word = sn_strndup(word.p, word.n);
  if (f->word == NULL) return sn_fail_nomem(err, "fillers");
  am->n_fillers++;
  return SN_OK;
}

static sn_status load_fillers(sn_am *am, const sn_ini *ini, sn_err *err) {
  const char *value = NULL;
  size_t n = 0;
  while (sn_ini_key_at(ini, "fillers", n, &value) != NULL) n++;
  am->fillers = sn_calloc(n, sizeof *am->fillers);
  if (am->fillers == NULL) return sn_fail_nomem(err, "fillers");
  for (size_t i = 0; i < n; i++) {
    const char *const key = sn_ini_key_at(ini, "fillers", i, &value);
    SN_TRY(load_filler(am, key, value, err));
  }
  return SN_OK;
}

static sn_status load_phones(sn_am *am, sn_err *err) {
  const char *name = am->v.names;
  SN_TRY(sn_symtab_create(&am->phones, err));
  for (int32_t p = 0; p < am->v.shape.n_phones; p++) {
    const size_t len = strlen(name);
    int32_t id = 0;
    SN_TRY(sn_symtab_add(am->phones, name, len, &id, err));
    if (id != p)
      return sn_fail(err, SN_EFORMAT,
                     "section 'phone-names': the phone %s is there twice",
                     name);
    name += len + 1;
  }
  return SN_OK;
}

static uint32_t topology_crc(const sni_am_view *v) {
  const sni_am_shape *const s = &v->shape;
  const size_t H = (size_t)s->n_hmms, S = (size_t)s->n_states;
  const size_t P = (size_t)s->n_phones;
  const int32_t counts[] = {s->n_phones, s->silence, s->n_states,
                            s->n_tmats,  s->n_hmms,  s->n_pdfs};
  uint32_t crc = sn_crc32(0, counts, sizeof counts);
  crc = sn_crc32(crc, v->names, v->n_names);
  crc = sn_crc32(crc, v->is_filler, P);
  crc = sn_crc32(crc, v->base_hmm, P * sizeof(int32_t));
  crc = sn_crc32(crc, v->hmm_tmat, H * sizeof(int32_t));
  crc = sn_crc32(crc, v->hmm_pdfs, H * S * sizeof(int32_t));
  crc =
      sn_crc32(crc, v->tmats, (size_t)s->n_tmats * S * (S + 1) * sizeof(float));
  return sn_crc32(crc, v->tris, (size_t)s->n_triphones * sizeof *v->tris);
}

/* The features must be as wide as the model thinks. */
static sn_status check_feat(sn_am *am, sn_err *err) {
  sn_feat *plan = NULL;
  SN_TRY(sn_feat_create(am->feat, SN_FEAT_FULL, &plan, err));
  const size_t dim = sn_feat_dim(plan);
  am->frame_shift_s = sn_feat_frame_shift_s(plan);
  sn_feat_destroy(plan);
  if (dim != (size_t)am->v.shape.dim)
    return sn_fail(err, SN_EMISMATCH,
                   "the Gaussians are for %d feature dimensions, the front "
                   "end of model.ini makes %zu",
                   am->v.shape.dim, dim);
  return SN_OK;
}

static sn_status load_parts(sn_am *am, const sn_ini *ini, const char *dir,
                            const char *path, sn_err *err) {
  const char *value = sn_ini_get(ini, "model", "name");
  am->name = sn_strdup(value == NULL ? "" : value);
  if (am->name == NULL) return sn_fail_nomem(err, "model");
  am->scales = (sn_am_scales){.lm_scale = 1.0, .word_penalty = 0.0};
  SN_TRY(
      sn_ini_get_double(ini, "decode", "lm-scale", &am->scales.lm_scale, err));
  SN_TRY(sn_ini_get_double(ini, "decode", "word-penalty",
                           &am->scales.word_penalty, err));
  SN_TRY(load_feat(am, ini, dir, err));
  /* version 2 has Gaussians whose number varies */
  SN_TRY(sn_box_open_range(path, SNI_AM_MAGIC, SNI_AM_VERSION,
                           SNI_AM_VERSION_RAGGED, &am->box, err));
  SN_TRY(sni_am_read(am->box, path, &am->v, err));
  SN_TRY(load_phones(am, err));
  SN_TRY(load_fillers(am, ini, err));
  SN_TRY(check_feat(am, err));
  am->topology_crc = topology_crc(&am->v);
  return sni_gmm_create(&am->v, &am->gmm, err);
}

/* *found false: [files] has no such part. */
static sn_status load(const char *ini_path, const char *dir, const char *part,
                      bool *found, sn_am *am, sn_err *err) {
  sn_ini *ini = NULL;
  char *path = NULL;
  SN_TRY(sn_ini_load(ini_path, &ini, err));
  const char *file = sn_ini_get(ini, "files", part);
  *found = file != NULL;
  sn_status s = SN_OK;
  if (strcmp(part, "am") == 0) s = sn_ini_need(ini, "files", part, &file, err);
  if (s == SN_OK && file != NULL) {
    path = sn_path_join(dir, file);
    s = path == NULL ? sn_fail_nomem(err, "model")
                     : load_parts(am, ini, dir, path, err);
  }
  sn_free(path);
  sn_ini_destroy(ini);
  return s;
}

sn_status sn_am_load_part(const char *dir, const char *name, const sn_am *like,
                          sn_log *log, sn_am **out, sn_err *err) {
  bool found = false;
  *out = NULL;
  if (!sn_dir_exists(dir))
    return sn_fail(err, SN_EIO,
                   "there is no model directory '%s'; `senone am "
                   "import-sphinx` makes one",
                   dir);
  sn_am *const am = sn_calloc(1, sizeof *am);
  char *const ini_path = sn_path_join(dir, "model.ini");
  sn_status s = am == NULL || ini_path == NULL
                    ? sn_fail_nomem(err, "model")
                    : load(ini_path, dir, name, &found, am, err);
  sn_free(ini_path);
  if (s == SN_OK && found && like != NULL &&
      (am->topology_crc != like->topology_crc ||
       am->v.shape.dim != like->v.shape.dim))
    s = sn_fail(err, SN_EMISMATCH,
                "[files] %s and am do not have the same phones, HMMs, pdfs "
                "and dimensions",
                name);
  if (s != SN_OK || !found) {
    if (s != SN_OK) sn_err_context(err, "model '%s'", dir);
    sn_am_destroy(am);
    return s;
  }
  sn_debug(log, "model %s, %s: %d phones, %d HMMs, %d pdfs", dir, name,
           am->v.shape.n_phones, am->v.shape.n_hmms, am->v.shape.n_pdfs);
  *out = am;
  return SN_OK;
}

sn_status sn_am_load(const char *dir, sn_log *log, sn_am **out, sn_err *err) {
  return sn_am_load_part(dir, "am", NULL, log, out, err);
}

sn_status sni_am_with_means(const sn_am *am, float *means, sn_am **out,
                            sn_err *err) {
  *out = NULL;
  sn_am *const a = sn_calloc(1, sizeof *a);
  if (a == NULL) {
    sn_free(means);
    return sn_fail_nomem(err, "adapted model");
  }
  *a = *am;
  a->means = means;
  a->v.means = means;
  const sn_status s = sni_gmm_create_like(&a->v, am->gmm, &a->gmm, err);
  if (s == SN_OK)
    *out = a;
  else
    sn_am_destroy(a);
  return s;
}

void sn_am_destroy(sn_am *am) {
  if (am == NULL) return;
  if (am->means != NULL) {
    sni_gmm_destroy(am->gmm);
    sn_free(am->means);
    sn_free(am);
    return;
  }
  for (int32_t i = 0; i < am->n_fillers; i++)
    sn_free((void *)(uintptr_t)am->fillers[i].word);
  sn_free(am->fillers);
  sn_feat_config_destroy(am->feat);
  sn_symtab_destroy(am->phones);
  sni_gmm_destroy(am->gmm);
  sn_free(am->name);
  sn_box_destroy(am->box);
  sn_free(am);
}

/* ---- Looking ---- */

const sni_am_view *sni_am_view_of(const sn_am *am) { return &am->v; }
const sni_gmm *sni_am_gmm(const sn_am *am) { return am->gmm; }
double sni_am_frame_shift_s(const sn_am *am) { return am->frame_shift_s; }
const sn_feat_config *sn_am_feat(const sn_am *am) { return am->feat; }
const char *sn_am_name(const sn_am *am) { return am->name; }
int32_t sn_am_n_phones(const sn_am *am) { return am->v.shape.n_phones; }
int32_t sn_am_silence(const sn_am *am) { return am->v.shape.silence; }
int32_t sn_am_n_pdfs(const sn_am *am) { return am->v.shape.n_pdfs; }
int32_t sn_am_n_hmms(const sn_am *am) { return am->v.shape.n_hmms; }
int32_t sn_am_n_fillers(const sn_am *am) { return am->n_fillers; }
sn_am_scales sn_am_default_scales(const sn_am *am) { return am->scales; }
uint32_t sn_am_topology_crc(const sn_am *am) { return am->topology_crc; }

const char *sn_am_phone(const sn_am *am, int32_t phone) {
  return sn_symtab_get(am->phones, phone);
}

int32_t sn_am_find_phone(const sn_am *am, const char *name) {
  return sn_symtab_finds(am->phones, name);
}

bool sn_am_is_filler(const sn_am *am, int32_t phone) {
  SN_ASSERT(phone >= 0 && phone < am->v.shape.n_phones);
  return am->v.is_filler[phone] != 0;
}

sn_am_filler sn_am_filler_at(const sn_am *am, int32_t i) {
  SN_ASSERT(i >= 0 && i < am->n_fillers);
  return am->fillers[i];
}

sn_hmm sn_am_hmm(const sn_am *am, int32_t hmm) {
  SN_ASSERT(hmm >= 0 && hmm < am->v.shape.n_hmms);
  const size_t S = (size_t)am->v.shape.n_states;
  const size_t tmat = (size_t)am->v.hmm_tmat[hmm];
  const sn_hmm h = {.n_states = am->v.shape.n_states,
                    .pdfs = am->v.hmm_pdfs + (size_t)hmm * S,
                    .logp = am->v.tmats + tmat * S * (S + 1)};
  return h;
}

int32_t sn_am_monophone(const sn_am *am, int32_t base) {
  SN_ASSERT(base >= 0 && base < am->v.shape.n_phones);
  return am->v.base_hmm[base];
}

/* The triphone at the wanted word position (*exact), else at the others in
 * the order of sn_wordpos; -1: at none. */
static int32_t find_any_pos(const sni_am_view *v, int32_t base, int32_t left,
                            int32_t right, int32_t pos, bool *exact) {
  int32_t hmm = sni_am_find_tri(v, base, left, right, pos);
  *exact = hmm >= 0;
  for (int32_t p = 0; p < SN_N_POS && hmm < 0; p++)
    if (p != pos) hmm = sni_am_find_tri(v, base, left, right, p);
  return hmm;
}

/* 1. the triphone, fillers as contexts being silence;
 * 2. at another word position, the lowest that has it;
 * 3. with silence for the contexts outside the word, as 1 and 2;
 * 4. the base phone.
 * Source: cmusphinx/pocketsphinx bin_mdef.c:bin_mdef_phone_id_nearest. */
int32_t sn_am_triphone(const sn_am *am, int32_t base, int32_t left,
                       int32_t right, sn_wordpos pos, sn_am_backoff *backoff) {
  const sni_am_view *const v = &am->v;
  const int32_t P = v->shape.n_phones, sil = v->shape.silence;
  sn_am_backoff unused;
  if (backoff == NULL) backoff = &unused;
  SN_ASSERT(base >= 0 && base < P && left < P && right < P);
  SN_ASSERT(pos >= 0 && pos < SN_N_POS);
  bool exact = false;
  int32_t l = left < 0 || v->is_filler[left] != 0 ? sil : left;
  int32_t r = right < 0 || v->is_filler[right] != 0 ? sil : right;
  int32_t hmm = find_any_pos(v, base, l, r, (int32_t)pos, &exact); /* 1, 2 */
  *backoff = exact ? SN_BACKOFF_EXACT : SN_BACKOFF_POSITION;
  if (hmm >= 0) return hmm;
  if (pos == SN_POS_BEGIN || pos == SN_POS_SINGLE) l = sil; /* 3 */
  if (pos == SN_POS_END || pos == SN_POS_SINGLE) r = sil;
  hmm = find_any_pos(v, base, l, r, (int32_t)pos, &exact);
  *backoff = SN_BACKOFF_EDGE;
  if (hmm >= 0) return hmm;
  *backoff = SN_BACKOFF_BASE; /* 4 */
  return v->base_hmm[base];
}

const char *sn_am_kind_name(sn_am_kind kind) {
  switch (kind) {
    case SN_AM_CONTINUOUS:
      return "continuous";
    case SN_AM_SEMI:
      return "semi-continuous";
    case SN_AM_PTM:
      return "ptm";
  }
  return "unknown";
}

sn_am_info sn_am_get_info(const sn_am *am) {
  const sni_am_shape *const s = &am->v.shape;
  sn_am_info i = {
      .kind = (sn_am_kind)s->kind,
      .n_phones = s->n_phones,
      .n_triphones = s->n_triphones,
      .n_hmms = s->n_hmms,
      .n_states = s->n_states,
      .n_tmats = s->n_tmats,
      .n_pdfs = s->n_pdfs,
      .n_codebooks = s->n_codebooks,
      .n_streams = s->n_streams,
      .n_gauss = s->n_gauss,
      .n_all_gauss = am->v.gauss_first != NULL
                         ? am->v.gauss_first[s->n_pdfs]
                         : (int64_t)s->n_codebooks * s->n_streams * s->n_gauss,
      .dim = s->dim,
      .top_n = am->v.gauss_first != NULL ? 0 : s->top_n,
      .clip_nat = am->v.clip};
  for (int32_t p = 0; p < s->n_phones; p++)
    if (am->v.is_filler[p] != 0) i.n_fillers++;
  return i;
}

const int32_t *sn_am_stream_dims(const sn_am *am, int32_t s, int32_t *n) {
  SN_ASSERT(s >= 0 && s < am->v.shape.n_streams);
  const int32_t *dims = am->v.stream_dims;
  for (int32_t k = 0; k < s; k++) dims += am->v.stream_len[k];
  *n = am->v.stream_len[s];
  return dims;
}
