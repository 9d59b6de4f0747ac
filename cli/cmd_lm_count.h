/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_lm_count.h - what lm count, lm estimate and lm classes share. */
#ifndef SN_CLI_CMD_LM_COUNT_H
#define SN_CLI_CMD_LM_COUNT_H
#include "cli/cli.h"
#include "lm/count.h"

/* -o OUT. It has no place among the texts, so that none of them is taken for
 * it and overwritten. */
typedef struct sn_cli_count_out {
  const char *output;
} sn_cli_count_out;
extern const sn_opt sn_cli_count_out_table[];

/* 0, or the exit status after saying what is wrong: no OUT, or one that is
 * also an input. */
int sn_cli_count_check(sn_cli *cli, const char *output);

/* Counts the texts and count files that are named (standard input when there
 * are none), after a look whether output can be written; reports what was
 * read. */
SN_NODISCARD sn_status sn_cli_count_inputs(sn_cli *cli, const char *output,
                                           const sn_count_opts *opts,
                                           const sn_text_opts *text,
                                           sn_counts **out);
#endif
