/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing utterances: by list, by speaker or utterance, shuffled by a seed.
 *
 * Candidates are taken in the order of their names before they are shuffled,
 * so that the choice does not depend on the order of lines in files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/corpus_internal.h"

#define AT(field) offsetof(sn_corpus_split_opts, field)
const sn_opt sn_corpus_split_opt_table[] = {
    {"by", SN_OPT_ENUM, AT(by), 0, 0, 1, "speaker|utterance", "",
     "what is chosen; no speaker is then in both parts"},
    {"fraction", SN_OPT_DOUBLE, AT(fraction), 0.1, 0, 1, NULL, "",
     "share of speakers or utterances that are chosen"},
    {"n", SN_OPT_INT, AT(n), 0, 0, 2147483647, NULL, "",
     "choose so many instead; 0: by the share"},
    {"per-speaker", SN_OPT_INT, AT(per_speaker), 0, 0, 2147483647, NULL,
     "utterances", "at most so many of each chosen speaker; 0: all"},
    {"hours", SN_OPT_DOUBLE, AT(hours), 0, 0, 1e9, NULL, "h",
     "stop choosing when there is so much speech; 0: no limit"},
    {"order", SN_OPT_ENUM, AT(order), 0, 0, 2, "random|first|shortest", "",
     "which ones: shuffled by the seed, the first by name, the shortest"},
    {"seed", SN_OPT_INT, AT(seed), 1, 0, 2147483647, NULL, "",
     "of the shuffling"},
    {"list", SN_OPT_STRING, AT(list), 0, 0, 0, "", "",
     "file with the names that are chosen, one a line; - is stdin"},
    SN_OPT_END};

typedef struct unit { /* a speaker or an utterance */
  const char *name;
  double length_s;
} unit;

typedef struct choice {
  const sn_corpus *c;
  const sn_corpus_split_opts *o;
  sn_symtab *names;     /* of units */
  sn_arr_i32 of;        /* [utts] unit */
  SN_ARR(unit) units;   /* by name */
  SN_ARR(size_t) order; /* of units */
  bool *on;             /* [units] */
  sn_err *err;
} choice;

static int by_name(const void *a, const void *b, const unit *units) {
  return strcmp(units[*(const size_t *)a].name, units[*(const size_t *)b].name);
}

static int by_length(const void *a, const void *b, const unit *units) {
  const double x = units[*(const size_t *)a].length_s;
  const double y = units[*(const size_t *)b].length_s;
  return x != y ? (x > y) - (x < y) : by_name(a, b, units);
}

/* Merge sort with a context, stable. */
static sn_status sort_units(choice *k, int (*cmp)(const void *, const void *,
                                                  const unit *)) {
  const size_t n = k->order.n;
  size_t *from = k->order.data, *to = sn_calloc(n, sizeof *to);
  if (to == NULL) return sn_fail_nomem(k->err, "corpus");
  size_t *const spare = to;
  for (size_t width = 1; width < n; width *= 2) {
    for (size_t a = 0; a < n; a += 2 * width) {
      const size_t mid = a + width < n ? a + width : n;
      const size_t end = mid + width < n ? mid + width : n;
      size_t i = a, j = mid;
      for (size_t o = a; o < end; o++)
        to[o] =
            j >= end || (i < mid && cmp(&from[i], &from[j], k->units.data) <= 0)
                ? from[i++]
                : from[j++];
    }
    size_t *const t = from;
    from = to;
    to = t;
  }
  if (from != k->order.data) memcpy(k->order.data, from, n * sizeof *from);
  sn_free(spare);
  return SN_OK;
}

static sn_status gather(choice *k) {
  const sn_corpus *const c = k->c;
  for (size_t i = 0; i < c->utts.n; i++) {
    const sn_corpus_utt *const u = &c->utts.data[i];
    const char *const name = k->o->by == 0 ? u->speaker : u->id;
    if (name == NULL)
      return sn_fail(k->err, SN_EARG,
                     "utterance '%s' has no speaker (utt2spk); use "
                     "--by=utterance",
                     u->id);
    int32_t id = 0;
    SN_TRY(sn_symtab_add(k->names, name, strlen(name), &id, k->err));
    SN_TRY(SN_ARR_PUSH(&k->of, id, k->err));
    if ((size_t)id == k->units.n) {
      const unit fresh = {sn_symtab_get(k->names, id), 0};
      SN_TRY(SN_ARR_PUSH(&k->units, fresh, k->err));
      SN_TRY(SN_ARR_PUSH(&k->order, (size_t)id, k->err));
    }
    const double length = sn_corpus_length_s(c, u);
    if (length > 0) k->units.data[id].length_s += length;
  }
  return SN_OK;
}

