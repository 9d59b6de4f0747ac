/* SPDX-License-Identifier: Apache-2.0 */
/* The stages: flat-start monophones; triphones tied by a tree. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/mem.h"
#include "train/train_internal.h"

#define AT(field) offsetof(sn_train_opts, field)
const sn_opt sn_train_opt_table[] = {
    {"jobs", SN_OPT_INT, AT(jobs), 0, 0, 1024, NULL, "threads",
     "at work; 0: as many as the machine has"},
    {"mono-gauss", SN_OPT_INT, AT(mono_gauss), 1000, 1, 10000000, NULL, NULL,
     "Gaussians of the monophones, in all"},
    {"mono-passes", SN_OPT_INT, AT(mono_passes), 40, 1, 1000, NULL, NULL,
     "passes of the monophones"},
    {"tri-leaves", SN_OPT_INT, AT(tri_leaves), 300, 1, 1000000, NULL, NULL,
     "leaves of the triphones' trees, before they are joined"},
    {"tri-gauss", SN_OPT_INT, AT(tri_gauss), 3000, 1, 10000000, NULL, NULL,
     "Gaussians of the triphones, in all"},
    {"tri-passes", SN_OPT_INT, AT(tri_passes), 35, 1, 1000, NULL, NULL,
     "passes of the triphones"},
    {"roots", SN_OPT_ENUM, AT(roots), SN_ROOTS_PHONE, 0, 1, "phone|state", NULL,
     "what a tree begins with: all states of a phone, or one"},
    {"power", SN_OPT_DOUBLE, AT(power), 0.25, 0, 1, NULL, NULL,
     "Gaussians of a pdf grow as its frames to this power"},
    {"beam", SN_OPT_DOUBLE, AT(beam), 200, 1, 1e6, NULL, "nat",
     "of alignment; four times that where it fails"},
    {"silence", SN_OPT_DOUBLE, AT(silence), 0.5, 1e-6, 0.999999, NULL, NULL,
     "probability of silence between words"},
    {"min-occ", SN_OPT_DOUBLE, AT(min_occ), 10, 0, 1e6, NULL, "frames",
     "that keep a Gaussian"},
    {"var-floor", SN_OPT_DOUBLE, AT(var_floor), 0.001, 1e-9, 1e6, NULL, NULL,
     "lowest variance"},
    {"lm-scale", SN_OPT_DOUBLE, AT(lm_scale), 10, 0, 1000, NULL, NULL,
     "of language models, by default, in the model made"},
    {"word-penalty", SN_OPT_DOUBLE, AT(word_penalty), 0, -1000, 1000, NULL,
     NULL, "natural log for each word, likewise"},
    {"word-pos", SN_OPT_BOOL, AT(word_pos), 1, 0, 1, NULL, NULL,
     "trees may ask where in the word a phone is"},
    {"silence-phone", SN_OPT_STRING, AT(silence_phone), 0, 0, 0, "SIL", NULL,
     "name of silence among the phones"},
    SN_OPT_END};
#undef AT

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

static sn_status write_json(const sni_trainer *t, const char *path,
                            sn_err *err) {
  const sni_corpus *const c = t->corpus;
  sn_writer *w = NULL;
  int64_t frames = 0;
  bool any = false;
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
    s = sn_writef(w, err, "%s\"%s\"", any ? ", " : "", c->utts[i].id);
    any = true;
  }
  if (s == SN_OK) s = sn_writef(w, err, "],\n  \"occupancy\": [");
  for (int32_t i = 0; s == SN_OK && i < t->tied.n_pdfs; i++)
    s = sn_writef(w, err, "%s%.0f", i > 0 ? ", " : "", t->occ[i]);
  if (s == SN_OK)
    s = sn_writef(w, err, "],\n  \"passes\": [%s\n  ]\n}\n",
                  sn_str_get(&t->json));
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
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
  const sni_tied *const d = &t->tied;
  const sni_corpus *const c = t->corpus;
  uint8_t *const filler = sn_calloc((size_t)c->n_phones, 1);
  if (filler == NULL) return sn_fail_nomem(err, "model");
  filler[0] = 1;
  warn_unseen(t);
  warn_failed(t);
  const sn_am_parts parts = {.name = t->stage,
                             .phones = c->phones,
                             .is_filler = filler,
                             .n_phones = c->n_phones,
                             .n_states = SNI_STATES,
                             .n_hmms = d->n_hmms,
                             .n_tmats = c->n_phones,
                             .base_hmm = d->base_hmm,
                             .hmm_tmat = d->hmm_tmat,
                             .hmm_pdfs = d->hmm_pdfs,
                             .tmats = d->tmats,
                             .triphone = d->triphone,
                             .mix = &t->mix,
                             .feat = c->feat,
                             .silence_prob = t->o->silence,
                             .lm_scale = t->o->lm_scale,
                             .word_penalty = t->o->word_penalty};
  sn_status s = sni_stage_path(exp, t->stage, NULL, &dir, err);
  if (s == SN_OK) s = sni_stage_path(exp, t->stage, "train.json", &json, err);
  if (s == SN_OK) s = sn_dir_make(dir, err);
  if (s == SN_OK) s = write_json(t, json, err);
  if (s == SN_OK) s = sn_am_write_parts(&parts, dir, err);
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
  sn_pool_destroy(t->pool);
}

/* ---- Monophones ---- */

