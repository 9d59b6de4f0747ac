/* SPDX-License-Identifier: Apache-2.0 */
/* graphs/prons.c - the lexicon as rows of units, in search-tree order.
 *
 * Every state of G gets a prefix tree over the pronunciations of its words. So
 * that none of these trees needs a comparison of phones, all pronunciations
 * are ranked once: by first and second phone (the unit of the first phone
 * hangs on the left neighbour and is not known here), then by the labels of
 * the units between, a beginning before what continues it. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graphs/build_internal.h"

enum { N_NAMED = 5 }; /* words named in a message */

typedef struct ranking {
  const sni_units *units;
  const sni_prons *prons;
} ranking;

static int compare(const ranking *r, int32_t a, int32_t b) {
  const sni_pron *x = &r->prons->prons.data[a], *y = &r->prons->prons.data[b];
  if (x->first != y->first) return x->first < y->first ? -1 : 1;
  if (x->second != y->second) return x->second < y->second ? -1 : 1;
  const int32_t *p = &r->prons->units.data[x->first_unit];
  const int32_t *q = &r->prons->units.data[y->first_unit];
  for (int32_t i = 0; i < x->n_units && i < y->n_units; i++) {
    const int c = sni_units_compare(r->units, p[i], q[i]);
    if (c != 0) return c;
  }
  if (x->n_units != y->n_units) return x->n_units < y->n_units ? -1 : 1;
  if (x->last != y->last) return x->last < y->last ? -1 : 1;
  return (a > b) - (a < b);
}

/* Merge sort, bottom up. */
static sn_status sort_ranks(const ranking *r, int32_t *ids, size_t n,
                            sn_err *err) {
  int32_t *other = sn_calloc(n, sizeof *other);
  if (other == NULL) return sn_fail_nomem(err, "order of pronunciations");
  int32_t *from = ids, *to = other;
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t i = 0; i < n; i += 2 * width) {
      const size_t mid = i + width < n ? i + width : n;
      const size_t end = i + 2 * width < n ? i + 2 * width : n;
      size_t a = i, b = mid, at = i;
      while (a < mid || b < end)
        to[at++] = b == end || (a < mid && compare(r, from[a], from[b]) <= 0)
                       ? from[a++]
                       : from[b++];
    }
    int32_t *const swap = from;
    from = to;
    to = swap;
  }
  if (from != ids) memcpy(ids, from, n * sizeof *ids);
  sn_free(other);
  return SN_OK;
}

/* The model's phone for each of the lexicon's, by position; -1: none. */
static sn_status map_phones(const sn_lexicon *lex, const sni_hmms *hmms,
                            bool by_position, int32_t *map, sn_err *err) {
  static const char *const suffixes[SN_N_POS] = {"_I", "_B", "_E", "_S"};
  sn_str name = {0};
  sn_status s = SN_OK;
  const int32_t n = sn_symtab_n(lex->phones);
  for (int32_t i = 0; i < n; i++)
    for (int32_t pos = 0; pos < SN_N_POS; pos++) {
      sn_str_reset(&name);
      SN_TRY_GOTO(s, sn_str_adds(&name, sn_symtab_get(lex->phones, i), err));
      if (by_position) SN_TRY_GOTO(s, sn_str_adds(&name, suffixes[pos], err));
      int32_t *to = &map[i * SN_N_POS + pos];
      *to = -1;
      for (int32_t p = 0; p < hmms->n_phones && *to < 0; p++)
        if (strcmp(hmms->phone(hmms->user, p), sn_str_get(&name)) == 0) *to = p;
    }
fail:
  sn_str_clear(&name);
  return s;
}

static sn_wordpos position(int32_t i, int32_t n) {
  return n == 1       ? SN_POS_SINGLE
         : i == 0     ? SN_POS_BEGIN
         : i == n - 1 ? SN_POS_END
                      : SN_POS_INTERNAL;
}

/* Phones of one pronunciation into `row`; *bad is a phone that the model does
 * not have, or -1. */
static sn_status translate(const sn_lexicon *lex, const sn_pron *p,
                           const int32_t *map, sn_arr_i32 *row, int32_t *bad,
                           sn_err *err) {
  SN_TRY(SN_ARR_RESIZE(row, (size_t)p->n_phones, err));
  *bad = -1;
  for (int32_t i = 0; i < p->n_phones; i++) {
    const int32_t phone = lex->phone_ids.data[p->first + i];
    const int32_t to =
        map[phone * SN_N_POS + (int32_t)position(i, p->n_phones)];
    if (to < 0) {
      *bad = phone;
      return SN_OK;
    }
    row->data[i] = to;
  }
  return SN_OK;
}

