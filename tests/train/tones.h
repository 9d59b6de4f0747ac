/* SPDX-License-Identifier: Apache-2.0 */
/* A corpus that a test makes: words of tones with noise between, as waves in a
 * data directory, and its lexicon. 70 utterances are three shards. */
#ifndef SN_TESTS_TRAIN_TONES_H
#define SN_TESTS_TRAIN_TONES_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/ref/temp_path.h"
#include "train/train.h"

static inline const char *tones_in(const char *dir, const char *name) {
  static char path[8][512];
  static int turn;
  turn = (turn + 1) % 8;
  (void)snprintf(path[turn], sizeof path[0], "%s/%s", dir, name);
  return path[turn];
}

typedef struct tones_wave {
  int16_t s[64000];
  uint32_t n;
} tones_wave;

static inline void tones_add(tones_wave *w, sn_rng *r, double hz, uint32_t n) {
  for (uint32_t k = 0; k < n && w->n < 64000; k++)
    w->s[w->n++] =
        (int16_t)((hz > 0 ? 6000 * sin(6.283185307 * hz * k / 16000) : 0) +
                  50 * sn_rng_gauss(r));
}

static inline void tones_save(const tones_wave *w, const char *path) {
  struct {
    char riff[4];
    uint32_t size;
    char wave[8];
    uint32_t fmt_size;
    uint16_t format, channels;
    uint32_t rate, bytes;
    uint16_t block, bits;
    char data[4];
    uint32_t n;
  } head = {"RIFF", 36 + 2 * w->n, "WAVEfmt ", 16, 1,      1,
            16000,  32000,         2,          16, "data", 2 * w->n};
  FILE *const f = fopen(path, "wb");
  assert_non_null(f);
  memcpy(head.riff, "RIFF", 4);
  assert_int_equal(fwrite(&head, 1, 44, f), 44);
  assert_int_equal(fwrite(w->s, 2, w->n, f), w->n);
  assert_int_equal(fclose(f), 0);
}

/* dir/data and dir/lex; utterances of two speakers. */
static inline void tones_make(const char *dir, int n_utts, uint64_t seed) {
  static const char *const names[] = {"AB", "BC", "CA", "CB"};
  static const char *const phones[] = {"AB", "BC", "CA", "CB"};
  static const double hz[] = {300, 1200, 3000};
  static tones_wave w;
  sn_rng r;
  sn_rng_init(&r, seed);
  char data[300];
  (void)snprintf(data, sizeof data, "%s", tones_in(dir, "data"));
  assert_int_equal(mkdir(data, 0777), 0);
  FILE *const text = fopen(tones_in(data, "text"), "w");
  FILE *const scp = fopen(tones_in(data, "wav.scp"), "w");
  FILE *const spk = fopen(tones_in(data, "utt2spk"), "w");
  FILE *const lex = fopen(tones_in(dir, "lex"), "w");
  assert_true(text != NULL && scp != NULL && spk != NULL && lex != NULL);
  for (int i = 0; i < 4; i++)
    (void)fprintf(lex, "%s %c %c\n", names[i], phones[i][0], phones[i][1]);
  for (int i = 0; i < n_utts; i++) {
    char wave[600];
    (void)snprintf(wave, sizeof wave, "%s/u%02d.wav", data, i);
    (void)fprintf(text, "u%02d", i);
    (void)fprintf(scp, "u%02d %s\n", i, wave);
    (void)fprintf(spk, "u%02d s%d\n", i, i < n_utts / 2);
    w.n = 0;
    tones_add(&w, &r, 0, 2400);
    for (int k = 0; k < 2; k++) {
      const uint32_t word = sn_rng_below(&r, 4);
      (void)fprintf(text, " %s", names[word]);
      for (int p = 0; p < 2; p++)
        tones_add(&w, &r,
                  hz[phones[word][p] - 'A'] * (0.95 + 0.1 * sn_rng_uniform(&r)),
                  1400 + sn_rng_below(&r, 1200));
      if (sn_rng_below(&r, 2) == 0) tones_add(&w, &r, 0, 1600);
    }
    tones_add(&w, &r, 0, 2400);
    (void)fputc('\n', text);
    tones_save(&w, wave);
  }
  assert_int_equal(fclose(text) | fclose(scp) | fclose(spk) | fclose(lex), 0);
}

static inline sn_train_opts tones_opts(void) {
  sn_train_opts o;
  sn_opt_defaults(sn_train_opt_table, &o);
  o.jobs = 1;
  o.mono_gauss = o.tri_gauss = o.lda_gauss = o.sat_gauss = 30;
  o.mono_passes = 6;
  o.tri_passes = o.lda_passes = o.sat_passes = 4;
  o.tri_leaves = o.lda_leaves = o.sat_leaves = 14;
  o.lda_dim = 12;
  o.sat_min_frames = 300;
  return o;
}

static inline void tones_same(const char *a, const char *b, const char *name) {
  char *x = NULL, *y = NULL;
  size_t n = 0, m = 0;
  assert_int_equal(sn_file_read(tones_in(a, name), &x, &n, NULL), SN_OK);
  assert_int_equal(sn_file_read(tones_in(b, name), &y, &m, NULL), SN_OK);
  if (n != m || memcmp(x, y, n) != 0)
    fail_msg("%s/%s and %s/%s differ", a, name, b, name);
  sn_free(x);
  sn_free(y);
}

static inline void tones_temp(char *dir, size_t n) {
  temp_template(dir, n, "train");
  assert_non_null(mkdtemp(dir));
}

static inline void tones_remove(const char *dir) {
  char command[600];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
  assert_int_equal(system(command), 0);
}
#endif