/* One Gaussian each: that of all frames. */
static sn_status start_mono(sni_trainer *t, sn_err *err) {
  const sni_corpus *const c = t->corpus;
  const size_t D = c->dim;
  SN_TRY(sni_tied_mono(c->n_phones, &t->tied, err));
  const size_t N = (size_t)t->tied.n_pdfs;
  int32_t *const ones = sn_calloc(N, sizeof *ones);
  double *const sum = sn_calloc(2 * D, sizeof *sum);
  t->occ = sn_calloc(N, sizeof *t->occ);
  double n = 0;
  sn_status s = ones == NULL || sum == NULL || t->occ == NULL
                    ? sn_fail_nomem(err, "monophones")
                    : SN_OK;
  for (size_t i = 0; s == SN_OK && i < N; i++) ones[i] = 1;
  if (s == SN_OK) s = sn_mixtures_init(&t->mix, N, D, ones, err);
  for (size_t i = 0; s == SN_OK && i < c->n; i++)
    for (size_t f = 0; f < c->utts[i].feats.rows; f++, n++)
      for (size_t d = 0; d < D; d++) {
        const double v = (double)sn_mat_row(c->utts[i].feats, f)[d];
        sum[d] += v;
        sum[D + d] += v * v;
      }
  if (s == SN_OK && n < 1)
    s = sn_fail(err, SN_EMISMATCH, "the recordings have not one frame");
  for (size_t d = 0; s == SN_OK && d < D; d++) {
    const double mean = sum[d] / n, var = sum[D + d] / n - mean * mean;
    if (!(var > 1e-8))
      s = sn_fail(err, SN_EMISMATCH,
                  "feature %zu is the same in all %.0f frames: the recordings "
                  "are silent, or no recordings of speech",
                  d, n);
    for (size_t i = 0; i < N; i++) {
      t->mix.weights[i] = 1;
      t->mix.means[i * D + d] = (float)mean;
      t->mix.vars[i * D + d] = (float)fmax(var, t->o->var_floor);
    }
  }
  sn_free(ones);
  sn_free(sum);
  return s;
}

/* When the corpus is aligned anew: often at first, then seldom. */
static bool mono_aligns(int n) {
  static const uint8_t at[] = {12, 14, 16, 18, 20, 23, 26, 29, 32, 35, 38};
  if (n <= 10) return true;
  for (size_t i = 0; i < sizeof at; i++)
    if (at[i] == n) return true;
  return false;
}

/* Gaussians wanted after pass n of n_passes: growing to three quarters. */
static size_t target_at(size_t from, size_t to, int n, int n_passes) {
  const int end = n_passes * 3 / 4 < 1 ? 1 : n_passes * 3 / 4;
  if (n >= end || to <= from) return to;
  return from + (to - from) * (size_t)n / (size_t)end;
}

/* Transcripts are checked while each state has one Gaussian: later the model
 * has learnt wrong ones. AN4 (820 utterances): 809 fit their own words better
 * at pass 4, of shuffled ones 57 %; with 1000 Gaussians of these 89 %. */
enum { CHECKED_PASS = 4 };

