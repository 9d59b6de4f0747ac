/* SPDX-License-Identifier: Apache-2.0 */
/* What changes the store: import, add, remove.
 *
 * Each public function is one transaction:
 *   1. begin (BEGIN IMMEDIATE: the writer's lock is taken at once);
 *   2. note the event, which gives the id that the rows refer to;
 *   3. change rows, and the content checksum by the difference they make;
 *   4. commit, or undo everything.
 * Phones are kept as text, not as ids: the file can be read with any SQLite
 * tool, and equal pronunciations are found by the index over (word, phones). */
#include <math.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "lexicon/formats.h"
#include "lexicon/nearest.h"
#include "lexicon/store_internal.h"

enum { MAX_PHONE_EDITS = 2, MAX_LISTED = 4 };

typedef struct edit {
  sn_store *st;
  sqlite3_stmt *find_word, *new_word, *find_pron, *new_pron, *set_pron,
      *find_phone, *new_phone;
  int64_t event_id, source_id;
  uint64_t sum;
  bool new_phones;
} edit;

/* ---- 1, 4: around an edit ---- */

static void edit_close(edit *e) {
  sqlite3_stmt *const all[] = {e->find_word, e->new_word, e->find_pron,
                               e->new_pron,  e->set_pron, e->find_phone,
                               e->new_phone};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    (void)sqlite3_finalize(all[i]);
}

static sn_status edit_open(edit *e, sn_store *st, sn_err *err) {
  const struct {
    sqlite3_stmt **to;
    const char *sql;
  } all[] = {
      {&e->find_word, "SELECT id FROM word WHERE name=?1"},
      {&e->new_word, "INSERT INTO word(name) VALUES(?1)"},
      {&e->find_pron,
       "SELECT id, prob, state FROM pron WHERE word_id=?1 AND phones=?2"},
      {&e->new_pron,
       "INSERT INTO pron(word_id, phones, prob, state, source_id, score, "
       "event_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&e->set_pron,
       "UPDATE pron SET prob=?2, state=?3, event_id=?4 "
       "WHERE id=?1"},
      {&e->find_phone, "SELECT id FROM phone WHERE name=?1"},
      {&e->new_phone, "INSERT INTO phone(name) VALUES(?1)"}};
  *e = (edit){.st = st};
  SN_TRY(sni_store_begin(st, err));
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < sizeof all / sizeof all[0]; i++)
    s = sni_store_prepare(st, all[i].sql, all[i].to, err);
  if (s == SN_OK) s = sni_store_get_sum(st, &e->sum, err);
  if (s == SN_OK) return SN_OK;
  edit_close(e);
  return sni_store_end(st, s, err);
}

static sn_status edit_end(edit *e, sn_status s, sn_err *err) {
  if (s == SN_OK) s = sni_store_set_sum(e->st, e->sum, err);
  edit_close(e);
  return sni_store_end(e->st, s, err);
}

/* ---- 2: events and sources ---- */

static sn_status note_event(sn_store *st, const char *action, const char *word,
                            const char *phones, const char *note, int64_t *id,
                            sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(
      st,
      "INSERT INTO event(at, action, word, phones, note) "
      "VALUES(strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?1, ?2, ?3, ?4)",
      &q, err));
  sni_store_bind_text(q, 1, action);
  sni_store_bind_text(q, 2, word);
  sni_store_bind_text(q, 3, phones);
  sni_store_bind_text(q, 4, note == NULL ? "" : note);
  const sn_status s = sni_store_run(st, q, err);
  sqlite3_finalize(q);
  if (id != NULL) *id = sqlite3_last_insert_rowid(st->db);
  return s;
}

static sn_status need_source(sn_store *st, sn_source_kind kind,
                             const char *name, int64_t *id, sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(
      st, "INSERT OR IGNORE INTO source(kind, name) VALUES(?1, ?2)", &q, err));
  sni_store_bind_text(q, 1, sn_source_kind_name(kind));
  sni_store_bind_text(q, 2, name);
  sn_status s = sni_store_run(st, q, err);
  sqlite3_finalize(q);
  if (s != SN_OK) return s;
  SN_TRY(sni_store_prepare(
      st, "SELECT id FROM source WHERE kind=?1 AND name=?2", &q, err));
  sni_store_bind_text(q, 1, sn_source_kind_name(kind));
  sni_store_bind_text(q, 2, name);
  bool row;
  s = sni_store_step(st, q, &row, err);
  if (s == SN_OK && !row)
    s = sn_fail(err, SN_EFORMAT, "%s: source '%s' cannot be found again",
                st->path, name);
  if (s == SN_OK) *id = sqlite3_column_int64(q, 0);
  sqlite3_finalize(q);
  return s;
}

