/* SPDX-License-Identifier: Apache-2.0 */
/* Text dictionaries.
 *
 * The whole text is taken into memory (an en-us dictionary is 3 MB), since
 * telling the format needs a look at every line: one `word(2)` far down tells
 * CMUdict from Kaldi. Then
 *   1. each line is classified (a vote for each format), unless one was asked;
 *   2. each line is split in place and added to the lexicon;
 *   3. the lexicon is grouped, and pronunciations that a word has twice are
 *      merged: sorted within the word, so that no input makes it quadratic.
 *
 * Sources: CMUdict 0.7b (head of the file) and cmudict.dict (" # comment");
 * sphinxbase/pocketsphinx dict.c (word(2), ";;" and "##"); Kaldi, "Data
 * preparation" (lexicon.txt, lexiconp.txt). */
#include "lexicon/formats.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"

enum { MAX_NAMED = 5 }; /* duplicates that are named one by one */

#define FORMAT_NAMES "auto|cmudict|kaldi|kaldi-prob|tsv"

const sn_opt sn_lex_read_opt_table[] = {
    {"format", SN_OPT_ENUM, offsetof(sn_lex_read_opts, format), 0, 0, 0,
     FORMAT_NAMES, "", "format of the text; auto tells it by content"},
    {"strip-stress", SN_OPT_BOOL, offsetof(sn_lex_read_opts, strip_stress), 0,
     0, 1, NULL, "", "drop the stress digit 0, 1 or 2 at the end of a phone"},
    SN_OPT_END};

const char *sn_lex_format_name(sn_lex_format f) {
  static const char *const names[] = {"auto", "cmudict", "kaldi", "kaldi-prob",
                                      "tsv"};
  SN_ASSERT((size_t)f < sizeof names / sizeof names[0]);
  return names[f];
}

size_t sn_lex_base_length(const char *word, size_t n) {
  if (n < 4 || word[n - 1] != ')') return n;
  size_t i = n - 1;
  while (i > 0 && word[i - 1] >= '0' && word[i - 1] <= '9') i--;
  return i >= 2 && i < n - 1 && word[i - 1] == '(' ? i - 1 : n;
}

/* ---- Lines and fields, split in place ---- */

typedef struct text {
  const char *name;
  char *p, *end; /* what is left */
  int64_t line_no;
} text;

