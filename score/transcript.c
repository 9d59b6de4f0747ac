/* SPDX-License-Identifier: Apache-2.0 */
/* Reading texts.
 *   1. All lines are taken into an arena (comments, ";;", and empty ones left
 *      out), and checked to be UTF-8.
 *   2. Unless a format was asked for, each line votes: trn and Sphinx lines end
 *      in "(id)" or "(id number)", ctm lines have a start and a duration as
 *      third and fourth field. Half of the lines decide, so that one bad line
 *      is named and does not turn the others into something else.
 *   3. Lines become utterances; a ctm's words are put in order of time.
 *
 * Sources: NIST SCTK, doc/infmts.htm (trn, ctm); Kaldi, "Data preparation"
 * (text); pocketsphinx_batch's -hyp output. */
#include "score/transcript.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/io.h"
#include "base/mem.h"

typedef struct text_line {
  const char *text; /* in the arena */
  size_t n;
  int64_t line_no;
} text_line;

typedef struct lines {
  sn_arena arena;
  SN_ARR(text_line) all;
} lines;

/* ---- 1. Lines ---- */

static bool is_comment(sn_span s) {
  return s.n >= 2 && s.p[0] == ';' && s.p[1] == ';';
}

static sn_status take_line(sn_reader *r, sn_span line, lines *l, sn_err *err) {
  static const unsigned char bom[] = {0xef, 0xbb, 0xbf};
  if (sn_reader_line_no(r) == 1 && line.n >= sizeof bom &&
      memcmp(line.p, bom, sizeof bom) == 0) {
    line.p += sizeof bom;
    line.n -= sizeof bom;
  }
  size_t bad;
  if (memchr(line.p, '\0', line.n) != NULL)
    return sn_reader_fail(r, err, "a NUL byte: this is no text file");
  if (!sn_utf8_valid(line.p, line.n, &bad))
    return sn_reader_fail(r, err,
                          "byte %zu (0x%02x) is not UTF-8; convert the file, "
                          "for example with iconv -f ISO-8859-1 -t UTF-8",
                          bad + 1, (unsigned)(unsigned char)line.p[bad]);
  const sn_span s = sn_span_trim(line);
  if (s.n == 0 || is_comment(s)) return SN_OK;
  const text_line t = {sn_arena_strndup(&l->arena, s.p, s.n), s.n,
                       sn_reader_line_no(r)};
  if (t.text == NULL) return sn_fail_nomem(err, sn_reader_name(r));
  return SN_ARR_PUSH(&l->all, t, err);
}

static sn_status take_lines(sn_reader *r, lines *l, sn_err *err) {
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    SN_TRY(take_line(r, line, l, err));
  }
}

/* ---- 2. Formats ---- */

/* Splits "words (id)" or "words (id number)". */
static bool split_trn(sn_span line, sn_span *words, sn_span *id) {
  if (line.n < 3 || line.p[line.n - 1] != ')') return false;
  size_t open = line.n;
  while (open > 0 && line.p[open - 1] != '(') open--;
  if (open == 0) return false;
  open--;
  if (open > 0 && strchr(" \t", line.p[open - 1]) == NULL) return false;
  sn_span inside = {line.p + open + 1, line.n - open - 2}, score, extra;
  double number;
  *words = (sn_span){line.p, open};
  if (!sn_next_field(&inside, id)) return false;
  if (!sn_next_field(&inside, &score)) return true;
  return sn_parse_double(score, &number) && !sn_next_field(&inside, &extra);
}

typedef struct ctm_fields {
  sn_span id, channel, word;
  double start, duration;
  double confidence; /* -1: none that is a probability */
} ctm_fields;

static bool split_ctm(sn_span line, ctm_fields *f) {
  sn_span start, duration, confidence;
  const bool is_ctm =
      sn_next_field(&line, &f->id) && sn_next_field(&line, &f->channel) &&
      sn_next_field(&line, &start) && sn_next_field(&line, &duration) &&
      sn_next_field(&line, &f->word) && sn_parse_double(start, &f->start) &&
      f->start == f->start && sn_parse_double(duration, &f->duration);
  if (!is_ctm) return false;
  if (!sn_next_field(&line, &confidence) ||
      !sn_parse_double(confidence, &f->confidence) ||
      !(f->confidence >= 0.0 && f->confidence <= 1.0))
    f->confidence = -1.0;
  return true;
}

