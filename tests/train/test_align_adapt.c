/* SPDX-License-Identifier: Apache-2.0 */
/* Alignment that adapts to speakers, with a speaker-adapted model trained on
 * tones: each speaker's transform is the one that his first alignments
 * estimate, and what is aligned with it are transformed features. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/train/tones.h"
#include "train/align_adapt.h"

enum { N_UTTS = 20 };

typedef struct world {
  char dir[256];
  sn_am *am, *first;
  sn_lexicon lex;
  sn_datadir data;
  sn_pool *pools[2]; /* of 1 and of 3 threads */
  sn_spk_cmvn *means;
} world;

static sn_align_job job_of(const world *w, int pool) {
  return (sn_align_job){.am = w->am,
                        .first = w->first,
                        .lex = &w->lex,
                        .temp = w->dir,
                        .utts = w->data.utts,
                        .n = w->data.n,
                        .means = w->means,
                        .pool = w->pools[pool]};
}

static sn_adapt_opts defaults(double min_count) {
  sn_adapt_opts o = {.silence_weight = 0.01};
  sn_opt_defaults(sn_fmllr_opt_table, &o.fmllr);
  o.fmllr.min_count = min_count;
  return o;
}

static sn_spk_transforms *adapt(const world *w, int pool, double min_count,
                                int32_t passes) {
  const sn_align_job job = job_of(w, pool);
  const sn_adapt_opts how = defaults(min_count);
  sn_spk_transforms *t = NULL;
  sn_err err = {0};
  if (sn_align_adapt(&job, &how, passes, &t, &err) != SN_OK)
    fail_msg("%s", err.msg);
  return t;
}

