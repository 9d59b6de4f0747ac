/* SPDX-License-Identifier: Apache-2.0 */
/* Features that models are trained on are, bit for bit, those that decoding
 * streams: means of speakers, deltas, frames side by side, LDA and MLLT's
 * matrix, a speaker's transform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "frontend/postproc.h"
#include "train/train_internal.h"

#define FINE(call) assert_int_equal((call), SN_OK)

enum { N = 4, SAMPLES = 6400, CHUNK = 37, LDA = 9 };

typedef struct setting {
  char home[64];
  int16_t pcm[N][SAMPLES];
  sni_corpus corpus;
  sn_pool *pool;
  sn_log *log;
  sn_train_opts opts;
} setting;

static const char *at(const setting *s, const char *name) {
  static char path[2][160];
  static int turn;
  turn = !turn;
  snprintf(path[turn], sizeof path[turn], "%s/%s", s->home, name);
  return path[turn];
}

static void put(const setting *s, const char *name, const char *text) {
  FILE *const f = fopen(at(s, name), "wb");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

/* Noise of a speaker's own colour. */
static void put_wav(setting *s, int i, sn_rng *rng) {
  const uint32_t bytes = 2 * SAMPLES;
  const uint32_t head[] = {0x46464952u, 36 + bytes,  0x45564157u, 0x20746d66u,
                           16,          0x00010001u, 16000,       32000,
                           0x00100002u, 0x61746164u, bytes};
  char name[24];
  double last = 0;
  for (int k = 0; k < SAMPLES; k++) {
    last = (i / 2 == 0 ? 0.9 : 0.3) * last + 500 * sn_rng_gauss(rng);
    s->pcm[i][k] = (int16_t)last;
  }
  snprintf(name, sizeof name, "u%d.wav", i);
  FILE *const f = fopen(at(s, name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(head, sizeof head, 1, f), 1);
  assert_int_equal(fwrite(s->pcm[i], bytes, 1, f), 1);
  assert_int_equal(fclose(f), 0);
}

static int set_up(void **state) {
  setting *const s = calloc(1, sizeof *s);
  char scp[512] = "", text[128] = "", speakers[128] = "";
  sn_rng rng;
  sn_rng_init(&rng, 7);
  snprintf(s->home, sizeof s->home, "/tmp/senone-forms-XXXXXX");
  if (mkdtemp(s->home) == NULL) return -1;
  for (int i = 0; i < N; i++) {
    put_wav(s, i, &rng);
    snprintf(scp + strlen(scp), sizeof scp - strlen(scp), "u%d %s/u%d.wav\n", i,
             s->home, i);
    snprintf(text + strlen(text), sizeof text - strlen(text), "u%d A\n", i);
    snprintf(speakers + strlen(speakers), sizeof speakers - strlen(speakers),
             "u%d s%d\n", i, i / 2);
  }
  put(s, "wav.scp", scp);
  put(s, "text", text);
  put(s, "utt2spk", speakers);
  put(s, "lexicon", "A a\n");
  sn_opt_defaults(sn_train_opt_table, &s->opts);
  FINE(sn_pool_create(2, &s->pool, NULL));
  FINE(sn_log_create(NULL, NULL, NULL, SN_LOG_ERROR, &s->log, NULL));
  FINE(sni_corpus_load(s->home, at(s, "lexicon"), &s->opts, s->pool, s->log,
                       &s->corpus, NULL));
  assert_int_equal(s->corpus.n, N);
  *state = s;
  return 0;
}

static int tear_down(void **state) {
  setting *const s = *state;
  char command[128];
  snprintf(command, sizeof command, "rm -r '%s'", s->home);
  const int status = system(command);
  sni_corpus_clear(&s->corpus);
  sn_pool_destroy(s->pool);
  sn_log_destroy(s->log);
  free(s);
  return status;
}

static sn_mat random_mat(size_t rows, size_t cols, uint64_t seed) {
  sn_mat m;
  sn_rng rng;
  sn_rng_init(&rng, seed);
  FINE(sn_mat_alloc(rows, cols, &m, NULL));
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < cols; j++)
      sn_mat_row(m, i)[j] = (float)(0.2 * sn_rng_gauss(&rng));
  return m;
}

/* What comes out of f for recording i, pushed in small pieces. */
static sn_mat streamed(const setting *s, const sn_feat *f, int i,
                       const sn_cmvn_stats *speaker) {
  sn_feat_stream *stream;
  float x[CHUNK];
  sn_mat out;
  size_t n = 0, rows = 0;
  FINE(sn_feat_stream_create_for(f, SN_CMN_DEFAULT, speaker, &stream, NULL));
  FINE(sn_mat_alloc(SAMPLES / 160 + 1, sn_feat_dim(f), &out, NULL));
  for (size_t k = 0; k <= SAMPLES; k += CHUNK) {
    const size_t m = SAMPLES - k < CHUNK ? SAMPLES - k : CHUNK;
    for (size_t j = 0; j < m; j++) x[j] = s->pcm[i][k + j];
    FINE(sn_feat_stream_push(stream, x, m, NULL));
    if (m < CHUNK) FINE(sn_feat_stream_finish(stream, NULL));
    FINE(sn_feat_stream_pull(stream, sn_mat_rows(out, rows, out.rows - rows),
                             NULL, &n, NULL));
    rows += n;
  }
  sn_feat_stream_destroy(stream);
  assert_true(rows > 30);
  out.rows = rows;
  return out;
}

