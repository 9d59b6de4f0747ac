/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm classes, lm expand. */
#include "base/io.h"
#include "cli/cli.h"
#include "cli/cmd_lm_count.h"
#include "cli/cmd_lm_save.h"
#include "lm/classes.h"

/* ---- classes ---- */

/* Memory, vocabulary and the like as everywhere, without the order. */
typedef struct text_opts {
  double memory_mb;
  const char *temp, *vocab;
} text_opts;

static const sn_opt text_table[] = {
    {"memory", SN_OPT_DOUBLE, offsetof(text_opts, memory_mb), 1000, 1, 1e7,
     NULL, "MiB", "for counting; more goes to temporary files"},
    {"temp", SN_OPT_STRING, offsetof(text_opts, temp), 0, 0, 0, "/tmp", "",
     "folder for temporary files"},
    {"vocab", SN_OPT_STRING, offsetof(text_opts, vocab), 0, 0, 0, "", "",
     "only these words, one a line; others are in no class"},
    SN_OPT_END};

static int run_classes(sn_cli *cli) {
  const sn_cli_out *const to = cli->opts[3];
  const text_opts *const o = cli->opts[1];
  int wrong = sn_cli_out_check(cli, to->output, "[TEXT ...]");
  if (wrong == 0) wrong = sn_cli_count_check(cli);
  if (wrong != 0) return wrong;
  const sn_count_opts count = {2, o->memory_mb, o->temp, o->vocab, NULL};
  sn_counts *c = NULL;
  sn_classes classes = {0};
  sn_cluster_report r;
  sn_status s = sn_cli_count_inputs(cli, to->output, &count, cli->opts[2], &c);
  if (s == SN_OK)
    s = sn_classes_cluster(c, cli->opts[0], cli->log, &classes, &r, &cli->err);
  if (s == SN_OK) s = sn_classes_save(&classes, to->output, &cli->err);
  if (s == SN_OK)
    sn_info(cli->log,
            "%d words in %d classes; %lld moves in %d passes; perplexity of "
            "the text under the class bigram %.4f, at first %.4f",
            r.n_words, r.n_classes, (long long)r.n_moves, r.n_iterations,
            r.after, r.before);
  sn_classes_clear(&classes);
  sn_counts_destroy(c);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_classes = {
    .name = "lm classes",
    .synopsis = "[--classes=N] [--iterations=N] [TEXT ...] -o OUT",
    .summary = "find classes of words",
    .description =
        "Puts each word of the texts into one of N classes so that the texts "
        "are likeliest by bigrams of classes (exchange algorithm). OUT has a "
        "line a word: word, class, P(word | class), with TABs. Go on with "
        "`senone lm estimate --classes=OUT`.",
    .example =
        "sed 's/ *([^()]*)$//' /usr/share/pocketsphinx/test/data/librivox/"
        "transcription | senone lm classes --classes=8 -o classes.txt",
    .tables = {{sn_cluster_opt_table, sizeof(sn_cluster_opts)},
               {text_table, sizeof(text_opts)},
               {sn_text_opt_table, sizeof(sn_text_opts)},
               {sn_cli_out_table, sizeof(sn_cli_out)}},
    .shorts = "o=output",
    .max_args = SIZE_MAX,
    .run = run_classes};

/* ---- expand ---- */

typedef struct expand_opts {
  const char *classes;
  double threshold;
} expand_opts;

static const sn_opt expand_table[] = {
    {"classes", SN_OPT_STRING, offsetof(expand_opts, classes), 0, 0, 0, "", "",
     "the classes of LM, with probabilities"},
    {"threshold", SN_OPT_DOUBLE, offsetof(expand_opts, threshold), 1e-7, 0, 1,
     NULL, "nats",
     "leave out n-grams of words that cost less than that when they are backed "
     "off; 0: all, which is LM exactly"},
    SN_OPT_END};
static const sn_opt format_table[] = {SN_CLI_LM_FORMAT_OPT, SN_OPT_END};

static int run_expand(sn_cli *cli) {
  const expand_opts *const o = cli->opts[0];
  const sn_cli_lm_format *const f = cli->opts[1];
  sn_ngram *lm = NULL, *words = NULL;
  sn_classes classes = {0};
  if (o->classes[0] == '\0')
    return sn_cli_usage(cli, "--classes=FILE is needed");
  sn_status s = sn_classes_load(o->classes, &classes, &cli->err);
  if (s == SN_OK && !classes.has_probs)
    sn_warn(cli->log, "%s has no probabilities: words of a class are equal",
            o->classes);
  if (s == SN_OK) s = sn_ngram_load(cli->args[0], cli->log, &lm, &cli->err);
  if (s == SN_OK)
    s = sn_classes_expand(&classes, lm, o->threshold, cli->log, &words,
                          &cli->err);
  if (s == SN_OK) s = sn_cli_lm_save(cli, words, f->format, cli->args[1]);
  sn_classes_clear(&classes);
  sn_ngram_destroy(lm);
  sn_ngram_destroy(words);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_expand = {
    .name = "lm expand",
    .synopsis = "--classes=FILE [--threshold=X] LM OUT",
    .summary = "a model over classes as one over words",
    .description =
        "Lists the n-grams of words that a model over classes (`senone lm "
        "estimate --classes`) stands for, with their probabilities, those that "
        "matter least left out. OUT is a model like any other: to mix with one "
        "of words, to build graphs from, to rescore with.",
    .example =
        "printf 'call anna\\ncall otto now\\n' >calls.txt\n"
        "printf 'anna\\tNAME\\notto\\tNAME\\nida\\tNAME\\n' >names.txt\n"
        "senone lm estimate --method=wb --classes=names.txt "
        "--classes-out=shares.txt calls.txt -o calls.arpa\n"
        "senone lm expand --classes=shares.txt calls.arpa words.arpa",
    .tables = {{expand_table, sizeof(expand_opts)},
               {format_table, sizeof(sn_cli_lm_format)}},
    .min_args = 2,
    .max_args = 2,
    .run = run_expand};