static sn_status add_pron(sni_prons *out, sni_units *units, const int32_t *row,
                          int32_t n, int32_t cost, sn_err *err) {
  sni_pron x = {.cost = cost,
                .n_phones = n,
                .first = row[0],
                .second = n > 1 ? row[1] : -1,
                .last_but = n > 1 ? row[n - 2] : -1,
                .last = row[n - 1],
                .first_unit = (int32_t)out->units.n,
                .n_units = n > 2 ? n - 2 : 0};
  for (int32_t i = 1; i + 1 < n; i++) {
    int32_t unit = 0;
    SN_TRY(sni_units_triphone(units, row[i], row[i - 1], row[i + 1],
                              SN_POS_INTERNAL, &unit, err));
    SN_TRY(SN_ARR_PUSH(&out->units, unit, err));
  }
  if (x.n_units > out->max_units) out->max_units = x.n_units;
  return SN_ARR_PUSH(&out->prons, x, err);
}

static sn_status rank(sni_prons *out, const sni_units *units, sn_err *err) {
  sn_arr_i32 ids = {0};
  sn_status s = SN_OK;
  const ranking r = {units, out};
  SN_TRY_GOTO(s, SN_ARR_RESIZE(&ids, out->prons.n, err));
  for (size_t i = 0; i < ids.n; i++) ids.data[i] = (int32_t)i;
  SN_TRY_GOTO(s, sort_ranks(&r, ids.data, ids.n, err));
  for (size_t i = 0; i < ids.n; i++)
    out->prons.data[ids.data[i]].rank = (int32_t)i;
fail:
  SN_ARR_FREE(&ids);
  return s;
}

sn_status sni_prons_build(const sn_lexicon *lex, sni_units *units,
                          const sn_graph_opts *opts, double scale, sn_log *log,
                          sni_prons *out, sn_err *err) {
  memset(out, 0, sizeof *out);
  sn_status s = SN_OK;
  sn_arr_i32 row = {0};
  sn_str bad_names = {0};
  int64_t n_bad = 0;
  const int32_t n_words = sn_symtab_n(lex->words);
  const size_t n_map = (size_t)sn_symtab_n(lex->phones) * SN_N_POS;
  int32_t *map = sn_calloc(n_map, sizeof *map);
  if (map == NULL) return sn_fail_nomem(err, "pronunciations");
  SN_TRY_GOTO(s, map_phones(lex, units->hmms, opts->position_phones, map, err));
  for (int32_t w = 0; w < n_words; w++) {
    SN_TRY_GOTO(s, SN_ARR_PUSH(&out->word_first, (uint32_t)out->prons.n, err));
    int32_t first = 0;
    const int32_t n = sn_lexicon_prons(lex, w, &first);
    for (int32_t i = first; i < first + n; i++) {
      const sn_pron *p = &lex->prons.data[i];
      int32_t bad = -1;
      if (p->n_phones == 0) continue;
      SN_TRY_GOTO(s, translate(lex, p, map, &row, &bad, err));
      if (bad >= 0) {
        if (n_bad++ < N_NAMED)
          SN_TRY_GOTO(s, sn_str_addf(&bad_names, err, "%s'%s' (%s)",
                                     n_bad > 1 ? ", " : "",
                                     sn_symtab_get(lex->words, w),
                                     sn_symtab_get(lex->phones, bad)));
        continue;
      }
      const int32_t cost =
          opts->pron_probs ? sni_cost(-(double)p->logp / scale) : 0;
      if (cost == SNI_COST_INF) continue;
      SN_TRY_GOTO(s, add_pron(out, units, row.data, p->n_phones, cost, err));
    }
  }
  SN_TRY_GOTO(s, SN_ARR_PUSH(&out->word_first, (uint32_t)out->prons.n, err));
  if (n_bad > 0)
    sn_warn(log,
            "%lld pronunciations have phones that the acoustic model does not "
            "have and are left out: %s%s",
            (long long)n_bad, sn_str_get(&bad_names),
            n_bad > N_NAMED ? ", ..." : "");
  SN_TRY_GOTO(s, rank(out, units, err));
fail:
  sn_free(map);
  SN_ARR_FREE(&row);
  sn_str_clear(&bad_names);
  if (s != SN_OK) sni_prons_clear(out);
  return s;
}

void sni_prons_clear(sni_prons *p) {
  SN_ARR_FREE(&p->prons);
  SN_ARR_FREE(&p->word_first);
  SN_ARR_FREE(&p->units);
  memset(p, 0, sizeof *p);
}
