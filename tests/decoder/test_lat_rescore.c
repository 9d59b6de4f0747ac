/* SPDX-License-Identifier: Apache-2.0 */
/* Rescoring with n-grams against the definition, path by path; and a unigram
 * system's lattices brought to the trigram must say what the trigram system
 * said (Kaldi's lattices and answers of both). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decoder/lat_io.h"
#include "tests/decoder/rescore_support.h"

/* Kaldi's graph compiler counts weights as equal within 1/1024 when it
 * determinises L o G, which moves costs by up to that much a word. */
#define GRAPH_TOLERANCE 1e-2

/* ---- Tests ---- */

static void test_each_path_costs_what_the_models_say(void **state) {
  (void)state;
  const random_opts ro = {7, N_LABELS, true};
  sn_rng r;
  sn_rng_init(&r, 21);
  for (int round = 0; round < 120; round++) {
    const int order = 1 + round % 4;
    const double keep = 0.1 + 0.6 * sn_rng_uniform(&r);
    model old_m = random_model(order, keep, 100 + (uint64_t)round);
    model new_m =
        random_model(1 + (round / 4) % 3, keep, 900 + (uint64_t)round);
    const sn_lat_lm from = use(&old_m), to = use(&new_m);
    for (int k = 0; k < 3; k++) {
      sn_err err = {0};
      sn_lat l = random_lattice(&r, &ro), out;
      assert_true(sn_lat_is_deterministic(&l));
      sn_lat_rescore_opts o = no_limits;
      o.exact_old = k == 1;
      if (k == 2) {
        o.old_scale = 0.5;
        o.new_scale = 1.75;
      }
      sn_lat_rescore_stats stats;
      must(sn_lat_rescore(&l, &scales, &from, &to, &o, &out, &stats, &err),
           &err);
      assert_int_equal(sn_lat_check(&out, &err), SN_OK);
      assert_true(sn_lat_is_deterministic(&out));
      assert_int_equal(stats.n_cut, 0);
      random_paths before = all_paths(&l), after = all_paths(&out);
      assert_int_equal(before.n, after.n);
      for (size_t i = 0; i < before.n; i++) {
        const random_path *const p = find_path(&after, &before.p[i]);
        assert_non_null(p);
        assert_true(fabs(p->acoustic - before.p[i].acoustic) < TOLERANCE);
        const double want = new_graph(&old_m, &new_m, &before.p[i], &o);
        if (!(fabs(p->graph - want) < TOLERANCE))
          fail_msg("round %d: %g, expected %g", round, p->graph, want);
      }
      int32_t frames[64], n_frames;
      assert_int_equal(sn_lat_times(&out, frames, &n_frames, &err), SN_OK);
      sn_free(before.p);
      sn_free(after.p);
      sn_lat_clear(&l);
      sn_lat_clear(&out);
    }
    model_clear(&old_m);
    model_clear(&new_m);
  }
}

static void test_the_models_do_differ_where_back_off_is_free(void **state) {
  /* The oracle can fail: with random back-off weights the least over back-off
   * paths is not the true probability. */
  (void)state;
  const model m = random_model(3, 0.5, 5);
  int differ = 0;
  for (int32_t a = 1; a <= N_LM_WORDS; a++)
    for (int32_t b = 1; b <= N_LM_WORDS; b++) {
      const random_path p = {.words = {a, b}, .n = 2};
      const char *const words[] = {"<s>", spelt[a], spelt[b], "</s>"};
      double sum = 0.0;
      int matched;
      for (int n = 2; n <= 4; n++)
        sum -= LN10 * ref_lm_score(m.ref, words, n, &matched);
      assert_true(fabs(sum - ref_sentence(m.ref, &p, 0.0, true)) < 1e-9);
      differ += ref_sentence(m.ref, &p, 0.0, true) >
                ref_sentence(m.ref, &p, 0.0, false) + 1e-3;
    }
  assert_true(differ > 0);
  model copy = m;
  model_clear(&copy);
}

static void test_a_model_out_and_in_again_changes_nothing(void **state) {
  (void)state;
  const random_opts ro = {8, N_LM_WORDS, true};
  sn_rng r;
  sn_rng_init(&r, 22);
  model m = random_model(3, 0.4, 77);
  const sn_lat_lm lm = use(&m);
  for (int round = 0; round < 50; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r, &ro), out;
    sn_lat_rescore_opts o = no_limits;
    o.exact_old = true;
    must(sn_lat_rescore(&l, &scales, &lm, &lm, &o, &out, NULL, &err), &err);
    sn_lat_path a, b;
    must(sn_lat_best(&l, &scales, &a, &err), &err);
    must(sn_lat_best(&out, &scales, &b, &err), &err);
    assert_true(fabs(a.total - b.total) < TOLERANCE);
    sn_lat_path_clear(&a);
    sn_lat_path_clear(&b);
    sn_lat_clear(&l);
    sn_lat_clear(&out);
  }
  model_clear(&m);
}

