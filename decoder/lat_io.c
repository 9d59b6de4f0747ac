/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of lattices, whatever their format.
 *
 * Kaldi's: "KEY " and then a lattice; behind the key's blank a binary one
 * begins with the magic of OpenFst (its first byte is 0xd6), a text one with a
 * line end. Senone's own: lat_archive.c. SLF: a file each; of a directory all
 * files that end in .slf, .lat or one of these and .gz, sorted by name. */
#include "decoder/lat_io.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "base/str.h"
#include "decoder/lat_archive_internal.h"
#include "decoder/lat_kaldi.h"

#define FST_FIRST_BYTE 0xd6
#define MAX_KEY 4096

typedef enum form { KALDI, KALDI_TEXT, OWN, SLF } form;

static form form_of(const char *specifier, const char **path) {
  static const struct {
    const char *prefix;
    form is;
  } forms[] = {{"ark:", KALDI},
               {"ark,b:", KALDI},
               {"ark,t:", KALDI_TEXT},
               {"lat:", OWN},
               {"slf:", SLF}};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const size_t n = strlen(forms[i].prefix);
    if (strncmp(specifier, forms[i].prefix, n) == 0) {
      *path = specifier + n;
      return forms[i].is;
    }
  }
  *path = specifier;
  return OWN;
}

/* "akr:x" would make a file of that name in Senone's own form. */
static sn_status check_prefix(const char *specifier, sn_err *err) {
  const size_t n = strspn(specifier, "abcdefghijklmnopqrstuvwxyz,");
  const char *path;
  if (n < 2 || n > 5 || specifier[n] != ':') return SN_OK;
  (void)form_of(specifier, &path);
  if (path != specifier) return SN_OK;
  return sn_fail(err, SN_EARG,
                 "'%s': '%.*s' is no kind of lattices: ark: and ark,t: are "
                 "Kaldi's, slf: is HTK's; a file of that name is lat:%s",
                 specifier, (int)n + 1, specifier, specifier);
}

static bool is_folder(const char *path) {
  const size_t n = strlen(path);
  return (n > 0 && path[n - 1] == '/') || sn_dir_exists(path);
}

/* ---- SLF names ---- */

