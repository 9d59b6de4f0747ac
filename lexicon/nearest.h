/* SPDX-License-Identifier: Apache-2.0 */
/* lexicon/nearest.h - "did you mean": the symbols nearest to a mistyped one. */
#ifndef SN_LEXICON_NEAREST_H
#define SN_LEXICON_NEAREST_H
#include "base/status.h"
#include "base/str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The few symbols with the fewest edits to a name; equal ones in the order in
 * which they were offered. A change of case alone counts as no edit. */
typedef struct sn_nearest {
  const char *name; /* borrowed */
  size_t max_edits; /* farther ones are not taken */
  size_t n;
  struct {
    char text[64]; /* longer symbols are not offered */
    size_t edits;
  } best[3];
} sn_nearest;

void sn_nearest_init(sn_nearest *near, const char *name, size_t max_edits);
void sn_nearest_offer(sn_nearest *near, const char *symbol);
/* Adds "; did you mean 'x', 'y'?" to out, or nothing. */
SN_NODISCARD sn_status sn_nearest_say(const sn_nearest *near, sn_str *out,
                                      sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
