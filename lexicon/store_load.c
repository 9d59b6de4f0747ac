/* SPDX-License-Identifier: Apache-2.0 */
/* From the store to memory.
 *
 * An en-us store has 135 thousand pronunciations; loading them is what every
 * start of the program may do, so it is one pass over the table in order of
 * its ids, one hash look-up per phone, and a counting sort at the end. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lexicon/formats.h"
#include "lexicon/store_internal.h"

typedef struct loading {
  sn_store *st;
  sn_lexicon *lex;
  sn_symtab *known;   /* the table of phones, ids in its order */
  sn_arr_i32 lex_ids; /* [known] id in lex->phones, -1 before the first use */
  uint64_t sum;
} loading;

static sn_status load_phones(loading *l, sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(
      sni_store_prepare(l->st, "SELECT name FROM phone ORDER BY id", &q, err));
  bool row = true;
  sn_status s = SN_OK;
  while (s == SN_OK) {
    s = sni_store_step(l->st, q, &row, err);
    if (s != SN_OK || !row) break;
    const char *const name = sni_store_text(q, 0);
    int32_t id;
    s = sn_symtab_add(l->known, name, strlen(name), &id, err);
    if (s == SN_OK && (size_t)id == l->lex_ids.n)
      s = SN_ARR_PUSH(&l->lex_ids, -1, err);
  }
  sqlite3_finalize(q);
  return s;
}

static sn_status damaged_row(loading *l, int64_t id, sn_err *err,
                             const char *what, const char *detail) {
  return sn_fail(err, SN_EFORMAT,
                 "%s: row %lld of table pron: %s '%.60s'; the store is "
                 "damaged, import the dictionary again",
                 l->st->path, (long long)id, what, detail);
}

static sn_status add_phones(loading *l, int64_t id, const char *phones,
                            sn_err *err) {
  sn_span rest = sn_span_of(phones), name;
  while (sn_next_field_sep(&rest, ' ', &name)) {
    const int32_t k = sn_symtab_find(l->known, name.p, name.n);
    if (k < 0)
      return damaged_row(l, id, err,
                         "a phone that table phone does not have:", phones);
    int32_t *const to = &l->lex_ids.data[k];
    if (*to < 0) SN_TRY(sn_symtab_add(l->lex->phones, name.p, name.n, to, err));
    SN_TRY(SN_ARR_PUSH(&l->lex->phone_ids, *to, err));
  }
  return SN_OK;
}

static sn_status load_row(loading *l, sqlite3_stmt *q, sn_err *err) {
  const char *const word = sni_store_text(q, 0);
  const char *const phones = sni_store_text(q, 1);
  const double prob = sqlite3_column_double(q, 2);
  const char *const state = sni_store_text(q, 3);
  const int64_t id = sqlite3_column_int64(q, 4);
  l->sum += sni_store_row_sum(id, word, phones, prob, state);
  if (word[0] == '\0')
    return damaged_row(l, id, err, "it has no word:", phones);
  if (!(prob > 0.0 && prob <= 1.0))
    return damaged_row(l, id, err, "its probability is not in (0, 1], word",
                       word);
  if (strcmp(state, "rejected") == 0) return SN_OK;
  if (strcmp(state, "approved") != 0 && strcmp(state, "guessed") != 0)
    return damaged_row(l, id, err, "unknown state", state);
  sn_lexicon *const lex = l->lex;
  const size_t first = lex->phone_ids.n;
  SN_TRY(add_phones(l, id, phones, err));
  if (lex->phone_ids.n == first)
    return damaged_row(l, id, err, "no phones, word", word);
  if (lex->phone_ids.n > INT32_MAX || lex->prons.n >= INT32_MAX)
    return sn_fail(err, SN_ELIMIT, "%s: more than %d phones in all",
                   l->st->path, INT32_MAX);
  sn_pron p = {.first = (int32_t)first,
               .n_phones = (int32_t)(lex->phone_ids.n - first),
               .logp = prob == 1.0 ? 0.0f : (float)log(prob)};
  SN_TRY(sn_symtab_add(lex->words, word, strlen(word), &p.word, err));
  return SN_ARR_PUSH(&lex->prons, p, err);
}

static sn_status load_rows(loading *l, sn_err *err) {
  sqlite3_stmt *q = NULL;
  /* A left join: a row whose word is gone must be noticed, not passed over. */
  SN_TRY(sni_store_prepare(l->st,
                           "SELECT w.name, p.phones, p.prob, p.state, p.id "
                           "FROM pron p LEFT JOIN word w ON w.id = p.word_id "
                           "ORDER BY p.id",
                           &q, err));
  bool row = true;
  sn_status s = SN_OK;
  while (s == SN_OK) {
    s = sni_store_step(l->st, q, &row, err);
    if (s != SN_OK || !row) break;
    s = load_row(l, q, err);
  }
  sqlite3_finalize(q);
  return s;
}

static sn_status load_all(loading *l, sn_err *err) {
  uint64_t want;
  SN_TRY(sni_store_get_sum(l->st, &want, err));
  SN_TRY(load_phones(l, err));
  SN_TRY(load_rows(l, err));
  if (l->sum != want)
    return sn_fail(err, SN_EFORMAT,
                   "%s: table pron does not match its checksum (content_sum): "
                   "the file was altered, or edited by another program; "
                   "restore it, or import the dictionary again",
                   l->st->path);
  return sn_lexicon_group(l->lex, err);
}

static sn_status load_once(sn_store *st, sn_lexicon *lex, sn_err *err) {
  loading l = {.st = st, .lex = lex};
  sn_status s = sn_lexicon_init(lex, err);
  if (s == SN_OK) s = sn_symtab_create(&l.known, err);
  /* One snapshot for all the statements, where there are writers. */
  if (s == SN_OK) s = sni_store_exec(st, "BEGIN", err);
  if (s == SN_OK) {
    s = load_all(&l, err);
    (void)sqlite3_exec(st->db, "COMMIT", NULL, NULL, NULL);
  }
  sn_symtab_destroy(l.known);
  SN_ARR_FREE(&l.lex_ids);
  if (s != SN_OK) sn_lexicon_clear(lex);
  return s;
}

sn_status sn_store_load(sn_store *st, sn_lexicon *lex, sn_err *err) {
  SN_ASSERT(st != NULL && lex != NULL);
  *lex = (sn_lexicon){0};
  sn_err first = {0};
  sn_status s = load_once(st, lex, &first);
  const sni_stamp after = sni_stamp_of(st->path);
  if (!st->is_immutable || sni_stamp_same(&st->stamp, &after)) {
    if (s != SN_OK) (void)sn_fail(err, s, "%s", first.msg);
    return s;
  }
  /* A writer was there while we read without locks: again, with them. */
  sn_lexicon_clear(lex);
  sn_store *again = NULL;
  s = sn_store_open(st->path, SN_STORE_EDIT, &again, err);
  if (s == SN_OK) s = load_once(again, lex, err);
  sn_store_destroy(again);
  return s;
}

sn_status sn_lexicon_load(const char *path, sn_log *log, sn_lexicon *lex,
                          sn_err *err) {
  SN_ASSERT(path != NULL && lex != NULL);
  *lex = (sn_lexicon){0};
  bool is_store;
  SN_TRY(sn_store_is_store(path, &is_store, err));
  if (!is_store) return sn_lexicon_read_text(path, NULL, log, lex, NULL, err);
  sn_store *st = NULL;
  SN_TRY(sn_store_open(path, SN_STORE_READ, &st, err));
  const sn_status s = sn_store_load(st, lex, err);
  sn_store_destroy(st);
  return s;
}
