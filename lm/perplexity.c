/* SPDX-License-Identifier: Apache-2.0 */
/* Perplexity of a text: log p of each word after the ones before it. A word
 * that the model lacks, and that has no <unk> to stand for it, empties the
 * history. */
#include "lm/perplexity.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/arr.h"
#include "base/mem.h"
#include "lm/classes.h"

const sn_opt sn_ppl_opt_table[] = {
    {"ids", SN_OPT_BOOL, offsetof(sn_ppl_opts, ids), 0, 0, 1, NULL, "",
     "each line begins with an utterance id (a Kaldi \"text\" file)"},
    {"fold", SN_OPT_ENUM, offsetof(sn_ppl_opts, fold), 0, 0, 2,
     "none|lower|upper", "", "change the case of ASCII letters first"},
    SN_OPT_END};

/* Sentences are scored together (sn_ngram_score_batch) once they have so many
 * tokens: enough for all lanes, little enough for the first-level cache. */
#define BATCH_TOKENS 1024u

typedef struct oov_count {
  int64_t n;
  int32_t id; /* in oov_words */
} oov_count;

struct sn_ppl {
  const sn_ngram *lm;
  sn_ppl_opts opts;
  sn_ppl_sums sums;
  sn_symtab *oov_words;
  SN_ARR(oov_count) oov; /* by id, until sorted */
  bool is_sorted;
  /* Sentences that are not scored yet: */
  sn_str words;         /* NUL behind each */
  SN_ARR(size_t) texts; /* [tokens.n] where in `words` */
  SN_ARR(sn_ngram_token) tokens;
  SN_ARR(size_t) starts; /* of each sentence, and the end; or empty */
};

sn_status sn_ppl_create(const sn_ngram *lm, const sn_ppl_opts *opts,
                        sn_ppl **out, sn_err *err) {
  *out = NULL;
  sn_ppl *const p = sn_calloc(1, sizeof *p);
  if (p == NULL) return sn_fail_nomem(err, "perplexity");
  p->lm = lm;
  if (opts != NULL) p->opts = *opts;
  const sn_status s = sn_symtab_create(&p->oov_words, err);
  if (s != SN_OK)
    sn_ppl_destroy(p);
  else
    *out = p;
  return s;
}

void sn_ppl_destroy(sn_ppl *p) {
  if (p == NULL) return;
  sn_symtab_destroy(p->oov_words);
  SN_ARR_FREE(&p->oov);
  SN_ARR_FREE(&p->starts);
  SN_ARR_FREE(&p->texts);
  SN_ARR_FREE(&p->tokens);
  sn_str_clear(&p->words);
  sn_free(p);
}

const sn_ppl_sums *sn_ppl_get_sums(const sn_ppl *p) { return &p->sums; }

static void fold(int32_t how, char *s, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (how == SN_PPL_FOLD_LOWER && s[i] >= 'A' && s[i] <= 'Z') s[i] |= 32;
    if (how == SN_PPL_FOLD_UPPER && s[i] >= 'a' && s[i] <= 'z')
      s[i] = (char)(s[i] & ~32);
  }
}

/* Whether all bytes are printable ASCII, as most lines are. */
static bool is_plain(const char *line, size_t n) {
  const uint64_t ones = UINT64_MAX / 255, tops = ones * 128;
  uint64_t odd = 0;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t b; /* eight bytes at a time */
    memcpy(&b, line + i, sizeof b);
    const uint64_t low = b & ~tops;
    /* Top bits: not ASCII; not 32 or more; 127. */
    odd |= b | ~(low + ones * (128 - 32)) | (low + ones);
  }
  bool is_odd = (odd & tops) != 0;
  for (; i < n; i++) is_odd |= line[i] < 32 || line[i] >= 127;
  return !is_odd;
}

static sn_status check_text(const char *line, size_t n, sn_err *err) {
  if (is_plain(line, n)) return SN_OK;
  size_t bad;
  if (!sn_utf8_valid(line, n, &bad))
    return sn_fail(err, SN_EFORMAT, "byte %zu of the line is not UTF-8", bad);
  for (size_t i = 0; i < n; i++) {
    const unsigned char c = (unsigned char)line[i];
    if ((c < 32 && c != '\t' && c != '\r' && c != '\n') || c == 127)
      return sn_fail(err, SN_EFORMAT,
                     "a control character (0x%02x) at byte %zu of the line", c,
                     i);
  }
  return SN_OK;
}

static sn_status add_token(sn_ppl *p, size_t at, int32_t word, sn_err *err) {
  const sn_ngram_token t = {.word = word};
  SN_TRY(SN_ARR_PUSH(&p->texts, at, err));
  return SN_ARR_PUSH(&p->tokens, t, err);
}

