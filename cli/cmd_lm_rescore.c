/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm rescore. */
#include <stdint.h>

#include "base/io.h"
#include "cli/cli.h"
#include "cli/cmd_lm_save.h"
#include "lm/class_token.h"
#include "lm/nbest.h"

static sn_status rescore(sn_cli *cli, const sn_ngram *lm) {
  sn_nbest *n = NULL;
  ((sn_nbest_opts *)cli->opts[0])->log = cli->log;
  SN_TRY(sn_nbest_create(lm, cli->opts[0], &n, &cli->err));
  sn_status s = SN_OK;
  for (size_t i = 1; (i < cli->n_args || i == 1) && s == SN_OK; i++) {
    sn_reader *r = NULL;
    s = sn_reader_open(i < cli->n_args ? cli->args[i] : "-", &r, &cli->err);
    if (s == SN_OK) s = sn_nbest_add_text(n, r, &cli->err);
    sn_reader_destroy(r);
  }
  if (s == SN_OK) s = sn_nbest_rank(n, &cli->err);
  const sn_nbest_opts *const o = cli->opts[0];
  if (s == SN_OK && sn_nbest_n(n) == 0)
    sn_warn(cli->log, "there are no hypotheses");
  for (int64_t i = 0; s == SN_OK && i < sn_nbest_n(n); i++) {
    const sn_nbest_entry *const e = sn_nbest_get(n, i);
    if (o->best && e->rank > 0) continue;
    if (o->best)
      sn_cli_print(cli, "%s%s%s\n", e->id, e->words[0] != '\0' ? " " : "",
                   e->words);
    else
      sn_cli_print(cli, "%s\t%.6f\t%.6f\t%.6f\t%d\t%s\n", e->id, e->total,
                   e->score, e->lm_logp, e->n_oov, e->words);
  }
  if (s == SN_OK && sn_nbest_n_oov(n) > 0) {
    sn_warn(cli->log, "%lld words of the hypotheses are unknown to the model",
            (long long)sn_nbest_n_oov(n));
    s = sn_cli_lm_warn_classes(
        cli, cli->args[0], lm,
        "members that are no words of their own are unknown; make it a model "
        "of words with senone lm expand");
  }
  sn_nbest_destroy(n);
  return s;
}

static int run_rescore(sn_cli *cli) {
  sn_ngram *lm = NULL;
  sn_status s = sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err);
  if (s == SN_OK) s = sn_class_refuse_found(lm, cli->args[0], &cli->err);
  if (s == SN_OK) s = rescore(cli, lm);
  sn_ngram_destroy(lm);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_rescore = {
    .name = "lm rescore",
    .synopsis =
        "[--lm-weight=W] [--word-penalty=P] [--oov-logp=L] LM [NBEST ...]",
    .summary = "order n-best lists anew with an n-gram model",
    .description =
        "NBEST has a hypothesis a line: utterance, score, words, separated by "
        "TABs. The score is a natural log, larger is better (acoustic, or all "
        "that is to be kept). The total is score + W * log p(words) + P * "
        "number of words. Prints utterance, total, score, log p, unknown "
        "words, words; best first, utterances in order of their first lines.",
    .example =
        "printf 'u1\\t-10\\tgo forward\\nu1\\t-9.5\\tgo four ward\\n' | senone "
        "lm "
        "rescore /usr/share/pocketsphinx/test/data/turtle.lm.bin",
    .tables = {{sn_nbest_opt_table, sizeof(sn_nbest_opts)}},
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_rescore};
