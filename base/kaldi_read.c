/* SPDX-License-Identifier: Apache-2.0 */
/* Reading Kaldi tables.
 *
 * An archive is a sequence of "KEY " and an object; an object that begins with
 * "\0B" is binary, any other one is text up to the end of a line ("[ ... ]"
 * over one or more lines for matrices). A script's lines are "KEY PATH" or
 * "KEY PATH:OFFSET". Lengths in a file are believed only as far as its bytes
 * go: storage grows with what has been read. */
#include <limits.h>
#include <string.h>

#include "base/io_internal.h"
#include "base/kaldi_io.h"
#include "base/kaldi_pack_internal.h"
#include "base/mem.h"

#define MAX_KEY_BYTES 65536u
#define PIECE_BYTES                                        \
  ((size_t)1 << 20) /* storage grows by this, then doubles \
                     */

typedef SN_ARR(unsigned char) byte_array;

struct sn_ark_reader {
  sn_reader *ark;    /* of an archive, or the file that a script points to */
  sn_reader *script; /* NULL: an archive */
  char *ark_path;    /* of the file that a script points to */
  sn_str key;
  sn_arr_f32 values;
  sn_arr_i32 ints;
  byte_array bytes;
};

/* The parts of an object that is being read. */
typedef struct object {
  sn_reader *r;
  const char *key; /* for messages; NULL: none */
  sn_arr_f32 *values;
  byte_array *bytes;
  size_t rows, cols;
} object;

static sn_status fail_at(const object *o, sn_err *err, const char *what) {
  return sn_fail(err, SN_EFORMAT, "'%s', byte %lld%s%s%s: %s",
                 sn_reader_name(o->r), (long long)sn_reader_offset(o->r),
                 o->key != NULL ? ", '" : "", o->key != NULL ? o->key : "",
                 o->key != NULL ? "'" : "", what);
}

/* ---- Binary ---- */

/* n elements of `size` bytes to the end of bytes (which is emptied first). */
static sn_status read_bulk(object *o, size_t n_bytes, sn_err *err) {
  o->bytes->n = 0;
  size_t piece = PIECE_BYTES;
  while (o->bytes->n < n_bytes) {
    const size_t left = n_bytes - o->bytes->n;
    const size_t k = left < piece ? left : piece;
    SN_TRY(SN_ARR_RESERVE(o->bytes, o->bytes->n + k, err));
    SN_TRY(sn_read_bytes(o->r, o->bytes->data + o->bytes->n, k, err));
    o->bytes->n += k;
    piece *= 2;
  }
  return SN_OK;
}

/* A size byte and an int32. */
static sn_status read_int(object *o, int32_t *out, sn_err *err) {
  unsigned char b[5];
  SN_TRY(sn_read_bytes(o->r, b, sizeof b, err));
  if (b[0] != 4)
    return fail_at(o, err, "a 4-byte integer was expected: damaged archive?");
  memcpy(out, b + 1, 4);
  return SN_OK;
}

static sn_status set_shape(object *o, int32_t rows, int32_t cols, sn_err *err) {
  if (rows < 0 || cols < 0 || (rows == 0) != (cols == 0))
    return sn_fail(err, SN_EFORMAT,
                   "'%s', byte %lld: a matrix of %ld x %ld: damaged archive?",
                   sn_reader_name(o->r), (long long)sn_reader_offset(o->r),
                   (long)rows, (long)cols);
  o->rows = (size_t)rows;
  o->cols = (size_t)cols;
  return SN_OK;
}

/* rows x cols floats or doubles. */
static sn_status read_reals(object *o, size_t size, sn_err *err) {
  const size_t n = o->rows * o->cols; /* below 2^62 */
  if (n > PTRDIFF_MAX / size)
    return fail_at(o, err, "a matrix of more than 2^63 bytes: damaged?");
  SN_TRY(read_bulk(o, n * size, err));
  SN_TRY(SN_ARR_RESIZE(o->values, n, err));
  if (size == sizeof(float)) {
    if (n > 0) memcpy(o->values->data, o->bytes->data, n * size);
    return SN_OK;
  }
  for (size_t i = 0; i < n; i++) {
    double d;
    memcpy(&d, o->bytes->data + i * size, size);
    o->values->data[i] = (float)d;
  }
  return SN_OK;
}

