/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm estimate. */
#include <stdint.h>

#include "cli/cmd_lm_count.h"
#include "cli/cmd_lm_save.h"
#include "lm/class_token.h"
#include "lm/classes.h"
#include "lm/estimate.h"
#include "lm/ngram.h"

typedef struct class_opts {
  const char *classes, *classes_out;
} class_opts;

static const sn_opt class_table[] = {
    {"classes", SN_OPT_STRING, offsetof(class_opts, classes), 0, 0, 0, "", "",
     "make a model over these classes of words: word and class with a TAB "
     "between them, and perhaps a probability"},
    {"classes-out", SN_OPT_STRING, offsetof(class_opts, classes_out), 0, 0, 0,
     "", "",
     "write the classes with the words' shares of the texts; needed when "
     "--classes has no probabilities"},
    SN_OPT_END};
static const sn_opt format_table[] = {SN_CLI_LM_FORMAT_OPT, SN_CLI_LM_BITS_OPT,
                                      SN_OPT_END};

static void report(sn_cli *cli, const sn_estimate_report *r, int32_t method) {
  for (int32_t k = 1; k <= r->order; k++) {
    const sn_estimate_order *const o = &r->orders[k];
    if (method == SN_ESTIMATE_WB)
      sn_info(cli->log, "order %d: %lld n-grams", k, (long long)o->n_kept);
    else if (method == SN_ESTIMATE_KATZ && !o->is_fallback)
      sn_info(cli->log,
              "order %d: %lld n-grams; counts 1 to 5 times %.4f, %.4f, %.4f, "
              "%.4f, %.4f",
              k, (long long)o->n_kept, o->ratio[1], o->ratio[2], o->ratio[3],
              o->ratio[4], o->ratio[5]);
    else
      sn_info(cli->log,
              "order %d: %lld n-grams; discounts of counts 1, 2, 3 and more: "
              "%.4f, %.4f, %.4f%s",
              k, (long long)o->n_kept, o->discount[1], o->discount[2],
              o->discount[3], o->is_fallback ? " (fall-back)" : "");
  }
}

static sn_status estimate(sn_cli *cli, const char *path, sn_counts *c) {
  const sn_cli_lm_format *const format = cli->opts[1];
  const sn_estimate_opts *const how = cli->opts[2];
  sn_estimate_report r;
  if (sn_cli_lm_format_of(format->format, path) == SN_NGRAM_ARPA) {
    SN_TRY(sn_estimate_arpa(c, how, path, &r, &cli->err));
  } else {
    sn_ngram *lm = NULL;
    SN_TRY(sn_estimate_ngram(c, how, &lm, &r, &cli->err));
    const sn_status s = sn_cli_lm_save_as(cli, lm, format, path);
    sn_ngram_destroy(lm);
    SN_TRY(s);
  }
  report(cli, &r, how->method);
  return SN_OK;
}

/* A model does not say which of its words are classes; their names can. */
static void warn_names(sn_cli *cli, const sn_classes *c, const char *path) {
  int32_t n = 0;
  const char *first = "";
  for (int32_t i = 0; i < sn_symtab_n(c->names); i++) {
    const char *const name = sn_symtab_get(c->names, i);
    if (sn_class_token(name) == SN_CLASS_NONE && n++ == 0) first = name;
  }
  if (n > 0)
    sn_warn(cli->log,
            "%s: %d of %d classes have names like words ('%s'): other commands "
            "take them for words; with a name like $%s they know a class",
            path, n, sn_symtab_n(c->names), first,
            first[0] == '$' ? "NAME" : first);
}

/* Words of classes that the texts lack are counted. */
static sn_status save_classes(sn_cli *cli, sn_classes *c, const char *path) {
  int64_t n_unseen = 0;
  for (size_t w = 0; w < c->count.n; w++) n_unseen += c->count.data[w] == 0;
  if (n_unseen > 0)
    sn_warn(cli->log, "%lld of %zu words of the classes are not in the texts",
            (long long)n_unseen, c->count.n);
  if (path[0] == '\0') return SN_OK;
  sn_classes_estimate(c);
  return sn_classes_save(c, path, &cli->err);
}

/* 0, or the exit status after a message. */
static int check_usage(sn_cli *cli) {
  const sn_cli_out *const to = cli->opts[0];
  const sn_count_opts *const count = cli->opts[3];
  const class_opts *const o = cli->opts[5];
  int wrong = sn_cli_out_check(cli, to->output, "[TEXT ...]");
  if (wrong == 0) wrong = sn_cli_count_check(cli);
  if (wrong == 0) wrong = sn_cli_lm_format_check(cli, cli->opts[1]);
  if (wrong != 0) return wrong;
  if (o->classes[0] == '\0' && o->classes_out[0] != '\0')
    return sn_cli_usage(cli, "--classes-out without --classes");
  sn_err why = {0};
  if (sn_estimate_check(cli->opts[2], count->order, &why) != SN_OK)
    return sn_cli_usage(cli, "%s", why.msg);
  return 0;
}

static int run_estimate(sn_cli *cli) {
  const sn_cli_out *const to = cli->opts[0];
  const class_opts *const o = cli->opts[5];
  sn_count_opts *const count = cli->opts[3];
  const int wrong = check_usage(cli);
  if (wrong != 0) return wrong;
  sn_counts *c = NULL;
  sn_classes classes = {0};
  sn_status s = SN_OK;
  if (o->classes[0] != '\0') {
    s = sn_classes_load(o->classes, &classes, &cli->err);
    count->classes = &classes;
    if (s == SN_OK) warn_names(cli, &classes, o->classes);
    if (s == SN_OK && !classes.has_probs && o->classes_out[0] == '\0')
      s = sn_fail(&cli->err, SN_EARG,
                  "%s has no probabilities: name a file for them with "
                  "--classes-out",
                  o->classes);
  }
  if (s == SN_OK)
    s = sn_cli_count_inputs(cli, to->output, count, cli->opts[4], &c);
  if (s == SN_OK && o->classes[0] != '\0')
    s = save_classes(cli, &classes, o->classes_out);
  if (s == SN_OK) s = estimate(cli, to->output, c);
  sn_counts_destroy(c);
  sn_classes_clear(&classes);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_estimate = {
    .name = "lm estimate",
    .synopsis =
        "[--order=N] [--method=mkn|...] [--prune=0,0,1] "
        "[--memory=MiB] [TEXT|COUNTS ...] -o OUT",
    .summary = "make an n-gram model of texts or counts",
    .description =
        "Texts have one sentence a line (also gzip, zstd; standard input when "
        "nothing is named), words between white space, taken as they are; "
        "files of `senone lm count` are taken too. ARPA is written as it is "
        "computed, so models may be larger than --memory; binaries (--format) "
        "are built in memory. Discounts that the counts do not allow are "
        "replaced by fixed ones, with a warning.",
    .example =
        "sed 's/ *([^()]*)$//' /usr/share/pocketsphinx/test/data/librivox/"
        "transcription | senone lm estimate --order=3 -o librivox.arpa",
    .tables = {{sn_cli_out_table, sizeof(sn_cli_out)},
               {format_table, sizeof(sn_cli_lm_format)},
               {sn_estimate_opt_table, sizeof(sn_estimate_opts)},
               {sn_count_opt_table, sizeof(sn_count_opts)},
               {sn_text_opt_table, sizeof(sn_text_opts)},
               {class_table, sizeof(class_opts)}},
    .shorts = "o=output",
    .max_args = SIZE_MAX,
    .run = run_estimate};
