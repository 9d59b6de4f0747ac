/* SPDX-License-Identifier: Apache-2.0 */
/* Means, variances, mixture weights (mixture_weights, sendump), transition
 * matrices and the senone-to-codebook map of Sphinx models.
 *
 * Sources: cmusphinx/pocketsphinx ms_gauden.c:gauden_param_read,
 * ms_senone.c:senone_mixw_read and senone_mgau_map_read, tmat.c:tmat_init,
 * ptm_mgau.c:read_sendump. */
#include <math.h>
#include <string.h>

#include "am/am_internal.h"
#include "am/sphinx_internal.h"
#include "base/mem.h"

enum { MAX_COUNT = 1 << 26 };

static sni_bytes cursor(const void *data, size_t n, const char *name) {
  const sni_bytes b = {.p = data, .n = n, .name = name};
  return b;
}

/* The array size that precedes the data, which must be the product of the
 * dimensions and fit what is left of the file. */
static sn_status check_size(sni_bytes *b, int64_t product, const char *dims,
                            sn_err *err) {
  const size_t at = b->at;
  int32_t n = 0;
  SN_TRY(sni_bytes_count(b, "array size", 0, INT32_MAX, &n, err));
  if (n != product)
    return sni_bytes_fail(b, err, at, "array size",
                          "%d values, but %s give %lld", n, dims,
                          (long long)product);
  if ((size_t)n > (b->n - b->at) / 4)
    return sni_bytes_fail(b, err, b->at, "data",
                          "%d values announced, %zu bytes left; is the file "
                          "truncated?",
                          n, b->n - b->at);
  return SN_OK;
}

sn_status sni_s3_gauss_read(const void *data, size_t n, const char *name,
                            sni_s3_gauss *out, sn_err *err) {
  sni_bytes b = cursor(data, n, name);
  double version = 0;
  sn_status s = SN_OK;
  memset(out, 0, sizeof *out);
  SN_TRY(sni_s3_header(&b, &version, err));
  SN_TRY(sni_bytes_count(&b, "codebooks", 1, SNI_AM_MAX_PDFS, &out->n_codebooks,
                         err));
  SN_TRY(sni_bytes_count(&b, "feature streams", 1, SNI_AM_MAX_STREAMS,
                         &out->n_streams, err));
  SN_TRY(sni_bytes_count(&b, "densities", 1, MAX_COUNT, &out->n_gauss, err));
  out->len = sn_calloc((size_t)out->n_streams, sizeof *out->len);
  if (out->len == NULL) return sn_fail_nomem(err, name);
  for (int32_t k = 0; k < out->n_streams; k++) {
    SN_TRY_GOTO(
        s, sni_bytes_count(&b, "stream length", 1, 65536, &out->len[k], err));
    out->dim += out->len[k];
  }
  /* At most 2^20 * 2^26 * 2^22: no overflow of 64 bits... */
  if ((int64_t)out->n_codebooks * out->n_gauss > INT32_MAX) {
    s = sni_bytes_fail(&b, err, b.at, "densities",
                       "%d codebooks of %d densities are too many",
                       out->n_codebooks, out->n_gauss);
    goto fail;
  }
  /* ... 2^31 * 2^22 from here on. */
  SN_TRY_GOTO(
      s, check_size(&b, (int64_t)out->n_codebooks * out->n_gauss * out->dim,
                    "codebooks x densities x dimensions", err));
  const size_t total =
      (size_t)out->n_codebooks * (size_t)out->n_gauss * (size_t)out->dim;
  out->data = sn_calloc(total, sizeof *out->data);
  if (out->data == NULL) {
    s = sn_fail_nomem(err, name);
    goto fail;
  }
  SN_TRY_GOTO(s, sni_bytes_floats(&b, "data", out->data, total, err));
  SN_TRY_GOTO(s, sni_s3_end(&b, err));
  return SN_OK;
fail:
  sni_s3_gauss_clear(out);
  return s;
}

void sni_s3_gauss_clear(sni_s3_gauss *g) {
  sn_free(g->len);
  sn_free(g->data);
  memset(g, 0, sizeof *g);
}

