/* SPDX-License-Identifier: Apache-2.0 */
/* Data directories.
 *
 *   1. wav.scp gives recordings: id and path;
 *   2. segments, where there are any, give utterances: parts of recordings;
 *      otherwise each recording is an utterance;
 *   3. text and utt2spk add to the utterances. An utterance that they leave
 *      out, or that only they have, is counted and the first ones are named in
 *      a warning: a subset of a corpus is a usual thing.
 * The files need not be sorted: ids are found in symbol tables. A fault does
 * not end the reading, so that one run names them all. */
#include "frontend/datadir.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "frontend/datadir_internal.h"

#define MAX_FAULTS_LOGGED 50
#define MAX_NAMED 5 /* utterances in one warning */

struct sni_datadir_store {
  sn_arena strings;
};

typedef struct loader {
  const sni_datadir_files *files;
  sn_arena *strings;
  sn_log *log;
  sn_err *err;      /* the first fault */
  sn_status status; /* its code */
  size_t n_faults;  /* in the content of the files */
  sn_symtab *recordings;
  SN_ARR(const char *) paths; /* by recording */
  sn_arr_i32 recording_lines; /* line of wav.scp, by recording */
  sn_symtab *ids;             /* of utterances */
  SN_ARR(sn_utt) utts;        /* by id */
  sn_arr_i32 utt_lines;
} loader;

/* ---- Faults ---- */

static void fault(loader *l, const sn_reader *r, const char *fmt, ...)
    SN_PRINTF(3, 4);

/* What is wrong in the line of r read last. */
static void fault(loader *l, const sn_reader *r, const char *fmt, ...) {
  char text[512];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (l->n_faults == 0)
    l->status = sn_fail(l->err, SN_EFORMAT, "%s:%lld: %s", sn_reader_name(r),
                        (long long)sn_reader_line_no(r), text);
  else if (l->n_faults <= MAX_FAULTS_LOGGED)
    sn_log_msg(l->log, SN_LOG_ERROR, "%s:%lld: %s", sn_reader_name(r),
               (long long)sn_reader_line_no(r), text);
  l->n_faults++;
}

/* Ids that are left out, for one warning. */
typedef struct name_list {
  size_t n;
  char text[256];
} name_list;

static void add_name(name_list *names, const char *id) {
  if (names->n++ >= MAX_NAMED) return;
  const size_t used = strlen(names->text);
  (void)snprintf(names->text + used, sizeof names->text - used, "%s%s",
                 names->n > 1 ? ", " : "", id);
}

static void warn_names(const loader *l, const name_list *names,
                       const char *file, const char *what) {
  if (names->n == 0) return;
  sn_warn(l->log, "%s: %zu utterance%s %s: %s%s", file, names->n,
          names->n == 1 ? "" : "s", what, names->text,
          names->n > MAX_NAMED ? ", ..." : "");
}

/* ---- Lines ---- */

/* The next line that is not blank, its first field apart; faulty ones are
 * named and passed over. *more is false at the end. */
static sn_status next_line(loader *l, sn_reader *r, sn_span *id, sn_span *rest,
                           bool *more) {
  for (;;) {
    SN_TRY(sn_read_line(r, rest, more, l->err));
    if (!*more) return SN_OK;
    char why[512];
    if (!sn_datadir_line_ok(*rest, why, sizeof why)) {
      fault(l, r, "%s", why);
      continue;
    }
    if (!sn_next_field(rest, id)) continue;
    *rest = sn_span_trim(*rest);
    return SN_OK;
  }
}

/* Adds an id that must be new; *index is -1 where it is not. */
static sn_status add_new(loader *l, const sn_reader *r, sn_symtab *t,
                         sn_arr_i32 *lines, sn_span id, int32_t *index) {
  const int32_t before = sn_symtab_n(t);
  SN_TRY(sn_symtab_add(t, id.p, id.n, index, l->err));
  if (*index < before) {
    fault(l, r, "'%.*s' is in line %ld already", (int)id.n, id.p,
          (long)lines->data[*index]);
    *index = -1;
    return SN_OK;
  }
  return SN_ARR_PUSH(lines, (int32_t)sn_reader_line_no(r), l->err);
}

static const char *keep(loader *l, sn_span s) {
  return sn_arena_strndup(l->strings, s.p, s.n);
}

/* ---- wav.scp ---- */

static sn_status resolve(loader *l, sn_span path, const char **out) {
  const size_t n_corpus = path.p[0] == '/' ? 0 : strlen(l->files->corpus);
  char *const p = sn_arena_alloc(l->strings, n_corpus + path.n + 1, 1);
  if (p == NULL) return sn_fail_nomem(l->err, "data directory");
  if (n_corpus > 0) memcpy(p, l->files->corpus, n_corpus);
  memcpy(p + n_corpus, path.p, path.n);
  *out = p;
  return SN_OK;
}

