/* SPDX-License-Identifier: Apache-2.0 */
/* Forward-backward against the sum over every path, made without a graph: all
 * pronunciations, all choices of silence, all durations. EM never loses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/train_internal.h"

enum { S = SNI_STATES, P = 3, D = 2, MAX_T = 13 };

typedef struct world {
  sni_corpus c;
  sni_utt utts[3];
  int32_t words[3][2];
  sn_train_opts o;
  sni_trainer t;
} world;

static void make(world *w, size_t n_utts, uint64_t seed) {
  static const char *const qp[] = {"Q", "P"}, *const p[] = {"P"},
                           *const q[] = {"Q"};
  sn_rng r;
  int32_t gauss[P * S];
  memset(w, 0, sizeof *w);
  sn_rng_init(&r, seed);
  sn_opt_defaults(sn_train_opt_table, &w->o);
  w->o.silence = 0.3;
  w->o.statistics = SN_STATISTICS_BAUM_WELCH;
  w->o.beam = 1e5;
  sn_lexicon *const lex = &w->c.lex;
  assert_int_equal(sn_lexicon_init(lex, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "x", -0.2f, p, 1, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "x", -1.7f, qp, 2, NULL), SN_OK);
  assert_int_equal(sn_lexicon_add(lex, "y", 0, q, 1, NULL), SN_OK);
  assert_int_equal(sn_lexicon_group(lex, NULL), SN_OK);
  w->c.n_phones = P;
  w->c.utts = w->utts;
  w->c.n = n_utts;
  w->c.dim = D;
  w->t.corpus = &w->c;
  w->t.o = &w->o;
  w->t.stage = "test";
  assert_int_equal(sni_tied_mono(P, &w->t.tied, NULL), SN_OK);
  for (int i = 0; i < P * S; i++) {
    const double loop = 0.3 + 0.5 * sn_rng_uniform(&r);
    w->t.tied.tmats[i * (S + 1) + i % S] = (float)log(loop);
    w->t.tied.tmats[i * (S + 1) + i % S + 1] = (float)log1p(-loop);
    gauss[i] = 1 + i % 2;
  }
  assert_int_equal(sn_mixtures_init(&w->t.mix, P * S, D, gauss, NULL), SN_OK);
  for (size_t i = 0; i < P * S; i++)
    for (int32_t g = w->t.mix.first[i]; g < w->t.mix.first[i + 1]; g++) {
      w->t.mix.weights[g] = 1.0f / (float)gauss[i];
      for (size_t d = 0; d < D; d++) {
        w->t.mix.means[(size_t)g * D + d] = (float)sn_rng_gauss(&r);
        w->t.mix.vars[(size_t)g * D + d] = 0.5f + (float)sn_rng_uniform(&r);
      }
    }
  assert_int_equal(sni_tables(&w->t, NULL), SN_OK);
  for (size_t i = 0; i < n_utts; i++) {
    sni_utt *const u = &w->utts[i];
    u->id = u->speaker = "u";
    u->words = w->words[i];
    u->words[0] = (int32_t)(i % 2);
    u->words[1] = (int32_t)((i + 1) % 2);
    u->n_words = 2;
    assert_int_equal(sn_mat_alloc(MAX_T - i, D, &u->feats, NULL), SN_OK);
    for (size_t t = 0; t < u->feats.rows; t++)
      for (size_t d = 0; d < D; d++)
        sn_mat_row(u->feats, t)[d] = (float)(1.5 * sn_rng_gauss(&r));
  }
  assert_int_equal(sn_pool_create(1, &w->t.pool, NULL), SN_OK);
}

static void clear(world *w) {
  for (size_t i = 0; i < w->c.n; i++) {
    sn_mat_free(&w->utts[i].feats);
    SN_ARR_FREE(&w->utts[i].segs);
  }
  sn_lexicon_clear(&w->c.lex);
  w->t.corpus = NULL;
  sni_trainer_clear(&w->t);
}

/* ---- Every path ---- */

typedef struct paths {
  const world *w;
  const sni_utt *u;
  int32_t phones[8];
  int n_phones, n_paths;
  double prior;
  int32_t at[MAX_T]; /* row of each frame: phone x S + state */
  double z, share[MAX_T][P * S], loops[P * S], steps[P * S];
} paths;

