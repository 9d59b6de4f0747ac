/* SPDX-License-Identifier: Apache-2.0 */
/* What stages have in common: their folders, the model directory, train.json,
 * the order in which they follow each other. */
#include <string.h>

#include "base/ini.h"
#include "base/io.h"
#include "base/mem.h"
#include "score/report.h"
#include "train/checkpoint_internal.h"

size_t sni_target_at(size_t from, size_t to, int n, int n_passes) {
  const int end = n_passes * 3 / 4 < 1 ? 1 : n_passes * 3 / 4;
  if (n >= end || to <= from) return to;
  return from + (to - from) * (size_t)n / (size_t)end;
}

/* ---- Folders ---- */

sn_status sni_stage_path(const char *exp, const char *stage, const char *file,
                         char **out, sn_err *err) {
  char *const dir = sn_path_join(exp, stage);
  *out = dir == NULL    ? NULL
         : file == NULL ? sn_strdup(dir)
                        : sn_path_join(dir, file);
  sn_free(dir);
  return *out == NULL ? sn_fail_nomem(err, "path") : SN_OK;
}

sn_status sni_stage_done(const char *exp, const char *stage, sn_log *log,
                         bool *done, sn_err *err) {
  char *a = NULL, *b = NULL;
  sn_status s = sni_stage_path(exp, stage, "model.ini", &a, err);
  if (s == SN_OK) s = sni_stage_path(exp, stage, "train.json", &b, err);
  *done = s == SN_OK && sn_file_exists(a) && sn_file_exists(b);
  sn_free(a);
  sn_free(b);
  if (*done)
    sn_info(log, "%s/%s is there already: remove it to train it again", exp,
            stage);
  return s;
}

sn_status sni_check_plain(const char *dir, sn_err *err) {
  sn_ini *ini = NULL;
  char *const path = sn_path_join(dir, "model.ini");
  if (path == NULL) return sn_fail_nomem(err, "path");
  sn_status s = sn_ini_load(path, &ini, err);
  if (s == SN_OK && sn_ini_get(ini, "files", "am-first") != NULL)
    s = sn_fail(
        err, SN_EARG,
        "'%s' is of features adapted to speakers (senone train sat): this "
        "would need their transforms; take a model of 'senone train lda'",
        dir);
  sn_ini_destroy(ini);
  sn_free(path);
  return s;
}

static sn_status write_json(const sni_trainer *t, const char *path,
                            sn_err *err) {
  const sni_corpus *const c = t->corpus;
  sn_writer *w = NULL;
  sn_str failed = {0};
  int64_t frames = 0;
  for (size_t i = 0; i < c->n; i++) frames += (int64_t)c->utts[i].feats.rows;
  SN_TRY(sn_writer_open(path, &w, err));
  sn_status s = sn_writef(
      w, err,
      "{\n  \"stage\": \"%s\",\n  \"format\": 1,\n  \"utterances\": %zu,\n"
      "  \"frames\": %lld,\n  \"phones\": %d,\n  \"pdfs\": %d,\n"
      "  \"gaussians\": %zu,\n  \"left_out\": [%s],\n  \"failed\": [",
      t->stage, c->n, (long long)frames, c->n_phones, t->tied.n_pdfs,
      sn_mixtures_n_gauss(&t->mix), sn_str_get(&c->left_out));
  for (size_t i = 0; s == SN_OK && i < c->n; i++) {
    if (!c->utts[i].failed) continue;
    if (failed.n > 0) s = sn_str_adds(&failed, ", ", err);
    if (s == SN_OK) s = sn_report_json_string(c->utts[i].id, &failed, err);
  }
  if (s == SN_OK) s = sn_write_bytes(w, failed.data, failed.n, err);
  sn_str_clear(&failed);
  if (s == SN_OK) s = sn_writef(w, err, "],\n  \"occupancy\": [");
  for (int32_t i = 0; s == SN_OK && i < t->tied.n_pdfs; i++)
    s = sn_writef(w, err, "%s%.0f", i > 0 ? ", " : "", t->occ[i]);
  const sni_silence sil = sni_count_silence(c);
  if (s == SN_OK)
    s = sn_writef(w, err,
                  "],\n  \"silence\": {\"places\": %lld, \"silent\": %lld, "
                  "\"probability\": %.6f},\n  \"resumed_after\": [",
                  (long long)sil.n_places, (long long)sil.n_silent,
                  sil.probability);
  for (size_t i = 0; s == SN_OK && i < t->resumed.n; i++)
    s = sn_writef(w, err, "%s%d", i > 0 ? ", " : "", t->resumed.data[i]);
  if (s == SN_OK)
    s = sn_writef(w, err, "],\n  \"passes\": [%s\n  ]\n}\n",
                  sn_str_get(&t->json));
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  return s;
}

