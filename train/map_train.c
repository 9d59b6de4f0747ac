/* SPDX-License-Identifier: Apache-2.0 */
/* MAP or MLLR adaptation over a corpus: utterances are aligned in parallel, and
 * their frames added to the statistics in the order of the corpus by one
 * thread. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "train/map_train.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini.h"
#include "base/io.h"
#include "base/mem.h"
#include "train/align_adapt.h"
#include "train/train_internal.h"

typedef struct slot {
  sn_alignment a;
  char *failed;
} slot;

typedef struct run {
  const sn_map_job *job;
  sn_am *am;
  sn_spk_cmvn *speakers; /* where the model wants their means */
  sn_aligner **aligners; /* by worker */
  size_t n_aligners;
  slot *slots; /* [utterances] */
  sn_fmllr_work *work;
  sn_map_stats stats;
  sn_map_result *result;
} run;

static sn_status work(void *user, size_t i, size_t w, sn_err *err) {
  run *const r = user;
  sn_err own = {SN_OK, ""};
  const sn_utt *const u = &r->job->data->utts[i];
  const sn_status s = sn_align_utt(r->aligners[w], r->speakers, NULL, u,
                                   r->job->log, &r->slots[i].a, &own);
  if (s == SN_OK) return SN_OK;
  if (s == SN_EIO || s == SN_EFORMAT || s == SN_EARG) {
    r->slots[i].failed = sn_strdup(own.msg);
    if (r->slots[i].failed != NULL) return SN_OK;
  }
  return sn_fail(err, s, "%s: %s", u->id, own.msg);
}

static void add_frames(run *r, const sn_alignment *a) {
  for (int64_t t = 0; t < a->n_frames; t++)
    sn_map_stats_frame(&r->stats, r->am, r->work, a->pdfs[t],
                       sn_mat_row(a->feats, (size_t)t));
  r->result->n_used++;
  r->result->n_frames += a->n_frames;
  r->result->loglik += a->loglik;
  r->result->margin += a->margin;
}

static sn_status emit(void *user, size_t i, size_t w, sn_err *err) {
  run *const r = user;
  slot *const one = &r->slots[i];
  (void)w;
  sn_log_progress(r->job->log, "adapt", "utterances", (int64_t)i + 1,
                  (int64_t)r->job->data->n, i + 1 == r->job->data->n);
  if (one->failed != NULL || one->a.failure != SN_ALIGN_DONE) {
    r->result->n_failed++;
    sn_warn(r->job->log, "%s: left out: %s", r->job->data->utts[i].id,
            one->failed != NULL ? one->failed : one->a.detail);
  } else {
    add_frames(r, &one->a);
  }
  sn_alignment_clear(&one->a);
  sn_free(one->failed);
  one->failed = NULL;
  if (sn_log_cancelled(r->job->log))
    return sn_fail(err, SN_ECANCEL, "interrupted");
  return SN_OK;
}

/* ---- The model's folder ---- */

/* [files] key = the old model's file by its whole path, where it is there. */
static sn_status point_to(const run *r, sn_ini *ini, const char *section,
                          const char *key, const char *usual, sn_err *err) {
  const char *name = sn_ini_get(ini, section, key);
  if (name == NULL || name[0] == '\0') name = usual;
  if (name == NULL || name[0] == '/') return SN_OK;
  char real[PATH_MAX];
  char *const path = sn_path_join(r->job->model_dir, name);
  if (path == NULL) return sn_fail_nomem(err, "model");
  sn_status s = SN_OK;
  if (realpath(path, real) != NULL)
    s = sn_ini_set(ini, section, key, real, err);
  sn_free(path);
  return s;
}

static sn_status describe(const run *r, sn_ini *ini, const char *out_dir,
                          sn_err *err) {
  char text[160], real[PATH_MAX];
  if (r->job->mllr != NULL)
    (void)snprintf(text, sizeof text,
                   "MLLR of means, %d transforms, %lld frames of %lld "
                   "utterances",
                   r->result->mllr.n_estimated, (long long)r->result->n_frames,
                   (long long)r->result->n_used);
  else
    (void)snprintf(
        text, sizeof text, "MAP of%s%s, tau %g, %lld frames of %lld utterances",
        r->job->map.means ? " means" : "",
        r->job->map.variances ? " variances" : "", r->job->map.tau,
        (long long)r->result->n_frames, (long long)r->result->n_used);
  SN_TRY(sn_ini_set(ini, "model", "name", sn_path_base(out_dir), err));
  SN_TRY(sn_ini_set(ini, "model", "adapted", text, err));
  if (realpath(r->job->model_dir, real) != NULL)
    SN_TRY(sn_ini_set(ini, "model", "adapted-from", real, err));
  SN_TRY(sn_ini_set(ini, "files", "am", "am.bin", err));
  SN_TRY(point_to(r, ini, "files", "graph", "graph.sng", err));
  SN_TRY(point_to(r, ini, "files", "lexicon", "lexicon.db", err));
  return point_to(r, ini, "frontend", "lda", NULL, err);
}

