/* SPDX-License-Identifier: Apache-2.0 */
/* senone train mono, tri, all. */
#include "cli/cli.h"
#include "train/train.h"

static int end(sn_cli *cli, sn_status s) {
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

static sn_status mono(sn_cli *cli) {
  return sn_train_mono(cli->args[0], cli->args[1], cli->args[2], cli->opts[0],
                       cli->log, &cli->err);
}

static sn_status tri(sn_cli *cli) {
  return sn_train_tri(cli->args[0], cli->args[1], cli->args[2], cli->opts[0],
                      cli->log, &cli->err);
}

static int run_mono(sn_cli *cli) { return end(cli, mono(cli)); }
static int run_tri(sn_cli *cli) { return end(cli, tri(cli)); }

static int run_all(sn_cli *cli) {
  const sn_status s = mono(cli);
  return end(cli, s == SN_OK ? tri(cli) : s);
}

#define COMMON                                                                 \
  .synopsis = "[--option=value ...] DATA LEXICON EXP",                         \
  .tables = {{sn_train_opt_table, sizeof(sn_train_opts)}}, .shorts = "j=jobs", \
  .min_args = 3, .max_args = 3

const sn_command sn_cmd_train_mono = {
    .name = "train mono",
    .summary = "train monophones from scratch",
    .description =
        "Takes a data directory with text (and utt2spk: means are subtracted "
        "speaker by speaker), and a lexicon, and writes the model directory "
        "EXP/mono with a train.json: likelihood of each pass, occupancies, "
        "utterances that were left out or could not be aligned. The first pass "
        "cuts every utterance into equal parts; later ones align it with its "
        "words, pronunciations and silences being chosen as they fit. A stage "
        "that is there is not trained again. Where utterances fit the words "
        "of others as well as their own, training ends with figures, and "
        "without a model.",
    .example =
        "mkdir -p cards\n"
        "ls /usr/share/pocketsphinx/test/data/cards/*.wav | "
        "sed 's/.*\\/\\(.*\\)\\.wav/\\1 &/' > cards/wav.scp\n"
        "sed 's/<s> \\(.*\\) <.s> (\\(.*\\))/\\2 \\1/' "
        "/usr/share/pocketsphinx/test/data/cards/cards.transcription > "
        "cards/text\n"
        "senone train mono --mono-passes=5 cards "
        "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-mono",
    .run = run_mono,
    COMMON};

const sn_command sn_cmd_train_tri = {
    .name = "train tri",
    .summary = "train triphones, tied by decision trees, from monophones",
    .description =
        "Aligns the corpus with EXP/mono, grows decision trees over the "
        "phones' contexts (questions are clusters of phones, found in the "
        "data), and writes the model directory EXP/tri.",
    .example =
        "mkdir -p cards\n"
        "ls /usr/share/pocketsphinx/test/data/cards/*.wav | "
        "sed 's/.*\\/\\(.*\\)\\.wav/\\1 &/' > cards/wav.scp\n"
        "sed 's/<s> \\(.*\\) <.s> (\\(.*\\))/\\2 \\1/' "
        "/usr/share/pocketsphinx/test/data/cards/cards.transcription > "
        "cards/text\n"
        "senone train mono --mono-passes=5 cards "
        "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-tri\n"
        "senone train tri --mono-passes=5 --tri-passes=5 cards "
        "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-tri",
    .run = run_tri,
    COMMON};

const sn_command sn_cmd_train_all = {
    .name = "train all",
    .summary = "train all stages: monophones, triphones",
    .description = "senone train mono, then senone train tri.",
    .example =
        "mkdir -p cards\n"
        "ls /usr/share/pocketsphinx/test/data/cards/*.wav | "
        "sed 's/.*\\/\\(.*\\)\\.wav/\\1 &/' > cards/wav.scp\n"
        "sed 's/<s> \\(.*\\) <.s> (\\(.*\\))/\\2 \\1/' "
        "/usr/share/pocketsphinx/test/data/cards/cards.transcription > "
        "cards/text\n"
        "senone train all --mono-passes=5 --tri-passes=5 cards "
        "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-all",
    .run = run_all,
    COMMON};