static void same(sn_mat a, sn_mat b) {
  assert_int_equal(a.rows, b.rows);
  assert_int_equal(a.cols, b.cols);
  for (size_t t = 0; t < a.rows; t++)
    assert_memory_equal(sn_mat_row(a, t), sn_mat_row(b, t),
                        a.cols * sizeof(float));
}

/* Every utterance of the corpus as it is, against a stream with c->feat. */
static void compare_all(const setting *s) {
  const sni_corpus *const c = &s->corpus;
  sn_feat *full, *base;
  FINE(sn_feat_create(c->feat, SN_FEAT_FULL, &full, NULL));
  FINE(sn_feat_create(c->feat, SN_FEAT_BASE, &base, NULL));
  assert_int_equal(sn_feat_dim(full), c->dim);
  for (int spk = 0; spk < N / 2; spk++) {
    sn_cmvn_stats *stats;
    FINE(sn_cmvn_stats_create(c->base_dim, &stats, NULL));
    for (int i = 2 * spk; i < 2 * spk + 2; i++) {
      sn_mat heard = streamed(s, base, i, NULL);
      sn_cmvn_stats_add(stats, sn_mat_const(heard));
      sn_mat_free(&heard);
    }
    for (int i = 2 * spk; i < 2 * spk + 2; i++) {
      sn_mat x = streamed(s, full, i, stats);
      same(x, c->utts[i].feats);
      sn_mat_free(&x);
    }
    sn_cmvn_stats_destroy(stats);
  }
  sn_feat_destroy(full);
  sn_feat_destroy(base);
}

static void test_deltas_of_training_are_those_of_streams(void **state) {
  setting *const s = *state;
  const sni_form deltas = {.deltas = 2, .window = 2};
  FINE(sni_corpus_form(&s->corpus, &deltas, s->pool, NULL));
  compare_all(s);
}

static void use_lda(setting *s, sn_cmat m) {
  const sni_form lda = {.left = 3, .right = 3, .matrix = m};
  FINE(sni_corpus_form(&s->corpus, &lda, s->pool, NULL));
  FILE *const f = fopen(at(s, "final.mat"), "wb");
  assert_non_null(f);
  fputs(" [", f);
  for (size_t i = 0; i < m.rows; i++) {
    fputs("\n", f);
    for (size_t j = 0; j < m.cols; j++) /* nine digits tell a float */
      fprintf(f, " %.9g", (double)sn_cmat_row(m, i)[j]);
  }
  fputs(" ]\n", f);
  assert_int_equal(fclose(f), 0);
  FINE(sn_feat_config_set(s->corpus.feat, "transform", at(s, "final.mat"),
                          NULL));
}

static void test_lda_of_training_is_that_of_streams(void **state) {
  setting *const s = *state;
  sn_mat m = random_mat(LDA, 7 * s->corpus.base_dim, 11);
  use_lda(s, sn_mat_const(m));
  compare_all(s);
  /* The comparison can fail: by the mean of one recording, not of both. */
  sn_feat *full, *base;
  sn_cmvn_stats *half;
  FINE(sn_feat_create(s->corpus.feat, SN_FEAT_FULL, &full, NULL));
  FINE(sn_feat_create(s->corpus.feat, SN_FEAT_BASE, &base, NULL));
  FINE(sn_cmvn_stats_create(s->corpus.base_dim, &half, NULL));
  sn_mat heard = streamed(s, base, 0, NULL);
  sn_cmvn_stats_add(half, sn_mat_const(heard));
  sn_mat x = streamed(s, full, 0, half);
  assert_memory_not_equal(sn_mat_row(x, 3),
                          sn_mat_row(s->corpus.utts[0].feats, 3),
                          LDA * sizeof(float));
  sn_mat_free(&x);
  sn_mat_free(&heard);
  sn_cmvn_stats_destroy(half);
  sn_feat_destroy(full);
  sn_feat_destroy(base);
  sn_mat_free(&m);
}

/* fMLLR: training transforms utterances, decoding a stream's frames. */
static void test_a_speakers_transform_is_that_of_streams(void **state) {
  setting *const s = *state;
  sn_mat m = random_mat(LDA, 7 * s->corpus.base_dim, 11);
  sn_mat w = random_mat(LDA, LDA + 1, 12), out;
  sn_transform *t;
  sn_pp *pp;
  use_lda(s, sn_mat_const(m));
  const sn_mat x = s->corpus.utts[2].feats;
  FINE(sn_transform_create(sn_mat_const(w), &t, NULL));
  FINE(sn_mat_alloc(x.rows, LDA, &out, NULL));
  FINE(sn_transform_apply(t, sn_mat_const(x), out, NULL));
  FINE(sn_pp_transform_create(t, LDA, &pp, NULL));
  for (size_t i = 0; i < x.rows; i++) {
    float y[LDA];
    FINE(sn_pp_push(pp, sn_mat_row(x, i), (int64_t)i, NULL));
    assert_int_equal(sn_pp_n_ready(pp), 1);
    sn_pp_pull(pp, y, NULL);
    assert_memory_equal(y, sn_mat_row(out, i), sizeof y);
  }
  sn_pp_destroy(pp);
  sn_transform_destroy(t);
  sn_mat_free(&out);
  sn_mat_free(&w);
  sn_mat_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_deltas_of_training_are_those_of_streams),
      cmocka_unit_test(test_lda_of_training_is_that_of_streams),
      cmocka_unit_test(test_a_speakers_transform_is_that_of_streams)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