static sn_status run_mono(sni_trainer *t, const char *exp, sn_err *err) {
  SN_TRY(start_mono(t, err));
  SN_TRY(sni_tables(t, err));
  const size_t from = (size_t)t->tied.n_pdfs;
  SN_TRY(sni_pass(t, 0, SNI_FLAT, 0, 3, err));
  for (int n = 1; n <= t->o->mono_passes; n++) {
    const bool grows = n > CHECKED_PASS;
    SN_TRY(sni_pass(
        t, n, mono_aligns(n) ? SNI_VITERBI : SNI_KEEP,
        grows ? target_at(from, (size_t)t->o->mono_gauss, n, t->o->mono_passes)
              : 0,
        t->o->min_occ, err));
    if (n ==
        (t->o->mono_passes < CHECKED_PASS ? t->o->mono_passes : CHECKED_PASS)) {
      SN_TRY(sni_realign_all(t, err));
      SN_TRY(sni_check_fit(t, err));
    }
  }
  return sni_stage_write(t, exp, err);
}

/* ---- Triphones ---- */

static sn_status tree_stats(const sni_corpus *c, sn_tree_stats *s,
                            sn_err *err) {
  s->dim = c->dim;
  for (size_t i = 0; i < c->n; i++)
    for (size_t k = 0; !c->utts[i].failed && k < c->utts[i].segs.n; k++) {
      const sni_seg *const g = &c->utts[i].segs.data[k];
      for (int32_t st = 0; st < SNI_STATES; st++)
        for (int32_t f = g->begin[st]; f < g->begin[st + 1]; f++) {
          const sn_tree_ctx x = {g->phone, g->phone == 0 ? 0 : g->left,
                                 g->phone == 0 ? 0 : g->right,
                                 g->phone == 0 ? 0 : g->pos, st};
          SN_TRY(sn_tree_stats_frame(
              s, x, sn_mat_row(c->utts[i].feats, (size_t)f), err));
        }
    }
  return SN_OK;
}

/* One Gaussian for each leaf, of its frames; of all where it has none. */
static sn_status start_leaves(sni_trainer *t, const sn_tree *tree,
                              const sn_tree_stats *s, sn_err *err) {
  const size_t N = (size_t)sn_tree_n_pdfs(tree), D = s->dim;
  int32_t *const ones = sn_calloc(N, sizeof *ones);
  double *const sums = sn_calloc((N + 1) * (1 + 2 * D), sizeof *sums);
  sn_free(t->occ);
  t->occ = sn_calloc(N, sizeof *t->occ);
  sn_status st = ones == NULL || sums == NULL || t->occ == NULL
                     ? sn_fail_nomem(err, "triphones")
                     : SN_OK;
  for (size_t i = 0; st == SN_OK && i < N; i++) ones[i] = 1;
  sn_mixtures_clear(&t->mix);
  if (st == SN_OK) st = sn_mixtures_init(&t->mix, N, D, ones, err);
  const size_t W = 1 + 2 * D;
  for (size_t k = 0; st == SN_OK && k < s->n; k++) {
    double *const own = sums + (size_t)sn_tree_pdf(tree, &s->ctx[k]) * W;
    double *const all = sums + N * W;
    own[0] += s->occ[k];
    all[0] += s->occ[k];
    for (size_t d = 0; d < 2 * D; d++) {
      own[1 + d] += s->sums[k * 2 * D + d];
      all[1 + d] += s->sums[k * 2 * D + d];
    }
  }
  for (size_t i = 0; st == SN_OK && i < N; i++) {
    const double *const x = sums + (sums[i * W] >= 1 ? i : N) * W;
    t->occ[i] = sums[i * W];
    t->mix.weights[i] = 1;
    for (size_t d = 0; d < D; d++) {
      const double mean = x[1 + d] / x[0];
      const double var = x[1 + D + d] / x[0] - mean * mean;
      t->mix.means[i * D + d] = (float)mean;
      t->mix.vars[i * D + d] = (float)fmax(var, t->o->var_floor);
    }
  }
  sn_free(ones);
  sn_free(sums);
  return st;
}

