/* SPDX-License-Identifier: Apache-2.0 */
/* Where estimated n-grams go: straight into an ARPA file, or into a model.
 * Numbers are written with 7 decimals by a routine of its own: with printf they
 * would take half of the whole time. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/estimate_internal.h"

#define DECIMALS 10000000 /* 7 of them */
#define MAX_NUMBER 32     /* bytes of one number */

sn_status sni_sink_begin(sni_sink *s, const sn_symtab *words, const char *path,
                         const sn_estimate_report *counts, sn_err *err) {
  s->words = words;
  if (path == NULL)
    return sni_builder_init(&s->builder, "estimated model", counts->order, err);
  SN_TRY(sn_writer_open(path, &s->writer, err));
  SN_TRY(sn_writef(s->writer, err, "\\data\\\n"));
  for (int32_t k = 1; k <= counts->order; k++)
    SN_TRY(sn_writef(s->writer, err, "ngram %d=%lld\n", k,
                     (long long)counts->orders[k].n_kept));
  return SN_OK;
}

sn_status sni_sink_level(sni_sink *s, int32_t level, sn_err *err) {
  s->level = level;
  if (s->writer == NULL) return SN_OK;
  return sn_writef(s->writer, err, "\n\\%d-grams:\n", level);
}

/* log10 of x with 7 decimals; -99 for 0. Its end. */
static char *put_log10(char *to, double x) {
  const double v =
      x > 0.0 ? fmax(log10(x), SNI_ARPA_ZERO_LOG10P) : SNI_ARPA_ZERO_LOG10P;
  int64_t n = (int64_t)floor(fabs(v) * DECIMALS + 0.5);
  if (v < 0.0 && n > 0) *to++ = '-';
  char digits[24];
  int n_digits = 0;
  bool is_zero = true; /* no zeros at the end */
  for (int i = 0; n > 0 || i < 8; i++, n /= 10) {
    const char d = (char)('0' + n % 10);
    if (i == 7) {
      if (!is_zero) digits[n_digits++] = '.';
      is_zero = false;
    }
    is_zero = is_zero && d == '0';
    if (!is_zero) digits[n_digits++] = d;
  }
  while (n_digits > 0) *to++ = digits[--n_digits];
  return to;
}

static sn_status write_line(sni_sink *s, const uint32_t *words, double prob,
                            double backoff, bool is_top, sn_err *err) {
  const char *text[SN_NGRAM_MAX_ORDER];
  size_t length[SN_NGRAM_MAX_ORDER], n = 2 * MAX_NUMBER + 2;
  for (int32_t i = 0; i < s->level; i++) {
    text[i] = sn_symtab_get(s->words, (int32_t)words[i]);
    length[i] = strlen(text[i]);
    n += length[i] + 1;
  }
  if (n > s->line_cap) {
    char *const line = sn_realloc(s->line, 2 * n, 1);
    if (line == NULL) return sn_fail_nomem(err, "a line");
    s->line = line;
    s->line_cap = 2 * n;
  }
  char *p = put_log10(s->line, prob);
  for (int32_t i = 0; i < s->level; i++) {
    *p++ = i == 0 ? '\t' : ' ';
    memcpy(p, text[i], length[i]);
    p += length[i];
  }
  if (!is_top) {
    *p++ = '\t';
    p = put_log10(p, backoff);
  }
  *p++ = '\n';
  return sn_write_bytes(s->writer, s->line, (size_t)(p - s->line), err);
}

static float natural_log(double x) {
  return x > 0.0 ? (float)fmax(log(x), SNI_ARPA_ZERO_LOG10P * SNI_LN10)
                 : (float)(SNI_ARPA_ZERO_LOG10P * SNI_LN10);
}

sn_status sni_sink_add(sni_sink *s, const uint32_t *words, double prob,
                       double backoff, bool is_top, sn_err *err) {
  if (prob > 1.0) prob = 1.0; /* float rounding */
  if (s->writer != NULL)
    return write_line(s, words, prob, backoff, is_top, err);
  const float logp = natural_log(prob);
  const float log_backoff = is_top ? 0.0f : natural_log(backoff);
  if (s->level == 1) {
    const char *const text = sn_symtab_get(s->words, (int32_t)words[0]);
    bool is_new;
    return sni_builder_add_word(&s->builder, text, strlen(text), logp,
                                log_backoff, &is_new, err);
  }
  int32_t ids[SN_NGRAM_MAX_ORDER];
  for (int32_t i = 0; i < s->level; i++) ids[i] = (int32_t)words[i];
  return sni_builder_add(&s->builder, ids, logp, log_backoff, err);
}

sn_status sni_sink_end_level(sni_sink *s, sn_err *err) {
  return s->writer != NULL ? SN_OK : sni_builder_end_level(&s->builder, err);
}

sn_status sni_sink_end(sni_sink *s, sn_ngram **out, sn_err *err) {
  if (s->writer == NULL) return sni_builder_take(&s->builder, out, err);
  SN_TRY(sn_writef(s->writer, err, "\n\\end\\\n"));
  return sn_writer_commit(s->writer, err);
}

void sni_sink_clear(sni_sink *s) {
  sn_writer_destroy(s->writer);
  sni_builder_clear(&s->builder);
  sn_free(s->line);
}