static void count(paths *x, double logp) {
  const double p = exp(logp);
  const size_t T = x->u->feats.rows;
  x->z += p;
  x->n_paths++;
  for (size_t t = 0; t < T; t++) x->share[t][x->at[t]] += p;
  for (size_t t = 0; t + 1 < T; t++) {
    /* two P in a row differ in their states: a loop is the same row */
    if (x->at[t] == x->at[t + 1])
      x->loops[x->at[t]] += p;
    else
      x->steps[x->at[t]] += p;
  }
  x->steps[x->at[T - 1]] += p;
}

/* State k of the phones stands for frames from t on. */
static void durations(paths *x, int k, size_t t, double logp) {
  const size_t T = x->u->feats.rows;
  if (k == x->n_phones * S) {
    if (t == T) count(x, logp);
    return;
  }
  const int32_t row = x->phones[k / S] * S + k % S;
  const float *const tm = x->w->t.tied.tmats + row * (S + 1) + k % S;
  float post[SN_MIX_MAX_GAUSS];
  for (; t < T; t++) {
    logp += sn_mix_posteriors(x->w->t.tables, row, sn_mat_row(x->u->feats, t),
                              post);
    x->at[t] = row;
    durations(x, k + 1, t + 1, logp + (double)tm[1]);
    logp += (double)tm[0];
  }
}

static void word(paths *x, size_t k);

static void pronounce(paths *x, size_t k) {
  const sn_lexicon *const lex = &x->w->c.lex;
  int32_t first = 0;
  const int32_t n = sn_lexicon_prons(lex, x->u->words[k], &first);
  for (int32_t p = first; p < first + n; p++) {
    const int32_t *const ph = sn_lexicon_phones(lex, p);
    const int had = x->n_phones;
    for (int32_t i = 0; i < lex->prons.data[p].n_phones; i++)
      x->phones[x->n_phones++] = ph[i] + 1;
    x->prior += (double)lex->prons.data[p].logp;
    word(x, k + 1);
    x->prior -= (double)lex->prons.data[p].logp;
    x->n_phones = had;
  }
}

/* With and without silence, then word k. */
static void word(paths *x, size_t k) {
  for (int silent = 0; silent < 2; silent++) {
    const bool last = k == x->u->n_words;
    const double cost = silent ? log(x->w->o.silence) : log1p(-x->w->o.silence);
    if (silent) x->phones[x->n_phones++] = 0;
    x->prior += cost;
    if (last)
      durations(x, 0, 0, x->prior);
    else
      pronounce(x, k);
    x->prior -= cost;
    x->n_phones -= silent;
  }
}

/* Frames' scores are floats below 16, rounded once here and several times in
 * the other: 1e-6 each, 13 frames of a path. All else is doubles. */
static void near(double got, double want, const char *what) {
  if (!(fabs(got - want) <= 2e-5 * (1 + fabs(want))))
    fail_msg("%s: %.12g, by all paths %.12g", what, got, want);
}

static void test_it_is_the_sum_over_all_paths(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed < 7; seed++) {
    world w;
    static paths x;
    sni_part part;
    double logp = 0;
    make(&w, 1, seed);
    memset(&x, 0, sizeof x);
    x.w = &w;
    x.u = &w.utts[0];
    word(&x, 0);
    assert_true(x.n_paths > 500);
    const size_t G = sn_mixtures_n_gauss(&w.t.mix);
    assert_int_equal(sni_part_init(&part, G, D, P * S, NULL), SN_OK);
    assert_int_equal(sni_baum_welch(&w.t, x.u, x.u->feats, &part, &logp, NULL),
                     SN_OK);
    near(logp, log(x.z), "log Z");
    near(part.mix.logp, log(x.z), "log-likelihood");
    for (size_t i = 0; i < P * S; i++) {
      near(part.loops[i], x.loops[i] / x.z, "loops");
      near(part.steps[i], x.steps[i] / x.z, "steps");
      for (int32_t g = w.t.mix.first[i]; g < w.t.mix.first[i + 1]; g++) {
        double occ = 0, sum[D] = {0}, sumsq[D] = {0};
        for (size_t t = 0; t < x.u->feats.rows; t++) {
          float post[SN_MIX_MAX_GAUSS];
          const float *const v = sn_mat_row(x.u->feats, t);
          (void)sn_mix_posteriors(w.t.tables, (int32_t)i, v, post);
          const double p =
              x.share[t][i] / x.z * (double)post[g - w.t.mix.first[i]];
          occ += p;
          for (size_t d = 0; d < D; d++) {
            sum[d] += p * (double)v[d];
            sumsq[d] += p * (double)v[d] * (double)v[d];
          }
        }
        near(part.mix.occ[g], occ, "occupancy");
        for (size_t d = 0; d < D; d++) {
          near(part.mix.sum[(size_t)g * D + d], sum[d], "sum");
          near(part.mix.sumsq[(size_t)g * D + d], sumsq[d], "sum of squares");
        }
      }
    }
    sni_part_clear(&part);
    clear(&w);
  }
}

