/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a corpus beyond the form of its files, and the repair.
 *
 *   1. the recordings: are they there, whole, of one rate, not silent;
 *   2. the segments: within their recordings;
 *   3. the words: in the lexicon, and not more than the time allows: an HMM of
 *      three states takes at least three frames, so a phone takes 30 ms. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "score/casefold.h"
#include "train/corpus_internal.h"

#define AT(field) offsetof(sn_corpus_check_opts, field)
const sn_opt sn_corpus_check_opt_table[] = {
    {"text", SN_OPT_BOOL, AT(text), 1, 0, 1, NULL, "",
     "a missing transcript is a fault"},
    {"audio", SN_OPT_ENUM, AT(audio), 2, 0, 2, "none|headers|samples", "",
     "how far recordings are read"},
    {"min-phone", SN_OPT_DOUBLE, AT(min_phone_s), 0.03, 0, 1, NULL, "s",
     "shortest phone, for words that do not fit their time"},
    {"max-letters", SN_OPT_DOUBLE, AT(max_letters_per_s), 40, 1, 1e6, NULL,
     "letters/s", "fastest speech, where there is no lexicon"},
    {"silence-peak", SN_OPT_DOUBLE, AT(silence_peak), 4, 0, 32768, NULL,
     "16-bit steps",
     "samples that stay within so much of their middle are "
     "silence"},
    SN_OPT_END};

typedef struct check {
  sn_corpus *c;
  const sn_lexicon *lex;
  const sn_corpus_check_opts *opts;
  sn_err *err;
} check;

static sn_corpus_fault at_utt(const check *k, const sn_corpus_utt *u,
                              sn_corpus_fault_kind kind) {
  const sn_corpus_fault at = {kind, k->c->has_segments ? "segments" : "wav.scp",
                              u->line, NULL};
  return at;
}
static sn_corpus_fault at_text(const sn_corpus_utt *u,
                               sn_corpus_fault_kind kind) {
  const sn_corpus_fault at = {kind, "text", u->text_line, NULL};
  return at;
}

/* ---- Rates ---- */

/* The rate that most recordings have; the higher one of two equal counts. */
static double common_rate(const sn_corpus *c, size_t *n) {
  double best = 0;
  *n = 0;
  for (size_t i = 0; i < c->recs.n; i++) {
    const double rate = c->recs.data[i].rate_hz;
    if (rate <= 0 || rate == best) continue;
    size_t count = 0;
    for (size_t j = 0; j < c->recs.n; j++)
      count += c->recs.data[j].rate_hz == rate;
    if (count > *n || (count == *n && rate > best)) {
      best = rate;
      *n = count;
    }
    if (*n * 2 > c->recs.n) break;
  }
  return best;
}

static sn_status check_rates(const check *k) {
  sn_corpus *const c = k->c;
  size_t n = 0;
  const double most = common_rate(c, &n);
  for (size_t i = 0; i < c->recs.n; i++) {
    const sn_corpus_rec *const r = &c->recs.data[i];
    if (r->rate_hz <= 0 || r->rate_hz == most) continue;
    const sn_corpus_fault at = {SN_CORPUS_RATE, "wav.scp", r->line, NULL};
    SN_TRY(sni_corpus_fault(
        c, NULL, at, k->err,
        "'%s' has %g Hz, but %zu of %zu recordings have %g Hz; train on one "
        "rate: bring all to the lowest, or leave out the few",
        r->id, r->rate_hz, n, c->recs.n, most));
    for (size_t u = 0; u < c->utts.n; u++)
      if (c->utts.data[u].rec == (int32_t)i)
        c->utts.data[u].faults |= 1u << SN_CORPUS_RATE;
  }
  return SN_OK;
}

/* ---- Segments, silence ---- */

static sn_status check_segment(const check *k, sn_corpus_utt *u) {
  if (u->rec < 0) return SN_OK;
  const double length = k->c->recs.data[u->rec].length_s;
  if (length < 0) return SN_OK;
  if (u->begin_s >= length)
    return sni_corpus_fault(
        k->c, u, at_utt(k, u, SN_CORPUS_BEGINS_LATE), k->err,
        "'%s' begins at %g s; the recording '%s' is %.3f s long", u->id,
        u->begin_s, k->c->recs.data[u->rec].id, length);
  /* a hundredth of a second beyond the end is rounding, not an error */
  if (u->end_s > length + 0.01)
    SN_TRY(
        sni_corpus_fault(k->c, u, at_utt(k, u, SN_CORPUS_BEYOND_END), k->err,
                         "'%s' ends at %g s; the recording '%s' is %.3f s long",
                         u->id, u->end_s, k->c->recs.data[u->rec].id, length));
  if (u->peak >= 0 && (double)u->peak <= k->opts->silence_peak)
    SN_TRY(sni_corpus_fault(k->c, u, at_utt(k, u, SN_CORPUS_SILENT), k->err,
                            "'%s' is silence: no sample is further than %g of "
                            "32768 from their middle",
                            u->id, (double)u->peak));
  return SN_OK;
}

