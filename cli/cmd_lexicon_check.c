/* SPDX-License-Identifier: Apache-2.0 */
/* senone lexicon check: joins lexicon, language model and acoustic model. */
#include <string.h>

#include "am/am.h"
#include "base/io.h"
#include "cli/cli.h"
#include "lexicon/check.h"
#include "lexicon/store.h"
#include "lm/ngram.h"

typedef struct check_opts {
  const char *lm, *words, *phones, *model;
  bool strict;
} check_opts;

static const sn_opt check_table[] = {
    {"lm", SN_OPT_STRING, offsetof(check_opts, lm), 0, 0, 0, NULL, "FILE",
     "language model whose words are wanted"},
    {"words", SN_OPT_STRING, offsetof(check_opts, words), 0, 0, 0, NULL, "FILE",
     "wanted words: the first field of each line"},
    {"phones", SN_OPT_STRING, offsetof(check_opts, phones), 0, 0, 0, NULL,
     "FILE", "phones of the acoustic model: the first field of each line"},
    {"model", SN_OPT_STRING, offsetof(check_opts, model), 0, 0, 0, NULL, "DIR",
     "model whose phones are the phone set"},
    {"strict", SN_OPT_BOOL, offsetof(check_opts, strict), 0, 0, 1, NULL, "",
     "fail also for words of the lexicon that are not wanted"},
    SN_OPT_END};

/* Symbols that are in lists without being words or phones. */
static bool is_markup(const char *s) {
  static const char *const all[] = {"<s>",   "</s>",  "<eps>",    "<unk>",
                                    "<UNK>", "<Unk>", "<epsilon>"};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (strcmp(s, all[i]) == 0) return true;
  /* Kaldi's disambiguation symbols: #0, #1, ... */
  return s[0] == '#' && s[1] != '\0' && s[strspn(s + 1, "0123456789") + 1] == 0;
}

static sn_status add_symbol(sn_symtab *t, const char *s, sn_err *err) {
  int32_t id;
  return is_markup(s) ? SN_OK : sn_symtab_add(t, s, strlen(s), &id, err);
}

static sn_status read_list(const char *path, sn_symtab *t, sn_err *err) {
  sn_reader *r = NULL;
  sn_str word = {0};
  sn_span line, field;
  bool more = true;
  sn_status s = sn_reader_open(path, &r, err);
  while (s == SN_OK) {
    s = sn_read_line(r, &line, &more, err);
    if (s != SN_OK || !more) break;
    if (!sn_next_field(&line, &field)) continue;
    size_t bad;
    if (!sn_utf8_valid(field.p, field.n, &bad))
      s = sn_reader_fail(r, err, "byte %zu is not UTF-8", bad + 1);
    sn_str_reset(&word);
    if (s == SN_OK) s = sn_str_add(&word, field.p, field.n, err);
    if (s == SN_OK) s = add_symbol(t, sn_str_get(&word), err);
  }
  sn_str_clear(&word);
  sn_reader_destroy(r);
  return s;
}

static sn_status lm_words(const char *path, sn_log *log, sn_symtab *t,
                          sn_err *err) {
  sn_ngram *lm = NULL;
  sn_status s = sn_ngram_load(path, log, &lm, err);
  for (int32_t w = 0; s == SN_OK && w < sn_ngram_n_words(lm); w++)
    if (w != sn_ngram_bos(lm) && w != sn_ngram_eos(lm) && w != sn_ngram_unk(lm))
      s = add_symbol(t, sn_ngram_word(lm, w), err);
  sn_ngram_destroy(lm);
  return s;
}

static sn_status model_phones(const char *dir, sn_log *log, sn_symtab *t,
                              sn_err *err) {
  sn_am *am = NULL;
  sn_status s = sn_am_load(dir, log, &am, err);
  for (int32_t p = 0; s == SN_OK && p < sn_am_n_phones(am); p++)
    s = add_symbol(t, sn_am_phone(am, p), err);
  sn_am_destroy(am);
  return s;
}

/* The lists that were asked for; NULL where none was. */
static sn_status gather(sn_cli *cli, sn_symtab **wanted, sn_symtab **phones) {
  const check_opts *const o = cli->opts[0];
  sn_err *const err = &cli->err;
  if (o->lm != NULL || o->words != NULL) SN_TRY(sn_symtab_create(wanted, err));
  if (o->phones != NULL || o->model != NULL)
    SN_TRY(sn_symtab_create(phones, err));
  if (o->lm != NULL) SN_TRY(lm_words(o->lm, cli->log, *wanted, err));
  if (o->words != NULL) SN_TRY(read_list(o->words, *wanted, err));
  if (o->phones != NULL) SN_TRY(read_list(o->phones, *phones, err));
  if (o->model != NULL) SN_TRY(model_phones(o->model, cli->log, *phones, err));
  return SN_OK;
}