/* ---- 3: rows ---- */

/* Id of what a one-column query over a name finds; -1 for none. */
static sn_status find_id(sn_store *st, sqlite3_stmt *q, const char *name,
                         int64_t *id, sn_err *err) {
  (void)sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
  bool row;
  const sn_status s = sni_store_step(st, q, &row, err);
  *id = s == SN_OK && row ? sqlite3_column_int64(q, 0) : -1;
  (void)sqlite3_reset(q);
  (void)sqlite3_clear_bindings(q);
  return s;
}

static sn_status has_phones(sn_store *st, bool *yes, sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(st, "SELECT 1 FROM phone LIMIT 1", &q, err));
  const sn_status s = sni_store_step(st, q, yes, err);
  sqlite3_finalize(q);
  return s;
}

static sn_status refuse_phone(edit *e, const char *word, const char *phone,
                              sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(
      sni_store_prepare(e->st, "SELECT name FROM phone ORDER BY id", &q, err));
  sn_nearest near;
  sn_nearest_init(&near, phone, MAX_PHONE_EDITS);
  bool row = true;
  sn_status s = SN_OK;
  while ((s = sni_store_step(e->st, q, &row, err)) == SN_OK && row)
    sn_nearest_offer(&near, sni_store_text(q, 0));
  sqlite3_finalize(q);
  sn_str hint = {0};
  if (s == SN_OK) s = sn_nearest_say(&near, &hint, err);
  if (s == SN_OK)
    s = sn_fail(err, SN_EMISMATCH,
                "%s: word '%s': the lexicon has no phone '%s'%s (new phones "
                "need --new-phones)",
                e->st->path, word, phone, sn_str_get(&hint));
  sn_str_clear(&hint);
  return s;
}

static sn_status need_phone(edit *e, const char *word, const char *phone,
                            bool *is_new, sn_err *err) {
  int64_t id;
  SN_TRY(find_id(e->st, e->find_phone, phone, &id, err));
  *is_new = id < 0;
  if (id >= 0) return SN_OK;
  if (!e->new_phones) return refuse_phone(e, word, phone, err);
  (void)sqlite3_bind_text(e->new_phone, 1, phone, -1, SQLITE_STATIC);
  return sni_store_run(e->st, e->new_phone, err);
}

static sn_status need_word(edit *e, const char *word, int64_t *id, bool *is_new,
                           sn_err *err) {
  SN_TRY(find_id(e->st, e->find_word, word, id, err));
  *is_new = *id < 0;
  if (*id >= 0) return SN_OK;
  (void)sqlite3_bind_text(e->new_word, 1, word, -1, SQLITE_STATIC);
  SN_TRY(sni_store_run(e->st, e->new_word, err));
  *id = sqlite3_last_insert_rowid(e->st->db);
  return SN_OK;
}

typedef struct found_pron {
  int64_t id; /* -1: none */
  double prob;
  char state[16];
} found_pron;

static sn_status find_pron(edit *e, int64_t word_id, const char *phones,
                           found_pron *f, sn_err *err) {
  sqlite3_stmt *const q = e->find_pron;
  (void)sqlite3_bind_int64(q, 1, word_id);
  (void)sqlite3_bind_text(q, 2, phones, -1, SQLITE_STATIC);
  *f = (found_pron){.id = -1};
  bool row;
  const sn_status s = sni_store_step(e->st, q, &row, err);
  if (s == SN_OK && row) {
    const char *const state = sni_store_text(q, 2);
    const size_t n = strlen(state);
    f->id = sqlite3_column_int64(q, 0);
    f->prob = sqlite3_column_double(q, 1);
    memcpy(f->state, state, n < sizeof f->state ? n : sizeof f->state - 1);
  }
  (void)sqlite3_reset(q);
  return s;
}

