/* SPDX-License-Identifier: Apache-2.0 */
/* From the files of a Sphinx acoustic model to a model directory.
 *
 * 1. Read mdef, transition_matrices, means, variances, sendump or
 *    mixture_weights, senmgau; check them against each other.
 * 2. Kind and codebook of each senone: as many codebooks as phones: ptm, the
 *    senone's base phone; one codebook: semi; else one for each senone, or
 *    what senmgau says (acmod.c:acmod_init_am tries them in this order).
 * 3. Densities of ptm and semi models are clipped 96 units below the best of
 *    the stream (tied_mgau_common.h:MAX_NEG_ASCR); ms_mgau.c does not clip.
 * 4. Floors: variances; mixture weights after normalising, then normalised
 *    again; transitions that are not zero likewise (vector.c).
 * 5. Weights are stored [codebook][stream][Gaussian][senones of codebook].
 * 6. model.ini is written last: without it there is no model.
 *
 * Left out on purpose: PocketSphinx's rounding of mixture weights and
 * transitions to 8 bits where the file has floats. */
#include <float.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "am/am_internal.h"
#include "am/sphinx_internal.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/mem.h"

#define AT(field) offsetof(sn_am_import_opts, field)

const sn_opt sn_am_import_opt_table[] = {
    {"name", SN_OPT_STRING, AT(name), 0, 0, 0, "", "",
     "name of the model; empty: that of the Sphinx directory"},
    {"var-floor", SN_OPT_DOUBLE, AT(var_floor), 1e-4, 1e-30, 1e30, NULL, "",
     "smallest variance (-varfloor)"},
    {"mixw-floor", SN_OPT_DOUBLE, AT(mixw_floor), 1e-7, 1e-30, 0.5, NULL, "",
     "smallest weight in mixture_weights (-mixwfloor); not for sendump"},
    {"tmat-floor", SN_OPT_DOUBLE, AT(tmat_floor), 1e-4, 1e-30, 0.5, NULL, "",
     "smallest transition probability that is not zero (-tmatfloor)"},
    {"top-n", SN_OPT_INT, AT(top_n), 4, 1, SNI_AM_MAX_TOP, NULL, "Gaussians",
     "best ones of a codebook and stream that count (-topn)"},
    {"sil-prob", SN_OPT_DOUBLE, AT(sil_prob), 0.005, 1e-30, 1, NULL, "",
     "probability of silence between words (-silprob)"},
    {"fill-prob", SN_OPT_DOUBLE, AT(fill_prob), 1e-8, 1e-30, 1, NULL, "",
     "probability of other fillers between words (-fillprob)"},
    {"lm-scale", SN_OPT_DOUBLE, AT(lm_scale), 6.5, 1e-3, 1e3, NULL, "",
     "multiplies language model log-probabilities (-lw)"},
    {"word-ins-prob", SN_OPT_DOUBLE, AT(word_ins_prob), 0.65, 1e-30, 1e30, NULL,
     "", "factor for each word (-wip)"},
    SN_OPT_END};

/* Score units of Sphinx: 1024 steps of a logarithm to the base 1.0001. */
#define UNIT (1024.0 * log1p(1e-4))
#define CLIP_UNITS 96

typedef struct import {
  const char *dir, *out_dir;
  sn_am_import_opts o;
  sn_log *log;
  sni_mdef mdef;
  sni_s3_gauss means, vars;
  sni_s3_tmat tmat;
  sni_s3_mixw mixw;
  sni_sendump dump;
  sn_feat_config *feat;
  bool has_lda; /* feature_transform, which the model directory gets too */
  sn_str names;
  int32_t *codebook; /* [n_pdfs] */
  int32_t *tri_first;
  sni_am_tri *tris;
  int32_t *stream_dims;
  float *weights;
  uint8_t *weights8;
  sni_am_view v;
} import;

static void import_clear(import *m) {
  sni_mdef_clear(&m->mdef);
  sni_s3_gauss_clear(&m->means);
  sni_s3_gauss_clear(&m->vars);
  sni_s3_tmat_clear(&m->tmat);
  sni_s3_mixw_clear(&m->mixw);
  sni_sendump_clear(&m->dump);
  sn_feat_config_destroy(m->feat);
  sn_str_clear(&m->names);
  sn_free(m->codebook);
  sn_free(m->tri_first);
  sn_free(m->tris);
  sn_free(m->stream_dims);
  sn_free(m->weights);
  sn_free(m->weights8);
}

