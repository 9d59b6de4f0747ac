/* SPDX-License-Identifier: Apache-2.0 */
/* Writing Kaldi tables. Text has Kaldi's layout; a number gets the fewest
 * digits (7 to 9; Kaldi always takes 7) that read back as the same float. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/io_internal.h"
#include "base/kaldi_io.h"
#include "base/kaldi_pack_internal.h"
#include "base/mem.h"

struct sn_ark_writer {
  sn_writer *ark, *script; /* script: NULL without one */
  char *ark_path;
  bool is_text;
  SN_ARR(unsigned char) bytes; /* of a compressed matrix */
  sn_arr_f32 column, values;
};

/* ---- Opening ---- */

typedef struct wspecifier {
  bool has_ark, has_script, is_text;
  sn_span ark, script;
} wspecifier;

static sn_status parse_wspecifier(const char *spec, wspecifier *w,
                                  sn_err *err) {
  const wspecifier none = {0};
  *w = none;
  const char *const colon = strchr(spec, ':');
  if (colon == NULL)
    return sn_fail(err, SN_EARG,
                   "'%s': expected ark:PATH, ark,t:PATH or ark,scp:ARK,SCP",
                   spec);
  sn_span head = {spec, (size_t)(colon - spec)}, word;
  while (sn_next_field_sep(&head, ',', &word)) {
    if (sn_span_eq(word, "ark"))
      w->has_ark = true;
    else if (sn_span_eq(word, "scp"))
      w->has_script = true;
    else if (sn_span_eq(word, "t"))
      w->is_text = true;
    else if (!sn_span_eq(word, "b") && !sn_span_eq(word, "f") &&
             !sn_span_eq(word, "nf"))
      return sn_fail(err, SN_EARG, "'%s': '%.*s' is no option of a Kaldi table",
                     spec, (int)word.n, word.p);
  }
  if (!w->has_ark)
    return sn_fail(err, SN_EARG,
                   "'%s': an archive is needed: ark:PATH or ark,scp:ARK,SCP",
                   spec);
  w->ark = sn_span_of(colon + 1);
  if (w->has_script) {
    const char *const comma = strchr(colon + 1, ',');
    if (comma == NULL)
      return sn_fail(err, SN_EARG,
                     "'%s': two paths are needed, the archive's and the "
                     "script's, with a comma between",
                     spec);
    w->ark.n = (size_t)(comma - w->ark.p);
    w->script = sn_span_of(comma + 1);
  }
  if (w->ark.n == 0 || (w->has_script && w->script.n == 0))
    return sn_fail(err, SN_EARG, "'%s' names no file", spec);
  if (w->has_script && sn_span_eq(w->ark, "-"))
    return sn_fail(err, SN_EARG,
                   "'%s': a script cannot point into standard output", spec);
  if (w->ark.p[0] == '|')
    return sn_fail(err, SN_EARG,
                   "'%s': commands are not run; write to '-' and "
                   "pipe it on",
                   spec);
  return SN_OK;
}

sn_status sn_ark_writer_open(const char *spec, sn_ark_writer **out,
                             sn_err *err) {
  *out = NULL;
  wspecifier p;
  SN_TRY(parse_wspecifier(spec, &p, err));
  sn_ark_writer *const w = sn_calloc(1, sizeof *w);
  char *const script = sn_strndup(p.script.p, p.script.n);
  sn_status s = SN_OK;
  if (w == NULL || script == NULL) SN_TRY_GOTO(s, sn_fail_nomem(err, "ark"));
  w->is_text = p.is_text;
  w->ark_path = sn_strndup(p.ark.p, p.ark.n);
  if (w->ark_path == NULL) SN_TRY_GOTO(s, sn_fail_nomem(err, "ark"));
  if (p.has_script) { /* offsets are those of the unpacked bytes */
    SN_TRY_GOTO(s, sni_writer_open_raw(w->ark_path, false, &w->ark, err));
    SN_TRY_GOTO(s, sn_writer_open(script, &w->script, err));
  } else {
    SN_TRY_GOTO(s, sn_writer_open(w->ark_path, &w->ark, err));
  }
  sn_free(script);
  *out = w;
  return SN_OK;
fail:
  sn_free(script);
  sn_ark_writer_destroy(w);
  return s;
}

sn_status sn_ark_writer_commit(sn_ark_writer *w, sn_err *err) {
  SN_TRY(sn_writer_commit(w->ark, err));
  return w->script != NULL ? sn_writer_commit(w->script, err) : SN_OK;
}

