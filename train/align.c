/* SPDX-License-Identifier: Apache-2.0 */
/* Alignment of an utterance with its words, over the graph of utt_graph.c.
 *
 * An AN4 utterance has some 60 phones; every state is kept for every frame,
 * the beam cuts what is far below the best.
 *
 *   score(t, s) = max(score(t-1, s) + loop, score(t-1, before s) + step) + log
 *   density; the first state of a phone is entered from the last states of the
 *   phones before it, over the cost of silence or none and of a pronunciation.
 * Source: Rabiner 1989, section III.B. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "train/utt_graph_internal.h"

enum { S = SNI_STATES, FROM_SELF = -1, FROM_STEP = -2 };

/* ---- Viterbi ---- */

typedef struct search {
  const sni_trainer *t;
  const sni_ugraph *g;
  sn_mat scores;     /* [T x local pdfs] */
  int32_t *local;    /* [3 N] column */
  float *now, *next; /* [3 N] */
  int32_t *back;     /* [T x 3 N] */
} search;

static const float *tmat_of(const search *x, size_t n) {
  const sni_tied *const t = &x->t->tied;
  return t->tmats + t->hmm_tmat[x->g->nodes.data[n].hmm] * S * (S + 1);
}

sn_status sni_ugraph_scores(const sni_trainer *trainer, const sni_ugraph *g,
                            sn_cmat feats, int32_t **local, sn_mat *scores,
                            sn_err *err) {
  const sni_tied *const t = &trainer->tied;
  const size_t N = g->nodes.n;
  sn_arr_i32 pdfs = {0};
  sn_status s = SN_OK;
  int32_t *const column = sn_calloc((size_t)t->n_pdfs, sizeof *column);
  *local = sn_calloc(N * S, sizeof **local);
  if (column == NULL || *local == NULL) s = sn_fail_nomem(err, "alignment");
  for (size_t i = 0; s == SN_OK && i < N * S; i++) {
    const int32_t pdf =
        t->hmm_pdfs[g->nodes.data[i / S].hmm * S + (int32_t)(i % S)];
    if (column[pdf] == 0) {
      s = SN_ARR_PUSH(&pdfs, pdf, err);
      column[pdf] = (int32_t)pdfs.n;
    }
    (*local)[i] = column[pdf] - 1;
  }
  if (s == SN_OK) s = sn_mat_alloc(feats.rows, pdfs.n, scores, err);
  if (s == SN_OK)
    s = sn_mix_score(trainer->tables, feats, pdfs.data, pdfs.n, *scores, err);
  sn_free(column);
  SN_ARR_FREE(&pdfs);
  return s;
}

static void enter(const search *x, size_t n, float *best, int32_t *from) {
  const sni_unode *const nd = &x->g->nodes.data[n];
  for (int32_t k = nd->first_pred; k < nd[1].first_pred; k++) {
    const sni_upred *const p = &x->g->preds.data[k];
    const float v = x->now[p->node * S + S - 1] +
                    tmat_of(x, (size_t)p->node)[(S - 1) * (S + 1) + S] +
                    p->logp;
    if (v > *best) {
      *best = v;
      *from = p->node;
    }
  }
}

static void step(search *x, size_t t, double beam) {
  const size_t N = x->g->nodes.n;
  const float *const row = sn_mat_row(x->scores, t);
  float top = -INFINITY;
  for (size_t n = 0; n < N; n++) {
    const float *const tm = tmat_of(x, n);
    for (size_t s = 0; s < S; s++) {
      const size_t i = n * S + s;
      float best = x->now[i] + tm[s * (S + 1) + s];
      int32_t from = FROM_SELF;
      if (s > 0) {
        const float v = x->now[i - 1] + tm[(s - 1) * (S + 1) + s];
        if (v > best) {
          best = v;
          from = FROM_STEP;
        }
      } else {
        enter(x, n, &best, &from);
      }
      x->next[i] = best + row[x->local[i]];
      x->back[t * N * S + i] = from;
      if (x->next[i] > top) top = x->next[i];
    }
  }
  for (size_t i = 0; i < N * S; i++)
    if (x->next[i] < top - (float)beam) x->next[i] = -INFINITY;
  float *const old = x->now;
  x->now = x->next;
  x->next = old;
}

static bool run(search *x, double beam, double *logp, size_t *end) {
  const size_t N = x->g->nodes.n, T = x->scores.rows;
  for (size_t i = 0; i < N * S; i++) {
    x->now[i] = -INFINITY;
    if (i % S == 0)
      x->now[i] =
          x->g->nodes.data[i / S].start + sn_mat_row(x->scores, 0)[x->local[i]];
  }
  for (size_t t = 1; t < T; t++) step(x, t, beam);
  float best = -INFINITY;
  for (size_t n = 0; n < N; n++) {
    const float v = x->now[n * S + S - 1] +
                    tmat_of(x, n)[(S - 1) * (S + 1) + S] +
                    x->g->nodes.data[n].end;
    if (v > best) {
      best = v;
      *end = n;
    }
  }
  *logp = (double)best;
  return best > -INFINITY;
}

