/* SPDX-License-Identifier: Apache-2.0 */
/* Corpora in other forms: TSV manifests, LibriSpeech-style trees, Sphinx's
 * fileids and transcription.
 *
 * A fault ends the import after all lines were looked at, so that one run
 * names them all; where faulty ones are to be left out, they are warnings. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/corpus_internal.h"

#define AT(field) offsetof(sn_corpus_import_opts, field)
const sn_opt sn_corpus_import_opt_table[] = {
    {"from", SN_OPT_ENUM, AT(from), 0, 0, 3, "auto|tsv|librispeech|sphinx", "",
     "form of the source; auto: a folder is LibriSpeech's, a file a TSV "
     "manifest, and Sphinx's where --fileids is given"},
    {"audio-dir", SN_OPT_STRING, AT(audio_dir), 0, 0, 0, "", "",
     "what relative paths belong to; else the source's folder"},
    {"fileids", SN_OPT_STRING, AT(fileids), 0, 0, 0, "", "",
     "Sphinx's list of recordings, without endings"},
    {"ending", SN_OPT_STRING, AT(ending), 0, 0, 0, "wav", "",
     "ending of the recordings that Sphinx's list names"},
    {"speaker-prefix", SN_OPT_BOOL, AT(speaker_prefix), 0, 0, 1, NULL, "",
     "make ids of the form SPEAKER-ID"},
    {"skip-faulty", SN_OPT_BOOL, AT(skip_faulty), 0, 0, 1, NULL, "",
     "leave out what is faulty, by name, instead of ending"},
    SN_OPT_END};

typedef struct import {
  const sn_corpus_import_opts *o;
  sn_corpus *c;
  sn_log *log;
  sn_err *err;
  sn_symtab *utts, *recs;
  char *audio_dir; /* with a slash behind, or "" */
  sn_err first;    /* the first fault */
  size_t n_faults;
} import;

static void fault(import *m, const char *file, long long line, const char *fmt,
                  ...) SN_PRINTF(4, 5);
static void fault(import *m, const char *file, long long line, const char *fmt,
                  ...) {
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (m->o->skip_faulty)
    sn_warn(m->log, "%s:%lld: left out: %s", file, line, text);
  else if (m->n_faults == 0)
    (void)sn_fail(&m->first, SN_EFORMAT, "%s:%lld: %s", file, line, text);
  else
    sn_log_msg(m->log, SN_LOG_ERROR, "%s:%lld: %s", file, line, text);
  m->n_faults++;
}

/* ---- One utterance ---- */

typedef struct item {
  sn_span id, path, text, speaker; /* n == 0: none */
  double begin_s, end_s;           /* end_s < 0: the whole recording */
  const char *file;                /* where it stands */
  long long line;
} item;

static sn_span stem(sn_span path) {
  size_t from = path.n;
  while (from > 0 && path.p[from - 1] != '/') from--;
  size_t end = path.n;
  while (end > from + 1 && path.p[end - 1] != '.') end--;
  const sn_span s = {path.p + from,
                     end > from + 1 ? end - 1 - from : path.n - from};
  return s;
}

static bool has_blank(sn_span s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] == ' ' || s.p[i] == '\t') return true;
  return false;
}

/* The recording of a path, added if new; -1 after a fault. */
static sn_status find_rec(import *m, const item *it, sn_span id,
                          const char *path, int32_t *rec) {
  sn_corpus *const c = m->c;
  const int32_t before = sn_symtab_n(m->recs);
  SN_TRY(sn_symtab_add(m->recs, id.p, id.n, rec, m->err));
  if (*rec < before) {
    if (strcmp(c->recs.data[*rec].path, path) == 0) return SN_OK;
    fault(m, it->file, it->line,
          "the recordings '%s' and '%s' have the same name; give ids of their "
          "own",
          c->recs.data[*rec].path, path);
    *rec = -1;
    return SN_OK;
  }
  sn_corpus_rec r = {.length_s = -1};
  SN_TRY(sni_corpus_keep(c, id, &r.id, m->err));
  SN_TRY(sni_corpus_keep(c, sn_span_of(path), &r.path, m->err));
  return SN_ARR_PUSH(&c->recs, r, m->err);
}

