/* SPDX-License-Identifier: Apache-2.0 */
/* lm/count.h - n-gram counts of texts of any size, in memory that is limited.
 *
 * Counted are the n-grams of the highest order, one for each word and each
 * sentence end; near the start of a sentence they begin with as many <s> as it
 * takes. All shorter n-grams follow from these. Ids: <unk> 0, <s> 1, </s> 2,
 * then words as they come, or the vocabulary.
 *
 * Memory: n-grams lie in a hash table; when it is full they are sorted and
 * written to a temporary file without a name, and merged in the end (external
 * merge sort; Heafield et al. 2013, "Scalable modified Kneser-Ney language
 * model estimation", section 3.1). Counts are exact for any limit. */
#ifndef SN_LM_COUNT_H
#define SN_LM_COUNT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/io.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "base/str.h"
#include "lm/text_source.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_COUNT_MAGIC "SNCOUNT" /* of count files, docs/lm.md */
#define SN_COUNT_VERSION 1u

typedef struct sn_count_opts {
  int32_t order;
  double memory_mb;           /* for n-grams and words together */
  const char *temp;           /* folder of temporary files */
  const char *vocab;          /* path, or "" */
  struct sn_classes *classes; /* or NULL, lm/classes.h: names of classes are
                                 counted for their words, and these in
                                 classes->count; in `vocab` or not; borrowed. No
                                 option sets it: start from zeroed options */
} sn_count_opts;
extern const sn_opt sn_count_opt_table[];

typedef struct sn_count_totals {
  int64_t n_sentences, n_words; /* without </s> */
} sn_count_totals;

typedef struct sn_counts sn_counts;
/* Reads the vocabulary, if one is named: a word a line, the first field; words
 * that occur twice are named in a warning; <unk>, <s>, </s> may be there. */
SN_NODISCARD sn_status sn_counts_create(const sn_count_opts *opts, sn_log *log,
                                        sn_counts **out, sn_err *err);
void sn_counts_destroy(sn_counts *c);

/* All sentences of a text. ECANCEL, EIO (disk full), EFORMAT (text). */
SN_NODISCARD sn_status sn_counts_add_text(sn_counts *c, sn_text_source *t,
                                          sn_reader *r, sn_err *err);
/* The n-grams of a count file, of the same order or a higher one. */
SN_NODISCARD sn_status sn_counts_add_file(sn_counts *c, const char *path,
                                          sn_err *err);
/* The same from memory, 8-byte aligned, for tests and fuzz targets: sections'
 * checksums are not looked at, all else is checked. */
SN_NODISCARD sn_status sn_counts_add_memory(sn_counts *c, const void *data,
                                            size_t n, const char *name,
                                            sn_err *err);
/* Whether the file begins as a count file does, or is so short a piece of one
 * that it ends before; false for "-". */
bool sn_counts_is_file(const char *path);
/* The order of a count file. */
SN_NODISCARD sn_status sn_counts_file_order(const char *path, int32_t *order,
                                            sn_err *err);
sn_count_totals sn_counts_get_totals(const sn_counts *c);
/* Words that were not in the vocabulary, occurrences. */
int64_t sn_counts_n_outside(const sn_counts *c);
int32_t sn_counts_n_words(const sn_counts *c);

/* Writes a count file; n_ngrams (may be NULL) how many there are. The counts
 * are used up. */
SN_NODISCARD sn_status sn_counts_save(sn_counts *c, const char *path,
                                      int64_t *n_ngrams, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
