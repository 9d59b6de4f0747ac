/* SPDX-License-Identifier: Apache-2.0 */
/* Text in, sentence by sentence. Nearly all lines are clean: one pass over the
 * bytes finds the words and whether there is anything to look at again. */
#include "lm/text_source.h"

#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "lm/count.h"
#include "lm/ngram_internal.h"
#include "lm/small.h"

const sn_opt sn_text_opt_table[] = {
    {"repair", SN_OPT_BOOL, offsetof(sn_text_opts, repair), 0, 0, 1, NULL, "",
     "text: take control characters for blanks, bytes that are not UTF-8 for "
     "U+FFFD, leave out <s> and </s> within sentences, and count them, instead "
     "of an error"},
    SN_OPT_END};

struct sn_text_source {
  sn_text_opts opts;
  sn_text_counts counts;
  SN_ARR(sn_span) words;
  sn_str clean; /* a repaired line */
};

sn_status sn_text_source_create(const sn_text_opts *opts, sn_text_source **out,
                                sn_err *err) {
  sn_text_source *const t = sn_calloc(1, sizeof *t);
  *out = t;
  if (t == NULL) return sn_fail_nomem(err, "text");
  if (opts != NULL) t->opts = *opts;
  return SN_OK;
}

void sn_text_source_destroy(sn_text_source *t) {
  if (t == NULL) return;
  SN_ARR_FREE(&t->words);
  sn_str_clear(&t->clean);
  sn_free(t);
}

const sn_text_counts *sn_text_get_counts(const sn_text_source *t) {
  return &t->counts;
}

static bool is_space(unsigned char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_control(unsigned char c) {
  return (c < 32 && !is_space(c)) || c == 127;
}

/* Whether the line holds only printable ASCII and white space. */
static bool is_plain(const char *p, size_t n) {
  unsigned bad = 0;
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)p[i];
    bad |=
        (unsigned)(c >= 127) | (unsigned)(c < 9) | (unsigned)(c > 13 && c < 32);
  }
  return bad == 0;
}