static sn_status add_named(import *m, const item *it, const char *id,
                           const char *path) {
  sn_corpus *const c = m->c;
  if (!sn_file_exists(path)) {
    fault(m, it->file, it->line, "there is no recording '%s'", path);
    return SN_OK;
  }
  if (sn_symtab_finds(m->utts, id) >= 0) {
    fault(m, it->file, it->line, "the utterance '%s' was there before", id);
    return SN_OK;
  }
  const bool part = it->end_s >= 0 || it->begin_s > 0;
  sn_corpus_utt u = {.begin_s = it->begin_s, .end_s = it->end_s, .peak = -1};
  SN_TRY(find_rec(m, it, part ? stem(it->path) : sn_span_of(id), path, &u.rec));
  if (u.rec < 0) return SN_OK;
  int32_t index = 0;
  SN_TRY(sn_symtab_add(m->utts, id, strlen(id), &index, m->err));
  SN_TRY(sni_corpus_keep(c, sn_span_of(id), &u.id, m->err));
  if (it->text.p != NULL) {
    SN_TRY(sni_corpus_keep(c, sn_span_trim(it->text), &u.text, m->err));
    c->has_text = true;
  }
  if (it->speaker.n > 0) {
    SN_TRY(sni_corpus_keep(c, it->speaker, &u.speaker, m->err));
    c->has_speakers = true;
  }
  c->has_segments = c->has_segments || part;
  return SN_ARR_PUSH(&c->utts, u, m->err);
}

static sn_status add_item(import *m, const item *it) {
  sn_str id = {0}, path = {0};
  sn_status s = SN_OK;
  const sn_span name = it->id.n > 0 ? it->id : stem(it->path);
  if (has_blank(name) || has_blank(it->speaker)) {
    fault(m, it->file, it->line, "ids and speakers must have no blanks");
    return SN_OK;
  }
  if (m->o->speaker_prefix && it->speaker.n > 0)
    SN_TRY_GOTO(s, sn_str_addf(&id, m->err, "%.*s-", (int)it->speaker.n,
                               it->speaker.p));
  SN_TRY_GOTO(s, sn_str_add(&id, name.p, name.n, m->err));
  if (it->path.p[0] != '/')
    SN_TRY_GOTO(s, sn_str_adds(&path, m->audio_dir, m->err));
  SN_TRY_GOTO(s, sn_str_add(&path, it->path.p, it->path.n, m->err));
  s = add_named(m, it, sn_str_get(&id), sn_str_get(&path));
fail:
  sn_str_clear(&id);
  sn_str_clear(&path);
  return s;
}

/* The next line that is UTF-8; others are faults. */
static sn_status next_line(import *m, sn_reader *r, sn_span *line, bool *more) {
  for (;;) {
    size_t bad = 0;
    SN_TRY(sn_read_line(r, line, more, m->err));
    if (!*more) return SN_OK;
    if (line->n > 0 && (memchr(line->p, '\0', line->n) != NULL ||
                        !sn_utf8_valid(line->p, line->n, &bad))) {
      fault(m, sn_reader_name(r), sn_reader_line_no(r),
            "byte %zu of the line is not UTF-8 text", bad + 1);
      continue;
    }
    if (sn_span_trim(*line).n > 0) return SN_OK;
  }
}

/* ---- TSV: a header line with the columns' names ---- */

enum { COL_ID, COL_PATH, COL_TEXT, COL_SPEAKER, COL_BEGIN, COL_END, N_COLS };
static const char *const columns[N_COLS] = {"id",      "path",  "text",
                                            "speaker", "begin", "end"};

static sn_status read_header(import *m, sn_reader *r, int32_t *column,
                             size_t *n) {
  sn_span line, field;
  bool more = false;
  SN_TRY(next_line(m, r, &line, &more));
  if (!more) return sn_reader_fail(r, m->err, "the manifest is empty");
  for (*n = 0; *n < 64 && sn_next_field_sep(&line, '\t', &field); (*n)++) {
    column[*n] = -1;
    for (int k = 0; k < N_COLS; k++)
      if (sn_span_eq(sn_span_trim(field), columns[k])) column[*n] = k;
  }
  for (size_t i = 0; i < *n; i++)
    if (column[i] == COL_PATH) return SN_OK;
  return sn_reader_fail(r, m->err,
                        "expected a header with a column 'path' (and id, text, "
                        "speaker, begin, end), separated by TABs");
}