static sn_status insert_pron(edit *e, int64_t word_id, const char *word,
                             const char *phones, double prob, const char *state,
                             double score, sn_err *err) {
  sqlite3_stmt *const q = e->new_pron;
  (void)sqlite3_bind_int64(q, 1, word_id);
  (void)sqlite3_bind_text(q, 2, phones, -1, SQLITE_STATIC);
  (void)sqlite3_bind_double(q, 3, prob);
  (void)sqlite3_bind_text(q, 4, state, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(q, 5, e->source_id);
  if (isnan(score))
    (void)sqlite3_bind_null(q, 6);
  else
    (void)sqlite3_bind_double(q, 6, score);
  (void)sqlite3_bind_int64(q, 7, e->event_id);
  SN_TRY(sni_store_run(e->st, q, err));
  e->sum += sni_store_row_sum(sqlite3_last_insert_rowid(e->st->db), word,
                              phones, prob, state);
  return SN_OK;
}

static sn_status change_pron(edit *e, const found_pron *f, const char *word,
                             const char *phones, double prob, const char *state,
                             const char *note, sn_err *err) {
  sn_str text = {0};
  sn_status s =
      sn_str_addf(&text, err, "%.6g %s -> %.6g %s%s%s", f->prob, f->state, prob,
                  state, note == NULL ? "" : "; ", note == NULL ? "" : note);
  int64_t event_id = 0;
  if (s == SN_OK)
    s = note_event(e->st, "change", word, phones, sn_str_get(&text), &event_id,
                   err);
  sn_str_clear(&text);
  if (s != SN_OK) return s;
  sqlite3_stmt *const q = e->set_pron;
  (void)sqlite3_bind_int64(q, 1, f->id);
  (void)sqlite3_bind_double(q, 2, prob);
  (void)sqlite3_bind_text(q, 3, state, -1, SQLITE_STATIC);
  (void)sqlite3_bind_int64(q, 4, event_id);
  SN_TRY(sni_store_run(e->st, q, err));
  e->sum -= sni_store_row_sum(f->id, word, phones, f->prob, f->state);
  e->sum += sni_store_row_sum(f->id, word, phones, prob, state);
  return SN_OK;
}

/* ---- Import ---- */

static sn_status import_phones(edit *e, const sn_lexicon *lex,
                               sn_import_stats *n, sn_err *err) {
  const int32_t n_phones = sn_symtab_n(lex->phones);
  bool *const seen = sn_calloc((size_t)n_phones + 1, sizeof *seen);
  if (seen == NULL) return sn_fail_nomem(err, e->st->path);
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < lex->prons.n; i++) {
    const int32_t *const ids = sn_lexicon_phones(lex, (int32_t)i);
    for (int32_t k = 0; s == SN_OK && k < lex->prons.data[i].n_phones; k++) {
      if (seen[ids[k]]) continue;
      bool is_new;
      seen[ids[k]] = true;
      s = need_phone(e, sn_symtab_get(lex->words, lex->prons.data[i].word),
                     sn_symtab_get(lex->phones, ids[k]), &is_new, err);
      n->n_phones += s == SN_OK && is_new;
    }
  }
  sn_free(seen);
  return s;
}

static sn_status phones_text(const sn_lexicon *lex, int32_t pron, sn_str *out,
                             sn_err *err) {
  const int32_t *const ids = sn_lexicon_phones(lex, pron);
  sn_str_reset(out);
  for (int32_t k = 0; k < lex->prons.data[pron].n_phones; k++) {
    if (k > 0) SN_TRY(sn_str_add(out, " ", 1, err));
    SN_TRY(sn_str_adds(out, sn_symtab_get(lex->phones, ids[k]), err));
  }
  return SN_OK;
}

static sn_status import_pron(edit *e, const sn_lexicon *lex, int32_t pron,
                             const sn_import_opts *o, int64_t word_id,
                             sn_str *phones, sn_import_stats *n, sn_err *err) {
  const sn_pron *const p = &lex->prons.data[pron];
  const char *const word = sn_symtab_get(lex->words, p->word);
  /* exp of the float that log gave: 0.3 comes back as 0.30000000595, and
   * is written with six digits as 0.3 again. */
  const double prob = p->logp == 0.0f ? 1.0 : exp((double)p->logp);
  SN_TRY(phones_text(lex, pron, phones, err));
  found_pron f;
  SN_TRY(find_pron(e, word_id, sn_str_get(phones), &f, err));
  if (f.id < 0) {
    n->n_added++;
    return insert_pron(e, word_id, word, sn_str_get(phones), prob,
                       sn_entry_state_name(o->state), (double)NAN, err);
  }
  if (prob == 1.0 || fabs(prob - f.prob) < 1e-6) {
    n->n_present++;
    return SN_OK;
  }
  n->n_changed++;
  return change_pron(e, &f, word, sn_str_get(phones), prob, f.state,
                     o->source_name, err);
}

