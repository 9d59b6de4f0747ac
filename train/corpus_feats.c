/* SPDX-License-Identifier: Apache-2.0 */
/* Features of the corpus: base frames less each speaker's mean, once; from
 * them what a model wants to see (deltas, or frames side by side and a
 * matrix), as often as it changes. */
#include <string.h>

#include "base/io.h"
#include "base/kaldi_io.h"
#include "base/mem.h"
#include "frontend/feat_file.h"
#include "train/train_internal.h"

static sn_status set(sni_corpus *c, const char *key, const char *value,
                     sn_err *err) {
  return sn_feat_config_set(c->feat, key, value, err);
}

static sn_status set_number(sni_corpus *c, const char *key, double value,
                            sn_err *err) {
  sn_str text = {0};
  sn_status s = sn_str_addf(&text, err, "%.10g", value);
  if (s == SN_OK) s = set(c, key, sn_str_get(&text), err);
  sn_str_clear(&text);
  return s;
}

/* ---- Sampling rates ---- */

typedef struct rates {
  const sni_corpus *c;
  double *hz; /* [utterances] of the recording; 0: it cannot be opened, which
                 reading it will say */
} rates;

static sn_status find_rate(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  (void)err;
  const rates *const r = user;
  sn_audio *a = NULL;
  r->hz[i] = 0;
  if (sn_audio_open(r->c->utts[i].from->path, NULL, NULL, &a, NULL) == SN_OK)
    r->hz[i] = sn_audio_source_rate_hz(a);
  sn_audio_destroy(a);
  return SN_OK;
}

/* Recordings below the features' rate leave the upper filters empty. Where all
 * are, the features are wrong for this corpus; where some are, frames are of
 * two kinds. */
static sn_status judge_rates(const rates *r, double rate_hz, sn_log *log,
                             sn_err *err) {
  double lowest = rate_hz;
  size_t n_below = 0;
  for (size_t i = 0; i < r->c->n; i++) {
    if (r->hz[i] <= 0 || r->hz[i] >= rate_hz) continue;
    n_below++;
    if (r->hz[i] < lowest) lowest = r->hz[i];
  }
  if (n_below > 0 && n_below == r->c->n)
    return sn_fail(err, SN_EMISMATCH,
                   "all recordings are of less than %g Hz, the rate of the "
                   "features: train with --sample-rate=%g",
                   rate_hz, lowest);
  if (n_below > 0)
    sn_warn(log,
            "%zu of %zu utterances are of less than %g Hz, the rate of the "
            "features: their upper bands are empty. --sample-rate=%g is for "
            "all of them; senone corpus check --fix leaves the fewer out",
            n_below, r->c->n, rate_hz, lowest);
  return SN_OK;
}

static sn_status check_rates(const sni_corpus *c, double rate_hz, sn_pool *pool,
                             sn_log *log, sn_err *err) {
  rates r = {c, sn_calloc(c->n, sizeof *r.hz)};
  if (r.hz == NULL) return sn_fail_nomem(err, "sampling rates");
  sn_status s = sn_pool_for(pool, c->n, find_rate, &r, err);
  if (s == SN_OK) s = judge_rates(&r, rate_hz, log, err);
  sn_free(r.hz);
  return s;
}

/* ---- Base frames ---- */

typedef struct loader {
  sni_corpus *c;
  sn_feat *feat;
  sn_spk_cmvn *speakers;
  sn_log *log;
} loader;

static sn_status compute(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  loader *const l = user;
  sni_utt *const u = &l->c->utts[i];
  const sn_audio_opts a = {.channel = SN_CHANNEL_FIRST,
                           .begin_s = u->from->begin_s,
                           .end_s = u->from->end_s,
                           .speed = u->speed};
  if (sn_log_cancelled(l->log)) return sn_fail(err, SN_ECANCEL, "interrupted");
  if (u->idle) return SN_OK;
  const sn_status s = sn_feat_recording(l->feat, NULL, u->from->path, &a,
                                        l->log, &u->base, err);
  if (s != SN_OK) sn_err_context(err, "utterance %s", u->id);
  return s;
}