sn_status sni_s3_mixw_read(const void *data, size_t n, const char *name,
                           sni_s3_mixw *out, sn_err *err) {
  sni_bytes b = cursor(data, n, name);
  double version = 0;
  sn_status s = SN_OK;
  memset(out, 0, sizeof *out);
  SN_TRY(sni_s3_header(&b, &version, err));
  SN_TRY(sni_bytes_count(&b, "senones", 1, SNI_AM_MAX_PDFS, &out->n_pdfs, err));
  SN_TRY(sni_bytes_count(&b, "feature streams", 1, SNI_AM_MAX_STREAMS,
                         &out->n_streams, err));
  SN_TRY(sni_bytes_count(&b, "densities", 1, MAX_COUNT, &out->n_gauss, err));
  SN_TRY(check_size(&b, (int64_t)out->n_pdfs * out->n_streams * out->n_gauss,
                    "senones x streams x densities", err));
  const size_t total =
      (size_t)out->n_pdfs * (size_t)out->n_streams * (size_t)out->n_gauss;
  out->data = sn_calloc(total, sizeof *out->data);
  if (out->data == NULL) return sn_fail_nomem(err, name);
  const size_t at = b.at;
  SN_TRY_GOTO(s, sni_bytes_floats(&b, "data", out->data, total, err));
  for (size_t i = 0; i < total; i++) {
    if (out->data[i] < 0.0f) {
      s = sni_bytes_fail(&b, err, at + 4 * i, "data",
                         "weight %zu is negative (%g)", i,
                         (double)out->data[i]);
      goto fail;
    }
  }
  SN_TRY_GOTO(s, sni_s3_end(&b, err));
  return SN_OK;
fail:
  sni_s3_mixw_clear(out);
  return s;
}

void sni_s3_mixw_clear(sni_s3_mixw *m) {
  sn_free(m->data);
  memset(m, 0, sizeof *m);
}

sn_status sni_s3_tmat_read(const void *data, size_t n, const char *name,
                           sni_s3_tmat *out, sn_err *err) {
  sni_bytes b = cursor(data, n, name);
  double version = 0;
  sn_status s = SN_OK;
  int32_t n_to = 0;
  memset(out, 0, sizeof *out);
  SN_TRY(sni_s3_header(&b, &version, err));
  SN_TRY(sni_bytes_count(&b, "transition matrices", 1, SNI_AM_MAX_PDFS,
                         &out->n_tmats, err));
  SN_TRY(sni_bytes_count(&b, "from-states", 1, SNI_AM_MAX_STATES,
                         &out->n_states, err));
  SN_TRY(
      sni_bytes_count(&b, "to-states", 1, SNI_AM_MAX_STATES + 1, &n_to, err));
  if (n_to != out->n_states + 1)
    return sni_bytes_fail(&b, err, b.at - 4, "to-states",
                          "%d, but %d from-states need %d", n_to, out->n_states,
                          out->n_states + 1);
  SN_TRY(check_size(&b, (int64_t)out->n_tmats * out->n_states * n_to,
                    "matrices x from-states x to-states", err));
  const size_t S = (size_t)out->n_states;
  const size_t total = (size_t)out->n_tmats * S * (S + 1);
  out->data = sn_calloc(total, sizeof *out->data);
  if (out->data == NULL) return sn_fail_nomem(err, name);
  const size_t at = b.at;
  SN_TRY_GOTO(s, sni_bytes_floats(&b, "data", out->data, total, err));
  for (size_t i = 0; i < total; i++) {
    const size_t from = i / (S + 1) % S, to = i % (S + 1);
    if (out->data[i] < 0.0f || (out->data[i] > 0.0f && to < from)) {
      s = sni_bytes_fail(&b, err, at + 4 * i, "data",
                         "matrix %zu, state %zu to %zu: %g is %s",
                         i / (S * (S + 1)), from, to, (double)out->data[i],
                         out->data[i] < 0.0f ? "negative"
                                             : "a way back; only forward "
                                               "topologies are supported");
      goto fail;
    }
  }
  SN_TRY_GOTO(s, sni_s3_end(&b, err));
  return SN_OK;
fail:
  sni_s3_tmat_clear(out);
  return s;
}

void sni_s3_tmat_clear(sni_s3_tmat *t) {
  sn_free(t->data);
  memset(t, 0, sizeof *t);
}