/* Length of a file name without its ending; 0: none of ours. */
static size_t stem(const char *name) {
  size_t n = strlen(name);
  if (n > 3 && strcmp(name + n - 3, ".gz") == 0) n -= 3;
  if (n > 4 && (strncmp(name + n - 4, ".slf", 4) == 0 ||
                strncmp(name + n - 4, ".lat", 4) == 0))
    return n - 4;
  return 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static sn_status list_folder(const char *path, sn_arr_str *out, sn_err *err) {
  DIR *const d = opendir(path);
  if (d == NULL) return sn_fail_errno(err, errno, "%s", path);
  sn_status s = SN_OK;
  for (const struct dirent *e; s == SN_OK && (e = readdir(d)) != NULL;) {
    if (stem(e->d_name) == 0) continue;
    char *const file = sn_path_join(path, e->d_name);
    s = file != NULL ? SN_OK : sn_fail_nomem(err, "folder of lattices");
    if (s == SN_OK) s = SN_ARR_PUSH(out, file, err);
    if (s != SN_OK) sn_free(file);
  }
  (void)closedir(d);
  if (s == SN_OK && out->n == 0)
    s = sn_fail(err, SN_EIO, "%s: no file that ends in .slf or .lat", path);
  if (s == SN_OK) qsort(out->data, out->n, sizeof *out->data, by_name);
  return s;
}

/* ---- Reading ---- */

struct sn_lat_reader {
  form is;
  sn_reader *in; /* Kaldi */
  sn_str key;
  sni_lat_archive *own;
  sn_arr_str files; /* SLF; owned */
  bool from_folder;
  size_t next;         /* lattice */
  sn_lat_words *words; /* borrowed */
  double frame_s;
};

static sn_status new_reader(form is, sn_lat_reader **out, sn_err *err) {
  *out = sn_calloc(1, sizeof **out);
  if (*out == NULL) return sn_fail_nomem(err, "lattice reader");
  (*out)->is = is;
  (*out)->frame_s = SN_LAT_FRAME_S;
  return SN_OK;
}

sn_status sn_lat_reader_on(sn_reader *r, sn_lat_reader **out, sn_err *err) {
  const sn_status s = new_reader(KALDI, out, err);
  if (s == SN_OK)
    (*out)->in = r;
  else
    sn_reader_destroy(r);
  return s;
}

static sn_status open_slf(const char *path, sn_lat_reader *r, sn_err *err) {
  r->from_folder = is_folder(path);
  if (r->from_folder) return list_folder(path, &r->files, err);
  char *const copy = sn_strdup(path);
  if (copy == NULL) return sn_fail_nomem(err, "lattice reader");
  const sn_status s = SN_ARR_PUSH(&r->files, copy, err);
  if (s != SN_OK) sn_free(copy);
  return s;
}

/* Another toolkit's file named as Senone's own. */
static sn_status check_is_own(const char *path, sn_err *err) {
  char head[sizeof SN_LATS_MAGIC - 1];
  sn_reader *in = NULL;
  size_t n = 0;
  SN_TRY(sn_reader_open(path, &in, err));
  const sn_status s = sn_read_some(in, head, sizeof head, &n, err);
  sn_reader_destroy(in);
  SN_TRY(s);
  if (n < sizeof head || memcmp(head, SN_LATS_MAGIC, sizeof head) == 0)
    return SN_OK; /* what is cut short, the container tells better */
  return sn_fail(
      err, SN_EFORMAT,
      "'%s' is no lattice archive of Senone's; lattices of Kaldi are "
      "named ark:FILE, of HTK slf:FILE",
      path);
}

sn_status sn_lat_reader_open(const char *specifier, sn_lat_reader **out,
                             sn_err *err) {
  *out = NULL;
  const char *path;
  sn_lat_reader *r = NULL;
  SN_TRY(new_reader(form_of(specifier, &path), &r, err));
  sn_status s = SN_OK;
  sn_box *box = NULL;
  switch (r->is) {
    case KALDI:
    case KALDI_TEXT:
      s = sn_reader_open(path, &r->in, err);
      break;
    case OWN:
      s = check_is_own(path, err);
      if (s == SN_OK)
        s = sn_box_open(path, SN_LATS_MAGIC, SN_LATS_VERSION, &box, err);
      if (s == SN_OK) s = sni_lat_archive_open(box, path, &r->own, err);
      break;
    case SLF:
      s = open_slf(path, r, err);
      break;
  }
  if (s != SN_OK) {
    sn_lat_reader_destroy(r);
    return s;
  }
  *out = r;
  return SN_OK;
}

sn_status sn_lat_reader_memory(const void *data, size_t n, const char *name,
                               sn_lat_reader **out, sn_err *err) {
  sn_box *box = NULL;
  sn_lat_reader *r = NULL;
  *out = NULL;
  SN_TRY(new_reader(OWN, &r, err));
  sn_status s =
      sn_box_memory(data, n, name, SN_LATS_MAGIC, SN_LATS_VERSION, &box, err);
  if (s == SN_OK) s = sni_lat_archive_open(box, name, &r->own, err);
  if (s != SN_OK) {
    sn_lat_reader_destroy(r);
    return s;
  }
  *out = r;
  return SN_OK;
}

void sn_lat_reader_destroy(sn_lat_reader *r) {
  if (r == NULL) return;
  sn_reader_destroy(r->in);
  sn_str_clear(&r->key);
  sni_lat_archive_destroy(r->own);
  for (size_t i = 0; i < r->files.n; i++) sn_free(r->files.data[i]);
  SN_ARR_FREE(&r->files);
  sn_free(r);
}

sn_status sn_lat_reader_set_words(sn_lat_reader *r, sn_lat_words *words,
                                  sn_err *err) {
  r->words = words;
  return r->own != NULL ? sni_lat_archive_map(r->own, words, err) : SN_OK;
}

void sn_lat_reader_set_frame_s(sn_lat_reader *r, double frame_s) {
  SN_ASSERT(frame_s > 0.0);
  r->frame_s = frame_s;
}

int64_t sn_lat_reader_n(const sn_lat_reader *r) {
  return r->own != NULL ? (int64_t)sni_lat_archive_n(r->own)
         : r->is == SLF ? (int64_t)r->files.n
                        : -1;
}

bool sn_lat_reader_seek(sn_lat_reader *r, const char *key) {
  return r->own != NULL && sni_lat_archive_seek(r->own, key);
}

bool sn_lat_reader_has_words(const sn_lat_reader *r) {
  return r->own != NULL && sni_lat_archive_has_words(r->own);
}

const char *sn_lat_reader_meta_at(const sn_lat_reader *r, size_t i,
                                  const char **value) {
  *value = NULL;
  return r->own != NULL ? sni_lat_archive_meta(r->own, i, value) : NULL;
}

const char *sn_lat_reader_meta(const sn_lat_reader *r, const char *key) {
  const char *name, *value;
  for (size_t i = 0; (name = sn_lat_reader_meta_at(r, i, &value)) != NULL; i++)
    if (strcmp(name, key) == 0) return value;
  return NULL;
}

/* The key in front of the next lattice; *more false at the end. */
static sn_status read_key(sn_lat_reader *r, bool *more, sn_err *err) {
  int c = 0;
  sn_str_reset(&r->key);
  do { /* lines between text lattices */
    SN_TRY(sn_read_peek(r->in, &c, err));
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      char skip;
      SN_TRY(sn_read_bytes(r->in, &skip, 1, err));
    }
  } while (c == ' ' || c == '\n' || c == '\r' || c == '\t');
  *more = c >= 0;
  while (c >= 0) {
    SN_TRY(sn_read_peek(r->in, &c, err));
    if (c < 0 || c == ' ' || c == '\t' || c == '\n' || c == '\r') break;
    char x;
    SN_TRY(sn_read_bytes(r->in, &x, 1, err));
    if (r->key.n >= MAX_KEY || x == '\0')
      return sn_fail(
          err, SN_EFORMAT,
          "%s: byte %lld: no key of a lattice archive here; is it one of "
          "Kaldi's (ark:FILE), not of Senone's (FILE)?",
          sn_reader_name(r->in), (long long)sn_reader_offset(r->in));
    SN_TRY(sn_str_add(&r->key, &x, 1, err));
  }
  return SN_OK;
}

