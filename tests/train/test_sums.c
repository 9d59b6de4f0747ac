/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of shards: one tree of additions for any parts, order and number of
 * threads; their files; a pass in steps. */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/train/tones.h"
#include "train/shards.h"
#include "train/sums_internal.h"

enum { G = 3, D = 2, ROWS = 6 };

/* Sums of shard i: numbers whose additions round. */
static void fill(sni_part *p, int64_t i) {
  sn_rng r;
  sn_rng_init(&r, (uint64_t)i + 1);
  assert_int_equal(sni_part_init(p, G, D, ROWS, NULL), SN_OK);
  for (size_t k = 0; k < G; k++) p->mix.occ[k] = sn_rng_uniform(&r) / 3;
  for (size_t k = 0; k < G * D; k++) {
    p->mix.sum[k] = sn_rng_gauss(&r) * 1e3;
    p->mix.sumsq[k] = sn_rng_uniform(&r) / 7;
  }
  for (size_t k = 0; k < ROWS; k++) p->loops[k] = p->steps[k] = (double)i;
  p->mix.logp = sn_rng_gauss(&r);
  p->mix.n_frames = 100;
  p->n_frames = 100;
  p->n_failed = i % 3 == 0;
}

/* The tree by its definition. */
static void reference(int64_t n, int level, int64_t index, sni_part *out) {
  if (level == 0) {
    fill(out, index);
    return;
  }
  sni_part right;
  reference(n, level - 1, 2 * index, out);
  if ((2 * index + 1) << (level - 1) >= n) return;
  reference(n, level - 1, 2 * index + 1, &right);
  sni_part_add(out, &right);
  sni_part_clear(&right);
}

static void same(const sni_part *a, const sni_part *b) {
  assert_memory_equal(a->mix.occ, b->mix.occ, G * sizeof(double));
  assert_memory_equal(a->mix.sum, b->mix.sum, G * D * sizeof(double));
  assert_memory_equal(a->mix.sumsq, b->mix.sumsq, G * D * sizeof(double));
  assert_memory_equal(a->loops, b->loops, ROWS * sizeof(double));
  assert_memory_equal(a->steps, b->steps, ROWS * sizeof(double));
  assert_true(a->mix.logp == b->mix.logp && a->n_frames == b->n_frames &&
              a->n_failed == b->n_failed);
}

static void put(sni_sums *s, int64_t i) {
  sni_part p;
  fill(&p, i);
  assert_int_equal(sni_sums_put(s, 0, i, &p, NULL), SN_OK);
  sni_part_clear(&p);
}

static void test_any_order_of_shards_gives_the_tree(void **state) {
  (void)state;
  for (int64_t n = 1; n <= 21; n++) {
    sni_part want;
    int top = 0;
    while ((int64_t)1 << top < n) top++;
    reference(n, top, 0, &want);
    for (uint64_t seed = 0; seed < 4; seed++) {
      sni_sums s = {.n_shards = n};
      int64_t order[32];
      sn_rng r;
      sn_rng_init(&r, seed);
      for (int64_t i = 0; i < n; i++) order[i] = i;
      for (int64_t i = n - 1; i > 0 && seed > 0; i--) {
        const int64_t k = (int64_t)sn_rng_below(&r, (uint32_t)i + 1);
        const int64_t t = order[i];
        order[i] = order[k];
        order[k] = t;
      }
      for (int64_t i = 0; i < n; i++) {
        assert_null(sni_sums_root(&s, NULL));
        put(&s, order[i]);
      }
      assert_non_null(sni_sums_root(&s, NULL));
      same(sni_sums_root(&s, NULL), &want);
      sni_sums_clear(&s);
    }
    sni_part_clear(&want);
  }
}

/* In order, as a pass makes them, few nodes are left at any time. */
static void test_few_nodes_wait(void **state) {
  (void)state;
  sni_sums s = {.n_shards = 1000};
  for (int64_t i = 0; i < 1000; i++) {
    put(&s, i);
    assert_true(s.nodes.n <= 10);
  }
  assert_non_null(sni_sums_root(&s, NULL));
  sni_sums_clear(&s);
}

/* The oracle can fail: a plain sum from the left is another one. */
static void test_a_plain_sum_is_another(void **state) {
  (void)state;
  sni_part tree, plain, p;
  reference(21, 5, 0, &tree);
  fill(&plain, 0);
  for (int64_t i = 1; i < 21; i++) {
    fill(&p, i);
    sni_part_add(&plain, &p);
    sni_part_clear(&p);
  }
  assert_memory_not_equal(tree.mix.sum, plain.mix.sum, G * D * sizeof(double));
  sni_part_clear(&tree);
  sni_part_clear(&plain);
}