static void test_other_lattices_come_out_deterministic_with_best_costs(
    void **state) {
  (void)state;
  const random_opts ro = {6, N_LABELS, false};
  sn_rng r;
  sn_rng_init(&r, 23);
  model old_m = random_model(2, 0.5, 31), new_m = random_model(3, 0.5, 32);
  const sn_lat_lm from = use(&old_m), to = use(&new_m);
  for (int round = 0; round < 100; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r, &ro), out;
    must(sn_lat_rescore(&l, &scales, &from, &to, &no_limits, &out, NULL, &err),
         &err);
    assert_true(sn_lat_is_deterministic(&out));
    random_paths before = all_paths(&l), after = all_paths(&out);
    for (size_t i = 0; i < after.n; i++) {
      double least = HUGE_VAL;
      for (size_t k = 0; k < before.n; k++)
        if (same_words(&before.p[k], &after.p[i]))
          least =
              fmin(least, new_graph(&old_m, &new_m, &before.p[k], &no_limits) *
                                  scales.graph +
                              before.p[k].acoustic * scales.acoustic);
      const double total = after.p[i].graph * scales.graph +
                           after.p[i].acoustic * scales.acoustic;
      /* Residual costs of determinisation count as equal within 1/1024. */
      assert_true(fabs(total - least) < TOLERANCE + 1.0 / 1024.0);
    }
    for (size_t k = 0; k < before.n; k++)
      assert_non_null(find_path(&after, &before.p[k]));
    sn_free(before.p);
    sn_free(after.p);
    sn_lat_clear(&l);
    sn_lat_clear(&out);
  }
  model_clear(&old_m);
  model_clear(&new_m);
}

static void test_beam_and_limit_leave_true_costs(void **state) {
  (void)state;
  const random_opts ro = {9, N_LM_WORDS, true};
  sn_rng r;
  sn_rng_init(&r, 24);
  model old_m = random_model(2, 0.5, 41), new_m = random_model(4, 0.5, 42);
  const sn_lat_lm from = use(&old_m), to = use(&new_m);
  int64_t n_cut = 0;
  for (int round = 0; round < 100; round++) {
    sn_err err = {0};
    sn_lat l = random_lattice(&r, &ro), out;
    sn_lat_rescore_opts o = no_limits;
    sn_lat_rescore_stats stats;
    o.beam = (double)sn_rng_below(&r, 40) / 4.0;
    o.max_histories = 1 + (int32_t)sn_rng_below(&r, 3);
    must(sn_lat_rescore(&l, &scales, &from, &to, &o, &out, &stats, &err), &err);
    n_cut += stats.n_cut;
    assert_true(stats.n_states <= (int64_t)l.n_arcs * o.max_histories + 1);
    random_paths before = all_paths(&l), after = all_paths(&out);
    assert_true(after.n > 0);
    for (size_t i = 0; i < after.n; i++) {
      const random_path *const p = find_path(&before, &after.p[i]);
      assert_non_null(p);
      assert_true(fabs(new_graph(&old_m, &new_m, p, &o) - after.p[i].graph) <
                  TOLERANCE);
    }
    sn_free(before.p);
    sn_free(after.p);
    sn_lat_clear(&l);
    sn_lat_clear(&out);
  }
  assert_true(n_cut > 0);
  model_clear(&old_m);
  model_clear(&new_m);
}

static void test_labels_beyond_the_table_are_refused(void **state) {
  (void)state;
  const random_opts ro = {6, N_LABELS, true};
  sn_rng r;
  sn_rng_init(&r, 25);
  model m = random_model(2, 0.5, 51);
  sn_lat_lm few = use(&m);
  few.n_words = 1;
  sn_lat l = random_lattice(&r, &ro), out, empty = {0};
  sn_err err = {0};
  assert_int_equal(
      sn_lat_rescore(&l, &scales, NULL, &few, &no_limits, &out, NULL, &err),
      SN_EMISMATCH);
  assert_int_equal(out.n_states, 0);
  must(
      sn_lat_rescore(&empty, &scales, NULL, &few, &no_limits, &out, NULL, NULL),
      NULL);
  assert_int_equal(out.n_states, 0);
  sn_lat_clear(&l);
  model_clear(&m);
}

static void test_each_failed_allocation_is_reported(void **state) {
  (void)state;
  const random_opts ro = {8, N_LABELS, true};
  sn_rng r;
  sn_rng_init(&r, 26);
  model old_m = random_model(2, 0.5, 61), new_m = random_model(3, 0.5, 62);
  const sn_lat_lm from = use(&old_m), to = use(&new_m);
  sn_lat l = random_lattice(&r, &ro);
  sn_lat_rescore_opts o = no_limits;
  o.beam = 20.0;
  const long live = sn_mem_live();
  for (long k = 0;; k++) {
    sn_err err = {0};
    sn_lat out = {0};
    sn_mem_fail_after(k);
    const sn_status s =
        sn_lat_rescore(&l, &scales, &from, &to, &o, &out, NULL, &err);
    const bool fired = sn_mem_fault_fired();
    sn_mem_fail_after(-1);
    sn_lat_clear(&out);
    assert_int_equal(sn_mem_live(), live);
    if (!fired) break;
    assert_int_equal(s, SN_ENOMEM);
  }
  sn_lat_clear(&l);
  model_clear(&old_m);
  model_clear(&new_m);
}