/* The next line, NUL-terminated without its end; false when there is none. */
static bool next_line(text *t, char **line, size_t *n) {
  if (t->p >= t->end) return false;
  char *const nl = memchr(t->p, '\n', (size_t)(t->end - t->p));
  char *const stop = nl != NULL ? nl : t->end;
  *line = t->p;
  *n = (size_t)(stop - t->p);
  while (*n > 0 && (*line)[*n - 1] == '\r') --*n;
  (*line)[*n] = '\0';
  t->p = nl != NULL ? nl + 1 : t->end;
  t->line_no++;
  return true;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* The next field at *p up to a blank; NUL-terminates it. NULL at the end. */
static char *next_field(char **p) {
  char *s = *p;
  while (is_blank(*s)) s++;
  if (*s == '\0') return NULL;
  char *const field = s;
  while (*s != '\0' && !is_blank(*s)) s++;
  if (*s != '\0') *s++ = '\0';
  *p = s;
  return field;
}

static bool is_comment(const char *line) {
  return (line[0] == ';' && line[1] == ';') ||
         (line[0] == '#' && line[1] == '#');
}

/* A probability of a pronunciation. The comparison is false for NaN. */
static bool parse_prob(const char *s, size_t n, double *p) {
  return sn_parse_double((sn_span){s, n}, p) && *p > 0.0 && *p <= 1.0;
}

/* ---- 1. Telling the format ---- */

typedef struct votes {
  int64_t n_lines, n_prob, n_tab;
  bool cmudict; /* a comment or a variant suffix somewhere */
} votes;

static void classify_line(const char *line, size_t n, votes *v) {
  if (is_comment(line)) {
    v->cmudict = true;
    return;
  }
  sn_span rest = {line, n}, word, second, third;
  if (!sn_next_field(&rest, &word)) return; /* an empty line */
  v->n_lines++;
  if (memchr(line, '\t', n) != NULL) v->n_tab++;
  if (sn_lex_base_length(word.p, word.n) != word.n) v->cmudict = true;
  double p;
  if (sn_next_field(&rest, &second) && sn_next_field(&rest, &third) &&
      parse_prob(second.p, second.n, &p))
    v->n_prob++;
}

static sn_lex_format tell_format(char *data, size_t n) {
  votes v = {0};
  const char *p = data, *const end = data + n;
  while (p < end) {
    const char *const nl = memchr(p, '\n', (size_t)(end - p));
    const char *const stop = nl != NULL ? nl : end;
    classify_line(p, (size_t)(stop - p), &v);
    p = nl != NULL ? nl + 1 : end;
  }
  /* Half of the lines decide, so that a stray line is an error with its number
   * and does not turn all others into something else. */
  if (v.n_lines > 0 && 2 * v.n_prob >= v.n_lines) return SN_LEX_KALDI_PROB;
  if (v.n_lines > 0 && 2 * v.n_tab >= v.n_lines) return SN_LEX_TSV;
  return v.cmudict ? SN_LEX_CMUDICT : SN_LEX_KALDI;
}

/* ---- 2. Reading lines ---- */

typedef struct origin {
  int32_t first; /* of the pronunciation: ascending, its identity */
  int64_t line_no;
} origin;

typedef struct reading {
  text t;
  sn_lex_format format;
  bool strip_stress;
  sn_lexicon *lex;
  SN_ARR(const char *) phones; /* of the line at hand */
  SN_ARR(origin) origins;
} reading;

#define LINE_FAIL(r, err, ...) line_fail(&(r)->t, (err), __VA_ARGS__)
static sn_status line_fail(const text *t, sn_err *err, const char *fmt, ...)
    SN_PRINTF(3, 4);

static sn_status line_fail(const text *t, sn_err *err, const char *fmt, ...) {
  char msg[400];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(msg, sizeof msg, fmt, ap);
  va_end(ap);
  return sn_fail(err, SN_EFORMAT, "%s:%lld: %s", t->name, (long long)t->line_no,
                 msg);
}

static void strip_stress(char *phone) {
  const size_t n = strlen(phone);
  if (n > 1 && phone[n - 1] >= '0' && phone[n - 1] <= '2') phone[n - 1] = '\0';
}

/* Splits phones up to the end of p into r->phones. */
static sn_status take_phones(reading *r, char *p, sn_err *err) {
  r->phones.n = 0;
  char *phone;
  while ((phone = next_field(&p)) != NULL) {
    if (r->format == SN_LEX_CMUDICT && strcmp(phone, "#") == 0) break;
    if (r->strip_stress) strip_stress(phone);
    SN_TRY(SN_ARR_PUSH(&r->phones, phone, err));
  }
  return SN_OK;
}

/* word TAB phones [TAB probability]; phones and probability of one line. */
static sn_status split_tsv(reading *r, char *line, char **word, char **phones,
                           double *prob, sn_err *err) {
  char *const tab = strchr(line, '\t');
  if (tab == NULL)
    return LINE_FAIL(r, err,
                     "no TAB between word and phones (read as tsv; is it "
                     "--format=kaldi?)");
  *tab = '\0';
  *word = line;
  *phones = tab + 1;
  if (strpbrk(line, " \r") != NULL)
    return LINE_FAIL(r, err, "the word '%s' has a blank in it", line);
  char *const tab2 = strchr(*phones, '\t');
  if (tab2 == NULL) return SN_OK;
  *tab2 = '\0';
  const sn_span p = sn_span_trim(sn_span_of(tab2 + 1));
  if (p.n > 0 && !parse_prob(p.p, p.n, prob))
    return LINE_FAIL(r, err,
                     "the third field '%.*s' of word '%s' is no probability "
                     "above 0 and at most 1",
                     (int)p.n, p.p, line);
  return SN_OK;
}

/* word probability phone ... */
static sn_status split_kaldi_prob(reading *r, char **rest, const char *word,
                                  double *prob, sn_err *err) {
  const char *const p = next_field(rest);
  if (p == NULL || !parse_prob(p, strlen(p), prob))
    return LINE_FAIL(r, err,
                     "the second field '%s' of word '%s' is no probability "
                     "above 0 and at most 1 (read as kaldi-prob; is it "
                     "--format=kaldi?)",
                     p == NULL ? "" : p, word);
  return SN_OK;
}

static sn_status read_line(reading *r, char *line, size_t n, sn_err *err) {
  size_t bad;
  if (memchr(line, '\0', n) != NULL)
    return LINE_FAIL(r, err, "a NUL byte: this is no text file");
  if (!sn_utf8_valid(line, n, &bad))
    return LINE_FAIL(r, err,
                     "byte %zu (0x%02x) is not UTF-8; convert the file, for "
                     "example with iconv -f ISO-8859-1 -t UTF-8",
                     bad + 1, (unsigned)(unsigned char)line[bad]);
  if (r->format == SN_LEX_CMUDICT && is_comment(line)) return SN_OK;
  char *rest = line, *word = NULL;
  double prob = 1.0;
  if (line[strspn(line, " \t\r")] == '\0') return SN_OK;
  if (r->format == SN_LEX_TSV) {
    SN_TRY(split_tsv(r, line, &word, &rest, &prob, err));
  } else {
    word = next_field(&rest);
    if (r->format == SN_LEX_KALDI_PROB)
      SN_TRY(split_kaldi_prob(r, &rest, word, &prob, err));
  }
  if (*word == '\0') return LINE_FAIL(r, err, "the word is empty");
  if (r->format == SN_LEX_CMUDICT)
    word[sn_lex_base_length(word, strlen(word))] = '\0';
  SN_TRY(take_phones(r, rest, err));
  if (r->phones.n == 0)
    return LINE_FAIL(r, err,
                     "word '%s' has no phones; give it a pronunciation or "
                     "take the line out",
                     word);
  const origin o = {(int32_t)r->lex->phone_ids.n, r->t.line_no};
  SN_TRY(SN_ARR_PUSH(&r->origins, o, err));
  return sn_lexicon_add(r->lex, word, (float)log(prob), r->phones.data,
                        r->phones.n, err);
}

/* ---- 3. The same pronunciation twice ---- */

typedef struct keyed {
  const int32_t *ids;
  int32_t n, at; /* at: index in prons */
} keyed;

static int by_phones_then_order(const void *a, const void *b) {
  const keyed *const x = a, *const y = b;
  if (x->n != y->n) return x->n < y->n ? -1 : 1;
  for (int32_t i = 0; i < x->n; i++)
    if (x->ids[i] != y->ids[i]) return x->ids[i] < y->ids[i] ? -1 : 1;
  return x->at < y->at ? -1 : x->at > y->at;
}

static bool same_phones(const keyed *x, const keyed *y) {
  return x->n == y->n &&
         memcmp(x->ids, y->ids, (size_t)x->n * sizeof *x->ids) == 0;
}

static int by_first(const void *key, const void *elem) {
  const int32_t k = *(const int32_t *)key, f = ((const origin *)elem)->first;
  return k < f ? -1 : k > f;
}

static int64_t line_of(const reading *r, const sn_pron *p) {
  const origin *const o = bsearch(&p->first, r->origins.data, r->origins.n,
                                  sizeof *r->origins.data, by_first);
  SN_ASSERT(o != NULL);
  return o->line_no;
}

/* Marks (n_phones = -1) what word w has twice. keys has room for them all. */
static void merge_word(reading *r, int32_t w, keyed *keys, sn_log *log,
                       int64_t *n_dropped) {
  int32_t first;
  const int32_t n = sn_lexicon_prons(r->lex, w, &first);
  if (n < 2) return;
  sn_pron *const prons = r->lex->prons.data;
  for (int32_t i = 0; i < n; i++)
    keys[i] = (keyed){sn_lexicon_phones(r->lex, first + i),
                      prons[first + i].n_phones, first + i};
  qsort(keys, (size_t)n, sizeof *keys, by_phones_then_order);
  for (int32_t i = 0, kept = 0; i < n; i++) {
    if (i == 0 || !same_phones(&keys[i], &keys[kept])) {
      kept = i;
      continue;
    }
    sn_pron *const to = &prons[keys[kept].at], *const from = &prons[keys[i].at];
    if (from->logp > to->logp) to->logp = from->logp;
    if ((*n_dropped)++ < MAX_NAMED)
      sn_warn(log,
              "%s:%lld: this pronunciation of '%s' is in line %lld "
              "already; left out",
              r->t.name, (long long)line_of(r, from),
              sn_symtab_get(r->lex->words, w), (long long)line_of(r, to));
    from->n_phones = -1;
  }
}

static sn_status merge_duplicates(reading *r, sn_log *log, int64_t *n_dropped,
                                  sn_err *err) {
  sn_lexicon *const lex = r->lex;
  const int32_t n_words = sn_symtab_n(lex->words);
  size_t most = 0;
  for (int32_t w = 0; w < n_words; w++) {
    int32_t first;
    const size_t n = (size_t)sn_lexicon_prons(lex, w, &first);
    if (n > most) most = n;
  }
  keyed *const keys = sn_calloc(most, sizeof *keys);
  if (keys == NULL) return sn_fail_nomem(err, r->t.name);
  *n_dropped = 0;
  for (int32_t w = 0; w < n_words; w++) merge_word(r, w, keys, log, n_dropped);
  sn_free(keys);
  if (*n_dropped == 0) return SN_OK;
  size_t n = 0;
  for (size_t i = 0; i < lex->prons.n; i++)
    if (lex->prons.data[i].n_phones >= 0)
      lex->prons.data[n++] = lex->prons.data[i];
  lex->prons.n = n;
  if (*n_dropped > MAX_NAMED)
    sn_warn(log, "%s: %lld pronunciations in all were there twice; left out",
            r->t.name, (long long)*n_dropped);
  return sn_lexicon_group(lex, err); /* numbers the variants again */
}

/* ---- All of it ---- */

/* data[n] must be writable. */
static sn_status read_text(char *data, size_t n, const char *name,
                           const sn_lex_read_opts *opts, sn_log *log,
                           sn_lexicon *lex, sn_lex_read_stats *stats,
                           sn_err *err) {
  static const unsigned char bom[] = {0xef, 0xbb, 0xbf};
  SN_TRY(sn_lexicon_init(lex, err));
  if (n >= sizeof bom && memcmp(data, bom, sizeof bom) == 0) {
    data += sizeof bom;
    n -= sizeof bom;
  }
  reading r = {.t = {name, data, data + n, 0}, .lex = lex};
  r.strip_stress = opts->strip_stress;
  r.format = (sn_lex_format)opts->format;
  if (r.format == SN_LEX_AUTO) r.format = tell_format(data, n);
  int64_t n_dropped = 0;
  sn_status s = SN_OK;
  char *line;
  size_t len;
  while (s == SN_OK && next_line(&r.t, &line, &len))
    s = read_line(&r, line, len, err);
  if (s == SN_OK && lex->prons.n == 0)
    s = sn_fail(err, SN_EFORMAT,
                "%s: no pronunciation in it (%lld lines); expected lines of "
                "'word phone phone ...'",
                name, (long long)r.t.line_no);
  if (s == SN_OK) s = sn_lexicon_group(lex, err);
  if (s == SN_OK) s = merge_duplicates(&r, log, &n_dropped, err);
  if (s == SN_OK && stats != NULL)
    *stats = (sn_lex_read_stats){r.format, r.t.line_no, (int64_t)lex->prons.n,
                                 n_dropped};
  SN_ARR_FREE(&r.phones);
  SN_ARR_FREE(&r.origins);
  if (s != SN_OK) sn_lexicon_clear(lex);
  return s;
}

sn_status sn_lexicon_read_memory(const void *data, size_t n, const char *name,
                                 const sn_lex_read_opts *opts, sn_log *log,
                                 sn_lexicon *lex, sn_lex_read_stats *stats,
                                 sn_err *err) {
  SN_ASSERT(lex != NULL && (data != NULL || n == 0));
  sn_lex_read_opts deflt;
  sn_opt_defaults(sn_lex_read_opt_table, &deflt);
  *lex = (sn_lexicon){0};
  char *const copy = sn_strndup(data, n);
  if (copy == NULL) return sn_fail_nomem(err, name);
  const sn_status s = read_text(copy, n, name, opts != NULL ? opts : &deflt,
                                log, lex, stats, err);
  sn_free(copy);
  return s;
}

static sn_status read_all(sn_reader *r, sn_str *out, sn_err *err) {
  enum { PIECE = 1 << 16 };
  for (;;) {
    if (out->cap - out->n < PIECE) {
      const size_t want = out->cap + out->cap / 2 + 2 * PIECE;
      char *const p = sn_realloc(out->data, want, 1);
      if (p == NULL) return sn_fail_nomem(err, sn_reader_name(r));
      out->data = p;
      out->cap = want;
    }
    size_t got;
    SN_TRY(
        sn_read_some(r, out->data + out->n, out->cap - out->n - 1, &got, err));
    if (got == 0) break;
    out->n += got;
  }
  out->data[out->n] = '\0';
  return SN_OK;
}

sn_status sn_lexicon_read_text(const char *path, const sn_lex_read_opts *opts,
                               sn_log *log, sn_lexicon *lex,
                               sn_lex_read_stats *stats, sn_err *err) {
  SN_ASSERT(path != NULL && lex != NULL);
  sn_lex_read_opts deflt;
  sn_opt_defaults(sn_lex_read_opt_table, &deflt);
  *lex = (sn_lexicon){0};
  sn_reader *r = NULL;
  sn_str all = {0};
  SN_TRY(sn_reader_open(path, &r, err));
  sn_status s = read_all(r, &all, err);
  if (s == SN_OK)
    s = read_text(all.data, all.n, sn_reader_name(r),
                  opts != NULL ? opts : &deflt, log, lex, stats, err);
  sn_str_clear(&all);
  sn_reader_destroy(r);
  return s;
}

/* ---- Writing ---- */

static sn_status check_word(const char *word, sn_lex_format format,
                            sn_err *err) {
  const size_t n = strlen(word);
  if (n == 0 || strpbrk(word, " \t\r\n") != NULL)
    return sn_fail(err, SN_EARG, "word '%s' has a blank in it or is empty",
                   word);
  if (format == SN_LEX_CMUDICT &&
      (is_comment(word) || sn_lex_base_length(word, n) != n))
    return sn_fail(err, SN_EARG,
                   "word '%s' would be read back as %s from a cmudict file; "
                   "write another format",
                   word, is_comment(word) ? "a comment" : "a variant");
  return SN_OK;
}

static sn_status write_pron(sn_writer *w, const sn_lexicon *lex,
                            const sn_pron *p, sn_lex_format format,
                            sn_err *err) {
  const char *const word = sn_symtab_get(lex->words, p->word);
  SN_TRY(check_word(word, format, err));
  SN_TRY(sn_writef(w, err, "%s", word));
  if (format == SN_LEX_CMUDICT && p->variant > 1)
    SN_TRY(sn_writef(w, err, "(%d)", (int)p->variant));
  if (format == SN_LEX_KALDI_PROB)
    SN_TRY(sn_writef(w, err, " %.6g", exp((double)p->logp)));
  for (int32_t i = 0; i < p->n_phones; i++)
    SN_TRY(sn_writef(
        w, err, "%c%s", i == 0 && format == SN_LEX_TSV ? '\t' : ' ',
        sn_symtab_get(lex->phones, lex->phone_ids.data[p->first + i])));
  if (format == SN_LEX_TSV && p->logp != 0.0f)
    SN_TRY(sn_writef(w, err, "\t%.6g", exp((double)p->logp)));
  return sn_writef(w, err, "\n");
}

sn_status sn_lexicon_write_text(const sn_lexicon *lex, const char *path,
                                sn_lex_format format, sn_log *log,
                                sn_err *err) {
  SN_ASSERT(lex != NULL && path != NULL && format != SN_LEX_AUTO);
  const bool has_probs = format == SN_LEX_KALDI_PROB || format == SN_LEX_TSV;
  int64_t n_lost = 0;
  sn_writer *w = NULL;
  sn_status s = sn_writer_open(path, &w, err);
  for (size_t i = 0; s == SN_OK && i < lex->prons.n; i++) {
    s = write_pron(w, lex, &lex->prons.data[i], format, err);
    n_lost += !has_probs && lex->prons.data[i].logp != 0.0f;
  }
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  if (s == SN_OK && n_lost > 0)
    sn_warn(log,
            "%s: %lld probabilities were not written: format %s has no place "
            "for them (kaldi-prob and tsv do)",
            path, (long long)n_lost, sn_lex_format_name(format));
  return s;
}
