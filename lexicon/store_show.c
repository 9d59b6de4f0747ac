/* SPDX-License-Identifier: Apache-2.0 */
/* What looks into the store without changing it. */
#include <math.h>
#include <string.h>

#include "lexicon/nearest.h"
#include "lexicon/store_internal.h"

enum { MAX_WORD_EDITS = 2 };

static bool parse_state(const char *text, sn_entry_state *out) {
  for (int i = SN_ENTRY_APPROVED; i <= SN_ENTRY_REJECTED; i++)
    if (strcmp(text, sn_entry_state_name((sn_entry_state)i)) == 0) {
      *out = (sn_entry_state)i;
      return true;
    }
  return false;
}

static bool parse_kind(const char *text, sn_source_kind *out) {
  for (int i = SN_SOURCE_BASE; i <= SN_SOURCE_G2P; i++)
    if (strcmp(text, sn_source_kind_name((sn_source_kind)i)) == 0) {
      *out = (sn_source_kind)i;
      return true;
    }
  return false;
}

static sn_status give_entry(sn_store *st, sqlite3_stmt *q,
                            sn_store_entry_fn *fn, void *user, sn_err *err) {
  sn_store_entry e = {.word = sni_store_text(q, 0),
                      .phones = sni_store_text(q, 1),
                      .prob = sqlite3_column_double(q, 2),
                      .source_name = sni_store_text(q, 5),
                      .score = sqlite3_column_type(q, 6) == SQLITE_NULL
                                   ? (double)NAN
                                   : sqlite3_column_double(q, 6),
                      .at = sni_store_text(q, 7),
                      .note = sni_store_text(q, 8)};
  if (!parse_state(sni_store_text(q, 3), &e.state) ||
      !parse_kind(sni_store_text(q, 4), &e.source))
    return sn_fail(err, SN_EFORMAT,
                   "%s: word '%s': unknown state '%s' or source '%s'; the "
                   "store is damaged",
                   st->path, e.word, sni_store_text(q, 3),
                   sni_store_text(q, 4));
  return fn(user, &e, err);
}

sn_status sn_store_visit(sn_store *st, const char *word, sn_store_entry_fn *fn,
                         void *user, int64_t *n, sn_err *err) {
  SN_ASSERT(st != NULL && fn != NULL);
#define VISIT_SQL                                                       \
  "SELECT w.name, p.phones, p.prob, p.state, s.kind, s.name, p.score, " \
  "e.at, e.note FROM pron p JOIN word w ON w.id=p.word_id "             \
  "LEFT JOIN source s ON s.id=p.source_id "                             \
  "LEFT JOIN event e ON e.id=p.event_id "
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(st,
                           word == NULL ? VISIT_SQL "ORDER BY p.id"
                                        : VISIT_SQL
                               "WHERE w.name=?1 ORDER BY p.id",
                           &q, err));
  if (word != NULL) sni_store_bind_text(q, 1, word);
  int64_t count = 0;
  bool row = true;
  sn_status s = SN_OK;
  while (s == SN_OK) {
    s = sni_store_step(st, q, &row, err);
    if (s != SN_OK || !row) break;
    s = give_entry(st, q, fn, user, err);
    count++;
  }
  sqlite3_finalize(q);
  if (n != NULL) *n = count;
  return s;
}

sn_status sn_store_history(sn_store *st, const char *word,
                           sn_store_event_fn *fn, void *user, sn_err *err) {
  SN_ASSERT(st != NULL && fn != NULL);
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(
      st,
      word == NULL
          ? "SELECT at, action, word, phones, note FROM event ORDER BY id"
          : "SELECT at, action, word, phones, note FROM event WHERE word=?1 "
            "ORDER BY id",
      &q, err));
  if (word != NULL) sni_store_bind_text(q, 1, word);
  bool row = true;
  sn_status s = SN_OK;
  while (s == SN_OK) {
    s = sni_store_step(st, q, &row, err);
    if (s != SN_OK || !row) break;
    const sn_store_event e = {.at = sni_store_text(q, 0),
                              .action = sni_store_text(q, 1),
                              .word = sqlite3_column_type(q, 2) == SQLITE_NULL
                                          ? NULL
                                          : sni_store_text(q, 2),
                              .phones = sqlite3_column_type(q, 3) == SQLITE_NULL
                                            ? NULL
                                            : sni_store_text(q, 3),
                              .note = sni_store_text(q, 4)};
    s = fn(user, &e, err);
  }
  sqlite3_finalize(q);
  return s;
}

sn_status sn_store_nearest_words(sn_store *st, const char *word, sn_str *out,
                                 sn_err *err) {
  SN_ASSERT(st != NULL && word != NULL && out != NULL);
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(st, "SELECT name FROM word ORDER BY id", &q, err));
  sn_nearest near;
  /* A short word is two edits from half of the dictionary. */
  sn_nearest_init(&near, word, strlen(word) > 4 ? MAX_WORD_EDITS : 1);
  bool row = true;
  sn_status s;
  while ((s = sni_store_step(st, q, &row, err)) == SN_OK && row)
    sn_nearest_offer(&near, sni_store_text(q, 0));
  sqlite3_finalize(q);
  return s == SN_OK ? sn_nearest_say(&near, out, err) : s;
}

sn_status sn_store_check(sn_store *st, sn_err *err) {
  SN_ASSERT(st != NULL);
  sqlite3_stmt *q = NULL;
  bool row;
  SN_TRY(sni_store_prepare(st, "PRAGMA integrity_check(1)", &q, err));
  sn_status s = sni_store_step(st, q, &row, err);
  if (s == SN_OK && (!row || strcmp(sni_store_text(q, 0), "ok") != 0))
    s = sn_fail(err, SN_EFORMAT, "%s: the database is damaged: %.300s",
                st->path, sni_store_text(q, 0));
  sqlite3_finalize(q);
  if (s != SN_OK) return s;
  SN_TRY(sni_store_prepare(st, "PRAGMA foreign_key_check", &q, err));
  s = sni_store_step(st, q, &row, err);
  if (s == SN_OK && row)
    s = sn_fail(err, SN_EFORMAT,
                "%s: row %lld of table %s refers to no row of table %s",
                st->path, (long long)sqlite3_column_int64(q, 1),
                sni_store_text(q, 0), sni_store_text(q, 2));
  sqlite3_finalize(q);
  if (s != SN_OK) return s;
  sn_lexicon lex;
  s = sn_store_load(st, &lex, err);
  sn_lexicon_clear(&lex);
  return s;
}