static sn_status tsv_line(import *m, sn_reader *r, sn_span line,
                          const int32_t *column, size_t n) {
  sn_span f[N_COLS], field;
  memset(f, 0, sizeof f);
  size_t i = 0;
  for (; sn_next_field_sep(&line, '\t', &field); i++)
    if (i < n && column[i] >= 0) f[column[i]] = sn_span_trim(field);
  item it = {f[COL_ID], f[COL_PATH], f[COL_TEXT],       f[COL_SPEAKER],
             0,         -1,          sn_reader_name(r), sn_reader_line_no(r)};
  if (i != n)
    fault(m, it.file, it.line, "%zu columns; the header has %zu", i, n);
  else if (it.path.n == 0)
    fault(m, it.file, it.line, "no path");
  else if ((f[COL_BEGIN].n > 0 &&
            (!sn_parse_double(f[COL_BEGIN], &it.begin_s) ||
             !(it.begin_s >= 0 && it.begin_s < 1e9))) ||
           (f[COL_END].n > 0 && (!sn_parse_double(f[COL_END], &it.end_s) ||
                                 !(it.end_s > it.begin_s && it.end_s < 1e9))))
    fault(m, it.file, it.line, "'%.*s' to '%.*s' is no part of a recording",
          (int)f[COL_BEGIN].n, f[COL_BEGIN].n > 0 ? f[COL_BEGIN].p : "",
          (int)f[COL_END].n, f[COL_END].n > 0 ? f[COL_END].p : "");
  else
    return add_item(m, &it);
  return SN_OK;
}

static sn_status import_tsv(import *m, const char *path) {
  sn_reader *r = NULL;
  int32_t column[64];
  size_t n = 0;
  SN_TRY(sn_reader_open(path, &r, m->err));
  sn_status s = read_header(m, r, column, &n);
  while (s == SN_OK) {
    sn_span line;
    bool more = false;
    s = next_line(m, r, &line, &more);
    if (s != SN_OK || !more) break;
    s = tsv_line(m, r, line, column, n);
  }
  sn_reader_destroy(r);
  return s;
}

/* ---- LibriSpeech: .../SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt ---- */

#define ENDING ".trans.txt"

/* The name of the folder above that of the file. */
static sn_span speaker_of(const char *file) {
  sn_span s = {file, 0};
  size_t n = strlen(file);
  for (int up = 0; up < 3; up++) {
    const size_t end = n;
    while (n > 0 && file[n - 1] != '/') n--;
    s.p = file + n;
    s.n = end - n;
    while (n > 0 && file[n - 1] == '/') n--;
  }
  return s;
}

static sn_status libri_line(import *m, sn_reader *r, sn_span line,
                            const char *folder) {
  static const char *const endings[] = {"flac", "wav", "sph"};
  sn_span id;
  sn_str path = {0};
  sn_status s = SN_OK;
  if (!sn_next_field(&line, &id)) return SN_OK;
  for (size_t i = 0; i < 3 && s == SN_OK; i++) {
    sn_str_reset(&path);
    s = sn_str_addf(&path, m->err, "%s/%.*s.%s", folder, (int)id.n, id.p,
                    endings[i]);
    if (s != SN_OK || sn_file_exists(path.data)) break;
  }
  if (s == SN_OK) {
    const item it = {id,
                     sn_span_of(sn_str_get(&path)),
                     sn_span_trim(line),
                     speaker_of(sn_reader_name(r)),
                     0,
                     -1,
                     sn_reader_name(r),
                     sn_reader_line_no(r)};
    s = add_item(m, &it);
  }
  sn_str_clear(&path);
  return s;
}

static sn_status libri_file(import *m, const char *folder, const char *path) {
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, m->err));
  sn_status s = SN_OK;
  while (s == SN_OK) {
    sn_span line;
    bool more = false;
    s = next_line(m, r, &line, &more);
    if (s != SN_OK || !more) break;
    s = libri_line(m, r, line, folder);
  }
  sn_reader_destroy(r);
  return s;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Entries of a folder in order: its transcripts are read, its folders put on
 * the list of what is to be visited. */
