/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest symbols, kept sorted while they are offered. */
#include "lexicon/nearest.h"

#include <string.h>

enum { N_BEST = 3, MAX_TEXT = 64 };

void sn_nearest_init(sn_nearest *near, const char *name, size_t max_edits) {
  SN_ASSERT(near != NULL && name != NULL);
  *near = (sn_nearest){.name = name, .max_edits = max_edits};
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void lower_copy(char *to, const char *from) {
  while (*from != '\0') *to++ = lower(*from++);
  *to = '\0';
}

void sn_nearest_offer(sn_nearest *near, const char *symbol) {
  const size_t n = strlen(symbol), n_name = strlen(near->name);
  if (n >= MAX_TEXT || n_name >= MAX_TEXT) return;
  const size_t gap = n > n_name ? n - n_name : n_name - n;
  if (gap > near->max_edits) return;
  char a[MAX_TEXT], b[MAX_TEXT];
  lower_copy(a, near->name);
  lower_copy(b, symbol);
  const size_t edits = sn_edit_distance(a, b, near->max_edits);
  if (edits > near->max_edits) return;
  size_t at = near->n;
  while (at > 0 && near->best[at - 1].edits > edits) at--;
  if (at == N_BEST) return;
  const size_t last = near->n < N_BEST ? near->n++ : N_BEST - 1;
  for (size_t i = last; i > at; i--) near->best[i] = near->best[i - 1];
  memcpy(near->best[at].text, symbol, n + 1);
  near->best[at].edits = edits;
}

sn_status sn_nearest_say(const sn_nearest *near, sn_str *out, sn_err *err) {
  for (size_t i = 0; i < near->n; i++)
    SN_TRY(sn_str_addf(out, err, "%s'%s'", i == 0 ? "; did you mean " : ", ",
                       near->best[i].text));
  return near->n > 0 ? sn_str_adds(out, "?", err) : SN_OK;
}
