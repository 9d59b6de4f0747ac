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
#include <string.h>

#include "am/sphinx_import_internal.h"
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

static void import_clear(sni_import *m) {
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

sn_status sni_import_path(const sni_import *m, const char *file, char **path,
                          sn_err *err) {
  *path = sn_path_join(m->dir, file);
  return *path == NULL ? sn_fail_nomem(err, "import") : SN_OK;
}

sn_status sni_import_has(const sni_import *m, const char *file, bool *found,
                         sn_err *err) {
  char *path = NULL;
  SN_TRY(sni_import_path(m, file, &path, err));
  *found = sn_file_exists(path);
  sn_free(path);
  return SN_OK;
}

/* Content of a file of the model; both are owned by the caller. */
sn_status sni_import_file(const sni_import *m, const char *file, char **path,
                          char **data, size_t *n, sn_err *err) {
  SN_TRY(sni_import_path(m, file, path, err));
  if (!sn_file_exists(*path))
    return sn_fail(err, SN_EIO,
                   "'%s' has no file '%s'; is it the directory of a Sphinx "
                   "acoustic model?",
                   m->dir, file);
  return sn_file_read(*path, data, n, err);
}

/* Which reader gets the bytes of a file. */
typedef enum part { MDEF, TMAT, MEANS, VARS, MIXW, DUMP } part;

static sn_status parse_part(sni_import *m, part which, const char *data,
                            size_t n, const char *path, sn_err *err) {
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

static sn_status read_part(sni_import *m, part which, const char *file,
                           sn_err *err) {
  char *path = NULL, *data = NULL;
  size_t n = 0;
  sn_status s = sni_import_file(m, file, &path, &data, &n, err);
  if (s == SN_OK) s = parse_part(m, which, data, n, path, err);
  sn_free(data);
  sn_free(path);
  return s;
}

static sn_status agree(const sni_import *m, const char *what,
                       const char *file_a, int32_t a, const char *file_b,
                       int32_t b, sn_err *err) {
  if (a == b) return SN_OK;
  return sn_fail(err, SN_EMISMATCH,
                 "%s: %s has %d %s, %s has %d: they are not of one model",
                 m->dir, file_a, a, what, file_b, b);
}

static sn_status read_parts(sni_import *m, sn_err *err) {
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
  SN_TRY(sni_import_has(m, "sendump", &has_dump, err));
  SN_TRY(sni_import_has(m, "mixture_weights", &has_mixw, err));
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

static sn_status read_senmgau(sni_import *m, sn_err *err) {
  char *path = NULL, *data = NULL;
  size_t n = 0;
  sni_s3_map map = {0};
  sn_status s = sni_import_file(m, "senmgau", &path, &data, &n, err);
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
static sn_status find_codebooks(sni_import *m, sn_err *err) {
  const int32_t n_pdfs = m->mdef.n_pdfs, n_cb = m->means.n_codebooks;
  sni_am_shape *const s = &m->v.shape;
  m->codebook = sn_calloc((size_t)n_pdfs, sizeof *m->codebook);
  if (m->codebook == NULL) return sn_fail_nomem(err, "import");
  bool has_map = false;
  SN_TRY(sni_import_has(m, "senmgau", &has_map, err));
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

static void floor_tmats(sni_import *m) {
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

static void floor_vars(sni_import *m) {
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

static void floor_mixw(sni_import *m) {
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
static sn_status place_weights(sni_import *m, sn_err *err) {
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

static const char *feat_setting(const sni_import *m, const char *name) {
  const char *value = NULL;
  for (size_t i = 0;; i++) {
    const char *const key = sn_feat_config_at(m->feat, i, &value);
    if (key == NULL) return NULL;
    if (strcmp(key, name) == 0) return value;
  }
}

/* feat.params may also hold settings of the model; PocketSphinx takes them
 * from there unless the command line has others. */
static sn_status take_setting(sni_import *m, const char *sphinx,
                              const char *ours, sn_err *err) {
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

static sn_status read_feat(sni_import *m, sn_err *err) {
  static const char *const settings[][2] = {
      {"varfloor", "var-floor"},   {"mixwfloor", "mixw-floor"},
      {"tmatfloor", "tmat-floor"}, {"topn", "top-n"},
      {"silprob", "sil-prob"},     {"fillprob", "fill-prob"},
      {"lw", "lm-scale"},          {"wip", "word-ins-prob"}};
  char *path = NULL;
  SN_TRY(sn_feat_config_create(SN_FEAT_SPHINX, &m->feat, err));
  SN_TRY(sni_import_path(m, "feat.params", &path, err));
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
  SN_TRY(sni_import_has(m, "feature_transform", &found, err));
  if (!found) return SN_OK;
  SN_TRY(sni_import_path(m, "feature_transform", &path, err));
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
static sn_status find_streams(sni_import *m, int32_t dim, sn_err *err) {
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

static sn_status check_feat(sni_import *m, sn_err *err) {
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

/* ---- All of it ---- */

static sn_status run(sni_import *m, sn_err *err) {
  SN_TRY(read_feat(m, err));
  SN_TRY(read_parts(m, err));
  SN_TRY(check_feat(m, err));
  SN_TRY(find_codebooks(m, err));
  floor_tmats(m);
  floor_vars(m);
  floor_mixw(m);
  SN_TRY(place_weights(m, err));
  SN_TRY(sni_import_write(m, err));
  sn_info(m->log, "%s: %s model, %d phones, %d HMMs, %d pdfs, %d Gaussians",
          m->out_dir, sn_am_kind_name((sn_am_kind)m->v.shape.kind),
          m->v.shape.n_phones, m->v.shape.n_hmms, m->v.shape.n_pdfs,
          m->v.shape.n_codebooks * m->v.shape.n_streams * m->v.shape.n_gauss);
  return SN_OK;
}

sn_status sn_am_import_sphinx(const char *sphinx_dir, const char *out_dir,
                              const sn_am_import_opts *opts, sn_log *log,
                              sn_err *err) {
  sni_import m;
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