static sn_status visit(import *m, const char *folder, sn_arr_str *todo,
                       size_t *n_files) {
  sn_arr_str names = {0};
  sn_status s = SN_OK;
  DIR *const d = opendir(folder);
  if (d == NULL)
    return sn_fail(m->err, SN_EIO, "%s: the folder can not be read", folder);
  for (const struct dirent *e; s == SN_OK && (e = readdir(d)) != NULL;) {
    if (e->d_name[0] == '.') continue;
    char *const path = sn_path_join(folder, e->d_name);
    if (path == NULL) s = sn_fail_nomem(m->err, folder);
    if (path != NULL && (s = SN_ARR_PUSH(&names, path, m->err)) != SN_OK)
      sn_free(path);
  }
  (void)closedir(d);
  if (names.n > 0) qsort(names.data, names.n, sizeof *names.data, by_text);
  for (size_t i = 0; i < names.n; i++) {
    char *const path = names.data[i];
    const size_t n = strlen(path), e = strlen(ENDING);
    bool taken = false;
    if (s == SN_OK && sn_dir_exists(path)) {
      s = SN_ARR_PUSH(todo, path, m->err);
      taken = s == SN_OK;
    } else if (s == SN_OK && n > e && strcmp(path + n - e, ENDING) == 0) {
      (*n_files)++;
      s = libri_file(m, folder, path);
    }
    if (!taken) sn_free(path);
  }
  SN_ARR_FREE(&names);
  return s;
}

static sn_status import_libri(import *m, const char *root) {
  sn_arr_str todo = {0};
  size_t n_files = 0;
  char *const first = sn_strdup(root);
  if (first == NULL) return sn_fail_nomem(m->err, root);
  sn_status s = SN_ARR_PUSH(&todo, first, m->err);
  if (s != SN_OK) sn_free(first);
  for (size_t i = 0; i < todo.n && s == SN_OK; i++)
    s = visit(m, todo.data[i], &todo, &n_files);
  if (s == SN_OK && n_files == 0)
    s = sn_fail(m->err, SN_EFORMAT,
                "no file *" ENDING
                " below '%s': this is no tree like "
                "LibriSpeech's",
                root);
  for (size_t i = 0; i < todo.n; i++) sn_free(todo.data[i]);
  SN_ARR_FREE(&todo);
  return s;
}

/* ---- Sphinx: fileids, and "<s> WORDS </s> (id)" ---- */

typedef struct fileids {
  sn_symtab *stems, *paths; /* the same index in both */
} fileids;

static sn_status read_fileids(import *m, fileids *ids) {
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(m->o->fileids, &r, m->err));
  sn_status s = SN_OK;
  while (s == SN_OK) {
    sn_span line;
    bool more = false;
    s = next_line(m, r, &line, &more);
    if (s != SN_OK || !more) break;
    line = sn_span_trim(line);
    const char *const slash = sn_path_base(line.p);
    const sn_span base = {slash, line.n - (size_t)(slash - line.p)};
    if (sn_symtab_find(ids->stems, base.p, base.n) >= 0) {
      fault(m, sn_reader_name(r), sn_reader_line_no(r),
            "'%.*s' was there before", (int)base.n, base.p);
      continue;
    }
    int32_t a = 0, b = 0;
    s = sn_symtab_add(ids->stems, base.p, base.n, &a, m->err);
    if (s == SN_OK) s = sn_symtab_add(ids->paths, line.p, line.n, &b, m->err);
  }
  sn_reader_destroy(r);
  return s;
}

/* Takes "(id)" from the end of the line, and <s>, </s>. */
static bool cut_id(sn_span *line, sn_span *id) {
  sn_span s = sn_span_trim(*line);
  if (s.n < 3 || s.p[s.n - 1] != ')') return false;
  size_t from = s.n - 1;
  while (from > 0 && s.p[from] != '(') from--;
  if (s.p[from] != '(') return false;
  id->p = s.p + from + 1;
  id->n = s.n - from - 2;
  s.n = from;
  s = sn_span_trim(s);
  if (s.n >= 3 && memcmp(s.p, "<s>", 3) == 0) {
    s.p += 3;
    s.n -= 3;
  }
  if (s.n >= 4 && memcmp(s.p + s.n - 4, "</s>", 4) == 0) s.n -= 4;
  *line = sn_span_trim(s);
  return id->n > 0;
}

