/* SPDX-License-Identifier: Apache-2.0 */
/* Forward and backward over an utterance's graph: every path counts by its
 * probability. Log domain, doubles; with the notation of align.c
 *
 *   alpha(t, s) = b(t, s) sum over r of alpha(t-1, r) a(r, s)
 *   beta(t, r)  = sum over s of a(r, s) b(t+1, s) beta(t+1, s)
 *   gamma(t, s) = alpha beta / Z: the frame's share of the state
 *   xi(t, r, s) = alpha(t, r) a(r, s) b(t+1, s) beta(t+1, s) / Z
 *
 * 1. alpha of all frames is kept; states further than the beam below the
 *    frame's best are taken out of it.
 * 2. beta goes back frame by frame over what alpha has left; gamma goes to the
 *    Gaussians, xi to the transitions.
 * Source: Rabiner 1989, section III.C. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/utt_graph_internal.h"

enum { S = SNI_STATES };

/* Shares below this one are left out: 1000 states of a frame at most lose
 * 1e-7 of it. */
static const double least_share = 1e-10;

typedef struct fb {
  const sni_trainer *t;
  const sni_ugraph *g;
  sn_mat scores;        /* [T x local pdfs] */
  int32_t *local;       /* [3 N] column */
  double *alpha;        /* [T x 3 N] */
  double *beta, *after; /* [3 N] of this frame and of the one behind it */
  double total;         /* log Z */
} fb;

/* exp(-40) is below the rounding of a double. */
static double log_add(double a, double b) {
  const double hi = a > b ? a : b, lo = a > b ? b : a;
  return hi - lo > 40 || lo == -HUGE_VAL ? hi : hi + log1p(exp(lo - hi));
}

static const float *tmat_of(const fb *x, size_t n) {
  const sni_tied *const t = &x->t->tied;
  return t->tmats + t->hmm_tmat[x->g->nodes.data[n].hmm] * S * (S + 1);
}

static double loop_of(const fb *x, size_t n, size_t s) {
  return (double)tmat_of(x, n)[s * (S + 1) + s];
}

static double step_of(const fb *x, size_t n, size_t s) {
  return (double)tmat_of(x, n)[s * (S + 1) + s + 1];
}

/* Out of node n at the end of the utterance. */
static double leave(const fb *x, size_t n) {
  return step_of(x, n, S - 1) + (double)x->g->nodes.data[n].end;
}

static double score(const fb *x, size_t t, size_t i) {
  return (double)sn_mat_row(x->scores, t)[x->local[i]];
}

/* ---- 1 ---- */

static double enter(const fb *x, const double *before, size_t n) {
  const sni_unode *const nd = &x->g->nodes.data[n];
  double sum = -HUGE_VAL;
  for (int32_t k = nd->first_pred; k < nd[1].first_pred; k++) {
    const sni_upred *const p = &x->g->preds.data[k];
    const double v = before[p->node * S + S - 1];
    if (v > -HUGE_VAL)
      sum = log_add(sum,
                    v + step_of(x, (size_t)p->node, S - 1) + (double)p->logp);
  }
  return sum;
}

static void prune(double *alpha, size_t n, double beam) {
  double top = -HUGE_VAL;
  for (size_t i = 0; i < n; i++)
    if (alpha[i] > top) top = alpha[i];
  for (size_t i = 0; i < n; i++)
    if (alpha[i] < top - beam) alpha[i] = -HUGE_VAL;
}

static void forward(fb *x, double beam) {
  const size_t N = x->g->nodes.n, M = N * S, T = x->scores.rows;
  for (size_t i = 0; i < M; i++)
    x->alpha[i] = i % S == 0
                      ? (double)x->g->nodes.data[i / S].start + score(x, 0, i)
                      : -HUGE_VAL;
  for (size_t t = 1; t < T; t++) {
    const double *const before = x->alpha + (t - 1) * M;
    double *const now = x->alpha + t * M;
    for (size_t i = 0; i < M; i++) {
      const size_t n = i / S, s = i % S;
      double sum = before[i] + loop_of(x, n, s);
      if (s > 0)
        sum = log_add(sum, before[i - 1] + step_of(x, n, s - 1));
      else
        sum = log_add(sum, enter(x, before, n));
      now[i] = sum + score(x, t, i);
    }
    prune(now, M, beam);
  }
  x->total = -HUGE_VAL;
  for (size_t n = 0; n < N; n++)
    if (x->g->nodes.data[n].end > -INFINITY)
      x->total = log_add(x->total,
                         x->alpha[(T - 1) * M + n * S + S - 1] + leave(x, n));
}

/* ---- 2 ---- */