sn_status sni_s3_map_read(const void *data, size_t n, const char *name,
                          sni_s3_map *out, sn_err *err) {
  sni_bytes b = cursor(data, n, name);
  double version = 0;
  sn_status s = SN_OK;
  memset(out, 0, sizeof *out);
  SN_TRY(sni_s3_header(&b, &version, err));
  if (version > 1.1)
    SN_TRY(sni_bytes_count(&b, "codebooks", 1, SNI_AM_MAX_PDFS,
                           &out->n_codebooks, err));
  SN_TRY(sni_bytes_count(&b, "senones", 1, SNI_AM_MAX_PDFS, &out->n_pdfs, err));
  if ((size_t)out->n_pdfs > (b.n - b.at) / 4)
    return sni_bytes_fail(&b, err, b.at, "data",
                          "%d values announced, %zu bytes left", out->n_pdfs,
                          b.n - b.at);
  out->codebook = sn_calloc((size_t)out->n_pdfs, sizeof *out->codebook);
  if (out->codebook == NULL) return sn_fail_nomem(err, name);
  int32_t max = out->n_codebooks == 0 ? SNI_AM_MAX_PDFS : out->n_codebooks;
  int32_t above = 0;
  for (int32_t i = 0; i < out->n_pdfs; i++) {
    SN_TRY_GOTO(
        s, sni_bytes_count(&b, "codebook", 0, max - 1, &out->codebook[i], err));
    if (out->codebook[i] >= above) above = out->codebook[i] + 1;
  }
  if (out->n_codebooks == 0) out->n_codebooks = above;
  SN_TRY_GOTO(s, sni_s3_end(&b, err));
  return SN_OK;
fail:
  sni_s3_map_clear(out);
  return s;
}

void sni_s3_map_clear(sni_s3_map *m) {
  sn_free(m->codebook);
  memset(m, 0, sizeof *m);
}

/* ---- sendump ---- */

typedef struct dump_head {
  int32_t streams, gauss, pdfs, clusters, bits, shift;
  double base;
} dump_head;

/* "key number" for the keys that matter. The same words also occur in the
 * description of the format, without a number. */
static void head_string(sn_span text, dump_head *h) {
  struct {
    const char *key;
    int32_t *to;
  } const keys[] = {
      {"feature_count", &h->streams},  {"mixture_count", &h->gauss},
      {"model_count", &h->pdfs},       {"cluster_bits", &h->bits},
      {"cluster_count", &h->clusters}, {"mixw_shift", &h->shift}};
  sn_span key = {0}, value = {0};
  if (!sn_next_field(&text, &key) || !sn_next_field(&text, &value)) return;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (sn_span_eq(key, keys[i].key)) (void)sn_parse_int32(value, keys[i].to);
  if (sn_span_eq(key, "logbase")) (void)sn_parse_double(value, &h->base);
}

/* Strings with their lengths, up to a length of zero. The first length also
 * tells the byte order: it is small. */
static sn_status dump_header(sni_bytes *b, dump_head *h, sn_err *err) {
  for (int i = 0;; i++) {
    const size_t at = b->at;
    int32_t len = 0;
    SN_TRY(sni_bytes_i32(b, "header string length", &len, err));
    if (i == 0 && (len < 1 || len > 999)) {
      b->swap = true;
      b->at = at;
      SN_TRY(sni_bytes_i32(b, "title length", &len, err));
    }
    if (len == 0 && i >= 2) return SN_OK;
    if (len < 1 || len > 999)
      return sni_bytes_fail(b, err, at, "header string length",
                            "%d is not between 1 and 999; not a sendump file",
                            len);
    const unsigned char *p = NULL;
    SN_TRY(sni_bytes_take(b, "header string", (size_t)len, &p, err));
    const sn_span text = {(const char *)p,
                          strnlen((const char *)p, (size_t)len)};
    if (i < 2 && text.n != (size_t)len - 1)
      return sni_bytes_fail(b, err, at + 4, "header string",
                            "not closed by a zero byte");
    head_string(text, h);
  }
}

static sn_status dump_agree(const sni_bytes *b, const char *what, int32_t got,
                            int32_t want, sn_err *err) {
  if (got == want) return SN_OK;
  return sn_fail(err, SN_EMISMATCH,
                 "%s: %d %s, but the other files of the model have %d", b->name,
                 got, what, want);
}