/* The trees, where the stage has them. */
static sn_status write_tree(const sni_trainer *t, const char *exp,
                            sn_err *err) {
  char *path = NULL;
  sn_writer *w = NULL;
  if (t->tree.n == 0) return SN_OK;
  SN_TRY(sni_stage_path(exp, t->stage, "tree.json", &path, err));
  sn_status s = sn_writer_open(path, &w, err);
  if (s == SN_OK) s = sn_write_bytes(w, t->tree.data, t->tree.n, err);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  sn_free(path);
  return s;
}

/* By name, one warning each: they may be many. */
static void warn_unseen(const sni_trainer *t) {
  for (int32_t p = 0; p < t->tied.n_phones; p++) {
    double occ = 0;
    for (int32_t s = 0; s < SNI_STATES; s++)
      occ += t->occ[t->tied.hmm_pdfs[t->tied.base_hmm[p] * SNI_STATES + s]];
    if (occ < 1)
      sn_warn(t->log, "the phone %s has no frames: it sounds like any other",
              t->corpus->phones[p]);
  }
}

static void warn_failed(const sni_trainer *t) {
  for (size_t i = 0; i < t->corpus->n; i++)
    if (t->corpus->utts[i].failed)
      sn_warn(t->log, "%s could not be aligned with its words",
              t->corpus->utts[i].id);
}

sn_status sni_stage_write(sni_trainer *t, const char *exp, sn_err *err) {
  char *dir = NULL, *json = NULL;
  const sni_corpus *const c = t->corpus;
  uint8_t *const filler = sn_calloc((size_t)c->n_phones, 1);
  if (filler == NULL) return sn_fail_nomem(err, "model");
  filler[0] = 1;
  warn_unseen(t);
  warn_failed(t);
  sn_am_parts parts = sni_tied_parts(&t->tied);
  parts.name = t->stage;
  parts.phones = c->phones;
  parts.is_filler = filler;
  parts.mix = &t->mix;
  parts.first = t->first;
  parts.feat = c->feat;
  parts.transform = sn_mat_const(c->transform);
  parts.silence_prob =
      t->o->estimate_silence ? sni_count_silence(c).probability : t->o->silence;
  parts.lm_scale = t->o->lm_scale;
  parts.word_penalty = t->o->word_penalty;
  sn_status s = sni_stage_path(exp, t->stage, NULL, &dir, err);
  if (s == SN_OK) s = sni_stage_path(exp, t->stage, "train.json", &json, err);
  if (s == SN_OK) s = sn_dir_make(dir, err);
  if (s == SN_OK) s = write_json(t, json, err);
  if (s == SN_OK) s = write_tree(t, exp, err);
  if (s == SN_OK) s = sni_pron_probs_write(t, exp, err);
  if (s == SN_OK) s = sn_am_write_parts(&parts, dir, err);
  if (s == SN_OK) sni_checkpoint_remove(t, exp);
  sn_free(filler);
  sn_free(dir);
  sn_free(json);
  return s;
}

void sni_trainer_clear(sni_trainer *t) {
  sni_tied_clear(&t->tied);
  sn_mix_tables_destroy(t->tables);
  sn_mixtures_clear(&t->mix);
  sn_free(t->occ);
  sn_str_clear(&t->json);
  sn_str_clear(&t->tree);
  for (size_t i = 0; i < t->speakers.n; i++)
    sn_mat_free(&t->speakers.data[i].w);
  SN_ARR_FREE(&t->speakers);
  SN_ARR_FREE(&t->resumed);
  sn_pool_destroy(t->pool);
}

