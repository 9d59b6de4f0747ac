/* SPDX-License-Identifier: Apache-2.0 */
/* Data directories for inspection.
 *
 * A line that can not be used is a fault and is passed over; an utterance that
 * lacks something stays, with the fault's bit set, so that later checks do not
 * report the consequence of a fault as another one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "frontend/datadir.h"
#include "train/corpus_internal.h"

const char *sn_corpus_fault_name(sn_corpus_fault_kind k) {
  static const char *const names[] = {
#define X(name, text, action) text,
      SN_CORPUS_FAULT_MAP(X)
#undef X
  };
  return (unsigned)k < SN_N_CORPUS_FAULTS ? names[k] : "?";
}

const char *sn_corpus_fault_action(sn_corpus_fault_kind k) {
  static const char *const actions[] = {
#define X(name, text, action) action,
      SN_CORPUS_FAULT_MAP(X)
#undef X
  };
  return (unsigned)k < SN_N_CORPUS_FAULTS ? actions[k] : "?";
}

void sn_corpus_clear(sn_corpus *c) {
  const sn_corpus none = {0};
  SN_ARR_FREE(&c->recs);
  SN_ARR_FREE(&c->utts);
  SN_ARR_FREE(&c->faults);
  sn_arena_clear(&c->strings);
  sn_free(c->dir);
  *c = none;
}

sn_status sni_corpus_keep(sn_corpus *c, sn_span s, const char **out,
                          sn_err *err) {
  *out = sn_arena_strndup(&c->strings, s.p, s.n);
  return *out == NULL ? sn_fail_nomem(err, "corpus") : SN_OK;
}

sn_status sni_corpus_fault(sn_corpus *c, sn_corpus_utt *utt, sn_corpus_fault at,
                           sn_err *err, const char *fmt, ...) {
  char text[768];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  SN_TRY(sni_corpus_keep(c, sn_span_of(text), &at.text, err));
  if (utt != NULL) utt->faults |= 1u << at.kind;
  return SN_ARR_PUSH(&c->faults, at, err);
}

typedef struct reader {
  sn_corpus *c;
  const sni_corpus_files *files;
  sn_reader *r; /* the file being read */
  sn_err *err;
  sn_symtab *recs, *utts;
  char last[256]; /* the id of the line before, for the order */
} reader;

static sn_corpus_fault here(const reader *x, sn_corpus_fault_kind kind) {
  const sn_corpus_fault at = {kind, sn_path_base(sn_reader_name(x->r)),
                              (int32_t)sn_reader_line_no(x->r), NULL};
  return at;
}
#define FAULT(x, utt, kind, ...) \
  sni_corpus_fault((x)->c, (utt), here((x), (kind)), (x)->err, __VA_ARGS__)

/* ---- Lines ---- */

/* The line's text: valid UTF-8 without NUL, or *ok is false. */
static sn_status check_encoding(reader *x, sn_span line, bool *ok) {
  char why[512];
  *ok = sn_datadir_line_ok(line, why, sizeof why);
  return *ok ? SN_OK : FAULT(x, NULL, SN_CORPUS_ENCODING, "%s", why);
}

static sn_status check_order(reader *x, sn_span id) {
  char now[sizeof x->last];
  (void)snprintf(now, sizeof now, "%.*s", (int)id.n, id.p);
  sn_status s = SN_OK;
  if (strcmp(now, x->last) < 0)
    s = FAULT(x, NULL, SN_CORPUS_UNSORTED,
              "'%s' comes after '%s'; sort the file with LC_ALL=C sort", now,
              x->last);
  memcpy(x->last, now, sizeof now);
  return s;
}

static sn_status next_line(reader *x, sn_span *id, sn_span *rest, bool *more) {
  for (;;) {
    bool ok = false;
    SN_TRY(sn_read_line(x->r, rest, more, x->err));
    if (!*more) return SN_OK;
    SN_TRY(check_encoding(x, *rest, &ok));
    if (!ok || !sn_next_field(rest, id)) continue;
    *rest = sn_span_trim(*rest);
    return check_order(x, *id);
  }
}

static void begin_file(reader *x, sn_reader *r) {
  x->r = r;
  x->last[0] = '\0';
}

/* ---- wav.scp ---- */

