/* SPDX-License-Identifier: Apache-2.0 */
/* cli/run.h - from main to a command. */
#ifndef SN_CLI_RUN_H
#define SN_CLI_RUN_H
#include "cli/cli.h"

/* Parses argv[0..n) (what follows the command's name) and runs it. Returns the
 * exit status. argv's strings may be changed. */
int sni_cli_run(const sn_command *cmd, size_t n, char **argv);

/* From now on SIGINT and SIGTERM ask work under this log to stop; a second
 * one ends the process at once. NULL: back to normal. */
void sni_cli_on_interrupt(sn_log *log);
#endif
