/* SPDX-License-Identifier: Apache-2.0 */
/* lm/exchange.h - the state of the exchange algorithm (class_exchange.c), for
 * it and its test. */
#ifndef SN_LM_EXCHANGE_H
#define SN_LM_EXCHANGE_H
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sni_pair {
  int32_t word;
  int64_t count;
} sni_pair;

/* Classes 0 .. n_classes - 1 exchange words; words 0 .. 2 (<unk>, <s>, </s>)
 * stay alone in three more. */
typedef struct sni_exchange {
  int32_t n_words, n_classes, n_all;    /* n_all = n_classes + 3 */
  SN_ARR(sni_pair) before, after;       /* neighbours of each word */
  uint32_t *first_before, *first_after; /* [n_words + 1] */
  int64_t *left, *right; /* [n_words] how often first, second of a pair */
  int32_t *class_of;     /* [n_words] */
  int64_t *n;  /* [n_all x n_all] pairs of classes, by the first one */
  int64_t *nt; /* the same, by the second one */
  int64_t *class_left, *class_right; /* [n_all] */
  int64_t *from, *to; /* [n_all] of one word: pairs with each class */
  double *gain;       /* [n_classes] */
  double *nlogn;      /* n ln n of small n */
} sni_exchange;

/* pairs [n_pairs] of (first, second, count), each pair once; all words with a
 * class in class_of (copied; -1 for 0 .. 2). Clear in any case. */
typedef struct sni_word_pair {
  int32_t first, second;
  int64_t count;
} sni_word_pair;
SN_NODISCARD sn_status sni_exchange_init(sni_exchange *x,
                                         const sni_word_pair *pairs,
                                         size_t n_pairs, int32_t n_words,
                                         const int32_t *class_of,
                                         int32_t n_classes, sn_err *err);
void sni_exchange_clear(sni_exchange *x);
/* Log-likelihood of the pairs' second words given the first ones' classes,
 * without the classes' own part, sum n(w) ln n(w), which never changes. */
double sni_exchange_logp(const sni_exchange *x);
/* Takes word w out of its class and fills gain: what the log-likelihood grows
 * by when it is put into each class. */
void sni_exchange_take(sni_exchange *x, int32_t w);
void sni_exchange_put(sni_exchange *x, int32_t w, int32_t class_id);
#ifdef __cplusplus
}
#endif
#endif
