/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/use_ngram.h - walks over a model that came from fuzzed bytes. */
#ifndef SN_TESTS_FUZZ_USE_NGRAM_H
#define SN_TESTS_FUZZ_USE_NGRAM_H
#include <string.h>

#include "lm/ngram.h"

static inline void fuzz_use_ngram(const sn_ngram *lm) {
  sn_ngram_state at = sn_ngram_begin(lm);
  const int32_t n_words = sn_ngram_n_words(lm);
  for (int32_t w = -1; w < n_words && w < 100; w++) {
    (void)sn_ngram_score(lm, at, w, &at, NULL);
    if (w >= 0) (void)sn_ngram_find(lm, sn_ngram_word(lm, w));
  }
  sn_ngram_token tokens[96];
  size_t starts[25] = {0};
  for (size_t i = 0; i < 24; i++) {
    starts[i + 1] = 4 * (i + 1);
    for (size_t k = 0; k < 4; k++)
      tokens[4 * i + k].word =
          (int32_t)((i * 7 + k * k) % ((size_t)n_words + 1)) - 1;
  }
  sn_ngram_score_batch(lm, tokens, starts, 24);
  static const char text[] = "a\0<s>\0</s>\0<unk>\0w2\0\0the\0";
  size_t place[8], n = 0;
  for (size_t i = 0; i + 1 < sizeof text && n < 8; i += strlen(text + i) + 1)
    place[n++] = i;
  sn_ngram_find_batch(lm, text, place, n, tokens);
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
    for (int64_t i = 0; i < sn_ngram_count(lm, k) && i < 1000; i++) {
      const sn_ngram_state h = {k, i};
      int64_t first;
      (void)sn_ngram_child_word(lm, k, i);
      (void)sn_ngram_next_state(lm, k, i);
      if (k == sn_ngram_order(lm)) continue;
      (void)sn_ngram_children(lm, h, &first);
      (void)sn_ngram_backoff_state(lm, h);
    }
}
#endif