static sn_status collect(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  loader *const l = user;
  sn_log_progress(l->log, "features", "utterances", (int64_t)i + 1,
                  (int64_t)l->c->n, i + 1 == l->c->n);
  return sn_spk_cmvn_add(l->speakers, l->c->utts[i].speaker,
                         sn_mat_const(l->c->utts[i].base), err);
}

static sn_status normalise(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  loader *const l = user;
  sni_utt *const u = &l->c->utts[i];
  const sn_cmvn_opts opts = {true, false};
  if (u->base.rows == 0) return SN_OK;
  return sn_cmvn_apply(sn_spk_cmvn_find(l->speakers, u->speaker), opts, u->base,
                       err);
}

sn_status sni_corpus_feats(sni_corpus *c, double rate_hz, sn_pool *pool,
                           sn_log *log, sn_err *err) {
  loader l = {.c = c, .log = log};
  const sni_form deltas = {.deltas = 2, .window = 2};
  SN_TRY(sn_feat_config_create(SN_FEAT_KALDI, &c->feat, err));
  SN_TRY(check_rates(c, rate_hz, pool, log, err));
  SN_TRY(set(c, "use-energy", "false", err));
  SN_TRY(set_number(c, "sample-frequency", rate_hz, err));
  SN_TRY(set(c, "cmn", "speaker", err));
  sn_status s = sn_feat_create(c->feat, SN_FEAT_BASE, &l.feat, err);
  if (s == SN_OK) s = sn_spk_cmvn_create(sn_feat_dim(l.feat), &l.speakers, err);
  if (s == SN_OK) {
    c->base_dim = sn_feat_dim(l.feat);
    s = sn_pool_ordered(pool, c->n, 0, compute, collect, &l, err);
  }
  if (s == SN_OK) s = sn_pool_for(pool, c->n, normalise, &l, err);
  if (s == SN_OK) s = sni_corpus_form(c, &deltas, pool, err);
  sn_spk_cmvn_destroy(l.speakers);
  sn_feat_destroy(l.feat);
  return s;
}

/* ---- What the model sees ---- */

typedef struct former {
  sni_corpus *c;
  const sni_form *form;
  sn_transform *transform; /* NULL: none */
} former;

static size_t wide_dim(const sni_corpus *c, const sni_form *f) {
  return c->base_dim * (size_t)(f->deltas + 1) *
         (size_t)(f->left + 1 + f->right);
}

static sn_status shape(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  const former *const x = user;
  const sni_form *const f = x->form;
  sni_utt *const u = &x->c->utts[i];
  const size_t T = u->base.rows, D = wide_dim(x->c, f);
  sn_mat delta = {0}, wide = {0}, out = {0};
  if (T == 0) return SN_OK;
  sn_status s =
      sn_mat_alloc(T, x->c->base_dim * (size_t)(f->deltas + 1), &delta, err);
  if (s == SN_OK && f->deltas > 0)
    s = sn_deltas(f->deltas, f->window, sn_mat_const(u->base), delta, err);
  else if (s == SN_OK)
    sn_mat_copy(sn_mat_const(u->base), delta);
  if (s == SN_OK) s = sn_mat_alloc(T, D, &wide, err);
  if (s == SN_OK)
    s = sn_splice(f->left, f->right, sn_mat_const(delta), wide, err);
  sn_mat_free(&delta);
  if (s == SN_OK && x->transform != NULL) {
    s = sn_mat_alloc(T, sn_transform_out_dim(x->transform), &out, err);
    if (s == SN_OK)
      s = sn_transform_apply(x->transform, sn_mat_const(wide), out, err);
    sn_mat_free(&wide);
  } else {
    out = wide;
  }
  if (s != SN_OK) {
    sn_mat_free(&out);
    return s;
  }
  sn_mat_free(&u->feats);
  u->feats = out;
  return SN_OK;
}