static sn_status import_words(edit *e, const sn_lexicon *lex,
                              const sn_import_opts *o, sn_log *log,
                              sn_import_stats *n, sn_err *err) {
  sn_str phones = {0};
  sn_status s = SN_OK;
  const int32_t n_words = sn_symtab_n(lex->words);
  for (int32_t w = 0; s == SN_OK && w < n_words; w++) {
    int32_t first;
    const int32_t n_prons = sn_lexicon_prons(lex, w, &first);
    if (n_prons == 0) continue;
    if (sn_log_cancelled(log)) s = sn_fail(err, SN_ECANCEL, "interrupted");
    int64_t word_id = 0;
    bool is_new = false;
    if (s == SN_OK)
      s = need_word(e, sn_symtab_get(lex->words, w), &word_id, &is_new, err);
    n->n_words += s == SN_OK && is_new;
    for (int32_t i = 0; s == SN_OK && i < n_prons; i++)
      s = import_pron(e, lex, first + i, o, word_id, &phones, n, err);
    sn_log_progress(log, "importing", "words", w + 1, n_words, false);
  }
  sn_log_progress(log, "importing", "words", n_words, n_words, true);
  sn_str_clear(&phones);
  return s;
}

static sn_status set_event_note(sn_store *st, int64_t id, const char *note,
                                sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(
      sni_store_prepare(st, "UPDATE event SET note=?2 WHERE id=?1", &q, err));
  (void)sqlite3_bind_int64(q, 1, id);
  sni_store_bind_text(q, 2, note);
  const sn_status s = sni_store_run(st, q, err);
  sqlite3_finalize(q);
  return s;
}

sn_status sn_store_import(sn_store *st, const sn_lexicon *lex,
                          const sn_import_opts *opts, sn_log *log,
                          sn_import_stats *stats, sn_err *err) {
  SN_ASSERT(st != NULL && lex != NULL && opts != NULL &&
            opts->source_name != NULL);
  SN_ASSERT(lex->first_pron.n > 0); /* grouped */
  sn_import_stats n = {0};
  edit e;
  SN_TRY(edit_open(&e, st, err));
  bool is_known = false; /* whether there is a phone set to be held to */
  sn_status s = has_phones(st, &is_known, err);
  e.new_phones = opts->new_phones || !is_known;
  if (s == SN_OK)
    s = need_source(st, opts->source, opts->source_name, &e.source_id, err);
  if (s == SN_OK)
    s = note_event(st, "import", NULL, NULL, NULL, &e.event_id, err);
  if (s == SN_OK) s = import_phones(&e, lex, &n, err);
  if (s == SN_OK) s = import_words(&e, lex, opts, log, &n, err);
  sn_str note = {0};
  if (s == SN_OK)
    s = sn_str_addf(&note, err,
                    "%s: %lld added, %lld already there, %lld with another "
                    "probability",
                    opts->source_name, (long long)n.n_added,
                    (long long)n.n_present, (long long)n.n_changed);
  if (s == SN_OK) s = set_event_note(st, e.event_id, sn_str_get(&note), err);
  sn_str_clear(&note);
  s = edit_end(&e, s, err);
  if (s == SN_OK && stats != NULL) *stats = n;
  return s;
}

/* ---- Add ---- */

