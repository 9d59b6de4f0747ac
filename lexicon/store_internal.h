/* SPDX-License-Identifier: Apache-2.0 */
/* lexicon/store_internal.h - what the files of the store share. */
#ifndef SN_LEXICON_STORE_INTERNAL_H
#define SN_LEXICON_STORE_INTERNAL_H
#include <sqlite3.h>
#include <sys/stat.h>

#include "lexicon/store.h"

enum {
  SNI_STORE_APP_ID = 0x534e4c58, /* "SNLX" */
  SNI_STORE_SCHEMA = 1           /* PRAGMA user_version */
};

/* What tells one state of a file from another. */
typedef struct sni_stamp {
  bool exists;
  dev_t dev;
  ino_t ino;
  off_t size;
  struct timespec mtime;
} sni_stamp;
sni_stamp sni_stamp_of(const char *path);
bool sni_stamp_same(const sni_stamp *a, const sni_stamp *b);

struct sn_store {
  sqlite3 *db;
  char *path;        /* or a name, for messages */
  bool is_fresh;     /* made by this handle, nothing committed yet */
  bool is_immutable; /* read without locks: see store.c */
  bool is_wal_left;  /* a -wal file was there when it was opened for reading */
  sni_stamp stamp;   /* the file before it was opened */
};

/* Turns the database's last failure into a status and a message: "PATH: what:
 * why". A damaged file is looked at by PRAGMA quick_check. */
sn_status sni_store_fail(sn_store *st, const char *what, sn_err *err);

SN_NODISCARD sn_status sni_store_exec(sn_store *st, const char *sql,
                                      sn_err *err);
SN_NODISCARD sn_status sni_store_prepare(sn_store *st, const char *sql,
                                         sqlite3_stmt **out, sn_err *err);
/* Steps once; *row tells whether there is one. */
SN_NODISCARD sn_status sni_store_step(sn_store *st, sqlite3_stmt *q, bool *row,
                                      sn_err *err);
/* Runs a statement that gives no row and makes it ready for the next run. */
SN_NODISCARD sn_status sni_store_run(sn_store *st, sqlite3_stmt *q,
                                     sn_err *err);
/* A transaction: begin; then end, which commits, or undoes it all where
 * `so_far` is a failure, and returns that or its own. */
SN_NODISCARD sn_status sni_store_begin(sn_store *st, sn_err *err);
SN_NODISCARD sn_status sni_store_end(sn_store *st, sn_status so_far,
                                     sn_err *err);

/* Text of a column; never NULL. Borrowed until the next step. */
const char *sni_store_text(sqlite3_stmt *q, int column);
void sni_store_bind_text(sqlite3_stmt *q, int at, const char *text);

/* The part of one pronunciation in the content checksum, which is the sum of
 * these modulo 2^64: it does not depend on their order, and an edit needs no
 * look at the others. */
uint64_t sni_store_row_sum(int64_t id, const char *word, const char *phones,
                           double prob, const char *state);
/* The stored checksum. */
SN_NODISCARD sn_status sni_store_get_sum(sn_store *st, uint64_t *sum,
                                         sn_err *err);
SN_NODISCARD sn_status sni_store_set_sum(sn_store *st, uint64_t sum,
                                         sn_err *err);
#endif