static sn_status resolve(reader *x, sn_span path, const char **out) {
  const char *const parent = path.p[0] == '/' ? "" : x->files->parent;
  sn_str joined = {0};
  sn_status s = sn_str_adds(&joined, parent, x->err);
  if (s == SN_OK) s = sn_str_add(&joined, path.p, path.n, x->err);
  if (s == SN_OK)
    s = sni_corpus_keep(x->c, sn_span_of(sn_str_get(&joined)), out, x->err);
  sn_str_clear(&joined);
  return s;
}

static sn_status add_rec(reader *x, sn_span id, sn_span path) {
  const int32_t before = sn_symtab_n(x->recs);
  int32_t index = -1;
  char why[512];
  if (!sn_datadir_path_ok(id, path, why, sizeof why))
    return FAULT(x, NULL, SN_CORPUS_SYNTAX, "%s", why);
  SN_TRY(sn_symtab_add(x->recs, id.p, id.n, &index, x->err));
  if (index < before)
    return FAULT(x, NULL, SN_CORPUS_DUPLICATE, "'%.*s' is in line %d already",
                 (int)id.n, id.p, (int)x->c->recs.data[index].line);
  sn_corpus_rec rec = {.line = (int32_t)sn_reader_line_no(x->r),
                       .length_s = -1};
  SN_TRY(sni_corpus_keep(x->c, id, &rec.id, x->err));
  SN_TRY(resolve(x, path, &rec.path));
  return SN_ARR_PUSH(&x->c->recs, rec, x->err);
}

static sn_status read_recs(reader *x) {
  begin_file(x, x->files->wav_scp);
  for (;;) {
    sn_span id, path;
    bool more = false;
    SN_TRY(next_line(x, &id, &path, &more));
    if (!more) return SN_OK;
    SN_TRY(add_rec(x, id, path));
  }
}

/* ---- Utterances ---- */

static sn_status add_utt(reader *x, sn_span id, sn_corpus_utt utt) {
  const int32_t before = sn_symtab_n(x->utts);
  int32_t index = -1;
  SN_TRY(sn_symtab_add(x->utts, id.p, id.n, &index, x->err));
  if (index < before)
    return FAULT(x, NULL, SN_CORPUS_DUPLICATE, "'%.*s' is in line %d already",
                 (int)id.n, id.p, (int)x->c->utts.data[index].line);
  utt.peak = -1;
  SN_TRY(sni_corpus_keep(x->c, id, &utt.id, x->err));
  return SN_ARR_PUSH(&x->c->utts, utt, x->err);
}

static sn_status utts_of_recs(reader *x) {
  for (size_t i = 0; i < x->c->recs.n; i++) {
    const sn_corpus_rec *const rec = &x->c->recs.data[i];
    const sn_corpus_utt utt = {
        .rec = (int32_t)i, .end_s = -1, .line = rec->line};
    SN_TRY(add_utt(x, sn_span_of(rec->id), utt));
  }
  return SN_OK;
}

/* "RECORDING BEGIN END" into *utt; *ok is false after a fault. */
static sn_status parse_segment(reader *x, sn_span id, sn_span rest,
                               sn_corpus_utt *utt, bool *ok) {
  sn_datadir_segment g;
  char why[512];
  *ok = sn_datadir_segment_parse(rest, &g, why, sizeof why);
  if (!*ok) return FAULT(x, NULL, SN_CORPUS_SYNTAX, "%s", why);
  utt->rec = sn_symtab_find(x->recs, g.recording.p, g.recording.n);
  utt->begin_s = g.begin_s;
  utt->end_s = g.end_s;
  if (utt->rec < 0)
    return FAULT(x, utt, SN_CORPUS_NO_SEGMENT,
                 "utterance '%.*s': the recording '%.*s' is not in wav.scp",
                 (int)id.n, id.p, (int)g.recording.n, g.recording.p);
  return SN_OK;
}

static sn_status utts_of_segments(reader *x) {
  begin_file(x, x->files->segments);
  for (;;) {
    sn_span id, rest;
    bool more = false, ok = false;
    SN_TRY(next_line(x, &id, &rest, &more));
    if (!more) return SN_OK;
    sn_corpus_utt utt = {
        .rec = -1, .end_s = -1, .line = (int32_t)sn_reader_line_no(x->r)};
    SN_TRY(parse_segment(x, id, rest, &utt, &ok));
    if (ok) SN_TRY(add_utt(x, id, utt));
  }
}

/* ---- text, utt2spk ---- */

