/* SPDX-License-Identifier: Apache-2.0 */
/* A corpus as a data directory, sorted by id as sort does in the C locale. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "train/corpus_internal.h"

typedef struct keyed {
  const char *id;
  size_t index;
} keyed;

static int by_id(const void *a, const void *b) {
  const keyed *const x = a, *const y = b;
  const int c = strcmp(x->id, y->id);
  return c != 0 ? c : (x->index > y->index) - (x->index < y->index);
}

static sn_status sorted(const keyed *keys, size_t n, size_t **out,
                        sn_err *err) {
  *out = sn_calloc(n, sizeof **out);
  if (*out == NULL) return sn_fail_nomem(err, "corpus");
  for (size_t i = 0; i < n; i++) (*out)[i] = keys[i].index;
  return SN_OK;
}

sn_status sni_corpus_sorted(const sn_corpus *c, size_t **out, sn_err *err) {
  keyed *const keys = sn_calloc(c->utts.n, sizeof *keys);
  *out = NULL;
  if (keys == NULL) return sn_fail_nomem(err, "corpus");
  for (size_t i = 0; i < c->utts.n; i++) {
    keys[i].id = c->utts.data[i].id;
    keys[i].index = i;
  }
  qsort(keys, c->utts.n, sizeof *keys, by_id);
  const sn_status s = sorted(keys, c->utts.n, out, err);
  sn_free(keys);
  return s;
}

static sn_status sorted_recs(const sn_corpus *c, size_t **out, sn_err *err) {
  keyed *const keys = sn_calloc(c->recs.n, sizeof *keys);
  *out = NULL;
  if (keys == NULL) return sn_fail_nomem(err, "corpus");
  for (size_t i = 0; i < c->recs.n; i++) {
    keys[i].id = c->recs.data[i].id;
    keys[i].index = i;
  }
  qsort(keys, c->recs.n, sizeof *keys, by_id);
  const sn_status s = sorted(keys, c->recs.n, out, err);
  sn_free(keys);
  return s;
}

/* The absolute name of a file or folder, links in the folder resolved, in
 * to[PATH_MAX]; as it is where the folder is not there. */
static void absolute(const char *path, char *to) {
  char folder[PATH_MAX], real[PATH_MAX];
  const char *const base = sn_path_base(path);
  const int n = (int)(base - path);
  (void)snprintf(folder, sizeof folder, "%.*s", n > 0 ? n : 2,
                 n > 0 ? path : "./");
  if (realpath(folder, real) == NULL ||
      snprintf(to, PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
               base) >= PATH_MAX)
    (void)snprintf(to, PATH_MAX, "%s", path);
}

typedef struct output {
  const sn_corpus *c;
  const bool *keep;
  const char *dir;
  const size_t *utts, *recs; /* sorted */
  bool *used;                /* [recs] */
  char parent[PATH_MAX];     /* of dir, real, with a slash behind */
  sn_err *err;
} output;

static bool kept(const output *o, size_t i) {
  return (o->keep == NULL || o->keep[i]) && o->c->utts.data[i].rec >= 0;
}

static sn_status write_recs(const output *o, sn_writer *w) {
  for (size_t k = 0; k < o->c->recs.n; k++) {
    const sn_corpus_rec *const r = &o->c->recs.data[o->recs[k]];
    if (!o->used[o->recs[k]]) continue;
    char path[PATH_MAX];
    absolute(r->path, path);
    const size_t n = strlen(o->parent);
    const bool below = strncmp(path, o->parent, n) == 0;
    SN_TRY(sn_writef(w, o->err, "%s %s\n", r->id, below ? path + n : path));
  }
  return SN_OK;
}

typedef sn_status line_fn(const output *o, const sn_corpus_utt *u,
                          sn_writer *w);

static sn_status segment_line(const output *o, const sn_corpus_utt *u,
                              sn_writer *w) {
  SN_TRY(sn_writef(w, o->err, "%s %s %.10g ", u->id, o->c->recs.data[u->rec].id,
                   u->begin_s));
  return u->end_s < 0 ? sn_writef(w, o->err, "-1\n")
                      : sn_writef(w, o->err, "%.10g\n", u->end_s);
}

