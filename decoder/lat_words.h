/* SPDX-License-Identifier: Apache-2.0 */
/* decoder/lat_words.h - how the word labels of lattices are spelt.
 *
 * Label 0 is "no word" and stands in every table as "<eps>". Labels of Senone's
 * graphs are word + 1; those of others come from their words.txt. */
#ifndef SN_DECODER_LAT_WORDS_H
#define SN_DECODER_LAT_WORDS_H
#include <stddef.h>
#include <stdint.h>

#include "base/arr.h"
#include "base/io.h"
#include "base/status.h"
#include "lm/ngram.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_lat_words sn_lat_words;
SN_NODISCARD sn_status sn_lat_words_create(sn_lat_words **out, sn_err *err);
void sn_lat_words_destroy(sn_lat_words *w); /* NULL is fine */

/* Reads lines of "word label", as OpenFst's and Kaldi's words.txt. Labels may
 * come in any order and leave gaps. SN_EFORMAT with path:line: another shape, a
 * label or word that comes twice, label 0 that is not <eps>. */
SN_NODISCARD sn_status sn_lat_words_load(const char *path, sn_lat_words **out,
                                         sn_err *err);
SN_NODISCARD sn_status sn_lat_words_read(sn_reader *r, sn_lat_words **out,
                                         sn_err *err);

/* Label of word[0..n), which gets the next free one if it is new. */
SN_NODISCARD sn_status sn_lat_words_add(sn_lat_words *w, const char *word,
                                        size_t n, int32_t *label, sn_err *err);
/* Gives `word` this label. SN_EFORMAT: word or label is taken. */
SN_NODISCARD sn_status sn_lat_words_set(sn_lat_words *w, int32_t label,
                                        const char *word, size_t n,
                                        sn_err *err);
/* Borrowed until destroy; NULL: no word has this label. */
const char *sn_lat_words_get(const sn_lat_words *w, int32_t label);
int32_t sn_lat_words_find(const sn_lat_words *w, const char *word,
                          size_t n); /* or -1 */
/* Largest label + 1; 1 for a table without words. */
int32_t sn_lat_words_n(const sn_lat_words *w);

/* What an n-gram model calls each label, [sn_lat_words_n]: its word id, -1 for
 * a word it does not have, SN_LAT_NOT_A_WORD for what no LM has (label 0, <s>,
 * </s>, #0, gaps, and where the model lacks them fillers: <sil>, [noise],
 * ++noise++, !SIL). */
#define SN_LAT_NOT_A_WORD (-2)
SN_NODISCARD sn_status sn_lat_words_map(const sn_lat_words *w,
                                        const sn_ngram *lm, sn_arr_i32 *out,
                                        sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
