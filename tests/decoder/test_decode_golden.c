/* SPDX-License-Identifier: Apache-2.0 */
/* Kaldi's graphs and log-likelihoods, decoded here, against what its own
 * decoder made of them (20 AN4 utterances, two graphs). Wants
 * $SENONE_SHARED/reference/an4-kaldi; skips without. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "am/mat_scorer.h"
#include "base/io.h"
#include "base/kaldi_io.h"
#include "base/mem.h"
#include "decoder/decoder.h"
#include "decoder/lat_io.h"
#include "decoder/lat_mbr.h"
#include "decoder/lat_paths.h"
#include "graphs/kaldi_graph.h"

enum { N_UTTS = 20, N_BEST = 10, O = 62, OH = 59 };
#define BEAM 6.0
/* Besides: half a unit of the 7th digit, in which Kaldi's text has the arcs'
 * costs, and sums of some ten of them in floats on both sides: 1e-6 of the
 * total, which is up to 1,600. */
#define COST_TOLERANCE 1e-3

static const sn_lat_scales scales = {1.0, 0.083333, 0.0};
static const sn_mbr_opts least = {.update = true};
static const char *const folders[2] = {"", "trigram/"};
static char root[512];

typedef struct utt {
  char key[64];
  sn_hyp best;
  sn_lat lat, kaldi;
} utt;
static utt utts[2][N_UTTS];
static sn_symtab *words;

static void path_of(char out[800], const char *before, const char *folder,
                    const char *name) {
  (void)snprintf(out, 800, "%s%s/%s%s", before, root, folder, name);
}

static sn_status make_graph(int k, sn_graph **g, int32_t **tids, sn_err *err) {
  char path[800];
  sn_fst_file fst = {0};
  sn_kaldi_trans trans = {0};
  path_of(path, "", "", "final.mdl");
  SN_TRY(sn_kaldi_trans_load(path, &trans, err));
  path_of(path, "", folders[k], "HCLG.fst");
  SN_TRY(sn_fst_file_load(path, &fst, err));
  const sn_kaldi_hclg in = {&fst, &trans, words, NULL, path};
  SN_TRY(sn_kaldi_graph_make(&in, g, tids, err));
  sn_fst_file_clear(&fst);
  sn_kaldi_trans_clear(&trans);
  return SN_OK;
}

static sn_status decode(int k, sn_err *err) {
  char path[800];
  sn_graph *g = NULL;
  int32_t *tids = NULL;
  sn_decoder *d = NULL;
  sn_ark_reader *scores = NULL;
  sn_decoder_opts o;
  sn_opt_defaults(sn_decoder_opt_table, &o);
  o.beam = 13.0f;
  o.max_active = 7000;
  o.acoustic_scale = 0.083333f;
  o.lattice_beam = (float)BEAM;
  SN_TRY(make_graph(k, &g, &tids, err));
  SN_TRY(sn_decoder_create(g, &o, &d, err));
  path_of(path, "ark:", "", "loglikes.ark");
  SN_TRY(sn_ark_reader_open(path, &scores, err));
  for (int i = 0; i < N_UTTS; i++) {
    utt *const u = &utts[k][i];
    const char *key = NULL;
    sn_cmat m;
    sn_scorer *s = NULL;
    SN_TRY(sn_ark_next_mat(scores, &key, &m, err));
    (void)snprintf(u->key, sizeof u->key, "%s", key);
    SN_TRY(sn_mat_scorer_create(m, 0.01, &s, err));
    SN_TRY(sn_decoder_start(d, err));
    SN_TRY(sn_decoder_advance(d, s, err));
    SN_TRY(sn_decoder_best(d, true, &u->best, err));
    SN_TRY(sn_decoder_lattice(d, true, tids, NULL, &u->lat, NULL, err));
    sn_scorer_destroy(s);
  }
  sn_ark_reader_destroy(scores);
  sn_decoder_destroy(d);
  sn_graph_destroy(g);
  sn_free(tids);
  return SN_OK;
}

static sn_status load_kaldis(int k, sn_err *err) {
  char path[800];
  sn_lat_reader *r = NULL;
  path_of(path, "ark,t:", folders[k], "lat.txt");
  SN_TRY(sn_lat_reader_open(path, &r, err));
  for (int i = 0; i < N_UTTS; i++) {
    const char *key = NULL;
    SN_TRY(sn_lat_next(r, &key, &utts[k][i].kaldi, err));
    if (strcmp(key, utts[k][i].key) != 0)
      return sn_fail(err, SN_EMISMATCH, "%s is not %s", key, utts[k][i].key);
  }
  sn_lat_reader_destroy(r);
  return SN_OK;
}

static int load(void **state) {
  (void)state;
  char path[800];
  sn_err err = {0};
  path_of(path, "", "", "words.txt");
  sn_status s = sn_kaldi_symbols_load(path, &words, &err);
  for (int k = 0; s == SN_OK && k < 2; k++) {
    s = decode(k, &err);
    if (s == SN_OK) s = load_kaldis(k, &err);
  }
  if (s != SN_OK) fprintf(stderr, "%s\n", err.msg);
  return s == SN_OK ? 0 : -1;
}