static sn_status check_entry(const sn_store *st, const sn_store_entry *en,
                             sn_err *err) {
  const size_t n = strlen(en->word);
  size_t bad;
  if (n == 0 || strpbrk(en->word, " \t\r\n") != NULL)
    return sn_fail(err, SN_EARG,
                   "%s: a word has at least one character and no blanks; "
                   "'%s' does not",
                   st->path, en->word);
  if (!sn_utf8_valid(en->word, n, &bad) ||
      !sn_utf8_valid(en->phones, strlen(en->phones), &bad))
    return sn_fail(err, SN_EARG, "%s: word or phones are not UTF-8 (byte %zu)",
                   st->path, bad + 1);
  if (sn_lex_base_length(en->word, n) != n)
    return sn_fail(err, SN_EARG,
                   "%s: '%s': give the word without its number; further "
                   "pronunciations are numbered by themselves",
                   st->path, en->word);
  if (!(en->prob > 0.0 && en->prob <= 1.0))
    return sn_fail(err, SN_EARG,
                   "%s: word '%s': probability %g is not above 0 and at most 1",
                   st->path, en->word, en->prob);
  return SN_OK;
}

/* Checks each phone, and joins them by one blank. */
static sn_status take_phones(edit *e, const sn_store_entry *en, sn_str *out,
                             sn_err *err) {
  sn_span rest = sn_span_of(en->phones), field;
  sn_str one = {0};
  sn_status s = SN_OK;
  while (s == SN_OK && sn_next_field(&rest, &field)) {
    bool is_new;
    sn_str_reset(&one);
    s = sn_str_add(&one, field.p, field.n, err);
    if (s == SN_OK) s = need_phone(e, en->word, sn_str_get(&one), &is_new, err);
    if (s == SN_OK && out->n > 0) s = sn_str_add(out, " ", 1, err);
    if (s == SN_OK) s = sn_str_add(out, field.p, field.n, err);
  }
  sn_str_clear(&one);
  if (s == SN_OK && out->n == 0)
    s = sn_fail(err, SN_EARG, "%s: word '%s' was given no phones", e->st->path,
                en->word);
  return s;
}

static sn_status add_entry(edit *e, const sn_store_entry *en,
                           const char *phones, sn_add_result *result,
                           sn_err *err) {
  int64_t word_id;
  bool is_new;
  found_pron f;
  const char *const state = sn_entry_state_name(en->state);
  SN_TRY(need_word(e, en->word, &word_id, &is_new, err));
  SN_TRY(find_pron(e, word_id, phones, &f, err));
  if (f.id >= 0) {
    const bool is_same = f.prob == en->prob && strcmp(f.state, state) == 0;
    *result = is_same ? SN_ADD_PRESENT : SN_ADD_CHANGED;
    if (is_same) return SN_OK;
    return change_pron(e, &f, en->word, phones, en->prob, state, en->note, err);
  }
  *result = SN_ADD_NEW;
  SN_TRY(need_source(e->st, en->source, en->source_name, &e->source_id, err));
  SN_TRY(
      note_event(e->st, "add", en->word, phones, en->note, &e->event_id, err));
  return insert_pron(e, word_id, en->word, phones, en->prob, state, en->score,
                     err);
}

sn_status sn_store_add(sn_store *st, const sn_store_entry *entry,
                       bool new_phones, sn_add_result *result, sn_err *err) {
  SN_ASSERT(st != NULL && entry != NULL && result != NULL);
  SN_ASSERT(entry->word != NULL && entry->phones != NULL &&
            entry->source_name != NULL);
  *result = SN_ADD_PRESENT;
  SN_TRY(check_entry(st, entry, err));
  edit e;
  SN_TRY(edit_open(&e, st, err));
  e.new_phones = new_phones;
  sn_str phones = {0};
  sn_status s = take_phones(&e, entry, &phones, err);
  if (s == SN_OK) s = add_entry(&e, entry, sn_str_get(&phones), result, err);
  s = edit_end(&e, s, err);
  sn_str_clear(&phones);
  return s;
}

/* ---- Remove ---- */

typedef struct doomed {
  int64_t id;
  double prob;
  char *phones, *state;
} doomed;
typedef SN_ARR(doomed) doomed_list;

static sn_status collect(sn_store *st, int64_t word_id, doomed_list *out,
                         sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(
      st,
      "SELECT id, prob, phones, state FROM pron WHERE word_id=?1 ORDER BY id",
      &q, err));
  (void)sqlite3_bind_int64(q, 1, word_id);
  bool row = true;
  sn_status s = SN_OK;
  while (s == SN_OK) {
    s = sni_store_step(st, q, &row, err);
    if (s != SN_OK || !row) break;
    s = SN_ARR_PUSH(out, (doomed){0}, err);
    if (s != SN_OK) break;
    doomed *const d = &out->data[out->n - 1];
    d->id = sqlite3_column_int64(q, 0);
    d->prob = sqlite3_column_double(q, 1);
    d->phones = sn_strdup(sni_store_text(q, 2));
    d->state = sn_strdup(sni_store_text(q, 3));
    if (d->phones == NULL || d->state == NULL) s = sn_fail_nomem(err, st->path);
  }
  sqlite3_finalize(q);
  return s;
}

