/* SPDX-License-Identifier: Apache-2.0 */
/* senone lexicon import|export|add|remove: what changes a lexicon, or its form.
 */
#include <math.h>
#include <string.h>

#include "base/io.h"
#include "cli/cli.h"
#include "lexicon/formats.h"
#include "lexicon/store.h"

/* ---- import ---- */

typedef struct import_opts {
  const char *source;
  int32_t kind, state;
  bool new_phones;
} import_opts;

static const sn_opt import_table[] = {
    {"source", SN_OPT_STRING, offsetof(import_opts, source), 0, 0, 0, NULL,
     "NAME", "what to note as the source of the entries; default: FILE's name"},
    {"kind", SN_OPT_ENUM, offsetof(import_opts, kind), SN_SOURCE_BASE, 0, 2,
     "base|user|g2p", "", "kind of source: a dictionary, a person, a guess"},
    {"state", SN_OPT_ENUM, offsetof(import_opts, state), SN_ENTRY_APPROVED, 0,
     2, "approved|guessed|rejected", "", "state of the entries"},
    {"new-phones", SN_OPT_BOOL, offsetof(import_opts, new_phones), 0, 0, 1,
     NULL, "", "let phones in that a lexicon with entries does not have yet"},
    SN_OPT_END};

static sn_status import_lexicon(sn_cli *cli, sn_store *st, const char *path,
                                const sn_lexicon *lex,
                                const sn_lex_read_stats *read) {
  const import_opts *const o = cli->opts[0];
  const sn_import_opts io = {
      .source = (sn_source_kind)o->kind,
      .source_name = o->source != NULL ? o->source : sn_path_base(path),
      .state = (sn_entry_state)o->state,
      .new_phones = o->new_phones};
  sn_import_stats n;
  SN_TRY(sn_store_import(st, lex, &io, cli->log, &n, &cli->err));
  sn_info(cli->log,
          "%s (%s, %lld lines): %lld pronunciations added, %lld new words, "
          "%lld new phones; %lld were there already, %lld got another "
          "probability, %lld stood in the file twice",
          path, sn_lex_format_name(read->format), (long long)read->n_lines,
          (long long)n.n_added, (long long)n.n_words, (long long)n.n_phones,
          (long long)n.n_present, (long long)n.n_changed,
          (long long)read->n_duplicates);
  if (n.n_present > 0)
    sn_warn(cli->log, "%s: %lld pronunciations were in the lexicon already",
            path, (long long)n.n_present);
  return SN_OK;
}