static sn_trans_format tell_format(const lines *l) {
  size_t n_trn = 0, n_ctm = 0;
  for (size_t i = 0; i < l->all.n; i++) {
    const sn_span line = {l->all.data[i].text, l->all.data[i].n};
    sn_span words, id;
    ctm_fields f;
    n_trn += split_trn(line, &words, &id);
    n_ctm += split_ctm(line, &f);
  }
  if (l->all.n > 0 && 2 * n_trn >= l->all.n) return SN_TRANS_TRN;
  if (l->all.n > 0 && 2 * n_ctm >= l->all.n) return SN_TRANS_CTM;
  return SN_TRANS_KALDI;
}

/* ---- 3. Utterances ---- */

typedef struct reading {
  const lines *l;
  sn_score_words *words;
  sn_transcripts *t;
} reading;

static sn_status line_fail(const reading *r, const text_line *line, sn_err *err,
                           const char *what) {
  return sn_fail(err, SN_EFORMAT, "%s:%lld: %s: '%.60s%s'", r->t->name,
                 (long long)line->line_no, what, line->text,
                 line->n > 60 ? "..." : "");
}

/* A new utterance without words. */
static sn_status begin_utt(reading *r, sn_span id, const text_line *line,
                           sn_err *err) {
  sn_transcripts *const t = r->t;
  const int32_t old = sn_symtab_find(t->ids, id.p, id.n);
  if (old >= 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s:%lld: utterance '%.*s' is in line %lld already", t->name,
                   (long long)line->line_no, (int)id.n, id.p,
                   (long long)t->utts.data[old].line_no);
  const sn_utterance u = {line->line_no, t->word_ids.n, 0};
  int32_t new_id;
  SN_TRY(SN_ARR_RESERVE(&t->utts, t->utts.n + 1, err));
  SN_TRY(sn_symtab_add(t->ids, id.p, id.n, &new_id, err));
  return SN_ARR_PUSH(&t->utts, u, err);
}

static sn_status add_words(reading *r, sn_span text, const text_line *line,
                           sn_err *err) {
  sn_transcripts *const t = r->t;
  sn_span word;
  while (sn_next_field(&text, &word)) {
    const sn_status s = sn_score_words_add(r->words, word, &t->word_ids, err);
    if (s == SN_OK) continue;
    sn_err_context(err, "%s:%lld", t->name, (long long)line->line_no);
    return s;
  }
  sn_utterance *const u = &t->utts.data[t->utts.n - 1];
  u->n = t->word_ids.n - u->first;
  return SN_OK;
}

static sn_status read_plain(reading *r, sn_trans_format format, sn_err *err) {
  for (size_t i = 0; i < r->l->all.n; i++) {
    const text_line *const line = &r->l->all.data[i];
    sn_span text = {line->text, line->n}, words = text, id = {0};
    if (format == SN_TRANS_TRN) {
      if (!split_trn(text, &words, &id))
        return line_fail(r, line, err,
                         "expected 'word ... (utterance)' or 'word ... "
                         "(utterance score)'");
    } else if (sn_next_field(&text, &id)) {
      words = text;
    }
    SN_TRY(begin_utt(r, id, line, err));
    SN_TRY(add_words(r, words, line, err));
  }
  return SN_OK;
}

typedef struct ctm_word {
  ctm_fields f;
  int32_t utt;
  const text_line *line;
} ctm_word;

static int by_utt_start_line(const void *a, const void *b) {
  const ctm_word *const x = a, *const y = b;
  if (x->utt != y->utt) return x->utt < y->utt ? -1 : 1;
  if (x->f.start != y->f.start) return x->f.start < y->f.start ? -1 : 1;
  return x->line->line_no < y->line->line_no
             ? -1
             : x->line->line_no > y->line->line_no;
}

