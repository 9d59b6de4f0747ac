/* SPDX-License-Identifier: Apache-2.0 */
/* lexicon/lexicon.h - words and their pronunciations as plain memory.
 *
 * What graphs and checks work on; lexicon/store.h is the SQLite store that
 * fills it, lexicon/formats.h reads text files into it. Words and phones are
 * dense ids in order of first appearance; pronunciations keep their order. */
#ifndef SN_LEXICON_LEXICON_H
#define SN_LEXICON_LEXICON_H
#include <stdint.h>

#include "base/arr.h"
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_pron {
  int32_t word;    /* id in `words` */
  int32_t variant; /* 1, 2, ...: `word`, `word(2)`, ... */
  float logp;      /* natural log of P(pronunciation | word); 0 if unknown */
  int32_t first, n_phones; /* in `phone_ids` */
} sn_pron;

typedef struct sn_lexicon {
  sn_symtab *words;      /* owned */
  sn_symtab *phones;     /* owned */
  SN_ARR(sn_pron) prons; /* grouped by word in order of the words' ids */
  sn_arr_i32 phone_ids;  /* all pronunciations, one after the other */
} sn_lexicon;

SN_NODISCARD sn_status sn_lexicon_init(sn_lexicon *lex, sn_err *err);
void sn_lexicon_clear(sn_lexicon *lex);
/* Adds at the end; words may come back later (sn_lexicon_group sorts). */
SN_NODISCARD sn_status sn_lexicon_add(sn_lexicon *lex, const char *word,
                                      float logp, const char *const *phones,
                                      size_t n_phones, sn_err *err);
/* Groups the pronunciations by word and numbers the variants. */
SN_NODISCARD sn_status sn_lexicon_group(sn_lexicon *lex, sn_err *err);
/* Pronunciations of a word: index of the first in *first; returns how many.
 * The lexicon must be grouped. */
int32_t sn_lexicon_prons(const sn_lexicon *lex, int32_t word, int32_t *first);
#ifdef __cplusplus
}
#endif
#endif
