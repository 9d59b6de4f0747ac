/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of Sphinx files.
 *
 * An S3 file is a text header ("s3", "key value" lines, "endhdr"; before
 * 1996: a version line and comments up to "*end_comment*"), a byte-order mark
 * 0x11223344, 32-bit words in that order, and, if the header has "chksum0",
 * a checksum of the words: sum = rotate_left(sum, 20) + word.
 * Source: cmusphinx/sphinxbase, src/libsphinxbase/util/bio.c. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "am/sphinx_internal.h"

sn_status sni_bytes_fail(const sni_bytes *b, sn_err *err, size_t at,
                         const char *field, const char *fmt, ...) {
  char text[384];
  va_list args;
  va_start(args, fmt);
  (void)vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return sn_fail(err, SN_EFORMAT, "%s: %s at byte %zu: %s", b->name, field, at,
                 text);
}

sn_status sni_bytes_take(sni_bytes *b, const char *field, size_t n,
                         const unsigned char **out, sn_err *err) {
  if (n > b->n - b->at)
    return sni_bytes_fail(
        b, err, b->at, field,
        "the file ends %zu bytes short (%zu needed, %zu left); is it "
        "truncated?",
        n - (b->n - b->at), n, b->n - b->at);
  *out = b->p + b->at;
  b->at += n;
  return SN_OK;
}

static uint32_t word_at(const sni_bytes *b, const unsigned char *p) {
  uint32_t w;
  memcpy(&w, p, sizeof w);
  return b->swap ? __builtin_bswap32(w) : w;
}

static uint32_t sum_word(uint32_t sum, uint32_t w) {
  return (sum << 20 | sum >> 12) + w;
}

sn_status sni_bytes_i32(sni_bytes *b, const char *field, int32_t *out,
                        sn_err *err) {
  const unsigned char *p = NULL;
  SN_TRY(sni_bytes_take(b, field, 4, &p, err));
  const uint32_t w = word_at(b, p);
  b->sum = sum_word(b->sum, w);
  memcpy(out, &w, sizeof w);
  return SN_OK;
}

sn_status sni_bytes_u16(sni_bytes *b, const char *field, uint16_t *out,
                        sn_err *err) {
  const unsigned char *p = NULL;
  SN_TRY(sni_bytes_take(b, field, 2, &p, err));
  uint16_t w;
  memcpy(&w, p, sizeof w);
  *out = b->swap ? __builtin_bswap16(w) : w;
  return SN_OK;
}

sn_status sni_bytes_count(sni_bytes *b, const char *field, int32_t min,
                          int32_t max, int32_t *out, sn_err *err) {
  const size_t at = b->at;
  int32_t v = 0;
  SN_TRY(sni_bytes_i32(b, field, &v, err));
  if (v < min || v > max)
    return sni_bytes_fail(b, err, at, field, "%d is not between %d and %d", v,
                          min, max);
  *out = v;
  return SN_OK;
}

sn_status sni_bytes_floats(sni_bytes *b, const char *field, float *out,
                           size_t n, sn_err *err) {
  const unsigned char *p = NULL;
  const size_t at = b->at;
  if (n > SIZE_MAX / 4)
    return sni_bytes_fail(b, err, at, field, "%zu values can not be", n);
  SN_TRY(sni_bytes_take(b, field, n * 4, &p, err));
  uint32_t sum = b->sum;
  for (size_t i = 0; i < n; i++) {
    const uint32_t w = word_at(b, p + 4 * i);
    sum = sum_word(sum, w);
    memcpy(&out[i], &w, sizeof w);
    if (!isfinite(out[i]))
      return sni_bytes_fail(b, err, at + 4 * i, field,
                            "value %zu is not a finite number", i);
  }
  b->sum = sum;
  return SN_OK;
}

/* The next line of the header, without its end. */
static sn_status header_line(sni_bytes *b, sn_span *line, sn_err *err) {
  const unsigned char *const p = b->p + b->at;
  const unsigned char *const end = memchr(p, '\n', b->n - b->at);
  if (end == NULL)
    return sni_bytes_fail(b, err, b->at, "header",
                          "no line end; not a Sphinx S3 file, or truncated");
  line->p = (const char *)p;
  line->n = (size_t)(end - p);
  b->at += line->n + 1;
  return SN_OK;
}

sn_status sni_s3_header(sni_bytes *b, double *version, sn_err *err) {
  sn_span line = {0};
  *version = 0;
  SN_TRY(header_line(b, &line, err));
  if (sn_span_eq(line, "s3")) {
    for (;;) {
      const size_t at = b->at;
      sn_span key = {0}, value = {0};
      SN_TRY(header_line(b, &line, err));
      if (!sn_next_field(&line, &key))
        return sni_bytes_fail(b, err, at, "header", "empty line");
      if (sn_span_eq(key, "endhdr")) break;
      if (key.p[0] == '#') continue;
      if (!sn_next_field(&line, &value))
        return sni_bytes_fail(b, err, at, "header",
                              "expected \"key value\" or \"endhdr\"");
      if (sn_span_eq(key, "version")) (void)sn_parse_double(value, version);
      if (sn_span_eq(key, "chksum0")) b->has_sum = true;
    }
  } else {
    sn_span field = {0};
    if (!sn_next_field(&line, &field) || !sn_parse_double(field, version))
      return sni_bytes_fail(b, err, 0, "header",
                            "neither \"s3\" nor a version number; not a "
                            "Sphinx S3 file");
    do {
      SN_TRY(header_line(b, &line, err));
    } while (!sn_span_eq(line, "*end_comment*"));
  }
  const size_t at = b->at;
  int32_t mark = 0;
  SN_TRY(sni_bytes_i32(b, "byte-order mark", &mark, err));
  if (mark == 0x44332211)
    b->swap = true;
  else if (mark != 0x11223344)
    return sni_bytes_fail(b, err, at, "byte-order mark",
                          "0x%08x is 0x11223344 in neither byte order",
                          (unsigned)mark);
  b->sum = 0;
  return SN_OK;
}

sn_status sni_s3_end(sni_bytes *b, sn_err *err) {
  if (b->has_sum) {
    const size_t at = b->at;
    const uint32_t want = b->sum;
    int32_t stored = 0;
    SN_TRY(sni_bytes_i32(b, "checksum", &stored, err));
    if ((uint32_t)stored != want)
      return sni_bytes_fail(b, err, at, "checksum",
                            "the file says %08x, its data give %08x: the "
                            "file is damaged",
                            (unsigned)stored, (unsigned)want);
  }
  if (b->at != b->n)
    return sni_bytes_fail(b, err, b->at, "end of data",
                          "%zu more bytes than the header tells of",
                          b->n - b->at);
  return SN_OK;
}
