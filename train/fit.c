/* SPDX-License-Identifier: Apache-2.0 */
/* Do the transcripts belong to the recordings?
 *
 * A model learns whatever words it is given: of 40 utterances with shuffled
 * transcripts it scores nearly all better by those than by others. So
 * utterances are judged by models of other utterances. They are dealt to FOLDS
 * folds; a fold's model is made of the sums of all the others, each state one
 * Gaussian, with a few frames of all speech as a prior, for phones that those
 * hardly have. An utterance is aligned by it with its own words and with those
 * of some others, and wins where its own are likelier. The sums are those of
 * alignments by the model of all, so something is left of what it learnt of the
 * utterance: shuffled transcripts win a little more than half (docs/train.md
 * has figures).
 *
 * Costs, in alignments of the corpus: one, and one for each rival; few
 * utterances have more rivals, so that their noise averages out. Each fold is
 * summed in order by one thread: the same bits for any number of them. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/train_internal.h"

enum {
  FOLDS = 10,
  LEAST_UTTS = 12, /* below, nothing can be said */
  MOST_RIVALS = 20,
  COMPARISONS = 400, /* in all, where the corpus is small */
  PRIOR_FRAMES = 3
};
/* Of comparisons won; between what right and shuffled transcripts do. */
static const double least_won = 0.75;

typedef struct fold {
  sni_part sums; /* of its utterances */
  sn_mixtures mix;
  sn_mix_tables *tables; /* of mix, which is made of the others */
} fold;

typedef struct fit {
  sni_trainer *t;
  size_t n_rivals;
  fold folds[FOLDS];
  int8_t *won, *compared; /* [utterances] */
} fit;

/* Copies at other speeds go where the utterance goes. */
static size_t fold_of(const sni_corpus *c, const sni_utt *u) {
  return (size_t)(u->from - c->dir.utts) % FOLDS;
}

/* ---- The folds' models ---- */

static sn_status sum_fold(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  fit *const f = user;
  const sni_trainer *const t = f->t;
  const sni_corpus *const c = t->corpus;
  sni_part *const p = &f->folds[i].sums;
  SN_TRY(sni_part_init(p, sn_mixtures_n_gauss(&t->mix), t->mix.dim,
                       (size_t)t->tied.n_phones * SNI_STATES, err));
  for (size_t k = 0; k < c->n; k++)
    if (!c->utts[k].failed && fold_of(c, &c->utts[k]) == i)
      sni_accumulate(t, &c->utts[k], c->utts[k].feats, p);
  return SN_OK;
}

/* To each Gaussian some frames that are as all are on the average. */
static void add_prior(sn_mix_stats *s) {
  const size_t G = s->n_gauss, D = s->dim;
  double n = 0;
  for (size_t g = 0; g < G; g++) n += s->occ[g];
  if (n < 1) return;
  for (size_t d = 0; d < D; d++) {
    double sum = 0, sumsq = 0;
    for (size_t g = 0; g < G; g++) {
      sum += s->sum[g * D + d];
      sumsq += s->sumsq[g * D + d];
    }
    for (size_t g = 0; g < G; g++) {
      s->sum[g * D + d] += PRIOR_FRAMES * sum / n;
      s->sumsq[g * D + d] += PRIOR_FRAMES * sumsq / n;
    }
  }
  for (size_t g = 0; g < G; g++) s->occ[g] += PRIOR_FRAMES;
}

static sn_status update_fold(const sni_trainer *t, sni_part *rest, fold *out,
                             sn_err *err) {
  const sn_mix_update_opts o = {.var_floor = t->o->var_floor};
  sn_mix_update_report r;
  add_prior(&rest->mix);
  SN_TRY(sn_mixtures_copy(&t->mix, &out->mix, err));
  double *const occ = sn_calloc(t->mix.n_pdfs, sizeof *occ);
  if (occ == NULL) return sn_fail_nomem(err, "check");
  sn_status s = sn_mix_update(&out->mix, &rest->mix, &o, occ, &r, err);
  sn_free(occ);
  if (s == SN_OK) s = sn_mix_tables_create(&out->mix, &out->tables, err);
  return s;
}

static sn_status make_fold(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  fit *const f = user;
  const sni_part *const own = &f->folds[i].sums;
  sni_part rest;
  SN_TRY(
      sni_part_init(&rest, own->mix.n_gauss, own->mix.dim, own->n_rows, err));
  for (size_t k = 0; k < FOLDS; k++)
    if (k != i) sni_part_add(&rest, &f->folds[k].sums);
  const sn_status s = update_fold(f->t, &rest, &f->folds[i], err);
  sni_part_clear(&rest);
  return s;
}

/* ---- Comparisons ---- */

static bool same_words(const sni_utt *a, const sni_utt *b) {
  return a->n_words == b->n_words &&
         memcmp(a->words, b->words, a->n_words * sizeof *a->words) == 0;
}

