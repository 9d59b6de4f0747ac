/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the corpus: shards of 32 utterances are aligned and
 * accumulated by the threads (at most `window` at a time are in memory), added
 * along a fixed tree (sums_internal.h), and the model is updated. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "train/train_internal.h"

enum { S = SNI_STATES };

typedef struct pass {
  sni_trainer *t;
  const sn_mat *plain; /* [utterances] where statistics are of; or NULL */
  sni_realign how;
  bool only_align;
  sni_part *parts;                /* [window]; shard i uses i % window */
  size_t window, first, n_shards; /* shards of the pass */
  sni_sums sums;
  sni_part *total; /* of sums, when all shards are there */
} pass;

void sni_accumulate(const sni_trainer *t, const sni_utt *u, sn_mat sums_of,
                    sni_part *p) {
  for (size_t k = 0; k < u->segs.n; k++) {
    const sni_seg *const g = &u->segs.data[k];
    const int32_t hmm = sni_tied_hmm(&t->tied, g);
    for (int32_t s = 0; s < S; s++) {
      const int32_t pdf = t->tied.hmm_pdfs[hmm * S + s];
      for (int32_t f = g->begin[s]; f < g->begin[s + 1]; f++)
        sn_mix_accumulate_two(t->tables, pdf, sn_mat_row(u->feats, (size_t)f),
                              sn_mat_row(sums_of, (size_t)f), 1.0, &p->mix);
      p->loops[g->phone * S + s] += g->begin[s + 1] - g->begin[s] - 1;
      p->steps[g->phone * S + s] += 1;
    }
  }
}

static sn_status do_utt(const pass *x, size_t k, sni_part *p, sn_err *err) {
  const sni_trainer *const t = x->t;
  sni_utt *const u = &t->corpus->utts[k];
  const bool all_paths = t->o->statistics == SN_STATISTICS_BAUM_WELCH &&
                         x->how != SNI_FLAT && !x->only_align;
  double logp = 0;
  if (x->how == SNI_FLAT) SN_TRY(sni_align_flat(t, u, err));
  if (x->how == SNI_VITERBI)
    SN_TRY(sni_align(t, u, u->words, u->n_words, &logp, true, err));
  if (all_paths) {
    SN_TRY(sni_baum_welch(t, u, x->plain != NULL ? x->plain[k] : u->feats, p,
                          &logp, err));
    u->failed = !(logp > -HUGE_VAL);
  }
  p->n_failed += u->failed;
  if (u->failed) return SN_OK;
  p->ali_logp += all_paths ? logp : u->logp;
  p->n_frames += (int64_t)u->feats.rows;
  if (!x->only_align && !all_paths)
    sni_accumulate(t, u, x->plain != NULL ? x->plain[k] : u->feats, p);
  return SN_OK;
}

static sn_status do_shard(void *user, size_t item, size_t w, sn_err *err) {
  (void)w;
  pass *const x = user;
  const sni_corpus *const c = x->t->corpus;
  sni_part *const p = &x->parts[item % x->window];
  const size_t i = x->first + item;
  sni_part_reset(p);
  const size_t end = (i + 1) * SNI_SHARD < c->n ? (i + 1) * SNI_SHARD : c->n;
  for (size_t k = i * SNI_SHARD; k < end; k++) {
    if (sn_log_cancelled(x->t->log))
      return sn_fail(err, SN_ECANCEL, "interrupted");
    SN_TRY(do_utt(x, k, p, err));
  }
  return SN_OK;
}

static sn_status add_shard(void *user, size_t i, size_t w, sn_err *err) {
  (void)w;
  pass *const x = user;
  SN_TRY(sni_sums_put(&x->sums, 0, (int64_t)(x->first + i),
                      &x->parts[i % x->window], err));
  sn_log_progress(x->t->log, x->t->stage, "shards", (int64_t)i + 1,
                  (int64_t)x->n_shards, i + 1 == x->n_shards);
  return SN_OK;
}

static size_t all_shards(const sni_corpus *c) {
  return (c->n + SNI_SHARD - 1) / SNI_SHARD;
}

/* Shards [first, first + n_shards). */
static sn_status over_shards(pass *x, sn_err *err) {
  const sni_trainer *const t = x->t;
  const size_t G = sn_mixtures_n_gauss(&t->mix), D = t->mix.dim;
  sn_status s = SN_OK;
  x->sums.n_shards = (int64_t)all_shards(t->corpus);
  x->window = 4 * sn_pool_n_threads(t->pool);
  x->parts = sn_calloc(x->window, sizeof *x->parts);
  if (x->parts == NULL) return sn_fail_nomem(err, "statistics");
  for (size_t i = 0; s == SN_OK && i < x->window; i++)
    s = sni_part_init(&x->parts[i], G, D, (size_t)t->tied.n_phones * S, err);
  if (s == SN_OK)
    s = sn_pool_ordered(t->pool, x->n_shards, x->window, do_shard, add_shard, x,
                        err);
  for (size_t i = 0; i < x->window; i++) sni_part_clear(&x->parts[i]);
  sn_free(x->parts);
  x->total = sni_sums_root(&x->sums, NULL);
  return s;
}

static sn_status over_corpus(pass *x, sn_err *err) {
  x->first = 0;
  x->n_shards = all_shards(x->t->corpus);
  return over_shards(x, err);
}

/* Loop probabilities within [0.01, 0.99]; a phone that was not seen keeps its
 * own. */