/* ---- Files ---- */

static sn_status file_path(const import *m, const char *file, char **path,
                           sn_err *err) {
  *path = sn_path_join(m->dir, file);
  return *path == NULL ? sn_fail_nomem(err, "import") : SN_OK;
}

static sn_status has_file(const import *m, const char *file, bool *found,
                          sn_err *err) {
  char *path = NULL;
  SN_TRY(file_path(m, file, &path, err));
  *found = sn_file_exists(path);
  sn_free(path);
  return SN_OK;
}

/* Content of a file of the model; both are owned by the caller. */
static sn_status read_file(const import *m, const char *file, char **path,
                           char **data, size_t *n, sn_err *err) {
  SN_TRY(file_path(m, file, path, err));
  if (!sn_file_exists(*path))
    return sn_fail(err, SN_EIO,
                   "'%s' has no file '%s'; is it the directory of a Sphinx "
                   "acoustic model?",
                   m->dir, file);
  return sn_file_read(*path, data, n, err);
}

/* Which reader gets the bytes of a file. */
typedef enum part { MDEF, TMAT, MEANS, VARS, MIXW, DUMP } part;

static sn_status parse_part(import *m, part which, const char *data, size_t n,
                            const char *path, sn_err *err) {
  switch (which) {
    case MDEF:
      return sni_mdef_read(data, n, path, &m->mdef, err);
    case TMAT:
      return sni_s3_tmat_read(data, n, path, &m->tmat, err);
    case MEANS:
      return sni_s3_gauss_read(data, n, path, &m->means, err);
    case VARS:
      return sni_s3_gauss_read(data, n, path, &m->vars, err);
    case MIXW:
      return sni_s3_mixw_read(data, n, path, &m->mixw, err);
    case DUMP:
      return sni_sendump_read(data, n, path, m->means.n_streams,
                              m->means.n_gauss, m->mdef.n_pdfs, &m->dump, err);
  }
  return SN_OK;
}

static sn_status read_part(import *m, part which, const char *file,
                           sn_err *err) {
  char *path = NULL, *data = NULL;
  size_t n = 0;
  sn_status s = read_file(m, file, &path, &data, &n, err);
  if (s == SN_OK) s = parse_part(m, which, data, n, path, err);
  sn_free(data);
  sn_free(path);
  return s;
}

static sn_status agree(const import *m, const char *what, const char *file_a,
                       int32_t a, const char *file_b, int32_t b, sn_err *err) {
  if (a == b) return SN_OK;
  return sn_fail(err, SN_EMISMATCH,
                 "%s: %s has %d %s, %s has %d: they are not of one model",
                 m->dir, file_a, a, what, file_b, b);
}

static sn_status read_parts(import *m, sn_err *err) {
  SN_TRY(read_part(m, MDEF, "mdef", err));
  SN_TRY(read_part(m, TMAT, "transition_matrices", err));
  SN_TRY(agree(m, "transition matrices", "mdef", m->mdef.n_tmats,
               "transition_matrices", m->tmat.n_tmats, err));
  SN_TRY(agree(m, "states in a phone", "mdef", m->mdef.n_states,
               "transition_matrices", m->tmat.n_states, err));
  SN_TRY(read_part(m, MEANS, "means", err));
  SN_TRY(read_part(m, VARS, "variances", err));
  const sni_s3_gauss *const a = &m->means, *const b = &m->vars;
  SN_TRY(agree(m, "codebooks", "means", a->n_codebooks, "variances",
               b->n_codebooks, err));
  SN_TRY(agree(m, "feature streams", "means", a->n_streams, "variances",
               b->n_streams, err));
  SN_TRY(
      agree(m, "densities", "means", a->n_gauss, "variances", b->n_gauss, err));
  for (int32_t k = 0; k < a->n_streams; k++)
    SN_TRY(agree(m, "dimensions in a stream", "means", a->len[k], "variances",
                 b->len[k], err));
  bool has_dump = false, has_mixw = false;
  SN_TRY(has_file(m, "sendump", &has_dump, err));
  SN_TRY(has_file(m, "mixture_weights", &has_mixw, err));
  if (has_dump) return read_part(m, DUMP, "sendump", err);
  if (!has_mixw)
    return sn_fail(err, SN_EIO, "'%s' has neither sendump nor mixture_weights",
                   m->dir);
  SN_TRY(read_part(m, MIXW, "mixture_weights", err));
  SN_TRY(agree(m, "senones", "mdef", m->mdef.n_pdfs, "mixture_weights",
               m->mixw.n_pdfs, err));
  SN_TRY(agree(m, "feature streams", "means", a->n_streams, "mixture_weights",
               m->mixw.n_streams, err));
  return agree(m, "densities", "means", a->n_gauss, "mixture_weights",
               m->mixw.n_gauss, err);
}

