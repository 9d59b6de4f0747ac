/* SPDX-License-Identifier: Apache-2.0 */
/* senone train mono, tri, lda, sat, all. */
#include "cli/cli.h"
#include "train/train.h"

static int run(sn_cli *cli, const char *stage) {
  const sn_status s = sn_train(stage, cli->args[0], cli->args[1], cli->args[2],
                               cli->opts[0], cli->log, &cli->err);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

static int run_mono(sn_cli *cli) { return run(cli, "mono"); }
static int run_tri(sn_cli *cli) { return run(cli, "tri"); }
static int run_lda(sn_cli *cli) { return run(cli, "lda"); }
static int run_sat(sn_cli *cli) { return run(cli, "sat"); }
static int run_all(sn_cli *cli) { return run(cli, NULL); }

/* The cards of pocketsphinx-testdata as a data directory. */
#define CARDS                                                      \
  "mkdir -p cards\n"                                               \
  "ls /usr/share/pocketsphinx/test/data/cards/*.wav | "            \
  "sed 's/.*\\/\\(.*\\)\\.wav/\\1 &/' > cards/wav.scp\n"           \
  "sed 's/<s> \\(.*\\) <.s> (\\(.*\\))/\\2 \\1/' "                 \
  "/usr/share/pocketsphinx/test/data/cards/cards.transcription > " \
  "cards/text\n"

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
    .example = CARDS
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
    .example = CARDS
    "senone train mono --mono-passes=5 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-tri\n"
    "senone train tri --mono-passes=5 --tri-passes=5 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-tri",
    .run = run_tri,
    COMMON};

const sn_command sn_cmd_train_lda = {
    .name = "train lda",
    .summary = "train triphones on LDA and MLLT features, from triphones",
    .description =
        "Aligns the corpus with EXP/tri, puts --lda-context frames on each "
        "side of a frame beside it, projects these vectors to --lda-dim "
        "dimensions by linear discriminant analysis (the pdfs are its "
        "classes), grows new trees, and turns the features by a maximum "
        "likelihood linear transform while the Gaussians grow. The model "
        "directory EXP/lda has the matrix, final.mat.",
    .example = CARDS
    "senone train mono --mono-passes=5 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-lda\n"
    "senone train tri --tri-passes=3 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-lda\n"
    "senone train lda --lda-passes=5 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-lda",
    .run = run_lda,
    COMMON};

const sn_command sn_cmd_train_sat = {
    .name = "train sat",
    .summary = "triphones on features adapted to each speaker",
    .description =
        "Aligns the corpus with EXP/lda, estimates an fMLLR transform for each "
        "speaker (utt2spk; else for each utterance) that has "
        "--sat-min-frames frames of speech, and trains a new tree and "
        "Gaussians over the transformed features, estimating transforms anew "
        "at passes 2, 4, 6 and 12. The model directory EXP/sat has a second "
        "set of Gaussians, am-first.bin, for a first pass without transforms.",
    .example = CARDS
    "senone train all --mono-passes=5 --tri-passes=5 --lda-passes=5 "
    "--sat-passes=5 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-sat\n"
    "rm -r exp-sat/sat\n"
    "senone train sat --sat-passes=5 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-sat",
    .run = run_sat,
    COMMON};

const sn_command sn_cmd_train_all = {
    .name = "train all",
    .summary = "train all stages: monophones, triphones, LDA+MLLT, SAT",
    .description =
        "senone train mono, then senone train tri, then senone train lda, then "
        "senone train sat.",
    .example = CARDS
    "senone train all --mono-passes=5 --tri-passes=5 cards "
    "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-all",
    .run = run_all,
    COMMON};