static sn_status read_packed(object *o, sni_packing p, sn_err *err) {
  sni_pack_header h;
  SN_TRY(sn_read_bytes(o->r, &h, sizeof h, err));
  SN_TRY(set_shape(o, h.rows, h.cols, err));
  if (!(h.min_value - h.min_value == 0 && h.range - h.range == 0))
    return fail_at(o, err, "a compressed matrix whose range is not finite");
  SN_TRY(read_bulk(o, sni_pack_bytes(p, o->rows, o->cols), err));
  SN_TRY(SN_ARR_RESIZE(o->values, o->rows * o->cols, err));
  const sn_mat m = {o->values->data, o->rows, o->cols, o->cols};
  if (o->rows > 0) sni_unpack(p, &h, o->bytes->data, m);
  return SN_OK;
}

/* "FM " and the like, at most 7 letters. */
static sn_status read_token(object *o, char token[8], sn_err *err) {
  for (size_t i = 0; i < 8; i++) {
    char c = '\0';
    SN_TRY(sn_read_bytes(o->r, &c, 1, err));
    token[i] = c == ' ' ? '\0' : c;
    if (c == ' ') return SN_OK;
    if (c < '0' || c > 'z')
      return fail_at(o, err,
                     "no matrix or vector (an integer vector or another kind "
                     "of table?)");
  }
  return fail_at(o, err, "the name of a matrix type was expected");
}

/* Behind "\0B". */
static sn_status read_binary_mat(object *o, sn_err *err) {
  char token[8];
  SN_TRY(read_token(o, token, err));
  const size_t size = token[0] == 'F' ? sizeof(float) : sizeof(double);
  int32_t rows = 0, cols = 0;
  if (strcmp(token, "FM") == 0 || strcmp(token, "DM") == 0) {
    SN_TRY(read_int(o, &rows, err));
    SN_TRY(read_int(o, &cols, err));
    SN_TRY(set_shape(o, rows, cols, err));
    return read_reals(o, size, err);
  }
  if (strcmp(token, "FV") == 0 || strcmp(token, "DV") == 0) {
    SN_TRY(read_int(o, &cols, err));
    SN_TRY(set_shape(o, cols == 0 ? 0 : 1, cols, err));
    return read_reals(o, size, err);
  }
  if (strcmp(token, "CM") == 0) return read_packed(o, SNI_PACK_CM, err);
  if (strcmp(token, "CM2") == 0) return read_packed(o, SNI_PACK_CM2, err);
  if (strcmp(token, "CM3") == 0) return read_packed(o, SNI_PACK_CM3, err);
  return sn_fail(err, SN_EFORMAT,
                 "'%s', byte %lld: a table of type '%s'; matrices (FM, DM, CM, "
                 "CM2, CM3) and vectors (FV, DV) can be read",
                 sn_reader_name(o->r), (long long)sn_reader_offset(o->r),
                 token);
}

/* ---- Text ---- */

/* The numbers of one line, the brackets gone, as one more row. */
static sn_status add_row(object *o, sn_span line, sn_err *err) {
  const size_t before = o->values->n;
  sn_span field;
  while (sn_next_field(&line, &field)) {
    double v = 0;
    if (!sn_parse_double(field, &v))
      return sn_reader_fail(o->r, err, "'%.*s' is not a number",
                            field.n < 40 ? (int)field.n : 40, field.p);
    SN_TRY(SN_ARR_PUSH(o->values, (float)v, err));
  }
  const size_t n = o->values->n - before;
  if (n == 0) return SN_OK;
  if (o->rows > 0 && n != o->cols)
    return sn_reader_fail(o->r, err,
                          "a row of %zu numbers in a matrix of %zu "
                          "columns",
                          n, o->cols);
  o->cols = n;
  o->rows++;
  return SN_OK;
}