static sn_status delete_row(sn_store *st, const char *sql, int64_t id,
                            sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(st, sql, &q, err));
  (void)sqlite3_bind_int64(q, 1, id);
  const sn_status s = sni_store_run(st, q, err);
  sqlite3_finalize(q);
  return s;
}

static sn_status say_no_such_pron(sn_store *st, const char *word,
                                  const doomed_list *all, sn_err *err) {
  sn_str list = {0};
  sn_status s = SN_OK;
  for (size_t i = 0; s == SN_OK && i < all->n && i < MAX_LISTED; i++)
    s = sn_str_addf(&list, err, "%s'%s'", i > 0 ? ", " : "",
                    all->data[i].phones);
  if (s == SN_OK)
    s = sn_fail(err, SN_EARG,
                "%s: word '%s' has no such pronunciation; it has %zu: %s%s",
                st->path, word, all->n, sn_str_get(&list),
                all->n > MAX_LISTED ? ", ..." : "");
  sn_str_clear(&list);
  return s;
}

static sn_status say_no_such_word(sn_store *st, const char *word, sn_err *err) {
  sn_str hint = {0};
  sn_status s = sn_store_nearest_words(st, word, &hint, err);
  if (s == SN_OK)
    s = sn_fail(err, SN_EARG, "%s: the lexicon has no word '%s'%s", st->path,
                word, sn_str_get(&hint));
  sn_str_clear(&hint);
  return s;
}

static sn_status remove_prons(edit *e, const char *word, int64_t word_id,
                              const char *phones, const char *note,
                              int64_t *n_removed, sn_err *err) {
  doomed_list all = {0};
  sn_status s = collect(e->st, word_id, &all, err);
  for (size_t i = 0; s == SN_OK && i < all.n; i++) {
    const doomed *const d = &all.data[i];
    if (phones != NULL && strcmp(phones, d->phones) != 0) continue;
    ++*n_removed;
    s = note_event(e->st, "remove", word, d->phones, note, NULL, err);
    if (s == SN_OK)
      s = delete_row(e->st, "DELETE FROM pron WHERE id=?1", d->id, err);
    e->sum -= sni_store_row_sum(d->id, word, d->phones, d->prob, d->state);
  }
  if (s == SN_OK && *n_removed == 0)
    s = say_no_such_pron(e->st, word, &all, err);
  if (s == SN_OK && (size_t)*n_removed == all.n)
    s = delete_row(e->st, "DELETE FROM word WHERE id=?1", word_id, err);
  for (size_t i = 0; i < all.n; i++) {
    sn_free(all.data[i].phones);
    sn_free(all.data[i].state);
  }
  SN_ARR_FREE(&all);
  return s;
}

sn_status sn_store_remove(sn_store *st, const char *word, const char *phones,
                          const char *note, int64_t *n_removed, sn_err *err) {
  SN_ASSERT(st != NULL && word != NULL);
  int64_t n = 0, word_id;
  sn_str joined = {0};
  edit e;
  SN_TRY(edit_open(&e, st, err));
  sn_status s = SN_OK;
  if (phones != NULL) {
    sn_span rest = sn_span_of(phones), f;
    while (s == SN_OK && sn_next_field(&rest, &f))
      s = sn_str_addf(&joined, err, "%s%.*s", joined.n > 0 ? " " : "", (int)f.n,
                      f.p);
  }
  if (s == SN_OK) s = find_id(st, e.find_word, word, &word_id, err);
  if (s == SN_OK && word_id < 0) s = say_no_such_word(st, word, err);
  if (s == SN_OK)
    s = remove_prons(&e, word, word_id,
                     phones == NULL ? NULL : sn_str_get(&joined), note, &n,
                     err);
  s = edit_end(&e, s, err);
  sn_str_clear(&joined);
  if (n_removed != NULL) *n_removed = s == SN_OK ? n : 0;
  return s;
}
