/* SPDX-License-Identifier: Apache-2.0 */
/* Counting the n-grams of the highest order.
 *
 * Hash table: open addressing; a slot holds 32 bits of the hash and the number
 * of a record, so that probes that miss seldom touch a record. Records lie one
 * after the other in the sorter's array, which is sorted in place when it is
 * full: no second copy. Cost: one probe a word, about 0.1 us, while the table
 * is larger than the caches. */
#include "lm/count.h"

#include <string.h>

#include "base/mem.h"
#include "lm/classes.h"
#include "lm/count_internal.h"

#define FIRST_SLOTS 4096u
#define MAX_LOAD 0.8
/* Share of the memory for the hash table and its records; the rest is for
 * words, buffers and what the heap loses. */
#define TABLE_SHARE 0.85
#define WORD_BYTES 64 /* of the symbol table for a word, beside its letters */
#define MAX_LISTED 10

const sn_opt sn_count_opt_table[] = {
    {"order", SN_OPT_INT, offsetof(sn_count_opts, order), 3, 1,
     SN_NGRAM_MAX_ORDER, NULL, "words", "length of the longest n-grams"},
    {"memory", SN_OPT_DOUBLE, offsetof(sn_count_opts, memory_mb), 1024, 1, 1e7,
     NULL, "MiB", "for n-grams and words; what does not fit goes to --temp"},
    {"temp", SN_OPT_STRING, offsetof(sn_count_opts, temp), 0, 0, 0, "/tmp", "",
     "folder of temporary files"},
    {"vocab", SN_OPT_STRING, offsetof(sn_count_opts, vocab), 0, 0, 0, "", "",
     "file with a word a line; all others are counted as <unk>"},
    SN_OPT_END};

static sn_status add_word(sn_counts *c, const char *s, size_t n, int32_t *id,
                          sn_err *err) {
  const int32_t before = sn_symtab_n(c->words);
  SN_TRY(sn_symtab_add(c->words, s, n, id, err));
  if (*id == before) c->vocab_bytes += (int64_t)n + WORD_BYTES;
  return SN_OK;
}

int32_t sni_counts_member(const sn_counts *c, sn_span *word) {
  const sn_classes *const classes = c->opts.classes;
  if (classes == NULL) return -1;
  const int32_t member = sn_symtab_find(classes->words, word->p, word->n);
  if (member >= 0)
    *word = sn_span_of(
        sn_symtab_get(classes->names, classes->class_of.data[member]));
  return member;
}

/* Words of classes are none of their own. */
static sn_status read_vocab(sn_counts *c, sn_reader *r, sn_err *err) {
  sn_str names = {0};
  int64_t n_twice = 0;
  sn_status s = SN_OK;
  for (;;) {
    sn_span line, word;
    bool more;
    SN_TRY_GOTO(s, sn_read_line(r, &line, &more, err));
    if (!more) break;
    size_t bad;
    if (!sn_utf8_valid(line.p, line.n, &bad) ||
        memchr(line.p, '\0', line.n) != NULL)
      SN_TRY_GOTO(s, sn_reader_fail(r, err, "the line is not UTF-8 text"));
    if (!sn_next_field(&line, &word) || sni_counts_member(c, &word) >= 0)
      continue;
    const int32_t before = sn_symtab_n(c->words);
    int32_t id;
    SN_TRY_GOTO(s, add_word(c, word.p, word.n, &id, err));
    if (id < before && id > (int32_t)SNI_EOS && n_twice++ < MAX_LISTED)
      SN_TRY_GOTO(s,
                  sn_str_addf(&names, err, " '%.*s' (line %lld)", (int)word.n,
                              word.p, (long long)sn_reader_line_no(r)));
  }
  if (sn_symtab_n(c->words) <= (int32_t)SNI_EOS + 1)
    s = sn_fail(err, SN_EFORMAT, "%s: the vocabulary has no words",
                sn_reader_name(r));
  if (n_twice > 0)
    sn_warn(c->log, "%s: %lld words occur again and count once:%s%s",
            sn_reader_name(r), (long long)n_twice, sn_str_get(&names),
            n_twice > MAX_LISTED ? " ..." : "");
fail:
  sn_str_clear(&names);
  return s;
}

