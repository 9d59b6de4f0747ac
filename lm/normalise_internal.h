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
  size_t n_key;
} sni_norm_entry;

/* Where the entries of a section are: by the first bytes of their keys, else in
 * order. Keys that begin with b are entries first[b] .. first[b + 1] - 1. */
typedef struct sni_norm_section {
  const char *name;
  size_t n_name;
  sn_arr_i32 entries;
  size_t first[257];
} sni_norm_section;

struct sn_norm {
  sn_norm_opts opts;
  sn_arr_str text; /* blocks that entries point into */
  SN_ARR(sni_norm_entry) entries;
  SN_ARR(sni_norm_section) sections;
  sn_arr_i32 by_byte[256]; /* rules that can begin with that byte, in order */
  bool has_char[256];      /* first bytes of the "char" section's keys */
  sn_symtab *dropped;
  SN_ARR(int64_t) dropped_counts;
  int64_t n_spelled;
  sn_arr_i32 scratch; /* code points */
  sn_str nfc, said;
};

/* NULL: there is none of that name. */
const sni_norm_section *sni_norm_section_of(const sn_norm *n, const char *name,
                                            size_t n_name);
/* The value of section's key[0 .. n), or NULL. */
const char *sni_norm_find(const sn_norm *n, const char *section,
                          const char *key, size_t n_key);

/* What the elements <...> of a pattern matched. */
typedef struct sni_norm_match {
  sn_span capture[SNI_NORM_MAX_CAPTURES];
  size_t n;
} sni_norm_match;

/* Whether a pattern can match a text that begins with byte b. */
bool sni_norm_may_begin(const sn_norm *n, const char *key, int b);
/* Where the match of a pattern with the text p .. end ends, or NULL. */
const char *sni_norm_match_pattern(const sn_norm *n, const char *k,
                                   const char *p, const char *end,
                                   sni_norm_match *m);
size_t sni_norm_n_digits(const char *p, const char *end);

static inline bool sni_norm_is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}
static inline bool sni_norm_is_letter(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}
static inline char sni_norm_lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

/* What a Roman numeral in capitals says, 1 to 3999; 0: it is none. */
int32_t sni_norm_roman(sn_span s);

/* A Roman numeral, or digits (commas are skipped) in words, each with a blank
 * before it. kind: "cardinal", "ordinal", "year", "years", "minutes", "digits".
 */
SN_NODISCARD sn_status sni_norm_number(const sn_norm *n, const char *kind,
                                       sn_span digits, sn_str *out,
                                       sn_err *err);
#endif