void sn_ark_writer_destroy(sn_ark_writer *w) {
  if (w == NULL) return;
  sn_writer_destroy(w->ark);
  sn_writer_destroy(w->script);
  sn_free(w->ark_path);
  SN_ARR_FREE(&w->bytes);
  SN_ARR_FREE(&w->column);
  SN_ARR_FREE(&w->values);
  sn_free(w);
}

/* ---- Parts ---- */

static sn_status begin_item(sn_ark_writer *w, const char *key, sn_err *err) {
  if (key[0] == '\0' || strpbrk(key, " \t\r\n") != NULL)
    return sn_fail(err, SN_EARG, "the key '%s' is empty or has blanks", key);
  SN_TRY(sn_writef(w->ark, err, "%s ", key));
  if (w->script != NULL)
    SN_TRY(sn_writef(w->script, err, "%s %s:%lld\n", key, w->ark_path,
                     (long long)sn_writer_offset(w->ark)));
  return w->is_text ? SN_OK : sn_write_bytes(w->ark, "\0B", 2, err);
}

static sn_status write_int(sn_ark_writer *w, int32_t v, sn_err *err) {
  unsigned char b[5] = {4};
  memcpy(b + 1, &v, 4);
  return sn_write_bytes(w->ark, b, sizeof b, err);
}

/* Blank behind it, as Kaldi. */
static sn_status write_number(sn_ark_writer *w, float v, sn_err *err) {
  if (isnan(v)) return sn_write_bytes(w->ark, "nan ", 4, err);
  if (isinf(v)) return sn_writef(w->ark, err, v < 0 ? "-inf " : "inf ");
  char text[32];
  int n = 0;
  for (int digits = 7; digits <= 9; digits++) {
    /* The process's locale may have another decimal point. */
    n = snprintf(text, sizeof text - 1, "%.*g", digits, (double)v);
    char *const comma = strpbrk(text, ",");
    if (comma != NULL) *comma = '.';
    const sn_span s = {text, (size_t)n};
    double back = 0;
    if (sn_parse_double(s, &back) && (float)back == v) break;
  }
  if (n > 30) n = 30;
  text[n] = ' ';
  return sn_write_bytes(w->ark, text, (size_t)n + 1, err);
}

static sn_status write_text_mat(sn_ark_writer *w, sn_cmat m, sn_err *err) {
  SN_TRY(sn_write_bytes(w->ark, " [", 2, err));
  for (size_t r = 0; r < m.rows; r++) {
    SN_TRY(sn_write_bytes(w->ark, "\n  ", 3, err));
    for (size_t c = 0; c < m.cols; c++)
      SN_TRY(write_number(w, sn_cmat_row(m, r)[c], err));
  }
  return m.rows > 0 ? sn_write_bytes(w->ark, "]\n", 2, err)
                    : sn_write_bytes(w->ark, " ]\n", 3, err);
}

static sn_status write_text_vector(sn_ark_writer *w, sn_cmat m, sn_err *err) {
  SN_TRY(sn_write_bytes(w->ark, " [ ", 3, err));
  for (size_t c = 0; m.rows > 0 && c < m.cols; c++)
    SN_TRY(write_number(w, m.data[c], err));
  return sn_write_bytes(w->ark, "]\n", 2, err);
}

static sn_status write_reals(sn_ark_writer *w, sn_cmat m, bool as_double,
                             sn_err *err) {
  for (size_t r = 0; r < m.rows; r++) {
    const float *const row = sn_cmat_row(m, r);
    if (!as_double) {
      SN_TRY(sn_write_bytes(w->ark, row, m.cols * sizeof *row, err));
      continue;
    }
    for (size_t c = 0; c < m.cols; c++) {
      const double d = (double)row[c];
      SN_TRY(sn_write_bytes(w->ark, &d, sizeof d, err));
    }
  }
  return SN_OK;
}

static sn_status write_plain_mat(sn_ark_writer *w, sn_cmat m, bool as_double,
                                 sn_err *err) {
  if (w->is_text) return write_text_mat(w, m, err);
  SN_TRY(sn_write_bytes(w->ark, as_double ? "DM " : "FM ", 3, err));
  SN_TRY(write_int(w, (int32_t)m.rows, err));
  SN_TRY(write_int(w, (int32_t)m.cols, err));
  return write_reals(w, m, as_double, err);
}

/* ---- Items ---- */

/* A matrix without columns has no rows in Kaldi. */
static sn_status check_shape(const char *key, sn_cmat *m, sn_err *err) {
  if (m->rows == 0 || m->cols == 0) m->rows = m->cols = 0;
  if (m->rows > INT32_MAX || m->cols > INT32_MAX)
    return sn_fail(err, SN_ELIMIT,
                   "'%s': %zu x %zu is more than Kaldi's "
                   "format can hold",
                   key, m->rows, m->cols);
  return SN_OK;
}

