/* SPDX-License-Identifier: Apache-2.0 */
/* The alignment of training against all paths there are: every choice of
 * silences and pronunciations, every way to cut the frames into states, in
 * double precision; random words, models and frames. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/utt_graph_internal.h"

enum { S = SNI_STATES, D = 2, MAX_T = 14, MAX_PHONES = 6, P = 3 };

typedef struct world {
  sni_corpus corpus;
  sn_train_opts o;
  sni_trainer t;
  sni_utt u;
} world;

static double uniform(sn_rng *r, double low, double high) {
  return low + (high - low) * (double)sn_rng_u32(r) / 4294967296.0;
}

/* Two phones and silence; three words, one with two pronunciations, and other
 * probabilities. */
static void make_lexicon(sn_lexicon *lex) {
  static const char *const prons[][3] = {
      {"a", "x", NULL}, {"b", "x", "y"}, {"b", "y", NULL}, {"c", "y", NULL}};
  static const float logp[] = {0, -0.5f, -0.9f, 0};
  assert_int_equal(sn_lexicon_init(lex, NULL), SN_OK);
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(sn_lexicon_add(lex, prons[i][0], logp[i], prons[i] + 1,
                                    prons[i][2] != NULL ? 2 : 1, NULL),
                     SN_OK);
  assert_int_equal(sn_lexicon_group(lex, NULL), SN_OK);
}

/* HMMs for each phone alone, and with `triphones` a few more, whatever the
 * context. */
static void make_tied(sni_tied *t, bool triphones, sn_rng *r) {
  enum { EXTRA = 5 };
  assert_int_equal(sni_tied_mono(P, t, NULL), SN_OK);
  for (size_t i = 0; i < P * S; i++) {
    const double loop = uniform(r, 0.2, 0.9);
    t->tmats[i * (S + 1) + i % S] = (float)log(loop);
    t->tmats[i * (S + 1) + i % S + 1] = (float)log1p(-loop);
  }
  if (!triphones) return;
  sn_free(t->hmm_pdfs);
  sn_free(t->hmm_tmat);
  t->n_hmms = P + EXTRA;
  t->n_pdfs = 12;
  t->hmm_pdfs = sn_calloc((P + EXTRA) * S, sizeof *t->hmm_pdfs);
  t->hmm_tmat = sn_calloc(P + EXTRA, sizeof *t->hmm_tmat);
  for (int32_t h = 0; h < P + EXTRA; h++) {
    t->hmm_tmat[h] = h < P ? h : 1 + h % 2;
    for (int32_t s = 0; s < S; s++)
      t->hmm_pdfs[h * S + s] = (int32_t)sn_rng_below(r, 12);
  }
  t->triphone = sn_calloc(4 * P * P * P, sizeof *t->triphone);
  for (size_t i = 0; i < 4 * P * P * P; i++) {
    const size_t base = i / (P * P) % P;
    int32_t h = P + (int32_t)sn_rng_below(r, EXTRA);
    while (base > 0 && t->hmm_tmat[h] != (int32_t)base)
      h = P + (h + 1 - P) % EXTRA;
    t->triphone[i] = base == 0 || sn_rng_below(r, 4) == 0 ? -1 : h;
  }
}

static void make_mixtures(sni_trainer *t, sn_rng *r) {
  int32_t counts[16];
  const size_t N = (size_t)t->tied.n_pdfs;
  for (size_t i = 0; i < N; i++) counts[i] = 1 + (int32_t)sn_rng_below(r, 2);
  assert_int_equal(sn_mixtures_init(&t->mix, N, D, counts, NULL), SN_OK);
  for (size_t i = 0; i < N; i++)
    for (int32_t g = t->mix.first[i]; g < t->mix.first[i + 1]; g++) {
      t->mix.weights[g] = 1.0f / (float)counts[i];
      for (int32_t d = 0; d < D; d++) {
        t->mix.means[g * D + d] = (float)uniform(r, -2, 2);
        t->mix.vars[g * D + d] = (float)uniform(r, 0.3, 2);
      }
    }
  assert_int_equal(sni_tables(t, NULL), SN_OK);
}

