/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm vocab, lm random. */
#include <stdint.h>
#include <string.h>

#include "base/io.h"
#include "cli/cli.h"
#include "lexicon/lexicon.h"
#include "lm/ngram.h"
#include "lm/sample.h"
#include "lm/word_count.h"

typedef struct vocab_opts {
  double min_count, top, coverage;
  const char *lexicon, *cover;
  bool counts;
} vocab_opts;

static const sn_opt vocab_table[] = {
    {"min-count", SN_OPT_DOUBLE, offsetof(vocab_opts, min_count), 1, 1, 1e15,
     NULL, "", "words that occur at least that often"},
    {"top", SN_OPT_DOUBLE, offsetof(vocab_opts, top), 0, 0, 1e9, NULL, "words",
     "at most that many, the most frequent; 0: no limit"},
    {"lexicon", SN_OPT_STRING, offsetof(vocab_opts, lexicon), 0, 0, 0, "", "",
     "only words of this lexicon (.db), or that begin a line of this "
     "dictionary "
     "or word list"},
    {"cover", SN_OPT_STRING, offsetof(vocab_opts, cover), 0, 0, 0, "", "",
     "held-out text: as few words as reach --coverage of it"},
    {"coverage", SN_OPT_DOUBLE, offsetof(vocab_opts, coverage), 0.98, 0, 1,
     NULL, "", "share of the held-out text's words"},
    {"counts", SN_OPT_BOOL, offsetof(vocab_opts, counts), 0, 0, 1, NULL, "",
     "print counts behind the words"},
    SN_OPT_END};

static sn_status read_texts(sn_cli *cli, sn_word_count *c) {
  sn_text_source *t = NULL;
  sn_status s = sn_text_source_create(cli->opts[1], &t, &cli->err);
  for (size_t i = 0; (i < cli->n_args || i == 0) && s == SN_OK; i++) {
    sn_reader *r = NULL;
    s = sn_reader_open(cli->n_args > 0 ? cli->args[i] : "-", &r, &cli->err);
    if (s == SN_OK) s = sn_word_count_add_text(c, t, r, &cli->err);
    sn_reader_destroy(r);
  }
  if (s == SN_OK) sn_text_report(t, cli->log);
  sn_text_source_destroy(t);
  return s;
}

/* A lexicon database's words, a line each. */
static sn_status list_words(sn_cli *cli, const char *path, sn_str *out) {
  sn_lexicon lex = {0};
  sn_status s = sn_lexicon_load(path, cli->log, &lex, &cli->err);
  for (int32_t w = 0; s == SN_OK && w < sn_symtab_n(lex.words); w++) {
    s = sn_str_adds(out, sn_symtab_get(lex.words, w), &cli->err);
    if (s == SN_OK) s = sn_str_add(out, "\n", 1, &cli->err);
  }
  sn_lexicon_clear(&lex);
  return s;
}

/* A lexicon (.db) or a text. */
static sn_status open_list(sn_cli *cli, const char *path, sn_str *text,
                           sn_reader **out) {
  const size_t n = strlen(path);
  if (n < 3 || strcmp(path + n - 3, ".db") != 0)
    return sn_reader_open(path, out, &cli->err);
  SN_TRY(list_words(cli, path, text));
  return sn_reader_memory(sn_str_get(text), text->n, path, out, &cli->err);
}

static sn_status keep_listed(sn_cli *cli, sn_word_count *c, const char *path) {
  sn_reader *r = NULL;
  sn_str text = {0};
  int64_t n_types = 0, n_tokens = 0;
  sn_status s = open_list(cli, path, &text, &r);
  if (s == SN_OK)
    s = sn_word_count_keep_listed(c, r, &n_types, &n_tokens, &cli->err);
  sn_reader_destroy(r);
  sn_str_clear(&text);
  if (s == SN_OK && n_types > 0)
    sn_warn(cli->log, "%lld words (%lld occurrences) are not in %s",
            (long long)n_types, (long long)n_tokens, path);
  return s;
}

static sn_status print_vocab(sn_cli *cli, sn_word_count *c) {
  const vocab_opts *const o = cli->opts[0];
  sn_word_count_sort(c);
  int32_t n = sn_word_count_n(c);
  if (o->cover[0] != '\0') {
    sn_reader *r = NULL;
    double reached = 0.0;
    SN_TRY(sn_reader_open(o->cover, &r, &cli->err));
    const sn_status s =
        sn_word_count_cover(c, r, o->coverage, &n, &reached, &cli->err);
    sn_reader_destroy(r);
    SN_TRY(s);
    if (reached < o->coverage)
      sn_warn(cli->log, "all %d words cover %.4f of %s", n, reached, o->cover);
    else
      sn_info(cli->log, "%d words cover %.4f of %s", n, reached, o->cover);
  }
  if (o->top > 0.0 && (double)n > o->top) n = (int32_t)o->top;
  int64_t n_tokens = 0;
  int32_t i = 0;
  for (; i < n; i++) {
    int64_t count;
    const char *const word = sn_word_count_get(c, i, &count);
    if ((double)count < o->min_count) break;
    n_tokens += count;
    if (o->counts)
      sn_cli_print(cli, "%s\t%lld\n", word, (long long)count);
    else
      sn_cli_print(cli, "%s\n", word);
  }
  sn_info(cli->log, "%d of %d words; %lld of %lld occurrences", i,
          sn_word_count_n(c), (long long)n_tokens,
          (long long)sn_word_count_total(c));
  return SN_OK;
}

