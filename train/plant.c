/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of the corpus as it is aligned: statistics by context, leaves with one
 * Gaussian each. */
#include <math.h>

#include "base/mem.h"
#include "train/train_internal.h"

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

sn_status sni_plant(sni_trainer *t, int32_t max_leaves, sn_err *err) {
  const sn_tree_opts o = {.n_phones = t->corpus->n_phones,
                          .n_states = SNI_STATES,
                          .silence = 0,
                          .max_leaves = max_leaves,
                          .roots = t->o->roots,
                          .min_count = 20,
                          .word_pos = t->o->word_pos};
  sn_tree_stats stats = {0};
  sn_tree *tree = NULL;
  sni_tied tied = {0};
  sn_status s = tree_stats(t->corpus, &stats, err);
  if (s == SN_OK) s = sn_tree_build(&stats, &o, &tree, err);
  if (s == SN_OK) s = start_leaves(t, tree, &stats, err);
  sn_str_reset(&t->tree);
  if (s == SN_OK) s = sn_tree_json(tree, t->corpus->phones, &t->tree, err);
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