/* Adds a sentence to the batch, at last the sentence end where the model has
 * one. Empty lines are no sentences. The line is copied whole; its words are
 * ended with a NUL where they are. */
static sn_status split(sn_ppl *p, const char *line, size_t n, sn_err *err) {
  const size_t first = p->tokens.n, at = p->words.n;
  SN_TRY(sn_str_add(&p->words, line, n, err));
  SN_TRY(sn_str_add(&p->words, "", 1, err)); /* the last word's NUL */
  char *const copy = p->words.data + at;
  sn_span rest = {copy, n}, field;
  bool is_ended = false;
  if (p->opts.ids) (void)sn_next_field(&rest, &field);
  while (sn_next_field(&rest, &field)) {
    const bool may_be_mark = field.p[0] == '<';
    const bool is_begin = may_be_mark && sn_span_eq(field, "<s>");
    if (is_begin && p->tokens.n == first && !is_ended) continue;
    if (is_ended || is_begin)
      return sn_fail(err, SN_EFORMAT,
                     "%s within a sentence; write one sentence a line",
                     is_ended ? "</s>" : "<s>");
    if (may_be_mark && sn_span_eq(field, "</s>")) {
      is_ended = true;
      continue;
    }
    char *const word = copy + (field.p - copy);
    SN_TRY(add_token(p, at + (size_t)(word - copy), -1, err));
    word[field.n] = '\0';
    if (rest.n > 0) rest.p++, rest.n--; /* the blank that was there */
    if (p->opts.fold != SN_PPL_FOLD_NONE) fold(p->opts.fold, word, field.n);
  }
  if (p->tokens.n == first) return SN_OK;
  if (sn_ngram_eos(p->lm) >= 0) {
    SN_TRY(add_token(p, p->words.n, sn_ngram_eos(p->lm), err));
    SN_TRY(sn_str_add(&p->words, "</s>", 5, err));
  }
  return SN_ARR_PUSH(&p->starts, p->tokens.n, err);
}

/* Ids of new OOV words get a counter; counted when the sentence is. */
static sn_status note_oov(sn_ppl *p, const char *word, sn_err *err) {
  SN_ASSERT(!p->is_sorted);
  int32_t id;
  SN_TRY(sn_symtab_add(p->oov_words, word, strlen(word), &id, err));
  while (p->oov.n <= (size_t)id) {
    const oov_count c = {0, (int32_t)p->oov.n};
    SN_TRY(SN_ARR_PUSH(&p->oov, c, err));
  }
  p->oov.data[id].n++;
  return SN_OK;
}

static int by_id(const void *a, const void *b) {
  const oov_count *const x = a, *const y = b;
  return (x->id > y->id) - (x->id < y->id);
}

static int by_count(const void *a, const void *b) {
  const oov_count *const x = a, *const y = b;
  if (x->n != y->n) return x->n < y->n ? 1 : -1;
  return by_id(a, b);
}

/* Where words are classes' members: the class of each word of the batch;
 * <unk> is no word. */
static void find_others(sn_ppl *p) {
  const sn_classes *const c = p->opts.classes;
  const int32_t unk = sn_ngram_unk(p->lm);
  for (size_t i = 0; i < p->tokens.n; i++) {
    sn_ngram_token *const t = &p->tokens.data[i];
    const char *const word = sn_str_get(&p->words) + p->texts.data[i];
    const int32_t member = c != NULL ? sn_symtab_finds(c->words, word) : -1;
    if (member >= 0)
      t->word = sn_ngram_find(
          p->lm, sn_symtab_get(c->names, c->class_of.data[member]));
    else if (t->word == unk)
      t->word = -1; /* <unk> in a text is a word that was not known */
  }
}

/* ln P(word | class) of a word whose class the model has, else 0. */
static double class_logp(const sn_ppl *p, const char *word, int32_t id) {
  const sn_classes *const c = p->opts.classes;
  const int32_t member =
      c != NULL && id >= 0 ? sn_symtab_finds(c->words, word) : -1;
  return member < 0 ? 0.0 : log(c->prob.data[member]);
}

/* Checks a line and adds it to the batch; on failure the batch is as before. */
static sn_status add_line(sn_ppl *p, const char *line, size_t n, sn_err *err) {
  const size_t n_words = p->words.n, n_tokens = p->tokens.n;
  if (p->starts.n == 0) SN_TRY(SN_ARR_PUSH(&p->starts, 0, err));
  SN_TRY(check_text(line, n, err));
  const sn_status s = split(p, line, n, err);
  if (s == SN_OK) return SN_OK;
  p->words.n = n_words;
  p->tokens.n = p->texts.n = n_tokens;
  return s;
}

