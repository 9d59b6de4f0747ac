/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a language model by its content and saves it in either format. */
#include <string.h>

#include "base/mem.h"
#include "lm/count.h"
#include "lm/ngram_internal.h"
#include "lm/small.h"

typedef enum kind {
  KIND_TEXT,
  KIND_SPHINX,
  KIND_DMP,
  KIND_BINARY,
  KIND_SMALL,
  KIND_OTHER /* others[] */
} kind;

static bool has_at(const unsigned char *data, size_t n, size_t at,
                   const char *magic, size_t n_magic) {
  return n >= at + n_magic && memcmp(data + at, magic, n_magic) == 0;
}

/* Files that are given for a model by mistake. */
static const struct {
  const char *magic, *says;
} others[] = {{SN_COUNT_MAGIC,
               "a count file; make a model of it with senone lm estimate"},
              {"SNGRAPH", "a search graph"},
              {"SNLATS", "a file of lattices"},
              {"SQLite format 3", "a database, such as a lexicon"}};

static const char *other_kind(const unsigned char *data, size_t n) {
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (has_at(data, n, 0, others[i].magic, strlen(others[i].magic) + 1))
      return others[i].says;
  return NULL;
}

static sn_status fail_other(const char *name, const char *says, sn_err *err) {
  return sn_fail(err, SN_EFORMAT, "%s is %s; a language model was expected",
                 name, says);
}

static kind kind_of(const unsigned char *data, size_t n) {
  if (has_at(data, n, 0, SNI_SPHINX_LM_MAGIC, strlen(SNI_SPHINX_LM_MAGIC)))
    return KIND_SPHINX;
  if (has_at(data, n, 4, SNI_SPHINX_DMP_MAGIC, strlen(SNI_SPHINX_DMP_MAGIC)))
    return KIND_DMP;
  if (has_at(data, n, 0, SN_NGRAM_MAGIC, sizeof SN_NGRAM_MAGIC))
    return KIND_BINARY;
  if (has_at(data, n, 0, SNI_SMALL_MAGIC, sizeof SNI_SMALL_MAGIC))
    return KIND_SMALL;
  return other_kind(data, n) != NULL ? KIND_OTHER : KIND_TEXT;
}

static sn_status fail_dmp(const char *name, sn_err *err) {
  return sn_fail(err, SN_EFORMAT,
                 "%s: an old Sphinx DMP language model; convert it first with "
                 "sphinx_lm_convert -i IN -o OUT.arpa -ifmt dmp -ofmt arpa",
                 name);
}

static sn_status load_text(sn_reader *r, sn_log *log, sn_ngram **out,
                           sn_err *err) {
  const sn_status s = sni_arpa_read(r, log, out, err);
  sn_reader_destroy(r);
  return s;
}

sn_status sn_ngram_open(const char *path, sn_log *log, sn_ngram **out,
                        sn_err *err) {
  *out = NULL;
  sn_map map = {0};
  kind what = KIND_TEXT;
  /* What can not be mapped (a pipe) can only be text; what is not there is
   * reported by the reader. */
  if (strcmp(path, "-") != 0 && sn_map_open(path, &map, NULL) == SN_OK)
    what = kind_of(map.data, map.n);
  sn_status s = SN_OK;
  if (what == KIND_SPHINX)
    s = sni_sphinx_lm_read(map.data, map.n, path, log, out, err);
  if (what == KIND_OTHER)
    s = fail_other(path, other_kind(map.data, map.n), err);
  sn_map_close(&map);
  if (what == KIND_SPHINX || what == KIND_OTHER) return s;
  if (what == KIND_DMP) return fail_dmp(path, err);
  if (what == KIND_BINARY) return sni_lm_binary_open(path, out, err);
  if (what == KIND_SMALL) return sni_small_open(path, out, err);
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  return load_text(r, log, out, err);
}

static sn_status verified(sn_status s, sn_ngram **out, sn_err *err) {
  if (s == SN_OK) s = sn_ngram_verify(*out, err);
  if (s != SN_OK) {
    sn_ngram_destroy(*out);
    *out = NULL;
  }
  return s;
}

sn_status sn_ngram_load(const char *path, sn_log *log, sn_ngram **out,
                        sn_err *err) {
  return verified(sn_ngram_open(path, log, out, err), out, err);
}

sn_status sn_ngram_load_memory(const void *data, size_t n, const char *name,
                               sn_ngram **out, sn_err *err) {
  *out = NULL;
  switch (kind_of(data, n)) {
    case KIND_SPHINX:
      return sni_sphinx_lm_read(data, n, name, NULL, out, err);
    case KIND_DMP:
      return fail_dmp(name, err);
    case KIND_BINARY:
      return verified(sni_lm_binary_open_memory(data, n, name, out, err), out,
                      err);
    case KIND_SMALL:
      return verified(sni_small_open_memory(data, n, name, out, err), out, err);
    case KIND_OTHER:
      return fail_other(name, other_kind(data, n), err);
    case KIND_TEXT:
      break;
  }
  sn_reader *r = NULL;
  SN_TRY(sn_reader_memory(data, n, name, &r, err));
  return load_text(r, NULL, out, err);
}

static sn_status save_plain(const sn_ngram *lm, const char *path,
                            sn_ngram_format format, sn_log *log, sn_err *err) {
  switch (format) {
    case SN_NGRAM_ARPA:
      return sni_arpa_write(lm, path, log, err);
    case SN_NGRAM_SMALL:
      return sni_small_write(lm, path, SN_NGRAM_SMALL_BITS, log, err);
    case SN_NGRAM_BINARY:
    case SN_NGRAM_FAST:
      break;
  }
  return sni_lm_binary_write(lm, path, format == SN_NGRAM_FAST, log, err);
}

sn_status sn_ngram_save(const sn_ngram *lm, const char *path,
                        sn_ngram_format format, sn_log *log, sn_err *err) {
  sn_ngram *plain = NULL;
  SN_TRY(sni_ngram_plain(lm, &plain, err));
  const sn_status s =
      save_plain(plain != NULL ? plain : lm, path, format, log, err);
  sn_ngram_destroy(plain);
  return s;
}

sn_status sn_ngram_save_small(const sn_ngram *lm, const char *path,
                              int32_t bits, sn_log *log, sn_err *err) {
  sn_ngram *plain = NULL;
  if (bits < SN_NGRAM_SMALL_BITS_MIN || bits > SN_NGRAM_SMALL_BITS_MAX)
    return sn_fail(err, SN_EARG, "%d bits for a weight, not %d to %d", bits,
                   SN_NGRAM_SMALL_BITS_MIN, SN_NGRAM_SMALL_BITS_MAX);
  SN_TRY(sni_ngram_plain(lm, &plain, err));
  const sn_status s =
      sni_small_write(plain != NULL ? plain : lm, path, bits, log, err);
  sn_ngram_destroy(plain);
  return s;
}