/* ---- Codebooks ---- */

static sn_status read_senmgau(import *m, sn_err *err) {
  char *path = NULL, *data = NULL;
  size_t n = 0;
  sni_s3_map map = {0};
  sn_status s = read_file(m, "senmgau", &path, &data, &n, err);
  if (s == SN_OK) s = sni_s3_map_read(data, n, path, &map, err);
  if (s == SN_OK)
    s = agree(m, "senones", "mdef", m->mdef.n_pdfs, "senmgau", map.n_pdfs, err);
  if (s == SN_OK && map.n_codebooks > m->means.n_codebooks)
    s = agree(m, "codebooks", "means", m->means.n_codebooks, "senmgau",
              map.n_codebooks, err);
  if (s == SN_OK)
    memcpy(m->codebook, map.codebook, (size_t)map.n_pdfs * sizeof *m->codebook);
  sni_s3_map_clear(&map);
  sn_free(data);
  sn_free(path);
  return s;
}

/* Step 2. A senone that no phone uses goes with the one before it. */
static sn_status find_codebooks(import *m, sn_err *err) {
  const int32_t n_pdfs = m->mdef.n_pdfs, n_cb = m->means.n_codebooks;
  sni_am_shape *const s = &m->v.shape;
  m->codebook = sn_calloc((size_t)n_pdfs, sizeof *m->codebook);
  if (m->codebook == NULL) return sn_fail_nomem(err, "import");
  bool has_map = false;
  SN_TRY(has_file(m, "senmgau", &has_map, err));
  if (has_map) {
    s->kind = SN_AM_CONTINUOUS;
    return read_senmgau(m, err);
  }
  if (n_cb == m->mdef.n_phones) {
    int32_t n_unused = 0;
    s->kind = SN_AM_PTM;
    for (int32_t i = 0; i < n_pdfs; i++) {
      const int32_t phone = m->mdef.pdf_phone[i];
      if (phone < 0) n_unused++;
      m->codebook[i] = phone >= 0 ? phone : i > 0 ? m->codebook[i - 1] : 0;
    }
    if (n_unused > 0)
      sn_warn(m->log, "%s: %d of %d senones are used by no phone", m->dir,
              n_unused, n_pdfs);
    return SN_OK;
  }
  if (n_cb == 1) {
    s->kind = SN_AM_SEMI;
    return SN_OK;
  }
  s->kind = SN_AM_CONTINUOUS;
  if (n_cb < n_pdfs)
    return agree(m, "senones, each with a codebook of its own", "mdef", n_pdfs,
                 "means", n_cb, err);
  for (int32_t i = 0; i < n_pdfs; i++) m->codebook[i] = i;
  if (n_cb > n_pdfs)
    sn_warn(m->log, "%s: %d senones use %d codebooks of %d", m->dir, n_pdfs,
            n_pdfs, n_cb);
  return SN_OK;
}

/* ---- Numbers ---- */

/* Scales v to the sum one; false where all are zero. */
static bool normalise(float *v, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)v[i];
  if (!(sum > 0.0)) return false;
  for (size_t i = 0; i < n; i++) v[i] = (float)((double)v[i] / sum);
  return true;
}

static void floor_tmats(import *m) {
  const size_t S = (size_t)m->tmat.n_states, n = S + 1;
  const float floor_p = (float)m->o.tmat_floor;
  for (size_t row = 0; row < (size_t)m->tmat.n_tmats * S; row++) {
    float *const p = m->tmat.data + row * n;
    if (!normalise(p, n))
      sn_warn(m->log, "%s: transition matrix %zu has no way out of state %zu",
              m->dir, row / S, row % S);
    for (size_t i = 0; i < n; i++)
      if (p[i] > 0.0f && p[i] < floor_p) p[i] = floor_p;
    (void)normalise(p, n);
    for (size_t i = 0; i < n; i++)
      p[i] = p[i] > 0.0f ? (float)log((double)p[i]) : -INFINITY;
  }
}

