/* SPDX-License-Identifier: Apache-2.0 */
/* senone train accumulate, sum, update: a pass in steps. */
#include "cli/out_file.h"
#include "train/shards.h"

static int report(sn_cli *cli, sn_status s, const sn_sums_info *i) {
  if (s != SN_OK) return sn_cli_fail(cli);
  sn_cli_print(cli,
               "shards          %lld of %lld (%lld utterances in all)\n"
               "frames          %lld\n"
               "log-likelihood  %.6f a frame\n"
               "not aligned     %lld utterances\n",
               (long long)i->n_there, (long long)i->n_shards,
               (long long)i->n_utts, (long long)i->n_aligned_frames,
               i->logp_per_frame, (long long)i->n_failed);
  return sn_cli_finish(cli, SN_EXIT_OK);
}

static int run_accumulate(sn_cli *cli) {
  sn_sums_info info;
  const sn_status s = sn_train_accumulate(
      cli->args[0], cli->args[1], cli->args[2], cli->args[3], cli->opts[0],
      cli->log, &info, &cli->err);
  return report(cli, s, &info);
}

static int run_sum(sn_cli *cli) {
  const sn_cli_out *const to = cli->opts[0];
  sn_sums_info info;
  const int wrong = sn_cli_out_check(cli, to->output, "STATISTICS ...");
  if (wrong != 0) return wrong;
  const sn_status s = sn_train_sum(to->output, (const char *const *)cli->args,
                                   cli->n_args, &info, &cli->err);
  return report(cli, s, &info);
}

static int run_update(sn_cli *cli) {
  sn_sums_info info;
  const sn_status s = sn_train_update(cli->args[0], cli->args[1], cli->args[2],
                                      cli->opts[0], cli->log, &info, &cli->err);
  return report(cli, s, &info);
}

#define CARDS                                                      \
  "mkdir -p cards\n"                                               \
  "ls /usr/share/pocketsphinx/test/data/cards/*.wav | "            \
  "sed 's/.*\\/\\(.*\\)\\.wav/\\1 &/' > cards/wav.scp\n"           \
  "sed 's/<s> \\(.*\\) <.s> (\\(.*\\))/\\2 \\1/' "                 \
  "/usr/share/pocketsphinx/test/data/cards/cards.transcription > " \
  "cards/text\n"
#define DICT "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict"
#define MONO CARDS "senone train mono --mono-passes=5 cards " DICT " exp-sums\n"
#define PART "senone train accumulate exp-sums/mono cards " DICT " cards.sums"

const sn_command sn_cmd_train_accumulate = {
    .name = "train accumulate",
    .synopsis = "[--option=value ...] MODEL DATA LEXICON OUT",
    .summary = "one pass of training: the statistics of a part of a corpus",
    .description =
        "Aligns a part of a corpus (--shard=2/3: the second of three) with a "
        "model directory of senone train, and writes the sums that update it. "
        "The parts may be made on several machines; 'senone train sum' adds "
        "their files, 'senone train update' makes the new model, which is the "
        "same, bit for bit, for any number of parts and threads.",
    .example = MONO PART,
    .tables = {{sn_accumulate_opt_table, sizeof(sn_accumulate_opts)}},
    .shorts = "j=jobs",
    .min_args = 4,
    .max_args = 4,
    .run = run_accumulate};

const sn_command sn_cmd_train_sum = {
    .name = "train sum",
    .synopsis = "STATISTICS ... -o OUT",
    .summary = "add statistics of parts of a corpus",
    .description =
        "Adds files of 'senone train accumulate'. Files of different models or "
        "corpora, and parts that are there twice, are refused by name. A sum "
        "may be of a part again.",
    .example = MONO PART "\nsenone train sum cards.sums -o all.sums",
    .tables = {{sn_cli_out_table, sizeof(sn_cli_out)}},
    .shorts = "o=output",
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run_sum};

const sn_command sn_cmd_train_update = {
    .name = "train update",
    .synopsis = "[--option=value ...] MODEL STATISTICS OUT",
    .summary = "the model that a pass's statistics make",
    .description =
        "Writes the model directory OUT: MODEL with the Gaussians, weights and "
        "transitions of greatest likelihood for the statistics, which must be "
        "of MODEL and of a whole corpus.",
    .example = MONO PART
    "\nsenone train update --gaussians=150 exp-sums/mono cards.sums exp-next",
    .tables = {{sn_update_opt_table, sizeof(sn_update_opts)}},
    .min_args = 3,
    .max_args = 3,
    .run = run_update};