/* ---- Words ---- */

/* The same word in small or capital letters, where the lexicon has it. */
static int32_t other_case(const sn_lexicon *lex, sn_span word) {
  char s[128];
  if (word.n >= sizeof s) return -1;
  for (int upper = 0; upper < 2; upper++) {
    for (size_t i = 0; i < word.n; i++) {
      const char ch = word.p[i];
      s[i] = upper && ch >= 'a' && ch <= 'z'    ? (char)(ch - 'a' + 'A')
             : !upper && ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a')
                                                : ch;
    }
    const int32_t id = sn_symtab_find(lex->words, s, word.n);
    if (id >= 0) return id;
  }
  return -1;
}

static int32_t shortest_pron(const sn_lexicon *lex, int32_t word) {
  int32_t first = 0, best = INT32_MAX;
  const int32_t n = sn_lexicon_prons(lex, word, &first);
  for (int32_t i = first; i < first + n; i++)
    if (lex->prons.data[i].n_phones < best) best = lex->prons.data[i].n_phones;
  return n > 0 ? best : 0;
}

/* The unknown words of u as one fault; phones of the others at least. */
static sn_status check_lexicon(const check *k, sn_corpus_utt *u,
                               int64_t *n_phones) {
  sn_str unknown = {0};
  sn_span rest = sn_span_of(u->text), word;
  int32_t hint = -1;
  sn_status s = SN_OK;
  *n_phones = 0;
  while (s == SN_OK && sn_next_field(&rest, &word)) {
    const int32_t id = sn_symtab_find(k->lex->words, word.p, word.n);
    if (id >= 0) {
      *n_phones += shortest_pron(k->lex, id);
      continue;
    }
    if (hint < 0) hint = other_case(k->lex, word);
    s = sn_str_addf(&unknown, k->err, "%s'%.*s'", unknown.n > 0 ? ", " : "",
                    (int)word.n, word.p);
  }
  if (s == SN_OK && unknown.n > 0 && hint >= 0)
    s = sni_corpus_fault(k->c, u, at_text(u, SN_CORPUS_OOV), k->err,
                         "'%s': not in the lexicon: %s (it has '%s': letters "
                         "of the other case)",
                         u->id, sn_str_get(&unknown),
                         sn_symtab_get(k->lex->words, hint));
  else if (s == SN_OK && unknown.n > 0)
    s = sni_corpus_fault(k->c, u, at_text(u, SN_CORPUS_OOV), k->err,
                         "'%s': not in the lexicon: %s", u->id,
                         sn_str_get(&unknown));
  sn_str_clear(&unknown);
  return s;
}

static int64_t count_letters(const char *text) {
  int64_t n = 0;
  sn_span rest = sn_span_of(text), word;
  while (sn_next_field(&rest, &word))
    while (word.n > 0) {
      (void)sn_utf8_next(&word);
      n++;
    }
  return n;
}

static sn_status check_words(const check *k, sn_corpus_utt *u) {
  if (u->text == NULL || u->text[0] == '\0') return SN_OK;
  int64_t n_phones = 0;
  if (k->lex != NULL) SN_TRY(check_lexicon(k, u, &n_phones));
  const double length = sn_corpus_length_s(k->c, u);
  if (length < 0 || (u->faults & 1u << SN_CORPUS_BEGINS_LATE) != 0)
    return SN_OK;
  if (k->lex != NULL) {
    const double least = (double)n_phones * k->opts->min_phone_s;
    if (length >= least) return SN_OK;
    return sni_corpus_fault(k->c, u, at_text(u, SN_CORPUS_TOO_SHORT), k->err,
                            "'%s' is %.3f s long, but its words have at least "
                            "%lld phones, which take %.2f s",
                            u->id, length, (long long)n_phones, least);
  }
  const int64_t n = count_letters(u->text);
  if (length * k->opts->max_letters_per_s >= (double)n) return SN_OK;
  return sni_corpus_fault(k->c, u, at_text(u, SN_CORPUS_TOO_SHORT), k->err,
                          "'%s' is %.3f s long, but has %lld letters, more "
                          "than %g in a second",
                          u->id, length, (long long)n,
                          k->opts->max_letters_per_s);
}