static void floor_vars(import *m) {
  const sni_s3_gauss *const g = &m->vars;
  const size_t n = (size_t)g->n_codebooks * (size_t)g->n_gauss * (size_t)g->dim;
  const float floor_v = (float)m->o.var_floor;
  size_t n_floored = 0;
  for (size_t i = 0; i < n; i++) {
    if (g->data[i] >= floor_v) continue;
    g->data[i] = floor_v;
    n_floored++;
  }
  sn_info(m->log, "%zu of %zu variances raised to the floor %g", n_floored, n,
          m->o.var_floor);
}

static void floor_mixw(import *m) {
  const size_t G = (size_t)m->mixw.n_gauss;
  const size_t n = (size_t)m->mixw.n_pdfs * (size_t)m->mixw.n_streams;
  const float floor_w = (float)m->o.mixw_floor;
  size_t n_empty = 0;
  for (size_t r = 0; r < n; r++) {
    float *const w = m->mixw.data + r * G;
    if (!normalise(w, G)) n_empty++;
    for (size_t i = 0; i < G; i++)
      if (w[i] < floor_w) w[i] = floor_w;
    (void)normalise(w, G);
  }
  if (n_empty > 0)
    sn_warn(m->log, "%s: %zu of %zu weight vectors are all zero", m->dir,
            n_empty, n);
}

/* Step 5. */
static sn_status place_weights(import *m, sn_err *err) {
  const size_t K = (size_t)m->means.n_streams, G = (size_t)m->means.n_gauss;
  const size_t N = (size_t)m->mdef.n_pdfs;
  const size_t C = (size_t)m->means.n_codebooks;
  const bool bytes = m->dump.data != NULL;
  size_t *const first = sn_calloc(C + 1, sizeof *first);
  size_t *const rank = sn_calloc(N, sizeof *rank); /* within its codebook */
  if (bytes)
    m->weights8 = sn_calloc(K * G, N);
  else
    m->weights = sn_calloc(K * G * N, sizeof *m->weights);
  if (first == NULL || rank == NULL ||
      (m->weights8 == NULL && m->weights == NULL)) {
    sn_free(first);
    sn_free(rank);
    return sn_fail_nomem(err, "import");
  }
  for (size_t i = 0; i < N; i++) {
    size_t *const n = &first[(size_t)m->codebook[i] + 1];
    rank[i] = (*n)++;
  }
  for (size_t c = 0; c < C; c++) first[c + 1] += first[c];
  for (size_t i = 0; i < N; i++) {
    const size_t c = (size_t)m->codebook[i], n = first[c + 1] - first[c];
    const size_t at = first[c] * K * G + rank[i];
    for (size_t kg = 0; kg < K * G; kg++) {
      if (bytes)
        m->weights8[at + kg * n] = m->dump.data[kg * N + i];
      else
        m->weights[at + kg * n] = m->mixw.data[i * K * G + kg];
    }
  }
  sn_free(first);
  sn_free(rank);
  return SN_OK;
}

/* ---- Features ---- */

static const char *feat_setting(const import *m, const char *name) {
  const char *value = NULL;
  for (size_t i = 0;; i++) {
    const char *const key = sn_feat_config_at(m->feat, i, &value);
    if (key == NULL) return NULL;
    if (strcmp(key, name) == 0) return value;
  }
}

/* feat.params may also hold settings of the model; PocketSphinx takes them
 * from there unless the command line has others. */
static sn_status take_setting(import *m, const char *sphinx, const char *ours,
                              sn_err *err) {
  const char *const value = feat_setting(m, sphinx);
  if (value == NULL) return SN_OK;
  sn_am_import_opts deflt;
  sn_str now = {0}, was = {0};
  const sn_opt *const o = sn_opt_find(sn_am_import_opt_table, ours);
  sn_opt_defaults(sn_am_import_opt_table, &deflt);
  sn_status s = sn_opt_get(o, &m->o, &now, err);
  if (s == SN_OK) s = sn_opt_get(o, &deflt, &was, err);
  if (s == SN_OK && strcmp(sn_str_get(&now), sn_str_get(&was)) == 0)
    s = sn_opt_set(sn_am_import_opt_table, &m->o, ours, value, err);
  sn_str_clear(&now);
  sn_str_clear(&was);
  if (s != SN_OK) sn_err_context(err, "feat.params: -%s", sphinx);
  return s;
}