static void make(world *w, bool triphones, sn_rng *r) {
  memset(w, 0, sizeof *w);
  sn_opt_defaults(sn_train_opt_table, &w->o);
  w->o.beam = 1e5;
  w->o.silence = uniform(r, 0.1, 0.9);
  make_lexicon(&w->corpus.lex);
  w->corpus.n_phones = P;
  w->t = (sni_trainer){.corpus = &w->corpus, .o = &w->o};
  make_tied(&w->t.tied, triphones, r);
  make_mixtures(&w->t, r);
  w->u.n_words = 1 + sn_rng_below(r, 3);
  w->u.words = sn_calloc(w->u.n_words, sizeof *w->u.words);
  for (size_t i = 0; i < w->u.n_words; i++)
    w->u.words[i] = (int32_t)sn_rng_below(r, 3);
  const size_t T = 1 + sn_rng_below(r, MAX_T);
  assert_int_equal(sn_mat_alloc(T, D, &w->u.feats, NULL), SN_OK);
  for (size_t i = 0; i < T * D; i++)
    sn_mat_row(w->u.feats, i / D)[i % D] = (float)uniform(r, -3, 3);
}

static void unmake(world *w) {
  sni_trainer_clear(&w->t);
  sn_lexicon_clear(&w->corpus.lex);
  sn_free(w->u.words);
  sn_mat_free(&w->u.feats);
  SN_ARR_FREE(&w->u.segs);
}

/* ---- All paths ---- */

typedef struct row {
  sni_seg segs[2 * MAX_PHONES + 1];
  size_t n;
  double logp; /* of silences and pronunciations */
} row;

typedef struct best {
  double logp;
  int64_t n_paths;
} best;

static double density(const sn_mixtures *m, int32_t pdf, const float *x) {
  double sum = 0;
  for (int32_t g = m->first[pdf]; g < m->first[pdf + 1]; g++) {
    double e = 0;
    for (int32_t d = 0; d < D; d++) {
      const double v = (double)m->vars[g * D + d];
      const double z = (double)x[d] - (double)m->means[g * D + d];
      e += log(2 * 3.14159265358979323846 * v) + z * z / v;
    }
    sum += (double)m->weights[g] * exp(-e / 2);
  }
  return log(sum);
}

/* State k of the row of phones is occupied at frame t, after logp. */
static void walk(const world *w, const row *r, size_t k, size_t t, double logp,
                 best *b) {
  const sni_tied *const d = &w->t.tied;
  const int32_t hmm = sni_tied_hmm(d, &r->segs[k / S]);
  const float *const tm =
      d->tmats + (size_t)d->hmm_tmat[hmm] * S * (S + 1) + k % S * (S + 1);
  logp += density(&w->t.mix, d->hmm_pdfs[hmm * S + (int32_t)(k % S)],
                  sn_mat_row(w->u.feats, t));
  const double step = (double)tm[k % S + 1];
  if (t + 1 == w->u.feats.rows) {
    if (k + 1 < r->n * S) return;
    b->n_paths++;
    b->logp = fmax(b->logp, logp + step);
    return;
  }
  walk(w, r, k, t + 1, logp + (double)tm[k % S], b);
  if (k + 1 < r->n * S) walk(w, r, k + 1, t + 1, logp + step, b);
}

static void set_contexts(row *r) {
  for (size_t i = 0; i < r->n; i++) {
    r->segs[i].left = i > 0 ? r->segs[i - 1].phone : 0;
    r->segs[i].right = i + 1 < r->n ? r->segs[i + 1].phone : 0;
  }
}

