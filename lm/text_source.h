/* SPDX-License-Identifier: Apache-2.0 */
/* lm/text_source.h - sentences of a text, one a line, as language models are
 * counted from.
 *
 * Words lie between white space (blank, tab, CR, LF, VT, FF) and are taken as
 * they are. <s> at the beginning and </s> at the end of a line are left out and
 * counted. What is wrong ends the reading with "NAME:LINE", or is repaired
 * where asked for, each kind with its count:
 *
 *   found                               repaired
 *   a control character (0 .. 31, 127)  a blank
 *   a byte that is not UTF-8            U+FFFD
 *   <s>, </s> within a sentence         left out
 *
 * A model (ARPA, Senone's, Sphinx's) or a count file is refused in any case.
 * A line may have up to 64 MiB. Empty lines are no sentences. */
#ifndef SN_LM_TEXT_SOURCE_H
#define SN_LM_TEXT_SOURCE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/io.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_text_opts {
  bool repair;
} sn_text_opts;
extern const sn_opt sn_text_opt_table[];

/* Sums over everything a source has read so far. */
typedef struct sn_text_counts {
  int64_t n_lines, n_empty; /* all; those without a word */
  int64_t n_sentences, n_words;
  int64_t n_outer;    /* <s>, </s> around sentences */
  int64_t n_inner;    /* repaired: <s>, </s> within */
  int64_t n_controls; /* repaired */
  int64_t n_invalid;  /* repaired */
} sn_text_counts;

typedef struct sn_text_source sn_text_source;
/* opts NULL: defaults. */
SN_NODISCARD sn_status sn_text_source_create(const sn_text_opts *opts,
                                             sn_text_source **out, sn_err *err);
void sn_text_source_destroy(sn_text_source *t);

/* The words of the next line that has any; *words is borrowed until the next
 * call, *n == 0 at the end. SN_EFORMAT "NAME:LINE: ...", or what the reader
 * says. */
SN_NODISCARD sn_status sn_text_next(sn_text_source *t, sn_reader *r,
                                    const sn_span **words, size_t *n,
                                    sn_err *err);
const sn_text_counts *sn_text_get_counts(const sn_text_source *t);
/* A warning for each kind of repair, with its count. */
void sn_text_report(const sn_text_source *t, sn_log *log);
#ifdef __cplusplus
}
#endif
#endif
