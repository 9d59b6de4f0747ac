/* SPDX-License-Identifier: Apache-2.0 */
/* Forced alignment with a model directory against all paths there are: every
 * choice of fillers at each place and of pronunciations, every way to cut the
 * frames into states, in double precision. Random models (phones alone, and
 * triphones that reach across words), words and recordings. */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "am/mixtures.h"
#include "base/ini.h"
#include "base/str.h"
#include "frontend/feat.h"
#include "tests/train/tones.h"
#include "train/force_align.h"

/* Phones SIL, x, y and the noise NSN, of three states; 8 kHz: a frame is 200
 * samples, the next begins 80 later. */
enum { P = 4, S = 3, D = 3, N = 14, EXTRA = 6 };
enum { MAX_T = 16, MAX_PHONES = 8 }; /* where all paths are looked at */
enum { LONG_T = 350, LONG_WORDS = 100 };

typedef struct world {
  const char *dir;
  sn_rng r;
  sn_am *am;
  sn_lexicon lex;
  char text[2 * LONG_WORDS + 1];
  int32_t words[LONG_WORDS];
  size_t n_words;
  float samples[200 + 80 * (LONG_T - 1)];
  size_t n_samples, T;
  sn_mat feats; /* [T x D] */
  sn_mixtures mix;
  double score[LONG_T][N]; /* log densities */
} world;

static double uniform(sn_rng *r, double low, double high) {
  return low + (high - low) * sn_rng_uniform(r);
}

/* ---- A model, a lexicon, a recording ---- */

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

static void make_samples(world *w) {
  w->n_samples = 200 + 80 * (w->T - 1);
  for (size_t i = 0; i < w->n_samples; i++) {
    static double gain, hz;
    if (i % 240 == 0) {
      gain = exp(uniform(&w->r, 3, 8));
      hz = uniform(&w->r, 200, 3500);
    }
    w->samples[i] = (float)(gain * (sin(6.283185307 * hz * (double)i / 8000) +
                                    sn_rng_gauss(&w->r)));
  }
}

static void make_feats(world *w, const sn_feat_config *config) {
  sn_feat *f = NULL;
  sn_feat_stream *s = NULL;
  size_t n = 0;
  assert_int_equal(sn_feat_create(config, SN_FEAT_FULL, &f, NULL), SN_OK);
  assert_int_equal(sn_feat_stream_create(f, SN_CMN_DEFAULT, &s, NULL), SN_OK);
  assert_int_equal(sn_feat_stream_push(s, w->samples, w->n_samples, NULL),
                   SN_OK);
  assert_int_equal(sn_feat_stream_finish(s, NULL), SN_OK);
  assert_int_equal(sn_feat_stream_ready(s), w->T);
  assert_int_equal(sn_mat_alloc(w->T, D, &w->feats, NULL), SN_OK);
  assert_int_equal(sn_feat_stream_pull(s, w->feats, NULL, &n, NULL), SN_OK);
  sn_feat_stream_destroy(s);
  sn_feat_destroy(f);
}

/* Gaussians near frames of the recording, about as wide as these vary. */
static void make_mixtures(world *w) {
  int32_t counts[N];
  for (int i = 0; i < N; i++) counts[i] = 1 + (int32_t)sn_rng_below(&w->r, 2);
  assert_int_equal(sn_mixtures_init(&w->mix, N, D, counts, NULL), SN_OK);
  for (int i = 0; i < N; i++)
    for (int32_t g = w->mix.first[i]; g < w->mix.first[i + 1]; g++) {
      const float *const x =
          sn_mat_row(w->feats, sn_rng_below(&w->r, (uint32_t)w->T));
      w->mix.weights[g] = 1.0f / (float)counts[i];
      for (int d = 0; d < D; d++) {
        w->mix.means[g * D + d] = x[d] + (float)(4 * sn_rng_gauss(&w->r));
        w->mix.vars[g * D + d] = (float)uniform(&w->r, 10, 80);
      }
    }
}

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