/* The frame's shares, of the states and of those that end the utterance. */
static void share_frame(const fb *x, const sni_utt *u, sn_mat sums_of, size_t t,
                        sni_part *p) {
  const size_t M = x->g->nodes.n * S;
  const double *const alpha = x->alpha + t * M;
  for (size_t i = 0; i < M; i++) {
    const sni_unode *const nd = &x->g->nodes.data[i / S];
    const double share = exp(alpha[i] + x->beta[i] - x->total);
    if (!(share > least_share)) continue;
    sn_mix_accumulate_two(
        x->t->tables, x->t->tied.hmm_pdfs[nd->hmm * S + (int32_t)(i % S)],
        sn_mat_row(u->feats, t), sn_mat_row(sums_of, t), share, &p->mix);
    if (t + 1 == x->scores.rows) p->steps[nd->seg.phone * S + S - 1] += share;
  }
}

/* An arc from state `from` at t - 1, of log probability a, to one whose score
 * and beta at t are v. */
static void arc(fb *x, const double *alpha, size_t from, double a, double v,
                double *count) {
  if (!(alpha[from] > -HUGE_VAL)) return;
  x->after[from] = log_add(x->after[from], a + v);
  *count += exp(alpha[from] + a + v - x->total);
}

static void go_back(fb *x, size_t t, sni_part *p) {
  const size_t M = x->g->nodes.n * S;
  const double *const before = x->alpha + (t - 1) * M;
  for (size_t i = 0; i < M; i++) x->after[i] = -HUGE_VAL;
  for (size_t i = 0; i < M; i++) {
    const size_t n = i / S, s = i % S;
    const sni_unode *const nd = &x->g->nodes.data[n];
    const int32_t row = nd->seg.phone * S + (int32_t)s;
    if (!(x->alpha[t * M + i] > -HUGE_VAL) || !(x->beta[i] > -HUGE_VAL))
      continue;
    const double v = x->beta[i] + score(x, t, i);
    arc(x, before, i, loop_of(x, n, s), v, &p->loops[row]);
    if (s > 0) {
      arc(x, before, i - 1, step_of(x, n, s - 1), v, &p->steps[row - 1]);
      continue;
    }
    for (int32_t k = nd->first_pred; k < nd[1].first_pred; k++) {
      const sni_upred *const q = &x->g->preds.data[k];
      const int32_t phone = x->g->nodes.data[q->node].seg.phone;
      arc(x, before, (size_t)q->node * S + S - 1,
          step_of(x, (size_t)q->node, S - 1) + (double)q->logp, v,
          &p->steps[phone * S + S - 1]);
    }
  }
  double *const old = x->beta;
  x->beta = x->after;
  x->after = old;
}

static void backward(fb *x, const sni_utt *u, sn_mat sums_of, sni_part *p) {
  const size_t N = x->g->nodes.n;
  const double logp = p->mix.logp, frames = p->mix.n_frames;
  for (size_t i = 0; i < N * S; i++)
    x->beta[i] = i % S == S - 1 ? leave(x, i / S) : -HUGE_VAL;
  for (size_t t = x->scores.rows; t-- > 0;) {
    share_frame(x, u, sums_of, t, p);
    if (t > 0) go_back(x, t, p);
  }
  p->mix.logp = logp + x->total; /* of all paths, not of the frames alone */
  p->mix.n_frames = frames + (double)x->scores.rows;
}

static sn_status run(fb *x, const sni_utt *u, sn_mat sums_of, sni_part *p,
                     sn_err *err) {
  const size_t M = x->g->nodes.n * S, T = u->feats.rows;
  SN_TRY(sni_ugraph_scores(x->t, x->g, sn_mat_const(u->feats), &x->local,
                           &x->scores, err));
  x->alpha = sn_calloc(M * T, sizeof *x->alpha);
  x->beta = sn_calloc(M, sizeof *x->beta);
  x->after = sn_calloc(M, sizeof *x->after);
  if (x->alpha == NULL || x->beta == NULL || x->after == NULL)
    return sn_fail_nomem(err, "forward-backward");
  forward(x, x->t->o->beam);
  if (!(x->total > -HUGE_VAL)) forward(x, 4 * x->t->o->beam);
  if (x->total > -HUGE_VAL) backward(x, u, sums_of, p);
  return SN_OK;
}

sn_status sni_baum_welch(const sni_trainer *t, const sni_utt *u, sn_mat sums_of,
                         sni_part *p, double *logp, sn_err *err) {
  sni_ugraph g = {0};
  fb x = {.t = t, .g = &g, .total = -HUGE_VAL};
  sn_status s = SN_OK;
  if (u->feats.rows > 0) {
    s = sni_ugraph_build(t, u->words, u->n_words, &g, err);
    if (s == SN_OK) s = run(&x, u, sums_of, p, err);
  }
  *logp = x.total;
  sn_mat_free(&x.scores);
  sn_free(x.local);
  sn_free(x.alpha);
  sn_free(x.beta);
  sn_free(x.after);
  sni_ugraph_clear(&g);
  return s;
}