/* From "[" to the end of the line with "]". */
static sn_status read_text_mat(object *o, sn_err *err) {
  sn_span line;
  bool more = false;
  SN_TRY(sn_read_line(o->r, &line, &more, err));
  line = sn_span_trim(line);
  if (!more || line.n == 0 || line.p[0] != '[')
    return sn_reader_fail(o->r, err,
                          "'[' was expected: %s: this is no matrix or vector",
                          o->key != NULL ? o->key : "");
  line.p++;
  line.n--;
  o->values->n = 0;
  o->rows = o->cols = 0;
  for (;;) {
    const char *const close = line.n > 0 ? memchr(line.p, ']', line.n) : NULL;
    if (close != NULL) {
      const sn_span rest = {close + 1, line.n - (size_t)(close - line.p) - 1};
      if (sn_span_trim(rest).n > 0)
        return sn_reader_fail(o->r, err, "there is text behind ']'");
      line.n = (size_t)(close - line.p);
    }
    SN_TRY(add_row(o, line, err));
    if (close != NULL) return SN_OK;
    SN_TRY(sn_read_line(o->r, &line, &more, err));
    if (!more)
      return sn_reader_fail(o->r, err,
                            "the file ends within a matrix: it is cut short");
  }
}

/* ---- Objects ---- */

/* *binary: "\0B" was there and has been taken. */
static sn_status notice_binary(object *o, bool *binary, sn_err *err) {
  int c = 0;
  SN_TRY(sn_read_peek(o->r, &c, err));
  *binary = c == 0;
  if (!*binary) return SN_OK;
  char head[2];
  SN_TRY(sn_read_bytes(o->r, head, 2, err));
  if (head[1] != 'B')
    return fail_at(o, err, "'B' was expected behind a NUL byte");
  return SN_OK;
}

static sn_status read_mat(object *o, sn_err *err) {
  bool binary = false;
  SN_TRY(notice_binary(o, &binary, err));
  return binary ? read_binary_mat(o, err) : read_text_mat(o, err);
}

sn_status sn_kaldi_read_mat(sn_reader *r, sn_mat *out, sn_err *err) {
  sn_arr_f32 values = {NULL, 0, 0};
  byte_array bytes = {NULL, 0, 0};
  object o = {r, NULL, &values, &bytes, 0, 0};
  sn_status s = read_mat(&o, err);
  SN_ARR_FREE(&bytes);
  if (s == SN_OK) s = sn_mat_alloc(o.rows, o.cols, out, err);
  if (s == SN_OK) {
    const sn_cmat m = {values.data, o.rows, o.cols, o.cols};
    sn_mat_copy(m, *out);
  }
  SN_ARR_FREE(&values);
  return s;
}

/* Behind "\0B": a count, then each number with its size byte. */
static sn_status read_binary_ints(object *o, sn_arr_i32 *ints, sn_err *err) {
  int c = 0;
  SN_TRY(sn_read_peek(o->r, &c, err));
  if (c != 4)
    return fail_at(o, err, "no integer vector (a matrix or float vector?)");
  int32_t n = 0;
  SN_TRY(read_int(o, &n, err));
  if (n < 0) return fail_at(o, err, "a negative count of integers");
  for (int32_t i = 0; i < n; i++) {
    int32_t v = 0;
    SN_TRY(read_int(o, &v, err));
    SN_TRY(SN_ARR_PUSH(ints, v, err));
  }
  return SN_OK;
}

static sn_status read_text_ints(object *o, sn_arr_i32 *ints, sn_err *err) {
  sn_span line, field;
  bool more = false;
  SN_TRY(sn_read_line(o->r, &line, &more, err));
  while (more && sn_next_field(&line, &field)) {
    int32_t v = 0;
    if (!sn_parse_int32(field, &v))
      return sn_reader_fail(o->r, err, "'%.*s' is not an integer",
                            field.n < 40 ? (int)field.n : 40, field.p);
    SN_TRY(SN_ARR_PUSH(ints, v, err));
  }
  return SN_OK;
}