static void choose(const world *w, row r, size_t word, best *b) {
  const sn_lexicon *const lex = &w->corpus.lex;
  for (int silent = 0; silent < 2; silent++) {
    row q = r;
    q.logp += silent ? log(w->o.silence) : log1p(-w->o.silence);
    if (silent) q.segs[q.n++] = (sni_seg){.word = -1, .pron = -1};
    if (word == w->u.n_words) {
      set_contexts(&q);
      if (q.n > 0) walk(w, &q, 0, 0, q.logp, b);
      continue;
    }
    int32_t first = 0;
    const int32_t n = sn_lexicon_prons(lex, w->u.words[word], &first);
    for (int32_t p = first; p < first + n; p++) {
      row x = q;
      const int32_t len = lex->prons.data[p].n_phones;
      for (int32_t k = 0; k < len; k++)
        x.segs[x.n++] = (sni_seg){.phone = sn_lexicon_phones(lex, p)[k] + 1,
                                  .pos = len == 1       ? SN_POS_SINGLE
                                         : k == 0       ? SN_POS_BEGIN
                                         : k == len - 1 ? SN_POS_END
                                                        : SN_POS_INTERNAL,
                                  .word = (int32_t)word,
                                  .pron = p};
      x.logp += (double)lex->prons.data[p].logp;
      choose(w, x, word + 1, b);
    }
  }
}

/* What the aligner's own path is worth; its form is checked on the way. */
static double worth(const world *w) {
  const sni_tied *const d = &w->t.tied;
  const sn_lexicon *const lex = &w->corpus.lex;
  double logp = 0;
  size_t word = 0, at = 0;
  bool was_silent = false;
  for (size_t i = 0; i < w->u.segs.n; i++) {
    const sni_seg *const g = &w->u.segs.data[i];
    const int32_t hmm = sni_tied_hmm(d, g);
    assert_int_equal(g->left, i > 0 ? g[-1].phone : 0);
    assert_int_equal(g->right, i + 1 < w->u.segs.n ? g[1].phone : 0);
    if (g->phone == 0) {
      assert_false(was_silent);
      was_silent = true;
      logp += log(w->o.silence);
    } else if (g->pos == SN_POS_BEGIN || g->pos == SN_POS_SINGLE) {
      assert_int_equal(g->word, word);
      assert_int_equal(lex->prons.data[g->pron].word, w->u.words[word]);
      word++;
      logp += (double)lex->prons.data[g->pron].logp;
      if (!was_silent) logp += log1p(-w->o.silence);
      was_silent = false;
    }
    for (int32_t s = 0; s < S; s++) {
      const float *const tm = d->tmats + (d->hmm_tmat[hmm] * S + s) * (S + 1);
      assert_int_equal(g->begin[s], at);
      assert_true(g->begin[s + 1] > g->begin[s]);
      for (; at < (size_t)g->begin[s + 1]; at++)
        logp += density(&w->t.mix, d->hmm_pdfs[hmm * S + s],
                        sn_mat_row(w->u.feats, at));
      logp += (double)tm[s] * (g->begin[s + 1] - g->begin[s] - 1) +
              (double)tm[s + 1];
    }
  }
  if (!was_silent) logp += log1p(-w->o.silence);
  assert_int_equal(word, w->u.n_words);
  assert_int_equal(at, w->u.feats.rows);
  return logp;
}

/* Sums of at most MAX_T log densities and 2 * MAX_T costs, each below 100, in
 * float: 3 * 14 roundings of 2^-24 * 1000 make 0.003. */
#define TOLERANCE 0.003

static void check(uint64_t seed, bool triphones, int64_t *n_paths,
                  int *n_failed) {
  sn_rng r;
  world w;
  best b = {-INFINITY, 0};
  double logp = 0;
  sn_rng_init(&r, seed);
  make(&w, triphones, &r);
  assert_int_equal(
      sni_align(&w.t, &w.u, w.u.words, w.u.n_words, &logp, true, NULL), SN_OK);
  choose(&w, (row){.n = 0}, 0, &b);
  if (w.u.failed != (b.n_paths == 0))
    fail_msg("seed %d: %lld paths, failed %d", (int)seed, (long long)b.n_paths,
             w.u.failed);
  if (!w.u.failed) {
    if (fabs(logp - b.logp) > TOLERANCE || fabs(worth(&w) - b.logp) > TOLERANCE)
      fail_msg("seed %d: %.6f, its path %.6f, the best of %lld %.6f", (int)seed,
               logp, worth(&w), (long long)b.n_paths, b.logp);
    assert_true(w.u.logp == logp);
  }
  *n_paths += b.n_paths;
  *n_failed += w.u.failed;
  unmake(&w);
}

