/* SPDX-License-Identifier: Apache-2.0 */
/* senone text normalise. */
#include <stdint.h>
#include <stdio.h>

#include "base/io.h"
#include "cli/cli.h"
#include "lm/normalise.h"

typedef struct text_opts {
  const char *rules;
  bool print_rules;
} text_opts;

static const sn_opt text_table[] = {
    {"rules", SN_OPT_STRING, offsetof(text_opts, rules), 0, 0, 0, "", "",
     "file of rules in place of the built-in English ones (docs/text.md)"},
    {"print-rules", SN_OPT_BOOL, offsetof(text_opts, print_rules), 0, 0, 1,
     NULL, "", "print the built-in rules and stop"},
    SN_OPT_END};

static sn_status normalise_text(sn_cli *cli, sn_norm *n, const char *path,
                                int64_t *n_empty) {
  sn_reader *r = NULL;
  sn_str out = {0};
  sn_status s = sn_reader_open(path, &r, &cli->err);
  while (s == SN_OK) {
    sn_span line;
    bool more;
    s = sn_read_line(r, &line, &more, &cli->err);
    if (s != SN_OK || !more) break;
    s = sn_norm_line(n, line.p, line.n, &out, &cli->err);
    if (s != SN_OK)
      sn_err_context(&cli->err, "%s:%lld", path,
                     (long long)sn_reader_line_no(r));
    else if (out.n > 0)
      sn_cli_print(cli, "%s\n", sn_str_get(&out));
    else
      ++*n_empty;
    if (s == SN_OK && sn_log_cancelled(cli->log))
      s = sn_fail(&cli->err, SN_ECANCEL, "interrupted");
  }
  sn_reader_destroy(r);
  sn_str_clear(&out);
  return s;
}

/* What can not be printed is named by its code. */
static const char *visible(const char *what, char *code, size_t n_code) {
  const unsigned char c = (unsigned char)what[0];
  if (what[1] != '\0' ? c != 0xc2 || (unsigned char)what[1] > 0xa0
                      : c >= 32 && c != 127)
    return what;
  snprintf(code, n_code, "U+%04X",
           what[1] != '\0' ? (unsigned)(unsigned char)what[1] : (unsigned)c);
  return code;
}

static void report(sn_cli *cli, const sn_norm *n, int64_t n_empty) {
  int64_t n_all = 0;
  sn_str list = {0};
  for (int32_t i = 0; i < sn_norm_n_dropped(n); i++) {
    int64_t count;
    const char *const what = sn_norm_dropped(n, i, &count);
    char code[16];
    n_all += count;
    if (sn_str_addf(&list, NULL, " %s (%lld)", visible(what, code, sizeof code),
                    (long long)count) != SN_OK)
      break;
  }
  if (n_all > 0)
    sn_warn(cli->log, "%lld characters were dropped:%s", (long long)n_all,
            sn_str_get(&list));
  if (sn_norm_n_spelled(n) > 0)
    sn_warn(cli->log, "%lld numbers that no rule reads were said by digits",
            (long long)sn_norm_n_spelled(n));
  if (n_empty > 0)
    sn_warn(cli->log, "%lld lines without words were left out",
            (long long)n_empty);
  sn_str_clear(&list);
}

static int run_normalise(sn_cli *cli) {
  const text_opts *const o = cli->opts[0];
  if (o->print_rules &&
      (cli->n_args > 0 || o->rules[0] != '\0' || sn_cli_is_given(cli, "case")))
    return sn_cli_usage(cli,
                        "--print-rules prints the built-in rules alone: give "
                        "it neither TEXT nor --rules, --case");
  if (o->print_rules) {
    for (size_t i = 0; sn_norm_english[i] != NULL; i++)
      sn_cli_print(cli, "%s\n", sn_norm_english[i]);
    return sn_cli_finish(cli, SN_EXIT_OK);
  }
  sn_norm *n = NULL;
  sn_reader *rules = NULL;
  int64_t n_empty = 0;
  sn_status s = SN_OK;
  if (o->rules[0] != '\0') s = sn_reader_open(o->rules, &rules, &cli->err);
  if (s == SN_OK) s = sn_norm_create(rules, cli->opts[1], &n, &cli->err);
  sn_reader_destroy(rules);
  for (size_t i = 0; (i < cli->n_args || i == 0) && s == SN_OK; i++)
    s = normalise_text(cli, n, cli->n_args > 0 ? cli->args[i] : "-", &n_empty);
  if (s == SN_OK) report(cli, n, n_empty);
  sn_norm_destroy(n);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_text_normalise = {
    .name = "text normalise",
    .synopsis = "[--case=lower] [--rules=FILE] [TEXT ...]",
    .summary = "written text to the words that are said",
    .description =
        "Unicode NFC, case, punctuation, numbers, ordinals, years, dates, "
        "times, money, fractions, units, Roman numerals, addresses and "
        "abbreviations, by rules for English or your own. One line in, one "
        "line out; lines without words are left out. "
        "What is dropped is named and counted. docs/text.md has the syntax of "
        "rules; --print-rules shows the built-in ones.",
    .example =
        "echo 'On Jan. 5, 1984, Dr. Smith paid $3.50 at 9:05 p.m.' | senone "
        "text normalise",
    .tables = {{text_table, sizeof(text_opts)},
               {sn_norm_opt_table, sizeof(sn_norm_opts)}},
    .max_args = SIZE_MAX,
    .run = run_normalise};