static void test_a_shard_counts_once(void **state) {
  (void)state;
  sni_sums s = {.n_shards = 5};
  sni_part p;
  sn_err err = {0};
  for (int64_t i = 0; i < 4; i++) put(&s, i);
  fill(&p, 2);
  assert_int_equal(sni_sums_put(&s, 0, 2, &p, &err), SN_EARG);
  assert_non_null(strstr(err.msg, "utterances 65 to 96 are there already"));
  assert_int_equal(sni_sums_put(&s, 1, 1, &p, NULL), SN_EARG);
  int64_t missing = 0;
  assert_null(sni_sums_root(&s, &missing));
  assert_int_equal(missing, 4);
  assert_int_equal(sni_sums_put(&s, 0, 4, &p, NULL), SN_OK);
  sni_part_clear(&p);
  assert_non_null(sni_sums_root(&s, NULL));
  sni_sums_clear(&s);
}

typedef struct world {
  char dir[256];
} world;

static sni_stats_file file_of(int64_t from, int64_t to) {
  sni_stats_file f = {.model_crc = 7, .corpus_crc = 8, .n_utts = 200};
  f.sums.n_shards = 7;
  for (int64_t i = from; i < to; i++) put(&f.sums, i);
  return f;
}

static void test_files_add_up_to_the_tree(void **state) {
  const world *const w = *state;
  sni_part want;
  reference(7, 3, 0, &want);
  const char *const path = tones_in(w->dir, "a.sums");
  static const int64_t cuts[][4] = {{0, 1, 3, 7}, {0, 3, 5, 7}, {0, 2, 6, 7}};
  for (size_t c = 0; c < 3; c++) {
    sni_stats_file all = {0};
    for (size_t k = 3; k-- > 0;) { /* the last part first */
      sni_stats_file f = file_of(cuts[c][k], cuts[c][k + 1]), back;
      sn_err err = {0};
      assert_int_equal(sni_stats_write(&f, path, &err), SN_OK);
      assert_int_equal(sni_stats_load(path, &back, &err), SN_OK);
      if (k == 2) {
        all = back;
        back = (sni_stats_file){0};
      } else {
        assert_int_equal(sni_stats_merge(&all, "all", &back, "b", &err), SN_OK);
      }
      sni_stats_clear(&f);
      sni_stats_clear(&back);
    }
    same(sni_sums_root(&all.sums, NULL), &want);
    sni_stats_clear(&all);
  }
  sni_part_clear(&want);
}

static void test_other_models_and_corpora_are_refused(void **state) {
  (void)state;
  sni_stats_file a = file_of(0, 3), b = file_of(3, 5);
  sn_err err = {0};
  b.model_crc = 9;
  assert_int_equal(sni_stats_merge(&a, "a.sums", &b, "b.sums", &err),
                   SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "'a.sums' and 'b.sums'"));
  assert_non_null(strstr(err.msg, "different models"));
  b.model_crc = 7;
  b.corpus_crc = 9;
  err = (sn_err){0};
  assert_int_equal(sni_stats_merge(&a, "a", &b, "b", &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "different corpora"));
  sni_stats_clear(&b);
  b = file_of(2, 4);
  err = (sn_err){0};
  assert_int_equal(sni_stats_merge(&a, "a", &b, "b.sums", &err), SN_EARG);
  assert_non_null(strstr(err.msg, "b.sums"));
  sni_stats_clear(&a);
  sni_stats_clear(&b);
}

static void test_values_that_can_not_be_are_refused(void **state) {
  const world *const w = *state;
  const char *const path = tones_in(w->dir, "bad.sums");
  for (int i = 0; i < 5; i++) {
    sni_stats_file f = file_of(0, 2), back;
    sni_part *const p = &f.sums.nodes.data[0].part;
    if (i == 0) p->mix.occ[1] = -1;
    if (i == 1) p->mix.sum[0] = (double)NAN;
    if (i == 2) p->loops[0] = -0.5;
    if (i == 3) f.n_utts = 300;
    if (i == 4) p->mix.n_frames = (double)INFINITY;
    assert_int_equal(sni_stats_write(&f, path, NULL), SN_OK);
    assert_int_equal(sni_stats_load(path, &back, NULL), SN_EFORMAT);
    assert_null(back.sums.nodes.data);
    sni_stats_clear(&f);
  }
}

/* ---- A pass in steps ---- */

static void accumulate(const world *w, const char *model, const char *shard,
                       int32_t jobs, const char *out) {
  sn_accumulate_opts o;
  sn_sums_info info;
  sn_err err = {0};
  sn_opt_defaults(sn_accumulate_opt_table, &o);
  o.shard = shard;
  o.jobs = jobs;
  if (sn_train_accumulate(tones_in(w->dir, model), tones_in(w->dir, "data"),
                          tones_in(w->dir, "lex"), tones_in(w->dir, out), &o,
                          NULL, &info, &err) != SN_OK)
    fail_msg("%s", err.msg);
  assert_true(info.n_aligned_frames > 0 && info.n_failed == 0);
}

static sn_status update(const world *w, const char *sums, const char *out,
                        sn_sums_info *info, sn_err *err) {
  sn_update_opts o;
  sn_opt_defaults(sn_update_opt_table, &o);
  o.gaussians = 40;
  return sn_train_update(tones_in(w->dir, "exp/mono"), tones_in(w->dir, sums),
                         tones_in(w->dir, out), &o, NULL, info, err);
}

