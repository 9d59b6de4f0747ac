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
#include "base/log.h"
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
  sn_arr_i32 first_pron; /* [words + 1], made by sn_lexicon_group; n == 0
                            while the lexicon is not grouped */
} sn_lexicon;

SN_NODISCARD sn_status sn_lexicon_init(sn_lexicon *lex, sn_err *err);
void sn_lexicon_clear(sn_lexicon *lex); /* zeroed is fine; twice is fine */

/* Reads any lexicon: Senone's SQLite store (its approved and guessed
 * pronunciations) or one of the text formats, told apart by content.
 * path   "-" is standard input (text only).
 * log    may be NULL; duplicates that were left out are told there.
 * lex    [out] initialised by this call and grouped; cleared on failure.
 * Errors: SN_EIO, SN_EFORMAT with path:line or the store's fault, SN_ENOMEM.
 */
SN_NODISCARD sn_status sn_lexicon_load(const char *path, sn_log *log,
                                       sn_lexicon *lex, sn_err *err);

/* Adds at the end; words may come back later (sn_lexicon_group sorts). On
 * failure no pronunciation was added; a new word or phone may have been.
 * Errors: SN_ENOMEM; SN_ELIMIT above 2^31 phones in all. */
SN_NODISCARD sn_status sn_lexicon_add(sn_lexicon *lex, const char *word,
                                      float logp, const char *const *phones,
                                      size_t n_phones, sn_err *err);
/* Groups the pronunciations by word (stable) and numbers the variants. On
 * failure (SN_ENOMEM) the lexicon is as before. */
SN_NODISCARD sn_status sn_lexicon_group(sn_lexicon *lex, sn_err *err);
/* Pronunciations of a word: index of the first in *first; returns how many.
 * The lexicon must be grouped. */
int32_t sn_lexicon_prons(const sn_lexicon *lex, int32_t word, int32_t *first);
/* The phone ids of pronunciation `pron` (an index in prons), n_phones of them.
 * Borrowed until the lexicon changes. */
const int32_t *sn_lexicon_phones(const sn_lexicon *lex, int32_t pron);
#ifdef __cplusplus
}
#endif
#endif
