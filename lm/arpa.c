/* SPDX-License-Identifier: Apache-2.0 */
/* ARPA language models: the text format of back-off n-gram models.
 *
 *   \data\
 *   ngram 1=3
 *   ngram 2=2
 *
 *   \1-grams:
 *   -0.9031  the  -0.30103        log10 p, words, log10 back-off
 *   ...
 *   \end\
 *
 * Text before \data\ is skipped. Fields are separated by blanks. A missing
 * back-off is 0. What is repaired, each with one line to the log and a count:
 * probabilities above 1 (set to 1), back-offs of the highest order (dropped),
 * n-grams without their prefix (inserted by the builder). All else that is
 * wrong ends the reading with the line's number.
 *
 * Cost: most of it is finding words (one hash look-up a word) and numbers,
 * which have a reader of their own; 3.7 million n-grams take about 3 s.
 *
 * Source: SRILM's manual page ngram-format(5), and Doug Paul's original format
 * as described there. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "lm/ngram_internal.h"

typedef struct arpa {
  sn_reader *r;
  sn_log *log;
  int32_t order;
  int64_t counts[SN_NGRAM_MAX_ORDER + 1]; /* [1 .. order] as declared */
  int64_t count_line[SN_NGRAM_MAX_ORDER + 1];
  int64_t n_all, n_read; /* for progress */
  int64_t n_positive, n_top_backoffs;
  /* Blank lines within the current section, to find an n-gram's line again:
   * n-gram i of the section is on first_line + i + (blanks before it). */
  int64_t first_line;
  SN_ARR(int64_t) blank_before; /* number of n-grams read before each */
} arpa;

/* ---- Numbers ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Decimal text as a double: exact for up to 15 digits and small exponents (one
 * correctly rounded multiplication or division), else sn_parse_double. */
static bool parse_number(sn_span s, double *out) {
  static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  size_t i = 0;
  const bool is_negative = s.n > 0 && s.p[0] == '-';
  if (is_negative) i++;
  uint64_t digits = 0;
  size_t n_digits = 0, n_after = 0;
  for (; i < s.n && is_digit(s.p[i]); i++, n_digits++)
    digits = digits * 10 + (uint64_t)(s.p[i] - '0');
  if (i < s.n && s.p[i] == '.')
    for (i++; i < s.n && is_digit(s.p[i]); i++, n_digits++, n_after++)
      digits = digits * 10 + (uint64_t)(s.p[i] - '0');
  if (i < s.n || n_digits == 0 || n_digits > 15) return sn_parse_double(s, out);
  const double v = (double)digits / power[n_after];
  *out = is_negative ? -v : v;
  return true;
}

/* "-inf" stands for the format's own -99. */
static sn_status parse_log10p(const arpa *a, sn_span text, const char *what,
                              double *out, sn_err *err) {
  if (!parse_number(text, out) || isnan(*out) || (isinf(*out) && *out > 0.0))
    return sn_reader_fail(a->r, err, "'%.*s' is not a %s (log10, a number)",
                          (int)(text.n < 40 ? text.n : 40), text.p, what);
  if (*out < SNI_ARPA_ZERO_LOG10P) *out = SNI_ARPA_ZERO_LOG10P;
  return SN_OK;
}

/* ---- Header ---- */

