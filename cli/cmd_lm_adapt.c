/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm adapt. */
#include <string.h>

#include "base/io.h"
#include "cli/cli.h"
#include "cli/cmd_lm_save.h"
#include "lm/adapt.h"
#include "lm/class_token.h"

static const sn_opt format_table[] = {SN_CLI_LM_FORMAT_OPT, SN_OPT_END};

static void print_report(sn_cli *cli, const sn_adapt_report *r) {
  sn_cli_print(cli, "sentences\t%lld\n", (long long)r->n_sentences);
  sn_cli_print(cli, "tokens\t%lld\n", (long long)r->n_tokens);
  sn_cli_print(cli, "tokens-in-base\t%lld\n", (long long)r->n_known);
  sn_cli_print(cli, "oov\t%lld\n", (long long)r->n_oov);
  sn_cli_print(cli, "perplexity-before\t%.4f\ttokens in base\n", r->base);
  sn_cli_print(cli, "perplexity-after\t%.4f\ttokens in base\n", r->mixed_known);
  sn_cli_print(cli, "perplexity-after-all\t%.4f\tall tokens\n", r->mixed);
  sn_cli_print(cli, "weight\t%.6f\n", r->weight);
}

static int run_adapt(sn_cli *cli) {
  const sn_cli_lm_format *const o = cli->opts[0];
  sn_ngram *base = NULL, *adapted = NULL;
  sn_reader *r = NULL;
  sn_adapt_report report;
  sn_status s = sn_ngram_load(cli->args[0], cli->log, &base, &cli->err);
  if (s == SN_OK) s = sn_class_refuse_found(base, cli->args[0], &cli->err);
  if (s == SN_OK) s = sn_reader_open(cli->args[1], &r, &cli->err);
  if (s == SN_OK)
    s = sn_ngram_adapt(base, r, cli->opts[1], cli->log, &adapted, &report,
                       &cli->err);
  if (s == SN_OK) s = sn_cli_lm_save(cli, adapted, o->format, cli->args[2]);
  if (s == SN_OK && strcmp(cli->args[2], "-") == 0)
    sn_info(cli->log,
            "perplexity of the tokens in base %.4f, adapted %.4f; weight %.6f",
            report.base, report.mixed_known, report.weight);
  else if (s == SN_OK)
    print_report(cli, &report);
  sn_reader_destroy(r);
  sn_ngram_destroy(base);
  sn_ngram_destroy(adapted);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_adapt = {
    .name = "lm adapt",
    .synopsis = "[--order=N] [--folds=N] BASE TEXT OUT",
    .summary = "mix a page of domain text into a general model",
    .description =
        "Estimates a model of TEXT (one sentence a line), finds by "
        "cross-validation on TEXT how much weight it deserves beside BASE, and "
        "writes the mixture of both. Prints the perplexities before and after: "
        "every part of TEXT is scored by models and a weight of the other "
        "parts. New words of TEXT become words of OUT; they still need "
        "pronunciations. (With - for OUT the model alone is printed; --verbose "
        "tells the perplexities.)",
    .example =
        "sed 's/ *([^()]*)$//' /usr/share/pocketsphinx/test/data/librivox/"
        "transcription | senone lm adapt --folds=5 "
        "/usr/share/pocketsphinx/test/data/turtle.lm.bin - adapted.lm",
    .tables = {{format_table, sizeof(sn_cli_lm_format)},
               {sn_adapt_opt_table, sizeof(sn_adapt_opts)}},
    .min_args = 3,
    .max_args = 3,
    .run = run_adapt};
