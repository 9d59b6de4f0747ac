/* SPDX-License-Identifier: Apache-2.0 */
/* A stage's state after a pass: written, and taken up again. All of it is in
 * one file (AN4: 5 MB), which replaces the one before as a whole. */
#define _XOPEN_SOURCE 700 /* unlink */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "train/checkpoint_internal.h"

enum { S = SNI_STATES };

static sn_status path_of(const sni_trainer *t, const char *exp, char **out,
                         sn_err *err) {
  return sni_stage_path(exp, t->stage, "checkpoint.bin", out, err);
}

/* ---- Writing ---- */

static sni_checkpoint_shape shape_of(const sni_trainer *t, int pass) {
  const sni_corpus *const c = t->corpus;
  int64_t n_segs = 0;
  for (size_t i = 0; i < c->n; i++) n_segs += (int64_t)c->utts[i].segs.n;
  const sni_checkpoint_shape s = {
      .pass = pass,
      .identity = (int64_t)t->identity,
      .n_phones = t->tied.n_phones,
      .n_hmms = t->tied.n_hmms,
      .n_pdfs = t->tied.n_pdfs,
      .is_tri = t->tied.triphone != NULL,
      .n_gauss = (int64_t)sn_mixtures_n_gauss(&t->mix),
      .dim = (int64_t)t->mix.dim,
      .deltas = c->form.deltas,
      .window = c->form.window,
      .left = c->form.left,
      .right = c->form.right,
      .rows = (int64_t)c->transform.rows,
      .cols = (int64_t)c->transform.cols,
      .n_utts = (int64_t)c->n,
      .n_segs = n_segs,
      .n_speakers = (int64_t)t->speakers.n,
      .n_json = (int64_t)t->json.n,
      .n_tree = (int64_t)t->tree.n,
      .n_resumed = (int64_t)t->resumed.n};
  return s;
}

static sn_status add_rows(sn_box_writer *w, sn_mat m, sn_err *err) {
  for (size_t i = 0; i < m.rows; i++)
    SN_TRY(sn_box_append(w, sn_mat_row(m, i), m.cols, err));
  return SN_OK;
}

static sn_status add_model(sn_box_writer *w, const sni_trainer *t,
                           sn_err *err) {
  const sni_tied *const d = &t->tied;
  const sn_mixtures *const m = &t->mix;
  const size_t P = (size_t)d->n_phones, H = (size_t)d->n_hmms;
  const size_t G = sn_mixtures_n_gauss(m), D = m->dim;
  SN_TRY(sn_box_add(w, "base-hmms", 4, d->base_hmm, P, err));
  SN_TRY(sn_box_add(w, "hmm-pdfs", 4, d->hmm_pdfs, H * S, err));
  SN_TRY(sn_box_add(w, "hmm-tmats", 4, d->hmm_tmat, H, err));
  SN_TRY(sn_box_add(w, "triphones", 4, d->triphone,
                    d->triphone != NULL ? 4 * P * P * P : 0, err));
  SN_TRY(sn_box_add(w, "tmats", 4, d->tmats, P * S * (S + 1), err));
  SN_TRY(sn_box_add(w, "gauss-first", 4, m->first, m->n_pdfs + 1, err));
  SN_TRY(sn_box_add(w, "weights", 4, m->weights, G, err));
  SN_TRY(sn_box_add(w, "means", 4, m->means, G * D, err));
  SN_TRY(sn_box_add(w, "variances", 4, m->vars, G * D, err));
  SN_TRY(sn_box_add(w, "occupancies", 8, t->occ, m->n_pdfs, err));
  SN_TRY(sn_box_start(w, "matrix", 4, err));
  return add_rows(w, t->corpus->transform, err);
}

static sn_status add_utts(sn_box_writer *w, const sni_corpus *c, sn_err *err) {
  SN_TRY(sn_box_start(w, "utt-segs", 4, err));
  for (size_t i = 0; i < c->n; i++) {
    const int32_t n = (int32_t)c->utts[i].segs.n;
    SN_TRY(sn_box_append(w, &n, 1, err));
  }
  SN_TRY(sn_box_start(w, "utt-failed", 4, err));
  for (size_t i = 0; i < c->n; i++) {
    const int32_t failed = c->utts[i].failed;
    SN_TRY(sn_box_append(w, &failed, 1, err));
  }
  SN_TRY(sn_box_start(w, "utt-logps", 8, err));
  for (size_t i = 0; i < c->n; i++)
    SN_TRY(sn_box_append(w, &c->utts[i].logp, 1, err));
  SN_TRY(sn_box_start(w, "segs", sizeof(sni_seg), err));
  for (size_t i = 0; i < c->n; i++)
    SN_TRY(sn_box_append(w, c->utts[i].segs.data, c->utts[i].segs.n, err));
  return SN_OK;
}