static void add_noise(const char *dir, double p) {
  char path[300], value[64];
  sn_ini *ini = NULL;
  (void)snprintf(path, sizeof path, "%s/model.ini", dir);
  (void)snprintf(value, sizeof value, "[NOISE] NSN %.9g", p);
  assert_int_equal(sn_ini_load(path, &ini, NULL), SN_OK);
  assert_int_equal(sn_ini_set(ini, "fillers", "filler2", value, NULL), SN_OK);
  assert_int_equal(sn_ini_save(ini, path, NULL), SN_OK);
  sn_ini_destroy(ini);
}

/* HMMs: one for each phone, with `triphones` others for most contexts. */
static void make_model(world *w, bool triphones, const sn_feat_config *feat) {
  static const char *const phones[P] = {"SIL", "x", "y", "NSN"};
  static const uint8_t is_filler[P] = {1, 0, 0, 1};
  static const int32_t base[P] = {0, 1, 2, 3};
  int32_t tmat[P + EXTRA], pdfs[(P + EXTRA) * S], tri[4 * P * P * P];
  float tmats[P * S * (S + 1)];
  for (int h = 0; h < P + EXTRA; h++) {
    tmat[h] = h < P ? h : 1 + h % 2;
    for (int s = 0; s < S; s++)
      pdfs[h * S + s] = (int32_t)sn_rng_below(&w->r, N);
  }
  for (int i = 0; i < P * S; i++) {
    /* fillers are left soon: two in a row may be better than one */
    const double loop =
        is_filler[i / S] ? uniform(&w->r, 0.01, 0.3) : uniform(&w->r, 0.2, 0.9);
    for (int k = 0; k <= S; k++) tmats[i * (S + 1) + k] = -INFINITY;
    tmats[i * (S + 1) + i % S] = (float)log(loop);
    tmats[i * (S + 1) + i % S + 1] = (float)log1p(-loop);
  }
  for (int i = 0; i < 4 * P * P * P; i++) {
    const int b = i / (P * P) % P;
    int32_t h = P + (int32_t)sn_rng_below(&w->r, EXTRA);
    if (tmat[h] != b) h = P + (h + 1 - P) % EXTRA;
    tri[i] = is_filler[b] || sn_rng_below(&w->r, 4) == 0 ? -1 : h;
  }
  const sn_am_parts parts = {.name = "random",
                             .phones = phones,
                             .is_filler = is_filler,
                             .n_phones = P,
                             .n_states = S,
                             .n_hmms = triphones ? P + EXTRA : P,
                             .n_tmats = P,
                             .base_hmm = base,
                             .hmm_tmat = tmat,
                             .hmm_pdfs = pdfs,
                             .tmats = tmats,
                             .triphone = triphones ? tri : NULL,
                             .mix = &w->mix,
                             .feat = feat,
                             .silence_prob = uniform(&w->r, 0.3, 0.95),
                             .lm_scale = 7,
                             .word_penalty = -3};
  sn_err err = {0};
  if (sn_am_write_parts(&parts, w->dir, &err) != SN_OK) fail_msg("%s", err.msg);
  if (sn_rng_below(&w->r, 2) == 0) add_noise(w->dir, uniform(&w->r, 0.1, 0.9));
  if (sn_am_load(w->dir, NULL, &w->am, &err) != SN_OK) fail_msg("%s", err.msg);
}

static void make_words(world *w) {
  static const char names[] = "abc";
  for (size_t i = 0; i < w->n_words; i++) {
    w->words[i] = (int32_t)sn_rng_below(&w->r, 3);
    if (i > 0) w->text[2 * i - 1] = ' ';
    w->text[2 * i] = names[w->words[i]];
  }
}