static sn_status text_line(const output *o, const sn_corpus_utt *u,
                           sn_writer *w) {
  if (u->text == NULL) return SN_OK;
  return sn_writef(w, o->err, "%s %s\n", u->id, u->text);
}

static sn_status speaker_line(const output *o, const sn_corpus_utt *u,
                              sn_writer *w) {
  if (u->speaker == NULL) return SN_OK;
  return sn_writef(w, o->err, "%s %s\n", u->id, u->speaker);
}

/* One file of the directory; line == NULL: wav.scp. */
static sn_status write_file(const output *o, const char *name, line_fn *line) {
  sn_writer *w = NULL;
  char *const path = sn_path_join(o->dir, name);
  if (path == NULL) return sn_fail_nomem(o->err, o->dir);
  sn_status s = sn_writer_open(path, &w, o->err);
  if (s == SN_OK && line == NULL) s = write_recs(o, w);
  for (size_t k = 0; line != NULL && k < o->c->utts.n && s == SN_OK; k++)
    if (kept(o, o->utts[k])) s = line(o, &o->c->utts.data[o->utts[k]], w);
  if (s == SN_OK) s = sn_writer_commit(w, o->err);
  sn_writer_destroy(w);
  sn_free(path);
  return s;
}

/* A file that this corpus has not must not stay from an older one. */
static sn_status drop_file(const output *o, const char *name) {
  char *const path = sn_path_join(o->dir, name);
  if (path == NULL) return sn_fail_nomem(o->err, o->dir);
  sn_status s = SN_OK;
  if (sn_file_exists(path) && unlink(path) != 0)
    s = sn_fail(o->err, SN_EIO,
                "%s: left from another corpus, and can not be "
                "removed",
                path);
  sn_free(path);
  return s;
}

static sn_status write_all(output *o) {
  char real[PATH_MAX], own[PATH_MAX];
  SN_TRY(sn_dir_make(o->dir, o->err));
  if (realpath(o->dir, real) == NULL)
    return sn_fail(o->err, SN_EIO, "%s: no such folder", o->dir);
  if (o->c->dir != NULL && realpath(o->c->dir, own) != NULL &&
      strcmp(real, own) == 0)
    return sn_fail(o->err, SN_EARG,
                   "'%s' is the corpus itself; name another folder", o->dir);
  (void)snprintf(o->parent, sizeof o->parent, "%.*s",
                 (int)(sn_path_base(real) - real), real);
  const sn_corpus *const c = o->c;
  SN_TRY(c->has_segments ? write_file(o, "segments", segment_line)
                         : drop_file(o, "segments"));
  SN_TRY(c->has_text ? write_file(o, "text", text_line) : drop_file(o, "text"));
  SN_TRY(c->has_speakers ? write_file(o, "utt2spk", speaker_line)
                         : drop_file(o, "utt2spk"));
  return write_file(o, "wav.scp", NULL);
}

sn_status sn_corpus_write(const sn_corpus *c, const bool *keep, const char *dir,
                          sn_err *err) {
  output o = {.c = c, .keep = keep, .dir = dir, .err = err};
  size_t *utts = NULL, *recs = NULL, n = 0;
  sn_status s = SN_OK;
  SN_TRY_GOTO(s, sni_corpus_sorted(c, &utts, err));
  SN_TRY_GOTO(s, sorted_recs(c, &recs, err));
  o.used = sn_calloc(c->recs.n, sizeof *o.used);
  if (o.used == NULL) SN_TRY_GOTO(s, sn_fail_nomem(err, "corpus"));
  for (size_t i = 0; i < c->utts.n; i++)
    if (kept(&o, i)) {
      o.used[c->utts.data[i].rec] = true;
      n++;
    }
  o.utts = utts;
  o.recs = recs;
  s = n == 0 ? sn_fail(err, SN_EARG, "no utterance is left for '%s'", dir)
             : write_all(&o);
fail:
  sn_free(utts);
  sn_free(recs);
  sn_free(o.used);
  return s;
}