/* A sentence of the batch, scored, goes into the sums. */
static sn_status count_sentence(sn_ppl *p, size_t i, sn_ppl_fn *fn, void *user,
                                sn_err *err) {
  sn_ppl_word w = {.sentence = p->sums.n_sentences};
  const bool has_eos = sn_ngram_eos(p->lm) >= 0;
  const size_t end = p->starts.data[i + 1];
  for (size_t k = p->starts.data[i]; k < end; k++) {
    const sn_ngram_token *const t = &p->tokens.data[k];
    w.text = p->words.data + p->texts.data[k];
    w.id = t->word;
    w.matched = t->matched;
    w.logp = t->logp;
    const bool is_end = has_eos && k + 1 == end;
    if (!is_end) w.logp += class_logp(p, w.text, w.id);
    if (is_end) {
      p->sums.ends_logp += w.logp;
    } else if (w.id >= 0) {
      p->sums.n_words++;
      p->sums.words_logp += w.logp;
    } else {
      SN_TRY(note_oov(p, w.text, err));
      p->sums.n_oov++;
      p->sums.oov_logp += w.logp;
    }
    if (fn != NULL) fn(user, &w);
    w.position++;
  }
  p->sums.n_sentences++;
  return SN_OK;
}

/* Scores the batch and empties it. */
static sn_status flush(sn_ppl *p, sn_ppl_fn *fn, void *user, sn_err *err) {
  const size_t n = p->starts.n > 0 ? p->starts.n - 1 : 0;
  sn_status s = SN_OK;
  if (p->is_sorted && n > 0) {
    qsort(p->oov.data, p->oov.n, sizeof *p->oov.data, by_id);
    p->is_sorted = false;
  }
  if (n > 0) {
    sn_ngram_find_batch(p->lm, sn_str_get(&p->words), p->texts.data,
                        p->tokens.n, p->tokens.data);
    find_others(p);
    sn_ngram_score_batch(p->lm, p->tokens.data, p->starts.data, n);
  }
  for (size_t i = 0; i < n && s == SN_OK; i++)
    s = count_sentence(p, i, fn, user, err);
  sn_str_reset(&p->words);
  p->tokens.n = p->texts.n = p->starts.n = 0;
  return s;
}

sn_status sn_ppl_add(sn_ppl *p, const char *line, size_t n, sn_ppl_fn *fn,
                     void *user, sn_err *err) {
  SN_TRY(add_line(p, line, n, err));
  return flush(p, fn, user, err);
}

static sn_status add_lines(sn_ppl *p, sn_reader *r, sn_ppl_fn *fn, void *user,
                           sn_err *err) {
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    const sn_status s = add_line(p, line.p, line.n, err);
    if (s != SN_OK) {
      sn_err_context(err, "%s:%lld", sn_reader_name(r),
                     (long long)sn_reader_line_no(r));
      return s;
    }
    if (p->tokens.n < BATCH_TOKENS) continue;
    SN_TRY(flush(p, fn, user, err));
    if (sn_log_cancelled(p->opts.log))
      return sn_fail(err, SN_ECANCEL, "interrupted");
  }
}

sn_status sn_ppl_add_text(sn_ppl *p, sn_reader *r, sn_ppl_fn *fn, void *user,
                          sn_err *err) {
  const sn_status s = add_lines(p, r, fn, user, err);
  const sn_status rest = flush(p, fn, user, s == SN_OK ? err : NULL);
  return s != SN_OK ? s : rest;
}

double sn_ppl_compute(const sn_ppl *p, bool with_ends, bool with_oov) {
  const sn_ppl_sums *const s = &p->sums;
  const bool has_ends = with_ends && sn_ngram_eos(p->lm) >= 0;
  const int64_t n =
      s->n_words + (has_ends ? s->n_sentences : 0) + (with_oov ? s->n_oov : 0);
  double sum = s->words_logp + (has_ends ? s->ends_logp : 0.0);
  if (with_oov && s->n_oov > 0) sum += s->oov_logp;
  return n > 0 ? exp(-sum / (double)n) : (double)NAN;
}

int32_t sn_ppl_n_oov_types(const sn_ppl *p) { return (int32_t)p->oov.n; }

void sn_ppl_sort_oov(sn_ppl *p) {
  if (!p->is_sorted && p->oov.n > 0)
    qsort(p->oov.data, p->oov.n, sizeof *p->oov.data, by_count);
  p->is_sorted = true;
}

const char *sn_ppl_oov(const sn_ppl *p, int32_t i, int64_t *count) {
  SN_ASSERT(p->is_sorted && i >= 0 && (size_t)i < p->oov.n);
  if (count != NULL) *count = p->oov.data[i].n;
  return sn_symtab_get(p->oov_words, p->oov.data[i].id);
}