static sn_status read_recordings(loader *l) {
  sn_reader *const r = l->files->wav_scp;
  for (;;) {
    sn_span id, path;
    bool more = false;
    SN_TRY(next_line(l, r, &id, &path, &more));
    if (!more) return SN_OK;
    int32_t index = -1;
    SN_TRY(add_new(l, r, l->recordings, &l->recording_lines, id, &index));
    if (index < 0) continue;
    const char *resolved = "";
    char why[512];
    if (!sn_datadir_path_ok(id, path, why, sizeof why)) {
      fault(l, r, "%s", why);
    } else {
      SN_TRY(resolve(l, path, &resolved));
      if (l->files->check_paths && !sn_file_exists(resolved))
        fault(l, r, "there is no recording '%s'%s", resolved,
              path.p[0] == '/' ? ""
                               : " (relative paths belong to the parent of the "
                                 "data directory)");
    }
    SN_TRY(SN_ARR_PUSH(&l->paths, resolved, l->err));
  }
}

/* ---- Utterances ---- */

static sn_status add_utt(loader *l, const sn_reader *r, sn_span id,
                         sn_utt utt) {
  int32_t index = -1;
  SN_TRY(add_new(l, r, l->ids, &l->utt_lines, id, &index));
  if (index < 0) return SN_OK;
  utt.id = keep(l, id);
  if (utt.id == NULL) return sn_fail_nomem(l->err, "data directory");
  return SN_ARR_PUSH(&l->utts, utt, l->err);
}

static sn_status utts_of_recordings(loader *l) {
  for (int32_t i = 0; i < sn_symtab_n(l->recordings); i++) {
    const sn_utt utt = {NULL, l->paths.data[i], 0, -1, NULL, NULL};
    const sn_span id = sn_span_of(sn_symtab_get(l->recordings, i));
    SN_TRY(add_utt(l, l->files->wav_scp, id, utt));
  }
  return SN_OK;
}

/* "UTT RECORDING BEGIN END"; an END of -1 is the recording's end. */
static void parse_segment(loader *l, sn_span rest, sn_utt *utt) {
  const sn_reader *const r = l->files->segments;
  sn_datadir_segment g;
  char why[512];
  utt->path = NULL;
  if (!sn_datadir_segment_parse(rest, &g, why, sizeof why)) {
    fault(l, r, "%s", why);
    return;
  }
  const int32_t recording =
      sn_symtab_find(l->recordings, g.recording.p, g.recording.n);
  if (recording < 0) {
    fault(l, r, "the recording '%.*s' is not in wav.scp", (int)g.recording.n,
          g.recording.p);
    return;
  }
  utt->path = l->paths.data[recording];
  utt->begin_s = g.begin_s;
  utt->end_s = g.end_s;
}

static sn_status utts_of_segments(loader *l) {
  sn_reader *const r = l->files->segments;
  for (;;) {
    sn_span id, rest;
    bool more = false;
    SN_TRY(next_line(l, r, &id, &rest, &more));
    if (!more) return SN_OK;
    sn_utt utt = {NULL, NULL, 0, -1, NULL, NULL};
    parse_segment(l, rest, &utt);
    SN_TRY(add_utt(l, r, id, utt));
  }
}

/* ---- text, utt2spk ---- */

/* Lines of "UTT value" into the utterances: *slot(utt) = value. */
static sn_status read_values(loader *l, sn_reader *r, bool is_text) {
  const char *const file = sn_reader_name(r);
  sn_arr_i32 lines = {NULL, 0, 0}; /* by utterance; 0: not yet */
  name_list strangers = {0, ""}, missing = {0, ""};
  sn_status s = SN_OK;
  SN_TRY_GOTO(s, SN_ARR_RESIZE(&lines, l->utts.n, l->err));
  for (size_t i = 0; i < lines.n; i++) lines.data[i] = 0;
  for (;;) {
    sn_span id, rest;
    bool more = false;
    SN_TRY_GOTO(s, next_line(l, r, &id, &rest, &more));
    if (!more) break;
    const int32_t i = sn_symtab_find(l->ids, id.p, id.n);
    if (i < 0) {
      char name[64];
      (void)snprintf(name, sizeof name, "%.*s", (int)id.n, id.p);
      add_name(&strangers, name);
      continue;
    }
    if (lines.data[i] != 0) {
      fault(l, r, "'%.*s' is in line %ld already", (int)id.n, id.p,
            (long)lines.data[i]);
      continue;
    }
    lines.data[i] = (int32_t)sn_reader_line_no(r);
    if (!is_text && (rest.n == 0 || memchr(rest.p, ' ', rest.n) != NULL ||
                     memchr(rest.p, '\t', rest.n) != NULL)) {
      fault(l, r, "expected 'UTTERANCE SPEAKER'");
      continue;
    }
    const char *const value = keep(l, rest);
    if (value == NULL) SN_TRY_GOTO(s, sn_fail_nomem(l->err, "data directory"));
    *(is_text ? &l->utts.data[i].text : &l->utts.data[i].speaker) = value;
  }
  for (size_t i = 0; i < l->utts.n; i++)
    if (lines.data[i] == 0) add_name(&missing, l->utts.data[i].id);
  warn_names(l, &strangers, file,
             l->files->segments != NULL ? "not in segments" : "not in wav.scp");
  warn_names(l, &missing, file, "missing here");
fail:
  SN_ARR_FREE(&lines);
  return s;
}