static sn_status next_kaldi(sn_lat_reader *r, const char **key, sn_lat *lat,
                            sn_err *err) {
  bool more = false;
  int c = 0;
  SN_TRY(read_key(r, &more, err));
  if (!more && r->next == 0)
    return sn_fail(err, SN_EFORMAT, "%s: no lattice in it: it is empty",
                   sn_reader_name(r->in));
  if (!more) return SN_OK;
  r->next++;
  SN_TRY(sn_read_peek(r->in, &c, err));
  if (c == ' ' || c == '\t') {
    char blank;
    SN_TRY(sn_read_bytes(r->in, &blank, 1, err));
    SN_TRY(sn_read_peek(r->in, &c, err));
  }
  sn_status s;
  if (c == FST_FIRST_BYTE) {
    s = sn_lat_read_kaldi_binary(r->in, lat, err);
  } else {
    sn_span line; /* the rest of the key's line is empty */
    s = sn_read_line(r->in, &line, &more, err);
    if (s == SN_OK && (sn_span_trim(line).n > 0 || !more))
      s = sn_fail(err, SN_EFORMAT,
                  "%s: byte %lld: neither a binary nor a text lattice",
                  sn_reader_name(r->in), (long long)sn_reader_offset(r->in));
    if (s == SN_OK) s = sn_lat_read_kaldi_text(r->in, lat, err);
  }
  if (s != SN_OK) {
    sn_err_context(err, "utterance '%s'", sn_str_get(&r->key));
    return s;
  }
  *key = sn_str_get(&r->key);
  return SN_OK;
}