/* What a file is whose first line this is, where that is no text; or NULL. */
static const char *other_kind(sn_span line) {
  static const struct {
    const char *magic;
    size_t at, n;
    const char *kind;
  } kinds[] = {
      {SN_NGRAM_MAGIC, 0, sizeof SN_NGRAM_MAGIC, "a language model"},
      {SNI_SMALL_MAGIC, 0, sizeof SNI_SMALL_MAGIC, "a language model"},
      {SNI_SPHINX_LM_MAGIC, 0, sizeof SNI_SPHINX_LM_MAGIC - 1,
       "a language model"},
      {SNI_SPHINX_DMP_MAGIC, 4, sizeof SNI_SPHINX_DMP_MAGIC - 1,
       "a language model"},
      {SN_COUNT_MAGIC, 0, sizeof SN_COUNT_MAGIC,
       "a count file, which must be named and not packed"},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (line.n >= kinds[i].at + kinds[i].n &&
        memcmp(line.p + kinds[i].at, kinds[i].magic, kinds[i].n) == 0)
      return kinds[i].kind;
  return NULL;
}

/* Not even a repair makes a text of a model. */
static sn_status check_kind(const sn_reader *r, sn_span line, sn_err *err) {
  const char *const kind = sn_reader_line_no(r) == 1 ? other_kind(line) : NULL;
  if (kind != NULL)
    return sn_reader_fail(r, err, "the file is %s; a text was expected", kind);
  if (line.n > 0 && line.p[0] == '\\' &&
      sn_span_eq(sn_span_trim(line), "\\data\\"))
    return sn_reader_fail(r, err,
                          "'\\data\\': the file is an ARPA language model; a "
                          "text was expected");
  return SN_OK;
}

static sn_status check(const sn_reader *r, sn_span line, sn_err *err) {
  size_t bad;
  if (!sn_utf8_valid(line.p, line.n, &bad))
    return sn_reader_fail(r, err,
                          "byte %zu of the line (0x%02x) is not UTF-8; convert "
                          "the text (iconv), or use --repair",
                          bad, (unsigned)(unsigned char)line.p[bad]);
  for (size_t i = 0; i < line.n; i++)
    if (is_control((unsigned char)line.p[i]))
      return sn_reader_fail(r, err,
                            "a control character (0x%02x) at byte %zu of the "
                            "line; remove it, or use --repair",
                            (unsigned)(unsigned char)line.p[i], i);
  return SN_OK;
}

/* *line becomes a clean copy in t->clean. */
static sn_status repair(sn_text_source *t, sn_span *line, sn_err *err) {
  sn_str *const to = &t->clean;
  sn_str_reset(to);
  sn_span rest = *line;
  size_t bad;
  while (!sn_utf8_valid(rest.p, rest.n, &bad)) {
    SN_TRY(sn_str_add(to, rest.p, bad, err));
    SN_TRY(sn_str_adds(to, "\xEF\xBF\xBD", err));
    t->counts.n_invalid++;
    rest.p += bad + 1;
    rest.n -= bad + 1;
  }
  SN_TRY(sn_str_add(to, rest.p, rest.n, err));
  for (size_t i = 0; i < to->n; i++)
    if (is_control((unsigned char)to->data[i])) {
      to->data[i] = ' ';
      t->counts.n_controls++;
    }
  line->p = to->data;
  line->n = to->n;
  return SN_OK;
}

static sn_status split(sn_text_source *t, sn_span line, sn_err *err) {
  t->words.n = 0;
  const char *p = line.p, *const end = line.p + line.n;
  for (;;) {
    while (p < end && is_space((unsigned char)*p)) p++;
    if (p == end) return SN_OK;
    const char *const start = p;
    while (p < end && !is_space((unsigned char)*p)) p++;
    const sn_span word = {start, (size_t)(p - start)};
    SN_TRY(SN_ARR_PUSH(&t->words, word, err));
  }
}

static bool is_marker(sn_span w) {
  return w.p[0] == '<' && (sn_span_eq(w, "<s>") || sn_span_eq(w, "</s>"));
}

/* Takes <s> and </s> out of t->words. */
static sn_status drop_markers(sn_text_source *t, const sn_reader *r,
                              sn_err *err) {
  sn_span *const w = t->words.data;
  size_t n = t->words.n, first = 0;
  while (first < n && sn_span_eq(w[first], "<s>")) first++;
  while (n > first && sn_span_eq(w[n - 1], "</s>")) n--;
  t->counts.n_outer += (int64_t)(first + t->words.n - n);
  size_t to = 0;
  for (size_t i = first; i < n; i++) {
    if (!is_marker(w[i])) {
      w[to++] = w[i];
      continue;
    }
    if (!t->opts.repair)
      return sn_reader_fail(r, err,
                            "%.*s within a sentence (word %zu); write one "
                            "sentence a line, or use --repair",
                            (int)w[i].n, w[i].p, i + 1);
    t->counts.n_inner++;
  }
  t->words.n = to;
  return SN_OK;
}

sn_status sn_text_next(sn_text_source *t, sn_reader *r, const sn_span **words,
                       size_t *n, sn_err *err) {
  *words = NULL;
  *n = 0;
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    t->counts.n_lines++;
    SN_TRY(check_kind(r, line, err));
    if (!is_plain(line.p, line.n)) {
      if (t->opts.repair)
        SN_TRY(repair(t, &line, err));
      else
        SN_TRY(check(r, line, err));
    }
    SN_TRY(split(t, line, err));
    SN_TRY(drop_markers(t, r, err));
    if (t->words.n > 0) break;
    t->counts.n_empty++;
  }
  t->counts.n_sentences++;
  t->counts.n_words += (int64_t)t->words.n;
  *words = t->words.data;
  *n = t->words.n;
  return SN_OK;
}

void sn_text_report(const sn_text_source *t, sn_log *log) {
  const sn_text_counts *const c = &t->counts;
  if (c->n_controls > 0)
    sn_warn(log, "%lld control characters were taken for blanks",
            (long long)c->n_controls);
  if (c->n_invalid > 0)
    sn_warn(log, "%lld bytes that are not UTF-8 became U+FFFD",
            (long long)c->n_invalid);
  if (c->n_inner > 0)
    sn_warn(log, "%lld <s> or </s> within sentences were left out",
            (long long)c->n_inner);
}