static bool same_span(sn_span a, sn_span b) {
  return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Splits each line, and gives utterances their numbers in order of first
 * appearance (in the symbol table `seen`). */
static sn_status split_ctm_lines(reading *r, sn_symtab *seen, ctm_word *w,
                                 sn_err *err) {
  for (size_t i = 0; i < r->l->all.n; i++) {
    const text_line *const line = &r->l->all.data[i];
    w[i].line = line;
    if (!split_ctm((sn_span){line->text, line->n}, &w[i].f))
      return line_fail(r, line, err,
                       "expected 'utterance channel start duration word "
                       "[confidence]'");
    if (w[i].f.word.p[0] == '<' && w[i].f.word.n >= 4 &&
        memcmp(w[i].f.word.p, "<ALT", 4) == 0)
      return line_fail(r, line, err, "alternatives are not supported");
    SN_TRY(sn_symtab_add(seen, w[i].f.id.p, w[i].f.id.n, &w[i].utt, err));
  }
  return SN_OK;
}

/* The marks of the words that a line of a ctm has added. */
static sn_status add_marks(reading *r, const ctm_fields *f, sn_err *err) {
  const sn_conf_word mark = {f->confidence, f->duration,
                             sn_conf_letters(f->word)};
  while (r->t->marks.n < r->t->word_ids.n)
    SN_TRY(SN_ARR_PUSH(&r->t->marks, mark, err));
  return SN_OK;
}

static sn_status read_ctm(reading *r, sn_err *err) {
  const size_t n = r->l->all.n;
  sn_symtab *seen = NULL;
  ctm_word *const w = sn_calloc(n, sizeof *w);
  if (w == NULL) return sn_fail_nomem(err, r->t->name);
  sn_status s = sn_symtab_create(&seen, err);
  if (s == SN_OK) s = split_ctm_lines(r, seen, w, err);
  if (s == SN_OK) qsort(w, n, sizeof *w, by_utt_start_line);
  for (size_t i = 0; s == SN_OK && i < n; i++) {
    const bool is_new = i == 0 || w[i].utt != w[i - 1].utt;
    if (is_new)
      s = begin_utt(r, w[i].f.id, w[i].line, err);
    else if (!same_span(w[i].f.channel, w[i - 1].f.channel))
      s = line_fail(r, w[i].line, err,
                    "an utterance has one channel, this is its second; score "
                    "each channel by itself");
    if (s == SN_OK) s = add_words(r, w[i].f.word, w[i].line, err);
    if (s == SN_OK) s = add_marks(r, &w[i].f, err);
  }
  sn_symtab_destroy(seen);
  sn_free(w);
  return s;
}

static sn_status read_lines(sn_reader *r, sn_trans_format format,
                            sn_score_words *words, lines *l,
                            sn_transcripts *out, sn_err *err) {
  SN_TRY(take_lines(r, l, err));
  if (l->all.n == 0)
    return sn_fail(err, SN_EFORMAT,
                   "%s: no utterance in it; expected lines of 'utt-id word "
                   "...', 'word ... (utt-id)' or ctm",
                   out->name);
  if (format == SN_TRANS_AUTO) format = tell_format(l);
  reading rd = {.l = l, .words = words, .t = out};
  return format == SN_TRANS_CTM ? read_ctm(&rd, err)
                                : read_plain(&rd, format, err);
}

static sn_status read_all(sn_reader *r, sn_trans_format format,
                          sn_score_words *words, sn_transcripts *out,
                          sn_err *err) {
  SN_ASSERT(words != NULL && out != NULL);
  lines l = {0};
  *out = (sn_transcripts){0};
  out->name = sn_strdup(sn_reader_name(r));
  sn_status s = out->name == NULL ? sn_fail_nomem(err, "transcripts")
                                  : sn_symtab_create(&out->ids, err);
  if (s == SN_OK) s = read_lines(r, format, words, &l, out, err);
  sn_arena_clear(&l.arena);
  SN_ARR_FREE(&l.all);
  if (s != SN_OK) sn_transcripts_clear(out);
  return s;
}

sn_status sn_transcripts_read(const char *path, sn_trans_format format,
                              sn_score_words *words, sn_transcripts *out,
                              sn_err *err) {
  *out = (sn_transcripts){0};
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = read_all(r, format, words, out, err);
  sn_reader_destroy(r);
  return s;
}

sn_status sn_transcripts_read_memory(const void *data, size_t n,
                                     const char *name, sn_trans_format format,
                                     sn_score_words *words, sn_transcripts *out,
                                     sn_err *err) {
  *out = (sn_transcripts){0};
  sn_reader *r = NULL;
  SN_TRY(sn_reader_memory(data, n, name, &r, err));
  const sn_status s = read_all(r, format, words, out, err);
  sn_reader_destroy(r);
  return s;
}

void sn_transcripts_clear(sn_transcripts *t) {
  if (t == NULL) return;
  sn_free(t->name);
  sn_symtab_destroy(t->ids);
  SN_ARR_FREE(&t->utts);
  SN_ARR_FREE(&t->word_ids);
  SN_ARR_FREE(&t->marks);
  *t = (sn_transcripts){0};
}

const int32_t *sn_transcripts_words(const sn_transcripts *t, int32_t u,
                                    size_t *n) {
  SN_ASSERT(u >= 0 && (size_t)u < t->utts.n);
  static const int32_t none[1];
  *n = t->utts.data[u].n;
  return *n == 0 ? none : t->word_ids.data + t->utts.data[u].first;
}

/* ---- Speakers ---- */

/* speaker[u] stays -1 for an utterance that the file does not have. */
static sn_status read_utt2spk(sn_reader *r, const sn_transcripts *t,
                              sn_symtab *speakers, int32_t *speaker,
                              sn_err *err) {
  for (;;) {
    sn_span line, id, name, extra;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    if (!sn_next_field(&line, &id)) continue;
    if (!sn_next_field(&line, &name) || sn_next_field(&line, &extra))
      return sn_reader_fail(r, err, "expected 'utterance speaker'");
    const int32_t u = sn_symtab_find(t->ids, id.p, id.n);
    if (u < 0) continue; /* the list may be of a larger set */
    if (speaker[u] >= 0)
      return sn_reader_fail(r, err, "utterance '%.*s' has a speaker already",
                            (int)id.n, id.p);
    SN_TRY(sn_symtab_add(speakers, name.p, name.n, &speaker[u], err));
  }
}

sn_status sn_speakers_read(const char *path, const sn_transcripts *t,
                           sn_symtab **speakers, sn_arr_i32 *of, sn_err *err) {
  SN_ASSERT(path != NULL && t != NULL && speakers != NULL && of != NULL);
  *speakers = NULL;
  *of = (sn_arr_i32){0};
  sn_reader *r = NULL;
  sn_status s = sn_symtab_create(speakers, err);
  if (s == SN_OK) s = SN_ARR_RESIZE(of, t->utts.n, err);
  if (s == SN_OK) s = sn_reader_open(path, &r, err);
  for (size_t u = 0; s == SN_OK && u < of->n; u++) of->data[u] = -1;
  if (s == SN_OK) s = read_utt2spk(r, t, *speakers, of->data, err);
  for (size_t u = 0; s == SN_OK && u < of->n; u++)
    if (of->data[u] < 0)
      s = sn_fail(err, SN_EMISMATCH, "%s: no speaker for utterance '%s' of %s",
                  path, sn_symtab_get(t->ids, (int32_t)u), t->name);
  sn_reader_destroy(r);
  if (s != SN_OK) {
    sn_symtab_destroy(*speakers);
    *speakers = NULL;
    SN_ARR_FREE(of);
  }
  return s;
}

sn_status sn_speakers_of_ids(const sn_transcripts *t, sn_symtab **speakers,
                             sn_arr_i32 *of, sn_err *err) {
  SN_ASSERT(t != NULL && speakers != NULL && of != NULL);
  *speakers = NULL;
  *of = (sn_arr_i32){0};
  sn_status s = sn_symtab_create(speakers, err);
  if (s == SN_OK) s = SN_ARR_RESIZE(of, t->utts.n, err);
  for (size_t u = 0; s == SN_OK && u < t->utts.n; u++) {
    const char *const id = sn_symtab_get(t->ids, (int32_t)u);
    const char *end = strchr(id, '-');
    if (end == NULL) end = strchr(id, '_');
    const size_t n = end == NULL ? strlen(id) : (size_t)(end - id);
    s = sn_symtab_add(*speakers, id, n, &of->data[u], err);
  }
  if (s != SN_OK) {
    sn_symtab_destroy(*speakers);
    *speakers = NULL;
    SN_ARR_FREE(of);
  }
  return s;
}
