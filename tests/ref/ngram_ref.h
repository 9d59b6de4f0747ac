/* SPDX-License-Identifier: Apache-2.0 */
/* tests/ref/ngram_ref.h - the definition of a back-off model, word for word:
 * a table from n-grams as text to their numbers, and
 *
 *   p(w | h) = table[h w]                    if it is there
 *            = backoff[h] + p(w | h')        otherwise, backoff 0 if missing
 *
 * with h' being h without its first word; log10, double. Reads ARPA text with
 * strtod. No trie, no ids, no states. */
#ifndef SN_TESTS_REF_NGRAM_REF_H
#define SN_TESTS_REF_NGRAM_REF_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct ref_ngram {
  char *words; /* joined by single blanks */
  int order;
  double log10p, backoff;
  struct ref_ngram *next;
} ref_ngram;

#define REF_LM_SLOTS 65536u
typedef struct ref_lm {
  ref_ngram *slot[REF_LM_SLOTS];
  int order;
} ref_lm;

static unsigned ref_lm_hash(const char *s) {
  unsigned h = 5381;
  for (; *s != '\0'; s++) h = h * 33u + (unsigned char)*s;
  return h % REF_LM_SLOTS;
}

static const ref_ngram *ref_lm_find(const ref_lm *m, const char *words) {
  const ref_ngram *g = m->slot[ref_lm_hash(words)];
  while (g != NULL && strcmp(g->words, words) != 0) g = g->next;
  return g;
}

static void ref_lm_add(ref_lm *m, const char *words, int order, double log10p,
                       double backoff) {
  ref_ngram *const g = calloc(1, sizeof *g);
  g->words = malloc(strlen(words) + 1);
  memcpy(g->words, words, strlen(words) + 1);
  g->order = order;
  g->log10p = log10p;
  g->backoff = backoff;
  ref_ngram **const slot = &m->slot[ref_lm_hash(words)];
  g->next = *slot;
  *slot = g;
  if (order > m->order) m->order = order;
}

/* ARPA text, fields as written by the tests: "p<TAB>w w w[<TAB>b]". */
static ref_lm *ref_lm_read(const char *arpa) {
  ref_lm *const m = calloc(1, sizeof *m);
  int order = 0;
  while (*arpa != '\0') {
    const size_t n = strcspn(arpa, "\n");
    char line[4096];
    memcpy(line, arpa, n);
    line[n] = '\0';
    arpa += n + (arpa[n] == '\n');
    if (line[0] == '\\') {
      order = strstr(line, "-grams:") != NULL ? atoi(line + 1) : 0;
    } else if (order > 0 && line[0] != '\0') {
      char *end;
      const double log10p = strtod(line, &end);
      char *const words = end + 1;
      char *const tab = strchr(words, '\t');
      if (tab != NULL) *tab = '\0';
      ref_lm_add(m, words, order, log10p,
                 tab != NULL ? strtod(tab + 1, NULL) : 0.0);
    }
  }
  return m;
}

static void ref_lm_free(ref_lm *m) {
  for (unsigned i = 0; i < REF_LM_SLOTS; i++)
    while (m->slot[i] != NULL) {
      ref_ngram *const g = m->slot[i];
      m->slot[i] = g->next;
      free(g->words);
      free(g);
    }
  free(m);
}

/* log10 p(words[n - 1] | words[0 .. n - 1)); *matched: order that was found.
 * -infinity for a word that is no unigram. */
static inline double ref_lm_score(const ref_lm *m, const char *const *words,
                                  int n, int *matched) {
  double sum = 0.0;
  char key[4096], history[4096];
  for (int from = n > m->order ? n - m->order : 0; from < n; from++) {
    key[0] = history[0] = '\0';
    for (int i = from; i < n; i++) {
      if (i == n - 1) memcpy(history, key, strlen(key) + 1);
      if (i > from) strcat(key, " ");
      strcat(key, words[i]);
    }
    const ref_ngram *const g = ref_lm_find(m, key);
    if (g != NULL) {
      *matched = n - from;
      return sum + g->log10p;
    }
    const ref_ngram *const h = ref_lm_find(m, history);
    if (h != NULL) sum += h->backoff;
  }
  *matched = 0;
  return -INFINITY;
}
#endif