/* A store is looked through as a whole first. */
static sn_status load(sn_cli *cli, sn_lexicon *lex) {
  bool is_store;
  SN_TRY(sn_store_is_store(cli->args[0], &is_store, &cli->err));
  if (is_store) {
    sn_store *st = NULL;
    SN_TRY(sn_store_open(cli->args[0], SN_STORE_READ, &st, &cli->err));
    const sn_status s = sn_store_check(st, &cli->err);
    sn_store_destroy(st);
    SN_TRY(s);
  }
  return sn_lexicon_load(cli->args[0], cli->log, lex, &cli->err);
}

static sn_status print_problem(void *user, sn_lex_problem p, const char *word,
                               const char *detail, sn_err *err) {
  (void)err;
  sn_cli_print(user, "%s\t%s\t%s\n", word, sn_lex_problem_name(p), detail);
  return SN_OK;
}

static int summary(sn_cli *cli, const sn_lex_check_counts *n) {
  const check_opts *const o = cli->opts[0];
  const int64_t n_lost = n->n[SN_LEX_NO_PRON] + n->n[SN_LEX_NO_PHONE] +
                         (o->strict ? n->n[SN_LEX_NOT_WANTED] : 0);
  sn_info(cli->log,
          "%lld words of the lexicon, %lld wanted: %lld have no pronunciation, "
          "%lld only ones with phones that the model does not have (%lld more "
          "lose one of several); %lld are not wanted",
          (long long)n->n_words, (long long)n->n_wanted,
          (long long)n->n[SN_LEX_NO_PRON], (long long)n->n[SN_LEX_NO_PHONE],
          (long long)n->n[SN_LEX_LOST_PRON],
          (long long)n->n[SN_LEX_NOT_WANTED]);
  if (n_lost == 0) return sn_cli_finish(cli, SN_EXIT_OK);
  (void)sn_cli_finish(cli, SN_EXIT_OK);
  (void)sn_fail(&cli->err, SN_EMISMATCH,
                "%s: %lld words can never be recognised (named on standard "
                "output)",
                cli->args[0], (long long)n_lost);
  return sn_cli_fail(cli);
}

static int run_check(sn_cli *cli) {
  const check_opts *const o = cli->opts[0];
  if (o->lm == NULL && o->words == NULL && o->phones == NULL &&
      o->model == NULL)
    return sn_cli_usage(cli,
                        "nothing to compare with: give --lm or --words, "
                        "or --phones or --model");
  sn_symtab *wanted = NULL, *phones = NULL;
  sn_lexicon lex = {0};
  sn_lex_check_counts n = {0};
  sn_status s = gather(cli, &wanted, &phones);
  if (s == SN_OK) s = load(cli, &lex);
  if (s == SN_OK)
    s = sn_lexicon_check(&lex, phones, wanted, print_problem, cli, &n,
                         &cli->err);
  sn_lexicon_clear(&lex);
  sn_symtab_destroy(wanted);
  sn_symtab_destroy(phones);
  return s == SN_OK ? summary(cli, &n) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lexicon_check = {
    .name = "lexicon check",
    .synopsis =
        "[--lm=FILE | --words=FILE] [--phones=FILE | --model=DIR] "
        "LEXICON",
    .summary = "name every word that could never be recognised",
    .description =
        "Compares a lexicon (or a text dictionary) with the words of a "
        "language model and the phones of an acoustic model. Standard output "
        "has one line for each fault: word, kind, detail, separated by TABs. "
        "Kinds: no-pronunciation (wanted, but not in the lexicon), no-phone "
        "(every pronunciation has a phone that the model lacks), "
        "lost-pronunciation (one of several has), not-in-lm (in the lexicon, "
        "but not wanted: a large dictionary has many). Status 1 when there "
        "are words of the first two kinds, with --strict also of the last.",
    .example =
        "senone lexicon check --model=en-us "
        "--lm=/usr/share/pocketsphinx/model/en-us/en-us.lm.bin lexicon.db",
    .tables = {{check_table, sizeof(check_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_check};