/* The best path alone is less likely than all of them, and no share is that
 * of the best path: the oracle tells the two apart. */
static void test_viterbi_is_another_answer(void **state) {
  (void)state;
  world w;
  sni_part part;
  double best = 0, all = 0;
  make(&w, 1, 3);
  assert_int_equal(
      sni_align(&w.t, &w.utts[0], w.utts[0].words, 2, &best, true, NULL),
      SN_OK);
  assert_int_equal(
      sni_part_init(&part, sn_mixtures_n_gauss(&w.t.mix), D, P * S, NULL),
      SN_OK);
  assert_int_equal(
      sni_baum_welch(&w.t, &w.utts[0], w.utts[0].feats, &part, &all, NULL),
      SN_OK);
  assert_true(all > best + 0.1);
  sni_part_clear(&part);
  clear(&w);
}

static void test_em_never_loses(void **state) {
  (void)state;
  for (uint64_t seed = 11; seed < 14; seed++) {
    world w;
    double last = -HUGE_VAL;
    make(&w, 3, seed);
    double *const occ = sn_calloc(P * S, sizeof *occ);
    for (int n = 0; n < 12; n++) {
      const sn_mix_update_opts u = {0, 1e-4, 0, 0};
      sn_mix_update_report r;
      sni_sums sums = {0};
      assert_int_equal(sni_accumulate_shards(&w.t, 0, 1, &sums, NULL), SN_OK);
      const sni_part *const p = sni_sums_root(&sums, NULL);
      assert_int_equal(p->n_failed, 0);
      /* parameters are floats: 6e-8 of them, 36 frames; a transition that
       * reaches 0.01 or 0.99 may lose more, and none does here */
      if (!(p->mix.logp >= last - 1e-4))
        fail_msg("seed %d pass %d: %.9g after %.9g", (int)seed, n, p->mix.logp,
                 last);
      last = p->mix.logp;
      assert_int_equal(sn_mix_update(&w.t.mix, &p->mix, &u, occ, &r, NULL),
                       SN_OK);
      sni_update_tmats(&w.t, p);
      assert_int_equal(sni_tables(&w.t, NULL), SN_OK);
      sni_sums_clear(&sums);
    }
    sn_free(occ);
    clear(&w);
  }
}

static void test_too_short_is_no_path(void **state) {
  (void)state;
  world w;
  sni_part part;
  double logp = 0;
  make(&w, 1, 5);
  w.utts[0].feats.rows = 5; /* two phones have six states */
  assert_int_equal(
      sni_part_init(&part, sn_mixtures_n_gauss(&w.t.mix), D, P * S, NULL),
      SN_OK);
  assert_int_equal(
      sni_baum_welch(&w.t, &w.utts[0], w.utts[0].feats, &part, &logp, NULL),
      SN_OK);
  assert_true(logp == -HUGE_VAL && part.mix.n_frames == 0);
  sni_part_clear(&part);
  clear(&w);
}

static void test_each_failing_allocation_is_a_status(void **state) {
  (void)state;
  world w;
  sni_part part;
  double logp = 0;
  sn_status s = SN_ENOMEM;
  make(&w, 1, 5);
  assert_int_equal(
      sni_part_init(&part, sn_mixtures_n_gauss(&w.t.mix), D, P * S, NULL),
      SN_OK);
  for (long k = 0; s != SN_OK; k++) {
    sn_mem_fail_after(k);
    s = sni_baum_welch(&w.t, &w.utts[0], w.utts[0].feats, &part, &logp, NULL);
    sn_mem_fail_after(-1);
    assert_true(s == SN_OK || s == SN_ENOMEM);
    assert_true(k < 1000);
  }
  sni_part_clear(&part);
  clear(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_is_the_sum_over_all_paths),
      cmocka_unit_test(test_viterbi_is_another_answer),
      cmocka_unit_test(test_em_never_loses),
      cmocka_unit_test(test_too_short_is_no_path),
      cmocka_unit_test(test_each_failing_allocation_is_a_status)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