/* ---- Kaldi's two systems ---- */

static void test_unigram_lattices_brought_to_the_trigram_say_what_it_said(
    void **state) {
  (void)state;
  const char *shared = getenv("SENONE_SHARED"), *data = getenv("SENONE_DATA");
  if (shared == NULL) shared = "../shared";
  char root[600], path[800], ug[800];
  (void)snprintf(root, sizeof root, "%s/reference/an4-kaldi", shared);
  (void)snprintf(ug, sizeof ug, "%s%s/an4/etc/an4.ug.lm",
                 data != NULL ? data : shared, data != NULL ? "" : "/data");
  (void)snprintf(path, sizeof path, "%s/trigram/lm.arpa.gz", root);
  if (!sn_file_exists(path) || !sn_file_exists(ug)) {
    print_message("SKIPPED: %s or %s is missing\n", path, ug);
    skip();
  }
  sn_err err = {0};
  sn_lat_words *words = NULL;
  sn_ngram *const tg = load_path(path), *const flat = load_path(ug);
  (void)snprintf(path, sizeof path, "%s/words.txt", root);
  must(sn_lat_words_load(path, &words, &err), &err);
  sn_arr_i32 old_words = {0}, new_words = {0};
  must(sn_lat_words_map(words, flat, &old_words, &err), &err);
  must(sn_lat_words_map(words, tg, &new_words, &err), &err);
  const sn_lat_lm from = {flat, old_words.data, old_words.n};
  const sn_lat_lm to = {tg, new_words.data, new_words.n};
  sn_lat_reader *a = NULL, *b = NULL;
  (void)snprintf(path, sizeof path, "ark,t:%s/lat.txt", root);
  must(sn_lat_reader_open(path, &a, &err), &err);
  (void)snprintf(path, sizeof path, "ark:%s/trigram/lat.ark", root);
  must(sn_lat_reader_open(path, &b, &err), &err);
  const sn_lat_scales k = {1.0, 0.083333, 0.0};
  int n_utts = 0, n_same = 0, n_odd = 0;
  for (;;) {
    const char *key_a, *key_b;
    sn_lat l, tri, out, exact;
    must(sn_lat_next(a, &key_a, &l, &err), &err);
    must(sn_lat_next(b, &key_b, &tri, &err), &err);
    if (key_a == NULL) break;
    assert_string_equal(key_a, key_b);
    must(sn_lat_rescore(&l, &k, &from, &to, &no_limits, &out, NULL, &err),
         &err);
    /* The trigram graph's back-off paths against true probabilities. */
    must(sn_lat_rescore(&tri, &k, &to, &to, &no_limits, &exact, NULL, &err),
         &err);
    sn_lat_path x, y, z;
    must(sn_lat_best(&out, &k, &x, &err), &err);
    must(sn_lat_best(&tri, &k, &y, &err), &err);
    must(sn_lat_best(&exact, &k, &z, &err), &err);
    n_utts++;
    n_odd += fabs(y.total - z.total) > GRAPH_TOLERANCE;
    /* The unigram lattice is pruned: it may lack what the trigram search
     * found, and can have nothing better. */
    assert_true(x.total > z.total - GRAPH_TOLERANCE);
    assert_true(z.total > y.total - GRAPH_TOLERANCE);
    if (x.words.n == z.words.n &&
        memcmp(x.words.data, z.words.data, x.words.n * sizeof *x.words.data) ==
            0) {
      n_same++;
      if (!(fabs(x.total - z.total) < GRAPH_TOLERANCE))
        fail_msg("%s: %.9g, expected %.9g", key_a, x.total, z.total);
    }
    sn_lat_path_clear(&x);
    sn_lat_path_clear(&y);
    sn_lat_path_clear(&z);
    sn_lat_clear(&l);
    sn_lat_clear(&tri);
    sn_lat_clear(&out);
    sn_lat_clear(&exact);
  }
  print_message(
      "%d of %d answers are the trigram system's; in %d its graph is "
      "better than its model\n",
      n_same, n_utts, n_odd);
  assert_int_equal(n_utts, 20);
  assert_true(n_same >= 15);
  sn_lat_reader_destroy(a);
  sn_lat_reader_destroy(b);
  SN_ARR_FREE(&old_words);
  SN_ARR_FREE(&new_words);
  sn_lat_words_destroy(words);
  sn_ngram_destroy(tg);
  sn_ngram_destroy(flat);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_path_costs_what_the_models_say),
      cmocka_unit_test(test_the_models_do_differ_where_back_off_is_free),
      cmocka_unit_test(test_a_model_out_and_in_again_changes_nothing),
      cmocka_unit_test(
          test_other_lattices_come_out_deterministic_with_best_costs),
      cmocka_unit_test(test_beam_and_limit_leave_true_costs),
      cmocka_unit_test(test_labels_beyond_the_table_are_refused),
      cmocka_unit_test(test_each_failed_allocation_is_reported),
      cmocka_unit_test(
          test_unigram_lattices_brought_to_the_trigram_say_what_it_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