/* ---- Archives ---- */

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Up to the blank behind the key; *more is false at the archive's end. */
static sn_status read_key(sn_ark_reader *a, bool *more, sn_err *err) {
  sn_str_reset(&a->key);
  *more = false;
  for (;;) {
    int next = 0;
    SN_TRY(sn_read_peek(a->ark, &next, err));
    if (next < 0 && a->key.n == 0) return SN_OK;
    char c = '\0';
    SN_TRY(sn_read_bytes(a->ark, &c, 1, err));
    if (c == ' ' || c == '\t') {
      if (a->key.n == 0) continue;
      *more = true;
      return SN_OK;
    }
    if (is_blank(c)) {
      if (a->key.n == 0) continue; /* an empty line */
      return sn_fail(err, SN_EFORMAT,
                     "'%s', byte %lld: the key '%.60s' has nothing behind it",
                     sn_reader_name(a->ark),
                     (long long)sn_reader_offset(a->ark), a->key.data);
    }
    if (c == '\0' || a->key.n >= MAX_KEY_BYTES)
      return sn_fail(err, SN_EFORMAT,
                     "'%s', byte %lld: a key was expected (is this a Kaldi "
                     "archive?)",
                     sn_reader_name(a->ark),
                     (long long)sn_reader_offset(a->ark));
    SN_TRY(sn_str_add(&a->key, &c, 1, err));
  }
}

/* ---- Scripts ---- */

/* Splits "PATH:OFFSET"; *offset is -1 where there is none. */
static sn_status split_offset(const sn_reader *script, sn_span *path,
                              int64_t *offset, sn_err *err) {
  *offset = -1;
  if (path->p[path->n - 1] == ']')
    return sn_reader_fail(script, err,
                          "'%.*s': ranges of rows are not supported; copy the "
                          "rows to an archive of their own",
                          (int)path->n, path->p);
  if (path->p[path->n - 1] == '|')
    return sn_reader_fail(script, err,
                          "'%.*s': commands are not run; write their output to "
                          "an archive first",
                          (int)path->n, path->p);
  size_t colon = path->n;
  while (colon > 0 && path->p[colon - 1] != ':') colon--;
  const sn_span digits = {path->p + colon, path->n - colon};
  if (colon > 1 && digits.n > 0 && digits.p[0] >= '0' && digits.p[0] <= '9' &&
      sn_parse_int64(digits, offset))
    path->n = colon - 1;
  return SN_OK;
}

/* Makes a->ark stand at the object; keeps the file open from line to line. */
static sn_status go_to(sn_ark_reader *a, sn_span path, int64_t offset,
                       sn_err *err) {
  if (a->ark == NULL || a->ark_path == NULL || offset < 0 ||
      !sn_span_eq(path, a->ark_path)) {
    sn_reader_destroy(a->ark);
    a->ark = NULL;
    sn_free(a->ark_path);
    a->ark_path = sn_strndup(path.p, path.n);
    if (a->ark_path == NULL) return sn_fail_nomem(err, "script");
    SN_TRY(sn_reader_open(a->ark_path, &a->ark, err));
  }
  return offset > 0 || sn_reader_offset(a->ark) != 0
             ? sni_reader_seek(a->ark, offset > 0 ? offset : 0, err)
             : SN_OK;
}

static sn_status next_of_script(sn_ark_reader *a, bool *more, sn_err *err) {
  sn_span line, key;
  do {
    SN_TRY(sn_read_line(a->script, &line, more, err));
    if (!*more) return SN_OK;
  } while (!sn_next_field(&line, &key));
  sn_str_reset(&a->key);
  SN_TRY(sn_str_add(&a->key, key.p, key.n, err));
  sn_span path = sn_span_trim(line);
  if (path.n == 0)
    return sn_reader_fail(a->script, err, "'%s' has no path", a->key.data);
  int64_t offset = -1;
  SN_TRY(split_offset(a->script, &path, &offset, err));
  const sn_status s = go_to(a, path, offset, err);
  if (s != SN_OK)
    sn_err_context(err, "%s:%lld", sn_reader_name(a->script),
                   (long long)sn_reader_line_no(a->script));
  return s;
}

static sn_status next_item(sn_ark_reader *a, bool *more, sn_err *err) {
  return a->script != NULL ? next_of_script(a, more, err)
                           : read_key(a, more, err);
}

