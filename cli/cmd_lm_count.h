/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd_lm_count.h - what lm count, lm estimate and lm classes share. */
#ifndef SN_CLI_CMD_LM_COUNT_H
#define SN_CLI_CMD_LM_COUNT_H
#include "cli/out_file.h"
#include "lm/count.h"

/* 0, or the exit status after a message: options for texts where only count
 * files are named. */
int sn_cli_count_check(sn_cli *cli);

/* Counts the texts and count files that are named (standard input when there
 * are none), after a look whether output can be written; reports what was
 * read. */
SN_NODISCARD sn_status sn_cli_count_inputs(sn_cli *cli, const char *output,
                                           const sn_count_opts *opts,
                                           const sn_text_opts *text,
                                           sn_counts **out);
#endif