static int run_import(sn_cli *cli) {
  sn_store *st = NULL;
  sn_status s = SN_OK;
  for (size_t i = 1; s == SN_OK && i < cli->n_args; i++) {
    /* The file is read before the store is touched or made. */
    sn_lexicon lex = {0};
    sn_lex_read_stats read;
    s = sn_lexicon_read_text(cli->args[i], cli->opts[1], cli->log, &lex, &read,
                             &cli->err);
    if (s == SN_OK && st == NULL)
      s = sn_store_open(cli->args[0], SN_STORE_CREATE, &st, &cli->err);
    if (s == SN_OK) s = import_lexicon(cli, st, cli->args[i], &lex, &read);
    sn_lexicon_clear(&lex);
  }
  sn_store_destroy(st);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lexicon_import = {
    .name = "lexicon import",
    .synopsis = "[--option=value ...] DB FILE ...",
    .summary = "put text dictionaries into a lexicon",
    .description =
        "Reads CMUdict and Sphinx dictionaries, Kaldi's lexicon.txt and "
        "lexiconp.txt, and tab-separated text, told apart by content, and adds "
        "their pronunciations to the lexicon DB (an SQLite file), which is "
        "made if it is not there. Each FILE goes in whole or not at all. "
        "Pronunciations that are there already are counted, never doubled.",
    .example =
        "senone lexicon import lexicon.db "
        "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict",
    .tables = {{import_table, sizeof(import_opts)},
               {sn_lex_read_opt_table, sizeof(sn_lex_read_opts)}},
    .min_args = 2,
    .max_args = SIZE_MAX,
    .run = run_import};

/* ---- export ---- */

typedef struct export_opts {
  int32_t format;
  const char *output;
} export_opts;

static const sn_opt export_table[] = {
    {"format", SN_OPT_ENUM, offsetof(export_opts, format), 0, 0, 3,
     "cmudict|kaldi|kaldi-prob|tsv", "", "format of the text"},
    {"output", SN_OPT_STRING, offsetof(export_opts, output), 0, 0, 0, "-",
     "FILE", "where to write; - is stdout, .gz packs"},
    SN_OPT_END};

static int run_export(sn_cli *cli) {
  const export_opts *const o = cli->opts[0];
  sn_lexicon lex = {0};
  sn_status s = sn_lexicon_load(cli->args[0], cli->log, &lex, &cli->err);
  if (s == SN_OK)
    s = sn_lexicon_write_text(&lex, o->output,
                              (sn_lex_format)(o->format + SN_LEX_CMUDICT),
                              cli->log, &cli->err);
  sn_lexicon_clear(&lex);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lexicon_export = {
    .name = "lexicon export",
    .synopsis = "[--option=value ...] LEXICON",
    .summary = "write a lexicon as text",
    .description =
        "Writes the approved and guessed pronunciations of a lexicon (or of "
        "any text dictionary: this converts one into another).",
    .example =
        "senone lexicon export --format=kaldi-prob lexicon.db "
        "--output=lexiconp.txt",
    .tables = {{export_table, sizeof(export_opts)}},
    .shorts = "o=output",
    .min_args = 1,
    .max_args = 1,
    .run = run_export};

/* ---- add ---- */

typedef struct add_opts {
  double prob;
  int32_t state;
  bool new_phones;
  const char *note;
} add_opts;

static const sn_opt add_table[] = {
    {"prob", SN_OPT_DOUBLE, offsetof(add_opts, prob), 1, 1e-30, 1, NULL, "",
     "probability of this pronunciation of the word"},
    {"state", SN_OPT_ENUM, offsetof(add_opts, state), SN_ENTRY_APPROVED, 0, 2,
     "approved|guessed|rejected", "",
     "rejected ones are kept but never used; adding one that is there with "
     "another state changes it"},
    {"new-phones", SN_OPT_BOOL, offsetof(add_opts, new_phones), 0, 0, 1, NULL,
     "", "let phones in that the lexicon does not have yet"},
    {"note", SN_OPT_STRING, offsetof(add_opts, note), 0, 0, 0, NULL, "TEXT",
     "a remark for the history"},
    SN_OPT_END};

static sn_status join(char *const *args, size_t n, sn_str *out, sn_err *err) {
  for (size_t i = 0; i < n; i++) {
    if (i > 0) SN_TRY(sn_str_adds(out, " ", err));
    SN_TRY(sn_str_adds(out, args[i], err));
  }
  return SN_OK;
}

static int run_add(sn_cli *cli) {
  const add_opts *const o = cli->opts[0];
  const char *const word = cli->args[1];
  sn_store *st = NULL;
  sn_str phones = {0};
  sn_add_result result = SN_ADD_PRESENT;
  sn_status s = join(cli->args + 2, cli->n_args - 2, &phones, &cli->err);
  if (s == SN_OK)
    s = sn_store_open(cli->args[0], SN_STORE_EDIT, &st, &cli->err);
  if (s == SN_OK) {
    const sn_store_entry e = {.word = word,
                              .phones = sn_str_get(&phones),
                              .prob = o->prob,
                              .state = (sn_entry_state)o->state,
                              .source = SN_SOURCE_USER,
                              .source_name = "senone lexicon add",
                              .score = (double)NAN,
                              .note = o->note};
    s = sn_store_add(st, &e, o->new_phones, &result, &cli->err);
  }
  sn_store_destroy(st);
  if (s == SN_OK && result == SN_ADD_PRESENT)
    sn_warn(cli->log,
            "1 duplicate: '%s' has this pronunciation already; nothing changed",
            word);
  else if (s == SN_OK)
    sn_info(cli->log, "%s: %s '%s'", word,
            result == SN_ADD_NEW ? "added" : "changed", sn_str_get(&phones));
  sn_str_clear(&phones);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lexicon_add = {
    .name = "lexicon add",
    .synopsis = "[--option=value ...] DB WORD PHONE ...",
    .summary = "add a pronunciation to a lexicon",
    .description =
        "A phone that the lexicon does not have is refused, and the nearest "
        "ones are named. Phones may stand in one argument or in several.",
    .example = "senone lexicon add lexicon.db senone S IY N OW N",
    .tables = {{add_table, sizeof(add_opts)}},
    .min_args = 3,
    .max_args = SIZE_MAX,
    .run = run_add};

/* ---- remove ---- */

typedef struct remove_opts {
  const char *note;
} remove_opts;

static const sn_opt remove_table[] = {
    {"note", SN_OPT_STRING, offsetof(remove_opts, note), 0, 0, 0, NULL, "TEXT",
     "a remark for the history"},
    SN_OPT_END};

static int run_remove(sn_cli *cli) {
  const remove_opts *const o = cli->opts[0];
  sn_store *st = NULL;
  sn_str phones = {0};
  int64_t n = 0;
  sn_status s = join(cli->args + 2, cli->n_args - 2, &phones, &cli->err);
  if (s == SN_OK)
    s = sn_store_open(cli->args[0], SN_STORE_EDIT, &st, &cli->err);
  if (s == SN_OK)
    s = sn_store_remove(st, cli->args[1],
                        cli->n_args > 2 ? sn_str_get(&phones) : NULL, o->note,
                        &n, &cli->err);
  sn_store_destroy(st);
  sn_str_clear(&phones);
  if (s != SN_OK) return sn_cli_fail(cli);
  sn_info(cli->log, "%s: %lld pronunciations removed", cli->args[1],
          (long long)n);
  return sn_cli_finish(cli, SN_EXIT_OK);
}

const sn_command sn_cmd_lexicon_remove = {
    .name = "lexicon remove",
    .synopsis = "[--note=TEXT] DB WORD [PHONE ...]",
    .summary = "remove a word, or one of its pronunciations",
    .description =
        "What was removed stays in the lexicon's history. To keep "
        "an entry without using it, add it with --state=rejected.",
    .example = "senone lexicon remove lexicon.db senone",
    .tables = {{remove_table, sizeof(remove_opts)}},
    .min_args = 2,
    .max_args = SIZE_MAX,
    .run = run_remove};
