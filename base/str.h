/* SPDX-License-Identifier: Apache-2.0 */
/* base/str.h - growing strings, splitting, numbers, symbol tables. */
#ifndef SN_BASE_STR_H
#define SN_BASE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A string that grows. Zeroed is empty and valid; `data` is NUL-terminated
 * once anything was added (sn_str_get gives "" before). */
typedef struct sn_str {
  char *data;
  size_t n, cap; /* n without the NUL */
} sn_str;

const char *sn_str_get(const sn_str *s); /* borrowed, never NULL */
void sn_str_reset(sn_str *s);            /* empty, keeps memory */
void sn_str_clear(sn_str *s);            /* gives memory back */
SN_NODISCARD sn_status sn_str_add(sn_str *s, const char *text, size_t n,
                                  sn_err *err);
SN_NODISCARD sn_status sn_str_adds(sn_str *s, const char *text, sn_err *err);
SN_NODISCARD sn_status sn_str_addf(sn_str *s, sn_err *err, const char *fmt, ...)
    SN_PRINTF(3, 4);

/* A piece of someone else's text; not NUL-terminated. */
typedef struct sn_span {
  const char *p;
  size_t n;
} sn_span;

/* The next field of *rest separated by blanks (space, tab, CR, LF); advances
 * *rest behind it. false at the end. */
bool sn_next_field(sn_span *rest, sn_span *field);
/* The same for one separator character; empty fields count. */
bool sn_next_field_sep(sn_span *rest, char sep, sn_span *field);
sn_span sn_span_of(const char *s);
sn_span sn_span_trim(sn_span s);
bool sn_span_eq(sn_span a, const char *b);

/* Whole text as a number, in the C locale whatever the process's locale is.
 * false when it is empty, has trailing characters or is out of range; *out is
 * then left alone. "inf" and "nan" are accepted by sn_parse_double. */
bool sn_parse_double(sn_span s, double *out);
bool sn_parse_int64(sn_span s, int64_t *out);
bool sn_parse_int32(sn_span s, int32_t *out);

/* Number of edits between a and b, or max + 1 if above max (for "did you
 * mean"). */
size_t sn_edit_distance(const char *a, const char *b, size_t max);

/* Whether s is well-formed UTF-8 (RFC 3629); *bad is the offset of the first
 * byte that is not. */
bool sn_utf8_valid(const char *s, size_t n, size_t *bad);

/* Symbol table: strings <-> dense ids from 0, in order of addition. */
typedef struct sn_symtab sn_symtab;
SN_NODISCARD sn_status sn_symtab_create(sn_symtab **out, sn_err *err);
void sn_symtab_destroy(sn_symtab *t); /* NULL is fine */
/* Id of s[0..n), added if new. */
SN_NODISCARD sn_status sn_symtab_add(sn_symtab *t, const char *s, size_t n,
                                     int32_t *id, sn_err *err);
int32_t sn_symtab_find(const sn_symtab *t, const char *s, size_t n); /* or -1 */
int32_t sn_symtab_finds(const sn_symtab *t, const char *s);          /* or -1 */
/* Borrowed until the table is destroyed. id must be in range. */
const char *sn_symtab_get(const sn_symtab *t, int32_t id);
int32_t sn_symtab_n(const sn_symtab *t);
#ifdef __cplusplus
}
#endif
#endif