static sn_status read_feat(import *m, sn_err *err) {
  static const char *const settings[][2] = {
      {"varfloor", "var-floor"},   {"mixwfloor", "mixw-floor"},
      {"tmatfloor", "tmat-floor"}, {"topn", "top-n"},
      {"silprob", "sil-prob"},     {"fillprob", "fill-prob"},
      {"lw", "lm-scale"},          {"wip", "word-ins-prob"}};
  char *path = NULL;
  SN_TRY(sn_feat_config_create(SN_FEAT_SPHINX, &m->feat, err));
  SN_TRY(file_path(m, "feat.params", &path, err));
  sn_status s = SN_OK;
  if (sn_file_exists(path))
    s = sn_feat_config_read_params(m->feat, path, err);
  else
    s = sn_fail(err, SN_EIO, "'%s' has no file 'feat.params'", m->dir);
  sn_free(path);
  SN_TRY(s);
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
    SN_TRY(take_setting(m, settings[i][0], settings[i][1], err));
  bool found = false;
  SN_TRY(has_file(m, "feature_transform", &found, err));
  if (!found) return SN_OK;
  SN_TRY(file_path(m, "feature_transform", &path, err));
  s = sn_feat_config_set(m->feat, "lda", path, err);
  sn_free(path);
  m->has_lda = true;
  return s;
}

/* One stream of svspec: "0-12" or "24,0-11"; appends its dimensions. */
static sn_status parse_stream(sn_span spec, sn_arr_i32 *dims, sn_err *err) {
  sn_span item = {0};
  while (sn_next_field_sep(&spec, ',', &item)) {
    int32_t from = 0, to = 0;
    sn_span rest = item, low = {0}, high = {0};
    bool ok = sn_next_field_sep(&rest, '-', &low) && sn_parse_int32(low, &from);
    to = from;
    if (ok && sn_next_field_sep(&rest, '-', &high))
      ok = sn_parse_int32(high, &to);
    if (!ok || from < 0 || to < from || to > 65535)
      return sn_fail(err, SN_EFORMAT,
                     "svspec: '%.*s' is not a number or a range of numbers",
                     (int)item.n, item.p);
    for (int32_t d = from; d <= to; d++) SN_TRY(SN_ARR_PUSH(dims, d, err));
  }
  return SN_OK;
}

/* Which feature dimensions each stream has: those of svspec, or one stream
 * after the other. */
static sn_status find_streams(import *m, int32_t dim, sn_err *err) {
  const char *const spec = feat_setting(m, "svspec");
  const sni_s3_gauss *const g = &m->means;
  sn_arr_i32 dims = {0};
  sn_status s = SN_OK;
  if (spec == NULL || spec[0] == '\0') {
    for (int32_t d = 0; d < g->dim && s == SN_OK; d++)
      s = SN_ARR_PUSH(&dims, d, err);
  } else {
    sn_span rest = sn_span_of(spec), stream = {0};
    int32_t k = 0;
    while (s == SN_OK && sn_next_field_sep(&rest, '/', &stream)) {
      const size_t before = dims.n;
      s = parse_stream(stream, &dims, err);
      if (s == SN_OK && k < g->n_streams)
        s = agree(m, "dimensions in a stream", "svspec of feat.params",
                  (int32_t)(dims.n - before), "means", g->len[k], err);
      k++;
    }
    if (s == SN_OK)
      s = agree(m, "streams", "svspec of feat.params", k, "means", g->n_streams,
                err);
  }
  for (size_t i = 0; i < dims.n && s == SN_OK; i++)
    if (dims.data[i] >= dim)
      s = sn_fail(err, SN_EMISMATCH,
                  "%s: the streams need feature dimension %d, feat.params "
                  "makes %d",
                  m->dir, dims.data[i], dim);
  if (s != SN_OK) SN_ARR_FREE(&dims);
  m->stream_dims = dims.data;
  return s;
}