/* Random in all; of T frames and n words, each 0: a few. */
static void make(world *w, const char *dir, uint64_t seed, size_t T, size_t n) {
  sn_feat_config *feat = NULL;
  memset(w, 0, sizeof *w);
  w->dir = dir;
  sn_rng_init(&w->r, seed);
  w->T = T > 0 ? T : 2 + sn_rng_below(&w->r, MAX_T - 1);
  w->n_words = n > 0 ? n : 1 + sn_rng_below(&w->r, 3);
  assert_int_equal(sn_feat_config_create(SN_FEAT_KALDI, &feat, NULL), SN_OK);
  assert_int_equal(sn_feat_config_set(feat, "sample-frequency", "8000", NULL),
                   SN_OK);
  assert_int_equal(sn_feat_config_set(feat, "num-ceps", "3", NULL), SN_OK);
  make_samples(w);
  make_feats(w, feat);
  make_mixtures(w);
  make_model(w, seed % 2 == 0, feat);
  make_lexicon(&w->lex);
  make_words(w);
  sn_feat_config_destroy(feat);
  for (size_t t = 0; t < w->T; t++)
    for (int32_t k = 0; k < N; k++)
      w->score[t][k] = density(&w->mix, k, sn_mat_row(w->feats, t));
}

static void unmake(world *w) {
  sn_am_destroy(w->am);
  sn_lexicon_clear(&w->lex);
  sn_mixtures_clear(&w->mix);
  sn_mat_free(&w->feats);
}

/* ---- All paths ---- */

typedef struct phone {
  int32_t id, word; /* -1: filler */
  sn_wordpos pos;
} phone;

typedef struct row {
  phone phones[MAX_PHONES];
  sn_hmm hmms[MAX_PHONES];
  size_t n;
  double logp; /* of fillers and pronunciations */
} row;

typedef struct oracle {
  const world *w;
  int64_t n_paths;
  int32_t now[MAX_T]; /* state of each frame: S x phone + state */
  double best, second;
  row best_row;
  int32_t at[MAX_T]; /* of the best */
  double acoustic;   /* likewise */
} oracle;

static void end_path(oracle *o, const row *r, double logp, double acoustic) {
  o->n_paths++;
  if (!(logp > o->best)) {
    o->second = fmax(o->second, logp);
    return;
  }
  o->second = o->best;
  o->best = logp;
  o->best_row = *r;
  o->acoustic = acoustic;
  memcpy(o->at, o->now, sizeof o->at);
}

static void walk(oracle *o, const row *r, size_t k, size_t t, double logp,
                 double acoustic) {
  const sn_hmm *const h = &r->hmms[k / S];
  const float *const tm = h->logp + k % S * (S + 1);
  const size_t left = o->w->T - 1 - t;
  if (left + 1 < r->n * S - k) return;
  o->now[t] = (int32_t)k;
  acoustic += o->w->score[t][h->pdfs[k % S]];
  const double step = (double)tm[k % S + 1];
  if (left == 0) {
    end_path(o, r, logp + step + acoustic, acoustic);
    return;
  }
  walk(o, r, k, t + 1, logp + (double)tm[k % S], acoustic);
  if (k + 1 < r->n * S) walk(o, r, k + 1, t + 1, logp + step, acoustic);
}

static void walk_row(oracle *o, row *r) {
  for (size_t i = 0; i < r->n; i++)
    r->hmms[i] = sn_am_hmm(
        o->w->am, sn_am_triphone(o->w->am, r->phones[i].id,
                                 i > 0 ? r->phones[i - 1].id : -1,
                                 i + 1 < r->n ? r->phones[i + 1].id : -1,
                                 r->phones[i].pos, NULL));
  walk(o, r, 0, 0, r->logp, 0);
}

/* Any fillers, then the word in each of its ways. */
static void choose(oracle *o, row r, size_t word) {
  const world *const w = o->w;
  if ((r.n + 1) * S <= w->T)
    for (int32_t f = 0; f < sn_am_n_fillers(w->am); f++) {
      const sn_am_filler filler = sn_am_filler_at(w->am, f);
      row q = r;
      q.phones[q.n++] = (phone){filler.phone, -1, SN_POS_SINGLE};
      q.logp += (double)filler.logp;
      choose(o, q, word);
    }
  if (word == w->n_words) {
    walk_row(o, &r);
    return;
  }
  int32_t first = 0;
  const int32_t n = sn_lexicon_prons(&w->lex, w->words[word], &first);
  for (int32_t p = first; p < first + n; p++) {
    row q = r;
    const int32_t len = w->lex.prons.data[p].n_phones;
    if ((q.n + (size_t)len) * S > w->T) continue;
    for (int32_t k = 0; k < len; k++)
      q.phones[q.n++] =
          (phone){sn_lexicon_phones(&w->lex, p)[k] + 1, (int32_t)word,
                  len == 1       ? SN_POS_SINGLE
                  : k == 0       ? SN_POS_BEGIN
                  : k == len - 1 ? SN_POS_END
                                 : SN_POS_INTERNAL};
    q.logp += (double)w->lex.prons.data[p].logp;
    choose(o, q, word + 1);
  }
}

