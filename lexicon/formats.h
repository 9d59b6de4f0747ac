/* SPDX-License-Identifier: Apache-2.0 */
/* lexicon/formats.h - pronunciation dictionaries as text, in and out.
 *
 * docs/lexicon.md gives each format line by line, and how they are told
 * apart. */
#ifndef SN_LEXICON_FORMATS_H
#define SN_LEXICON_FORMATS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "lexicon/lexicon.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_lex_format {
  SN_LEX_AUTO,       /* told by content; not for writing */
  SN_LEX_CMUDICT,    /* CMUdict and Sphinx: word(2), comments */
  SN_LEX_KALDI,      /* lexicon.txt: word phone ... */
  SN_LEX_KALDI_PROB, /* lexiconp.txt: word probability phone ... */
  SN_LEX_TSV         /* word TAB phones [TAB probability] */
} sn_lex_format;
/* "cmudict", "kaldi", "kaldi-prob", "tsv", "auto". */
const char *sn_lex_format_name(sn_lex_format f);

typedef struct sn_lex_read_opts {
  int32_t format;    /* sn_lex_format */
  bool strip_stress; /* drop the digit 0, 1, 2 at a phone's end: AH0 -> AH */
} sn_lex_read_opts;
extern const sn_opt sn_lex_read_opt_table[];

typedef struct sn_lex_read_stats {
  sn_lex_format format;
  int64_t n_lines, n_prons; /* n_prons: kept */
  int64_t n_duplicates;     /* same word and phones again: left out, the larger
                               probability kept */
} sn_lex_read_stats;

/* Reads a text dictionary.
 * opts   may be NULL: the defaults (auto, stress kept).
 * log    may be NULL; the first duplicates are named there, and their count.
 * lex    [out] initialised by this call and grouped; cleared on failure.
 * stats  [out] may be NULL.
 * Errors: SN_EIO; SN_EFORMAT with path:line for a line that is not of the
 * format, a word without phones, a probability outside (0, 1], text that is
 * not UTF-8, or no entry at all; SN_ENOMEM. */
SN_NODISCARD sn_status sn_lexicon_read_text(const char *path,
                                            const sn_lex_read_opts *opts,
                                            sn_log *log, sn_lexicon *lex,
                                            sn_lex_read_stats *stats,
                                            sn_err *err);
/* The same from memory; name stands in messages. */
SN_NODISCARD sn_status sn_lexicon_read_memory(
    const void *data, size_t n, const char *name, const sn_lex_read_opts *opts,
    sn_log *log, sn_lexicon *lex, sn_lex_read_stats *stats, sn_err *err);

/* Writes a grouped lexicon (path "-": stdout). What the format cannot hold is
 * never lost silently: probabilities that it has no place for are counted in a
 * warning; a word that would read back as another (`a(2)` or `##a` in CMUdict)
 * is SN_EARG. Also SN_EIO, SN_ENOMEM. */
SN_NODISCARD sn_status sn_lexicon_write_text(const sn_lexicon *lex,
                                             const char *path,
                                             sn_lex_format format, sn_log *log,
                                             sn_err *err);

/* Length of `word` without a variant suffix: "(2)" and the like, digits in
 * parentheses behind at least one character; n if it has none. */
size_t sn_lex_base_length(const char *word, size_t n);
#ifdef __cplusplus
}
#endif
#endif