static sn_status plant(sni_trainer *t, sn_err *err) {
  const sn_tree_opts o = {.n_phones = t->corpus->n_phones,
                          .n_states = SNI_STATES,
                          .silence = 0,
                          .max_leaves = t->o->tri_leaves,
                          .roots = t->o->roots,
                          .min_count = 20,
                          .word_pos = t->o->word_pos};
  sn_tree_stats stats = {0};
  sn_tree *tree = NULL;
  sni_tied tied = {0};
  sn_status s = tree_stats(t->corpus, &stats, err);
  if (s == SN_OK) s = sn_tree_build(&stats, &o, &tree, err);
  if (s == SN_OK) s = start_leaves(t, tree, &stats, err);
  if (s == SN_OK) s = sni_tied_tree(tree, &t->tied, &tied, err);
  if (s == SN_OK) {
    sni_tied_clear(&t->tied);
    t->tied = tied;
    sn_info(t->log, "%s: %zu contexts, %d leaves after joining, %d HMMs",
            t->stage, stats.n, t->tied.n_pdfs, t->tied.n_hmms);
  }
  sn_tree_destroy(tree);
  sn_tree_stats_clear(&stats);
  return s;
}

static sn_status load_stage(sni_trainer *t, const char *exp, const char *stage,
                            sn_err *err) {
  char *dir = NULL;
  sn_am *am = NULL;
  sn_status s = sni_stage_path(exp, stage, NULL, &dir, err);
  if (s == SN_OK) s = sn_am_load(dir, t->log, &am, err);
  if (s == SN_OK && sn_am_n_phones(am) != t->corpus->n_phones)
    s = sn_fail(err, SN_EMISMATCH,
                "'%s' has %d phones, the lexicon and silence have %d", dir,
                sn_am_n_phones(am), t->corpus->n_phones);
  for (int32_t p = 0; s == SN_OK && p < t->corpus->n_phones; p++)
    if (strcmp(sn_am_phone(am, p), t->corpus->phones[p]) != 0)
      s = sn_fail(err, SN_EMISMATCH,
                  "'%s': phone %d is %s, in the lexicon %s: train it again",
                  dir, p, sn_am_phone(am, p), t->corpus->phones[p]);
  if (s == SN_OK) s = sni_tied_load(am, &t->tied, err);
  if (s == SN_OK) s = sn_am_mixtures(am, &t->mix, err);
  sn_am_destroy(am);
  sn_free(dir);
  return s;
}

static sn_status run_tri(sni_trainer *t, const char *exp, sn_err *err) {
  SN_TRY(load_stage(t, exp, "mono", err));
  SN_TRY(sni_tables(t, err));
  SN_TRY(sni_realign_all(t, err));
  SN_TRY(plant(t, err));
  SN_TRY(sni_tables(t, err));
  const size_t from = (size_t)t->tied.n_pdfs;
  for (int n = 1; n <= t->o->tri_passes; n++)
    SN_TRY(
        sni_pass(t, n, n == 10 || n == 20 || n == 30 ? SNI_VITERBI : SNI_KEEP,
                 target_at(from, (size_t)t->o->tri_gauss, n, t->o->tri_passes),
                 t->o->min_occ, err));
  return sni_stage_write(t, exp, err);
}

/* ---- What they have in common ---- */

typedef sn_status stage_fn(sni_trainer *t, const char *exp, sn_err *err);

static sn_status run_stage(const char *const in[3], const sn_train_opts *opts,
                           const char *stage, stage_fn *fn, sn_log *log,
                           sn_err *err) {
  sn_train_opts deflt;
  sni_corpus c = {0};
  bool done = false;
  sn_opt_defaults(sn_train_opt_table, &deflt);
  sni_trainer t = {.o = opts != NULL ? opts : &deflt,
                   .corpus = &c,
                   .log = log,
                   .stage = stage};
  SN_TRY(sni_stage_done(in[2], stage, log, &done, err));
  if (done) return SN_OK;
  sn_status s = sn_pool_create((size_t)t.o->jobs, &t.pool, err);
  if (s == SN_OK) s = sni_corpus_load(in[0], in[1], t.o, t.pool, log, &c, err);
  if (s == SN_OK) s = fn(&t, in[2], err);
  sni_trainer_clear(&t);
  sni_corpus_clear(&c);
  return s;
}

sn_status sn_train_mono(const char *data, const char *lexicon, const char *exp,
                        const sn_train_opts *opts, sn_log *log, sn_err *err) {
  const char *const in[3] = {data, lexicon, exp};
  return run_stage(in, opts, "mono", run_mono, log, err);
}

sn_status sn_train_tri(const char *data, const char *lexicon, const char *exp,
                       const sn_train_opts *opts, sn_log *log, sn_err *err) {
  const char *const in[3] = {data, lexicon, exp};
  return run_stage(in, opts, "tri", run_tri, log, err);
}