static sn_status write_model(run *r, const char *out_dir, sn_err *err) {
  sn_ini *ini = NULL;
  char *const from = sn_path_join(r->job->model_dir, "model.ini");
  char *const to = sn_path_join(out_dir, "model.ini");
  char *const bin = sn_path_join(out_dir, "am.bin");
  sn_status s = from == NULL || to == NULL || bin == NULL
                    ? sn_fail_nomem(err, "model")
                    : sn_dir_make(out_dir, err);
  if (s == SN_OK) s = sn_ini_load(from, &ini, err);
  if (s == SN_OK && r->job->mllr != NULL)
    s = sn_mllr_write(r->am, &r->stats, r->job->mllr, bin, &r->result->mllr,
                      err);
  else if (s == SN_OK)
    s = sn_map_write(r->am, &r->stats, &r->job->map, bin, &r->result->update,
                     err);
  if (s == SN_OK) s = describe(r, ini, out_dir, err);
  if (s == SN_OK) s = sn_ini_save(ini, to, err);
  sn_ini_destroy(ini);
  sn_free(from);
  sn_free(to);
  sn_free(bin);
  return s;
}

/* ---- All ---- */

static sn_status prepare(run *r, const char *out_dir, sn_err *err) {
  const sn_map_job *const job = r->job;
  char a[PATH_MAX], b[PATH_MAX];
  if (realpath(job->model_dir, a) != NULL && realpath(out_dir, b) != NULL &&
      strcmp(a, b) == 0)
    return sn_fail(err, SN_EARG,
                   "'%s' is the model itself; name another folder", out_dir);
  if (job->data->n == 0) return sn_fail(err, SN_EARG, "no utterance");
  SN_TRY(sn_am_load(job->model_dir, job->log, &r->am, err));
  SN_TRY(sni_check_plain(job->model_dir, err));
  SN_TRY(sn_map_stats_init(&r->stats, r->am, err));
  SN_TRY(sn_fmllr_work_create(r->am, &r->work, err));
  const size_t n = job->pool != NULL ? sn_pool_n_threads(job->pool) : 1;
  r->aligners = sn_calloc(n, sizeof(sn_aligner *));
  r->slots = sn_calloc(job->data->n, sizeof *r->slots);
  if (r->aligners == NULL || r->slots == NULL)
    return sn_fail_nomem(err, "adaptation");
  r->n_aligners = n;
  sn_align_opts o = job->align;
  o.keep_frames = true;
  for (size_t i = 0; i < n; i++)
    SN_TRY(sn_aligner_create(r->am, job->lex, job->temp, &o, &r->aligners[i],
                             err));
  return sn_align_speakers(r->am, job->data->utts, job->data->n, job->pool,
                           job->log, &r->speakers, err);
}

static sn_status adapt(run *r, const char *out_dir, sn_err *err) {
  const sn_map_job *const job = r->job;
  sn_map_result *const o = r->result;
  SN_TRY(prepare(r, out_dir, err));
  SN_TRY(sn_pool_ordered(job->pool, job->data->n, 0, work, emit, r, err));
  if (o->n_used == 0 ||
      (double)o->n_failed > job->max_failed * (double)job->data->n)
    return sn_fail(err, SN_EMISMATCH,
                   "%lld of %zu utterances can not be aligned (at most %g of "
                   "them may fail): do the transcripts belong to the "
                   "recordings? 'senone corpus check' and 'senone align' tell "
                   "more",
                   (long long)o->n_failed, job->data->n, job->max_failed);
  o->loglik /= (double)o->n_frames;
  o->margin /= (double)o->n_frames;
  return write_model(r, out_dir, err);
}

sn_status sn_map_train(const sn_map_job *job, const char *out_dir,
                       sn_map_result *result, sn_err *err) {
  const sn_map_result none = {0};
  *result = none;
  run r = {.job = job, .result = result};
  const sn_status s = adapt(&r, out_dir, err);
  for (size_t i = 0; i < r.n_aligners; i++) sn_aligner_destroy(r.aligners[i]);
  for (size_t i = 0; r.slots != NULL && i < job->data->n; i++) {
    sn_alignment_clear(&r.slots[i].a);
    sn_free(r.slots[i].failed);
  }
  sn_free(r.aligners);
  sn_spk_cmvn_destroy(r.speakers);
  sn_free(r.slots);
  sn_map_stats_clear(&r.stats);
  sn_fmllr_work_destroy(r.work);
  sn_am_destroy(r.am);
  return s;
}