sn_status sn_ark_next_mat(sn_ark_reader *a, const char **key, sn_cmat *m,
                          sn_err *err) {
  const sn_cmat none = {NULL, 0, 0, 0};
  *key = NULL;
  *m = none;
  bool more = false;
  SN_TRY(next_item(a, &more, err));
  if (!more) return SN_OK;
  object o = {a->ark, a->key.data, &a->values, &a->bytes, 0, 0};
  const sn_status s = read_mat(&o, err);
  if (s != SN_OK) {
    sn_err_context(err, "'%s'", a->key.data);
    return s;
  }
  const sn_cmat got = {a->values.data, o.rows, o.cols, o.cols};
  *m = got;
  *key = a->key.data;
  return SN_OK;
}

sn_status sn_ark_next_ints(sn_ark_reader *a, const char **key,
                           const int32_t **v, size_t *n, sn_err *err) {
  *key = NULL;
  *v = NULL;
  *n = 0;
  bool more = false, binary = false;
  SN_TRY(next_item(a, &more, err));
  if (!more) return SN_OK;
  object o = {a->ark, a->key.data, &a->values, &a->bytes, 0, 0};
  a->ints.n = 0;
  sn_status s = notice_binary(&o, &binary, err);
  if (s == SN_OK)
    s = binary ? read_binary_ints(&o, &a->ints, err)
               : read_text_ints(&o, &a->ints, err);
  if (s != SN_OK) {
    sn_err_context(err, "'%s'", a->key.data);
    return s;
  }
  *v = a->ints.data;
  *n = a->ints.n;
  *key = a->key.data;
  return SN_OK;
}

/* ---- Opening ---- */

/* "ark,t,...:" or "scp,...:" in front of *path, or nothing. */
static sn_status parse_rspecifier(const char *spec, const char **path,
                                  bool *is_script, sn_err *err) {
  const char *const colon = strchr(spec, ':');
  sn_span head = {spec, colon != NULL ? (size_t)(colon - spec) : 0};
  sn_span word;
  bool known = colon != NULL && sn_next_field_sep(&head, ',', &word);
  *is_script = known && sn_span_eq(word, "scp");
  known = *is_script || (known && sn_span_eq(word, "ark"));
  *path = known ? colon + 1 : spec;
  /* Hints that change nothing here: text or binary is noticed, nothing is
   * looked up by key. */
  static const char *const hints[] = {"t",  "b",  "o",   "no", "s",
                                      "ns", "cs", "ncs", "bg"};
  while (known && sn_next_field_sep(&head, ',', &word)) {
    bool ok = false;
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
      ok = ok || sn_span_eq(word, hints[i]);
    if (!ok)
      return sn_fail(err, SN_EARG, "'%s': '%.*s' is no option of a Kaldi table",
                     spec, (int)word.n, word.p);
  }
  const size_t n = strlen(*path);
  if (n == 0) return sn_fail(err, SN_EARG, "'%s' names no file", spec);
  if ((*path)[n - 1] == '|')
    return sn_fail(err, SN_EARG,
                   "'%s': commands are not run; pipe their output in and name "
                   "'-'",
                   spec);
  return SN_OK;
}

static sn_status reader_on(sn_reader *r, bool is_script, sn_ark_reader **out,
                           sn_err *err) {
  *out = NULL;
  sn_ark_reader *const a = sn_calloc(1, sizeof *a);
  if (a == NULL) {
    sn_reader_destroy(r);
    return sn_fail_nomem(err, "archive");
  }
  if (is_script)
    a->script = r;
  else
    a->ark = r;
  *out = a;
  return SN_OK;
}

sn_status sn_ark_reader_open(const char *rspecifier, sn_ark_reader **out,
                             sn_err *err) {
  *out = NULL;
  const char *path = NULL;
  bool is_script = false;
  SN_TRY(parse_rspecifier(rspecifier, &path, &is_script, err));
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  return reader_on(r, is_script, out, err);
}

sn_status sn_ark_reader_on(sn_reader *r, sn_ark_reader **out, sn_err *err) {
  return reader_on(r, false, out, err);
}

void sn_ark_reader_destroy(sn_ark_reader *a) {
  if (a == NULL) return;
  sn_reader_destroy(a->ark);
  sn_reader_destroy(a->script);
  sn_free(a->ark_path);
  sn_str_clear(&a->key);
  SN_ARR_FREE(&a->values);
  SN_ARR_FREE(&a->ints);
  SN_ARR_FREE(&a->bytes);
  sn_free(a);
}