static sn_status load_vocab(sn_counts *c, sn_err *err) {
  static const char *const special[] = {"<unk>", "<s>", "</s>"};
  int32_t id;
  for (size_t i = 0; i < 3; i++)
    SN_TRY(add_word(c, special[i], strlen(special[i]), &id, err));
  if (c->opts.vocab == NULL || c->opts.vocab[0] == '\0') return SN_OK;
  const sn_classes *const classes = c->opts.classes;
  for (int32_t k = 0; classes != NULL && k < sn_symtab_n(classes->names); k++) {
    const char *const name = sn_symtab_get(classes->names, k);
    SN_TRY(add_word(c, name, strlen(name), &id, err));
  }
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(c->opts.vocab, &r, err));
  const sn_status s = read_vocab(c, r, err);
  sn_reader_destroy(r);
  c->is_closed = true;
  return s;
}

sn_status sn_counts_create(const sn_count_opts *opts, sn_log *log,
                           sn_counts **out, sn_err *err) {
  *out = NULL;
  sn_counts *const c = sn_calloc(1, sizeof *c);
  if (c == NULL) return sn_fail_nomem(err, "counts");
  c->opts = *opts;
  c->log = log;
  sni_sorter_init(&c->sorter, opts->order, SNI_BY_SUFFIX, 0, opts->temp);
  sn_status s = sn_symtab_create(&c->words, err);
  if (s == SN_OK) s = load_vocab(c, err);
  if (s != SN_OK)
    sn_counts_destroy(c);
  else
    *out = c;
  return s;
}

void sn_counts_destroy(sn_counts *c) {
  if (c == NULL) return;
  sn_symtab_destroy(c->words);
  sni_sorter_clear(&c->sorter);
  sn_free(c->slots);
  SN_ARR_FREE(&c->ids);
  sn_free(c);
}

sn_count_totals sn_counts_get_totals(const sn_counts *c) { return c->totals; }
int64_t sn_counts_n_outside(const sn_counts *c) { return c->n_outside; }
int32_t sn_counts_n_words(const sn_counts *c) { return sn_symtab_n(c->words); }

/* ---- The hash table ---- */

static uint32_t hash_of(const uint32_t *words, int32_t n) {
  uint64_t h = UINT64_C(0x9E3779B97F4A7C15);
  for (int32_t i = 0; i < n; i++) {
    h = (h ^ words[i]) * UINT64_C(0xD6E8FEB86659FD93);
    h ^= h >> 32;
  }
  return (uint32_t)(h * UINT64_C(0xD6E8FEB86659FD93) >> 32);
}

/* Records that n_slots slots may serve within the budget. */
static size_t room_for(const sn_counts *c, size_t n_slots) {
  const double budget =
      c->opts.memory_mb * 1048576.0 * TABLE_SHARE - (double)c->vocab_bytes;
  const double record_bytes = (double)(c->sorter.width * sizeof(uint32_t));
  const double by_memory =
      (budget - (double)n_slots * sizeof(uint64_t)) / record_bytes;
  const double by_load = (double)n_slots * MAX_LOAD;
  const double room = by_memory < by_load ? by_memory : by_load;
  if (room < 64.0) return 64;
  return room < 4e9 ? (size_t)room : (size_t)4000000000u;
}

static sn_status grow_slots(sn_counts *c, size_t n_slots, sn_err *err) {
  uint64_t *const slots = sn_calloc(n_slots, sizeof *slots);
  if (slots == NULL) return sn_fail_nomem(err, "n-grams; give less --memory");
  const size_t mask = n_slots - 1;
  for (size_t i = 0; i < c->n_slots; i++) {
    if (c->slots[i] == 0) continue;
    size_t at = (size_t)(c->slots[i] >> 32) & mask;
    while (slots[at] != 0) at = (at + 1) & mask;
    slots[at] = c->slots[i];
  }
  sn_free(c->slots);
  c->slots = slots;
  c->n_slots = n_slots;
  c->sorter.limit = room_for(c, n_slots);
  return SN_OK;
}

/* The table is full: a larger one, or a run on disk. */
static sn_status make_room(sn_counts *c, sn_err *err) {
  const size_t n = c->sorter.n;
  if (c->n_slots == 0) return grow_slots(c, FIRST_SLOTS, err);
  if (c->n_slots < UINT32_MAX / 2 && room_for(c, 2 * c->n_slots) > n + n / 8)
    return grow_slots(c, 2 * c->n_slots, err);
  c->sorter.max_id = (uint32_t)sn_symtab_n(c->words);
  SN_TRY(sni_sorter_spill(&c->sorter, err));
  memset(c->slots, 0, c->n_slots * sizeof *c->slots);
  c->sorter.limit = room_for(c, c->n_slots);
  if (c->sorter.limit < c->sorter.cap) c->sorter.limit = c->sorter.cap;
  return SN_OK;
}