/* ---- The aligner ---- */

static void align(const world *w, float beam, float retry, sn_alignment *a) {
  const sn_align_opts opts = {
      .keep_frames = true, .beam = beam, .retry_beam = retry};
  sn_aligner *x = NULL;
  sn_err err = {0};
  if (sn_aligner_create(w->am, &w->lex, w->dir, &opts, &x, &err) != SN_OK ||
      sn_aligner_run(x, w->samples, w->n_samples, w->text, a, &err) != SN_OK)
    fail_msg("%s", err.msg);
  sn_aligner_destroy(x);
}

/* Scores are floats of less than 100, those of up to 15 frames and costs are
 * added up in floats below 2000: 45 roundings of 6e-5 make 0.003. */
#define TOLERANCE 0.003

static void near(double got, double want, double tolerance) {
  if (!(fabs(got - want) <= tolerance)) fail_msg("%.9g, not %.9g", got, want);
}

static void same_phones(const oracle *o, const sn_alignment *a) {
  const row *const r = &o->best_row;
  size_t begin = 0;
  assert_int_equal(a->n_phones, r->n);
  for (size_t i = 0; i < r->n; i++) {
    size_t end = begin;
    while (end < o->w->T && o->at[end] / S == (int32_t)i) end++;
    assert_string_equal(a->phones[i].name,
                        sn_am_phone(o->w->am, r->phones[i].id));
    assert_int_equal(a->phones[i].word, r->phones[i].word);
    near(a->phones[i].begin_s, 0.01 * (double)begin, 1e-9);
    begin = end;
  }
  assert_int_equal(begin, o->w->T);
}

/* What a path says of itself: its words, and that loglik and margin are those
 * of its pdfs. */
static void consistent(const world *w, const sn_alignment *a) {
  static const char *const names[] = {"a", "b", "c"};
  const double tolerance = TOLERANCE * fmax(1, (double)w->T / MAX_T);
  double logp = 0, best = 0;
  assert_int_equal(a->n_words, w->n_words);
  for (size_t i = 0; i < a->n_words; i++)
    assert_string_equal(a->words[i].text, names[w->words[i]]);
  assert_int_equal(a->n_frames, w->T);
  for (size_t t = 0; t < w->T; t++) {
    double top = -INFINITY;
    for (int k = 0; k < N; k++) top = fmax(top, w->score[t][k]);
    logp += w->score[t][a->pdfs[t]];
    best += top;
    for (int d = 0; d < D; d++)
      assert_true(sn_mat_row(a->feats, t)[d] == sn_mat_row(w->feats, t)[d]);
  }
  near(a->loglik, logp, tolerance);
  near(a->margin, logp - best, 2 * tolerance);
}

static void compare(const oracle *o, const sn_alignment *a, uint64_t seed) {
  if (fabs(a->loglik - o->acoustic) > TOLERANCE)
    fail_msg("seed %d: %.5f, best of %lld paths %.5f", (int)seed, a->loglik,
             (long long)o->n_paths, o->acoustic);
  for (size_t t = 0; t < o->w->T; t++)
    assert_int_equal(a->pdfs[t],
                     o->best_row.hmms[o->at[t] / S].pdfs[o->at[t] % S]);
  same_phones(o, a);
}

static oracle all_paths(const world *w) {
  oracle o = {.w = w, .best = -INFINITY, .second = -INFINITY};
  choose(&o, (row){.n = 0}, 0);
  return o;
}