static sn_status set_value(reader *x, sn_span id, sn_span rest, bool is_text,
                           sn_arr_i32 *lines) {
  const int32_t i = sn_symtab_find(x->utts, id.p, id.n);
  if (i < 0)
    return FAULT(x, NULL, SN_CORPUS_STRANGER, "'%.*s' is not in %s", (int)id.n,
                 id.p, x->files->segments != NULL ? "segments" : "wav.scp");
  if (lines->data[i] != 0)
    return FAULT(x, NULL, SN_CORPUS_DUPLICATE, "'%.*s' is in line %d already",
                 (int)id.n, id.p, (int)lines->data[i]);
  sn_corpus_utt *const utt = &x->c->utts.data[i];
  lines->data[i] = (int32_t)sn_reader_line_no(x->r);
  if (is_text) {
    utt->text_line = lines->data[i];
    SN_TRY(sni_corpus_keep(x->c, rest, &utt->text, x->err));
    return rest.n > 0 ? SN_OK
                      : FAULT(x, utt, SN_CORPUS_EMPTY_TEXT,
                              "utterance '%s' has no words", utt->id);
  }
  sn_span field;
  if (!sn_next_field(&rest, &field) || rest.n > 0)
    return FAULT(x, NULL, SN_CORPUS_SYNTAX, "expected 'UTTERANCE SPEAKER'");
  return sni_corpus_keep(x->c, field, &utt->speaker, x->err);
}

static sn_status missing_values(reader *x, bool is_text,
                                const sn_arr_i32 *lines) {
  for (size_t i = 0; i < x->c->utts.n; i++) {
    if (lines->data[i] != 0) continue;
    sn_corpus_utt *const utt = &x->c->utts.data[i];
    const sn_corpus_fault at = {
        is_text ? SN_CORPUS_NO_TEXT : SN_CORPUS_NO_SPEAKER,
        x->files->segments != NULL ? "segments" : "wav.scp", utt->line, NULL};
    SN_TRY(sni_corpus_fault(x->c, utt, at, x->err, "'%s' is not in %s", utt->id,
                            is_text ? "text" : "utt2spk"));
  }
  return SN_OK;
}

static sn_status read_values(reader *x, sn_reader *r, bool is_text) {
  sn_arr_i32 lines = {NULL, 0, 0}; /* by utterance; 0: not yet */
  sn_status s = SN_OK;
  begin_file(x, r);
  SN_TRY_GOTO(s, SN_ARR_RESIZE(&lines, x->c->utts.n, x->err));
  for (size_t i = 0; i < lines.n; i++) lines.data[i] = 0;
  for (;;) {
    sn_span id, rest;
    bool more = false;
    SN_TRY_GOTO(s, next_line(x, &id, &rest, &more));
    if (!more) break;
    SN_TRY_GOTO(s, set_value(x, id, rest, is_text, &lines));
  }
  s = missing_values(x, is_text, &lines);
fail:
  SN_ARR_FREE(&lines);
  return s;
}

/* ---- Recordings that no segment uses, or that are not there ---- */

static sn_status check_recs(reader *x) {
  sn_corpus *const c = x->c;
  bool *const used = sn_calloc(c->recs.n, sizeof *used);
  if (used == NULL) return sn_fail_nomem(x->err, "corpus");
  for (size_t i = 0; i < c->utts.n; i++)
    if (c->utts.data[i].rec >= 0) used[c->utts.data[i].rec] = true;
  sn_status s = SN_OK;
  for (size_t i = 0; i < c->recs.n && s == SN_OK; i++) {
    const sn_corpus_rec *const rec = &c->recs.data[i];
    if (!used[i]) {
      const sn_corpus_fault at = {SN_CORPUS_UNUSED, "wav.scp", rec->line, NULL};
      s = sni_corpus_fault(c, NULL, at, x->err,
                           "no segment is of the recording '%s'", rec->id);
    } else if (x->files->check_paths && !sn_file_exists(rec->path)) {
      const sn_corpus_fault at = {SN_CORPUS_NO_AUDIO, "wav.scp", rec->line,
                                  NULL};
      s = sni_corpus_fault(c, NULL, at, x->err, "there is no recording '%s'",
                           rec->path);
      for (size_t u = 0; u < c->utts.n; u++)
        if (c->utts.data[u].rec == (int32_t)i)
          c->utts.data[u].faults |= 1u << SN_CORPUS_NO_AUDIO;
    }
  }
  sn_free(used);
  return s;
}

/* ---- All ---- */

