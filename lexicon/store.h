/* SPDX-License-Identifier: Apache-2.0 */
/* lexicon/store.h - the lexicon on disk: one SQLite database.
 *
 * It keeps what a text dictionary cannot: where each pronunciation came from,
 * whether a person has approved it, and what was done to it when. The schema
 * is in docs/lexicon.md. One sn_store is used by one thread at a time; several
 * processes may read and write the same file (WAL). Every call that changes
 * something is one transaction: done, or not done at all. */
#ifndef SN_LEXICON_STORE_H
#define SN_LEXICON_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "lexicon/lexicon.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sn_store sn_store;

typedef enum sn_store_mode {
  SN_STORE_READ,  /* must exist; its folder may be read-only */
  SN_STORE_EDIT,  /* must exist */
  SN_STORE_CREATE /* made if missing; removed again by sn_store_destroy when
                     nothing was ever put into it */
} sn_store_mode;

/* Errors: SN_EIO; SN_EFORMAT for what is no database, a damaged one, one of
 * another program, or of an older or newer schema (named). */
SN_NODISCARD sn_status sn_store_open(const char *path, sn_store_mode mode,
                                     sn_store **out, sn_err *err);
/* A read-only store over bytes, for tests and fuzz targets; data is copied. */
SN_NODISCARD sn_status sn_store_open_memory(const void *data, size_t n,
                                            const char *name, sn_store **out,
                                            sn_err *err);
void sn_store_destroy(sn_store *st); /* NULL is fine */

/* Whether the file begins as an SQLite database does. SN_EIO. */
SN_NODISCARD sn_status sn_store_is_store(const char *path, bool *is_store,
                                         sn_err *err);

typedef enum sn_source_kind {
  SN_SOURCE_BASE, /* a base dictionary; name: its file */
  SN_SOURCE_USER, /* typed by a person */
  SN_SOURCE_G2P   /* guessed from the spelling; name: the model's id */
} sn_source_kind;
const char *sn_source_kind_name(sn_source_kind k); /* "base", "user", "g2p" */

typedef enum sn_entry_state {
  SN_ENTRY_APPROVED,
  SN_ENTRY_GUESSED, /* used, but nobody has looked at it */
  SN_ENTRY_REJECTED /* kept, never used */
} sn_entry_state;
const char *sn_entry_state_name(sn_entry_state s);

/* One pronunciation with all that is known about it. */
typedef struct sn_store_entry {
  const char *word;
  const char *phones; /* separated by one blank */
  double prob;        /* P(pronunciation | word), in (0, 1] */
  sn_entry_state state;
  sn_source_kind source;
  const char *source_name;
  double score;     /* of the G2P model; NAN when there is none */
  const char *at;   /* UTC of the last change, ISO 8601; ignored on input */
  const char *note; /* of the last change; may be NULL on input */
} sn_store_entry;

/* Reads every approved and guessed pronunciation into memory, words and
 * variants in the order in which they were added, and verifies the content
 * checksum.
 * lex  [out] initialised by this call and grouped; cleared on failure.
 * Errors: SN_EFORMAT for a damaged store. */
SN_NODISCARD sn_status sn_store_load(sn_store *st, sn_lexicon *lex,
                                     sn_err *err);

typedef struct sn_import_opts {
  sn_source_kind source;
  const char *source_name;
  sn_entry_state state;
  bool new_phones; /* whether phones may come in that a store that has phones
                      does not know */
} sn_import_opts;
typedef struct sn_import_stats {
  int64_t n_added, n_words; /* n_words: new ones */
  int64_t n_present;        /* were there already: left as they were */
  int64_t n_changed;        /* were there with another probability: theirs now
                               is the imported one, unless that is 1 */
  int64_t n_phones;         /* new ones */
} sn_import_stats;
/* Adds all of a grouped lexicon in one transaction. stats may be NULL.
 * Errors: SN_EMISMATCH for a phone that the store does not know (word, phone,
 * the nearest ones); SN_EIO. The store is then as before. */
SN_NODISCARD sn_status sn_store_import(sn_store *st, const sn_lexicon *lex,
                                       const sn_import_opts *opts, sn_log *log,
                                       sn_import_stats *stats, sn_err *err);

typedef enum sn_add_result {
  SN_ADD_NEW,
  SN_ADD_PRESENT, /* nothing to do */
  SN_ADD_CHANGED  /* it was there with another probability or state */
} sn_add_result;
/* Adds one pronunciation, or sets probability and state of the one that is
 * there.
 * Errors: SN_EARG for a word or phones that are no such thing; SN_EMISMATCH
 * for a phone that the store does not know, with the nearest ones (never
 * where new_phones). */
SN_NODISCARD sn_status sn_store_add(sn_store *st, const sn_store_entry *entry,
                                    bool new_phones, sn_add_result *result,
                                    sn_err *err);
/* Removes a word's pronunciation, or all of them where phones is NULL.
 * n_removed may be NULL. Errors: SN_EARG when there is none, naming the
 * nearest words or the pronunciations there are. */
SN_NODISCARD sn_status sn_store_remove(sn_store *st, const char *word,
                                       const char *phones, const char *note,
                                       int64_t *n_removed, sn_err *err);

/* Calls fn for each pronunciation of `word` (NULL: of every word), in order of
 * addition; the entry is valid during the call. *n (may be NULL) counts. */
typedef sn_status sn_store_entry_fn(void *user, const sn_store_entry *e,
                                    sn_err *err);
SN_NODISCARD sn_status sn_store_visit(sn_store *st, const char *word,
                                      sn_store_entry_fn *fn, void *user,
                                      int64_t *n, sn_err *err);

typedef struct sn_store_event {
  const char *at, *action; /* "import", "add", "change", "remove" */
  const char *word;        /* NULL for a whole import */
  const char *phones;      /* may be NULL */
  const char *note;
} sn_store_event;
typedef sn_status sn_store_event_fn(void *user, const sn_store_event *e,
                                    sn_err *err);
/* The history of a word, or (NULL) all of it, oldest first. */
SN_NODISCARD sn_status sn_store_history(sn_store *st, const char *word,
                                        sn_store_event_fn *fn, void *user,
                                        sn_err *err);

/* Adds ": did you mean 'x', 'y'?" with up to three words that are at most two
 * edits away; nothing when there are none. */
SN_NODISCARD sn_status sn_store_nearest_words(sn_store *st, const char *word,
                                              sn_str *out, sn_err *err);

/* How often silence follows and precedes a word (as Kaldi's
 * lexiconp_silprob.txt has it), for whoever estimates them. */
typedef struct sn_silence_stats {
  double p_after;             /* P(silence | the word before it) in [0, 1] */
  double sil_before_factor;   /* correction where silence is before, > 0 */
  double nosil_before_factor; /* where it is not, > 0 */
} sn_silence_stats;
SN_NODISCARD sn_status sn_store_set_silence(sn_store *st, const char *word,
                                            const char *phones,
                                            const sn_silence_stats *s,
                                            sn_err *err);
/* *found is false where none are stored. */
SN_NODISCARD sn_status sn_store_get_silence(sn_store *st, const char *word,
                                            const char *phones,
                                            sn_silence_stats *s, bool *found,
                                            sn_err *err);

/* The whole check of a store: SQLite's own, the references between the tables,
 * and the content checksum. SN_EFORMAT names the first fault. */
SN_NODISCARD sn_status sn_store_check(sn_store *st, sn_err *err);
#ifdef __cplusplus
}
#endif
#endif