static void the_best_of_all_paths_is_found(void **state) {
  int n_short = 0, n_tied = 0, n_fillers = 0, n_second = 0;
  int64_t n_paths = 0;
  for (uint64_t seed = 1; seed <= 150; seed++) {
    world w;
    sn_alignment a = {0};
    make(&w, *state, seed, 0, 0);
    const oracle o = all_paths(&w);
    align(&w, 1e6f, 1e6f, &a);
    if (o.n_paths == 0) {
      assert_int_equal(a.failure, SN_ALIGN_TOO_SHORT);
      assert_non_null(strstr(a.detail, "the words take"));
      n_short++;
    } else {
      assert_int_equal(a.failure, SN_ALIGN_DONE);
      consistent(&w, &a);
      /* a path whose score is that of the best may stand for it */
      if (o.best - o.second > TOLERANCE)
        compare(&o, &a, seed);
      else
        n_tied++;
      for (size_t i = 0; i < o.best_row.n; i++)
        n_fillers += o.best_row.phones[i].word < 0;
      for (size_t i = 0; i + 1 < o.best_row.n; i++)
        n_second +=
            o.best_row.phones[i].word < 0 && o.best_row.phones[i + 1].word < 0;
      n_paths += o.n_paths;
    }
    sn_alignment_clear(&a);
    unmake(&w);
  }
  /* The cases are no empty ones. */
  assert_true(n_paths > 100000 && n_fillers > 40 && n_second > 5);
  assert_true(n_short > 10 && n_short < 100 && n_tied < 30);
}
/* From 1 nat on the beam doubles until a path is found: one half as wide finds
 * none. Where it may not widen, that is said. Long utterances, for a few
 * hundred tokens are kept whatever the beam. */
static void the_beam_widens_until_a_path_is_found(void **state) {
  int n_widened = 0;
  for (uint64_t seed = 1; seed <= 6; seed++) {
    world w;
    sn_alignment a = {0}, b = {0};
    make(&w, *state, seed, LONG_T, 20 + 12 * seed);
    align(&w, 1, 1e6f, &a);
    if (a.failure != SN_ALIGN_DONE)
      fail_msg("seed %d: %s", (int)seed, a.detail);
    consistent(&w, &a);
    align(&w, a.beam, a.beam, &b);
    assert_int_equal(b.failure, SN_ALIGN_DONE);
    assert_true(b.loglik == a.loglik && b.beam == a.beam);
    sn_alignment_clear(&b);
    if (a.beam > 1) {
      n_widened++;
      assert_true(log2((double)a.beam) == (double)lround(log2((double)a.beam)));
      align(&w, 1, a.beam * 0.75f, &b);
      assert_int_equal(b.failure, SN_ALIGN_BEAM);
      assert_non_null(strstr(b.detail, "no path through the words"));
      assert_int_equal(b.n_words, 0);
      assert_null(b.pdfs);
    }
    sn_alignment_clear(&a);
    sn_alignment_clear(&b);
    unmake(&w);
  }
  assert_true(n_widened > 3);
}

static void what_is_no_transcript_is_named(void **state) {
  world w;
  sn_alignment a = {0};
  make(&w, *state, 4, 0, 0);
  memcpy(w.text, "a zebra b yak", 14);
  align(&w, 200, 200, &a);
  assert_int_equal(a.failure, SN_ALIGN_OOV);
  assert_non_null(strstr(a.detail, "'zebra', 'yak'"));
  sn_alignment_clear(&a);
  memcpy(w.text, "  ", 3);
  align(&w, 200, 200, &a);
  assert_int_equal(a.failure, SN_ALIGN_NO_WORDS);
  sn_alignment_clear(&a);
  unmake(&w);
}

static int make_dir(void **state) {
  static char dir[256];
  tones_temp(dir, sizeof dir);
  *state = dir;
  return 0;
}

static int remove_dir(void **state) {
  tones_remove(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_best_of_all_paths_is_found),
      cmocka_unit_test(the_beam_widens_until_a_path_is_found),
      cmocka_unit_test(what_is_no_transcript_is_named),
  };
  return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