sn_status sn_corpus_check(sn_corpus *c, const sn_lexicon *lex,
                          const sn_corpus_check_opts *opts, sn_pool *pool,
                          sn_log *log, sn_err *err) {
  const check k = {c, lex, opts, err};
  if (opts->text && !c->has_text) {
    const sn_corpus_fault at = {SN_CORPUS_NO_TEXT, "text", 0, NULL};
    SN_TRY(sni_corpus_fault(c, NULL, at, err,
                            "there are no transcripts (--text=no if none are "
                            "wanted)"));
  }
  if (c->utts.n == 0) {
    const sn_corpus_fault at = {
        SN_CORPUS_SYNTAX, c->has_segments ? "segments" : "wav.scp", 0, NULL};
    SN_TRY(sni_corpus_fault(c, NULL, at, err, "no utterance"));
  }
  if (opts->audio > 0) {
    const sn_corpus_depth depth =
        opts->audio == 1 ? SN_CORPUS_HEADERS : SN_CORPUS_SAMPLES;
    SN_TRY(sn_corpus_measure(c, depth, pool, log, err));
    SN_TRY(check_rates(&k));
  }
  for (size_t i = 0; i < c->utts.n; i++)
    SN_TRY(check_segment(&k, &c->utts.data[i]));
  for (size_t i = 0; i < c->utts.n; i++)
    SN_TRY(check_words(&k, &c->utts.data[i]));
  return SN_OK;
}

/* ---- Repair ---- */

/* Faults after which an utterance is of no use. */
#define BIT(name) (1u << SN_CORPUS_##name)
static const uint32_t fatal = BIT(NO_SEGMENT) | BIT(NO_TEXT) | BIT(EMPTY_TEXT) |
                              BIT(OOV) | BIT(NO_AUDIO) | BIT(RATE) |
                              BIT(BEGINS_LATE) | BIT(SILENT) | BIT(TOO_SHORT);

static sn_status write_changes(const sn_corpus *c, sn_writer *w, sn_err *err) {
  SN_TRY(sn_writef(w, err, "file\tline\tfault\tdone\twhat\n"));
  for (size_t i = 0; i < c->faults.n; i++) {
    const sn_corpus_fault *const f = &c->faults.data[i];
    SN_TRY(sn_writef(w, err, "%s\t%d\t%s\t%s\t%s\n", f->file, (int)f->line,
                     sn_corpus_fault_name(f->kind),
                     sn_corpus_fault_action(f->kind), f->text));
  }
  for (size_t i = 0; i < c->utts.n; i++) {
    const sn_corpus_utt *const u = &c->utts.data[i];
    if ((u->faults & fatal) == 0) continue;
    SN_TRY(sn_writef(w, err, "%s\t%d\tutterance\tleft out\t%s:",
                     c->has_segments ? "segments" : "wav.scp", (int)u->line,
                     u->id));
    for (int kind = 0; kind < SN_N_CORPUS_FAULTS; kind++)
      if ((u->faults & fatal & 1u << kind) != 0)
        SN_TRY(sn_writef(w, err, " %s",
                         sn_corpus_fault_name((sn_corpus_fault_kind)kind)));
    SN_TRY(sn_writef(w, err, "\n"));
  }
  return SN_OK;
}

static sn_status save_changes(const sn_corpus *c, const char *dir,
                              sn_err *err) {
  sn_writer *w = NULL;
  char *const path = sn_path_join(dir, "changes.tsv");
  if (path == NULL) return sn_fail_nomem(err, dir);
  sn_status s = sn_writer_open(path, &w, err);
  if (s == SN_OK) s = write_changes(c, w, err);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  sn_free(path);
  return s;
}

sn_status sn_corpus_fix(sn_corpus *c, const char *dir, size_t *n_kept,
                        sn_err *err) {
  bool *const keep = sn_calloc(c->utts.n, sizeof *keep);
  if (keep == NULL) return sn_fail_nomem(err, "corpus");
  size_t n = 0;
  for (size_t i = 0; i < c->utts.n; i++) {
    sn_corpus_utt *const u = &c->utts.data[i];
    keep[i] = (u->faults & fatal) == 0;
    n += keep[i];
    if (c->has_speakers && u->speaker == NULL) u->speaker = u->id;
    if ((u->faults & BIT(BEYOND_END)) != 0)
      u->end_s = c->recs.data[u->rec].length_s;
  }
  sn_status s = sn_corpus_write(c, keep, dir, err);
  if (s == SN_OK) s = save_changes(c, dir, err);
  if (n_kept != NULL) *n_kept = n;
  sn_free(keep);
  return s;
}