/* The key of a file of a folder is its name; that of a single file is what it
 * says, or else its name. */
static sn_status slf_key(sn_lat_reader *r, const char *path,
                         const sn_slf_head *head, sn_err *err) {
  sn_str_reset(&r->key);
  if (!r->from_folder && head->utterance.n > 0)
    return sn_str_adds(&r->key, sn_str_get(&head->utterance), err);
  const char *const base = sn_path_base(path);
  const size_t n = stem(base);
  return sn_str_add(&r->key, base, n > 0 ? n : strlen(base), err);
}

static sn_status next_slf(sn_lat_reader *r, const char **key, sn_lat *lat,
                          sn_err *err) {
  if (r->next >= r->files.n) return SN_OK;
  const char *const path = r->files.data[r->next++];
  sn_reader *in = NULL;
  sn_slf_head head = {0};
  SN_TRY(sn_reader_open(path, &in, err));
  sn_status s = sn_lat_read_slf(in, r->frame_s, r->words, &head, lat, err);
  sn_reader_destroy(in);
  if (s == SN_OK) s = slf_key(r, path, &head, err);
  sn_slf_head_clear(&head);
  if (s == SN_OK)
    *key = sn_str_get(&r->key);
  else
    sn_lat_clear(lat);
  return s;
}

sn_status sn_lat_next(sn_lat_reader *r, const char **key, sn_lat *lat,
                      sn_err *err) {
  *key = NULL;
  memset(lat, 0, sizeof *lat);
  if (r->own != NULL) return sni_lat_archive_next(r->own, key, lat, err);
  return r->is == SLF ? next_slf(r, key, lat, err)
                      : next_kaldi(r, key, lat, err);
}

/* ---- Writing ---- */

struct sn_lat_writer {
  form is;
  sn_writer *out; /* Kaldi; SLF in one file */
  sni_lat_archive_writer *own;
  char *path; /* SLF */
  bool to_folder;
  sn_slf_opts slf;
  const sn_lat_words *words; /* borrowed */
};

sn_status sn_lat_writer_open(const char *specifier, sn_lat_writer **out,
                             sn_err *err) {
  *out = NULL;
  const char *path;
  SN_TRY(check_prefix(specifier, err));
  sn_lat_writer *const w = sn_calloc(1, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, "lattice writer");
  w->is = form_of(specifier, &path);
  w->slf = (sn_slf_opts){SN_LAT_FRAME_S, 1.0, 1.0, 0.0};
  sn_status s = SN_OK;
  switch (w->is) {
    case KALDI:
    case KALDI_TEXT:
      s = sn_writer_open(path, &w->out, err);
      break;
    case OWN:
      s = sni_lat_archive_create(path, &w->own, err);
      break;
    case SLF:
      w->path = sn_strdup(path);
      w->to_folder = is_folder(path);
      s = w->path == NULL ? sn_fail_nomem(err, "lattice writer")
          : w->to_folder  ? sn_dir_make(path, err)
                          : SN_OK;
      break;
  }
  if (s != SN_OK) {
    sn_lat_writer_destroy(w);
    return s;
  }
  *out = w;
  return SN_OK;
}

void sn_lat_writer_words(sn_lat_writer *w, const sn_lat_words *words) {
  w->words = words;
}

void sn_lat_writer_slf(sn_lat_writer *w, const sn_slf_opts *opts) {
  w->slf = *opts;
}

