/* SPDX-License-Identifier: Apache-2.0 */
/* score/casefold.h - letters without their case, for Latin, Greek, Cyrillic.
 */
#ifndef SN_SCORE_CASEFOLD_H
#define SN_SCORE_CASEFOLD_H
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The lower-case letter of an upper-case one, and sigma for final sigma; any
 * other code point is returned as it is. One code point to one (so the German
 * sharp s stays, and the Turkish dotted capital I, which has no such partner).
 * Blocks: Basic Latin to Latin Extended-B, Latin Extended Additional, Greek,
 * Cyrillic and its Supplement, full-width Latin.
 * Source: Unicode 15, UnicodeData.txt (simple lower-case mapping) and
 * CaseFolding.txt (U+03C2). */
int32_t sn_casefold(int32_t code_point);

/* The next code point of *s, which must be valid UTF-8 and not empty; advances
 * *s behind it. */
int32_t sn_utf8_next(sn_span *s);
/* Adds s (valid UTF-8) folded. SN_ENOMEM. */
SN_NODISCARD sn_status sn_casefold_add(sn_str *out, sn_span s, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