static sn_status add_all(sn_box_writer *w, const sni_trainer *t, int pass,
                         sn_err *err) {
  const sni_checkpoint_shape shape = shape_of(t, pass);
  SN_TRY(sn_box_add(w, "shape", 8, &shape, sizeof shape / 8, err));
  SN_TRY(add_model(w, t, err));
  SN_TRY(add_utts(w, t->corpus, err));
  SN_TRY(sn_box_start(w, "speakers", 4, err));
  for (size_t i = 0; i < t->speakers.n; i++)
    SN_TRY(add_rows(w, t->speakers.data[i].w, err));
  SN_TRY(sn_box_start(w, "estimated", 4, err));
  for (size_t i = 0; i < t->speakers.n; i++) {
    const int32_t v = t->speakers.data[i].estimated;
    SN_TRY(sn_box_append(w, &v, 1, err));
  }
  SN_TRY(sn_box_add(w, "passes", 1, t->json.data, t->json.n, err));
  SN_TRY(sn_box_add(w, "tree", 1, t->tree.data, t->tree.n, err));
  return sn_box_add(w, "resumed", 4, t->resumed.data, t->resumed.n, err);
}

sn_status sni_checkpoint_write(const sni_trainer *t, const char *exp, int pass,
                               sn_err *err) {
  char *path = NULL, *dir = NULL;
  sn_box_writer *w = NULL;
  sn_status s = sni_stage_path(exp, t->stage, NULL, &dir, err);
  if (s == SN_OK) s = path_of(t, exp, &path, err);
  if (s == SN_OK) s = sn_dir_make(dir, err);
  if (s == SN_OK)
    s = sn_box_create(path, SNI_CHECKPOINT_MAGIC, SNI_CHECKPOINT_VERSION, &w,
                      err);
  if (s == SN_OK) s = add_all(w, t, pass, err);
  if (s == SN_OK) s = sn_box_commit(w, err);
  sn_box_writer_destroy(w);
  sn_free(path);
  sn_free(dir);
  return s;
}

void sni_checkpoint_remove(const sni_trainer *t, const char *exp) {
  char *path = NULL;
  if (path_of(t, exp, &path, NULL) != SN_OK) return;
  (void)unlink(path); /* in the way of nothing: the stage is done */
  sn_free(path);
}

/* ---- Taking up ---- */

static sn_status copy(const void *from, size_t n, size_t size, void *out,
                      sn_err *err) {
  void *const to = sn_calloc(n, size);
  if (to == NULL) return sn_fail_nomem(err, "checkpoint");
  if (n > 0) memcpy(to, from, n * size);
  memcpy(out, &to, sizeof to); /* out is the address of a pointer */
  return SN_OK;
}

static sn_status take_tying(const sni_checkpoint *c, sni_tied *d, sn_err *err) {
  const size_t P = (size_t)c->shape.n_phones, H = (size_t)c->shape.n_hmms;
  d->n_phones = (int32_t)P;
  d->n_hmms = (int32_t)H;
  d->n_pdfs = (int32_t)c->shape.n_pdfs;
  SN_TRY(copy(c->base_hmm, P, 4, &d->base_hmm, err));
  SN_TRY(copy(c->hmm_pdfs, H * S, 4, &d->hmm_pdfs, err));
  SN_TRY(copy(c->hmm_tmat, H, 4, &d->hmm_tmat, err));
  if (c->shape.is_tri == 1)
    SN_TRY(copy(c->triphone, 4 * P * P * P, 4, &d->triphone, err));
  return copy(c->tmats, P * S * (S + 1), 4, &d->tmats, err);
}

static sn_status take_mixtures(const sni_checkpoint *c, sni_trainer *t,
                               sn_err *err) {
  const size_t N = (size_t)c->shape.n_pdfs, G = (size_t)c->shape.n_gauss;
  sn_mixtures *const m = &t->mix;
  m->n_pdfs = N;
  m->dim = (size_t)c->shape.dim;
  SN_TRY(copy(c->first, N + 1, 4, &m->first, err));
  SN_TRY(copy(c->weights, G, 4, &m->weights, err));
  SN_TRY(copy(c->means, G * m->dim, 4, &m->means, err));
  SN_TRY(copy(c->vars, G * m->dim, 4, &m->vars, err));
  return copy(c->occ, N, 8, &t->occ, err);
}

