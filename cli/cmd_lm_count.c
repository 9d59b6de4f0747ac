/* SPDX-License-Identifier: Apache-2.0 */
/* senone lm count. */
#include "cli/cmd_lm_count.h"

#include <string.h>

#include "base/io.h"

static sn_status add_input(sn_cli *cli, sn_counts *c, sn_text_source *t,
                           const char *path) {
  if (sn_counts_is_file(path)) return sn_counts_add_file(c, path, &cli->err);
  sn_reader *r = NULL;
  SN_TRY(sn_reader_open(path, &r, &cli->err));
  const sn_status s = sn_counts_add_text(c, t, r, &cli->err);
  sn_reader_destroy(r);
  return s;
}

static void report(sn_cli *cli, const sn_counts *c, const sn_text_source *t) {
  const sn_count_totals n = sn_counts_get_totals(c);
  sn_text_report(t, cli->log);
  sn_info(cli->log, "%lld sentences, %lld words, %d different ones",
          (long long)n.n_sentences, (long long)n.n_words,
          sn_counts_n_words(c) - 3);
  if (sn_counts_n_outside(c) > 0)
    sn_info(cli->log, "%lld words (%.2f %%) are not in the vocabulary: <unk>",
            (long long)sn_counts_n_outside(c),
            100.0 * (double)sn_counts_n_outside(c) /
                (double)(n.n_words > 0 ? n.n_words : 1));
}

/* Before hours of counting: whether OUT can be written at all. */
static sn_status try_output(const char *path, sn_err *err) {
  sn_writer *w = NULL;
  if (strcmp(path, "-") == 0) return SN_OK;
  const sn_status s = sn_writer_open(path, &w, err);
  sn_writer_destroy(w);
  return s;
}

int sn_cli_count_check(sn_cli *cli) {
  if (cli->n_args == 0 || !sn_cli_is_given(cli, "repair")) return 0;
  for (size_t i = 0; i < cli->n_args; i++)
    if (!sn_counts_is_file(cli->args[i])) return 0;
  return sn_cli_usage(cli,
                      "--repair is for texts, and only count files are named; "
                      "give it when the texts are counted");
}

sn_status sn_cli_count_inputs(sn_cli *cli, const char *output,
                              const sn_count_opts *opts,
                              const sn_text_opts *text, sn_counts **out) {
  sn_counts *c = NULL;
  sn_text_source *t = NULL;
  *out = NULL;
  sn_status s = try_output(output, &cli->err);
  if (s == SN_OK) s = sn_counts_create(opts, cli->log, &c, &cli->err);
  if (s == SN_OK) s = sn_text_source_create(text, &t, &cli->err);
  for (size_t i = 0; s == SN_OK && (i < cli->n_args || i == 0); i++)
    s = add_input(cli, c, t, i < cli->n_args ? cli->args[i] : "-");
  if (s == SN_OK) report(cli, c, t);
  sn_text_source_destroy(t);
  if (s == SN_OK && sn_counts_get_totals(c).n_sentences == 0)
    s = sn_fail(&cli->err, SN_EFORMAT, "%s: no words in it",
                cli->n_args > 1    ? "the texts"
                : cli->n_args == 1 ? cli->args[0]
                                   : "standard input");
  if (s != SN_OK)
    sn_counts_destroy(c);
  else
    *out = c;
  return s;
}

static int run_count(sn_cli *cli) {
  const sn_cli_out *const o = cli->opts[0];
  int wrong = sn_cli_out_check(cli, o->output, "[TEXT ...]");
  if (wrong == 0) wrong = sn_cli_count_check(cli);
  if (wrong != 0) return wrong;
  if (strcmp(o->output, "-") == 0)
    return sn_cli_usage(cli, "a count file can not go to standard output");
  sn_counts *c = NULL;
  int64_t n = 0;
  sn_status s =
      sn_cli_count_inputs(cli, o->output, cli->opts[1], cli->opts[2], &c);
  if (s == SN_OK) s = sn_counts_save(c, o->output, &n, &cli->err);
  if (s == SN_OK)
    sn_info(cli->log, "%s: %lld n-grams", o->output, (long long)n);
  sn_counts_destroy(c);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_lm_count = {
    .name = "lm count",
    .synopsis = "[--order=N] [--memory=MiB] [TEXT|COUNTS ...] -o OUT",
    .summary = "count the n-grams of texts, or merge counts",
    .description =
        "Writes a count file for `senone lm estimate`. A text has one "
        "sentence a line (also gzip, zstd; standard input when nothing is "
        "named), words between white space, taken as they are. Count files "
        "among the inputs are added: so a large corpus is counted in parts. "
        "The counts are exact for any --memory.",
    .example =
        "sed 's/ *([^()]*)$//' /usr/share/pocketsphinx/test/data/librivox/"
        "transcription | senone lm count --order=3 -o a.counts\n"
        "senone lm count --order=3 a.counts a.counts -o both.counts",
    .tables = {{sn_cli_out_table, sizeof(sn_cli_out)},
               {sn_count_opt_table, sizeof(sn_count_opts)},
               {sn_text_opt_table, sizeof(sn_text_opts)}},
    .shorts = "o=output",
    .max_args = SIZE_MAX,
    .run = run_count};
