/* SPDX-License-Identifier: Apache-2.0 */
/* lm/normalise_internal.h - rules of the normaliser, and numbers in words. */
#ifndef SN_LM_NORMALISE_INTERNAL_H
#define SN_LM_NORMALISE_INTERNAL_H
#include "base/arr.h"
#include "lm/normalise.h"

#define SNI_NORM_MAX_CAPTURES 8

/* A "key = value" line of a section; rules have section "rule". */
typedef struct sni_norm_entry {
  const char *section, *key, *value; /* borrowed from `text` */
} sni_norm_entry;

struct sn_norm {
  sn_norm_opts opts;
  sn_arr_str text; /* blocks that entries point into */
  SN_ARR(sni_norm_entry) entries;
  sn_arr_i32 by_byte[256]; /* rules that can begin with that byte, in order */
  bool has_char[256];      /* first bytes of the "char" section's keys */
  sn_symtab *dropped;
  SN_ARR(int64_t) dropped_counts;
  int64_t n_spelled;
  sn_arr_i32 scratch; /* code points */
  sn_str nfc, said;
};

/* The value of section's key[0 .. n), or NULL. */
const char *sni_norm_find(const sn_norm *n, const char *section,
                          const char *key, size_t n_key);

/* Digits (commas are skipped) in words, each with a blank before it. kind:
 * "cardinal", "ordinal", "year", "years", "minutes", "digits". */
SN_NODISCARD sn_status sni_norm_number(const sn_norm *n, const char *kind,
                                       sn_span digits, sn_str *out,
                                       sn_err *err);
#endif
