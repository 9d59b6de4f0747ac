/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file: opening, schema, failures, transactions.
 *
 * Reading without leaving traces. A database in WAL mode wants to make two
 * files beside it even for a reader; in a folder that may not be written it
 * cannot, and where it can, a read-only connection leaves them behind. So a
 * reader that finds no -wal file opens the database as immutable (no locks, no
 * files) and asks, when it has read everything, whether the file is still the
 * same one (sn_store_load): a writer that came in between is noticed, and the
 * reading is done again with locks. Where there is a -wal file, a writer is at
 * work or was killed; then the ordinary, locking way is the only right one.
 *
 * Source of the schema: docs/lexicon.md. SQLite: "Write-Ahead Logging",
 * section 5 (read-only databases), and "URI filenames" (immutable). */
#include "lexicon/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "lexicon/store_internal.h"

enum { BUSY_MS = 5000 }; /* how long a writer waits for another */

static const char schema_sql[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE phone(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"
    " STRICT;"
    "CREATE TABLE word(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"
    " STRICT;"
    "CREATE TABLE source(id INTEGER PRIMARY KEY,"
    " kind TEXT NOT NULL CHECK(kind IN ('base','user','g2p')),"
    " name TEXT NOT NULL, UNIQUE(kind, name)) STRICT;"
    "CREATE TABLE event(id INTEGER PRIMARY KEY, at TEXT NOT NULL,"
    " action TEXT NOT NULL CHECK(action IN"
    " ('import','add','change','remove')),"
    " word TEXT, phones TEXT, note TEXT NOT NULL DEFAULT '') STRICT;"
    "CREATE INDEX event_word ON event(word) WHERE word IS NOT NULL;"
    "CREATE TABLE pron(id INTEGER PRIMARY KEY,"
    " word_id INTEGER NOT NULL REFERENCES word(id),"
    " phones TEXT NOT NULL CHECK(phones <> ''),"
    " prob REAL NOT NULL DEFAULT 1 CHECK(prob > 0 AND prob <= 1),"
    " state TEXT NOT NULL CHECK(state IN ('approved','guessed','rejected')),"
    " source_id INTEGER NOT NULL REFERENCES source(id),"
    " score REAL,"
    " event_id INTEGER NOT NULL REFERENCES event(id),"
    " UNIQUE(word_id, phones)) STRICT;"
    "CREATE TABLE silence("
    " pron_id INTEGER PRIMARY KEY REFERENCES pron(id) ON DELETE CASCADE,"
    " p_after REAL NOT NULL CHECK(p_after >= 0 AND p_after <= 1),"
    " sil_before_factor REAL NOT NULL CHECK(sil_before_factor > 0),"
    " nosil_before_factor REAL NOT NULL CHECK(nosil_before_factor > 0))"
    " STRICT;"
    "INSERT INTO meta VALUES('content_sum','0000000000000000');";

static const char *const kind_names[] = {"base", "user", "g2p"};
static const char *const state_names[] = {"approved", "guessed", "rejected"};

const char *sn_source_kind_name(sn_source_kind k) {
  SN_ASSERT((size_t)k < sizeof kind_names / sizeof kind_names[0]);
  return kind_names[k];
}

const char *sn_entry_state_name(sn_entry_state s) {
  SN_ASSERT((size_t)s < sizeof state_names / sizeof state_names[0]);
  return state_names[s];
}

/* ---- Failures ---- */

/* What quick_check has to say about a damaged file: its first line. */
static void quick_check(sqlite3 *db, char *to, size_t size) {
  sqlite3_stmt *q = NULL;
  to[0] = '\0';
  if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL) ==
          SQLITE_OK &&
      sqlite3_step(q) == SQLITE_ROW) {
    const char *const text = sni_store_text(q, 0);
    if (strcmp(text, "ok") != 0)
      (void)snprintf(to, size, " (quick_check: %.200s)", text);
  }
  sqlite3_finalize(q);
}