static void align(const world *w, const sn_spk_transforms *t, size_t i,
                  sn_alignment *a) {
  sn_align_opts o;
  sn_aligner *x = NULL;
  sn_err err = {0};
  sn_opt_defaults(sn_align_opt_table, &o);
  o.keep_frames = true;
  assert_int_equal(sn_aligner_create(w->am, &w->lex, w->dir, &o, &x, NULL),
                   SN_OK);
  sn_aligner_set_first(x, w->first);
  if (sn_align_utt(x, w->means, t, &w->data.utts[i], NULL, a, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(a->failure, SN_ALIGN_DONE);
  sn_aligner_destroy(x);
}

/* What t makes of a frame. */
static void same_transform(const sn_transform *a, const sn_transform *b) {
  const size_t D = sn_transform_out_dim(a);
  float x[512], p[512], q[512];
  sn_rng r;
  sn_rng_init(&r, 3);
  assert_int_equal(sn_transform_out_dim(b), D);
  for (int i = 0; i < 50; i++) {
    for (size_t d = 0; d < D; d++) x[d] = (float)(3 * sn_rng_gauss(&r));
    sn_transform_frame(a, x, D, p);
    sn_transform_frame(b, x, D, q);
    assert_memory_equal(p, q, D * sizeof *p);
  }
}

/* Of one speaker, from his alignments (with the transforms so far, or none). */
static sn_transform *by_hand(const world *w, const sn_spk_transforms *so_far,
                             const char *speaker) {
  const sn_adapt_opts how = defaults(100);
  const size_t D = (size_t)sn_am_get_info(w->am).dim;
  const sn_transform *const t = sn_spk_transforms_find(so_far, speaker);
  sn_fmllr_stats stats = {0};
  sn_fmllr_work *work = NULL;
  sn_fmllr_result r;
  sn_transform *out = NULL;
  sn_mat m = {0};
  float y[512];
  assert_int_equal(sn_fmllr_stats_init(&stats, D, NULL), SN_OK);
  assert_int_equal(sn_fmllr_work_create(w->am, &work, NULL), SN_OK);
  assert_int_equal(sn_mat_alloc(D, D + 1, &m, NULL), SN_OK);
  for (size_t i = 0; i < w->data.n; i++) {
    sn_alignment a = {0};
    if (strcmp(sn_utt_speaker(&w->data.utts[i]), speaker) != 0) continue;
    align(w, so_far, i, &a);
    for (size_t k = 0; k < (size_t)a.n_frames; k++) {
      const float *const x = sn_mat_row(a.feats, k);
      if (t != NULL) sn_transform_frame(t, x, D, y);
      assert_int_equal(
          sn_am_fmllr_accumulate(w->am, t == NULL ? w->first : w->am, work,
                                 a.pdfs[k], a.speech[k] ? 1 : 0.01,
                                 t == NULL ? x : y, x, &stats, NULL),
          SN_OK);
    }
    sn_alignment_clear(&a);
  }
  assert_int_equal(sn_fmllr_estimate(&stats, &how.fmllr, m, &r, NULL), SN_OK);
  assert_true(r.estimated && r.gain > 0);
  assert_int_equal(sn_transform_create(sn_mat_const(m), &out, NULL), SN_OK);
  sn_mat_free(&m);
  sn_fmllr_work_destroy(work);
  sn_fmllr_stats_clear(&stats);
  return out;
}

static void test_transforms_are_those_of_the_alignments(void **state) {
  const world *const w = *state;
  sn_spk_transforms *const once = adapt(w, 0, 100, 1);
  sn_spk_transforms *const again = adapt(w, 1, 100, 2);
  static const char *const speakers[] = {"s0", "s1"};
  for (int i = 0; i < 2; i++) {
    sn_transform *const a = by_hand(w, NULL, speakers[i]);
    sn_transform *const b = by_hand(w, once, speakers[i]);
    same_transform(sn_spk_transforms_find(once, speakers[i]), a);
    same_transform(sn_spk_transforms_find(again, speakers[i]), b);
    sn_transform_destroy(a);
    sn_transform_destroy(b);
  }
  assert_null(sn_spk_transforms_find(once, "s2"));
  assert_null(sn_spk_transforms_find(NULL, "s0"));
  sn_spk_transforms_destroy(once);
  sn_spk_transforms_destroy(again);
}

/* Log-likelihood of the path's pdfs: of plain features by the first model, of
 * transformed ones by the adapted one. */
static double path_logp(const world *w, const sn_transform *t,
                        const sn_alignment *a) {
  const size_t T = a->feats.rows;
  const size_t n = (size_t)sn_am_n_pdfs(w->am);
  sn_mat y = {0}, scores = {0};
  double sum = 0;
  assert_int_equal(sn_mat_alloc(T, a->feats.cols, &y, NULL), SN_OK);
  assert_int_equal(sn_mat_alloc(T, n, &scores, NULL), SN_OK);
  if (t != NULL)
    assert_int_equal(sn_transform_apply(t, sn_mat_const(a->feats), y, NULL),
                     SN_OK);
  assert_int_equal(
      sn_am_score_block(t != NULL ? w->am : w->first,
                        t != NULL ? sn_mat_const(y) : sn_mat_const(a->feats),
                        scores, NULL),
      SN_OK);
  for (size_t i = 0; i < T; i++)
    sum += (double)sn_mat_row(scores, i)[a->pdfs[i]];
  sn_mat_free(&y);
  sn_mat_free(&scores);
  return sum;
}

static void test_transformed_features_are_aligned(void **state) {
  const world *const w = *state;
  sn_spk_transforms *const t = adapt(w, 0, 100, 1);
  int n_silent = 0, n_differ = 0;
  for (size_t i = 0; i < w->data.n; i += 3) {
    sn_alignment plain = {0}, adapted = {0};
    const sn_transform *const own =
        sn_spk_transforms_find(t, sn_utt_speaker(&w->data.utts[i]));
    assert_non_null(own);
    align(w, NULL, i, &plain);
    align(w, t, i, &adapted);
    /* 200 frames of scores below 100, added up as floats: 200 x 2000 x 6e-8,
     * and a little */
    const double of_plain = path_logp(w, NULL, &plain);
    const double of_adapted = path_logp(w, own, &adapted);
    assert_true(fabs(plain.loglik - of_plain) < 0.1);
    assert_true(fabs(adapted.loglik - of_adapted) < 0.1);
    n_differ += fabs(of_plain - of_adapted) > 0.5;
    for (size_t k = 0; k < (size_t)plain.n_frames; k++)
      n_silent += !plain.speech[k];
    sn_alignment_clear(&plain);
    sn_alignment_clear(&adapted);
  }
  assert_true(n_silent > 50 && n_differ > 3);
  sn_spk_transforms_destroy(t);
}

static void test_few_frames_make_no_transform(void **state) {
  const world *const w = *state;
  sn_spk_transforms *const t = adapt(w, 0, 1e6, 1);
  sn_alignment a = {0}, b = {0};
  assert_null(sn_spk_transforms_find(t, "s0"));
  align(w, NULL, 0, &a);
  align(w, t, 0, &b);
  assert_true(a.loglik == b.loglik);
  sn_alignment_clear(&a);
  sn_alignment_clear(&b);
  sn_spk_transforms_destroy(t);
}

static void in_dir(const world *w, const char *name, char *out, size_t n) {
  (void)snprintf(out, n, "%s/%s", w->dir, name);
}

static int set_up(void **state) {
  world *const w = calloc(1, sizeof *w);
  char data[300], lex[300], exp[300], sat[300];
  sn_train_opts o = tones_opts();
  sn_err err = {0};
  if (w == NULL) return 1;
  tones_temp(w->dir, sizeof w->dir);
  tones_make(w->dir, N_UTTS, 5);
  in_dir(w, "data", data, sizeof data);
  in_dir(w, "lex", lex, sizeof lex);
  in_dir(w, "exp", exp, sizeof exp);
  in_dir(w, "exp/sat", sat, sizeof sat);
  if (sn_train(NULL, data, lex, exp, &o, NULL, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(sn_am_load(sat, NULL, &w->am, NULL), SN_OK);
  assert_int_equal(
      sn_am_load_part(sat, "am-first", w->am, NULL, &w->first, NULL), SN_OK);
  assert_non_null(w->first);
  assert_int_equal(sn_lexicon_load(lex, NULL, &w->lex, NULL), SN_OK);
  assert_int_equal(sn_datadir_load(data, NULL, &w->data, NULL), SN_OK);
  assert_int_equal(sn_pool_create(1, &w->pools[0], NULL), SN_OK);
  assert_int_equal(sn_pool_create(3, &w->pools[1], NULL), SN_OK);
  assert_int_equal(sn_align_speakers(w->am, w->data.utts, w->data.n,
                                     w->pools[0], NULL, &w->means, NULL),
                   SN_OK);
  *state = w;
  return 0;
}

static int clear(void **state) {
  world *const w = *state;
  sn_spk_cmvn_destroy(w->means);
  sn_pool_destroy(w->pools[0]);
  sn_pool_destroy(w->pools[1]);
  sn_datadir_clear(&w->data);
  sn_lexicon_clear(&w->lex);
  sn_am_destroy(w->first);
  sn_am_destroy(w->am);
  tones_remove(w->dir);
  free(w);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_transforms_are_those_of_the_alignments),
      cmocka_unit_test(test_transformed_features_are_aligned),
      cmocka_unit_test(test_few_frames_make_no_transform),
  };
  return cmocka_run_group_tests(tests, set_up, clear);
}