static sn_status trace(const search *x, size_t end, sni_utt *u, sn_err *err) {
  const size_t N = x->g->nodes.n;
  size_t n = end, s = S - 1;
  u->segs.n = 0;
  sni_seg seg = x->g->nodes.data[n].seg;
  seg.begin[S] = (int32_t)x->scores.rows;
  for (size_t t = x->scores.rows; t-- > 0;) {
    const int32_t from = t == 0 ? 0 : x->back[t * N * S + n * S + s];
    if (t > 0 && from == FROM_SELF) continue;
    seg.begin[s] = (int32_t)t;
    if (t > 0 && from == FROM_STEP) {
      s--;
      continue;
    }
    SN_TRY(SN_ARR_PUSH(&u->segs, seg, err));
    if (t == 0) break;
    n = (size_t)from;
    s = S - 1;
    seg = x->g->nodes.data[n].seg;
    seg.begin[S] = (int32_t)t;
  }
  for (size_t i = 0; i < u->segs.n / 2; i++) {
    const sni_seg a = u->segs.data[i];
    u->segs.data[i] = u->segs.data[u->segs.n - 1 - i];
    u->segs.data[u->segs.n - 1 - i] = a;
  }
  for (size_t i = 0; i < u->segs.n; i++) {
    sni_seg *const g = &u->segs.data[i];
    g->left = i > 0 ? g[-1].phone : 0;
    g->right = i + 1 < u->segs.n ? g[1].phone : 0;
  }
  return SN_OK;
}

static sn_status search_all(search *x, sni_utt *u, double *logp, bool keep,
                            sn_err *err) {
  const size_t n = x->g->nodes.n * S;
  size_t end = 0;
  SN_TRY(sni_ugraph_scores(x->t, x->g, sn_mat_const(u->feats), &x->local,
                           &x->scores, err));
  x->now = sn_calloc(n, sizeof *x->now);
  x->next = sn_calloc(n, sizeof *x->next);
  x->back = sn_calloc(n * u->feats.rows, sizeof *x->back);
  if (x->now == NULL || x->next == NULL || x->back == NULL)
    return sn_fail_nomem(err, "alignment");
  bool ok = run(x, x->t->o->beam, logp, &end);
  if (!ok) ok = run(x, 4 * x->t->o->beam, logp, &end);
  if (!keep) return SN_OK;
  u->failed = !ok;
  u->logp = *logp;
  u->segs.n = 0;
  return ok ? trace(x, end, u, err) : SN_OK;
}

sn_status sni_align(const sni_trainer *t, sni_utt *u, const int32_t *words,
                    size_t n_words, double *logp, bool keep, sn_err *err) {
  sni_ugraph g = {0};
  search x = {.t = t, .g = &g};
  *logp = -INFINITY;
  if (u->feats.rows == 0) {
    if (keep) u->failed = true;
    return SN_OK;
  }
  sn_status s = sni_ugraph_build(t, words, n_words, &g, err);
  if (s == SN_OK) s = search_all(&x, u, logp, keep, err);
  sn_mat_free(&x.scores);
  sn_free(x.local);
  sn_free(x.now);
  sn_free(x.next);
  sn_free(x.back);
  sni_ugraph_clear(&g);
  return s;
}

/* ---- Flat start ---- */

sn_status sni_align_flat(const sni_trainer *t, sni_utt *u, sn_err *err) {
  const sn_lexicon *const lex = &t->corpus->lex;
  const sni_seg sil = {.word = -1, .pron = -1};
  u->segs.n = 0;
  u->failed = false;
  SN_TRY(SN_ARR_PUSH(&u->segs, sil, err));
  for (size_t i = 0; i < u->n_words; i++) {
    int32_t first = 0;
    (void)sn_lexicon_prons(lex, u->words[i], &first);
    const int32_t *const ph = sn_lexicon_phones(lex, first);
    for (int32_t k = 0; k < lex->prons.data[first].n_phones; k++) {
      const sni_seg seg = {
          .phone = ph[k] + 1, .word = (int32_t)i, .pron = first};
      SN_TRY(SN_ARR_PUSH(&u->segs, seg, err));
    }
  }
  SN_TRY(SN_ARR_PUSH(&u->segs, sil, err));
  const size_t n = u->segs.n * S, T = u->feats.rows;
  if (T < n) {
    u->failed = true;
    u->segs.n = 0;
    return SN_OK;
  }
  for (size_t i = 0; i <= n; i++) {
    const int32_t at = (int32_t)(T * i / n);
    if (i < n) u->segs.data[i / S].begin[i % S] = at;
    if (i > 0 && i % S == 0) u->segs.data[i / S - 1].begin[S] = at;
  }
  return SN_OK;
}