sn_status sni_counts_add(sn_counts *c, const uint32_t *words, int64_t count,
                         sn_err *err) {
  sni_sorter *const s = &c->sorter;
  if (s->n >= s->limit || c->n_slots == 0) SN_TRY(make_room(c, err));
  const size_t n = (size_t)s->n_words, mask = c->n_slots - 1;
  const uint32_t hash = hash_of(words, s->n_words);
  size_t at = hash & mask;
  for (; c->slots[at] != 0; at = (at + 1) & mask) {
    if (c->slots[at] >> 32 != hash) continue;
    uint32_t *const r = s->data + (uint32_t)(c->slots[at] - 1) * s->width;
    size_t i = n;
    while (i > 0 && r[i - 1] == words[i - 1]) i--;
    if (i > 0) continue;
    sni_count_set(r + n, sni_count_get(r + n) + count);
    return SN_OK;
  }
  uint32_t *r;
  SN_TRY(sni_sorter_push(s, &r, err));
  memcpy(r, words, n * sizeof *r);
  sni_count_set(r + n, count);
  c->slots[at] = (uint64_t)hash << 32 | s->n;
  return SN_OK;
}

/* ---- Text ---- */

static sn_status push_id(sn_counts *c, sn_span word, sn_err *err) {
  int32_t id;
  const int32_t member = sni_counts_member(c, &word);
  if (member >= 0) c->opts.classes->count.data[member]++;
  if (c->is_closed) {
    id = sn_symtab_find(c->words, word.p, word.n);
    if (id < 0) {
      id = (int32_t)SNI_UNK;
      c->n_outside++;
    }
  } else {
    SN_TRY(add_word(c, word.p, word.n, &id, err));
  }
  return SN_ARR_PUSH(&c->ids, (uint32_t)id, err);
}

static sn_status add_sentence(sn_counts *c, const sn_span *words, size_t n,
                              sn_err *err) {
  const size_t pad = (size_t)c->opts.order - 1;
  c->ids.n = 0;
  SN_TRY(SN_ARR_RESERVE(&c->ids, n + pad + 1, err));
  for (size_t i = 0; i < pad; i++) c->ids.data[c->ids.n++] = SNI_BOS;
  for (size_t i = 0; i < n; i++) SN_TRY(push_id(c, words[i], err));
  SN_TRY(SN_ARR_PUSH(&c->ids, SNI_EOS, err));
  for (size_t i = 0; i <= n; i++)
    SN_TRY(sni_counts_add(c, c->ids.data + i, 1, err));
  c->totals.n_sentences++;
  c->totals.n_words += (int64_t)n;
  return SN_OK;
}

sn_status sn_counts_add_text(sn_counts *c, sn_text_source *t, sn_reader *r,
                             sn_err *err) {
  SN_ASSERT(!c->is_finished);
  for (;;) {
    const sn_span *words;
    size_t n;
    SN_TRY(sn_text_next(t, r, &words, &n, err));
    if (n == 0) return SN_OK;
    SN_TRY(add_sentence(c, words, n, err));
    if ((c->totals.n_sentences & 0xfff) != 0) continue;
    sn_log_progress(c->log, "counting", "sentences", c->totals.n_sentences, 0,
                    false);
    if (sn_log_cancelled(c->log))
      return sn_fail(err, SN_ECANCEL, "%s: interrupted", sn_reader_name(r));
  }
}

sn_status sni_counts_finish(sn_counts *c, sn_err *err) {
  SN_ASSERT(!c->is_finished);
  c->is_finished = true;
  sn_free(c->slots);
  c->slots = NULL;
  c->n_slots = 0;
  sni_sorter *const s = &c->sorter;
  s->max_id = (uint32_t)sn_symtab_n(c->words);
  sn_log_progress(c->log, "counting", "sentences", c->totals.n_sentences,
                  c->totals.n_sentences, true);
  /* Adding up needs room for the lower orders beside these. */
  double bytes = (double)c->vocab_bytes;
  for (size_t w = 3; w <= s->width; w++) bytes += 4.0 * (double)(w * s->n);
  if (s->runs.n == 0 && bytes > 0.9 * c->opts.memory_mb * 1048576.0)
    SN_TRY(sni_sorter_spill(s, err));
  s->limit = (size_t)(c->opts.memory_mb * 1048576.0 / 8.0) / (4 * s->width);
  SN_TRY(sni_sorter_finish(s, c->log, err));
  if (s->n_spilled_runs > 0)
    sn_info(c->log, "%lld sorted runs were written to '%s'",
            (long long)s->n_spilled_runs, c->opts.temp);
  return SN_OK;
}