static void the_best_of_all_paths_is_found(void **state) {
  (void)state;
  int64_t n_paths = 0;
  int n_failed = 0;
  for (uint64_t seed = 1; seed <= 300; seed++)
    check(seed, seed % 2 == 0, &n_paths, &n_failed);
  /* The cases are no empty ones: too short, and with many paths. */
  assert_true(n_paths > 10000);
  assert_true(n_failed > 20 && n_failed < 200);
}

/* Where nothing reaches the end, even within four times the beam, that is a
 * failure, of which the likelihood says so and no segments are left; what is
 * found within a narrow beam is a path, worth what is said, at most the best.
 */
static void a_narrow_beam_fails_or_finds_a_path(void **state) {
  (void)state;
  int n_narrow = 0, n_wide = 0, n_none = 0;
  for (uint64_t seed = 1; seed <= 200; seed++) {
    sn_rng r;
    world w;
    double all = 0, logp[3];
    sn_rng_init(&r, seed);
    make(&w, seed % 2 == 0, &r);
    assert_int_equal(
        sni_align(&w.t, &w.u, w.u.words, w.u.n_words, &all, true, NULL), SN_OK);
    const bool fits = !w.u.failed;
    static const double beams[] = {0.5, 2, 8};
    bool ok[3];
    for (int k = 0; k < 3; k++) {
      w.o.beam = beams[k];
      assert_int_equal(
          sni_align(&w.t, &w.u, w.u.words, w.u.n_words, &logp[k], true, NULL),
          SN_OK);
      ok[k] = !w.u.failed;
      assert_int_equal(ok[k], (isfinite(logp[k]) != 0));
      assert_true(logp[k] <= all + (double)TOLERANCE);
      if (!ok[k]) assert_int_equal(w.u.segs.n, 0);
      if (ok[k]) assert_true(fabs(worth(&w) - logp[k]) < TOLERANCE);
    }
    assert_true(fits || !(ok[0] || ok[1] || ok[2]));
    n_narrow += ok[0];
    n_wide += ok[2];
    n_none += fits && !ok[0];
    unmake(&w);
  }
  assert_true(n_narrow > 0 && n_wide > n_narrow && n_none > 0);
}

/* Ways through the graph are a distribution over silences at each place, also
 * at the ends, times what the lexicon says: their sum is that of the
 * pronunciations alone, whatever the probability of silence. Sums of at most a
 * few hundred products of 7 floats, each rounded to 2^-24: 1e-5. */
static void silences_are_a_distribution(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    sn_rng r;
    world w;
    sni_ugraph g = {0};
    double total = 0, want = 1;
    sn_rng_init(&r, seed);
    make(&w, seed % 2 == 0, &r);
    assert_int_equal(sni_ugraph_build(&w.t, w.u.words, w.u.n_words, &g, NULL),
                     SN_OK);
    double *const reach = sn_calloc(g.nodes.n, sizeof *reach);
    for (size_t n = 0; n < g.nodes.n; n++) {
      const sni_unode *const nd = &g.nodes.data[n];
      reach[n] = exp((double)nd->start);
      for (int32_t k = nd->first_pred; k < nd[1].first_pred; k++) {
        const sni_upred *const p = &g.preds.data[k];
        assert_in_range(p->node, 0, n - 1);
        reach[n] += reach[p->node] * exp((double)p->logp);
      }
      total += reach[n] * exp((double)nd->end);
    }
    for (size_t i = 0; i < w.u.n_words; i++) {
      int32_t first = 0;
      double sum = 0;
      const int32_t n = sn_lexicon_prons(&w.corpus.lex, w.u.words[i], &first);
      for (int32_t p = first; p < first + n; p++)
        sum += exp((double)w.corpus.lex.prons.data[p].logp);
      want *= sum;
    }
    if (fabs(total - want) > 1e-5)
      fail_msg("seed %d: %.9f, not %.9f", (int)seed, total, want);
    sn_free(reach);
    sni_ugraph_clear(&g);
    unmake(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(silences_are_a_distribution),
      cmocka_unit_test(the_best_of_all_paths_is_found),
      cmocka_unit_test(a_narrow_beam_fails_or_finds_a_path),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