static int run_vocab(sn_cli *cli) {
  const vocab_opts *const o = cli->opts[0];
  if (o->cover[0] == '\0' && sn_cli_is_given(cli, "coverage"))
    return sn_cli_usage(cli, "--coverage without --cover: of which text?");
  sn_word_count *c = NULL;
  sn_status s = sn_word_count_create(cli->log, &c, &cli->err);
  if (s == SN_OK) s = read_texts(cli, c);
  if (s == SN_OK && sn_word_count_n(c) == 0)
    s = sn_fail(&cli->err, SN_EFORMAT, "%s: no words in it",
                cli->n_args == 1  ? cli->args[0]
                : cli->n_args > 1 ? "the texts"
                                  : "standard input");
  if (s == SN_OK && o->lexicon[0] != '\0') s = keep_listed(cli, c, o->lexicon);
  if (s == SN_OK) s = print_vocab(cli, c);
  sn_word_count_destroy(c);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_vocab = {
    .name = "lm vocab",
    .synopsis =
        "[--min-count=N] [--top=N] [--lexicon=FILE] [--cover=TEXT] [TEXT ...]",
    .summary = "choose a vocabulary",
    .description =
        "Prints the words of the texts (standard input when none is given), "
        "most frequent first, words with the same count in order of their "
        "bytes. The conditions can be combined: a word must meet all of them. "
        "Repeated words of the lexicon count once.",
    .example =
        "sed 's/ *([^()]*)$//' /usr/share/pocketsphinx/test/data/librivox/"
        "transcription | senone lm vocab --top=5 --counts",
    .tables = {{vocab_table, sizeof(vocab_opts)},
               {sn_text_opt_table, sizeof(sn_text_opts)}},
    .max_args = SIZE_MAX,
    .run = run_vocab};

/* ---- random ---- */

typedef struct random_opts {
  double n, seed, max_words;
  bool unk;
} random_opts;

static const sn_opt random_table[] = {
    {"n", SN_OPT_DOUBLE, offsetof(random_opts, n), 10, 0, 1e12, NULL,
     "sentences", "how many"},
    {"seed", SN_OPT_DOUBLE, offsetof(random_opts, seed), 1, 0, 9e15, NULL, "",
     "equal seeds give equal text"},
    {"max-words", SN_OPT_DOUBLE, offsetof(random_opts, max_words), 1000, 1, 1e9,
     NULL, "words", "a sentence that gets so long is cut, and counted"},
    {"unk", SN_OPT_BOOL, offsetof(random_opts, unk), 0, 0, 1, NULL, "",
     "<unk> may come, where the model has it"},
    SN_OPT_END};

static int run_random(sn_cli *cli) {
  const random_opts *const o = cli->opts[0];
  sn_ngram *lm = NULL;
  sn_sampler *sampler = NULL;
  int64_t n_cut = 0;
  sn_status s = sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err);
  if (s == SN_OK)
    s = sn_sampler_create(lm, (uint64_t)o->seed, &sampler, &cli->err);
  if (s == SN_OK) sn_sampler_set_unk(sampler, o->unk);
  for (int64_t i = 0; i < (int64_t)o->n && s == SN_OK; i++) {
    sn_sampler_begin(sampler);
    for (int64_t k = 0;; k++) {
      const int32_t w = sn_sampler_next(sampler);
      if (w < 0) break;
      if (k >= (int64_t)o->max_words) {
        n_cut++;
        break;
      }
      sn_cli_print(cli, "%s%s", k > 0 ? " " : "", sn_ngram_word(lm, w));
    }
    sn_cli_print(cli, "\n");
    if (sn_log_cancelled(cli->log))
      s = sn_fail(&cli->err, SN_ECANCEL, "interrupted");
  }
  if (n_cut > 0)
    sn_warn(cli->log, "%lld sentences were cut after %.0f words",
            (long long)n_cut, o->max_words);
  sn_sampler_destroy(sampler);
  sn_ngram_destroy(lm);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_random = {
    .name = "lm random",
    .synopsis = "[--n=N] [--seed=S] LM",
    .summary = "random sentences of an n-gram model",
    .description =
        "Draws each word from the model's distribution after the words before "
        "it, without <s>, until </s>.",
    .example =
        "senone lm random --n=3 "
        "/usr/share/pocketsphinx/test/data/turtle.lm.bin",
    .tables = {{random_table, sizeof(random_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_random};