/* Rows of column numbers, or of indices (4 or 8 bits) in a code table. */
static sn_status dump_rows(sni_bytes *b, const dump_head *h, size_t n_rows,
                           int32_t cols, sni_sendump *out, sn_err *err) {
  const unsigned char *code = NULL;
  const size_t n_pdfs = (size_t)out->n_pdfs;
  const bool nibbles = h->clusters > 0 && h->bits == 4;
  const size_t step = nibbles ? ((size_t)cols + 1) / 2 : (size_t)cols;
  const size_t n_codes = h->clusters == 15 ? 16 : (size_t)h->clusters;
  if (h->clusters > 0)
    SN_TRY(sni_bytes_take(b, "cluster values", n_codes, &code, err));
  uint8_t *to = out->data;
  for (size_t r = 0; r < n_rows; r++, to += n_pdfs) {
    const size_t at = b->at;
    const unsigned char *p = NULL;
    SN_TRY(sni_bytes_take(b, "weights", step, &p, err));
    if (h->clusters == 0) {
      memcpy(to, p, n_pdfs);
      continue;
    }
    for (size_t i = 0; i < n_pdfs; i++) {
      const unsigned byte = nibbles ? p[i / 2] : p[i];
      const unsigned c = !nibbles ? byte : i % 2 == 1 ? byte >> 4 : byte & 15;
      if (c >= n_codes)
        return sni_bytes_fail(b, err, at + i, "weights", "cluster %u of %zu", c,
                              n_codes);
      to[i] = code[c];
    }
  }
  return SN_OK;
}

sn_status sni_sendump_read(const void *data, size_t n, const char *name,
                           int32_t want_streams, int32_t want_gauss,
                           int32_t want_pdfs, sni_sendump *out, sn_err *err) {
  sni_bytes b = cursor(data, n, name);
  dump_head h = {want_streams, want_gauss, want_pdfs, 0, 8, 10, 1.0001};
  sn_status s = SN_OK;
  memset(out, 0, sizeof *out);
  SN_TRY(dump_header(&b, &h, err));
  int32_t rows = h.gauss, cols = h.pdfs;
  if (h.clusters == 0) {
    SN_TRY(sni_bytes_count(&b, "rows", 1, MAX_COUNT, &rows, err));
    SN_TRY(sni_bytes_count(&b, "columns", 1, SNI_AM_MAX_PDFS + 3, &cols, err));
  }
  SN_TRY(dump_agree(&b, "feature streams", h.streams, want_streams, err));
  SN_TRY(dump_agree(&b, "densities", h.gauss, want_gauss, err));
  SN_TRY(dump_agree(&b, "densities", rows, want_gauss, err));
  SN_TRY(dump_agree(&b, "senones", h.pdfs, want_pdfs, err));
  /* Older files pad the rows to a multiple of four. */
  if (cols != (want_pdfs + 3) / 4 * 4)
    SN_TRY(dump_agree(&b, "columns of senones", cols, want_pdfs, err));
  if ((h.clusters != 0 && h.clusters != 15 && h.clusters != 16) ||
      (h.bits != 8 && h.bits != 4) || (h.clusters == 0 && h.bits == 4))
    return sni_bytes_fail(&b, err, b.at, "cluster_count",
                          "%d clusters of %d bits: expected none, or 15 or "
                          "16 of 4 or 8 bits",
                          h.clusters, h.bits);
  if (!(h.base > 1.0 && h.base <= 2.0) || h.shift < 0 || h.shift > 20 ||
      !(log(h.base) * ldexp(1.0, h.shift) <= 1.0))
    return sni_bytes_fail(&b, err, b.at, "logbase",
                          "%g with mixw_shift %d is not a useful unit of "
                          "weights",
                          h.base, h.shift);
  out->unit = log(h.base) * ldexp(1.0, h.shift);
  const size_t cells = (size_t)want_streams * (size_t)want_gauss;
  if (cells > (b.n - b.at) || cells * (size_t)cols / 2 > b.n - b.at)
    return sni_bytes_fail(&b, err, b.at, "weights",
                          "%zu rows of %d announced, %zu bytes left; is the "
                          "file truncated?",
                          cells, cols, b.n - b.at);
  out->n_streams = want_streams;
  out->n_gauss = want_gauss;
  out->n_pdfs = want_pdfs;
  out->data = sn_calloc(cells, (size_t)want_pdfs);
  if (out->data == NULL) return sn_fail_nomem(err, name);
  SN_TRY_GOTO(s, dump_rows(&b, &h, cells, cols, out, err));
  if (b.at != b.n) {
    s = sni_bytes_fail(&b, err, b.at, "end of data",
                       "%zu more bytes than the header tells of", b.n - b.at);
    goto fail;
  }
  return SN_OK;
fail:
  sni_sendump_clear(out);
  return s;
}

void sni_sendump_clear(sni_sendump *s) {
  sn_free(s->data);
  memset(s, 0, sizeof *s);
}