sn_status sni_same_phones(const sni_corpus *c, const sn_am *am, const char *dir,
                          sn_err *err) {
  if (sn_am_n_phones(am) != c->n_phones)
    return sn_fail(err, SN_EMISMATCH,
                   "'%s' has %d phones, the lexicon and silence have %d", dir,
                   sn_am_n_phones(am), c->n_phones);
  for (int32_t p = 0; p < c->n_phones; p++)
    if (strcmp(sn_am_phone(am, p), c->phones[p]) != 0)
      return sn_fail(err, SN_EMISMATCH,
                     "'%s': phone %d is %s, in the lexicon %s: train it again",
                     dir, p, sn_am_phone(am, p), c->phones[p]);
  return SN_OK;
}

sn_status sni_stage_load(sni_trainer *t, const char *exp, const char *stage,
                         sn_err *err) {
  char *dir = NULL;
  sn_am *am = NULL;
  bool done = false;
  SN_TRY(sni_stage_done(exp, stage, NULL, &done, err));
  if (!done)
    return sn_fail(err, SN_EIO,
                   "%s begins with the model of stage %s, and '%s/%s' is not "
                   "there: 'senone train %s' makes it, 'senone train all' all "
                   "stages in order",
                   t->stage, stage, exp, stage, stage);
  sn_status s = sni_stage_path(exp, stage, NULL, &dir, err);
  if (s == SN_OK) s = sn_am_load(dir, t->log, &am, err);
  if (s == SN_OK) s = sni_same_phones(t->corpus, am, dir, err);
  if (s == SN_OK) s = sni_corpus_like(t->corpus, sn_am_feat(am), t->pool, err);
  if (s == SN_OK) s = sni_tied_load(am, &t->tied, err);
  if (s == SN_OK) s = sn_am_mixtures(am, &t->mix, err);
  sn_am_destroy(am);
  sn_free(dir);
  return s;
}

/* ---- Stages ---- */

static const struct stage {
  const char *name, *before;
  sn_status (*run)(sni_trainer *t, const char *exp, sn_err *err);
} stages[] = {{"mono", NULL, sni_run_mono},
              {"tri", "mono", sni_run_tri},
              {"lda", "tri", sni_run_lda},
              {"sat", "lda", sni_run_sat}};

static sn_status run_stage(const struct stage *stage, const char *const in[3],
                           const sn_train_opts *opts, sn_log *log,
                           sn_err *err) {
  sni_corpus c = {0};
  bool done = false;
  sni_trainer t = {.o = opts, .corpus = &c, .log = log, .stage = stage->name};
  SN_TRY(sni_stage_done(in[2], stage->name, log, &done, err));
  if (done) return SN_OK;
  sn_status s = sn_pool_create((size_t)t.o->jobs, &t.pool, err);
  if (s == SN_OK) s = sni_corpus_load(in[0], in[1], t.o, t.pool, log, &c, err);
  if (s == SN_OK)
    s = sni_run_identity(&t, in[2], stage->before, &t.identity, err);
  if (s == SN_OK) s = stage->run(&t, in[2], err);
  sni_trainer_clear(&t);
  sni_corpus_clear(&c);
  return s;
}

sn_status sn_train(const char *stage, const char *data, const char *lexicon,
                   const char *exp, const sn_train_opts *opts, sn_log *log,
                   sn_err *err) {
  const char *const in[3] = {data, lexicon, exp};
  const size_t n = sizeof stages / sizeof *stages;
  sn_train_opts deflt;
  size_t n_run = 0;
  sn_opt_defaults(sn_train_opt_table, &deflt);
  for (size_t i = 0; i < n; i++) {
    if (stage != NULL && strcmp(stage, stages[i].name) != 0) continue;
    n_run++;
    SN_TRY(run_stage(&stages[i], in, opts != NULL ? opts : &deflt, log, err));
  }
  if (n_run == 0) return sn_fail(err, SN_EARG, "there is no stage '%s'", stage);
  return SN_OK;
}