static sn_status read_all(reader *x) {
  const sni_corpus_files *const f = x->files;
  SN_TRY(sn_symtab_create(&x->recs, x->err));
  SN_TRY(sn_symtab_create(&x->utts, x->err));
  SN_TRY(read_recs(x));
  SN_TRY(f->segments != NULL ? utts_of_segments(x) : utts_of_recs(x));
  if (f->text != NULL) SN_TRY(read_values(x, f->text, true));
  if (f->utt2spk != NULL) SN_TRY(read_values(x, f->utt2spk, false));
  return check_recs(x);
}

sn_status sni_corpus_parse(const sni_corpus_files *f, sn_corpus *out,
                           sn_err *err) {
  const sn_corpus none = {0};
  *out = none;
  out->has_segments = f->segments != NULL;
  out->has_text = f->text != NULL;
  out->has_speakers = f->utt2spk != NULL;
  reader x = {.c = out, .files = f, .err = err};
  const sn_status s = read_all(&x);
  sn_symtab_destroy(x.recs);
  sn_symtab_destroy(x.utts);
  /* names of files are the readers': keep them */
  for (size_t i = 0; s == SN_OK && i < out->faults.n; i++) {
    sn_corpus_fault *const f1 = &out->faults.data[i];
    if (sni_corpus_keep(out, sn_span_of(f1->file), &f1->file, err) != SN_OK) {
      sn_corpus_clear(out);
      return SN_ENOMEM;
    }
  }
  if (s != SN_OK) sn_corpus_clear(out);
  return s;
}

char *sni_corpus_parent(const char *dir) {
  size_t n = strlen(dir);
  while (n > 1 && dir[n - 1] == '/') n--;
  size_t base = n;
  while (base > 0 && dir[base - 1] != '/') base--;
  const sn_span name = {dir + base, n - base};
  if (name.n > 0 && !sn_span_eq(name, ".") && !sn_span_eq(name, ".."))
    return sn_strndup(dir, base);
  char *const plain = sn_strndup(dir, n);
  char *const up = plain != NULL ? sn_path_join(plain, "../") : NULL;
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

sn_status sn_corpus_read(const char *dir, sn_corpus *out, sn_err *err) {
  const sn_corpus none = {0};
  *out = none;
  if (!sn_dir_exists(dir))
    return sn_fail(err, SN_EIO, "there is no data directory '%s'", dir);
  sni_corpus_files f = {.check_paths = true};
  char *const parent = sni_corpus_parent(dir);
  sn_status s = parent == NULL ? sn_fail_nomem(err, dir) : SN_OK;
  f.parent = parent;
  if (s == SN_OK) {
    s = open_part(dir, "wav.scp", true, &f.wav_scp, err);
    if (s != SN_OK)
      sn_err_context(err, "a data directory needs a list of recordings");
  }
  if (s == SN_OK) s = open_part(dir, "segments", false, &f.segments, err);
  if (s == SN_OK) s = open_part(dir, "text", false, &f.text, err);
  if (s == SN_OK) s = open_part(dir, "utt2spk", false, &f.utt2spk, err);
  if (s == SN_OK) s = sni_corpus_parse(&f, out, err);
  if (s == SN_OK && (out->dir = sn_strdup(dir)) == NULL) {
    sn_corpus_clear(out);
    s = sn_fail_nomem(err, dir);
  }
  sn_reader_destroy(f.wav_scp);
  sn_reader_destroy(f.segments);
  sn_reader_destroy(f.text);
  sn_reader_destroy(f.utt2spk);
  sn_free(parent);
  return s;
}

sn_status sn_corpus_load(const char *dir, sn_corpus *out, sn_err *err) {
  SN_TRY(sn_corpus_read(dir, out, err));
  size_t n = 0;
  const sn_corpus_fault *first = NULL;
  for (size_t i = 0; i < out->faults.n; i++) {
    const sn_corpus_fault *const f = &out->faults.data[i];
    if (f->kind == SN_CORPUS_UNSORTED || f->kind == SN_CORPUS_UNUSED) continue;
    if (n++ == 0) first = f;
  }
  if (n == 0) return SN_OK;
  (void)sn_fail(err, SN_EFORMAT,
                "%s/%s:%d: %s (%zu fault%s in all: 'senone corpus check %s' "
                "names them, --fix=NEW_DIR writes a repaired copy)",
                dir, first->file, (int)first->line, first->text, n,
                n == 1 ? "" : "s", dir);
  sn_corpus_clear(out);
  return SN_EFORMAT;
}