static sn_status take_list(choice *k) {
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(k->o->list, &r, k->err));
  sn_status s = SN_OK;
  for (;;) {
    sn_span line, name, extra;
    bool more = false;
    SN_TRY_GOTO(s, sn_read_line(r, &line, &more, k->err));
    if (!more) break;
    if (!sn_next_field(&line, &name)) continue;
    const int32_t id = sn_symtab_find(k->names, name.p, name.n);
    if (sn_next_field(&line, &extra))
      SN_TRY_GOTO(s, sn_reader_fail(r, k->err, "expected one name in a line"));
    if (id < 0)
      SN_TRY_GOTO(s, sn_reader_fail(r, k->err, "the corpus has no %s '%.*s'",
                                    k->o->by == 0 ? "speaker" : "utterance",
                                    (int)name.n, name.p));
    k->on[id] = true;
  }
fail:
  sn_reader_destroy(r);
  return s;
}

static sn_status take_some(choice *k) {
  const size_t n = k->units.n;
  SN_TRY(sort_units(k, by_name));
  if (k->o->order == 2) SN_TRY(sort_units(k, by_length));
  if (k->o->order == 0) {
    sn_rng rng;
    sn_rng_init(&rng, (uint64_t)k->o->seed);
    for (size_t i = n; i > 1; i--) {
      const size_t j = sn_rng_below(&rng, (uint32_t)i);
      const size_t t = k->order.data[i - 1];
      k->order.data[i - 1] = k->order.data[j];
      k->order.data[j] = t;
    }
  }
  size_t want = k->o->n > 0 ? (size_t)k->o->n
                            : (size_t)llround(k->o->fraction * (double)n);
  if (k->o->hours > 0 && k->o->n == 0) want = n;
  if (want > n)
    return sn_fail(k->err, SN_EARG, "%zu %ss are wanted, but there are %zu",
                   want, k->o->by == 0 ? "speaker" : "utterance", n);
  double total = 0;
  for (size_t i = 0; i < want; i++) {
    if (k->o->hours > 0 && total >= 3600 * k->o->hours) break;
    k->on[k->order.data[i]] = true;
    total += k->units.data[k->order.data[i]].length_s;
  }
  return SN_OK;
}

/* Of each speaker the first per_speaker utterances by name. */
static sn_status limit(const choice *k, bool *chosen) {
  if (k->o->per_speaker <= 0) return SN_OK;
  const sn_corpus *const c = k->c;
  size_t *order = NULL;
  sn_symtab *speakers = NULL;
  sn_arr_i32 n = {NULL, 0, 0};
  sn_status s = SN_OK;
  SN_TRY_GOTO(s, sni_corpus_sorted(c, &order, k->err));
  SN_TRY_GOTO(s, sn_symtab_create(&speakers, k->err));
  for (size_t i = 0; i < c->utts.n; i++) {
    const sn_corpus_utt *const u = &c->utts.data[order[i]];
    if (!chosen[order[i]]) continue;
    const char *const name = u->speaker != NULL ? u->speaker : "";
    int32_t id = 0;
    SN_TRY_GOTO(s, sn_symtab_add(speakers, name, strlen(name), &id, k->err));
    if ((size_t)id == n.n) SN_TRY_GOTO(s, SN_ARR_PUSH(&n, 0, k->err));
    chosen[order[i]] = n.data[id]++ < k->o->per_speaker;
  }
fail:
  sn_free(order);
  sn_symtab_destroy(speakers);
  SN_ARR_FREE(&n);
  return s;
}

sn_status sn_corpus_choose(const sn_corpus *c, const sn_corpus_split_opts *opts,
                           bool *chosen, sn_err *err) {
  choice k = {.c = c, .o = opts, .err = err};
  size_t n = 0;
  sn_status s = SN_OK;
  SN_TRY_GOTO(s, sn_symtab_create(&k.names, err));
  SN_TRY_GOTO(s, gather(&k));
  k.on = sn_calloc(k.units.n, sizeof *k.on);
  if (k.on == NULL) SN_TRY_GOTO(s, sn_fail_nomem(err, "corpus"));
  SN_TRY_GOTO(s, opts->list[0] != '\0' ? take_list(&k) : take_some(&k));
  for (size_t i = 0; i < c->utts.n; i++) chosen[i] = k.on[k.of.data[i]];
  SN_TRY_GOTO(s, limit(&k, chosen));
  for (size_t i = 0; i < c->utts.n; i++) n += chosen[i];
  if (n == 0)
    s = sn_fail(err, SN_EARG, "no utterance is chosen of the %zu there are",
                c->utts.n);
fail:
  sn_symtab_destroy(k.names);
  SN_ARR_FREE(&k.of);
  SN_ARR_FREE(&k.units);
  SN_ARR_FREE(&k.order);
  sn_free(k.on);
  return s;
}