sn_status sni_store_fail(sn_store *st, const char *what, sn_err *err) {
  const int code = sqlite3_errcode(st->db);
  char why[300];
  (void)snprintf(why, sizeof why, "%s", sqlite3_errmsg(st->db));
  char check[260];
  switch (code & 0xff) {
    case SQLITE_NOMEM:
      return sn_fail_nomem(err, st->path);
    case SQLITE_NOTADB:
      return sn_fail(err, SN_EFORMAT,
                     "%s: %s: this is no SQLite database, or its first page is "
                     "damaged; restore it, or import the dictionary again",
                     st->path, what);
    case SQLITE_CORRUPT:
      quick_check(st->db, check, sizeof check);
      return sn_fail(err, SN_EFORMAT,
                     "%s: %s: the database is damaged: %s%s; restore it, or "
                     "import the dictionary again",
                     st->path, what, why, check);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return sn_fail(err, SN_EIO,
                     "%s: %s: another program has been writing to it for more "
                     "than %d s; try again when it is done",
                     st->path, what, BUSY_MS / 1000);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return sn_fail(err, SN_EIO,
                     "%s: it may not be written: %s; make a copy that may",
                     st->path, why);
    case SQLITE_FULL:
      return sn_fail(err, SN_EIO,
                     "%s: %s: %s; free some space, or use another disk",
                     st->path, what, why);
    case SQLITE_CANTOPEN:
      return sn_fail(
          err, SN_EIO, "%s: %s: %s%s", st->path, what, why,
          st->is_wal_left
              ? "; a program that was writing has left a -wal file beside it, "
                "and this folder may not be written: read it once as someone "
                "who may"
              : "");
    case SQLITE_IOERR:
      return sn_fail(err, SN_EIO, "%s: %s: %s", st->path, what, why);
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR: /* a table or column that should be there is not */
    case SQLITE_SCHEMA:
      return sn_fail(err, SN_EFORMAT, "%s: %s: %s", st->path, what, why);
    default:
      return sn_fail(err, SN_EEXTERNAL, "%s: %s: SQLite: %s", st->path, what,
                     why);
  }
}

/* ---- Statements ---- */

sn_status sni_store_exec(sn_store *st, const char *sql, sn_err *err) {
  if (sqlite3_exec(st->db, sql, NULL, NULL, NULL) == SQLITE_OK) return SN_OK;
  return sni_store_fail(st, "cannot be used", err);
}

sn_status sni_store_prepare(sn_store *st, const char *sql, sqlite3_stmt **out,
                            sn_err *err) {
  *out = NULL;
  if (sqlite3_prepare_v2(st->db, sql, -1, out, NULL) == SQLITE_OK) return SN_OK;
  return sni_store_fail(st, "cannot be read", err);
}

sn_status sni_store_step(sn_store *st, sqlite3_stmt *q, bool *row,
                         sn_err *err) {
  const int rc = sqlite3_step(q);
  *row = rc == SQLITE_ROW;
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) return SN_OK;
  return sni_store_fail(st, "cannot be read", err);
}

sn_status sni_store_run(sn_store *st, sqlite3_stmt *q, sn_err *err) {
  const int rc = sqlite3_step(q);
  const sn_status s = rc == SQLITE_DONE || rc == SQLITE_ROW
                          ? SN_OK
                          : sni_store_fail(st, "cannot be written", err);
  (void)sqlite3_reset(q);
  return s;
}

const char *sni_store_text(sqlite3_stmt *q, int column) {
  const unsigned char *const t = sqlite3_column_text(q, column);
  return t == NULL ? "" : (const char *)t;
}

void sni_store_bind_text(sqlite3_stmt *q, int at, const char *text) {
  if (text == NULL)
    (void)sqlite3_bind_null(q, at);
  else
    (void)sqlite3_bind_text(q, at, text, -1, SQLITE_TRANSIENT);
}

