/* SPDX-License-Identifier: Apache-2.0 */
/* senone corpus import|split|subset: data directories from others. */
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "train/corpus.h"

/* ---- import ---- */

static int run_import(sn_cli *cli) {
  sn_corpus c = {0};
  sn_status s =
      sn_corpus_import(cli->args[0], cli->opts[0], cli->log, &c, &cli->err);
  if (s == SN_OK) s = sn_corpus_write(&c, NULL, cli->args[1], &cli->err);
  if (s == SN_OK)
    sn_info(cli->log, "%s: %zu utterances of %zu recordings", cli->args[1],
            c.utts.n, c.recs.n);
  sn_corpus_clear(&c);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_corpus_import = {
    .name = "corpus import",
    .synopsis = "[--option=value ...] SOURCE DATA_DIR",
    .summary = "make a data directory of a corpus in another form",
    .description =
        "SOURCE is a TSV manifest (a header names the columns path, and id, "
        "text, speaker, begin, end in seconds), a LibriSpeech-style tree "
        "(SPEAKER/CHAPTER/*.trans.txt beside its recordings), or Sphinx's "
        "transcription file, with its list of recordings as --fileids. Any "
        "line that can not be used ends the import with its file and number; "
        "--skip-faulty leaves such lines out, each by name.",
    .example =
        "senone corpus import "
        "--fileids=/usr/share/pocketsphinx/test/data/cards/cards.fileids "
        "/usr/share/pocketsphinx/test/data/cards/cards.transcription cards",
    .tables = {{sn_corpus_import_opt_table, sizeof(sn_corpus_import_opts)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_import};

/* ---- split, subset ---- */

/* Whether the choice depends on lengths. */
static bool wants_lengths(const sn_corpus_split_opts *o) {
  return o->hours > 0 || o->order == 2;
}

static sn_status choose(sn_cli *cli, sn_corpus *c, bool **chosen) {
  const sn_corpus_split_opts *const o = cli->opts[0];
  SN_TRY(sn_corpus_load(cli->args[0], c, &cli->err));
  if (wants_lengths(o))
    SN_TRY(sn_corpus_measure(c, SN_CORPUS_HEADERS, NULL, cli->log, &cli->err));
  *chosen = sn_calloc(c->utts.n, sizeof **chosen);
  if (*chosen == NULL) return sn_fail_nomem(&cli->err, "corpus");
  return sn_corpus_choose(c, o, *chosen, &cli->err);
}

static sn_status write_part(sn_cli *cli, const sn_corpus *c, const bool *keep,
                            const char *dir) {
  size_t n = 0;
  for (size_t i = 0; i < c->utts.n; i++) n += keep[i];
  SN_TRY(sn_corpus_write(c, keep, dir, &cli->err));
  sn_info(cli->log, "%s: %zu of %zu utterances", dir, n, c->utts.n);
  return SN_OK;
}

static int run_split(sn_cli *cli) {
  sn_corpus c = {0};
  bool *chosen = NULL;
  if (strcmp(cli->args[1], cli->args[2]) == 0)
    return sn_cli_usage(cli, "the two parts need different folders");
  sn_status s = choose(cli, &c, &chosen);
  if (s == SN_OK) s = write_part(cli, &c, chosen, cli->args[2]);
  for (size_t i = 0; s == SN_OK && i < c.utts.n; i++) chosen[i] = !chosen[i];
  if (s == SN_OK) s = write_part(cli, &c, chosen, cli->args[1]);
  sn_free(chosen);
  sn_corpus_clear(&c);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

static int run_subset(sn_cli *cli) {
  sn_corpus c = {0};
  bool *chosen = NULL;
  sn_status s = choose(cli, &c, &chosen);
  if (s == SN_OK) s = write_part(cli, &c, chosen, cli->args[1]);
  sn_free(chosen);
  sn_corpus_clear(&c);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_corpus_split = {
    .name = "corpus split",
    .synopsis = "[--option=value ...] DATA_DIR REST_DIR CHOSEN_DIR",
    .summary = "cut a corpus in two, by speaker or utterance",
    .description =
        "The speakers (or utterances, --by=utterance) of --list, or a share "
        "of them shuffled by --seed, go to CHOSEN_DIR, all others to "
        "REST_DIR. The same seed gives the same parts, whatever the order of "
        "lines in the files. To hold out speakers for development:\n\n"
        "  senone corpus split --list=dev.speakers train train-rest dev",
    .example =
        "senone corpus split --by=utterance --n=2 cards cards-train "
        "cards-dev",
    .tables = {{sn_corpus_split_opt_table, sizeof(sn_corpus_split_opts)}},
    .min_args = 3,
    .max_args = 3,
    .run = run_split};

const sn_command sn_cmd_corpus_subset = {
    .name = "corpus subset",
    .synopsis = "[--option=value ...] DATA_DIR CHOSEN_DIR",
    .summary = "a part of a corpus, by number, hours, list or speaker",
    .description =
        "As 'senone corpus split', without the rest. --per-speaker limits "
        "each chosen speaker, --hours the whole.",
    .example =
        "senone corpus subset --by=utterance --n=3 --order=shortest "
        "cards cards-short",
    .tables = {{sn_corpus_split_opt_table, sizeof(sn_corpus_split_opts)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_subset};