static sn_status sphinx_line(import *m, sn_reader *r, sn_span line,
                             const fileids *ids) {
  sn_span id = {NULL, 0};
  if (!cut_id(&line, &id)) {
    fault(m, sn_reader_name(r), sn_reader_line_no(r), "expected 'WORDS (id)'");
    return SN_OK;
  }
  const int32_t at = sn_symtab_find(ids->stems, id.p, id.n);
  if (at < 0) {
    fault(m, sn_reader_name(r), sn_reader_line_no(r), "'%.*s' is not in %s",
          (int)id.n, id.p, m->o->fileids);
    return SN_OK;
  }
  const char *const stem_path = sn_symtab_get(ids->paths, at);
  sn_str path = {0};
  sn_status s = sn_str_addf(&path, m->err, "%s.%s", stem_path, m->o->ending);
  if (s == SN_OK) {
    const char *const base = sn_path_base(stem_path);
    sn_span folder = {stem_path, (size_t)(base - stem_path)};
    if (folder.n > 0) folder.n--; /* the slash */
    size_t from = folder.n;
    while (from > 0 && folder.p[from - 1] != '/') from--;
    const sn_span speaker = {folder.p + from, folder.n - from};
    const item it = {id,
                     sn_span_of(path.data),
                     line,
                     speaker,
                     0,
                     -1,
                     sn_reader_name(r),
                     sn_reader_line_no(r)};
    s = add_item(m, &it);
  }
  sn_str_clear(&path);
  return s;
}

static sn_status import_sphinx(import *m, const char *transcription) {
  fileids ids = {NULL, NULL};
  sn_reader *r = NULL;
  sn_status s = SN_OK;
  if (m->o->fileids[0] == '\0')
    return sn_fail(m->err, SN_EARG,
                   "Sphinx's transcription needs the list of recordings: "
                   "--fileids=FILE");
  SN_TRY_GOTO(s, sn_symtab_create(&ids.stems, m->err));
  SN_TRY_GOTO(s, sn_symtab_create(&ids.paths, m->err));
  SN_TRY_GOTO(s, read_fileids(m, &ids));
  SN_TRY_GOTO(s, sn_reader_open(transcription, &r, m->err));
  while (s == SN_OK) {
    sn_span line;
    bool more = false;
    s = next_line(m, r, &line, &more);
    if (s != SN_OK || !more) break;
    s = sphinx_line(m, r, line, &ids);
  }
  if (s == SN_OK && m->n_faults == 0 &&
      m->c->utts.n < (size_t)sn_symtab_n(ids.stems))
    sn_warn(m->log, "%s: %zu of %d recordings have no transcript",
            m->o->fileids, (size_t)sn_symtab_n(ids.stems) - m->c->utts.n,
            (int)sn_symtab_n(ids.stems));
fail:
  sn_reader_destroy(r);
  sn_symtab_destroy(ids.stems);
  sn_symtab_destroy(ids.paths);
  return s;
}

/* ---- Any ---- */

static sn_status import_any(import *m, const char *source) {
  const sn_corpus_import_opts *const o = m->o;
  int32_t from = o->from;
  if (from == SN_CORPUS_AUTO)
    from = sn_dir_exists(source)   ? SN_CORPUS_LIBRISPEECH
           : o->fileids[0] != '\0' ? SN_CORPUS_SPHINX
                                   : SN_CORPUS_TSV;
  SN_TRY(sn_symtab_create(&m->utts, m->err));
  SN_TRY(sn_symtab_create(&m->recs, m->err));
  if (o->audio_dir[0] != '\0')
    m->audio_dir = sn_path_join(o->audio_dir, "");
  else if (from == SN_CORPUS_LIBRISPEECH)
    m->audio_dir = sn_strdup("");
  else
    m->audio_dir = sn_strndup(source, (size_t)(sn_path_base(source) - source));
  if (m->audio_dir == NULL) return sn_fail_nomem(m->err, source);
  SN_TRY(from == SN_CORPUS_TSV           ? import_tsv(m, source)
         : from == SN_CORPUS_LIBRISPEECH ? import_libri(m, source)
                                         : import_sphinx(m, source));
  if (m->n_faults > 0 && !o->skip_faulty)
    return sn_fail(m->err, m->first.code,
                   "%s (%zu faults in all; --skip-faulty leaves them out)",
                   m->first.msg, m->n_faults);
  if (m->n_faults > 0) sn_warn(m->log, "%s: %zu left out", source, m->n_faults);
  if (m->c->utts.n == 0)
    return sn_fail(m->err, SN_EFORMAT, "%s: no utterance", source);
  return SN_OK;
}

sn_status sn_corpus_import(const char *source,
                           const sn_corpus_import_opts *opts, sn_log *log,
                           sn_corpus *out, sn_err *err) {
  const sn_corpus none = {0};
  *out = none;
import m = {.o = opts, .c = out, .log = log, .err = err };
  const sn_status s = import_any(&m, source);
  sn_symtab_destroy(m.utts);
  sn_symtab_destroy(m.recs);
  sn_free(m.audio_dir);
  if (s != SN_OK) sn_corpus_clear(out);
  return s;
}