static bool starts_with(sn_span s, const char *prefix) {
  const size_t n = strlen(prefix);
  return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* "ngram 2=1234" */
static sn_status parse_count(arpa *a, sn_span line, sn_err *err) {
  sn_span rest = {line.p + 5, line.n - 5};
  rest = sn_span_trim(rest);
  sn_span left;
  int32_t order = 0;
  int64_t count = 0;
  const char *const eq = memchr(rest.p, '=', rest.n);
  if (eq == NULL)
    return sn_reader_fail(a->r, err, "expected 'ngram ORDER=COUNT'");
  left.p = rest.p;
  left.n = (size_t)(eq - rest.p);
  const sn_span right = {eq + 1, rest.n - left.n - 1};
  if (!sn_parse_int32(sn_span_trim(left), &order) ||
      !sn_parse_int64(sn_span_trim(right), &count) || count < 0)
    return sn_reader_fail(a->r, err, "expected 'ngram ORDER=COUNT'");
  if (order != a->order + 1)
    return sn_reader_fail(a->r, err, "expected the count of order %d, not %d",
                          a->order + 1, order);
  if (order > SN_NGRAM_MAX_ORDER)
    return sn_fail(err, SN_ELIMIT, "%s:%lld: orders above %d are not supported",
                   sn_reader_name(a->r), (long long)sn_reader_line_no(a->r),
                   SN_NGRAM_MAX_ORDER);
  a->order = order;
  a->counts[order] = count;
  a->count_line[order] = sn_reader_line_no(a->r);
  a->n_all += count < INT64_MAX - a->n_all ? count : 0;
  return SN_OK;
}

static sn_status read_header(arpa *a, sn_span *line, sn_err *err) {
  bool more = true;
  do {
    SN_TRY(sn_read_line(a->r, line, &more, err));
    if (!more)
      return sn_fail(err, SN_EFORMAT,
                     "%s: no line '\\data\\': not an ARPA language model, nor "
                     "a binary one of a known kind",
                     sn_reader_name(a->r));
    *line = sn_span_trim(*line);
  } while (!sn_span_eq(*line, "\\data\\"));
  for (;;) {
    SN_TRY(sn_read_line(a->r, line, &more, err));
    if (!more)
      return sn_reader_fail(a->r, err, "the file ends within \\data\\");
    *line = sn_span_trim(*line);
    if (line->n == 0) continue;
    if (!starts_with(*line, "ngram")) break;
    SN_TRY(parse_count(a, *line, err));
  }
  if (a->order == 0)
    return sn_reader_fail(a->r, err, "expected 'ngram 1=COUNT'");
  if (a->counts[1] == 0)
    return sn_fail(err, SN_EFORMAT, "%s:%lld: the model has no words",
                   sn_reader_name(a->r), (long long)a->count_line[1]);
  return SN_OK;
}

/* ---- Sections ---- */

typedef struct fields {
  sn_span prob, words[SN_NGRAM_MAX_ORDER], backoff;
} fields;

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static sn_status split(const arpa *a, sn_span line, int32_t level, fields *f,
                       sn_err *err) {
  sn_span field[SN_NGRAM_MAX_ORDER + 3];
  int32_t n = 0;
  const char *p = line.p, *const end = line.p + line.n;
  for (;;) {
    while (p < end && is_blank(*p)) p++;
    if (p == end || n == level + 3) break;
    const char *const start = p;
    while (p < end && !is_blank(*p)) p++;
    field[n].p = start;
    field[n++].n = (size_t)(p - start);
  }
  if (n < level + 1 || n > level + 2)
    return sn_reader_fail(a->r, err,
                          "a %d-gram needs a probability, %d word%s and "
                          "perhaps a back-off, this line has %s%d fields",
                          level, level, level == 1 ? "" : "s",
                          n > level + 2 ? "more than " : "",
                          n > level + 2 ? level + 2 : n);
  if (memchr(line.p, '\0', line.n) != NULL)
    return sn_reader_fail(a->r, err, "a NUL byte within the line");
  f->prob = field[0];
  memcpy(f->words, field + 1, (size_t)level * sizeof *field);
  f->backoff.p = NULL;
  f->backoff.n = 0;
  if (n == level + 2) f->backoff = field[level + 1];
  return SN_OK;
}

static sn_status add_ngram(arpa *a, sni_builder *b, sn_span line, sn_err *err) {
  const int32_t level = b->level;
  fields f;
  SN_TRY(split(a, line, level, &f, err));
  double log10p, backoff = 0.0;
  SN_TRY(parse_log10p(a, f.prob, "probability", &log10p, err));
  if (f.backoff.p != NULL)
    SN_TRY(parse_log10p(a, f.backoff, "back-off weight", &backoff, err));
  if (log10p > 0.0) {
    a->n_positive++;
    log10p = 0.0;
  }
  if (level == a->order && level > 1 && backoff != 0.0) a->n_top_backoffs++;
  const float logp = (float)(log10p * SNI_LN10);
  const float backoff_logp = (float)(backoff * SNI_LN10);
  if (level == 1) {
    bool is_new;
    SN_TRY(sni_builder_add_word(b, f.words[0].p, f.words[0].n, logp,
                                backoff_logp, &is_new, err));
    if (!is_new)
      return sn_reader_fail(a->r, err, "the word '%.*s' occurs twice",
                            (int)f.words[0].n, f.words[0].p);
    return SN_OK;
  }
  int32_t ids[SN_NGRAM_MAX_ORDER];
  for (int32_t i = 0; i < level; i++) {
    ids[i] = sni_builder_find(b, f.words[i].p, f.words[i].n);
    if (ids[i] < 0)
      return sn_reader_fail(a->r, err,
                            "the word '%.*s' is not among the "
                            "1-grams",
                            (int)f.words[i].n, f.words[i].p);
  }
  return sni_builder_add(b, ids, logp, backoff_logp, err);
}

static sn_status end_level(arpa *a, sni_builder *b, sn_err *err) {
  const int32_t level = b->level;
  const sn_status s = sni_builder_end_level(b, err);
  if (s != SN_EFORMAT) return s;
  int64_t line = a->first_line + b->n_duplicate_at;
  for (size_t i = 0; i < a->blank_before.n; i++)
    if (a->blank_before.data[i] <= b->n_duplicate_at) line++;
  if (b->orphans.n > 0) /* they are not numbered: no line is better than a
                           wrong one */
    return sn_fail(err, s, "%s: a %d-gram occurs twice", sn_reader_name(a->r),
                   level);
  return sn_fail(err, s, "%s:%lld: this %d-gram occurs for the second time",
                 sn_reader_name(a->r), (long long)line, level);
}

/* One section, whose title is in *line; leaves the next title there. */
static sn_status read_section(arpa *a, sni_builder *b, sn_span *line,
                              sn_err *err) {
  const int32_t level = b->level;
  sn_str title = {0};
  sn_status s = sn_str_addf(&title, err, "\\%d-grams:", level);
  if (s == SN_OK && !sn_span_eq(*line, sn_str_get(&title)))
    s = sn_reader_fail(a->r, err, "expected '%s', found '%.*s'",
                       sn_str_get(&title), (int)(line->n < 40 ? line->n : 40),
                       line->p);
  sn_str_clear(&title);
  SN_TRY(s);
  a->first_line = sn_reader_line_no(a->r) + 1;
  a->blank_before.n = 0;
  int64_t n = 0;
  for (;;) {
    bool more;
    SN_TRY(sn_read_line(a->r, line, &more, err));
    if (!more)
      return sn_reader_fail(a->r, err,
                            "the file ends in section \\%d-grams: after %lld "
                            "of %lld n-grams, without \\end\\; is it "
                            "truncated?",
                            level, (long long)n, (long long)a->counts[level]);
    *line = sn_span_trim(*line);
    if (line->n == 0) {
      SN_TRY(SN_ARR_PUSH(&a->blank_before, n, err));
      continue;
    }
    if (line->p[0] == '\\' &&
        (line->p[line->n - 1] == ':' || line->p[line->n - 1] == '\\'))
      break;
    SN_TRY(add_ngram(a, b, *line, err));
    n++;
    if ((++a->n_read & 0xffff) == 0) {
      sn_log_progress(a->log, "reading", "n-grams", a->n_read, a->n_all, false);
      if (sn_log_cancelled(a->log))
        return sn_fail(err, SN_ECANCEL, "%s: interrupted",
                       sn_reader_name(a->r));
    }
  }
  if (n != a->counts[level])
    return sn_reader_fail(a->r, err,
                          "section \\%d-grams: ends after %lld n-grams, but "
                          "line %lld says %lld",
                          level, (long long)n, (long long)a->count_line[level],
                          (long long)a->counts[level]);
  return SN_OK;
}

static void report_repairs(const arpa *a, const sni_builder *b) {
  const char *const name = sn_reader_name(a->r);
  if (a->n_positive > 0)
    sn_warn(a->log, "%s: %lld probabilities above 1 were set to 1", name,
            (long long)a->n_positive);
  if (a->n_top_backoffs > 0)
    sn_warn(a->log,
            "%s: %lld back-off weights of the highest order were "
            "dropped",
            name, (long long)a->n_top_backoffs);
  if (b->n_inserted > 0)
    sn_warn(a->log,
            "%s: %lld n-grams were missing that begin longer ones; "
            "they were added with their backed-off probability",
            name, (long long)b->n_inserted);
}

static sn_status read_all(arpa *a, sni_builder *b, sn_span *line,
                          sn_ngram **out, sn_err *err) {
  const int32_t n_sections = a->order;
  while (a->order > 1 && a->counts[a->order] == 0) a->order--;
  SN_TRY(sni_builder_init(b, sn_reader_name(a->r), a->order, err));
  while (b->level <= a->order) {
    SN_TRY(read_section(a, b, line, err));
    SN_TRY(end_level(a, b, err));
  }
  for (int32_t k = a->order + 1; k <= n_sections; k++) {
    /* Empty sections of the highest orders may be there or not. */
    bool more = true;
    if (!starts_with(*line, "\\") || sn_span_eq(*line, "\\end\\")) break;
    do {
      SN_TRY(sn_read_line(a->r, line, &more, err));
      *line = sn_span_trim(*line);
    } while (more && line->n == 0);
    if (!more) return sn_reader_fail(a->r, err, "no line '\\end\\'");
  }
  if (!sn_span_eq(*line, "\\end\\"))
    return sn_reader_fail(a->r, err, "expected '\\end\\', found '%.*s'",
                          (int)(line->n < 40 ? line->n : 40), line->p);
  /* To the very end, so that a packed file's checksum is seen. */
  for (bool more = true; more;) SN_TRY(sn_read_line(a->r, line, &more, err));
  sn_log_progress(a->log, "reading", "n-grams", a->n_read, a->n_all, true);
  SN_TRY(sni_builder_take(b, out, err));
  report_repairs(a, b);
  return SN_OK;
}

sn_status sni_arpa_read(sn_reader *r, sn_log *log, sn_ngram **out,
                        sn_err *err) {
  *out = NULL;
  arpa a = {.r = r, .log = log};
  sni_builder b;
  memset(&b, 0, sizeof b);
  sn_span line;
  sn_status s = read_header(&a, &line, err);
  if (s == SN_OK) s = read_all(&a, &b, &line, out, err);
  sni_builder_clear(&b);
  SN_ARR_FREE(&a.blank_before);
  return s;
}

/* ---- Writing ---- */

static double to_log10(float logp) {
  const double v = (double)logp / SNI_LN10;
  return v < SNI_ARPA_ZERO_LOG10P ? SNI_ARPA_ZERO_LOG10P : v;
}

static sn_status write_level(sn_writer *w, const sn_ngram *lm, int32_t level,
                             sn_log *log, int64_t *n_done, int64_t n_all,
                             sn_err *err) {
  const sni_level *const l = &lm->level[level];
  SN_TRY(sn_writef(w, err, "\n\\%d-grams:\n", level));
  sni_walk walk;
  sni_walk_init(&walk, lm, level);
  sn_str text = {0};
  sn_status s = SN_OK;
  for (int64_t i = 0; i < l->n; i++) {
    sni_walk_to(&walk, i);
    sn_str_reset(&text);
    SN_TRY_GOTO(s, sn_str_addf(&text, err, "%.7g", to_log10(l->logp[i])));
    for (int32_t k = 0; k < level; k++) {
      SN_TRY_GOTO(s, sn_str_add(&text, k == 0 ? "\t" : " ", 1, err));
      SN_TRY_GOTO(s, sn_str_adds(&text, sn_ngram_word(lm, walk.words[k]), err));
    }
    if (level < lm->order)
      SN_TRY_GOTO(s,
                  sn_str_addf(&text, err, "\t%.7g", to_log10(l->backoff[i])));
    SN_TRY_GOTO(s, sn_str_add(&text, "\n", 1, err));
    SN_TRY_GOTO(s, sn_write_bytes(w, text.data, text.n, err));
    if ((++*n_done & 0xffff) == 0) {
      sn_log_progress(log, "writing", "n-grams", *n_done, n_all, false);
      if (sn_log_cancelled(log)) {
        s = sn_fail(err, SN_ECANCEL, "interrupted");
        goto fail;
      }
    }
  }
fail:
  sn_str_clear(&text);
  return s;
}

sn_status sni_arpa_write(const sn_ngram *lm, const char *path, sn_log *log,
                         sn_err *err) {
  sn_writer *w = NULL;
  SN_TRY(sn_writer_open(path, &w, err));
  sn_status s;
  int64_t n_done = 0, n_all = 0;
  SN_TRY_GOTO(s, sn_writef(w, err, "\\data\\\n"));
  for (int32_t k = 1; k <= lm->order; k++) {
    n_all += lm->level[k].n;
    SN_TRY_GOTO(
        s, sn_writef(w, err, "ngram %d=%lld\n", k, (long long)lm->level[k].n));
  }
  for (int32_t k = 1; k <= lm->order; k++)
    SN_TRY_GOTO(s, write_level(w, lm, k, log, &n_done, n_all, err));
  SN_TRY_GOTO(s, sn_writef(w, err, "\n\\end\\\n"));
  sn_log_progress(log, "writing", "n-grams", n_done, n_all, true);
  s = sn_writer_commit(w, err);
fail:
  sn_writer_destroy(w);
  return s;
}