static int unload(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < N_UTTS; i++) {
      sn_hyp_clear(&utts[k][i].best);
      sn_lat_clear(&utts[k][i].lat);
      sn_lat_clear(&utts[k][i].kaldi);
    }
  sn_symtab_destroy(words);
  return 0;
}

/* O and OH tie exactly in the unigram graph. */
static int32_t fold(int32_t word) { return word == O ? OH : word; }

static void near(double got, double want) {
  if (!(fabs(got - want) <= COST_TOLERANCE + 1e-6 * want))
    fail_msg("%.9g, want %.9g", got, want);
}

static void test_best_paths_are_kaldis(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < N_UTTS; i++) {
      const utt *const u = &utts[k][i];
      sn_lat_path want;
      assert_int_equal(sn_lat_best(&u->kaldi, &scales, &want, NULL), SN_OK);
      assert_true(u->best.reached_final);
      near(u->best.graph_cost, want.graph);
      near(u->best.acoustic_cost * scales.acoustic,
           want.acoustic * scales.acoustic);
      assert_int_equal(u->best.n_words, want.words.n);
      for (size_t w = 0; w < want.words.n; w++) {
        const int32_t got = u->best.words[w].word + 1;
        if (k == 1)
          assert_int_equal(got, want.words.data[w]);
        else
          assert_int_equal(fold(got), fold(want.words.data[w]));
      }
      sn_lat_path_clear(&want);
    }
}

static void test_lattices_have_the_best_path_and_its_alignment(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < N_UTTS; i++) {
      const utt *const u = &utts[k][i];
      sn_lat_path got, want;
      assert_true(sn_lat_is_deterministic(&u->lat));
      assert_int_equal(sn_lat_best(&u->lat, &scales, &got, NULL), SN_OK);
      assert_int_equal(sn_lat_best(&u->kaldi, &scales, &want, NULL), SN_OK);
      near(got.graph, u->best.graph_cost);
      near(got.acoustic * scales.acoustic,
           u->best.acoustic_cost * scales.acoustic);
      assert_int_equal(got.ali.n, u->best.n_frames);
      assert_int_equal(got.ali.n, want.ali.n);
      for (size_t t = 0; t < got.ali.n; t++)
        assert_int_equal(got.ali.data[t], want.ali.data[t]);
      sn_lat_path_clear(&got);
      sn_lat_path_clear(&want);
    }
}

/* Both lattices are exact within the beam, so their n best agree where they are
 * within it. (Kaldi prunes its own once more, phone by phone, so the last of a
 * list may be missing there; never one that is missing here.) */
static void test_n_best_totals_are_kaldis(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < N_UTTS; i++) {
      const utt *const u = &utts[k][i];
      sn_lat_path *got = NULL, *want = NULL;
      size_t n_got = 0, n_want = 0;
      assert_int_equal(
          sn_lat_nbest(&u->lat, &scales, N_BEST, &got, &n_got, NULL), SN_OK);
      assert_int_equal(
          sn_lat_nbest(&u->kaldi, &scales, N_BEST, &want, &n_want, NULL),
          SN_OK);
      assert_true(n_got >= n_want);
      for (size_t j = 0; j < n_got; j++) {
        if (j < n_want)
          near(got[j].total, want[j].total);
        else
          assert_true(got[j].total > got[0].total + BEAM - 1);
      }
      for (size_t j = 0; j < n_got; j++) sn_lat_path_clear(&got[j]);
      for (size_t j = 0; j < n_want; j++) sn_lat_path_clear(&want[j]);
      sn_free(got);
      sn_free(want);
    }
}

static int32_t oracle_errors(const sn_lat *l, const sn_arr_i32 *ref) {
  sn_lat_oracle o;
  assert_int_equal(sn_lat_find_oracle(l, &scales, ref->data, ref->n, &o, NULL),
                   SN_OK);
  const int32_t n = o.ins + o.del + o.sub;
  sn_lat_oracle_clear(&o);
  return n;
}

static void test_oracle_is_not_above_kaldis(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    char path[800];
    sn_reader *r = NULL;
    sn_span line, f, key;
    bool more = true;
    sn_arr_i32 ref = {0};
    int32_t ours = 0, kaldis = 0;
    path_of(path, "", "", "text");
    assert_int_equal(sn_reader_open(path, &r, NULL), SN_OK);
    while (sn_read_line(r, &line, &more, NULL) == SN_OK && more) {
      if (!sn_next_field(&line, &key)) continue;
      ref.n = 0;
      while (sn_next_field(&line, &f))
        assert_int_equal(
            SN_ARR_PUSH(&ref, sn_symtab_find(words, f.p, f.n), NULL), SN_OK);
      for (int i = 0; i < N_UTTS; i++) {
        if (!sn_span_eq(key, utts[k][i].key)) continue;
        ours += oracle_errors(&utts[k][i].lat, &ref);
        kaldis += oracle_errors(&utts[k][i].kaldi, &ref);
      }
    }
    print_message("oracle errors: %d, Kaldi %d\n", ours, kaldis);
    assert_true(ours <= kaldis);
    assert_int_equal(kaldis, k == 0 ? 4 : 3); /* as lattice-oracle says */
    SN_ARR_FREE(&ref);
    sn_reader_destroy(r);
  }
}