sn_status sn_ark_write_mat(sn_ark_writer *w, const char *key, sn_cmat m,
                           sn_ark_kind kind, sn_err *err) {
  SN_ASSERT(kind != SN_ARK_INTS);
  if (kind == SN_ARK_COMPRESSED)
    return sn_ark_write_compressed(w, key, m, 2, err);
  SN_TRY(check_shape(key, &m, err));
  if (kind == SN_ARK_VECTOR && m.rows > 1)
    return sn_fail(err, SN_EARG, "'%s': a vector has one row, not %zu", key,
                   m.rows);
  SN_TRY(begin_item(w, key, err));
  if (kind != SN_ARK_VECTOR)
    return write_plain_mat(w, m, kind == SN_ARK_MATRIX_D, err);
  if (w->is_text) return write_text_vector(w, m, err);
  SN_TRY(sn_write_bytes(w->ark, "FV ", 3, err));
  SN_TRY(write_int(w, (int32_t)m.cols, err));
  return write_reals(w, m, false, err);
}

sn_status sn_ark_write_ints(sn_ark_writer *w, const char *key, const int32_t *v,
                            size_t n, sn_err *err) {
  if (n > INT32_MAX)
    return sn_fail(err, SN_ELIMIT, "'%s': too many integers", key);
  SN_TRY(begin_item(w, key, err));
  if (!w->is_text) SN_TRY(write_int(w, (int32_t)n, err));
  for (size_t i = 0; i < n; i++)
    SN_TRY(w->is_text ? sn_writef(w->ark, err, "%ld ", (long)v[i])
                      : write_int(w, v[i], err));
  return w->is_text ? sn_write_bytes(w->ark, "\n", 1, err) : SN_OK;
}

/* The range of a matrix of larger numbers might not be a float. */
#define MAX_COMPRESSED 8e37f

static sn_status check_range(const char *key, sn_cmat m, sn_err *err) {
  for (size_t r = 0; r < m.rows; r++)
    for (size_t c = 0; c < m.cols; c++)
      if (!(fabsf(sn_cmat_row(m, r)[c]) < MAX_COMPRESSED))
        return sn_fail(err, SN_EARG,
                       "'%s': row %zu, column %zu is not finite or too large "
                       "for a matrix that is to be compressed",
                       key, r, c);
  return SN_OK;
}

sn_status sn_ark_write_compressed(sn_ark_writer *w, const char *key, sn_cmat m,
                                  int method, sn_err *err) {
  static const char *const tokens[] = {"CM ", "CM2 ", "CM3 "};
  if (method != 2 && method != 3 && method != 5)
    return sn_fail(err, SN_EARG,
                   "compression method %d: 2 (speech feature), 3 (two bytes) "
                   "or 5 (one byte) can be written",
                   method);
  const sni_packing p = method == 2   ? SNI_PACK_CM
                        : method == 3 ? SNI_PACK_CM2
                                      : SNI_PACK_CM3;
  SN_TRY(check_shape(key, &m, err));
  SN_TRY(check_range(key, m, err));
  sni_pack_header h = {0, 0, 0, 0};
  const size_t n_bytes = sni_pack_bytes(p, m.rows, m.cols);
  SN_TRY(SN_ARR_RESIZE(&w->bytes, n_bytes, err));
  SN_TRY(SN_ARR_RESIZE(&w->column, m.rows, err));
  SN_TRY(SN_ARR_RESIZE(&w->values, w->is_text ? m.rows * m.cols : 0, err));
  if (m.rows > 0) sni_pack(p, m, &h, w->bytes.data, w->column.data);
  SN_TRY(begin_item(w, key, err));
  if (w->is_text) { /* text has no compressed form: what would be read back */
    const sn_mat back = {w->values.data, m.rows, m.cols, m.cols};
    if (m.rows > 0) sni_unpack(p, &h, w->bytes.data, back);
    return write_text_mat(w, sn_mat_const(back), err);
  }
  /* An empty matrix is a CM in Kaldi, whatever the method. */
  const char *const token = tokens[m.rows > 0 ? p : SNI_PACK_CM];
  SN_TRY(sn_write_bytes(w->ark, token, strlen(token), err));
  SN_TRY(sn_write_bytes(w->ark, &h, sizeof h, err));
  return sn_write_bytes(w->ark, w->bytes.data, n_bytes, err);
}