static size_t distance(const sni_utt *a, const sni_utt *b) {
  return a->n_words > b->n_words ? a->n_words - b->n_words
                                 : b->n_words - a->n_words;
}

/* Up to `most` utterances of other words than u's and each other's, of as near
 * a number of them as there is; of equally near ones those that follow next.
 * Returns how many. */
static size_t find_rivals(const sni_corpus *c, size_t u, size_t most,
                          const sni_utt *out[MOST_RIVALS]) {
  const sni_utt *const own = &c->utts[u];
  size_t n = 0;
  for (size_t k = 1; k < c->n; k++) {
    const sni_utt *const v = &c->utts[(u + k) % c->n];
    const size_t far = distance(own, v);
    bool known = same_words(own, v);
    for (size_t i = 0; i < n && !known; i++) known = same_words(out[i], v);
    if (known || (n == most && far >= distance(own, out[n - 1]))) continue;
    size_t at = n < most ? n++ : n - 1;
    for (; at > 0 && distance(own, out[at - 1]) > far; at--)
      out[at] = out[at - 1];
    out[at] = v;
    if (n == most && distance(own, out[n - 1]) == 0) break;
  }
  return n;
}

static sn_status compare(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  fit *const f = user;
  sni_corpus *const c = f->t->corpus;
  sni_utt *const u = &c->utts[i];
  const fold *const o = &f->folds[fold_of(c, u)];
  const sni_utt *rivals[MOST_RIVALS];
  if (u->failed) return SN_OK;
  if (sn_log_cancelled(f->t->log))
    return sn_fail(err, SN_ECANCEL, "interrupted");
  sni_trainer others = *f->t;
  others.mix = o->mix;
  others.tables = o->tables;
  const size_t n = find_rivals(c, i, f->n_rivals, rivals);
  double own = 0, logp = 0;
  if (n > 0)
    SN_TRY(sni_align(&others, u, u->words, u->n_words, &own, false, err));
  for (size_t k = 0; k < n; k++) {
    SN_TRY(sni_align(&others, u, rivals[k]->words, rivals[k]->n_words, &logp,
                     false, err));
    f->won[i] = (int8_t)(f->won[i] + (own > logp));
  }
  f->compared[i] = (int8_t)n;
  return SN_OK;
}

static sn_status judge(const fit *f, sn_err *err) {
  const sni_corpus *const c = f->t->corpus;
  size_t n = 0, all = 0, won = 0, failed = 0;
  for (size_t i = 0; i < c->n; i++) {
    failed += c->utts[i].failed;
    n += f->compared[i] > 0;
    all += (size_t)f->compared[i];
    won += (size_t)f->won[i];
  }
  const double percent = all > 0 ? 100.0 * (double)won / (double)all : 0;
  sn_info(f->t->log,
          "%zu utterances fit their own words better than others' in %.1f %% "
          "of %zu comparisons",
          n, percent, all);
  if (failed * 2 > c->n)
    return sn_fail(err, SN_EMISMATCH,
                   "%zu of %zu utterances cannot be aligned with their words: "
                   "the transcripts do not belong to these recordings",
                   failed, c->n);
  if (n >= LEAST_UTTS && (double)won < least_won * (double)all)
    return sn_fail(
        err, SN_EMISMATCH,
        "judged by models of other utterances, %zu utterances fit their own "
        "words better than another one's in only %.0f %% of %zu comparisons "
        "(right transcripts: more than %.0f %%; shuffled ones: little more "
        "than half): the transcripts do not belong to these recordings. If "
        "they do, --check-transcripts=no trains all the same",
        n, percent, all, 100 * least_won);
  return SN_OK;
}

static sn_status run(fit *f, sn_err *err) {
  sn_pool *const pool = f->t->pool;
  const size_t n = f->t->corpus->n;
  f->n_rivals = COMPARISONS / n < 1             ? 1
                : COMPARISONS / n > MOST_RIVALS ? MOST_RIVALS
                                                : COMPARISONS / n;
  SN_TRY(sn_pool_for(pool, FOLDS, sum_fold, f, err));
  SN_TRY(sn_pool_for(pool, FOLDS, make_fold, f, err));
  SN_TRY(sn_pool_for(pool, n, compare, f, err));
  return judge(f, err);
}

sn_status sni_check_fit(sni_trainer *t, sn_err *err) {
  const size_t n = t->corpus->n;
  fit f = {.t = t,
           .won = sn_calloc(n, sizeof *f.won),
           .compared = sn_calloc(n, sizeof *f.compared)};
  const sn_status s = f.won == NULL || f.compared == NULL
                          ? sn_fail_nomem(err, "check")
                          : run(&f, err);
  for (size_t i = 0; i < FOLDS; i++) {
    sni_part_clear(&f.folds[i].sums);
    sn_mix_tables_destroy(f.folds[i].tables);
    sn_mixtures_clear(&f.folds[i].mix);
  }
  sn_free(f.won);
  sn_free(f.compared);
  return s;
}
