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
  sn_str words; /* of the current sentence, NUL behind each */
  SN_ARR(size_t) starts;
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

static sn_status check_text(const char *line, size_t n, sn_err *err) {
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

/* Puts the sentence's words into p->words and p->starts. */
static sn_status split(sn_ppl *p, const char *line, size_t n, sn_err *err) {
  sn_span rest = {line, n}, field;
  sn_str_reset(&p->words);
  p->starts.n = 0;
  bool is_ended = false;
  if (p->opts.ids) (void)sn_next_field(&rest, &field);
  while (sn_next_field(&rest, &field)) {
    if (sn_span_eq(field, "<s>") && p->starts.n == 0 && !is_ended) continue;
    if (is_ended || sn_span_eq(field, "<s>"))
      return sn_fail(err, SN_EFORMAT,
                     "%s within a sentence; write one sentence a line",
                     is_ended ? "</s>" : "<s>");
    if (sn_span_eq(field, "</s>")) {
      is_ended = true;
      continue;
    }
    SN_TRY(SN_ARR_PUSH(&p->starts, p->words.n, err));
    SN_TRY(sn_str_add(&p->words, field.p, field.n, err));
    SN_TRY(sn_str_add(&p->words, "", 1, err)); /* its NUL */
  }
  if (p->words.n > 0) fold(p->opts.fold, p->words.data, p->words.n);
  return SN_OK;
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

/* Id of a word, or of its class with ln P(word | class). */
static int32_t find_word(const sn_ppl *p, const char *word, double *in_class) {
  const sn_classes *const c = p->opts.classes;
  const int32_t member = c != NULL ? sn_symtab_finds(c->words, word) : -1;
  *in_class = 0.0;
  if (member < 0) return sn_ngram_find(p->lm, word);
  const int32_t id =
      sn_ngram_find(p->lm, sn_symtab_get(c->names, c->class_of.data[member]));
  if (id >= 0) *in_class = log(c->prob.data[member]);
  return id;
}

sn_status sn_ppl_add(sn_ppl *p, const char *line, size_t n, sn_ppl_fn *fn,
                     void *user, sn_err *err) {
  if (p->is_sorted) {
    qsort(p->oov.data, p->oov.n, sizeof *p->oov.data, by_id);
    p->is_sorted = false;
  }
  SN_TRY(check_text(line, n, err));
  SN_TRY(split(p, line, n, err));
  if (p->starts.n == 0) return SN_OK;
  sn_ppl_word w = {.sentence = p->sums.n_sentences};
  sn_ngram_state at = sn_ngram_begin(p->lm);
  for (size_t i = 0; i < p->starts.n; i++) {
    w.position = (int32_t)i;
    w.text = p->words.data + p->starts.data[i];
    double in_class;
    w.id = find_word(p, w.text, &in_class);
    w.logp = sn_ngram_score(p->lm, at, w.id, &at, &w.matched) + in_class;
    if (w.id >= 0) {
      p->sums.n_words++;
      p->sums.words_logp += w.logp;
    } else {
      SN_TRY(note_oov(p, w.text, err));
      p->sums.n_oov++;
      p->sums.oov_logp += w.logp;
    }
    if (fn != NULL) fn(user, &w);
  }
  p->sums.n_sentences++;
  w.id = sn_ngram_eos(p->lm);
  if (w.id < 0) return SN_OK;
  w.position++;
  w.text = "</s>";
  w.logp = sn_ngram_score(p->lm, at, w.id, NULL, &w.matched);
  p->sums.ends_logp += w.logp;
  if (fn != NULL) fn(user, &w);
  return SN_OK;
}

sn_status sn_ppl_add_text(sn_ppl *p, sn_reader *r, sn_ppl_fn *fn, void *user,
                          sn_err *err) {
  for (;;) {
    sn_span line;
    bool more;
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    const sn_status s = sn_ppl_add(p, line.p, line.n, fn, user, err);
    if (s != SN_OK) {
      sn_err_context(err, "%s:%lld", sn_reader_name(r),
                     (long long)sn_reader_line_no(r));
      return s;
    }
  }
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