static sn_status check_feat(import *m, sn_err *err) {
  sn_feat *plan = NULL;
  SN_TRY(sn_feat_create(m->feat, SN_FEAT_FULL, &plan, err));
  const size_t dim = sn_feat_dim(plan);
  sn_feat_destroy(plan);
  m->v.shape.dim = (int32_t)dim;
  if (feat_setting(m, "svspec") == NULL)
    SN_TRY(agree(m, "feature dimensions", "means", m->means.dim, "feat.params",
                 (int32_t)dim, err));
  return find_streams(m, (int32_t)dim, err);
}

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
static sn_status parse_noisedict(import *m, const char *data, size_t n,
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
static sn_status read_fillers(import *m, sn_ini *ini, sn_err *err) {
  int n_fillers = 0;
  bool has_sil = false, has_dict = false;
  SN_TRY(has_file(m, "noisedict", &has_dict, err));
  if (has_dict) {
    char *path = NULL, *data = NULL;
    size_t n = 0;
    sn_status s = read_file(m, "noisedict", &path, &data, &n, err);
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

static sn_status place_phones(import *m, sn_err *err) {
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

static void fill_view(import *m) {
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
  v->weight_unit = m->weights8 != NULL ? m->dump.unit : UNIT;
  v->clip = s->kind == SN_AM_CONTINUOUS ? HUGE_VAL : CLIP_UNITS * UNIT;
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
static sn_status set_date(const import *m, sn_ini *ini, sn_err *err) {
  char *path = NULL, text[32] = "";
  struct stat st;
  struct tm tm;
  SN_TRY(file_path(m, "means", &path, err));
  if (stat(path, &st) == 0 && gmtime_r(&st.st_mtime, &tm) != NULL)
    (void)strftime(text, sizeof text, "%Y-%m-%d", &tm);
  sn_free(path);
  return sn_ini_set(ini, "model", "date", text, err);
}

static sn_status set_name(const import *m, sn_ini *ini, sn_err *err) {
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

static sn_status fill_ini(import *m, sn_ini *ini, sn_err *err) {
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

static sn_status write_ini(import *m, const char *path, sn_err *err) {
  sn_ini *ini = NULL;
  SN_TRY(sn_ini_create(&ini, err));
  sn_status s = fill_ini(m, ini, err);
  if (s == SN_OK) s = sn_ini_save(ini, path, err);
  sn_ini_destroy(ini);
  return s;
}

static sn_status copy_lda(const import *m, sn_err *err) {
  char *path = NULL, *data = NULL;
  size_t n = 0;
  sn_writer *w = NULL;
  char *const to = sn_path_join(m->out_dir, "feature_transform");
  sn_status s = to == NULL
                    ? sn_fail_nomem(err, "import")
                    : read_file(m, "feature_transform", &path, &data, &n, err);
  if (s == SN_OK) s = sn_writer_open(to, &w, err);
  if (s == SN_OK) s = sn_write_bytes(w, data, n, err);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  sn_free(data);
  sn_free(path);
  sn_free(to);
  return s;
}

static sn_status write_model(import *m, sn_err *err) {
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

static sn_status run(import *m, sn_err *err) {
  SN_TRY(read_feat(m, err));
  SN_TRY(read_parts(m, err));
  SN_TRY(check_feat(m, err));
  SN_TRY(find_codebooks(m, err));
  floor_tmats(m);
  floor_vars(m);
  floor_mixw(m);
  SN_TRY(place_weights(m, err));
  SN_TRY(place_phones(m, err));
  fill_view(m);
  SN_TRY(write_model(m, err));
  sn_info(m->log, "%s: %s model, %d phones, %d HMMs, %d pdfs, %d Gaussians",
          m->out_dir, sn_am_kind_name((sn_am_kind)m->v.shape.kind),
          m->v.shape.n_phones, m->v.shape.n_hmms, m->v.shape.n_pdfs,
          m->v.shape.n_codebooks * m->v.shape.n_streams * m->v.shape.n_gauss);
  return SN_OK;
}

sn_status sn_am_import_sphinx(const char *sphinx_dir, const char *out_dir,
                              const sn_am_import_opts *opts, sn_log *log,
                              sn_err *err) {
import m;
  memset(&m, 0, sizeof m);
  m.dir = sphinx_dir;
  m.out_dir = out_dir;
  m.log = log;
  if (opts != NULL)
    m.o = *opts;
  else
    sn_opt_defaults(sn_am_import_opt_table, &m.o);
  if (!sn_dir_exists(sphinx_dir))
    return sn_fail(err, SN_EIO, "there is no directory '%s'", sphinx_dir);
  const sn_status s = run(&m, err);
  import_clear(&m);
  return s;
}
