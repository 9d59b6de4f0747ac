/* SPDX-License-Identifier: Apache-2.0 */
/* lm/normalise.h - written text to the words that are said: Unicode NFC, case,
 * punctuation, numbers, dates, times, money, abbreviations. What is said is
 * decided by a table of rules (docs/text.md has its syntax); the built-in one
 * is for English. */
#ifndef SN_LM_NORMALISE_H
#define SN_LM_NORMALISE_H
#include <stdint.h>

#include "base/io.h"
#include "base/opt.h"
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum sn_norm_case {
  SN_NORM_LOWER,
  SN_NORM_UPPER,
  SN_NORM_KEEP
} sn_norm_case;

typedef struct sn_norm_opts {
  int32_t letters; /* sn_norm_case */
} sn_norm_opts;
extern const sn_opt sn_norm_opt_table[];

/* The built-in rules, a line each; NULL ends them. */
extern const char *const sn_norm_english[];

typedef struct sn_norm sn_norm;
/* rules: borrowed for the call; NULL: sn_norm_english. opts NULL: defaults.
 * SN_EFORMAT "NAME:LINE: what is wrong". */
SN_NODISCARD sn_status sn_norm_create(sn_reader *rules,
                                      const sn_norm_opts *opts, sn_norm **out,
                                      sn_err *err);
void sn_norm_destroy(sn_norm *n); /* NULL is fine */

/* Words of one line, with one blank between them, into *out (replaced). It may
 * be empty. SN_EFORMAT, without file and line, for invalid UTF-8. */
SN_NODISCARD sn_status sn_norm_line(sn_norm *n, const char *line, size_t n_line,
                                    sn_str *out, sn_err *err);

/* What lines so far have lost: characters that no rule reads. i-th in order of
 * first appearance, as UTF-8. */
int32_t sn_norm_n_dropped(const sn_norm *n);
const char *sn_norm_dropped(const sn_norm *n, int32_t i, int64_t *count);
/* Numbers that no rule reads: said digit by digit. */
int64_t sn_norm_n_spelled(const sn_norm *n);
#ifdef __cplusplus
}
#endif
#endif