static sn_status take_utts(const sni_checkpoint *c, sni_corpus *corpus,
                           const char *name, sn_err *err) {
  size_t at = 0;
  for (size_t i = 0; i < corpus->n; i++) {
    sni_utt *const u = &corpus->utts[i];
    const size_t n = (size_t)c->n_segs[i];
    if (n > 0 && c->segs[at + n - 1].begin[S] != (int32_t)u->feats.rows)
      return sn_fail(err, SN_EFORMAT, "%s: section 'segs' is damaged", name);
    SN_TRY(SN_ARR_RESIZE(&u->segs, n, err));
    if (n > 0) memcpy(u->segs.data, c->segs + at, n * sizeof *c->segs);
    u->failed = c->failed[i] != 0;
    u->logp = c->logps[i];
    at += n;
  }
  return SN_OK;
}

static sn_status take_speakers(const sni_checkpoint *c, sni_trainer *t,
                               sn_err *err) {
  const size_t D = (size_t)c->shape.dim;
  for (size_t i = 0; i < (size_t)c->shape.n_speakers; i++) {
    const sni_transform none = {.estimated = c->estimated[i] != 0};
    SN_TRY(SN_ARR_PUSH(&t->speakers, none, err));
    sn_mat *const w = &t->speakers.data[i].w;
    SN_TRY(sn_mat_alloc(D, D + 1, w, err));
    for (size_t d = 0; d < D; d++)
      memcpy(sn_mat_row(*w, d), c->speakers + (i * D + d) * (D + 1),
             (D + 1) * sizeof(float));
  }
  return SN_OK;
}

static sn_status take_features(const sni_checkpoint *c, sni_trainer *t,
                               const char *name, sn_err *err) {
  const sni_checkpoint_shape *const s = &c->shape;
  const sni_form f = {
      .deltas = (int32_t)s->deltas,
      .window = (int32_t)s->window,
      .left = (int32_t)s->left,
      .right = (int32_t)s->right,
      .matrix = {c->matrix, (size_t)s->rows, (size_t)s->cols, (size_t)s->cols}};
  SN_TRY(sni_corpus_form(t->corpus, &f, t->pool, err));
  return t->corpus->dim == (size_t)s->dim
             ? SN_OK
             : sn_fail(err, SN_EFORMAT, "%s: section 'shape' is damaged", name);
}

static sn_status take_up(const sni_checkpoint *c, sni_trainer *t,
                         const char *name, sn_err *err) {
  if (c->shape.n_utts != (int64_t)t->corpus->n ||
      c->shape.n_phones != t->corpus->n_phones)
    return sn_fail(err, SN_EFORMAT, "%s: of another corpus", name);
  SN_TRY(take_features(c, t, name, err));
  SN_TRY(take_tying(c, &t->tied, err));
  SN_TRY(take_mixtures(c, t, err));
  SN_TRY(take_utts(c, t->corpus, name, err));
  SN_TRY(take_speakers(c, t, err));
  SN_TRY(sn_str_add(&t->json, c->json, (size_t)c->shape.n_json, err));
  SN_TRY(sn_str_add(&t->tree, c->tree, (size_t)c->shape.n_tree, err));
  for (size_t i = 0; i < (size_t)c->shape.n_resumed; i++)
    SN_TRY(SN_ARR_PUSH(&t->resumed, c->resumed[i], err));
  SN_TRY(SN_ARR_PUSH(&t->resumed, (int32_t)c->shape.pass, err));
  return sni_tables(t, err);
}

static sn_status resume_from(sni_trainer *t, const char *path, int *pass,
                             sn_err *err) {
  sn_box *box = NULL;
  sni_checkpoint c;
  sn_err own = {SN_OK, ""};
  sn_status s = sn_box_open(path, SNI_CHECKPOINT_MAGIC, SNI_CHECKPOINT_VERSION,
                            &box, &own);
  if (s == SN_OK) s = sni_checkpoint_read(box, path, &c, &own);
  if (s == SN_EFORMAT) {
    sn_warn(t->log, "%s: the stage begins anew", own.msg);
    s = SN_OK;
  } else if (s != SN_OK) {
    s = sn_fail(err, s, "%s", own.msg);
  } else if (c.shape.identity != (int64_t)t->identity) {
    sn_warn(t->log,
            "%s: stopped after pass %d of a run with other options, recordings "
            "or words: the stage begins anew",
            path, (int)c.shape.pass);
  } else {
    s = take_up(&c, t, path, err);
    *pass = (int)c.shape.pass;
    if (s == SN_OK)
      sn_log_msg(t->log, SN_LOG_WARN, "%s goes on after pass %d", t->stage,
                 *pass);
  }
  sn_box_destroy(box);
  return s;
}

sn_status sni_resume(sni_trainer *t, const char *exp, int *pass, sn_err *err) {
  char *path = NULL;
  *pass = 0;
  SN_TRY(path_of(t, exp, &path, err));
  const sn_status s =
      sn_file_exists(path) ? resume_from(t, path, pass, err) : SN_OK;
  sn_free(path);
  return s;
}
