/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm convert, prune, info. */
#include <math.h>
#include <string.h>

#include "base/io.h"
#include "cli/cli.h"
#include "cli/cmd_lm_save.h"
#include "lm/class_token.h"
#include "lm/ngram.h"

/* ---- convert ---- */

static const sn_opt convert_table[] = {SN_CLI_LM_FORMAT_OPT, SN_CLI_LM_BITS_OPT,
                                       SN_OPT_END};

static int run_convert(sn_cli *cli) {
  const int wrong = sn_cli_lm_format_check(cli, cli->opts[0]);
  if (wrong != 0) return wrong;
  sn_ngram *lm = NULL;
  sn_status s = sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err);
  if (s == SN_OK) s = sn_cli_lm_save_as(cli, lm, cli->opts[0], cli->args[1]);
  sn_ngram_destroy(lm);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_convert = {
    .name = "lm convert",
    .synopsis = "[--format=arpa|binary|fast|small] IN OUT",
    .summary = "change the format of an n-gram model",
    .description =
        "Reads ARPA (also gzipped; - is standard input), Sphinx binaries "
        "(.lm.bin) or Senone's binaries, and writes ARPA or a binary, which "
        "opens in milliseconds: binary (exact), fast (exact, with a hash table "
        "for queries), small (bit-packed, weights quantised). What had to be "
        "repaired in IN is said "
        "with its count.",
    .example =
        "senone lm convert /usr/share/pocketsphinx/model/en-us/en-us.lm.bin "
        "en-us.arpa.gz",
    .tables = {{convert_table, sizeof(sn_cli_lm_format)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_convert};

/* ---- prune ---- */

typedef struct prune_opts {
  double threshold;
  double n_grams; /* 0: by threshold */
  int32_t method;
} prune_opts;

static const sn_opt prune_table[] = {
    {"threshold", SN_OPT_DOUBLE, offsetof(prune_opts, threshold), 1e-7, 0, 1e9,
     NULL, "", "growth of perplexity that leaving out one n-gram may cause"},
    {"n-grams", SN_OPT_DOUBLE, offsetof(prune_opts, n_grams), 0, 0, 4e9, NULL,
     "n-grams", "keep the best that many, over all orders; 0: use threshold"},
    {"method", SN_OPT_ENUM, offsetof(prune_opts, method), 0, 0, 1,
     "refit|stolcke", "",
     "refit: right for Kneser-Ney too, what stays gets new probabilities (and "
     "rare n-grams of a whole such model better ones first); stolcke: as in "
     "the "
     "paper of 1998"},
    SN_OPT_END};
static const sn_opt prune_format_table[] = {SN_CLI_LM_FORMAT_OPT,
                                            SN_CLI_LM_BITS_OPT, SN_OPT_END};

static sn_status prune(sn_cli *cli, const sn_ngram *lm, sn_ngram **out) {
  const prune_opts *const o = cli->opts[0];
  if (o->n_grams <= 0.0)
    return sn_ngram_prune(lm, o->threshold, (sn_prune_method)o->method,
                          cli->log, out, &cli->err);
  double threshold = 0.0;
  SN_TRY(sn_ngram_prune_to(lm, (int64_t)o->n_grams, (sn_prune_method)o->method,
                           cli->log, &threshold, out, &cli->err));
  sn_info(cli->log, "--threshold=%g gives this model", threshold);
  return SN_OK;
}

static int run_prune(sn_cli *cli) {
  const prune_opts *const o = cli->opts[0];
  const int wrong = sn_cli_lm_format_check(cli, cli->opts[1]);
  if (wrong != 0) return wrong;
  if (o->n_grams > 0.0 && sn_cli_is_given(cli, "threshold"))
    return sn_cli_usage(cli, "either --n-grams or --threshold");
  sn_ngram *lm = NULL, *pruned = NULL;
  sn_status s = sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err);
  if (s == SN_OK) {
    sn_cli_lm_report(cli, cli->args[0], lm);
    s = prune(cli, lm, &pruned);
  }
  sn_ngram_destroy(lm);
  if (s == SN_OK)
    s = sn_cli_lm_save_as(cli, pruned, cli->opts[1], cli->args[1]);
  sn_ngram_destroy(pruned);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_prune = {
    .name = "lm prune",
    .synopsis = "[--threshold=X | --n-grams=N] IN OUT",
    .summary = "leave out the n-grams that matter least",
    .description =
        "Entropy pruning (Stolcke 1998): an n-gram goes when backing off "
        "instead changes the model's perplexity by less than the threshold; "
        "with --n-grams the threshold is found that keeps exactly that many. "
        "Words never go. Back-off weights are computed anew, and the result "
        "sums to one for each history.",
    .example =
        "senone lm prune --n-grams=500000 "
        "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin en-us-500k.lm.bin",
    .tables = {{prune_table, sizeof(prune_opts)},
               {prune_format_table, sizeof(sn_cli_lm_format)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_prune};

/* ---- info ---- */

typedef struct info_opts {
  double n_sums;
} info_opts;

static const sn_opt info_table[] = {
    {"sums", SN_OPT_DOUBLE, offsetof(info_opts, n_sums), 0, 0, 1e6, NULL,
     "histories",
     "add up the probabilities after the empty history and that many others"},
    SN_OPT_END};

static sn_status print_sums(sn_cli *cli, const sn_ngram *lm, double n_sums) {
  const sn_ngram_state empty = {0, 0};
  sn_cli_print(cli, "sum-empty-history\t%.6f\n", sn_ngram_sum(lm, empty));
  double least = INFINITY, most = -INFINITY;
  const int64_t n = (int64_t)n_sums;
  const int32_t n_levels = sn_ngram_order(lm) - 1;
  for (int64_t i = 0; i < n && n_levels > 0; i++) {
    if (sn_log_cancelled(cli->log))
      return sn_fail(&cli->err, SN_ECANCEL, "interrupted");
    sn_ngram_state h = {1 + (int32_t)(i % n_levels), 0};
    const int64_t n_nodes = sn_ngram_count(lm, h.level);
    if (n_nodes == 0) continue;
    h.node = (int64_t)((double)n_nodes * (double)i / (double)n);
    const double sum = sn_ngram_sum(lm, h);
    least = fmin(least, sum);
    most = fmax(most, sum);
  }
  if (most >= least)
    sn_cli_print(cli, "sum-least\t%.6f\nsum-most\t%.6f\n", least, most);
  return SN_OK;
}

static int run_info(sn_cli *cli) {
  const info_opts *const o = cli->opts[0];
  sn_ngram *lm = NULL;
  if (sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err) != SN_OK)
    return sn_cli_fail(cli);
  sn_cli_print(cli, "file\t%s\n", cli->args[0]);
  sn_cli_print(cli, "order\t%d\n", sn_ngram_order(lm));
  sn_cli_print(cli, "words\t%d\n", sn_ngram_n_words(lm));
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
    sn_cli_print(cli, "%d-grams\t%lld\n", k, (long long)sn_ngram_count(lm, k));
  const int32_t special[] = {sn_ngram_bos(lm), sn_ngram_eos(lm),
                             sn_ngram_unk(lm)};
  static const char *const names[] = {"sentence-start", "sentence-end",
                                      "unknown-word"};
  for (size_t i = 0; i < 3; i++)
    sn_cli_print(cli, "%s\t%s\n", names[i],
                 special[i] < 0 ? "none" : sn_ngram_word(lm, special[i]));
  int32_t n_classes = 0;
  for (int32_t w = 0; w < sn_ngram_n_words(lm); w++)
    n_classes += sn_class_token(sn_ngram_word(lm, w)) != SN_CLASS_NONE;
  sn_cli_print(cli, "classes\t%d\n", n_classes);
  const sn_status s = o->n_sums > 0.0 ? print_sums(cli, lm, o->n_sums) : SN_OK;
  sn_ngram_destroy(lm);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_info = {
    .name = "lm info",
    .synopsis = "[--sums=N] LM",
    .summary = "what an n-gram model holds, and whether it is sound",
    .description =
        "Reads the whole model, so a damaged file is noticed and its fault "
        "named. --sums adds up probabilities: a proper model gives 1 after "
        "each history.",
    .example =
        "senone lm info --sums=100 "
        "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin",
    .tables = {{info_table, sizeof(info_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_info};