/* The matrix is kept for the model directory. */
static sn_status keep_matrix(sni_corpus *c, sn_cmat m, sn_err *err) {
  sn_mat copy = {0};
  if (m.rows > 0) {
    SN_TRY(sn_mat_alloc(m.rows, m.cols, &copy, err));
    sn_mat_copy(m, copy);
  }
  sn_mat_free(&c->transform);
  c->transform = copy;
  return SN_OK;
}

sn_status sni_corpus_form(sni_corpus *c, const sni_form *f, sn_pool *pool,
                          sn_err *err) {
  former x = {c, f, NULL};
  const size_t D = wide_dim(c, f);
  sn_status s = SN_OK;
  if (f->matrix.rows > 0) {
    SN_TRY(sn_transform_create(f->matrix, &x.transform, err));
    s = sn_transform_check(x.transform, D, err);
  }
  if (s == SN_OK) s = sn_pool_for(pool, c->n, shape, &x, err);
  sn_transform_destroy(x.transform);
  if (s == SN_OK) s = keep_matrix(c, f->matrix, err);
  SN_TRY(s);
  c->dim = f->matrix.rows > 0 ? f->matrix.rows : D;
  c->form = *f;
  c->form.matrix = sn_mat_const(c->transform);
  SN_TRY(set_number(c, "delta-order", f->deltas, err));
  SN_TRY(set_number(c, "left-context", f->left, err));
  return set_number(c, "right-context", f->right, err);
}

/* Settings that base frames and means do not depend on. */
static bool is_form(const char *key) {
  static const char *const keys[] = {"cmn",           "delta-order",
                                     "delta-window",  "left-context",
                                     "right-context", "transform"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    if (strcmp(key, keys[i]) == 0) return true;
  return false;
}

static sn_status same_base(const sn_feat_config *a, const sn_feat_config *b,
                           sn_err *err) {
  const char *key = NULL, *value = NULL;
  if (sn_feat_config_dialect(a) != sn_feat_config_dialect(b))
    return sn_fail(err, SN_EMISMATCH,
                   "the model's front end is not of the kaldi dialect, as that "
                   "of training is");
  for (size_t i = 0; (key = sn_feat_config_at(a, i, &value)) != NULL; i++) {
    const char *const other = sn_feat_config_get(b, key);
    if (!is_form(key) && (other == NULL || strcmp(value, other) != 0))
      return sn_fail(err, SN_EMISMATCH,
                     "the front end has %s = %s here, %s there", key, value,
                     other == NULL ? "nothing" : other);
  }
  return SN_OK;
}

static int32_t number(const sn_feat_config *f, const char *key) {
  double v = 0;
  (void)sn_parse_double(sn_span_of(sn_feat_config_get(f, key)), &v);
  return (int32_t)v;
}

static sn_status read_matrix(const char *path, sn_mat *out, sn_err *err) {
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sn_kaldi_read_mat(r, out, err);
  sn_reader_destroy(r);
  return s;
}

sn_status sni_feat_matrix(const sn_feat_config *feat, sn_mat *out,
                          sn_err *err) {
  const char *const path = sn_feat_config_get(feat, "transform");
  const sn_mat none = {0};
  *out = none;
  return path[0] != '\0' ? read_matrix(path, out, err) : SN_OK;
}

sn_status sni_corpus_like(sni_corpus *c, const sn_feat_config *feat,
                          sn_pool *pool, sn_err *err) {
  sn_mat m = {0};
  sni_form f = {.deltas = number(feat, "delta-order"),
                .window = number(feat, "delta-window"),
                .left = number(feat, "left-context"),
                .right = number(feat, "right-context")};
  SN_TRY(same_base(c->feat, feat, err));
  SN_TRY(same_base(feat, c->feat, err));
  SN_TRY(sni_feat_matrix(feat, &m, err));
  f.matrix = sn_mat_const(m);
  const sn_status s = sni_corpus_form(c, &f, pool, err);
  sn_mat_free(&m);
  return s;
}