sn_status sni_store_begin(sn_store *st, sn_err *err) {
  if (sqlite3_exec(st->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK)
    return SN_OK;
  return sni_store_fail(st, "cannot be written", err);
}

sn_status sni_store_end(sn_store *st, sn_status so_far, sn_err *err) {
  if (so_far == SN_OK) {
    if (sqlite3_exec(st->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) {
      st->is_fresh = false;
      return SN_OK;
    }
    so_far = sni_store_fail(st, "cannot be written", err);
  }
  if (!sqlite3_get_autocommit(st->db))
    (void)sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
  return so_far;
}

/* ---- Opening ---- */

sni_stamp sni_stamp_of(const char *path) {
  struct stat sb;
  if (stat(path, &sb) != 0) return (sni_stamp){0};
  return (sni_stamp){true, sb.st_dev, sb.st_ino, sb.st_size, sb.st_mtim};
}

bool sni_stamp_same(const sni_stamp *a, const sni_stamp *b) {
  return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino &&
         a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
         a->mtime.tv_nsec == b->mtime.tv_nsec;
}

static sn_status read_number(sn_store *st, const char *sql, int64_t *out,
                             sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(st, sql, &q, err));
  bool row;
  const sn_status s = sni_store_step(st, q, &row, err);
  *out = s == SN_OK && row ? sqlite3_column_int64(q, 0) : 0;
  sqlite3_finalize(q);
  return s;
}

/* SQLite takes a last page that is cut short for one that ends in zeros. */
static sn_status check_whole(sn_store *st, int64_t size_bytes, sn_err *err) {
  int64_t page_bytes;
  SN_TRY(read_number(st, "PRAGMA page_size", &page_bytes, err));
  if (page_bytes > 0 && size_bytes % page_bytes == 0) return SN_OK;
  return sn_fail(err, SN_EFORMAT,
                 "%s: the database is damaged: it was cut off at byte %lld, "
                 "within a page of %lld bytes; restore it, or import the "
                 "dictionary again",
                 st->path, (long long)size_bytes, (long long)page_bytes);
}

static sn_status check_schema(sn_store *st, sn_err *err) {
  int64_t app, version;
  SN_TRY(read_number(st, "PRAGMA application_id", &app, err));
  SN_TRY(read_number(st, "PRAGMA user_version", &version, err));
  if (app != SNI_STORE_APP_ID)
    return sn_fail(err, SN_EFORMAT,
                   "%s: an SQLite database of another program (application_id "
                   "0x%08x, a lexicon has 0x%08x)",
                   st->path, (unsigned)app, (unsigned)SNI_STORE_APP_ID);
  if (version != SNI_STORE_SCHEMA)
    return sn_fail(err, SN_EFORMAT,
                   "%s: lexicon schema %lld is %s than the %d that this "
                   "program knows; %s",
                   st->path, (long long)version,
                   version > SNI_STORE_SCHEMA ? "newer" : "older",
                   SNI_STORE_SCHEMA,
                   version > SNI_STORE_SCHEMA
                       ? "use a newer senone, or export it there as text"
                       : "import the dictionary again");
  return SN_OK;
}

static sn_status create_schema(sn_store *st, sn_err *err) {
  char ids[120];
  (void)snprintf(ids, sizeof ids,
                 "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                 SNI_STORE_APP_ID, SNI_STORE_SCHEMA);
  SN_TRY(sni_store_begin(st, err));
  sn_status s = sni_store_exec(st, schema_sql, err);
  if (s == SN_OK) s = sni_store_exec(st, ids, err);
  s = sni_store_end(st, s, err);
  st->is_fresh = s == SN_OK;
  return s;
}

/* "file:PATH?immutable=1" with what has a meaning there as %xx. */
static sn_status uri_of(const char *path, const char *query, sn_str *out,
                        sn_err *err) {
  SN_TRY(sn_str_adds(out, "file:", err));
  /* file:// would take the first part of a path as a host's name. */
  if (path[0] == '/' && path[1] == '/') SN_TRY(sn_str_adds(out, "//", err));
  for (const char *p = path; *p != '\0'; p++) {
    if (strchr("?#%", *p) != NULL)
      SN_TRY(sn_str_addf(out, err, "%%%02x", (unsigned)(unsigned char)*p));
    else
      SN_TRY(sn_str_add(out, p, 1, err));
  }
  return sn_str_adds(out, query, err);
}

static sn_status find_wal(const char *path, bool *found, sn_err *err) {
  sn_str wal = {0};
  struct stat sb;
  const sn_status s = sn_str_addf(&wal, err, "%s-wal", path);
  *found = s == SN_OK && stat(sn_str_get(&wal), &sb) == 0 && sb.st_size > 0;
  sn_str_clear(&wal);
  return s;
}

static sn_status open_db(sn_store *st, int flags, const char *query,
                         sn_err *err) {
  sn_str uri = {0};
  sn_status s = uri_of(st->path, query, &uri, err);
  if (s == SN_OK &&
      sqlite3_open_v2(sn_str_get(&uri), &st->db, flags | SQLITE_OPEN_URI,
                      NULL) != SQLITE_OK) {
    s = st->db == NULL ? sn_fail_nomem(err, st->path)
                       : sni_store_fail(st, "cannot be opened", err);
  }
  sn_str_clear(&uri);
  if (s != SN_OK) return s;
  (void)sqlite3_busy_timeout(st->db, BUSY_MS);
  (void)sqlite3_extended_result_codes(st->db, 0);
  /* A file from elsewhere may hold triggers, views and odd pages: no code of
   * its schema runs, and pages are checked as they are read. */
  (void)sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  (void)sqlite3_db_config(st->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  (void)sqlite3_db_config(st->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  return sni_store_exec(
      st, "PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON;", err);
}

static sn_status open_read(sn_store *st, sn_err *err) {
  bool has_wal;
  st->stamp = sni_stamp_of(st->path);
  SN_TRY(find_wal(st->path, &has_wal, err));
  st->is_immutable = !has_wal;
  st->is_wal_left = has_wal;
  if (st->is_immutable) {
    SN_TRY(open_db(st, SQLITE_OPEN_READONLY, "?immutable=1", err));
    return check_whole(st, (int64_t)st->stamp.size, err);
  }
  /* Recovery of a -wal file writes; SQLite does without where it can. */
  return open_db(st, SQLITE_OPEN_READWRITE, "", err);
}

static sn_status open_edit(sn_store *st, sn_store_mode mode, sn_err *err) {
  struct stat sb;
  const bool is_new = stat(st->path, &sb) != 0 || sb.st_size == 0;
  if (is_new && mode == SN_STORE_EDIT)
    return sn_fail(err, SN_EIO,
                   "%s: no such lexicon; make one with senone lexicon import",
                   st->path);
  SN_TRY(open_db(st, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "", err));
  int64_t app = 0;
  if (is_new) {
    SN_TRY(sni_store_exec(st, "PRAGMA journal_mode=WAL;", err));
    SN_TRY(read_number(st, "PRAGMA application_id", &app, err));
    if (app == 0) SN_TRY(create_schema(st, err));
  }
  return SN_OK;
}

sn_status sn_store_open(const char *path, sn_store_mode mode, sn_store **out,
                        sn_err *err) {
  SN_ASSERT(path != NULL && out != NULL);
  *out = NULL;
  sn_store *const st = sn_calloc(1, sizeof *st);
  if (st == NULL) return sn_fail_nomem(err, path);
  sn_status s = SN_OK;
  st->path = sn_strdup(path);
  if (st->path == NULL) s = sn_fail_nomem(err, path);
  struct stat sb;
  if (s == SN_OK && mode == SN_STORE_READ && stat(path, &sb) != 0)
    s = sn_fail_errno(err, errno, "%s: lexicon", path);
  if (s == SN_OK)
    s = mode == SN_STORE_READ ? open_read(st, err) : open_edit(st, mode, err);
  if (s == SN_OK) s = check_schema(st, err);
  if (s != SN_OK) {
    sn_store_destroy(st);
    return s;
  }
  *out = st;
  return SN_OK;
}

/* The version bytes of a WAL database (18 and 19 are 2) would make SQLite look
 * for a -wal file, which memory does not have. */
enum { WRITE_VERSION_AT = 18, READ_VERSION_AT = 19, HEADER_BYTES = 100 };

sn_status sn_store_open_memory(const void *data, size_t n, const char *name,
                               sn_store **out, sn_err *err) {
  SN_ASSERT(out != NULL && (data != NULL || n == 0));
  *out = NULL;
  if (n < HEADER_BYTES)
    return sn_fail(err, SN_EFORMAT,
                   "%s: %zu bytes are too few for an SQLite database", name, n);
  sn_store *const st = sn_calloc(1, sizeof *st);
  if (st == NULL) return sn_fail_nomem(err, name);
  sn_status s = SN_OK;
  st->path = sn_strdup(name);
  if (st->path == NULL || sqlite3_open(":memory:", &st->db) != SQLITE_OK)
    s = sn_fail_nomem(err, name);
  unsigned char *copy = NULL;
  if (s == SN_OK && (copy = sqlite3_malloc64(n)) == NULL)
    s = sn_fail_nomem(err, name);
  if (s == SN_OK) {
    memcpy(copy, data, n);
    if (copy[WRITE_VERSION_AT] == 2) copy[WRITE_VERSION_AT] = 1;
    if (copy[READ_VERSION_AT] == 2) copy[READ_VERSION_AT] = 1;
    /* From here on the copy is SQLite's, also when it fails. */
    if (sqlite3_deserialize(
            st->db, "main", copy, (sqlite3_int64)n, (sqlite3_int64)n,
            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) !=
        SQLITE_OK)
      s = sni_store_fail(st, "cannot be opened", err);
  }
  if (s == SN_OK) {
    (void)sqlite3_db_config(st->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(st->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    s = sni_store_exec(st, "PRAGMA cell_size_check=ON;", err);
  }
  if (s == SN_OK) s = check_whole(st, (int64_t)n, err);
  if (s == SN_OK) s = check_schema(st, err);
  if (s != SN_OK) {
    sn_store_destroy(st);
    return s;
  }
  *out = st;
  return SN_OK;
}

/* The database and what SQLite may have left beside it. */
static void remove_files(const char *path) {
  static const char *const ends[] = {"", "-wal", "-shm"};
  sn_str name = {0};
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    sn_str_reset(&name);
    if (sn_str_addf(&name, NULL, "%s%s", path, ends[i]) == SN_OK)
      (void)unlink(sn_str_get(&name));
  }
  sn_str_clear(&name);
}

void sn_store_destroy(sn_store *st) {
  if (st == NULL) return;
  (void)sqlite3_close(st->db);
  if (st->is_fresh) remove_files(st->path);
  sn_free(st->path);
  sn_free(st);
}

sn_status sn_store_is_store(const char *path, bool *is_store, sn_err *err) {
  static const char magic[] = "SQLite format 3"; /* with its NUL: 16 bytes */
  enum { ENOUGH = 6 };
  *is_store = false;
  if (strcmp(path, "-") == 0) return SN_OK;
  FILE *const f = fopen(path, "rb");
  if (f == NULL) return sn_fail_errno(err, errno, "%s: lexicon", path);
  char head[sizeof magic];
  const size_t n = fread(head, 1, sizeof head, f);
  const bool is_bad = ferror(f) != 0;
  const int e = errno;
  (void)fclose(f);
  if (is_bad) return sn_fail_errno(err, e, "%s: lexicon", path);
  /* A database cut off within its first bytes is still no text. */
  *is_store = n >= ENOUGH && memcmp(head, magic, n) == 0;
  return SN_OK;
}

/* ---- Content checksum ---- */

static uint64_t fnv1a(uint64_t h, const void *data, size_t n) {
  const unsigned char *const p = data;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
  return h;
}

/* FNV-1a over id, word, phones, state (each with its NUL) and probability;
 * then the finaliser of MurmurHash3, so that sums do not cancel.
 * Sources: Fowler, Noll, Vo (FNV-1a, 64 bit); Appleby (fmix64). */
uint64_t sni_store_row_sum(int64_t id, const char *word, const char *phones,
                           double prob, const char *state) {
  uint64_t h = 0xcbf29ce484222325u, bits;
  unsigned char b[16];
  memcpy(&bits, &prob, sizeof bits);
  for (int i = 0; i < 8; i++) {
    b[i] = (unsigned char)((uint64_t)id >> (8 * i));
    b[8 + i] = (unsigned char)(bits >> (8 * i));
  }
  h = fnv1a(h, b, sizeof b);
  h = fnv1a(h, word, strlen(word) + 1);
  h = fnv1a(h, phones, strlen(phones) + 1);
  h = fnv1a(h, state, strlen(state) + 1);
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

sn_status sni_store_get_sum(sn_store *st, uint64_t *sum, sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(st, "SELECT value FROM meta WHERE key='content_sum'",
                           &q, err));
  bool row;
  sn_status s = sni_store_step(st, q, &row, err);
  int n = 0;
  if (s == SN_OK &&
      (!row || sscanf(sni_store_text(q, 0), "%16" SCNx64 "%n", sum, &n) != 1 ||
       n != 16))
    s = sn_fail(err, SN_EFORMAT,
                "%s: table meta has no content_sum of 16 hexadecimal digits; "
                "the store is damaged",
                st->path);
  sqlite3_finalize(q);
  return s;
}

sn_status sni_store_set_sum(sn_store *st, uint64_t sum, sn_err *err) {
  sqlite3_stmt *q = NULL;
  SN_TRY(sni_store_prepare(
      st, "UPDATE meta SET value=?1 WHERE key='content_sum'", &q, err));
  char text[17];
  (void)snprintf(text, sizeof text, "%016" PRIx64, sum);
  sni_store_bind_text(q, 1, text);
  const sn_status s = sni_store_run(st, q, err);
  sqlite3_finalize(q);
  return s;
}