static void test_parts_and_threads_make_the_same_model(void **state) {
  const world *const w = *state;
  sn_train_opts o = tones_opts();
  sn_sums_info one, three, info;
  sn_err err = {0};
  char a[300], b[300], parts[3][300];
  assert_int_equal(
      sn_train("mono", tones_in(w->dir, "data"), tones_in(w->dir, "lex"),
               tones_in(w->dir, "exp"), &o, NULL, NULL),
      SN_OK);
  accumulate(w, "exp/mono", "1/1", 1, "one.sums");
  accumulate(w, "exp/mono", "1/1", 2, "two.sums");
  tones_same(w->dir, w->dir, "one.sums");
  const char *paths[3];
  for (int i = 0; i < 3; i++) {
    char shard[8];
    (void)snprintf(shard, sizeof shard, "%d/3", 3 - i);
    (void)snprintf(parts[i], sizeof parts[i], "p%d.sums", i);
    accumulate(w, "exp/mono", shard, 1 + i % 2, parts[i]);
    (void)snprintf(a, sizeof a, "%s/p%d.sums", w->dir, i);
    memcpy(parts[i], a, sizeof a);
    paths[i] = parts[i];
  }
  assert_int_equal(
      sn_train_sum(tones_in(w->dir, "some.sums"), paths, 2, &info, NULL),
      SN_OK);
  assert_int_equal(info.n_there, 2);
  assert_int_equal(update(w, "some.sums", "none", &info, &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "number 1 on are missing"));
  assert_false(sn_dir_exists(tones_in(w->dir, "none")));
  assert_int_equal(
      sn_train_sum(tones_in(w->dir, "sum.sums"), paths, 3, &info, NULL), SN_OK);
  (void)snprintf(a, sizeof a, "%s/m1", w->dir);
  (void)snprintf(b, sizeof b, "%s/m3", w->dir);
  assert_int_equal(update(w, "one.sums", "m1", &one, NULL), SN_OK);
  assert_int_equal(update(w, "sum.sums", "m3", &three, NULL), SN_OK);
  tones_same(a, b, "am.bin");
  assert_int_equal(update(w, "two.sums", "m2", &info, NULL), SN_OK);
  (void)snprintf(b, sizeof b, "%s/m2", w->dir);
  tones_same(a, b, "am.bin");
  assert_true(one.logp_per_frame == three.logp_per_frame);
  /* The new model fits better; sums of it are another model's. */
  accumulate(w, "m1", "1/1", 1, "next.sums");
  sn_update_opts u;
  sn_opt_defaults(sn_update_opt_table, &u);
  assert_int_equal(
      sn_train_update(tones_in(w->dir, "m1"), tones_in(w->dir, "next.sums"),
                      tones_in(w->dir, "m4"), &u, NULL, &info, NULL),
      SN_OK);
  assert_true(info.logp_per_frame > one.logp_per_frame);
  err = (sn_err){0};
  assert_int_equal(update(w, "next.sums", "m5", &info, &err), SN_EMISMATCH);
  assert_non_null(strstr(err.msg, "another model"));
}

static void test_each_failing_allocation_is_a_status(void **state) {
  const world *const w = *state;
  sni_stats_file f = file_of(0, 5);
  const char *const path = tones_in(w->dir, "oom.sums");
  sn_status s = SN_ENOMEM;
  assert_int_equal(sni_stats_write(&f, path, NULL), SN_OK);
  for (long k = 0; s != SN_OK; k++) {
    sni_stats_file a = {0}, b = file_of(5, 7);
    sn_mem_fail_after(k);
    s = sni_stats_load(path, &a, NULL);
    if (s == SN_OK) s = sni_stats_merge(&a, "a", &b, "b", NULL);
    if (s == SN_OK) s = sni_stats_write(&a, path, NULL);
    sn_mem_fail_after(-1);
    assert_true(s == SN_OK || s == SN_ENOMEM);
    sni_stats_clear(&a);
    sni_stats_clear(&b);
    assert_true(k < 1000);
  }
  sni_stats_clear(&f);
}

int main(void) {
  static world w;
  void *const p = &w;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_any_order_of_shards_gives_the_tree),
      cmocka_unit_test(test_few_nodes_wait),
      cmocka_unit_test(test_a_plain_sum_is_another),
      cmocka_unit_test(test_a_shard_counts_once),
      cmocka_unit_test_prestate(test_files_add_up_to_the_tree, p),
      cmocka_unit_test(test_other_models_and_corpora_are_refused),
      cmocka_unit_test_prestate(test_values_that_can_not_be_are_refused, p),
      cmocka_unit_test_prestate(test_parts_and_threads_make_the_same_model, p),
      cmocka_unit_test_prestate(test_each_failing_allocation_is_a_status, p)};
  tones_temp(w.dir, sizeof w.dir);
  tones_make(w.dir, 70, 2);
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  tones_remove(w.dir);
  return failed;
}
