/* SPDX-License-Identifier: Apache-2.0 */
/* senone lexicon show: entries of the pronunciation store and their history. */
#include <math.h>

#include "cli/cli.h"
#include "lexicon/store.h"

static sn_status show_entry(void *user, const sn_store_entry *e, sn_err *err) {
  (void)err;
  sn_cli_print(user, "%s\t%s\t%.6g\t%s\t%s:%s", e->word, e->phones, e->prob,
               sn_entry_state_name(e->state), sn_source_kind_name(e->source),
               e->source_name);
  if (!isnan(e->score)) sn_cli_print(user, " (score %.6g)", e->score);
  sn_cli_print(user, "\t%s\n", e->at);
  return SN_OK;
}

static sn_status show_event(void *user, const sn_store_event *e, sn_err *err) {
  (void)err;
  sn_cli_print(user, "# %s %s", e->at, e->action);
  if (e->phones != NULL) sn_cli_print(user, " '%s'", e->phones);
  sn_cli_print(user, "%s%s\n", e->note[0] != '\0' ? ": " : "", e->note);
  return SN_OK;
}

static sn_status show_word(sn_cli *cli, sn_store *st, const char *word) {
  int64_t n;
  SN_TRY(sn_store_visit(st, word, show_entry, cli, &n, &cli->err));
  SN_TRY(sn_store_history(st, word, show_event, cli, &cli->err));
  if (n > 0) return SN_OK;
  sn_str hint = {0};
  sn_status s = sn_store_nearest_words(st, word, &hint, &cli->err);
  if (s == SN_OK)
    s = sn_fail(&cli->err, SN_EARG, "%s: the lexicon has no word '%s'%s",
                cli->args[0], word, sn_str_get(&hint));
  sn_str_clear(&hint);
  return s;
}

static int run_show(sn_cli *cli) {
  sn_store *st = NULL;
  sn_status s = sn_store_open(cli->args[0], SN_STORE_READ, &st, &cli->err);
  if (s == SN_OK && cli->n_args == 1)
    s = sn_store_history(st, NULL, show_event, cli, &cli->err);
  for (size_t i = 1; s == SN_OK && i < cli->n_args; i++)
    s = show_word(cli, st, cli->args[i]);
  sn_store_destroy(st);
  if (s == SN_OK) return sn_cli_finish(cli, SN_EXIT_OK);
  return sn_cli_fail(cli);
}

const sn_command sn_cmd_lexicon_show = {
    .name = "lexicon show",
    .synopsis = "DB [WORD ...]",
    .summary = "show words with source, state and history",
    .description =
        "One line for each pronunciation: word, phones, probability, state, "
        "source, time of the last change, separated by TABs; then the word's "
        "history, in lines that begin with #. Without a word: the history of "
        "the whole lexicon.",
    .example = "senone lexicon show lexicon.db tomato",
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_show};