void sni_update_tmats(sni_trainer *t, const sni_part *p) {
  for (size_t i = 0; i < (size_t)t->tied.n_phones * S; i++) {
    if (p->steps[i] < 1) continue;
    double loop = p->loops[i] / (p->loops[i] + p->steps[i]);
    loop = fmin(fmax(loop, 0.01), 0.99);
    float *const row = t->tied.tmats + i * (S + 1);
    row[i % S] = (float)log(loop);
    row[i % S + 1] = (float)log1p(-loop);
  }
}

sn_status sni_tables(sni_trainer *t, sn_err *err) {
  sn_mix_tables_destroy(t->tables);
  return sn_mix_tables_create(&t->mix, &t->tables, err);
}

static sn_status note(sni_trainer *t, int n, const pass *x,
                      const sn_mix_update_report *r, double cpu_s,
                      sn_err *err) {
  const double logp = x->total->mix.n_frames > 0
                          ? x->total->mix.logp / x->total->mix.n_frames
                          : 0;
  sn_info(t->log,
          "%s pass %d: %.4f nat a frame, %zu Gaussians, %lld utterances not "
          "aligned",
          t->stage, n, logp, sn_mixtures_n_gauss(&t->mix),
          (long long)x->total->n_failed);
  return sn_str_addf(
      &t->json, err,
      "%s\n    {\"pass\": %d, \"aligned\": %s, \"logp_per_frame\": %.6f, "
      "\"frames\": %.0f, \"failed\": %lld, \"gaussians\": %zu, "
      "\"removed\": %lld, \"floored\": %lld, \"unseen_pdfs\": %lld, "
      "\"cpu_s\": %.2f}",
      t->json.n > 0 ? "," : "", n, x->how == SNI_KEEP ? "false" : "true", logp,
      x->total->mix.n_frames, (long long)x->total->n_failed,
      sn_mixtures_n_gauss(&t->mix), (long long)r->n_removed,
      (long long)r->n_floored, (long long)r->n_unseen, cpu_s);
}

static sn_status update(sni_trainer *t, int n, const pass *x, size_t target,
                        double min_occ, clock_t from, sn_err *err) {
  const sn_mix_update_opts o = {min_occ, t->o->var_floor, 1e-5,
                                t->o->var_prior};
  sn_mix_update_report r;
  if (x->total->mix.n_frames < 1)
    return sn_fail(err, SN_EMISMATCH,
                   "not one utterance could be aligned with its words: do the "
                   "transcripts belong to these recordings?");
  SN_TRY(sn_mix_update(&t->mix, &x->total->mix, &o, t->occ, &r, err));
  sni_update_tmats(t, x->total);
  if (target > sn_mixtures_n_gauss(&t->mix))
    SN_TRY(sn_mix_split(&t->mix, t->occ, target, t->o->power, 20.0, (uint64_t)n,
                        err));
  SN_TRY(sni_tables(t, err));
  return note(t, n, x, &r, (double)(clock() - from) / CLOCKS_PER_SEC, err);
}

sn_status sni_pass(sni_trainer *t, int n, sni_realign how, size_t target,
                   double min_occ, sn_err *err) {
  pass x = {.t = t, .how = how};
  const clock_t from = clock();
  sn_status s = over_corpus(&x, err);
  if (s == SN_OK) s = update(t, n, &x, target, min_occ, from, err);
  sni_sums_clear(&x.sums);
  return s;
}

/* A Gaussian without frames counts as one frame of itself. */
static void keep_unseen(const sn_mixtures *m, sn_mix_stats *s) {
  const size_t D = m->dim;
  for (size_t g = 0; g < s->n_gauss; g++) {
    if (s->occ[g] >= 1.0) continue;
    s->occ[g] = 1.0;
    for (size_t d = 0; d < D; d++) {
      const double mean = (double)m->means[g * D + d];
      s->sum[g * D + d] = mean;
      s->sumsq[g * D + d] = mean * mean + (double)m->vars[g * D + d];
    }
  }
}

sn_status sni_pass_plain(sni_trainer *t, const sn_mat *plain, sn_mixtures *out,
                         sn_err *err) {
  pass x = {.t = t, .how = SNI_KEEP, .plain = plain};
  const sn_mix_update_opts o = {0, t->o->var_floor, 0, t->o->var_prior};
  sn_mix_update_report r;
  memset(out, 0, sizeof *out);
  double *const occ = sn_calloc(t->mix.n_pdfs, sizeof *occ);
  if (occ == NULL) return sn_fail_nomem(err, "mixtures");
  sn_status s = over_corpus(&x, err);
  if (s == SN_OK) s = sn_mixtures_copy(&t->mix, out, err);
  if (s == SN_OK) {
    keep_unseen(&t->mix, &x.total->mix);
    s = sn_mix_update(out, &x.total->mix, &o, occ, &r, err);
  }
  sni_sums_clear(&x.sums);
  sn_free(occ);
  return s;
}

sn_status sni_accumulate_shards(sni_trainer *t, size_t first, size_t end,
                                sni_sums *out, sn_err *err) {
  pass x = {
      .t = t, .how = SNI_VITERBI, .first = first, .n_shards = end - first};
  const sn_status s = over_shards(&x, err);
  *out = x.sums;
  return s;
}

sn_status sni_realign_all(sni_trainer *t, sn_err *err) {
  pass x = {.t = t, .how = SNI_VITERBI, .only_align = true};
  const sn_status s = over_corpus(&x, err);
  sni_sums_clear(&x.sums);
  return s;
}