/* ---- All ---- */

static sn_status load_all(loader *l) {
  SN_TRY(sn_symtab_create(&l->recordings, l->err));
  SN_TRY(sn_symtab_create(&l->ids, l->err));
  SN_TRY(read_recordings(l));
  SN_TRY(l->files->segments != NULL ? utts_of_segments(l)
                                    : utts_of_recordings(l));
  if (l->files->text != NULL) SN_TRY(read_values(l, l->files->text, true));
  if (l->files->utt2spk != NULL)
    SN_TRY(read_values(l, l->files->utt2spk, false));
  if (l->n_faults > MAX_FAULTS_LOGGED + 1)
    sn_log_msg(l->log, SN_LOG_ERROR, "... and %zu more faults",
               l->n_faults - MAX_FAULTS_LOGGED - 1);
  return l->status;
}

sn_status sni_datadir_parse(const sni_datadir_files *f, sn_log *log,
                            sn_datadir *out, sn_err *err) {
  const sn_datadir none = {NULL, 0, NULL};
  *out = none;
  sn_err own = {SN_OK, ""}; /* the first fault decides also without err */
  loader l = {.files = f, .log = log, .err = err != NULL ? err : &own};
  out->store = sn_calloc(1, sizeof *out->store);
  if (out->store == NULL) return sn_fail_nomem(err, "data directory");
  l.strings = &out->store->strings;
  const sn_status s = load_all(&l);
  sn_symtab_destroy(l.recordings);
  sn_symtab_destroy(l.ids);
  SN_ARR_FREE(&l.paths);
  SN_ARR_FREE(&l.recording_lines);
  SN_ARR_FREE(&l.utt_lines);
  out->utts = l.utts.data;
  out->n = l.utts.n;
  if (s != SN_OK) sn_datadir_clear(out);
  return s;
}

void sn_datadir_clear(sn_datadir *d) {
  sn_free(d->utts);
  if (d->store != NULL) sn_arena_clear(&d->store->strings);
  sn_free(d->store);
  d->utts = NULL;
  d->n = 0;
  d->store = NULL;
}

/* ---- Files ---- */

/* The parent of dir with a slash behind it; "" for that of "name". */
static char *parent_of(const char *dir) {
  size_t n = strlen(dir);
  while (n > 1 && dir[n - 1] == '/') n--;
  size_t base = n;
  while (base > 0 && dir[base - 1] != '/') base--;
  const sn_span name = {dir + base, n - base};
  if (name.n > 0 && !sn_span_eq(name, ".") && !sn_span_eq(name, ".."))
    return sn_strndup(dir, base);
  char *const plain = sn_strndup(dir, n);
  if (plain == NULL) return NULL;
  char *const up = sn_path_join(plain, "../"); /* also right for "/" */
  sn_free(plain);
  return up;
}

static sn_status open_part(const char *dir, const char *name, bool needed,
                           sn_reader **out, sn_err *err) {
  *out = NULL;
  char *const path = sn_path_join(dir, name);
  if (path == NULL) return sn_fail_nomem(err, dir);
  sn_status s = SN_OK;
  if (needed || sn_file_exists(path)) s = sn_reader_open(path, out, err);
  sn_free(path);
  return s;
}

static sn_status load_dir(const char *dir, bool check_paths, sn_log *log,
                          sn_datadir *out, sn_err *err) {
  const sn_datadir none = {NULL, 0, NULL};
  *out = none;
  if (!sn_dir_exists(dir))
    return sn_fail(err, SN_EIO, "there is no data directory '%s'", dir);
  sni_datadir_files f = {.check_paths = check_paths};
  char *const corpus = parent_of(dir);
  sn_status s = SN_OK;
  if (corpus == NULL) SN_TRY_GOTO(s, sn_fail_nomem(err, dir));
  f.corpus = corpus;
  s = open_part(dir, "wav.scp", true, &f.wav_scp, err);
  if (s != SN_OK)
    sn_err_context(err, "a data directory needs a list of recordings");
  if (s == SN_OK) s = open_part(dir, "segments", false, &f.segments, err);
  if (s == SN_OK) s = open_part(dir, "text", false, &f.text, err);
  if (s == SN_OK) s = open_part(dir, "utt2spk", false, &f.utt2spk, err);
  if (s == SN_OK) s = sni_datadir_parse(&f, log, out, err);
fail:
  sn_reader_destroy(f.wav_scp);
  sn_reader_destroy(f.segments);
  sn_reader_destroy(f.text);
  sn_reader_destroy(f.utt2spk);
  sn_free(corpus);
  return s;
}

sn_status sn_datadir_load(const char *dir, sn_log *log, sn_datadir *out,
                          sn_err *err) {
  return load_dir(dir, true, log, out, err);
}

sn_status sn_datadir_load_unchecked(const char *dir, sn_log *log,
                                    sn_datadir *out, sn_err *err) {
  return load_dir(dir, false, log, out, err);
}