/* Not equal: where equal words have several alignments, Kaldi determinises on
 * phones first, and its beam is soft. */
static void test_lattices_are_as_deep_as_kaldis(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    double ours = 0.0, kaldis = 0.0, n = 0.0;
    for (int i = 0; i < N_UTTS; i++) {
      const double frames = (double)utts[k][i].best.n_frames;
      ours += frames * sn_lat_depth(&utts[k][i].lat);
      kaldis += frames * sn_lat_depth(&utts[k][i].kaldi);
      n += frames;
    }
    print_message("depth: %.3f, Kaldi %.3f\n", ours / n, kaldis / n);
    assert_true(ours < 1.1 * kaldis && ours > 0.9 * kaldis);
  }
}

/* What both lattices leave out is beyond the beam, but not the same: paths with
 * exp(-BEAM) = 0.25 % of the best one's probability, of which there may be some
 * at each place; seen: 0.6 %. */
#define POSTERIOR_TOLERANCE 0.02

static void test_least_risk_words_are_kaldis(void **state) {
  (void)state;
  double worst = 0.0;
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < N_UTTS; i++) {
      const utt *const u = &utts[k][i];
      sn_mbr got, want;
      assert_int_equal(sn_lat_mbr(&u->lat, &scales, &least, &got, NULL), SN_OK);
      assert_int_equal(sn_lat_mbr(&u->kaldi, &scales, &least, &want, NULL),
                       SN_OK);
      assert_int_equal(got.words.n, want.words.n);
      for (size_t w = 0; w < want.words.n; w++)
        assert_int_equal(fold(got.words.data[w]), fold(want.words.data[w]));
      worst = fmax(worst, fabs(got.risk - want.risk));
      sn_mbr_clear(&got);
      sn_mbr_clear(&want);
    }
  print_message("risks differ by at most %.2g words\n", worst);
  assert_true(worst < POSTERIOR_TOLERANCE);
}

/* Adds sign * the posterior of each label in each frame; [frames x N_TIDS]. */
enum { N_TIDS = 1787 };
static void add_posteriors(const sn_lat *l, double sign, double *to) {
  int32_t *const at = sn_calloc((size_t)l->n_states, sizeof *at);
  double *const post = sn_calloc((size_t)l->n_arcs, sizeof *post);
  double *const ends = sn_calloc((size_t)l->n_states, sizeof *ends);
  double total;
  int32_t n_frames;
  assert_true(at && post && ends);
  assert_int_equal(sn_lat_times(l, at, &n_frames, NULL), SN_OK);
  assert_int_equal(sn_lat_posteriors(l, &scales, post, ends, &total, NULL),
                   SN_OK);
  for (int32_t s = 0; s < l->n_states; s++) {
    const sn_lat_state *const x = &l->states[s];
    for (uint32_t i = x->first_arc; i < x[1].first_arc; i++)
      for (uint32_t k = 0; k < l->arcs[i].n_ali; k++)
        to[(at[s] + (int32_t)k) * N_TIDS + l->ali[l->arcs[i].first_ali + k]] +=
            sign * post[i];
    for (uint32_t k = 0; isfinite(x->final_graph) && k < x->n_ali; k++)
      to[(at[s] + (int32_t)k) * N_TIDS + l->ali[x->first_ali + k]] +=
          sign * ends[s];
  }
  sn_free(at);
  sn_free(post);
  sn_free(ends);
}

static void test_posteriors_by_frame_are_kaldis(void **state) {
  (void)state;
  double worst = 0.0;
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < N_UTTS; i++) {
      const utt *const u = &utts[k][i];
      const size_t n = (size_t)u->best.n_frames * N_TIDS;
      double *const difference = sn_calloc(n, sizeof *difference);
      assert_non_null(difference);
      add_posteriors(&u->lat, 1.0, difference);
      add_posteriors(&u->kaldi, -1.0, difference);
      for (size_t j = 0; j < n; j++) worst = fmax(worst, fabs(difference[j]));
      sn_free(difference);
    }
  print_message("posteriors differ by at most %.2g\n", worst);
  assert_true(worst < POSTERIOR_TOLERANCE);
}

int main(void) {
  const char *const shared = getenv("SENONE_SHARED");
  (void)snprintf(root, sizeof root, "%s/reference/an4-kaldi",
                 shared != NULL ? shared : "../shared");
  if (!sn_dir_exists(root)) {
    printf("skipped: no %s\n", root);
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_best_paths_are_kaldis),
      cmocka_unit_test(test_lattices_have_the_best_path_and_its_alignment),
      cmocka_unit_test(test_n_best_totals_are_kaldis),
      cmocka_unit_test(test_oracle_is_not_above_kaldis),
      cmocka_unit_test(test_least_risk_words_are_kaldis),
      cmocka_unit_test(test_posteriors_by_frame_are_kaldis),
      cmocka_unit_test(test_lattices_are_as_deep_as_kaldis),
  };
  return cmocka_run_group_tests(tests, load, unload);
}