sn_status sn_lat_writer_meta(sn_lat_writer *w, const char *key,
                             const char *value, sn_err *err) {
  return w->own != NULL ? sni_lat_archive_set_meta(w->own, key, value, err)
                        : SN_OK;
}

static sn_status write_slf_file(sn_lat_writer *w, const char *key,
                                const sn_lat *lat, sn_err *err) {
  sn_str name = {0};
  if (*key == '\0' || *key == '.' || strchr(key, '/') != NULL)
    return sn_fail(err, SN_EARG,
                   "utterance '%s': its name can not name a file in '%s'", key,
                   w->path);
  sn_status s = sn_str_addf(&name, err, "%s.slf", key);
  char *const path =
      s == SN_OK ? sn_path_join(w->path, sn_str_get(&name)) : NULL;
  sn_str_clear(&name);
  if (s == SN_OK && path == NULL) s = sn_fail_nomem(err, "lattice writer");
  sn_writer *out = NULL;
  if (s == SN_OK) s = sn_writer_open(path, &out, err);
  if (s == SN_OK) s = sn_lat_write_slf(out, key, lat, w->words, &w->slf, err);
  if (s == SN_OK) s = sn_writer_commit(out, err);
  sn_writer_destroy(out);
  sn_free(path);
  return s;
}

static sn_status write_slf(sn_lat_writer *w, const char *key, const sn_lat *lat,
                           sn_err *err) {
  if (w->to_folder) return write_slf_file(w, key, lat, err);
  if (w->out != NULL)
    return sn_fail(err, SN_EARG,
                   "slf:%s: a second lattice ('%s'), but a file holds one; "
                   "write to a folder: slf:FOLDER/",
                   w->path, key);
  SN_TRY(sn_writer_open(w->path, &w->out, err));
  return sn_lat_write_slf(w->out, key, lat, w->words, &w->slf, err);
}

static sn_status write_kaldi(sn_lat_writer *w, const char *key,
                             const sn_lat *lat, sn_err *err) {
  const bool text = w->is == KALDI_TEXT;
  if (*key == '\0' || strpbrk(key, " \t\r\n") != NULL)
    return sn_fail(err, SN_EARG, "'%s' can not be a key of a Kaldi archive",
                   key);
  SN_TRY(sn_write_bytes(w->out, key, strlen(key), err));
  SN_TRY(sn_write_bytes(w->out, text ? " \n" : " ", text ? 2 : 1, err));
  return text ? sn_lat_write_kaldi_text(w->out, lat, err)
              : sn_lat_write_kaldi_binary(w->out, lat, err);
}

sn_status sn_lat_write(sn_lat_writer *w, const char *key, const sn_lat *lat,
                       sn_err *err) {
  sn_status s = SN_OK;
  switch (w->is) {
    case KALDI:
    case KALDI_TEXT:
      s = write_kaldi(w, key, lat, err);
      break;
    case OWN:
      s = sni_lat_archive_write(w->own, key, lat, err);
      break;
    case SLF:
      s = write_slf(w, key, lat, err);
      break;
  }
  if (s != SN_OK) sn_err_context(err, "utterance '%s'", key);
  return s;
}

sn_status sn_lat_writer_commit(sn_lat_writer *w, sn_err *err) {
  if (w->own != NULL) return sni_lat_archive_commit(w->own, w->words, err);
  if (w->out != NULL) return sn_writer_commit(w->out, err);
  if (w->is == SLF && !w->to_folder)
    return sn_fail(err, SN_EARG, "slf:%s: no lattice to write", w->path);
  return SN_OK;
}

void sn_lat_writer_destroy(sn_lat_writer *w) {
  if (w == NULL) return;
  sn_writer_destroy(w->out);
  sni_lat_archive_writer_destroy(w->own);
  sn_free(w->path);
  sn_free(w);
}
