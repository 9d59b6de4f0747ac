/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lm/lm_support.h - random language models and temporary files. */
#ifndef SN_TESTS_LM_LM_SUPPORT_H
#define SN_TESTS_LM_LM_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after the four it needs */
#include <cmocka.h>

#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"
#include "lm/ngram.h"
#include "tests/ref/temp_path.h"

/* A path of this process's own in the temporary directory. */
static inline const char *temp_path(const char *name) {
  static char path[4][512];
  static int which;
  char *const p = path[which++ % 4];
  snprintf(p, sizeof path[0], "%s/senone-lm-%ld-%s", temp_dir(), (long)getpid(),
           name);
  return p;
}

static inline void must(sn_status s, const sn_err *err) {
  if (s != SN_OK)
    fail_msg("%s: %s", sn_status_name(s), err != NULL ? err->msg : "");
}

static inline sn_ngram *load_text(const char *text) {
  sn_ngram *lm = NULL;
  sn_err err = {0};
  must(sn_ngram_load_memory(text, strlen(text), "text", &lm, &err), &err);
  return lm;
}

static inline sn_ngram *load_path(const char *path) {
  sn_ngram *lm = NULL;
  sn_err err = {0};
  must(sn_ngram_load(path, NULL, &lm, &err), &err);
  return lm;
}

/* What random_arpa makes. */
typedef struct random_lm {
  int order, n_words;      /* words are <s>, </s>, w2, w3, ... */
  double keep;             /* share of the possible n-grams of each order */
  double missing_prefixes; /* share of n-grams (not unigrams) to drop although
                              longer ones may begin or end with them */
  int shuffle;             /* lines of each section in random order */
} random_lm;

static inline void random_word(int w, char *out) {
  if (w == 0)
    strcpy(out, "<s>");
  else if (w == 1)
    strcpy(out, "</s>");
  else
    snprintf(out, 16, "w%d", w);
}

static inline void shuffle_lines(char **line, int n, sn_rng *rng) {
  for (int i = n - 1; i > 0; i--) {
    const int j = (int)sn_rng_below(rng, (uint32_t)i + 1);
    char *const t = line[i];
    line[i] = line[j];
    line[j] = t;
  }
}

/* ARPA text of a model with random numbers (it sums to nothing in
 * particular); owned by the caller (free). */
static inline char *random_arpa(const random_lm *o, uint64_t seed) {
  sn_rng rng;
  sn_rng_init(&rng, seed);
  sn_str out = {0}, body = {0};
  int n_level[SN_NGRAM_MAX_ORDER + 1] = {0};
  char **level[SN_NGRAM_MAX_ORDER + 1] = {0};
  for (int k = 1; k <= o->order; k++) {
    const int n_up = k == 1 ? 1 : n_level[k - 1];
    level[k] = calloc((size_t)(n_up * o->n_words), sizeof(char *));
    for (int p = 0; p < n_up; p++)
      for (int w = 0; w < o->n_words; w++) {
        if (k > 1 && sn_rng_uniform(&rng) >= o->keep) continue;
        char word[16], text[512];
        random_word(w, word);
        if (k == 1)
          strcpy(text, word);
        else
          snprintf(text, sizeof text, "%s %s", level[k - 1][p], word);
        level[k][n_level[k]] = strdup(text);
        n_level[k]++;
      }
  }
  must(sn_str_adds(&out, "\\data\\\n", NULL), NULL);
  for (int k = 1; k <= o->order; k++) {
    int n = 0;
    if (o->shuffle) shuffle_lines(level[k], n_level[k], &rng);
    must(sn_str_addf(&body, NULL, "\n\\%d-grams:\n", k), NULL);
    for (int i = 0; i < n_level[k]; i++) {
      const int is_last = k == o->order && i + 1 == n_level[k] && n == 0;
      if (k > 1 && !is_last && sn_rng_uniform(&rng) < o->missing_prefixes)
        continue;
      n++;
      must(sn_str_addf(&body, NULL, "%.4f\t%s",
                       -3.0 * sn_rng_uniform(&rng) - 0.01, level[k][i]),
           NULL);
      if (k < o->order && sn_rng_below(&rng, 4) != 0)
        must(sn_str_addf(&body, NULL, "\t%.4f",
                         1.0 - 2.0 * sn_rng_uniform(&rng)),
             NULL);
      must(sn_str_adds(&body, "\n", NULL), NULL);
    }
    must(sn_str_addf(&out, NULL, "ngram %d=%d\n", k, n), NULL);
  }
  must(sn_str_adds(&out, sn_str_get(&body), NULL), NULL);
  must(sn_str_adds(&out, "\n\\end\\\n", NULL), NULL);
  for (int k = 1; k <= o->order; k++) {
    for (int i = 0; i < n_level[k]; i++) free(level[k][i]);
    free(level[k]);
  }
  char *const text = strdup(sn_str_get(&out));
  sn_str_clear(&out);
  sn_str_clear(&body);
  return text;
}

/* Whole file; n may be NULL; free by the caller. */
static inline char *slurp(const char *path, size_t *n) {
  FILE *const f = fopen(path, "rb");
  if (f == NULL) fail_msg("cannot open %s", path);
  char *data = NULL;
  size_t size = 0, cap = 0;
  for (;;) {
    if (cap - size < 65537) {
      cap = cap * 2 + 131072;
      data = realloc(data, cap);
    }
    const size_t got = fread(data + size, 1, cap - size - 1, f);
    if (got == 0) break;
    size += got;
  }
  data[size] = '\0';
  fclose(f);
  if (n != NULL) *n = size;
  return data;
}
#endif
